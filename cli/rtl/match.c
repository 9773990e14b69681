/* SPDX-License-Identifier: MIT */
/* Recognises the clock, the reset, the bus and the interrupts of a core by the names of its ports.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "rtl/ports.h"
#include "trestle/registers.h"

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static bool ends_with(const char *text, const char *end, size_t *ret_prefix)
{
    size_t length = strlen(text), tail = strlen(end);
    *ret_prefix = length - tail;
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* --- the bus --------------------------------------------------------------------------------- */

/* Where a bus is looked for: among the ports of one prefix at a time. */
struct place {
    const struct rtl_bus *bus;
    const char *text; /* begins with the prefix */
    size_t length;
};

static bool has_direction(const struct rtl_port *port, const struct rtl_signal *signal,
                          const struct rtl_bus *bus)
{
    return port->is_input == (signal->is_input != bus->is_master);
}

/* Whether a port is that signal of a bus: as a file says, or by its name. */
static bool is_signal(const struct rtl_port *port, const struct rtl_signal *signal,
                      const struct place *place)
{
    if (!has_direction(port, signal, place->bus) || port->use != RTL_UNKNOWN)
        return false;
    if (port->signal)
        return port->is_of_master == place->bus->is_master &&
               strcmp(port->signal, signal->names[0]) == 0;
    return strncmp(port->plain, place->text, place->length) == 0 &&
           is_one_of(port->plain + place->length, signal->names);
}

static struct rtl_port *find_signal(const struct rtl_ports *ports, const struct place *place,
                                    const struct rtl_signal *signal)
{
    struct rtl_port *found = NULL;
    for (size_t i = 0; i < ports->count; i++)
        if (is_signal(&ports->ports[i], signal, place) && (!found || ports->ports[i].signal))
            found = &ports->ports[i];
    return found;
}

/* All signals of a bus with this prefix: how many there are. *ret_missing: one that it has to have,
 * or NULL. */
static size_t find_signals(const struct rtl_ports *ports, const struct place *place,
                           struct rtl_port **ret_found, const char **ret_missing)
{
    const struct rtl_signal *signals = place->bus->signals;
    size_t count = 0;
    *ret_missing = NULL;
    for (size_t i = 0; signals[i].names[0]; i++) {
        ret_found[i] = find_signal(ports, place, &signals[i]);
        count += ret_found[i] != NULL;
        if (!ret_found[i] && !signals[i].is_optional && !*ret_missing)
            *ret_missing = signals[i].names[0];
    }
    return count;
}

/* A port whose name ends as that of a signal says what the prefix may be. */
static bool find_place(const struct rtl_port *port, const struct rtl_signal *signal,
                       struct place *ref_place)
{
    ref_place->text = port->plain;
    for (size_t i = 0; signal->names[i]; i++)
        if (port->use == RTL_UNKNOWN && has_direction(port, signal, ref_place->bus) &&
            ends_with(port->plain, signal->names[i], &ref_place->length))
            return true;
    return false;
}

/* The bus that lacks the fewest signals, for people. */
struct almost {
    char *sentence;
    size_t count;
};

/* Whether that bus is there, with all its signals. */
static bool find_one(const struct rtl_ports *ports, const struct rtl_bus *bus,
                     struct rtl_port **ret_found, struct almost *ref_almost)
{
    struct place place = {bus, "", 0};
    const char *missing;
    find_signals(ports, &place, ret_found, &missing);
    for (size_t i = 0; missing && i < ports->count; i++) {
        for (size_t j = 0; missing && bus->signals[j].names[0]; j++) {
            if (!find_place(&ports->ports[i], &bus->signals[j], &place))
                continue;
            size_t count = find_signals(ports, &place, ret_found, &missing);
            if (!missing || j > 0 || bus->is_vague || count < ref_almost->count)
                continue;
            free(ref_almost->sentence);
            ref_almost->count = count;
            ref_almost->sentence = xformat(
                "%s looks like %s%s, but \"%.*s%s\" is missing", ports->ports[i].name, bus->name,
                bus->is_master ? " of a master" : "", (int)place.length, place.text, missing);
        }
    }
    return !missing;
}

/* The first of these buses that is there, or the one that a file has named. *ret_almost: a sentence
 * on one that is almost there, or NULL. */
static struct rtl_side find_side(const struct rtl_ports *ports, const struct rtl_bus *buses,
                                 const struct rtl_bus *named, char **ret_almost)
{
    struct rtl_side side = {NULL};
    struct almost almost = {0};
    const struct rtl_bus *bus = buses;
    while (bus->name && ((named && named != bus) || !find_one(ports, bus, side.signals, &almost)))
        bus++;
    side.bus = bus->name ? bus : NULL;
    *ret_almost = almost.sentence;
    return side;
}

