/* SPDX-License-Identifier: MIT */
/* The table of devices that a machine with ACPI is given, read again as QEMU's guest would. */
#include "plugin/device/acpi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "plugin/device/device.h"
#include "refusal.h"

enum { READ_MAX = 512 << 10 };

/* --- QEMU ------------------------------------------------------------------------------------ */

struct qemu_abi qemu;
static struct sst_device *devices;
static uint8_t table[READ_MAX];
static size_t table_size;
static bool takes_no_table;

struct sst_device *device_first(void)
{
    return devices;
}

int qemu_add_acpi_table(const char *path, const char **ret_error)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    table_size = fread(table, 1, sizeof(table), file);
    fclose(file);
    *ret_error = "no room";
    if (takes_no_table) {
        int fd;
        assert_int_equal(sscanf(path, "/proc/self/fd/%d", &fd), 1);
        close(fd); /* as the end of QEMU does */
    }
    return takes_no_table ? -1 : 0;
}

/* False: it was refused. */
static bool add_devices(struct sst_device *first)
{
    devices = first;
    table_size = 0;
    refusal[0] = '\0';
    if (setjmp(refused))
        return false;
    acpi_add_devices();
    return true;
}

/* --- a reader of AML ------------------------------------------------------------------------- */

static char text[4096];
static const uint8_t *at, *table_end;
static size_t length;

static void print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    length += (size_t)vsnprintf(text + length, sizeof(text) - length, format, args);
    va_end(args);
    assert_cmp(length, <, sizeof(text));
}

static uint64_t take(unsigned size)
{
    uint64_t value = 0;
    assert_cmp(table_end - at, >=, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)*at++ << 8 * i;
    return value;
}

static const uint8_t *take_length(void)
{
    const uint8_t *begin = at;
    uint64_t value = take(4);
    assert_int_equal(value & 0xf0, 0xc0);
    size_t size = (value & 0xf) | value >> 8 << 4;
    assert_cmp(size, <=, table_end - begin);
    return begin + size;
}

static void take_names(size_t size)
{
    print("%.*s", (int)size, (const char *)at);
    at += size;
}

static void take_term(void);

static void take_terms(const uint8_t *end, const char *brackets)
{
    print("%c", brackets[0]);
    while (at < end)
        take_term();
    assert_ptr_equal(at, end);
    print("%c", brackets[1]);
}

static void take_list(void)
{
    const uint8_t *end = take_length();
    uint64_t count = take(1);
    print("%" PRIu64, count);
    take_terms(end, "()");
}

static void take_bytes(void)
{
    const uint8_t *end = take_length();
    print("buffer ");
    take_term();
    while (at < end)
        print("%02x", (unsigned)take(1));
    print(" ");
}

static void take_term(void)
{
    const uint8_t *end;
    switch (take(1)) {
    case 0x00:
        print("zero ");
        break;
    case 0x01:
        print("one ");
        break;
    case 0x08:
        take_names(4);
        print("=");
        break;
    case 0x0a:
        print("b%" PRIx64 " ", take(1));
        break;
    case 0x0b:
        print("w%" PRIx64 " ", take(2));
        break;
    case 0x0c:
        print("d%" PRIx64 " ", take(4));
        break;
    case 0x0e:
        print("q%" PRIx64 " ", take(8));
        break;
    case 0x0d:
        print("'%s' ", (const char *)at);
        at += strlen((const char *)at) + 1;
        break;
    case 0x10:
        end = take_length();
        take_names(5);
        take_terms(end, "{}");
        break;
    case 0x11:
        take_bytes();
        break;
    case 0x12:
        take_list();
        break;
    case 0x5b:
        assert_int_equal(take(1), 0x82);
        end = take_length();
        take_names(4);
        take_terms(end, "{}");
        break;
    default:
        fail_msg("no AML: 0x%02x", at[-1]);
    }
}

