/* SPDX-License-Identifier: MIT */
/*
 * A model held against what another one did, by values and not by times: a model in C against its
 * RTL. What came from outside comes from the trace; where the model is later than the recorded one,
 * all that follows waits for it. What the model does is compared kind by kind (answers, each line,
 * each port, transfers), so that one may be earlier or later than what is of another kind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "trace/names.h"
#include "trace/replay.h"
#include "trace/sinks.h"
#include "trace/stage.h"
#include "util.h"

/* For what a model does later: so many events of its own. */
#define EVENTS_LOOKED_AT 100000u

/* What is in order among itself. */
enum { OUTSIDE, ANSWERS, TRANSFERS, BYTES, LINES, PORTS = LINES + 64, STREAMS = PORTS + 64 };

struct item {
    struct trestle_trace_record record;
    uint64_t number; /* in the trace */
    uint8_t stream;
    bool is_met;
};

struct player {
    struct replay *replay;
    struct stage stage;
    struct item *items;
    size_t num_items, at;
    size_t next[STREAMS]; /* where to look for the next of each */
    struct trestle_request request;
    trestle_time shift; /* how much later than recorded all is by now */
    size_t transfer;    /* the item that the model's latest has met */
    bool is_feeding;
    char *error;
    int status;
};

/* --- the trace ------------------------------------------------------------------------------- */

static unsigned stream_of(const struct trestle_trace_record *record, bool is_of_read)
{
    switch (record->kind) {
    case TRESTLE_TRACE_ANSWER:
        return ANSWERS;
    case TRESTLE_TRACE_IRQ:
        return LINES + record->number % 64;
    case TRESTLE_TRACE_SEND:
        return PORTS + record->number % 64;
    case TRESTLE_TRACE_DMA_READ:
    case TRESTLE_TRACE_DMA_WRITE:
        return TRANSFERS;
    case TRESTLE_TRACE_DMA_DATA:
        return is_of_read ? OUTSIDE : BYTES;
    default:
        return OUTSIDE;
    }
}

/* The transfer that an item belongs to, or NULL. */
static const struct item *transfer_of(const struct player *player, size_t index)
{
    uint32_t number = player->items[index].record.number;
    while (index-- > 0) {
        const struct trestle_trace_record *record = &player->items[index].record;
        if (player->items[index].stream == TRANSFERS && record->number == number)
            return &player->items[index];
    }
    return NULL;
}

static void keep(struct player *player, const struct trestle_trace_record *record)
{
    size_t index = player->num_items++;
    player->items = xrealloc(player->items, player->num_items, sizeof(*player->items));
    struct item *item = &player->items[index];
    *item = (struct item){.record = *record, .number = trestle_trace_count(player->replay->reader)};
    if (record->bytes) {
        uint8_t *bytes = xcalloc(record->size, 1);
        memcpy(bytes, record->bytes, record->size);
        item->record.bytes = bytes;
    }
    const struct item *transfer =
        record->kind == TRESTLE_TRACE_DMA_DATA ? transfer_of(player, index) : NULL;
    if (record->device == player->replay->device)
        item->stream =
            (uint8_t)stream_of(record, transfer && transfer->record.kind == TRESTLE_TRACE_DMA_READ);
}

static int load(struct player *player, char **ret_error)
{
    struct trestle_trace_record record;
    int r;
    while ((r = trestle_trace_next(player->replay->reader, &record, ret_error)) > 0)
        if (record.device == player->replay->device || stage_is_from_peer(&player->stage, &record))
            keep(player, &record);
    return r;
}

/* --- comparing ------------------------------------------------------------------------------- */

static bool is_over(const struct player *player)
{
    return player->replay->difference || player->status < 0;
}

static void print_access(const struct player *player, size_t index, struct trace_names *names,
                         FILE *file)
{
    while (index-- > 0) {
        const struct trestle_trace_record *record = &player->items[index].record;
        if (record->kind != TRESTLE_TRACE_READ && record->kind != TRESTLE_TRACE_WRITE)
            continue;
        trace_print_record(record, names, file);
        fputs(": ", file);
        return;
    }
}

/* index num_items, got NULL: nothing. */
static void differ(struct player *player, size_t index, const struct trestle_trace_record *got)
{
    char *text = NULL;
    size_t size;
    FILE *file = is_over(player) ? NULL : open_memstream(&text, &size);
    if (!file)
        return;
    bool is_there = index < player->num_items;
    const struct item *item = &player->items[is_there ? index : player->at];
    struct trace_names *names = trace_names_create(trestle_trace_header(player->replay->reader));
    fprintf(file, "record %" PRIu64 ": ", item->number);
    if (is_there && item->stream == ANSWERS)
        print_access(player, index, names, file);
    fputs("expected ", file);
    if (is_there)
        trace_print_record(&item->record, names, file);
    else
        fputs("nothing more of its kind", file);
    fputs(", got ", file);
    if (got)
        trace_print_record(got, names, file);
    else
        fputs("nothing", file);
    trace_names_destroy(names);
    fclose(file);
    player->replay->difference = text;
}

/* Numbers of transfers are the engine's. */
static bool has_same_values(const struct trestle_trace_record *a,
                            const struct trestle_trace_record *b)
{
    return a->kind == b->kind && a->size == b->size && a->addr == b->addr && a->data == b->data &&
           a->status == b->status && (!a->bytes || memcmp(a->bytes, b->bytes, a->size) == 0);
}

