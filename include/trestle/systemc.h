// SPDX-License-Identifier: MIT
//
// trestle/systemc.h: SystemC and TLM-2.0 models as devices of a guest, in the guest's exact time.
//
// This file is all there is. Compile it with the model's SystemC and C++ standard (11 or newer).
//
// A trestle::device<> is a module that stands for the guest. Its socket `bus` makes the guest's
// accesses, its socket `memory` is the guest's memory, `irq` are interrupt lines, and `reset` is
// high while the guest is reset. Nothing else in a model changes.
//
// A simulator that keeps its sc_main() calls trestle::serve() in place of sc_start(). The
// configuration names the program, trestle run starts it, and the program serves all its devices.
// Instead, TRESTLE_SYSTEMC_EXPORT makes a loadable model (a .so) of a module that contains one
// device.
//
// Time: the engine's picoseconds and SystemC's time are the same. SystemC runs up to the time of an
// access before the access starts, and the next event of the kernel is an event of the engine, so
// that interrupts come exactly when the model raises them. An answer takes the time that
// b_transport() waits or annotates.
//
// Threads: one thread serves the devices, and calls everything.
//
// Errors: an exception or an error response of TLM is a bus error to the guest. When the kernel
// has stopped (sc_stop(), or an exception outside of an access), the log says so once, and every
// later access is a bus error. SC_REPORT_FATAL() ends the process that the model is in.
#ifndef TRESTLE_SYSTEMC_H
#define TRESTLE_SYSTEMC_H

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

// SystemC makes processes from several threads; a simple_target_socket creates some at run time.
#ifndef SC_INCLUDE_DYNAMIC_PROCESSES
#define SC_INCLUDE_DYNAMIC_PROCESSES
#endif
#include <systemc>
// For models that included <systemc> without that.
#include <sysc/kernel/sc_dynamic_processes.h>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include "trestle/process.h"
#include "trestle/registers.h"

namespace trestle
{

struct device_options {
    // What the configuration calls the device, for serve(). Empty: the module's own name.
    std::string name;
    unsigned irqs = 0; // interrupt lines, 0 to 64
    // Widths of accesses that the model understands, 1 | 2 | 4 | 8. Others are bus errors.
    unsigned access_sizes = 1 | 2 | 4 | 8;
    // The address of the first register as the model sees it, for models that want bus addresses.
    uint64_t address = 0;
    // How long `reset` is high at the start and when the guest is reset. Zero: one delta cycle.
    sc_core::sc_time reset_time = sc_core::sc_time(1, sc_core::SC_NS);
    bool reset_active_low = false;
    // Names for the registers in logs and traces, see trestle::names_of(); it outlives the device.
    // Only for serve(): TRESTLE_SYSTEMC_EXPORT_NAMED has them for a loadable model.
    const struct trestle_region *registers = nullptr;
};

// The configuration's parameters of the device that is being made. Valid in the constructors of the
// model that TRESTLE_SYSTEMC_EXPORT names, nullptr everywhere else.
inline const struct trestle_params *&params()
{
    static const struct trestle_params *current = nullptr;
    return current;
}

namespace systemc
{

class port;

static constexpr const char *not_an_exception = "something was thrown that is no std::exception";

// What all devices of one SystemC kernel share. It lies in SystemC's own tree of objects, since
// several models of one run may each include this header.
class kernel : public sc_core::sc_object
{
  public:
    static kernel &get()
    {
        kernel *found = find(sc_core::sc_get_top_level_objects());
        return found ? *found : *new kernel;
    }

    const char *kind() const override
    {
        return "trestle_kernel";
    }

    // --- devices ---

    // Takes the reports of constructors: what is fatal to one is a refusal of the run, not its end.
    class maker
    {
      public:
        explicit maker(struct trestle_device *dev)
        {
            made() = dev;
            theirs_ = sc_core::sc_report_handler::set_handler(report);
        }
        ~maker()
        {
            sc_core::sc_report_handler_proc last = sc_core::sc_report_handler::set_handler(theirs_);
            if (last != report) // the model has a handler of its own
                sc_core::sc_report_handler::set_handler(last);
            made() = nullptr;
        }

      private:
        static struct trestle_device *&made()
        {
            static struct trestle_device *dev = nullptr;
            return dev;
        }
        static void report(const sc_core::sc_report &said, const sc_core::sc_actions &actions)
        {
            take_report(made(), said, actions);
        }

        sc_core::sc_report_handler_proc theirs_;
    };

    void add(port *added, struct trestle_device *dev)
    {
        ports_.push_back({added, dev});
        if (ports_.size() == 1)
            take_reports();
    }

    void remove(struct trestle_device *dev)
    {
        if (ports_.size() == 1 && ports_[0].dev == dev)
            stop(dev);
        for (size_t i = 0; i < ports_.size(); i++)
            if (ports_[i].dev == dev)
                ports_.erase(ports_.begin() + static_cast<std::ptrdiff_t>(i--));
        if (!ports_.empty())
            schedule(trestle_device_now(ports_[0].dev));
    }

