/* SPDX-License-Identifier: MIT */
/* Drives the model of this folder, at 0x10200000. */
#include "check.h"

#define ADLER32 0x10200000

int guest_main(void)
{
    uint64_t value;
    check_read(ADLER32, 4, 1, "the sum of nothing");
    for (const char *c = "Wikipedia"; *c; c++)
        quiet_write(ADLER32, 1, (uint8_t)*c, "feed");
    check_read(ADLER32, 4, 0x11e60398, "the sum of \"Wikipedia\"");
    for (unsigned i = 0; i < 100; i++)
        quiet_write(ADLER32, 4, 0xff, "feed a byte in a word");
    check_read(ADLER32, 4, 0x20c76734, "the sum with 100 bytes of 0xff after it");
    check(!mmio_read(ADLER32 + 4, 4, &value), "a bus error beyond the register");
    check(!mmio_read(ADLER32, 8, &value), "a bus error for 64 bits at once");
    return check_summary("adler32");
}
