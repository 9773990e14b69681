/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device type sst-device: checks, its place in memory, and what becomes of accesses. */
#include "plugin/device/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/region.h"
#include "base/socket_path.h"
#include "plugin/device/tree.h"
#include "plugin/qemu/biglock.h"
#include "plugin/qemu/idle.h"
#include "plugin/qemu/memory.h"
#include "plugin/qemu/say.h"
#include "plugin/v2/ram.h"
#include "plugin/v2/v2.h"

#define TIMEOUT_MS_MAX UINT32_MAX
/* A guest without bus faults cannot notice a failed access. So each of the first ones gets a line.
 */
#define TOLD_FAULTS_MAX 8
/* Above all that the machine has at the same place, if the user said shadow=on. */
#define REGION_PRIORITY 10000
/* Below all that it has, but above QEMU's placeholders ("unimplemented-device", at -1000). */
#define REGION_PRIORITY_BEHIND (-500)

static const char *target;
static bool guest_has_faults, is_late;

static int copy(struct sst_device *dev, bool write, uint64_t addr, void *buf, size_t size)
{
    (void)dev;
    return memory_copy(qemu.address_space_memory, write, addr, buf, size);
}

#define TYPE_NAME "sst-device"

static const struct device_bus MMIO = {
    .type = TYPE_NAME, .line_changed = irq_line_changed, .set_anew = irq_set_anew, .copy = copy};

static void check_properties(struct sst_device *dev);

static void init_instance(struct qemu_object *object)
{
    static bool is_prepared;
    device_init(object, &MMIO);
    if (!is_prepared)
        tree_prepare(target, check_properties);
    is_prepared = true;
}

static void init_class(struct qemu_class *class, const void *data)
{
    (void)data;
    properties_register(class, PROPERTY_MMIO);
}

void device_register(const char *target_name)
{
    static const struct qemu_type_info TYPE = {
        .name = TYPE_NAME,
        .parent = "device",
        .instance_init = init_instance,
        .instance_finalize = device_finalize,
        .class_init = init_class,
    };
    target = target_name;
    qemu.type_register_static(&TYPE);
}

/* --- accesses -------------------------------------------------------------------------------- */

static void tell_fault(struct sst_device *dev, const struct transport_access *access)
{
    if (guest_has_faults || dev->told_faults == TOLD_FAULTS_MAX)
        return;
    dev->told_faults++;
    say_device(dev,
               "%s of %u bytes at offset 0x%" PRIx64 " failed; this guest has no bus faults%s%s",
               access->is_write ? "write" : "read", access->size, access->offset,
               access->is_write ? "" : " and reads all ones",
               dev->told_faults == TOLD_FAULTS_MAX ? "; no more of these lines" : "");
}

static cold uint32_t access_failed(struct sst_device *dev, const struct transport_access *access,
                                   uint64_t *ret_data)
{
    *ret_data = dev->on_error == ON_ERROR_ZEROS ? 0 : UINT64_MAX;
    if (dev->on_error != ON_ERROR_FAULT)
        return QEMU_MEMTX_OK;
    tell_fault(dev, access);
    return QEMU_MEMTX_ERROR;
}

/* --- a debugger's ------------------------------------------------------------------------------
 */

/* Reads in pieces of a width that the device has, since gdb asks for 8 bytes at a time, or for one.
 */
static int read_pieces(struct sst_device *dev, const struct transport_access *access,
                       unsigned width, uint64_t *ret_data)
{
    uint64_t start = access->offset & ~(uint64_t)(width - 1), data = 0;
    uint64_t end = access->offset + access->size;
    for (uint64_t at = start; at < end; at += width) {
        struct transport_access piece = {
            .offset = at, .size = (uint8_t)width, .region = access->region};
        uint64_t value;
        int r = dev->transport->perform(dev, &piece, &value);
        if (r < 0)
            return r;
        if (at < access->offset)
            data |= value >> (8 * (access->offset - at));
        else
            data |= value << (8 * (at - access->offset));
    }
    *ret_data = data;
    return 0;
}

