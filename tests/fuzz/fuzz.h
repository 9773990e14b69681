/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: their entry point, their input as a stream of bytes, and what they
 * say when something is not as it should be. */
#ifndef TRESTLE_TESTS_FUZZ_H
#define TRESTLE_TESTS_FUZZ_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libFuzzer's, called for each input; driver.c calls it for each file of a corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)                                                           \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: it is not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

struct fuzz_input {
    const uint8_t *next, *end;
};

/* 0 after the end. */
static inline uint64_t fuzz_number(struct fuzz_input *in, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0 && in->next < in->end)
        value = value << 8 | *in->next++;
    return value;
}

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    return (uint8_t)fuzz_number(in, 1);
}

/* As many of the bytes as there are, the rest 0. */
static inline void fuzz_bytes(struct fuzz_input *in, uint8_t *ret_bytes, size_t size)
{
    size_t left = (size_t)(in->end - in->next), count = size < left ? size : left;
    memcpy(ret_bytes, in->next, count);
    memset(ret_bytes + count, 0, size - count);
    in->next += count;
}

/* The lowest descriptor that is free: higher after an input than before it, something leaked. */
static inline int fuzz_free_descriptor(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD, 3);
    close(fd);
    return fd;
}

#endif
