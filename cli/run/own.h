/* SPDX-License-Identifier: MIT */
/* Processes other than the run's that serve devices ("process"): trestle itself, or a program. The
 * run starts and supervises them, and owns the listening sockets. */
#ifndef CLI_OWN_H
#define CLI_OWN_H

#include <stdint.h>
#include <sys/types.h>

#include "bridge/command.h"
#include "config/config.h"

struct host_end;
struct own_processes;

struct own_options {
    const struct host_end *host_ends; /* of each device */
    int verbosity;
    int64_t watchdog_ms; /* of theirs; 0: never */
    const char *trace;   /* they write to trace.NAME, and those started again to trace.NAME.1 and so
                          * on; NULL: nothing */
    const char *control; /* they listen for commands at control.NAME; NULL: nowhere */
    int signal_fd;       /* ends the wait for them when it is readable */
    uint64_t deadline_ns; /* and so does this, by clock_ns() */
};

/* Starts those of the configuration, on the sockets that the bridge has opened. Returns once all of
 * them serve; one that ends before is -EINVAL. From then on the bridge notices their ends: what
 * died is started again as the configuration says. What options points to outlives them. */
int own_start(const struct config *config, struct trestle_bridge *bridge,
              const struct own_options *options, struct own_processes **ret_own, char **ret_error);
/* For devices inside QEMU: what it inherits, and the value of the plugin's argument; malloc'd,
 * NULL: there are none. The descriptors are the run's until own_launched(). */
char *own_inline_argument(const struct own_processes *own, const char *module, const int **ret_fds,
                          size_t *ret_num_fds);
/* QEMU runs, and has them. */
void own_launched(struct own_processes *own);
/* Puts a new process, of the files as they are now, in place of the one that serves a device, whose
 * end is no failure of its. -ENOTSUP: the device has none that could go. Else a sentence why there
 * is no new one; the old one goes on then. */
int own_reload(struct own_processes *own, size_t index, char **ret_error);
/* QEMU is about to be asked to end: tells its own process, which sees to it that no model there
 * keeps it from ending. */
void own_announce_end(struct own_processes *own);
/* Ends them all and takes their statistics. Once is enough; NULL is fine. */
void own_stop(struct own_processes *own);
/* Stops them first. NULL is fine. */
void own_finish(struct own_processes *own);

/* What of a device another process has served, once that was stopped; false: the run's serves it.
 */
bool own_stats(const struct own_processes *own, size_t index,
               struct trestle_device_stats *ret_stats, unsigned *ret_restarts);
/* Of the process that serves a device, or -1: the run's does. */
pid_t own_pid(const struct own_processes *own, size_t index);
/* That process listens for commands: its name; NULL: it does not, or the run's serves the device.
 */
const char *own_listens(const struct own_processes *own, size_t index);
/* To that process and what it has started. False: there is none. */
bool own_signal(const struct own_processes *own, size_t index, int number);
/* What trestle_bridge_disturbance() said in the device's process, or NULL. */
const char *own_disturbance(const struct own_processes *own, size_t index);
/* The devices inside QEMU, if it ended without a word of them once they served; malloc'd. NULL: it
 * did not, or there are none. */
char *own_silent_inline(const struct own_processes *own);
/* Whether a model of theirs has failed in its fini(), and said so. */
bool own_has_lost(const struct own_processes *own);
/* Of the trace that QEMU's own process has written for the run. */
void own_inline_trace(const struct own_processes *own,
                      struct trestle_bridge_trace_stats *ret_trace);
/* Its process ended before the run did: when that was is up to the host. */
bool own_has_died(const struct own_processes *own, size_t index);
/* The hash of all that has passed at a process's devices, as text; NULL: the run has none, or the
 * process that knew it has died. */
const char *own_run_hash(const struct own_processes *own, const struct config_process *process);

#endif
