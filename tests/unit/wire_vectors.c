/* SPDX-License-Identifier: MIT */
/* Both codecs, both ways, against the golden bytes of tests/vectors/protocol.txt. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "trestle/wire.h"

#define MAX_FIELDS 16

struct record {
    char kind[32];
    struct {
        char key[16], value[40];
    } fields[MAX_FIELDS];
    size_t num_fields, num_bytes;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
};

static uint64_t field(const struct record *record, const char *key)
{
    for (size_t i = 0; i < record->num_fields; i++)
        if (strcmp(record->fields[i].key, key) == 0)
            return strtoull(record->fields[i].value, NULL, 0);
    fail_msg("a %s without %s", record->kind, key);
    return 0;
}

static void id_field(const struct record *record, const char *key, uint8_t *ret_id)
{
    for (size_t i = 0; i < record->num_fields; i++) {
        if (strcmp(record->fields[i].key, key) != 0)
            continue;
        for (size_t j = 0; j < TRESTLE_V2_ID_SIZE; j++)
            assert_int_equal(sscanf(record->fields[i].value + 2 * j, "%2hhx", &ret_id[j]), 1);
        return;
    }
    fail_msg("a %s without %s", record->kind, key);
}

static void parse_head(struct record *record, const char *line)
{
    int used;
    *record = (struct record){0};
    assert_int_equal(sscanf(line, "%31s%n", record->kind, &used), 1);
    for (line += used; record->num_fields < MAX_FIELDS; line += used, record->num_fields++)
        if (sscanf(line, " %15[a-z_]=%39s%n", record->fields[record->num_fields].key,
                   record->fields[record->num_fields].value, &used) != 2)
            break;
}

static void parse_bytes(struct record *record, const char *line)
{
    unsigned byte;
    int used;
    for (; sscanf(line, " %2x%n", &byte, &used) == 1; line += used) {
        assert_cmp(record->num_bytes, <, sizeof(record->bytes));
        record->bytes[record->num_bytes++] = (uint8_t)byte;
    }
}

static void check_v1_request(const struct record *record)
{
    struct trestle_v1_request back = {0}, request = {(uint8_t)field(record, "type"),
                                                     (uint8_t)field(record, "size"),
                                                     field(record, "addr"), field(record, "data")};
    uint8_t buf[TRESTLE_V1_REQUEST_SIZE];
    assert_int_equal(record->num_bytes, sizeof(buf));
    trestle_v1_encode_request(buf, &request);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
    assert_int_equal(trestle_v1_decode_request(record->bytes, &back), 0);
    assert_int_equal(back.type, request.type);
    assert_int_equal(back.size, request.size);
    assert_int_equal(back.addr, request.addr);
    assert_int_equal(back.data, request.data);
}

static void check_v1_response(const struct record *record)
{
    struct trestle_v1_response back = {0},
                               response = {field(record, "success") != 0, field(record, "data")};
    uint8_t buf[TRESTLE_V1_RESPONSE_SIZE];
    assert_int_equal(record->num_bytes, sizeof(buf));
    trestle_v1_encode_response(buf, &response);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
    assert_int_equal(trestle_v1_decode_response(record->bytes, &back), 0);
    assert_int_equal(back.success, response.success);
    assert_int_equal(back.data, response.data);
}

static void check_v2_hello(const struct record *record)
{
    struct trestle_v2_hello back = {0},
                            hello = {.version_min = (uint16_t)field(record, "version_min"),
                                     .version_max = (uint16_t)field(record, "version_max"),
                                     .features = (uint32_t)field(record, "features"),
                                     .base_addr = field(record, "base_addr"),
                                     .size = field(record, "size"),
                                     .irq_lines = (uint32_t)field(record, "irq_lines"),
                                     .more_regions = (uint32_t)field(record, "more_regions"),
                                     .time = field(record, "time")};
    uint8_t buf[TRESTLE_V2_MESSAGE_SIZE];
    id_field(record, "client_id", hello.client_id);
    trestle_v2_encode_hello(buf, &hello);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
    assert_true(trestle_v2_is_hello(record->bytes));
    assert_int_equal(trestle_v2_decode_hello(record->bytes, &back), 0);
    trestle_v2_encode_hello(buf, &back);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
}

static void check_v2_welcome(const struct record *record)
{
    struct trestle_v2_welcome back = {0},
                              welcome = {.version = (uint16_t)field(record, "version"),
                                         .status = (uint8_t)field(record, "status"),
                                         .features = (uint32_t)field(record, "features"),
                                         .device = (uint32_t)field(record, "device"),
                                         .irq_lines = (uint32_t)field(record, "irq_lines"),
                                         .size = field(record, "size"),
                                         .time = field(record, "time"),
                                         .next = field(record, "next")};
    uint8_t buf[TRESTLE_V2_MESSAGE_SIZE];
    id_field(record, "session_id", welcome.session_id);
    trestle_v2_encode_welcome(buf, &welcome);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
    assert_int_equal(trestle_v2_decode_welcome(record->bytes, &back), 0);
    trestle_v2_encode_welcome(buf, &back);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
}

static void check_v2_message(const struct record *record)
{
    struct trestle_v2_message back = {0}, message = {.seq = field(record, "seq"),
                                                     .type = (uint8_t)field(record, "type"),
                                                     .flags = (uint8_t)field(record, "flags"),
                                                     .size = (uint8_t)field(record, "size"),
                                                     .status = (uint8_t)field(record, "status"),
                                                     .device = (uint32_t)field(record, "device"),
                                                     .id = field(record, "id"),
                                                     .addr = field(record, "addr"),
                                                     .data = field(record, "data"),
                                                     .time = field(record, "time"),
                                                     .next = field(record, "next"),
                                                     .extra = field(record, "extra")};
    uint8_t buf[TRESTLE_V2_MESSAGE_SIZE];
    bool is_event = message.type & 0x80;
    trestle_v2_encode(buf, &message);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
    trestle_v2_decode(record->bytes, &back);
    assert_int_equal(trestle_v2_request_is_valid(&back), !is_event);
    assert_int_equal(trestle_v2_event_is_valid(&back), is_event);
    trestle_v2_encode(buf, &back);
    assert_memory_equal(buf, record->bytes, sizeof(buf));
}

static void check_record(const struct record *record)
{
    static const struct {
        const char *kind;
        void (*check)(const struct record *record);
    } checks[] = {{"v1-request", check_v1_request},
                  {"v1-response", check_v1_response},
                  {"v2-hello", check_v2_hello},
                  {"v2-welcome", check_v2_welcome},
                  {"v2-message", check_v2_message}};
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (strcmp(checks[i].kind, record->kind) == 0) {
            checks[i].check(record);
            return;
        }
    }
    fail_msg("unknown kind %s", record->kind);
}

static void test_vectors(void **state)
{
    (void)state;
    struct record record = {0};
    char line[512];
    unsigned records = 0;
    FILE *file = fopen(VECTORS, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (line[0] == '#')
            continue;
        if (line[0] == ' ') {
            parse_bytes(&record, line);
        } else if (line[0] == '\n' && record.kind[0]) {
            check_record(&record);
            record.kind[0] = '\0';
            records++;
        } else if (line[0] != '\n') {
            parse_head(&record, line);
        }
    }
    fclose(file);
    assert_int_equal(records, 30);
}

static void test_handshake_refusals(void **state)
{
    (void)state;
    uint8_t buf[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_hello hello = {.version_min = 3, .version_max = 2}, back = {0};
    struct trestle_v2_welcome welcome = {0};
    trestle_v2_encode_hello(buf, &hello);
    assert_int_equal(trestle_v2_decode_hello(buf, &back), -EINVAL);
    buf[7] = '3';
    assert_false(trestle_v2_is_hello(buf));
    assert_int_equal(trestle_v2_decode_hello(buf, &back), -EPROTO);
    assert_int_equal(trestle_v2_decode_welcome(buf, &welcome), -EPROTO);
}

static void test_message_refusals(void **state)
{
    (void)state;
    struct trestle_v2_message m = {.type = TRESTLE_V2_READ, .size = 3};
    assert_false(trestle_v2_request_is_valid(&m));
    m.size = 4;
    assert_true(trestle_v2_request_is_valid(&m));
    m.flags = TRESTLE_V2_FLAG_POSTED; /* a read cannot be posted */
    assert_false(trestle_v2_request_is_valid(&m));
    m.type = TRESTLE_V2_WRITE;
    assert_true(trestle_v2_request_is_valid(&m));
    m.flags = 2;
    assert_false(trestle_v2_request_is_valid(&m));
    m = (struct trestle_v2_message){.type = TRESTLE_V2_RAM, .addr = UINT64_MAX - 9, .data = 10};
    assert_true(trestle_v2_request_is_valid(&m));
    m.data = 11; /* beyond the last address */
    assert_false(trestle_v2_request_is_valid(&m));
    m.data = 0;
    assert_false(trestle_v2_request_is_valid(&m));
    m = (struct trestle_v2_message){.type = TRESTLE_V2_IRQ, .addr = 64};
    assert_false(trestle_v2_event_is_valid(&m));
    m.addr = 63;
    assert_true(trestle_v2_event_is_valid(&m));
    m.data = 2;
    assert_false(trestle_v2_event_is_valid(&m));
    m = (struct trestle_v2_message){.type = TRESTLE_V2_DMA_READ};
    assert_false(trestle_v2_event_is_valid(&m));
}

static void test_every_status_has_a_text(void **state)
{
    (void)state;
    for (unsigned status = 0; status <= TRESTLE_V2_NO_MEMORY; status++)
        assert_string_not_equal(trestle_v2_status_text(status), "unknown status");
    assert_string_equal(trestle_v2_status_text(200), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_handshake_refusals),
        cmocka_unit_test(test_message_refusals),
        cmocka_unit_test(test_every_status_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
