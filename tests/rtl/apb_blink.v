// SPDX-License-Identifier: MIT
// Never at rest: a free-running counter, whose carry is an interrupt of one cycle, behind APB with a
// wait state and byte strobes.
module apb_blink #(parameter BITS = 6) (
    input  wire        pclk,
    input  wire        presetn,
    input  wire        psel,
    input  wire        penable,
    input  wire        pwrite,
    input  wire [7:0]  paddr,
    input  wire [31:0] pwdata,
    input  wire [3:0]  pstrb,
    output reg         pready,
    output wire        pslverr,
    output reg  [31:0] prdata,
    input  wire        spare,
    output reg  [1:0]  interrupt_o
);
    reg [BITS-1:0] count;
    reg [31:0]     word;
    assign pslverr = pready && paddr[7:4] != 0;
    always @(posedge pclk) begin
        if (!presetn) begin
            count <= 0;
            word <= 0;
            pready <= 0;
            interrupt_o <= 0;
        end else begin
            count <= count + 1;
            interrupt_o[0] <= &count;
            interrupt_o[1] <= word[0] & spare;
            pready <= psel && penable && !pready;
            prdata <= paddr[2] ? word : {{(32-BITS){1'b0}}, count};
            if (psel && penable && !pready && pwrite && paddr[7:2] == 1) begin
                if (pstrb[0]) word[7:0] <= pwdata[7:0];
                if (pstrb[1]) word[15:8] <= pwdata[15:8];
                if (pstrb[2]) word[23:16] <= pwdata[23:16];
                if (pstrb[3]) word[31:24] <= pwdata[31:24];
            end
        end
    end
endmodule
