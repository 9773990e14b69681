// SPDX-License-Identifier: MIT
/* Serves a QEMU's accesses to the devices of an SST simulation. */
// What a host does while the simulation runs: it waits for its guest, and carries what comes.
#include "qemu.h"
#include "signals.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <exception>

namespace Trestle
{

namespace
{

// The longest wait before others get their turn. SST acts on a signal only between two events.
constexpr uint64_t sliceNs = 50 * 1000 * 1000, sharedSliceNs = 1000 * 1000;

} // namespace

thread_local unsigned QEMUHost::hostsInThread;

// --- waiting ------------------------------------------------------------------------------------

uint64_t QEMUHost::slice() const
{
    bool isWhole = getNumRanks().rank == 1 && getNumRanks().thread == 1;
    return hostsInThread > 1 ? crowdedSliceNs_ : isWhole ? sliceNs : sharedSliceNs;
}

// True: an access came, and SST's time is to go on. False: the slice is over.
bool QEMUHost::waitForAccess(uint64_t start)
{
    uint64_t end = start + slice();
    for (uint64_t time = start; time < end; time = clockNs()) {
        if (hasEnded_ || isInterrupted())
            return false;
        int r = trestle_bridge_poll(bridge_, static_cast<int>((end - time) / 1000000u));
        if (r < 0 && r != -EINTR)
            fatalError("cannot serve the devices: ", nullptr, r);
        if (underWay_ > 0) {
            crowdedSliceNs_ = firstSliceNs;
            return true;
        }
    }
    crowdedSliceNs_ = std::min(2 * crowdedSliceNs_, sharedSliceNs);
    return false;
}

/*
 * When nothing comes in a slice, SST gets the processor, and its time moves on by as much as the
 * guest's has: a guest that follows the host's clock has come that far. One that counts
 * instructions has not said where it is, and SST's time stands until it does.
 */
void QEMUHost::serve()
{
    uint64_t start = clockNs();
    noteRunning(start);
    hasServed_ = true;
    if (waitForAccess(start))
        return;
    if (hasEnded_)
        qemuEnded();
    if (isOver_)
        return;
    if (isInterrupted()) {
        stop();
        isOver_ = true; // SST itself ends the simulation
        return;
    }
    bool isFree = icount_ < 0 && trestle_bridge_num_connected(bridge_) == devices_.size();
    uint64_t elapsed = isFree ? (clockNs() - start) * TRESTLE_NS : 0;
    wake_->send(elapsed, new WakeEvent());
}

void QEMUHost::onWake(SST::Event *event)
{
    delete event;
    if (bridge_ && !isOver_)
        serve();
}

// --- what the bridge sees of a device: a model that hands everything on --------------------------

int QEMUHost::hand(struct trestle_device *device, struct trestle_request *request,
                   const struct trestle_access *access, bool write)
{
    auto *face = static_cast<Face *>(trestle_device_state(device));
    face->host->onAccess(face->index, request, *access, write, trestle_device_now(device));
    return -EINPROGRESS;
}

struct trestle_model QEMUHost::face()
{
    struct trestle_model model = {};
    model.size = sizeof(model);
    model.name = "sst";
    model.access_sizes = 1 | 2 | 4 | 8;
    model.state_size = sizeof(Face);
    model.read = [](struct trestle_device *device, struct trestle_request *request,
                    const struct trestle_access *access,
                    uint64_t *) { return hand(device, request, access, false); };
    model.write = [](struct trestle_device *device, struct trestle_request *request,
                     const struct trestle_access *access) {
        return hand(device, request, access, true);
    };
    model.reset = [](struct trestle_device *device) {
        auto *its = static_cast<Face *>(trestle_device_state(device));
        its->host->onReset(its->index);
    };
    model.dma_done = [](struct trestle_device *device, uint64_t, int status) {
        auto *its = static_cast<Face *>(trestle_device_state(device));
        its->host->devices_[its->index].copyStatus = status;
    };
    return model;
}

// The bridge's engine follows SST's time, and is ahead of it with an access that is to come.
void QEMUHost::bringEngine()
{
    struct trestle_sim *engine = trestle_device_facts(devices_[0].device)->sim;
    trestle_sim_run_until(engine, std::max<trestle_time>(now(), trestle_sim_now(engine)));
}

void QEMUHost::onAccess(uint32_t index, struct trestle_request *request,
                        const struct trestle_access &access, bool write, trestle_time when)
{
    Device &device = devices_[index];
    uint64_t time = now();
    uint64_t delay = when > time ? when - time : 0;
    auto *event = new AccessEvent();
    event->id = ++lastId_;
    event->offset = access.offset;
    event->data = access.data;
    event->size = static_cast<uint8_t>(access.size);
    event->write = write;
    device.id = event->id;
    device.request = request;
    device.started = time + delay;
    device.write = write;
    underWay_++;
    armWatch(time);
    performWaiting();
    device.link->send(delay, picosecond_, event);
}

void QEMUHost::onReset(uint32_t index)
{
    Device &device = devices_[index];
    auto isIts = [index](const auto &its) { return its.index == index; };
    if (!bridge_)
        return;
    auto ready = std::remove_if(answers_.begin(), answers_.end(), isIts);
    if (device.id != 0 || ready != answers_.end())
        underWay_--;
    device.id = 0;
    answers_.erase(ready, answers_.end());
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), isIts), waiting_.end());
    device.told++;
    hasNews_ = true;
    if (!foretelling_.empty()) // it may start something: the guest comes back at once for it
        expected_ = now();
    device.link->send(new ResetEvent());
}

