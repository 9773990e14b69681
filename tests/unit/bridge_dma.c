/* SPDX-License-Identifier: MIT */
/* DMA of a live bridge into the memory of a guest that is a thread: by messages on both carriers,
 * and into RAM that the bridge maps. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "bridge/inline.h"
#include "v2_client.h"

/* A guest with 1 MiB of memory at 0x80000000, on a thread of its own: the bridge waits for it. */
#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE 0x100000u

static uint8_t ram[RAM_SIZE];

struct guest {
    uint64_t id; /* of the request whose reply ends it */
    bool lies;
    unsigned posts; /* so many writes before each of its answers to a DMA */
    struct trestle_v2_message reply;
    unsigned pieces, pieces_at_irq;
    _Atomic bool is_done;
};

static void transfer_all(int fd, uint8_t *bytes, size_t size, bool is_send)
{
    while (size > 0) {
        ssize_t n = is_send ? send(fd, bytes, size, MSG_NOSIGNAL) : recv(fd, bytes, size, 0);
        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

static bool take_event(struct trestle_v2_message *ret_message)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    int taken = 0;
    if (!client.shm.memory) {
        transfer_all(client.fds[0], bytes, sizeof(bytes), false);
        trestle_v2_decode(bytes, ret_message);
        return ret_message->seq == ++client.in_seq[0];
    }
    while (taken == 0)
        taken = ring_take(&client.events, ret_message);
    return taken > 0;
}

static void answer_dma(struct guest *guest, const struct trestle_v2_message *m)
{
    bool is_ram = m->addr >= RAM_BASE && m->addr - RAM_BASE + m->data <= RAM_SIZE;
    bool is_read = m->type == TRESTLE_V2_DMA_READ;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE], sink[65536];
    uint8_t *at = is_ram ? ram + (m->addr - RAM_BASE) : sink;
    uint8_t *bulk = client.shm.memory + SHM_BULK_OFFSET + m->extra;
    struct trestle_v2_message done = {.type = TRESTLE_V2_DMA_DONE,
                                      .status = is_ram ? TRESTLE_V2_OK : TRESTLE_V2_NOT_RAM,
                                      .device = m->device,
                                      .id = m->id + (guest->lies ? 1 : 0)};
    guest->pieces++;
    for (unsigned i = 0; i < guest->posts; i++) {
        struct trestle_v2_message posted = write_at(REG_VALUE, 100 * guest->pieces + i, 10);
        posted.flags = TRESTLE_V2_FLAG_POSTED;
        post(&client, 0, posted);
    }
    if (client.shm.memory) {
        if (is_ram)
            memcpy(is_read ? bulk : at, is_read ? at : bulk, m->data);
        ring_post(&client.requests, &done);
        return;
    }
    if (!is_read)
        transfer_all(client.fds[0], at, m->data, false);
    done.seq = ++client.out_seq[0];
    trestle_v2_encode(bytes, &done);
    transfer_all(client.fds[0], bytes, sizeof(bytes), true);
    if (is_read && is_ram)
        transfer_all(client.fds[0], at, m->data, true);
}

static void *run_guest(void *arg)
{
    struct guest *guest = arg;
    struct trestle_v2_message m;
    while (take_event(&m)) {
        if (m.type == TRESTLE_V2_DMA_READ || m.type == TRESTLE_V2_DMA_WRITE)
            answer_dma(guest, &m);
        if (m.type == TRESTLE_V2_IRQ)
            guest->pieces_at_irq = guest->pieces;
        if (m.type == TRESTLE_V2_REPLY && m.id == guest->id)
            break;
        if (guest->lies)
            break;
    }
    guest->reply = m;
    atomic_store(&guest->is_done, true);
    return NULL;
}

static void await_guest(struct fixture *f, struct guest *guest)
{
    pthread_t thread;
    guest->is_done = false;
    assert_int_equal(pthread_create(&thread, NULL, run_guest, guest), 0);
    while (!atomic_load(&guest->is_done))
        turn(f);
    pthread_join(thread, NULL);
}

