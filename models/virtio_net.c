/* SPDX-License-Identifier: MIT */
/*
 * virtio-net: a network card, as virtio's device 1 with one pair of queues.
 *
 * A frame that the driver sends goes to the peer of port "wire", as one message, and to the host:
 * there after its length, 4 bytes, the highest first, as with QEMU's -netdev stream and passt.
 * Frames come from both sides in the same way. If the driver has no buffer, a frame from the wire
 * is lost, as on any card, and a frame from the host waits. Frames take no time here: links have
 * latency and bandwidth.
 *
 * Parameters: mac (02:00 and a hash of its name), mtu (1500).
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "trestle/le.h"
#include "trestle/virtio.h"

#define HEADER_SIZE 12u /* of virtio's, before each frame */
#define LENGTH_SIZE 4u  /* of the host's */
#define FRAME_MAX TRESTLE_MESSAGE_MAX
#define MAC_SIZE 6u
#define MTU_MIN 68u
#define MTU_MAX 65500u

#define FEATURE_MTU (UINT64_C(1) << 3)
#define FEATURE_MAC (UINT64_C(1) << 5)
#define CONFIG_MAC 0u
#define CONFIG_MTU 10u

enum { RECEIVE, TRANSMIT, QUEUES };
enum { WIRE };

struct net {
    struct trestle_virtio *virtio;
    struct trestle_virtio_chain buffer; /* of RECEIVE: the next to be filled */
    bool has_buffer;
    uint8_t sent[LENGTH_SIZE + FRAME_MAX];
    /* What has come from the host and is not the driver's yet. A reset of the guest does not touch
     * it: the sender does not know of the reset. */
    uint8_t heard[LENGTH_SIZE + FRAME_MAX + TRESTLE_INPUT_MAX];
    size_t num_heard;
};

static void put_length(uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < LENGTH_SIZE; i++)
        bytes[i] = (uint8_t)(length >> (24 - 8 * i));
}

static size_t get_length(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* --- from the driver ------------------------------------------------------------------------- */

/* False: the device needs a reset. */
static bool send(struct trestle_device *dev, const struct trestle_virtio_chain *chain)
{
    struct net *net = trestle_device_state(dev);
    if (chain->out_bytes < HEADER_SIZE || chain->out_bytes - HEADER_SIZE > FRAME_MAX) {
        trestle_virtio_refuse(dev, "the driver sends %llu bytes, with a header of %u",
                              (unsigned long long)chain->out_bytes, HEADER_SIZE);
        return false;
    }
    size_t size = (size_t)chain->out_bytes - HEADER_SIZE;
    if (size == 0)
        return true;
    if (trestle_virtio_read(dev, chain, HEADER_SIZE, net->sent + LENGTH_SIZE, size) < 0)
        return false;
    put_length(net->sent, size);
    /* Whoever is not there, or takes no more, misses it. */
    (void)!trestle_device_send(dev, WIRE, net->sent + LENGTH_SIZE, size);
    (void)trestle_device_output(dev, net->sent, LENGTH_SIZE + size);
    return true;
}

static void transmit(struct trestle_device *dev)
{
    struct trestle_virtio_chain chain;
    for (unsigned i = 0; i < TRESTLE_VIRTIO_QUEUE_SIZE; i++) {
        if (trestle_virtio_pop(dev, TRANSMIT, &chain) <= 0 || !send(dev, &chain))
            break;
        trestle_virtio_push(dev, TRANSMIT, &chain, 0);
    }
    trestle_virtio_signal(dev, TRANSMIT);
}

/* --- to the driver --------------------------------------------------------------------------- */

static bool find_buffer(struct trestle_device *dev)
{
    struct net *net = trestle_device_state(dev);
    if (!net->has_buffer)
        net->has_buffer = trestle_virtio_pop(dev, RECEIVE, &net->buffer) > 0;
    if (net->has_buffer && net->buffer.in_bytes < HEADER_SIZE) {
        trestle_virtio_refuse(dev, "a buffer for frames has no room for a header");
        net->has_buffer = false;
    }
    return net->has_buffer;
}

/* Into the buffer that there is; one that is too small waits for a smaller frame. */
static void deliver(struct trestle_device *dev, const uint8_t *frame, size_t size)
{
    static const uint8_t header[HEADER_SIZE] = {[10] = 1}; /* one buffer */
    struct net *net = trestle_device_state(dev);
    if (net->buffer.in_bytes < HEADER_SIZE + size) {
        trestle_device_log(dev, TRESTLE_LOG_DEBUG,
                           "lost a frame of %zu bytes: the driver's buffer has %llu", size,
                           (unsigned long long)net->buffer.in_bytes);
        return;
    }
    net->has_buffer = false;
    if (trestle_virtio_write(dev, &net->buffer, 0, header, sizeof(header)) < 0 ||
        trestle_virtio_write(dev, &net->buffer, HEADER_SIZE, frame, size) < 0)
        return;
    trestle_virtio_push(dev, RECEIVE, &net->buffer, (uint32_t)(HEADER_SIZE + size));
    trestle_virtio_signal(dev, RECEIVE);
}

static void net_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    (void)port;
    if (find_buffer(dev))
        deliver(dev, data, size);
    else
        trestle_device_log(dev, TRESTLE_LOG_DEBUG,
                           "lost a frame of %zu bytes: the driver has no buffer", size);
}

