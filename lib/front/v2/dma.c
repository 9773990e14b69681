/* SPDX-License-Identifier: MIT */
/*
 * Transfers between models and guest memory, a piece at a time. Where QEMU shares the guest's RAM
 * they are done here, and QEMU hears of what was written. Everything else goes by messages, each
 * answered before the next: a model's engine time stands while QEMU copies, so that two runs are
 * the same, and what else QEMU sends meanwhile waits in a stash, the session's or its device's.
 */
#include "front/v2/dma.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* A QEMU that is alive answers within microseconds, unless its machine is stopped. */
#define PATIENCE_NS 5000000000u

/* --- by messages ----------------------------------------------------------------------------- */

static int put_aside(struct v2_client *via, const struct trestle_v2_message *message)
{
    struct v2_queue *queue = &via->path->stash;
    if (queue->end == queue->size) {
        size_t size = queue->size ? 2 * queue->size : 64;
        struct trestle_v2_message *messages =
            size <= 2 * RING_SLOTS ? reallocarray(queue->messages, size, sizeof(*messages)) : NULL;
        if (!messages)
            return -ENOMEM;
        queue->messages = messages;
        queue->size = size;
    }
    queue->messages[queue->end++] = *message;
    if (via->path == &via->own)
        connection_resume(via->connection); /* it is handled when there is time */
    return 0;
}

/* Waits for a message, or for the end of the client's connection. */
static int sleep_for_request(struct v2_client *via, uint64_t deadline_ns)
{
    struct channel *channel = &via->path->channel;
    bool is_end = false;
    if (clock_ns() >= deadline_ns)
        return -ETIMEDOUT;
    if (channel_must_sleep(channel))
        is_end = channel_sleep(channel, (struct channel_end){via->connection->stream.fd, POLLRDHUP},
                               deadline_ns);
    channel_awake(channel);
    int r = channel_hear(channel);
    return !r && is_end ? -ECONNRESET : r;
}

/* A client that waits for our answer sends nothing else. One that only posts may do so. */
static int await_done(struct v2_client *via, uint64_t id, struct trestle_v2_message *ret_message,
                      uint64_t deadline_ns)
{
    struct v2_session *session = via->session;
    struct ipc_spin spin = ipc_spin_start(deadline_ns);
    void (*client_turn)(void) = session->front->client_turn;
    bool is_first = true;
    int r, over = 0; /* what was left behind is taken first */
    do {
        r = channel_take(&via->path->channel, ret_message);
        if (r > 0 && ret_message->type != TRESTLE_V2_DMA_DONE)
            r = put_aside(via, ret_message);
        else if (r > 0 && (ret_message->id != id || !trestle_v2_request_is_valid(ret_message)))
            r = -EPROTO;
        else if (r == 0 && over)
            r = over;
        else if (r == 0 && client_turn && is_first)
            client_turn(), is_first = false;
        else if (r == 0 && !ipc_spin_on(&session->dma_wait, &spin))
            over = sleep_for_request(via, spin.deadline_ns);
    } while (r == 0);
    ipc_spin_end(&session->dma_wait, &spin);
    return r < 0 ? r : 0;
}

static int move_by_messages(struct v2_client *client, struct trestle_v2_message *message,
                            uint8_t *buf)
{
    struct v2_client *via = v2_listener(client);
    struct channel *channel = &via->path->channel;
    struct trestle_v2_message done;
    uint64_t deadline_ns = clock_ns() + PATIENCE_NS;
    size_t size = (size_t)message->data;
    bool is_read = message->type == TRESTLE_V2_DMA_READ;
    message->extra = 0;
    uint8_t *place = channel_place(channel, message->extra, size, buf);
    if (!is_read && place != buf)
        memcpy(place, buf, size);
    int r = channel_flush(channel, deadline_ns);
    if (r < 0)
        return r;
    v2_send_unasked(client, message);
    r = channel_flush(channel, deadline_ns);
    if (r == 0 && !is_read)
        r = channel_send_payload(channel, place, size, deadline_ns);
    if (r == 0)
        r = await_done(via, message->id, &done, deadline_ns);
    if (r < 0)
        return r;
    if (done.status != TRESTLE_V2_OK)
        return -EFAULT;
    if (is_read)
        r = channel_take_payload(channel, place, size, deadline_ns, &client->session->dma_wait);
    if (is_read && place != buf)
        memcpy(buf, place, size);
    return r;
}

/* --- shared guest RAM ------------------------------------------------------------------------ */

static int flush(struct channel *channel)
{
    return channel_has_rest(channel) ? channel_flush(channel, clock_ns() + PATIENCE_NS) : 0;
}

/* What was written may be code that QEMU has translated: it hears of it before whatever tells the
 * guest that the transfer is over. */
static int move_directly(struct v2_client *client, struct trestle_v2_message *message,
                         uint8_t *memory, uint8_t *buf)
{
    if (message->type == TRESTLE_V2_DMA_READ) {
        memcpy(buf, memory, (size_t)message->data);
        return 0;
    }
    memcpy(memory, buf, (size_t)message->data);
    message->type = TRESTLE_V2_DMA_WRITTEN;
    message->id = 0;
    struct channel *channel = &v2_listener(client)->path->channel;
    int r = flush(channel);
    if (r < 0)
        return r;
    v2_send_unasked(client, message);
    return flush(channel);
}

/* --- all ------------------------------------------------------------------------------------- */

static int move_pieces(struct v2_client *client, bool write, uint64_t addr, uint8_t *buf,
                       size_t size)
{
    struct v2_session *session = client->session;
    int r = 0;
    while (size > 0 && r == 0) {
        size_t piece = size < TRESTLE_V2_DMA_MAX ? size : TRESTLE_V2_DMA_MAX;
        /* Only QEMU knows where a bus leads. */
        bool is_direct = client->port->base_addr != TRESTLE_NO_BASE || client->is_direct;
        uint8_t *memory = is_direct ? v2_ram_at(&session->ram, addr, &piece) : NULL;
        struct trestle_v2_message message = {.type =
                                                 write ? TRESTLE_V2_DMA_WRITE : TRESTLE_V2_DMA_READ,
                                             .device = client->port->index,
                                             .id = ++session->last_dma_id,
                                             .addr = addr,
                                             .data = piece,
                                             .time = trestle_sim_now(session->front->timeline.sim)};
        r = memory ? move_directly(client, &message, memory, buf)
                   : move_by_messages(client, &message, buf);
        addr += piece;
        buf += piece;
        size -= piece;
    }
    return r;
}

int v2_move(struct v2_client *client, bool write, uint64_t addr, uint8_t *buf, size_t size)
{
    struct v2_session *session = client->session;
    int r;
    if (!(session->features & TRESTLE_V2_FEATURE_DMA))
        return -ENOTSUP;
    if (session->end_reason)
        return -ENODEV;
    r = move_pieces(client, write, addr, buf, size);
    if (r < 0 && r != -EFAULT) {
        v2_session_end(session, r == -EPROTO ? "QEMU broke the protocol of a DMA"
                                             : "QEMU did not answer a DMA");
        r = -ENODEV;
    }
    return r;
}
