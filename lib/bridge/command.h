/* SPDX-License-Identifier: MIT */
/* What a bridge does for Trestle's own programs only: watching its devices, having other processes
 * serve them, and ending them. They have the library in them; it exports none of this. */
#ifndef TRESTLE_BRIDGE_COMMAND_H
#define TRESTLE_BRIDGE_COMMAND_H

#include "sim/command.h"
#include "trestle/bridge.h"

uint32_t trestle_bridge_num_devices(const struct trestle_bridge *bridge);
/* NULL: another process serves it. */
struct trestle_device *trestle_bridge_device(const struct trestle_bridge *bridge, uint32_t index);
/* The listening socket of a device, for the process that serves it. */
int trestle_bridge_listen_fd(const struct trestle_bridge *bridge, uint32_t index);
struct trestle_sim *trestle_bridge_sim(struct trestle_bridge *bridge);
/* False, with a line in the log the first time: there is no shared memory. For a program that has
 * other processes serve devices, each of which would find out for itself, and say so. */
bool trestle_bridge_try_shm(struct trestle_bridge *bridge);
/* The guest's own time, as it last told. TRESTLE_TIME_NEVER: it tells none. */
trestle_time trestle_bridge_guest_time(const struct trestle_bridge *bridge);

/* What disturbed guest and devices, so that the run is not repeatable: a debugger's access, an
 * access that QEMU gave up, or the reason given to trestle_bridge_disturb(). NULL: nothing. A
 * constant. */
const char *trestle_bridge_disturbance(const struct trestle_bridge *bridge);

/* Calls observe() for everything that passes. Use this in place of trestle_sim_observe(), which the
 * bridge itself uses. record->device is the device's index, and guest_time is set. There is one
 * observer at a time; NULL removes it. */
void trestle_bridge_observe(struct trestle_bridge *bridge, trestle_observe_fn observe, void *ctx);

/* Removes the files of the sockets, and nothing else, from any thread: for a process that is about
 * to end although a model does not return. */
void trestle_bridge_remove_sockets(struct trestle_bridge *bridge);
/* Closes and unlinks all sockets, and removes the devices, with their models' fini(). Only
 * trestle_bridge_destroy() may follow, which otherwise does the same: for a process that watches
 * its models (trestle_sim_look()) to their end. -EIO: a fini() has called trestle_device_fail(),
 * which was logged. */
int trestle_bridge_remove_devices(struct trestle_bridge *bridge);

/* Tells a run that listens on out_fd what the bridge of this process has served. */
int trestle_process_tell(int out_fd, const struct trestle_bridge *bridge);

#endif