static char *no_bus(void)
{
    struct strings known = {0};
    for (const struct rtl_bus *bus = rtl_buses; bus->name; bus++)
        strings_addf(&known, "%s (%s ...)", bus->name, bus->signals[0].names[0]);
    char *list = strings_join(&known, ", "), *line = xformat("no bus was found, of %s", list);
    free(list);
    strings_finish(&known);
    return line;
}

/* What is left over once one is known. */
static char *check_side(const struct rtl_ports *ports, const struct rtl_side *side,
                        const struct rtl_bus *buses)
{
    const bool is_master = side->bus->is_master;
    const unsigned most = is_master ? RTL_MASTER_BITS_MAX : 64;
    const char *const what = is_master ? "masters" : "buses";
    char *almost;
    struct rtl_side other = find_side(ports, buses, NULL, &almost);
    free(almost);
    if (other.bus)
        return xformat("there are two %s, %s (%s ...) and %s (%s ...); tie the inputs of one "
                       "of them",
                       what, side->bus->name, side->signals[0]->name, other.bus->name,
                       other.signals[0]->name);
    unsigned bits = side->signals[side->bus->data]->bits;
    if (bits < 8 || bits > most || (bits & (bits - 1)) != 0)
        return xformat("the %s has %u bits of data, and can have 8, 16, 32%s 64%s",
                       is_master ? "master" : "bus", bits, is_master ? "," : " or",
                       is_master ? " and so on to 1024" : "");
    return NULL;
}

/* Whether one of them is there; what is wrong with it is in *ret_error. */
static bool take_side(struct rtl_ports *ports, struct rtl_side *ref_side,
                      const struct rtl_bus *buses, char **ret_almost, char **ret_error)
{
    *ref_side = find_side(ports, buses, ref_side->bus, ret_almost);
    const struct rtl_bus *bus = ref_side->bus;
    if (!bus)
        return false;
    for (size_t i = 0; bus->signals[i].names[0]; i++)
        if (ref_side->signals[i])
            ref_side->signals[i]->use = bus->is_master ? RTL_MASTER : RTL_BUS;
    for (size_t i = 0; i < ports->count && !*ret_error; i++)
        if (ports->ports[i].use == RTL_UNKNOWN && ports->ports[i].signal &&
            ports->ports[i].is_of_master == bus->is_master)
            *ret_error = xformat("%s cannot be %s: %s has no such %s, or another port is it",
                                 ports->ports[i].name, ports->ports[i].signal, bus->name,
                                 ports->ports[i].is_input ? "input" : "output");
    if (!*ret_error)
        *ret_error = check_side(ports, ref_side, buses);
    return true;
}

/* Whether a file says that there is a master. */
static bool names_master(const struct rtl_ports *ports)
{
    bool is_named = ports->master.bus;
    for (size_t i = 0; i < ports->count; i++)
        is_named |= ports->ports[i].signal && ports->ports[i].is_of_master;
    return is_named;
}

/* The master first: its names are never vague. *ret_almost: what may be one, for people. */
static int match_buses(struct rtl_ports *ports, char **ret_almost, char **ret_error)
{
    char *almost = NULL;
    bool is_named = names_master(ports);
    bool is_there = take_side(ports, &ports->master, rtl_masters, ret_almost, ret_error);
    if (!*ret_error && !is_there && is_named)
        *ret_error = *ret_almost ? xstrdup(*ret_almost) : xstrdup("no master was found");
    if (!*ret_error && !take_side(ports, &ports->slave, rtl_buses, &almost, ret_error))
        *ret_error = almost ? xstrdup(almost) : no_bus();
    free(almost);
    return *ret_error ? -EINVAL : 0;
}

/* --- clock, reset, interrupts ---------------------------------------------------------------- */

static bool is_clock(const char *plain)
{
    static const char *const names[] = {"clk", "clock", "aclk", "pclk", "hclk", NULL};
    size_t prefix;
    return is_one_of(plain, names) || ends_with(plain, "_clk", &prefix) ||
           ends_with(plain, "_aclk", &prefix) || ends_with(plain, "_clock", &prefix);
}

/* "rst", "m_aresetn", "nreset", "axi_reset_n", "rst_ni": its last word, with what says of which bus
 * it is before it, and that it is low. */
static bool is_reset(const char *plain, bool *ret_is_low)
{
    static const char *const ends[] = {"_n", "_ni", "_b", "_l", NULL};
    char name[128];
    size_t length = strlen(plain), prefix;
    if (length >= sizeof(name))
        return false;
    *ret_is_low = false;
    memcpy(name, plain, length + 1);
    for (size_t i = 0; ends[i] && !*ret_is_low; i++)
        if (ends_with(name, ends[i], &prefix)) {
            name[prefix] = '\0';
            *ret_is_low = true;
        }
    char *word = strrchr(name, '_') ? strrchr(name, '_') + 1 : name;
    length = strlen(word);
    if (length > 0 && word[length - 1] == 'n') {
        word[length - 1] = '\0';
        *ret_is_low = true;
    } else if (word[0] == 'n') {
        word++;
        *ret_is_low = true;
    }
    if (word[0] && strchr("aphs", word[0]))
        word++;
    return strcmp(word, "rst") == 0 || strcmp(word, "reset") == 0;
}

