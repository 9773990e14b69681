// SPDX-License-Identifier: MIT
// Says something each 64 cycles, and when it is written.
module talker (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [2:0]  reg_addr,
    input  wire [31:0] reg_wdata,
    output wire [31:0] reg_rdata,
    output wire        irq
);
    reg [31:0] count;
    assign reg_rdata = count;
    assign irq       = count[5];
    always @(posedge clk)
        if (rst) count <= 0;
        else begin
            count <= count + 1;
            if (reg_valid && reg_write) $display("%m: written: %0d", reg_wdata);
            if (count[5:0] == 63) $write("at ");
            if (count[5:0] == 0 && count != 0) $write("%0d\n", count);
        end
endmodule
