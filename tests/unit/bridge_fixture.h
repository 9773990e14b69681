/* SPDX-License-Identifier: MIT */
/* A live bridge and raw clients of it, driven from one thread: nothing here waits for time, only
 * for what the bridge does when it is polled. */
#ifndef TRESTLE_TESTS_BRIDGE_FIXTURE_H
#define TRESTLE_TESTS_BRIDGE_FIXTURE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "trestle/bridge.h"
#include "trestle/wire.h"

#define BASE UINT64_C(0x10200000)
#define STRIDE UINT64_C(0x100000)

/* Registers of the test's model; all widths. */
enum {
    REG_VALUE = 0x00,    /* 8 bytes of memory */
    REG_DEFERRED = 0x08, /* read: answered 500 ns later with 0xdef */
    REG_NEVER = 0x10,    /* read: answered never, but by a reset */
    REG_FAIL = 0x18,     /* refused */
    REG_RESETS = 0x20,   /* how often the device was reset */
    REG_IRQ = 0x28,      /* write: the level of line 0 */
    REG_TIMER = 0x30,    /* write: so many nanoseconds later, line 1 goes up */
    REG_DMA = 0x38, /* write: copies so many bytes from DMA_FROM to DMA_TO in guest memory, then
                     * line 0 goes up */
    REG_DMA_STATUS = 0x40, /* read: minus what dma_done() said, or 1 while it runs */
    REG_END = 0x48,
};

#define DMA_FROM UINT64_C(0x80000100)
#define DMA_TO UINT64_C(0x80080000)
#define DMA_MAX 0x40000u

extern const struct trestle_model memory_model;

struct fixture {
    struct trestle_bridge *bridge;
    char log[16384];
};

/* Of the last device; a test may choose another before the bridge is opened. */
extern const struct trestle_model *last_model;

/* Where the first device is; likewise. */
extern uint64_t first_base;
/* How many of the lines lead somewhere. */
extern uint32_t lines_that_lead;

/* How the bridge waits; likewise. */
extern enum trestle_wait fixture_wait;

void fixture_log(void *ctx, enum trestle_log_level level, const char *text);
void add_devices(struct fixture *f, unsigned count);
int open_fixture(void **state);
int close_fixture(void **state);
void turn(struct fixture *f);
bool log_has(const struct fixture *f, const char *text);

#define assert_log_has(f, text)                                        \
    do {                                                               \
        if (!log_has(f, text))                                         \
            fail_msg("\"%s\" is not in the log:\n%s", text, (f)->log); \
    } while (0)

/* Polls until the log has the text: what the bridge says is the event that tests wait for. */
void wait_for_log(struct fixture *f, const char *text);
int client_connect(struct fixture *f, uint32_t index);
void client_send(int fd, const void *bytes, size_t size);

/* Polls until `size` bytes are there. False: end of file came first. */
bool client_receive(struct fixture *f, int fd, void *bytes, size_t size);
bool client_is_closed(struct fixture *f, int fd);

#endif
