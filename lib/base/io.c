/* SPDX-License-Identifier: MIT */
/* Short reads and writes, and those that a signal interrupts, end here. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int io_write_counted(int fd, const void *bytes, size_t size, size_t *ret_written)
{
    const char *next = bytes;
    *ret_written = 0;
    while (*ret_written < size) {
        ssize_t written = write(fd, next + *ret_written, size - *ret_written);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        *ret_written += (size_t)written;
    }
    return 0;
}

int io_write_all(int fd, const void *bytes, size_t size)
{
    size_t written;
    return io_write_counted(fd, bytes, size, &written);
}

static int read_to_end(int fd, size_t limit, char **ref_text, size_t *ref_size)
{
    size_t room = 0;
    for (;;) {
        if (room - *ref_size < 2) {
            room = room ? room * 2 : 4096;
            char *larger = realloc(*ref_text, room);
            if (!larger)
                return -ENOMEM;
            *ref_text = larger;
        }
        ssize_t got = read(fd, *ref_text + *ref_size, room - *ref_size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : 0;
        *ref_size += (size_t)got;
        if (*ref_size > limit)
            return -EFBIG;
    }
}

int io_read_file(const char *path, size_t limit, char **ret_text, size_t *ret_size)
{
    char *text = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = read_to_end(fd, limit, &text, &size);
    close(fd);
    if (r < 0) {
        free(text);
        return r;
    }
    text[size] = '\0';
    *ret_text = text;
    *ret_size = size;
    return 0;
}
