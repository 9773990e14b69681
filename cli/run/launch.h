/* SPDX-License-Identifier: MIT */
/* What QEMU is started with: the configuration, and what the command line says instead. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "config/config.h"
#include "run/own.h"
#include "trestle/machine.h"
#include "util.h"

struct launch_options {
    const char *kernel, *qemu, *plugin; /* NULL: as the configuration says */
    bool gdb, exit_on_idle;
    bool needs_guest;  /* a machine with nothing to run is refused */
    uint16_t gdb_port; /* 0: any */
    const char *debug; /* a device that is debugged, and has no time-out; NULL: none */
    char **args;       /* for QEMU, behind the configuration's; ended by NULL; NULL: none */
};

struct launch {
    struct strings properties; /* of each device, "" for none */
    struct trestle_machine_options machine;
    struct trestle_machine_device *devices;
    struct strings labels; /* where the devices were configured */
    struct strings vfio;   /* arguments of QEMU's own devices, of vfio-user */
    char *plugin;          /* where it was found */
    char *inline_module;   /* where it was found, for devices inside QEMU; NULL: there are none */
    char *inline_argument;
    const char *debug; /* of the options */
    const char **args;
};

/* Finds and checks QEMU, kernel and plugin; -EINVAL with the line for the user. The sockets are
 * still missing: launch_set_sockets(). Both arguments must outlive the result. */
int launch_init(struct launch *launch, const struct config *config,
                const struct launch_options *options, char **ret_error);
/* After launch_init(): where the guest's memory cannot be shared for direct_dma, goes on without,
 * and says so. -EINVAL with the line if the configuration wants it. */
int launch_share_ram(struct launch *launch, const struct config *config, char **ret_error);
/* For a QEMU that somebody else starts: -EINVAL, with the line, if a device is to live in it. */
int launch_check_outside(const struct config *config, char **ret_error);
/* From a bridge that listens, or the paths that the configuration gives (bridge NULL). */
void launch_set_sockets(struct launch *launch, const struct config *config,
                        const struct trestle_bridge *bridge);
/* Lets QEMU's refusal of a device begin with the place in the file. Such a command line is not to
 * be shown to people. After launch_set_sockets(). */
void launch_set_labels(struct launch *launch, const struct config *config);
/* Hands QEMU what it needs of the devices that are to live in it. */
void launch_set_inline(struct launch *launch, const struct own_processes *own);
void launch_finish(struct launch *launch);

/* Why KVM cannot run guests of this architecture here, and what could be done about it. NULL: it
 * can. */
char *launch_no_kvm(const char *arch, const char **ret_remedy);

/* The plugin's properties that say how a device is spoken to, a part each: "carrier=socket". */
void launch_add_protocol(struct strings *parts, const struct config *config,
                         const struct config_device *device);

#endif
