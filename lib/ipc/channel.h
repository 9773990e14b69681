/* SPDX-License-Identifier: MIT */
/*
 * A carrier: the way there and back for messages of protocol 2 and for the payloads of transfers.
 * Both sides use it, and it has two kinds:
 *
 * - A ring, in fact one each way, in memory that two processes share. It is the session's: all
 *   devices take it, a message says which it means, and a payload lies in the memory's bulk area.
 *   Their sockets stay open, for descriptors, and to tell the end of the other side.
 * - A stream: the socket of one device. A payload follows its message.
 *
 * What costs nanoseconds is inline here; whatever waits is in channel.c. How long to wait, and what
 * to do meanwhile, each side decides for itself (ipc/wait.h).
 */
#ifndef TRESTLE_IPC_CHANNEL_H
#define TRESTLE_IPC_CHANNEL_H

#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/stream.h"

enum channel_kind { CHANNEL_NONE, CHANNEL_STREAM, CHANNEL_RING };

struct channel {
    enum channel_kind kind;
    /* CHANNEL_RING */
    struct ring_producer out;
    struct ring_consumer in;
    struct shm shm;
    /* CHANNEL_STREAM */
    struct stream *stream;    /* the device's */
    uint64_t out_seq, in_seq; /* messages so far; beside a ring, those that brought descriptors */
    bool is_cut;              /* a time-out came in the middle of a message or of a payload */
};

/* --- open and close -------------------------------------------------------------------------- */

#define CHANNEL_CLOSED ((struct channel){.kind = CHANNEL_NONE, .shm = SHM_NONE})

/* Over a socket, which stays its owner's. */
void channel_open_stream(struct channel *channel, struct stream *stream);
/* The server's side: makes the memory. *ret_what: the call that failed. */
TRESTLE_CHECK int channel_create_ring(struct channel *channel, bool needs_fence,
                                      const char **ret_what);
/* The client's side, as shm_open_received() has it. */
TRESTLE_CHECK int channel_open_ring(struct channel *channel, bool needs_fence,
                                    const int fds[SHM_NUM_FDS]);
/* Fine on one that is closed. */
void channel_close(struct channel *channel);

/* All devices of the session use it. */
static inline bool channel_is_shared(const struct channel *channel)
{
    return channel->kind == CHANNEL_RING;
}

/* For the log. */
const char *channel_name(const struct channel *channel);

/* --- messages -------------------------------------------------------------------------------- */

TRESTLE_CHECK int channel_take_from_stream(struct channel *channel,
                                           struct trestle_v2_message *ret_message);
TRESTLE_CHECK int channel_post_to_stream(struct channel *channel,
                                         const struct trestle_v2_message *message);

/* 1: *ret_message is the next one. 0: nothing there. -EPROTO: its sequence number is not the next.
 * -ECONNRESET: a stream's other side is gone. */
static inline int channel_take(struct channel *channel, struct trestle_v2_message *ret_message)
{
    return likely(channel->kind == CHANNEL_RING) ? ring_take(&channel->in, ret_message)
                                                 : channel_take_from_stream(channel, ret_message);
}

/* Never waits. -EAGAIN: the other side has to take something first. -EPROTO: it wrote nonsense.
 * -EPIPE: it is gone. */
static inline int channel_post(struct channel *channel, const struct trestle_v2_message *message)
{
    return likely(channel->kind == CHANNEL_RING) ? ring_post(&channel->out, message)
                                                 : channel_post_to_stream(channel, message);
}

/* A stream may have taken less than a message. */
static inline bool channel_has_rest(const struct channel *channel)
{
    return channel->kind == CHANNEL_STREAM && stream_has_output(channel->stream);
}
/* Waits until that is sent. -EPIPE. -ETIMEDOUT. */
TRESTLE_CHECK int channel_flush(struct channel *channel, uint64_t deadline_ns);

/* --- sleep ----------------------------------------------------------------------------------- */

/* Where the end of a ring's other side shows: a socket, and the events at it that mean the end. */
struct channel_end {
    int fd; /* -1: nobody knows */
    short events;
};

/* Announces the sleep, and looks once more: false when something came. channel_awake() after it,
 * either way. */
static inline bool channel_must_sleep(struct channel *channel)
{
    return channel->kind != CHANNEL_RING || ring_must_sleep(&channel->in);
}
/* Sleeps until something may have come, or until the deadline. True: it is the end of a ring; what
 * was left there may still be taken. */
bool channel_sleep(struct channel *channel, struct channel_end end, uint64_t deadline_ns);
/* Another message rings from now on only when it is announced that somebody sleeps. */
static inline void channel_awake(struct channel *channel)
{
    if (channel->kind == CHANNEL_RING)
        ring_awake(&channel->in);
}
/* Takes the rings for what has come. -EPROTO: too many for nothing. -ECONNRESET: the other side has
 * hung up. A stream tells both as it is taken from. */
static inline int channel_hear(struct channel *channel)
{
    return channel->kind == CHANNEL_RING ? ring_hear(&channel->in) : 0;
}
/* Wakes the other side, which has not announced its sleep. */
static inline void channel_wake(struct channel *channel)
{
    if (channel->kind == CHANNEL_RING)
        ring_wake(&channel->out);
}

/* --- payloads -------------------------------------------------------------------------------- */

/* Where the payload of a transfer lies: in the bulk area, at `offset`, or in `buf`. NULL: outside
 * of the area. */
uint8_t *channel_place(const struct channel *channel, uint64_t offset, uint64_t size, uint8_t *buf);
/* After the message that it belongs to: from its place, and into it. These wait. -EPIPE,
 * -ECONNRESET, -ETIMEDOUT. */
TRESTLE_CHECK int channel_send_payload(struct channel *channel, const uint8_t *place, size_t size,
                                       uint64_t deadline_ns);
TRESTLE_CHECK int channel_take_payload(struct channel *channel, uint8_t *place, size_t size,
                                       uint64_t deadline_ns, struct ipc_wait *wait);

#endif
