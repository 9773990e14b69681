/* SPDX-License-Identifier: MIT */
/* The host of a model: what it checks, what it promises to a model, and what to its embedder. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim/command.h"
#include "sim/device.h"
#include "trestle/sim.h"

/* --- a model whose every callback the test can direct ----------------------------------------- */

struct state {
    int answer; /* what read and write return */
    uint64_t data;
    struct trestle_request *req; /* the last one seen */
    struct trestle_access access;
    unsigned reads, writes, wakes, messages, resets, dma_dones;
    uint32_t timer, port;
    trestle_time woken;
    uint64_t tag;
    int status;
    char message[TRESTLE_MESSAGE_MAX];
    void (*in_read)(struct trestle_device *dev, struct trestle_request *req);
    void (*in_wake)(struct trestle_device *dev);
};

static unsigned fini_calls;

static void t_fini(struct trestle_device *dev)
{
    fini_calls++;
}

static int t_read(struct trestle_device *dev, struct trestle_request *req,
                  const struct trestle_access *access, uint64_t *ret_data)
{
    struct state *s = trestle_device_state(dev);
    s->reads++;
    s->req = req;
    s->access = *access;
    *ret_data = s->data;
    if (s->in_read)
        s->in_read(dev, req);
    return s->answer;
}

static int t_write(struct trestle_device *dev, struct trestle_request *req,
                   const struct trestle_access *access)
{
    struct state *s = trestle_device_state(dev);
    s->writes++;
    s->req = req;
    s->access = *access;
    return s->answer;
}

static void t_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct state *s = trestle_device_state(dev);
    s->wakes++;
    s->timer = timer;
    s->woken = now;
    assert_int_equal(trestle_device_now(dev), now);
    assert_int_equal(device_wake_time(dev, timer), TRESTLE_TIME_NEVER);
    if (s->in_wake)
        s->in_wake(dev);
}

static void t_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    struct state *s = trestle_device_state(dev);
    s->messages++;
    s->port = port;
    memcpy(s->message, data, size);
}

static void t_reset(struct trestle_device *dev)
{
    struct state *s = trestle_device_state(dev);
    s->resets++;
    s->wakes = 0;
}

static void t_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    struct state *s = trestle_device_state(dev);
    s->dma_dones++;
    s->tag = tag;
    s->status = status;
}

static const struct trestle_model model = {
    .size = sizeof(model),
    .name = "test",
    .region_size = 0x20,
    .access_sizes = 2 | 4 | 8,
    .irq_lines = 2,
    .peer_ports = 2,
    .timers = 3,
    .state_size = sizeof(struct state),
    .fini = t_fini,
    .reset = t_reset,
    .read = t_read,
    .write = t_write,
    .wake = t_wake,
    .message = t_message,
    .dma_done = t_dma_done,
};

/* --- a host that remembers -------------------------------------------------------------------- */

struct host {
    unsigned done, irqs, sends, dmas, rooms;
    const void *sent; /* while its receiver looks at it */
    size_t sent_size;
    uint8_t *memory; /* copied to and from at once, if there is any */
    uint32_t line;
    bool level;
    int dma_answer;
    bool dma_at_once;
    uint64_t dma_id, dma_ids[8];
    void *dma_buf;
    bool dma_write;
    unsigned logs[4];
    char log[1024];
    enum trestle_log_level log_level;
};

static struct trestle_sim *sim;
static struct trestle_device *dev;
static struct state *s;
static struct host host;

static void h_irq(void *ctx, struct trestle_device *d, uint32_t line, bool level)
{
    struct host *h = ctx;
    h->irqs++;
    h->line = line;
    h->level = level;
    assert_int_equal(trestle_device_irq_level(d, line), level);
}

static int h_dma(void *ctx, struct trestle_device *d, bool write, uint64_t addr, void *buf,
                 size_t size, uint64_t id)
{
    struct host *h = ctx;
    h->dma_ids[h->dmas++ % 8] = id;
    h->dma_id = id;
    h->dma_buf = buf;
    h->dma_write = write;
    if (h->memory)
        memcpy(write ? h->memory + addr : buf, write ? buf : h->memory + addr, size);
    if (h->dma_at_once || h->memory)
        assert_int_equal(trestle_device_dma_complete(d, id, 0), 0);
    return h->dma_answer;
}

static int h_send(void *ctx, struct trestle_device *d, uint32_t port, const void *data, size_t size)
{
    struct host *h = ctx;
    h->sends++;
    h->sent = data;
    h->sent_size = size;
    return port == 1 ? 0 : -ENOTCONN;
}

static bool h_linked(void *ctx, const struct trestle_device *d, uint32_t port)
{
    return port != 0;
}

static void h_log(void *ctx, struct trestle_device *d, enum trestle_log_level level,
                  const char *text)
{
    struct host *h = ctx;
    h->logs[level]++;
    h->log_level = level;
    snprintf(h->log, sizeof(h->log), "%s", text);
}

static const struct trestle_host_ops ops = {
    .size = sizeof(ops),
    .irq = h_irq,
    .dma = h_dma,
    .log = h_log,
};

static void h_done(struct trestle_request *req)
{
    host.done++;
    assert_null(req->device);
    assert_false(trestle_device_busy(dev));
}

static struct trestle_device *make(const struct trestle_model *of, const struct trestle_host_ops *o)
{
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "d0", .base_addr = 0x1000, .ops = o, .ctx = &host};
    struct trestle_device *made = NULL;
    char *error = NULL;
    int r = trestle_device_create(sim, of, &options, &made, &error);
    if (r < 0)
        print_error("%s\n", error);
    assert_int_equal(r, 0);
    return made;
}

static int setup(void **state)
{
    assert_int_equal(trestle_sim_create(&sim), 0);
    host = (struct host){0};
    fini_calls = 0;
    dev = make(&model, &ops);
    s = trestle_device_state(dev);
    return 0;
}

static int teardown(void **state)
{
    trestle_device_destroy(dev);
    trestle_sim_destroy(sim);
    return 0;
}

static struct trestle_request request(bool write, uint64_t offset, uint32_t size, uint64_t data)
{
    return (struct trestle_request){
        .access = {.offset = offset, .size = size, .data = data}, .write = write, .done = h_done};
}

/* --- accesses --------------------------------------------------------------------------------- */

static void test_state_is_zeroed_and_region_known(void **state)
{
    static const struct state zero;
    assert_memory_equal(s, &zero, sizeof(zero));
    assert_string_equal(trestle_device_name(dev), "d0");
    assert_int_equal(trestle_device_base(dev), 0x1000);
    assert_int_equal(trestle_device_size(dev), 0x20);
    assert_ptr_equal(trestle_device_ctx(dev), &host);
    assert_string_equal(trestle_device_model(dev)->name, "test");
}

static void test_access_is_done_at_once(void **state)
{
    struct trestle_request req = request(true, 8, 4, 0x11223344aabbccdd);
    req.ret_data = 7;
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(req.status, 0);
    assert_int_equal(req.ret_data, 0);
    assert_int_equal(s->access.offset, 8);
    assert_int_equal(s->access.size, 4);
    assert_int_equal(s->access.data, 0xaabbccdd);
    req = request(true, 8, 8, 0x11223344aabbccdd);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(s->access.data, 0x11223344aabbccdd);

    s->data = 0x8877665544332211;
    req = request(false, 2, 2, 0xffff);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(req.status, 0);
    assert_int_equal(req.ret_data, 0x2211); /* no more than was asked for */
    assert_int_equal(s->access.data, 0);
    req = request(false, 0x18, 8, 0);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(req.ret_data, 0x8877665544332211);
    assert_false(trestle_device_busy(dev));
    assert_int_equal(host.done, 0);
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 0);
}

static void test_bad_accesses_never_reach_the_model(void **state)
{
    static const struct {
        uint64_t offset;
        uint32_t size;
        int status;
    } bad[] = {
        {0, 0, -EINVAL},
        {0, 1, -EINVAL}, /* a size, but not the model's */
        {0, 3, -EINVAL},
        {0, 6, -EINVAL},
        {0, 16, -EINVAL},
        {0, 0x80000004, -EINVAL},
        {2, 4, -EINVAL},
        {4, 8, -EINVAL},
        {1, 2, -EINVAL},
        {0x20, 4, -ERANGE},
        {0x1c, 8, -EINVAL},
        {0x100000000, 4, -ERANGE},
        {UINT64_MAX - 7, 8, -ERANGE},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (int write = 0; write < 2; write++) {
            struct trestle_request req = request(write, bad[i].offset, bad[i].size, 0);
            req.ret_data = 7;
            assert_int_equal(trestle_device_submit(dev, &req), 0);
            assert_int_equal(req.status, bad[i].status);
            assert_int_equal(req.ret_data, 0);
        }
    }
    assert_int_equal(s->reads + s->writes, 0);
    assert_int_equal(host.done, 0);
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 10); /* and no more: see the limit */
}

