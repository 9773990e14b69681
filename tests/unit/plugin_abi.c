/* SPDX-License-Identifier: MIT */
/* What the plugin finds in a QEMU, of which all symbols and layouts are this test's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "plugin/qemu/pci_abi.h"
#include "plugin/qemu/qemu_abi.h"
#include "trestle/le.h"

void *__wrap_dlsym(void *handle, const char *name);

/* --- symbols --------------------------------------------------------------------------------- */

enum { SYMBOLS_MAX = 32 };

static char stub;
static struct {
    const char *name;
    void *place; /* NULL: it is not there */
} symbols[SYMBOLS_MAX];
static unsigned num_symbols;

static void set_symbol(const char *name, void *place)
{
    assert_cmp(num_symbols, <, SYMBOLS_MAX);
    symbols[num_symbols].name = name;
    symbols[num_symbols++].place = place;
}

/* The latest counts. All others are there. */
void *__wrap_dlsym(void *handle, const char *name)
{
    assert_null(handle); /* RTLD_DEFAULT */
    for (unsigned i = num_symbols; i-- > 0;)
        if (strcmp(symbols[i].name, name) == 0)
            return symbols[i].place;
    return &stub;
}

/* POSIX has the conversion, and ISO C has not. */
#define FUNCTION(f) (__extension__(void *)(f))

/* --- QEMU ------------------------------------------------------------------------------------ */

static __typeof__(*((struct qemu_version *)0)->number) number = {7, 2, 22};
static struct qemu_version version = {.number = &number};
static char other_stub;

static struct qemu_version *query_version(struct qemu_error **errp)
{
    assert_null(errp);
    return &version;
}

static int set_up(void **state)
{
    const char *missing;
    (void)state;
    num_symbols = 0;
    set_symbol("qmp_query_version", FUNCTION(query_version));
    number.major = 7;
    number.minor = 2;
    return qemu_abi_resolve(&missing);
}

static void set_version(int major, int minor)
{
    number.major = major;
    number.minor = minor;
}

static void test_what_there_must_be(void **state)
{
    static const char *const names[] = {
#define NAME(type, name, params) #name,
        QEMU_FUNCTIONS(NAME)
#undef NAME
            "address_space_memory"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *missing = NULL;
        set_symbol(names[i], NULL);
        assert_int_equal(qemu_abi_resolve(&missing), -ENOTSUP);
        assert_string_equal(missing, names[i]);
        num_symbols--;
    }
    const char *missing = NULL;
    assert_int_equal(qemu_abi_resolve(&missing), 0);
    assert_ptr_equal(qemu.version, &version);
    assert_ptr_equal(qemu.address_space_memory, &stub);
    set_symbol("qemu_plugin_register_vcpu_init_cb", NULL);
    assert_int_equal(qemu_abi_resolve(&missing), -ENOEXEC);
}

static void test_the_big_lock(void **state)
{
    const char *missing;
    (void)state;
    set_symbol("qemu_mutex_lock_iothread_impl", &other_stub);
    set_symbol("qemu_mutex_unlock_iothread", &other_stub);
    assert_int_equal(qemu_abi_resolve(&missing), 0);
    assert_ptr_equal(FUNCTION(qemu.bql_lock), &stub);
    assert_ptr_equal(FUNCTION(qemu.bql_unlock), &stub);
    set_symbol("bql_lock_impl", NULL);
    set_symbol("bql_unlock", NULL);
    assert_int_equal(qemu_abi_resolve(&missing), 0);
    assert_ptr_equal(FUNCTION(qemu.bql_lock), &other_stub);
    assert_ptr_equal(FUNCTION(qemu.bql_unlock), &other_stub);
    set_symbol("qemu_mutex_lock_iothread_impl", NULL);
    set_symbol("qemu_mutex_unlock_iothread", NULL);
    assert_int_equal(qemu_abi_resolve(&missing), 0);
    assert_null(FUNCTION(qemu.bql_lock));
    assert_null(FUNCTION(qemu.bql_unlock));
}

static void *blocker_given;
static int blocker_answer;

static int add_blocker(void *given, struct qemu_error **errp)
{
    assert_null(errp);
    blocker_given = given;
    return blocker_answer;
}

