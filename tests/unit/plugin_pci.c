/* SPDX-License-Identifier: MIT */
/* A PCI device of the plugin's on a bus that is this test's: its configuration space, its BARs, its
 * interrupts, its transfers, and what resets it. */
#include "pci_machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "notes.h"
#include "refusal.h"
#include "trestle/le.h"

enum { COMMAND = 0x04, MASTER = 0x4, PM = 0x01, PM_CONTROL = 4, VENDOR = 0x09, EXPRESS = 0x10 };

static struct sst_device *dev;

static int setup(void **state)
{
    (void)state;
    pci_machine_clear();
    dev = pci_machine_add();
    return dev ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    pci_machine_free(dev);
    return 0;
}

static void realize(void)
{
    if (!pci_machine_realize(dev))
        fail_msg("%s", refusal);
    pci_machine_start();
    (void)notes_take();
}

static void set_line(uint32_t line, bool level)
{
    device_set_line(dev, line, level);
}

/* --- what it is ------------------------------------------------------------------------------ */

static void test_identity(void **state)
{
    (void)state;
    assert_int_equal(dev->on_error, ON_ERROR_ONES);
    assert_int_equal(dev->base, UINT64_MAX);
    dev->pci.subsystem_vendor = 0x1af4;
    dev->pci.subsystem = 0x1100;
    dev->pci.revision = 7;
    dev->pci.class_code = 0x020080;
    realize();
    const uint8_t *config = pci_machine.config;
    assert_int_equal(trestle_get_le16(config), 0x1234);
    assert_int_equal(trestle_get_le16(config + 2), 0x5354);
    assert_int_equal(config[0x08], 7);
    assert_int_equal(trestle_get_le32(config + 0x08) >> 8, 0x020080);
    assert_int_equal(trestle_get_le16(config + 0x2c), 0x1af4);
    assert_int_equal(trestle_get_le16(config + 0x2e), 0x1100);
    assert_int_equal(config[0x3d], 1);
    assert_int_equal(dev->num_irqs, 1);
    unsigned pm = pci_machine_capability(PM, 0);
    assert_int_equal(trestle_get_le16(config + pm + 2), 3);
    assert_int_equal(pci_machine.writable[pm + PM_CONTROL], 3);
    assert_int_equal(pci_machine_capability(EXPRESS, 0), 0);
}

static void test_no_lines(void **state)
{
    (void)state;
    dev->pci.vectors = 0;
    assert_true(pci_machine_realize(dev));
    check_log("check\nregisters 0: 4096 bytes\nbar 0 of type 0\n");
    assert_int_equal(pci_machine.config[0x3d], 0);
}

static void test_lines(void **state)
{
    (void)state;
    dev->pci.vectors = 3;
    assert_true(pci_machine_realize(dev));
    check_log("check\nregisters 0: 4096 bytes\nbar 0 of type 0\nmsix 3 in bar 4\nmsi 1\n"
              "vector 0\nvector 1\nvector 2\n");
    assert_int_equal(dev->num_irqs, 3);
}

/* As on boards that have no controller for messages. */
static void test_lines_without_messages(void **state)
{
    (void)state;
    pci_machine.has_no_msix = pci_machine.has_no_msi = true;
    assert_true(pci_machine_realize(dev));
    check_log("check\nregisters 0: 4096 bytes\nbar 0 of type 0\n");
    pci_machine.msix_is_on = pci_machine.msi_is_on = true; /* of another's */
    set_line(0, true);
    check_log("");
    assert_int_equal(pci_machine.inta, 1);
    pci_machine_unplug(dev);
    check_log("");
}

static void test_messages_that_nobody_wants(void **state)
{
    (void)state;
    dev->pci.no_msix = dev->pci.no_msi = true;
    assert_true(pci_machine_realize(dev));
    check_log("check\nregisters 0: 4096 bytes\nbar 0 of type 0\n");
}

