/* SPDX-License-Identifier: MIT */
/* Reads the list of a core's ports from Verilator's header or from a file, and prints it. */
#include "rtl/ports.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "sim/command.h"
#include "trestle/sim.h"

static const char *const uses[] = {
    [RTL_UNKNOWN] = "unknown",
    [RTL_BUS] = "bus",
    [RTL_MASTER] = "master",
    [RTL_CLOCK] = "clock",
    [RTL_RESET] = "reset",
    [RTL_RESET_LOW] = "reset, active low",
    [RTL_IRQ] = "irq",
    [RTL_PULSE] = "pulse",
    [RTL_WIRE] = "wire",
    [RTL_TIED] = "tied",
    [RTL_NOT_CONNECTED] = "not connected",
};
#define NUM_USES (sizeof(uses) / sizeof(uses[0]))

/* Lower case, without i_ or o_ at the beginning and _i or _o at the end. */
static char *plain_name(const char *name)
{
    char *plain = xstrdup(name);
    for (char *c = plain; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    size_t length = strlen(plain);
    if (length > 2 && (strncmp(plain, "i_", 2) == 0 || strncmp(plain, "o_", 2) == 0)) {
        memmove(plain, plain + 2, length - 1);
        length -= 2;
    }
    if (length > 2 &&
        (strcmp(plain + length - 2, "_i") == 0 || strcmp(plain + length - 2, "_o") == 0))
        plain[length - 2] = '\0';
    return plain;
}

/* "interrupt" of "__SYM__interrupt", which is a word of C++ or of Verilator's, and "a__b" of
 * "a___05Fb". */
static char *own_name(const char *member)
{
    static const char word[] = "__SYM__", code[] = "__0";
    const char *from = member;
    char *name = xstrdup(member), *to = name;
    if (strncmp(from, word, strlen(word)) == 0)
        from += strlen(word);
    while (*from) {
        unsigned character;
        if (strncmp(from, code, strlen(code)) == 0 && isxdigit((unsigned char)from[3]) &&
            isxdigit((unsigned char)from[4]) && sscanf(from + 3, "%2x", &character) == 1) {
            *to++ = (char)character;
            from += 5;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return name;
}

/* "VL_IN8(&name,3,0);" */
bool rtl_ports_read(const char *text, struct rtl_ports *ret_ports)
{
    *ret_ports = (struct rtl_ports){0};
    for (const char *at = text; (at = strstr(at, "VL_")) != NULL; at += 3) {
        bool is_input = strncmp(at, "VL_IN", 5) == 0, is_output = strncmp(at, "VL_OUT", 6) == 0;
        const char *open = strchr(at, '(');
        char member[128];
        int high, low;
        if ((!is_input && !is_output) || !open || open - at > 9 ||
            sscanf(open, "(&%127[A-Za-z0-9_],%6d,%6d", member, &high, &low) != 3)
            continue;
        char *name = own_name(member);
        if (rtl_ports_find(ret_ports, name, strlen(name))) {
            free(name);
            continue;
        }
        ret_ports->ports =
            xrealloc(ret_ports->ports, ret_ports->count + 1, sizeof(*ret_ports->ports));
        ret_ports->ports[ret_ports->count++] =
            (struct rtl_port){.name = name,
                              .access = xformat("core.%s", member),
                              .plain = plain_name(name),
                              .bits = (unsigned)(abs(high - low) + 1),
                              .low = (unsigned)(low < high ? low : high),
                              .is_input = is_input};
    }
    return ret_ports->count > 0;
}

void rtl_port_finish(struct rtl_port *port)
{
    free(port->name);
    free(port->access);
    free(port->plain);
    free(port->of_struct);
    free(port->signal);
    free(port->period);
}

void rtl_ports_finish(struct rtl_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        rtl_port_finish(&ports->ports[i]);
    free(ports->ports);
    *ports = (struct rtl_ports){0};
}

struct rtl_port *rtl_ports_find(const struct rtl_ports *ports, const char *name, size_t length)
{
    for (size_t i = 0; i < ports->count; i++)
        if (strncmp(ports->ports[i].name, name, length) == 0 && !ports->ports[i].name[length])
            return &ports->ports[i];
    return NULL;
}

void rtl_ports_show(const struct rtl_ports *ports, FILE *out)
{
    fprintf(out, "bus: %s\n", ports->slave.bus->name);
    if (ports->master.bus)
        fprintf(out, "master: %s\n", ports->master.bus->name);
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        fprintf(out, "  %-6s %2u  %-24s %s", port->is_input ? "input" : "output", port->bits,
                port->name, uses[port->use]);
        if (port->use == RTL_TIED)
            fprintf(out, " to %" PRIu64, port->tie);
        if (port->period)
            fprintf(out, " of %s", port->period);
        fputc('\n', out);
    }
}

/* --- the file -------------------------------------------------------------------------------- */

static const char *signal_of(const struct rtl_side *side, const struct rtl_port *port)
{
    const struct rtl_signal *signals = side->bus ? side->bus->signals : NULL;
    for (size_t i = 0; signals && signals[i].names[0]; i++)
        if (side->signals[i] == port)
            return signals[i].names[0];
    return port->signal;
}

void rtl_ports_json(const struct rtl_ports *ports, const char *name, FILE *out)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        enum rtl_use use = !port->signal ? port->use : port->is_of_master ? RTL_MASTER : RTL_BUS;
        const struct rtl_side *side = use == RTL_MASTER ? &ports->master : &ports->slave;
        json_t *one = json_pack("{s:s, s:s, s:i, s:s}", "name", port->name, "direction",
                                port->is_input ? "input" : "output", "bits", (int)port->bits, "use",
                                uses[use]);
        if (use == RTL_BUS || use == RTL_MASTER)
            json_object_set_new(one, "signal", json_string(signal_of(side, port)));
        if (port->period)
            json_object_set_new(one, "period", json_string(port->period));
        if (port->use == RTL_TIED || (port->use == RTL_WIRE && port->is_input))
            json_object_set_new(one, "tie", json_integer((json_int_t)port->tie));
        json_array_append_new(list, one);
    }
    json_t *root = json_pack("{s:s, s:o}", "name", name, "ports", list);
    if (ports->slave.bus)
        json_object_set_new(root, "bus", json_string(ports->slave.bus->name));
    if (ports->master.bus)
        json_object_set_new(root, "master", json_string(ports->master.bus->name));
    json_dumpf(root, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(root);
}

static bool fits(const struct rtl_port *port, enum rtl_use use)
{
    switch (use) {
    case RTL_CLOCK:
    case RTL_RESET:
    case RTL_RESET_LOW:
        return port->is_input && port->bits == 1;
    case RTL_TIED:
        return port->is_input;
    case RTL_IRQ:
    case RTL_PULSE:
    case RTL_NOT_CONNECTED:
        return !port->is_input;
    default:
        return true;
    }
}

char *rtl_port_check_tie(const struct rtl_port *port, uint64_t value)
{
    if (!port->is_input)
        return xformat("%s is an output, and has its own value", port->name);
    if (port->bits < 64 && value >> port->bits)
        return xformat("%s has %u bit%s: the largest value is %" PRIu64, port->name, port->bits,
                       port->bits > 1 ? "s" : "", (UINT64_C(1) << port->bits) - 1);
    return NULL;
}

static char *no_such_use(const char *name, const char *wanted)
{
    struct strings list = {0};
    for (size_t i = 0; i < NUM_USES; i++)
        strings_addf(&list, "\"%s\"", uses[i]);
    char *known = strings_join(&list, ", "), *line;
    line = xformat("the use of %s is \"%s\"; write one of %s", name, wanted, known);
    free(known);
    strings_finish(&list);
    return line;
}

/* A key that is none of these: malloc'd, what is wrong with it; NULL: there is none. */
static char *unknown_key(json_t *object, const char *whose, const char *const *known)
{
    struct strings names = {0};
    const char *key;
    json_t *value;
    char *error = NULL;
    for (; *known; known++)
        strings_add(&names, *known);
    json_object_foreach(object, key, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < names.count; i++)
            is_known |= strcmp(names.items[i], key) == 0;
        if (is_known || error)
            continue;
        char *hint = suggest_or_list(key, &names, "known:");
        error = xformat("%s has an unknown key \"%s\"%s", whose, key, hint);
        free(hint);
    }
    strings_finish(&names);
    return error;
}

