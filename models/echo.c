/* SPDX-License-Identifier: MIT */
/*
 * echo: gives back a written value, a while later.
 *
 * A write to DATA_IN sets busy and clears ready. After echo_latency cycles the model copies DATA_IN
 * to DATA_OUT, clears busy and sets ready. A write while busy is set replaces the value, and does
 * not prolong the wait. A value narrower than 64 bits gets zeroes in its upper bits. An access
 * begins at the register's own offset, and may have any size up to the register's.
 *
 * Parameters: echo_latency (10 cycles), clock (1GHz), access_latency (0 cycles). Each access takes
 * effect access_latency later, and is answered then.
 *
 * Port "peer" answers a request with DATA_OUT; see trestle/peer.h.
 */
#include <errno.h>

#include "trestle/peer.h"
#include "trestle/registers.h"

#define STATUS_BUSY 1u
#define STATUS_READY 2u
#define CONTROL_RESET 1u

enum { TIMER_ECHO, NUM_TIMERS };

struct echo {
    uint64_t data_in, data_out;
    uint32_t status;
    trestle_time echo_latency;
};

static int echo_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct echo *echo = trestle_device_state(dev);
    trestle_time clock, access_latency = 0;
    int r = trestle_params_period(params, "clock", TRESTLE_NS, &clock);
    if (r == 0)
        r = trestle_params_cycles(params, "echo_latency", 10, clock, &echo->echo_latency);
    if (r == 0)
        r = trestle_params_cycles(params, "access_latency", 0, clock, &access_latency);
    trestle_device_set_access_latency(dev, access_latency);
    return r;
}

static void take_datum(struct trestle_device *dev, uint64_t data)
{
    struct echo *echo = trestle_device_state(dev);
    echo->data_in = data;
    if (!(echo->status & STATUS_BUSY))
        trestle_device_wake_after(dev, TIMER_ECHO, echo->echo_latency);
    echo->status = STATUS_BUSY;
}

static int write_data(struct trestle_device *dev, struct trestle_register_access *access)
{
    take_datum(dev, access->access->data); /* it may be wider than DATA_IN */
    return 0;
}

static int write_control(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct echo *echo = trestle_device_state(dev);
    if (access->value & CONTROL_RESET) {
        echo->data_in = echo->data_out = echo->status = 0;
        trestle_device_wake_at(dev, TIMER_ECHO, TRESTLE_TIME_NEVER);
    }
    return 0;
}

static void echo_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct echo *echo = trestle_device_state(dev);
    (void)timer, (void)now;
    echo->data_out = echo->data_in;
    echo->status = STATUS_READY;
}

static void echo_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    const struct echo *echo = trestle_device_state(dev);
    struct trestle_peer peer;
    if (!trestle_peer_decode(data, size, &peer) || peer.type != TRESTLE_PEER_REQUEST) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "the message from the peer is not a request");
        return;
    }
    uint8_t buf[TRESTLE_PEER_SIZE];
    peer.type = TRESTLE_PEER_REPLY;
    peer.data = echo->data_out;
    trestle_peer_encode(buf, &peer);
    int r = trestle_device_send(dev, port, buf, sizeof(buf));
    if (r < 0)
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "cannot answer the peer: error %d", -r);
}

#define NARROW 1 | 2 | 4
#define ALL 1 | 2 | 4 | 8

static const struct trestle_register registers[] = {
    {"DATA_IN", 0x00, .access = TRESTLE_TRIGGER, .whole = true, .widths = ALL,
     .on_write = write_data, .doc = "the value to echo, of any of the four sizes"},
    {"DATA_OUT", 0x04, TRESTLE_AT_LOW(struct echo, data_out), .access = TRESTLE_RO, .whole = true,
     .widths = NARROW, .doc = "the low 32 bits of the echo"},
    {"STATUS", 0x08, TRESTLE_AT(struct echo, status), .access = TRESTLE_RO, .whole = true,
     .widths = NARROW, .fields = TRESTLE_FIELDS({"busy", STATUS_BUSY}, {"ready", STATUS_READY})},
    {"CONTROL", 0x0c, .access = TRESTLE_TRIGGER, .whole = true, .widths = NARROW,
     .on_write = write_control,
     .fields = TRESTLE_FIELDS({"reset", CONTROL_RESET, .doc = "clears itself"})},
    {"DATA_IN64", 0x10, .size = 8, .access = TRESTLE_TRIGGER, .whole = true, .widths = ALL,
     .on_write = write_data, .doc = "another name for DATA_IN"},
    {"DATA_OUT64", 0x18, TRESTLE_AT(struct echo, data_out), .size = 8, .access = TRESTLE_RO,
     .whole = true, .widths = ALL, .doc = "all 64 bits of the echo"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_echo_model = {
    .size = sizeof(trestle_echo_model),
    .name = "echo",
    .doc = "Gives back a written value, a while later.",
    .regions = TRESTLE_REGIONS(&region),
    .peer_ports = 1,
    .timers = NUM_TIMERS,
    .state_size = sizeof(struct echo),
    .init = echo_init,
    .wake = echo_wake,
    .message = echo_message,
};
