/* SPDX-License-Identifier: MIT */
/* The signals that end a command: SIGINT, SIGTERM and SIGHUP. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <signal.h>

/* From now on these signals end nothing by themselves. Returns a descriptor of struct
 * signalfd_siginfo, which is the caller's to close, or a negative errno. A signal that is ignored
 * stays ignored, as nohup wants it. */
int signals_open(void);
/* Between these two the signals wait. A thread that begins there, such as a model's, never takes
 * one: it would end the process in place of the descriptor's reader. Returns the mask of before,
 * which the second one brings back: what was held already goes on waiting. */
sigset_t signals_hold(void);
void signals_release(const sigset_t *before);

/* Those of a list, which 0 ends, that are not ignored. */
sigset_t signals_not_ignored(const int *numbers);

#endif
