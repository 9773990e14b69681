// SPDX-License-Identifier: MIT
/* Components of SST's that only the tests use. */
// Components that misbehave, for the tests of the others, and one that polls, to compare with.
#include "compat.h"
#include "events.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace TrestleTest
{

// A device that takes accesses and, past a number of them, answers no more.
class Silent : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT(Silent, "trestletest", "Silent", SST_ELI_ELEMENT_VERSION(0, 1, 0),
                               "A device that stops answering", COMPONENT_CATEGORY_UNCATEGORIZED)
    SST_ELI_DOCUMENT_PARAMS({"answers", "Accesses to answer before falling silent", "0"},
                            {"end", "What to do then: nothing, fatal, or copy", "nothing"},
                            {"tick", "A clock that ticks all the time, so that time takes time",
                             ""})
    SST_ELI_DOCUMENT_PORTS({"cpu_port", "To the host", {"Trestle.AccessEvent"}})

    Silent(SST::ComponentId_t id, SST::Params &params)
        : Component(id), answers_(params.find<uint64_t>("answers", 0)),
          end_(params.find<std::string>("end", "nothing"))
    {
        std::string tick = params.find<std::string>("tick", "");
        cpu_ = configureLink("cpu_port", new Trestle::EventHandler<Silent, &Silent::onCpu>(this));
        if (!tick.empty())
            registerClock(tick, new Trestle::ClockHandler<Silent, &Silent::onTick>(this));
    }

  private:
    bool onTick(SST::Cycle_t)
    {
        return false;
    }

    void onCpu(SST::Event *event)
    {
        auto *access = dynamic_cast<Trestle::AccessEvent *>(event);
        if (access && answers_ == 0) {
            std::printf("silent: asked\n");
            std::fflush(stdout);
        }
        if (access && answers_ > 0) {
            answers_--;
            cpu_->send(new Trestle::ResponseEvent(access->id, 0, true));
        } else if (access && end_ == "fatal") {
            fatal(CALL_INFO, 3, "a fatal error while the guest waits\n");
        } else if (access && end_ == "copy") {
            auto *dma = new Trestle::DmaEvent();
            dma->size = UINT64_MAX;
            cpu_->send(dma);
        }
        auto *done = dynamic_cast<Trestle::DmaDoneEvent *>(event);
        if (done && !done->success)
            getSimulationOutput().output("a copy failed\n");
        delete event;
    }

    SST::Link *cpu_;
    uint64_t answers_;
    std::string end_;
};

// What Trestle is compared with: a host that looks at its socket at every tick of its clock, and
// speaks protocol 1 there. QEMU is started by somebody else, once "Listening" is printed.
class Polling : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT(Polling, "trestletest", "Polling", SST_ELI_ELEMENT_VERSION(0, 1, 0),
                               "A host that polls", COMPONENT_CATEGORY_UNCATEGORIZED)
    SST_ELI_DOCUMENT_PARAMS({"clock", "How often it looks", "1GHz"},
                            {"socket_path", "Its Unix socket", NULL},
                            {"device_base", "Guest-physical address of the device", NULL})
    SST_ELI_DOCUMENT_PORTS({"device_port", "To the device", {"Trestle.AccessEvent"}})

    Polling(SST::ComponentId_t id, SST::Params &params)
        : Component(id), path_(params.find<std::string>("socket_path", "")),
          base_(params.find<uint64_t>("device_base", 0))
    {
        device_ = configureLink("device_port",
                                new Trestle::EventHandler<Polling, &Polling::onDevice>(this));
        registerClock(params.find<std::string>("clock", "1GHz"),
                      new Trestle::ClockHandler<Polling, &Polling::onTick>(this));
        registerAsPrimaryComponent();
        primaryComponentDoNotEndSim();
    }

    void init(unsigned phase) override
    {
        if (phase == 0)
            device_->sendUntimedData(new Trestle::RegionEvent("device", base_, 4096));
    }

    void setup() override
    {
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
        server_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (bind(server_, reinterpret_cast<struct sockaddr *>(&address), sizeof(address)) < 0 ||
            listen(server_, 1) < 0)
            fatal(CALL_INFO, 1, "cannot listen at %s: %s\n", path_.c_str(), strerror(errno));
        getSimulationOutput().output("Listening\n");
    }

  private:
    bool onTick(SST::Cycle_t)
    {
        if (client_ < 0) {
            client_ = accept4(server_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            return false;
        }
        ssize_t n = recv(client_, frame_ + have_, sizeof(frame_) - have_, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            primaryComponentOKToEndSim();
            return true;
        }
        have_ += n > 0 ? static_cast<size_t>(n) : 0;
        if (have_ == sizeof(frame_))
            ask();
        return false;
    }

    void ask()
    {
        auto *access = new Trestle::AccessEvent();
        uint64_t address;
        memcpy(&address, frame_ + 4, sizeof(address));
        memcpy(&access->data, frame_ + 12, sizeof(access->data));
        access->id = 1;
        access->offset = address - base_;
        access->write = frame_[0] == 1;
        access->size = frame_[1];
        have_ = 0;
        device_->send(access);
    }

    void onDevice(SST::Event *event)
    {
        if (auto *response = dynamic_cast<Trestle::ResponseEvent *>(event)) {
            uint8_t frame[16] = {response->success};
            memcpy(frame + 8, &response->data, sizeof(response->data));
            if (send(client_, frame, sizeof(frame), MSG_NOSIGNAL) < 0)
                primaryComponentOKToEndSim();
        }
        delete event;
    }

    std::string path_;
    uint64_t base_;
    SST::Link *device_;
    int server_ = -1, client_ = -1;
    uint8_t frame_[20];
    size_t have_ = 0;
};

