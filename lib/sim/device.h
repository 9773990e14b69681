/* SPDX-License-Identifier: MIT */
/* The inside of a device, shared by device*.c. */
#ifndef TRESTLE_SIM_DEVICE_H
#define TRESTLE_SIM_DEVICE_H

#include "sim.h"

/* What the model holds of a request is one of these in turn, never the owner's own memory: a
 * model that completes a request long gone names an old ticket and does no harm. */
#define DEVICE_TICKETS 8

/* See trestle_device_log() for the numbers. */
struct log_limit {
    uint64_t second; /* of simulated time */
    unsigned lines;
    uint64_t left_out;
};

struct device_timer {
    struct trestle_event event;
    struct trestle_device *dev;
};

struct transfer;

struct trestle_device {
    struct trestle_sim *sim;
    struct trestle_model model;
    struct trestle_host_ops ops;
    void *ctx;
    char *name;
    uint64_t base_addr, region_size;
    void *state;
    struct trestle_component *component;

    unsigned depth; /* callbacks of the model that are under way */
    uint32_t irq_levels;
    struct trestle_request *request; /* under way, or NULL */
    bool completed;                  /* request is done and only waits for the callback's return */
    unsigned ticket;                 /* of the current or the next request */
    struct trestle_request tickets[DEVICE_TICKETS];

    bool log_debug;
    struct log_limit log_limits[2]; /* errors, warnings */

    /* Transfers are found by index; those not under way form a list. */
    struct transfer **transfers;
    uint32_t num_transfers;
    struct transfer *free_transfers;

    struct device_timer timers[];
};

/* Around every callback of the model. What the callback completed is answered after it. */
void device_enter(struct trestle_device *dev);
void device_leave(struct trestle_device *dev);

void device_timer_fire(struct trestle_event *event, trestle_time now);
void device_cancel_timers(struct trestle_device *dev);
void device_receive(void *ctx, uint32_t port, const void *data, size_t size);

/* Says how many lines were left out, at the end. */
void device_log_finish(struct trestle_device *dev);

void device_forget_transfers(struct trestle_device *dev);
void device_free_transfers(struct trestle_device *dev);

#endif
