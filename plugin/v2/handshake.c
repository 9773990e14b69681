/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handshake of protocol 2: says HELLO, checks WELCOME, joins the session. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ipc/fds.h"
#include "ipc/stream.h"
#include "plugin/qemu/say.h"
#include "plugin/v2/inline.h"
#include "plugin/v2/ram.h"
#include "plugin/v2/v2.h"

#define DEFAULT_PATIENCE_MS 1000u

/* One device's way to its connection. */
struct attempt {
    struct v2 *v2;
    int result; /* -EINPROGRESS: not known yet */
    const char *what;
    struct trestle_v2_welcome welcome;
    int fds[FDS_MAX];
    size_t num_fds;
};

static bool wants_shm(const struct v2 *v2)
{
    return v2->dev->is_inline || v2->dev->carrier == CARRIER_SHM ||
           (v2->dev->carrier == CARRIER_AUTO && !v2->no_shm);
}

/* One identity per carrier, since a session has one carrier. */
static int client_id(bool is_shm, uint8_t ret_id[TRESTLE_V2_ID_SIZE])
{
    static uint8_t ids[2][TRESTLE_V2_ID_SIZE];
    static bool have_ids;
    if (!have_ids && getrandom(ids, sizeof(ids), 0) != sizeof(ids))
        return -EIO;
    have_ids = true;
    memcpy(ret_id, ids[is_shm], TRESTLE_V2_ID_SIZE);
    return 0;
}

static uint32_t features_offered(bool is_shm)
{
    return TRESTLE_V2_FEATURE_POSTED | TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_IRQ |
           TRESTLE_V2_FEATURE_DMA | TRESTLE_V2_FEATURE_NOTE | TRESTLE_V2_FEATURE_RESET_DEVICE |
           TRESTLE_V2_FEATURE_REGIONS | TRESTLE_V2_FEATURE_MEMORY |
           (is_shm ? TRESTLE_V2_FEATURE_SHM : 0u) |
           (ram_is_shared() ? TRESTLE_V2_FEATURE_RAM | TRESTLE_V2_FEATURE_BUS : 0u);
}

static uint32_t other_regions(const struct sst_device *dev)
{
    return dev->pci.num_regions > 0 ? dev->pci.num_regions - 1 : 0;
}

static bool has_memory(const struct sst_device *dev)
{
    bool has = false;
    for (unsigned i = 0; i < dev->pci.num_regions; i++)
        has |= dev->pci.are_memory[i];
    return has;
}

static int send_hello(struct v2 *v2)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    bool is_shm = wants_shm(v2);
    struct trestle_v2_hello hello = {.version_min = TRESTLE_V2_VERSION,
                                     .version_max = TRESTLE_V2_VERSION,
                                     .features = features_offered(is_shm),
                                     .base_addr = v2->dev->base,
                                     .size = v2->dev->size,
                                     .irq_lines = v2->dev->num_irqs,
                                     .more_regions = other_regions(v2->dev),
                                     .time = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) *
                                             TRESTLE_NS};
    int r = client_id(is_shm, hello.client_id);
    if (r < 0)
        return r;
    trestle_v2_encode_hello(bytes, &hello);
    /* A new socket takes that much at once. */
    return ipc_send_all(v2->socket.fd, bytes, sizeof(bytes), clock_ns());
}

/* What is there counts, even after the deadline. */
static int wait_for_input(const struct v2 *v2, uint64_t deadline_ns)
{
    struct pollfd poll_fd = {.fd = v2->socket.fd, .events = POLLIN};
    for (;;) {
        bool is_over = clock_ns() >= deadline_ns;
        if (v2->dev->is_inline)
            inline_serve(is_over ? 0 : INLINE_NAP_MS);
        int n = poll(&poll_fd, 1, is_over || v2->dev->is_inline ? 0 : clock_ms_until(deadline_ns));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0 && is_over)
            return -ETIMEDOUT;
    }
}

/* Descriptors come with the first byte. On failure none are left open. */
static int receive_welcome(const struct v2 *v2, uint64_t deadline_ns,
                           struct trestle_v2_welcome *ret_welcome, int ret_fds[FDS_MAX],
                           size_t *ret_num_fds)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    size_t length = 0, num_fds = 0;
    int r = 0;
    while (r == 0 && length < sizeof(bytes)) {
        int more[FDS_MAX];
        size_t num_more;
        r = wait_for_input(v2, deadline_ns);
        if (r < 0)
            break;
        ssize_t n =
            fds_recv(v2->socket.fd, bytes + length, sizeof(bytes) - length, more, &num_more);
        if (num_more > 0 && length == 0) {
            memcpy(ret_fds, more, num_more * sizeof(int));
            num_fds = num_more;
        } else {
            fds_close(more, num_more);
        }
        if (n == 0)
            r = -ECONNRESET;
        else if (n < 0 && n != -EAGAIN)
            r = (int)n;
        else if (n > 0)
            length += (size_t)n;
        if (length >= TRESTLE_V2_MAGIC_SIZE && !trestle_v2_is_hello(bytes))
            r = -EPROTO;
    }
    if (r == 0)
        r = trestle_v2_decode_welcome(bytes, ret_welcome);
    if (r < 0)
        fds_close(ret_fds, num_fds);
    else
        *ret_num_fds = num_fds;
    return r;
}

