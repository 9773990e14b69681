/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "irq.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "say.h"

/* Inputs that the board itself uses, from QEMU's hw/riscv/virt.c, hw/arm/virt.c and the PC's. */
struct range {
    uint32_t first, last;
};

static const struct controller {
    const char *type, *name;
    const char *count_property; /* NULL: count is fixed */
    uint32_t count;             /* inputs; with a property: to be taken off its value */
    uint32_t first;             /* of the inputs that exist */
    bool is_edge;               /* takes levels for edges */
    struct range board[4];
} CONTROLLERS[] = {
    {"riscv.sifive.plic", "PLIC", "num-sources", 0, 1, true, {{1, 8}, {10, 11}, {32, 35}}},
    {"arm_gic_common", "GIC", "num-irq", 32, 0, false, {{1, 9}, {16, 47}}},
    {"arm-gicv3-common", "GIC", "num-irq", 32, 0, false, {{1, 9}, {16, 47}}},
    {"ioapic-common", "I/O APIC", NULL, 24, 0, false, {{0, 15}}},
};
#define NUM_CONTROLLERS (sizeof(CONTROLLERS) / sizeof(CONTROLLERS[0]))

static const struct controller *controller;
static struct qemu_object *object;
static uint32_t num_inputs;
static uint16_t *high; /* per input: how many lines hold it up */

int irq_parse(const char *text, uint32_t ret_inputs[IRQ_LINES_MAX], uint32_t *ret_count)
{
    uint32_t count = 0;
    for (;;) {
        char *end;
        unsigned long input = strtoul(text, &end, 0);
        if (end == text || *text == '-' || input > UINT16_MAX || count == IRQ_LINES_MAX)
            return -1;
        ret_inputs[count++] = (uint32_t)input;
        if (*end == '\0')
            break;
        if (*end != ':')
            return -1;
        text = end + 1;
    }
    *ret_count = count;
    return 0;
}

/* --- the controller ----------------------------------------------------------------------------
 */

static void find_controller(struct sst_device *dev)
{
    char found[128] = "";
    unsigned count = 0;
    for (size_t i = 0; i < NUM_CONTROLLERS; i++) {
        bool is_ambiguous = false;
        struct qemu_object *candidate =
            qemu.object_resolve_path_type("", CONTROLLERS[i].type, &is_ambiguous);
        if (!candidate && !is_ambiguous)
            continue;
        count += is_ambiguous ? 2 : 1;
        snprintf(found + strlen(found), sizeof(found) - strlen(found), " %s%s", CONTROLLERS[i].type,
                 is_ambiguous ? " (several)" : "");
        controller = &CONTROLLERS[i];
        object = candidate;
    }
    if (count == 0)
        refuse_device(dev, "irq needs an interrupt controller that is known (PLIC, GICv2, GICv3, "
                           "I/O APIC), and this machine has none; leave irq out");
    if (count > 1)
        refuse_device(dev,
                      "irq needs one interrupt controller, and this machine has:%s; use "
                      "another machine, or leave irq out",
                      found);
}

static void count_inputs(struct sst_device *dev)
{
    num_inputs = controller->count;
    if (controller->count_property)
        num_inputs =
            (uint32_t)qemu.object_property_get_uint(object, controller->count_property, NULL) -
            controller->count;
    high = calloc(num_inputs, sizeof(*high));
    if (!high || num_inputs > UINT16_MAX)
        refuse_device(dev, "irq: the %s has no inputs that make sense", controller->name);
}

static void check_input(struct sst_device *dev, uint32_t input)
{
    /* QEMU aborts on an input that the controller does not have. */
    if (input < controller->first || input >= num_inputs)
        refuse_device(dev, "irq is %" PRIu32 "; the %s of this machine has %" PRIu32 " to %" PRIu32,
                      input, controller->name, controller->first, num_inputs - 1);
    for (size_t i = 0; i < sizeof(controller->board) / sizeof(controller->board[0]); i++) {
        const struct range *range = &controller->board[i];
        if (range->last > 0 && input >= range->first && input <= range->last && !dev->shadow)
            refuse_device(dev,
                          "irq is %" PRIu32 "; the board uses %" PRIu32 " to %" PRIu32
                          " itself; use another, or shadow=on to share it",
                          input, range->first, range->last);
    }
}

void irq_connect(struct sst_device *dev)
{
    if (dev->num_irqs == 0)
        return;
    if (!controller) {
        find_controller(dev);
        count_inputs(dev);
    }
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        check_input(dev, dev->irqs[line]);
}

/* --- levels -------------------------------------------------------------------------------------
 */

void irq_set(struct sst_device *dev, uint32_t line, bool level)
{
    if (line >= dev->num_irqs || (dev->irq_levels >> line & 1) == level)
        return;
    uint32_t input = dev->irqs[line];
    dev->irq_levels ^= UINT32_C(1) << line;
    high[input] = (uint16_t)(level ? high[input] + 1 : high[input] - 1);
    bool is_high = high[input] > 0, was_high = level ? high[input] > 1 : true;
    if (is_high != was_high || controller->is_edge)
        qemu.qemu_set_irq(qemu.qdev_get_gpio_in(object, (int)input), is_high);
}

void irq_drop_all(struct sst_device *dev)
{
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        irq_set(dev, line, false);
}
