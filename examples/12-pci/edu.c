/* SPDX-License-Identifier: MIT */
/*
 * The model edu as a PCI device: it is found, and gets addresses; then factorials, interrupts and
 * DMA, with and without the right to be a bus master, resets of the device alone, and a BAR that
 * moves: to where nothing is, over RAM, over the device's own table of MSI-X, and over a second
 * edu, if there is one.
 *
 * Command line: irq=msix, irq=msi or irq=intx (the default). rounds=N of DMA (default 20).
 * interrupts=N more of them (default 100). time=1: prints the guest's time at the end.
 * conventional=1: the bus is not PCI Express.
 */
#include "check.h"
#include "irq.h"
#include "pci.h"

enum {
    EDU_PCI_ID = 0x11e81234,
    ID = 0x00,
    LIVENESS = 0x04,
    FACTORIAL = 0x08,
    STATUS = 0x20,
    IRQ_STATUS = 0x24,
    IRQ_RAISE = 0x60,
    IRQ_ACK = 0x64,
    DMA_SRC = 0x80,
    DMA_DST = 0x88,
    DMA_COUNT = 0x90,
    DMA_CMD = 0x98,
    STATUS_COMPUTING = 0x01,
    STATUS_INTERRUPT = 0x80,
    START = 1,
    TO_RAM = 2,
    INTERRUPT = 4,
    BUFFER = 0x40000,
    BYTES = 4096,
    SIZE = 0x100000, /* of BAR 0 */
    DEVICE_CAPABILITIES = 4,
    CAN_RESET = 1 << 28,
    DEVICE_CONTROL = 8,
    FUNCTION_RESET = 1 << 15,
    POWER_CONTROL = 4,
    D3 = 3,
    LIMIT_US = 1000000,
};

static unsigned edu;
static int bridge;
static uintptr_t registers;
static volatile unsigned interrupts, reasons;
static uint8_t source[BYTES], target[BYTES];

static uint32_t get(unsigned offset)
{
    uint64_t value = 0;
    check_quiet(mmio_read(registers + offset, 4, &value), "the device answers a read");
    return (uint32_t)value;
}

static void set(unsigned offset, uint32_t value)
{
    check_quiet(mmio_write(registers + offset, 4, value), "the device answers a write");
}

static void set_addr(unsigned offset, uint64_t value)
{
    set(offset, (uint32_t)value);
    set(offset + 4, (uint32_t)(value >> 32));
}

static void on_interrupt(unsigned input)
{
    (void)input;
    uint32_t why = get(IRQ_STATUS);
    set(IRQ_ACK, why);
    reasons = why;
    interrupts++;
}

/* What the device has to know of its interrupts. */
static bool aim_interrupts(unsigned *ret_input)
{
    uint32_t addr = 0, data = 0;
    bool is_msix = bootarg_is("irq", "msix"), is_msi = bootarg_is("irq", "msi");
    *ret_input = pci_intx_input(edu);
    if ((is_msix || is_msi) && !pci_message(&addr, &data, ret_input))
        return false;
    return is_msix  ? pci_start_msix(edu, addr, data)
           : is_msi ? pci_start_msi(edu, addr, data)
                    : true;
}

static bool start_interrupts(void)
{
    unsigned input;
    if (!aim_interrupts(&input))
        return false;
    irq_start(on_interrupt);
    irq_enable(input);
    return true;
}

static void test_registers(void)
{
    check(get(ID) == 0x010000ed, "registers: id");
    set(LIVENESS, 0x12345678);
    check(get(LIVENESS) == ~0x12345678u, "registers: alive");
    set(FACTORIAL, 10);
    check(wait_for(registers + STATUS, STATUS_COMPUTING, 0), "registers: computed");
    check(get(FACTORIAL) == 3628800, "registers: 10!");
}

static void test_interrupts(void)
{
    unsigned before = interrupts;
    uint32_t count = (uint32_t)bootarg_u64("interrupts", 100), right = 0;
    set(STATUS, STATUS_INTERRUPT);
    set(FACTORIAL, 5);
    check(irq_wait(&interrupts, before + 1, LIMIT_US) && reasons == 1, "interrupt: of a factorial");
    check(get(FACTORIAL) == 120, "interrupt: 5!");
    set(STATUS, 0);
    before = interrupts;
    for (uint32_t i = 1; i <= count; i++) {
        set(IRQ_RAISE, i);
        if (!irq_wait(&interrupts, before + i, LIMIT_US))
            break;
        right += reasons == i;
    }
    check(right == count, "interrupt: %u of %u that were raised", right, count);
    check(interrupts == before + count, "interrupt: none that nobody asked for");
}

/* True when its interrupt has come. */
static bool move(uint64_t from, uint64_t to, uint32_t bytes, uint32_t command)
{
    unsigned before = interrupts;
    set_addr(DMA_SRC, from);
    set_addr(DMA_DST, to);
    set_addr(DMA_COUNT, bytes);
    set(DMA_CMD, START | INTERRUPT | command);
    return irq_wait(&interrupts, before + 1, LIMIT_US) && reasons == 0x100;
}

