/* SPDX-License-Identifier: MIT */
/*
 * What the engine costs: events, messages and model accesses per second of processor
 * time, each the median of five runs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/event.h"
#include "trestle/sim.h"

#define RUNS 5

/* Of this process' own, so that what else the machine does weighs less. */
static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void check(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "engine: %s: %s\n", what, strerror(-r));
        exit(1);
    }
}

static struct trestle_sim *new_sim(void)
{
    struct trestle_sim *sim;
    check(trestle_sim_create(&sim), "sim");
    return sim;
}

/* Pending events that schedule themselves again after a pseudo-random time: the classic hold
 * model of event-queue papers. */
struct hold {
    struct trestle_event event;
    struct trestle_sim *sim;
    uint64_t random;
    uint64_t *left;
};

static void hold_fire(struct trestle_event *event, trestle_time now)
{
    struct hold *hold = (struct hold *)event;
    if (*hold->left == 0)
        return;
    --*hold->left;
    hold->random ^= hold->random << 13;
    hold->random ^= hold->random >> 7;
    hold->random ^= hold->random << 17;
    check(trestle_sim_schedule(hold->sim, event, now + 1 + (hold->random >> 44)), "schedule");
}

static double run_hold(size_t pending, uint64_t events)
{
    struct trestle_sim *sim = new_sim();
    struct hold *holds = calloc(pending, sizeof(*holds));
    uint64_t left = events;
    if (!holds)
        check(-1, "memory");
    for (size_t i = 0; i < pending; i++) {
        trestle_event_init(&holds[i].event, hold_fire);
        holds[i].sim = sim;
        holds[i].random = (i + 1) * 0x9e3779b97f4a7c15u;
        holds[i].left = &left;
        check(trestle_sim_schedule(sim, &holds[i].event, i), "schedule");
    }
    double start = seconds();
    uint64_t fired = trestle_sim_run_until(sim, TRESTLE_TIME_NEVER);
    double rate = (double)fired / (seconds() - start);
    trestle_sim_destroy(sim);
    free(holds);
    return rate;
}

/* Half of the pending events are moved before they come, as a watchdog is. */
static double run_move(size_t pending, uint64_t events)
{
    struct trestle_sim *sim = new_sim();
    struct hold *holds = calloc(pending, sizeof(*holds));
    uint64_t random = 1;
    if (!holds)
        check(-1, "memory");
    for (size_t i = 0; i < pending; i++)
        trestle_event_init(&holds[i].event, hold_fire);
    double start = seconds();
    for (uint64_t i = 0; i < events; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        check(trestle_sim_schedule(sim, &holds[i % pending].event, random >> 44), "schedule");
    }
    double rate = (double)events / (seconds() - start);
    trestle_sim_destroy(sim);
    free(holds);
    return rate;
}

struct ping {
    struct trestle_component *component;
    uint64_t left;
};

static void ping_receive(void *ctx, uint32_t port, const void *data, size_t size)
{
    struct ping *ping = ctx;
    if (ping->left == 0)
        return;
    ping->left--;
    check(trestle_component_send(ping->component, port, data, size), "send");
}

static double run_messages(size_t size, uint64_t messages)
{
    struct trestle_sim *sim = new_sim();
    struct ping a = {.left = messages / 2}, b = {.left = messages / 2};
    uint8_t data[TRESTLE_MESSAGE_MAX] = {0};
    check(trestle_component_create(sim, 1, ping_receive, &a, &a.component), "component");
    check(trestle_component_create(sim, 1, ping_receive, &b, &b.component), "component");
    check(trestle_link_create(a.component, 0, b.component, 0, TRESTLE_NS, NULL), "link");
    check(trestle_component_send(a.component, 0, data, size), "send");
    double start = seconds();
    uint64_t fired = trestle_sim_run_until(sim, TRESTLE_TIME_NEVER);
    double rate = (double)fired / (seconds() - start);
    trestle_sim_destroy(sim);
    return rate;
}

/* A model with one register; it answers after a while when there is a latency. */
struct unit {
    uint64_t value;
    struct trestle_request *waiting;
};

static trestle_time unit_latency;

static int unit_read(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    struct unit *unit = trestle_device_state(dev);
    *ret_data = unit->value;
    if (!unit_latency)
        return 0;
    unit->waiting = req;
    trestle_device_wake_after(dev, 0, unit_latency);
    return -EINPROGRESS;
}

static int unit_write(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access)
{
    struct unit *unit = trestle_device_state(dev);
    unit->value = access->data;
    return 0;
}

static void unit_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct unit *unit = trestle_device_state(dev);
    trestle_request_complete(unit->waiting, 0, unit->value);
}

static const struct trestle_model unit_model = {
    .size = sizeof(unit_model),
    .name = "unit",
    .region_size = 16,
    .access_sizes = 4,
    .timers = 1,
    .state_size = sizeof(struct unit),
    .read = unit_read,
    .write = unit_write,
    .wake = unit_wake,
};

static void unit_done(struct trestle_request *req)
{
    check(req->status, "access");
}

/* As a bridge does it: submit, and run the engine while the answer is not there. */
static double run_accesses(size_t latency, uint64_t accesses)
{
    struct trestle_sim *sim = new_sim();
    struct trestle_device *dev;
    struct trestle_device_options options = {.size = sizeof(options), .name = "unit"};
    check(trestle_device_create(sim, &unit_model, &options, &dev, NULL), "device");
    unit_latency = latency;
    double start = seconds();
    for (uint64_t i = 0; i < accesses; i++) {
        struct trestle_request req = {.access = {.offset = 4, .data = i, .size = 4},
                                      .write = latency == 0 && (i & 1),
                                      .done = unit_done};
        if (trestle_device_submit(dev, &req) == -EINPROGRESS)
            trestle_sim_run_until(sim, trestle_sim_next(sim));
    }
    double rate = (double)accesses / (seconds() - start);
    trestle_device_destroy(dev);
    trestle_sim_destroy(sim);
    return rate;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double (*run)(size_t, uint64_t), size_t parameter, uint64_t n)
{
    double rates[RUNS];
    for (int i = 0; i < RUNS; i++)
        rates[i] = run(parameter, n);
    qsort(rates, RUNS, sizeof(rates[0]), compare);
    printf("%-36s %8.1f M/s %8.1f ns\n", what, rates[RUNS / 2] / 1e6, 1e9 / rates[RUNS / 2]);
}

int main(int argc, char **argv)
{
    /* An argument scales the work down, for a quick look. */
    uint64_t scale = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t n = 4000000 / (scale ? scale : 1);
    report("schedule + fire, 1 pending", run_hold, 1, n);
    report("schedule + fire, 64 pending", run_hold, 64, n);
    report("schedule + fire, 4096 pending", run_hold, 4096, n);
    report("schedule + fire, 65536 pending", run_hold, 65536, n);
    report("move, 64 pending", run_move, 64, n);
    report("move, 4096 pending", run_move, 4096, n);
    report("message over a link, 16 bytes", run_messages, 16, n);
    report("message over a link, 256 bytes", run_messages, 256, n);
    report("access to a model", run_accesses, 0, n);
    report("access answered 10 ns later", run_accesses, 10 * TRESTLE_NS, n);
    return 0;
}
