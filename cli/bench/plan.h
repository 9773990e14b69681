/* SPDX-License-Identifier: MIT */
/* What `trestle bench` compares: one side is one way for guest and device to meet, one kind of
 * access and one number of devices. Not every combination says something. */
#ifndef CLI_BENCH_PLAN_H
#define CLI_BENCH_PLAN_H

#include "trestle/bridge.h"

enum bench_path {
    BENCH_FLOOR,
    BENCH_V1,
    BENCH_V2_SOCKET,
    BENCH_V2_SHM,
    BENCH_INLINE,
    BENCH_KVM_FLOOR, /* the same with a guest that KVM runs */
    BENCH_KVM_SHM,
};
enum bench_op { BENCH_READ, BENCH_WRITE, BENCH_POSTED };

struct bench_side {
    enum bench_path path;
    enum trestle_wait wait; /* of both sides; the floor waits for nobody */
    enum bench_op op;
    unsigned devices; /* accessed in random order */
    unsigned vcpus;
};

struct bench_plan {
    struct bench_side *sides;
    size_t count;
};

/* As the options and the JSON have them. */
const char *bench_path_name(enum bench_path path);
const char *bench_wait_name(enum trestle_wait wait);
const char *bench_op_name(enum bench_op op);
static inline bool bench_is_floor(const struct bench_side *side)
{
    return side->path == BENCH_FLOOR || side->path == BENCH_KVM_FLOOR;
}
static inline bool bench_is_kvm(const struct bench_side *side)
{
    return side->path == BENCH_KVM_FLOOR || side->path == BENCH_KVM_SHM;
}
/* False: what answers is on the thread that asks. */
static inline bool bench_waits(const struct bench_side *side)
{
    return !bench_is_floor(side) && side->path != BENCH_INLINE;
}
/* "v2-shm adaptive read, 64 devices, 1 vCPU"; malloc'd. */
char *bench_side_text(const struct bench_side *side);
/* What a measurement of about half a second takes; quick: a third of it. */
unsigned bench_side_accesses(const struct bench_side *side, bool quick);

/* only: words with commas between them, of which each is a side's path, wait, op or number of
 * devices; NULL: all. -EINVAL with the line: a word that no side has, or no side has them all. */
int bench_plan_init(struct bench_plan *plan, bool quick, const char *only, char **ret_error);
bool bench_plan_has_kvm(const struct bench_plan *plan);
void bench_plan_drop_kvm(struct bench_plan *plan);
void bench_plan_finish(struct bench_plan *plan);

#endif
