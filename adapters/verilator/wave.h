// SPDX-License-Identifier: MIT
//
// Waveforms of a core: an FST file whose time is the run's, in picoseconds. Verilator writes it.
#ifndef TRESTLE_VERILATOR_WAVE_H
#define TRESTLE_VERILATOR_WAVE_H

#include "trestle/device.h"

#if TRESTLE_WAVE
#include <cstdio>
#include <memory>
#include <string>
#include <sys/stat.h>

#include "verilated_fst_c.h"

namespace trestle_rtl
{

class wave
{
  public:
    // Parameters: wave, wave_from, wave_to, wave_scope. Without the first, nothing is written.
    template <class Core>
    int init(struct trestle_device *dev, const struct trestle_params *params, Core &core)
    {
        const char *path = nullptr, *scope = nullptr;
        int r = trestle_params_string(params, "wave", nullptr, &path);
        if (r == 0)
            r = trestle_params_time(params, "wave_from", 0, &from_);
        if (r == 0)
            r = trestle_params_time(params, "wave_to", TRESTLE_TIME_NEVER, &to_);
        if (r == 0)
            r = trestle_params_string(params, "wave_scope", nullptr, &scope);
        if (r < 0 || !path)
            return r;
        // FST's writer first removes what has that name: only a file may.
        struct stat st;
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
            return trestle_params_refuse(params, "wave", "the path of a file");
        path_ = path;
        file_ = std::make_unique<VerilatedFstC>();
        file_->set_time_unit("1ps");
        file_->set_time_resolution("1ps");
        core.trace(file_.get(), 99);
        if (scope)
            file_->dumpvars(99, scope);
        file_->open(path);
        if (file_->isOpen())
            return 0;
        file_.reset();
        trestle_device_fail(dev, "cannot write the wave %s; check the path", path);
        return -EINVAL;
    }

    // Whether any of that time is to be recorded.
    bool covers(trestle_time from, trestle_time to) const
    {
        return file_ && to >= from_ && from <= to_;
    }

    void dump(trestle_time now)
    {
        if (covers(now, now) && (now > last_ || last_ == 0)) {
            file_->dump(static_cast<uint64_t>(now));
            last_ = now;
        }
    }

    void finish(struct trestle_device *dev, trestle_time now)
    {
        if (!file_)
            return;
        dump(now < to_ ? now : to_);
        file_->close();
        if (!is_whole(path_.c_str()))
            trestle_device_fail(dev, "the wave %s is cut off: is the disk full?", path_.c_str());
    }

  private:
    // FST's writer does not report errors. In a whole file the last block ends where the file ends.
    static bool is_whole(const char *path)
    {
        std::FILE *file = std::fopen(path, "rb");
        unsigned char head[9]; // a block's type, and its length without the type
        uint64_t at = 0, length = 8;
        while (file && length >= 8 && std::fread(head, 1, sizeof(head), file) == sizeof(head)) {
            length = 0;
            for (int i = 1; i < 9; i++)
                length = length << 8 | head[i];
            at += 1 + length;
            std::fseek(file, static_cast<long>(at), SEEK_SET);
        }
        bool is_whole = file && length >= 8 && at > 0 && std::fseek(file, 0, SEEK_END) == 0 &&
                        std::ftell(file) == static_cast<long>(at);
        if (file)
            std::fclose(file);
        return is_whole;
    }

    std::string path_;
    std::unique_ptr<VerilatedFstC> file_;
    trestle_time from_ = 0, to_ = 0, last_ = 0;
};

} // namespace trestle_rtl

#else

namespace trestle_rtl
{

struct wave {
    template <class Core>
    int init(struct trestle_device *dev, const struct trestle_params *params, Core &)
    {
        const char *path = nullptr;
        int r = trestle_params_string(params, "wave", nullptr, &path);
        if (r < 0 || !path)
            return r;
        trestle_device_fail(dev, "it has no waves: make it with trestle rtl build --wave");
        return -EINVAL;
    }
    static constexpr bool covers(trestle_time, trestle_time)
    {
        return false;
    }
    static void dump(trestle_time)
    {
    }
    static void finish(struct trestle_device *, trestle_time)
    {
    }
};

} // namespace trestle_rtl

#endif
#endif
