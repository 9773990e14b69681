/* SPDX-License-Identifier: MIT */
/*
 * dma: copies guest memory, and interrupts when it is done.
 *
 * A start takes SRC, DST and LENGTH as they are, sets busy and clears done and error. When LATENCY
 * cycles have passed, the bytes are copied upwards in pieces of 65536 through a buffer, so source
 * and destination must not overlap; then busy clears and done sets. An address that is not guest
 * memory, or a LENGTH above max_length, sets error instead; what was copied before remains. A
 * start while busy is ignored and logged. Length 0 copies nothing and is done.
 * The end sets its bit in INT_STATUS if interrupt enable is set in CTRL at that time. Interrupt
 * line 0 is high while INT_STATUS & INT_ENABLE is not 0.
 * Reset clears all registers but LATENCY, ends a copy, and wins over a start in the same write.
 *
 * Parameters: default_latency (100 cycles), clock (1GHz), max_length (16777216 bytes).
 */
#include <errno.h>
#include <inttypes.h>

#include "trestle/registers.h"

#define CTRL_START 1u
#define CTRL_RESET 2u
#define CTRL_INT_ENABLE 4u
#define STATUS_BUSY 1u
#define STATUS_DONE 2u
#define STATUS_ERROR 4u
#define INT_DONE 1u
#define INT_ERROR 2u

#define PIECE 65536u

enum phase { IDLE, WAITING, READING, WRITING };

struct dma {
    /* The registers. */
    uint32_t ctrl, status, int_status, int_enable, length, latency, data;
    uint64_t src, dst;
    trestle_time clock;
    uint64_t max_length;
    /* The copy under way. */
    enum phase phase;
    uint64_t from, to;
    uint32_t left, piece;
    uint8_t buffer[PIECE];
};

static int dma_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct dma *dma = trestle_device_state(dev);
    uint64_t latency = 0;
    int r = trestle_params_period(params, "clock", TRESTLE_NS, &dma->clock);
    if (r == 0)
        r = trestle_params_u64(params, "default_latency", 100, &latency);
    if (r == 0 && latency > UINT32_MAX)
        r = trestle_params_refuse(params, "default_latency", "a number of 32 bits");
    if (r == 0)
        r = trestle_params_u64(params, "max_length", 16u << 20, &dma->max_length);
    dma->latency = (uint32_t)latency;
    return r;
}

static void update_irq(struct trestle_device *dev)
{
    const struct dma *dma = trestle_device_state(dev);
    trestle_irq_update(dev, 0, dma->int_status & dma->int_enable);
}

static void dma_reset(struct trestle_device *dev)
{
    struct dma *dma = trestle_device_state(dev);
    dma->phase = IDLE;
}

static void finish(struct trestle_device *dev, bool ok)
{
    struct dma *dma = trestle_device_state(dev);
    dma->phase = IDLE;
    dma->status = ok ? STATUS_DONE : STATUS_ERROR;
    if (dma->ctrl & CTRL_INT_ENABLE)
        dma->int_status |= ok ? INT_DONE : INT_ERROR;
    update_irq(dev);
}

/* Asks for the next half of a piece: its bytes, or their writing. */
static void step(struct trestle_device *dev)
{
    struct dma *dma = trestle_device_state(dev);
    if (dma->left == 0) {
        finish(dev, true);
        return;
    }
    int r;
    dma->piece = dma->left < PIECE ? dma->left : PIECE;
    if (dma->phase == READING)
        r = trestle_device_dma_read(dev, dma->from, dma->buffer, dma->piece, 0);
    else
        r = trestle_device_dma_write(dev, dma->to, dma->buffer, dma->piece, 0);
    if (r < 0) {
        if (r == -ENOTSUP)
            trestle_device_log(dev, TRESTLE_LOG_WARNING, "no access to guest memory in this run");
        finish(dev, false);
    }
}

static void dma_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    struct dma *dma = trestle_device_state(dev);
    if (status < 0) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "copy failed: %s 0x%" PRIx64 " is not guest memory",
                           dma->phase == READING ? "source" : "destination",
                           dma->phase == READING ? dma->from : dma->to);
        finish(dev, false);
        return;
    }
    if (dma->phase == READING) {
        dma->phase = WRITING;
    } else {
        dma->phase = READING;
        dma->from += dma->piece;
        dma->to += dma->piece;
        dma->left -= dma->piece;
    }
    step(dev);
}

