/* SPDX-License-Identifier: MIT */
/* From a request to the model and back. */
#include "front/port.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/macros.h"
#include "trestle/registers.h"

static uint64_t mask_to_size(uint64_t value, uint32_t size)
{
    return value & UINT64_MAX >> (64 - 8 * size);
}

static void measure(struct port *port)
{
    port->num_requests++;
    if (port->request_ns)
        histogram_record(&port->latency, clock_ns() - port->request_ns);
}

void port_count_error(struct port *port)
{
    port->errors++;
    measure(port);
}

/* What passed: with the value that a read got, and with the name and the fields of the register. */
static void log_access(const struct port *port)
{
    const struct trestle_request *request = &port->request;
    char text[256] = "";
    uint64_t base = port->base_addr == TRESTLE_NO_BASE ? 0 : port->base_addr;
    trestle_device_access_text(port->device, request, text, sizeof(text));
    front_log(port->front, TRESTLE_LOG_DEBUG,
              "MMIO from %s: type=%u addr=0x%016" PRIx64 " data=0x%08" PRIx64 " size=%u%s%s",
              port->name, request->write, base + request->access.offset,
              request->write ? request->access.data : request->ret_data, request->access.size,
              text[0] ? ": " : "", text);
}

static void finish_request(struct port *port)
{
    const struct trestle_request *request = &port->request;
    if (unlikely(port->front->log_debug))
        log_access(port);
    port->answer(port->asker);
    if (request->status != 0) {
        port_count_error(port);
        return;
    }
    if (request->write)
        port->writes++;
    else
        port->reads++;
    port->bytes += request->access.size;
    measure(port);
}

static void request_done(struct trestle_request *request)
{
    struct port *port = container_of(request, struct port, request);
    timeline_wait_end(&port->front->timeline, port->is_outside);
    finish_request(port);
    port->resume(port->connection);
}

/* A model that forgets to answer leaves its guest waiting without a word. */
static void tell_kept(struct port *port)
{
    if (port->told_kept)
        return;
    port->told_kept = true;
    front_log(port->front, TRESTLE_LOG_WARNING,
              "%s: its %s() keeps the access at offset 0x%" PRIx64 " for later, and nothing is "
              "scheduled that could answer it",
              port->name, port->request.write ? "write" : "read", port->request.access.offset);
}

static void wait_for_model(struct port *port)
{
    struct timeline *timeline = &port->front->timeline;
    timeline_wait(timeline, port->is_outside);
    if (!port->is_outside && trestle_sim_next(timeline->sim) == TRESTLE_TIME_NEVER)
        tell_kept(port);
}

void port_init(struct port *port)
{
    port->request.done = request_done;
}

/* The model hears nothing of it. */
static void access_faulty(struct port *port)
{
    if (port->fault != TRESTLE_FAULT_DEAD)
        return;
    port->request.status = -EIO;
    port->request.ret_data = 0;
    finish_request(port);
}

int port_set_fault(struct port *port, enum trestle_fault fault)
{
    bool was_dead = port->fault == TRESTLE_FAULT_DEAD, is_dead = fault == TRESTLE_FAULT_DEAD;
    if (!port->device)
        return -ENODEV;
    port->fault = fault;
    if (was_dead != is_dead)
        trestle_device_reset(port->device);
    return 0;
}

void port_access(struct port *port, bool is_write, const struct trestle_access *access)
{
    port->request.access = *access;
    port->request.access.data = is_write ? mask_to_size(access->data, access->size) : 0;
    port->request.write = is_write;
    if (unlikely(port->fault != TRESTLE_FAULT_NONE)) {
        access_faulty(port);
        return;
    }
    if (trestle_device_submit(port->device, &port->request) == 0)
        finish_request(port);
    else
        wait_for_model(port);
}
