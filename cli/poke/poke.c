/* SPDX-License-Identifier: MIT */
/* The commands of trestle poke, one function for each. */
#include "poke/poke.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "poke/place.h"
#include "sim/command.h"
#include "sim/lookup.h"
#include "trace/trace.h"
#include "trestle/registers.h"

#define WORDS_MAX 40
#define BYTES_MAX 256

struct words {
    char *text; /* what the words lie in */
    char *items[WORDS_MAX];
    size_t count;
};

static enum poke_status fail(struct poke *poke, enum poke_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum poke_status fail(struct poke *poke, enum poke_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    free(poke->error);
    poke->error = xvformat(format, args);
    va_end(args);
    return status;
}

static void forget_error(struct poke *poke)
{
    free(poke->error);
    poke->error = NULL;
}

/* --- what words say -------------------------------------------------------------------------- */

static enum poke_status parse_place(struct poke *poke, const char *text, struct place *ret_place)
{
    forget_error(poke);
    return place_parse(poke->target, text, ret_place, &poke->error) ? POKE_OK : POKE_WRONG;
}

static enum poke_status parse_number(struct poke *poke, const char *text, uint64_t *ret_value)
{
    if (number_parse(text, ret_value))
        return POKE_OK;
    return fail(poke, POKE_WRONG, "\"%s\" is not a number; write for example 10 or 0x10", text);
}

/* What the place can hold. */
static enum poke_status parse_value(struct poke *poke, const struct place *place, const char *text,
                                    uint64_t *ret_value)
{
    uint64_t most = place_extract(place, place->mask);
    enum poke_status status = parse_number(poke, text, ret_value);
    if (status != POKE_OK || *ret_value <= most)
        return status;
    return fail(poke, POKE_WRONG, "%s does not fit there; 0x%" PRIx64 " is the most", text, most);
}

/* How long something may take. */
static enum poke_status parse_time(struct poke *poke, const char *text, trestle_time *ret_time)
{
    trestle_time most = poke->target->run_max;
    if (trestle_parse_time(text, ret_time) < 0)
        return fail(poke, POKE_WRONG, "\"%s\" is not a time; write for example 10us", text);
    if (most && *ret_time > most)
        return fail(poke, POKE_WRONG,
                    "%s is too long: the guest waits meanwhile, for %u ms at most", text,
                    (unsigned)(most / TRESTLE_MS));
    return POKE_OK;
}

/* "uart" or "uart.1": a line of a device. */
static enum poke_status parse_irq(struct poke *poke, const char *text,
                                  struct trestle_device **ret_dev, uint32_t *ret_line)
{
    char *copy = xstrdup(text), *dot = strchr(copy, '.');
    uint64_t line = 0;
    enum poke_status status = POKE_OK;
    if (dot)
        *dot = '\0';
    forget_error(poke);
    *ret_dev = place_device(poke->target, copy, &poke->error);
    if (!*ret_dev)
        status = POKE_WRONG;
    else if ((dot && !number_parse(dot + 1, &line)) ||
             line >= trestle_device_model(*ret_dev)->irq_lines)
        status = fail(poke, POKE_WRONG, "\"%s\" names no interrupt line; %s has %u", text, copy,
                      trestle_device_model(*ret_dev)->irq_lines);
    *ret_line = (uint32_t)line;
    free(copy);
    return status;
}

static char *place_text(const struct place *place)
{
    return xformat("%s+0x%" PRIx64, trestle_device_name(place->dev), place->offset);
}

static const char *why(int status)
{
    return status == -ETIME       ? "it never answers"
           : status == -ETIMEDOUT ? "it did not answer in time"
           : status == -EIO       ? "it answered with an error"
           : status == -EFAULT    ? "it has nothing at this address"
           : status == -EBUSY     ? "an access of the guest is under way there; try again"
           : status == -ERANGE    ? "that is outside of its registers"
           : status == -EINVAL    ? "it takes no access of that width there"
                                  : strerror(-status);
}

static void begin(const struct poke *poke)
{
    if (poke->target->begin)
        poke->target->begin(poke->target->ctx);
}

static void end(const struct poke *poke)
{
    if (poke->target->end)
        poke->target->end(poke->target->ctx);
}

static enum poke_status access_place(struct poke *poke, const struct place *place, bool write,
                                     uint64_t *ref_data)
{
    begin(poke);
    int r = poke->target->access(poke->target->ctx, place->dev, write, place->offset, place->size,
                                 ref_data);
    end(poke);
    if (r == 0)
        return POKE_OK;
    char *where = place_text(place);
    enum poke_status failed =
        fail(poke, POKE_FAILED, "%s of %s: bus error: %s", write ? "write" : "read", where, why(r));
    free(where);
    return failed;
}

/* --- registers ------------------------------------------------------------------------------- */

static enum poke_status do_read(struct poke *poke, const struct words *words)
{
    struct place place;
    uint64_t value = 0;
    enum poke_status status = parse_place(poke, words->items[1], &place);
    if (status == POKE_OK)
        status = access_place(poke, &place, false, &value);
    struct trestle_register_at at;
    char text[256];
    if (status != POKE_OK)
        return status;
    value = place_extract(&place, value);
    if (strchr(words->items[1], '+') || place_is_field(&place) ||
        !trestle_device_register(place.dev, 0, place.offset, &at))
        fprintf(poke->out, "%s = 0x%" PRIx64 "\n", words->items[1], value);
    else
        fprintf(poke->out, "%s = %s\n", words->items[1],
                trestle_register_format(at.reg, value, text, sizeof(text)));
    return POKE_OK;
}

static enum poke_status do_write(struct poke *poke, const struct words *words)
{
    struct place place;
    uint64_t part, value = 0;
    enum poke_status status = parse_place(poke, words->items[1], &place);
    if (status == POKE_OK)
        status = parse_value(poke, &place, words->items[2], &part);
    /* A field is written as a driver does it: the other fields keep their values. */
    if (status == POKE_OK && place_is_field(&place))
        status = access_place(poke, &place, false, &value);
    if (status != POKE_OK)
        return status;
    value = place_insert(&place, value, part);
    return access_place(poke, &place, true, &value);
}

/* --- time ------------------------------------------------------------------------------------ */

static void print_time(FILE *out, trestle_time time)
{
    static const struct {
        trestle_time unit;
        const char *name;
    } units[] = {{TRESTLE_S, "s"},
                 {TRESTLE_MS, "ms"},
                 {TRESTLE_US, "us"},
                 {TRESTLE_NS, "ns"},
                 {TRESTLE_PS, "ps"}};
    size_t i = 0;
    while (units[i].unit > 1 && (time < units[i].unit || time % units[i].unit))
        i++;
    fprintf(out, "%" PRIu64 " %s", time / units[i].unit, units[i].name);
}

static trestle_time after(const struct poke *poke, trestle_time duration)
{
    trestle_time now = trestle_sim_now(poke->target->sim);
    return duration < TRESTLE_TIME_NEVER - 1 - now ? now + duration : TRESTLE_TIME_NEVER - 1;
}

static enum poke_status do_run(struct poke *poke, const struct words *words)
{
    trestle_time duration = 0;
    enum poke_status status = parse_time(poke, words->items[1], &duration);
    if (status != POKE_OK)
        return status;
    trestle_time until = after(poke, duration);
    while (trestle_sim_now(poke->target->sim) < until)
        poke->target->run(poke->target->ctx, until);
    return POKE_OK;
}

static enum poke_status do_time(struct poke *poke, const struct words *words)
{
    (void)words;
    print_time(poke->out, trestle_sim_now(poke->target->sim));
    fputc('\n', poke->out);
    return POKE_OK;
}

/* Polls as a driver does: reads at once, after each event of the engine, and at the end. */
static enum poke_status do_wait(struct poke *poke, const struct words *words)
{
    struct place place;
    uint64_t want = 0, value = 0;
    trestle_time limit = 0;
    bool has_value = words->count > 3;
    enum poke_status status = parse_place(poke, words->items[1], &place);
    if (status == POKE_OK && has_value)
        status = parse_value(poke, &place, words->items[2], &want);
    if (status == POKE_OK)
        status = parse_time(poke, words->items[words->count - 1], &limit);
    if (status != POKE_OK)
        return status;
    trestle_time until = after(poke, limit);
    for (;;) {
        if ((status = access_place(poke, &place, false, &value)) != POKE_OK)
            return status;
        uint64_t part = place_extract(&place, value);
        if (has_value ? part == want : part != 0)
            return POKE_OK;
        if (trestle_sim_now(poke->target->sim) >= until)
            return fail(poke, POKE_FAILED, "%s is 0x%" PRIx64 " after %s", words->items[1], part,
                        words->items[words->count - 1]);
        poke->target->run(poke->target->ctx, until);
    }
}

/* --- memory ---------------------------------------------------------------------------------- */

static enum poke_status copy(struct poke *poke, bool write, uint64_t addr, void *buf, size_t size)
{
    if (!poke->target->copy)
        return fail(poke, POKE_WRONG,
                    "guest memory cannot be reached here: no device is in the run's process, or in "
                    "one that takes commands");
    int r = poke->target->copy(poke->target->ctx, write, addr, buf, size);
    if (r == 0)
        return POKE_OK;
    if (r != -EFAULT)
        return fail(poke, POKE_FAILED, "no guest is connected that gives access to its memory");
    return fail(poke, POKE_FAILED, "0x%" PRIx64 " and %zu bytes from there are not memory", addr,
                size);
}

/* Takes words from the first-th on: bytes as numbers, or text in quotes. */
static enum poke_status parse_bytes(struct poke *poke, const struct words *words, size_t first,
                                    uint8_t *bytes, size_t *ret_size)
{
    *ret_size = 0;
    for (size_t i = first; i < words->count; i++) {
        const char *word = words->items[i];
        uint64_t value;
        size_t room = BYTES_MAX - *ret_size, length = strlen(word);
        if (word[0] == '"') {
            if (length - 1 > room)
                return fail(poke, POKE_WRONG, "more than %d bytes; write them in parts", BYTES_MAX);
            memcpy(bytes + *ret_size, word + 1, length - 1);
            *ret_size += length - 1;
            continue;
        }
        /* A number is as wide as it is written: 0x12 is a byte, 0x12345678 is four bytes, the
         * lowest first. */
        size_t digits = strncmp(word, "0x", 2) == 0 ? length - 2 : 1;
        size_t size = digits <= 2 ? 1 : digits <= 4 ? 2 : digits <= 8 ? 4 : 8;
        if (!number_parse(word, &value) || (size < 8 && value >> 8 * size))
            return fail(poke, POKE_WRONG,
                        "\"%s\" is neither a byte nor a hexadecimal number of full bytes", word);
        if (size > room)
            return fail(poke, POKE_WRONG, "more than %d bytes; write them in parts", BYTES_MAX);
        for (size_t byte = 0; byte < size; byte++)
            bytes[(*ret_size)++] = (uint8_t)(value >> 8 * byte);
    }
    return POKE_OK;
}

static void print_bytes(FILE *out, uint64_t addr, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += 16) {
        fprintf(out, "0x%08" PRIx64 ":", addr + i);
        for (size_t j = i; j < size && j < i + 16; j++)
            fprintf(out, " %02x", bytes[j]);
        fputs("  ", out);
        for (size_t j = i; j < size && j < i + 16; j++)
            fputc(isprint(bytes[j]) ? bytes[j] : '.', out);
        fputc('\n', out);
    }
}

