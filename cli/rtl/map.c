/* SPDX-License-Identifier: MIT */
/* Writes the map of a core: C++ that tells the runtime about the core's ports. */
#include <inttypes.h>

#include "rtl/ports.h"

enum { SIZE_MOST = 4096 };

static unsigned data_bytes(const struct rtl_side *side)
{
    return side->signals[side->bus->data]->bits / 8;
}

/* Bits of the address; 0: there is none, as in a core with a single register. */
static unsigned address_bits(const struct rtl_side *side)
{
    const struct rtl_port *address = side->signals[side->bus->address];
    return address ? address->bits : 0;
}

/* Bytes from one address to the next. An address [31:2] counts words; so does an address that is
 * too short to count the bytes of two words. */
static unsigned unit_of(const struct rtl_side *side, bool counts_words)
{
    unsigned bits = address_bits(side);
    unsigned low = bits ? side->signals[side->bus->address]->low : 0;
    if (counts_words || (low == 0 && bits < 8 && 1u << bits <= data_bytes(side)))
        return data_bytes(side);
    return low < 8 ? 1u << low : 1;
}

static uint64_t reach_of(const struct rtl_side *side, unsigned unit)
{
    unsigned bits = address_bits(side);
    uint64_t reach = bits < 32 ? (uint64_t)unit << bits : SIZE_MOST;
    return reach < 8 ? 8 : reach < SIZE_MOST ? reach : SIZE_MOST;
}

/* Whether the core drives that signal. */
static bool is_driven(const struct rtl_side *side, const struct rtl_signal *signal)
{
    return signal->is_input == side->bus->is_master;
}

/* A signal becomes an expression of `core`. If the core lacks it, an output becomes a constant, and
 * an input becomes nowhere(), to which anything may be assigned. */
static void map_side(const struct rtl_side *side, unsigned unit, FILE *out)
{
    const struct rtl_bus *bus = side->bus;
    const char *const prefix = bus->is_master ? "MASTER" : "BUS";
    fprintf(out, "#define %s_CORE Vcore\n#define %s_WIDTH %u\n#define %s_UNIT %u\n", prefix, prefix,
            data_bytes(side), prefix, unit);
    if (!bus->is_master)
        fprintf(out, "#define BUS_ADDRESS(a) trestle_rtl::low_bits<%u>((a) / BUS_UNIT)\n",
                address_bits(side));
    for (size_t i = 0; bus->signals[i].names[0]; i++) {
        const struct rtl_signal *signal = &bus->signals[i];
        const struct rtl_port *port = side->signals[i];
        if (!signal->macro)
            continue;
        if (port)
            fprintf(out, "#define %s_%s %s\n", prefix, signal->macro, port->access);
        else
            fprintf(out, "#define %s_%s %s\n", prefix, signal->macro,
                    !is_driven(side, signal) ? "trestle_rtl::nowhere()"
                    : signal->absent         ? signal->absent
                                             : "0");
        if (signal->is_optional)
            fprintf(out, "#define %s_HAS_%s %d\n#define %s_BITS_%s %u\n", prefix, signal->macro,
                    port != NULL, prefix, signal->macro, port ? port->bits : 0);
    }
    fprintf(out, "#include \"%s\"\n", bus->header);
}

/* The clock of the bus, whose period a parameter or a file may give, and the other clocks. */
static void map_clocks(const struct rtl_ports *ports, FILE *out)
{
    const uint64_t usual = 10000; /* picoseconds: 100 MHz */
    unsigned others = 0;
    fprintf(out,
            "    static void clock(Core &core, int level) { %s = level; }\n"
            "    static constexpr trestle_time clock_period = %" PRIu64 "u;\n"
            "    static void set_clock(Core &core, unsigned which, int level)\n    {\n"
            "        (void)core, (void)level;\n        switch (which) {\n",
            ports->clock->access, ports->clock->period ? ports->clock->picoseconds : usual);
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].use == RTL_CLOCK && &ports->ports[i] != ports->clock)
            fprintf(out, "        case %u: %s = level; break;\n", others++, ports->ports[i].access);
    fprintf(out,
            "        default: break;\n        }\n    }\n"
            "    static constexpr unsigned num_clocks = %u;\n"
            "    static constexpr const char *clock_names[] = {",
            others);
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].use == RTL_CLOCK && &ports->ports[i] != ports->clock)
            fprintf(out, "\"%s\", ", ports->ports[i].name);
    fputs("nullptr};\n    static constexpr trestle_time clock_periods[] = {", out);
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].use == RTL_CLOCK && &ports->ports[i] != ports->clock)
            fprintf(out, "%" PRIu64 "u, ", ports->ports[i].picoseconds);
    fputs("0};\n", out);
}

static void map_resets(const struct rtl_ports *ports, FILE *out)
{
    fputs("    static void reset(Core &core, bool active)\n    {\n        (void)core, "
          "(void)active;\n",
          out);
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].use == RTL_RESET || ports->ports[i].use == RTL_RESET_LOW)
            fprintf(out, "        %s = %sactive;\n", ports->ports[i].access,
                    ports->ports[i].use == RTL_RESET_LOW ? "!" : "");
    fputs("    }\n", out);
}