static void test_express(void **state)
{
    (void)state;
    pci_machine.is_express = true;
    dev->pci.vectors = 0;
    assert_true(pci_machine_realize(dev));
    check_log("check\nregisters 0: 4096 bytes\nbar 0 of type 0\nflr\n");
    assert_int_equal(pci_machine_capability(EXPRESS, 0), 0x40);
    pci_machine_write(dev, 0x48, 0x8000, 2);
    check_log("flr 0x48 0x8000 2\n");
}

static void test_not_express(void **state)
{
    (void)state;
    realize();
    pci_machine_write(dev, 0x48, 0x8000, 2);
    check_log("");
}

/* --- BARs ------------------------------------------------------------------------------------ */

static void test_bars(void **state)
{
    (void)state;
    dev->size = 0x1001;
    dev->pci.sizes[1] = 100;
    dev->pci.bars[1] = PCI_BAR_IO;
    dev->pci.sizes[2] = 1;
    dev->pci.bars[2] = PCI_BAR_MEM64;
    assert_true(pci_machine_realize(dev));
    check_log("check\nregisters 0: 8192 bytes\nbar 0 of type 0\nregisters 1: 128 bytes\n"
              "bar 1 of type 1\nregisters 2: 4096 bytes\nbar 2 of type 4\nmsix 1 in bar 4\nmsi 1\n"
              "vector 0\n");
    assert_int_equal(dev->pci.num_regions, 3);
}

static void test_a_bar_behind_one_of_64_bits(void **state)
{
    (void)state;
    dev->pci.bars[0] = PCI_BAR_MEM64;
    dev->pci.sizes[1] = 16;
    dev->pci.bars[1] = PCI_BAR_IO;
    dev->pci.sizes[2] = 4096;
    dev->pci.bars[2] = PCI_BAR_MEM64;
    dev->pci.vectors = 2;
    assert_true(pci_machine_realize(dev));
    check_log("check\nregisters 0: 4096 bytes\nbar 0 of type 4\nregisters 1: 16 bytes\n"
              "bar 2 of type 1\nregisters 2: 4096 bytes\nbar 3 of type 4\nmsix 2 in bar 5\nmsi 1\n"
              "vector 0\nvector 1\n");
}

/* All see the same bytes, and nobody can take them away. */
static void test_a_bar_of_memory(void **state)
{
    long page = sysconf(_SC_PAGESIZE);
    char expected[200];
    (void)state;
    dev->pci.sizes[1] = (uint64_t)page + 1;
    dev->pci.are_memory[1] = true;
    dev->pci.vectors = 0;
    assert_true(pci_machine_realize(dev));
    snprintf(expected, sizeof(expected),
             "check\nregisters 0: 4096 bytes\nbar 0 of type 0\nmemory of %ld bytes\n"
             "bar 1 of type 0\n",
             2 * page);
    check_log(expected);
    int fd = dev->pci.memory_fds[1];
    assert_int_equal(ftruncate(fd, 1), -1);
    uint8_t *bytes = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    ((uint8_t *)pci_machine.memory)[page] = 7;
    assert_int_equal(bytes[page], 7);
    munmap(bytes, 2 * (size_t)page);
    munmap(pci_machine.memory, 2 * (size_t)page);
    free(pci_machine.memory_region);
    close(fd);
}

static void check_refused(const char *expected)
{
    assert_false(pci_machine_realize(dev));
    assert_non_null(strstr(refusal, ": "));
    assert_string_equal(strstr(refusal, ": ") + 2, expected);
}

