/* SPDX-License-Identifier: MIT */
/* The bench for unit tests of models: an engine, devices, guest memory, and who listens to them. */
#include "trestle/test.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trestle/bridge.h"
#include "trestle/models.h"

#define FIRST_BASE UINT64_C(0x10000000)
#define BASE_STEP UINT64_C(0x10000)

struct bench_device {
    struct bench_device *next;
    struct trestle_test *test;
    struct trestle_device *dev;
    struct trestle_model_library *library; /* or NULL */
    unsigned irq_count[TRESTLE_IRQ_LINES_MAX];
    uint8_t *output;
    size_t output_size;
};

struct bench_ram {
    struct bench_ram *next;
    uint64_t addr;
    size_t size;
    uint8_t bytes[];
};

struct trestle_test_peer {
    struct trestle_test_peer *next;
    struct trestle_component *component;
    unsigned heard;
    uint8_t *data;
    size_t size;
};

struct trestle_test {
    struct trestle_sim *sim;
    struct bench_device *devices; /* the newest first */
    struct bench_ram *ram;
    struct trestle_test_peer *peers;
    uint64_t next_base;
    struct trestle_host_ops ops;
    unsigned logged[TRESTLE_LOG_DEBUG + 1];
    char *log;
    void (*on_log)(void *ctx, enum trestle_log_level level, const char *text);
    void *on_log_ctx;
};

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "trestle test: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        give_up("memory", "there is none left");
    return memory;
}

static struct bench_device *bench_of(const struct trestle_device *dev)
{
    return trestle_device_ctx(dev);
}

/* --- what devices ask for -------------------------------------------------------------------- */

static void on_irq(void *ctx, struct trestle_device *dev, uint32_t line, bool level)
{
    struct bench_device *device = ctx;
    device->irq_count[line] += level;
}

int trestle_test_copy(struct trestle_test *test, bool write, uint64_t addr, void *buf, size_t size)
{
    for (struct bench_ram *ram = test->ram; ram; ram = ram->next) {
        if (addr < ram->addr || addr - ram->addr > ram->size ||
            size > ram->size - (addr - ram->addr))
            continue;
        uint8_t *bytes = ram->bytes + (addr - ram->addr);
        if (write)
            memcpy(bytes, buf, size);
        else
            memcpy(buf, bytes, size);
        return 0;
    }
    return -EFAULT;
}

static int on_dma(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                  size_t size, uint64_t id)
{
    struct bench_device *device = ctx;
    int r = trestle_test_copy(device->test, write, addr, buf, size);
    return trestle_device_dma_complete(dev, id, r);
}

static int on_output(void *ctx, struct trestle_device *dev, const void *data, size_t size)
{
    struct bench_device *device = ctx;
    uint8_t *output = realloc(device->output, device->output_size + size);
    if (!output)
        give_up("memory", "there is none left");
    memcpy(output + device->output_size, data, size);
    device->output = output;
    device->output_size += size;
    return 0;
}

static void on_log(void *ctx, struct trestle_device *dev, enum trestle_log_level level,
                   const char *text)
{
    struct trestle_test *test = ((struct bench_device *)ctx)->test;
    char *copy = strdup(text);
    free(test->log);
    test->log = copy;
    test->logged[level]++;
    if (test->on_log)
        test->on_log(test->on_log_ctx, level, text);
}

/* --- the bench ------------------------------------------------------------------------------- */

struct trestle_test *trestle_test_create(void)
{
    struct trestle_test *test = allocate(sizeof(*test));
    test->next_base = FIRST_BASE;
    test->ops = (struct trestle_host_ops){.size = sizeof(test->ops),
                                          .irq = on_irq,
                                          .dma = on_dma,
                                          .log = on_log,
                                          .output = on_output};
    if (trestle_sim_create(&test->sim) < 0)
        give_up("engine", strerror(ENOMEM));
    return test;
}

void trestle_test_remove_devices(struct trestle_test *test)
{
    for (struct bench_device *device = test->devices; device; device = device->next) {
        trestle_device_destroy(device->dev);
        device->dev = NULL;
    }
}

void trestle_test_destroy(struct trestle_test *test)
{
    if (!test)
        return;
    trestle_test_remove_devices(test);
    trestle_sim_destroy(test->sim);
    for (struct bench_device *device = test->devices, *next; device; device = next) {
        next = device->next;
        trestle_model_unload(device->library);
        free(device->output);
        free(device);
    }
    for (struct bench_ram *ram = test->ram, *next; ram; ram = next) {
        next = ram->next;
        free(ram);
    }
    for (struct trestle_test_peer *peer = test->peers, *next; peer; peer = next) {
        next = peer->next;
        free(peer->data);
        free(peer);
    }
    free(test->log);
    free(test);
}

struct trestle_sim *trestle_test_sim(struct trestle_test *test)
{
    return test->sim;
}

/* --- devices --------------------------------------------------------------------------------- */

