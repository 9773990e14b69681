/* SPDX-License-Identifier: MIT */
/* Names the model that hangs or crashes inside QEMU. */
#ifndef TRESTLE_INLINE_GUARD_H
#define TRESTLE_INLINE_GUARD_H

#include "trestle/sim.h"

/* A callback that lasts patience_ms is named (0: never). After a crash in one, which is named too,
 * `crashed` is called before the process ends by that signal. */
void guard_start(const struct trestle_sim *sim, int64_t patience_ms, void (*crashed)(void));
void guard_stop(void);

#endif
