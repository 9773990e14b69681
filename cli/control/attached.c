/* SPDX-License-Identifier: MIT */
/* Sends the commands of a line to the processes whose devices they name. */
#include "control/attached.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "poke/poke.h"

/* A process that is alive answers at once. The run itself has a watchdog. */
#define PATIENCE_S 3

/* --- one process ----------------------------------------------------------------------------- */

static void hang_up(struct attached_process *process)
{
    if (process->fd >= 0)
        close(process->fd);
    process->fd = -1;
    process->is_late = false;
}

/* A process that was restarted has ended the old connection. */
static bool is_connected(const struct attached_process *process)
{
    struct pollfd ready = {.fd = process->fd, .events = POLLIN};
    return process->fd >= 0 && poll(&ready, 1, 0) == 0;
}

static int ask(const struct attached *attached, struct attached_process *process, const char *verb,
               const char *rest, struct control_answer *ret_answer, char **ret_error)
{
    int r = process->is_late ? control_take_late(process->fd) : 0;
    process->is_late = r == -ETIMEDOUT;
    if (process->is_late)
        return r;
    if (!is_connected(process)) {
        char *path = xformat("%s.%s", attached->path, process->name);
        hang_up(process);
        r = control_connect(path, PATIENCE_S, &process->fd, ret_error);
        free(path);
        if (r < 0)
            return r == -ETIMEDOUT ? r : -ENOTCONN;
    }
    r = control_ask(process->fd, verb, rest, ret_answer, ret_error);
    process->is_late = r == -ETIMEDOUT;
    if (r == -ECONNRESET)
        hang_up(process);
    return r;
}

int attached_ask(struct attached *attached, struct attached_process *process, const char *verb,
                 const char *rest, struct control_answer *ret_answer, char **ret_error)
{
    if (!process->name)
        return control_ask(process->fd, verb, rest, ret_answer, ret_error);
    char *error = NULL;
    int r = ask(attached, process, verb, rest, ret_answer, &error);
    if (r == -ETIMEDOUT)
        *ret_error = xformat("the process of %s does not answer: it was stopped, or a callback of "
                             "a model does not return; it obeys later if it goes on",
                             process->name);
    else if (r == -ECONNRESET)
        *ret_error = xformat("the process of %s has ended meanwhile", process->name);
    else if (r == -ENOTCONN)
        *ret_error = xformat("%s has no process any more; reload gives it one", process->name);
    else if (r < 0)
        *ret_error = xstrdup(error);
    free(error);
    return r == -ECONNRESET ? -ENOTCONN : r;
}

/* --- all of them ----------------------------------------------------------------------------- */

static struct attached_process *add_process(struct attached *attached, const char *name)
{
    for (size_t i = 0; i < attached->count; i++)
        if (strcmp(attached->processes[i].name ? attached->processes[i].name : "", name) == 0)
            return &attached->processes[i];
    attached->processes =
        xrealloc(attached->processes, attached->count + 1, sizeof(*attached->processes));
    struct attached_process *process = &attached->processes[attached->count++];
    *process = (struct attached_process){.name = *name ? xstrdup(name) : NULL, .fd = -1};
    return process;
}

/* Lines "PROCESS:DEVICE". */
static void read_places(struct attached *attached, char *text)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        strings_add(&add_process(attached, line)->devices, colon + 1);
    }
}

int attached_open(const char *path, struct attached *ret_attached, char **ret_error)
{
    struct control_answer answer;
    *ret_attached = (struct attached){.path = path};
    struct attached_process *run = add_process(ret_attached, "");
    int r = control_connect(path, 0, &run->fd, ret_error);
    if (r == 0)
        r = control_ask(run->fd, "places", NULL, &answer, ret_error);
    if (r < 0) {
        attached_close(ret_attached);
        return r;
    }
    read_places(ret_attached, answer.out);
    control_answer_finish(&answer);
    return 0;
}

void attached_close(struct attached *attached)
{
    for (size_t i = 0; i < attached->count; i++) {
        hang_up(&attached->processes[i]);
        strings_finish(&attached->processes[i].devices);
        free(attached->processes[i].name);
    }
    free(attached->processes);
    *attached = (struct attached){0};
}

/* --- lines ----------------------------------------------------------------------------------- */

/* If there is none, the run's own process: it knows why. */
static struct attached_process *process_of(const struct attached *attached, const char *device)
{
    for (size_t i = 1; i < attached->count; i++)
        for (size_t j = 0; j < attached->processes[i].devices.count; j++)
            if (strcmp(attached->processes[i].devices.items[j], device) == 0)
                return &attached->processes[i];
    return &attached->processes[0];
}

static struct attached_process *any_process(const struct attached *attached)
{
    size_t i = 0;
    while (i < attached->count && attached->processes[i].devices.count == 0)
        i++;
    return &attached->processes[i < attached->count ? i : 0];
}

struct errand {
    struct attached *attached;
    FILE *out;
    enum control_status status;
    char **ret_error;
};

static int send_to(struct errand *errand, struct attached_process *process, const char *text)
{
    struct control_answer answer;
    int r = attached_ask(errand->attached, process, "do", text, &answer, errand->ret_error);
    if (r < 0)
        return r;
    fputs(answer.out, errand->out);
    errand->status = answer.status;
    if (answer.status == CONTROL_FAILED || answer.status == CONTROL_WRONG)
        *errand->ret_error = xstrdup(answer.error);
    control_answer_finish(&answer);
    return 0;
}

static int send_to_all(struct errand *errand, const char *text)
{
    int r = 0;
    for (size_t i = 0; i < errand->attached->count && r == 0; i++)
        if (errand->attached->processes[i].devices.count > 0 && errand->status == CONTROL_OK)
            r = send_to(errand, &errand->attached->processes[i], text);
    return r;
}

static int send_command(struct errand *errand, const char *text)
{
    char *device;
    enum poke_scope scope = poke_scope(text, &device);
    int r = scope == POKE_ALL ? send_to_all(errand, text)
                              : send_to(errand,
                                        device              ? process_of(errand->attached, device)
                                        : scope == POKE_ANY ? any_process(errand->attached)
                                                            : errand->attached->processes,
                                        text);
    free(device);
    return r;
}

int attached_do(struct attached *attached, const char *line, FILE *out,
                enum control_status *ret_status, char **ret_error)
{
    struct errand errand = {.attached = attached, .out = out, .ret_error = ret_error};
    char *copy = xstrdup(line), *rest = copy, *command;
    int r = 0;
    if (attached->count == 1) /* all at once: nothing comes between them */
        r = send_to(&errand, attached->processes, line);
    else
        while (r == 0 && errand.status == CONTROL_OK &&
               (command = poke_next_command(&rest)) != NULL)
            r = send_command(&errand, command);
    free(copy);
    *ret_status = errand.status;
    return r;
}

static bool contains(const struct strings *list, const char *text)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->items[i], text) != 0)
        i++;
    return i < list->count;
}

void attached_complete(struct attached *attached, const char *line, struct strings *ret_list)
{
    for (size_t i = 0; i < attached->count; i++) {
        struct control_answer answer;
        char *error = NULL, *rest = NULL;
        if (attached_ask(attached, &attached->processes[i], "complete", line, &answer, &error) ==
            0) {
            for (char *word = strtok_r(answer.out, "\n", &rest); word;
                 word = strtok_r(NULL, "\n", &rest))
                if (!contains(ret_list, word))
                    strings_add(ret_list, word);
            control_answer_finish(&answer);
        }
        free(error);
    }
}
