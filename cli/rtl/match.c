/* SPDX-License-Identifier: MIT */
/* Recognises the clock, the reset, the bus and the interrupts of a core by the names of its ports.
 */
#include <errno.h>
#include <fnmatch.h>
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

/* All signals of a bus with this prefix: how many there are. *ret_missing: a required one that is
 * missing, or NULL. */
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

/* If a port's name ends like a signal's, the rest of it may be the prefix of a bus. */
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

/* The bus that lacks the fewest signals, for messages. */
struct almost {
    char *sentence;
    const struct rtl_port *port; /* one of its signals */
    size_t count;
    bool is_vague;
};

/* So many signals of a bus that one of them may be missing. */
enum { ALMOST_VAGUE = 4, ALMOST_WITHOUT_FIRST = 5 };

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
            size_t enough = j > 0 ? ALMOST_WITHOUT_FIRST : bus->is_vague ? ALMOST_VAGUE : 1;
            if (!missing || bus->is_half || count < enough || count < ref_almost->count ||
                (j > 0 && (bus->is_vague || count == ref_almost->count)))
                continue;
            free(ref_almost->sentence);
            ref_almost->count = count;
            ref_almost->is_vague = bus->is_vague;
            ref_almost->port = &ports->ports[i];
            ref_almost->sentence = xformat(
                "%s looks like %s%s, but \"%.*s%s\" is missing; if another port is it, add "
                "--use PORT=%s:%s",
                ports->ports[i].name, bus->name, bus->is_master ? " of a master" : "",
                (int)place.length, place.text, missing, bus->is_master ? "master" : "bus", missing);
        }
    }
    return !missing;
}

/* The first of these buses that is there, or the one that a file has named. *ret_almost: a sentence
 * about one that lacks a signal, or NULL. */
static struct rtl_side find_side(const struct rtl_ports *ports, const struct rtl_bus *buses,
                                 const struct rtl_bus *named, char **ret_almost)
{
    struct rtl_side side = {NULL};
    struct almost almost = {0};
    const struct rtl_bus *bus = buses;
    while (bus->name && ((named && named != bus) || !find_one(ports, bus, side.signals, &almost)))
        bus++;
    side.bus = bus->name ? bus : NULL;
    bool is_of_side = false;
    size_t count = 0;
    for (size_t i = 0; side.bus && bus->signals[i].names[0]; i++) {
        count += side.signals[i] != NULL;
        is_of_side |= side.signals[i] && side.signals[i] == almost.port;
    }
    /* A bus that lacks a signal, and yet has more of them than the half that was found, may be
     * meant. */
    bool is_found = side.bus && (almost.is_vague || (is_of_side && count >= almost.count));
    *ret_almost = is_found ? NULL : almost.sentence;
    if (is_found)
        free(almost.sentence);
    return side;
}

static char *no_bus(void)
{
    struct strings known = {0};
    for (const struct rtl_bus *bus = rtl_buses; bus->name; bus++)
        if (!bus->is_half)
            strings_addf(&known, "%s (%s ...)", bus->name, bus->signals[0].names[0]);
    char *list = strings_join(&known, ", "),
         *line = xformat("no bus was found; Trestle knows %s", list);
    free(list);
    strings_finish(&known);
    return line;
}

/* Its port for data of one direction, or NULL: it has only the other direction. */
static const struct rtl_port *find_data(const struct rtl_side *side, bool is_input)
{
    static const char *const macros[] = {"WDATA", "RDATA",  "PWDATA", "PRDATA", "DAT_W",
                                         "DAT_R", "A_DATA", "D_DATA", NULL};
    const struct rtl_signal *signals = side->bus->signals;
    for (size_t i = 0; signals[i].names[0]; i++)
        if (side->signals[i] && side->signals[i]->is_input == is_input && signals[i].macro &&
            is_one_of(signals[i].macro, macros))
            return side->signals[i];
    return NULL;
}

/* What is wrong with a side that was found: there is a second one, or its width; NULL: nothing. */
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
    const struct rtl_port *in = find_data(side, true), *out = find_data(side, false);
    if (in && out && in->bits != out->bits)
        return xformat("%s has %u bits of data, and %s has %u; a bus has as many in both "
                       "directions: widen the narrower one with bits that are 0",
                       in->name, in->bits, out->name, out->bits);
    return NULL;
}

/* Whether one of the buses is there. If something is wrong with it, *ret_error says what. */
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
            *ret_error =
                xformat("%s cannot be %s: %s has no such %s, or another port is %s already",
                        ports->ports[i].name, ports->ports[i].signal, bus->name,
                        ports->ports[i].is_input ? "input" : "output", ports->ports[i].signal);
    if (!*ret_error)
        *ret_error = check_side(ports, ref_side, buses);
    return true;
}

