/* SPDX-License-Identifier: MIT */
/* Makes the options for QEMU from the configuration and the command line. */
#include "run/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "base/image.h"
#include "log.h"
#include "machine/command.h"
#include "util.h"

#define PLUGIN_FILE "trestle-qemu.so"
#define INLINE_FILE "trestle-inline.so"

/* Returns why path cannot be read as a file, or NULL. */
static const char *unreadable(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return strerror(errno);
    if (S_ISDIR(st.st_mode))
        return "it is a directory";
    if (!S_ISREG(st.st_mode))
        return "it is not a file";
    return access(path, R_OK) < 0 ? strerror(errno) : NULL;
}

static int check_kernel(const struct config *config, const struct launch_options *options,
                        struct launch *launch, char **ret_error)
{
    const char *kernel = options->kernel ? options->kernel : config->kernel;
    const char *reason = kernel ? unreadable(kernel) : NULL;
    launch->machine.kernel = kernel;
    if (!reason)
        return 0;
    if (options->kernel)
        *ret_error = xformat("trestle: --kernel %s: %s; name the guest's ELF file", kernel, reason);
    else
        *ret_error = config_complain_machine(
            config, "kernel",
            "cannot read %s: %s; build it, correct the path, or name another with --kernel", kernel,
            reason);
    return -EINVAL;
}

static int check_machine_files(const struct config *config, char **ret_error)
{
    const struct {
        const char *key, *path;
    } files[] = {
        {"initrd", config->initrd},
        {"dtb", config->dtb},
        /* A name without a slash is one of the files that QEMU comes with. */
        {"bios", config->bios && strchr(config->bios, '/') ? config->bios : NULL},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *reason = files[i].path ? unreadable(files[i].path) : NULL;
        if (!reason)
            continue;
        *ret_error = config_complain_machine(config, files[i].key,
                                             "cannot read %s: %s; correct the path, or remove the "
                                             "key",
                                             files[i].path, reason);
        return -EINVAL;
    }
    return 0;
}

/* An argument of the user's own may say what the guest is, or how much memory it has. */
static const char *find_arg(const struct launch *launch, const char *const *names)
{
    for (const char **arg = launch->args; arg && *arg; arg++)
        for (const char *const *name = names; *name; name++)
            if (strcmp(*arg + strspn(*arg, "-"), *name) == 0 && **arg == '-')
                return arg[1] ? arg[1] : *arg;
    return NULL;
}

/* Returns bytes. 0: the text has a form that is not certain. */
static uint64_t memory_of(const struct config *config, const struct launch *launch)
{
    static const char *const names[] = {"m", NULL};
    static const char units[] = "KMGT";
    if (find_arg(launch, names) || (!config->memory && config->board))
        return 0;
    const char *text = config->memory ? config->memory : "128M";
    char *unit;
    uint64_t count = strtoull(text, &unit, 10);
    return count << (10 * (strchr(units, *unit) - units + 1));
}

static int check_initrd_fits(const struct config *config, const struct launch *launch,
                             char **ret_error)
{
    struct stat st;
    uint64_t memory = memory_of(config, launch);
    if (!config->initrd || memory == 0 || stat(config->initrd, &st) < 0 ||
        (uint64_t)st.st_size < memory)
        return 0;
    *ret_error =
        config_complain_machine(config, "initrd",
                                "%s has %lld bytes, and the machine's memory %llu; write "
                                "a larger \"memory\"",
                                config->initrd, (long long)st.st_size, (unsigned long long)memory);
    return -EINVAL;
}

/* A machine that has nothing to run would wait for ever, without a word. */
static int check_guest(const struct config *config, const struct launch_options *options,
                       const struct launch *launch, char **ret_error)
{
    static const char *const names[] = {"kernel", "bios",     "pflash", "drive",    "hda", "cdrom",
                                        "device", "blockdev", "sd",     "mtdblock", NULL};
    bool has_guest = launch->machine.kernel || find_arg(launch, names) || options->gdb ||
                     (config->bios && strcmp(config->bios, "none") != 0);
    if (!options->needs_guest || has_guest)
        return 0;
    *ret_error = config_complain_machine(config, "kernel",
                                         "there is nothing to run; name the guest's ELF file or "
                                         "Linux Image here or with --kernel, or a \"bios\"");
    return -EINVAL;
}

