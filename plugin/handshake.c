/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "hangup.h"
#include "ipc/barrier.h"
#include "ipc/fds.h"
#include "ipc/stream.h"
#include "irq.h"
#include "say.h"
#include "v2.h"

#define DEFAULT_PATIENCE_MS 1000u

static struct session *sessions;
/* Shared memory that came could not be used: from then on, carrier=auto means sockets. */
static bool shm_is_unusable;

static bool wants_shm(const struct v2 *v2)
{
    return v2->dev->carrier == CARRIER_SHM ||
           (v2->dev->carrier == CARRIER_AUTO && !shm_is_unusable);
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

static int send_hello(struct v2 *v2, uint64_t deadline_ns)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    bool is_shm = wants_shm(v2);
    struct trestle_v2_hello hello = {
        .version_min = TRESTLE_V2_VERSION,
        .version_max = TRESTLE_V2_VERSION,
        .features = TRESTLE_V2_FEATURE_POSTED | TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_IRQ |
                    TRESTLE_V2_FEATURE_DMA | (is_shm ? TRESTLE_V2_FEATURE_SHM : 0u),
        .base_addr = v2->dev->base,
        .size = v2->dev->size,
        .irq_lines = v2->dev->num_irqs,
        .time = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) * TRESTLE_NS};
    int r = client_id(is_shm, hello.client_id);
    if (r < 0)
        return r;
    trestle_v2_encode_hello(bytes, &hello);
    return ipc_send_all(v2->fd, bytes, sizeof(bytes), deadline_ns);
}

static void close_all(const int *fds, size_t count)
{
    while (count-- > 0)
        close(fds[count]);
}

