/* SPDX-License-Identifier: MIT */
/* Takes the place of QEMU, and of a process of devices, around the plugin's protocol 2. */
#include "v2_machine.h"

#undef NDEBUG /* asserts do things here */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fuzz/clock.h"
#include "ipc/fds.h"
#include "notes.h"
#include "plugin/qemu/memory.h"
#include "plugin/qemu/say.h"
#include "plugin/v2/ram.h"
#include "refusal.h"

int __wrap_ipc_connect(const char *path, int *ret_fd);

struct qemu_abi qemu;
struct v2_machine v2_machine;

/* Of the process. */
static struct stream streams[V2_DEVICES];
static struct channel sockets[V2_DEVICES], ring;
static bool is_greeted[V2_DEVICES];
static uint64_t last_ids[V2_DEVICES];
static void (*instead)(void);

/* Of QEMU. */
static char board;
static struct {
    void (*ready)(void *opaque);
    void *opaque;
    bool is_armed;
    int64_t due_ns;
} timer;
static void (*on_reset)(void *opaque), (*on_ready)(void *opaque);
static struct qemu_notifier *on_exit_of_qemu;
static struct ipc_crowd crowd;
static int ram_fd = -1;
static unsigned num_mapped;

/* --- the plugin ------------------------------------------------------------------------------ */

struct sst_device *device_first(void)
{
    return v2_machine.devices;
}

void device_init_wait(const struct sst_device *dev, struct ipc_wait *wait)
{
    ipc_wait_init(wait, (enum trestle_wait)dev->wait, &crowd);
}

bool qemu_counts_instructions(void)
{
    return false;
}

qemu_attrs qemu_memory_only(void)
{
    return 0;
}

static void line_changed(struct sst_device *dev, uint32_t line, bool level)
{
    if (strlen(notes()) < NOTES_SIZE / 2)
        note("%u: line %u is %d\n", dev->number, line, level);
}

static void set_anew(struct sst_device *dev)
{
    note("%u: lines are set anew\n", dev->number);
}

static int copy(struct sst_device *dev, bool write, uint64_t addr, void *buf, size_t size)
{
    note("%u: %s 0x%" PRIx64 " %zu\n", dev->number, write ? "store" : "fetch", addr, size);
    if (addr < V2_RAM || addr - V2_RAM > V2_RAM_SIZE || size > V2_RAM_SIZE - (addr - V2_RAM))
        return -EFAULT;
    uint8_t *at = v2_machine.ram + (addr - V2_RAM);
    memcpy(write ? at : buf, write ? buf : at, size);
    return 0;
}

static const struct device_bus bus = {
    .type = "sst-device", .line_changed = line_changed, .set_anew = set_anew, .copy = copy};

void irq_hold(void)
{
    note("lines are held\n");
}

void irq_release(void)
{
    note("lines are released\n");
}

/* --- QEMU ------------------------------------------------------------------------------------ */

static int64_t get_guest_ns(int clock)
{
    assert(clock == QEMU_CLOCK_VIRTUAL);
    return (int64_t)v2_machine.guest_ns;
}

static void timer_init(struct qemu_timer *given, struct qemu_timer_lists *lists, int clock,
                       int scale, int attributes, void (*ready)(void *opaque), void *opaque)
{
    assert(given && !lists && clock == QEMU_CLOCK_VIRTUAL && scale == 1 && attributes == 0);
    timer.ready = ready;
    timer.opaque = opaque;
}

static void timer_mod(struct qemu_timer *given, int64_t ns)
{
    assert(given);
    if (!timer.is_armed || timer.due_ns != ns)
        note("timer at %" PRId64 "\n", ns);
    timer.is_armed = true;
    timer.due_ns = ns;
}

static void timer_del(struct qemu_timer *given)
{
    assert(given);
    timer.is_armed = false;
}

static void register_reset(void (*reset)(void *opaque), void *opaque)
{
    assert(!opaque);
    on_reset = reset;
}

static void add_exit_notifier(struct qemu_notifier *notifier)
{
    on_exit_of_qemu = notifier;
}

