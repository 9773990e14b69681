/* SPDX-License-Identifier: MIT */
/* Which edges of a core's inputs are used at one place, in the C++ that each Verilator writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rtl/edges.h"
#include "util.h"

/* "clk+ go-! x": rises, falls, beside others. */
static char *read_edges(const char *inputs, const char *text)
{
    struct rtl_ports ports = {0};
    char *names = xstrdup(inputs), *rest = names, *name;
    struct printed found;
    printed_begin(&found);
    while ((name = strsep(&rest, " "))) {
        ports.ports = xrealloc(ports.ports, ports.count + 1, sizeof(*ports.ports));
        ports.ports[ports.count++] = (struct rtl_port){.name = xstrdup(name), .is_input = true};
    }
    rtl_edges_read(&ports, text);
    for (size_t i = 0; i < ports.count; i++) {
        const struct rtl_port *port = &ports.ports[i];
        fprintf(found.file, "%s%s%s%s%s", i ? " " : "", port->name, port->rises ? "+" : "",
                port->falls ? "-" : "", port->is_beside_others ? "!" : "");
    }
    rtl_ports_finish(&ports);
    free(names);
    return printed_end(&found);
}

static void check_edges(const char *inputs, const char *text, const char *expected)
{
    char *found = read_edges(inputs, text);
    assert_string_equal(found, expected);
    free(found);
}

/* Of this core, in which go and stop are asynchronous resets, and a wire depends on both clocks:
 *   always @(posedge clk or negedge go) ...
 *   always @(posedge clk2) ...
 *   always @(posedge clk2 or posedge stop) ... */
static const char inputs[] = "clk go clk2 stop";
static const char expected[] = "clk+! go-! clk2+! stop+!";

static void test_a_trigger_for_a_block(void **state)
{
    check_edges(inputs,
                "    if (vlSelf->__VnbaTriggered.at(2U)) {\n"
                "        Vcore___024root___nba_sequent__TOP__0(vlSelf);\n    }\n"
                "    if ((vlSelf->__VnbaTriggered.at(0U) | vlSelf->__VnbaTriggered.at(1U))) {\n"
                "        Vcore___024root___nba_comb__TOP__0(vlSelf);\n    }\n"
                "    if (vlSelf->__VnbaTriggered.at(0U)) {\n"
                "        VL_DBG_MSGF(\"         'nba' region trigger index 0 is active: "
                "@(posedge clk or negedge go)\\n\");\n    }\n"
                "        VL_DBG_MSGF(\"         'nba' region trigger index 1 is active: "
                "@(posedge clk2)\\n\");\n"
                "        VL_DBG_MSGF(\"         'nba' region trigger index 2 is active: "
                "@(posedge clk2 or posedge stop)\\n\");\n",
                expected);
}

static void test_a_trigger_for_an_edge(void **state)
{
    check_edges(inputs,
                "    if ((0xcULL & vlSelfRef.__VnbaTriggered.word(0U))) {\n"
                "        Vcore___024root___nba_sequent__TOP__0(vlSelf);\n    }\n"
                "    if ((3ULL & vlSelfRef.__VnbaTriggered.word(0U))) {\n"
                "        Vcore___024root___nba_sequent__TOP__1(vlSelf);\n    }\n"
                "    if ((4ULL & vlSelfRef.__VnbaTriggered.word(0U))) {\n"
                "        Vcore___024root___nba_sequent__TOP__2(vlSelf);\n    }\n"
                "    if ((1ULL & vlSelfRef.__VnbaTriggered.word(0U))) {\n"
                "        VL_DBG_MSGF(\"         'nba' region trigger index 0 is active: "
                "@(posedge clk)\\n\");\n    }\n"
                "    if ((2ULL & vlSelfRef.__VnbaTriggered.word(0U))) {\n"
                "        VL_DBG_MSGF(\"         'nba' region trigger index 1 is active: "
                "@(negedge go)\\n\");\n    }\n"
                "    if ((4ULL & vlSelfRef.__VnbaTriggered.word(0U))) {\n"
                "        VL_DBG_MSGF(\"         'nba' region trigger index 2 is active: "
                "@(posedge clk2)\\n\");\n    }\n"
                "    if ((8ULL & vlSelfRef.__VnbaTriggered.word(0U))) {\n"
                "        VL_DBG_MSGF(\"         'nba' region trigger index 3 is active: "
                "@(posedge stop)\\n\");\n    }\n",
                expected);
}