static enum poke_status do_mem(struct poke *poke, const struct words *words)
{
    uint8_t bytes[BYTES_MAX];
    uint64_t addr = 0, count = 16;
    size_t size;
    enum poke_status status = parse_number(poke, words->items[1], &addr);
    if (status != POKE_OK)
        return status;
    if (words->count > 2 && strcmp(words->items[2], "=") == 0) {
        status = parse_bytes(poke, words, 3, bytes, &size);
        if (status == POKE_OK && size == 0)
            status = fail(poke, POKE_WRONG, "nothing follows the =");
        return status == POKE_OK ? copy(poke, true, addr, bytes, size) : status;
    }
    if (words->count > 3)
        return fail(poke, POKE_WRONG, "write mem ADDR [COUNT], or mem ADDR = BYTES");
    if (words->count > 2)
        status = parse_number(poke, words->items[2], &count);
    if (status == POKE_OK && (count == 0 || count > BYTES_MAX))
        status = fail(poke, POKE_WRONG, "%" PRIu64 " bytes; 1 to %d are shown at a time", count,
                      BYTES_MAX);
    if (status == POKE_OK)
        status = copy(poke, false, addr, bytes, (size_t)count);
    if (status == POKE_OK)
        print_bytes(poke->out, addr, bytes, (size_t)count);
    return status;
}

