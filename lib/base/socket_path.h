/* SPDX-License-Identifier: MIT */
/* The rule for paths of Unix sockets. */
#ifndef TRESTLE_BASE_SOCKET_PATH_H
#define TRESTLE_BASE_SOCKET_PATH_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Bytes of the longest, without its NUL. */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/* -ENAMETOOLONG; -EINVAL: empty. */
static inline int socket_path_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t length = strlen(path);
    if (length == 0 || length > SOCKET_PATH_MAX)
        return length ? -ENAMETOOLONG : -EINVAL;
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, length);
    return 0;
}

#endif