static void map_ties(const struct rtl_ports *ports, FILE *out)
{
    fputs("    static void ties(Core &core)\n    {\n        (void)core;\n", out);
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].use == RTL_TIED)
            fprintf(out, "        trestle_rtl::tie<%u>(%s, 0x%" PRIx64 "u);\n",
                    ports->ports[i].bits, ports->ports[i].access, ports->ports[i].tie);
    fputs("    }\n", out);
}

static void map_irqs(const struct rtl_ports *ports, FILE *out)
{
    unsigned line = 0;
    uint64_t pulses = 0;
    fputs("    static uint64_t irqs(const Core &core)\n    {\n        uint64_t levels = 0;\n", out);
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        if (port->use != RTL_IRQ && port->use != RTL_PULSE)
            continue;
        fprintf(out, "        levels |= static_cast<uint64_t>(%s) << %u;\n", port->access, line);
        for (unsigned bit = 0; bit < port->bits; bit++, line++)
            pulses |= (uint64_t)(port->use == RTL_PULSE) << line;
    }
    fprintf(out,
            "        return levels;\n    }\n    static constexpr uint32_t num_irqs = %u;\n"
            "    static constexpr uint64_t pulses = 0x%" PRIx64 ";\n",
            line, pulses);
}

/* One pin for each bit: the port's name, and the bit's number if the port has several. */
static void map_pins(const struct rtl_ports *ports, FILE *out)
{
    unsigned pin = 0;
    uint64_t driven = 0, pulled_up = 0;
    fputs("    static constexpr const char *pins[] = {", out);
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        for (unsigned bit = 0; port->use == RTL_WIRE && bit < port->bits; bit++) {
            fprintf(out, "\"%s", port->name);
            if (port->bits > 1)
                fprintf(out, "%u", bit);
            fputs("\", ", out);
        }
    }
    fputs("nullptr};\n    static uint32_t pins_out(const Core &core)\n    {\n        (void)core;\n"
          "        uint32_t levels = 0;\n",
          out);
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        uint64_t mask = port->bits < 32 ? (UINT64_C(1) << port->bits) - 1 : UINT32_MAX;
        if (port->use != RTL_WIRE)
            continue;
        if (port->is_input) {
            pulled_up |= (port->tie & mask) << pin;
        } else {
            fprintf(out, "        levels |= static_cast<uint32_t>(%s) << %u;\n", port->access, pin);
            driven |= mask << pin;
        }
        pin += port->bits;
    }
    fputs("        return levels;\n    }\n    static void pins_in(Core &core, uint32_t levels)\n   "
          " {\n"
          "        (void)core, (void)levels;\n",
          out);
    pin = 0;
    for (size_t i = 0; i < ports->count; i++) {
        const struct rtl_port *port = &ports->ports[i];
        if (port->use != RTL_WIRE)
            continue;
        if (port->is_input)
            fprintf(out, "        %s = trestle_rtl::low_bits<%u>(levels >> %u);\n", port->access,
                    port->bits, pin);
        pin += port->bits;
    }
    fprintf(out,
            "    }\n    static constexpr uint32_t num_pins = %u, pins_driven = 0x%" PRIx64
            ", pins_up = 0x%" PRIx64 ";\n",
            pin, driven, pulled_up);
}

void rtl_ports_map(const struct rtl_ports *ports, const struct rtl_layout *layout, FILE *out)
{
    const struct rtl_side *slave = &ports->slave, *master = &ports->master;
    unsigned unit = unit_of(slave, layout->counts_words);
    fputs("#include \"runtime.h\"\n#include \"Vcore.h\"\n#include \"Vcore___024root.h\"\n", out);
    map_side(slave, unit, out);
    if (master->bus)
        map_side(master, unit_of(master, layout->master_counts_words), out);
    fprintf(out,
            "struct Map {\n    using Core = Vcore;\n    using Bus = ::Bus;\n"
            "    using Master = %s;\n"
            "    static constexpr const char *name = \"%s\";\n"
            "    static constexpr uint64_t size = 0x%" PRIx64 ";\n"
            "    static constexpr bool is_plain = %s, needs_icount = %s;\n"
            "    static constexpr uint64_t triggers = 0x%" PRIx64 ";\n",
            master->bus ? "::Master" : "trestle_rtl::no_master<Vcore>", layout->name,
            layout->size ? layout->size : reach_of(slave, unit),
            layout->not_plain ? "false" : "true", layout->runs_without_icount ? "false" : "true",
            layout->triggers);
    map_clocks(ports, out);
    map_resets(ports, out);
    map_ties(ports, out);
    map_irqs(ports, out);
    map_pins(ports, out);
    fputs("};\nstatic const struct trestle_model rtl_model = "
          "trestle_rtl::model_of<Map>(rtl_regions);\n"
          "extern \"C\" TRESTLE_API const struct trestle_model *const trestle_model_entry = "
          "&rtl_model;\n",
          out);
}
