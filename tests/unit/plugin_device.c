/* SPDX-License-Identifier: MIT */
/*
 * Devices at addresses, as QEMU makes, checks, maps and asks them, and what the board is said to
 * have. QEMU, and the plugin's protocols, are this test's. It is too late for new devices once a
 * machine has started, so that each test is in a process of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/socket_path.h"
#include "check.h"
#include "notes.h"
#include "plugin/device/device.h"
#include "plugin/device/report.h"
#include "plugin/device/tree.h"
#include "plugin/qemu/biglock.h"
#include "plugin/qemu/fdt.h"
#include "plugin/qemu/idle.h"
#include "plugin/qemu/memory.h"
#include "plugin/qemu/say.h"
#include "plugin/v2/ram.h"
#include "plugin/v2/v2.h"
#include "refusal.h"

/* --- the plugin ------------------------------------------------------------------------------ */

bool idle_device_used;
static const char *no_biglock;
static char guest_memory;
static void (*check_of_tree)(struct sst_device *dev);

const char *biglock_refusal(void)
{
    return no_biglock;
}

void tree_prepare(const char *target_name, void (*check)(struct sst_device *dev))
{
    note("tree for %s\n", target_name);
    check_of_tree = check;
}

void tree_check(void)
{
    note("tree_check\n");
}

int irq_parse(const char *text, uint32_t ret_inputs[IRQ_LINES_MAX], uint32_t *ret_count)
{
    ret_inputs[0] = (uint32_t)atoi(text);
    *ret_count = 1;
    return text[0] == 'x' ? -1 : 0;
}

void irq_connect(struct sst_device *dev)
{
    note("irq_connect %u: %u lines\n", dev->number, dev->num_irqs);
}

void irq_line_changed(struct sst_device *dev, uint32_t line, bool level)
{
    note("%u: line %u is %d\n", dev->number, line, level);
}

void irq_set_anew(struct sst_device *dev)
{
    note("%u: lines are set anew\n", dev->number);
}

void irq_report(irq_used *used)
{
    printf("interrupts\n");
    used(10, "serial");
}

void memory_check(void)
{
    note("memory_check\n");
}

int memory_copy(void *space, bool write, uint64_t addr, void *buf, size_t size)
{
    note("copy %d 0x%" PRIx64 " %zu\n", write, addr, size);
    return space == &guest_memory && buf ? 0 : -EFAULT;
}

void ram_find(void)
{
    note("ram_find\n");
}

void clockwork_start(void)
{
    note("clockwork_start\n");
}

void v2_start_all(void)
{
    note("v2_start_all\n");
}

void *fdt_find(void)
{
    return NULL;
}

/* What the other side says. */
static int status;
static uint64_t answer[16];
static unsigned widths;

static void open_protocol(struct sst_device *dev)
{
    note("open %u by protocol %" PRIu64 "\n", dev->number, dev->protocol);
}

static int perform(struct sst_device *dev, const struct transport_access *access,
                   uint64_t *ret_data)
{
    if (access->is_write)
        note("%u: write/%u 0x%" PRIx64 " 0x%" PRIx64 "\n", dev->number, access->size,
             access->offset, access->data);
    else
        note("%u: read/%u 0x%" PRIx64 "\n", dev->number, access->size, access->offset);
    if (access->region)
        note("of region %u\n", access->region);
    *ret_data = answer[access->offset % 16];
    return status;
}

static unsigned begin_debug(struct sst_device *dev)
{
    note("%u: a debugger\n", dev->number);
    return widths;
}

const struct transport transport_v1 = {.open = open_protocol, .perform = perform};
const struct transport transport_v2 = {
    .open = open_protocol, .perform = perform, .begin_debug = begin_debug};

/* --- QEMU ------------------------------------------------------------------------------------ */

struct qemu_abi qemu;
static char class, system_memory, machine;
static const struct qemu_type_info *type;
static struct {
    const char *name, *kind;
    qemu_accessor set;
    void *opaque;
} properties[80];
static unsigned num_properties;
static const struct qemu_region_ops *ops;
static void *ops_of;
static struct qemu_section there; /* what the machine has at the address that is asked for */
static bool has_neighbour;        /* a byte behind it */
static bool is_stopped, is_big, has_faults = true, takes_no_blocker;
static unsigned max_regions = 10;
static char reason[200], error;
static const char *value; /* of the property that is set now; NULL: it is nonsense */

