/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that the plugin knows of QEMU's binary interface.
 *
 * A QEMU built with loadable modules, as every distribution builds it, exports its internal
 * functions. The declarations and layouts here were read from QEMU's sources and are the same in
 * 7.2, 10.0 and 11.1; where the versions differ, a function of this file hides it. No QEMU header
 * is needed, and one binary serves all versions and targets. Every function is looked up when the
 * plugin is loaded: a QEMU that lacks one is refused by name then, and nothing can fail later.
 *
 * Everything here is called under QEMU's big lock: from the main thread while the machine is
 * built, from its main loop, or from a vCPU's access.
 */
#ifndef TRESTLE_PLUGIN_QEMU_ABI_H
#define TRESTLE_PLUGIN_QEMU_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* QEMU's own types: pointers to them are passed around, never looked into. */
struct qemu_error;
struct qemu_object;
struct qemu_class;
struct qemu_visitor;
struct qemu_region;
struct qemu_timer;
struct qemu_irq;
struct qemu_cpu;

/* TypeInfo */
struct qemu_type_info {
    const char *name;
    const char *parent;
    size_t instance_size; /* 0: the parent's, which differs between versions */
    size_t instance_align;
    void (*instance_init)(struct qemu_object *object);
    void (*instance_post_init)(struct qemu_object *object);
    void (*instance_finalize)(struct qemu_object *object);
    bool is_abstract;
    size_t class_size;
    void (*class_init)(struct qemu_class *class, const void *data);
    void (*class_base_init)(struct qemu_class *class, const void *data);
    const void *class_data;
    const void *interfaces;
};

/* ObjectPropertyAccessor */
typedef void (*qemu_accessor)(struct qemu_object *object, struct qemu_visitor *visitor,
                              const char *name, void *opaque, struct qemu_error **errp);

/* MemTxAttrs is a struct of bit fields, of four bytes in 7.2 and of eight later: passed by value,
 * either comes in one register. */
typedef uint64_t qemu_attrs;

/* MemTxResult */
enum {
    QEMU_MEMTX_OK = 0,
    QEMU_MEMTX_ERROR = 1, /* the device answered with an error: a bus fault, where there are any */
};

/* enum device_endian */
enum {
    QEMU_BIG_ENDIAN = 1,
    QEMU_LITTLE_ENDIAN = 2,
};

/* MemoryRegionOps */
struct qemu_region_ops {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t data, unsigned size);
    uint32_t (*read_with_attrs)(void *opaque, uint64_t offset, uint64_t *data, unsigned size,
                                qemu_attrs attrs);
    uint32_t (*write_with_attrs)(void *opaque, uint64_t offset, uint64_t data, unsigned size,
                                 qemu_attrs attrs);
    int endianness;
    struct {
        unsigned min_access_size, max_access_size;
        bool unaligned;
        bool (*accepts)(void *opaque, uint64_t offset, unsigned size, bool is_write,
                        qemu_attrs attrs);
    } valid;
    struct {
        unsigned min_access_size, max_access_size;
        bool unaligned;
    } impl;
};

/* MemoryRegionSection, returned by value: through memory of the caller's, for a struct of this
 * size. Only the beginning is declared; QEMU writes at most the rest. */
struct qemu_section {
    uint64_t size_low, size_high;
    struct qemu_region *region; /* NULL: nothing is mapped there */
    void *view;
    uint64_t offset_within_region;
    uint64_t offset_within_address_space;
    bool readonly;
    uint64_t rest[16];
};

/* ObjectProperty, the beginning */
struct qemu_property {
    char *name, *type;
};

/* ObjectPropertyIterator, of 56 bytes */
struct qemu_property_iterator {
    uint64_t words[16];
};

/* Notifier */
struct qemu_notifier {
    void (*notify)(struct qemu_notifier *notifier, void *data);
    void *node[2];
};

/* MainLoopPoll, the beginning: what the notifiers of the main loop's turns are told */
struct qemu_main_loop_poll {
    int state;
};

enum { QEMU_MAIN_LOOP_POLL_FILL = 0 /* before the wait; others come after it */ };

/* run_on_cpu_func; the data is a union of eight bytes */
typedef void (*qemu_cpu_work)(struct qemu_cpu *cpu, uint64_t data);

/* VersionInfo, VersionTriple */
struct qemu_version {
    struct {
        int64_t major, minor, micro;
    } * number;
    char *package;
};

/* qemu_info_t, of the plugin interface proper */
struct qemu_plugin_info {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
};

