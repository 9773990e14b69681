/* SPDX-License-Identifier: MIT */
/* What passes between a device and the world, made into records for an observer. */
#include "device.h"

#include "trace/trace.h"

static void observe(struct trestle_device *dev, struct trestle_trace_record *record)
{
    record->time = dev->facts.sim->now;
    dev->facts.sim->observe(dev->facts.sim->observe_ctx, dev, record);
}

void observe_access(struct trestle_device *dev, const struct trestle_request *req)
{
    struct trestle_trace_record record = {.kind =
                                              req->write ? TRESTLE_TRACE_WRITE : TRESTLE_TRACE_READ,
                                          .number = req->access.region,
                                          .size = req->access.size,
                                          .addr = req->access.offset,
                                          .data = req->write ? req->access.data : 0};
    observe(dev, &record);
}

void observe_answer(struct trestle_device *dev, const struct trestle_request *req)
{
    struct trestle_trace_record record = {
        .kind = TRESTLE_TRACE_ANSWER, .status = req->status, .data = req->ret_data};
    observe(dev, &record);
}

void observe_irq(struct trestle_device *dev, uint32_t line, bool level)
{
    struct trestle_trace_record record = {.kind = TRESTLE_TRACE_IRQ, .number = line, .data = level};
    observe(dev, &record);
}

void observe_reset(struct trestle_device *dev, bool is_alone)
{
    struct trestle_trace_record record = {.kind = TRESTLE_TRACE_RESET,
                                          .number = is_alone ? TRESTLE_TRACE_RESET_ALONE
                                                             : TRESTLE_TRACE_RESET_GUEST};
    observe(dev, &record);
}

void observe_message(struct trestle_device *dev, bool is_sent, uint32_t port, const void *data,
                     size_t size)
{
    struct trestle_trace_record record = {.kind =
                                              is_sent ? TRESTLE_TRACE_SEND : TRESTLE_TRACE_RECEIVE,
                                          .number = port,
                                          .size = (uint32_t)size,
                                          .bytes = data};
    observe(dev, &record);
}

void observe_input(struct trestle_device *dev, const void *data, size_t size)
{
    struct trestle_trace_record record = {
        .kind = TRESTLE_TRACE_INPUT, .size = (uint32_t)size, .bytes = data};
    observe(dev, &record);
}

/* --- transfers ------------------------------------------------------------------------------- */

static void observe_bytes(struct trestle_device *dev, uint32_t transfer, const uint8_t *bytes,
                          size_t size)
{
    while (size > 0) {
        size_t piece = size < TRESTLE_TRACE_DATA_MAX ? size : TRESTLE_TRACE_DATA_MAX;
        struct trestle_trace_record record = {.kind = TRESTLE_TRACE_DMA_DATA,
                                              .number = transfer,
                                              .size = (uint32_t)piece,
                                              .bytes = bytes};
        observe(dev, &record);
        bytes += piece;
        size -= piece;
    }
}

void observe_dma(struct trestle_device *dev, bool write, uint32_t transfer, uint64_t addr,
                 const void *buf, size_t size)
{
    struct trestle_trace_record record = {.kind = write ? TRESTLE_TRACE_DMA_WRITE
                                                        : TRESTLE_TRACE_DMA_READ,
                                          .number = transfer,
                                          .addr = addr,
                                          .data = size};
    observe(dev, &record);
    if (write)
        observe_bytes(dev, transfer, buf, size);
}

static void observe_transfer_end(struct trestle_device *dev, enum trestle_trace_kind kind,
                                 uint32_t transfer, int status)
{
    struct trestle_trace_record record = {.kind = kind, .number = transfer, .status = status};
    observe(dev, &record);
}

void observe_dma_end(struct trestle_device *dev, uint32_t transfer, int status,
                     const void *read_buf, size_t size)
{
    if (read_buf)
        observe_bytes(dev, transfer, read_buf, size);
    observe_transfer_end(dev, TRESTLE_TRACE_DMA_END, transfer, status);
}

void observe_dma_refused(struct trestle_device *dev, uint32_t transfer, int status)
{
    observe_transfer_end(dev, TRESTLE_TRACE_DMA_REFUSED, transfer, status);
}
