/* SPDX-License-Identifier: MIT */
/*
 * The bridge and a client that may do anything: bytes on the sockets, messages and nonsense in the
 * rings. The input says what is done, a step at a time; between two steps the bridge has its turn.
 */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fuzz.h"
#include "ipc/fds.h"
#include "ipc/shm.h"
#include "trestle/bridge.h"
#include "trestle/models.h"
#include "trestle/wire.h"

#define BASE UINT64_C(0x10200000)
#define STRIDE UINT64_C(0x1000)

enum { NUM_DEVICES = 4, STEPS_MAX = 2000 };
enum step {
    CONNECT,
    HELLO,
    RAW_BYTES,
    ACCESS,
    MESSAGE,
    DMA_DONE,
    SPOIL_RING,
    SPOIL_HEADER,
    DISCONNECT,
    SHARE_RAM,
    NUM_STEPS
};

static const char *const models[NUM_DEVICES] = {"id", "echo", "dma", "timer"};

static struct {
    int fds[NUM_DEVICES];
    uint64_t seqs[NUM_DEVICES];
    struct shm shm;
    struct ring_producer requests;
    struct ring_consumer events;
    uint64_t last_id;
} client;

/* Listening sockets that outlive the bridges. */
static int listeners[NUM_DEVICES];
static struct sockaddr_un addresses[NUM_DEVICES];
static socklen_t address_sizes[NUM_DEVICES];

static void open_listeners(void)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    for (unsigned i = 0; i < NUM_DEVICES; i++) {
        listeners[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        address_sizes[i] = sizeof(addresses[i]);
        FUZZ_REQUIRE(bind(listeners[i], (const void *)&any, sizeof(any.sun_family)) == 0);
        FUZZ_REQUIRE(listen(listeners[i], 16) == 0);
        FUZZ_REQUIRE(getsockname(listeners[i], (void *)&addresses[i], &address_sizes[i]) == 0);
    }
}

static void ignore_log(void *ctx, enum trestle_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    FUZZ_REQUIRE(!strchr(text, '\n'));
}

static struct trestle_bridge *open_bridge(uint8_t features)
{
    struct trestle_bridge *bridge;
    struct trestle_bridge_options options = {.size = sizeof(options),
                                             .wait = TRESTLE_WAIT_SLEEP,
                                             .log = ignore_log,
                                             .log_debug = features & 1};
    FUZZ_REQUIRE(trestle_bridge_create(&options, &bridge, NULL) == 0);
    for (unsigned i = 0; i < NUM_DEVICES; i++) {
        const struct trestle_param slow = {.key = "access_latency", .value = "100"};
        struct trestle_bridge_device device = {.size = sizeof(device),
                                               .name = models[i],
                                               .model = trestle_model_find(models[i]),
                                               .base_addr = BASE + i * STRIDE,
                                               .params = &slow,
                                               .num_params = i == 1 && (features & 2) ? 1 : 0,
                                               .listen_fd = listeners[i]};
        FUZZ_REQUIRE(trestle_bridge_add_device(bridge, &device, NULL, NULL) == 0);
    }
    FUZZ_REQUIRE(trestle_bridge_listen(bridge, NULL) == 0);
    return bridge;
}

/* --- the client --------------------------------------------------------------------------------
 */

static void step_connect(unsigned i)
{
    if (client.fds[i] >= 0)
        return;
    client.fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    client.seqs[i] = 0;
    if (connect(client.fds[i], (const void *)&addresses[i], address_sizes[i]) == 0)
        return;
    close(client.fds[i]);
    client.fds[i] = -1;
}

static void step_disconnect(unsigned i)
{
    if (client.fds[i] >= 0)
        close(client.fds[i]);
    client.fds[i] = -1;
}

static void send_bytes(unsigned i, const void *bytes, size_t size)
{
    if (client.fds[i] >= 0 && send(client.fds[i], bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* the bridge has closed it, or takes nothing: either is fine */
}

static void step_hello(unsigned i, struct fuzz_input *in)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE], how = fuzz_byte(in);
    struct trestle_v2_hello hello = {.version_min = how & 0x80 ? fuzz_byte(in) : 2,
                                     .version_max = 2,
                                     .features = (how & 0x3fu) | (how & 0x20u) << 2,
                                     .client_id = {how & 0x40},
                                     .base_addr = BASE + i * STRIDE,
                                     .size = trestle_model_find(models[i])->region_size,
                                     .irq_lines = 1};
    trestle_v2_encode_hello(bytes, &hello);
    step_connect(i);
    send_bytes(i, bytes, sizeof(bytes));
}

