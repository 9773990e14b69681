/* SPDX-License-Identifier: MIT */
/* The configuration: what is accepted, and for each mistake the whole line that the user gets.
 * In the texts ' stands for ", so that they can be read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config/config.h"
#include "sim/lookup.h"
#include "trestle/registers.h"
#include "util.h"

static int parse(const char *file, const char *text, struct config **ret_config, char **ret_error)
{
    char *json = xstrdup(text);
    for (char *p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    int r = config_parse(file, json, strlen(json), ret_config, ret_error);
    free(json);
    return r;
}

static struct config *accepted(const char *text)
{
    struct config *config = NULL;
    char *error = NULL;
    int r = parse("dir/two.json", text, &config, &error);
    if (r < 0)
        fail_msg("refused: %s", error);
    return config;
}

#define ECHO "{'model':'echo','base_addr':'0x10200000'}"
#define COMPUTE "{'model':'compute','base_addr':'0x10300000'}"
#define TWO "{'devices':[" ECHO ",\n" COMPUTE "]"

/* Each text is wrong in one way; the line is what follows "t.json:". */
static const struct {
    const char *text, *line;
} mistakes[] = {
    /* not JSON */
    {"", "1:0: not JSON: '[' or '{' expected near end of file; close every { [ and \" that was "
         "opened"},
    {"{\n'devices': [],\n}",
     "3:1: not JSON: string or '}' expected near '}'; remove the comma before the }"},
    {"{'devices': [1,]}",
     "1:16: not JSON: unexpected token near ']'; remove the comma before the ]"},
    {"{ // devices\n}",
     "1:3: not JSON: string or '}' expected near '/'; remove the comment: JSON has none"},
    {"{'devices': 0x10}", "1:14: not JSON: '}' expected near 'x'; write hexadecimal numbers as "
                          "text: \"0x10200000\""},
    {"{devices: []}",
     "1:8: not JSON: string or '}' expected near 'devices'; put keys into double quotes"},
    {"{'devices': [{}", "1:15: not JSON: ']' expected near end of file; close every { [ and \" "
                        "that was opened"},
    {"{'devices': 18446744073709551616}",
     "1:32: not JSON: too big integer near '18446744073709551616'; write large numbers as text: "
     "\"0xffffffff00000000\""},
    {"{'devices' []}", "1:12: not JSON: ':' expected near '['; put a : between key and value"},
    {"{'machine': 'C:\\qemu'}", "1:17: not JSON: invalid escape near '\"C:\\q'; write a backslash "
                                "in text as \\\\"},
    {"[]", "1: a list is not a configuration; begin with { and \"devices\""},
    {"{'devices': [\n" ECHO "],\n'links': [],\n'devices': []}",
     "4:9: not JSON: duplicate object key near '\"devices\"'; remove one of the two"},
    {"{'devices':[{'model':'echo','base_addr':8,\n'params':{'a':1,\n'\\u0061':2}}]}",
     "3:8: not JSON: duplicate object key near '\"\\u0061\"'; remove one of the two"},

    /* the outermost object */
    {"{}", "1: \"devices\" is missing; add for example \"devices\": [ { \"model\": \"echo\", "
           "\"base_addr\": \"0x10200000\" } ]"},
    {"{\n'device': []}", "2: device: unknown key; did you mean \"devices\"?"},
    {"{\n'colour': 1}", "2: colour: unknown key; the keys here are machine, devices, links, "
                        "stop_at, watchdog_ms, socket_path, device_base, model, params"},
    {"{'devices': 1}", "1: devices: 1 is not a list of devices; write for example \"devices\": [ "
                       "{ \"model\": \"echo\", \"base_addr\": \"0x10200000\" } ]"},
    {"{'devices': []}", "1: devices: the list is empty; write for example \"devices\": [ { "
                        "\"model\": \"echo\", \"base_addr\": \"0x10200000\" } ]"},
    {"{'devices': [" ECHO "],\n'stop_at': 10}", "2: stop_at: 10 is not a time above 0; write "
                                                "for example \"stop_at\": \"10s\""},
    {"{'devices': [" ECHO "],\n'stop_at': '10 parsecs'}",
     "2: stop_at: \"10 parsecs\" is not a time above 0; write for example \"stop_at\": \"10s\""},
    {"{'devices': [" ECHO "],\n'stop_at': '0s'}",
     "2: stop_at: \"0s\" is not a time above 0; write for example \"stop_at\": \"10s\""},

    /* machine */
    {"{'devices': [" ECHO "],\n'machine': 'virt'}",
     "2: machine: \"virt\" is not an object; write for example \"machine\": { \"kernel\": "
     "\"guest.elf\" }"},
    {"{'machine': {\n'kernal': 'x'}}", "2: machine.kernal: unknown key; did you mean \"kernel\"?"},
    {"{'machine': {\n'arch': 'riscv'}}",
     "2: machine.arch: \"riscv\" is not an architecture; did you mean \"riscv32\"?"},
    {"{'machine': {\n'arch': 'm68k'}}",
     "2: machine.arch: \"m68k\" is not an architecture; choose one of riscv32, riscv64, arm, "
     "aarch64, x86_64"},
    {"{'machine': {\n'arch': null}}", "2: machine.arch: null is not an architecture; choose one "
                                      "of riscv32, riscv64, arm, aarch64, x86_64"},
    {"{'machine': {\n'kernel': ''}}", "2: machine.kernel: \"\" is not a path; write for example "
                                      "\"kernel\": \"guest.elf\""},
    {"{'machine': {\n'qemu': 7}}", "2: machine.qemu: 7 is not a program; write for example "
                                   "\"qemu\": \"qemu-system-riscv32\""},
    {"{'machine': {'arch': 'riscv32',\n'qemu': 'a/qemu-system-riscv64'}}",
     "2: machine.qemu: a/qemu-system-riscv64 does not run riscv32, the \"arch\"; correct one of "
     "them"},
    {"{'machine': {\n'args': '-m 256M'}}",
     "2: machine.args: \"-m 256M\" is not a list of texts; write for example \"args\": [\"-m\", "
     "\"256M\"]"},
    {"{'machine': {'args': [\n'-m',\n256]}}",
     "3: machine.args[1]: 256 is not a text; write for example \"256M\""},
    {"{'machine': {\n'plugin': 'atuo'}}",
     "2: machine.plugin: \"atuo\" is not a plugin; did you mean \"auto\"?"},
    {"{'machine': {\n'plugin': false}}",
     "2: machine.plugin: false is not \"auto\", \"in-tree\", \"none\" or a path; write for example "
     "\"plugin\": \"auto\""},
    {"{'machine': {\n'icount': 11}}",
     "2: machine.icount: 11 is not a number from 0 to 10; write for example \"icount\": 0, for a "
     "nanosecond per instruction; each step up doubles it"},
    {"{'machine': {\n'icount': 'auto'}}", "2: machine.icount: \"auto\" is not a number from 0 to "
                                          "10; write for example \"icount\": 0, for "
                                          "a nanosecond per instruction; each step up doubles it"},

    /* a device */
    {"{'devices': [\n7]}", "2: devices[0]: 7 is not a device; write for example { \"model\": "
                           "\"echo\", \"base_addr\": \"0x10200000\" }"},
    {"{'devices': [" ECHO ",\n{'model':'echo'}]}",
     "2: devices[1]: \"base_addr\" is missing; add for example \"base_addr\": \"0x10200000\""},
    {"{'devices': [\n{'base_addr': 8}]}",
     "2: devices[0]: \"model\" is missing; add for example \"model\": \"echo\""},
    {"{'devices': [" ECHO ",\n{'base-addr': 8}]}",
     "2: devices[1].base-addr: unknown key; did you mean \"base_addr\"?"},
    {"{'devices': [{\n'name': 7}]}",
     "2: devices[0].name: 7 is not a name; write for example \"name\": \"echo_device\""},
    {"{'devices': [{\n'name': 'a.b'}]}",
     "2: devices[0].name: \"a.b\" is not a name; use letters, digits, _ and - only"},
    {"{'devices': [{'name': 'a\\nb'}]}",
     "1: devices[0].name: \"a?b\" is not a name; use letters, digits, _ and - only"},
    {"{'devices': [{'model': 'ecoh'}]}",
     "1: devices[0].model: there is no model \"ecoh\"; did you mean \"echo\"? the models are "
     "@MODELS, or a path to a .so or .py"},
    {"{'devices': [{'model': 'uart'}]}", "1: devices[0].model: there is no model \"uart\"; the "
                                         "models are @MODELS, or a path to a .so or .py"},
    {"{'devices': [{'model': 'svd'}]}",
     "1: devices[0]: the model svd needs to know what it stands for; add \"params\": { \"file\": "
     "\"nrf51.svd\", \"peripheral\": \"UART0\" }"},
    {"{'devices': [{'model': 'svd',\n'params': {'file': '/nowhere/a.svd', 'peripheral': 'A'}}]}",
     "2: devices[0].params.file: /nowhere/a.svd: No such file or directory; check the path"},
    {"{'devices': [{'svd': '/nowhere/a.svd'}]}",
     "1: devices[0]: add \"all\": true for all peripherals of the file; for one of them, write "
     "\"model\": \"svd\""},
    {"{'devices': [{'svd': '/nowhere/a.svd', 'all': true}]}",
     "1: devices[0].svd: /nowhere/a.svd: No such file or directory; check the path"},
    {"{'devices': [{'svd': 'a.svd', 'all': true,\n'except': 'UART0'}]}",
     "2: devices[0].except: \"UART0\" is not a list of peripherals; write for example \"except\": "
     "[\"UART0\", \"RTC0\"]"},
    {"{'devices': [{'component': 'acalsim.QemuDevice'}]}",
     "1: devices[0].component: there is no component \"acalsim.QemuDevice\"; did you mean "
     "\"acalsim.QEMUDevice\"?"},
    {"{'devices': [{'model':'echo',\n'component': 'acalsim.QEMUDevice'}]}",
     "2: devices[0].component: \"model\" says it already; remove one of the two"},
    {"{'devices': [" ECHO ",\n{'model':'echo',\n'base_addr':'0x10200004'}]}",
     "3: devices[1].base_addr: 0x10200004 is not a multiple of 8; choose an aligned base "
     "address"},
    {"{'devices': [{'base_addr': -8}]}", "1: devices[0].base_addr: -8 is not an address; write "
                                         "for example \"base_addr\": \"0x10200000\""},
    {"{'devices': [{'base_addr': '10200000'}]}",
     "1: devices[0].base_addr: \"10200000\" is not an address; write for example \"base_addr\": "
     "\"0x10200000\""},
    {"{'devices': [{'base_addr': '0x'}]}",
     "1: devices[0].base_addr: \"0x\" is not an address; write for example \"base_addr\": "
     "\"0x10200000\""},
    {"{'devices': [{'base_addr': '0x10200000000000000'}]}",
     "1: devices[0].base_addr: \"0x10200000000000000\" is not an address; write for example "
     "\"base_addr\": \"0x10200000\""},
    {"{'devices': [{'base_addr': 1e9}]}", "1: devices[0].base_addr: 1e+09 is not an address; "
                                          "write for example \"base_addr\": \"0x10200000\""},
    {"{'devices': [{'model':'echo','base_addr':8,\n'size': 0}]}",
     "2: devices[0].size: a region of size 0 holds no register; write for example 4096"},
    {"{'devices': [{'size': [1]}]}", "1: devices[0].size: a list [...] is not a size; write for "
                                     "example \"size\": 4096 or \"size\": \"0x1000\""},
    {"{'devices': [{'model':'echo','base_addr':8,\n'size': 8}]}",
     "2: devices[0].size: 8 bytes do not hold the registers of echo; write 32 or more"},
    {"{'devices': [{'model':'echo',\n'base_addr':'0xfffffffffffffff8'}]}",
     "2: devices[0].base_addr: 0xfffffffffffffff8 plus 32 bytes runs past the end of the address "
     "space; choose a lower base address or a smaller size"},
    {"{'devices': [{'params': 3}]}",
     "1: devices[0].params: 3 is not an object of parameters; write for example \"params\": { "
     "\"echo_latency\": 10 }"},
    {"{'devices': [{'params': {'a': [1]}}]}",
     "1: devices[0].params.a: a list [...] is not a parameter; write for example 10, \"1GHz\" or "
     "true"},
    {"{'devices': [{'on_error': 'one'}]}", "1: devices[0].on_error: \"one\" is not a choice "
                                           "here; did you mean \"ones\"?"},
    {"{'devices': [{'on_error': 'ignore'}]}",
     "1: devices[0].on_error: \"ignore\" is not a choice here; choose one of fault, "
     "ones, zeros"},
    {"{'devices': [{'timeout_ms': -1}]}",
     "1: devices[0].timeout_ms: -1 is not a number of milliseconds; write for example "
     "\"timeout_ms\": 1000, or 0 for never"},
    {"{'devices': [{'timeout_ms': '1s'}]}",
     "1: devices[0].timeout_ms: \"1s\" is not a number of milliseconds; write for example "
     "\"timeout_ms\": 1000, or 0 for never"},
    {"{'devices': [{'timeout_ms': 2147483648}]}",
     "1: devices[0].timeout_ms: 2147483648 is not a number of milliseconds; write for example "
     "\"timeout_ms\": 1000, or 0 for never"},
    {"{'devices': [{'model':'echo','base_addr':0,'shadow': true,\n'behind': true}]}",
     "2: devices[0].behind: \"shadow\" says the opposite; remove one of the two"},
    {"{'devices': [{'shadow': 1}]}", "1: devices[0].shadow: 1 is not true or false; write for "
                                     "example \"shadow\": true"},
    {"{'devices': [{'socket': 5}]}",
     "1: devices[0].socket: 5 is not a path; write for example \"socket\": \"echo.sock\""},
    {"{'devices': [{'irq': '40'}]}",
     "1: devices[0].irq: \"40\" is not an interrupt number, or a list of them; write for example "
     "\"irq\": 40, or \"irq\": [40, 41] for two lines"},
    {"{'devices': [{'irq': []}]}",
     "1: devices[0].irq: a list [...] is not an interrupt number, or a list of them; write for "
     "example \"irq\": 40, or \"irq\": [40, 41] for two lines"},
    {"{'devices': [{'irq': [40,\n-1]}]}",
     "2: devices[0].irq[1]: -1 is not an interrupt number, or a list of them; write for example "
     "\"irq\": 40, or \"irq\": [40, 41] for two lines"},
    {"{'devices': [{'irq': 65536}]}",
     "1: devices[0].irq: 65536 is not an interrupt number, or a list of them; write for example "
     "\"irq\": 40, or \"irq\": [40, 41] for two lines"},
    {"{'devices': [{'model':'timer','base_addr': 8,\n'irq': [40, 41]}]}",
     "2: devices[0].irq: 2 interrupts are given, but timer has only 1; give fewer"},
    {"{'devices': [{'model':'echo','base_addr': 8,\n'irq': 40}]}",
     "2: devices[0].irq: echo has no interrupt line; remove the key"},
    {"{'devices': [{'process': 'apart'}]}",
     "1: devices[0].process: \"apart\" is not a choice here; choose one of shared, own, inline"},
    {"{'devices': [{'model':'echo','base_addr': 8,\n'restart': 'never'}]}",
     "2: devices[0].restart: only a device in a process of its own is started again; add "
     "\"process\": \"own\" or remove the key"},
    {"{'devices': [{'posted_writes': 'yes'}]}",
     "1: devices[0].posted_writes: \"yes\" is not true or false; write for example "
     "\"posted_writes\": true"},
    {"{'devices': [{'carrier': 'pigeon'}]}",
     "1: devices[0].carrier: \"pigeon\" is not a choice here; choose one of auto, socket, shm"},
    {"{'devices': [{'model':'echo','base_addr': 8,'protocol': 0}]}",
     "1: devices[0].protocol: 0 is not a version of the protocol; write 2, or 1 for the older "
     "one"},

    /* devices among each other */
    {"{'devices':[{'name':'a','model':'echo','base_addr':'0x10200000'},\n"
     "{'model':'echo','base_addr':'0x10300000',\n'name':'a'}]}",
     "3: devices[1].name: \"a\" is the name of devices[0] already, on line 1; choose another"},
    {"{'devices':[{'model':'echo','base_addr':'0x10200000','socket':'s'},\n"
     "{'model':'echo','base_addr':'0x10300000','socket':'s'}]}",
     "2: devices[1].socket: s is already the socket of device0; give each device its own"},
    {"{'devices':[\n{'name':'a','model':'echo','base_addr':'0x10200020'},\n"
     "{'name':'b','model':'echo','base_addr':'0x10200000','size':33}]}",
     "3: devices[1].base_addr: b (0x10200000 to 0x10200020) overlaps a (0x10200020 to "
     "0x1020003f, line 2); move one of them"},

    /* links */
    {TWO ",\n'links': {}}", "3: links: an object {...} is not a list of links; write for example "
                            "\"links\": [ { \"from\": \"a.peer\", \"to\": \"b.peer\", "
                            "\"latency\": \"1ns\" } ]"},
    {TWO ",\n'links': ['a']}", "3: links[0]: \"a\" is not a link; write for example { \"from\": "
                               "\"a.peer\", \"to\": \"b.peer\", \"latency\": \"1ns\" }"},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'device1.peer'}]}",
     "3: links[0]: \"latency\" is missing; add for example \"latency\": \"1ns\""},
    {TWO ",\n'links': [{'from': 'device0.peer', 'latency': '1ns'}]}",
     "3: links[0]: \"to\" is missing; add for example \"to\": \"echo_device.peer\""},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'device1.peer',\n'latency': 1}]}",
     "4: links[0].latency: 1 is not a time; write for example \"latency\": \"1ns\""},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'device1.peer',\n'latency': '1xs'}]}",
     "4: links[0].latency: \"1xs\" is not a time; write for example \"latency\": \"1ns\""},
    {TWO ",\n'links': [{'from': 'device0', 'to': 'device1.peer', 'latency': '1ns'}]}",
     "3: links[0].from: \"device0\" is not a port; write \"device.port\", for example "
     "\"device0.peer\""},
    {TWO ",\n'links': [{'from': 'device0.', 'to': 'device1.peer', 'latency': '1ns'}]}",
     "3: links[0].from: \"device0.\" is not a port; write \"device.port\", for example "
     "\"device0.peer\""},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'devise1.peer', 'latency': '1ns'}]}",
     "3: links[0].to: there is no device \"devise1\"; did you mean \"device1\"?"},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'gpu.peer', 'latency': '1ns'}]}",
     "3: links[0].to: there is no device \"gpu\"; the devices are device0, device1"},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'device1.pear', 'latency': '1ns'}]}",
     "3: links[0].to: the model compute has no port \"pear\"; its port is peer"},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'device1.peer', 'latency': '1ns'},\n"
         "{'from': 'device1.peer', 'to': 'device0.peer', 'latency': '1ns'}]}",
     "4: links[1].from: device1.peer is already linked by links[0] on line 3; a port can have only "
     "one link"},
    {TWO ",\n'links': [{'from': 'device0.peer', 'to': 'device0.peer', 'latency': '1ns'}]}",
     "3: links[0].to: device0 is linked to itself; a link joins two devices"},

    /* the single device of a file without "devices" */
    {"{'socket_path': 's.sock'}", "1: \"device_base\" is missing; add for example "
                                  "\"device_base\": \"0x10200000\""},
    {"{'device_base': 8,\n'devices': [" ECHO "]}",
     "1: device_base: this key is for a file without \"devices\"; move it into a device or "
     "remove it"},
    {"{'socket_path': 's.sock',\n'device_base': '0x10200004'}",
     "2: device_base: 0x10200004 is not a multiple of 8; choose an aligned base address"},
    {"{'device_base': '0xfffffffffffffff8'}",
     "1: device_base: 0xfffffffffffffff8 plus 32 bytes runs past the end of the address space; "
     "choose a lower base address or a smaller size"},
};

