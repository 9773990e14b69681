/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads a bridge into QEMU, and lets it work where nobody else would. */
#include "plugin/v2/inline.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "plugin/qemu/say.h"
#include "plugin/v2/v2.h"

struct inline_bridge inline_bridge;
static char *given, *path;
static void (*client_turn)(void), (*process_ends)(void);

bool inline_set(const char *value)
{
    const char *colon = strchr(value, ':');
    given = colon ? strndup(value, (size_t)(colon - value)) : NULL;
    path = colon ? strdup(colon + 1) : NULL;
    return given && path && *path == '/';
}

static void bridge_ready(struct watched *watched, uint32_t events)
{
    (void)watched;
    (void)events;
    inline_serve(0);
    client_turn();
}

static void watch_bridge(void)
{
    static struct watched watched = {.ready = bridge_ready, .fd = -1};
    if (watch_add(&watched, inline_bridge.fd, EPOLLIN) < 0)
        refuse("the devices in this process cannot be watched: no descriptor is left");
}

static void on_exit_of_process(int status, void *unused)
{
    (void)unused;
    inline_bridge.exits(status);
    process_ends();
}

void inline_load(void (*turn)(void), void (*ends)(void))
{
    client_turn = turn;
    process_ends = ends;
    if (!path)
        return;
    /* Models from files find the library's functions in it. */
    void *file = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    inline_start *start = NULL;
    if (file)
        *(void **)&start = dlsym(file, INLINE_START);
    if (!start)
        refuse("%s", dlerror());
    if (start(INLINE_VERSION, given, turn, &inline_bridge) < 0)
        exit(EXIT_REFUSED); /* it has said why */
    watch_bridge();
    /* QEMU's own notifiers come after the destructors of static objects in C++, which models use
     * to their end. */
    on_exit(on_exit_of_process, NULL);
}

void inline_serve(int timeout_ms)
{
    inline_bridge.serve(inline_bridge.ctx, timeout_ms);
}

void inline_finish(void)
{
    if (path && inline_bridge.finish)
        inline_bridge.finish(inline_bridge.ctx);
    inline_bridge.finish = NULL;
}
