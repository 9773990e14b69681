/* SPDX-License-Identifier: MIT */
/* From a request to the model and back. */
#include "front/port.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/macros.h"
#include "sim/lookup.h"
#include "trestle/registers.h"

static void measure(struct port *port)
{
    if (port->request_ns)
        histogram_record(&port->latency, clock_ns() - port->request_ns);
}

void port_count_error(struct port *port)
{
    port->num_requests++;
    port->errors++;
    measure(port);
}

void port_say_unheard(struct port *port, uint32_t line, const char *why)
{
    if (port->told_unheard)
        return;
    port->told_unheard = true;
    front_log(port->front, TRESTLE_LOG_INFO,
              "%s: its interrupt line %" PRIu32
              " has gone high, and the guest does not hear it: %s",
              port->name, line, why);
}

/* What passed: with the value that a read got, and with the name and the fields of the register. */
static cold void log_access(const struct port *port)
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

static inline void count(struct port *port)
{
    const struct trestle_request *request = &port->request;
    port->num_requests++;
    if (likely(request->status == 0)) {
        if (request->write)
            port->writes++;
        else
            port->reads++;
        port->bytes += request->access.size;
    } else {
        port->errors++;
    }
}

static __attribute__((noinline)) void answer_closely(struct port *port)
{
    if (unlikely(port->front->log_debug))
        log_access(port);
    count(port);
    port->answer(port->asker);
    measure(port);
}

void port_answer(struct port *port)
{
    if (unlikely(port->front->log_debug) || unlikely(port->request_ns)) {
        answer_closely(port);
        return;
    }
    count(port);
    port->answer(port->asker);
}

static void request_done(struct trestle_request *request)
{
    struct port *port = container_of(request, struct port, request);
    timeline_wait_end(&port->front->timeline, port->is_outside);
    port_answer(port);
    port->resume(port->connection);
}

/* A model that forgets to answer leaves its guest waiting without a word. */
static void tell_kept(struct port *port)
{
    if (port->told_kept)
        return;
    port->told_kept = true;
    front_log(port->front, TRESTLE_LOG_WARNING,
              "%s: its %s() has put off the access at offset 0x%" PRIx64
              ", and nothing is scheduled to answer it",
              port->name, port->request.write ? "write" : "read", port->request.access.offset);
}

void port_wait(struct port *port)
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

void port_access_faulty(struct port *port)
{
    if (port->fault != TRESTLE_FAULT_DEAD)
        return;
    port->request.status = -EIO;
    port->request.ret_data = 0;
    port_answer(port);
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