static void observe(void *ctx, const struct trestle_device *dev, struct trestle_trace_record *got)
{
    struct player *player = ctx;
    (void)dev;
    unsigned stream = player->is_feeding ? OUTSIDE : stream_of(got, false);
    if (stream == OUTSIDE || is_over(player))
        return;
    size_t index = player->next[stream];
    while (index < player->num_items && player->items[index].stream != stream)
        index++;
    player->next[stream] = index + 1;
    if (index == player->num_items || !has_same_values(got, &player->items[index].record)) {
        differ(player, index, got);
        return;
    }
    player->items[index].is_met = true;
    player->replay->compared++;
    if (stream == TRANSFERS)
        player->transfer = index;
}

/* --- transfers ------------------------------------------------------------------------------- */

/* The transfer ends at once, with the result of the recorded one. If the trace does not end it, it
 * never ends. */
static int on_dma(void *ctx, struct trestle_device *dev, bool write, uint64_t addr, void *buf,
                  size_t size, uint64_t id)
{
    struct player *player = ctx;
    if (is_over(player) || player->transfer >= player->num_items ||
        !player->items[player->transfer].is_met)
        return -ENOTSUP;
    uint32_t number = player->items[player->transfer].record.number;
    size_t moved = 0;
    (void)addr;
    for (size_t i = player->transfer + 1; i < player->num_items; i++) {
        const struct trestle_trace_record *record = &player->items[i].record;
        if (record->device != player->replay->device || record->number != number)
            continue;
        if (record->kind == TRESTLE_TRACE_DMA_REFUSED)
            return record->status;
        if (record->kind == TRESTLE_TRACE_DMA_DATA && !write && record->size <= size - moved) {
            memcpy((uint8_t *)buf + moved, record->bytes, record->size);
            moved += record->size;
        }
        if (record->kind != TRESTLE_TRACE_DMA_END)
            continue;
        player->is_feeding = true;
        trestle_device_dma_complete(dev, id, record->status);
        player->is_feeding = false;
        break;
    }
    return 0;
}

/* --- what comes from outside ----------------------------------------------------------------- */

/* Runs event by event until the condition holds. False: it never does. */
static bool run_until(struct player *player, const bool *is_so)
{
    for (unsigned i = 0; i < EVENTS_LOOKED_AT && !*is_so && !is_over(player); i++) {
        trestle_time when = trestle_sim_next(player->stage.sim);
        if (when == TRESTLE_TIME_NEVER)
            break;
        trestle_sim_run_until(player->stage.sim, when);
    }
    return *is_so;
}

static void submit(struct player *player, const struct trestle_trace_record *record)
{
    player->request = (struct trestle_request){
        .access = {.offset = record->addr, .data = record->data, .size = record->size},
        .write = record->kind == TRESTLE_TRACE_WRITE};
    if (trestle_device_submit(player->stage.dev, &player->request) == -EBUSY) {
        player->status = -EPROTO;
        player->error = xstrdup("an access begins before the previous one is answered");
    }
}

static void feed(struct player *player, const struct trestle_trace_record *record)
{
    switch (record->kind) {
    case TRESTLE_TRACE_READ:
    case TRESTLE_TRACE_WRITE:
        submit(player, record);
        break;
    case TRESTLE_TRACE_RESET:
        (record->number == TRESTLE_TRACE_RESET_ALONE ? trestle_device_reset_alone
                                                     : trestle_device_reset)(player->stage.dev);
        break;
    case TRESTLE_TRACE_SEND:
        if (stage_send(&player->stage, record) < 0)
            player->status = -ENOMEM;
        break;
    case TRESTLE_TRACE_INPUT:
        if (trestle_device_input(player->stage.dev, record->bytes, record->size) < 0)
            differ(player, player->at, NULL);
        break;
    default:
        break; /* the host's doing: on_dma() has it */
    }
}

static void play(struct player *player)
{
    struct item *item = &player->items[player->at];
    trestle_sim_run_until(player->stage.sim, item->record.time + player->shift);
    if (is_over(player))
        return;
    if (item->stream == OUTSIDE) {
        feed(player, &item->record);
        return;
    }
    if (!item->is_met && !run_until(player, &item->is_met))
        differ(player, player->at, NULL);
    trestle_time now = trestle_sim_now(player->stage.sim);
    if (now > item->record.time + player->shift)
        player->shift = now - item->record.time;
}

int replay_values(struct replay *replay, char **ret_error)
{
    struct player player = {.replay = replay};
    const struct trestle_host_ops ops = {.size = sizeof(ops), .dma = on_dma, .log = stage_log};
    player.status = stage_set_up(&player.stage, replay, &ops, &player, &player.error);
    char *end_error = NULL; /* of the trace, behind all that is played */
    int end = player.status == 0 ? load(&player, &end_error) : 0;
    if (player.status == 0)
        trestle_sim_observe(player.stage.sim, observe, &player);
    for (; player.at < player.num_items && !is_over(&player); player.at++)
        play(&player);
    if (player.status == 0) {
        player.status = end;
        player.error = end_error;
    } else {
        free(end_error);
    }
    stage_finish(&player.stage);
    for (size_t i = 0; i < player.num_items; i++)
        free((void *)player.items[i].record.bytes);
    free(player.items);
    *ret_error = player.error;
    return player.status;
}
