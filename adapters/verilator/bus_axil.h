// SPDX-License-Identifier: MIT
//
// A master for an AXI4-Lite slave: one transaction at a time, address and data of a write together.
// The map names the ports as BUS_*.
#ifndef TRESTLE_VERILATOR_BUS_AXIL_H
#define TRESTLE_VERILATOR_BUS_AXIL_H

#include "axi_ways.h"

struct Bus : trestle_rtl::outcome {
    static constexpr uint32_t width = BUS_WIDTH, widest = width;
    static constexpr bool reads = BUS_READS, writes = BUS_WRITES;

    void idle(BUS_CORE &core)
    {
        BUS_AWVALID = BUS_WVALID = BUS_ARVALID = 0;
        BUS_BREADY = BUS_RREADY = 0;
    }

    void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        BUS_AWADDR = BUS_ARADDR = BUS_ADDRESS(todo.addr);
        BUS_WDATA = todo.data;
        BUS_WSTRB = todo.lanes;
        BUS_AWVALID = BUS_WVALID = BUS_BREADY = todo.write;
        BUS_ARVALID = BUS_RREADY = !todo.write;
    }

    // Before an edge: notes what this edge transfers. True: the response is transferred.
    bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        took_aw_ = BUS_AWVALID && BUS_AWREADY;
        took_w_ = BUS_WVALID && BUS_WREADY;
        took_ar_ = BUS_ARVALID && BUS_ARREADY;
        if (todo.write && BUS_BVALID && BUS_BREADY) {
            failed = BUS_BRESP >= 2; // SLVERR, DECERR
            return true;
        }
        if (!todo.write && BUS_RVALID && BUS_RREADY) {
            failed = BUS_RRESP >= 2;
            todo.data = BUS_RDATA;
            return true;
        }
        return false;
    }

    void after(BUS_CORE &core)
    {
        if (took_aw_)
            BUS_AWVALID = 0;
        if (took_w_)
            BUS_WVALID = 0;
        if (took_ar_)
            BUS_ARVALID = 0;
    }

  private:
    bool took_aw_ = false, took_w_ = false, took_ar_ = false;
};

#endif
