/* SPDX-License-Identifier: MIT */
/* What the codec costs: messages per second of processor time, each the median of five runs. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "trestle/wire.h"

#define RUNS 5

/* Keeps the compiler from leaving out what nobody reads. */
static void use(const void *bytes)
{
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static struct trestle_v2_message message_of(uint64_t i)
{
    return (struct trestle_v2_message){
        .seq = i, .type = TRESTLE_V2_READ, .size = 4, .id = i, .addr = i % 1024 * 4, .time = i};
}

static void v1_request(uint64_t count)
{
    uint8_t buf[TRESTLE_V1_REQUEST_SIZE];
    for (uint64_t i = 0; i < count; i++) {
        struct trestle_v1_request request = {.size = 4, .addr = i}, got;
        trestle_v1_encode_request(buf, &request);
        use(buf);
        if (trestle_v1_decode_request(buf, &got) < 0)
            abort();
        use(&got);
    }
}

static void v1_response(uint64_t count)
{
    uint8_t buf[TRESTLE_V1_RESPONSE_SIZE];
    for (uint64_t i = 0; i < count; i++) {
        struct trestle_v1_response response = {.success = true, .data = i}, got;
        trestle_v1_encode_response(buf, &response);
        use(buf);
        if (trestle_v1_decode_response(buf, &got) < 0)
            abort();
        use(&got);
    }
}

static void v2_library(uint64_t count)
{
    uint8_t buf[TRESTLE_V2_MESSAGE_SIZE];
    for (uint64_t i = 0; i < count; i++) {
        struct trestle_v2_message message = message_of(i), got;
        trestle_v2_encode(buf, &message);
        use(buf);
        trestle_v2_decode(buf, &got);
        use(&got);
    }
}

/* As the rings do it. */
static void v2_inline(uint64_t count)
{
    _Alignas(64) uint8_t buf[TRESTLE_V2_MESSAGE_SIZE];
    for (uint64_t i = 0; i < count; i++) {
        struct trestle_v2_message message = message_of(i), got;
        trestle_v2_encode_body(buf, &message);
        use(buf);
        trestle_v2_decode(buf, &got);
        use(&got);
    }
}

static void v2_check(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct trestle_v2_message message = message_of(i);
        use(&message);
        if (!trestle_v2_request_is_valid(&message))
            abort();
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, void (*run)(uint64_t), uint64_t count)
{
    double rates[RUNS];
    for (int i = 0; i < RUNS; i++) {
        double start = seconds();
        run(count);
        rates[i] = (double)count / (seconds() - start);
    }
    qsort(rates, RUNS, sizeof(rates[0]), compare);
    printf("%-36s %8.1f M/s %8.1f ns\n", what, rates[RUNS / 2] / 1e6, 1e9 / rates[RUNS / 2]);
}

int main(int argc, char **argv)
{
    /* An argument scales the work down, for a quick look. */
    uint64_t scale = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t count = 20000000 / (scale ? scale : 1);
    report("v1 request, to bytes and back", v1_request, count);
    report("v1 response, to bytes and back", v1_response, count);
    report("v2 message, to bytes and back", v2_library, count);
    report("v2 message, as the rings do it", v2_inline, count);
    report("v2 request, checked", v2_check, count);
    return 0;
}
