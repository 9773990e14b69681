// SPDX-License-Identifier: MIT
/* A simulator with a main of its own and two stopwatches, which serves both to a guest. */
#include <trestle/systemc.h>

#include "stopwatch.h"

struct Slot : sc_core::sc_module {
    trestle::device<> guest;
    Stopwatch watch{"watch"};
    sc_core::sc_signal<bool> irq{"irq"}, reset{"reset"};

    // Named as in the configuration.
    static trestle::device_options options(const char *name)
    {
        trestle::device_options options;
        options.name = name;
        options.irqs = 1;
        return options;
    }

    explicit Slot(const sc_core::sc_module_name &name)
        : sc_module(name), guest("guest", options(basename()))
    {
        guest.bus.bind(watch.bus);
        watch.dma.bind(guest.memory);
        watch.irq(irq);
        guest.irq[0](irq);
        guest.reset(reset);
        watch.reset(reset);
    }
};

int sc_main(int, char **)
{
    Slot watch("watch"), spare("spare");
    return trestle::serve(); // in place of sc_start()
}
