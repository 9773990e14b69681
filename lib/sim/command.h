/* SPDX-License-Identifier: MIT */
/* What the engine and its devices do for Trestle's own programs only. They have the library in
 * them; it exports none of this. */
#ifndef TRESTLE_SIM_COMMAND_H
#define TRESTLE_SIM_COMMAND_H

#include "base/activity.h"
#include "sim/event.h"

struct trestle_trace_record; /* see trace/trace.h */

/* --- the engine ----------------------------------------------------------------------------- */

/* The number of pending events. */
size_t trestle_sim_pending(const struct trestle_sim *sim);
/* From any thread, and from signal handlers, while the sim exists. */
void trestle_sim_look(const struct trestle_sim *sim, struct trestle_activity *ret_activity);
/* From any thread: the engine returns after the current event, and runs no other from then on. For
 * ending a run whose engine does not get past one moment. If the run waits for the reader of a
 * trace, it gives the trace up two seconds after the reader has last taken something. */
void trestle_sim_interrupt(struct trestle_sim *sim);

/* Calls observe() for everything that passes between the sim's devices and the world outside: each
 * access and its answer, interrupt, reset, message and transfer, in the order in which they happen
 * and with the engine's time. The observer sets record->device and guest_time. The record and
 * its bytes are valid during the call. It comes from inside a device's callbacks: call nothing here
 * on a device. NULL removes the observer. */
typedef void (*trestle_observe_fn)(void *ctx, const struct trestle_device *dev,
                                   struct trestle_trace_record *record);
void trestle_sim_observe(struct trestle_sim *sim, trestle_observe_fn observe, void *ctx);

/* --- links ---------------------------------------------------------------------------------- */

/* The link of a port, or NULL. */
struct trestle_link *trestle_component_link(const struct trestle_component *component,
                                            uint32_t port);
/* In each direction messages go one after the other: each takes time for its bytes, and then the
 * latency. 0: bytes take no time. For messages that are sent from now on. -EINVAL: above
 * TRESTLE_BANDWIDTH_MAX. */
TRESTLE_CHECK int trestle_link_set_bandwidth(struct trestle_link *link, uint64_t bits_per_second);

/* --- devices -------------------------------------------------------------------------------- */

/* trestle_device_reset() if the guest has reset only this device; an observer can tell this from a
 * reset of the whole guest. */
void trestle_device_reset_alone(struct trestle_device *dev);

/* The port number of "name" in the form the configuration uses ("peer" or "peer0" is 0, "peer1"
 * is 1, ...). -ENOENT: not a port of this model. */
TRESTLE_CHECK int trestle_model_port(const struct trestle_model *model, const char *name,
                                     uint32_t *ret_port);

/* --- units ---------------------------------------------------------------------------------- */

/* Parses "10ns" into picoseconds. -EINVAL: it does not parse, is finer than a picosecond or does
 * not fit. */
TRESTLE_CHECK int trestle_parse_time(const char *text, trestle_time *ret_time);
/* Parses "1Gbit/s" or "12.5MB/s" into bits per second: units bit/s and B/s, with k, M, G, T for
 * powers of 1000. -EINVAL: it does not parse, is not a whole number of bits, is 0, or is above
 * TRESTLE_BANDWIDTH_MAX. */
TRESTLE_CHECK int trestle_parse_bandwidth(const char *text, uint64_t *ret_bits_per_second);

#endif
