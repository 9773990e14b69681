// SPDX-License-Identifier: MIT
// A down-counter with an interrupt behind AXI4-Lite.
module ticker (
    input  wire        s_axi_aclk,
    input  wire        s_axi_aresetn,
    input  wire [3:0]  s_axi_awaddr,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output reg  [1:0]  s_axi_bresp,
    output reg         s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [3:0]  s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output reg  [31:0] s_axi_rdata,
    output reg  [1:0]  s_axi_rresp,
    output reg         s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire        irq
);
    // 0x0 LOAD   RW  cycles until the interrupt; a write starts
    // 0x4 COUNT  R   cycles that are left
    // 0x8 STATUS RW  1: over; a write of 1 acknowledges
    // 0xc is an error
    reg [31:0] load, count;
    reg        running, done;
    assign irq = done;

    wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
    wire read  = s_axi_arvalid && !s_axi_rvalid;
    assign s_axi_awready = write;
    assign s_axi_wready  = write;
    assign s_axi_arready = read;

    integer i;
    always @(posedge s_axi_aclk) begin
        if (!s_axi_aresetn) begin
            load <= 0;
            count <= 0;
            running <= 0;
            done <= 0;
            s_axi_bvalid <= 0;
            s_axi_rvalid <= 0;
        end else begin
            if (running) begin
                count <= count - 1;
                if (count == 1) begin
                    running <= 0;
                    done <= 1;
                end
            end
            if (write) begin
                s_axi_bvalid <= 1;
                s_axi_bresp <= s_axi_awaddr[3:2] == 3 ? 2'b10 : 2'b00;
                if (s_axi_awaddr[3:2] == 0) begin
                    for (i = 0; i < 4; i = i + 1)
                        if (s_axi_wstrb[i]) begin
                            load[8*i +: 8] <= s_axi_wdata[8*i +: 8];
                            count[8*i +: 8] <= s_axi_wdata[8*i +: 8];
                        end
                    running <= 1;
                end
                if (s_axi_awaddr[3:2] == 2 && s_axi_wdata[0])
                    done <= 0;
            end else if (s_axi_bready)
                s_axi_bvalid <= 0;
            if (read) begin
                s_axi_rvalid <= 1;
                s_axi_rresp <= s_axi_araddr[3:2] == 3 ? 2'b10 : 2'b00;
                case (s_axi_araddr[3:2])
                    0: s_axi_rdata <= load;
                    1: s_axi_rdata <= count;
                    default: s_axi_rdata <= {31'b0, done};
                endcase
            end else if (s_axi_rready)
                s_axi_rvalid <= 0;
        end
    end
endmodule
