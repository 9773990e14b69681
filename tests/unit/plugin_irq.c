/* SPDX-License-Identifier: MIT */
/*
 * The lines from devices to an interrupt controller, on machines of objects that are this test's.
 * The plugin finds a machine's controller once, so that each machine is in a process of its own.
 */
#include "plugin/device/irq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "notes.h"
#include "plugin/device/device.h"
#include "refusal.h"

/* --- QEMU ------------------------------------------------------------------------------------ */

enum { OBJECTS_MAX = 8, WIRES_MAX = 4 };

struct qemu_object {
    const char *type, *base; /* what it is, and what else it may be taken for */
    const char *path;
    int count;          /* of its inputs, as its property says */
    int num_named;      /* inputs that are found one by one */
    const char *handed; /* where its input 0 leads, if it has handed them on */
    bool is_mmode;
    struct {
        const char *name, *type, *to;
    } wires[WIRES_MAX]; /* its outputs */
};

struct qemu_abi qemu;
static struct qemu_object objects[OBJECTS_MAX];
static struct qemu_property found_property;
static struct qemu_object *asked; /* whose inputs the latest request was for */

static bool is_a(const struct qemu_object *object, const char *type)
{
    return object->type &&
           (strcmp(object->type, type) == 0 || (object->base && strcmp(object->base, type) == 0));
}

static struct qemu_object *by_type(const char *path, const char *type, bool *ret_ambiguous)
{
    struct qemu_object *found = NULL;
    assert_string_equal(path, "");
    *ret_ambiguous = false;
    for (int i = 0; i < OBJECTS_MAX; i++) {
        if (!is_a(&objects[i], type))
            continue;
        *ret_ambiguous = found != NULL;
        found = &objects[i];
    }
    return *ret_ambiguous ? NULL : found;
}

static struct qemu_object *by_path(const char *path, bool *ret_ambiguous)
{
    (void)ret_ambiguous;
    for (int i = 0; i < OBJECTS_MAX; i++)
        if (objects[i].path && strcmp(objects[i].path, path) == 0)
            return &objects[i];
    return NULL;
}

/* All are below the machine, the first. */
static int for_each_child(struct qemu_object *object, int (*look)(struct qemu_object *, void *),
                          void *context)
{
    int r = 0;
    for (int i = 1; i < OBJECTS_MAX && r == 0 && object == objects; i++)
        if (objects[i].type)
            r = look(&objects[i], context);
    return r;
}

static struct qemu_object *get_machine(void)
{
    return objects;
}

static struct qemu_object *cast(struct qemu_object *object, const char *type)
{
    return is_a(object, type) ? object : NULL;
}

static bool get_bool(struct qemu_object *object, const char *name, struct qemu_error **errp)
{
    (void)errp;
    return strcmp(name, "mmode") == 0 && object->is_mmode;
}

static uint64_t get_uint(struct qemu_object *object, const char *name, struct qemu_error **errp)
{
    (void)errp;
    (void)name;
    return (uint64_t)object->count;
}

static char *get_path(const struct qemu_object *object)
{
    return object->path ? strdup(object->path) : NULL;
}

static const char *get_type(const struct qemu_object *object)
{
    return object->type;
}

static void *find_property(struct qemu_object *object, const char *name)
{
    int number;
    bool is_there = sscanf(name, "unnamed-gpio-in[%d]", &number) == 1 && number < object->num_named;
    return is_there ? &found_property : NULL;
}

static char *get_str(struct qemu_object *object, const char *name, struct qemu_error **errp)
{
    (void)errp;
    for (int i = 0; i < WIRES_MAX; i++)
        if (object->wires[i].name && strcmp(object->wires[i].name, name) == 0)
            return object->wires[i].to ? strdup(object->wires[i].to) : NULL;
    return object->handed ? strdup(object->handed) : NULL;
}

static void begin_properties(struct qemu_property_iterator *iterator, struct qemu_object *object)
{
    iterator->words[0] = (uint64_t)(uintptr_t)object;
    iterator->words[1] = 0;
}

