/* SPDX-License-Identifier: MIT */
/* The devices of a run while their guest runs, for those who ask on its control socket. */
#ifndef CLI_RUN_LIVE_H
#define CLI_RUN_LIVE_H

struct run;
struct live;

/* Opens the control socket at path, or takes over the one that listens as listen_fd if that is not
 * 0. The run's bridge serves it from then on. The run's devices have been made. -EINVAL with the
 * line. */
int live_start(struct run *run, const char *path, int listen_fd, struct live **ret_live,
               char **ret_error);
/* Removes the file of the socket, from any thread. NULL is fine. */
void live_unlink(const struct live *live);
/* Before the bridge is destroyed. NULL is fine. */
void live_finish(struct live *live);

#endif