static int find_plugin(char **ret_plugin, char **ret_error)
{
    char *places;
    *ret_plugin = find_own_file(PLUGIN_FILE, TRESTLE_PLUGIN_DIR "/" PLUGIN_FILE, &places);
    if (*ret_plugin)
        return 0;
    *ret_error = xformat("trestle: QEMU's plugin is %s; build it, or name it with --plugin, "
                         "machine.plugin or TRESTLE_PLUGIN",
                         places);
    free(places);
    return -EINVAL;
}

/* Where devices are to live inside QEMU. */
static int find_inline(const struct config *config, char **ret_module, char **ret_error)
{
    char *places;
    bool is_wanted = false;
    for (size_t i = 0; i < config->num_devices; i++)
        is_wanted |= config->devices[i].is_inline;
    if (!is_wanted)
        return 0;
    *ret_module = find_own_file(INLINE_FILE, TRESTLE_PLUGIN_DIR "/" INLINE_FILE, &places);
    if (*ret_module)
        return 0;
    *ret_error =
        xformat("trestle: " INLINE_FILE ", for \"process\": \"inline\", is %s; build it", places);
    free(places);
    return -EINVAL;
}

int launch_check_outside(const struct config *config, char **ret_error)
{
    for (size_t i = 0; i < config->num_devices; i++) {
        if (!config->devices[i].is_inline)
            continue;
        *ret_error = config_complain_device(config, i, "process",
                                            "only trestle run puts devices into QEMU; write "
                                            "\"shared\"");
        return -EINVAL;
    }
    return 0;
}

static bool speaks_vfio(const struct config *config)
{
    return config->num_devices > 0 && config->devices[0].protocol == PROTOCOL_VFIO_USER;
}

static int choose_plugin(const struct config *config, const struct launch_options *options,
                         struct launch *launch, char **ret_error)
{
    static const char remedy[] = "name the " PLUGIN_FILE " that came with trestle, or none";
    const char *plugin = options->plugin, *from = "--plugin", *reason;
    bool from_file = !plugin && strcmp(config->plugin, "auto") != 0;
    if (from_file)
        plugin = config->plugin;
    if (!plugin || strcmp(plugin, "auto") == 0) {
        plugin = getenv("TRESTLE_PLUGIN");
        from = "TRESTLE_PLUGIN";
    }
    if (speaks_vfio(config)) /* with QEMU's own client */
        return 0;
    if (!plugin || !*plugin)
        return find_plugin(&launch->plugin, ret_error);
    if (strcmp(plugin, "none") == 0)
        return 0;
    if (strcmp(plugin, "in-tree") == 0) {
        if (options->exit_on_idle) {
            *ret_error = xstrdup("trestle: --exit-on-idle needs the plugin, and this run has the "
                                 "device in QEMU's own tree; leave one of the two out");
            return -EINVAL;
        }
        launch->plugin = xstrdup(plugin);
        return 0;
    }
    reason = unreadable(plugin);
    if (!reason) {
        /* Without a slash QEMU would search the system's library directories. */
        launch->plugin = strchr(plugin, '/') ? xstrdup(plugin) : xformat("./%s", plugin);
        return 0;
    }
    if (from_file)
        *ret_error = config_complain_machine(config, "plugin", "cannot read %s: %s; %s", plugin,
                                             reason, remedy);
    else
        *ret_error = xformat("trestle: %s %s: %s; %s", from, plugin, reason, remedy);
    return -EINVAL;
}

/* QEMU would say it, too, but only when the devices are there. QEMU itself judges what it does not
 * list. */
