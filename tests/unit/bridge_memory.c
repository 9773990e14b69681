/* SPDX-License-Identifier: MIT */
/* Regions that are memory, of a live bridge: by accesses, as a file that a client brings, and files
 * and messages that cannot be. */
#include <fcntl.h>
#include <sys/mman.h>

#include "trestle/registers.h"
#include "v2_client.h"

enum { REGISTERS, MEMORY, REGION_SIZE = 8192, LAST = 2 };

static const struct trestle_region registers = {TRESTLE_REGION_SIZES, .bytes = REG_END,
                                                .widths = 15};
static const struct trestle_region memory = {TRESTLE_REGION_SIZES, .bytes = REGION_SIZE,
                                             .is_memory = true};
static const struct trestle_region *const regions[] = {&registers, &memory, NULL};
static struct trestle_model model;

static int start(void **state)
{
    model = memory_model;
    model.regions = regions;
    last_model = &model;
    return open_client(state);
}

static int file_of(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_cmp(fd, >=, 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void send_memory(uint32_t index, uint64_t region, uint64_t size, int fd)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message m = {.seq = ++client.out_seq[index],
                                   .type = TRESTLE_V2_MEMORY,
                                   .device = client.devices[index],
                                   .id = ++client.id,
                                   .addr = region,
                                   .data = size};
    trestle_v2_encode(bytes, &m);
    assert_int_equal(fds_send(client.fds[index], bytes, sizeof(bytes), &fd, fd >= 0), 0);
}

static uint8_t share(struct fixture *f, uint32_t index, uint64_t region, uint64_t size, int fd)
{
    send_memory(index, region, size, fd);
    struct trestle_v2_message reply = receive_event(f, &client, index);
    assert_int_equal(reply.type, TRESTLE_V2_REPLY);
    assert_int_equal(reply.id, client.id);
    return reply.status;
}

static struct trestle_v2_message ask_memory(struct fixture *f, struct trestle_v2_message m)
{
    m.extra = MEMORY;
    return ask(f, &client, LAST, m);
}

static void test_accesses(void **state)
{
    assert_int_equal(ask_memory(*state, read_at(8184, 8, 10)).data, 0);
    assert_int_equal(ask_memory(*state, write_at(16, 0x1122334455667788, 10)).status, 0);
    assert_int_equal(ask_memory(*state, read_at(20, 4, 10)).data, 0x11223344);
    assert_int_equal(ask_memory(*state, read_at(17, 1, 10)).data, 0x77);
    assert_int_equal(ask_memory(*state, read_at(8192, 4, 10)).status, TRESTLE_V2_RANGE);
}

static void test_a_file(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 2; i++) { /* a second one takes its place */
        int fd = file_of(REGION_SIZE, F_SEAL_SHRINK);
        uint64_t *file = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_int_equal(share(f, LAST, MEMORY, REGION_SIZE, fd), TRESTLE_V2_OK);
        close(fd);
        file[100] = i;
        assert_int_equal(ask_memory(f, read_at(800, 8, 10)).data, i);
        assert_int_equal(ask_memory(f, write_at(808, i + 7, 10)).status, 0);
        assert_int_equal(file[101], i + 7);
        munmap(file, REGION_SIZE);
    }
}

static void test_files_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    int fd = file_of(REGION_SIZE, F_SEAL_SHRINK), shrinks = file_of(REGION_SIZE, 0);
    int small = file_of(REGION_SIZE - 1, F_SEAL_SHRINK);
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int only_read = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(share(f, LAST, MEMORY, REGION_SIZE, only_read), TRESTLE_V2_NO_MEMORY);
    close(only_read);
    assert_int_equal(share(f, LAST, MEMORY, REGION_SIZE, shrinks), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, LAST, MEMORY, REGION_SIZE, small), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, LAST, MEMORY, REGION_SIZE - 1, fd), TRESTLE_V2_NOT_RAM);
    assert_int_equal(share(f, LAST, REGISTERS, REGION_SIZE, fd), TRESTLE_V2_RANGE);
    assert_int_equal(share(f, LAST, 5, REGION_SIZE, fd), TRESTLE_V2_RANGE);
    assert_int_equal(share(f, 0, MEMORY, REGION_SIZE, fd), TRESTLE_V2_RANGE);
    assert_int_equal(ask_memory(f, read_at(0, 8, 10)).status, TRESTLE_V2_OK);
    close(fd);
    close(shrinks);
    close(small);
}

static void test_messages_that_make_no_sense(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t region, size;
        bool has_fd;
    } wrong[] = {{MEMORY, REGION_SIZE, false},
                 {MEMORY, 0, true},
                 {MEMORY, UINT64_MAX, true},
                 {TRESTLE_V2_REGIONS_MAX, REGION_SIZE, true}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int fd = wrong[i].has_fd ? file_of(REGION_SIZE, F_SEAL_SHRINK) : -1;
        send_memory(LAST, wrong[i].region, wrong[i].size, fd);
        if (fd >= 0)
            close(fd);
        expect_end(f, "ended: memory that cannot be");
        f->log[0] = '\0';
    }
}

static void test_without_a_descriptor(void **state)
{
    post(&client, LAST,
         (struct trestle_v2_message){.type = TRESTLE_V2_MEMORY, .addr = MEMORY, .data = 4096});
    expect_end(*state, client.shm.memory ? "ended: memory without a descriptor"
                                         : "ended: memory that cannot be");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, close_client)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accesses),
        TEST(test_a_file),
        TEST(test_files_that_cannot_be),
        TEST(test_messages_that_make_no_sense),
        TEST(test_without_a_descriptor),
    };
    features = TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_REGIONS | TRESTLE_V2_FEATURE_MEMORY;
    int failed = cmocka_run_group_tests_name("memory, sockets", tests, NULL, NULL);
    features |= TRESTLE_V2_FEATURE_SHM;
    return failed + cmocka_run_group_tests_name("memory, shared memory", tests, NULL, NULL);
}
