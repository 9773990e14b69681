/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolves what the plugin needs of QEMU, and starts the plugin's parts when the machine exists. */
#include "plugin/qemu/start.h"

#include <errno.h>

#include "plugin/device/device.h"
#include "plugin/device/pci.h"
#include "plugin/device/report.h"
#include "plugin/qemu/idle.h"
#include "plugin/qemu/owner.h"
#include "plugin/qemu/say.h"
#include "plugin/qemu/warp.h"

static bool exit_when_idle, reports_board;

void trestle_exit_when_idle(bool yes)
{
    exit_when_idle = yes;
}

void trestle_report_board(void)
{
    reports_board = true;
}

bool trestle_resolve(void)
{
    const char *missing;
    int r = qemu_abi_resolve(&missing);
    if (r == -ENOTSUP && qemu.qmp_query_version)
        refuse("QEMU %d.%d does not export %s; use a distribution's QEMU, 7.2 or later",
               (int)qemu.qmp_query_version(NULL)->number->major,
               (int)qemu.qmp_query_version(NULL)->number->minor, missing);
    if (r == -ENOTSUP)
        refuse("this QEMU exports no internal functions (%s is missing); use a system emulator "
               "built with modules, such as a distribution's, 7.2 or later, or build the device "
               "into QEMU (plugin/in-tree)",
               missing);
    return r == 0;
}

static void on_machine_complete(struct qemu_notifier *notifier, void *data)
{
    (void)notifier;
    (void)data;
    if (reports_board)
        report_board();
    owner_watch();
    device_start_all();
    pci_start();
    warp_start();
    idle_watch(exit_when_idle);
}

void trestle_start(const char *target_name)
{
    static struct qemu_notifier machine_complete = {.notify = on_machine_complete};
    device_register(target_name);
    pci_register();
    qemu.qemu_add_machine_init_done_notifier(&machine_complete);
}
