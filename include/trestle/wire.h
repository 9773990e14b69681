/* SPDX-License-Identifier: MIT */
/*
 * trestle/wire.h: the bytes on a device's socket. Pure functions over byte buffers.
 *
 * Version 1 is the older QEMU-SST protocol, byte for byte: little-endian, packed, one request
 * in flight per socket, reads and writes both answered. docs/protocol.md is the normative text.
 */
#ifndef TRESTLE_WIRE_H
#define TRESTLE_WIRE_H

#include "trestle/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRESTLE_V1_REQUEST_SIZE 20
#define TRESTLE_V1_RESPONSE_SIZE 16

#define TRESTLE_V1_READ 0
#define TRESTLE_V1_WRITE 1

struct trestle_v1_request {
    uint8_t type;  /* TRESTLE_V1_READ, TRESTLE_V1_WRITE */
    uint8_t size;  /* bytes: 1, 2, 4, 8 */
    uint64_t addr; /* guest-physical: base of the device plus offset */
    uint64_t data; /* little-endian value; 0 for a read */
};

struct trestle_v1_response {
    bool success;
    uint64_t data;
};

TRESTLE_API void trestle_v1_encode_request(uint8_t buf[TRESTLE_V1_REQUEST_SIZE],
                                           const struct trestle_v1_request *request);
/* Always fills *ret_request. -EINVAL: type or size is not one of the above; the frame is whole
 * all the same and is answered with success = 0. The reserved field is ignored: older clients
 * send padding there. */
TRESTLE_API TRESTLE_CHECK int trestle_v1_decode_request(const uint8_t buf[TRESTLE_V1_REQUEST_SIZE],
                                                        struct trestle_v1_request *ret_request);
TRESTLE_API void trestle_v1_encode_response(uint8_t buf[TRESTLE_V1_RESPONSE_SIZE],
                                            const struct trestle_v1_response *response);
/* -EINVAL: success is neither 0 nor 1. Reserved bytes are ignored. */
TRESTLE_API TRESTLE_CHECK int
trestle_v1_decode_response(const uint8_t buf[TRESTLE_V1_RESPONSE_SIZE],
                           struct trestle_v1_response *ret_response);

#ifdef __cplusplus
}
#endif
#endif
