/* SPDX-License-Identifier: MIT */
/* Takes the place of QEMU's PCI bus, and of the plugin's other files. */
#include "pci_machine.h"

#undef NDEBUG /* asserts do things here */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"
#include "plugin/device/pci.h"
#include "plugin/qemu/memory.h"
#include "plugin/qemu/pci_abi.h"
#include "plugin/qemu/say.h"
#include "refusal.h"
#include "trestle/le.h"

enum { HEADER = 64, CONFIG = 256, CAPABILITIES = 0x34, RESETS_MAX = 8 };

struct qemu_abi qemu;
struct pci_abi pci_abi;
struct pci_machine pci_machine;

static const struct qemu_type_info *type;
static const struct pci_class *pci_class;
static void (*resets[RESETS_MAX])(void *opaque);
static unsigned num_resets;
static uint8_t used[CONFIG];
static char board, memory, iommu, error;
static const char *error_says;
static bool has_properties;

/* --- the plugin ------------------------------------------------------------------------------ */

void device_check(const struct sst_device *dev)
{
    assert(dev->bus);
    note("check\n");
}

bool device_is_late(void)
{
    return pci_machine.is_late;
}

struct qemu_region *device_make_region(struct sst_device *dev, uint64_t size)
{
    note("registers 0: %" PRIu64 " bytes\n", size);
    return (struct qemu_region *)dev->region;
}

struct qemu_region *device_make_other_region(struct sst_device *dev, uint8_t number, uint64_t size)
{
    note("registers %u: %" PRIu64 " bytes\n", number, size);
    return (struct qemu_region *)dev->region;
}

void device_access(struct sst_device *dev, const struct transport_access *access,
                   uint64_t *ret_data)
{
    uint32_t width = access->size == 4 ? UINT32_MAX : (1u << 8 * access->size) - 1;
    assert(access->region < dev->pci.num_regions && !dev->pci.are_memory[access->region]);
    assert(access->size == 1 || access->size == 2 || access->size == 4);
    assert(access->offset % access->size == 0);
    if (access->is_write)
        note("write %u+0x%" PRIx64 "/%u 0x%x\n", access->region, access->offset, access->size,
             (uint32_t)access->data & width);
    else
        note("read %u+0x%" PRIx64 "/%u\n", access->region, access->offset, access->size);
    *ret_data = pci_machine.registers;
}

void properties_register(struct qemu_class *class, unsigned types)
{
    assert((void *)class == &board && types == PROPERTY_PCI);
    has_properties = true;
}

int memory_copy(void *space, bool write, uint64_t addr, void *buf, size_t size)
{
    assert(buf);
    note("%s %s 0x%" PRIx64 " %zu\n", write ? "store" : "fetch",
         space == &iommu ? "iommu" : "memory", addr, size);
    return 0;
}

static void bus_changed(struct sst_device *dev)
{
    note("direct %d\n", dev->pci.is_direct);
}

static void reset_device(struct sst_device *dev)
{
    assert(dev->object);
    note("reset of the device\n");
}

static const struct transport transport = {.reset = reset_device, .bus_changed = bus_changed};

/* --- QEMU ------------------------------------------------------------------------------------ */

static void fail(struct qemu_error **errp, const char *text)
{
    error_says = text;
    *errp = (struct qemu_error *)&error;
}

static const char *get_pretty(const struct qemu_error *given)
{
    assert((const void *)given == &error);
    return error_says;
}

static void free_error(struct qemu_error *given)
{
    assert((void *)given == &error);
}

static void set_error(struct qemu_error **errp, const char *file, int line, const char *function,
                      const char *format, ...)
{
    (void)file;
    (void)line;
    (void)function;
    fail(errp, format);
}

static void *register_type(const struct qemu_type_info *given)
{
    type = given;
    return NULL;
}

static void register_reset(void (*reset)(void *opaque), void *opaque)
{
    assert(!opaque && num_resets < RESETS_MAX);
    resets[num_resets++] = reset;
}

static struct qemu_object *get_machine(void)
{
    return (struct qemu_object *)&board;
}

bool pci_abi_resolve(const char **ret_why_not)
{
    *ret_why_not = pci_machine.lacks;
    return !pci_machine.lacks;
}

void pci_abi_set_class(struct qemu_class *class, const struct pci_class *wanted)
{
    assert((void *)class == &board);
    pci_class = wanted;
}

bool pci_abi_config(struct qemu_object *object, uint8_t **ret_config, uint8_t **ret_writable)
{
    assert(object);
    *ret_config = pci_machine.config;
    *ret_writable = pci_machine.writable;
    return !pci_machine.has_no_config;
}

