/* SPDX-License-Identifier: MIT */
/* What is known of each bus. */
#include "rtl/buses.h"

/* clang-format off */
#define AXI4_WRITES \
    {{"awvalid"}, "AWVALID", true}, \
    {{"awready"}, "AWREADY"}, \
    {{"awid"}, "AWID", true, true}, \
    {{"awaddr"}, "AWADDR", true}, \
    {{"awlen"}, "AWLEN", true}, \
    {{"awsize"}, "AWSIZE", true, true, "trestle_rtl::log2_of(MASTER_WIDTH)"}, \
    {{"awburst"}, "AWBURST", true, true, "1"}, \
    {{"wvalid"}, "WVALID", true}, \
    {{"wready"}, "WREADY"}, \
    {{"wdata"}, "WDATA", true}, \
    {{"wstrb"}, "WSTRB", true}, \
    {{"wlast"}, "WLAST", true}, \
    {{"bvalid"}, "BVALID"}, \
    {{"bready"}, "BREADY", true}, \
    {{"bid"}, "BID", false, true}, \
    {{"bresp"}, "BRESP"}, \
    {{"awlock"}, NULL, true, true}, \
    {{"awcache"}, NULL, true, true}, \
    {{"awprot"}, NULL, true, true}, \
    {{"awqos"}, NULL, true, true}, \
    {{"awregion"}, NULL, true, true}, \
    {{"awuser"}, NULL, true, true}, \
    {{"wuser"}, NULL, true, true}
#define AXI4_READS \
    {{"arvalid"}, "ARVALID", true}, \
    {{"arready"}, "ARREADY"}, \
    {{"arid"}, "ARID", true, true}, \
    {{"araddr"}, "ARADDR", true}, \
    {{"arlen"}, "ARLEN", true}, \
    {{"arsize"}, "ARSIZE", true, true, "trestle_rtl::log2_of(MASTER_WIDTH)"}, \
    {{"arburst"}, "ARBURST", true, true, "1"}, \
    {{"rvalid"}, "RVALID"}, \
    {{"rready"}, "RREADY", true}, \
    {{"rid"}, "RID", false, true}, \
    {{"rdata"}, "RDATA"}, \
    {{"rresp"}, "RRESP"}, \
    {{"rlast"}, "RLAST"}, \
    {{"arlock"}, NULL, true, true}, \
    {{"arcache"}, NULL, true, true}, \
    {{"arprot"}, NULL, true, true}, \
    {{"arqos"}, NULL, true, true}, \
    {{"arregion"}, NULL, true, true}, \
    {{"aruser"}, NULL, true, true}
#define AXIL_WRITES \
    {{"awvalid"}, "AWVALID", true}, \
    {{"awready"}, "AWREADY"}, \
    {{"awaddr"}, "AWADDR", true}, \
    {{"wvalid"}, "WVALID", true}, \
    {{"wready"}, "WREADY"}, \
    {{"wdata"}, "WDATA", true}, \
    {{"wstrb"}, "WSTRB", true}, \
    {{"bvalid"}, "BVALID"}, \
    {{"bready"}, "BREADY", true}, \
    {{"bresp"}, "BRESP"}, \
    {{"awprot"}, NULL, true, true}
#define AXIL_READS \
    {{"arvalid"}, "ARVALID", true}, \
    {{"arready"}, "ARREADY"}, \
    {{"araddr"}, "ARADDR", true}, \
    {{"rvalid"}, "RVALID"}, \
    {{"rready"}, "RREADY", true}, \
    {{"rdata"}, "RDATA"}, \
    {{"rresp"}, "RRESP"}, \
    {{"arprot"}, NULL, true, true}
/* clang-format on */

static const struct rtl_signal axi4[] = {AXI4_WRITES, AXI4_READS, {{NULL}}};
static const struct rtl_signal axi4_writes[] = {AXI4_WRITES, {{NULL}}};
static const struct rtl_signal axi4_reads[] = {AXI4_READS, {{NULL}}};
static const struct rtl_signal axil[] = {AXIL_WRITES, AXIL_READS, {{NULL}}};
static const struct rtl_signal axil_writes[] = {AXIL_WRITES, {{NULL}}};
static const struct rtl_signal axil_reads[] = {AXIL_READS, {{NULL}}};

