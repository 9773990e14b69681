/* SPDX-License-Identifier: MIT */
/* A capability by which a driver reaches a virtio device's BARs through the configuration space
 * (VIRTIO_PCI_CAP_PCI_CFG): the driver writes there which BAR it means, an offset, and a length.
 * From then on an access to the four bytes behind them is an access to that BAR. */
#ifndef TRESTLE_BASE_PCI_WINDOW_H
#define TRESTLE_BASE_PCI_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "trestle/le.h"

#define PCI_WINDOW_VENDOR 0x1af4u
#define PCI_WINDOW_TYPE 5
#define PCI_WINDOW_SIZE 20
/* From the capability's begin on. */
#define PCI_WINDOW_BAR 4u
#define PCI_WINDOW_PLACE 8u /* its offset and its length, 32 bits each */
#define PCI_WINDOW_DATA 16u
#define PCI_WINDOW_DATA_SIZE 4u

struct pci_window {
    uint8_t bar;
    uint8_t length; /* 1, 2 or 4 */
    uint32_t offset;
};

/* bytes: of a capability of that vendor's, from its length on. */
static inline bool pci_window_is(uint16_t vendor, const uint8_t *bytes)
{
    return vendor == PCI_WINDOW_VENDOR && bytes[0] == PCI_WINDOW_SIZE &&
           bytes[1] == PCI_WINDOW_TYPE;
}

/* What a driver may write of it. */
static inline void pci_window_allow(uint8_t *writable)
{
    writable[PCI_WINDOW_BAR] = 0xff;
    memset(writable + PCI_WINDOW_PLACE, 0xff, PCI_WINDOW_SIZE - PCI_WINDOW_PLACE);
}

/* An access to the configuration space is one to the data. at: where the capability is there, or
 * 0, if there is none. */
static inline bool pci_window_is_data(unsigned at, uint32_t offset, uint32_t count)
{
    return at != 0 && offset < at + PCI_WINDOW_DATA + PCI_WINDOW_DATA_SIZE &&
           at + PCI_WINDOW_DATA < offset + count;
}

/* What the driver has written. False: it cannot be, and the data is just what it is. */
static inline bool pci_window_get(const uint8_t *capability, struct pci_window *ret_window)
{
    uint32_t offset = trestle_get_le32(capability + PCI_WINDOW_PLACE);
    uint32_t length = trestle_get_le32(capability + PCI_WINDOW_PLACE + 4);
    if ((length != 1 && length != 2 && length != 4) || offset % length != 0)
        return false;
    *ret_window = (struct pci_window){capability[PCI_WINDOW_BAR], (uint8_t)length, offset};
    return true;
}

#endif
