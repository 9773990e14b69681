/* SPDX-License-Identifier: MIT */
/* Tables of registers: checked once, and made ready for lookups in constant time. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lookup.h"
#include "registers.h"

/* Registers of one region, those of arrays each for itself. More is a mistake in a table. */
#define SLOTS_MAX (UINT32_C(1) << 20)
#define BYTES_MAX (UINT64_C(1) << 32)

/* --- from a table to a bank ------------------------------------------------------------------ */

/* One element of an array whose elements may be smaller or larger than ours. */
static void import_element(void *ours, size_t our_size, const void *theirs, size_t their_size)
{
    memset(ours, 0, our_size);
    memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
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
                             ") is not a run of bits within its %" PRIu32 " bytes",
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

static const char *row_complaint(const struct trestle_model *model,
                                 const struct trestle_region *region,
                                 const struct register_row *row)
{
    const struct trestle_register *reg = &row->reg;
    bool reads = reg->access != TRESTLE_WO && reg->access != TRESTLE_TRIGGER &&
                 reg->access != TRESTLE_RESERVED;
    bool writes = !rights_only_read(reg->access) && reg->access != TRESTLE_RESERVED;
    uint64_t span = reg->storage_stride ? reg->storage_stride : reg->storage_size;
    uint64_t elements = reg->count ? reg->count : 1;
    if (!reg->name || !*reg->name)
        return "it has no name";
    if (!register_is_width(reg->size))
        return "its size is not 1, 2, 4 or 8";
    if (reg->offset % reg->size)
        return "its offset is not a multiple of its size";
    if (reg->stride % reg->size)
        return "its stride is not a multiple of its size";
    if (reg->widths & ~15u)
        return "its widths are not an OR of 1, 2, 4, 8";
    if (reg->access > TRESTLE_RESERVED)
        return "its rights are unknown";
    if ((reg->reset | reg->mask) & ~row->all)
        return "its reset value or its mask is wider than the register";
    if (reg->storage_size && !register_is_width(reg->storage_size))
        return "its storage does not have 1, 2, 4 or 8 bytes";
    if (reg->storage_size > reg->size)
        return "its storage is wider than the register";
    if (reg->storage_size &&
        (elements - 1) * span + reg->storage_size + reg->storage > model->state_size)
        return "its storage lies beyond the model's state_size";
    if (region->names_only)
        return reg->storage_size ? "it has storage, but its table has only names" : NULL;
    if (!reg->storage_size && reads && !reg->on_read)
        return "nothing says what a read returns: it has no storage and no on_read";
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
    row->all = register_is_width(reg->size) ? register_bits(reg->size) : 0;
    const char *why = row_complaint(model, region, row);
    if (why)
        return fail_row(ret_error, reg, why);
    int r = import_fields(row, region->field_size, ret_error);
    /* Fields of another version still act, but have no names. */
    if (region->field_size != sizeof(struct trestle_field) ||
        region->value_size != sizeof(struct trestle_value))
        reg->fields = NULL;
    bool writes_do_more =
        row->w1c || row->w1s || row->w1t || row->w0c || row->w0s || row->w0t || row->wc || row->ws;
    row->is_simple_write =
        !writes_do_more && !rights_only_read(reg->access) && reg->access != TRESTLE_RESERVED;
    return r;
}

static int cover(struct register_bank *bank, uint32_t number, char **ret_error)
{
    const struct register_slot *slot = &bank->slots[number - 1];
    for (uint64_t at = slot->offset; at < slot->offset + slot->row->reg.size; at++) {
        struct register_page **page = &bank->pages[at / PAGE_BYTES];
        if (!*page && !(*page = calloc(1, sizeof(**page))))
            return error_no_memory(ret_error);
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
    bank->paged = bank->bytes;
    bank->num_pages = (size_t)((bank->paged + PAGE_BYTES - 1) / PAGE_BYTES);
    bank->slots = calloc(bank->num_slots, sizeof(*bank->slots));
    bank->pages = calloc(bank->num_pages, sizeof(struct register_page *));
    if (!bank->slots || !bank->pages)
        return error_no_memory(ret_error);
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

/* `widths`: those that the device takes. */
static void find_shortcuts(struct register_slot *slot, uint32_t widths)
{
    const struct register_row *row = slot->row;
    const struct trestle_register *reg = &row->reg;
    uint64_t aligned = slot->offset ? 2 * (slot->offset & -slot->offset) - 1 : UINT64_MAX;
    bool is_stored = reg->storage_size == reg->size;
    bool is_load = is_stored && !reg->on_read && !row->rc && !row->rs && row->readable == row->all;
    bool is_store =
        is_stored && !reg->on_write && row->is_simple_write && reg->access == TRESTLE_RW;
    uint64_t singles = (reg->whole ? reg->widths | reg->size : reg->size) & widths & aligned;
    for (unsigned bytes = 1; bytes <= 8; bytes *= 2)
        if (singles & bytes)
            slot->singles = (uint16_t)(slot->singles | 1u << bytes);
    slot->load = is_load ? (uint8_t)(reg->size & singles) : 0;
    slot->store = is_store ? (uint8_t)(reg->size & singles) : 0;
}

static int create_bank(const struct trestle_model *model, const struct trestle_region *theirs,
                       struct register_bank *bank, char **ret_error)
{
    if (theirs->size < offsetof(struct trestle_region, name) || theirs->size > 4096)
        return error_set(ret_error, -EINVAL, "a region's size is %zu; set it with TRESTLE_REGION()",
                         theirs->size);
    import_element(&bank->region, sizeof(bank->region), theirs, theirs->size);
    const struct trestle_region *region = &bank->region;
    if (region->widths & ~15u)
        return error_set(ret_error, -EINVAL, "a region's widths are not an OR of 1, 2, 4, 8");
    if (region->is_memory && region->registers && !region->names_only)
        return error_set(ret_error, -EINVAL,
                         "a region that is memory has registers; set names_only");
    if (!region->registers) {
        bank->bytes = region->bytes;
        bank->widths = region->widths ? region->widths : region->is_memory ? 15 : 4;
        return bank->bytes
                   ? 0
                   : error_set(ret_error, -EINVAL, "a region without registers must say its bytes");
    }
    if (region->num_registers == 0 || region->num_registers > SLOTS_MAX)
        return error_set(ret_error, -EINVAL, "a region has %zu registers", region->num_registers);
    bank->num_rows = region->num_registers;
    bank->rows = calloc(bank->num_rows, sizeof(*bank->rows));
    if (!bank->rows)
        return error_no_memory(ret_error);
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
    for (size_t i = 0; r == 0 && i < bank->num_slots && !region->names_only; i++)
        find_shortcuts(&bank->slots[i], widths);
    return r;
}

static void banks_free(struct register_banks *banks)
{
    for (uint32_t i = 0; i < TRESTLE_REGIONS_MAX; i++) {
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
        return error_no_memory(ret_error);
    banks->regions = model->regions;
    banks->state_size = model->state_size;
    banks->access_sizes = model->access_sizes;
    int r = 0;
    for (; r == 0 && model->regions[banks->count]; banks->count++) {
        if (banks->count == TRESTLE_REGIONS_MAX)
            r = error_set(ret_error, -EINVAL, "more than %d regions", TRESTLE_REGIONS_MAX);
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

uint64_t trestle_model_region_bytes(const struct trestle_model *model, uint32_t region)
{
    struct register_banks *shared = NULL, *banks = NULL;
    if (region == 0)
        return trestle_model_bytes(model);
    if (!model->regions || registers_take(&shared, model, &banks, NULL) < 0)
        return 0;
    uint64_t bytes = registers_bytes(banks, region);
    registers_release(&shared, banks);
    return bytes;
}

bool trestle_model_region_is_memory(const struct trestle_model *model, uint32_t region)
{
    struct register_banks *shared = NULL, *banks = NULL;
    if (!model->regions || registers_take(&shared, model, &banks, NULL) < 0)
        return false;
    bool is_memory = registers_are_memory(banks, region);
    registers_release(&shared, banks);
    return is_memory;
}

uint32_t trestle_model_widths(const struct trestle_model *model)
{
    uint64_t bytes;
    uint32_t widths;
    size_of(model, &bytes, &widths);
    return widths;
}