    bool is_dead() const
    {
        return dead_;
    }
    const std::string &why() const
    {
        return why_;
    }

    // For models with a clock that runs freely: the engine wakes SystemC at most once a quantum,
    // unless the guest waits for an answer. Accesses stay exact. Interrupts are up to a quantum
    // late.
    void set_quantum(trestle_time quantum)
    {
        quantum_ = quantum;
    }

    // --- accesses that are answered later ---

    void keep(struct trestle_request *request)
    {
        under_way_.push_back(request);
    }

    void forget(struct trestle_request *request)
    {
        under_way_.remove(request);
    }

    // --- time ---

    // The engine's time begins at SystemC's present one.
    void begin()
    {
        begun_ = sc_core::sc_time_stamp().value();
    }

    // Brings SystemC to the engine's time, with all that happens then.
    void advance(trestle_time now)
    {
        if (dead_)
            return;
        attempt([this, now] {
            uint64_t target = from_ps(now), at = sc_core::sc_time_stamp().value();
            if (target > at)
                sc_core::sc_start(sc_core::sc_time::from_value(target - at),
                                  sc_core::SC_RUN_TO_TIME);
            settle();
        });
        started_ = !dead_;
    }

    // The same, and then triggers the event. If nothing happens before, one call of sc_start().
    void advance_to(sc_core::sc_event &event, trestle_time now)
    {
        uint64_t target = from_ps(now), at = sc_core::sc_time_stamp().value();
        if (target <= at || dead_ || !has_run() || sc_core::sc_pending_activity_at_current_time() ||
            sc_core::sc_time_to_pending_activity().value() <= target - at) {
            advance(now);
            if (dead_)
                return;
            event.notify();
            run_now();
            return;
        }
        sc_core::sc_time left = sc_core::sc_time::from_value(target - at);
        event.notify(left);
        attempt([this, left] {
            sc_core::sc_start(left, sc_core::SC_RUN_TO_TIME);
            settle();
        });
    }

    // Runs what is due at SystemC's present time.
    void run_now()
    {
        attempt([this] { settle(); });
    }

    // Asks the engine to come back at SystemC's next event.
    void schedule(trestle_time now)
    {
        if (ports_.empty())
            return;
        trestle_time next = TRESTLE_TIME_NEVER;
        if (!dead_ && sc_core::sc_pending_activity_at_future_time()) {
            next = to_ps(sc_core::sc_time_stamp().value(),
                         sc_core::sc_time_to_pending_activity().value());
            if (quantum_ && under_way_.empty() && next < now + quantum_)
                next = now + quantum_;
        }
        trestle_device_wake_at(ports_[0].dev, 0, next);
    }

    // The engine came back. If that happens all the time, the log says once what it costs.
    void woken(struct trestle_device *dev, trestle_time now)
    {
        advance(now);
        schedule(now);
        if (++wakes_ < wakes_max)
            return;
        if (!has_warned_ && !quantum_ && now - wakes_since_ < wakes_max * 50 * TRESTLE_NS) {
            has_warned_ = true;
            trestle_device_log(dev, TRESTLE_LOG_WARNING,
                               "SystemC has an event every %llu ps: a clock that runs freely makes "
                               "the run slow; set the parameter quantum, for example to 1us, if "
                               "interrupts may be late by so much",
                               static_cast<unsigned long long>((now - wakes_since_) / wakes_max));
        }
        wakes_ = 0;
        wakes_since_ = now;
    }

    void die(const char *why)
    {
        if (dead_)
            return;
        dead_ = true;
        why_ = first_line(why);
        if (!ports_.empty() && started_)
            trestle_device_log(ports_[0].dev, TRESTLE_LOG_ERROR,
                               "the SystemC kernel has stopped: %s; every access is a bus error "
                               "from now on",
                               why_.c_str());
        for (struct trestle_request *request : under_way_)
            trestle_request_complete(request, -EIO, 0);
        under_way_.clear();
    }

    // In one line: "Error: (E109) complete binding failed: port not bound (file.cc:7, in top.run)".
    static std::string text_of(const std::exception &thrown)
    {
        const sc_core::sc_report *said = dynamic_cast<const sc_core::sc_report *>(&thrown);
        if (!said)
            return first_line(thrown.what());
        static const char *const names[] = {"Info", "Warning", "Error", "Fatal"};
        std::string text = std::string(names[said->get_severity()]) + ": ";
        if (said->get_id() >= 0)
            text += std::string("(") + names[said->get_severity()][0] +
                    std::to_string(said->get_id()) + ") ";
        return text + message_of(*said) + place_of(*said);
    }

    static std::string first_line(const char *text)
    {
        std::string line(text);
        for (char &c : line)
            if (c == '\n')
                c = ' ';
        while (!line.empty() && line.back() == ' ')
            line.pop_back();
        return line;
    }

