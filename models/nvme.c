/* SPDX-License-Identifier: MIT */
/*
 * nvme: a controller of NVM Express 1.2 with one namespace of 512-byte blocks, in a file or in
 * memory. Linux's own driver drives it.
 *
 * The controller takes turns between the submission queues, and fetches a few commands at a time.
 * It does one command after the other: after the latency it moves the data and completes the
 * command. Queues are contiguous, and PRPs describe the data. A completion raises the interrupt
 * line of its queue's vector; the line stays up while that completion queue has entries. Flush and
 * an orderly shutdown write the file to the host's disk.
 *
 * If transfers end at once, a guest may keep its doorbells in memory (Doorbell Buffer Config). It
 * rings only when a doorbell passes the value that the controller has put next to it. The
 * controller reads these doorbells before it rests.
 *
 * The controller checks what a guest puts into queues. It completes an impossible command with the
 * standard's status. A queue outside of memory gives the controller its fatal status, until the
 * guest disables it. The controller ignores doorbells of queues that do not exist, and logs them.
 *
 * Parameters: file (a path; without one the blocks are in memory, zero at first), size (bytes of
 * that memory, 67108864), readonly (0), latency (of a command, 10us).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trestle/le.h"
#include "trestle/registers.h"

#define IO_QUEUES 8u
#define QUEUES (IO_QUEUES + 1) /* with the admin queue, number 0 */
#define ENTRIES_MAX 1024u
#define PAGE 4096u
#define BLOCK_SHIFT 9
#define BLOCK (1u << BLOCK_SHIFT)
#define MDTS 5 /* a command moves at most 2 to this power pages */
#define DATA_MAX (PAGE << MDTS)
#define PAGES_MAX ((1u << MDTS) + 1) /* so much data touches at most so many pages */
#define COMMAND_BYTES 64
#define COMPLETION_BYTES 16
#define BATCH 8u      /* commands that the controller fetches together, at most */
#define BURST 64u     /* steps until the guest has its turn */
#define EVENTS_MAX 4u /* requests for asynchronous events; there are no events */
#define FEATURES 0x10u
#define VERSION 0x00010200u

/* CAP: MQES, CQR, TO of 10 s, NVM command set; pages of 4 KiB, doorbells 4 bytes apart. */
#define CAP_VALUE \
    ((uint64_t)(ENTRIES_MAX - 1) | UINT64_C(1) << 16 | UINT64_C(20) << 24 | UINT64_C(1) << 37)
#define CC_ENABLE 0x1u
#define CC_SETTINGS 0x3ff0u /* command set, page size, arbitration */
#define CC_SHUTDOWN 0xc000u
#define CC_ENTRY_SIZES 0xff0000u
#define CSTS_READY 0x1u
#define CSTS_FATAL 0x2u
#define CSTS_SHUTDOWN 0xcu
#define CSTS_SHUTDOWN_DONE 0x8u
#define AQA_SIZES 0x0fff0fffu

enum status {
    OK = 0x000,
    BAD_OPCODE = 0x001,
    BAD_FIELD = 0x002,
    TRANSFER_ERROR = 0x004,
    BAD_NAMESPACE = 0x00b,
    BAD_PRP = 0x013,
    OUT_OF_RANGE = 0x080,
    BAD_COMPLETION_QUEUE = 0x100,
    BAD_QUEUE = 0x101,
    BAD_QUEUE_SIZE = 0x102,
    TOO_MANY_EVENTS = 0x105,
    BAD_VECTOR = 0x108,
    BAD_LOG_PAGE = 0x109,
    BAD_DELETION = 0x10c,
    READ_ONLY = 0x182,
    WRITE_FAULT = 0x280,
    READ_FAULT = 0x281,
    DO_NOT_RETRY = 0x4000,
};

enum {
    ADMIN_DELETE_SQ = 0x00,
    ADMIN_CREATE_SQ = 0x01,
    ADMIN_LOG_PAGE = 0x02,
    ADMIN_DELETE_CQ = 0x04,
    ADMIN_CREATE_CQ = 0x05,
    ADMIN_IDENTIFY = 0x06,
    ADMIN_ABORT = 0x08,
    ADMIN_SET_FEATURES = 0x09,
    ADMIN_GET_FEATURES = 0x0a,
    ADMIN_EVENT = 0x0c,
    ADMIN_SHADOWS = 0x7c,
    IO_FLUSH = 0x00,
    IO_WRITE = 0x01,
    IO_READ = 0x02,
    FEATURE_NUM_QUEUES = 0x07,
};

enum step {
    IDLE,
    FETCHING,   /* commands */
    WAITING,    /* for the latency */
    LISTING,    /* a list of PRPs */
    MOVING,     /* data */
    COMPLETING, /* writing its entry */
};

struct submission_queue {
    uint64_t base;
    uint32_t size, head, tail; /* in entries; size 0: there is no such queue */
    uint32_t cq;
    bool is_awake; /* it was rung; its doorbell in memory was not read since it was empty */
};

struct completion_queue {
    uint64_t base;
    uint32_t size, head, tail, vector;
    bool phase, interrupts;
};

struct command {
    uint8_t opcode, flags;
    uint16_t id;
    uint32_t namespace, words[6]; /* dwords 10 to 15 */
    uint64_t prp1, prp2;
};

