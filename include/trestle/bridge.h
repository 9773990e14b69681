/* SPDX-License-Identifier: MIT */
/*
 * trestle/bridge.h: the N-socket server. It has one listening Unix socket per device, an event
 * engine behind them, and dispatches each access to its model.
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
    /* The directory for sockets without a path of their own. NULL: the bridge makes a private
     * directory (mode 0700) under runtime_dir, or under /tmp, and removes it at the end. */
    const char *socket_dir;
    const char *runtime_dir; /* or NULL */
    enum trestle_wait wait;
    /* text has no newline. Lines of TRESTLE_LOG_DEBUG are only formatted when log_debug. */
    void (*log)(void *ctx, enum trestle_log_level level, const char *text);
    void *ctx;
    bool log_debug;
    /* The outside: a simulator with a time of its own, to which some of the devices belong
     * (trestle_bridge_device.outside). Either both are NULL or none. The bridge calls them from
     * trestle_bridge_poll() and _advanced().
     * advance(): the guest waits, and the outside's time may go up to `until`. The outside goes
     * there and says so with trestle_bridge_advanced(), from inside advance() or later. expect():
     * returns the time of the outside's next interrupt or transfer, as far as it knows;
     * TRESTLE_TIME_NEVER: none before the guest's next access. The guest runs until then without
     * asking. */
    void (*advance)(void *ctx, trestle_time until);
    trestle_time (*expect)(void *ctx);
    /* Compute the hash of the run, as a trace does; costs some 25 ns per access. */
    bool run_hash;
    /* Some device accepts nothing but shared memory. If there is none, listen() fails with
     * -ENOTSUP, so that QEMU does not run without that device. */
    bool needs_shm;
    /* Messages go over sockets, without a word: why has been said elsewhere. */
    bool without_shm;
    /* The program itself uses trestle_device_memory_read() and _write() on its devices: guests
     * take part in transfers even if no model makes any. */
    bool uses_memory;
};

struct trestle_bridge_device {
    size_t size; /* sizeof(struct trestle_bridge_device) */
    const char *name;
    const struct trestle_model *model; /* must outlive the bridge */
    uint64_t base_addr;                /* guest-physical, a multiple of 8; or TRESTLE_NO_BASE */
    uint64_t region_size;              /* bytes; 0: the model's */
    const struct trestle_param *params;
    size_t num_params;
    const char *socket_path; /* NULL: device<index>.sock in the socket directory */
    /* Another process serves the device: this bridge only owns the listening socket, and the
     * process inherits its descriptor. model is NULL, region_size is not 0. */
    bool external;
    /* Not 0: serve this listening socket, which the caller owns, in place of a new one. The bridge
     * does not close or remove it. socket_path then only names it. */
    int listen_fd;
    /* The model stands for the outside: it passes its accesses on and answers -EINPROGRESS. Before
     * the outside does something here (completes an access, sets an interrupt line, starts a
     * transfer), it brings the engine to its time with trestle_sim_run_until(). When a call that
     * starts a transfer returns, the bytes have been copied and dma_done() is due. QEMU takes part
     * in transfers while an access or an advance() is under way. */
    bool outside;
    /* Takes the model's output, from inside the model's callbacks: it must not wait. Returns 0 or
     * -ENOBUFS, as trestle_device_output() does. NULL: output goes nowhere. */
    int (*output)(void *ctx, const void *data, size_t size);
    void *output_ctx;
    /* The file that the model was loaded from: traces name it in place of the model. NULL: none. */
    const char *model_file;
    /* Called when the device begins to take input, from inside the model's callbacks: call
     * trestle_bridge_input() later. NULL: there is no input. */
    void (*input_room)(void *ctx);
    void *input_ctx;
    /* Not NULL: the device is on PCI, and its socket speaks vfio-user and nothing else. What it
     * says of the device must outlive the bridge. base_addr is TRESTLE_NO_BASE. */
    const struct trestle_pci *vfio_user;
};

struct trestle_bridge_link {
    size_t size;           /* sizeof(struct trestle_bridge_link) */
    const char *from, *to; /* "device.port", for example "compute_device.peer" */
    trestle_time latency;
    /* Bits per second. In each direction messages then go one after the other: each takes time for
     * its bytes, and then the latency. 0: bytes take no time. */
    uint64_t bandwidth;
};

TRESTLE_API TRESTLE_CHECK int trestle_bridge_create(const struct trestle_bridge_options *options,
                                                    struct trestle_bridge **ret_bridge,
                                                    char **ret_error);
