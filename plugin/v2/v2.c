/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An access over wire version 2. A late answer is recognised by its id and dropped. So a connection
 * outlives its time-outs, unlike in version 1. Only if the answer does not come at all, the plugin
 * closes the connection and makes another, which resets the device.
 */
#include "plugin/v2/v2.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "plugin/qemu/biglock.h"
#include "plugin/qemu/say.h"

static void connected(struct v2 *v2, int result, const char *what)
{
    if (v2->dev->pci.is_direct) /* which is not so at first */
        v2->owes |= OWES_BUS;
    if (result == 0)
        return;
    if (result == -ETIMEDOUT)
        recovery_connect_overdue(&v2->recovery);
    else
        recovery_connect_failed(&v2->recovery);
    if (!v2->recovery.said_lost)
        say_device(v2->dev, "cannot connect to %s: %s; its accesses fail until it is there",
                   v2->dev->socket, what);
    v2->recovery.said_lost = true;
}

static int connect_now(struct v2 *v2)
{
    const char *what;
    int r = v2_connect(v2, &what);
    connected(v2, r, what);
    return r;
}

/* From DOWN or LATE to UP, when it is time. */
static int come_back(struct v2 *v2)
{
    if (v2->recovery.state == LATE) {
        int r = session_drain(v2);
        if (r < 0)
            v2_failed(v2, 0, r);
        if (v2->recovery.state == UP)
            return 0;
        if (v2->recovery.state == LATE && !recovery_may_try(&v2->recovery))
            return -ETIMEDOUT;
        if (v2->recovery.state == LATE)
            v2_disconnect(v2);
    } else if (!recovery_may_try(&v2->recovery)) {
        return -ENOTCONN;
    }
    return connect_now(v2);
}

/* What is no access. The reply's data in *ret_data. */
static int ask(struct v2 *v2, uint8_t type, uint64_t addr, uint64_t *ret_data)
{
    struct trestle_v2_message reply,
        request = {.type = type,
                   .addr = addr,
                   .time = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) * TRESTLE_NS};
    int r = session_ask(v2, &request, &reply);
    if (r < 0) {
        v2_failed(v2, request.id, r);
        return r;
    }
    *ret_data = reply.data;
    return 0;
}

/* Tells what came in between; the reply's data, or a negative errno. */
static int send_note(struct v2 *v2, enum trestle_v2_note note, uint64_t *ret_data)
{
    *ret_data = 0;
    return v2->session->features & TRESTLE_V2_FEATURE_NOTE
               ? ask(v2, TRESTLE_V2_NOTE, note, ret_data)
               : 0;
}

static int send_reset(struct v2 *v2)
{
    uint64_t unused;
    if (v2->session->features & TRESTLE_V2_FEATURE_RESET_DEVICE)
        return ask(v2, TRESTLE_V2_RESET_DEVICE, 0, &unused);
    if (!v2->told_no_reset)
        say_device(v2->dev,
                   "the other side is older and knows no reset of one device; it keeps its "
                   "state until the guest is reset");
    v2->told_no_reset = true;
    return 0;
}

static int send_bus(struct v2 *v2)
{
    uint64_t unused;
    return v2->session->features & TRESTLE_V2_FEATURE_BUS
               ? ask(v2, TRESTLE_V2_BUS, v2->dev->pci.is_direct, &unused)
               : 0;
}

/* While the device is UP. */
static int pay_debts(struct v2 *v2)
{
    uint64_t unused;
    int r = v2->owes & OWES_NOTE ? send_note(v2, TRESTLE_V2_NOTE_GAVE_UP, &unused) : 0;
    if (r == 0 && v2->owes & OWES_BUS)
        r = send_bus(v2);
    if (r < 0)
        return r;
    v2->owes &= ~(unsigned)(OWES_NOTE | OWES_BUS);
    r = v2->owes & OWES_RESET ? send_reset(v2) : 0;
    if (r == 0)
        v2->owes = 0;
    return r;
}

/* An access that is under way, or that the device does not answer, comes to its end first. */
static void reset_v2(struct sst_device *dev)
{
    struct v2 *v2 = dev->connection;
    v2->owes |= OWES_RESET;
    if (!v2->is_busy && (v2->recovery.state == UP || come_back(v2) == 0))
        (void)!pay_debts(v2);
}

