/* SPDX-License-Identifier: MIT */
/*
 * A dma device at guest_device_base, on interrupt input irq_first_input, and an id device 4 KiB
 * above it, which a DMA must not reach.
 *
 * Command line: rounds=N copies (default 100), bytes=N: the longest (default 20000, at most
 * 131072), time=1: prints the guest's time at the end, the same in each run under QEMU's -icount.
 * chatter=N: writes to the device between the start of a copy and its end.
 * ram_mib=N: the memory of the machine (default 128). bench=N: nothing but N copies of 1 MiB, and
 * the time that they took.
 */
#include "check.h"
#include "dma_registers.h"
#include "id_registers.h"
#include "irq.h"

#define DMA (guest_device_base)
#define ID (guest_device_base + 0x1000)

enum { LIMIT_US = 1000000, ROOM = 131072, MARGIN = 16, BENCH_SIZE = 1 << 20 };

static uint8_t source[ROOM + 2 * MARGIN], target[ROOM + 2 * MARGIN], wanted[ROOM + 2 * MARGIN];
static unsigned chatter;
static volatile unsigned interrupts, done, errors;

static uint32_t get(unsigned offset)
{
    uint64_t value = 0;
    check_quiet(mmio_read(DMA + offset, 4, &value), "the device answers a read");
    return (uint32_t)value;
}

static void set(unsigned offset, uint32_t value)
{
    check_quiet(mmio_write(DMA + offset, 4, value), "the device answers a write");
}

static void on_interrupt(unsigned input)
{
    uint32_t why = get(DMA_INT_STATUS);
    set(DMA_INT_STATUS, why);
    get(DMA_INT_STATUS); /* a posted write has arrived when a read is answered: the line is down */
    done += (why & DMA_INT_STATUS_DONE) != 0;
    errors += (why & DMA_INT_STATUS_ERROR) != 0;
    interrupts += input == irq_first_input;
}

/* Starts a copy and waits for its interrupt. Returns the status, or busy when none came. */
static uint32_t copy(uint64_t to, uint64_t from, uint32_t length)
{
    unsigned before = interrupts;
    set(DMA_SRC, (uint32_t)from);
    set(DMA_SRC_HIGH, (uint32_t)(from >> 32));
    set(DMA_DST, (uint32_t)to);
    set(DMA_DST_HIGH, (uint32_t)(to >> 32));
    set(DMA_LENGTH, length);
    set(DMA_CTRL, DMA_CTRL_START | DMA_CTRL_INT_ENABLE);
    for (unsigned i = 0; i < chatter; i++)
        set(DMA_DATA_IN, i);
    if (!irq_wait(&interrupts, before + 1, LIMIT_US))
        return DMA_STATUS_BUSY;
    return get(DMA_STATUS);
}

