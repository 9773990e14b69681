/* SPDX-License-Identifier: MIT */
/* SVD files: what is understood in each spelling that vendors use, and the whole line that the user
 * gets for what cannot be. In the texts ' stands for ". */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "svd/svd.h"
#include "svd/text.h"
#include "util.h"

#define DEVICE(peripherals) \
    "<?xml version='1.0'?>\n<device><peripherals>" peripherals "</peripherals></device>"
#define PERIPHERAL(registers)                                                                     \
    DEVICE("<peripheral><name>P</name><baseAddress>0x40000000</baseAddress><registers>" registers \
           "</registers></peripheral>")
#define REGISTER(name, offset, more) \
    "<register><name>" name "</name><addressOffset>" offset "</addressOffset>" more "</register>"
#define FIELD(name, more) "<field><name>" name "</name>" more "</field>"

static int parse(const char *text, struct svd_file **ret_file, char **ret_error)
{
    char *xml = xstrdup(text);
    for (char *p = xml; *p; p++)
        if (*p == '\'')
            *p = '"';
    int r = svd_parse("t.svd", xml, strlen(xml), ret_file, ret_error);
    free(xml);
    return r;
}

/* --- a peripheral as text, which the tests compare ------------------------------------------ */

static const char *access_text(unsigned access)
{
    static const char *const texts[] = {"-", "ro", "wo", "rw"};
    return texts[access];
}

static void print_rights(FILE *out, const struct svd_rights *rights)
{
    fprintf(out, " %s", access_text(rights->access));
    if (rights->on_write)
        fprintf(out, " write %d", (int)rights->on_write);
    if (rights->on_read)
        fprintf(out, " read %d", (int)rights->on_read);
}

static void print_register(FILE *out, const struct svd_register *reg)
{
    fprintf(out, "%s 0x%" PRIx64 ":%u", reg->name, reg->offset, reg->bits);
    if (reg->count)
        fprintf(out, " x%" PRIu64 "/%" PRIu64, reg->count, reg->stride);
    print_rights(out, &reg->rights);
    if (reg->reset)
        fprintf(out, " =0x%" PRIx64, reg->reset);
    for (size_t i = 0; i < reg->num_fields; i++) {
        const struct svd_field *field = &reg->fields[i];
        fprintf(out, " %s@%u+%u", field->name, field->lsb, field->width);
        if (memcmp(&field->rights, &reg->rights, sizeof(reg->rights)) != 0)
            print_rights(out, &field->rights);
        for (size_t j = 0; j < field->num_values; j++)
            fprintf(out, "%s%s=%" PRIu64, j ? "," : "{", field->values[j].name,
                    field->values[j].value);
        fputs(field->num_values ? "}" : "", out);
    }
    fputs("\n", out);
}

static char *text_of(const char *text, const char *name)
{
    struct svd_file *file = NULL;
    struct svd_peripheral peripheral;
    char *error = NULL, *result = NULL;
    size_t index, size;
    if (parse(text, &file, &error) < 0 || svd_find(file, name, &index, &error) < 0 ||
        svd_read(file, index, &peripheral, &error) < 0)
        fail_msg("refused: %s", error);
    FILE *out = open_memstream(&result, &size);
    for (size_t i = 0; i < peripheral.num_registers; i++)
        print_register(out, &peripheral.registers[i]);
    fclose(out);
    svd_destroy(file);
    return result;
}

static void check_named(const char *text, const char *name, const char *expected)
{
    char *result = text_of(text, name);
    assert_string_equal(result, expected);
    free(result);
}

static void check(const char *text, const char *expected)
{
    check_named(text, "P", expected);
}

