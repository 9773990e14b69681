/* SPDX-License-Identifier: MIT */
/* Lists the buses that a core may have, with their signals. */
#include "rtl/buses.h"

/* clang-format off */
/* "awvalid", and the names that Chisel and SpinalHDL give it, where a channel is a bundle. */
#define AXI(channel, signal) \
    {channel signal, channel "_" signal, channel "_bits_" signal, channel "_payload_" signal}
/* All cores drive strobes, but not all look at them. */
#define AXI4_WRITES(is_slave) \
    {AXI("aw", "valid"), "AWVALID", true}, \
    {AXI("aw", "ready"), "AWREADY"}, \
    {AXI("aw", "id"), "AWID", true, true}, \
    {AXI("aw", "addr"), "AWADDR", true}, \
    {AXI("aw", "len"), "AWLEN", true}, \
    {AXI("aw", "size"), "AWSIZE", true, true, "trestle_rtl::log2_of(MASTER_WIDTH)"}, \
    {AXI("aw", "burst"), "AWBURST", true, true, "1"}, \
    {AXI("w", "valid"), "WVALID", true}, \
    {AXI("w", "ready"), "WREADY"}, \
    {AXI("w", "data"), "WDATA", true}, \
    {AXI("w", "strb"), "WSTRB", true, is_slave}, \
    {AXI("w", "last"), "WLAST", true}, \
    {AXI("w", "id"), "WID", true, true}, \
    {AXI("b", "valid"), "BVALID"}, \
    {AXI("b", "ready"), "BREADY", true}, \
    {AXI("b", "id"), "BID", false, true}, \
    {AXI("b", "resp"), "BRESP", false, true}, \
    {AXI("aw", "lock"), NULL, true, true}, \
    {AXI("aw", "cache"), NULL, true, true}, \
    {AXI("aw", "prot"), NULL, true, true}, \
    {AXI("aw", "qos"), NULL, true, true}, \
    {AXI("aw", "region"), NULL, true, true}, \
    {AXI("aw", "atop"), NULL, true, true}, \
    {AXI("aw", "user"), NULL, true, true}, \
    {AXI("w", "user"), NULL, true, true}, \
    {AXI("b", "user"), NULL, false, true}
#define AXI4_READS \
    {AXI("ar", "valid"), "ARVALID", true}, \
    {AXI("ar", "ready"), "ARREADY"}, \
    {AXI("ar", "id"), "ARID", true, true}, \
    {AXI("ar", "addr"), "ARADDR", true}, \
    {AXI("ar", "len"), "ARLEN", true}, \
    {AXI("ar", "size"), "ARSIZE", true, true, "trestle_rtl::log2_of(MASTER_WIDTH)"}, \
    {AXI("ar", "burst"), "ARBURST", true, true, "1"}, \
    {AXI("r", "valid"), "RVALID"}, \
    {AXI("r", "ready"), "RREADY", true}, \
    {AXI("r", "id"), "RID", false, true}, \
    {AXI("r", "data"), "RDATA"}, \
    {AXI("r", "resp"), "RRESP", false, true}, \
    {AXI("r", "last"), "RLAST"}, \
    {AXI("ar", "lock"), NULL, true, true}, \
    {AXI("ar", "cache"), NULL, true, true}, \
    {AXI("ar", "prot"), NULL, true, true}, \
    {AXI("ar", "qos"), NULL, true, true}, \
    {AXI("ar", "region"), NULL, true, true}, \
    {AXI("ar", "user"), NULL, true, true}, \
    {AXI("r", "user"), NULL, false, true}
#define AXIL_WRITES(is_slave) \
    {AXI("aw", "valid"), "AWVALID", true}, \
    {AXI("aw", "ready"), "AWREADY"}, \
    {AXI("aw", "addr"), "AWADDR", true}, \
    {AXI("w", "valid"), "WVALID", true}, \
    {AXI("w", "ready"), "WREADY"}, \
    {AXI("w", "data"), "WDATA", true}, \
    {AXI("w", "strb"), "WSTRB", true, is_slave}, \
    {AXI("b", "valid"), "BVALID"}, \
    {AXI("b", "ready"), "BREADY", true}, \
    {AXI("b", "resp"), "BRESP", false, true}, \
    {AXI("aw", "prot"), NULL, true, true}
#define AXIL_READS \
    {AXI("ar", "valid"), "ARVALID", true}, \
    {AXI("ar", "ready"), "ARREADY"}, \
    {AXI("ar", "addr"), "ARADDR", true}, \
    {AXI("r", "valid"), "RVALID"}, \
    {AXI("r", "ready"), "RREADY", true}, \
    {AXI("r", "data"), "RDATA"}, \
    {AXI("r", "resp"), "RRESP", false, true}, \
    {AXI("ar", "prot"), NULL, true, true}