static void test_regions_that_cannot_be(void **state)
{
    (void)state;
    dev->size = 0;
    check_refused("size is 0; it must be at least 1");
    dev->size = 1;
    dev->pci.sizes[2] = 1;
    check_refused("size2 is given, but not size1; number them without a gap");
    dev->pci.sizes[1] = 257;
    dev->pci.bars[1] = PCI_BAR_IO;
    check_refused("size1 is 0x101; a BAR of this kind has at most 0x100 bytes");
    dev->pci.sizes[1] = 256;
    dev->pci.are_memory[1] = true;
    check_refused("region 1 is memory, and its BAR is io; make the BAR mem or mem64");
    dev->pci.are_memory[1] = false;
    dev->size = (UINT64_C(1) << 31) + 1;
    check_refused("size is 0x80000001; a BAR of this kind has at most 0x80000000 bytes");
    dev->pci.bars[0] = PCI_BAR_MEM64;
    dev->pci.bars[1] = PCI_BAR_MEM;
    dev->size = 4096;
    dev->pci.sizes[3] = dev->pci.sizes[4] = 1;
    check_refused("its regions take 6 BARs, MSI-X one, and there are 6; a mem64 takes two: use "
                  "fewer of those, or leave MSI-X out");
    dev->pci.bars[1] = PCI_BAR_MEM64;
    dev->pci.no_msix = true;
    check_refused("its regions take 7 BARs, and there are 6; a mem64 takes two: use fewer of "
                  "those, or leave MSI-X out");
    dev->pci.bars[1] = PCI_BAR_MEM;
    assert_true(pci_machine_realize(dev)); /* just as many as there are */
}

/* Without lines there is no table of messages, either. */
static void test_as_many_regions_as_bars(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 6; i++)
        dev->pci.sizes[i] = 4096;
    check_refused("its regions take 6 BARs, MSI-X one, and there are 6; a mem64 takes two: use "
                  "fewer of those, or leave MSI-X out");
    dev->pci.vectors = 0;
    assert_true(pci_machine_realize(dev));
}

static void test_numbers_that_cannot_be(void **state)
{
    static const struct {
        size_t offset;
        const char *name;
        uint64_t max;
    } numbers[] = {
        {offsetof(struct pci_function, vendor), "vendor", 0xffff},
        {offsetof(struct pci_function, device), "device", 0xffff},
        {offsetof(struct pci_function, subsystem_vendor), "subsystem_vendor", 0xffff},
        {offsetof(struct pci_function, subsystem), "subsystem", 0xffff},
        {offsetof(struct pci_function, class_code), "class", 0xffffff},
        {offsetof(struct pci_function, revision), "revision", 0xff},
    };
    char expected[100];
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        uint64_t *number = (uint64_t *)(void *)((char *)&dev->pci + numbers[i].offset);
        uint64_t before = *number;
        *number = numbers[i].max + 1;
        snprintf(expected, sizeof(expected), "%s is 0x%" PRIx64 "; it must be at most 0x%" PRIx64,
                 numbers[i].name, numbers[i].max + 1, numbers[i].max);
        check_refused(expected);
        *number = before;
    }
    dev->pci.vendor = 0xffff;
    check_refused("vendor is 0xffff, which means that there is no device; use another");
    dev->pci.vendor = 0;
    check_refused("vendor is 0x0000, which means that there is no device; use another");
    dev->pci.vendor = 0xfffe;
    dev->pci.vectors = 65;
    check_refused("vectors is 65; it must be at most 64");
    dev->pci.vectors = 64;
    dev->protocol = 1;
    check_refused("only protocol 2 has PCI devices; leave protocol out");
}

static void test_qemus_that_cannot(void **state)
{
    (void)state;
    pci_machine.is_late = true;
    assert_false(pci_machine_realize(dev));
    assert_string_equal(refusal, "an sst-pci-device cannot be plugged into a running machine");
    pci_machine.is_late = false;
    pci_machine.has_no_config = true;
    check_refused("this plugin does not know where this QEMU keeps the configuration space");
    pci_machine.has_no_config = false;
    pci_machine.has_no_room = true;
    check_refused("QEMU refuses its capability of power management: no room");
    pci_machine.is_express = true;
    check_refused("QEMU refuses its capability of PCI Express: it does not say why");
}

static void test_a_qemu_without_pci(void **state)
{
    (void)state;
    pci_machine_clear();
    pci_machine.lacks = "it has no bus";
    assert_null(pci_machine_add());
    assert_string_equal(
        refusal, "this QEMU has no sst-pci-device: it has no bus; devices at addresses work");
    pci_machine.is_late = true; /* somebody may only ask for its properties */
    assert_null(pci_machine_add());
    check_log("say this QEMU has no sst-pci-device: it has no bus\n");
}

/* --- the vendor's capabilities --------------------------------------------------------------- */

