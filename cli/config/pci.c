/* SPDX-License-Identifier: MIT */
/* "pci": a device that hangs on a PCI bus, in place of an address. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "sim/lookup.h"
#include "trestle/registers.h"
#include "util.h"

/* "4", "04.0", "1f.7" */
static int set_addr(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    size_t slot = text ? strspn(text, "0123456789abcdefABCDEF") : 0;
    bool is_slot = slot == 1 || (slot == 2 && (text[0] == '0' || text[0] == '1'));
    bool is_function = is_slot && text[slot] == '.' && text[slot + 1] >= '0' &&
                       text[slot + 1] <= '7' && !text[slot + 2];
    if (!is_slot || (text[slot] && !is_function))
        return config_fail_type(reader, key, where, value);
    unsigned number = (unsigned)strtoul(text, NULL, 16) << 3;
    struct config_pci *pci = target;
    if (is_function)
        number |= (unsigned)(text[slot + 1] - '0');
    pci->addr = (int)number;
    return 0;
}

static int set_bus(struct config_reader *reader, const struct config_key *key,
                   const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    if (!text || !*text || strchr(text, ','))
        return config_fail_type(reader, key, where, value);
    return config_set_string(reader, key, where, value, target);
}

/* key->max, and not 0 for a vendor: there would be no device. */
static int set_id(struct config_reader *reader, const struct config_key *key,
                  const struct json_place *where, const json_t *value, void *target)
{
    uint64_t number = 0;
    struct config_key plain = *key;
    plain.offset = 0;
    int r = config_set_u64(reader, &plain, where, value, &number);
    if (r < 0)
        return r;
    bool is_vendor = key->offset == offsetof(struct config_pci, vendor);
    if (number > key->max || (is_vendor && (number == 0 || number == UINT16_MAX)))
        return config_fail_type(reader, key, where, value);
    *(int64_t *)((char *)target + key->offset) = (int64_t)number;
    return 0;
}

static char *const bar_choices[] = {"mem", "mem64", "io", NULL};
#define BAR_KINDS 3
static char *const interrupt_choices[] = {"msix", "msi", "intx", NULL};

/* The kind of the first region's BAR, or a list of the kinds of all. */
static int set_bar(struct config_reader *reader, const struct config_key *key,
                   const struct json_place *where, const json_t *value, void *target)
{
    struct config_pci *pci = target;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    int r = 0;
    if (count == 0 || count > TRESTLE_REGIONS_MAX)
        return config_fail(reader, where, "%zu kinds are given; there are 1 to %d BARs", count,
                           TRESTLE_REGIONS_MAX);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct json_place item = {where, NULL, i};
        r = json_is_array(value)
                ? config_set_choice(reader, key, &item, json_array_get(value, i), &pci->bars[i])
                : config_set_choice(reader, key, where, value, &pci->bars[i]);
    }
    pci->num_bars = count;
    return r;
}

#define PCI(name) offsetof(struct config_pci, name)

static const struct config_key keys[] = {
    {"addr", set_addr, 0, "a slot and a function", "\"addr\": \"04.0\""},
    {"bus", set_bus, PCI(bus), "the name of a bus", "\"bus\": \"pcie.0\""},
    {"multifunction", config_set_bool, PCI(multifunction), "true or false",
     "\"multifunction\": true"},
    {"vendor", set_id, PCI(vendor), "a vendor's id", "\"vendor\": \"0x1234\"", .max = UINT16_MAX},
    {"device", set_id, PCI(device), "an id of 16 bits", "\"device\": \"0x11e8\"",
     .max = UINT16_MAX},
    {"subsystem_vendor", set_id, PCI(subsystem_vendor), "an id of 16 bits",
     "\"subsystem_vendor\": \"0x1af4\"", .max = UINT16_MAX},
    {"subsystem", set_id, PCI(subsystem), "an id of 16 bits", "\"subsystem\": \"0x1100\"",
     .max = UINT16_MAX},
    {"class", set_id, PCI(class_code), "a class of 24 bits", "\"class\": \"0x010802\"",
     .max = 0xffffff},
    {"revision", set_id, PCI(revision), "a number of 8 bits", "\"revision\": 1", .max = UINT8_MAX},
    {"bar", set_bar, 0, "a choice here", .choices = bar_choices},
    {"interrupts", config_set_choice, PCI(interrupts), "a choice here",
     .choices = interrupt_choices},
    {0},
};

