/* SPDX-License-Identifier: MIT */
/* trestle rtl: makes a loadable model of a core in Verilog, with Verilator and a C++ compiler.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/number.h"
#include "command.h"
#include "rtl/cycle.h"
#include "rtl/edges.h"
#include "rtl/ports.h"
#include "rtl/registers.h"
#include "rtl/structs.h"
#include "signals.h"
#include "trestle/models.h"
#include "util.h"

static const struct command_option options[] = {
    {'t', "top", "NAME", "the top module; default: the one that no other contains",
     .long_only = true},
    {'G', "parameter", "P=VALUE", "a parameter of the top; may be repeated"},
    {'I', "include", "DIR", "another directory with modules and included files"},
    {'D', "define", "NAME=VALUE", "a macro; may be repeated"},
    {'T', "tie", "PORT=NUMBER", "the value of an input that nothing drives; may be repeated",
     .long_only = true},
    {'u', "use", "PORT=USE", "what a port is for, such as irq_o=pulse; may be repeated",
     .long_only = true},
    {'p', "ports", "FILE", "what ports are for, as rtl ports prints it", .long_only = true},
    {'S', "svd", "FILE", "name its registers as a vendor's file does", .long_only = true},
    {'P', "peripheral", "NAME", "which one of FILE, if there are several", .long_only = true},
    {'R', "registers", "MODEL", "name its registers as another model does", .long_only = true},
    {'c', "without-icount", NULL, "let it run without machine.icount, as late as the host is",
     .long_only = true},
    {'f', "wave", NULL, "let it write waveforms (parameter wave)", .long_only = true},
    {'z', "size", "N", "bytes of registers; default: what its addresses reach, at most 4096",
     .long_only = true},
    {'w', "word-addresses", NULL, "addresses count words, not bytes", .long_only = true},
    {'W', "master-word-addresses", NULL, "its master's addresses count words", .long_only = true},
    {'o', "output", "FILE", "the model; default: NAME.so, by --top or the first file"},
    {0},
};

enum { STOP_GRACE_MS = 1000 };

struct rtl_build {
    int signal_fd;   /* readable when a signal is to end the command */
    bool only_ports; /* rtl ports */
    const char *top, *output, *ports_file;
    char *made; /* the model, until it is known to be good; it replaces `output` then */
    const char *svd, *peripheral, *model; /* where the names of its registers come from */
    struct rtl_registers registers;
    struct strings files, includes, defines, parameters, ties, uses;
    struct strings sources; /* in C and C++, of functions that the core imports */
    struct rtl_layout layout;
    bool has_waves;
    char *dir;     /* for files between Verilog and model */
    char *runtime; /* the directory of our headers */
    char *include;
};

/* --- programs -------------------------------------------------------------------------------- */

static void strings_all(struct strings *list, const char *const *items)
{
    for (; items && *items; items++)
        strings_add(list, *items);
}

