// SPDX-License-Identifier: MIT
// A pipelined Wishbone slave with a stall, an error, and a level that falls by itself.
module wb_fade (
    input  wire        i_clk,
    input  wire        i_reset,
    input  wire        i_wb_cyc,
    input  wire        i_wb_stb,
    input  wire        i_wb_we,
    input  wire [3:0]  i_wb_addr,
    input  wire [31:0] i_wb_data,
    input  wire [3:0]  i_wb_sel,
    output wire        o_wb_stall,
    output reg         o_wb_ack,
    output reg         o_wb_err,
    output reg  [31:0] o_wb_data,
    output wire        o_int
);
    reg [15:0] level;
    reg [1:0]  busy;
    assign o_int = level != 0;
    assign o_wb_stall = busy != 0;
    wire take = i_wb_cyc && i_wb_stb && !o_wb_stall;
    always @(posedge i_clk) begin
        if (i_reset) begin
            level <= 0;
            busy <= 0;
            o_wb_ack <= 0;
            o_wb_err <= 0;
        end else begin
            if (level != 0) level <= level - 1;
            busy <= take ? 2 : busy != 0 ? busy - 1 : 0;
            o_wb_ack <= take && i_wb_addr[3:2] == 0;
            o_wb_err <= take && i_wb_addr[3:2] != 0;
            o_wb_data <= {16'b0, level};
            if (take && i_wb_we && i_wb_sel[0] && i_wb_addr[3:2] == 0) level <= i_wb_data[15:0];
        end
    end
endmodule
