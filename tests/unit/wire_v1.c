/* SPDX-License-Identifier: MIT */
/* The codec of wire version 1 against bytes written out by hand. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "trestle/wire.h"

static const uint8_t WRITE_BYTES[TRESTLE_V1_REQUEST_SIZE] = {
    0x01, 0x04, 0x00, 0x00, 0x00, 0x00, 0x20, 0x10, 0x00, 0x00,
    0x00, 0x00, 0xbe, 0xba, 0xfe, 0xca, 0x00, 0x00, 0x00, 0x00};

static void test_request_bytes(void **state)
{
    (void)state;
    struct trestle_v1_request request = {TRESTLE_V1_WRITE, 4, 0x10200000, 0xcafebabe}, back;
    uint8_t buf[TRESTLE_V1_REQUEST_SIZE];
    memset(buf, 0xff, sizeof(buf));
    trestle_v1_encode_request(buf, &request);
    assert_memory_equal(buf, WRITE_BYTES, sizeof(buf));
    assert_int_equal(trestle_v1_decode_request(buf, &back), 0);
    assert_int_equal(back.type, TRESTLE_V1_WRITE);
    assert_int_equal(back.size, 4);
    assert_int_equal(back.addr, 0x10200000);
    assert_int_equal(back.data, 0xcafebabe);
}

static void test_request_refused(void **state)
{
    (void)state;
    struct trestle_v1_request back;
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned size = 0; size < 256; size++) {
            uint8_t buf[TRESTLE_V1_REQUEST_SIZE];
            memcpy(buf, WRITE_BYTES, sizeof(buf));
            buf[0] = (uint8_t)type;
            buf[1] = (uint8_t)size;
            bool good = type <= 1 && (size == 1 || size == 2 || size == 4 || size == 8);
            assert_int_equal(trestle_v1_decode_request(buf, &back), good ? 0 : -EINVAL);
            assert_int_equal(back.addr, 0x10200000); /* filled all the same */
        }
    }
}

static void test_request_reserved_is_ignored(void **state)
{
    (void)state;
    uint8_t buf[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request back;
    memcpy(buf, WRITE_BYTES, sizeof(buf));
    buf[2] = buf[3] = 0xa5;
    assert_int_equal(trestle_v1_decode_request(buf, &back), 0);
}

static void test_response_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[TRESTLE_V1_RESPONSE_SIZE] = {
        1, 0, 0, 0, 0, 0, 0, 0, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};
    struct trestle_v1_response response = {true, 0x0123456789abcdef}, back = {0};
    uint8_t buf[TRESTLE_V1_RESPONSE_SIZE];
    memset(buf, 0xff, sizeof(buf));
    trestle_v1_encode_response(buf, &response);
    assert_memory_equal(buf, expected, sizeof(buf));
    assert_int_equal(trestle_v1_decode_response(buf, &back), 0);
    assert_true(back.success);
    assert_int_equal(back.data, 0x0123456789abcdef);
    buf[0] = 2;
    assert_int_equal(trestle_v1_decode_response(buf, &back), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_bytes),
        cmocka_unit_test(test_request_refused),
        cmocka_unit_test(test_request_reserved_is_ignored),
        cmocka_unit_test(test_response_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
