/* SPDX-License-Identifier: MIT */
/* Recognises the clock, the reset, the bus and the interrupts of a core by the names of its ports.
 */
#include "rtl/ports.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

/* A signal of a bus: names that end so, behind the bus's prefix, and what the map calls it. */
struct signal {
    const char *names[4]; /* ended by NULL */
    const char *macro;
    bool is_input; /* of the core */
    bool is_optional;
};

/* The first signal of a bus finds it. */
static const struct signal axil[] = {
    {{"awvalid"}, "AWVALID", true}, {{"awready"}, "AWREADY"},
    {{"awaddr"}, "AWADDR", true},   {{"wvalid"}, "WVALID", true},
    {{"wready"}, "WREADY"},         {{"wdata"}, "WDATA", true},
    {{"wstrb"}, "WSTRB", true},     {{"bvalid"}, "BVALID"},
    {{"bready"}, "BREADY", true},   {{"bresp"}, "BRESP"},
    {{"arvalid"}, "ARVALID", true}, {{"arready"}, "ARREADY"},
    {{"araddr"}, "ARADDR", true},   {{"rvalid"}, "RVALID"},
    {{"rready"}, "RREADY", true},   {{"rdata"}, "RDATA"},
    {{"rresp"}, "RRESP"},           {{"awprot"}, "", true, true},
    {{"arprot"}, "", true, true},   {{NULL}},
};
static const struct signal apb[] = {
    {{"psel"}, "PSEL", true},
    {{"penable"}, "PENABLE", true},
    {{"pwrite"}, "PWRITE", true},
    {{"paddr"}, "PADDR", true},
    {{"pwdata"}, "PWDATA", true},
    {{"prdata"}, "PRDATA"},
    {{"pready"}, "PREADY", false, true},
    {{"pslverr"}, "PSLVERR", false, true},
    {{"pstrb"}, "PSTRB", true, true},
    {{"pprot"}, "", true, true},
    {{NULL}},
};
static const struct signal wishbone[] = {
    {{"stb"}, "STB", true},
    {{"cyc"}, "CYC", true},
    {{"we"}, "WE", true},
    {{"adr", "addr"}, "ADR", true},
    {{"dat", "data"}, "DAT_W", true},
    {{"dat", "data"}, "DAT_R"},
    {{"ack"}, "ACK"},
    {{"sel"}, "SEL", true, true},
    {{"err"}, "ERR", false, true},
    {{"stall"}, "STALL", false, true},
    {{NULL}},
};
static const struct {
    const char *name;
    const struct signal *signals;
} buses[] = {
    [RTL_AXIL] = {"AXI4-Lite", axil}, [RTL_APB] = {"APB", apb}, [RTL_WB] = {"Wishbone", wishbone}};
enum { AWVALID, AW_DATA = 5, APB_DATA = 4, WB_DATA = 4, WB_ADR = 3 };

/* --- ports ----------------------------------------------------------------------------------- */

/* "VL_IN8(&name,3,0);" */
bool rtl_ports_read(const char *text, struct rtl_ports *ret_ports)
{
    *ret_ports = (struct rtl_ports){0};
    for (const char *at = text; (at = strstr(at, "VL_")) != NULL; at += 3) {
        bool is_input = strncmp(at, "VL_IN", 5) == 0, is_output = strncmp(at, "VL_OUT", 6) == 0;
        const char *open = strchr(at, '(');
        char name[128];
        int high, low;
        if ((!is_input && !is_output) || !open || open - at > 9 ||
            sscanf(open, "(&%127[A-Za-z0-9_],%d,%d", name, &high, &low) != 3)
            continue;
        ret_ports->ports =
            xrealloc(ret_ports->ports, ret_ports->count + 1, sizeof(*ret_ports->ports));
        ret_ports->ports[ret_ports->count++] = (struct rtl_port){
            .name = xstrdup(name), .bits = (unsigned)(high - low + 1), .is_input = is_input};
    }
    return ret_ports->count > 0;
}

