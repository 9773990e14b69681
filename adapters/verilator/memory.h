// SPDX-License-Identifier: MIT
//
// Guest memory, for the masters of a core.
#ifndef TRESTLE_VERILATOR_MEMORY_H
#define TRESTLE_VERILATOR_MEMORY_H

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "trestle/device.h"

namespace trestle_rtl
{

constexpr uint64_t latency_least = 2; // of memory: from one edge to the next but one

// Guest memory, as a master sees it: one transfer in each direction at a time. The run
// says when it has ended: in the same moment, except where memory is farther away (SST).
class guest_memory
{
  public:
    explicit guest_memory(struct trestle_device *dev) : dev_(dev)
    {
    }

    int configure(const struct trestle_params *params)
    {
        int r = trestle_params_u64(params, "memory_latency", latency_least, &latency_);
        if (r == 0 && (latency_ < latency_least || latency_ > UINT32_MAX))
            r = trestle_params_refuse(params, "memory_latency", "2 cycles or more");
        return r;
    }

    // -EINPROGRESS: the transfer has begun, and ended() follows. Otherwise it is done.
    int read(uint64_t cycle, uint64_t addr, uint32_t size)
    {
        transfer &it = begin(false, cycle, addr, size);
        segments_.assign(1, {addr, it.bytes.data(), size});
        return start(false);
    }
    // Only the bytes that have a lane.
    template <class HasLane>
    int write(uint64_t cycle, uint64_t addr, const unsigned char *from, uint32_t size,
              HasLane has_lane)
    {
        transfer &it = begin(true, cycle, addr, size);
        std::memcpy(it.bytes.data(), from, size);
        segments_.clear();
        for (uint32_t at = 0, end; at < size; at = end) {
            for (end = at; end < size && has_lane(end) == has_lane(at); end++)
                ;
            if (has_lane(at))
                segments_.push_back({addr + at, it.bytes.data() + at, end - at});
        }
        return segments_.empty() ? 0 : start(true);
    }

    // How a transfer went; it is in the log if it failed.
    int ended(bool write, int status)
    {
        const transfer &it = transfers_[write];
        if (status < 0 && status != -ENODEV)
            trestle_device_log(
                dev_, TRESTLE_LOG_WARNING, "the master %s %zu bytes at 0x%llx in cycle %llu: %s",
                write ? "writes" : "reads", it.bytes.size(),
                static_cast<unsigned long long>(it.addr), static_cast<unsigned long long>(it.cycle),
                status == -EFAULT    ? "that is not guest memory"
                : status == -ENOTSUP ? "this run has no access to guest memory"
                                     : std::strerror(-status));
        return status;
    }
    // What the last read has found.
    const std::vector<unsigned char> &found() const
    {
        return transfers_[false].bytes;
    }

    // The core has broken a rule of the bus.
    int blame(uint64_t cycle, const char *why) const
    {
        trestle_device_log(dev_, TRESTLE_LOG_WARNING, "the master is wrong in cycle %llu: %s",
                           static_cast<unsigned long long>(cycle), why);
        return -EINVAL;
    }

    // Cycles from this one to that with the answer to what was asked in another.
    uint32_t wait(uint64_t asked, uint64_t cycle) const
    {
        uint64_t answer = asked + latency_ - 1;
        return answer > cycle ? static_cast<uint32_t>(answer - cycle) : 1;
    }

  private:
    struct transfer {
        uint64_t cycle, addr;
        std::vector<unsigned char> bytes;
    };

    transfer &begin(bool write, uint64_t cycle, uint64_t addr, uint32_t size)
    {
        transfer &it = transfers_[write];
        it.cycle = cycle;
        it.addr = addr;
        it.bytes.resize(size);
        return it;
    }

    int start(bool write)
    {
        int r = trestle_device_dma(dev_, write, segments_.data(), segments_.size(), write);
        return r < 0 ? ended(write, r) : -EINPROGRESS;
    }

    struct trestle_device *dev_;
    uint64_t latency_ = latency_least;
    transfer transfers_[2] = {};
    std::vector<struct trestle_segment> segments_;
};

// Stands for the master in the map of a core without one.
template <class Core> struct no_master {
    static constexpr bool is_there = false;
    struct state {
    };
    static constexpr bool wants(const state &)
    {
        return false;
    }
    static constexpr bool rests(const state &)
    {
        return true;
    }
    static constexpr bool waits(const state &)
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
    static void serve(state &, guest_memory &, uint64_t)
    {
    }
    static void ended(state &, guest_memory &, uint64_t, bool, int)
    {
    }
};

} // namespace trestle_rtl

#endif
