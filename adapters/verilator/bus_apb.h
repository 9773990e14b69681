// SPDX-License-Identifier: MIT
//
// A master for an APB3 or APB4 slave. The map names the ports as BUS_*.
#ifndef TRESTLE_VERILATOR_BUS_APB_H
#define TRESTLE_VERILATOR_BUS_APB_H

struct Bus : trestle_rtl::outcome {
    static constexpr uint32_t width = BUS_WIDTH, widest = width;

    void idle(BUS_CORE &core)
    {
        BUS_PSEL = BUS_PENABLE = BUS_PWRITE = 0;
    }

    void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        BUS_PADDR = BUS_ADDRESS(todo.addr);
        BUS_PWDATA = todo.data;
        BUS_PWRITE = todo.write;
        BUS_PSEL = 1;
        BUS_PENABLE = 0;
        BUS_PSTRB = todo.write ? todo.lanes : 0;
    }

    bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        if (!BUS_PENABLE || !BUS_PREADY)
            return false;
        failed = BUS_PSLVERR;
        todo.data = BUS_PRDATA;
        return true;
    }

    void after(BUS_CORE &core)
    {
        BUS_PENABLE = 1;
    }
};

#endif