/* clang-format on */

static const struct rtl_signal axi4[] = {AXI4_WRITES(true), AXI4_READS, {{NULL}}};
static const struct rtl_signal axi4_master[] = {AXI4_WRITES(false), AXI4_READS, {{NULL}}};
static const struct rtl_signal axi4_slave_writes[] = {AXI4_WRITES(true), {{NULL}}};
static const struct rtl_signal axi4_writes[] = {AXI4_WRITES(false), {{NULL}}};
static const struct rtl_signal axi4_reads[] = {AXI4_READS, {{NULL}}};
static const struct rtl_signal axil[] = {AXIL_WRITES(true), AXIL_READS, {{NULL}}};
static const struct rtl_signal axil_master[] = {AXIL_WRITES(false), AXIL_READS, {{NULL}}};
static const struct rtl_signal axil_slave_writes[] = {AXIL_WRITES(true), {{NULL}}};
static const struct rtl_signal axil_writes[] = {AXIL_WRITES(false), {{NULL}}};
static const struct rtl_signal axil_reads[] = {AXIL_READS, {{NULL}}};

static const struct rtl_signal apb[] = {
    {{"psel"}, "PSEL", true},
    {{"penable"}, "PENABLE", true},
    {{"pwrite"}, "PWRITE", true},
    {{"paddr"}, "PADDR", true},
    {{"pwdata"}, "PWDATA", true},
    {{"prdata"}, "PRDATA"},
    {{"pready"}, "PREADY", false, true, "1"},
    {{"pslverr", "pslverror"}, "PSLVERR", false, true},
    {{"pstrb", "pwstrb"}, "PSTRB", true, true},
    {{"pprot"}, NULL, true, true},
    {{NULL}},
};

/* clang-format off */
/* A slave with one register has no address, and a simple one has no cyc. */
#define WISHBONE_ASKS(is_slave) \
    {{"stb"}, "STB", true}, \
    {{"cyc"}, "CYC", true, is_slave}, \
    {{"adr", "addr", "address"}, "ADR", true, is_slave}
#define WISHBONE_WE {{"we"}, "WE", true}
#define WISHBONE_DAT_W {{"dat", "data", "dat_w", "dat_mosi", "wdat", "wdata"}, "DAT_W", true}
#define WISHBONE_DAT_R {{"dat", "data", "dat_r", "dat_miso", "rdat", "rdata", "rdt"}, "DAT_R"}
#define WISHBONE_ANSWERS \
    {{"ack"}, "ACK"}, \
    {{"sel"}, "SEL", true, true, "~UINT64_C(0)"}, \
    {{"err"}, "ERR", false, true}, \
    {{"stall"}, "STALL", false, true}, \
    {{"rty"}, NULL, false, true}, \
    {{"cti"}, NULL, true, true}, \
    {{"bte"}, NULL, true, true}, \
    {{"lock"}, NULL, true, true}, \
    {{NULL}}
#define WISHBONE(is_slave) \
    WISHBONE_ASKS(is_slave), WISHBONE_DAT_W, WISHBONE_DAT_R, WISHBONE_WE, WISHBONE_ANSWERS
static const struct rtl_signal wishbone[] = {WISHBONE(true)};
static const struct rtl_signal wishbone_master[] = {WISHBONE(false)};
static const struct rtl_signal wishbone_writes[] = {WISHBONE_ASKS(false), WISHBONE_DAT_W, WISHBONE_ANSWERS};
static const struct rtl_signal wishbone_reads[] = {WISHBONE_ASKS(false), WISHBONE_DAT_R, WISHBONE_ANSWERS};
/* clang-format on */

static const struct rtl_signal tilelink[] = {
    {{"a_valid"}, "A_VALID", true},
    {{"a_ready"}, "A_READY"},
    {{"a_opcode", "a_bits_opcode"}, "A_OPCODE", true},
    {{"a_size", "a_bits_size"}, "A_SIZE", true},
    {{"a_source", "a_bits_source"}, "A_SOURCE", true, true},
    {{"a_address", "a_bits_address"}, "A_ADDRESS", true},
    {{"a_mask", "a_bits_mask"}, "A_MASK", true},
    {{"a_data", "a_bits_data"}, "A_DATA", true},
    {{"d_valid"}, "D_VALID"},
    {{"d_ready"}, "D_READY", true},
    {{"d_opcode", "d_bits_opcode"}, "D_OPCODE"},
    {{"d_source", "d_bits_source"}, "D_SOURCE", false, true},
    {{"d_denied", "d_bits_denied", "d_error", "d_bits_error"}, "D_DENIED", false, true},
    {{"d_corrupt", "d_bits_corrupt"}, "D_CORRUPT", false, true},
    {{"d_data", "d_bits_data"}, "D_DATA"},
    {{"a_param", "a_bits_param"}, NULL, true, true},
    {{"a_corrupt", "a_bits_corrupt"}, NULL, true, true},
    /* What OpenTitan adds: its cores refuse a request without these. */
    {{"a_user_instr_type"}, "A_INSTR_TYPE", true, true},
    {{"a_user_cmd_intg"}, "A_CMD_INTG", true, true},
    {{"a_user_data_intg"}, "A_DATA_INTG", true, true},
    {{NULL}},
};

