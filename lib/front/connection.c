/* SPDX-License-Identifier: MIT */
/* A port's listener and its client's connection: accept, bytes in, bytes out, hang-up. */
#include "front/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/macros.h"
#include "ipc/fds.h"

#define LISTEN_AGAIN_NS (LISTEN_AGAIN_MS * NS_PER_MS)

static void set_interest(struct connection *connection, uint32_t events)
{
    if (connection->interest == events)
        return;
    if (loop_modify(&connection->port->front->loop, &connection->source, events) == 0)
        connection->interest = events;
}

/* False while an answer is under way: until then further frames stay where they are. */
static bool may_handle(const struct connection *connection)
{
    return connection_is_open(connection) && !connection->is_lost &&
           !stream_has_output(&connection->stream) &&
           !trestle_device_busy(connection->port->device);
}

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* --- output ---------------------------------------------------------------------------------- */

/* An answer may be sent from inside a model, which must not be reset there: the connection is
 * closed a little later. */
static void lose_connection(struct connection *connection)
{
    connection->is_lost = true;
    connection_resume(connection);
}

void connection_sent(struct connection *connection, int error)
{
    if (!connection_is_open(connection) || connection->is_lost)
        return;
    if (error == -EAGAIN)
        front_log(connection->port->front, TRESTLE_LOG_WARNING,
                  "%s: the client does not read its answers; disconnected", connection->port->name);
    if (error)
        lose_connection(connection);
    else if (stream_has_output(&connection->stream))
        set_interest(connection, EPOLLOUT | EPOLLRDHUP);
}

void connection_send(struct connection *connection, const uint8_t *bytes, size_t size)
{
    connection_sent(connection, stream_put(&connection->stream, bytes, size));
}

/* --- input ----------------------------------------------------------------------------------- */

static void speak(struct connection *connection, const struct protocol *protocol)
{
    connection->protocol = protocol;
    connection->port->answer = protocol->answer;
    connection->port->asker = connection;
    if (protocol->opened)
        protocol->opened(connection);
}

/* The first bytes tell which protocol it speaks. */
static void recognise(struct connection *connection)
{
    const struct protocol *const *protocols = connection->port->front->protocols;
    const uint8_t *bytes = connection->stream.in + connection->stream.in_start;
    for (size_t i = 0; protocols[i]; i++) {
        int verdict = protocols[i]->recognises(bytes, stream_buffered(&connection->stream));
        if (verdict == 0)
            return;
        if (verdict < 0)
            continue;
        speak(connection, protocols[i]);
        return;
    }
}

/* Bytes of the next frame, or 0 while that is not known. */
static size_t frame_size(struct connection *connection)
{
    if (!connection->protocol && stream_buffered(&connection->stream) > 0)
        recognise(connection);
    const struct protocol *protocol = connection->protocol;
    if (!protocol || !protocol->measure ||
        stream_buffered(&connection->stream) < protocol->frame_size)
        return protocol ? protocol->frame_size : 0;
    return protocol->measure(connection->stream.in + connection->stream.in_start);
}

/* The next frame, if it is there whole; before it, what was put aside. */
static bool handle_next(struct connection *connection)
{
    if (!may_handle(connection))
        return false;
    if (connection->protocol && connection->protocol->frame_aside &&
        connection->protocol->frame_aside(connection))
        return true;
    size_t size = frame_size(connection);
    if (size > STREAM_BUFFER) {
        front_log(connection->port->front, TRESTLE_LOG_WARNING,
                  "%s: a message of a size that cannot be; disconnected", connection->port->name);
        connection_close(connection);
        return false;
    }
    if (size == 0 || stream_buffered(&connection->stream) < size)
        return false;
    const uint8_t *frame = connection->stream.in + connection->stream.in_start;
    connection->stream.in_start += size;
    connection->protocol->frame(connection, frame);
    return true;
}

static unsigned handle_buffered_frames(struct connection *connection)
{
    unsigned handled = 0;
    while (handle_next(connection))
        handled++;
    return handled;
}

static void hang_up(struct connection *connection)
{
    if (connection->protocol && connection->protocol->drain)
        connection->protocol->drain(connection);
    connection_close(connection);
}

void connection_drop_fds(struct connection *connection)
{
    fds_close(connection->in_fds, connection->num_in_fds);
    connection->num_in_fds = 0;
}

int connection_take_fd(struct connection *connection)
{
    if (connection->num_in_fds == 0)
        return -1;
    int fd = connection->in_fds[0];
    fds_close(connection->in_fds + 1, connection->num_in_fds - 1);
    connection->num_in_fds = 0;
    return fd;
}

