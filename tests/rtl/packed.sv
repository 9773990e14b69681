// SPDX-License-Identifier: MIT
// Cores of other files whose buses are packed structs, one for each direction.
package packed_buses;
    typedef enum logic [2:0] {PUT_FULL = 0, PUT_PARTIAL = 1, GET = 4} opcode_t;
    typedef struct packed {logic [4:0] rsvd; logic [3:0] kind;} user_t;
    typedef struct packed {
        logic        a_valid;
        opcode_t     a_opcode;
        logic [2:0]  a_param;
        logic [1:0]  a_size;
        logic [4:0]  a_source;
        logic [7:0]  a_address;
        logic [7:0]  a_mask;
        logic [63:0] a_data;
        user_t       a_user;
        logic        d_ready;
    } tl_h2d_t;
    typedef struct packed {
        logic            d_valid;
        logic [2:0]      d_opcode;
        logic [1:0]      d_size;
        logic [4:0]      d_source;
        logic [7:0][7:0] d_data;
        logic            d_error;
        logic            a_ready;
    } tl_d2h_t;

    typedef struct packed {logic [4:0] rsvd; logic [3:0] instr_type; logic [6:0] cmd_intg; logic [6:0] data_intg;} ot_user_t;
    typedef struct packed {
        logic a_valid; logic [2:0] a_opcode; logic [2:0] a_param; logic [1:0] a_size; logic [7:0] a_source;
        logic [31:0] a_address; logic [3:0] a_mask; logic [31:0] a_data; ot_user_t a_user; logic d_ready;
    } ot_h2d_t;
    typedef struct packed {
        logic d_valid; logic [2:0] d_opcode; logic [1:0] d_size; logic [7:0] d_source; logic [31:0] d_data;
        logic d_error; logic a_ready;
    } ot_d2h_t;

    localparam int Width = 256;
    typedef struct packed {logic [4:0] addr; logic write; logic [31:0] wdata; logic valid;} reg_req_t;
    typedef struct packed {logic [31:0] rdata;} reg_rsp_t;
    typedef struct packed {
        logic [3:0] id; logic [31:0] addr; logic [7:0] len; logic [2:0] size; logic [1:0] burst; logic [2:0] prot;
    } ax_t;
    typedef struct packed {logic [Width-1:0] data; logic [Width/8-1:0] strb; logic last;} w_t;
    typedef struct packed {logic [3:0] id; logic [1:0] resp; logic user;} b_t;
    typedef struct packed {logic [3:0] id; logic [Width-1:0] data; logic [1:0] resp; logic last;} r_t;
    typedef struct packed {
        ax_t aw; logic aw_valid; w_t w; logic w_valid; logic b_ready; ax_t ar; logic ar_valid; logic r_ready;
    } axi_req_t;
    typedef struct packed {
        logic aw_ready; logic ar_ready; logic w_ready; logic b_valid; b_t b; logic r_valid; r_t r;
    } axi_resp_t;
endpackage

module packed_words import packed_buses::*; (
    input  logic    clk_i,
    input  logic    rst_i,
    input  tl_h2d_t tl_i,
    output tl_d2h_t tl_o,
    output logic    intr_o
);
    assign tl_o.a_ready = ready;
    wire ready;
    tl_words words (
        .clock(clk_i), .reset(rst_i), .auto_in_a_ready(ready), .auto_in_a_valid(tl_i.a_valid),
        .auto_in_a_bits_opcode(tl_i.a_opcode), .auto_in_a_bits_param(tl_i.a_param),
        .auto_in_a_bits_size(tl_i.a_size), .auto_in_a_bits_source(tl_i.a_source),
        .auto_in_a_bits_address(tl_i.a_address), .auto_in_a_bits_mask(tl_i.a_mask),
        .auto_in_a_bits_data(tl_i.a_data), .auto_in_a_bits_corrupt(|tl_i.a_user), .auto_in_d_ready(tl_i.d_ready),
        .auto_in_d_valid(tl_o.d_valid), .auto_in_d_bits_opcode(tl_o.d_opcode), .auto_in_d_bits_size(tl_o.d_size),
        .auto_in_d_bits_source(tl_o.d_source), .auto_in_d_bits_denied(tl_o.d_error),
        .auto_in_d_bits_data(tl_o.d_data), .auto_int_out_irq(intr_o));
endmodule

