/* SPDX-License-Identifier: MIT */
/*
 * Stubs: models of peripherals, made from nothing but their descriptions. Their registers begin
 * with their reset values, and hold what is written, as far as their rights allow it.
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

/* A stub of the peripherals that `names` joins by '+'; it lives as long as the file. -ENOENT: the
 * file has no such peripheral; -EINVAL. *ret_error is one line. */
int svd_stub_make(struct svd_file *file, const char *names, struct svd_stub **ret_stub,
                  char **ret_error);
/* Gives a register ("CTRL") or a field ("CTRL.READY") another value after a reset: a number, or for
 * a field the name that the file has for one. */
int svd_stub_preset(struct svd_stub *stub, const char *key, const char *value, char **ret_error);

/* Addresses that other devices have. */
struct svd_taken {
    uint64_t base, size;
};

/* Stubs of all peripherals but those that `except` (ended by NULL) lists and those with registers
 * in what is taken. None overlaps another or what is taken. */
int svd_stubs_make(struct svd_file *file, char *const *except, const struct svd_taken *taken,
                   size_t num_taken, struct svd_stub ***ret_stubs, size_t *ret_num,
                   char **ret_error);

#endif
