/* SPDX-License-Identifier: MIT */
/* vfio-user on the bridge's side: each command is checked, performed and answered. */
#include "front/vfio/vfio.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/pci_window.h"
#include "front/vfio/state.h"
#include "sim/command.h"

/* Kept for later: the answer comes from elsewhere. */
#define LATER 1
/* A region's size and flags, or whatever else an answer has. */
#define ANSWER_MAX (16 + VFIO_DATA_MAX)

struct request {
    struct vfio_header header;
    const uint8_t *payload;
    size_t size;
};

struct answer {
    uint8_t bytes[VFIO_HEADER_SIZE + ANSWER_MAX];
    size_t size; /* of the payload */
};

static uint8_t *payload_of(struct answer *answer)
{
    return answer->bytes + VFIO_HEADER_SIZE;
}

/* r: 0, or a negative errno and no payload. */
static void send_answer(struct connection *connection, const struct vfio_header *request, int r,
                        struct answer *answer)
{
    struct vfio_header header = {.id = request->id,
                                 .command = request->command,
                                 .size = (uint32_t)(VFIO_HEADER_SIZE + (r < 0 ? 0 : answer->size)),
                                 .flags = VFIO_TYPE_REPLY | (r < 0 ? VFIO_ERROR : 0),
                                 .error = r < 0 ? (uint32_t)-r : 0};
    if (!connection_is_open(connection) || (request->flags & VFIO_NO_REPLY))
        return;
    vfio_put_header(answer->bytes, &header);
    connection_send(connection, answer->bytes, header.size);
}

/* --- what it is ------------------------------------------------------------------------------ */

/* The number behind a capability's name in the client's text, if it is there. */
static uint64_t find_number(const struct request *request, const char *name, uint64_t otherwise)
{
    const char *text = (const char *)request->payload + 4;
    if (request->size <= 4 || text[request->size - 5] != '\0')
        return otherwise;
    const char *at = strstr(text, name);
    at = at ? strchr(at, ':') : NULL;
    return at ? strtoull(at + 1, NULL, 10) : otherwise;
}

static int do_version(struct connection *connection, const struct request *request,
                      struct answer *ret_answer)
{
    static const char capabilities[] = "{\"capabilities\":{\"max_msg_fds\":16,"
                                       "\"max_data_xfer_size\":256,\"max_dma_maps\":64,"
                                       "\"pgsizes\":4096}}";
    static_assert(FDS_MAX == 16 && VFIO_DATA_MAX == 256 && VFIO_MAPS_MAX == 64, "as it says");
    struct vfio *vfio = connection->state;
    uint64_t data_max = find_number(request, "\"max_data_xfer_size\"", VFIO_DATA_MAX);
    if (vfio->is_agreed || data_max == 0)
        return -EINVAL;
    vfio->data_max = data_max < VFIO_DATA_MAX ? (uint32_t)data_max : VFIO_DATA_MAX;
    vfio->is_agreed = true;
    timeline_watch(&vfio->port->front->timeline);
    memset(payload_of(ret_answer), 0, 4); /* version 0.0 */
    memcpy(payload_of(ret_answer) + 4, capabilities, sizeof(capabilities));
    ret_answer->size = 4 + sizeof(capabilities);
    front_log(vfio->port->front, TRESTLE_LOG_INFO, "%s: the client speaks vfio-user",
              vfio->port->name);
    return 0;
}

static int do_get_info(struct connection *connection, const struct request *request,
                       struct answer *ret_answer)
{
    uint8_t *payload = payload_of(ret_answer);
    if (vfio_get32(request->payload) < 16)
        return -EINVAL;
    vfio_put32(payload, 16);
    vfio_put32(payload + 4, VFIO_DEVICE_FLAGS);
    vfio_put32(payload + 8, VFIO_REGIONS);
    vfio_put32(payload + 12, VFIO_IRQS);
    ret_answer->size = 16;
    return 0;
}

static uint64_t region_size(const struct vfio *vfio, uint32_t region)
{
    if (region == VFIO_REGION_CONFIG)
        return VFIO_CONFIG_SIZE;
    return region < VFIO_BARS && vfio->bars[region].region != BAR_IS_NOTHING
               ? vfio->bars[region].size
               : 0;
}

