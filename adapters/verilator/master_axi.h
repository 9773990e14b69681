// SPDX-License-Identifier: MIT
//
// The slave for a core's AXI4 or AXI4-Lite master: guest memory, one burst at a time in each
// direction. The map names the ports as MASTER_*.
#ifndef TRESTLE_VERILATOR_MASTER_AXI_H
#define TRESTLE_VERILATOR_MASTER_AXI_H

#if defined(MASTER_AWLEN) || defined(MASTER_ARLEN)
#define MASTER_BEATS 256
#else // AXI4-Lite
#define MASTER_BEATS 1
#endif
#ifndef MASTER_AWVALID // it only reads
#define MASTER_AWVALID 0
#define MASTER_AWREADY trestle_rtl::nowhere()
#define MASTER_AWADDR 0
#define MASTER_WVALID 0
#define MASTER_WREADY trestle_rtl::nowhere()
#define MASTER_WDATA 0
#define MASTER_WSTRB 0
#define MASTER_BVALID trestle_rtl::nowhere()
#define MASTER_BREADY 0
#define MASTER_BRESP trestle_rtl::nowhere()
#endif
#ifndef MASTER_AWLEN
#define MASTER_AWLEN 0
#define MASTER_AWSIZE trestle_rtl::log2_of(MASTER_WIDTH)
#define MASTER_AWBURST 1
#define MASTER_AWID 0
#define MASTER_WLAST 1
#define MASTER_BID trestle_rtl::nowhere()
#endif
#ifndef MASTER_ARVALID // it only writes
#define MASTER_ARVALID 0
#define MASTER_ARREADY trestle_rtl::nowhere()
#define MASTER_ARADDR 0
#define MASTER_RVALID trestle_rtl::nowhere()
#define MASTER_RREADY 0
#define MASTER_RDATA trestle_rtl::nowhere()
#define MASTER_RRESP trestle_rtl::nowhere()
#endif
#ifndef MASTER_ARLEN
#define MASTER_ARLEN 0
#define MASTER_ARSIZE trestle_rtl::log2_of(MASTER_WIDTH)
#define MASTER_ARBURST 1
#define MASTER_ARID 0
#define MASTER_RID trestle_rtl::nowhere()
#define MASTER_RLAST trestle_rtl::nowhere()
#endif

struct Master {
    // In this order: READY, TAKING a write's words, WANTED, ASKED of memory, WAITING, ANSWERING.
    enum phase { READY, TAKING, WANTED, ASKED, WAITING, ANSWERING };
    enum kind { FIXED, INCR, WRAP };
    enum response { OKAY, SLVERR = 2, DECERR };
    static constexpr bool is_there = true;
    static constexpr uint32_t width = MASTER_WIDTH, page = 4096; // no burst crosses a page
    static constexpr uint32_t most = MASTER_BEATS * width < page ? MASTER_BEATS * width : page;

    struct burst {
        uint64_t base, id;
        uint64_t asked;    // the cycle of the request
        const char *fault; // a rule of the bus that the core broke, or NULL
        uint32_t phase, kind, response;
        uint32_t wait;      // cycles to the first answer
        uint32_t beats, at; // how many, and which comes next
        uint32_t step;      // bytes of one
        uint32_t first;     // of the first, from base on
        uint32_t span;      // bytes from base on; 0: there is a fault
        unsigned char bytes[most];
    };
    // Plain bytes, with the core's own state.
    struct state {
        burst read, write;
        bool strobes[most]; // of write.bytes
    };

    static bool wants(const state &st)
    {
        return st.read.phase == WANTED || st.write.phase == WANTED;
    }
    static bool rests(const state &st)
    {
        return st.read.phase == READY && st.write.phase == READY;
    }
    static bool waits(const state &st)
    {
        return st.read.phase == ASKED || st.write.phase == ASKED;
    }

    static void idle(MASTER_CORE &core)
    {
        drive(core, {});
        MASTER_ARREADY = 0;
        MASTER_AWREADY = 0;
    }

    // Before an edge: notes what this edge transfers.
    static void before(MASTER_CORE &core, state &st)
    {
        if (MASTER_ARVALID && MASTER_ARREADY) {
            begin(st.read, MASTER_ARADDR, MASTER_ARLEN + 1, MASTER_ARSIZE, MASTER_ARBURST);
            st.read.id = MASTER_ARID;
            st.read.phase = WANTED;
        } else if (MASTER_RVALID && MASTER_RREADY && ++st.read.at == st.read.beats) {
            st.read.phase = READY;
        }
        if (MASTER_AWVALID && MASTER_AWREADY) {
            begin(st.write, MASTER_AWADDR, MASTER_AWLEN + 1, MASTER_AWSIZE, MASTER_AWBURST);
            st.write.id = MASTER_AWID;
            st.write.phase = TAKING;
            std::memset(st.strobes, 0, sizeof(st.strobes));
        } else if (MASTER_WVALID && MASTER_WREADY) {
            take_word(core, st);
        } else if (MASTER_BVALID && MASTER_BREADY) {
            st.write.phase = READY;
        }
    }

