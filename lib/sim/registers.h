/* SPDX-License-Identifier: MIT */
/* How tables of registers answer accesses. */
#ifndef TRESTLE_SIM_REGISTERS_H
#define TRESTLE_SIM_REGISTERS_H

#include <string.h>

#include "base/macros.h"
#include "trestle/registers.h"

#define PAGE_BYTES UINT64_C(4096)

/* A row in this library's size, and what its fields come to. */
struct register_row {
    struct trestle_register reg;
    uint64_t all; /* its bits */
    uint64_t readable, plain, w1c, w1s, w1t, w0c, w0s, w0t, wc, ws, rc, rs;
    bool is_simple_write; /* writes store plain bits, or nothing, and call on_write if there is one
                           */
};

/* One register. */
struct register_slot {
    const struct register_row *row;
    uint64_t offset;
    uint32_t index;
    uint32_t storage;
    uint16_t singles;    /* bit n: an access of n bytes at its offset is of this register alone */
    uint8_t load, store; /* the one of those that is a load, or a store, and nothing else; or 0 */
};

/* Which register covers a byte: its slot + 1, or 0. */
struct register_page {
    uint32_t slots[PAGE_BYTES];
};

struct register_bank {
    struct trestle_region region;
    uint32_t widths;
    uint64_t bytes, paged; /* of the region, and of those that have pages: all or none */
    struct register_row *rows;
    struct register_slot *slots;
    size_t num_rows, num_slots;
    struct register_page **pages;
    size_t num_pages;
};

/* The tables of a model, made ready for lookups. Devices of one model share them: a thousand
 * devices that are accessed in turn would else each bring their own into the caches. */
struct register_banks {
    uint32_t num_users;
    struct register_banks *next;
    /* What they were made of. */
    const struct trestle_region *const *regions;
    size_t state_size;
    uint32_t access_sizes;

    uint32_t count;
    struct register_bank banks[TRESTLE_REGIONS_MAX];
};

/* --- register_table.c ---------------------------------------------------------------------- */

/* Checks the tables of a model and makes them ready, or takes those of `ref_shared` that are of
 * the same. Without tables *ret_banks is NULL. -EINVAL with a sentence that names the row.
 * -ENOMEM. */
TRESTLE_CHECK int registers_take(struct register_banks **ref_shared,
                                 const struct trestle_model *model,
                                 struct register_banks **ret_banks, char **ret_error);
void registers_release(struct register_banks **ref_shared, struct register_banks *banks);

/* --- registers.c ----------------------------------------------------------------------------- */

/* Stores what registers hold after a reset. `at_start`: also in those that a reset leaves. */
void registers_reset(const struct register_banks *banks, void *state, bool at_start);
/* True: the region has a table, and accesses to it are for registers_access(). */
bool registers_have(const struct register_banks *banks, uint32_t region);
/* The region is plain memory. */
bool registers_are_memory(const struct register_banks *banks, uint32_t region);
/* Bytes of a region, 0: there is none; and the OR of its widths. */
uint64_t registers_bytes(const struct register_banks *banks, uint32_t region);
uint32_t registers_widths(const struct register_banks *banks, uint32_t region);
/* Why no register takes this access, or NULL. */
const char *registers_complaint(const struct register_banks *banks,
                                const struct trestle_access *access);

static inline bool register_is_width(uint32_t bytes)
{
    return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

static inline uint64_t register_bits(uint32_t bytes)
{
    return UINT64_MAX >> (64 - 8 * bytes);
}

static inline bool rights_only_read(enum trestle_rights rights)
{
    return rights == TRESTLE_RO || rights == TRESTLE_RC || rights == TRESTLE_RS;
}

static inline const struct register_bank *register_bank(const struct register_banks *banks,
                                                        uint32_t region)
{
    return banks && region < banks->count ? &banks->banks[region] : NULL;
}

/* --- the way of an access to a plain row: a lookup, and a load or a store --- */

static inline const struct register_slot *register_at(const struct register_bank *bank,
                                                      uint64_t offset)
{
    const struct register_page *page =
        offset < bank->paged ? bank->pages[offset / PAGE_BYTES] : NULL;
    uint32_t number = page ? page->slots[offset % PAGE_BYTES] : 0;
    return number ? &bank->slots[number - 1] : NULL;
}

static inline uint64_t register_load_bytes(const struct register_slot *slot, const void *state,
                                           uint32_t bytes)
{
    const char *at = (const char *)state + slot->storage;
    switch (bytes) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)(const void *)at;
    case 4:
        return *(const uint32_t *)(const void *)at;
    case 8: {
        uint64_t value;
        memcpy(&value, at, sizeof(value));
        return value;
    }
    default:
        return 0;
    }
}

static inline uint64_t register_load(const struct register_slot *slot, const void *state)
{
    return register_load_bytes(slot, state, slot->row->reg.storage_size);
}