int trestle_test_try_add(struct trestle_test *test, const struct trestle_model *model,
                         const struct trestle_device_options *options,
                         struct trestle_device **ret_dev, char **ret_error)
{
    struct trestle_device_options mine = *options;
    struct bench_device *device = allocate(sizeof(*device));
    device->test = test;
    mine.ops = &test->ops;
    mine.ctx = device;
    int r = trestle_device_create(test->sim, model, &mine, &device->dev, ret_error);
    if (r < 0) {
        free(device);
        return r;
    }
    device->next = test->devices;
    test->devices = device;
    *ret_dev = device->dev;
    return 0;
}

struct trestle_device *trestle_test_add(struct trestle_test *test,
                                        const struct trestle_model *model,
                                        const struct trestle_device_options *options)
{
    struct trestle_device *dev;
    char *error = NULL;
    if (trestle_test_try_add(test, model, options, &dev, &error) < 0)
        give_up(model->name, error ? error : strerror(ENOMEM));
    return dev;
}

/* "key=value" into two strings in one piece of memory, which is the key's. */
static struct trestle_param param_of(const char *text)
{
    char *key = strdup(text), *equals = key ? strchr(key, '=') : NULL;
    if (!equals)
        give_up(text, "a parameter is written as key=value");
    *equals = '\0';
    return (struct trestle_param){key, equals + 1};
}

struct trestle_device *trestle_test_load(struct trestle_test *test, const char *model, ...)
{
    struct trestle_model_library *library = NULL;
    const struct trestle_model *table = trestle_model_find(model);
    char *error = NULL;
    if (!table && trestle_model_load(model, &library, &table, &error) < 0)
        give_up(model, error ? error : strerror(ENOMEM));
    struct trestle_param *params = NULL;
    size_t num_params = 0;
    va_list args;
    va_start(args, model);
    for (const char *text; (text = va_arg(args, const char *));) {
        params = reallocarray(params, num_params + 1, sizeof(*params));
        if (!params)
            give_up(text, strerror(ENOMEM));
        params[num_params++] = param_of(text);
    }
    va_end(args);
    struct trestle_device_options options = {.size = sizeof(options),
                                             .name = table->name,
                                             .base_addr = test->next_base,
                                             .params = params,
                                             .num_params = num_params};
    struct trestle_device *dev = trestle_test_add(test, table, &options);
    bench_of(dev)->library = library;
    test->next_base += BASE_STEP;
    for (size_t i = 0; i < num_params; i++)
        free((char *)params[i].key);
    free(params);
    return dev;
}

void trestle_test_link(struct trestle_device *a, uint32_t a_port, struct trestle_device *b,
                       uint32_t b_port, trestle_time latency)
{
    int r = trestle_link_create(trestle_device_component(a), a_port, trestle_device_component(b),
                                b_port, latency, NULL);
    if (r < 0)
        give_up("link", strerror(-r));
}

void trestle_test_reset(struct trestle_device *dev)
{
    trestle_device_reset(dev);
}

/* Before the first access, and before time goes on, as in a run. */
static void start_all(const struct trestle_test *test)
{
    char *error = NULL;
    for (const struct bench_device *device = test->devices; device; device = device->next)
        if (trestle_device_start(device->dev, &error) < 0)
            give_up("start", error ? error : strerror(ENOMEM));
}

/* --- accesses -------------------------------------------------------------------------------- */

static void on_done(struct trestle_request *req)
{
}

static int perform(struct trestle_device *dev, struct trestle_request *req)
{
    struct trestle_sim *sim = bench_of(dev)->test->sim;
    start_all(bench_of(dev)->test);
    req->done = on_done;
    int r = trestle_device_submit(dev, req);
    if (r == -EBUSY)
        return r;
    while (req->device) {
        if (trestle_sim_next(sim) == TRESTLE_TIME_NEVER) {
            trestle_device_reset(dev); /* which ends the request: it must not outlive this call */
            return -ETIME;
        }
        (void)trestle_sim_run_until(sim, trestle_sim_next(sim));
    }
    return req->status;
}

int trestle_test_try_read(struct trestle_device *dev, uint64_t offset, uint32_t size,
                          uint64_t *ret_data)
{
    struct trestle_request req = {.access = {.offset = offset, .size = size}};
    int r = perform(dev, &req);
    if (r == 0)
        *ret_data = req.ret_data;
    return r;
}

int trestle_test_try_write(struct trestle_device *dev, uint64_t offset, uint32_t size,
                           uint64_t data)
{
    struct trestle_request req = {.access = {.offset = offset, .size = size, .data = data},
                                  .write = true};
    return perform(dev, &req);
}

static _Noreturn void give_up_access(const struct trestle_device *dev, const char *what,
                                     uint64_t offset, uint32_t size, int status)
{
    fprintf(stderr, "trestle test: %s: %s of %u bytes at offset 0x%llx: %s\n",
            trestle_device_name(dev), what, size, (unsigned long long)offset,
            status == -ETIME ? "it never answers" : strerror(-status));
    exit(EXIT_FAILURE);
}

