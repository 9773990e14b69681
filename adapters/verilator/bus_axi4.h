// SPDX-License-Identifier: MIT
//
// A master for an AXI4 slave: one transaction at a time, address and data of a write together, and
// a burst of as many words as an access of 8 bytes takes. The map names the ports as BUS_*.
#ifndef TRESTLE_VERILATOR_BUS_AXI4_H
#define TRESTLE_VERILATOR_BUS_AXI4_H

#include "axi_ways.h"

struct Bus : trestle_rtl::outcome {
    static constexpr uint32_t width = BUS_WIDTH, widest = 8;
    static constexpr bool reads = BUS_READS, writes = BUS_WRITES;

    void idle(BUS_CORE &core)
    {
        BUS_AWVALID = BUS_WVALID = BUS_ARVALID = 0;
        BUS_BREADY = BUS_RREADY = 0;
        BUS_WLAST = 0;
    }

    void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        todo_ = todo;
        words_ = todo.size > width ? todo.size / width : 1;
        at_ = 0;
        BUS_AWID = BUS_ARID = id;
        BUS_WID = id; // AXI3 has it
        BUS_AWADDR = BUS_ARADDR = BUS_ADDRESS(todo.byte);
        BUS_AWLEN = BUS_ARLEN = words_ - 1;
        // A narrow access is a narrow transfer.
        unsigned size = trestle_rtl::log2_of(todo.size < width ? todo.size : width);
        BUS_AWSIZE = size;
        BUS_ARSIZE = size;
        BUS_AWBURST = 1; // addresses go up
        BUS_ARBURST = 1;
        BUS_AWVALID = BUS_WVALID = BUS_BREADY = todo.write;
        BUS_ARVALID = BUS_RREADY = !todo.write;
        put_word(core);
    }

    // Before an edge: notes what this edge transfers. True: the last response is transferred.
    bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        took_aw_ = BUS_AWVALID && BUS_AWREADY;
        took_w_ = BUS_WVALID && BUS_WREADY;
        took_ar_ = BUS_ARVALID && BUS_ARREADY;
        if (todo.write && BUS_BVALID && BUS_BREADY) {
            failed = BUS_BRESP >= 2; // SLVERR, DECERR
            if (BUS_HAS_BID && BUS_BID != id)
                fault = "a response has another id than its write";
            else if (BUS_AWVALID || BUS_WVALID)
                fault = "a write is answered before all of it is taken";
            return true;
        }
        if (todo.write || !BUS_RVALID || !BUS_RREADY)
            return false;
        failed |= BUS_RRESP >= 2;
        todo.data |= static_cast<uint64_t>(BUS_RDATA) << 8 * width * at_ % 64;
        if (BUS_HAS_RID && BUS_RID != id)
            fault = "a response has another id than its read";
        else if (BUS_RLAST != (at_ + 1 == words_))
            fault = "rlast comes with another word than the last";
        return ++at_ == words_;
    }

    void after(BUS_CORE &core)
    {
        if (took_aw_)
            BUS_AWVALID = 0;
        if (took_ar_)
            BUS_ARVALID = 0;
        if (took_w_ && ++at_ == words_)
            BUS_WVALID = 0;
        else if (took_w_)
            put_word(core);
    }

  private:
    static constexpr unsigned id = trestle_rtl::low_bits<BUS_BITS_AWID>(1);

    void put_word(BUS_CORE &core)
    {
        BUS_WDATA = todo_.data >> 8 * width * at_ % 64;
        BUS_WSTRB = trestle_rtl::low_bits<width>(todo_.lanes >> width * at_);
        BUS_WLAST = at_ + 1 == words_;
    }

    trestle_rtl::transaction todo_ = {};
    unsigned words_ = 0, at_ = 0;
    bool took_aw_ = false, took_w_ = false, took_ar_ = false;
};

#endif
