/* SPDX-License-Identifier: MIT */
/* Listens on a control socket, and answers a line at a time to each peer. */
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/listener.h"
#include "log.h"
#include "util.h"

#define PEERS_MAX 8

struct peer {
    int fd;             /* -1: nobody */
    char *out;          /* what it has not taken yet; NULL: nothing */
    size_t size, start; /* of out, and how far it has */
    size_t length;      /* of in */
    char in[CONTROL_LINE_MAX];
};

struct control_server {
    struct listener listener;
    int epoll_fd, timer_fd; /* the latter ends a rest of the listener */
    bool is_starved;        /* no descriptor was left for a peer, which was said */
    control_answer_fn answer;
    void *ctx;
    struct peer peers[PEERS_MAX];
};

static void hang_up(struct peer *peer)
{
    close(peer->fd);
    free(peer->out);
    peer->fd = -1;
    peer->out = NULL;
    peer->length = 0;
}

/* --- out ------------------------------------------------------------------------------------- */

/* Listens, or waits for room: one at a time. */
static void set_interest(struct control_server *server, struct peer *peer, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, peer->fd, &event) < 0)
        hang_up(peer);
}

static void flush(struct control_server *server, struct peer *peer)
{
    while (peer->start < peer->size) {
        ssize_t n = send(peer->fd, peer->out + peer->start, peer->size - peer->start,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            set_interest(server, peer, EPOLLOUT);
            return;
        }
        if (n < 0) {
            hang_up(peer);
            return;
        }
        peer->start += (size_t)n;
    }
    free(peer->out);
    peer->out = NULL;
    set_interest(server, peer, EPOLLIN);
}

/* --- in -------------------------------------------------------------------------------------- */

static void answer_line(struct control_server *server, struct peer *peer, const char *line)
{
    char *error = NULL;
    struct printed printed;
    printed_begin(&printed);
    enum control_status status = server->answer(server->ctx, line, printed.file, &error);
    char *out = printed_end(&printed);
    size_t out_size = printed.size;
    size_t error_size = error ? strlen(error) : 0;
    char *head = xformat("%s %zu %zu\n", control_status_names[status], out_size, error_size);
    size_t head_size = strlen(head);
    peer->size = head_size + out_size + error_size;
    peer->start = 0;
    peer->out = xrealloc(head, 1, peer->size);
    memcpy(peer->out + head_size, out, out_size);
    if (error)
        memcpy(peer->out + head_size + out_size, error, error_size);
    free(out);
    free(error);
    flush(server, peer);
}

/* Answers all whole lines that are there, as long as the peer takes the answers. */
static void answer_lines(struct control_server *server, struct peer *peer)
{
    char *end;
    while (peer->fd >= 0 && !peer->out && (end = memchr(peer->in, '\n', peer->length)) != NULL) {
        char line[CONTROL_LINE_MAX];
        size_t size = (size_t)(end - peer->in);
        memcpy(line, peer->in, size);
        line[size] = '\0';
        peer->length -= size + 1;
        memmove(peer->in, end + 1, peer->length);
        answer_line(server, peer, line);
    }
    if (peer->fd >= 0 && peer->length == sizeof(peer->in) && !peer->out)
        hang_up(peer); /* a line without end */
}

static void take(struct control_server *server, struct peer *peer)
{
    ssize_t n =
        recv(peer->fd, peer->in + peer->length, sizeof(peer->in) - peer->length, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        hang_up(peer);
        return;
    }
    peer->length += (size_t)n;
    answer_lines(server, peer);
}

/* --- listening ------------------------------------------------------------------------------- */

static void watch_listener(struct control_server *server, uint32_t events)
{
    struct epoll_event event = {.events = events};
    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listener.fd, &event);
}

