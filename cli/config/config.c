/* SPDX-License-Identifier: MIT */
/* Reads a configuration file and checks it, key by key. */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "config/reader.h"
#include "svd/svd.h"
#include "util.h"

/* A configuration of 1024 devices is 200 KB; beyond this limit somebody named the wrong file. */
#define FILE_LIMIT ((size_t)64 << 20)

static char *const arch_choices[] = {"riscv32", "riscv64", "arm", "aarch64", "x86_64", NULL};

const char *config_arch_of_qemu(const char *qemu)
{
    static const char prefix[] = "qemu-system-";
    const char *slash = strrchr(qemu, '/'), *name = slash ? slash + 1 : qemu;
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return NULL;
    for (char *const *arch = arch_choices; *arch; arch++)
        if (strcmp(*arch, name + strlen(prefix)) == 0)
            return *arch;
    return NULL;
}

/* A name that QEMU finds by itself (a program in PATH, firmware that comes with QEMU), or else a
 * path. */
static int set_name_or_path(struct config_reader *reader, const struct config_key *key,
                            const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    return text && strchr(text, '/') ? config_set_path(reader, key, where, value, target)
                                     : config_set_string(reader, key, where, value, target);
}

static int set_plugin(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target)
{
    static char *const words[] = {"auto", "in-tree", "none", NULL};
    const char *text = json_string_value(value);
    if (!text || !*text)
        return config_fail_type(reader, key, where, value);
    for (char *const *word = words; *word; word++)
        if (strcmp(text, *word) == 0)
            return config_set_string(reader, key, where, value, target);
    const char *near = strchr(text, '/') ? NULL : suggest(text, words);
    if (near)
        return config_fail(reader, where, "\"%s\" is not a plugin; did you mean \"%s\"?", text,
                           near);
    return config_set_path(reader, key, where, value, target);
}

static int set_bios(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    bool is_word = text && (strcmp(text, "none") == 0 || strcmp(text, "default") == 0);
    return (is_word ? config_set_string : config_set_path)(reader, key, where, value, target);
}

/* The unit is required, since QEMU would count MiB, and other programs bytes. */
static int set_memory(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target)
{
    const char *text = json_string_value(value);
    size_t digits = text ? strspn(text, "0123456789") : 0;
    if (digits == 0 || digits > 9 || strspn(text, "0") == digits || !strchr("KMGT", text[digits]) ||
        strlen(text) != digits + 1)
        return config_fail_type(reader, key, where, value);
    return config_set_string(reader, key, where, value, target);
}

static int set_cpus(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    if (json_is_integer(value) && json_integer_value(value) == 0)
        return config_fail_type(reader, key, where, value);
    return config_set_count(reader, key, where, value, target);
}

static int set_args(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target)
{
    static const struct config_key argument = {.what = "a text", .example = "\"256M\""};
    if (!json_is_array(value))
        return config_fail_type(reader, key, where, value);
    size_t count = json_array_size(value);
    const char **args = config_keep(reader->config, xcalloc(count + 1, sizeof(*args)));
    for (size_t i = 0; i < count; i++) {
        struct json_place here = {where, NULL, i};
        args[i] = json_string_value(json_array_get(value, i));
        if (!args[i])
            return config_fail_type(reader, &argument, &here, json_array_get(value, i));
    }
    reader->config->args = args;
    return 0;
}

static char *const accel_choices[] = {"tcg", "kvm", NULL};

#define MACHINE(name) offsetof(struct config, name)

