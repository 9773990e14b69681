/* SPDX-License-Identifier: MIT */
/* trestle boards: where a board has room for devices, as its QEMU says. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "command.h"
#include "machine/command.h"
#include "run/launch.h"
#include "table.h"
#include "util.h"

/* Smaller free pieces are not worth a line. A page of a guest is as large as this. */
#define PAGE UINT64_C(4096)

static const struct command_option options[] = {
    {'b', "board", "BOARD", "the board, instead of machine.board or the usual one",
     .long_only = true},
    {'q', "qemu", "BIN", "the QEMU, instead of machine.qemu", .long_only = true},
    {'p', "plugin", "SO", "QEMU's plugin", .long_only = true},
    {0},
};

/* --- addresses ------------------------------------------------------------------------------- */

struct map {
    struct table table;
    uint64_t next; /* the first address that no row has yet */
    uint64_t first, last, parts;
    char name[64]; /* of the row that may still grow; "": none */
};

static void add_row(struct map *map, uint64_t first, uint64_t last, const char *what)
{
    uint64_t size = last - first + 1; /* 0: all of 2^64 */
    table_addf(&map->table, "0x%08" PRIx64, first);
    table_addf(&map->table, "0x%08" PRIx64, last);
    if (size == 0 || size >= UINT64_C(1) << 40)
        table_addf(&map->table, "%s", "");
    else if (size % (1 << 20) == 0)
        table_addf(&map->table, "%" PRIu64 " MiB", size >> 20);
    else if (size % (1 << 10) == 0)
        table_addf(&map->table, "%" PRIu64 " KiB", size >> 10);
    else
        table_addf(&map->table, "%" PRIu64, size);
    table_addf(&map->table, "%s", what);
}

static void end_row(struct map *map)
{
    if (!*map->name)
        return;
    char *what = map->parts > 1 ? xformat("%s, %" PRIu64 " times", map->name, map->parts)
                                : xstrdup(map->name);
    add_row(map, map->first, map->last, what);
    free(what);
    *map->name = '\0';
}

static void add_free(struct map *map, uint64_t end)
{
    uint64_t first = (map->next + PAGE - 1) / PAGE * PAGE;
    if (first < end && end - first >= PAGE)
        add_row(map, first, end - 1, "free");
}

/* Neighbours of one kind are one row. */
static void add_memory(struct map *map, uint64_t first, uint64_t last, const char *name)
{
    bool is_near = first - map->next < PAGE;
    if (is_near && strcmp(map->name, name) == 0) {
        map->parts++;
    } else {
        end_row(map);
        if (!is_near)
            add_free(map, first / PAGE * PAGE);
        snprintf(map->name, sizeof(map->name), "%s", name);
        map->first = first;
        map->parts = 1;
    }
    map->last = last;
    map->next = last + 1;
}

/* --- interrupts ------------------------------------------------------------------------------ */

static void print_free_inputs(unsigned first, unsigned last, const bool *used)
{
    const char *before = "";
    printf("free interrupts: ");
    for (unsigned input = first; input <= last; input++) {
        unsigned end = input;
        if (used[input])
            continue;
        while (end < last && !used[end + 1])
            end++;
        printf(end > input ? "%s%u to %u" : "%s%u", before, input, end);
        before = ", ";
        input = end;
    }
    printf("%s\n", *before ? "" : "none");
}

struct interrupts {
    unsigned first, last;
    char name[160]; /* "": none yet */
    bool used[UINT16_MAX + 1];
};

/* The inputs of a controller, when all lines about it have been read. */
static void print_interrupts(struct interrupts *interrupts)
{
    if (!*interrupts->name)
        return;
    printf("interrupt controller: %s, inputs %u to %u\n", interrupts->name, interrupts->first,
           interrupts->last);
    print_free_inputs(interrupts->first, interrupts->last, interrupts->used);
    *interrupts = (struct interrupts){0};
}

static void read_interrupts(struct interrupts *interrupts, const char *line)
{
    unsigned first, last;
    int at = 0;
    bool is_known = sscanf(line, "interrupts %u %u %n", &first, &last, &at) == 2 && at > 0;
    if (!is_known && (sscanf(line, "candidate %u %u %n", &first, &last, &at) != 2 || at == 0)) {
        const char *several = line + strlen("interrupts none");
        printf("interrupt controller: %s%s; machine.irq_controller may name one\n",
               *several ? "more than one:" : "none that is known", several);
        return;
    }
    print_interrupts(interrupts);
    if (last > UINT16_MAX)
        return;
    interrupts->first = first;
    interrupts->last = last;
    snprintf(interrupts->name, sizeof(interrupts->name), "%s", line + at);
}

/* --- the report ------------------------------------------------------------------------------ */

