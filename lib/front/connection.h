/* SPDX-License-Identifier: MIT */
/* A connection: the client of one port, from accept to hang-up. Bytes in, bytes out; what they mean
 * is its protocol's to say. */
#ifndef TRESTLE_FRONT_CONNECTION_H
#define TRESTLE_FRONT_CONNECTION_H

#include "front/port.h"
#include "front/protocol.h"
#include "ipc/fds.h"
#include "ipc/stream.h"

struct connection {
    struct port *port;
    struct loop_source source;       /* of the socket; source.fd -1: nobody is connected */
    struct stream stream;            /* the same socket's bytes, both ways */
    const struct protocol *protocol; /* NULL: its first bytes have not told yet */
    void *state;                     /* the protocol's */
    bool takes_descriptors;          /* some may come with a frame */
    int in_fds[FDS_MAX];             /* came with the latest bytes */
    size_t num_in_fds;
    bool is_lost;      /* to be closed as soon as no model is being called */
    uint32_t interest; /* epoll events asked for */
    struct connection *next_resumed;
    bool is_resumed; /* on the front's list: buffered frames may go on */
};

static inline bool connection_is_open(const struct connection *connection)
{
    return connection->source.fd >= 0;
}

/* --- a port's socket ------------------------------------------------------------------------- */

/* For a port whose connection is NULL. -ENOMEM. */
TRESTLE_CHECK int connection_create(struct port *port);
/* Listens at the port's path, or takes the listener that it has inherited. */
TRESTLE_CHECK int setup_device_socket(struct port *port, char **ret_error);
void accept_device_connection(struct port *port);
/* Closes both. Fine if none was ever there. */
void finish_device_socket(struct port *port);
/* Looks again, when it is time, at the ports that had no descriptor left for a client. Returns how
 * long the caller may sleep, at most timeout_ms. */
int connection_listen_again(struct front *front, int timeout_ms);

/* --- a client -------------------------------------------------------------------------------- */

void connection_close(struct connection *connection);
/* Takes what the socket has and handles every whole frame. Returns the frames handled. */
unsigned connection_serve(struct connection *connection);
/* Frames that waited for an answer under way go on. */
void connection_serve_resumed(struct front *front);
/* The first of the descriptors that came, which is the caller's; the others are closed. -1: none.
 */
int connection_take_fd(struct connection *connection);
/* Closes those that nobody has taken. */
void connection_drop_fds(struct connection *connection);
/* Writes an answer, now or as soon as the socket takes it. */
void connection_send(struct connection *connection, const uint8_t *bytes, size_t size);
/* After stream_put() on its stream, with its result: sees to what the socket has not taken. */
void connection_sent(struct connection *connection, int error);
/* Puts it on the list for connection_serve_resumed(). */
void connection_resume(struct connection *connection);

#endif