static void test_versions(void **state)
{
    static const struct {
        int major, minor, interface;
        uint64_t memory_only;
        bool takes_place; /* of the blocker's pointer */
    } versions[] = {{7, 2, 1, 8, false},  {8, 1, 1, 8, false},  {8, 2, 1, 8, true},
                    {9, 0, 2, 8, true},   {9, 2, 2, 8, true},   {10, 0, 2, 16, true},
                    {10, 2, 2, 16, true}, {11, 0, 7, 16, true}, {12, 1, 7, 16, true}};
    struct qemu_error *reason = (struct qemu_error *)&stub;
    (void)state;
    qemu.migrate_add_blocker = add_blocker;
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
        set_version(versions[i].major, versions[i].minor);
        assert_int_equal(qemu_plugin_interface(), versions[i].interface);
        assert_int_equal(qemu_memory_only(), versions[i].memory_only);
        blocker_answer = i % 2 ? 1 : 0;
        assert_int_equal(qemu_add_migration_blocker(reason, NULL), 0);
        if (versions[i].takes_place)
            assert_ptr_equal(*(void **)blocker_given, reason);
        else
            assert_ptr_equal(blocker_given, reason);
    }
    blocker_answer = -EBUSY;
    assert_int_equal(qemu_add_migration_blocker(reason, NULL), -1);
}

static void test_guests(void **state)
{
    bool has_kvm = false;
    int icount = 0;
    (void)state;
    set_symbol("kvm_allowed", NULL);
    assert_true(qemu_guest_has_bus_faults("riscv32"));
    set_symbol("kvm_allowed", &has_kvm);
    assert_true(qemu_guest_has_bus_faults("aarch64"));
    assert_false(qemu_guest_has_bus_faults("x86_64"));
    assert_false(qemu_guest_has_bus_faults("i386"));
    has_kvm = true;
    assert_false(qemu_guest_has_bus_faults("aarch64"));
    assert_true(qemu_guest_is_big_endian("hppa"));
    assert_true(qemu_guest_is_big_endian("xtensaeb"));
    assert_false(qemu_guest_is_big_endian("mipsel"));
    set_symbol("use_icount", &icount);
    assert_false(qemu_counts_instructions());
    icount = 2;
    assert_true(qemu_counts_instructions());
    set_symbol("use_icount", NULL); /* to be safe */
    assert_true(qemu_counts_instructions());
}

static size_t pages_of_4_kib(void)
{
    return 4096;
}

static size_t mib_of_pages(size_t pages)
{
    return pages * 2048 / (1 << 20);
}

static void test_how_many_regions(void **state)
{
    struct {
        bool is_decided;
        int bits;
        uint64_t mask;
    } page = {true, 16, UINT64_MAX << 16};
    (void)state;
    set_symbol("qemu_target_page_size", FUNCTION(pages_of_4_kib));
    assert_int_equal(qemu_max_regions(), 3072);
    set_symbol("qemu_target_page_size", NULL);
    set_symbol("qemu_target_pages_to_MiB", FUNCTION(mib_of_pages));
    assert_int_equal(qemu_max_regions(), 1536);
    set_symbol("qemu_target_pages_to_MiB", NULL);
    set_symbol("target_page", &page);
    assert_int_equal(qemu_max_regions(), 49152);
    page.bits = 10;
    assert_int_equal(qemu_max_regions(), 768); /* it is not so: the least that there is */
    page.mask = UINT64_MAX << 10;
    assert_int_equal(qemu_max_regions(), 768);
    page.bits = 11;
    page.mask = UINT64_MAX << 11;
    assert_int_equal(qemu_max_regions(), 1536);
    page.bits = 17;
    page.mask = UINT64_MAX << 17;
    assert_int_equal(qemu_max_regions(), 768);
    set_symbol("target_page", NULL);
    assert_int_equal(qemu_max_regions(), 768);
}

/* --- the machine ----------------------------------------------------------------------------- */

static void *machine[8];
static const char *property_text;

static struct qemu_object *get_machine(void)
{
    return (struct qemu_object *)(void *)machine;
}

static char *get_str(struct qemu_object *object, const char *name, struct qemu_error **errp)
{
    (void)errp;
    assert_ptr_equal(object, machine);
    if (strcmp(name, "dtb") != 0)
        assert_string_equal(name, "acpi");
    return property_text ? strdup(property_text) : NULL;
}

