/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device type sst-pci-device: a device whose registers are a BAR, whose interrupt lines are
 * messages (MSI-X, MSI) or INTA, and whose transfers go where its bus leads.
 *
 * QEMU has its configuration space, which still works while the device itself is lost. On some
 * boards a guest may eject the device. It is then gone from the guest, but stays here, since its
 * session may still need it.
 */
#include "plugin/device/pci.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/memory_file.h"
#include "plugin/device/device.h"
#include "plugin/device/window.h"
#include "plugin/qemu/memory.h"
#include "plugin/qemu/pci_abi.h"
#include "plugin/qemu/say.h"
#include "trestle/le.h"

/* The configuration space's header. */
#define CONFIG_VENDOR 0x00
#define CONFIG_DEVICE 0x02
#define CONFIG_COMMAND 0x04
#define COMMAND_MASTER 0x4
#define CONFIG_REVISION 0x08
#define CONFIG_CLASS 0x09 /* three bytes */
#define CONFIG_SUBSYSTEM_VENDOR 0x2c
#define CONFIG_SUBSYSTEM 0x2e
#define CONFIG_PIN 0x3d
#define PIN_INTA 1

/* The capability of power management. */
#define PM_ID 0x01
#define PM_SIZE 8
#define PM_VERSION 2
#define PM_VERSION_1_2 3
#define PM_CONTROL 4
#define PM_STATE 0x3 /* D0 to D3; without a soft reset's exemption: from D3 to D0 it is reset */
#define PM_D3 3

/* A vendor's capability. */
#define VENDOR_ID 0x09
#define VENDOR_LENGTH 2 /* offset of its length, which counts all of its bytes */
#define VENDOR_MAX 96   /* bytes that all others leave of the configuration space */

/* Types of a BAR. */
#define BAR_MEMORY 0x0
#define BAR_IO 0x1
#define BAR_MEMORY_64 0x4
#define BAR_MEMORY_MIN 4096 /* bytes; less than a page of the guest's makes each access slower */
#define BAR_IO_MIN 16
#define BAR_IO_MAX 256
#define BAR_MEMORY_MAX (UINT64_C(1) << 31)
#define BAR_MEMORY_64_MAX (UINT64_C(1) << 46)
#define BARS 6
#define REGION_ALIGNMENT 64 /* of QEMU's MemoryRegion */
#define BAR_MSIX 4          /* the number of the table's, if the regions leave it free */

/* --- interrupts ------------------------------------------------------------------------------ */

static bool sends_messages(const struct sst_device *dev)
{
    return (dev->pci.has_msix && pci_abi.msix_enabled(dev->object)) ||
           (dev->pci.has_msi && pci_abi.msi_enabled(dev->object));
}

static void send_message(struct sst_device *dev, uint32_t line)
{
    if (dev->pci.has_msix && pci_abi.msix_enabled(dev->object))
        pci_abi.msix_notify(dev->object, line);
    else
        pci_abi.msi_notify(dev->object, 0);
}

/* A message at each rising edge; INTA is high while any line is. */
static void line_changed(struct sst_device *dev, uint32_t line, bool level)
{
    if (dev->pci.is_gone || dev->is_asleep)
        return;
    if (!sends_messages(dev))
        pci_abi.pci_set_irq(dev->object, dev->irq_levels != 0);
    else if (level)
        send_message(dev, line);
}

static void set_anew(struct sst_device *dev)
{
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        if (dev->irq_levels >> line & 1)
            line_changed(dev, line, true);
}

/* --- transfers ------------------------------------------------------------------------------- */

static bool is_master(const struct sst_device *dev)
{
    return !dev->pci.is_gone && !dev->is_asleep &&
           (trestle_get_le16(dev->pci.config + CONFIG_COMMAND) & COMMAND_MASTER);
}

static void set_direct(struct sst_device *dev, bool is_direct)
{
    if (is_direct == dev->pci.is_direct)
        return;
    dev->pci.is_direct = is_direct;
    if (dev->transport && dev->transport->bus_changed)
        dev->transport->bus_changed(dev);
}

/* If nothing is between the device and the guest's memory, and the memory is shared, the device may
 * access it directly. With release_lock it may not: nothing could stop it while an access is under
 * way. */