    // After the edge: sets what the master sees at the next one.
    static void after(MASTER_CORE &core, state &st)
    {
        for (burst *b : {&st.read, &st.write})
            if (b->phase == WAITING && --b->wait == 0)
                b->phase = ANSWERING;
        drive(core, st);
    }

    template <class Memory> static void serve(state &st, Memory &memory, uint64_t cycle)
    {
        burst &read = st.read, &write = st.write;
        if (write.phase == WANTED)
            ask(write, memory, cycle,
                write.fault ? memory.blame(cycle, write.fault)
                            : memory.write(cycle, write.base, write.bytes, write.span,
                                           [&](uint32_t at) { return st.strobes[at]; }));
        if (read.phase == WANTED)
            ask(read, memory, cycle,
                read.fault ? memory.blame(cycle, read.fault)
                           : memory.read(cycle, read.base, read.span));
    }

    // Memory has answered.
    template <class Memory>
    static void ended(state &st, Memory &memory, uint64_t cycle, bool write, int status)
    {
        burst &b = write ? st.write : st.read;
        if (!write && status == 0)
            std::memcpy(b.bytes, memory.found().data(), b.span);
        answer(b, memory, cycle, memory.ended(write, status));
    }

  private:
    static void begin(burst &b, uint64_t addr, uint32_t beats, uint32_t log_step, uint32_t kind)
    {
        b.beats = beats;
        b.kind = kind;
        b.at = b.wait = b.response = 0;
        b.step = 1u << log_step;
        b.span = kind == FIXED ? b.step : b.step * beats;
        b.base = addr & ~static_cast<uint64_t>((kind == WRAP ? b.span : b.step) - 1);
        b.first = kind == WRAP ? addr - b.base : 0;
        bool can_wrap = beats >= 2 && beats <= 16 && (beats & (beats - 1)) == 0;
        b.fault = b.step > width ? "the words of a burst are wider than the bus"
                  : kind > WRAP  ? "a burst is of a reserved kind"
                  : kind == WRAP && (!can_wrap || addr % b.step)
                      ? "a burst that wraps has not 2, 4, 8 or 16 words, or begins inside of one"
                  : b.base % page + b.span > page ? "a burst crosses a boundary of 4096 bytes"
                                                  : nullptr;
        if (b.fault)
            b.span = 0;
    }

    // Of the next word: where it is in the burst's bytes, and in the bus's.
    static uint32_t place(const burst &b)
    {
        return b.kind == FIXED ? 0 : (b.first + b.at * b.step) % b.span;
    }
    static uint32_t lane(const burst &b)
    {
        return (b.base + place(b)) % width;
    }

    static void take_word(MASTER_CORE &core, state &st)
    {
        burst &b = st.write;
        unsigned char word[width], lanes[(width + 7) / 8];
        trestle_rtl::get_bytes(word, MASTER_WDATA);
        trestle_rtl::get_bytes(lanes, MASTER_WSTRB);
        for (uint32_t i = 0; b.span && i < b.step; i++) {
            uint32_t at = lane(b) + i;
            if (!(lanes[at / 8] >> at % 8 & 1))
                continue;
            b.bytes[place(b) + i] = word[at];
            st.strobes[place(b) + i] = true;
        }
        bool is_last = ++b.at == b.beats;
        if (MASTER_WLAST != is_last)
            b.fault = "wlast comes with another word than the last";
        if (MASTER_WLAST || is_last)
            b.phase = WANTED;
    }

    template <class Memory> static void ask(burst &b, Memory &memory, uint64_t cycle, int status)
    {
        b.asked = cycle;
        b.phase = ASKED;
        if (status != -EINPROGRESS)
            answer(b, memory, cycle, status);
    }

    template <class Memory> static void answer(burst &b, Memory &memory, uint64_t cycle, int status)
    {
        b.response = status == 0 ? OKAY : status == -EFAULT ? DECERR : SLVERR;
        b.at = 0;
        b.wait = memory.wait(b.asked, cycle);
        b.phase = WAITING;
    }

    static void drive(MASTER_CORE &core, const state &st)
    {
        const burst &read = st.read, &write = st.write;
        bool reads = read.phase == ANSWERING, writes = write.phase == ANSWERING;
        unsigned char word[width] = {};
        if (reads && read.response == OKAY)
            std::memcpy(word + lane(read), read.bytes + place(read), read.step);
        MASTER_ARREADY = read.phase == READY;
        MASTER_RVALID = reads;
        MASTER_RLAST = reads && read.at + 1 == read.beats;
        MASTER_RRESP = reads ? read.response : 0;
        MASTER_RID = reads ? read.id : 0;
        trestle_rtl::set_bytes(MASTER_RDATA, word);
        MASTER_AWREADY = write.phase == READY;
        MASTER_WREADY = write.phase == TAKING;
        MASTER_BVALID = writes;
        MASTER_BRESP = writes ? write.response : 0;
        MASTER_BID = writes ? write.id : 0;
    }
};

#endif