/* Lower case, without i_ or o_ before it and _i or _o behind. */
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

static struct rtl_port *find_signal(const struct rtl_ports *ports, const char *prefix,
                                    const struct signal *signal)
{
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        char *plain = plain_name(port->name);
        bool is_it = false;
        for (size_t j = 0; j < 4 && signal->names[j] && port->is_input == signal->is_input; j++) {
            char *wanted = xformat("%s%s", prefix, signal->names[j]);
            is_it |= strcmp(plain, wanted) == 0;
            free(wanted);
        }
        free(plain);
        if (is_it)
            return port;
    }
    return NULL;
}

/* All signals of a bus with this prefix. 0: one that it has to have is missing. */
static size_t find_signals(const struct rtl_ports *ports, const char *prefix,
                           const struct signal *signals, struct rtl_port **ret_found,
                           const char **ret_missing)
{
    size_t count = 0;
    for (; signals[count].names[0]; count++) {
        ret_found[count] = find_signal(ports, prefix, &signals[count]);
        if (!ret_found[count] && !signals[count].is_optional) {
            *ret_missing = signals[count].names[0];
            return 0;
        }
    }
    return count;
}

static int match_bus(struct rtl_ports *ports, char **ret_error)
{
    char *almost = NULL;
    for (enum rtl_bus bus = RTL_AXIL; bus <= RTL_WB; bus++) {
        const struct signal *signals = buses[bus].signals;
        for (size_t i = 0; i < ports->count; i++) {
            char *plain = plain_name(ports->ports[i].name);
            const char *missing = NULL;
            size_t length, count = 0;
            bool is_first =
                ports->ports[i].is_input && ends_with(plain, signals[0].names[0], &length);
            if (is_first) {
                plain[length] = '\0';
                count = find_signals(ports, plain, signals, ports->signals, &missing);
            }
            if (is_first && !count && !almost)
                almost = xformat("%s looks like %s, but \"%s%s\" is missing", ports->ports[i].name,
                                 buses[bus].name, plain, missing);
            free(plain);
            if (!count)
                continue;
            for (size_t j = 0; j < count; j++)
                if (ports->signals[j])
                    ports->signals[j]->use = "bus";
            ports->bus = bus;
            free(almost);
            return 0;
        }
    }
    *ret_error =
        almost ? almost
               : xstrdup("no bus was found: AXI4-Lite (awvalid ...), APB (psel ...) or Wishbone "
                         "(stb ...)");
    return -EINVAL;
}

/* --- clock, reset, interrupts ---------------------------------------------------------------- */

static bool is_clock(const char *plain)
{
    static const char *const names[] = {"clk", "clock", "aclk", "pclk", "hclk", NULL};
    size_t prefix;
    return is_one_of(plain, names) || ends_with(plain, "_clk", &prefix) ||
           ends_with(plain, "_aclk", &prefix);
}

static bool is_reset(const char *plain, bool *ret_is_low)
{
    static const char *const high[] = {"rst", "reset", "arst", "areset", NULL};
    static const char *const low[] = {"rstn",    "rst_n",   "resetn",   "reset_n", "aresetn",
                                      "presetn", "hresetn", "areset_n", NULL};
    size_t prefix;
    *ret_is_low = is_one_of(plain, low) || ends_with(plain, "_aresetn", &prefix) ||
                  ends_with(plain, "_rst_n", &prefix) || ends_with(plain, "_resetn", &prefix);
    return *ret_is_low || is_one_of(plain, high) || ends_with(plain, "_rst", &prefix) ||
           ends_with(plain, "_reset", &prefix);
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

static void match_others(struct rtl_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        struct rtl_port *port = &ports->ports[i];
        char *plain = plain_name(port->name);
        bool is_low;
        if (port->use) {
            /* of the bus */
        } else if (port->is_input && port->bits == 1 && !ports->clock && is_clock(plain)) {
            ports->clock = port;
            port->use = "clock";
        } else if (port->is_input && port->bits == 1 && !ports->reset && is_reset(plain, &is_low)) {
            ports->reset = port;
            ports->reset_is_low = is_low;
            port->use = is_low ? "reset, active low" : "reset";
        } else if (!port->is_input && port->bits <= 32 && is_irq(plain)) {
            port->use = "irq";
        } else if (!port->is_input) {
            port->use = "not connected";
        }
        free(plain);
    }
}

