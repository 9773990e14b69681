/* SPDX-License-Identifier: MIT */
/*
 * Events that nobody outside can see: those of devices that have neither interrupts nor DMA and are
 * linked to none that has. They are lazy: run when the next access or visible event comes. Which
 * devices these are is known when all links are there.
 */
#include "lazy.h"

#include "device.h"

/* Looks at so many lazy events on the way to the first visible one. */
#define LOOKS_MAX 32u

static bool can_be_seen(const struct trestle_device *dev)
{
    return dev->model.irq_lines > 0 || dev->model.dma_done || dev->model.uses_memory;
}

static void set_lazy(struct trestle_device *dev, bool is_lazy)
{
    component_set_lazy(dev->facts.component, is_lazy);
    for (uint32_t i = 0; i < dev->model.timers; i++)
        dev->timers[i].event.is_lazy = is_lazy;
    dev->delayed.is_lazy = is_lazy;
}

static bool has_visible_peer(const struct trestle_device *dev)
{
    for (uint32_t port = 0; port < dev->model.peer_ports; port++)
        if (component_has_visible_peer(dev->facts.component, port))
            return true;
    return false;
}

void lazy_find(struct trestle_device *const *devs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        set_lazy(devs[i], !can_be_seen(devs[i]));
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (size_t i = 0; i < count; i++) {
            if (!component_is_lazy(devs[i]->facts.component) || !has_visible_peer(devs[i]))
                continue;
            set_lazy(devs[i], false);
            has_changed = true;
        }
    }
}

struct search {
    trestle_time next;
    unsigned looks;
};

/* Below an entry of the heap nothing comes before it. */
static void search_below(const struct queue *queue, size_t slot, struct search *search)
{
    if (slot >= queue->count)
        return;
    bool is_hole = slot == 0 && queue->hole;
    if (!is_hole && queue->heap[slot].when >= search->next)
        return;
    if (!is_hole && (!queue->heap[slot].event->is_lazy || search->looks == 0)) {
        search->next = queue->heap[slot].when;
        return;
    }
    search->looks -= !is_hole;
    for (size_t child = QUEUE_ARITY * slot + 1; child <= QUEUE_ARITY * slot + QUEUE_ARITY; child++)
        search_below(queue, child, search);
}

trestle_time lazy_next_visible(const struct trestle_sim *sim)
{
    struct search search = {.next = TRESTLE_TIME_NEVER, .looks = LOOKS_MAX};
    search_below(&sim->queue, 0, &search);
    return search.next;
}
