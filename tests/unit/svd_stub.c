/* SPDX-License-Identifier: MIT */
/* Tables and models made of SVD files: what overlaps, what stands between places, what many
 * peripherals share. In the texts ' stands for ". */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "svd/stub.h"
#include "util.h"

#define DEVICE(peripherals) "<device><peripherals>" peripherals "</peripherals></device>"
#define PERIPHERAL(name, base, registers)                                                         \
    "<peripheral><name>" name "</name><baseAddress>" base "</baseAddress><addressBlock><offset>0" \
    "</offset><size>0x100</size></addressBlock><registers>" registers "</registers></peripheral>"
#define P(registers) DEVICE(PERIPHERAL("P", "0x40000000", registers))
#define REGISTER(name, offset, more) \
    "<register><name>" name "</name><addressOffset>" offset "</addressOffset>" more "</register>"
#define FIELD(name, range, more) \
    "<field><name>" name "</name><bitRange>" range "</bitRange>" more "</field>"

static struct svd_file *parse(const char *text)
{
    struct svd_file *file = NULL;
    char *error = NULL;
    if (svd_parse("t.svd", text, strlen(text), &file, &error) < 0)
        fail_msg("%s", error);
    return file;
}

static void print_row(FILE *out, const struct trestle_register *row)
{
    static const char *const rights[] = {
        [TRESTLE_RW] = "rw",   [TRESTLE_RO] = "ro",   [TRESTLE_WO] = "wo",   [TRESTLE_W1C] = "w1c",
        [TRESTLE_W1S] = "w1s", [TRESTLE_W1T] = "w1t", [TRESTLE_W0C] = "w0c", [TRESTLE_RC] = "rc",
        [TRESTLE_W0S] = "w0s", [TRESTLE_W0T] = "w0t", [TRESTLE_WC] = "wc",   [TRESTLE_WS] = "ws",
        [TRESTLE_RS] = "rs",
    };
    fprintf(out, "%s 0x%" PRIx64 ":%u %s", row->name, row->offset, row->size, rights[row->access]);
    if (row->count)
        fprintf(out, " x%u/%u", row->count, row->stride);
    if (row->reset)
        fprintf(out, " =0x%" PRIx64, row->reset);
    if (row->mask && row->mask != UINT64_MAX >> (64 - 8 * row->size))
        fprintf(out, " mask 0x%" PRIx64, row->mask);
    for (const struct trestle_field *field = row->fields; field && field->name; field++) {
        fprintf(out, " %s:0x%" PRIx64, field->name, field->mask);
        if (field->access != TRESTLE_RIGHTS_DEFAULT)
            fprintf(out, " %s", rights[field->access]);
        for (const struct trestle_value *v = field->values; v && v->name; v++)
            fprintf(out, "%s%s=%" PRIu64, v == field->values ? "{" : ",", v->name, v->value);
        fputs(field->values ? "}" : "", out);
    }
    fputs("\n", out);
}

static char *rows_of(const struct svd_stub *stub)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < stub->table.num_rows; i++)
        print_row(out, &stub->table.rows[i]);
    fclose(out);
    return text;
}

static void check(const char *text, const char *names, const char *expected)
{
    struct svd_file *file = parse(text);
    struct svd_stub *stub;
    char *error = NULL;
    if (svd_stub_make(file, names, &stub, &error) < 0)
        fail_msg("%s", error);
    char *rows = rows_of(stub);
    assert_string_equal(rows, expected);
    free(rows);
    svd_destroy(file);
}

static void test_what_overlaps(void **state)
{
    /* The widest is the row, and may do what any of them may. */
    check(P(REGISTER("A", "0", "<access>read-only</access><size>16</size>")
                REGISTER("B", "0", "<access>write-only</access>")
                    REGISTER("C", "3", "<size>8</size>") REGISTER("D", "4", "")),
          "P", "B 0x0:4 rw\nD 0x4:4 rw\n");
    /* An array of which one element is elsewhere's goes to pieces. */
    check(P("<register><dim>3</dim><dimIncrement>4</dimIncrement><name>R%s</name><addressOffset>0"
            "</addressOffset></register>" REGISTER("W", "0", "<size>64</size>")),
          "P", "W 0x0:8 rw\nR2 0x8:4 rw\n");
    /* Arrays may stand between each other's elements. */
    check(P("<register><dim>2</dim><dimIncrement>8</dimIncrement><name>A[%s]</name><addressOffset>0"
            "</addressOffset></register><register><dim>2</dim><dimIncrement>8</dimIncrement>"
            "<name>B[%s]</name><addressOffset>4</addressOffset></register>"),
          "P", "A 0x0:4 rw x2/8\nB 0x4:4 rw x2/8\n");
}

