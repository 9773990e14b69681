/* SPDX-License-Identifier: MIT */
/* vfio-user: a PCI device whose configuration space is here, on the host's clock. A port speaks it
 * and no other protocol. */
#ifndef TRESTLE_FRONT_VFIO_H
#define TRESTLE_FRONT_VFIO_H

#include "front/protocol.h"
#include "trestle/device.h"

struct port;
struct vfio;

extern const struct protocol vfio_protocol;

/* Makes a port with a device, whose regions are counted, one of this protocol. `pci` may be smaller
 * than today's, and is copied but for what it points to. -ENOMEM. -EINVAL: the regions do not fit
 * into six BARs, or a BAR of I/O is too large. */
TRESTLE_CHECK int vfio_create(struct port *port, const struct trestle_pci *pci);
/* NULL is fine. */
void vfio_destroy(struct vfio *vfio);

#endif
