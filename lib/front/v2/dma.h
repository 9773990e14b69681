/* SPDX-License-Identifier: MIT */
/* Transfers between models and guest memory. */
#ifndef TRESTLE_FRONT_V2_DMA_H
#define TRESTLE_FRONT_V2_DMA_H

#include "front/v2/session.h"

/* Copies between the guest's memory and buf. Errors as struct protocol has them. */
int v2_move(struct v2_client *client, bool write, uint64_t addr, uint8_t *buf, size_t size);

#endif
