// SPDX-License-Identifier: MIT
//
// The clocks of a core besides its bus's, each with a period of its own. As for the bus's clock,
// edge n of each is at n of its periods.
#ifndef TRESTLE_VERILATOR_CLOCKS_H
#define TRESTLE_VERILATOR_CLOCKS_H

#include <cstdint>
#include <string>

#include "trestle/device.h"

namespace trestle_rtl
{

// The map gives: num_clocks, clock_names, clock_periods, set_clock(core, which, level).
template <class Map> class clocks
{
  public:
    // Plain bytes, with the core's own state.
    struct state {
        trestle_time left[Map::num_clocks + 1]; // to the next change, from the bus's last edge on
        bool level[Map::num_clocks + 1];
    };

    // Parameters: "clock_" and a name, for each.
    int init(const struct trestle_params *params)
    {
        int r = 0;
        for (unsigned i = 0; i < Map::num_clocks && r == 0; i++)
            r = trestle_params_period(params, (std::string("clock_") + Map::clock_names[i]).c_str(),
                                      Map::clock_periods[i], &periods_[i]);
        return r;
    }

    trestle_time longest() const
    {
        trestle_time longest = 0;
        for (unsigned i = 0; i < Map::num_clocks; i++)
            longest = periods_[i] > longest ? periods_[i] : longest;
        return longest;
    }

    // Sets all of them as they are at that time.
    void set(typename Map::Core &core, state &st, trestle_time now) const
    {
        for (unsigned i = 0; i < Map::num_clocks; i++) {
            trestle_time half = periods_[i] / 2, since = now % periods_[i];
            st.level[i] = since < half;
            st.left[i] = (st.level[i] ? half : periods_[i]) - since;
            Map::set_clock(core, i, st.level[i]);
        }
    }

    // When the next one changes, from the bus's last edge on.
    static trestle_time next(const state &st)
    {
        trestle_time next = TRESTLE_TIME_NEVER;
        for (unsigned i = 0; i < Map::num_clocks; i++)
            next = st.left[i] < next ? st.left[i] : next;
        return next;
    }

    // Changes the levels of those that are due.
    void change(typename Map::Core &core, state &st, trestle_time at) const
    {
        for (unsigned i = 0; i < Map::num_clocks; i++) {
            if (st.left[i] != at)
                continue;
            trestle_time half = periods_[i] / 2;
            st.level[i] = !st.level[i];
            st.left[i] += st.level[i] ? half : periods_[i] - half;
            Map::set_clock(core, i, st.level[i]);
        }
    }

    // The bus's next edge has come.
    static void pass(state &st, trestle_time period)
    {
        for (unsigned i = 0; i < Map::num_clocks; i++)
            st.left[i] -= period;
    }

  private:
    trestle_time periods_[Map::num_clocks + 1] = {};
};

} // namespace trestle_rtl

#endif
