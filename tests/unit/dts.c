/* SPDX-License-Identifier: MIT */
/* The body of a device tree's node: what is written, what is refused, and in which words. */
#include "plugin/device/dts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* A tree that is text: "name: bytes kinds;" and "node {number}". */
struct text {
    char all[4 * DTS_VALUE_MAX];
    int length, nodes;
    const char *wrong; /* what it says of everything */
};

static const char *put(void *to, int node, const char *name, const struct dts_value *value)
{
    struct text *text = to;
    char *all = text->all;
    text->length += sprintf(all + text->length, "%d.%s:", node, name);
    for (int i = 0; i < value->length && i < 64; i++)
        text->length += sprintf(all + text->length, "%02x", value->bytes[i]);
    text->length += sprintf(all + text->length, "%s%s%s;", value->has_strings ? "s" : "",
                            value->has_cells ? "c" : "", value->has_bytes ? "b" : "");
    return text->wrong;
}

static const char *add(void *to, int parent, const char *name, int *ret_node)
{
    struct text *text = to;
    *ret_node = ++text->nodes;
    text->length += sprintf(text->all + text->length, "%d.%s{%d};", parent, name, *ret_node);
    return text->wrong;
}

static bool resolve(const char *label, uint32_t *ret_phandle)
{
    *ret_phandle = 0x1020304;
    return strcmp(label, "clk") == 0 || strcmp(label, "/soc/a@1") == 0;
}

static struct text made;
static char wrong[160];

static int body(const char *source)
{
    struct dts dts = {.tree = &made, .put = put, .add = add, .resolve = resolve};
    made = (struct text){.wrong = made.wrong};
    int r = dts_put(&dts, 0, source);
    strcpy(wrong, dts.wrong);
    return r;
}

static void check_body(const char *source, const char *expected)
{
    assert_int_equal(body(source), 0);
    assert_string_equal(wrong, "");
    assert_string_equal(made.all, expected);
}

static void check_wrong(const char *source, const char *expected)
{
    assert_int_equal(body(source), -1);
    assert_string_equal(wrong, expected);
}

static void test_values(void **state)
{
    (void)state;
    check_body("", "");
    check_body(" \t\n", "");
    check_body("big-endian;", "0.big-endian:;");
    check_body("big-endian", "0.big-endian:;"); /* the last needs no ';' */
    check_body("compatible = \"ab\";", "0.compatible:616200s;");
    check_body("a=\"q\\\"\\\\\"", "0.a:71225c00s;");
    check_body("a = \"\", \"b\";", "0.a:006200s;");
    check_body("a = <1 0x2 -1>;", "0.a:0000000100000002ffffffffc;");
    check_body("a = <0xffffffff -2147483648>;", "0.a:ffffffff80000000c;");
    check_body("a = <>;", "0.a:c;");
    check_body("a = [00 fF12 ];", "0.a:00ff12b;");
    check_body("a = <1>, [02], \"3\" ;b;", "0.a:00000001023300scb;0.b:;");
    check_body("a = <&clk 1>;", "0.a:0102030400000001c;");
    check_body("a = <&{/soc/a@1}>;", "0.a:01020304c;");
    check_body("Az09,._+?#@-;", "0.Az09,._+?#@-:;");
}

static void test_nodes(void **state)
{
    (void)state;
    check_body("a@1 { x; b { y; } z; }; c{} d;", "0.a@1{1};1.x:;1.b{2};2.y:;1.z:;0.c{3};0.d:;");
    check_body("a{a{a{a{a{a{a{a{x;}}}}}}}}",
               "0.a{1};1.a{2};2.a{3};3.a{4};4.a{5};5.a{6};6.a{7};7.a{8};8.x:;");
    check_wrong("a{a{a{a{a{a{a{a{a{}}}}}}}}}", "nodes are nested more than 8 deep");
}

static void test_refused(void **state)
{
    (void)state;
    check_wrong("=", "a name of up to 63 characters is expected at '='");
    check_wrong("a b;", "; is expected at 'b;'");
    check_wrong("a = ;", "\", < or [ is expected at ';'");
    check_wrong("a = \"b", "\" is expected at ''");
    check_wrong("a = \"b\\", "\" is expected at ''");
    check_wrong("a = [0];", "two hexadecimal digits or ] is expected at '0];'");
    check_wrong("a = [g0];", "two hexadecimal digits or ] is expected at 'g0];'");
    check_wrong("a = [", "two hexadecimal digits or ] is expected at ''");
    check_wrong("a = [0", "two hexadecimal digits or ] is expected at '0'");
    check_wrong("a = <x>;", "a number of 32 bits, &label or > is expected at 'x>;'");
    check_wrong("a = <4294967296>;",
                "a number of 32 bits, &label or > is expected at '4294967296>;'");
    check_wrong("a = <-2147483649>",
                "a number of 32 bits, &label or > is expected at '-2147483649>'");
    check_wrong("a = <&0>;", "no device has the node &0; use a device's dt_label, or &intc");
    check_wrong("a = <&b>;", "no device has the node &b; use a device's dt_label, or &intc");
    check_wrong("a = <&>;", "a name of up to 63 characters is expected at '>;'");
    check_wrong("a = <&{/b}>;", "the board has no node &{/b} that a property can refer to");
    check_wrong("a = <&{b}>;", "a path and } is expected at 'b}>;'");
    check_wrong("a = <&{/b", "a path and } is expected at '/b'");
    check_wrong("a { b;", "} is expected at ''");
    check_wrong("a;}", "the end is expected at '}'");
    check_wrong("a {\n  b = 01234567890123456789012;",
                "\", < or [ is expected at '01234567890123456789'");
}

static void test_without_references(void **state)
{
    struct dts dts = {.tree = &made, .put = put, .add = add};
    (void)state;
    assert_int_equal(dts_put(&dts, 0, "a = <&clk>;"), -1);
    assert_string_equal(dts.wrong, "a property refers to a node, and in ACPI there are none");
}

static void test_limits(void **state)
{
    char name[65], path[300], cells[3 * DTS_VALUE_MAX];
    (void)state;
    memset(name, 'n', 64);
    name[64] = '\0';
    assert_int_equal(body(name), -1);
    name[63] = '\0';
    assert_int_equal(body(name), 0);
    assert_int_equal(made.length, 2 + 63 + 2);
    /* The longest path has room for its end. */
    for (int length = 251; length <= 252; length++) {
        int at = sprintf(path, "a = <&{");
        memset(path + at, '/', (size_t)length);
        strcpy(path + at + length, "}>;");
        assert_int_equal(body(path), -1);
        assert_int_equal(strncmp(wrong, "a path and }", 12) == 0, length == 252);
    }
    int at = sprintf(cells, "a = <");
    for (int i = 0; i < DTS_VALUE_MAX / 4; i++)
        at += sprintf(cells + at, "1 ");
    strcpy(cells + at, ">;");
    assert_int_equal(body(cells), 0);
    strcpy(cells + at, ">, [00];");
    check_wrong(cells, "a property has more than 4096 bytes");
    strcpy(cells + at, ">, \"\";");
    check_wrong(cells, "a property has more than 4096 bytes");
    strcpy(cells + at, "1>;");
    check_wrong(cells, "a property has more than 4096 bytes");
    strcpy(cells + at, ">, \"1\";");
    check_wrong(cells, "a property has more than 4096 bytes");
}

static void test_the_tree_refuses(void **state)
{
    (void)state;
    made.wrong = "no room";
    check_wrong("a; b;", "property a: no room");
    check_wrong("a {}; b;", "node a: no room");
    made.wrong = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_without_references),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_the_tree_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
