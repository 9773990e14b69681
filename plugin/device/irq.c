/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connects the interrupt lines of devices to the guest's interrupt controller. */
#include "plugin/device/irq.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/device/device.h"
#include "plugin/device/wiring.h"
#include "plugin/qemu/say.h"

static const struct controller {
    const char *type, *name;
    const char *count_property; /* NULL: count is fixed, or 0 and counted one by one */
    uint32_t count;             /* of inputs; with a property: subtracted from its value */
    uint32_t first;             /* of the inputs that exist */
    bool is_edge;               /* takes levels for edges */
    enum irq_cells cells;       /* how a device tree names an input */
    uint32_t board_inputs; /* inputs below this are the board's own, if its wires cannot be seen */
} CONTROLLERS[] = {
    {"riscv.sifive.plic", "PLIC", "num-sources", 0, 1, true, IRQ_CELLS_PLIC, 0},
    {"riscv.aplic", "APLIC", "num-irqs", 0, 1, false, IRQ_CELLS_APLIC, 0},
    {"arm_gic_common", "GIC", "num-irq", 32, 0, false, IRQ_CELLS_GIC, 0},
    {"arm-gicv3-common", "GIC", "num-irq", 32, 0, false, IRQ_CELLS_GIC, 0},
    {"armv7m", "NVIC", NULL, 0, 0, false, IRQ_CELLS_NONE, 0},
    {"ioapic-common", "I/O APIC", NULL, 24, 0, false, IRQ_CELLS_NONE, 16},
};
#define NUM_CONTROLLERS (sizeof(CONTROLLERS) / sizeof(CONTROLLERS[0]))

/* An input of the controller: how many of our lines are connected to it, and how many are up. */
struct input {
    uint16_t num_lines, num_high;
    const char *owner; /* the board's own device at it, by QEMU's name of its kind; NULL: none */
};

static const struct controller *controller;
static struct qemu_object *object;
static uint32_t num_inputs;
static struct input *inputs;
static bool is_held;

/* 0, or -1 and it is none. */
static int parse_input(const char *text, uint32_t *ret_input, char **ret_end)
{
    static const char watchdog[] = "watchdog";
    if (strncmp(text, watchdog, strlen(watchdog)) == 0) {
        *ret_end = (char *)text + strlen(watchdog);
        *ret_input = IRQ_WATCHDOG;
        return 0;
    }
    unsigned long input = strtoul(text, ret_end, 0);
    if (!isdigit((unsigned char)*text) || input > UINT16_MAX)
        return -1;
    *ret_input = (uint32_t)input;
    return 0;
}