static void *find_property(struct qemu_object *object, const char *name)
{
    assert_ptr_equal(object, machine);
    assert_string_equal(name, "acpi");
    return property_text ? &stub : NULL;
}

static void test_the_machine(void **state)
{
    (void)state;
    qemu.qdev_get_machine = get_machine;
    qemu.object_property_get_str = get_str;
    qemu.object_property_find = find_property;
    machine[5] = &other_stub;
    assert_ptr_equal(qemu_machine_tree(), &other_stub);
    property_text = NULL;
    assert_false(qemu_has_dtb());
    assert_false(qemu_has_acpi());
    property_text = "";
    assert_false(qemu_has_dtb());
    property_text = "auto";
    assert_true(qemu_has_dtb());
    assert_true(qemu_has_acpi());
    property_text = "off";
    assert_false(qemu_has_acpi());
    property_text = "on";
    set_symbol("acpi_table_add", NULL);
    assert_false(qemu_has_acpi());
}

static bool knows_no_list, parses_nothing, adds_nothing;

static void *find_opts(const char *name)
{
    assert_string_equal(name, "acpi");
    return knows_no_list ? NULL : &stub;
}

static void *parse_opts(void *list, const char *text, bool permits)
{
    assert_ptr_equal(list, &stub);
    assert_string_equal(text, "file=/proc/self/fd/7");
    assert_true(permits);
    return parses_nothing ? NULL : &other_stub;
}

static void add_table(const void *options, struct qemu_error **errp)
{
    assert_ptr_equal(options, &other_stub);
    if (adds_nothing)
        *errp = (struct qemu_error *)&stub;
}

static const char *get_pretty(const struct qemu_error *error)
{
    assert_ptr_equal(error, &stub);
    return "no room";
}

static void test_tables_of_acpi(void **state)
{
    static const char *const names[] = {"qemu_find_opts", "qemu_opts_parse_noisily",
                                        "acpi_table_add"};
    const char *path = "/proc/self/fd/7", *error;
    (void)state;
    qemu.error_get_pretty = get_pretty;
    set_symbol("qemu_find_opts", FUNCTION(find_opts));
    set_symbol("qemu_opts_parse_noisily", FUNCTION(parse_opts));
    set_symbol("acpi_table_add", FUNCTION(add_table));
    assert_int_equal(qemu_add_acpi_table(path, &error), 0);
    adds_nothing = true;
    assert_int_equal(qemu_add_acpi_table(path, &error), -1);
    assert_string_equal(error, "no room");
    parses_nothing = true;
    assert_int_equal(qemu_add_acpi_table(path, &error), -1);
    assert_string_equal(error, "it does not export what is needed");
    knows_no_list = true;
    assert_int_equal(qemu_add_acpi_table(path, &error), -1);
    knows_no_list = parses_nothing = adds_nothing = false;
    for (unsigned i = 0; i < 3; i++) {
        set_symbol(names[i], NULL);
        assert_int_equal(qemu_add_acpi_table(path, &error), -1);
        num_symbols--;
    }
}

/* --- PCI devices ----------------------------------------------------------------------------- */

enum { CLASS = 600, REALIZE = 200, IDENTITY = REALIZE + 32 };

static uint8_t edu[CLASS] __attribute__((aligned(8))), testdev[CLASS] __attribute__((aligned(8))),
    ours[CLASS] __attribute__((aligned(8)));
static bool has_no_edu;

static struct qemu_class *class_by_name(const char *name)
{
    uint8_t *class = strcmp(name, "edu") == 0 ? edu : testdev;
    if (class != edu)
        assert_string_equal(name, "pci-testdev");
    return class == edu && has_no_edu ? NULL : (struct qemu_class *)(void *)class;
}

/* An emulator of programs (qemu-user) may not have what the plugin looks at memory with. */
static void need_to_look(void)
{
    char from = 1, to = 0;
    const struct iovec here = {&to, 1}, there = {&from, 1};
    if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1)
        return;
    print_message("skipped: there is no process_vm_readv() here; run it without an emulator\n");
    skip();
}

