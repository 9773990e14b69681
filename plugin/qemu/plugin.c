/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMU's -plugin finds: the two symbols of its plugin interface, and the plugin's arguments.
 * -plugin is read before the machine exists, which is when a device type has to be registered. */
#include <string.h>

#include "plugin/qemu/owner.h"
#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/say.h"
#include "plugin/qemu/start.h"
#include "plugin/v2/inline.h"

#define EXPORT __attribute__((visibility("default")))

extern int qemu_plugin_version;
int qemu_plugin_install(uint64_t id, const struct qemu_plugin_info *info, int argc, char **argv);

/* QEMU reads it when the constructor below has run. */
EXPORT int qemu_plugin_version = 1;

__attribute__((constructor)) static void choose_version(void)
{
    if (trestle_resolve())
        qemu_plugin_version = qemu_plugin_interface();
}

static void read_argument(const char *argument)
{
    if (strcmp(argument, "on_idle=exit") == 0)
        trestle_exit_when_idle(true);
    else if (strcmp(argument, "on_idle=say") == 0)
        trestle_exit_when_idle(false);
    else if (strcmp(argument, "report=board") == 0)
        trestle_report_board();
    else if (!(strncmp(argument, "owner=", 6) == 0 && owner_set(argument + 6)) &&
             !(strncmp(argument, "inline=", 7) == 0 && inline_set(argument + 7)))
        refuse("-plugin has an argument '%s'; known are on_idle=say and on_idle=exit, and "
               "what trestle adds, owner=PID:START:NAMESPACE, inline=IN,OUT:PATH and report=board",
               argument);
}

EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_plugin_info *info, int argc,
                               char **argv)
{
    (void)id;
    for (int i = 0; i < argc; i++)
        read_argument(argv[i]);
    trestle_start(info->target_name);
    return 0;
}
