/* SPDX-License-Identifier: MIT */
/* What is known of each bus. */
#include "rtl/buses.h"

static const struct rtl_signal axil[] = {
    {{"awvalid"}, "AWVALID", true}, {{"awready"}, "AWREADY"},
    {{"awaddr"}, "AWADDR", true},   {{"wvalid"}, "WVALID", true},
    {{"wready"}, "WREADY"},         {{"wdata"}, "WDATA", true},
    {{"wstrb"}, "WSTRB", true},     {{"bvalid"}, "BVALID"},
    {{"bready"}, "BREADY", true},   {{"bresp"}, "BRESP"},
    {{"arvalid"}, "ARVALID", true}, {{"arready"}, "ARREADY"},
    {{"araddr"}, "ARADDR", true},   {{"rvalid"}, "RVALID"},
    {{"rready"}, "RREADY", true},   {{"rdata"}, "RDATA"},
    {{"rresp"}, "RRESP"},           {{"awprot"}, NULL, true, true},
    {{"arprot"}, NULL, true, true}, {{NULL}},
};

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
    {{"sel"}, "SEL", true, true},
    {{"err"}, "ERR", false, true},
    {{"stall"}, "STALL", false, true},
    {{NULL}},
};

const struct rtl_bus rtl_buses[] = {
    {"AXI4-Lite", "bus_axil.h", axil, .address = 2, .data = 5},
    {"APB", "bus_apb.h", apb, .address = 3, .data = 4},
    {"Wishbone", "bus_wb.h", wishbone, .address = 3, .data = 4},
    {NULL},
};