static struct qemu_property *next_property(struct qemu_property_iterator *iterator)
{
    struct qemu_object *object = (struct qemu_object *)(uintptr_t)iterator->words[0];
    uint64_t i = iterator->words[1]++;
    if (i >= WIRES_MAX || !object->wires[i].name)
        return NULL;
    found_property = (struct qemu_property){.name = (char *)(uintptr_t)object->wires[i].name,
                                            .type = (char *)(uintptr_t)object->wires[i].type};
    return &found_property;
}

/* An input is an object below that of the controller. */
static struct qemu_irq *get_input(struct qemu_object *object, int number)
{
    static struct qemu_object inputs[256];
    static char paths[256][64];
    assert_cmp(number, >=, 0);
    assert_cmp(number, <, 256);
    asked = object;
    snprintf(paths[number], sizeof(paths[0]), "%s/unnamed-gpio-in[%d]", object->path, number);
    inputs[number] = (struct qemu_object){.path = paths[number]};
    return (struct qemu_irq *)&inputs[number];
}

static void set_irq(struct qemu_irq *irq, int level)
{
    note("%d=%d ", atoi(strchr(((struct qemu_object *)(void *)irq)->path, '[') + 1), level);
}

static void watchdog(void)
{
    note("watchdog ");
}

/* --- machines -------------------------------------------------------------------------------- */

static const struct qemu_object PLIC = {
    .type = "riscv.sifive.plic", .path = "/machine/plic", .count = 96};
static const struct qemu_object GIC = {
    .type = "arm_gic", .base = "arm_gic_common", .path = "/machine/gic", .count = 64};

static void set_up(const struct qemu_object *first, const struct qemu_object *second)
{
    qemu = (struct qemu_abi){.object_resolve_path_type = by_type,
                             .object_resolve_path = by_path,
                             .object_child_foreach = for_each_child,
                             .qdev_get_machine = get_machine,
                             .object_dynamic_cast = cast,
                             .object_property_get_bool = get_bool,
                             .object_property_get_uint = get_uint,
                             .object_get_canonical_path = get_path,
                             .object_get_typename = get_type,
                             .object_property_find = find_property,
                             .object_property_get_str = get_str,
                             .object_property_iter_init = begin_properties,
                             .object_property_iter_next = next_property,
                             .qdev_get_gpio_in = get_input,
                             .qemu_set_irq = set_irq,
                             .watchdog_perform_action = watchdog};
    objects[0] = (struct qemu_object){.type = "machine", .path = "/machine"};
    objects[1] = first ? *first : (struct qemu_object){.type = NULL};
    objects[2] = second ? *second : (struct qemu_object){.type = NULL};
}

static const struct device_bus bus = {.line_changed = irq_line_changed, .set_anew = irq_set_anew};

static struct sst_device device_at(const char *irq)
{
    struct sst_device dev = {.bus = &bus, .number = 1};
    assert_int_equal(irq_parse(irq, dev.irqs, &dev.num_irqs), 0);
    return dev;
}

static void connect_device(struct sst_device *dev)
{
    if (setjmp(refused))
        fail_msg("%s", refusal);
    irq_connect(dev);
}

static void check_refused(struct sst_device *dev, const char *expected)
{
    refusal[0] = '\0';
    if (!setjmp(refused))
        irq_connect(dev);
    assert_string_equal(refusal, expected);
}

/* --- texts ----------------------------------------------------------------------------------- */

static void test_texts(void **state)
{
    uint32_t inputs[IRQ_LINES_MAX], count = 7;
    static const char *const bad[] = {"",   ":",  "1:",    ":1",        "x",         "1x",
                                      "-1", " 1", "65536", "watchdogs", "watchdog:", "1,2"};
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(irq_parse(bad[i], inputs, &count), -1);
    assert_int_equal(count, 7);
    assert_int_equal(irq_parse("0x10:7:watchdog:65535:0", inputs, &count), 0);
    const uint32_t expected[] = {16, 7, IRQ_WATCHDOG, 65535, 0};
    assert_int_equal(count, 5);
    assert_memory_equal(inputs, expected, sizeof(expected));
}

