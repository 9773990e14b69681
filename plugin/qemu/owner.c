/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends QEMU with the run that started it. */
#include "plugin/qemu/owner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/pidfd.h>

#include "base/process.h"
#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/say.h"

#define EXIT_WITHOUT_OWNER 1
#define START_TOLERANCE 500 /* ticks of the kernel, 10 ms each */

static int pid;
static uint64_t start, namespace;

bool owner_set(const char *value)
{
    char rest;
    return sscanf(value, "%d:%" SCNu64 ":%" SCNu64 "%c", &pid, &start, &namespace, &rest) == 3 &&
           pid > 0;
}

/* Not exit(): QEMU would wait for threads that may wait for devices that are gone. */
static void on_gone(void *opaque)
{
    (void)opaque;
    say("the run that started this QEMU is gone; this QEMU ends");
    _exit(EXIT_WITHOUT_OWNER);
}

/* Another process of the same number started later, or not at all. Under an emulator of programs
 * (qemu-user) the run sees a start of its own making, a moment off or 0. */
static bool is_same_start(uint64_t seen)
{
    uint64_t apart = seen > start ? seen - start : start - seen;
    return start == 0 || apart <= START_TOLERANCE;
}

void owner_watch(void)
{
    struct process_info info;
    /* In a container of its own, QEMU cannot see the run. */
    if (pid == 0 || process_namespace() != namespace)
        return;
    int fd = pidfd_open(pid, 0);
    if (fd < 0 && errno != ESRCH)
        return;
    if (fd < 0 || !process_look(pid, &info) || !is_same_start(info.start))
        on_gone(NULL);
    qemu.qemu_set_fd_handler(fd, on_gone, NULL, NULL);
}
