/* SPDX-License-Identifier: MIT */
/* Protocol 2 as a connection sees it. */
#include "front/v2/v2.h"

#include <errno.h>
#include <string.h>

#include "front/v2/dma.h"
#include "front/v2/handshake.h"
#include "front/v2/message.h"

static int recognises(const uint8_t *bytes, size_t size)
{
    size_t known = size < TRESTLE_V2_MAGIC_SIZE ? size : TRESTLE_V2_MAGIC_SIZE;
    if (memcmp(bytes, TRESTLE_V2_MAGIC, known) != 0)
        return -1;
    return known == TRESTLE_V2_MAGIC_SIZE;
}

static void frame(struct connection *connection, const uint8_t *bytes)
{
    if (connection->state)
        v2_handle_message(connection->state, bytes);
    else
        v2_handle_hello(connection, bytes);
}

static bool frame_aside(struct connection *connection)
{
    return connection->state && v2_handle_stashed(connection->state);
}

static void drain(struct connection *connection)
{
    struct v2_client *client = connection->state;
    if (client)
        v2_drain(client->session);
}

static void closed(struct connection *connection)
{
    struct v2_client *client = connection->state;
    connection->state = NULL;
    if (client)
        v2_session_leave(client);
}

static void irq(struct connection *connection, uint32_t line, bool level)
{
    if (connection->state)
        v2_send_irq(connection->state, line, level);
}

static int dma(struct connection *connection, bool write, uint64_t addr, uint8_t *buf, size_t size)
{
    return connection->state ? v2_move(connection->state, write, addr, buf, size) : -ENOTSUP;
}

const struct protocol v2_protocol = {.recognises = recognises,
                                     .frame_size = TRESTLE_V2_MESSAGE_SIZE,
                                     .frame = frame,
                                     .answer = v2_answer,
                                     .frame_aside = frame_aside,
                                     .drain = drain,
                                     .closed = closed,
                                     .irq = irq,
                                     .dma = dma};
