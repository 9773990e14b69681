/* SPDX-License-Identifier: MIT */
/* Looks at models from another thread, and says what is wrong with them. */
#include "base/vigil.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "activity.h"
#include "base/clock.h"

/* A callback that takes so long is said once, if the host had time for it. */
#define SLOW_NS (100 * NS_PER_MS)

char *vigil_describe(const struct trestle_activity *seen, char *buf, size_t size)
{
    if (seen->size == 0)
        snprintf(buf, size, "%s: its %s()", seen->device, seen->callback_name);
    else
        snprintf(buf, size, "%s: its %s() of %" PRIu32 " bytes at offset 0x%" PRIx64, seen->device,
                 seen->callback_name, seen->size, seen->offset);
    return buf;
}

static void tell_callback(struct vigil *vigil, uint64_t now_ns)
{
    char what[160], sentence[320];
    if (vigil->told_callback)
        return;
    vigil->told_callback = true;
    snprintf(sentence, sizeof(sentence),
             "%s has not returned for %.1f s%s; gdb -p %d shows where it is",
             vigil_describe(&vigil->seen, what, sizeof(what)),
             (double)(now_ns - vigil->callback_ns) / NS_PER_S, vigil->meanwhile, (int)getpid());
    vigil->say(TRESTLE_LOG_ERROR, sentence);
}

static void tell_engine(struct vigil *vigil, uint64_t now_ns)
{
    char names[400] = "", sentence[640];
    if (vigil->told_engine)
        return;
    vigil->told_engine = true;
    for (size_t i = 0; i < vigil->num_suspects; i++) {
        size_t at = strlen(names);
        snprintf(names + at, sizeof(names) - at, "%s() of %s, ", vigil->suspects[i].callback,
                 vigil->suspects[i].device);
    }
    snprintf(sentence, sizeof(sentence),
             "the engine has not come to rest for %.1f s and is at %.6f us of simulated time: "
             "%sagain and again; a timer or a link there is too fast",
             (double)(now_ns - vigil->run_ns) / NS_PER_S, (double)vigil->seen.now / TRESTLE_US,
             names);
    vigil->say(TRESTLE_LOG_ERROR, sentence);
}

/* --- a callback ------------------------------------------------------------------------------ */

static uint64_t cpu_of_process(void)
{
    struct timespec cpu = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec;
}

static bool is_ready(const char *thread)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *state = strrchr(text, ')');
    return state && strncmp(state, ") R", 3) == 0;
}

/* If the other threads wait for a processor, the host is at fault and not the model. */
static bool waits_for_processor(uint64_t ran_ns)
{
    if (ran_ns >= VIGIL_TICK_MS * NS_PER_MS / 4)
        return false;
    DIR *threads = opendir("/proc/self/task");
    struct dirent *thread;
    bool waits = false;
    while (threads && !waits && (thread = readdir(threads)) != NULL)
        waits = thread->d_name[0] != '.' && strtol(thread->d_name, NULL, 10) != gettid() &&
                is_ready(thread->d_name);
    if (threads)
        closedir(threads);
    return waits;
}

static void tell_slow(struct vigil *vigil)
{
    char what[160], sentence[320];
    for (size_t i = 0; i < vigil->num_told_slow; i++)
        if (strcmp(vigil->told_slow[i], vigil->seen.device) == 0)
            return;
    if (vigil->num_told_slow == VIGIL_TOLD_MAX)
        return;
    memcpy(vigil->told_slow[vigil->num_told_slow++], vigil->seen.device,
           sizeof(vigil->seen.device));
    enum trestle_callback callback = vigil->seen.callback;
    bool has_guest = callback != TRESTLE_CALLBACK_INIT && callback != TRESTLE_CALLBACK_START &&
                     callback != TRESTLE_CALLBACK_FINI;
    snprintf(sentence, sizeof(sentence),
             "%s takes longer than 100 ms of the host's time%s; this is said once",
             vigil_describe(&vigil->seen, what, sizeof(what)),
             has_guest ? ", and its guest waits" : "");
    vigil->say(TRESTLE_LOG_WARNING, sentence);
}