static const struct config_key machine_keys[] = {
    {"arch", config_set_choice, MACHINE(arch), "an architecture", .choices = arch_choices},
    {"qemu", set_name_or_path, MACHINE(qemu), "a program", "\"qemu\": \"qemu-system-riscv32\""},
    {"kernel", config_set_path, MACHINE(kernel), "a path", "\"kernel\": \"guest.elf\""},
    {"initrd", config_set_path, MACHINE(initrd), "a path", "\"initrd\": \"initrd.img\""},
    {"append", config_set_string, MACHINE(append), "a text",
     "\"append\": \"console=ttyS0\", for the kernel"},
    {"memory", set_memory, MACHINE(memory), "a size with K, M, G or T", "\"memory\": \"512M\""},
    {"cpus", set_cpus, MACHINE(cpus), "a number from 1 to 512", "\"cpus\": 2", .max = 512},
    {"bios", set_bios, MACHINE(bios), "a path, \"none\" or \"default\"",
     "\"bios\": \"u-boot.bin\""},
    {"dtb", config_set_path, MACHINE(dtb), "a path", "\"dtb\": \"board.dtb\""},
    {"board", config_set_string, MACHINE(board), "a board of QEMU's", "\"board\": \"mps2-an385\""},
    {"irq_controller", config_set_string, MACHINE(irq_controller), "a type or a path in QEMU",
     "\"irq_controller\": \"goldfish_pic\""},
    {"cpu", config_set_string, MACHINE(cpu), "a processor of QEMU's", "\"cpu\": \"cortex-a72\""},
    {"accel", config_set_choice, MACHINE(accel), "a way to run the guest",
     .choices = accel_choices},
    {"args", set_args, 0, "a list of texts", "\"args\": [\"-m\", \"256M\"]"},
    {"plugin", set_plugin, MACHINE(plugin), "\"auto\", \"in-tree\", \"none\" or a path",
     "\"plugin\": \"auto\""},
    {"icount", config_set_count, MACHINE(icount), "a number from 0 to 10",
     "\"icount\": 0, for a nanosecond per instruction; each step up doubles it", .max = 10},
    {"direct_dma", config_set_maybe, MACHINE(direct_dma), "true or false", "\"direct_dma\": true"},
    {0},
};

static int set_machine(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target)
{
    if (!json_is_object(value))
        return config_fail_type(reader, key, where, value);
    struct config *config = reader->config;
    int r = config_read_object(reader, where, value, machine_keys, config);
    if (r < 0)
        return r;
    if (config->icount >= 0 && config->cpus > 1) {
        struct json_place here = {where, "cpus", 0};
        return config_fail(reader, &here,
                           "with icount the machine has one vCPU; remove one of the "
                           "two keys");
    }
    if (config->icount >= 0 && config->accel && strcmp(config->accel, "kvm") == 0) {
        struct json_place here = {where, "accel", 0};
        return config_fail(reader, &here,
                           "KVM does not count instructions, as icount does; remove one of the "
                           "two keys");
    }
    if (!config->qemu)
        return 0;
    const char *arch = config_arch_of_qemu(config->qemu);
    if (config->arch && arch && strcmp(config->arch, arch) != 0) {
        struct json_place here = {where, "qemu", 0};
        return config_fail(reader, &here, "%s does not run %s, the \"arch\"; correct one of them",
                           json_string_value(json_object_get(value, "qemu")), config->arch);
    }
    return 0;
}

static int set_watchdog(struct config_reader *reader, const struct config_key *key,
                        const struct json_place *where, const json_t *value, void *target)
{
    return config_set_count(reader, key, where, value, &reader->config->watchdog_ms);
}

static int set_stop_at(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target)
{
    trestle_time stop_at;
    int r = config_set_time(reader, key, where, value, &stop_at);
    if (r == 0 && stop_at == 0)
        return config_fail_type(reader, key, where, value);
    if (r == 0)
        reader->config->stop_at = stop_at;
    return r;
}

#define DEVICE(name) offsetof(struct config_device, name)

/* The rows from socket_path on describe the one device of a file without "devices". */
static const struct config_key top_keys[] = {
    {"machine", set_machine, 0, "an object", "\"machine\": { \"kernel\": \"guest.elf\" }"},
    {"devices", config_set_devices, 0, "a list of devices",
     "\"devices\": [ { \"model\": \"echo\", \"base_addr\": \"0x10200000\" } ]"},
    {"links", config_set_links, 0, "a list of links",
     "\"links\": [ { \"from\": \"a.peer\", \"to\": \"b.peer\", \"latency\": \"1ns\" } ]"},
    {"stop_at", set_stop_at, 0, "a time above 0", "\"stop_at\": \"10s\""},
    {"watchdog_ms", set_watchdog, 0, "a number of milliseconds",
     "\"watchdog_ms\": 10000, or 0 for never", .max = INT32_MAX},
    {"socket_path", config_set_socket, DEVICE(socket), "a path",
     "\"socket_path\": \"device.sock\""},
    {"device_base", config_set_base, DEVICE(base_addr), "an address",
     "\"device_base\": \"0x10200000\""},
    {"model", config_set_model, 0, "a model", "\"model\": \"echo\""},
    {"params", config_set_params, 0, "an object of parameters",
     "\"params\": { \"echo_latency\": 10 }"},
    {0},
};
static const char *const single_keys[] = {"socket_path", "device_base", "model", "params"};