struct nvme {
    /* Registers. */
    uint64_t cap, asq, acq;
    uint32_t version, mask, cc, csts, aqa, cmbsz;

    int fd;
    uint64_t blocks;
    bool is_readonly;
    trestle_time latency;

    struct submission_queue sqs[QUEUES];
    struct completion_queue cqs[QUEUES];
    uint32_t features[FEATURES], num_events;
    uint32_t due; /* vectors that have not yet announced their completions */
    /* Where the guest keeps its doorbells, and where it reads whether it must ring. */
    bool has_shadows;
    uint64_t shadows, marks;

    /* The command under way. */
    enum step step;
    bool is_slow;             /* transfers end later, not at once */
    bool is_void, has_failed; /* the controller was disabled meanwhile; a transfer has failed */
    uint32_t sq, pending;     /* the command's queue; transfers under way */
    uint32_t num_fetched, next_fetched;
    struct command command;
    bool is_write;                                /* the data comes from guest memory */
    uint32_t size, num_pages, next_page, in_list; /* of its data */
    uint64_t pages[PAGES_MAX], list[PAGE / 8];
    uint8_t entries[BATCH][COMMAND_BYTES], completion[COMPLETION_BYTES], data[DATA_MAX];
};

/* --- interrupts ------------------------------------------------------------------------------ */

static bool has_entries(const struct nvme *nvme, uint32_t vector)
{
    for (uint32_t i = 0; i < QUEUES; i++) {
        const struct completion_queue *cq = &nvme->cqs[i];
        if (cq->size && cq->interrupts && cq->vector == vector && cq->head != cq->tail)
            return true;
    }
    return false;
}

static void update_line(struct trestle_device *dev, uint32_t vector)
{
    const struct nvme *nvme = trestle_device_state(dev);
    bool is_masked = nvme->mask >> vector & 1;
    trestle_device_irq(dev, vector, !is_masked && has_entries(nvme, vector));
}

/* Gives an edge for new completions: the guest may be busy with earlier ones, and hears once more.
 */
static void interrupt(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    for (uint32_t vector = 0; nvme->due; nvme->due &= ~(1u << vector++)) {
        if (!(nvme->due >> vector & 1))
            continue;
        trestle_device_irq(dev, vector, false);
        update_line(dev, vector);
    }
}

static void update_lines(struct trestle_device *dev)
{
    for (uint32_t vector = 0; vector < QUEUES; vector++)
        update_line(dev, vector);
}

/* --- transfers ------------------------------------------------------------------------------- */

static void fail(struct trestle_device *dev, const char *what)
{
    struct nvme *nvme = trestle_device_state(dev);
    nvme->csts |= CSTS_FATAL;
    nvme->step = IDLE;
    trestle_device_log(dev, TRESTLE_LOG_WARNING, "%s; the controller stops until it is disabled",
                       what);
}

/* The transfer ends at once if possible, otherwise in nvme_dma_done(). */
static void move(struct trestle_device *dev, bool to_guest, uint64_t addr, void *buf, size_t size)
{
    struct nvme *nvme = trestle_device_state(dev);
    int r = -ENOTSUP;
    if (!nvme->is_slow)
        r = to_guest ? trestle_device_memory_write(dev, addr, buf, size)
                     : trestle_device_memory_read(dev, addr, buf, size);
    if (r == -ENOTSUP) {
        nvme->is_slow = true;
        r = to_guest ? trestle_device_dma_write(dev, addr, buf, size, 0)
                     : trestle_device_dma_read(dev, addr, buf, size, 0);
        nvme->pending += r == 0;
    }
    nvme->has_failed |= r < 0;
}

static void take_step(struct trestle_device *dev);

/* The transfers of a step are under way, or have failed. */
static void wait_for_transfers(struct trestle_device *dev)
{
    const struct nvme *nvme = trestle_device_state(dev);
    if (nvme->pending == 0)
        take_step(dev);
}

static void begin_step(struct nvme *nvme, enum step step)
{
    nvme->step = step;
    nvme->has_failed = false;
}

/* --- doorbells in memory --------------------------------------------------------------------- */

static bool put_doorbell(struct trestle_device *dev, uint64_t base, uint32_t doorbell,
                         uint32_t value)
{
    uint8_t bytes[4];
    trestle_put_le32(bytes, value);
    return trestle_device_memory_write(dev, base + 4 * (uint64_t)doorbell, bytes, 4) == 0;
}

static bool get_doorbell(struct trestle_device *dev, uint64_t base, uint32_t doorbell,
                         uint32_t *ret_value)
{
    uint8_t bytes[4] = {0};
    int r = trestle_device_memory_read(dev, base + 4 * (uint64_t)doorbell, bytes, 4);
    *ret_value = trestle_get_le32(bytes);
    return r == 0;
}

/* The guest's doorbell in memory; the guest rings when it moves it on. `known`: it has not moved,
 * or is nonsense. */
static uint32_t look_at_shadow(struct trestle_device *dev, uint32_t doorbell, uint32_t known,
                               uint32_t size)
{
    const struct nvme *nvme = trestle_device_state(dev);
    uint32_t value = known;
    bool is_there = put_doorbell(dev, nvme->marks, doorbell, known);
    atomic_thread_fence(memory_order_seq_cst); /* the guest has one here as well */
    if (!is_there || !get_doorbell(dev, nvme->shadows, doorbell, &value))
        fail(dev, "a doorbell is not in guest memory");
    else if (value < size)
        return value;
    else
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "the doorbell in memory of a queue of %" PRIu32 " entries is %" PRIu32
                           "; it is ignored",
                           size, value);
    return known;
}

