// SPDX-License-Identifier: MIT
//
// A master for an APB3 or APB4 slave. The map names the ports as BUS_*; those that a slave need not
// have are BUS_PREADY, BUS_PSLVERR (1 and 0 without) and BUS_SET_PSTRB.
#ifndef TRESTLE_VERILATOR_BUS_APB_H
#define TRESTLE_VERILATOR_BUS_APB_H

struct Bus {
    static constexpr uint32_t width = BUS_WIDTH;
    static bool failed;

    static void idle(BUS_CORE &core)
    {
        core.BUS_PSEL = core.BUS_PENABLE = core.BUS_PWRITE = 0;
    }

    static void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        failed = false;
        core.BUS_PADDR = todo.addr;
        core.BUS_PWDATA = todo.data;
        core.BUS_PWRITE = todo.write;
        core.BUS_PSEL = 1;
        core.BUS_PENABLE = 0;
        BUS_SET_PSTRB(todo.write ? todo.lanes : 0)
    }

    static bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        if (!core.BUS_PENABLE || !BUS_PREADY)
            return false;
        failed = BUS_PSLVERR;
        todo.data = core.BUS_PRDATA;
        return true;
    }

    static void after(BUS_CORE &core)
    {
        core.BUS_PENABLE = 1;
    }
};
bool Bus::failed;

#endif