static void look_at_callback(struct vigil *vigil, bool is_same, uint64_t now_ns)
{
    uint64_t cpu_ns = cpu_of_process(), ran_ns = cpu_ns - vigil->cpu_ns;
    vigil->cpu_ns = cpu_ns;
    if (!is_same) {
        vigil->callback_ns = vigil->seen.callback == TRESTLE_CALLBACK_NONE ? 0 : now_ns;
        vigil->busy_ns = 0;
        vigil->told_callback = false;
        return;
    }
    if (vigil->busy_ns < SLOW_NS && !vigil->told_callback) {
        vigil->busy_ns += waits_for_processor(ran_ns) ? ran_ns : VIGIL_TICK_MS * NS_PER_MS;
        if (vigil->busy_ns >= SLOW_NS)
            tell_slow(vigil);
    }
    if (vigil->patience_ns && now_ns - vigil->callback_ns >= vigil->patience_ns)
        tell_callback(vigil, now_ns);
}

/* --- the engine ------------------------------------------------------------------------------ */

static void note_suspect(struct vigil *vigil, const struct trestle_activity *seen)
{
    for (size_t i = 0; i < vigil->num_suspects; i++)
        if (strcmp(vigil->suspects[i].device, seen->device) == 0 &&
            vigil->suspects[i].callback == seen->callback_name)
            return;
    if (seen->callback == TRESTLE_CALLBACK_NONE || vigil->num_suspects == VIGIL_SUSPECTS_MAX)
        return;
    struct vigil_suspect *suspect = &vigil->suspects[vigil->num_suspects++];
    memcpy(suspect->device, seen->device, sizeof(suspect->device));
    suspect->callback = seen->callback_name;
}

/* A callback runs too briefly to be met each time: several looks at a tick. */
static void look_for_suspects(struct vigil *vigil, const struct trestle_sim *sim)
{
    const struct timespec pause = {.tv_nsec = 20000};
    struct trestle_activity seen;
    for (unsigned i = 0; i < 64; i++) {
        vigil->look(sim, &seen);
        note_suspect(vigil, &seen);
        nanosleep(&pause, NULL);
    }
}

static void look_at_engine(struct vigil *vigil, const struct trestle_sim *sim, bool is_same,
                           uint64_t now_ns)
{
    if (!is_same || vigil->run_ns == 0) {
        vigil->run_ns = vigil->seen.is_running ? now_ns : 0;
        vigil->num_suspects = 0;
        vigil->told_engine = false;
        return;
    }
    look_for_suspects(vigil, sim);
    bool is_callback = vigil->callback_ns && now_ns - vigil->callback_ns >= VIGIL_STUCK_NS;
    if (!is_callback && vigil->patience_ns && now_ns - vigil->run_ns >= vigil->patience_ns)
        tell_engine(vigil, now_ns);
}

void vigil_look(struct vigil *vigil, const struct trestle_sim *sim, uint64_t now_ns)
{
    struct trestle_activity before = vigil->seen;
    vigil->seen = (struct trestle_activity){0};
    if (sim)
        vigil->look(sim, &vigil->seen);
    if (vigil->seen.is_waiting) { /* that is not the model's fault */
        vigil->seen.callback = TRESTLE_CALLBACK_NONE;
        vigil->seen.is_running = false;
    }
    const struct trestle_activity *seen = &vigil->seen;
    look_at_callback(vigil,
                     seen->callback != TRESTLE_CALLBACK_NONE &&
                         seen->callbacks == before.callbacks &&
                         before.callback != TRESTLE_CALLBACK_NONE,
                     now_ns);
    look_at_engine(vigil, sim, seen->is_running && seen->runs == before.runs, now_ns);
}

enum vigil_obstacle vigil_look_for_obstacle(struct vigil *vigil, uint64_t end_ns, uint64_t now_ns)
{
    if (now_ns - end_ns < VIGIL_STUCK_NS)
        return VIGIL_NO_OBSTACLE;
    if (vigil->callback_ns && now_ns - vigil->callback_ns >= VIGIL_STUCK_NS) {
        tell_callback(vigil, now_ns);
        return VIGIL_CALLBACK;
    }
    if (vigil->run_ns && now_ns - vigil->run_ns >= VIGIL_STUCK_NS) {
        tell_engine(vigil, now_ns);
        return VIGIL_ENGINE;
    }
    return vigil->seen.is_waiting ? VIGIL_ENGINE : VIGIL_NO_OBSTACLE;
}
