/* SPDX-License-Identifier: MIT */
/* The devices' nodes in a board's tree. The tree is this file's, with the calls of libfdt. */
#include "plugin/device/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "plugin/device/acpi.h"
#include "plugin/device/device.h"
#include "plugin/qemu/fdt.h"
#include "refusal.h"

/* --- a tree ---------------------------------------------------------------------------------- */

enum { NODES_MAX = 16, PROPERTIES_MAX = 12, NO_SPACE = 3 };

struct property {
    char name[32];
    uint8_t bytes[256];
    int length;
};

struct node {
    char name[96];
    int parent, num_properties;
    struct property properties[PROPERTIES_MAX];
};

static struct node nodes[NODES_MAX];
static int num_nodes, room;
static const char *full_property; /* for which there is no room */

static int path_offset(const void *tree, const char *path)
{
    char whole[256];
    assert_ptr_equal(tree, nodes);
    if (strcmp(path, "/") == 0)
        return 0;
    for (int i = 1; i < num_nodes; i++) {
        const char *parent = nodes[i].parent ? nodes[nodes[i].parent].name : NULL;
        snprintf(whole, sizeof(whole), "%s%s/%.90s", parent ? "/" : "", parent ? parent : "",
                 nodes[i].name);
        if (strcmp(whole, path) == 0)
            return i;
    }
    return -1;
}

static int add_subnode(void *tree, int parent, const char *name)
{
    assert_ptr_equal(tree, nodes);
    if (num_nodes == room)
        return -NO_SPACE;
    nodes[num_nodes] = (struct node){.parent = parent};
    snprintf(nodes[num_nodes].name, sizeof(nodes[0].name), "%s", name);
    return num_nodes++;
}

static int set_property(void *tree, int node, const char *name, const void *bytes, int length)
{
    assert_ptr_equal(tree, nodes);
    if (full_property && strcmp(full_property, name) == 0)
        return -NO_SPACE;
    assert_cmp(nodes[node].num_properties, <, PROPERTIES_MAX);
    struct property *property = &nodes[node].properties[nodes[node].num_properties++];
    snprintf(property->name, sizeof(property->name), "%s", name);
    assert_cmp(length, <=, (int)sizeof(property->bytes));
    memcpy(property->bytes, bytes, (size_t)length);
    property->length = length;
    return 0;
}

static const void *get_property(const void *tree, int node, const char *name, int *ret_length)
{
    assert_ptr_equal(tree, nodes);
    assert_cmp(node, >=, 0);
    for (int i = 0; i < nodes[node].num_properties; i++) {
        if (strcmp(nodes[node].properties[i].name, name) != 0)
            continue;
        *ret_length = nodes[node].properties[i].length;
        return nodes[node].properties[i].bytes;
    }
    *ret_length = -1;
    return NULL;
}

static int by_compatible(const void *tree, int node, const char *compatible)
{
    int length;
    while (++node < num_nodes) {
        const char *found = get_property(tree, node, "compatible", &length);
        if (found && strcmp(found, compatible) == 0)
            return node;
    }
    return -1;
}

