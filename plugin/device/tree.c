/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the devices' nodes in the board's device tree. */
#include "plugin/device/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/device/acpi.h"
#include "plugin/device/device.h"
#include "plugin/device/dts.h"
#include "plugin/qemu/fdt.h"
#include "plugin/qemu/say.h"

/* Above all that boards number from 1, below what firmware might. */
#define FIRST_PHANDLE UINT32_C(0x54000000)

static const char *target;
static void (*check)(struct sst_device *dev);
static void *tree;
static uint32_t intc;   /* the controller's phandle */
static bool is_assumed; /* its node did not exist yet */

static void put_be32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_be32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint32_t phandle_of(const struct sst_device *dev)
{
    return FIRST_PHANDLE + dev->number;
}

static bool resolve(const char *label, uint32_t *ret_phandle)
{
    if (*label == '/') {
        int node = fdt.fdt_path_offset(tree, label);
        *ret_phandle = node < 0 ? 0 : fdt.fdt_get_phandle(tree, node);
        return *ret_phandle != 0;
    }
    *ret_phandle = intc;
    if (strcmp(label, "intc") == 0)
        return intc != 0;
    for (const struct sst_device *dev = device_first(); dev; dev = dev->next) {
        if (!dev->dt || !dev->dt_label || strcmp(dev->dt_label, label) != 0)
            continue;
        *ret_phandle = phandle_of(dev);
        return true;
    }
    return false;
}

/* --- the interrupt controller --------------------------------------------------------------------
 */

static const char *controller_name(void)
{
    return irq_cells() == IRQ_CELLS_APLIC ? "riscv,aplic" : "sifive,plic-1.0.0";
}

/* The phandle of riscv's controller, or 0: its node is not there (yet). Of two APLICs, the one that
 * has no child belongs to Linux. */
static uint32_t find_riscv_controller(void)
{
    int node = -1, length;
    while ((node = fdt.fdt_node_offset_by_compatible(tree, node, controller_name())) >= 0)
        if (!fdt.fdt_getprop(tree, node, "riscv,children", &length))
            return fdt.fdt_get_phandle(tree, node);
    return 0;
}

/* QEMU 10 and 11 make the node in the board's last work, which is still to come. They number it
 * behind two for each CPU, the second of two APLICs next. tree_check() looks whether they did. */
static uint32_t assume_riscv_controller(void)
{
    uint32_t cpus = 0;
    while (qemu.qemu_get_cpu((int)cpus))
        cpus++;
    is_assumed = true;
    return 2 * cpus + (irq_cells() == IRQ_CELLS_APLIC ? 2 : 1);
}

static uint32_t find_root_controller(void)
{
    int length = 0, root = fdt.fdt_path_offset(tree, "/");
    const void *parent = fdt.fdt_getprop(tree, root, "interrupt-parent", &length);
    return parent && length == 4 ? get_be32(parent) : 0;
}

static void find_controller(struct sst_device *dev)
{
    irq_find_controller(dev);
    if (irq_cells() == IRQ_CELLS_GIC)
        intc = find_root_controller();
    else if (irq_cells() != IRQ_CELLS_NONE)
        intc = find_riscv_controller();
    if (intc == 0 && (irq_cells() == IRQ_CELLS_PLIC || irq_cells() == IRQ_CELLS_APLIC))
        intc = assume_riscv_controller();
    if (intc == 0)
        refuse_device(
            dev, "dt: this board's interrupt controller has no known node; leave irq or dt out");
}

void tree_check(void)
{
    if (is_assumed && find_riscv_controller() != intc)
        refuse("this plugin does not know how QEMU %d.%d numbers the interrupt controller in the "
               "device tree; leave out the devices' dt, or their irq",
               (int)qemu.version->number->major, (int)qemu.version->number->minor);
}

/* --- nodes ---------------------------------------------------------------------------------------
 */

static void set_property(const struct sst_device *dev, int node, const char *name,
                         const void *bytes, size_t length)
{
    int r = fdt.fdt_setprop(tree, node, name, bytes, (int)length);
    if (r < 0)
        refuse_device(dev, "dt: property %s: %s", name, fdt.fdt_strerror(r));
}

static void set_cells(const struct sst_device *dev, int node, const char *name,
                      const uint32_t *cells, size_t count)
{
    uint8_t bytes[4 * 3 * IRQ_LINES_MAX];
    for (size_t i = 0; i < count; i++)
        put_be32(bytes + 4 * i, cells[i]);
    set_property(dev, node, name, bytes, 4 * count);
}

/* One or two cells each, as the parent counts. */
static void set_reg(const struct sst_device *dev, int parent, int node)
{
    const uint64_t values[] = {dev->base, dev->size};
    const int widths[] = {fdt.fdt_address_cells(tree, parent), fdt.fdt_size_cells(tree, parent)};
    uint32_t cells[4];
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        if (widths[i] < 1 || widths[i] > 2 || (widths[i] == 1 && values[i] > UINT32_MAX))
            refuse_device(dev, "dt: this board's tree has no room for 0x%" PRIx64, values[i]);
        if (widths[i] == 2)
            cells[count++] = (uint32_t)(values[i] >> 32);
        cells[count++] = (uint32_t)values[i];
    }
    set_cells(dev, node, "reg", cells, count);
}