static bool is_same(void)
{
    for (unsigned i = 0; i < BYTES; i++)
        if (source[i] != target[i])
            return false;
    return true;
}

static void test_dma(void)
{
    uint32_t rounds = (uint32_t)bootarg_u64("rounds", 20), good = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < BYTES; i++)
            source[i] = (uint8_t)(i * 7 + i / 256 + round);
        good += move((uintptr_t)source, BUFFER, BYTES, 0) &&
                move(BUFFER, (uintptr_t)target, BYTES, TO_RAM) && is_same();
    }
    check(good == rounds, "dma: %u of %u rounds", good, rounds);
}

static void test_mastering(void)
{
    target[0] = (uint8_t)~source[0];
    pci_set(edu, PCI_COMMAND, PCI_COMMAND_MEMORY);
    check(get(ID) == 0x010000ed, "mastering: registers without it");
    set_addr(DMA_SRC, BUFFER);
    set_addr(DMA_DST, (uintptr_t)target);
    set(DMA_CMD, START | TO_RAM);
    check(wait_for(registers + DMA_CMD, START, 0), "mastering: a DMA without it ends");
    check(target[0] == (uint8_t)~source[0], "mastering: and has written nothing");
    pci_set(edu, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    check(move(BUFFER, (uintptr_t)target, BYTES, TO_RAM) && is_same(), "mastering: again with it");
    check(move(BUFFER, 0xfffffffff000, 64, TO_RAM), "mastering: a DMA to no memory ends");
}

/* Messages to nowhere disturb nobody, and are lost. */
static void test_nonsense(void)
{
    uint32_t addr = 0, data = 0;
    unsigned input, before = interrupts;
    if (!bootarg_is("irq", "msix") || !pci_message(&addr, &data, &input))
        return;
    pci_start_msix(edu, 0xdeadbeec, UINT32_MAX);
    set(IRQ_RAISE, 1);
    check(!irq_wait(&interrupts, before + 1, 100), "nonsense: no interrupt");
    set(IRQ_ACK, 1);
    pci_start_msix(edu, addr, data);
    set(IRQ_RAISE, 2);
    check(irq_wait(&interrupts, before + 1, LIMIT_US) && reasons == 2, "nonsense: over");
}

/* Not there while it has no addresses, over another device's, and where it was. */
static void test_moving(void)
{
    uint32_t was = pci_get(edu, PCI_BAR0), command = pci_get(edu, PCI_COMMAND);
    uint64_t value = 0;
    pci_set(edu, PCI_COMMAND, 0);
    bool answered = mmio_read(registers, 4, &value);
    check(!answered || value != 0x010000ed, "moving: nothing without decoding");
    pci_set(edu, PCI_COMMAND, command);
    pci_set(edu, PCI_BAR0, 0xfffffff0);
    pci_set(edu, PCI_BAR0, 0);
    pci_set(edu, PCI_BAR0, was + 0x100000);
    check(mmio_read(registers + 0x100000, 4, &value) && value == 0x010000ed, "moving: elsewhere");
    pci_set(edu, PCI_BAR0, was);
    check(get(ID) == 0x010000ed, "moving: back again");
}

static void put_bar(uintptr_t addr)
{
    pci_set(edu, PCI_BAR0, (uint32_t)addr);
}

/* RAM is RAM with a BAR over it, too. */
static void test_over_ram(void)
{
    volatile uint8_t *ram = target;
    uint8_t sum = 0;
    put_bar((uintptr_t)target & ~(uintptr_t)(SIZE - 1));
    for (unsigned i = 0; i < BYTES; i++)
        ram[i] = (uint8_t)(i * 5);
    for (unsigned i = 0; i < BYTES; i++)
        sum |= ram[i] ^ (uint8_t)(i * 5);
    put_bar(registers);
    check(sum == 0, "over RAM: it holds what is written");
    check(get(ID) == 0x010000ed, "over RAM: back again");
}

static void test_over_own_table(void)
{
    uint64_t was = 0, value = 0, is = 1;
    unsigned count;
    uintptr_t table = pci_msix_table(edu, &count);
    if (table == 0)
        return;
    check_quiet(mmio_read(table + 8, 4, &was), "the table answers");
    uintptr_t over = table & ~(uintptr_t)(SIZE - 1);
    put_bar(over);
    mmio_read(over + ID, 4, &value); /* which of the two answers is the bus's business */
    put_bar(registers);
    check(mmio_read(table + 8, 4, &is) && is == was, "over the own table: it is as it was");
    check(get(ID) == 0x010000ed, "over the own table: back again");
}

/* 0: there is no second one. */
static uintptr_t find_other(void)
{
    uint64_t size = 0;
    unsigned other = edu + 1;
    while (other < 256 && pci_get(other, PCI_ID) != EDU_PCI_ID)
        other++;
    if (other >= 256)
        return 0;
    pci_set(other, PCI_COMMAND, PCI_COMMAND_MEMORY);
    return pci_bar(other, 0, &size);
}

/* One of two that are at one address answers, and the other does not notice. */
static void test_over_other(void)
{
    uint64_t value = 0;
    uintptr_t there = find_other();
    if (there == 0)
        return;
    set(LIVENESS, 1);
    check_write(there + LIVENESS, 4, 2, "over another: it answers");
    put_bar(there);
    check_write(there + LIVENESS, 4, 3, "over another: one of the two answers");
    put_bar(registers);
    uint32_t ours = ~get(LIVENESS);
    check(mmio_read(there + LIVENESS, 4, &value), "over another: back again");
    uint32_t theirs = ~(uint32_t)value;
    check((ours == 3 && theirs == 2) || (ours == 1 && theirs == 3),
          "over another: and that one alone (%u, %u)", ours, theirs);
}

/* --- resets ---------------------------------------------------------------------------------- */

static void reset_function(void)
{
    unsigned at = pci_capability(edu, PCI_CAPABILITY_EXPRESS) + DEVICE_CONTROL;
    pci_set(edu, at, (pci_get(edu, at) & 0xffff) | FUNCTION_RESET);
}

/* To D3, where nothing of it is there, and back to D0. */
static void reset_by_power(void)
{
    uint64_t value = 0;
    unsigned at = pci_capability(edu, PCI_CAPABILITY_PM) + POWER_CONTROL;
    pci_set(edu, at, D3);
    check((pci_get(edu, at) & D3) == D3, "resets: in D3");
    bool answered = mmio_read(registers + ID, 4, &value);
    check(!answered || value == UINT32_MAX, "resets: nothing is there in D3");
    mmio_write(registers + LIVENESS, 4, 0x33);
    pci_set(edu, at, 0);
}

static void reset_by_bus(void)
{
    pci_reset_bus((unsigned)bridge);
}

/* The model and the configuration space are as at the start, and work again. */
static void test_reset(const char *name, void (*reset)(void))
{
    uint64_t value = 0;
    uint32_t bars[6];
    uintptr_t other = find_other();
    unsigned input, before = interrupts;
    set(LIVENESS, 0x11);
    if (other)
        mmio_write(other + LIVENESS, 4, 0x22);
    set(FACTORIAL, 8);
    for (unsigned i = 0; i < 6; i++)
        bars[i] = pci_get(edu, PCI_BAR0 + 4 * i);
    reset();
    check((pci_get(edu, PCI_COMMAND) & 7) == 0, "resets: the bus's part, by %s", name);
    for (unsigned i = 0; i < 6; i++)
        pci_set(edu, PCI_BAR0 + 4 * i, bars[i]);
    pci_set(edu, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    check(get(LIVENESS) == 0 && get(STATUS) == 0, "resets: the model, by %s", name);
    check(aim_interrupts(&input), "resets: interrupts, by %s", name);
    set(IRQ_RAISE, 7);
    check(irq_wait(&interrupts, before + 1, LIMIT_US) && reasons == 7, "resets: again, after %s",
          name);
    if (other)
        check(mmio_read(other + LIVENESS, 4, &value) && (uint32_t)value == ~0x22u,
              "resets: not the other one, by %s", name);
}

static void test_resets(void)
{
    unsigned express = pci_capability(edu, PCI_CAPABILITY_EXPRESS);
    if (express && (pci_get(edu, express + DEVICE_CAPABILITIES) & CAN_RESET))
        test_reset("FLR", reset_function);
    test_reset("D3", reset_by_power);
    if (edu > 255)
        test_reset("its bus", reset_by_bus);
}

int guest_main(void)
{
    bridge = pci_open_bridge();
    int found = pci_find(EDU_PCI_ID);
    uint64_t size = 0;
    if (!check(found != PCI_NONE, "pci: found"))
        return check_summary("edu");
    edu = (unsigned)found;
    check((pci_capability(edu, PCI_CAPABILITY_EXPRESS) != 0) != bootarg_u64("conventional", 0),
          "pci: PCI Express where the bus is");
    check(pci_get(edu, PCI_CLASS) == 0x00ff0010, "pci: class and revision");
    registers = pci_bar(edu, 0, &size);
    check(registers != 0 && size == SIZE, "pci: BAR 0 of 1 MiB");
    print("edu: slot %u, BAR 0 at 0x%lx\n", edu >> 3, (unsigned long)registers);
    unsigned count;
    if (pci_capability(edu, PCI_CAPABILITY_MSIX))
        check(pci_msix_table(edu, &count) != 0, "pci: BAR of MSI-X");
    pci_set(edu, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    test_registers();
    if (check(start_interrupts(), "interrupts: started")) {
        test_interrupts();
        test_dma();
        test_mastering();
        test_nonsense();
        test_resets();
    }
    test_moving();
    test_over_ram();
    test_over_own_table();
    test_over_other();
    if (bootarg_u64("time", 0))
        print("ended at %llu ns\n", (unsigned long long)guest_now_ns());
    return check_summary("edu");
}
