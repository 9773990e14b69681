// SPDX-License-Identifier: MIT
/* The SST component trestle.Device: one model on a link of SST's. */
#include "device.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdlib>
#include <cstring>

namespace Trestle
{

// --- construction -------------------------------------------------------------------------------

ModelDevice::ModelDevice(SST::ComponentId_t id, SST::Params &params, const std::string &model)
    : Component(id)
{
    verbose_ = params.find<int>("verbose", 1);
    out_.init(getName() + ": ", static_cast<uint32_t>(verbose_), 0, SST::Output::STDOUT);
    picosecond_ = getTimeConverter("1ps");
    findModel(model.empty() ? params.find<std::string>("model", "") : model);
    readParams(params);
    configurePorts();
    reads_ = registerStatistic<uint64_t>("mmio_reads");
    writes_ = registerStatistic<uint64_t>("mmio_writes");
    errors_ = registerStatistic<uint64_t>("mmio_errors");
    interrupts_ = registerStatistic<uint64_t>("interrupts_generated");
    sent_ = registerStatistic<uint64_t>("messages_sent");
    received_ = registerStatistic<uint64_t>("messages_received");
}

ModelDevice::~ModelDevice()
{
    trestle_device_destroy(device_);
    trestle_sim_destroy(sim_);
    trestle_model_unload(library_);
}

void ModelDevice::findModel(const std::string &name)
{
    char *error = nullptr;
    if (name.empty())
        out_.fatal(CALL_INFO, 1, "model is missing; 'trestle models' lists the bundled ones\n");
    model_ = trestle_model_find(name.c_str());
    if (!model_ && trestle_model_load(name.c_str(), &library_, &model_, &error) < 0)
        out_.fatal(CALL_INFO, 1, "%s\n", error ? error : "out of memory");
}

// What is not the component's own is the model's, which refuses what it does not know.
void ModelDevice::readParams(SST::Params &params)
{
    std::string base = params.find<std::string>("base_addr", "");
    hasBase_ = !base.empty();
    base_ = params.find<uint64_t>("base_addr", 0);
    size_ = params.find<uint64_t>("size", 0);
    for (const std::string &key : params.getKeys()) {
        bool isOwn = false;
        for (const char *own : {"model", "base_addr", "size", "verbose", "irq_num"})
            isOwn = isOwn || key == own;
        if (!isOwn)
            params_.emplace_back(key, params.find<std::string>(key, ""));
    }
}

void ModelDevice::configurePorts()
{
    cpu_ = configureLink("cpu_port", new EventHandler<ModelDevice, &ModelDevice::onCpu>(this));
    if (!cpu_)
        out_.fatal(CALL_INFO, 1, "cpu_port is not connected; it leads to the QEMU host\n");
    irq_ = configureLink("irq_port");
    peers_.resize(model_->peer_ports);
    for (uint32_t i = 0; i < model_->peer_ports; i++) {
        std::string port = "peer_port_" + std::to_string(i);
        if (i == 0 && isPortConnected("peer_port"))
            port = "peer_port";
        peers_[i] = configureLink(
            port, new EventHandler<ModelDevice, &ModelDevice::onPeer, uint32_t>(this, i));
    }
    wake_ = configureSelfLink("wake", picosecond_,
                              new EventHandler<ModelDevice, &ModelDevice::onWake>(this));
}

void ModelDevice::create()
{
    std::vector<struct trestle_param> params;
    struct trestle_device_options options = {};
    char *error = nullptr;
    for (const auto &param : params_)
        params.push_back({param.first.c_str(), param.second.c_str()});
    std::string name = getName();
    options.size = sizeof(options);
    options.name = name.c_str();
    options.base_addr = base_;
    options.region_size = size_;
    options.params = params.data();
    options.num_params = params.size();
    options.ops = &ops;
    options.ctx = this;
    options.log_debug = verbose_ >= 2;
    if (trestle_sim_create(&sim_) < 0 ||
        trestle_device_create(sim_, model_, &options, &device_, &error) < 0)
        out_.fatal(CALL_INFO, 1, "%s\n", error ? error : "out of memory");
    isForetold_ = isForetold();
}

// Nothing but the guest and the model's own engine can make it interrupt or copy.
bool ModelDevice::isForetold() const
{
    for (SST::Link *peer : peers_)
        if (peer)
            return false;
    return irq_ || model_->dma_done;
}

// The host says where the guest finds the device, before QEMU is started.
void ModelDevice::init(unsigned phase)
{
    while (SST::Event *event = cpu_->recvUntimedData()) {
        auto *region = dynamic_cast<RegionEvent *>(event);
        if (region && hasBase_ && base_ != region->base)
            out_.fatal(CALL_INFO, 1,
                       "base_addr is 0x%" PRIx64 ", but the host has '%s' at 0x%" PRIx64
                       "; make them equal, or leave it "
                       "to the host\n",
                       base_, region->name.c_str(), region->base);
        if (region && !device_) {
            base_ = region->base;
            if (size_ == 0)
                size_ = region->size;
            create();
            auto *attach = new AttachEvent();
            attach->dma = model_->dma_done;
            attach->needsIcount = model_->needs_icount;
            attach->next = next();
            cpu_->sendUntimedData(attach);
        }
        delete event;
    }
}

void ModelDevice::setup()
{
    if (!device_)
        create(); // the host, if it is one, is silent
    char *error = nullptr;
    if (trestle_device_start(device_, &error) < 0)
        out_.fatal(CALL_INFO, 1, "%s\n", error ? error : "out of memory");
    armWake(); // not before: SST's links carry nothing until now
}

// --- time ---------------------------------------------------------------------------------------

void ModelDevice::catchUp()
{
    trestle_sim_run_until(sim_, now());
}

// What the host is told of the future.
Next ModelDevice::next()
{
    Next next;
    if (!isForetold_)
        return next;
    told_ = trestle_sim_next(sim_);
    next.next = std::max<uint64_t>(told_, 1); // 0 says nothing
    next.sent = numSent_;
    next.heard = numHeard_;
    return next;
}

// After all that happens to the model.
void ModelDevice::settle()
{
    if (isForetold_ && (told_ <= now() || trestle_sim_next(sim_) < told_))
        cpu_->send(new NextEvent(next()));
    armWake();
}

// Events cannot be called back: one that comes when nothing is due any more does no harm.
void ModelDevice::armWake()
{
    trestle_time next = trestle_sim_next(sim_);
    if (next >= wakeAt_)
        return;
    uint64_t time = now();
    wakeAt_ = next > time ? next : time;
    wake_->send(wakeAt_ - time, new WakeEvent());
}

void ModelDevice::onWake(SST::Event *event)
{
    delete event;
    if (wakeAt_ <= now())
        wakeAt_ = UINT64_MAX;
    catchUp();
    settle();
}

// --- accesses -----------------------------------------------------------------------------------

void ModelDevice::onCpu(SST::Event *event)
{
    catchUp();
    if (auto *asked = dynamic_cast<AccessEvent *>(event)) {
        access(*asked);
    } else {
        numHeard_++;
        told_ = 0; // the host waits for more
        if (auto *done = dynamic_cast<DmaDoneEvent *>(event))
            dmaDone(*done);
        else if (dynamic_cast<ResetEvent *>(event))
            trestle_device_reset(device_);
        else
            out_.fatal(CALL_INFO, 1, "an event on cpu_port that is no Trestle::AccessEvent\n");
    }
    delete event;
    settle();
}

void ModelDevice::access(const AccessEvent &event)
{
    if (trestle_device_busy(device_)) { // a host waits for its answer
        auto *refusal = new ResponseEvent(event.id, 0, false);
        refusal->next = next();
        cpu_->send(refusal);
        return;
    }
    requestId_ = event.id;
    request_ = {};
    request_.access.offset = event.offset;
    request_.access.data = event.data;
    request_.access.size = event.size;
    request_.write = event.write;
    request_.device = this;
    request_.done = [](struct trestle_request *request) {
        static_cast<Request *>(request)->device->respond();
    };
    if (trestle_device_submit(device_, &request_) == 0)
        respond();
}

void ModelDevice::respond()
{
    bool success = request_.status == 0;
    if (request_.status == -ECANCELED)
        return; // a reset: nobody waits any more
    (!success ? errors_ : request_.write ? writes_ : reads_)->addData(1);
    auto *response = new ResponseEvent(requestId_, request_.ret_data, success);
    response->next = next();
    cpu_->send(response);
}

// A reset may have ended the transfer. The model hears of it from an event of its engine.
void ModelDevice::dmaDone(const class DmaDoneEvent &done)
{
    size_t size = 0;
    void *buf = trestle_device_dma_buffer(device_, done.id, &size);
    if (!buf)
        return;
    memcpy(buf, done.bytes.data(), std::min(size, done.bytes.size()));
    trestle_device_dma_complete(device_, done.id, done.success ? 0 : -EFAULT);
    catchUp();
}

// --- what the model does to the world ------------------------------------------------------------

void ModelDevice::onPeer(SST::Event *event, uint32_t port)
{
    auto *message = dynamic_cast<MessageEvent *>(event);
    if (!message)
        out_.fatal(CALL_INFO, 1, "an event on a peer port that is no Trestle::MessageEvent\n");
    catchUp();
    received_->addData(1);
    int r = trestle_device_deliver(device_, port, message->bytes.data(), message->bytes.size());
    if (r < 0)
        out_.output("WARNING: a message of %zu bytes to peer port %" PRIu32 " was dropped: %s\n",
                    message->bytes.size(), port, strerror(-r));
    delete event;
    settle();
}

static ModelDevice *self(void *ctx)
{
    return static_cast<ModelDevice *>(ctx);
}

const struct trestle_host_ops ModelDevice::ops = {
    sizeof(struct trestle_host_ops),
    [](void *ctx, struct trestle_device *, uint32_t line, bool level) {
        if (level)
            self(ctx)->interrupts_->addData(1);
        if (!self(ctx)->irq_)
            return;
        self(ctx)->numSent_++;
        self(ctx)->irq_->send(new InterruptEvent(line, level));
    },
    [](void *ctx, struct trestle_device *, bool write, uint64_t addr, void *buf, size_t size,
       uint64_t id) {
        auto *dma = new DmaEvent();
        auto *bytes = static_cast<const uint8_t *>(buf);
        dma->id = id;
        dma->address = addr;
        dma->size = size;
        dma->write = write;
        if (write)
            dma->bytes.assign(bytes, bytes + size);
        self(ctx)->numSent_++;
        self(ctx)->cpu_->send(dma);
        return 0;
    },
    [](void *ctx, struct trestle_device *, uint32_t port, const void *data, size_t size) {
        SST::Link *peer = self(ctx)->peers_[port];
        if (!peer)
            return -ENOTCONN;
        self(ctx)->sent_->addData(1);
        peer->send(new MessageEvent(data, size));
        return 0;
    },
    [](void *ctx, const struct trestle_device *, uint32_t port) {
        return self(ctx)->peers_[port] != nullptr;
    },
    [](void *ctx, struct trestle_device *, enum trestle_log_level level, const char *text) {
        uint32_t verbosity = level == TRESTLE_LOG_DEBUG ? 2 : level == TRESTLE_LOG_INFO ? 1 : 0;
        self(ctx)->out_.verbose(CALL_INFO, verbosity, 0, "%s\n", text);
    },
    nullptr, // output() and input(): SST has no places for them
    nullptr,
};

} // namespace Trestle
