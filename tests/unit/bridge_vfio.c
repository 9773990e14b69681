/* SPDX-License-Identifier: MIT */
/* Raw vfio-user against a live bridge: what a device on PCI is, its interrupts, and guest memory.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "bridge_fixture.h"
#include "front/vfio/wire.h"
#include "ipc/fds.h"
#include "trestle/registers.h"

enum {
    BAR = 0,
    TABLE = 4, /* the BAR of MSI-X */
    CONFIG = VFIO_REGION_CONFIG,
    COMMAND = 0x04,
    COMMAND_MASTER = 0x4,
    COMMAND_NO_INTX = 0x400,
    CAPABILITIES = 0x34,
    /* In the order in which they are added. */
    POWER = 0x40,
    MSI = 0x48,
    MSIX = 0x58,
    VENDOR = 0x64,
    WINDOW = 0x6c,
    END = 0x80,
};

static const uint8_t vendor_capabilities[] = {6, 0xa1, 0xa2, 0xa3, 20, 5, 0xff, 0, 0, 0, 0, 0,
                                              0, 0,    0,    0,    0,  0, 0,    0, 0, 0, 0};

static const struct trestle_pci pci = {.size = sizeof(pci),
                                       .vendor = 0x1af4,
                                       .device = 0x1234,
                                       .subsystem_vendor = 0x5678,
                                       .subsystem = 0x9abc,
                                       .class_code = 0x010802,
                                       .revision = 7,
                                       .bar = TRESTLE_BAR_MEM64,
                                       .vendor_capabilities = vendor_capabilities};

static struct fixture *f;
static int fd;
static uint16_t last_id;
static struct {
    struct vfio_header header;
    uint8_t payload[600];
    size_t size; /* of the payload */
} heard;

/* --- the client ------------------------------------------------------------------------------ */

static void say(uint16_t id, uint16_t command, uint32_t flags, const void *payload, size_t size,
                const int *fds, size_t num_fds)
{
    uint8_t bytes[600];
    const struct vfio_header header = {
        .id = id, .command = command, .size = (uint32_t)(VFIO_HEADER_SIZE + size), .flags = flags};
    vfio_put_header(bytes, &header);
    if (size > 0)
        memcpy(bytes + VFIO_HEADER_SIZE, payload, size);
    assert_int_equal(fds_send(fd, bytes, VFIO_HEADER_SIZE + size, fds, num_fds), 0);
}

static void hear(void)
{
    uint8_t bytes[VFIO_HEADER_SIZE];
    if (!client_receive(f, fd, bytes, sizeof(bytes)))
        fail_msg("the connection was closed; the log:\n%s", f->log);
    heard.header = vfio_get_header(bytes);
    heard.size = heard.header.size - VFIO_HEADER_SIZE;
    assert_cmp(heard.size, <=, sizeof(heard.payload));
    if (heard.size > 0)
        assert_true(client_receive(f, fd, heard.payload, heard.size));
}

/* The error of the answer, or 0. */
static uint32_t ask_with(uint16_t command, const void *payload, size_t size, const int *fds,
                         size_t num_fds)
{
    say(++last_id, command, VFIO_TYPE_COMMAND, payload, size, fds, num_fds);
    hear();
    assert_int_equal(heard.header.id, last_id);
    assert_int_equal(heard.header.command, command);
    assert_int_equal(heard.header.flags & VFIO_TYPE_MASK, VFIO_TYPE_REPLY);
    assert_int_equal(heard.header.flags & VFIO_ERROR, heard.header.error ? VFIO_ERROR : 0);
    if (heard.header.error)
        assert_int_equal(heard.size, 0);
    return heard.header.error;
}

static uint32_t ask(uint16_t command, const void *payload, size_t size)
{
    return ask_with(command, payload, size, NULL, 0);
}

static uint32_t try_access(bool write, uint32_t region, uint64_t offset, uint32_t count,
                           const void *data)
{
    uint8_t payload[16 + 300] = {0};
    vfio_put64(payload, offset);
    vfio_put32(payload + 8, region);
    vfio_put32(payload + 12, count);
    if (write)
        memcpy(payload + 16, data, count < 300 ? count : 300);
    uint32_t error = ask(write ? VFIO_REGION_WRITE : VFIO_REGION_READ, payload,
                         16 + (write && count < 300 ? count : 0));
    if (error == 0) {
        assert_memory_equal(heard.payload, payload, 16);
        assert_int_equal(heard.size, 16 + (write ? 0 : count));
    }
    return error;
}

static uint64_t read_of(uint32_t region, uint64_t offset, uint32_t count)
{
    uint64_t data = 0;
    assert_int_equal(try_access(false, region, offset, count, NULL), 0);
    memcpy(&data, heard.payload + 16, count);
    return data;
}

static void write_to(uint32_t region, uint64_t offset, uint32_t count, uint64_t data)
{
    assert_int_equal(try_access(true, region, offset, count, &data), 0);
}

static void agree(void)
{
    static const uint8_t version[4];
    fd = client_connect(f, 0);
    assert_int_equal(ask(VFIO_VERSION, version, sizeof(version)), 0);
}

/* What trestle_bridge_add_device() says. */
static int open_with(const struct trestle_model *model, const struct trestle_pci *given)
{
    static struct fixture fixture;
    struct trestle_bridge_options options = {
        .size = sizeof(options), .wait = TRESTLE_WAIT_SLEEP, .log = fixture_log, .ctx = &fixture};
    struct trestle_bridge_device device = {.size = sizeof(device),
                                           .name = "dev",
                                           .model = model,
                                           .base_addr = TRESTLE_NO_BASE,
                                           .region_size = 4096,
                                           .vfio_user = given};
    f = &fixture;
    *f = (struct fixture){0};
    fd = -1;
    assert_int_equal(trestle_bridge_create(&options, &f->bridge, NULL), 0);
    int r = trestle_bridge_add_device(f->bridge, &device, NULL, NULL);
    if (r == 0) {
        assert_int_equal(trestle_bridge_listen(f->bridge, NULL), 0);
        agree();
    }
    return r;
}

static int open_device(void **state)
{
    int r = open_with(&memory_model, &pci);
    *state = f;
    return r;
}

static int close_device(void **state)
{
    close(fd);
    return close_fixture(state);
}

/* --- what it is ------------------------------------------------------------------------------ */

