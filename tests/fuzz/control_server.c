/* SPDX-License-Identifier: MIT */
/* The peers of a control socket, who may send anything in any pieces, take nothing, or go. Each
 * hears the answers to its own whole lines, in their order, and nothing else. */
#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/listener.h"
#include "fuzz.h"
#include "util.h"

enum { PEERS = 10, ROOM = 8, STEPS_MAX = 400, EXPECTED_MAX = 4 << 20 };

static struct peer {
    int fd;
    char line[CONTROL_LINE_MAX]; /* what it has said of one so far */
    size_t length;
    char *expected; /* all answers */
    size_t num_expected, heard;
    bool is_too_long, is_turned_away, has_ended;
} peers[PEERS];
static size_t all_expected;
static struct sockaddr_un address;
static socklen_t address_size;
static bool was_full;

/* --- answers --------------------------------------------------------------------------------- */

static enum control_status answer(void *ctx, const char *line, FILE *out, char **ret_error)
{
    (void)ctx;
    FUZZ_REQUIRE(strlen(line) < CONTROL_LINE_MAX);
    if (line[0] == 'e')
        *ret_error = xstrdup(line);
    if (line[0] == 'b') /* more than a socket takes at once */
        for (unsigned i = 0; i < (uint8_t)line[1] * 32u; i++)
            fputs("one line of an answer that is long\n", out);
    fputs(line, out);
    return (enum control_status)((uint8_t)line[0] % CONTROL_STATUSES);
}

static void expect(struct peer *peer)
{
    struct printed printed;
    char *error = NULL;
    peer->line[peer->length] = '\0';
    printed_begin(&printed);
    enum control_status status = answer(NULL, peer->line, printed.file, &error);
    char *out = printed_end(&printed);
    size_t error_size = error ? strlen(error) : 0;
    char *head = xformat("%s %zu %zu\n", control_status_names[status], printed.size, error_size);
    size_t head_size = strlen(head), size = head_size + printed.size + error_size;
    peer->expected = xrealloc(peer->expected, 1, peer->num_expected + size);
    char *to = peer->expected + peer->num_expected;
    memcpy(to, head, head_size);
    memcpy(to + head_size, out, printed.size);
    if (error)
        memcpy(to + head_size + printed.size, error, error_size);
    peer->num_expected += size;
    all_expected += size;
    free(head);
    free(out);
    free(error);
}

static void note(struct peer *peer, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && !peer->is_too_long; i++) {
        if (bytes[i] == '\n') {
            expect(peer);
            peer->length = 0;
        } else if (peer->length + 1 == CONTROL_LINE_MAX) {
            peer->is_too_long = true;
        } else {
            peer->line[peer->length++] = bytes[i];
        }
    }
}

/* --- what peers do --------------------------------------------------------------------------- */

static void join(struct peer *peer)
{
    unsigned count = 0;
    free(peer->expected);
    *peer = (struct peer){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    FUZZ_REQUIRE(peer->fd >= 0);
    if (connect(peer->fd, (struct sockaddr *)&address, address_size) < 0) {
        close(peer->fd);
        peer->fd = -1;
    }
    for (unsigned i = 0; i < PEERS; i++)
        count += peers[i].fd >= 0;
    was_full |= count > ROOM;
}

static void send_bytes(struct peer *peer, const char *bytes, size_t size)
{
    ssize_t n = send(peer->fd, bytes, size, MSG_NOSIGNAL);
    if (n > 0)
        note(peer, bytes, (size_t)n);
}

static void send_from(struct peer *peer, struct fuzz_input *in, size_t size)
{
    char bytes[256];
    size_t left = (size_t)(in->end - in->next);
    if (size > left)
        size = left;
    fuzz_bytes(in, (uint8_t *)bytes, size);
    send_bytes(peer, bytes, size);
}

static void send_filler(struct peer *peer, size_t size)
{
    char bytes[255 * 64];
    memset(bytes, 'x', sizeof(bytes));
    send_bytes(peer, bytes, size);
}

static void check_heard(struct peer *peer, const char *bytes, size_t size)
{
    static const char away[] = "wrong 0 46\n8 others are attached already; end one of them";
    if (!peer->is_turned_away && size <= peer->num_expected - peer->heard &&
        memcmp(bytes, peer->expected + peer->heard, size) == 0) {
        peer->heard += size;
        return;
    }
    /* Its first bytes may have been those of either. */
    FUZZ_REQUIRE(was_full && peer->heard + size <= strlen(away));
    FUZZ_REQUIRE(peer->is_turned_away || peer->heard == 0 ||
                 memcmp(peer->expected, away, peer->heard) == 0);
    FUZZ_REQUIRE(memcmp(bytes, away + peer->heard, size) == 0);
    peer->is_turned_away = true;
    peer->heard += size;
}

/* Returns whether there was anything. */
static bool hear(struct peer *peer, size_t size)
{
    static char bytes[65536];
    if (peer->fd < 0 || peer->has_ended)
        return false;
    ssize_t n = recv(peer->fd, bytes, size, 0);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n > 0)
        check_heard(peer, bytes, (size_t)n);
    else
        peer->has_ended = true;
    return true;
}