/* --- connect ------------------------------------------------------------------------------------
 */

static const char *failure_text(int error)
{
    switch (error) {
    case -ETIMEDOUT:
        return "accepts connections but answers no handshake";
    case -EPROTO:
        return "the other side does not speak protocol 2; use protocol=1";
    case -EMSGSIZE:
    case -EBADF:
        return "the shared memory that came is not what it should be";
    case -ECONNRESET:
    case -EPIPE:
        return "the connection was closed during the handshake";
    case -ENOMSG:
        return "its answer came with the wrong number of descriptors";
    case -EINVAL:
        return "its features are not those of its other devices";
    case -EXDEV:
        return "release_lock needs a process with no other device";
    case -EEXIST:
        return "it gave the number of another device";
    default:
        return strerror(-error);
    }
}

/* 0, or what is wrong with an answer. */
static int check_welcome(const struct v2 *v2, const struct trestle_v2_welcome *welcome,
                         const char **ret_what)
{
    if (welcome->status != TRESTLE_V2_OK) {
        *ret_what = trestle_v2_status_text(welcome->status);
        return welcome->status == TRESTLE_V2_BUSY ? -EBUSY : -ECONNREFUSED;
    }
    if (welcome->version != TRESTLE_V2_VERSION)
        *ret_what = "it chose a version of the protocol that this plugin does not speak";
    else if (welcome->features & ~features_offered(wants_shm(v2)))
        *ret_what = "it answered with features that were not offered";
    else if (welcome->device >= TRESTLE_V2_DEVICES_MAX)
        *ret_what = "it gave a number that no device has";
    else if (welcome->size != v2->dev->size)
        *ret_what = trestle_v2_status_text(TRESTLE_V2_GEOMETRY);
    else if (other_regions(v2->dev) > 0 && !(welcome->features & TRESTLE_V2_FEATURE_REGIONS))
        *ret_what = "the other side is older and knows one region of a device";
    else if (has_memory(v2->dev) && !(welcome->features & TRESTLE_V2_FEATURE_MEMORY))
        *ret_what = "the other side has no regions that are memory";
    else if (v2->dev->carrier == CARRIER_SHM && !(welcome->features & TRESTLE_V2_FEATURE_SHM))
        *ret_what = "the other side has no shared memory; use carrier=auto";
    else
        return 0;
    return -ENOTSUP;
}

static void attempt_failed(struct attempt *attempt, int error, const char *what)
{
    attempt->result = error;
    attempt->what = what ? what : failure_text(error);
    v2_disconnect(attempt->v2);
}

static void begin(struct attempt *attempt)
{
    struct v2 *v2 = attempt->v2;
    int fd, r = ipc_connect(v2->dev->socket, &fd);
    if (r < 0) {
        attempt_failed(attempt, r, strerror(-r));
        return;
    }
    stream_start(&v2->socket, fd);
    r = send_hello(v2);
    if (r < 0)
        attempt_failed(attempt, r, NULL);
}

static void hear_answer(struct attempt *attempt, uint64_t start_ns)
{
    const struct v2 *v2 = attempt->v2;
    uint64_t patience_ms = v2->dev->timeout_ms ? v2->dev->timeout_ms : DEFAULT_PATIENCE_MS;
    const char *what = NULL;
    int r = receive_welcome(v2, start_ns + patience_ms * NS_PER_MS, &attempt->welcome, attempt->fds,
                            &attempt->num_fds);
    if (r == 0) {
        r = check_welcome(v2, &attempt->welcome, &what);
        if (r < 0)
            fds_close(attempt->fds, attempt->num_fds);
    }
    if (r < 0)
        attempt_failed(attempt, r, what);
}

static void finish(struct attempt *attempt)
{
    struct v2 *v2 = attempt->v2;
    int r = session_join(v2, &attempt->welcome, attempt->fds, attempt->num_fds);
    if (r == 0)
        r = session_watch(v2);
    if (r < 0) {
        attempt_failed(attempt, r, NULL);
        return;
    }
    v2->recovery.state = UP;
    attempt->result = 0;
}

/* A message that brings a descriptor: over the device's socket, whatever the carrier. */
static int hand_over(struct v2 *v2, struct trestle_v2_message *message, int fd,
                     struct trestle_v2_message *ret_reply)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    message->seq = ++v2->own.out_seq;
    message->device = v2->index;
    message->id = ++v2->session->last_id;
    trestle_v2_encode(bytes, message);
    int r = fds_send(v2->socket.fd, bytes, sizeof(bytes), &fd, 1);
    return r < 0 ? r : session_await(v2, message->id, ret_reply);
}

