/* SPDX-License-Identifier: MIT */
/* The command line of QEMU. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/image.h"
#include "base/process.h"
#include "base/sized.h"
#include "command.h"
#include "machine/args.h"
#include "machine/boards.h"

/* A growing argument list. The first failure sticks, so that one check at the end suffices. */
struct arg_list {
    char **args;
    size_t count;
    bool failed;
};

static void arg_add(struct arg_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void arg_add(struct arg_list *list, const char *format, ...)
{
    va_list ap;
    char **args = realloc(list->args, (list->count + 2) * sizeof(*args));
    if (!args) {
        list->failed = true;
        return;
    }
    list->args = args;
    va_start(ap, format);
    if (vasprintf(&args[list->count], format, ap) < 0)
        list->failed = true;
    else
        list->count++;
    va_end(ap);
    args[list->count] = NULL;
}

static void args_free(struct arg_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->args[i]);
    free(list->args);
}

/* A growing text; the first failure sticks, as above. */
struct text {
    char *bytes;
    size_t length;
    bool failed;
};

static void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void text_add(struct text *text, const char *format, ...)
{
    char *piece = NULL;
    va_list ap;
    va_start(ap, format);
    int length = vasprintf(&piece, format, ap);
    va_end(ap);
    char *bytes = length < 0 ? NULL : realloc(text->bytes, text->length + (size_t)length + 1);
    if (bytes) {
        memcpy(bytes + text->length, piece, (size_t)length + 1);
        text->bytes = bytes;
        text->length += (size_t)length;
    }
    text->failed |= !bytes;
    if (length >= 0)
        free(piece);
}

/* QEMU splits options at commas; a doubled comma is one that belongs to the value. */
static void text_add_value(struct text *text, const char *value)
{
    for (;;) {
        int length = (int)strcspn(value, ",");
        text_add(text, "%.*s", length, value);
        if (!value[length])
            return;
        text_add(text, ",,");
        value += length + 1;
    }
}

static void arg_add_text(struct arg_list *list, const char *option, struct text *text)
{
    list->failed |= text->failed;
    arg_add(list, "%s", option);
    arg_add(list, "%s", text->bytes ? text->bytes : "");
    free(text->bytes);
}

/* The properties that only the plugin's sst-device has. */
static void add_properties(struct text *text, const struct trestle_machine_options *options,
                           const struct trestle_machine_device *device)
{
    int64_t timeout_ms = options->gdb ? 0 : device->timeout_ms;
    text_add(text, ",size=0x%" PRIx64, device->region_size);
    if (device->on_error)
        text_add(text, ",on_error=%s", device->on_error);
    if (timeout_ms >= 0)
        text_add(text, ",timeout_ms=%" PRId64, timeout_ms);
    if (device->shadow)
        text_add(text, ",shadow=on");
    if (device->irq)
        text_add(text, ",irq=%s", device->irq);
    if (device->properties)
        text_add(text, ",%s", device->properties);
    if (device->label) {
        text_add(text, ",label=");
        text_add_value(text, device->label);
        text_add(text, ",device_name=");
        text_add_value(text, device->name);
    }
}

static void add_device(struct arg_list *list, const struct trestle_machine_options *options,
                       const struct trestle_machine_device *device)
{
    struct text text = {0};
    bool is_pci = device->base_addr == TRESTLE_NO_BASE;
    text_add(&text, "%s,socket=", is_pci ? "sst-pci-device" : "sst-device");
    text_add_value(&text, device->socket_path);
    if (!is_pci)
        text_add(&text, ",base_address=0x%" PRIx64, device->base_addr);
    if (options->plugin)
        add_properties(&text, options, device);
    arg_add_text(list, "-device", &text);
}

static bool has_plugin(const struct trestle_machine_options *options)
{
    return options->plugin && strcmp(options->plugin, "in-tree") != 0;
}