/* The line with the bundled models for @MODELS. */
static char *expected_line(const char *line)
{
    struct strings models = {0};
    config_list_models(&models);
    char *list = strings_join(&models, ", "), *expected;
    const char *place = strstr(line, "@MODELS");
    if (place)
        expected =
            xformat("t.json:%.*s%s%s", (int)(place - line), line, list, place + strlen("@MODELS"));
    else
        expected = xformat("t.json:%s", line);
    free(list);
    strings_finish(&models);
    return expected;
}

static void mistakes_give_their_line(void **state)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
        struct config *config = NULL;
        char *error = NULL;
        int r = parse("t.json", mistakes[i].text, &config, &error);
        if (r == 0)
            fail_msg("accepted: %s", mistakes[i].text);
        char *line = expected_line(mistakes[i].line);
        assert_string_equal(error, line);
        assert_int_equal(r, -EINVAL);
        assert_null(config);
        free(line);
        free(error);
    }
}

static void reads_interrupts(void **state)
{
    struct config *config =
        accepted("{'machine': {'icount': 10},"
                 "'devices': [{'model':'timer','base_addr':'0x10200000','irq':40},"
                 " {'model':'dma','base_addr':'0x10300000','irq':[0]},"
                 " {'model':'echo','base_addr':'0x10400000'}]}");
    assert_int_equal(config->icount, 10);
    assert_string_equal(config->devices[0].irq, "40");
    assert_string_equal(config->devices[1].irq, "0");
    assert_null(config->devices[2].irq);
    config_destroy(config);
}

