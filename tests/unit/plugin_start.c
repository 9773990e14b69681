/* SPDX-License-Identifier: MIT */
/* How the plugin is loaded and started, and where it finds the board's device tree. QEMU, and the
 * plugin's other parts, are this test's. What cannot be taken back is in a process of its own. */
#include "plugin/qemu/start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "notes.h"
#include "plugin/device/device.h"
#include "plugin/device/pci.h"
#include "plugin/device/report.h"
#include "plugin/qemu/fdt.h"
#include "plugin/qemu/idle.h"
#include "plugin/qemu/owner.h"
#include "plugin/qemu/warp.h"
#include "plugin/v2/inline.h"
#include "refusal.h"

void *__wrap_dlsym(void *handle, const char *name);

extern int qemu_plugin_version;
int qemu_plugin_install(uint64_t id, const struct qemu_plugin_info *info, int argc, char **argv);

/* --- the plugin ------------------------------------------------------------------------------ */

#define NO_QEMU "TRESTLE_TEST_NO_QEMU" /* in the environment: this process is none */
#define CANNOT_EXEC 98

struct qemu_abi qemu;
static int found; /* of QEMU's symbols */

/* The plugin calls it before main(). */
int qemu_abi_resolve(const char **ret_missing)
{
    *ret_missing = "some_symbol";
    return getenv(NO_QEMU) ? -ENOEXEC : found;
}

int qemu_plugin_interface(void)
{
    return 7;
}

bool owner_set(const char *value)
{
    note("owner %s\n", value);
    return strcmp(value, "1:2:3") == 0;
}

bool inline_set(const char *value)
{
    note("inline %s\n", value);
    return strcmp(value, "4,5:/x.so") == 0;
}

void device_register(const char *target_name)
{
    note("register for %s\n", target_name);
}

void pci_register(void)
{
    note("register pci\n");
}

void report_board(void)
{
    exit(23);
}

void owner_watch(void)
{
    note("owner\n");
}

void device_start_all(void)
{
    note("devices\n");
}

void pci_start(void)
{
    note("pci\n");
}

void warp_start(void)
{
    note("warp\n");
}

void idle_watch(bool exit_then)
{
    note("idle %d\n", exit_then);
}

/* --- QEMU ------------------------------------------------------------------------------------ */

static __typeof__(*((struct qemu_version *)0)->number) number = {6, 3, 1};
static struct qemu_version version = {.number = &number};
static struct qemu_notifier *complete;

static struct qemu_version *query_version(struct qemu_error **errp)
{
    assert_null(errp);
    return &version;
}

static void add_notifier(struct qemu_notifier *notifier)
{
    note("when the machine is complete\n");
    complete = notifier;
}

static void set_up(void)
{
    qemu = (struct qemu_abi){.qemu_add_machine_init_done_notifier = add_notifier};
    found = 0;
}

/* --- loading --------------------------------------------------------------------------------- */

