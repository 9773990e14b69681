// SPDX-License-Identifier: MIT
/* Ends QEMU and removes its sockets when a signal ends SST. */
#include "signals.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <time.h>
#include <unistd.h>

namespace Trestle
{

// A handler may look at one at any time: so they are never freed, a few for each run.
struct SignalWatch {
    std::vector<std::string> files;
    std::string directory;
    std::atomic<bool> isActive{true};
    SignalWatch *next = nullptr;
};

namespace
{

volatile sig_atomic_t interrupted;
struct sigaction previousInt, previousTerm, previousCont;
std::mutex lock;
std::atomic<SignalWatch *> watches;
std::atomic<uint64_t> ranAtNs;
unsigned numActive;

void removeFiles()
{
    for (const SignalWatch *watch = watches; watch; watch = watch->next) {
        if (!watch->isActive)
            continue;
        for (const std::string &file : watch->files)
            unlink(file.c_str());
        if (!watch->directory.empty())
            rmdir(watch->directory.c_str());
    }
}

void onSignal(int number)
{
    const struct sigaction &previous = number == SIGINT ? previousInt : previousTerm;
    bool isPlain = !(previous.sa_flags & SA_SIGINFO);
    bool isDefault = isPlain && previous.sa_handler == SIG_DFL;
    if (isPlain && previous.sa_handler == SIG_IGN)
        return;
    interrupted = 1;
    if (number == SIGTERM || isDefault)
        removeFiles();
    if (isDefault) { // sst --disable-signal-handlers: the process ends here, and QEMU with it
        sigaction(number, &previous, nullptr);
        raise(number);
    } else if (isPlain) {
        previous.sa_handler(number);
    }
}

/*
 * Open MPI's mpirun takes Ctrl-C for itself, and sends its processes SIGTERM a second later. What
 * it sends at once is SIGCONT, so that stopped ones can end, too: the first sign, when it comes
 * from the parent to a process that was running until now. It passes on SIGCONT after Ctrl-Z as
 * well.
 */
void onCont(int, siginfo_t *info, void *)
{
    constexpr uint64_t stoppedNs = 200 * 1000 * 1000;
    if (info->si_code == SI_USER && info->si_pid == getppid() && !interrupted &&
        clockNs() - ranAtNs < stoppedNs)
        raise(SIGTERM);
}

} // namespace

SignalWatch *watchSignals(const std::vector<std::string> &files, const std::string &directory)
{
    std::lock_guard<std::mutex> guard(lock);
    auto *watch = new SignalWatch();
    watch->files = files;
    watch->directory = directory;
    watch->next = watches;
    watches = watch;
    struct sigaction action = {};
    if (numActive++ > 0)
        return watch;
    action.sa_handler = onSignal;
    sigaction(SIGINT, &action, &previousInt);
    sigaction(SIGTERM, &action, &previousTerm);
    sigaction(SIGCONT, nullptr, &previousCont);
    if (getenv("OMPI_COMM_WORLD_SIZE")) {
        action.sa_sigaction = onCont;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGCONT, &action, nullptr);
    }
    return watch;
}

void unwatchSignals(SignalWatch *watch)
{
    std::lock_guard<std::mutex> guard(lock);
    watch->isActive = false;
    if (--numActive > 0)
        return;
    sigaction(SIGINT, &previousInt, nullptr);
    sigaction(SIGTERM, &previousTerm, nullptr);
    sigaction(SIGCONT, &previousCont, nullptr);
}

bool isInterrupted()
{
    return interrupted != 0;
}

uint64_t clockNs()
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

void noteRunning(uint64_t ns)
{
    ranAtNs.store(ns, std::memory_order_relaxed);
}

} // namespace Trestle
