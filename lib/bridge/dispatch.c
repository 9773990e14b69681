/* SPDX-License-Identifier: MIT */
/* From a request to the model and back. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "base/macros.h"
#include "bridge/internal.h"

static void log_bad_request(struct device_info *device, const struct trestle_v1_request *request,
                            const char *reason)
{
    uint64_t left_out;
    if (!rate_limit_allows(&device->frame_errors, device->bridge->timeline.now_ns, NS_PER_S,
                           &left_out))
        return;
    if (left_out)
        bridge_log(device->bridge, TRESTLE_LOG_WARNING, "%s: %" PRIu64 " more bad requests",
                   device->name, left_out);
    bridge_log(device->bridge, TRESTLE_LOG_WARNING,
               "%s: %s: type=%u addr=0x%016" PRIx64 " data=0x%08" PRIx64
               " size=%u; answered with an error",
               device->name, reason, request->type, request->addr, request->data, request->size);
}

static uint64_t mask_to_size(uint64_t value, uint32_t size)
{
    return size >= 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1);
}

static void account(struct device_info *device, bool success)
{
    device->num_requests++;
    if (!success)
        device->errors++;
    else if (device->request.write)
        device->writes++;
    else
        device->reads++;
    if (success)
        device->bytes += device->request.access.size;
    if (device->request_ns)
        histogram_record(&device->latency, clock_ns() - device->request_ns);
}

void send_mmio_response(struct device_info *device, bool success, uint64_t data)
{
    uint8_t bytes[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_response response = {.success = success, .data = data};
    trestle_v1_encode_response(bytes, &response);
    if (device->socket_ready)
        connection_send(device, bytes, sizeof(bytes));
}

static void finish_request(struct device_info *device)
{
    const struct trestle_request *request = &device->request;
    bool success = request->status == 0;
    if (device->request_is_v2)
        session_answer(device, request->ret_data);
    else
        send_mmio_response(device, success, request->ret_data);
    account(device, success);
}

static void request_done(struct trestle_request *request)
{
    struct device_info *device = container_of(request, struct device_info, request);
    timeline_wait_end(&device->bridge->timeline, device->is_outside);
    finish_request(device);
    connection_resume(device);
}

void perform_access(struct device_info *device, bool is_write, uint64_t offset, uint64_t data,
                    uint8_t size)
{
    struct trestle_bridge *bridge = device->bridge;
    if (unlikely(bridge->options.log_debug))
        bridge_log(bridge, TRESTLE_LOG_DEBUG,
                   "MMIO from %s: type=%u addr=0x%016" PRIx64 " data=0x%08" PRIx64 " size=%u",
                   device->name, is_write, device->base_addr + offset, data, size);
    device->request = (struct trestle_request){
        .access = {.offset = offset, .data = is_write ? mask_to_size(data, size) : 0, .size = size},
        .write = is_write,
        .done = request_done};
    timeline_wait(&bridge->timeline, device->is_outside);
    if (trestle_device_submit(device->device, &device->request) == 0) {
        timeline_wait_end(&bridge->timeline, device->is_outside);
        finish_request(device);
    } else if (device->is_outside) {
        bridge->timeline.num_handed++;
    }
}

void handle_mmio_request(struct device_info *device, const uint8_t *frame)
{
    struct trestle_v1_request v1;
    int error = trestle_v1_decode_request(frame, &v1);

    timeline_at_host(&device->bridge->timeline);
    device->request_ns = device->bridge->timeline.now_ns;
    device->request_is_v2 = false;
    if (!error && v1.addr >= device->base_addr && v1.addr - device->base_addr < device->size) {
        perform_access(device, v1.type == TRESTLE_V1_WRITE, v1.addr - device->base_addr, v1.data,
                       v1.size);
        return;
    }
    log_bad_request(device, &v1, error ? "malformed request" : "address outside the device");
    send_mmio_response(device, false, 0);
    account(device, false);
}
