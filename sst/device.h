// SPDX-License-Identifier: MIT
// A Trestle model as a component.
#ifndef TRESTLE_SST_DEVICE_H
#define TRESTLE_SST_DEVICE_H

#include "compat.h"
#include "events.h"
#include "trestle/bridge.h"
#include "trestle/models.h"
#include "trestle/sim.h"

#include <string>
#include <vector>

namespace Trestle
{

/*
 * The model runs in an engine of its own, whose time is brought to SST's before anything happens
 * to it. The engine's next event is an event of this component to itself, so that it costs what its
 * events cost, however long a latency is.
 */
class ModelDevice : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT_BASE(Trestle::ModelDevice)

    SST_ELI_DOCUMENT_PARAMS(
        {"base_addr",
         "Guest-physical address; the host's is taken, and must be the same if both are given", ""},
        {"size", "Bytes of the region; 0: as many as the host has", "0"},
        {"verbose", "0: errors, 1: what happens once, 2: the model's debugging", "1"})

    SST_ELI_DOCUMENT_PORTS({"cpu_port",
                            "To the QEMU host",
                            {"Trestle.AccessEvent", "Trestle.ResponseEvent", "Trestle.DmaEvent"}},
                           {"irq_port",
                            "Changes of the interrupt lines; may be left open",
                            {"Trestle.InterruptEvent"}},
                           {"peer_port",
                            "To the device linked to the model's peer port 0; may be left open",
                            {"Trestle.MessageEvent"}},
                           {"peer_port_%d",
                            "The same, by the number of the model's peer port",
                            {"Trestle.MessageEvent"}})

    SST_ELI_DOCUMENT_STATISTICS({"mmio_reads", "Reads answered with success", "accesses", 1},
                                {"mmio_writes", "Writes answered with success", "accesses", 1},
                                {"mmio_errors", "Accesses answered with an error", "accesses", 1},
                                {"interrupts_generated", "Interrupt lines raised", "interrupts", 1},
                                {"messages_sent", "Messages to linked devices", "messages", 1},
                                {"messages_received", "Messages from linked devices", "messages",
                                 1})

    // model: a name, or empty for the parameter "model". Parameters that are not the component's
    // own are the model's.
    ModelDevice(SST::ComponentId_t id, SST::Params &params, const std::string &model = "");
    ~ModelDevice() override;

    void init(unsigned phase) override;
    void setup() override;

  private:
    struct Request : trestle_request {
        ModelDevice *device;
    };
    using Counter = SST::Statistics::Statistic<uint64_t>;

    void findModel(const std::string &name);
    void readParams(SST::Params &params);
    void configurePorts();
    void create();

    void onCpu(SST::Event *event);
    void onPeer(SST::Event *event, uint32_t port);
    void onWake(SST::Event *event);
    void access(const class AccessEvent &event);
    void respond();
    void dmaDone(const class DmaDoneEvent &done);

    uint64_t now() const
    {
        return getCurrentSimTime(picosecond_);
    }
    void catchUp();
    void armWake();
    void settle();
    bool isForetold() const;
    Next next();

    static const struct trestle_host_ops ops;

    SST::Output out_;
    SST::TimeConverter picosecond_;
    SST::Link *cpu_ = nullptr, *irq_ = nullptr, *wake_ = nullptr;
    std::vector<SST::Link *> peers_;
    uint64_t wakeAt_ = UINT64_MAX; // the earliest wake event on its way
    bool isForetold_ = false;      // what comes next is known, and the host wants to hear of it
    uint64_t told_ = UINT64_MAX;   // the host, as next
    uint64_t numSent_ = 0, numHeard_ = 0;

    const struct trestle_model *model_ = nullptr;
    struct trestle_model_library *library_ = nullptr;
    std::vector<std::pair<std::string, std::string>> params_; // the model's
    uint64_t base_ = 0, size_ = 0;
    bool hasBase_ = false;
    int verbose_;

    struct trestle_sim *sim_ = nullptr;
    struct trestle_device *device_ = nullptr;
    Request request_; // under way, while trestle_device_busy()
    uint64_t requestId_ = 0;

    Counter *reads_, *writes_, *errors_, *interrupts_, *sent_, *received_;
};

} // namespace Trestle

#endif