static void test_registers_are_smaller_than_the_region(void **state)
{
    /* 12 bytes of registers: a 64-bit access at 8 would run over their end. */
    struct trestle_model odd = model;
    odd.region_size = 12;
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "odd", .region_size = 4096, .ops = &ops, .ctx = &host};
    struct trestle_device *d;
    assert_int_equal(trestle_device_create(sim, &odd, &options, &d, NULL), 0);
    assert_int_equal(trestle_device_size(d), 4096);
    struct trestle_request req = request(false, 8, 8, 0);
    assert_int_equal(trestle_device_submit(d, &req), 0);
    assert_int_equal(req.status, -ERANGE);
    req = request(false, 8, 4, 0);
    assert_int_equal(trestle_device_submit(d, &req), 0);
    assert_int_equal(req.status, 0);
    req = request(false, 4088, 8, 0);
    assert_int_equal(trestle_device_submit(d, &req), 0);
    assert_int_equal(req.status, -ERANGE);
    trestle_device_destroy(d);
}

static void test_refusal_names_the_access(void **state)
{
    struct trestle_request req = request(true, 0x40, 4, 0);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_string_equal(host.log,
                        "d0: write of 4 bytes at offset 0x40 refused: outside the registers");
    assert_int_equal(host.log_level, TRESTLE_LOG_WARNING);
    s->answer = -EIO;
    req = request(false, 0, 4, 0);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(req.status, -EIO);
    assert_string_equal(
        host.log, "d0: read of 4 bytes at offset 0x0 refused: the device answered with an error");
    s->answer = -ETIMEDOUT;
    req = request(false, 0, 4, 0);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_string_equal(
        host.log, "d0: read of 4 bytes at offset 0x0 refused: the device did not answer in time");
    s->answer = -EFAULT;
    req = request(false, 0, 4, 0);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_string_equal(
        host.log,
        "d0: read of 4 bytes at offset 0x0 refused: the device has nothing at this address");
    s->answer = -ENOENT;
    req = request(false, 0, 4, 0);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_string_equal(host.log,
                        "d0: read of 4 bytes at offset 0x0 refused: No such file or directory");
}

static void test_model_without_callbacks(void **state)
{
    static const struct trestle_model bare = {.size = sizeof(bare),
                                              .name = "bare",
                                              .region_size = 8,
                                              .access_sizes = 4,
                                              .timers = 1,
                                              .peer_ports = 1};
    struct trestle_device *d = make(&bare, NULL);
    for (int write = 0; write < 2; write++) {
        struct trestle_request req = request(write, 0, 4, 0);
        assert_int_equal(trestle_device_submit(d, &req), 0);
        assert_int_equal(req.status, -EACCES);
    }
    trestle_device_wake_at(d, 0, 5);
    assert_int_equal(trestle_device_deliver(d, 0, "x", 1), 0);
    (void)trestle_sim_run_until(sim, 10);
    trestle_device_reset(d);
    trestle_device_log(d, TRESTLE_LOG_ERROR, "to nobody");
    uint8_t buf[1];
    assert_int_equal(trestle_device_dma_read(d, 0, buf, 1, 0), -ENOTSUP);
    trestle_device_destroy(d);
}

static void test_positive_answer_is_an_error(void **state)
{
    s->answer = 1;
    struct trestle_request req = request(false, 0, 4, 0);
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(req.status, -EIO);
}

/* --- deferred completion ---------------------------------------------------------------------- */

static void complete_stored(struct trestle_device *d)
{
    trestle_request_complete(s->req, 0, 0x1122334455667788);
    assert_int_equal(host.done, 0); /* not before the callback has returned */
}

static void test_deferred_access(void **state)
{
    struct trestle_request req = request(false, 4, 4, 0), second = request(false, 0, 4, 0);
    s->answer = -EINPROGRESS;
    s->in_wake = complete_stored;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    assert_true(trestle_device_busy(dev));
    assert_ptr_equal(req.device, dev);
    assert_int_equal(trestle_device_submit(dev, &second), -EBUSY);
    assert_int_equal(trestle_device_submit(dev, &req), -EBUSY);
    assert_int_equal(s->reads, 1);
    trestle_device_wake_at(dev, 0, 500);
    (void)trestle_sim_run_until(sim, 499);
    assert_int_equal(host.done, 0);
    (void)trestle_sim_run_until(sim, 500);
    assert_int_equal(host.done, 1);
    assert_int_equal(req.status, 0);
    assert_int_equal(req.ret_data, 0x55667788);
    assert_false(trestle_device_busy(dev));
}

static void test_deferred_failure(void **state)
{
    struct trestle_request req = request(true, 4, 4, 0);
    s->answer = -EINPROGRESS;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(s->req, -EPERM, 7);
    assert_int_equal(host.done, 1);
    assert_null(req.device);
    assert_int_equal(req.status, -EPERM);
    assert_int_equal(req.ret_data, 0);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(s->req, 0, 7); /* a write has no data to give */
    assert_int_equal(req.status, 0);
    assert_int_equal(req.ret_data, 0);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(s->req, 1, 7); /* no such status */
    assert_int_equal(req.status, -EIO);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(s->req, -EPERM, 7);
    assert_string_equal(host.log,
                        "d0: write of 4 bytes at offset 0x4 refused: Operation not permitted");
}

static void complete_inside(struct trestle_device *d, struct trestle_request *req)
{
    trestle_request_complete(req, 0, 42);
}

/* --- what one device does to another ---------------------------------------------------------- */

static struct trestle_device *acted_on;
static bool is_inside, was_inside, has_come;
static struct trestle_request next_request;

static void act_on_the_second(struct trestle_device *first, struct trestle_request *req)
{
    struct state *theirs = trestle_device_state(acted_on);
    (void)first;
    (void)req;
    is_inside = true;
    trestle_request_complete(theirs->req, 0, 77);
    trestle_device_irq(acted_on, 1, true);
    trestle_device_wake_after(acted_on, 2, 5);
    is_inside = false;
}

/* As a client that has its next request ready: for the device whose callback has just acted. */
static void second_is_done(struct trestle_request *req)
{
    (void)req;
    has_come = true;
    was_inside = is_inside;
    next_request = request(false, 0, 4, 0);
    assert_int_equal(trestle_device_submit(dev, &next_request), 0);
}

static void test_a_callback_acts_on_another_device(void **state)
{
    struct trestle_request theirs = request(false, 8, 4, 0), mine = request(false, 0, 4, 0);
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "acted_on", .ops = &ops, .ctx = &host};
    assert_int_equal(trestle_device_create(sim, &model, &options, &acted_on, NULL), 0);
    struct state *other = trestle_device_state(acted_on);
    has_come = false;
    theirs.done = second_is_done;
    other->answer = -EINPROGRESS;
    assert_int_equal(trestle_device_submit(acted_on, &theirs), -EINPROGRESS);
    s->in_read = act_on_the_second;
    assert_int_equal(trestle_device_submit(dev, &mine), 0);
    s->in_read = NULL;
    trestle_sim_run_until(sim, trestle_sim_now(sim));
    assert_true(has_come);
    assert_false(was_inside);
    assert_int_equal(theirs.ret_data, 77);
    assert_int_equal(s->reads, 2);
    assert_true(trestle_device_irq_level(acted_on, 1));
    trestle_sim_run_until(sim, trestle_sim_now(sim) + 5);
    assert_int_equal(other->wakes, 1);

    /* A reset in between: the answer has been given up. */
    has_come = false;
    theirs = request(false, 8, 4, 0);
    theirs.done = NULL;
    assert_int_equal(trestle_device_submit(acted_on, &theirs), -EINPROGRESS);
    s->in_read = act_on_the_second;
    assert_int_equal(trestle_device_submit(dev, &mine), 0);
    s->in_read = NULL;
    trestle_device_reset(acted_on);
    assert_int_equal(theirs.status, -ECANCELED);
    assert_int_equal(trestle_device_submit(acted_on, &theirs), -EINPROGRESS);
    trestle_sim_run_until(sim, trestle_sim_now(sim));
    assert_int_equal(other->reads, 3);
    assert_true(trestle_device_busy(acted_on));

    /* A callback of its own at that time brings the answer; it comes once. */
    theirs.done = second_is_done;
    trestle_device_wake_after(acted_on, 1, 0);
    s->in_read = act_on_the_second;
    assert_int_equal(trestle_device_submit(dev, &mine), 0);
    s->in_read = NULL;
    trestle_sim_run_until(sim, trestle_sim_now(sim));
    assert_true(has_come);
    assert_int_equal(other->reads, 3);
    assert_false(trestle_device_busy(acted_on));
    trestle_device_destroy(acted_on);
}

