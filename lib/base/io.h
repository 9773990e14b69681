/* SPDX-License-Identifier: MIT */
/* Whole reads and writes of files, pipes and terminals. */
#ifndef TRESTLE_BASE_IO_H
#define TRESTLE_BASE_IO_H

#include <stddef.h>

/* All of it, or a negative errno. */
int io_write_all(int fd, const void *bytes, size_t size);
/* The same; *ret_written: as much as was written, which may be all of it. */
int io_write_counted(int fd, const void *bytes, size_t size, size_t *ret_written);
/* All that a file has, which may be a pipe, with a NUL behind it; malloc'd. -EFBIG: more than
 * limit bytes. -ENOMEM. */
int io_read_file(const char *path, size_t limit, char **ret_text, size_t *ret_size);

#endif
