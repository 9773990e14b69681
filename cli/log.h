/* SPDX-License-Identifier: MIT */
/*
 * Standard error, in a way that never holds up who writes to it: what its reader does not take at
 * once waits in a buffer, and what does not fit there is counted and said once there is room. From
 * any thread.
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
/* Waits for a reader that still takes what was written, for as long as it does. Then whatever it
 * has not taken is lost with the process. */
void log_end(void);

#endif
