/* SPDX-License-Identifier: MIT */
/* The QEMU process: launch, watch, stop. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <sys/pidfd.h>

#include "base/error.h"
#include "machine/terminal.h"
#include "trestle/machine.h"

#define VERSION_TIMEOUT_MS 10000

struct trestle_machine {
    pid_t pid; /* -1 once it was reaped */
    int pid_fd;
    int exit_code;
    int signal; /* that ended it, or 0 */
    struct terminal terminal;
};

/* --- the older environment ----------------------------------------------------------------------
 */

/* An in-tree sst-device takes its socket from the environment. Returns environ plus those
 * variables as one array to free together with its last `*ret_own` strings. */
static char **older_environment(const struct trestle_machine_options *options, size_t *ret_own)
{
    size_t inherited = 0, own = 2 * options->num_devices + 1, n;
    while (environ[inherited])
        inherited++;
    char **env = calloc(inherited + own + 1, sizeof(*env));
    if (!env)
        return NULL;
    memcpy(env, environ, inherited * sizeof(*env));
    n = inherited;
    bool failed = asprintf(&env[n++], "SST_NUM_DEVICES=%zu", options->num_devices) < 0;
    for (size_t i = 0; i < options->num_devices && !failed; i++) {
        const struct trestle_machine_device *device = &options->devices[i];
        failed = asprintf(&env[n++], "SST_DEVICE%zu_SOCKET=%s", i, device->socket_path) < 0 ||
                 asprintf(&env[n++], "SST_DEVICE%zu_BASE=0x%" PRIx64, i, device->base_addr) < 0;
    }
    *ret_own = n - inherited;
    if (failed)
        env[n - 1] = NULL;
    return env;
}

static void environment_free(char **env, size_t own)
{
    size_t count = 0;
    if (!env)
        return;
    while (env[count])
        count++;
    while (own-- > 0 && count > 0)
        free(env[--count]);
    free(env);
}

/* --- launch --------------------------------------------------------------------------------------
 */