static int write_pieces(struct sst_device *dev, const struct transport_access *access,
                        unsigned width)
{
    uint64_t unused;
    for (unsigned done = 0; done < access->size; done += width) {
        struct transport_access piece = {.offset = access->offset + done,
                                         .data = access->data >> (8 * done),
                                         .size = (uint8_t)width,
                                         .region = access->region,
                                         .is_write = true};
        int r = dev->transport->perform(dev, &piece, &unused);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Returns the largest width below that of the access or, for a read, the smallest above it. 0:
 * there is none. */
static unsigned other_width(const struct transport_access *access, unsigned widths)
{
    for (unsigned width = access->size / 2; width > 0; width /= 2)
        if (widths & width)
            return width;
    for (unsigned width = access->size * 2; !access->is_write && width <= 8; width *= 2)
        if (widths & width)
            return width;
    return 0;
}

/* The machine is stopped, so the caller is not a vCPU. */
static cold int perform_debug(struct sst_device *dev, const struct transport_access *access,
                              uint64_t *ret_data)
{
    unsigned widths = dev->transport->begin_debug ? dev->transport->begin_debug(dev) : 0;
    unsigned width = widths & access->size ? 0 : other_width(access, widths);
    if (width == 0)
        return dev->transport->perform(dev, access, ret_data);
    return access->is_write ? write_pieces(dev, access, width)
                            : read_pieces(dev, access, width, ret_data);
}

static int perform(struct sst_device *dev, const struct transport_access *access,
                   uint64_t *ret_data)
{
    if (unlikely(dev->is_asleep))
        return -ENODEV;
    if (unlikely(!qemu.runstate_is_running()))
        return perform_debug(dev, access, ret_data);
    return dev->transport->perform(dev, access, ret_data);
}

static inline uint32_t answer(struct sst_device *dev, const struct transport_access *access,
                              uint64_t *ret_data)
{
    idle_device_used = true;
    return likely(perform(dev, access, ret_data) == 0) ? QEMU_MEMTX_OK
                                                       : access_failed(dev, access, ret_data);
}

void device_access(struct sst_device *dev, const struct transport_access *access,
                   uint64_t *ret_data)
{
    (void)answer(dev, access, ret_data);
}

static uint32_t on_read(void *opaque, uint64_t offset, uint64_t *ret_data, unsigned size,
                        qemu_attrs attrs)
{
    struct transport_access access = {.offset = offset, .size = (uint8_t)size};
    (void)attrs;
    return answer(opaque, &access, ret_data);
}

static uint32_t on_write(void *opaque, uint64_t offset, uint64_t data, unsigned size,
                         qemu_attrs attrs)
{
    struct transport_access access = {
        .offset = offset, .data = data, .size = (uint8_t)size, .is_write = true};
    uint64_t unused;
    (void)attrs;
    return answer(opaque, &access, &unused);
}

static uint32_t on_other_read(void *opaque, uint64_t offset, uint64_t *ret_data, unsigned size,
                              qemu_attrs attrs)
{
    const struct device_region *region = opaque;
    struct transport_access access = {
        .offset = offset, .size = (uint8_t)size, .region = region->number};
    (void)attrs;
    return answer(region->dev, &access, ret_data);
}

static uint32_t on_other_write(void *opaque, uint64_t offset, uint64_t data, unsigned size,
                               qemu_attrs attrs)
{
    const struct device_region *region = opaque;
    struct transport_access access = {.offset = offset,
                                      .data = data,
                                      .size = (uint8_t)size,
                                      .region = region->number,
                                      .is_write = true};
    uint64_t unused;
    (void)attrs;
    return answer(region->dev, &access, &unused);
}

/* impl as wide as valid: QEMU hands over each aligned access whole. */
#define REGION_OPS(read, write, order)                                                 \
    {                                                                                  \
        .read_with_attrs = (read), .write_with_attrs = (write), .endianness = (order), \
        .valid = {.min_access_size = 1, .max_access_size = 8},                         \
        .impl = {.min_access_size = 1, .max_access_size = 8},                          \
    }
static const struct qemu_region_ops LITTLE = REGION_OPS(on_read, on_write, QEMU_LITTLE_ENDIAN);
static const struct qemu_region_ops BIG = REGION_OPS(on_read, on_write, QEMU_BIG_ENDIAN);
static const struct qemu_region_ops OTHER =
    REGION_OPS(on_other_read, on_other_write, QEMU_LITTLE_ENDIAN);

/* --- start ----------------------------------------------------------------------------------- */

static void check_socket(const struct sst_device *dev)
{
    if (dev->floor)
        return;
    if (!dev->socket || !*dev->socket)
        refuse_device(dev, "socket is missing; add socket=PATH");
    if (strlen(dev->socket) > SOCKET_PATH_MAX)
        refuse_device(dev,
                      "socket has a path of %zu bytes, and at most %zu fit into a socket "
                      "address; use a shorter one",
                      strlen(dev->socket), SOCKET_PATH_MAX);
}

static void check_release_lock(const struct sst_device *dev)
{
    const char *refusal = dev->release_lock ? biglock_refusal() : NULL;
    if (refusal)
        refuse_device(dev, "release_lock: %s; leave it out", refusal);
    if (dev->release_lock && (dev->protocol == 1 || dev->floor))
        refuse_device(dev, "only protocol 2 has release_lock; leave it out");
}

void device_check(const struct sst_device *dev)
{
    if (dev->wrong)
        refuse_device(dev, "%s", dev->wrong);
    if (dev->timeout_ms > TIMEOUT_MS_MAX)
        refuse_device(dev, "timeout_ms is above %u; use 0 for no limit", TIMEOUT_MS_MAX);
    check_release_lock(dev);
    check_socket(dev);
}

static void check_properties(struct sst_device *dev)
{
    if (dev->bus != &MMIO)
        return;
    if (dev->wrong)
        refuse_device(dev, "%s", dev->wrong);
    if (!dev->has_base)
        refuse_device(dev, "base_address is missing; add base_address=ADDRESS");
    enum region_flaw flaw = region_check(dev->base, dev->size);
    if (flaw == REGION_MISALIGNED)
        refuse_device(dev, "base_address is not a multiple of 8; use 0x%" PRIx64,
                      dev->base & ~UINT64_C(7));
    if (flaw == REGION_EMPTY)
        refuse_device(dev, "size is 0; it must be at least 1");
    if (flaw == REGION_WRAPS)
        refuse_device(dev,
                      "size 0x%" PRIx64 " goes beyond the end of the address space; "
                      "use a smaller size or base_address",
                      dev->size);
    if (dev->shadow && dev->behind)
        refuse_device(dev, "shadow and behind exclude each other; leave one out");
    if (dev->irq && irq_parse(dev->irq, dev->irqs, &dev->num_irqs) < 0)
        refuse_device(dev,
                      "irq is '%s'; it must be a number or watchdog, or up to %u of them with ':' "
                      "between",
                      dev->irq, IRQ_LINES_MAX);
    if (dev->protocol == 1 && dev->irq)
        refuse_device(dev, "protocol 1 has no interrupts; use protocol=2");
    if (dev->protocol != 1 && dev->protocol != 2)
        refuse_device(dev, "protocol %" PRIu64 " is not known to this plugin; use 1 or 2",
                      dev->protocol);
    if (dev->protocol == 1 && (dev->posted_writes || dev->carrier == CARRIER_SHM))
        refuse_device(dev,
                      "protocol 1 has neither posted writes nor shared memory; use protocol=2");
    device_check(dev);
}

static void check_other_devices(const struct sst_device *dev)
{
    for (const struct sst_device *other = device_first(); other != dev; other = other->next) {
        if (regions_overlap(dev->base, dev->size, other->base, other->size))
            refuse_device(dev,
                          "overlaps the sst-device at 0x%" PRIx64 " (size 0x%" PRIx64
                          "); give one of them another base_address",
                          other->base, other->size);
    }
}

/* Before any device of ours is mapped: what is found is the machine's. */
static void check_machine(const struct sst_device *dev)
{
    if (dev->shadow || dev->behind)
        return;
    struct qemu_section found =
        qemu.memory_region_find(qemu.get_system_memory(), dev->base, dev->size);
    if (found.region)
        refuse_device(dev,
                      "the machine has '%s' at 0x%" PRIx64 "; choose another base address, or set "
                      "shadow to cover it",
                      qemu.memory_region_name(found.region), found.offset_within_address_space);
}

struct qemu_region *device_make_region(struct sst_device *dev, uint64_t size)
{
    struct qemu_region *region = (struct qemu_region *)dev->region;
    /* The machine is the owner: QEMU forbids a device's own region to be entered again from a DMA
     * that this device started. */
    bool is_big = dev->endian == ENDIAN_BIG || (dev->endian == ENDIAN_AUTO && dev->bus == &MMIO &&
                                                qemu_guest_is_big_endian(target));
    qemu.memory_region_init_io(region, qemu.qdev_get_machine(), is_big ? &BIG : &LITTLE, dev,
                               dev->bus->type, size);
    return region;
}

struct qemu_region *device_make_other_region(struct sst_device *dev, uint8_t number, uint64_t size)
{
    struct device_region *region = aligned_alloc(alignof(struct device_region), sizeof(*region));
    if (!region)
        refuse("out of memory");
    memset(region, 0, sizeof(*region));
    region->dev = dev;
    region->number = number;
    struct qemu_region *made = (struct qemu_region *)region->region;
    qemu.memory_region_init_io(made, qemu.qdev_get_machine(), &OTHER, region, dev->bus->type, size);
    return made; /* for as long as QEMU lives */
}

static void map_region(struct sst_device *dev)
{
    qemu.memory_region_add_subregion_overlap(
        qemu.get_system_memory(), dev->base, device_make_region(dev, dev->size),
        dev->behind ? REGION_PRIORITY_BEHIND : REGION_PRIORITY);
}

static void check_count(void)
{
    unsigned count = 0, max = qemu_max_regions();
    for (const struct sst_device *dev = device_first(); dev; dev = dev->next)
        count++;
    if (count > max)
        refuse("there are %u sst-devices, and this machine takes at most %u; use fewer", count,
               max);
}

/* device_del would leave a hole in the guest's memory map (and aborts QEMU 7.2). */
static void forbid_unplug(struct sst_device *dev)
{
    struct qemu_error *reason = NULL;
    if (dev->bus == &MMIO)
        qemu_error_set(&reason, "the sst-device at 0x%" PRIx64 " cannot be unplugged", dev->base);
    else
        qemu_error_set(&reason, "an %s cannot be unplugged", dev->bus->type);
    qemu.qdev_add_unplug_blocker(dev->object, reason);
}

/* Other processes have the state of the devices. */
static void forbid_migration(void)
{
    struct qemu_error *reason = NULL, *error = NULL;
    qemu_error_set(&reason, "an sst-device keeps its state outside QEMU");
    if (qemu_add_migration_blocker(reason, &error) < 0)
        refuse("%s", qemu.error_get_pretty(error));
}

bool device_is_late(void)
{
    return is_late;
}

static void check_memory_map(void)
{
    for (struct sst_device *dev = device_first(); dev; dev = dev->next) {
        check_properties(dev);
        if (dev->bus != &MMIO)
            continue;
        check_other_devices(dev);
        check_machine(dev);
    }
}

static void connect_device(struct sst_device *dev)
{
    dev->transport = dev->floor           ? &transport_floor
                     : dev->protocol == 1 ? &transport_v1
                                          : &transport_v2;
    forbid_unplug(dev);
    if (dev->bus != &MMIO)
        return;
    map_region(dev);
    irq_connect(dev);
}

void device_start_all(void)
{
    is_late = true;
    if (!device_first())
        return;
    tree_check();
    check_count();
    guest_has_faults = qemu_guest_has_bus_faults(target);
    check_memory_map();
    forbid_migration();
    qemu.memory_region_transaction_begin();
    for (struct sst_device *dev = device_first(); dev; dev = dev->next)
        connect_device(dev);
    qemu.memory_region_transaction_commit();
    memory_check();
    ram_find();
    clockwork_start();
    for (struct sst_device *dev = device_first(); dev; dev = dev->next)
        dev->transport->open(dev);
    v2_start_all();
}
