/* SPDX-License-Identifier: MIT */
/*
 * dma: copies guest memory, and interrupts when it is done.
 *
 * offset  register     access  bits
 * 0x00    CTRL         RW      0 start, 1 reset (both clear themselves), 2 interrupt enable
 * 0x04    STATUS       R       0 busy, 1 done, 2 error
 * 0x08    INT_STATUS   RW      0 done, 1 error; writing 1 clears
 * 0x0C    INT_ENABLE   RW      0 done, 1 error
 * 0x10    SRC          RW      guest-physical address, low 32 bits
 * 0x14    DST          RW      the same
 * 0x18    LENGTH       RW      bytes
 * 0x1C    LATENCY      RW      cycles from start to the copy
 * 0x20    DATA_IN      W       reads as 0
 * 0x24    DATA_OUT     R       what was written to DATA_IN
 * 0x28    CYCLE_COUNT  R       cycles of the clock since the start of the run, low 32 bits
 * 0x2C    SRC_HIGH     RW      high 32 bits of the addresses, for guests with memory beyond 4 GiB
 * 0x30    DST_HIGH     RW
 *
 * All registers are 32 bits and take 32-bit accesses only.
 * A start takes SRC, DST and LENGTH as they are, sets busy and clears done and error. When LATENCY
 * cycles have passed, the bytes are copied upwards in pieces of 65536 through a buffer, so source
 * and destination must not overlap; then busy clears and done sets. An address that is not guest
 * memory, or a LENGTH above max_length, sets error instead; what was copied before remains. A
 * start while busy is ignored and logged. Length 0 copies nothing and is done.
 * The end sets its bit in INT_STATUS if interrupt enable is set in CTRL at that time. Interrupt
 * line 0 is high while INT_STATUS & INT_ENABLE is not 0.
 * Reset clears all registers but LATENCY, and wins over a start in the same write. A piece that
 * the guest's memory is being asked for at that moment still arrives, and is all that does.
 *
 * Parameters: default_latency (100 cycles), clock (1GHz), max_length (16777216 bytes).
 */
#include <errno.h>
#include <inttypes.h>

#include "trestle/device.h"

enum {
    CTRL = 0x00,
    STATUS = 0x04,
    INT_STATUS = 0x08,
    INT_ENABLE = 0x0c,
    SRC = 0x10,
    DST = 0x14,
    LENGTH = 0x18,
    LATENCY = 0x1c,
    DATA_IN = 0x20,
    DATA_OUT = 0x24,
    CYCLE_COUNT = 0x28,
    SRC_HIGH = 0x2c,
    DST_HIGH = 0x30,
};

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

struct registers {
    uint32_t ctrl, status, int_status, int_enable, length, data;
    uint64_t src, dst;
};

struct dma {
    struct registers regs;
    uint32_t latency;
    trestle_time clock;
    uint64_t max_length;
    /* The copy under way. */
    enum phase phase;
    uint64_t src, dst;
    uint32_t left, piece;
    /* A transfer outlives a reset by the guest's CTRL, and so does its hold on the buffer. The
     * generation, which counts resets, tells its end from that of a newer one. */
    bool in_flight;
    uint64_t generation;
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
    trestle_device_irq(dev, 0, (dma->regs.int_status & dma->regs.int_enable) != 0);
}

static void clear(struct trestle_device *dev)
{
    struct dma *dma = trestle_device_state(dev);
    dma->regs = (struct registers){0};
    dma->phase = IDLE;
    dma->generation++;
    trestle_device_wake_at(dev, 0, TRESTLE_TIME_NEVER);
    update_irq(dev);
}

static void dma_reset(struct trestle_device *dev)
{
    struct dma *dma = trestle_device_state(dev);
    clear(dev);
    dma->in_flight = false; /* the library has seen to it */
}

static void finish(struct trestle_device *dev, bool ok)
{
    struct dma *dma = trestle_device_state(dev);
    dma->phase = IDLE;
    dma->regs.status = ok ? STATUS_DONE : STATUS_ERROR;
    if (dma->regs.ctrl & CTRL_INT_ENABLE)
        dma->regs.int_status |= ok ? INT_DONE : INT_ERROR;
    update_irq(dev);
}

/* Asks for the next half of a piece: its bytes, or their writing. */
static void step(struct trestle_device *dev)
{
    struct dma *dma = trestle_device_state(dev);
    if (dma->in_flight)
        return; /* of before a reset; its end brings us here again */
    if (dma->left == 0) {
        finish(dev, true);
        return;
    }
    int r;
    dma->piece = dma->left < PIECE ? dma->left : PIECE;
    if (dma->phase == READING)
        r = trestle_device_dma_read(dev, dma->src, dma->buffer, dma->piece, dma->generation);
    else
        r = trestle_device_dma_write(dev, dma->dst, dma->buffer, dma->piece, dma->generation);
    dma->in_flight = r == 0;
    if (r < 0) {
        if (r == -ENOTSUP)
            trestle_device_log(dev, TRESTLE_LOG_WARNING, "no access to guest memory in this run");
        finish(dev, false);
    }
}