/* --- devices --------------------------------------------------------------------------------- */

static enum poke_status do_devices(struct poke *poke, const struct words *words)
{
    (void)words;
    if (poke->target->list)
        poke->target->list(poke->target->ctx, poke->out);
    for (size_t i = 0; i < poke->target->num_devices && !poke->target->list; i++) {
        const struct trestle_device *dev = poke->target->devices[i];
        bool has_base = trestle_device_base(dev) != TRESTLE_NO_BASE;
        char *base = has_base ? xformat("at 0x%" PRIx64, trestle_device_base(dev)) : NULL;
        fprintf(poke->out, "%s: %s %s, %" PRIu64 " bytes\n", trestle_device_name(dev),
                trestle_device_model(dev)->name, base ? base : "on PCI", trestle_device_size(dev));
        free(base);
    }
    return POKE_OK;
}

static enum poke_status do_stats(struct poke *poke, const struct words *words)
{
    (void)words;
    if (!poke->target->stats)
        return fail(poke, POKE_WRONG, "there are no counts without a run; attach to one");
    poke->target->stats(poke->target->ctx, poke->out);
    return POKE_OK;
}

static enum poke_status do_irqs(struct poke *poke, const struct words *words)
{
    (void)words;
    for (size_t i = 0; i < poke->target->num_devices; i++) {
        const struct trestle_device *dev = poke->target->devices[i];
        uint32_t lines = trestle_device_model(dev)->irq_lines;
        if (lines > 0)
            fprintf(poke->out, "%s:", trestle_device_name(dev));
        for (uint32_t line = 0; line < lines; line++)
            fprintf(poke->out, " %u=%d", line, trestle_device_irq_level(dev, line));
        if (lines > 0)
            fputc('\n', poke->out);
    }
    return POKE_OK;
}

