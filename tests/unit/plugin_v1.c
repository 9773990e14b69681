/* SPDX-License-Identifier: MIT */
/* Protocol 1 as the plugin speaks it, with a server and a clock that are this test's, and how a
 * device that is lost comes back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fuzz/clock.h"
#include "check.h"
#include "notes.h"
#include "plugin/device/device.h"
#include "plugin/device/recovery.h"
#include "plugin/qemu/say.h"
#include "trestle/wire.h"

int __wrap_ipc_connect(const char *path, int *ret_fd);

static struct sst_device dev;
static struct ipc_crowd crowd;
static int server = -1;
static bool is_absent, is_mute, closes;
static struct trestle_v1_response response;
static const char *nonsense;

void device_init_wait(const struct sst_device *of, struct ipc_wait *wait)
{
    ipc_wait_init(wait, (enum trestle_wait)of->wait, &crowd);
}

void refuse(const char *format, ...)
{
    fail_msg("%s", format);
    abort();
}

/* --- the server ------------------------------------------------------------------------------ */

static void hang_up(void)
{
    if (server >= 0)
        close(server);
    server = -1;
}

int __wrap_ipc_connect(const char *path, int *ret_fd)
{
    int pair[2];
    note("connect %s\n", path);
    if (is_absent)
        return -ECONNREFUSED;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    hang_up();
    server = pair[0];
    *ret_fd = pair[1];
    return 0;
}

static void answer(void)
{
    uint8_t frame[TRESTLE_V1_RESPONSE_SIZE];
    trestle_v1_encode_response(frame, &response);
    assert_int_equal(send(server, nonsense ? (const void *)nonsense : frame, sizeof(frame), 0),
                     sizeof(frame));
}

