/* SPDX-License-Identifier: MIT */
/* The parameters of one device while its model's init() asks for them. */
#ifndef TRESTLE_SIM_PARAMS_H
#define TRESTLE_SIM_PARAMS_H

#include "trestle/sim.h"

/* What asking leaves behind; apart, since a model sees its parameters const. */
struct params_record {
    bool *asked;  /* one per item */
    char **known; /* the keys that init() asked for, in its order */
    size_t num_known;
    char *error; /* the first value that was refused */
    bool out_of_memory;
};

struct trestle_params {
    const struct trestle_param *items;
    size_t num;
    struct params_record *record;
};

/* Parses "1GHz" or "1ns" into a period. -EINVAL as trestle_parse_time() has it. */
TRESTLE_CHECK int params_parse_frequency(const char *text, trestle_time *ret_period);

TRESTLE_CHECK int params_record_init(struct params_record *record, size_t num);
void params_record_finish(struct params_record *record);

/* After init(): -EINVAL when a value was refused or a key was never asked for. The sentence in
 * *ret_error has no device in it yet. */
TRESTLE_CHECK int params_verdict(const struct trestle_params *params, char **ret_error);

#endif
