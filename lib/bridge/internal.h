/* SPDX-License-Identifier: MIT */
/* What the files of lib/bridge share. */
#ifndef TRESTLE_BRIDGE_INTERNAL_H
#define TRESTLE_BRIDGE_INTERNAL_H

#include "ipc/listener.h"
#include "ipc/loop.h"
#include "trace/histogram.h"
#include "trestle/bridge.h"
#include "trestle/wire.h"

/* Frames of one connection that may wait in user space; more wait in the socket. */
#define FRAMES_BUFFERED 16

/* Log lines about one device's malformed frames: at most LIMIT in a second, then a count. */
struct rate_limit {
    uint64_t window_start_ns;
    uint32_t lines, suppressed;
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
    struct trestle_device *device;
    struct listener listener;
    struct loop_source server_source, client_source;

    /* The connection. Bytes that came but are not handled yet: in[in_start..in_end). */
    uint8_t in[FRAMES_BUFFERED * TRESTLE_V1_REQUEST_SIZE];
    size_t in_start, in_end;
    uint8_t out[TRESTLE_V1_RESPONSE_SIZE]; /* an answer that the socket did not take whole */
    size_t out_start, out_end;
    uint32_t interest; /* epoll events asked for */

    struct trestle_request request; /* under way while trestle_device_busy() */
    uint64_t request_ns;            /* when it came, host clock */
    struct device_info *next_resumed;
    bool is_resumed; /* on the bridge's list: buffered frames may go on */

    struct rate_limit frame_errors;
    uint64_t reads, writes, bytes, errors;
    struct histogram latency;
};

struct trestle_bridge {
    struct trestle_bridge_options options;
    struct trestle_sim *sim;
    struct loop loop;
    struct loop_source timer; /* a timerfd: when the engine must go on by itself */
    trestle_time timer_at;    /* what it is armed for */
    uint64_t start_ns;        /* host clock at engine time 0 */
    uint64_t now_ns;          /* host clock, read once per batch and request */
    bool is_listening;

    struct device_info **devices;
    uint32_t num_devices, num_connected, num_busy;
    struct device_info *last_active; /* where spinning looks first */
    struct device_info *resumed;
    struct watch *watches;

    char *socket_dir, *own_dir; /* own_dir: ours to remove, or NULL */
    char *runtime_dir;
};

uint64_t host_clock_ns(void);
void bridge_log(struct trestle_bridge *bridge, enum trestle_log_level level, const char *format,
                ...) __attribute__((format(printf, 3, 4)));
/* True when one more line may be logged; *ret_suppressed lines were not since the last. */
bool rate_limit_allows(struct rate_limit *limit, uint64_t now_ns, uint32_t *ret_suppressed);

/* --- connection.c: one device's listener and connection -------------------------------------- */
int setup_device_socket(struct device_info *device, uint32_t index, char **ret_error);
void accept_device_connection(struct device_info *device);
void close_device_connection(struct device_info *device);
void finish_device_socket(struct device_info *device);
/* Takes what the socket has and handles every whole frame. Returns the frames handled. */
unsigned serve_device(struct device_info *device);
/* Frames that waited for an answer under way go on. */
void serve_resumed_devices(struct trestle_bridge *bridge);

/* --- dispatch.c: from a frame to the model and back ------------------------------------------ */
void handle_mmio_request(struct device_info *device, const uint8_t *frame);
void send_mmio_response(struct device_info *device, bool success, uint64_t data);
/* Brings the engine's time up to the host's. */
void engine_catch_up(struct trestle_bridge *bridge);

/* Writes an answer, now or as soon as the socket takes it. */
void connection_send(struct device_info *device, const uint8_t *bytes, size_t size);
/* Puts a device whose answer just went out on the list for serve_resumed_devices(). */
void connection_resume(struct device_info *device);

#endif