static void serve(void)
{
    uint8_t frame[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request;
    if (server < 0 || recv(server, frame, sizeof(frame), MSG_DONTWAIT) != sizeof(frame))
        return;
    assert_int_equal(trestle_v1_decode_request(frame, &request), 0);
    note("%s/%u 0x%x 0x%x\n", request.type == TRESTLE_V1_WRITE ? "write" : "read", request.size,
         (unsigned)request.addr, (unsigned)request.data);
    if (closes)
        hang_up();
    else if (!is_mute)
        answer();
}

/* The host's time goes on. */
static void pass(int ms)
{
    int fuzz_poll(void *fds, unsigned long count, int timeout_ms);
    fuzz_meanwhile = NULL;
    fuzz_poll(NULL, 0, ms);
    fuzz_meanwhile = serve;
}

/* --- the guest ------------------------------------------------------------------------------- */

static int access_at(uint64_t offset, bool is_write, uint64_t data, uint64_t *ret_data)
{
    struct transport_access access = {
        .offset = offset, .data = data, .size = 4, .is_write = is_write};
    uint64_t unused;
    return transport_v1.perform(&dev, &access, ret_data ? ret_data : &unused);
}

static int read_now(void)
{
    return access_at(4, false, 0, NULL);
}

static int set_up_absent(void **state)
{
    (void)state;
    dev = (struct sst_device){
        .number = 1, .socket = (char *)"s", .base = 0x10200000, .size = 0x1000, .timeout_ms = 50};
    is_absent = is_mute = closes = false;
    nonsense = NULL;
    response = (struct trestle_v1_response){.success = 1, .data = 0x77};
    (void)notes_take();
    fuzz_meanwhile = serve;
    return 0;
}

static int set_up(void **state)
{
    set_up_absent(state);
    transport_v1.open(&dev);
    (void)notes_take();
    return 0;
}

/* A connection that has failed is closed with the next try, for which nobody is there. */
static int tear_down(void **state)
{
    (void)state;
    is_absent = true;
    hang_up();
    for (unsigned i = 0; i < 3; i++) {
        pass(100000);
        (void)read_now();
    }
    free(dev.connection);
    return 0;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_accesses(void **state)
{
    uint64_t data = 0;
    (void)state;
    assert_int_equal(access_at(0x10, false, 0, &data), 0);
    assert_int_equal(data, 0x77);
    assert_int_equal(access_at(0x20, true, 0xabcd, NULL), 0);
    response.success = 0;
    assert_int_equal(access_at(0x30, true, 1, NULL), -EIO);
    check_log("read/4 0x10200010 0x0\nwrite/4 0x10200020 0xabcd\nwrite/4 0x10200030 0x1\n");
}

static void test_nobody_listens(void **state)
{
    (void)state;
    is_absent = true;
    transport_v1.open(&dev);
    check_log("connect s\n1: nobody listens at s (Connection refused); its accesses fail until "
              "somebody does\n");
    assert_int_equal(read_now(), -ENOTCONN); /* at once */
    check_log("");
    pass(10);
    assert_int_equal(read_now(), -ECONNREFUSED);
    check_log("connect s\n");
    pass(15); /* it waits for longer each time */
    assert_int_equal(read_now(), -ENOTCONN);
    pass(6);
    is_absent = false;
    assert_int_equal(read_now(), 0);
    check_log("connect s\nread/4 0x10200004 0x0\n1: answers again\n");
    assert_int_equal(read_now(), 0);
    check_log("read/4 0x10200004 0x0\n");
}

/* As often as once in a second. */
static void test_the_longest_waits(void **state)
{
    (void)state;
    is_absent = true;
    transport_v1.open(&dev);
    for (unsigned i = 0; i < 10; i++) {
        pass(1001);
        assert_int_equal(read_now(), -ECONNREFUSED);
    }
    pass(990);
    assert_int_equal(read_now(), -ENOTCONN);
    pass(20);
    assert_int_equal(read_now(), -ECONNREFUSED);
}

static void test_no_answer_in_time(void **state)
{
    (void)state;
    is_mute = true;
    assert_int_equal(read_now(), -ETIMEDOUT);
    check_log("read/4 0x10200004 0x0\n"
              "1: no answer within 50 ms (s); its accesses fail until it is back\n");
    pass(40);
    assert_int_equal(read_now(), -ETIMEDOUT); /* at once */
    check_log("");
    /* The late answer is a sign of life, and nobody's any more. */
    answer();
    is_mute = false;
    response.data = 0x88;
    uint64_t data;
    assert_int_equal(access_at(8, false, 0, &data), 0);
    assert_int_equal(data, 0x88);
    check_log("connect s\nread/4 0x10200008 0x0\n1: answers again\n");
}

static void test_no_answer_at_all(void **state)
{
    (void)state;
    is_mute = true;
    assert_int_equal(read_now(), -ETIMEDOUT);
    pass(60);
    assert_int_equal(read_now(), -ETIMEDOUT); /* over a new connection */
    assert_non_null(strstr(notes(), "connect s\n"));
    pass(60); /* twice as long, now */
    (void)notes_take();
    assert_int_equal(read_now(), -ETIMEDOUT);
    check_log("");
    pass(50);
    is_mute = false;
    assert_int_equal(read_now(), 0);
    check_log("connect s\nread/4 0x10200004 0x0\n1: answers again\n");
    is_mute = true; /* and from the beginning */
    assert_int_equal(read_now(), -ETIMEDOUT);
    pass(60);
    is_mute = false;
    assert_int_equal(read_now(), 0);
}

static void test_no_limit(void **state)
{
    (void)state;
    dev.timeout_ms = 0;
    assert_int_equal(read_now(), 0);
    check_log("read/4 0x10200004 0x0\n");
}

/* A server that was restarted meanwhile gets the request: nobody has had it. */
static void test_a_new_server(void **state)
{
    (void)state;
    hang_up();
    assert_int_equal(read_now(), 0);
    check_log("1: the connection was closed (s); its accesses fail until it is back\nconnect s\n"
              "read/4 0x10200004 0x0\n1: answers again\n");
    hang_up();
    is_absent = true;
    assert_int_equal(read_now(), -ECONNREFUSED);
    check_log("1: the connection was closed (s); its accesses fail until it is back\nconnect s\n");
}

/* In the middle of an access it may have had its effect. */
static void test_a_server_that_ends(void **state)
{
    (void)state;
    closes = true;
    assert_int_equal(read_now(), -ECONNRESET);
    check_log("read/4 0x10200004 0x0\n"
              "1: the connection was closed (s); its accesses fail until it is back\n");
    closes = false;
    assert_int_equal(read_now(), -ENOTCONN);
    pass(10);
    assert_int_equal(read_now(), 0);
    check_log("connect s\nread/4 0x10200004 0x0\n1: answers again\n");
}

static void test_nonsense(void **state)
{
    (void)state;
    nonsense = "sixteen bytes...";
    response.data = 0;
    assert_int_equal(read_now(), -EPROTO);
    check_log(
        "read/4 0x10200004 0x0\n"
        "1: an answer that the protocol does not have; connection closed (s); its accesses fail "
        "until it is back\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define ABSENT(f) cmocka_unit_test_setup_teardown(f, set_up_absent, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_accesses),          ABSENT(test_nobody_listens),   ABSENT(test_the_longest_waits),
        TEST(test_no_answer_in_time), TEST(test_no_answer_at_all),   TEST(test_no_limit),
        TEST(test_a_new_server),      TEST(test_a_server_that_ends), TEST(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
