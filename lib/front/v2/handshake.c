/* SPDX-License-Identifier: MIT */
/* The handshake of protocol 2: the HELLO of a client, and the WELCOME that it gets. */
#include "front/v2/handshake.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "front/v2/message.h"
#include "ipc/fds.h"

#define FEATURES                                                                              \
    (TRESTLE_V2_FEATURE_SHM | TRESTLE_V2_FEATURE_POSTED | TRESTLE_V2_FEATURE_TIME |           \
     TRESTLE_V2_FEATURE_IRQ | TRESTLE_V2_FEATURE_DMA | TRESTLE_V2_FEATURE_RAM |               \
     TRESTLE_V2_FEATURE_NOTE | TRESTLE_V2_FEATURE_RESET_DEVICE | TRESTLE_V2_FEATURE_REGIONS | \
     TRESTLE_V2_FEATURE_MEMORY | TRESTLE_V2_FEATURE_BUS)

/* Interrupts and DMA only where some model has them. */
static uint32_t features_for(const struct front *front, const struct trestle_v2_hello *hello)
{
    uint32_t features = hello->features & FEATURES;
    if (front->has_no_shm)
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_SHM;
    if (!front->has_irq)
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_IRQ;
    if (!front->has_dma)
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_DMA;
    if (!front->has_memory)
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_MEMORY;
    if (!(features & TRESTLE_V2_FEATURE_DMA))
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_RAM;
    if (!(features & TRESTLE_V2_FEATURE_RAM))
        features &= ~(uint32_t)TRESTLE_V2_FEATURE_BUS;
    return features;
}

static_assert(TRESTLE_REGIONS_MAX == TRESTLE_V2_REGIONS_MAX, "regions are BARs");

/* Fewer than the model has will do. */
static bool has_regions(const struct port *port, const struct trestle_v2_hello *hello)
{
    return !(hello->features & TRESTLE_V2_FEATURE_REGIONS) || hello->more_regions == 0 ||
           hello->more_regions < port->num_regions;
}

static enum trestle_v2_status check_hello(const struct port *port, int decode_error,
                                          const struct trestle_v2_hello *hello)
{
    const struct v2_session *session = port->front->session;
    if (decode_error)
        return TRESTLE_V2_MALFORMED;
    if (hello->version_min > TRESTLE_V2_VERSION || hello->version_max < TRESTLE_V2_VERSION)
        return TRESTLE_V2_BAD_VERSION;
    if (hello->base_addr != port->base_addr || hello->size != port->size ||
        !has_regions(port, hello))
        return TRESTLE_V2_GEOMETRY;
    if (hello->time > TIMELINE_MAX)
        return TRESTLE_V2_MALFORMED;
    if (!session)
        return TRESTLE_V2_OK;
    if (memcmp(session->client_id, hello->client_id, sizeof(session->client_id)) != 0)
        return TRESTLE_V2_BUSY;
    if (features_for(port->front, hello) != session->features)
        return TRESTLE_V2_MALFORMED;
    return TRESTLE_V2_OK;
}

static void refuse(struct connection *connection, enum trestle_v2_status status,
                   const struct trestle_v2_hello *hello)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_welcome welcome = {
        .version = TRESTLE_V2_VERSION, .status = (uint8_t)status, .next = TRESTLE_TIME_NEVER};
    bool is_pci = hello->base_addr == TRESTLE_NO_BASE;
    front_log(connection->port->front, TRESTLE_LOG_WARNING,
              "%s: a client was refused: %s (it speaks %u to %u and means 0x%" PRIx64
              " bytes at %s%.*" PRIx64 ")",
              connection->port->name, trestle_v2_status_text(status), hello->version_min,
              hello->version_max, hello->size, is_pci ? "an address that PCI gives" : "0x",
              is_pci ? 0 : 1, is_pci ? 0 : hello->base_addr);
    trestle_v2_encode_welcome(bytes, &welcome);
    connection_send(connection, bytes, sizeof(bytes));
    connection_close(connection);
}

/* --- a session and its clients --------------------------------------------------------------- */

static int session_create(struct front *front, const struct trestle_v2_hello *hello,
                          struct v2_session **ret_session)
{
    struct v2_session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->front = front;
    session->ring.channel = CHANNEL_CLOSED;
    ipc_wait_init(&session->dma_wait, front->wait_policy, &front->crowd);
    session->doorbell.fd = -1;
    session->features = features_for(front, hello);
    memcpy(session->client_id, hello->client_id, sizeof(session->client_id));
    session->clients = calloc(front->num_ports, sizeof(struct v2_client *));
    int r = session->clients ? 0 : -ENOMEM;
    if (!r && getrandom(session->id, sizeof(session->id), 0) != sizeof(session->id))
        r = -EIO;
    if (r) {
        v2_session_free(session);
        return r;
    }
    if (session->features & TRESTLE_V2_FEATURE_SHM)
        v2_open_ring(session);
    *ret_session = session;
    return 0;
}

