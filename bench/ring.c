/* SPDX-License-Identifier: MIT */
/*
 * What the shared-memory carrier costs without QEMU and models: two threads over the real rings,
 * by the host's clock, each figure the median of five runs. A line's way, and a question and its
 * answer, are the best batch of each run, to be held against each other. Both threads spin, so this
 * wants two processors for itself.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/line.h"
#include "ipc/barrier.h"
#include "ipc/shm.h"
#include "ipc/wait.h"

#define RUNS 5
/* As bench_line_ns() counts. */
#define TURNS_PER_BATCH 64u

/* Each thread's own in cache lines of its own, as they are in two processes. */
struct rings {
    alignas(128) struct ring_consumer requests_in;
    struct ring_producer events_out;
    alignas(128) struct ring_producer requests_out;
    struct ring_consumer events_in;
    alignas(128) uint64_t count;
    uint64_t least_ns; /* of TURNS_PER_BATCH questions in a row; 0: not known */
};

static void check(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "ring: %s: %s\n", what, strerror(-r));
        exit(1);
    }
}

/* Both sides use one mapping, and never sleep. */
static void open_rings(struct shm *shm, struct rings *rings)
{
    bool needs_fence = !barrier_register();
    check(shm_create(shm, &(const char *){NULL}), "shared memory");
    shm_server_rings(shm, needs_fence, &rings->requests_in, &rings->events_out);
    shm_client_rings(shm, needs_fence, &rings->requests_out, &rings->events_in);
}

static void take(struct ring_consumer *ring, struct trestle_v2_message *ret_message)
{
    int r;
    while ((r = ring_take(ring, ret_message)) == 0)
        ;
    check(r, "take");
}

/* A full ring: the producer waits, as the plugin's does. */
static void post(struct ring_producer *ring, const struct trestle_v2_message *message)
{
    int r;
    while ((r = ring_post(ring, message)) == -EAGAIN)
        ;
    check(r, "post");
}

static void *answer(void *ctx)
{
    struct rings *rings = ctx;
    struct trestle_v2_message message;
    for (uint64_t i = 0; i < rings->count; i++) {
        take(&rings->requests_in, &message);
        message.type = TRESTLE_V2_REPLY;
        post(&rings->events_out, &message);
    }
    return NULL;
}

static void *swallow(void *ctx)
{
    struct rings *rings = ctx;
    struct trestle_v2_message message;
    for (uint64_t i = 0; i < rings->count; i++)
        take(&rings->requests_in, &message);
    return NULL;
}

static void ask(struct rings *rings)
{
    struct trestle_v2_message message = {.type = TRESTLE_V2_READ, .size = 4}, reply;
    uint64_t before_ns = clock_ns();
    for (uint64_t i = 1; i <= rings->count; i++) {
        message.id = i;
        post(&rings->requests_out, &message);
        take(&rings->events_in, &reply);
        if (reply.id != i)
            check(-EPROTO, "reply");
        if (i % TURNS_PER_BATCH != 0)
            continue;
        uint64_t now_ns = clock_ns();
        if (rings->least_ns == 0 || now_ns - before_ns < rings->least_ns)
            rings->least_ns = now_ns - before_ns;
        before_ns = now_ns;
    }
}

static void pour(struct rings *rings)
{
    struct trestle_v2_message message = {
        .type = TRESTLE_V2_WRITE, .flags = TRESTLE_V2_FLAG_POSTED, .size = 4};
    for (uint64_t i = 1; i <= rings->count; i++) {
        message.id = i;
        post(&rings->requests_out, &message);
    }
}

/* Nobody else touches the cache lines: what the instructions cost. */
static void post_and_take(struct rings *rings)
{
    struct trestle_v2_message message = {.type = TRESTLE_V2_WRITE, .size = 4}, got;
    for (uint64_t i = 0; i < rings->count; i++) {
        post(&rings->requests_out, &message);
        take(&rings->requests_in, &got);
    }
}

/* Returns nanoseconds per message; per question and answer, in the best batch. */
static double run_once(void (*here)(struct rings *), void *(*there)(void *), uint64_t count)
{
    struct shm shm;
    struct rings rings = {.count = count, .least_ns = 0};
    pthread_t thread;
    open_rings(&shm, &rings);
    uint64_t start = clock_ns();
    if (there)
        check(-pthread_create(&thread, NULL, there, &rings), "thread");
    here(&rings);
    if (there)
        pthread_join(thread, NULL);
    double ns = (double)(clock_ns() - start) / (double)count;
    shm_close(&shm);
    return rings.least_ns ? (double)rings.least_ns / TURNS_PER_BATCH : ns;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *ref_ns)
{
    qsort(ref_ns, RUNS, sizeof(ref_ns[0]), compare);
    printf("%-36s %8.1f M/s %8.1f ns\n", what, 1e3 / ref_ns[RUNS / 2], ref_ns[RUNS / 2]);
}

static void measure(const char *what, void (*here)(struct rings *), void *(*there)(void *),
                    uint64_t count)
{
    double ns[RUNS];
    for (int i = 0; i < RUNS; i++)
        ns[i] = run_once(here, there, count);
    report(what, ns);
}

static void measure_line(uint64_t count)
{
    double ns[RUNS];
    for (int i = 0; i < RUNS; i++)
        ns[i] = bench_line_ns(count / 64 + 1);
    report("a cache line there and back", ns);
}

int main(int argc, char **argv)
{
    /* An argument scales the work down, for a quick look. */
    uint64_t scale = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t count = 2000000 / (scale ? scale : 1);
    cpu_set_t processors;
    measure("post and take, one thread", post_and_take, NULL, 4 * count);
    if (sched_getaffinity(0, sizeof(processors), &processors) < 0 || CPU_COUNT(&processors) < 2) {
        printf("one processor: two threads that spin would only wait for each other\n");
        return 0;
    }
    measure_line(count);
    measure("question and answer, two threads", ask, answer, count);
    measure("posted, one thread to another", pour, swallow, 4 * count);
    return 0;
}
