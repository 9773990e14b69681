/* SPDX-License-Identifier: MIT */
/*
 * The device is alone in an engine of its own. What came to it from outside comes from the trace,
 * at the same engine time: accesses, resets, input, the ends of its transfers, and what its peers
 * sent (out of components that stand in for them, over links like the recorded ones, so that
 * messages arrive in the same order among the device's own events). An observer sees what passes,
 * as when the trace was recorded, and each record must be the next one of the trace.
 */
#include "trace/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "trace/names.h"
#include "trace/sinks.h"
#include "trace/stage.h"
#include "util.h"

/* For something that a device does too late. */
#define EVENTS_LOOKED_AT 16u

struct transfer {
    uint32_t number;
    uint64_t id;
    size_t moved; /* bytes of a read that have come */
    bool is_read;
    bool is_open;
};

struct player {
    struct replay *replay;
    struct stage stage;
    struct transfer *transfers;
    size_t num_transfers;
    struct trestle_request request;
    struct trestle_trace_record access; /* the record of it */
    bool has_access;                    /* it is under way */

    /* The next record that concerns the device. */
    struct trestle_trace_record next;
    int has_next;    /* as trestle_trace_next() */
    bool is_feeding; /* what passes now is the trace's own */
    char *error;
    int status;
};

/* --- the trace ------------------------------------------------------------------------------- */

static void go_on(struct player *player)
{
    do
        player->has_next =
            trestle_trace_next(player->replay->reader, &player->next, &player->error);
    while (player->has_next > 0 && player->next.device != player->replay->device &&
           !stage_is_from_peer(&player->stage, &player->next));
}

static void fail(struct player *player, int status, const char *why)
{
    if (player->status == 0)
        player->status = status;
    if (!player->error)
        player->error = xstrdup(why);
}

static bool is_over(const struct player *player)
{
    return player->has_next <= 0 || player->replay->difference || player->status < 0;
}

/* --- comparing ------------------------------------------------------------------------------- */

static bool is_same(const struct trestle_trace_record *a, const struct trestle_trace_record *b)
{
    return a->kind == b->kind && a->time == b->time && a->number == b->number &&
           a->size == b->size && a->addr == b->addr && a->data == b->data &&
           a->status == b->status && (!a->bytes || memcmp(a->bytes, b->bytes, a->size) == 0);
}

/* The first counts. got NULL: nothing. */
static void differ(struct player *player, const struct trestle_trace_record *got)
{
    struct printed text;
    if (player->replay->difference)
        return;
    printed_begin(&text);
    FILE *file = text.file;
    fprintf(file, "record %" PRIu64 " at %" PRIu64 ".%03" PRIu64 " ns: ",
            trestle_trace_count(player->replay->reader), player->next.time / TRESTLE_NS,
            player->next.time % TRESTLE_NS);
    struct trace_names *names = trace_names_create(trestle_trace_header(player->replay->reader));
    if (player->has_access) {
        trace_print_record(&player->access, names, file);
        fputs(": ", file);
    }
    fputs("expected ", file);
    trace_print_record(&player->next, names, file);
    fputs(", got ", file);
    if (got)
        trace_print_record(got, names, file);
    else
        fputs("nothing", file);
    if (got && got->time != player->next.time)
        fprintf(file, " at %" PRIu64 ".%03" PRIu64 " ns", got->time / TRESTLE_NS,
                got->time % TRESTLE_NS);
    trace_names_destroy(names);
    player->replay->difference = printed_end(&text);
}

/* At the same time, peers had their turn before the device's latest action. */
static void pass_peers_on(struct player *player, trestle_time now)
{
    while (player->has_next > 0 && player->next.device != player->replay->device &&
           player->next.time <= now) {
        if (stage_send(&player->stage, &player->next) < 0)
            fail(player, -ENOMEM, "no memory for a message");
        go_on(player);
    }
}

static void observe(void *ctx, const struct trestle_device *dev, struct trestle_trace_record *got)
{
    struct player *player = ctx;
    (void)dev;
    if (player->is_feeding || is_over(player))
        return;
    pass_peers_on(player, got->time);
    if (is_over(player))
        return;
    if (!is_same(got, &player->next)) {
        differ(player, got);
        return;
    }
    player->has_access &= got->kind != TRESTLE_TRACE_ANSWER;
    player->replay->compared++;
    go_on(player);
}

/* --- transfers ------------------------------------------------------------------------------- */

static struct transfer *find_transfer(struct player *player, uint32_t number)
{
    for (size_t i = 0; i < player->num_transfers; i++)
        if (player->transfers[i].is_open && player->transfers[i].number == number)
            return &player->transfers[i];
    return NULL;
}

/* Its number has just been compared, in the record before this. */
static struct transfer *open_transfer(struct player *player, uint64_t id, bool is_read)
{
    size_t i = 0;
    while (i < player->num_transfers && player->transfers[i].is_open)
        i++;
    if (i == player->num_transfers)
        player->transfers =
            xrealloc(player->transfers, ++player->num_transfers, sizeof(*player->transfers));
    player->transfers[i] =
        (struct transfer){.number = (uint32_t)id, .id = id, .is_read = is_read, .is_open = true};
    return &player->transfers[i];
}