/* The latest are kept, until the message that they came with has been handled. */
static ssize_t receive_with_descriptors(struct connection *connection, uint8_t *bytes, size_t size)
{
    int fds[FDS_MAX];
    size_t num_fds;
    ssize_t n = fds_recv(connection->source.fd, bytes, size, fds, &num_fds);
    if (num_fds > 0) {
        connection_drop_fds(connection);
        memcpy(connection->in_fds, fds, num_fds * sizeof(*fds));
        connection->num_in_fds = num_fds;
    }
    if (n < 0)
        errno = (int)-n;
    return n;
}

/* Where sizes differ, a frame is read by itself, so that a descriptor is that of the frame. */
static uint8_t *room_for_input(struct connection *connection, size_t *ret_room)
{
    const struct protocol *protocol = connection->protocol;
    uint8_t *bytes = stream_room(&connection->stream, ret_room);
    if (!protocol || !protocol->measure)
        return bytes;
    size_t wanted = frame_size(connection) - stream_buffered(&connection->stream);
    if (*ret_room > wanted)
        *ret_room = wanted;
    return bytes;
}

/* Reads once. Returns bytes read; 0 when there is nothing, or no room, or no connection left. */
static size_t receive(struct connection *connection)
{
    size_t room;
    uint8_t *bytes = room_for_input(connection, &room);
    if (room == 0)
        return 0;
    ssize_t n = connection->takes_descriptors
                    ? receive_with_descriptors(connection, bytes, room)
                    : recv(connection->source.fd, bytes, room, MSG_DONTWAIT);
    if (n < 0 && is_transient(errno))
        return 0;
    if (n <= 0) {
        hang_up(connection);
        return 0;
    }
    connection->stream.in_end += (size_t)n;
    return (size_t)n;
}

unsigned connection_serve(struct connection *connection)
{
    unsigned handled = 0;
    if (may_handle(connection) && receive(connection) > 0)
        handled = handle_buffered_frames(connection);
    if (handled)
        connection->port->front->last_active = connection;
    return handled;
}

void connection_resume(struct connection *connection)
{
    struct front *front = connection->port->front;
    if (connection->is_resumed)
        return;
    connection->is_resumed = true;
    connection->next_resumed = front->resumed;
    front->resumed = connection;
}

void connection_serve_resumed(struct front *front)
{
    while (front->resumed) {
        struct connection *connection = front->resumed;
        front->resumed = connection->next_resumed;
        connection->is_resumed = false;
        if (connection->is_lost)
            connection_close(connection);
        handle_buffered_frames(connection);
        if (may_handle(connection))
            set_interest(connection, EPOLLIN | EPOLLRDHUP);
    }
}

static void client_ready(struct loop_source *source, uint32_t events)
{
    struct connection *connection = container_of(source, struct connection, source);
    if (events & EPOLLOUT) {
        connection_sent(connection, stream_push(&connection->stream));
        if (may_handle(connection))
            connection_resume(connection);
        return;
    }
    if (may_handle(connection))
        connection_serve(connection);
    else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        hang_up(connection);
    else
        set_interest(connection, EPOLLRDHUP); /* more came while one is under way: look later */
}

/* --- connect and disconnect ------------------------------------------------------------------ */

int connection_create(struct port *port)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return -ENOMEM;
    connection->port = port;
    connection->source.fd = -1;
    stream_start(&connection->stream, -1);
    port->connection = connection;
    port->resume = connection_resume;
    return 0;
}