static int check_board(const struct config *config, const char *qemu_path, char **ret_error)
{
    struct strings boards = {0};
    char *names = NULL, *position;
    bool is_known = false;
    if (!config->board || trestle_machine_boards(qemu_path, &names, NULL) < 0)
        return 0;
    char *board = xformat("%.*s", (int)strcspn(config->board, ","), config->board);
    for (char *name = strtok_r(names, "\n", &position); name;
         name = strtok_r(NULL, "\n", &position)) {
        strings_add(&boards, name);
        is_known |= strcmp(name, board) == 0;
    }
    const char *near = is_known || boards.count == 0 ? NULL : suggest(board, boards.items);
    if (!is_known)
        *ret_error = config_complain_machine(
            config, "board", "%s has no board \"%s\"; %s%s%s%s -M help lists them", qemu_path,
            board, near ? "did you mean \"" : "", near ? near : "", near ? "\"? " : "", qemu_path);
    free(board);
    free(names);
    strings_finish(&boards);
    return is_known ? 0 : -EINVAL;
}

static int check_qemu(const struct config *config, const struct launch_options *options,
                      struct launch *launch, char **ret_error)
{
    char *path = NULL, *error = NULL;
    const char *qemu = options->qemu ? options->qemu : config->qemu;
    const char *arch = qemu ? config_arch_of_qemu(qemu) : NULL;
    launch->machine.qemu = qemu;
    launch->machine.arch = config->arch ? config->arch : arch;
    if (arch && config->arch && strcmp(arch, config->arch) != 0) { /* in a file: told already */
        *ret_error = xformat("trestle: --qemu %s does not run %s, the configuration's arch; name "
                             "another, or change machine.arch",
                             options->qemu, config->arch);
        return -EINVAL;
    }
    launch->machine.search_path = getenv("PATH");
    int r = trestle_machine_find_qemu(&launch->machine, &path, &error);
    if (r == 0)
        r = check_board(config, path, ret_error);
    free(path);
    if (!error)
        return r;
    if (r < 0 && config->qemu && !options->qemu)
        *ret_error = config_complain_machine(config, "qemu", "%s with --qemu", error);
    else if (r < 0)
        *ret_error = xformat("trestle: %s with machine.qemu or --qemu", error);
    free(error);
    return r;
}

/* An sst-device that QEMU contains has no properties of ours. */
static int check_without_plugin(const struct config *config, const struct launch_options *options,
                                char **ret_error)
{
    if (options->exit_on_idle) {
        *ret_error = xstrdup("trestle: --exit-on-idle needs the plugin, and this run has none; "
                             "leave one of the two out");
        return -EINVAL;
    }
    if (speaks_vfio(config))
        return 0;
    if (config->icount >= 0) {
        *ret_error = config_complain_machine(config, "icount",
                                             "devices learn the guest's time from the plugin, and "
                                             "this run has none; remove the key or use the plugin");
        return -EINVAL;
    }
    if (config->direct_dma > 0) {
        *ret_error = config_complain_machine(config, "direct_dma",
                                             "only the plugin can do this, and this run has none; "
                                             "remove the key or use the plugin");
        return -EINVAL;
    }
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        const char *key = device->pci               ? "pci"
                          : device->on_error        ? "on_error"
                          : device->timeout_ms >= 0 ? "timeout_ms"
                          : device->shadow          ? "shadow"
                          : device->behind          ? "behind"
                          : device->endian          ? "endian"
                          : device->posted_writes   ? "posted_writes"
                          : device->release_lock    ? "release_lock"
                          : device->is_inline       ? "process"
                          : device->carrier         ? "carrier"
                          : device->protocol == 2   ? "protocol"
                          : device->irq             ? "irq"
                          : device->compatible      ? "compatible"
                          : device->alias           ? "alias"
                          : device->acpi_id         ? "acpi_id"
                          : device->dt              ? "dt"
                                                    : NULL;
        if (!key)
            continue;
        *ret_error = config_complain_device(config, i, key,
                                            "only the plugin can do this, and this run has none; "
                                            "remove the key or use the plugin");
        return -EINVAL;
    }
    return 0;
}

static void join_args(const struct config *config, const struct launch_options *options,
                      struct launch *launch)
{
    size_t count = 0;
    for (const char **arg = config->args; arg && *arg; arg++)
        count++;
    for (char **arg = options->args; arg && *arg; arg++)
        count++;
    launch->args = xcalloc(count + 1, sizeof(*launch->args));
    count = 0;
    for (const char **arg = config->args; arg && *arg; arg++)
        launch->args[count++] = *arg;
    for (char **arg = options->args; arg && *arg; arg++)
        launch->args[count++] = *arg;
    launch->machine.args = launch->args;
}

