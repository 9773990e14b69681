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
enum endian { ENDIAN_AUTO, ENDIAN_LITTLE, ENDIAN_BIG };
enum on_error { ON_ERROR_FAULT, ON_ERROR_ONES, ON_ERROR_ZEROS };

struct sst_device;

/* Where a device hangs in the machine: in its memory map, or on a PCI bus. */
struct device_bus {
    const char *type; /* of QEMU's */
    /* A line of the device is at another level than before; dev->irq_levels says so already. */
    void (*line_changed)(struct sst_device *dev, uint32_t line, bool level);
    /* Tells the guest once more of the lines that are high: the device was away for a while. */
    void (*set_anew)(struct sst_device *dev);
    /* Copies between buf and the guest's RAM, as the device reaches it. -EFAULT: not all of it is
     * RAM, or the device may not. */
    int (*copy)(struct sst_device *dev, bool write, uint64_t addr, void *buf, size_t size);
};

enum pci_bar { PCI_BAR_MEM, PCI_BAR_MEM64, PCI_BAR_IO };
#define REGIONS_MAX TRESTLE_V2_REGIONS_MAX

/* A region of a device behind its first. */
struct device_region {
    struct sst_device *dev;
    uint8_t number;
    alignas(64) unsigned char region[QEMU_REGION_BYTES]; /* MemoryRegion */
};

/* Of an sst-pci-device. */
struct pci_function {
    uint64_t vendor, device, subsystem_vendor, subsystem, class_code, revision, vectors;
    int bars[REGIONS_MAX];        /* enum pci_bar: the kinds of the regions' BARs */
    uint64_t sizes[REGIONS_MAX];  /* of the regions; 0: there is none */
    bool are_memory[REGIONS_MAX]; /* plain memory, which the guest reaches by itself */
    int memory_fds[REGIONS_MAX];  /* of those, the file */
    unsigned num_regions;
    unsigned numbers[REGIONS_MAX], table; /* of the regions' BARs, and of MSI-X's */
    bool no_msix, no_msi;
    char *vendor_capabilities; /* in hexadecimal, each from its length on; NULL: none */

    uint8_t *config, *writable; /* QEMU's: the configuration space, and what the guest may write */
    unsigned pm, window; /* where power management is in it, and the window (window.h), or 0 */
    bool has_msix, has_msi, is_express;
    bool is_gone; /* ejected by the guest */
    /* It may be the bus's master, and the bus leads to the guest's memory as it is. */
    bool is_direct;
};

struct sst_device {
    struct sst_device *next;
    struct qemu_object *object;
    const struct device_bus *bus;
    unsigned number; /* on the command line, from 1 */

    /* Properties, as they were given. */
    char *socket;
    uint64_t base, size, timeout_ms, protocol;
    int on_error, wait, carrier; /* enum on_error, enum trestle_wait, enum carrier */
    int endian;     /* enum endian: the order of bytes in which the guest sees numbers */
    bool is_asleep; /* D3: it takes no access */
    bool has_base, shadow, behind, floor, posted_writes, release_lock, is_inline;
    char *label;          /* where the user described the device, or NULL */
    char *device_name;    /* what the user calls it, or NULL */
    char *irq_controller; /* QEMU's type or path of it; NULL: the machine's one that is known */
    char *irq;            /* inputs of the interrupt controller, as they were given */
    uint32_t irqs[IRQ_LINES_MAX], num_irqs;
    uint64_t irq_levels; /* a bit per line */
    char *dt;            /* the body of its node in the device tree, or NULL: it has none */
    char *dt_label, *dt_alias;
    char *acpi_id;    /* in ACPI; NULL: PRP0001, by the node's compatible */
    bool dt_optional; /* no fault where the machine makes no tree */
    char *wrong;      /* the first thing that is wrong with them, or NULL */

    struct pci_function pci;

    const struct transport *transport;
    void *connection; /* the transport's */
    unsigned told_faults;
    alignas(64) unsigned char region[QEMU_REGION_BYTES]; /* MemoryRegion */
};

/* Registers the type sst-device. target_name is QEMU's for the guest's architecture. */
void device_register(const char *target_name);

/* When the machine is complete: checks all devices, puts them into the guest's memory and opens
 * their connections. Ends QEMU with status 2 on the first that cannot be. */
void device_start_all(void);

/* For devices on any bus: ends QEMU on properties that cannot be; makes the region of memory that
 * the device's registers are; says whether it is too late for new devices. */
void device_check(const struct sst_device *dev);
struct qemu_region *device_make_region(struct sst_device *dev, uint64_t size);
/* The same for a further region. */
struct qemu_region *device_make_other_region(struct sst_device *dev, uint8_t number, uint64_t size);
bool device_is_late(void);
/* Under the big lock: an access that comes by another way than memory. A read that fails gives what
 * the device's on_error says. */
void device_access(struct sst_device *dev, const struct transport_access *access,
                   uint64_t *ret_data);

/* Sets a line of the device, under the big lock. Setting it to what it is does nothing. */
static inline void device_set_line(struct sst_device *dev, uint32_t line, bool level)
{
    if (line >= dev->num_irqs || (dev->irq_levels >> line & 1) == level)
        return;
    dev->irq_levels ^= UINT64_C(1) << line;
    dev->bus->line_changed(dev, line, level);
}

/* All of them low: the device is gone. */
static inline void device_drop_lines(struct sst_device *dev)
{
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        device_set_line(dev, line, false);
}

/* --- instance.c --- */

/* An object was made, and is freed. */
struct sst_device *device_init(struct qemu_object *object, const struct device_bus *bus);
void device_finalize(struct qemu_object *object);
/* The list's first. */
struct sst_device *device_first(void);
/* The state behind an object. */
struct sst_device *device_of(const struct qemu_object *object);
/* A wait for the device's other side, by the device's policy. */
void device_init_wait(const struct sst_device *dev, struct ipc_wait *wait);

/* --- properties.c --- */

enum { PROPERTY_MMIO = 1, PROPERTY_PCI = 2 };

/* Adds the properties that a type has, one of the two. */
void properties_register(struct qemu_class *class, unsigned type);

#endif
