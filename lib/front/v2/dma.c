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

#include "ipc/stream.h"

/* A QEMU that is alive answers within microseconds, unless its machine is stopped. */
#define PATIENCE_NS 5000000000u

/* --- shared memory --------------------------------------------------------------------------- */

static int stash(struct v2_queue *queue, const struct trestle_v2_message *message)
{
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
    return 0;
}

/* Waits for the doorbell or the end of the client's connection. */
static int sleep_for_request(struct v2_session *session, uint64_t deadline_ns)
{
    struct pollfd fds[2] = {
        {.fd = session->shm.doorbell_fd, .events = POLLIN},
        {.fd = session->via ? session->via->connection->source.fd : -1, .events = POLLRDHUP}};
    int n = 0;
    if (clock_ns() >= deadline_ns)
        return -ETIMEDOUT;
    if (ring_must_sleep(&session->requests))
        n = poll(fds, 2, clock_ms_until(deadline_ns));
    ring_awake(&session->requests);
    int error = ring_hear(&session->requests);
    return !error && n > 0 && fds[1].revents ? -ECONNRESET : error;
}

static int await_in_ring(struct v2_session *session, uint64_t id,
                         struct trestle_v2_message *ret_message)
{
    struct ipc_spin spin = ipc_spin_start(clock_ns() + PATIENCE_NS);
    void (*client_turn)(void) = session->front->client_turn;
    bool is_first = true;
    int r, over = 0; /* what was left behind is taken first */
    do {
        r = ring_take(&session->requests, ret_message);
        if (r > 0 && ret_message->type != TRESTLE_V2_DMA_DONE)
            r = stash(&session->stash, ret_message);
        else if (r > 0 && (ret_message->id != id || !trestle_v2_request_is_valid(ret_message)))
            r = -EPROTO;
        else if (r == 0 && over)
            r = over;
        else if (r == 0 && client_turn && is_first)
            client_turn(), is_first = false;
        else if (r == 0 && !ipc_spin_on(&session->dma_wait, &spin))
            over = sleep_for_request(session, spin.deadline_ns);
    } while (r == 0);
    ipc_spin_end(&session->dma_wait, &spin);
    return r < 0 ? r : 0;
}

static int move_by_ring(struct v2_client *client, struct trestle_v2_message *message, uint8_t *buf)
{
    struct v2_session *session = client->session;
    uint8_t *bulk = session->shm.memory + SHM_BULK_OFFSET;
    struct trestle_v2_message done;
    size_t size = (size_t)message->data;
    message->extra = 0;
    if (message->type == TRESTLE_V2_DMA_WRITE)
        memcpy(bulk, buf, size);
    v2_send_unasked(client, message);
    int r = await_in_ring(session, message->id, &done);
    if (r < 0)
        return r;
    if (done.status == TRESTLE_V2_OK && message->type == TRESTLE_V2_DMA_READ)
        memcpy(buf, bulk, size);
    return done.status == TRESTLE_V2_OK ? 0 : -EFAULT;
}

/* --- sockets --------------------------------------------------------------------------------- */

/* Behind what the socket has not taken yet. */
static int send_on_socket(struct v2_client *via, struct trestle_v2_message *message,
                          uint64_t deadline_ns)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    int r =
        ipc_send_all(via->connection->source.fd, via->connection->out + via->connection->out_start,
                     via->connection->out_end - via->connection->out_start, deadline_ns);
    if (r < 0)
        return r;
    via->connection->out_start = via->connection->out_end = 0;
    message->seq = ++via->out_seq;
    trestle_v2_encode(bytes, message);
    return ipc_send_all(via->connection->source.fd, bytes, sizeof(bytes), deadline_ns);
}

/* What was received already comes first. */
static int take_bytes(struct v2_client *via, uint8_t *bytes, size_t size, uint64_t deadline_ns)
{
    size_t buffered = via->connection->in_end - via->connection->in_start;
    if (buffered > size)
        buffered = size;
    memcpy(bytes, via->connection->in + via->connection->in_start, buffered);
    via->connection->in_start += buffered;
    return ipc_recv_exact(via->connection->source.fd, bytes + buffered, size - buffered,
                          deadline_ns, &via->session->dma_wait);
}