static void test_completion_inside_the_callback(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    s->answer = -EINPROGRESS;
    s->in_read = complete_inside;
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(req.status, 0);
    assert_int_equal(req.ret_data, 42);
    assert_int_equal(host.done, 0);
    assert_false(trestle_device_busy(dev));
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 0);

    assert_null(req.device);
    struct trestle_request *first = s->req;
    s->answer = 0; /* completed and answered: the model's mistake */
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(req.status, 0);
    assert_int_equal(req.ret_data, 42);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);
    struct trestle_request *last = s->req;
    assert_ptr_not_equal(last, first);

    s->answer = -EINPROGRESS; /* a handle that served inside a callback is as old as any other */
    s->in_read = NULL;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(last, 0, 1);
    assert_true(trestle_device_busy(dev));
    trestle_request_complete(s->req, 0, 2);
    assert_int_equal(host.done, 1);
}

static void test_double_completion(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    s->answer = -EINPROGRESS;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    struct trestle_request *first = s->req;
    trestle_request_complete(first, 0, 1);
    trestle_request_complete(first, 0, 2);
    assert_int_equal(host.done, 1);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);
    assert_int_equal(req.ret_data, 1);

    /* An old handle must not end a newer access either, even of the same owner. */
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(first, 0, 3);
    assert_true(trestle_device_busy(dev));
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 2);
    trestle_request_complete(s->req, 0, 4);
    assert_int_equal(req.ret_data, 4);
    assert_int_equal(host.done, 2);

    /* Nor one that was answered at once. */
    s->answer = 0;
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    struct trestle_request *answered = s->req;
    s->answer = -EINPROGRESS;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(answered, 0, 5);
    assert_true(trestle_device_busy(dev));
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 3);
    trestle_request_complete(s->req, 0, 6);
    assert_int_equal(req.ret_data, 6);
}

static void complete_twice(struct trestle_device *d)
{
    trestle_request_complete(s->req, 0, 1);
    trestle_request_complete(s->req, 0, 2);
}

static void test_double_completion_in_one_callback(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    s->answer = -EINPROGRESS;
    s->in_wake = complete_twice;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_device_wake_at(dev, 0, 0);
    (void)trestle_sim_run_until(sim, 0);
    assert_int_equal(host.done, 1);
    assert_int_equal(req.ret_data, 1);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);
}

static struct trestle_request *again;
static int again_answer;

static void done_submits_again(struct trestle_request *req)
{
    host.done++;
    again_answer = trestle_device_submit(dev, again);
}

static void test_done_may_submit(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0), next = request(false, 4, 4, 0);
    req.done = done_submits_again;
    again = &next;
    s->answer = -EINPROGRESS;
    s->in_wake = complete_stored;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_device_wake_at(dev, 0, 1);
    (void)trestle_sim_run_until(sim, 1);
    assert_int_equal(again_answer, -EINPROGRESS);
    assert_true(trestle_device_busy(dev));
    assert_int_equal(s->access.offset, 4);
    trestle_request_complete(s->req, 0, 0);
    assert_int_equal(host.done, 2);
}

static int submitted_inside;

static void submit_inside(struct trestle_device *d)
{
    submitted_inside = trestle_device_submit(d, again);
    assert_int_equal(trestle_device_deliver(d, 0, "x", 1), -EBUSY);
    trestle_device_reset(d); /* forbidden: nothing happens */
}

static void test_model_is_not_re_entered(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    again = &req;
    s->in_wake = submit_inside;
    trestle_device_wake_at(dev, 0, 1);
    (void)trestle_sim_run_until(sim, 1);
    assert_int_equal(submitted_inside, -EBUSY);
    assert_int_equal(s->reads + s->messages + s->resets, 0);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void test_timers(void **state)
{
    (void)trestle_sim_run_until(sim, 1000);
    trestle_device_wake_at(dev, 1, 2000);
    trestle_device_wake_at(dev, 2, 1500);
    assert_int_equal(device_wake_time(dev, 1), 2000);
    assert_int_equal(device_wake_time(dev, 0), TRESTLE_TIME_NEVER);
    assert_int_equal(device_wake_time(dev, 3), TRESTLE_TIME_NEVER); /* there is none */
    (void)trestle_sim_run_until(sim, 1500);
    assert_int_equal(s->wakes, 1);
    assert_int_equal(s->timer, 2);
    assert_int_equal(s->woken, 1500);
    trestle_device_wake_at(dev, 1, 1600); /* replaces 2000 */
    (void)trestle_sim_run_until(sim, 1600);
    assert_int_equal(s->wakes, 2);
    assert_int_equal(s->timer, 1);
    assert_int_equal(s->woken, 1600);
    (void)trestle_sim_run_until(sim, 2500);
    assert_int_equal(s->wakes, 2);
    trestle_device_wake_after(dev, 0, 100);
    trestle_device_wake_at(dev, 0, TRESTLE_TIME_NEVER);
    (void)trestle_sim_run_until(sim, 3000);
    assert_int_equal(s->wakes, 2);
}

static void wake_in_the_past(struct trestle_device *d)
{
    if (s->wakes == 1)
        trestle_device_wake_at(d, 0, 1);
    assert_cmp(s->wakes, <=, 2);
}

static void test_wake_in_the_past_is_now(void **state)
{
    s->in_wake = wake_in_the_past;
    trestle_device_wake_at(dev, 0, 700);
    (void)trestle_sim_run_until(sim, 800);
    assert_int_equal(s->wakes, 2);
    assert_int_equal(s->woken, 700);
}

static void test_wake_after_cannot_overflow(void **state)
{
    (void)trestle_sim_run_until(sim, 1000);
    trestle_device_wake_after(dev, 0, UINT64_MAX - 10);
    assert_int_equal(device_wake_time(dev, 0), TRESTLE_TIME_NEVER - 1);
    trestle_device_wake_after(dev, 0, TRESTLE_TIME_NEVER);
    assert_int_equal(device_wake_time(dev, 0), TRESTLE_TIME_NEVER - 1);
}

static void test_timer_and_line_that_do_not_exist(void **state)
{
    trestle_device_wake_at(dev, 3, 10);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);
    trestle_device_irq(dev, 2, true);
    assert_int_equal(host.irqs, 0);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 2);
    assert_false(trestle_device_irq_level(dev, 2));
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void test_irq_levels_are_idempotent(void **state)
{
    trestle_device_irq(dev, 1, false);
    assert_int_equal(host.irqs, 0);
    trestle_device_irq(dev, 1, true);
    trestle_device_irq(dev, 1, true);
    assert_int_equal(host.irqs, 1);
    assert_int_equal(host.line, 1);
    assert_true(host.level);
    assert_true(trestle_device_irq_level(dev, 1));
    assert_false(trestle_device_irq_level(dev, 0));
    trestle_device_irq(dev, 1, false);
    assert_int_equal(host.irqs, 2);
    assert_false(host.level);
}

/* --- reset ------------------------------------------------------------------------------------ */

static void done_after_reset(struct trestle_request *req)
{
    host.done++;
    assert_int_equal(s->resets, 1);
    assert_null(req->device);
}

