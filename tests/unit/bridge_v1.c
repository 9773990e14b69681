/* SPDX-License-Identifier: MIT */
/* Raw version 1 frames, good and bad, against a live bridge. */
#include <fcntl.h>
#include <sys/resource.h>

#include "bridge/command.h"
#include "bridge_fixture.h"

static void send_request(int fd, uint8_t type, uint8_t size, uint64_t addr, uint64_t data)
{
    uint8_t bytes[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request = {type, size, addr, data};
    trestle_v1_encode_request(bytes, &request);
    client_send(fd, bytes, sizeof(bytes));
}

static struct trestle_v1_response receive(struct fixture *f, int fd)
{
    uint8_t bytes[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_response response;
    if (!client_receive(f, fd, bytes, sizeof(bytes)))
        fail_msg("the connection was closed; the log:\n%s", f->log);
    assert_int_equal(trestle_v1_decode_response(bytes, &response), 0);
    return response;
}

static void expect(struct fixture *f, int fd, bool success, uint64_t data)
{
    struct trestle_v1_response response = receive(f, fd);
    assert_int_equal(response.success, success);
    assert_int_equal(response.data, data);
}

static void write_value(struct fixture *f, int fd, uint64_t addr, uint64_t value)
{
    send_request(fd, TRESTLE_V1_WRITE, 8, addr, value);
    expect(f, fd, true, 0);
}

static void test_every_width(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0);
    write_value(f, fd, BASE, 0x1122334455667788);
    static const uint64_t expected[] = {0x88, 0x7788, 0, 0x55667788};
    for (uint8_t size = 1; size <= 4; size *= 2) {
        send_request(fd, TRESTLE_V1_READ, size, BASE, 0);
        expect(f, fd, true, expected[size - 1]);
    }
    send_request(fd, TRESTLE_V1_READ, 8, BASE, 0);
    expect(f, fd, true, 0x1122334455667788);
    /* The bytes above the width of a write are not the model's business. */
    send_request(fd, TRESTLE_V1_WRITE, 1, BASE, 0xffffffffffffffab);
    expect(f, fd, true, 0);
    send_request(fd, TRESTLE_V1_READ, 8, BASE, 0);
    expect(f, fd, true, 0xab);
    close(fd);
}

static void test_a_byte_at_a_time(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0);
    uint8_t bytes[TRESTLE_V1_REQUEST_SIZE];
    struct trestle_v1_request request = {TRESTLE_V1_READ, 4, BASE, 0};
    write_value(f, fd, BASE, 77);
    trestle_v1_encode_request(bytes, &request);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        uint8_t none;
        assert_int_equal(recv(fd, &none, 1, MSG_DONTWAIT), -1);
        client_send(fd, bytes + i, 1);
        turn(f);
    }
    expect(f, fd, true, 77);
    close(fd);
}

static void test_many_frames_in_one_write(void **state)
{
    enum { FRAMES = 300 }; /* more than the bridge buffers */
    struct fixture *f = *state;
    static uint8_t bytes[FRAMES * TRESTLE_V1_REQUEST_SIZE];
    int fd = client_connect(f, 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        struct trestle_v1_request request = {i % 2 ? TRESTLE_V1_READ : TRESTLE_V1_WRITE, 4, BASE,
                                             i % 2 ? 0 : i};
        trestle_v1_encode_request(bytes + i * TRESTLE_V1_REQUEST_SIZE, &request);
    }
    client_send(fd, bytes, sizeof(bytes));
    for (unsigned i = 0; i < FRAMES; i++)
        expect(f, fd, true, i % 2 ? i - 1 : 0);
    close(fd);
}

static void test_half_a_frame_then_close(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0);
    write_value(f, fd, BASE, 5);
    uint8_t half[10] = {1, 4};
    client_send(fd, half, sizeof(half));
    close(fd);
    wait_for_log(f, "dev0: the connection ended inside a request, after 10 bytes of it");
    wait_for_log(f, "Device dev0 disconnected");
    /* The device keeps its state, and the next connection starts afresh. */
    fd = client_connect(f, 0);
    send_request(fd, TRESTLE_V1_READ, 4, BASE, 0);
    expect(f, fd, true, 5);
    close(fd);
}