static void look_at_bus(struct sst_device *dev)
{
    set_direct(dev, is_master(dev) && !dev->release_lock &&
                        pci_abi.pci_device_iommu_address_space(dev->object) ==
                            qemu.address_space_memory);
}

static int copy(struct sst_device *dev, bool write, uint64_t addr, void *buf, size_t size)
{
    if (!is_master(dev))
        return -EFAULT;
    return memory_copy(pci_abi.pci_device_iommu_address_space(dev->object), write, addr, buf, size);
}

/* --- resets ---------------------------------------------------------------------------------- */

/* The whole machine is being reset, or is not complete yet. Devices hear of that from their
 * sessions, in one message for all. */
static bool is_whole_reset = true;

static void begin_whole_reset(void *opaque)
{
    (void)opaque;
    is_whole_reset = true;
}

static void end_whole_reset(void *opaque)
{
    (void)opaque;
    is_whole_reset = false;
}

static void reset(struct qemu_object *object)
{
    struct sst_device *dev = device_of(object);
    if (!dev->pci.config)
        return;
    dev->pci.config[dev->pci.pm + PM_CONTROL] &= (uint8_t)~PM_STATE;
    dev->is_asleep = false;
    set_direct(dev, false); /* which QEMU has in its registers a moment later */
    if (!is_whole_reset && !dev->pci.is_gone && dev->transport->reset)
        dev->transport->reset(dev);
}

/* In D3 the guest reaches nothing of the device but its configuration space. */
static void change_power(struct sst_device *dev)
{
    bool is_asleep = (dev->pci.config[dev->pci.pm + PM_CONTROL] & PM_STATE) == PM_D3;
    if (is_asleep == dev->is_asleep)
        return;
    dev->is_asleep = is_asleep;
    if (is_asleep)
        pci_abi.pci_set_irq(dev->object, 0);
    else
        pci_abi.pci_device_reset(dev->object);
}

/* --- the configuration space ----------------------------------------------------------------- */

static uint32_t read_config(struct qemu_object *object, uint32_t address, int length)
{
    window_access(device_of(object), false, address, length);
    return pci_abi.pci_default_read_config(object, address, length);
}

/* Lines that are high when the guest changes from one kind to the other are not lost. */
static void write_config(struct qemu_object *object, uint32_t address, uint32_t value, int length)
{
    struct sst_device *dev = device_of(object);
    bool sent = sends_messages(dev);
    pci_abi.pci_default_write_config(object, address, value, length);
    if (dev->pci.is_express)
        pci_abi.pcie_cap_flr_write_config(object, address, value, length);
    change_power(dev);
    look_at_bus(dev);
    window_access(dev, true, address, length);
    bool sends = sends_messages(dev);
    if (sent == sends)
        return;
    pci_abi.pci_set_irq(object, !sends && dev->irq_levels != 0);
    for (uint32_t line = 0; sends && line < dev->num_irqs; line++)
        if (dev->irq_levels >> line & 1)
            send_message(dev, line);
}

/* --- start ----------------------------------------------------------------------------------- */

/* The power of two that holds so many bytes of a region. */
static uint64_t bar_size(const struct sst_device *dev, unsigned region)
{
    uint64_t bytes = dev->pci.sizes[region];
    uint64_t size = dev->pci.are_memory[region]           ? (uint64_t)sysconf(_SC_PAGESIZE)
                    : dev->pci.bars[region] == PCI_BAR_IO ? BAR_IO_MIN
                                                          : BAR_MEMORY_MIN;
    while (size < bytes && size < BAR_MEMORY_64_MAX)
        size *= 2;
    return size;
}

/* Which BAR each region is, in their order: one of 64 bits takes two. Returns the number of the
 * first that is free behind them. */
static unsigned number_bars(struct sst_device *dev)
{
    unsigned next = 0;
    for (unsigned i = 0; i < dev->pci.num_regions; i++) {
        dev->pci.numbers[i] = next;
        next += dev->pci.bars[i] == PCI_BAR_MEM64 ? 2 : 1;
    }
    return next;
}

