/* SPDX-License-Identifier: MIT */
/* The QEMU process: launch, watch, stop. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "command.h"
#include "machine/args.h"
#include "machine/terminal.h"

#define GRACE_MS 1000

struct trestle_machine {
    union {
        struct trestle_machine_facts facts; /* the first two of the child's */
        struct child qemu;
    };
    struct terminal terminal;
    bool has_terminal; /* terminal is to be restored */
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

static int launch_qemu(const struct trestle_machine_options *options, char **argv,
                       struct trestle_machine *machine, char **ret_error)
{
    char **env = environ;
    size_t own = 0;
    if (!options->plugin) {
        env = older_environment(options, &own);
        if (!env)
            return error_no_memory(ret_error);
    }
    terminal_save(&machine->terminal);
    machine->has_terminal = true;
    int input_fd = options->no_input ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    const struct child_options qemu = {.path = argv[0],
                                       .argv = argv,
                                       .env = env,
                                       .stdio_fds = {input_fd, -1},
                                       .kept_fds = options->kept_fds,
                                       .num_kept_fds = options->num_kept_fds};
    int r = options->no_input && input_fd < 0 ? -errno : child_start(&qemu, &machine->qemu);
    if (input_fd >= 0)
        close(input_fd);
    if (env != environ)
        environment_free(env, own);
    if (r)
        return error_set(ret_error, r, "cannot start %s: %s", argv[0], error_text(r));
    return 0;
}

int trestle_machine_launch(const struct trestle_machine_options *options,
                           struct trestle_machine **ret_machine, char **ret_error)
{
    struct trestle_machine_options ours;
    char **argv;
    int r = machine_import(options, &ours, ret_error);
    if (!r)
        r = machine_args(&ours, MACHINE_IS_OWNED, &argv, ret_error);
    if (r)
        return r;
    struct trestle_machine *machine = calloc(1, sizeof(*machine));
    if (machine) {
        machine->qemu = CHILD_NONE;
        r = launch_qemu(&ours, argv, machine, ret_error);
    } else {
        r = error_no_memory(ret_error);
    }
    free(argv);
    if (r) {
        trestle_machine_destroy(machine);
        return r;
    }
    *ret_machine = machine;
    return 0;
}

/* --- watch and stop ------------------------------------------------------------------------------
 */

bool trestle_machine_ended(struct trestle_machine *machine, int *ret_exit_code)
{
    if (!child_ended(&machine->qemu))
        return false;
    *ret_exit_code = child_exit_code(&machine->qemu);
    return true;
}

int trestle_machine_signal(const struct trestle_machine *machine)
{
    int status = machine->qemu.wait_status;
    return machine->qemu.pid < 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void trestle_machine_ask_to_end(const struct trestle_machine *machine)
{
    child_ask_to_end(&machine->qemu);
}

void trestle_machine_stop(struct trestle_machine *machine, int grace_ms)
{
    child_stop(&machine->qemu, grace_ms);
}

void trestle_machine_destroy(struct trestle_machine *machine)
{
    if (!machine)
        return;
    child_stop(&machine->qemu, GRACE_MS);
    child_finish(&machine->qemu);
    if (machine->has_terminal)
        terminal_restore(&machine->terminal);
    free(machine);
}