static void test_the_version_of_the_interface(void **state)
{
    (void)state;
    assert_int_equal(qemu_plugin_version, 7);
    /* In a process that is no QEMU, it stays as it was: main() below looks. */
    pid_t pid = fork();
    if (pid == 0) {
        setenv(NO_QEMU, "1", 1);
        execl("/proc/self/exe", "test_plugin_start", NULL);
        _exit(errno == ENOEXEC ? CANNOT_EXEC : 99);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_EXEC) {
        print_message("skipped: the kernel does not run this program by itself; run it without an "
                      "emulator\n");
        return;
    }
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_what_is_found(void **state)
{
    (void)state;
    assert_true(trestle_resolve());
    found = -ENOEXEC;
    assert_false(trestle_resolve());
    assert_string_equal(refusal, "");
    found = -ENOTSUP;
    if (!setjmp(refused))
        fail_msg("it goes on with %d", trestle_resolve());
    assert_string_equal(refusal,
                        "this QEMU exports no internal functions (some_symbol is missing); use a "
                        "system emulator built with modules, such as a distribution's, 7.2 or "
                        "later, or build the device into QEMU (plugin/in-tree)");
    qemu.qmp_query_version = query_version;
    if (!setjmp(refused))
        fail_msg("it goes on with %d", trestle_resolve());
    assert_string_equal(refusal, "QEMU 6.3 does not export some_symbol; use a distribution's QEMU, "
                                 "7.2 or later");
    refusal[0] = '\0';
    found = 0;
    assert_true(trestle_resolve());
    assert_string_equal(refusal, "");
}

/* --- starting -------------------------------------------------------------------------------- */

/* As -plugin has them, to NULL. */
static void install(const char *const *arguments)
{
    static const struct qemu_plugin_info info = {.target_name = "riscv32"};
    char *argv[8];
    int argc = 0;
    for (; arguments[argc]; argc++)
        argv[argc] = (char *)arguments[argc];
    assert_int_equal(qemu_plugin_install(1, &info, argc, argv), 0);
}

#define INSTALL(...) install((const char *const[]){__VA_ARGS__, NULL})
#define REGISTERED "register for riscv32\nregister pci\nwhen the machine is complete\n"
#define STARTED "owner\ndevices\npci\nwarp\n"

static void test_start(void **state)
{
    (void)state;
    INSTALL(NULL);
    check_log(REGISTERED);
    complete->notify(complete, NULL);
    check_log(STARTED "idle 0\n");
}

static void test_arguments(void **state)
{
    (void)state;
    INSTALL("owner=1:2:3", "on_idle=exit", "inline=4,5:/x.so");
    check_log("owner 1:2:3\ninline 4,5:/x.so\n" REGISTERED);
    complete->notify(complete, NULL);
    check_log(STARTED "idle 1\n");
}

static void test_the_last_argument_counts(void **state)
{
    (void)state;
    INSTALL("on_idle=exit", "on_idle=say");
    complete->notify(complete, NULL);
    check_log(REGISTERED STARTED "idle 0\n");
}

/* Nothing else is done: a process of this test's ends with the report's own code. */
static void test_report(void **state)
{
    int status;
    (void)state;
    INSTALL("report=board");
    check_log(REGISTERED);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        complete->notify(complete, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 23);
}

static void check_refused(const char *argument, const char *expected)
{
    char sentence[300];
    refusal[0] = '\0';
    if (!setjmp(refused))
        INSTALL("on_idle=say", argument);
    snprintf(sentence, sizeof(sentence),
             "-plugin has an argument '%s'; known are on_idle=say and on_idle=exit, and what "
             "trestle adds, owner=PID:START:NAMESPACE, inline=IN,OUT:PATH and report=board",
             argument);
    assert_string_equal(refusal, sentence);
    check_log(expected);
}

static void test_arguments_that_cannot_be(void **state)
{
    (void)state;
    check_refused("on_idle=sleep", "");
    check_refused("owner", "");
    check_refused("owner=0", "owner 0\n");
    check_refused("inline=4", "inline 4\n");
    check_refused("inline", "");
    check_refused("xowner=1:2:3", "");
    check_refused("", "");
}

/* --- the device tree ------------------------------------------------------------------------- */

static void *tree;
static const char *absent;
static int header;

static int check_header(const void *given)
{
    assert_ptr_equal(given, tree);
    return header;
}

void *qemu_machine_tree(void)
{
    return tree;
}

static int number_of_call(const char *name)
{
    static const char *const names[] = {
#define NAME(type, name, params) #name,
        FDT_FUNCTIONS(NAME)
#undef NAME
    };
    int i = 0;
    while (strcmp(names[i], name) != 0)
        i++;
    return i;
}

static char calls[32];

/* POSIX has the conversion, and ISO C has not. */
#define POINTER(f) (__extension__(void *)(f))

void *__wrap_dlsym(void *handle, const char *name)
{
    assert_null(handle); /* RTLD_DEFAULT */
    if (absent && strcmp(name, absent) == 0)
        return NULL;
    if (strcmp(name, "fdt_check_header") == 0)
        return POINTER(check_header);
    return &calls[number_of_call(name)];
}

static void test_the_tree(void **state)
{
    static const char *const names[] = {
#define NAME(type, name, params) #name,
        FDT_FUNCTIONS(NAME)
#undef NAME
    };
    static char bytes[40];
    (void)state;
    tree = bytes;
    assert_ptr_equal(fdt_find(), bytes);
    assert_ptr_equal(POINTER(fdt.fdt_check_header), POINTER(check_header));
    assert_ptr_equal(POINTER(fdt.fdt_strerror), &calls[number_of_call("fdt_strerror")]);
    assert_ptr_equal(POINTER(fdt.fdt_setprop), &calls[number_of_call("fdt_setprop")]);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        absent = names[i];
        assert_null(fdt_find()); /* this QEMU has no libfdt */
    }
    absent = NULL;
    header = -9; /* not one that can be written to */
    assert_null(fdt_find());
    header = 0;
    tree = NULL; /* the machine makes none */
    assert_null(fdt_find());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_version_of_the_interface),
        cmocka_unit_test(test_what_is_found),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_the_last_argument_counts),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_arguments_that_cannot_be),
        cmocka_unit_test(test_the_tree),
    };
    if (getenv(NO_QEMU))
        return qemu_plugin_version;
    return check_run_apart(tests, set_up);
}