bool qemu_guest_has_bus_faults(const char *target_name)
{
    assert_string_equal(target_name, "riscv32");
    return has_faults;
}

bool qemu_guest_is_big_endian(const char *target_name)
{
    assert_string_equal(target_name, "riscv32");
    return is_big;
}

unsigned qemu_max_regions(void)
{
    return max_regions;
}

int qemu_add_migration_blocker(struct qemu_error *why, struct qemu_error **errp)
{
    assert_ptr_equal(why, &error);
    note("no migration: %s\n", reason);
    *errp = why;
    return takes_no_blocker ? -1 : 0;
}

static void set_error(struct qemu_error **errp, const char *file, int line, const char *function,
                      const char *format, ...)
{
    va_list args;
    (void)file;
    (void)line;
    (void)function;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    *errp = (struct qemu_error *)&error;
}

static const char *get_pretty(const struct qemu_error *given)
{
    assert_ptr_equal(given, &error);
    return reason;
}

static void free_error(struct qemu_error *given)
{
    assert_ptr_equal(given, &error);
    note("error freed\n");
}

static void *register_type(const struct qemu_type_info *given)
{
    type = given;
    return NULL;
}

static void *add_property(struct qemu_class *given, const char *name, const char *kind,
                          qemu_accessor get, qemu_accessor set, void *release, void *opaque)
{
    assert_ptr_equal(given, &class);
    assert_null(get);
    assert_null(release);
    assert_cmp(num_properties, <, 80);
    properties[num_properties].name = name;
    properties[num_properties].kind = kind;
    properties[num_properties].set = set;
    properties[num_properties++].opaque = opaque;
    return NULL;
}

static void describe(struct qemu_class *given, const char *name, const char *text)
{
    assert_ptr_equal(given, &class);
    assert_string_equal(name, properties[num_properties - 1].name);
    assert_string_not_equal(text, "");
}

static bool visit_str(struct qemu_visitor *visitor, const char *name, char **ret_text,
                      struct qemu_error **errp)
{
    (void)visitor;
    (void)name;
    if (value)
        *ret_text = strdup(value);
    else
        set_error(errp, "", 0, "", "nonsense");
    return value;
}

static bool visit_number(struct qemu_visitor *visitor, const char *name, uint64_t *ret_number,
                         struct qemu_error **errp)
{
    (void)visitor;
    (void)name;
    if (value)
        *ret_number = strtoull(value, NULL, 0);
    else
        set_error(errp, "", 0, "", "nonsense");
    return value;
}

static bool visit_bool(struct qemu_visitor *visitor, const char *name, bool *ret_is,
                       struct qemu_error **errp)
{
    (void)visitor;
    (void)name;
    if (value)
        *ret_is = strcmp(value, "on") == 0;
    else
        set_error(errp, "", 0, "", "nonsense");
    return value;
}

static struct qemu_region *get_system_memory(void)
{
    return (struct qemu_region *)&system_memory;
}

static struct qemu_object *get_machine(void)
{
    return (struct qemu_object *)&machine;
}

static struct qemu_section find(struct qemu_region *region, uint64_t addr, uint64_t size)
{
    assert_ptr_equal(region, &system_memory);
    bool is_there = there.region &&
                    addr <= there.offset_within_address_space + there.size_low - 1 &&
                    there.offset_within_address_space - addr < size;
    if (is_there || !has_neighbour || addr != there.offset_within_address_space + there.size_low)
        return is_there ? there : (struct qemu_section){.region = NULL};
    return (struct qemu_section){
        .region = there.region, .size_low = 1, .offset_within_address_space = addr};
}

static const char *region_name(const struct qemu_region *region)
{
    assert_ptr_equal(region, &machine);
    return "uart";
}

static void unref(struct qemu_region *region)
{
    assert_ptr_equal(region, &machine);
}

