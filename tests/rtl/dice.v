// SPDX-License-Identifier: MIT
// What cannot be copied back: random numbers, and the time. A write of N is an interrupt N cycles later,
// until the next write; 0 NEXT, 4 DICE, which rolls each 16 cycles, 8 TIME of the interrupt.
`timescale 1ns / 1ps
module dice (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [3:0]  reg_addr,
    input  wire [31:0] reg_wdata,
    output wire [31:0] reg_rdata,
    output reg         irq
);
    reg [31:0] left, rolled, at;
    reg [3:0]  count;
    assign reg_rdata = reg_addr[3] ? at : reg_addr[2] ? rolled : left;
    always @(posedge clk)
        if (rst) {left, rolled, at, count, irq} <= 0;
        else begin
            count <= count + 1;
            if (count == 0) rolled <= $random;
            if (left != 0) left <= left - 1;
            if (left == 1) begin
                irq <= 1;
                at <= $time;
            end
            if (reg_valid && reg_write) begin
                left <= reg_wdata;
                irq <= 0;
            end
        end
endmodule