static void look_at_tail(struct trestle_device *dev, uint32_t queue)
{
    struct nvme *nvme = trestle_device_state(dev);
    struct submission_queue *sq = &nvme->sqs[queue];
    uint32_t known = sq->tail;
    sq->tail = look_at_shadow(dev, 2 * queue, known, sq->size);
    sq->is_awake = sq->tail != known;
}

static bool look_at_head(struct trestle_device *dev, uint32_t queue)
{
    struct nvme *nvme = trestle_device_state(dev);
    struct completion_queue *cq = &nvme->cqs[queue];
    uint32_t known = cq->head, head = look_at_shadow(dev, 2 * queue + 1, known, cq->size);
    uint32_t taken = (head + cq->size - known) % cq->size;
    if (taken <= (cq->tail + cq->size - known) % cq->size)
        cq->head = head;
    return cq->head != known;
}

/* The pin and MSI have vector 0 only. Only the pin must know when the queue is empty. */
static void watch_head(struct trestle_device *dev, uint32_t queue)
{
    const struct nvme *nvme = trestle_device_state(dev);
    if (!nvme->has_shadows || queue == 0 || nvme->cqs[queue].vector != 0)
        return;
    while (look_at_head(dev, queue))
        ;
}

/* --- the end of a command -------------------------------------------------------------------- */

static void complete(struct trestle_device *dev, unsigned status, uint32_t result)
{
    struct nvme *nvme = trestle_device_state(dev);
    const struct submission_queue *sq = &nvme->sqs[nvme->sq];
    struct completion_queue *cq = &nvme->cqs[sq->cq];
    uint64_t at = cq->base + (uint64_t)cq->tail * COMPLETION_BYTES;
    trestle_put_le32(nvme->completion, result);
    trestle_put_le32(nvme->completion + 4, 0);
    trestle_put_le32(nvme->completion + 8, sq->head | nvme->sq << 16);
    trestle_put_le32(nvme->completion + 12, nvme->command.id | (status << 1 | cq->phase) << 16);
    begin_step(nvme, COMPLETING);
    move(dev, true, at, nvme->completion, COMPLETION_BYTES);
    wait_for_transfers(dev);
}

static void refuse(struct trestle_device *dev, enum status status)
{
    complete(dev, status | DO_NOT_RETRY, 0);
}

static void completed(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    struct completion_queue *cq = &nvme->cqs[nvme->sqs[nvme->sq].cq];
    cq->tail = (cq->tail + 1) % cq->size;
    cq->phase ^= cq->tail == 0;
    nvme->step = IDLE;
    nvme->due |= 1u << cq->vector;
}

/* --- data ------------------------------------------------------------------------------------ */

/* Moves the data once all pages are known. PRP1 says how far from the beginning of the first page
 * the data is. */
static void move_data(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    uint32_t done = 0;
    begin_step(nvme, MOVING);
    for (uint32_t i = 0; i < nvme->num_pages && !nvme->has_failed;) {
        uint64_t at = nvme->pages[i];
        uint32_t piece = PAGE - (uint32_t)(at % PAGE), left = nvme->size - done;
        while (++i < nvme->num_pages && nvme->pages[i] == at + piece)
            piece += PAGE;
        piece = left < piece ? left : piece;
        move(dev, !nvme->is_write, at, nvme->data + done, piece);
        done += piece;
    }
    wait_for_transfers(dev);
}

/* Reads at most to the end of the list's page. If there are more entries, the last one of a page
 * says where the next list is. */
static void fetch_list(struct trestle_device *dev, uint64_t at)
{
    struct nvme *nvme = trestle_device_state(dev);
    uint32_t room = (PAGE - (uint32_t)(at % PAGE)) / 8, wanted = nvme->num_pages - nvme->next_page;
    nvme->in_list = wanted < room ? wanted : room;
    begin_step(nvme, LISTING);
    move(dev, false, at, nvme->list, (size_t)nvme->in_list * 8);
    wait_for_transfers(dev);
}

static void list_fetched(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    if (nvme->has_failed) {
        complete(dev, TRANSFER_ERROR, 0);
        return;
    }
    bool has_next = nvme->in_list < nvme->num_pages - nvme->next_page;
    for (uint32_t i = 0; i < nvme->in_list; i++) {
        uint64_t addr = trestle_get_le64((const uint8_t *)&nvme->list[i]);
        if (addr % PAGE != 0) {
            refuse(dev, BAD_PRP);
            return;
        }
        if (has_next && i == nvme->in_list - 1) {
            fetch_list(dev, addr);
            return;
        }
        nvme->pages[nvme->next_page++] = addr;
    }
    move_data(dev);
}

