/* SPDX-License-Identifier: MIT */
#ifndef TRESTLE_BRIDGE_INLINE_H
#define TRESTLE_BRIDGE_INLINE_H

#include "ipc/inline.h"
#include "trestle/bridge.h"

/* The bridge listens, and will never be polled but through *ret_inline, which lacks finish(). */
void bridge_inline(struct trestle_bridge *bridge, void (*client_turn)(void),
                   struct inline_bridge *ret_inline);

#endif
