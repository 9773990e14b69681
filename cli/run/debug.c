/* SPDX-License-Identifier: MIT */
/* Finds a port for QEMU's gdb stub, and says how to connect there. */
#include "run/debug.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "util.h"

#define USUAL_PORT 1234

/* 0: any that is free. */
static int try_port(uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), reuse = 1;
    if (fd < 0)
        return -errno;
    int r = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        r = -errno;
    close(fd);
    *ret_port = ntohs(address.sin_port);
    return r;
}

int debug_choose_port(uint16_t wanted, uint16_t *ret_port, char **ret_error)
{
    int r = try_port(wanted ? wanted : USUAL_PORT, ret_port);
    if (r && !wanted)
        r = try_port(0, ret_port);
    if (r)
        *ret_error =
            xformat("trestle: --gdb=%u: that port cannot be used: %s; name another, or none "
                    "to have a free one",
                    wanted, error_text(r));
    return r;
}

bool debug_is_open(uint16_t port)
{
    FILE *file = fopen("/proc/net/tcp", "re");
    char line[256];
    bool is_open = false;
    unsigned local, state;
    while (file && !is_open && fgets(line, sizeof(line), file))
        is_open = sscanf(line, "%*d: %*x:%x %*x:%*x %x", &local, &state) == 2 && local == port &&
                  state == 0x0a; /* TCP_LISTEN */
    if (file)
        fclose(file);
    return is_open;
}

char *debug_gdb_command(uint16_t port, const char *arch, const char *kernel)
{
#if defined(__x86_64__)
    bool is_ours = arch && strcmp(arch, "x86_64") == 0;
#else
    bool is_ours = arch && strcmp(arch, "aarch64") == 0;
#endif
    char *remote = xformat("target remote :%u", port);
    char *words[] = {(char *)(is_ours ? "gdb" : "gdb-multiarch"), (char *)(kernel ? kernel : ""),
                     (char *)"-ex", remote, NULL};
    if (!kernel)
        memmove(&words[1], &words[2], sizeof(words) - 2 * sizeof(*words));
    char *command = shell_quote(words);
    free(remote);
    return command;
}