static uint32_t number_of(int node, const char *name, uint32_t otherwise)
{
    int length;
    const uint8_t *bytes = get_property(nodes, node, name, &length);
    return bytes ? (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                       bytes[3]
                 : otherwise;
}

static uint32_t get_phandle(const void *tree, int node)
{
    assert_ptr_equal(tree, nodes);
    return number_of(node, "phandle", 0);
}

static int address_cells(const void *tree, int node)
{
    assert_ptr_equal(tree, nodes);
    return (int)number_of(node, "#address-cells", 2);
}

static int size_cells(const void *tree, int node)
{
    assert_ptr_equal(tree, nodes);
    return (int)number_of(node, "#size-cells", 1);
}

static const char *string_of_error(int error)
{
    assert_int_equal(error, -NO_SPACE);
    return "FDT_ERR_NOSPACE";
}

struct fdt_functions fdt = {.fdt_path_offset = path_offset,
                            .fdt_add_subnode = add_subnode,
                            .fdt_setprop = set_property,
                            .fdt_getprop = get_property,
                            .fdt_node_offset_by_compatible = by_compatible,
                            .fdt_get_phandle = get_phandle,
                            .fdt_address_cells = address_cells,
                            .fdt_size_cells = size_cells,
                            .fdt_strerror = string_of_error};

static int board_node(int parent, const char *name, const char *compatible, uint32_t phandle)
{
    const uint8_t bytes[] = {(uint8_t)(phandle >> 24), (uint8_t)(phandle >> 16),
                             (uint8_t)(phandle >> 8), (uint8_t)phandle};
    int node = add_subnode(nodes, parent, name);
    if (compatible)
        set_property(nodes, node, "compatible", compatible, (int)strlen(compatible) + 1);
    if (phandle)
        set_property(nodes, node, "phandle", bytes, 4);
    return node;
}

static void set_number(int node, const char *name, uint8_t number)
{
    const uint8_t bytes[] = {0, 0, 0, number};
    set_property(nodes, node, name, bytes, 4);
}

/* --- QEMU ------------------------------------------------------------------------------------ */

static struct sst_device *devices;
static struct qemu_notifier *notifier;
static unsigned num_notifiers, num_checked, num_acpi, num_found;
static bool has_dtb, has_acpi, has_tree, is_wired;
static enum irq_cells cells;
static int num_cpus;

static void add_notifier(struct qemu_notifier *added)
{
    notifier = added;
    num_notifiers++;
}

static struct qemu_cpu *get_cpu(int index)
{
    return index < num_cpus ? (struct qemu_cpu *)&nodes[index] : NULL;
}

struct qemu_abi qemu = {.qemu_add_machine_init_done_notifier = add_notifier,
                        .qemu_get_cpu = get_cpu};

struct sst_device *device_first(void)
{
    return devices;
}

void *fdt_find(void)
{
    return has_tree ? nodes : NULL;
}

bool qemu_has_dtb(void)
{
    return has_dtb;
}

bool qemu_has_acpi(void)
{
    return has_acpi;
}

void acpi_add_devices(void)
{
    num_acpi++;
}

void irq_find_controller(struct sst_device *dev)
{
    assert_non_null(dev);
    num_found++;
}

enum irq_cells irq_cells(void)
{
    return cells;
}

bool irq_is_wired(const struct sst_device *dev)
{
    (void)dev;
    return is_wired;
}

static void check(struct sst_device *dev)
{
    assert_non_null(dev);
    num_checked++;
}

/* --- the board's work ------------------------------------------------------------------------- */

static char target[16] = "riscv64"; /* which is told once */

/* A board without controller, whose root has two cells for an address and one for a size. */
static int set_up(void **state)
{
    (void)state;
    num_nodes = 0;
    room = NODES_MAX;
    full_property = NULL;
    strcpy(target, "riscv64");
    board_node(0, "", NULL, 0);
    has_tree = true;
    has_dtb = has_acpi = is_wired = false;
    cells = IRQ_CELLS_NONE;
    num_cpus = 1;
    num_checked = num_acpi = num_found = 0;
    refusal[0] = '\0';
    tree_prepare(target, check);
    return 0;
}

/* False: it was refused. */
static bool finish_board(struct sst_device *first)
{
    devices = first;
    if (setjmp(refused))
        return false;
    notifier->notify(notifier, NULL);
    return true;
}

static bool check_tree(void)
{
    if (setjmp(refused))
        return false;
    tree_check();
    return true;
}

static void check_node(const char *path, const char *expected)
{
    static char text[2048];
    int node = path_offset(nodes, path), length = 0;
    if (node < 0)
        fail_msg("no node %s", path);
    text[0] = '\0';
    for (int i = 0; i < nodes[node].num_properties; i++) {
        const struct property *property = &nodes[node].properties[i];
        length += sprintf(text + length, "%s=", property->name);
        for (int j = 0; j < property->length; j++)
            length += sprintf(text + length, "%02x", property->bytes[j]);
        length += sprintf(text + length, ";");
    }
    assert_string_equal(text, expected);
}

static struct sst_device a_device(unsigned number)
{
    return (struct sst_device){
        .number = number, .base = 0x110203040, .size = 0x1000, .dt = (char *)"x;"};
}

/* Before the others, which need what it does. */
static void test_prepared_once(void **state)
{
    (void)state;
    assert_int_equal(num_notifiers, 1);
    tree_prepare("other", NULL);
    assert_int_equal(num_notifiers, 1);
}

static void test_a_node(void **state)
{
    struct sst_device dev = a_device(3);
    (void)state;
    assert_true(finish_board(&dev));
    check_node("/device@110203040", "reg=000000011020304000001000;phandle=54000003;x=;");
    assert_int_equal(num_checked, 1);
    assert_int_equal(num_found, 0);
    assert_int_equal(num_acpi, 0);
    assert_true(check_tree());
}

static void test_order_and_names(void **state)
{
    struct sst_device last = a_device(3), none = a_device(2), first = a_device(1);
    (void)state;
    first.next = &none;
    none.next = &last;
    none.dt = NULL;
    none.dt_label = (char *)"none";
    first.dt_label = (char *)"one";
    last.base = 0x20;
    last.dt = (char *)"to = <&one>; y { z; };";
    assert_true(finish_board(&first));
    /* The last comes first: libfdt puts a node before its sisters. */
    assert_string_equal(nodes[1].name, "device@20");
    check_node("/device@20", "reg=000000000000002000001000;phandle=54000003;to=54000001;");
    check_node("/device@20/y", "z=;");
    check_node("/one@110203040", "reg=000000011020304000001000;phandle=54000001;x=;");
    assert_int_equal(num_checked, 3);
    assert_int_equal(num_nodes, 4);
}

static void test_soc(void **state)
{
    struct sst_device dev = a_device(1);
    int soc = board_node(0, "soc", NULL, 0);
    (void)state;
    dev.base = 0x10000000;
    dev.dt_alias = (char *)"serial9";
    dev.dt_label = (char *)"uart";
    set_number(soc, "#address-cells", 1);
    /* Addresses that are not the CPU's. */
    set_number(soc, "ranges", 0);
    assert_true(finish_board(&dev));
    check_node("/uart@10000000", "reg=000000001000000000001000;phandle=54000001;x=;");
    check_node("/aliases", "serial9=2f7561727440313030303030303000;");
    num_nodes = 1;
    soc = board_node(0, "soc", NULL, 0);
    set_number(soc, "#address-cells", 1);
    set_number(soc, "#size-cells", 2);
    set_property(nodes, soc, "ranges", "", 0);
    board_node(0, "aliases", NULL, 0);
    assert_true(finish_board(&dev));
    check_node("/soc/uart@10000000", "reg=100000000000000000001000;phandle=54000001;x=;");
    check_node("/aliases", "serial9=2f736f632f7561727440313030303030303000;");
    assert_int_equal(num_nodes, 4);
    dev.base = 0x20000000;
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: alias serial9 is /soc/uart@10000000 already; use another");
    num_nodes = 2;
    dev.base = 0x100000000;
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: dt: this board's tree has no room for 0x100000000");
    num_nodes = 2;
    dev.base = UINT32_MAX;
    assert_true(finish_board(&dev));
}

static void test_cells(void **state)
{
    struct sst_device dev = a_device(1);
    (void)state;
    set_number(0, "#size-cells", 0);
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: dt: this board's tree has no room for 0x1000");
    num_nodes = 1;
    nodes[0].num_properties = 0;
    set_number(0, "#address-cells", 3);
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: dt: this board's tree has no room for 0x110203040");
}

static void test_no_room(void **state)
{
    struct sst_device dev = a_device(1);
    (void)state;
    dev.dt = (char *)"x; y {};";
    full_property = "reg";
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: dt: property reg: FDT_ERR_NOSPACE");
    num_nodes = 1;
    full_property = "x";
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: dt: property x: FDT_ERR_NOSPACE");
    num_nodes = 1;
    full_property = NULL;
    room = 2;
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: dt: node y: FDT_ERR_NOSPACE");
    num_nodes = room = 1;
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, "1: dt: node device@110203040: FDT_ERR_NOSPACE");
}