static void test_how_many(void **state)
{
    uint32_t inputs[IRQ_LINES_MAX], count;
    char text[2 * IRQ_LINES_MAX + 2];
    (void)state;
    for (unsigned i = 0; i <= IRQ_LINES_MAX; i++)
        memcpy(text + 2 * i, "1:", 2);
    text[2 * IRQ_LINES_MAX + 1] = '\0';
    assert_int_equal(irq_parse(text, inputs, &count), -1);
    text[2 * IRQ_LINES_MAX - 1] = '\0';
    assert_int_equal(irq_parse(text, inputs, &count), 0);
    assert_int_equal(count, IRQ_LINES_MAX);
}

/* --- levels ---------------------------------------------------------------------------------- */

/* A PLIC forgets an input that the guest has claimed: each rise of a line, and each fall of one of
 * several, is told. */
static void test_a_plic(void **state)
{
    struct sst_device a = device_at("5:6"), b = device_at("5");
    (void)state;
    set_up(&PLIC, NULL);
    assert_int_equal(irq_cells(), IRQ_CELLS_NONE);
    connect_device(&a);
    connect_device(&b);
    assert_int_equal(irq_cells(), IRQ_CELLS_PLIC);
    device_set_line(&a, 0, true);
    device_set_line(&b, 0, true);
    device_set_line(&a, 1, true);
    device_set_line(&a, 0, false);
    device_set_line(&b, 0, false);
    check_log("5=1 5=1 6=1 5=1 5=0 ");
    irq_set_anew(&a);
    check_log("6=1 ");
    irq_set_anew(&b);
    check_log("");
}

/* Others see levels. */
static void test_a_gic(void **state)
{
    struct sst_device a = device_at("5"), b = device_at("5");
    (void)state;
    set_up(&GIC, NULL);
    connect_device(&a);
    connect_device(&b);
    assert_int_equal(irq_cells(), IRQ_CELLS_GIC);
    device_set_line(&a, 0, true);
    device_set_line(&b, 0, true);
    device_set_line(&a, 0, false);
    check_log("5=1 ");
    irq_set_anew(&b);
    check_log("5=1 ");
    device_set_line(&b, 0, false);
    check_log("5=0 ");
}

static void test_a_reset(void **state)
{
    struct sst_device a = device_at("5:7:watchdog"), b = device_at("6");
    (void)state;
    set_up(&PLIC, NULL);
    connect_device(&a);
    connect_device(&b);
    device_set_line(&a, 0, true);
    check_log("5=1 ");
    irq_hold();
    device_set_line(&a, 0, false);
    device_set_line(&a, 1, true);
    device_set_line(&a, 2, true);
    irq_set_anew(&a);
    check_log("");
    irq_release();
    check_log("5=0 6=0 7=1 ");
    device_set_line(&b, 0, true);
    check_log("6=1 ");
}

static void test_a_watchdog(void **state)
{
    struct sst_device dev = device_at("watchdog");
    (void)state;
    set_up(NULL, NULL); /* it needs no controller */
    assert_false(irq_is_wired(&dev));
    connect_device(&dev);
    device_set_line(&dev, 0, true);
    check_log("watchdog ");
    device_set_line(&dev, 0, false);
    irq_set_anew(&dev);
    check_log("");
    dev = device_at("watchdog:3");
    assert_true(irq_is_wired(&dev));
}

/* --- which controller ------------------------------------------------------------------------ */

static void test_no_controller(void **state)
{
    struct sst_device dev = device_at("5");
    (void)state;
    set_up(NULL, NULL);
    check_refused(&dev, "1: irq needs a known interrupt controller (PLIC, APLIC, GICv2, GICv3, "
                        "NVIC, I/O APIC), and this machine has none; name one in irq_controller, "
                        "or leave irq out");
}

