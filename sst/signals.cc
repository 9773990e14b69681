// SPDX-License-Identifier: MIT
#include "signals.h"

#include <csignal>
#include <mutex>

namespace Trestle
{

namespace
{

volatile sig_atomic_t interrupted;
struct sigaction previousInt, previousTerm;
std::mutex lock;
unsigned watchers;

void onSignal(int number)
{
    const struct sigaction &previous = number == SIGINT ? previousInt : previousTerm;
    interrupted = 1;
    if (!(previous.sa_flags & SA_SIGINFO) && previous.sa_handler != SIG_DFL &&
        previous.sa_handler != SIG_IGN)
        previous.sa_handler(number);
}

} // namespace

void watchSignals()
{
    std::lock_guard<std::mutex> guard(lock);
    struct sigaction action = {};
    if (watchers++ > 0)
        return;
    action.sa_handler = onSignal;
    sigaction(SIGINT, &action, &previousInt);
    sigaction(SIGTERM, &action, &previousTerm);
}

void unwatchSignals()
{
    std::lock_guard<std::mutex> guard(lock);
    if (--watchers > 0)
        return;
    sigaction(SIGINT, &previousInt, nullptr);
    sigaction(SIGTERM, &previousTerm, nullptr);
}

bool isInterrupted()
{
    return interrupted != 0;
}

} // namespace Trestle
