/* SPDX-License-Identifier: MIT */
/* A live bridge and raw clients of it, driven from one thread: nothing here waits for time, only
 * for what the bridge does when it is polled. */
#ifndef TRESTLE_TESTS_BRIDGE_FIXTURE_H
#define TRESTLE_TESTS_BRIDGE_FIXTURE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "trestle/bridge.h"
#include "trestle/wire.h"

#define BASE UINT64_C(0x10200000)
#define STRIDE UINT64_C(0x100000)

/* Registers of the test's model; all widths. */
enum {
    REG_VALUE = 0x00,    /* 8 bytes of memory */
    REG_DEFERRED = 0x08, /* read: answered 500 ns later with 0xdef */
    REG_NEVER = 0x10,    /* read: answered never, but by a reset */
    REG_FAIL = 0x18,     /* refused */
    REG_RESETS = 0x20,   /* how often the device was reset */
    REG_IRQ = 0x28,      /* write: the level of line 0 */
    REG_TIMER = 0x30,    /* write: so many nanoseconds later, line 1 goes up */
    REG_DMA = 0x38, /* write: copies so many bytes from DMA_FROM to DMA_TO in guest memory, then
                     * line 0 goes up */
    REG_DMA_STATUS = 0x40, /* read: minus what dma_done() said, or 1 while it runs */
    REG_END = 0x48,
};

#define DMA_FROM UINT64_C(0x80000100)
#define DMA_TO UINT64_C(0x80080000)
#define DMA_MAX 0x40000u

struct memory_state {
    uint64_t value, resets, dma_size;
    int dma_status;
    struct trestle_request *pending;
    uint8_t buffer[DMA_MAX];
};

static inline int memory_read(struct trestle_device *dev, struct trestle_request *req,
                              const struct trestle_access *access, uint64_t *ret_data)
{
    struct memory_state *s = trestle_device_state(dev);
    switch (access->offset & ~UINT64_C(7)) {
    case REG_VALUE:
        *ret_data = s->value >> (8 * (access->offset & 7));
        return 0;
    case REG_RESETS:
        *ret_data = s->resets;
        return 0;
    case REG_DMA_STATUS:
        *ret_data = s->dma_status > 0 ? 1 : (uint64_t)-s->dma_status;
        return 0;
    case REG_DEFERRED:
        s->pending = req;
        trestle_device_wake_at(dev, 0, trestle_device_now(dev) + 500 * TRESTLE_NS);
        return -EINPROGRESS;
    case REG_NEVER:
        s->pending = req;
        return -EINPROGRESS;
    default:
        return -EIO;
    }
}

static inline int memory_write(struct trestle_device *dev, struct trestle_request *req,
                               const struct trestle_access *access)
{
    struct memory_state *s = trestle_device_state(dev);
    (void)req;
    switch (access->offset) {
    case REG_VALUE:
        s->value = access->data;
        return 0;
    case REG_IRQ:
        trestle_device_irq(dev, 0, access->data & 1);
        return 0;
    case REG_TIMER:
        trestle_device_wake_at(dev, 1, trestle_device_now(dev) + access->data * TRESTLE_NS);
        return 0;
    case REG_DMA:
        s->dma_status = 1;
        s->dma_size = access->data;
        return trestle_device_dma_read(dev, DMA_FROM, s->buffer, s->dma_size, 1);
    default:
        return -EIO;
    }
}

static inline void memory_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    struct memory_state *s = trestle_device_state(dev);
    if (tag == 1 && status == 0)
        status = trestle_device_dma_write(dev, DMA_TO, s->buffer, s->dma_size, 2);
    if (tag == 1 && status == 0)
        return;
    s->dma_status = status;
    trestle_device_irq(dev, 0, true);
}

static inline void memory_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct memory_state *s = trestle_device_state(dev);
    (void)now;
    if (timer == 1)
        trestle_device_irq(dev, 1, true);
    else
        trestle_request_complete(s->pending, 0, 0xdef);
}

static inline void memory_reset(struct trestle_device *dev)
{
    struct memory_state *s = trestle_device_state(dev);
    s->pending = NULL;
    s->resets++;
}

static const struct trestle_model memory_model = {.size = sizeof(memory_model),
                                                  .name = "memory",
                                                  .region_size = REG_END,
                                                  .access_sizes = 1 | 2 | 4 | 8,
                                                  .irq_lines = 2,
                                                  .timers = 2,
                                                  .state_size = sizeof(struct memory_state),
                                                  .reset = memory_reset,
                                                  .read = memory_read,
                                                  .write = memory_write,
                                                  .wake = memory_wake,
                                                  .dma_done = memory_dma_done};

struct fixture {
    struct trestle_bridge *bridge;
    char log[16384];
};

static inline void fixture_log(void *ctx, enum trestle_log_level level, const char *text)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->log);
    (void)level;
    snprintf(f->log + used, sizeof(f->log) - used, "%s\n", text);
}

/* Of the last device; a test may choose another before the bridge is opened. */
static const struct trestle_model *last_model = &memory_model;

static inline void add_devices(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "dev%u", i);
        struct trestle_bridge_device device = {.size = sizeof(device),
                                               .name = name,
                                               .model = i < count - 1 ? &memory_model : last_model,
                                               .base_addr = BASE + i * STRIDE,
                                               .region_size = 4096};
        assert_int_equal(trestle_bridge_add_device(f->bridge, &device, NULL, NULL), 0);
    }
}

static enum trestle_wait fixture_wait = TRESTLE_WAIT_SLEEP;

static inline int open_fixture(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    struct trestle_bridge_options options = {
        .size = sizeof(options), .wait = fixture_wait, .log = fixture_log, .ctx = &f};
    char *error = NULL;
    assert_int_equal(trestle_bridge_create(&options, &f.bridge, NULL), 0);
    add_devices(&f, 3);
    if (trestle_bridge_listen(f.bridge, &error) < 0)
        fail_msg("%s", error);
    *state = &f;
    return 0;
}

static inline int close_fixture(void **state)
{
    struct fixture *f = *state;
    trestle_bridge_destroy(f->bridge);
    return 0;
}

static inline void turn(struct fixture *f)
{
    assert_int_equal(trestle_bridge_poll(f->bridge, 0), 0);
}

static inline bool log_has(const struct fixture *f, const char *text)
{
    return strstr(f->log, text) != NULL;
}

#define assert_log_has(f, text)                                        \
    do {                                                               \
        if (!log_has(f, text))                                         \
            fail_msg("\"%s\" is not in the log:\n%s", text, (f)->log); \
    } while (0)

/* Polls until the log has the text: what the bridge says is the event that tests wait for. */
static inline void wait_for_log(struct fixture *f, const char *text)
{
    for (unsigned i = 0; i < 100000 && !log_has(f, text); i++)
        turn(f);
    assert_log_has(f, text);
}

static inline int client_connect(struct fixture *f, uint32_t index)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = trestle_bridge_socket_path(f->bridge, index);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline void client_send(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

/* Polls until `size` bytes are there. False: end of file came first. */
static inline bool client_receive(struct fixture *f, int fd, void *bytes, size_t size)
{
    size_t have = 0;
    for (unsigned i = 0; i < 1000000 && have < size; i++) {
        turn(f);
        ssize_t n = recv(fd, (uint8_t *)bytes + have, size - have, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        if (n > 0)
            have += (size_t)n;
    }
    if (have < size)
        fail_msg("no answer after a million turns; the log:\n%s", f->log);
    return true;
}

static inline bool client_is_closed(struct fixture *f, int fd)
{
    uint8_t byte;
    return !client_receive(f, fd, &byte, 1);
}

#endif