static void read_line(const char *line, struct map *map, struct interrupts *interrupts)
{
    uint64_t first, last;
    unsigned input;
    int at = 0;
    if (sscanf(line, "memory %" SCNx64 " %" SCNx64 " %n", &first, &last, &at) == 2 && at > 0)
        add_memory(map, first, last, line + at);
    else if (strncmp(line, "interrupts ", 11) == 0 || strncmp(line, "candidate ", 10) == 0)
        read_interrupts(interrupts, line);
    else if (sscanf(line, "used %u", &input) == 1 && input <= UINT16_MAX)
        interrupts->used[input] = true;
    else if (strncmp(line, "board ", 6) == 0)
        printf("board: %.*s, as QEMU%s has it\n", (int)strcspn(line + 6, " "), line + 6,
               line + 6 + strcspn(line + 6, " "));
    else if (strncmp(line, "tree ", 5) == 0)
        printf("device tree: %s\n", line + 5);
    else if (strncmp(line, "note ", 5) == 0)
        printf("note: %s\n", line + 5);
}

/* Places above 4 GiB are only for processors that can reach them. */
static void add_rest(struct map *map, const char *arch)
{
    bool is_wide = arch && strstr(arch, "64");
    end_row(map);
    if (map->next != 0 && map->next <= UINT32_MAX)
        add_free(map, UINT64_C(1) << 32);
    if (is_wide && map->next != 0)
        table_addf(&map->table, "0x%08" PRIx64, map->next);
    for (int cell = 0; is_wide && map->next != 0 && cell < 3; cell++)
        table_addf(&map->table, "%s", cell == 2 ? "free" : "");
}

static void print_report(char *report, const char *arch)
{
    static const char *const titles[] = {">first", ">last", ">size", "what is there", NULL};
    struct map map = {.table = {.titles = titles}};
    struct interrupts *interrupts = xcalloc(1, sizeof(*interrupts));
    char *position;
    for (char *line = strtok_r(report, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        if (strncmp(line, "memory ", 7) == 0)
            print_interrupts(interrupts);
        read_line(line, &map, interrupts);
    }
    add_rest(&map, arch);
    printf("\n");
    table_print(&map.table, stdout);
    table_finish(&map.table);
    free(interrupts);
}

static int report(struct config *config, const struct launch_options *launch_options)
{
    struct launch launch;
    char *error = NULL, *sentence = NULL, *text = NULL;
    /* No guest runs, so it does not matter which one it would be. */
    config->kernel = config->initrd = config->append = config->dtb = NULL;
    config->icount = -1;
    if (launch_init(&launch, config, launch_options, &error) < 0)
        return command_fail_line(error);
    if (!launch.machine.plugin || strcmp(launch.machine.plugin, "in-tree") == 0)
        error = xstrdup("trestle: boards needs QEMU's plugin; name it with --plugin");
    int r = error ? -1 : trestle_machine_report(&launch.machine, &text, &sentence);
    if (r < 0 && !error)
        error = xformat("trestle: %s", sentence ? sentence : error_text(r));
    free(sentence);
    if (r == 0)
        print_report(text, launch.machine.arch);
    free(text);
    launch_finish(&launch);
    return r < 0 ? command_fail_line(error) : EXIT_SUCCESS;
}

/* --- the command ----------------------------------------------------------------------------- */

/* A machine of that architecture, with a device that is never made. */
static struct config *make_config(const char *arch, char **ret_error)
{
    struct config *config = NULL;
    json_t *machine = arch ? json_pack("{s:s}", "arch", arch) : json_object();
    json_t *document = json_pack("{s:o, s:[{s:s, s:i}]}", "machine", machine, "devices", "model",
                                 "id", "base_addr", 0);
    return config_from_document(document, &config, ret_error) < 0 ? NULL : config;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct launch_options launch = {0};
    const char *argument, *board = NULL;
    char *error = NULL;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        if (letter == 'b')
            board = argument;
        else if (letter == 'q')
            launch.qemu = argument;
        else if (letter == 'p')
            launch.plugin = argument;
        else
            return EXIT_BAD_INPUT;
    }
    if (argc - optind > 1)
        return command_fail("boards takes one architecture or configuration; see trestle boards "
                            "--help");
    const char *operand = optind < argc ? argv[optind] : NULL;
    struct config *config = NULL;
    if (!operand || !strpbrk(operand, "/."))
        config = make_config(operand, &error);
    else if (config_load(operand, &config, &error) < 0)
        config = NULL;
    if (!config)
        return command_fail_line(error);
    if (board)
        config->board = board;
    int code = report(config, &launch);
    config_destroy(config);
    return code;
}

const struct command command_boards = {
    .name = "boards",
    .arguments = "[ARCH | CONFIG] [OPTION]...",
    .summary = "Show where a board has room for devices: addresses and interrupts",
    .options = options,
    .run = run_command,
    .help =
        "Asks the installed QEMU: it makes the board, says what is on it, and ends before a guest\n"
        "runs. ARCH is riscv32 (default), riscv64, arm, aarch64 or x86_64. With a CONFIG, the\n"
        "board is that of its machine. qemu-system-ARCH -M help lists the boards.\n",
};
