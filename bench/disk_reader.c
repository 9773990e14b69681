/* SPDX-License-Identifier: MIT */
/* usage: disk_reader DEVICE random|sequential BYTES COUNT
 * Reads a disk past all caches, one request at a time, and prints how many it did in a second. For
 * bench/disks.py, in its guest. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    size_t size = strtoul(argv[3], NULL, 0), count = strtoul(argv[4], NULL, 0);
    int fd = open(argv[1], O_RDONLY | O_DIRECT);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    void *buffer = size ? aligned_alloc(4096, size) : NULL;
    size_t pieces = size ? (size_t)end / size : 0;
    if (pieces == 0 || count == 0 || !buffer) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    uint64_t x = 1;
    double start = now();
    for (size_t i = 0; i < count; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t piece = argv[2][0] == 'r' ? (size_t)(x >> 33) % pieces : i % pieces;
        if (pread(fd, buffer, size, (off_t)(piece * size)) != (ssize_t)size) {
            fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
            return 1;
        }
    }
    printf("%s %zu %.1f\n", argv[2], size, (double)count / (now() - start));
    return 0;
}