/* The first line of the output that mentions an error, or else the first line. */
static char *first_error(const char *log)
{
    FILE *file = fopen(log, "re");
    char *line = NULL, *first = NULL;
    size_t room = 0;
    bool is_error = false;
    while (file && !is_error && getline(&line, &room, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        is_error = strstr(line, "%Error") || strstr(line, "error:");
        if (is_error || (!first && *line)) {
            free(first);
            first = xstrdup(line);
        }
    }
    free(line);
    if (file)
        fclose(file);
    return first;
}

/* Runs a program to its end, with its output in a file. 0, or a negative errno and a sentence. */
static int run_program(const struct rtl_build *build, const char *what, struct strings *words,
                       char **ret_error)
{
    char *log = xformat("%s/log", build->dir);
    struct strings argv = {0};
    /* A shell joins the two streams, and finds the program. */
    strings_all(&argv,
                (const char *const[]){"sh", "-c", "log=$0; exec \"$@\" >\"$log\" 2>&1", log, NULL});
    strings_all(&argv, (const char *const *)words->items);
    const struct child_options child_options = {
        .path = "/bin/sh", .argv = argv.items, .stdio_fds = {-1, -1}};
    struct child child = CHILD_NONE;
    int r = child_start(&child_options, &child);
    if (r < 0) {
        *ret_error = xformat("cannot start %s: %s", what, strerror(-r));
    } else {
        struct pollfd fds[] = {{.fd = child.fd, .events = POLLIN},
                               {.fd = build->signal_fd, .events = POLLIN}};
        while (!child_ended(&child) && !fds[1].revents)
            (void)poll(fds, 2, -1);
        if (fds[1].revents) {
            child_stop(&child, STOP_GRACE_MS);
            child_end_strays(STOP_GRACE_MS);
        }
        int code = child_exit_code(&child);
        char *why = code ? first_error(log) : NULL;
        if (code == 127)
            *ret_error = xformat("%s is not installed (Debian: verilator, g++)", what);
        else if (code)
            *ret_error = xformat("%s: %s", what, why ? why : "failed, and did not say why");
        r = code ? -EINVAL : 0;
        free(why);
        child_finish(&child);
    }
    strings_finish(&argv);
    strings_finish(words);
    free(log);
    return r;
}

/* --- steps ----------------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0, room = 0;
    while (file && !feof(file) && !ferror(file)) {
        if (size + 4096 > room)
            text = xrealloc(text, room += 65536, 1);
        size += fread(text + size, 1, 4095, file);
        text[size] = '\0';
    }
    if (file)
        fclose(file);
    return text;
}

static int check_version(const struct rtl_build *build, char **ret_error)
{
    struct strings words = {0};
    strings_all(&words, (const char *const[]){"verilator", "--version", NULL});
    int r = run_program(build, "verilator", &words, ret_error);
    char *path = xformat("%s/log", build->dir), *text = r == 0 ? read_file(path) : NULL;
    unsigned major = 0, minor = 0;
    bool is_known = text && sscanf(text, "Verilator %u.%u", &major, &minor) == 2;
    if (is_known && (major < 5 || (major == 5 && minor < 6))) {
        *ret_error = xformat("verilator %u.%03u is too old; install 5.006 or later", major, minor);
        r = -EINVAL;
    }
    if (is_known && build->has_waves && (major > 5 || minor >= 50)) {
        *ret_error =
            xformat("verilator %u.%03u is too new for --wave, since its writer of FST files "
                    "is another one; leave --wave out, or use a version before 5.050",
                    major, minor);
        r = -EINVAL;
    }
    free(text);
    free(path);
    return r;
}

/* Cores of OpenCores include a timescale.v, which each keeps elsewhere or does not have. */
static int write_timescale(const struct rtl_build *build, char **ret_error)
{
    char *path = xformat("%s/timescale.v", build->dir);
    FILE *file = fopen(path, "we");
    if (file)
        fputs("`timescale 1ns / 1ps\n", file);
    int r = file && fclose(file) == 0 ? 0 : -errno;
    if (r < 0)
        *ret_error = xformat("cannot write %s: %s", path, strerror(-r));
    free(path);
    return r;
}

/* `types`: only to write what types ports have, as this option says; else NULL. */
static int verilate_as(const struct rtl_build *build, const char *language, const char *types,
                       char **ret_error)
{
    struct strings words = {0};
    strings_all(&words,
                (const char *const[]){"verilator", "-Wno-fatal", "-Werror-MULTITOP", "--no-timing",
                                      "--prefix", "Vcore", "--Mdir", build->dir, NULL});
    if (types)
        strings_add(&words, types);
    else
        strings_all(&words, (const char *const[]){"--cc", "--flatten", "-O3", "--x-assign", "fast",
                                                  "--x-initial", "unique", "--no-assert", NULL});
    if (build->has_waves && !types)
        strings_add(&words, "--trace-fst");
    if (build->top)
        strings_all(&words, (const char *const[]){"--top-module", build->top, NULL});
    for (size_t i = 0; i < build->parameters.count; i++)
        strings_addf(&words, "-G%s", build->parameters.items[i]);
    for (size_t i = 0; i < build->defines.count; i++)
        strings_addf(&words, "-D%s", build->defines.items[i]);
    for (size_t i = 0; i < build->includes.count; i++)
        strings_addf(&words, "-I%s", build->includes.items[i]);
    for (size_t i = 0; i < build->files.count; i++) {
        const char *file = build->files.items[i], *slash = strrchr(file, '/');
        if (slash)
            strings_addf(&words, "-I%.*s", slash == file ? 1 : (int)(slash - file), file);
        strings_add(&words, file);
    }
    strings_addf(&words, "-I%s", build->dir); /* last: for files that no other directory has */
    if (language)
        strings_all(&words, (const char *const[]){"--default-language", language, NULL});
    return run_program(build, "verilator", &words, ret_error);
}

/* The order and the types of the ports, which the headers do not give. Verilator 5.048 writes no
 * XML, and 5.006 no JSON. */
static void write_types(const struct rtl_build *build, const char *language)
{
    static const char *const ways[] = {"--xml-only", "--json-only"};
    int r = -EINVAL;
    for (size_t i = 0; i < 2 && r < 0; i++) {
        char *why = NULL;
        r = verilate_as(build, language, ways[i], &why);
        free(why);
    }
}

/* A file that is not SystemVerilog may be Verilog, where "int" and "do" may be names. */
static int verilate(const struct rtl_build *build, char **ret_error)
{
    static const char old[] = "1364-2005";
    const char *language = NULL;
    int r = write_timescale(build, ret_error);
    if (r == 0)
        r = verilate_as(build, NULL, NULL, ret_error);
    if (r < 0 &&
        (strstr(*ret_error, "syntax error") || strstr(*ret_error, "SystemVerilog keyword"))) {
        char *again = NULL;
        if (verilate_as(build, old, NULL, &again) == 0) {
            free(*ret_error);
            *ret_error = NULL;
            r = 0;
            language = old;
        }
        free(again);
    }
    if (r == 0)
        write_types(build, language);
    return r;
}

/* A piece of text that shows that a state is not plain bytes, and the words for it. */
struct trait {
    const char *in_text, *words;
};

/* The words for the first trait of the list that the text has, or NULL. */
static const char *find_one_of(const char *text, const struct trait *list)
{
    while (list->in_text && !strstr(text, list->in_text))
        list++;
    return list->words;
}

/* Cuts the members of a module out of `text`, the header that Verilator has written for it. NULL:
 * the text is no such header. */
static char *members_of(char *text)
{
    char *begin = strstr(text, "public:"), *end = strstr(text, "// INTERNAL VARIABLES");
    if (!end)
        return NULL;
    *end = '\0';
    return begin ? begin : text;
}

/* Looks in a file of Verilator's for state that cannot be copied back. *ret_why says what it is, if
 * there is any. */
static int check_state_of(const char *path, const char **ret_why)
{
    static const char elsewhere[] = "state of a package or class";
    static const struct trait not_plain[] = {{"VlQueue", "queues or dynamic arrays"},
                                             {"VlAssoc", "associative arrays"},
                                             {"VlClassRef", "objects of classes"},
                                             {"Scheduler", "delays"},
                                             {"Assignable", "events"},
                                             {"std::", "strings"},
                                             {NULL}};
    static const struct trait any[] = {{"CData", elsewhere},
                                       {"SData", elsewhere},
                                       {"IData", elsewhere},
                                       {"QData", elsewhere},
                                       {"Vl", elsewhere},
                                       {"double", elsewhere},
                                       {NULL}};
    static const struct trait outside[] = {{"VL_RANDOM_", "random numbers"},
                                           {"VL_URANDOM_", "random numbers"},
                                           {"VL_TIME_", "the time"},
                                           {"VL_FOPEN_", "files"},
                                           {"VL_FGET", "files"},
                                           {"VL_FREAD_", "files"},
                                           {"VL_FSCANF_", "files"},
                                           {"Vcore__Dpi.h", "functions in C (DPI)"},
                                           {NULL}};
    const char *slash = strrchr(path, '/') + 1;
    char *text = read_file(path);
    bool is_header = strcmp(path + strlen(path) - 2, ".h") == 0;
    bool is_root = strcmp(slash, "Vcore___024root.h") == 0;
    int r = 0;
    if (text && is_header &&
        (is_root || strncmp(slash, "Vcore__", 7) != 0 || strstr(slash, "_024"))) {
        char *members = members_of(text);
        if (!members && is_root)
            r = -EINVAL;
        else if (members && !*ret_why)
            *ret_why = find_one_of(members, is_root ? not_plain : any);
    } else if (text && !is_header && !*ret_why) {
        *ret_why = find_one_of(text, outside);
    }
    free(text);
    return r;
}

/* Verilator's files of that form. globfree() frees them. */
static int find_files(const struct rtl_build *build, const char *form, glob_t *ret_files)
{
    char *pattern = xformat("%s/%s", build->dir, form);
    *ret_files = (glob_t){0};
    int r = glob(pattern, 0, NULL, ret_files) == 0 ? 0 : -EINVAL;
    free(pattern);
    return r;
}

/* To copy the state back, all of it must be plain bytes in one object, and nothing may come from
 * elsewhere. */
static int check_state(struct rtl_build *build, char **ret_error)
{
    glob_t files;
    int r = find_files(build, "Vcore*", &files);
    for (size_t i = 0; i < files.gl_pathc && r == 0; i++)
        r = check_state_of(files.gl_pathv[i], &build->layout.not_plain);
    if (r < 0)
        *ret_error = xstrdup("this Verilator's headers are unknown; use a version that was tested: "
                             "5.006, 5.032 or 5.048");
    globfree(&files);
    return r;
}

/* Verilator spreads what belongs together over its files. */
static void read_edges(const struct rtl_build *build, struct rtl_ports *ports)
{
    struct printed all;
    glob_t files;
    printed_begin(&all);
    (void)find_files(build, "Vcore*.cpp", &files);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char *text = read_file(files.gl_pathv[i]);
        fputs(text ? text : "", all.file);
        free(text);
    }
    char *text = printed_end(&all);
    rtl_edges_read(ports, text);
    free(text);
    globfree(&files);
}

