// SPDX-License-Identifier: MIT
//
// A master for a Wishbone slave, classic or pipelined (one with a stall output). The map names the
// ports as BUS_*; BUS_ADDRESS(a) turns an address in bytes into the slave's.
#ifndef TRESTLE_VERILATOR_BUS_WB_H
#define TRESTLE_VERILATOR_BUS_WB_H

struct Bus : trestle_rtl::outcome {
    static constexpr uint32_t width = BUS_WIDTH, widest = width;
    static constexpr bool rests_between = true; // as after each single cycle of Wishbone

    void idle(BUS_CORE &core)
    {
        BUS_CYC = BUS_STB = BUS_WE = 0;
    }

    void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        BUS_ADR = BUS_ADDRESS(todo.addr);
        BUS_DAT_W = todo.data;
        BUS_WE = todo.write;
        BUS_CYC = BUS_STB = 1;
        BUS_SEL = todo.lanes;
    }

    bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        drops_ = BUS_HAS_STALL && BUS_STB && !BUS_STALL;
        if (!BUS_ACK && !BUS_ERR)
            return false;
        failed = BUS_ERR;
        todo.data = BUS_DAT_R;
        return true;
    }

    void after(BUS_CORE &core)
    {
        if (drops_)
            BUS_STB = 0;
    }

  private:
    bool drops_ = false;
};

#endif
