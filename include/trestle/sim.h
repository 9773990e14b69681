/* SPDX-License-Identifier: MIT */
/*
 * trestle/sim.h: the event engine and the host of device models.
 *
 * A sim is a queue of events ordered by time, then by the order in which they were scheduled:
 * the same calls give the same run, bit for bit. It does no I/O and reads no clock. One thread
 * at a time may use a sim and everything that belongs to it.
 *
 * Most embedders need trestle_bridge (trestle/bridge.h) instead; this header is for those who
 * put models behind something else.
 */
#ifndef TRESTLE_SIM_H
#define TRESTLE_SIM_H

#include "trestle/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- engine ------------------------------------------------------------------------------- */

TRESTLE_API TRESTLE_CHECK int trestle_sim_create(struct trestle_sim **ret_sim);
/* Forgets pending events without touching them, and frees components and links. Destroy the devices
 * first. NULL is fine. */
TRESTLE_API void trestle_sim_destroy(struct trestle_sim *sim);

/* Each engine begins with its time. */
static inline trestle_time trestle_sim_now(const struct trestle_sim *sim)
{
    return *(const trestle_time *)sim;
}
/* Time of the next event, or TRESTLE_TIME_NEVER. */
TRESTLE_API trestle_time trestle_sim_next(const struct trestle_sim *sim);
/* Runs every event up to and including `until` in order, then sets now to `until`. A time in
 * the past runs nothing. TRESTLE_TIME_NEVER: until nothing is pending; now is then the time of
 * the last event. Returns the number of events run. Not re-entrant: from inside an event it
 * returns 0. */
TRESTLE_API uint64_t trestle_sim_run_until(struct trestle_sim *sim, trestle_time until);

/* --- components and links ----------------------------------------------------------------- */

/* A component (struct trestle_component) owns numbered ports; a link joins two ports with a latency
 * in each direction. */
struct trestle_link;

typedef void (*trestle_receive_fn)(void *ctx, uint32_t port, const void *data, size_t size);

/* receive may be NULL for a component that only sends. Owned by the sim. */
TRESTLE_API TRESTLE_CHECK int trestle_component_create(struct trestle_sim *sim, uint32_t ports,
                                                       trestle_receive_fn receive, void *ctx,
                                                       struct trestle_component **ret_component);
/* -EBUSY: a port already has a link. -EINVAL: no such port. A link from a port to itself is
 * -EINVAL. A latency of 0 delivers at the same time, after the current event. */
TRESTLE_API TRESTLE_CHECK int trestle_link_create(struct trestle_component *a, uint32_t a_port,
                                                  struct trestle_component *b, uint32_t b_port,
                                                  trestle_time latency,
                                                  struct trestle_link **ret_link);
#define TRESTLE_BANDWIDTH_MAX (UINT64_C(1000) * 1000 * 1000 * 1000 * 1000) /* bits per second */
/* Sends a copy of data out of a port; of what receive() got, whole and from inside it, without a
 * copy. -ENOTCONN, -EINVAL, -EMSGSIZE, -ENOMEM. -ENOBUFS: the link has TRESTLE_LINK_MESSAGES_MAX or
 * TRESTLE_LINK_BYTES_MAX on their way. */
TRESTLE_API TRESTLE_CHECK int trestle_component_send(struct trestle_component *component,
                                                     uint32_t port, const void *data, size_t size);

/* --- hosting a model ------------------------------------------------------------------------ */

/* One access on its way through a device. Embedded in its owner, which sets access, write and
 * done, and reads status and ret_data once the access is done. It stays in place until then. */
struct trestle_request {
    struct trestle_access access; /* of a write, data above the low size bytes is cleared */
    bool write;
    /* Called once when an access that trestle_device_submit() answered with -EINPROGRESS is
     * done: from trestle_sim_run_until(), trestle_device_reset() or _deliver(), after the
     * model's callback has returned. It may submit again. */
    void (*done)(struct trestle_request *req);
    int status;        /* 0 or negative errno */
    uint64_t ret_data; /* of a read that succeeded, zeroes above the low size bytes; otherwise 0 */
    struct trestle_device *device; /* the library's; NULL when not under way */
};

/* What a device does to the world outside its engine. Every pointer may be NULL. The strings
 * and buffers are valid during the call only. All are called from inside the model's callbacks,
 * where trestle_device_submit() on that device gives -EBUSY and reset, deliver and destroy are
 * forbidden. */
struct trestle_host_ops {
    size_t size; /* sizeof(struct trestle_host_ops) */
    void (*irq)(void *ctx, struct trestle_device *dev, uint32_t line, bool level);
    /* A transfer, write: to the guest. The host moves the bytes between addr and buf and
     * answers with trestle_device_dma_complete(), now or later; a host that moves them later
     * asks trestle_device_dma_buffer() for buf then. A negative errno: not started. */
    int (*dma)(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
               size_t size, uint64_t id);
    /* A message out of a port that no link of this engine joins (in SST, an SST link), and
     * whether there is one. -ENOTCONN. */
    int (*send)(void *ctx, struct trestle_device *dev, uint32_t port, const void *data,
                size_t size);
    bool (*linked)(void *ctx, const struct trestle_device *dev, uint32_t port);
    /* text begins with the device's name and has no newline. */
    void (*log)(void *ctx, struct trestle_device *dev, enum trestle_log_level level,
                const char *text);
    /* Output, see trestle_device_output(). -ENOTCONN, -ENOBUFS. */
    int (*output)(void *ctx, struct trestle_device *dev, const void *data, size_t size);
    /* The device begins to take input: later, outside of its callbacks, call
     * trestle_device_input(). */
    void (*input_room)(void *ctx, struct trestle_device *dev);
};

