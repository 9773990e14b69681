/* SPDX-License-Identifier: MIT */
/* Measures MMIO accesses as the guest sees them, and prints what a program reads.
 *
 * Command line (all optional):
 *   op=read|write|mixed   mixed alternates
 *   count=100000          accesses in each of the two passes
 *   n=1 base= stride=0x1000   the devices; base is 0x10200000 on riscv
 *   read_offset=8 write_offset=0        the register in each; defaults suit echo
 *   size=4                bytes per access: 1, 2, 4, 8
 *   order=round|random    which device comes next
 *   seed=1                of order=random
 *   clock=0               address of a 64-bit register that reads as guest time in nanoseconds
 *   harts=1               2: a second processor (-smp 2; riscv) does the same meanwhile; each has
 *                         half of the n devices to itself
 *   batch=                accesses between two looks at the clock; default 1 with clock=, else 16
 *
 * Output, one item a line:
 *   bench 1 <accesses> <batch>      version of this form
 *   total <ns>                      the first pass: all accesses, clock read at both ends
 *   others <accesses>               of the second processor in the first pass
 *   ticks <number> <ns>             so many take so long: the unit of what follows; else it is ns
 *   overhead <unit> <times>         histogram of the clock read twice with nothing between
 *   latency <unit> <times>          histogram of the second pass: one batch between two looks
 *   end
 * Histogram values are the lower edges of buckets that are exact below 64 and 1/32 wide above. */
#include "check.h"
#include "echo_registers.h"

#define SLOTS 4096U /* of the precomputed order; a power of two */
#define HARTS_MAX 2
#define PAGE_SIZE 4096U
#define PAGES_KEPT 4096U
#define SUB_BITS 5
#define TICKS_MEASURED_NS 10000000
#define BUCKETS ((32 - SUB_BITS + 1) << SUB_BITS)

static struct {
    uintptr_t base, stride, read_offset, write_offset, clock;
    unsigned n, count, size, batch, seed, harts;
} run;

/* What each processor accesses, in this order, over and over. */
static uintptr_t slots[HARTS_MAX][SLOTS];
static uint8_t slot_writes[SLOTS];
static unsigned histogram[BUCKETS];

static uint32_t bucket_of(uint64_t time)
{
    uint32_t value = time > UINT32_MAX ? UINT32_MAX : (uint32_t)time, shift = 0;
    while (value >> shift >= 2U << SUB_BITS)
        shift++;
    return (shift << SUB_BITS) + (value >> shift);
}

static unsigned bucket_edge(unsigned bucket)
{
    if (bucket < 2U << SUB_BITS)
        return bucket;
    unsigned shift = (bucket >> SUB_BITS) - 1;
    return (bucket - (shift << SUB_BITS)) << shift;
}

static void print_histogram(const char *name)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (histogram[i])
            print("%s %u %u\n", name, bucket_edge(i), histogram[i]);
        histogram[i] = 0;
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void fill_slots(void)
{
    bool random = bootarg_is("order", "random");
    bool mixed = bootarg_is("op", "mixed"), write = bootarg_is("op", "write");
    uint32_t state = run.seed ? run.seed : 1;
    unsigned share = run.harts == 2 ? run.n / 2 : run.n, device = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (random)
            device = (unsigned)((uint64_t)next_random(&state) * share >> 32);
        slot_writes[i] = write || (mixed && i & 1);
        for (unsigned hart = 0; hart < run.harts; hart++)
            slots[hart][i] = run.base + (hart * share + device) * run.stride +
                             (slot_writes[i] ? run.write_offset : run.read_offset);
        if (!random && ++device == share)
            device = 0;
    }
}

/* The usual size goes without the detour through arch_load(): a bus error here ends the run. */
static inline void access_slot(unsigned hart, unsigned i)
{
    uintptr_t addr = slots[hart][i % SLOTS];
    if (slot_writes[i % SLOTS]) {
        if (run.size == 4)
            *(volatile uint32_t *)addr = i;
        else
            (void)mmio_write(addr, run.size, i);
    } else {
        uint64_t value;
        if (run.size == 4)
            (void)*(volatile uint32_t *)addr;
        else
            (void)mmio_read(addr, run.size, &value);
    }
}

static inline uint64_t look(void)
{
    uint64_t ns = 0;
    if (!run.clock)
        return guest_now_ns();
    (void)mmio_read(run.clock, 8, &ns);
    return ns;
}

static bool devices_answer(void)
{
    uint64_t value;
    for (unsigned i = 0; i < run.n; i++) {
        uintptr_t addr = run.base + i * run.stride + run.read_offset;
        if (!mmio_read(addr, run.size, &value))
            return check(false, "device %u: bus error, %u-byte read at 0x%lx", i, run.size,
                         (unsigned long)addr);
    }
    if (run.clock && !mmio_read(run.clock, 8, &value))
        return check(false, "clock: bus error, 8-byte read at 0x%lx", (unsigned long)run.clock);
    return true;
}

/* --- the time between two glances ----------------------------------------------------------- */

/* A look is an access itself, and makes the one next to it slower. */
static bool has_ticks;

