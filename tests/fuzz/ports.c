/* SPDX-License-Identifier: MIT */
/* The ports of a core: Verilator's header, and after a NUL the file that says what they are for.
 * Whatever they say, there is a list that can be written and read back, or a sentence. */
#include "rtl/ports.h"

#include <sys/mman.h>

#include "fuzz.h"

static FILE *nowhere(void)
{
    static FILE *file;
    if (!file)
        file = fopen("/dev/null", "w");
    FUZZ_REQUIRE(file);
    return file;
}

/* A file with these bytes: its path, and the descriptor to close. */
static int make_file(const void *bytes, size_t size, char path[32])
{
    int fd = memfd_create("ports", MFD_CLOEXEC);
    FUZZ_REQUIRE(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static int apply(struct rtl_ports *ports, const void *bytes, size_t size)
{
    char path[32], *error = NULL;
    int fd = make_file(bytes, size, path);
    int r = rtl_ports_apply(ports, path, &error);
    FUZZ_REQUIRE(r == 0 ? !error : error && *error);
    free(error);
    close(fd);
    return r;
}

/* What was found, as a file, says the same of the same core. */
static void check_written(const char *header, const struct rtl_ports *ports)
{
    struct rtl_ports again;
    struct printed text;
    char *none[] = {NULL}, *error = NULL;
    printed_begin(&text);
    rtl_ports_json(ports, "top", text.file);
    char *json = printed_end(&text);
    FUZZ_REQUIRE(rtl_ports_read(header, &again) && again.count == ports->count);
    FUZZ_REQUIRE(apply(&again, json, text.size) == 0);
    FUZZ_REQUIRE(rtl_ports_match(&again, none, &error) == 0);
    for (size_t i = 0; i < again.count; i++)
        FUZZ_REQUIRE(again.ports[i].use == ports->ports[i].use);
    rtl_ports_finish(&again);
    free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtl_ports ports;
    char *none[] = {NULL}, *error = NULL;
    char *header = strndup((const char *)data, size);
    FUZZ_REQUIRE(header);
    size_t length = strlen(header);
    bool has_file = length + 1 < size;
    if (rtl_ports_read(header, &ports) &&
        (!has_file || apply(&ports, data + length + 1, size - length - 1) == 0)) {
        int r = rtl_ports_match(&ports, none, &error);
        FUZZ_REQUIRE(r == 0 ? ports.slave.bus && ports.clock && !error : error && *error);
        if (r == 0) {
            rtl_ports_show(&ports, nowhere());
            rtl_ports_map(&ports, &(struct rtl_layout){.name = "top"}, nowhere());
            check_written(header, &ports);
        }
        free(error);
    }
    rtl_ports_finish(&ports);
    free(header);
    return 0;
}
