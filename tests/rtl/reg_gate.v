// SPDX-License-Identifier: MIT
// A 16-bit counter behind plain registers: with a request, or with strobes and read data that come
// a cycle later.
module reg_gate (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [1:0]  reg_addr,
    input  wire [15:0] reg_wdata,
    input  wire [1:0]  reg_wstrb,
    output wire [15:0] reg_rdata,
    output wire        reg_ready,
    output wire        reg_error,
    output wire        irq
);
    wire taken = reg_valid && reg_ready;
    reg  half;
    assign reg_ready = half;
    assign reg_error = reg_addr[1];
    assign reg_rdata = count;
    assign irq       = count != 0;
    reg [15:0] count;
    always @(posedge clk) begin
        half <= reg_valid && !half;
        if (rst) count <= 0;
        else begin
            if (count != 0) count <= count - 1;
            if (taken && reg_write && !reg_error) begin
                if (reg_wstrb[0]) count[7:0] <= reg_wdata[7:0];
                if (reg_wstrb[1]) count[15:8] <= reg_wdata[15:8];
            end
        end
    end
endmodule

module strobe_gate (
    input  wire       clk,
    input  wire       rst,
    input  wire       wr_en,
    input  wire       rd_en,
    input  wire       addr,
    input  wire [7:0] wdata,
    output reg  [7:0] rdata,
    output reg        rvalid,
    output wire       irq
);
    reg [7:0] count, reads;
    assign irq = count != 0;
    always @(posedge clk) begin
        rvalid <= rd_en;
        if (rd_en) rdata <= addr ? reads : count;
        if (rst) begin
            count <= 0;
            reads <= 0;
        end else begin
            if (count != 0) count <= count - 1;
            if (wr_en && !addr) count <= wdata;
            if (rd_en) reads <= reads + 1;
        end
    end
endmodule