static void leave(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

static void step(struct control_server *server, struct fuzz_input *in)
{
    uint8_t byte = fuzz_byte(in);
    struct peer *peer = &peers[(byte >> 4) % PEERS];
    uint8_t count = (byte & 7) < 4 ? fuzz_byte(in) : 0;
    if ((byte & 15) == 0 && peer->fd < 0)
        join(peer);
    else if ((byte & 15) < 6 && peer->fd < 0)
        return;
    else if ((byte & 15) == 1)
        send_from(peer, in, count);
    else if ((byte & 15) == 2)
        send_filler(peer, count * (size_t)64);
    else if ((byte & 15) == 3)
        (void)hear(peer, 1 + count * (size_t)256);
    else if ((byte & 15) == 4)
        shutdown(peer->fd, SHUT_WR);
    else if ((byte & 15) == 5)
        leave(peer);
    else
        control_server_serve(server);
}

/* --- one input ------------------------------------------------------------------------------- */

static bool serve(struct control_server *server)
{
    struct pollfd poll_fd = {.fd = control_server_fd(server), .events = POLLIN};
    if (poll(&poll_fd, 1, 0) == 0)
        return false;
    control_server_serve(server);
    return true;
}

/* Nobody waits any more, and everybody listens. */
static void settle(struct control_server *server)
{
    for (bool goes_on = true; goes_on;) {
        goes_on = serve(server);
        for (unsigned i = 0; i < PEERS; i++)
            goes_on |= hear(&peers[i], 65536);
    }
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &peers[i];
        FUZZ_REQUIRE(peer->fd < 0 || peer->is_turned_away || peer->heard == peer->num_expected);
        FUZZ_REQUIRE(peer->fd < 0 || peer->has_ended || !peer->is_too_long);
    }
}

static struct control_server *begin(void)
{
    struct listener listener = {
        .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .lock_fd = -1};
    struct control_server *server = NULL;
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    /* Linux chooses a name. */
    FUZZ_REQUIRE(bind(listener.fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
    address_size = sizeof(address);
    FUZZ_REQUIRE(getsockname(listener.fd, (struct sockaddr *)&address, &address_size) == 0);
    FUZZ_REQUIRE(listen(listener.fd, PEERS) == 0);
    FUZZ_REQUIRE(control_server_create(&listener, answer, NULL, &server) == 0);
    for (unsigned i = 0; i < PEERS; i++)
        peers[i] = (struct peer){.fd = -1};
    all_expected = 0;
    was_full = false;
    return server;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    int free_fd = fuzz_free_descriptor();
    struct control_server *server = begin();
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end && all_expected < EXPECTED_MAX; i++)
        step(server, &in);
    settle(server);
    for (unsigned i = 0; i < PEERS; i++)
        leave(&peers[i]);
    settle(server);
    FUZZ_REQUIRE(!control_server_has_peers(server));
    control_server_close(server);
    for (unsigned i = 0; i < PEERS; i++)
        free(peers[i].expected);
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_fd);
    return 0;
}
