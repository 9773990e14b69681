/* SPDX-License-Identifier: MIT */
/* Raw version 2 on both carriers against a live bridge: the same suite for each, and then a QEMU
 * that lies. */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "bridge/command.h"
#include "bridge/inline.h"
#include "v2_client.h"

/* --- the suite for both carriers ------------------------------------------------------------- */

/* The last device has no way to the guest. */
static int open_client_with_quiet(void **state)
{
    static struct trestle_model quiet;
    quiet = memory_model;
    quiet.irq_lines = 0;
    quiet.dma_done = NULL;
    last_model = &quiet;
    int r = open_client(state);
    last_model = &memory_model;
    return r;
}

static int open_client_without_lines(void **state)
{
    lines_that_lead = 0;
    int r = open_client(state);
    lines_that_lead = 2;
    return r;
}

static void test_read_and_write(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(ask(f, &client, i, write_at(0, 0x1100 + i, 10)).status, TRESTLE_V2_OK);
    for (uint32_t i = 0; i < 3; i++) {
        struct trestle_v2_message reply = ask(f, &client, i, read_at(0, 8, 20));
        assert_int_equal(reply.status, TRESTLE_V2_OK);
        assert_int_equal(reply.data, 0x1100 + i);
        assert_int_equal(reply.device, client.devices[i]);
        assert_int_equal(reply.time, 20);
        assert_int_equal(reply.next, TRESTLE_TIME_NEVER);
        assert_int_equal(reply.extra, 0);
        assert_int_equal(ask(f, &client, i, read_at(0, 1, 20)).data, i);
    }
}

static void test_carrier_is_said_once(void **state)
{
    const struct fixture *f = *state;
    const char *line = client.shm.memory ? "QEMU speaks protocol 2 over shared memory"
                                         : "QEMU speaks protocol 2 over sockets";
    assert_log_has(f, line);
    assert_null(strstr(strstr(f->log, line) + 1, "QEMU speaks"));
}

static void test_errors_have_a_status(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, &client, 0, read_at(2, 4, 0)).status, TRESTLE_V2_WIDTH);
    assert_int_equal(ask(f, &client, 0, read_at(REG_END, 4, 0)).status, TRESTLE_V2_RANGE);
    assert_int_equal(ask(f, &client, 0, read_at(UINT64_MAX - 7, 8, 0)).status, TRESTLE_V2_RANGE);
    assert_int_equal(ask(f, &client, 0, read_at(REG_FAIL, 4, 0)).status, TRESTLE_V2_REFUSED);
    struct trestle_v2_message malformed = ask(f, &client, 0, read_at(0, 3, 0));
    assert_int_equal(malformed.status, TRESTLE_V2_MALFORMED);
    assert_int_equal(malformed.data, 0);
    assert_int_equal(ask(f, &client, 0, read_at(0, 3, INT64_MAX)).status, TRESTLE_V2_MALFORMED);
    uint32_t saved = client.devices[1];
    for (uint32_t other = 3; other <= 99; other += 96) {
        client.devices[1] = other;
        assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_NO_DEVICE);
    }
    client.devices[1] = saved;
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
}

/* Whoever notes that something came in between hears which widths the device has. */
static void test_notes(void **state)
{
    struct fixture *f = *state;
    leave(&client);
    client = (struct client){.fds = {-1, -1, -1}, .shm = SHM_NONE};
    turn(f);
    join(f, &client, 0, features | TRESTLE_V2_FEATURE_NOTE);
    assert_int_equal(ask(f, &client, 0, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
    assert_null(trestle_bridge_disturbance(f->bridge));
    struct trestle_v2_message note = {.type = TRESTLE_V2_NOTE, .addr = TRESTLE_V2_NOTE_GAVE_UP};
    struct trestle_v2_message reply = ask(f, &client, 0, note);
    assert_int_equal(reply.status, TRESTLE_V2_OK);
    assert_int_equal(reply.data, 1 | 2 | 4 | 8);
    assert_string_equal(trestle_bridge_disturbance(f->bridge),
                        "QEMU did not wait for an answer any longer");
    note.addr = TRESTLE_V2_NOTE_DEBUGGER;
    assert_int_equal(ask(f, &client, 0, note).status, TRESTLE_V2_OK);
    client.devices[0] = 3; /* one that is not there */
    reply = ask(f, &client, 0, note);
    assert_int_equal(reply.status, TRESTLE_V2_NO_DEVICE);
    assert_int_equal(reply.data, 0);
    assert_string_equal(trestle_bridge_disturbance(f->bridge), /* the first */
                        "QEMU did not wait for an answer any longer");
}

static void test_faults(void **state)
{
    struct fixture *f = *state;
    ask(f, &client, 0, write_at(0, 0x1234, 10));
    assert_int_equal(trestle_bridge_set_fault(f->bridge, 0, TRESTLE_FAULT_HUNG), 0);
    post(&client, 0, read_at(0, 4, 20)); /* nobody answers */
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 30)).status, TRESTLE_V2_OK);
    assert_int_equal(trestle_bridge_set_fault(f->bridge, 0, TRESTLE_FAULT_NONE), 0);
    assert_int_equal(ask(f, &client, 0, read_at(0, 8, 40)).data, 0x1234);

    assert_int_equal(trestle_bridge_set_fault(f->bridge, 0, TRESTLE_FAULT_DEAD), 0);
    struct trestle_v2_message reply = ask(f, &client, 0, read_at(0, 8, 50));
    assert_int_equal(reply.status, TRESTLE_V2_REFUSED);
    assert_int_equal(reply.data, 0);
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 60)).status, TRESTLE_V2_OK);
    assert_int_equal(trestle_bridge_set_fault(f->bridge, 0, TRESTLE_FAULT_NONE), 0);
    assert_int_equal(ask(f, &client, 0, read_at(REG_RESETS, 8, 70)).data, 2);
}