static void put_identity(uint8_t *class, unsigned at, uint16_t vendor, uint16_t device)
{
    trestle_put_le16(class + at, vendor);
    trestle_put_le16(class + at + 2, device);
    trestle_put_le16(class + at + 6, 0x00ff);
}

static void put_both(unsigned at)
{
    put_identity(edu, at, 0x1234, 0x11e8);
    put_identity(testdev, at, 0x1b36, 0x0005);
}

static int set_up_pci(void **state)
{
    memset(edu, 0, sizeof(edu));
    memset(testdev, 0, sizeof(testdev));
    memset(ours, 0, sizeof(ours));
    has_no_edu = false;
    int r = set_up(state);
    set_symbol("object_class_by_name", FUNCTION(class_by_name));
    return r;
}

static void test_what_pci_needs(void **state)
{
    static const char *const names[] = {
#define NAME(type, name, params) #name,
        PCI_FUNCTIONS(NAME)
#undef NAME
    };
    const char *why = NULL;
    char expected[100];
    (void)state;
    need_to_look();
    put_both(IDENTITY);
    assert_true(pci_abi_resolve(&why));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        set_symbol(names[i], NULL);
        assert_false(pci_abi_resolve(&why));
        snprintf(expected, sizeof(expected), "it does not export %s", names[i]);
        assert_string_equal(why, expected);
        num_symbols--;
    }
}

static void check_unlike(void)
{
    const char *why = NULL;
    assert_false(pci_abi_resolve(&why));
    assert_string_equal(why, "it has no edu and pci-testdev that look alike");
}

static void test_classes_that_are_not_alike(void **state)
{
    const char *why;
    (void)state;
    need_to_look();
    check_unlike(); /* nowhere */
    put_both(IDENTITY);
    assert_true(pci_abi_resolve(&why));
    has_no_edu = true;
    check_unlike();
    has_no_edu = false;
    put_both(IDENTITY + 80); /* in two places */
    check_unlike();
    memset(edu + IDENTITY + 80, 0, 8);
    assert_true(pci_abi_resolve(&why));
    edu[IDENTITY + 6] = 0; /* another class */
    check_unlike();
    set_up_pci(NULL);
    put_both(IDENTITY + 2); /* where no pointers can be in front of it */
    check_unlike();
    set_up_pci(NULL);
    put_identity(edu, IDENTITY, 0x1234, 0x11e8); /* not in the same place */
    put_identity(testdev, IDENTITY + 8, 0x1b36, 0x0005);
    check_unlike();
    set_up_pci(NULL);
    put_both(24); /* without room for the functions */
    check_unlike();
    put_both(32);
    assert_true(pci_abi_resolve(&why));
}

static qemu_reset_hold hold;
static unsigned num_parents, num_resets;

static struct qemu_class *cast_class(struct qemu_class *class, const char *type)
{
    assert_ptr_equal(class, ours);
    assert_string_equal(type, "resettable");
    return (struct qemu_class *)&stub;
}

static void parents_hold(struct qemu_object *object, int type)
{
    assert_ptr_equal(object, &other_stub);
    assert_int_equal(type, 3);
    assert_int_equal(num_resets, num_parents++); /* first */
}

static bool has_parent;

static void set_phases(struct qemu_class *class, qemu_reset_enter enter, qemu_reset_hold given,
                       qemu_reset_exit leave, struct qemu_reset_phases *ret_parents)
{
    assert_ptr_equal(class, &stub);
    assert_null(FUNCTION(enter));
    assert_null(FUNCTION(leave));
    *ret_parents = (struct qemu_reset_phases){.hold = has_parent ? parents_hold : NULL};
    hold = given;
}

static void realize(struct qemu_object *object, struct qemu_error **errp)
{
    (void)object;
    (void)errp;
}

static void unrealize(struct qemu_object *object)
{
    (void)object;
}

static uint32_t read_config(struct qemu_object *object, uint32_t address, int length)
{
    (void)object;
    return address + (uint32_t)length;
}

static void write_config(struct qemu_object *object, uint32_t address, uint32_t value, int length)
{
    (void)object;
    (void)address;
    (void)value;
    (void)length;
}

static void reset(struct qemu_object *object)
{
    assert_ptr_equal(object, &other_stub);
    num_resets++;
}

