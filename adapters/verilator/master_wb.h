// SPDX-License-Identifier: MIT
//
// The slave for a core's Wishbone master, classic or pipelined (with a stall input): guest memory,
// one word at a time. The map names the ports as MASTER_*; an address counts MASTER_UNIT bytes.
#ifndef TRESTLE_VERILATOR_MASTER_WB_H
#define TRESTLE_VERILATOR_MASTER_WB_H

#ifndef MASTER_DAT_R // it only writes
#define MASTER_WE true
#define MASTER_DAT_R trestle_rtl::nowhere()
#endif
#ifndef MASTER_DAT_W // it only reads
#define MASTER_WE false
#define MASTER_DAT_W 0
#endif

struct Master {
    enum phase { READY, WANTED, ASKED, WAITING, ANSWERING }; // in this order
    static constexpr bool is_there = true;
    static constexpr uint32_t width = MASTER_WIDTH;

    // Plain bytes, with the core's own state.
    struct state {
        uint64_t addr;
        uint64_t asked; // the cycle of the request
        uint32_t phase;
        uint32_t wait; // cycles to the answer
        bool write, failed;
        bool is_over; // the core has ended the cycle while memory was asked
        unsigned char word[width], lanes[(width + 7) / 8];
    };

    static bool wants(const state &st)
    {
        return st.phase == WANTED;
    }
    static bool rests(const state &st)
    {
        return st.phase == READY;
    }
    static bool waits(const state &st)
    {
        return st.phase == ASKED;
    }

    static void idle(MASTER_CORE &core)
    {
        drive(core, {});
    }

    // Before an edge: notes what this edge transfers. A cycle may end before its answer.
    static void before(MASTER_CORE &core, state &st)
    {
        if (st.phase == READY && MASTER_CYC && MASTER_STB) {
            st.addr = static_cast<uint64_t>(MASTER_ADR) * MASTER_UNIT / width * width;
            st.write = MASTER_WE;
            trestle_rtl::get_bytes(st.word, MASTER_DAT_W);
            trestle_rtl::get_bytes(st.lanes, MASTER_SEL);
            st.phase = WANTED;
            st.is_over = false;
        } else if (st.phase == ASKED) {
            st.is_over |= !MASTER_CYC;
        } else if (st.phase == ANSWERING || !MASTER_CYC) {
            st.phase = READY;
        }
    }

    // After the edge: sets what the master sees at the next one.
    static void after(MASTER_CORE &core, state &st)
    {
        if (st.phase == WAITING && --st.wait == 0)
            st.phase = ANSWERING;
        drive(core, st);
    }

    template <class Memory> static void serve(state &st, Memory &memory, uint64_t cycle)
    {
        st.asked = cycle;
        st.phase = ASKED;
        int r = st.write ? memory.write(cycle, st.addr, st.word, width,
                                        [&](uint32_t lane) { return has_lane(st, lane); })
                         : memory.read(cycle, st.addr, width);
        if (r != -EINPROGRESS)
            answer(st, memory, cycle, r);
    }

    // Memory has answered.
    template <class Memory>
    static void ended(state &st, Memory &memory, uint64_t cycle, bool write, int status)
    {
        if (!write && status == 0)
            std::memcpy(st.word, memory.found().data(), width);
        answer(st, memory, cycle, memory.ended(write, status));
    }

  private:
    template <class Memory>
    static void answer(state &st, Memory &memory, uint64_t cycle, int status)
    {
        st.failed = status < 0;
        st.wait = memory.wait(st.asked, cycle);
        st.phase = st.is_over ? READY : WAITING;
    }

    static bool has_lane(const state &st, uint32_t lane)
    {
        return st.lanes[lane / 8] >> lane % 8 & 1;
    }

    static void drive(MASTER_CORE &core, const state &st)
    {
        unsigned char none[width] = {};
        bool answers = st.phase == ANSWERING, fails = MASTER_HAS_ERR && st.failed;
        MASTER_ACK = answers && !fails;
        MASTER_ERR = answers && fails;
        MASTER_STALL = st.phase != READY;
        trestle_rtl::set_bytes(MASTER_DAT_R, answers && !st.write && !st.failed ? st.word : none);
    }
};

#endif
