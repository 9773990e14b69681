/* SPDX-License-Identifier: MIT */
/* Asks a run on its control socket. */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/socket_path.h"

/* No answer is larger, since it is text for people. */
#define ANSWER_MAX (64u << 20)

static int be_patient(int fd, unsigned seconds)
{
    const struct timeval patience = {.tv_sec = seconds};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0
               ? -errno
               : 0;
}

int control_connect(const char *path, unsigned patience_s, int *ret_fd, char **ret_error)
{
    struct sockaddr_un address;
    int r = socket_path_address(path, &address);
    int fd = r < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r == 0)
        r = fd < 0 ? -errno : be_patient(fd, patience_s);
    if (r == 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        r = errno == EAGAIN ? -ETIMEDOUT : -errno;
    if (r == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    *ret_error = xformat("trestle: no run is at %s: %s; start one with trestle run --control=%s",
                         path, error_text(r), path);
    return r;
}

static int receive(int fd, char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = recv(fd, bytes, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? -ETIMEDOUT : -ECONNRESET;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Reads a byte at a time, since this line says how much follows. */
static int receive_head(int fd, char *line, size_t room)
{
    size_t length = 0;
    int r = 0;
    while (length + 1 < room && (r = receive(fd, line + length, 1)) == 0 && line[length] != '\n')
        length++;
    bool is_whole = line[length] == '\n';
    line[length] = '\0';
    return is_whole ? 0 : r ? r : -ECONNRESET;
}

static int receive_answer(int fd, struct control_answer *ret_answer)
{
    char head[80] = "", name[16];
    size_t out_size, error_size;
    int named = 0, r = receive_head(fd, head, sizeof(head));
    if (r < 0)
        return head[0] ? -ECONNRESET : r;
    if (sscanf(head, "%15s %zu %zu", name, &out_size, &error_size) != 3 || out_size > ANSWER_MAX ||
        error_size > ANSWER_MAX)
        return -ECONNRESET;
    while (named < CONTROL_STATUSES && strcmp(name, control_status_names[named]) != 0)
        named++;
    if (named == CONTROL_STATUSES)
        return -ECONNRESET;
    ret_answer->status = (enum control_status)named;
    ret_answer->out = xcalloc(out_size + 1, 1);
    ret_answer->error = xcalloc(error_size + 1, 1);
    r = receive(fd, ret_answer->out, out_size);
    if (r == 0)
        r = receive(fd, ret_answer->error, error_size);
    if (r < 0)
        control_answer_finish(ret_answer);
    return r < 0 ? -ECONNRESET : 0;
}

int control_take_late(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct control_answer answer;
    if (poll(&ready, 1, 0) == 0)
        return -ETIMEDOUT;
    int r = receive_answer(fd, &answer);
    if (r == 0)
        control_answer_finish(&answer);
    return r;
}

int control_ask(int fd, const char *verb, const char *rest, struct control_answer *ret_answer,
                char **ret_error)
{
    char *line = xformat("%s%s%s\n", verb, rest ? " " : "", rest ? rest : "");
    size_t length = strlen(line);
    for (size_t i = 0; i + 1 < length; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    int r = 0;
    if (length > CONTROL_LINE_MAX) {
        r = -E2BIG;
        *ret_error =
            xformat("a line has at most %d bytes, this one has %zu", CONTROL_LINE_MAX, length);
    } else {
        /* A run that has hung up may have said why. */
        (void)!send(fd, line, length, MSG_NOSIGNAL);
        r = receive_answer(fd, ret_answer);
        if (r < 0)
            *ret_error = xstrdup(r == -ETIMEDOUT ? "there is no answer" : "the run has ended");
    }
    free(line);
    return r;
}

void control_answer_finish(struct control_answer *answer)
{
    free(answer->out);
    free(answer->error);
    *answer = (struct control_answer){0};
}