static inline void register_store_bytes(const struct register_slot *slot, void *state,
                                        uint32_t bytes, uint64_t value)
{
    char *at = (char *)state + slot->storage;
    switch (bytes) {
    case 1:
        *(uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)(void *)at = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)(void *)at = (uint32_t)value;
        break;
    case 8:
        memcpy(at, &value, sizeof(value));
        break;
    }
}

static inline void register_store(const struct register_slot *slot, void *state, uint64_t value)
{
    register_store_bytes(slot, state, slot->row->reg.storage_size, value);
}

/* The register that begins where the access does, or NULL. */
static inline const struct register_slot *registers_from(const struct register_banks *banks,
                                                         const struct trestle_access *access)
{
    const struct register_slot *slot =
        banks && access->region == 0 ? register_at(&banks->banks[0], access->offset) : NULL;
    return slot && slot->offset == access->offset ? slot : NULL;
}

/* True: the access is of that register alone, and nothing is to be said against it. */
static inline bool register_is_single(const struct register_slot *slot,
                                      const struct trestle_access *access)
{
    return access->size <= 8 && (slot->singles >> access->size & 1);
}

/* True: the register is plain, the access as wide as it, and done. */
static inline bool registers_try_plain(const struct register_slot *slot, void *state,
                                       const struct trestle_access *access, bool write,
                                       uint64_t *ret_data)
{
    uint32_t bytes = access->size;
    if (bytes == 0 || bytes != (write ? slot->store : slot->load))
        return false;
    uint64_t old = register_load_bytes(slot, state, bytes), plain;
    *ret_data = old;
    if (write) {
        plain = slot->row->plain;
        register_store_bytes(slot, state, bytes, (old & ~plain) | (access->data & plain));
        *ret_data = 0;
    }
    return true;
}

/* --- the way of an access to one register of any kind --- */

/* One line to the log, with the register's name. */
void registers_warn(struct trestle_device *dev, const struct register_slot *slot, const char *what);
/* What bits make of a write that are set, cleared or toggled by it. */
uint64_t registers_with_effects(const struct register_row *row, uint64_t old, uint64_t value,
                                uint64_t mask);

/* The bits of a register that an access covers. */
static inline uint64_t register_covered(const struct register_slot *slot,
                                        const struct trestle_access *access)
{
    if (slot->row->reg.whole || access->size >= slot->row->reg.size)
        return slot->row->all;
    return register_bits(access->size) << 8 * (access->offset - slot->offset);
}

/* Both give 0, -EINPROGRESS, or a negative errno. */
static inline int register_read(const struct register_slot *slot, struct trestle_device *dev,
                                struct trestle_request *req, const struct trestle_access *access,
                                uint64_t *ret_value)
{
    const struct register_row *row = slot->row;
    void *state = trestle_device_state(dev);
    uint64_t stored = register_load(slot, state), mask = register_covered(slot, access);
    struct trestle_register_access on = {.reg = &row->reg,
                                         .index = slot->index,
                                         .value = stored & row->readable,
                                         .old = stored,
                                         .mask = mask,
                                         .req = req,
                                         .access = access};
    if (unlikely(row->reg.access == TRESTLE_RESERVED))
        registers_warn(dev, slot, "read of reserved register");
    int r = row->reg.on_read ? row->reg.on_read(dev, &on) : 0;
    if ((row->rc | row->rs) && r == 0) {
        uint64_t left = register_load(slot, state) & ~(row->rc & mask);
        register_store(slot, state, left | (row->rs & mask));
    }
    *ret_value = on.value & row->all;
    return r;
}

static inline int register_write(const struct register_slot *slot, struct trestle_device *dev,
                                 struct trestle_request *req, const struct trestle_access *access,
                                 uint64_t value)
{
    const struct register_row *row = slot->row;
    void *state = trestle_device_state(dev);
    bool is_stored = row->reg.storage_size > 0;
    uint64_t old = is_stored ? register_load(slot, state) : 0;
    uint64_t mask = register_covered(slot, access);
    if (unlikely(!row->is_simple_write)) {
        if (row->reg.access == TRESTLE_RESERVED) {
            registers_warn(dev, slot, "write to reserved register");
            return 0;
        }
        if (rights_only_read(row->reg.access) && !row->reg.on_write) {
            registers_warn(dev, slot, "write to read-only register");
            return 0;
        }
    }
    if (is_stored) {
        uint64_t new = (old & ~(row->plain & mask)) | (value & row->plain & mask);
        if (!row->is_simple_write)
            new = registers_with_effects(row, new, value, mask);
        register_store(slot, state, new);
    }
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

/* --- the way of all others --- */

/* Performs an access that nothing was to be said against. 0, -EINPROGRESS, or a negative errno. */
int registers_access(const struct register_banks *banks, struct trestle_device *dev,
                     struct trestle_request *req, const struct trestle_access *access, bool write,
                     uint64_t *ret_data);

#endif
