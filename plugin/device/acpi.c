/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes an SSDT that has the devices, in ACPI's machine language (AML). */
#include "plugin/device/acpi.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugin/device/device.h"
#include "plugin/device/dts.h"
#include "plugin/device/irq.h"
#include "plugin/qemu/qemu_abi.h"
#include "plugin/qemu/say.h"

enum { HEADER = 36, TABLE_MAX = 256 << 10, ELEMENTS_MAX = 255 };
enum { ZERO_OP = 0x00, ONE_OP = 0x01, NAME_OP = 0x08, BYTE = 0x0a, WORD = 0x0b, DWORD = 0x0c };
enum { STRING = 0x0d, QWORD = 0x0e, SCOPE_OP = 0x10, BUFFER_OP = 0x11, PACKAGE_OP = 0x12 };
enum { EXTENDED = 0x5b, DEVICE_OP = 0x82, ROOT = '\\' };

/* Bytes that do not fit are not written. The caller finds that out at the end. */
struct aml {
    uint8_t bytes[TABLE_MAX];
    size_t length;
};

static void put(struct aml *aml, const void *bytes, size_t length)
{
    if (length <= TABLE_MAX - aml->length)
        memcpy(aml->bytes + aml->length, bytes, length);
    aml->length = length <= TABLE_MAX - aml->length ? aml->length + length : TABLE_MAX;
}

static void put_byte(struct aml *aml, unsigned byte)
{
    const uint8_t bytes[] = {(uint8_t)byte};
    put(aml, bytes, 1);
}

static void put_le(struct aml *aml, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        put_byte(aml, value >> 8 * i & 0xff);
}

static void put_string(struct aml *aml, const char *string)
{
    put_byte(aml, STRING);
    put(aml, string, strlen(string) + 1);
}

static void put_number(struct aml *aml, uint64_t number)
{
    unsigned size = number > UINT32_MAX ? 8 : number > UINT16_MAX ? 4 : number > UINT8_MAX ? 2 : 1;
    if (number <= 1) {
        put_byte(aml, number ? ONE_OP : ZERO_OP);
        return;
    }
    put_byte(aml, size == 8 ? QWORD : size == 4 ? DWORD : size == 2 ? WORD : BYTE);
    put_le(aml, number, size);
}

static void put_name(struct aml *aml, const char *name)
{
    put_byte(aml, NAME_OP);
    put(aml, name, 4);
}

/* Fills in what was left open. */
static void set_byte(struct aml *aml, size_t at, size_t byte)
{
    if (at < TABLE_MAX)
        aml->bytes[at] = (uint8_t)byte;
}

/* Begins a part that has its length in front. The length always takes four bytes, which
 * close_length() fills in. */
static size_t open_length(struct aml *aml)
{
    size_t at = aml->length;
    put_le(aml, 0, 4);
    return at;
}

static void close_length(struct aml *aml, size_t at)
{
    size_t length = aml->length - at;
    set_byte(aml, at, 0xc0 | (length & 0xf));
    for (unsigned i = 1; i < 4; i++)
        set_byte(aml, at + i, length >> (8 * i - 4));
}

static size_t open_package(struct aml *aml, unsigned elements)
{
    put_byte(aml, PACKAGE_OP);
    size_t at = open_length(aml);
    put_byte(aml, elements);
    return at;
}

/* --- properties ------------------------------------------------------------------------------ */

struct properties {
    struct aml *aml;
    unsigned count;
};

static unsigned count_elements(const struct dts_value *value)
{
    unsigned count = 0;
    if (value->has_cells)
        return (unsigned)value->length / 4;
    if (value->has_bytes)
        return (unsigned)value->length;
    for (int i = 0; i < value->length; i++)
        count += value->bytes[i] == '\0';
    return count;
}

static void put_elements(struct aml *aml, const struct dts_value *value)
{
    const uint8_t *bytes = value->bytes;
    for (int i = 0; i < value->length;) {
        if (value->has_strings) {
            put_string(aml, (const char *)bytes + i);
            i += (int)strlen((const char *)bytes + i) + 1;
        } else if (value->has_cells) {
            put_number(aml, (uint64_t)bytes[i] << 24 | (uint64_t)bytes[i + 1] << 16 |
                                (uint64_t)bytes[i + 2] << 8 | bytes[i + 3]);
            i += 4;
        } else {
            put_number(aml, bytes[i++]);
        }
    }
}

static const char *put_property(void *to, int node, const char *name, const struct dts_value *value)
{
    struct properties *properties = to;
    int kinds = value->has_strings + value->has_cells + value->has_bytes;
    unsigned elements = count_elements(value);
    (void)node;
    if (kinds > 1)
        return "ACPI has no list of numbers and strings";
    if (elements > ELEMENTS_MAX || properties->count == ELEMENTS_MAX)
        return "that is more than a package of ACPI holds";
    size_t pair = open_package(properties->aml, 2);
    put_string(properties->aml, name);
    if (kinds == 0) {
        put_number(properties->aml, 1);
    } else {
        size_t list = elements == 1 ? 0 : open_package(properties->aml, elements);
        put_elements(properties->aml, value);
        if (list)
            close_length(properties->aml, list);
    }
    close_length(properties->aml, pair);
    properties->count++;
    return NULL;
}

static const char *add_child(void *to, int parent, const char *name, int *ret_node)
{
    (void)to;
    (void)parent;
    (void)name;
    (void)ret_node;
    return "a device in ACPI has no nodes below it; leave it out";
}

