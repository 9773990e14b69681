/* SPDX-License-Identifier: MIT */
/* Wire version 2. The layouts are written down in docs/protocol.md; offsets here are theirs. */
#include "wire/v2.h"

#include <errno.h>
#include <string.h>

bool trestle_v2_is_hello(const uint8_t buf[TRESTLE_V2_MAGIC_SIZE])
{
    return memcmp(buf, TRESTLE_V2_MAGIC, TRESTLE_V2_MAGIC_SIZE) == 0;
}

void trestle_v2_encode_hello(uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                             const struct trestle_v2_hello *hello)
{
    memcpy(buf, TRESTLE_V2_MAGIC, TRESTLE_V2_MAGIC_SIZE);
    put_le16(buf + 8, hello->version_min);
    put_le16(buf + 10, hello->version_max);
    put_le32(buf + 12, hello->features);
    memcpy(buf + 16, hello->client_id, TRESTLE_V2_ID_SIZE);
    put_le64(buf + 32, hello->base_addr);
    put_le64(buf + 40, hello->size);
    put_le32(buf + 48, hello->irq_lines);
    put_le32(buf + 52, 0);
    put_le64(buf + 56, hello->time);
}

int trestle_v2_decode_hello(const uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                            struct trestle_v2_hello *ret_hello)
{
    struct trestle_v2_hello hello = {.version_min = get_le16(buf + 8),
                                     .version_max = get_le16(buf + 10),
                                     .features = get_le32(buf + 12),
                                     .base_addr = get_le64(buf + 32),
                                     .size = get_le64(buf + 40),
                                     .irq_lines = get_le32(buf + 48),
                                     .time = get_le64(buf + 56)};
    memcpy(hello.client_id, buf + 16, TRESTLE_V2_ID_SIZE);
    if (!trestle_v2_is_hello(buf))
        return -EPROTO;
    if (hello.version_min > hello.version_max)
        return -EINVAL;
    *ret_hello = hello;
    return 0;
}

void trestle_v2_encode_welcome(uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                               const struct trestle_v2_welcome *welcome)
{
    memcpy(buf, TRESTLE_V2_MAGIC, TRESTLE_V2_MAGIC_SIZE);
    put_le16(buf + 8, welcome->version);
    buf[10] = welcome->status;
    buf[11] = 0;
    put_le32(buf + 12, welcome->features);
    memcpy(buf + 16, welcome->session_id, TRESTLE_V2_ID_SIZE);
    put_le32(buf + 32, welcome->device);
    put_le32(buf + 36, welcome->irq_lines);
    put_le64(buf + 40, welcome->size);
    put_le64(buf + 48, welcome->time);
    put_le64(buf + 56, welcome->next);
}

int trestle_v2_decode_welcome(const uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                              struct trestle_v2_welcome *ret_welcome)
{
    if (!trestle_v2_is_hello(buf))
        return -EPROTO;
    *ret_welcome = (struct trestle_v2_welcome){.version = get_le16(buf + 8),
                                               .status = buf[10],
                                               .features = get_le32(buf + 12),
                                               .device = get_le32(buf + 32),
                                               .irq_lines = get_le32(buf + 36),
                                               .size = get_le64(buf + 40),
                                               .time = get_le64(buf + 48),
                                               .next = get_le64(buf + 56)};
    memcpy(ret_welcome->session_id, buf + 16, TRESTLE_V2_ID_SIZE);
    return 0;
}

void trestle_v2_encode(uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                       const struct trestle_v2_message *message)
{
    put_le64(buf, message->seq);
    v2_encode_body(buf, message);
}

void trestle_v2_decode(const uint8_t buf[TRESTLE_V2_MESSAGE_SIZE],
                       struct trestle_v2_message *ret_message)
{
    v2_decode(buf, ret_message);
}

int trestle_v2_check_request(const struct trestle_v2_message *message)
{
    return v2_request_is_valid(message) ? 0 : -EINVAL;
}

int trestle_v2_check_event(const struct trestle_v2_message *message)
{
    return v2_event_is_valid(message) ? 0 : -EINVAL;
}

const char *trestle_v2_status_text(unsigned status)
{
    static const char *const texts[] = {
        [TRESTLE_V2_OK] = "done",
        [TRESTLE_V2_MALFORMED] = "malformed request",
        [TRESTLE_V2_WIDTH] = "width or alignment that the device does not have",
        [TRESTLE_V2_RANGE] = "outside the device's registers",
        [TRESTLE_V2_REFUSED] = "refused by the model",
        [TRESTLE_V2_CANCELLED] = "cancelled by a reset",
        [TRESTLE_V2_NO_DEVICE] = "no such device in this session",
        [TRESTLE_V2_BAD_VERSION] = "no protocol version in common",
        [TRESTLE_V2_GEOMETRY] = "base address or size differ from the device's",
        [TRESTLE_V2_BUSY] = "another client has the device",
        [TRESTLE_V2_NOT_RAM] = "the addresses are not guest RAM",
        [TRESTLE_V2_NO_MEMORY] = "out of memory",
    };
    return status < sizeof(texts) / sizeof(texts[0]) ? texts[status] : "unknown status";
}
