/* SPDX-License-Identifier: MIT */
/* What a QEMU says of itself: its version, its boards, and what is on one of them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "command.h"
#include "machine/args.h"
#include "machine/boards.h"

#define TIMEOUT_NS (10 * NS_PER_S)
#define OUTPUT_MAX ((size_t)64 << 10)

static size_t read_output(int fd, char *buf, size_t size)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    uint64_t deadline_ns = clock_ns() + TIMEOUT_NS;
    size_t length = 0;
    while (length < size && poll(&poll_fd, 1, clock_ms_until(deadline_ns)) == 1) {
        ssize_t n = read(fd, buf + length, size - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    return length;
}

/* What it prints when it is started so; malloc'd. */
static int ask(char *const *argv, char **ret_output, char **ret_error)
{
    const char *qemu_path = argv[0];
    int out[2];
    struct child child = CHILD_NONE;
    char *output = malloc(OUTPUT_MAX);
    if (!output || pipe2(out, O_CLOEXEC) < 0) {
        int r = output ? -errno : -ENOMEM;
        free(output);
        return error_set(ret_error, r, "cannot run %s: %s", qemu_path, error_text(r));
    }
    const struct child_options options = {
        .path = qemu_path, .argv = argv, .stdio_fds = {-1, out[1]}};
    int r = child_start(&options, &child);
    close(out[1]);
    output[r ? 0 : read_output(out[0], output, OUTPUT_MAX - 1)] = '\0';
    child_finish(&child);
    close(out[0]);
    if (r) {
        free(output);
        return error_set(ret_error, r, "cannot run %s: %s", qemu_path, error_text(r));
    }
    *ret_output = output;
    return 0;
}

int trestle_machine_version(const char *qemu_path, char **ret_version, char **ret_error)
{
    static const char prefix[] = "QEMU emulator version ";
    char *const argv[] = {(char *)qemu_path, (char *)"--version", NULL};
    char *output;
    int r = ask(argv, &output, ret_error);
    if (r)
        return r;
    const char *version = strstr(output, prefix);
    if (version)
        version += sizeof(prefix) - 1;
    char *copy = version ? strndup(version, strspn(version, "0123456789.")) : NULL;
    free(output);
    if (!version)
        return error_set(ret_error, -EPROTO, "%s --version does not say that it is QEMU",
                         qemu_path);
    *ret_version = copy;
    return copy ? 0 : error_no_memory(ret_error);
}

int trestle_machine_boards(const char *qemu_path, char **ret_names, char **ret_error)
{
    static const char head[] = "Supported machines are:\n";
    char *const argv[] = {(char *)qemu_path, (char *)"-M", (char *)"help", NULL};
    char *output;
    int r = ask(argv, &output, ret_error);
    if (r)
        return r;
    if (strncmp(output, head, strlen(head)) != 0) {
        free(output);
        return error_set(ret_error, -EPROTO, "%s -M help lists no machines", qemu_path);
    }
    /* The first word of each line stays, in place. */
    char *to = output;
    for (const char *line = output + strlen(head); *line; line += *line == '\n') {
        size_t length = strcspn(line, " \n"), rest = strcspn(line, "\n");
        memmove(to, line, length);
        to += length;
        *to++ = '\n';
        line += rest;
    }
    *to = '\0';
    *ret_names = output;
    return 0;
}

int trestle_machine_report(const struct trestle_machine_options *options, char **ret_report,
                           char **ret_error)
{
    static const char tail[] = "\nend\n";
    struct trestle_machine_options ours;
    const struct board *board = NULL;
    char **argv = NULL, *output = NULL;
    int r = machine_import(options, &ours, ret_error);
    if (!r)
        r = machine_args(&ours, MACHINE_REPORTS, &argv, ret_error);
    if (!r)
        r = ask(argv, &output, ret_error);
    free(argv);
    if (!r)
        r = board_find(&ours, &board, ret_error);
    if (r)
        return r;
    size_t length = strlen(output);
    if (length < strlen(tail) || strcmp(output + length - strlen(tail), tail) != 0) {
        free(output);
        return error_set(ret_error, -EPROTO, "QEMU has not said what its board has");
    }
    if (board->note && asprintf(ret_report, "%snote %s\n", output, board->note) < 0)
        r = error_no_memory(ret_error);
    if (board->note)
        free(output);
    else
        *ret_report = output;
    return r;
}
