/* SPDX-License-Identifier: MIT */
/* One device's listener and its connection: accept, bytes in, bytes out, hang-up. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/macros.h"
#include "bridge/internal.h"
#include "ipc/fds.h"

static struct device_info *from_server_source(struct loop_source *source)
{
    return container_of(source, struct device_info, server_source);
}

static struct device_info *from_client_source(struct loop_source *source)
{
    return container_of(source, struct device_info, client_source);
}

static void set_interest(struct device_info *device, uint32_t events)
{
    if (device->interest == events)
        return;
    if (loop_modify(&device->bridge->loop, &device->client_source, events) == 0)
        device->interest = events;
}

static bool has_output(const struct device_info *device)
{
    return device->out_end > device->out_start;
}

/* False while an answer is under way: until then further frames stay where they are. */
static bool may_handle(const struct device_info *device)
{
    return device->socket_ready && !device->is_lost && !has_output(device) &&
           !trestle_device_busy(device->device);
}

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* --- output ---------------------------------------------------------------------------------- */

/* An answer may be sent from inside a model, which must not be reset there: the connection is
 * closed a little later. */
static void lose_connection(struct device_info *device)
{
    device->is_lost = true;
    connection_resume(device);
}

static void flush_output(struct device_info *device)
{
    while (device->socket_ready && !device->is_lost && has_output(device)) {
        ssize_t n = send(device->client_fd, device->out + device->out_start,
                         device->out_end - device->out_start, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && is_transient(errno)) {
            set_interest(device, EPOLLOUT | EPOLLRDHUP);
            return;
        }
        if (n < 0) {
            lose_connection(device);
            return;
        }
        device->out_start += (size_t)n;
    }
    device->out_start = device->out_end = 0;
}

void connection_send(struct device_info *device, const uint8_t *bytes, size_t size)
{
    if (device->out_end + size > sizeof(device->out)) {
        bridge_log(device->bridge, TRESTLE_LOG_WARNING,
                   "%s: the client does not read its answers; disconnected", device->name);
        lose_connection(device);
        return;
    }
    memcpy(device->out + device->out_end, bytes, size);
    device->out_end += size;
    flush_output(device);
}

/* --- input ----------------------------------------------------------------------------------- */

static size_t buffered(const struct device_info *device)
{
    return device->in_end - device->in_start;
}

/* Bytes of the next frame, or 0 while that is not known. Version 2 announces itself; everything
 * else is version 1. */
static size_t frame_size(struct device_info *device)
{
    const uint8_t *bytes = device->in + device->in_start;
    size_t size = buffered(device);
    if (device->protocol == PROTOCOL_UNKNOWN && size > 0) {
        size_t known = size < TRESTLE_V2_MAGIC_SIZE ? size : TRESTLE_V2_MAGIC_SIZE;
        if (memcmp(bytes, TRESTLE_V2_MAGIC, known) != 0)
            device->protocol = PROTOCOL_V1;
        else if (known == TRESTLE_V2_MAGIC_SIZE)
            device->protocol = PROTOCOL_HELLO;
    }
    switch (device->protocol) {
    case PROTOCOL_V1:
        return TRESTLE_V1_REQUEST_SIZE;
    case PROTOCOL_HELLO:
    case PROTOCOL_V2:
        return TRESTLE_V2_MESSAGE_SIZE;
    default:
        return 0;
    }
}

/* The next frame, if it is there whole; before it, what came during a DMA. */
static bool handle_next(struct device_info *device)
{
    if (!may_handle(device))
        return false;
    if (session_handle_stashed(device))
        return true;
    size_t size = frame_size(device);
    if (size == 0 || buffered(device) < size)
        return false;
    const uint8_t *frame = device->in + device->in_start;
    device->in_start += size;
    if (device->protocol == PROTOCOL_V1)
        handle_mmio_request(device, frame);
    else
        session_handle_frame(device, frame);
    return true;
}

static unsigned handle_buffered_frames(struct device_info *device)
{
    unsigned handled = 0;
    while (handle_next(device))
        handled++;
    if (device->in_start == device->in_end)
        device->in_start = device->in_end = 0;
    return handled;
}