static void dma_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    struct dma *dma = trestle_device_state(dev);
    dma->in_flight = false;
    if (tag != dma->generation) {
        if (dma->phase == READING)
            step(dev);
        return;
    }
    if (status < 0) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "copy failed: %s 0x%" PRIx64 " is not guest memory",
                           dma->phase == READING ? "source" : "destination",
                           dma->phase == READING ? dma->src : dma->dst);
        finish(dev, false);
        return;
    }
    if (dma->phase == READING) {
        dma->phase = WRITING;
    } else {
        dma->phase = READING;
        dma->src += dma->piece;
        dma->dst += dma->piece;
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
    dma->src = dma->regs.src;
    dma->dst = dma->regs.dst;
    dma->left = dma->regs.length;
    dma->regs.status = STATUS_BUSY;
    if (__builtin_mul_overflow(dma->clock, (trestle_time)dma->latency, &latency))
        latency = TRESTLE_TIME_NEVER;
    trestle_device_wake_after(dev, 0, latency);
}

static void control(struct trestle_device *dev, uint32_t bits)
{
    struct dma *dma = trestle_device_state(dev);
    if (bits & CTRL_RESET) {
        clear(dev);
        return;
    }
    dma->regs.ctrl = bits & CTRL_INT_ENABLE;
    if (bits & CTRL_START)
        start(dev);
}

static uint32_t read_register(struct trestle_device *dev, uint64_t offset)
{
    const struct dma *dma = trestle_device_state(dev);
    const struct registers *regs = &dma->regs;
    switch (offset) {
    case CTRL:
        return regs->ctrl;
    case STATUS:
        return regs->status;
    case INT_STATUS:
        return regs->int_status;
    case INT_ENABLE:
        return regs->int_enable;
    case SRC:
        return (uint32_t)regs->src;
    case DST:
        return (uint32_t)regs->dst;
    case SRC_HIGH:
        return (uint32_t)(regs->src >> 32);
    case DST_HIGH:
        return (uint32_t)(regs->dst >> 32);
    case LENGTH:
        return regs->length;
    case LATENCY:
        return dma->latency;
    case DATA_OUT:
        return regs->data;
    case CYCLE_COUNT:
        return (uint32_t)(trestle_device_now(dev) / dma->clock);
    default: /* DATA_IN */
        return 0;
    }
}

static int dma_read(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access, uint64_t *ret_data)
{
    *ret_data = read_register(dev, access->offset);
    return 0;
}

static uint64_t with_low(uint64_t value, uint32_t low)
{
    return (value & ~(uint64_t)UINT32_MAX) | low;
}

static uint64_t with_high(uint64_t value, uint32_t high)
{
    return (value & UINT32_MAX) | (uint64_t)high << 32;
}

static int dma_write(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access)
{
    struct dma *dma = trestle_device_state(dev);
    struct registers *regs = &dma->regs;
    uint32_t data = (uint32_t)access->data;
    switch (access->offset) {
    case CTRL:
        control(dev, data);
        return 0;
    case INT_STATUS:
        regs->int_status &= ~data;
        update_irq(dev);
        return 0;
    case INT_ENABLE:
        regs->int_enable = data & (INT_DONE | INT_ERROR);
        update_irq(dev);
        return 0;
    case SRC:
        regs->src = with_low(regs->src, data);
        return 0;
    case DST:
        regs->dst = with_low(regs->dst, data);
        return 0;
    case SRC_HIGH:
        regs->src = with_high(regs->src, data);
        return 0;
    case DST_HIGH:
        regs->dst = with_high(regs->dst, data);
        return 0;
    case LENGTH:
        regs->length = data;
        return 0;
    case LATENCY:
        dma->latency = data;
        return 0;
    case DATA_IN:
        regs->data = data;
        return 0;
    default:
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "write to read-only register 0x%02" PRIx64,
                           access->offset);
        return 0;
    }
}

const struct trestle_model trestle_dma_model = {
    .size = sizeof(trestle_dma_model),
    .name = "dma",
    .region_size = 0x34,
    .access_sizes = 4,
    .irq_lines = 1,
    .timers = 1,
    .state_size = sizeof(struct dma),
    .init = dma_init,
    .reset = dma_reset,
    .read = dma_read,
    .write = dma_write,
    .wake = dma_wake,
    .dma_done = dma_dma_done,
};
