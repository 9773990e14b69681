// SPDX-License-Identifier: MIT
// Slaves with half of a bus. The first only reads, from AXI4-Lite: 0 the number of reads so far, 4 a counter
// of cycles. Its interrupt is up while bit 6 of that is set.
module axil_look (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire [2:0]  s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output reg  [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output reg         s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire        irq
);
    reg [31:0] reads;
    reg [7:0]  count;
    assign s_axi_arready = !s_axi_rvalid;
    assign s_axi_rresp   = 0;
    assign irq           = count[6];
    always @(posedge aclk)
        if (!aresetn) begin
            reads        <= 0;
            count        <= 0;
            s_axi_rvalid <= 0;
        end else begin
            count <= count + 1;
            if (s_axi_arvalid && s_axi_arready) begin
                s_axi_rvalid <= 1;
                s_axi_rdata  <= s_axi_araddr[2] ? {24'b0, count} : reads;
                reads        <= reads + 1;
            end else if (s_axi_rready) begin
                s_axi_rvalid <= 0;
            end
        end
endmodule

// The other only writes, in bursts of AXI4. Its interrupt lines are the sum of the words, whatever their
// addresses are; each of them is refused if bit 4 of that is set.
module axi4_post (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire [4:0]  s_axi_awaddr,
    input  wire [3:0]  s_axi_awid,
    input  wire [7:0]  s_axi_awlen,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire        s_axi_wlast,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output reg  [3:0]  s_axi_bid,
    output reg  [1:0]  s_axi_bresp,
    output reg         s_axi_bvalid,
    input  wire        s_axi_bready,
    output reg  [7:0]  irq
);
    reg taking;
    assign s_axi_awready = !taking && !s_axi_bvalid;
    assign s_axi_wready  = taking;
    always @(posedge aclk)
        if (!aresetn) begin
            taking       <= 0;
            irq          <= 0;
            s_axi_bvalid <= 0;
        end else if (s_axi_awvalid && s_axi_awready) begin
            taking      <= 1;
            s_axi_bid   <= s_axi_awid;
            s_axi_bresp <= s_axi_awaddr[4] ? 2 : 0;
        end else if (s_axi_wvalid && s_axi_wready) begin
            irq <= irq + s_axi_wdata[7:0];
            if (s_axi_wlast) begin
                taking       <= 0;
                s_axi_bvalid <= 1;
            end
        end else if (s_axi_bready) begin
            s_axi_bvalid <= 0;
        end
endmodule
