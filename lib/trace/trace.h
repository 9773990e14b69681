/* SPDX-License-Identifier: MIT */
/*
 * Records of what passed between devices and the rest of the world, and the reader of trace files.
 * docs/trace.md is the normative text of the format.
 *
 * Errors: 0 or negative errno. Where a function takes ret_error (may be NULL), a failure also
 * gives a malloc'd one-line sentence for the user; the caller frees it.
 */
#ifndef TRESTLE_TRACE_TRACE_H
#define TRESTLE_TRACE_TRACE_H

#include <stdio.h>

#include "trestle/registers.h"
#include "trestle/sim.h"

enum trestle_trace_kind {
    /* An access begins. number: region; addr: offset in the region; size: bytes; data: what a write
     * writes. */
    TRESTLE_TRACE_READ = 1,
    TRESTLE_TRACE_WRITE = 2,
    /* The device's access ends. status; data: what a read has read. */
    TRESTLE_TRACE_ANSWER = 3,
    /* number: line; data: its new level, 0 or 1. */
    TRESTLE_TRACE_IRQ = 4,
    /* The device was reset. number: enum trestle_trace_reset. */
    TRESTLE_TRACE_RESET = 5,
    /* Messages between linked devices. number: port; bytes, size. */
    TRESTLE_TRACE_SEND = 6,
    TRESTLE_TRACE_RECEIVE = 7,
    /* The device starts a transfer from (READ) or to (WRITE) guest memory. number: the transfer's
     * own, the low half of the id that the host gets; no other transfer under way has it. addr:
     * guest-physical; data: bytes in all. */
    TRESTLE_TRACE_DMA_READ = 8,
    TRESTLE_TRACE_DMA_WRITE = 9,
    /* The next bytes of a transfer. They come when a write starts, and when a read ends with
     * success. number; bytes, size. */
    TRESTLE_TRACE_DMA_DATA = 10,
    /* A transfer ended. REFUSED: it never was under way. number, status. */
    TRESTLE_TRACE_DMA_END = 11,
    TRESTLE_TRACE_DMA_REFUSED = 12,
    /* Input from outside, by trestle_device_input(). bytes, size. */
    TRESTLE_TRACE_INPUT = 13,
};

enum trestle_trace_reset {
    TRESTLE_TRACE_RESET_GUEST = 0, /* with the guest, or because the guest is gone */
    TRESTLE_TRACE_RESET_ALONE = 1, /* the guest has reset this device alone */
};

/* The longest DMA_DATA, in bytes. */
#define TRESTLE_TRACE_DATA_MAX 32768

/* Fields that the kind does not name are 0. */
struct trestle_trace_record {
    enum trestle_trace_kind kind;
    uint32_t device;         /* the device's place in the header */
    trestle_time time;       /* of the engine; never less than in the record before */
    trestle_time guest_time; /* at most time; TRESTLE_TIME_NEVER: not known (protocol 1) */
    uint32_t number;
    uint32_t size;
    uint64_t addr, data;
    int status; /* 0 or negative errno */
    const uint8_t *bytes;
};

struct trestle_trace_device {
    const char *name;
    /* A bundled model's name, or the file from which a model was loaded. "": another process serves
     * the device, and nothing of the device is in the trace. */
    const char *model;
    uint64_t base_addr, size;
    const struct trestle_param *params;
    size_t num_params;
    /* The device's table of registers. A trace has names, places and fields only. */
    const struct trestle_register *registers;
    size_t num_registers;
    const uint8_t *row_regions; /* each row's region; NULL: all rows are in the first */
};

struct trestle_trace_link {
    uint32_t devices[2], ports[2];
    trestle_time latency;
};

struct trestle_trace_header {
    const struct trestle_trace_device *devices;
    size_t num_devices;
    const struct trestle_trace_link *links;
    size_t num_links;
};

/* --- reading -------------------------------------------------------------------------------- */

/* A reader checks every byte of the file: any input gives records or an error, never worse. It
 * needs at most the length of the file and some MiB of memory. */
struct trestle_trace_reader;

/* Reads the header. The file may be a pipe. The caller keeps it, and leaves it alone until the
 * reader is closed. -EPROTO: the file is not a trace, or a damaged one. -ENODATA: the file is cut
 * off. -EIO, -ENOMEM. */
TRESTLE_CHECK int trestle_trace_open(FILE *file, struct trestle_trace_reader **ret_reader,
                                     char **ret_error);
/* Valid as long as the reader. */
const struct trestle_trace_header *trestle_trace_header(const struct trestle_trace_reader *reader);
/* 1: a record, whose bytes are valid until the next call. 0: the trace has ended in good order.
 * Errors as above; *ret_error names the byte. After 0 or an error, further calls return the same,
 * without a sentence. */
TRESTLE_CHECK int trestle_trace_next(struct trestle_trace_reader *reader,
                                     struct trestle_trace_record *ret_record, char **ret_error);
/* The number of records read so far, and their hash. */
uint64_t trestle_trace_count(const struct trestle_trace_reader *reader);
uint64_t trestle_trace_hash(const struct trestle_trace_reader *reader);
/* NULL is fine. */
void trestle_trace_close(struct trestle_trace_reader *reader);

/* "read", "dma write"; never NULL. */
const char *trestle_trace_kind_name(enum trestle_trace_kind kind);

#endif