static void test_two_controllers(void **state)
{
    struct sst_device dev = device_at("5");
    (void)state;
    set_up(&PLIC, &GIC);
    check_refused(&dev, "1: irq needs one interrupt controller, and this machine has: "
                        "riscv.sifive.plic arm_gic_common; name one in irq_controller, or leave "
                        "irq out");
}

static void test_one_of_two_controllers(void **state)
{
    struct sst_device dev = device_at("5"), other = device_at("6");
    (void)state;
    set_up(&PLIC, &GIC);
    dev.irq_controller = (char *)"arm_gic";
    connect_device(&dev);
    device_set_line(&dev, 0, true);
    assert_ptr_equal(asked, &objects[2]);
    other.irq_controller = (char *)"riscv.sifive.plic";
    check_refused(&other, "1: irq_controller is 'riscv.sifive.plic', and another device's is "
                          "'arm_gic'; use one");
    other.irq_controller = NULL; /* the same, then */
    connect_device(&other);
}

static void test_two_of_a_kind(void **state)
{
    struct sst_device dev = device_at("5");
    (void)state;
    set_up(&PLIC, &PLIC);
    check_refused(&dev, "1: irq needs one interrupt controller, and this machine has: "
                        "riscv.sifive.plic (several); name one in irq_controller, or leave irq "
                        "out");
}

static void test_a_name_of_two(void **state)
{
    struct sst_device dev = device_at("5");
    (void)state;
    set_up(&PLIC, &PLIC);
    dev.irq_controller = (char *)"riscv.sifive.plic";
    check_refused(&dev, "1: irq_controller is 'riscv.sifive.plic'; this machine has more than one "
                        "of that name; 'trestle boards' lists those that it has");
}

static void test_names_of_none(void **state)
{
    struct sst_device dev = device_at("5");
    (void)state;
    set_up(&PLIC, NULL);
    dev.irq_controller = (char *)"/machine/none";
    check_refused(&dev, "1: irq_controller is '/machine/none'; this machine has none of that name; "
                        "'trestle boards' lists those that it has");
}

/* One that the plugin does not know has the inputs that can be found. */
static void test_an_unknown_controller(void **state)
{
    const struct qemu_object intc = {.type = "xlnx.intc", .path = "/machine/intc", .num_named = 8};
    struct sst_device dev = device_at("7"), out = device_at("8");
    (void)state;
    set_up(&PLIC, &intc);
    dev.irq_controller = out.irq_controller = (char *)"/machine/intc";
    connect_device(&dev);
    assert_int_equal(irq_cells(), IRQ_CELLS_NONE);
    device_set_line(&dev, 0, true);
    check_log("7=1 ");
    assert_ptr_equal(asked, &objects[2]);
    check_refused(&out, "1: irq is 8; the xlnx.intc of this machine has 0 to 7; use one of these");
}

static void test_one_without_inputs(void **state)
{
    const struct qemu_object intc = {.type = "xlnx.intc", .path = "/machine/intc"};
    struct sst_device dev = device_at("7");
    (void)state;
    set_up(&intc, NULL);
    dev.irq_controller = (char *)"xlnx.intc";
    check_refused(&dev, "1: irq: the xlnx.intc has no usable inputs");
}

/* A Cortex-M has handed its inputs to what is around it. */
static void test_a_controller_inside_another(void **state)
{
    const struct qemu_object around = {.type = "armv7m",
                                       .path = "/machine/armv7m",
                                       .num_named = 32,
                                       .handed = "/machine/armv7m/nvic/unnamed-gpio-in[0]"};
    const struct qemu_object nvic = {.type = "armv7m_nvic", .path = "/machine/armv7m/nvic"};
    struct sst_device dev = device_at("31"), out = device_at("32");
    (void)state;
    set_up(&around, &nvic);
    dev.irq_controller = (char *)"armv7m_nvic";
    connect_device(&dev);
    device_set_line(&dev, 0, true);
    assert_ptr_equal(asked, &objects[1]);
    check_refused(&out, "1: irq is 32; the NVIC of this machine has 0 to 31; use one of these");
}