/* Whether the user says that there is a master. */
static bool names_master(const struct rtl_ports *ports)
{
    bool is_named = ports->master.bus;
    for (size_t i = 0; i < ports->count; i++)
        is_named |= ports->ports[i].signal && ports->ports[i].is_of_master;
    return is_named;
}

/* Looks for the master first, since its names are never vague. *ret_almost: what may be one, for
 * messages. */
static int match_buses(struct rtl_ports *ports, char **ret_almost, char **ret_error)
{
    char *almost = NULL;
    const struct rtl_bus *named = ports->slave.bus;
    bool is_named = names_master(ports);
    bool is_there = take_side(ports, &ports->master, rtl_masters, ret_almost, ret_error);
    if (!*ret_error && !is_there && is_named)
        *ret_error = *ret_almost ? xstrdup(*ret_almost) : xstrdup("no master was found");
    if (!*ret_error && !take_side(ports, &ports->slave, rtl_buses, &almost, ret_error))
        *ret_error = almost ? xstrdup(almost)
                     : named
                         ? xformat("the core has no %s, but the file of ports says so", named->name)
                         : no_bus();
    if (!*ret_almost)
        *ret_almost = almost;
    else
        free(almost);
    return *ret_error ? -EINVAL : 0;
}

/* --- clock, reset, interrupts ---------------------------------------------------------------- */

/* The parts of a plain name between its '_'. */
struct words {
    char text[128];
    char *words[16];
    size_t count;
};

static bool split(const char *plain, struct words *ret_words)
{
    char *rest = ret_words->text, *word;
    if (strlen(plain) >= sizeof(ret_words->text))
        return false;
    strcpy(ret_words->text, plain);
    ret_words->count = 0;
    while ((word = strsep(&rest, "_")) && ret_words->count < 16)
        if (*word)
            ret_words->words[ret_words->count++] = word;
    return ret_words->count > 0 && !word;
}

/* Whether a port's name has the prefix of the bus. Its own name begins at *ret_prefix. */
static bool is_beside(const struct rtl_side *side, const char *plain, size_t *ret_prefix)
{
    const char *first = side->bus ? side->signals[0]->plain : "";
    size_t length = 0;
    *ret_prefix = 0;
    for (; plain[length] && plain[length] == first[length]; length++)
        if (plain[length] == '_')
            *ret_prefix = length + 1;
    return *ret_prefix > 0;
}

/* How likely a name is the clock of the bus; 0: it is no clock. "wb_clk" next to "wb_stb" is most
 * likely, then "aclk" or "pclk", then a name that ends like these, and last "clk_100" or "sysclk".
 */
static unsigned clock_likeness(const struct rtl_side *side, const char *plain)
{
    static const char *const of_buses[] = {"aclk", "pclk", "hclk", NULL};
    static const char *const names[] = {"clk", "clock", "aclk", "pclk", "hclk", NULL};
    struct words name;
    size_t prefix;
    if (!split(plain, &name))
        return 0;
    const char *first = name.words[0], *last = name.words[name.count - 1];
    if (!is_one_of(last, names))
        return strncmp(first, "clk", 3) == 0 || strcmp(first, "clock") == 0 ||
               ends_with(last, "clk", &prefix);
    if (is_beside(side, plain, &prefix) && is_one_of(plain + prefix, names))
        return 4;
    return is_one_of(plain, of_buses) ? 3 : 2;
}

/* Finds resets: "rst", "m_aresetn", "nreset", "n_rst", "axi_reset_n", "rst_ni", "reset_sync". The
 * last word counts; words before it may name a bus, and marks may say that it is active low. */