/* "Device properties for _DSD". */
static void put_dsd(struct sst_device *dev, struct aml *aml)
{
    static const uint8_t uuid[] = {0x14, 0xd8, 0xff, 0xda, 0xba, 0x6e, 0x8c, 0x4d,
                                   0x8a, 0x91, 0xbc, 0x9b, 0xbf, 0x4a, 0xa3, 0x01};
    struct properties properties = {.aml = aml};
    struct dts dts = {.tree = &properties, .put = put_property, .add = add_child};
    put_name(aml, "_DSD");
    size_t outer = open_package(aml, 2);
    put_byte(aml, BUFFER_OP);
    size_t buffer = open_length(aml);
    put_number(aml, sizeof(uuid));
    put(aml, uuid, sizeof(uuid));
    close_length(aml, buffer);
    size_t list = open_package(aml, 0), count_at = aml->length - 1;
    if (dts_put(&dts, 0, dev->dt) < 0)
        refuse_device(dev, "dt: %s", dts.wrong);
    set_byte(aml, count_at, properties.count);
    close_length(aml, list);
    close_length(aml, outer);
}

/* --- devices --------------------------------------------------------------------------------- */

/* Its registers, and its interrupts: levels, active high, shared. */
static void put_crs(const struct sst_device *dev, struct aml *aml)
{
    put_name(aml, "_CRS");
    put_byte(aml, BUFFER_OP);
    size_t buffer = open_length(aml), size_at = aml->length + 1;
    put_byte(aml, WORD);
    put_le(aml, 0, 2);
    size_t begin = aml->length;
    put_byte(aml, 0x8a); /* QWord address space: memory, its ends fixed, to read and write */
    put_le(aml, 43, 2);
    put_le(aml, 0x010d00, 3);
    put_le(aml, 0, 8);
    put_le(aml, dev->base, 8);
    put_le(aml, dev->base + dev->size - 1, 8);
    put_le(aml, 0, 8);
    put_le(aml, dev->size, 8);
    for (uint32_t line = 0; line < dev->num_irqs; line++) {
        if (dev->irqs[line] == IRQ_WATCHDOG)
            continue;
        put_byte(aml, 0x89);
        put_le(aml, 6, 2);
        put_le(aml, 0x0109, 2);
        put_le(aml, dev->irqs[line], 4);
    }
    put_le(aml, 0x0079, 2);
    size_t size = aml->length - begin;
    set_byte(aml, size_at, size);
    set_byte(aml, size_at + 1, size >> 8);
    close_length(aml, buffer);
}

static void put_device(struct sst_device *dev, struct aml *aml)
{
    char name[16];
    snprintf(name, sizeof(name), "T%03X", dev->number & 0xfff);
    put_byte(aml, EXTENDED);
    put_byte(aml, DEVICE_OP);
    size_t device = open_length(aml);
    put(aml, name, 4);
    put_name(aml, "_HID");
    put_string(aml, dev->acpi_id ? dev->acpi_id : "PRP0001");
    put_name(aml, "_UID");
    put_number(aml, dev->number);
    put_crs(dev, aml);
    if (dev->dt)
        put_dsd(dev, aml);
    close_length(aml, device);
}

static void put_header(struct aml *aml)
{
    static const char oem[] = "TRSTLETRESTLE ";
    put(aml, "SSDT", 4);
    put_le(aml, 0, 4);
    put_byte(aml, 2);
    put_byte(aml, 0); /* the sum is QEMU's to fill in */
    put(aml, oem, 14);
    put_le(aml, 1, 4);
    put(aml, "TRST", 4);
    put_le(aml, 1, 4);
}

/* Returns the descriptor to read the table from, or a negative errno. QEMU wants a file's name:
 * that of a pipe needs no directory, and no limit for files is in its way. */
static int fill_pipe(const struct aml *aml)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    ssize_t written = fcntl(ends[1], F_SETPIPE_SZ, (int)aml->length) < 0
                          ? -1
                          : write(ends[1], aml->bytes, aml->length);
    int error = written < 0 ? errno : ENOBUFS;
    close(ends[1]);
    if (written == (ssize_t)aml->length)
        return ends[0];
    close(ends[0]);
    return -error;
}

void acpi_add_devices(void)
{
    static struct aml aml;
    char path[40];
    const char *error;
    aml.length = 0;
    put_header(&aml);
    put_byte(&aml, SCOPE_OP);
    size_t scope = open_length(&aml);
    put_byte(&aml, ROOT);
    put(&aml, "_SB_", 4);
    for (struct sst_device *dev = device_first(); dev; dev = dev->next)
        if (dev->dt || dev->acpi_id)
            put_device(dev, &aml);
    close_length(&aml, scope);
    for (unsigned i = 0; i < 4; i++)
        set_byte(&aml, 4 + i, aml.length >> 8 * i);
    if (aml.length >= TABLE_MAX)
        refuse("ACPI: the devices do not fit into a table; leave out some devices' dt");
    int fd = fill_pipe(&aml);
    if (fd < 0)
        refuse("ACPI: the devices' table cannot be written: %s", strerror(-fd));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (qemu_add_acpi_table(path, &error) < 0)
        refuse("ACPI: QEMU %d.%d takes no table: %s; leave out the devices' dt and acpi_id",
               (int)qemu.version->number->major, (int)qemu.version->number->minor, error);
    close(fd);
}