static void test_posted_writes_keep_order(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(0, 0, 0);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    for (uint64_t i = 1; i <= 500; i++) {
        posted.data = i;
        post(&client, 0, posted);
        if (i % 8 == 0) /* a socket holds less than all of them */
            turn(f);
    }
    assert_int_equal(ask(f, &client, 0, read_at(0, 8, 0)).data, 500);
    posted.addr = REG_FAIL;
    post(&client, 0, posted);
    struct trestle_v2_message flush = {.type = TRESTLE_V2_FLUSH};
    assert_int_equal(ask(f, &client, 0, flush).status, TRESTLE_V2_OK);
    struct trestle_device_stats stats;
    trestle_bridge_stats(f->bridge, 0, &stats);
    assert_int_equal(stats.writes, 500);
    assert_int_equal(stats.errors, 1);
    assert_log_has(f, "refused: the device answered with an error");
}

/* The end of the sockets may be seen at any moment: it is made to come at many. */
static void test_posted_writes_outlive_the_client(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(0, 0, 0);
    const uint64_t count = client.shm.memory ? RING_SLOTS : 100;
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    for (unsigned round = 0; round < 70; round++) {
        f->log[0] = '\0';
        for (uint64_t i = 1; i <= count; i++) {
            posted.data = round + i;
            post(&client, 1, posted);
        }
        leave(&client);
        wait_for_log(f, "Device dev1 disconnected");
        for (uint32_t i = 0; i < 3; i++)
            join(f, &client, i, features);
        assert_int_equal(ask(f, &client, 1, read_at(0, 8, 0)).data, round + count);
    }
}

static void test_deferred_answer_stalls(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 1000 * TRESTLE_NS;
    struct trestle_v2_message reply = ask(f, &client, 0, read_at(REG_DEFERRED, 4, at));
    assert_int_equal(reply.data, 0xdef);
    assert_int_equal(reply.time, at + 500 * TRESTLE_NS);
    assert_int_equal(reply.extra, 500 * TRESTLE_NS);
    /* Guest time stood still; the engine stays ahead by the stall, on all devices. */
    reply = ask(f, &client, 1, read_at(0, 4, at + 1 * TRESTLE_NS));
    assert_int_equal(reply.time, at + 501 * TRESTLE_NS);
    assert_int_equal(reply.extra, 500 * TRESTLE_NS);
    reply = ask(f, &client, 0, read_at(REG_DEFERRED, 4, at + 2 * TRESTLE_NS));
    assert_int_equal(reply.extra, 1000 * TRESTLE_NS);
}

static void test_advance(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message advance = {.type = TRESTLE_V2_ADVANCE, .time = 7 * TRESTLE_US};
    struct trestle_v2_message reply = ask(f, &client, 0, advance);
    assert_int_equal(reply.status, TRESTLE_V2_OK);
    assert_int_equal(reply.time, 7 * TRESTLE_US);
    advance.time = 3 * TRESTLE_US; /* time never runs backwards */
    assert_int_equal(ask(f, &client, 0, advance).time, 7 * TRESTLE_US);
}

static void test_reset(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message reset = {.type = TRESTLE_V2_RESET, .time = 5};
    uint64_t never = post(&client, 1, read_at(REG_NEVER, 4, 1));
    turn(f);
    uint64_t id = post(&client, 0, reset);
    bool seen[2] = {false, false};
    for (unsigned i = 0; i < 2; i++) {
        struct trestle_v2_message m;
        if (!client.shm.memory && i == 1)
            m = receive_event(f, &client, 1); /* each on the socket that asked */
        else
            m = receive_event(f, &client, 0);
        if (m.id != never)
            assert_int_equal(m.id, id);
        assert_int_equal(m.status, m.id == id ? TRESTLE_V2_OK : TRESTLE_V2_CANCELLED);
        seen[m.id == id] = true;
    }
    assert_true(seen[0]);
    assert_true(seen[1]);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(ask(f, &client, i, read_at(REG_RESETS, 8, 6)).data, 1);
}

/* What a device has to do with the others, and what they are, stays. */
static void test_reset_of_one_device(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message reset = {.type = TRESTLE_V2_RESET_DEVICE, .time = 5};
    leave(&client);
    client = (struct client){.fds = {-1, -1, -1}, .shm = SHM_NONE};
    turn(f);
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features | TRESTLE_V2_FEATURE_RESET_DEVICE);
    uint64_t resets[3];
    for (uint32_t i = 0; i < 3; i++)
        resets[i] = ask(f, &client, i, read_at(REG_RESETS, 8, 1)).data;
    uint64_t deferred = post(&client, 1, read_at(REG_DEFERRED, 4, 1));
    uint64_t id = post(&client, 1, reset);
    assert_int_equal(expect_reply(f, 1, deferred).data, 0xdef); /* one after the other */
    assert_int_equal(expect_reply(f, 1, id).status, TRESTLE_V2_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(ask(f, &client, i, read_at(REG_RESETS, 8, 6)).data, resets[i] + (i == 1));
    client.devices[0] = 99;
    assert_int_equal(ask(f, &client, 0, reset).status, TRESTLE_V2_NO_DEVICE);
}

static void test_reset_of_one_device_needs_its_feature(void **state)
{
    struct fixture *f = *state;
    post(&client, 1, (struct trestle_v2_message){.type = TRESTLE_V2_RESET_DEVICE});
    wait_for_log(f, "the session with QEMU was ended: a message of a feature that is not in force");
}

