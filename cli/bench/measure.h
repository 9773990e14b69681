/* SPDX-License-Identifier: MIT */
/* One measurement: a QEMU with the guest that measures, and the devices of one side. */
#ifndef CLI_BENCH_MEASURE_H
#define CLI_BENCH_MEASURE_H

#include "bench/guest.h"
#include "bench/plan.h"
#include "run/launch.h"

/* What a guest under KVM is for. Elsewhere KVM has other guests; they are not measured. */
#define BENCH_KVM_ARCH "x86_64"

struct bench_setup {
    struct launch_options launch;
    const char *kvm_kernel; /* the guest of sides under KVM */
    uint64_t count;         /* accesses; 0: as suits the side */
    bool quick;
    int verbosity;
};

/* Returns an exit code, what is wrong has been said. *ret_signal: the signal that ended it early,
 * or 0; then there is no result. The caller holds signals (signals.h): the run takes what comes,
 * and nothing stays behind. */
int bench_measure(const struct bench_setup *setup, const struct bench_side *side,
                  struct bench_result *ret_result, int *ret_signal);

#endif
