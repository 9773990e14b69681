/* SPDX-License-Identifier: MIT */
/* Wire version 1. Request: u8 type, u8 size, u16 reserved, u64 addr, u64 data.
 * Response: u8 success, u8 reserved[7], u64 data. Little-endian throughout. */
#include <errno.h>
#include <string.h>

#include "base/le.h"
#include "trestle/wire.h"

static bool size_is_valid(uint8_t size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

void trestle_v1_encode_request(uint8_t buf[TRESTLE_V1_REQUEST_SIZE],
                               const struct trestle_v1_request *request)
{
    buf[0] = request->type;
    buf[1] = request->size;
    buf[2] = buf[3] = 0;
    put_le64(buf + 4, request->addr);
    put_le64(buf + 12, request->data);
}

int trestle_v1_decode_request(const uint8_t buf[TRESTLE_V1_REQUEST_SIZE],
                              struct trestle_v1_request *ret_request)
{
    *ret_request = (struct trestle_v1_request){
        .type = buf[0], .size = buf[1], .addr = get_le64(buf + 4), .data = get_le64(buf + 12)};
    return ret_request->type <= TRESTLE_V1_WRITE && size_is_valid(ret_request->size) ? 0 : -EINVAL;
}

void trestle_v1_encode_response(uint8_t buf[TRESTLE_V1_RESPONSE_SIZE],
                                const struct trestle_v1_response *response)
{
    memset(buf, 0, 8);
    buf[0] = response->success;
    put_le64(buf + 8, response->data);
}

int trestle_v1_decode_response(const uint8_t buf[TRESTLE_V1_RESPONSE_SIZE],
                               struct trestle_v1_response *ret_response)
{
    if (buf[0] > 1)
        return -EINVAL;
    *ret_response = (struct trestle_v1_response){.success = buf[0], .data = get_le64(buf + 8)};
    return 0;
}