static void add_plugin(struct arg_list *list, const struct trestle_machine_options *options,
                       enum machine_purpose purpose)
{
    struct text text = {0};
    struct process_info info;
    uint64_t namespace = process_namespace();
    text_add_value(&text, options->plugin);
    if (options->exit_when_idle)
        text_add(&text, ",on_idle=exit");
    if (purpose == MACHINE_REPORTS)
        text_add(&text, ",report=board");
    if (options->plugin_args)
        text_add(&text, ",%s", options->plugin_args);
    if (purpose == MACHINE_IS_OWNED && namespace && process_look(getpid(), &info))
        text_add(&text, ",owner=%d:%" PRIu64 ":%" PRIu64, (int)getpid(), info.start, namespace);
    arg_add_text(list, "-plugin", &text);
}

/* The board's own, or the user's, as -m has it. */
static const char *ram_size(const struct trestle_machine_options *options,
                            const struct board *board)
{
    const char *size = options->memory ? options->memory : board->memory;
    for (const char *const *args = options->args; args && args[0] && args[1]; args++)
        if (strcmp(args[0], "-m") == 0)
            size = args[1];
    return strncmp(size, "size=", 5) == 0 ? size + 5 : size;
}

/* 0 for what is no size: QEMU says so. */
static off_t ram_bytes(const char *size)
{
    static const char units[] = "bkmgtpe";
    char *end;
    double number = strtod(size, &end);
    const char *unit = *end && *end != ',' ? strchr(units, tolower((unsigned char)*end)) : NULL;
    ptrdiff_t power = (unit ? unit : strchr(units, 'm')) - units;
    double bytes = number * (double)(UINT64_C(1) << 10 * power);
    return bytes >= 1 && bytes < 0x1p62 ? (off_t)bytes : 0;
}

int trestle_machine_try_ram(const struct trestle_machine_options *options, const char **ret_what)
{
    const struct board *board = NULL;
    char *error = NULL;
    int r = board_find(options, &board, &error);
    free(error);
    if (r)
        return 0;
    int fd = memfd_create("trestle-ram", MFD_CLOEXEC);
    *ret_what = "memfd_create";
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, ram_bytes(ram_size(options, board))) < 0) {
        r = -errno;
        *ret_what = r == -EFBIG ? "the limit for the size of files" : "a file in memory";
    }
    close(fd);
    return r;
}

/* -m counts in MiB where it has no unit, a memory backend in bytes. */
static void add_shared_ram(struct arg_list *list, const struct trestle_machine_options *options,
                           const struct board *board)
{
    struct text text = {0};
    const char *size = ram_size(options, board);
    int length = (int)strcspn(size, ",");
    bool has_unit = length > 0 && (size[length - 1] < '0' || size[length - 1] > '9');
    text_add(&text, "memory-backend-memfd,id=trestle-ram,share=on,size=%.*s%s", length, size,
             has_unit ? "" : "M");
    arg_add_text(list, "-object", &text);
    arg_add(list, "-M");
    arg_add(list, "memory-backend=trestle-ram");
}

static void add_option(struct arg_list *list, const char *option, const char *value)
{
    if (!value)
        return;
    arg_add(list, "%s", option);
    arg_add(list, "%s", value);
}

static bool names_a_machine(const char *const *args)
{
    for (; args && *args; args++)
        if (strcmp(*args, "-M") == 0 || strcmp(*args, "-machine") == 0 ||
            strcmp(*args, "--machine") == 0)
            return true;
    return false;
}

/* Whatever would make one run differ from another: the host's clock, its random numbers. */
static void add_repeatable(struct arg_list *list, const struct trestle_machine_options *options,
                           const struct board *board)
{
    arg_add(list, "-icount");
    arg_add(list, "shift=%" PRIu32 ",sleep=off", options->icount_shift);
    arg_add(list, "-rtc");
    arg_add(list, "base=2000-01-01T00:00:00,clock=vm");
    arg_add(list, "-seed");
    arg_add(list, "1");
    arg_add(list, "-smp");
    arg_add(list, "1");
    /* The user's machine may not know it. riscv's takes its random numbers from the seed. */
    if (!options->board && !names_a_machine(options->args))
        add_option(list, "-M", board->same_tree);
}