static enum poke_status do_irq(struct poke *poke, const struct words *words)
{
    struct trestle_device *dev;
    uint32_t line;
    uint64_t level = 0;
    enum poke_status status = parse_irq(poke, words->items[1], &dev, &line);
    if (status == POKE_OK)
        status = parse_number(poke, words->items[2], &level);
    if (status != POKE_OK)
        return status;
    begin(poke);
    trestle_device_irq(dev, line, level != 0);
    end(poke);
    return POKE_OK;
}

static enum poke_status fail_without_guest(struct poke *poke)
{
    return fail(poke, POKE_WRONG, "there is no guest without a run; attach to one");
}

static enum poke_status set_fault(struct poke *poke, const struct words *words,
                                  enum trestle_fault fault)
{
    forget_error(poke);
    if (!poke->target->set_fault)
        return fail_without_guest(poke);
    bool is_set;
    begin(poke);
    is_set = poke->target->set_fault(poke->target->ctx, words->items[1], fault, &poke->error);
    end(poke);
    return is_set ? POKE_OK : POKE_WRONG;
}

static enum poke_status do_kill(struct poke *poke, const struct words *words)
{
    return set_fault(poke, words, TRESTLE_FAULT_DEAD);
}

static enum poke_status do_hang(struct poke *poke, const struct words *words)
{
    return set_fault(poke, words, TRESTLE_FAULT_HUNG);
}