static void init_region(struct qemu_region *region, struct qemu_object *owner,
                        const struct qemu_region_ops *given, void *opaque, const char *name,
                        uint64_t size)
{
    assert_non_null(region);
    assert_non_null(opaque);
    assert_ptr_equal(owner, &machine);
    ops = given;
    ops_of = opaque;
    note("region %s of %" PRIu64 " bytes\n", name, size);
}

static void add_region(struct qemu_region *memory, uint64_t addr, struct qemu_region *region,
                       int priority)
{
    assert_ptr_equal(memory, &system_memory);
    assert_non_null(region);
    note("at 0x%" PRIx64 " with priority %d\n", addr, priority);
}

static void begin(void)
{
    note("begin\n");
}

static void commit(void)
{
    note("commit\n");
}

static void block_unplug(struct qemu_object *object, struct qemu_error *why)
{
    assert_non_null(object);
    assert_ptr_equal(why, &error);
    note("no unplug: %s\n", reason);
}

static bool is_running(void)
{
    return !is_stopped;
}

static int64_t get_ns(int clock)
{
    assert_int_equal(clock, QEMU_CLOCK_VIRTUAL);
    return 77;
}

static const char *type_name(const struct qemu_object *object)
{
    assert_ptr_equal(object, &machine);
    return "virt-machine";
}

/* --- devices --------------------------------------------------------------------------------- */

static void set_up(void)
{
    qemu = (struct qemu_abi){.error_setg_internal = set_error,
                             .error_get_pretty = get_pretty,
                             .error_free = free_error,
                             .type_register_static = register_type,
                             .object_class_property_add = add_property,
                             .object_class_property_set_description = describe,
                             .visit_type_str = visit_str,
                             .visit_type_bool = visit_bool,
                             .visit_type_uint64 = visit_number,
                             .visit_type_size = visit_number,
                             .qdev_get_machine = get_machine,
                             .qdev_add_unplug_blocker = block_unplug,
                             .get_system_memory = get_system_memory,
                             .memory_region_init_io = init_region,
                             .memory_region_add_subregion_overlap = add_region,
                             .memory_region_find = find,
                             .memory_region_name = region_name,
                             .memory_region_unref = unref,
                             .memory_region_transaction_begin = begin,
                             .memory_region_transaction_commit = commit,
                             .qemu_clock_get_ns = get_ns,
                             .object_get_typename = type_name,
                             .runstate_is_running = is_running,
                             .address_space_memory = &guest_memory};
    device_register("riscv32");
    assert_string_equal(type->name, "sst-device");
    assert_string_equal(type->parent, "device");
    type->class_init((struct qemu_class *)&class, NULL);
}

/* As "-device sst-device,name=text,...": names and texts, ended by NULL. */
static struct sst_device *add(const char *const *texts)
{
    struct qemu_object *object = malloc(1);
    type->instance_init(object);
    for (; texts[0]; texts += 2) {
        unsigned i = 0;
        while (strcmp(properties[i].name, texts[0]) != 0)
            assert_cmp(++i, <, num_properties);
        value = texts[1][0] == '?' ? NULL : texts[1];
        properties[i].set(object, NULL, texts[0], properties[i].opaque, NULL);
    }
    return device_of(object);
}

#define ADD(...) add((const char *const[]){__VA_ARGS__, NULL})
#define HERE "socket", "s", "base_address", "0x10200000"

static void start(void)
{
    (void)notes_take();
    if (setjmp(refused))
        fail_msg("%s", refusal);
    device_start_all();
}

static void check_refused(const char *expected)
{
    refusal[0] = '\0';
    if (!setjmp(refused))
        device_start_all();
    assert_string_equal(refusal, expected);
    while (device_first()) {
        struct qemu_object *object = device_first()->object;
        type->instance_finalize(object);
        free(object);
    }
}