static void test_references(void **state)
{
    struct sst_device other = a_device(2), dev = a_device(1);
    (void)state;
    dev.next = &other;
    other.dt = NULL;
    other.dt_label = (char *)"other";
    board_node(0, "clk", NULL, 0x77);
    board_node(0, "bare", NULL, 0);
    dev.dt = (char *)"c = <&{/clk}>;";
    assert_true(finish_board(&dev));
    check_node("/device@110203040", "reg=000000011020304000001000;phandle=54000001;c=00000077;");
    dev.dt = (char *)"c = <&{/bare}>;";
    assert_false(finish_board(&dev));
    assert_string_equal(refusal,
                        "1: dt: the board has no node &{/bare} that a property can refer to");
    dev.dt = (char *)"c = <&{/none}>;";
    assert_false(finish_board(&dev));
    dev.dt = (char *)"c = <&other>;"; /* which has no node */
    assert_false(finish_board(&dev));
    assert_string_equal(refusal,
                        "1: dt: no device has the node &other; use a device's dt_label, or &intc");
}

static void test_who_gives_a_tree(void **state)
{
    static const char no_tree[] =
        "1: dt: this machine makes no device tree and has no ACPI; leave it out, or use a board "
        "that does, such as virt, without -dtb";
    struct sst_device dev = a_device(1), without = a_device(2);
    (void)state;
    without.dt = NULL;
    assert_true(finish_board(&without));
    assert_true(finish_board(NULL));
    assert_int_equal(num_checked, 0);
    has_tree = false;
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, no_tree);
    dev.dt_optional = true;
    assert_true(finish_board(&dev));
    assert_int_equal(num_checked, 0);
    dev.dt_optional = false;
    has_acpi = true;
    assert_true(finish_board(&dev));
    assert_int_equal(num_acpi, 1);
    assert_int_equal(num_checked, 1);
    without.acpi_id = (char *)"TRST0001";
    assert_true(finish_board(&without));
    assert_int_equal(num_acpi, 2);
    has_dtb = true;
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, no_tree);
    has_tree = true;
    assert_true(finish_board(&dev)); /* riscv's own */
    num_nodes = 1;
    strcpy(target, "arm");
    assert_false(finish_board(&dev));
    assert_string_equal(refusal, no_tree);
    assert_int_equal(num_acpi, 2);
}

