/* SPDX-License-Identifier: MIT */
/* A port: one device as its guest sees it, at an address, and what the guest has asked of it so
 * far. It lasts as long as the bridge, while clients come and go. */
#ifndef TRESTLE_FRONT_PORT_H
#define TRESTLE_FRONT_PORT_H

#include "base/histogram.h"
#include "base/listener.h"
#include "base/rate_limit.h"
#include "front/front.h"

struct port {
    struct front *front;
    uint32_t index; /* in the front, and what protocol 2 calls it */
    char *name;
    uint64_t base_addr;           /* guest-physical */
    uint64_t size;                /* bytes, of the first region */
    uint32_t num_regions;         /* that a client may mean */
    struct trestle_param *params; /* copies, for the trace */
    size_t num_params;
    char *model_file; /* or NULL; the same */

    const struct protocol *protocol; /* its clients speak no other; NULL: their bytes tell */
    struct vfio *vfio;               /* or NULL: what that protocol keeps */

    char *socket_path;
    struct listener listener;
    bool is_inherited; /* the listener is somebody else's */
    bool is_private;   /* socket_path is in a directory that is ours alone */
    struct loop_source listen_source;
    struct connection *connection; /* of the one client at a time */

    /* From here to the histogram: what each access touches. */
    struct trestle_device *device; /* NULL: another process serves it */
    bool is_outside;               /* its time is that of the outside */
    enum trestle_fault fault;      /* on purpose */
    /* Takes the device's output; NULL: it goes nowhere. */
    int (*output)(void *ctx, const void *data, size_t size);
    void *output_ctx;
    /* The device takes input again; NULL: there is none. */
    void (*input_room)(void *ctx);
    void *input_ctx;

    /* The request under way, while trestle_device_busy(). */
    struct trestle_request request;
    uint64_t request_ns;         /* when it came, host clock; 0: not measured */
    void (*answer)(void *asker); /* it has ended; the protocol's */
    void *asker;                 /* the connection, or what the protocol has in place of it */
    void (*resume)(struct connection *connection); /* what waited for an answer may go on */

    uint64_t num_requests, reads, writes, bytes, errors;
    struct histogram latency;
    struct rate_limit frame_errors; /* log lines about malformed frames */
    bool told_unheard;              /* that a line leads nowhere */
    bool told_kept;                 /* that an access was kept without a prospect of an answer */
};

/* A port whose other fields are set. */
void port_init(struct port *port);
/* The access has ended. */
void port_answer(struct port *port);
/* It has not. */
void port_wait(struct port *port);
/* Of a device with a fault on purpose: its model hears nothing of it. */
void port_access_faulty(struct port *port);
/* An access whose request_ns is set, of 1, 2, 4 or 8 bytes. It is answered from inside or later. */
static inline void port_access(struct port *port, bool is_write,
                               const struct trestle_access *access)
{
    port->request.access = *access;
    /* Asked for, so that no compiler copies it with the offset by one load, which would wait for
     * the stores of both to reach the cache. */
    port->request.access.data = is_write ? access->data : 0;
    port->request.write = is_write;
    if (unlikely(port->fault != TRESTLE_FAULT_NONE))
        port_access_faulty(port);
    else if (likely(trestle_device_submit(port->device, &port->request) == 0))
        port_answer(port);
    else
        port_wait(port);
}
/* -ENODEV: another process serves it. */
TRESTLE_CHECK int port_set_fault(struct port *port, enum trestle_fault fault);
/* A line has gone high that its guest does not hear. Said once. */
void port_say_unheard(struct port *port, uint32_t line, const char *why);
/* A request that was answered with an error before it came to the device. */
void port_count_error(struct port *port);

#endif
