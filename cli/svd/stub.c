/* SPDX-License-Identifier: MIT */
/* Makes models from descriptions of peripherals: from one, or from all in a file. */
#include "svd/stub.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/region.h"
#include "svd/text.h"
#include "util.h"

/* The parameters name registers. The configuration has checked them. */
static int stub_init(struct trestle_device *dev, const struct trestle_params *params)
{
    const char *key, *value;
    for (size_t i = 0; trestle_params_item(params, i, &key, &value) == 0;)
        i++;
    return 0;
}

/* For a peripheral that has addresses but no registers in the file. */
static int read_nothing(struct trestle_device *dev, struct trestle_request *req,
                        const struct trestle_access *access, uint64_t *ret_data)
{
    *ret_data = 0;
    return 0;
}

static int write_nothing(struct trestle_device *dev, struct trestle_request *req,
                         const struct trestle_access *access)
{
    return 0;
}

static const char *keep(struct svd_file *file, char *text)
{
    size_t size = strlen(text) + 1;
    char *kept = svd_alloc(file, size);
    memcpy(kept, text, size);
    free(text);
    return kept;
}

static char *device_name(const char *name)
{
    enum { LENGTH_MAX = 48 };
    char *text = xformat("%.*s", LENGTH_MAX, name);
    for (char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at))
            *at = '_';
    return text;
}

static uint64_t round_up(uint64_t value)
{
    return (value + (REGION_ALIGN - 1)) & ~(uint64_t)(REGION_ALIGN - 1);
}

/* --- one stub -------------------------------------------------------------------------------- */

static void name_interrupts(struct svd_file *file, const struct svd_peripheral *peripheral,
                            struct trestle_model *model)
{
    size_t count = peripheral->num_interrupts;
    model->irq_lines = (uint32_t)(count < TRESTLE_IRQ_LINES_MAX ? count : TRESTLE_IRQ_LINES_MAX);
    const char **names = svd_alloc(file, (model->irq_lines + 1) * sizeof(*names));
    for (size_t i = 0; i < model->irq_lines; i++)
        names[i] = keep(file, device_name(peripheral->interrupts[i].name));
    model->irqs = names;
}

/* Peripherals in the order of their addresses. */
static int make(struct svd_file *file, const struct svd_peripheral *peripherals, size_t count,
                struct svd_stub **ret_stub, char **ret_error)
{
    struct svd_stub *stub = svd_alloc(file, sizeof(*stub));
    struct svd_part *parts = xcalloc(count, sizeof(*parts));
    struct strings names = {0};
    stub->base = peripherals[0].base & ~(uint64_t)(REGION_ALIGN - 1);
    for (size_t i = 0; i < count; i++) {
        const struct svd_peripheral *peripheral = &peripherals[i];
        parts[i] = (struct svd_part){peripheral, peripheral->base - stub->base, ""};
        if (i > 0)
            parts[i].prefix = keep(file, xformat("%s_", peripheral->name));
        strings_add(&names, peripheral->name);
        uint64_t end = parts[i].offset + peripheral->bytes;
        if (end > stub->size && end <= SVD_REGION_MAX)
            stub->size = end;
    }
    svd_table_make(file, parts, count, &stub->table);
    free(parts);
    stub->names = keep(file, strings_join(&names, "+"));
    strings_finish(&names);
    bool has_registers = stub->table.num_rows > 0;
    if (!has_registers && (stub->size == 0 || stub->table.num_left_out)) {
        *ret_error = xformat("%s:%u: peripheral \"%s\" has no register%s", svd_path(file),
                             peripherals[0].line, stub->names,
                             stub->table.num_left_out ? " within 16 MiB of its base address"
                                                      : ", and no addresses");
        return -EINVAL;
    }
    if (stub->table.end > stub->size)
        stub->size = stub->table.end;
    stub->size = round_up(stub->size);
    stub->name = keep(file, device_name(peripherals[0].name));
    stub->region = (struct trestle_region){
        TRESTLE_REGION_SIZES,
        .registers = stub->table.rows,
        .num_registers = stub->table.num_rows,
        .bytes = has_registers ? round_up(stub->table.end) : stub->size,
        .holes = TRESTLE_HOLES_ZERO,
        .doc = peripherals[0].doc,
    };
    stub->regions[0] = &stub->region;
    stub->model = (struct trestle_model){
        .size = sizeof(stub->model),
        .name = SVD_MODEL_NAME,
        .region_size = stub->region.bytes,
        .access_sizes = 1 | 2 | 4 | 8,
        .regions = has_registers ? stub->regions : NULL,
        .state_size = stub->table.state_size,
        .init = stub_init,
        .read = has_registers ? NULL : read_nothing,
        .write = has_registers ? NULL : write_nothing,
        .doc = peripherals[0].doc,
    };
    name_interrupts(file, &peripherals[0], &stub->model);
    *ret_stub = stub;
    return 0;
}

