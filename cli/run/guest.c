/* SPDX-License-Identifier: MIT */
/* Starts a run's QEMU, serves its devices until QEMU ends, and stops it in order. */
#include "run/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "machine/command.h"
#include "util.h"

/* QEMU has this long to end in order; then it is killed. */
#define GRACE_NS (3 * NS_PER_S)

static void look_for_end(void *ctx)
{
    struct guest *guest = ctx;
    guest->has_ended = trestle_machine_ended(guest->machine, &guest->exit_code);
    guest->signal = trestle_machine_signal(guest->machine);
}

int guest_start(struct guest *guest, struct run *run, const struct trestle_machine_options *options,
                char **ret_error)
{
    *guest = (struct guest){.run = run};
    char *error = NULL;
    int r = trestle_machine_launch(options, &guest->machine, &error);
    if (r == 0)
        r = trestle_bridge_watch(run->bridge, trestle_machine_fd(guest->machine), look_for_end,
                                 guest);
    if (r < 0) {
        *ret_error = xformat("trestle: %s", error ? error : error_text(r));
        free(error);
        trestle_machine_destroy(guest->machine);
        guest->machine = NULL;
    }
    return r;
}

static int poll_bridge(struct guest *guest, uint64_t until_ns)
{
    int r = trestle_bridge_poll(guest->run->bridge, clock_ms_until(until_ns));
    if (r == 0 || r == -EINTR)
        return 0;
    if (!guest->is_forsaken)
        run_complain_poll(guest->run, r);
    guest->is_forsaken = true;
    return r;
}

int guest_serve(struct guest *guest, uint64_t until_ns)
{
    int r = 0;
    while (r == 0 && !guest->has_ended && !guest->run->signal && clock_ns() < until_ns)
        r = poll_bridge(guest, until_ns);
    /* A Ctrl-C that is not at a terminal reaches QEMU, too. So QEMU may be seen to end first. */
    run_read_signals(guest->run);
    return r;
}

/* The devices are served until QEMU has ended: an access under way would hold it up. */
void guest_stop(struct guest *guest)
{
    uint64_t kill_at_ns = clock_ns() + GRACE_NS;
    unsigned signals_seen = guest->run->signals_seen;
    if (guest->has_ended)
        return;
    own_announce_end(guest->run->own);
    trestle_machine_ask_to_end(guest->machine);
    while (!guest->has_ended && clock_ns() < kill_at_ns &&
           guest->run->signals_seen == signals_seen && poll_bridge(guest, kill_at_ns) == 0)
        ;
    if (guest->is_forsaken)
        trestle_machine_stop(guest->machine, (int)(GRACE_NS / NS_PER_MS));
    else if (!guest->has_ended && guest->run->signals_seen == signals_seen)
        run_log(guest->run, TRESTLE_LOG_WARNING,
                "QEMU did not end within %d s of SIGTERM; Trestle kills it",
                (int)(GRACE_NS / NS_PER_S));
    if (!guest->has_ended)
        trestle_machine_stop(guest->machine, 0);
    look_for_end(guest);
}

void guest_finish(struct guest *guest)
{
    if (!guest->machine)
        return;
    trestle_bridge_unwatch(guest->run->bridge, trestle_machine_fd(guest->machine));
    trestle_machine_destroy(guest->machine);
    guest->machine = NULL;
}
