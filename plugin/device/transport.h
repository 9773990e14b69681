/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an access gets to where it is answered: one implementation per protocol. */
#ifndef TRESTLE_PLUGIN_TRANSPORT_H
#define TRESTLE_PLUGIN_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

struct sst_device;

/* Offset and data are not next to each other, so that no compiler copies both by one load. Such a
 * load would wait until the two stores, a few instructions earlier, have reached the cache. */
struct transport_access {
    uint64_t offset; /* from the base of the region */
    uint8_t size;    /* bytes: 1, 2, 4, 8 */
    uint8_t region;  /* which of the device's */
    bool is_write;
    uint64_t data; /* of a write, in the low size bytes */
};

struct transport {
    /* Before the guest starts: sets dev->connection. A device that is not there yet is not an
     * error, but gets a line. Ends QEMU only for lack of memory. */
    void (*open)(struct sst_device *dev);
    /* On a vCPU's thread, which waits, under QEMU's big lock. 0, with the data of a read in
     * *ret_data; any negative errno: the access failed, and the user has been told what to know
     * about it. Does no malloc, and writes no line while all is well. */
    int (*perform)(struct sst_device *dev, const struct transport_access *access,
                   uint64_t *ret_data);
    /* A debugger is about to access the device: says so, and gives the widths that the device has,
     * an OR of 1, 2, 4, 8, or 0 where that is not known. NULL: never known. */
    unsigned (*begin_debug)(struct sst_device *dev);
    /* The guest has reset this device alone. NULL: the other side never hears of it. */
    void (*reset)(struct sst_device *dev);
    /* dev->pci.is_direct has another value. NULL: no matter. */
    void (*bus_changed)(struct sst_device *dev);
};

extern const struct transport transport_v1;    /* the older protocol, over the device's socket */
extern const struct transport transport_v2;    /* Trestle's own, on either carrier */
extern const struct transport transport_floor; /* no process crossed: for benchmarks */

#endif