/* Between fork and exec: only async-signal-safe calls. */
static void exec_child(char **argv, char **env, pid_t parent, int error_fd, int input_fd,
                       int output_fd)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the parent died before it could be watched */
    if (input_fd >= 0)
        dup2(input_fd, STDIN_FILENO);
    if (output_fd >= 0)
        dup2(output_fd, STDOUT_FILENO);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(argv[0], argv, env);
    int error = errno;
    if (write(error_fd, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

/* Starts argv[0]. input_fd, output_fd: what its standard input and output become, or -1 for ours.
 */
static int spawn(char **argv, char **env, int input_fd, int output_fd, pid_t *ret_pid)
{
    int report[2], error = 0;
    pid_t parent = getpid();
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        exec_child(argv, env, parent, report[1], input_fd, output_fd);
    if (pid < 0)
        error = errno;
    close(report[1]);
    if (pid > 0) {
        ssize_t n;
        do
            n = read(report[0], &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        if (n == (ssize_t)sizeof(error))
            waitpid(pid, NULL, 0);
    }
    close(report[0]);
    if (!error)
        *ret_pid = pid;
    return -error;
}

static int launch_qemu(const struct trestle_machine_options *options, char **argv,
                       struct trestle_machine *machine, char **ret_error)
{
    char **env = environ;
    size_t own = 0;
    if (!options->plugin) {
        env = older_environment(options, &own);
        if (!env)
            return -ENOMEM;
    }
    terminal_save(&machine->terminal);
    int input_fd = options->no_input ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    int error =
        options->no_input && input_fd < 0 ? -errno : spawn(argv, env, input_fd, -1, &machine->pid);
    if (input_fd >= 0)
        close(input_fd);
    if (env != environ)
        environment_free(env, own);
    if (error)
        return error_set(ret_error, error, "cannot start %s: %s", argv[0], strerror(-error));
    machine->pid_fd = pidfd_open(machine->pid, 0);
    if (machine->pid_fd < 0)
        return error_set(ret_error, -errno, "cannot watch QEMU: %s", strerror(errno));
    return 0;
}

int trestle_machine_launch(const struct trestle_machine_options *options,
                           struct trestle_machine **ret_machine, char **ret_error)
{
    char **argv;
    int error = trestle_machine_args(options, &argv, ret_error);
    if (error)
        return error;
    struct trestle_machine *machine = calloc(1, sizeof(*machine));
    if (machine) {
        *machine = (struct trestle_machine){.pid = -1, .pid_fd = -1};
        error = launch_qemu(options, argv, machine, ret_error);
    } else {
        error = -ENOMEM;
    }
    free(argv);
    if (error) {
        trestle_machine_destroy(machine);
        return error;
    }
    *ret_machine = machine;
    return 0;
}

/* --- watch and stop ------------------------------------------------------------------------------
 */

pid_t trestle_machine_pid(const struct trestle_machine *machine)
{
    return machine->pid;
}

int trestle_machine_fd(const struct trestle_machine *machine)
{
    return machine->pid_fd;
}

bool trestle_machine_ended(struct trestle_machine *machine, int *ret_exit_code)
{
    if (machine->pid > 0) {
        int status;
        if (waitpid(machine->pid, &status, WNOHANG) != machine->pid)
            return false;
        machine->pid = -1;
        machine->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        machine->exit_code = machine->signal ? 128 + machine->signal : WEXITSTATUS(status);
    }
    *ret_exit_code = machine->exit_code;
    return true;
}

int trestle_machine_signal(const struct trestle_machine *machine)
{
    return machine->signal;
}

static bool wait_for_end(struct trestle_machine *machine, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = machine->pid_fd, .events = POLLIN};
    int exit_code;
    if (machine->pid_fd >= 0)
        poll(&poll_fd, 1, timeout_ms);
    return trestle_machine_ended(machine, &exit_code);
}

void trestle_machine_stop(struct trestle_machine *machine, int grace_ms)
{
    int exit_code;
    if (trestle_machine_ended(machine, &exit_code))
        return;
    kill(machine->pid, SIGTERM);
    kill(machine->pid, SIGCONT); /* a stopped process does not see SIGTERM */
    if (wait_for_end(machine, grace_ms))
        return;
    kill(machine->pid, SIGKILL);
    while (!wait_for_end(machine, -1))
        ;
}

void trestle_machine_destroy(struct trestle_machine *machine)
{
    if (!machine)
        return;
    if (machine->pid > 0)
        trestle_machine_stop(machine, 1000);
    if (machine->pid_fd >= 0) {
        close(machine->pid_fd);
        terminal_restore(&machine->terminal);
    }
    free(machine);
}

/* --- version -------------------------------------------------------------------------------------
 */

static size_t read_output(int fd, char *buf, size_t size)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    size_t length = 0;
    while (length < size && poll(&poll_fd, 1, VERSION_TIMEOUT_MS) == 1) {
        ssize_t n = read(fd, buf + length, size - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    return length;
}

int trestle_machine_version(const char *qemu_path, char **ret_version, char **ret_error)
{
    static const char prefix[] = "QEMU emulator version ";
    char *argv[] = {(char *)qemu_path, (char *)"--version", NULL};
    char output[512] = "";
    int out[2];
    pid_t pid;
    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    int error = spawn(argv, environ, -1, out[1], &pid);
    close(out[1]);
    if (!error) {
        output[read_output(out[0], output, sizeof(output) - 1)] = '\0';
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(out[0]);
    if (error)
        return error_set(ret_error, error, "cannot run %s: %s", qemu_path, strerror(-error));
    const char *version = strstr(output, prefix);
    if (!version)
        return error_set(ret_error, -EPROTO, "%s --version does not say that it is QEMU",
                         qemu_path);
    version += sizeof(prefix) - 1;
    *ret_version = strndup(version, strspn(version, "0123456789."));
    return *ret_version ? 0 : -ENOMEM;
}