static enum poke_status do_resume(struct poke *poke, const struct words *words)
{
    return set_fault(poke, words, TRESTLE_FAULT_NONE);
}

static enum poke_status do_reload(struct poke *poke, const struct words *words)
{
    forget_error(poke);
    if (!poke->target->reload)
        return fail_without_guest(poke);
    return poke->target->reload(poke->target->ctx, words->items[1], poke->out, &poke->error);
}

static enum poke_status do_reset(struct poke *poke, const struct words *words)
{
    struct trestle_device *only = NULL;
    forget_error(poke);
    if (words->count > 1 && !(only = place_device(poke->target, words->items[1], &poke->error)))
        return POKE_WRONG;
    begin(poke);
    for (size_t i = 0; i < poke->target->num_devices; i++)
        if (!only || poke->target->devices[i] == only)
            trestle_device_reset(poke->target->devices[i]);
    end(poke);
    return POKE_OK;
}

/* Shows what is stored. Unlike a read of the guest's, this has no effects. */
static enum poke_status do_registers(struct poke *poke, const struct words *words)
{
    struct trestle_register_at at = {0};
    char name[128], text[256];
    uint64_t value;
    forget_error(poke);
    struct trestle_device *dev = place_device(poke->target, words->items[1], &poke->error);
    if (!dev)
        return POKE_WRONG;
    while (trestle_device_next_register(dev, 0, &at)) {
        trestle_register_name(at.reg, at.index, name, sizeof(name));
        if (trestle_device_stored(dev, &at, &value))
            trestle_register_format(at.reg, value, text, sizeof(text));
        fprintf(poke->out, "0x%04" PRIx64 " %s%s%s\n", at.offset, name,
                at.reg->storage_size ? " = " : "", at.reg->storage_size ? text : "");
    }
    return POKE_OK;
}

/* A message as if it came from the peer: send uart.0 "abc" */
static enum poke_status do_send(struct poke *poke, const struct words *words)
{
    uint8_t bytes[BYTES_MAX];
    size_t size = 0;
    uint32_t port = 0;
    char *name = xstrdup(words->items[1]), *dot = strchr(name, '.');
    if (dot)
        *dot++ = '\0';
    forget_error(poke);
    struct trestle_device *dev = place_device(poke->target, name, &poke->error);
    enum poke_status status = dev ? POKE_OK : POKE_WRONG;
    if (dev && (!dot || trestle_model_port(trestle_device_model(dev), dot, &port) < 0))
        status = fail(poke, POKE_WRONG, "\"%s\" names no port; write for example %s.peer",
                      words->items[1], name);
    free(name);
    if (status == POKE_OK)
        status = parse_bytes(poke, words, 2, bytes, &size);
    if (status != POKE_OK)
        return status;
    begin(poke);
    int delivered = trestle_device_deliver(dev, port, bytes, size);
    end(poke);
    return delivered == 0 ? POKE_OK
                          : fail(poke, POKE_FAILED, "not delivered: %s", strerror(-delivered));
}

/* Gives input as if it came from the device's backend: input uart "abc" */
static enum poke_status do_input(struct poke *poke, const struct words *words)
{
    uint8_t bytes[BYTES_MAX];
    size_t size = 0;
    forget_error(poke);
    struct trestle_device *dev = place_device(poke->target, words->items[1], &poke->error);
    enum poke_status status = dev ? parse_bytes(poke, words, 2, bytes, &size) : POKE_WRONG;
    if (status != POKE_OK)
        return status;
    if (!trestle_device_model(dev)->input)
        return fail(poke, POKE_WRONG, "%s has no input", trestle_device_name(dev));
    size_t room = trestle_device_input_room(dev);
    if (size > room)
        return fail(poke, POKE_FAILED, "%s takes %zu bytes of input now, not %zu",
                    trestle_device_name(dev), room, size);
    int given = trestle_device_input(dev, bytes, size);
    return given == 0 ? POKE_OK : fail(poke, POKE_FAILED, "not given: %s", strerror(-given));
}