  private:
    struct entry {
        port *made;
        struct trestle_device *dev;
    };
    static constexpr uint64_t wakes_max = 10000;

    // The device belongs to the module whose constructor made it.
    static kernel *find(const std::vector<sc_core::sc_object *> &objects)
    {
        for (sc_core::sc_object *object : objects) {
            if (std::strcmp(object->kind(), "trestle_kernel") == 0)
                return static_cast<kernel *>(object);
            if (kernel *found = find(object->get_child_objects()))
                return found;
        }
        return nullptr;
    }

    kernel() : sc_core::sc_object("trestle_kernel")
    {
        double ps = sc_core::sc_get_time_resolution().to_seconds() * 1e12;
        unit_ps_ = ps >= 1 ? static_cast<uint64_t>(ps + 0.5) : 1;
        units_per_ps_ = ps < 1 ? static_cast<uint64_t>(1 / ps + 0.5) : 1;
    }

    // SystemC's time is counted in its resolution, which is 1 ps unless the model sets another, and
    // may have begun before the engine's.
    uint64_t from_ps(trestle_time time) const
    {
        return begun_ + time / unit_ps_ * units_per_ps_;
    }
    // What is beyond the end of time never comes.
    trestle_time to_ps(uint64_t now, uint64_t later) const
    {
        uint64_t units = now - begun_ + later;
        if (later > UINT64_MAX - now || units / units_per_ps_ > (UINT64_MAX - 1) / unit_ps_ - 1)
            return TRESTLE_TIME_NEVER;
        return units / units_per_ps_ * unit_ps_ + (units % units_per_ps_ ? 1 : 0);
    }

    // Any exception that leaves the kernel ends it.
    template <class Step> void attempt(Step step)
    {
        try {
            step();
        } catch (const std::exception &failure) {
            die(text_of(failure).c_str());
        } catch (...) {
            die(not_an_exception);
        }
        if (!dead_ && (sc_core::sc_get_status() & sc_core::SC_STOPPED))
            die("the model called sc_stop()");
    }

    void settle()
    {
        // The first call elaborates, even if nothing is due.
        while (!has_run() || (sc_core::sc_pending_activity_at_current_time() &&
                              !(sc_core::sc_get_status() & sc_core::SC_STOPPED)))
            sc_core::sc_start(sc_core::SC_ZERO_TIME);
    }

    static bool has_run()
    {
        return sc_core::sc_get_status() & (sc_core::SC_PAUSED | sc_core::SC_STOPPED);
    }

    // The last device goes: end_of_simulation() runs, and SystemC writes its waveforms.
    void stop(struct trestle_device *dev)
    {
        if (!dead_ && (sc_core::sc_get_status() & sc_core::SC_PAUSED)) {
            dead_ = true;
            // Says that the simulation was stopped by the user.
            sc_core::sc_report_handler::set_actions("/OSCI/SystemC", sc_core::SC_INFO,
                                                    sc_core::SC_DO_NOTHING);
            try {
                sc_core::sc_stop();
            } catch (const std::exception &failure) {
                trestle_device_fail(dev, "the end of the simulation has failed: %s",
                                    text_of(failure).c_str());
            } catch (...) {
                trestle_device_fail(dev, "the end of the simulation has failed: %s",
                                    not_an_exception);
            }
        }
        if (has_reports_)
            sc_core::sc_report_handler::set_handler(nullptr);
    }

    // Does nothing if the model has a handler of its own.
    void take_reports()
    {
        sc_core::sc_report_handler_proc theirs = sc_core::sc_report_handler::set_handler(report);
        has_reports_ = theirs == sc_core::sc_report_handler::default_handler;
        if (!has_reports_)
            sc_core::sc_report_handler::set_handler(theirs);
    }

    // SC_REPORT_*() go to the log of the run. Errors still throw. What is fatal aborts, as it does
    // without Trestle, but not before the run has begun: then it is refused.
    static void report(const sc_core::sc_report &said, const sc_core::sc_actions &actions)
    {
        kernel &self = get();
        struct trestle_device *dev = self.ports_.empty() ? nullptr : self.ports_[0].dev;
        if (said.get_severity() == sc_core::SC_FATAL && (actions & sc_core::SC_ABORT) &&
            self.started_ && dev) {
            trestle_device_log(dev, TRESTLE_LOG_ERROR, "the model reports a fatal error: %s%s",
                               message_of(said).c_str(), place_of(said).c_str());
            std::abort();
        }
        take_report(dev, said, actions);
    }

    static void take_report(struct trestle_device *dev, const sc_core::sc_report &said,
                            const sc_core::sc_actions &actions)
    {
        static const enum trestle_log_level levels[] = {TRESTLE_LOG_INFO, TRESTLE_LOG_WARNING,
                                                        TRESTLE_LOG_ERROR, TRESTLE_LOG_ERROR};
        bool throws = (actions & sc_core::SC_THROW) || said.get_severity() >= sc_core::SC_ERROR;
        if ((actions & sc_core::SC_DISPLAY) && !throws && dev)
            trestle_device_log(dev, levels[said.get_severity()], "%s", message_of(said).c_str());
        if (actions & sc_core::SC_STOP)
            sc_core::sc_stop();
        if (throws)
            throw said;
    }

