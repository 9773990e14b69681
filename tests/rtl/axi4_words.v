// SPDX-License-Identifier: MIT
// Eight words behind AXI4 with bursts and ids; the first counts down to 0 and is an interrupt until
// then. Beyond them is an error, and so is what WRAP or FIXED ask for. 1 or 2 in the last break a rule.
module axi4_words (
    input  wire        clk,
    input  wire        rst_n,
    input  wire [3:0]  awid,
    input  wire [5:0]  awaddr,
    input  wire [7:0]  awlen,
    input  wire [2:0]  awsize,
    input  wire [1:0]  awburst,
    input  wire [3:0]  awcache,
    input  wire        awvalid,
    output wire        awready,
    input  wire [31:0] wdata,
    input  wire [3:0]  wstrb,
    input  wire        wlast,
    input  wire        wvalid,
    output wire        wready,
    output reg  [3:0]  bid,
    output reg  [1:0]  bresp,
    output reg         bvalid,
    input  wire        bready,
    input  wire [3:0]  arid,
    input  wire [5:0]  araddr,
    input  wire [7:0]  arlen,
    input  wire [2:0]  arsize,
    input  wire [1:0]  arburst,
    input  wire        arvalid,
    output wire        arready,
    output reg  [3:0]  rid,
    output wire [31:0] rdata,
    output wire [1:0]  rresp,
    output wire        rlast,
    output reg         rvalid,
    input  wire        rready,
    output wire        irq
);
    reg [31:0] words [0:7];
    reg        writes;
    reg [5:0]  waddr, raddr;
    reg [7:0]  left;
    reg        bad;
    assign irq     = words[0] != 0;
    assign awready = !writes && !bvalid;
    assign wready  = writes && !bvalid;
    assign arready = !rvalid;
    assign rdata   = words[raddr[4:2]];
    assign rresp   = raddr[5] || bad ? 2'b10 : 2'b00;
    assign rlast   = left == (words[7] == 2);

    integer i;
    always @(posedge clk) begin
        if (!rst_n) begin
            for (i = 0; i < 8; i = i + 1) words[i] <= 0;
            writes <= 0;
            bvalid <= 0;
            rvalid <= 0;
            bad <= 0;
        end else begin
            if (words[0] != 0) words[0] <= words[0] - 1;
            if (awvalid && awready) begin
                writes <= 1;
                waddr <= awaddr;
                bid <= awid ^ (words[7] == 1);
                bresp <= awburst == 1 && awsize <= 2 ? 2'b00 : 2'b10;
            end
            if (wvalid && wready) begin
                for (i = 0; i < 4; i = i + 1)
                    if (wstrb[i] && !waddr[5]) words[waddr[4:2]][8*i +: 8] <= wdata[8*i +: 8];
                if (waddr[5]) bresp <= 2'b11;
                waddr <= {waddr[5:2] + 4'd1, 2'b00};
                if (wlast) begin
                    writes <= 0;
                    bvalid <= 1;
                end
            end
            if (bvalid && bready) bvalid <= 0;
            if (arvalid && arready) begin
                rvalid <= 1;
                raddr <= araddr;
                rid <= arid;
                left <= arlen;
                bad <= arburst != 1 || arsize > 2;
            end else if (rvalid && rready) begin
                raddr <= {raddr[5:2] + 4'd1, 2'b00};
                left <= left - 1;
                rvalid <= left != 0;
            end
        end
    end
endmodule
