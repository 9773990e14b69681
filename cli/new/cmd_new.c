/* SPDX-License-Identifier: MIT */
/* trestle new: a folder with a device that builds and passes, to begin with. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "command.h"
#include "svd/skeleton.h"
#include "util.h"

static const struct command_option options[] = {
    {'L', "lang", "LANGUAGE", "of the model: c (default), cxx (SystemC), python or verilog",
     .long_only = true},
    {'S', "svd", "FILE", "begin with the registers of a vendor's peripheral", .long_only = true},
    {'P', "peripheral", "NAME", "which one of FILE; several are joined by +", .long_only = true},
    {0},
};

/* A file of the folder; "@name@" in its name is the device's. */
struct part {
    const char *template, *file;
};

static const struct part c_parts[] = {
    {"model.c.in", "@name@.c"},
    {"test.c.in", "test_@name@.c"},
    {"guest.c.in", "guest.c"},
    {"config.json.in", "@name@.json"},
    {"Makefile.in", "Makefile"},
    {"README.md.in", "README.md"},
    {0},
};
static const struct part svd_parts[] = {
    {"model_svd.c.in", "@name@.c"},
    {"test_svd.c.in", "test_@name@.c"},
    {"guest_svd.c.in", "guest.c"},
    {"config.json.in", "@name@.json"},
    {"Makefile.in", "Makefile"},
    {"README.md.in", "README.md"},
    {0},
};
static const struct part svd_python_parts[] = {
    {"model_svd.py.in", "@name@.py"},  {"trestle.pyi", "trestle.pyi"},
    {"test_svd.poke.in", "test.poke"}, {"guest_svd.c.in", "guest.c"},
    {"config.json.in", "@name@.json"}, {"Makefile.python.in", "Makefile"},
    {"README.md.in", "README.md"},     {0},
};
/* Where the model is in a language of its own, a script of trestle poke takes the place of the unit
 * test in C. */
static const struct part cxx_parts[] = {
    {"model.cc.in", "@name@.cc"},
    {"test.poke.in", "test.poke"},
    {"guest.c.in", "guest.c"},
    {"config.json.in", "@name@.json"},
    {"Makefile.cxx.in", "Makefile"},
    {"README.md.in", "README.md"},
    {0},
};
static const struct part python_parts[] = {
    {"model.py.in", "@name@.py"},      {"trestle.pyi", "trestle.pyi"},
    {"test.poke.in", "test.poke"},     {"guest.c.in", "guest.c"},
    {"config.json.in", "@name@.json"}, {"Makefile.python.in", "Makefile"},
    {"README.md.in", "README.md"},     {0},
};
static const struct part verilog_parts[] = {
    {"model.v.in", "@name@.v"},        {"registers.svd.in", "@name@.svd"},
    {"test.poke.in", "test.poke"},     {"guest.c.in", "guest.c"},
    {"config.json.in", "@name@.json"}, {"Makefile.verilog.in", "Makefile"},
    {"README.md.in", "README.md"},     {0},
};

struct language {
    const char *name, *source, *model; /* the ends of files: of the source, and of what is loaded */
    const struct part *parts, *svd_parts; /* the latter NULL: there are none */
    const char *machine, *device;         /* more of the configuration */
};

static const struct language *find_language(const char *name)
{
    static const struct language languages[] = {
        {"c", "c", "so", c_parts, svd_parts, "", ""},
        {"cxx", "cc", "so", cxx_parts, NULL, "", ""},
        {"python", "py", "py", python_parts, svd_python_parts, "", ""},
        /* A core that is slower than its guest needs a guest that waits for it. */
        {"verilog", "v", "so", verilog_parts, NULL, ", \"icount\": 0",
         ",\n      \"params\": { \"clock\": \"1GHz\" }"},
    };
    for (size_t i = 0; i < sizeof(languages) / sizeof(*languages); i++)
        if (strcmp(languages[i].name, name) == 0)
            return &languages[i];
    return NULL;
}

/* What a template's "@key@" becomes. */
struct word {
    const char *key;
    char *text;
};
enum { WORDS_MAX = 24 };
struct words {
    struct word items[WORDS_MAX];
    size_t count;
};

static void add_word(struct words *words, const char *key, char *text)
{
    words->items[words->count++] = (struct word){key, text};
}