/* --- expectations ---------------------------------------------------------------------------- */

static enum poke_status expect_irq(struct poke *poke, const struct words *words)
{
    struct trestle_device *dev;
    uint32_t line;
    uint64_t want = 0;
    if (words->count != 4)
        return fail(poke, POKE_WRONG, "write expect irq DEVICE[.LINE] 0, or 1");
    enum poke_status status = parse_irq(poke, words->items[2], &dev, &line);
    if (status == POKE_OK)
        status = parse_number(poke, words->items[3], &want);
    if (status != POKE_OK)
        return status;
    bool level = trestle_device_irq_level(dev, line);
    if (level == (want != 0))
        return POKE_OK;
    return fail(poke, POKE_FAILED, "expected irq %s to be %d, and it is %d", words->items[2],
                want != 0, level);
}

static enum poke_status expect_mem(struct poke *poke, const struct words *words)
{
    uint8_t want[BYTES_MAX], have[BYTES_MAX];
    uint64_t addr = 0;
    size_t size = 0;
    if (words->count < 5 || strcmp(words->items[3], "=") != 0)
        return fail(poke, POKE_WRONG, "write expect mem ADDR = BYTES");
    enum poke_status status = parse_number(poke, words->items[2], &addr);
    if (status == POKE_OK)
        status = parse_bytes(poke, words, 4, want, &size);
    if (status == POKE_OK)
        status = copy(poke, false, addr, have, size);
    for (size_t i = 0; status == POKE_OK && i < size; i++)
        if (have[i] != want[i])
            return fail(poke, POKE_FAILED, "expected 0x%02x at 0x%" PRIx64 ", and there is 0x%02x",
                        want[i], addr + i, have[i]);
    return status;
}

static enum poke_status expect_error(struct poke *poke, const struct words *words)
{
    struct place place;
    uint64_t value = 0;
    bool write = words->count == 5 && strcmp(words->items[2], "write") == 0;
    if (!write && !(words->count == 4 && strcmp(words->items[2], "read") == 0))
        return fail(poke, POKE_WRONG,
                    "write expect error read PLACE, or expect error write PLACE VALUE");
    enum poke_status status = parse_place(poke, words->items[3], &place);
    if (status == POKE_OK && write)
        status = parse_value(poke, &place, words->items[4], &value);
    if (status == POKE_OK)
        status = access_place(poke, &place, write, &value);
    if (status == POKE_OK)
        return fail(poke, POKE_FAILED, "expected a bus error of %s, and it succeeded",
                    words->items[3]);
    if (status != POKE_FAILED)
        return status;
    forget_error(poke); /* it was expected */
    return POKE_OK;
}

static enum poke_status do_expect(struct poke *poke, const struct words *words)
{
    struct place place;
    uint64_t want = 0, value = 0;
    if (strcmp(words->items[1], "irq") == 0)
        return expect_irq(poke, words);
    if (strcmp(words->items[1], "mem") == 0)
        return expect_mem(poke, words);
    if (strcmp(words->items[1], "error") == 0)
        return expect_error(poke, words);
    if (words->count != 3)
        return fail(poke, POKE_WRONG, "write expect PLACE VALUE");
    enum poke_status status = parse_place(poke, words->items[1], &place);
    if (status == POKE_OK)
        status = parse_value(poke, &place, words->items[2], &want);
    if (status == POKE_OK)
        status = access_place(poke, &place, false, &value);
    value = place_extract(&place, value);
    if (status != POKE_OK || value == want)
        return status;
    return fail(poke, POKE_FAILED, "expected %s to be 0x%" PRIx64 ", and it is 0x%" PRIx64,
                words->items[1], want, value);
}

/* --- lines ----------------------------------------------------------------------------------- */

static enum poke_status do_help(struct poke *poke, const struct words *words);

static enum poke_status do_quit(struct poke *poke, const struct words *words)
{
    (void)words;
    poke->quits = true;
    return POKE_OK;
}