/* --- spellings ------------------------------------------------------------------------------ */

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"10", 10},
        {"010", 10},
        {"+7", 7},
        {"0x1f", 31},
        {"0X1F", 31},
        {"0x0000_0010", 16},
        {"1F", 31},
        {"1Fh", 31},
        {"10h", 16},
        {"#101", 5},
        {"#1x0X", 8},
        {"0b11", 3},
        {"32'h1F", 31},
        {"4'b10", 2},
        {"0x10UL", 16},
        {"4k", 4096},
        {"0x1K", 1024},
        {"2M", 2 << 20},
        {"0xFFFFFFFFFFFFFFFF", UINT64_MAX},
        {"0x0000000000000000000001", 1},
        {"0xXXXX0001", 1},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        uint64_t value = 1234;
        if (svd_number(good[i].text, &value) != SVD_NUMBER_GOOD || value != good[i].value)
            fail_msg("%s was read as %" PRIu64, good[i].text, value);
    }
    static const char *const bad[] = {"", "0x", "x", "-1", "1.5", "#2", "0xG", "1 2", "k", "'h"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        uint64_t value;
        if (svd_number(bad[i], &value) != SVD_NUMBER_BAD)
            fail_msg("%s was taken for a number", bad[i]);
    }
    uint64_t value;
    assert_int_equal(svd_number("0x10000000000000001", &value), SVD_NUMBER_WIDE);
    assert_int_equal(value, 1);
    assert_int_equal(svd_number("18446744073709551616", &value), SVD_NUMBER_WIDE);
    assert_int_equal(svd_number("99999999999T", &value), SVD_NUMBER_WIDE);
}

static void test_words(void **state)
{
    assert_int_equal(svd_access_word("read-only"), SVD_READ);
    assert_int_equal(svd_access_word("Read-Write"), SVD_READ | SVD_WRITE);
    assert_int_equal(svd_access_word("read/write"), SVD_READ | SVD_WRITE);
    assert_int_equal(svd_access_word("read-writeOnce"), SVD_READ | SVD_WRITE);
    assert_int_equal(svd_access_word("writeOnce"), SVD_WRITE);
    assert_int_equal(svd_access_word("WO"), SVD_WRITE);
    assert_int_equal(svd_access_word("read-opnly"), SVD_READ);
    assert_int_equal(svd_access_word("read/clear"), SVD_READ | SVD_WRITE);
    assert_int_equal(svd_access_word("Read or Write under safe mode"), SVD_READ | SVD_WRITE);
    assert_int_equal(svd_access_word("sometimes, on a full moon, but never on a Sunday"), 0);
    assert_int_equal(svd_write_word("oneToClear"), SVD_ONE_CLEARS);
    assert_int_equal(svd_write_word("zeroToSet"), SVD_ZERO_SETS);
    assert_int_equal(svd_write_word("modify"), SVD_WRITE_STORES);
    assert_int_equal(svd_read_word("clear"), SVD_READ_CLEARS);
    assert_int_equal(svd_read_word("modifyExternal"), SVD_READ_KEEPS);
}

static void test_three_spellings_of_bits(void **state)
{
    check(PERIPHERAL(REGISTER(
              "R", "0",
              "<fields>" FIELD("A", "<bitRange>[7:4]</bitRange>")
                  FIELD("B", "<bitOffset>8</bitOffset><bitWidth>3</bitWidth>") FIELD(
                      "C", "<lsb>12</lsb><msb>15</msb>") FIELD("D", "<bitOffset>16</bitOffset>")
                      FIELD("E", "<bitRange>17</bitRange>") FIELD("F", "<lsb>21</lsb><msb>20</msb>")
                          FIELD("G", "<bitRange>[22:23]</bitRange>") "</fields>")),
          "R 0x0:32 rw A@4+4 B@8+3 C@12+4 D@16+1 E@17+1 F@20+2 G@22+2\n");
}

static void test_fields_outside_their_register(void **state)
{
    check(PERIPHERAL(REGISTER(
              "R", "0",
              "<size>16</size><fields>" FIELD("A", "<bitRange>[31:8]</bitRange>")
                  FIELD("B", "<bitRange>[20:16]</bitRange>")
                      FIELD("C", "<bitOffset>0</bitOffset><bitWidth>0</bitWidth>") "</fields>")),
          "R 0x0:16 rw A@8+8\n");
}

#define ARRAY(name, more)                                                                      \
    "<register>" more "<dimIncrement>4</dimIncrement><name>" name "</name><addressOffset>0x10" \
    "</addressOffset></register>"

