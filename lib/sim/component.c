/* SPDX-License-Identifier: MIT */
/* Components, the links between their ports, and the messages on their way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

struct trestle_component {
    struct trestle_component *next;
    struct trestle_sim *sim;
    trestle_receive_fn receive;
    void *ctx;
    /* Messages carry the epoch of their receiver: raising it drops all that are on their way,
     * without a search through the queue. */
    uint64_t epoch;
    bool is_lazy; /* messages to it are */
    uint32_t num_ports;
    struct trestle_link *ports[];
};

struct trestle_link {
    struct trestle_link *next;
    struct {
        struct trestle_component *component; /* NULL once it is closed */
        uint32_t port;
    } ends[2];
    trestle_time latency;
    uint32_t num_messages; /* on their way, in both directions */
};

struct message {
    struct trestle_event event;
    struct trestle_sim *sim;
    struct trestle_component *to;
    struct trestle_link *link;
    struct message *next_free;
    uint64_t epoch;
    uint32_t port;
    uint32_t size;
    _Alignas(max_align_t) uint8_t data[TRESTLE_MESSAGE_MAX];
};

#define MESSAGES_PER_BLOCK 32

struct message_block {
    struct message_block *next;
    struct message messages[MESSAGES_PER_BLOCK];
};

static void message_arrive(struct trestle_event *event, trestle_time now)
{
    (void)now;
    struct message *message = (struct message *)event;
    struct trestle_component *to = message->to;
    if (message->epoch == to->epoch && to->receive)
        to->receive(to->ctx, message->port, message->data, message->size);
    message->link->num_messages--;
    /* Only now: a message sent from inside receive() must not take this one's place. */
    message->next_free = message->sim->free_messages;
    message->sim->free_messages = message;
}

static int messages_allocate(struct trestle_sim *sim)
{
    struct message_block *block = malloc(sizeof(*block));
    if (!block)
        return -ENOMEM;
    block->next = sim->message_blocks;
    sim->message_blocks = block;
    for (size_t i = 0; i < MESSAGES_PER_BLOCK; i++) {
        struct message *message = &block->messages[i];
        trestle_event_init(&message->event, message_arrive);
        message->sim = sim;
        message->next_free = sim->free_messages;
        sim->free_messages = message;
    }
    return 0;
}

int trestle_component_create(struct trestle_sim *sim, uint32_t ports, trestle_receive_fn receive,
                             void *ctx, struct trestle_component **ret_component)
{
    struct trestle_component *component =
        calloc(1, sizeof(*component) + ports * sizeof(component->ports[0]));
    if (!component)
        return -ENOMEM;
    component->sim = sim;
    component->receive = receive;
    component->ctx = ctx;
    component->num_ports = ports;
    component->next = sim->components;
    sim->components = component;
    *ret_component = component;
    return 0;
}

int trestle_link_create(struct trestle_component *a, uint32_t a_port, struct trestle_component *b,
                        uint32_t b_port, trestle_time latency, struct trestle_link **ret_link)
{
    if (a->sim != b->sim || a_port >= a->num_ports || b_port >= b->num_ports ||
        (a == b && a_port == b_port))
        return -EINVAL;
    if (a->ports[a_port] || b->ports[b_port])
        return -EBUSY;
    struct trestle_link *link = calloc(1, sizeof(*link));
    if (!link)
        return -ENOMEM;
    link->ends[0].component = a;
    link->ends[0].port = a_port;
    link->ends[1].component = b;
    link->ends[1].port = b_port;
    link->latency = latency;
    link->next = a->sim->links;
    a->sim->links = link;
    a->ports[a_port] = b->ports[b_port] = link;
    if (ret_link)
        *ret_link = link;
    return 0;
}

bool component_is_linked(const struct trestle_component *component, uint32_t port)
{
    return port < component->num_ports && component->ports[port];
}

/* One end of a link may be two ports of one component: the port tells them apart. */
static unsigned far_end(const struct trestle_link *link, const struct trestle_component *component,
                        uint32_t port)
{
    return link->ends[0].component == component && link->ends[0].port == port;
}

int trestle_component_send(struct trestle_component *component, uint32_t port, const void *data,
                           size_t size)
{
    if (port >= component->num_ports)
        return -EINVAL;
    if (size == 0 || size > TRESTLE_MESSAGE_MAX)
        return -EMSGSIZE;
    struct trestle_link *link = component->ports[port];
    if (!link)
        return -ENOTCONN;
    if (link->num_messages == TRESTLE_LINK_MESSAGES_MAX)
        return -ENOBUFS;
    struct trestle_sim *sim = component->sim;
    if (!sim->free_messages) {
        int r = messages_allocate(sim);
        if (r < 0)
            return r;
    }
    unsigned far = far_end(link, component, port);
    struct message *message = sim->free_messages;
    message->event.is_lazy = link->ends[far].component->is_lazy;
    int r = trestle_sim_schedule(sim, &message->event, time_add(sim->now, link->latency));
    if (r < 0)
        return r;
    sim->free_messages = message->next_free;
    link->num_messages++;
    message->link = link;
    message->to = link->ends[far].component;
    message->port = link->ends[far].port;
    message->epoch = message->to->epoch;
    message->size = (uint32_t)size;
    memcpy(message->data, data, size);
    return 0;
}

void component_set_lazy(struct trestle_component *component, bool is_lazy)
{
    component->is_lazy = is_lazy;
}

bool component_is_lazy(const struct trestle_component *component)
{
    return component->is_lazy;
}

bool component_has_visible_peer(const struct trestle_component *component, uint32_t port)
{
    const struct trestle_link *link = component->ports[port];
    return link && !link->ends[far_end(link, component, port)].component->is_lazy;
}

void component_forget_messages(struct trestle_component *component)
{
    component->epoch++;
}

void component_close(struct trestle_component *component)
{
    component_forget_messages(component);
    for (uint32_t port = 0; port < component->num_ports; port++) {
        struct trestle_link *link = component->ports[port];
        if (!link)
            continue;
        for (unsigned i = 0; i < 2; i++)
            link->ends[i].component->ports[link->ends[i].port] = NULL;
    }
}

void components_free(struct trestle_sim *sim)
{
    while (sim->components) {
        struct trestle_component *component = sim->components;
        sim->components = component->next;
        free(component);
    }
    while (sim->links) {
        struct trestle_link *link = sim->links;
        sim->links = link->next;
        free(link);
    }
    while (sim->message_blocks) {
        struct message_block *block = sim->message_blocks;
        sim->message_blocks = block->next;
        free(block);
    }
}
