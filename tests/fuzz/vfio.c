/* SPDX-License-Identifier: MIT */
/* A device of vfio-user and a client that may send anything, with descriptors of any kind. The
 * input says what is sent, a message at a time; between two of them the bridge has its turn. */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "front/vfio/wire.h"
#include "fuzz.h"
#include "ipc/fds.h"
#include "trestle/bridge.h"
#include "trestle/models.h"

enum { STEPS_MAX = 500, PAYLOAD_MAX = 300, MEMORY = 0x4000 };
enum step { AGREE, MESSAGE, ACCESS, MAP, SET_IRQS, DMA_ANSWER, RAW_BYTES, DISCONNECT, NUM_STEPS };

static int listener, client = -1;
static struct sockaddr_un address;
static socklen_t address_size = sizeof(address);
static uint16_t last_id;

static void open_listener(void)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_REQUIRE(bind(listener, (const void *)&any, sizeof(any.sun_family)) == 0);
    FUZZ_REQUIRE(listen(listener, 16) == 0);
    FUZZ_REQUIRE(getsockname(listener, (void *)&address, &address_size) == 0);
}

static void ignore_log(void *ctx, enum trestle_log_level level, const char *text)
{
    FUZZ_REQUIRE(!strchr(text, '\n'));
}

static struct trestle_bridge *open_bridge(uint8_t how)
{
    static const char *const models[] = {"edu", "nvme", "virtio-rng", "timer"};
    const struct trestle_model *model = trestle_model_find(models[how & 3]);
    const struct trestle_pci none = {.size = sizeof(none)};
    struct trestle_bridge *bridge;
    struct trestle_bridge_options options = {
        .size = sizeof(options), .wait = TRESTLE_WAIT_SLEEP, .log = ignore_log};
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = model->name,
                                           .model = model,
                                           .base_addr = TRESTLE_NO_BASE,
                                           .listen_fd = listener,
                                           .vfio_user = model->pci ? model->pci : &none};
    FUZZ_REQUIRE(trestle_bridge_create(&options, &bridge, NULL) == 0);
    FUZZ_REQUIRE(trestle_bridge_add_device(bridge, &device, NULL, NULL) == 0);
    FUZZ_REQUIRE(trestle_bridge_listen(bridge, NULL) == 0);
    return bridge;
}

/* --- the client ------------------------------------------------------------------------------ */

static void step_disconnect(void)
{
    if (client >= 0)
        close(client);
    client = -1;
}

static void connect_client(void)
{
    if (client >= 0)
        return;
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(client, (const void *)&address, address_size) < 0)
        step_disconnect();
}

/* fd: -1, or given away; it is sent so many times. */
static void send_bytes(const uint8_t *bytes, size_t size, int fd, size_t copies)
{
    int fds[FDS_MAX];
    for (size_t i = 0; i < FDS_MAX; i++)
        fds[i] = fd;
    if (client >= 0 && size > 0)
        (void)!fds_send(client, bytes, size, fds, fd >= 0 ? copies : 0);
    if (fd >= 0)
        close(fd);
}

static void send_copies(uint16_t command, uint32_t flags, const uint8_t *payload, size_t size,
                        int fd, size_t copies)
{
    uint8_t bytes[VFIO_HEADER_SIZE + PAYLOAD_MAX];
    const struct vfio_header header = {.id = ++last_id,
                                       .command = command,
                                       .size = (uint32_t)(VFIO_HEADER_SIZE + size),
                                       .flags = flags};
    vfio_put_header(bytes, &header);
    memcpy(bytes + VFIO_HEADER_SIZE, payload, size);
    send_bytes(bytes, VFIO_HEADER_SIZE + size, fd, copies);
}

static void send_message(uint16_t command, uint32_t flags, const uint8_t *payload, size_t size,
                         int fd)
{
    send_copies(command, flags, payload, size, fd, 1);
}

