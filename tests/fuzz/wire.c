/* SPDX-License-Identifier: MIT */
/* Both codecs: what decodes encodes to the same bytes, but for those that are reserved. */
#include "trestle/wire.h"

#include "fuzz.h"

static void check_v1(const uint8_t *bytes)
{
    uint8_t again[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request;
    struct trestle_v1_response response;
    int r = trestle_v1_decode_request(bytes, &request);
    trestle_v1_encode_request(again, &request);
    FUZZ_REQUIRE(again[0] == bytes[0] && again[1] == bytes[1]);
    FUZZ_REQUIRE(memcmp(again + 4, bytes + 4, TRESTLE_V1_REQUEST_SIZE - 4) == 0);
    FUZZ_REQUIRE((r == 0) == (bytes[0] <= 1 &&
                              (bytes[1] == 1 || bytes[1] == 2 || bytes[1] == 4 || bytes[1] == 8)));
    if (trestle_v1_decode_response(bytes, &response) < 0)
        return;
    trestle_v1_encode_response(again, &response);
    FUZZ_REQUIRE(again[0] == bytes[0] && memcmp(again + 8, bytes + 8, 8) == 0);
}

static void check_v2(const uint8_t *bytes)
{
    uint8_t again[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message message;
    struct trestle_v2_hello hello;
    struct trestle_v2_welcome welcome;
    trestle_v2_decode(bytes, &message);
    trestle_v2_encode(again, &message);
    FUZZ_REQUIRE(memcmp(again, bytes, sizeof(again)) == 0);
    /* No message goes both ways. */
    FUZZ_REQUIRE(!trestle_v2_request_is_valid(&message) || !trestle_v2_event_is_valid(&message));
    FUZZ_REQUIRE(trestle_v2_status_text(message.status)[0]);
    if (trestle_v2_decode_hello(bytes, &hello) == 0) {
        trestle_v2_encode_hello(again, &hello);
        FUZZ_REQUIRE(memcmp(again, bytes, 52) == 0 && memcmp(again + 56, bytes + 56, 8) == 0);
        FUZZ_REQUIRE(hello.version_min <= hello.version_max);
    }
    if (trestle_v2_decode_welcome(bytes, &welcome) == 0) {
        trestle_v2_encode_welcome(again, &welcome);
        FUZZ_REQUIRE(memcmp(again, bytes, 11) == 0 && memcmp(again + 12, bytes + 12, 52) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + TRESTLE_V1_REQUEST_SIZE <= size; at += TRESTLE_V1_REQUEST_SIZE)
        check_v1(data + at);
    for (size_t at = 0; at + TRESTLE_V2_MESSAGE_SIZE <= size; at += TRESTLE_V2_MESSAGE_SIZE)
        check_v2(data + at);
    return 0;
}