/* The wires end at the one of machine mode. */
static void test_two_aplics(void **state)
{
    struct qemu_object s = {.type = "riscv.aplic", .path = "/machine/s", .count = 97}, m = s;
    struct sst_device dev = device_at("96"), out = device_at("97");
    (void)state;
    m.path = "/machine/m";
    m.is_mmode = true;
    set_up(&s, &m);
    connect_device(&dev);
    device_set_line(&dev, 0, true);
    assert_ptr_equal(asked, &objects[2]);
    assert_int_equal(irq_cells(), IRQ_CELLS_APLIC);
    check_refused(&out, "1: irq is 97; the APLIC of this machine has 1 to 96; use one of these");
}

/* --- which input ----------------------------------------------------------------------------- */

static void test_inputs_that_are_not_there(void **state)
{
    struct sst_device none = device_at("0"), out = device_at("96"), first = device_at("1"),
                      last = device_at("95:watchdog");
    (void)state;
    set_up(&PLIC, NULL);
    check_refused(&none, "1: irq is 0; the PLIC of this machine has 1 to 95; use one of these");
    check_refused(&out, "1: irq is 96; the PLIC of this machine has 1 to 95; use one of these");
    connect_device(&first);
    connect_device(&last);
}

/* A GIC's number counts the 32 inputs of each processor, which are no device's. */
static void test_inputs_of_a_gic(void **state)
{
    struct sst_device out = device_at("32"), last = device_at("0:31");
    (void)state;
    set_up(&GIC, NULL);
    check_refused(&out, "1: irq is 32; the GIC of this machine has 0 to 31; use one of these");
    connect_device(&last);
}

static const struct qemu_object UART = {
    .type = "serial",
    .path = "/machine/uart",
    .wires = {{"sysbus-irq[0]", "link<irq>", "/machine/plic/unnamed-gpio-in[10]"},
              {"sysbus-irq[1]", "link<irq>", "/machine/unnamed-gpio-in[11]"},
              {"unnamed-gpio-in[0]", "link<irq>", "/machine/plic/unnamed-gpio-in[12]"},
              {"name", "string", "/machine/plic/unnamed-gpio-in[13]"}}};

static void test_inputs_of_the_board(void **state)
{
    struct sst_device dev = device_at("10"), around = device_at("11"),
                      free_one = device_at("12:13");
    (void)state;
    set_up(&PLIC, &UART);
    check_refused(&dev, "1: irq is 10; the board's own serial uses it already; use another, which "
                        "'trestle boards' lists, or set shadow to share it");
    check_refused(&around, "1: irq is 11; the board's own serial uses it already; use another, "
                           "which 'trestle boards' lists, or set shadow to share it");
    connect_device(&free_one);
    dev.shadow = true;
    connect_device(&dev);
}

/* What leads elsewhere, or to where users may add something, takes nothing. */
static void test_wires_that_do_not_matter(void **state)
{
    struct qemu_object other = {.type = "serial",
                                .path = "/machine/uart",
                                .wires = {{"a", "link<irq>", "/machine/plic/unnamed-gpio-in[96]"},
                                          {"b", "link<irq>", "/machine/gpio/unnamed-gpio-in[10]"},
                                          {"c", NULL, "/machine/plic/unnamed-gpio-in[10]"},
                                          {"d", "link<irq>", NULL}}};
    struct qemu_object platform = {
        .type = "platform-bus-device",
        .path = "/machine/platform",
        .wires = {{"a", "link<irq>", "/machine/plic/unnamed-gpio-in[10]"}}};
    struct sst_device dev = device_at("10:95");
    (void)state;
    set_up(&PLIC, &other);
    objects[3] = platform;
    connect_device(&dev);
}