/* One item of "ports": NULL, or what is wrong with it. */
static char *apply_one(struct rtl_ports *ports, json_t *item)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *wanted = json_string_value(json_object_get(item, "use"));
    const char *signal = json_string_value(json_object_get(item, "signal"));
    const char *period = json_string_value(json_object_get(item, "period"));
    json_t *tie = json_object_get(item, "tie");
    struct rtl_port *port = name ? rtl_ports_find(ports, name, strlen(name)) : NULL;
    size_t use = 0;
    static const char *const keys[] = {"name",   "direction", "bits", "use",
                                       "signal", "period",    "tie",  NULL};
    if (!name)
        return xstrdup("a port has no \"name\"");
    if (!port)
        return xformat("the core has no port %s", name);
    char *unknown = unknown_key(item, name, keys);
    if (unknown)
        return unknown;
    if (!wanted)
        return xformat("%s has no \"use\"", name);
    while (use < NUM_USES && strcmp(uses[use], wanted) != 0)
        use++;
    if (use == NUM_USES)
        return no_such_use(name, wanted);
    if (!fits(port, (enum rtl_use)use))
        return xformat("%s cannot be \"%s\": it is an %s of %u bit%s", name, wanted,
                       port->is_input ? "input" : "output", port->bits, port->bits > 1 ? "s" : "");
    bool is_of_bus = use == RTL_BUS || use == RTL_MASTER;
    if (is_of_bus && !signal)
        return xformat("%s belongs to the %s, but its \"signal\" is missing", name, wanted);
    if (period && (use != RTL_CLOCK || trestle_parse_time(period, &port->picoseconds) < 0 ||
                   port->picoseconds < 2))
        return xformat(
            "the \"period\" of %s is \"%s\"; write for example \"10ns\", and only for a clock",
            name, period);
    free(port->period);
    port->period = period ? xstrdup(period) : NULL;
    bool takes_tie = use == RTL_TIED || (use == RTL_WIRE && tie);
    if (takes_tie && json_is_integer(tie))
        port->tie = (uint64_t)json_integer_value(tie);
    else if (takes_tie &&
             (!json_is_string(tie) || !number_parse(json_string_value(tie), &port->tie)))
        return xformat("%s is %s: its \"tie\" must be a number", name, wanted);
    char *why = takes_tie ? rtl_port_check_tie(port, port->tie) : NULL;
    if (why)
        return why;
    port->use = is_of_bus ? RTL_UNKNOWN : (enum rtl_use)use; /* until all of the bus is found */
    free(port->signal);
    port->signal = is_of_bus ? xstrdup(signal) : NULL;
    port->is_of_master = use == RTL_MASTER;
    return NULL;
}

