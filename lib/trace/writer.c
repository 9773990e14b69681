/* SPDX-License-Identifier: MIT */
/* Writes a trace to its file from a thread of its own. */
#include "trace/writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/macros.h"
#include "trace.h"
#include "trace/record.h"

#define BLOCK_SIZE (128u * 1024)
/* At the end, a reader that takes nothing for so long will not take anything any more. */
#define END_PATIENCE_NS (2 * NS_PER_S)
#define LOOK_MS 50

_Static_assert(TRACE_HEADER_START < BLOCK_SIZE && TRACE_RECORD_MAX < BLOCK_SIZE,
               "a record fits a block");

struct block {
    struct block *next;
    size_t used;
    size_t records_at; /* where the first record begins; none: undefined */
    uint64_t num_records;
    uint8_t bytes[BLOCK_SIZE];
};

struct trace_writer {
    int fd;
    struct trace_times times;
    struct block *current; /* the producer's */
    uint64_t num_records, waited_ns;
    atomic_bool *is_waiting;    /* or NULL */
    const atomic_bool *is_over; /* or NULL */
    atomic_int error;           /* written by the thread */

    pthread_t thread;
    pthread_mutex_t lock;        /* of what follows */
    pthread_cond_t full, free;   /* some are there */
    struct block *first, **last; /* full, in order */
    struct block *free_blocks;   /* used last, first: it is still in the cache */
    size_t blocks_left;          /* that may be allocated yet */
    bool is_ending;
    uint64_t written_records, written_bytes; /* the thread's until it has ended */
};

/* --- the thread ------------------------------------------------------------------------------ */

/* NULL: it is over. */
static struct block *take_full(struct trace_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (!writer->first && !writer->is_ending)
        pthread_cond_wait(&writer->full, &writer->lock);
    struct block *block = writer->first;
    if (block) {
        writer->first = block->next;
        if (!writer->first)
            writer->last = &writer->first;
    }
    pthread_mutex_unlock(&writer->lock);
    return block;
}

static void give_free(struct trace_writer *writer, struct block *block)
{
    pthread_mutex_lock(&writer->lock);
    block->next = writer->free_blocks;
    writer->free_blocks = block;
    pthread_cond_signal(&writer->free);
    pthread_mutex_unlock(&writer->lock);
}

/* Whole records among the bytes that were written of a block: each begins with its length, seven
 * bits a byte, the last of them below 0x80. */
static uint64_t whole_records(const struct block *block, size_t written)
{
    size_t at = block->num_records > 0 ? block->records_at : written;
    uint64_t count = 0;
    while (count < block->num_records) {
        size_t length = 0;
        unsigned shift = 0;
        do {
            if (at >= written)
                return count;
            length |= (size_t)(block->bytes[at] & 0x7f) << shift;
            shift += 7;
        } while (block->bytes[at++] & 0x80);
        if (length > written - at)
            return count;
        at += length;
        count++;
    }
    return count;
}

static bool has_ended(struct trace_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool is_over = writer->is_ending ||
                   (writer->is_over && atomic_load_explicit(writer->is_over, memory_order_relaxed));
    pthread_mutex_unlock(&writer->lock);
    return is_over;
}

/* A reader may pause for as long as it likes, but not when the run is over. */
static int write_block(struct trace_writer *writer, const struct block *block, size_t *ret_written)
{
    struct pollfd room = {.fd = writer->fd, .events = POLLOUT};
    uint64_t progress_ns = clock_ns();
    size_t piece;
    int r;
    *ret_written = 0;
    while ((r = io_write_counted(writer->fd, block->bytes + *ret_written,
                                 block->used - *ret_written, &piece)) == -EAGAIN) {
        *ret_written += piece;
        if (piece > 0 || !has_ended(writer))
            progress_ns = clock_ns();
        else if (clock_ns() - progress_ns >= END_PATIENCE_NS)
            return -ETIMEDOUT;
        poll(&room, 1, LOOK_MS);
    }
    *ret_written += piece;
    return r;
}