static int set_ties(struct rtl_ports *ports, char *const *ties, char **ret_error)
{
    for (; ties && *ties; ties++) {
        const char *equals = strchr(*ties, '=');
        uint64_t value;
        size_t i = 0;
        if (!equals || !number_parse(equals + 1, &value)) {
            *ret_error = xformat("--tie %s is not PORT=NUMBER", *ties);
            return -EINVAL;
        }
        while (i < ports->count &&
               (strncmp(ports->ports[i].name, *ties, (size_t)(equals - *ties)) != 0 ||
                ports->ports[i].name[equals - *ties]))
            i++;
        if (i == ports->count || !ports->ports[i].is_input) {
            *ret_error = xformat("--tie %s: the core has no such input", *ties);
            return -EINVAL;
        }
        ports->ports[i].tie = equals + 1;
        ports->ports[i].use = "tied";
    }
    return 0;
}

int rtl_ports_match(struct rtl_ports *ports, char *const *ties, char **ret_error)
{
    int status = set_ties(ports, ties, ret_error);
    if (status == 0)
        status = match_bus(ports, ret_error);
    if (status < 0)
        return status;
    match_others(ports);
    if (!ports->clock) {
        *ret_error = xstrdup("no clock was found among the inputs (clk, aclk, ...)");
        return -EINVAL;
    }
    struct strings unknown = {0};
    unsigned irqs = 0;
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        if (!port->use)
            strings_addf(&unknown, "%s (%u bit%s)", port->name, port->bits,
                         port->bits > 1 ? "s" : "");
        if (port->use && strcmp(port->use, "irq") == 0)
            irqs += port->bits;
    }
    if (unknown.count > 0) {
        char *list = strings_join(&unknown, ", ");
        *ret_error = xformat("nothing is known of the inputs %s; give each a value with --tie "
                             "PORT=NUMBER",
                             list);
        free(list);
        status = -EINVAL;
    } else if (irqs > 32) {
        *ret_error = xformat("%u interrupt outputs, and a core may have at most 32", irqs);
        status = -EINVAL;
    }
    strings_finish(&unknown);
    return status;
}

/* --- what was found -------------------------------------------------------------------------- */

void rtl_ports_show(const struct rtl_ports *ports, FILE *out)
{
    fprintf(out, "bus: %s\n", buses[ports->bus].name);
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        fprintf(out, "  %-6s %2u  %-24s %s%s%s\n", port->is_input ? "input" : "output", port->bits,
                port->name, port->use, port->tie ? " to " : "", port->tie ? port->tie : "");
    }
}

void rtl_ports_json(const struct rtl_ports *ports, const char *name, FILE *out)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        json_t *one = json_pack("{s:s, s:s, s:i, s:s}", "name", port->name, "direction",
                                port->is_input ? "input" : "output", "bits", (int)port->bits, "use",
                                port->use);
        if (port->tie)
            json_object_set_new(one, "tie", json_string(port->tie));
        json_array_append_new(list, one);
    }
    json_t *root =
        json_pack("{s:s, s:s, s:o}", "name", name, "bus", buses[ports->bus].name, "ports", list);
    json_dumpf(root, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(root);
}

static void map_irqs(const struct rtl_ports *ports, FILE *out)
{
    unsigned line = 0;
    fputs("    static uint32_t irqs(const Core &core)\n    {\n        uint32_t levels = 0;\n", out);
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        if (strcmp(port->use, "irq") != 0)
            continue;
        fprintf(out, "        levels |= static_cast<uint32_t>(core.%s) << %u;\n", port->name, line);
        line += port->bits;
    }
    fprintf(out, "        return levels;\n    }\n    static constexpr uint32_t num_irqs = %u;\n",
            line);
}

