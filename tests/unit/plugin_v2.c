/* SPDX-License-Identifier: MIT */
/* Protocol 2 as the plugin speaks it, over sockets and over rings, without a QEMU: accesses, what
 * comes for the guest, time, resets, devices that are lost, and processes that say nonsense. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "notes.h"
#include "plugin/v2/inline.h"
#include "v2_machine.h"

#define HELLOS                                                           \
    "connect 0\nconnect 1\n"                                             \
    "hello of 1: features 0x%x, 0x10200000+0x1000, lines 2, regions 0\n" \
    "hello of 2: features 0x%x, 0x10201000+0x1000, lines 2, regions 0\n"
enum { OFFERED = V2_FEATURES | TRESTLE_V2_FEATURE_REGIONS | TRESTLE_V2_FEATURE_MEMORY };

static bool is_ring;

static struct trestle_v2_message nonsense;

static void say_nonsense(void)
{
    v2_machine_say(0, nonsense);
}

static void prepare(void)
{
    v2_machine_clear();
    for (unsigned i = 0; i < V2_DEVICES; i++)
        v2_machine.devices[i].carrier = is_ring ? CARRIER_SHM : CARRIER_SOCKET;
    if (is_ring)
        v2_machine.welcome.features |= TRESTLE_V2_FEATURE_SHM;
}

static int set_up(void **state)
{
    (void)state;
    prepare();
    v2_machine_start();
    (void)notes_take();
    return 0;
}

static int set_up_nothing(void **state)
{
    (void)state;
    prepare();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    v2_machine_finish();
    return 0;
}

/* Devices that were never opened. */
static int tear_down_nothing(void **state)
{
    (void)state;
    return 0;
}

static struct sst_device *device(unsigned i)
{
    return &v2_machine.devices[i];
}

/* --- accesses -------------------------------------------------------------------------------- */

static void test_hellos(void **state)
{
    char expected[400];
    unsigned features = OFFERED | (is_ring ? TRESTLE_V2_FEATURE_SHM : 0);
    (void)state;
    v2_machine_start();
    snprintf(expected, sizeof(expected), HELLOS, features, features);
    check_log(expected);
    assert_memory_equal(v2_machine.clients[0], v2_machine.clients[1], TRESTLE_V2_ID_SIZE);
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    v2_machine_finish();
}

static void test_accesses(void **state)
{
    uint64_t data = 0;
    (void)state;
    v2_machine.reply.data = 0x1234;
    assert_int_equal(v2_machine_read(0, 0x10, &data), 0);
    assert_int_equal(data, 0x1234);
    v2_machine.guest_ns = 70;
    assert_int_equal(v2_machine_write(1, 0x20, 0xabcd), 0);
    check_log("1> read/4 0x10 0x0 at 5000\n2> write/2 0x20 0xabcd at 70000\n");
    v2_machine.reply.status = TRESTLE_V2_RANGE;
    assert_int_equal(v2_machine_read(0, 0x11, &data), -EIO);
    struct transport_access access = {.offset = 8, .size = 1, .region = 3};
    v2_machine.reply.status = TRESTLE_V2_OK;
    assert_int_equal(transport_v2.perform(device(0), &access, &data), 0);
    check_log("1> read/4 0x11 0x0 at 70000\n1> read/1 0x8 0x0 extra 0x3 at 70000\n");
}

/* Nobody waits for it. What was posted on one socket is done before something goes on another. */
static void test_posted_writes(void **state)
{
    (void)state;
    device(0)->posted_writes = true;
    v2_machine.is_mute = true;
    assert_int_equal(v2_machine_write(0, 0, 1), 0);
    assert_int_equal(v2_machine_write(0, 0, 2), 0);
    check_log("");
    v2_machine.is_mute = false;
    assert_int_equal(v2_machine_read(1, 4, NULL), 0);
    check_log(is_ring ? "1> write posted/2 0x0 0x1 at 5000\n1> write posted/2 0x0 0x2 at 5000\n"
                        "2> read/4 0x4 0x0 at 5000\n"
                      : "1> write posted/2 0x0 0x1 at 5000\n1> write posted/2 0x0 0x2 at 5000\n"
                        "1> flush 0x0 0x0 at 5000\n2> read/4 0x4 0x0 at 5000\n");
    assert_int_equal(v2_machine_read(1, 4, NULL), 0);
    assert_int_equal(v2_machine_read(0, 4, NULL), 0);
    check_log("2> read/4 0x4 0x0 at 5000\n1> read/4 0x4 0x0 at 5000\n");
}

static void test_no_posted_writes_without_the_feature(void **state)
{
    (void)state;
    v2_machine.welcome.features &= ~(uint32_t)TRESTLE_V2_FEATURE_POSTED;
    device(0)->posted_writes = true;
    v2_machine_start();
    (void)notes_take();
    assert_int_equal(v2_machine_write(0, 0, 1), 0);
    check_log("1> write/2 0x0 0x1 at 5000\n");
    v2_machine_finish();
}

/* More posted writes than a ring holds. */
static void test_no_room(void **state)
{
    unsigned count = 0;
    (void)state;
    device(0)->posted_writes = true;
    v2_machine.has_no_room = true;
    while (v2_machine_write(0, 0, count) == 0)
        assert_cmp(++count, <=, RING_SLOTS);
    assert_int_equal(count, RING_SLOTS);
    check_log("1: no answer within 50 ms (0); its accesses fail until it is back\n");
}

/* --- what comes for the guest ---------------------------------------------------------------- */

static void say_line(unsigned i, uint32_t line, bool level)
{
    v2_machine_say(
        i, (struct trestle_v2_message){.type = TRESTLE_V2_IRQ, .addr = line, .data = level});
}

static void interrupt_then_serve(void)
{
    say_line(1, 1, true);
    say_line(1, 1, true);
    say_line(0, 0, true);
    v2_machine_serve();
}

