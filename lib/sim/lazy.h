/* SPDX-License-Identifier: MIT */
/* Which events can reach the world outside, as interrupts or DMA, and when the next of them comes.
 */
#ifndef TRESTLE_SIM_LAZY_H
#define TRESTLE_SIM_LAZY_H

#include "trestle/sim.h"

/* For the devices of a sim, when all are linked. Until then all events are visible. */
void lazy_find(struct trestle_device *const *devs, size_t count);

/* As trestle_sim_next(), of the visible events. With many lazy ones pending, the time of one of
 * those: never too late. */
trestle_time lazy_next_visible(const struct trestle_sim *sim);

#endif
