/* SPDX-License-Identifier: MIT */
/* What run, serve and device share: the bridge made from a configuration, its log on standard
 * error, the signals that end it, and its statistics. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <signal.h>

#include "config/config.h"
#include "run/keeper.h"
#include "run/own.h"
#include "run/stats.h"

struct run_options {
    int verbosity;          /* 0: warnings; 1: what happens once; 2: every access */
    const char *socket_dir; /* for devices without a path; NULL: a private directory */
    const char *control;    /* where to listen for trestle poke --attach; NULL: nowhere */
    int control_fd;         /* not 0: the socket that listens there, inherited */
    const char *trace;      /* a file for all that passes; NULL: none */
    bool run_hash;          /* computed, also without a trace and without icount */
    bool without_shm;       /* there is none, which was said */
    enum trestle_wait wait;
    const char *process;  /* what the run that started this one calls it; NULL: this is the run */
    bool has_no_watchdog; /* somebody may have stopped the models, and looks at them */
    /* For models that do not begin: when the run ends all the same, by clock_ns(), and what says
     * so. 0: never. */
    uint64_t deadline_ns;
    const char *deadline_what;
    /* When a model's callback does not return, crashes or calls exit(): ends what the run has
     * started, and says what it has served. The models are not called any more. */
    void (*clean_up)(void *ctx);
    void (*lose)(void *ctx); /* in place of that, if the model is in its fini(); NULL: nothing */
    void *ctx;
};

struct run {
    const struct config *config;
    char ends[80]; /* with a model that crashes: "the run", "the process of uart0" */
    struct trestle_bridge *bridge;
    struct own_processes *own;               /* of devices in processes of their own */
    const char *control_path;                /* or NULL */
    struct live *live;                       /* the control socket, or NULL */
    const char *trace_path;                  /* or NULL */
    struct trestle_bridge_trace_stats trace; /* once it has ended */
    struct host_end *host_ends;              /* of each device */
    pid_t keeper;                            /* 0: none */
    int verbosity;
    int64_t watchdog_ms;  /* of all processes; 0: none */
    uint64_t deadline_ns; /* of the beginning */
    int signal_fd;
    int signal;            /* the first that came, or 0 */
    unsigned signals_seen; /* a second one means: at once */
    bool has_lost;         /* after run_finish(): a model has failed at its end, and said so */
};

/* The files of --stats and --trace, or NULL: -EINVAL with the line where they cannot be. */
int run_check_outputs(const struct config *config, const char *stats, const char *trace,
                      char **ret_error);
/* Devices and links, not listening yet. -EINVAL with the line. From here on SIGINT, SIGTERM and
 * SIGHUP only set run->signal. */
int run_init(struct run *run, const struct config *config, const struct run_options *options,
             char **ret_error);
int run_listen(struct run *run, char **ret_error);
/* Looks for signals that came since the last poll. */
void run_read_signals(struct run *run);
/* At most one line to the log, when verbosity is at least level's. */
void run_log(struct run *run, enum trestle_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* That trestle_bridge_poll() failed. */
void run_complain_poll(struct run *run, int status);
/* All that clean_up() has to do for the run itself: its processes, its sockets. */
void run_abandon(struct run *run);
/* Nothing of what comes is traced any more; once is enough. */
void run_end_trace(struct run *run);
/* Removes the sockets, and ends all processes that are left of the run. A run of zeroes is fine. */
void run_finish(struct run *run);

/* $XDG_RUNTIME_DIR or $TMPDIR where they can be used, or NULL, and a line if one cannot. */
const char *runtime_dir(void);

#endif