static void run_dma(struct fixture *f, struct guest *guest, size_t size)
{
    guest->id = post(&client, 0, write_at(REG_DMA, size, 10));
    await_guest(f, guest);
}

static void test_dma(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {1, 7, 65535, 65536, 65537, 200001, 0x40000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct guest guest = {.lies = false};
        struct trestle_v2_message advance = {.type = TRESTLE_V2_ADVANCE, .time = 10};
        for (size_t j = 0; j < RAM_SIZE; j++)
            ram[j] = (uint8_t)(j * 7 + i + (j >> 8));
        run_dma(f, &guest, sizes[i]);
        /* The end of the first half begins the second, at the same time. */
        guest.id = post(&client, 0, advance);
        await_guest(f, &guest);
        assert_int_equal(ask(f, &client, 0, read_at(REG_DMA_STATUS, 8, 10)).data, 0);
        assert_memory_equal(ram + (DMA_TO - RAM_BASE), ram + (DMA_FROM - RAM_BASE), sizes[i]);
        assert_int_equal(guest.pieces, 2 * ((sizes[i] + 65535) / 65536));
        assert_int_equal(guest.pieces_at_irq, guest.pieces); /* all of them before */
        uint64_t id = post(&client, 0, write_at(REG_IRQ, 0, 10));
        expect_irq(f, 0, 0, 0, 10);
        expect_reply(f, 0, id);
    }
}

/* The start of a DMA, what follows it at once, and what comes before its answers: all posted. */
static void test_writes_posted_during_a_dma(void **state)
{
    struct fixture *f = *state;
    struct guest guest = {.posts = 100};
    struct trestle_v2_message start = write_at(REG_DMA, 70000, 10),
                              value = write_at(REG_VALUE, 1, 10),
                              flush = {.type = TRESTLE_V2_FLUSH, .time = 10};
    start.flags = value.flags = TRESTLE_V2_FLAG_POSTED;
    for (size_t j = 0; j < RAM_SIZE; j++)
        ram[j] = (uint8_t)(j * 7 + (j >> 8));
    post(&client, 0, start);
    for (unsigned i = 0; i < 40; i++)
        post(&client, 0, value);
    guest.id = post(&client, 0, flush);
    await_guest(f, &guest);
    assert_int_equal(guest.reply.status, TRESTLE_V2_OK);
    guest.id = post(&client, 0, flush);
    await_guest(f, &guest);
    assert_int_equal(guest.pieces, 4);
    assert_memory_equal(ram + (DMA_TO - RAM_BASE), ram + (DMA_FROM - RAM_BASE), 70000);
    guest.posts = 0;
    guest.id = post(&client, 0, read_at(REG_VALUE, 8, 10));
    await_guest(f, &guest);
    assert_int_equal(guest.reply.data, 499); /* the last of them, in order */
    guest.id = post(&client, 0, read_at(REG_DMA_STATUS, 8, 10));
    await_guest(f, &guest);
    assert_int_equal(guest.reply.data, 0);
}

static void test_dma_answer_is_a_lie(void **state)
{
    struct fixture *f = *state;
    struct guest guest = {.lies = true};
    run_dma(f, &guest, 100);
    wait_for_log(f, "ended: QEMU broke the protocol of a DMA");
    for (unsigned i = 0; i < 3; i++)
        assert_true(client_is_closed(f, client.fds[i]));
}

/* --- guest RAM that the bridge maps, for both carriers ---------------------------------------- */

static int ram_file(size_t size, int seals)
{
    int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void send_ram(uint64_t addr, uint64_t size, uint64_t offset, int fd)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message ram_message = {.seq = ++client.out_seq[0],
                                             .type = TRESTLE_V2_RAM,
                                             .device = client.devices[0],
                                             .id = ++client.id,
                                             .addr = addr,
                                             .data = size,
                                             .extra = offset};
    trestle_v2_encode(bytes, &ram_message);
    assert_int_equal(fds_send(client.fds[0], bytes, sizeof(bytes), &fd, fd >= 0), 0);
}

