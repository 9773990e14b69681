/* SPDX-License-Identifier: MIT */
/* Prints what trestle bench has measured as a table, as JSON and as an HTML page. */
#include "bench/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench_page.h" /* made of page.html */
#include "machine/command.h"
#include "table.h"
#include "trestle/machine.h"
#include "util.h"

/* --- the machine ----------------------------------------------------------------------------- */

static char *find_cpu(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512], *name = NULL;
    while (file && !name && fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " ");
        colon[strcspn(colon, "\n")] = '\0';
        name = xstrdup(colon);
    }
    if (file)
        fclose(file);
    return name ? name : xstrdup("unknown");
}

static char *find_qemu_version(const char *qemu)
{
    const struct trestle_machine_options options = {
        .size = sizeof(options), .qemu = qemu, .search_path = getenv("PATH")};
    char *path = NULL, *version = NULL;
    if (trestle_machine_find_qemu(&options, &path, NULL) < 0 ||
        trestle_machine_version(path, &version, NULL) < 0)
        version = NULL;
    free(path);
    return version ? version : xstrdup("unknown");
}

void bench_machine_init(struct bench_machine *machine, const char *qemu)
{
    struct utsname name;
    *machine = (struct bench_machine){
        .cpu = find_cpu(),
        .kernel =
            uname(&name) == 0 ? xformat("%s %s", name.sysname, name.release) : xstrdup("unknown"),
        .qemu = find_qemu_version(qemu),
        .processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
    };
}

void bench_machine_finish(struct bench_machine *machine)
{
    free(machine->cpu);
    free(machine->kernel);
    free(machine->qemu);
    *machine = (struct bench_machine){0};
}

/* --- medians --------------------------------------------------------------------------------- */

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double bench_median_of(double *ref_values, size_t count)
{
    qsort(ref_values, count, sizeof(*ref_values), by_value);
    return (ref_values[(count - 1) / 2] + ref_values[count / 2]) / 2;
}

/* The median of the double at this offset in each result. */
static double median_at(const struct bench_result *results, size_t count, size_t offset)
{
    double *values = xcalloc(count, sizeof(*values));
    for (size_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&results[i] + offset, sizeof(*values));
    double median = bench_median_of(values, count);
    free(values);
    return median;
}

struct bench_result bench_median(const struct bench_result *results, size_t count)
{
    return (struct bench_result){
        .p50_ns = median_at(results, count, offsetof(struct bench_result, p50_ns)),
        .p90_ns = median_at(results, count, offsetof(struct bench_result, p90_ns)),
        .p99_ns = median_at(results, count, offsetof(struct bench_result, p99_ns)),
        .p999_ns = median_at(results, count, offsetof(struct bench_result, p999_ns)),
        .per_second = median_at(results, count, offsetof(struct bench_result, per_second)),
        .accesses = results[0].accesses,
    };
}

/* --- ratios ---------------------------------------------------------------------------------- */

static const struct bench_side FLOOR_READ = {BENCH_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_READ, 1, 1},
                               FLOOR_WRITE = {BENCH_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_WRITE, 1, 1},
                               SHM = {BENCH_V2_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_READ, 1, 1},
                               INSIDE = {BENCH_INLINE, TRESTLE_WAIT_SLEEP, BENCH_READ, 1, 1},
                               SHM_MANY = {BENCH_V2_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_READ, 1024,
                                           1},
                               POSTED = {BENCH_V2_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_POSTED, 1, 1},
                               SPINNING = {BENCH_V2_SOCKET, TRESTLE_WAIT_SPIN, BENCH_READ, 1, 1},
                               SLEEPING = {BENCH_V2_SOCKET, TRESTLE_WAIT_SLEEP, BENCH_READ, 1, 1},
                               KVM_FLOOR = {BENCH_KVM_FLOOR, TRESTLE_WAIT_SLEEP, BENCH_READ, 1, 1},
                               KVM_SHM = {BENCH_KVM_SHM, TRESTLE_WAIT_ADAPTIVE, BENCH_READ, 1, 1};

/* 0: not measured. */
static double p50_of(const struct bench_report *report, const struct bench_side *wanted)
{
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct bench_side *side = &report->plan->sides[i];
        if (side->path == wanted->path && side->wait == wanted->wait && side->op == wanted->op &&
            side->devices == wanted->devices && side->vcpus == wanted->vcpus)
            return report->results[i].p50_ns;
    }
    return 0;
}

size_t bench_ratios(const struct bench_report *report,
                    struct bench_ratio ret_ratios[BENCH_RATIOS_MAX])
{
    static const struct {
        const struct bench_side *one, *other;
        const char *what;
    } pairs[BENCH_RATIOS_MAX - 1] = {
        {&INSIDE, &FLOOR_READ, "inside QEMU against the floor"},
        {&SHM, &FLOOR_READ, "shared memory against the floor"},
        {&SPINNING, &SHM, "socket, both sides spinning, against shared memory"},
        {&SLEEPING, &SHM, "socket, both sides sleeping, against shared memory"},
        {&SHM_MANY, &SHM, "1024 devices at random against one, over shared memory"},
        {&POSTED, &FLOOR_WRITE, "posted write against a write at the floor"},
        {&KVM_SHM, &KVM_FLOOR, "under KVM: shared memory against the floor"},
    };
    size_t count = 0;
    for (size_t i = 0; i < BENCH_RATIOS_MAX - 1; i++) {
        double one = p50_of(report, pairs[i].one), other = p50_of(report, pairs[i].other);
        if (one > 0 && other > 0)
            ret_ratios[count++] = (struct bench_ratio){one / other, pairs[i].what};
    }
    double between_ns = p50_of(report, &SHM) - p50_of(report, &FLOOR_READ);
    if (report->line_ns > 0 && p50_of(report, &FLOOR_READ) > 0 && between_ns > 0)
        ret_ratios[count++] = (struct bench_ratio){
            between_ns / report->line_ns,
            "shared memory, less the floor, against a cache line there and back"};
    return count;
}