static void test_reset_cancels_everything(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    struct trestle_component *peer;
    assert_int_equal(trestle_component_create(sim, 1, NULL, NULL, &peer), 0);
    assert_int_equal(trestle_link_create(peer, 0, trestle_device_component(dev), 0, 5, NULL), 0);
    s->answer = -EINPROGRESS;
    req.done = done_after_reset;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    struct trestle_request *old = s->req;
    trestle_device_wake_at(dev, 0, 10);
    trestle_device_irq(dev, 0, true);
    trestle_device_irq(dev, 1, true);
    assert_int_equal(trestle_component_send(peer, 0, "x", 1), 0);
    uint8_t buf[4];
    assert_int_equal(trestle_device_dma_read(dev, 0x80000000, buf, 4, 1), 0);
    uint64_t under_way = host.dma_id;
    assert_int_equal(trestle_device_dma_read(dev, 0x80000000, buf, 4, 2), 0);
    assert_int_equal(trestle_device_dma_complete(dev, host.dma_id, 0), 0);

    trestle_device_reset(dev);
    assert_int_equal(s->resets, 1);
    assert_int_equal(host.irqs, 4);
    assert_false(trestle_device_irq_level(dev, 0));
    assert_int_equal(host.done, 1);
    assert_int_equal(req.status, -ECANCELED);
    assert_int_equal(req.ret_data, 0);
    assert_false(trestle_device_busy(dev));
    assert_null(trestle_device_dma_buffer(dev, under_way, NULL));
    assert_int_equal(trestle_device_dma_complete(dev, under_way, 0), -ENOENT);
    (void)trestle_sim_run_until(sim, 100);
    assert_int_equal(s->wakes + s->messages + s->dma_dones, 0);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 0);

    trestle_request_complete(old, 0, 1); /* too late, and said so */
    assert_int_equal(host.done, 1);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);

    /* And all is as new: messages arrive, accesses are served. */
    assert_int_equal(trestle_component_send(peer, 0, "x", 1), 0);
    (void)trestle_sim_run_until(sim, 105);
    assert_int_equal(s->messages, 1);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_request_complete(old, 0, 1);
    assert_true(trestle_device_busy(dev));
    trestle_request_complete(s->req, 0, 1);
    assert_int_equal(host.done, 2);
}

/* Whoever asked does not wait any longer. Nobody hears of the answer that comes all the same. */
static void test_cancel(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0), other = req;
    s->answer = -EINPROGRESS;
    req.done = done_after_reset;
    assert_int_equal(trestle_device_cancel(dev, &req), -ENOENT);
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    struct trestle_request *old = s->req;
    assert_int_equal(trestle_device_cancel(dev, &other), -ENOENT);
    assert_int_equal(trestle_device_cancel(dev, &req), 0);
    assert_int_equal(req.status, -ECANCELED);
    assert_null(req.device);
    assert_false(trestle_device_busy(dev));
    assert_int_equal(s->resets, 0);
    trestle_request_complete(old, 0, 1);
    assert_int_equal(host.done, 0);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 0);
    trestle_request_complete(old, 0, 1); /* once is all that the model owes */
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);

    s->answer = 0;
    s->data = 7;
    assert_int_equal(trestle_device_submit(dev, &other), 0);
    assert_int_equal(other.ret_data, 7);
}

/* --- messages --------------------------------------------------------------------------------- */

static void test_messages_over_a_link(void **state)
{
    struct trestle_device *other = make(&model, &ops);
    struct state *o = trestle_device_state(other);
    uint8_t big[TRESTLE_MESSAGE_MAX + 1] = {0};
    assert_false(trestle_device_linked(dev, 0));
    assert_int_equal(trestle_device_send(dev, 0, "hi", 3), -ENOTCONN);
    assert_int_equal(trestle_link_create(trestle_device_component(dev), 0,
                                         trestle_device_component(other), 1, 100, NULL),
                     0);
    assert_true(trestle_device_linked(dev, 0));
    assert_false(trestle_device_linked(dev, 1));
    assert_false(trestle_device_linked(dev, 2));
    assert_int_equal(trestle_device_send(dev, 1, "hi", 3), -ENOTCONN);
    assert_int_equal(trestle_device_send(dev, 2, "hi", 3), -EINVAL);
    assert_int_equal(trestle_device_send(dev, 0, "hi", 0), -EMSGSIZE);
    assert_int_equal(trestle_device_send(dev, 0, big, sizeof(big)), -EMSGSIZE);
    assert_int_equal(trestle_device_send(dev, 0, "hi", 3), 0);
    (void)trestle_sim_run_until(sim, 99);
    assert_int_equal(o->messages, 0);
    (void)trestle_sim_run_until(sim, 100);
    assert_int_equal(o->messages, 1);
    assert_int_equal(o->port, 1);
    assert_string_equal(o->message, "hi");

    /* A peer that is gone: no message on its way reaches it, no more are taken. */
    assert_int_equal(trestle_device_send(dev, 0, "hi", 3), 0);
    trestle_device_destroy(other);
    assert_int_equal(trestle_device_send(dev, 0, "hi", 3), -ENOTCONN);
    assert_false(trestle_device_linked(dev, 0));
    (void)trestle_sim_run_until(sim, 1000);
}

/* A guest may have a device send at each access, over a link that takes its time. */
static void test_a_link_is_bounded(void **state)
{
    struct trestle_device *other = make(&model, &ops);
    struct state *o = trestle_device_state(other);
    (void)state;
    assert_int_equal(trestle_link_create(trestle_device_component(dev), 0,
                                         trestle_device_component(other), 1, 100, NULL),
                     0);
    for (int i = 0; i < TRESTLE_LINK_MESSAGES_MAX; i++)
        assert_int_equal(trestle_device_send(i % 2 ? dev : other, (uint32_t) !(i % 2), "hi", 3), 0);
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 0);
    assert_int_equal(trestle_device_send(dev, 0, "hi", 3), -ENOBUFS);
    assert_string_equal(
        host.log, "d0: the link at port 0 is full (16384 messages, 16 MiB) and takes no more");
    trestle_device_reset(other); /* forgets them, and holds them all the same */
    assert_int_equal(trestle_device_send(dev, 0, "hi", 3), -ENOBUFS);
    (void)trestle_sim_run_until(sim, 100);
    assert_int_equal(trestle_device_send(dev, 0, "hi", 3), 0);
    (void)trestle_sim_run_until(sim, 200);
    assert_int_equal(o->messages, 1);
    trestle_device_destroy(other);
}

/* The same for their bytes. */
static void test_the_bytes_of_a_link_are_bounded(void **state)
{
    static uint8_t full[TRESTLE_MESSAGE_MAX];
    struct trestle_device *other = make(&model, &ops);
    (void)state;
    assert_int_equal(trestle_link_create(trestle_device_component(dev), 0,
                                         trestle_device_component(other), 1, 100, NULL),
                     0);
    for (int i = 0; i < TRESTLE_LINK_BYTES_MAX / TRESTLE_MESSAGE_MAX; i++)
        assert_int_equal(trestle_device_send(dev, 0, full, sizeof(full)), 0);
    assert_int_equal(trestle_device_send(dev, 0, full, 1), -ENOBUFS);
    (void)trestle_sim_run_until(sim, 100);
    assert_int_equal(trestle_device_send(dev, 0, full, 1), 0);
    trestle_device_destroy(other);
}

static void test_transfers_are_bounded(void **state)
{
    uint8_t byte = 0;
    (void)state;
    for (int i = 0; i < 4096; i++)
        assert_int_equal(trestle_device_dma_read(dev, 0, &byte, 1, 0), 0);
    assert_int_equal(trestle_device_dma_read(dev, 0, &byte, 1, 0), -ENOBUFS);
    trestle_device_reset(dev);
    assert_int_equal(trestle_device_dma_read(dev, 0, &byte, 1, 0), 0);
}

static void test_messages_beyond_the_engine(void **state)
{
    struct trestle_host_ops wider = ops;
    wider.send = h_send;
    wider.linked = h_linked;
    struct trestle_device *d = make(&model, &wider);
    struct state *ds = trestle_device_state(d);
    assert_true(trestle_device_linked(d, 1));
    assert_false(trestle_device_linked(d, 0));
    assert_int_equal(trestle_device_send(d, 1, "hi", 3), 0);
    assert_int_equal(trestle_device_send(d, 0, "hi", 3), -ENOTCONN);
    assert_int_equal(trestle_device_send(d, 2, "hi", 3), -EINVAL);
    assert_int_equal(host.sends, 2);
    assert_int_equal(trestle_device_deliver(d, 1, "in", 3), 0);
    assert_int_equal(ds->messages, 1);
    assert_int_equal(ds->port, 1);
    assert_string_equal(ds->message, "in");
    uint8_t full[TRESTLE_MESSAGE_MAX] = {0};
    assert_int_equal(trestle_device_deliver(d, 0, full, sizeof(full)), 0);
    assert_int_equal(ds->messages, 2);
    assert_false(trestle_device_linked(d, 2));
    assert_int_equal(trestle_device_deliver(d, 2, "in", 3), -EINVAL);
    assert_int_equal(trestle_device_deliver(d, 0, "in", 0), -EMSGSIZE);
    assert_int_equal(trestle_device_deliver(d, 0, "in", TRESTLE_MESSAGE_MAX + 1), -EMSGSIZE);
    assert_int_equal(ds->messages, 2);
    trestle_device_destroy(d);
}