int irq_parse(const char *text, uint32_t ret_inputs[IRQ_LINES_MAX], uint32_t *ret_count)
{
    uint32_t count = 0;
    for (;;) {
        char *end;
        if (count == IRQ_LINES_MAX || parse_input(text, &ret_inputs[count++], &end) < 0)
            return -1;
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

/* If there are two APLICs, the machine's wires end at the APLIC of machine mode. */
static int find_root_aplic(struct qemu_object *candidate, void *ret_object)
{
    if (qemu.object_dynamic_cast(candidate, "riscv.aplic") &&
        qemu.object_property_get_bool(candidate, "mmode", NULL)) {
        *(struct qemu_object **)ret_object = candidate;
        return 1;
    }
    return qemu.object_child_foreach(candidate, find_root_aplic, ret_object);
}

/* Returns how many known controllers the machine has. *ret_found: their names, each after a space.
 */
static unsigned look_for_controller(char *ret_found, size_t size)
{
    unsigned count = 0;
    *ret_found = '\0';
    for (size_t i = 0; i < NUM_CONTROLLERS; i++) {
        bool is_ambiguous = false;
        struct qemu_object *candidate =
            qemu.object_resolve_path_type("", CONTROLLERS[i].type, &is_ambiguous);
        if (is_ambiguous && CONTROLLERS[i].cells == IRQ_CELLS_APLIC)
            is_ambiguous = qemu.object_child_foreach(qemu.qdev_get_machine(), find_root_aplic,
                                                     &candidate) != 1;
        if (!candidate && !is_ambiguous)
            continue;
        count += is_ambiguous ? 2 : 1;
        size_t length = strlen(ret_found);
        snprintf(ret_found + length, size - length, " %s%s", CONTROLLERS[i].type,
                 is_ambiguous ? " (several)" : "");
        controller = &CONTROLLERS[i];
        object = candidate;
    }
    return count;
}

/* An object may have handed its inputs to the one around it, as Cortex-M's NVIC does, and QEMU
 * would abort if it were asked for one. */
static struct qemu_object *owner_of_inputs(struct qemu_object *candidate)
{
    static const char input[] = "unnamed-gpio-in[0]";
    char *path = qemu.object_get_canonical_path(candidate), *target = NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    size_t length = path ? strlen(path) : 0;
    struct qemu_object *around = NULL;
    if (slash && slash > path) {
        *slash = '\0';
        around = qemu.object_resolve_path(path, NULL);
        *slash = '/';
    }
    if (around && qemu.object_property_find(around, input))
        target = qemu.object_property_get_str(around, input, NULL);
    bool is_ours = target && strncmp(target, path, length) == 0 && target[length] == '/';
    free(target);
    free(path);
    return is_ours ? around : candidate;
}

/* The user names a controller, by its path or by its type. It may be an unknown one, if it has
 * inputs. */
static void name_controller(struct sst_device *dev)
{
    static struct controller named;
    const char *text = dev->irq_controller;
    bool is_ambiguous = false;
    object = *text == '/' ? qemu.object_resolve_path(text, NULL)
                          : qemu.object_resolve_path_type("", text, &is_ambiguous);
    if (!object)
        refuse_device(dev,
                      "irq_controller is '%s'; this machine has %s of that name; 'trestle boards' "
                      "lists those that it has",
                      text, is_ambiguous ? "more than one" : "none");
    object = owner_of_inputs(object);
    for (size_t i = 0; i < NUM_CONTROLLERS && !controller; i++)
        if (qemu.object_dynamic_cast(object, CONTROLLERS[i].type))
            controller = &CONTROLLERS[i];
    named.type = named.name = qemu.object_get_typename(object);
    if (!controller)
        controller = &named;
}

static void find_controller(struct sst_device *dev)
{
    if (dev->irq_controller) {
        name_controller(dev);
        return;
    }
    char found[128];
    unsigned count = look_for_controller(found, sizeof(found));
    if (count == 0)
        refuse_device(dev, "irq needs a known interrupt controller (PLIC, APLIC, GICv2, "
                           "GICv3, NVIC, I/O APIC), and this machine has none; name one in "
                           "irq_controller, or leave irq out");
    if (count > 1)
        refuse_device(dev,
                      "irq needs one interrupt controller, and this machine has:%s; name "
                      "one in irq_controller, or leave irq out",
                      found);
}

/* A processor's own controller has as many inputs as its chip's maker chose. */
static uint32_t count_one_by_one(struct qemu_object *candidate)
{
    char name[40];
    uint32_t count = 0;
    do
        snprintf(name, sizeof(name), "unnamed-gpio-in[%" PRIu32 "]", count);
    while (qemu.object_property_find(candidate, name) && ++count <= UINT16_MAX);
    return count;
}

static bool count_inputs(void)
{
    num_inputs = controller->count;
    if (controller->count_property)
        num_inputs =
            (uint32_t)qemu.object_property_get_uint(object, controller->count_property, NULL) -
            controller->count;
    if (num_inputs == 0)
        num_inputs = count_one_by_one(object);
    inputs = calloc(num_inputs, sizeof(*inputs));
    return inputs && num_inputs > 0 && num_inputs <= UINT16_MAX;
}

static void check_input(struct sst_device *dev, uint32_t input)
{
    /* QEMU aborts on an input that the controller does not have. */
    if (input < controller->first || input >= num_inputs)
        refuse_device(dev,
                      "irq is %" PRIu32 "; the %s of this machine has %" PRIu32 " to %" PRIu32
                      "; use one of these",
                      input, controller->name, controller->first, num_inputs - 1);
    if (inputs[input].owner && !dev->shadow)
        refuse_device(dev,
                      "irq is %" PRIu32 "; the board's own %s uses it already; use another, which "
                      "'trestle boards' lists, or set shadow to share it",
                      input, inputs[input].owner);
}

static void note_owner(uint32_t input, const char *type)
{
    inputs[input].owner = type;
}

/* Once the board is complete. */
static void find_owners(void)
{
    static bool is_done;
    if (is_done)
        return;
    is_done = true;
    for (uint32_t input = 0; input < controller->board_inputs; input++)
        note_owner(input, "chipset");
    wiring_find(object, controller->first, num_inputs, note_owner);
}

void irq_find_controller(struct sst_device *dev)
{
    static const char *name; /* as the first device that has one says */
    if (!name)
        name = dev->irq_controller;
    if (dev->irq_controller && strcmp(dev->irq_controller, name) != 0)
        refuse_device(dev, "irq_controller is '%s', and another device's is '%s'; use one",
                      dev->irq_controller, name);
    if (controller)
        return;
    find_controller(dev);
    if (!count_inputs())
        refuse_device(dev, "irq: the %s has no usable inputs", controller->name);
}

/* An object may be a controller if it has at least eight inputs and is not just a gate. */
static int report_candidate(struct qemu_object *candidate, void *used)
{
    uint32_t count = count_one_by_one(candidate);
    if (count >= 8 && !qemu.object_dynamic_cast(candidate, "or-irq") &&
        owner_of_inputs(candidate) == candidate) {
        char *path = qemu.object_get_canonical_path(candidate);
        printf("candidate 0 %" PRIu32 " %s %s\n", count - 1, path ? path : "",
               qemu.object_get_typename(candidate));
        free(path);
        wiring_find(candidate, 0, count, *(irq_used **)used);
    }
    return qemu.object_child_foreach(candidate, report_candidate, used);
}

void irq_report(irq_used *used)
{
    char found[128];
    unsigned count = look_for_controller(found, sizeof(found));
    if (count != 1 || !count_inputs()) {
        printf("interrupts none%s\n", count > 0 ? found : "");
        (void)report_candidate(qemu.qdev_get_machine(), &used);
        return;
    }
    printf("interrupts %" PRIu32 " %" PRIu32 " %s\n", controller->first, num_inputs - 1,
           controller->name);
    find_owners();
    for (uint32_t input = 0; input < num_inputs; input++)
        if (inputs[input].owner)
            used(input, inputs[input].owner);
}

enum irq_cells irq_cells(void)
{
    return controller ? controller->cells : IRQ_CELLS_NONE;
}

bool irq_is_wired(const struct sst_device *dev)
{
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        if (dev->irqs[line] != IRQ_WATCHDOG)
            return true;
    return false;
}

void irq_connect(struct sst_device *dev)
{
    if (!irq_is_wired(dev))
        return;
    irq_find_controller(dev);
    find_owners();
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        if (dev->irqs[line] != IRQ_WATCHDOG)
            check_input(dev, dev->irqs[line]);
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        if (dev->irqs[line] != IRQ_WATCHDOG)
            inputs[dev->irqs[line]].num_lines++;
}

/* --- levels -------------------------------------------------------------------------------------
 */

static void tell_controller(uint32_t input)
{
    qemu.qemu_set_irq(qemu.qdev_get_gpio_in(object, (int)input), inputs[input].num_high > 0);
}

void irq_line_changed(struct sst_device *dev, uint32_t line, bool level)
{
    if (dev->irqs[line] == IRQ_WATCHDOG) {
        if (level && !is_held)
            qemu.watchdog_perform_action();
        return;
    }
    struct input *input = &inputs[dev->irqs[line]];
    bool was_high = input->num_high > 0;
    input->num_high = (uint16_t)(level ? input->num_high + 1 : input->num_high - 1);
    if (!is_held && (was_high != (input->num_high > 0) || controller->is_edge))
        tell_controller(dev->irqs[line]);
}

void irq_hold(void)
{
    is_held = true;
}

void irq_release(void)
{
    is_held = false;
    for (uint32_t input = 0; input < num_inputs; input++)
        if (inputs[input].num_lines > 0)
            tell_controller(input);
}

void irq_set_anew(struct sst_device *dev)
{
    for (uint32_t line = 0; line < dev->num_irqs; line++)
        if (!is_held && dev->irqs[line] != IRQ_WATCHDOG && inputs[dev->irqs[line]].num_high > 0)
            tell_controller(dev->irqs[line]);
}