int config_set_pci(struct config_reader *reader, const struct config_key *key,
                   const struct json_place *where, const json_t *value, void *target)
{
    struct config_device *device = target;
    if (!json_is_object(value))
        return config_fail_type(reader, key, where, value);
    device->pci = config_keep(reader->config, xcalloc(1, sizeof(*device->pci)));
    *device->pci = (struct config_pci){.addr = -1,
                                       .vendor = -1,
                                       .device = -1,
                                       .subsystem_vendor = -1,
                                       .subsystem = -1,
                                       .class_code = -1,
                                       .revision = -1};
    return config_read_object(reader, where, value, keys, device->pci);
}

const char *config_bar_kind(const struct trestle_pci *pci, size_t region)
{
    bool has_more = pci->size >= offsetof(struct trestle_pci, more_bars) + sizeof(pci->more_bars);
    unsigned kind = region == 0 ? pci->bar : has_more ? pci->more_bars[region - 1] : 0;
    return bar_choices[kind < BAR_KINDS ? kind : 0];
}

static int64_t either(int64_t said, int64_t otherwise)
{
    return said >= 0 ? said : otherwise;
}

/* The model says what the file does not. */
static void take_from_model(struct config_pci *pci, const struct trestle_pci *model)
{
    pci->vendor = either(pci->vendor, model->vendor);
    pci->device = either(pci->device, model->device);
    pci->subsystem_vendor = either(pci->subsystem_vendor, model->subsystem_vendor);
    pci->subsystem = either(pci->subsystem, model->subsystem);
    pci->class_code = either(pci->class_code, model->class_code);
    pci->revision = either(pci->revision, model->revision);
    for (size_t i = 0; i < TRESTLE_REGIONS_MAX; i++)
        if (!pci->bars[i])
            pci->bars[i] = config_bar_kind(model, i);
}

/* Returns what the guest finds in the configuration space, or NULL. */
static const uint8_t *vendor_capabilities(const struct trestle_model *model)
{
    const struct trestle_pci *pci = model->pci;
    bool has = pci && pci->size >= offsetof(struct trestle_pci, vendor_capabilities) +
                                       sizeof(pci->vendor_capabilities);
    return has ? pci->vendor_capabilities : NULL;
}

static uint32_t num_regions(const struct trestle_model *model)
{
    uint32_t count = 1;
    while (count < TRESTLE_REGIONS_MAX && trestle_model_region_bytes(model, count) > 0)
        count++;
    return count;
}

/* The model's own size is rounded up. A size that the user gives is taken as it is. */
static int check_regions(struct config_reader *reader, const struct json_place *where,
                         const struct config_device *device)
{
    struct json_place size = {where, "size", 0}, pci = {where, "pci", 0}, bar = {&pci, "bar", 0};
    uint32_t count = num_regions(device->model);
    if (device->size != trestle_model_bytes(device->model) && device->size & (device->size - 1)) {
        unsigned long long up = 16;
        while (up < device->size)
            up *= 2;
        return config_fail(reader, &size,
                           "%llu is not a power of two, and a BAR's size must be one; write %llu",
                           (unsigned long long)device->size, up);
    }
    if (device->pci->num_bars > 0 && vendor_capabilities(device->model))
        return config_fail(reader, &bar, "%s tells the guest which BARs it has; remove the key",
                           device->model->name);
    if (device->pci->num_bars > count)
        return config_fail(reader, &bar, "%zu kinds are given, but %s has %u region%s; give fewer",
                           device->pci->num_bars, device->model->name, count,
                           count == 1 ? "" : "s");
    return 0;
}

int config_finish_pci(struct config_reader *reader, const struct json_place *where,
                      struct config_device *device)
{
    const char *wrong = device->base_addr != TRESTLE_NO_BASE ? "base_addr"
                        : device->irq                        ? "irq"
                        : device->shadow                     ? "shadow"
                        : device->behind                     ? "behind"
                        : device->compatible                 ? "compatible"
                        : device->alias                      ? "alias"
                        : device->acpi_id                    ? "acpi_id"
                        : device->dt                         ? "dt"
                                                             : NULL;
    struct json_place key = {where, wrong, 0}, protocol = {where, "protocol", 0};
    if (wrong)
        return config_fail(reader, &key, "a PCI device has none; remove the key, or \"pci\"");
    if (device->protocol == 1)
        return config_fail(reader, &protocol, "only protocol 2 has PCI devices; remove the key");
    if (device->model->pci)
        take_from_model(device->pci, device->model->pci);
    return check_regions(reader, where, device);
}

