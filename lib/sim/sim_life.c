/* SPDX-License-Identifier: MIT */
/* How an engine comes to be, and how it goes with all that it has. */
#include <errno.h>
#include <stdlib.h>

#include "sim.h"

int trestle_sim_create(struct trestle_sim **ret_sim)
{
    struct trestle_sim *sim = calloc(1, sizeof(*sim));
    if (!sim)
        return -ENOMEM;
    *ret_sim = sim;
    return 0;
}

void trestle_sim_destroy(struct trestle_sim *sim)
{
    if (!sim)
        return;
    components_free(sim);
    queue_finish(&sim->queue);
    free(sim);
}