static int forwarded;

static void forward_to_the_other_port(struct trestle_device *d, uint32_t port, const void *data,
                                      size_t size)
{
    host.sent = NULL;
    forwarded = trestle_device_send(d, 1 - port, data, size);
    if (host.sent) {
        assert_ptr_equal(host.sent, data);
        assert_int_equal(host.sent_size, size);
    }
}

/* From a link or from outside the engine, to either. */
static void test_forwarded_messages(void **state)
{
    static uint8_t full[TRESTLE_MESSAGE_MAX];
    struct trestle_model relay = model;
    struct trestle_host_ops wider = ops;
    relay.message = forward_to_the_other_port;
    wider.send = h_send;
    struct trestle_device *d = make(&relay, &wider);
    (void)state;
    assert_int_equal(trestle_link_create(trestle_device_component(d), 0,
                                         trestle_device_component(dev), 1, 100, NULL),
                     0);
    assert_int_equal(trestle_device_deliver(d, 1, "in", 3), 0);
    assert_int_equal(forwarded, 0);
    (void)trestle_sim_run_until(sim, 100);
    assert_int_equal(s->messages, 1);
    assert_int_equal(s->port, 1);
    assert_string_equal(s->message, "in");
    assert_int_equal(host.sends, 0);
    assert_int_equal(trestle_device_send(dev, 1, "back", 5), 0);
    (void)trestle_sim_run_until(sim, 200);
    assert_int_equal(forwarded, 0);
    assert_int_equal(host.sends, 1);
    assert_int_equal(trestle_device_deliver(d, 0, "through", 8), 0);
    assert_int_equal(host.sends, 2);

    for (int i = 0; i < TRESTLE_LINK_BYTES_MAX / TRESTLE_MESSAGE_MAX; i++)
        assert_int_equal(trestle_device_deliver(d, 1, full, sizeof(full)), 0);
    assert_int_equal(forwarded, 0);
    assert_int_equal(trestle_device_deliver(d, 1, "x", 1), 0);
    assert_int_equal(forwarded, -ENOBUFS);
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 1);
    trestle_device_destroy(d);
}

/* --- input and output ------------------------------------------------------------------------- */

static char input[8];

static void t_input(struct trestle_device *d, const void *data, size_t size)
{
    assert_int_equal(trestle_device_input(d, "x", 1),
                     trestle_device_input_room(d) ? -EBUSY : -ENOBUFS);
    memcpy(input, data, size);
    input[size] = '\0';
}

static void h_input_room(void *ctx, struct trestle_device *d)
{
    host.rooms++;
}

static int h_output(void *ctx, struct trestle_device *d, const void *data, size_t size)
{
    host.sent = data;
    host.sent_size = size;
    return -ENOBUFS;
}

static void test_input(void **state)
{
    struct trestle_model taker = model;
    struct trestle_host_ops wider = ops;
    taker.input = t_input;
    wider.input_room = h_input_room;
    struct trestle_device *d = make(&taker, &wider);
    (void)state;
    assert_int_equal(trestle_device_input_room(d), 0);
    assert_int_equal(trestle_device_input(d, "a", 1), -ENOBUFS);
    trestle_device_accept_input(d, 0);
    assert_int_equal(host.rooms, 0);
    trestle_device_accept_input(d, 2);
    assert_int_equal(host.rooms, 1);
    trestle_device_accept_input(d, 4); /* more of what it takes already */
    assert_int_equal(host.rooms, 1);
    assert_int_equal(trestle_device_input_room(d), 4);
    assert_int_equal(trestle_device_input(d, "", 0), -EINVAL);
    assert_int_equal(trestle_device_input(d, "abcde", 5), -ENOBUFS);
    assert_int_equal(trestle_device_input(d, "abc", 3), 0);
    assert_string_equal(input, "abc");
    assert_int_equal(trestle_device_input_room(d), 1);
    assert_int_equal(trestle_device_input(d, "d", 1), 0);
    trestle_device_accept_input(d, TRESTLE_INPUT_MAX + 1);
    assert_int_equal(host.rooms, 2);
    assert_int_equal(trestle_device_input_room(d), TRESTLE_INPUT_MAX);
    char *error = NULL;
    assert_int_equal(trestle_device_start(d, &error), 0);
    trestle_device_fail(d, "broken");
    assert_int_equal(trestle_device_input_room(d), 0);
    trestle_device_accept_input(d, 1);
    assert_int_equal(trestle_device_input_room(d), 0);
    trestle_device_destroy(d);

    trestle_device_accept_input(dev, 4); /* whose model has no input() */
    assert_int_equal(trestle_device_input_room(dev), 0);
    assert_int_equal(trestle_device_input(dev, "a", 1), -EINVAL);
}

static void test_output(void **state)
{
    struct trestle_host_ops wider = ops;
    wider.output = h_output;
    struct trestle_device *d = make(&model, &wider);
    (void)state;
    assert_int_equal(trestle_device_output(dev, "out", 3), -ENOTCONN);
    assert_int_equal(trestle_device_output(d, "out", 3), -ENOBUFS);
    assert_memory_equal(host.sent, "out", 3);
    assert_int_equal(host.sent_size, 3);
    trestle_device_destroy(d);
}

/* --- DMA -------------------------------------------------------------------------------------- */

/* Bytes that the host moves at once are there when the call returns, and nothing is heard of it. */
static void test_memory_within_the_call(void **state)
{
    uint8_t buf[4];
    host.dma_at_once = true;
    for (unsigned i = 0; i < 5000; i++) /* more than may be under way */
        assert_int_equal(trestle_device_memory_read(dev, 0x1000, buf, sizeof(buf)), 0);
    assert_false(host.dma_write);
    assert_int_equal(trestle_device_memory_write(dev, 0x1000, buf, sizeof(buf)), 0);
    assert_true(host.dma_write);
    assert_ptr_equal(host.dma_buf, buf);
    host.dma_at_once = false; /* one that takes its time is no use, and does no harm later */
    assert_int_equal(trestle_device_memory_read(dev, 0x1000, buf, sizeof(buf)), -ENOTSUP);
    assert_null(trestle_device_dma_buffer(dev, host.dma_id, NULL));
    assert_int_equal(trestle_device_dma_complete(dev, host.dma_id, 0), -ENOENT);
    assert_int_equal(trestle_device_memory_read(dev, 0x1000, buf, 0), -EINVAL);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER);
    assert_int_equal(s->dma_dones, 0);
}

static void test_update(void **state)
{
    uint8_t memory[16] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99};
    uint64_t old;
    host.memory = memory;
    assert_int_equal(trestle_device_memory_update(dev, 2, 2, 0x0ff0, 0xabcd, &old), 0);
    assert_int_equal(old, 0x4433);
    assert_int_equal(memory[2] | memory[3] << 8, 0x4bc3);
    assert_int_equal(trestle_device_memory_update(dev, 4, 4, UINT64_MAX, 0xdeadbeef, NULL), 0);
    assert_int_equal(trestle_device_memory_update(dev, 0, 8, 1, 0, &old), 0);
    assert_int_equal(old, 0xdeadbeef4bc32211);
    assert_int_equal(memory[0], 0x10);
    assert_int_equal(memory[8], 0x99);
    assert_int_equal(trestle_device_memory_update(dev, 2, 4, 1, 1, &old), -EINVAL);
    assert_int_equal(trestle_device_memory_update(dev, 1, 1, 1, 1, &old), -EINVAL);
    assert_int_equal(trestle_device_memory_update(dev, 0, 16, 1, 1, &old), -EINVAL);
    host.dma_answer = -EFAULT;
    assert_int_equal(trestle_device_memory_update(dev, 0, 4, 1, 1, &old), -EFAULT);
}