/* The next record, if it is about a transfer that the host has under way: the host's doing. */
static struct transfer *next_transfer(struct player *player)
{
    const struct trestle_trace_record *next = &player->next;
    if (player->has_next <= 0 || next->device != player->replay->device)
        return NULL;
    struct transfer *transfer = find_transfer(player, next->number);
    bool is_hosts = next->kind == TRESTLE_TRACE_DMA_END ||
                    (next->kind == TRESTLE_TRACE_DMA_DATA && transfer && transfer->is_read);
    return is_hosts ? transfer : NULL;
}

static void feed_transfer(struct player *player, struct transfer *transfer)
{
    const struct trestle_trace_record *next = &player->next;
    size_t size;
    uint8_t *buf = trestle_device_dma_buffer(player->stage.dev, transfer->id, &size);
    if (next->kind == TRESTLE_TRACE_DMA_DATA) {
        if (!buf || next->size > size - transfer->moved) {
            fail(player, -EPROTO, "the trace moves more bytes than a transfer has");
            return;
        }
        memcpy(buf + transfer->moved, next->bytes, next->size);
        transfer->moved += next->size;
    } else {
        if (next->status == 0 && transfer->is_read && (!buf || transfer->moved < size)) {
            fail(player, -EPROTO, "the trace ends a transfer before all of its bytes came");
            return;
        }
        transfer->is_open = false;
        player->is_feeding = true;
        trestle_device_dma_complete(player->stage.dev, transfer->id, next->status);
        player->is_feeding = false;
    }
    player->replay->compared++;
    go_on(player);
}

/* Most transfers end within this call, before they have begun for the model. */
static int on_dma(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                  size_t size, uint64_t id)
{
    struct player *player = ctx;
    if (player->has_next > 0 && player->next.kind == TRESTLE_TRACE_DMA_REFUSED &&
        player->next.number == (uint32_t)id)
        return player->next.status;
    struct transfer *transfer = open_transfer(player, id, !write);
    trestle_time now = trestle_sim_now(player->stage.sim);
    while (!is_over(player) && player->next.time == now && next_transfer(player) == transfer &&
           transfer->is_open)
        feed_transfer(player, transfer);
    return 0;
}

/* --- what comes from outside ----------------------------------------------------------------- */

static void submit(struct player *player)
{
    player->request = (struct trestle_request){.access = {.offset = player->next.addr,
                                                          .data = player->next.data,
                                                          .region = player->next.number,
                                                          .size = player->next.size},
                                               .write = player->next.kind == TRESTLE_TRACE_WRITE};
    player->access = player->next;
    player->has_access = true;
    if (trestle_device_submit(player->stage.dev, &player->request) == -EBUSY)
        fail(player, -EPROTO, "an access begins before the previous one is answered");
}

/* The record's bytes are the reader's, which reads on while they are compared. */
static void give_input(struct player *player)
{
    uint8_t bytes[TRESTLE_INPUT_MAX];
    size_t size = player->next.size;
    memcpy(bytes, player->next.bytes, size);
    if (trestle_device_input(player->stage.dev, bytes, size) < 0)
        differ(player, NULL);
}

static void reset(struct player *player)
{
    for (size_t i = 0; i < player->num_transfers; i++)
        player->transfers[i].is_open = false;
    if (player->next.number == TRESTLE_TRACE_RESET_ALONE)
        trestle_device_reset_alone(player->stage.dev);
    else
        trestle_device_reset(player->stage.dev);
}

/* The expected record did not come in time. It may only be late; the device's next action tells. */
static void miss(struct player *player)
{
    for (unsigned i = 0; i < EVENTS_LOOKED_AT && !is_over(player); i++) {
        trestle_time when = trestle_sim_next(player->stage.sim);
        if (when == TRESTLE_TIME_NEVER)
            break;
        trestle_sim_run_until(player->stage.sim, when);
    }
    differ(player, NULL);
}

/* Brings the engine to the next record, and the record to the device or the device to the record.
 */
static void play_next(struct player *player)
{
    uint64_t number = trestle_trace_count(player->replay->reader);
    struct transfer *transfer;
    trestle_sim_run_until(player->stage.sim, player->next.time);
    if (is_over(player) || number != trestle_trace_count(player->replay->reader))
        return; /* what happened until then was in the trace */
    if (player->next.device != player->replay->device)
        pass_peers_on(player, player->next.time);
    else if (player->next.kind == TRESTLE_TRACE_READ || player->next.kind == TRESTLE_TRACE_WRITE)
        submit(player);
    else if (player->next.kind == TRESTLE_TRACE_RESET)
        reset(player);
    else if (player->next.kind == TRESTLE_TRACE_INPUT)
        give_input(player);
    else if ((transfer = next_transfer(player)))
        feed_transfer(player, transfer);
    else
        miss(player);
}

int replay_run(struct replay *replay, char **ret_error)
{
    struct player player = {.replay = replay};
    const struct trestle_host_ops ops = {.size = sizeof(ops), .dma = on_dma, .log = stage_log};
    player.status = stage_set_up(&player.stage, replay, &ops, &player, &player.error);
    if (player.status == 0) {
        trestle_sim_observe(player.stage.sim, observe, &player);
        go_on(&player);
    }
    while (!is_over(&player))
        play_next(&player);
    if (player.status == 0 && player.has_next < 0)
        player.status = player.has_next;
    stage_finish(&player.stage);
    free(player.transfers);
    *ret_error = player.error;
    return player.status;
}