/* If the client tells its time, the engine follows it from now on. */
static void session_start(struct v2_session *session, trestle_time time)
{
    struct front *front = session->front;
    session->guest.sees_events = v2_sees_events(session);
    session->guest.advanced = v2_advanced;
    if (v2_has_time(session))
        timeline_join(&front->timeline, &session->guest, time);
    else
        timeline_at_host(&front->timeline);
    front->wait.may_spin_long = v2_has_time(session) && v2_sees_events(session);
    front->session = session;
    front->intake = v2_has_ring(session) ? &session->intake : NULL;
}

static int session_join(struct v2_session *session, struct connection *connection,
                        const struct trestle_v2_hello *hello)
{
    struct v2_client *client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->session = session;
    client->connection = connection;
    client->port = connection->port;
    channel_open_stream(&client->own.channel, &connection->stream);
    client->path = v2_has_ring(session) ? &session->ring : &client->own;
    client->irq_lines = hello->irq_lines;
    connection->state = connection->port->asker = client;
    connection->takes_descriptors =
        session->features & (TRESTLE_V2_FEATURE_RAM | TRESTLE_V2_FEATURE_MEMORY);
    session->clients[client->port->index] = client;
    session->num_clients++;
    return 0;
}

/* The session that the client joins, or one that is made for it. */
static int find_session(struct connection *connection, const struct trestle_v2_hello *hello)
{
    struct front *front = connection->port->front;
    struct v2_session *session = front->session;
    int r = session ? 0 : session_create(front, hello, &session);
    if (r)
        return r;
    r = session_join(session, connection, hello);
    if (r && !front->session)
        v2_session_free(session);
    if (!r && !front->session)
        session_start(session, hello->time);
    return r;
}

/* --- answer ---------------------------------------------------------------------------------- */

/* False: the connection is closed. */
static bool send_welcome(struct connection *connection)
{
    struct v2_client *client = connection->state;
    struct v2_session *session = client->session;
    const struct port *port = connection->port;
    struct shm *shm = &session->ring.channel.shm;
    bool with_memory = shm->fds[SHM_FD_MEMORY] >= 0; /* the first */
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_welcome welcome = {.version = TRESTLE_V2_VERSION,
                                         .features = session->features,
                                         .device = port->index,
                                         .irq_lines = trestle_device_model(port->device)->irq_lines,
                                         .size = port->size,
                                         .time = trestle_sim_now(session->front->timeline.sim),
                                         .next = v2_tell_next(session)};
    memcpy(welcome.session_id, session->id, sizeof(welcome.session_id));
    trestle_v2_encode_welcome(bytes, &welcome);
    int r = fds_send(connection->source.fd, bytes, sizeof(bytes), shm->fds,
                     with_memory ? SHM_NUM_FDS : 0);
    shm_handed_over(shm);
    if (!r)
        return true;
    front_log(session->front, TRESTLE_LOG_WARNING, "%s: cannot answer a client: %s", port->name,
              error_text(r));
    connection_close(connection);
    return false;
}

void v2_handle_hello(struct connection *connection, const uint8_t *frame)
{
    struct port *port = connection->port;
    struct front *front = port->front;
    struct trestle_v2_hello hello = {0};
    int r = trestle_v2_decode_hello(frame, &hello);
    enum trestle_v2_status status = check_hello(port, r, &hello);
    bool is_first = !front->session;
    if (status == TRESTLE_V2_OK && find_session(connection, &hello) < 0)
        status = TRESTLE_V2_NO_MEMORY;
    if (status != TRESTLE_V2_OK) {
        refuse(connection, status, &hello);
        return;
    }
    if (!send_welcome(connection))
        return;
    if (is_first)
        front_log(front, TRESTLE_LOG_INFO, "QEMU speaks protocol 2 over %s",
                  channel_name(&((struct v2_client *)connection->state)->path->channel));
    for (uint32_t line = 0; line < TRESTLE_IRQ_LINES_MAX; line++)
        if (trestle_device_irq_level(port->device, line))
            v2_send_irq(connection->state, line, true);
}
