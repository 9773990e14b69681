/* SPDX-License-Identifier: MIT */
/* What run, serve and device share: the bridge made from a configuration, its log on standard
 * error, the signals that end it, and its statistics. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <signal.h>

#include "config/config.h"
#include "run/own.h"
#include "run/stats.h"

struct session_options {
    int verbosity;          /* 0: warnings; 1: what happens once; 2: every access */
    const char *socket_dir; /* for devices without a path; NULL: a private directory */
    const char *trace;      /* a file for all that passes; NULL: none */
    bool run_hash;          /* computed, also without a trace and without icount */
    enum trestle_wait wait;
};

struct session {
    const struct config *config;
    struct trestle_bridge *bridge;
    struct own_processes *own;               /* of devices in processes of their own */
    const char *trace_path;                  /* or NULL */
    struct trestle_bridge_trace_stats trace; /* once it has ended */
    int verbosity;
    int signal_fd;
    int signal;            /* the first that came, or 0 */
    unsigned signals_seen; /* a second one means: at once */
};

/* Devices and links, not listening yet. -EINVAL with the line. From here on SIGINT, SIGTERM and
 * SIGHUP only set session->signal. */
int session_init(struct session *session, const struct config *config,
                 const struct session_options *options, char **ret_error);
int session_listen(struct session *session, char **ret_error);
/* Looks for signals that came since the last poll. */
void session_read_signals(struct session *session);
/* At most one line to the log, when verbosity is at least level's. */
void session_log(struct session *session, enum trestle_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Nothing of what comes is traced any more; once is enough. */
void session_end_trace(struct session *session);
/* Removes the sockets. A session of zeroes is fine. */
void session_finish(struct session *session);

/* $XDG_RUNTIME_DIR where it can be used, or NULL. */
const char *runtime_dir(void);

#endif
