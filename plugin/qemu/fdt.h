/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flattened device tree that QEMU makes for the guest, and libfdt as QEMU has loaded it. */
#ifndef TRESTLE_PLUGIN_FDT_H
#define TRESTLE_PLUGIN_FDT_H

#include <stdbool.h>
#include <stdint.h>

/* F(return type, name, parameters); negative results are errors, -1 of a search: not found. */
#define FDT_FUNCTIONS(F)                                                     \
    F(int, fdt_check_header, (const void *))                                 \
    F(int, fdt_path_offset, (const void *, const char *))                    \
    F(int, fdt_subnode_offset, (const void *, int, const char *))            \
    F(int, fdt_add_subnode, (void *, int, const char *))                     \
    F(int, fdt_setprop, (void *, int, const char *, const void *, int))      \
    F(const void *, fdt_getprop, (const void *, int, const char *, int *))   \
    F(int, fdt_node_offset_by_compatible, (const void *, int, const char *)) \
    F(uint32_t, fdt_get_phandle, (const void *, int))                        \
    F(int, fdt_address_cells, (const void *, int))                           \
    F(int, fdt_size_cells, (const void *, int))                              \
    F(const char *, fdt_strerror, (int))

struct fdt_functions {
#define FDT_MEMBER(type, name, params) type(*name) params;
    FDT_FUNCTIONS(FDT_MEMBER)
#undef FDT_MEMBER
};

/* Filled by fdt_find(). */
extern struct fdt_functions fdt;

/* The machine's tree, or NULL: it makes none, or one that cannot be written to. */
void *fdt_find(void);

#endif
