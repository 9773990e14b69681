/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRESTLE_PLUGIN_SYMBOL_H
#define TRESTLE_PLUGIN_SYMBOL_H

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* Where a symbol of QEMU's is, or NULL. */
#ifdef TRESTLE_IN_TREE
#define SYMBOL(name)                                                      \
    ({                                                                    \
        extern char symbol_##name[] __asm__(#name) __attribute__((weak)); \
        (void *)symbol_##name;                                            \
    })
#else
#define SYMBOL(name) dlsym(RTLD_DEFAULT, #name)
#endif

/* ISO C has no conversion from an object pointer to a function pointer; POSIX has this one. False:
 * there is no symbol. */
static inline bool symbol_set(void *ret_function, void *symbol)
{
    memcpy(ret_function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

#endif