static void check_regions(struct sst_device *dev)
{
    static const uint64_t MAX[] = {[PCI_BAR_MEM] = BAR_MEMORY_MAX,
                                   [PCI_BAR_MEM64] = BAR_MEMORY_64_MAX,
                                   [PCI_BAR_IO] = BAR_IO_MAX};
    dev->pci.sizes[0] = dev->size;
    dev->pci.num_regions = 0;
    for (unsigned i = 0; i < REGIONS_MAX; i++) {
        char name[8] = "size";
        if (i > 0)
            snprintf(name, sizeof(name), "size%u", i);
        if (dev->pci.sizes[i] == 0 && i == 0)
            refuse_device(dev, "size is 0; it must be at least 1");
        if (dev->pci.sizes[i] == 0)
            continue;
        if (dev->pci.num_regions++ < i)
            refuse_device(dev, "%s is given, but not size%u; number them without a gap", name,
                          dev->pci.num_regions - 1);
        if (dev->pci.are_memory[i] && dev->pci.bars[i] == PCI_BAR_IO)
            refuse_device(dev, "region %u is memory, and its BAR is io; make the BAR mem or mem64",
                          i);
        if (bar_size(dev, i) > MAX[dev->pci.bars[i]])
            refuse_device(dev,
                          "%s is 0x%" PRIx64 "; a BAR of this kind has at most 0x%" PRIx64 " bytes",
                          name, dev->pci.sizes[i], MAX[dev->pci.bars[i]]);
    }
    unsigned next = number_bars(dev);
    bool has_table = dev->pci.vectors > 0 && !dev->pci.no_msix;
    dev->pci.table = next > BAR_MSIX ? next : BAR_MSIX;
    if (next + has_table > BARS)
        refuse_device(dev,
                      "its regions take %u BARs%s, and there are %u; a mem64 takes two: use fewer "
                      "of those, or leave MSI-X out",
                      next, has_table ? ", MSI-X one" : "", BARS);
}

static void check_range(const struct sst_device *dev, const char *name, uint64_t value,
                        uint64_t max)
{
    if (value > max)
        refuse_device(dev, "%s is 0x%" PRIx64 "; it must be at most 0x%" PRIx64, name, value, max);
}

static void check_properties(struct sst_device *dev)
{
    device_check(dev);
    check_range(dev, "vendor", dev->pci.vendor, UINT16_MAX);
    check_range(dev, "device", dev->pci.device, UINT16_MAX);
    check_range(dev, "subsystem_vendor", dev->pci.subsystem_vendor, UINT16_MAX);
    check_range(dev, "subsystem", dev->pci.subsystem, UINT16_MAX);
    check_range(dev, "class", dev->pci.class_code, 0xffffff);
    check_range(dev, "revision", dev->pci.revision, UINT8_MAX);
    if (dev->pci.vendor == 0 || dev->pci.vendor == UINT16_MAX)
        refuse_device(dev,
                      "vendor is 0x%04" PRIx64 ", which means that there is no device; use "
                      "another",
                      dev->pci.vendor);
    if (dev->pci.vectors > IRQ_LINES_MAX)
        refuse_device(dev, "vectors is %" PRIu64 "; it must be at most %u", dev->pci.vectors,
                      IRQ_LINES_MAX);
    check_regions(dev);
    if (dev->protocol != 2)
        refuse_device(dev, "only protocol 2 has PCI devices; leave protocol out");
    dev->num_irqs = (uint32_t)dev->pci.vectors;
}

static void set_identity(const struct sst_device *dev)
{
    uint8_t *config = dev->pci.config;
    trestle_put_le16(config + CONFIG_VENDOR, (uint16_t)dev->pci.vendor);
    trestle_put_le16(config + CONFIG_DEVICE, (uint16_t)dev->pci.device);
    trestle_put_le16(config + CONFIG_SUBSYSTEM_VENDOR, (uint16_t)dev->pci.subsystem_vendor);
    trestle_put_le16(config + CONFIG_SUBSYSTEM, (uint16_t)dev->pci.subsystem);
    config[CONFIG_REVISION] = (uint8_t)dev->pci.revision;
    for (unsigned i = 0; i < 3; i++)
        config[CONFIG_CLASS + i] = (uint8_t)(dev->pci.class_code >> 8 * i);
    config[CONFIG_PIN] = dev->num_irqs > 0 ? PIN_INTA : 0;
}

