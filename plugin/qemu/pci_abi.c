/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds QEMU's PCI devices: functions by name, layouts by what is known to be in them. */
#include "plugin/qemu/pci_abi.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "plugin/qemu/symbol.h"
#include "trestle/le.h"

/* PCIDeviceClass behind DeviceClass: realize, exit, config_read, config_write, then the identity as
 * 16 bits vendor, 16 device, 8 revision, 16 class. */
#define IDENTITY_BEHIND_REALIZE 32
#define EXIT_BEHIND_REALIZE 8
#define CONFIG_READ_BEHIND_REALIZE 16
#define CONFIG_WRITE_BEHIND_REALIZE 24
#define CLASS_BEHIND_IDENTITY 6
#define CLASS_OTHERS 0x00ff
#define CLASS_BYTES 512 /* to look through */

/* QEMU's own devices whose identity is known. */
static const struct known {
    const char *type;
    uint16_t vendor, device;
} KNOWN[] = {{"edu", 0x1234, 0x11e8}, {"pci-testdev", 0x1b36, 0x0005}};
#define NUM_KNOWN (sizeof(KNOWN) / sizeof(KNOWN[0]))

/* The identity of our class, until its devices have their own: nobody else's. */
#define MARK_VENDOR 0x7454
#define MARK_DEVICE 0x5354

#define INSTANCE_BYTES 1024 /* to look through for the configuration space */
#define CONFIG_BYTES 64     /* its header */
#define CONFIG_LINE 0x3c    /* a register that only software uses */

#define CONFIG_FIXED 0x2c                           /* one that the guest cannot write */
#define WRITABLE_BEHIND_CONFIG (2 * sizeof(void *)) /* config, cmask, wmask */

struct pci_abi pci_abi;
static size_t realize_offset;
static struct qemu_reset_phases parents_phases;
static void (*when_reset)(struct qemu_object *object);

/* Memory that may not be there. Returns the bytes that are. */
static size_t peek(const void *from, void *to, size_t size)
{
    struct iovec here = {.iov_base = to, .iov_len = size};
    struct iovec there = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};
    ssize_t n = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    return n > 0 ? (size_t)n : 0;
}

static bool has_identity(const uint8_t *at, const struct known *known)
{
    return trestle_get_le16(at) == known->vendor && trestle_get_le16(at + 2) == known->device &&
           trestle_get_le16(at + CLASS_BEHIND_IDENTITY) == CLASS_OTHERS;
}

/* The one place at which all known classes have their identity, or 0. */
static size_t find_identity(void)
{
    uint8_t bytes[NUM_KNOWN][CLASS_BYTES];
    size_t found = 0, size = CLASS_BYTES;
    for (size_t i = 0; i < NUM_KNOWN; i++) {
        const struct qemu_class *class = pci_abi.object_class_by_name(KNOWN[i].type);
        size_t there = class ? peek(class, bytes[i], CLASS_BYTES) : 0;
        size = there < size ? there : size;
    }
    for (size_t at = IDENTITY_BEHIND_REALIZE; at + 8 <= size; at += 2) {
        size_t count = 0;
        while (count < NUM_KNOWN && has_identity(bytes[count] + at, &KNOWN[count]))
            count++;
        if (count == NUM_KNOWN && found)
            return 0;
        if (count == NUM_KNOWN)
            found = at;
    }
    return found % sizeof(void *) == 0 ? found : 0;
}

bool pci_abi_resolve(const char **ret_why_not)
{
#define PCI_FIND(type, name, params)                \
    if (!symbol_set(&pci_abi.name, SYMBOL(name))) { \
        *ret_why_not = "it does not export " #name; \
        return false;                               \
    }
    PCI_FUNCTIONS(PCI_FIND)
#undef PCI_FIND
    size_t identity = find_identity();
    if (identity == 0) {
        *ret_why_not = "it has no edu and pci-testdev that look alike";
        return false;
    }
    realize_offset = identity - IDENTITY_BEHIND_REALIZE;
    return true;
}

static void hold_in_reset(struct qemu_object *object, int type)
{
    if (parents_phases.hold)
        parents_phases.hold(object, type);
    when_reset(object);
}

void pci_abi_set_class(struct qemu_class *class, const struct pci_class *wanted)
{
    uint8_t *at = (uint8_t *)class + realize_offset;
    memcpy(at, &wanted->realize, sizeof(wanted->realize));
    memcpy(at + EXIT_BEHIND_REALIZE, &wanted->exit, sizeof(wanted->exit));
    memcpy(at + CONFIG_READ_BEHIND_REALIZE, &wanted->config_read, sizeof(wanted->config_read));
    memcpy(at + CONFIG_WRITE_BEHIND_REALIZE, &wanted->config_write, sizeof(wanted->config_write));
    trestle_put_le16(at + IDENTITY_BEHIND_REALIZE, MARK_VENDOR);
    trestle_put_le16(at + IDENTITY_BEHIND_REALIZE + 2, MARK_DEVICE);
    when_reset = wanted->reset;
    pci_abi.resettable_class_set_parent_phases(
        pci_abi.object_class_dynamic_cast(class, "resettable"), NULL, hold_in_reset, NULL,
        &parents_phases);
}

/* A write through QEMU has to show there. */
static bool shows_writes(struct qemu_object *object, const uint8_t *config, unsigned at)
{
    bool shows = true;
    for (unsigned value = 0xa5; shows && value != 0; value = value == 0xa5 ? 0x5a : 0) {
        pci_abi.pci_default_write_config(object, at, value, 1);
        shows = config[at] == value;
    }
    pci_abi.pci_default_write_config(object, at, 0, 1);
    return shows;
}

/* What it forbids is not written, and what it allows is. */
static bool rules_writes(struct qemu_object *object, const uint8_t *config, uint8_t *writable)
{
    if (shows_writes(object, config, CONFIG_FIXED) || writable[CONFIG_FIXED] != 0 ||
        writable[CONFIG_LINE] != 0xff)
        return false;
    writable[CONFIG_FIXED] = 0xff;
    bool rules = shows_writes(object, config, CONFIG_FIXED);
    writable[CONFIG_FIXED] = 0;
    return rules;
}

static bool is_config(const uint8_t *config)
{
    uint8_t header[CONFIG_BYTES];
    return peek(config, header, sizeof(header)) == sizeof(header) &&
           trestle_get_le16(header) == MARK_VENDOR && trestle_get_le16(header + 2) == MARK_DEVICE;
}

bool pci_abi_config(struct qemu_object *object, uint8_t **ret_config, uint8_t **ret_writable)
{
    uint8_t instance[INSTANCE_BYTES], probe[CONFIG_BYTES];
    size_t size = peek(object, instance, sizeof(instance));
    for (size_t at = 0; at + WRITABLE_BEHIND_CONFIG + sizeof(void *) <= size;
         at += sizeof(void *)) {
        uint8_t *config, *writable;
        memcpy(&config, instance + at, sizeof(config));
        memcpy(&writable, instance + at + WRITABLE_BEHIND_CONFIG, sizeof(writable));
        if (!is_config(config) || !shows_writes(object, config, CONFIG_LINE))
            continue;
        *ret_config = config;
        *ret_writable = writable;
        return peek(writable, probe, sizeof(probe)) == sizeof(probe) &&
               rules_writes(object, config, writable);
    }
    return false;
}
