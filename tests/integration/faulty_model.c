/* SPDX-License-Identifier: MIT */
/* A model that misbehaves as its parameter says: "init=FAULT" does so in init(), and so on for
 * start and fini; "fault=FAULT" at a write to offset 0. Offset 4 is an ordinary register, offset 8
 * counts wakes and messages. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trestle/device.h"

struct state {
    const char *fault, *at_start, *at_end; /* one of the constants below, or "" */
    uint32_t value;
    uint64_t count;
    bool is_harmless; /* at its end, until a guest writes */
    struct trestle_request *request;
};

static const char *const faults[] = {
    "loop",         "stuck",       "null",  "abort", "exit",     "print",  "keep", "slow",
    "thread",       "picoseconds", "ping",  "fail",  "overflow", "leave",  "fork", "signal",
    "thread null",  "thread exit", "close", "flood", "trample",  "helper", "bus",  "lose",
    "thread stays", "objects",     "waits", "arm",   "long",     "",
};

static void *from_a_thread(void *ctx)
{
    trestle_device_irq(ctx, 0, true);
    return NULL;
}

static void *crash_in_a_thread(void *ctx)
{
    *(volatile int *)NULL = 1;
    return ctx;
}

static void *exit_in_a_thread(void *ctx)
{
    exit(5);
    return ctx;
}

static void *stay_in_a_thread(void *ctx)
{
    for (;;)
        pause();
    return ctx;
}

static void call_in_a_thread(void *(*call)(void *), struct trestle_device *dev)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, call, dev) == 0)
        pthread_join(thread, NULL);
}

static void leave_a_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, stay_in_a_thread, NULL) == 0)
        pthread_detach(thread);
}

/* As static objects of C++ do. */
static bool objects_have_gone;
static void destroy_objects(void)
{
    objects_have_gone = true;
}

static void fork_and_exit(void)
{
    pid_t pid = fork();
    if (pid == 0)
        exit(0);
    waitpid(pid, NULL, 0);
}

static void start_helper(void)
{
    pid_t pid = fork();
    if (pid != 0)
        return;
    execlp("sleep", "sleep", "600", (char *)NULL);
    abort();
}

static void close_what_is_open(void)
{
    for (int fd = 3; fd < 256; fd++)
        close(fd);
}

/* Of a file that is shorter than what is mapped of it. */
static volatile char *beyond_a_file(void)
{
    int fd = memfd_create("short", MFD_CLOEXEC);
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at;
}

static int overflow(volatile char *end)
{
    end[8] = 1;
    return end[8];
}

/* Over whatever lies behind it: other devices, the bridge, the loader's lists. */
static void trample(volatile char *end)
{
    for (size_t i = 0; i < 16384; i++)
        end[i] = 'A';
}

/* What does not come back, or does not return. */
static int misbehave(struct trestle_device *dev, const char *fault)
{
    volatile int *nowhere = NULL;
    if (strcmp(fault, "loop") == 0)
        for (;;)
            __asm__ volatile("");
    if (strcmp(fault, "stuck") == 0)
        for (;;)
            pause();
    if (strcmp(fault, "null") == 0)
        *nowhere = 1;
    if (strcmp(fault, "bus") == 0)
        *beyond_a_file() = 1;
    if (strcmp(fault, "abort") == 0)
        abort();
    if (strcmp(fault, "exit") == 0)
        exit(0);
    if (strcmp(fault, "print") == 0)
        printf("printed by the model\n");
    if (strcmp(fault, "slow") == 0)
        usleep(400000);
    if (strcmp(fault, "long") == 0) {
        for (int i = 0; i < 8; i++) /* a signal ends one */
            usleep(100000);
        close(creat("whole", 0666));
    }
    if (strcmp(fault, "waits") == 0)
        while (access("go", F_OK) < 0)
            usleep(1000);
    if (strcmp(fault, "thread") == 0)
        call_in_a_thread(from_a_thread, dev);
    if (strcmp(fault, "thread null") == 0)
        call_in_a_thread(crash_in_a_thread, dev);
    if (strcmp(fault, "thread exit") == 0)
        call_in_a_thread(exit_in_a_thread, dev);
    if (strcmp(fault, "thread stays") == 0)
        leave_a_thread();
    if (strcmp(fault, "objects") == 0)
        atexit(destroy_objects);
    if (strcmp(fault, "leave") == 0)
        _exit(0);
    if (strcmp(fault, "fork") == 0)
        fork_and_exit();
    if (strcmp(fault, "helper") == 0)
        start_helper();
    if (strcmp(fault, "signal") == 0)
        raise(SIGUSR1);
    if (strcmp(fault, "close") == 0)
        close_what_is_open();
    if (strcmp(fault, "flood") == 0)
        for (int i = 0; i < 3000; i++) /* ends low; more than a ring takes */
            trestle_device_irq(dev, 0, i % 2 == 0);
    if (strcmp(fault, "trample") == 0)
        trample((char *)trestle_device_state(dev) + sizeof(struct state));
    if (strcmp(fault, "overflow") == 0)
        return overflow((char *)trestle_device_state(dev) + sizeof(struct state));
    return strcmp(fault, "fail") == 0 ? -EIO : 0;
}