/* The triggers that make a cycle of one call, or 0. */
static uint64_t find_triggers(const struct rtl_build *build, const struct rtl_ports *ports)
{
    struct rtl_cycle cycle = {0};
    glob_t files;
    (void)find_files(build, "Vcore_*.cpp", &files);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *path = files.gl_pathv[i], *name = strrchr(path, '/') + 1;
        char *text = read_file(path);
        if (text && strncmp(name, "Vcore__Syms", 11) != 0 && strncmp(name, "Vcore__Trace", 12) != 0)
            rtl_cycle_read(&cycle, ports, text, strstr(name, "__Slow.cpp") != NULL);
        free(text);
    }
    globfree(&files);
    return rtl_cycle_triggers(&cycle, ports);
}

/* Reads the ports and applies the file. */
static int read_ports(const struct rtl_build *build, struct rtl_ports *ret_ports, char **ret_error)
{
    char *path = xformat("%s/Vcore.h", build->dir), *text = read_file(path);
    int r = text && rtl_ports_read(text, ret_ports) ? 0 : -EINVAL;
    if (r < 0)
        *ret_error = xstrdup("the top module has no ports; name another with --top");
    if (r == 0)
        read_edges(build, ret_ports);
    static const char *const types[] = {"Vcore.xml", "Vcore.tree.json"};
    for (size_t i = 0; i < 2 && r == 0; i++) { /* one of them is there */
        char *file = xformat("%s/%s", build->dir, types[i]);
        rtl_structs_split(ret_ports, file);
        free(file);
    }
    if (r == 0 && build->ports_file)
        r = rtl_ports_apply(ret_ports, build->ports_file, ret_error);
    if (r == 0)
        r = rtl_ports_use(ret_ports, build->uses.items, ret_error);
    free(text);
    free(path);
    return r;
}

