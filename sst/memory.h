// SPDX-License-Identifier: MIT
// A device of the guest that lies in SST's memory system.
#ifndef TRESTLE_SST_MEMORY_H
#define TRESTLE_SST_MEMORY_H

#include "compat.h"
#include "events.h"

#include <map>

namespace Trestle
{

// Takes the accesses of a host, and asks for them over a StandardMem interface: so that any
// memory-mapped element behind it can be the device.
class MemoryBase : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT_BASE(Trestle::MemoryBase)

    SST_ELI_DOCUMENT_PARAMS(
        {"address", "Of the region's first byte in the memory system; empty: as in the guest", ""},
        {"noncacheable", "Whether requests go past the caches, as a device's have to", "true"},
        {"clock", "Of the interface in the slot", "1GHz"},
        {"verbose", "0: errors, 1: what happens once", "1"})

    SST_ELI_DOCUMENT_PORTS({"cpu_port",
                            "To the QEMU host",
                            {"Trestle.AccessEvent", "Trestle.ResponseEvent"}})

    SST_ELI_DOCUMENT_SUBCOMPONENT_SLOTS({"memory", "The interface to the memory system",
                                         "SST::Interfaces::StandardMem"})

    MemoryBase(SST::ComponentId_t id, SST::Params &params);

    void init(unsigned phase) override;
    void setup() override;
    void complete(unsigned phase) override;
    void finish() override;

  private:
    using StandardMem = SST::Interfaces::StandardMem;

    void onCpu(SST::Event *event);
    void onMemory(StandardMem::Request *response);
    StandardMem::Request *request(const AccessEvent &access) const;

    SST::Output out_;
    SST::Link *cpu_;
    StandardMem *memory_;
    uint64_t address_;
    bool hasAddress_, isNoncacheable_;
    std::map<StandardMem::Request::id_t, uint64_t> underWay_; // to the id of the access
};

} // namespace Trestle

#endif
