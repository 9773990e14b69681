// SPDX-License-Identifier: MIT
// A classic Wishbone slave that takes an access when stb has risen: of a single cycle of the bus, behind
// which stb is low for one. 0 WORD, which is an interrupt while it is not 0.
module wb_edge (
    input  wire        wb_clk_i,
    input  wire        wb_rst_i,
    input  wire        wb_cyc_i,
    input  wire        wb_stb_i,
    input  wire        wb_we_i,
    input  wire [3:0]  wb_adr_i,
    input  wire [31:0] wb_dat_i,
    output reg  [31:0] wb_dat_o,
    output reg         wb_ack_o,
    output wire        irq
);
    reg [31:0] word;
    reg        was;
    wire       asks = wb_cyc_i && wb_stb_i;
    assign irq = word != 0;
    always @(posedge wb_clk_i)
        if (wb_rst_i) {word, was, wb_ack_o} <= 0;
        else begin
            was <= asks;
            wb_ack_o <= asks && !wb_ack_o;
            wb_dat_o <= word;
            if (asks && !was && wb_we_i) word <= wb_dat_i;
        end
endmodule