/* The first of what the host has said, with its length; 0: it is not whole. Without a length that
 * can be, nobody knows where the next one begins: what has come is forgotten. */
static size_t first_frame(struct trestle_device *dev)
{
    struct net *net = trestle_device_state(dev);
    if (net->num_heard < LENGTH_SIZE)
        return 0;
    size_t length = get_length(net->heard);
    if (length == 0 || length > FRAME_MAX) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "the host sends no frames: the length of one would be %zu", length);
        net->num_heard = 0;
        return 0;
    }
    return net->num_heard < LENGTH_SIZE + length ? 0 : LENGTH_SIZE + length;
}

static void take_frames(struct trestle_device *dev)
{
    struct net *net = trestle_device_state(dev);
    size_t size;
    while ((size = first_frame(dev)) > 0 && find_buffer(dev)) {
        deliver(dev, net->heard + LENGTH_SIZE, size - LENGTH_SIZE);
        net->num_heard -= size;
        memmove(net->heard, net->heard + size, net->num_heard);
    }
    trestle_device_accept_input(dev, size > 0 ? 0 : TRESTLE_INPUT_MAX);
}

static void net_input(struct trestle_device *dev, const void *data, size_t size)
{
    struct net *net = trestle_device_state(dev);
    memcpy(net->heard + net->num_heard, data, size);
    net->num_heard += size;
    take_frames(dev);
}

/* --- the life of a device -------------------------------------------------------------------- */

static void net_notify(struct trestle_device *dev, uint32_t queue)
{
    if (queue == TRANSMIT)
        transmit(dev);
    else
        take_frames(dev);
}

static void net_reset(struct trestle_device *dev)
{
    struct net *net = trestle_device_state(dev);
    net->has_buffer = false;
}

static const struct trestle_virtio_kind kind = {
    .size = sizeof(kind), .id = 1, .num_queues = QUEUES, .notify = net_notify, .reset = net_reset};

/* One for which a card can be meant: the lowest bit of the first byte says that many are. */
static bool parse_mac(const char *text, uint8_t *ret_mac)
{
    static const uint8_t nobody[MAC_SIZE];
    for (unsigned i = 0; i < MAC_SIZE; i++, text += 3) {
        char end = i == MAC_SIZE - 1 ? '\0' : ':';
        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
            text[2] != end)
            return false;
        ret_mac[i] = (uint8_t)strtoul(text, NULL, 16);
    }
    return !(ret_mac[0] & 1) && memcmp(ret_mac, nobody, MAC_SIZE) != 0;
}

/* FNV-1a */
static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261u;
    for (; *text; text++)
        value = (value ^ (uint8_t)*text) * 16777619u;
    return value;
}

static int net_init(struct trestle_device *dev, const struct trestle_params *params)
{
    uint8_t mac[MAC_SIZE] = {2, 0};
    trestle_put_le32(mac + 2, hash(trestle_device_name(dev)));
    uint64_t mtu = 0;
    const char *text = NULL;
    int r = trestle_params_u64(params, "mtu", 1500, &mtu);
    if (r == 0 && (mtu < MTU_MIN || mtu > MTU_MAX))
        r = trestle_params_refuse(params, "mtu", "a number from 68 to 65500");
    if (r == 0)
        r = trestle_params_string(params, "mac", NULL, &text);
    if (r == 0 && text && !parse_mac(text, mac))
        r = trestle_params_refuse(params, "mac", "an address such as 52:54:00:12:34:56");
    if (r == 0)
        r = trestle_virtio_create(dev, &kind, FEATURE_MAC | FEATURE_MTU);
    if (r < 0)
        return r;
    uint8_t *config = trestle_virtio_config(dev);
    memcpy(config + CONFIG_MAC, mac, sizeof(mac));
    trestle_put_le16(config + CONFIG_MTU, (uint16_t)mtu);
    return 0;
}

const struct trestle_model trestle_virtio_net_model = {
    .size = sizeof(trestle_virtio_net_model),
    .name = "virtio-net",
    .doc = "A network card, by virtio.",
    TRESTLE_VIRTIO_MODEL(QUEUES),
    .pci = TRESTLE_VIRTIO_PCI(1, 0x020000),
    .ports = TRESTLE_NAMES("wire"),
    .has_output = true,
    .has_frames = true,
    .input = net_input,
    .message = net_message,
    .state_size = sizeof(struct net),
    .init = net_init,
    .reset = trestle_virtio_reset,
    .fini = trestle_virtio_fini,
};
