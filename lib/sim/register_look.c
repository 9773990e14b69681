/* SPDX-License-Identifier: MIT */
/* What a device's tables say to those who ask: which register is where, what it holds, what an
 * access did to it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "lookup.h"
#include "registers.h"

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
    const struct register_bank *bank = register_bank(dev->banks, region);
    const struct register_slot *slot = bank && bank->rows ? register_at(bank, offset) : NULL;
    if (slot)
        describe(bank, slot, ret_at);
    return slot != NULL;
}

bool trestle_device_next_register(const struct trestle_device *dev, uint32_t region,
                                  struct trestle_register_at *ref_at)
{
    const struct register_bank *bank = register_bank(dev->banks, region);
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
    *ret_value = register_load(&slot, dev->facts.state);
    return true;
}

/* A narrow access shows its bytes where they lie in the register, a wide one the first register
 * that it covers and an ellipsis for the others. */
char *trestle_device_access_text(const struct trestle_device *dev,
                                 const struct trestle_request *req, char *buf, size_t size)
{
    const struct trestle_access *access = &req->access;
    struct trestle_register_at at;
    char name[80], value[160];
    buf[0] = '\0';
    if (!trestle_device_register(dev, access->region, access->offset, &at))
        return buf;
    uint64_t data = req->write ? access->data : req->ret_data;
    bool is_part = access->size < at.reg->size && !at.reg->whole;
    bool is_more = access->size > at.reg->size && !at.reg->whole;
    if (is_part)
        data <<= 8 * (access->offset - at.offset);
    if (is_more)
        data &= UINT64_MAX >> (64 - 8 * at.reg->size);
    trestle_register_name(at.reg, at.index, name, sizeof(name));
    if (req->status < 0)
        snprintf(buf, size, "%s %s refused", name, req->write ? "<-" : "->");
    else
        snprintf(
            buf, size, "%s%s %s %s%s", name, is_part ? " (part)" : "", req->write ? "<-" : "->",
            trestle_register_format(at.reg, data, value, sizeof(value)), is_more ? " ..." : "");
    return buf;
}