    static std::string message_of(const sc_core::sc_report &said)
    {
        return first_line(said.get_msg_type()) + ": " + first_line(said.get_msg());
    }

    static std::string place_of(const sc_core::sc_report &said)
    {
        std::string place = first_line(said.get_file_name());
        if (place.empty())
            return place;
        place = " (" + place + ":" + std::to_string(said.get_line_number());
        const char *process = said.get_process_name();
        return place + (process ? std::string(", in ") + process + ")" : ")");
    }

    std::vector<entry> ports_;
    std::list<struct trestle_request *> under_way_;
    uint64_t unit_ps_, units_per_ps_, begun_ = 0;
    trestle_time quantum_ = 0;
    uint64_t wakes_ = 0;
    trestle_time wakes_since_ = 0;
    bool has_warned_ = false, started_ = false, dead_ = false, has_reports_ = false;
    std::string why_;
};

// Interrupt lines. It throws if somebody binds one that is not there: device_options has none by
// default.
class irq_lines : public sc_core::sc_vector<sc_core::sc_in<bool>>
{
    using base = sc_core::sc_vector<sc_core::sc_in<bool>>;

  public:
    irq_lines(const char *name, unsigned count) : base(name, count)
    {
    }

    sc_core::sc_in<bool> &operator[](size_t line)
    {
        if (line >= size())
            throw std::out_of_range(std::string(this->name()) + " has " + std::to_string(size()) +
                                    " lines, and no line " + std::to_string(line) +
                                    "; set irqs in its trestle::device_options");
        return base::operator[](line);
    }
};

// A device's side of the model callbacks: all of trestle::device<> but its sockets.
class port : public sc_core::sc_module
{
  public:
    using transaction = tlm::tlm_generic_payload;

    irq_lines irq;
    sc_core::sc_out<bool> reset;

    // For models that raise interrupts by a call. A pulse is high for one moment, for inputs that
    // take edges.
    void raise(unsigned line)
    {
        set_irq(line, true);
    }
    void lower(unsigned line)
    {
        set_irq(line, false);
    }
    void pulse(unsigned line)
    {
        if (dev_)
            trestle_device_pulse(dev_, line);
    }

    const device_options &options() const
    {
        return options_;
    }
    const char *device_name() const
    {
        return options_.name.empty() ? basename() : options_.name.c_str();
    }

    // --- what the engine calls ---

    void attach(struct trestle_device *dev)
    {
        dev_ = dev;
        kernel_->add(this, dev);
    }

    // All devices have been made: elaborates. SystemC finds an unbound port here.
    int start()
    {
        kernel_->advance(trestle_device_now(dev_));
        if (!kernel_->is_dead())
            kernel_->schedule(trestle_device_now(dev_));
        else
            trestle_device_fail(dev_, "%s", kernel_->why().c_str());
        return kernel_->is_dead() ? -EINVAL : 0;
    }

    // Devices that have been made so far and have no owner yet.
    static std::vector<port *> &made()
    {
        static std::vector<port *> ports;
        return ports;
    }

    void detach()
    {
        struct trestle_device *dev = dev_;
        dev_ = nullptr;
        kernel_->remove(dev);
    }

    int access(struct trestle_request *req, const struct trestle_access &wanted, bool write,
               uint64_t *ret_data)
    {
        kernel &all = *kernel_;
        trestle_time now = trestle_device_now(dev_);
        if (all.is_dead())
            return -EIO;
        if (!(options_.access_sizes & wanted.size))
            return -EINVAL;
        asked_ = {wanted.offset, wanted.data, wanted.size, write};
        request_ = req;
        turn_++;
        is_inside_ = true;
        is_answered_ = false;
        all.advance_to(wake_, now);
        is_inside_ = false;
        if (!is_answered_ && !all.is_dead())
            all.keep(req);
        all.schedule(now);
        if (!is_answered_) {
            if (!all.is_dead())
                return -EINPROGRESS;
            request_ = nullptr;
            return -EIO;
        }
        if (ret_data)
            *ret_data = answer_;
        return status_;
    }

    void woken(trestle_time now)
    {
        kernel_->woken(dev_, now);
    }

    void guest_reset()
    {
        kernel &all = *kernel_;
        trestle_time now = trestle_device_now(dev_);
        all.forget(request_);
        request_ = nullptr;
        turn_++;
        for (transfer &each : transfers_)
            each.finish(-ECANCELED);
        all.advance(now);
        if (!all.is_dead()) {
            reset_asked_.notify();
            all.run_now();
        }
        all.schedule(now);
    }

