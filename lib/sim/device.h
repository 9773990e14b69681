/* SPDX-License-Identifier: MIT */
/* The inside of a device, shared by device*.c. */
#ifndef TRESTLE_SIM_DEVICE_H
#define TRESTLE_SIM_DEVICE_H

#include <string.h>

#include "base/macros.h"
#include "base/rate_limit.h"
#include "sim.h"

/* What the model holds of a request is one of these in turn, never the owner's own memory: a
 * model that completes a request long gone names an old ticket and does no harm. */
#define DEVICE_TICKETS 8

struct device_timer {
    struct trestle_event event;
    struct trestle_device *dev;
};

struct transfer;

enum device_hindrance {
    DEVICE_FAILED = 1,
    DEVICE_DELAYED = 2, /* access_latency is not 0 */
};

struct trestle_device {
    struct trestle_device_facts facts; /* first: trestle_device_facts() */
    /* What else each access touches, close to it. */
    struct register_banks *banks;           /* or NULL */
    const void *fence;                      /* behind the state, which need not be aligned */
    struct trestle_device *outer;           /* from inside whose callback it was called, or NULL */
    unsigned depth;                         /* callbacks of the model that are under way */
    _Atomic enum trestle_callback callback; /* the latest */
    unsigned ticket;                        /* of the current or the next request */
    bool completed; /* request is done and only waits for the callback's return */
    bool has_started, told_overflow;
    bool is_ending;     /* its model's fini() is called */
    unsigned hindrance; /* enum device_hindrance: what keeps accesses from the model, or 0 */
    atomic_bool told_thread;

    struct trestle_model model;
    struct trestle_host_ops ops;
    void *memory[TRESTLE_REGIONS_MAX]; /* of regions that are; otherwise NULL */
    char *failure;                     /* what trestle_device_fail() said */
    trestle_time access_latency;
    /* The model gets the request under way, or has completed it in another device's callback. */
    struct trestle_event delayed;
    struct trestle_request tickets[DEVICE_TICKETS];

    bool log_debug;
    struct rate_limit log_limits[2]; /* errors, warnings; in simulated time */

    /* Transfers are found by index; those not under way form a list. */
    struct transfer **transfers;
    uint32_t num_transfers;
    struct transfer *free_transfers;

    struct device_timer timers[];
};

static inline bool device_has_failed(const struct trestle_device *dev)
{
    return dev->hindrance & DEVICE_FAILED;
}

/* Around every callback of the model. What the callback completed is answered after it. */
static inline void device_enter(struct trestle_device *dev, enum trestle_callback callback)
{
    struct activity *activity = &dev->facts.sim->activity;
    dev->depth++;
    dev->outer = atomic_load_explicit(&activity->device, memory_order_relaxed);
    atomic_store_explicit(&dev->callback, callback, memory_order_relaxed);
    atomic_store_explicit(&activity->device, dev, memory_order_relaxed);
    atomic_store_explicit(&activity->latest, dev, memory_order_relaxed);
    activity_count(&activity->callbacks);
}
/* Behind a model's state, and looked at when a callback has returned. */
#define DEVICE_FENCE UINT64_C(0x666f2065636e6566)
static inline bool device_is_intact(const struct trestle_device *dev)
{
    uint64_t fence[2];
    memcpy(fence, dev->fence, sizeof(fence));
    return likely(((fence[0] ^ DEVICE_FENCE) | (fence[1] ^ DEVICE_FENCE)) == 0);
}
/* Says so, once. */
void device_say_overflow(struct trestle_device *dev);
static inline void device_exit(struct trestle_device *dev)
{
    dev->depth--;
    atomic_store_explicit(&dev->facts.sim->activity.device, dev->outer, memory_order_relaxed);
    if (!device_is_intact(dev))
        device_say_overflow(dev);
}
/* True for a call of a model's from another thread than its own, which is said once and does
 * nothing. */
bool device_refuse_thread(struct trestle_device *dev, const char *function);
static inline bool device_is_elsewhere(struct trestle_device *dev, const char *function)
{
    return unlikely(atomic_load_explicit(&dev->facts.sim->activity.thread, memory_order_relaxed) !=
                    activity_this_thread()) &&
           device_refuse_thread(dev, function);
}
void device_leave(struct trestle_device *dev);
/* Ends the request under way with -ECANCELED, since nobody waits for it any more, and returns it.
 * NULL: there is none. */
struct trestle_request *device_give_up(struct trestle_device *dev);

/* device_observe.c: an observer may see what passes. Without one, the hot path stays as it is. */
static inline bool device_is_observed(const struct trestle_device *dev)
{
    return unlikely(dev->facts.sim->observe);
}
void observe_access(struct trestle_device *dev, const struct trestle_request *req);
void observe_answer(struct trestle_device *dev, const struct trestle_request *req);
void observe_irq(struct trestle_device *dev, uint32_t line, bool level);
void observe_reset(struct trestle_device *dev, bool is_alone);
void observe_message(struct trestle_device *dev, bool is_sent, uint32_t port, const void *data,
                     size_t size);
void observe_input(struct trestle_device *dev, const void *data, size_t size);
/* The bytes of a write go along. */
void observe_dma(struct trestle_device *dev, bool write, uint32_t transfer, uint64_t addr,
                 const void *buf, size_t size);
/* read_buf: where a successful read has put its bytes, or NULL. */
void observe_dma_end(struct trestle_device *dev, uint32_t transfer, int status,
                     const void *read_buf, size_t size);
void observe_dma_refused(struct trestle_device *dev, uint32_t transfer, int status);

/* When the timer will come, or TRESTLE_TIME_NEVER. */
trestle_time device_wake_time(const struct trestle_device *dev, uint32_t timer);
void device_delayed_fire(struct trestle_event *event, trestle_time now);
void device_timer_fire(struct trestle_event *event, trestle_time now);
void device_cancel_timers(struct trestle_device *dev);
void device_receive(void *ctx, uint32_t port, const void *data, size_t size);

/* Says how many lines were left out, at the end. */
void device_log_finish(struct trestle_device *dev);

/* device_memory.c. -ENOMEM: those that are there are freed all the same. */
TRESTLE_CHECK int device_memory_create(struct trestle_device *dev);
void device_memory_free(struct trestle_device *dev);
void device_memory_access(struct trestle_device *dev, const struct trestle_access *access,
                          bool write, uint64_t *ret_data);

void device_forget_transfers(struct trestle_device *dev);
void device_free_transfers(struct trestle_device *dev);

#endif