/* What it may no longer do it does not do from now on: one that does not say so is cut off. */
static void bus_changed_v2(struct sst_device *dev)
{
    struct v2 *v2 = dev->connection;
    v2->owes |= OWES_BUS;
    if (v2->recovery.state == UP && pay_debts(v2) == 0)
        return;
    if (!dev->pci.is_direct)
        v2_disconnect(v2);
}

static unsigned begin_debug_v2(struct sst_device *dev)
{
    struct v2 *v2 = dev->connection;
    uint64_t widths = 0;
    if (v2->recovery.state == UP || come_back(v2) == 0)
        (void)!send_note(v2, TRESTLE_V2_NOTE_DEBUGGER, &widths);
    return (unsigned)widths & 15;
}

/* A guest that only posts leaves QEMU's main loop little time to hear what comes of it. */
static int post(struct v2 *v2, struct trestle_v2_message *request)
{
    int r = v2->session->listens ? session_drain(v2) : 0;
    return r < 0 ? r : session_send(v2, request);
}

static cold int get_ready(struct v2 *v2)
{
    int r = v2->recovery.state == UP ? 0 : come_back(v2);
    return r < 0 ? r : pay_debts(v2);
}

static inline int perform_now(struct sst_device *dev, const struct transport_access *access,
                              uint64_t *ret_data)
{
    struct v2 *v2 = dev->connection;
    if (unlikely(v2->recovery.state != UP || v2->owes)) {
        int r = get_ready(v2);
        if (r < 0)
            return r;
    }
    bool is_posted = access->is_write && dev->posted_writes && !dev->is_inline &&
                     (v2->session->features & TRESTLE_V2_FEATURE_POSTED);
    struct trestle_v2_message reply,
        request = {.type = access->is_write ? TRESTLE_V2_WRITE : TRESTLE_V2_READ,
                   .flags = is_posted ? TRESTLE_V2_FLAG_POSTED : 0,
                   .size = access->size,
                   .addr = access->offset,
                   .data = access->data,
                   .extra = access->region,
                   .time = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) * TRESTLE_NS};
    int r = is_posted ? post(v2, &request) : session_ask(v2, &request, &reply);
    if (is_posted && r == 0)
        return 0;
    if (unlikely(r < 0)) {
        v2_failed(v2, request.id, r);
        return r;
    }
    if (unlikely(v2->recovery.said_lost)) {
        recovery_answered(&v2->recovery, dev);
        dev->bus->set_anew(dev);
    }
    *ret_data = reply.data;
    return reply.status == TRESTLE_V2_OK ? 0 : -EIO;
}

static cold int perform_unlocked(struct sst_device *dev, const struct transport_access *access,
                                 uint64_t *ret_data)
{
    struct v2 *v2 = dev->connection;
    int r = biglock_begin(&v2->is_busy);
    if (r < 0)
        return r;
    r = perform_now(dev, access, ret_data);
    biglock_end(&v2->is_busy);
    return r;
}

static int perform_v2(struct sst_device *dev, const struct transport_access *access,
                      uint64_t *ret_data)
{
    return unlikely(dev->release_lock) ? perform_unlocked(dev, access, ret_data)
                                       : perform_now(dev, access, ret_data);
}

static void open_v2(struct sst_device *dev)
{
    struct v2 *v2 = calloc(1, sizeof(*v2));
    if (!v2)
        refuse("out of memory");
    v2->dev = dev;
    v2->watched.fd = -1;
    stream_start(&v2->socket, -1);
    dev->connection = v2;
    recovery_init(&v2->recovery, dev);
    device_init_wait(dev, &v2->wait);
}

void v2_start_all(void)
{
    size_t count = 0, i = 0;
    for (const struct sst_device *dev = device_first(); dev; dev = dev->next)
        count += dev->transport == &transport_v2;
    struct v2 **v2s = calloc(count + 1, sizeof(struct v2 *));
    if (!v2s)
        refuse("out of memory");
    for (const struct sst_device *dev = device_first(); dev; dev = dev->next)
        if (dev->transport == &transport_v2)
            v2s[i++] = dev->connection;
    if (count > 0)
        v2_connect_all(v2s, count, connected);
    free(v2s);
}

const struct transport transport_v2 = {.open = open_v2,
                                       .perform = perform_v2,
                                       .begin_debug = begin_debug_v2,
                                       .reset = reset_v2,
                                       .bus_changed = bus_changed_v2};