/* The client is gone: what it posted before counts all the same. */
static void hang_up(struct device_info *device)
{
    if (device->session)
        session_drain(device->session);
    close_device_connection(device);
}

static bool takes_descriptors(const struct device_info *device)
{
    return device->session && (device->session->features & TRESTLE_V2_FEATURE_RAM);
}

/* At most one descriptor is kept, until the message that it came with has been handled. */
static ssize_t receive_with_descriptor(struct device_info *device, uint8_t *bytes, size_t size)
{
    int fds[FDS_MAX];
    size_t num_fds;
    ssize_t n = fds_recv(device->client_fd, bytes, size, fds, &num_fds);
    for (size_t i = 0; i < num_fds; i++) {
        if (device->in_fd >= 0)
            close(device->in_fd);
        device->in_fd = fds[i];
    }
    if (n < 0)
        errno = (int)-n;
    return n;
}

/* Reads once. Returns bytes read; 0 when there is nothing, or no room, or no connection left. */
static size_t receive(struct device_info *device)
{
    if (device->in_start > 0) {
        memmove(device->in, device->in + device->in_start, device->in_end - device->in_start);
        device->in_end -= device->in_start;
        device->in_start = 0;
    }
    if (device->in_end == sizeof(device->in))
        return 0;
    uint8_t *bytes = device->in + device->in_end;
    size_t room = sizeof(device->in) - device->in_end;
    ssize_t n = takes_descriptors(device) ? receive_with_descriptor(device, bytes, room)
                                          : recv(device->client_fd, bytes, room, MSG_DONTWAIT);
    if (n < 0 && is_transient(errno))
        return 0;
    if (n <= 0) {
        hang_up(device);
        return 0;
    }
    device->in_end += (size_t)n;
    return (size_t)n;
}

unsigned serve_device(struct device_info *device)
{
    unsigned handled = 0;
    if (may_handle(device) && receive(device) > 0)
        handled = handle_buffered_frames(device);
    if (handled)
        device->bridge->last_active = device;
    return handled;
}

void connection_resume(struct device_info *device)
{
    if (device->is_resumed)
        return;
    device->is_resumed = true;
    device->next_resumed = device->bridge->resumed;
    device->bridge->resumed = device;
}

void serve_resumed_devices(struct trestle_bridge *bridge)
{
    while (bridge->resumed) {
        struct device_info *device = bridge->resumed;
        bridge->resumed = device->next_resumed;
        device->is_resumed = false;
        if (device->is_lost)
            close_device_connection(device);
        handle_buffered_frames(device);
        if (may_handle(device))
            set_interest(device, EPOLLIN | EPOLLRDHUP);
    }
}

static void client_ready(struct loop_source *source, uint32_t events)
{
    struct device_info *device = from_client_source(source);
    if (events & EPOLLOUT) {
        flush_output(device);
        if (may_handle(device))
            connection_resume(device);
        return;
    }
    if (may_handle(device))
        serve_device(device);
    else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        hang_up(device);
    else
        set_interest(device, EPOLLRDHUP); /* more came while one is under way: look later */
}

/* --- connect and disconnect ------------------------------------------------------------------ */

