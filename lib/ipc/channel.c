/* SPDX-License-Identifier: MIT */
/* What a channel does that may wait, and how a stream carries what a ring's memory holds. */
#include "ipc/channel.h"

#include <poll.h>

/* --- open and close -------------------------------------------------------------------------- */

void channel_open_stream(struct channel *channel, struct stream *stream)
{
    *channel = CHANNEL_CLOSED;
    channel->kind = CHANNEL_STREAM;
    channel->stream = stream;
}

int channel_create_ring(struct channel *channel, bool needs_fence, const char **ret_what)
{
    *channel = CHANNEL_CLOSED;
    int r = shm_create(&channel->shm, ret_what);
    if (r)
        return r;
    channel->kind = CHANNEL_RING;
    shm_server_rings(&channel->shm, needs_fence, &channel->in, &channel->out);
    return 0;
}

int channel_open_ring(struct channel *channel, bool needs_fence, const int fds[SHM_NUM_FDS])
{
    *channel = CHANNEL_CLOSED;
    int r = shm_open_received(&channel->shm, fds);
    if (r)
        return r;
    channel->kind = CHANNEL_RING;
    shm_client_rings(&channel->shm, needs_fence, &channel->out, &channel->in);
    return 0;
}

void channel_close(struct channel *channel)
{
    if (channel->kind == CHANNEL_RING)
        shm_close(&channel->shm);
    *channel = CHANNEL_CLOSED;
}

const char *channel_name(const struct channel *channel)
{
    return channel->kind == CHANNEL_RING ? "shared memory" : "sockets";
}

/* --- messages -------------------------------------------------------------------------------- */

int channel_take_from_stream(struct channel *channel, struct trestle_v2_message *ret_message)
{
    struct stream *stream = channel->stream;
    int r = stream_fill(stream, TRESTLE_V2_MESSAGE_SIZE);
    if (r <= 0)
        return r;
    trestle_v2_decode(stream->in + stream->in_start, ret_message);
    stream->in_start += TRESTLE_V2_MESSAGE_SIZE;
    return ret_message->seq == ++channel->in_seq ? 1 : -EPROTO;
}

int channel_post_to_stream(struct channel *channel, const struct trestle_v2_message *message)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message numbered = *message;
    numbered.seq = channel->out_seq + 1;
    trestle_v2_encode(bytes, &numbered);
    int r = stream_put(channel->stream, bytes, sizeof(bytes));
    if (r == 0)
        channel->out_seq++;
    return r;
}

int channel_flush(struct channel *channel, uint64_t deadline_ns)
{
    if (!channel_has_rest(channel))
        return 0;
    int r = stream_flush(channel->stream, deadline_ns);
    channel->is_cut |= r == -ETIMEDOUT;
    return r;
}

/* --- sleep ----------------------------------------------------------------------------------- */

bool channel_sleep(struct channel *channel, struct channel_end end, uint64_t deadline_ns)
{
    bool is_ring = channel->kind == CHANNEL_RING;
    struct pollfd fds[2] = {
        {.fd = is_ring ? channel->in.doorbell_fd : channel->stream->fd, .events = POLLIN},
        {.fd = is_ring ? end.fd : -1, .events = end.events}};
    struct timespec left;
    if (deadline_ns != CLOCK_NEVER) {
        uint64_t now_ns = clock_ns();
        left = clock_timespec(now_ns < deadline_ns ? deadline_ns - now_ns : 0);
    }
    return ppoll(fds, 2, deadline_ns == CLOCK_NEVER ? NULL : &left, NULL) > 0 && fds[1].revents;
}

/* --- payloads -------------------------------------------------------------------------------- */

uint8_t *channel_place(const struct channel *channel, uint64_t offset, uint64_t size, uint8_t *buf)
{
    if (channel->kind != CHANNEL_RING)
        return buf;
    if (offset > SHM_BULK_SIZE || size > SHM_BULK_SIZE - offset)
        return NULL;
    return channel->shm.memory + SHM_BULK_OFFSET + offset;
}

int channel_send_payload(struct channel *channel, const uint8_t *place, size_t size,
                         uint64_t deadline_ns)
{
    if (channel->kind == CHANNEL_RING)
        return 0;
    int r = ipc_send_all(channel->stream->fd, place, size, deadline_ns);
    channel->is_cut |= r == -ETIMEDOUT;
    return r;
}

int channel_take_payload(struct channel *channel, uint8_t *place, size_t size, uint64_t deadline_ns,
                         struct ipc_wait *wait)
{
    if (channel->kind == CHANNEL_RING)
        return 0;
    int r = stream_read(channel->stream, place, size, deadline_ns, wait);
    channel->is_cut |= r == -ETIMEDOUT;
    return r;
}
