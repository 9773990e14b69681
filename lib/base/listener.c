/* SPDX-License-Identifier: MIT */
/* Opens listening Unix sockets, with a lock file so that nobody takes a live one away. */
#include "base/listener.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/socket_path.h"

#define BACKLOG 16

static int address_set(struct sockaddr_un *address, const char *path, char **ret_error)
{
    size_t length = strlen(path);
    int r = socket_path_address(path, address);
    if (r)
        return error_set(ret_error, r,
                         "%s: the path of a socket has at most %zu bytes, this one has %zu; choose "
                         "a shorter one",
                         path, SOCKET_PATH_MAX, length);
    return 0;
}

/* The lock file may be removed by its holder between our open and our lock: then what we locked
 * is a file that nobody else will ever see. */
static bool lock_is_current(int fd, const char *lock_path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && lstat(lock_path, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

static int lock_try(const char *path, const char *lock_path, int *ret_fd, char **ret_error)
{
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set(
            ret_error, -errno, "%s: cannot be created: %s%s", lock_path, error_text(-errno),
            error_is_limit(-errno) ? "" : "; choose a directory that you may write to");
    /* The umask may have taken bits away. Somebody else's file stays as it is. */
    (void)!fchmod(fd, 0600);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = -errno;
        close(fd);
        if (r == -EWOULDBLOCK)
            return error_set(ret_error, -EADDRINUSE,
                             "%s: another Trestle serves this socket; end it, or choose another "
                             "path",
                             path);
        unlink(lock_path); /* of no use to anybody */
        return error_set(ret_error, r, "cannot lock %s: %s", lock_path, strerror(-r));
    }
    if (!lock_is_current(fd, lock_path)) {
        close(fd);
        return -EAGAIN;
    }
    *ret_fd = fd;
    return 0;
}

static int lock_take(const char *path, int *ret_fd, char **ret_error)
{
    char *lock_path;
    int r;
    if (asprintf(&lock_path, "%s.lock", path) < 0)
        return error_no_memory(ret_error);
    do
        r = lock_try(path, lock_path, ret_fd, ret_error);
    while (r == -EAGAIN);
    free(lock_path);
    return r;
}

/* Removes a socket that nobody listens on any more. */
static int stale_socket_remove(const struct sockaddr_un *address, char **ret_error)
{
    const char *path = address->sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT
                   ? 0
                   : error_set(ret_error, -errno, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return error_set(ret_error, -EADDRINUSE,
                         "%s is not a socket, so Trestle leaves it alone; choose another path, "
                         "or remove it",
                         path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(ret_error, -errno, "cannot make a socket to try %s: %s", path,
                         error_text(-errno));
    /* Any other error is that of a socket in use, if not of ours: of another type, for one. */
    bool is_live = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
                   (errno != ECONNREFUSED && errno != ENOENT);
    close(fd);
    if (is_live)
        return error_set(ret_error, -EADDRINUSE,
                         "%s: a live server listens there; end it, or choose another path", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_set(ret_error, -errno, "cannot remove the stale socket %s: %s", path,
                         strerror(errno));
    return 0;
}

static int bind_and_listen(const struct sockaddr_un *address, int *ret_fd, char **ret_error)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(ret_error, -errno, "cannot make a socket for %s: %s", address->sun_path,
                         error_text(-errno));
    /* bind() creates the file with the mode that the socket has by then (unix(7) does not say
     * so, net/unix/af_unix.c does), less what the umask takes away: that is given back. */
    bool is_bound =
        fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (!is_bound || fchmodat(AT_FDCWD, address->sun_path, 0600, AT_SYMLINK_NOFOLLOW) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int r = -errno;
        close(fd);
        if (is_bound)
            unlink(address->sun_path);
        return error_set(ret_error, r, "%s: cannot listen there: %s%s", address->sun_path,
                         error_text(r), error_is_limit(r) ? "" : "; choose another path");
    }
    *ret_fd = fd;
    return 0;
}

int listener_open(struct listener *listener, const char *path, bool is_private, char **ret_error)
{
    struct sockaddr_un address;
    int r = address_set(&address, path, ret_error);
    *listener = LISTENER_NONE;
    if (r)
        return r;
    listener->path = strdup(path);
    if (!listener->path)
        return error_no_memory(ret_error);
    if (!is_private) {
        r = lock_take(path, &listener->lock_fd, ret_error);
        if (!r)
            r = stale_socket_remove(&address, ret_error);
    }
    if (!r)
        r = bind_and_listen(&address, &listener->fd, ret_error);
    if (r)
        listener_close(listener);
    return r;
}

void listener_unlink(const struct listener *listener)
{
    char *lock_path;
    if (listener->fd >= 0 && listener->path)
        unlink(listener->path);
    if (listener->lock_fd >= 0 && asprintf(&lock_path, "%s.lock", listener->path) >= 0) {
        unlink(lock_path);
        free(lock_path);
    }
}

void listener_close(struct listener *listener)
{
    listener_unlink(listener);
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->lock_fd >= 0)
        close(listener->lock_fd);
    free(listener->path);
    *listener = LISTENER_NONE;
}

int listener_accept(int listener_fd, int *ret_fd)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    int fd;
    do
        fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno == ECONNABORTED ? -EAGAIN : -errno;
    int r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ? -errno
            : peer.uid != geteuid() && peer.uid != 0                    ? -EKEYREJECTED
                                                                        : 0;
    if (r)
        close(fd);
    else
        *ret_fd = fd;
    return r;
}

/* --- private directories --------------------------------------------------------------------- */

#define PRIVATE_PREFIX "trestle-"
#define PRIVATE_RANDOM "XXXXXX"

static struct dirent *next_entry(DIR *dir)
{
    struct dirent *entry;
    do
        entry = readdir(dir);
    while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

/* And at least one: a directory that was just made has no lock yet, and no sockets. */
static bool has_only_sockets(DIR *dir)
{
    struct stat st;
    bool is_empty = true;
    rewinddir(dir);
    for (struct dirent *entry; (entry = next_entry(dir)) != NULL; is_empty = false)
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISSOCK(st.st_mode))
            return false;
    return !is_empty;
}

/* False: one of them is in use. */
static bool remove_stale_sockets(DIR *dir, const char *path)
{
    rewinddir(dir);
    for (struct dirent *entry; (entry = next_entry(dir)) != NULL;) {
        struct sockaddr_un address;
        char *socket_path;
        if (asprintf(&socket_path, "%s/%s", path, entry->d_name) < 0)
            return false;
        int r = socket_path_address(socket_path, &address);
        free(socket_path);
        if (r || stale_socket_remove(&address, NULL) < 0)
            return false;
    }
    return true;
}

static void remove_if_stale(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 0777) == 0700 &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && has_only_sockets(dir) &&
        remove_stale_sockets(dir, path))
        rmdir(path);
    closedir(dir);
}