static void test_dma(void **state)
{
    uint8_t in[16], out[8];
    size_t size;
    assert_int_equal(trestle_device_dma_read(dev, 0x1000, in, sizeof(in), 77), 0);
    assert_false(host.dma_write);
    uint64_t first = host.dma_id;
    assert_int_equal(trestle_device_dma_write(dev, 0x2000, out, sizeof(out), 77), 0);
    assert_true(host.dma_write);
    assert_int_not_equal(host.dma_id, first);
    assert_ptr_equal(trestle_device_dma_buffer(dev, first, &size), in);
    assert_int_equal(size, sizeof(in));
    assert_ptr_equal(trestle_device_dma_buffer(dev, host.dma_id, NULL), out);

    assert_int_equal(trestle_device_dma_complete(dev, host.dma_id, -EFAULT), 0);
    assert_int_equal(trestle_device_dma_complete(dev, host.dma_id, 0), -ENOENT); /* twice */
    assert_null(trestle_device_dma_buffer(dev, host.dma_id, NULL));
    assert_int_equal(s->dma_dones, 0); /* from an event only */
    (void)trestle_sim_run_until(sim, 0);
    assert_int_equal(s->dma_dones, 1);
    assert_int_equal(s->tag, 77);
    assert_int_equal(s->status, -EFAULT);

    assert_int_equal(trestle_device_dma_complete(dev, first, 5), 0);
    (void)trestle_sim_run_until(sim, 0);
    assert_int_equal(s->dma_dones, 2);
    assert_int_equal(s->status, -EIO);                                 /* no such status */
    assert_int_equal(trestle_device_dma_complete(dev, 2, 0), -ENOENT); /* there were two */
    assert_int_equal(trestle_device_dma_complete(dev, first + 99, 0), -ENOENT);
    assert_int_equal(trestle_device_dma_complete(dev, UINT64_MAX, 0), -ENOENT);

    /* An id is not used again for the next transfer, whose record may be the same. */
    assert_int_equal(trestle_device_dma_read(dev, 0x1000, in, sizeof(in), 78), 0);
    assert_int_equal(trestle_device_dma_complete(dev, first, 0), -ENOENT);
}

static void test_dma_completed_at_once_comes_later(void **state)
{
    uint8_t buf[1];
    host.dma_at_once = true;
    assert_int_equal(trestle_device_dma_read(dev, 0, buf, 1, 5), 0);
    assert_int_equal(s->dma_dones, 0);
    (void)trestle_sim_run_until(sim, 0);
    assert_int_equal(s->dma_dones, 1);
}

static void test_dma_refused(void **state)
{
    uint8_t buf[8];
    assert_int_equal(trestle_device_dma_read(dev, 0, buf, 0, 0), -EINVAL);
    assert_int_equal(trestle_device_dma_write(dev, UINT64_MAX - 3, buf, 8, 0), -EINVAL);
    assert_int_equal(host.dmas, 0);
    host.dma_answer = -EFAULT;
    assert_int_equal(trestle_device_dma_write(dev, 0, buf, 8, 0), -EFAULT);
    host.dma_at_once = true; /* a host that answers twice over: the error counts */
    assert_int_equal(trestle_device_dma_write(dev, 0, buf, 8, 0), -EFAULT);
    (void)trestle_sim_run_until(sim, 10);
    assert_int_equal(s->dma_dones, 0);
    uint32_t record = (uint32_t)host.dma_id;
    host.dma_answer = 0;
    assert_int_equal(trestle_device_dma_write(dev, UINT64_MAX - 8, buf, 8, 0), 0);
    assert_int_equal((uint32_t)host.dma_id, record); /* what was refused takes no room */
}

static void test_resets_leave_transfers_in_order(void **state)
{
    uint8_t buf[2];
    assert_int_equal(trestle_device_dma_read(dev, 0, buf, 1, 1), 0);
    trestle_device_reset(dev);
    trestle_device_reset(dev);
    assert_int_equal(trestle_device_dma_read(dev, 0, buf, 1, 2), 0);
    uint64_t second = host.dma_id;
    assert_int_equal(trestle_device_dma_read(dev, 0, buf + 1, 1, 3), 0);
    assert_ptr_equal(trestle_device_dma_buffer(dev, second, NULL), buf);
    assert_ptr_equal(trestle_device_dma_buffer(dev, host.dma_id, NULL), buf + 1);
}

/* --- lists ----- */

static void end_transfer(uint64_t id, int status)
{
    assert_int_equal(trestle_device_dma_complete(dev, id, status), 0);
    (void)trestle_sim_run_until(sim, trestle_sim_now(sim));
}

/* One end for all of them, whatever their order, with the error that came first. */
static void test_list(void **state)
{
    uint8_t bytes[3][4];
    const struct trestle_segment segments[] = {
        {0x1000, bytes[0], 4}, {0x2000, bytes[1], 2}, {0x3000, bytes[2], 1}};
    uint64_t ids[3];
    for (unsigned order = 0; order < 2; order++) {
        assert_int_equal(trestle_device_dma_write_list(dev, segments, 3, 7 + order), 0);
        assert_ptr_equal(host.dma_buf, bytes[2]);
        for (unsigned i = 0; i < 3; i++)
            ids[i] = host.dma_ids[host.dmas - 3 + i];
        size_t size;
        assert_ptr_equal(trestle_device_dma_buffer(dev, ids[0], &size), bytes[0]);
        assert_int_equal(size, 4);
        end_transfer(ids[order ? 2 : 0], 0);
        end_transfer(ids[1], -EFAULT);
        assert_int_equal(s->dma_dones, order);
        end_transfer(ids[order ? 0 : 2], -ENODEV);
        assert_int_equal(s->dma_dones, order + 1);
        assert_int_equal(s->tag, 7 + order);
        assert_int_equal(s->status, -EFAULT);
        trestle_device_dma_cancel(dev);
    }
}

static void test_list_refused(void **state)
{
    uint8_t byte;
    struct trestle_segment segments[4097];
    for (unsigned i = 0; i < 4097; i++)
        segments[i] = (struct trestle_segment){i, &byte, 1};
    assert_int_equal(trestle_device_dma_read_list(dev, segments, 0, 0), -EINVAL);
    assert_int_equal(trestle_device_dma_read_list(dev, segments, 4097, 0), -ENOBUFS);
    segments[2].size = 0;
    assert_int_equal(trestle_device_dma_read_list(dev, segments, 3, 0), -EINVAL);
    segments[2] = (struct trestle_segment){UINT64_MAX, &byte, 1};
    assert_int_equal(trestle_device_dma_read_list(dev, segments, 3, 0), -EINVAL);
    assert_int_equal(host.dmas, 0);
    host.dma_answer = -ENODEV;
    assert_int_equal(trestle_device_dma_read_list(dev, segments, 2, 0), -ENODEV);
    assert_int_equal(host.dmas, 1);
    host.dma_answer = 0;
    assert_int_equal(trestle_device_dma_read_list(dev, segments + 3, 4094, 5), 0);
    trestle_device_dma_cancel(dev);
    (void)trestle_sim_run_until(sim, 0);
    assert_int_equal(s->dma_dones, 0);
}

/* Neither those under way nor those that have ended and not said so are heard of. */
static void test_cancelled(void **state)
{
    uint8_t bytes[2];
    const struct trestle_segment segments[] = {{0, bytes, 1}, {1, bytes + 1, 1}};
    assert_int_equal(trestle_device_dma_read_list(dev, segments, 2, 1), 0);
    uint64_t second = host.dma_id;
    assert_int_equal(trestle_device_dma_complete(dev, second, 0), 0);
    (void)trestle_sim_run_until(sim, 0);
    assert_int_equal(trestle_device_dma_read(dev, 0, bytes, 1, 2), 0);
    uint64_t single = host.dma_id;
    trestle_device_dma_cancel(dev);
    assert_null(trestle_device_dma_buffer(dev, single, NULL));
    assert_int_equal(trestle_device_dma_complete(dev, single, 0), -ENOENT);
    (void)trestle_sim_run_until(sim, 10);
    assert_int_equal(s->dma_dones, 0);
    assert_int_equal(trestle_device_dma_read(dev, 0, bytes, 1, 3), 0);
    end_transfer(host.dma_id, 0);
    assert_int_equal(s->tag, 3);
}

/* --- log -------------------------------------------------------------------------------------- */

