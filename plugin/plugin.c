/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMU's -plugin finds: the two symbols of its plugin interface, and the plugin's arguments.
 * -plugin is read before the machine exists, which is when a device type has to be registered. */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "idle.h"
#include "say.h"
#include "warp.h"

#define EXPORT __attribute__((visibility("default")))

extern int qemu_plugin_version;
int qemu_plugin_install(uint64_t id, const struct qemu_plugin_info *info, int argc, char **argv);

/* QEMU reads it when the constructor below has run. */
EXPORT int qemu_plugin_version = 1;

static bool exit_when_idle;

__attribute__((constructor)) static void resolve_qemu(void)
{
    const char *missing;
    int r = qemu_abi_resolve(&missing);
    if (r == 0)
        qemu_plugin_version = qemu_plugin_interface();
    else if (r == -ENOTSUP && qemu.qmp_query_version)
        refuse("QEMU %d.%d does not export %s; use a distribution's QEMU, 7.2 or later",
               (int)qemu.qmp_query_version(NULL)->number->major,
               (int)qemu.qmp_query_version(NULL)->number->minor, missing);
    else if (r == -ENOTSUP)
        refuse("this QEMU exports no internal functions (%s is missing); use a system emulator "
               "built with modules, such as a distribution's, 7.2 or later",
               missing);
}

static void on_machine_complete(struct qemu_notifier *notifier, void *data)
{
    (void)notifier;
    (void)data;
    device_start_all();
    warp_start();
    idle_watch(exit_when_idle);
}

static void read_argument(const char *argument)
{
    if (strcmp(argument, "on_idle=exit") == 0)
        exit_when_idle = true;
    else if (strcmp(argument, "on_idle=say") == 0)
        exit_when_idle = false;
    else
        refuse("-plugin has an argument '%s'; known are on_idle=say and on_idle=exit", argument);
}

EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_plugin_info *info, int argc,
                               char **argv)
{
    static struct qemu_notifier machine_complete = {.notify = on_machine_complete};
    (void)id;
    for (int i = 0; i < argc; i++)
        read_argument(argv[i]);
    device_register(info->target_name);
    qemu.qemu_add_machine_init_done_notifier(&machine_complete);
    return 0;
}
