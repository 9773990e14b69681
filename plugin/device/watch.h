/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices what comes while no access waits for it: the end of a device's connection, and what its
 * model does to the guest unasked. One epoll descriptor hangs in QEMU's main loop for all devices:
 * it costs nothing until something does come. */
#ifndef TRESTLE_PLUGIN_WATCH_H
#define TRESTLE_PLUGIN_WATCH_H

#include <stdint.h>

struct watched {
    void (*ready)(struct watched *watched, uint32_t events); /* under the big lock */
    int fd;                                                  /* -1: is not watched */
};

/* Until watch_remove(), which comes before the descriptor is closed. events: epoll's. */
int watch_add(struct watched *watched, int fd, uint32_t events);
/* Other events from now on: an access that sleeps on the descriptor itself leaves it to nobody
 * else. */
void watch_change(struct watched *watched, uint32_t events);
/* Fine when it is not watched. */
void watch_remove(struct watched *watched);

#endif
