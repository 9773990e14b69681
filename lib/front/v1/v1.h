/* SPDX-License-Identifier: MIT */
/* Protocol 1: 20-byte requests, 16-byte responses, one at a time, on the host's clock. */
#ifndef TRESTLE_FRONT_V1_H
#define TRESTLE_FRONT_V1_H

#include "front/protocol.h"

/* Takes every connection that no other protocol takes. */
extern const struct protocol v1_protocol;

#endif
