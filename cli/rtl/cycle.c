/* SPDX-License-Identifier: MIT */
/* Verilator's code for a core looks at each call for what has changed, twice in a cycle. Where the
 * rising edge of one clock is all that starts anything, and nothing takes the clock's level for
 * data, the code behind that edge alone does the same. This file finds that out from the C++ that
 * Verilator 5 writes. All that it does not know counts as something more. */
#include "rtl/cycle.h"

#include <ctype.h>
#include <string.h>

static const char root[] = "Vcore___024root___";

/* Whether the text begins with the word, and the word ends there. */
static bool is_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    return strncmp(text, word, length) == 0 && !isalnum((unsigned char)text[length]) &&
           text[length] != '_';
}

static bool is_one_of(const char *function, const char *const *names)
{
    while (*names && !is_word(function, *names))
        names++;
    return *names != NULL;
}

/* "posedge clk or negedge rst_n)": edges of inputs. *ret_has_clock: the clock's rising one is among
 * them. False: there is something else, as the clock's falling edge. */
static bool read_edges(const struct rtl_ports *ports, const char *text, bool *ret_has_clock)
{
    char edge[8], name[128];
    int length;
    *ret_has_clock = false;
    for (;;) {
        if (sscanf(text, "%7[a-z] %127[A-Za-z0-9_]%n", edge, name, &length) != 2)
            return false;
        bool rises = strcmp(edge, "posedge") == 0;
        const struct rtl_port *port = rtl_ports_find(ports, name, strlen(name));
        if (!port || !port->is_input || (!rises && strcmp(edge, "negedge") != 0) ||
            (port == ports->clock && !rises))
            return false;
        *ret_has_clock |= port == ports->clock;
        text += length;
        if (strncmp(text, " or ", 4) != 0)
            return *text == ')';
        text += 4;
    }
}

/* "trigger index 0 is active: @(posedge clk)" among the active region's */
static void read_trigger(struct rtl_cycle *cycle, const struct rtl_ports *ports, const char *text)
{
    unsigned number;
    int length = 0;
    bool has_clock = false;
    if (sscanf(text, "trigger index %u is active: @(%n", &number, &length) != 1 || length == 0 ||
        number >= 64 || !read_edges(ports, text + length, &has_clock))
        cycle->has_more = true;
    else if (has_clock)
        cycle->triggers |= UINT64_C(1) << number;
}

/* Whether the line names the clock as a member of the core. */
static bool has_clock(const struct rtl_ports *ports, const char *line, const char *end)
{
    const char *member = ports->clock->access + strlen("core.");
    for (const char *at = line; (at = strstr(at, member)) != NULL && at < end; at++)
        if ((at[-1] == '.' || at[-1] == '>') && is_word(at, member))
            return true;
    return false;
}

static bool has(const char *line, const char *end, const char *words)
{
    const char *at = strstr(line, words);
    return at && at < end;
}

/* A line of the function, which is the part of its name behind the root's. */
static void read_line(struct rtl_cycle *cycle, const struct rtl_ports *ports, const char *function,
                      const char *line, const char *end, bool is_slow)
{
    static const char *const looks_at_clock[] = {"eval_triggers__act", "eval_triggers_vec__act",
                                                 "eval_debug_assertions", NULL};
    if (is_word(function, "dump_triggers__act") && has(line, end, "trigger index "))
        read_trigger(cycle, ports, strstr(line, "trigger index "));
    if (is_slow)
        return;
    if (is_word(function, "eval_act") && has(line, end, "// Body"))
        cycle->has_more = true;
    if (has_clock(ports, line, end) && !is_one_of(function, looks_at_clock))
        cycle->has_more = true;
}

/* What a cycle calls in the cores that this file knows: the inputs' logic, which has nothing to do
 * while they stay, the triggers, nothing in the active region, and the code behind the edge. */
static void read_function(struct rtl_cycle *cycle, const char *function)
{
    static const char *const known[] = {
        "eval",
        "eval_ico",
        "eval_act",
        "eval_nba",
        "eval_triggers__ico",
        "eval_triggers__act",
        "eval_triggers_vec__ico",
        "eval_triggers_vec__act",
        "eval_phase__ico",
        "eval_phase__act",
        "eval_phase__nba",
        "eval_debug_assertions",
        NULL,
    };
    cycle->has_nba |= is_word(function, "eval_nba");
    if (strncmp(function, "eval", 4) == 0 && !is_one_of(function, known))
        cycle->has_more = true;
}

void rtl_cycle_read(struct rtl_cycle *cycle, const struct rtl_ports *ports, const char *text,
                    bool is_slow)
{
    const char *function = "";
    for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        bool is_outside = isalpha((unsigned char)*line) != 0;
        const char *name = is_outside ? strstr(line, root) : NULL;
        if (is_outside)
            function = name && name < end ? name + strlen(root) : "";
        if (is_outside && !is_slow)
            read_function(cycle, function);
        read_line(cycle, ports, function, line, end, is_slow);
    }
}

/* Another clock moves by itself while the core runs ahead. */
static bool has_only_clock(const struct rtl_ports *ports)
{
    if (ports->clock->of_struct)
        return false;
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].use == RTL_CLOCK && &ports->ports[i] != ports->clock)
            return false;
    return true;
}

uint64_t rtl_cycle_triggers(const struct rtl_cycle *cycle, const struct rtl_ports *ports)
{
    return has_only_clock(ports) && cycle->has_nba && !cycle->has_more ? cycle->triggers : 0;
}
