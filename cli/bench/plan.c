/* SPDX-License-Identifier: MIT */
/* Lists the combinations that trestle bench measures, and reads --only. */
#include "bench/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "util.h"

static const char *const paths[] = {
    [BENCH_FLOOR] = "floor",     [BENCH_V1] = "v1",         [BENCH_V2_SOCKET] = "v2-socket",
    [BENCH_V2_SHM] = "v2-shm",   [BENCH_INLINE] = "inline", [BENCH_KVM_FLOOR] = "kvm-floor",
    [BENCH_KVM_SHM] = "kvm-shm",
};
static const char *const waits[] = {
    [TRESTLE_WAIT_ADAPTIVE] = "adaptive",
    [TRESTLE_WAIT_SLEEP] = "sleep",
    [TRESTLE_WAIT_SPIN] = "spin",
};
static const char *const ops[] = {"read", "write", "posted"};

const char *bench_path_name(enum bench_path path)
{
    return paths[path];
}

const char *bench_wait_name(enum trestle_wait wait)
{
    return waits[wait];
}

const char *bench_op_name(enum bench_op op)
{
    return ops[op];
}

char *bench_side_text(const struct bench_side *side)
{
    char *way = bench_waits(side) ? xformat("%s %s", paths[side->path], waits[side->wait])
                                  : xstrdup(paths[side->path]);
    char *text = xformat("%s %s, %u device%s, %u vCPU%s", way, ops[side->op], side->devices,
                         side->devices == 1 ? "" : "s", side->vcpus, side->vcpus == 1 ? "" : "s");
    free(way);
    return text;
}

unsigned bench_side_accesses(const struct bench_side *side, bool quick)
{
    unsigned accesses = side->path == BENCH_FLOOR          ? 1000000
                        : side->path == BENCH_INLINE       ? 1000000
                        : side->wait == TRESTLE_WAIT_SLEEP ? 10000
                        : bench_is_kvm(side)               ? 10000
                        : side->path != BENCH_V2_SHM       ? 50000
                        : side->op == BENCH_POSTED         ? 1000000
                                                           : 300000;
    return quick ? accesses / 3 : accesses;
}

static void add(struct bench_plan *plan, struct bench_side side)
{
    plan->sides = xrealloc(plan->sides, plan->count + 1, sizeof(*plan->sides));
    plan->sides[plan->count++] = side;
}

/* One device read over everything there is. */
static void add_ways(struct bench_plan *plan, bool quick)
{
    static const enum trestle_wait order[] = {TRESTLE_WAIT_SPIN, TRESTLE_WAIT_ADAPTIVE,
                                              TRESTLE_WAIT_SLEEP};
    static const enum bench_path ways[] = {BENCH_V2_SHM, BENCH_V2_SOCKET, BENCH_V1};
    add(plan, (struct bench_side){BENCH_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_READ, 1, 1});
    add(plan, (struct bench_side){BENCH_INLINE, TRESTLE_WAIT_SLEEP, BENCH_READ, 1, 1});
    for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++)
        for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
            if (!quick || ways[way] == BENCH_V2_SHM || order[i] != TRESTLE_WAIT_ADAPTIVE)
                add(plan, (struct bench_side){ways[way], order[i], BENCH_READ, 1, 1});
}

static void add_writes(struct bench_plan *plan)
{
    add(plan, (struct bench_side){BENCH_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_WRITE, 1, 1});
    add(plan, (struct bench_side){BENCH_INLINE, TRESTLE_WAIT_SLEEP, BENCH_WRITE, 1, 1});
    add(plan, (struct bench_side){BENCH_V2_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_WRITE, 1, 1});
    add(plan, (struct bench_side){BENCH_V2_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_POSTED, 1, 1});
}

/* The floor goes along: what many pages cost QEMU itself shows there. */
static void add_sweep(struct bench_plan *plan, bool quick)
{
    for (unsigned devices = 4; devices <= 1024; devices *= 4) {
        if (quick && devices != 64 && devices != 1024)
            continue;
        add(plan, (struct bench_side){BENCH_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_READ, devices, 1});
        add(plan, (struct bench_side){BENCH_INLINE, TRESTLE_WAIT_SLEEP, BENCH_READ, devices, 1});
        add(plan, (struct bench_side){BENCH_V2_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_READ, devices, 1});
    }
}

/* Each vCPU has a device to itself; what they share is QEMU's big lock. */
static void add_vcpus(struct bench_plan *plan)
{
    add(plan, (struct bench_side){BENCH_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_READ, 2, 2});
    add(plan, (struct bench_side){BENCH_V2_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_READ, 2, 2});
}

/* Each access leaves the guest: what that takes shows at the floor. */
static void add_kvm(struct bench_plan *plan)
{
    add(plan, (struct bench_side){BENCH_KVM_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_READ, 1, 1});
    add(plan, (struct bench_side){BENCH_KVM_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_READ, 1, 1});
}

static bool side_has(const struct bench_side *side, const char *word)
{
    uint64_t devices;
    return strcmp(word, paths[side->path]) == 0 || strcmp(word, ops[side->op]) == 0 ||
           (bench_waits(side) && strcmp(word, waits[side->wait]) == 0) ||
           (number_parse(word, &devices) && devices == side->devices);
}

static bool keep(struct bench_plan *plan, const char *word)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (side_has(&plan->sides[i], word))
            plan->sides[count++] = plan->sides[i];
    plan->count = count;
    return count > 0;
}

int bench_plan_init(struct bench_plan *plan, bool quick, const char *only, char **ret_error)
{
    *plan = (struct bench_plan){0};
    add_ways(plan, quick);
    add_writes(plan);
    add_sweep(plan, quick);
    if (!quick) {
        add_vcpus(plan);
        add_kvm(plan);
    }
    char *words = only ? xstrdup(only) : NULL, *rest = words;
    int r = 0;
    for (char *word; r == 0 && (word = strsep(&rest, ","));)
        if (!keep(plan, word))
            r = -EINVAL;
    free(words);
    if (r < 0) {
        *ret_error =
            xformat("trestle: --only %s leaves nothing to measure; name a path (floor, "
                    "v1, v2-socket, v2-shm, inline, kvm-floor, kvm-shm), a wait (sleep, spin, "
                    "adaptive), an access (read, write, posted) or a number of devices%s",
                    only, quick ? ", perhaps without --quick" : "");
        bench_plan_finish(plan);
    }
    return r;
}

bool bench_plan_has_kvm(const struct bench_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (bench_is_kvm(&plan->sides[i]))
            return true;
    return false;
}

void bench_plan_drop_kvm(struct bench_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (!bench_is_kvm(&plan->sides[i]))
            plan->sides[count++] = plan->sides[i];
    plan->count = count;
}

void bench_plan_finish(struct bench_plan *plan)
{
    free(plan->sides);
    *plan = (struct bench_plan){0};
}