/* The first region's word is not another's, and who does not know of others means the first. */
static void test_regions(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message read = read_at(0, 8, 0);
    assert_int_equal(ask(f, &client, 0, write_at(0, 42, 0)).status, TRESTLE_V2_OK);
    read.extra = 1;
    assert_int_equal(ask(f, &client, 0, read).data, 42);
    leave(&client);
    client = (struct client){.fds = {-1, -1, -1}, .shm = SHM_NONE};
    turn(f);
    join(f, &client, 0, features | TRESTLE_V2_FEATURE_REGIONS);
    assert_int_equal(ask(f, &client, 0, read).status, TRESTLE_V2_RANGE);
    read.extra = UINT64_MAX;
    assert_int_equal(ask(f, &client, 0, read).status, TRESTLE_V2_RANGE);
    read.extra = 0;
    assert_int_equal(ask(f, &client, 0, read).data, 42);

    struct trestle_v2_hello hello = hello_for(1, features | TRESTLE_V2_FEATURE_REGIONS);
    int fds[FDS_MAX], fd = client_connect(f, 1);
    size_t num_fds;
    hello.more_regions = 1;
    send_hello(fd, &hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, TRESTLE_V2_GEOMETRY);
    close(fd);
}

static void test_one_lost_device_leaves_the_others(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, &client, 0, write_at(0, 42, 0)).status, TRESTLE_V2_OK);
    close(client.fds[0]);
    client.fds[0] = -1;
    wait_for_log(f, "Device dev0 disconnected");
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 1)).status, TRESTLE_V2_OK);
    if (client.shm.memory)
        assert_int_equal(ask(f, &client, 0, read_at(0, 4, 1)).status, TRESTLE_V2_NO_DEVICE);
    join(f, &client, 0, features);
    assert_int_equal(ask(f, &client, 0, read_at(0, 8, 2)).data, 42);
}

static void test_whole_client_comes_back(void **state)
{
    struct fixture *f = *state;
    ask(f, &client, 0, read_at(0, 8, 50 * TRESTLE_US));
    leave(&client);
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    /* Its guest begins at 0 again; the engine does not. */
    struct trestle_v2_message reply = ask(f, &client, 0, read_at(0, 8, 1 * TRESTLE_US));
    assert_int_equal(reply.time, 51 * TRESTLE_US);
    assert_int_equal(reply.extra, 50 * TRESTLE_US);
}

static void test_other_clients_are_refused(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_hello hello = hello_for(0, features);
    int fds[FDS_MAX], fd;
    size_t num_fds;
    close(client.fds[0]);
    client.fds[0] = -1;
    hello.client_id[0] = 'X';
    fd = client_connect(f, 0);
    send_hello(fd, &hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, TRESTLE_V2_BUSY);
    assert_int_equal(num_fds, 0);
    assert_true(client_is_closed(f, fd));
    close(fd);
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 1)).status, TRESTLE_V2_OK);
}

static void test_version_1_beside_a_session(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[TRESTLE_V1_REQUEST_SIZE], answer[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_request request = {TRESTLE_V1_READ, 8, BASE, 0};
    ask(f, &client, 0, write_at(0, 7, 9 * TRESTLE_US));
    close(client.fds[0]);
    client.fds[0] = client_connect(f, 0);
    trestle_v1_encode_request(frame, &request);
    client_send(client.fds[0], frame, sizeof(frame));
    assert_true(client_receive(f, client.fds[0], answer, sizeof(answer)));
    assert_int_equal(answer[0], 1);
    assert_int_equal(answer[8], 7);
    /* It has no time of its own, and leaves the guest's alone. */
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 9 * TRESTLE_US)).time, 9 * TRESTLE_US);
}

/* --- interrupts and timers, for both carriers as well
 * ---------------------------------------------- */

static void test_irq_comes_before_the_reply(void **state)
{
    struct fixture *f = *state;
    uint64_t id = post(&client, 1, write_at(REG_IRQ, 1, 100));
    expect_irq(f, 1, 0, 1, 100);
    expect_reply(f, 1, id);
    ask(f, &client, 1, write_at(REG_IRQ, 1, 110)); /* is up already: nothing but the reply */
    id = post(&client, 1, write_at(REG_IRQ, 0, 120));
    expect_irq(f, 1, 0, 0, 120);
    expect_reply(f, 1, id);
}

static void test_no_lines_for_who_does_not_know_of_them(void **state)
{
    struct fixture *f = *state;
    expect_reply(f, 1, post(&client, 1, write_at(REG_IRQ, 1, 100)));
    expect_reply(f, 1, post(&client, 1, read_at(REG_VALUE, 4, 110)));
}

/* The guest may wait for it. */
static void test_a_line_that_leads_nowhere(void **state)
{
    static const char line[] = "dev0: its interrupt line 0 has gone high, and the guest does not "
                               "hear it: it leads nowhere; give the device an \"irq\" for it";
    struct fixture *f = *state;
    expect_reply(f, 0, post(&client, 0, write_at(REG_IRQ, 0, 100)));
    assert_null(strstr(f->log, "has gone high"));
    for (unsigned i = 0; i < 2; i++) {
        expect_reply(f, 0, post(&client, 0, write_at(REG_IRQ, 1, 110)));
        expect_reply(f, 0, post(&client, 0, write_at(REG_IRQ, 0, 120)));
    }
    assert_log_has(f, line);
    assert_null(strstr(strstr(f->log, line) + strlen(line), "has gone high"));
}

