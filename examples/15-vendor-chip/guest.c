/* SPDX-License-Identifier: MIT */
/* Firmware that configures the chip of chip.svd as vendors' start-up code does: turns the crystal
 * on and waits for it, gives clocks, sets up both serial ports and a timer, and reads all of it
 * back. */
#include "check.h"

#define CLOCK 0x10200000
#define UART(n) (0x10201000 + (n)*0x1000)
#define TIMER 0x10203000

static void start_clocks(void)
{
    check_write(CLOCK + 0x00, 4, 0x1, "clock: the crystal goes on");
    check(wait_for(CLOCK + 0x04, 0x1, 0x1), "clock: the crystal is ready");
    check_write(CLOCK + 0x00, 4, 0xffffffe1, "clock: the PLL is the source");
    check_read(CLOCK + 0x00, 4, 0x21, "clock: only fields are kept");
    check_write(CLOCK + 0x18, 4, 0x80, "clock: USB has one");
    check_read(CLOCK + 0x18, 4, 0x80, "clock: USB still has one");
    check_read(CLOCK + 0x20, 4, 0, "clock: nothing is described there");
}

static void start_uart(unsigned n)
{
    check_read(UART(n) + 0x04, 2, 0x1a1, "uart: the speed after a reset");
    check_write(UART(n) + 0x04, 2, 0x341, "uart: the speed");
    check_read(UART(n) + 0x04, 4, 0x341, "uart: the speed, read with what is behind it");
    check_read(UART(n) + 0x08, 4, 0x3, "uart: the flags after a reset");
    check_write(UART(n) + 0x08, 4, 0x3, "uart: the flags are cleared");
    check_read(UART(n) + 0x08, 4, 0x2, "uart: the one that can be is");
    for (const char *c = "hello"; *c; c++)
        quiet_write(UART(n), 4, (unsigned char)*c, "uart: a letter");
}

static void start_timer(void)
{
    check_read(TIMER, 8, 0x100000000, "timer: 64 bits at once");
    check_read(TIMER + 0x04, 4, 1, "timer: the upper half");
    check_read(TIMER + 0x30, 4, 0xffffffff, "timer: channel 1 after a reset");
    check_write(TIMER + 0x30, 4, 1000, "timer: channel 1");
    check_write(TIMER + 0x34, 1, 2, "timer: its mode");
    check_read(TIMER + 0x30, 8, 0x2000003e8, "timer: both at once");
    check_read(TIMER + 0x20, 4, 0xffffffff, "timer: channel 0 is as it was");
}

int guest_main(void)
{
    start_clocks();
    start_uart(0);
    start_uart(1);
    start_timer();
    return check_summary("chip");
}