static void test_version(void **state)
{
    static const uint8_t version[4], newer[4] = {1};
    char text[100] = {0};
    (void)state;
    assert_int_equal(heard.payload[0] | heard.payload[1] | heard.payload[2] | heard.payload[3], 0);
    assert_string_equal((char *)heard.payload + 4,
                        "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":256,"
                        "\"max_dma_maps\":64,\"pgsizes\":4096}}");
    assert_int_equal(heard.size, 4 + strlen((char *)heard.payload + 4) + 1);
    assert_log_has(f, "dev: the client speaks vfio-user");
    assert_int_equal(ask(VFIO_VERSION, version, 4), EINVAL); /* once */
    assert_log_has(f, "dev: vfio-user command 1 of 20 bytes is refused: ");
    assert_int_equal(ask(VFIO_GET_REGION_IO_FDS, text, 16), ENOTSUP);
    static const uint16_t none[] = {0, VFIO_DMA_READ, VFIO_DMA_WRITE, VFIO_RESET + 1, UINT16_MAX};
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(ask(none[i], text, 32), ENOTSUP);
    close(fd);
    /* Other beginnings. */
    for (int i = 0; i < 3; i++) {
        f->log[0] = '\0';
        fd = client_connect(f, 0);
        if (i == 0)
            say(1, VFIO_GET_INFO, 0, text, 16, NULL, 0);
        else
            say(1, VFIO_VERSION, i == 1 ? VFIO_TYPE_REPLY : 0, newer, 4, NULL, 0);
        assert_true(client_is_closed(f, fd));
        assert_log_has(f, "dev: disconnected: it does not begin with version 0 of vfio-user");
        close(fd);
    }
    fd = client_connect(f, 0);
    strcpy(text + 4, "{\"capabilities\":{\"max_data_xfer_size\":0}}");
    assert_int_equal(ask(VFIO_VERSION, text, 4 + strlen(text + 4) + 1), EINVAL);
}

static void test_what_it_is(void **state)
{
    uint8_t payload[32] = {16};
    (void)state;
    assert_int_equal(ask(VFIO_GET_INFO, payload, 16), 0);
    static const uint32_t info[4] = {16, 3, 9, 5};
    assert_memory_equal(heard.payload, info, 16);
    assert_int_equal(ask(VFIO_GET_INFO, payload, 15), EINVAL);
    payload[0] = 15;
    assert_int_equal(ask(VFIO_GET_INFO, payload, 16), EINVAL);

    for (uint32_t region = 0; region < 9; region++) {
        uint64_t size = region == BAR || region == TABLE ? 4096 : region == CONFIG ? 256 : 0;
        payload[0] = 32;
        payload[8] = (uint8_t)region;
        assert_int_equal(ask(VFIO_GET_REGION_INFO, payload, 32), 0);
        assert_int_equal(heard.size, 32);
        assert_int_equal(vfio_get32(heard.payload), 32);
        assert_int_equal(vfio_get32(heard.payload + 4), size ? 3 : 0);
        assert_int_equal(vfio_get32(heard.payload + 8), region);
        assert_int_equal(vfio_get64(heard.payload + 16), size);
    }
    payload[8] = 9;
    assert_int_equal(ask(VFIO_GET_REGION_INFO, payload, 32), EINVAL);
    payload[8] = 0;
    payload[0] = 31;
    assert_int_equal(ask(VFIO_GET_REGION_INFO, payload, 32), EINVAL);

    static const uint32_t counts[] = {1, 1, 2, 1, 0}, flags[] = {7, 1, 1, 1, 0};
    payload[0] = 16;
    for (uint32_t index = 0; index < 5; index++) {
        payload[8] = (uint8_t)index;
        assert_int_equal(ask(VFIO_GET_IRQ_INFO, payload, 16), 0);
        assert_int_equal(vfio_get32(heard.payload), 16);
        assert_int_equal(vfio_get32(heard.payload + 4), flags[index]);
        assert_int_equal(vfio_get32(heard.payload + 8), index);
        assert_int_equal(vfio_get32(heard.payload + 12), counts[index]);
    }
    payload[8] = 5;
    assert_int_equal(ask(VFIO_GET_IRQ_INFO, payload, 16), EINVAL);
}

static void test_configuration_space(void **state)
{
    uint8_t expected[256] = {[0x00] = 0xf4, 0x1a, 0x34, 0x12, [0x06] = 0x10,
                             [0x08] = 7,    2,    8,    1,    [0x10] = 0x04,
                             [0x2c] = 0x78, 0x56, 0xbc, 0x9a, [CAPABILITIES] = WINDOW,
                             [0x3d] = 1};
    static const uint8_t power[8] = {1, 0, 3}, msi[14] = {5, POWER, 0x80},
                         msix[12] = {0x11, MSI, 1, 0, 4, 0, 0, 0, 4, 8};
    uint8_t ones[256];
    (void)state;
    memset(ones, 0xff, sizeof(ones));
    memcpy(expected + POWER, power, sizeof(power));
    memcpy(expected + MSI, msi, sizeof(msi));
    memcpy(expected + MSIX, msix, sizeof(msix));
    expected[VENDOR] = expected[WINDOW] = 9;
    expected[VENDOR + 1] = MSIX;
    memcpy(expected + VENDOR + 2, vendor_capabilities, 4);
    expected[WINDOW + 1] = VENDOR;
    memcpy(expected + WINDOW + 2, vendor_capabilities + 4, 18);
    assert_int_equal(try_access(false, CONFIG, 0, 256, NULL), 0);
    assert_memory_equal(heard.payload + 16, expected, 256);

    /* What the guest may write, with the device awake all the time. */
    uint8_t writable[256] = {[COMMAND] = 0x47,
                             0x05,
                             [0x0c] = 0xff,
                             0xff,
                             [0x3c] = 0xff,
                             [0x11] = 0xf0,
                             0xff,
                             0xff,
                             0xff,
                             0xff,
                             0xff,
                             0xff,
                             [0x21] = 0xf0,
                             0xff,
                             0xff,
                             [MSI + 2] = 1,
                             [MSI + 4] = 0xfc,
                             [MSIX + 3] = 0xc0};
    memset(writable + MSI + 5, 0xff, 9);
    writable[WINDOW + 4] = 0xff;
    memset(writable + WINDOW + 8, 0xff, 12);
    writable[POWER + 4] = 3;
    ones[POWER + 4] = 0xfe;
    assert_int_equal(try_access(true, CONFIG, 0, 256, ones), 0);
    assert_int_equal(try_access(false, CONFIG, 0, 256, NULL), 0);
    for (unsigned i = 0; i < 256; i++)
        if (heard.payload[16 + i] != (uint8_t)(expected[i] | (writable[i] & ones[i])))
            fail_msg("at 0x%x: 0x%x", i, heard.payload[16 + i]);
    assert_int_equal(ask(VFIO_RESET, NULL, 0), 0);
    assert_int_equal(try_access(false, CONFIG, 0, 256, NULL), 0);
    assert_memory_equal(heard.payload + 16, expected, 256);

    write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
    close(fd); /* the next client finds it as after power-on */
    wait_for_log(f, "Device dev disconnected");
    agree();
    assert_int_equal(read_of(CONFIG, COMMAND, 2), 0);
}