static void test_interrupts(void **state)
{
    (void)state;
    v2_machine_next_wait(interrupt_then_serve);
    assert_int_equal(v2_machine_read(0, 0, NULL), 0); /* before its answer */
    if (is_ring)
        check_log("1> read/4 0x0 0x0 at 5000\n2: line 1 is 1\n1: line 0 is 1\n");
    else /* what is for another socket is there when QEMU looks */
        check_log("1> read/4 0x0 0x0 at 5000\n1: line 0 is 1\n");
    v2_machine_main_loop();
    (void)notes_take();
    say_line(0, 0, false);
    v2_machine_main_loop();
    check_log("1: line 0 is 0\n");
    assert_int_equal(device(0)->irq_levels, 0);
    assert_int_equal(device(1)->irq_levels, 2);
    v2_machine_main_loop();
    check_log("");
}

static void test_a_posted_write_that_interrupts(void **state)
{
    (void)state;
    device(0)->posted_writes = true;
    assert_int_equal(v2_machine_write(0, 0, 1), 0);
    v2_machine_serve();
    say_line(0, 0, true);
    (void)notes_take();
    assert_int_equal(v2_machine_write(0, 0, 1), 0); /* the guest does nothing else */
    check_log("1: line 0 is 1\n");
}

static void serve_then_interrupt(void)
{
    v2_machine_serve();
    say_line(0, 1, true);
    say_line(1, 0, true);
}

/* What came behind an answer, after the bell, does not ring again. */
static void test_interrupts_behind_an_answer(void **state)
{
    (void)state;
    v2_machine_next_wait(serve_then_interrupt);
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1> read/4 0x0 0x0 at 5000\n1: line 1 is 1\n2: line 0 is 1\n");
    v2_machine_main_loop();
    check_log("");
}

/* More than are looked at in a turn, of which nothing is lost. */
static void test_many_interrupts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        say_line(0, i % 2, i / 2 % 2 == 0);
    for (unsigned i = 0; i < 100; i++)
        v2_machine_main_loop();
    const char *log = notes_take();
    unsigned count = 0;
    for (const char *c = log; *c; c++)
        count += *c == '\n';
    assert_cmp(count, >, 100); /* as many as are noted */
    assert_int_equal(device(0)->irq_levels, 0);
    say_line(0, 1, true);
    v2_machine_main_loop();
    assert_int_equal(device(0)->irq_levels, 2);
}

/* A bell that is rung for nothing is nothing, but not for ever. */
static void test_rings_for_nothing(void **state)
{
    unsigned turns = 0;
    (void)state;
    v2_machine_ring();
    v2_machine_main_loop();
    check_log("");
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    (void)notes_take();
    while (session_first()) {
        v2_machine_ring();
        v2_machine_main_loop();
        assert_cmp(++turns, <, 10000);
    }
    assert_cmp(turns, >, 100);
    check_log("2: the other side broke the protocol: rings without a message; connection closed, "
              "and those of 1 other devices of the same session (1); its accesses fail until it is "
              "back\n");
}

static void hang_up_while_unlocked(void)
{
    v2_machine_hang_up(0);
    v2_machine_main_loop(); /* which leaves the device to its access */
}

/* Others may have the big lock while the access sleeps, and QEMU's main loop with it. */
static void test_the_big_lock(void **state)
{
    (void)state;
    v2_machine.num_devices = 1;
    device(0)->release_lock = true;
    v2_machine_start();
    (void)notes_take();
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("unlock\n1> read/4 0x0 0x0 at 5000\nlock\n");
    say_line(0, 1, true); /* is heard of again */
    v2_machine_main_loop();
    check_log("1: line 1 is 1\n");
    v2_machine_next_wait(hang_up_while_unlocked);
    assert_int_equal(v2_machine_read(0, 0, NULL), -ECONNRESET);
    check_log("unlock\nlock\n1: line 1 is 0\n"
              "1: the connection was closed (0); its accesses fail until it is back\n");
    v2_machine_finish();
}

static void interrupt_for_ever(void)
{
    for (unsigned i = 0; i < 6; i++)
        say_line(0, 0, i % 2);
    v2_machine_next_wait(interrupt_for_ever);
}

/* They do not put off the end of the wait. */
static void test_interrupts_without_end(void **state)
{
    (void)state;
    v2_machine_next_wait(interrupt_for_ever);
    assert_int_equal(v2_machine_read(0, 0, NULL), -ETIMEDOUT);
    v2_machine_next_wait(NULL);
    assert_non_null(strstr(notes_take(), "1: no answer within 50 ms"));
}

static uint64_t dma_size, dma_addr;

static void fetch_then_serve(void)
{
    v2_machine_say(0, (struct trestle_v2_message){.type = TRESTLE_V2_DMA_READ,
                                                  .id = 99,
                                                  .addr = dma_addr,
                                                  .data = dma_size,
                                                  .extra = is_ring ? 64 : 0});
}

static void test_a_transfer_from_memory(void **state)
{
    (void)state;
    memcpy(v2_machine.ram + 0x100, "from the guest", 14);
    dma_addr = V2_RAM + 0x100;
    dma_size = 14;
    v2_machine.payload_size = is_ring ? 0 : 14;
    v2_machine_next_wait(fetch_then_serve);
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1: fetch 0x80000100 14\n1> read/4 0x0 0x0 at 5000\n1> done 0x0 0x0 at 0\n");
    assert_memory_equal(is_ring ? v2_machine_bulk() + 64 : v2_machine.payload, "from the guest",
                        14);
    dma_addr = V2_RAM + V2_RAM_SIZE - 13; /* not all of it is RAM */
    v2_machine_next_wait(fetch_then_serve);
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1: fetch 0x8003fff3 14\n1> read/4 0x0 0x0 at 5000\n"
              "1> done 0x0 0x0 status 10 at 0\n");
}