/* --- interrupts ------------------------------------------------------------------------------ */

static struct sst_device wired_device(void)
{
    struct sst_device dev = a_device(1);
    dev.irqs[0] = 7;
    dev.irqs[1] = IRQ_WATCHDOG;
    dev.irqs[2] = 0x102;
    dev.num_irqs = 3;
    is_wired = true;
    return dev;
}

static void test_no_controller(void **state)
{
    struct sst_device dev = wired_device();
    (void)state;
    cells = IRQ_CELLS_GIC;
    assert_false(finish_board(&dev));
    assert_string_equal(
        refusal, "1: dt: this board's interrupt controller has no known node; leave irq or dt out");
    set_property(nodes, 0, "interrupt-parent", "\1\2\3", 3);
    assert_false(finish_board(&dev));
    cells = IRQ_CELLS_NONE;
    assert_false(finish_board(&dev));
    assert_int_equal(num_found, 3);
    /* It refers to nobody. */
    is_wired = false;
    dev.dt = (char *)"a = <&intc>;";
    assert_false(finish_board(&dev));
    assert_int_equal(num_found, 4);
}

static void test_plic(void **state)
{
    struct sst_device dev = wired_device(), other = a_device(2);
    (void)state;
    dev.next = &other;
    dev.dt = (char *)"parent = <&intc>;";
    other.base = 0x20;
    cells = IRQ_CELLS_PLIC;
    num_cpus = 3;
    /* Not there yet: behind two for each CPU. */
    assert_true(finish_board(&dev));
    check_node("/device@110203040",
               "reg=000000011020304000001000;interrupt-parent=00000007;"
               "interrupts=0000000700000102;phandle=54000001;parent=00000007;");
    check_node("/device@20", "reg=000000000000002000001000;phandle=54000002;x=;");
    assert_int_equal(num_found, 1);
    struct qemu_version version = {.number = NULL};
    __typeof__(*version.number) number = {.major = 10, .minor = 1};
    version.number = &number;
    qemu.version = &version;
    assert_false(check_tree());
    assert_string_equal(
        refusal, "this plugin does not know how QEMU 10.1 numbers the interrupt controller in the "
                 "device tree; leave out the devices' dt, or their irq");
    int plic = board_node(0, "plic", "sifive,plic-1.0.0", 8);
    assert_false(check_tree());
    nodes[plic].properties[1].bytes[3] = 7;
    assert_true(check_tree());
}