static void finish_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i].text);
}

/* The word whose key stands at text, with its '@' before and behind it, or NULL. */
static const struct word *word_at(const struct words *words, const char *text)
{
    for (size_t i = 0; i < words->count; i++) {
        size_t length = strlen(words->items[i].key);
        if (strncmp(text + 1, words->items[i].key, length) == 0 && text[1 + length] == '@')
            return &words->items[i];
    }
    return NULL;
}

static char *fill_in(const char *text, const struct words *words)
{
    struct strings pieces = {0};
    for (const char *at = strchr(text, '@'); at; at = strchr(at, '@')) {
        const struct word *word = word_at(words, at);
        if (!word) {
            at++;
            continue;
        }
        strings_addf(&pieces, "%.*s%s", (int)(at - text), text, word->text);
        text = at = at + strlen(word->key) + 2;
    }
    strings_add(&pieces, text);
    char *filled = strings_join(&pieces, "");
    strings_finish(&pieces);
    return filled;
}

static int read_template(const char *name, char **ret_text)
{
    size_t size;
    char *built = xformat("cli/%s", name), *installed = xformat(TRESTLE_DATA_DIR "/new/%s", name);
    char *places = NULL, *path = find_own_file(built, installed, &places);
    int r = path ? io_read_file(path, 1 << 20, ret_text, &size) : -ENOENT;
    if (!path)
        command_fail("%s, a part of Trestle, is %s; install Trestle again", name, places);
    else if (r < 0)
        command_fail("cannot read %s: %s", path, strerror(-r));
    free(built);
    free(installed);
    free(places);
    free(path);
    return r;
}

static int write_part(const char *folder, const struct part *part, const struct words *words)
{
    char *template;
    if (read_template(part->template, &template) < 0)
        return EXIT_FAILURE;
    char *name = fill_in(part->file, words), *path = xformat("%s/%s", folder, name);
    char *text = fill_in(template, words);
    FILE *file = fopen(path, "wxe");
    int code = 0;
    if (!file || fputs(text, file) < 0)
        code = errno;
    if (file && fclose(file) < 0 && !code)
        code = errno;
    if (code) {
        command_fail("cannot write %s: %s", path, strerror(code));
        code = EXIT_FAILURE;
    }
    free(template);
    free(name);
    free(path);
    free(text);
    return code;
}

