/* SPDX-License-Identifier: MIT */
/* Writes a JSON document to the file that an option names. */
#include "json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "util.h"

/* For a reader to take something, or to come. */
#define PATIENCE_MS 2000
/* A pipe with any room at all takes as much at once. */
#define PIECE_SIZE ((size_t)4096)

/* What must not be replaced by a file: a pipe, a terminal, /dev/null. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    char *directory = xstrdup(path);
    directory[slash == path ? 1 : slash - path] = '\0';
    return directory;
}

/* A symbolic link stays, and the file behind it is replaced. */
static char *target_of(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : xstrdup(path);
}

int json_file_check(const char *option, const char *path, char **ret_error)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return 0;
    char *target = target_of(path), *directory = directory_of(target);
    const char *reason = NULL;
    if (stat(target, &st) == 0 && S_ISDIR(st.st_mode))
        reason = "it is a directory";
    else if (is_special(target) && access(target, W_OK) < 0)
        reason = strerror(errno);
    else if (!is_special(target) && access(directory, W_OK | X_OK) < 0)
        reason = strerror(errno);
    if (reason)
        *ret_error = xformat("trestle: cannot write %s %s: %s; name a file in a directory "
                             "that can be written, or -",
                             option, path, reason);
    free(target);
    free(directory);
    return reason ? -EINVAL : 0;
}

static int replace_file(const char *target, const char *text)
{
    char *temporary = xformat("%s.XXXXXX", target);
    int fd = mkostemp(temporary, O_CLOEXEC), status;
    if (fd < 0) {
        status = -errno;
        free(temporary);
        return status;
    }
    mode_t mask = umask(0);
    umask(mask);
    status = io_write_all(fd, text, strlen(text));
    if (fchmod(fd, 0666 & ~mask) < 0 && status == 0)
        status = -errno;
    if (close(fd) < 0 && status == 0)
        status = -errno;
    if (status == 0 && rename(temporary, target) < 0)
        status = -errno;
    if (status < 0)
        unlink(temporary);
    free(temporary);
    return status;
}

/* The run is over, and must not wait for ever for a reader who takes nothing. */
static int write_patiently(int fd, const char *text)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    size_t size = strlen(text);
    int r = 0, ready = 1;
    while (size > 0 && r == 0 && (ready = poll(&room, 1, PATIENCE_MS)) != 0) {
        size_t piece = size < PIECE_SIZE ? size : PIECE_SIZE;
        if (ready > 0)
            r = io_write_all(fd, text, piece);
        else
            piece = 0;
        text += piece;
        size -= piece;
    }
    return ready == 0 ? -ETIMEDOUT : r;
}

/* A FIFO without a reader may get one in a moment. */
static int open_special(const char *path)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    int fd = -1;
    for (unsigned ms = 0; ms < PATIENCE_MS; ms += 20) {
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0 || errno != ENXIO)
            break;
        nanosleep(&pause, NULL);
    }
    return fd >= 0 ? fd : errno == ENXIO ? -ETIMEDOUT : -errno;
}

static int write_in_place(const char *path, const char *text)
{
    int fd = open_special(path);
    if (fd < 0)
        return fd;
    int r = write_patiently(fd, text);
    close(fd);
    return r;
}

int text_file_write(const char *text, const char *option, const char *path, char **ret_error)
{
    char *target = target_of(path);
    int r;
    if (strcmp(path, "-") == 0)
        r = write_patiently(STDOUT_FILENO, text);
    else
        r = is_special(target) ? write_in_place(target, text) : replace_file(target, text);
    if (r < 0)
        *ret_error = xformat("trestle: cannot write %s %s: %s", option, path,
                             r == -ETIMEDOUT ? "nobody reads it" : strerror(-r));
    free(target);
    return r;
}

int json_file_write(const json_t *document, const char *option, const char *path, char **ret_error)
{
    char *json = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    char *text = xformat("%s\n", json ? json : "");
    int r = text_file_write(text, option, path, ret_error);
    free(text);
    free(json);
    return r;
}
