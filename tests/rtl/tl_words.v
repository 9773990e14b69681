// SPDX-License-Identifier: MIT
// Four words of 64 bits behind TileLink-UL, with names as Chisel gives them. The first counts down
// to 0 and is an interrupt until then. What is beyond, or does not lie as its size says, is denied.
module tl_words (
    input  wire        clock,
    input  wire        reset,
    output wire        auto_in_a_ready,
    input  wire        auto_in_a_valid,
    input  wire [2:0]  auto_in_a_bits_opcode,
    input  wire [2:0]  auto_in_a_bits_param,
    input  wire [1:0]  auto_in_a_bits_size,
    input  wire [4:0]  auto_in_a_bits_source,
    input  wire [7:0]  auto_in_a_bits_address,
    input  wire [7:0]  auto_in_a_bits_mask,
    input  wire [63:0] auto_in_a_bits_data,
    input  wire        auto_in_a_bits_corrupt,
    input  wire        auto_in_d_ready,
    output reg         auto_in_d_valid,
    output reg  [2:0]  auto_in_d_bits_opcode,
    output reg  [1:0]  auto_in_d_bits_size,
    output reg  [4:0]  auto_in_d_bits_source,
    output reg         auto_in_d_bits_denied,
    output reg  [63:0] auto_in_d_bits_data,
    output wire        auto_int_out_irq
);
    reg [63:0] words [0:3];
    reg        wait_once;
    assign auto_int_out_irq = words[0] != 0;
    assign auto_in_a_ready  = !auto_in_d_valid && wait_once;
    wire       takes = auto_in_a_valid && auto_in_a_ready;
    wire       puts  = auto_in_a_bits_opcode < 2;
    wire [7:0] wanted = ((8'd1 << (4'd1 << auto_in_a_bits_size)) - 8'd1) << auto_in_a_bits_address[2:0];
    wire       denied = auto_in_a_bits_address[7:5] != 0 || wanted != auto_in_a_bits_mask
                        || auto_in_a_bits_corrupt;
    integer i;
    always @(posedge clock) begin
        if (reset) begin
            for (i = 0; i < 4; i = i + 1) words[i] <= 0;
            auto_in_d_valid <= 0;
            wait_once <= 0;
        end else begin
            wait_once <= auto_in_a_valid && !wait_once;
            if (words[0] != 0) words[0] <= words[0] - 1;
            if (takes) begin
                auto_in_d_valid <= 1;
                auto_in_d_bits_opcode <= puts ? 0 : 1;
                auto_in_d_bits_size <= auto_in_a_bits_size;
                auto_in_d_bits_source <= auto_in_a_bits_source;
                auto_in_d_bits_denied <= denied;
                auto_in_d_bits_data <= words[auto_in_a_bits_address[4:3]];
                for (i = 0; i < 8; i = i + 1)
                    if (puts && !denied && auto_in_a_bits_mask[i])
                        words[auto_in_a_bits_address[4:3]][8*i +: 8] <= auto_in_a_bits_data[8*i +: 8];
            end else if (auto_in_d_ready)
                auto_in_d_valid <= 0;
        end
    end
endmodule