static void step_raw_bytes(unsigned i, struct fuzz_input *in)
{
    uint8_t bytes[256];
    size_t size = fuzz_byte(in);
    fuzz_bytes(in, bytes, size);
    send_bytes(i, bytes, size);
}

static void send_message(unsigned i, struct trestle_v2_message *message, bool on_socket)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    if (client.shm.memory && !on_socket) {
        if (ring_post(&client.requests, message) == 0)
            ring_wake(&client.requests);
        return;
    }
    message->seq = ++client.seqs[i];
    trestle_v2_encode(bytes, message);
    send_bytes(i, bytes, sizeof(bytes));
}

static void step_access(unsigned i, struct fuzz_input *in)
{
    uint8_t how = fuzz_byte(in);
    struct trestle_v2_message message = {.type = how & 1 ? TRESTLE_V2_WRITE : TRESTLE_V2_READ,
                                         .flags = how & 3 ? how >> 1 & 1 : 0,
                                         .size = (uint8_t)(1u << (how >> 2 & 3)),
                                         .device = i,
                                         .id = ++client.last_id,
                                         .addr = fuzz_byte(in),
                                         .data = fuzz_number(in, how >> 4 & 7)};
    message.time = client.last_id * 1000000;
    send_message(i, &message, how & 0x80);
}

static void step_message(unsigned i, struct fuzz_input *in)
{
    uint8_t how = fuzz_byte(in);
    struct trestle_v2_message message = {.type = fuzz_byte(in) & 0x8f,
                                         .flags = how & 3,
                                         .size = fuzz_byte(in),
                                         .status = how >> 2 & 15,
                                         .device = fuzz_byte(in) & 7,
                                         .id = client.last_id + (how >> 6),
                                         .addr = fuzz_number(in, 2),
                                         .data = fuzz_number(in, 2),
                                         .time = fuzz_number(in, 7),
                                         .extra = fuzz_number(in, 2)};
    send_message(i, &message, false);
}

/* What is to answer a DMA may be there before it is asked for. */
static void step_dma_done(unsigned i, struct fuzz_input *in)
{
    uint8_t how = fuzz_byte(in), payload[64] = {how};
    struct trestle_v2_message message = {
        .type = TRESTLE_V2_DMA_DONE, .device = i, .id = how & 15, .status = how & 16 ? 10 : 0};
    send_message(i, &message, false);
    if (!client.shm.memory && how & 32)
        send_bytes(i, payload, how >> 6);
}

/* A file that is as it should be, mostly, and fields that need not be. */
static void step_share_ram(unsigned i, struct fuzz_input *in)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE], how = fuzz_byte(in);
    struct trestle_v2_message message = {.seq = ++client.seqs[i],
                                         .type = TRESTLE_V2_RAM,
                                         .device = i,
                                         .id = ++client.last_id,
                                         .addr = UINT64_C(0x80000000),
                                         .data = 0x1000,
                                         .extra = (how & 7) * UINT64_C(0x800)};
    if (how & 8)
        message.addr = fuzz_number(in, 8);
    if (how & 16)
        message.data = fuzz_number(in, 8);
    if (how & 32)
        message.extra = fuzz_number(in, 8);
    int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    FUZZ_REQUIRE(fd >= 0 && ftruncate(fd, 0x4000) == 0);
    FUZZ_REQUIRE(how & 64 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    trestle_v2_encode(bytes, &message);
    if (client.fds[i] >= 0 && fds_send(client.fds[i], bytes, sizeof(bytes), &fd, how < 128) < 0)
        client.seqs[i]--;
    close(fd);
}

static void step_spoil_ring(struct fuzz_input *in)
{
    size_t at = (size_t)fuzz_number(in, 3) % (SHM_SIZE - 8);
    uint64_t value = fuzz_number(in, 8);
    if (client.shm.memory)
        memcpy(client.shm.memory + at, &value, sizeof(value));
}