/* "bus" or "master" of a file. */
static const struct rtl_bus *named_bus(json_t *root, const char *key, const struct rtl_bus *buses,
                                       char **ret_error)
{
    json_t *value = json_object_get(root, key);
    const char *name = json_string_value(value);
    if (value && !name && !*ret_error)
        *ret_error = xformat("its \"%s\" is not a text", key);
    while (name && buses->name && strcmp(buses->name, name) != 0)
        buses++;
    if (name && !buses->name && !*ret_error)
        *ret_error = xformat("there is no %s \"%s\"", key, name);
    return name && buses->name ? buses : NULL;
}

static char *named_twice(json_t *list, const char *name)
{
    size_t index, count = 0;
    json_t *item;
    json_array_foreach(list, index, item)
    {
        const char *other = json_string_value(json_object_get(item, "name"));
        count += other && strcmp(other, name) == 0;
    }
    return count > 1 ? xformat("%s is there twice; remove one of the two", name) : NULL;
}

static char *apply(struct rtl_ports *ports, json_t *root)
{
    static const char *const keys[] = {"name", "bus", "master", "ports", NULL};
    json_t *list = json_object_get(root, "ports"), *item;
    char *error = NULL;
    size_t index;
    ports->slave.bus = named_bus(root, "bus", rtl_buses, &error);
    ports->master.bus = named_bus(root, "master", rtl_masters, &error);
    if (!error && !json_is_array(list))
        return xstrdup("it has no list \"ports\"; trestle rtl ports prints one");
    if (!error)
        error = unknown_key(root, "it", keys);
    for (size_t i = 0; i < ports->count && !error; i++)
        error = named_twice(list, ports->ports[i].name);
    json_array_foreach(list, index, item)
    {
        if (!error)
            error = apply_one(ports, item);
    }
    return error;
}

