// SPDX-License-Identifier: MIT
//
// A master for a Wishbone slave, classic or pipelined (one with a stall output). The map names the
// ports as BUS_*; those that a slave need not have are BUS_STALL and BUS_ERR (0 without), and
// BUS_SET_SEL. BUS_ADDR(a) makes the slave's address of one in bytes.
#ifndef TRESTLE_VERILATOR_BUS_WB_H
#define TRESTLE_VERILATOR_BUS_WB_H

struct Bus {
    static constexpr uint32_t width = BUS_WIDTH;
    static bool failed;

    static void idle(BUS_CORE &core)
    {
        core.BUS_CYC = core.BUS_STB = core.BUS_WE = 0;
    }

    static void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        failed = false;
        core.BUS_ADR = BUS_ADDR(todo.addr);
        core.BUS_DAT_W = todo.data;
        core.BUS_WE = todo.write;
        core.BUS_CYC = core.BUS_STB = 1;
        BUS_SET_SEL(todo.lanes)
    }

    static bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        drops_ = BUS_PIPELINED && core.BUS_STB && !BUS_STALL;
        if (!core.BUS_ACK && !BUS_ERR)
            return false;
        failed = BUS_ERR;
        todo.data = core.BUS_DAT_R;
        return true;
    }

    static void after(BUS_CORE &core)
    {
        if (drops_)
            core.BUS_STB = 0;
    }

  private:
    static bool drops_;
};
bool Bus::failed, Bus::drops_;

#endif