static int write_map(const struct rtl_build *build, const struct rtl_ports *ports, char **ret_error)
{
    char *path = xformat("%s/map.cpp", build->dir);
    FILE *file = fopen(path, "we");
    int r = file ? 0 : -errno;
    if (file)
        rtl_registers_map(&build->registers, file);
    if (file)
        rtl_ports_map(ports, &build->layout, file);
    if (file && fclose(file) != 0)
        r = -errno;
    if (r < 0)
        *ret_error = xformat("cannot write %s: %s", path, strerror(-r));
    free(path);
    return r;
}

static int write_json(const struct rtl_ports *ports, const char *name, const char *output,
                      char **ret_error)
{
    size_t length = strlen(output);
    if (length > 3 && strcmp(output + length - 3, ".so") == 0)
        length -= 3;
    char *path = xformat("%.*s.ports.json", (int)length, output);
    FILE *file = fopen(path, "we");
    int r = file ? 0 : -errno;
    if (file)
        rtl_ports_json(ports, name, file);
    if (file && fclose(file) != 0)
        r = -errno;
    if (r < 0)
        *ret_error = xformat("cannot write %s: %s", path, strerror(-r));
    free(path);
    return r;
}

/* $0: work, $1: runtime, $2: include, $3: output, $4: "wave" or "", from $5 on: sources of the
 * user. The core's files are compiled as one, since each would read the same headers again.
 * Verilator's own files are compiled at the same time. */