static void accepts_everything_that_the_format_has(void **state)
{
    struct config *config = accepted(
        "{'machine': {'arch':'riscv64', 'qemu':'./qemu', 'kernel':'two.elf', 'plugin':'auto',"
        " 'direct_dma':true,"
        " 'args':['-m','64M']},"
        "'devices': [{'name':'echo_device','model':'echo','base_addr':'0x10200000','size':4096,"
        "  'params':{'echo_latency':10,'clock':'1GHz','r':0.1,'b':true,'n':-3},'socket':'e.sock',"
        "  "
        "'process':'own','release_lock':true,'on_error':'ones','timeout_ms':0,'posted_writes':"
        "false,"
        "'shadow':true},"
        " {'name':'compute_device','model':'compute','base_addr':271581184,'size':'0x2000',"
        "  'process':'shared'}],"
        "'links': [{'from':'compute_device.peer','to':'echo_device.peer','latency':'1ns'}],"
        "'stop_at':'10s'}");
    assert_string_equal(config->arch, "riscv64");
    assert_string_equal(config->qemu, "dir/./qemu");
    assert_string_equal(config->kernel, "dir/two.elf");
    assert_string_equal(config->plugin, "auto");
    assert_int_equal(config->direct_dma, 1);
    assert_string_equal(config->args[0], "-m");
    assert_string_equal(config->args[1], "64M");
    assert_null(config->args[2]);
    assert_int_equal(config->stop_at, 10 * TRESTLE_S);
    assert_int_equal(config->icount, -1);

    assert_int_equal(config->num_devices, 2);
    const struct config_device *echo = &config->devices[0], *compute = &config->devices[1];
    assert_string_equal(echo->name, "echo_device");
    assert_string_equal(echo->model->name, "echo");
    assert_int_equal(echo->base_addr, 0x10200000);
    assert_int_equal(echo->size, 4096);
    assert_string_equal(echo->socket, "dir/e.sock");
    assert_string_equal(echo->on_error, "ones");
    assert_int_equal(echo->timeout_ms, 0);
    assert_true(echo->shadow);
    static const char *const params[][2] = {
        {"echo_latency", "10"}, {"clock", "1GHz"}, {"r", "0.1"}, {"b", "true"}, {"n", "-3"}};
    assert_int_equal(echo->num_params, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(echo->params[i].key, params[i][0]);
        assert_string_equal(echo->params[i].value, params[i][1]);
    }
    assert_int_equal(compute->base_addr, 0x10300000);
    assert_int_equal(compute->size, 0x2000);
    assert_null(compute->socket);
    assert_null(compute->on_error);
    assert_int_equal(compute->timeout_ms, -1);
    assert_int_equal(config->num_links, 1);
    assert_string_equal(config->links[0].from, "compute_device.peer");
    assert_string_equal(config->links[0].to, "echo_device.peer");
    assert_int_equal(config->links[0].latency, TRESTLE_NS);
    config_destroy(config);
}

