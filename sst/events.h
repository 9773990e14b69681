// SPDX-License-Identifier: MIT
/*
 * trestle/sst/events.h: what crosses the links between a QEMU host and its devices. All that an
 * SST component of your own needs to be a device: take AccessEvents on a port, answer each with a
 * ResponseEvent. docs/sst.md has a whole example.
 */
#ifndef TRESTLE_SST_EVENTS_H
#define TRESTLE_SST_EVENTS_H

#include <sst/core/event.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace Trestle
{

// Host to device, in init(): where the guest finds the device. A device that does not care ignores
// it.
class RegionEvent : public SST::Event
{
  public:
    RegionEvent() = default;
    RegionEvent(std::string name_, uint64_t base_, uint64_t size_)
        : name(std::move(name_)), base(base_), size(size_)
    {
    }
    SST::Event *clone() override
    {
        return new RegionEvent(*this);
    }

    std::string name;  // what the host calls the device
    uint64_t base = 0; // guest-physical
    uint64_t size = 0; // bytes

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(name);
        SST_SER(base);
        SST_SER(size);
    }
    ImplementSerializable(Trestle::RegionEvent);
};

/*
 * What a device may say of its future, so that its interrupts and copies are exact: that it will
 * send no InterruptEvent and no DmaEvent by itself before `next`, in ps of SST's time. From then on
 * the guest waits until the device says more, which it has to: with each ResponseEvent, and with a
 * NextEvent whenever `next` has come, or becomes earlier, and after each DmaDoneEvent and
 * ResetEvent. One that does not know, since others can make it interrupt, says nothing; what it
 * sends then reaches the guest up to a quantum late.
 */
struct Next {
    static constexpr uint64_t UNKNOWN = 0, NEVER = UINT64_MAX;
    uint64_t next = UNKNOWN;
    uint64_t sent = 0;  // InterruptEvents and DmaEvents so far: some may still be on their way
    uint64_t heard = 0; // DmaDoneEvents and ResetEvents so far

    void serialize_order(SST::Core::Serialization::serializer &ser)
    {
        SST_SER(next);
        SST_SER(sent);
        SST_SER(heard);
    }
};

// Device to host, in init(): the device will send DmaEvents, or says what is next (or both). Others
// need not send it.
class AttachEvent : public SST::Event
{
  public:
    AttachEvent() = default;
    SST::Event *clone() override
    {
        return new AttachEvent(*this);
    }

    bool dma = false;
    bool needsIcount = false; // the host ends a simulation that has none
    Next next;

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(dma);
        SST_SER(needsIcount);
        next.serialize_order(ser);
    }
    ImplementSerializable(Trestle::AttachEvent);
};

// Host to device: the guest reads or writes. It waits, and its time stands still, until the
// ResponseEvent with the same id.
class AccessEvent : public SST::Event
{
  public:
    AccessEvent() = default;
    SST::Event *clone() override
    {
        return new AccessEvent(*this);
    }

    uint64_t id = 0;
    uint64_t offset = 0; // from the device's base; inside its region, a multiple of size
    uint64_t data = 0;   // of a write, in its low size bytes
    uint8_t size = 0;    // 1, 2, 4 or 8 bytes
    bool write = false;

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(id);
        SST_SER(offset);
        SST_SER(data);
        SST_SER(size);
        SST_SER(write);
    }
    ImplementSerializable(Trestle::AccessEvent);
};

// Device to host: the answer, once for each AccessEvent.
class ResponseEvent : public SST::Event
{
  public:
    ResponseEvent() = default;
    ResponseEvent(uint64_t id_, uint64_t data_, bool success_)
        : id(id_), data(data_), success(success_)
    {
    }
    SST::Event *clone() override
    {
        return new ResponseEvent(*this);
    }

    uint64_t id = 0;
    uint64_t data = 0;   // of a read
    bool success = true; // false: a bus error in the guest
    Next next;

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(id);
        SST_SER(data);
        SST_SER(success);
        next.serialize_order(ser);
    }
    ImplementSerializable(Trestle::ResponseEvent);
};

// Device to host, on the port of the accesses, between two of them.
class NextEvent : public SST::Event
{
  public:
    NextEvent() = default;
    NextEvent(const Next &next_) : next(next_)
    {
    }
    SST::Event *clone() override
    {
        return new NextEvent(*this);
    }

    Next next;

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        next.serialize_order(ser);
    }
    ImplementSerializable(Trestle::NextEvent);
};

// Host to device: the guest was reset. An access under way is not to be answered.
class ResetEvent : public SST::Event
{
  public:
    ResetEvent() = default;
    SST::Event *clone() override
    {
        return new ResetEvent(*this);
    }
    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
    }
    ImplementSerializable(Trestle::ResetEvent);
};

// Device to host, on the port of the accesses: copy from or to guest memory. One DmaDoneEvent with
// the same id comes back, if no ResetEvent comes before.
class DmaEvent : public SST::Event
{
  public:
    DmaEvent() = default;
    SST::Event *clone() override
    {
        return new DmaEvent(*this);
    }

    uint64_t id = 0;            // the device's own
    uint64_t address = 0;       // guest-physical
    uint64_t size = 0;          // bytes
    bool write = false;         // to guest memory
    std::vector<uint8_t> bytes; // of a write, size of them

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(id);
        SST_SER(address);
        SST_SER(size);
        SST_SER(write);
        SST_SER(bytes);
    }
    ImplementSerializable(Trestle::DmaEvent);
};

// Host to device: the end of a copy.
class DmaDoneEvent : public SST::Event
{
  public:
    DmaDoneEvent() = default;
    SST::Event *clone() override
    {
        return new DmaDoneEvent(*this);
    }

    uint64_t id = 0;
    bool success = false;       // false: the addresses are not the guest's memory, or it has gone
    std::vector<uint8_t> bytes; // of a read

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(id);
        SST_SER(success);
        SST_SER(bytes);
    }
    ImplementSerializable(Trestle::DmaDoneEvent);
};

// Device to host, on the device's irq_port: a line changed its level.
class InterruptEvent : public SST::Event
{
  public:
    InterruptEvent() = default;
    InterruptEvent(uint32_t line_, bool level_) : line(line_), level(level_)
    {
    }
    SST::Event *clone() override
    {
        return new InterruptEvent(*this);
    }

    uint32_t line = 0; // of the device's own lines, from 0
    bool level = false;

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(line);
        SST_SER(level);
    }
    ImplementSerializable(Trestle::InterruptEvent);
};

// Between linked devices: the bytes of one message, 1 to 256. trestle/peer.h has what the bundled
// models say to each other.
class MessageEvent : public SST::Event
{
  public:
    MessageEvent() = default;
    MessageEvent(const void *data, size_t size)
        : bytes(static_cast<const uint8_t *>(data), static_cast<const uint8_t *>(data) + size)
    {
    }
    SST::Event *clone() override
    {
        return new MessageEvent(*this);
    }

    std::vector<uint8_t> bytes;

    void serialize_order(SST::Core::Serialization::serializer &ser) override
    {
        SST::Event::serialize_order(ser);
        SST_SER(bytes);
    }
    ImplementSerializable(Trestle::MessageEvent);
};

} // namespace Trestle

#endif