/* The numbers of devices go on. */
#define REFUSED(number, expected, ...)        \
    do {                                      \
        ADD(__VA_ARGS__);                     \
        check_refused(#number ": " expected); \
    } while (0)

/* --- start ----------------------------------------------------------------------------------- */

static void test_nothing(void **state)
{
    (void)state;
    start();
    check_log("");
    assert_true(device_is_late());
}

static void test_start(void **state)
{
    (void)state;
    struct sst_device *first = ADD(HERE);
    assert_int_equal(first->size, 4096);
    assert_int_equal(first->timeout_ms, 1000);
    assert_int_equal(first->on_error, ON_ERROR_FAULT);
    ADD("socket", "t", "base_address", "0x10201000", "size", "8", "protocol", "1", "behind", "on");
    ADD("floor", "on", "base_address", "0x10201008", "shadow", "on", "irq", "7");
    check_log("tree for riscv32\n");
    assert_false(device_is_late());
    start();
    check_log("tree_check\nno migration: an sst-device keeps its state outside QEMU\nbegin\n"
              "no unplug: the sst-device at 0x10200000 cannot be unplugged\n"
              "region sst-device of 4096 bytes\nat 0x10200000 with priority 10000\n"
              "irq_connect 1: 0 lines\n"
              "no unplug: the sst-device at 0x10201000 cannot be unplugged\n"
              "region sst-device of 8 bytes\nat 0x10201000 with priority -500\n"
              "irq_connect 2: 0 lines\n"
              "no unplug: the sst-device at 0x10201008 cannot be unplugged\n"
              "region sst-device of 4096 bytes\nat 0x10201008 with priority 10000\n"
              "irq_connect 3: 1 lines\n"
              "commit\nmemory_check\nram_find\nclockwork_start\n"
              "open 1 by protocol 2\nopen 2 by protocol 1\nv2_start_all\n");
    device_set_line(device_first()->next->next, 0, true);
    first->bus->set_anew(first);
    assert_int_equal(first->bus->copy(first, true, 0x80000000, &guest_memory, 3), 0);
    check_log("3: line 0 is 1\n1: lines are set anew\ncopy 1 0x80000000 3\n");
}

/* --- what is refused ------------------------------------------------------------------------- */

static void test_addresses_that_cannot_be(void **state)
{
    (void)state;
    REFUSED(1, "base_address is missing; add base_address=ADDRESS", "socket", "s");
    REFUSED(2, "base_address is not a multiple of 8; use 0x10200000", "socket", "s", "base_address",
            "0x10200007");
    REFUSED(3, "size is 0; it must be at least 1", HERE, "size", "0");
    REFUSED(4,
            "size 0x9 goes beyond the end of the address space; use a smaller size or "
            "base_address",
            "socket", "s", "base_address", "0xfffffffffffffff8", "size", "9");
    ADD(HERE, "size", "16");
    REFUSED(6,
            "overlaps the sst-device at 0x10200000 (size 0x10); give one of them another "
            "base_address",
            "socket", "s", "base_address", "0x10200008");
    there = (struct qemu_section){.region = (struct qemu_region *)&machine,
                                  .size_low = 0x100,
                                  .offset_within_address_space = 0x10200ff0};
    REFUSED(7,
            "the machine has 'uart' at 0x10200ff0; choose another base address, or set shadow "
            "to cover it",
            HERE);
    ADD(HERE, "size", "0xff0");
    ADD("socket", "s", "base_address", "0x10201000", "shadow", "on");
    ADD("socket", "s", "base_address", "0x10200ff0", "behind", "on", "size", "16");
    start();
}

static void test_properties_that_cannot_be(void **state)
{
    char text[300], expected[500];
    (void)state;
    REFUSED(1, "shadow and behind exclude each other; leave one out", HERE, "shadow", "on",
            "behind", "on");
    REFUSED(2, "irq is 'x'; it must be a number or watchdog, or up to 64 of them with ':' between",
            HERE, "irq", "x");
    REFUSED(3, "protocol 1 has no interrupts; use protocol=2", HERE, "irq", "7", "protocol", "1");
    REFUSED(4, "protocol 3 is not known to this plugin; use 1 or 2", HERE, "protocol", "3");
    REFUSED(5, "protocol 0 is not known to this plugin; use 1 or 2", HERE, "protocol", "0");
    REFUSED(6, "protocol 1 has neither posted writes nor shared memory; use protocol=2", HERE,
            "protocol", "1", "posted_writes", "on");
    REFUSED(7, "protocol 1 has neither posted writes nor shared memory; use protocol=2", HERE,
            "protocol", "1", "carrier", "shm");
    REFUSED(8, "timeout_ms is above 4294967295; use 0 for no limit", HERE, "timeout_ms",
            "4294967296");
    REFUSED(9, "socket is missing; add socket=PATH", "base_address", "8");
    REFUSED(10, "socket is missing; add socket=PATH", "base_address", "8", "socket", "");
    memset(text, 'a', sizeof(text));
    text[SOCKET_PATH_MAX + 1] = '\0';
    ADD("base_address", "8", "socket", text);
    snprintf(expected, sizeof(expected),
             "11: socket has a path of %zu bytes, and at most %zu fit into a socket address; use a "
             "shorter one",
             (size_t)SOCKET_PATH_MAX + 1, (size_t)SOCKET_PATH_MAX);
    check_refused(expected);
    REFUSED(12, "only protocol 2 has release_lock; leave it out", HERE, "release_lock", "on",
            "protocol", "1");
    REFUSED(13, "only protocol 2 has release_lock; leave it out", HERE, "release_lock", "on",
            "floor", "on");
    no_biglock = "this QEMU has none";
    REFUSED(14, "release_lock: this QEMU has none; leave it out", HERE, "release_lock", "on");
    text[SOCKET_PATH_MAX] = '\0';
    ADD("base_address", "8", "socket", text, "timeout_ms", "4294967295", "release_lock", "off");
    start();
}

static void test_values_that_cannot_be(void **state)
{
    (void)state;
    REFUSED(1, "on_error is 'no'; it must be fault, ones or zeros", HERE, "on_error", "no");
    REFUSED(2, "wait is ''; it must be adaptive, sleep or spin", HERE, "wait", "");
    REFUSED(3, "size cannot be read; it must be a number of bytes such as 4096 or 4K", HERE, "size",
            "?", "on_error", "no"); /* the first counts */
    REFUSED(4, "shadow cannot be read; it must be on or off", HERE, "shadow", "?");
    REFUSED(5, "socket cannot be read; it must be a path", "socket", "?");
    REFUSED(6, "base_address cannot be read; it must be a number such as 0x10200000", "socket", "s",
            "base_address", "?");
}

static void test_too_many(void **state)
{
    (void)state;
    max_regions = 2;
    for (unsigned i = 0; i < 3; i++) {
        char base[20];
        snprintf(base, sizeof(base), "0x%x", 0x10000 * (i + 1));
        ADD("socket", "s", "base_address", base);
    }
    check_refused("there are 3 sst-devices, and this machine takes at most 2; use fewer");
    ADD("socket", "s", "base_address", "0x10000");
    ADD("socket", "s", "base_address", "0x20000");
    start();
}

static void test_a_qemu_that_migrates(void **state)
{
    (void)state;
    takes_no_blocker = true;
    ADD(HERE);
    check_refused("an sst-device keeps its state outside QEMU");
}

/* --- properties ------------------------------------------------------------------------------ */

static void test_choices(void **state)
{
    (void)state;
    struct sst_device *dev = ADD(HERE, "on_error", "zeros", "wait", "spin", "carrier", "socket",
                                 "endian", "big", "label", "first", "label", "second", "dt_label",
                                 "l", "device_name", "n", "inline", "on");
    assert_int_equal(dev->on_error, ON_ERROR_ZEROS);
    assert_int_equal(dev->wait, TRESTLE_WAIT_SPIN);
    assert_int_equal(dev->carrier, CARRIER_SOCKET);
    assert_int_equal(dev->endian, ENDIAN_BIG);
    assert_string_equal(dev->label, "second");
    assert_string_equal(dev->dt_label, "l");
    assert_string_equal(dev->device_name, "n");
    assert_true(dev->is_inline);
    assert_true(dev->has_base);
    assert_null(dev->wrong);
    dev = ADD("socket", "s", "on_error", "fault", "wait", "adaptive", "carrier", "auto", "endian",
              "little");
    assert_int_equal(dev->on_error, ON_ERROR_FAULT);
    assert_int_equal(dev->endian, ENDIAN_LITTLE);
    assert_false(dev->has_base);
    assert_null(dev->wrong);
}

/* Each bus has its own. */
static void test_which_there_are(void **state)
{
    static const char *const both[] = {"socket", "size", "on_error", "timeout_ms", "floor"};
    static const char *const pci[] = {"vendor", "bar", "memory", "size5", "bar5", "no_msi"};
    static const char *const mmio[] = {"base_address", "shadow", "irq", "dt"};
    bool is_there[3][6] = {{false}};
    (void)state;
    for (unsigned is_pci = 0; is_pci < 2; is_pci++) {
        num_properties = 0;
        properties_register((struct qemu_class *)&class, is_pci ? PROPERTY_PCI : PROPERTY_MMIO);
        memset(is_there, 0, sizeof(is_there));
        for (unsigned i = 0; i < num_properties; i++)
            for (unsigned k = 0; k < 6; k++) {
                is_there[0][k] |= k < 5 && strcmp(properties[i].name, both[k]) == 0;
                is_there[1][k] |= strcmp(properties[i].name, pci[k]) == 0;
                is_there[2][k] |= k < 4 && strcmp(properties[i].name, mmio[k]) == 0;
            }
        for (unsigned k = 0; k < 6; k++) {
            assert_int_equal(is_there[0][k], k < 5);
            assert_int_equal(is_there[1][k], is_pci);
            assert_int_equal(is_there[2][k], !is_pci && k < 4);
        }
    }
    for (unsigned i = 0; i < num_properties; i++) {
        const char *kind = strcmp(properties[i].name, "size") == 0     ? "size"
                           : strcmp(properties[i].name, "vendor") == 0 ? "uint64"
                           : strcmp(properties[i].name, "no_msi") == 0 ? "bool"
                           : strcmp(properties[i].name, "bar") == 0    ? "str"
                           : strcmp(properties[i].name, "socket") == 0 ? "str"
                                                                       : NULL;
        if (kind)
            assert_string_equal(properties[i].kind, kind);
    }
}

static void test_instances(void **state)
{
    (void)state;
    /* What is freed with one, a sanitizer sees. */
    struct sst_device *a = ADD(HERE), *c,
                      *b = ADD(HERE, "irq", "1", "irq_controller", "i", "dt", "a;", "dt_label", "l",
                               "dt_alias", "a", "acpi_id", "X", "label", "l", "device_name", "n",
                               "wait", "no");
    c = ADD(HERE);
    struct qemu_object *objects[] = {a->object, b->object, c->object};
    assert_ptr_equal(device_first(), a);
    assert_ptr_equal(a->next, b);
    assert_ptr_equal(device_of(c->object), c);
    assert_int_equal(c->number, 3);
    type->instance_finalize(objects[2]); /* the last: the next one is behind the second */
    c = ADD(HERE);
    assert_ptr_equal(b->next, c);
    type->instance_finalize(objects[1]);
    assert_ptr_equal(a->next, c);
    assert_int_equal(c->number, 4);
    free(objects[1]);
    free(objects[2]);
}

/* --- accesses -------------------------------------------------------------------------------- */

static uint64_t read_at(uint64_t offset, unsigned size)
{
    uint64_t data = 0x55;
    assert_int_equal(ops->read_with_attrs(ops_of, offset, &data, size, 0), QEMU_MEMTX_OK);
    return data;
}

static void write_at(uint64_t offset, uint64_t data, unsigned size)
{
    assert_int_equal(ops->write_with_attrs(ops_of, offset, data, size, 0), QEMU_MEMTX_OK);
}

static void test_accesses(void **state)
{
    (void)state;
    ADD(HERE);
    start();
    (void)notes_take();
    assert_int_equal(ops->endianness, QEMU_LITTLE_ENDIAN);
    assert_false(idle_device_used);
    answer[4] = 0x1234;
    assert_int_equal(read_at(4, 2), 0x1234);
    write_at(8, 0xab, 1);
    check_log("1: read/2 0x4\n1: write/1 0x8 0xab\n");
    assert_true(idle_device_used);
}

static void test_orders_of_bytes(void **state)
{
    (void)state;
    is_big = true;
    ADD(HERE);
    start();
    assert_int_equal(ops->endianness, QEMU_BIG_ENDIAN);
    device_first()->endian = ENDIAN_LITTLE;
    device_make_region(device_first(), 8);
    assert_int_equal(ops->endianness, QEMU_LITTLE_ENDIAN);
    is_big = false;
    device_first()->endian = ENDIAN_BIG;
    device_make_region(device_first(), 8);
    assert_int_equal(ops->endianness, QEMU_BIG_ENDIAN);
}

static void test_failures(void **state)
{
    uint64_t data = 0;
    (void)state;
    struct sst_device *dev = ADD(HERE);
    start();
    (void)notes_take();
    status = -EIO;
    assert_int_equal(ops->read_with_attrs(dev, 0, &data, 4, 0), QEMU_MEMTX_ERROR);
    assert_int_equal(data, UINT64_MAX);
    assert_int_equal(ops->write_with_attrs(dev, 0, 1, 4, 0), QEMU_MEMTX_ERROR);
    check_log("1: read/4 0x0\n1: write/4 0x0 0x1\n"); /* the guest hears of it */
    dev->on_error = ON_ERROR_ONES;
    assert_int_equal(read_at(0, 4), UINT64_MAX);
    dev->on_error = ON_ERROR_ZEROS;
    assert_int_equal(read_at(0, 4), 0);
    write_at(0, 0, 4);
    struct transport_access access = {.offset = 4, .size = 4};
    device_access(dev, &access, &data);
    assert_int_equal(data, 0);
    dev->is_asleep = true;
    (void)notes_take();
    dev->on_error = ON_ERROR_ONES;
    assert_int_equal(read_at(0, 4), UINT64_MAX);
    check_log(""); /* nobody is asked */
}

static void test_a_guest_without_faults(void **state)
{
    uint64_t data;
    (void)state;
    has_faults = false;
    struct sst_device *dev = ADD(HERE);
    start();
    status = -EIO;
    for (unsigned i = 0; i < 10; i++) {
        (void)notes_take();
        assert_int_equal(i % 2 ? ops->write_with_attrs(dev, 4, i, 2, 0)
                               : ops->read_with_attrs(dev, 4, &data, 2, 0),
                         QEMU_MEMTX_ERROR);
        const char *line = strstr(notes(), "failed");
        if (i == 0)
            check_log("1: read/2 0x4\n1: read of 2 bytes at offset 0x4 failed; this guest has no "
                      "bus faults and reads all ones\n");
        else if (i == 1)
            check_log(
                "1: write/2 0x4 0x1\n1: write of 2 bytes at offset 0x4 failed; this guest has "
                "no bus faults\n");
        else if (i == 7)
            assert_non_null(strstr(notes(), "bus faults; no more of these lines\n"));
        else
            assert_int_equal(line != NULL, i < 8);
    }
}

static void test_other_regions(void **state)
{
    uint64_t data;
    (void)state;
    struct sst_device *dev = ADD(HERE);
    start();
    (void)notes_take();
    struct qemu_region *region = device_make_other_region(dev, 3, 64);
    assert_non_null(region);
    const struct device_region *made = ops_of;
    answer[0] = 9;
    assert_int_equal(ops->read_with_attrs(ops_of, 0, &data, 4, 0), QEMU_MEMTX_OK);
    assert_int_equal(data, 9);
    assert_int_equal(ops->write_with_attrs(ops_of, 8, 5, 4, 0), QEMU_MEMTX_OK);
    check_log("region sst-device of 64 bytes\n1: read/4 0x0\nof region 3\n1: write/4 0x8 0x5\n"
              "of region 3\n");
    free((void *)made);
}

static void test_the_floor(void **state)
{
    (void)state;
    ADD("base_address", "0x10200000", "floor", "on");
    start();
    (void)notes_take();
    assert_int_equal(read_at(4, 2), 77);
    write_at(4, 2, 2);
    check_log("");
}

/* --- a debugger's ---------------------------------------------------------------------------- */

/* Whatever width it asks for, the device is asked for one that it has. */
static void test_a_debugger(void **state)
{
    (void)state;
    ADD(HERE);
    start();
    is_stopped = true;
    (void)notes_take();
    for (unsigned i = 0; i < 16; i++)
        answer[i] = 0x10 + i;
    widths = 4;
    assert_int_equal(read_at(4, 4), 0x14); /* it has that one */
    check_log("1: a debugger\n1: read/4 0x4\n");
    answer[0] = 0x03020100;
    answer[4] = 0x07060504;
    assert_int_equal(read_at(0, 8), UINT64_C(0x0706050403020100));
    check_log("1: a debugger\n1: read/4 0x0\n1: read/4 0x4\n");
    assert_int_equal(read_at(6, 1) & 0xff, 0x06);
    check_log("1: a debugger\n1: read/4 0x4\n");
    assert_int_equal(read_at(2, 4), UINT64_C(0x12)); /* as it is: the device has four */
    check_log("1: a debugger\n1: read/4 0x2\n");
    write_at(0, UINT64_C(0x1122334455667788), 8);
    check_log("1: a debugger\n1: write/4 0x0 0x1122334455667788\n1: write/4 0x4 0x11223344\n");
    write_at(2, 5, 2); /* a wider one would write more */
    check_log("1: a debugger\n1: write/2 0x2 0x5\n");
    widths = 1 | 2;
    answer[0] = 0x21;
    answer[2] = 0x43;
    assert_int_equal(read_at(0, 4), 0x430021);
    check_log("1: a debugger\n1: read/2 0x0\n1: read/2 0x2\n");
    widths = 8;
    answer[0] = UINT64_C(0x8877665544332211);
    assert_int_equal(read_at(4, 4) & UINT32_MAX, 0x88776655);
    check_log("1: a debugger\n1: read/8 0x0\n");
    widths = 0; /* not known */
    (void)read_at(0, 8);
    check_log("1: a debugger\n1: read/8 0x0\n");
    status = -EIO;
    device_first()->on_error = ON_ERROR_ZEROS;
    widths = 2;
    assert_int_equal(read_at(0, 8), 0);
    write_at(0, 1, 8);
    check_log("1: a debugger\n1: read/2 0x0\n1: a debugger\n1: write/2 0x0 0x1\n");
}

/* An older protocol has no way to say which. */
static void test_a_debugger_without_widths(void **state)
{
    (void)state;
    ADD(HERE, "protocol", "1");
    start();
    is_stopped = true;
    (void)notes_take();
    (void)read_at(0, 8);
    check_log("1: read/8 0x0\n");
}

/* --- what the board has ---------------------------------------------------------------------- */

static void check_report(uint64_t addr, const char *expected)
{
    static __typeof__(*((struct qemu_version *)0)->number) number = {7, 2, 22};
    static struct qemu_version version = {.number = &number};
    char text[300] = "";
    int fds[2], result;
    qemu.version = &version;
    there = (struct qemu_section){.region = (struct qemu_region *)&machine,
                                  .size_low = 0x100,
                                  .offset_within_address_space = addr};
    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        report_board();
    }
    close(fds[1]);
    assert_int_equal(waitpid(pid, &result, 0), pid);
    assert_int_equal(result, 0);
    assert_cmp(read(fds[0], text, sizeof(text) - 1), >, 0);
    close(fds[0]);
    assert_string_equal(text, expected);
}