static void dma_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct dma *dma = trestle_device_state(dev);
    dma->phase = READING;
    if (dma->left > dma->max_length) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "length %" PRIu32 " is above max_length",
                           dma->left);
        finish(dev, false);
        return;
    }
    step(dev);
}

static void start(struct trestle_device *dev)
{
    struct dma *dma = trestle_device_state(dev);
    trestle_time latency;
    if (dma->phase != IDLE) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "start while busy ignored");
        return;
    }
    dma->phase = WAITING;
    dma->from = dma->src;
    dma->to = dma->dst;
    dma->left = dma->length;
    dma->status = STATUS_BUSY;
    if (__builtin_mul_overflow(dma->clock, (trestle_time)dma->latency, &latency))
        latency = TRESTLE_TIME_NEVER;
    trestle_device_wake_after(dev, 0, latency);
}

static int ctrl_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    if (access->value & CTRL_RESET)
        trestle_device_self_reset(dev);
    else if (access->value & CTRL_START)
        start(dev);
    return 0;
}

static int int_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    update_irq(dev);
    return 0;
}

static int cycle_count_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct dma *dma = trestle_device_state(dev);
    access->value = trestle_device_now(dev) / dma->clock;
    return 0;
}

static int data_in_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct dma *dma = trestle_device_state(dev);
    dma->data = (uint32_t)access->value;
    return 0;
}

static const struct trestle_register registers[] = {
    {"CTRL", 0x00, TRESTLE_AT(struct dma, ctrl), .on_write = ctrl_written,
     .fields = TRESTLE_FIELDS({"start", CTRL_START, TRESTLE_TRIGGER, .doc = "clears itself"},
                              {"reset", CTRL_RESET, TRESTLE_TRIGGER, .doc = "clears itself"},
                              {"int_enable", CTRL_INT_ENABLE})},
    {"STATUS", 0x04, TRESTLE_AT(struct dma, status), .access = TRESTLE_RO,
     .fields =
         TRESTLE_FIELDS({"busy", STATUS_BUSY}, {"done", STATUS_DONE}, {"error", STATUS_ERROR})},
    {"INT_STATUS", 0x08, TRESTLE_AT(struct dma, int_status), .access = TRESTLE_W1C,
     .on_write = int_written, .fields = TRESTLE_FIELDS({"done", INT_DONE}, {"error", INT_ERROR}),
     .doc = "writing 1 clears"},
    {"INT_ENABLE", 0x0c, TRESTLE_AT(struct dma, int_enable), .on_write = int_written,
     .fields = TRESTLE_FIELDS({"done", INT_DONE}, {"error", INT_ERROR})},
    {"SRC", 0x10, TRESTLE_AT_LOW(struct dma, src), .doc = "guest-physical address, low half"},
    {"DST", 0x14, TRESTLE_AT_LOW(struct dma, dst), .doc = "the same"},
    {"LENGTH", 0x18, TRESTLE_AT(struct dma, length), .doc = "bytes"},
    {"LATENCY", 0x1c, TRESTLE_AT(struct dma, latency), .keep = true,
     .doc = "from the start to the copy, in cycles"},
    {"DATA_IN", 0x20, .access = TRESTLE_TRIGGER, .on_write = data_in_written},
    {"DATA_OUT", 0x24, TRESTLE_AT(struct dma, data), .access = TRESTLE_RO,
     .doc = "the value that was written to DATA_IN"},
    {"CYCLE_COUNT", 0x28, .access = TRESTLE_RO, .on_read = cycle_count_read,
     .doc = "cycles since the start of the run, low 32 bits"},
    {"SRC_HIGH", 0x2c, TRESTLE_AT_HIGH(struct dma, src),
     .doc = "high half, for memory beyond 4 GiB"},
    {"DST_HIGH", 0x30, TRESTLE_AT_HIGH(struct dma, dst)},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_dma_model = {
    .size = sizeof(trestle_dma_model),
    .name = "dma",
    .doc = "Copies guest memory.",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("done"),
    .irq_lines = 1,
    .timers = 1,
    .state_size = sizeof(struct dma),
    .init = dma_init,
    .reset = dma_reset,
    .wake = dma_wake,
    .dma_done = dma_dma_done,
};
