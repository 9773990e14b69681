/* SPDX-License-Identifier: MIT */
/* Opens the trace that a command reads, and says what is wrong with it. */
#include "trace/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "util.h"

int trace_file_fail(const struct trace_file *trace, char *error)
{
    int code = command_fail("%s: %s", trace->path, error ? error : "no memory");
    free(error);
    return code;
}

/* Names go to terminals and into other files. */
static void clean_names(const struct trestle_trace_header *header)
{
    for (size_t i = 0; i < header->num_devices; i++)
        replace_control_characters((char *)header->devices[i].name);
}

int trace_file_open(struct trace_file *trace, const char *path)
{
    char *error = NULL;
    bool is_stdin = strcmp(path, "-") == 0;
    *trace = (struct trace_file){.path = is_stdin ? "standard input" : path,
                                 .file = is_stdin ? stdin : fopen(path, "rbe")};
    if (!trace->file)
        return command_fail("cannot read the trace %s: %s; check the path", path, strerror(errno));
    if (trestle_trace_open(trace->file, &trace->reader, &error) < 0) {
        int code = trace_file_fail(trace, error);
        trace_file_close(trace);
        return code;
    }
    clean_names(trestle_trace_header(trace->reader));
    return 0;
}

void trace_file_close(struct trace_file *trace)
{
    trestle_trace_close(trace->reader);
    if (trace->file && trace->file != stdin)
        fclose(trace->file);
    *trace = (struct trace_file){0};
}

bool trace_file_is_live(const struct trace_file *trace)
{
    struct stat st;
    return fstat(fileno(trace->file), &st) == 0 && !S_ISREG(st.st_mode);
}

int trace_file_device(const struct trace_file *trace, const char *name, uint32_t *ret_device)
{
    const struct trestle_trace_header *header = trestle_trace_header(trace->reader);
    struct strings names = {0};
    for (uint32_t i = 0; i < header->num_devices; i++) {
        if (strcmp(header->devices[i].name, name) == 0) {
            *ret_device = i;
            strings_finish(&names);
            return 0;
        }
        strings_add(&names, header->devices[i].name);
    }
    char *help = suggest_or_list(name, &names, "its devices are");
    int code = command_fail("%s has no device \"%s\"%s", trace->path, name, help);
    free(help);
    strings_finish(&names);
    return code;
}