static void store_then_serve(void)
{
    if (is_ring)
        memcpy(v2_machine_bulk() + 64, "to the guest", 12);
    v2_machine_say(0, (struct trestle_v2_message){.type = TRESTLE_V2_DMA_WRITE,
                                                  .id = 99,
                                                  .addr = V2_RAM + 8,
                                                  .data = 12,
                                                  .extra = is_ring ? 64 : 0});
    if (!is_ring)
        v2_machine_send(0, "to the guest", 12);
}

static void test_a_transfer_to_memory(void **state)
{
    (void)state;
    v2_machine_next_wait(store_then_serve);
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1: store 0x80000008 12\n1> read/4 0x0 0x0 at 5000\n1> done 0x0 0x0 at 0\n");
    assert_memory_equal(v2_machine.ram + 8, "to the guest", 12);
    assert_int_equal(v2_machine.ram[20], 0);
    /* And while nobody accesses anything. */
    store_then_serve();
    v2_machine_main_loop();
    check_log("1: store 0x80000008 12\n");
    v2_machine_serve();
    check_log("1> done 0x0 0x0 at 0\n");
}

/* --- time and resets ------------------------------------------------------------------------- */

static void test_time(void **state)
{
    (void)state;
    v2_machine.reply.next = 7001; /* in picoseconds: not before that */
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1> read/4 0x0 0x0 at 5000\ntimer at 8\n");
    v2_machine.reply.next = 5000; /* is over */
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1> read/4 0x0 0x0 at 5000\ntimer at 6\n");
    v2_machine.reply.next = 9000;
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1> read/4 0x0 0x0 at 5000\ntimer at 9\n");
    v2_machine.reply.next = TRESTLE_TIME_NEVER;
    v2_machine_due();
    check_log("2> advance 0x0 0x0 at 9000\n");
}

static void test_time_that_no_access_asks_for(void **state)
{
    (void)state;
    v2_machine.welcome.next = 20000;
    v2_machine_start();
    (void)notes_take();
    v2_machine.reply.next = 30000;
    v2_machine_due();
    check_log("2> advance 0x0 0x0 at 20000\ntimer at 30\n");
    v2_machine_finish();
}

static void test_reset(void **state)
{
    (void)state;
    v2_machine.guest_ns = 8;
    v2_machine_reset(); /* once for all */
    check_log("lines are held\n2> reset 0x0 0x0 at 8000\nlines are released\n");
}

static void test_reset_of_one_device(void **state)
{
    (void)state;
    transport_v2.reset(device(0));
    check_log("1> reset alone 0x0 0x0 at 5000\n");
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    check_log("1> read/4 0x0 0x0 at 5000\n");
}

static void test_no_reset_of_one_device_without_the_feature(void **state)
{
    (void)state;
    v2_machine.welcome.features &= ~(uint32_t)TRESTLE_V2_FEATURE_RESET_DEVICE;
    v2_machine_start();
    (void)notes_take();
    transport_v2.reset(device(0));
    check_log("1: the other side is older and knows no reset of one device; it keeps its state "
              "until the guest is reset\n");
    transport_v2.reset(device(0));
    check_log("");
    assert_int_equal(v2_machine_read(0, 0, NULL), 0); /* which owes nothing */
    check_log("1> read/4 0x0 0x0 at 5000\n");
    v2_machine_finish();
}

static void test_a_debugger(void **state)
{
    (void)state;
    v2_machine.reply.data = 0xf5;
    assert_int_equal(transport_v2.begin_debug(device(0)), 5);
    check_log("1> note 0x1 0x0 at 5000\n");
}

static void test_a_debugger_without_the_feature(void **state)
{
    (void)state;
    v2_machine.welcome.features &= ~(uint32_t)TRESTLE_V2_FEATURE_NOTE;
    v2_machine_start();
    (void)notes_take();
    v2_machine.reply.data = 0xf5;
    assert_int_equal(transport_v2.begin_debug(device(0)), 0);
    check_log("");
    v2_machine_finish();
}

/* --- devices that are lost ------------------------------------------------------------------- */

static void test_no_answer_in_time(void **state)
{
    struct v2 *v2 = device(0)->connection;
    (void)state;
    v2_machine.is_mute = true;
    assert_int_equal(v2_machine_read(0, 4, NULL), -ETIMEDOUT);
    check_log("1> read/4 0x4 0x0 at 5000\n"
              "1: no answer within 50 ms (0); its accesses fail until it is back\n");
    assert_int_equal(v2->recovery.state, LATE);
    assert_int_equal(v2_machine_read(0, 8, NULL), -ETIMEDOUT); /* at once, and nothing is sent */
    v2_machine_serve();
    check_log("");
    /* It answers after all. */
    v2_machine_say(0, (struct trestle_v2_message){.type = TRESTLE_V2_REPLY, .next = UINT64_MAX});
    v2_machine.is_mute = false;
    v2_machine_main_loop();
    check_log("1: lines are set anew\n");
    assert_int_equal(v2->recovery.state, UP);
    assert_int_equal(v2_machine_read(0, 8, NULL), 0);
    check_log("1> note 0x2 0x0 at 5000\n1> read/4 0x8 0x0 at 5000\n1: answers again\n"
              "1: lines are set anew\n");
    assert_int_equal(v2_machine_read(0, 8, NULL), 0);
    check_log("1> read/4 0x8 0x0 at 5000\n");
}

/* One that never sleeps notices both ends of its patience. */
static void test_spinning(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        device(i)->wait = TRESTLE_WAIT_SPIN;
    v2_machine_start();
    (void)notes_take();
    assert_int_equal(v2_machine_read(0, 4, NULL), -ETIMEDOUT);
    assert_non_null(strstr(notes_take(), "1: no answer within 50 ms"));
    device(1)->timeout_ms = 1000;
    v2_machine_hang_up(1);
    assert_int_equal(v2_machine_read(1, 4, NULL), -ECONNRESET);
    v2_machine_finish();
}

