/* SPDX-License-Identifier: MIT */
/* The loop: what comes is served while spinning for it pays, and then from sleep. */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "bridge/bridge.h"
#include "front/connection.h"

/* Looks of 15 ns at a ring, and at what else there is to do: 1 us, which is more than an answer
 * takes while both run. */
#define QUICK_LOOKS 64u
/* Looks that found something: then the sockets and the caller have their turn. */
#define FOUND_PER_TURN 64u

struct watch {
    struct loop_source source;
    void (*ready)(void *ctx);
    void *ctx;
    struct watch *next;
};

/* --- the engine's own time ------------------------------------------------------------------- */

static void timer_ready(struct loop_source *source, uint32_t events)
{
    uint64_t expirations;
    (void)events;
    while (read(source->fd, &expirations, sizeof(expirations)) < 0 && errno == EINTR)
        ;
}

int serve_create_timer(struct trestle_bridge *bridge)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    bridge->timer.ready = timer_ready;
    int r = loop_add(&bridge->front.loop, &bridge->timer, fd, EPOLLIN);
    if (r)
        close(fd);
    return r;
}

static void arm_timer(struct trestle_bridge *bridge)
{
    uint64_t ns = timeline_wake_ns(&bridge->front.timeline);
    struct itimerspec when = {0};
    if (ns == bridge->timer_ns)
        return;
    bridge->timer_ns = ns;
    if (ns != CLOCK_NEVER)
        when.it_value = clock_timespec(ns);
    timerfd_settime(bridge->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* --- requests ----------------------------------------------------------------------------------
 */

/* Serves what can be seen without the kernel, or with little help from it. */
static bool look(struct trestle_bridge *bridge)
{
    struct front *front = &bridge->front;
    bool found = false;
    if (front->intake)
        found = front->intake->serve(front->intake) > 0;
    else if (front->last_active)
        found = connection_serve(front->last_active) > 0;
    if (timeline_run_on(&front->timeline))
        found = true;
    if (front->when_safe) {
        front->when_safe(front);
        front->when_safe = NULL;
    }
    connection_serve_resumed(front);
    return found;
}

int serve_call(struct trestle_bridge *bridge, const struct trestle_v2_message *request,
               struct trestle_v2_message *ret_reply)
{
    struct front *front = &bridge->front;
    int r = front->intake ? front->intake->call(front->intake, request, ret_reply) : -EAGAIN;
    if (unlikely(front->when_safe || front->resumed))
        look(bridge);
    return r;
}

static int poll_device_sockets(struct trestle_bridge *bridge, int timeout_ms)
{
    struct front *front = &bridge->front;
    struct front_intake *intake = front->intake;
    timeout_ms = connection_listen_again(front, timeout_ms);
    if (!intake)
        return loop_run(&front->loop, timeout_ms);
    int called = loop_run(&front->loop, intake->prepare_sleep(intake) ? timeout_ms : 0);
    if (front->intake == intake) /* it may have gone meanwhile */
        intake->awake(intake);
    return called;
}

/* Empty looks between two looks at all sockets: a look at a ring costs some nanoseconds, one at a
 * socket as much as one at all of them. */
static uint32_t empty_looks_max(const struct trestle_bridge *bridge)
{
    return bridge->front.intake ? 4096u : 8u;
}

/* deadline_ns: 0 for one who does not want to wait. */
static struct ipc_spin start_spin(const struct trestle_bridge *bridge, uint64_t deadline_ns)
{
    return bridge->front.intake && deadline_ns
               ? ipc_spin_start_quick(&bridge->front.wait, deadline_ns, QUICK_LOOKS)
               : ipc_spin_start(deadline_ns);
}

/* Serves what comes while busy waiting pays. 0: it does not any more; else what loop_run() said
 * when it found something, or 1 when there was enough for one call, or something for the outside,
 * for which the guest waits. */
static int serve_spinning(struct trestle_bridge *bridge, uint64_t deadline_ns)
{
    struct ipc_spin spin = start_spin(bridge, deadline_ns);
    uint64_t handed = bridge->front.timeline.num_handed;
    uint32_t empty_looks = 0;
    for (;;) {
        if (look(bridge)) {
            ipc_spin_end(&bridge->front.wait, &spin);
            if (++bridge->num_found % FOUND_PER_TURN == 0)
                break;
            if (bridge->front.timeline.num_handed != handed)
                return 1;
            spin = start_spin(bridge, deadline_ns);
            continue;
        }
        if (++empty_looks % empty_looks_max(bridge) == 0) {
            int called = loop_run(&bridge->front.loop, 0);
            if (called)
                return called;
        }
        if (!ipc_spin_on(&bridge->front.wait, &spin)) {
            bridge->spin = spin;
            return 0;
        }
    }
    int called = loop_run(&bridge->front.loop, 0);
    return called ? called : 1;
}

int trestle_bridge_poll(struct trestle_bridge *bridge, int timeout_ms)
{
    uint64_t deadline_ns = timeout_ms < 0    ? CLOCK_NEVER
                           : timeout_ms == 0 ? 0
                                             : clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    uint64_t handed = bridge->front.timeline.num_handed;
    int called = serve_spinning(bridge, deadline_ns);
    if (called == 0) {
        arm_timer(bridge);
        bridge_trace_rest(&bridge->trace);
        called = poll_device_sockets(bridge, timeout_ms);
        ipc_spin_end(&bridge->front.wait, &bridge->spin);
    }
    if (bridge->front.timeline.num_handed == handed)
        look(bridge);
    return called < 0 ? called : 0;
}

/* --- the caller's descriptors ------------------------------------------------------------------
 */

static void watch_ready(struct loop_source *source, uint32_t events)
{
    struct watch *watch = container_of(source, struct watch, source);
    (void)events;
    watch->ready(watch->ctx);
}

int trestle_bridge_watch(struct trestle_bridge *bridge, int fd, void (*ready)(void *ctx), void *ctx)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->source.ready = watch_ready;
    watch->ready = ready;
    watch->ctx = ctx;
    int r = loop_add(&bridge->front.loop, &watch->source, fd, EPOLLIN);
    if (r) {
        free(watch);
        return r;
    }
    watch->next = bridge->watches;
    bridge->watches = watch;
    return 0;
}

void trestle_bridge_unwatch(struct trestle_bridge *bridge, int fd)
{
    for (struct watch **at = &bridge->watches; *at; at = &(*at)->next) {
        struct watch *watch = *at;
        if (watch->source.fd == fd) {
            *at = watch->next;
            loop_remove(&bridge->front.loop, &watch->source);
            free(watch);
            return;
        }
    }
}

void serve_finish(struct trestle_bridge *bridge)
{
    while (bridge->watches)
        trestle_bridge_unwatch(bridge, bridge->watches->source.fd);
    int fd = bridge->timer.fd;
    loop_remove(&bridge->front.loop, &bridge->timer);
    if (fd >= 0)
        close(fd);
}