/* Storage for what QEMU initialises in place; MemoryRegion has 272 bytes in 7.2, QEMUTimer 48. */
#define QEMU_REGION_BYTES 2048
#define QEMU_TIMER_BYTES 256

/* QEMUTimerListGroup: one list for each QEMUClockType */
struct qemu_timer_lists {
    void *of_clock[16];
};

enum { /* QEMUClockType */
       QEMU_CLOCK_REALTIME = 0,
       QEMU_CLOCK_VIRTUAL = 1,
};

#define QEMU_SCALE_NS 1
#define QEMU_TIMER_ATTR_EXTERNAL 1 /* of the world outside the guest, such as the network's */
#define QEMU_TIMER_ATTR_ALL (~0)
#define QEMU_TIMER_ATTR_NONE 0

/* F(return type, name, parameters) */
#define QEMU_FUNCTIONS(F)                                                                          \
    F(struct qemu_version *, qmp_query_version, (struct qemu_error **))                            \
    F(void, error_setg_internal,                                                                   \
      (struct qemu_error **, const char *, int, const char *, const char *, ...))                  \
    F(const char *, error_get_pretty, (const struct qemu_error *))                                 \
    F(void, error_free, (struct qemu_error *))                                                     \
    F(void *, type_register_static, (const struct qemu_type_info *))                               \
    F(void *, object_class_property_add,                                                           \
      (struct qemu_class *, const char *, const char *, qemu_accessor, qemu_accessor, void *,      \
       void *))                                                                                    \
    F(void, object_class_property_set_description,                                                 \
      (struct qemu_class *, const char *, const char *))                                           \
    F(bool, visit_type_str, (struct qemu_visitor *, const char *, char **, struct qemu_error **))  \
    F(bool, visit_type_bool, (struct qemu_visitor *, const char *, bool *, struct qemu_error **))  \
    F(bool, visit_type_uint64,                                                                     \
      (struct qemu_visitor *, const char *, uint64_t *, struct qemu_error **))                     \
    F(bool, visit_type_size,                                                                       \
      (struct qemu_visitor *, const char *, uint64_t *, struct qemu_error **))                     \
    F(void, qemu_add_machine_init_done_notifier, (struct qemu_notifier *))                         \
    F(void, qemu_add_exit_notifier, (struct qemu_notifier *))                                      \
    F(void, qemu_register_shutdown_notifier, (struct qemu_notifier *))                             \
    F(int /* ShutdownCause, 0: none */, qemu_shutdown_requested_get, (void))                       \
    F(struct qemu_object *, qdev_get_machine, (void))                                              \
    F(void, qdev_add_unplug_blocker, (struct qemu_object *, struct qemu_error *))                  \
    F(int, migrate_add_blocker, (void *, struct qemu_error **))                                    \
    F(struct qemu_region *, get_system_memory, (void))                                             \
    F(void, memory_region_init_io,                                                                 \
      (struct qemu_region *, struct qemu_object *, const struct qemu_region_ops *, void *,         \
       const char *, uint64_t))                                                                    \
    F(void, memory_region_add_subregion_overlap,                                                   \
      (struct qemu_region *, uint64_t, struct qemu_region *, int))                                 \
    F(void, memory_region_del_subregion, (struct qemu_region *, struct qemu_region *))             \
    F(struct qemu_section, memory_region_find, (struct qemu_region *, uint64_t, uint64_t))         \
    F(const char *, memory_region_name, (const struct qemu_region *))                              \
    F(void, memory_region_unref, (struct qemu_region *))                                           \
    F(void, memory_region_transaction_begin, (void))                                               \
    F(void, memory_region_transaction_commit, (void))                                              \
    F(int64_t, qemu_clock_get_ns, (int))                                                           \
    F(int64_t, qemu_clock_deadline_ns_all, (int, int))                                             \
    F(void, timer_init_full,                                                                       \
      (struct qemu_timer *, struct qemu_timer_lists *, int, int, int, void (*)(void *), void *))   \
    F(void, timerlistgroup_init, (struct qemu_timer_lists *, void (*)(void *, int), void *))       \
    F(void, timer_mod_ns, (struct qemu_timer *, int64_t))                                          \
    F(void, timer_del, (struct qemu_timer *))                                                      \
    F(struct qemu_object *, object_resolve_path_type, (const char *, const char *, bool *))        \
    F(struct qemu_object *, object_resolve_path, (const char *, bool *))                           \
    F(uint64_t, object_property_get_uint,                                                          \
      (struct qemu_object *, const char *, struct qemu_error **))                                  \
    F(struct qemu_irq *, qdev_get_gpio_in, (struct qemu_object *, int))                            \
    F(void, qemu_set_irq, (struct qemu_irq *, int))                                                \
    F(void, watchdog_perform_action, (void))                                                       \
    F(void, qemu_register_reset, (void (*)(void *), void *))                                       \
    F(uint32_t, address_space_rw, (void *, uint64_t, qemu_attrs, void *, uint64_t, bool))          \
    F(void *, address_space_map, (void *, uint64_t, uint64_t *, bool, qemu_attrs))                 \
    F(void, address_space_unmap, (void *, void *, uint64_t, bool, uint64_t))                       \
    F(struct qemu_object *, object_get_objects_root, (void))                                       \
    F(int, object_child_foreach,                                                                   \
      (struct qemu_object *, int (*)(struct qemu_object *, void *), void *))                       \
    F(struct qemu_object *, object_dynamic_cast, (struct qemu_object *, const char *))             \
    F(bool, object_property_get_bool, (struct qemu_object *, const char *, struct qemu_error **))  \
    F(void *, object_property_find, (struct qemu_object *, const char *))                          \
    F(char *, object_property_get_str, (struct qemu_object *, const char *, struct qemu_error **)) \
    F(char *, object_get_canonical_path, (const struct qemu_object *))                             \
    F(const char *, object_get_typename, (const struct qemu_object *))                             \
    F(void, object_property_iter_init, (struct qemu_property_iterator *, struct qemu_object *))    \
    F(struct qemu_property *, object_property_iter_next, (struct qemu_property_iterator *))        \
    F(struct qemu_region *, host_memory_backend_get_memory, (struct qemu_object *))                \
    F(int, memory_region_get_fd, (struct qemu_region *))                                           \
    F(void, qemu_set_fd_handler, (int, void (*)(void *), void (*)(void *), void *))                \
    F(bool, qemu_in_vcpu_thread, (void))                                                           \
    F(void, main_loop_poll_add_notifier, (struct qemu_notifier *))                                 \
    F(struct qemu_cpu *, qemu_get_cpu, (int))                                                      \
    F(void, async_run_on_cpu, (struct qemu_cpu *, qemu_cpu_work, uint64_t))                        \
    F(bool, all_cpu_threads_idle, (void))                                                          \
    F(bool, runstate_is_running, (void))