/* Has the client hung up already, even though bytes of it may still be unread? */
static bool client_is_gone(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void start(struct connection *connection, int fd)
{
    struct port *port = connection->port;
    connection->source.ready = client_ready;
    int r = loop_add(&port->front->loop, &connection->source, fd, EPOLLIN | EPOLLRDHUP);
    if (r) {
        front_log(port->front, TRESTLE_LOG_WARNING, "%s: cannot serve a connection: %s", port->name,
                  error_text(r));
        close(fd);
        return;
    }
    connection->interest = EPOLLIN | EPOLLRDHUP;
    stream_start(&connection->stream, fd);
    if (port->protocol)
        speak(connection, port->protocol);
    port->front->num_connected++;
    front_log(port->front, TRESTLE_LOG_INFO, "Device %s connected", port->name);
}

/* The client waits in the listener, which would be ready all the time: nobody looks at it for a
 * while. */
static void let_wait(struct port *port, int error)
{
    struct front *front = port->front;
    if (!front->is_starved)
        front_log(front, TRESTLE_LOG_WARNING, "%s: a client must wait: %s", port->name,
                  error_text(error));
    front->is_starved = true;
    front->listen_again_ns = clock_ns() + LISTEN_AGAIN_NS;
    loop_remove(&front->loop, &port->listen_source);
}

static void listen_to_all(struct front *front)
{
    front->listen_again_ns = 0;
    for (uint32_t i = 0; i < front->num_ports; i++) {
        struct port *port = front->ports[i];
        if (port->device && port->listen_source.fd < 0)
            (void)!loop_add(&front->loop, &port->listen_source, port->listener.fd, EPOLLIN);
    }
}

int connection_listen_again(struct front *front, int timeout_ms)
{
    if (likely(!front->listen_again_ns))
        return timeout_ms;
    if (clock_ns() >= front->listen_again_ns)
        listen_to_all(front);
    return timeout_ms >= 0 && timeout_ms < LISTEN_AGAIN_MS ? timeout_ms : LISTEN_AGAIN_MS;
}

void accept_device_connection(struct port *port)
{
    struct connection *connection = port->connection;
    int fd, r = listener_accept(port->listener.fd, &fd);
    if (r == -EAGAIN)
        return;
    if (r == -EKEYREJECTED) {
        front_log(port->front, TRESTLE_LOG_WARNING,
                  "%s: a connection was turned away: it came from another user", port->name);
        return;
    }
    if (r) {
        let_wait(port, r);
        return;
    }
    port->front->is_starved = false;
    /* A client that reconnects may be seen here before its old connection's end was. */
    if (connection_is_open(connection) && client_is_gone(connection->source.fd))
        connection_close(connection);
    if (connection_is_open(connection)) {
        front_log(port->front, TRESTLE_LOG_WARNING,
                  "%s: a second client was turned away; one is connected already", port->name);
        close(fd);
        return;
    }
    start(connection, fd);
}

/* What the next client finds as it was at first. */
static void forget(struct connection *connection)
{
    connection->protocol = NULL;
    connection->is_lost = connection->takes_descriptors = false;
    stream_start(&connection->stream, -1);
}

void connection_close(struct connection *connection)
{
    struct port *port = connection->port;
    struct front *front = port->front;
    const struct protocol *protocol = connection->protocol;
    int fd = connection->source.fd;
    if (fd < 0)
        return;
    loop_remove(&front->loop, &connection->source);
    close(fd);
    connection_drop_fds(connection);
    front->num_connected--;
    if (front->listen_again_ns)
        front->listen_again_ns = 1; /* at once: here is a descriptor */
    if (front->last_active == connection)
        front->last_active = NULL;
    size_t size = frame_size(connection);
    bool is_fixed = size > 0 && !connection->protocol->measure;
    size_t buffered = stream_buffered(&connection->stream);
    size_t rest = is_fixed ? buffered % size : buffered;
    if (rest)
        front_log(front, TRESTLE_LOG_WARNING,
                  "%s: the connection ended inside a request, after %zu bytes of it", port->name,
                  rest);
    forget(connection);
    /* Whoever asked is gone, and so is the access it waited for: only a reset lets a model
     * forget a request. */
    if (trestle_device_busy(port->device))
        trestle_device_reset(port->device);
    if (protocol && protocol->closed)
        protocol->closed(connection);
    /* Last: who waits for this line finds nothing of the connection left. */
    front_log(front, TRESTLE_LOG_INFO, "Device %s disconnected", port->name);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    accept_device_connection(container_of(source, struct port, listen_source));
}

/* --- listen ---------------------------------------------------------------------------------- */

/* The owner of the descriptor shares its flags. They do the owner no harm, since it never accepts.
 */
static int take_inherited_listener(struct port *port, char **ret_error)
{
    int fd = port->listener.fd, is_listening = 0;
    socklen_t length = sizeof(is_listening);
    int r = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) < 0 ? -errno : 0;
    if (r == -EBADF || r == -ENOTSOCK || (r == 0 && !is_listening))
        return error_set(ret_error, -EBADF, "%s: descriptor %d is not a listening socket",
                         port->name, fd);
    if (r == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        r = -errno;
    return r ? error_set(ret_error, r, "%s: cannot listen at descriptor %d: %s", port->name, fd,
                         error_text(r))
             : 0;
}

int setup_device_socket(struct port *port, char **ret_error)
{
    int r = port->is_inherited
                ? take_inherited_listener(port, ret_error)
                : listener_open(&port->listener, port->socket_path, port->is_private, ret_error);
    if (r)
        return r;
    if (!port->is_inherited)
        front_log(port->front, TRESTLE_LOG_INFO, "Device %s socket listening at %s", port->name,
                  port->socket_path);
    if (!port->device)
        return 0;
    port->listen_source.ready = listener_ready;
    return loop_add(&port->front->loop, &port->listen_source, port->listener.fd, EPOLLIN);
}

void finish_device_socket(struct port *port)
{
    if (port->connection)
        connection_close(port->connection);
    loop_remove(&port->front->loop, &port->listen_source);
    if (!port->is_inherited)
        listener_close(&port->listener);
    port->listener = LISTENER_NONE;
}