static void test_log_line(void **state)
{
    trestle_device_log(dev, TRESTLE_LOG_INFO, "a\nb %d", 3);
    assert_string_equal(host.log, "d0: a b 3");
    char longer[2000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    trestle_device_log(dev, TRESTLE_LOG_INFO, "%s", longer);
    assert_cmp(strlen(host.log), <, 600);

    /* A name that leaves no room for the text. */
    struct trestle_device_options options = {
        .size = sizeof(options), .name = longer, .ops = &ops, .ctx = &host};
    struct trestle_device *d;
    assert_int_equal(trestle_device_create(sim, &model, &options, &d, NULL), 0);
    trestle_device_log(d, TRESTLE_LOG_INFO, "text");
    assert_int_equal(strlen(host.log), 511);
    assert_int_equal(strspn(host.log, "x"), 511);
    trestle_device_destroy(d);
}

static void test_debug_lines_only_when_asked_for(void **state)
{
    trestle_device_log(dev, TRESTLE_LOG_DEBUG, "quiet");
    assert_int_equal(host.logs[TRESTLE_LOG_DEBUG], 0);
    struct trestle_device_options options = {
        .size = sizeof(options), .name = "v", .ops = &ops, .ctx = &host, .log_debug = true};
    struct trestle_device *d;
    assert_int_equal(trestle_device_create(sim, &model, &options, &d, NULL), 0);
    for (int i = 0; i < 100; i++)
        trestle_device_log(d, TRESTLE_LOG_DEBUG, "line");
    assert_int_equal(host.logs[TRESTLE_LOG_DEBUG], 100);
    trestle_device_destroy(d);
}

static void test_log_says_nothing_of_nothing(void **state)
{
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "one");
    (void)trestle_sim_run_until(sim, TRESTLE_S);
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "two");
    trestle_device_destroy(dev);
    dev = NULL;
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 2);
    assert_string_equal(host.log, "d0: two");
}

static void test_log_limit(void **state)
{
    for (int i = 0; i < 25; i++)
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "mistake %d", i);
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 10);
    trestle_device_log(dev, TRESTLE_LOG_ERROR, "errors have a limit of their own");
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);
    (void)trestle_sim_run_until(sim, TRESTLE_S);
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "later");
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 12); /* "15 more" and this one */
    assert_string_equal(host.log, "d0: later");

    for (int i = 0; i < 12; i++)
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "again");
    for (int i = 0; i < 12; i++)
        trestle_device_log(dev, TRESTLE_LOG_ERROR, "again");
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 11);
    trestle_device_destroy(dev); /* says what was left out to the end */
    assert_string_equal(host.log, "d0: 3 more warnings left out");
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 12);
    dev = NULL;
}

/* --- seen from outside ------------------------------------------------------------------------ */

static struct trestle_activity seen;

static void look_inside(struct trestle_device *d, struct trestle_request *req)
{
    (void)req;
    (void)d;
    trestle_sim_look(sim, &seen);
}

static void test_activity(void **state)
{
    struct trestle_request req = request(false, 8, 4, 0);
    struct trestle_activity before;
    trestle_sim_look(sim, &before);
    assert_int_equal(before.callback, TRESTLE_CALLBACK_NONE);
    assert_false(before.is_running);
    s->in_read = look_inside;
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(seen.callback, TRESTLE_CALLBACK_READ);
    assert_string_equal(seen.callback_name, "read");
    assert_string_equal(seen.device, "d0");
    assert_int_equal(seen.offset, 8);
    assert_int_equal(seen.size, 4);
    assert_int_equal(seen.callbacks, before.callbacks + 1);
    trestle_sim_look(sim, &seen);
    assert_int_equal(seen.callback, TRESTLE_CALLBACK_NONE);
}

static atomic_bool are_devices_gone;

static void *look_all_the_time(void *unused)
{
    struct trestle_activity here;
    while (!atomic_load(&are_devices_gone))
        trestle_sim_look(sim, &here);
    return unused;
}

/* Nobody looks at one that has gone. */
static void test_devices_that_go_while_a_thread_looks(void **state)
{
    const struct trestle_device_options options = {
        .size = sizeof(options), .name = "goes", .base_addr = 0x20000};
    pthread_t thread;
    atomic_store(&are_devices_gone, false);
    assert_int_equal(pthread_create(&thread, NULL, look_all_the_time, NULL), 0);
    for (int i = 0; i < 3000; i++) {
        struct trestle_device *goes;
        assert_int_equal(trestle_device_create(sim, &model, &options, &goes, NULL), 0);
        trestle_device_destroy(goes);
    }
    atomic_store(&are_devices_gone, true);
    pthread_join(thread, NULL);
}

static void wake_again(struct trestle_device *d)
{
    trestle_device_wake_after(d, 0, 0);
    trestle_sim_look(sim, &seen);
    if (s->wakes == 1000)
        trestle_sim_interrupt(sim);
}

/* An engine that does not get past one moment. */
static void test_interrupt(void **state)
{
    s->in_wake = wake_again;
    trestle_device_wake_at(dev, 0, 5);
    assert_int_equal(trestle_sim_run_until(sim, 10), 1000);
    assert_int_equal(trestle_sim_now(sim), 5);
    assert_true(seen.is_running);
    assert_int_equal(seen.callback, TRESTLE_CALLBACK_WAKE);
    assert_int_equal(seen.now, 5);
}

static void *call_from_elsewhere(void *unused)
{
    struct trestle_request *req = unused;
    uint8_t byte;
    trestle_device_irq(dev, 0, true);
    trestle_device_wake_at(dev, 0, 1);
    assert_int_equal(trestle_device_send(dev, 0, "x", 1), -EPERM);
    assert_int_equal(trestle_device_dma_read(dev, 0, &byte, 1, 0), -EPERM);
    assert_int_equal(trestle_device_memory_read(dev, 0, &byte, 1), -EPERM);
    assert_int_equal(trestle_device_memory_update(dev, 0, 2, 1, 1, NULL), -EPERM);
    assert_int_equal(trestle_device_output(dev, "x", 1), -EPERM);
    trestle_device_accept_input(dev, 1);
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "not said");
    trestle_request_complete(req, 0, 1);
    return NULL;
}

static void test_calls_from_another_thread(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    pthread_t thread;
    s->answer = -EINPROGRESS;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    assert_int_equal(pthread_create(&thread, NULL, call_from_elsewhere, s->req), 0);
    pthread_join(thread, NULL);
    assert_int_equal(host.irqs, 0);
    assert_int_equal(host.done, 0);
    assert_int_equal(device_wake_time(dev, 0), TRESTLE_TIME_NEVER);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1); /* once */
    assert_int_equal(host.logs[TRESTLE_LOG_WARNING], 0);
    assert_string_equal(host.log,
                        "d0: model 'test' calls trestle_device_irq() from a thread of its own, so "
                        "the call does nothing; call it from the model's callbacks only");
    trestle_request_complete(s->req, 0, 1);
    assert_int_equal(host.done, 1);
}

static void test_fence(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    ((volatile char *)s)[sizeof(*s) + 15] ^= 1;
    assert_int_equal(trestle_device_submit(dev, &req), 0);
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1);
    assert_non_null(strstr(host.log, "d0: model 'test' has written beyond its state of "));
    assert_non_null(strstr(host.log, " bytes, in its read()"));
    trestle_device_destroy(dev);
    dev = NULL;
    assert_int_equal(host.logs[TRESTLE_LOG_ERROR], 1); /* once */
}

/* --- creation --------------------------------------------------------------------------------- */

static int init_fails(struct trestle_device *d, const struct trestle_params *params)
{
    trestle_device_wake_at(d, 0, 10);
    return -ENODEV;
}

static int init_positive(struct trestle_device *d, const struct trestle_params *params)
{
    return 1;
}

static void refused(const struct trestle_model *of, const struct trestle_device_options *options,
                    int expected, const char *text)
{
    struct trestle_device *made = NULL;
    char *error = NULL;
    assert_int_equal(trestle_device_create(sim, of, options, &made, &error), expected);
    assert_null(made);
    assert_non_null(error);
    if (!strstr(error, text))
        print_error("got: %s\n", error);
    assert_non_null(strstr(error, text));
    free(error);
    assert_int_equal(trestle_device_create(sim, of, options, &made, NULL), expected);
}

static void test_bad_tables(void **state)
{
    const struct trestle_device_options options = {.size = sizeof(options), .name = "d1"};
    struct {
        struct trestle_model m;
        uint64_t beyond;
    } big;
    struct trestle_model *m = &big.m;
#define BAD(change, expected, text)           \
    do {                                      \
        big.m = model;                        \
        big.beyond = 0;                       \
        change;                               \
        refused(m, &options, expected, text); \
    } while (0)
    BAD(m->size = 0, -EINVAL, "'d1': the model table's size is 0");
    BAD(m->size = offsetof(struct trestle_model, init) - 1, -EINVAL, "size");
    BAD(m->size = 1 << 20, -EINVAL, "size");
    BAD(m->name = NULL, -EINVAL, "name");
    BAD(m->name = "", -EINVAL, "name");
    BAD(m->name = "a b", -EINVAL, "name");
    BAD(m->region_size = 0, -EINVAL, "'test': region_size");
    BAD(m->access_sizes = 0, -EINVAL, "access_sizes");
    BAD(m->access_sizes = 16, -EINVAL, "access_sizes");
    BAD(m->irq_lines = 65, -EINVAL, "64");
    BAD(m->peer_ports = 33, -EINVAL, "32");
    BAD(m->timers = 33, -EINVAL, "32");
    BAD((m->size = sizeof(big), big.beyond = 1), -E2BIG, "newer");
    BAD(m->init = init_fails, -ENODEV, "'test' did not start: No such device");
    BAD(m->init = init_positive, -EINVAL, "'test' did not start");
    assert_int_equal(fini_calls, 0);
    assert_int_equal(trestle_sim_next(sim), TRESTLE_TIME_NEVER); /* init's timer is gone too */
    refused(NULL, &options, -EINVAL, "no model");
}

