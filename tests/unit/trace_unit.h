/* SPDX-License-Identifier: MIT */
/* A model that does everything that a trace can have a record of. */
#ifndef TRESTLE_TESTS_TRACE_UNIT_H
#define TRESTLE_TESTS_TRACE_UNIT_H

#include "trace/trace.h"

/* Registers of the test's model. */
enum {
    VALUE = 0x00,   /* memory */
    LATER = 0x04,   /* answered 500 ns later */
    LINE = 0x08,    /* the level of line 0 */
    SAY = 0x0c,     /* a message to the peer */
    FETCH = 0x10,   /* reads that many bytes of guest memory */
    STORE = 0x14,   /* writes them */
    NOTHING = 0x18, /* refused */
};

struct unit {
    struct trestle_request *pending;
    uint8_t buffer[2 * TRESTLE_TRACE_DATA_MAX];
};

extern const struct trestle_model unit_model;

#endif