void QEMUHost::onDevice(SST::Event *event, uint32_t index)
{
    if (auto *response = dynamic_cast<ResponseEvent *>(event)) {
        onResponse(*response, index);
        delete response;
    } else if (dynamic_cast<DmaEvent *>(event)) {
        whenGuestWaits(event, index);
    } else if (auto *next = dynamic_cast<NextEvent *>(event)) {
        onNext(next->next, devices_[index]);
        delete next;
        release();
    } else {
        out_.fatal(CALL_INFO, 1, "%s sent an event that is no Trestle::ResponseEvent\n",
                   devices_[index].name.c_str());
    }
}

void QEMUHost::onResponse(const ResponseEvent &response, uint32_t index)
{
    Device &device = devices_[index];
    onNext(response.next, device);
    if (response.id != device.id || device.id == 0 || !bridge_)
        return; // too late: it was answered with an error, or reset
    device.id = 0;
    answers_.push_back({index, response.success ? 0 : -EIO, response.data});
    release();
}

void QEMUHost::answer(const Answer &answer)
{
    Device &device = devices_[answer.index];
    uint64_t time = now();
    underWay_--;
    device.latency->addData(time - device.started);
    if (answer.status < 0)
        device.errors->addData(1);
    else if (device.write)
        device.writes->addData(1);
    else
        device.reads->addData(1);
    bringEngine();
    trestle_request_complete(device.request, answer.status, answer.data);
}

// --- interrupts and DMA -------------------------------------------------------------------------

void QEMUHost::onInterrupt(SST::Event *event, uint32_t index)
{
    if (!dynamic_cast<InterruptEvent *>(event))
        out_.fatal(CALL_INFO, 1, "an event on irq_port_%u that is no Trestle::InterruptEvent\n",
                   index);
    whenGuestWaits(event, index);
}

// QEMU listens while it waits for an answer. A guest that runs comes by within a quantum.
void QEMUHost::whenGuestWaits(SST::Event *event, uint32_t index)
{
    devices_[index].got++;
    hasNews_ = true;
    waiting_.push_back({index, std::unique_ptr<SST::Event>(event)});
    if (underWay_ > 0 || !bridge_ || isOver_)
        performWaiting();
    release();
}

void QEMUHost::performWaiting()
{
    std::vector<Waiting> all;
    all.swap(waiting_);
    for (const Waiting &waiting : all) {
        if (auto *interrupt = dynamic_cast<InterruptEvent *>(waiting.event.get()))
            raise(waiting.index, *interrupt);
        else if (auto *dma = dynamic_cast<DmaEvent *>(waiting.event.get()))
            copy(waiting.index, *dma);
    }
}

void QEMUHost::raise(uint32_t index, const InterruptEvent &interrupt)
{
    Device &device = devices_[index];
    if (!bridge_ || isOver_)
        return;
    if (interrupt.line >= trestle_device_model(device.device)->irq_lines) {
        out_.output("WARNING: %s has no interrupt line %u; device%u_irq names them\n",
                    device.name.c_str(), interrupt.line, index);
        return;
    }
    bringEngine();
    trestle_device_irq(device.device, interrupt.line, interrupt.level);
    if (interrupt.level)
        device.interrupts->addData(1);
}

// True: done.
bool QEMUHost::move(Device &device, DmaEvent &dma)
{
    if (!bridge_ || isOver_ || dma.size != dma.bytes.size())
        return false;
    bringEngine();
    int r = dma.write ? trestle_device_dma_write(device.device, dma.address, dma.bytes.data(),
                                                 dma.bytes.size(), 0)
                      : trestle_device_dma_read(device.device, dma.address, dma.bytes.data(),
                                                dma.bytes.size(), 0);
    if (r < 0)
        return false;
    bringEngine(); // it has ended: dma_done() is due
    return device.copyStatus == 0;
}

void QEMUHost::copy(uint32_t index, DmaEvent &dma)
{
    Device &device = devices_[index];
    auto *done = new DmaDoneEvent();
    done->id = dma.id;
    try {
        if (!dma.write)
            dma.bytes.resize(dma.size);
    } catch (const std::exception &) { // too large; the callers are C, and pass on no exception
    }
    done->success = move(device, dma);
    if (done->success)
        device.copied->addData(dma.size);
    if (done->success && !dma.write)
        done->bytes.swap(dma.bytes);
    device.told++;
    hasNews_ = true;
    device.link->send(done);
}