static void add_shutdown_notifier(struct qemu_notifier *notifier)
{
    assert(notifier);
}

static int shutdown_requested(void)
{
    return 0;
}

static void set_fd_handler(int fd, void (*read)(void *), void (*write)(void *), void *opaque)
{
    assert(fd >= 0 && !write && !opaque);
    on_ready = read;
}

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
    assert(strcmp(type, "memory-backend") == 0);
    return object;
}

static bool get_bool(struct qemu_object *object, const char *name, struct qemu_error **errp)
{
    (void)errp;
    assert((void *)object == &board && strcmp(name, "share") == 0);
    return v2_machine.has_shared_ram;
}

static struct qemu_region *backend_memory(struct qemu_object *object)
{
    return (struct qemu_region *)object;
}

static int region_fd(struct qemu_region *region)
{
    assert((void *)region == &board);
    return ram_fd;
}

static struct qemu_region *system_memory(void)
{
    return (struct qemu_region *)&board;
}

static void lock(const char *file, int line)
{
    assert(file && line > 0);
    note("lock\n");
}

static void unlock(void)
{
    note("unlock\n");
}

static bool in_vcpu_thread(void)
{
    return true;
}

/* The memory in two places, of which the second is read-only; another in front of them. */
static struct qemu_section find_region(struct qemu_region *system, uint64_t addr, uint64_t size)
{
    static char other;
    assert((void *)system == &board && size == UINT64_MAX - addr);
    if (addr <= 0x1000)
        return (struct qemu_section){.region = (struct qemu_region *)&other,
                                     .size_low = 0x1000,
                                     .offset_within_address_space = 0x1000};
    if (addr <= V2_RAM)
        return (struct qemu_section){.region = (struct qemu_region *)&board,
                                     .size_low = V2_RAM_SIZE,
                                     .offset_within_region = 0x2000,
                                     .offset_within_address_space = V2_RAM};
    if (addr <= UINT64_C(0x90000000))
        return (struct qemu_section){.region = (struct qemu_region *)&board,
                                     .size_low = 0x1000,
                                     .readonly = true,
                                     .offset_within_address_space = UINT64_C(0x90000000)};
    return (struct qemu_section){.region = NULL};
}

static void unref(struct qemu_region *region)
{
    assert(region);
}

/* In pieces, as QEMU may do it. */
static void *map(void *space, uint64_t addr, uint64_t *ref_size, bool is_write, qemu_attrs attrs)
{
    (void)attrs;
    assert(space == &board && is_write);
    if (*ref_size > 0x1000)
        *ref_size = 0x1000;
    note("written 0x%" PRIx64 " %" PRIu64 "\n", addr, *ref_size);
    num_mapped++;
    return &board;
}

static void unmap(void *space, void *buf, uint64_t size, bool is_write, uint64_t accessed)
{
    assert(space == &board && buf == &board && is_write && size == accessed);
    num_mapped--;
}

/* --- the process ----------------------------------------------------------------------------- */

int __wrap_ipc_connect(const char *path, int *ret_fd)
{
    int pair[2], i = path[0] - '0';
    note("connect %s\n", path);
    if (v2_machine.is_absent)
        return -ECONNREFUSED;
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    v2_machine_hang_up((unsigned)i);
    stream_start(&streams[i], pair[0]);
    is_greeted[i] = false;
    *ret_fd = pair[1];
    return 0;
}

void v2_machine_hang_up(unsigned device)
{
    if (streams[device].fd >= 0)
        close(streams[device].fd);
    stream_start(&streams[device], -1);
}