static void test_one_line_and_none(void **state)
{
    (void)state;
    for (uint32_t lines = 0; lines <= 1; lines++) {
        struct trestle_model model = memory_model;
        uint8_t payload[32] = {32, [8] = TABLE};
        model.irq_lines = lines;
        assert_int_equal(open_with(&model, &pci), 0);
        assert_int_equal(read_of(CONFIG, 0x3d, 1), lines);
        assert_int_equal(read_of(CONFIG, MSI, 1), lines ? 5 : 9); /* else the vendor's is there */
        if (lines)
            assert_int_equal(read_of(CONFIG, MSIX, 4), 0x11 | MSI << 8); /* a table of one */
        assert_int_equal(ask(VFIO_GET_REGION_INFO, payload, 32), 0);
        assert_int_equal(vfio_get64(heard.payload + 16), lines * 4096);
        for (uint8_t index = VFIO_INTX; index <= VFIO_MSIX; index++) {
            payload[8] = index;
            assert_int_equal(ask(VFIO_GET_IRQ_INFO, payload, 16), 0);
            assert_int_equal(vfio_get32(heard.payload + 12), lines);
        }
        close(fd);
        trestle_bridge_destroy(f->bridge);
    }
}

static void test_bars_that_cannot_be(void **state)
{
    static const struct {
        uint8_t bar;
        int r;
    } cases[] = {{TRESTLE_BAR_IO + 1, -EINVAL},
                 {TRESTLE_BAR_IO, -EINVAL}, /* with 4096 bytes */
                 {TRESTLE_BAR_MEM, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trestle_pci given = pci;
        given.bar = cases[i].bar;
        assert_int_equal(open_with(&memory_model, &given), cases[i].r);
        if (fd >= 0)
            close(fd);
        trestle_bridge_destroy(f->bridge);
    }
}

/* A second region at I/O ports: a power of two, 16 at least and 256 at most. */
static void test_io_bar(void **state)
{
    static const struct {
        uint8_t first;
        uint8_t bar; /* behind the first, which may take two */
        uint32_t bytes, size;
    } cases[] = {{TRESTLE_BAR_MEM64, 2, 4, 16},
                 {TRESTLE_BAR_MEM64, 2, 16, 16},
                 {TRESTLE_BAR_MEM, 1, 17, 32},
                 {TRESTLE_BAR_MEM, 1, 256, 256},
                 {TRESTLE_BAR_MEM64, 2, 257, 0}};
    static const struct trestle_region registers = {TRESTLE_REGION_SIZES, .bytes = REG_END,
                                                    .widths = 15};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct trestle_region ports = {TRESTLE_REGION_SIZES, .bytes = cases[i].bytes,
                                             .widths = 15};
        const struct trestle_region *const regions[] = {&registers, &ports, NULL};
        struct trestle_model model = memory_model;
        struct trestle_pci given = pci;
        uint32_t size = cases[i].size;
        uint8_t payload[32] = {32, [8] = cases[i].bar};
        uint64_t at = 0x10 + UINT64_C(4) * cases[i].bar;
        given.bar = cases[i].first;
        model.regions = regions;
        given.more_bars[0] = TRESTLE_BAR_IO;
        assert_int_equal(open_with(&model, &given), size ? 0 : -EINVAL);
        if (size) {
            assert_int_equal(ask(VFIO_GET_REGION_INFO, payload, 32), 0);
            assert_int_equal(vfio_get64(heard.payload + 16), size);
            write_to(CONFIG, at, 4, UINT32_MAX);
            assert_int_equal(read_of(CONFIG, at, 4), (0 - size) | 1);
            close(fd);
        }
        trestle_bridge_destroy(f->bridge);
    }
}

/* --- accesses -------------------------------------------------------------------------------- */

static void test_accesses(void **state)
{
    uint8_t bytes[300] = {0};
    (void)state;
    write_to(BAR, REG_VALUE, 8, 0x1122334455667788);
    for (uint32_t width = 1; width <= 8; width *= 2)
        assert_int_equal(read_of(BAR, REG_VALUE, width),
                         UINT64_C(0x1122334455667788) & UINT64_MAX >> (64 - 8 * width));
    assert_int_equal(read_of(BAR, REG_DEFERRED, 8), 0xdef);
    assert_int_equal(read_of(BAR, REG_FAIL, 4), UINT32_MAX);
    write_to(BAR, REG_FAIL, 4, 1);
    assert_int_equal(try_access(false, BAR, 0, 3, NULL), EINVAL);
    assert_int_equal(try_access(false, BAR, 0, 16, NULL), EINVAL);
    assert_int_equal(try_access(false, BAR, 4096, 4, NULL), EINVAL);
    assert_int_equal(try_access(false, BAR, 4093, 4, NULL), EINVAL);
    assert_int_equal(try_access(false, BAR, UINT64_MAX, 4, NULL), EINVAL);
    assert_int_equal(try_access(false, 1, 0, 4, NULL), EINVAL);
    assert_int_equal(try_access(false, 9, 0, 4, NULL), EINVAL);
    assert_int_equal(try_access(false, CONFIG, 0, 0, NULL), EINVAL);
    assert_int_equal(try_access(false, CONFIG, 253, 4, NULL), EINVAL);
    assert_int_equal(try_access(false, TABLE, 0, 257, NULL), EINVAL);
    /* The client has the table itself. */
    assert_int_equal(try_access(true, TABLE, 0, 256, memset(bytes, 1, sizeof(bytes))), 0);
    assert_int_equal(read_of(TABLE, 0, 8), 0);
    /* Fewer bytes than it says. */
    vfio_put64(bytes, 0);
    vfio_put32(bytes + 8, BAR);
    vfio_put32(bytes + 12, 8);
    assert_int_equal(ask(VFIO_REGION_WRITE, bytes, 16 + 7), EINVAL);
    /* One that wants no answer. */
    memset(bytes + 16, 0, 8);
    say(++last_id, VFIO_REGION_WRITE, VFIO_NO_REPLY, bytes, 24, NULL, 0);
    assert_int_equal(read_of(BAR, REG_VALUE, 8), 0);
    vfio_put32(bytes + 12, 4);
    say(++last_id, VFIO_REGION_WRITE, 2, bytes, 24, NULL, 0); /* neither command nor reply */
    hear();
    assert_int_equal(heard.header.error, EINVAL);
}