/* Others of the same process go on, and the wait is given up after its time-out, doubled. */
static void test_no_answer_at_all(void **state)
{
    (void)state;
    v2_machine.is_mute = true;
    assert_int_equal(v2_machine_read(0, 4, NULL), -ETIMEDOUT);
    v2_machine.is_mute = false;
    (void)notes_take();
    assert_int_equal(v2_machine_read(1, 4, NULL), 0);
    check_log("2> read/4 0x4 0x0 at 5000\n");
    v2_machine_pass(40);
    assert_int_equal(v2_machine_read(0, 4, NULL), -ETIMEDOUT);
    check_log("");
    v2_machine_pass(20);
    unsigned before = v2_machine.greetings;
    assert_int_equal(v2_machine_read(0, 4, NULL), 0); /* over a new connection */
    assert_int_equal(v2_machine.greetings, before + 1);
    assert_non_null(strstr(notes_take(), "1: answers again\n"));
}

/* A reset of the device reaches it when it is there again. */
static void test_resets_of_lost_devices(void **state)
{
    (void)state;
    v2_machine_hang_up(0);
    v2_machine_main_loop();
    transport_v2.reset(device(0));
    assert_non_null(strstr(notes_take(), "1> reset alone 0x0 0x0 at 5000\n"));
    v2_machine_hang_up(0);
    v2_machine.is_absent = true;
    v2_machine_main_loop();
    transport_v2.reset(device(0));
    v2_machine.is_absent = false;
    v2_machine_pass(1000);
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    assert_non_null(
        strstr(notes_take(), "1> reset alone 0x0 0x0 at 5000\n1> read/4 0x0 0x0 at 5000\n"));
    assert_int_equal(transport_v2.begin_debug(device(0)), 0);
    check_log("1> note 0x1 0x0 at 5000\n");
}

static void test_a_closed_connection(void **state)
{
    struct v2 *v2 = device(0)->connection;
    (void)state;
    device_set_line(device(0), 1, true);
    (void)notes_take();
    v2_machine_hang_up(0);
    v2_machine.is_absent = v2_machine.is_mute = true;
    assert_int_equal(v2_machine_read(0, 4, NULL), -ECONNRESET);
    v2_machine.is_mute = false;
    check_log(is_ring ? "1> read/4 0x4 0x0 at 5000\n1: line 1 is 0\n"
                        "1: the connection was closed (0); its accesses fail until it is back\n"
                      : "1: line 1 is 0\n"
                        "1: the connection was closed (0); its accesses fail until it is back\n");
    assert_int_equal(v2->recovery.state, DOWN);
    assert_int_equal(v2_machine_read(0, 4, NULL), -ENOTCONN);
    check_log("");
    v2_machine_pass(10);
    assert_int_equal(v2_machine_read(0, 4, NULL), -ECONNREFUSED);
    v2_machine_pass(15); /* it waits for longer each time */
    assert_int_equal(v2_machine_read(0, 4, NULL), -ENOTCONN);
    v2_machine_pass(6);
    v2_machine.is_absent = false;
    check_log("connect 0\n");
    assert_int_equal(v2_machine_read(0, 4, NULL), 0);
    assert_non_null(strstr(notes_take(), "1> read/4 0x4 0x0 at 5000\n1: answers again\n"
                                         "1: lines are set anew\n"));
    assert_int_equal(v2_machine_read(1, 4, NULL), 0); /* nothing happened to it */
    check_log("2> read/4 0x4 0x0 at 5000\n");
}

/* Seen by QEMU's main loop: the next access may connect at once. */
static void test_an_end_that_nobody_waits_for(void **state)
{
    (void)state;
    v2_machine_hang_up(1);
    v2_machine_main_loop();
    check_log("2: the connection was closed (1); its accesses fail until it is back\n");
    assert_int_equal(v2_machine_read(1, 4, NULL), 0);
    assert_non_null(strstr(notes_take(), "2: answers again\n"));
}

static void test_nobody_is_there(void **state)
{
    (void)state;
    v2_machine.is_absent = true;
    v2_machine_start();
    check_log("connect 0\nconnect 1\n"
              "1: cannot connect to 0: Connection refused; its accesses fail until it is there\n"
              "2: cannot connect to 1: Connection refused; its accesses fail until it is there\n");
    assert_int_equal(v2_machine_read(0, 4, NULL), -ENOTCONN);
    v2_machine.is_absent = false;
    v2_machine_pass(10);
    assert_int_equal(v2_machine_read(0, 4, NULL), 0);
    assert_non_null(strstr(notes_take(), "1: answers again\n"));
    v2_machine_finish();
}

/* Seen at the rings, whose sockets somebody still has. */
static void test_the_end_of_rings(void **state)
{
    (void)state;
    v2_machine_close_ring();
    v2_machine_main_loop();
    check_log("2: the connection was closed (1); its accesses fail until it is back\n"
              "1: the connection was closed (0); its accesses fail until it is back\n");
    assert_null(session_first());
}

static void test_the_end_of_rings_while_one_waits(void **state)
{
    (void)state;
    v2_machine.is_mute = true;
    v2_machine_next_wait(v2_machine_close_ring);
    assert_int_equal(v2_machine_read(0, 0, NULL), -ECONNRESET);
}

/* Who connects, and says nothing, is not tried as often as one that is not there. */
static void test_an_overdue_handshake(void **state)
{
    (void)state;
    v2_machine.is_mute = true;
    v2_machine_start();
    v2_machine.is_mute = false;
    v2_machine_pass(20);
    assert_int_equal(v2_machine_read(0, 4, NULL), -ENOTCONN);
    v2_machine_pass(40);
    assert_int_equal(v2_machine_read(0, 4, NULL), 0);
    v2_machine_finish();
}

/* What it posted is lost with it: nothing of it is waited for. */
static void test_posted_writes_of_a_lost_device(void **state)
{
    (void)state;
    device(0)->posted_writes = true;
    assert_int_equal(v2_machine_write(0, 0, 1), 0);
    v2_machine_hang_up(0);
    v2_machine_main_loop();
    (void)notes_take();
    assert_int_equal(v2_machine_read(1, 4, NULL), 0);
    assert_null(strstr(notes_take(), "flush"));
}

