/* SPDX-License-Identifier: MIT */
/* What the files of lib/bridge share. */
#ifndef TRESTLE_BRIDGE_INTERNAL_H
#define TRESTLE_BRIDGE_INTERNAL_H

#include "base/histogram.h"
#include "base/rate_limit.h"
#include "ipc/listener.h"
#include "ipc/loop.h"
#include "ipc/shm.h"
#include "ipc/wait.h"
#include "sim/timeline.h"
#include "trace/hash.h"
#include "trace/writer.h"
#include "trestle/bridge.h"
#include "trestle/wire.h"

/* Bytes of one connection that may wait in user space, each way; more wait in the socket. */
#define CONNECTION_BUFFER (16 * TRESTLE_V2_MESSAGE_SIZE)

/* A connection's first bytes tell which version it speaks. */
enum protocol { PROTOCOL_UNKNOWN, PROTOCOL_V1, PROTOCOL_HELLO, PROTOCOL_V2 };

/* Guest RAM that is mapped here. */
struct ram_range {
    uint64_t addr, size; /* guest-physical */
    uint8_t *memory;     /* of addr; lies in the mapping */
    void *mapping;
    size_t mapping_size;
};
#define RAM_RANGES_MAX 16

struct v2_queue {
    struct trestle_v2_message *messages;
    size_t start, end, size;
};

/*
 * What one v2 client and this bridge share: one timeline, and one pair of rings if shared memory
 * is the carrier. A bridge has one session at a time.
 */
struct session {
    struct trestle_bridge *bridge;
    uint8_t client_id[TRESTLE_V2_ID_SIZE], id[TRESTLE_V2_ID_SIZE];
    uint32_t features;
    uint32_t num_devices; /* connected; the session ends with the last */
    uint32_t some_device; /* was one of them when last looked for */
    struct timeline_guest guest;
    struct shm shm; /* SHM_NONE: messages go over the sockets */
    struct ring_consumer requests;
    struct ring_producer events;
    struct loop_source doorbell;
    struct trestle_v2_message held; /* taken from the ring, but its device is busy */
    bool has_held;
    bool said_goodbye;
    const char *end_reason;  /* not NULL: it ends as soon as no model is being called */
    struct device_info *via; /* socket carrier: who asks, and so is told what comes of it */
    bool is_asked;           /* the client waits for the answer to what is being handled */
    uint64_t last_dma_id;
    struct ipc_wait dma_wait; /* for the answer to a transfer by messages */
    struct v2_queue stash;    /* messages that came while a DMA was waited for */
    struct ram_range ram[RAM_RANGES_MAX];
    uint32_t num_ram;
    struct trestle_v2_message advance; /* that the outside was asked for; type 0: none */
};

struct device_info {
    uint64_t base_addr;        /* guest-physical */
    uint64_t size;             /* bytes */
    struct trestle_link *link; /* to the peer at port 0, or NULL */
    char *name;
    uint64_t num_requests;

    char *socket_path;
    int server_fd;     /* listening */
    int client_fd;     /* -1: nobody is connected */
    bool socket_ready; /* a client is connected */

    struct trestle_bridge *bridge;
    uint32_t index;                /* in the bridge, and what v2 calls it */
    struct trestle_device *device; /* NULL: another process serves it */
    struct trestle_param *params;  /* copies, for the trace */
    size_t num_params;
    bool is_outside;  /* its time is the outside's */
    int inherited_fd; /* not 0: a listener that is not ours */
    struct listener listener;
    struct loop_source server_source, client_source;

    /* The request under way, while trestle_device_busy(). */
    struct trestle_request request;
    uint64_t request_ns; /* when it came, host clock; 0: not measured */
    uint64_t request_id; /* v2 */
    bool request_is_v2, request_is_posted;

    /* The connection. Bytes that came but are not handled yet: in[in_start..in_end). */
    enum protocol protocol;
    struct session *session;  /* v2 */
    uint32_t irq_lines;       /* v2: that the client has connected */
    uint64_t in_seq, out_seq; /* v2 on the socket: messages so far */
    struct v2_queue stash;    /* v2 on the socket: came while a DMA was waited for */
    int in_fd;                /* came with the latest bytes; -1: none */
    bool is_lost;             /* to be closed as soon as no model is being called */
    size_t in_start, in_end, out_start, out_end;
    uint8_t in[CONNECTION_BUFFER];
    uint8_t out[CONNECTION_BUFFER]; /* what the socket did not take yet */
    uint32_t interest;              /* epoll events asked for */
    struct device_info *next_resumed;
    bool is_resumed; /* on the bridge's list: buffered frames may go on */

    struct rate_limit frame_errors; /* log lines about malformed frames */
    uint64_t reads, writes, bytes, errors;
    struct histogram latency;
};

struct trestle_bridge {
    struct trestle_bridge_options options;
    struct trestle_sim *sim;
    struct timeline timeline;
    struct loop loop;
    struct loop_source timer; /* a timerfd: when the engine must go on by itself */
    uint64_t timer_ns;        /* what it is armed for, on the host's clock */
    bool is_listening;
    bool has_irq, has_dma; /* some model has */
    unsigned num_found;    /* looks that found something */

