// SPDX-License-Identifier: MIT
// Two Wishbone masters that copy words, behind Wishbone slaves with the same registers: 0 SOURCE, 4
// TARGET, 8 LEFT, the number of words, which starts it, 0xc FAILED. The first is a classic one of
// words of 32 bits, the second a pipelined one of 64 bits whose addresses count words.
module wb_copy (
    input  wire        clk_i,
    input  wire        rst_i,
    input  wire        wbs_cyc_i,
    input  wire        wbs_stb_i,
    input  wire        wbs_we_i,
    input  wire [3:0]  wbs_adr_i,
    input  wire [31:0] wbs_dat_i,
    output wire [31:0] wbs_dat_o,
    output wire        wbs_ack_o,
    output wire        wbm_cyc_o,
    output wire        wbm_stb_o,
    output wire        wbm_we_o,
    output wire [31:0] wbm_adr_o,
    output wire [31:0] wbm_dat_o,
    output wire [3:0]  wbm_sel_o,
    input  wire [31:0] wbm_dat_i,
    input  wire        wbm_ack_i,
    input  wire        wbm_err_i,
    output wire        int_o
);
    wire asks;
    assign wbm_cyc_o = asks;
    assign wbm_stb_o = asks;
    assign wbm_sel_o = 4'b1111;
    copier #(.WIDTH(32)) copier (
        .clk(clk_i), .rst(rst_i), .takes(wbs_cyc_i && wbs_stb_i), .we(wbs_we_i), .adr(wbs_adr_i[3:2]),
        .wdata(wbs_dat_i), .rdata(wbs_dat_o), .ack(wbs_ack_o), .asks(asks), .writes(wbm_we_o),
        .at(wbm_adr_o), .out(wbm_dat_o), .in(wbm_dat_i), .done(wbm_ack_i || wbm_err_i),
        .fails(wbm_err_i), .irq(int_o));
endmodule

module wb_stream (
    input  wire        i_clk,
    input  wire        i_reset,
    input  wire        i_wbs_cyc,
    input  wire        i_wbs_stb,
    input  wire        i_wbs_we,
    input  wire [3:2]  i_wbs_addr,
    input  wire [31:0] i_wbs_data,
    output wire [31:0] o_wbs_data,
    output wire        o_wbs_ack,
    output wire        o_wb_cyc,
    output reg         o_wb_stb,
    output wire        o_wb_we,
    output wire [28:0] o_wb_addr,
    output wire [63:0] o_wb_data,
    input  wire        i_wb_stall,
    input  wire        i_wb_ack,
    input  wire [63:0] i_wb_data,
    output wire        o_int
);
    wire        asks;
    wire [31:0] at;
    reg         sent;
    assign o_wb_cyc  = asks;
    assign o_wb_addr = at[31:3];
    always @* o_wb_stb = asks && !sent;
    always @(posedge i_clk)
        sent <= asks && !i_wb_ack && (sent || !i_wb_stall);
    copier #(.WIDTH(64)) copier (
        .clk(i_clk), .rst(i_reset), .takes(i_wbs_cyc && i_wbs_stb), .we(i_wbs_we), .adr(i_wbs_addr),
        .wdata(i_wbs_data), .rdata(o_wbs_data), .ack(o_wbs_ack), .asks(asks), .writes(o_wb_we),
        .at(at), .out(o_wb_data), .in(i_wb_data), .done(i_wb_ack), .fails(1'b0), .irq(o_int));
endmodule

module copier #(parameter WIDTH = 32) (
    input  wire             clk,
    input  wire             rst,
    input  wire             takes,
    input  wire             we,
    input  wire [1:0]       adr,
    input  wire [31:0]      wdata,
    output reg  [31:0]      rdata,
    output reg              ack,
    output reg              asks,
    output reg              writes,
    output wire [31:0]      at,
    output reg  [WIDTH-1:0] out,
    input  wire [WIDTH-1:0] in,
    input  wire             done,
    input  wire             fails,
    output wire             irq
);
    reg [31:0] source, target;
    reg [15:0] left;
    reg        failed, ran;
    assign at  = writes ? target : source;
    assign irq = ran && left == 0;
    always @(posedge clk) begin
        if (rst) begin
            {source, target, left, failed, ran, ack, asks, writes} <= 0;
        end else begin
            ack <= takes && !ack;
            case (adr)
                0: rdata <= source;
                1: rdata <= target;
                2: rdata <= {16'b0, left};
                3: rdata <= {31'b0, failed};
            endcase
            if (asks && done) begin
                out <= in;
                writes <= !writes;
                failed <= failed | fails;
                if (writes) begin
                    left <= left - 1;
                    source <= source + WIDTH / 8;
                    target <= target + WIDTH / 8;
                    asks <= left != 1;
                end
            end
            if (takes && !ack && we && left == 0) case (adr)
                0: source <= wdata;
                1: target <= wdata;
                2: begin
                    left <= wdata[15:0];
                    asks <= wdata[15:0] != 0;
                    {failed, ran} <= 1;
                end
                3: ran <= 0;
            endcase
        end
    end
endmodule