/* Moves nvme->size bytes of nvme->data to or from the addresses of the command. */
static void begin_data(struct trestle_device *dev, bool is_write)
{
    struct nvme *nvme = trestle_device_state(dev);
    uint64_t prp1 = nvme->command.prp1, prp2 = nvme->command.prp2;
    uint32_t in_first = (uint32_t)(prp1 % PAGE);
    nvme->is_write = is_write;
    nvme->num_pages = (in_first + nvme->size + PAGE - 1) / PAGE;
    nvme->pages[0] = prp1;
    nvme->next_page = 1;
    if (prp1 % 4 != 0 || (nvme->num_pages == 2 && prp2 % PAGE != 0) ||
        (nvme->num_pages > 2 && prp2 % 8 != 0)) {
        refuse(dev, BAD_PRP);
        return;
    }
    if (nvme->num_pages > 2) {
        fetch_list(dev, prp2);
        return;
    }
    nvme->pages[1] = prp2;
    move_data(dev);
}

/* The answer is zero except for what was put into it. */
static void give(struct trestle_device *dev, uint32_t size)
{
    struct nvme *nvme = trestle_device_state(dev);
    nvme->size = size;
    begin_data(dev, false);
}

/* --- blocks ---------------------------------------------------------------------------------- */

static uint64_t first_byte(const struct nvme *nvme)
{
    const uint32_t *words = nvme->command.words;
    return ((uint64_t)words[1] << 32 | words[0]) << BLOCK_SHIFT;
}