/* With the rings' descriptors, for the first device. */
static void welcome(unsigned i)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_welcome answer = v2_machine.welcome;
    const char *what;
    int fds[SHM_NUM_FDS];
    size_t num_fds = 0;
    answer.device = v2_machine.numbers[i];
    answer.session_id[15] = v2_machine.processes[i];
    if (answer.size == 0)
        answer.size = v2_machine.devices[i].size;
    if (answer.features & TRESTLE_V2_FEATURE_SHM && !v2_machine.no_descriptors &&
        ring.kind == CHANNEL_NONE) {
        assert(channel_create_ring(&ring, true, &what) == 0);
        for (; num_fds < SHM_NUM_FDS; num_fds++)
            fds[num_fds] = dup(ring.shm.fds[num_fds]);
        shm_handed_over(&ring.shm);
    }
    while (v2_machine.more_descriptors && num_fds < SHM_NUM_FDS)
        fds[num_fds++] = dup(STDERR_FILENO);
    trestle_v2_encode_welcome(bytes, &answer);
    size_t first = v2_machine.has_halves ? sizeof(bytes) / 2 : sizeof(bytes);
    int none = STDERR_FILENO;
    assert(fds_send(streams[i].fd, bytes, first, fds, num_fds) == 0);
    if (v2_machine.has_halves)
        assert(fds_send(streams[i].fd, bytes + first, sizeof(bytes) - first, &none, 1) == 0);
    fds_close(fds, num_fds);
    channel_open_stream(&sockets[i], &streams[i]);
    is_greeted[i] = true;
}

static void greet(unsigned i)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    struct trestle_v2_hello hello;
    if (recv(streams[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT) != sizeof(bytes))
        return;
    assert(trestle_v2_decode_hello(bytes, &hello) == 0);
    assert(v2_machine.greetings < 8);
    memcpy(v2_machine.clients[v2_machine.greetings++], hello.client_id, TRESTLE_V2_ID_SIZE);
    note("hello of %u: features 0x%x, 0x%" PRIx64 "+0x%" PRIx64 ", lines %u, regions %u\n", i + 1,
         hello.features, hello.base_addr, hello.size, hello.irq_lines, hello.more_regions);
    if (v2_machine.bytes)
        v2_machine_send(i, v2_machine.bytes, strlen(v2_machine.bytes));
    if (v2_machine.hangs_up)
        v2_machine_hang_up(i);
    else if (!v2_machine.is_mute && !v2_machine.bytes)
        welcome(i);
}

static unsigned device_by(uint32_t number)
{
    unsigned i = 0;
    while (v2_machine.numbers[i] != number)
        assert(++i < V2_DEVICES);
    return i;
}

static void print(unsigned i, const struct trestle_v2_message *m)
{
    static const char *const names[] = {
        [TRESTLE_V2_READ] = "read",       [TRESTLE_V2_WRITE] = "write",
        [TRESTLE_V2_ADVANCE] = "advance", [TRESTLE_V2_RESET] = "reset",
        [TRESTLE_V2_FLUSH] = "flush",     [TRESTLE_V2_DMA_DONE] = "done",
        [TRESTLE_V2_GOODBYE] = "goodbye", [TRESTLE_V2_RAM] = "ram",
        [TRESTLE_V2_NOTE] = "note",       [TRESTLE_V2_RESET_DEVICE] = "reset alone",
        [TRESTLE_V2_MEMORY] = "memory",   [TRESTLE_V2_BUS] = "bus",
    };
    assert(m->type < sizeof(names) / sizeof(*names) && names[m->type]);
    note("%u> %s%s", i + 1, names[m->type], m->flags & TRESTLE_V2_FLAG_POSTED ? " posted" : "");
    if (m->size)
        note("/%u", m->size);
    note(" 0x%" PRIx64 " 0x%" PRIx64, m->addr, m->data);
    if (m->extra)
        note(" extra 0x%" PRIx64, m->extra);
    if (m->status)
        note(" status %u", m->status);
    note(" at %" PRIu64 "\n", m->time);
}

static void handle(unsigned i, const struct trestle_v2_message *m)
{
    assert(trestle_v2_request_is_valid(m));
    print(i, m);
    if (m->type == TRESTLE_V2_DMA_DONE || m->type == TRESTLE_V2_GOODBYE ||
        m->flags & TRESTLE_V2_FLAG_POSTED)
        return;
    last_ids[i] = m->id;
    struct trestle_v2_message reply = v2_machine.reply;
    reply.type = TRESTLE_V2_REPLY;
    reply.id = m->id;
    if (!v2_machine.is_mute)
        v2_machine_say(i, reply);
}

