// SPDX-License-Identifier: MIT
/* The stopwatch as a loadable model: a module that puts a guest in front of it. */
#include <trestle/systemc.h>

#include "stopwatch.h"

struct Top : sc_core::sc_module {
    trestle::device<> guest;
    Stopwatch watch{"watch"};
    sc_core::sc_signal<bool> irq{"irq"}, reset{"reset"};

    static trestle::device_options options()
    {
        trestle::device_options options;
        options.irqs = 1;
        return options;
    }

    explicit Top(const sc_core::sc_module_name &name) : sc_module(name), guest("guest", options())
    {
        guest.bus.bind(watch.bus);
        watch.dma.bind(guest.memory);
        watch.irq(irq);
        guest.irq[0](irq);
        guest.reset(reset);
        watch.reset(reset);
    }
};

TRESTLE_SYSTEMC_EXPORT(Top, "stopwatch", 0x10, 1);
