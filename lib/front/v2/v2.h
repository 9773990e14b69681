/* SPDX-License-Identifier: MIT */
/* Protocol 2: a handshake, then messages of 64 bytes, on sockets or in shared memory. */
#ifndef TRESTLE_FRONT_V2_H
#define TRESTLE_FRONT_V2_H

#include "front/protocol.h"

struct v2_session;

extern const struct protocol v2_protocol;

/* The engine has changed without a request: the client hears when to look after it, if that is
 * another time than it knows. */
void v2_tell_unasked(struct v2_session *session);

#endif