static bool is_reset(const char *plain, bool *ret_is_low)
{
    static const char *const ends[] = {"n", "ni", "b", "l", "low", NULL};
    static const char *const says_nothing[] = {"async", "sync", NULL};
    struct words name;
    if (!split(plain, &name))
        return false;
    *ret_is_low = false;
    if (name.count > 1 && is_one_of(name.words[name.count - 1], ends)) {
        *ret_is_low = true;
        name.count--;
    }
    if (name.count > 1 && is_one_of(name.words[name.count - 1], says_nothing))
        name.count--;
    char *word = name.words[name.count - 1];
    if (name.count > 1 && strcmp(name.words[name.count - 2], "n") == 0)
        *ret_is_low = true;
    size_t length = strlen(word);
    if (length > 1 && (word[length - 1] == 'n' || word[length - 1] == 'b')) {
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
    static const char *const names[] = {"irq", "irqs", "intr", "interrupt", "interrupts",
                                        "int", "ints", "inta", "irpt",      NULL};
    static const char *const first_names[] = {"irq", "intr", "interrupt", NULL};
    static const char *const others[] = {"ack",    "en",     "enable", "id",   "mask", "num", "vec",
                                         "vector", "status", "valid",  "addr", "req",  NULL};
    struct words name;
    if (!split(plain, &name))
        return false;
    const char *last = name.words[name.count - 1];
    return is_one_of(last, names) ||
           (is_one_of(name.words[0], first_names) && !is_one_of(last, others));
}

/* Ports that the user has named come first. The bus's clock is the one without a period. */
static int match_named(struct rtl_ports *ports, char **ret_error)
{
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        ports->has_reset |= port->use == RTL_RESET || port->use == RTL_RESET_LOW;
        if (port->use != RTL_CLOCK || port->period)
            continue;
        if (ports->clock) {
            *ret_error =
                xformat("%s and %s are both clocks without a \"period\"; give one of them a period",
                        ports->clock->name, port->name);
            return -EINVAL;
        }
        ports->clock = port;
    }
    return 0;
}

static bool is_free_input(const struct rtl_port *port)
{
    return port->use == RTL_UNKNOWN && port->is_input && port->bits == 1;
}

/* The only input whose edges the core uses, whatever its name is. */
static struct rtl_port *find_only_edge(struct rtl_ports *ports)
{
    struct rtl_port *only = NULL;
    size_t count = 0;
    for (size_t i = 0; i < ports->count; i++) {
        if (!is_free_input(&ports->ports[i]) || !ports->ports[i].rises)
            continue;
        only = &ports->ports[i];
        count++;
    }
    return count == 1 ? only : NULL;
}

static void find_clock(struct rtl_ports *ports)
{
    struct rtl_port *best = NULL;
    unsigned most = 0;
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        unsigned likeness = is_free_input(port) ? clock_likeness(&ports->slave, port->plain) : 0;
        if (likeness > most) {
            best = port;
            most = likeness;
        }
    }
    if (!best)
        best = find_only_edge(ports);
    if (best)
        best->use = RTL_CLOCK;
    ports->clock = best;
}

/* An input that the core uses together with its clock: an asynchronous reset, whatever its name is.
 */
static bool is_asynchronous(const struct rtl_ports *ports, const struct rtl_port *port)
{
    return port->is_beside_others && port->rises != port->falls && ports->clock &&
           ports->clock->is_beside_others;
}

/* The reset next to the bus, or the first one. Its edge says more about its level than its name
 * does. */
static void find_reset(struct rtl_ports *ports)
{
    struct rtl_port *best = NULL;
    bool is_best = false, is_low = false;
    size_t prefix;
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        if (!is_free_input(port) || !is_reset(port->plain, &is_low))
            continue;
        bool is_better = is_beside(&ports->slave, port->plain, &prefix);
        if (!best || (is_better && !is_best)) {
            best = port;
            is_best = is_better;
        }
    }
    for (size_t i = 0; i < ports->count && !best; i++)
        if (is_free_input(&ports->ports[i]) && is_asynchronous(ports, &ports->ports[i]))
            best = &ports->ports[i];
    ports->has_reset = best;
    if (!best)
        return;
    bool is_known = is_asynchronous(ports, best);
    if (!is_known)
        (void)is_reset(best->plain, &is_low);
    best->use = (is_known ? best->falls : is_low) ? RTL_RESET_LOW : RTL_RESET;
}

/* Ties the other fields of a packed struct that belongs to a bus, such as fields for users. */
static void tie_rest_of_structs(struct rtl_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *of_bus = &ports->ports[i];
        if (!of_bus->of_struct || (of_bus->use != RTL_BUS && of_bus->use != RTL_MASTER))
            continue;
        for (size_t j = 0; j < ports->count; j++) {
            struct rtl_port *port = &ports->ports[j];
            if (port->use == RTL_UNKNOWN && port->is_input && port->of_struct &&
                strcmp(port->of_struct, of_bus->of_struct) == 0)
                port->use = RTL_TIED;
        }
    }
}

static void match_others(struct rtl_ports *ports)
{
    tie_rest_of_structs(ports);
    if (!ports->clock)
        find_clock(ports);
    if (!ports->has_reset)
        find_reset(ports);
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        if (port->use == RTL_UNKNOWN && !port->is_input)
            port->use = is_irq(port->plain) ? RTL_IRQ : RTL_NOT_CONNECTED;
    }
}

