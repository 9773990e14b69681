/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into trestle: has one call of the C library fail. FAILING=CALL:ERRNO[:N[:REPORT]], such
 * as "socket:EMFILE:2": the second one; without N all of them. Once it failed, the file REPORT
 * exists. Other programs, QEMU above all, are left alone; FAILING_PROGRAM names another than
 * trestle, in which the calls of FAILING_MODULE alone count, a part of a file's name.
 *
 * With FAILING_PLACES N counts places: a call counts where no call came the same way before, by
 * the functions that led to it. "FAILING=*:EPERM:0:REPORT": nothing fails, and REPORT gets a line
 * "PID CALL" for each place.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAY = 5, PLACES_MAX = 8192 };

static char wanted[32], report[256];
static const char *module;
static int wanted_error;
static unsigned long wanted_turn; /* 0: always */
static atomic_ulong turn;
static bool by_place;
static uintptr_t places[PLACES_MAX]; /* the ways that calls came */
static size_t num_places;
static atomic_flag is_looking = ATOMIC_FLAG_INIT;
static _Thread_local bool is_inside; /* looking at a way may call what may fail */

static int error_number(const char *name)
{
    for (int number = 1; number < 134; number++) {
        const char *known = strerrorname_np(number);
        if (known && strcmp(known, name) == 0)
            return number;
    }
    return EIO;
}

__attribute__((constructor)) static void read_wish(void)
{
    char error[32] = "";
    const char *wish = getenv("FAILING"), *program = getenv("FAILING_PROGRAM");
    void *frames[1];
    if (!wish || strcmp(program_invocation_short_name, program ? program : "trestle") != 0)
        return;
    sscanf(wish, "%31[^:]:%31[^:]:%lu:%255s", wanted, error, &wanted_turn, report);
    wanted_error = error_number(error);
    by_place = getenv("FAILING_PLACES");
    module = getenv("FAILING_MODULE");
    (void)backtrace(frames, 1); /* loads what it needs */
}

static void note(const char *name)
{
    char line[64];
    int size = snprintf(line, sizeof(line), "%ld %s\n", syscall(SYS_getpid), name);
    long fd = syscall(SYS_openat, AT_FDCWD, report, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)!syscall(SYS_write, fd, line, size);
    syscall(SYS_close, fd);
}

/* Whether a call came this way for the first time. */
static bool is_new(uintptr_t way)
{
    size_t i = 0;
    while (atomic_flag_test_and_set(&is_looking))
        continue;
    while (i < num_places && places[i] != way)
        i++;
    bool is_first = i == num_places && num_places < PLACES_MAX;
    if (is_first)
        places[num_places++] = way;
    atomic_flag_clear(&is_looking);
    return is_first;
}

/* dladdr() looks at each symbol, and QEMU has many. */
static int is_of_module(struct dl_phdr_info *info, size_t size, void *address)
{
    uintptr_t at = (uintptr_t)address - info->dlpi_addr;
    const char *slash = strrchr(info->dlpi_name, '/');
    bool is_named = strstr(slash ? slash : info->dlpi_name, module);
    (void)size;
    for (int i = 0; i < info->dlpi_phnum && is_named; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            at - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz)
            return 1;
    return 0;
}

/* The first two frames are this file's. */
static bool counts(const char *name, void *const *frames, int num_frames)
{
    uintptr_t way = 0;
    if (num_frames < 3 || (module && !dl_iterate_phdr(is_of_module, frames[2])))
        return false;
    for (const char *c = name; *c; c++)
        way = way * 31 + (uintptr_t)*c;
    for (int i = 2; i < num_frames; i++)
        way = way * 1000003 + (uintptr_t)frames[i];
    return !by_place || is_new(way);
}

