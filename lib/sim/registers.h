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
    /* An access of its own width is a load, or a store, and nothing else. */
    bool is_load, is_store;
    bool is_simple_write; /* writes store plain bits, or nothing, and call on_write if there is one
                           */
    uint32_t singles;     /* widths of accesses at its beginning that are of this register alone */
};

/* One register. */
struct register_slot {
    const struct register_row *row;
    uint64_t offset;
    uint32_t index;
    uint32_t storage;
};

/* Which register covers a byte: its slot + 1, or 0. */
struct register_page {
    uint32_t slots[PAGE_BYTES];
};

struct register_bank {
    struct trestle_region region;
    uint32_t widths;
    uint64_t bytes;
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
        offset < bank->bytes ? bank->pages[offset / PAGE_BYTES] : NULL;
    uint32_t number = page ? page->slots[offset % PAGE_BYTES] : 0;
    return number ? &bank->slots[number - 1] : NULL;
}

static inline uint64_t register_load(const struct register_slot *slot, const void *state)
{
    const char *at = (const char *)state + slot->storage;
    switch (slot->row->reg.storage_size) {
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

static inline void register_store(const struct register_slot *slot, void *state, uint64_t value)
{
    char *at = (char *)state + slot->storage;
    switch (slot->row->reg.storage_size) {
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

/* The one register that an access is of, against which nothing is to be said; NULL: look closer. */
static inline const struct register_slot *registers_single(const struct register_banks *banks,
                                                           const struct trestle_access *access)
{
    const struct register_bank *bank = &banks->banks[0];
    const struct register_slot *slot =
        access->region == 0 && bank->rows ? register_at(bank, access->offset) : NULL;
    bool is_aligned = (access->offset & (access->size - 1)) == 0;
    return slot && slot->offset == access->offset && (slot->row->singles & access->size) &&
                   is_aligned && (access->size & (access->size - 1)) == 0
               ? slot
               : NULL;
}

/* True: the register is plain, the access as wide as it, and done. */
static inline bool registers_try_plain(const struct register_slot *slot, void *state,
                                       const struct trestle_access *access, bool write,
                                       uint64_t *ret_data)
{
    const struct register_row *row = slot->row;
    if (!(write ? row->is_store : row->is_load) || row->reg.size != access->size)
        return false;
    uint64_t old = register_load(slot, state);
    if (write)
        register_store(slot, state, (old & ~row->plain) | (access->data & row->plain));
    else
        *ret_data = old;
    return true;
}

/* Performs an access of registers_single(). 0, -EINPROGRESS, or a negative errno. */
int registers_access_single(const struct register_slot *slot, struct trestle_device *dev,
                            struct trestle_request *req, const struct trestle_access *access,
                            bool write, uint64_t *ret_data);
/* Performs an access that nothing was to be said against. 0, -EINPROGRESS, or a negative errno. */
int registers_access(const struct register_banks *banks, struct trestle_device *dev,
                     struct trestle_request *req, const struct trestle_access *access, bool write,
                     uint64_t *ret_data);

#endif