/* The peer waits in the listener, which would be ready all the time. */
static void let_wait(struct control_server *server, int error)
{
    const struct itimerspec rest = {.it_value.tv_nsec = LISTEN_AGAIN_MS * (long)NS_PER_MS};
    const char *path = server->listener.path; /* which only the process that opened it knows */
    if (!server->is_starved)
        log_line("trestle: warning: %s%s: a client must wait: %s",
                 path ? "--control " : "the control socket", path ? path : "", error_text(error));
    server->is_starved = true;
    watch_listener(server, 0);
    timerfd_settime(server->timer_fd, 0, &rest, NULL);
}

static void listen_again(struct control_server *server)
{
    uint64_t expirations;
    (void)!read(server->timer_fd, &expirations, sizeof(expirations));
    watch_listener(server, EPOLLIN);
}

/* The peer may have asked something already, and finds the answer. */
static void turn_away(int fd)
{
    char *why = xformat("%d others are attached already; end one of them", PEERS_MAX);
    char *answer = xformat("%s 0 %zu\n%s", control_status_names[CONTROL_WRONG], strlen(why), why);
    (void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
    free(answer);
    free(why);
}

static void accept_peer(struct control_server *server)
{
    int fd, r = listener_accept(server->listener.fd, &fd);
    if (r < 0 && r != -EAGAIN && r != -EKEYREJECTED)
        let_wait(server, r);
    if (r < 0)
        return;
    server->is_starved = false;
    struct peer *peer = server->peers;
    while (peer < server->peers + PEERS_MAX && peer->fd >= 0)
        peer++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (peer == server->peers + PEERS_MAX ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        turn_away(fd);
        return;
    }
    peer->fd = fd;
}

void control_server_serve(struct control_server *server)
{
    struct epoll_event events[PEERS_MAX + 2];
    int n = epoll_wait(server->epoll_fd, events, PEERS_MAX + 2, 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == server) {
            listen_again(server);
            continue;
        }
        struct peer *peer = events[i].data.ptr;
        if (!peer)
            accept_peer(server);
        else if (peer->fd < 0)
            continue; /* hung up in this turn */
        else if (!peer->out)
            take(server, peer);
        else if (events[i].events & EPOLLOUT) {
            flush(server, peer);
            answer_lines(server, peer);
        } else {
            hang_up(peer);
        }
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static int open_timer(struct control_server *server)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = server};
    server->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return server->timer_fd >= 0 &&
                   epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->timer_fd, &event) == 0
               ? 0
               : -errno;
}

int control_server_create(struct listener *listener, control_answer_fn answer, void *ctx,
                          struct control_server **ret_server)
{
    struct control_server *server = xcalloc(1, sizeof(*server));
    server->answer = answer;
    server->ctx = ctx;
    for (size_t i = 0; i < PEERS_MAX; i++)
        server->peers[i].fd = -1;
    server->timer_fd = -1;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->listener = *listener;
    *listener = LISTENER_NONE;
    int r = server->epoll_fd < 0 ? -errno : open_timer(server);
    struct epoll_event event = {.events = EPOLLIN};
    if (r == 0 && epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->listener.fd, &event) < 0)
        r = -errno;
    if (r < 0)
        control_server_close(server);
    else
        *ret_server = server;
    return r;
}

int control_server_open(const char *path, control_answer_fn answer, void *ctx,
                        struct control_server **ret_server, char **ret_error)
{
    struct listener listener;
    int r = listener_open(&listener, path, false, ret_error);
    return r < 0 ? r : control_server_create(&listener, answer, ctx, ret_server);
}

int control_server_fd(const struct control_server *server)
{
    return server->epoll_fd;
}

bool control_server_has_peers(const struct control_server *server)
{
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (server->peers[i].fd >= 0)
            return true;
    return false;
}

void control_server_unlink(const struct control_server *server)
{
    if (server)
        listener_unlink(&server->listener);
}

void control_server_close(struct control_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (server->peers[i].fd >= 0)
            hang_up(&server->peers[i]);
    listener_close(&server->listener);
    if (server->timer_fd >= 0)
        close(server->timer_fd);
    if (server->epoll_fd >= 0)
        close(server->epoll_fd);
    free(server);
}