static void test_inputs_of_a_pc(void **state)
{
    const struct qemu_object apic = {
        .type = "ioapic", .base = "ioapic-common", .path = "/machine/ioapic"};
    struct sst_device shared = device_at("16"), clock = device_at("0"), chip = device_at("15"),
                      last = device_at("16:23"), out = device_at("24");
    (void)state;
    set_up(&apic, NULL);
    check_refused(&clock, "1: irq is 0; the board's own chipset uses it already; use another, "
                          "which 'trestle boards' lists, or set shadow to share it");
    check_refused(&chip, "1: irq is 15; the board's own chipset uses it already; use another, "
                         "which 'trestle boards' lists, or set shadow to share it");
    check_refused(&out, "1: irq is 24; the I/O APIC of this machine has 0 to 23; use one of these");
    connect_device(&last);
    connect_device(&shared);
    device_set_line(&last, 0, true);
    device_set_line(&shared, 0, true); /* a pin for edges would fire twice */
    device_set_line(&shared, 0, false);
    device_set_line(&last, 0, false);
    check_log("16=1 16=0 ");
}

/* --- reports --------------------------------------------------------------------------------- */

static void used(uint32_t input, const char *owner)
{
    printf("used %u %s\n", input, owner);
}

static void check_report(const char *expected)
{
    char text[512] = "";
    FILE *file = tmpfile();
    int before = dup(STDOUT_FILENO);
    assert_non_null(file);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    irq_report(used);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static void test_a_report(void **state)
{
    (void)state;
    set_up(&PLIC, &UART);
    check_report("interrupts 1 95 PLIC\nused 10 serial\nused 11 serial\n");
}

static void test_a_report_of_several(void **state)
{
    (void)state;
    set_up(&PLIC, &GIC);
    check_report("interrupts none riscv.sifive.plic arm_gic_common\n");
}

/* What has eight inputs may be a controller; a gate is none. */
static void test_a_report_of_candidates(void **state)
{
    const struct qemu_object intc = {.type = "xlnx.intc", .path = "/machine/intc", .num_named = 8};
    const struct qemu_object gate = {.type = "or-irq", .path = "/machine/or", .num_named = 16};
    (void)state;
    set_up(&intc, &gate);
    objects[3] = (struct qemu_object){.type = "led", .path = "/machine/led", .num_named = 7};
    objects[4] =
        (struct qemu_object){.type = "serial",
                             .path = "/machine/uart",
                             .wires = {{"a", "link<irq>", "/machine/intc/unnamed-gpio-in[7]"}}};
    check_report("interrupts none\ncandidate 0 7 /machine/intc xlnx.intc\nused 7 serial\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_how_many),
        cmocka_unit_test(test_a_plic),
        cmocka_unit_test(test_a_gic),
        cmocka_unit_test(test_a_reset),
        cmocka_unit_test(test_a_watchdog),
        cmocka_unit_test(test_no_controller),
        cmocka_unit_test(test_two_controllers),
        cmocka_unit_test(test_one_of_two_controllers),
        cmocka_unit_test(test_two_of_a_kind),
        cmocka_unit_test(test_a_name_of_two),
        cmocka_unit_test(test_names_of_none),
        cmocka_unit_test(test_an_unknown_controller),
        cmocka_unit_test(test_one_without_inputs),
        cmocka_unit_test(test_a_controller_inside_another),
        cmocka_unit_test(test_two_aplics),
        cmocka_unit_test(test_inputs_that_are_not_there),
        cmocka_unit_test(test_inputs_of_a_gic),
        cmocka_unit_test(test_inputs_of_the_board),
        cmocka_unit_test(test_wires_that_do_not_matter),
        cmocka_unit_test(test_inputs_of_a_pc),
        cmocka_unit_test(test_a_report),
        cmocka_unit_test(test_a_report_of_several),
        cmocka_unit_test(test_a_report_of_candidates),
    };
    return check_run_apart(tests, NULL);
}
