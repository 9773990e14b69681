/* SPDX-License-Identifier: MIT */
/* Protocol 2: a handshake, then messages of 64 bytes, on sockets or in shared memory. */
#ifndef TRESTLE_FRONT_V2_H
#define TRESTLE_FRONT_V2_H

#include "front/protocol.h"

extern const struct protocol v2_protocol;

#endif