static int by_base(const void *left, const void *right)
{
    const struct svd_peripheral *a = left, *b = right;
    return (a->base > b->base) - (a->base < b->base);
}

int svd_stub_make(struct svd_file *file, const char *names, struct svd_stub **ret_stub,
                  char **ret_error)
{
    size_t room = 1, count = 0;
    for (const char *at = names; *at; at++)
        room += *at == '+';
    struct svd_peripheral *peripherals = xcalloc(room, sizeof(*peripherals));
    int r = 0;
    for (const char *rest = names; r == 0 && rest;) {
        size_t length = strcspn(rest, "+"), index;
        char *name = xformat("%.*s", (int)length, rest);
        r = svd_find(file, name, &index, ret_error);
        free(name);
        if (r == 0)
            r = svd_read(file, index, &peripherals[count++], ret_error);
        rest = rest[length] ? rest + length + 1 : NULL;
    }
    if (r == 0) {
        qsort(peripherals, count, sizeof(*peripherals), by_base);
        r = make(file, peripherals, count, ret_stub, ret_error);
    }
    free(peripherals);
    return r;
}

/* --- other values after a reset -------------------------------------------------------------- */

static int fail_register(const struct svd_stub *stub, const char *name, char **ret_error)
{
    struct strings names = {0};
    for (size_t i = 0; i < stub->table.num_rows; i++)
        strings_add(&names, stub->table.rows[i].name);
    const char *near = suggest(name, names.items);
    *ret_error =
        near ? xformat("%s has no register \"%s\"; did you mean \"%s\"?", stub->names, name, near)
             : xformat("%s has no register \"%s\"; it has %s and %zu more", stub->names, name,
                       names.items[0], names.count - 1);
    strings_finish(&names);
    return -EINVAL;
}

static int find_field(const struct trestle_register *row, const char *name,
                      const struct trestle_field **ret_field, char **ret_error)
{
    struct strings names = {0};
    const struct trestle_field *field = row->fields;
    for (; field && field->name && strcmp(field->name, name) != 0; field++)
        strings_add(&names, field->name);
    if (field && field->name) {
        strings_finish(&names);
        *ret_field = field;
        return 0;
    }
    char *help = names.count ? suggest_or_list(name, &names, "it has") : xstrdup("");
    *ret_error = xformat("register %s has no field \"%s\"%s", row->name, name, help);
    free(help);
    strings_finish(&names);
    return -EINVAL;
}

static int parse_value(const char *text, const struct trestle_value *names, uint64_t max,
                       uint64_t *ret_value, char **ret_error)
{
    for (; names && names->name; names++)
        if (strcmp(names->name, text) == 0) {
            *ret_value = names->value;
            return 0;
        }
    if (svd_number(text, ret_value) == SVD_NUMBER_GOOD && *ret_value <= max)
        return 0;
    *ret_error = xformat("\"%s\" is not a number from 0 to 0x%llx", text, (unsigned long long)max);
    return -EINVAL;
}

int svd_stub_preset(struct svd_stub *stub, const char *key, const char *value, char **ret_error)
{
    size_t length = strcspn(key, ".");
    char *name = xformat("%.*s", (int)length, key);
    struct trestle_register *row = svd_table_find(&stub->table, name);
    const struct trestle_field *field = NULL;
    int r = row ? 0 : fail_register(stub, name, ret_error);
    free(name);
    if (r == 0 && key[length])
        r = find_field(row, key + length + 1, &field, ret_error);
    if (r < 0)
        return r;
    uint64_t mask = field ? field->mask : UINT64_MAX >> (64 - 8 * row->size), number;
    unsigned shift = (unsigned)__builtin_ctzll(mask);
    r = parse_value(value, field ? field->values : NULL, mask >> shift, &number, ret_error);
    if (r == 0)
        row->reset = (row->reset & ~mask) | number << shift;
    return r;
}

/* --- all of a file --------------------------------------------------------------------------- */