static const char compile_script[] =
    "root=$(verilator --getenv VERILATOR_ROOT) || exit 1\n"
    "compiler=${CXX:-g++}\n"
    "command -v ${compiler%% *} >/dev/null || exit 127\n"
    "(cd \"$0\" && printf '#include \"%s\"\\n' *.cpp >all.cc)\n"
    "printf '%s\\0' \"$0/all.cc\" \"$root\"/include/verilated.cpp "
    "\"$root\"/include/verilated_threads.cpp ${4:+\"$1/fst_writer.cc\"} |\n"
    "xargs -0 -n1 -P\"$(nproc)\" sh -c 'for source do :; done; "
    "exec \"$@\" -o \"$0/${source##*/}.o\"' \"$0\" $compiler "
    "-std=c++17 -O2 -fPIC -fvisibility=hidden -w $CXXFLAGS "
    "-include \"$1/print.h\" -DVL_USER_FINISH -DVL_USER_STOP -DVL_USER_FATAL -DVL_USER_WARN "
    "${4:+-DVM_TRACE=1 "
    "-DVM_TRACE_FST=1 "
    "-DTRESTLE_WAVE=1} "
    "-I\"$1\" -I\"$2\" -isystem \"$root/include\" -isystem \"$root/include/vltstd\" -c || exit\n"
    "output=$3 waves=$4\n"
    "shift 4\n"
    "for source do\n"
    "  case $source in *.c) own=${CC:-gcc};; *) own=$compiler;; esac\n"
    "  $own -O2 -fPIC -isystem \"$root/include/vltstd\" -I\"$0\" -c \"$source\" "
    "-o \"$0/own-$#.o\" || exit\n"
    "  shift\n"
    "done\n"
    "exec $compiler -shared -o \"$output\" \"$0\"/*.o ${waves:+-lz}\n";

static int compile(const struct rtl_build *build, char **ret_error)
{
    struct strings words = {0};
    strings_all(&words, (const char *const[]){"sh", "-c", compile_script, build->dir,
                                              build->runtime, build->include, build->made,
                                              build->has_waves ? "wave" : "", NULL});
    strings_all(&words, (const char *const *)build->sources.items);
    const char *compiler = getenv("CXX");
    return run_program(build, compiler && *compiler ? compiler : "g++", &words, ret_error);
}

