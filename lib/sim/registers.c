/* SPDX-License-Identifier: MIT */
/* Registers: which one an access is of, and the answers that they give. */
#include "registers.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "device.h"
#include "lookup.h"

/* --- lookup ---------------------------------------------------------------------------------- */

bool registers_have(const struct register_banks *banks, uint32_t region)
{
    const struct register_bank *bank = register_bank(banks, region);
    return bank && bank->rows && !bank->region.names_only;
}

bool registers_are_memory(const struct register_banks *banks, uint32_t region)
{
    const struct register_bank *bank = register_bank(banks, region);
    return bank && bank->region.is_memory;
}

uint64_t registers_bytes(const struct register_banks *banks, uint32_t region)
{
    const struct register_bank *bank = register_bank(banks, region);
    return bank ? bank->bytes : 0;
}

uint32_t registers_widths(const struct register_banks *banks, uint32_t region)
{
    const struct register_bank *bank = register_bank(banks, region);
    return bank ? bank->widths : 0;
}

/* An access that lies in one register, takes a part of it or all; one that covers several takes all
 * of each. */
const char *registers_complaint(const struct register_banks *banks,
                                const struct trestle_access *access)
{
    const struct register_bank *bank = register_bank(banks, access->region);
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
            return "the register has no accesses of this size";
        if (slot->offset < access->offset && reg->whole)
            return "not the first byte of the register";
        if (reg->whole && slot->offset == access->offset)
            return NULL;
        at = slot->offset + reg->size;
    }
    return found || bank->region.holes == TRESTLE_HOLES_ZERO ? NULL : "no register there";
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

cold void registers_warn(struct trestle_device *dev, const struct register_slot *slot,
                         const char *what)
{
    char name[64];
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "%s %s ignored", what,
                       trestle_register_name(&slot->row->reg, slot->index, name, sizeof(name)));
}

uint64_t registers_with_effects(const struct register_row *row, uint64_t old, uint64_t value,
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

static void warn_hole(struct trestle_device *dev, const struct trestle_access *access, bool write)
{
    trestle_device_log(dev, TRESTLE_LOG_WARNING,
                       "%s of %" PRIu32 " bytes at offset 0x%" PRIx64
                       ", where there is no register: %s",
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
            r = register_write(slot, dev, req, access, (*ref_data >> left) << right);
        else
            r = register_read(slot, dev, req, access, &value);
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
