/* SPDX-License-Identifier: MIT */
/* Small helpers of the command, such as allocation that cannot fail and suggestions for typos. */
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As with everything else that keeps a command from its work. */
#define EXIT_OUT_OF_MEMORY 2

static void *must(void *memory)
{
    if (!memory) {
        fputs("trestle: out of memory\n", stderr);
        exit(EXIT_OUT_OF_MEMORY);
    }
    return memory;
}

void *xmalloc(size_t size)
{
    return must(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *memory, size_t count, size_t size)
{
    return must(reallocarray(memory, count, size));
}

char *xstrdup(const char *text)
{
    return must(strdup(text));
}

void printed_begin(struct printed *text)
{
    *text = (struct printed){0};
    text->file = must(open_memstream(&text->bytes, &text->size));
}

char *printed_end(struct printed *text)
{
    bool is_whole = fclose(text->file) == 0;
    return must(is_whole ? text->bytes : NULL);
}

char *xvformat(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    return must(text);
}

char *xformat(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvformat(format, args);
    va_end(args);
    return text;
}

static void strings_take(struct strings *list, char *text)
{
    list->items = xrealloc(list->items, list->count + 2, sizeof(*list->items));
    list->items[list->count++] = text;
    list->items[list->count] = NULL;
}

void strings_add(struct strings *list, const char *text)
{
    strings_take(list, xstrdup(text));
}

void strings_addf(struct strings *list, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strings_vaddf(list, format, args);
    va_end(args);
}

void strings_vaddf(struct strings *list, const char *format, va_list args)
{
    strings_take(list, xvformat(format, args));
}

void strings_finish(struct strings *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct strings){0};
}

char *strings_join(const struct strings *list, const char *separator)
{
    size_t size = 1;
    for (size_t i = 0; i < list->count; i++)
        size += strlen(list->items[i]) + strlen(separator);
    char *text = xcalloc(1, size), *end = text;
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            end = stpcpy(end, separator);
        end = stpcpy(end, list->items[i]);
    }
    return text;
}

static bool shell_reads_as_is(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "@%+=:,./-_";
    return *word && !word[strspn(word, plain)];
}

char *shell_quote(char *const *words)
{
    struct strings quoted = {0};
    for (; *words; words++) {
        if (shell_reads_as_is(*words)) {
            strings_add(&quoted, *words);
            continue;
        }
        /* A single quote ends the quoting, stands there escaped, and begins it again. */
        struct strings pieces = {0};
        const char *rest = *words;
        for (const char *quote; (quote = strchr(rest, '\'')); rest = quote + 1)
            strings_addf(&pieces, "%.*s", (int)(quote - rest), rest);
        strings_add(&pieces, rest);
        char *word = strings_join(&pieces, "'\\''");
        strings_addf(&quoted, "'%s'", word);
        free(word);
        strings_finish(&pieces);
    }
    char *line = strings_join(&quoted, " ");
    strings_finish(&quoted);
    return line;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, drop, replace, swap neighbours) from a to b, letter case aside. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > LONGEST || b_size > LONGEST)
        return SIZE_MAX;
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            row[j] = min_of(min_of(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                row[j] = min_of(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_size];
}

const char *suggest(const char *text, char *const *candidates)
{
    const char *best = NULL;
    size_t best_distance = strlen(text) / 3 + 2; /* more edits than that is another word */
    for (; candidates && *candidates; candidates++) {
        size_t distance = edit_distance(text, *candidates);
        if (distance < best_distance && distance < strlen(*candidates)) {
            best = *candidates;
            best_distance = distance;
        }
    }
    return best;
}

char *suggest_or_list(const char *text, const struct strings *candidates, const char *listed_as)
{
    const char *near = suggest(text, candidates->items);
    if (near)
        return xformat("; did you mean \"%s\"?", near);
    char *all = strings_join(candidates, ", ");
    char *sentence = xformat("; %s %s", listed_as, all);
    free(all);
    return sentence;
}

void replace_control_characters(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    return a && b && stat(a, &first) == 0 && stat(b, &second) == 0 && S_ISREG(first.st_mode) &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

char *path_beside(const char *file, const char *path)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    if (path[0] == '/' || !slash)
        return xstrdup(path);
    return xformat("%.*s/%s", (int)(slash - file), file, path);
}

/* The path, or NULL with the reason in errno, and the path is freed. */
static char *only_program(char *path)
{
    struct stat st;
    if (access(path, X_OK) == 0 && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return path;
    int reason = access(path, X_OK) == 0 ? EISDIR : errno;
    free(path);
    errno = reason;
    return NULL;
}

char *find_program(const char *name)
{
    const char *path = strchr(name, '/') ? NULL : getenv("PATH");
    char *found = path ? NULL : only_program(xstrdup(name));
    errno = path ? ENOENT : errno;
    while (path && *path && !found) {
        int length = (int)strcspn(path, ":");
        found = only_program(xformat("%.*s/%s", length, path, name));
        path += length + (path[length] == ':');
    }
    return found;
}

char *find_own_file(const char *built, const char *installed, char **ret_places)
{
    char exe[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[length > 0 ? length : 0] = '\0';
    char *first = path_beside(exe, built), *second = path_beside(exe, installed), *found = NULL;
    if (access(first, R_OK) == 0)
        found = xstrdup(first);
    else if (access(second, R_OK) == 0)
        found = xstrdup(second);
    else
        *ret_places = xformat("neither at %s nor at %s", first, second);
    free(first);
    free(second);
    return found;
}
