/* SPDX-License-Identifier: MIT */
/*
 * trestle/bridge.h: the N-socket server. One listening Unix socket per device, an event engine
 * behind them, and the dispatch of each access to its model.
 *
 * A bridge is one session: all its devices share one timeline. Life: create, add devices and
 * links, listen, then poll until done, destroy. One thread at a time.
 *
 * Errors: 0 or negative errno. Where a function takes ret_error (may be NULL), a failure also
 * gives a malloc'd one-line sentence for the user; the caller frees it.
 */
#ifndef TRESTLE_BRIDGE_H
#define TRESTLE_BRIDGE_H

#include "trestle/sim.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trestle_bridge;

struct trestle_bridge_options {
    size_t size; /* sizeof(struct trestle_bridge_options) */
    /* Where sockets without a path of their own go. NULL: a private directory (mode 0700) is
     * made under $XDG_RUNTIME_DIR, as given in runtime_dir, or under /tmp, and removed at the
     * end. */
    const char *socket_dir;
    const char *runtime_dir; /* the caller's $XDG_RUNTIME_DIR, or NULL */
    enum trestle_wait wait;
    /* text has no newline. Lines of TRESTLE_LOG_DEBUG are only formatted when log_debug. */
    void (*log)(void *ctx, enum trestle_log_level level, const char *text);
    void *ctx;
    bool log_debug;
    /* For devices without a model, whose next event only the embedder knows: when the guest comes
     * to the time of trestle_bridge_expect() without an access, advance() says how far the
     * embedder's time may go; it goes there, and answers with trestle_bridge_advanced(), from
     * inside or later. NULL: never. */
    void (*advance)(void *ctx, trestle_time until);
    /* Computes the hash of the run, which a trace has as well; costs some 25 ns per access. */
    bool run_hash;
};

/* An access that the embedder performs itself. */
struct trestle_bridge_access {
    struct trestle_access access; /* inside the region, aligned */
    bool write;
    trestle_time when; /* the engine's time: when it is to be performed */
};

struct trestle_bridge_device {
    size_t size; /* sizeof(struct trestle_bridge_device) */
    const char *name;
    const struct trestle_model *model; /* must outlive the bridge */
    uint64_t base_addr;                /* guest-physical, a multiple of 8 */
    uint64_t region_size;              /* bytes; 0: the model's */
    const struct trestle_param *params;
    size_t num_params;
    const char *socket_path; /* NULL: device<index>.sock in the socket directory */
    /* Another process serves it: this bridge only owns the listening socket, whose descriptor that
     * process inherits (trestle_bridge_listen_fd()). model is NULL, region_size is not 0. */
    bool external;
    /* Not 0: a listening socket that somebody else owns, to serve in place of one of our own.
     * It is not closed or removed here. socket_path then only names it. */
    int listen_fd;
    /* model NULL, not external: the embedder is the device, for another simulator behind the
     * bridge. All widths, region_size bytes. The devices of a bridge are either all models or all
     * the embedder's. access() is called from trestle_bridge_poll() and answered by
     * trestle_bridge_complete(), from inside or later; per device one access is under way at a
     * time. reset() (may be NULL) says that the guest was reset or has gone: an access under way is
     * not to be answered. */
    void (*access)(void *ctx, uint32_t index, const struct trestle_bridge_access *access);
    void (*reset)(void *ctx, uint32_t index);
    void *ctx;
    uint32_t irq_lines; /* of a device without a model, 0 to 32 */
    bool dma;           /* a device without a model will call trestle_bridge_dma() */
};

TRESTLE_API TRESTLE_CHECK int trestle_bridge_create(const struct trestle_bridge_options *options,
                                                    struct trestle_bridge **ret_bridge,
                                                    char **ret_error);
/* Everything is copied. -EEXIST: the name is taken or the region overlaps another device's. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_add_device(struct trestle_bridge *bridge,
                                                        const struct trestle_bridge_device *device,
                                                        uint32_t *ret_index, char **ret_error);
/* Joins "device.port" to "device.port", for example "compute_device.peer". */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_link(struct trestle_bridge *bridge, const char *from,
                                                  const char *to, trestle_time latency,
                                                  char **ret_error);
/* Opens every socket, or none. The engine's clock starts here. -EADDRINUSE: a live server, or a
 * file that is no socket, is there. -ENAMETOOLONG: the path does not fit a socket address. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_listen(struct trestle_bridge *bridge,
                                                    char **ret_error);

/* Serves what is ready, waiting at most timeout_ms for something to be (-1: without limit).
 * Returns 0 or a negative errno for failures that concern the whole bridge. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_poll(struct trestle_bridge *bridge, int timeout_ms);
/* Readable when trestle_bridge_poll() has something to do: for a loop of the caller's. */
TRESTLE_API int trestle_bridge_fd(const struct trestle_bridge *bridge);
/* Calls ready(ctx) from trestle_bridge_poll() when fd is readable or hung up. fd stays the
 * caller's; unwatch before closing it. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_watch(struct trestle_bridge *bridge, int fd,
                                                   void (*ready)(void *ctx), void *ctx);
TRESTLE_API void trestle_bridge_unwatch(struct trestle_bridge *bridge, int fd);

/* Answers the access under way of a device without a model, at the embedder's time `now`: the
 * engine's time becomes that, and guest time plus stall too. status: 0, or a negative errno for a
 * bus error. -ENOENT: none is under way, a reset may have ended it. */