static void test_arrays(void **state)
{
    check(PERIPHERAL(ARRAY("A[%s]", "<dim>4</dim>")), "A 0x10:32 x4/4 rw\n");
    check(PERIPHERAL(ARRAY("A%s", "<dim>4</dim>")), "A%s 0x10:32 x4/4 rw\n");
    check(PERIPHERAL(ARRAY("A", "<dim>4</dim>")), "A 0x10:32 x4/4 rw\n");
    check(PERIPHERAL(ARRAY("A%s_B", "<dim>2</dim><dimIndex>0,1</dimIndex>")),
          "A%s_B 0x10:32 x2/4 rw\n");
    check(PERIPHERAL(ARRAY("A%s", "<dim>3</dim><dimIndex>0-2</dimIndex>")),
          "A%s 0x10:32 x3/4 rw\n");
    check(PERIPHERAL(ARRAY("A%s", "<dim>2</dim><dimIndex>3-4</dimIndex>")),
          "A3 0x10:32 rw\nA4 0x14:32 rw\n");
    check(PERIPHERAL(ARRAY("A[%s]", "<dim>2</dim><dimIndex>3-4</dimIndex>")),
          "A3 0x10:32 rw\nA4 0x14:32 rw\n");
    check(PERIPHERAL(ARRAY("A%s", "<dim>3</dim><dimIndex>B-D</dimIndex>")),
          "AB 0x10:32 rw\nAC 0x14:32 rw\nAD 0x18:32 rw\n");
    check(PERIPHERAL(ARRAY("A_%s", "<dim>3</dim><dimIndex>X, Y,Z</dimIndex>")),
          "A_X 0x10:32 rw\nA_Y 0x14:32 rw\nA_Z 0x18:32 rw\n");
    /* A list that is too short goes on with numbers. */
    check(PERIPHERAL(ARRAY("A_%s", "<dim>2</dim><dimIndex>X</dimIndex>")),
          "A_X 0x10:32 rw\nA_1 0x14:32 rw\n");
    check(PERIPHERAL(ARRAY("A%s", "<dim>0</dim>")), "");
    check(PERIPHERAL(REGISTER("R", "0",
                              "<fields><field><dim>2</dim><dimIncrement>8</dimIncrement>"
                              "<name>F%s</name><bitRange>[3:0]</bitRange></field></fields>")),
          "R 0x0:32 rw F0@0+4 F1@8+4\n");
    /* Without an increment, one lies behind the other. */
    check(
        PERIPHERAL("<cluster><dim>2</dim><name>C%s</name><addressOffset>0</addressOffset>" REGISTER(
            "A", "0", "") REGISTER("B", "8", "<size>16</size>") "</cluster>"),
        "C0_A 0x0:32 rw\nC0_B 0x8:16 rw\nC1_A 0xa:32 rw\nC1_B 0x12:16 rw\n");
}

static void test_arrays_of_peripherals(void **state)
{
    static const char text[] =
        DEVICE("<peripheral><dim>2</dim><dimIncrement>0x1000</dimIncrement><name>T[%s]</name>"
               "<baseAddress>0x40000000</baseAddress><registers>" REGISTER(
                   "R", "0", "") "</registers></peripheral>");
    struct svd_file *file;
    struct svd_peripheral peripheral;
    char *error = NULL;
    assert_int_equal(parse(text, &file, &error), 0);
    assert_int_equal(svd_num_peripherals(file), 2);
    assert_string_equal(svd_peripheral_name(file, 1), "T1");
    assert_int_equal(svd_read(file, 1, &peripheral, &error), 0);
    assert_int_equal(peripheral.base, 0x40001000);
    svd_destroy(file);
}

static void test_clusters(void **state)
{
    check(PERIPHERAL(
              "<cluster><dim>2</dim><dimIncrement>0x100</dimIncrement><name>CH[%s]</name>"
              "<addressOffset>0x20</addressOffset><size>16</size>" REGISTER(
                  "A", "2", "") "<cluster><name>IN</name><addressOffset>0x10</addressOffset>"
                                "<access>read-only</access>" REGISTER(
                                    "B", "4", "<resetValue>1</resetValue>") "</cluster></cluster>"),
          "CH0_A 0x22:16 rw\nCH0_IN_B 0x34:16 ro =0x1\nCH1_A 0x122:16 rw\nCH1_IN_B 0x134:16 ro "
          "=0x1\n");
}

