/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the device tree of QEMU's machine. */
#include "plugin/qemu/fdt.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "plugin/qemu/qemu_abi.h"

struct fdt_functions fdt;

static bool find_functions(void)
{
    void *symbol;
#define FDT_FIND(type, name, params)     \
    symbol = dlsym(RTLD_DEFAULT, #name); \
    if (!symbol)                         \
        return false;                    \
    memcpy(&fdt.name, &symbol, sizeof(symbol));
    FDT_FUNCTIONS(FDT_FIND)
#undef FDT_FIND
    return true;
}

void *fdt_find(void)
{
    if (!find_functions())
        return NULL;
    void *tree = qemu_machine_tree();
    return tree && fdt.fdt_check_header(tree) == 0 ? tree : NULL;
}