static void test_bad_frames_are_answered(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t type, size;
        uint64_t addr;
        const char *log;
    } bad[] = {
        {2, 4, BASE, "dev0: malformed request: type=2"},
        {255, 4, BASE, "type=255"},
        {0, 0, BASE, "size=0"},
        {0, 3, BASE, "size=3"},
        {1, 16, BASE, "size=16"},
        {0, 4, BASE + 2, "dev0: read of 4 bytes at offset 0x2 refused: misaligned"},
        {0, 4, BASE - 4, "dev0: address outside the device"},
        {0, 4, BASE + 4096, "address outside the device"},
        {0, 4, BASE + REG_END,
         "dev0: read of 4 bytes at offset 0x48 refused: outside the registers"},
        {1, 8, UINT64_MAX - 7, "address outside the device"},
    };
    int fd = client_connect(f, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        f->log[0] = '\0';
        send_request(fd, bad[i].type, bad[i].size, bad[i].addr, 0);
        expect(f, fd, false, 0);
        assert_log_has(f, bad[i].log);
    }
    write_value(f, fd, BASE, 9); /* the connection still works */
    struct trestle_device_stats stats;
    trestle_bridge_stats(f->bridge, 0, &stats);
    assert_int_equal(stats.errors, sizeof(bad) / sizeof(bad[0]));
    close(fd);
}

static void test_refused_by_the_model(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0);
    send_request(fd, TRESTLE_V1_READ, 4, BASE + REG_FAIL, 0);
    expect(f, fd, false, 0);
    assert_log_has(f, "refused: the device answered with an error");
    close(fd);
}

static void test_garbage_is_answered_and_logged_within_bounds(void **state)
{
    struct fixture *f = *state;
    uint8_t garbage[40 * TRESTLE_V1_REQUEST_SIZE];
    int fd = client_connect(f, 0);
    memset(garbage, 0xa5, sizeof(garbage));
    client_send(fd, garbage, sizeof(garbage));
    for (unsigned i = 0; i < 40; i++)
        expect(f, fd, false, 0);
    unsigned lines = 0;
    for (const char *at = f->log; (at = strstr(at, "malformed")); at++)
        lines++;
    assert_int_equal(lines, 10);
    assert_false(log_has(f, "more bad requests")); /* they are counted when a second is over */
    write_value(f, fd, BASE, 1);
    close(fd);
}

static void test_wrong_magic_is_version_1(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[TRESTLE_V1_REQUEST_SIZE] = "TRESTLE9";
    int fd = client_connect(f, 0);
    client_send(fd, bytes, sizeof(bytes));
    expect(f, fd, false, 0);
    write_value(f, fd, BASE, 1);
    close(fd);
}

static void test_connected_devices_are_served_while_others_are_not(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 1);
    write_value(f, fd, BASE + STRIDE, 3);
    assert_int_equal(trestle_bridge_num_connected(f->bridge), 1);
    int other = client_connect(f, 2);
    write_value(f, other, BASE + 2 * STRIDE, 4);
    send_request(fd, TRESTLE_V1_READ, 8, BASE + STRIDE, 0);
    expect(f, fd, true, 3);
    close(fd);
    close(other);
}

static void test_answers_go_to_who_asked(void **state)
{
    struct fixture *f = *state;
    int fds[3];
    for (uint32_t i = 0; i < 3; i++) {
        fds[i] = client_connect(f, i);
        write_value(f, fds[i], BASE + i * STRIDE, 100 + i);
    }
    for (uint32_t i = 0; i < 3; i++) /* all at once */
        send_request(fds[i], TRESTLE_V1_READ, 8, BASE + i * STRIDE, 0);
    for (uint32_t i = 3; i-- > 0;) {
        expect(f, fds[i], true, 100 + i);
        close(fds[i]);
    }
}

static void test_client_comes_back(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 20; i++) {
        int fd = client_connect(f, 0);
        write_value(f, fd, BASE, i);
        close(fd); /* and the next connect may be seen before this end is */
    }
}

/* It has connected again before the bridge looks at the end of its first connection. */
static void test_client_that_is_faster_than_its_end(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0), other = client_connect(f, 1);
    write_value(f, fd, BASE, 1);
    write_value(f, other, BASE + STRIDE, 1); /* the latest is looked at first */
    int again = client_connect(f, 0);
    close(fd);
    write_value(f, again, BASE, 2);
    assert_null(strstr(f->log, "turned away"));
    close(again);
    close(other);
}