/* Boards without a controller for messages have INTA alone, as for all their devices. */
static void add_messages(struct sst_device *dev)
{
    struct qemu_error *error = NULL;
    unsigned count = dev->num_irqs;
    if (count > 0 && !dev->pci.no_msix)
        dev->pci.has_msix = pci_abi.msix_init_exclusive_bar(dev->object, (unsigned short)count,
                                                            (uint8_t)dev->pci.table, &error) == 0;
    if (error)
        qemu.error_free(error);
    error = NULL;
    if (count > 0 && !dev->pci.no_msi)
        dev->pci.has_msi = pci_abi.msi_init(dev->object, 0, 1, true, false, &error) == 0;
    if (error)
        qemu.error_free(error);
    for (unsigned i = 0; dev->pci.has_msix && i < count; i++)
        pci_abi.msix_vector_use(dev->object, i);
}

static void refuse_capability(const struct sst_device *dev, const char *name,
                              struct qemu_error *error)
{
    refuse_device(dev, "QEMU refuses its capability of %s: %s", name,
                  error ? qemu.error_get_pretty(error) : "it does not say why");
}

/* On a bus that is PCI Express the guest may reset the device alone (FLR). */
static void add_express(struct sst_device *dev)
{
    dev->pci.is_express = pci_abi.pci_bus_is_express(pci_abi.qdev_get_parent_bus(dev->object));
    if (!dev->pci.is_express)
        return;
    if (pci_abi.pcie_endpoint_cap_init(dev->object, 0) < 0)
        refuse_capability(dev, "PCI Express", NULL);
    pci_abi.pcie_cap_flr_init(dev->object);
}

static void add_power_management(struct sst_device *dev)
{
    struct qemu_error *error = NULL;
    int at = pci_abi.pci_add_capability(dev->object, PM_ID, 0, PM_SIZE, &error);
    if (at < 0)
        refuse_capability(dev, "power management", error);
    dev->pci.pm = (unsigned)at;
    trestle_put_le16(dev->pci.config + at + PM_VERSION, PM_VERSION_1_2);
    dev->pci.writable[at + PM_CONTROL] = PM_STATE;
}

/* One capability, from its length on. */
static void add_vendor_capability(struct sst_device *dev, const uint8_t *bytes)
{
    struct qemu_error *error = NULL;
    int at = pci_abi.pci_add_capability(dev->object, VENDOR_ID, 0, bytes[0], &error);
    if (at < 0)
        refuse_capability(dev, "the vendor", error);
    memcpy(dev->pci.config + at + VENDOR_LENGTH, bytes, bytes[0] - VENDOR_LENGTH);
    window_add(dev, (unsigned)at, bytes);
}

