/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices in this very process, behind lib/ipc/inline.h. */
#ifndef TRESTLE_PLUGIN_INLINE_H
#define TRESTLE_PLUGIN_INLINE_H

#include "ipc/inline.h"

/* "IN,OUT:PATH", as the run gives it: the bridge's file, and the descriptors where it finds what it
 * has to serve. False: it is something else. */
bool inline_set(const char *value);
/* One turn of the bridge, while somebody waits for what only it can bring. */
#define INLINE_NAP_MS 10

/* Before the first connection: loads the bridge. `turn` takes what it has posted. `ends` is called
 * when QEMU's process ends, while the models are whole. Ends QEMU where it cannot serve. */
void inline_load(void (*turn)(void), void (*ends)(void));
/* Lets it do what there is to do, for at most timeout_ms. */
void inline_serve(int timeout_ms);
/* QEMU ends, and all sessions have heard of it. */
void inline_finish(void);

/* As loaded; version 0: there is none. */
extern struct inline_bridge inline_bridge;

#endif
