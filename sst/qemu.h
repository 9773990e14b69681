// SPDX-License-Identifier: MIT
// The component that starts QEMU and joins its devices to SST's links.
#ifndef TRESTLE_SST_QEMU_H
#define TRESTLE_SST_QEMU_H

#include "compat.h"
#include "events.h"
#include "trestle/bridge.h"
#include "trestle/machine.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace Trestle
{

/*
 * There is no clock. SST's time follows the guest's: while QEMU computes, this component waits
 * inside an event handler, and SST's time stands. An access of the guest at its time v ends the
 * wait: it goes out on the device's link so that it leaves at v, and SST runs whatever comes before
 * or follows from it. The device's answer goes to QEMU, and the component waits again.
 *
 * A wait is cut into slices, so that signals are seen and others get their turn; see serve().
 */
class QEMUHost : public SST::Component
{
  public:
    SST_ELI_REGISTER_COMPONENT_BASE(Trestle::QEMUHost)

    SST_ELI_DOCUMENT_PARAMS(
        {"binary_path", "The guest: an ELF file", NULL},
        {"qemu_path", "QEMU: a path, or a name looked up in PATH", "qemu-system-riscv32"},
        {"arch", "riscv32, riscv64, arm, aarch64 or x86_64; empty: from the name of qemu_path", ""},
        {"qemu_args", "Further arguments of QEMU: a list, or words in one string", ""},
        {"plugin",
         "trestle-qemu.so; empty: found next to this library; in-tree: this QEMU was built with "
         "it; "
         "none: it has an older sst-device, which speaks protocol 1 and gets the older environment",
         ""},
        {"num_devices", "How many devices; 1 uses the port device_port, more use device_port_%d",
         "1"},
        {"device_base",
         "With one device: its guest-physical address, hexadecimal with or without 0x",
         "0x20000000"},
        {"socket_path",
         "With one device: its Unix socket; empty: one in a private directory. The older "
         "component's fixed /tmp/qemu-sst-mmio.sock is what you get by asking for it",
         ""},
        {"device%(num_devices)d_base",
         "Guest-physical address of a device, hexadecimal with or without 0x", "0x10000000"},
        {"device%(num_devices)d_size", "Bytes of a device's region", "4096"},
        {"device%(num_devices)d_name", "Name of a device, for the log and for statistics",
         "device%d"},
        {"device%(num_devices)d_irq",
         "Inputs of the guest's interrupt controller for the device's lines, as 40 or 40:41; its "
         "irq_port_%d is then connected",
         ""},
        {"quantum",
         "How often SST's time goes on while the guest makes no access, in guest time: an "
         "interrupt or a DMA of a device that does not foretell it is at most that late. 0: never; "
         "empty: 0 where there is no such device, 10us with icount, otherwise 1ms, since shorter "
         "ones leave a guest on the host's clock no time",
         ""},
        {"device%(num_devices)d_socket",
         "Unix socket of a device; empty: one in a private directory", ""},
        {"device%(num_devices)d_properties",
         "Further properties of its sst-device, such as protocol=1,carrier=socket", ""},
        {"on_error", "What a failed access is to the guest: fault, ones or zeros", "fault"},
        {"device%(num_devices)d_on_error", "The same for one device", "as on_error"},
        {"timeout_ms",
         "Longest that QEMU waits for an answer, in ms of the host's clock; 0: without limit, "
         "since a simulation may be slow",
         "0"},
        {"device%(num_devices)d_timeout_ms", "The same for one device", "as timeout_ms"},
        {"access_timeout",
         "Longest that a device may take to answer, in simulated time; then the guest gets an "
         "error",
         "10ms"},
        {"icount",
         "N: the guest's clock counts instructions, 2^N ns each, and runs repeat exactly; -1: it "
         "follows the host's clock",
         "-1"},
        {"console",
         "output: the guest's console is standard output; interactive: standard input too, which "
         "takes Ctrl-C away from SST",
         "output"},
        {"wait", "How to wait for QEMU: adaptive, sleep or spin", "adaptive"},
        {"qemu_failure",
         "When QEMU ends with an exit code other than 0: fatal, or report to go on without it",
         "fatal"},
        {"verbose", "0: errors, 1: what happens once, 2: every access", "1"},
        {"clock", "Accepted for older configurations; nothing here ticks", "1GHz"})

    SST_ELI_DOCUMENT_PORTS({"device_port",
                            "To the device, when num_devices is 1",
                            {"Trestle.AccessEvent", "Trestle.ResponseEvent", "Trestle.DmaEvent"}},
                           {"device_port_%(num_devices)d",
                            "To each device",
                            {"Trestle.AccessEvent", "Trestle.ResponseEvent", "Trestle.DmaEvent"}},
                           {"irq_port_%(num_devices)d",
                            "To each device's irq_port; may be left open",
                            {"Trestle.InterruptEvent"}})

    SST_ELI_DOCUMENT_STATISTICS(
        {"reads", "Reads answered, per device", "accesses", 1},
        {"writes", "Writes answered, per device", "accesses", 1},
        {"errors", "Accesses answered with an error, per device", "accesses", 1},
        {"interrupts", "Interrupt lines raised, per device", "interrupts", 1},
        {"dma_bytes", "Bytes copied from and to guest memory, per device", "bytes", 1},
        {"latency", "Simulated time from an access to its answer, per device", "ps", 2})

    QEMUHost(SST::ComponentId_t id, SST::Params &params);
    ~QEMUHost() override;

    void init(unsigned phase) override;
    void setup() override;
    void finish() override;
    void emergencyShutdown() override;

  private:
    struct Device {
        uint64_t base = 0, size = 0;
        std::string name, socket, properties, irq, onError;
        struct trestle_device *device = nullptr;
        struct trestle_request *request = nullptr; // under way
        int copyStatus = 0;                        // of the latest transfer
        int64_t timeoutMs = 0;
        SST::Link *link = nullptr;
        uint64_t id = 0;      // of the access under way; 0: none
        uint64_t started = 0; // simulated
        bool write = false;
        bool hasDma = false;
        Next said;                  // of its future
        uint64_t got = 0, told = 0; // what said.sent and said.heard come to, once all has arrived
        SST::Statistics::Statistic<uint64_t> *reads = nullptr, *writes = nullptr, *errors = nullptr,
                                             *latency = nullptr, *interrupts = nullptr,
                                             *copied = nullptr;
    };

    // What the bridge's model of a device knows.
    struct Face {
        QEMUHost *host;
        uint32_t index;
    };

    // An answer that is ready, see release().
    struct Answer {
        uint32_t index;
        int status;
        uint64_t data;
    };

    // What a device wants of the guest: an InterruptEvent or a DmaEvent.
    struct Waiting {
        uint32_t index;
        std::unique_ptr<SST::Event> event;
    };

    void checkNames(SST::Params &params);
    size_t choice(SST::Params &params, const char *key, const std::vector<std::string> &choices);
    uint64_t picoseconds(const std::string &time);
    void readDevices(SST::Params &params);
    void checkPorts();
    void checkInterrupts();
    void chooseQuantum();
    void createBridge();
    void configureLinks();
    void checkFiles();
    void launch();
    void watchForSignals();
    void stop();

    void onWake(SST::Event *event);
    void onWatch(SST::Event *event);
    void onDevice(SST::Event *event, uint32_t index);
    void onResponse(const ResponseEvent &response, uint32_t index);
    void onInterrupt(SST::Event *event, uint32_t index);
    void whenGuestWaits(SST::Event *event, uint32_t index);
    void performWaiting();
    void raise(uint32_t index, const InterruptEvent &interrupt);
    bool move(Device &device, DmaEvent &dma);
    void copy(uint32_t index, DmaEvent &dma);
    void onAdvanceEnd(SST::Event *event);
    void onAdvance(trestle_time until);
    void onNext(const Next &next, Device &device);
    bool isAllHere();
    void release();
    void expect();
    static struct trestle_model face();
    static int hand(struct trestle_device *device, struct trestle_request *request,
                    const struct trestle_access *access, bool write);
    void onAccess(uint32_t index, struct trestle_request *request,
                  const struct trestle_access &access, bool write, trestle_time when);
    void bringEngine();
    void onReset(uint32_t index);

    void serve();
    uint64_t slice() const;
    bool waitForAccess(uint64_t start);
    void answer(const Answer &answer);
    void qemuEnded();
    void armWatch(uint64_t now);
    void lookAtQEMU();

    [[noreturn]] void fatalError(const char *what, char *error, int status);
    static void log(void *ctx, enum trestle_log_level level, const char *text);

    uint64_t now() const
    {
        return getCurrentSimTime(picosecond_);
    }

    SST::Output out_;
    SST::TimeConverter picosecond_;
    SST::Link *wake_ = nullptr;  // to itself
    SST::Link *watch_ = nullptr; // to itself: accesses that nobody answers
    std::vector<Device> devices_;
    SST::Link *advanceEnd_ = nullptr; // to itself
    std::string quantumText_;
    uint64_t quantum_ = 0, quantumEnd_ = 0;
    std::vector<uint32_t> foretelling_; // the devices that say what comes next
    uint64_t next_ = UINT64_MAX;        // the earliest of that
    uint64_t expected_ = UINT64_MAX;    // what the bridge is told of it
    bool hasNews_ = false;              // it has to be looked at again
    std::vector<Answer> answers_;       // until all is here
    bool isAdvanced_ = false;           // the same, of SST's time
    std::vector<Waiting> waiting_;      // until the guest waits, too
    uint32_t underWay_ = 0;             // accesses, and advances of SST's time
    uint64_t lastId_ = 0;
    uint64_t accessTimeout_;
    uint64_t watchAt_ = 0;                 // 0: not armed
    uint64_t lookAfter_ = 10 * TRESTLE_US; // at QEMU, in SST's time
    uint64_t watchedFromNs_ = 0;           // of the host's clock
    bool hasServed_ = false;               // since then

    std::string qemuPath_, arch_, kernel_, plugin_, onError_;
    std::vector<std::string> args_;
    int64_t timeoutMs_;
    int verbose_, icount_;
    bool isInteractive_, failureIsFatal_;
    enum trestle_wait wait_;

    struct trestle_bridge *bridge_ = nullptr;
    struct trestle_machine *machine_ = nullptr;
    struct SignalWatch *signals_ = nullptr;
    std::thread::id thread_; // that runs this component
    bool hasEnded_ = false;  // QEMU
    bool isOver_ = false;    // as SST was told

    // Hosts of one thread take turns. A guest that has something to say must not wait for another
    // that has not: slices are short, but for those of a host whose guest is silent for long.
    static thread_local unsigned hostsInThread; // that have a QEMU
    static constexpr uint64_t firstSliceNs = 2000;
    uint64_t crowdedSliceNs_ = firstSliceNs;
};

} // namespace Trestle

#endif