static const char *constant(const char *text)
{
    size_t i = 0;
    while (faults[i][0] && strcmp(faults[i], text) != 0)
        i++;
    return faults[i];
}

static int init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct state *state = trestle_device_state(dev);
    const char *fault, *at_init, *at_start, *at_end;
    uint64_t number;
    int r = trestle_params_string(params, "fault", "", &fault);
    if (r == 0)
        r = trestle_params_string(params, "init", "", &at_init);
    if (r == 0)
        r = trestle_params_string(params, "start", "", &at_start);
    if (r == 0)
        r = trestle_params_string(params, "fini", "", &at_end);
    if (r == 0)
        r = trestle_params_u64(params, "number", 0, &number);
    if (r < 0)
        return r;
    state->fault = constant(fault);
    state->at_start = constant(at_start);
    state->at_end = constant(at_end);
    state->value = 0x12345678;
    state->is_harmless = strcmp(fault, "arm") == 0;
    return misbehave(dev, constant(at_init));
}

static int start(struct trestle_device *dev)
{
    struct state *state = trestle_device_state(dev);
    return misbehave(dev, state->at_start);
}

static void fini(struct trestle_device *dev)
{
    struct state *state = trestle_device_state(dev);
    if (strcmp(state->at_end, "lose") == 0)
        trestle_device_fail(dev, "what you asked for is lost");
    if (objects_have_gone)
        trestle_device_fail(dev, "its objects have gone before it");
    if (!state->is_harmless)
        misbehave(dev, state->at_end);
}

static int write_register(struct trestle_device *dev, struct trestle_request *request,
                          const struct trestle_access *access)
{
    struct state *state = trestle_device_state(dev);
    if (access->offset != 0) {
        state->value = (uint32_t)access->data;
        return 0;
    }
    state->is_harmless = false;
    if (strcmp(state->fault, "keep") == 0)
        return -EINPROGRESS;
    if (strcmp(state->fault, "picoseconds") == 0)
        trestle_device_wake_after(dev, 0, 1);
    if (strcmp(state->fault, "ping") == 0)
        return trestle_device_send(dev, 0, "ping", 4);
    return misbehave(dev, state->fault);
}

static int read_register(struct trestle_device *dev, struct trestle_request *request,
                         const struct trestle_access *access, uint64_t *ret_data)
{
    struct state *state = trestle_device_state(dev);
    *ret_data = access->offset == 8 ? state->count : state->value;
    return 0;
}

static void wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct state *state = trestle_device_state(dev);
    state->count++;
    trestle_device_wake_after(dev, timer, 1);
}

static void message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    struct state *state = trestle_device_state(dev);
    state->count++;
    if (trestle_device_send(dev, port, data, size) < 0)
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "cannot answer");
}

static const struct trestle_model model = {.size = sizeof(model),
                                           .name = "faulty",
                                           .region_size = 16,
                                           .access_sizes = 4,
                                           .irq_lines = 1,
                                           .peer_ports = 1,
                                           .timers = 1,
                                           .state_size = sizeof(struct state),
                                           .init = init,
                                           .start = start,
                                           .fini = fini,
                                           .read = read_register,
                                           .write = write_register,
                                           .wake = wake,
                                           .message = message};
TRESTLE_MODEL_EXPORT(model);
