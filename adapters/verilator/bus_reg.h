// SPDX-License-Identifier: MIT
//
// A master for plain registers: a request with a direction, or strobes to read and to write. The
// master holds them until the core is ready. Read data comes in that cycle, or with a strobe of its
// own. The map names the ports as BUS_*.
#ifndef TRESTLE_VERILATOR_BUS_REG_H
#define TRESTLE_VERILATOR_BUS_REG_H

struct Bus : trestle_rtl::outcome {
    static constexpr uint32_t width = BUS_WIDTH, widest = width;

    void idle(BUS_CORE &core)
    {
        BUS_REQ = 0;
        BUS_READ = 0;
        BUS_WRITE = 0;
        BUS_STRB = 0;
    }

    void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        BUS_ADDR = BUS_ADDRESS(todo.addr);
        BUS_WDATA = todo.data;
        BUS_STRB = todo.write ? todo.lanes : 0;
        BUS_WRITE = todo.write;
        BUS_READ = !todo.write;
        BUS_REQ = 1;
        is_taken_ = false;
    }

    bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        bool takes = !is_taken_ && BUS_READY && !BUS_WAIT;
        is_taken_ |= takes;
        if (takes)
            failed = BUS_ERROR;
        if (is_taken_ && !todo.write && BUS_RVALID)
            todo.data = BUS_RDATA;
        return is_taken_ && (todo.write || BUS_RVALID);
    }

    void after(BUS_CORE &core)
    {
        if (is_taken_)
            idle(core);
    }

  private:
    bool is_taken_ = false;
};

#endif
