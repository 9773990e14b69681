// SPDX-License-Identifier: MIT
/* The SST component trestle.Memory: guest accesses that go on into memHierarchy. */
#include "memory.h"

#include <algorithm>

namespace Trestle
{

MemoryBase::MemoryBase(SST::ComponentId_t id, SST::Params &params) : Component(id)
{
    out_.init(getName() + ": ", params.find<uint32_t>("verbose", 1), 0, SST::Output::STDOUT);
    hasAddress_ = !params.find<std::string>("address", "").empty();
    address_ = params.find<uint64_t>("address", 0);
    isNoncacheable_ = params.find<bool>("noncacheable", true);
    cpu_ = configureLink("cpu_port", new EventHandler<MemoryBase, &MemoryBase::onCpu>(this));
    if (!cpu_)
        out_.fatal(CALL_INFO, 1, "cpu_port is not connected; it leads to the QEMU host\n");
    auto clock = getTimeConverter(params.find<std::string>("clock", "1GHz")); // 15: a pointer
    memory_ =
        loadUserSubComponent<StandardMem>("memory", SST::ComponentInfo::SHARE_NONE, clock,
                                          new MemHandler<MemoryBase, &MemoryBase::onMemory>(this));
    if (!memory_)
        out_.fatal(CALL_INFO, 1,
                   "the slot memory is empty; it takes memHierarchy.standardInterface, say\n");
}

// --- phases, which the interface goes through as well --------------------------------------------

void MemoryBase::init(unsigned phase)
{
    memory_->init(phase);
    while (SST::Event *event = cpu_->recvUntimedData()) {
        auto *region = dynamic_cast<RegionEvent *>(event);
        if (region && !hasAddress_)
            address_ = region->base;
        delete event;
    }
}

void MemoryBase::setup()
{
    memory_->setup();
}

void MemoryBase::complete(unsigned phase)
{
    memory_->complete(phase);
}

void MemoryBase::finish()
{
    memory_->finish();
}

// --- accesses -----------------------------------------------------------------------------------

MemoryBase::StandardMem::Request *MemoryBase::request(const AccessEvent &access) const
{
    uint64_t address = address_ + access.offset;
    if (!access.write)
        return new StandardMem::Read(address, access.size);
    std::vector<uint8_t> bytes(access.size);
    for (unsigned i = 0; i < access.size; i++)
        bytes[i] = static_cast<uint8_t>(access.data >> (8 * i));
    return new StandardMem::Write(address, access.size, bytes);
}

void MemoryBase::onCpu(SST::Event *event)
{
    if (auto *access = dynamic_cast<AccessEvent *>(event)) {
        StandardMem::Request *asked = request(*access);
        if (isNoncacheable_)
            asked->setNoncacheable();
        underWay_[asked->getID()] = access->id;
        memory_->send(asked); // is not ours any more
    } else if (dynamic_cast<ResetEvent *>(event)) {
        underWay_.clear();
    }
    delete event;
}

void MemoryBase::onMemory(StandardMem::Request *response)
{
    auto at = underWay_.find(response->getID());
    if (at != underWay_.end()) {
        uint64_t data = 0;
        if (auto *read = dynamic_cast<StandardMem::ReadResp *>(response))
            for (size_t i = 0; i < std::min<size_t>(8, read->data.size()); i++)
                data |= static_cast<uint64_t>(read->data[i]) << (8 * i);
        cpu_->send(new ResponseEvent(at->second, data, response->getSuccess()));
        underWay_.erase(at);
    }
    delete response;
}

} // namespace Trestle