TRESTLE_API int trestle_bridge_complete(struct trestle_bridge *bridge, uint32_t index,
                                        trestle_time now, int status, uint64_t data);

/* The embedder's time at which it may next have an interrupt or a DMA, or TRESTLE_TIME_NEVER, as at
 * first. The guest hears of it with the next trestle_bridge_complete() or _advanced(). -ENOMEM. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_expect(struct trestle_bridge *bridge,
                                                    trestle_time when);
/* Answers the advance() under way, at the embedder's time `now`. -ENOENT: QEMU has gone. */
TRESTLE_API int trestle_bridge_advanced(struct trestle_bridge *bridge, trestle_time now);
/* An interrupt line of a device without a model changed its level at the embedder's time `now`.
 * -EINVAL: no such device or line. */
TRESTLE_API int trestle_bridge_irq(struct trestle_bridge *bridge, uint32_t index, trestle_time now,
                                   uint32_t line, bool level);

/* Copies between guest memory at addr and buf for a device without a model, at the embedder's time
 * `now`, and returns when that is done. Only while an access() or an advance() is under way, or
 * from inside one: it is then that QEMU listens. -EFAULT: that is not the guest's memory.
 * -ENOTSUP: no device was added with dma, or the client has none (protocol 1). -ENODEV: QEMU has
 * gone. -EINVAL: no such device, no bytes, or they wrap. */
TRESTLE_API int trestle_bridge_dma(struct trestle_bridge *bridge, uint32_t index, trestle_time now,
                                   bool write, uint64_t addr, void *buf, size_t size);

/* Closes and unlinks all sockets. NULL and half-built bridges are fine. */
TRESTLE_API void trestle_bridge_destroy(struct trestle_bridge *bridge);

TRESTLE_API uint32_t trestle_bridge_num_devices(const struct trestle_bridge *bridge);
TRESTLE_API uint32_t trestle_bridge_num_connected(const struct trestle_bridge *bridge);
/* Valid after listen, until destroy. */
TRESTLE_API const char *trestle_bridge_socket_path(const struct trestle_bridge *bridge,
                                                   uint32_t index);
/* The listening socket of a device, for the process that serves it. */
TRESTLE_API int trestle_bridge_listen_fd(const struct trestle_bridge *bridge, uint32_t index);
TRESTLE_API struct trestle_sim *trestle_bridge_sim(struct trestle_bridge *bridge);

/* What a device has served. Latency is from a request's last byte read to its answer handed to
 * the kernel, in nanoseconds of the host's clock; percentiles are exact to 1 in 32. Over shared
 * memory it is that of a device's first 64 requests and of one in 16 from then on. 0: none yet. */
struct trestle_device_stats {
    const char *name;
    uint64_t base_addr;
    uint64_t reads, writes; /* answered with success */
    uint64_t bytes;         /* carried by those */
    uint64_t errors;        /* answered with an error */
    uint64_t latency_p50_ns, latency_p99_ns, latency_max_ns;
};
TRESTLE_API void trestle_bridge_stats(const struct trestle_bridge *bridge, uint32_t index,
                                      struct trestle_device_stats *ret_stats);
/* The same over all devices together; name is "total", base_addr 0. */
TRESTLE_API void trestle_bridge_totals(const struct trestle_bridge *bridge,
                                       struct trestle_device_stats *ret_stats);

/* --- trace and hash -------------------------------------------------------------------------- */

/* Writes everything that passes between the devices and the guest from now on to a file, as
 * docs/trace.md has it: devices and links first, so they are all added by now; before listen. A
 * FIFO is opened once it has a reader. A thread of its own writes. When the file is slower than the
 * run and 64 MiB wait for it, the run waits. When it cannot be written any more, that is logged
 * once as an error, and the run goes on without. What trestle_bridge_dma() copies is neither in
 * the trace nor in the hash. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_trace(struct trestle_bridge *bridge, const char *path,
                                                   char **ret_error);
struct trestle_bridge_trace_stats {
    uint64_t records, bytes; /* written */
    uint64_t waited_ns;      /* by the run, for the file */
    bool is_whole;           /* false: an error cut it off */
};
/* Ends the trace, and waits until it is written. False: there is none. */
TRESTLE_API bool trestle_bridge_trace_end(struct trestle_bridge *bridge,
                                          struct trestle_bridge_trace_stats *ret_stats);

/* The hash of all accesses, interrupts and transfers up to the last answer, see docs/trace.md.
 * False: no access yet, or it was not asked for. *ret_has_times: every one of them had the guest's
 * time; without, two runs are never the same. */
TRESTLE_API bool trestle_bridge_run_hash(const struct trestle_bridge *bridge, uint64_t *ret_hash,
                                         bool *ret_has_times);

/* --- models ---------------------------------------------------------------------------------- */

/* A bundled model by name, or NULL. */
TRESTLE_API const struct trestle_model *trestle_model_find(const char *name);
/* The bundled models, ended by NULL. */
TRESTLE_API const struct trestle_model *const *trestle_models(void);

struct trestle_model_library;
/* Loads a model from a .so (a name with a '/' in it, as dlopen has it). The model is valid until
 * unload. -ENOENT, or -ENOEXEC: not a model. */
TRESTLE_API TRESTLE_CHECK int trestle_model_load(const char *path,
                                                 struct trestle_model_library **ret_library,
                                                 const struct trestle_model **ret_model,
                                                 char **ret_error);
TRESTLE_API void trestle_model_unload(struct trestle_model_library *library);

#ifdef __cplusplus
}
#endif
#endif