/* Returns how many bytes the digits are, or -1. */
static int decode_hex(const char *text, uint8_t *ret_bytes, size_t max)
{
    size_t length = strlen(text), size = length / 2;
    if (length % 2 || size > max || strspn(text, "0123456789abcdefABCDEF") < length)
        return -1;
    for (size_t i = 0; i < size; i++) {
        char digits[] = {text[2 * i], text[2 * i + 1], '\0'};
        ret_bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return (int)size;
}

static void add_vendor_capabilities(struct sst_device *dev)
{
    uint8_t bytes[VENDOR_MAX];
    const char *text = dev->pci.vendor_capabilities ? dev->pci.vendor_capabilities : "";
    int size = decode_hex(text, bytes, sizeof(bytes)), room = VENDOR_MAX;
    if (size < 0)
        refuse_device(dev,
                      "vendor_capabilities is '%s'; it must be two hexadecimal digits for each of "
                      "at most %u bytes",
                      text, VENDOR_MAX);
    for (int at = 0; at < size; at += bytes[at] - VENDOR_LENGTH) {
        if (bytes[at] <= VENDOR_LENGTH || bytes[at] - VENDOR_LENGTH > size - at)
            refuse_device(dev,
                          "vendor_capabilities has a length of %u, where only %d bytes are left",
                          bytes[at], size - at + VENDOR_LENGTH);
        room -= (bytes[at] + 3) / 4 * 4;
        if (room < 0)
            refuse_device(dev, "vendor_capabilities takes more than the %u bytes that there are",
                          VENDOR_MAX);
        add_vendor_capability(dev, bytes + at);
    }
}

static struct qemu_region *make_memory(struct sst_device *dev, unsigned i, uint64_t size)
{
    struct qemu_region *region = aligned_alloc(REGION_ALIGNMENT, QEMU_REGION_BYTES);
    const char *what;
    void *memory;
    if (!region)
        refuse("out of memory");
    int r = memory_file_create("trestle-bar", size, &dev->pci.memory_fds[i], &memory, &what);
    if (r)
        refuse_device(dev, "there is no memory for region %u: %s: %s", i, what, strerror(-r));
    memset(region, 0, QEMU_REGION_BYTES);
    pci_abi.memory_region_init_ram_ptr(region, qemu.qdev_get_machine(), dev->bus->type, size,
                                       memory);
    return region;
}

static void add_bars(struct sst_device *dev)
{
    static const uint8_t TYPES[] = {
        [PCI_BAR_MEM] = BAR_MEMORY, [PCI_BAR_MEM64] = BAR_MEMORY_64, [PCI_BAR_IO] = BAR_IO};
    for (unsigned i = 0; i < dev->pci.num_regions; i++) {
        uint64_t size = bar_size(dev, i);
        struct qemu_region *region = dev->pci.are_memory[i] ? make_memory(dev, i, size)
                                     : i == 0               ? device_make_region(dev, size)
                                              : device_make_other_region(dev, (uint8_t)i, size);
        pci_abi.pci_register_bar(dev->object, (int)dev->pci.numbers[i], TYPES[dev->pci.bars[i]],
                                 region);
    }
}

static void realize(struct qemu_object *object, struct qemu_error **errp)
{
    struct sst_device *dev = device_of(object);
    if (device_is_late()) {
        qemu_error_set(errp, "an sst-pci-device cannot be plugged into a running machine");
        return;
    }
    check_properties(dev);
    if (!pci_abi_config(object, &dev->pci.config, &dev->pci.writable))
        refuse_device(dev,
                      "this plugin does not know where this QEMU keeps the configuration space");
    pci_abi.object_ref(object); /* for ever: see above */
    set_identity(dev);
    add_bars(dev);
    add_express(dev);
    add_power_management(dev);
    add_messages(dev);
    add_vendor_capabilities(dev);
}

static void unrealize(struct qemu_object *object)
{
    struct sst_device *dev = device_of(object);
    dev->pci.is_gone = true;
    look_at_bus(dev);
    if (dev->pci.has_msix)
        pci_abi.msix_uninit_exclusive_bar(object);
    if (dev->pci.has_msi)
        pci_abi.msi_uninit(object);
}

static void init_instance(struct qemu_object *object)
{
    static const struct device_bus PCI = {
        .type = "sst-pci-device", .line_changed = line_changed, .set_anew = set_anew, .copy = copy};
    struct sst_device *dev = device_init(object, &PCI);
    dev->base = TRESTLE_NO_BASE;
    dev->on_error = ON_ERROR_ONES;
    dev->pci.vendor = 0x1234;
    dev->pci.device = 0x5354;
    dev->pci.class_code = 0xff0000;
    dev->pci.vectors = 1;
}

static void init_class(struct qemu_class *class, const void *data)
{
    static const struct pci_class CLASS = {.realize = realize,
                                           .exit = unrealize,
                                           .config_read = read_config,
                                           .config_write = write_config,
                                           .reset = reset};
    (void)data;
    properties_register(class, PROPERTY_PCI);
    pci_abi_set_class(class, &CLASS);
}

static const char *why_not;

/* Somebody wants one, or in a running QEMU perhaps only its properties. */
static void refuse_instance(struct qemu_object *object)
{
    (void)object;
    if (device_is_late())
        say("this QEMU has no sst-pci-device: %s", why_not);
    else
        refuse("this QEMU has no sst-pci-device: %s; devices at addresses work", why_not);
}

void pci_register(void)
{
    static const struct qemu_type_info MISSING = {
        .name = "sst-pci-device", .parent = "device", .instance_init = refuse_instance};
    static const struct {
        const char *type;
    } INTERFACES[] = {{"pci-express-device"}, {NULL}}; /* other buses take these as well */
    static const struct qemu_type_info TYPE = {
        .name = "sst-pci-device",
        .parent = "pci-device",
        .instance_init = init_instance,
        .instance_finalize = device_finalize,
        .class_init = init_class,
        .interfaces = INTERFACES,
    };
    if (!pci_abi_resolve(&why_not)) {
        qemu.type_register_static(&MISSING);
        return;
    }
    qemu.type_register_static(&TYPE);
    qemu.qemu_register_reset(begin_whole_reset, NULL); /* before all others */
}

void pci_start(void)
{
    qemu.qemu_register_reset(end_whole_reset, NULL); /* behind all others */
}