static void test_no_answer_to_what_nobody_asked_for(void **state)
{
    (void)state;
    v2_machine.is_mute = true;
    v2_machine_reset();
    assert_non_null(strstr(notes_take(),
                           "2: no answer within 50 ms (1); its accesses fail until it is back\n"
                           "lines are released\n"));
    v2_machine_reset(); /* by the other one */
    assert_non_null(strstr(notes_take(), "1> reset"));
}

/* A late answer says when the guest must come back, like any other. */
static void test_time_in_a_late_answer(void **state)
{
    (void)state;
    v2_machine.is_mute = true;
    assert_int_equal(v2_machine_read(0, 4, NULL), -ETIMEDOUT);
    v2_machine_serve();
    (void)notes_take();
    v2_machine_say(0, (struct trestle_v2_message){.type = TRESTLE_V2_REPLY, .next = 90000});
    v2_machine_main_loop();
    check_log("1: lines are set anew\ntimer at 90\n");
}

/* --- several processes ----------------------------------------------------------------------- */

static void test_two_processes(void **state)
{
    (void)state;
    v2_machine.processes[1] = 1;
    v2_machine_start();
    (void)notes_take();
    device(0)->posted_writes = true;
    assert_int_equal(v2_machine_write(0, 0, 1), 0);
    assert_int_equal(v2_machine_read(1, 4, NULL), 0); /* with nothing in common */
    check_log("1> write posted/2 0x0 0x1 at 5000\n2> read/4 0x4 0x0 at 5000\n");
    v2_machine_reset(); /* both hear of it before either is waited for */
    check_log("lines are held\n1> reset 0x0 0x0 at 5000\n2> reset 0x0 0x0 at 5000\n"
              "lines are released\n");
    nonsense = (struct trestle_v2_message){.type = 0x7f};
    v2_machine_next_wait(say_nonsense);
    assert_int_equal(v2_machine_read(0, 4, NULL), -EPROTO);
    check_log("1: the other side broke the protocol: a message of type 0x7f; connection closed "
              "(0); its accesses fail until it is back\n");
    assert_int_equal(v2_machine_read(1, 4, NULL), 0);
    v2_machine_finish();
}

/* --- handshakes that fail -------------------------------------------------------------------- */

static void check_refusal(const char *why)
{
    char expected[200];
    v2_machine.num_devices = 1;
    v2_machine_start();
    const char *log = notes_take(), *line = strstr(log, "1: cannot");
    snprintf(expected, sizeof(expected),
             "1: cannot connect to 0: %s; its accesses fail until it is there\n", why);
    assert_string_equal(line ? line : log, expected);
    v2_machine_finish();
    prepare();
}

static void test_refusals(void **state)
{
    (void)state;
    v2_machine.bytes = "nonsense, and more than eight bytes of it";
    check_refusal("the other side does not speak protocol 2; use protocol=1");
    v2_machine.is_mute = true;
    check_refusal("accepts connections but answers no handshake");
    v2_machine.hangs_up = true;
    check_refusal("the connection was closed during the handshake");
    v2_machine.welcome.version = 3;
    check_refusal("it chose a version of the protocol that this plugin does not speak");
    v2_machine.welcome.features |= 1u << 31;
    check_refusal("it answered with features that were not offered");
    v2_machine.numbers[0] = TRESTLE_V2_DEVICES_MAX;
    check_refusal("it gave a number that no device has");
    v2_machine.welcome.size = 0x2000;
    check_refusal(trestle_v2_status_text(TRESTLE_V2_GEOMETRY));
    v2_machine.welcome.status = TRESTLE_V2_GEOMETRY;
    check_refusal(trestle_v2_status_text(TRESTLE_V2_GEOMETRY));
    v2_machine.welcome.status = TRESTLE_V2_BUSY;
    check_refusal(trestle_v2_status_text(TRESTLE_V2_BUSY));
    device(0)->pci.num_regions = 2;
    check_refusal("the other side is older and knows one region of a device");
    device(0)->pci.num_regions = 2;
    device(0)->pci.are_memory[1] = true;
    v2_machine.welcome.features |= TRESTLE_V2_FEATURE_REGIONS;
    check_refusal("the other side has no regions that are memory");
    v2_machine.welcome.features &= ~(uint32_t)TRESTLE_V2_FEATURE_SHM;
    if (is_ring)
        check_refusal("the other side has no shared memory; use carrier=auto");
    v2_machine.no_descriptors = true;
    if (is_ring)
        check_refusal("its answer came with the wrong number of descriptors");
}

/* Of one of the two, whichever is the second to join. */
static void check_second_refusal(const char *why)
{
    char expected[200];
    v2_machine_start();
    const char *line = strstr(notes_take(), ": cannot connect to ");
    snprintf(expected, sizeof(expected), ": %s; its accesses fail until it is there\n", why);
    assert_non_null(line);
    assert_string_equal(line + strlen(": cannot connect to 1"), expected);
    v2_machine_finish();
    prepare();
}

/* None of them stays open. */
static void test_descriptors_that_nobody_wants(void **state)
{
    (void)state;
    v2_machine.more_descriptors = true;
    if (is_ring)
        check_second_refusal("its answer came with the wrong number of descriptors");
    else
        check_refusal("its answer came with the wrong number of descriptors");
    v2_machine.more_descriptors = true;
    v2_machine.welcome.status = TRESTLE_V2_GEOMETRY;
    check_refusal(trestle_v2_status_text(TRESTLE_V2_GEOMETRY));
}

static void test_refusals_of_a_second_device(void **state)
{
    (void)state;
    v2_machine.numbers[1] = v2_machine.numbers[0];
    check_second_refusal("it gave the number of another device");
    device(1)->release_lock = true;
    check_second_refusal("release_lock needs a process with no other device");
    device(0)->release_lock = true;
    check_second_refusal("release_lock needs a process with no other device");
}

