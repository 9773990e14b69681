/* SPDX-License-Identifier: MIT */
/*
 * The plugin's side of both protocols and a server that may do anything. The input says what the
 * guest does, and, whenever the plugin waits, what the server does meanwhile. QEMU is a few
 * functions that check what they are called with.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "clock.h"
#include "fuzz.h"
#include "ipc/fds.h"
#include "ipc/shm.h"
#include "plugin/device/device.h"
#include "plugin/qemu/memory.h"
#include "plugin/qemu/say.h"
#include "plugin/v2/ram.h"
#include "plugin/v2/v2.h"

#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE 0x40000u

enum { NUM_DEVICES = 4, NUM_SESSIONS = 2, STEPS_MAX = 1000, FIRST_IRQ = 40, NUM_IRQS = 96 };

int __wrap_ipc_connect(const char *path, int *ret_fd);

/* --- QEMU --------------------------------------------------------------------------------------
 */

struct qemu_abi qemu;
static struct sst_device devices[NUM_DEVICES];
static char controller, board;
static int ram_fd;
static void (*on_reset)(void *opaque);
static void (*on_ready)(void *opaque);
static struct qemu_notifier *on_exit_of_qemu;
static struct {
    void (*ready)(void *opaque);
    void *opaque;
    bool is_armed;
} timers[64];
static int64_t guest_ns;

bool qemu_counts_instructions(void)
{
    return false;
}

static int copy(struct sst_device *dev, bool write, uint64_t addr, void *buf, size_t size)
{
    (void)dev;
    return memory_copy(qemu.address_space_memory, write, addr, buf, size);
}

static struct ipc_crowd crowd;

static const struct device_bus bus = {
    .type = "sst-device", .line_changed = irq_line_changed, .set_anew = irq_set_anew, .copy = copy};

struct sst_device *device_first(void)
{
    return devices;
}

void device_init_wait(const struct sst_device *dev, struct ipc_wait *wait)
{
    ipc_wait_init(wait, (enum trestle_wait)dev->wait, &crowd);
}

static void ignore(const char *format, va_list args)
{
    char line[512];
    vsnprintf(line, sizeof(line), format, args);
    FUZZ_REQUIRE(!strchr(line, '\n'));
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ignore(format, args);
    va_end(args);
}

void say_device(const struct sst_device *dev, const char *format, ...)
{
    (void)dev;
    va_list args;
    va_start(args, format);
    ignore(format, args);
    va_end(args);
}

/* Ends QEMU, which nothing that a server does may do. */
void refuse(const char *format, ...)
{
    fprintf(stderr, "refused: %s\n", format);
    abort();
}

void refuse_device(const struct sst_device *dev, const char *format, ...)
{
    (void)dev;
    fprintf(stderr, "refused: %s\n", format);
    abort();
}

qemu_attrs qemu_memory_only(void)
{
    return 0;
}

static int64_t clock_get_ns(int clock)
{
    FUZZ_REQUIRE(clock == QEMU_CLOCK_VIRTUAL);
    return guest_ns += 1000;
}

/* The timer's storage is the session's: what it is called with is kept here. */
static void timer_init(struct qemu_timer *timer, struct qemu_timer_lists *lists, int clock,
                       int scale, int attributes, void (*ready)(void *opaque), void *opaque)
{
    unsigned i = 0;
    (void)lists;
    FUZZ_REQUIRE(clock == QEMU_CLOCK_VIRTUAL && scale == QEMU_SCALE_NS && attributes == 0);
    while (timers[i].ready)
        FUZZ_REQUIRE(++i < sizeof(timers) / sizeof(timers[0]));
    timers[i].ready = ready;
    timers[i].opaque = opaque;
    memcpy(timer, &i, sizeof(i));
}

static unsigned timer_number(const struct qemu_timer *timer)
{
    unsigned i;
    memcpy(&i, timer, sizeof(i));
    return i;
}

