/* SPDX-License-Identifier: MIT */
/* What a table of registers costs: accesses to a plain row, and to the same register behind a
 * hand-written switch, by turns. Nanoseconds per access, the median of the rounds. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "trestle/registers.h"
#include "trestle/sim.h"

#define ROUNDS 15
#define ACCESSES 2000000u

struct state {
    uint32_t regs[8];
};

static const struct trestle_register rows[] = {{"R", 0, TRESTLE_ARRAY_AT(struct state, regs)}};
static const struct trestle_region region = {TRESTLE_REGION(rows)};
static const struct trestle_model table = {
    .size = sizeof(table),
    .name = "table",
    .regions = TRESTLE_REGIONS(&region),
    .state_size = sizeof(struct state),
};

static int hand_read(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access, uint64_t *ret_data)
{
    const struct state *state = trestle_device_state(dev);
    switch (access->offset) {
    case 0x00:
        *ret_data = state->regs[0];
        return 0;
    case 0x04:
        *ret_data = state->regs[1];
        return 0;
    case 0x08:
        *ret_data = state->regs[2];
        return 0;
    case 0x0c:
        *ret_data = state->regs[3];
        return 0;
    default:
        return -EINVAL;
    }
}

static int hand_write(struct trestle_device *dev, struct trestle_request *req,
                      const struct trestle_access *access)
{
    struct state *state = trestle_device_state(dev);
    switch (access->offset) {
    case 0x00:
        state->regs[0] = (uint32_t)access->data;
        return 0;
    case 0x04:
        state->regs[1] = (uint32_t)access->data;
        return 0;
    case 0x08:
        state->regs[2] = (uint32_t)access->data;
        return 0;
    case 0x0c:
        state->regs[3] = (uint32_t)access->data;
        return 0;
    default:
        return -EINVAL;
    }
}

static const struct trestle_model hand = {
    .size = sizeof(hand),
    .name = "hand",
    .region_size = 0x20,
    .access_sizes = 4,
    .state_size = sizeof(struct state),
    .read = hand_read,
    .write = hand_write,
};

static struct trestle_device *create(struct trestle_sim *sim, const struct trestle_model *model)
{
    const struct trestle_device_options options = {.size = sizeof(options), .name = model->name};
    struct trestle_device *dev;
    char *error = NULL;
    if (trestle_device_create(sim, model, &options, &dev, &error) < 0) {
        fprintf(stderr, "%s\n", error);
        exit(EXIT_FAILURE);
    }
    return dev;
}

static double measure(struct trestle_device *dev, bool write)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned i = 0; i < ACCESSES; i++) {
        struct trestle_request req = {.access = {.offset = 4 * (i & 3), .size = 4, .data = i},
                                      .write = write};
        if (trestle_device_submit(dev, &req) != 0 || req.status != 0)
            abort();
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
           ACCESSES;
}

static int compare(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(*values), compare);
    return values[ROUNDS / 2];
}

int main(void)
{
    struct trestle_sim *sim;
    double times[4][ROUNDS];
    if (trestle_sim_create(&sim) < 0)
        return EXIT_FAILURE;
    struct trestle_device *devices[] = {create(sim, &hand), create(sim, &table)};
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned side = 0; side < 4; side++)
            times[side][round] = measure(devices[side & 1], side >= 2);
    puts("access  switch ns  table ns  more ns");
    for (unsigned side = 0; side < 4; side += 2) {
        double by_hand = median(times[side]), by_table = median(times[side + 1]);
        printf("%-6s  %9.2f  %8.2f  %7.2f\n", side ? "write" : "read", by_hand, by_table,
               by_table - by_hand);
    }
    trestle_device_destroy(devices[0]);
    trestle_device_destroy(devices[1]);
    trestle_sim_destroy(sim);
    return EXIT_SUCCESS;
}