static const struct poke_command {
    const char *name, *arguments, *help;
    size_t least, most; /* words, the name included */
    enum poke_status (*run)(struct poke *poke, const struct words *words);
    enum poke_scope scope;
} poke_commands[] = {
    {"read", "PLACE",
     "read a register; a PLACE is DEVICE.REGISTER, DEVICE.REGISTER.FIELD,\n"
     "        DEVICE+OFFSET or DEVICE+OFFSET:SIZE",
     2, 2, do_read, POKE_DEVICE},
    {"write", "PLACE VALUE", "write one", 3, 3, do_write, POKE_DEVICE},
    {"run", "TIME", "let time pass", 2, 2, do_run, POKE_ALL},
    {"wait", "PLACE [VALUE] TIME", "read until it is VALUE, or not 0, for TIME at most", 3, 4,
     do_wait, POKE_DEVICE},
    {"mem", "ADDR [COUNT] | ADDR = BYTES", "show guest memory, or set it", 2, WORDS_MAX, do_mem,
     POKE_ANY},
    {"irqs", "", "show the interrupt lines", 1, 1, do_irqs, POKE_ALL},
    {"send", "DEVICE.PORT BYTES", "a message, as from the peer of that port", 3, WORDS_MAX, do_send,
     POKE_DEVICE},
    {"input", "DEVICE BYTES", "input, as from the device's backend", 3, WORDS_MAX, do_input,
     POKE_DEVICE},
    {"reset", "[DEVICE]", "as when the guest is reset", 1, 2, do_reset, POKE_ALL},
    {"irq", "DEVICE[.LINE] LEVEL", "set an interrupt line, 0 or 1, as the device could", 3, 3,
     do_irq, POKE_DEVICE},
    {"kill", "DEVICE",
     "from now on its accesses fail; a process of its own is killed, and\n"
     "        started again as its \"restart\" says",
     2, 2, do_kill},
    {"hang", "DEVICE", "from now on it does not answer", 2, 2, do_hang},
    {"resume", "DEVICE", "it works again; one that was killed comes back reset", 2, 2, do_resume},
    {"reload", "DEVICE",
     "serve it by a new process, from its file as it is now; it comes back reset", 2, 2, do_reload},
    {"devices", "", "show the devices", 1, 1, do_devices},
    {"registers", "DEVICE", "show what its registers hold, without reading them", 2, 2,
     do_registers, POKE_DEVICE},
    {"time", "", "show what time it is", 1, 1, do_time, POKE_ANY},
    {"stats", "", "show what each device has served so far", 1, 1, do_stats},
    {"expect", "PLACE VALUE | irq DEVICE[.LINE] LEVEL | mem ADDR = BYTES | error read PLACE",
     "fail unless that holds", 3, WORDS_MAX, do_expect, POKE_DEVICE},
    {"help", "", "this list", 1, 1, do_help},
    {"quit", "", "end", 1, 1, do_quit},
};
#define COMMANDS (sizeof(poke_commands) / sizeof(*poke_commands))

static enum poke_status do_help(struct poke *poke, const struct words *words)
{
    (void)words;
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(poke->out, "  %s%s%s\n        %s\n", poke_commands[i].name,
                poke_commands[i].arguments[0] ? " " : "", poke_commands[i].arguments,
                poke_commands[i].help);
    fputs(
        "Numbers are decimal, or hexadecimal with 0x. BYTES are bytes, hexadecimal numbers of 2, "
        "4,\n"
        "8 or 16 digits, the lowest byte first, or \"text\". ';' separates commands, '#' begins a "
        "comment.\n",
        poke->out);
    return POKE_OK;
}

/* Blanks separate words; "a text" keeps its first quote and its blanks. False: a text has no end.
 */
static bool split(char *text, struct words *ret_words)
{
    ret_words->count = 0;
    for (char *at = text; *at;) {
        at += strspn(at, " \t\r");
        if (!*at || ret_words->count == WORDS_MAX)
            break;
        ret_words->items[ret_words->count++] = at;
        if (*at == '"') {
            at = strchr(at + 1, '"');
            if (!at)
                return false;
        } else {
            at += strcspn(at, " \t\r");
        }
        if (*at)
            *at++ = '\0';
    }
    return true;
}