static void test_defaults(void **state)
{
    check("<device><size>16</size><access>read-only</access><resetValue>0x12</resetValue>"
          "<peripherals><peripheral><name>P</name><baseAddress>0</baseAddress>"
          "<resetValue>0x34</resetValue><registers>" REGISTER("A", "0", "")
              REGISTER("B", "2", "<access>read-write</access>") REGISTER(
                  "C", "4",
                  "<size>64</size>"
                  "<resetValue>?</resetValue>") "</registers></peripheral></peripherals></device>",
          "A 0x0:16 ro =0x34\nB 0x2:16 rw =0x34\nC 0x4:64 ro\n");
}

static void test_effects(void **state)
{
    check(PERIPHERAL(REGISTER(
              "R", "0",
              "<modifiedWriteValues>oneToClear</modifiedWriteValues><fields>" FIELD(
                  "A", "<bitRange>[0:0]</bitRange>") FIELD("B", "<bitRange>[1:1]</bitRange>"
                                                                "<modifiedWriteValues>modify"
                                                                "</modifiedWriteValues>")
                  FIELD("C", "<bitRange>[2:2]</bitRange><access>read-only</access>"
                             "<readAction>clear</readAction>") "</fields>")),
          "R 0x0:32 rw write 1 A@0+1 B@1+1 rw C@2+1 ro write 1 read 1\n");
}

static void test_values(void **state)
{
    check(PERIPHERAL(REGISTER(
              "R", "0",
              "<fields>" FIELD(
                  "A", "<bitRange>[1:0]</bitRange><enumeratedValues>"
                       "<usage>read</usage>"
                       "<enumeratedValue><name>off</name><value>0</value></enumeratedValue>"
                       "<enumeratedValue><name>on</name><value>#1x</value></enumeratedValue>"
                       "<enumeratedValue><name>far</name><value>4</value></enumeratedValue>"
                       "<enumeratedValue><name>other</name><isDefault>true</isDefault>"
                       "</enumeratedValue></enumeratedValues><enumeratedValues>"
                       "<enumeratedValue><name>go</name><value>1</value></enumeratedValue>"
                       "<enumeratedValue><name>none</name><value>0</value></enumeratedValue>"
                       "</enumeratedValues>") "</fields>")),
          "R 0x0:32 rw A@0+2{off=0,on=2,go=1}\n");
}

/* --- derivedFrom ------------------------------------------------------------------------------ */

static void test_derived_peripherals(void **state)
{
    /* From a later one, which is itself derived; with a register of its own in another's place. */
    static const char text[] = DEVICE(
        "<peripheral "
        "derivedFrom='Q'><name>P</name><baseAddress>1</baseAddress><registers>" REGISTER(
            "B", "8",
            "") "</registers></peripheral><peripheral derivedFrom='Z'><name>Q</name><size>16</size>"
                "</peripheral><peripheral><name>Z</name><registers>" REGISTER("A", "0", "")
                    REGISTER("B", "4", "") "</registers></peripheral>");
    check(text, "B 0x8:16 rw\nA 0x0:16 rw\n");
    check_named(text, "Q", "A 0x0:16 rw\nB 0x4:16 rw\n");
}

