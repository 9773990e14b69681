// SPDX-License-Identifier: MIT
// A serial port of 8 bits and one stop bit behind plain registers: 0 DATA, which sends and takes what has
// come, 4 STATUS, bit 0 while a frame goes out, bit 1 while something has come, which is an interrupt.
module uart #(parameter DIVISOR = 868) (
    input  wire       clk,
    input  wire       rst,
    input  wire       reg_valid,
    input  wire       reg_write,
    input  wire [2:0] reg_addr,
    input  wire [7:0] reg_wdata,
    output wire [7:0] reg_rdata,
    output wire       txd,
    input  wire       rxd,
    output wire       irq
);
    reg [15:0] tx_left, rx_left;
    reg [9:0]  tx_frame;
    reg [3:0]  tx_bits, rx_bits;
    reg [7:0]  rx_frame, data;
    reg [1:0]  rx;
    reg        has_data;
    assign txd       = tx_bits == 0 || tx_frame[0];
    assign irq       = has_data;
    assign reg_rdata = reg_addr[2] ? {6'b0, has_data, tx_bits != 0} : data;
    always @(posedge clk)
        if (rst) begin
            {tx_bits, rx_bits, has_data} <= 0;
            rx <= 3;
        end else begin
            if (tx_bits != 0) begin
                tx_left <= tx_left - 1;
                if (tx_left == 0) begin
                    tx_left <= DIVISOR - 1;
                    tx_frame <= {1'b1, tx_frame[9:1]};
                    tx_bits <= tx_bits - 1;
                end
            end else if (reg_valid && reg_write && reg_addr == 0) begin
                tx_left <= DIVISOR - 1;
                tx_frame <= {1'b1, reg_wdata, 1'b0};
                tx_bits <= 10;
            end
            rx <= {rx[0], rxd};
            if (rx_bits == 0 && !rx[1]) begin
                rx_bits <= 10;
                rx_left <= DIVISOR / 2;
            end else if (rx_bits != 0) begin
                rx_left <= rx_left - 1;
                if (rx_left == 0) begin
                    rx_left <= DIVISOR - 1;
                    rx_bits <= rx_bits - 1;
                    if (rx_bits == 1) begin
                        data <= rx_frame;
                        has_data <= rx[1];
                    end else
                        rx_frame <= {rx[1], rx_frame[7:1]};
                end
            end
            if (reg_valid && !reg_write && reg_addr == 0) has_data <= 0;
        end
endmodule