/* Reads or writes all of it. False: that failed. */
static bool read_file(struct nvme *nvme)
{
    uint64_t at = first_byte(nvme);
    for (size_t done = 0; done < nvme->size;) {
        ssize_t n = pread(nvme->fd, nvme->data + done, nvme->size - done, (off_t)(at + done));
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_file(struct nvme *nvme)
{
    uint64_t at = first_byte(nvme);
    for (size_t done = 0; done < nvme->size;) {
        ssize_t n = pwrite(nvme->fd, nvme->data + done, nvme->size - done, (off_t)(at + done));
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool sync_file(const struct nvme *nvme)
{
    return nvme->is_readonly || fdatasync(nvme->fd) == 0;
}

static void perform_blocks(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    const uint32_t *words = nvme->command.words;
    bool is_write = nvme->command.opcode == IO_WRITE;
    uint64_t first = (uint64_t)words[1] << 32 | words[0];
    uint32_t count = (words[2] & 0xffff) + 1;
    if (nvme->command.namespace != 1) {
        refuse(dev, BAD_NAMESPACE);
    } else if (first >= nvme->blocks || count > nvme->blocks - first) {
        refuse(dev, OUT_OF_RANGE);
    } else if (count > DATA_MAX / BLOCK) {
        refuse(dev, BAD_FIELD);
    } else if (is_write && nvme->is_readonly) {
        refuse(dev, READ_ONLY);
    } else {
        nvme->size = count * BLOCK;
        if (!is_write && !read_file(nvme))
            complete(dev, READ_FAULT, 0);
        else
            begin_data(dev, is_write);
    }
}

static void data_moved(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    if (nvme->has_failed)
        complete(dev, TRANSFER_ERROR, 0);
    else if (nvme->is_write && !write_file(nvme))
        complete(dev, WRITE_FAULT, 0);
    else
        complete(dev, OK, 0);
}

static void perform_flush(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    if (nvme->command.namespace != 1 && nvme->command.namespace != UINT32_MAX)
        refuse(dev, BAD_NAMESPACE);
    else
        complete(dev, sync_file(nvme) ? OK : WRITE_FAULT, 0);
}

static void perform_io(struct trestle_device *dev)
{
    const struct nvme *nvme = trestle_device_state(dev);
    switch (nvme->command.opcode) {
    case IO_FLUSH:
        perform_flush(dev);
        break;
    case IO_READ:
    case IO_WRITE:
        perform_blocks(dev);
        break;
    default:
        refuse(dev, BAD_OPCODE);
    }
}

/* --- administration -------------------------------------------------------------------------- */

static void put_text(uint8_t *at, size_t size, const char *text)
{
    memset(at, ' ', size);
    memcpy(at, text, strlen(text));
}

static void identify_controller(const struct nvme *nvme, uint8_t *data)
{
    trestle_put_le16(data, 0x1234);
    trestle_put_le16(data + 2, 0x1234);
    put_text(data + 4, 20, "1");
    put_text(data + 24, 40, "Trestle NVMe");
    put_text(data + 64, 8, "1");
    data[77] = MDTS;
    trestle_put_le32(data + 80, VERSION);
    trestle_put_le16(data + 256, nvme->is_slow ? 0 : 1u << 8); /* doorbells in memory */
    data[259] = EVENTS_MAX - 1;
    trestle_put_le16(data + 266, 343); /* kelvin: the limits for warm and too warm */
    trestle_put_le16(data + 268, 353);
    data[512] = 0x66; /* entries of 64 bytes */
    data[513] = 0x44; /* entries of 16 bytes */
    trestle_put_le32(data + 516, 1);
    data[525] = 1; /* there is a cache to flush */
}

static void identify_namespace(const struct nvme *nvme, uint8_t *data)
{
    for (unsigned at = 0; at < 24; at += 8) /* size, capacity, use */
        trestle_put_le64(data + at, nvme->blocks);
    data[130] = BLOCK_SHIFT;
}

static void perform_identify(struct trestle_device *dev)
{
    enum { NAMESPACE, CONTROLLER, NAMESPACES };
    struct nvme *nvme = trestle_device_state(dev);
    memset(nvme->data, 0, PAGE);
    switch (nvme->command.words[0] & 0xff) {
    case NAMESPACE:
        if (nvme->command.namespace != 1 && nvme->command.namespace != UINT32_MAX) {
            refuse(dev, BAD_NAMESPACE);
            return;
        }
        identify_namespace(nvme, nvme->data);
        break;
    case CONTROLLER:
        identify_controller(nvme, nvme->data);
        break;
    case NAMESPACES: /* those above the given one */
        trestle_put_le32(nvme->data, nvme->command.namespace == 0);
        break;
    default:
        refuse(dev, BAD_FIELD);
        return;
    }
    give(dev, PAGE);
}

/* The logs of errors, health and firmware: nothing has ever happened. */
static void perform_log_page(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    uint32_t page = nvme->command.words[0] & 0xff;
    uint32_t count = (nvme->command.words[0] >> 16 & 0xfff) + 1;
    if (page < 1 || page > 3) {
        refuse(dev, BAD_LOG_PAGE);
        return;
    }
    memset(nvme->data, 0, count * 4);
    give(dev, count * 4);
}

static void perform_features(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    bool is_set = nvme->command.opcode == ADMIN_SET_FEATURES;
    uint32_t feature = nvme->command.words[0] & 0xff;
    if (feature == 0 || feature >= FEATURES) {
        refuse(dev, BAD_FIELD);
        return;
    }
    if (feature == FEATURE_NUM_QUEUES)
        nvme->features[feature] = (IO_QUEUES - 1) | (IO_QUEUES - 1) << 16;
    else if (is_set)
        nvme->features[feature] = nvme->command.words[1];
    complete(dev, OK, nvme->features[feature]);
}

static enum status check_queue(const struct nvme *nvme, uint32_t queue, bool is_there)
{
    uint32_t entries = (nvme->command.words[0] >> 16) + 1;
    if (queue == 0 || queue >= QUEUES || is_there)
        return BAD_QUEUE;
    if (entries < 2 || entries > ENTRIES_MAX)
        return BAD_QUEUE_SIZE;
    if (!(nvme->command.words[1] & 1)) /* contiguous */
        return BAD_FIELD;
    return nvme->command.prp1 % PAGE == 0 ? OK : BAD_PRP;
}

static enum status create_cq(struct nvme *nvme)
{
    uint32_t queue = nvme->command.words[0] & 0xffff, how = nvme->command.words[1];
    enum status status = check_queue(nvme, queue, queue < QUEUES && nvme->cqs[queue].size > 0);
    if (status != OK)
        return status;
    if (how >> 16 >= QUEUES)
        return BAD_VECTOR;
    nvme->cqs[queue] = (struct completion_queue){.base = nvme->command.prp1,
                                                 .size = (nvme->command.words[0] >> 16) + 1,
                                                 .vector = how >> 16,
                                                 .phase = true,
                                                 .interrupts = how & 2};
    return OK;
}

static enum status create_sq(struct nvme *nvme)
{
    uint32_t queue = nvme->command.words[0] & 0xffff, cq = nvme->command.words[1] >> 16;
    enum status status = check_queue(nvme, queue, queue < QUEUES && nvme->sqs[queue].size > 0);
    if (status != OK)
        return status;
    if (cq == 0 || cq >= QUEUES || nvme->cqs[cq].size == 0)
        return BAD_COMPLETION_QUEUE;
    nvme->sqs[queue] = (struct submission_queue){
        .base = nvme->command.prp1, .size = (nvme->command.words[0] >> 16) + 1, .cq = cq};
    return OK;
}

static enum status delete_sq(struct nvme *nvme)
{
    uint32_t queue = nvme->command.words[0] & 0xffff;
    if (queue == 0 || queue >= QUEUES || nvme->sqs[queue].size == 0)
        return BAD_QUEUE;
    nvme->sqs[queue].size = 0;
    return OK;
}

static enum status delete_cq(struct nvme *nvme)
{
    uint32_t queue = nvme->command.words[0] & 0xffff;
    if (queue == 0 || queue >= QUEUES || nvme->cqs[queue].size == 0)
        return BAD_QUEUE;
    for (uint32_t i = 0; i < QUEUES; i++)
        if (nvme->sqs[i].size > 0 && nvme->sqs[i].cq == queue)
            return BAD_DELETION;
    nvme->cqs[queue].size = 0;
    return OK;
}

/* A request for an event: none ever comes, so it stays open. */
static void keep_event(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    if (nvme->num_events == EVENTS_MAX) {
        refuse(dev, TOO_MANY_EVENTS);
        return;
    }
    nvme->num_events++;
    nvme->step = IDLE;
}

static void change_queues(struct trestle_device *dev, enum status (*change)(struct nvme *nvme))
{
    struct nvme *nvme = trestle_device_state(dev);
    enum status status = change(nvme);
    update_lines(dev);
    if (status == OK)
        complete(dev, OK, 0);
    else
        refuse(dev, status);
}

/* Existing queues go on from their places. The admin queue's doorbells stay registers. */
static void share_doorbells(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    if (nvme->is_slow || nvme->command.prp1 % PAGE != 0 || nvme->command.prp2 % PAGE != 0) {
        refuse(dev, nvme->is_slow ? BAD_OPCODE : BAD_FIELD);
        return;
    }
    nvme->shadows = nvme->command.prp1;
    nvme->marks = nvme->command.prp2;
    nvme->has_shadows = true;
    for (uint32_t i = 1; i < QUEUES; i++) {
        const struct completion_queue *cq = &nvme->cqs[i];
        nvme->has_shadows &= put_doorbell(dev, nvme->shadows, 2 * i, nvme->sqs[i].tail) &&
                             put_doorbell(dev, nvme->marks, 2 * i, nvme->sqs[i].tail) &&
                             put_doorbell(dev, nvme->shadows, 2 * i + 1, cq->head) &&
                             put_doorbell(dev, nvme->marks, 2 * i + 1, cq->head);
    }
    complete(dev, nvme->has_shadows ? OK : TRANSFER_ERROR, 0);
}

static void perform_admin(struct trestle_device *dev)
{
    const struct nvme *nvme = trestle_device_state(dev);
    switch (nvme->command.opcode) {
    case ADMIN_DELETE_SQ:
        change_queues(dev, delete_sq);
        break;
    case ADMIN_CREATE_SQ:
        change_queues(dev, create_sq);
        break;
    case ADMIN_DELETE_CQ:
        change_queues(dev, delete_cq);
        break;
    case ADMIN_CREATE_CQ:
        change_queues(dev, create_cq);
        break;
    case ADMIN_LOG_PAGE:
        perform_log_page(dev);
        break;
    case ADMIN_IDENTIFY:
        perform_identify(dev);
        break;
    case ADMIN_ABORT:
        complete(dev, OK, 1); /* not aborted: that command is done by now */
        break;
    case ADMIN_SET_FEATURES:
    case ADMIN_GET_FEATURES:
        perform_features(dev);
        break;
    case ADMIN_EVENT:
        keep_event(dev);
        break;
    case ADMIN_SHADOWS:
        share_doorbells(dev);
        break;
    default:
        refuse(dev, BAD_OPCODE);
    }
}

/* --- from command to command ----------------------------------------------------------------- */

static void perform(struct trestle_device *dev)
{
    const struct nvme *nvme = trestle_device_state(dev);
    if (nvme->command.flags != 0) /* fused, or with lists other than PRPs */
        refuse(dev, BAD_FIELD);
    else if (nvme->sq == 0)
        perform_admin(dev);
    else
        perform_io(dev);
}

static void decode(const uint8_t *entry, struct command *command)
{
    *command = (struct command){.opcode = entry[0],
                                .flags = entry[1],
                                .id = trestle_get_le16(entry + 2),
                                .namespace = trestle_get_le32(entry + 4),
                                .prp1 = trestle_get_le64(entry + 24),
                                .prp2 = trestle_get_le64(entry + 32)};
    for (unsigned i = 0; i < 6; i++)
        command->words[i] = trestle_get_le32(entry + 40 + 4 * i);
}

static void begin_command(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    decode(nvme->entries[nvme->next_fetched++], &nvme->command);
    if (nvme->latency == 0) {
        perform(dev);
        return;
    }
    nvme->step = WAITING;
    trestle_device_wake_after(dev, 0, nvme->latency);
}

static uint32_t room_in(struct trestle_device *dev, uint32_t queue)
{
    const struct nvme *nvme = trestle_device_state(dev);
    const struct completion_queue *cq = &nvme->cqs[queue];
    bool is_full = (cq->tail + 1) % cq->size == cq->head;
    if (is_full && nvme->has_shadows && queue > 0)
        (void)look_at_head(dev, queue);
    return (cq->head + cq->size - cq->tail - 1) % cq->size;
}

/* How many commands of a queue can be fetched at once: those before its end in memory, and only so
 * many as have room for their answers. */
static uint32_t num_ready(struct trestle_device *dev, uint32_t queue)
{
    struct nvme *nvme = trestle_device_state(dev);
    const struct submission_queue *sq = &nvme->sqs[queue];
    if (queue > 0 && sq->size > 0 && sq->head == sq->tail && sq->is_awake && nvme->has_shadows)
        look_at_tail(dev, queue);
    if (sq->head == sq->tail)
        return 0;
    uint32_t count = (sq->tail > sq->head ? sq->tail : sq->size) - sq->head;
    uint32_t room = room_in(dev, sq->cq);
    count = count < room ? count : room;
    return count < BATCH ? count : BATCH;
}

static bool is_on(const struct nvme *nvme)
{
    return (nvme->csts & (CSTS_READY | CSTS_FATAL)) == CSTS_READY;
}

/* Fetches commands of the next queue in turn. False: no queue has any. */
static bool fetch(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    for (uint32_t i = 1; i <= QUEUES; i++) {
        uint32_t number = (nvme->sq + i) % QUEUES, count = num_ready(dev, number);
        const struct submission_queue *sq = &nvme->sqs[number];
        if (!is_on(nvme))
            return false;
        if (count == 0)
            continue;
        nvme->sq = number;
        nvme->num_fetched = count;
        begin_step(nvme, FETCHING);
        move(dev, false, sq->base + (uint64_t)sq->head * COMMAND_BYTES, nvme->entries,
             (size_t)count * COMMAND_BYTES);
        wait_for_transfers(dev);
        return true;
    }
    return false;
}

static void fetched(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    struct submission_queue *sq = &nvme->sqs[nvme->sq];
    if (nvme->has_failed) {
        fail(dev, "a submission queue is not in guest memory");
        return;
    }
    sq->head = (sq->head + nvme->num_fetched) % sq->size;
    nvme->next_fetched = 0;
    nvme->step = IDLE;
}

/* Goes on until it has to wait. */
static void go_on(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    for (unsigned i = 0; is_on(nvme) && nvme->step == IDLE && nvme->pending == 0; i++) {
        if (i == BURST) {
            trestle_device_wake_after(dev, 0, TRESTLE_US);
            break;
        }
        if (nvme->next_fetched < nvme->num_fetched)
            begin_command(dev);
        else if (!fetch(dev))
            break;
    }
    interrupt(dev);
}

static void nvme_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    const struct nvme *nvme = trestle_device_state(dev);
    if (nvme->step == WAITING)
        perform(dev);
    go_on(dev);
}

/* All transfers of a step have ended. */
static void take_step(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    switch (nvme->step) {
    case FETCHING:
        fetched(dev);
        break;
    case LISTING:
        list_fetched(dev);
        break;
    case MOVING:
        data_moved(dev);
        break;
    case COMPLETING:
        if (nvme->has_failed)
            fail(dev, "a completion queue is not in guest memory");
        else
            completed(dev);
        break;
    default:
        break;
    }
}

static void nvme_dma_done(struct trestle_device *dev, uint64_t tag, int status)
{
    struct nvme *nvme = trestle_device_state(dev);
    nvme->pending--;
    nvme->has_failed |= status < 0;
    if (nvme->pending > 0)
        return;
    if (!nvme->is_void)
        take_step(dev);
    nvme->is_void = false;
    go_on(dev);
}

/* --- the controller -------------------------------------------------------------------------- */

static void disable(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    memset(nvme->sqs, 0, sizeof(nvme->sqs));
    memset(nvme->cqs, 0, sizeof(nvme->cqs));
    memset(nvme->features, 0, sizeof(nvme->features));
    nvme->num_events = nvme->sq = nvme->mask = nvme->due = 0;
    nvme->num_fetched = nvme->next_fetched = 0;
    nvme->has_shadows = nvme->is_slow = false;
    nvme->csts = 0;
    nvme->step = IDLE;
    nvme->is_void = nvme->pending > 0; /* the transfers end, but have no effect */
    trestle_device_wake_at(dev, 0, TRESTLE_TIME_NEVER);
    update_lines(dev);
}

static void enable(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    uint32_t sq_size = (nvme->aqa & 0xfff) + 1, cq_size = (nvme->aqa >> 16 & 0xfff) + 1;
    if ((nvme->cc & CC_SETTINGS) != 0 || sq_size < 2 || cq_size < 2 || sq_size > ENTRIES_MAX ||
        cq_size > ENTRIES_MAX || nvme->asq % PAGE != 0 || nvme->acq % PAGE != 0) {
        fail(dev, "the guest has enabled it with settings that it does not have");
        return;
    }
    nvme->sqs[0] = (struct submission_queue){.base = nvme->asq, .size = sq_size};
    nvme->cqs[0] = (struct completion_queue){
        .base = nvme->acq, .size = cq_size, .phase = true, .interrupts = true};
    nvme->csts |= CSTS_READY;
}

static int cc_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct nvme *nvme = trestle_device_state(dev);
    bool was_on = access->old & CC_ENABLE, is_on = access->value & CC_ENABLE;
    if (was_on && !is_on)
        disable(dev);
    if (!was_on && is_on)
        enable(dev);
    if ((access->value & CC_SHUTDOWN) && !(nvme->csts & CSTS_SHUTDOWN)) {
        if (!sync_file(nvme))
            trestle_device_log(dev, TRESTLE_LOG_WARNING, "cannot write the file to the disk");
        nvme->csts |= CSTS_SHUTDOWN_DONE;
    }
    return 0;
}

static int mask_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct nvme *nvme = trestle_device_state(dev);
    if (access->reg->offset == 0x0c)
        nvme->mask |= (uint32_t)access->value;
    else
        nvme->mask &= ~(uint32_t)access->value;
    update_lines(dev);
    return 0;
}

static int mask_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct nvme *nvme = trestle_device_state(dev);
    access->value = nvme->mask;
    return 0;
}