static void test_derived_registers(void **state)
{
    check(PERIPHERAL(
              "<register derivedFrom='B'><name>A</name><addressOffset>4</addressOffset>"
              "<fields>" FIELD("G", "<bitRange>[9:9]</bitRange>") "</fields></register>" REGISTER(
                  "B", "0",
                  "<size>16</size><resetValue>7</resetValue>"
                  "<fields>" FIELD("F", "<bitRange>[3:0]</bitRange>")
                      FIELD("G", "<bitRange>[4:4]</bitRange>") "</fields>")),
          "A 0x4:16 rw =0x7 G@9+1 F@0+4\nB 0x0:16 rw =0x7 F@0+4 G@4+1\n");
    /* An array's copy is one if it has a place for the index, and only then. */
    check(PERIPHERAL(
              ARRAY("A[%s]",
                    "<dim>2</dim>") "<register derivedFrom='A[%s]'><name>B[%s]</name>"
                                    "<addressOffset>0x20</addressOffset></register>"
                                    "<register derivedFrom='A1'><name>C</name><addressOffset>0x30"
                                    "</addressOffset></register>"),
          "A 0x10:32 x2/4 rw\nB 0x20:32 x2/4 rw\nC 0x30:32 rw\n");
}

static void test_derived_by_path(void **state)
{
    static const char text[] = DEVICE(
        "<peripheral><name>Q</name><baseAddress>0</baseAddress><registers><cluster>"
        "<name>C</name><addressOffset>0</addressOffset>" REGISTER(
            "R", "0",
            "<size>8</size>") "</cluster>" REGISTER("R", "4",
                                                    "") "</registers></"
                                                        "peripheral><peripheral><name>P</name>"
                                                        "<baseAddress>1</"
                                                        "baseAddress><registers><register "
                                                        "derivedFrom='Q.C.R'><name>A</name>"
                                                        "<addressOffset>0</addressOffset></"
                                                        "register><cluster "
                                                        "derivedFrom='Q.C'><name>D</name>"
                                                        "<addressOffset>8</addressOffset></"
                                                        "cluster><register "
                                                        "derivedFrom='D.R'><name>B</name>"
                                                        "<addressOffset>4</addressOffset></"
                                                        "register></registers></peripheral>");
    check(text, "A 0x0:8 rw\nD_R 0x8:8 rw\nB 0x4:8 rw\n");
}

static void test_derived_fields_and_values(void **state)
{
    static const char list[] = PERIPHERAL(REGISTER(
        "R", "0",
        "<fields>" FIELD(
            "A",
            "<bitRange>[0:0]</bitRange><enumeratedValues><name>E</name>"
            "<enumeratedValue><name>off</name><value>0</value></enumeratedValue>"
            "</enumeratedValues>") "<field "
                                   "derivedFrom='A'><name>B</name><bitRange>[1:1]</bitRange></"
                                   "field>"
                                   "<field "
                                   "derivedFrom='P.R.A'><name>C</name><bitRange>[2:2]</bitRange></"
                                   "field>"
                                   "<field><name>D</name><bitRange>[3:3]</"
                                   "bitRange><enumeratedValues derivedFrom='E'/></field>"
                                   "<field><name>F</name><bitRange>[4:4]</bitRange>"
                                   "<enumeratedValues derivedFrom='P.R.A.E'/></field>"
                                   /* What is not there is no loss here. */
                                   "<field "
                                   "derivedFrom='nowhere'><name>G</name><bitRange>[5:5]</bitRange>"
                                   "<enumeratedValues derivedFrom='nowhere'/></field></fields>"));
    check(list, "R 0x0:32 rw A@0+1{off=0} B@1+1{off=0} C@2+1{off=0} D@3+1{off=0} F@4+1{off=0} "
                "G@5+1\n");
}

/* --- files ------------------------------------------------------------------------------------ */

static void test_encodings(void **state)
{
    static const char text[] = "<device><peripherals><peripheral><name>P</name><baseAddress>0"
                               "</baseAddress><description>%s</description></peripheral>"
                               "</peripherals></device>";
    static const struct {
        const char *head, *doc, *expected;
    } files[] = {
        {"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>", "\xc2\xb5s", "\xc2\xb5s"},
        {"\n \r\n<?xml version='1.0'?>", "\xc2\xb5s", "\xc2\xb5s"},
        {"<?xml version='1.0' encoding='utf-8'?>", "\xb5s", "\xc2\xb5s"},
        {"<?xml version='1.0' encoding='gb2312'?>", "two\n    lines", "two lines"},
        {"", "three\\n\tlines\\n", "three lines"},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char *body = xformat(text, files[i].doc), *xml = xformat("%s%s", files[i].head, body);
        struct svd_file *file;
        struct svd_peripheral peripheral;
        char *error = NULL;
        if (parse(xml, &file, &error) < 0)
            fail_msg("%s", error);
        assert_int_equal(svd_read(file, 0, &peripheral, &error), 0);
        assert_string_equal(peripheral.doc, files[i].expected);
        svd_destroy(file);
        free(body);
        free(xml);
    }
}