/* Loads the model: without this, only a run would show that a function is missing. */
static int check_model(const struct rtl_build *build, char **ret_error)
{
    struct trestle_model_library *library = NULL;
    const struct trestle_model *model;
    char *path = strchr(build->made, '/') ? xstrdup(build->made) : xformat("./%s", build->made);
    char *error = NULL, *symbol;
    int r = trestle_model_load(path, &library, &model, &error);
    if (r < 0 && error && (symbol = strstr(error, "undefined symbol: ")))
        *ret_error =
            xformat("the core calls %s(), but none of its files has that function; add a file "
                    "in C or C++ that has it (DPI)",
                    symbol + strlen("undefined symbol: "));
    else if (r < 0)
        *ret_error = xformat("%s", error ? error : strerror(-r));
    trestle_model_unload(library);
    free(error);
    free(path);
    return r;
}

/* --- the command ----------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int prepare(struct rtl_build *build, char **ret_error)
{
    static const char header[] = "runtime.h";
    char *places = NULL;
    char *found = find_own_file("../adapters/verilator/runtime.h",
                                TRESTLE_DATA_DIR "/rtl/runtime.h", &places);
    if (!found) {
        *ret_error = xformat("the runtime for cores is %s; install Trestle again", places);
        free(places);
        return -ENOENT;
    }
    found[strlen(found) - strlen(header) - 1] = '\0';
    build->runtime = found;
    char *own =
        find_own_file("../include/trestle/device.h", "../include/trestle/device.h", &places);
    if (!own) {
        *ret_error = xformat("trestle/device.h is %s; install Trestle again", places);
        free(places);
        return -ENOENT;
    }
    own[strlen(own) - strlen("/trestle/device.h")] = '\0';
    build->include = own;
    const char *tmp = getenv("TMPDIR");
    build->dir = xformat("%s/trestle-rtl-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (mkdtemp(build->dir))
        return 0;
    *ret_error = xformat("cannot make a directory %s: %s", build->dir, strerror(errno));
    free(build->dir);
    build->dir = NULL;
    return -errno;
}

/* "counter" for "rtl/counter.v". */
static char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = xstrdup(slash ? slash + 1 : path);
    name[strcspn(name, ".")] = '\0';
    return name;
}

/* From the files to the ports. */
static int find_ports(struct rtl_build *build, struct rtl_ports *ret_ports, char **ret_error)
{
    int r = prepare(build, ret_error);
    if (r == 0)
        r = check_version(build, ret_error);
    if (r == 0)
        r = verilate(build, ret_error);
    if (r == 0)
        r = read_ports(build, ret_ports, ret_error);
    return r;
}

static int find_registers(struct rtl_build *build, char **ret_error)
{
    if (build->svd)
        return rtl_registers_from_svd(&build->registers, build->svd, build->peripheral, ret_error);
    return build->model ? rtl_registers_from_model(&build->registers, build->model, ret_error) : 0;
}

/* What a run has loaded stays as it is. */
static int put_model(const struct rtl_build *build, char **ret_error)
{
    if (rename(build->made, build->output) == 0)
        return 0;
    int r = -errno;
    *ret_error = xformat("cannot write %s: %s; check the path", build->output, strerror(-r));
    return r;
}

static int do_build(struct rtl_build *build, struct rtl_ports *ports, char **ret_error)
{
    int r = find_registers(build, ret_error);
    if (r == 0)
        r = find_ports(build, ports, ret_error);
    if (r == 0)
        r = check_state(build, ret_error);
    if (r == 0)
        r = rtl_ports_match(ports, build->ties.items, ret_error);
    if (r == 0 && !build->layout.not_plain)
        build->layout.triggers = find_triggers(build, ports);
    if (r == 0)
        r = write_map(build, ports, ret_error);
    if (r == 0) {
        r = compile(build, ret_error);
        if (r == 0)
            r = check_model(build, ret_error);
        if (r == 0)
            r = write_json(ports, build->layout.name, build->output, ret_error);
        if (r == 0)
            r = put_model(build, ret_error);
        if (r < 0)
            unlink(build->made);
    }
    if (r == 0)
        rtl_ports_show(ports, stdout);
    if (r == 0 && build->layout.not_plain)
        printf("it ticks late: its state is not only plain bytes (%s)\n", build->layout.not_plain);
    if (r == 0 && build->layout.triggers)
        printf("it runs ahead quickly: only the rising edge of %s starts its logic\n",
               ports->clock->name);
    return r;
}

