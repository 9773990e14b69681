/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wire version 1 over the device's socket: one request, one answer, no ids.
 *
 *            +------------------- connect, after a back-off -------------+
 *            v                                                           |
 *   DOWN --connect--> UP --no answer in time--> LATE --sign of life--> (closed)
 *     ^               |                          |
 *     +--- closed ----+                          +-- back-off over --> (closed)
 *
 * An answer that comes after its time-out would be taken for the answer to the next request, so
 * a connection that timed out is never used again. It is kept all the same: whatever arrives on
 * it, the late answer or its end, tells that the device is back. Only then, or when the back-off
 * is over, is it closed and another one made. All this happens at accesses of the guest: until the
 * device is back they fail at once, so that a polling guest does not stall at each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "ipc/stream.h"
#include "say.h"
#include "trestle/wire.h"

#define NS_PER_MS UINT64_C(1000000)
#define CONNECT_BACKOFF_MIN_NS (10 * NS_PER_MS)
#define CONNECT_BACKOFF_MAX_NS (1000 * NS_PER_MS)
#define LATE_BACKOFF_MAX_NS (8000 * NS_PER_MS)

enum state { DOWN, UP, LATE };

struct v1 {
    enum state state;
    int fd;                      /* -1 when DOWN */
    bool said_lost;              /* and "answers again" is owed */
    uint64_t retry_ns;           /* DOWN, LATE: not before that does an access try */
    uint64_t connect_backoff_ns; /* what the next failure to connect costs */
    uint64_t late_backoff_ns;    /* what the next time-out costs */
    struct ipc_wait wait;
};

static uint64_t doubled(uint64_t ns, uint64_t max)
{
    return ns < max / 2 ? ns * 2 : max;
}

static uint64_t first_late_backoff(const struct sst_device *dev)
{
    uint64_t ns = dev->timeout_ms * NS_PER_MS;
    return ns < LATE_BACKOFF_MAX_NS ? ns : LATE_BACKOFF_MAX_NS;
}

static void close_connection(struct v1 *v1)
{
    if (v1->fd >= 0)
        close(v1->fd);
    v1->fd = -1;
    v1->state = DOWN;
}

static void put_connecting_off(struct v1 *v1)
{
    v1->retry_ns = ipc_clock_ns() + v1->connect_backoff_ns;
    v1->connect_backoff_ns = doubled(v1->connect_backoff_ns, CONNECT_BACKOFF_MAX_NS);
}

static int connect_now(struct sst_device *dev, struct v1 *v1)
{
    int r = ipc_connect(dev->socket, &v1->fd);
    if (r < 0)
        put_connecting_off(v1);
    else
        v1->state = UP;
    return r;
}

static void say_lost(struct sst_device *dev, struct v1 *v1, const char *what)
{
    if (!v1->said_lost)
        say_device(dev, "%s (%s); its accesses fail until it is back", what, dev->socket);
    v1->said_lost = true;
}

static void connection_lost(struct sst_device *dev, struct v1 *v1, const char *what)
{
    close_connection(v1);
    put_connecting_off(v1);
    say_lost(dev, v1, what);
}

static void answer_overdue(struct sst_device *dev, struct v1 *v1)
{
    v1->state = LATE;
    v1->retry_ns = ipc_clock_ns() + v1->late_backoff_ns;
    v1->late_backoff_ns = doubled(v1->late_backoff_ns, LATE_BACKOFF_MAX_NS);
    char what[64];
    snprintf(what, sizeof(what), "no answer within %u ms", (unsigned)dev->timeout_ms);
    say_lost(dev, v1, what);
}

/* Not at the connection, but at the first answer: a peer that accepts and closes is not back. */
static void device_is_back(struct sst_device *dev, struct v1 *v1)
{
    say_device(dev, "answers again");
    v1->said_lost = false;
    v1->connect_backoff_ns = CONNECT_BACKOFF_MIN_NS;
    v1->late_backoff_ns = first_late_backoff(dev);
}