static void test_timer_is_announced_and_advanced_to(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 10 * TRESTLE_US, due = at + 300 * TRESTLE_NS;
    struct trestle_v2_message advance = {.type = TRESTLE_V2_ADVANCE, .time = due};
    assert_int_equal(ask(f, &client, 0, write_at(REG_TIMER, 300, at)).next, due);
    assert_int_equal(ask(f, &client, 2, read_at(0, 4, at + 5)).next, due); /* one timeline */
    uint64_t id = post(&client, 0, advance);
    expect_irq(f, 0, 1, 1, due);
    assert_int_equal(expect_reply(f, 0, id).next, TRESTLE_TIME_NEVER);
}

/* Nobody has asked for it, and the guest may be asleep: it hears when to look. */
static void test_input_tells_the_next_event(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 10 * TRESTLE_US, due = at + 100 * TRESTLE_NS;
    struct trestle_v2_message advance = {.type = TRESTLE_V2_ADVANCE, .time = due};
    ask(f, &client, 1, read_at(0, 4, at));
    assert_int_equal(trestle_bridge_input(f->bridge, 0, "d", 1), 0);
    struct trestle_v2_message told = receive_event(f, &client, 0);
    assert_int_equal(told.type, TRESTLE_V2_REPLY);
    assert_int_equal(told.id, TRESTLE_V2_ID_UNASKED);
    assert_int_equal(told.next, due);
    if (client.shm.memory) {
        struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
        assert_int_equal(poll(&bell, 1, 0), 1);
    }
    assert_int_equal(trestle_bridge_input(f->bridge, 0, "d", 1), 0); /* nothing new */
    uint64_t id = post(&client, 0, advance);
    expect_irq(f, 0, 1, 1, due);
    expect_reply(f, 0, id);
    assert_int_equal(trestle_bridge_input(f->bridge, 0, "ddd", 3), -ENOBUFS);
    assert_int_equal(trestle_bridge_input(f->bridge, 0, "dd", 2), 0);
    assert_int_equal(trestle_bridge_input(f->bridge, 0, "d", 1), -ENOBUFS);
    assert_string_equal(trestle_bridge_disturbance(f->bridge),
                        "its devices had input from outside");
}

/* Unasked, since its client has to arm a timer; and not again when that time stays the same. */
static void test_posted_write_tells_the_next_event(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 10 * TRESTLE_US, due = at + 300 * TRESTLE_NS;
    struct trestle_v2_message posted = write_at(REG_TIMER, 300, at);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    assert_int_equal(expect_reply(f, 0, post(&client, 0, posted)).next, due);
    if (client.shm.memory) {
        struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
        assert_int_equal(poll(&bell, 1, 0), 1);
    }
    posted.addr = 0;
    post(&client, 0, posted);
    assert_int_equal(ask(f, &client, 0, read_at(0, 4, at)).next, due); /* the first to come */
}

/* A debugger of devices, say, sets a timer: the client hears unasked when to look, and only once.
 */
static void test_what_is_done_from_aside(void **state)
{
    struct fixture *f = *state;
    const trestle_time at = 10 * TRESTLE_US, due = at + 300 * TRESTLE_NS;
    struct trestle_device *device = trestle_bridge_device(f->bridge, 0);
    struct trestle_request req = {.access = {.offset = REG_TIMER, .data = 300, .size = 8},
                                  .write = true};
    assert_int_equal(ask(f, &client, 0, read_at(0, 4, at)).next, TRESTLE_TIME_NEVER);
    trestle_bridge_disturb(f->bridge, "a test had a hand in it");
    assert_int_equal(trestle_device_submit(device, &req), 0);
    trestle_bridge_settle(f->bridge);
    assert_int_equal(expect_reply(f, 0, 0).next, due);
    assert_string_equal(trestle_bridge_disturbance(f->bridge), "a test had a hand in it");
    if (client.shm.memory) {
        struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
        assert_int_equal(poll(&bell, 1, 0), 1);
    }
    trestle_bridge_settle(f->bridge);
    assert_int_equal(ask(f, &client, 0, read_at(0, 4, at)).next, due);
}

/* What a device does that has no way to the guest is no event for the client: it happens in time
 * for the next access all the same. */
static void test_quiet_device_is_not_announced(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, &client, 2, write_at(REG_TIMER, 300, 0)).next, TRESTLE_TIME_NEVER);
    assert_int_equal(ask(f, &client, 1, write_at(REG_TIMER, 4000, 0)).next, 4000 * TRESTLE_NS);
    assert_int_equal(ask(f, &client, 2, write_at(REG_TIMER, 500, 0)).next, 4000 * TRESTLE_NS);
    struct trestle_v2_message reply = ask(f, &client, 2, read_at(REG_DEFERRED, 8, 0));
    assert_int_equal(reply.data, 0xdef);
    assert_int_equal(reply.time, 500 * TRESTLE_NS);
}

/* A client that was told of it would come at that time, which is none that a request may have. */
static void test_timer_in_centuries_is_not_announced(void **state)
{
    struct fixture *f = *state;
    const uint64_t last_ns = INT64_MAX / TRESTLE_NS;
    assert_int_equal(ask(f, &client, 0, write_at(REG_TIMER, last_ns, 0)).next,
                     last_ns * TRESTLE_NS);
    assert_int_equal(ask(f, &client, 0, write_at(REG_TIMER, last_ns + 1, 0)).next,
                     TRESTLE_TIME_NEVER);
    assert_int_equal(ask(f, &client, 0, write_at(REG_TIMER, UINT64_MAX / TRESTLE_NS, 0)).next,
                     TRESTLE_TIME_NEVER);
}

static void test_stall_brings_the_next_event_nearer(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, &client, 0, write_at(REG_TIMER, 2000, 0)).next, 2000 * TRESTLE_NS);
    struct trestle_v2_message reply = ask(f, &client, 1, read_at(REG_DEFERRED, 4, 0));
    assert_int_equal(reply.extra, 500 * TRESTLE_NS);
    assert_int_equal(reply.next, 1500 * TRESTLE_NS);
}