    struct device_info **devices;
    uint32_t num_devices, num_connected;
    struct session *session;
    struct ipc_wait wait;
    bool needs_fence;
    struct ipc_spin spin;            /* the wait under way */
    struct device_info *last_active; /* where spinning looks first */
    struct device_info *resumed;
    struct watch *watches;

    struct trace_hash run_hash;
    bool has_accesses, has_unknown_times; /* in run_hash */
    struct trace_writer *trace;           /* or NULL */
    char *trace_path;
    bool trace_has_failed; /* and it was said */
    struct trestle_trace_link *links;
    size_t num_links;

    char *socket_dir;           /* may be own_dir's */
    struct private_dir own_dir; /* ours to remove, or none */
    char *runtime_dir;
};

void bridge_log(struct trestle_bridge *bridge, enum trestle_log_level level, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

/* --- connection.c: one device's listener and connection -------------------------------------- */
int setup_device_socket(struct device_info *device, uint32_t index, char **ret_error);
void accept_device_connection(struct device_info *device);
void close_device_connection(struct device_info *device);
void finish_device_socket(struct device_info *device);
/* Takes what the socket has and handles every whole frame. Returns the frames handled. */
unsigned serve_device(struct device_info *device);
/* Frames that waited for an answer under way go on. */
void serve_resumed_devices(struct trestle_bridge *bridge);
/* Writes an answer, now or as soon as the socket takes it. */
void connection_send(struct device_info *device, const uint8_t *bytes, size_t size);
/* Puts a device whose answer just went out on the list for serve_resumed_devices(). */
void connection_resume(struct device_info *device);

/* --- dispatch.c: from a request to the model and back ---------------------------------------- */
/* A v1 frame. */
void handle_mmio_request(struct device_info *device, const uint8_t *frame);
void send_mmio_response(struct device_info *device, bool success, uint64_t data);
/* An access of either version; request_ns, request_is_v2 and what goes with it are set. */
void perform_access(struct device_info *device, bool is_write, uint64_t offset, uint64_t data,
                    uint8_t size);

/* --- trace.c: what passes, to the hash of the run and to a file ------------------------------- */
/* From here on the bridge looks at what passes, if somebody wants to know; what devices did while
 * they were made is no part of a run. */
void trace_begin(struct trestle_bridge *bridge);
void trace_finish(struct trestle_bridge *bridge);
/* For the header of a trace. -ENOMEM. */
int trace_keep_params(struct device_info *device, const struct trestle_param *params, size_t num);
void trace_free_params(struct device_info *device);
int trace_keep_link(struct trestle_bridge *bridge, const struct trestle_trace_link *link);

/* --- session.c: wire v2 ------------------------------------------------------------------------
 */
/* Handles 64 bytes of a connection: the HELLO, or a message. */
void session_handle_frame(struct device_info *device, const uint8_t *frame);
/* Handles the next message of the device's stash. False: there is none. */
bool session_handle_stashed(struct device_info *device);
void session_leave(struct device_info *device);
/* Takes what is in the ring, within bounds. Returns the messages handled. */
unsigned session_serve_ring(struct session *session);
/* Handles what is left in the ring when a client has gone. May end the session. */
void session_drain(struct session *session);
/* Marks the session for its end. `reason` is a constant. */
void session_end(struct session *session, const char *reason);
/* On sockets: whose the client is listening to, when something becomes of `device`. */
struct device_info *session_listener(struct device_info *device);
/* Sends an event that the client may not be waiting for. */
void session_send_unasked(struct device_info *device, struct trestle_v2_message *message);
/* Ends the session now, if something has asked for that meanwhile. */
void session_end_if_broken(struct session *session);
/* What a model does to the guest. */
void session_irq(struct device_info *device, uint32_t line, bool level);
/* dma.c */
/* Copies between the guest's memory and buf. -EFAULT: that is no memory. -ENOTSUP: the client has
 * no DMA. -ENODEV: it has gone. */
int session_move(struct device_info *device, bool write, uint64_t addr, uint8_t *buf, size_t size);
/* The same for a model's transfer, which is told. */
int session_dma(struct device_info *device, bool write, uint64_t addr, uint8_t *buf, size_t size,
                uint64_t id);
/* ram.c: guest RAM that the client shares. Takes the descriptor. */
enum trestle_v2_status ram_add(struct session *session, const struct trestle_v2_message *m, int fd);
/* Where the guest's memory at addr is mapped, and in *ref_size how much of it there, at most what
 * was asked for. NULL: nowhere. */
uint8_t *ram_at(const struct session *session, uint64_t addr, size_t *ref_size);
void ram_finish(struct session *session);
/* Answers the device's request, which has ended. */
void session_answer(struct device_info *device, uint64_t data);
/* The outside has come as far as it was asked to: answers the ADVANCE that this was for, if any. */
void session_advanced(struct session *session);
static inline bool session_has_time(const struct session *session)
{
    return session && (session->features & TRESTLE_V2_FEATURE_TIME);
}

#endif