int config_check_vfio(struct config_reader *reader, const struct json_place *where,
                      const struct config_device *device)
{
    struct json_place protocol = {where, "protocol", 0};
    const char *wrong = device->on_error                         ? "on_error"
                        : device->timeout_ms >= 0                ? "timeout_ms"
                        : device->posted_writes                  ? "posted_writes"
                        : device->release_lock                   ? "release_lock"
                        : device->carrier                        ? "carrier"
                        : device->endian                         ? "endian"
                        : device->pci && device->pci->interrupts ? "pci"
                                                                 : NULL;
    struct json_place key = {where, wrong, 0};
    if (!device->pci)
        return config_fail(reader, &protocol,
                           "vfio-user is for PCI devices; add \"pci\": {}, or remove the key");
    if (wrong)
        return config_fail(reader, &key,
                           "a device of vfio-user has no %s; remove the key, or \"protocol\"",
                           strcmp(wrong, "pci") == 0 ? "choice of \"interrupts\"" : wrong);
    return 0;
}

int config_check_vfio_alone(struct config_reader *reader)
{
    const struct config *config = reader->config;
    size_t count = 0;
    for (size_t i = 0; i < config->num_devices; i++)
        count += config->devices[i].protocol == PROTOCOL_VFIO_USER;
    for (size_t i = 0; i < config->num_devices && count > 0; i++) {
        struct json_place devices = {NULL, "devices", 0}, item = {&devices, NULL, i};
        struct json_place protocol = {&item, "protocol", 0};
        if (config->devices[i].protocol != PROTOCOL_VFIO_USER)
            return config_fail(reader, &protocol,
                               "the devices of a configuration speak vfio-user all or not at all; "
                               "add \"protocol\": \"vfio-user\" to this one");
        if (config->devices[i].process || config->devices[i].is_inline)
            return config_fail(reader, &protocol,
                               "a device of vfio-user is in the run's own process; remove the "
                               "key, or \"process\"");
        if (config->icount >= 0)
            return config_fail(reader, &protocol,
                               "vfio-user carries no time of the guest's; remove the key, or "
                               "machine.icount");
    }
    return 0;
}

void config_get_pci(const struct config_device *device, struct trestle_pci *ret_pci)
{
    const struct config_pci *pci = device->pci;
    *ret_pci = (struct trestle_pci){
        .size = sizeof(*ret_pci),
        .vendor = (uint16_t)either(pci->vendor, 0x1234),
        .device = (uint16_t)either(pci->device, 0x5354),
        .subsystem_vendor = (uint16_t)either(pci->subsystem_vendor, 0),
        .subsystem = (uint16_t)either(pci->subsystem, 0),
        .class_code = (uint32_t)either(pci->class_code, 0xff0000),
        .revision = (uint8_t)either(pci->revision, 0),
        .vendor_capabilities = vendor_capabilities(device->model),
    };
    for (size_t i = 0; i < TRESTLE_REGIONS_MAX; i++)
        for (uint8_t kind = 0; pci->bars[i] && kind < BAR_KINDS; kind++)
            if (strcmp(pci->bars[i], bar_choices[kind]) == 0)
                *(i == 0 ? &ret_pci->bar : &ret_pci->more_bars[i - 1]) = kind;
}

char *config_vfio_argument(const struct config_device *device, const char *socket_path)
{
    const struct config_pci *pci = device->pci;
    char addr[8];
    json_t *argument = json_pack("{s:s, s:{s:s, s:s}}", "driver", "vfio-user-pci", "socket", "type",
                                 "unix", "path", socket_path);
    if (pci->addr >= 0) {
        snprintf(addr, sizeof(addr), "%02x.%x", (unsigned)pci->addr >> 3 & 0x1f,
                 (unsigned)pci->addr % 8);
        json_object_set_new(argument, "addr", json_string(addr));
    }
    if (pci->bus)
        json_object_set_new(argument, "bus", json_string(pci->bus));
    if (pci->multifunction)
        json_object_set_new(argument, "multifunction", json_true());
    char *text = json_dumps(argument, JSON_COMPACT);
    json_decref(argument);
    return text ? text : xstrdup("{}"); /* QEMU says that it is nothing */
}

/* A bus has as many; one of them is its own bridge's. */
#define SLOTS 32

