/* SPDX-License-Identifier: MIT */
/*
 * trestle/wire.h: the bytes on a device's socket. Pure functions over byte buffers.
 *
 * Version 1 is the older QEMU-SST protocol, byte for byte: little-endian, packed, one request
 * in flight per socket, and an answer to each read and write. Version 2 is Trestle's own: a
 * handshake, then messages of 64 bytes, on the socket itself or in rings of shared memory. Each
 * listener speaks both versions. docs/protocol.md is the normative text.
 */
#ifndef TRESTLE_WIRE_H
#define TRESTLE_WIRE_H

#include <errno.h>
#include <string.h>

#include "trestle/le.h"
#include "trestle/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether an access can have this width, in bytes. */
static inline bool trestle_is_width(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

#define TRESTLE_V1_REQUEST_SIZE 20
#define TRESTLE_V1_RESPONSE_SIZE 16

#define TRESTLE_V1_READ 0
#define TRESTLE_V1_WRITE 1

struct trestle_v1_request {
    uint8_t type;  /* TRESTLE_V1_READ, TRESTLE_V1_WRITE */
    uint8_t size;  /* bytes: 1, 2, 4, 8 */
    uint64_t addr; /* guest-physical: base of the device plus offset */
    uint64_t data; /* little-endian value; 0 for a read */
};

struct trestle_v1_response {
    bool success;
    uint64_t data;
};

static inline void trestle_v1_encode_request(uint8_t buf[TRESTLE_V1_REQUEST_SIZE],
                                             const struct trestle_v1_request *request)
{
    buf[0] = request->type;
    buf[1] = request->size;
    buf[2] = buf[3] = 0;
    trestle_put_le64(buf + 4, request->addr);
    trestle_put_le64(buf + 12, request->data);
}

/* A decoder always fills its result, even when it returns an error. -EINVAL: type or size is not
 * one of the above. The frame is then still whole: answer it with success = 0. The decoder ignores
 * the reserved field, since older clients send padding there. */
TRESTLE_CHECK static inline int
trestle_v1_decode_request(const uint8_t buf[TRESTLE_V1_REQUEST_SIZE],
                          struct trestle_v1_request *ret_request)
{
    ret_request->type = buf[0];
    ret_request->size = buf[1];
    ret_request->addr = trestle_get_le64(buf + 4);
    ret_request->data = trestle_get_le64(buf + 12);
    return buf[0] <= TRESTLE_V1_WRITE && trestle_is_width(buf[1]) ? 0 : -EINVAL;
}

static inline void trestle_v1_encode_response(uint8_t buf[TRESTLE_V1_RESPONSE_SIZE],
                                              const struct trestle_v1_response *response)
{
    memset(buf, 0, 8);
    buf[0] = response->success;
    trestle_put_le64(buf + 8, response->data);
}

/* -EINVAL: success is neither 0 nor 1. The decoder ignores the reserved bytes. */
TRESTLE_CHECK static inline int
trestle_v1_decode_response(const uint8_t buf[TRESTLE_V1_RESPONSE_SIZE],
                           struct trestle_v1_response *ret_response)
{
    ret_response->success = buf[0];
    ret_response->data = trestle_get_le64(buf + 8);
    return buf[0] > 1 ? -EINVAL : 0;
}

/* --- version 2: handshake ------------------------------------------------------------------- */

#define TRESTLE_V2_VERSION 2
#define TRESTLE_V2_MESSAGE_SIZE 64 /* of every message, handshake included */
#define TRESTLE_V2_MAGIC "TRESTLE2"
#define TRESTLE_V2_MAGIC_SIZE 8
#define TRESTLE_V2_ID_SIZE 16
#define TRESTLE_V2_ID_UNASKED 0 /* the id of a REPLY to no request; no request has it */

/* Features. Those that both sides have are in force. */
enum {
    TRESTLE_V2_FEATURE_SHM = 1 << 0,    /* messages go through rings of shared memory */
    TRESTLE_V2_FEATURE_POSTED = 1 << 1, /* writes may be posted */
    TRESTLE_V2_FEATURE_TIME = 1 << 2,   /* times have a meaning, the client sends ADVANCE */
    TRESTLE_V2_FEATURE_IRQ = 1 << 3,
    TRESTLE_V2_FEATURE_DMA = 1 << 4,
    TRESTLE_V2_FEATURE_RAM = 1 << 5,          /* the client shares guest RAM; only with DMA */
    TRESTLE_V2_FEATURE_NOTE = 1 << 6,         /* the client sends NOTE */
    TRESTLE_V2_FEATURE_RESET_DEVICE = 1 << 7, /* the client sends RESET_DEVICE */
    TRESTLE_V2_FEATURE_REGIONS = 1 << 8,      /* accesses name their region */
    TRESTLE_V2_FEATURE_MEMORY = 1 << 9,       /* the client sends MEMORY */
    TRESTLE_V2_FEATURE_BUS = 1 << 10,         /* the client sends BUS; only with RAM */
};

enum trestle_v2_status {
    TRESTLE_V2_OK = 0,
    TRESTLE_V2_MALFORMED = 1,   /* a field has a value that it cannot have */
    TRESTLE_V2_WIDTH = 2,       /* the device does not have this width or alignment */
    TRESTLE_V2_RANGE = 3,       /* outside the device's registers */
    TRESTLE_V2_REFUSED = 4,     /* the model answers this access with a bus error */
    TRESTLE_V2_CANCELLED = 5,   /* a reset ended the request */
    TRESTLE_V2_NO_DEVICE = 6,   /* no such device, or not connected */
    TRESTLE_V2_BAD_VERSION = 7, /* handshake: no version in common */
    TRESTLE_V2_GEOMETRY = 8,    /* handshake: base or size differ from the device's */
    TRESTLE_V2_BUSY = 9,        /* handshake: another client has the session */
    TRESTLE_V2_NOT_RAM = 10,    /* DMA: the addresses are not guest RAM; RAM: unusable file */
    TRESTLE_V2_NO_MEMORY = 11,
};

/* Client to server, the first 64 bytes of a connection. */
struct trestle_v2_hello {
    uint16_t version_min, version_max;
    uint32_t features;
    uint8_t client_id[TRESTLE_V2_ID_SIZE]; /* random; the same on all sockets of a session */
    uint64_t base_addr, size;              /* of the device that the client means */
    uint32_t irq_lines;                    /* lines that the client has connected */
    uint32_t more_regions;                 /* regions of the client besides the first */
    trestle_time time;                     /* guest virtual time */
};

/* The answer. Unless status is TRESTLE_V2_OK, the server then closes the connection. */
struct trestle_v2_welcome {
    uint16_t version;
    uint8_t status;
    uint32_t features;
    uint8_t session_id[TRESTLE_V2_ID_SIZE]; /* the same on all sockets of a session */
    uint32_t device;                        /* what messages call this device */
    uint32_t irq_lines;                     /* lines that the model has */
    uint64_t size;
    trestle_time time; /* of the engine */
    trestle_time next; /* as in a reply */
};

static inline bool trestle_v2_is_hello(const uint8_t buf[TRESTLE_V2_MAGIC_SIZE])
{
    return memcmp(buf, TRESTLE_V2_MAGIC, TRESTLE_V2_MAGIC_SIZE) == 0;
}

static inline void trestle_v2_encode_hello(uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                                           const struct trestle_v2_hello *hello)
{
    memcpy(buf, TRESTLE_V2_MAGIC, TRESTLE_V2_MAGIC_SIZE);
    trestle_put_le16(buf + 8, hello->version_min);
    trestle_put_le16(buf + 10, hello->version_max);
    trestle_put_le32(buf + 12, hello->features);
    memcpy(buf + 16, hello->client_id, TRESTLE_V2_ID_SIZE);
    trestle_put_le64(buf + 32, hello->base_addr);
    trestle_put_le64(buf + 40, hello->size);
    trestle_put_le32(buf + 48, hello->irq_lines);
    trestle_put_le32(buf + 52, hello->more_regions);
    trestle_put_le64(buf + 56, hello->time);
}

/* -EPROTO: wrong magic. -EINVAL: version_min above version_max. */
TRESTLE_CHECK static inline int trestle_v2_decode_hello(const uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                                                        struct trestle_v2_hello *ret_hello)
{
    ret_hello->version_min = trestle_get_le16(buf + 8);
    ret_hello->version_max = trestle_get_le16(buf + 10);
    ret_hello->features = trestle_get_le32(buf + 12);
    memcpy(ret_hello->client_id, buf + 16, TRESTLE_V2_ID_SIZE);
    ret_hello->base_addr = trestle_get_le64(buf + 32);
    ret_hello->size = trestle_get_le64(buf + 40);
    ret_hello->irq_lines = trestle_get_le32(buf + 48);
    ret_hello->more_regions = trestle_get_le32(buf + 52);
    ret_hello->time = trestle_get_le64(buf + 56);
    if (!trestle_v2_is_hello(buf))
        return -EPROTO;
    return ret_hello->version_min > ret_hello->version_max ? -EINVAL : 0;
}

static inline void trestle_v2_encode_welcome(uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                                             const struct trestle_v2_welcome *welcome)
{
    memcpy(buf, TRESTLE_V2_MAGIC, TRESTLE_V2_MAGIC_SIZE);
    trestle_put_le16(buf + 8, welcome->version);
    buf[10] = welcome->status;
    buf[11] = 0;
    trestle_put_le32(buf + 12, welcome->features);
    memcpy(buf + 16, welcome->session_id, TRESTLE_V2_ID_SIZE);
    trestle_put_le32(buf + 32, welcome->device);
    trestle_put_le32(buf + 36, welcome->irq_lines);
    trestle_put_le64(buf + 40, welcome->size);
    trestle_put_le64(buf + 48, welcome->time);
    trestle_put_le64(buf + 56, welcome->next);
}

/* -EPROTO: wrong magic. */
TRESTLE_CHECK static inline int
trestle_v2_decode_welcome(const uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                          struct trestle_v2_welcome *ret_welcome)
{
    ret_welcome->version = trestle_get_le16(buf + 8);
    ret_welcome->status = buf[10];
    ret_welcome->features = trestle_get_le32(buf + 12);
    memcpy(ret_welcome->session_id, buf + 16, TRESTLE_V2_ID_SIZE);
    ret_welcome->device = trestle_get_le32(buf + 32);
    ret_welcome->irq_lines = trestle_get_le32(buf + 36);
    ret_welcome->size = trestle_get_le64(buf + 40);
    ret_welcome->time = trestle_get_le64(buf + 48);
    ret_welcome->next = trestle_get_le64(buf + 56);
    return trestle_v2_is_hello(buf) ? 0 : -EPROTO;
}

/* --- version 2: messages -------------------------------------------------------------------- */

enum trestle_v2_type {
    /* client to server */
    TRESTLE_V2_READ = 0x01,
    TRESTLE_V2_WRITE = 0x02,
    TRESTLE_V2_ADVANCE = 0x03, /* run the engine up to `time` */
    TRESTLE_V2_RESET = 0x04,   /* the guest was reset */
    TRESTLE_V2_FLUSH = 0x05,   /* answered when the server has done all that came before */
    TRESTLE_V2_DMA_DONE = 0x06,
    TRESTLE_V2_GOODBYE = 0x07,      /* the client leaves in good order; not answered */
    TRESTLE_V2_RAM = 0x08,          /* guest RAM is in the file whose descriptor comes along */
    TRESTLE_V2_NOTE = 0x09,         /* addr is an enum trestle_v2_note */
    TRESTLE_V2_RESET_DEVICE = 0x0a, /* the guest has reset this device alone */
    TRESTLE_V2_MEMORY = 0x0b,       /* a region is in the file whose descriptor comes along */
    TRESTLE_V2_BUS = 0x0c,          /* whether the device's bus addresses are guest-physical */
    /* server to client */
    TRESTLE_V2_REPLY = 0x81,
    TRESTLE_V2_IRQ = 0x82,
    TRESTLE_V2_DMA_READ = 0x83,
    TRESTLE_V2_DMA_WRITE = 0x84,
    TRESTLE_V2_DMA_WRITTEN = 0x85, /* the server has written shared guest RAM; not answered */
};

/* Why no other run will be like this one. */
enum trestle_v2_note {
    TRESTLE_V2_NOTE_DEBUGGER = 1, /* a debugger is about to access the device */
    TRESTLE_V2_NOTE_GAVE_UP = 2,  /* the client has stopped waiting for an answer */
};

#define TRESTLE_V2_DMA_MAX 65536u     /* bytes of one DMA message */
#define TRESTLE_V2_IRQ_LINES_MAX 64u  /* of a device */
#define TRESTLE_V2_REGIONS_MAX 6u     /* of a device */
#define TRESTLE_V2_DEVICES_MAX 65536u /* of one session */
#define TRESTLE_V2_FLAG_POSTED 0x01   /* a write that is not answered */

/* docs/protocol.md says which fields a type uses. The others are 0. */
struct trestle_v2_message {
    uint64_t seq;    /* counts the messages of one direction of one carrier, from 1 */
    uint8_t type;    /* enum trestle_v2_type */
    uint8_t flags;   /* TRESTLE_V2_FLAG_* */
    uint8_t size;    /* width of an access: 1, 2, 4, 8 */
    uint8_t status;  /* enum trestle_v2_status */
    uint32_t device; /* from the welcome */
    uint64_t id;     /* of the request; its reply has the same */
    uint64_t addr;   /* access: offset in the region; DMA, RAM: guest-physical; IRQ: line;
                      * MEMORY: region; BUS: 0 or 1 */
    uint64_t data;   /* access: value; DMA, RAM, MEMORY: length in bytes; IRQ: level */
    uint64_t time;   /* request: guest virtual time; reply, IRQ: engine time; picoseconds */
    uint64_t next;   /* reply: guest time of the engine's next observable event, or never */
    uint64_t extra;  /* access: region; reply: accumulated stall in picoseconds; DMA: offset in the
                      * bulk area; RAM: in the file */
};

/* All but the first 8 bytes, seq: a ring writes those last. */
static inline void trestle_v2_encode_body(uint8_t *buf, const struct trestle_v2_message *m)
{
    buf[8] = m->type;
    buf[9] = m->flags;
    buf[10] = m->size;
    buf[11] = m->status;
    trestle_put_le32(buf + 12, m->device);
    trestle_put_le64(buf + 16, m->id);
    trestle_put_le64(buf + 24, m->addr);
    trestle_put_le64(buf + 32, m->data);
    trestle_put_le64(buf + 40, m->time);
    trestle_put_le64(buf + 48, m->next);
    trestle_put_le64(buf + 56, m->extra);
}

static inline void trestle_v2_encode(uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                                     const struct trestle_v2_message *message)
{
    trestle_put_le64(buf, message->seq);
    trestle_v2_encode_body(buf, message);
}

/* Any 64 bytes decode. trestle_v2_*_is_valid() say whether they make sense. */
static inline void trestle_v2_decode(const uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                                     struct trestle_v2_message *ret_message)
{
    ret_message->seq = trestle_get_le64(buf);
    ret_message->type = buf[8];
    ret_message->flags = buf[9];
    ret_message->size = buf[10];
    ret_message->status = buf[11];
    ret_message->device = trestle_get_le32(buf + 12);
    ret_message->id = trestle_get_le64(buf + 16);
    ret_message->addr = trestle_get_le64(buf + 24);
    ret_message->data = trestle_get_le64(buf + 32);
    ret_message->time = trestle_get_le64(buf + 40);
    ret_message->next = trestle_get_le64(buf + 48);
    ret_message->extra = trestle_get_le64(buf + 56);
}

/* Whether a client may send this message, and each field has a value that it can have. */
static inline bool trestle_v2_request_is_valid(const struct trestle_v2_message *m)
{
    switch (m->type) {
    case TRESTLE_V2_READ:
        return trestle_is_width(m->size) && m->flags == 0;
    case TRESTLE_V2_WRITE:
        return trestle_is_width(m->size) && (m->flags & ~TRESTLE_V2_FLAG_POSTED) == 0;
    case TRESTLE_V2_ADVANCE:
    case TRESTLE_V2_RESET:
    case TRESTLE_V2_RESET_DEVICE:
    case TRESTLE_V2_FLUSH:
    case TRESTLE_V2_DMA_DONE:
    case TRESTLE_V2_GOODBYE:
        return m->flags == 0;
    case TRESTLE_V2_NOTE:
        return m->flags == 0 &&
               (m->addr == TRESTLE_V2_NOTE_DEBUGGER || m->addr == TRESTLE_V2_NOTE_GAVE_UP);
    case TRESTLE_V2_RAM:
        return m->flags == 0 && m->data > 0 && m->data - 1 <= UINT64_MAX - m->addr &&
               m->data <= INT64_MAX && m->extra <= INT64_MAX - m->data;
    case TRESTLE_V2_BUS:
        return m->flags == 0 && m->addr <= 1;
    case TRESTLE_V2_MEMORY:
        return m->flags == 0 && m->addr < TRESTLE_V2_REGIONS_MAX && m->data > 0 &&
               m->data <= INT64_MAX;
    default:
        return false;
    }
}

/* The same for a server. */
static inline bool trestle_v2_event_is_valid(const struct trestle_v2_message *m)
{
    switch (m->type) {
    case TRESTLE_V2_REPLY:
        return m->flags == 0;
    case TRESTLE_V2_IRQ:
        return m->flags == 0 && m->addr < TRESTLE_V2_IRQ_LINES_MAX && m->data <= 1;
    case TRESTLE_V2_DMA_READ:
    case TRESTLE_V2_DMA_WRITE:
    case TRESTLE_V2_DMA_WRITTEN:
        return m->flags == 0 && m->data > 0 && m->data <= TRESTLE_V2_DMA_MAX;
    default:
        return false;
    }
}

/* "outside the device's registers"; never NULL. */
static inline const char *trestle_v2_status_text(unsigned status)
{
    switch (status) {
    case TRESTLE_V2_OK:
        return "done";
    case TRESTLE_V2_MALFORMED:
        return "malformed request";
    case TRESTLE_V2_WIDTH:
        return "width or alignment that the device does not have";
    case TRESTLE_V2_RANGE:
        return "outside the device's registers";
    case TRESTLE_V2_REFUSED:
        return "refused by the model";
    case TRESTLE_V2_CANCELLED:
        return "cancelled by a reset";
    case TRESTLE_V2_NO_DEVICE:
        return "no such device in this session";
    case TRESTLE_V2_BAD_VERSION:
        return "no protocol version in common";
    case TRESTLE_V2_GEOMETRY:
        return "base address or size differ from the device's";
    case TRESTLE_V2_BUSY:
        return "another client has the device";
    case TRESTLE_V2_NOT_RAM:
        return "the addresses are not guest RAM";
    case TRESTLE_V2_NO_MEMORY:
        return "out of memory";
    default:
        return "unknown status";
    }
}

#ifdef __cplusplus
}
#endif
#endif
