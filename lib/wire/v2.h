/* SPDX-License-Identifier: MIT */
/* The codec of version 2 as inlines, for the two places where an access passes: the plugin's
 * callback and the bridge's ring. trestle/wire.h has the same for everybody else. */
#ifndef TRESTLE_WIRE_V2_H
#define TRESTLE_WIRE_V2_H

#include "base/le.h"
#include "trestle/wire.h"

/* All but seq, the first 8 bytes, which a ring writes last. */
static inline void v2_encode_body(uint8_t *buf, const struct trestle_v2_message *m)
{
    buf[8] = m->type;
    buf[9] = m->flags;
    buf[10] = m->size;
    buf[11] = m->status;
    put_le32(buf + 12, m->device);
    put_le64(buf + 16, m->id);
    put_le64(buf + 24, m->addr);
    put_le64(buf + 32, m->data);
    put_le64(buf + 40, m->time);
    put_le64(buf + 48, m->next);
    put_le64(buf + 56, m->extra);
}

static inline void v2_decode(const uint8_t *buf, struct trestle_v2_message *m)
{
    m->seq = get_le64(buf);
    m->type = buf[8];
    m->flags = buf[9];
    m->size = buf[10];
    m->status = buf[11];
    m->device = get_le32(buf + 12);
    m->id = get_le64(buf + 16);
    m->addr = get_le64(buf + 24);
    m->data = get_le64(buf + 32);
    m->time = get_le64(buf + 40);
    m->next = get_le64(buf + 48);
    m->extra = get_le64(buf + 56);
}

static inline bool v2_request_is_valid(const struct trestle_v2_message *m)
{
    bool is_width = m->size == 1 || m->size == 2 || m->size == 4 || m->size == 8;
    switch (m->type) {
    case TRESTLE_V2_READ:
        return is_width && m->flags == 0;
    case TRESTLE_V2_WRITE:
        return is_width && (m->flags & ~TRESTLE_V2_FLAG_POSTED) == 0;
    case TRESTLE_V2_ADVANCE:
    case TRESTLE_V2_RESET:
    case TRESTLE_V2_FLUSH:
    case TRESTLE_V2_DMA_DONE:
    case TRESTLE_V2_GOODBYE:
        return m->flags == 0;
    case TRESTLE_V2_RAM:
        return m->flags == 0 && m->data > 0 && m->data - 1 <= UINT64_MAX - m->addr &&
               m->data <= INT64_MAX && m->extra <= INT64_MAX - m->data;
    default:
        return false;
    }
}

static inline bool v2_event_is_valid(const struct trestle_v2_message *m)
{
    switch (m->type) {
    case TRESTLE_V2_REPLY:
        return m->flags == 0;
    case TRESTLE_V2_IRQ:
        return m->flags == 0 && m->addr < 32 && m->data <= 1;
    case TRESTLE_V2_DMA_READ:
    case TRESTLE_V2_DMA_WRITE:
    case TRESTLE_V2_DMA_WRITTEN:
        return m->flags == 0 && m->data > 0 && m->data <= TRESTLE_V2_DMA_MAX;
    default:
        return false;
    }
}

#endif
