/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device type sst-device: its properties, its place in the guest's memory, and what a failed
 * access becomes.
 *
 * Its QEMU object is a plain "device", since the size of anything more differs between versions.
 * The state is kept here, in a list, and found by the object's address.
 */
#ifndef TRESTLE_PLUGIN_DEVICE_H
#define TRESTLE_PLUGIN_DEVICE_H

#include <stdalign.h>

#include "ipc/wait.h"
#include "plugin/device/irq.h"
#include "plugin/device/transport.h"
#include "plugin/qemu/qemu_abi.h"

enum carrier { CARRIER_AUTO, CARRIER_SOCKET, CARRIER_SHM };
enum on_error { ON_ERROR_FAULT, ON_ERROR_ONES, ON_ERROR_ZEROS };

struct sst_device {
    struct sst_device *next;
    struct qemu_object *object;
    unsigned number; /* on the command line, from 1 */

    /* Properties, as they were given. */
    char *socket;
    uint64_t base, size, timeout_ms, protocol;
    int on_error, wait, carrier; /* enum on_error, enum trestle_wait, enum carrier */
    bool has_base, shadow, behind, floor, posted_writes, release_lock;
    char *label; /* where the user described the device, or NULL */
    char *irq;   /* inputs of the interrupt controller, as they were given */
    uint32_t irqs[IRQ_LINES_MAX], num_irqs;
    uint32_t irq_levels; /* a bit per line */
    char *dt;            /* the body of its node in the device tree, or NULL: it has none */
    char *dt_label, *dt_alias;
    bool dt_optional; /* no fault where the machine makes no tree */
    char *wrong;      /* the first thing that is wrong with them, or NULL */

    const struct transport *transport;
    void *connection; /* the transport's */
    unsigned told_faults;
    alignas(64) unsigned char region[QEMU_REGION_BYTES]; /* MemoryRegion */
};

/* Registers the type. target_name is QEMU's for the guest's architecture. */
void device_register(const char *target_name);

/* When the machine is complete: checks all devices, puts them into the guest's memory and opens
 * their connections. Ends QEMU with status 2 on the first that cannot be. */
void device_start_all(void);

/* --- instance.c --- */

/* An object was made, and is freed. */
void device_init(struct qemu_object *object);
void device_finalize(struct qemu_object *object);
/* The list's first. */
struct sst_device *device_first(void);
/* The state behind an object. */
struct sst_device *device_of(const struct qemu_object *object);

/* Adds the type's properties (properties.c). */
void properties_register(struct qemu_class *class);

#endif