/* A port of unknown use is no error here: the user completes the list. */
static int do_ports(struct rtl_build *build, struct rtl_ports *ports, char **ret_error)
{
    char *missing = NULL;
    int r = find_ports(build, ports, ret_error);
    if (r == 0 && rtl_ports_match(ports, build->ties.items, &missing) < 0)
        fprintf(stderr, "trestle: before rtl build: %s\n", missing);
    if (r == 0)
        rtl_ports_json(ports, build->layout.name, stdout);
    free(missing);
    return r;
}

/* From now on a signal ends the programs that this command has started, and then the command. */
static void watch_signals(struct rtl_build *build)
{
    build->signal_fd = signals_open(); /* without one, a signal still ends this command */
    (void)child_adopt_strays();        /* a compiler whose shell has ended is ours, too */
}

/* The signal that has come, or 0. */
static int close_signals(struct rtl_build *build)
{
    struct signalfd_siginfo info;
    bool has_come = build->signal_fd >= 0 &&
                    read(build->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info);
    if (build->signal_fd >= 0)
        close(build->signal_fd);
    return has_come ? (int)info.ssi_signo : 0;
}

/* Checked first: the user should not wait for the compiler to learn of it. */
static int check_output(const struct rtl_build *build, char **ret_error)
{
    const char *slash = strrchr(build->output, '/');
    char *dir = slash ? xformat("%.*s", (int)(slash - build->output + 1), build->output) : NULL;
    struct stat st;
    int r = access(dir ? dir : ".", W_OK) < 0 ? -errno : 0;
    if (r == 0 && stat(build->output, &st) == 0 && S_ISDIR(st.st_mode))
        r = -EISDIR;
    if (r < 0)
        *ret_error = xformat("cannot write %s: %s; check the path", build->output, strerror(-r));
    free(dir);
    const struct strings *inputs[] = {&build->files, &build->sources};
    for (size_t i = 0; r == 0 && i < 2; i++)
        for (size_t j = 0; r == 0 && j < inputs[i]->count; j++)
            if (is_same_file(build->output, inputs[i]->items[j]))
                r = -EEXIST;
    if (r == -EEXIST)
        *ret_error =
            xformat("-o %s would replace a file of the core; name another file", build->output);
    return r;
}

static int work(struct rtl_build *build)
{
    struct rtl_ports ports = {0};
    char *name = build->top ? xstrdup(build->top) : base_name(build->files.items[0]);
    char *output = build->output ? xstrdup(build->output) : xformat("%s.so", name), *error = NULL;
    build->output = output;
    build->made = xformat("%s.part", output);
    build->layout.name = name;
    watch_signals(build);
    int r = build->only_ports ? 0 : check_output(build, &error);
    if (r == 0)
        r = build->only_ports ? do_ports(build, &ports, &error) : do_build(build, &ports, &error);
    int signal = close_signals(build);
    if (build->dir)
        nftw(build->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    rtl_ports_finish(&ports);
    free(build->dir);
    free(build->runtime);
    free(build->include);
    free(build->made);
    free(output);
    free(name);
    if (r == 0 || signal) {
        free(error);
        return r == 0 ? EXIT_SUCCESS : 128 + signal;
    }
    replace_control_characters(error);
    char *line = xformat("trestle: %s", error);
    free(error);
    return command_fail_line(line);
}

/* In C or C++. */
static bool is_source(const char *path)
{
    static const char *const ends[] = {".c", ".cc", ".cpp", ".cxx", NULL};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && ends[i]; i++)
        if (strcmp(dot, ends[i]) == 0)
            return true;
    return false;
}

