// SPDX-License-Identifier: MIT
//
// runtime.h: a verilated core as a model. `trestle rtl build` compiles it with the core and with a
// generated map.h, which says what the core's ports are for. No user includes it.
//
// Time: edge n of the clock is at n periods. The core runs ahead of the guest with its inputs as
// they are, until an interrupt output changes or the look-ahead ends, and the engine comes back at
// exactly that cycle. If the guest comes earlier, the runtime copies the old state back and the
// core ticks again. If a state repeats while the core runs ahead, nothing will ever happen by
// itself: the engine need not come back at all.
//
// An access begins at its own time, takes the cycles of its bus, and is answered in the cycle in
// which the bus answers.
//
// A core whose state cannot be copied back ticks when the guest's time has come to it, and a while
// later than that if nobody asks: what it shows by itself is late.
//
// A core that is a master reads and writes guest memory in the cycle in which it asks: nothing runs
// ahead of that, nor before memory has answered.
#ifndef TRESTLE_VERILATOR_RUNTIME_H
#define TRESTLE_VERILATOR_RUNTIME_H

#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "clocks.h"
#include "memory.h"
#include "ports.h"
#include "trestle/pin.h"
#include "trestle/registers.h"
#include "verilated.h"
#include "voice.h"
#include "wave.h"

// What Core::eval() calls, and what that calls in turn behind an edge. `trestle rtl build` has
// Verilator name them so.
class Vcore___024root;
void Vcore___024root___eval(Vcore___024root *);
void Vcore___024root___eval_nba(Vcore___024root *);
// What Vcore___024root is derived from, in 5.006. Later Verilators do not have it.
class VerilatedModule;