/* jansson takes no offence at it. */
static void refuses_a_nul(void **state)
{
    static const char text[] = "{\"devices\": [],\n\"stop_at\": null\0\n}";
    struct config *config = NULL;
    char *error = NULL;
    assert_int_equal(config_parse("t.json", text, sizeof(text) - 1, &config, &error), -EINVAL);
    assert_string_equal(error, "t.json:2: not JSON: a NUL byte; save the file as UTF-8");
    free(error);
}

static void fills_in_what_is_not_said(void **state)
{
    struct config *config = accepted(TWO ", 'machine': {'qemu': 'qemu-system-aarch64'}}");
    assert_null(config->arch);
    assert_string_equal(config->qemu, "qemu-system-aarch64");
    assert_string_equal(config_arch_of_qemu(config->qemu), "aarch64");
    assert_null(config_arch_of_qemu("/opt/my-qemu"));
    assert_null(config_arch_of_qemu("qemu-system-m68k"));
    assert_string_equal(config->plugin, "auto");
    assert_null(config->kernel);
    assert_int_equal(config->stop_at, TRESTLE_TIME_NEVER);
    assert_string_equal(config->devices[1].name, "device1");
    assert_int_equal(config->devices[0].size, trestle_model_bytes(config->devices[0].model));
    config_destroy(config);
}

