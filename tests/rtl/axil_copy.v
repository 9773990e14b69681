// SPDX-License-Identifier: MIT
// An AXI4-Lite master that copies words, and the AXI4-Lite slave for its registers: 0 SOURCE, 4 TARGET,
// 8 LEFT, the number of words, which starts it, 0xc FAILED, whether the last copy has met an error.
module axil_copy (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire [3:0]  s_axi_awaddr,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [1:0]  s_axi_bresp,
    output reg         s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [3:0]  s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output reg  [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output reg         s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire [31:0] m_axi_awaddr,
    output wire [2:0]  m_axi_awprot,
    output reg         m_axi_awvalid,
    input  wire        m_axi_awready,
    output reg  [31:0] m_axi_wdata,
    output wire [3:0]  m_axi_wstrb,
    output reg         m_axi_wvalid,
    input  wire        m_axi_wready,
    input  wire [1:0]  m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    output wire [31:0] m_axi_araddr,
    output wire [2:0]  m_axi_arprot,
    output reg         m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [31:0] m_axi_rdata,
    input  wire [1:0]  m_axi_rresp,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready,
    output wire        irq
);
    reg [31:0] source, target;
    reg [15:0] left;
    reg        failed, ran;
    wire       busy = left != 0;
    assign irq           = ran && !busy;
    // The registers: an answer in the next cycle, and one for reads of LEFT only when it is 0.
    wire       puts = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
    wire       gets = s_axi_arvalid && !s_axi_rvalid && !(s_axi_araddr[3:2] == 2 && busy);
    assign s_axi_awready = puts;
    assign s_axi_wready  = puts;
    assign s_axi_arready = gets;
    assign s_axi_bresp   = 0;
    assign s_axi_rresp   = 0;
    assign m_axi_awaddr  = target;
    assign m_axi_awprot  = 0;
    assign m_axi_wstrb   = 4'b1111;
    assign m_axi_bready  = 1;
    assign m_axi_araddr  = source;
    assign m_axi_arprot  = 0;
    assign m_axi_rready  = 1;
    wire       begins = puts && s_axi_awaddr[3:2] == 2 && !busy && s_axi_wdata[15:0] != 0;
    wire       written = m_axi_bvalid && busy;
    wire       goes_on = written && left != 1;
    always @(posedge aclk) begin
        if (!aresetn) begin
            {s_axi_bvalid, s_axi_rvalid, m_axi_awvalid, m_axi_wvalid, m_axi_arvalid} <= 0;
            {source, target, left, failed, ran} <= 0;
        end else begin
            if (s_axi_bready) s_axi_bvalid <= 0;
            if (s_axi_rready) s_axi_rvalid <= 0;
            if (puts) begin
                s_axi_bvalid <= 1;
                if (!busy) case (s_axi_awaddr[3:2])
                    0: source <= s_axi_wdata;
                    1: target <= s_axi_wdata;
                    2: left <= s_axi_wdata[15:0];
                    3: ran <= 0;
                endcase
            end
            if (gets) begin
                s_axi_rvalid <= 1;
                case (s_axi_araddr[3:2])
                    0: s_axi_rdata <= source;
                    1: s_axi_rdata <= target;
                    2: s_axi_rdata <= {16'b0, left};
                    3: s_axi_rdata <= {31'b0, failed};
                endcase
            end
            if (begins) {failed, ran} <= 1;
            m_axi_arvalid <= begins || goes_on || (m_axi_arvalid && !m_axi_arready);
            if (m_axi_rvalid && busy) begin
                m_axi_wdata <= m_axi_rdata;
                {m_axi_awvalid, m_axi_wvalid} <= 3;
                if (m_axi_rresp != 0) failed <= 1;
            end
            if (m_axi_awvalid && m_axi_awready) m_axi_awvalid <= 0;
            if (m_axi_wvalid && m_axi_wready) m_axi_wvalid <= 0;
            if (written) begin
                left <= left - 1;
                source <= source + 4;
                target <= target + 4;
                if (m_axi_bresp != 0) failed <= 1;
            end
        end
    end
endmodule