/* Pointers and strings in one block, so that the caller frees it as a whole. */
static int pack(const struct arg_list *list, char ***ret_argv)
{
    size_t table = (list->count + 1) * sizeof(char *), bytes = table;
    for (size_t i = 0; i < list->count; i++)
        bytes += strlen(list->args[i]) + 1;
    char **argv = malloc(bytes);
    if (!argv)
        return -ENOMEM;
    char *to = (char *)argv + table;
    for (size_t i = 0; i < list->count; i++) {
        argv[i] = to;
        to = stpcpy(to, list->args[i]) + 1;
    }
    argv[list->count] = NULL;
    *ret_argv = argv;
    return 0;
}

static int check_file(const char *what, const char *path, const char *remedy, char **ret_error)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return error_set(ret_error, -errno, "%s %s: %s; %s", what, path, strerror(errno), remedy);
    if (!S_ISREG(st.st_mode))
        return error_set(ret_error, -EACCES, "%s %s: not a file; %s", what, path, remedy);
    if (access(path, R_OK) < 0)
        return error_set(ret_error, -errno, "%s %s: %s; %s", what, path, strerror(errno), remedy);
    return 0;
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int machine_import(const struct trestle_machine_options *theirs,
                   struct trestle_machine_options *ret_options, char **ret_error)
{
    int r = sized_import(ret_options, sizeof(*ret_options),
                         offsetof(struct trestle_machine_options, is_repeatable), theirs);
    if (r)
        return error_set(ret_error, r, "the size of struct trestle_machine_options is %zu: %s",
                         theirs->size, strerror(-r));
    return 0;
}

static int find_qemu(const struct trestle_machine_options *options, char **ret_path,
                     char **ret_error)
{
    const struct board *board = NULL;
    int r = board_find(options, &board, ret_error);
    if (r)
        return r;
    const char *name = options->qemu ? options->qemu : board->qemu;
    if (strchr(name, '/')) {
        if (!is_program(name))
            return error_set(ret_error, -ENOENT,
                             "QEMU %s: not an executable file; correct the path, or name another",
                             name);
        *ret_path = strdup(name);
        return *ret_path ? 0 : error_no_memory(ret_error);
    }
    for (const char *at = options->search_path ? options->search_path : "/usr/bin:/bin"; at;) {
        size_t length = strcspn(at, ":");
        char *path;
        if (asprintf(&path, "%.*s/%s", (int)length, at, name) < 0)
            return error_no_memory(ret_error);
        if (length > 0 && is_program(path)) {
            *ret_path = path;
            return 0;
        }
        free(path);
        at = at[length] ? at + length + 1 : NULL;
    }
    return error_set(
        ret_error, -ENOENT,
        "QEMU %s: not found in PATH; install it (Debian: qemu-system-riscv, in Debian 12 "
        "qemu-system-misc, qemu-system-arm, qemu-system-x86), or name another",
        name);
}

int trestle_machine_find_qemu(const struct trestle_machine_options *options, char **ret_path,
                              char **ret_error)
{
    struct trestle_machine_options ours;
    int r = machine_import(options, &ours, ret_error);
    return r ? r : find_qemu(&ours, ret_path, ret_error);
}

static int check_files(const struct trestle_machine_options *options, char **ret_error)
{
    const struct {
        const char *what, *path, *remedy;
    } files[] = {
        {"kernel", options->kernel, "build it, or name another"},
        {"initrd", options->initrd, "correct the path, or name another"},
        {"device tree", options->dtb, "correct the path, or name another"},
        {"plugin", has_plugin(options) ? options->plugin : NULL, "build it, or name another"},
    };
    int r = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !r; i++)
        if (files[i].path)
            r = check_file(files[i].what, files[i].path, files[i].remedy, ret_error);
    return r;
}