/* Of a process that began without it: the bridge's own, its first socket, or its client's. */
static void test_descriptor_0(void **state)
{
    struct fixture *f = *state;
    for (int step = 0; step < 3; step++) {
        const struct trestle_bridge_options options = {
            .size = sizeof(options), .wait = TRESTLE_WAIT_SLEEP, .log = fixture_log, .ctx = f};
        int saved = -1;
        trestle_bridge_destroy(f->bridge);
        f->log[0] = '\0';
        if (step == 0)
            saved = free_stdin();
        assert_int_equal(trestle_bridge_create(&options, &f->bridge, NULL), 0);
        add_devices(f, 3);
        if (step == 1)
            saved = free_stdin();
        assert_int_equal(trestle_bridge_listen(f->bridge, NULL), 0);
        int fd = client_connect(f, 0);
        if (step == 2)
            saved = free_stdin();
        write_value(f, fd, BASE, 1);
        assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), FD_CLOEXEC);
        close(fd);
        wait_for_log(f, "Device dev0 disconnected");
        if (step < 2) {
            trestle_bridge_destroy(f->bridge);
            f->bridge = NULL;
        }
        restore_stdin(saved);
    }
}

static void test_second_client_is_turned_away(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0);
    write_value(f, fd, BASE, 1);
    int second = client_connect(f, 0);
    assert_true(client_is_closed(f, second));
    assert_log_has(f, "dev0: a second client was turned away");
    write_value(f, fd, BASE, 2);
    close(second);
    close(fd);
}

static void test_deferred_answer(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0), other = client_connect(f, 1);
    send_request(fd, TRESTLE_V1_READ, 4, BASE + REG_DEFERRED, 0);
    send_request(fd, TRESTLE_V1_READ, 8, BASE, 0); /* waits for its turn */
    write_value(f, other, BASE + STRIDE, 8);       /* does not */
    expect(f, fd, true, 0xdef);
    expect(f, fd, true, 0);
    for (int i = 0; i < 3; i++) /* one after the other, without a word from the client between */
        send_request(fd, TRESTLE_V1_READ, 4, BASE + REG_DEFERRED, 0);
    for (int i = 0; i < 3; i++)
        expect(f, fd, true, 0xdef);
    close(fd);
    close(other);
}