/* Rings for nothing, or closes its end in one direction or both. */
static void step_doorbell(struct fuzz_input *in)
{
    static const char rings[1024];
    uint8_t how = fuzz_byte(in);
    if (!client.shm.memory)
        return;
    if (how & 1)
        shutdown(client.shm.doorbell_fd, (how >> 1) % 3);
    else if (send(client.shm.doorbell_fd, rings, 4u * how, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* closed, or full: either is fine */
}

static void step_spoil_header(struct fuzz_input *in)
{
    size_t at = (size_t)(fuzz_byte(in) & 3) * 0x40;
    uint64_t value = fuzz_number(in, 2);
    if (client.shm.memory)
        memcpy(client.shm.memory + at, &value, sizeof(value));
}

/* Takes what comes, the shared memory of a session among it. */
static void take(unsigned i)
{
    uint8_t bytes[4096];
    int fds[FDS_MAX];
    size_t num_fds = 0;
    struct trestle_v2_message event;
    if (client.fds[i] < 0)
        return;
    ssize_t n = fds_recv(client.fds[i], bytes, sizeof(bytes), fds, &num_fds);
    if (num_fds == SHM_NUM_FDS) {
        shm_close(&client.shm);
        FUZZ_REQUIRE(shm_open_received(&client.shm, fds) == 0);
        shm_client_rings(&client.shm, true, &client.requests, &client.events);
    } else {
        FUZZ_REQUIRE(num_fds == 0);
    }
    if (n == 0)
        step_disconnect(i);
    while (client.shm.memory && ring_take(&client.events, &event) > 0)
        ;
}

/* --- the input ---------------------------------------------------------------------------------
 */

static void do_step(struct fuzz_input *in)
{
    uint8_t what = fuzz_byte(in);
    unsigned i = what >> 4 & 3;
    switch ((enum step)((what & 15) % NUM_STEPS)) {
    case CONNECT:
        step_connect(i);
        break;
    case HELLO:
        step_hello(i, in);
        break;
    case RAW_BYTES:
        step_raw_bytes(i, in);
        break;
    case ACCESS:
        step_access(i, in);
        break;
    case MESSAGE:
        step_message(i, in);
        break;
    case DMA_DONE:
        step_dma_done(i, in);
        break;
    case SPOIL_RING:
        step_spoil_ring(in);
        break;
    case SPOIL_HEADER:
        step_spoil_header(in);
        break;
    case SHARE_RAM:
        step_share_ram(i, in);
        break;
    case DISCONNECT:
    case NUM_STEPS:
        if (what & 0x80)
            step_doorbell(in);
        else
            step_disconnect(i);
        break;
    }
}

static void turn(struct trestle_bridge *bridge)
{
    FUZZ_REQUIRE(trestle_bridge_poll(bridge, 0) == 0);
    for (unsigned i = 0; i < NUM_DEVICES; i++)
        take(i);
}

/* Whatever has happened, whoever comes next is served. */
static void check_that_it_serves(struct trestle_bridge *bridge)
{
    for (unsigned i = 0; i < NUM_DEVICES; i++)
        step_disconnect(i);
    for (unsigned n = 0; n < 20 && trestle_bridge_num_connected(bridge) > 0; n++)
        turn(bridge);
    FUZZ_REQUIRE(trestle_bridge_num_connected(bridge) == 0);

    uint8_t bytes[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_request request = {.type = TRESTLE_V1_READ, .size = 8, .addr = BASE};
    struct trestle_v1_response response;
    uint8_t frame[TRESTLE_V1_REQUEST_SIZE];
    trestle_v1_encode_request(frame, &request);
    step_connect(0);
    send_bytes(0, frame, sizeof(frame));
    ssize_t n = -1;
    for (unsigned turns = 0; turns < 20 && n < 0; turns++) {
        FUZZ_REQUIRE(trestle_bridge_poll(bridge, 0) == 0);
        n = recv(client.fds[0], bytes, sizeof(bytes), MSG_DONTWAIT);
    }
    FUZZ_REQUIRE(n == sizeof(bytes) && trestle_v1_decode_response(bytes, &response) == 0);
    FUZZ_REQUIRE(response.success && response.data == BASE);
    step_disconnect(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {.next = data, .end = data + size};
    if (!listeners[0])
        open_listeners();
    int free_descriptor = fuzz_free_descriptor();
    struct trestle_bridge *bridge = open_bridge(fuzz_byte(&in));
    memset(&client, 0, sizeof(client));
    client.shm = SHM_NONE;
    for (unsigned i = 0; i < NUM_DEVICES; i++)
        client.fds[i] = -1;
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++) {
        do_step(&in);
        turn(bridge);
    }
    check_that_it_serves(bridge);
    shm_close(&client.shm);
    trestle_bridge_destroy(bridge);
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_descriptor);
    return 0;
}
