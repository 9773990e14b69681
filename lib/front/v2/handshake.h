/* SPDX-License-Identifier: MIT */
/* How a connection joins a session, or makes one. */
#ifndef TRESTLE_FRONT_V2_HANDSHAKE_H
#define TRESTLE_FRONT_V2_HANDSHAKE_H

#include "front/connection.h"

/* The first frame. Afterwards the connection has a state, or is closed. */
void v2_handle_hello(struct connection *connection, const uint8_t *frame);

#endif