static void add_gdb(struct arg_list *list, const struct trestle_machine_options *options)
{
    bool is_said = false;
    for (const char *const *arg = options->args; arg && *arg; arg++)
        is_said |= strcmp(*arg, "-gdb") == 0 || strcmp(*arg, "-s") == 0;
    arg_add(list, "-S");
    if (is_said)
        return;
    arg_add(list, "-gdb");
    arg_add(list, "tcp:127.0.0.1:%u", options->gdb_port ? options->gdb_port : 1234u);
}

/* A bare ELF file wants no firmware before it. Linux on riscv hangs without: it calls OpenSBI. */
static const char *choose_firmware(const struct trestle_machine_options *options,
                                   const struct board *board)
{
    const char *found;
    if (options->bios || !board->no_firmware)
        return options->bios;
    bool is_linux = options->kernel && image_look(options->kernel, &found) == IMAGE_LINUX;
    return is_linux ? "default" : board->no_firmware;
}

static const char *choose_cpu(const struct trestle_machine_options *options,
                              const struct board *board)
{
    if (options->cpu)
        return options->cpu;
    if (options->accel && strcmp(options->accel, "kvm") == 0)
        return "host";
    return options->board ? NULL : board->cpu;
}

static void add_machine(struct arg_list *list, const struct trestle_machine_options *options,
                        const struct board *board)
{
    add_option(list, "-M", options->board ? options->board : board->name);
    add_option(list, "-accel", options->accel);
    add_option(list, "-cpu", choose_cpu(options, board));
    add_option(list, "-bios", choose_firmware(options, board));
    for (const char *const *arg = board->args; *arg; arg++)
        arg_add(list, "%s", *arg);
    arg_add(list, "-nographic");
    add_option(list, "-m", options->memory);
    if (options->cpus > 0) {
        arg_add(list, "-smp");
        arg_add(list, "%" PRIu32, options->cpus);
    }
    add_option(list, "-kernel", options->kernel);
    add_option(list, "-initrd", options->initrd);
    add_option(list, "-append", options->append);
    add_option(list, "-dtb", options->dtb);
}

int machine_args(const struct trestle_machine_options *options, enum machine_purpose purpose,
                 char ***ret_argv, char **ret_error)
{
    struct arg_list list = {0};
    const struct board *board = NULL;
    char *qemu;
    int r = board_find(options, &board, ret_error);
    if (!r)
        r = check_files(options, ret_error);
    if (!r)
        r = find_qemu(options, &qemu, ret_error);
    if (r)
        return r;
    arg_add(&list, "%s", qemu);
    free(qemu);
    add_machine(&list, options, board);
    if (options->is_repeatable)
        add_repeatable(&list, options, board);
    if (options->direct_dma)
        add_shared_ram(&list, options, board);
    if (has_plugin(options))
        add_plugin(&list, options, purpose);
    if (options->gdb)
        add_gdb(&list, options);
    for (const char *const *arg = options->args; arg && *arg; arg++)
        arg_add(&list, "%s", *arg);
    /* Behind the bridges of PCI that the user has added: a device may hang on one's bus. */
    for (size_t i = 0; i < options->num_devices; i++)
        add_device(&list, options, &options->devices[i]);
    r = list.failed ? -ENOMEM : pack(&list, ret_argv);
    args_free(&list);
    return r ? error_no_memory(ret_error) : 0;
}

int trestle_machine_args(const struct trestle_machine_options *options, char ***ret_argv,
                         char **ret_error)
{
    struct trestle_machine_options ours;
    int r = machine_import(options, &ours, ret_error);
    return r ? r : machine_args(&ours, MACHINE_IS_SHOWN, ret_argv, ret_error);
}
