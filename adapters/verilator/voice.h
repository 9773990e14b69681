// SPDX-License-Identifier: MIT
//
// What a core says ($display, $write): lines of the run's log, when the guest's time has come to
// them.
#ifndef TRESTLE_VERILATOR_VOICE_H
#define TRESTLE_VERILATOR_VOICE_H

#include <cstdarg>
#include <cstdio>
#include <string>

#include "print.h"
#include "trestle/device.h"

namespace trestle_rtl
{

class voice
{
  public:
    // Whose core is at work now.
    static inline thread_local voice *speaker = nullptr;

    void say(const char *text)
    {
        if (said_.size() < longest)
            said_ += text;
    }
    bool has_said() const
    {
        return !said_.empty();
    }
    // It was ahead of the guest, and did not happen.
    void forget()
    {
        said_.clear();
    }
    // It did. What has no end of line waits for it.
    void log(struct trestle_device *dev)
    {
        line_ += said_;
        said_.clear();
        size_t from = 0;
        for (size_t end; (end = line_.find('\n', from)) != std::string::npos; from = end + 1)
            trestle_device_log(dev, TRESTLE_LOG_INFO, "%s", line_.substr(from, end - from).c_str());
        line_.erase(0, line_.size() - from < longest ? from : line_.size());
    }

  private:
    static constexpr size_t longest = 4096;
    std::string said_, line_;
};

} // namespace trestle_rtl

int trestle_rtl_print(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = std::vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (trestle_rtl::voice::speaker)
        trestle_rtl::voice::speaker->say(text);
    return length;
}

#endif
