/* SPDX-License-Identifier: MIT */
/*
 * The plugin's side of protocol 2 between a QEMU and a process of devices that are this file's. The
 * clock goes on only when the plugin looks at it or waits, and when it waits the process has its
 * turn. What the process hears, and what QEMU is asked for, is noted (notes.h).
 */
#ifndef TRESTLE_TESTS_V2_MACHINE_H
#define TRESTLE_TESTS_V2_MACHINE_H

#include "plugin/v2/v2.h"

enum { V2_DEVICES = 3 };
#define V2_RAM UINT64_C(0x80000000)
#define V2_RAM_SIZE 0x40000u

/* Of all that the plugin may be offered, without shared memory. */
#define V2_FEATURES                                                                 \
    (TRESTLE_V2_FEATURE_POSTED | TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_IRQ | \
     TRESTLE_V2_FEATURE_DMA | TRESTLE_V2_FEATURE_NOTE | TRESTLE_V2_FEATURE_RESET_DEVICE)

struct v2_machine {
    struct sst_device devices[V2_DEVICES];
    unsigned num_devices; /* 2; to be set before v2_machine_start() */

    /* The process. */
    bool is_absent;                        /* nobody listens */
    bool is_mute;                          /* it answers nothing */
    bool has_no_room;                      /* it takes nothing, either */
    struct trestle_v2_welcome welcome;     /* as it answers; size 0: the device's own */
    uint32_t numbers[V2_DEVICES];          /* of the devices */
    uint8_t processes[V2_DEVICES];         /* which of several they are in; over sockets */
    bool no_descriptors, more_descriptors; /* than there should be */
    bool has_halves;                 /* the welcome comes in two pieces, with descriptors each */
    const char *bytes;               /* what it says in place of a welcome */
    bool hangs_up;                   /* once it was greeted */
    struct trestle_v2_message reply; /* to each request: status, data and next */
    unsigned greetings;
    uint8_t clients[8][TRESTLE_V2_ID_SIZE]; /* the identities in them */

    size_t payload_size; /* over a socket: behind the next end of a transfer */
    uint8_t payload[64];

    uint64_t guest_ns;
    uint8_t ram[V2_RAM_SIZE];
    bool has_shared_ram;
};

extern struct v2_machine v2_machine;

/* As before a test: two devices at a process that knows all features but rings. */
void v2_machine_clear(void);
/* Opens the connections. */
void v2_machine_start(void);
/* Ends all, and looks whether anything is left. */
void v2_machine_finish(void);

/* The guest's access. 0, or a negative errno. */
int v2_machine_read(unsigned device, uint64_t offset, uint64_t *ret_data);
int v2_machine_write(unsigned device, uint64_t offset, uint64_t data);

/* The process, between two accesses: takes what has come; says something for a device; sends bytes
 * behind it; ends a connection. */
void v2_machine_serve(void);
void v2_machine_say(unsigned device, struct trestle_v2_message message);
void v2_machine_send(unsigned device, const void *bytes, size_t size);
void v2_machine_hang_up(unsigned device);
/* Rings its doorbell for nothing. */
void v2_machine_ring(void);
/* Of a ring, whose sockets stay open. */
void v2_machine_close_ring(void);
/* Inside QEMU's process: what it is called with, and what it does when it is let. */
int v2_machine_call(void *ctx, const struct trestle_v2_message *message,
                    struct trestle_v2_message *ret_reply);
void v2_machine_let(void *ctx, int timeout_ms);
/* The next time that the plugin waits, `meanwhile` is called in place of the process. */
void v2_machine_next_wait(void (*meanwhile)(void));
/* Where the process has the payload of a transfer. */
uint8_t *v2_machine_bulk(void);

/* QEMU: its main loop has a turn; the guest's timer is due; a reset; the end. */
void v2_machine_main_loop(void);
void v2_machine_due(void);
void v2_machine_reset(void);
void v2_machine_exit(void);
/* The host's time goes on. */
void v2_machine_pass(uint64_t ms);

#endif