static void accepts_the_older_form(void **state)
{
    struct config *config =
        accepted("\xef\xbb\xbf{'devices': ["
                 "{'name': 'echo_device', 'base_addr': '0x10200000', 'size': 4096,"
                 " 'component': 'acalsim.QEMUDevice', 'params': {'echo_latency': 10}},"
                 "{'name': 'compute_device', 'base_addr': '0x10300000', 'size': 4096,"
                 " 'component': 'acalsim.ComputeDevice', 'params': {'compute_latency': 100}},"
                 "{'base_addr': '0x10400000', 'component': 'acalsim.MMIODevice'}]}");
    assert_string_equal(config->devices[0].model->name, "echo");
    assert_string_equal(config->devices[1].model->name, "compute");
    assert_string_equal(config->devices[2].model->name, "dma");
    config_destroy(config);
}

static void accepts_a_single_device(void **state)
{
    struct config *config =
        accepted("{'socket_path': '/run/mmio.sock', 'device_base': '0x20000000'}");
    assert_int_equal(config->num_devices, 1);
    assert_string_equal(config->devices[0].socket, "/run/mmio.sock");
    assert_string_equal(config->devices[0].model->name, "echo");
    assert_int_equal(config->devices[0].base_addr, 0x20000000);
    config_destroy(config);

    config = accepted("{'device_base': 4096, 'model': 'compute', 'params': {'a': 1}}");
    assert_string_equal(config->devices[0].model->name, "compute");
    assert_int_equal(config->devices[0].num_params, 1);
    config_destroy(config);
}