static void *keep(void *object)
{
    return object;
}

static void *get_bus(const struct qemu_object *object)
{
    assert(object);
    return &board;
}

static bool is_express(const void *bus)
{
    assert(bus == &board);
    return pci_machine.is_express;
}

/* QEMU would abort where there is no room. */
static int add_capability(struct qemu_object *object, uint8_t id, uint8_t at, uint8_t size,
                          struct qemu_error **errp)
{
    unsigned begin = HEADER;
    assert(object && at == 0 && size >= 2);
    if (pci_machine.has_no_room) {
        fail(errp, "no room");
        return -1;
    }
    for (unsigned i = HEADER; i - begin < size; i++) {
        assert(i < CONFIG);
        if (used[i])
            begin = i + 1;
    }
    pci_machine.config[begin] = id;
    pci_machine.config[begin + 1] = pci_machine.config[CAPABILITIES];
    pci_machine.config[CAPABILITIES] = (uint8_t)begin;
    for (unsigned i = begin; i < CONFIG && i < begin + (size + 3u) / 4 * 4; i++)
        used[i] = 1;
    return (int)begin;
}

static int add_express(struct qemu_object *object, uint8_t at)
{
    struct qemu_error *none;
    return add_capability(object, 0x10, at, 0x3c, &none);
}

static void init_flr(struct qemu_object *object)
{
    assert(object);
    note("flr\n");
}

static void write_flr(struct qemu_object *object, uint32_t address, uint32_t value, int length)
{
    assert(object);
    note("flr 0x%x 0x%x %d\n", address, value, length);
}

static int init_msix(struct qemu_object *object, unsigned short count, uint8_t bar,
                     struct qemu_error **errp)
{
    if (pci_machine.has_no_msix) {
        fail(errp, "no messages");
        return -1;
    }
    note("msix %u in bar %u\n", count, bar);
    add_capability(object, 0x11, 0, 12, errp);
    return 0;
}

static int init_msi(struct qemu_object *object, uint8_t at, unsigned count, bool is_64, bool masks,
                    struct qemu_error **errp)
{
    if (pci_machine.has_no_msi) {
        fail(errp, "no messages");
        return -1;
    }
    assert(is_64 && !masks);
    note("msi %u\n", count);
    add_capability(object, 0x05, at, 14, errp);
    return 0;
}

static void end_msix(struct qemu_object *object)
{
    assert(object);
    note("end of msix\n");
}

static void end_msi(struct qemu_object *object)
{
    assert(object);
    note("end of msi\n");
}

static void use_vector(struct qemu_object *object, unsigned vector)
{
    assert(object);
    note("vector %u\n", vector);
}

static void notify_msix(struct qemu_object *object, unsigned vector)
{
    assert(object);
    note("msix %u\n", vector);
}

static void notify_msi(struct qemu_object *object, unsigned vector)
{
    assert(object);
    note("msi %u\n", vector);
}

static int msix_is_on(struct qemu_object *object)
{
    assert(object);
    return pci_machine.msix_is_on;
}

static bool msi_is_on(const struct qemu_object *object)
{
    assert(object);
    return pci_machine.msi_is_on;
}

static void set_irq(struct qemu_object *object, int level)
{
    assert(object);
    pci_machine.inta = level;
}

static void init_ram(struct qemu_region *region, struct qemu_object *owner, const char *name,
                     uint64_t size, void *bytes)
{
    assert((void *)owner == &board && name && bytes);
    note("memory of %" PRIu64 " bytes\n", size);
    pci_machine.memory = bytes;
    pci_machine.memory_region = region;
}

static void register_bar(struct qemu_object *object, int number, uint8_t kind,
                         struct qemu_region *region)
{
    assert(object && region);
    note("bar %d of type %u\n", number, kind);
}

static void *dma_space(struct qemu_object *object)
{
    assert(object);
    return pci_machine.has_iommu ? &iommu : &memory;
}

static uint32_t read_default(struct qemu_object *object, uint32_t address, int length)
{
    uint32_t value = 0;
    assert(object && address + (uint32_t)length <= CONFIG);
    for (int i = 0; i < length; i++)
        value |= (uint32_t)pci_machine.config[address + (uint32_t)i] << 8 * i;
    return value;
}

