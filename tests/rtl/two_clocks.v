// SPDX-License-Identifier: MIT
// A counter with a clock of its own, behind plain registers with another: 0 COUNT, 4 MATCH. When the
// counter is at MATCH there is an interrupt until MATCH is written again.
module two_clocks (
    input  wire        clk,
    input  wire        rst,
    input  wire        tick_clk,
    input  wire        tick_rst_n,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [2:0]  reg_addr,
    input  wire [31:0] reg_wdata,
    output wire [31:0] reg_rdata,
    output reg         irq
);
    reg [31:0] count, match;
    reg        hit, seen;
    reg [1:0]  hits;
    assign reg_rdata = reg_addr[2] ? match : count;
    always @(posedge tick_clk)
        if (!tick_rst_n) {count, hit} <= 0;
        else begin
            count <= count + 1;
            if (count == match) hit <= !hit;
        end
    always @(posedge clk)
        if (rst) {match, hits, seen, irq} <= 0;
        else begin
            hits <= {hits[0], hit};
            seen <= hits[1];
            if (hits[1] != seen) irq <= 1;
            if (reg_valid && reg_write && reg_addr[2]) begin
                match <= reg_wdata;
                irq <= 0;
            end
        end
endmodule