static uint8_t share(struct fixture *f, uint64_t addr, uint64_t size, uint64_t offset, int fd)
{
    send_ram(addr, size, offset, fd);
    struct trestle_v2_message reply = receive_event(f, &client, 0);
    assert_int_equal(reply.type, TRESTLE_V2_REPLY);
    assert_int_equal(reply.id, client.id);
    return reply.status;
}

/* Two ranges of one file, the other way round in the guest, so that a transfer crosses from one to
 * the other; at an offset that no page begins with. */
static void test_direct_dma(void **state)
{
    struct fixture *f = *state;
    enum { OFFSET = 0x808, SPLIT = 0x80000 + 0x11111, SIZE = 0x34567 };
    int fd = ram_file(RAM_SIZE + OFFSET, F_SEAL_SHRINK);
    uint8_t *file = mmap(NULL, RAM_SIZE + OFFSET, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (size_t i = 0; i < RAM_SIZE + OFFSET; i++)
        file[i] = (uint8_t)(i * 7 + (i >> 8));
    uint8_t *low = file + OFFSET + (RAM_SIZE - SPLIT), *high = file + OFFSET;
    assert_int_equal(share(f, RAM_BASE, SPLIT, OFFSET + RAM_SIZE - SPLIT, fd), TRESTLE_V2_OK);
    assert_int_equal(share(f, RAM_BASE + SPLIT, RAM_SIZE - SPLIT, OFFSET, fd), TRESTLE_V2_OK);
    close(fd);

    uint64_t write = post(&client, 0, write_at(REG_DMA, SIZE, 10));
    expect_reply(f, 0, write);
    uint64_t advance =
        post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = 10});
    uint64_t written = DMA_TO;
    while (written < DMA_TO + SIZE) {
        struct trestle_v2_message event = receive_event(f, &client, 0);
        assert_int_equal(event.type, TRESTLE_V2_DMA_WRITTEN);
        assert_int_equal(event.addr, written);
        assert_cmp(event.data, <=, TRESTLE_V2_DMA_MAX);
        written += event.data;
    }
    assert_int_equal(written, DMA_TO + SIZE);
    expect_irq(f, 0, 0, 1, 10);
    expect_reply(f, 0, advance);
    assert_int_equal(ask(f, &client, 0, read_at(REG_DMA_STATUS, 8, 10)).data, 0);
    const uint8_t *from = low + (DMA_FROM - RAM_BASE);
    for (size_t i = 0; i < SIZE; i++) {
        size_t to = 0x80000 + i;
        assert_int_equal(to < SPLIT ? low[to] : high[to - SPLIT], from[i]);
    }
    munmap(file, RAM_SIZE + OFFSET);
}

static void test_ram_that_cannot_be_shared(void **state)
{
    struct fixture *f = *state;
    int shrinks = ram_file(RAM_SIZE, 0), fd = ram_file(RAM_SIZE, F_SEAL_SHRINK), pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 0, shrinks), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 0, pipes[0]), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE + 1, 0, fd), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 1, fd), TRESTLE_V2_NOT_RAM);
    assert_log_has(f, "guest RAM at 0x80000000 is not shared");
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int only_read = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 0, only_read), TRESTLE_V2_NO_MEMORY);
    assert_log_has(f, "guest RAM at 0x80000000 is not shared: it cannot be mapped");
    close(only_read);
    /* It goes by messages. */
    struct guest guest = {0};
    run_dma(f, &guest, 100);
    guest.id =
        post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = 10});
    await_guest(f, &guest);
    assert_int_equal(guest.pieces, 2);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(share(f, RAM_BASE + i * 4096, 4096, i * 4096, fd), TRESTLE_V2_OK);
    assert_int_equal(share(f, RAM_BASE + 16 * 4096, 4096, 0, fd), TRESTLE_V2_NO_MEMORY);
    close(pipes[0]);
    close(pipes[1]);
    close(shrinks);
    close(fd);
}

