/* SPDX-License-Identifier: MIT */
/*
 * Stubs: models of peripherals of which nothing is known but their description. Their registers
 * hold what is written, as far as their rights allow it, and begin with their reset values.
 */
#ifndef CLI_SVD_STUB_H
#define CLI_SVD_STUB_H

#include "svd/table.h"

#define SVD_MODEL_NAME "svd"

struct svd_stub {
    struct trestle_model model; /* its region_size: up to the end of the last register */
    struct trestle_region region;
    const struct trestle_region *regions[2];
    struct svd_table table;
    const char *names; /* of the peripherals: "POWER", or "POWER+CLOCK" where they overlap */
    const char *name;  /* of the first one, made of letters, digits and '_' */
    uint64_t base;     /* a multiple of 8 */
    uint64_t size;     /* as far as the file gives it addresses */
};

/* A stub of the peripherals that `names` joins by '+'; it lives as long as the file. -ENOENT: there
 * is no such one; -EINVAL. *ret_error is one line. */
int svd_stub_make(struct svd_file *file, const char *names, struct svd_stub **ret_stub,
                  char **ret_error);
/* Gives a register another value after a reset ("CTRL"), or a field of one ("CTRL.READY"): a
 * number, or what the file calls one of the field. */
int svd_stub_preset(struct svd_stub *stub, const char *key, const char *value, char **ret_error);

/* Addresses that are somebody else's. */
struct svd_taken {
    uint64_t base, size;
};

/* Stubs of all peripherals but those that `except` (ended by NULL) lists and those with registers
 * in what is taken. None overlaps another or what is taken. */
int svd_stubs_make(struct svd_file *file, char *const *except, const struct svd_taken *taken,
                   size_t num_taken, struct svd_stub ***ret_stubs, size_t *ret_num,
                   char **ret_error);

#endif
