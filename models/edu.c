/* SPDX-License-Identifier: MIT */
/*
 * edu: the device that driver courses teach with, as QEMU's "edu" has it: a check that it is alive,
 * a factorial that takes its time, interrupts, and DMA between guest memory and a buffer.
 *
 * Its one interrupt line is high while IRQ_STATUS is not 0. The buffer has the addresses 0x40000 to
 * 0x40fff, in SRC or DST. A DMA that does not fit into it is ignored and logged; one whose other
 * address is not guest memory, or for which the guest has not allowed the device to be a bus
 * master, ends without having moved all of it, and is logged. The factorial is that of a number of
 * 32 bits, and wraps.
 *
 * Parameters: clock (100MHz), latency (1000 cycles, of a factorial and of a DMA).
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "trestle/registers.h"

#define ID_VALUE 0x010000ed
#define STATUS_COMPUTING 0x01u
#define STATUS_INTERRUPT 0x80u
#define IRQ_FACTORIAL 0x001u
#define IRQ_DMA 0x100u
#define DMA_START 1u
#define DMA_TO_RAM 2u
#define DMA_INTERRUPT 4u
#define BUFFER 0x40000u
#define BUFFER_SIZE 4096u

enum { TIMER_FACTORIAL, TIMER_DMA, NUM_TIMERS };

struct edu {
    uint32_t id, liveness, factorial, status, irq_status;
    uint64_t src, dst, count, cmd;
    trestle_time latency;
    uint8_t buffer[BUFFER_SIZE];
};

static int edu_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct edu *edu = trestle_device_state(dev);
    trestle_time clock = 0;
    int r = trestle_params_period(params, "clock", 10 * TRESTLE_NS, &clock);
    if (r == 0)
        r = trestle_params_cycles(params, "latency", 1000, clock, &edu->latency);
    return r;
}

static void raise_irq(struct trestle_device *dev, uint32_t why)
{
    struct edu *edu = trestle_device_state(dev);
    edu->irq_status |= why;
    trestle_irq_update(dev, 0, edu->irq_status);
}

static void end_factorial(struct trestle_device *dev)
{
    struct edu *edu = trestle_device_state(dev);
    uint32_t product = 1;
    /* From 34 on all bits have been shifted out. */
    for (uint32_t n = edu->factorial > 34 ? 34 : edu->factorial; n > 1; n--)
        product *= n;
    edu->factorial = product;
    edu->status &= ~STATUS_COMPUTING;
    if (edu->status & STATUS_INTERRUPT)
        raise_irq(dev, IRQ_FACTORIAL);
}

static void end_dma(struct trestle_device *dev)
{
    struct edu *edu = trestle_device_state(dev);
    edu->cmd &= ~(uint64_t)DMA_START;
    if (edu->cmd & DMA_INTERRUPT)
        raise_irq(dev, IRQ_DMA);
}

static void begin_dma(struct trestle_device *dev)
{
    struct edu *edu = trestle_device_state(dev);
    bool to_ram = edu->cmd & DMA_TO_RAM;
    uint64_t offset = (to_ram ? edu->src : edu->dst) - BUFFER;
    uint64_t ram = to_ram ? edu->dst : edu->src;
    int r = 0;
    if (offset > BUFFER_SIZE || edu->count > BUFFER_SIZE - offset) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "a DMA of %" PRIu64 " bytes does not fit into the buffer at 0x%" PRIx64
                           "; ignored",
                           edu->count, offset + BUFFER);
        end_dma(dev);
        return;
    }
    if (edu->count > 0)
        r = to_ram ? trestle_device_dma_write(dev, ram, edu->buffer + offset, edu->count, 0)
                   : trestle_device_dma_read(dev, ram, edu->buffer + offset, edu->count, 0);
    if (r < 0)
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "a DMA cannot be: %s",
                           r == -ENOTSUP ? "this run has none" : "its address is none");
    if (r < 0 || edu->count == 0)
        end_dma(dev);
}

static void edu_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    if (status < 0)
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "a DMA failed: no guest memory there, or the device is no bus master");
    end_dma(dev);
}

static void edu_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    if (timer == TIMER_FACTORIAL)
        end_factorial(dev);
    else
        begin_dma(dev);
}

/* --- registers ------------------------------------------------------------------------------- */

