// SPDX-License-Identifier: MIT
/*
 * The names that differ between the releases of SST-Core that this builds against. Meson defines
 * TRESTLE_SST_HANDLER2 for 15, where the handler that knows its function at compile time is called
 * Handler2; from 16 on it is Handler.
 */
#ifndef TRESTLE_SST_COMPAT_H
#define TRESTLE_SST_COMPAT_H

#include <sst/core/clock.h>
#include <sst/core/component.h>
#include <sst/core/event.h>
#include <sst/core/interfaces/stdMem.h>
#include <sst/core/link.h>
#include <sst/core/output.h>
#include <sst/core/params.h>
#include <sst/core/timeConverter.h>

namespace Trestle
{

#ifdef TRESTLE_SST_HANDLER2
template <typename Class, auto Function, typename Data = void>
using EventHandler = SST::Event::Handler2<Class, Function, Data>;
template <typename Class, auto Function> using ClockHandler = SST::Clock::Handler2<Class, Function>;
template <typename Class, auto Function>
using MemHandler = SST::Interfaces::StandardMem::Handler2<Class, Function>;
#else
template <typename Class, auto Function, typename Data = void>
using EventHandler = SST::Event::Handler<Class, Function, Data>;
template <typename Class, auto Function> using ClockHandler = SST::Clock::Handler<Class, Function>;
template <typename Class, auto Function>
using MemHandler = SST::Interfaces::StandardMem::Handler<Class, Function>;
#endif

// An event of a component to itself, which carries nothing but its time.
class WakeEvent : public SST::Event
{
  public:
    WakeEvent() = default;
    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
    }
    ImplementSerializable(Trestle::WakeEvent);
};

} // namespace Trestle

#endif
