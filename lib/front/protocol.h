/* SPDX-License-Identifier: MIT */
/* What a protocol is to the connection that speaks it. Each has a folder of its own. */
#ifndef TRESTLE_FRONT_PROTOCOL_H
#define TRESTLE_FRONT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;

struct protocol {
    /* Do the first bytes of a connection belong to it? 1: yes, -1: no, 0: more of them will tell.
     * (mandatory, unless ports are made for it alone) */
    int (*recognises)(const uint8_t *bytes, size_t size);
    size_t frame_size; /* bytes, or with measure() those that it needs (mandatory) */
    /* The bytes of the whole frame that begins so. SIZE_MAX: there is no such frame. (optional) */
    size_t (*measure)(const uint8_t *bytes);
    /* A client has come, to a port that speaks nothing else. (optional) */
    void (*opened)(struct connection *connection);
    /* A whole frame has come, and no access of the connection is under way. (mandatory) */
    void (*frame)(struct connection *connection, const uint8_t *frame);
    /* The access that frame() gave to the port has ended; its request says how. Gets the
     * connection, or what frame() has made port->asker. (mandatory) */
    void (*answer)(void *asker);
    /* Handles the next frame of those that were put aside. False: there is none. (optional) */
    bool (*frame_aside)(struct connection *connection);
    /* The client has gone: what it left elsewhere still counts. May close the connection.
     * (optional) */
    void (*drain)(struct connection *connection);
    /* The connection is closed; its state is the protocol's to free. (optional) */
    void (*closed)(struct connection *connection);
    /* The device's line has changed. (optional) */
    void (*irq)(struct connection *connection, uint32_t line, bool level);
    /* Copies between the guest's memory and buf. -EFAULT: that is no memory. -ENOTSUP: the client
     * has no transfers. -ENODEV: it has gone. (optional) */
    int (*dma)(struct connection *connection, bool write, uint64_t addr, uint8_t *buf, size_t size);
    /* In place of dma(): the same, for protocols in which it may take time. It ends with
     * trestle_device_dma_complete(id), from inside or later. (optional) */
    int (*begin_dma)(struct connection *connection, bool write, uint64_t addr, void *buf,
                     size_t size, uint64_t id);
};

#endif