static void remove_stale_dirs(const char *base)
{
    DIR *dir = opendir(base);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char *path;
        if (strncmp(entry->d_name, PRIVATE_PREFIX, strlen(PRIVATE_PREFIX)) != 0 ||
            strlen(entry->d_name) != strlen(PRIVATE_PREFIX PRIVATE_RANDOM) ||
            asprintf(&path, "%s/%s", base, entry->d_name) < 0)
            continue;
        remove_if_stale(path);
        free(path);
    }
    if (dir)
        closedir(dir);
}

int private_dir_create(struct private_dir *dir, const char *base, char **ret_error)
{
    char *path;
    *dir = PRIVATE_DIR_NONE;
    if (!base || !*base)
        base = "/tmp";
    remove_stale_dirs(base);
    if (asprintf(&path, "%s/" PRIVATE_PREFIX PRIVATE_RANDOM, base) < 0)
        return error_no_memory(ret_error);
    if (!mkdtemp(path)) {
        int r = -errno;
        free(path);
        return error_set(
            ret_error, r, "cannot make a directory for the sockets under %s: %s%s", base,
            error_text(r),
            error_is_limit(r) ? "" : "; set XDG_RUNTIME_DIR to a directory that you may write to");
    }
    (void)!chmod(path, 0700); /* with any umask */
    /* Another run that looks for stale ones may have the lock for a moment. Where there is none to
     * be had, it works as well: that run looks at the sockets, too. */
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir->fd >= 0)
        (void)!flock(dir->fd, LOCK_EX);
    dir->path = path;
    return 0;
}

void private_dir_remove(struct private_dir *dir)
{
    if (dir->path)
        rmdir(dir->path);
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->path);
    *dir = PRIVATE_DIR_NONE;
}