namespace trestle_rtl
{

// The size of a class, if there is one and another is derived from it; else 0.
template <class Derived, class Base, class = void>
struct base_size : std::integral_constant<size_t, 0> {
};
template <class Derived, class Base>
struct base_size<Derived, Base, std::void_t<decltype(sizeof(Base))>>
    : std::integral_constant<size_t, std::is_base_of<Base, Derived>::value ? sizeof(Base) : 0> {
};

constexpr uint64_t look_ahead_least = 64, look_ahead_most = 16384;
constexpr unsigned reset_cycles = 8;    // of the slowest clock, if it is not slower than
constexpr uint64_t slower_most = 65536; // times
constexpr uint64_t late_usual = 100;    // cycles, of a core that cannot run ahead

template <class T, class = bool &> constexpr bool has_flags = false;
template <class T> constexpr bool has_flags<T, decltype(std::declval<T &>().at(0))> = true;

// What has started the core's logic: an array of bool, or of words with a bit for each.
template <class Triggers> void set_triggers(Triggers &triggers, uint64_t which, bool value)
{
    if constexpr (has_flags<Triggers>) {
        for (unsigned i = 0; i < 64 && which >> i; i++)
            triggers.at(i) = value && (which >> i & 1);
    } else {
        uint64_t word = value ? which : 0;
        static_assert(sizeof(triggers) >= sizeof(word), "at least a word");
        std::memcpy(&triggers, &word, sizeof(word));
    }
}

// The generated map of a core gives these: Map::Core, and static functions of it.
//   clock(core, level), clock_period, and what clocks.h needs of the others,
//   triggers: what the clock's rising edge sets off, if that is all of a cycle (cli/rtl/cycle.h),
//   reset(core, active), irqs(core) -> bits, ties(core),
//   num_irqs, pulses: which of them are pulses,
//   pins, num_pins: names, pins_driven: which are outputs, pins_up: the inputs that are 1 if nobody
//   drives them, pins_out(core) -> levels, pins_in(core, levels),
//   Bus: idle(core), begin(core, transaction), step(core, transaction) -> before an edge: done?
//   Master: before(core, state), after(core, state): around an edge, where the latter sets the same
//   inputs as long as rests(state); wants(state) -> guest memory
//   now?, serve(state, memory, cycle), waits(state) -> for memory?, ended(state, memory, cycle,
//   write, status)
template <class Map> class rtl
{
  public:
    using Core = typename Map::Core;

    static int init(struct trestle_device *dev, const struct trestle_params *params)
    {
        rtl *self = new rtl(dev);
        *static_cast<rtl **>(trestle_device_state(dev)) = self;
        int r = self->configure(params);
        if (r == 0)
            r = self->guarded([&] { self->do_reset(); });
        if (r < 0)
            delete self;
        return r;
    }

    static int start(struct trestle_device *dev)
    {
        rtl &self = of(dev);
        return self.guarded([&] {
            self.ask_pins();
            self.go_on();
        });
    }

    static void fini(struct trestle_device *dev)
    {
        rtl &self = of(dev);
        trestle_time now = trestle_device_now(dev);
        if (self.wave_.covers(0, now) && !self.is_broken_)
            self.guarded([&] { self.sync(now); });
        self.wave_.finish(dev, now);
        delete &self;
    }

    static void reset(struct trestle_device *dev)
    {
        rtl &self = of(dev);
        self.guarded([&] {
            if (!self.is_broken_)
                self.sync(trestle_device_now(dev));
            self.request_ = nullptr;
            self.edges_.clear();
            self.is_broken_ = false;
            self.do_reset();
            self.ask_pins();
            self.go_on();
        });
    }

    static int read(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access, uint64_t *)
    {
        return of(dev).guarded_access(req, *access, false);
    }

    static int write(struct trestle_device *dev, struct trestle_request *req,
                     const struct trestle_access *access)
    {
        return of(dev).guarded_access(req, *access, true);
    }

    static void message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
    {
        rtl &self = of(dev);
        if (!self.is_broken_)
            self.guarded([&] { self.heard(port, data, size); });
    }

    static void wake(struct trestle_device *dev, uint32_t, trestle_time now)
    {
        rtl &self = of(dev);
        if (!self.is_broken_)
            self.guarded([&] { self.woken(now); });
    }

    static void dma_done(struct trestle_device *dev, uint64_t tag, int status)
    {
        rtl &self = of(dev);
        if (!self.is_broken_)
            self.guarded([&] { self.memory_answers(tag, status); });
    }

  private:
    // What the world sees of a core.
    struct outputs {
        uint64_t irqs;
        uint32_t pins;
        bool operator!=(const outputs &other) const
        {
            return irqs != other.irqs || pins != other.pins;
        }
    };
    struct edge {
        uint64_t cycle;
        outputs shown;
    };
    // State outside the core that decides how it goes on. Plain bytes.
    struct around {
        typename Map::Master::state master;
        bool is_quiet; // the core's inputs are those of a master's slave that waits
        typename clocks<Map>::state clocks;
    };
    struct snapshot {
        explicit snapshot(size_t size) : core(size)
        {
        }
        std::vector<char> core;
        around rest = {};
    };

    explicit rtl(struct trestle_device *dev)
        : dev_(dev), core_(make_core(context_)), memory_(dev), before_(size()), anchor_(size())
    {
    }

    int configure(const struct trestle_params *params)
    {
        const char *ticking = nullptr, *unknown = nullptr;
        const char *usual = Map::is_plain ? "ahead" : "late";
        int r = trestle_params_period(params, "clock", Map::clock_period, &period_);
        if (r == 0)
            r = clocks_.init(params);
        if (r == 0)
            r = trestle_params_u64(params, "bus_timeout", 1000, &bus_timeout_);
        if (r == 0)
            r = trestle_params_string(params, "ticking", usual, &ticking);
        if (r == 0 && std::strcmp(ticking, "every") == 0)
            every_ = true;
        else if (r == 0 && std::strcmp(ticking, usual) != 0)
            r = trestle_params_refuse(
                params, "ticking",
                Map::is_plain ? "ahead or every" : "late or every: its state is not plain bytes");
        if (r == 0 && !Map::is_plain)
            r = trestle_params_u64(params, "late_cycles", late_usual, &late_);
        if (r == 0 && late_ == 0)
            r = trestle_params_refuse(params, "late_cycles", "1 or more");
        if (r == 0 && Map::Master::is_there)
            r = memory_.configure(params);
        if (r == 0)
            r = trestle_params_string(params, "unknown", "refused", &unknown);
        if (r == 0 && std::strcmp(unknown, "refused") == 0)
            r = check_unknown();
        else if (r == 0 && std::strcmp(unknown, "0") != 0)
            r = trestle_params_refuse(params, "unknown", "refused or 0");
        if (r == 0)
            r = wave_.init(dev_, params, *core_);
        return r;
    }

    // Registers that nothing has set are unknown (X), and begin with 0 here. Whether outputs of the
    // core depend on them behind a reset says another core, in which they begin with 1.
    int check_unknown()
    {
        VerilatedContext context;
        context.randReset(1);
        std::unique_ptr<Core> other(make_core(context));
        outputs seen = {};
        other.swap(core_);
        int r = guarded([&] {
            Verilated::threadContextp(&context);
            hold_reset();
            seen = see();
        });
        other.swap(core_);
        other.reset(); // while its context is the thread's: that is where it looks for its scopes
        voice_.forget();
        if (r == 0)
            r = guarded([&] { hold_reset(); });
        if (r < 0 || !(see() != seen))
            return r;
        uint64_t lines = see().irqs ^ seen.irqs;
        uint32_t pins = see().pins ^ seen.pins;
        std::string name = lines ? "interrupt line " + std::to_string(lowest(lines))
                                 : std::string("the wire ") + Map::pins[lowest(pins)];
        trestle_device_fail(dev_,
                            "%s is unknown (X) behind the reset, which leaves registers as they "
                            "were; \"unknown\": \"0\" among the parameters has them begin with 0",
                            name.c_str());
        return -EINVAL;
    }

    static unsigned lowest(uint64_t bits)
    {
        unsigned bit = 0;
        while (!(bits >> bit & 1))
            bit++;
        return bit;
    }

    ~rtl()
    {
        Verilated::threadContextp(&context_); // where the core looks for its scopes
    }

    static Core *make_core(VerilatedContext &context)
    {
        static const char *const words[] = {"core"};
        context.traceEverOn(true);
        context.commandArgs(1, const_cast<const char **>(words)); // no plusargs
        return new Core(&context);
    }

    static rtl &of(struct trestle_device *dev)
    {
        return **static_cast<rtl **>(trestle_device_state(dev));
    }

    // --- the core's state: all that lies between the base class and the link to the symbols ---

    char *begin() const
    {
        return reinterpret_cast<char *>(core_->rootp) +
               base_size<std::remove_reference_t<decltype(*core_->rootp)>, VerilatedModule>::value;
    }
    size_t size() const
    {
        return reinterpret_cast<const char *>(&core_->rootp->vlSymsp) - begin();
    }
    void save(snapshot &to) const
    {
        std::memcpy(to.core.data(), begin(), to.core.size());
        std::memcpy(&to.rest, &around_, sizeof(around_));
    }
    void restore(const snapshot &from)
    {
        std::memcpy(begin(), from.core.data(), from.core.size());
        std::memcpy(&around_, &from.rest, sizeof(around_));
    }
    // A state differs most often where the last one did. That byte alone is cheap to look at: what
    // has just been written in small pieces is slow to read in large ones.
    bool is_same(const snapshot &as)
    {
        const char *now = begin();
        if (now[differs_] != as.core[differs_])
            return false;
        size_t at = 0, size = as.core.size();
        while (at < size && now[at] == as.core[at])
            at++;
        if (at < size)
            differs_ = at;
        return at == size && std::memcmp(&as.rest, &around_, sizeof(around_)) == 0;
    }

    // --- cycles ---

    // Inputs are set. The edge comes, and the outputs are those after it. Of a cycle that the
    // guest's time has come to the wave has the falling edge before it, with the inputs, and the
    // edge.
    void tick(bool is_committed = false)
    {
        approach(is_committed);
        pass(is_committed);
    }

    // To just before the edge.
    void approach(bool is_committed)
    {
        if (!Map::is_plain)
            set_time();
        trestle_time from = cycle_ * period_, half = period_ / 2;
        change_clocks(from, half + 1, is_committed);
        if (is_committed)
            wave_.dump(from + half);
        change_clocks(from, period_, is_committed);
    }

    void pass(bool is_committed)
    {
        Map::Master::before(*core_, around_.master);
        clocks_.change(*core_, around_.clocks, period_);
        clocks_.pass(around_.clocks, period_);
        Map::clock(*core_, 1);
        evaluate(is_committed);
        if (is_committed)
            wave_.dump((cycle_ + 1) * period_);
        drive_master();
        Map::clock(*core_, 0);
        evaluate(is_committed);
        cycle_++;
    }

    // Core::eval() also looks after threads and objects that a core of plain bytes does not have,
    // and tells the wave that something has changed. Its looks at the thread's own variables take
    // as long as a small core's cycle does.
    void evaluate(bool is_committed)
    {
        if (is_committed || !Map::is_plain)
            core_->eval();
        else
            Vcore___024root___eval(core_->rootp);
    }

    void drive_master()
    {
        Map::Master::after(*core_, around_.master);
        around_.is_quiet = Map::Master::rests(around_.master);
    }

    // A cycle of a core that runs ahead: its inputs stay, but for what its master sees. Where all
    // that starts its logic is the rising edge, it is the code behind that edge. The clock itself
    // need not move for it.
    void tick_ahead()
    {
        if constexpr (Map::triggers > 0) {
            auto *root = core_->rootp;
            Map::Master::before(*core_, around_.master);
            bool stays = around_.is_quiet && Map::Master::rests(around_.master);
            set_triggers(root->__VnbaTriggered, Map::triggers, true);
            Vcore___024root___eval_nba(root);
            set_triggers(root->__VnbaTriggered, Map::triggers, false);
            if (!stays) {
                drive_master();
                Vcore___024root___eval(root);
            }
            cycle_++;
        } else {
            tick();
        }
    }

    // For $time, in its own units.
    void set_time()
    {
        trestle_time unit = 1;
        for (int digits = -12; digits < context_.timeprecision(); digits++)
            unit *= 10;
        context_.time((cycle_ + 1) * period_ / unit);
    }

    // The edges of the other clocks before the bus's next one.
    void change_clocks(trestle_time from, trestle_time end, bool is_committed)
    {
        for (trestle_time at; (at = clocks_.next(around_.clocks)) < end;) {
            clocks_.change(*core_, around_.clocks, at);
            core_->eval();
            if (is_committed)
                wave_.dump(from + at);
        }
    }

    // Where Verilator's code cannot go on, such as at a loop of logic that never settles, is the
    // end of the core, until a reset.
    template <class Work> int guarded(Work work)
    {
        voice::speaker = &voice_;
        Verilated::threadContextp(&context_);
        try {
            work();
            return 0;
        } catch (const std::exception &why) {
            trestle_device_fail(dev_, "the core cannot go on: %s", why.what());
            is_broken_ = true;
            return -EIO;
        }
    }

    void do_reset()
    {
        hold_reset();
        forget_rest();
        latched_ = 0;
        show(see());
        voice_.log(dev_);
    }

    void hold_reset()
    {
        uint64_t cycle = cycle_;
        Map::ties(*core_);
        set_pins();
        bus_.idle(*core_);
        Map::clock(*core_, 0);
        Map::reset(*core_, false); // some logic waits for the edge of an asynchronous one
        clocks_.set(*core_, around_.clocks, cycle * period_);
        core_->eval();
        Map::reset(*core_, true);
        core_->eval();
        trestle_time slower = clocks_.longest() / period_;
        uint64_t cycles = reset_cycles * (1 + (slower < slower_most ? slower : slower_most));
        while (cycle_ < cycle + cycles) {
            forget_requests();
            tick();
        }
        forget_requests();
        clocks_.set(*core_, around_.clocks, cycle * period_);
        core_->eval();
        Map::reset(*core_, false);
        core_->eval();
        cycle_ = cycle; // a reset takes no time of the guest's
    }

    // A reset drops what the master asks for.
    void forget_requests()
    {
        std::memset(&around_.master, 0, sizeof(around_.master));
        Map::Master::idle(*core_);
        around_.is_quiet = !Map::Master::is_there;
    }

    // What the master has asked for with the last edge, whose time it is.
    void serve()
    {
        if (!Map::Master::wants(around_.master))
            return;
        forget_rest();
        Map::Master::serve(around_.master, memory_, cycle_);
    }

    // It may be that no time has passed meanwhile.
    void memory_answers(bool write, int status)
    {
        if (!request_)
            sync(trestle_device_now(dev_));
        Map::Master::ended(around_.master, memory_, cycle_, write, status);
        if (!request_) {
            serve();
            show(see());
            go_on();
        } else if (!is_answered_) {
            play();
        }
    }

    // Whether it is for memory to say how the core goes on. Until then it ticks edge by edge.
    bool waits() const
    {
        return Map::Master::waits(around_.master);
    }

    void forget_rest()
    {
        rest_ = 0;
        is_ahead_ = false;
    }

    // Brings the core to a time. It may be ahead of it, or behind. A master's request in between is
    // met at its own time: the engine comes for it.
    void sync(trestle_time now)
    {
        uint64_t target = now / period_;
        bool came_back = is_ahead_ && cycle_ > target;
        bool is_seen = wave_.covers(before_cycle_ * period_, now);
        if (came_back)
            look_ahead_ = look_ahead_ / 2 > look_ahead_least ? look_ahead_ / 2 : look_ahead_least;
        else if (is_ahead_)
            look_ahead_ = look_ahead_ * 2 < look_ahead_most ? look_ahead_ * 2 : look_ahead_most;
        if (came_back || (is_ahead_ && is_seen)) {
            uint64_t reached = cycle_;
            restore(before_);
            voice_.forget();
            cycle_ = before_cycle_;
            if (came_back)
                rest_ = 0;
            while (!came_back && cycle_ < reached)
                tick(true);
        }
        is_ahead_ = false;
        if (rest_ && target > cycle_ && (rest_ == 1 || !is_seen))
            cycle_ = target - (target - cycle_) % rest_; // whole periods change nothing
        while (cycle_ < target) {
            tick(true);
            if (!Map::is_plain)
                catch_up();
        }
        voice_.log(dev_);
    }

    // Of a core that is late: what it has shown and asked for at an earlier edge.
    void catch_up()
    {
        serve();
        if (see() != shown_)
            show(see());
    }

    // Runs ahead to where something happens that the guest can see, and has the engine come then.
    void go_on()
    {
        trestle_time next = TRESTLE_TIME_NEVER;
        if (every_ || !Map::is_plain || waits()) {
            next = (cycle_ + (every_ || waits() ? 1 : late_)) * period_;
        } else if (!rest_) {
            outputs seen = see();
            uint64_t end = cycle_ + look_ahead_, anchor_at = cycle_, power = 1;
            save(before_);
            before_cycle_ = cycle_;
            is_ahead_ = true;
            save(anchor_);
            while (cycle_ < end && !rest_ && !happens(seen)) {
                tick_ahead();
                if (is_same(anchor_)) {
                    rest_ = cycle_ - anchor_at;
                } else if (cycle_ - anchor_at == power) {
                    save(anchor_);
                    anchor_at = cycle_;
                    power *= 2;
                }
            }
            if (!rest_ || happens(seen))
                next = cycle_ * period_;
        }
        trestle_device_wake_at(dev_, 0, next);
    }

    // Whether the last edge is one that the engine has to come for.
    bool happens(const outputs &seen) const
    {
        return see() != seen || Map::Master::wants(around_.master) || voice_.has_said();
    }

    outputs see() const
    {
        return {Map::irqs(*core_), Map::pins_out(*core_)};
    }

    // What the outputs are from now on. A pulse holds its line until the guest has seen it.
    void show(const outputs &now)
    {
        uint64_t risen = now.irqs & ~shown_.irqs & Map::pulses;
        if (risen && risen_at_ != trestle_device_now(dev_))
            risen_ = 0;
        if (risen)
            risen_at_ = trestle_device_now(dev_);
        risen_ |= risen;
        latched_ |= risen;
        shown_ = now;
        uint64_t lines = (now.irqs & ~Map::pulses) | latched_;
        for (uint32_t line = 0; line < Map::num_irqs; line++)
            trestle_device_irq(dev_, line, lines >> line & 1);
        if (Map::pins_driven)
            trestle_pins_set(dev_, &pins_, now.pins, Map::pins_driven);
    }

    // --- wires to other devices ---

    void set_pins()
    {
        Map::pins_in(*core_, trestle_pins_levels(&pins_, Map::pins_up));
    }

    // Both ends of each wire say what they do.
    void ask_pins()
    {
        if (Map::num_pins)
            trestle_pins_reset(dev_, &pins_, Map::pins_out(*core_), Map::pins_driven);
    }

    // A wire has changed. The cycles of an access that is under way have been played: the core sees
    // it behind them.
    void heard(uint32_t port, const void *data, size_t size)
    {
        if (!trestle_pins_heard(dev_, &pins_, port, data, size)) {
            trestle_device_log(dev_, TRESTLE_LOG_WARNING,
                               "%s: a message that is not a level; ignored", Map::pins[port]);
        } else if (!request_) {
            sync(trestle_device_now(dev_));
            serve();
            take_pins();
        }
    }

    void take_pins()
    {
        set_pins();
        core_->eval();
        forget_rest();
        show(see());
        go_on();
    }

    // An access: the guest has seen the pulses that came before it.
    void see_pulses()
    {
        if (!latched_)
            return;
        latched_ = risen_at_ == trestle_device_now(dev_) ? risen_ : 0;
        show(shown_);
    }

    void woken(trestle_time now)
    {
        if (!request_) {
            sync(now);
            serve();
            show(see());
            go_on();
            return;
        }
        // The cycles of an access have been played already; what the guest sees of them comes now.
        while (!edges_.empty() && edges_.front().cycle * period_ <= now) {
            show(edges_.front().shown);
            edges_.pop_front();
        }
        if (now < cycle_ * period_) {
            wake_in_access();
            return;
        }
        serve();
        if (!is_answered_) {
            play();
            return;
        }
        struct trestle_request *req = request_;
        request_ = nullptr;
        if (Map::num_pins)
            take_pins();
        else
            go_on();
        trestle_request_complete(req, status_, answer_);
    }

    void wake_in_access()
    {
        uint64_t next = cycle_ + (waits() && !is_answered_);
        if (!edges_.empty())
            next = edges_.front().cycle;
        trestle_device_wake_at(dev_, 0, next * period_);
    }

    // --- accesses ---

    int guarded_access(struct trestle_request *req, const struct trestle_access &wanted, bool write)
    {
        int r = -EIO;
        guarded([&] { r = access(req, wanted, write); });
        return r;
    }

    int access(struct trestle_request *req, const struct trestle_access &wanted, bool write)
    {
        constexpr uint32_t width = Map::Bus::width;
        uint32_t shift = static_cast<uint32_t>(wanted.offset % width);
        todo_ = {wanted.offset,
                 wanted.offset - shift,
                 write ? wanted.data << 8 * shift : 0,
                 ((1u << wanted.size) - 1) << shift,
                 wanted.size,
                 write};
        sync(trestle_device_now(dev_));
        serve();
        forget_rest();
        see_pulses();
        start_ = cycle_;
        is_answered_ = false;
        request_ = req;
        has_begun_ = false;
        bus_.failed = false;
        bus_.fault = nullptr;
        play();
        return -EINPROGRESS;
    }

    // Plays the cycles of the access that is under way, to its end or to where the core itself asks
    // for something, and no further than the time is while memory has not answered that.
    void play()
    {
        bool done = false;
        outputs seen = see();
        while (!done && cycle_ - start_ < bus_timeout_ && !Map::Master::wants(around_.master) &&
               (!waits() || (cycle_ + 1) * period_ <= trestle_device_now(dev_))) {
            if (!has_begun_ && !(Map::Bus::rests_between && cycle_ == ended_)) {
                bus_.begin(*core_, todo_);
                has_begun_ = true;
            }
            core_->eval();
            approach(true);
            done = has_begun_ && bus_.step(*core_, todo_);
            pass(true);
            if (has_begun_)
                bus_.after(*core_);
            if (see() != seen)
                edges_.push_back({cycle_, seen = see()});
        }
        voice_.log(dev_);
        if (done || cycle_ - start_ >= bus_timeout_)
            answer(done);
        wake_in_access();
    }

    void answer(bool done)
    {
        bus_.idle(*core_);
        core_->eval();
        if (bus_.fault)
            trestle_device_log(dev_, TRESTLE_LOG_WARNING, "the bus is broken in cycle %llu: %s",
                               static_cast<unsigned long long>(cycle_ - 1), bus_.fault);
        if (!done)
            trestle_device_log(
                dev_, TRESTLE_LOG_WARNING,
                "the bus does not answer: no response within %llu cycles, from cycle "
                "%llu on; the parameter bus_timeout allows more",
                static_cast<unsigned long long>(bus_timeout_),
                static_cast<unsigned long long>(start_));
        status_ = !done ? -ETIMEDOUT : bus_.failed || bus_.fault ? -EIO : 0;
        answer_ = todo_.data >> 8 * (todo_.byte % Map::Bus::width);
        is_answered_ = true;
        ended_ = cycle_;
    }

    struct trestle_device *dev_;
    VerilatedContext context_;
    wave wave_;
    std::unique_ptr<Core> core_;
    around around_ = {};
    clocks<Map> clocks_;
    voice voice_;
    guest_memory memory_;
    snapshot before_, anchor_;
    size_t differs_ = 0; // where a state and anchor_ differed last
    trestle_time period_ = 10 * TRESTLE_NS;
    uint64_t bus_timeout_ = 1000, late_ = late_usual;
    bool every_ = false;
    bool is_broken_ = false;
    uint64_t cycle_ = 0; // edges that the core has seen
    bool is_ahead_ = false;
    uint64_t before_cycle_ = 0; // of before_, where it ran ahead from
    uint64_t look_ahead_ = look_ahead_least;
    uint64_t rest_ = 0; // its state comes again after so many cycles; 0: not known
    outputs shown_ = {};
    struct trestle_pins pins_ = {};
    uint64_t latched_ = 0; // pulses that the guest has not seen
    uint64_t risen_ = 0;   // those among them that came at
    trestle_time risen_at_ = 0;
    std::deque<edge> edges_;
    struct trestle_request *request_ = nullptr; // the access under way,
    typename Map::Bus bus_ = {};
    transaction todo_ = {};
    uint64_t start_ = 0; // the cycle in which it began,
    bool has_begun_ = false, is_answered_ = false;
    uint64_t ended_ = UINT64_MAX; // the cycle in which the last one did
    int status_ = 0;              // and with what
    uint64_t answer_ = 0;
};

template <class Map> struct trestle_model model_of(const trestle_region *const *regions)
{
    struct trestle_model model = {};
    model.size = sizeof(model);
    model.name = Map::name;
    model.region_size = Map::size;
    model.access_sizes = 2 * Map::Bus::widest - 1; // 1, 2, ... up to that
    model.irq_lines = Map::num_irqs;
    model.timers = 1;
    model.peer_ports = Map::num_pins;
    model.ports = Map::num_pins ? Map::pins : nullptr;
    model.state_size = sizeof(void *);
    model.regions = regions;
    model.init = rtl<Map>::init;
    model.start = rtl<Map>::start;
    model.fini = rtl<Map>::fini;
    model.reset = rtl<Map>::reset;
    model.read = Map::Bus::reads ? rtl<Map>::read : nullptr;
    model.write = Map::Bus::writes ? rtl<Map>::write : nullptr;
    model.wake = rtl<Map>::wake;
    model.message = rtl<Map>::message;
    model.dma_done = Map::Master::is_there ? rtl<Map>::dma_done : nullptr;
    model.needs_icount = Map::needs_icount;
    return model;
}

} // namespace trestle_rtl

// A $finish or an assertion must not end the process that serves the devices.
void vl_finish(const char *, int, const char *) VL_MT_UNSAFE
{
}
void vl_stop(const char *, int, const char *) VL_MT_UNSAFE
{
}
// A file that a core reads ($readmemh) is not there: all else that Verilator warns of is said.
void vl_warn(const char *file, int, const char *, const char *message) VL_MT_UNSAFE
{
    if (std::strstr(message, "not found"))
        throw std::runtime_error(std::string(file) + ": " + message);
    trestle_rtl_print("%s: %s\n", file, message);
}
void vl_fatal(const char *file, int line, const char *, const char *message) VL_MT_UNSAFE
{
    throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + message);
}

#endif