static void test_utf16(void **state)
{
    static const char text[] = "<device><peripherals><peripheral><name>P</name></peripheral>"
                               "</peripherals></device>";
    char wide[2 * sizeof(text)] = "\xff\xfe";
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        wide[2 + 2 * i] = text[i];
    struct svd_file *file;
    char *error = NULL;
    assert_int_equal(svd_parse("t.svd", wide, sizeof(wide), &file, &error), 0);
    assert_string_equal(svd_peripheral_name(file, 0), "P");
    svd_destroy(file);
}

#define LOOP                                              \
    "<register derivedFrom='B'><name>A</name></register>" \
    "\n<register derivedFrom='A'><name>B</name></register>"

/* Each file is wrong in one way; the line is what follows "t.svd:". */
static const struct {
    const char *text, *line;
} mistakes[] = {
    {"", "1: the file has no <device>: it is empty or truncated"},
    {"\n\n", "3: the file has no <device>: it is empty or truncated"},
    {"<html></html>", "1: this is not a CMSIS-SVD file: its outermost element is not <device>"},
    {"<html/>", "1: this is not a CMSIS-SVD file: its outermost element is not <device>"},
    {"<device>\n<peripherals></device>", "2: this is not XML: mismatched tag"},
    {"{ }", "1: this is not XML: not well-formed (invalid token)"},
    {"<device>\n<peripherals>\n<peripheral><name>P", "3: the file ends within <name>, which began "
                                                     "on line 3; get the whole file"},
    {"<!DOCTYPE d [\n<!ENTITY a 'b'>]><device>&a;</device>",
     "2: the file declares an entity, which no description of registers needs; remove it"},
    {"<!DOCTYPE d [<!ENTITY % a SYSTEM 'b'>]><device></device>",
     "1: the file declares an entity, which no description of registers needs; remove it"},
    {"<device>\n</device>", "1: <device> has no <peripheral>"},
    {DEVICE("<peripheral/>"), "2: a <peripheral> has no <name>"},
    {DEVICE("\n<peripheral derivedFrom='P'><name>P</name></peripheral>"),
     "3: peripheral \"P\" is derived from \"P\", which is not in the file"},
    {DEVICE("\n<peripheral derivedFrom='UART'><name>P</name></peripheral>"),
     "3: peripheral \"P\" is derived from \"UART\", which is not in the file"},
    {DEVICE("<peripheral derivedFrom='Q'><name>P</name></peripheral>\n"
            "<peripheral derivedFrom='P'><name>Q</name></peripheral>"),
     "2: peripheral \"P\" is derived from itself, by way of \"Q\"; remove one derivedFrom of the "
     "loop"},
    {PERIPHERAL(LOOP), "2: register \"A\" is derived from itself, by way of \"B\"; remove one "
                       "derivedFrom of the loop"},
    {PERIPHERAL(
         "<cluster><name>C</name>\n<cluster derivedFrom='C'><name>D</name></cluster></cluster>"),
     "3: cluster \"D\" is nested 16 deep; is it derived from a cluster that contains it?"},
    {PERIPHERAL("<cluster><name>C</name>"
                "\n<cluster derivedFrom='C'><dim>9</dim><name>D%s</name></cluster>"
                "<cluster derivedFrom='C'><dim>9</dim><name>E%s</name></cluster></cluster>"),
     "3: cluster \"D%s\" is nested 16 deep; is it derived from a cluster that contains it?"},
    {PERIPHERAL("\n<register>\n<dim>10000000</dim><dimIncrement>4</dimIncrement><name>R%s</name>"
                "<addressOffset>0</addressOffset></register>"),
     "4: <dim> makes 10000000 of \"R%s\"; a peripheral may have 262144 registers in all"},
    {PERIPHERAL("<cluster><dim>60000</dim><name>C%s</name>"
                "\n<register><dim>60000</dim><name>R%s</name></register></cluster>"),
     "3: more than 262144 registers in the peripheral P; is a <dim> too large?"},
    {PERIPHERAL(
         "<cluster><dim>200000</dim><name>C%s</name><cluster><dim>200000</dim><name>D%s</name>"
         "\n<cluster><name>E</name></cluster></cluster></cluster>"),
     "3: the clusters of the peripheral P make more than 1048576 registers"},
    {PERIPHERAL(REGISTER("R", "0", "\n<dim>one</dim>")),
     "3: <dim> \"one\" is not a number of at most 64 bits"},
    {PERIPHERAL(REGISTER("R", "\n-4", "")),
     "2: <addressOffset> \"-4\" is not a number of at most 64 bits"},
    {PERIPHERAL(REGISTER("R", "0", "<size>word</size>")),
     "2: <size> \"word\" is not a number of bits"},
    {PERIPHERAL(
         REGISTER("R", "0", "<fields>" FIELD("F", "<bitRange>[all]</bitRange>") "</fields>")),
     "2: <bitRange> \"[all]\" is not like [7:4]"},
    {DEVICE("<peripheral><name>P</name><addressBlock><offset>16</offset>"
            "<size>0xffffffffffffffff</size></addressBlock></peripheral>"),
     "2: the address block runs past the end of the address space"},
};