static enum poke_status fail_unknown(struct poke *poke, const char *name)
{
    struct strings names = {0};
    for (size_t i = 0; i < COMMANDS; i++)
        strings_add(&names, poke_commands[i].name);
    char *help = suggest_or_list(name, &names, "the commands are");
    enum poke_status status = fail(poke, POKE_WRONG, "there is no command \"%s\"%s", name, help);
    free(help);
    strings_finish(&names);
    return status;
}

/* Returns the command of that name, or NULL. */
static const struct poke_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(poke_commands[i].name, name) == 0)
            return &poke_commands[i];
    return NULL;
}

static enum poke_status do_command(struct poke *poke, char *text)
{
    struct words words = {.text = text};
    if (!split(text, &words))
        return fail(poke, POKE_WRONG, "a quote has no end");
    if (words.count == 0)
        return POKE_OK;
    const struct poke_command *command = find_command(words.items[0]);
    if (!command)
        return fail_unknown(poke, words.items[0]);
    if (words.count < command->least || words.count > command->most)
        return fail(poke, POKE_WRONG, "write %s %s", command->name, command->arguments);
    return command->run(poke, &words);
}

char *poke_next_command(char **ref_rest)
{
    char *start = *ref_rest, *at = start;
    bool in_text = false;
    while (at && *at && (in_text || (*at != ';' && *at != '#')))
        if (*at++ == '"')
            in_text = !in_text;
    if (!start)
        return NULL;
    *ref_rest = *at == ';' ? at + 1 : NULL;
    *at = '\0';
    return start;
}

enum poke_status poke_line(struct poke *poke, const char *line)
{
    char *copy = xstrdup(line), *rest = copy, *command;
    enum poke_status status = POKE_OK;
    forget_error(poke);
    while (status == POKE_OK && !poke->quits && (command = poke_next_command(&rest)) != NULL)
        status = do_command(poke, command);
    free(copy);
    return status;
}

/* --- whom it concerns ------------------------------------------------------------------------ */

/* Returns which word names the device; 0: none does. */
static size_t device_word(const struct poke_command *command, const struct words *words)
{
    size_t word = 1;
    if (command->run == do_expect && words->count > 2)
        word = strcmp(words->items[1], "irq") == 0     ? 2
               : strcmp(words->items[1], "error") == 0 ? 3
                                                       : 1;
    return word < words->count ? word : 0;
}

enum poke_scope poke_scope(const char *command_text, char **ret_device)
{
    char *copy = xstrdup(command_text);
    struct words words = {.text = copy};
    const struct poke_command *command =
        split(copy, &words) && words.count > 0 ? find_command(words.items[0]) : NULL;
    enum poke_scope scope = command ? command->scope : POKE_ASKED;
    size_t word = command ? device_word(command, &words) : 0;
    *ret_device = NULL;
    if (word && command->run == do_expect && strcmp(words.items[1], "mem") == 0)
        scope = POKE_ANY;
    else if (word && command->run == do_reset)
        scope = POKE_DEVICE;
    if (word && scope == POKE_DEVICE)
        *ret_device = xformat("%.*s", (int)strcspn(words.items[word], "+."), words.items[word]);
    free(copy);
    return scope;
}

void poke_finish(struct poke *poke)
{
    forget_error(poke);
}

void poke_complete(const struct poke *poke, const char *line, struct strings *ret_candidates)
{
    size_t start = strlen(line);
    while (start > 0 && !strchr(" \t;", line[start - 1]))
        start--;
    size_t before = start;
    while (before > 0 && strchr(" \t", line[before - 1]))
        before--;
    const char *word = line + start;
    size_t length = strlen(word);
    if (before == 0 || line[before - 1] == ';') {
        for (size_t i = 0; i < COMMANDS; i++)
            if (strncmp(poke_commands[i].name, word, length) == 0)
                strings_add(ret_candidates, poke_commands[i].name);
        return;
    }
    place_complete(poke->target, word, ret_candidates);
}
