// SPDX-License-Identifier: MIT
// Ctrl-C, as a host sees it that waits for its QEMU.
#ifndef TRESTLE_SST_SIGNALS_H
#define TRESTLE_SST_SIGNALS_H

namespace Trestle
{

// In a parallel run SST acts on a signal at its next synchronization, which a waiting host may keep
// from coming: so the host has to know by itself. SST's own handlers run as before. Calls come in
// pairs, from any thread.
void watchSignals();
void unwatchSignals();

// True from SIGINT or SIGTERM on.
bool isInterrupted();

} // namespace Trestle

#endif
