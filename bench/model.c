/* SPDX-License-Identifier: MIT */
/* What an access to a model in a file costs in the engine, whatever it is written in.
 *
 * usage: bench-model FILE [rOFFSET | wOFFSET]...: reads or writes of 4 bytes there. Nanoseconds per
 * access, the best of the rounds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "trestle/test.h"

#define ROUNDS 7
#define ACCESSES 200000u

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static double measure(struct trestle_device *dev, bool write, uint64_t offset)
{
    double best = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (unsigned i = 0; i < ACCESSES; i++) {
            if (write)
                trestle_test_write(dev, offset, 4, i);
            else
                (void)trestle_test_read(dev, offset, 4);
        }
        double each = (now_ns() - start) / ACCESSES;
        best = round == 0 || each < best ? each : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-model FILE [rOFFSET | wOFFSET]...\n");
        return 2;
    }
    struct trestle_test *test = trestle_test_create();
    struct trestle_device *dev = trestle_test_load(test, argv[1], NULL);
    printf("%-8s %8s %12s\n", "access", "ns", "per second");
    for (int i = 2; i < argc; i++) {
        double ns = measure(dev, argv[i][0] == 'w', strtoull(argv[i] + 1, NULL, 0));
        printf("%-8s %8.0f %12.0f\n", argv[i], ns, 1e9 / ns);
    }
    trestle_test_destroy(test);
    return 0;
}
