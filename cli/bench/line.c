/* SPDX-License-Identifier: MIT */
/* Two threads on two processors hand cache lines to each other. */
#include "bench/line.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"

#define TURNS_PER_BATCH 64u
/* Others may want the processors. */
#define PATIENCE_NS (NS_PER_S / 10)

/* Two lines, one each way, and nothing else. Where the host has put the processors decides. */
struct lines {
    alignas(128) _Atomic uint64_t there;
    alignas(128) _Atomic uint64_t back;
    alignas(128) atomic_bool is_over;
};

static void *send_back(void *ctx)
{
    struct lines *lines = ctx;
    for (uint64_t i = 1;; i++) {
        while (atomic_load_explicit(&lines->there, memory_order_acquire) != i)
            if (atomic_load_explicit(&lines->is_over, memory_order_relaxed))
                return NULL;
        atomic_store_explicit(&lines->back, i, memory_order_release);
    }
}

static void send_there(struct lines *lines, uint64_t i)
{
    atomic_store_explicit(&lines->there, i, memory_order_release);
    while (atomic_load_explicit(&lines->back, memory_order_acquire) != i)
        ;
}

double bench_line_ns(uint64_t batches)
{
    struct lines lines = {.there = 0};
    cpu_set_t processors;
    pthread_t thread;
    if (sched_getaffinity(0, sizeof(processors), &processors) < 0 || CPU_COUNT(&processors) < 2 ||
        pthread_create(&thread, NULL, send_back, &lines) != 0)
        return 0;
    send_there(&lines, 1); /* the thread runs */
    uint64_t start_ns = clock_ns(), before_ns = start_ns, least_ns = UINT64_MAX, turns = 1;
    for (uint64_t i = 0; i < batches && before_ns - start_ns < PATIENCE_NS; i++) {
        for (unsigned turn = 0; turn < TURNS_PER_BATCH; turn++)
            send_there(&lines, ++turns);
        uint64_t now_ns = clock_ns();
        least_ns = now_ns - before_ns < least_ns ? now_ns - before_ns : least_ns;
        before_ns = now_ns;
    }
    atomic_store(&lines.is_over, true);
    pthread_join(thread, NULL);
    return (double)least_ns / TURNS_PER_BATCH;
}