/* Each queue has two: the tail of its submission queue, and the head of its completion queue. */
static int doorbell_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct nvme *nvme = trestle_device_state(dev);
    uint32_t queue = access->index / 2, value = (uint32_t)access->value & 0xffff;
    bool is_head = access->index % 2;
    struct submission_queue *sq = &nvme->sqs[queue];
    struct completion_queue *cq = &nvme->cqs[queue];
    if (value >= (is_head ? cq->size : sq->size)) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "the guest rings the doorbell of %s queue %" PRIu32 " with %" PRIu32
                           ", but there is no such entry; it is ignored",
                           is_head ? "completion" : "submission", queue, value);
        return 0;
    }
    if (is_head) {
        cq->head = value;
        watch_head(dev, queue);
        update_line(dev, cq->vector);
    } else {
        sq->tail = value;
        sq->is_awake = true;
    }
    go_on(dev);
    return 0;
}

static const struct trestle_register registers[] = {
    {"CAP", 0x00, .access = TRESTLE_RO, .size = 8, .widths = 4 | 8, .reset = CAP_VALUE,
     TRESTLE_AT(struct nvme, cap), .doc = "what the controller can do"},
    {"VS", 0x08, .access = TRESTLE_RO, .reset = VERSION, TRESTLE_AT(struct nvme, version),
     .doc = "version 1.2"},
    {"INTMS", 0x0c, .on_read = mask_read, .on_write = mask_written,
     .doc = "sets bits of the interrupts' mask"},
    {"INTMC", 0x10, .on_read = mask_read, .on_write = mask_written,
     .doc = "clears bits of the interrupts' mask"},
    {"CC", 0x14, TRESTLE_AT(struct nvme, cc), .on_write = cc_written,
     .fields = TRESTLE_FIELDS({"enable", CC_ENABLE}, {"settings", CC_SETTINGS},
                              {"shutdown", CC_SHUTDOWN}, {"entry_sizes", CC_ENTRY_SIZES})},
    {"CSTS", 0x1c, .access = TRESTLE_RO, TRESTLE_AT(struct nvme, csts),
     .fields =
         TRESTLE_FIELDS({"ready", CSTS_READY}, {"fatal", CSTS_FATAL}, {"shutdown", CSTS_SHUTDOWN})},
    {"AQA", 0x24, .mask = AQA_SIZES, TRESTLE_AT(struct nvme, aqa),
     .doc = "the sizes of the admin queues, minus one"},
    {"ASQ", 0x28, .size = 8, .widths = 4 | 8, TRESTLE_AT(struct nvme, asq),
     .doc = "where the admin submission queue is"},
    {"ACQ", 0x30, .size = 8, .widths = 4 | 8, TRESTLE_AT(struct nvme, acq),
     .doc = "where the admin completion queue is"},
    {"CMBSZ", 0x3c, .access = TRESTLE_RO, TRESTLE_AT(struct nvme, cmbsz),
     .doc = "0: the controller has no memory of its own"},
    {"DOORBELL", 0x1000, .access = TRESTLE_TRIGGER, .count = 2 * QUEUES,
     .on_write = doorbell_written, .doc = "for each queue the tail, then the head"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers), .bytes = 0x2000,
                                             .holes = TRESTLE_HOLES_ZERO};