static void test_reset_drops_lines(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message reset = {.type = TRESTLE_V2_RESET, .time = 30};
    uint64_t id = post(&client, 0, write_at(REG_IRQ, 1, 10));
    expect_irq(f, 0, 0, 1, 10);
    expect_reply(f, 0, id);
    ask(f, &client, 0, write_at(REG_TIMER, 100, 20));
    id = post(&client, 0, reset);
    expect_irq(f, 0, 0, 0, 30);
    assert_int_equal(expect_reply(f, 0, id).next, TRESTLE_TIME_NEVER); /* the timer is cancelled */
}

static void test_lines_are_told_to_who_comes_back(void **state)
{
    struct fixture *f = *state;
    uint64_t id = post(&client, 0, write_at(REG_IRQ, 1, 10));
    expect_irq(f, 0, 0, 1, 10);
    expect_reply(f, 0, id);
    close(client.fds[0]);
    wait_for_log(f, "Device dev0 disconnected");
    join(f, &client, 0, features);
    expect_irq(f, 0, 0, 1, 10);
}

/* Whoever waits for an answer looks by itself; others have to be woken. */
static void test_posted_write_that_interrupts_rings(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(REG_IRQ, 0, 20);
    struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
    uint64_t id = post(&client, 0, write_at(REG_IRQ, 1, 10));
    expect_irq(f, 0, 0, 1, 10);
    expect_reply(f, 0, id);
    assert_int_equal(poll(&bell, 1, 0), 0);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    post(&client, 0, posted);
    expect_irq(f, 0, 0, 0, 20);
    assert_int_equal(poll(&bell, 1, 0), 1);
}

/* It is said once, and only this device's connection ends. */
static void test_interrupts_that_nobody_reads(void **state)
{
    static const char line[] = "dev0: the client does not read its answers; disconnected";
    struct fixture *f = *state;
    struct trestle_device *device = trestle_bridge_device(f->bridge, 0);
    for (unsigned i = 1; i < 100000 && !log_has(f, line); i++) {
        struct trestle_request req = {.access = {.offset = REG_IRQ, .data = i % 2, .size = 8},
                                      .write = true};
        assert_int_equal(trestle_device_submit(device, &req), 0);
    }
    assert_log_has(f, line);
    for (unsigned i = 0; i < 4; i++) {
        struct trestle_request req = {.access = {.offset = REG_IRQ, .data = i % 2, .size = 8},
                                      .write = true};
        assert_int_equal(trestle_device_submit(device, &req), 0);
    }
    assert_null(strstr(strstr(f->log, line) + 1, line));
    for (uint8_t byte; client_receive(f, client.fds[0], &byte, 1);)
        ;
    wait_for_log(f, "Device dev0 disconnected");
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
}

/* --- what ends a session --------------------------------------------------------------------- */

static void test_unknown_type(void **state)
{
    post(&client, 0, (struct trestle_v2_message){.type = 0x55});
    expect_end(*state, "ended: a message that this version does not have");
}

static void test_event_from_a_client(void **state)
{
    post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_REPLY});
    expect_end(*state, "ended: a message that this version does not have");
}

static void test_time_beyond_reason(void **state)
{
    post(&client, 0, read_at(0, 4, UINT64_MAX - 1));
    expect_end(*state, "ended: a message that this version does not have");
}

static void test_dma_answer_unasked(void **state)
{
    post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_DMA_DONE});
    expect_end(*state, "ended: a DMA answer that nobody asked for");
}

static void test_second_hello(void **state)
{
    struct trestle_v2_hello hello = hello_for(0, features);
    send_hello(client.fds[0], &hello);
    expect_end(*state, client.shm.memory ? "ended: bytes on a socket that must not carry any"
                                         : "ended: a sequence number that jumps");
}