static void test_ram_that_makes_no_sense(void **state)
{
    static const struct {
        uint64_t addr, size, offset;
        bool has_fd;
    } wrong[] = {{RAM_BASE, 4096, 0, false},
                 {RAM_BASE, 0, 0, true},
                 {UINT64_MAX - 4095, 4097, 0, true},
                 {RAM_BASE, 4096, INT64_MAX - 4095, true},
                 {RAM_BASE, UINT64_MAX, 0, true}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int fd = wrong[i].has_fd ? ram_file(RAM_SIZE, F_SEAL_SHRINK) : -1;
        send_ram(wrong[i].addr, wrong[i].size, wrong[i].offset, fd);
        if (fd >= 0)
            close(fd);
        expect_end(f, "ended: memory that cannot be");
        f->log[0] = '\0';
    }
}

/* Messages that a read and a write of guest memory take, without those that announce them. */
static unsigned pieces_of_a_dma(struct fixture *f)
{
    struct guest guest = {0};
    run_dma(f, &guest, 100);
    guest.id =
        post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = 10});
    await_guest(f, &guest);
    uint64_t id = post(&client, 0, write_at(REG_IRQ, 0, 10));
    expect_irq(f, 0, 0, 0, 10);
    expect_reply(f, 0, id);
    return guest.pieces;
}

/* A PCI device's transfers are direct while the client says that its bus leads there. */
static void test_a_bus(void **state)
{
    struct fixture *f = *state;
    int fd = ram_file(RAM_SIZE, F_SEAL_SHRINK);
    assert_int_equal(share(f, RAM_BASE, RAM_SIZE, 0, fd), TRESTLE_V2_OK);
    assert_int_equal(pieces_of_a_dma(f), 2);
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t leads = (i + 1) % 2;
        struct trestle_v2_message bus = {.type = TRESTLE_V2_BUS, .addr = leads, .time = 10};
        assert_int_equal(ask(f, &client, 0, bus).status, TRESTLE_V2_OK);
        assert_int_equal(pieces_of_a_dma(f), leads ? 0 : 2);
    }
    post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_BUS, .addr = 2});
    expect_end(f, "ended: a message that this version does not have");
    close(fd);
}

/* In the ring there is no descriptor, and without the feature in force no RAM. */
static void test_ram_where_it_does_not_belong(void **state)
{
    post(&client, 0,
         (struct trestle_v2_message){.type = TRESTLE_V2_RAM, .addr = RAM_BASE, .data = 4096});
    expect_end(*state, client.shm.memory ? "ended: memory without a descriptor"
                                         : "ended: memory that cannot be");
}

static void test_descriptors_that_nobody_wants(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    int fd = ram_file(RAM_SIZE, F_SEAL_SHRINK), fds[FDS_MAX];
    for (size_t i = 0; i < FDS_MAX; i++)
        fds[i] = fd;
    send_ram(RAM_BASE, 4096, 0, fd);
    expect_reply(f, 0, client.id);
    int before = dup(fd);
    for (unsigned i = 0; i < 100; i++) {
        struct trestle_v2_message m = {.seq = ++client.out_seq[0],
                                       .type = TRESTLE_V2_RAM,
                                       .id = ++client.id,
                                       .addr = RAM_BASE,
                                       .data = 1,
                                       .extra = RAM_SIZE};
        trestle_v2_encode(bytes, &m);
        assert_int_equal(fds_send(client.fds[0], bytes, sizeof(bytes), fds, FDS_MAX), 0);
        assert_int_equal(receive_event(f, &client, 0).status, TRESTLE_V2_NOT_RAM);
    }
    int after = dup(fd);
    assert_int_equal(after, before + 1); /* none is left open */
    close(before);
    close(after);
    close(fd);
}

/* The client answers, says goodbye and is gone, all before the bridge wakes up. */
static void *answer_and_leave(void *unused)
{
    static const _Atomic uint32_t awake;
    (void)unused;
    while (!atomic_load(client.requests.sleeps))
        sched_yield();
    client.requests.sleeps = &awake; /* it is not woken by the answer, but by the end */
    ring_post(&client.requests, &(struct trestle_v2_message){.type = TRESTLE_V2_DMA_DONE, .id = 1});
    ring_post(&client.requests, &(struct trestle_v2_message){.type = TRESTLE_V2_GOODBYE});
    leave(&client);
    return NULL;
}

