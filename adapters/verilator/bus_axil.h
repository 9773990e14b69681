// SPDX-License-Identifier: MIT
//
// A master for an AXI4-Lite slave: one transaction at a time, address and data of a write together.
// The map names the ports as BUS_*.
#ifndef TRESTLE_VERILATOR_BUS_AXIL_H
#define TRESTLE_VERILATOR_BUS_AXIL_H

struct Bus {
    static constexpr uint32_t width = BUS_WIDTH;
    static bool failed;

    static void idle(BUS_CORE &core)
    {
        core.BUS_AWVALID = core.BUS_WVALID = core.BUS_ARVALID = 0;
        core.BUS_BREADY = core.BUS_RREADY = 0;
    }

    static void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        failed = false;
        core.BUS_AWADDR = core.BUS_ARADDR = todo.addr;
        core.BUS_WDATA = todo.data;
        core.BUS_WSTRB = todo.lanes;
        core.BUS_AWVALID = core.BUS_WVALID = core.BUS_BREADY = todo.write;
        core.BUS_ARVALID = core.BUS_RREADY = !todo.write;
    }

    // Before an edge: what is taken with it. True: the response is.
    static bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        took_aw_ = core.BUS_AWVALID && core.BUS_AWREADY;
        took_w_ = core.BUS_WVALID && core.BUS_WREADY;
        took_ar_ = core.BUS_ARVALID && core.BUS_ARREADY;
        if (todo.write && core.BUS_BVALID && core.BUS_BREADY) {
            failed = core.BUS_BRESP >= 2; // SLVERR, DECERR
            return true;
        }
        if (!todo.write && core.BUS_RVALID && core.BUS_RREADY) {
            failed = core.BUS_RRESP >= 2;
            todo.data = core.BUS_RDATA;
            return true;
        }
        return false;
    }

    static void after(BUS_CORE &core)
    {
        if (took_aw_)
            core.BUS_AWVALID = 0;
        if (took_w_)
            core.BUS_WVALID = 0;
        if (took_ar_)
            core.BUS_ARVALID = 0;
    }

  private:
    static bool took_aw_, took_w_, took_ar_;
};
bool Bus::failed, Bus::took_aw_, Bus::took_w_, Bus::took_ar_;

#endif
