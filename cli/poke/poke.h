/* SPDX-License-Identifier: MIT */
/*
 * The language of trestle poke: lines that read and write the registers of devices, let time pass,
 * and say what is expected. It knows nothing of where the devices are.
 */
#ifndef CLI_POKE_POKE_H
#define CLI_POKE_POKE_H

#include <stdio.h>

#include "trestle/sim.h"
#include "util.h"

enum poke_status {
    POKE_OK,
    POKE_FAILED, /* an expectation, or an access: what the devices did was not what was asked for */
    POKE_WRONG,  /* the line: it says nothing that can be done */
};

/* Where the devices are. */
struct poke_target {
    void *ctx;
    size_t num_devices;
    struct trestle_device *const *devices;
    /* Names of devices that cannot be reached from here, and why that is, malloc'd; or NULL. */
    const struct strings *elsewhere;
    char *(*complain_elsewhere)(void *ctx, const char *name);
    struct trestle_sim *sim;
    /* Called before and after an action on devices. (NULL if nobody else acts on them) */
    void (*begin)(void *ctx);
    void (*end)(void *ctx);
    /* An access as the guest's. 0 or a negative errno. -ETIME: it never answers. (mandatory) */
    int (*access)(void *ctx, struct trestle_device *dev, bool write, uint64_t offset, uint32_t size,
                  uint64_t *ref_data);
    /* Lets the engine's time go on to `until`, or to the next event if that comes before.
     * (mandatory) */
    void (*run)(void *ctx, trestle_time until);
    trestle_time run_max; /* for so long at a time; 0: without a limit */
    /* Guest memory: 0; -EFAULT; -ENOTSUP or -ENODEV: no guest takes part. (NULL where there is
     * none)
     */
    int (*copy)(void *ctx, bool write, uint64_t addr, void *buf, size_t size);
    /* Prints the devices, those elsewhere as well. (NULL where there are no others) */
    void (*list)(void *ctx, FILE *out);
    /* Makes a device faulty. False, with a sentence: there is no such device, or it cannot be made
     * faulty. (NULL where there is no guest) */
    bool (*set_fault)(void *ctx, const char *name, enum trestle_fault fault, char **ret_error);
    /* Makes the device again from its files as they are now, and prints what serves it. On failure
     * it gives a sentence. (NULL where there is no guest) */
    enum poke_status (*reload)(void *ctx, const char *name, FILE *out, char **ret_error);
    /* What each device has served so far. (NULL where nobody counts) */
    void (*stats)(void *ctx, FILE *out);
};

struct poke {
    const struct poke_target *target;
    FILE *out;   /* what commands print */
    char *error; /* of the last line: a sentence, or NULL */
    bool quits;
};

/* Which device a command is for, if devices are in several processes. */
enum poke_scope {
    POKE_ASKED,  /* whoever is asked: it acts on processes, or is no command */
    POKE_DEVICE, /* the process of the device that it names */
    POKE_ALL,    /* each process */
    POKE_ANY,    /* any process that has devices */
};
/* Of a command, not of a line. *ret_device is malloc'd, or NULL. */
enum poke_scope poke_scope(const char *command, char **ret_device);
/* The next command of a line, which is cut into its commands. NULL: there is none left. */
char *poke_next_command(char **ref_rest);

/* Does one line: a command, or several with ';' between. '#' begins a comment. The first that does
 * not succeed ends it, and poke->error says why. */
enum poke_status poke_line(struct poke *poke, const char *line);
void poke_finish(struct poke *poke);

/* Finds what the last word of a line that ends at the cursor may become; ended by NULL, to be given
 * to strings_finish(). */
void poke_complete(const struct poke *poke, const char *line, struct strings *ret_candidates);

#endif