/* Another client may have the session over the other carrier. */
static void test_busy(void **state)
{
    (void)state;
    for (int carrier = CARRIER_AUTO; carrier <= CARRIER_SHM; carrier++) {
        v2_machine.welcome.status = TRESTLE_V2_BUSY;
        v2_machine.num_devices = 1;
        device(0)->carrier = carrier;
        v2_machine_start();
        assert_int_equal(v2_machine.greetings, carrier == CARRIER_AUTO ? 2 : 1);
        if (carrier == CARRIER_AUTO) /* as somebody else, since a session has one carrier */
            assert_memory_not_equal(v2_machine.clients[0], v2_machine.clients[1],
                                    TRESTLE_V2_ID_SIZE);
        v2_machine_finish();
        prepare();
    }
}

/* A region that is memory is handed over with each connection. */
static void test_a_region_of_memory(void **state)
{
    (void)state;
    v2_machine.welcome.features |= TRESTLE_V2_FEATURE_REGIONS | TRESTLE_V2_FEATURE_MEMORY;
    for (int is_refused = 0; is_refused < 2; is_refused++) {
        uint32_t features = v2_machine.welcome.features;
        v2_machine.num_devices = 1;
        device(0)->pci.num_regions = 3;
        device(0)->pci.are_memory[1] = true;
        device(0)->pci.sizes[1] = 0x3000;
        device(0)->pci.memory_fds[1] = STDERR_FILENO;
        v2_machine.reply.status = is_refused ? TRESTLE_V2_NO_MEMORY : TRESTLE_V2_OK;
        v2_machine_start();
        const char *line = strstr(notes_take(), ", regions 2\n1> memory 0x1 0x3000 at 0\n");
        assert_non_null(line);
        assert_int_equal(strstr(line, trestle_v2_status_text(TRESTLE_V2_NO_MEMORY)) != NULL,
                         is_refused);
        if (!is_refused)
            assert_int_equal(v2_machine_read(0, 0, NULL), 0);
        v2_machine_finish();
        prepare();
        v2_machine.welcome.features = features;
    }
    device(1)->pci.num_regions = 1; /* of the second one */
    device(1)->pci.are_memory[0] = true;
    device(1)->pci.sizes[0] = 0x1000;
    device(1)->pci.memory_fds[0] = STDERR_FILENO;
    v2_machine_start();
    assert_non_null(strstr(notes_take(), "\n2> memory 0x0 0x1000 at 0\n"));
    v2_machine_finish();
}

/* Those that come with the second half are nobody's. */
static void test_a_welcome_in_halves(void **state)
{
    (void)state;
    v2_machine.has_halves = true;
    v2_machine.num_devices = 1;
    v2_machine_start();
    assert_int_equal(v2_machine_read(0, 0, NULL), 0);
    v2_machine_finish();
}

/* Two that are ready at the same time are looked at in the same turn. */
static void test_interrupts_of_two(void **state)
{
    (void)state;
    say_line(0, 0, true);
    say_line(1, 1, true);
    v2_machine_main_loop();
    assert_int_equal(device(0)->irq_levels, 1);
    assert_int_equal(device(1)->irq_levels, 2);
}

/* One that does not ask is not told. */
static void test_no_bus_without_the_feature(void **state)
{
    (void)state;
    for (int is_direct = 1; is_direct >= 0; is_direct--) {
        device(0)->pci.is_direct = is_direct;
        transport_v2.bus_changed(device(0));
        check_log("");
        assert_int_equal(v2_machine_read(0, 0, NULL), 0);
        check_log("1> read/4 0x0 0x0 at 5000\n");
    }
}

/* The other carrier will do, where the user leaves the choice. */
static void test_the_other_carrier(void **state)
{
    (void)state;
    device(0)->carrier = device(1)->carrier = CARRIER_AUTO;
    v2_machine.welcome.features = V2_FEATURES | TRESTLE_V2_FEATURE_SHM;
    v2_machine.no_descriptors = true;
    v2_machine_start();
    /* The answer to the second try is as wrong: shared memory was not offered any more. */
    assert_non_null(strstr(notes_take(), "1: cannot connect to 0: it answered with features "
                                         "that were not offered"));
    assert_int_equal(v2_machine.greetings, 4);
    v2_machine_finish();
}

/* --- nonsense -------------------------------------------------------------------------------- */

static void check_broken(const struct trestle_v2_message *message, const char *why)
{
    char expected[300];
    nonsense = *message;
    v2_machine_start();
    (void)notes_take();
    v2_machine_next_wait(say_nonsense);
    assert_int_equal(v2_machine_read(0, 4, NULL), -EPROTO);
    snprintf(expected, sizeof(expected),
             "1: the other side broke the protocol: %s; connection closed, and those of 1 other "
             "devices of the same session (0); its accesses fail until it is back\n",
             why);
    assert_string_equal(notes_take(), expected);
    assert_null(session_first());
    assert_int_equal(v2_machine_read(1, 4, NULL), -ENOTCONN);
    v2_machine_pass(10);
    v2_machine_close_ring(); /* it makes another */
    assert_int_equal(v2_machine_read(1, 4, NULL), 0);
    assert_non_null(strstr(notes_take(), "2: answers again\n"));
    v2_machine_finish();
    prepare();
}