// Between a host and a device: passes on everything but what the device says of its future.
class Relay : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT(Relay, "trestletest", "Relay", SST_ELI_ELEMENT_VERSION(0, 1, 0),
                               "Keeps a device's future from its host",
                               COMPONENT_CATEGORY_UNCATEGORIZED)
    SST_ELI_DOCUMENT_PORTS({"cpu_port", "To the host", {"Trestle.AccessEvent"}},
                           {"device_port", "To the device", {"Trestle.AccessEvent"}})

    Relay(SST::ComponentId_t id, SST::Params &) : Component(id)
    {
        cpu_ = configureLink("cpu_port", new Trestle::EventHandler<Relay, &Relay::onCpu>(this));
        device_ =
            configureLink("device_port", new Trestle::EventHandler<Relay, &Relay::onDevice>(this));
    }

    void init(unsigned) override
    {
        while (SST::Event *event = cpu_->recvUntimedData())
            device_->sendUntimedData(event);
        while (SST::Event *event = device_->recvUntimedData())
            delete event;
    }

  private:
    void onCpu(SST::Event *event)
    {
        device_->send(event);
    }
    void onDevice(SST::Event *event)
    {
        if (dynamic_cast<Trestle::NextEvent *>(event)) {
            delete event;
            return;
        }
        if (auto *response = dynamic_cast<Trestle::ResponseEvent *>(event))
            response->next = Trestle::Next();
        cpu_->send(event);
    }

    SST::Link *cpu_, *device_;
};

// Fails in setup(), when a host before it has started its QEMU already.
class Failing : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT(Failing, "trestletest", "Failing", SST_ELI_ELEMENT_VERSION(0, 1, 0),
                               "A component that fails in setup()",
                               COMPONENT_CATEGORY_UNCATEGORIZED)

    Failing(SST::ComponentId_t id, SST::Params &) : Component(id)
    {
    }
    void setup() override
    {
        fatal(CALL_INFO, 4, "a configuration error seen in setup()\n");
    }
};

// A memory system of one piece: 16 bytes that answer 20 ns later, an error beyond them. The first
// eight hold their own address at first.
class Ram : public SST::Interfaces::StandardMem
{
  public:
    SST_ELI_REGISTER_SUBCOMPONENT(Ram, "trestletest", "Ram", SST_ELI_ELEMENT_VERSION(0, 1, 0),
                                  "Sixteen bytes of memory", SST::Interfaces::StandardMem)
    SST_ELI_DOCUMENT_PARAMS({"base", "Address of the first byte", NULL})

    template <typename Converter>
    Ram(SST::ComponentId_t id, SST::Params &params, Converter time, HandlerBase *handler)
        : StandardMem(id, params, time, handler), base_(params.find<uint64_t>("base", 0)),
          handler_(handler)
    {
        memcpy(bytes_, &base_, sizeof(base_));
        self_ =
            configureSelfLink("self", "1ns", new Trestle::EventHandler<Ram, &Ram::onSelf>(this));
    }

    void setMemoryMappedAddressRegion(Addr, Addr) override
    {
    }
    void sendUntimedData(Request *request) override
    {
        delete request;
    }
    Request *recvUntimedData() override
    {
        return nullptr;
    }
    Request *poll() override
    {
        return nullptr;
    }
    Addr getLineSize() override
    {
        return 64;
    }

    void send(Request *request) override
    {
        Request *response = request->makeResponse();
        auto *read = dynamic_cast<Read *>(request);
        auto *write = dynamic_cast<Write *>(request);
        uint64_t at = (read ? read->pAddr : write->pAddr) - base_;
        uint64_t size = read ? read->size : write->size;
        if (at > sizeof(bytes_) - size)
            response->setFail();
        else if (read)
            memcpy(dynamic_cast<ReadResp *>(response)->data.data(), bytes_ + at, size);
        else
            memcpy(bytes_ + at, write->data.data(), size);
        delete request;
        waiting_ = response;
        self_->send(20, new Trestle::WakeEvent());
    }

  private:
    void onSelf(SST::Event *event)
    {
        delete event;
        (*handler_)(waiting_);
    }

    uint64_t base_;
    HandlerBase *handler_;
    SST::Link *self_;
    Request *waiting_ = nullptr;
    uint8_t bytes_[16] = {};
};

} // namespace TrestleTest
