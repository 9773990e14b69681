/* SPDX-License-Identifier: MIT */
/*
 * trestle/test.h: unit tests of device models, without QEMU.
 *
 * A test bench has an engine with devices, guest memory, and a record of what the devices do to the
 * outside: the levels of interrupt lines, messages, log lines. Time stands still, except in the
 * functions that say otherwise. One thread at a time.
 *
 *     #include <assert.h>
 *     #include <trestle/test.h>
 *
 *     int main(void)
 *     {
 *         struct trestle_test *test = trestle_test_create();
 *         struct trestle_device *dev = trestle_test_load(test, "./alarm.so", "snooze=1ms", NULL);
 *         trestle_test_write(dev, 0x00, 4, 1000);
 *         trestle_test_run(test, TRESTLE_US);
 *         assert(trestle_test_irq(dev, 0));
 *         trestle_test_destroy(test);
 *     }
 *
 *     cc test.c $(pkg-config --cflags --libs trestle-test)
 *
 * A model's start() is called before the first access, and before time goes on.
 *
 * If a function fails, it prints one line to standard error and ends the program with status 1,
 * unless it says otherwise: a test needs no error handling. The library is separate and static:
 * libtrestle-test.
 */
#ifndef TRESTLE_TEST_H
#define TRESTLE_TEST_H

#include "trestle/sim.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trestle_test;

struct trestle_test *trestle_test_create(void);
/* Also frees devices, loaded models and memory. NULL is fine. */
void trestle_test_destroy(struct trestle_test *test);

/* Removes the devices, with their models' fini(). Only trestle_test_destroy() may follow, which
 * otherwise does the same: for a program that watches its models (trestle_sim_look()) to their end.
 */
void trestle_test_remove_devices(struct trestle_test *test);

/* --- devices --------------------------------------------------------------------------------- */

/* Adds a device of a model in a file, or of a bundled model. Then come parameters, as "key=value",
 * and NULL. The device has the model's name. The first base address is 0x10000000; each further
 * device is 64 KiB higher. */
struct trestle_device *trestle_test_load(struct trestle_test *test, const char *model, ...)
    __attribute__((sentinel));
/* The same with all options; the bench sets options->ops and ctx. */
struct trestle_device *trestle_test_add(struct trestle_test *test,
                                        const struct trestle_model *model,
                                        const struct trestle_device_options *options);
/* The same, for a model or parameters that should be refused. Returns 0, or a negative errno and a
 * sentence in *ret_error, which the caller frees. */
TRESTLE_CHECK int trestle_test_try_add(struct trestle_test *test, const struct trestle_model *model,
                                       const struct trestle_device_options *options,
                                       struct trestle_device **ret_dev, char **ret_error);
/* Joins two ports, by number. */
void trestle_test_link(struct trestle_device *a, uint32_t a_port, struct trestle_device *b,
                       uint32_t b_port, trestle_time latency);
/* As when the guest is reset. */
void trestle_test_reset(struct trestle_device *dev);

/* --- accesses -------------------------------------------------------------------------------- */

/* Time goes on until the device has answered. The first two end the program at a bus error; the
 * others return the status: 0, or a negative errno. -ETIME: the device does not answer, and nothing
 * is scheduled that could make it. */
uint64_t trestle_test_read(struct trestle_device *dev, uint64_t offset, uint32_t size);
void trestle_test_write(struct trestle_device *dev, uint64_t offset, uint32_t size, uint64_t data);
TRESTLE_CHECK int trestle_test_try_read(struct trestle_device *dev, uint64_t offset, uint32_t size,
                                        uint64_t *ret_data);
TRESTLE_CHECK int trestle_test_try_write(struct trestle_device *dev, uint64_t offset, uint32_t size,
                                         uint64_t data);

/* --- time ------------------------------------------------------------------------------------ */

trestle_time trestle_test_now(const struct trestle_test *test);
/* Lets that much time pass, with all that happens in it. */
void trestle_test_run(struct trestle_test *test, trestle_time duration);
/* Lets time pass until the line is high, at most limit. False: it is not. */
bool trestle_test_wait_irq(struct trestle_device *dev, uint32_t line, trestle_time limit);

/* --- what a device does ---------------------------------------------------------------------- */

bool trestle_test_irq(const struct trestle_device *dev, uint32_t line);
/* How often the line has gone high. */
unsigned trestle_test_irq_count(const struct trestle_device *dev, uint32_t line);

/* Guest memory for DMA: size bytes from addr, zeroed. A transfer that leaves such memory ends with
 * -EFAULT. The bytes live as long as the bench. */
uint8_t *trestle_test_ram(struct trestle_test *test, uint64_t addr, size_t size);
/* For tools: copies at once, as a transfer does. 0 or -EFAULT. */
TRESTLE_CHECK int trestle_test_copy(struct trestle_test *test, bool write, uint64_t addr, void *buf,
                                    size_t size);

/* The other end of a port, in the test's hands. */
struct trestle_test_peer;
struct trestle_test_peer *trestle_test_peer(struct trestle_device *dev, uint32_t port,
                                            trestle_time latency);
void trestle_test_send(struct trestle_test_peer *peer, const void *data, size_t size);
/* How many messages have come, and the latest one, which is the peer's (size 0: none yet). */
unsigned trestle_test_heard(const struct trestle_test_peer *peer);
const void *trestle_test_message(const struct trestle_test_peer *peer, size_t *ret_size);

/* All that the device has given to the outside (trestle_device_output()), and how much; it is valid
 * until there is more. */
const void *trestle_test_output(const struct trestle_device *dev, size_t *ret_size);

/* Input from outside: gives the device as many of the bytes as it takes now, and returns how many.
 */
size_t trestle_test_input(struct trestle_device *dev, const void *data, size_t size);

/* How many lines of this level the devices have logged, and the latest line of any level, with the
 * device's name before it ("" before the first). */
unsigned trestle_test_logged(const struct trestle_test *test, enum trestle_log_level level);
const char *trestle_test_log(const struct trestle_test *test);
/* Is called with each line as well; NULL: no longer. */
void trestle_test_on_log(struct trestle_test *test,
                         void (*log)(void *ctx, enum trestle_log_level level, const char *text),
                         void *ctx);

/* The engine, for what is missing here. */
struct trestle_sim *trestle_test_sim(struct trestle_test *test);

#ifdef __cplusplus
}
#endif
#endif
