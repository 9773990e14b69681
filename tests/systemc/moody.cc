// SPDX-License-Identifier: MIT
/* A SystemC model that does what a model should not, at the guest's command. */
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <systemc>

#include <trestle/systemc.h>

#ifdef RESOLUTION_NS
static const uint64_t ADDRESS = 0x40004000; // as on its bus
static const unsigned BITS = 64;
static const bool resolution_set =
    (sc_core::sc_set_time_resolution(1, std::getenv("MOODY_FS") ? sc_core::SC_FS : sc_core::SC_NS),
     true);
#else
static const uint64_t ADDRESS = 0;
static const unsigned BITS = 32;
#endif

struct Moody : sc_core::sc_module {
    trestle::device<BITS> guest;
    tlm_utils::simple_target_socket<Moody, BITS> bus{"bus"};
    tlm_utils::simple_initiator_socket<Moody, BITS> dma{"dma"};
    sc_core::sc_signal<bool> reset{"reset"};

    static trestle::device_options options(const char *name)
    {
        trestle::device_options options;
        options.name = name;
        options.irqs = 2;
        options.access_sizes = 1 | 4;
        options.address = ADDRESS;
        options.reset_time = sc_core::sc_time(10, sc_core::SC_NS);
        return options;
    }

    std::unique_ptr<sc_core::sc_in<bool>> unbound;

    SC_HAS_PROCESS(Moody);
    explicit Moody(const sc_core::sc_module_name &name)
        : sc_module(name), guest("guest", options(basename()))
    {
        uint64_t clock_ns = 0;
        if (trestle::params() &&
            trestle_params_u64(trestle::params(), "clock_ns", 0, &clock_ns) < 0)
            throw std::runtime_error("clock_ns is not a number");
        if (clock_ns == 13)
            throw std::runtime_error("13 ns are unlucky");
        if (clock_ns == 14)
            throw 14;
        if (clock_ns == 15)
            SC_REPORT_FATAL("moody", "15 ns are\nforbidden");
        if (clock_ns == 18)
            guest.irq[guest.irq.size()](reset);
        is_last_wrong_ = clock_ns == 16;
        if (clock_ns == 17)
            unbound.reset(new sc_core::sc_in<bool>("unbound"));
        if (clock_ns)
            clock_.reset(new sc_core::sc_clock("clock", clock_ns, sc_core::SC_NS));
        bus.register_b_transport(this, &Moody::transport);
        guest.bus.bind(bus);
        dma.bind(guest.memory);
        guest.reset(reset);
        SC_METHOD(move_in_method);
        sensitive << method_;
        dont_initialize();
        SC_METHOD(ring);
        sensitive << ring_;
        dont_initialize();
        SC_METHOD(count_reset);
        sensitive << reset.posedge_event();
        dont_initialize();
        SC_THREAD(fail);
    }

    void end_of_simulation() override
    {
        SC_REPORT_INFO("moody", "good bye");
        if (is_last_wrong_)
            SC_REPORT_ERROR("moody", "the results are wrong");
    }

  private:
    std::unique_ptr<sc_core::sc_clock> clock_;
    sc_core::sc_event method_, fail_, ring_;
    uint32_t scratch_ = 0, method_status_ = 0, resets_ = 0;
    bool is_fatal_ = false, is_patient_ = false, is_last_wrong_ = false;
    uint32_t forgotten_; // by the constructor

    void count_reset()
    {
        resets_++;
    }

    void ring()
    {
        guest.raise(1);
    }

    void fail()
    {
        wait(fail_);
        if (is_patient_)
            wait(sc_core::sc_max_time());
        if (is_fatal_)
            SC_REPORT_FATAL("moody", "the end of its thread");
        SC_REPORT_ERROR("moody", "a thread of its own gave up");
    }

    tlm::tlm_response_status move(uint32_t addr, unsigned char *data, unsigned length,
                                  unsigned width, unsigned char *enables, unsigned enables_length,
                                  bool write = true)
    {
        tlm::tlm_generic_payload payload;
        sc_core::sc_time delay(100, sc_core::SC_NS);
        payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
        payload.set_address(addr);
        payload.set_data_ptr(data);
        payload.set_data_length(length);
        payload.set_streaming_width(width);
        payload.set_byte_enable_ptr(enables);
        payload.set_byte_enable_length(enables_length);
        dma->b_transport(payload, delay);
        return payload.get_response_status();
    }

    tlm::tlm_response_status ignore()
    {
        tlm::tlm_generic_payload payload;
        sc_core::sc_time delay;
        payload.set_command(tlm::TLM_IGNORE_COMMAND);
        dma->b_transport(payload, delay);
        return payload.get_response_status();
    }