/* Two that waited come to their next requests in the same turn. */
static void test_deferred_answers_at_once(void **state)
{
    struct fixture *f = *state;
    int fds[3];
    for (uint32_t i = 0; i < 3; i++) {
        fds[i] = client_connect(f, i);
        write_value(f, fds[i], BASE + i * STRIDE, i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        send_request(fds[i], TRESTLE_V1_READ, 4, BASE + i * STRIDE + REG_DEFERRED, 0);
        send_request(fds[i], TRESTLE_V1_READ, 8, BASE + i * STRIDE, 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        expect(f, fds[i], true, 0xdef);
        expect(f, fds[i], true, i);
        close(fds[i]);
    }
}

static void test_lost_client_frees_a_device_that_never_answers(void **state)
{
    struct fixture *f = *state;
    int fd = client_connect(f, 0);
    send_request(fd, TRESTLE_V1_READ, 4, BASE + REG_NEVER, 0);
    send_request(fd, TRESTLE_V1_READ, 4, BASE, 0);
    turn(f);
    turn(f);
    close(fd);
    fd = client_connect(f, 0);
    send_request(fd, TRESTLE_V1_READ, 8, BASE + REG_RESETS, 0);
    expect(f, fd, true, 1);
    close(fd);
}

/* That an answer may never come is said once of each device. */
static void test_an_answer_that_nothing_will_give(void **state)
{
    static const char line[] = "its read() has put off the access at offset 0x10, and nothing is "
                               "scheduled to answer it";
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2; i++) {
        int fd = client_connect(f, 0);
        send_request(fd, TRESTLE_V1_READ, 4, BASE + REG_NEVER, 0);
        turn(f);
        turn(f);
        wait_for_log(f, line);
        close(fd);
        fd = client_connect(f, 0);
        send_request(fd, TRESTLE_V1_READ, 8, BASE + REG_RESETS, 0);
        expect(f, fd, true, i + 1);
        close(fd);
    }
    assert_null(strstr(strstr(f->log, line) + 1, line));
}

static void test_answers_wait_for_a_slow_reader(void **state)
{
    struct fixture *f = *state;
    enum { FRAMES = 60000 }; /* far more answers than a socket holds */
    int fd = client_connect(f, 0);
    uint8_t bytes[TRESTLE_V1_REQUEST_SIZE], answer[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_request request = {TRESTLE_V1_READ, 8, BASE, 0};
    trestle_v1_encode_request(bytes, &request);
    unsigned sent = 0, stalled = 0, received = 0;
    while (sent < FRAMES && stalled < 50) {
        ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            turn(f);
            stalled++;
            continue;
        }
        assert_int_equal(n, sizeof(bytes)); /* a stream takes 20 bytes whole or not at all here */
        sent++;
        stalled = 0;
    }
    assert_int_equal(stalled, 50); /* the bridge stopped reading: back-pressure */
    int other = client_connect(f, 1);
    write_value(f, other, BASE + STRIDE, 1); /* the others are served */
    while (received < sent) {
        assert_true(client_receive(f, fd, answer, sizeof(answer)));
        received++;
    }
    close(fd);
    close(other);
}

static int link_ports(struct fixture *f, const char *from, const char *to, char **ret_error)
{
    const struct trestle_bridge_link link = {
        .size = sizeof(link), .from = from, .to = to, .latency = 1};
    return trestle_bridge_link(f->bridge, &link, ret_error);
}

/* The parent owns the socket and a child serves it: here both are in one process. */
static void test_external_device(void **state)
{
    struct fixture *f = *state, child = {0};
    struct trestle_bridge_options options = {
        .size = sizeof(options), .wait = TRESTLE_WAIT_SLEEP, .log = fixture_log, .ctx = &child};
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = "own",
                                           .base_addr = BASE + 10 * STRIDE,
                                           .region_size = 4096,
                                           .external = true};
    char *error = NULL;
    trestle_bridge_destroy(f->bridge);
    assert_int_equal(trestle_bridge_create(&options, &f->bridge, NULL), 0);
    assert_int_equal(trestle_bridge_add_device(f->bridge, &device, NULL, NULL), 0);
    assert_int_equal(link_ports(f, "own.peer", "own.peer", &error), -EINVAL);
    assert_non_null(strstr(error, "runs in a process of its own"));
    free(error);
    assert_int_equal(trestle_bridge_listen(f->bridge, NULL), 0);
    int fd = client_connect(f, 0);
    send_request(fd, TRESTLE_V1_WRITE, 8, BASE + 10 * STRIDE, 7);
    turn(f); /* the owner leaves it alone */
    assert_int_equal(trestle_bridge_num_connected(f->bridge), 0);

    device.external = false;
    device.model = &memory_model;
    device.listen_fd = trestle_bridge_listen_fd(f->bridge, 0);
    assert_int_equal(trestle_bridge_create(&options, &child.bridge, NULL), 0);
    assert_int_equal(trestle_bridge_add_device(child.bridge, &device, NULL, NULL), 0);
    assert_int_equal(trestle_bridge_listen(child.bridge, NULL), 0);
    expect(&child, fd, true, 0);
    trestle_bridge_destroy(child.bridge);
    close(fd);
    /* The socket outlives the child, and the next one finds its clients waiting. */
    close(client_connect(f, 0));

    child = (struct fixture){0};
    device.listen_fd = open("/dev/null", O_RDONLY);
    assert_int_equal(trestle_bridge_create(&options, &child.bridge, NULL), 0);
    assert_int_equal(trestle_bridge_add_device(child.bridge, &device, NULL, NULL), 0);
    assert_int_equal(trestle_bridge_listen(child.bridge, &error), -EBADF);
    assert_non_null(strstr(error, "is not a listening socket"));
    free(error);
    trestle_bridge_destroy(child.bridge);
    close(device.listen_fd);
}

static int start_with_a_peer(struct trestle_device *dev)
{
    if (trestle_device_linked(dev, 0))
        return 0;
    trestle_device_fail(dev, "nothing is at its port");
    return -EINVAL;
}