static void timer_mod(struct qemu_timer *timer, int64_t ns)
{
    FUZZ_REQUIRE(ns >= 0);
    timers[timer_number(timer)].is_armed = true;
}

static void timer_del(struct qemu_timer *timer)
{
    timers[timer_number(timer)].is_armed = false;
}

static struct qemu_object *find_controller(const char *path, const char *type, bool *ret_ambiguous)
{
    (void)path;
    *ret_ambiguous = false;
    return strcmp(type, "riscv.sifive.plic") == 0 ? (struct qemu_object *)&controller : NULL;
}

static uint64_t get_uint(struct qemu_object *object, const char *name, struct qemu_error **errp)
{
    (void)object;
    (void)name;
    (void)errp;
    return NUM_IRQS;
}

/* So the board has no wires. */
static char *no_path(const struct qemu_object *object)
{
    return NULL;
}

static struct qemu_irq *gpio_in(struct qemu_object *object, int number)
{
    FUZZ_REQUIRE(object == (struct qemu_object *)&controller && number > 0 && number < NUM_IRQS);
    return (struct qemu_irq *)&board;
}

static void set_irq(struct qemu_irq *irq, int level)
{
    FUZZ_REQUIRE(irq == (struct qemu_irq *)&board && (level == 0 || level == 1));
}

static void register_reset(void (*reset)(void *opaque), void *opaque)
{
    (void)opaque;
    on_reset = reset;
}

/* Other mappings lie next to a session's. Nobody else would notice a byte too many there. */
static void check_buffer(const uint8_t *buf, uint64_t size)
{
    bool is_near = false;
    for (const struct session *session = session_first(); session;
         session = session->next_session) {
        const uint8_t *memory = session->ring.shm.memory;
        if (memory && buf >= memory + SHM_BULK_OFFSET && buf + size <= memory + SHM_SIZE)
            return;
        is_near |= memory && buf < memory + 8 * (size_t)SHM_SIZE && buf + size > memory;
    }
    FUZZ_REQUIRE(!is_near);
}

static uint32_t address_space_rw(void *space, uint64_t addr, qemu_attrs attrs, void *buf,
                                 uint64_t size, bool is_write)
{
    static uint8_t ram[RAM_SIZE];
    (void)space;
    (void)attrs;
    if (addr < RAM_BASE || addr - RAM_BASE > RAM_SIZE || size > RAM_SIZE - (addr - RAM_BASE))
        return QEMU_MEMTX_ERROR;
    check_buffer(buf, size);
    if (is_write)
        memcpy(ram + (addr - RAM_BASE), buf, size);
    else
        memcpy(buf, ram + (addr - RAM_BASE), size);
    return QEMU_MEMTX_OK;
}

static void add_exit_notifier(struct qemu_notifier *notifier)
{
    on_exit_of_qemu = notifier;
}

/* All of the RAM is a backend's, in a file. */
static int for_each_object(struct qemu_object *root, int (*call)(struct qemu_object *, void *),
                           void *opaque)
{
    return call(root, opaque);
}

static struct qemu_object *objects_root(void)
{
    return (struct qemu_object *)&board;
}

static struct qemu_object *cast(struct qemu_object *object, const char *type)
{
    (void)type;
    return object;
}

static bool get_bool(struct qemu_object *object, const char *name, struct qemu_error **errp)
{
    (void)object;
    (void)name;
    (void)errp;
    return true;
}

static struct qemu_region *backend_memory(struct qemu_object *object)
{
    return (struct qemu_region *)object;
}

static int region_fd(struct qemu_region *region)
{
    (void)region;
    return ram_fd;
}

static struct qemu_region *system_memory(void)
{
    return (struct qemu_region *)&controller;
}

static struct qemu_section find_region(struct qemu_region *system, uint64_t addr, uint64_t size)
{
    (void)system;
    (void)size;
    if (addr > RAM_BASE)
        return (struct qemu_section){0};
    return (struct qemu_section){.region = (struct qemu_region *)&board,
                                 .size_low = RAM_SIZE,
                                 .offset_within_address_space = RAM_BASE};
}