static const struct rtl_signal apb[] = {
    {{"psel"}, "PSEL", true},
    {{"penable"}, "PENABLE", true},
    {{"pwrite"}, "PWRITE", true},
    {{"paddr"}, "PADDR", true},
    {{"pwdata"}, "PWDATA", true},
    {{"prdata"}, "PRDATA"},
    {{"pready"}, "PREADY", false, true, "1"},
    {{"pslverr"}, "PSLVERR", false, true},
    {{"pstrb"}, "PSTRB", true, true},
    {{"pprot"}, NULL, true, true},
    {{NULL}},
};

static const struct rtl_signal wishbone[] = {
    {{"stb"}, "STB", true},
    {{"cyc"}, "CYC", true},
    {{"we"}, "WE", true},
    {{"adr", "addr"}, "ADR", true},
    {{"dat", "data"}, "DAT_W", true},
    {{"dat", "data"}, "DAT_R"},
    {{"ack"}, "ACK"},
    {{"sel"}, "SEL", true, true, "~UINT64_C(0)"},
    {{"err"}, "ERR", false, true},
    {{"stall"}, "STALL", false, true},
    {{"rty"}, NULL, false, true},
    {{"cti"}, NULL, true, true},
    {{"bte"}, NULL, true, true},
    {{"lock"}, NULL, true, true},
    {{NULL}},
};

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
    {{NULL}},
};

/* clang-format off */
#define REGISTER_SIGNALS \
    {{"addr", "address", "adr"}, "ADDR", true}, \
    {{"wdata", "wr_data", "writedata", "data_in"}, "WDATA", true}, \
    {{"rdata", "rd_data", "readdata", "data_out"}, "RDATA"}, \
    {{"strb", "wstrb", "be", "byteenable", "byte_en"}, "STRB", true, true}, \
    {{"ready", "ack"}, "READY", false, true, "1"}, \
    {{"rvalid", "rd_valid", "readdatavalid"}, "RVALID", false, true, "1"}, \
    {{"error", "err", "slverr"}, "ERROR", false, true}, \
    {{NULL}}
/* clang-format on */
static const struct rtl_signal requests[] = {
    {{"req", "valid", "sel", "cs", "en"}, "REQ", true},
    {{"we", "write", "wr", "wen"}, "WRITE", true},
    {{"re", "read", "rd", "ren"}, "READ", true, true},
    REGISTER_SIGNALS,
};
static const struct rtl_signal strobes[] = {
    {{"write", "we", "wr", "wen", "wr_en"}, "WRITE", true},
    {{"read", "re", "rd", "ren", "rd_en"}, "READ", true},
    {{"req"}, "REQ", true, true}, /* never there: then it is the bus above */
    REGISTER_SIGNALS,
};

const struct rtl_bus rtl_buses[] = {
    {"AXI4", "bus_axi4.h", axi4, .address = 3, .data = 9},
    {"AXI4-Lite", "bus_axil.h", axil, .address = 2, .data = 5},
    {"APB", "bus_apb.h", apb, .address = 3, .data = 4},
    {"Wishbone", "bus_wb.h", wishbone, .address = 3, .data = 4},
    {"TileLink-UL", "bus_tlul.h", tilelink, .address = 5, .data = 7},
    {"registers", "bus_reg.h", requests, .address = 3, .data = 4, .is_vague = true},
    {"register strobes", "bus_reg.h", strobes, .address = 3, .data = 4, .is_vague = true},
    {NULL},
};

const struct rtl_bus rtl_masters[] = {
    {"AXI4", "master_axi.h", axi4, .address = 3, .data = 9, .is_master = true},
    {"AXI4-Lite", "master_axi.h", axil, .address = 2, .data = 5, .is_master = true},
    {"AXI4 writes", "master_axi.h", axi4_writes, .address = 3, .data = 9, .is_master = true},
    {"AXI4 reads", "master_axi.h", axi4_reads, .address = 3, .data = 10, .is_master = true},
    {"AXI4-Lite writes", "master_axi.h", axil_writes, .address = 2, .data = 5, .is_master = true},
    {"AXI4-Lite reads", "master_axi.h", axil_reads, .address = 2, .data = 5, .is_master = true},
    {"Wishbone", "master_wb.h", wishbone, .address = 3, .data = 4, .is_master = true},
    {NULL},
};
