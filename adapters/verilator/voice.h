// SPDX-License-Identifier: MIT
//
// What a core prints ($display, $write). It becomes lines of the run's log when the guest's time
// reaches it.
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
    // The one whose core runs now.
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
    // The core was ahead of the guest, and goes back: it has not said this.
    void forget()
    {
        said_.clear();
    }
    // The guest's time has reached this. A line without its end waits for the rest.
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