static void set_interrupts(const struct sst_device *dev, int node)
{
    enum { LEVEL_HIGH = 4 };
    uint32_t cells[3 * IRQ_LINES_MAX];
    size_t count = 0;
    for (uint32_t line = 0; line < dev->num_irqs; line++) {
        if (dev->irqs[line] == IRQ_WATCHDOG)
            continue;
        if (irq_cells() == IRQ_CELLS_GIC)
            cells[count++] = 0; /* the kind: SPI */
        cells[count++] = dev->irqs[line];
        if (irq_cells() != IRQ_CELLS_PLIC)
            cells[count++] = LEVEL_HIGH;
    }
    if (count == 0)
        return;
    set_cells(dev, node, "interrupt-parent", &intc, 1);
    set_cells(dev, node, "interrupts", cells, count);
}

/* Below /soc where its addresses are the CPU's, as riscv boards have it. */
static int find_parent(void)
{
    int soc = fdt.fdt_path_offset(tree, "/soc"), length = 0;
    if (soc >= 0 && fdt.fdt_getprop(tree, soc, "ranges", &length) && length == 0)
        return soc;
    return fdt.fdt_path_offset(tree, "/");
}

static void set_alias(struct sst_device *dev, const char *node_name)
{
    char path[128];
    int length, root = fdt.fdt_path_offset(tree, "/");
    int aliases = fdt.fdt_path_offset(tree, "/aliases");
    if (!dev->dt_alias)
        return;
    if (aliases < 0)
        aliases = fdt.fdt_add_subnode(tree, root, "aliases");
    const char *taken = fdt.fdt_getprop(tree, aliases, dev->dt_alias, &length);
    if (taken)
        refuse_device(dev, "alias %s is %s already; use another", dev->dt_alias, taken);
    bool is_in_soc = find_parent() != fdt.fdt_path_offset(tree, "/");
    int size = snprintf(path, sizeof(path), "%s/%s", is_in_soc ? "/soc" : "", node_name);
    set_property(dev, aliases, dev->dt_alias, path, (size_t)size + 1);
}

static const char *put_property(void *to, int node, const char *name, const struct dts_value *value)
{
    int r = fdt.fdt_setprop(to, node, name, value->bytes, value->length);
    return r < 0 ? fdt.fdt_strerror(r) : NULL;
}

static const char *add_child(void *to, int parent, const char *name, int *ret_node)
{
    *ret_node = fdt.fdt_add_subnode(to, parent, name);
    return *ret_node < 0 ? fdt.fdt_strerror(*ret_node) : NULL;
}

static void add_node(struct sst_device *dev)
{
    char name[96];
    uint32_t phandle = phandle_of(dev);
    int parent = find_parent();
    struct dts dts = {.tree = tree, .put = put_property, .add = add_child, .resolve = resolve};
    snprintf(name, sizeof(name), "%.64s@%" PRIx64, dev->dt_label ? dev->dt_label : "device",
             dev->base);
    int node = fdt.fdt_add_subnode(tree, parent, name);
    if (node < 0)
        refuse_device(dev, "dt: node %s: %s", name, fdt.fdt_strerror(node));
    set_reg(dev, parent, node);
    set_interrupts(dev, node);
    set_cells(dev, node, "phandle", &phandle, 1);
    if (dts_put(&dts, node, dev->dt) < 0)
        refuse_device(dev, "dt: %s", dts.wrong);
    set_alias(dev, name);
}

/* libfdt puts a node before its sisters, and guests count devices in the order of the tree. */
static void add_nodes(struct sst_device *dev)
{
    if (!dev)
        return;
    add_nodes(dev->next);
    if (dev->dt)
        add_node(dev);
}

static bool wants_controller(const struct sst_device *dev)
{
    return dev->dt && (irq_is_wired(dev) || strstr(dev->dt, "&intc"));
}

/* A machine without a tree is no fault where the node is only what the model offers. */
static void refuse_without_tree(void)
{
    for (struct sst_device *dev = device_first(); dev; dev = dev->next)
        if (dev->dt && !dev->dt_optional)
            refuse_device(dev,
                          "dt: this machine makes no device tree and has no ACPI; leave it out, or "
                          "use a board that does, such as virt, without -dtb");
}

/* On riscv a -dtb becomes the machine's tree, elsewhere the machine's tree is not used then. */
static bool is_tree_used(void)
{
    return !qemu_has_dtb() || strncmp(target, "riscv", strlen("riscv")) == 0;
}

static void on_board_to_finish(struct qemu_notifier *notifier, void *data)
{
    bool has_nodes = false;
    (void)notifier;
    (void)data;
    for (struct sst_device *dev = device_first(); dev; dev = dev->next)
        has_nodes |= dev->dt || dev->acpi_id;
    if (!has_nodes)
        return;
    tree = is_tree_used() ? fdt_find() : NULL;
    if (!tree && (qemu_has_dtb() || !qemu_has_acpi())) {
        refuse_without_tree();
        return;
    }
    for (struct sst_device *dev = device_first(); dev; dev = dev->next)
        check(dev);
    if (!tree) {
        acpi_add_devices();
        return;
    }
    intc = 0;
    is_assumed = false;
    for (struct sst_device *dev = device_first(); dev && intc == 0; dev = dev->next)
        if (wants_controller(dev))
            find_controller(dev);
    add_nodes(device_first());
}

void tree_prepare(const char *target_name, void (*check_device)(struct sst_device *dev))
{
    static struct qemu_notifier board_to_finish = {.notify = on_board_to_finish};
    if (check)
        return; /* another first device, after one that was plugged in vain */
    target = target_name;
    check = check_device;
    qemu.qemu_add_machine_init_done_notifier(&board_to_finish);
}
