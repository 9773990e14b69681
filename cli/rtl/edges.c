/* SPDX-License-Identifier: MIT */
/* Reads which edges of its inputs a core uses, from the C++ that Verilator has written.
 *
 * Verilator numbers its triggers. What it prints for debugging names their edges. In 5.006 a
 * trigger is all of an "always @(posedge clk or negedge rst_n)". In later versions it is one edge,
 * and the words of a condition say which triggers run the block. Conditions of logic that depends
 * on several blocks have the triggers of all of them, so these say nothing of a block. */
#include "rtl/edges.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum { WORDS = 16, TRIGGERS_MAX = 64 * WORDS };

/* The triggers of a condition. */
struct condition {
    uint64_t words[WORDS];
};

struct reader {
    struct rtl_ports *ports;
    struct rtl_port *triggers[TRIGGERS_MAX]; /* NULL: an edge of something else, or of many */
    struct condition *conditions;            /* each of them once */
    size_t num_conditions;
};

/* --- the text -------------------------------------------------------------------------------- */

static const char *find_within(const char *text, const char *end, const char *words)
{
    return memmem(text, (size_t)(end - text), words, strlen(words));
}

/* "posedge clk or negedge rst_n", up to `end`. The port, if there is one edge. */
static struct rtl_port *read_list(struct rtl_ports *ports, const char *text, const char *end)
{
    static const char other[] = " or ";
    const char *next = find_within(text, end, other);
    bool is_one_of_many = next;
    struct rtl_port *port = NULL;
    for (; text; text = next ? next + strlen(other) : NULL) {
        char edge[8], name[128];
        next = find_within(text, end, other);
        port = sscanf(text, "%7[a-z] %127[A-Za-z0-9_]", edge, name) == 2
                   ? rtl_ports_find(ports, name, strlen(name))
                   : NULL;
        if (!port || !port->is_input)
            continue;
        port->rises |= strcmp(edge, "posedge") == 0;
        port->falls |= strcmp(edge, "negedge") == 0;
        port->is_beside_others |= is_one_of_many;
    }
    return is_one_of_many ? NULL : port;
}

/* "trigger index 1 is active: @(posedge clk)", in texts that the core prints when debugged. */
static void read_triggers(struct reader *reader, const char *text)
{
    static const char begin[] = "trigger index ";
    while ((text = strstr(text, begin)) != NULL) {
        text += strlen(begin);
        char *after;
        unsigned long index = strtoul(text, &after, 10);
        static const char active[] = " is active: @(";
        if (strncmp(after, active, strlen(active)) != 0)
            continue;
        text = after + strlen(active);
        struct rtl_port *port = read_list(reader->ports, text, text + strcspn(text, ")\n"));
        if (index < TRIGGERS_MAX)
            reader->triggers[index] = port;
    }
}

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " \n");
}

/* The number before "ULL & vlSelfRef.__VnbaTriggered", which begins at `begin` at the earliest. 0:
 * there is none. */
static uint64_t read_mask(const char *begin, const char *variable)
{
    static const char suffix[] = "ULL";
    while (variable > begin &&
           (isalnum((unsigned char)variable[-1]) || strchr("_.->", variable[-1])))
        variable--;
    while (variable > begin && strchr(" \n&", variable[-1]))
        variable--;
    if (variable - begin < (ptrdiff_t)strlen(suffix) ||
        strncmp(variable - strlen(suffix), suffix, strlen(suffix)) != 0)
        return 0;
    while (variable > begin && isalnum((unsigned char)variable[-1]))
        variable--;
    return strtoull(variable, NULL, 0);
}

/* The number in "[1U]" or ".word(1U)". WORDS: there is none, or it is too large. */
static size_t read_word(const char *text)
{
    static const char call[] = ".word(";
    text = skip_spaces(text);
    if (strncmp(text, call, strlen(call)) == 0)
        text += strlen(call);
    else if (*text == '[')
        text++;
    else
        return WORDS;
    size_t word = strtoul(text, NULL, 10);
    return word < WORDS ? word : WORDS;
}

/* "(3ULL & vlSelfRef.__VnbaTriggered[0U])", or several of these. False: it is no such condition. */
static bool read_condition(const char *text, const char *end, struct condition *ret)
{
    static const char variable[] = "__VnbaTriggered";
    bool is_any = false;
    *ret = (struct condition){0};
    for (const char *at = text; (at = find_within(at, end, variable)); at += strlen(variable)) {
        size_t word = read_word(at + strlen(variable));
        uint64_t mask = read_mask(text, at);
        if (word == WORDS || !mask)
            return false;
        ret->words[word] |= mask;
        is_any = true;
    }
    return is_any;
}

static void add_condition(struct reader *reader, const struct condition *condition)
{
    for (size_t i = 0; i < reader->num_conditions; i++)
        if (memcmp(&reader->conditions[i], condition, sizeof(*condition)) == 0)
            return;
    reader->conditions =
        xrealloc(reader->conditions, reader->num_conditions + 1, sizeof(*condition));
    reader->conditions[reader->num_conditions++] = *condition;
}

/* What runs a block. What only prints the name of a trigger looks alike. */
static void read_conditions(struct reader *reader, const char *text)
{
    static const char begin[] = "if (", print[] = "VL_DBG_MSG";
    while ((text = strstr(text, begin)) != NULL) {
        text += strlen(begin);
        const char *end = strchr(text, '{');
        struct condition condition;
        if (end && read_condition(text, end, &condition) &&
            strncmp(skip_spaces(end + 1), print, strlen(print)) != 0)
            add_condition(reader, &condition);
    }
}

/* --- blocks ---------------------------------------------------------------------------------- */

static bool is_within(const struct condition *part, const struct condition *whole)
{
    for (size_t i = 0; i < WORDS; i++)
        if (part->words[i] & ~whole->words[i])
            return false;
    return true;
}

/* Whether other conditions make it up: it is of logic that depends on several blocks. */
static bool is_made_up(const struct reader *reader, const struct condition *condition)
{
    struct condition others = {0};
    for (size_t i = 0; i < reader->num_conditions; i++) {
        const struct condition *other = &reader->conditions[i];
        if (other != condition && is_within(other, condition))
            for (size_t j = 0; j < WORDS; j++)
                others.words[j] |= other->words[j];
    }
    return is_within(condition, &others);
}

static void mark_neighbours(const struct reader *reader, const struct condition *condition)
{
    size_t count = 0;
    for (size_t i = 0; i < WORDS; i++)
        count += (size_t)__builtin_popcountll(condition->words[i]);
    for (size_t i = 0; i < TRIGGERS_MAX && count > 1; i++)
        if ((condition->words[i / 64] >> (i % 64) & 1) && reader->triggers[i])
            reader->triggers[i]->is_beside_others = true;
}

void rtl_edges_read(struct rtl_ports *ports, const char *text)
{
    struct reader reader = {.ports = ports};
    read_triggers(&reader, text);
    read_conditions(&reader, text);
    for (size_t i = 0; i < reader.num_conditions; i++)
        if (!is_made_up(&reader, &reader.conditions[i]))
            mark_neighbours(&reader, &reader.conditions[i]);
    free(reader.conditions);
}