static void test_odd_places_and_sizes(void **state)
{
    check(P(REGISTER("A", "2", "<resetValue>0x12345678</resetValue>")), "P",
          "A_0 0x2:2 rw =0x5678\nA_1 0x4:2 rw =0x1234\n");
    check(P(REGISTER("A", "0", "<size>1</size>") REGISTER("B", "8", "<size>35</size>")
                REGISTER("C", "16", "<size>65</size>")),
          "P",
          "A 0x0:1 rw mask 0x1\nB 0x8:8 rw mask 0x7ffffffff\nC_0 0x10:8 rw\n"
          "C_1 0x18:8 rw mask 0x1\n");
}

static void test_names(void **state)
{
    check(P(REGISTER("A/B C", "0", "") REGISTER("A", "4", "") REGISTER("A", "8", "")), "P",
          "A_B_C 0x0:4 rw\nA 0x4:4 rw\nA_at_8 0x8:4 rw\n");
}

static void test_rights(void **state)
{
    check(P(REGISTER("A", "0", "<modifiedWriteValues>oneToClear</modifiedWriteValues>")
                REGISTER("B", "4", "<access>read-only</access><readAction>clear</readAction>")),
          "P", "A 0x0:4 w1c\nB 0x4:4 rc\n");
    check(P(REGISTER("A", "0", "<modifiedWriteValues>zeroToSet</modifiedWriteValues>")
                REGISTER("B", "4", "<modifiedWriteValues>clear</modifiedWriteValues>")
                    REGISTER("C", "8", "<access>read-only</access><readAction>set</readAction>")),
          "P", "A 0x0:4 w0s\nB 0x4:4 wc\nC 0x8:4 rs\n");
    check(P(REGISTER("R", "0",
                     "<access>read-only</access><fields>" FIELD("A", "[0:0]", "")
                         FIELD("B", "[2:1]",
                               "<access>read-write</access><modifiedWriteValues>zeroToClear"
                               "</modifiedWriteValues>")
                     /* Read and written at one place under two names. */
                     FIELD("C", "[7:4]", "<access>read-only</access>")
                         FIELD("D", "[7:4]", "<access>write-only</access>") "</fields>")),
          "P", "R 0x0:4 rw A:0x1 ro B:0x6 w0c C:0xf0\n");
}

static void test_far_away(void **state)
{
    struct svd_file *file = parse(P(REGISTER("A", "0", "") REGISTER("B", "0x200c0000", "")));
    struct svd_stub *stub;
    char *error = NULL;
    assert_int_equal(svd_stub_make(file, "P", &stub, &error), 0);
    assert_int_equal(stub->table.num_rows, 1);
    assert_int_equal(stub->table.num_left_out, 1);
    assert_string_equal(stub->table.left_out, "B");
    assert_int_equal(stub->size, 0x100);
    svd_destroy(file);
    file = parse(P(REGISTER("A", "0xfffff800", "")));
    assert_int_equal(svd_stub_make(file, "P", &stub, &error), -EINVAL);
    assert_string_equal(error,
                        "t.svd:1: peripheral \"P\" has no register within 16 MiB of its base "
                        "address");
    free(error);
    svd_destroy(file);
    file = parse(DEVICE("<peripheral><name>P</name></peripheral>"));
    assert_int_equal(svd_stub_make(file, "P", &stub, &error), -EINVAL);
    assert_string_equal(error, "t.svd:1: peripheral \"P\" has no register, and no addresses");
    free(error);
    svd_destroy(file);
}