static void test_answer_before_the_end(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_and_leave, NULL), 0);
    post(&client, 0, write_at(REG_DMA, 100, 10));
    wait_for_log(f, "QEMU has ended");
    pthread_join(thread, NULL);
    assert_null(strstr(f->log, "did not answer"));
}

static struct guest guest_in_turn;

static void serve_in_turn(void)
{
    struct trestle_v2_message m;
    while (ring_take(&client.events, &m) > 0)
        if (m.type == TRESTLE_V2_DMA_READ || m.type == TRESTLE_V2_DMA_WRITE)
            answer_dma(&guest_in_turn, &m);
}

/* A guest in this thread is called where the bridge waits for it. */
static void test_guest_in_the_same_thread(void **state)
{
    struct fixture *f = *state;
    struct inline_bridge inside;
    guest_in_turn = (struct guest){0};
    for (size_t j = 0; j < RAM_SIZE; j++)
        ram[j] = (uint8_t)(j * 7 + (j >> 8));
    bridge_inline(f->bridge, serve_in_turn, &inside);
    post(&client, 0, write_at(REG_DMA, 70000, 10));
    post(&client, 0, (struct trestle_v2_message){.type = TRESTLE_V2_ADVANCE, .time = 10});
    for (unsigned i = 0; i < 1000 && guest_in_turn.pieces < 4; i++)
        inside.serve(inside.ctx, 0);
    assert_int_equal(guest_in_turn.pieces, 4);
    serve_in_turn(); /* the rest are answers */
    assert_int_equal(ask(f, &client, 0, read_at(REG_DMA_STATUS, 8, 10)).data, 0);
    assert_memory_equal(ram + (DMA_TO - RAM_BASE), ram + (DMA_FROM - RAM_BASE), 70000);
}

#define DMA_TESTS                                                        \
    CLIENT_TEST(test_dma), CLIENT_TEST(test_writes_posted_during_a_dma), \
        CLIENT_TEST(test_dma_answer_is_a_lie)

#define RAM_TESTS                                                                                  \
    CLIENT_TEST(test_direct_dma), CLIENT_TEST(test_ram_that_cannot_be_shared),                     \
        CLIENT_TEST(test_ram_that_makes_no_sense), CLIENT_TEST(test_ram_where_it_does_not_belong), \
        CLIENT_TEST(test_descriptors_that_nobody_wants)

int main(void)
{
    const struct CMUnitTest dma_tests[] = {DMA_TESTS}, ram_tests[] = {RAM_TESTS};
    const struct CMUnitTest shm_tests[] = {
        DMA_TESTS,
        CLIENT_TEST(test_answer_before_the_end),
        CLIENT_TEST(test_guest_in_the_same_thread),
    };
    features = FEATURES_GUEST;
    int failed = cmocka_run_group_tests_name("DMA, sockets", dma_tests, NULL, NULL);
    features |= TRESTLE_V2_FEATURE_SHM;
    failed += cmocka_run_group_tests_name("DMA, shared memory", shm_tests, NULL, NULL);
    features = FEATURES_GUEST | TRESTLE_V2_FEATURE_RAM;
    failed += cmocka_run_group_tests_name("guest RAM, sockets", ram_tests, NULL, NULL);
    features |= TRESTLE_V2_FEATURE_SHM;
    failed += cmocka_run_group_tests_name("guest RAM, shared memory", ram_tests, NULL, NULL);
    const struct CMUnitTest bus_tests[] = {CLIENT_TEST(test_a_bus)};
    first_base = TRESTLE_NO_BASE;
    features |= TRESTLE_V2_FEATURE_BUS;
    failed += cmocka_run_group_tests_name("a bus, shared memory", bus_tests, NULL, NULL);
    features &= ~(uint32_t)TRESTLE_V2_FEATURE_SHM;
    failed += cmocka_run_group_tests_name("a bus, sockets", bus_tests, NULL, NULL);
    return failed;
}
