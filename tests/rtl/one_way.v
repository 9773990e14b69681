// SPDX-License-Identifier: MIT
// Masters of one direction, behind plain registers. The first sums up four words of memory: 0 ADDRESS,
// which starts it, 4 SUM. The second writes words: 0 ADDRESS, 4 LEFT, the number, which starts it.
module axi4_sum (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [2:0]  reg_addr,
    input  wire [31:0] reg_wdata,
    output wire [31:0] reg_rdata,
    output reg         m_axi_arvalid,
    input  wire        m_axi_arready,
    output reg  [31:0] m_axi_araddr,
    output wire [7:0]  m_axi_arlen,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready,
    input  wire [31:0] m_axi_rdata,
    input  wire [1:0]  m_axi_rresp,
    input  wire        m_axi_rlast,
    output wire        irq
);
    reg [31:0] sum;
    reg        busy;
    assign irq          = busy;
    assign reg_rdata    = reg_addr[2] ? sum : m_axi_araddr;
    assign m_axi_arlen  = 3;
    assign m_axi_rready = 1;
    always @(posedge clk)
        if (rst) {m_axi_arvalid, m_axi_araddr, sum, busy} <= 0;
        else begin
            if (m_axi_arready) m_axi_arvalid <= 0;
            if (reg_valid && reg_write && !reg_addr[2] && !busy) begin
                m_axi_araddr <= reg_wdata;
                {m_axi_arvalid, busy} <= 3;
                sum <= 0;
            end
            if (m_axi_rvalid) begin
                sum <= m_axi_rresp == 0 ? sum + m_axi_rdata : 32'hffffffff;
                busy <= !m_axi_rlast;
            end
        end
endmodule

module axil_fill (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [2:0]  reg_addr,
    input  wire [31:0] reg_wdata,
    output wire [31:0] reg_rdata,
    output reg         m_axi_awvalid,
    input  wire        m_axi_awready,
    output reg  [31:0] m_axi_awaddr,
    output reg         m_axi_wvalid,
    input  wire        m_axi_wready,
    output wire [31:0] m_axi_wdata,
    output wire [3:0]  m_axi_wstrb,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    input  wire [1:0]  m_axi_bresp,
    output wire        irq
);
    reg [31:0] left;
    assign irq          = left != 0;
    assign reg_rdata    = reg_addr[2] ? left : m_axi_awaddr;
    assign m_axi_wdata  = left;
    assign m_axi_wstrb  = 4'b1111;
    assign m_axi_bready = 1;
    wire       begins = reg_valid && reg_write && reg_addr[2] && reg_wdata[7:0] != 0 && left == 0;
    wire       goes_on = m_axi_bvalid && left != 1;
    always @(posedge clk)
        if (rst) {m_axi_awvalid, m_axi_awaddr, m_axi_wvalid, left} <= 0;
        else begin
            m_axi_awvalid <= begins || goes_on || (m_axi_awvalid && !m_axi_awready);
            m_axi_wvalid  <= begins || goes_on || (m_axi_wvalid && !m_axi_wready);
            if (reg_valid && reg_write && !reg_addr[2] && left == 0) m_axi_awaddr <= reg_wdata;
            if (begins) left <= reg_wdata & 255;
            if (m_axi_bvalid) begin
                left <= left - 1;
                m_axi_awaddr <= m_axi_awaddr + 4;
            end
        end
endmodule
// The same on Wishbone, by a master that has no we: it adds up four words.
module wb_sum (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [2:0]  reg_addr,
    input  wire [31:0] reg_wdata,
    output wire [31:0] reg_rdata,
    output wire        m_cyc_o,
    output wire        m_stb_o,
    output reg  [31:0] m_adr_o,
    input  wire [31:0] m_dat_i,
    input  wire        m_ack_i,
    output wire        irq
);
    reg [31:0] sum;
    reg [2:0]  left;
    assign irq       = left != 0;
    assign m_cyc_o   = irq;
    assign m_stb_o   = irq;
    assign reg_rdata = reg_addr[2] ? sum : m_adr_o;
    always @(posedge clk)
        if (rst) {m_adr_o, sum, left} <= 0;
        else if (left == 0 && reg_valid && reg_write && !reg_addr[2]) begin
            m_adr_o <= reg_wdata;
            sum     <= 0;
            left    <= 4;
        end else if (m_ack_i) begin
            m_adr_o <= m_adr_o + 4;
            sum     <= sum + m_dat_i;
            left    <= left - 1;
        end
endmodule

// And one that fills words with their numbers, the last first.
module wb_fill (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [2:0]  reg_addr,
    input  wire [31:0] reg_wdata,
    output wire [31:0] reg_rdata,
    output wire        m_cyc_o,
    output wire        m_stb_o,
    output reg  [31:0] m_adr_o,
    output wire [31:0] m_dat_o,
    input  wire        m_ack_i,
    output wire        irq
);
    reg [7:0] left;
    assign irq       = left != 0;
    assign m_cyc_o   = irq;
    assign m_stb_o   = irq;
    assign m_dat_o   = {24'b0, left};
    assign reg_rdata = reg_addr[2] ? m_dat_o : m_adr_o;
    always @(posedge clk)
        if (rst) {m_adr_o, left} <= 0;
        else if (left == 0 && reg_valid && reg_write) begin
            if (reg_addr[2]) left <= reg_wdata[7:0];
            else m_adr_o <= reg_wdata;
        end else if (m_ack_i) begin
            m_adr_o <= m_adr_o + 4;
            left    <= left - 1;
        end
endmodule
