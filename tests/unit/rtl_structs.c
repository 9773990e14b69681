/* SPDX-License-Identifier: MIT */
/* The fields of ports that are packed structs, in both files that Verilators write. In the texts
 * ' stands for ". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "rtl/structs.h"
#include "util.h"

/* "go:1 bus_i.valid:1@16 ...": names, bits, and where fields begin. */
static char *split(const char *end, const char *text)
{
    char path[] = "/tmp/trestle-structs-XXXXXX.json";
    size_t suffix = strlen(end);
    strcpy(strchr(path, '.'), end);
    int fd = mkstemps(path, (int)suffix);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    assert_non_null(file);
    for (; *text; text++)
        fputc(*text == '\'' ? '"' : *text, file);
    fclose(file);

    struct rtl_ports ports = {.ports = xcalloc(2, sizeof(*ports.ports)), .count = 2};
    ports.ports[0] = (struct rtl_port){.name = xstrdup("go"),
                                       .access = xstrdup("core.go"),
                                       .plain = xstrdup("go"),
                                       .bits = 1,
                                       .is_input = true};
    ports.ports[1] = (struct rtl_port){.name = xstrdup("bus_i"),
                                       .access = xstrdup("core.bus_i"),
                                       .plain = xstrdup("bus"),
                                       .bits = 17,
                                       .is_input = true};
    rtl_structs_split(&ports, path);
    unlink(path);
    struct printed found;
    printed_begin(&found);
    for (size_t i = 0; i < ports.count; i++) {
        unsigned offset;
        fprintf(found.file, "%s%s:%u", i ? " " : "", ports.ports[i].name, ports.ports[i].bits);
        if (sscanf(ports.ports[i].access, "trestle_rtl::part<%u", &offset) == 1)
            fprintf(found.file, "@%u", offset);
    }
    rtl_ports_finish(&ports);
    return printed_end(&found);
}

static void check_split(const char *end, const char *text, const char *expected)
{
    char *found = split(end, text);
    assert_string_equal(found, expected);
    free(found);
}

/* Of these types:
 *   typedef enum logic [2:0] {GET = 4} code_t;
 *   typedef struct packed {logic [1:0] kind; logic [1:0][3:0] data;} user_t;
 *   typedef struct packed {logic valid; code_t code; user_t user; logic [2:0] size;} bus_t; */
static const char whole[] = "go:1 bus_i:17";
static const char fields[] =
    "go:1 bus_i.valid:1@16 bus_i.code:3@13 bus_i.user.kind:2@11 bus_i.user.data:8@3 bus_i.size:3@0";

#define NODE(type, name, addr, more) \
    "    {'type':'" type "','name':'" name "','addr':'(" addr ")','loc':'e,1:2,3:4'," more "},\n"
#define MEMBER(name, addr, of) \
    NODE("MEMBERDTYPE", name, addr, "'dtypep':'(Z)','refDTypep':'(" of ")'")
#define LOGIC(addr, more) \
    NODE("BASICDTYPE", "logic", addr, "'keyword':'logic'," more "'rangep': []")
#define PORT(name, of) \
    NODE("VAR", name, name, "'dtypep':'(" of ")','isPrimaryIO':true,'direction':'INPUT'")
#define GO PORT("go", "A")
#define SCALARS    \
    LOGIC("A", "") \
    LOGIC("B", "'range':'2:0',") LOGIC("D", "'range':'1:0',") LOGIC("E", "'range':'3:0',")
#define CODE NODE("ENUMDTYPE", "code_t", "C", "'enum':true,'refDTypep':'(B)'")
#define DATA NODE("PACKARRAYDTYPE", "", "F", "'declRange':'[1:0]','refDTypep':'(E)'")
#define STRUCT(name, addr) NODE("STRUCTDTYPE", name, addr, "'packed':true")
#define USER STRUCT("user_t", "G") MEMBER("kind", "H", "D") MEMBER("data", "I", "F")
#define USERS_NAME NODE("REFDTYPE", "user_t", "J", "'refDTypep':'(G)'")
#define BUS_BEGIN STRUCT("bus_t", "K") MEMBER("valid", "L", "A") MEMBER("code", "M", "C")
#define BUS BUS_BEGIN MEMBER("user", "N", "J") MEMBER("size", "O", "B")
#define TYPES SCALARS CODE DATA USER USERS_NAME BUS