#define NAME(index, edge)                                                                \
    "VL_DBG_MSGS(\"   '\" + tag + \"' region trigger index " index " is active: @(" edge \
    ")\\n\");\n"
#define IF(condition) "    if (" condition ") {\n        something;\n    }\n"
#define FOUR                 \
    NAME("0", "posedge clk") \
    NAME("1", "negedge go") NAME("2", "posedge clk2") NAME("3", "posedge stop")

static void test_arrays_of_triggers(void **state)
{
    check_edges(inputs,
                IF("(0x000000000000000cULL & vlSelfRef.__VnbaTriggered[0U])")
                    IF("(3ULL & vlSelfRef.__VnbaTriggered[0U])")
                        IF("(7ULL & vlSelfRef.__VnbaTriggered\n            [0U])")
                            IF("(4ULL \n         & vlSelfRef.__VnbaTriggered[0U])") FOUR,
                expected);
}

/* Logic that depends on two clocks does not make one of them a reset. */
static void test_what_several_blocks_drive(void **state)
{
    check_edges("clk clk2",
                IF("(1ULL & vlSelfRef.__VnbaTriggered[0U])")
                    IF("(2ULL & vlSelfRef.__VnbaTriggered[0U])")
                        IF("(3ULL & vlSelfRef.__VnbaTriggered[0U])") NAME("0", "posedge clk")
                            NAME("1", "posedge clk2"),
                "clk+ clk2+");
}

static void test_more_triggers_than_a_word_has(void **state)
{
    check_edges("clk go other",
                IF("((0x8000000000000000ULL & vlSelfRef.__VnbaTriggered[0U]) | (1ULL & "
                   "vlSelfRef.__VnbaTriggered[1U]))") NAME("63", "posedge clk")
                    NAME("64", "negedge go") NAME("0", "posedge other"),
                "clk+! go-! other+");
}

/* An edge of something that is no input is beside others, too. */
static void test_edges_of_other_things(void **state)
{
    check_edges("clk",
                IF("(3ULL & vlSelfRef.__VnbaTriggered[0U])") NAME("0", "posedge clk")
                    NAME("1", "posedge top.ready"),
                "clk+!");
}

static void test_what_is_not_understood(void **state)
{
    static const char *const texts[] = {
        "",
        "if (",
        "if (__VnbaTriggered",
        "if (__VnbaTriggered {",
        "if (ULL & __VnbaTriggered[0U]) {",
        "if ((3ULL & __VnbaTriggered[99U])) {" FOUR,
        "if ((3ULL & __VnbaTriggered)) {" FOUR,
        "if ((3U & __VnbaTriggered[0U])) {" FOUR,
        "if ((3ULL & f(__VnbaTriggered[0U]))) {" FOUR,
        "trigger index ",
        "trigger index 5000 is active: @(posedge clk",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *found = read_edges("clk go", texts[i]);
        assert_null(strchr(found, '!'));
        free(found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trigger_for_a_block),
        cmocka_unit_test(test_a_trigger_for_an_edge),
        cmocka_unit_test(test_arrays_of_triggers),
        cmocka_unit_test(test_what_several_blocks_drive),
        cmocka_unit_test(test_more_triggers_than_a_word_has),
        cmocka_unit_test(test_edges_of_other_things),
        cmocka_unit_test(test_what_is_not_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
