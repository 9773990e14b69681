// SPDX-License-Identifier: MIT
// Components that misbehave, for the tests of the others.
#include "compat.h"
#include "events.h"

#include <cstdlib>
#include <string>

namespace TrestleTest
{

// A device that takes accesses and, past a number of them, answers no more.
class Silent : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT(Silent, "trestletest", "Silent", SST_ELI_ELEMENT_VERSION(0, 1, 0),
                               "A device that stops answering", COMPONENT_CATEGORY_UNCATEGORIZED)
    SST_ELI_DOCUMENT_PARAMS(
        {"answers", "Accesses to answer before falling silent", "0"},
        {"end", "What to do then: nothing, fatal, or kill the process that sent the access's data",
         "nothing"})
    SST_ELI_DOCUMENT_PORTS({"cpu_port", "To the host", {"Trestle.AccessEvent"}})

    Silent(SST::ComponentId_t id, SST::Params &params)
        : Component(id), answers_(params.find<uint64_t>("answers", 0)),
          end_(params.find<std::string>("end", "nothing"))
    {
        cpu_ = configureLink("cpu_port", new Trestle::EventHandler<Silent, &Silent::onCpu>(this));
    }

  private:
    void onCpu(SST::Event *event)
    {
        auto *access = dynamic_cast<Trestle::AccessEvent *>(event);
        if (access && answers_ > 0) {
            answers_--;
            cpu_->send(new Trestle::ResponseEvent(access->id, 0, true));
        } else if (access && end_ == "fatal") {
            fatal(CALL_INFO, 3, "a fatal error while the guest waits\n");
        }
        delete event;
    }

    SST::Link *cpu_;
    uint64_t answers_;
    std::string end_;
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

} // namespace TrestleTest