    void dma_done(uint64_t tag, int status)
    {
        kernel &all = *kernel_;
        trestle_time now = trestle_device_now(dev_);
        all.advance(now);
        for (transfer &each : transfers_)
            if (each.tag == tag)
                each.finish(status);
        if (!all.is_dead())
            all.run_now();
        all.schedule(now);
    }

  protected:
    port(const sc_core::sc_module_name &name, const device_options &options)
        : sc_core::sc_module(name), irq("irq", options.irqs), reset("reset"), options_(options)
    {
        made().push_back(this);
        sc_core::sc_spawn([this] { serve(); }, "serve");
        sc_core::sc_spawn([this] { serve_reset(); }, "serve_reset");
    }

    virtual void transport(transaction &payload, sc_core::sc_time &delay) = 0;

    // Binds what the user has left unbound.
    void before_end_of_elaboration() override
    {
        for (size_t i = 0; i < irq.size(); i++)
            if (irq[i].bind_count() == 0) {
                unconnected_.emplace_back(
                    new sc_core::sc_signal<bool>(sc_core::sc_gen_unique_name("no_irq")));
                irq[i].bind(*unconnected_.back());
            }
        if (reset.bind_count() == 0) {
            unconnected_.emplace_back(
                new sc_core::sc_signal<bool>(sc_core::sc_gen_unique_name("no_reset")));
            reset.bind(*unconnected_.back());
        }
        for (size_t i = 0; i < irq.size(); i++) {
            sc_core::sc_spawn_options when;
            when.spawn_method();
            when.dont_initialize();
            when.set_sensitivity(&irq[i]);
            unsigned line = static_cast<unsigned>(i);
            sc_core::sc_spawn([this, line] { set_irq(line, irq[line].read()); },
                              sc_core::sc_gen_unique_name("irq_changed"), &when);
        }
    }

    void end_of_elaboration() override
    {
        for (size_t i = 0; i < irq.size(); i++)
            if (irq[i].read())
                set_irq(static_cast<unsigned>(i), true);
    }

    // --- guest memory ---

    void move(transaction &payload, sc_core::sc_time &delay)
    {
        using namespace sc_core;
        payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
        if (!dev_)
            return;
        if (payload.get_command() == tlm::TLM_IGNORE_COMMAND) {
            payload.set_response_status(tlm::TLM_OK_RESPONSE);
            return;
        }
        sc_curr_proc_kind kind = sc_get_current_process_handle().proc_kind();
        bool waits = kind == SC_THREAD_PROC_ || kind == SC_CTHREAD_PROC_;
        if (waits && delay != SC_ZERO_TIME) {
            wait(delay);
            delay = SC_ZERO_TIME;
        }
        bool write = payload.get_command() == tlm::TLM_WRITE_COMMAND;
        int r = move_all(payload, write, waits);
        if (r == -ENOTSUP && !waits)
            warn_once(said_method_, "guest memory was asked for outside of an SC_THREAD, which "
                                    "cannot wait for it here: TLM_GENERIC_ERROR_RESPONSE");
        payload.set_response_status(r == 0         ? tlm::TLM_OK_RESPONSE
                                    : r == -EFAULT ? tlm::TLM_ADDRESS_ERROR_RESPONSE
                                                   : tlm::TLM_GENERIC_ERROR_RESPONSE);
    }

    // At once, and in no time. Returns the number of bytes moved: all or none.
    unsigned look(transaction &payload)
    {
        payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
        if (!dev_ || payload.get_command() == tlm::TLM_IGNORE_COMMAND ||
            payload.get_data_length() == 0)
            return 0;
        if (copy(payload.get_address(), payload.get_data_ptr(), payload.get_data_length(),
                 payload.get_command() == tlm::TLM_WRITE_COMMAND) < 0)
            return 0;
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
        return payload.get_data_length();
    }

  private:
    struct asked {
        uint64_t offset, data;
        uint32_t size;
        bool write;
    };

    struct transfer {
        uint64_t tag;
        int status = 0;
        bool is_over = false;
        sc_core::sc_event over;
        void finish(int with)
        {
            if (is_over)
                return;
            is_over = true;
            status = with;
            over.notify(sc_core::SC_ZERO_TIME);
        }
    };

    // Splits a transfer into parts that are contiguous in guest memory and in the buffer: what
    // byte enables leave, and each turn of a streaming width.
    int move_all(transaction &payload, bool write, bool waits)
    {
        unsigned length = payload.get_data_length(), width = payload.get_streaming_width();
        if (width == 0)
            warn_once(said_width_, "a transfer to guest memory has a streaming width of 0; it is "
                                   "taken for the length");
        if (width == 0 || width > length)
            width = length;
        const unsigned char *enables = payload.get_byte_enable_ptr();
        unsigned enables_length = payload.get_byte_enable_length();
        for (unsigned at = 0; at < length;) {
            unsigned end = at - at % width + width;
            if (end > length)
                end = length;
            unsigned run = at;
            if (enables && enables_length) {
                if (enables[at % enables_length] == 0) {
                    at++;
                    continue;
                }
                while (run < end && enables[run % enables_length] != 0)
                    run++;
            } else {
                run = end;
            }
            int r = move_part(payload.get_address() + at % width, payload.get_data_ptr() + at,
                              run - at, write, waits);
            if (r < 0)
                return r;
            at = run;
        }
        return 0;
    }

