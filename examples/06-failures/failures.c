/* SPDX-License-Identifier: MIT */
/*
 * A program that outlives its devices: it goes round N id devices, gives each a number and asks for
 * it again. One that does not answer, or that was restarted and has forgotten its number, is
 * "lost". The program uses it again as soon as it answers as it should. It uses the others all the
 * while.
 *
 * Command line: n=, base=, stride=.
 * crash=OFFSET times=N: writes to that register of the last device, which ends its process, N
 * times. Without crash= it goes on until the console says 'q'. At 'p' it prints how the next round
 * went, with a bit for each device that is not lost. timed=N: how many of the first devices the
 * latencies are those of.
 */
#include "check.h"
#include "id_registers.h"

enum { MAX_DEVICES = 32, NUM_BUCKETS = 10000, NS_PER_BUCKET = 100, AFTER_CRASH = 100 };
#define PATIENCE_NS UINT64_C(30000000000)

struct device {
    uintptr_t base;
    uint64_t number;
    uint64_t lost_at_ns;
    bool is_lost, is_tried;
    unsigned losses;
};

/* How long answers took, those of more than a millisecond in the last bucket. */
struct latencies {
    unsigned count, buckets[NUM_BUCKETS];
};

static struct device devices[MAX_DEVICES];
static unsigned num_devices, num_timed, num_lost;
static struct latencies calm, in_trouble; /* while no device, and while one was lost */

static void lose(struct device *dev, const char *why)
{
    if (dev->is_lost)
        return;
    dev->is_lost = true;
    dev->losses++;
    dev->lost_at_ns = guest_now_ns();
    num_lost++;
    print("device %u lost: %s\n", (unsigned)(dev - devices), why);
}

static void find_again(struct device *dev)
{
    dev->is_lost = false;
    num_lost--;
    print("device %u back after %llu ns\n", (unsigned)(dev - devices),
          (unsigned long long)(guest_now_ns() - dev->lost_at_ns));
}

static void note(const struct device *dev, uint64_t start_ns)
{
    struct latencies *latencies = num_lost ? &in_trouble : &calm;
    uint32_t bucket = (uint32_t)(guest_now_ns() - start_ns) / NS_PER_BUCKET;
    if (dev - devices >= (ptrdiff_t)num_timed || dev->is_lost)
        return;
    latencies->buckets[bucket < NUM_BUCKETS ? bucket : NUM_BUCKETS - 1]++;
    latencies->count++;
}

static bool read_is(struct device *dev, unsigned offset, uint64_t want)
{
    uint64_t start_ns = guest_now_ns(), value = 0;
    bool has_answered = mmio_read(dev->base + offset, 8, &value);
    if (has_answered && value == want) {
        note(dev, start_ns);
        return true;
    }
    if (!has_answered || value == UINT64_MAX) /* what a processor without bus errors reads */
        lose(dev, "no answer");
    else
        lose(dev, value == 0 ? "it was reset" : "a wrong answer");
    return false;
}

static void give_number(struct device *dev)
{
    uint64_t start_ns = guest_now_ns();
    dev->number = (dev->number + 1) * 0x9e3779b97f4a7c15 | 1;
    dev->is_tried = mmio_write(dev->base + ID_SCRATCH, 8, dev->number);
    if (dev->is_tried)
        note(dev, start_ns);
    else
        lose(dev, "no answer");
}

static void ask_for_number(struct device *dev)
{
    if (dev->is_tried && read_is(dev, ID_ID, dev->base) && read_is(dev, ID_SCRATCH, dev->number) &&
        dev->is_lost)
        find_again(dev);
}

static void run_round(void)
{
    for (unsigned i = 0; i < num_devices; i++)
        give_number(&devices[i]);
    for (unsigned i = num_devices; i-- > 0;)
        ask_for_number(&devices[i]);
}

/* In tenths of a microsecond. */
static unsigned percentile(const struct latencies *latencies, unsigned percent)
{
    unsigned bucket = 0, below = latencies->buckets[0];
    while (bucket < NUM_BUCKETS - 1 && below < latencies->count / 100 * percent)
        below += latencies->buckets[++bucket];
    return bucket;
}

static void print_latencies(const char *when, const struct latencies *latencies)
{
    unsigned p50 = percentile(latencies, 50), p99 = percentile(latencies, 99);
    print("%s: %u accesses, median %u.%u us, p99 %u.%u us\n", when, latencies->count, p50 / 10,
          p50 % 10, p99 / 10, p99 % 10);
}

static void run_as_told(void)
{
    for (unsigned round = 0;; round++) {
        int command = guest_try_getc();
        run_round();
        if (command == 'q')
            return;
        if (command != 'p')
            continue;
        unsigned good = 0;
        for (unsigned i = 0; i < num_devices; i++)
            good |= (devices[i].is_lost ? 0u : 1u) << i;
        print("round %u good %x\n", round, good);
    }
}

static void crash_and_recover(uintptr_t offset, unsigned times)
{
    struct device *victim = &devices[num_devices - 1];
    for (unsigned i = 0; i < times; i++) {
        uint64_t start_ns = guest_now_ns();
        run_round();
        (void)mmio_write(victim->base + offset, 4, 1);
        read_is(victim, ID_SCRATCH, victim->number); /* one that is back already knows no number */
        do
            run_round();
        while (num_lost && guest_now_ns() - start_ns < PATIENCE_NS);
        for (unsigned round = 0; round < AFTER_CRASH; round++)
            run_round();
    }
    check(victim->losses == times, "device %u was lost %u times", num_devices - 1, victim->losses);
    for (unsigned i = 0; i < num_devices - 1; i++)
        check(devices[i].losses == 0, "device %u was never lost", i);
}

int guest_main(void)
{
    uintptr_t base = (uintptr_t)bootarg_u64("base", guest_device_base);
    uintptr_t stride = (uintptr_t)bootarg_u64("stride", 0x1000);
    uint64_t crash = bootarg_u64("crash", 0);
    num_devices = (unsigned)bootarg_u64("n", 4);
    num_timed = (unsigned)bootarg_u64("timed", num_devices);
    if (num_devices < 1 || num_devices > MAX_DEVICES)
        num_devices = 4;
    for (unsigned i = 0; i < num_devices; i++)
        devices[i].base = base + i * stride;
    print("failures: %u devices from 0x%lx\n", num_devices, (unsigned long)base);
    if (crash)
        crash_and_recover((uintptr_t)crash, (unsigned)bootarg_u64("times", 5));
    else
        run_as_told();
    print_latencies("while none was lost", &calm);
    print_latencies("while one was lost", &in_trouble);
    check(num_lost == 0, "all devices answer at the end");
    return check_summary("failures");
}