static int do_get_region_info(struct connection *connection, const struct request *request,
                              struct answer *ret_answer)
{
    uint8_t *payload = payload_of(ret_answer);
    uint32_t region = vfio_get32(request->payload + 8);
    if (vfio_get32(request->payload) < 32 || region >= VFIO_REGIONS)
        return -EINVAL;
    uint64_t size = region_size(connection->state, region);
    memset(payload, 0, 32);
    vfio_put32(payload, 32);
    vfio_put32(payload + 4, size > 0 ? VFIO_REGION_FLAGS : 0);
    vfio_put32(payload + 8, region);
    vfio_put64(payload + 16, size);
    ret_answer->size = 32;
    return 0;
}

static int do_get_region_io_fds(struct connection *connection, const struct request *request,
                                struct answer *ret_answer)
{
    return -ENOTSUP; /* each access is a message */
}

static int do_get_irq_info(struct connection *connection, const struct request *request,
                           struct answer *ret_answer)
{
    uint8_t *payload = payload_of(ret_answer);
    uint32_t index = vfio_get32(request->payload + 8);
    if (vfio_get32(request->payload) < 16 || index >= VFIO_IRQS)
        return -EINVAL;
    uint32_t count = vfio_irq_count(connection->state, index);
    vfio_put32(payload, 16);
    vfio_put32(payload + 4, count == 0 ? 0
                            : index == VFIO_INTX
                                ? VFIO_IRQ_EVENTFD | VFIO_IRQ_MASKABLE | VFIO_IRQ_AUTOMASKED
                                : VFIO_IRQ_EVENTFD);
    vfio_put32(payload + 8, index);
    vfio_put32(payload + 12, count);
    ret_answer->size = 16;
    return 0;
}

/* --- what it does ---------------------------------------------------------------------------- */

static int do_dma_map(struct connection *connection, const struct request *request,
                      struct answer *ret_answer)
{
    int fd = connection_take_fd(connection), r = vfio_map(connection->state, request->payload, fd);
    if (fd >= 0)
        close(fd);
    return r;
}

static int do_dma_unmap(struct connection *connection, const struct request *request,
                        struct answer *ret_answer)
{
    memcpy(payload_of(ret_answer), request->payload, 24);
    ret_answer->size = 24;
    return vfio_unmap(connection->state, request->payload);
}

static int do_set_irqs(struct connection *connection, const struct request *request,
                       struct answer *ret_answer)
{
    return vfio_set_irqs(connection->state, request->payload, request->size, connection->in_fds,
                         &connection->num_in_fds);
}

static int do_reset(struct connection *connection, const struct request *request,
                    struct answer *ret_answer)
{
    struct vfio *vfio = connection->state;
    timeline_at_host(&vfio->port->front->timeline);
    trestle_device_reset_alone(vfio->port->device);
    vfio_config_reset(vfio);
    return 0;
}

/* The client hears of it in access_ended(), perhaps at once. */
static void access_model(struct vfio *vfio, bool is_write, struct trestle_access *wanted,
                         const uint8_t *data)
{
    struct port *port = vfio->port;
    if (is_write)
        memcpy(&wanted->data, data, wanted->size);
    timeline_at_host(&port->front->timeline);
    port->request_ns = port->front->timeline.now_ns;
    port_access(port, is_write, wanted);
}

static bool is_word(uint32_t count)
{
    return count == 1 || count == 2 || count == 4 || count == 8;
}

/* The write may let INTx through. */
static void write_config(struct vfio *vfio, uint32_t offset, const uint8_t *data, uint32_t count)
{
    vfio_config_write(vfio, offset, data, count);
    vfio_look_at_intx(vfio);
}

static bool is_model(const struct vfio *vfio, uint32_t region)
{
    return region < VFIO_BARS && vfio->bars[region].region >= 0;
}

/* True when the access to the configuration space is one to a BAR as well, whose end answers it. */
static bool through_window(struct vfio *vfio, bool is_write)
{
    struct pci_window window;
    uint8_t *capability = vfio->config + vfio->window, *data = capability + PCI_WINDOW_DATA;
    if (!pci_window_is_data(vfio->window, (uint32_t)vfio->access.offset, vfio->access.count) ||
        !pci_window_get(capability, &window) || !is_model(vfio, window.bar))
        return false;
    if (vfio_is_asleep(vfio)) {
        memset(data, 0xff, is_write ? 0 : window.length);
        return false;
    }
    struct trestle_access wanted = {.offset = window.offset,
                                    .size = window.length,
                                    .region = (uint32_t)vfio->bars[window.bar].region};
    access_model(vfio, is_write, &wanted, data);
    return true;
}