/* It follows its message. */
static void take_payload(unsigned i)
{
    size_t size = v2_machine.payload_size;
    struct ipc_wait wait;
    ipc_wait_init(&wait, TRESTLE_WAIT_SLEEP, &crowd);
    assert(size <= sizeof(v2_machine.payload));
    assert(channel_take_payload(&sockets[i], v2_machine.payload, size, 0, &wait) == 0);
    v2_machine.payload_size = 0;
}

/* A message that brings a descriptor comes over the socket, whatever the carrier. */
static void take_from_socket(unsigned i)
{
    struct trestle_v2_message message;
    int r;
    while (streams[i].fd >= 0 && (r = channel_take(&sockets[i], &message)) != 0) {
        if (r == 1) {
            assert(message.device == v2_machine.numbers[i] || message.type == TRESTLE_V2_GOODBYE);
            handle(i, &message);
            if (message.type == TRESTLE_V2_DMA_DONE && message.status == TRESTLE_V2_OK)
                take_payload(i);
            continue;
        }
        assert(r == -ECONNRESET);
        note("%u> the end\n", i + 1);
        v2_machine_hang_up(i);
    }
}

void v2_machine_serve(void)
{
    struct trestle_v2_message message;
    for (unsigned i = 0; i < V2_DEVICES; i++) {
        if (streams[i].fd < 0)
            continue;
        if (is_greeted[i])
            take_from_socket(i);
        else
            greet(i);
    }
    while (ring.kind == CHANNEL_RING && !v2_machine.has_no_room &&
           channel_take(&ring, &message) == 1)
        handle(message.type == TRESTLE_V2_GOODBYE ? 0 : device_by(message.device), &message);
}

void v2_machine_say(unsigned device, struct trestle_v2_message message)
{
    message.device = v2_machine.numbers[device];
    if (message.type == TRESTLE_V2_REPLY && message.id == 0)
        message.id = last_ids[device];
    struct channel *channel = ring.kind == CHANNEL_RING ? &ring : &sockets[device];
    int r = channel_post(channel, &message);
    assert(r == 0 || r == -EPIPE); /* the plugin has hung up */
    if (message.type != TRESTLE_V2_REPLY)
        channel_wake(channel); /* an answer rings for one that has said that it sleeps */
}