static void write_default(struct qemu_object *object, uint32_t address, uint32_t value, int length)
{
    pci_machine.msix_is_on = pci_machine.next_msix_is_on;
    assert(object && address + (uint32_t)length <= CONFIG);
    for (int i = 0; i < length; i++) {
        uint8_t *byte = &pci_machine.config[address + (uint32_t)i];
        uint8_t mask = pci_machine.writable[address + (uint32_t)i];
        *byte = (uint8_t)((*byte & ~mask) | ((value >> 8 * i) & mask));
    }
}

static void reset_object(struct qemu_object *object)
{
    note("reset by power\n");
    pci_class->reset(object);
}

/* --- the machine ----------------------------------------------------------------------------- */

void pci_machine_clear(void)
{
    pci_machine = (struct pci_machine){.inta = 0};
    memset(used, 0, sizeof(used));
    (void)notes_take();
    num_resets = 0;
    qemu.error_get_pretty = get_pretty;
    qemu.error_free = free_error;
    qemu.error_setg_internal = set_error;
    qemu.type_register_static = register_type;
    qemu.qemu_register_reset = register_reset;
    qemu.qdev_get_machine = get_machine;
    qemu.address_space_memory = &memory;
    pci_abi = (struct pci_abi){
        .object_ref = keep,
        .qdev_get_parent_bus = get_bus,
        .pci_bus_is_express = is_express,
        .pcie_endpoint_cap_init = add_express,
        .pcie_cap_flr_init = init_flr,
        .pcie_cap_flr_write_config = write_flr,
        .pci_add_capability = add_capability,
        .pci_device_reset = reset_object,
        .memory_region_init_ram_ptr = init_ram,
        .pci_register_bar = register_bar,
        .pci_default_read_config = read_default,
        .pci_default_write_config = write_default,
        .pci_device_iommu_address_space = dma_space,
        .pci_set_irq = set_irq,
        .msix_init_exclusive_bar = init_msix,
        .msix_uninit_exclusive_bar = end_msix,
        .msix_vector_use = use_vector,
        .msix_notify = notify_msix,
        .msix_enabled = msix_is_on,
        .msi_init = init_msi,
        .msi_uninit = end_msi,
        .msi_notify = notify_msi,
        .msi_enabled = msi_is_on,
    };
}

struct sst_device *pci_machine_add(void)
{
    struct qemu_object *object = malloc(1);
    assert(object);
    pci_register();
    if (type->class_init)
        type->class_init((struct qemu_class *)&board, NULL);
    assert(has_properties == !pci_machine.lacks);
    has_properties = false;
    if (setjmp(refused)) {
        free(object);
        return NULL;
    }
    type->instance_init(object);
    struct sst_device *dev = device_first();
    while (dev && dev->object != object)
        dev = dev->next;
    if (dev)
        dev->transport = &transport;
    else
        free(object);
    return dev;
}

bool pci_machine_realize(struct sst_device *dev)
{
    struct qemu_error *refusal_of_qemu = NULL;
    if (setjmp(refused))
        return false;
    pci_class->realize(dev->object, &refusal_of_qemu);
    if (!refusal_of_qemu)
        return true;
    snprintf(refusal, sizeof(refusal), "%s", error_says);
    return false;
}

void pci_machine_unplug(struct sst_device *dev)
{
    pci_class->exit(dev->object);
}

void pci_machine_free(struct sst_device *dev)
{
    struct qemu_object *object = dev->object;
    type->instance_finalize(object);
    free(object);
}

void pci_machine_reset(struct sst_device *dev)
{
    assert(num_resets == 2);
    resets[0](NULL);
    pci_class->reset(dev->object);
    resets[1](NULL);
}

void pci_machine_start(void)
{
    pci_start();
    for (unsigned i = 0; i < num_resets; i++)
        resets[i](NULL);
}

void pci_machine_reset_alone(struct sst_device *dev)
{
    pci_class->reset(dev->object);
}

uint32_t pci_machine_read(struct sst_device *dev, uint32_t address, int length)
{
    return pci_class->config_read(dev->object, address, length);
}

void pci_machine_write(struct sst_device *dev, uint32_t address, uint32_t value, int length)
{
    pci_class->config_write(dev->object, address, value, length);
}

unsigned pci_machine_capability(uint8_t id, unsigned number)
{
    unsigned left = CONFIG; /* it is no circle */
    for (unsigned at = pci_machine.config[CAPABILITIES]; at != 0; at = pci_machine.config[at + 1]) {
        assert(at >= HEADER && left-- > 0);
        if (pci_machine.config[at] == id && number-- == 0)
            return at;
    }
    return 0;
}
