/* SPDX-License-Identifier: MIT */
/* Computes, and touches no device: it must not become slower when there are devices.
 *
 * Command line: rounds=1000, of 100,000 steps each. */
#include "check.h"

enum { STEPS = 100000, WORDS = 1024 };

static uint32_t words[WORDS];

int guest_main(void)
{
    uint32_t state = 1;
    unsigned rounds = (unsigned)bootarg_u64("rounds", 1000);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < STEPS; i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            words[state % WORDS] += state;
        }
    }
    print("busy: %u rounds, %08x\n", rounds, words[1] ^ state);
    return 0;
}