// One word, and an interrupt while its lowest bit is set. It refuses requests without OpenTitan's codes.
module packed_checked import packed_buses::*; (
    input  logic    clk_i,
    input  logic    rst_ni,
    input  ot_h2d_t tl_i,
    output ot_d2h_t tl_o,
    output logic    intr_o
);
    logic [31:0] word;
    wire [56:0]  asked = {14'b0, tl_i.a_user.instr_type, tl_i.a_address, tl_i.a_opcode, tl_i.a_mask};
    wire [6:0]   asked_code = 7'h2a ^ {
        ^(asked & 57'h1fbdda769a46910), ^(asked & 57'h1f7bb56d5525488), ^(asked & 57'h1ef76cdb2c93244),
        ^(asked & 57'h1deee3b8e388e22), ^(asked & 57'h1bde1f87e0781e1), ^(asked & 57'h17c1ff801ff801f),
        ^(asked & 57'h103fff800007fff)};
    wire [31:0]  data = tl_i.a_data;
    wire [6:0]   data_code = 7'h2a ^ {
        ^(data & 32'h98505586), ^(data & 32'h2dcc624c), ^(data & 32'hc2c1323b), ^(data & 32'h31234ed1),
        ^(data & 32'h413d89aa), ^(data & 32'hdeba8050), ^(data & 32'h2606bd25)};
    wire         puts = tl_i.a_opcode < 2;
    wire         is_good = tl_i.a_user.instr_type == 9 && tl_i.a_user.cmd_intg == asked_code
                           && (!puts || tl_i.a_user.data_intg == data_code) && tl_i.a_address < 4 && &tl_i.a_mask;
    ot_d2h_t     answer;
    assign intr_o = word[0];
    assign tl_o   = {answer[$bits(answer)-1:1], !answer.d_valid};
    always_ff @(posedge clk_i or negedge rst_ni)
        if (!rst_ni) begin
            word           <= 0;
            answer.d_valid <= 0;
        end else if (tl_i.a_valid && !answer.d_valid) begin
            answer.d_valid  <= 1;
            answer.d_size   <= 2;
            answer.d_opcode <= {2'b0, !puts};
            answer.d_source <= tl_i.a_source;
            answer.d_data   <= word;
            answer.d_error  <= !is_good;
            if (puts && is_good) word <= data;
        end else if (tl_i.d_ready) begin
            answer.d_valid <= 0;
        end
endmodule

module packed_copy import packed_buses::*; (
    input  logic      clk_i,
    input  logic      rst_ni,
    input  reg_req_t  reg_req_i,
    output reg_rsp_t  reg_rsp_o,
    output axi_req_t  axi_req_o,
    input  axi_resp_t axi_resp_i,
    output logic      irq_o
);
    axi4_copy #(.WIDTH(Width)) copy (
        .clk(clk_i), .rst_n(rst_ni), .reg_valid(reg_req_i.valid), .reg_write(reg_req_i.write),
        .reg_addr(reg_req_i.addr), .reg_wdata(reg_req_i.wdata), .reg_rdata(reg_rsp_o.rdata),
        .m_axi_awid(axi_req_o.aw.id), .m_axi_awaddr(axi_req_o.aw.addr), .m_axi_awlen(axi_req_o.aw.len),
        .m_axi_awsize(axi_req_o.aw.size), .m_axi_awburst(axi_req_o.aw.burst), .m_axi_awprot(axi_req_o.aw.prot),
        .m_axi_awvalid(axi_req_o.aw_valid), .m_axi_awready(axi_resp_i.aw_ready), .m_axi_wdata(axi_req_o.w.data),
        .m_axi_wstrb(axi_req_o.w.strb), .m_axi_wlast(axi_req_o.w.last), .m_axi_wvalid(axi_req_o.w_valid),
        .m_axi_wready(axi_resp_i.w_ready), .m_axi_bid(axi_resp_i.b.id), .m_axi_bresp(axi_resp_i.b.resp),
        .m_axi_bvalid(axi_resp_i.b_valid), .m_axi_bready(axi_req_o.b_ready), .m_axi_arid(axi_req_o.ar.id),
        .m_axi_araddr(axi_req_o.ar.addr), .m_axi_arlen(axi_req_o.ar.len), .m_axi_arsize(axi_req_o.ar.size),
        .m_axi_arburst(axi_req_o.ar.burst), .m_axi_arvalid(axi_req_o.ar_valid), .m_axi_arready(axi_resp_i.ar_ready),
        .m_axi_rid(axi_resp_i.r.id), .m_axi_rdata(axi_resp_i.r.data), .m_axi_rresp(axi_resp_i.r.resp),
        .m_axi_rlast(axi_resp_i.r.last), .m_axi_rvalid(axi_resp_i.r_valid), .m_axi_rready(axi_req_o.r_ready),
        .irq(irq_o));
    assign axi_req_o.ar.prot = 0;
endmodule