static int check_kernel_kind(const struct config *config, const struct launch_options *options,
                             const struct launch *launch, char **ret_error)
{
    const char *kernel = launch->machine.kernel, *arch = launch->machine.arch, *found;
    if (!arch && !launch->machine.qemu)
        arch = "riscv32";
    if (!kernel || !arch)
        return 0;
    enum image_kind kind = image_look(kernel, &found);
    char *flaw = NULL;
    if (kind == IMAGE_UNKNOWN)
        flaw = xformat("is neither an ELF file nor a Linux Image; name another, or give it to QEMU "
                       "in machine.args");
    else if (!image_runs_on(found, arch))
        flaw = xformat("is for %s, and the machine is %s; name another, or change machine.arch",
                       found, arch);
    if (!flaw)
        return 0;
    *ret_error = options->kernel ? xformat("trestle: --kernel %s %s", kernel, flaw)
                                 : config_complain_machine(config, "kernel", "%s %s", kernel, flaw);
    free(flaw);
    return -EINVAL;
}

char *launch_no_kvm(const char *arch, const char **ret_remedy)
{
    struct utsname host;
    if (uname(&host) == 0 && strcmp(arch, host.machine) != 0) {
        *ret_remedy = "change machine.arch";
        return xformat("KVM runs guests of %s here, and the machine is %s", host.machine, arch);
    }
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        *ret_remedy = "ask for the right to use it";
        return xformat("/dev/kvm cannot be opened: %s", strerror(errno));
    }
    close(fd);
    return NULL;
}

/* QEMU would say it, too, but later, and would name its own files. */
static int check_accel(const struct config *config, const struct launch_options *options,
                       const struct launch *launch, char **ret_error)
{
    const char *remedy;
    if (!config->accel || strcmp(config->accel, "kvm") != 0)
        return 0;
    char *reason = launch_no_kvm(launch->machine.arch ? launch->machine.arch : "riscv32", &remedy);
    if (reason) {
        *ret_error =
            config_complain_machine(config, "accel", "%s; remove the key, or %s", reason, remedy);
        free(reason);
        return -EINVAL;
    }
    if (options->exit_on_idle) {
        *ret_error =
            xstrdup("trestle: --exit-on-idle does not see a guest under KVM; leave it out, "
                    "or remove machine.accel");
        return -EINVAL;
    }
    return 0;
}

static int check_icount(const struct config *config, char **ret_error)
{
    for (size_t i = 0; i < config->num_devices && config->icount < 0; i++) {
        if (!config->devices[i].model->needs_icount)
            continue;
        *ret_error = config_complain_device(config, i, "model",
                                            "%s only works in the guest's exact time; add "
                                            "\"icount\": 0 to \"machine\"",
                                            config->devices[i].model->name);
        return -EINVAL;
    }
    return 0;
}

/* A device on PCI, to which the guest can deny its memory, and nothing that has to do with where
 * the memory is or what a bus leads to. */
static bool suits_direct_dma(const struct config *config)
{
    bool has_dma = false;
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct trestle_model *model = config->devices[i].model;
        has_dma |= config->devices[i].pci && !config->devices[i].release_lock &&
                   (model->dma_done || model->uses_memory);
    }
    for (const char **arg = config->args; arg && *arg && has_dma; arg++)
        has_dma = !strstr(*arg, "memory-backend") && !strstr(*arg, "numa") &&
                  !strstr(*arg, "mem-path") && !strstr(*arg, "iommu");
    return has_dma;
}

static bool shares_ram(const struct config *config)
{
    return config->direct_dma >= 0 ? config->direct_dma : suits_direct_dma(config);
}