static void accepts_neighbours(void **state)
{
    config_destroy(accepted("{'devices':[{'model':'echo','base_addr':'0x10200020'},"
                            "{'model':'echo','base_addr':'0x10200000','size':32}]}"));
    config_destroy(accepted("{'devices':[{'model':'echo','base_addr':'0xffffffffffffffe0'}]}"));
}

static void a_socket_path_must_fit(void **state)
{
    char name[104 + 1]; /* "dir/" and 104 characters are one too many */
    memset(name, 's', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    char *text = xformat("{'devices':[{'model':'echo','base_addr':8,'socket':'%s'}]}", name);
    struct config *config = NULL;
    char *error = NULL;
    assert_int_equal(parse("dir/t.json", text, &config, &error), -EINVAL);
    assert_string_equal(error, "dir/t.json:1: devices[0].socket: a path of 108 bytes, and a Unix "
                               "socket has room for 107; choose a shorter one");
    free(error);
    assert_int_equal(parse("t.json", text, &config, &error), 0);
    config_destroy(config);
    free(text);
}

static void a_model_file_must_be_there(void **state)
{
    struct config *config = NULL;
    char *error = NULL;
    /* "mydev.so" alone must not be searched for in the system's library directories. */
    const char *text = "{'devices':[\n{'model':'mydev.so','base_addr':8}]}";
    assert_int_equal(parse("t.json", text, &config, &error), -EINVAL);
    const char *begin = "t.json:2: devices[0].model: ";
    assert_memory_equal(error, begin, strlen(begin));
    assert_non_null(strstr(error, "./mydev.so"));
    assert_null(strchr(error, '\n'));
    free(error);
}

static void a_file_must_be_readable(void **state)
{
    struct config *config = NULL;
    char *error = NULL;
    assert_int_equal(config_load("/nonexistent/two.json", &config, &error), -ENOENT);
    assert_string_equal(error, "/nonexistent/two.json: cannot read the configuration: No such "
                               "file or directory; check the path");
    free(error);
    assert_int_equal(config_load("/", &config, &error), -EISDIR);
    assert_string_equal(error, "/: is a directory; name a configuration file in it");
    free(error);
}

/* Later complaints find their lines too. */
static void complains_later(void **state)
{
    struct config *config =
        accepted("{'machine':\n{\n'kernel': 'x.elf'},\n'devices':[" ECHO ",\n" COMPUTE "]}");
    char *line = config_complain_machine(config, "kernel", "%s is not there", config->kernel);
    assert_string_equal(line, "dir/two.json:3: machine.kernel: dir/x.elf is not there");
    free(line);
    line = config_complain_device(config, 1, NULL, "bad");
    assert_string_equal(line, "dir/two.json:5: devices[1]: bad");
    free(line);
    config_destroy(config);
}

/* The line finder must not be led astray by brackets, quotes and keys inside values. */
static void finds_lines_in_hostile_text(void **state)
{
    struct config *config = NULL;
    char *error = NULL;
    const char *text = "{'machine': {'args': ['}', '\\'', '{\\\\', '[[[', 'devices']},\n"
                       "\t'stop_at' : '1s' ,\r\n"
                       "'devices' :[ {'params': {'devices': '\\'base_addr\\': 1', 'x': -1.5e3},\n"
                       "'model':'echo' , 'base_addr'\n:\n8 } ,\n\n{ 'base_addr' : null}]}";
    assert_int_equal(parse("t.json", text, &config, &error), -EINVAL);
    assert_string_equal(error, "t.json:8: devices[1].base_addr: null is not an address; write "
                               "for example \"base_addr\": \"0x10200000\"");
    free(error);
}

static void a_thousand_devices(void **state)
{
    struct strings devices = {0};
    for (unsigned i = 0; i < 1024; i++)
        strings_addf(&devices, "{'model':'echo','base_addr':'0x%x'}", 0x10200000 + 4096 * i);
    char *list = strings_join(&devices, ",\n");
    char *text = xformat("{'devices':[%s]}", list);
    struct config *config = accepted(text);
    assert_int_equal(config->num_devices, 1024);
    assert_string_equal(config->devices[1023].name, "device1023");
    config_destroy(config);
    free(text);
    free(list);
    strings_finish(&devices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_give_their_line),
        cmocka_unit_test(accepts_everything_that_the_format_has),
        cmocka_unit_test(reads_interrupts),
        cmocka_unit_test(refuses_a_nul),
        cmocka_unit_test(fills_in_what_is_not_said),
        cmocka_unit_test(accepts_the_older_form),
        cmocka_unit_test(accepts_a_single_device),
        cmocka_unit_test(accepts_neighbours),
        cmocka_unit_test(a_socket_path_must_fit),
        cmocka_unit_test(a_model_file_must_be_there),
        cmocka_unit_test(a_file_must_be_readable),
        cmocka_unit_test(complains_later),
        cmocka_unit_test(finds_lines_in_hostile_text),
        cmocka_unit_test(a_thousand_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