static void test_a_report(void **state)
{
    (void)state;
    check_report(0x1000, "board virt 7.2.22\ntree no\ninterrupts\nused 10 serial\n"
                         "memory 0x1000 0x10ff uart\nend\n");
    has_neighbour = true;
    check_report(0x1000, "board virt 7.2.22\ntree no\ninterrupts\nused 10 serial\n"
                         "memory 0x1000 0x10ff uart\nmemory 0x1100 0x1100 uart\nend\n");
    has_neighbour = false;
    /* The address space ends with it. */
    check_report(UINT64_C(0xffffffffffffff00),
                 "board virt 7.2.22\ntree no\ninterrupts\nused 10 serial\n"
                 "memory 0xffffffffffffff00 0xffffffffffffffff uart\nend\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_addresses_that_cannot_be),
        cmocka_unit_test(test_properties_that_cannot_be),
        cmocka_unit_test(test_values_that_cannot_be),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_a_qemu_that_migrates),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_which_there_are),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_accesses),
        cmocka_unit_test(test_orders_of_bytes),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_a_guest_without_faults),
        cmocka_unit_test(test_other_regions),
        cmocka_unit_test(test_the_floor),
        cmocka_unit_test(test_a_debugger),
        cmocka_unit_test(test_a_debugger_without_widths),
        cmocka_unit_test(test_a_report),
    };
    return check_run_apart(tests, set_up);
}