struct qemu_abi {
#define QEMU_MEMBER(type, name, params) type(*name) params;
    QEMU_FUNCTIONS(QEMU_MEMBER)
#undef QEMU_MEMBER
    /* The big lock, which has other names before 9.0; NULL: not exported. */
    void (*bql_lock)(const char *file, int line);
    void (*bql_unlock)(void);
    const struct qemu_version *version;
    void *address_space_memory; /* AddressSpace: all of the guest's physical memory */
};

/* Filled by qemu_abi_resolve(). */
extern struct qemu_abi qemu;

/* Looks everything up. 0; -ENOTSUP: this process is a QEMU that lacks *ret_missing;
 * -ENOEXEC: it is no QEMU at all. */
int qemu_abi_resolve(const char **ret_missing);

/* What qemu_plugin_version must say for this QEMU to load the plugin. */
int qemu_plugin_interface(void);

/* True when an access that fails reaches this guest as a bus fault. */
bool qemu_guest_has_bus_faults(const char *target_name);

/* True when the guest's processors put the high byte of a number first. */
bool qemu_guest_is_big_endian(const char *target_name);

/* True under -icount. */
bool qemu_counts_instructions(void);
/* Of ours, that this machine takes besides its own. */
unsigned qemu_max_regions(void);

/* The device tree that the machine makes for its guest (MachineState.fdt), or NULL. */
void *qemu_machine_tree(void);
/* The user gave one, with -dtb. */
bool qemu_has_dtb(void);

/* The machine hands ACPI's tables to its guest. */
bool qemu_has_acpi(void);
/* One more of them, as -acpitable adds it; before the board finishes. 0, or -1 and *ret_error,
 * which is not to be freed. */
int qemu_add_acpi_table(const char *path, const char **ret_error);

/* Attributes of a transfer that reaches RAM and no device. */
qemu_attrs qemu_memory_only(void);

/* The same over all versions. reason is QEMU's from then on. 0, or -1 with *errp set. */
int qemu_add_migration_blocker(struct qemu_error *reason, struct qemu_error **errp);

#define qemu_error_set(errp, ...) \
    qemu.error_setg_internal(errp, __FILE__, __LINE__, __func__, __VA_ARGS__)

#endif
