// SPDX-License-Identifier: MIT
// Counters that more than the rising edge of the clock drives, by KIND: 0 that edge alone, 1 the falling one, 2 a clock
// that the core makes of it, 3 the clock's level as data, 4 a latch while the clock is low. Plain registers: 0 the count.
// The interrupt is bit 5 of it.
module clock_kinds #(parameter KIND = 0) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        wr_en,
    input  wire        rd_en,
    input  wire        addr,
    input  wire [31:0] wdata,
    output wire [31:0] rdata,
    output wire        irq
);
    reg [31:0] count, start;
    reg        is_new, half;
    assign rdata = count;
    assign irq   = count[5];
    wire [31:0] next = is_new ? start : count + 1;
    always @(posedge clk or negedge rst_n)
        if (!rst_n) begin
            half   <= 0;
            is_new <= 0;
            start  <= 0;
        end else begin
            half   <= !half;
            is_new <= wr_en || (KIND == 2 && is_new && !half);
            if (wr_en) start <= wdata;
        end
    generate
        if (KIND == 0) begin
            always @(posedge clk or negedge rst_n)
                if (!rst_n) count <= 0;
                else count <= next;
        end else if (KIND == 1) begin
            always @(negedge clk or negedge rst_n)
                if (!rst_n) count <= 0;
                else count <= next;
        end else if (KIND == 2) begin
            always @(posedge half or negedge rst_n)
                if (!rst_n) count <= 0;
                else count <= next;
        end else if (KIND == 3) begin
            always @(posedge clk or negedge rst_n)
                if (!rst_n) count <= 0;
                else count <= clk ? next : 7;
        end else begin
            reg [31:0] held;
            always @* if (!clk) held = next;
            always @(posedge clk or negedge rst_n)
                if (!rst_n) count <= 0;
                else count <= held;
        end
    endgenerate
endmodule
