/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state behind each QEMU object of ours: made, found and freed. */
#include <stdlib.h>
#include <string.h>

#include "plugin/device/device.h"
#include "plugin/qemu/say.h"

static struct sst_device *first, **last = &first;
static unsigned created;
static struct ipc_crowd crowd;

struct sst_device *device_first(void)
{
    return first;
}

struct sst_device *device_of(const struct qemu_object *object)
{
    struct sst_device *dev = first;
    while (dev->object != object)
        dev = dev->next;
    return dev;
}

void device_init_wait(const struct sst_device *dev, struct ipc_wait *wait)
{
    ipc_wait_init(wait, (enum trestle_wait)dev->wait, &crowd);
}

struct sst_device *device_init(struct qemu_object *object, const struct device_bus *bus)
{
    struct sst_device *dev = aligned_alloc(alignof(struct sst_device), sizeof(*dev));
    if (!dev)
        refuse("out of memory");
    memset(dev, 0, sizeof(*dev));
    dev->object = object;
    dev->bus = bus;
    dev->number = ++created;
    dev->size = 4096;
    dev->timeout_ms = 1000;
    dev->protocol = 2;
    *last = dev;
    last = &dev->next;
    return dev;
}

/* Only for what never came to life: "-device sst-device,help" makes one to list its properties,
 * and an attempt to plug one into a running machine fails before it is mapped. What is in the
 * guest's memory stays until QEMU ends. */
void device_finalize(struct qemu_object *object)
{
    struct sst_device **place = &first;
    while ((*place)->object != object)
        place = &(*place)->next;
    struct sst_device *dev = *place;
    *place = dev->next;
    if (last == &dev->next)
        last = place;
    free(dev->socket);
    free(dev->label);
    free(dev->device_name);
    free(dev->irq);
    free(dev->irq_controller);
    free(dev->dt);
    free(dev->dt_label);
    free(dev->dt_alias);
    free(dev->acpi_id);
    free(dev->pci.vendor_capabilities);
    free(dev->wrong);
    free(dev);
}
