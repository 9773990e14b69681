/* SPDX-License-Identifier: MIT */
/* Ends the program, and so the test, where a condition does not hold. */
#ifndef TSAN_REQUIRE_H
#define TSAN_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

#endif
