/* SPDX-License-Identifier: MIT */
/*
 * The vendor's capabilities of a PCI device, as digits in a property, and what its guest does in
 * the configuration space then, where one of them may be a window to the registers. The first byte
 * says what the bus is like, the digits end with a newline, and the guest's accesses follow.
 */
#include "../unit/notes.h"
#include "../unit/pci_machine.h"
#include "../unit/refusal.h"
#include "fuzz.h"

enum { VENDOR = 0x09, STEPS_MAX = 500 };

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* What the digits say is there, each after its id and the place of the next. */
static void check_capabilities(const char *text)
{
    unsigned count = 0, at = 0;
    for (const char *next = text; *next; count++)
        next += 2 * (16 * digit(next[0]) + digit(next[1]) - 2);
    /* QEMU puts each in front of the others. */
    for (unsigned left = count; left-- > 0;) {
        at = pci_machine_capability(VENDOR, left);
        FUZZ_REQUIRE(at != 0);
        unsigned size = 16 * digit(text[0]) + digit(text[1]) - 2;
        for (unsigned i = 0; i < size; i++, text += 2)
            FUZZ_REQUIRE(pci_machine.config[at + 2 + i] == 16 * digit(text[0]) + digit(text[1]));
    }
    FUZZ_REQUIRE(pci_machine_capability(VENDOR, count) == 0);
}

static void step(struct sst_device *dev, struct fuzz_input *in)
{
    uint8_t byte = fuzz_byte(in);
    int length = 1 << (byte & 3) % 3;
    uint32_t address = fuzz_byte(in) & ~((uint32_t)length - 1);
    pci_machine.registers = 0x89abcdef;
    if (byte & 0x80)
        pci_machine_write(dev, address, (uint32_t)fuzz_number(in, (unsigned)length), length);
    else
        (void)pci_machine_read(dev, address, length);
    (void)notes_take();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    uint8_t kind = fuzz_byte(&in);
    const uint8_t *end = memchr(in.next, '\n', (size_t)(in.end - in.next));
    size_t length = (size_t)((end ? end : in.end) - in.next);
    char *text = strndup((const char *)in.next, length), *copy = strdup(text);
    in.next += length;
    pci_machine_clear();
    pci_machine.is_express = kind & 1;
    pci_machine.has_no_msix = kind & 2;
    pci_machine.has_no_msi = kind & 4;
    struct sst_device *dev = pci_machine_add();
    dev->pci.vendor = kind & 8 ? 0x1234 : 0x1af4;
    dev->pci.sizes[1] = kind & 16 ? 4096 : 0;
    dev->pci.vendor_capabilities = text;
    pci_machine_start();
    if (pci_machine_realize(dev)) {
        check_capabilities(copy);
        for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++)
            step(dev, &in);
    } else {
        FUZZ_REQUIRE(refusal[0]);
    }
    pci_machine_free(dev);
    free(copy);
    return 0;
}
