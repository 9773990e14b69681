// SPDX-License-Identifier: MIT
//
// Guest memory, for the masters of a core.
#ifndef TRESTLE_VERILATOR_MEMORY_H
#define TRESTLE_VERILATOR_MEMORY_H

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "trestle/device.h"

namespace trestle_rtl
{

// Guest memory, as a master's request finds it.
class guest_memory
{
  public:
    guest_memory(struct trestle_device *dev, uint64_t cycle, uint64_t latency)
        : wait(static_cast<uint32_t>(latency - 1)), dev_(dev), cycle_(cycle)
    {
    }

    int read(uint64_t addr, void *to, size_t size) const
    {
        return report(trestle_device_memory_read(dev_, addr, to, size), "reads", addr, size);
    }
    int write(uint64_t addr, const void *from, size_t size) const
    {
        return report(trestle_device_memory_write(dev_, addr, from, size), "writes", addr, size);
    }
    // The core has broken a rule of the bus.
    int blame(const char *why) const
    {
        trestle_device_log(dev_, TRESTLE_LOG_WARNING, "the master is wrong in cycle %llu: %s",
                           static_cast<unsigned long long>(cycle_), why);
        return -EINVAL;
    }

    const uint32_t wait; // cycles from a request's to that with the answer

  private:
    int report(int status, const char *does, uint64_t addr, size_t size) const
    {
        if (status < 0 && status != -ENODEV)
            trestle_device_log(dev_, TRESTLE_LOG_WARNING,
                               "the master %s %zu bytes at 0x%llx in cycle %llu: %s", does, size,
                               static_cast<unsigned long long>(addr),
                               static_cast<unsigned long long>(cycle_),
                               status == -EFAULT    ? "that is not guest memory"
                               : status == -ENOTSUP ? "this run has no access to guest memory"
                                                    : std::strerror(-status));
        return status;
    }

    struct trestle_device *dev_;
    uint64_t cycle_;
};

// What the map of a core without a master has for it.
template <class Core> struct no_master {
    static constexpr bool is_there = false;
    struct state {
    };
    static constexpr bool wants(const state &)
    {
        return false;
    }
    static void idle(Core &)
    {
    }
    static void before(Core &, state &)
    {
    }
    static void after(Core &, state &)
    {
    }
    static void serve(state &, const guest_memory &)
    {
    }
};

} // namespace trestle_rtl

#endif