/* In start() all devices and links are there, and a model that misses one says so. */
static void test_start_comes_last(void **state)
{
    struct fixture *f = *state;
    const struct trestle_bridge_options options = {
        .size = sizeof(options), .log = fixture_log, .ctx = f};
    struct trestle_model model = memory_model;
    char *error = NULL;
    model.peer_ports = 1;
    model.start = start_with_a_peer;
    for (int linked = 1; linked >= 0; linked--) {
        trestle_bridge_destroy(f->bridge);
        assert_int_equal(trestle_bridge_create(&options, &f->bridge, NULL), 0);
        for (unsigned i = 0; i < 2; i++) {
            const struct trestle_bridge_device device = {.size = sizeof(device),
                                                         .name = i ? "b" : "a",
                                                         .model = &model,
                                                         .base_addr = BASE + i * STRIDE};
            assert_int_equal(trestle_bridge_add_device(f->bridge, &device, NULL, NULL), 0);
        }
        if (linked)
            assert_int_equal(link_ports(f, "a.peer", "b.peer", NULL), 0);
        assert_int_equal(trestle_bridge_listen(f->bridge, &error), linked ? 0 : -EINVAL);
    }
    assert_string_equal(error, "device 'a': model 'memory' did not start: nothing is at its port");
    free(error);
}

static unsigned log_lines(const struct fixture *f)
{
    unsigned count = 0;
    for (const char *at = f->log; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

/* A client that no descriptor is left for waits until one is, and the bridge does not go round in
 * circles meanwhile. */
static void run_out_of_descriptors(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = trestle_bridge_socket_path(f->bridge, 1);
    struct rlimit limit, none_left;
    int first = client_connect(f, 0), second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    write_value(f, first, BASE, 7);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none_left = limit;
    none_left.rlim_cur = (rlim_t)dup(second); /* the lowest that is free */
    close((int)none_left.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(second, (struct sockaddr *)&address, sizeof(address)), 0);
    unsigned lines = log_lines(f);
    for (unsigned i = 0; i < 100; i++)
        turn(f);
    assert_int_equal(log_lines(f), lines + 1);
    assert_log_has(f, "dev1: a client must wait");
    close(first); /* the bridge closes its end, and takes the next client */
    wait_for_log(f, "Device dev1 connected");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    write_value(f, second, BASE + STRIDE, 7);
    close(second);
}

/* And again: it is said each time. */
static void test_out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    run_out_of_descriptors(f);
    for (unsigned i = 0; i < 3; i++)
        turn(f);
    run_out_of_descriptors(f);
}

static void test_statistics(void **state)
{
    struct fixture *f = *state;
    struct trestle_device_stats stats;
    int fd = client_connect(f, 0), other = client_connect(f, 2);
    write_value(f, fd, BASE, 1);
    send_request(fd, TRESTLE_V1_READ, 2, BASE, 0);
    expect(f, fd, true, 1);
    send_request(fd, TRESTLE_V1_READ, 4, BASE + REG_FAIL, 0);
    expect(f, fd, false, 0);
    trestle_bridge_stats(f->bridge, 0, &stats);
    assert_string_equal(stats.name, "dev0");
    assert_int_equal(stats.base_addr, BASE);
    assert_int_equal(stats.reads, 1);
    assert_int_equal(stats.writes, 1);
    assert_int_equal(stats.bytes, 10);
    assert_int_equal(stats.errors, 1);
    assert_cmp(stats.latency_p50_ns, >, 0);
    assert_cmp(stats.latency_p50_ns, <=, stats.latency_max_ns);
    write_value(f, other, BASE + 2 * STRIDE, 1);
    trestle_bridge_stats(f->bridge, TRESTLE_BRIDGE_TOTAL, &stats);
    assert_string_equal(stats.name, "total");
    assert_int_equal(stats.base_addr, 0);
    assert_int_equal(stats.reads, 1);
    assert_int_equal(stats.writes, 2);
    assert_int_equal(stats.bytes, 18);
    assert_int_equal(stats.errors, 1);
    assert_cmp(stats.latency_p50_ns, >, 0);
    assert_cmp(stats.latency_p50_ns, <=, stats.latency_p99_ns);
    assert_cmp(stats.latency_p99_ns, <=, stats.latency_max_ns);
    close(fd);
    close(other);
}

static void hear(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void test_watched_descriptors(void **state)
{
    struct fixture *f = *state;
    int fds[3][2];
    unsigned heard[3] = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pipe2(fds[i], O_CLOEXEC), 0);
        assert_int_equal(trestle_bridge_watch(f->bridge, fds[i][0], hear, &heard[i]), 0);
    }
    turn(f);
    assert_int_equal(heard[0] + heard[1] + heard[2], 0);
    assert_int_equal(write(fds[1][1], "x", 1), 1);
    for (unsigned i = 0; i < 1000 && heard[1] == 0; i++)
        turn(f);
    assert_cmp(heard[1], >, 0);
    assert_int_equal(heard[0] + heard[2], 0);
    trestle_bridge_unwatch(f->bridge, fds[1][0]);
    trestle_bridge_unwatch(f->bridge, fds[1][1]); /* which is not watched */
    heard[1] = 0;
    close(fds[0][1]); /* hung up */
    for (unsigned i = 0; i < 1000 && heard[0] == 0; i++)
        turn(f);
    assert_cmp(heard[0], >, 0);
    assert_int_equal(heard[1], 0);
    assert_int_equal(trestle_bridge_watch(f->bridge, -1, hear, NULL), -EBADF);
    trestle_bridge_unwatch(f->bridge, fds[0][0]);
    close(fds[0][0]);
    for (int i = 0; i < 2; i++) {
        close(fds[1][i]);
        close(fds[2][i]); /* that one is still watched at the end */
    }
}

