/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu_abi.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

struct qemu_abi qemu;

/* Every QEMU that loads plugins exports this, modules or not. */
#define ANY_QEMU "qemu_plugin_register_vcpu_init_cb"

/* ISO C has no conversion from an object pointer to a function pointer; POSIX has this one. */
static bool find(const char *name, void *ret_function)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(ret_function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

int qemu_abi_resolve(const char **ret_missing)
{
    if (!dlsym(RTLD_DEFAULT, ANY_QEMU))
        return -ENOEXEC;
#define QEMU_FIND(type, name, params) \
    if (!find(#name, &qemu.name)) {   \
        *ret_missing = #name;         \
        return -ENOTSUP;              \
    }
    QEMU_FUNCTIONS(QEMU_FIND)
#undef QEMU_FIND
    if (!find("bql_lock_impl", &qemu.bql_lock))
        find("qemu_mutex_lock_iothread_impl", &qemu.bql_lock);
    if (!find("bql_unlock", &qemu.bql_unlock))
        find("qemu_mutex_unlock_iothread", &qemu.bql_unlock);
    qemu.address_space_memory = dlsym(RTLD_DEFAULT, "address_space_memory");
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
    const bool *kvm_allowed = dlsym(RTLD_DEFAULT, "kvm_allowed");
    bool x86 = strcmp(target_name, "x86_64") == 0 || strcmp(target_name, "i386") == 0;
    return !x86 && !(kvm_allowed && *kvm_allowed);
}

bool qemu_counts_instructions(void)
{
    const int *use_icount = dlsym(RTLD_DEFAULT, "use_icount");
    return !use_icount || *use_icount != 0;
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