/* Applies "PORT=VALUE", where PORT may have a * in it. A PORT of "*" alone means all inputs that
 * are left once the others are known: `is_rest`. */
static int set_ties(struct rtl_ports *ports, char *const *ties, bool is_rest, char **ret_error)
{
    for (; ties && *ties; ties++) {
        const char *equals = strchr(*ties, '=');
        uint64_t value;
        size_t count = 0;
        if (!equals || !number_parse(equals + 1, &value)) {
            *ret_error = xformat("--tie %s is not PORT=NUMBER", *ties);
            return -EINVAL;
        }
        if ((strncmp(*ties, "*=", 2) == 0) != is_rest)
            continue;
        char *pattern = xformat("%.*s", (int)(equals - *ties), *ties), *why = NULL;
        struct rtl_port *named = rtl_ports_find(ports, pattern, strlen(pattern));
        if (named && !named->is_input)
            why = rtl_port_check_tie(named, value);
        for (size_t i = 0; i < ports->count && !why; i++) {
            struct rtl_port *port = &ports->ports[i];
            if (!port->is_input || fnmatch(pattern, port->name, 0) != 0 ||
                (is_rest && port->use != RTL_UNKNOWN))
                continue;
            why = rtl_port_check_tie(port, value);
            port->tie = value;
            port->use = RTL_TIED;
            count++;
        }
        free(pattern);
        if (why) {
            *ret_error = xformat("--tie %s: %s", *ties, why);
            free(why);
            return -EINVAL;
        }
        if (count == 0 && !is_rest) {
            *ret_error = xformat("--tie %s: the core has no such input", *ties);
            return -EINVAL;
        }
    }
    return 0;
}

/* An input that nobody drives, and what it may be; malloc'd. */
static char *describe_unknown(const struct rtl_ports *ports, const struct rtl_port *port)
{
    bool is_low;
    const char *guess = "";
    if (is_free_input(port) && clock_likeness(&ports->slave, port->plain) > 1)
        guess = "; another clock?";
    else if (is_free_input(port) && is_reset(port->plain, &is_low))
        guess = "; another reset?";
    return xformat("%s (%u bit%s%s)", port->name, port->bits, port->bits > 1 ? "s" : "", guess);
}

/* Refuses inputs of unknown use, and too many interrupts or wires. */
static int check_others(const struct rtl_ports *ports, const char *almost, char **ret_error)
{
    struct strings unknown = {0};
    unsigned irqs = 0, wires = 0;
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        if (port->use == RTL_UNKNOWN) {
            char *text = describe_unknown(ports, port);
            strings_add(&unknown, text);
            free(text);
        }
        if (port->use == RTL_IRQ || port->use == RTL_PULSE)
            irqs += port->bits;
        if (port->use == RTL_WIRE)
            wires += port->bits;
    }
    if (unknown.count > 0) {
        char *list = strings_join(&unknown, ", ");
        *ret_error = xformat("the build does not know what these inputs are for: %s%s%s%s; give "
                             "each a value with --tie PORT=NUMBER, or say what it is for with "
                             "--use PORT=USE",
                             list, almost ? " (" : "", almost ? almost : "", almost ? ")" : "");
        free(list);
    } else if (irqs > TRESTLE_IRQ_LINES_MAX) {
        *ret_error = xformat("the core has %u interrupt outputs, and may have %d", irqs,
                             TRESTLE_IRQ_LINES_MAX);
    } else if (wires > TRESTLE_PEER_PORTS_MAX) {
        *ret_error =
            xformat("the core has %u wires, and may have %d", wires, TRESTLE_PEER_PORTS_MAX);
    }
    strings_finish(&unknown);
    return *ret_error ? -EINVAL : 0;
}

int rtl_ports_match(struct rtl_ports *ports, char *const *ties, char **ret_error)
{
    *ret_error = NULL;
    int r = set_ties(ports, ties, false, ret_error);
    if (r == 0)
        r = match_named(ports, ret_error);
    if (r < 0)
        return r;
    char *almost = NULL;
    r = match_buses(ports, &almost, ret_error);
    match_others(ports);
    for (size_t i = 0; i < ports->count && !ports->clock; i++)
        if (ports->ports[i].use == RTL_CLOCK)
            ports->clock = &ports->ports[i];
    if (r == 0 && !ports->clock) {
        *ret_error = xstrdup("no clock was found among the inputs (clk, aclk, ...); name it with "
                             "--use PORT=clock");
        r = -EINVAL;
    }
    if (r == 0)
        r = set_ties(ports, ties, true, ret_error);
    if (r == 0)
        r = check_others(ports, almost, ret_error);
    free(almost);
    return r;
}
