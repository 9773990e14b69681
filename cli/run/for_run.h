/* SPDX-License-Identifier: MIT */
/* trestle device, started by a run for devices in processes of their own. */
#ifndef CLI_FOR_RUN_H
#define CLI_FOR_RUN_H

/* variable is the value of HANDOVER_VARIABLE. Serves until the run ends; returns the exit code. */
int serve_for_run(const char *variable);

#endif
