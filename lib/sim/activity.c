/* SPDX-License-Identifier: MIT */
/* For other threads: what a sim does, and how to have its engine stop. */
#include "activity.h"

#include <sched.h>
#include <string.h>

#include "command.h"
#include "device.h"

const char *activity_name(enum trestle_callback callback)
{
    static const char *const names[] = {
        [TRESTLE_CALLBACK_NONE] = "none",       [TRESTLE_CALLBACK_INIT] = "init",
        [TRESTLE_CALLBACK_START] = "start",     [TRESTLE_CALLBACK_READ] = "read",
        [TRESTLE_CALLBACK_WRITE] = "write",     [TRESTLE_CALLBACK_WAKE] = "wake",
        [TRESTLE_CALLBACK_MESSAGE] = "message", [TRESTLE_CALLBACK_DMA_DONE] = "dma_done",
        [TRESTLE_CALLBACK_RESET] = "reset",     [TRESTLE_CALLBACK_FINI] = "fini",
        [TRESTLE_CALLBACK_INPUT] = "input",
    };
    return names[callback];
}

static void look_at_device(const struct trestle_device *dev, bool runs,
                           struct trestle_activity *ret)
{
    const struct trestle_request *request = dev->facts.request;
    enum trestle_callback callback = atomic_load_explicit(&dev->callback, memory_order_relaxed);
    ret->callback = runs ? callback : TRESTLE_CALLBACK_NONE;
    ret->callback_name = activity_name(callback);
    strncpy(ret->device, dev->facts.name ? dev->facts.name : "", sizeof(ret->device) - 1);
    if (request &&
        (ret->callback == TRESTLE_CALLBACK_READ || ret->callback == TRESTLE_CALLBACK_WRITE)) {
        ret->offset = request->access.offset;
        ret->size = request->access.size;
    }
}

void trestle_sim_look(const struct trestle_sim *sim, struct trestle_activity *ret_activity)
{
    struct activity *activity = (struct activity *)(uintptr_t)&sim->activity;
    struct trestle_activity seen = {
        .callbacks = atomic_load_explicit(&activity->callbacks, memory_order_acquire),
        .runs = atomic_load_explicit(&activity->runs, memory_order_relaxed),
        .is_running = atomic_load_explicit(&activity->is_running, memory_order_relaxed),
        .is_waiting = atomic_load_explicit(&activity->is_waiting, memory_order_relaxed),
        .now = sim->now};
    struct trestle_activity with_device = seen;
    /* In this order for all threads: whoever forgets a device sees that somebody looks at it, or it
     * is not found here any more. */
    atomic_fetch_add(&activity->lookers, 1);
    const struct trestle_device *dev = atomic_load(&activity->device);
    const struct trestle_device *latest = atomic_load(&activity->latest);
    if (dev || latest)
        look_at_device(dev ? dev : latest, dev, &with_device);
    atomic_fetch_sub(&activity->lookers, 1);
    /* What is seen of another callback than the one at the beginning is not used. */
    bool goes_on =
        atomic_load_explicit(&activity->callbacks, memory_order_acquire) != seen.callbacks;
    *ret_activity = goes_on ? seen : with_device;
}

void activity_forget(struct activity *activity)
{
    atomic_store(&activity->latest, NULL);
    while (atomic_load(&activity->lookers) > 0)
        sched_yield();
}

void activity_of_waiting(struct trestle_sim *sim, atomic_bool **ret_is_waiting,
                         const atomic_bool **ret_is_over)
{
    *ret_is_waiting = &sim->activity.is_waiting;
    *ret_is_over = &sim->activity.is_interrupted;
}

bool activity_has_lost(const struct trestle_sim *sim)
{
    return sim->activity.has_lost;
}

void trestle_sim_interrupt(struct trestle_sim *sim)
{
    atomic_store_explicit(&sim->activity.is_interrupted, true, memory_order_relaxed);
}