static void test_a_plic_that_is_there(void **state)
{
    struct sst_device dev = wired_device();
    (void)state;
    cells = IRQ_CELLS_PLIC;
    board_node(0, "plic", "sifive,plic-1.0.0", 0x1020304);
    assert_true(finish_board(&dev));
    check_node("/device@110203040", "reg=000000011020304000001000;interrupt-parent=01020304;"
                                    "interrupts=0000000700000102;phandle=54000001;x=;");
    nodes[1].properties[1].bytes[3] = 9;
    assert_true(check_tree()); /* nothing was assumed */
}

static void test_gic(void **state)
{
    struct sst_device dev = wired_device();
    (void)state;
    cells = IRQ_CELLS_GIC;
    set_property(nodes, 0, "interrupt-parent", "\x80\2\3\4", 4);
    assert_true(finish_board(&dev));
    check_node("/device@110203040", "reg=000000011020304000001000;interrupt-parent=80020304;"
                                    "interrupts=000000000000000700000004000000000000010200000004;"
                                    "phandle=54000001;x=;");
    num_nodes = 1;
    dev.irqs[0] = IRQ_WATCHDOG;
    dev.num_irqs = 2;
    assert_true(finish_board(&dev));
    check_node("/device@110203040", "reg=000000011020304000001000;phandle=54000001;x=;");
}

static void test_aplic(void **state)
{
    struct sst_device dev = wired_device();
    (void)state;
    cells = IRQ_CELLS_APLIC;
    num_cpus = 2;
    assert_true(finish_board(&dev));
    check_node("/device@110203040",
               "reg=000000011020304000001000;interrupt-parent=00000006;"
               "interrupts=00000007000000040000010200000004;phandle=54000001;x=;");
    num_nodes = 1;
    int machine = board_node(0, "aplic-m", "riscv,aplic", 5);
    set_number(machine, "riscv,children", 6);
    board_node(0, "aplic-s", "riscv,aplic", 6);
    assert_true(check_tree());
    dev.base = 0x20;
    assert_true(finish_board(&dev));
    check_node("/device@20", "reg=000000000000002000001000;interrupt-parent=00000006;"
                             "interrupts=00000007000000040000010200000004;phandle=54000001;x=;");
}

/* One that has none leaves the search to the next. */
static void test_who_wants_a_controller(void **state)
{
    struct sst_device second = a_device(2), first = a_device(1);
    (void)state;
    first.next = &second;
    second.base = 0x20;
    second.dt = (char *)"a = <&intc>;";
    cells = IRQ_CELLS_PLIC;
    board_node(0, "plic", "sifive,plic-1.0.0", 3);
    assert_true(finish_board(&first));
    assert_int_equal(num_found, 1);
    check_node("/device@20", "reg=000000000000002000001000;phandle=54000002;a=00000003;");
    first.dt = NULL;
    second.dt = (char *)"x;";
    num_nodes = 1;
    is_wired = true;
    cells = IRQ_CELLS_NONE;
    second.next = NULL;
    second.dt = NULL;
    first.acpi_id = (char *)"TRST0001";
    assert_true(finish_board(&first)); /* no node, no controller */
    assert_int_equal(num_found, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_prepared_once, set_up),
        cmocka_unit_test_setup(test_a_node, set_up),
        cmocka_unit_test_setup(test_order_and_names, set_up),
        cmocka_unit_test_setup(test_soc, set_up),
        cmocka_unit_test_setup(test_cells, set_up),
        cmocka_unit_test_setup(test_no_room, set_up),
        cmocka_unit_test_setup(test_references, set_up),
        cmocka_unit_test_setup(test_who_gives_a_tree, set_up),
        cmocka_unit_test_setup(test_no_controller, set_up),
        cmocka_unit_test_setup(test_plic, set_up),
        cmocka_unit_test_setup(test_a_plic_that_is_there, set_up),
        cmocka_unit_test_setup(test_gic, set_up),
        cmocka_unit_test_setup(test_aplic, set_up),
        cmocka_unit_test_setup(test_who_wants_a_controller, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
