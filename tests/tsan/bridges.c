/* SPDX-License-Identifier: MIT */
/* Several bridges in one process, each with a thread of its own, as an embedder may have them: the
 * library has nothing that they share. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "require.h"
#include "trestle/bridge.h"
#include "trestle/models.h"
#include "trestle/wire.h"

#define BRIDGES 4
#define ACCESSES 200u
#define BASE UINT64_C(0x10200000)

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static uint64_t access_device(struct trestle_bridge *bridge, int fd, uint8_t type, uint64_t data)
{
    uint8_t frame[TRESTLE_V1_REQUEST_SIZE], answer[TRESTLE_V1_RESPONSE_SIZE];
    struct trestle_v1_request request = {.type = type, .size = 8, .addr = BASE + 8, .data = data};
    struct trestle_v1_response response;
    trestle_v1_encode_request(frame, &request);
    REQUIRE(send(fd, frame, sizeof(frame), MSG_NOSIGNAL) == sizeof(frame));
    while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) < 0) {
        REQUIRE(errno == EAGAIN);
        REQUIRE(trestle_bridge_poll(bridge, 0) == 0);
    }
    REQUIRE(trestle_v1_decode_response(answer, &response) == 0 && response.success);
    return response.data;
}

static void *run(void *arg)
{
    struct trestle_bridge *bridge;
    const struct trestle_bridge_options options = {.size = sizeof(options)};
    const struct trestle_bridge_device device = {
        .size = sizeof(device), .name = "id", .model = trestle_model_find("id"), .base_addr = BASE};
    (void)arg;
    REQUIRE(trestle_bridge_create(&options, &bridge, NULL) == 0);
    REQUIRE(trestle_bridge_add_device(bridge, &device, NULL, NULL) == 0);
    REQUIRE(trestle_bridge_listen(bridge, NULL) == 0);
    int fd = connect_to(trestle_bridge_socket_path(bridge, 0));
    for (uint64_t i = 0; i < ACCESSES; i++) {
        access_device(bridge, fd, TRESTLE_V1_WRITE, i);
        REQUIRE(access_device(bridge, fd, TRESTLE_V1_READ, 0) == i);
    }
    close(fd);
    trestle_bridge_destroy(bridge);
    return NULL;
}

int main(void)
{
    pthread_t threads[BRIDGES];
    for (unsigned i = 0; i < BRIDGES; i++)
        REQUIRE(pthread_create(&threads[i], NULL, run, NULL) == 0);
    for (unsigned i = 0; i < BRIDGES; i++)
        pthread_join(threads[i], NULL);
    printf("%u bridges\n", BRIDGES);
    return 0;
}
