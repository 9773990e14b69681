// SPDX-License-Identifier: MIT
/* A stopwatch as a SystemC module with a TLM-2.0 socket. */
//
// An ordinary target with registers, which knows nothing of Trestle.
//
// 0x00 DELAY   RW  nanoseconds; a write starts the watch
// 0x04 STATUS  RW  1: the time is over; a write of any value acknowledges
// 0x08 RESULT  R   sum of all delays that are over; takes 500 ns to answer
// 0x0c TARGET  RW  where in guest memory the sum is written when a watch ends; 0: nowhere
#ifndef STOPWATCH_H
#define STOPWATCH_H

#ifndef SC_INCLUDE_DYNAMIC_PROCESSES
#define SC_INCLUDE_DYNAMIC_PROCESSES // for simple_target_socket
#endif
#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

struct Stopwatch : sc_core::sc_module {
    tlm_utils::simple_target_socket<Stopwatch> bus{"bus"};
    tlm_utils::simple_initiator_socket<Stopwatch> dma{"dma"};
    sc_core::sc_out<bool> irq{"irq"};
    sc_core::sc_in<bool> reset{"reset"};

    SC_HAS_PROCESS(Stopwatch);
    explicit Stopwatch(const sc_core::sc_module_name &name) : sc_module(name)
    {
        bus.register_b_transport(this, &Stopwatch::transport);
        SC_THREAD(count);
        SC_METHOD(clear);
        sensitive << reset.pos();
        dont_initialize();
    }

  private:
    uint32_t delay_ = 0, status_ = 0, sum_ = 0, target_ = 0;
    sc_core::sc_event started_, acknowledged_;

    void count()
    {
        for (;;) {
            wait(started_);
            wait(delay_, sc_core::SC_NS);
            sum_ += delay_;
            status_ = 1;
            if (target_)
                store(target_, sum_);
            irq.write(true);
            wait(acknowledged_);
            irq.write(false);
        }
    }

    void clear()
    {
        delay_ = status_ = sum_ = target_ = 0;
        acknowledged_.notify();
    }

    void store(uint32_t addr, uint32_t value)
    {
        tlm::tlm_generic_payload payload;
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        payload.set_command(tlm::TLM_WRITE_COMMAND);
        payload.set_address(addr);
        payload.set_data_ptr(reinterpret_cast<unsigned char *>(&value));
        payload.set_data_length(sizeof(value));
        payload.set_streaming_width(sizeof(value));
        dma->b_transport(payload, delay);
        if (payload.is_response_error())
            SC_REPORT_WARNING(name(), payload.get_response_string().c_str());
    }

    void transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay)
    {
        uint32_t *value = reinterpret_cast<uint32_t *>(payload.get_data_ptr());
        bool write = payload.is_write();
        if (payload.get_data_length() != 4) {
            payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
            return;
        }
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
        switch (payload.get_address()) {
        case 0x00:
            (write ? delay_ : *value) = write ? *value : delay_;
            if (write)
                started_.notify();
            break;
        case 0x04:
            if (write) {
                status_ = 0;
                acknowledged_.notify();
            } else {
                *value = status_;
            }
            break;
        case 0x08:
            *value = sum_;
            delay += sc_core::sc_time(500, sc_core::SC_NS);
            break;
        case 0x0c:
            (write ? target_ : *value) = write ? *value : target_;
            break;
        default:
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        }
    }
};

#endif
