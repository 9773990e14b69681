/* SPDX-License-Identifier: MIT */
/* The devices of a configuration on a bench, without a guest. */
#ifndef CLI_POKE_OFFLINE_H
#define CLI_POKE_OFFLINE_H

#include "config/config.h"
#include "poke/poke.h"

struct offline {
    struct trestle_test *test;
    struct trestle_device **devices;
    struct poke_target target;
    bool is_verbose, is_ending;
    bool has_lost; /* a model has failed at its end */
};

/* The watchdog watches the devices until offline_finish(). verbose: lines of the devices' logs go
 * to standard error, those of information as well. */
int offline_init(struct offline *offline, const struct config *config, bool verbose,
                 char **ret_error);
/* Fine on zeroes. -EIO: a model has failed at its end, and said so. */
int offline_finish(struct offline *offline);

#endif