static void test_capabilities_of_the_vendor(void **state)
{
    (void)state;
    dev->pci.vendor_capabilities = strdup("06a1A2fF0401");
    realize();
    unsigned last = pci_machine_capability(VENDOR, 0), first = pci_machine_capability(VENDOR, 1);
    assert_memory_equal(pci_machine.config + first + 2, "\6\xa1\xa2\xff\0", 6); /* and no more */
    assert_memory_equal(pci_machine.config + last + 2, "\4\1", 2);
    assert_int_equal(pci_machine_capability(VENDOR, 2), 0);
}

static void test_capabilities_that_cannot_be(void **state)
{
    static const char hex[] = "; it must be two hexadecimal digits for each of at most 96 bytes";
    char expected[400], text[2 * 97 + 1];
    static const char *const no_hex[] = {"0", "04 1", "0x04", "041g"};
    (void)state;
    memset(text, '0', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (unsigned i = 0; i < 5; i++) {
        pci_machine_free(dev);
        setup(NULL);
        dev->pci.vendor_capabilities = strdup(i < 4 ? no_hex[i] : text);
        snprintf(expected, sizeof(expected), "vendor_capabilities is '%s'%s",
                 dev->pci.vendor_capabilities, hex);
        check_refused(expected);
    }
    pci_machine_free(dev);
    setup(NULL);
    dev->pci.vendor_capabilities = strdup("02");
    check_refused("vendor_capabilities has a length of 2, where only 3 bytes are left");
    pci_machine_free(dev);
    setup(NULL);
    dev->pci.vendor_capabilities = strdup("050102");
    assert_true(pci_machine_realize(dev)); /* as long as it says */
    pci_machine_free(dev);
    setup(NULL);
    dev->pci.vendor_capabilities = strdup("060102");
    check_refused("vendor_capabilities has a length of 6, where only 5 bytes are left");
}

/* Each takes whole words of the configuration space. */
static void test_as_many_capabilities_as_there_is_room_for(void **state)
{
    char text[32 * 6 + 1];
    (void)state;
    for (int i = 0; i < 13; i++)
        strcpy(text + 6 * i, "050102");
    pci_machine.is_express = true;
    dev->pci.vendor_capabilities = strdup(text);
    check_refused("vendor_capabilities takes more than the 96 bytes that there are");
    pci_machine_free(dev);
    setup(NULL);
    pci_machine.is_express = true;
    text[12 * 6] = '\0';
    dev->pci.vendor_capabilities = strdup(text);
    assert_true(pci_machine_realize(dev));
}

#define WINDOW "140500000000000000000000000000000000" /* 20 bytes with its id and its link */

/* The BARs by way of the configuration space. */
static void test_a_window(void **state)
{
    (void)state;
    dev->pci.vendor = 0x1af4;
    dev->pci.sizes[1] = 4096;
    dev->pci.bars[0] = PCI_BAR_MEM64;
    dev->pci.vendor_capabilities = strdup(WINDOW);
    realize();
    unsigned at = pci_machine_capability(VENDOR, 0);
    pci_machine.registers = 0x44332211;
    pci_machine_write(dev, at + 4, 2, 1); /* the second region's */
    pci_machine_write(dev, at + 8, 0x10, 4);
    pci_machine_write(dev, at + 12, 2, 4);
    check_log("");
    assert_int_equal(pci_machine_read(dev, at + 16, 4), 0x2211);
    check_log("read 1+0x10/2\n");
    pci_machine_write(dev, at + 16, 0xabcd, 2);
    check_log("write 1+0x10/2 0xabcd\n");
    pci_machine_write(dev, at + 4, 0, 1);
    (void)pci_machine_read(dev, at + 15, 2); /* reaches into it */
    check_log("read 0+0x10/2\n");
    (void)pci_machine_read(dev, at + 12, 4); /* just in front of it */
    (void)pci_machine_read(dev, at + 20, 4); /* just behind it */
    pci_machine_write(dev, at + 4, 1, 1);    /* the upper half of a BAR */
    (void)pci_machine_read(dev, at + 16, 4);
    pci_machine_write(dev, at + 4, 0, 1);
    pci_machine_write(dev, at + 12, 3, 4);
    (void)pci_machine_read(dev, at + 16, 4);
    pci_machine_write(dev, at + 12, 4, 4);
    pci_machine_write(dev, at + 8, 0x12, 4);
    (void)pci_machine_read(dev, at + 16, 4);
    check_log("");
}

/* Memory has none, nor has another vendor's device. */
static void test_no_window(void **state)
{
    (void)state;
    dev->pci.vendor_capabilities = strdup(WINDOW);
    realize();
    unsigned at = pci_machine_capability(VENDOR, 0);
    pci_machine_write(dev, at + 12, 4, 4);
    (void)pci_machine_read(dev, at + 16, 4);
    assert_int_equal(pci_machine_read(dev, at + 12, 4), 0);
    check_log("");
}

/* --- interrupts ------------------------------------------------------------------------------ */

static void test_inta(void **state)
{
    (void)state;
    dev->pci.vectors = 2;
    realize();
    set_line(0, true);
    set_line(1, true);
    set_line(0, false);
    assert_int_equal(pci_machine.inta, 1); /* any of them */
    set_line(1, false);
    assert_int_equal(pci_machine.inta, 0);
    check_log("");
}

static void test_msix(void **state)
{
    (void)state;
    dev->pci.vectors = 3;
    realize();
    pci_machine.msix_is_on = true;
    set_line(2, true);
    set_line(2, true);
    set_line(0, true);
    set_line(2, false);
    set_line(2, true);
    check_log("msix 2\nmsix 0\nmsix 2\n");
    assert_int_equal(pci_machine.inta, 0);
    dev->bus->set_anew(dev);
    check_log("msix 0\nmsix 2\n");
}

static void test_msi(void **state)
{
    (void)state;
    dev->pci.vectors = 3;
    realize();
    pci_machine.msi_is_on = true;
    set_line(2, true);
    set_line(1, true);
    set_line(2, false);
    check_log("msi 0\nmsi 0\n");
    pci_machine_unplug(dev);
    check_log("end of msix\nend of msi\n");
    set_line(2, true); /* it is gone */
    check_log("");
}

/* A line that is high when the guest changes from one kind to the other is not lost. */
static void test_from_one_kind_to_the_other(void **state)
{
    (void)state;
    dev->pci.vectors = 3;
    realize();
    set_line(0, true);
    set_line(2, true);
    pci_machine.next_msix_is_on = true;
    pci_machine_write(dev, 0x60, 0, 4);
    check_log("msix 0\nmsix 2\n");
    assert_int_equal(pci_machine.inta, 0);
    pci_machine_write(dev, 0x60, 0, 4); /* nothing changes */
    check_log("");
    pci_machine.next_msix_is_on = false;
    pci_machine_write(dev, 0x60, 0, 4);
    check_log("");
    assert_int_equal(pci_machine.inta, 1);
    set_line(0, false);
    set_line(2, false);
    pci_machine.next_msix_is_on = true;
    pci_machine_write(dev, 0x60, 0, 4);
    pci_machine.next_msix_is_on = false;
    pci_machine_write(dev, 0x60, 0, 4);
    assert_int_equal(pci_machine.inta, 0);
    check_log("");
}

/* --- transfers ------------------------------------------------------------------------------- */

static void allow(uint32_t command)
{
    pci_machine.writable[COMMAND] = 0xff;
    pci_machine_write(dev, COMMAND, command, 2);
}

static void test_transfers(void **state)
{
    uint8_t buf[8];
    (void)state;
    realize();
    assert_int_equal(dev->bus->copy(dev, true, 0x80000000, buf, 8), -EFAULT);
    check_log("");
    allow(MASTER);
    check_log("direct 1\n");
    assert_int_equal(dev->bus->copy(dev, true, 0x80000000, buf, 8), 0);
    assert_int_equal(dev->bus->copy(dev, false, 0x80000010, buf, 4), 0);
    check_log("store memory 0x80000000 8\nfetch memory 0x80000010 4\n");
    pci_machine.has_iommu = true;
    allow(MASTER);
    check_log("direct 0\n");
    assert_int_equal(dev->bus->copy(dev, true, 0x80000000, buf, 8), 0);
    check_log("store iommu 0x80000000 8\n");
    pci_machine.has_iommu = false;
    allow(MASTER);
    allow(0);
    check_log("direct 1\ndirect 0\n");
    allow(MASTER);
    pci_machine_unplug(dev);
    check_log("direct 1\ndirect 0\nend of msix\nend of msi\n");
    assert_int_equal(dev->bus->copy(dev, true, 0x80000000, buf, 8), -EFAULT);
}

/* Nothing could stop a transfer while an access is under way. */
static void test_no_direct_transfers_with_the_lock_released(void **state)
{
    uint8_t buf[8];
    (void)state;
    dev->release_lock = true;
    realize();
    allow(MASTER);
    check_log("");
    assert_int_equal(dev->bus->copy(dev, true, 0x80000000, buf, 8), 0);
    check_log("store memory 0x80000000 8\n");
}

/* --- power and resets ------------------------------------------------------------------------ */

static void set_power(uint32_t power)
{
    pci_machine_write(dev, pci_machine_capability(PM, 0) + PM_CONTROL, power, 2);
}

static void test_power(void **state)
{
    uint8_t buf[8];
    (void)state;
    realize();
    allow(MASTER);
    set_line(0, true);
    (void)notes_take();
    set_power(2); /* not yet */
    assert_false(dev->is_asleep);
    assert_int_equal(pci_machine.inta, 1);
    set_power(3);
    assert_true(dev->is_asleep);
    assert_int_equal(pci_machine.inta, 0);
    check_log("direct 0\n");
    set_line(0, false);
    set_line(0, true);
    assert_int_equal(pci_machine.inta, 0);
    assert_int_equal(dev->bus->copy(dev, true, 0x80000000, buf, 8), -EFAULT);
    set_power(3);
    check_log("");
    set_power(0);
    assert_false(dev->is_asleep);
    check_log("reset by power\nreset of the device\ndirect 1\n");
}

static void test_resets(void **state)
{
    (void)state;
    realize();
    allow(MASTER);
    set_power(3);
    (void)notes_take();
    pci_machine_reset(dev); /* all of the machine: the device hears of it by its session */
    check_log("");
    assert_false(dev->is_asleep);
    assert_int_equal(pci_machine.config[pci_machine_capability(PM, 0) + PM_CONTROL], 0);
    allow(MASTER);
    check_log("direct 1\n");
    pci_machine_reset_alone(dev);
    check_log("direct 0\nreset of the device\n");
    pci_machine_unplug(dev);
    (void)notes_take();
    pci_machine_reset_alone(dev);
    check_log("");
}

/* Before the machine is complete QEMU resets what it adds. */
static void test_resets_of_what_is_not_there_yet(void **state)
{
    (void)state;
    pci_machine_reset_alone(dev);
    assert_true(pci_machine_realize(dev));
    (void)notes_take();
    check_log("");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_resets_of_what_is_not_there_yet),
        TEST(test_identity),
        TEST(test_no_lines),
        TEST(test_lines),
        TEST(test_lines_without_messages),
        TEST(test_messages_that_nobody_wants),
        TEST(test_express),
        TEST(test_not_express),
        TEST(test_bars),
        TEST(test_a_bar_behind_one_of_64_bits),
        TEST(test_a_bar_of_memory),
        TEST(test_regions_that_cannot_be),
        TEST(test_as_many_regions_as_bars),
        TEST(test_numbers_that_cannot_be),
        TEST(test_qemus_that_cannot),
        cmocka_unit_test(test_a_qemu_without_pci),
        TEST(test_capabilities_of_the_vendor),
        TEST(test_capabilities_that_cannot_be),
        TEST(test_as_many_capabilities_as_there_is_room_for),
        TEST(test_a_window),
        TEST(test_no_window),
        TEST(test_inta),
        TEST(test_msix),
        TEST(test_msi),
        TEST(test_from_one_kind_to_the_other),
        TEST(test_transfers),
        TEST(test_no_direct_transfers_with_the_lock_released),
        TEST(test_power),
        TEST(test_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