static void test_a_class(void **state)
{
    static const struct pci_class wanted = {realize, unrealize, read_config, write_config, reset};
    const char *why;
    (void)state;
    need_to_look();
    put_both(IDENTITY);
    set_symbol("object_class_dynamic_cast", FUNCTION(cast_class));
    set_symbol("resettable_class_set_parent_phases", FUNCTION(set_phases));
    assert_true(pci_abi_resolve(&why));
    for (unsigned i = 0; i < 2; i++) {
        has_parent = i == 1;
        num_parents = num_resets = 0;
        pci_abi_set_class((struct qemu_class *)(void *)ours, &wanted);
        assert_memory_equal(ours + REALIZE, &wanted, 4 * sizeof(void *));
        assert_memory_equal(ours + IDENTITY, "\x54\x74\x54\x53", 4);
        hold((struct qemu_object *)&other_stub, 3);
        assert_int_equal(num_resets, 1);
        assert_int_equal(num_parents, i);
    }
}

/* An instance with its configuration space, as QEMU has it behind whatever else there is. */
static uint8_t config[256], allowed[256];
static uint8_t *instance[200];
static bool writes_all, writes_nothing;

static void write_default(struct qemu_object *object, uint32_t address, uint32_t value, int length)
{
    assert_ptr_equal(object, instance);
    assert_int_equal(length, 1);
    assert_cmp(address, <, 256);
    uint8_t mask = writes_all ? 0xff : allowed[address];
    if (!writes_nothing)
        config[address] = (uint8_t)((config[address] & ~mask) | (value & mask));
}

static bool find_config(uint8_t **ret_config, uint8_t **ret_writable)
{
    return pci_abi_config((struct qemu_object *)(void *)instance, ret_config, ret_writable);
}

static void test_a_configuration_space(void **state)
{
    const char *why;
    uint8_t *found = NULL, *writable = NULL, decoy[256] = {0};
    (void)state;
    need_to_look();
    put_both(IDENTITY);
    set_symbol("pci_default_write_config", FUNCTION(write_default));
    assert_true(pci_abi_resolve(&why));
    memset(instance, 0, sizeof(instance));
    assert_false(find_config(&found, &writable));
    trestle_put_le32(decoy, 0x53547454);
    trestle_put_le32(config, 0x53547454);
    allowed[0x3c] = 0xff;
    instance[3] = decoy; /* looks like it, but shows no writes */
    instance[40] = config;
    instance[42] = allowed;
    assert_true(find_config(&found, &writable));
    assert_ptr_equal(found, config);
    assert_ptr_equal(writable, allowed);
    assert_int_equal(config[0x3c] | config[0x2c] | allowed[0x2c], 0); /* as it was */
    trestle_put_le32(config, 0x53547455);
    assert_false(find_config(&found, &writable));
    trestle_put_le32(config, 0x53547454);
    writes_nothing = true;
    assert_false(find_config(&found, &writable));
    writes_nothing = false;
    writes_all = true; /* what is writable is elsewhere */
    assert_false(find_config(&found, &writable));
    writes_all = false;
    allowed[0x2c] = 1;
    assert_false(find_config(&found, &writable));
    allowed[0x2c] = 0;
    instance[42] = decoy;
    assert_false(find_config(&found, &writable));
    instance[42] = NULL;
    assert_false(find_config(&found, &writable));
    instance[42] = allowed;
    assert_true(find_config(&found, &writable));
    instance[40] = instance[42] = NULL;
    instance[126] = config; /* its third pointer is beyond what is looked at */
    instance[128] = allowed;
    assert_false(find_config(&found, &writable));
    instance[125] = config;
    instance[127] = allowed;
    assert_true(find_config(&found, &writable));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, NULL)
#define PCI_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_pci, NULL)
    const struct CMUnitTest tests[] = {
        TEST(test_what_there_must_be),
        TEST(test_the_big_lock),
        TEST(test_versions),
        TEST(test_guests),
        TEST(test_how_many_regions),
        TEST(test_the_machine),
        TEST(test_tables_of_acpi),
        PCI_TEST(test_what_pci_needs),
        PCI_TEST(test_classes_that_are_not_alike),
        PCI_TEST(test_a_class),
        PCI_TEST(test_a_configuration_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