static void test_json(void **state)
{
    check_split(".json", GO PORT("bus_i", "K") TYPES, fields);
}

/* Verilator's header has another one. */
static void test_the_order(void **state)
{
    check_split(".json", PORT("bus_i", "X") GO TYPES, "bus_i:17 go:1");
    check_split(".json", PORT("bus_i", "X") TYPES, "bus_i:17 go:1");
    check_split(".json", PORT("other", "X") GO PORT("bus_i", "X") GO TYPES, whole);
    check_split(".json",
                NODE("VAR", "b_i", "P", "'origName':'bus_i','dtypep':'(X)','isPrimaryIO':true") GO,
                "bus_i:17 go:1");
    check_split(".xml",
                "<?xml version='1.0' ?>\n<verilator_xml><netlist>\n"
                "<cells><cell name='top' submodname='top' hier='top'>"
                "<cell name='other' submodname='other'/></cell></cells>"
                "<module name='other'><var name='go' dtype_id='9' dir='input'/></module>"
                "<module name='top'>"
                "<var name='b_i' origName='bus_i' dtype_id='9' dir='input'/>"
                "<var name='go' dtype_id='9' dir='input'/></module></netlist></verilator_xml>\n",
                "bus_i:17 go:1");
}

/* A module within the top may have ports of the same name. */
static void test_ports_of_other_modules(void **state)
{
    check_split(".json", NODE("VAR", "bus_i", "P", "'dtypep':'(K)','direction':'INPUT'") TYPES,
                whole);
}

static void test_types_that_are_missing_or_do_not_fit(void **state)
{
    check_split(".json", GO PORT("bus_i", "X") TYPES, whole);
    check_split(".json", GO PORT("bus_i", "G") TYPES, whole); /* of 10 bits */
    check_split(".json", GO PORT("bus_i", "K"), whole);
    check_split(".json", "", whole);
    check_split(".json", "{'type':'VAR','name':'bus_i','isPrimaryIO':true", whole);
    check_split(".json", "{'type':'MEMBERDTYPE','name':'valid','addr':'(L", whole);
}

#define XML_MEMBER(name, id, of) \
    "<memberdtype id='" id "' name='" name "' sub_dtype_id='" of "'/>\n"
static void test_xml(void **state)
{
    check_split(".xml",
                "<?xml version='1.0' ?>\n<verilator_xml><netlist>\n"
                "<module name='top' topModule='1'><var name='go' dtype_id='1' dir='input'/>"
                "<var name='bus_i' dtype_id='9' dir='input'/>"
                "</module>\n<typetable>\n<basicdtype id='1' name='logic'/>\n"
                "<basicdtype id='2' name='logic' left='2' right='0'/>\n"
                "<enumdtype id='3' name='code_t' sub_dtype_id='2'/>\n"
                "<basicdtype id='4' name='logic' left='1' right='0'/>\n"
                "<basicdtype id='5' name='logic' left='3' right='0'/>\n"
                "<packarraydtype id='6' sub_dtype_id='5'><range><const name='32&apos;h1'/>"
                "<const name='32&apos;h0'/></range></packarraydtype>\n"
                "<structdtype id='7' name='user_t'>" XML_MEMBER("kind", "10", "4") XML_MEMBER(
                    "data", "11",
                    "6") "</structdtype>\n"
                         "<refdtype id='8' name='user_t' sub_dtype_id='7'/>\n"
                         "<structdtype id='9' name='bus_t'>" XML_MEMBER("valid", "12", "1")
                             XML_MEMBER("code", "13", "3") XML_MEMBER("user", "14", "8") XML_MEMBER(
                                 "size", "15", "2") "</structdtype>\n"
                                                    "</typetable></netlist></verilator_xml>\n",
                fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_the_order),
        cmocka_unit_test(test_ports_of_other_modules),
        cmocka_unit_test(test_types_that_are_missing_or_do_not_fit),
        cmocka_unit_test(test_xml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
