/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The properties after "-device sst-device,". QEMU sets them one by one, in the user's order, long
 * before a message could name the device by its address. So this file remembers a wrong value, and
 * device_start_all() reports it with the others.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/device/device.h"

enum kind { STRING, NUMBER, BYTES, SWITCH, CHOICE };

struct property {
    const char *name;
    enum kind kind;
    size_t offset;           /* of char *, uint64_t, uint64_t, bool, int by kind */
    const char *wanted;      /* completes "NAME must be ..." */
    const char *choices[4];  /* their index is the value */
    const char *description; /* for -device sst-device,help */
    unsigned types;          /* PROPERTY_MMIO, PROPERTY_PCI; 0: both */
};

#define MEMORY(n, name_)                                                                   \
    {                                                                                      \
        name_, SWITCH, offsetof(struct sst_device, pci.are_memory[n]), "on or off",        \
            .description = "on: that region is plain memory, without exits (default off)", \
            .types = PROPERTY_PCI                                                          \
    }

#define OTHER_REGION(n)                                                             \
    {"size" #n,                                                                     \
     BYTES,                                                                         \
     offsetof(struct sst_device, pci.sizes[n]),                                     \
     "a number of bytes such as 4096 or 4K",                                        \
     .description = "bytes of the device's region " #n " (default 0: it has none)", \
     .types = PROPERTY_PCI},                                                        \
        {"bar" #n,                                                                  \
         CHOICE,                                                                    \
         offsetof(struct sst_device, pci.bars[n]),                                  \
         "mem, mem64 or io",                                                        \
         .choices = {"mem", "mem64", "io"},                                         \
         .description = "kind of that region's BAR: mem (default), mem64, io",      \
         .types = PROPERTY_PCI},                                                    \
        MEMORY(n, "memory" #n)

static const struct property PROPERTIES[] = {
    {"socket", STRING, offsetof(struct sst_device, socket), "a path",
     .description = "Unix socket that the device listens on"},
    {"base_address", NUMBER, offsetof(struct sst_device, base), "a number such as 0x10200000",
     .description = "guest-physical address, a multiple of 8", .types = PROPERTY_MMIO},
    {"size", BYTES, offsetof(struct sst_device, size), "a number of bytes such as 4096 or 4K",
     .description = "bytes of guest memory it takes (default 4096)"},
    {"on_error", CHOICE, offsetof(struct sst_device, on_error), "fault, ones or zeros",
     .choices = {"fault", "ones", "zeros"},
     .description = "what a failed access becomes: fault (default), ones, zeros"},
    {"timeout_ms", NUMBER, offsetof(struct sst_device, timeout_ms),
     "a number of milliseconds, 0 for no limit",
     .description = "longest wait for an answer (default 1000; 0: none)"},
    {"shadow", SWITCH, offsetof(struct sst_device, shadow), "on or off",
     .description = "on: may cover what the machine has there (default off)",
     .types = PROPERTY_MMIO},
    {"behind", SWITCH, offsetof(struct sst_device, behind), "on or off",
     .description = "on: what the machine has there stays in front (default off)",
     .types = PROPERTY_MMIO},
    {"endian", CHOICE, offsetof(struct sst_device, endian), "auto, little or big",
     .choices = {"auto", "little", "big"},
     .description = "order of a register's bytes: auto (default: the guest's), little, big",
     .types = PROPERTY_MMIO},
    {"wait", CHOICE, offsetof(struct sst_device, wait), "adaptive, sleep or spin",
     .choices = {"adaptive", "sleep", "spin"},
     .description = "how a vCPU waits for an answer: adaptive (default), sleep, spin"},
    {"protocol", NUMBER, offsetof(struct sst_device, protocol), "1 or 2",
     .description = "version of the protocol on the socket: 2 (default), 1",
     .types = PROPERTY_MMIO},
    {"carrier", CHOICE, offsetof(struct sst_device, carrier), "auto, socket or shm",
     .choices = {"auto", "socket", "shm"},
     .description = "what carries protocol 2: auto (default: shared memory if it is available), "
                    "socket, shm"},
    {"irq", STRING, offsetof(struct sst_device, irq), "a number such as 40",
     .description = "input of the interrupt controller, or watchdog; several lines: 40:41:42",
     .types = PROPERTY_MMIO},
    {"irq_controller", STRING, offsetof(struct sst_device, irq_controller), "a type or a path",
     .description =
         "the interrupt controller, by QEMU's name of its type or its path (default: the "
         "machine's, if it is known)",
     .types = PROPERTY_MMIO},
    {"posted_writes", SWITCH, offsetof(struct sst_device, posted_writes), "on or off",
     .description = "on: the guest does not wait for its writes (default off)"},
    {"release_lock", SWITCH, offsetof(struct sst_device, release_lock), "on or off",
     .description = "on: other vCPUs go on while one waits for the device (default off)"},
    {"dt", STRING, offsetof(struct sst_device, dt), "the body of a node",
     .description = "makes a node in the device tree: compatible = \"ns16550a\"; reg-shift = <0>",
     .types = PROPERTY_MMIO},
    {"dt_label", STRING, offsetof(struct sst_device, dt_label), "a name",
     .description = "the node's name; other nodes refer to it by &NAME", .types = PROPERTY_MMIO},
    {"dt_alias", STRING, offsetof(struct sst_device, dt_alias), "a name such as serial1",
     .description = "the node's name in /aliases", .types = PROPERTY_MMIO},
    {"acpi_id", STRING, offsetof(struct sst_device, acpi_id), "an ACPI id such as PNP0501",
     .description = "what a machine with ACPI and no device tree calls the device "
                    "(default PRP0001, if it has dt)",
     .types = PROPERTY_MMIO},
    {"dt_optional", SWITCH, offsetof(struct sst_device, dt_optional), "on or off",
     .description = "on: a machine without a device tree is fine (default off)",
     .types = PROPERTY_MMIO},
    {"label", STRING, offsetof(struct sst_device, label), "a text",
     .description = "where the device was configured, for error messages"},
    {"vendor", NUMBER, offsetof(struct sst_device, pci.vendor), "a number such as 0x1234",
     .description = "vendor id (default 0x1234)", .types = PROPERTY_PCI},
    {"device", NUMBER, offsetof(struct sst_device, pci.device), "a number such as 0x11e8",
     .description = "device id", .types = PROPERTY_PCI},
    {"subsystem_vendor", NUMBER, offsetof(struct sst_device, pci.subsystem_vendor),
     "a number such as 0x1af4", .description = "subsystem vendor id (default 0)",
     .types = PROPERTY_PCI},
    {"subsystem", NUMBER, offsetof(struct sst_device, pci.subsystem), "a number such as 0x1100",
     .description = "subsystem id (default 0)", .types = PROPERTY_PCI},
    {"class", NUMBER, offsetof(struct sst_device, pci.class_code), "a number such as 0x010802",
     .description = "class, subclass and interface (default 0xff0000)", .types = PROPERTY_PCI},
    {"revision", NUMBER, offsetof(struct sst_device, pci.revision), "a number such as 1",
     .description = "revision (default 0)", .types = PROPERTY_PCI},
    {"vendor_capabilities", STRING, offsetof(struct sst_device, pci.vendor_capabilities),
     "hexadecimal digits",
     .description = "the vendor's capabilities, each from its length on, in hexadecimal",
     .types = PROPERTY_PCI},
    {"vectors", NUMBER, offsetof(struct sst_device, pci.vectors), "a number from 0 to 64",
     .description = "interrupt lines of the device: vectors of MSI-X (default 1)",
     .types = PROPERTY_PCI},
    {"bar", CHOICE, offsetof(struct sst_device, pci.bars[0]), "mem, mem64 or io",
     .choices = {"mem", "mem64", "io"},
     .description = "kind of BAR 0, the device's registers: mem (default), mem64, io",
     .types = PROPERTY_PCI},
    MEMORY(0, "memory"),
    OTHER_REGION(1),
    OTHER_REGION(2),
    OTHER_REGION(3),
    OTHER_REGION(4),
    OTHER_REGION(5),
    {"no_msix", SWITCH, offsetof(struct sst_device, pci.no_msix), "on or off",
     .description = "on: without MSI-X (default off)", .types = PROPERTY_PCI},
    {"no_msi", SWITCH, offsetof(struct sst_device, pci.no_msi), "on or off",
     .description = "on: without MSI (default off)", .types = PROPERTY_PCI},
    {"device_name", STRING, offsetof(struct sst_device, device_name), "a name",
     .description = "the device's name in lines about it"},
    {"inline", SWITCH, offsetof(struct sst_device, is_inline), "on or off",
     .description = "on: served inside this process, which trestle run arranges (default off)"},
    {"floor", SWITCH, offsetof(struct sst_device, floor), "on or off",
     .description = "for benchmarks: answer with the guest's clock, no socket (default off)"},
};
#define NUM_PROPERTIES (sizeof(PROPERTIES) / sizeof(PROPERTIES[0]))

static void remember_wrong(struct sst_device *dev, const struct property *property,
                           const char *value)
{
    int r;
    if (dev->wrong)
        return;
    if (value)
        r = asprintf(&dev->wrong, "%s is '%s'; it must be %s", property->name, value,
                     property->wanted);
    else
        r = asprintf(&dev->wrong, "%s cannot be read; it must be %s", property->name,
                     property->wanted);
    if (r < 0)
        abort();
}

static void set_choice(struct sst_device *dev, const struct property *property, const char *value)
{
    int *field = (int *)((char *)dev + property->offset);
    for (int i = 0; property->choices[i]; i++) {
        if (strcmp(value, property->choices[i]) == 0) {
            *field = i;
            return;
        }
    }
    remember_wrong(dev, property, value);
}

static void set_string(struct sst_device *dev, const struct property *property, const char *value)
{
    char **field = (char **)((char *)dev + property->offset);
    free(*field);
    *field = strdup(value);
}

/* Strings come in memory of glib's, which is malloc's. */
static bool set_text(struct sst_device *dev, const struct property *property,
                     struct qemu_visitor *visitor, struct qemu_error **errp)
{
    char *value = NULL;
    if (!qemu.visit_type_str(visitor, property->name, &value, errp))
        return false;
    if (property->kind == CHOICE)
        set_choice(dev, property, value);
    else
        set_string(dev, property, value);
    free(value);
    return true;
}

/* Through QEMU's visitor, so that all its forms work: text on the command line, JSON, -global. */
static bool set_value(struct sst_device *dev, const struct property *property,
                      struct qemu_visitor *visitor, struct qemu_error **errp)
{
    void *field = (char *)dev + property->offset;
    switch (property->kind) {
    case NUMBER:
        return qemu.visit_type_uint64(visitor, property->name, field, errp);
    case BYTES:
        return qemu.visit_type_size(visitor, property->name, field, errp);
    case SWITCH:
        return qemu.visit_type_bool(visitor, property->name, field, errp);
    default:
        return set_text(dev, property, visitor, errp);
    }
}

static void property_set(struct qemu_object *object, struct qemu_visitor *visitor, const char *name,
                         void *opaque, struct qemu_error **errp)
{
    const struct property *property = opaque;
    struct sst_device *dev = device_of(object);
    struct qemu_error *error = NULL;
    if (!set_value(dev, property, visitor, &error)) {
        remember_wrong(dev, property, NULL);
        qemu.error_free(error);
    } else if (property->offset == offsetof(struct sst_device, base)) {
        dev->has_base = true;
    }
}

void properties_register(struct qemu_class *class, unsigned type)
{
    static const char *const TYPES[] = {
        [STRING] = "str",  [NUMBER] = "uint64", [BYTES] = "size",
        [SWITCH] = "bool", [CHOICE] = "str",
    };
    for (size_t i = 0; i < NUM_PROPERTIES; i++) {
        const struct property *p = &PROPERTIES[i];
        if (p->types && !(p->types & type))
            continue;
        qemu.object_class_property_add(class, p->name, TYPES[p->kind], NULL, property_set, NULL,
                                       (void *)p);
        qemu.object_class_property_set_description(class, p->name, p->description);
    }
}
