/* SPDX-License-Identifier: MIT */
/*
 * virtio-console: a console, as virtio's device 3 with one port.
 *
 * What the driver sends goes to the host (trestle_device_output()) at once. Input from the host
 * goes into the driver's buffers; while there are none, it waits outside. So it does until the
 * driver has sent something: Linux's drops what comes before the console is there, and says in no
 * other way that it is.
 *
 * Parameters: none.
 */
#include "trestle/virtio.h"

#define PIECE 4096u
#define OUTPUT_MAX 1048576u /* bytes of one chain */

enum { RECEIVE, TRANSMIT, QUEUES };

struct console {
    struct trestle_virtio *virtio;
    struct trestle_virtio_chain buffer; /* of RECEIVE: the next to be filled */
    bool has_buffer, has_spoken;
};

/* One without room is given back: the driver has made a mistake, which harms nobody. */
static void look_for_buffer(struct trestle_device *dev)
{
    struct console *console = trestle_device_state(dev);
    for (unsigned i = 0; i < TRESTLE_VIRTIO_QUEUE_SIZE && !console->has_buffer; i++) {
        if (trestle_virtio_pop(dev, RECEIVE, &console->buffer) <= 0)
            break;
        console->has_buffer = console->buffer.in_bytes > 0;
        if (!console->has_buffer)
            trestle_virtio_push(dev, RECEIVE, &console->buffer, 0);
    }
    uint64_t room = console->has_buffer ? console->buffer.in_bytes : 0;
    trestle_device_accept_input(dev, room < PIECE ? (size_t)room : PIECE);
    trestle_virtio_signal(dev, RECEIVE);
}

static void console_input(struct trestle_device *dev, const void *data, size_t size)
{
    struct console *console = trestle_device_state(dev);
    console->has_buffer = false;
    int64_t written = trestle_virtio_write(dev, &console->buffer, 0, data, size);
    if (written >= 0)
        trestle_virtio_push(dev, RECEIVE, &console->buffer, (uint32_t)written);
    look_for_buffer(dev);
}

/* All of a chain, in pieces; false: the device needs a reset. */
static bool output(struct trestle_device *dev, const struct trestle_virtio_chain *chain)
{
    uint8_t bytes[PIECE];
    for (uint64_t done = 0; done < chain->out_bytes; done += PIECE) {
        int64_t n = trestle_virtio_read(dev, chain, done, bytes, sizeof(bytes));
        if (n < 0)
            return false;
        (void)trestle_device_output(dev, bytes, (size_t)n); /* without a listener it is lost */
    }
    return true;
}

static void transmit(struct trestle_device *dev)
{
    struct trestle_virtio_chain chain;
    for (unsigned i = 0; i < TRESTLE_VIRTIO_QUEUE_SIZE; i++) {
        if (trestle_virtio_pop(dev, TRANSMIT, &chain) <= 0)
            break;
        if (chain.out_bytes > OUTPUT_MAX) {
            trestle_virtio_refuse(dev, "the driver sends more than %u bytes at a time", OUTPUT_MAX);
            break;
        }
        if (!output(dev, &chain))
            break;
        trestle_virtio_push(dev, TRANSMIT, &chain, 0);
    }
    trestle_virtio_signal(dev, TRANSMIT);
}

static void console_notify(struct trestle_device *dev, uint32_t queue)
{
    struct console *console = trestle_device_state(dev);
    if (queue == TRANSMIT)
        transmit(dev);
    console->has_spoken |= queue == TRANSMIT;
    if (console->has_spoken)
        look_for_buffer(dev);
}

static void console_reset(struct trestle_device *dev)
{
    struct console *console = trestle_device_state(dev);
    console->has_buffer = console->has_spoken = false;
}

static const struct trestle_virtio_kind kind = {.size = sizeof(kind),
                                                .id = 3,
                                                .num_queues = QUEUES,
                                                .notify = console_notify,
                                                .reset = console_reset};

static int console_init(struct trestle_device *dev, const struct trestle_params *params)
{
    (void)params;
    return trestle_virtio_create(dev, &kind, 0);
}

const struct trestle_model trestle_virtio_console_model = {
    .size = sizeof(trestle_virtio_console_model),
    .name = "virtio-console",
    .doc = "A console whose other end is on the host, by virtio.",
    TRESTLE_VIRTIO_MODEL(QUEUES),
    .pci = TRESTLE_VIRTIO_PCI(3, 0x078000),
    .has_output = true,
    .input = console_input,
    .state_size = sizeof(struct console),
    .init = console_init,
    .reset = trestle_virtio_reset,
    .fini = trestle_virtio_fini,
};