/* In D3 there is nothing of it but its configuration space, and its way out is a reset. */
static void test_power(void **state)
{
    (void)state;
    write_to(BAR, REG_VALUE, 4, 7);
    write_to(CONFIG, POWER + 4, 1, 2); /* D2 */
    assert_int_equal(read_of(BAR, REG_VALUE, 4), 7);
    write_to(CONFIG, POWER + 4, 1, 3);
    assert_int_equal(read_of(BAR, REG_VALUE, 4), UINT32_MAX);
    write_to(BAR, REG_VALUE, 4, 9);
    assert_int_equal(read_of(BAR, REG_RESETS, 4), UINT32_MAX);
    write_to(CONFIG, POWER + 4, 1, 0);
    assert_int_equal(read_of(BAR, REG_RESETS, 4), 1);
    assert_int_equal(read_of(BAR, REG_VALUE, 4), 7);
    assert_int_equal(ask(VFIO_RESET, NULL, 0), 0);
    assert_int_equal(read_of(BAR, REG_RESETS, 4), 2);
}

/* A BAR through the configuration space. */
static void test_window(void **state)
{
    (void)state;
    write_to(BAR, REG_VALUE, 4, 0x44332211);
    write_to(CONFIG, WINDOW + 4, 1, BAR);
    write_to(CONFIG, WINDOW + 8, 4, REG_VALUE + 2);
    write_to(CONFIG, WINDOW + 12, 4, 2);
    assert_int_equal(read_of(CONFIG, WINDOW + 16, 4), 0x4433);
    write_to(CONFIG, WINDOW + 8, 4, REG_VALUE);
    write_to(CONFIG, WINDOW + 16, 2, 0xbbaa);
    assert_int_equal(read_of(BAR, REG_VALUE, 4), 0xbbaa);
    write_to(CONFIG, POWER + 4, 1, 3);
    assert_int_equal(read_of(CONFIG, WINDOW + 16, 2), 0xffff);
    write_to(CONFIG, WINDOW + 16, 2, 0x1234);
    write_to(CONFIG, POWER + 4, 1, 0);
    assert_int_equal(read_of(BAR, REG_VALUE, 4), 0xbbaa);
    write_to(CONFIG, WINDOW + 4, 1, TABLE); /* which is none of the model's */
    write_to(CONFIG, WINDOW + 16, 2, 0x5678);
    assert_int_equal(read_of(CONFIG, WINDOW + 16, 2), 0x5678);
}

/* --- interrupts ------------------------------------------------------------------------------ */

static uint32_t set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
                         const int *fds, size_t num_fds)
{
    uint8_t payload[24] = {20};
    vfio_put32(payload + 4, flags);
    vfio_put32(payload + 8, index);
    vfio_put32(payload + 12, start);
    vfio_put32(payload + 16, count);
    payload[20] = 1;
    return ask_with(VFIO_SET_IRQS, payload, 20 + (flags & VFIO_SET_BOOL ? 1 : 0), fds, num_fds);
}

/* How often it was signalled since. */
static uint64_t signals_of(int event)
{
    uint64_t count = 0;
    (void)!read(event, &count, sizeof(count));
    return count;
}

static void set_line(unsigned level)
{
    write_to(BAR, REG_IRQ, 4, level);
}

static void test_intx(void **state)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)state;
    assert_int_equal(set_irqs(VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_INTX, 0, 1, &event, 1), 0);
    assert_int_equal(signals_of(event), 0);
    set_line(1);
    assert_int_equal(signals_of(event), 1);
    set_line(0);
    set_line(1); /* is held back until the client says so */
    assert_int_equal(signals_of(event), 0);
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_UNMASK, VFIO_INTX, 0, 1, NULL, 0), 0);
    assert_int_equal(signals_of(event), 1);
    set_line(0);
    assert_int_equal(set_irqs(VFIO_SET_BOOL | VFIO_SET_UNMASK, VFIO_INTX, 0, 1, NULL, 0), 0);
    assert_int_equal(signals_of(event), 0);
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_MASK, VFIO_INTX, 0, 1, NULL, 0), 0);
    set_line(1);
    assert_int_equal(signals_of(event), 0);
    write_to(CONFIG, COMMAND, 2, COMMAND_NO_INTX);
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_UNMASK, VFIO_INTX, 0, 1, NULL, 0), 0);
    assert_int_equal(signals_of(event), 0);
    write_to(CONFIG, COMMAND, 2, 0); /* lets it through */
    assert_int_equal(signals_of(event), 1);
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_INTX, 0, 1, NULL, 0), 0);
    assert_int_equal(signals_of(event), 1); /* a test of the client's */
    /* None any more, and then one while the line is high. */
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_INTX, 0, 0, NULL, 0), 0);
    set_line(0);
    set_line(1);
    assert_int_equal(signals_of(event), 0);
    assert_int_equal(set_irqs(VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_INTX, 0, 1, &event, 1), 0);
    assert_int_equal(signals_of(event), 1);
    close(event);
}

