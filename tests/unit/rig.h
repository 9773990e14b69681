/* SPDX-License-Identifier: MIT */
/* A sim with devices in it, for tests of models: registers by offset, time by hand. */
#ifndef TRESTLE_TESTS_RIG_H
#define TRESTLE_TESTS_RIG_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "trestle/sim.h"

struct rig {
    struct trestle_sim *sim;
    unsigned warnings, errors;
    char log[512];
    unsigned done;
    struct trestle_host_ops ops;
};

extern struct rig rig;

int rig_setup(void **state);
int rig_teardown(void **state);

/* params: "key=value" strings, ended by NULL; NULL for none. */
struct trestle_device *rig_device_at(const struct trestle_model *model, const char *name,
                                     uint64_t base, const char *const *params);
struct trestle_device *rig_device(const struct trestle_model *model, const char *const *params);

/* Counts in rig.done. */
void rig_done(struct trestle_request *req);

/* An access that may take simulated time; returns its status. */
int rig_access(struct trestle_device *dev, bool write, uint64_t offset, uint32_t size,
               uint64_t data, uint64_t *ret_data);
uint64_t rig_read_sized(struct trestle_device *dev, uint64_t offset, uint32_t size);
void rig_write_sized(struct trestle_device *dev, uint64_t offset, uint32_t size, uint64_t data);
uint32_t rig_read(struct trestle_device *dev, uint64_t offset);
void rig_write(struct trestle_device *dev, uint64_t offset, uint32_t data);
void rig_run_until(trestle_time when);

/* A model that speaks to the tested one; what it hears is kept. */
struct rig_peer {
    struct trestle_component *component;
    unsigned heard;
    uint8_t data[TRESTLE_MESSAGE_MAX];
    size_t size;
    trestle_time when;
};

void rig_link_peer(struct rig_peer *peer, struct trestle_device *dev, trestle_time latency);

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