static int make_descriptor(uint8_t how)
{
    if ((how & 3) == 0)
        return -1;
    if ((how & 3) == 1)
        return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    FUZZ_REQUIRE(fd >= 0 && ftruncate(fd, how & 4 ? MEMORY / 2 : MEMORY) == 0);
    FUZZ_REQUIRE(how & 4 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    return fd;
}

static void step_agree(void)
{
    static const uint8_t version[4];
    connect_client();
    send_message(VFIO_VERSION, 0, version, sizeof(version), -1);
}

static void step_message(struct fuzz_input *in)
{
    uint8_t payload[PAYLOAD_MAX], how = fuzz_byte(in);
    size_t size = fuzz_byte(in);
    fuzz_bytes(in, payload, size);
    send_message(how & 31, how & 32 ? fuzz_byte(in) : 0, payload, size, make_descriptor(how >> 6));
}

static void step_access(struct fuzz_input *in)
{
    uint8_t payload[24], how = fuzz_byte(in);
    vfio_put64(payload, fuzz_number(in, how >> 3 & 3));
    vfio_put32(payload + 8, how & 7);
    vfio_put32(payload + 12, how & 128 ? 1u << (how >> 5 & 3) : fuzz_byte(in));
    vfio_put64(payload + 16, fuzz_number(in, 4));
    send_message(how & 64 ? VFIO_REGION_WRITE : VFIO_REGION_READ, 0, payload, sizeof(payload), -1);
}

static void step_map(struct fuzz_input *in)
{
    uint8_t payload[32] = {32}, how = fuzz_byte(in);
    vfio_put32(payload + 4, how & 3);
    vfio_put64(payload + 8, (how >> 2 & 3) * UINT64_C(0x800));
    vfio_put64(payload + 16, how & 16 ? fuzz_number(in, 8) : 0x1000 * fuzz_number(in, 1));
    vfio_put64(payload + 24, how & 32 ? fuzz_number(in, 8) : 0x1000);
    send_message(how & 64 ? VFIO_DMA_UNMAP : VFIO_DMA_MAP, 0, payload, how & 64 ? 24 : 32,
                 make_descriptor(how & 128 ? 6 : 2));
}

static void step_set_irqs(struct fuzz_input *in)
{
    uint8_t payload[24] = {24}, how = fuzz_byte(in), count;
    vfio_put32(payload + 4, how & 63);
    vfio_put32(payload + 8, fuzz_byte(in));
    vfio_put32(payload + 12, fuzz_byte(in));
    vfio_put32(payload + 16, count = fuzz_byte(in));
    vfio_put32(payload + 20, how);
    send_copies(VFIO_SET_IRQS, 0, payload, sizeof(payload), make_descriptor(how >> 6),
                count % (FDS_MAX + 1));
}

static void step_dma_answer(struct fuzz_input *in)
{
    uint8_t payload[PAYLOAD_MAX] = {0}, how = fuzz_byte(in);
    last_id = (uint16_t)(fuzz_byte(in) - 1);
    vfio_put64(payload + 8, fuzz_byte(in));
    send_message(how & 1 ? VFIO_DMA_READ : VFIO_DMA_WRITE,
                 VFIO_TYPE_REPLY | (how & 2 ? VFIO_ERROR : 0), payload, how & 4 ? 272 : how, -1);
}

static void step_raw_bytes(struct fuzz_input *in)
{
    uint8_t bytes[256];
    size_t size = fuzz_byte(in);
    fuzz_bytes(in, bytes, size);
    send_bytes(bytes, size, make_descriptor((uint8_t)size), 1);
}

static void take(void)
{
    uint8_t bytes[4096];
    if (client >= 0 && recv(client, bytes, sizeof(bytes), MSG_DONTWAIT) == 0)
        step_disconnect();
}

/* --- the input ------------------------------------------------------------------------------- */

static void do_step(struct fuzz_input *in)
{
    switch ((enum step)(fuzz_byte(in) % NUM_STEPS)) {
    case AGREE:
        step_agree();
        break;
    case MESSAGE:
        step_message(in);
        break;
    case ACCESS:
        step_access(in);
        break;
    case MAP:
        step_map(in);
        break;
    case SET_IRQS:
        step_set_irqs(in);
        break;
    case DMA_ANSWER:
        step_dma_answer(in);
        break;
    case RAW_BYTES:
        connect_client();
        step_raw_bytes(in);
        break;
    case DISCONNECT:
    case NUM_STEPS:
        step_disconnect();
    }
}

/* Whatever has happened, whoever comes next is served. */
static void check_that_it_serves(struct trestle_bridge *bridge)
{
    uint8_t bytes[VFIO_HEADER_SIZE];
    ssize_t n = -1;
    step_disconnect();
    for (unsigned i = 0; i < 20 && trestle_bridge_num_connected(bridge) > 0; i++)
        FUZZ_REQUIRE(trestle_bridge_poll(bridge, 0) == 0);
    FUZZ_REQUIRE(trestle_bridge_num_connected(bridge) == 0);
    step_agree();
    for (unsigned i = 0; i < 20 && n < 0; i++) {
        FUZZ_REQUIRE(trestle_bridge_poll(bridge, 0) == 0);
        n = recv(client, bytes, sizeof(bytes), MSG_DONTWAIT);
    }
    FUZZ_REQUIRE(n == sizeof(bytes) && vfio_get_header(bytes).flags == VFIO_TYPE_REPLY);
    step_disconnect();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {.next = data, .end = data + size};
    if (!listener)
        open_listener();
    int free_descriptor = fuzz_free_descriptor();
    struct trestle_bridge *bridge = open_bridge(fuzz_byte(&in));
    last_id = 0;
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++) {
        do_step(&in);
        FUZZ_REQUIRE(trestle_bridge_poll(bridge, 0) == 0);
        take();
    }
    check_that_it_serves(bridge);
    trestle_bridge_destroy(bridge);
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_descriptor);
    return 0;
}