void v2_machine_send(unsigned device, const void *bytes, size_t size)
{
    assert(send(streams[device].fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size);
}

static void meanwhile(void)
{
    void (*now)(void) = instead ? instead : v2_machine_serve;
    instead = NULL;
    now();
}

void v2_machine_ring(void)
{
    channel_wake(&ring);
}

void v2_machine_close_ring(void)
{
    channel_close(&ring);
}

int v2_machine_call(void *ctx, const struct trestle_v2_message *message,
                    struct trestle_v2_message *ret_reply)
{
    (void)ctx;
    print(device_by(message->device), message);
    last_ids[device_by(message->device)] = message->id;
    if (v2_machine.is_mute)
        return 0;
    *ret_reply = v2_machine.reply;
    ret_reply->type = TRESTLE_V2_REPLY;
    ret_reply->device = message->device;
    ret_reply->id = message->id;
    return 1;
}

void v2_machine_let(void *ctx, int timeout_ms)
{
    (void)ctx;
    if (timeout_ms > 0)
        v2_machine_pass((uint64_t)timeout_ms);
    meanwhile();
}

uint8_t *v2_machine_bulk(void)
{
    return channel_place(&ring, 0, 1, NULL);
}

void v2_machine_next_wait(void (*what)(void))
{
    instead = what;
}

/* --- all of it ------------------------------------------------------------------------------- */

static void set_up_qemu(void)
{
    qemu.qemu_clock_get_ns = get_guest_ns;
    qemu.timer_init_full = timer_init;
    qemu.timer_mod_ns = timer_mod;
    qemu.timer_del = timer_del;
    qemu.qemu_register_reset = register_reset;
    qemu.qemu_add_exit_notifier = add_exit_notifier;
    qemu.qemu_register_shutdown_notifier = add_shutdown_notifier;
    qemu.qemu_shutdown_requested_get = shutdown_requested;
    qemu.qemu_set_fd_handler = set_fd_handler;
    qemu.bql_lock = lock;
    qemu.bql_unlock = unlock;
    qemu.qemu_in_vcpu_thread = in_vcpu_thread;
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
    qemu.address_space_memory = &board;
    ram_fd = memfd_create("ram", MFD_CLOEXEC);
    clockwork_start();
    /* The one descriptor that QEMU's loop watches is opened once. */
    struct watched watched = {.fd = -1};
    if (watch_add(&watched, STDERR_FILENO, 0) == 0)
        watch_remove(&watched);
}

void v2_machine_clear(void)
{
    static char names[V2_DEVICES][2] = {"0", "1", "2"};
    if (!on_reset)
        set_up_qemu();
    v2_machine = (struct v2_machine){
        .num_devices = 2,
        .welcome = {.version = 2,
                    .features = V2_FEATURES,
                    .session_id = "a session",
                    .irq_lines = 2,
                    .next = TRESTLE_TIME_NEVER},
        .numbers = {7, 3, 12},
        .reply = {.next = TRESTLE_TIME_NEVER},
        .guest_ns = 5,
    };
    (void)notes_take();
    timer.is_armed = false;
    ring = CHANNEL_CLOSED;
    for (unsigned i = 0; i < V2_DEVICES; i++) {
        stream_start(&streams[i], -1);
        v2_machine.devices[i] = (struct sst_device){.bus = &bus,
                                                    .number = i + 1,
                                                    .socket = names[i],
                                                    .base = 0x10200000 + 0x1000 * (uint64_t)i,
                                                    .size = 0x1000,
                                                    .timeout_ms = 50,
                                                    .protocol = 2,
                                                    .num_irqs = 2,
                                                    .transport = &transport_v2};
    }
    fuzz_meanwhile = meanwhile;
    instead = NULL;
}

void v2_machine_start(void)
{
    if (v2_machine.has_shared_ram && !ram_is_shared())
        ram_find();
    for (unsigned i = 0; i < v2_machine.num_devices; i++) {
        struct sst_device *dev = &v2_machine.devices[i];
        dev->next = i + 1 < v2_machine.num_devices ? dev + 1 : NULL;
        transport_v2.open(dev);
    }
    v2_start_all();
}

void v2_machine_finish(void)
{
    for (unsigned i = 0; i < v2_machine.num_devices; i++) {
        struct sst_device *dev = &v2_machine.devices[i];
        v2_machine_hang_up(i);
        v2_disconnect(dev->connection);
        free(dev->connection);
        assert(dev->irq_levels == 0);
    }
    channel_close(&ring);
    assert(!session_first() && !timer.is_armed && num_mapped == 0);
}

int v2_machine_read(unsigned device, uint64_t offset, uint64_t *ret_data)
{
    struct sst_device *dev = &v2_machine.devices[device];
    struct transport_access access = {.offset = offset, .size = 4};
    uint64_t unused;
    return transport_v2.perform(dev, &access, ret_data ? ret_data : &unused);
}

int v2_machine_write(unsigned device, uint64_t offset, uint64_t data)
{
    struct sst_device *dev = &v2_machine.devices[device];
    struct transport_access access = {.offset = offset, .data = data, .size = 2, .is_write = true};
    uint64_t unused;
    return transport_v2.perform(dev, &access, &unused);
}

void v2_machine_main_loop(void)
{
    on_ready(NULL);
}

void v2_machine_due(void)
{
    assert(timer.is_armed);
    timer.is_armed = false;
    v2_machine.guest_ns = (uint64_t)timer.due_ns;
    timer.ready(timer.opaque);
}

void v2_machine_reset(void)
{
    on_reset(NULL);
}

void v2_machine_exit(void)
{
    on_exit_of_qemu->notify(on_exit_of_qemu, NULL);
}

void v2_machine_pass(uint64_t ms)
{
    int fuzz_poll(void *fds, unsigned long count, int timeout_ms);
    void (*before)(void) = fuzz_meanwhile;
    fuzz_meanwhile = NULL;
    fuzz_poll(NULL, 0, (int)ms);
    fuzz_meanwhile = before;
}
