/* SPDX-License-Identifier: MIT */
/* The messages that come in, on sockets and in the ring. */
#ifndef TRESTLE_FRONT_V2_MESSAGE_H
#define TRESTLE_FRONT_V2_MESSAGE_H

#include "front/v2/session.h"

/* Handles a message of the client's connection. */
void v2_handle_message(struct v2_client *client, const uint8_t *frame);
/* Handles the next message of the client's stash. False: there is none. */
bool v2_handle_stashed(struct v2_client *client);

/* Makes the rings and has what comes in them served; without shared memory the session goes on
 * without the feature. */
void v2_open_ring(struct v2_session *session);
/* Handles what is left in the ring when a client has gone. May end the session. */
void v2_drain(struct v2_session *session);

#endif
