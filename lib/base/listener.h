/* SPDX-License-Identifier: MIT */
/* A listening Unix socket at a path, and the private directory that most of them live in. */
#ifndef TRESTLE_BASE_LISTENER_H
#define TRESTLE_BASE_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

struct listener {
    int fd;
    int lock_fd; /* holds the lock on <path>.lock; -1 in a private directory */
    char *path;  /* NULL: somebody else has opened it, and removes it */
};

#define LISTEN_AGAIN_MS 100

#define LISTENER_NONE ((struct listener){.fd = -1, .lock_fd = -1})

/* Listens at path with mode 0600, with any umask. A stale socket there is replaced, but only
 * under the lock. A live one, or a file that is not a socket, is -EADDRINUSE and stays untouched.
 * `is_private`: the directory is ours alone, so that nobody else's socket can be there. */
int listener_open(struct listener *listener, const char *path, bool is_private, char **ret_error);
/* Removes socket and lock file, and nothing else. */
void listener_unlink(const struct listener *listener);
/* Closes, and removes socket and lock file. Fine on LISTENER_NONE. */
void listener_close(struct listener *listener);
/* Gives a connected, non-blocking socket. -EAGAIN: nobody is waiting. -EKEYREJECTED: the peer
 * belongs to another user (root is welcome) and was turned away. After any other error the peer
 * waits, and the listener stays ready: it is not to be looked at for LISTEN_AGAIN_MS. */
int listener_accept(int listener_fd, int *ret_fd);

struct private_dir {
    char *path; /* NULL: none */
    int fd;     /* holds a lock on it, which says that somebody lives there */
};

#define PRIVATE_DIR_NONE ((struct private_dir){.fd = -1})

/* Makes a fresh directory of mode 0700 under base (NULL: /tmp), and removes those there that were
 * left by processes that were killed: of the same name and owner, with no lock, and with sockets in
 * them that nobody listens on, and nothing else. */
int private_dir_create(struct private_dir *dir, const char *base, char **ret_error);
/* Once its sockets are closed. Fine on PRIVATE_DIR_NONE. */
void private_dir_remove(struct private_dir *dir);

#endif