int launch_share_ram(struct launch *launch, const struct config *config, char **ret_error)
{
    const char *what = NULL;
    int r = launch->machine.direct_dma ? trestle_machine_try_ram(&launch->machine, &what) : 0;
    if (r == 0)
        return 0;
    if (config->direct_dma > 0) {
        *ret_error = config_complain_machine(config, "direct_dma",
                                             "the guest's memory cannot be shared here (%s: %s); "
                                             "leave the key out",
                                             what, error_text(r));
        return -EINVAL;
    }
    log_line("trestle: warning: the guest's memory cannot be shared (%s: %s); DMA goes by "
             "messages, which is slower",
             what, error_text(r));
    launch->machine.direct_dma = false;
    return 0;
}

int launch_init(struct launch *launch, const struct config *config,
                const struct launch_options *options, char **ret_error)
{
    *launch = (struct launch){.machine = {.size = sizeof(launch->machine)}};
    launch->machine.gdb = options->gdb;
    launch->debug = options->debug;
    launch->machine.is_repeatable = config->icount >= 0;
    launch->machine.icount_shift = config->icount >= 0 ? (uint32_t)config->icount : 0;
    launch->machine.direct_dma = shares_ram(config);
    for (size_t i = 0; i < config->num_devices; i++)
        launch->machine.no_input |= config_takes_stdin(&config->devices[i]);
    launch->machine.exit_when_idle = options->exit_on_idle;
    launch->machine.accel = config->accel;
    launch->machine.board = config->board;
    launch->machine.cpu = config->cpu;
    launch->machine.bios = config->bios;
    launch->machine.memory = config->memory;
    launch->machine.cpus = (uint32_t)config->cpus;
    launch->machine.initrd = config->initrd;
    launch->machine.append = config->append;
    launch->machine.dtb = config->dtb;
    join_args(config, options, launch);
    int r = check_icount(config, ret_error);
    if (r == 0)
        r = check_kernel(config, options, launch, ret_error);
    if (r == 0)
        r = check_machine_files(config, ret_error);
    if (r == 0)
        r = choose_plugin(config, options, launch, ret_error);
    if (r == 0)
        r = find_inline(config, &launch->inline_module, ret_error);
    if (r == 0 && !launch->plugin)
        r = check_without_plugin(config, options, ret_error);
    if (r == 0)
        r = check_qemu(config, options, launch, ret_error);
    if (r == 0)
        r = check_accel(config, options, launch, ret_error);
    if (r == 0)
        r = check_kernel_kind(config, options, launch, ret_error);
    if (r == 0)
        r = check_initrd_fits(config, launch, ret_error);
    if (r == 0)
        r = check_guest(config, options, launch, ret_error);
    if (r < 0) {
        launch_finish(launch);
        return -EINVAL;
    }
    launch->machine.plugin = launch->plugin;
    return 0;
}

void launch_add_protocol(struct strings *parts, const struct config *config,
                         const struct config_device *device)
{
    if (device->carrier)
        strings_addf(parts, "carrier=%s", device->carrier);
    if (device->protocol >= 0 && !device->pci)
        strings_addf(parts, "protocol=%d", (int)device->protocol);
    /* In a repeatable run, what a write causes must have its time known. */
    if (device->posted_writes && config->icount < 0)
        strings_add(parts, "posted_writes=on");
}

/* QEMU splits properties at commas; a doubled comma is one that belongs to the value. */
static void add_escaped(struct strings *parts, const char *name, const char *value)
{
    struct strings pieces = {0};
    for (;;) {
        int length = (int)strcspn(value, ",");
        strings_addf(&pieces, "%.*s", length, value);
        value += length;
        if (!*value++)
            break;
    }
    char *escaped = strings_join(&pieces, ",,");
    strings_addf(parts, "%s=%s", name, escaped);
    free(escaped);
    strings_finish(&pieces);
}

static void add_node(struct strings *parts, const struct config_device *device)
{
    if (device->acpi_id)
        strings_addf(parts, "acpi_id=%s", device->acpi_id);
    if (!device->node)
        return;
    strings_addf(parts, "dt_label=%s", device->name);
    if (device->alias)
        strings_addf(parts, "dt_alias=%s", device->alias);
    if (!device->compatible) /* it is only what the model offers */
        strings_add(parts, "dt_optional=on");
    add_escaped(parts, "dt", device->node);
}