// --- what comes next ----------------------------------------------------------------------------

void QEMUHost::onNext(const Next &next, Device &device)
{
    if (next.next == device.said.next && next.sent == device.said.sent &&
        next.heard == device.said.heard)
        return;
    device.said = next;
    hasNews_ = true;
}

// Nothing of the devices that say what comes next is on its way.
bool QEMUHost::isAllHere()
{
    if (hasNews_) {
        next_ = UINT64_MAX;
        for (uint32_t index : foretelling_) {
            const Device &device = devices_[index];
            bool isHere = device.got >= device.said.sent && device.told == device.said.heard;
            next_ = std::min(next_, isHere ? device.said.next : 0);
        }
        hasNews_ = false;
    }
    return next_ > now();
}

/*
 * The guest goes on when it can be told how far: until then it stands, for as long as an interrupt
 * takes to get here, say. So no interrupt is overtaken by an answer, however its link differs.
 */
void QEMUHost::release()
{
    if ((answers_.empty() && !isAdvanced_) || !isAllHere() || !bridge_ || isOver_)
        return;
    expect();
    while (!answers_.empty()) { // an answer may bring a reset, which drops others
        Answer ready = answers_.front();
        answers_.erase(answers_.begin());
        answer(ready);
    }
    if (isAdvanced_) {
        isAdvanced_ = false;
        underWay_--;
        trestle_bridge_advanced(bridge_, now());
    }
    if (underWay_ == 0)
        serve();
}

// A quantum that is under way stays: to be told another time at every access would cost the guest
// more than to come once in a quantum.
void QEMUHost::expect()
{
    uint64_t time = now();
    if (quantum_ != 0 && quantumEnd_ <= time)
        quantumEnd_ = time + quantum_;
    expected_ = quantum_ != 0 ? std::min(next_, quantumEnd_) : next_;
}

// The guest has come this far without an access: SST may, too.
void QEMUHost::onAdvance(trestle_time until)
{
    uint64_t time = now();
    underWay_++;
    armWatch(time);
    performWaiting();
    advanceEnd_->send(until > time ? until - time : 0, new WakeEvent());
}

void QEMUHost::onAdvanceEnd(SST::Event *event)
{
    delete event;
    isAdvanced_ = true;
    release();
}

// --- devices that do not answer, and a QEMU that has gone ----------------------------------------

// One event is on its way at most, so that an access costs nothing for being watched.
void QEMUHost::armWatch(uint64_t time)
{
    if (watchAt_ != 0 || underWay_ == 0)
        return;
    uint64_t first = time + lookAfter_;
    for (const Device &device : devices_)
        if (device.id != 0)
            first = std::min(first, device.started + accessTimeout_);
    watchAt_ = std::max(first, time + 1);
    watchedFromNs_ = clockNs();
    hasServed_ = false;
    watch_->send(watchAt_ - time, new WakeEvent());
}

/*
 * While SST runs, nobody listens to QEMU: so now and then somebody has a look whether it still
 * lives. How often in SST's time depends on how fast that goes by.
 */
void QEMUHost::lookAtQEMU()
{
    constexpr uint64_t wantedNs = 10 * 1000 * 1000;
    uint64_t ns = clockNs() - watchedFromNs_;
    int code;
    if (ns < wantedNs / 2)
        lookAfter_ = std::min<uint64_t>(2 * lookAfter_, TRESTLE_MS);
    else if (ns > 2 * wantedNs)
        lookAfter_ = std::max<uint64_t>(lookAfter_ / (ns / wantedNs), TRESTLE_NS);
    hasEnded_ = trestle_machine_ended(machine_, &code);
    if (hasEnded_)
        qemuEnded();
}

void QEMUHost::onWatch(SST::Event *event)
{
    uint64_t time = now();
    bool had = false;
    delete event;
    watchAt_ = 0;
    if (bridge_ && !isOver_ && !hasServed_)
        lookAtQEMU();
    if (!bridge_ || isOver_)
        return;
    for (uint32_t i = 0; i < devices_.size(); i++) {
        Device &device = devices_[i];
        if (device.id == 0 || device.started + accessTimeout_ > time)
            continue;
        out_.output("ERROR: %s has not answered a %s for %" PRIu64
                    " us of simulated time (access_timeout); the guest "
                    "gets an error\n",
                    device.name.c_str(), device.write ? "write" : "read",
                    accessTimeout_ / TRESTLE_US);
        device.id = 0;
        answers_.push_back({i, -ETIMEDOUT, 0});
        had = true;
    }
    armWatch(time);
    if (had)
        release();
}

} // namespace Trestle