static void test_messages(void **state)
{
    int events[3];
    (void)state;
    for (int i = 0; i < 3; i++)
        events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    set_line(1);
    assert_int_equal(set_irqs(VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_MSIX, 0, 2, events, 2), 0);
    assert_int_equal(signals_of(events[0]), 1); /* that is high already */
    assert_int_equal(signals_of(events[1]), 0);
    set_line(0);
    assert_int_equal(signals_of(events[0]), 0);
    set_line(1);
    assert_int_equal(signals_of(events[0]), 1);
    write_to(BAR, REG_TIMER, 4, 1);
    for (unsigned i = 0; i < 100000 && signals_of(events[1]) == 0; i++)
        turn(f);
    assert_int_equal(signals_of(events[0]), 0);
    /* Another one in its place, and the first taken away. */
    assert_int_equal(set_irqs(VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_MSIX, 1, 1, &events[2], 1),
                     0);
    assert_int_equal(signals_of(events[2]), 1);
    assert_int_equal(set_irqs(VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_MSIX, 0, 1, NULL, 0), 0);
    set_line(0);
    set_line(1);
    assert_int_equal(signals_of(events[0]), 0);
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_MSIX, 0, 0, NULL, 0), 0);
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_MSIX, 1, 1, NULL, 0), 0);
    assert_int_equal(signals_of(events[2]), 0);

    assert_int_equal(set_irqs(VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_MSI, 0, 1, events, 1), 0);
    assert_int_equal(signals_of(events[0]), 1);
    set_line(0);
    set_line(1);
    assert_int_equal(signals_of(events[0]), 1);
    write_to(CONFIG, POWER + 4, 1, 3);
    write_to(CONFIG, POWER + 4, 1, 0);
    assert_int_equal(signals_of(events[0]), 0);
    for (int i = 0; i < 3; i++)
        close(events[i]);
}

static void test_messages_of_two_lines(void **state)
{
    const uint32_t flags = VFIO_SET_EVENTFD | VFIO_SET_TRIGGER;
    int events[2], memory = memfd_create("x", MFD_CLOEXEC);
    (void)state;
    for (int i = 0; i < 2; i++)
        events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(set_irqs(flags, VFIO_MSIX, 0, 2, (int[]){events[0], memory}, 2), EINVAL);
    assert_int_equal(set_irqs(flags, VFIO_MSIX, 0, 2, events, 2), 0);
    assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_MSIX, 0, 2, NULL, 0), 0);
    assert_int_equal(signals_of(events[0]), 1);
    assert_int_equal(signals_of(events[1]), 1);
    set_line(1);
    assert_int_equal(signals_of(events[0]), 1);
    write_to(BAR, REG_TIMER, 4, 1);
    while (signals_of(events[1]) == 0)
        turn(f);
    assert_int_equal(set_irqs(flags, VFIO_MSIX, 0, 2, events, 2), 0); /* both are high */
    assert_int_equal(signals_of(events[0]), 1);
    assert_int_equal(signals_of(events[1]), 1);
    for (int i = 0; i < 2; i++)
        close(events[i]);
    close(memory);
}

static void test_interrupts_that_cannot_be(void **state)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), memory = memfd_create("x", MFD_CLOEXEC);
    static const struct {
        uint32_t flags, index, start, count, error;
    } bad[] = {{VFIO_SET_NONE | VFIO_SET_TRIGGER, 5, 0, 0, EINVAL},
               {VFIO_SET_NONE, VFIO_INTX, 0, 1, EINVAL},
               {VFIO_SET_TRIGGER, VFIO_INTX, 0, 1, EINVAL},
               {VFIO_SET_NONE | VFIO_SET_BOOL | VFIO_SET_TRIGGER, VFIO_INTX, 0, 1, EINVAL},
               {VFIO_SET_NONE | VFIO_SET_MASK | VFIO_SET_UNMASK, VFIO_INTX, 0, 1, EINVAL},
               {VFIO_SET_NONE | VFIO_SET_MASK | 0x40, VFIO_INTX, 0, 1, EINVAL},
               {VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_INTX, 0, 2, EINVAL},
               {VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_MSIX, 3, 0, EINVAL},
               {VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_MSIX, 1, 2, EINVAL},
               {VFIO_SET_BOOL | VFIO_SET_TRIGGER, VFIO_MSIX, 0, 2, EINVAL},
               {VFIO_SET_NONE | VFIO_SET_MASK, VFIO_MSI, 0, 1, ENOTSUP},
               {VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_ERR, 0, 1, ENOTSUP},
               {VFIO_SET_EVENTFD | VFIO_SET_MASK, VFIO_INTX, 0, 1, ENOTSUP}};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(set_irqs(bad[i].flags, bad[i].index, bad[i].start, bad[i].count, NULL, 0),
                         bad[i].error);
    const uint32_t flags = VFIO_SET_EVENTFD | VFIO_SET_TRIGGER;
    assert_int_equal(set_irqs(flags, VFIO_MSIX, 2, 0, NULL, 0), 0); /* none, behind the last */
    assert_int_equal(set_irqs(flags, VFIO_INTX, 0, 1, &memory, 1), EINVAL); /* is no eventfd */
    assert_int_equal(set_irqs(flags, VFIO_MSIX, 0, 2, &event, 1), EINVAL);
    assert_int_equal(set_irqs(flags, VFIO_ERR, 0, 1, &event, 1), 0); /* is never signalled */
    /* Full: the client has itself to blame, and nobody waits. */
    assert_int_equal(set_irqs(flags, VFIO_MSI, 0, 1, &event, 1), 0);
    const uint64_t most = UINT64_MAX - 1;
    assert_int_equal(write(event, &most, sizeof(most)), sizeof(most));
    set_line(1);
    assert_int_equal(signals_of(event), most);
    close(event);
    close(memory);
}

/* --- guest memory ---------------------------------------------------------------------------- */

enum { RAM_SIZE = 0x100000 };
#define RAM_AT UINT64_C(0x80000000)

static uint32_t map(uint32_t flags, uint64_t offset, uint64_t addr, uint64_t size, int memory)
{
    uint8_t payload[32] = {32};
    vfio_put32(payload + 4, flags);
    vfio_put64(payload + 8, offset);
    vfio_put64(payload + 16, addr);
    vfio_put64(payload + 24, size);
    return ask_with(VFIO_DMA_MAP, payload, 32, &memory, memory >= 0);
}

static uint32_t unmap(uint32_t flags, uint64_t addr, uint64_t size)
{
    uint8_t payload[24] = {24};
    vfio_put32(payload + 4, flags);
    vfio_put64(payload + 8, addr);
    vfio_put64(payload + 16, size);
    uint32_t error = ask(VFIO_DMA_UNMAP, payload, 24);
    if (error == 0)
        assert_memory_equal(heard.payload, payload, 24);
    return error;
}