/* --- the table ------------------------------------------------------------------------------- */

static char *duration(double ns)
{
    if (ns < 1000)
        return xformat("%.0f ns", ns);
    if (ns < 1e6)
        return xformat("%.2f us", ns / 1e3);
    return xformat("%.2f ms", ns / 1e6);
}

static void add_duration(struct table *table, double ns)
{
    char *text = duration(ns);
    table_addf(table, "%s", text);
    free(text);
}

static void print_line(double ns, FILE *file)
{
    char *text = duration(ns);
    fprintf(file, "a cache line from one processor to the other and back: %s\n", text);
    free(text);
}

void bench_table(const struct bench_report *report, FILE *file)
{
    static const char *const titles[] = {"path", "wait", "access", ">devices",    ">vCPUs", ">p50",
                                         ">p90", ">p99", ">p99.9", ">per second", NULL};
    struct table table = {.titles = titles};
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct bench_side *side = &report->plan->sides[i];
        const struct bench_result *result = &report->results[i];
        table_addf(&table, "%s", bench_path_name(side->path));
        table_addf(&table, "%s", bench_waits(side) ? bench_wait_name(side->wait) : "-");
        table_addf(&table, "%s", bench_op_name(side->op));
        table_addf(&table, "%u", side->devices);
        table_addf(&table, "%u", side->vcpus);
        add_duration(&table, result->p50_ns);
        add_duration(&table, result->p90_ns);
        add_duration(&table, result->p99_ns);
        add_duration(&table, result->p999_ns);
        table_addf(&table, "%.0f", result->per_second);
    }
    table_print(&table, file);
    table_finish(&table);
    struct bench_ratio ratios[BENCH_RATIOS_MAX];
    size_t num_ratios = bench_ratios(report, ratios);
    for (size_t i = 0; i < num_ratios; i++)
        fprintf(file, "%6.*f x  %s\n", ratios[i].times < 10 ? 2 : 0, ratios[i].times,
                ratios[i].what);
    fprintf(file, "4-byte accesses from the guest to the device and back; medians of %u round%s\n",
            report->rounds, report->rounds == 1 ? "" : "s");
    if (report->line_ns > 0)
        print_line(report->line_ns, file);
    if (report->no_kvm)
        fprintf(file, "no sides under KVM: %s\n", report->no_kvm);
    if (report->busy)
        fprintf(file, "while %u other process%s computed\n", report->busy,
                report->busy == 1 ? "" : "es");
    if (report->jobs > 1)
        fprintf(file, "%u simulations at once; the accesses per second are those of all together\n",
                report->jobs);
    fprintf(file, "%s, %u processor%s, %s, QEMU %s\n", report->machine.cpu,
            report->machine.processors, report->machine.processors == 1 ? "" : "s",
            report->machine.kernel, report->machine.qemu);
}

/* --- JSON, and the page that reads it ----------------------------------------------------------
 */

json_t *bench_json(const struct bench_report *report)
{
    json_t *results = json_array();
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct bench_side *side = &report->plan->sides[i];
        const struct bench_result *result = &report->results[i];
        json_array_append_new(
            results, json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f}", "path",
                               bench_path_name(side->path), "wait", bench_wait_name(side->wait),
                               "op", bench_op_name(side->op), "devices", (int)side->devices,
                               "vcpus", (int)side->vcpus, "p50_ns", result->p50_ns, "p90_ns",
                               result->p90_ns, "p99_ns", result->p99_ns, "p999_ns", result->p999_ns,
                               "per_second", result->per_second));
    }
    json_t *machine = json_pack("{s:f, s:s, s:i, s:s, s:s}", "line_ns", report->line_ns, "cpu",
                                report->machine.cpu, "processors", (int)report->machine.processors,
                                "kernel", report->machine.kernel, "qemu", report->machine.qemu);
    struct bench_ratio ratios[BENCH_RATIOS_MAX];
    json_t *compared = json_array();
    size_t num_ratios = bench_ratios(report, ratios);
    for (size_t i = 0; i < num_ratios; i++)
        json_array_append_new(
            compared, json_pack("{s:f, s:s}", "times", ratios[i].times, "what", ratios[i].what));
    return json_pack("{s:s, s:i, s:i, s:i, s:s?, s:o, s:o, s:o}", "trestle", TRESTLE_VERSION,
                     "rounds", (int)report->rounds, "busy", (int)report->busy, "jobs",
                     report->jobs ? (int)report->jobs : 1, "no_kvm", report->no_kvm, "machine",
                     machine, "results", results, "ratios", compared);
}

char *bench_html(const struct bench_report *report)
{
    static const char place[] = "@REPORT@";
    const char *before_end = strstr(bench_page, place);
    json_t *document = bench_json(report);
    /* No "</script>" may come from the name of a processor. */
    char *json = json_dumps(document, JSON_ESCAPE_SLASH | JSON_REAL_PRECISION(6));
    char *page = xformat("%.*s%s%s", (int)(before_end - bench_page), bench_page, json ? json : "{}",
                         before_end + strlen(place));
    free(json);
    json_decref(document);
    return page;
}
