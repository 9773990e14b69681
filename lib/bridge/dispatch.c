/* SPDX-License-Identifier: MIT */
/* From a frame to the model and back. Wire v1 carries no time, so the engine follows the host's
 * clock: it is brought up to it before each access. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <time.h>

#include "bridge/internal.h"

uint64_t host_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void engine_catch_up(struct trestle_bridge *bridge)
{
    bridge->now_ns = host_clock_ns();
    trestle_sim_run_until(bridge->sim, (bridge->now_ns - bridge->start_ns) * TRESTLE_NS);
}

static void log_bad_frame(struct device_info *device, const struct trestle_v1_request *request,
                          const char *reason)
{
    uint32_t suppressed;
    if (!rate_limit_allows(&device->frame_errors, device->bridge->now_ns, &suppressed))
        return;
    if (suppressed)
        bridge_log(device->bridge, TRESTLE_LOG_WARNING, "%s: %" PRIu32 " more bad requests",
                   device->name, suppressed);
    bridge_log(device->bridge, TRESTLE_LOG_WARNING,
               "%s: %s: type=%u addr=0x%016" PRIx64 " data=0x%08" PRIx64
               " size=%u; answered with an error",
               device->name, reason, request->type, request->addr, request->data, request->size);
}

static const char *failure_reason(int status)
{
    switch (status) {
    case -EINVAL:
        return "width or alignment that the device does not have";
    case -ERANGE:
        return "outside the device's registers";
    case -EACCES:
        return "the device cannot be read or written there";
    case -ECANCELED:
        return "cancelled by a reset";
    default:
        return "refused by the model";
    }
}

static uint64_t mask_to_size(uint64_t value, uint32_t size)
{
    return size >= 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1);
}

static void account(struct device_info *device, bool success)
{
    uint64_t end_ns = host_clock_ns();
    device->num_requests++;
    if (!success)
        device->errors++;
    else if (device->request.write)
        device->writes++;
    else
        device->reads++;
    if (success)
        device->bytes += device->request.access.size;
    histogram_record(&device->latency, end_ns - device->request_ns);
}

void send_mmio_response(struct device_info *device, bool success, uint64_t data)
{
    uint8_t bytes[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_response response = {.success = success, .data = data};
    trestle_v1_encode_response(bytes, &response);
    if (device->socket_ready)
        connection_send(device, bytes, sizeof(bytes));
    account(device, success);
}

static void finish_request(struct device_info *device)
{
    const struct trestle_request *request = &device->request;
    bool success = request->status == 0;
    uint64_t data =
        success && !request->write ? mask_to_size(request->ret_data, request->access.size) : 0;
    if (!success) {
        struct trestle_v1_request v1 = {request->write, (uint8_t)request->access.size,
                                        device->base_addr + request->access.offset,
                                        request->access.data};
        log_bad_frame(device, &v1, failure_reason(request->status));
    }
    send_mmio_response(device, success, data);
}

static void request_done(struct trestle_request *request)
{
    struct device_info *device =
        (struct device_info *)(void *)((char *)request - offsetof(struct device_info, request));
    device->bridge->num_busy--;
    finish_request(device);
    connection_resume(device);
}

void handle_mmio_request(struct device_info *device, const uint8_t *frame)
{
    struct trestle_bridge *bridge = device->bridge;
    struct trestle_v1_request v1;
    int error = trestle_v1_decode_request(frame, &v1);

    engine_catch_up(bridge);
    device->request_ns = bridge->now_ns;
    device->request =
        (struct trestle_request){.write = v1.type == TRESTLE_V1_WRITE, .done = request_done};
    if (bridge->options.log_debug)
        bridge_log(bridge, TRESTLE_LOG_DEBUG,
                   "MMIO from %s: type=%u addr=0x%016" PRIx64 " data=0x%08" PRIx64 " size=%u",
                   device->name, v1.type, v1.addr, v1.data, v1.size);
    if (error || v1.addr < device->base_addr || v1.addr - device->base_addr >= device->size) {
        log_bad_frame(device, &v1, error ? "malformed request" : "address outside the device");
        send_mmio_response(device, false, 0);
        return;
    }
    device->request.access =
        (struct trestle_access){.offset = v1.addr - device->base_addr,
                                .data = device->request.write ? mask_to_size(v1.data, v1.size) : 0,
                                .size = v1.size};
    bridge->num_busy++;
    if (trestle_device_submit(device->device, &device->request) == 0) {
        bridge->num_busy--;
        finish_request(device);
    }
}
