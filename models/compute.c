/* SPDX-License-Identifier: MIT */
/*
 * compute: a four-function calculator that takes its time, and asks its neighbour for data.
 *
 * offset  register   access  bits
 * 0x00    OPERAND_A  RW
 * 0x04    OPERAND_B  RW
 * 0x08    OPERATION  RW      0 add, 1 subtract, 2 multiply, 3 divide
 * 0x0C    RESULT     R
 * 0x10    STATUS     R       0 busy, 1 ready, 2 error, 3 peer ready
 * 0x14    CONTROL    W       0 reset, 1 trigger (both clear themselves; reads as 0)
 * 0x18    PEER_OUT   W       asks the linked peer for its data; reads as 0
 * 0x1C    PEER_IN    R       what it answered; reading clears peer ready
 *
 * All registers are 32 bits and take 32-bit accesses only; numbers are unsigned and wrap.
 * A trigger takes the operands as they are, sets busy, clears ready and error and keeps peer
 * ready; after compute_latency cycles the result is there: busy clears, and ready sets, or error
 * with result 0 for a division by zero or an unknown operation. A trigger while busy is ignored
 * and logged. Reset wins over a trigger in the same write.
 * A write to PEER_OUT clears peer ready and asks; its value goes along. The answer sets peer ready.
 * An answer to an older question is dropped. Where no peer is linked error sets at once.
 *
 * Parameters: compute_latency (100 cycles), clock (1GHz).
 *
 * Port "peer" speaks trestle/peer.h, and answers a request with RESULT.
 */
#include <errno.h>
#include <inttypes.h>

#include "trestle/peer.h"

enum {
    OPERAND_A = 0x00,
    OPERAND_B = 0x04,
    OPERATION = 0x08,
    RESULT = 0x0c,
    STATUS = 0x10,
    CONTROL = 0x14,
    PEER_OUT = 0x18,
    PEER_IN = 0x1c,
};

#define STATUS_BUSY 1u
#define STATUS_READY 2u
#define STATUS_ERROR 4u
#define STATUS_PEER_READY 8u
#define CONTROL_RESET 1u
#define CONTROL_TRIGGER 2u

enum { ADD, SUBTRACT, MULTIPLY, DIVIDE };

struct compute {
    uint32_t a, b, operation; /* the registers */
    uint32_t outcome;         /* STATUS_READY or STATUS_ERROR, once the latency is over */
    uint32_t pending;         /* RESULT then */
    uint32_t result, status, peer_in;
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
    /* A new tag: what is still on its way from the peer is not wanted any more. */
    *compute = (struct compute){.latency = compute->latency, .peer_tag = compute->peer_tag + 1};
}

/* Sets outcome and pending. */
static void calculate(struct compute *compute)
{
    compute->outcome = STATUS_READY;
    switch (compute->operation) {
    case ADD:
        compute->pending = compute->a + compute->b;
        return;
    case SUBTRACT:
        compute->pending = compute->a - compute->b;
        return;
    case MULTIPLY:
        compute->pending = compute->a * compute->b;
        return;
    case DIVIDE:
        if (compute->b != 0) {
            compute->pending = compute->a / compute->b;
            return;
        }
        break;
    }
    compute->outcome = STATUS_ERROR;
    compute->pending = 0;
}

static void control(struct trestle_device *dev, uint64_t bits)
{
    struct compute *compute = trestle_device_state(dev);
    if (bits & CONTROL_RESET) {
        compute_reset(dev);
        trestle_device_wake_at(dev, 0, TRESTLE_TIME_NEVER);
    } else if (bits & CONTROL_TRIGGER) {
        if (compute->status & STATUS_BUSY) {
            trestle_device_log(dev, TRESTLE_LOG_WARNING, "trigger while busy ignored");
            return;
        }
        calculate(compute);
        compute->status = (compute->status & STATUS_PEER_READY) | STATUS_BUSY;
        trestle_device_wake_after(dev, 0, compute->latency);
    }
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

static void ask_peer(struct trestle_device *dev, uint64_t data)
{
    struct compute *compute = trestle_device_state(dev);
    struct trestle_peer peer = {TRESTLE_PEER_REQUEST, ++compute->peer_tag, data};
    compute->status &= ~STATUS_PEER_READY;
    int r = send_peer(dev, &peer);
    if (r < 0) {
        compute->status |= STATUS_ERROR;
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "PEER_OUT: %s",
                           r == -ENOTCONN ? "port peer is not linked" : "sending failed");
    }
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

static int compute_read(struct trestle_device *dev, struct trestle_request *req,
                        const struct trestle_access *access, uint64_t *ret_data)
{
    struct compute *compute = trestle_device_state(dev);
    switch (access->offset) {
    case OPERAND_A:
        *ret_data = compute->a;
        break;
    case OPERAND_B:
        *ret_data = compute->b;
        break;
    case OPERATION:
        *ret_data = compute->operation;
        break;
    case RESULT:
        *ret_data = compute->result;
        break;
    case STATUS:
        *ret_data = compute->status;
        break;
    case PEER_IN:
        *ret_data = compute->peer_in;
        compute->status &= ~STATUS_PEER_READY;
        break;
    default: /* CONTROL, PEER_OUT */
        *ret_data = 0;
        break;
    }
    return 0;
}

static int compute_write(struct trestle_device *dev, struct trestle_request *req,
                         const struct trestle_access *access)
{
    struct compute *compute = trestle_device_state(dev);
    switch (access->offset) {
    case OPERAND_A:
        compute->a = (uint32_t)access->data;
        break;
    case OPERAND_B:
        compute->b = (uint32_t)access->data;
        break;
    case OPERATION:
        compute->operation = (uint32_t)access->data;
        break;
    case CONTROL:
        control(dev, access->data);
        break;
    case PEER_OUT:
        ask_peer(dev, access->data);
        break;
    default:
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "write to read-only register 0x%02" PRIx64,
                           access->offset);
        break;
    }
    return 0;
}

const struct trestle_model trestle_compute_model = {
    .size = sizeof(trestle_compute_model),
    .name = "compute",
    .region_size = 0x20,
    .access_sizes = 4,
    .peer_ports = 1,
    .timers = 1,
    .state_size = sizeof(struct compute),
    .init = compute_init,
    .reset = compute_reset,
    .read = compute_read,
    .write = compute_write,
    .wake = compute_wake,
    .message = compute_message,
};
