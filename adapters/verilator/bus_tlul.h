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
        protect(core);
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
    // A bit for each mask: the parity of the bits under it. Every other bit is inverted.
    static unsigned check_bits(uint64_t number, const uint64_t (&masks)[7])
    {
        unsigned bits = 0;
        for (unsigned i = 0; i < 7; i++)
            bits |= static_cast<unsigned>(__builtin_parityll(number & masks[i])) << i;
        return bits ^ 0x2a;
    }

    // Adds what OpenTitan's cores expect on their buses of 32 bits: Hsiao codes of the request and
    // of its data.
    static void protect(BUS_CORE &core)
    {
        static constexpr uint64_t of_request[] = {
            0x0103fff800007fff, 0x017c1ff801ff801f, 0x01bde1f87e0781e1, 0x01deee3b8e388e22,
            0x01ef76cdb2c93244, 0x01f7bb56d5525488, 0x01fbdda769a46910};
        static constexpr uint64_t of_data[] = {0x2606bd25, 0xdeba8050, 0x413d89aa, 0x31234ed1,
                                               0xc2c1323b, 0x2dcc624c, 0x98505586};
        enum { IS_DATA = 9 }; // not an instruction
        BUS_A_INSTR_TYPE = IS_DATA;
        BUS_A_CMD_INTG = check_bits(BUS_A_MASK | static_cast<uint64_t>(BUS_A_OPCODE) << 4 |
                                        static_cast<uint64_t>(BUS_A_ADDRESS) << 7 |
                                        static_cast<uint64_t>(IS_DATA) << 39,
                                    of_request);
        BUS_A_DATA_INTG = check_bits(BUS_A_DATA, of_data);
    }

    static constexpr unsigned id = trestle_rtl::low_bits<BUS_BITS_A_SOURCE>(1);
    bool took_a_ = false;
};

#endif
