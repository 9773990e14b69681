/* SPDX-License-Identifier: MIT */
/* The answers on a control socket, from something that need not be a run. */
#include <sys/socket.h>

#include "control/client.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_answer answer;
    int fds[2], free_fd = fuzz_free_descriptor(), answers = 0;
    char *error = NULL;
    if (size > 60000)
        return 0;
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    FUZZ_REQUIRE(write(fds[1], data, size) == (ssize_t)size);
    FUZZ_REQUIRE(shutdown(fds[1], SHUT_WR) == 0);
    while (control_ask(fds[0], "do", "stats", &answer, &error) == 0) {
        FUZZ_REQUIRE(answer.status < CONTROL_STATUSES && answer.out && answer.error && !error);
        FUZZ_REQUIRE(strlen(answer.out) + strlen(answer.error) <= size);
        control_answer_finish(&answer);
        answers++;
    }
    FUZZ_REQUIRE(error && !strchr(error, '\n'));
    FUZZ_REQUIRE((size_t)answers <= size / strlen("ok 0 0\n"));
    free(error);
    close(fds[0]);
    close(fds[1]);
    FUZZ_REQUIRE(fuzz_free_descriptor() == free_fd);
    return 0;
}