static void unref(struct qemu_region *region)
{
    FUZZ_REQUIRE(region == (struct qemu_region *)&board);
}

/* In two pieces, as QEMU may do it. */
static void *map(void *space, uint64_t addr, uint64_t *ref_size, bool is_write, qemu_attrs attrs)
{
    (void)space;
    (void)attrs;
    FUZZ_REQUIRE(is_write && addr >= RAM_BASE && *ref_size <= RAM_BASE + RAM_SIZE - addr);
    if (*ref_size > 0x1000)
        *ref_size = 0x1000;
    return &board;
}

static void unmap(void *space, void *buf, uint64_t size, bool is_write, uint64_t accessed)
{
    (void)space;
    FUZZ_REQUIRE(buf == &board && is_write && size == accessed);
}

static void set_fd_handler(int fd, void (*read)(void *), void (*write)(void *), void *opaque)
{
    (void)fd;
    (void)write;
    (void)opaque;
    on_ready = read;
}

/* --- the server --------------------------------------------------------------------------------
 */

enum server_step {
    NOTHING,
    WELCOME,
    RAW_BYTES,
    REPLY,
    EVENT,
    SPOIL_RING,
    SPOIL_HEADER,
    CLOSE,
    REFUSE_CONNECTIONS,
    NUM_SERVER_STEPS
};

static struct fuzz_input in;
static struct {
    int fds[NUM_DEVICES];
    uint64_t seqs[NUM_DEVICES];
    uint64_t last_id;
    struct shm shm[NUM_SESSIONS];
    struct ring_producer events[NUM_SESSIONS];
    bool refuses;
} server;

int __wrap_ipc_connect(const char *path, int *ret_fd)
{
    int i = path[0] - '0', pair[2];
    if (server.refuses)
        return -ECONNREFUSED;
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    if (server.fds[i] >= 0)
        close(server.fds[i]);
    server.fds[i] = pair[0];
    server.seqs[i] = 0;
    *ret_fd = pair[1];
    return 0;
}

static void send_bytes(unsigned i, const void *bytes, size_t size)
{
    if (server.fds[i] >= 0 && send(server.fds[i], bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* the plugin has closed it, or takes nothing */
}

/* Descriptors as they should be, or not quite. */
static size_t make_fds(unsigned s, uint8_t how, int ret_fds[FDS_MAX])
{
    struct shm *shm = &server.shm[s];
    shm_close(shm);
    FUZZ_REQUIRE(shm_create(shm, &(const char *){NULL}) == 0);
    for (int i = 0; i < SHM_NUM_FDS; i++)
        ret_fds[i] = dup(shm->fds[i]);
    if (how == 1) { /* not sealed, and too small */
        close(ret_fds[SHM_FD_MEMORY]);
        ret_fds[SHM_FD_MEMORY] = memfd_create("small", MFD_CLOEXEC);
    } else if (how == 2) { /* a doorbell that is none, or is not what it seems to be */
        close(ret_fds[SHM_FD_DOORBELL]);
        ret_fds[SHM_FD_DOORBELL] = dup(server.fds[0] >= 0 ? server.fds[0] : STDIN_FILENO);
    }
    shm_handed_over(shm);
    shm_server_rings(shm, true, &(struct ring_consumer){0}, &server.events[s]);
    if (how == 3) {
        close(ret_fds[SHM_NUM_FDS - 1]);
        return SHM_NUM_FDS - 1;
    }
    return SHM_NUM_FDS;
}

static void step_welcome(unsigned i)
{
    uint8_t how = fuzz_byte(&in), what = fuzz_byte(&in), bytes[TRESTLE_V2_MESSAGE_SIZE];
    unsigned s = how & 1;
    int fds[FDS_MAX];
    size_t num_fds = how & 2 ? make_fds(s, how >> 2 & 3, fds) : 0;
    struct trestle_v2_welcome welcome = {.version = 2,
                                         .status = what & 0x80 ? what >> 3 & 15 : 0,
                                         .features = (how & 2 ? 1u : 0u) | (how >> 3 & 0x1e) |
                                                     (what & 0x40 ? TRESTLE_V2_FEATURE_RAM : 0u),
                                         .session_id = {(uint8_t)(s + 1)},
                                         .device = what & 7,
                                         .irq_lines = 2,
                                         .size = devices[i].size,
                                         .next = fuzz_number(&in, 2) * 1000};
    if (server.fds[i] >= 0) {
        trestle_v2_encode_welcome(bytes, &welcome);
        if (fds_send(server.fds[i], bytes, sizeof(bytes), fds, num_fds) < 0)
            server.seqs[i] = 0; /* closed, or full: either is fine */
    }
    while (num_fds > 0)
        close(fds[--num_fds]);
}

/* What was asked last, to be answered: ids count from 1. */
static void listen_for_requests(unsigned i)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_message request;
    while (server.fds[i] >= 0 &&
           recv(server.fds[i], bytes, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes)) {
        trestle_v2_decode(bytes, &request);
        if (!trestle_v2_is_hello(bytes))
            server.last_id = request.id;
    }
}

static void send_event(unsigned i, uint8_t how, struct trestle_v2_message *message)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    unsigned s = how & 1;
    if (how & 2 && server.shm[s].memory) {
        server.events[s].seen = server.events[s].seq; /* room or not */
        if (ring_post(&server.events[s], message) == 0)
            ring_wake(&server.events[s]);
        return;
    }
    message->seq = ++server.seqs[i];
    trestle_v2_encode(bytes, message);
    send_bytes(i, bytes, sizeof(bytes));
}