static void test_nonsense(void **state)
{
    (void)state;
    check_broken(&(struct trestle_v2_message){.type = 0x7f}, "a message of type 0x7f");
    check_broken(&(struct trestle_v2_message){.type = 0x86}, "a message of type 0x86");
    check_broken(&(struct trestle_v2_message){.type = TRESTLE_V2_REPLY, .id = 1, .flags = 1},
                 "a message of type 0x81 with a field out of its values");
    check_broken(&(struct trestle_v2_message){.type = TRESTLE_V2_DMA_WRITTEN},
                 "a message of type 0x85 with a field out of its values");
    check_broken(&(struct trestle_v2_message){.type = TRESTLE_V2_IRQ, .addr = 2},
                 "an interrupt of a line that is not there");
    check_broken(
        &(struct trestle_v2_message){.type = TRESTLE_V2_DMA_WRITTEN, .addr = 0x1000, .data = 4},
        "a DMA outside the guest's RAM");
    if (is_ring)
        check_broken(&(struct trestle_v2_message){.type = TRESTLE_V2_DMA_WRITE,
                                                  .id = 1,
                                                  .addr = V2_RAM,
                                                  .data = 64,
                                                  .extra = SHM_BULK_SIZE - 63},
                     "a DMA outside the bulk area");
}

static void send_bytes(void)
{
    v2_machine_send(0, "a byte", 1);
}

/* The socket beside a ring carries none, and one that a stream stopped in is of no use. */
static void test_bytes_that_make_no_message(void **state)
{
    (void)state;
    v2_machine_next_wait(send_bytes);
    v2_machine.is_mute = true;
    if (is_ring) {
        assert_int_equal(v2_machine_read(0, 4, NULL), -EPROTO);
        assert_non_null(strstr(notes_take(), "bytes on a socket that must not carry any"));
    } else {
        assert_int_equal(v2_machine_read(0, 4, NULL), -ETIMEDOUT);
    }
}

/* --- inside QEMU's process ------------------------------------------------------------------- */

static void answer_late(void)
{
    v2_machine_say(0, (struct trestle_v2_message){
                          .type = TRESTLE_V2_REPLY, .data = 0x77, .next = TRESTLE_TIME_NEVER});
}

static void interrupt_and_answer(void)
{
    say_line(0, 1, true);
    answer_late();
}

static void prepare_inline(void)
{
    inline_bridge = (struct inline_bridge){.call = v2_machine_call, .serve = v2_machine_let};
    for (unsigned i = 0; i < V2_DEVICES; i++)
        device(i)->is_inline = true;
    v2_machine_start();
    (void)notes_take();
}

static void test_inline(void **state)
{
    uint64_t data = 0;
    (void)state;
    prepare_inline();
    v2_machine.reply.data = 0x1234;
    v2_machine.reply.next = 8000;
    assert_int_equal(v2_machine_read(0, 0x10, &data), 0);
    assert_int_equal(data, 0x1234);
    check_log("1> read/4 0x10 0x0 at 5000\ntimer at 8\n");
    device(1)->posted_writes = true; /* there is nothing to gain */
    assert_int_equal(v2_machine_write(1, 0x10, 5), 0);
    check_log("2> write/2 0x10 0x5 at 5000\n");
    /* What was posted before the answer comes first. */
    say_line(1, 0, true);
    assert_int_equal(v2_machine_read(0, 0x10, &data), 0);
    assert_int_equal(data, 0x1234);
    check_log("1> read/4 0x10 0x0 at 5000\n2: line 0 is 1\n");
    v2_machine.reply.next = TRESTLE_TIME_NEVER;
    v2_machine_due();
    check_log("2> advance 0x0 0x0 at 8000\n");
    v2_machine_reset();
    check_log("lines are held\n2> reset 0x0 0x0 at 8000\nlines are released\n");
    v2_machine_finish();
}

/* A model that puts its answer off gives it when the bridge is let. */
static void test_inline_later(void **state)
{
    uint64_t data = 0;
    (void)state;
    prepare_inline();
    v2_machine.is_mute = true;
    v2_machine_next_wait(answer_late);
    assert_int_equal(v2_machine_read(0, 0x10, &data), 0);
    assert_int_equal(data, 0x77);
    check_log("1> read/4 0x10 0x0 at 5000\n");
    v2_machine_next_wait(interrupt_and_answer);
    assert_int_equal(v2_machine_read(0, 0x10, &data), 0);
    check_log("1> read/4 0x10 0x0 at 5000\n1: line 1 is 1\n");
    /* Never: the next access works, and the late answer is none of its own. */
    assert_int_equal(v2_machine_read(0, 0x10, &data), -ETIMEDOUT);
    answer_late();
    v2_machine.is_mute = false;
    v2_machine.reply.data = 0x99;
    (void)notes_take();
    v2_machine_main_loop();
    assert_int_equal(v2_machine_read(0, 0x10, &data), 0);
    assert_int_equal(data, 0x99);
    v2_machine_finish();
}

/* In its turn the bridge may post more than it was asked for. */
static void test_inline_turns(void **state)
{
    uint64_t data = 0;
    (void)state;
    prepare_inline();
    v2_machine.is_mute = true;
    assert_int_equal(v2_machine_read(0, 0x10, &data), -ETIMEDOUT);
    (void)notes_take();
    say_line(1, 1, true);
    interrupt_and_answer();
    say_line(0, 0, true);
    sessions_take_turn(); /* as far as the answer, which may be somebody's */
    check_log("2: line 1 is 1\n1: line 1 is 1\n");
    sessions_take_turn();
    check_log("");
    v2_machine.is_mute = false;
    assert_int_equal(v2_machine_read(0, 0x10, &data), 0);
    assert_non_null(strstr(notes_take(), "1: line 0 is 1\n"));
    v2_machine_finish();
}

/* --- shared RAM, and the end ----------------------------------------------------------------- */

static void test_goodbye(void **state)
{
    (void)state;
    v2_machine_exit();
    v2_machine_serve();
    assert_non_null(strstr(notes_take(), "> goodbye 0x0 0x0 at 5000\n"));
    v2_machine_exit(); /* once */
    v2_machine_serve();
    check_log("");
}

