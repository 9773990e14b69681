/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the functions and offsets of the QEMU that has loaded the plugin. */
#include "plugin/qemu/qemu_abi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/qemu/symbol.h"

struct qemu_abi qemu;

/* Every QEMU that loads plugins exports this, modules or not. */
#ifdef TRESTLE_IN_TREE
#define IS_QEMU true
#else
#define IS_QEMU (SYMBOL(qemu_plugin_register_vcpu_init_cb) != NULL)
#endif

int qemu_abi_resolve(const char **ret_missing)
{
    if (!IS_QEMU)
        return -ENOEXEC;
#define QEMU_FIND(type, name, params)            \
    if (!symbol_set(&qemu.name, SYMBOL(name))) { \
        *ret_missing = #name;                    \
        return -ENOTSUP;                         \
    }
    QEMU_FUNCTIONS(QEMU_FIND)
#undef QEMU_FIND
    if (!symbol_set(&qemu.bql_lock, SYMBOL(bql_lock_impl)))
        symbol_set(&qemu.bql_lock, SYMBOL(qemu_mutex_lock_iothread_impl));
    if (!symbol_set(&qemu.bql_unlock, SYMBOL(bql_unlock)))
        symbol_set(&qemu.bql_unlock, SYMBOL(qemu_mutex_unlock_iothread));
    qemu.address_space_memory = SYMBOL(address_space_memory);
    if (!qemu.address_space_memory) {
        *ret_missing = "address_space_memory";
        return -ENOTSUP;
    }
    qemu.version = qemu.qmp_query_version(NULL); /* kept for the life of the process */
    return 0;
}

static bool version_is_at_least(int64_t major, int64_t minor)
{
    return qemu.version->number->major > major ||
           (qemu.version->number->major == major && qemu.version->number->minor >= minor);
}

/* The part of the plugin interface that is used here has never changed. 7.2 takes 1, 10.0 takes 2
 * to 4 and 11.1 takes 7 alone. */
int qemu_plugin_interface(void)
{
    if (version_is_at_least(11, 0))
        return 7;
    return version_is_at_least(9, 0) ? 2 : 1;
}

/* x86 has none. KVM drops the result of an access on every architecture. */
bool qemu_guest_has_bus_faults(const char *target_name)
{
    const bool *kvm_allowed = SYMBOL(kvm_allowed);
    bool x86 = strcmp(target_name, "x86_64") == 0 || strcmp(target_name, "i386") == 0;
    return !x86 && !(kvm_allowed && *kvm_allowed);
}

bool qemu_guest_is_big_endian(const char *target_name)
{
    static const char *const names[] = {"hppa",  "m68k",    "microblaze", "mips",  "mips64",
                                        "or1k",  "ppc",     "ppc64",      "s390x", "sh4eb",
                                        "sparc", "sparc64", "xtensaeb"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], target_name) == 0)
            return true;
    return false;
}

bool qemu_counts_instructions(void)
{
    const int *use_icount = SYMBOL(use_icount);
    return !use_icount || *use_icount != 0;
}

/* From 11.1 on no function tells it, but a variable. 0: it is not as expected. */
static size_t target_page_size(void)
{
    const struct {
        bool is_decided;
        int bits;
        uint64_t mask;
    } *page = SYMBOL(target_page);
    bool is_known = page && page->bits >= 10 && page->bits <= 16 &&
                    page->mask == UINT64_MAX << (unsigned)page->bits;
    return is_known ? (size_t)1 << page->bits : 0;
}

/* QEMU counts the parts of its memory map in what is left of a page's address, and aborts when they
 * are more. The machine's own are some hundred at most. */
unsigned qemu_max_regions(void)
{
    size_t (*page_size)(void) = SYMBOL(qemu_target_page_size);
    /* From 9.2 on it is no function; so many pages make a page of MiB. */
    size_t (*pages_to_mib)(size_t) = SYMBOL(qemu_target_pages_to_MiB);
    size_t size = page_size      ? page_size()
                  : pages_to_mib ? pages_to_mib((size_t)1 << 20)
                                 : target_page_size();
    size = size ? size : 1024;
    return (unsigned)size / 4 * 3;
}

/* The first member behind Object, which has had 40 bytes ever since. */
void *qemu_machine_tree(void)
{
    void *tree;
    memcpy(&tree, (char *)qemu.qdev_get_machine() + 40, sizeof(tree));
    return tree;
}

bool qemu_has_dtb(void)
{
    char *path = qemu.object_property_get_str(qemu.qdev_get_machine(), "dtb", NULL);
    bool has_path = path && *path;
    free(path); /* glib's memory is malloc's */
    return has_path;
}

bool qemu_has_acpi(void)
{
    struct qemu_object *machine = qemu.qdev_get_machine();
    if (!SYMBOL(acpi_table_add) || !qemu.object_property_find(machine, "acpi"))
        return false;
    char *use = qemu.object_property_get_str(machine, "acpi", NULL);
    bool has_acpi = use && strcmp(use, "off") != 0;
    free(use);
    return has_acpi;
}

int qemu_add_acpi_table(const char *path, const char **ret_error)
{
    void *(*find)(const char *) = NULL;
    void *(*parse)(void *, const char *, bool) = NULL;
    void (*add)(const void *, struct qemu_error **) = NULL;
    struct qemu_error *error = NULL;
    char option[128];
    *ret_error = "it does not export what is needed";
    if (!symbol_set(&find, SYMBOL(qemu_find_opts)) ||
        !symbol_set(&parse, SYMBOL(qemu_opts_parse_noisily)) ||
        !symbol_set(&add, SYMBOL(acpi_table_add)))
        return -1;
    snprintf(option, sizeof(option), "file=%s", path);
    void *list = find("acpi"), *parsed = list ? parse(list, option, true) : NULL;
    if (!parsed)
        return -1;
    add(parsed, &error);
    if (error)
        *ret_error = qemu.error_get_pretty(error);
    return error ? -1 : 0;
}

/* The bit "memory" of MemTxAttrs. */
qemu_attrs qemu_memory_only(void)
{
    return UINT64_C(1) << (version_is_at_least(10, 0) ? 4 : 3);
}

int qemu_add_migration_blocker(struct qemu_error *reason, struct qemu_error **errp)
{
    static struct qemu_error *kept;
    kept = reason;
    /* From 8.2 on QEMU takes the place of the pointer, and clears it when it refuses. */
    void *argument = version_is_at_least(8, 2) ? (void *)&kept : (void *)reason;
    return qemu.migrate_add_blocker(argument, errp) < 0 ? -1 : 0;
}