static void test_sockets_are_named_and_removed(void **state)
{
    struct fixture *f = *state;
    char line[300], dir[200];
    const char *path = trestle_bridge_socket_path(f->bridge, 1);
    snprintf(line, sizeof(line), "Device dev1 socket listening at %s\n", path);
    assert_log_has(f, line);
    assert_int_equal(access(path, F_OK), 0);
    snprintf(dir, sizeof(dir), "%s", path);
    *strrchr(dir, '/') = '\0';
    trestle_bridge_remove_sockets(f->bridge);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(access(trestle_bridge_socket_path(f->bridge, i), F_OK), -1);
    assert_int_equal(access(dir, F_OK), -1);
}

/* Where files may not be as large, only a bridge that must have shared memory does not begin. */
static void test_shared_memory_that_cannot_be(void **state)
{
    struct rlimit limit, small;
    char *error = NULL;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){4096, limit.rlim_max};
    for (int needs_shm = 0; needs_shm < 2; needs_shm++) {
        struct trestle_bridge_options options = {.size = sizeof(options), .needs_shm = needs_shm};
        struct trestle_bridge *bridge;
        assert_int_equal(trestle_bridge_create(&options, &bridge, NULL), 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_false(trestle_bridge_try_shm(bridge));
        int r = trestle_bridge_listen(bridge, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(r, needs_shm ? -ENOTSUP : 0);
        trestle_bridge_destroy(bridge);
    }
    assert_non_null(strstr(error, "the limit for the size of files"));
    free(error);
}

#define BRIDGE_TEST(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRIDGE_TEST(test_every_width),
        BRIDGE_TEST(test_a_byte_at_a_time),
        BRIDGE_TEST(test_many_frames_in_one_write),
        BRIDGE_TEST(test_half_a_frame_then_close),
        BRIDGE_TEST(test_bad_frames_are_answered),
        BRIDGE_TEST(test_refused_by_the_model),
        BRIDGE_TEST(test_garbage_is_answered_and_logged_within_bounds),
        BRIDGE_TEST(test_wrong_magic_is_version_1),
        BRIDGE_TEST(test_connected_devices_are_served_while_others_are_not),
        BRIDGE_TEST(test_answers_go_to_who_asked),
        BRIDGE_TEST(test_client_comes_back),
        BRIDGE_TEST(test_client_that_is_faster_than_its_end),
        BRIDGE_TEST(test_descriptor_0),
        BRIDGE_TEST(test_second_client_is_turned_away),
        BRIDGE_TEST(test_deferred_answer),
        BRIDGE_TEST(test_deferred_answers_at_once),
        BRIDGE_TEST(test_lost_client_frees_a_device_that_never_answers),
        BRIDGE_TEST(test_an_answer_that_nothing_will_give),
        BRIDGE_TEST(test_answers_wait_for_a_slow_reader),
        BRIDGE_TEST(test_external_device),
        BRIDGE_TEST(test_start_comes_last),
        BRIDGE_TEST(test_out_of_descriptors),
        BRIDGE_TEST(test_statistics),
        BRIDGE_TEST(test_watched_descriptors),
        cmocka_unit_test(test_shared_memory_that_cannot_be),
        BRIDGE_TEST(test_sockets_are_named_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