    // What is there, or all ones.
    uint32_t look(uint32_t addr)
    {
        uint32_t word = 0;
        tlm::tlm_generic_payload payload;
        payload.set_command(tlm::TLM_READ_COMMAND);
        payload.set_address(addr);
        payload.set_data_ptr(reinterpret_cast<unsigned char *>(&word));
        payload.set_data_length(4);
        return dma->transport_dbg(payload) == 4 ? word : 0xffffffff;
    }

    void move_in_method()
    {
        unsigned char byte = 0;
        method_status_ = static_cast<uint32_t>(move(scratch_, &byte, 1, 1, nullptr, 0));
    }

    void transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay)
    {
        unsigned char bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, enables[] = {0xff, 0, 0, 0xff};
        uint32_t value = 0;
        if (payload.is_write())
            std::memcpy(&value, payload.get_data_ptr(), payload.get_data_length());
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
        switch (payload.get_address() - ADDRESS) {
        case 0x00:
            if (payload.is_write())
                scratch_ = value;
            value = scratch_;
            break;
        case 0x04:
            throw std::runtime_error("a fit\nof temper");
        case 0x08:
            value = 0x1234;
            payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
            break;
        case 0x0c:
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            break;
        case 0x10:
            wait(scratch_, sc_core::SC_US);
            value = 7;
            break;
        case 0x14: // byte enables: bytes 0, 3, 4, 7 arrive
            payload.set_response_status(move(value, bytes, 8, 8, enables, 4));
            break;
        case 0x18: // streaming: the second word overwrites the first
            payload.set_response_status(move(value, bytes, 8, 4, nullptr, 0));
            break;
        case 0x1c:
            scratch_ = value;
            method_.notify(sc_core::SC_ZERO_TIME);
            wait(1, sc_core::SC_US);
            break;
        case 0x20:
            value = static_cast<uint32_t>(-static_cast<int32_t>(method_status_));
            break;
        case 0x24:
            sc_core::sc_stop();
            break;
        case 0x28:
            fail_.notify(value, sc_core::SC_NS);
            break;
        case 0x2c:
            SC_REPORT_WARNING("moody", "something is odd");
            break;
        case 0x30:
            value = static_cast<uint32_t>(sc_core::sc_time_stamp() /
                                          sc_core::sc_time(1, sc_core::SC_NS));
            break;
        case 0x34:
            value = resets_;
            break;
        case 0x38: { // a read of guest memory without a streaming width
            unsigned char word[4] = {};
            payload.set_response_status(move(scratch_, word, 4, 0, nullptr, 0, false));
            std::memcpy(&value, word, 4);
            break;
        }
        case 0x3c:
            guest.pulse(value);
            break;
        case 0x40: { // of guest memory there is none, and the model's own is not asked for
            tlm::tlm_dmi dmi;
            value = dma->get_direct_mem_ptr(payload, dmi);
            payload.set_dmi_allowed(true);
            bus->invalidate_direct_mem_ptr(0, 3);
            break;
        }
        case 0x44: // a debugger's look at guest memory
            value = look(scratch_);
            break;
        case 0x48:
            delay += sc_core::sc_time(scratch_, sc_core::SC_US);
            value = 9;
            break;
        case 0x4c:
            throw 7;
        case 0x50: // nothing at all of guest memory
            payload.set_response_status(ignore());
            break;
        case 0x54: // an interrupt, in so many ns
            guest.lower(1);
            ring_.notify(value, sc_core::SC_NS);
            break;
        case 0x58:
            SC_REPORT_ERROR("moody", "nothing is right");
            break;
        case 0x5c:
            SC_REPORT_INFO("moody", "all is well");
            break;
        case 0x60:
            value = forgotten_;
            break;
        case 0x68:
            SC_REPORT_FATAL("moody", "the end\nof the world");
            break;
        case 0x6c: // the same, in a thread of its own
            is_fatal_ = true;
            fail_.notify(value, sc_core::SC_NS);
            break;
        case 0x70: // in 200000 years
            delay = sc_core::sc_max_time();
            break;
        case 0x74: // and in a thread of its own
            is_patient_ = true;
            fail_.notify(sc_core::SC_ZERO_TIME);
            break;
        case 0x64:
            wait(300, sc_core::SC_NS);
            value = 7;
            break;
        default:
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        }
        if (payload.is_read())
            std::memcpy(payload.get_data_ptr(), &value, payload.get_data_length());
    }
};

#ifndef SIMULATOR
TRESTLE_SYSTEMC_EXPORT(Moody, "moody", 0x78, 2);
#else
/* The same, with a main of its own; arguments are how long it runs before the guest comes. */
int sc_main(int argc, char **argv)
{
    Moody moody("moody"), other("other");
    if (argc > 1)
        sc_core::sc_start(std::atoi(argv[1]), sc_core::SC_US);
    return trestle::serve();
}
#endif