/* The client itself has the table of MSI-X, so a read of it gives 0; there are no pending bits. */
static int do_region_access(struct connection *connection, const struct request *request,
                            struct answer *ret_answer)
{
    struct vfio *vfio = connection->state;
    bool is_write = request->header.command == VFIO_REGION_WRITE;
    uint64_t offset = vfio_get64(request->payload);
    uint32_t region = vfio_get32(request->payload + 8), count = vfio_get32(request->payload + 12);
    uint64_t size = region_size(vfio, region);
    uint8_t *payload = payload_of(ret_answer);
    if (count == 0 || count > VFIO_DATA_MAX || offset > size || count > size - offset ||
        (is_write && request->size - 16 < count))
        return -EINVAL;
    if (is_model(vfio, region) && !is_word(count))
        return -EINVAL;
    vfio->access = (struct vfio_access){request->header, offset, region, count};
    if (is_model(vfio, region) && !vfio_is_asleep(vfio)) {
        struct trestle_access wanted = {
            .offset = offset, .size = count, .region = (uint32_t)vfio->bars[region].region};
        access_model(vfio, is_write, &wanted, request->payload + 16);
        return LATER;
    }
    if (region == VFIO_REGION_CONFIG && is_write)
        write_config(vfio, (uint32_t)offset, request->payload + 16, count);
    if (region == VFIO_REGION_CONFIG && through_window(vfio, is_write))
        return LATER;
    memcpy(payload, request->payload, 16);
    ret_answer->size = is_write ? 16 : 16 + count;
    if (region != VFIO_REGION_CONFIG)
        memset(payload + 16, is_model(vfio, region) ? 0xff : 0, count);
    else if (!is_write)
        memcpy(payload + 16, vfio->config + offset, count);
    return 0;
}

/* An access that fails reads all ones, as on a bus where nobody answers. */
static void access_ended(void *asker)
{
    struct connection *connection = asker;
    struct vfio *vfio = connection->state;
    const struct vfio_access *access = &vfio->access;
    const struct trestle_request *request = &connection->port->request;
    uint64_t data = request->status == 0 ? request->ret_data : UINT64_MAX;
    struct answer answer = {.size = 16 + (request->write ? 0 : access->count)};
    uint8_t *payload = payload_of(&answer);
    vfio_put64(payload, access->offset);
    vfio_put32(payload + 8, access->region);
    vfio_put32(payload + 12, access->count);
    if (access->region != VFIO_REGION_CONFIG) {
        memcpy(payload + 16, &data, access->count);
    } else if (!request->write) {
        memcpy(vfio->config + vfio->window + PCI_WINDOW_DATA, &data, request->access.size);
        memcpy(payload + 16, vfio->config + access->offset, access->count);
    }
    send_answer(connection, &access->header, 0, &answer);
}

/* --- commands -------------------------------------------------------------------------------- */

static const struct {
    int (*perform)(struct connection *connection, const struct request *request,
                   struct answer *ret_answer);
    size_t size; /* of the payload, at least */
} COMMANDS[] = {
    [VFIO_VERSION] = {do_version, 4},
    [VFIO_DMA_MAP] = {do_dma_map, 32},
    [VFIO_DMA_UNMAP] = {do_dma_unmap, 24},
    [VFIO_GET_INFO] = {do_get_info, 16},
    [VFIO_GET_REGION_INFO] = {do_get_region_info, 32},
    [VFIO_GET_REGION_IO_FDS] = {do_get_region_io_fds, 16},
    [VFIO_GET_IRQ_INFO] = {do_get_irq_info, 16},
    [VFIO_SET_IRQS] = {do_set_irqs, 20},
    [VFIO_REGION_READ] = {do_region_access, 16},
    [VFIO_REGION_WRITE] = {do_region_access, 16},
    [VFIO_RESET] = {do_reset, 0},
};

static int perform(struct connection *connection, const struct request *request,
                   struct answer *ret_answer)
{
    uint16_t command = request->header.command;
    if (command >= sizeof(COMMANDS) / sizeof(*COMMANDS) || !COMMANDS[command].perform)
        return -ENOTSUP;
    if (request->size < COMMANDS[command].size)
        return -EINVAL;
    return COMMANDS[command].perform(connection, request, ret_answer);
}