/* Has the client hung up already, even though bytes of it may still be unread? */
static bool client_is_gone(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

void accept_device_connection(struct device_info *device)
{
    struct trestle_bridge *bridge = device->bridge;
    int fd, error = listener_accept(device->server_fd, &fd);
    if (error == -EAGAIN)
        return;
    if (error) {
        bridge_log(bridge, TRESTLE_LOG_WARNING, "%s: a connection was turned away: %s",
                   device->name, error == -EPERM ? "it came from another user" : strerror(-error));
        return;
    }
    /* A client that reconnects may be seen here before its old connection's end was. */
    if (device->socket_ready && client_is_gone(device->client_fd))
        close_device_connection(device);
    if (device->socket_ready) {
        bridge_log(bridge, TRESTLE_LOG_WARNING,
                   "%s: a second client was turned away; one is connected already", device->name);
        close(fd);
        return;
    }
    device->client_source.ready = client_ready;
    error = loop_add(&bridge->loop, &device->client_source, fd, EPOLLIN | EPOLLRDHUP);
    if (error) {
        bridge_log(bridge, TRESTLE_LOG_WARNING, "%s: cannot serve a connection: %s", device->name,
                   strerror(-error));
        close(fd);
        return;
    }
    device->interest = EPOLLIN | EPOLLRDHUP;
    device->client_fd = fd;
    device->socket_ready = true;
    bridge->num_connected++;
    bridge_log(bridge, TRESTLE_LOG_INFO, "Device %s connected", device->name);
}

void close_device_connection(struct device_info *device)
{
    struct trestle_bridge *bridge = device->bridge;
    if (!device->socket_ready)
        return;
    loop_remove(&bridge->loop, &device->client_source);
    close(device->client_fd);
    if (device->in_fd >= 0)
        close(device->in_fd);
    device->client_fd = device->in_fd = -1;
    device->socket_ready = false;
    bridge->num_connected--;
    if (bridge->last_active == device)
        bridge->last_active = NULL;
    size_t size = frame_size(device), rest = size ? buffered(device) % size : buffered(device);
    if (rest)
        bridge_log(bridge, TRESTLE_LOG_WARNING,
                   "%s: the connection ended inside a request, after %zu bytes of it", device->name,
                   rest);
    device->in_start = device->in_end = device->out_start = device->out_end = 0;
    device->protocol = PROTOCOL_UNKNOWN;
    device->is_lost = false;
    device->in_seq = device->out_seq = 0;
    device->stash.start = device->stash.end = 0;
    /* Whoever asked is gone, and so is the access it waited for: only a reset lets a model
     * forget a request. */
    if (trestle_device_busy(device->device))
        trestle_device_reset(device->device);
    if (device->session)
        session_leave(device);
    /* Last: who waits for this line finds nothing of the connection left. */
    bridge_log(bridge, TRESTLE_LOG_INFO, "Device %s disconnected", device->name);
}

static void server_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    accept_device_connection(from_server_source(source));
}

/* The descriptor's flags are shared with its owner, to whom they do no harm: it never accepts. */
static int take_inherited_listener(struct device_info *device, char **ret_error)
{
    int fd = device->inherited_fd, is_listening = 0;
    socklen_t length = sizeof(is_listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) < 0 || !is_listening ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return error_set(ret_error, -EBADF, "%s: descriptor %d is no listening socket",
                         device->name, fd);
    device->server_fd = fd;
    return 0;
}

static int open_listener(struct device_info *device, uint32_t index, char **ret_error)
{
    struct trestle_bridge *bridge = device->bridge;
    if (device->inherited_fd)
        return take_inherited_listener(device, ret_error);
    bool is_private = !device->socket_path && bridge->own_dir.path;
    if (!device->socket_path && asprintf(&device->socket_path, "%s/device%u.sock",
                                         bridge->socket_dir, (unsigned)index) < 0) {
        device->socket_path = NULL;
        return -ENOMEM;
    }
    int error = listener_open(&device->listener, device->socket_path, is_private, ret_error);
    if (error)
        return error;
    device->server_fd = device->listener.fd;
    return 0;
}

int setup_device_socket(struct device_info *device, uint32_t index, char **ret_error)
{
    struct trestle_bridge *bridge = device->bridge;
    int error = open_listener(device, index, ret_error);
    if (error)
        return error;
    if (!device->inherited_fd)
        bridge_log(bridge, TRESTLE_LOG_INFO, "Device %s socket listening at %s", device->name,
                   device->socket_path);
    if (!device->device)
        return 0;
    device->server_source.ready = server_ready;
    return loop_add(&bridge->loop, &device->server_source, device->server_fd, EPOLLIN);
}

void finish_device_socket(struct device_info *device)
{
    close_device_connection(device);
    loop_remove(&device->bridge->loop, &device->server_source);
    listener_close(&device->listener);
    device->server_fd = -1;
}