int config_check_pci_count(struct config_reader *reader)
{
    const struct config *config = reader->config;
    unsigned taken = 1, wanted = 0;
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_pci *pci = config->devices[i].pci;
        if (pci && pci->addr >= 8 && pci->addr % 8 == 0 && !pci->bus)
            taken++;
        else if (pci && pci->addr < 0 && !pci->bus)
            wanted++;
    }
    if (taken + wanted <= SLOTS)
        return 0;
    struct json_place list = {NULL, "devices", 0};
    return config_fail(
        reader, &list,
        "%u devices choose a slot of a PCI bus, and it has only %u for them; give some a function "
        "in another's slot, such as \"addr\": \"02.1\", or another \"bus\"",
        wanted, SLOTS - taken);
}

/* Devices without an address of their own come last. */
int config_order_pci(const struct config_device *a, const struct config_device *b)
{
    unsigned a_addr = a->pci ? (unsigned)a->pci->addr : UINT_MAX;
    unsigned b_addr = b->pci ? (unsigned)b->pci->addr : UINT_MAX;
    if (a_addr != b_addr || a_addr == UINT_MAX)
        return (a_addr > b_addr) - (a_addr < b_addr);
    return strcmp(a->pci->bus ? a->pci->bus : "", b->pci->bus ? b->pci->bus : "");
}

int config_check_pci_pair(struct config_reader *reader, const struct config_device *first,
                          const struct config_device *second)
{
    if (!first->pci || first->pci->addr < 0 || config_order_pci(first, second) != 0)
        return 0;
    struct json_place list = {NULL, "devices", 0}, item = {&list, NULL, second->item};
    struct json_place pci = {&item, "pci", 0}, addr = {&pci, "addr", 0};
    return config_fail(reader, &addr, "%s has %02x.%x already; give one of them another",
                       first->name, (unsigned)first->pci->addr >> 3,
                       (unsigned)first->pci->addr % 8);
}

#define CAPABILITY_HEAD 2 /* its id, and where the next one is: not the model's */

static void add_id(struct strings *parts, const char *name, int64_t value)
{
    if (value >= 0)
        strings_addf(parts, "%s=0x%llx", name, (unsigned long long)value);
}

/* In hexadecimal, up to a length that ends them. */
static void add_capabilities(struct strings *parts, const uint8_t *from)
{
    size_t size = 0;
    while (from && from[size] > CAPABILITY_HEAD)
        size += from[size] - CAPABILITY_HEAD;
    char *text = xcalloc(1, 2 * size + 1);
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", from[i]);
    if (size > 0)
        strings_addf(parts, "vendor_capabilities=%s", text);
    free(text);
}

void config_add_pci_properties(struct strings *parts, const struct config_device *device)
{
    const struct config_pci *pci = device->pci;
    const char *interrupts = pci->interrupts ? pci->interrupts : "msix";
    if (pci->addr >= 0)
        strings_addf(parts, "addr=%02x.%x", (unsigned)pci->addr >> 3, (unsigned)pci->addr % 8);
    if (pci->bus)
        strings_addf(parts, "bus=%s", pci->bus);
    if (pci->multifunction)
        strings_add(parts, "multifunction=on");
    add_id(parts, "vendor", pci->vendor);
    add_id(parts, "device", pci->device);
    add_id(parts, "subsystem_vendor", pci->subsystem_vendor);
    add_id(parts, "subsystem", pci->subsystem);
    add_id(parts, "class", pci->class_code);
    add_id(parts, "revision", pci->revision);
    add_capabilities(parts, vendor_capabilities(device->model));
    strings_addf(parts, "vectors=%u", trestle_model_irq_lines(device->model));
    for (uint32_t i = 0; i < num_regions(device->model); i++) {
        char number[4] = "";
        if (i > 0)
            snprintf(number, sizeof(number), "%u", i);
        if (i > 0)
            strings_addf(parts, "size%u=0x%llx", i,
                         (unsigned long long)trestle_model_region_bytes(device->model, i));
        if (pci->bars[i])
            strings_addf(parts, "bar%s=%s", number, pci->bars[i]);
        if (trestle_model_region_is_memory(device->model, i))
            strings_addf(parts, "memory%s=on", number);
    }
    if (strcmp(interrupts, "msix") != 0)
        strings_add(parts, "no_msix=on");
    if (strcmp(interrupts, "intx") == 0)
        strings_add(parts, "no_msi=on");
}

char *config_place_text(const struct config_device *device)
{
    if (!device->pci)
        return xformat("0x%08llx", (unsigned long long)device->base_addr);
    if (device->pci->addr < 0)
        return xstrdup("pci");
    return xformat("pci %02x.%x", (unsigned)device->pci->addr >> 3,
                   (unsigned)device->pci->addr % 8);
}
