/* SPDX-License-Identifier: MIT */
/* What the plugin says, and what of the guest's memory it reaches, without a QEMU. What ends QEMU
 * ends a process of the test's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "plugin/device/device.h"
#include "plugin/qemu/memory.h"
#include "plugin/qemu/say.h"

struct qemu_abi qemu;
static char space, machine, system_memory;

qemu_attrs qemu_memory_only(void)
{
    return 5;
}

/* --- lines ----------------------------------------------------------------------------------- */

static const struct device_bus bus = {.type = "sst-pci-device"};

/* What a process writes to standard error, and how it ends. */
static void check_said(void (*speak)(void), const char *expected, int status)
{
    char text[3000] = "";
    int fds[2], result;
    size_t length = 0;
    ssize_t n;
    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        speak();
        exit(0);
    }
    close(fds[1]);
    while ((n = read(fds[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)n;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &result, 0), pid);
    assert_string_equal(text, expected);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), status);
}

static void speak(void)
{
    struct sst_device dev = {.bus = &bus, .number = 3, .base = 0x10200000};
    say("%d lines", 2);
    say_device(&dev, "before its address is known");
    dev.has_base = true;
    say_device(&dev, "at %s", "last");
    dev.device_name = (char *)"uart";
    dev.label = (char *)"a.json: devices[0]";
    say_device(&dev, "with a name");
}

static void refuse_all(void)
{
    refuse("no %s", "way");
}

static void refuse_one(void)
{
    const struct sst_device dev = {.bus = &bus, .number = 3};
    refuse_device(&dev, "no %s", "way");
}

static void refuse_one_that_is_known(void)
{
    const struct sst_device dev = {.bus = &bus, .number = 3, .label = (char *)"a.json: devices[0]"};
    refuse_device(&dev, "no %s", "way");
}

static void test_lines(void **state)
{
    (void)state;
    check_said(speak,
               "trestle-qemu: 2 lines\n"
               "trestle-qemu: sst-pci-device number 3: before its address is known\n"
               "trestle-qemu: device at 0x10200000: at last\n"
               "trestle-qemu: device uart at 0x10200000: with a name\n",
               0);
    check_said(refuse_all, "trestle-qemu: no way\n", 2);
    check_said(refuse_one, "trestle-qemu: sst-pci-device number 3: no way\n", 2);
    check_said(refuse_one_that_is_known, "a.json: devices[0]: no way\n", 2);
}

static char long_text[2000];

static void speak_at_length(void)
{
    say("%s", long_text);
}

static void test_a_long_line(void **state)
{
    char expected[1000];
    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    snprintf(expected, sizeof(expected), "trestle-qemu: %.511s\n", long_text);
    check_said(speak_at_length, expected, 0);
}

/* Nobody waits for a reader, who is told what he missed. */
static void test_nobody_reads(void **state)
{
    static char bytes[65536];
    char text[200] = "";
    int fds[2], before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    while (write(fds[1], bytes, sizeof(bytes)) > 0)
        continue;
    dup2(fds[1], STDERR_FILENO);
    say("one");
    say("two");
    while (read(fds[0], bytes, sizeof(bytes)) > 0)
        continue;
    say("three");
    say("four");
    dup2(before, STDERR_FILENO);
    assert_cmp(read(fds[0], text, sizeof(text) - 1), >, 0);
    assert_string_equal(text,
                        "trestle-qemu: 2 lines are missing here: nobody read the log in time\n"
                        "trestle-qemu: three\ntrestle-qemu: four\n");
    close(before);
    close(fds[0]);
    close(fds[1]);
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool is_open; /* a transfer reaches a device */
static struct {
    uint64_t addr, size;
    bool is_write;
} asked;
static struct qemu_region *probe;

static uint32_t rw(void *of, uint64_t addr, qemu_attrs attrs, void *buf, uint64_t size,
                   bool is_write)
{
    assert_ptr_equal(of, &space);
    assert_int_equal(attrs, 5);
    assert_non_null(buf);
    asked.addr = addr;
    asked.size = size;
    asked.is_write = is_write;
    return addr < 0x1000 || (probe && is_open) ? QEMU_MEMTX_OK : 2;
}

static struct qemu_object *get_machine(void)
{
    return (struct qemu_object *)&machine;
}

static struct qemu_region *get_memory(void)
{
    return (struct qemu_region *)&system_memory;
}

static void init_region(struct qemu_region *region, struct qemu_object *owner,
                        const struct qemu_region_ops *ops, void *opaque, const char *name,
                        uint64_t size)
{
    assert_non_null(region);
    assert_ptr_equal(owner, &machine);
    assert_null(opaque);
    assert_string_equal(name, "trestle-probe");
    assert_int_equal(ops->read(NULL, 0, 1), 0);
    assert_int_equal(size, 4096);
}

static void add_region(struct qemu_region *memory, uint64_t addr, struct qemu_region *region,
                       int priority)
{
    assert_ptr_equal(memory, &system_memory);
    assert_int_equal(addr, UINT64_C(0xffffffffffffe000));
    assert_cmp(priority, >, 10000);
    probe = region;
}

static void del_region(struct qemu_region *memory, struct qemu_region *region)
{
    assert_ptr_equal(memory, &system_memory);
    assert_ptr_equal(region, probe);
    probe = NULL;
}

static int set_up_memory(void **state)
{
    static __typeof__(*((struct qemu_version *)0)->number) number = {7, 2, 22};
    static const struct qemu_version version = {.number = &number};
    (void)state;
    qemu = (struct qemu_abi){.address_space_rw = rw,
                             .qdev_get_machine = get_machine,
                             .get_system_memory = get_memory,
                             .memory_region_init_io = init_region,
                             .memory_region_add_subregion_overlap = add_region,
                             .memory_region_del_subregion = del_region,
                             .version = &version,
                             .address_space_memory = &space};
    is_open = false;
    return 0;
}

static void test_memory(void **state)
{
    char buf[8];
    (void)state;
    assert_int_equal(memory_copy(&space, true, 0x10, buf, 8), 0);
    assert_int_equal(asked.addr, 0x10);
    assert_int_equal(asked.size, 8);
    assert_true(asked.is_write);
    assert_int_equal(memory_copy(&space, false, 0x2000, buf, 4), -EFAULT);
    assert_false(asked.is_write);
}

static void check_memory(void)
{
    memory_check();
}

/* A QEMU whose transfers reach devices is not known well enough. */
static void test_memory_and_nothing_else(void **state)
{
    (void)state;
    memory_check();
    assert_null(probe);
    assert_int_equal(asked.addr, UINT64_C(0xffffffffffffe000));
    is_open = true;
    check_said(
        check_memory,
        "trestle-qemu: QEMU 7.2 lets a DMA reach devices, not only RAM; this plugin does not "
        "know it well enough\n",
        2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_a_long_line),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test_setup_teardown(test_memory, set_up_memory, NULL),
        cmocka_unit_test_setup_teardown(test_memory_and_nothing_else, set_up_memory, NULL),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
