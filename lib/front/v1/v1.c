/* SPDX-License-Identifier: MIT */
/* Protocol 1 on the bridge's side: a frame is an access, and its answer is a frame. */
#include "front/v1/v1.h"

#include <inttypes.h>

#include "base/clock.h"
#include "front/connection.h"
#include "trestle/wire.h"

static int recognises(const uint8_t *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return 1;
}

static void log_bad_request(struct port *port, const struct trestle_v1_request *request,
                            const char *reason)
{
    struct front *front = port->front;
    uint64_t left_out;
    if (!rate_limit_allows(&port->frame_errors, front->timeline.now_ns, NS_PER_S, &left_out))
        return;
    if (left_out)
        front_log(front, TRESTLE_LOG_WARNING, "%s: %" PRIu64 " more bad requests", port->name,
                  left_out);
    front_log(front, TRESTLE_LOG_WARNING,
              "%s: %s: type=%u addr=0x%016" PRIx64 " data=0x%08" PRIx64
              " size=%u; answered with an error",
              port->name, reason, request->type, request->addr, request->data, request->size);
}

static void send_mmio_response(struct connection *connection, bool success, uint64_t data)
{
    uint8_t bytes[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_response response = {.success = success, .data = data};
    trestle_v1_encode_response(bytes, &response);
    if (connection_is_open(connection))
        connection_send(connection, bytes, sizeof(bytes));
}

static void handle_mmio_request(struct connection *connection, const uint8_t *frame)
{
    struct port *port = connection->port;
    struct trestle_v1_request v1;
    int r = trestle_v1_decode_request(frame, &v1);

    timeline_at_host(&port->front->timeline);
    port->request_ns = port->front->timeline.now_ns;
    if (!r && v1.addr >= port->base_addr && v1.addr - port->base_addr < port->size) {
        port_access(port, v1.type == TRESTLE_V1_WRITE,
                    &(struct trestle_access){
                        .offset = v1.addr - port->base_addr, .data = v1.data, .size = v1.size});
        return;
    }
    log_bad_request(port, &v1, r ? "malformed request" : "address outside the device");
    send_mmio_response(connection, false, 0);
    port_count_error(port);
}

static void answer(void *asker)
{
    struct connection *connection = asker;
    const struct trestle_request *request = &connection->port->request;
    send_mmio_response(connection, request->status == 0, request->ret_data);
}

const struct protocol v1_protocol = {.recognises = recognises,
                                     .frame_size = TRESTLE_V1_REQUEST_SIZE,
                                     .frame = handle_mmio_request,
                                     .answer = answer};