static void map_bus(const struct rtl_ports *ports, FILE *out)
{
    static const char *const headers[] = {"bus_axil.h", "bus_apb.h", "bus_wb.h"};
    const struct signal *signals = buses[ports->bus].signals;
    const size_t data[] = {AW_DATA, APB_DATA, WB_DATA};
    unsigned width = ports->signals[data[ports->bus]]->bits / 8;
    fprintf(out, "#define BUS_CORE Vcore\n#define BUS_WIDTH %u\n", width);
    for (size_t i = 0; signals[i].names[0]; i++) {
        const char *macro = signals[i].macro;
        const struct rtl_port *port = ports->signals[i];
        if (!*macro || (!port && signals[i].is_input))
            continue;
        /* What a slave may leave out is an expression, not a member. */
        if (signals[i].is_optional && !signals[i].is_input)
            fprintf(out, port ? "#define BUS_%s core.%s\n" : "#define BUS_%s %s\n", macro,
                    port                           ? port->name
                    : strcmp(macro, "PREADY") == 0 ? "1"
                                                   : "0");
        else
            fprintf(out, "#define BUS_%s %s\n", macro, port->name);
    }
    if (ports->bus == RTL_APB)
        fputs(ports->signals[8] ? "#define BUS_SET_PSTRB(lanes) core.BUS_PSTRB = lanes;\n"
                                : "#define BUS_SET_PSTRB(lanes)\n",
              out);
    if (ports->bus == RTL_WB) {
        /* Addresses of words, as bus widths of 32 bits have them where the two low bits are not
         * there. */
        fputs(ports->signals[7] ? "#define BUS_SET_SEL(lanes) core.BUS_SEL = lanes;\n"
                                : "#define BUS_SET_SEL(lanes)\n",
              out);
        fprintf(out, "#define BUS_PIPELINED %d\n", ports->signals[9] != NULL);
        fputs("#ifndef BUS_ADDR\n#define BUS_ADDR(a) (a)\n#endif\n", out);
    }
    fprintf(out, "#include \"%s\"\n", headers[ports->bus]);
}

void rtl_ports_map(const struct rtl_ports *ports, const char *name, uint64_t size, FILE *out)
{
    fputs("#include \"runtime.h\"\n#include \"Vcore.h\"\n#include \"Vcore___024root.h\"\n", out);
    map_bus(ports, out);
    fprintf(out,
            "struct Map {\n    using Core = Vcore;\n    using Bus = ::Bus;\n"
            "    static constexpr const char *name = \"%s\";\n"
            "    static constexpr uint64_t size = 0x%" PRIx64 ";\n",
            name, size);
    fprintf(out, "    static void clock(Core &core, int level) { core.%s = level; }\n",
            ports->clock->name);
    if (ports->reset)
        fprintf(out, "    static void reset(Core &core, bool active) { core.%s = %sactive; }\n",
                ports->reset->name, ports->reset_is_low ? "!" : "");
    else
        fputs("    static void reset(Core &, bool) {}\n", out);
    fputs("    static void ties(Core &core)\n    {\n        (void)core;\n", out);
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].tie)
            fprintf(out, "        core.%s = %s;\n", ports->ports[i].name, ports->ports[i].tie);
    fputs("    }\n", out);
    map_irqs(ports, out);
    fputs("};\nstatic const struct trestle_model rtl_model = trestle_rtl::model_of<Map>();\n"
          "extern \"C\" TRESTLE_API const struct trestle_model *const trestle_model_entry = "
          "&rtl_model;\n",
          out);
}

void rtl_ports_finish(struct rtl_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        free(ports->ports[i].name);
    free(ports->ports);
    *ports = (struct rtl_ports){0};
}
