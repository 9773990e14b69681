/* SPDX-License-Identifier: MIT */
/* A raw client of wire version 2 with three devices, on the carrier that `features` says. */
#ifndef TRESTLE_TESTS_V2_CLIENT_H
#define TRESTLE_TESTS_V2_CLIENT_H

#include "bridge_fixture.h"
#include "ipc/barrier.h"
#include "ipc/fds.h"
#include "ipc/shm.h"

#define FEATURES_SOCKET (TRESTLE_V2_FEATURE_POSTED | TRESTLE_V2_FEATURE_TIME)
#define FEATURES_SHM (FEATURES_SOCKET | TRESTLE_V2_FEATURE_SHM)
#define FEATURES_GUEST (TRESTLE_V2_FEATURE_TIME | TRESTLE_V2_FEATURE_IRQ | TRESTLE_V2_FEATURE_DMA)

struct client {
    int fds[3];
    uint32_t devices[3];
    uint64_t out_seq[3], in_seq[3]; /* socket carrier */
    uint64_t id;
    struct shm shm;
    struct ring_producer requests;
    struct ring_consumer events;
};

/* --- a client -------------------------------------------------------------------------------- */

struct trestle_v2_hello hello_for(uint32_t index, uint32_t wanted);
void send_hello(int fd, const struct trestle_v2_hello *hello);

/* The welcome, and the descriptors that came with it. */
struct trestle_v2_welcome receive_welcome(struct fixture *f, int fd, int fds[FDS_MAX],
                                          size_t *ret_num_fds);
void join(struct fixture *f, struct client *c, uint32_t index, uint32_t wanted);
void leave(struct client *c);
uint64_t post(struct client *c, uint32_t index, struct trestle_v2_message m);
struct trestle_v2_message receive_event(struct fixture *f, struct client *c, uint32_t index);
struct trestle_v2_message ask(struct fixture *f, struct client *c, uint32_t index,
                              struct trestle_v2_message m);
struct trestle_v2_message read_at(uint64_t addr, uint8_t size, trestle_time time);
struct trestle_v2_message write_at(uint64_t addr, uint64_t data, trestle_time time);

/* --- the one of each test -------------------------------------------------------------------- */

extern uint32_t features; /* of the carrier under test */
extern struct client client;

int open_client(void **state);
int close_client(void **state);
struct trestle_v2_message expect_reply(struct fixture *f, uint32_t index, uint64_t id);
void expect_irq(struct fixture *f, uint32_t index, uint64_t line, uint64_t level,
                trestle_time time);
void expect_end(struct fixture *f, const char *reason);

#define CLIENT_TEST(test) cmocka_unit_test_setup_teardown(test, open_client, close_client)

#endif