    int copy(uint64_t addr, unsigned char *data, size_t size, bool write)
    {
        return write ? trestle_device_memory_write(dev_, addr, data, size)
                     : trestle_device_memory_read(dev_, addr, data, size);
    }

    int move_part(uint64_t addr, unsigned char *data, size_t size, bool write, bool waits)
    {
        if (!waits)
            return copy(addr, data, size, write);
        // When a reset ends a transfer, the engine forgets it, so the buffer may go then.
        transfers_.emplace_back();
        auto self = std::prev(transfers_.end());
        self->tag = ++last_tag_;
        int r = write ? trestle_device_dma_write(dev_, addr, data, size, self->tag)
                      : trestle_device_dma_read(dev_, addr, data, size, self->tag);
        if (r == 0) {
            while (!self->is_over)
                sc_core::wait(self->over);
            r = self->status;
        }
        transfers_.erase(self);
        return r;
    }

    // --- accesses ---

    // A thread, so that b_transport() may wait.
    void serve()
    {
        for (;;) {
            while (!request_)
                wait(wake_);
            struct trestle_request *mine = request_;
            uint64_t turn = turn_;
            struct asked todo = asked_;
            uint64_t data = 0;
            int r = perform(todo, &data);
            // The guest may have been reset meanwhile. Even another request may have come.
            if (turn != turn_)
                continue;
            request_ = nullptr;
            if (is_inside_) {
                is_answered_ = true;
                status_ = r;
                answer_ = data;
            } else {
                kernel_->forget(mine);
                trestle_request_complete(mine, r, data);
            }
        }
    }