static int wait_for_input(int fd, uint64_t deadline_ns)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    for (;;) {
        uint64_t now_ns = ipc_clock_ns();
        if (now_ns >= deadline_ns)
            return -ETIMEDOUT;
        int n = poll(&poll_fd, 1, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

/* Descriptors come with the first byte. On failure none are left open. */
static int receive_welcome(int fd, uint64_t deadline_ns, struct trestle_v2_welcome *ret_welcome,
                           int ret_fds[FDS_MAX], size_t *ret_num_fds)
{
    uint8_t bytes[TRESTLE_V2_MESSAGE_SIZE];
    size_t length = 0, num_fds = 0;
    int r = 0;
    while (r == 0 && length < sizeof(bytes)) {
        int more[FDS_MAX];
        size_t num_more;
        r = wait_for_input(fd, deadline_ns);
        if (r < 0)
            break;
        ssize_t n = fds_recv(fd, bytes + length, sizeof(bytes) - length, more, &num_more);
        if (num_more > 0 && length == 0) {
            memcpy(ret_fds, more, num_more * sizeof(int));
            num_fds = num_more;
        } else {
            close_all(more, num_more);
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
        close_all(ret_fds, num_fds);
    else
        *ret_num_fds = num_fds;
    return r;
}

/* --- sessions --------------------------------------------------------------------------------- */

struct session *session_first(void)
{
    return sessions;
}

static struct session *session_by_id(const uint8_t id[TRESTLE_V2_ID_SIZE])
{
    struct session *session = sessions;
    while (session && memcmp(session->id, id, TRESTLE_V2_ID_SIZE) != 0)
        session = session->next_session;
    return session;
}

static int session_create(const struct trestle_v2_welcome *welcome, const int *fds, size_t num_fds,
                          struct session **ret_session)
{
    bool is_shm = welcome->features & TRESTLE_V2_FEATURE_SHM;
    if (num_fds != (is_shm ? SHM_NUM_FDS : 0)) {
        close_all(fds, num_fds);
        return -EPROTO;
    }
    struct session *session = aligned_alloc(alignof(struct session), sizeof(*session));
    if (!session)
        refuse("out of memory");
    memset(session, 0, sizeof(*session));
    session->shm = SHM_NONE;
    session->features = welcome->features;
    memcpy(session->id, welcome->session_id, sizeof(session->id));
    if (is_shm) {
        int r = shm_open_received(&session->shm, fds);
        if (r < 0) {
            free(session);
            return r;
        }
        shm_client_rings(&session->shm, !barrier_register(), &session->requests, &session->events);
    }
    session_start_timer(session);
    session->next_session = sessions;
    sessions = session;
    *ret_session = session;
    return 0;
}

static void session_free(struct session *session)
{
    struct session **place = &sessions;
    while (*place != session)
        place = &(*place)->next_session;
    *place = session->next_session;
    session_stop_timer(session);
    shm_close(&session->shm);
    free(session);
}

static int session_join(struct v2 *v2, const struct trestle_v2_welcome *welcome, const int *fds,
                        size_t num_fds)
{
    struct session *session = session_by_id(welcome->session_id);
    if (session && num_fds > 0) {
        close_all(fds, num_fds);
        return -EPROTO;
    }
    if (!session) {
        int r = session_create(welcome, fds, num_fds, &session);
        if (r < 0)
            return r;
    }
    v2->session = session;
    v2->index = welcome->device;
    v2->out_seq = v2->in_seq = 0;
    v2->in_length = 0;
    v2->next = session->devices;
    session->devices = v2;
    session_set_next(session, welcome->next);
    return 0;
}

void v2_disconnect(struct v2 *v2)
{
    struct session *session = v2->session;
    if (v2->fd >= 0) {
        hangup_unwatch(v2->fd);
        close(v2->fd);
    }
    v2->fd = -1;
    v2->recovery.state = DOWN;
    v2->session = NULL;
    irq_drop_all(v2->dev);
    if (!session)
        return;
    struct v2 **place = &session->devices;
    while (*place != v2)
        place = &(*place)->next;
    *place = v2->next;
    if (session->posted_on == v2)
        session->posted_on = NULL;
    if (!session->devices)
        session_free(session);
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
    case -EPERM:
    case -EMSGSIZE:
    case -EBADF:
        return "the shared memory that came is not what it should be";
    case -ECONNRESET:
    case -EPIPE:
        return "the connection was closed during the handshake";
    default:
        return strerror(-error);
    }
}

static int shake_hands(struct v2 *v2, const char **ret_what)
{
    uint64_t patience_ms = v2->dev->timeout_ms ? v2->dev->timeout_ms : DEFAULT_PATIENCE_MS;
    uint64_t deadline_ns = ipc_clock_ns() + patience_ms * NS_PER_MS;
    struct trestle_v2_welcome welcome;
    int fds[FDS_MAX];
    size_t num_fds = 0;
    int r = send_hello(v2, deadline_ns);
    if (r == 0)
        r = receive_welcome(v2->fd, deadline_ns, &welcome, fds, &num_fds);
    if (r < 0) {
        *ret_what = failure_text(r);
        return r;
    }
    if (welcome.status != TRESTLE_V2_OK) {
        close_all(fds, num_fds);
        *ret_what = trestle_v2_status_text(welcome.status);
        return -ECONNREFUSED;
    }
    if (v2->dev->carrier == CARRIER_SHM && !(welcome.features & TRESTLE_V2_FEATURE_SHM)) {
        close_all(fds, num_fds);
        *ret_what = "the other side has no shared memory; use carrier=auto";
        return -ENOTSUP;
    }
    r = session_join(v2, &welcome, fds, num_fds);
    if (r < 0) {
        *ret_what = failure_text(r);
        if (r != -EPROTO)
            shm_is_unusable = true;
    }
    return r;
}

int v2_connect(struct v2 *v2, const char **ret_what)
{
    int r = ipc_connect(v2->dev->socket, &v2->fd);
    if (r < 0) {
        v2->fd = -1;
        *ret_what = strerror(-r);
        return r;
    }
    r = shake_hands(v2, ret_what);
    if (r == 0)
        r = hangup_watch(v2);
    if (r < 0) {
        v2_disconnect(v2);
        return r;
    }
    v2->recovery.state = UP;
    return 0;
}