static int share_range(struct v2 *v2, const struct ram_range *range)
{
    struct trestle_v2_message reply, message = {.type = TRESTLE_V2_RAM,
                                                .addr = range->addr,
                                                .data = range->size,
                                                .extra = range->offset};
    return hand_over(v2, &message, range->fd, &reply); /* refused: messages it is */
}

/* With each connection: the other side may be another process than before. */
static void share_memory(struct attempt *attempt)
{
    struct v2 *v2 = attempt->v2;
    const struct pci_function *pci = &v2->dev->pci;
    for (unsigned i = 0; i < pci->num_regions && attempt->result == 0; i++) {
        struct trestle_v2_message reply,
            message = {.type = TRESTLE_V2_MEMORY, .addr = i, .data = pci->sizes[i]};
        if (!pci->are_memory[i])
            continue;
        int r = hand_over(v2, &message, pci->memory_fds[i], &reply);
        if (r < 0 || reply.status != TRESTLE_V2_OK)
            attempt_failed(attempt, r < 0 ? r : -ENOTSUP,
                           r < 0 ? NULL : trestle_v2_status_text(reply.status));
    }
}

/* Once in a session: hands all that is shared to the other side. */
static void share_ram(struct attempt *attempt)
{
    struct v2 *v2 = attempt->v2;
    if (v2->recovery.state != UP || !(v2->session->features & TRESTLE_V2_FEATURE_RAM) ||
        v2->session->has_ram)
        return;
    v2->session->has_ram = true;
    const struct ram_range *range;
    int r = 0;
    for (unsigned i = 0; r == 0 && (range = ram_range(i)); i++)
        r = share_range(v2, range);
    if (r < 0)
        attempt_failed(attempt, r, NULL);
}

/* All HELLOs are sent before the first answer is waited for, so that servers that do not answer are
 * waited for at the same time. The answer that brings the descriptors of a session need not be
 * that to its first HELLO: it is taken before those that bring none. */
static void attempt_all(struct attempt *attempts, size_t count)
{
    uint64_t start_ns = clock_ns();
    for (size_t i = 0; i < count; i++)
        if (attempts[i].result == -EINPROGRESS)
            begin(&attempts[i]);
    for (size_t i = 0; i < count; i++)
        if (attempts[i].result == -EINPROGRESS)
            hear_answer(&attempts[i], start_ns);
    for (size_t i = 0; i < count; i++)
        if (attempts[i].result == -EINPROGRESS && attempts[i].num_fds > 0)
            finish(&attempts[i]);
    for (size_t i = 0; i < count; i++)
        if (attempts[i].result == -EINPROGRESS)
            finish(&attempts[i]);
    /* All devices are in their sessions now, and what comes for them finds them. */
    for (size_t i = 0; i < count; i++)
        if (attempts[i].result == 0)
            share_ram(&attempts[i]);
    for (size_t i = 0; i < count; i++)
        if (attempts[i].result == 0)
            share_memory(&attempts[i]);
}

/* carrier=auto: shared memory that cannot be used, or a session that exists already with the other
 * carrier, because another device of it went through this before. */
static bool is_worth_the_other_carrier(const struct attempt *attempt)
{
    switch (attempt->result) {
    case -EBUSY:
        return attempt->v2->dev->carrier == CARRIER_AUTO;
    case -EPERM:
    case -EMSGSIZE:
    case -EBADF:
    case -ENOMEM:
    case -ENOMSG:
        return attempt->v2->dev->carrier == CARRIER_AUTO && wants_shm(attempt->v2);
    default:
        return false;
    }
}

static void connect_all(struct attempt *attempts, size_t count)
{
    bool again = false;
    attempt_all(attempts, count);
    for (size_t i = 0; i < count; i++) {
        if (!is_worth_the_other_carrier(&attempts[i]))
            continue;
        attempts[i].v2->no_shm = !attempts[i].v2->no_shm;
        attempts[i].result = -EINPROGRESS;
        attempts[i].num_fds = 0;
        again = true;
    }
    if (again)
        attempt_all(attempts, count);
}

int v2_connect(struct v2 *v2, const char **ret_what)
{
    struct attempt attempt = {.v2 = v2, .result = -EINPROGRESS};
    connect_all(&attempt, 1);
    *ret_what = attempt.what;
    return attempt.result;
}

void v2_connect_all(struct v2 **v2s, size_t count,
                    void (*done)(struct v2 *v2, int result, const char *what))
{
    struct attempt *attempts = calloc(count, sizeof(*attempts));
    if (!attempts)
        refuse("out of memory");
    for (size_t i = 0; i < count; i++)
        attempts[i] = (struct attempt){.v2 = v2s[i], .result = -EINPROGRESS};
    connect_all(attempts, count);
    for (size_t i = 0; i < count; i++)
        done(v2s[i], attempts[i].result, attempts[i].what);
    free(attempts);
}
