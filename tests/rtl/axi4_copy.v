// SPDX-License-Identifier: MIT
// An AXI4 master that reads bursts from memory into 16 words, and writes them from there, behind
// plain registers: 0 SOURCE, 4 TARGET, 8 SHAPE, 0xc GO and STATUS, 0x10 CYCLES of the last of them,
// 0x14 PERIOD, after which it starts again by itself.
module axi4_copy #(parameter WIDTH = 64) (
    input  wire               clk,
    input  wire               rst_n,
    input  wire               reg_valid,
    input  wire               reg_write,
    input  wire [4:0]         reg_addr,
    input  wire [31:0]        reg_wdata,
    output reg  [31:0]        reg_rdata,
    output reg  [3:0]         m_axi_awid,
    output wire [31:0]        m_axi_awaddr,
    output wire [7:0]         m_axi_awlen,
    output wire [2:0]         m_axi_awsize,
    output wire [1:0]         m_axi_awburst,
    output wire [2:0]         m_axi_awprot,
    output reg                m_axi_awvalid,
    input  wire               m_axi_awready,
    output wire [WIDTH-1:0]   m_axi_wdata,
    output wire [WIDTH/8-1:0] m_axi_wstrb,
    output wire               m_axi_wlast,
    output reg                m_axi_wvalid,
    input  wire               m_axi_wready,
    input  wire [3:0]         m_axi_bid,
    input  wire [1:0]         m_axi_bresp,
    input  wire               m_axi_bvalid,
    output wire               m_axi_bready,
    output reg  [3:0]         m_axi_arid,
    output wire [31:0]        m_axi_araddr,
    output wire [7:0]         m_axi_arlen,
    output wire [2:0]         m_axi_arsize,
    output wire [1:0]         m_axi_arburst,
    output reg                m_axi_arvalid,
    input  wire               m_axi_arready,
    input  wire [3:0]         m_axi_rid,
    input  wire [WIDTH-1:0]   m_axi_rdata,
    input  wire [1:0]         m_axi_rresp,
    input  wire               m_axi_rlast,
    input  wire               m_axi_rvalid,
    output wire               m_axi_rready,
    output wire               irq
);
    // SHAPE: 3:0 words less one, 6:4 their size, 9:8 kind of burst, 31:16 strobes of each word; bit
    // 10 is a last word too early, and bit 11 a reader that pauses.
    reg [31:0] source, target, shape, cycles, period, left;
    reg [WIDTH-1:0] words [0:15];
    reg [3:0]  got, put;
    reg        reads, writes, done, mixed, pause;
    reg [1:0]  rresp, bresp;
    wire       go = reg_valid && reg_write && reg_addr[4:2] == 3 && !reads && !writes;
    wire       again = period != 0 && left == 1 && !reads && !writes;
    assign irq           = done;
    assign m_axi_araddr  = source;
    assign m_axi_arlen   = {4'b0, shape[3:0]};
    assign m_axi_arsize  = shape[6:4];
    assign m_axi_arburst = shape[9:8];
    assign m_axi_rready  = reads && !m_axi_arvalid && !pause;
    assign m_axi_awaddr  = target;
    assign m_axi_awlen   = {4'b0, shape[3:0]};
    assign m_axi_awsize  = shape[6:4];
    assign m_axi_awburst = shape[9:8];
    assign m_axi_awprot  = 3'b010;
    assign m_axi_wdata   = words[put];
    assign m_axi_wstrb   = {(WIDTH/8+15)/16{shape[31:16]}} >> 0;
    assign m_axi_wlast   = put == (shape[10] ? 4'd0 : shape[3:0]);
    assign m_axi_bready  = 1;
    always @* case (reg_addr[4:2])
        0: reg_rdata = source;
        1: reg_rdata = target;
        2: reg_rdata = shape;
        3: reg_rdata = {25'b0, mixed, bresp, rresp, writes, reads};
        4: reg_rdata = cycles;
        default: reg_rdata = words[reg_addr[2] ? 1 : 0][31:0];
    endcase
    always @(posedge clk) begin
        if (!rst_n) begin
            {m_axi_awvalid, m_axi_wvalid, m_axi_arvalid} <= 0;
            {reads, writes, done, mixed, pause, rresp, bresp} <= 0;
            {source, target, shape, cycles, period, left} <= 0;
            {m_axi_arid, m_axi_awid, got, put} <= 0;
        end else begin
            pause <= shape[11] && !pause;
            if (left != 0) left <= left - 1;
            if (left == 0 || again) left <= period;
            if (reads || writes) cycles <= cycles + 1;
            if (reg_valid && reg_write && !reads && !writes) case (reg_addr[4:2])
                0: source <= reg_wdata;
                1: target <= reg_wdata;
                2: shape <= reg_wdata;
                5: period <= reg_wdata;
                default: ;
            endcase
            if (reg_valid && !reg_write && reg_addr[4:2] == 3) done <= 0;
            if (go || again) begin
                cycles <= 0;
                {mixed, rresp, bresp} <= 0;
                if (again || reg_wdata[0]) begin
                    {reads, m_axi_arvalid} <= 3;
                    m_axi_arid <= m_axi_arid + 1;
                    got <= 0;
                end
                if (again || reg_wdata[1]) begin
                    {writes, m_axi_awvalid, m_axi_wvalid} <= 7;
                    m_axi_awid <= m_axi_awid + 3;
                    put <= 0;
                end
            end
            if (m_axi_arvalid && m_axi_arready) m_axi_arvalid <= 0;
            if (m_axi_rvalid && m_axi_rready) begin
                words[got] <= m_axi_rdata;
                got <= got + 1;
                rresp <= rresp | m_axi_rresp;
                if (m_axi_rid != m_axi_arid || m_axi_rlast != (got == shape[3:0])) mixed <= 1;
                if (got == shape[3:0]) begin
                    reads <= 0;
                    done <= 1;
                end
            end
            if (m_axi_awvalid && m_axi_awready) m_axi_awvalid <= 0;
            if (m_axi_wvalid && m_axi_wready) begin
                put <= put + 1;
                if (m_axi_wlast) m_axi_wvalid <= 0;
            end
            if (m_axi_bvalid && m_axi_bready) begin
                bresp <= m_axi_bresp;
                if (m_axi_bid != m_axi_awid) mixed <= 1;
                writes <= 0;
                done <= 1;
            end
        end
    end
endmodule