static int make_ram(bool is_sealed, uint8_t **ret_bytes)
{
    int memory = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(memory, RAM_SIZE + 4096), 0);
    if (is_sealed)
        assert_int_equal(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    *ret_bytes = mmap(NULL, RAM_SIZE + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    assert_ptr_not_equal(*ret_bytes, MAP_FAILED);
    return memory;
}

/* The model copies from DMA_FROM to DMA_TO. Its status. */
static uint64_t copy_in_guest(uint32_t size)
{
    uint64_t status = 1;
    write_to(BAR, REG_DMA, 4, size);
    for (unsigned i = 0; i < 1000 && status == 1; i++)
        status = read_of(BAR, REG_DMA_STATUS, 4);
    return status;
}

static void test_memory_of_files(void **state)
{
    enum { FROM = DMA_FROM - RAM_AT, TO = DMA_TO - RAM_AT, OFFSET = 2048, SIZE = 5000 };
    (void)state;
    for (int is_sealed = 0; is_sealed < 2; is_sealed++) {
        uint8_t *bytes, *more;
        int memory = make_ram(is_sealed, &bytes), other = make_ram(is_sealed, &more);
        /* Two files side by side, of which the second begins within what is copied. */
        uint64_t first = FROM + 1000;
        assert_int_equal(map(3, OFFSET, RAM_AT, first, memory), 0);
        assert_int_equal(map(3, OFFSET + first, RAM_AT + first, RAM_SIZE - first, other), 0);
        assert_log_has(f, is_sealed ? "at 0x80000000 is shared"
                                    : "at 0x80000000 may become shorter (it is not sealed)");
        assert_log_has(f, is_sealed ? "at 0x800004e8 is shared"
                                    : "at 0x800004e8 may become shorter (it is not sealed)");
        for (unsigned i = 0; i < SIZE; i++)
            (i < 1000 ? bytes : more)[OFFSET + FROM + i] = (uint8_t)(i * 7 + 1);
        assert_int_equal(copy_in_guest(SIZE), EFAULT); /* it is no master */
        write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
        assert_int_equal(copy_in_guest(SIZE), 0);
        assert_memory_equal(more + OFFSET + TO, bytes + OFFSET + FROM, 1000);
        assert_memory_equal(more + OFFSET + TO + 1000, more + OFFSET + FROM + 1000, SIZE - 1000);
        assert_int_equal(more[OFFSET + TO + SIZE] | more[OFFSET + TO - 1], 0);
        assert_int_equal(unmap(0, RAM_AT, first - 1), ENOENT);
        assert_int_equal(unmap(0, RAM_AT + 1, first), ENOENT);
        assert_int_equal(unmap(4, RAM_AT, first), ENOTSUP);
        assert_int_equal(unmap(0, RAM_AT, first), 0);
        assert_int_equal(copy_in_guest(SIZE), EFAULT);
        assert_int_equal(map(VFIO_MAP_WRITEABLE, OFFSET, RAM_AT, first, memory), 0);
        assert_int_equal(copy_in_guest(100), EFAULT); /* is not to be read */
        assert_int_equal(unmap(VFIO_UNMAP_ALL, 0, 0), 0);
        assert_int_equal(unmap(0, RAM_AT, first), ENOENT);
        write_to(CONFIG, COMMAND, 2, 0);
        munmap(bytes, RAM_SIZE + 4096);
        munmap(more, RAM_SIZE + 4096);
        close(memory);
        close(other);
    }
}

#define UNMAP_SIZE (VFIO_HEADER_SIZE + 24)

/* A whole message, for tests that send it in pieces. The bytes were 0. */
static void put_unmap_all(uint8_t bytes[UNMAP_SIZE])
{
    vfio_put_header(bytes, &(struct vfio_header){.id = ++last_id,
                                                 .command = VFIO_DMA_UNMAP,
                                                 .size = UNMAP_SIZE,
                                                 .flags = VFIO_TYPE_COMMAND});
    bytes[VFIO_HEADER_SIZE] = 24;
    vfio_put32(bytes + VFIO_HEADER_SIZE + 4, VFIO_UNMAP_ALL);
}

/* Each half of a message brings one; none of them is lost sight of. */
static void test_descriptors_with_halves(void **state)
{
    uint8_t bytes[UNMAP_SIZE] = {0};
    int memory = memfd_create("x", MFD_CLOEXEC);
    (void)state;
    put_unmap_all(bytes);
    assert_int_equal(fds_send(fd, bytes, 8, &memory, 1), 0);
    for (unsigned i = 0; i < 3; i++)
        turn(f);
    assert_int_equal(fds_send(fd, bytes + 8, sizeof(bytes) - 8, &memory, 1), 0);
    hear();
    assert_int_equal(heard.header.error, 0);
    close(memory);
}

/* A message that wants no descriptor does not leave it to the next one. */
static void test_descriptor_of_another_message(void **state)
{
    uint8_t *bytes;
    int memory = make_ram(true, &bytes);
    (void)state;
    assert_int_equal(ask_with(VFIO_RESET, NULL, 0, &memory, 1), 0);
    assert_int_equal(map(3, 0, RAM_AT, RAM_SIZE, -1), 0);
    assert_log_has(f, "at 0x80000000 is reached by messages");
    munmap(bytes, RAM_SIZE + 4096);
    close(memory);
}

/* What may only be read, or is not all there, stays as it is. */
static void test_memory_that_is_not_written(void **state)
{
    enum { FROM = DMA_FROM - RAM_AT, TO = DMA_TO - RAM_AT, SIZE = 5000 };
    static const struct {
        uint32_t flags;
        uint64_t size;
    } cases[] = {{VFIO_MAP_READABLE, RAM_SIZE}, {3, TO + 1000}};
    static const uint8_t nothing[SIZE];
    (void)state;
    write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
    for (size_t i = 0; i < 4; i++) {
        uint8_t *bytes;
        int memory = make_ram(i % 2, &bytes);
        memset(bytes + FROM, 7, SIZE);
        assert_int_equal(map(cases[i / 2].flags, 0, RAM_AT, cases[i / 2].size, memory), 0);
        assert_int_equal(copy_in_guest(SIZE), EFAULT);
        assert_memory_equal(bytes + TO, nothing, SIZE);
        assert_int_equal(unmap(VFIO_UNMAP_ALL, 0, 0), 0);
        munmap(bytes, RAM_SIZE + 4096);
        close(memory);
    }
}

/* Reading such a file could wait for somebody. */
static void test_a_file_that_is_no_memory(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(map(3, 0, RAM_AT, RAM_SIZE, fds[0]), 0);
    assert_log_has(f, "guest memory of 0x100000 bytes at 0x80000000 is reached by messages");
    close(fds[0]);
    close(fds[1]);
}

/* A descriptor is that of its message, also right behind one that comes in two pieces. */
static void test_descriptor_behind_halves(void **state)
{
    uint8_t bytes[UNMAP_SIZE] = {0}, payload[32] = {32}, *ram;
    int memory = make_ram(true, &ram);
    (void)state;
    put_unmap_all(bytes);
    assert_int_equal(fds_send(fd, bytes, 8, NULL, 0), 0);
    for (unsigned i = 0; i < 3; i++)
        turn(f);
    vfio_put32(payload + 4, 3);
    vfio_put64(payload + 16, RAM_AT);
    vfio_put64(payload + 24, RAM_SIZE);
    assert_int_equal(fds_send(fd, bytes + 8, sizeof(bytes) - 8, NULL, 0), 0);
    say(++last_id, VFIO_DMA_MAP, VFIO_TYPE_COMMAND, payload, sizeof(payload), &memory, 1);
    for (unsigned i = 0; i < 2; i++) {
        hear();
        assert_int_equal(heard.header.error, 0);
    }
    assert_int_equal(heard.header.id, last_id);
    assert_log_has(f, "at 0x80000000 is shared");
    munmap(ram, RAM_SIZE + 4096);
    close(memory);
}

/* What the client gives, or the bridge's copy of it, gets that number where the process began
 * without it. */
static void test_descriptor_0(void **state)
{
    const uint32_t flags = VFIO_SET_EVENTFD | VFIO_SET_TRIGGER;
    uint8_t *bytes,
        map_all[VFIO_HEADER_SIZE + 32] = {[VFIO_HEADER_SIZE] = 32, [VFIO_HEADER_SIZE + 4] = 3};
    int memory = make_ram(false, &bytes), event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), saved;
    (void)state;
    write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
    for (uint32_t index = VFIO_INTX; index <= VFIO_MSIX; index++) {
        saved = free_stdin();
        assert_int_equal(set_irqs(flags, index, 0, 1, &event, 1), 0);
        assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), FD_CLOEXEC);
        set_line(1);
        assert_int_equal(signals_of(event), 1);
        set_line(0);
        assert_int_equal(set_irqs(VFIO_SET_NONE | VFIO_SET_TRIGGER, index, 0, 0, NULL, 0), 0);
        restore_stdin(saved);
    }
    vfio_put64(map_all + VFIO_HEADER_SIZE + 16, RAM_AT);
    vfio_put64(map_all + VFIO_HEADER_SIZE + 24, RAM_SIZE);
    for (uint8_t is_copy = 0; is_copy < 2; is_copy++) {
        vfio_put_header(map_all, &(struct vfio_header){.id = ++last_id,
                                                       .command = VFIO_DMA_MAP,
                                                       .size = sizeof(map_all),
                                                       .flags = VFIO_TYPE_COMMAND});
        if (!is_copy)
            saved = free_stdin();
        assert_int_equal(fds_send(fd, map_all, VFIO_HEADER_SIZE, &memory, 1), 0);
        for (unsigned i = 0; i < 3; i++)
            turn(f);
        if (is_copy)
            saved = free_stdin();
        client_send(fd, map_all + VFIO_HEADER_SIZE, 32);
        hear();
        assert_int_equal(heard.header.error, 0);
        assert_log_has(f, "at 0x80000000 may become shorter (it is not sealed)");
        assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), is_copy ? FD_CLOEXEC : -1);
        bytes[DMA_FROM - RAM_AT] = (uint8_t)(is_copy + 1);
        assert_int_equal(copy_in_guest(1), 0);
        assert_int_equal(bytes[DMA_TO - RAM_AT], is_copy + 1);
        assert_int_equal(unmap(VFIO_UNMAP_ALL, 0, 0), 0);
        restore_stdin(saved);
        f->log[0] = '\0';
    }
    munmap(bytes, RAM_SIZE + 4096);
    close(memory);
    close(event);
}

