/* SPDX-License-Identifier: MIT */
/* What both ends of a control socket know. */
#ifndef CLI_CONTROL_WIRE_H
#define CLI_CONTROL_WIRE_H

/* Of a line, its newline included. */
#define CONTROL_LINE_MAX 4096

enum control_status {
    CONTROL_OK,
    CONTROL_FAILED, /* what the devices did was not what was asked for */
    CONTROL_WRONG,  /* the line says nothing that can be done */
    CONTROL_QUIT,   /* done, and nothing more is to come */
    CONTROL_STATUSES,
};

static const char *const control_status_names[CONTROL_STATUSES] = {"ok", "failed", "wrong", "quit"};

#endif