int rtl_ports_apply(struct rtl_ports *ports, const char *path, char **ret_error)
{
    json_error_t at;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    char *error = root ? apply(ports, root) : NULL;
    if (!root && at.line > 0)
        *ret_error = xformat("%s:%d: %s", path, at.line, at.text);
    else if (!root)
        *ret_error = xformat("cannot read %s: %s; check the path", path, strerror(errno));
    else if (error)
        *ret_error = xformat("%s: %s", path, error);
    free(error);
    json_decref(root);
    return root && !error ? 0 : -EINVAL;
}

/* --- the command line ------------------------------------------------------------------------ */

/* An item as a file has it: the detail is the signal of a bus, the period of a clock, or a level.
 */
static json_t *item_of(const char *name, const char *use, const char *detail)
{
    static const char *const keys[] = {
        [RTL_BUS] = "signal", [RTL_MASTER] = "signal", [RTL_CLOCK] = "period",
        [RTL_WIRE] = "tie",   [RTL_TIED] = "tie",
    };
    json_t *item = json_pack("{s:s, s:s}", "name", name, "use", use);
    for (size_t i = 0; detail && i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i] && strcmp(uses[i], use) == 0)
            json_object_set_new(item, keys[i], json_string(detail));
    return item;
}

/* "tick_clk=clock:7ns" */
static char *use_one(struct rtl_ports *ports, const char *text)
{
    const char *equals = strchr(text, '='), *colon = equals ? strchr(equals, ':') : NULL;
    if (!equals || equals == text)
        return xstrdup("write PORT=USE");
    char *pattern = xformat("%.*s", (int)(equals - text), text), *error = NULL;
    char *use =
        colon ? xformat("%.*s", (int)(colon - equals - 1), equals + 1) : xstrdup(equals + 1);
    bool is_found = false;
    for (size_t i = 0; i < ports->count && !error; i++) {
        if (fnmatch(pattern, ports->ports[i].name, 0) != 0)
            continue;
        json_t *item = item_of(ports->ports[i].name, use, colon ? colon + 1 : NULL);
        error = apply_one(ports, item);
        json_decref(item);
        is_found = true;
    }
    if (!is_found)
        error = xstrdup("the core has no such port");
    free(pattern);
    free(use);
    return error;
}

int rtl_ports_use(struct rtl_ports *ports, char *const *wanted, char **ret_error)
{
    char *error = NULL;
    for (; wanted && *wanted && !error; wanted++) {
        error = use_one(ports, *wanted);
        if (error)
            *ret_error = xformat("--use %s: %s", *wanted, error);
    }
    int r = error ? -EINVAL : 0;
    free(error);
    return r;
}
