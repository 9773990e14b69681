// SPDX-License-Identifier: MIT
/* The SST component trestle.QEMU: starts QEMU and keeps its time and SST's together. */
#include "qemu.h"
#include "signals.h"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>

namespace Trestle
{

namespace
{

// QEMU has this long to end in order; then it is killed.
constexpr int graceMs = 1000;

const std::vector<std::string> errorChoices = {"fault", "ones", "zeros"};

// --- small things -------------------------------------------------------------------------------

// As the older component had it: hexadecimal, with or without 0x.
bool parseHex(const std::string &text, uint64_t &value)
{
    char *end;
    errno = 0;
    value = strtoull(text.c_str(), &end, 16);
    return !text.empty() && *end == '\0' && errno == 0 && text[0] != '-';
}

std::vector<std::string> stringList(SST::Params &params, const char *key)
{
    std::vector<std::string> list;
    std::string text = params.find<std::string>(key, "");
    if (!text.empty() && text[0] == '[') {
        params.find_array<std::string>(key, list);
        return list;
    }
    std::istringstream words(text);
    for (std::string word; words >> word;)
        list.push_back(word);
    return list;
}

std::string archOf(const std::string &qemuPath)
{
    static const std::string prefix = "qemu-system-";
    size_t at = qemuPath.rfind(prefix);
    if (at == std::string::npos)
        return "riscv32";
    return qemuPath.substr(at + prefix.size());
}

// trestle-qemu.so lies one directory above this library, in the build and where it is installed.
std::string findPlugin()
{
    Dl_info info;
    if (!dladdr(reinterpret_cast<void *>(&findPlugin), &info))
        return "";
    char *real = realpath(info.dli_fname, nullptr);
    if (!real)
        return "";
    std::string directory(real);
    free(real);
    directory.resize(directory.rfind('/') + 1);
    for (const char *place : {"../trestle-qemu.so", "trestle-qemu.so"})
        if (access((directory + place).c_str(), R_OK) == 0)
            return directory + place;
    return directory + "../trestle-qemu.so"; // the library then says that it is not there
}

} // namespace

// --- construction -------------------------------------------------------------------------------

QEMUHost::QEMUHost(SST::ComponentId_t id, SST::Params &params) : Component(id)
{
    verbose_ = params.find<int>("verbose", 1);
    out_.init(getName() + ": ", static_cast<uint32_t>(verbose_), 0, SST::Output::STDOUT);
    picosecond_ = getTimeConverter("1ps");

    kernel_ = params.find<std::string>("binary_path", "");
    if (kernel_.empty())
        out_.fatal(CALL_INFO, 1, "binary_path is missing; it names the guest, an ELF file\n");
    qemuPath_ = params.find<std::string>("qemu_path", "qemu-system-riscv32");
    arch_ = params.find<std::string>("arch", "");
    if (arch_.empty())
        arch_ = archOf(qemuPath_);
    args_ = stringList(params, "qemu_args");
    plugin_ = params.find<std::string>("plugin", "");
    if (plugin_.empty())
        plugin_ = findPlugin();
    onError_ = errorChoices[choice(params, "on_error", errorChoices)];
    timeoutMs_ = params.find<int64_t>("timeout_ms", 0);
    icount_ = params.find<int>("icount", -1);
    isInteractive_ = choice(params, "console", {"output", "interactive"}) == 1;
    failureIsFatal_ = choice(params, "qemu_failure", {"fatal", "report"}) == 0;
    accessTimeout_ = picoseconds(params.find<std::string>("access_timeout", "10ms"));
    wait_ = static_cast<enum trestle_wait>(choice(params, "wait", {"adaptive", "sleep", "spin"}));

    readDevices(params);
    checkNames(params);
    checkPorts();
    checkInterrupts();
    quantumText_ = params.find<std::string>("quantum", "");
    configureLinks();
    registerAsPrimaryComponent();
    primaryComponentDoNotEndSim();
}

QEMUHost::~QEMUHost()
{
    stop();
}

void QEMUHost::fatalError(const char *what, char *error, int status)
{
    std::string text = error ? error : status != 0 ? strerror(-status) : "";
    free(error);
    stop();
    out_.fatal(CALL_INFO, 1, "%s%s\n", what, text.c_str());
    abort(); // fatal() does not return, but does not say so
}

// The first is the default.
size_t QEMUHost::choice(SST::Params &params, const char *key,
                        const std::vector<std::string> &choices)
{
    std::string all, value = params.find<std::string>(key, choices[0]);
    for (size_t i = 0; i < choices.size(); i++) {
        if (value == choices[i])
            return i;
        all += (i == 0 ? "" : ", ") + choices[i];
    }
    fatalError((std::string(key) + " is '" + value + "'; it is one of: " + all).c_str(), nullptr,
               0);
}

// SST itself says nothing of a name that nobody reads.
void QEMUHost::checkNames(SST::Params &params)
{
    const std::string each = "%(num_devices)d";
    std::set<std::string> known;
    for (const SST::ElementInfoParam &param : ELI_getParams()) {
        std::string name = param.name;
        size_t at = name.find(each);
        if (at == std::string::npos)
            known.insert(name);
        for (size_t i = 0; at != std::string::npos && i < devices_.size(); i++)
            known.insert(std::string(name).replace(at, each.size(), std::to_string(i)));
    }
    for (const std::string &key : params.getKeys())
        if (known.count(key) == 0)
            out_.output("WARNING: there is no parameter '%s' with num_devices %zu\n", key.c_str(),
                        devices_.size());
}

uint64_t QEMUHost::picoseconds(const std::string &time)
{
    SST::TimeConverter converter = getTimeConverter(time); // 15 gives a pointer
    return converter.getFactor() / picosecond_.getFactor();
}

void QEMUHost::readDevices(SST::Params &params)
{
    uint32_t count = params.find<uint32_t>("num_devices", 1);
    if (count == 0)
        out_.fatal(CALL_INFO, 1, "num_devices is 0; it is at least 1\n");
    devices_.resize(count);
    for (uint32_t i = 0; i < count; i++) {
        std::string prefix = "device" + std::to_string(i);
        Device &device = devices_[i];
        std::string base =
            params.find<std::string>(prefix + "_base", count > 1 ? "0x10000000" : "");
        std::string key = prefix + "_base";
        if (base.empty()) {
            key = "device_base";
            base = params.find<std::string>(key, "0x20000000");
        }
        if (!parseHex(base, device.base))
            out_.fatal(CALL_INFO, 1, "%s is '%s'; it is a hexadecimal address such as 0x10200000\n",
                       key.c_str(), base.c_str());
        device.size = params.find<uint64_t>(prefix + "_size", 4096);
        device.name = params.find<std::string>(prefix + "_name", prefix);
        device.socket = params.find<std::string>(prefix + "_socket", "");
        device.properties = params.find<std::string>(prefix + "_properties", "");
        device.irq = params.find<std::string>(prefix + "_irq", "");
        device.onError = params.find<std::string>(prefix + "_on_error", onError_);
        device.timeoutMs = params.find<int64_t>(prefix + "_timeout_ms", timeoutMs_);
    }
    if (count == 1 && devices_[0].socket.empty())
        devices_[0].socket = params.find<std::string>("socket_path", "");
}

static std::string portName(size_t index)
{
    return "device_port_" + std::to_string(index);
}

void QEMUHost::checkPorts()
{
    constexpr size_t mostDevices = 4096;
    bool isSingle = devices_.size() == 1 && isPortConnected("device_port");
    for (size_t i = 0; i < devices_.size() && !isSingle; i++) {
        std::string port = portName(i);
        if (!isPortConnected(port))
            out_.fatal(CALL_INFO, 1,
                       "%s is not connected; num_devices is %zu, and each of them needs a device\n",
                       devices_.size() == 1 ? "device_port" : port.c_str(), devices_.size());
    }
    for (size_t i = isSingle ? 0 : devices_.size(); i < mostDevices; i++) {
        if (isPortConnected(portName(i)))
            out_.fatal(CALL_INFO, 1, "%s is connected, but num_devices is %zu\n",
                       portName(i).c_str(), devices_.size());
    }
    if (devices_.size() > 1 && isPortConnected("device_port"))
        out_.fatal(
            CALL_INFO, 1,
            "device_port is connected, but num_devices is %zu: they are device_port_0 and on\n",
            devices_.size());
}

void QEMUHost::checkInterrupts()
{
    for (size_t i = 0; i < devices_.size(); i++) {
        bool isConnected = isPortConnected("irq_port_" + std::to_string(i));
        if (isConnected == devices_[i].irq.empty())
            out_.fatal(CALL_INFO, 1,
                       isConnected
                           ? "irq_port_%zu is connected, but device%zu_irq does not say "
                             "which interrupt that is\n"
                           : "irq_port_%zu is not connected, but there is a device%zu_irq\n",
                       i, i);
    }
}

// "40:41" are two.
static uint32_t countLines(const std::string &irq)
{
    return irq.empty() ? 0 : static_cast<uint32_t>(std::count(irq.begin(), irq.end(), ':')) + 1;
}

// Where the guest's clock is the host's, it would spend all its time on shorter ones.
void QEMUHost::chooseQuantum()
{
    bool isNeeded = false;
    for (uint32_t i = 0; i < devices_.size(); i++) {
        const Device &device = devices_[i];
        bool isActive = device.hasDma || !device.irq.empty();
        if (isActive && device.said.next != Next::UNKNOWN)
            foretelling_.push_back(i);
        else
            isNeeded = isNeeded || isActive;
    }
    hasNews_ = true;
    if (quantumText_.empty())
        quantumText_ = !isNeeded ? "0" : icount_ >= 0 ? "10us" : "1ms";
    if (quantumText_ != "0")
        quantum_ = picoseconds(quantumText_);
}

void QEMUHost::createBridge()
{
    struct trestle_bridge_options options = {};
    char *error = nullptr;
    options.size = sizeof(options);
    options.runtime_dir = getenv("XDG_RUNTIME_DIR");
    options.wait = wait_;
    options.log = log;
    options.ctx = this;
    options.log_debug = verbose_ >= 2;
    options.advance = [](void *ctx, trestle_time until) {
        static_cast<QEMUHost *>(ctx)->onAdvance(until);
    };
    options.expect = [](void *ctx) { return static_cast<QEMUHost *>(ctx)->expected_; };
    int r = trestle_bridge_create(&options, &bridge_, &error);
    if (r < 0)
        fatalError("", error, r);
    for (uint32_t i = 0; i < devices_.size(); i++) {
        Device &device = devices_[i];
        struct trestle_model model = face();
        struct trestle_bridge_device added = {};
        model.region_size = device.size;
        model.irq_lines = countLines(device.irq);
        if (!device.hasDma)
            model.dma_done = nullptr;
        added.size = sizeof(added);
        added.name = device.name.c_str();
        added.model = &model;
        added.base_addr = device.base;
        added.socket_path = device.socket.empty() ? nullptr : device.socket.c_str();
        added.outside = true;
        r = trestle_bridge_add_device(bridge_, &added, &device.device, &error);
        if (r < 0)
            fatalError("", error, r);
        *static_cast<Face *>(trestle_device_state(device.device)) = {this, i};
    }
}

void QEMUHost::configureLinks()
{
    bool isSingle = devices_.size() == 1 && isPortConnected("device_port");
    for (uint32_t i = 0; i < devices_.size(); i++) {
        Device &device = devices_[i];
        device.link =
            configureLink(isSingle ? "device_port" : portName(i),
                          new EventHandler<QEMUHost, &QEMUHost::onDevice, uint32_t>(this, i));
        device.reads = registerStatistic<uint64_t>("reads", device.name);
        device.writes = registerStatistic<uint64_t>("writes", device.name);
        device.errors = registerStatistic<uint64_t>("errors", device.name);
        configureLink("irq_port_" + std::to_string(i),
                      new EventHandler<QEMUHost, &QEMUHost::onInterrupt, uint32_t>(this, i));
        device.interrupts = registerStatistic<uint64_t>("interrupts", device.name);
        device.copied = registerStatistic<uint64_t>("dma_bytes", device.name);
        device.latency = registerStatistic<uint64_t>("latency", device.name);
    }
    wake_ =
        configureSelfLink("wake", picosecond_, new EventHandler<QEMUHost, &QEMUHost::onWake>(this));
    advanceEnd_ = configureSelfLink("advance_end", picosecond_,
                                    new EventHandler<QEMUHost, &QEMUHost::onAdvanceEnd>(this));
    watch_ = configureSelfLink("watch", picosecond_,
                               new EventHandler<QEMUHost, &QEMUHost::onWatch>(this));
}

// --- start and end ------------------------------------------------------------------------------

void QEMUHost::init(unsigned phase)
{
    for (Device &device : devices_) {
        if (phase == 0)
            device.link->sendUntimedData(new RegionEvent(device.name, device.base, device.size));
        while (SST::Event *event = device.link->recvUntimedData()) {
            auto *attach = dynamic_cast<AttachEvent *>(event);
            if (attach && attach->needsIcount && icount_ < 0)
                out_.fatal(CALL_INFO, 1,
                           "%s only works in the guest's exact time; set icount to 0\n",
                           device.name.c_str());
            if (attach) {
                device.hasDma = attach->dma;
                device.said = attach->next;
            }
            delete event;
        }
    }
}

void QEMUHost::setup()
{
    thread_ = std::this_thread::get_id();
    checkFiles();
    chooseQuantum();
    createBridge();
    expect();
    launch();
    hostsInThread++;
    wake_->send(0, new WakeEvent());
}

// Says which parameter names what is not there, which the library cannot know.
void QEMUHost::checkFiles()
{
    struct trestle_machine_options options = {};
    char *path = nullptr, *error = nullptr;
    if (access(kernel_.c_str(), R_OK) < 0)
        fatalError(("binary_path is " + kernel_ + ": ").c_str(), nullptr, -errno);
    options.size = sizeof(options);
    options.arch = arch_.c_str();
    options.qemu = qemuPath_.c_str();
    options.search_path = getenv("PATH");
    int r = trestle_machine_find_qemu(&options, &path, &error);
    free(path);
    if (r < 0)
        fatalError(r == -ENOENT ? "qemu_path: " : "", error, r);
}

void QEMUHost::launch()
{
    std::vector<struct trestle_machine_device> devices;
    std::vector<const char *> args;

    char *error = nullptr;
    int r = trestle_bridge_listen(bridge_, &error);
    if (r < 0)
        fatalError("", error, r);
    for (uint32_t i = 0; i < devices_.size(); i++) {
        struct trestle_machine_device device = {};
        device.name = devices_[i].name.c_str();
        device.socket_path = trestle_bridge_socket_path(bridge_, i);
        device.base_addr = devices_[i].base;
        device.region_size = devices_[i].size;
        device.on_error = devices_[i].onError.c_str();
        device.timeout_ms = devices_[i].timeoutMs;
        device.irq = devices_[i].irq.empty() ? nullptr : devices_[i].irq.c_str();
        device.properties =
            devices_[i].properties.empty() ? nullptr : devices_[i].properties.c_str();
        devices.push_back(device);
    }
    for (const std::string &arg : args_)
        args.push_back(arg.c_str());
    args.push_back(nullptr);

    struct trestle_machine_options options = {};
    options.size = sizeof(options);
    options.arch = arch_.c_str();
    options.qemu = qemuPath_.c_str();
    options.search_path = getenv("PATH");
    options.kernel = kernel_.c_str();
    options.plugin = plugin_ == "none" ? nullptr : plugin_.c_str();
    options.devices = devices.data();
    options.num_devices = devices.size();
    options.args = args.data();
    options.no_input = !isInteractive_;
    options.is_repeatable = icount_ >= 0;
    options.icount_shift = icount_ >= 0 ? static_cast<uint32_t>(icount_) : 0;
    watchForSignals();
    r = trestle_machine_launch(&options, &machine_, &error);
    if (r < 0)
        fatalError("", error, r);
    r = trestle_bridge_watch(
        bridge_, trestle_machine_fd(machine_),
        [](void *ctx) { static_cast<QEMUHost *>(ctx)->hasEnded_ = true; }, this);
    if (r < 0)
        fatalError("cannot watch QEMU: ", nullptr, r);
    out_.verbose(CALL_INFO, 1, 0, "QEMU PID: %d\n",
                 static_cast<int>(trestle_machine_pid(machine_)));
    out_.verbose(CALL_INFO, 1, 0, "Waiting for %zu device connections...\n", devices_.size());
}

void QEMUHost::watchForSignals()
{
    std::vector<std::string> files;
    std::string directory; // that the bridge has made
    for (uint32_t i = 0; i < devices_.size(); i++) {
        files.push_back(trestle_bridge_socket_path(bridge_, i));
        if (devices_[i].socket.empty())
            directory = files.back().substr(0, files.back().rfind('/'));
    }
    signals_ = watchSignals(files, directory);
}

// Whatever is still there goes; may be called at any time, and again.
void QEMUHost::stop()
{
    if (machine_) {
        trestle_bridge_unwatch(bridge_, trestle_machine_fd(machine_));
        trestle_machine_stop(machine_, graceMs);
        trestle_machine_destroy(machine_);
        machine_ = nullptr;
        if (thread_ == std::this_thread::get_id() && !isOver_)
            hostsInThread--;
    }
    if (signals_)
        unwatchSignals(signals_);
    signals_ = nullptr;
    struct trestle_bridge *bridge = bridge_;
    bridge_ = nullptr; // before it ends: what it resets is of no interest any more
    trestle_bridge_destroy(bridge);
}

void QEMUHost::finish()
{
    for (uint32_t i = 0; bridge_ && i < devices_.size(); i++) {
        struct trestle_device_stats stats;
        trestle_bridge_stats(bridge_, i, &stats);
        out_.verbose(CALL_INFO, 1, 0,
                     "%s: %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " errors\n", stats.name,
                     stats.reads, stats.writes, stats.errors);
    }
    stop();
}

void QEMUHost::emergencyShutdown()
{
    if (thread_ == std::thread::id() || thread_ == std::this_thread::get_id()) {
        stop();
        return;
    }
    // Another thread failed, while this component's own may be waiting for QEMU: do only what is
    // safe meanwhile. The process ends next.
    if (!machine_)
        return;
    kill(trestle_machine_pid(machine_), SIGKILL);
    for (uint32_t i = 0; i < devices_.size(); i++)
        unlink(trestle_bridge_socket_path(bridge_, i));
}

void QEMUHost::qemuEnded()
{
    int code = 0;
    if (!trestle_machine_ended(machine_, &code)) {
        hasEnded_ = false;
        return;
    }
    if (code != 0 && failureIsFatal_) {
        stop();
        out_.fatal(CALL_INFO, code, "QEMU ended with exit code %d%s\n", code,
                   code > 128 ? " (killed by a signal)" : "");
    }
    if (code != 0)
        out_.output("QEMU ended with exit code %d\n", code);
    else
        out_.verbose(CALL_INFO, 1, 0, "QEMU ended\n");
    isOver_ = true;
    hostsInThread--;
    primaryComponentOKToEndSim();
}

void QEMUHost::log(void *ctx, enum trestle_log_level level, const char *text)
{
    auto *qemu = static_cast<QEMUHost *>(ctx);
    if (level == TRESTLE_LOG_DEBUG)
        qemu->out_.verbose(CALL_INFO, 2, 0, "%s\n", text);
    else if (level == TRESTLE_LOG_INFO)
        qemu->out_.verbose(CALL_INFO, 1, 0, "%s\n", text);
    else
        qemu->out_.output("%s: %s\n", level == TRESTLE_LOG_ERROR ? "ERROR" : "WARNING", text);
}

} // namespace Trestle