/* In a ring the request is where the plugin wrote it; how many there were is in no place that the
 * server could trust, and this one looks for the highest. */
static uint64_t last_id_in_ring(unsigned s)
{
    uint64_t last = 0;
    const uint8_t *slots = server.shm[s].memory + 0x1000;
    for (unsigned i = 0; i < RING_SLOTS; i++) {
        struct trestle_v2_message request;
        trestle_v2_decode(slots + (size_t)i * TRESTLE_V2_MESSAGE_SIZE, &request);
        if (request.seq == 0)
            break;
        last = request.id > last ? request.id : last;
    }
    return last;
}

static void step_reply(unsigned i)
{
    uint8_t how = fuzz_byte(&in);
    unsigned s = how & 1;
    struct trestle_v2_message reply = {.type = TRESTLE_V2_REPLY,
                                       .status = how >> 2 & 3,
                                       .data = fuzz_number(&in, how >> 4 & 3),
                                       .next = how & 0x40 ? fuzz_number(&in, 8) : UINT64_MAX};
    listen_for_requests(i);
    reply.id = how & 2 && server.shm[s].memory ? last_id_in_ring(s) : server.last_id;
    reply.id -= how >> 7;
    send_event(i, how, &reply);
}

static void step_event(unsigned i)
{
    uint8_t how = fuzz_byte(&in), where = fuzz_byte(&in);
    struct trestle_v2_message event = {.type = 0x80 | (how >> 2 & 7),
                                       .flags = how >> 5 == 7,
                                       .device = where & 7,
                                       .id = fuzz_byte(&in),
                                       .addr = fuzz_byte(&in),
                                       .data = fuzz_number(&in, where >> 3 & 3),
                                       .next = UINT64_MAX,
                                       .extra = fuzz_number(&in, where >> 5 & 3)};
    if (where & 0x80)
        event.addr = RAM_BASE + event.addr * 0x400;
    send_event(i, how, &event);
}

static void step_raw_bytes(unsigned i)
{
    uint8_t bytes[256];
    size_t size = fuzz_byte(&in);
    fuzz_bytes(&in, bytes, size);
    send_bytes(i, bytes, size);
}