/* The first key that belongs to a file without "devices", or NULL. */
static const char *single_key(const json_t *document)
{
    for (size_t i = 0; i < sizeof(single_keys) / sizeof(*single_keys); i++)
        if (json_object_get(document, single_keys[i]))
            return single_keys[i];
    return NULL;
}

/* A file without "devices" has one device among its top-level keys. */
static int read_single(struct config_reader *reader)
{
    struct config *config = reader->config;
    config->devices = xcalloc(1, sizeof(*config->devices));
    config->num_devices = 1;
    config_init_device(config->devices);
    int r = config_read_object(reader, NULL, config->document, top_keys, config->devices);
    if (r < 0)
        return r;
    if (!json_object_get(config->document, "device_base"))
        return config_fail(reader, NULL, "\"device_base\" is missing; add for example %s",
                           "\"device_base\": \"0x10200000\"");
    if (!config->devices->model) {
        config->devices->model = trestle_model_find("echo");
        config->devices->model_name = "echo";
    }
    return config_finish_device(reader, NULL, 0, "device_base", config->devices);
}

static int read_document(struct config_reader *reader)
{
    const json_t *document = reader->config->document;
    const char *single = single_key(document);
    int r;
    if (single && json_object_get(document, "devices")) {
        struct json_place here = {NULL, single, 0};
        return config_fail(reader, &here,
                           "this key is for a file without \"devices\"; move it into a device "
                           "or remove it");
    }
    if (single) {
        r = read_single(reader);
    } else {
        r = config_read_object(reader, NULL, document, top_keys, NULL);
        if (r == 0 && !reader->config->devices)
            r = config_fail(reader, NULL, "\"devices\" is missing; add for example %s",
                            top_keys[1].example);
    }
    return r < 0 ? r : config_check(reader);
}

/* Mistakes of people who do not write JSON every day. found is a part of the parser's message. */
static const char *syntax_remedy(const char *message)
{
    static const struct {
        const char *found, *remedy;
    } remedies[] = {
        {"duplicate object key", "remove one of the two"},
        {"string or '}' expected near '}'", "remove the comma before the }"},
        {"unexpected token near ']'", "remove the comma before the ]"},
        {"'}' expected near 'x'", "write hexadecimal numbers as text: \"0x10200000\""},
        {"near '''", "put text into double quotes"},
        {"near '/'", "remove the comment: JSON has none"},
        {"near '#'", "remove the comment: JSON has none"},
        {"near end of file", "close every { [ and \" that was opened"},
        {"premature end of input", "close the text with a double quote"},
        {"unexpected newline", "close the text with a double quote"},
        {"too big integer", "write large numbers as text: \"0xffffffff00000000\""},
        {"string or '}' expected", "put keys into double quotes"},
        {"'}' expected near '\"'", "put a comma between two members"},
        {"'}' expected near", "put a comma between two members and quotes around text"},
        {"']' expected near", "put a comma between two items and quotes around text"},
        {"'[' or '{' expected", "begin with { and \"devices\""},
        {"invalid token", "put text into double quotes; numbers have no leading zero"},
        {"end of file expected", "remove what follows the last }"},
        {"unable to decode", "save the file as UTF-8"},
        {"':' expected", "put a : between key and value"},
        {"invalid escape", "write a backslash in text as \\\\"},
    };
    for (size_t i = 0; i < sizeof(remedies) / sizeof(*remedies); i++)
        if (strstr(message, remedies[i].found))
            return remedies[i].remedy;
    return "correct the JSON there";
}

/* jansson passes over a NUL after a number or a word. The code that reads the text later would take
 * it for the end. */
static int check_nul(const struct config *config, size_t size, char **ret_error)
{
    unsigned line = 1;
    for (size_t i = 0; i < size; i++) {
        line += config->text[i] == '\n';
        if (config->text[i])
            continue;
        *ret_error =
            xformat("%s:%u: not JSON: a NUL byte; save the file as UTF-8", config->file, line);
        return -EINVAL;
    }
    return 0;
}

