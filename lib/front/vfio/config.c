/* SPDX-License-Identifier: MIT */
/* The configuration space of a device of vfio-user: its header, BARs and capabilities. */
#include <errno.h>

#include "base/pci_window.h"
#include "front/vfio/state.h"
#include "sim/command.h"
#include "sim/lookup.h"
#include "trestle/le.h"

#define VENDOR 0x00
#define DEVICE 0x02
#define COMMAND 0x04
#define COMMAND_BITS 0x0547u /* I/O, memory, master, parity, SERR, no INTx */
#define COMMAND_MASTER 0x4u
#define COMMAND_NO_INTX 0x400u
#define STATUS 0x06
#define STATUS_CAPABILITIES 0x10u
#define REVISION 0x08
#define CLASS 0x09
#define CACHE_LINE 0x0c
#define LATENCY 0x0d
#define BAR_0 0x10
#define SUBSYSTEM_VENDOR 0x2c
#define SUBSYSTEM 0x2e
#define CAPABILITIES 0x34
#define INTERRUPT_LINE 0x3c
#define INTERRUPT_PIN 0x3d
#define FIRST_CAPABILITY 0x40u

#define PM_ID 0x01
#define PM_SIZE 8u
#define PM_VERSION_1_2 3u
#define PM_CONTROL 4u
#define PM_STATE 0x3u /* D0 to D3 */
#define MSI_ID 0x05
#define MSI_SIZE 14u
#define MSI_64 0x80u
#define MSI_ENABLE 0x1u
#define MSIX_ID 0x11
#define MSIX_SIZE 12u
#define MSIX_ENABLE_AND_MASK 0xc000u
#define VENDOR_ID 0x09
#define VENDOR_LENGTH 2u

#define BAR_MEMORY_MIN 4096u /* bytes, as of an sst-pci-device */
#define BAR_IO_MIN 16u
#define BAR_IO_MAX 256u
#define TABLE_SIZE 0x1000u
#define TABLE_BAR 4u /* if the regions leave it free */
#define PENDING_AT 0x800u

static uint8_t kind_of(const struct trestle_pci *pci, uint32_t region)
{
    return region == 0 ? pci->bar : pci->more_bars[region - 1];
}

static void write_bar(struct vfio *vfio, unsigned bar, uint8_t kind, uint64_t size)
{
    static const uint8_t TYPES[] = {
        [TRESTLE_BAR_MEM] = 0x0, [TRESTLE_BAR_MEM64] = 0x4, [TRESTLE_BAR_IO] = 0x1};
    uint64_t mask = ~(size - 1);
    unsigned at = BAR_0 + 4 * bar;
    vfio->initial[at] = TYPES[kind];
    trestle_put_le32(vfio->writable + at, (uint32_t)mask);
    if (kind == TRESTLE_BAR_MEM64)
        trestle_put_le32(vfio->writable + at + 4, (uint32_t)(mask >> 32));
}

static int add_bar(struct vfio *vfio, unsigned bar, int region, uint8_t kind, uint64_t bytes)
{
    uint64_t size = kind == TRESTLE_BAR_IO ? BAR_IO_MIN : BAR_MEMORY_MIN;
    while (size < bytes && size < UINT64_C(1) << 46)
        size *= 2;
    bool is_wide = kind == TRESTLE_BAR_MEM64;
    if (kind > TRESTLE_BAR_IO || bar + is_wide >= VFIO_BARS || size < bytes ||
        size > (kind == TRESTLE_BAR_IO ? BAR_IO_MAX
                : is_wide              ? UINT64_C(1) << 46
                                       : 1u << 31))
        return -EINVAL;
    vfio->bars[bar] = (struct vfio_bar){region, size};
    write_bar(vfio, bar, kind, size);
    return 0;
}

/* In the order of the regions, as sst-pci-device numbers them. *ret_table: the BAR of MSI-X. */
static int add_bars(struct vfio *vfio, unsigned *ret_table)
{
    const struct port *port = vfio->port;
    const struct trestle_model *model = trestle_device_model(port->device);
    unsigned bar = 0;
    int r = 0;
    for (unsigned i = 0; i < VFIO_BARS; i++)
        vfio->bars[i].region = BAR_IS_NOTHING;
    for (uint32_t i = 0; i < port->num_regions && r == 0; i++) {
        uint64_t bytes = i == 0 ? port->size : trestle_model_region_bytes(model, i);
        uint8_t kind = kind_of(&vfio->pci, i);
        r = add_bar(vfio, bar, (int)i, kind, bytes);
        bar += kind == TRESTLE_BAR_MEM64 ? 2 : 1;
    }
    *ret_table = bar > TABLE_BAR ? bar : TABLE_BAR;
    if (r == 0 && vfio->num_lines > 0)
        r = add_bar(vfio, *ret_table, BAR_IS_TABLE, TRESTLE_BAR_MEM, TABLE_SIZE);
    return r;
}

/* --- capabilities ---------------------------------------------------------------------------- */

