/* SPDX-License-Identifier: MIT */
/* Tables of registers: checked once, found in constant time, and the answers that they give. */
#include "registers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/macros.h"
#include "device.h"

/* Registers of one region, those of arrays each for itself. More is a mistake in a table. */
#define SLOTS_MAX (UINT32_C(1) << 20)
#define BYTES_MAX (UINT64_C(1) << 32)

static uint64_t bits_of(uint32_t bytes)
{
    return UINT64_MAX >> (64 - 8 * bytes);
}

static bool is_width(uint32_t bytes)
{
    return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

/* --- from a table to a bank ------------------------------------------------------------------ */

/* One element of an array whose elements may be smaller or larger than ours. */
static void import_element(void *ours, size_t our_size, const void *theirs, size_t their_size)
{
    memset(ours, 0, our_size);
    memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
}

static bool is_read_only(enum trestle_rights rights)
{
    return rights == TRESTLE_RO || rights == TRESTLE_RC || rights == TRESTLE_RS;
}

static void add_rights(struct register_row *row, uint64_t mask, enum trestle_rights rights)
{
    if (rights != TRESTLE_WO && rights != TRESTLE_TRIGGER && rights != TRESTLE_RESERVED)
        row->readable |= mask;
    switch (rights) {
    case TRESTLE_RIGHTS_DEFAULT:
    case TRESTLE_RW:
    case TRESTLE_WO:
        row->plain |= mask;
        break;
    case TRESTLE_W1C:
        row->w1c |= mask;
        break;
    case TRESTLE_W1S:
        row->w1s |= mask;
        break;
    case TRESTLE_W1T:
        row->w1t |= mask;
        break;
    case TRESTLE_W0C:
        row->w0c |= mask;
        break;
    case TRESTLE_W0S:
        row->w0s |= mask;
        break;
    case TRESTLE_W0T:
        row->w0t |= mask;
        break;
    case TRESTLE_WC:
        row->wc |= mask;
        break;
    case TRESTLE_WS:
        row->ws |= mask;
        break;
    case TRESTLE_RC:
        row->rc |= mask;
        break;
    case TRESTLE_RS:
        row->rs |= mask;
        break;
    case TRESTLE_RO:
    case TRESTLE_TRIGGER:
    case TRESTLE_RESERVED:
        break;
    }
}

static bool is_run_of_bits(uint64_t mask)
{
    uint64_t low = mask & -mask;
    return mask != 0 && ((mask + low) & mask) == 0;
}

static int fail_row(char **ret_error, const struct trestle_register *reg, const char *why)
{
    return error_set(ret_error, -EINVAL, "register %s: %s", reg->name ? reg->name : "(no name)",
                     why);
}

/* Fields say what their bits are for; the others are the register's. */
static int import_fields(struct register_row *row, size_t field_size, char **ret_error)
{
    const struct trestle_register *reg = &row->reg;
    uint64_t taken = 0;
    for (const char *at = (const char *)reg->fields; at; at += field_size) {
        struct trestle_field field;
        import_element(&field, sizeof(field), at, field_size);
        if (!field.name)
            break;
        if (!is_run_of_bits(field.mask) || (field.mask & ~row->all))
            return error_set(ret_error, -EINVAL,
                             "register %s: field %s (0x%" PRIx64
                             ") is no run of bits inside its %" PRIu32 " bytes",
                             reg->name, field.name, field.mask, reg->size);
        if (field.mask & taken)
            return error_set(ret_error, -EINVAL, "register %s: field %s overlaps another",
                             reg->name, field.name);
        taken |= field.mask;
        add_rights(row, field.mask, field.access ? field.access : reg->access);
    }
    add_rights(row, row->all & ~taken, reg->access);
    row->plain &= reg->mask ? reg->mask : taken ? taken : row->all;
    return 0;
}

static const char *row_complaint(const struct trestle_model *model, const struct register_row *row)
{
    const struct trestle_register *reg = &row->reg;
    bool reads = reg->access != TRESTLE_WO && reg->access != TRESTLE_TRIGGER &&
                 reg->access != TRESTLE_RESERVED;
    bool writes = !is_read_only(reg->access) && reg->access != TRESTLE_RESERVED;
    uint64_t span = reg->storage_stride ? reg->storage_stride : reg->storage_size;
    uint64_t elements = reg->count ? reg->count : 1;
    if (!reg->name || !*reg->name)
        return "it has no name";
    if (!is_width(reg->size))
        return "its size is not 1, 2, 4 or 8";
    if (reg->offset % reg->size)
        return "its offset is not a multiple of its size";
    if (reg->stride % reg->size)
        return "its stride is not a multiple of its size";
    if (reg->widths & ~15u)
        return "its widths are not an OR of 1, 2, 4, 8";
    if (reg->access > TRESTLE_RESERVED)
        return "there are no such rights";
    if ((reg->reset | reg->mask) & ~row->all)
        return "its reset value or its mask is wider than it is";
    if (reg->storage_size && !is_width(reg->storage_size))
        return "its storage is not of 1, 2, 4 or 8 bytes";
    if (reg->storage_size > reg->size)
        return "its storage is wider than it is";
    if (reg->storage_size &&
        (elements - 1) * span + reg->storage_size + reg->storage > model->state_size)
        return "its storage lies beyond the model's state_size";
    if (!reg->storage_size && reads && !reg->on_read)
        return "nothing says what it reads as: it has no storage and no on_read";
    if (!reg->storage_size && writes && !reg->on_write)
        return "nothing says what a write does: it has no storage and no on_write";
    return NULL;
}

static int import_row(const struct trestle_model *model, const struct trestle_region *region,
                      const void *theirs, struct register_row *row, char **ret_error)
{
    struct trestle_register *reg = &row->reg;
    import_element(reg, sizeof(*reg), theirs, region->register_size);
    if (reg->size == 0)
        reg->size = 4;
    if (reg->stride == 0)
        reg->stride = reg->size;
    if (reg->access == TRESTLE_RIGHTS_DEFAULT)
        reg->access = TRESTLE_RW;
    if (reg->widths == 0)
        reg->widths = reg->size;
    if (reg->storage_stride == 0)
        reg->storage_stride = reg->storage_size;
    row->all = is_width(reg->size) ? bits_of(reg->size) : 0;
    const char *why = row_complaint(model, row);
    if (why)
        return fail_row(ret_error, reg, why);
    int r = import_fields(row, region->field_size, ret_error);
    /* Those of another version are obeyed, but have no names. */
    if (region->field_size != sizeof(struct trestle_field) ||
        region->value_size != sizeof(struct trestle_value))
        reg->fields = NULL;
    bool writes_do_more =
        row->w1c || row->w1s || row->w1t || row->w0c || row->w0s || row->w0t || row->wc || row->ws;
    bool is_stored = reg->storage_size == reg->size;
    row->is_load = is_stored && !reg->on_read && !row->rc && !row->rs && row->readable == row->all;
    row->is_simple_write =
        !writes_do_more && !is_read_only(reg->access) && reg->access != TRESTLE_RESERVED;
    row->is_store = is_stored && !reg->on_write && !writes_do_more && reg->access == TRESTLE_RW;
    return r;
}

static int cover(struct register_bank *bank, uint32_t number, char **ret_error)
{
    const struct register_slot *slot = &bank->slots[number - 1];
    for (uint64_t at = slot->offset; at < slot->offset + slot->row->reg.size; at++) {
        struct register_page **page = &bank->pages[at / PAGE_BYTES];
        if (!*page && !(*page = calloc(1, sizeof(**page))))
            return error_set(ret_error, -ENOMEM, "out of memory");
        uint32_t *taken = &(*page)->slots[at % PAGE_BYTES];
        if (*taken)
            return error_set(ret_error, -EINVAL, "register %s overlaps %s at offset 0x%" PRIx64,
                             slot->row->reg.name, bank->slots[*taken - 1].row->reg.name, at);
        *taken = number;
    }
    return 0;
}

static int count_slots(struct register_bank *bank, char **ret_error)
{
    for (size_t i = 0; i < bank->num_rows; i++) {
        const struct trestle_register *reg = &bank->rows[i].reg;
        uint64_t elements = reg->count ? reg->count : 1;
        if (elements > SLOTS_MAX - bank->num_slots)
            return error_set(ret_error, -EINVAL,
                             "register %s: a region has at most %" PRIu32 " registers", reg->name,
                             SLOTS_MAX);
        bank->num_slots += elements;
        uint64_t last;
        if (__builtin_add_overflow(reg->offset, (elements - 1) * reg->stride + reg->size, &last) ||
            last > BYTES_MAX)
            return fail_row(ret_error, reg, "it lies beyond 4 GiB");
        if (bank->region.bytes && last > bank->region.bytes)
            return fail_row(ret_error, reg, "it lies beyond the region's bytes");
        if (last > bank->bytes)
            bank->bytes = last;
        bank->widths |= reg->widths;
    }
    if (bank->region.bytes)
        bank->bytes = bank->region.bytes;
    return 0;
}

static int fill_slots(struct register_bank *bank, char **ret_error)
{
    size_t number = 0;
    bank->num_pages = (size_t)((bank->bytes + PAGE_BYTES - 1) / PAGE_BYTES);
    bank->slots = calloc(bank->num_slots, sizeof(*bank->slots));
    bank->pages = calloc(bank->num_pages, sizeof(struct register_page *));
    if (!bank->slots || !bank->pages)
        return error_set(ret_error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < bank->num_rows; i++) {
        const struct trestle_register *reg = &bank->rows[i].reg;
        for (uint32_t index = 0; index < (reg->count ? reg->count : 1); index++) {
            bank->slots[number++] = (struct register_slot){
                .row = &bank->rows[i],
                .offset = reg->offset + (uint64_t)index * reg->stride,
                .index = index,
                .storage = reg->storage + index * reg->storage_stride,
            };
            int r = cover(bank, (uint32_t)number, ret_error);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int create_bank(const struct trestle_model *model, const struct trestle_region *theirs,
                       struct register_bank *bank, char **ret_error)
{
    if (theirs->size < offsetof(struct trestle_region, name) || theirs->size > 4096)
        return error_set(ret_error, -EINVAL,
                         "a region's size is %zu; TRESTLE_REGION() says what it has to be",
                         theirs->size);
    import_element(&bank->region, sizeof(bank->region), theirs, theirs->size);
    const struct trestle_region *region = &bank->region;
    if (region->widths & ~15u)
        return error_set(ret_error, -EINVAL, "a region's widths are not an OR of 1, 2, 4, 8");
    if (!region->registers) {
        bank->bytes = region->bytes;
        bank->widths = region->widths ? region->widths : 4;
        return bank->bytes ? 0
                           : error_set(ret_error, -EINVAL,
                                       "a region without registers has to say its bytes");
    }
    if (region->num_registers == 0 || region->num_registers > SLOTS_MAX)
        return error_set(ret_error, -EINVAL, "a region has %zu registers", region->num_registers);
    bank->num_rows = region->num_registers;
    bank->rows = calloc(bank->num_rows, sizeof(*bank->rows));
    if (!bank->rows)
        return error_set(ret_error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < bank->num_rows; i++) {
        const char *row = (const char *)region->registers + i * region->register_size;
        int r = import_row(model, region, row, &bank->rows[i], ret_error);
        if (r < 0)
            return r;
    }
    int r = count_slots(bank, ret_error);
    if (r == 0)
        r = fill_slots(bank, ret_error);
    if (region->widths)
        bank->widths = region->widths;
    uint32_t widths = model->access_sizes ? model->access_sizes : bank->widths;
    for (size_t i = 0; i < bank->num_rows; i++) {
        const struct trestle_register *reg = &bank->rows[i].reg;
        bank->rows[i].singles = (reg->whole ? reg->widths | reg->size : reg->size) & widths;
    }
    return r;
}

static void banks_free(struct register_banks *banks)
{
    for (uint32_t i = 0; i < REGIONS_MAX; i++) {
        struct register_bank *bank = &banks->banks[i];
        for (size_t page = 0; bank->pages && page < bank->num_pages; page++)
            free(bank->pages[page]);
        free(bank->pages);
        free(bank->slots);
        free(bank->rows);
    }
    free(banks);
}

static int banks_create(const struct trestle_model *model, struct register_banks **ret_banks,
                        char **ret_error)
{
    struct register_banks *banks = calloc(1, sizeof(*banks));
    if (!banks)
        return error_set(ret_error, -ENOMEM, "out of memory");
    banks->regions = model->regions;
    banks->state_size = model->state_size;
    banks->access_sizes = model->access_sizes;
    int r = 0;
    for (; r == 0 && model->regions[banks->count]; banks->count++) {
        if (banks->count == REGIONS_MAX)
            r = error_set(ret_error, -EINVAL, "more than %d regions", REGIONS_MAX);
        else
            r = create_bank(model, model->regions[banks->count], &banks->banks[banks->count],
                            ret_error);
    }
    if (r < 0)
        banks_free(banks);
    else
        *ret_banks = banks;
    return r;
}

int registers_take(struct register_banks **ref_shared, const struct trestle_model *model,
                   struct register_banks **ret_banks, char **ret_error)
{
    struct register_banks *banks = *ref_shared;
    *ret_banks = NULL;
    if (!model->regions)
        return 0;
    while (banks && (banks->regions != model->regions || banks->state_size != model->state_size ||
                     banks->access_sizes != model->access_sizes))
        banks = banks->next;
    if (!banks) {
        int r = banks_create(model, &banks, ret_error);
        if (r < 0)
            return r;
        banks->next = *ref_shared;
        *ref_shared = banks;
    }
    banks->num_users++;
    *ret_banks = banks;
    return 0;
}

void registers_release(struct register_banks **ref_shared, struct register_banks *banks)
{
    if (!banks || --banks->num_users > 0)
        return;
    while (*ref_shared != banks)
        ref_shared = &(*ref_shared)->next;
    *ref_shared = banks->next;
    banks_free(banks);
}

/* --- lookup ---------------------------------------------------------------------------------- */

static const struct register_bank *bank_of(const struct register_banks *banks, uint32_t region)
{
    return banks && region < banks->count ? &banks->banks[region] : NULL;
}

bool registers_have(const struct register_banks *banks, uint32_t region)
{
    const struct register_bank *bank = bank_of(banks, region);
    return bank && bank->rows;
}

uint64_t registers_bytes(const struct register_banks *banks, uint32_t region)
{
    const struct register_bank *bank = bank_of(banks, region);
    return bank ? bank->bytes : 0;
}

uint32_t registers_widths(const struct register_banks *banks, uint32_t region)
{
    const struct register_bank *bank = bank_of(banks, region);
    return bank ? bank->widths : 0;
}

/* An access that lies in one register, takes a part of it or all; one that covers several takes all
 * of each. */
const char *registers_complaint(const struct register_banks *banks,
                                const struct trestle_access *access)
{
    const struct register_bank *bank = bank_of(banks, access->region);
    bool found = false;
    for (uint64_t at = access->offset; at < access->offset + access->size;) {
        const struct register_slot *slot = register_at(bank, at);
        if (!slot) {
            at++;
            continue;
        }
        const struct trestle_register *reg = &slot->row->reg;
        found = true;
        if (!(reg->widths & access->size) && reg->size != access->size)
            return "not an access size of the register";
        if (slot->offset < access->offset && reg->whole)
            return "not the beginning of the register";
        if (reg->whole && slot->offset == access->offset)
            return NULL;
        at = slot->offset + reg->size;
    }
    return found || bank->region.holes == TRESTLE_HOLES_ZERO ? NULL : "no register there";
}

static void size_of(const struct trestle_model *model, uint64_t *ret_bytes, uint32_t *ret_widths)
{
    struct register_banks *shared = NULL, *banks = NULL;
    *ret_bytes = model->region_size;
    *ret_widths = model->access_sizes;
    if ((*ret_bytes && *ret_widths) || !model->regions ||
        registers_take(&shared, model, &banks, NULL) < 0)
        return;
    if (*ret_bytes == 0)
        *ret_bytes = registers_bytes(banks, 0);
    if (*ret_widths == 0)
        *ret_widths = registers_widths(banks, 0);
    registers_release(&shared, banks);
}

uint64_t trestle_model_bytes(const struct trestle_model *model)
{
    uint64_t bytes;
    uint32_t widths;
    size_of(model, &bytes, &widths);
    return bytes;
}

uint32_t trestle_model_widths(const struct trestle_model *model)
{
    uint64_t bytes;
    uint32_t widths;
    size_of(model, &bytes, &widths);
    return widths;
}

/* --- values ---------------------------------------------------------------------------------- */

void registers_reset(const struct register_banks *banks, void *state, bool at_start)
{
    for (uint32_t region = 0; banks && region < banks->count; region++) {
        const struct register_bank *bank = &banks->banks[region];
        for (size_t i = 0; i < bank->num_slots; i++) {
            const struct register_slot *slot = &bank->slots[i];
            if (at_start || !slot->row->reg.keep)
                register_store(slot, state, slot->row->reg.reset);
        }
    }
}

/* --- accesses -------------------------------------------------------------------------------- */

/* The bits of a register that an access covers. */
static uint64_t covered(const struct register_slot *slot, const struct trestle_access *access)
{
    if (slot->row->reg.whole || access->size >= slot->row->reg.size)
        return slot->row->all;
    return bits_of(access->size) << 8 * (access->offset - slot->offset);
}

static void warn(struct trestle_device *dev, const struct register_slot *slot, const char *what)
{
    char name[64];
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "%s %s ignored", what,
                       trestle_register_name(&slot->row->reg, slot->index, name, sizeof(name)));
}

static inline int read_slot(const struct register_slot *slot, struct trestle_device *dev,
                            struct trestle_request *req, const struct trestle_access *access,
                            uint64_t *ret_value)
{
    const struct register_row *row = slot->row;
    uint64_t stored = register_load(slot, dev->state), mask = covered(slot, access);
    struct trestle_register_access on = {.reg = &row->reg,
                                         .index = slot->index,
                                         .value = stored & row->readable,
                                         .old = stored,
                                         .mask = mask,
                                         .req = req,
                                         .access = access};
    if (row->reg.access == TRESTLE_RESERVED)
        warn(dev, slot, "read of reserved register");
    int r = row->reg.on_read ? row->reg.on_read(dev, &on) : 0;
    if ((row->rc | row->rs) && r == 0) {
        uint64_t left = register_load(slot, dev->state) & ~(row->rc & mask);
        register_store(slot, dev->state, left | (row->rs & mask));
    }
    *ret_value = on.value & row->all;
    return r;
}

/* What bits make of a write that are set, cleared or toggled by it. */
static uint64_t with_effects(const struct register_row *row, uint64_t old, uint64_t value,
                             uint64_t mask)
{
    uint64_t new = old & ~(value & row->w1c & mask);
    new |= value & row->w1s &mask;
    new ^= value & row->w1t &mask;
    new &= ~(~value & row->w0c & mask);
    new |= ~value & row->w0s &mask;
    new ^= ~value & row->w0t &mask;
    new &= ~(row->wc & mask);
    return new | (row->ws & mask);
}

static inline int write_slot(const struct register_slot *slot, struct trestle_device *dev,
                             struct trestle_request *req, const struct trestle_access *access,
                             uint64_t value)
{
    const struct register_row *row = slot->row;
    uint64_t old = register_load(slot, dev->state), mask = covered(slot, access);
    if (unlikely(!row->is_simple_write)) {
        if (row->reg.access == TRESTLE_RESERVED) {
            warn(dev, slot, "write to reserved register");
            return 0;
        }
        if (is_read_only(row->reg.access) && !row->reg.on_write) {
            warn(dev, slot, "write to read-only register");
            return 0;
        }
    }
    uint64_t new = (old & ~(row->plain & mask)) | (value & row->plain & mask);
    if (!row->is_simple_write)
        new = with_effects(row, new, value, mask);
    register_store(slot, dev->state, new);
    if (!row->reg.on_write)
        return 0;
    struct trestle_register_access on = {.reg = &row->reg,
                                         .index = slot->index,
                                         .value = (old & ~mask) | (value & mask),
                                         .old = old,
                                         .mask = mask,
                                         .req = req,
                                         .access = access};
    return row->reg.on_write(dev, &on);
}

static void warn_hole(struct trestle_device *dev, const struct trestle_access *access, bool write)
{
    trestle_device_log(dev, TRESTLE_LOG_WARNING,
                       "%s of %" PRIu32 " bytes at offset 0x%" PRIx64 ", where no register is: %s",
                       write ? "write" : "read", access->size, access->offset,
                       write ? "ignored" : "answered with 0");
}

/* An access of any shape: register by register, from the lowest. */
static int access_slots(const struct register_bank *bank, struct trestle_device *dev,
                        struct trestle_request *req, const struct trestle_access *access,
                        bool write, uint64_t *ref_data)
{
    uint64_t end = access->offset + access->size, data = 0;
    bool found = false;
    for (uint64_t at = access->offset; at < end;) {
        const struct register_slot *slot = register_at(bank, at);
        if (!slot) {
            at++;
            continue;
        }
        found = true;
        bool is_whole = slot->row->reg.whole;
        /* Where the register's bit 0 lies in the access: left of it, or right. */
        uint32_t left =
            slot->offset > access->offset ? 8 * (uint32_t)(slot->offset - access->offset) : 0;
        uint32_t right =
            slot->offset < access->offset ? 8 * (uint32_t)(access->offset - slot->offset) : 0;
        uint64_t value = 0;
        int r;
        if (write)
            r = write_slot(slot, dev, req, access, (*ref_data >> left) << right);
        else
            r = read_slot(slot, dev, req, access, &value);
        if (r == -EINPROGRESS && (slot->offset > access->offset ||
                                  (!is_whole && slot->offset + slot->row->reg.size < end)))
            return -EOPNOTSUPP; /* an answer that comes later is that of one register */
        if (r < 0)
            return r;
        data |= value >> right << left;
        at = is_whole ? end : slot->offset + slot->row->reg.size;
    }
    if (!found)
        warn_hole(dev, access, write);
    if (!write)
        *ref_data = data;
    return 0;
}

int registers_access_single(const struct register_slot *slot, struct trestle_device *dev,
                            struct trestle_request *req, const struct trestle_access *access,
                            bool write, uint64_t *ret_data)
{
    return write ? write_slot(slot, dev, req, access, access->data)
                 : read_slot(slot, dev, req, access, ret_data);
}

int registers_access(const struct register_banks *banks, struct trestle_device *dev,
                     struct trestle_request *req, const struct trestle_access *access, bool write,
                     uint64_t *ret_data)
{
    const struct register_bank *bank = &banks->banks[access->region];
    uint64_t data = access->data;
    int r = access_slots(bank, dev, req, access, write, &data);
    if (!write)
        *ret_data = data;
    return r;
}

/* --- what tables say ------------------------------------------------------------------------- */

static void describe(const struct register_bank *bank, const struct register_slot *slot,
                     struct trestle_register_at *ret_at)
{
    *ret_at = (struct trestle_register_at){
        .region = &bank->region,
        .reg = &slot->row->reg,
        .index = slot->index,
        .offset = slot->offset,
    };
}

bool trestle_device_register(const struct trestle_device *dev, uint32_t region, uint64_t offset,
                             struct trestle_register_at *ret_at)
{
    const struct register_bank *bank = bank_of(dev->banks, region);
    const struct register_slot *slot = bank && bank->rows ? register_at(bank, offset) : NULL;
    if (slot)
        describe(bank, slot, ret_at);
    return slot != NULL;
}

bool trestle_device_next_register(const struct trestle_device *dev, uint32_t region,
                                  struct trestle_register_at *ref_at)
{
    const struct register_bank *bank = bank_of(dev->banks, region);
    size_t next = 0;
    if (!bank || !bank->rows)
        return false;
    if (ref_at->reg) {
        const struct register_slot *slot = register_at(bank, ref_at->offset);
        next = slot ? (size_t)(slot - bank->slots) + 1 : bank->num_slots;
    }
    if (next >= bank->num_slots)
        return false;
    describe(bank, &bank->slots[next], ref_at);
    return true;
}

bool trestle_device_find_register(const struct trestle_device *dev, const char *name,
                                  uint32_t *ret_region, struct trestle_register_at *ret_at)
{
    char candidate[128];
    for (uint32_t region = 0; dev->banks && region < dev->banks->count; region++) {
        const struct register_bank *bank = &dev->banks->banks[region];
        for (size_t i = 0; i < bank->num_slots; i++) {
            const struct register_slot *slot = &bank->slots[i];
            trestle_register_name(&slot->row->reg, slot->index, candidate, sizeof(candidate));
            if (strcasecmp(candidate, name) != 0)
                continue;
            *ret_region = region;
            describe(bank, slot, ret_at);
            return true;
        }
    }
    return false;
}

bool trestle_device_stored(const struct trestle_device *dev, const struct trestle_register_at *at,
                           uint64_t *ret_value)
{
    const struct trestle_register *reg = at->reg;
    if (reg->storage_size == 0)
        return false;
    const struct register_slot slot = {.row = container_of(reg, struct register_row, reg),
                                       .storage = reg->storage + at->index * reg->storage_stride};
    *ret_value = register_load(&slot, dev->state);
    return true;
}
