/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The BARs of an sst-pci-device by way of its configuration space, as virtio devices have it. */
#include "plugin/device/window.h"

#include <stddef.h>

#include "base/pci_window.h"
#include "plugin/device/device.h"

void window_add(struct sst_device *dev, unsigned at, const uint8_t *bytes)
{
    if (!pci_window_is((uint16_t)dev->pci.vendor, bytes))
        return;
    dev->pci.window = at;
    pci_window_allow(dev->pci.writable + at);
}

/* False: no region with registers is that BAR. */
static bool find_region(const struct sst_device *dev, unsigned bar, uint8_t *ret_region)
{
    for (unsigned i = 0; i < dev->pci.num_regions; i++) {
        if (dev->pci.numbers[i] != bar || dev->pci.are_memory[i])
            continue;
        *ret_region = (uint8_t)i;
        return true;
    }
    return false;
}

void window_access(struct sst_device *dev, bool write, uint32_t address, int length)
{
    struct pci_window window;
    uint64_t value;
    struct transport_access access = {.is_write = write};
    if (!pci_window_is_data(dev->pci.window, address, (uint32_t)length) ||
        !pci_window_get(dev->pci.config + dev->pci.window, &window) ||
        !find_region(dev, window.bar, &access.region))
        return;
    uint8_t *data = dev->pci.config + dev->pci.window + PCI_WINDOW_DATA;
    access.offset = window.offset;
    access.size = window.length;
    access.data = trestle_get_le32(data);
    device_access(dev, &access, &value);
    for (unsigned i = 0; i < window.length && !write; i++)
        data[i] = (uint8_t)(value >> 8 * i);
}