/* Returns where it is, or 0: there is no room. */
static unsigned add_capability(struct vfio *vfio, unsigned *ref_next, uint8_t id, unsigned size)
{
    unsigned at = *ref_next;
    if (size > VFIO_CONFIG_SIZE - at)
        return 0;
    vfio->initial[at] = id;
    vfio->initial[at + 1] = vfio->initial[CAPABILITIES];
    vfio->initial[CAPABILITIES] = (uint8_t)at;
    *ref_next = (at + size + 3) / 4 * 4;
    return at;
}

static void add_messages(struct vfio *vfio, unsigned *ref_next, unsigned table)
{
    unsigned at = add_capability(vfio, ref_next, MSI_ID, MSI_SIZE);
    trestle_put_le16(vfio->initial + at + 2, MSI_64);
    trestle_put_le16(vfio->writable + at + 2, MSI_ENABLE);
    memset(vfio->writable + at + 4, 0xff, 10);
    vfio->writable[at + 4] = 0xfc;
    at = add_capability(vfio, ref_next, MSIX_ID, MSIX_SIZE);
    trestle_put_le16(vfio->initial + at + 2, (uint16_t)(vfio->num_lines - 1));
    trestle_put_le16(vfio->writable + at + 2, MSIX_ENABLE_AND_MASK);
    trestle_put_le32(vfio->initial + at + 4, table);
    trestle_put_le32(vfio->initial + at + 8, PENDING_AT | table);
}

static void add_power_management(struct vfio *vfio, unsigned *ref_next)
{
    vfio->power = add_capability(vfio, ref_next, PM_ID, PM_SIZE) + PM_CONTROL;
    vfio->initial[vfio->power - PM_CONTROL + 2] = PM_VERSION_1_2;
    vfio->writable[vfio->power] = PM_STATE;
}

static int add_vendor_capabilities(struct vfio *vfio, unsigned *ref_next)
{
    const uint8_t *bytes = vfio->pci.vendor_capabilities;
    while (bytes && bytes[0] > 0) {
        unsigned at = add_capability(vfio, ref_next, VENDOR_ID, bytes[0]);
        if (at == 0 || bytes[0] <= VENDOR_LENGTH)
            return -EINVAL;
        memcpy(vfio->initial + at + VENDOR_LENGTH, bytes, bytes[0] - VENDOR_LENGTH);
        if (pci_window_is(vfio->pci.vendor, bytes)) {
            vfio->window = at;
            pci_window_allow(vfio->writable + at);
        }
        bytes += bytes[0] - VENDOR_LENGTH;
    }
    return 0;
}

/* --- all ------------------------------------------------------------------------------------- */

int vfio_config_init(struct vfio *vfio)
{
    const struct trestle_pci *pci = &vfio->pci;
    unsigned next = FIRST_CAPABILITY, table;
    int r = add_bars(vfio, &table);
    if (r < 0)
        return r;
    trestle_put_le16(vfio->initial + VENDOR, pci->vendor);
    trestle_put_le16(vfio->initial + DEVICE, pci->device);
    trestle_put_le16(vfio->initial + SUBSYSTEM_VENDOR, pci->subsystem_vendor);
    trestle_put_le16(vfio->initial + SUBSYSTEM, pci->subsystem);
    vfio->initial[REVISION] = pci->revision;
    for (unsigned i = 0; i < 3; i++)
        vfio->initial[CLASS + i] = (uint8_t)(pci->class_code >> 8 * i);
    vfio->initial[INTERRUPT_PIN] = vfio->num_lines > 0;
    trestle_put_le16(vfio->writable + COMMAND, COMMAND_BITS);
    vfio->writable[CACHE_LINE] = vfio->writable[LATENCY] = vfio->writable[INTERRUPT_LINE] = 0xff;
    add_power_management(vfio, &next);
    if (vfio->num_lines > 0)
        add_messages(vfio, &next, table);
    r = add_vendor_capabilities(vfio, &next);
    vfio->initial[STATUS] = STATUS_CAPABILITIES;
    vfio_config_reset(vfio);
    return r;
}

void vfio_config_reset(struct vfio *vfio)
{
    memcpy(vfio->config, vfio->initial, sizeof(vfio->config));
}

void vfio_config_write(struct vfio *vfio, uint32_t offset, const uint8_t *data, uint32_t count)
{
    bool was_asleep = vfio_is_asleep(vfio);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t mask = vfio->writable[offset + i];
        vfio->config[offset + i] = (uint8_t)((vfio->config[offset + i] & ~mask) | (data[i] & mask));
    }
    if (was_asleep && !vfio_is_asleep(vfio))
        trestle_device_reset_alone(vfio->port->device);
}

bool vfio_is_asleep(const struct vfio *vfio)
{
    return (vfio->config[vfio->power] & PM_STATE) == PM_STATE;
}

bool vfio_is_master(const struct vfio *vfio)
{
    return (vfio->config[COMMAND] & COMMAND_MASTER) && !vfio_is_asleep(vfio);
}

bool vfio_allows_intx(const struct vfio *vfio)
{
    return !(trestle_get_le16(vfio->config + COMMAND) & COMMAND_NO_INTX);
}