/* The end of the last register that a stub does not leave out. For a peripheral that has addresses
 * but no registers, one byte: enough to make a stub. */
static uint64_t registers_end(const struct svd_peripheral *peripheral)
{
    uint64_t end = peripheral->num_registers == 0 && peripheral->bytes > 0 ? 1 : 0;
    for (size_t i = 0; i < peripheral->num_registers; i++) {
        const struct svd_register *reg = &peripheral->registers[i];
        uint64_t bytes = (reg->bits + 7) / 8, count = reg->count ? reg->count : 1;
        if (reg->offset >= SVD_REGION_MAX)
            continue;
        uint64_t room = reg->stride ? (SVD_REGION_MAX - 1 - reg->offset) / reg->stride : count - 1;
        uint64_t last = reg->offset + (count - 1 < room ? count - 1 : room) * reg->stride;
        if (last + bytes > end)
            end = last + bytes;
    }
    return peripheral->base + end;
}

static bool is_taken(const struct svd_taken *taken, size_t num_taken, uint64_t base, uint64_t end)
{
    for (size_t i = 0; i < num_taken; i++)
        if (regions_overlap(taken[i].base, taken[i].size, base, end - base))
            return true;
    return false;
}

static bool is_listed(char *const *except, const char *name)
{
    for (; *except; except++)
        if (strcmp(*except, name) == 0)
            return true;
    return false;
}

/* Where the next taken region begins from `end` on, or the end of all addresses. */
static uint64_t room_behind(const struct svd_taken *taken, size_t num_taken, uint64_t end)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < num_taken; i++)
        if (taken[i].base >= end && taken[i].base < next)
            next = taken[i].base;
    return next;
}

/* Reads all wanted peripherals, sorted by address. */
static int read_all(struct svd_file *file, char *const *except, const struct svd_taken *taken,
                    size_t num_taken, struct svd_peripheral *ret_peripherals, size_t *ret_count,
                    char **ret_error)
{
    size_t count = 0;
    for (size_t i = 0; i < svd_num_peripherals(file); i++) {
        struct svd_peripheral *peripheral = &ret_peripherals[count];
        if (is_listed(except, svd_peripheral_name(file, i)))
            continue;
        int r = svd_read(file, i, peripheral, ret_error);
        if (r < 0)
            return r;
        uint64_t end = registers_end(peripheral);
        if (end > peripheral->base && !is_taken(taken, num_taken, peripheral->base, end))
            count++;
    }
    qsort(ret_peripherals, count, sizeof(*ret_peripherals), by_base);
    *ret_count = count;
    return 0;
}

/* How many peripherals, from the first on, overlap each other. */
static size_t group(const struct svd_peripheral *peripherals, size_t count, uint64_t *ret_end)
{
    size_t size = 1;
    uint64_t end = registers_end(&peripherals[0]);
    while (size < count && (peripherals[size].base & ~(uint64_t)(REGION_ALIGN - 1)) < end) {
        uint64_t next = registers_end(&peripherals[size++]);
        if (next > end)
            end = next;
    }
    *ret_end = end;
    return size;
}

int svd_stubs_make(struct svd_file *file, char *const *except, const struct svd_taken *taken,
                   size_t num_taken, struct svd_stub ***ret_stubs, size_t *ret_num,
                   char **ret_error)
{
    struct svd_peripheral *peripherals = xcalloc(svd_num_peripherals(file), sizeof(*peripherals));
    struct svd_stub **stubs = NULL;
    size_t count = 0, num = 0;
    int r = read_all(file, except, taken, num_taken, peripherals, &count, ret_error);
    stubs = xcalloc(count, sizeof(struct svd_stub *));
    for (size_t i = 0, size; r == 0 && i < count; i += size) {
        uint64_t end;
        size = group(&peripherals[i], count - i, &end);
        r = make(file, &peripherals[i], size, &stubs[num], ret_error);
        if (r < 0)
            break;
        struct svd_stub *stub = stubs[num++];
        uint64_t next = room_behind(taken, num_taken, end);
        if (i + size < count && peripherals[i + size].base < next)
            next = peripherals[i + size].base & ~(uint64_t)(REGION_ALIGN - 1);
        if (stub->size > next - stub->base)
            stub->size = next - stub->base;
    }
    free(peripherals);
    if (r < 0) {
        free(stubs);
        return r;
    }
    *ret_stubs = stubs;
    *ret_num = num;
    return 0;
}