static void measure_ticks(void)
{
    uint64_t start_ns = look(), ns;
    uint32_t start = guest_ticks(), ticks;
    has_ticks = start != 0;
    if (!has_ticks)
        return;
    do {
        ns = look() - start_ns;
        ticks = guest_ticks() - start;
    } while (ns < TICKS_MEASURED_NS);
    print("ticks %u %llu\n", (unsigned)ticks, (unsigned long long)ns);
}

static inline uint64_t glance(void)
{
    return has_ticks ? guest_ticks() : look();
}

static inline uint64_t since(uint64_t start)
{
    uint64_t now = glance();
    return has_ticks ? (uint32_t)(now - start) : now - start;
}

/* --- the second processor ------------------------------------------------------------------- */

/* It stands still while results are printed: they would be slow to come. */
static volatile bool second_here, second_goes;
static volatile unsigned second_count;

static void second_main(void)
{
    second_here = true;
    for (unsigned i = 0;;) {
        if (!second_goes)
            continue;
        access_slot(1, i++);
        second_count = i;
    }
}

static bool start_second(void)
{
    uint64_t until = guest_now_ns() + 1000000000;
    if (run.harts == 1)
        return true;
    if (!guest_start_second(second_main))
        return check(false, "harts=2 is for riscv");
    while (!second_here && guest_now_ns() < until)
        ;
    return second_here || check(false, "no second processor: harts=2 goes with -smp 2");
}

/* The host may be late to run it: what is measured begins when it is at work. */
static void let_second_go(void)
{
    unsigned before = second_count;
    uint64_t until = guest_now_ns() + 1000000000;
    second_goes = true;
    while (run.harts == 2 && second_count == before && guest_now_ns() < until)
        ;
}

/* --- measurements --------------------------------------------------------------------------- */

static void measure_total(void)
{
    let_second_go();
    unsigned others = second_count;
    /* The PC's clock wraps: it is looked at before it can have done so twice. */
    uint64_t start = look(), end = start;
    for (unsigned i = 0; i < run.count; end = look())
        for (unsigned left = run.count - i, stop = left > SLOTS ? i + SLOTS : run.count; i < stop;
             i++)
            access_slot(0, i);
    others = second_count - others;
    second_goes = false;
    print("total %llu\n", (unsigned long long)(end - start));
    print("others %u\n", others);
}

static void measure_overhead(void)
{
    let_second_go();
    for (unsigned i = 0; i < run.count; i++) {
        uint64_t start = glance();
        histogram[bucket_of(since(start))]++;
    }
    second_goes = false;
    print_histogram("overhead");
}

static void measure_latency(void)
{
    let_second_go();
    for (unsigned i = 0; i < run.count;) {
        uint64_t start = glance();
        for (unsigned end = i + run.batch; i < end; i++)
            access_slot(0, i);
        histogram[bucket_of(since(start))]++;
    }
    second_goes = false;
    print_histogram("latency");
}

/* QEMU keeps the pages that it has found in a table, whose room it adapts to what is in use when
 * the guest flushes it. Kernels flush all the time. A guest that never did would stay with the
 * first 256: with more devices than that, or a few that share their places with its own code, QEMU
 * would look for a page again at most accesses. */
static void have_pages_kept(void)
{
    const volatile uint8_t *memory = (const volatile uint8_t *)slots;
    for (unsigned pages = PAGES_KEPT / 16; pages < PAGES_KEPT; pages *= 2) {
        for (unsigned i = 0; i < pages; i++)
            (void)memory[i * PAGE_SIZE];
        if (!guest_flush_pages())
            return;
    }
}

static bool read_parameters(void)
{
    run.base = (uintptr_t)bootarg_u64("base", guest_device_base);
    run.stride = (uintptr_t)bootarg_u64("stride", 0x1000);
    run.read_offset = (uintptr_t)bootarg_u64("read_offset", ECHO_STATUS);
    run.write_offset = (uintptr_t)bootarg_u64("write_offset", ECHO_DATA_IN);
    run.clock = (uintptr_t)bootarg_u64("clock", 0);
    run.n = (unsigned)bootarg_u64("n", 1);
    run.count = (unsigned)bootarg_u64("count", 100000);
    run.size = (unsigned)bootarg_u64("size", 4);
    run.batch = (unsigned)bootarg_u64("batch", run.clock ? 1 : 16);
    run.seed = (unsigned)bootarg_u64("seed", 1);
    run.harts = (unsigned)bootarg_u64("harts", 1);
    bool size_ok = run.size == 1 || run.size == 2 || run.size == 4 || run.size == 8;
    bool harts_ok = (run.harts == 1 || run.harts == 2) && run.n >= run.harts;
    return (size_ok && harts_ok && run.n && run.batch) ||
           check(false, "size= is 1, 2, 4 or 8; harts= is 1 or 2; n= is at least that; batch= is "
                        "not 0");
}

int guest_main(void)
{
    if (!read_parameters() || !devices_answer())
        return 1;
    fill_slots();
    if (!start_second())
        return 1;
    have_pages_kept();
    print("bench 1 %u %u\n", run.count, run.batch);
    measure_total();
    measure_ticks();
    measure_overhead();
    measure_latency();
    print("end\n");
    return mmio_faults() ? 1 : 0;
}
