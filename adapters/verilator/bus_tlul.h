// SPDX-License-Identifier: MIT
//
// A master for a TileLink-UL slave: one request at a time. The map names the ports as BUS_*.
#ifndef TRESTLE_VERILATOR_BUS_TLUL_H
#define TRESTLE_VERILATOR_BUS_TLUL_H

struct Bus : trestle_rtl::outcome {
    static constexpr uint32_t width = BUS_WIDTH, widest = width;

    void idle(BUS_CORE &core)
    {
        BUS_A_VALID = BUS_D_READY = 0;
    }

    void begin(BUS_CORE &core, const trestle_rtl::transaction &todo)
    {
        enum { PUT_FULL = 0, GET = 4 };
        BUS_A_OPCODE = todo.write ? PUT_FULL : GET;
        BUS_A_SIZE = trestle_rtl::log2_of(todo.size);
        BUS_A_SOURCE = id;
        BUS_A_ADDRESS = BUS_ADDRESS(todo.byte);
        BUS_A_MASK = todo.lanes;
        BUS_A_DATA = todo.data;
        BUS_A_VALID = BUS_D_READY = 1;
    }

    bool step(BUS_CORE &core, trestle_rtl::transaction &todo)
    {
        took_a_ = BUS_A_VALID && BUS_A_READY;
        if (!BUS_D_VALID)
            return false;
        failed = BUS_D_DENIED || BUS_D_CORRUPT;
        todo.data = BUS_D_DATA;
        if (BUS_HAS_D_SOURCE && BUS_D_SOURCE != id)
            fault = "a response has another source than its request";
        else if (BUS_D_OPCODE != !todo.write)
            fault = "a response is not that of its request";
        else if (BUS_A_VALID && !took_a_)
            fault = "a request is answered before it is taken";
        return true;
    }

    void after(BUS_CORE &core)
    {
        if (took_a_)
            BUS_A_VALID = 0;
    }

  private:
    static constexpr unsigned id = trestle_rtl::low_bits<BUS_BITS_A_SOURCE>(1);
    bool took_a_ = false;
};

#endif