/* --- life ------------------------------------------------------------------------------------ */

static int open_blocks(struct trestle_device *dev, const char *path, uint64_t bytes)
{
    struct nvme *nvme = trestle_device_state(dev);
    struct stat stat;
    nvme->fd = *path ? open(path, (nvme->is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC)
                     : memfd_create("nvme", MFD_CLOEXEC);
    if (nvme->fd < 0) {
        int r = -errno;
        trestle_device_fail(dev, "%s: %s", *path ? path : "its memory", strerror(-r));
        return r;
    }
    if (*path)
        bytes = fstat(nvme->fd, &stat) == 0 && S_ISREG(stat.st_mode) ? (uint64_t)stat.st_size : 0;
    nvme->blocks = bytes >> BLOCK_SHIFT;
    if (nvme->blocks == 0)
        trestle_device_fail(dev, "%s has no block of %u bytes; name a file that has",
                            *path ? path : "its memory", BLOCK);
    else if (*path || (bytes <= INT64_MAX && ftruncate(nvme->fd, (off_t)bytes) == 0))
        return 0;
    else
        trestle_device_fail(dev, "its memory of %" PRIu64 " bytes: %s", bytes,
                            strerror(bytes > INT64_MAX ? EFBIG : errno));
    close(nvme->fd);
    return -EINVAL;
}

static int nvme_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct nvme *nvme = trestle_device_state(dev);
    const char *path = "";
    uint64_t size = 0, is_readonly = 0;
    int r = trestle_params_string(params, "file", "", &path);
    if (r == 0)
        r = trestle_params_u64(params, "size", 64u << 20, &size);
    if (r == 0)
        r = trestle_params_u64(params, "readonly", 0, &is_readonly);
    if (r == 0)
        r = trestle_params_time(params, "latency", 10 * TRESTLE_US, &nvme->latency);
    nvme->is_readonly = is_readonly != 0;
    return r == 0 ? open_blocks(dev, path, size) : r;
}

static void nvme_fini(struct trestle_device *dev)
{
    const struct nvme *nvme = trestle_device_state(dev);
    close(nvme->fd);
}

/* The library has dropped the transfers and reset the registers before. */
static void nvme_reset(struct trestle_device *dev)
{
    struct nvme *nvme = trestle_device_state(dev);
    nvme->pending = 0;
    disable(dev);
}

static const struct trestle_pci pci = {.size = sizeof(pci),
                                       .vendor = 0x1234,
                                       .device = 0x5356,
                                       .class_code = 0x010802,
                                       .bar = TRESTLE_BAR_MEM64};

const struct trestle_model trestle_nvme_model = {
    .size = sizeof(trestle_nvme_model),
    .name = "nvme",
    .doc = "A controller of NVM Express; a file is its disk.",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("admin", "io1", "io2", "io3", "io4", "io5", "io6", "io7", "io8"),
    .pci = &pci,
    .timers = 1,
    .state_size = sizeof(struct nvme),
    .init = nvme_init,
    .fini = nvme_fini,
    .reset = nvme_reset,
    .wake = nvme_wake,
    .dma_done = nvme_dma_done,
};
