/* SPDX-License-Identifier: MIT */
/* The QEMU of a run. */
#ifndef CLI_GUEST_H
#define CLI_GUEST_H

#include "run/run.h"
#include "trestle/machine.h"

struct guest {
    struct run *run;
    struct trestle_machine *machine;
    bool has_ended;
    bool is_forsaken; /* its devices cannot be served any more, and it was said */
    int exit_code;    /* QEMU's, once it has ended; 128 + the signal that ended it */
    int signal;       /* or 0 */
};

/* Starts QEMU; the run's bridge notices its end. -EINVAL and the like with the line. */
int guest_start(struct guest *guest, struct run *run, const struct trestle_machine_options *options,
                char **ret_error);
/* Serves the devices until QEMU ends, a signal comes, or clock_ns() is until_ns, CLOCK_NEVER
 * for never. Negative errno when the bridge fails: it has been said. */
int guest_serve(struct guest *guest, uint64_t until_ns);
/* Ends QEMU in order; at a second signal or after a while, at once. */
void guest_stop(struct guest *guest);
/* Stops QEMU if it still runs. From then on the terminal is as it was before. */
void guest_finish(struct guest *guest);

#endif
