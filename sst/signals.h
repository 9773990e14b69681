// SPDX-License-Identifier: MIT
// Ctrl-C, as a host sees it that waits for its QEMU.
#ifndef TRESTLE_SST_SIGNALS_H
#define TRESTLE_SST_SIGNALS_H

#include <cstdint>
#include <string>
#include <vector>

namespace Trestle
{

struct SignalWatch;

// In a parallel run SST acts on a signal at its next synchronization, which a waiting host may keep
// from coming: so the host has to know by itself. SST's own handlers run as before.
// The files (and then the directory, when it is not empty and has nothing else in it) are removed
// when SIGTERM comes: mpirun sends it when another rank has failed, and kills soon after; and when
// a signal ends the process, since SST has no handler. Any thread; each watch is given back.
SignalWatch *watchSignals(const std::vector<std::string> &files, const std::string &directory);
void unwatchSignals(SignalWatch *watch);

// True from SIGINT or SIGTERM on.
bool isInterrupted();
// Of the host's clock; and that this process ran then: was not stopped, that is.
uint64_t clockNs();
void noteRunning(uint64_t ns);

} // namespace Trestle

#endif
