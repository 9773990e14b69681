/* SPDX-License-Identifier: MIT */
/* A bridge that works on its client's thread: what lib/ipc/inline.h asks for. */
#include "bridge/inline.h"

#include <errno.h>

#include "bridge/bridge.h"

static int call(void *ctx, const struct trestle_v2_message *request,
                struct trestle_v2_message *ret_reply)
{
    return serve_call(ctx, request, ret_reply);
}

/* An error is that of the host's epoll, which nobody here could mend; the client gives up by its
 * own clock. */
static void serve(void *ctx, int timeout_ms)
{
    (void)!trestle_bridge_poll(ctx, timeout_ms);
}

void bridge_inline(struct trestle_bridge *bridge, void (*client_turn)(void),
                   struct inline_bridge *ret_inline)
{
    bridge->front.client_turn = client_turn;
    *ret_inline = (struct inline_bridge){
        .fd = bridge->front.loop.epoll_fd, .ctx = bridge, .call = call, .serve = serve};
}
