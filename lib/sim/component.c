/* SPDX-License-Identifier: MIT */
/* Components, the links between their ports, and the messages on their way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
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
        trestle_time busy_until; /* the way to it, with a bandwidth */
    } ends[2];
    trestle_time latency;
    uint64_t byte_time;    /* picoseconds, with BYTE_TIME_BITS behind the point; 0: no bandwidth */
    uint32_t num_messages; /* on their way, in both directions */
    uint64_t num_bytes;    /* of those */
};

#define BYTE_TIME_BITS 20

/* The bytes of a message, which may be on several links at a time. */
struct payload {
    struct payload *next; /* of all of the sim */
    struct payload *next_free;
    uint32_t size, users;
    unsigned class;
    _Alignas(max_align_t) uint8_t data[];
};

/* A frame of Ethernet is in the middle. */
static const uint32_t class_sizes[MESSAGE_CLASSES] = {256, 2048, TRESTLE_MESSAGE_MAX};

struct message {
    struct trestle_event event;
    struct trestle_sim *sim;
    struct trestle_component *to;
    struct trestle_link *link;
    struct message *next_free;
    struct payload *payload;
    uint64_t epoch;
    uint32_t port;
};

#define MESSAGES_PER_BLOCK 32

struct message_block {
    struct message_block *next;
    struct message messages[MESSAGES_PER_BLOCK];
};

static int payload_take(struct trestle_sim *sim, size_t size, struct payload **ret_payload)
{
    unsigned class = 0;
    while (class_sizes[class] < size)
        class ++;
    struct payload *payload = sim->free_payloads[class];
    if (payload) {
        sim->free_payloads[class] = payload->next_free;
    } else {
        payload = malloc(sizeof(*payload) + class_sizes[class]);
        if (!payload)
            return -ENOMEM;
        payload->class = class;
        payload->next = sim->payloads;
        sim->payloads = payload;
    }
    payload->users = 1;
    payload->size = (uint32_t)size;
    *ret_payload = payload;
    return 0;
}

static void payload_leave(struct trestle_sim *sim, struct payload *payload)
{
    if (--payload->users > 0)
        return;
    payload->next_free = sim->free_payloads[payload->class];
    sim->free_payloads[payload->class] = payload;
}

static void message_arrive(struct trestle_event *event, trestle_time now)
{
    (void)now;
    struct message *message = (struct message *)event;
    struct trestle_component *to = message->to;
    struct trestle_sim *sim = message->sim;
    struct payload *payload = message->payload;
    if (message->epoch == to->epoch && to->receive) {
        sim->arriving = message;
        to->receive(to->ctx, message->port, payload->data, payload->size);
        sim->arriving = NULL;
    }
    message->link->num_messages--;
    message->link->num_bytes -= payload->size;
    payload_leave(sim, payload);
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

struct trestle_link *trestle_component_link(const struct trestle_component *component,
                                            uint32_t port)
{
    return port < component->num_ports ? component->ports[port] : NULL;
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

int trestle_link_set_bandwidth(struct trestle_link *link, uint64_t bits_per_second)
{
    if (bits_per_second > TRESTLE_BANDWIDTH_MAX)
        return -EINVAL;
    unsigned __int128 time = (unsigned __int128)(8 * TRESTLE_S) << BYTE_TIME_BITS;
    link->byte_time = bits_per_second ? (uint64_t)(time / bits_per_second) : 0;
    return 0;
}

/* When what is sent now has left: behind what was sent before. */
static trestle_time time_sent(const struct trestle_link *link, unsigned far, trestle_time now,
                              size_t size)
{
    trestle_time begins = link->ends[far].busy_until;
    begins = begins > now ? begins : now;
    unsigned __int128 takes = (unsigned __int128)link->byte_time * size >> BYTE_TIME_BITS;
    return time_add(begins, takes < TRESTLE_TIME_NEVER ? (trestle_time)takes : TRESTLE_TIME_NEVER);
}

static int check_room(const struct trestle_component *component, uint32_t port, size_t size)
{
    const struct trestle_link *link = port < component->num_ports ? component->ports[port] : NULL;
    if (port >= component->num_ports)
        return -EINVAL;
    if (size == 0 || size > TRESTLE_MESSAGE_MAX)
        return -EMSGSIZE;
    if (!link)
        return -ENOTCONN;
    return link->num_messages == TRESTLE_LINK_MESSAGES_MAX ||
                   link->num_bytes + size > TRESTLE_LINK_BYTES_MAX
               ? -ENOBUFS
               : 0;
}

/* A link with room. On success the message is one more user of the payload. */
static int send_payload(struct trestle_component *component, uint32_t port, struct payload *payload)
{
    struct trestle_sim *sim = component->sim;
    struct trestle_link *link = component->ports[port];
    if (!sim->free_messages) {
        int r = messages_allocate(sim);
        if (r < 0)
            return r;
    }
    unsigned far = far_end(link, component, port);
    struct message *message = sim->free_messages;
    trestle_time sent = link->byte_time ? time_sent(link, far, sim->now, payload->size) : sim->now;
    message->event.is_lazy = link->ends[far].component->is_lazy;
    int r = trestle_sim_schedule(sim, &message->event, time_add(sent, link->latency));
    if (r < 0)
        return r;
    sim->free_messages = message->next_free;
    link->ends[far].busy_until = sent;
    link->num_messages++;
    link->num_bytes += payload->size;
    message->link = link;
    message->to = link->ends[far].component;
    message->port = link->ends[far].port;
    message->epoch = message->to->epoch;
    message->payload = payload;
    payload->users++;
    return 0;
}

/* The payload that holds these bytes already, since they are those of the message that arrives. */
static struct payload *payload_arriving(const struct trestle_sim *sim, const void *data,
                                        size_t size)
{
    struct payload *payload = sim->arriving ? sim->arriving->payload : NULL;
    return payload && data == payload->data && size == payload->size ? payload : NULL;
}

int trestle_component_send(struct trestle_component *component, uint32_t port, const void *data,
                           size_t size)
{
    int r = check_room(component, port, size);
    if (r < 0)
        return r;
    struct payload *payload = payload_arriving(component->sim, data, size);
    if (payload)
        return send_payload(component, port, payload);
    r = payload_take(component->sim, size, &payload);
    if (r < 0)
        return r;
    memcpy(payload->data, data, size);
    r = send_payload(component, port, payload);
    payload_leave(component->sim, payload);
    return r;
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
    while (sim->payloads) {
        struct payload *payload = sim->payloads;
        sim->payloads = payload->next;
        free(payload);
    }
    while (sim->message_blocks) {
        struct message_block *block = sim->message_blocks;
        sim->message_blocks = block->next;
        free(block);
    }
}
