/* SPDX-License-Identifier: MIT */
/* The bridge of the unit tests, its model, and raw clients. */
#include "bridge_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

struct memory_state {
    uint64_t value, resets, dma_size;
    int dma_status;
    struct trestle_request *pending;
    uint8_t buffer[DMA_MAX];
};

static int memory_read(struct trestle_device *dev, struct trestle_request *req,
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

static int memory_write(struct trestle_device *dev, struct trestle_request *req,
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

static void memory_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    struct memory_state *s = trestle_device_state(dev);
    if (tag == 1 && status == 0)
        status = trestle_device_dma_write(dev, DMA_TO, s->buffer, s->dma_size, 2);
    if (tag == 1 && status == 0)
        return;
    s->dma_status = status;
    trestle_device_irq(dev, 0, true);
}

static void memory_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct memory_state *s = trestle_device_state(dev);
    (void)now;
    if (timer == 1)
        trestle_device_irq(dev, 1, true);
    else
        trestle_request_complete(s->pending, 0, 0xdef);
}

/* Line 1 goes up so many nanoseconds later. */
static void memory_input(struct trestle_device *dev, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    trestle_device_wake_after(dev, 1, bytes[0] * TRESTLE_NS);
}

static int memory_init(struct trestle_device *dev, const struct trestle_params *params)
{
    trestle_device_accept_input(dev, 4);
    return 0;
}

static void memory_reset(struct trestle_device *dev)
{
    struct memory_state *s = trestle_device_state(dev);
    s->pending = NULL;
    s->resets++;
}

const struct trestle_model memory_model = {.size = sizeof(memory_model),
                                           .name = "memory",
                                           .region_size = REG_END,
                                           .access_sizes = 1 | 2 | 4 | 8,
                                           .irq_lines = 2,
                                           .timers = 2,
                                           .state_size = sizeof(struct memory_state),
                                           .init = memory_init,
                                           .input = memory_input,
                                           .reset = memory_reset,
                                           .read = memory_read,
                                           .write = memory_write,
                                           .wake = memory_wake,
                                           .dma_done = memory_dma_done};

const struct trestle_model *last_model = &memory_model;
uint64_t first_base = BASE;
uint32_t lines_that_lead = 2;
enum trestle_wait fixture_wait = TRESTLE_WAIT_SLEEP;

void fixture_log(void *ctx, enum trestle_log_level level, const char *text)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->log);
    (void)level;
    snprintf(f->log + used, sizeof(f->log) - used, "%s\n", text);
}

void add_devices(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "dev%u", i);
        struct trestle_bridge_device device = {.size = sizeof(device),
                                               .name = name,
                                               .model = i < count - 1 ? &memory_model : last_model,
                                               .base_addr = i ? BASE + i * STRIDE : first_base,
                                               .region_size = 4096};
        assert_int_equal(trestle_bridge_add_device(f->bridge, &device, NULL, NULL), 0);
    }
}

int open_fixture(void **state)
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

int close_fixture(void **state)
{
    struct fixture *f = *state;
    trestle_bridge_destroy(f->bridge);
    return 0;
}

void turn(struct fixture *f)
{
    assert_int_equal(trestle_bridge_poll(f->bridge, 0), 0);
}

bool log_has(const struct fixture *f, const char *text)
{
    return strstr(f->log, text) != NULL;
}

void wait_for_log(struct fixture *f, const char *text)
{
    for (unsigned i = 0; i < 100000 && !log_has(f, text); i++)
        turn(f);
    assert_log_has(f, text);
}

int client_connect(struct fixture *f, uint32_t index)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = trestle_bridge_socket_path(f->bridge, index);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void client_send(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

bool client_receive(struct fixture *f, int fd, void *bytes, size_t size)
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

bool client_is_closed(struct fixture *f, int fd)
{
    uint8_t byte;
    return !client_receive(f, fd, &byte, 1);
}
