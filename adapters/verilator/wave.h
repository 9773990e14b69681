// SPDX-License-Identifier: MIT
//
// Waveforms of a core: an FST file whose time is the run's, in picoseconds. Verilator writes it.
#ifndef TRESTLE_VERILATOR_WAVE_H
#define TRESTLE_VERILATOR_WAVE_H

#include "trestle/device.h"

#if TRESTLE_WAVE
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verilated_fst_c.h"

bool trestle_rtl_has_signals(); // see fst_writer.cc
std::string trestle_rtl_modules();
std::FILE *trestle_rtl_opened();
void trestle_rtl_save(std::FILE *list, const char *path);

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
        if (from_ > to_)
            return trestle_params_refuse(params, "wave_from", "a time before wave_to");
        r = claim(dev, params, path);
        if (r < 0)
            return r;
        path_ = path;
        begun_ = path_ + ".part";
        file_ = std::make_unique<VerilatedFstC>();
        file_->set_time_unit("1ps");
        file_->set_time_resolution("1ps");
        core.trace(file_.get(), 99);
        if (scope)
            file_->dumpvars(99, scope);
        errno = 0;
        file_->open(begun_.c_str());
        if (!file_->isOpen())
            return cannot_write(dev, path, errno ? errno : ENOMEM);
        claim_.reset(open(begun_.c_str(), O_RDONLY | O_CLOEXEC));
        (void)flock(claim_.fd, LOCK_EX | LOCK_NB);
        list_ = trestle_rtl_opened();
        if (trestle_rtl_has_signals())
            return 0;
        (void)unlink(begun_.c_str()); // the writer does not survive a file without signals
        return trestle_params_refuse(params, "wave_scope",
                                     ("the path of a module: " + modules(core)).c_str());
    }

    // Whether any of that time is to be recorded.
    bool covers(trestle_time from, trestle_time to) const
    {
        return file_ && to >= from_ && from <= to_;
    }

    void dump(trestle_time now)
    {
        if (covers(now, now) && (now > last_ || last_ == 0)) {
            take_name();
            file_->dump(static_cast<uint64_t>(now));
            last_ = now;
            if (++times_ % times_kept == 0)
                file_->flush();
        }
    }

    void finish(struct trestle_device *dev, trestle_time now)
    {
        if (!file_)
            return;
        if (now == 0) { // there was no run, as in trestle check
            file_->close();
            (void)unlink(begun_.c_str());
            return;
        }
        dump(now < to_ ? now : to_);
        take_name();
        file_->close();
        if (is_replaced()) {
            trestle_device_log(dev, TRESTLE_LOG_WARNING, "another file has replaced the wave %s",
                               path_.c_str());
            return;
        }
        (void)unlink((path_ + ".hier").c_str());
        if (is_whole(path_.c_str()))
            return;
        int why = why_it_ended(path_.c_str());
        trestle_device_fail(dev,
                            "the wave %s is cut off: %s; make room for it, or record less with "
                            "wave_from, wave_to and wave_scope",
                            path_.c_str(),
                            why ? std::strerror(why) : "it could not be written for a while");
    }

  private:
    // How many times the writer may keep in memory, which a killed run loses.
    static constexpr uint64_t times_kept = 65536;

    struct descriptor {
        int fd = -1;
        ~descriptor()
        {
            reset(-1);
        }
        void reset(int other)
        {
            if (fd >= 0)
                close(fd);
            fd = other;
        }
    };

    static int cannot_write(struct trestle_device *dev, const char *path, int why)
    {
        trestle_device_fail(dev, "cannot write the wave %s: %s; check the path", path,
                            std::strerror(why));
        return -EINVAL;
    }

    // All modules of the core, for a message. A file without a wave_scope lists them.
    template <class Core> std::string modules(Core &core) const
    {
        VerilatedFstC all;
        core.trace(&all, 99);
        all.open(begun_.c_str());
        std::string list = all.isOpen() ? trestle_rtl_modules() : "";
        (void)unlink(begun_.c_str());
        return list.empty() ? "such as TOP" : list;
    }

    // An older wave stays until the run begins. Only a file may have that name, and only one that
    // no other device is about to write.
    static int claim(struct trestle_device *dev, const struct trestle_params *params,
                     const char *path)
    {
        struct stat st;
        descriptor old, begun;
        old.reset(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
        if (old.fd < 0 && errno != ENOENT)
            return cannot_write(dev, path, errno);
        if (old.fd >= 0 && (fstat(old.fd, &st) < 0 || !S_ISREG(st.st_mode)))
            return trestle_params_refuse(params, "wave", "the path of a file");
        begun.reset(open((std::string(path) + ".part").c_str(), O_RDONLY | O_CLOEXEC));
        if (begun.fd >= 0 && flock(begun.fd, LOCK_EX | LOCK_NB) < 0)
            return trestle_params_refuse(params, "wave",
                                         "a file of its own: another device writes to it");
        return 0;
    }

    void take_name()
    {
        if (has_name_)
            return;
        (void)rename(begun_.c_str(), path_.c_str()); // finish() looks at the result
        trestle_rtl_save(list_, (path_ + ".hier").c_str());
        has_name_ = true;
    }

    // By a newer process of the device, or a user.
    bool is_replaced() const
    {
        struct stat ours, there;
        return fstat(claim_.fd, &ours) == 0 && stat(path_.c_str(), &there) == 0 &&
               (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
    }

    // Why the file cannot grow. 0: it can, now.
    static int why_it_ended(const char *path)
    {
        static const char more[65536] = {};
        struct stat st;
        descriptor file;
        file.reset(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
        if (file.fd < 0 || fstat(file.fd, &st) < 0)
            return errno;
        ssize_t n = write(file.fd, more, sizeof(more));
        if (n > 0 && n < static_cast<ssize_t>(sizeof(more)))
            n = write(file.fd, more, sizeof(more));
        int why = n < 0 ? errno : 0;
        (void)ftruncate(file.fd, st.st_size);
        return why;
    }

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

    std::string path_, begun_; // its name before the run begins
    bool has_name_ = false;
    std::unique_ptr<VerilatedFstC> file_;
    std::FILE *list_ = nullptr; // of its modules and signals, as long as it is open
    uint64_t times_ = 0;        // that were recorded
    descriptor claim_;          // the file again, locked
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
