/* SPDX-License-Identifier: MIT */
/*
 * trestle/peer.h: the messages of the bundled models over a port named "peer".
 *
 * One message is 16 bytes, little-endian:
 *   u8 type (1 request, 2 reply)   u8 reserved[3] (0)   u32 tag   u64 data
 * A request asks the peer for its data: echo answers with DATA_OUT, compute with RESULT. The
 * reply carries the tag of the request, so that the asker recognises an answer to an older
 * question. data of a request is the value that the guest wrote to ask; the bundled models ignore
 * it. You can link a model that uses these messages to them.
 */
#ifndef TRESTLE_PEER_H
#define TRESTLE_PEER_H

#include "trestle/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRESTLE_PEER_SIZE 16
#define TRESTLE_PEER_REQUEST 1
#define TRESTLE_PEER_REPLY 2

struct trestle_peer {
    uint8_t type;
    uint32_t tag;
    uint64_t data;
};

static inline void trestle_peer_encode(uint8_t buf[TRESTLE_PEER_SIZE],
                                       const struct trestle_peer *peer)
{
    buf[0] = peer->type;
    buf[1] = buf[2] = buf[3] = 0;
    for (unsigned i = 0; i < 4; i++)
        buf[4 + i] = (uint8_t)(peer->tag >> 8 * i);
    for (unsigned i = 0; i < 8; i++)
        buf[8 + i] = (uint8_t)(peer->data >> 8 * i);
}

/* False: not such a message. */
static inline bool trestle_peer_decode(const void *message, size_t size,
                                       struct trestle_peer *ret_peer)
{
    const uint8_t *buf = (const uint8_t *)message;
    if (size != TRESTLE_PEER_SIZE || buf[0] < TRESTLE_PEER_REQUEST || buf[0] > TRESTLE_PEER_REPLY)
        return false;
    ret_peer->type = buf[0];
    ret_peer->tag = 0;
    ret_peer->data = 0;
    for (unsigned i = 0; i < 4; i++)
        ret_peer->tag |= (uint32_t)buf[4 + i] << 8 * i;
    for (unsigned i = 0; i < 8; i++)
        ret_peer->data |= (uint64_t)buf[8 + i] << 8 * i;
    return true;
}

#ifdef __cplusplus
}
#endif
#endif