static void test_a_file_that_becomes_shorter(void **state)
{
    uint8_t *bytes;
    int memory = make_ram(false, &bytes);
    (void)state;
    write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
    assert_int_equal(map(3, 0, RAM_AT, RAM_SIZE, memory), 0);
    assert_int_equal(ftruncate(memory, 0), 0);
    assert_int_equal(copy_in_guest(100), EFAULT);
    munmap(bytes, RAM_SIZE + 4096);
    close(memory);
}

static void test_maps_that_cannot_be(void **state)
{
    (void)state;
    assert_int_equal(map(3, 0, 0, 0, -1), EINVAL);
    assert_int_equal(map(7, 0, 0, 4096, -1), EINVAL);
    assert_int_equal(map(3, 0, UINT64_MAX - 4095, 4097, -1), EINVAL);
    assert_int_equal(map(3, 0, 0x10000, 0x2000, -1), 0);
    assert_log_has(f, "guest memory of 0x2000 bytes at 0x10000 is reached by messages");
    assert_int_equal(map(3, 0, 0x11fff, 1, -1), EEXIST);
    assert_int_equal(map(3, 0, 0xf000, 0x1001, -1), EEXIST);
    assert_int_equal(map(3, 0, 0xf000, 0x1000, -1), 0);
    for (uint64_t i = 2; i < 64; i++)
        assert_int_equal(map(3, 0, 0x12000 + i, 1, -1), 0);
    assert_int_equal(map(3, 0, 0x12000, 1, -1), ENOSPC);
}

/* Wants no answer, which would come behind what the device asks for. */
static void begin_copy(uint32_t size)
{
    uint8_t payload[20] = {0};
    vfio_put64(payload, REG_DMA);
    vfio_put32(payload + 12, 4);
    vfio_put32(payload + 16, size);
    say(++last_id, VFIO_REGION_WRITE, VFIO_NO_REPLY, payload, sizeof(payload), NULL, 0);
}

