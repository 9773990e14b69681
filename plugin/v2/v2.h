/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wire version 2, shared by its files, each of which calls only those before it: members.c knows
 * who is in which session, session.c carries messages, handshake.c makes connections, clockwork.c
 * does what no access asks for, v2.c is what an access sees.
 *
 * All of it runs under QEMU's big lock: so there is one request under way, and one producer in
 * a session's ring.
 */
#ifndef TRESTLE_PLUGIN_V2_H
#define TRESTLE_PLUGIN_V2_H

#include "ipc/channel.h"
#include "plugin/device/device.h"
#include "plugin/device/recovery.h"
#include "plugin/device/watch.h"

enum debt {
    OWES_NOTE = 1,  /* an access was given up */
    OWES_RESET = 2, /* the guest has reset the device */
    OWES_BUS = 4,   /* what it may transfer has changed */
};

/* One device's connection. */
struct v2 {
    struct sst_device *dev;
    struct recovery recovery;
    struct ipc_wait wait;
    struct stream socket;    /* its fd is -1 when DOWN */
    struct channel own;      /* over the socket */
    struct channel *channel; /* UP and LATE: what its messages take, own or the session's ring */
    struct watched watched;  /* the socket, unless an access waits at it */
    struct session *session; /* UP and LATE */
    struct v2 *next;         /* in the session */
    uint32_t index;          /* what the session calls this device */
    uint64_t late_id;        /* LATE: the request whose answer is overdue */
    bool is_busy;            /* release_lock: an access is under way */
    bool no_shm;             /* carrier=auto: sockets it is */
    unsigned owes;           /* enum debt: what the other side has not been told yet */
    bool told_no_reset;      /* that the other side does not know the reset of one device */
};

/* What this QEMU shares with one process of devices. Ends with its last device. */
struct session {
    struct session *next_session;
    uint8_t id[TRESTLE_V2_ID_SIZE];
    uint32_t features;
    struct v2 *devices;    /* a list, and the same by number: NULL where there is none */
    struct v2 **by_number; /* room for num_numbers */
    uint32_t num_numbers;
    uint64_t last_id;
    trestle_time next;    /* guest time of the engine's next event, for which the timer is armed */
    struct v2 *posted_on; /* sockets: who has posted writes that nobody has seen done */
    struct v2 *asked_via; /* who was sent what concerns the session as a whole, or NULL */
    uint64_t asked_id;
    bool serves_dma;
    bool is_inline; /* the other side is in this process, and works when it is let */
    bool has_kept;
    struct trestle_v2_message kept; /* inline: an answer that nobody has waited for yet */
    bool has_heard;      /* the doorbell was emptied: what has come does not ring again */
    bool expects_late;   /* the answer to an access that was given up rings the doorbell */
    bool listens;        /* the other side may have something to say that nobody has asked for */
    struct channel ring; /* closed: each device has its own channel */
    struct watched doorbell; /* listens, and has a ring: unless an access sleeps at it */
    char why[64];            /* how the other side broke the protocol */
    bool has_ram;            /* the other side was handed the guest's RAM, if it wants it */
    alignas(64) unsigned char timer[QEMU_TIMER_BYTES]; /* QEMUTimer */
};

/* --- members.c ---------------------------------------------------------------------------------
 */

/* Once, before the first connection. due: the time of a session's `next` has come. */
void sessions_start(void (*due)(void *session));
/* The first of all sessions. */
struct session *session_first(void);
/* NULL: nobody has that number. */
static inline struct v2 *session_device(const struct session *session, uint32_t number)
{
    return number < session->num_numbers ? session->by_number[number] : NULL;
}
/* Arms the timer for a time of the guest's, or disarms it. */
void session_set_next(struct session *session, trestle_time next);
/* The device joins the session that the other side's answer names. Takes the descriptors, on
 * failure too. */
int session_join(struct v2 *v2, const struct trestle_v2_welcome *welcome, const int *fds,
                 size_t num_fds);
/* Closes the connection and leaves the session, which ends with its last device. Fine when DOWN. */
void v2_disconnect(struct v2 *v2);
/* A request has failed: what becomes of the connection, and what the user hears. */
void v2_failed(struct v2 *v2, uint64_t id, int error);
/* The end of the connection was seen while nobody waited for the device. */
void v2_hung_up(struct v2 *v2);
/* The same for all of a session, which is gone then: its doorbell was closed. */
void v2_session_hung_up(struct session *session);

/* --- session.c ---------------------------------------------------------------------------------
 */

/* Sends a request of the device, whose id is set here. */
int session_send(struct v2 *v2, struct trestle_v2_message *message);
/* Sends it and waits for its answer, as session_await() does. */
int session_ask(struct v2 *v2, struct trestle_v2_message *message,
                struct trestle_v2_message *ret_reply);
/* Tells the session that QEMU ends, without waiting for anything. */
void session_say_goodbye(struct v2 *v2);
/* Waits for the answer to a request, for the device's time-out at most, and serves whatever else
 * comes meanwhile. -ETIMEDOUT. -ECONNRESET: this device is gone. -EPROTO: the other side broke the
 * protocol. */
int session_await(struct v2 *v2, uint64_t id, struct trestle_v2_message *ret_reply);
/* Takes what has come, without waiting, but not for long: 1 when there may be more. -ECONNRESET and
 * -EPROTO as above. */
int session_drain(struct v2 *v2);
/* Of all that are inline: takes what has come. */
void sessions_take_turn(void);
/* Lets QEMU's main loop look after the descriptors of a device that has joined its session, the
 * first one with the session's doorbell. */
int session_watch(struct v2 *v2);

/* --- handshake.c -------------------------------------------------------------------------------
 */

/* Connects, and joins the session that the device's process is in. *ret_what: what went wrong, for
 * the user. */
int v2_connect(struct v2 *v2, const char **ret_what);
/* The same for many, which wait at the same time; tells of each. */
void v2_connect_all(struct v2 **v2s, size_t count,
                    void (*done)(struct v2 *v2, int result, const char *what));

/* --- clockwork.c -------------------------------------------------------------------------------
 */

/* Once, before the first connection: sessions hear of resets, of time and of QEMU's end. */
void clockwork_start(void);

/* --- v2.c ---------------------------------------------------------------------------------------
 */

/* Once, when all devices are there: makes their connections. */
void v2_start_all(void);

#endif
