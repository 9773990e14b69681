/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices that a device went away while nobody waits for it. One epoll descriptor hangs in QEMU's
 * main loop for all devices: it costs nothing until one does go. */
#ifndef TRESTLE_PLUGIN_HANGUP_H
#define TRESTLE_PLUGIN_HANGUP_H

struct v2;

int hangup_watch(struct v2 *v2);
void hangup_unwatch(int fd);

#endif