static void test_peer_stops_in_mid_message(void **state)
{
    struct fixture *f = *state;
    uint8_t half[30] = {1};
    client_send(client.fds[0], half, sizeof(half));
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
    close(client.fds[0]);
    client.fds[0] = -1;
    wait_for_log(f, "dev0: the connection ended inside a request, after 30 bytes of it");
    assert_int_equal(ask(f, &client, 1, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
}

static void test_socket_sequence_jumps(void **state)
{
    client.out_seq[0]++;
    post(&client, 0, read_at(0, 4, 0));
    expect_end(*state, "ended: a sequence number that jumps");
}

static void test_ring_sequence_jumps(void **state)
{
    struct trestle_v2_message m = read_at(0, 4, 0);
    client.requests.seq += 3;
    assert_int_equal(ring_post(&client.requests, &m), 0);
    atomic_store(ring_slot_seq(client.requests.slots, 1), 77);
    expect_end(*state, "ended: QEMU wrote nonsense into the request ring");
}

static void test_doorbell_without_a_message(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2000 && !log_has(f, "was ended"); i++) {
        ring_wake(&client.requests);
        turn(f);
    }
    expect_end(f, "ended: QEMU rings without a message");
}

/* It lives on, and its sockets are open: the bridge neither waits for it nor is called for ever. */
static void test_doorbell_that_is_closed(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_message posted = write_at(0, 0x77, 0);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    post(&client, 1, posted); /* counts, though nobody is rung for it */
    close(client.shm.doorbell_fd);
    client.shm.doorbell_fd = -1;
    wait_for_log(f, "QEMU went away without saying so");
    for (unsigned i = 0; i < 3; i++)
        assert_true(client_is_closed(f, client.fds[i]));
    leave(&client);
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    assert_int_equal(ask(f, &client, 1, read_at(0, 8, 0)).data, 0x77);
}

static void post_a_ring_full(void *bell)
{
    uint8_t byte;
    struct trestle_v2_message posted = write_at(0, 0, 0);
    posted.flags = TRESTLE_V2_FLAG_POSTED;
    assert_int_equal(read(*(int *)bell, &byte, 1), 1);
    for (uint64_t i = 1; i <= RING_SLOTS; i++) {
        posted.data = i;
        post(&client, 1, posted);
    }
}

/* The bridge has found the ring empty, and then the client fills it and is gone. */
static void test_ring_that_is_filled_last(void **state)
{
    struct fixture *f = *state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(trestle_bridge_watch(f->bridge, fds[0], post_a_ring_full, &fds[0]), 0);
    assert_int_equal(write(fds[1], "x", 1), 1); /* comes first, in the same turn */
    close(client.shm.doorbell_fd);
    client.shm.doorbell_fd = -1;
    wait_for_log(f, "QEMU went away without saying so");
    trestle_bridge_unwatch(f->bridge, fds[0]);
    leave(&client);
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    assert_int_equal(ask(f, &client, 1, read_at(0, 8, 0)).data, RING_SLOTS);
    close(fds[0]);
    close(fds[1]);
}

/* The client says for ever that it sleeps. */
static void test_doorbell_that_nobody_empties(void **state)
{
    struct fixture *f = *state;
    struct pollfd bell = {.fd = client.shm.doorbell_fd, .events = POLLIN};
    alarm(60); /* a bridge that waited would wait for ever */
    for (unsigned i = 0; i < 5000; i++) {
        assert_true(ring_must_sleep(&client.events));
        ask(f, &client, 0, read_at(0, 4, 0));
    }
    alarm(0);
    assert_int_equal(poll(&bell, 1, 0), 1);
    assert_int_equal(ring_hear(&client.events), 0);
}

/* The client lives on without its memory: what it asked for last is done and answered, and the
 * session waits for its end. */
static void test_memory_that_is_unmapped(void **state)
{
    struct fixture *f = *state;
    post(&client, 1, write_at(0, 0x88, 0));
    assert_int_equal(munmap(client.shm.memory, SHM_SIZE), 0);
    client.shm.memory = NULL;
    for (unsigned i = 0; i < 100; i++)
        turn(f);
    assert_false(log_has(f, "was ended"));
    leave(&client);
    wait_for_log(f, "QEMU went away without saying so");
    for (uint32_t i = 0; i < 3; i++)
        join(f, &client, i, features);
    assert_int_equal(ask(f, &client, 1, read_at(0, 8, 0)).data, 0x88);
}

static void test_events_consumed_is_a_lie(void **state)
{
    /* The client's count says more than there was: seen once the ring looks full. */
    struct fixture *f = *state;
    for (unsigned i = 0; i < RING_SLOTS; i++)
        ask(f, &client, 0, read_at(0, 4, 0));
    atomic_store(client.events.consumed, UINT64_MAX);
    post(&client, 0, read_at(0, 4, 0));
    expect_end(f, "ended: QEMU wrote nonsense into the event ring");
}

static void test_events_not_taken(void **state)
{
    for (unsigned i = 0; i < RING_SLOTS; i++) {
        post(&client, 0, read_at(0, 4, 0));
        turn(*state);
    }
    post(&client, 0, read_at(0, 4, 0));
    expect_end(*state, "ended: QEMU does not take its answers");
}

/* --- handshakes that are refused ------------------------------------------------------------- */

static void expect_refusal(struct fixture *f, const struct trestle_v2_hello *hello,
                           enum trestle_v2_status status, const char *log)
{
    int fds[FDS_MAX], fd = client_connect(f, 0);
    size_t num_fds;
    send_hello(fd, hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, status);
    assert_int_equal(num_fds, 0);
    assert_true(client_is_closed(f, fd));
    wait_for_log(f, log);
    close(fd);
}

static void test_refused_handshakes(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_hello hello = hello_for(0, FEATURES_SHM);
    hello.version_min = hello.version_max = 99;
    expect_refusal(f, &hello, TRESTLE_V2_BAD_VERSION, "no protocol version in common");
    hello = hello_for(0, FEATURES_SHM);
    hello.version_min = 3;
    expect_refusal(f, &hello, TRESTLE_V2_MALFORMED, "malformed request");
    hello = hello_for(1, FEATURES_SHM);
    expect_refusal(f, &hello, TRESTLE_V2_GEOMETRY, "base address or size differ");
    hello = hello_for(0, FEATURES_SHM);
    hello.size = 8192;
    expect_refusal(f, &hello, TRESTLE_V2_GEOMETRY, "base address or size differ");
    assert_log_has(f, "(it speaks 2 to 2 and means 0x2000 bytes at 0x10200000)");
    hello.base_addr = TRESTLE_NO_BASE;
    expect_refusal(f, &hello, TRESTLE_V2_GEOMETRY, "base address or size differ");
    assert_log_has(f, "means 0x2000 bytes at an address that PCI gives)");
    hello = hello_for(0, FEATURES_SHM);
    hello.time = UINT64_MAX;
    expect_refusal(f, &hello, TRESTLE_V2_MALFORMED, "malformed request");
    /* The highest version in common is chosen. */
    hello = hello_for(0, FEATURES_SOCKET);
    hello.version_max = 99;
    int fds[FDS_MAX], fd = client_connect(f, 0);
    size_t num_fds;
    send_hello(fd, &hello);
    struct trestle_v2_welcome welcome = receive_welcome(f, fd, fds, &num_fds);
    assert_int_equal(welcome.status, TRESTLE_V2_OK);
    assert_int_equal(welcome.version, 2);
    close(fd);
}

/* No device can raise a line, or reach the guest's memory: nobody is told that one could. */
static void test_features_that_no_device_has(void **state)
{
    struct fixture *f = *state;
    const struct trestle_bridge_options options = {
        .size = sizeof(options), .wait = TRESTLE_WAIT_SLEEP, .log = fixture_log, .ctx = f};
    struct trestle_model quiet = memory_model;
    const struct trestle_bridge_device device = {.size = sizeof(device),
                                                 .name = "quiet",
                                                 .model = &quiet,
                                                 .base_addr = BASE,
                                                 .region_size = 4096};
    struct trestle_v2_hello hello = hello_for(0, UINT32_MAX);
    quiet.irq_lines = 0;
    quiet.dma_done = NULL;
    trestle_bridge_destroy(f->bridge);
    assert_int_equal(trestle_bridge_create(&options, &f->bridge, NULL), 0);
    assert_int_equal(trestle_bridge_add_device(f->bridge, &device, NULL, NULL), 0);
    assert_int_equal(trestle_bridge_listen(f->bridge, NULL), 0);
    int fds[FDS_MAX], fd = client_connect(f, 0);
    size_t num_fds;
    send_hello(fd, &hello);
    struct trestle_v2_welcome welcome = receive_welcome(f, fd, fds, &num_fds);
    assert_int_equal(welcome.status, TRESTLE_V2_OK);
    assert_int_equal(welcome.features, FEATURES_SHM | TRESTLE_V2_FEATURE_NOTE |
                                           TRESTLE_V2_FEATURE_RESET_DEVICE |
                                           TRESTLE_V2_FEATURE_REGIONS);
    fds_close(fds, num_fds);
    close(fd);
}

static void test_carrier_is_decided_once(void **state)
{
    struct fixture *f = *state;
    int fds[FDS_MAX], fd;
    size_t num_fds;
    struct trestle_v2_hello hello = hello_for(1, FEATURES_SOCKET);
    join(f, &client, 0, FEATURES_SHM);
    fd = client_connect(f, 1);
    send_hello(fd, &hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, TRESTLE_V2_MALFORMED);
    close(fd);
}

/* Where files may not be as large, the answer does not offer it, and the sockets do. */
static void test_no_shared_memory_for_a_client(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_hello hello = hello_for(0, FEATURES_SHM);
    struct rlimit limit, small;
    int fds[FDS_MAX];
    size_t num_fds;
    client.fds[0] = client_connect(f, 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){4096, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    send_hello(client.fds[0], &hello);
    struct trestle_v2_welcome welcome = receive_welcome(f, client.fds[0], fds, &num_fds);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(welcome.status, TRESTLE_V2_OK);
    assert_int_equal(welcome.features, FEATURES_SOCKET);
    assert_int_equal(num_fds, 0);
    assert_log_has(f, "the limit for the size of files");
    assert_log_has(f, "QEMU speaks protocol 2 over sockets");
    client.devices[0] = welcome.device;
    assert_int_equal(ask(f, &client, 0, read_at(0, 4, 0)).status, TRESTLE_V2_OK);
}

/* The memory that the bridge makes gets that number, where the process began without it. */
static void test_memory_of_descriptor_0(void **state)
{
    struct fixture *f = *state;
    struct trestle_v2_hello hello = hello_for(0, FEATURES_SHM);
    int fds[FDS_MAX], fd = client_connect(f, 0);
    size_t num_fds;
    wait_for_log(f, "Device dev0 connected");
    int saved = free_stdin();
    send_hello(fd, &hello);
    assert_int_equal(receive_welcome(f, fd, fds, &num_fds).status, TRESTLE_V2_OK);
    assert_int_equal(num_fds, SHM_NUM_FDS);
    assert_int_equal(fds[SHM_FD_MEMORY], 0); /* the bridge has closed its own by now */
    fds_close(fds, num_fds);
    restore_stdin(saved);
    close(fd);
}

#define CARRIER_TESTS                                                                              \
    CLIENT_TEST(test_read_and_write), CLIENT_TEST(test_carrier_is_said_once),                      \
        CLIENT_TEST(test_no_lines_for_who_does_not_know_of_them),                                  \
        CLIENT_TEST(test_errors_have_a_status), CLIENT_TEST(test_notes), CLIENT_TEST(test_faults), \
        CLIENT_TEST(test_posted_writes_keep_order),                                                \
        CLIENT_TEST(test_posted_writes_outlive_the_client),                                        \
        CLIENT_TEST(test_deferred_answer_stalls), CLIENT_TEST(test_advance),                       \
        CLIENT_TEST(test_reset), CLIENT_TEST(test_reset_of_one_device),                            \
        CLIENT_TEST(test_reset_of_one_device_needs_its_feature), CLIENT_TEST(test_regions),        \
        CLIENT_TEST(test_one_lost_device_leaves_the_others),                                       \
        CLIENT_TEST(test_whole_client_comes_back), CLIENT_TEST(test_other_clients_are_refused),    \
        CLIENT_TEST(test_version_1_beside_a_session), CLIENT_TEST(test_unknown_type),              \
        CLIENT_TEST(test_event_from_a_client), CLIENT_TEST(test_time_beyond_reason),               \
        CLIENT_TEST(test_dma_answer_unasked), CLIENT_TEST(test_second_hello),                      \
        CLIENT_TEST(test_peer_stops_in_mid_message)

/* A client in this thread: the checks of its requests are those of any other. */
static void test_called_directly(void **state)
{
    struct fixture *f = *state;
    struct inline_bridge inside;
    struct trestle_v2_message reply = {0}, request = write_at(REG_VALUE, 0x1234, 0);
    static const struct {
        uint8_t type, size;
        uint32_t device;
        enum trestle_v2_status status;
    } requests[] = {
        {TRESTLE_V2_WRITE, 4, 0, TRESTLE_V2_OK},
        {TRESTLE_V2_READ, 3, 0, TRESTLE_V2_MALFORMED},
        {TRESTLE_V2_READ, 0, 0, TRESTLE_V2_MALFORMED},
        {TRESTLE_V2_READ, 4, 3, TRESTLE_V2_NO_DEVICE},
        {TRESTLE_V2_READ, 4, 0, TRESTLE_V2_OK},
    };
    bridge_inline(f->bridge, NULL, &inside);
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        request.type = requests[i].type;
        request.size = requests[i].size;
        request.device = requests[i].device;
        request.id = i + 1;
        assert_int_equal(inside.call(inside.ctx, &request, &reply), 1);
        assert_int_equal(reply.id, i + 1);
        assert_int_equal(reply.status, requests[i].status);
    }
    assert_int_equal(reply.data, 0x1234);
}

/* What came before is answered first: in the ring, or put off by a device. */
static void test_called_directly_while_others_wait(void **state)
{
    struct fixture *f = *state;
    struct inline_bridge inside;
    struct trestle_v2_message reply = {0}, request = read_at(REG_VALUE, 8, 0);
    bridge_inline(f->bridge, NULL, &inside);
    request.id = 1000;
    uint64_t id = post(&client, 0, write_at(REG_VALUE, 5, 0));
    assert_int_equal(inside.call(inside.ctx, &request, &reply), -EAGAIN);
    expect_reply(f, 0, id);
    assert_int_equal(inside.call(inside.ctx, &request, &reply), 1);
    assert_int_equal(reply.data, 5);
    request.addr = REG_DEFERRED;
    request.id = 1001;
    assert_int_equal(inside.call(inside.ctx, &request, &reply), 0);
    request.addr = REG_VALUE;
    request.id = 1002;
    assert_int_equal(inside.call(inside.ctx, &request, &reply), 0);
    assert_int_equal(inside.call(inside.ctx, &request, &reply), -EAGAIN);
    assert_int_equal(expect_reply(f, 0, 1001).data, 0xdef);
    assert_int_equal(expect_reply(f, 0, 1002).data, 5);
}

#define GUEST_TESTS                                                                                \
    CLIENT_TEST(test_irq_comes_before_the_reply),                                                  \
        CLIENT_TEST(test_timer_is_announced_and_advanced_to),                                      \
        cmocka_unit_test_setup_teardown(test_quiet_device_is_not_announced,                        \
                                        open_client_with_quiet, close_client),                     \
        cmocka_unit_test_setup_teardown(test_a_line_that_leads_nowhere, open_client_without_lines, \
                                        close_client),                                             \
        CLIENT_TEST(test_timer_in_centuries_is_not_announced),                                     \
        CLIENT_TEST(test_what_is_done_from_aside),                                                 \
        CLIENT_TEST(test_posted_write_tells_the_next_event),                                       \
        CLIENT_TEST(test_input_tells_the_next_event),                                              \
        CLIENT_TEST(test_stall_brings_the_next_event_nearer), CLIENT_TEST(test_reset_drops_lines), \
        CLIENT_TEST(test_lines_are_told_to_who_comes_back)

int main(void)
{
    const struct CMUnitTest socket_guest_tests[] = {
        GUEST_TESTS,
        CLIENT_TEST(test_interrupts_that_nobody_reads),
    };
    const struct CMUnitTest shm_guest_tests[] = {
        GUEST_TESTS,
        CLIENT_TEST(test_posted_write_that_interrupts_rings),
    };
    const struct CMUnitTest socket_tests[] = {
        CARRIER_TESTS,
        CLIENT_TEST(test_socket_sequence_jumps),
    };
    const struct CMUnitTest shm_tests[] = {
        CARRIER_TESTS,
        CLIENT_TEST(test_ring_sequence_jumps),
        CLIENT_TEST(test_doorbell_without_a_message),
        CLIENT_TEST(test_doorbell_that_is_closed),
        CLIENT_TEST(test_ring_that_is_filled_last),
        CLIENT_TEST(test_doorbell_that_nobody_empties),
        CLIENT_TEST(test_memory_that_is_unmapped),
        CLIENT_TEST(test_events_consumed_is_a_lie),
        CLIENT_TEST(test_events_not_taken),
        CLIENT_TEST(test_called_directly),
        CLIENT_TEST(test_called_directly_while_others_wait),
    };
    const struct CMUnitTest handshake_tests[] = {
        CLIENT_TEST(test_refused_handshakes),      CLIENT_TEST(test_features_that_no_device_has),
        CLIENT_TEST(test_carrier_is_decided_once), CLIENT_TEST(test_no_shared_memory_for_a_client),
        CLIENT_TEST(test_memory_of_descriptor_0),
    };
    features = FEATURES_SOCKET;
    int failed = cmocka_run_group_tests_name("v2 over sockets", socket_tests, NULL, NULL);
    features = FEATURES_SHM;
    failed += cmocka_run_group_tests_name("v2 over shared memory", shm_tests, NULL, NULL);
    features = FEATURES_GUEST;
    failed +=
        cmocka_run_group_tests_name("v2 to the guest, sockets", socket_guest_tests, NULL, NULL);
    features = FEATURES_GUEST | TRESTLE_V2_FEATURE_SHM;
    failed +=
        cmocka_run_group_tests_name("v2 to the guest, shared memory", shm_guest_tests, NULL, NULL);
    features = 0;
    failed += cmocka_run_group_tests_name("v2 handshakes", handshake_tests, NULL, NULL);
    return failed;
}