/* Everything is copied. *ret_device (if wanted): the device, which lives as long as the bridge;
 * NULL for an external one. -EEXIST: the name is taken or the region overlaps another device's. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_add_device(struct trestle_bridge *bridge,
                                                        const struct trestle_bridge_device *device,
                                                        struct trestle_device **ret_device,
                                                        char **ret_error);
/* Joins two ports. -EINVAL: the bandwidth is above TRESTLE_BANDWIDTH_MAX. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_link(struct trestle_bridge *bridge,
                                                  const struct trestle_bridge_link *link,
                                                  char **ret_error);
/* Opens every socket, or none. The engine's clock starts here. -EADDRINUSE: a live server, or a
 * file that is not a socket, is there. -ENAMETOOLONG: the path does not fit a socket address. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_listen(struct trestle_bridge *bridge,
                                                    char **ret_error);

/* Serves what is ready, and waits at most timeout_ms for it (-1: without limit).
 * Returns 0 or a negative errno for failures that concern the whole bridge. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_poll(struct trestle_bridge *bridge, int timeout_ms);
/* Calls ready(ctx) from trestle_bridge_poll() when fd is readable or hung up. fd stays the
 * caller's; unwatch before closing it. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_watch(struct trestle_bridge *bridge, int fd,
                                                   void (*ready)(void *ctx), void *ctx);
TRESTLE_API void trestle_bridge_unwatch(struct trestle_bridge *bridge, int fd);

/* Gives input to a device's model, at the engine's time: that of the guest's latest access or look,
 * since a sleeping guest tells no time. The run is then not repeatable. Call it outside of all
 * callbacks except those of trestle_bridge_watch(). See trestle_device_input() for errors and for
 * how much the model takes. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_input(struct trestle_bridge *bridge, uint32_t index,
                                                   const void *data, size_t size);

/* Ends the advance() under way; the outside's time is `now`. -ENOENT: none is under way; QEMU may
 * have gone. */
TRESTLE_API int trestle_bridge_advanced(struct trestle_bridge *bridge, trestle_time now);

/* Closes and unlinks all sockets. NULL and half-built bridges are fine. */
TRESTLE_API void trestle_bridge_destroy(struct trestle_bridge *bridge);

TRESTLE_API uint32_t trestle_bridge_num_connected(const struct trestle_bridge *bridge);
/* Valid after listen, until destroy. */
TRESTLE_API const char *trestle_bridge_socket_path(const struct trestle_bridge *bridge,
                                                   uint32_t index);

/* What a device has served. Latency is the time from the last byte read of a request until the
 * kernel has its answer, in nanoseconds of the host's clock; percentiles are exact to 1 in 32. Over
 * shared memory only a device's first 64 requests count, and one in 16 from then on. 0: none yet.
 */
struct trestle_device_stats {
    const char *name;
    uint64_t base_addr;
    uint64_t reads, writes; /* answered with success */
    uint64_t bytes;         /* carried by those */
    uint64_t errors;        /* answered with an error */
    uint64_t latency_p50_ns, latency_p99_ns, latency_max_ns;
};
#define TRESTLE_BRIDGE_TOTAL UINT32_MAX
/* Of a device, or with TRESTLE_BRIDGE_TOTAL as index of all together; then name is "total" and
 * base_addr is 0. */
TRESTLE_API void trestle_bridge_stats(const struct trestle_bridge *bridge, uint32_t index,
                                      struct trestle_device_stats *ret_stats);

/* --- acting on devices besides the guest ------------------------------------------------------ */

/* Call this before anybody but the guest acts on devices, with trestle_device_submit() and the
 * like, between two calls of trestle_bridge_poll(). An engine that follows the host's clock catches
 * up. From then on the run has a disturbance; reason is a constant. */
TRESTLE_API void trestle_bridge_disturb(struct trestle_bridge *bridge, const char *reason);
/* Call this afterwards: it tells the guest when it now has to turn to the engine. */
TRESTLE_API void trestle_bridge_settle(struct trestle_bridge *bridge);

/* From now on the device has this fault. A device is reset when it dies, and when it comes back.
 * -ENODEV: another process serves it. */
TRESTLE_API TRESTLE_CHECK int trestle_bridge_set_fault(struct trestle_bridge *bridge,
                                                       uint32_t index, enum trestle_fault fault);

/* --- trace and hash -------------------------------------------------------------------------- */

/* From now on writes everything that passes between the devices and the guest to a file, in the
 * format of docs/trace.md. The file begins with the devices and links: add them all before this,
 * and listen after it. A FIFO is opened once it has a reader. A separate thread writes. If the file
 * is slower than the run and 64 MiB wait for it, the run waits. If the file cannot be written any
 * more, this is logged once as an error, and the run goes on without a trace. */
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
 * False: no access yet, or run_hash is not set. *ret_has_times: each of them had the guest's time;
 * otherwise two runs are never the same. */
TRESTLE_API bool trestle_bridge_run_hash(const struct trestle_bridge *bridge, uint64_t *ret_hash,
                                         bool *ret_has_times);

#ifdef __cplusplus
}
#endif
#endif