static int liveness_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct edu *edu = trestle_device_state(dev);
    edu->liveness = ~(uint32_t)access->value;
    return 0;
}

/* While one is computed, another is ignored. */
static int factorial_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct edu *edu = trestle_device_state(dev);
    if (edu->status & STATUS_COMPUTING) {
        edu->factorial = (uint32_t)access->old;
        return 0;
    }
    edu->status |= STATUS_COMPUTING;
    trestle_device_wake_after(dev, TIMER_FACTORIAL, edu->latency);
    return 0;
}

static int raise_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    raise_irq(dev, (uint32_t)access->value);
    return 0;
}

static int ack_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct edu *edu = trestle_device_state(dev);
    edu->irq_status &= ~(uint32_t)access->value;
    trestle_irq_update(dev, 0, edu->irq_status);
    return 0;
}

/* While a DMA is under way, another is ignored. */
static int cmd_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct edu *edu = trestle_device_state(dev);
    if (access->old & DMA_START)
        edu->cmd = access->old;
    else if (access->value & DMA_START)
        trestle_device_wake_after(dev, TIMER_DMA, edu->latency);
    return 0;
}

static const struct trestle_register registers[] = {
    {"ID", 0x00, .access = TRESTLE_RO, .reset = ID_VALUE, TRESTLE_AT(struct edu, id),
     .doc = "0x010000ed"},
    {"LIVENESS", 0x04, TRESTLE_AT(struct edu, liveness), .on_write = liveness_written,
     .doc = "reads as the inverse of what was written"},
    {"FACTORIAL", 0x08, TRESTLE_AT(struct edu, factorial), .on_write = factorial_written,
     .doc = "a number; after a while its factorial"},
    {"STATUS", 0x20, TRESTLE_AT(struct edu, status),
     .fields = TRESTLE_FIELDS({"computing", STATUS_COMPUTING, TRESTLE_RO},
                              {"interrupt", STATUS_INTERRUPT, .doc = "after a factorial"})},
    {"IRQ_STATUS", 0x24, .access = TRESTLE_RO, TRESTLE_AT(struct edu, irq_status),
     .doc = "why the interrupt line is high"},
    {"IRQ_RAISE", 0x60, .access = TRESTLE_TRIGGER, .on_write = raise_written,
     .doc = "sets bits of IRQ_STATUS"},
    {"IRQ_ACK", 0x64, .access = TRESTLE_TRIGGER, .on_write = ack_written,
     .doc = "clears bits of IRQ_STATUS"},
    {"DMA_SRC", 0x80, TRESTLE_AT(struct edu, src), .size = 8, .widths = 4 | 8,
     .doc = "guest memory, or 0x40000 to 0x40fff, the buffer"},
    {"DMA_DST", 0x88, TRESTLE_AT(struct edu, dst), .size = 8, .widths = 4 | 8, .doc = "likewise"},
    {"DMA_COUNT", 0x90, TRESTLE_AT(struct edu, count), .size = 8, .widths = 4 | 8,
     .doc = "bytes, at most 4096"},
    {"DMA_CMD", 0x98, TRESTLE_AT(struct edu, cmd), .size = 8, .widths = 4 | 8,
     .on_write = cmd_written,
     .fields = TRESTLE_FIELDS({"start", DMA_START, .doc = "clears itself at the end"},
                              {"to_ram", DMA_TO_RAM, .doc = "from the buffer"},
                              {"interrupt", DMA_INTERRUPT, .doc = "at the end"})},
};
static const struct trestle_region region = {TRESTLE_REGION(registers), .bytes = 1 << 20};

static const struct trestle_pci pci = {.size = sizeof(pci),
                                       .vendor = 0x1234,
                                       .device = 0x11e8,
                                       .revision = 0x10,
                                       .class_code = 0x00ff00};

const struct trestle_model trestle_edu_model = {
    .size = sizeof(trestle_edu_model),
    .name = "edu",
    .doc = "What driver courses teach with: a factorial, interrupts, DMA.",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("irq"),
    .pci = &pci,
    .irq_lines = 1,
    .timers = NUM_TIMERS,
    .state_size = sizeof(struct edu),
    .init = edu_init,
    .wake = edu_wake,
    .dma_done = edu_dma_done,
};
