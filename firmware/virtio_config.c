/* SPDX-License-Identifier: MIT */
/*
 * A virtio device (a source of entropy) through its configuration space alone, as firmware drives
 * one whose BARs it cannot reach: reads and writes of each width, the same registers in the BAR,
 * and what cannot be.
 */
#include "check.h"
#include "pci.h"

enum {
    RNG_PCI_ID = 0x10441af4,
    VENDOR_CAPABILITY = 9,
    COMMON = 1, /* types of the capabilities */
    WINDOW = 5,
    PLACE_BAR = 4, /* in each: 8 bits; then 32 each */
    PLACE_OFFSET = 8,
    PLACE_LENGTH = 12,
    DATA = 16,
    DEVICE_FEATURE_SELECT = 0x00, /* registers */
    DEVICE_FEATURE = 0x04,
    NUM_QUEUES = 0x12,
    DEVICE_STATUS = 0x14,
    QUEUE_DESC = 0x20,
    ACKNOWLEDGE = 1,
    DRIVER = 2,
    POWER_CONTROL = 4,
    D3 = 3,
};

static unsigned rng, window, bar;

/* Where the capability of a virtio device is that has this type, or 0. */
static unsigned find(unsigned type)
{
    unsigned at = pci_get(rng, PCI_CAPABILITIES) & 0xfc;
    for (unsigned i = 0; at != 0 && i < 48; i++) {
        uint32_t head = pci_get(rng, at);
        if ((head & 0xff) == VENDOR_CAPABILITY && head >> 24 == type)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

static void aim(unsigned at_bar, uint32_t offset, uint32_t length)
{
    pci_set(rng, window + PLACE_BAR, at_bar);
    pci_set(rng, window + PLACE_OFFSET, offset);
    pci_set(rng, window + PLACE_LENGTH, length);
}

static uint32_t get(uint32_t offset, uint32_t length)
{
    aim(bar, offset, length);
    return pci_get(rng, window + DATA);
}

static void set(uint32_t offset, uint32_t length, uint32_t value)
{
    aim(bar, offset, length);
    pci_set(rng, window + DATA, value);
}

static void test_widths(void)
{
    check((get(DEVICE_STATUS, 1) & 0xff) == 0, "a byte is read");
    set(DEVICE_STATUS, 1, ACKNOWLEDGE | DRIVER);
    check((get(DEVICE_STATUS, 1) & 0xff) == (ACKNOWLEDGE | DRIVER), "and written");
    check((get(NUM_QUEUES, 2) & 0xffff) == 1, "two bytes are read");
    set(DEVICE_FEATURE_SELECT, 4, 1);
    check(get(DEVICE_FEATURE, 4) == 3, "four bytes are written, and read");
    set(QUEUE_DESC, 4, 0x12345678);
    check(get(QUEUE_DESC, 4) == 0x12345678, "half of a register is");
}

/* In the BAR, which none of this needed. */
static void test_the_same(void)
{
    uint64_t size = 0, value = 0;
    uintptr_t registers = pci_bar(rng, bar, &size);
    pci_set(rng, PCI_COMMAND, PCI_COMMAND_MEMORY);
    check(mmio_read(registers + DEVICE_STATUS, 1, &value) && value == (ACKNOWLEDGE | DRIVER),
          "the BAR has the same registers");
    mmio_write(registers + DEVICE_STATUS, 1, 0);
    check((get(DEVICE_STATUS, 1) & 0xff) == 0, "and the window what is written there");
}

/* Nothing is reached, and the data stays what it was. */
static void test_nothing(void)
{
    static const struct {
        uint32_t bar, offset, length;
    } nothing[] = {{7, 0, 4}, {5, 0, 4}, {255, 0, 4}, {0, 0, 0},
                   {0, 0, 3}, {0, 0, 8}, {0, 2, 4},   {0, 0, UINT32_MAX}};
    unsigned right = 0;
    for (unsigned i = 0; i < sizeof(nothing) / sizeof(*nothing); i++) {
        aim(nothing[i].bar, nothing[i].offset, nothing[i].length);
        pci_set(rng, window + DATA, 0x5a5a0000 | i);
        right += pci_get(rng, window + DATA) == (0x5a5a0000 | i);
    }
    check(right == sizeof(nothing) / sizeof(*nothing), "a window of nothing is nothing");
    check(get(0xfffffffc, 4) == UINT32_MAX, "all ones behind the end of a BAR");
    check((get(NUM_QUEUES, 2) & 0xffff) == 1, "and it is there again");
}

static void test_asleep(void)
{
    unsigned power = pci_capability(rng, PCI_CAPABILITY_PM) + POWER_CONTROL;
    pci_set(rng, power, D3);
    check(get(DEVICE_FEATURE, 4) == UINT32_MAX, "all ones in D3");
    pci_set(rng, power, 0);
    check((get(NUM_QUEUES, 2) & 0xffff) == 1, "and awake again");
}

int guest_main(void)
{
    int found = pci_find(RNG_PCI_ID);
    if (!check(found != PCI_NONE, "found"))
        return check_summary("virtio_config");
    rng = (unsigned)found;
    window = find(WINDOW);
    unsigned common = find(COMMON);
    if (check(window != 0 && common != 0, "there are a window and registers")) {
        bar = pci_get(rng, common + PLACE_BAR) & 0xff;
        pci_set(rng, PCI_COMMAND, 0);
        test_widths();
        test_the_same();
        test_nothing();
        test_asleep();
    }
    return check_summary("virtio_config");
}
