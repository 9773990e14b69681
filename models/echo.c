/* SPDX-License-Identifier: MIT */
/*
 * echo: gives back what was written to it, a while later.
 *
 * offset  register    access  bits
 * 0x00    DATA_IN     W       the datum, of 8, 16, 32 or 64 bits; reads as 0
 * 0x04    DATA_OUT    R       its echo, low 32 bits
 * 0x08    STATUS      R       0 busy, 1 ready
 * 0x0C    CONTROL     RW      0 reset (clears itself)
 * 0x10    DATA_IN64   W       DATA_IN by another name
 * 0x18    DATA_OUT64  R       the echo, all 64 bits (a 64-bit read at 0x04 would be misaligned)
 *
 * A write to DATA_IN sets busy and clears ready; after echo_latency cycles DATA_OUT = DATA_IN,
 * busy clears, ready sets. A write while busy replaces the datum and does not prolong the wait.
 * A datum narrower than 64 bits is extended with zeroes. Registers are read and written at their
 * own offsets, with any size up to theirs.
 *
 * Parameters: echo_latency (10 cycles), clock (1GHz), access_latency (0 cycles): every access
 * takes effect and is answered that much later.
 *
 * Port "peer" answers a request with DATA_OUT; see trestle/peer.h.
 */
#include <errno.h>
#include <inttypes.h>

#include "trestle/peer.h"

enum {
    DATA_IN = 0x00,
    DATA_OUT = 0x04,
    STATUS = 0x08,
    CONTROL = 0x0c,
    DATA_IN64 = 0x10,
    DATA_OUT64 = 0x18,
};

#define STATUS_BUSY 1u
#define STATUS_READY 2u
#define CONTROL_RESET 1u

enum { TIMER_ECHO, TIMER_ACCESS, NUM_TIMERS };

struct echo {
    uint64_t data_in, data_out;
    uint32_t status;
    trestle_time echo_latency, access_latency;
    /* The access that waits for access_latency. */
    struct trestle_request *req;
    struct trestle_access access;
    bool write;
};

static int echo_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct echo *echo = trestle_device_state(dev);
    trestle_time clock;
    int r = trestle_params_period(params, "clock", TRESTLE_NS, &clock);
    if (r == 0)
        r = trestle_params_cycles(params, "echo_latency", 10, clock, &echo->echo_latency);
    if (r == 0)
        r = trestle_params_cycles(params, "access_latency", 0, clock, &echo->access_latency);
    return r;
}

static void clear(struct echo *echo)
{
    echo->data_in = echo->data_out = 0;
    echo->status = 0;
}

static void echo_reset(struct trestle_device *dev)
{
    struct echo *echo = trestle_device_state(dev);
    clear(echo);
    echo->req = NULL;
}

static int perform_read(struct trestle_device *dev, const struct trestle_access *access,
                        uint64_t *ret_data)
{
    struct echo *echo = trestle_device_state(dev);
    switch (access->offset) {
    case DATA_OUT:
    case DATA_OUT64:
        *ret_data = echo->data_out;
        return 0;
    case STATUS:
        if (access->size > 4)
            return -EINVAL;
        *ret_data = echo->status;
        return 0;
    case CONTROL:
    case DATA_IN:
    case DATA_IN64:
        *ret_data = 0;
        return 0;
    default:
        return -EINVAL;
    }
}

static void take_datum(struct trestle_device *dev, uint64_t data)
{
    struct echo *echo = trestle_device_state(dev);
    echo->data_in = data;
    if (!(echo->status & STATUS_BUSY))
        trestle_device_wake_after(dev, TIMER_ECHO, echo->echo_latency);
    echo->status = STATUS_BUSY;
}

static int perform_write(struct trestle_device *dev, const struct trestle_access *access)
{
    switch (access->offset) {
    case DATA_IN:
    case DATA_IN64:
        take_datum(dev, access->data);
        return 0;
    case CONTROL:
        if (access->data & CONTROL_RESET) {
            clear(trestle_device_state(dev));
            trestle_device_wake_at(dev, TIMER_ECHO, TRESTLE_TIME_NEVER);
        }
        return 0;
    case STATUS:
        if (access->size > 4)
            return -EINVAL;
        break;
    case DATA_OUT:
    case DATA_OUT64:
        break;
    default:
        return -EINVAL;
    }
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "write to read-only register 0x%02" PRIx64,
                       access->offset);
    return 0;
}

/* Keeps the access for later. */
static int defer(struct trestle_device *dev, struct trestle_request *req,
                 const struct trestle_access *access, bool write)
{
    struct echo *echo = trestle_device_state(dev);
    echo->req = req;
    echo->access = *access;
    echo->write = write;
    trestle_device_wake_after(dev, TIMER_ACCESS, echo->access_latency);
    return -EINPROGRESS;
}

static int echo_read(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    const struct echo *echo = trestle_device_state(dev);
    if (echo->access_latency > 0)
        return defer(dev, req, access, false);
    return perform_read(dev, access, ret_data);
}

static int echo_write(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access)
{
    const struct echo *echo = trestle_device_state(dev);
    if (echo->access_latency > 0)
        return defer(dev, req, access, true);
    return perform_write(dev, access);
}

static void echo_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct echo *echo = trestle_device_state(dev);
    if (timer == TIMER_ECHO) {
        echo->data_out = echo->data_in;
        echo->status = STATUS_READY;
        return;
    }
    uint64_t data = 0;
    int r =
        echo->write ? perform_write(dev, &echo->access) : perform_read(dev, &echo->access, &data);
    trestle_request_complete(echo->req, r, data);
}

static void echo_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    const struct echo *echo = trestle_device_state(dev);
    struct trestle_peer peer;
    if (!trestle_peer_decode(data, size, &peer) || peer.type != TRESTLE_PEER_REQUEST) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "message from the peer is no request");
        return;
    }
    uint8_t buf[TRESTLE_PEER_SIZE];
    peer.type = TRESTLE_PEER_REPLY;
    peer.data = echo->data_out;
    trestle_peer_encode(buf, &peer);
    int r = trestle_device_send(dev, port, buf, sizeof(buf));
    if (r < 0)
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "reply to the peer failed: error %d", -r);
}

const struct trestle_model trestle_echo_model = {
    .size = sizeof(trestle_echo_model),
    .name = "echo",
    .region_size = 0x20,
    .access_sizes = 1 | 2 | 4 | 8,
    .peer_ports = 1,
    .timers = NUM_TIMERS,
    .state_size = sizeof(struct echo),
    .init = echo_init,
    .reset = echo_reset,
    .read = echo_read,
    .write = echo_write,
    .wake = echo_wake,
    .message = echo_message,
};
