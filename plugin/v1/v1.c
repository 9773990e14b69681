/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wire version 1 over the device's socket: one request, one answer, no ids.
 *
 * An answer after its time-out would look like the answer to the next request. So a connection that
 * timed out is never used again. The plugin keeps it all the same: the late answer, or the end of
 * the connection, says that the device is back. Then, or when the back-off is over, the plugin
 * closes the connection and makes another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/stream.h"
#include "plugin/device/device.h"
#include "plugin/device/recovery.h"
#include "plugin/qemu/say.h"
#include "trestle/wire.h"

struct v1 {
    struct recovery recovery;
    int fd; /* -1 when DOWN */
    struct ipc_wait wait;
};

static void close_connection(struct v1 *v1)
{
    if (v1->fd >= 0)
        close(v1->fd);
    v1->fd = -1;
    v1->recovery.state = DOWN;
}

static int connect_now(struct sst_device *dev, struct v1 *v1)
{
    int r = ipc_connect(dev->socket, &v1->fd);
    if (r < 0)
        recovery_connect_failed(&v1->recovery);
    else
        v1->recovery.state = UP;
    return r;
}

static void connection_lost(struct sst_device *dev, struct v1 *v1, const char *what)
{
    close_connection(v1);
    recovery_lost(&v1->recovery, dev, what);
}

/* From DOWN or LATE to UP, when it is time. */
static int come_back(struct sst_device *dev, struct v1 *v1)
{
    bool is_late = v1->recovery.state == LATE;
    bool sign_of_life = is_late && ipc_has_input(v1->fd);
    if (!sign_of_life && !recovery_may_try(&v1->recovery))
        return is_late ? -ETIMEDOUT : -ENOTCONN;
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
    recovery_lost_in_peace(&v1->recovery, dev, "the connection was closed");
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
    if (v1->recovery.state == DOWN)
        return; /* send_request() has seen to it */
    if (error == -ETIMEDOUT)
        recovery_overdue(&v1->recovery, dev);
    else if (error == -EPROTO)
        connection_lost(dev, v1, "an answer that the protocol does not have; connection closed");
    else
        connection_lost(dev, v1, "the connection was closed");
}

static int perform_v1(struct sst_device *dev, const struct transport_access *access,
                      uint64_t *ret_data)
{
    struct v1 *v1 = dev->connection;
    struct trestle_v1_response response = {0};
    if (v1->recovery.state != UP) {
        int r = come_back(dev, v1);
        if (r < 0)
            return r;
    }
    uint64_t deadline_ns = dev->timeout_ms ? clock_ns() + dev->timeout_ms * NS_PER_MS : CLOCK_NEVER;
    int r = send_request(dev, v1, access, deadline_ns);
    if (r == 0)
        r = receive_response(v1, &response, deadline_ns);
    if (r < 0) {
        exchange_failed(dev, v1, r);
        return r;
    }
    recovery_answered(&v1->recovery, dev);
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
    recovery_init(&v1->recovery, dev);
    device_init_wait(dev, &v1->wait);
    int r = connect_now(dev, v1);
    if (r < 0) {
        say_device(dev, "nobody listens at %s (%s); its accesses fail until somebody does",
                   dev->socket, strerror(-r));
        v1->recovery.said_lost = true;
    }
}

const struct transport transport_v1 = {.open = open_v1, .perform = perform_v1};