/* clang-format off */
#define REGISTER_SIGNALS \
    {{"addr", "address", "adr"}, "ADDR", true}, \
    {{"wdata", "wr_data", "writedata", "write_data", "data_in"}, "WDATA", true}, \
    {{"rdata", "rd_data", "readdata", "read_data", "data_out"}, "RDATA"}, \
    {{"strb", "wstrb", "be", "byteenable", "byte_en"}, "STRB", true, true}, \
    {{"ready", "ack"}, "READY", false, true, "1"}, \
    {{"waitrequest"}, "WAIT", false, true}, \
    {{"rvalid", "rd_valid", "readdatavalid"}, "RVALID", false, true, "1"}, \
    {{"error", "err", "slverr"}, "ERROR", false, true}, \
    {{NULL}}
/* clang-format on */
static const struct rtl_signal requests[] = {
    {{"req", "valid", "sel", "cs", "en", "chipselect"}, "REQ", true},
    {{"we", "write", "wr", "wen", "wr_en", "write_en"}, "WRITE", true},
    {{"re", "read", "rd", "ren", "rd_en", "read_en"}, "READ", true, true},
    REGISTER_SIGNALS,
};
static const struct rtl_signal strobes[] = {
    {{"write", "we", "wr", "wen", "wr_en", "write_en"}, "WRITE", true},
    {{"read", "re", "rd", "ren", "rd_en", "read_en"}, "READ", true},
    {{"req"}, "REQ", true, true}, /* never there: with it, the bus is the one above */
    REGISTER_SIGNALS,
};

const struct rtl_bus rtl_buses[] = {
    {"AXI4", "bus_axi4.h", axi4, .address = 3, .data = 9},
    {"AXI4-Lite", "bus_axil.h", axil, .address = 2, .data = 5},
    {"APB", "bus_apb.h", apb, .address = 3, .data = 4},
    {"Wishbone", "bus_wb.h", wishbone, .address = 2, .data = 3},
    {"TileLink-UL", "bus_tlul.h", tilelink, .address = 5, .data = 7},
    {"AXI4 writes", "bus_axi4.h", axi4_slave_writes, .address = 3, .data = 9, .is_half = true},
    {"AXI4 reads", "bus_axi4.h", axi4_reads, .address = 3, .data = 10, .is_half = true},
    {"AXI4-Lite writes", "bus_axil.h", axil_slave_writes, .address = 2, .data = 5, .is_half = true},
    {"AXI4-Lite reads", "bus_axil.h", axil_reads, .address = 2, .data = 5, .is_half = true},
    {"registers", "bus_reg.h", requests, .address = 3, .data = 4, .is_vague = true},
    {"register strobes", "bus_reg.h", strobes, .address = 3, .data = 4, .is_vague = true},
    {NULL},
};

const struct rtl_bus rtl_masters[] = {
    {"AXI4", "master_axi.h", axi4_master, .address = 3, .data = 9, .is_master = true},
    {"AXI4-Lite", "master_axi.h", axil_master, .address = 2, .data = 5, .is_master = true},
    {"AXI4 writes", "master_axi.h", axi4_writes, .address = 3, .data = 9, .is_master = true},
    {"AXI4 reads", "master_axi.h", axi4_reads, .address = 3, .data = 10, .is_master = true},
    {"AXI4-Lite writes", "master_axi.h", axil_writes, .address = 2, .data = 5, .is_master = true},
    {"AXI4-Lite reads", "master_axi.h", axil_reads, .address = 2, .data = 5, .is_master = true},
    {"Wishbone", "master_wb.h", wishbone_master, .address = 2, .data = 3, .is_master = true},
    {"Wishbone writes", "master_wb.h", wishbone_writes, .address = 2, .data = 3, .is_half = true,
     .is_master = true},
    {"Wishbone reads", "master_wb.h", wishbone_reads, .address = 2, .data = 3, .is_half = true,
     .is_master = true},
    {NULL},
};
