/* SPDX-License-Identifier: MIT */
/*
 * Standard error that never holds up a writer. What its reader does not take at once waits in a
 * buffer. What does not fit there is counted, and a line says so once there is room. From any
 * thread.
 */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* Once, before descriptors run out and are counted. */
void log_begin(void);
/* From here on each line begins with the time of day. */
void log_show_time(void);
bool log_shows_time(void);
/* One line, without its newline; what would break it is replaced. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whole lines, with theirs. */
void log_text(const char *text);
/* Waits as long as a reader still takes what was written. What it has not taken then is lost with
 * the process. */
void log_end(void);

#endif