static uint32_t random_number(void)
{
    static uint32_t state = 1;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint32_t random_below(uint32_t end)
{
    return (uint32_t)((uint64_t)random_number() * end >> 32);
}

/* What is around the copy must stay as it is. */
static bool copies_right(uint32_t from, uint32_t to, uint32_t length)
{
    const unsigned end = length + 2 * MARGIN;
    for (unsigned i = 0; i < end; i++) {
        source[i] = (uint8_t)random_number();
        wanted[i] = target[i] = (uint8_t)~source[i];
    }
    for (uint32_t i = 0; i < length; i++)
        wanted[to + i] = source[from + i];
    uint32_t status = copy((uintptr_t)target + to, (uintptr_t)source + from, length);
    for (unsigned i = 0; i < end; i++)
        if (target[i] != wanted[i])
            return false;
    return status == DMA_STATUS_DONE;
}

static void test_copies(void)
{
    static const uint32_t lengths[] = {1, 7, 4095, 4096, 4097, 65535, 65536, 65537, ROOM};
    uint32_t longest = (uint32_t)bootarg_u64("bytes", 20000);
    unsigned rounds = (unsigned)bootarg_u64("rounds", 100), right = 0;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        check(copies_right(i, 3 * i % MARGIN, lengths[i]), "copy: %u bytes", lengths[i]);
    for (unsigned i = 0; i < rounds; i++)
        right +=
            copies_right(random_below(MARGIN), random_below(MARGIN), random_below(longest + 1));
    check(right == rounds, "copy: %u of %u at random", right, rounds);
    check(copy((uintptr_t)target, (uintptr_t)source, 0) == DMA_STATUS_DONE, "copy: nothing");
    check(errors == 0 && done == interrupts, "copy: an interrupt each (%u)", interrupts);
}

static void expect_error(const char *what, uint64_t to, uint64_t from, uint32_t length)
{
    unsigned before = errors;
    uint32_t status = copy(to, from, length);
    check(status == DMA_STATUS_ERROR, "error: %s (status %u)", what, (unsigned)status);
    check(errors == before + 1, "error: %s interrupts", what);
}

/* Addresses that are nothing, and those that are something else than memory. */
static void test_errors(void)
{
    static uint8_t text[4] = "~~~";
#if defined(__i386__)
    const uintptr_t uart = 0xfec00000, nowhere = 0xe8000000, ram = 0; /* rather, the I/O APIC */
#elif defined(__riscv)
    const uintptr_t uart = 0x10000000, nowhere = 0x3000000, ram = 0x80000000;
#else
    const uintptr_t uart = 0x09000000, nowhere = 0x3000000, ram = 0x40000000;
#endif
    const uintptr_t ram_end = ram + (uintptr_t)(bootarg_u64("ram_mib", 128) << 20);
    uint64_t before = 0, after = 1;
    check(mmio_write(ID + ID_SCRATCH, 8, 0x1122334455667788) &&
              mmio_read(ID + ID_SCRATCH, 8, &before),
          "error: there is another device");
    expect_error("from nowhere", (uintptr_t)target, nowhere, 64);
    expect_error("to nowhere", nowhere, (uintptr_t)source, 64);
    expect_error("from across the end of memory", (uintptr_t)target, ram_end - 16, 17);
    expect_error("to across the end of memory", ram_end - 16, (uintptr_t)source, 17);
    check(copy((uintptr_t)target, ram_end - 16, 16) == DMA_STATUS_DONE, "error: up to the end");
    expect_error("beyond all memory", 0xfffffffffffffff0, (uintptr_t)source, 8);
    expect_error("past the end of the addresses", 0xfffffffffffffff0, (uintptr_t)source, 64);
    expect_error("to the console", uart, (uintptr_t)text, 1);
    expect_error("from the console", (uintptr_t)target, uart, 1);
    expect_error("to another device", ID + ID_SCRATCH, (uintptr_t)text, 4);
    expect_error("from another device", (uintptr_t)target, ID + ID_SCRATCH, 8);
    expect_error("to itself", DMA + DMA_CTRL, (uintptr_t)text, 4);
    check(mmio_read(ID + ID_SCRATCH, 8, &after) && after == before,
          "error: the other device is as it was");
    check(copies_right(1, 2, 300), "error: a copy after them");
}

/* Code that runs, is overwritten by a copy, and runs again as what it is then. */
static void test_code(void)
{
    static uint32_t code[2][2] __attribute__((aligned(4096))), place[2];
    bool right = true;
    for (unsigned i = 0; i < 2; i++) {
#if defined(__i386__)
        code[i][0] = 0xb8 | (11 + i) << 8; /* mov $11 + i, %eax */
        code[i][1] = 0xc300;               /* ret */
#elif defined(__arm__)
        code[i][0] = 0xe3a0000b + i; /* mov r0, #11 + i */
        code[i][1] = 0xe12fff1e;     /* bx lr */
#elif defined(__riscv)
        code[i][0] = 0x00000513 | (11 + i) << 20; /* li a0, 11 + i */
        code[i][1] = 0x00008067;                  /* ret */
#else
        code[i][0] = 0x52800000 | (11 + i) << 5; /* mov w0, 11 + i */
        code[i][1] = 0xd65f03c0;                 /* ret */
#endif
    }
    unsigned (*run)(void) = (unsigned (*)(void))(uintptr_t)place;
    for (unsigned i = 0; i < 20; i++) {
        right = right &&
                copy((uintptr_t)place, (uintptr_t)code[i % 2], sizeof(place)) == DMA_STATUS_DONE;
        irq_sync_code();
        for (unsigned times = 0; times < 100; times++)
            right = right && run() == 11 + i % 2;
    }
    check(right, "code: what was copied runs");
}

static int measure(unsigned copies)
{
    static uint8_t from[BENCH_SIZE], to[BENCH_SIZE];
    from[BENCH_SIZE - 1] = 1;
    uint64_t start = guest_now_ns();
    for (unsigned i = 0; i < copies; i++)
        check_quiet(copy((uintptr_t)to, (uintptr_t)from, BENCH_SIZE) == DMA_STATUS_DONE, "a copy");
    uint64_t end = guest_now_ns();
    check(to[BENCH_SIZE - 1] == 1, "bench: copied");
    print("bench %u MiB %llu ns\n", copies, (unsigned long long)(end - start));
    return check_summary("dma");
}

int guest_main(void)
{
    print("dma: at 0x%lx, input %u\n", (unsigned long)DMA, irq_first_input);
    chatter = (unsigned)bootarg_u64("chatter", 0);
    irq_start(on_interrupt);
    irq_enable(irq_first_input);
    set(DMA_INT_ENABLE, DMA_INT_STATUS_DONE | DMA_INT_STATUS_ERROR);
    unsigned copies = (unsigned)bootarg_u64("bench", 0);
    if (copies > 0)
        return measure(copies);
    test_copies();
    test_errors();
    test_code();
    if (bootarg_u64("time", 0))
        print("ended at %llu ns\n", (unsigned long long)guest_now_ns());
    return check_summary("dma");
}