static int parse_document(struct config *config, size_t size, char **ret_error)
{
    json_error_t error;
    config->document = json_loadb(config->text, size, JSON_REJECT_DUPLICATES, &error);
    if (!config->document) {
        *ret_error = xformat("%s:%d:%d: not JSON: %s; %s", config->file, error.line, error.column,
                             error.text, syntax_remedy(error.text));
        replace_control_characters(*ret_error);
        return -EINVAL;
    }
    if (check_nul(config, size, ret_error) < 0)
        return -EINVAL;
    struct config_reader reader = {config, ret_error};
    if (!json_is_object(config->document))
        return config_fail(&reader, NULL,
                           "a list is not a configuration; begin with { and "
                           "\"devices\"");
    return read_document(&reader);
}

static struct config *config_create(void)
{
    struct config *config = xcalloc(1, sizeof(*config));
    config->plugin = "auto";
    config->icount = -1;
    config->direct_dma = -1;
    config->stop_at = TRESTLE_TIME_NEVER;
    config->watchdog_ms = 10000;
    return config;
}

static int finish_or_destroy(struct config *config, int status, struct config **ret_config)
{
    if (status < 0) {
        config_destroy(config);
        return status;
    }
    *ret_config = config;
    return 0;
}

int config_from_document(json_t *document, struct config **ret_config, char **ret_error)
{
    struct config *config = config_create();
    struct config_reader reader = {config, ret_error};
    config->document = document;
    return finish_or_destroy(config, read_document(&reader), ret_config);
}

int config_parse(const char *file, const char *text, size_t size, struct config **ret_config,
                 char **ret_error)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (size >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        size -= 3;
    }
    struct config *config = config_create();
    config->file = config_keep(config, xstrdup(file));
    config->text = config_keep(config, xcalloc(size + 1, 1));
    memcpy(config->text, text, size);
    return finish_or_destroy(config, parse_document(config, size, ret_error), ret_config);
}

int config_load(const char *path, struct config **ret_config, char **ret_error)
{
    char *text;
    size_t size;
    int r = io_read_file(path, FILE_LIMIT, &text, &size);
    if (r == -EFBIG)
        *ret_error =
            xformat("%s: larger than %zu MB; name a configuration file", path, FILE_LIMIT >> 20);
    else if (r == -EISDIR)
        *ret_error = xformat("%s: is a directory; name a configuration file in it", path);
    else if (r == -ENXIO)
        *ret_error = xformat("%s: is a socket; name a configuration file, or reach a run that "
                             "listens there with trestle poke --attach %s",
                             path, path);
    else if (r < 0)
        *ret_error =
            xformat("%s: cannot read the configuration: %s; check the path", path, strerror(-r));
    if (r < 0)
        return r;
    r = config_parse(path, text, size, ret_config, ret_error);
    free(text);
    return r;
}

/* What the run reads of it, or NULL. */
static const char *name_of_input(const struct config *config, const char *path)
{
    const struct {
        const char *path, *name;
    } inputs[] = {{config->file, "the configuration"},
                  {config->kernel, "machine.kernel"},
                  {config->initrd, "machine.initrd"},
                  {config->dtb, "machine.dtb"}};
    for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
        if (is_same_file(inputs[i].path, path))
            return inputs[i].name;
    for (size_t i = 0; i < config->num_devices; i++)
        if (config->devices[i].library && is_same_file(config->devices[i].model_name, path))
            return "a device's model";
    return NULL;
}

int config_check_output(const struct config *config, const char *option, const char *path,
                        char **ret_error)
{
    const char *input = path ? name_of_input(config, path) : NULL;
    if (!input)
        return 0;
    *ret_error =
        xformat("trestle: %s %s would overwrite %s; name another file", option, path, input);
    return -EINVAL;
}

void config_destroy(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->num_devices; i++)
        trestle_model_unload(config->devices[i].library);
    for (size_t i = 0; i < config->num_svds; i++)
        svd_destroy(config->svds[i]);
    free(config->svds);
    free(config->devices);
    free(config->links);
    free(config->processes);
    json_decref(config->document);
    for (size_t i = 0; i < config->num_kept; i++)
        free(config->kept[i]);
    free(config->kept);
    free(config);
}