struct trestle_param {
    const char *key, *value;
};

struct trestle_device_options {
    size_t size; /* sizeof(struct trestle_device_options) */
    const char *name;
    uint64_t base_addr;
    uint64_t region_size; /* 0: the model's */
    const struct trestle_param *params;
    size_t num_params;
    const struct trestle_host_ops *ops; /* NULL: none */
    void *ctx;
    bool log_debug; /* lines of TRESTLE_LOG_DEBUG are only formatted when set */
};

/* Everything in options is copied; the model must outlive the device. On failure *ret_error
 * (if wanted) is a malloc'd sentence for the user that names the device, the caller's to free.
 * -EINVAL: the table, the region or a parameter is wrong. -E2BIG: the table was made for a newer
 * library and uses what this one does not have. Otherwise what the model's init() returned. */
TRESTLE_API TRESTLE_CHECK int trestle_device_create(struct trestle_sim *sim,
                                                    const struct trestle_model *model,
                                                    const struct trestle_device_options *options,
                                                    struct trestle_device **ret_dev,
                                                    char **ret_error);
/* Calls the model's start(), once: when all devices and links of a run have been made. *ret_error
 * as for trestle_device_create(). */
TRESTLE_API TRESTLE_CHECK int trestle_device_start(struct trestle_device *dev, char **ret_error);
/* Before its sim. NULL is fine. A request under way is dropped without done(). Its links are
 * cut: peers that send get -ENOTCONN. */
TRESTLE_API void trestle_device_destroy(struct trestle_device *dev);

/* More facts of a device. */
static inline const struct trestle_model *trestle_device_model(const struct trestle_device *dev)
{
    return trestle_device_facts(dev)->model;
}
static inline struct trestle_component *trestle_device_component(struct trestle_device *dev)
{
    return trestle_device_facts(dev)->component;
}
static inline void *trestle_device_ctx(const struct trestle_device *dev)
{
    return trestle_device_facts(dev)->ctx;
}
/* True while a request is under way: until then the engine's events matter to the guest. */
static inline bool trestle_device_busy(const struct trestle_device *dev)
{
    return trestle_device_facts(dev)->request;
}
static inline bool trestle_device_irq_level(const struct trestle_device *dev, uint32_t line)
{
    return line < TRESTLE_IRQ_LINES_MAX && (trestle_device_facts(dev)->irq_levels >> line & 1);
}

/* Checks the access against the model's table and performs it at the sim's current time.
 * 0: done, status and ret_data are set (status tells whether it succeeded). -EINPROGRESS: done()
 * will be called. -EBUSY: the device has a request under way, or this is inside one of its
 * callbacks; nothing happened.
 * status is -EINVAL for a bad size or misalignment, -ERANGE outside the region, -EACCES
 * if the model has no read or write, or the model's own. Each such access is logged as a warning.
 */
TRESTLE_API TRESTLE_CHECK int trestle_device_submit(struct trestle_device *dev,
                                                    struct trestle_request *req);
/* Gives up a submitted request: its status is -ECANCELED, done() is not called, and a later answer
 * of the model is dropped. -ENOENT: it is not under way there. -EBUSY: inside one of the device's
 * callbacks. */
TRESTLE_API TRESTLE_CHECK int trestle_device_cancel(struct trestle_device *dev,
                                                    struct trestle_request *req);
/* Cancels timers, drops lines, and forgets DMA under way and messages on their way to the device.
 * Then calls the model's reset(), then done() with -ECANCELED for a request under way. */
TRESTLE_API void trestle_device_reset(struct trestle_device *dev);
/* Where a transfer's bytes are, or NULL when it is over or a reset has ended it. */
TRESTLE_API void *trestle_device_dma_buffer(struct trestle_device *dev, uint64_t id,
                                            size_t *ret_size);
/* Ends a transfer: the model learns of it from an event at the sim's current time. -ENOENT: no such
 * transfer; a reset may have ended it. */
TRESTLE_API int trestle_device_dma_complete(struct trestle_device *dev, uint64_t id, int status);
/* Gives the model a message from outside the engine, at once. -EINVAL: no such
 * port. -EMSGSIZE. -EBUSY: inside one of its callbacks. */
TRESTLE_API TRESTLE_CHECK int trestle_device_deliver(struct trestle_device *dev, uint32_t port,
                                                     const void *data, size_t size);

/* How many bytes of input the model takes now, at most TRESTLE_INPUT_MAX. */
static inline size_t trestle_device_input_room(const struct trestle_device *dev)
{
    size_t room = trestle_device_facts(dev)->input_room;
    return room < TRESTLE_INPUT_MAX ? room : TRESTLE_INPUT_MAX;
}
/* Gives input to the model at once. -EINVAL: size is 0, or the model has no input(). -ENOBUFS: it
 * is more than trestle_device_input_room(); nothing was given. -EBUSY: inside one of its callbacks.
 */
TRESTLE_API TRESTLE_CHECK int trestle_device_input(struct trestle_device *dev, const void *data,
                                                   size_t size);

#ifdef __cplusplus
}
#endif
#endif