/* From here on the RAM is shared, in this process. */
static void test_shared_ram(void **state)
{
    char expected[700];
    unsigned features = OFFERED | TRESTLE_V2_FEATURE_RAM | TRESTLE_V2_FEATURE_BUS |
                        (is_ring ? TRESTLE_V2_FEATURE_SHM : 0);
    (void)state;
    v2_machine.has_shared_ram = true;
    v2_machine.welcome.features |= TRESTLE_V2_FEATURE_RAM | TRESTLE_V2_FEATURE_BUS;
    device(1)->pci.is_direct = true;
    v2_machine_start();
    snprintf(expected, sizeof(expected), HELLOS "1> ram 0x80000000 0x40000 extra 0x2000 at 0\n",
             features, features);
    check_log(expected);
    v2_machine_say(0, (struct trestle_v2_message){.type = TRESTLE_V2_DMA_WRITTEN,
                                                  .addr = V2_RAM + V2_RAM_SIZE - 0x1800,
                                                  .data = 0x1800});
    v2_machine_main_loop();
    check_log("written 0x8003e800 4096\nwritten 0x8003f800 2048\n");
    assert_int_equal(v2_machine_read(1, 0, NULL), 0);
    check_log("2> bus 0x1 0x0 at 5000\n2> read/4 0x0 0x0 at 5000\n");
    v2_machine_say(
        0, (struct trestle_v2_message){.type = TRESTLE_V2_DMA_WRITTEN, .addr = V2_RAM, .data = 16});
    v2_machine_main_loop();
    check_log("written 0x80000000 16\n");
    transport_v2.reset(device(1));
    check_log("2> reset alone 0x0 0x0 at 5000\n");
    device(1)->pci.is_direct = false;
    transport_v2.bus_changed(device(1));
    check_log("2> bus 0x0 0x0 at 5000\n");
    v2_machine.is_mute = true;
    transport_v2.bus_changed(device(1)); /* one that does not say so is cut off */
    v2_machine_serve();
    assert_non_null(strstr(notes_take(), "2> the end\n"));
    v2_machine_finish();
}

/* And not a byte beside it. */
static void test_beside_the_shared_ram(void **state)
{
    static const struct {
        uint64_t addr, size;
    } beside[] = {{V2_RAM - 1, 2},
                  {V2_RAM - 1, 1},
                  {V2_RAM + V2_RAM_SIZE, 1},
                  {V2_RAM + V2_RAM_SIZE - 1, 2},
                  {V2_RAM + V2_RAM_SIZE - 0x8000, 0x8001},
                  {UINT64_C(0x90000000), 1}};
    (void)state;
    for (unsigned i = 0; i < sizeof(beside) / sizeof(*beside); i++)
        check_broken(&(struct trestle_v2_message){.type = TRESTLE_V2_DMA_WRITTEN,
                                                  .addr = beside[i].addr,
                                                  .data = beside[i].size},
                     "a DMA outside the guest's RAM");
}

#define WITH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define WITHOUT(f) cmocka_unit_test_setup_teardown(f, set_up_nothing, tear_down_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITHOUT(test_hellos),
        WITH(test_accesses),
        WITH(test_posted_writes),
        WITHOUT(test_no_posted_writes_without_the_feature),
        WITH(test_interrupts),
        WITH(test_interrupts_without_end),
        WITH(test_many_interrupts),
        WITHOUT(test_the_big_lock),
        WITH(test_a_posted_write_that_interrupts),
        WITH(test_a_transfer_from_memory),
        WITH(test_a_transfer_to_memory),
        WITH(test_time),
        WITHOUT(test_time_that_no_access_asks_for),
        WITH(test_reset),
        WITH(test_reset_of_one_device),
        WITHOUT(test_no_reset_of_one_device_without_the_feature),
        WITH(test_a_debugger),
        WITHOUT(test_a_debugger_without_the_feature),
        WITH(test_no_answer_in_time),
        WITH(test_no_answer_at_all),
        WITHOUT(test_spinning),
        WITH(test_resets_of_lost_devices),
        WITH(test_a_closed_connection),
        WITH(test_an_end_that_nobody_waits_for),
        WITHOUT(test_nobody_is_there),
        WITHOUT(test_refusals),
        WITHOUT(test_refusals_of_a_second_device),
        WITHOUT(test_descriptors_that_nobody_wants),
        WITHOUT(test_busy),
        WITHOUT(test_a_region_of_memory),
        WITH(test_interrupts_of_two),
        WITH(test_no_bus_without_the_feature),
        WITHOUT(test_an_overdue_handshake),
        WITH(test_posted_writes_of_a_lost_device),
        WITH(test_no_answer_to_what_nobody_asked_for),
        WITH(test_time_in_a_late_answer),
        WITHOUT(test_nonsense),
        WITH(test_bytes_that_make_no_message),
    };
    const struct CMUnitTest socket_tests[] = {WITHOUT(test_two_processes)};
    const struct CMUnitTest ring_tests[] = {
        WITH(test_no_room),
        WITH(test_interrupts_behind_an_answer),
        WITH(test_rings_for_nothing),
        WITHOUT(test_the_other_carrier),
        WITHOUT(test_a_welcome_in_halves),
        WITH(test_the_end_of_rings),
        WITH(test_the_end_of_rings_while_one_waits),
        WITHOUT(test_inline),
        WITHOUT(test_inline_later),
        WITHOUT(test_inline_turns),
    };
    const struct CMUnitTest goodbyes[] = {WITH(test_goodbye)};
    const struct CMUnitTest ram_tests[] = {WITHOUT(test_shared_ram),
                                           WITHOUT(test_beside_the_shared_ram)};
    v2_machine_clear(); /* what is opened once */
    int failed = cmocka_run_group_tests_name("the plugin over sockets", tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("sockets alone", socket_tests, NULL, NULL);
    is_ring = true;
    failed += cmocka_run_group_tests_name("the plugin over rings", tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("rings alone", ring_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("goodbye", goodbyes, NULL, NULL);
    failed += cmocka_run_group_tests_name("RAM and rings", ram_tests, NULL, NULL);
    is_ring = false;
    failed += cmocka_run_group_tests_name("RAM and sockets", ram_tests, NULL, NULL);
    return failed;
}