static void test_tables_of_other_sizes(void **state)
{
    /* Older: without the last callbacks, which must be taken for NULL and not read. */
    struct trestle_model older = model;
    older.size = offsetof(struct trestle_model, wake);
    struct trestle_device *d = make(&older, &ops);
    struct state *ds = trestle_device_state(d);
    trestle_device_wake_at(d, 0, 5);
    (void)trestle_sim_run_until(sim, 10);
    assert_int_equal(ds->wakes, 0);
    assert_null(trestle_device_model(d)->message);
    assert_int_equal(trestle_device_model(d)->size, sizeof(struct trestle_model));
    trestle_device_destroy(d);
    older.size = offsetof(struct trestle_model, init); /* the oldest there can be */
    trestle_device_destroy(make(&older, &ops));
    /* Newer, but using nothing new. */
    struct {
        struct trestle_model m;
        void *beyond;
    } newer = {.m = model};
    newer.m.size = sizeof(newer);
    trestle_device_destroy(make(&newer.m, &ops));
}

static void test_as_many_as_there_can_be(void **state)
{
    struct trestle_model full = model;
    full.irq_lines = 64;
    full.peer_ports = full.timers = 32;
    struct trestle_device *d = make(&full, &ops);
    struct state *ds = trestle_device_state(d);
    trestle_device_irq(d, 63, true);
    assert_int_equal(host.irqs, 1);
    assert_int_equal(host.line, 63);
    assert_true(trestle_device_irq_level(d, 63));
    assert_false(trestle_device_irq_level(d, 31));
    trestle_device_wake_at(d, 31, 7);
    (void)trestle_sim_run_until(sim, 7);
    assert_int_equal(ds->wakes, 1);
    assert_int_equal(ds->timer, 31);
    assert_int_equal(trestle_device_deliver(d, 31, "x", 1), 0);
    assert_int_equal(ds->port, 31);
    trestle_device_destroy(d);
}

static void test_bad_options(void **state)
{
    struct trestle_device_options o = {.size = sizeof(o), .name = "d1"};
#define BAD_OPTION(change, text)                                              \
    do {                                                                      \
        o = (struct trestle_device_options){.size = sizeof(o), .name = "d1"}; \
        change;                                                               \
        refused(&model, &o, -EINVAL, text);                                   \
    } while (0)
    BAD_OPTION(o.size = 8, "size");
    BAD_OPTION(o.name = NULL, "no name");
    BAD_OPTION(o.name = "", "no name");
    BAD_OPTION(o.region_size = 0x1f, "size 31 is smaller than the 32 bytes");
    BAD_OPTION(o.base_addr = 4, "at 0x4: the base is not a multiple of 8");
    BAD_OPTION((o.base_addr = UINT64_MAX - 7, o.region_size = 4096), "beyond the last address");
}

static void test_options_of_other_sizes(void **state)
{
    struct {
        struct trestle_device_options o;
        uint64_t beyond;
    } big = {.o = {.size = sizeof(big), .name = "d1"}, .beyond = 1};
    struct trestle_host_ops some = {0};
    struct trestle_device *d = NULL;
    refused(&model, &big.o, -E2BIG, "another version");
    big.o.ops = &some;
    big.o.size = sizeof(big.o);
    refused(&model, &big.o, -EINVAL, "another version"); /* ops without a size */
    some.size = offsetof(struct trestle_host_ops, irq);
    assert_int_equal(trestle_device_create(sim, &model, &big.o, &d, NULL), 0);
    trestle_device_destroy(d);
    big.o.ops = (void *)8; /* beyond its size: not looked at */
    big.o.size = offsetof(struct trestle_device_options, ops);
    big.o.base_addr = UINT64_MAX - 0x1f; /* its last byte is the last there is */
    assert_int_equal(trestle_device_create(sim, &model, &big.o, &d, NULL), 0);
    trestle_device_destroy(d);
}

static void test_destroy(void **state)
{
    struct trestle_request req = request(false, 0, 4, 0);
    trestle_device_destroy(NULL);
    s->answer = -EINPROGRESS;
    assert_int_equal(trestle_device_submit(dev, &req), -EINPROGRESS);
    trestle_device_wake_at(dev, 0, 1);
    uint8_t buf[1];
    assert_int_equal(trestle_device_dma_read(dev, 0, buf, 1, 0), 0);
    assert_int_equal(trestle_device_dma_read(dev, 0, buf, 1, 0), 0);
    assert_int_equal(trestle_device_dma_complete(dev, host.dma_id, 0), 0);
    trestle_device_destroy(dev);
    dev = NULL;
    assert_int_equal(fini_calls, 1);
    assert_int_equal(host.done, 0);
    assert_null(req.device);
    assert_int_equal(trestle_sim_run_until(sim, 10), 0);
}

static void test_port_names(void **state)
{
    uint32_t port = 99;
    assert_int_equal(trestle_model_port(&model, "peer", &port), 0);
    assert_int_equal(port, 0);
    assert_int_equal(trestle_model_port(&model, "peer1", &port), 0);
    assert_int_equal(port, 1);
    assert_int_equal(trestle_model_port(&model, "peer0", &port), 0);
    assert_int_equal(port, 0);
    static const char *const bad[] = {"peer2", "peer01", "peer1x",         "pee",   "",
                                      "Peer",  "peer-1", "peer4294967296", "peer1&"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(trestle_model_port(&model, bad[i], &port), -ENOENT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_state_is_zeroed_and_region_known),
        TEST(test_access_is_done_at_once),
        TEST(test_bad_accesses_never_reach_the_model),
        TEST(test_registers_are_smaller_than_the_region),
        TEST(test_refusal_names_the_access),
        TEST(test_model_without_callbacks),
        TEST(test_positive_answer_is_an_error),
        TEST(test_deferred_access),
        TEST(test_deferred_failure),
        TEST(test_a_callback_acts_on_another_device),
        TEST(test_completion_inside_the_callback),
        TEST(test_double_completion),
        TEST(test_double_completion_in_one_callback),
        TEST(test_done_may_submit),
        TEST(test_model_is_not_re_entered),
        TEST(test_timers),
        TEST(test_wake_in_the_past_is_now),
        TEST(test_wake_after_cannot_overflow),
        TEST(test_timer_and_line_that_do_not_exist),
        TEST(test_irq_levels_are_idempotent),
        TEST(test_reset_cancels_everything),
        TEST(test_cancel),
        TEST(test_messages_over_a_link),
        TEST(test_a_link_is_bounded),
        TEST(test_the_bytes_of_a_link_are_bounded),
        TEST(test_transfers_are_bounded),
        TEST(test_messages_beyond_the_engine),
        TEST(test_forwarded_messages),
        TEST(test_input),
        TEST(test_output),
        TEST(test_dma),
        TEST(test_memory_within_the_call),
        TEST(test_update),
        TEST(test_dma_completed_at_once_comes_later),
        TEST(test_dma_refused),
        TEST(test_resets_leave_transfers_in_order),
        TEST(test_list),
        TEST(test_list_refused),
        TEST(test_cancelled),
        TEST(test_log_line),
        TEST(test_debug_lines_only_when_asked_for),
        TEST(test_log_says_nothing_of_nothing),
        TEST(test_log_limit),
        TEST(test_activity),
        TEST(test_fence),
        TEST(test_devices_that_go_while_a_thread_looks),
        TEST(test_interrupt),
        TEST(test_calls_from_another_thread),
        TEST(test_bad_tables),
        TEST(test_tables_of_other_sizes),
        TEST(test_as_many_as_there_can_be),
        TEST(test_bad_options),
        TEST(test_options_of_other_sizes),
        TEST(test_destroy),
        TEST(test_port_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
