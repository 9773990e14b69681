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
 *   batch=                accesses between two looks at the clock; default 1 with clock=, else 16
 *
 * Output, one item a line:
 *   bench 1 <accesses> <batch>      version of this form
 *   total <ns>                      the first pass: all accesses, clock read at both ends
 *   overhead <ns> <times>           histogram of the clock read twice with nothing between
 *   latency <ns> <times>            histogram of the second pass: one batch between two looks
 *   end
 * Histogram values are the lower edges of buckets that are exact below 64 and 1/32 wide above. */
#include "check.h"
#include "models.h"

#define SLOTS 4096U /* of the precomputed order; a power of two */
#define SUB_BITS 5
#define BUCKETS ((32 - SUB_BITS + 1) << SUB_BITS)

static struct {
    uintptr_t base, stride, read_offset, write_offset, clock;
    unsigned n, count, size, batch, seed;
} run;

/* What to access, in this order, over and over. */
static uintptr_t slots[SLOTS];
static uint8_t slot_writes[SLOTS];
static unsigned histogram[BUCKETS];

static uint32_t bucket_of(uint64_t ns)
{
    uint32_t value = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns, shift = 0;
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
    unsigned device = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (random)
            device = (unsigned)((uint64_t)next_random(&state) * run.n >> 32);
        slot_writes[i] = write || (mixed && i & 1);
        slots[i] =
            run.base + device * run.stride + (slot_writes[i] ? run.write_offset : run.read_offset);
        if (!random && ++device == run.n)
            device = 0;
    }
}

/* The usual size goes without the detour through arch_load(): a bus error here ends the run. */
static inline void access_slot(unsigned i)
{
    uintptr_t addr = slots[i % SLOTS];
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

static void measure_total(void)
{
    uint64_t start = look();
    for (unsigned i = 0; i < run.count; i++)
        access_slot(i);
    print("total %llu\n", (unsigned long long)(look() - start));
}

static void measure_overhead(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t start = look();
        histogram[bucket_of(look() - start)]++;
    }
    print_histogram("overhead");
}

static void measure_latency(void)
{
    for (unsigned i = 0; i < run.count;) {
        uint64_t start = look();
        for (unsigned end = i + run.batch; i < end; i++)
            access_slot(i);
        histogram[bucket_of(look() - start)]++;
    }
    print_histogram("latency");
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
    bool size_ok = run.size == 1 || run.size == 2 || run.size == 4 || run.size == 8;
    return (size_ok && run.n && run.batch) ||
           check(false, "size= is 1, 2, 4 or 8; n= and batch= are not 0");
}

int guest_main(void)
{
    if (!read_parameters() || !devices_answer())
        return 1;
    fill_slots();
    print("bench 1 %u %u\n", run.count, run.batch);
    measure_total();
    measure_overhead();
    measure_latency();
    print("end\n");
    return mmio_faults() ? 1 : 0;
}