/* Who waits for its answer sends nothing else; who only posts may. */
static int await_on_socket(struct v2_client *via, uint64_t id,
                           struct trestle_v2_message *ret_message, uint64_t deadline_ns)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    for (;;) {
        int r = take_bytes(via, bytes, sizeof(bytes), deadline_ns);
        if (r < 0)
            return r;
        trestle_v2_decode(bytes, ret_message);
        if (ret_message->seq != ++via->in_seq)
            return -EPROTO;
        if (ret_message->type == TRESTLE_V2_DMA_DONE)
            return ret_message->id == id && trestle_v2_request_is_valid(ret_message) ? 0 : -EPROTO;
        r = stash(&via->stash, ret_message);
        if (r < 0)
            return r;
        connection_resume(via->connection); /* it is handled when there is time */
    }
}

static int move_by_socket(struct v2_client *client, struct trestle_v2_message *message,
                          uint8_t *buf)
{
    struct v2_client *via = client->session->via ? client->session->via : client;
    struct trestle_v2_message done;
    uint64_t deadline_ns = clock_ns() + PATIENCE_NS;
    size_t size = (size_t)message->data;
    bool is_read = message->type == TRESTLE_V2_DMA_READ;
    int r = send_on_socket(via, message, deadline_ns);
    if (r == 0 && !is_read)
        r = ipc_send_all(via->connection->source.fd, buf, size, deadline_ns);
    if (r == 0)
        r = await_on_socket(via, message->id, &done, deadline_ns);
    if (r < 0)
        return r;
    if (done.status != TRESTLE_V2_OK)
        return -EFAULT;
    return is_read ? take_bytes(via, buf, size, deadline_ns) : 0;
}

/* --- shared guest RAM ------------------------------------------------------------------------ */

/* What was written may be code that QEMU has translated: it hears of it before whatever tells the
 * guest that the transfer is over. */
static int move_directly(struct v2_client *client, struct trestle_v2_message *message,
                         uint8_t *memory, uint8_t *buf)
{
    struct v2_session *session = client->session;
    if (message->type == TRESTLE_V2_DMA_READ) {
        memcpy(buf, memory, (size_t)message->data);
        return 0;
    }
    memcpy(memory, buf, (size_t)message->data);
    message->type = TRESTLE_V2_DMA_WRITTEN;
    message->id = 0;
    if (!session->shm.memory)
        return send_on_socket(v2_listener(client), message, clock_ns() + PATIENCE_NS);
    v2_send_unasked(client, message);
    return 0;
}

/* --- all ------------------------------------------------------------------------------------- */

static int move_pieces(struct v2_client *client, bool write, uint64_t addr, uint8_t *buf,
                       size_t size)
{
    struct v2_session *session = client->session;
    int r = 0;
    while (size > 0 && r == 0) {
        size_t piece = size < TRESTLE_V2_DMA_MAX ? size : TRESTLE_V2_DMA_MAX;
        /* Where a bus leads is QEMU's to know. */
        bool is_direct = client->port->base_addr != TRESTLE_NO_BASE || client->is_direct;
        uint8_t *memory = is_direct ? v2_ram_at(&session->ram, addr, &piece) : NULL;
        struct trestle_v2_message message = {.type =
                                                 write ? TRESTLE_V2_DMA_WRITE : TRESTLE_V2_DMA_READ,
                                             .device = client->port->index,
                                             .id = ++session->last_dma_id,
                                             .addr = addr,
                                             .data = piece,
                                             .time = trestle_sim_now(session->front->timeline.sim)};
        r = memory                ? move_directly(client, &message, memory, buf)
            : session->shm.memory ? move_by_ring(client, &message, buf)
                                  : move_by_socket(client, &message, buf);
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
