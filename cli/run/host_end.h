/* SPDX-License-Identifier: MIT */
/* What is between a device of a bridge and its host end. */
#ifndef CLI_HOST_END_H
#define CLI_HOST_END_H

#include "run/backend.h"
#include "trestle/bridge.h"

struct host_end {
    struct backend *backend; /* NULL: nothing comes, and nothing goes anywhere */
    struct trestle_bridge *bridge;
    uint32_t index; /* of the device */
};

/* Before the device is added to the bridge, as the next one. The host end stays where it is, and
 * its backend open, until the bridge is destroyed. */
void host_end_join(struct host_end *end, struct trestle_bridge *bridge,
                   struct trestle_bridge_device *ref_added);
/* From now on bytes pass, both ways. A negative errno. */
int host_end_start(struct host_end *end);

#endif