static __attribute__((noinline)) bool fails(const char *name)
{
    bool is_list = wanted[0] == '*';
    if (!wanted[0] || is_inside || (!is_list && strcmp(name, wanted) != 0))
        return false;
    if (by_place || module) {
        void *frames[2 + WAY];
        int before = errno;
        is_inside = true;
        bool is_one = counts(name, frames, backtrace(frames, 2 + WAY));
        if (is_one && is_list)
            note(name);
        is_inside = false;
        errno = before;
        if (!is_one)
            return false;
    }
    if (is_list || (wanted_turn > 0 && atomic_fetch_add(&turn, 1) + 1 != wanted_turn))
        return false;
    if (report[0])
        syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, report, O_WRONLY | O_CREAT, 0600));
    errno = wanted_error;
    return true;
}

/* type name(parameters), called with arguments; when it fails: result. */
#define FAILING(type, result, name, parameters, arguments)                 \
    type name parameters;                                                  \
    type name parameters                                                   \
    {                                                                      \
        static type(*real) parameters;                                     \
        if (!real)                                                         \
            real = (type(*) parameters)(uintptr_t)dlsym(RTLD_NEXT, #name); \
        if (fails(#name))                                                  \
            return result;                                                 \
        return real arguments;                                             \
    }

#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wnonnull-compare"

FAILING(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
FAILING(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
FAILING(int, -1, socketpair, (int domain, int type, int protocol, int fds[2]),
        (domain, type, protocol, fds))
FAILING(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t size),
        (fd, address, size))
FAILING(int, -1, listen, (int fd, int backlog), (fd, backlog))
FAILING(int, -1, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
        (fd, address, size, flags))
FAILING(int, -1, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
        (fd, level, name, value, size))
FAILING(int, -1, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
        (fd, level, name, value, size))
FAILING(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags),
        (fd, message, flags))
FAILING(int, -1, pipe2, (int fds[2], int flags), (fds, flags))
FAILING(int, -1, epoll_create1, (int flags), (flags))
FAILING(int, -1, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *event),
        (epoll, op, fd, event))
FAILING(int, -1, epoll_wait, (int epoll, struct epoll_event *events, int max, int timeout),
        (epoll, events, max, timeout))
FAILING(int, -1, timerfd_create, (clockid_t clock, int flags), (clock, flags))
FAILING(int, -1, timerfd_settime,
        (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
        (fd, flags, value, old))
FAILING(int, -1, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
FAILING(pid_t, -1, fork, (void), ())
FAILING(int, -1, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
FAILING(int, -1, execve, (const char *path, char *const argv[], char *const env[]),
        (path, argv, env))
FAILING(void *, MAP_FAILED, mmap,
        (void *at, size_t size, int protection, int flags, int fd, off_t offset),
        (at, size, protection, flags, fd, offset))
FAILING(int, -1, ftruncate, (int fd, off_t size), (fd, size))
FAILING(char *, NULL, mkdtemp, (char *template), (template))
FAILING(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
FAILING(int, -1, fchmodat, (int dir, const char *path, mode_t mode, int flags),
        (dir, path, mode, flags))
FAILING(int, -1, flock, (int fd, int operation), (fd, operation))
FAILING(int, -1, dup2, (int from, int to), (from, to))
FAILING(ssize_t, -1, getrandom, (void *bytes, size_t size, unsigned flags), (bytes, size, flags))
FAILING(int, wanted_error, pthread_create,
        (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *ctx),
        (thread, attributes, run, ctx))
/* So that dlerror() has something to say. */
FAILING(void *, real("/failing", flags), dlopen, (const char *path, int flags), (path, flags))

FAILING(void *, NULL, reallocarray, (void *memory, size_t count, size_t size),
        (memory, count, size))
FAILING(int, -1, eventfd, (unsigned count, int flags), (count, flags))
FAILING(int, -1, connect, (int fd, const struct sockaddr *address, socklen_t size),
        (fd, address, size))
FAILING(int, -1, getsockname, (int fd, struct sockaddr *address, socklen_t *size),
        (fd, address, size))
FAILING(int, -1, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
FAILING(int, -1, ppoll,
        (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
        (fds, count, timeout, mask))
FAILING(ssize_t, -1, read, (int fd, void *bytes, size_t size), (fd, bytes, size))
FAILING(ssize_t, -1, pread, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at))
FAILING(ssize_t, -1, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
FAILING(ssize_t, -1, recv, (int fd, void *bytes, size_t size, int flags), (fd, bytes, size, flags))
FAILING(ssize_t, -1, send, (int fd, const void *bytes, size_t size, int flags),
        (fd, bytes, size, flags))
FAILING(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
FAILING(int, -1, setpgid, (pid_t pid, pid_t group), (pid, group))
FAILING(int, -1, sigaction, (int number, const struct sigaction *action, struct sigaction *old),
        (number, action, old))
FAILING(int, wanted_error, pthread_sigmask, (int how, const sigset_t *mask, sigset_t *old),
        (how, mask, old))
FAILING(int, -1, pidfd_send_signal, (int fd, int number, siginfo_t *info, unsigned flags),
        (fd, number, info, flags))
FAILING(int, -1, kill, (pid_t pid, int number), (pid, number))
FAILING(int, -1, waitid, (idtype_t type, id_t id, siginfo_t *info, int options),
        (type, id, info, options))
FAILING(pid_t, -1, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
FAILING(int, -1, rmdir, (const char *path), (path))
FAILING(int, -1, unlink, (const char *path), (path))
FAILING(int, -1, rename, (const char *from, const char *to), (from, to))
FAILING(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
FAILING(int, -1, access, (const char *path, int mode), (path, mode))
FAILING(int, -1, stat, (const char *path, struct stat *info), (path, info))
FAILING(int, -1, lstat, (const char *path, struct stat *info), (path, info))
FAILING(int, -1, fstat, (int fd, struct stat *info), (fd, info))
FAILING(int, -1, fstatat, (int dir, const char *path, struct stat *info, int flags),
        (dir, path, info, flags))
FAILING(ssize_t, -1, readlink, (const char *path, char *text, size_t size), (path, text, size))
FAILING(char *, NULL, realpath, (const char *path, char *text), (path, text))
FAILING(DIR *, NULL, opendir, (const char *path), (path))
FAILING(DIR *, NULL, fdopendir, (int fd), (fd))
FAILING(struct dirent *, NULL, readdir, (DIR * dir), (dir))
FAILING(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
FAILING(FILE *, NULL, open_memstream, (char **text, size_t *size), (text, size))
FAILING(int, -1, mkostemp, (char *template, int flags), (template, flags))
FAILING(int, -1, munmap, (void *at, size_t size), (at, size))
FAILING(int, -1, close_range, (unsigned first, unsigned last, int flags), (first, last, flags))
FAILING(int, -1, getrlimit, (__rlimit_resource_t resource, struct rlimit *limit), (resource, limit))
FAILING(int, -1, setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit),
        (resource, limit))
FAILING(int, -1, sched_getaffinity, (pid_t pid, size_t size, cpu_set_t *set), (pid, size, set))
FAILING(int, -1, uname, (struct utsname * name), (name))

/* These take more arguments only sometimes. */
int prctl(int option, ...)
{
    static int (*real)(int, unsigned long, unsigned long, unsigned long, unsigned long);
    unsigned long all[4];
    va_list args;
    va_start(args, option);
    for (size_t i = 0; i < 4; i++)
        all[i] = va_arg(args, unsigned long);
    va_end(args);
    if (!real)
        real = (int (*)(int, unsigned long, unsigned long, unsigned long, unsigned long))(
            uintptr_t)dlsym(RTLD_NEXT, "prctl");
    return fails("prctl") ? -1 : real(option, all[0], all[1], all[2], all[3]);
}

int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    if (!real)
        real = (int (*)(const char *, int, ...))(uintptr_t)dlsym(RTLD_NEXT, "open");
    return fails("open") ? -1 : real(path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
    static int (*real)(int, int, ...);
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (!real)
        real = (int (*)(int, int, ...))(uintptr_t)dlsym(RTLD_NEXT, "fcntl");
    return fails("fcntl") ? -1 : real(fd, command, argument);
}

/* dlsym() itself allocates, before there is a real one. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    return fails("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails("calloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails("realloc") ? NULL : __libc_realloc(memory, size);
}