static int check_readable(const char *path)
{
    struct stat st;
    if (access(path, R_OK) < 0 || stat(path, &st) < 0)
        return command_fail("cannot read %s: %s; check the path", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return command_fail("cannot read %s: %s; check the path", path, strerror(EISDIR));
    return 0;
}

static int check_files(const struct strings *files)
{
    int code = 0;
    for (size_t i = 0; i < files->count && code == 0; i++)
        code = check_readable(files->items[i]);
    return code;
}

static int parse(const struct command *command, int argc, char **argv, struct rtl_build *build)
{
    const char *argument;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        switch (letter) {
        case 't':
            build->top = argument;
            break;
        case 'G':
            if (!strchr(argument, '=') || *argument == '=')
                return command_fail("-G %s is not PARAMETER=VALUE", argument);
            strings_add(&build->parameters, argument);
            break;
        case 'I':
            strings_add(&build->includes, argument);
            break;
        case 'D':
            strings_add(&build->defines, argument);
            break;
        case 'T':
            strings_add(&build->ties, argument);
            break;
        case 'u':
            strings_add(&build->uses, argument);
            break;
        case 'p':
            build->ports_file = argument;
            break;
        case 'z':
            if (!number_parse(argument, &build->layout.size) || build->layout.size == 0 ||
                build->layout.size % 8)
                return command_fail("--size %s is not a multiple of 8", argument);
            break;
        case 'S':
            build->svd = argument;
            break;
        case 'P':
            build->peripheral = argument;
            break;
        case 'R':
            build->model = argument;
            break;
        case 'c':
            build->layout.runs_without_icount = true;
            break;
        case 'f':
            build->has_waves = true;
            break;
        case 'w':
            build->layout.counts_words = true;
            break;
        case 'W':
            build->layout.master_counts_words = true;
            break;
        case 'o':
            build->output = argument;
            break;
        default:
            return EXIT_BAD_INPUT;
        }
    }
    build->only_ports = optind < argc && strcmp(argv[optind], "ports") == 0;
    if (optind >= argc || (strcmp(argv[optind], "build") != 0 && !build->only_ports))
        return command_fail("write trestle rtl build FILE.v... or rtl ports FILE.v..., see trestle "
                            "rtl --help");
    for (int i = optind + 1; i < argc; i++)
        strings_add(is_source(argv[i]) ? &build->sources : &build->files, argv[i]);
    if (build->peripheral && !build->svd)
        return command_fail("--peripheral names a part of an SVD file; add --svd FILE");
    if (build->svd && build->model)
        return command_fail("--svd and --registers are two tables; leave one of them out");
    if (build->files.count == 0)
        return command_fail("rtl %s needs a file in Verilog", argv[optind]);
    for (size_t i = 0; i < build->includes.count; i++)
        if (access(build->includes.items[i], R_OK | X_OK) < 0)
            return command_fail("-I %s: %s; check the path", build->includes.items[i],
                                strerror(errno));
    int code = check_files(&build->files);
    if (code == 0)
        code = check_files(&build->sources);
    return code || !build->ports_file ? code : check_readable(build->ports_file);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct rtl_build build = {0};
    int code = parse(command, argc, argv, &build);
    if (code == 0)
        code = work(&build);
    rtl_registers_finish(&build.registers);
    strings_finish(&build.files);
    strings_finish(&build.sources);
    strings_finish(&build.includes);
    strings_finish(&build.defines);
    strings_finish(&build.parameters);
    strings_finish(&build.ties);
    strings_finish(&build.uses);
    return code;
}

const struct command command_rtl = {
    .name = "rtl",
    .arguments = "build|ports FILE.v... [OPTION]...",
    .summary = "Make a model of a core in Verilog",
    .options = options,
    .run = run_command,
    .help =
        "Verilator translates the files. rtl build recognises the ports of the top by their "
        "names,\n"
        "prints what they are for, and writes it to NAME.ports.json. A C++ compiler makes a .so,\n"
        "which a configuration names as a model. rtl ports prints the same file without making a\n"
        "model: change it, and give it to rtl build with --ports. Files in C or C++ among "
        "FILE.v...\n"
        "have the functions that the core imports (DPI).\n",
};