static bool is_irq(const char *plain)
{
    static const char *const names[] = {"irq",  "intr",       "interrupt", "int",
                                        "irqs", "interrupts", NULL};
    size_t prefix;
    return is_one_of(plain, names) || ends_with(plain, "_irq", &prefix) ||
           ends_with(plain, "_intr", &prefix) || ends_with(plain, "_interrupt", &prefix) ||
           ends_with(plain, "_int", &prefix);
}

/* Those that a file has named come first. The bus's clock is the one without a period. */
static int match_named(struct rtl_ports *ports, char **ret_error)
{
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        ports->has_reset |= port->use == RTL_RESET || port->use == RTL_RESET_LOW;
        if (port->use != RTL_CLOCK || port->period)
            continue;
        if (ports->clock) {
            *ret_error =
                xformat("%s and %s are both clocks without a \"period\", and there can be one",
                        ports->clock->name, port->name);
            return -EINVAL;
        }
        ports->clock = port;
    }
    return 0;
}

static void match_others(struct rtl_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        bool is_low;
        if (port->use != RTL_UNKNOWN)
            continue;
        if (port->is_input && port->bits == 1 && !ports->clock && is_clock(port->plain)) {
            ports->clock = port;
            port->use = RTL_CLOCK;
        } else if (port->is_input && port->bits == 1 && !ports->has_reset &&
                   is_reset(port->plain, &is_low)) {
            ports->has_reset = true;
            port->use = is_low ? RTL_RESET_LOW : RTL_RESET;
        } else if (!port->is_input) {
            port->use = is_irq(port->plain) ? RTL_IRQ : RTL_NOT_CONNECTED;
        }
    }
}

static int set_ties(struct rtl_ports *ports, char *const *ties, char **ret_error)
{
    for (; ties && *ties; ties++) {
        const char *equals = strchr(*ties, '=');
        uint64_t value;
        if (!equals || !number_parse(equals + 1, &value)) {
            *ret_error = xformat("--tie %s is not PORT=NUMBER", *ties);
            return -EINVAL;
        }
        struct rtl_port *port = rtl_ports_find(ports, *ties, (size_t)(equals - *ties));
        if (!port || !port->is_input) {
            *ret_error = xformat("--tie %s: the core has no such input", *ties);
            return -EINVAL;
        }
        port->tie = value;
        port->use = RTL_TIED;
    }
    return 0;
}

/* What nothing is known of, and what there is too much of. */
static int check_others(const struct rtl_ports *ports, const char *almost, char **ret_error)
{
    struct strings unknown = {0};
    unsigned irqs = 0, wires = 0;
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        if (port->use == RTL_UNKNOWN)
            strings_addf(&unknown, "%s (%u bit%s)", port->name, port->bits,
                         port->bits > 1 ? "s" : "");
        if (port->use == RTL_IRQ || port->use == RTL_PULSE)
            irqs += port->bits;
        if (port->use == RTL_WIRE)
            wires += port->bits;
    }
    if (unknown.count > 0) {
        char *list = strings_join(&unknown, ", ");
        *ret_error = xformat("nothing is known of the inputs %s%s%s; give each a value with --tie "
                             "PORT=NUMBER, or say in a file what they are (--ports)",
                             list, almost ? ": " : "", almost ? almost : "");
        free(list);
    } else if (irqs > TRESTLE_IRQ_LINES_MAX) {
        *ret_error = xformat("%u interrupt outputs, and a core may have at most %d", irqs,
                             TRESTLE_IRQ_LINES_MAX);
    } else if (wires > TRESTLE_PEER_PORTS_MAX) {
        *ret_error =
            xformat("%u wires, and a core may have at most %d", wires, TRESTLE_PEER_PORTS_MAX);
    }
    strings_finish(&unknown);
    return *ret_error ? -EINVAL : 0;
}

int rtl_ports_match(struct rtl_ports *ports, char *const *ties, char **ret_error)
{
    *ret_error = NULL;
    int status = set_ties(ports, ties, ret_error);
    if (status == 0)
        status = match_named(ports, ret_error);
    if (status < 0)
        return status;
    char *almost = NULL;
    status = match_buses(ports, &almost, ret_error);
    match_others(ports);
    for (size_t i = 0; i < ports->count && !ports->clock; i++)
        if (ports->ports[i].use == RTL_CLOCK)
            ports->clock = &ports->ports[i];
    if (status == 0 && !ports->clock) {
        *ret_error = xstrdup("no clock was found among the inputs (clk, aclk, ...)");
        status = -EINVAL;
    }
    if (status == 0)
        status = check_others(ports, almost, ret_error);
    free(almost);
    return status;
}