static void test_presets(void **state)
{
    static const struct {
        const char *key, *value, *error;
    } wrong[] = {
        {"CTL", "1", "P has no register \"CTL\"; did you mean \"CTRL\"?"},
        {"SOMETHING", "1", "P has no register \"SOMETHING\"; it has CTRL and 0 more"},
        {"CTRL.MODES", "1", "register CTRL has no field \"MODES\"; did you mean \"MODE\"?"},
        {"CTRL", "many", "\"many\" is not a number from 0 to 0xffffffff"},
        {"CTRL", "0x100000000", "\"0x100000000\" is not a number from 0 to 0xffffffff"},
        {"CTRL.MODE", "4", "\"4\" is not a number from 0 to 0x3"},
    };
    struct svd_file *file =
        parse(P(REGISTER("CTRL", "0",
                         "<resetValue>0x80</resetValue><fields>" FIELD(
                             "MODE", "[5:4]",
                             "<enumeratedValues><enumeratedValue><name>fast</name><value>2</value>"
                             "</enumeratedValue></enumeratedValues>") "</fields>")));
    struct svd_stub *stub;
    char *error = NULL;
    assert_int_equal(svd_stub_make(file, "P", &stub, &error), 0);
    assert_int_equal(svd_stub_preset(stub, "CTRL.MODE", "fast", &error), 0);
    assert_int_equal(stub->table.rows[0].reset, 0xa0);
    assert_int_equal(svd_stub_preset(stub, "CTRL.MODE", "1", &error), 0);
    assert_int_equal(stub->table.rows[0].reset, 0x90);
    assert_int_equal(svd_stub_preset(stub, "CTRL", "0x7", &error), 0);
    assert_int_equal(stub->table.rows[0].reset, 0x7);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(svd_stub_preset(stub, wrong[i].key, wrong[i].value, &error), -EINVAL);
        assert_string_equal(error, wrong[i].error);
        free(error);
    }
    svd_destroy(file);
}

/* --- all of a file --------------------------------------------------------------------------- */

static const char chip[] =
    DEVICE(PERIPHERAL("B", "0x40001004", REGISTER("R", "0", ""))
               PERIPHERAL("A", "0x40000000", REGISTER("R", "0", "") REGISTER("S", "8", ""))
                   PERIPHERAL("A2", "0x40000000", REGISTER("R", "4", "") REGISTER("S", "8", ""))
                       PERIPHERAL("NEAR", "0x40000080", REGISTER("R", "0x10", ""))
                           PERIPHERAL("EMPTY", "0x50000000", ""));

static char *stubs_text(char *const *except, const struct svd_taken *taken, size_t num_taken)
{
    struct svd_file *file = parse(chip);
    struct svd_stub **stubs;
    size_t count, size;
    char *error = NULL, *text;
    if (svd_stubs_make(file, except, taken, num_taken, &stubs, &count, &error) < 0)
        fail_msg("%s", error);
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s %s 0x%" PRIx64 "+0x%" PRIx64 "\n", stubs[i]->name, stubs[i]->names,
                stubs[i]->base, stubs[i]->size);
    fclose(out);
    free(stubs);
    svd_destroy(file);
    return text;
}

static void test_all(void **state)
{
    char *none[] = {NULL}, *a[] = {"A", NULL};
    char *text = stubs_text(none, NULL, 0);
    assert_string_equal(text, "A A+A2 0x40000000+0x80\nNEAR NEAR 0x40000080+0x100\n"
                              "B B 0x40001000+0x108\nEMPTY EMPTY 0x50000000+0x100\n");
    free(text);
    text = stubs_text(a, NULL, 0);
    assert_string_equal(text, "A2 A2 0x40000000+0x80\nNEAR NEAR 0x40000080+0x100\n"
                              "B B 0x40001000+0x108\nEMPTY EMPTY 0x50000000+0x100\n");
    free(text);
    /* What somebody else has is left to them: registers with their peripheral, room without. */
    const struct svd_taken taken[] = {{0x40000008, 4}, {0x400000a0, 8}};
    text = stubs_text(none, taken, 2);
    assert_string_equal(text, "NEAR NEAR 0x40000080+0x20\nB B 0x40001000+0x108\n"
                              "EMPTY EMPTY 0x50000000+0x100\n");
    free(text);
}

static void test_joined_by_name(void **state)
{
    check(chip, "A+A2", "R 0x0:4 rw\nA2_R 0x4:4 rw\nS 0x8:4 rw\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_overlaps), cmocka_unit_test(test_odd_places_and_sizes),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_rights),
        cmocka_unit_test(test_far_away),      cmocka_unit_test(test_presets),
        cmocka_unit_test(test_all),           cmocka_unit_test(test_joined_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