/* From DOWN or LATE to UP, when it is time. */
static int come_back(struct sst_device *dev, struct v1 *v1)
{
    bool sign_of_life = v1->state == LATE && ipc_has_input(v1->fd);
    if (!sign_of_life && ipc_clock_ns() < v1->retry_ns)
        return v1->state == LATE ? -ETIMEDOUT : -ENOTCONN;
    close_connection(v1);
    return connect_now(dev, v1);
}

/* The device may have been restarted since the last access. Its end of file shows when a request
 * is sent, which has then reached nobody, so that it can be sent again. */
static int send_request(struct sst_device *dev, struct v1 *v1,
                        const struct transport_access *access, uint64_t deadline_ns)
{
    uint8_t frame[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request = {
        .type = access->is_write ? TRESTLE_V1_WRITE : TRESTLE_V1_READ,
        .size = access->size,
        .addr = dev->base + access->offset,
        .data = access->data,
    };
    trestle_v1_encode_request(frame, &request);
    int r = ipc_send_all(v1->fd, frame, sizeof(frame), deadline_ns);
    if (r != -EPIPE)
        return r;
    close_connection(v1);
    say_lost(dev, v1, "the connection was closed");
    r = connect_now(dev, v1);
    return r < 0 ? r : ipc_send_all(v1->fd, frame, sizeof(frame), deadline_ns);
}

static int receive_response(struct v1 *v1, struct trestle_v1_response *ret_response,
                            uint64_t deadline_ns)
{
    uint8_t frame[TRESTLE_V1_RESPONSE_SIZE];
    int r = ipc_recv_exact(v1->fd, frame, sizeof(frame), deadline_ns, &v1->wait);
    if (r < 0)
        return r;
    return trestle_v1_decode_response(frame, ret_response) < 0 ? -EPROTO : 0;
}

static void exchange_failed(struct sst_device *dev, struct v1 *v1, int error)
{
    if (v1->state == DOWN)
        return; /* send_request() has seen to it */
    if (error == -ETIMEDOUT)
        answer_overdue(dev, v1);
    else if (error == -EPROTO)
        connection_lost(dev, v1, "an answer that is none of the protocol's; connection closed");
    else
        connection_lost(dev, v1, "the connection was closed");
}

static int perform_v1(struct sst_device *dev, const struct transport_access *access,
                      uint64_t *ret_data)
{
    struct v1 *v1 = dev->connection;
    struct trestle_v1_response response;
    if (v1->state != UP) {
        int r = come_back(dev, v1);
        if (r < 0)
            return r;
    }
    uint64_t deadline_ns =
        dev->timeout_ms ? ipc_clock_ns() + dev->timeout_ms * NS_PER_MS : IPC_NEVER;
    int r = send_request(dev, v1, access, deadline_ns);
    if (r == 0)
        r = receive_response(v1, &response, deadline_ns);
    if (r < 0) {
        exchange_failed(dev, v1, r);
        return r;
    }
    if (v1->said_lost)
        device_is_back(dev, v1);
    *ret_data = response.data;
    return response.success ? 0 : -EIO;
}

static void open_v1(struct sst_device *dev)
{
    struct v1 *v1 = calloc(1, sizeof(*v1));
    if (!v1)
        refuse("out of memory");
    dev->connection = v1;
    v1->fd = -1;
    v1->connect_backoff_ns = CONNECT_BACKOFF_MIN_NS;
    v1->late_backoff_ns = first_late_backoff(dev);
    ipc_wait_init(&v1->wait, (enum trestle_wait)dev->wait);
    int r = connect_now(dev, v1);
    if (r < 0) {
        say_device(dev, "nobody listens at %s (%s); its accesses fail until somebody does",
                   dev->socket, strerror(-r));
        v1->said_lost = true;
    }
}

const struct transport transport_v1 = {.open = open_v1, .perform = perform_v1};