uint64_t trestle_test_read(struct trestle_device *dev, uint64_t offset, uint32_t size)
{
    uint64_t data = 0;
    int r = trestle_test_try_read(dev, offset, size, &data);
    if (r < 0)
        give_up_access(dev, "read", offset, size, r);
    return data;
}

void trestle_test_write(struct trestle_device *dev, uint64_t offset, uint32_t size, uint64_t data)
{
    int r = trestle_test_try_write(dev, offset, size, data);
    if (r < 0)
        give_up_access(dev, "write", offset, size, r);
}

/* --- time ------------------------------------------------------------------------------------ */

trestle_time trestle_test_now(const struct trestle_test *test)
{
    return trestle_sim_now(test->sim);
}

void trestle_test_run(struct trestle_test *test, trestle_time duration)
{
    trestle_time now = trestle_sim_now(test->sim);
    start_all(test);
    /* Short of the end of time, which means "until nothing is left". */
    trestle_time until =
        duration < TRESTLE_TIME_NEVER - now ? now + duration : TRESTLE_TIME_NEVER - 1;
    (void)trestle_sim_run_until(test->sim, until);
}

bool trestle_test_wait_irq(struct trestle_device *dev, uint32_t line, trestle_time limit)
{
    struct trestle_test *test = bench_of(dev)->test;
    start_all(test);
    trestle_time end = trestle_sim_now(test->sim) + limit;
    while (!trestle_device_irq_level(dev, line) && trestle_sim_next(test->sim) <= end)
        (void)trestle_sim_run_until(test->sim, trestle_sim_next(test->sim));
    if (!trestle_device_irq_level(dev, line))
        (void)trestle_sim_run_until(test->sim, end);
    return trestle_device_irq_level(dev, line);
}

/* --- what a device does ---------------------------------------------------------------------- */

bool trestle_test_irq(const struct trestle_device *dev, uint32_t line)
{
    return trestle_device_irq_level(dev, line);
}

unsigned trestle_test_irq_count(const struct trestle_device *dev, uint32_t line)
{
    return line < TRESTLE_IRQ_LINES_MAX ? bench_of(dev)->irq_count[line] : 0;
}

uint8_t *trestle_test_ram(struct trestle_test *test, uint64_t addr, size_t size)
{
    struct bench_ram *ram = allocate(sizeof(*ram) + size);
    ram->addr = addr;
    ram->size = size;
    ram->next = test->ram;
    test->ram = ram;
    return ram->bytes;
}

static void hear(void *ctx, uint32_t port, const void *data, size_t size)
{
    struct trestle_test_peer *peer = ctx;
    free(peer->data);
    peer->data = allocate(size);
    memcpy(peer->data, data, size);
    peer->size = size;
    peer->heard++;
}

struct trestle_test_peer *trestle_test_peer(struct trestle_device *dev, uint32_t port,
                                            trestle_time latency)
{
    struct trestle_test *test = bench_of(dev)->test;
    struct trestle_test_peer *peer = allocate(sizeof(*peer));
    int r = trestle_component_create(test->sim, 1, hear, peer, &peer->component);
    if (r == 0)
        r = trestle_link_create(peer->component, 0, trestle_device_component(dev), port, latency,
                                NULL);
    if (r < 0)
        give_up(trestle_device_name(dev), strerror(-r));
    peer->next = test->peers;
    test->peers = peer;
    return peer;
}

void trestle_test_send(struct trestle_test_peer *peer, const void *data, size_t size)
{
    int r = trestle_component_send(peer->component, 0, data, size);
    if (r < 0)
        give_up("message", strerror(-r));
}

unsigned trestle_test_heard(const struct trestle_test_peer *peer)
{
    return peer->heard;
}

const void *trestle_test_message(const struct trestle_test_peer *peer, size_t *ret_size)
{
    *ret_size = peer->size;
    return peer->data;
}

const void *trestle_test_output(const struct trestle_device *dev, size_t *ret_size)
{
    const struct bench_device *device = bench_of(dev);
    *ret_size = device->output_size;
    return device->output;
}

size_t trestle_test_input(struct trestle_device *dev, const void *data, size_t size)
{
    start_all(bench_of(dev)->test);
    size_t room = trestle_device_input_room(dev);
    size = size < room ? size : room;
    int r = size > 0 ? trestle_device_input(dev, data, size) : 0;
    if (r < 0)
        give_up(trestle_device_name(dev), strerror(-r));
    return size;
}

unsigned trestle_test_logged(const struct trestle_test *test, enum trestle_log_level level)
{
    return test->logged[level];
}

const char *trestle_test_log(const struct trestle_test *test)
{
    return test->log ? test->log : "";
}

void trestle_test_on_log(struct trestle_test *test,
                         void (*log)(void *ctx, enum trestle_log_level level, const char *text),
                         void *ctx)
{
    test->on_log = log;
    test->on_log_ctx = ctx;
}
