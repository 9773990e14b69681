/* SPDX-License-Identifier: MIT */
/*
 * compute: a four-function calculator that takes its time, and asks its neighbour for data.
 *
 * A trigger takes the operands as they are, sets busy, clears ready and error and keeps peer
 * ready; after compute_latency cycles the result is there: busy clears, and ready sets, or error
 * with result 0 for a division by zero or an unknown operation. A trigger while busy is ignored
 * and logged. Reset wins over a trigger in the same write. Numbers are unsigned and wrap.
 * A write to PEER_OUT clears peer ready and asks; its value goes along. The answer sets peer ready.
 * An answer to an older question is dropped. Where no peer is linked error sets at once.
 *
 * Parameters: compute_latency (100 cycles), clock (1GHz).
 *
 * Port "peer" speaks trestle/peer.h, and answers a request with RESULT.
 */
#include <errno.h>

#include "trestle/peer.h"
#include "trestle/registers.h"

#define STATUS_BUSY 1u
#define STATUS_READY 2u
#define STATUS_ERROR 4u
#define STATUS_PEER_READY 8u
#define CONTROL_RESET 1u
#define CONTROL_TRIGGER 2u

enum { ADD, SUBTRACT, MULTIPLY, DIVIDE };

struct compute {
    uint32_t a, b, operation, result, status, peer_in; /* the registers */
    uint32_t outcome;  /* STATUS_READY or STATUS_ERROR, once the latency is over */
    uint32_t pending;  /* RESULT then */
    uint32_t peer_tag; /* of the question that counts */
    trestle_time latency;
};

static int compute_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct compute *compute = trestle_device_state(dev);
    trestle_time clock;
    int r = trestle_params_period(params, "clock", TRESTLE_NS, &clock);
    if (r == 0)
        r = trestle_params_cycles(params, "compute_latency", 100, clock, &compute->latency);
    return r;
}

static void compute_reset(struct trestle_device *dev)
{
    struct compute *compute = trestle_device_state(dev);
    compute->peer_tag++; /* what is still on its way from the peer is not wanted any more */
}

/* Sets outcome and pending. */
static void calculate(struct compute *compute)
{
    bool fails = compute->operation > DIVIDE || (compute->operation == DIVIDE && compute->b == 0);
    compute->outcome = fails ? STATUS_ERROR : STATUS_READY;
    compute->pending = fails                            ? 0
                       : compute->operation == ADD      ? compute->a + compute->b
                       : compute->operation == SUBTRACT ? compute->a - compute->b
                       : compute->operation == MULTIPLY ? compute->a * compute->b
                                                        : compute->a / compute->b;
}

static int control_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct compute *compute = trestle_device_state(dev);
    if (access->value & CONTROL_RESET) {
        trestle_device_self_reset(dev);
    } else if (!(access->value & CONTROL_TRIGGER)) {
        return 0;
    } else if (compute->status & STATUS_BUSY) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "trigger while busy ignored");
    } else {
        calculate(compute);
        compute->status = (compute->status & STATUS_PEER_READY) | STATUS_BUSY;
        trestle_device_wake_after(dev, 0, compute->latency);
    }
    return 0;
}

static void compute_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct compute *compute = trestle_device_state(dev);
    compute->result = compute->pending;
    compute->status = (compute->status & STATUS_PEER_READY) | compute->outcome;
}

static int send_peer(struct trestle_device *dev, const struct trestle_peer *peer)
{
    uint8_t buf[TRESTLE_PEER_SIZE];
    trestle_peer_encode(buf, peer);
    return trestle_device_send(dev, 0, buf, sizeof(buf));
}

static int peer_out_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct compute *compute = trestle_device_state(dev);
    struct trestle_peer peer = {TRESTLE_PEER_REQUEST, ++compute->peer_tag, access->value};
    compute->status &= ~STATUS_PEER_READY;
    int r = send_peer(dev, &peer);
    if (r < 0) {
        compute->status |= STATUS_ERROR;
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "PEER_OUT: %s",
                           r == -ENOTCONN ? "port peer is not linked" : "sending failed");
    }
    return 0;
}

static int peer_in_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct compute *compute = trestle_device_state(dev);
    compute->status &= ~STATUS_PEER_READY;
    return 0;
}

static void compute_message(struct trestle_device *dev, uint32_t port, const void *data,
                            size_t size)
{
    struct compute *compute = trestle_device_state(dev);
    struct trestle_peer peer;
    if (!trestle_peer_decode(data, size, &peer)) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "message from the peer not understood");
    } else if (peer.type == TRESTLE_PEER_REQUEST) {
        peer.type = TRESTLE_PEER_REPLY;
        peer.data = compute->result;
        if (send_peer(dev, &peer) < 0)
            trestle_device_log(dev, TRESTLE_LOG_WARNING, "reply to the peer failed");
    } else if (peer.tag == compute->peer_tag) {
        compute->peer_in = (uint32_t)peer.data;
        compute->status |= STATUS_PEER_READY;
    }
}

static const struct trestle_register registers[] = {
    {"OPERAND_A", 0x00, TRESTLE_AT(struct compute, a)},
    {"OPERAND_B", 0x04, TRESTLE_AT(struct compute, b)},
    {"OPERATION", 0x08, TRESTLE_AT(struct compute, operation), .mask = UINT32_MAX,
     .fields =
         TRESTLE_FIELDS({"op", 0xf,
                         .values = TRESTLE_VALUES({"add", ADD}, {"subtract", SUBTRACT},
                                                  {"multiply", MULTIPLY}, {"divide", DIVIDE})})},
    {"RESULT", 0x0c, TRESTLE_AT(struct compute, result), .access = TRESTLE_RO},
    {"STATUS", 0x10, TRESTLE_AT(struct compute, status), .access = TRESTLE_RO,
     .fields = TRESTLE_FIELDS({"busy", STATUS_BUSY}, {"ready", STATUS_READY},
                              {"error", STATUS_ERROR}, {"peer_ready", STATUS_PEER_READY})},
    {"CONTROL", 0x14, .access = TRESTLE_TRIGGER, .on_write = control_written,
     .fields = TRESTLE_FIELDS({"reset", CONTROL_RESET}, {"trigger", CONTROL_TRIGGER}),
     .doc = "both bits clear themselves"},
    {"PEER_OUT", 0x18, .access = TRESTLE_TRIGGER, .on_write = peer_out_written,
     .doc = "asks the linked peer for its data"},
    {"PEER_IN", 0x1c, TRESTLE_AT(struct compute, peer_in), .access = TRESTLE_RO,
     .on_read = peer_in_read, .doc = "the answer of the peer; a read clears peer ready"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_compute_model = {
    .size = sizeof(trestle_compute_model),
    .name = "compute",
    .doc = "A calculator of four functions that asks its neighbour for data.",
    .regions = TRESTLE_REGIONS(&region),
    .peer_ports = 1,
    .timers = 1,
    .state_size = sizeof(struct compute),
    .init = compute_init,
    .reset = compute_reset,
    .wake = compute_wake,
    .message = compute_message,
};