static void *write_blocks(void *ctx)
{
    struct trace_writer *writer = ctx;
    struct block *block;
    int r = 0;
    while ((block = take_full(writer))) {
        if (r == 0) {
            size_t written;
            r = write_block(writer, block, &written);
            writer->written_records += whole_records(block, written);
            writer->written_bytes += written;
            atomic_store_explicit(&writer->error, r, memory_order_relaxed);
        }
        give_free(writer, block);
    }
    return NULL;
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct trace_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&writer->thread, NULL, write_blocks, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

/* --- the other side -------------------------------------------------------------------------- */

static void hand_over(struct trace_writer *writer, struct block *block)
{
    pthread_mutex_lock(&writer->lock);
    block->next = NULL;
    *writer->last = block;
    writer->last = &block->next;
    pthread_cond_signal(&writer->full);
    pthread_mutex_unlock(&writer->lock);
}

static void set_waiting(struct trace_writer *writer, bool is_waiting)
{
    if (writer->is_waiting)
        atomic_store_explicit(writer->is_waiting, is_waiting, memory_order_relaxed);
}

/* An empty block, when there is one. */
static struct block *take_free(struct trace_writer *writer)
{
    struct block *block = NULL;
    pthread_mutex_lock(&writer->lock);
    if (!writer->free_blocks && writer->blocks_left > 0)
        block = malloc(sizeof(*block));
    if (block) {
        writer->blocks_left--;
    } else {
        if (!writer->free_blocks) {
            uint64_t start_ns = clock_ns();
            set_waiting(writer, true);
            while (!writer->free_blocks)
                pthread_cond_wait(&writer->free, &writer->lock);
            set_waiting(writer, false);
            writer->waited_ns += clock_ns() - start_ns;
        }
        block = writer->free_blocks;
        writer->free_blocks = block->next;
    }
    pthread_mutex_unlock(&writer->lock);
    block->used = 0;
    block->num_records = 0;
    return block;
}

static struct block *block_with_room(struct trace_writer *writer, size_t size)
{
    struct block *block = writer->current;
    if (unlikely(block->used + size > BLOCK_SIZE)) {
        hand_over(writer, block);
        block = writer->current = take_free(writer);
    }
    return block;
}

void trace_writer_put(struct trace_writer *writer, const struct trestle_trace_record *record)
{
    /* Not every kind has bytes where size is not 0: then there is a little more room. */
    struct block *block = block_with_room(writer, TRACE_FIELDS_MAX + record->size);
    if (block->num_records == 0)
        block->records_at = block->used;
    block->used += trace_encode(block->bytes + block->used, &writer->times, record);
    block->num_records++;
    writer->num_records++;
}

void trace_writer_flush(struct trace_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool has_room = writer->free_blocks || writer->blocks_left > 0;
    pthread_mutex_unlock(&writer->lock);
    if (writer->current->used == 0 || !has_room)
        return;
    hand_over(writer, writer->current);
    writer->current = take_free(writer);
}

static void put_bytes(struct trace_writer *writer, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        struct block *block = block_with_room(writer, 1);
        size_t room = BLOCK_SIZE - block->used, piece = size < room ? size : room;
        memcpy(block->bytes + block->used, bytes, piece);
        block->used += piece;
        bytes += piece;
        size -= piece;
    }
}

int trace_writer_error(const struct trace_writer *writer)
{
    return atomic_load_explicit(&writer->error, memory_order_relaxed);
}

/* --- life ------------------------------------------------------------------------------------ */

static void writer_free(struct trace_writer *writer)
{
    while (writer->free_blocks) {
        struct block *block = writer->free_blocks;
        writer->free_blocks = block->next;
        free(block);
    }
    pthread_cond_destroy(&writer->full);
    pthread_cond_destroy(&writer->free);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

static void end_thread(struct trace_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->is_ending = true;
    pthread_cond_signal(&writer->full);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
}

int trace_writer_create(int fd, const struct trestle_trace_header *header, size_t num_blocks,
                        struct trace_writer **ret_writer)
{
    uint8_t *bytes;
    size_t size;
    int r = trace_encode_header(header, &bytes, &size);
    if (r)
        return r;
    struct trace_writer *writer = calloc(1, sizeof(*writer));
    struct block *block = malloc(sizeof(*block));
    if (!writer || !block) {
        free(writer);
        free(block);
        free(bytes);
        return -ENOMEM;
    }
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->full, NULL);
    pthread_cond_init(&writer->free, NULL);
    writer->fd = fd;
    writer->last = &writer->first;
    writer->blocks_left = num_blocks - 1;
    block->used = 0;
    block->num_records = 0;
    block->next = NULL;
    writer->free_blocks = block;
    r = start_thread(writer);
    if (r) {
        writer_free(writer);
    } else {
        writer->current = take_free(writer);
        put_bytes(writer, bytes, size);
        *ret_writer = writer;
    }
    free(bytes);
    return r;
}

void trace_writer_belong(struct trace_writer *writer, atomic_bool *is_waiting,
                         const atomic_bool *is_over)
{
    pthread_mutex_lock(&writer->lock);
    writer->is_waiting = is_waiting;
    writer->is_over = is_over;
    pthread_mutex_unlock(&writer->lock);
}

void trace_writer_finish(struct trace_writer *writer, uint64_t hash,
                         struct trace_writer_result *ret_result)
{
    uint8_t end[TRACE_FIELDS_MAX];
    put_bytes(writer, end, trace_encode_end(end, writer->num_records, hash));
    hand_over(writer, writer->current);
    end_thread(writer);
    int r = trace_writer_error(writer);
    /* Some file systems say only now that there was no room. */
    if (close(writer->fd) < 0 && !r)
        r = -errno;
    *ret_result = (struct trace_writer_result){.num_records = writer->written_records,
                                               .num_bytes = writer->written_bytes,
                                               .waited_ns = writer->waited_ns,
                                               .error = r};
    writer_free(writer);
}
