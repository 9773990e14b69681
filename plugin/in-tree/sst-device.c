/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one file that sees QEMU's headers: where a plugin is asked to install itself, a type of
 * QEMU's own tree is registered with the others. */
#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/module.h"

#include "plugin/qemu/start.h"

static void register_types(void)
{
    trestle_resolve();
    trestle_start(TARGET_NAME);
}

type_init(register_types)