static void test_mistakes(void **state)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
        struct svd_file *file = NULL;
        struct svd_peripheral peripheral;
        char *error = NULL, *expected = xformat("t.svd:%s", mistakes[i].line);
        if (parse(mistakes[i].text, &file, &error) == 0)
            assert_int_equal(svd_read(file, 0, &peripheral, &error), -EINVAL);
        assert_string_equal(error, expected);
        svd_destroy(file);
        free(error);
        free(expected);
    }
}

static void test_peripheral_that_does_not_exist(void **state)
{
    struct svd_file *file;
    char *error = NULL;
    size_t index;
    assert_int_equal(parse(DEVICE("<peripheral><name>UART0</name></peripheral>"
                                  "<peripheral><name>SPI</name></peripheral>"),
                           &file, &error),
                     0);
    assert_int_equal(svd_find(file, "uart", &index, &error), -ENOENT);
    assert_string_equal(error, "t.svd has no peripheral \"uart\"; did you mean \"UART0\"?");
    free(error);
    assert_int_equal(svd_find(file, "ETHERNET", &index, &error), -ENOENT);
    assert_string_equal(error,
                        "t.svd has no peripheral \"ETHERNET\"; the peripherals are UART0, SPI");
    free(error);
    svd_destroy(file);
}

static void test_elements_too_deep(void **state)
{
    struct strings parts = {0};
    for (unsigned i = 0; i < 100; i++)
        strings_add(&parts, "<device>");
    char *text = strings_join(&parts, ""), *error = NULL;
    struct svd_file *file;
    assert_int_equal(parse(text, &file, &error), -EINVAL);
    assert_string_equal(error, "t.svd:1: elements are nested too deeply for a description "
                               "of registers");
    free(error);
    free(text);
    strings_finish(&parts);
}

static void test_no_file(void **state)
{
    struct svd_file *file;
    char *error = NULL;
    assert_int_equal(svd_load("/nowhere/at.svd", &file, &error), -ENOENT);
    assert_string_equal(error, "/nowhere/at.svd: No such file or directory; check the path");
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_three_spellings_of_bits),
        cmocka_unit_test(test_fields_outside_their_register),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_arrays_of_peripherals),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_effects),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_derived_peripherals),
        cmocka_unit_test(test_derived_registers),
        cmocka_unit_test(test_derived_by_path),
        cmocka_unit_test(test_derived_fields_and_values),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_utf16),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_peripheral_that_does_not_exist),
        cmocka_unit_test(test_elements_too_deep),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