static void check_table(const char *expected)
{
    static const uint8_t header[] = "SSDT....\2\0TRSTLETRESTLE \1\0\0\0TRST\1\0\0";
    assert_cmp(table_size, >, 36);
    assert_memory_equal(table, header, 4);
    assert_memory_equal(table + 8, header + 8, 28);
    at = table + 4;
    table_end = table + table_size;
    assert_int_equal(take(4), table_size);
    at = table + 36;
    length = 0;
    take_term();
    assert_ptr_equal(at, table_end);
    assert_string_equal(text, expected);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_a_device(void **state)
{
    struct sst_device dev = {.number = 5,
                             .base = 0x123456789a,
                             .size = 0x1000,
                             .acpi_id = (char *)"TRST0001",
                             .irqs = {7, IRQ_WATCHDOG, 0x123},
                             .num_irqs = 3};
    (void)state;
    assert_true(add_devices(&dev));
    check_table("\\_SB_{T005{_HID='TRST0001' _UID=b5 _CRS=buffer w42 "
                "8a2b00000d01"
                "0000000000000000"
                "9a78563412000000"
                "9988563412000000"
                "0000000000000000"
                "0010000000000000"
                "890600090107000000"
                "890600090123010000"
                "7900 }}");
}

#define CRS                                                                        \
    "_CRS=buffer w30 8a2b00000d01000000000000000000000000000000000f00000000000000" \
    "000000000000000010000000000000007900 "
#define DSD(count) "_DSD=2(buffer b10 14d8ffdaba6e8c4d8a91bc9bbf4aa301 " count
static void test_properties(void **state)
{
    struct sst_device last = {.number = 0x1012, .size = 16, .dt = (char *)"none;"};
    struct sst_device without = {.next = &last, .number = 2, .size = 16};
    struct sst_device dev = {
        .next = &without,
        .number = 1,
        .size = 16,
        .dt = (char *)"compatible = \"a\", \"bc\"; n = <0>; o = <1>; b = <2>; c = <255 256>;"
                      "w = <0xffff>; d = <0x10000>, <0x12345678>; mac = [00 01 fe]; e = <>;"
                      "s = \"one\"; x = [7f];"};
    (void)state;
    assert_true(add_devices(&dev));
    check_table("\\_SB_{T001{_HID='PRP0001' _UID=one " CRS DSD(
        "11(") "2('compatible' 2('a' 'bc' ))2('n' zero )2('o' one )2('b' b2 )2('c' 2(bff w100 ))"
               "2('w' wffff )2('d' 2(d10000 d12345678 ))2('mac' 3(zero one bfe ))2('e' 0())"
               "2('s' 'one' )2('x' b7f )))}"
               "T012{_HID='PRP0001' _UID=w1012 " CRS DSD("1(") "2('none' one )))}}");
}

static void test_nobody(void **state)
{
    (void)state;
    assert_true(add_devices(NULL));
    check_table("\\_SB_{}");
}

static void check_refused(const char *dt, const char *expected)
{
    struct sst_device dev = {.number = 3, .size = 16, .dt = (char *)dt};
    assert_false(add_devices(&dev));
    assert_string_equal(refusal, expected);
}

static void test_refused(void **state)
{
    char bytes[4 * 300], *to = bytes;
    (void)state;
    check_refused("a = <1>, \"b\";", "3: dt: property a: ACPI has no list of numbers and strings");
    check_refused("a {};", "3: dt: node a: a device in ACPI has no nodes below it; leave it out");
    check_refused("a = <&intc>;", "3: dt: a property refers to a node, and in ACPI there are none");
    to += sprintf(to, "a = [");
    for (int i = 0; i < 255; i++)
        to += sprintf(to, "00 ");
    strcpy(to, "];");
    struct sst_device dev = {.number = 3, .size = 16, .dt = bytes};
    assert_true(add_devices(&dev));
    strcpy(to, "00];");
    check_refused(bytes, "3: dt: property a: that is more than a package of ACPI holds");
    to = bytes;
    for (int i = 0; i < 255; i++)
        to += sprintf(to, "a;");
    assert_true(add_devices(&dev));
    strcpy(to, "b;");
    check_refused(bytes, "3: dt: property b: that is more than a package of ACPI holds");
}

/* Whatever comes last before there is no more room, the table is not used. */
static void test_full(void **state)
{
    enum { NUM = 3000 };
    struct sst_device *many = calloc(NUM, sizeof(*many));
    char *dt = malloc(300);
    (void)state;
    assert_non_null(many);
    assert_non_null(dt);
    for (unsigned i = 0; i < NUM; i++)
        many[i] = (struct sst_device){
            .next = i + 1 < NUM ? &many[i + 1] : NULL, .number = i + 1, .size = 16, .dt = dt};
    for (int fill = 100; fill < 280; fill++) {
        memset(dt, 0, 300);
        int begun = sprintf(dt, "a = \"");
        memset(dt + begun, 'x', (size_t)fill);
        strcpy(dt + begun + fill, "\";");
        assert_false(add_devices(many));
        assert_string_equal(
            refusal, "ACPI: the devices do not fit into a table; leave out some devices' dt");
    }
    free(dt);
    free(many);
}

static void test_qemu_takes_none(void **state)
{
    struct qemu_version version = {.number = NULL};
    __typeof__(*version.number) number = {.major = 7, .minor = 2};
    struct sst_device dev = {.number = 3, .size = 16, .dt = (char *)"a;"};
    (void)state;
    version.number = &number;
    qemu.version = &version;
    takes_no_table = true;
    assert_false(add_devices(&dev));
    takes_no_table = false;
    assert_string_equal(
        refusal, "ACPI: QEMU 7.2 takes no table: no room; leave out the devices' dt and acpi_id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_device), cmocka_unit_test(test_properties),
        cmocka_unit_test(test_nobody),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_full),     cmocka_unit_test(test_qemu_takes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