/* It becomes part of names in C and Python. */
static bool is_identifier(const char *name)
{
    enum { LENGTH_MAX = 40 };
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return isalpha((unsigned char)*name) && !name[length] && length <= LENGTH_MAX;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *interrupts_of(const struct svd_stub *stub, bool in_python)
{
    struct strings names = {0};
    for (const char *const *name = stub->model.irqs; name && *name; name++)
        strings_addf(&names, "\"%s\"", *name);
    char *joined = strings_join(&names, ", ");
    const char *format = in_python ? "    irqs = [%s]\n" : "\n    .irqs = TRESTLE_NAMES(%s),";
    char *text = names.count ? xformat(format, joined) : xstrdup("");
    free(joined);
    strings_finish(&names);
    return text;
}

static void add_table(struct words *words, const char *name, const struct svd_stub *stub,
                      bool in_python)
{
    char *(*escape)(const char *) = in_python ? svd_skeleton_python_text : svd_skeleton_text;
    add_word(words, "doc", escape(stub->model.doc ? stub->model.doc : stub->names));
    add_word(words, "peripheral", escape(stub->names));
    add_word(words, "rows",
             in_python ? svd_skeleton_attributes(stub) : svd_skeleton_rows(stub, name));
    add_word(words, "checks", svd_skeleton_checks(stub, SVD_IN_GUEST, name));
    add_word(words, "tests",
             svd_skeleton_checks(stub, in_python ? SVD_IN_SCRIPT : SVD_IN_TEST, name));
    add_word(words, "bytes", xformat("0x%llx", (unsigned long long)stub->size));
    add_word(words, "irqs", interrupts_of(stub, in_python));
    if (!in_python)
        add_word(words, "members", svd_skeleton_members(stub));
}

static int add_stub(struct words *words, const char *name, const char *path, const char *peripheral,
                    bool in_python)
{
    struct svd_file *file;
    struct svd_stub *stub;
    char *error = NULL;
    if (svd_load(path, &file, &error) < 0)
        return command_fail_line(error);
    int r = svd_stub_make(file, peripheral, &stub, &error);
    if (r == 0 && stub->table.num_rows == 0) {
        error =
            xformat("%s describes no registers of %s; choose another peripheral", path, peripheral);
        r = -EINVAL;
    }
    if (r < 0) {
        svd_destroy(file);
        int code = command_fail("--peripheral: %s", error);
        free(error);
        return code;
    }
    add_table(words, name, stub, in_python);
    add_word(words, "svd",
             in_python ? svd_skeleton_python_text(last_name(path))
                       : svd_skeleton_text(last_name(path)));
    svd_destroy(file);
    return 0;
}

static int write_folder(const char *folder, const struct part *parts, const struct words *words)
{
    if (mkdir(folder, 0777) < 0 && errno == EEXIST)
        return command_fail("%s exists already; choose another name, or remove it", folder);
    if (access(folder, W_OK) < 0)
        return command_fail("cannot make %s: %s", folder, strerror(errno));
    int code = 0;
    for (; parts->template && code == 0; parts++)
        code = write_part(folder, parts, words);
    if (code == 0)
        printf("made %s; go on with:\n  cd %s\n  make check\n", folder, folder);
    return code;
}

struct wanted {
    const char *language, *svd, *peripheral;
};

static int parse(const struct command *command, int argc, char **argv, struct wanted *ret_wanted)
{
    const char *argument;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        if (letter == 'L')
            ret_wanted->language = argument;
        else if (letter == 'S')
            ret_wanted->svd = argument;
        else if (letter == 'P')
            ret_wanted->peripheral = argument;
        else
            return EXIT_BAD_INPUT;
    }
    if (!find_language(ret_wanted->language))
        return command_fail("--lang %s is not a language here; write c, cxx, python or verilog",
                            ret_wanted->language);
    if (!ret_wanted->svd != !ret_wanted->peripheral)
        return command_fail("--svd and --peripheral belong together; add %s",
                            ret_wanted->svd ? "--peripheral NAME" : "--svd FILE");
    if (ret_wanted->svd && !find_language(ret_wanted->language)->svd_parts)
        return command_fail(
            strcmp(ret_wanted->language, "verilog") == 0
                ? "--svd makes a table in C or in Python; for a core of yours, "
                  "trestle rtl build has --svd as well"
                : "--svd makes a table in C or in Python; write --lang c or python");
    return 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct wanted wanted = {.language = "c"};
    int code = parse(command, argc, argv, &wanted);
    const char *folder = code ? NULL : command_operand(command, argc, argv, "a name");
    if (!folder)
        return EXIT_BAD_INPUT;
    const char *name = last_name(folder);
    if (!is_identifier(name) || svd_skeleton_is_keyword(name))
        return command_fail("\"%s\" is not a name for a device; begin with a letter, use at most "
                            "40 letters, digits and _, and no keyword of C",
                            name);
    if (strcmp(name, "guest") == 0)
        return command_fail("guest.c is the guest's program; choose another name for the device");
    const struct language *language = find_language(wanted.language);
    struct words words = {0};
    add_word(&words, "name", xstrdup(name));
    add_word(&words, "Name", xformat("%c%s", toupper((unsigned char)*name), name + 1));
    add_word(&words, "suffix", xstrdup(language->model));
    add_word(&words, "source", xstrdup(language->source));
    add_word(&words, "machine", xstrdup(language->machine));
    add_word(&words, "device", xstrdup(language->device));
    add_word(&words, "irq", xstrdup(wanted.svd ? "" : ", \"irq\": 40"));
    if (wanted.svd)
        code = add_stub(&words, name, wanted.svd, wanted.peripheral,
                        strcmp(wanted.language, "python") == 0);
    if (code == 0)
        code = write_folder(folder, wanted.svd ? language->svd_parts : language->parts, &words);
    finish_words(&words);
    return code;
}

const struct command command_new = {
    .name = "new",
    .arguments = "NAME [OPTION]...",
    .summary = "Make a folder with a model, its tests, a guest and a configuration",
    .options = options,
    .run = run_command,
    .help = "The folder builds and passes against an installed Trestle: cd NAME && make check.\n",
};