static void step_spoil(unsigned i, bool is_header)
{
    struct shm *shm = &server.shm[i % NUM_SESSIONS];
    size_t at = is_header ? (size_t)(fuzz_byte(&in) & 3) * 0x40
                          : (size_t)fuzz_number(&in, 3) % (SHM_SIZE - 8);
    uint64_t value = fuzz_number(&in, is_header ? 2 : 8);
    if (shm->memory)
        memcpy(shm->memory + at, &value, sizeof(value));
}

/* Rings for nothing, or closes its end in one direction or both. */
static void step_doorbell(unsigned i)
{
    static const char rings[1024];
    const struct shm *shm = &server.shm[i % NUM_SESSIONS];
    uint8_t how = fuzz_byte(&in);
    if (!shm->memory)
        return;
    if (how & 1)
        shutdown(shm->doorbell_fd, (how >> 1) % 3);
    else if (send(shm->doorbell_fd, rings, 4u * how, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* closed, or full: either is fine */
}

static void server_turn(void)
{
    uint8_t what = fuzz_byte(&in);
    unsigned i = what >> 4 & 3;
    switch ((enum server_step)((what & 15) % NUM_SERVER_STEPS)) {
    case WELCOME:
        step_welcome(i);
        break;
    case RAW_BYTES:
        step_raw_bytes(i);
        break;
    case REPLY:
        step_reply(i);
        break;
    case EVENT:
        step_event(i);
        break;
    case SPOIL_RING:
        step_spoil(i, false);
        break;
    case SPOIL_HEADER:
        step_spoil(i, true);
        break;
    case CLOSE:
        if (what & 0x80) {
            step_doorbell(i);
            break;
        }
        if (server.fds[i] >= 0)
            close(server.fds[i]);
        server.fds[i] = -1;
        break;
    case REFUSE_CONNECTIONS:
        server.refuses = i & 1;
        break;
    case NOTHING:
    case NUM_SERVER_STEPS:
        break;
    }
}

/* --- the guest ---------------------------------------------------------------------------------
 */

static void guest_access(uint8_t what)
{
    struct sst_device *dev = &devices[what >> 4 & 3];
    uint8_t how = fuzz_byte(&in);
    uint64_t data = 0;
    struct transport_access access = {.offset = fuzz_byte(&in),
                                      .data = what,
                                      .size = (uint8_t)(1u << (how & 3)),
                                      .is_write = how & 4};
    dev->posted_writes = how & 8;
    int r = dev->transport->perform(dev, &access, &data);
    FUZZ_REQUIRE(r <= 0);
}

static void guest_turn(void)
{
    uint8_t what = fuzz_byte(&in);
    switch (what & 15) {
    case 0: /* QEMU's main loop */
        if (on_ready)
            on_ready(NULL);
        break;
    case 1:
        on_reset(NULL);
        break;
    case 2:
        for (unsigned i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
            if (timers[i].is_armed) {
                timers[i].is_armed = false;
                timers[i].ready(timers[i].opaque);
                break;
            }
        break;
    case 3:
        server_turn();
        break;
    default:
        guest_access(what);
    }
}

static void add_shutdown_notifier(struct qemu_notifier *notifier)
{
    (void)notifier;
}

static int shutdown_requested(void)
{
    return 0;
}

static void start_once(void)
{
    qemu.qemu_clock_get_ns = clock_get_ns;
    qemu.timer_init_full = timer_init;
    qemu.timer_mod_ns = timer_mod;
    qemu.timer_del = timer_del;
    qemu.object_resolve_path_type = find_controller;
    qemu.object_property_get_uint = get_uint;
    qemu.qdev_get_gpio_in = gpio_in;
    qemu.object_get_canonical_path = no_path;
    qemu.qemu_set_irq = set_irq;
    qemu.qemu_register_reset = register_reset;
    qemu.qemu_add_exit_notifier = add_exit_notifier;
    qemu.qemu_register_shutdown_notifier = add_shutdown_notifier;
    qemu.qemu_shutdown_requested_get = shutdown_requested;
    qemu.address_space_rw = address_space_rw;
    qemu.qemu_set_fd_handler = set_fd_handler;
    qemu.object_child_foreach = for_each_object;
    qemu.object_get_objects_root = objects_root;
    qemu.object_dynamic_cast = cast;
    qemu.object_property_get_bool = get_bool;
    qemu.host_memory_backend_get_memory = backend_memory;
    qemu.memory_region_get_fd = region_fd;
    qemu.memory_region_find = find_region;
    qemu.memory_region_unref = unref;
    qemu.get_system_memory = system_memory;
    qemu.address_space_map = map;
    qemu.address_space_unmap = unmap;
    ram_fd = memfd_create("ram", MFD_CLOEXEC);
    FUZZ_REQUIRE(ftruncate(ram_fd, RAM_SIZE) == 0);
    ram_find();
    clockwork_start();
    for (unsigned i = 0; i < NUM_DEVICES; i++) {
        devices[i] = (struct sst_device){.bus = &bus,
                                         .number = i + 1,
                                         .socket = (char[][2]){"0", "1", "2", "3"}[i],
                                         .base = 0x10200000 + 0x1000 * (uint64_t)i,
                                         .size = 0x1000,
                                         .timeout_ms = 50,
                                         .protocol = i == 3 ? 1 : 2,
                                         .carrier = i == 2 ? CARRIER_SOCKET : CARRIER_AUTO,
                                         .irqs = {FIRST_IRQ, FIRST_IRQ + i},
                                         .num_irqs = i < 3 ? 2 : 0,
                                         .transport = i == 3 ? &transport_v1 : &transport_v2};
        devices[i].socket = strdup((const char[]){(char)('0' + i), 0});
        devices[i].next = i + 1 < NUM_DEVICES ? &devices[i + 1] : NULL;
        irq_connect(&devices[i]);
    }
    /* The one descriptor that QEMU's loop watches is opened once. */
    struct watched watched = {.fd = -1};
    FUZZ_REQUIRE(watch_add(&watched, STDERR_FILENO, 0) == 0 || on_ready);
    watch_remove(&watched);
}

/* All servers are gone: each device notices, and what its session held is given back. */
static void end(void)
{
    server.refuses = true;
    for (unsigned i = 0; i < NUM_DEVICES; i++) {
        struct transport_access access = {.size = 4};
        uint64_t data;
        if (server.fds[i] >= 0)
            close(server.fds[i]);
        server.fds[i] = -1;
        for (unsigned n = 0; n < 3; n++)
            FUZZ_REQUIRE(devices[i].transport->perform(&devices[i], &access, &data) <= 0);
        if (devices[i].protocol == 2)
            v2_disconnect(devices[i].connection);
        free(devices[i].connection);
        FUZZ_REQUIRE(devices[i].irq_levels == 0);
    }
    FUZZ_REQUIRE(!session_first());
    for (unsigned s = 0; s < NUM_SESSIONS; s++)
        shm_close(&server.shm[s]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!on_reset)
        start_once();
    int free_descriptor = fuzz_free_descriptor();
    in = (struct fuzz_input){.next = data, .end = data + size};
    memset(&server, 0, sizeof(server));
    memset(timers, 0, sizeof(timers));
    guest_ns = 0;
    for (unsigned s = 0; s < NUM_SESSIONS; s++)
        server.shm[s] = SHM_NONE;
    for (unsigned i = 0; i < NUM_DEVICES; i++)
        server.fds[i] = -1;
    fuzz_meanwhile = server_turn;
    for (struct sst_device *dev = devices; dev; dev = dev->next)
        dev->transport->open(dev);
    v2_start_all();
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++)
        guest_turn();
    in.next = in.end;
    on_exit_of_qemu->notify(on_exit_of_qemu, NULL);
    end();
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_descriptor);
    return 0;
}