/* What the device asks for: a piece of a transfer. */
static void expect_piece(uint16_t command, uint64_t addr, uint64_t size)
{
    hear();
    assert_int_equal(heard.header.command, command);
    assert_int_equal(heard.header.flags, VFIO_TYPE_COMMAND);
    assert_int_equal(vfio_get64(heard.payload), addr);
    assert_int_equal(vfio_get64(heard.payload + 8), size);
    assert_int_equal(heard.size, 16 + (command == VFIO_DMA_WRITE ? size : 0));
}

static void test_memory_by_messages(void **state)
{
    uint8_t answer[16 + 256] = {0};
    (void)state;
    write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
    assert_int_equal(map(3, 0, RAM_AT, RAM_SIZE, -1), 0);
    begin_copy(300);
    for (uint32_t at = 0; at < 300; at += 256) {
        uint32_t piece = at == 0 ? 256 : 44;
        expect_piece(VFIO_DMA_READ, DMA_FROM + at, piece);
        vfio_put32(answer + 8, piece);
        for (uint32_t i = 0; i < piece; i++)
            answer[16 + i] = (uint8_t)((at + i) * 3);
        say(heard.header.id, VFIO_DMA_READ, VFIO_TYPE_REPLY, answer, 16 + piece, NULL, 0);
    }
    for (uint32_t at = 0; at < 300; at += 256) {
        uint32_t piece = at == 0 ? 256 : 44;
        expect_piece(VFIO_DMA_WRITE, DMA_TO + at, piece);
        for (uint32_t i = 0; i < piece; i++)
            assert_int_equal(heard.payload[16 + i], (uint8_t)((at + i) * 3));
        vfio_put32(answer + 8, piece);
        say(heard.header.id, VFIO_DMA_WRITE, VFIO_TYPE_REPLY, answer, 12, NULL, 0);
    }
    assert_int_equal(read_of(BAR, REG_DMA_STATUS, 4), 0);
    struct trestle_device_stats stats;
    trestle_bridge_stats(f->bridge, 0, &stats);
    assert_int_equal(stats.errors, 0);
    /* One that the client cannot do. */
    begin_copy(4);
    expect_piece(VFIO_DMA_READ, DMA_FROM, 4);
    say(heard.header.id, VFIO_DMA_READ, VFIO_TYPE_REPLY | VFIO_ERROR, NULL, 0, NULL, 0);
    assert_int_equal(read_of(BAR, REG_DMA_STATUS, 4), EFAULT);
    /* A reset ends it; the answer may come all the same. */
    begin_copy(4);
    expect_piece(VFIO_DMA_READ, DMA_FROM, 4);
    uint16_t id = heard.header.id;
    assert_int_equal(ask(VFIO_RESET, NULL, 0), 0);
    vfio_put32(answer + 8, 4);
    say(id, VFIO_DMA_READ, VFIO_TYPE_REPLY, answer, 20, NULL, 0);
    assert_int_equal(read_of(BAR, REG_RESETS, 4), 1);
}

/* Less at a time, as the client wants it. */
static void test_small_pieces(void **state)
{
    char version[100] = {0};
    uint8_t answer[16 + 8] = {0};
    (void)state;
    close(fd);
    wait_for_log(f, "Device dev disconnected");
    fd = client_connect(f, 0);
    strcpy(version + 4, "{\"capabilities\":{\"max_data_xfer_size\":8}}");
    assert_int_equal(ask(VFIO_VERSION, version, 4 + strlen(version + 4) + 1), 0);
    write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
    assert_int_equal(map(3, 0, RAM_AT, RAM_SIZE, -1), 0);
    begin_copy(12);
    expect_piece(VFIO_DMA_READ, DMA_FROM, 8);
    vfio_put32(answer + 8, 8);
    say(heard.header.id, VFIO_DMA_READ, VFIO_TYPE_REPLY, answer, 24, NULL, 0);
    expect_piece(VFIO_DMA_READ, DMA_FROM + 8, 4);
}

static void test_replies_that_cannot_be(void **state)
{
    uint8_t answer[20] = {0};
    (void)state;
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            close(fd);
            f->log[0] = '\0';
            agree();
        }
        write_to(CONFIG, COMMAND, 2, COMMAND_MASTER);
        assert_int_equal(map(3, 0, RAM_AT, RAM_SIZE, -1), 0);
        vfio_put32(answer + 8, i == 1 ? 3 : 4);
        if (i > 0) {
            begin_copy(4);
            expect_piece(VFIO_DMA_READ, DMA_FROM, 4);
        }
        say((uint16_t)(heard.header.id + (i == 2)), i == 3 ? VFIO_DMA_WRITE : VFIO_DMA_READ,
            VFIO_TYPE_REPLY, answer, 20, NULL, 0);
        assert_true(client_is_closed(f, fd));
        assert_log_has(f, "dev: disconnected: a reply that nobody asked for");
    }
}

#define VFIO_TEST(test) cmocka_unit_test_setup_teardown(test, open_device, close_device)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VFIO_TEST(test_version),
        VFIO_TEST(test_what_it_is),
        VFIO_TEST(test_configuration_space),
        cmocka_unit_test(test_one_line_and_none),
        cmocka_unit_test(test_bars_that_cannot_be),
        cmocka_unit_test(test_io_bar),
        VFIO_TEST(test_accesses),
        VFIO_TEST(test_power),
        VFIO_TEST(test_window),
        VFIO_TEST(test_intx),
        VFIO_TEST(test_messages),
        VFIO_TEST(test_messages_of_two_lines),
        VFIO_TEST(test_descriptors_with_halves),
        VFIO_TEST(test_interrupts_that_cannot_be),
        VFIO_TEST(test_memory_of_files),
        VFIO_TEST(test_descriptor_of_another_message),
        VFIO_TEST(test_memory_that_is_not_written),
        VFIO_TEST(test_a_file_that_is_no_memory),
        VFIO_TEST(test_descriptor_behind_halves),
        VFIO_TEST(test_descriptor_0),
        VFIO_TEST(test_a_file_that_becomes_shorter),
        VFIO_TEST(test_maps_that_cannot_be),
        VFIO_TEST(test_memory_by_messages),
        VFIO_TEST(test_small_pieces),
        VFIO_TEST(test_replies_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