static void log_refusal(struct port *port, const struct vfio_header *header, int r)
{
    uint64_t left_out;
    if (!rate_limit_allows(&port->frame_errors, clock_ns(), NS_PER_S, &left_out))
        return;
    front_log(port->front, TRESTLE_LOG_WARNING,
              "%s: vfio-user command %u of %" PRIu32 " bytes is refused: %s", port->name,
              header->command, header->size, error_text(r));
}

static void break_off(struct connection *connection, const char *why)
{
    front_log(connection->port->front, TRESTLE_LOG_WARNING, "%s: disconnected: %s",
              connection->port->name, why);
    connection_close(connection);
}

static bool is_start(const struct request *request)
{
    return request->header.command == VFIO_VERSION && request->size >= 4 &&
           vfio_get16(request->payload) == 0;
}

static void frame(struct connection *connection, const uint8_t *bytes)
{
    const struct vfio *vfio = connection->state;
    struct request request = {.header = vfio_get_header(bytes),
                              .payload = bytes + VFIO_HEADER_SIZE};
    struct answer answer = {.size = 0};
    request.size = request.header.size - VFIO_HEADER_SIZE;
    uint32_t type = request.header.flags & VFIO_TYPE_MASK;
    if (!vfio->is_agreed && (type != VFIO_TYPE_COMMAND || !is_start(&request))) {
        break_off(connection, "it does not begin with version 0 of vfio-user");
        return;
    }
    if (type == VFIO_TYPE_REPLY) {
        if (!vfio_dma_answered(connection, &request.header, request.payload, request.size))
            break_off(connection, "a reply that nobody asked for");
        return;
    }
    int r = type == VFIO_TYPE_COMMAND ? perform(connection, &request, &answer) : -EINVAL;
    connection_drop_fds(connection);
    if (r < 0)
        log_refusal(connection->port, &request.header, r);
    if (r != LATER)
        send_answer(connection, &request.header, r, &answer);
}

static size_t measure(const uint8_t *bytes)
{
    uint32_t size = vfio_get_header(bytes).size;
    return size >= VFIO_HEADER_SIZE ? size : SIZE_MAX;
}

static void opened(struct connection *connection)
{
    connection->state = connection->port->vfio;
    connection->takes_descriptors = true;
}

/* The device keeps its state for the next client, but not what this one has set up. */
static void closed(struct connection *connection)
{
    struct vfio *vfio = connection->state;
    connection->state = NULL;
    if (vfio->is_agreed)
        timeline_unwatch(&vfio->port->front->timeline);
    vfio->is_agreed = false;
    vfio_irq_close(vfio);
    vfio_dma_close(vfio);
    vfio_config_reset(vfio);
}

static void irq(struct connection *connection, uint32_t line, bool level)
{
    if (connection->state)
        vfio_line_changed(connection->state, line, level);
}

const struct protocol vfio_protocol = {.frame_size = VFIO_HEADER_SIZE,
                                       .measure = measure,
                                       .opened = opened,
                                       .frame = frame,
                                       .answer = access_ended,
                                       .closed = closed,
                                       .irq = irq,
                                       .begin_dma = vfio_begin_dma};

/* --- its life -------------------------------------------------------------------------------- */

int vfio_create(struct port *port, const struct trestle_pci *pci)
{
    struct vfio *vfio = calloc(1, sizeof(*vfio));
    if (!vfio)
        return -ENOMEM;
    vfio->port = port;
    memcpy(&vfio->pci, pci, pci->size < sizeof(vfio->pci) ? pci->size : sizeof(vfio->pci));
    vfio->num_lines = trestle_device_model(port->device)->irq_lines;
    vfio->intx_fd = vfio->msi_fd = -1;
    for (unsigned i = 0; i < TRESTLE_IRQ_LINES_MAX; i++)
        vfio->msix_fds[i] = -1;
    int r = vfio_config_init(vfio);
    if (r < 0) {
        free(vfio);
        return r;
    }
    port->vfio = vfio;
    port->protocol = &vfio_protocol;
    return 0;
}

void vfio_destroy(struct vfio *vfio)
{
    free(vfio);
}
