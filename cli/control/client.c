/* SPDX-License-Identifier: MIT */
/* Asks a run on its control socket. */
#include "control/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/socket_path.h"

/* More than any answer has; it is text for people. */
#define ANSWER_MAX (64u << 20)

int control_connect(const char *path, int *ret_fd, char **ret_error)
{
    struct sockaddr_un address;
    int status = socket_path_address(path, &address);
    int fd = status < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (status == 0 &&
        (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0))
        status = -errno;
    if (status == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    *ret_error = xformat("trestle: no run is at %s: %s; start one with trestle run --control=%s",
                         path, error_text(status), path);
    return status;
}

static bool receive(int fd, char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = recv(fd, bytes, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/* A byte at a time: what follows is of a size that it says. */
static bool receive_head(int fd, char *line, size_t room)
{
    size_t length = 0;
    while (length + 1 < room && receive(fd, line + length, 1) && line[length] != '\n')
        length++;
    bool is_whole = line[length] == '\n';
    line[length] = '\0';
    return is_whole;
}

static bool receive_answer(int fd, struct control_answer *ret_answer)
{
    char head[80] = "", name[16];
    size_t out_size, error_size;
    int status = 0;
    if (!receive_head(fd, head, sizeof(head)) ||
        sscanf(head, "%15s %zu %zu", name, &out_size, &error_size) != 3 || out_size > ANSWER_MAX ||
        error_size > ANSWER_MAX)
        return false;
    while (status < CONTROL_STATUSES && strcmp(name, control_status_names[status]) != 0)
        status++;
    if (status == CONTROL_STATUSES)
        return false;
    ret_answer->status = (enum control_status)status;
    ret_answer->out = xcalloc(out_size + 1, 1);
    ret_answer->error = xcalloc(error_size + 1, 1);
    if (receive(fd, ret_answer->out, out_size) && receive(fd, ret_answer->error, error_size))
        return true;
    control_answer_finish(ret_answer);
    return false;
}

int control_ask(int fd, const char *verb, const char *rest, struct control_answer *ret_answer,
                char **ret_error)
{
    char *line = xformat("%s%s%s\n", verb, rest ? " " : "", rest ? rest : "");
    size_t length = strlen(line);
    for (size_t i = 0; i + 1 < length; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    int status = 0;
    if (length > CONTROL_LINE_MAX) {
        status = -E2BIG;
        *ret_error =
            xformat("a line has at most %d bytes, this one has %zu", CONTROL_LINE_MAX, length);
    } else if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length ||
               !receive_answer(fd, ret_answer)) {
        status = -ECONNRESET;
        *ret_error = xstrdup("the run has ended");
    }
    free(line);
    return status;
}

void control_answer_finish(struct control_answer *answer)
{
    free(answer->out);
    free(answer->error);
    *answer = (struct control_answer){0};
}