/* What the plugin has to know of a device beyond what machine.h has fields for. */
static void add_properties(struct launch *launch, const struct config *config,
                           const struct config_device *device)
{
    struct strings parts = {0};
    launch_add_protocol(&parts, config, device);
    if (device->irq && config->irq_controller)
        strings_addf(&parts, "irq_controller=%s", config->irq_controller);
    if (device->behind)
        strings_add(&parts, "behind=on");
    if (device->is_inline)
        strings_add(&parts, "inline=on");
    if (device->endian)
        strings_addf(&parts, "endian=%s", device->endian);
    if (device->release_lock)
        strings_add(&parts, "release_lock=on");
    add_node(&parts, device);
    if (device->pci)
        config_add_pci_properties(&parts, device);
    char *joined = parts.count ? strings_join(&parts, ",") : xstrdup("");
    strings_add(&launch->properties, joined);
    free(joined);
    strings_finish(&parts);
}

/* All devices are QEMU's own client's, which it has without the plugin. */
static void use_vfio(struct launch *launch, const struct config *config)
{
    size_t count = 0;
    while (launch->args[count])
        count++;
    const char **args = xcalloc(count + 2 * config->num_devices + 1, sizeof(*args));
    memcpy(args, launch->args, count * sizeof(*args));
    for (size_t i = 0; i < config->num_devices; i++) {
        char *text = config_vfio_argument(&config->devices[i], launch->devices[i].socket_path);
        strings_add(&launch->vfio, text);
        free(text);
        args[count++] = "-device";
        args[count++] = launch->vfio.items[i];
    }
    free(launch->args);
    launch->args = args;
    launch->machine.args = args;
    launch->machine.plugin = NULL;
    launch->machine.num_devices = 0;
}

void launch_set_sockets(struct launch *launch, const struct config *config,
                        const struct trestle_bridge *bridge)
{
    launch->devices = xcalloc(config->num_devices, sizeof(*launch->devices));
    for (size_t i = 0; i < config->num_devices; i++) {
        const struct config_device *device = &config->devices[i];
        add_properties(launch, config, device);
        const char *properties = launch->properties.items[i];
        bool is_debugged = launch->debug && strcmp(launch->debug, device->name) == 0;
        launch->devices[i] = (struct trestle_machine_device){
            .name = device->name,
            .socket_path =
                bridge ? trestle_bridge_socket_path(bridge, (uint32_t)i) : device->socket,
            .base_addr = device->base_addr,
            .region_size = device->size,
            .on_error = device->on_error,
            .timeout_ms = is_debugged ? 0 : device->timeout_ms,
            .shadow = device->shadow,
            .irq = device->irq,
            .properties = *properties ? properties : NULL,
        };
    }
    launch->machine.devices = launch->devices;
    launch->machine.num_devices = config->num_devices;
    if (speaks_vfio(config))
        use_vfio(launch, config);
}

void launch_set_inline(struct launch *launch, const struct own_processes *own)
{
    struct strings parts = {0};
    char *argument = own_inline_argument(own, launch->inline_module, &launch->machine.kept_fds,
                                         &launch->machine.num_kept_fds);
    if (argument) {
        add_escaped(&parts, "inline", argument);
        launch->inline_argument = strings_join(&parts, ",");
    }
    launch->machine.plugin_args = launch->inline_argument;
    strings_finish(&parts);
    free(argument);
}

void launch_set_labels(struct launch *launch, const struct config *config)
{
    for (size_t i = 0; i < config->num_devices; i++) {
        char *label = config_where_device(config, i);
        strings_add(&launch->labels, label ? label : "trestle");
        launch->devices[i].label = launch->labels.items[i];
        free(label);
    }
}

void launch_finish(struct launch *launch)
{
    strings_finish(&launch->labels);
    strings_finish(&launch->properties);
    strings_finish(&launch->vfio);
    free(launch->devices);
    free(launch->plugin);
    free(launch->inline_module);
    free(launch->inline_argument);
    free(launch->args);
    *launch = (struct launch){0};
}