    int perform(const struct asked &todo, uint64_t *ret_data)
    {
        unsigned char bytes[8];
        std::memcpy(bytes, &todo.data, sizeof(bytes));
        if (!todo.write)
            std::memset(bytes, 0, sizeof(bytes));
        payload_.set_command(todo.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
        payload_.set_address(options_.address + todo.offset);
        payload_.set_data_ptr(bytes);
        payload_.set_data_length(todo.size);
        payload_.set_streaming_width(todo.size);
        payload_.set_byte_enable_ptr(nullptr);
        payload_.set_byte_enable_length(0);
        payload_.set_dmi_allowed(false);
        payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        try {
            transport(payload_, delay);
        } catch (const sc_core::sc_unwind_exception &) {
            throw; // SystemC's own: the process is to end
        } catch (const std::exception &failure) {
            trestle_device_log(dev_, TRESTLE_LOG_WARNING, "the model threw %s",
                               kernel::text_of(failure).c_str());
            return -EIO;
        } catch (...) {
            trestle_device_log(dev_, TRESTLE_LOG_WARNING, "%s", not_an_exception);
            return -EIO;
        }
        if (delay > sc_core::sc_max_time() - sc_core::sc_time_stamp()) {
            trestle_device_log(dev_, TRESTLE_LOG_WARNING,
                               "the model annotates a delay beyond the end of SystemC's time");
            return -EIO;
        }
        if (delay != sc_core::SC_ZERO_TIME)
            wait(delay);
        if (!todo.write)
            std::memcpy(ret_data, bytes, todo.size);
        return status_of(payload_.get_response_status());
    }

    int status_of(tlm::tlm_response_status status)
    {
        switch (status) {
        case tlm::TLM_OK_RESPONSE:
            return 0;
        case tlm::TLM_INCOMPLETE_RESPONSE:
            warn_once(said_incomplete_, "the model sets no response status; that counts as OK");
            return 0;
        case tlm::TLM_ADDRESS_ERROR_RESPONSE:
            return -EFAULT;
        case tlm::TLM_COMMAND_ERROR_RESPONSE:
            return -EACCES;
        case tlm::TLM_BURST_ERROR_RESPONSE:
        case tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE:
            return -EINVAL;
        default:
            return -EIO;
        }
    }

    void serve_reset()
    {
        for (;;) {
            reset.write(!options_.reset_active_low);
            sc_core::wait(options_.reset_time);
            reset.write(options_.reset_active_low);
            sc_core::wait(reset_asked_);
        }
    }

    void set_irq(unsigned line, bool level)
    {
        if (dev_)
            trestle_device_irq(dev_, line, level);
    }

    void warn_once(bool &said, const char *text)
    {
        if (!said && dev_)
            trestle_device_log(dev_, TRESTLE_LOG_WARNING, "%s", text);
        said = true;
    }

    device_options options_;
    kernel *kernel_ = &kernel::get();
    struct trestle_device *dev_ = nullptr;
    sc_core::sc_event wake_, reset_asked_;
    transaction payload_;
    struct asked asked_ = {};
    struct trestle_request *request_ = nullptr; // until it is answered, or a reset ends it
    uint64_t turn_ = 0;                         // grows with each request and reset
    bool is_inside_ = false, is_answered_ = false;
    int status_ = 0;
    uint64_t answer_ = 0;
    std::list<transfer> transfers_;
    uint64_t last_tag_ = 0;
    std::vector<std::unique_ptr<sc_core::sc_signal<bool>>> unconnected_;
    bool said_method_ = false, said_width_ = false, said_incomplete_ = false;
};

// What the engine calls, for a device whose state is a pointer to its port.
inline port &port_of(struct trestle_device *dev)
{
    return **static_cast<port **>(trestle_device_state(dev));
}

inline int on_read(struct trestle_device *dev, struct trestle_request *req,
                   const struct trestle_access *access, uint64_t *ret_data)
{
    return port_of(dev).access(req, *access, false, ret_data);
}

inline int on_write(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access)
{
    return port_of(dev).access(req, *access, true, nullptr);
}

inline int on_start(struct trestle_device *dev)
{
    return port_of(dev).start();
}

inline void on_wake(struct trestle_device *dev, uint32_t, trestle_time now)
{
    port_of(dev).woken(now);
}

inline void on_reset(struct trestle_device *dev)
{
    port_of(dev).guest_reset();
}

inline void on_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    port_of(dev).dma_done(tag, status);
}

inline struct trestle_model model_of(const char *name, uint64_t size, uint32_t irqs)
{
    struct trestle_model model = {};
    model.size = sizeof(model);
    model.name = name;
    model.region_size = size;
    model.access_sizes = 1 | 2 | 4 | 8;
    model.irq_lines = irqs;
    model.timers = 1;
    model.state_size = sizeof(port *);
    model.reset = on_reset;
    model.read = on_read;
    model.write = on_write;
    model.wake = on_wake;
    model.start = on_start;
    model.dma_done = on_dma_done;
    return model;
}

// A model of one loadable file: a module that contains one device.
template <class Top> struct loadable {
    static int init(struct trestle_device *dev, const struct trestle_params *given)
    {
        trestle_time quantum;
        if (trestle_params_time(given, "quantum", 0, &quantum) < 0)
            return -EINVAL;
        params() = given;
        port::made().clear();
        std::string why = make(dev);
        params() = nullptr;
        if (!why.empty()) {
            trestle_device_fail(dev, "the SystemC module cannot be made: %s", why.c_str());
            return -EINVAL;
        }
        port *made = port::made()[0];
        *static_cast<port **>(trestle_device_state(dev)) = made;
        if (quantum)
            kernel::get().set_quantum(quantum);
        made->attach(dev);
        return 0;
    }

    // Returns why that failed, or nothing.
    static std::string make(struct trestle_device *dev)
    {
        kernel::maker maker(dev);
        try {
            new (zeroes()) Top(sc_core::sc_module_name(trestle_device_name(dev)));
        } catch (const std::exception &failure) {
            return kernel::text_of(failure);
        } catch (...) {
            return not_an_exception;
        }
        return port::made().size() == 1 ? "" : "it has to contain one trestle::device";
    }

    // Zeroed, as every model's state is: a member that the constructor forgets is then the same in
    // every run.
    static void *zeroes()
    {
        static_assert(alignof(Top) <= alignof(std::max_align_t), "more than calloc() promises");
        void *memory = std::calloc(1, sizeof(Top));
        if (!memory)
            throw std::bad_alloc();
        return memory;
    }

    // Modules stay: SystemC has no way to take one out of a kernel that has run.
    static void fini(struct trestle_device *dev)
    {
        port_of(dev).detach();
    }

    static struct trestle_model model(const char *name, uint64_t size, uint32_t irqs,
                                      const struct trestle_region *const *regions)
    {
        struct trestle_model made = model_of(name, size, irqs);
        made.regions = regions;
        made.init = init;
        made.fini = fini;
        return made;
    }
};

// The devices of a simulator with an sc_main() of its own, found by their names.
struct simulator {
    struct served {
        struct trestle_model model = {};
        const struct trestle_region *regions[2] = {};
    };

    static port *find(const char *name)
    {
        for (port *made : port::made())
            if (std::strcmp(made->device_name(), name) == 0)
                return made;
        return nullptr;
    }

    static int init(struct trestle_device *dev, const struct trestle_params *given)
    {
        trestle_time quantum;
        if (trestle_params_time(given, "quantum", 0, &quantum) < 0)
            return -EINVAL;
        port *made = find(trestle_device_name(dev));
        *static_cast<port **>(trestle_device_state(dev)) = made;
        if (quantum)
            kernel::get().set_quantum(quantum);
        made->attach(dev);
        return 0;
    }

    static void fini(struct trestle_device *dev)
    {
        port_of(dev).detach();
    }

    // In the order of the configuration. Returns why that failed, or nothing.
    static std::string add_devices(struct trestle_process *process, std::list<served> &models)
    {
        uint32_t count;
        const struct trestle_process_device *wanted = trestle_process_devices(process, &count);
        for (uint32_t i = 0; i < count; i++) {
            const char *name = wanted[i].name;
            port *made = find(name);
            if (!made)
                return std::string("the simulator has no trestle::device called ") + name +
                       "; it has " + names();
            models.emplace_back();
            served &added = models.back();
            added.regions[0] = made->options().registers;
            added.model = model_of("systemc", wanted[i].size, made->options().irqs);
            added.model.regions = added.regions[0] ? added.regions : nullptr;
            added.model.init = init;
            added.model.fini = fini;
            char *error = nullptr;
            if (trestle_process_add_device(process, &added.model, nullptr, &error) < 0)
                return take(error);
        }
        return std::string();
    }

    static std::string names()
    {
        std::string all;
        for (port *made : port::made())
            all += (all.empty() ? "" : ", ") + std::string(made->device_name());
        return all.empty() ? "none" : all;
    }

    static std::string take(char *error)
    {
        std::string text(error ? error : "out of memory");
        std::free(error);
        return text;
    }

    static void log(void *, enum trestle_log_level level, const char *text)
    {
        std::fprintf(stderr, "%s%s\n",
                     level == TRESTLE_LOG_ERROR     ? "trestle: error: "
                     : level == TRESTLE_LOG_WARNING ? "trestle: warning: "
                                                    : "",
                     text);
    }

    static int serve()
    {
        struct trestle_process *process;
        struct trestle_process_options options = {};
        char *error = nullptr;
        options.size = sizeof(options);
        options.log = log;
        if (trestle_process_create(std::getenv(TRESTLE_PROCESS_VARIABLE), &options, &process,
                                   &error) < 0) {
            std::fprintf(stderr, "trestle: %s\n", take(error).c_str());
            return 2;
        }
        std::list<served> models; // outlive the process
        kernel::get().begin();
        std::string why = add_devices(process, models);
        if (why.empty() && trestle_process_serve(process, &error) < 0)
            why = take(error);
        if (!why.empty())
            trestle_process_refuse(process, why.c_str());
        trestle_process_destroy(process);
        return why.empty() ? 0 : 2;
    }
};

} // namespace systemc

// Call it in place of sc_start(), in a simulator that a run starts. It serves the devices until the
// run is over, and finds each trestle::device by its name. Returns what sc_main() must return.
inline int serve()
{
    return systemc::simulator::serve();
}

// The guest. `bus` makes its accesses. `memory` is its memory; a transfer takes no time of its own,
// and there is no DMI.
template <unsigned int BUSWIDTH = 32> class device : public systemc::port
{
  public:
    tlm_utils::simple_initiator_socket<device, BUSWIDTH> bus;
    tlm_utils::simple_target_socket_optional<device, BUSWIDTH> memory;

    explicit device(const sc_core::sc_module_name &name,
                    const device_options &options = device_options())
        : systemc::port(name, options), bus("bus"), memory("memory")
    {
        memory.register_b_transport(this, &device::move_memory);
        memory.register_transport_dbg(this, &device::look_at_memory);
    }

  private:
    void transport(transaction &payload, sc_core::sc_time &delay) override
    {
        bus->b_transport(payload, delay);
    }

    void move_memory(transaction &payload, sc_core::sc_time &delay)
    {
        move(payload, delay);
    }

    unsigned look_at_memory(transaction &payload)
    {
        return look(payload);
    }
};

} // namespace trestle

// Makes a loadable model of the module `top`. Its constructor takes a sc_module_name, and it
// contains one trestle::device<>. name is a text, size the bytes of registers, irqs the number of
// interrupt lines. Use it once per shared object. SystemC's library wants a main function; nothing
// calls it.
#define TRESTLE_SYSTEMC_EXPORT(top, name, size, irqs) \
    TRESTLE_SYSTEMC_MODEL(top, name, size, irqs, nullptr)
// The same; rows is an array of trestle::named(), whose names logs, traces and poke show.
#define TRESTLE_SYSTEMC_EXPORT_NAMED(top, name, size, irqs, rows)                        \
    static const struct trestle_region trestle_systemc_region = trestle::names_of(rows); \
    static const struct trestle_region *const trestle_systemc_regions[] = {              \
        &trestle_systemc_region, nullptr};                                               \
    TRESTLE_SYSTEMC_MODEL(top, name, size, irqs, trestle_systemc_regions)
#define TRESTLE_SYSTEMC_MODEL(top, name, size, irqs, regions)                         \
    extern "C" __attribute__((weak, visibility("default"))) int sc_main(int, char **) \
    {                                                                                 \
        return 0;                                                                     \
    }                                                                                 \
    static const struct trestle_model trestle_systemc_model =                         \
        trestle::systemc::loadable<top>::model(name, size, irqs, regions);            \
    extern "C" TRESTLE_API const struct trestle_model *const trestle_model_entry =    \
        &trestle_systemc_model
#endif
