/* SPDX-License-Identifier: MIT */
/* The page of `trestle bench --html`: plots in inline SVG. Colours are variables of the style
 * sheet, so that one drawing serves light and dark. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/report.h"
#include "util.h"

static const char style[] =
    ":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5d6878;"
    "--line:#dfe3e9;--floor:#6b7686;--v1:#c2571a;--v2-socket:#a3338a;--v2-shm:#0a7d70}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#11151b;--card:#1a2029;--ink:#e6eaf0;"
    "--soft:#9aa6b6;--line:#2d3642;--floor:#9aa6b6;--v1:#f0935a;--v2-socket:#e07fcb;"
    "--v2-shm:#3fc7b5}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "main{max-width:1000px;margin:0 auto;padding:40px 20px 60px}\n"
    "h1{font-size:30px;line-height:1.2;margin:0 0 6px}h2{font-size:20px;margin:0 0 4px}\n"
    "p{margin:0 0 14px;color:var(--soft)}\n"
    "section{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:22px 24px;margin-top:20px;overflow-x:auto}\n"
    ".keys{display:flex;flex-wrap:wrap;gap:20px;margin-top:20px}\n"
    ".keys div{flex:1 1 200px;background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;padding:16px 20px}\n"
    ".keys b{display:block;font-size:28px;line-height:1.2;font-variant-numeric:tabular-nums}\n"
    ".keys span{color:var(--soft);font-size:14px}\n"
    "svg{display:block;width:100%;min-width:640px;height:auto}\n"
    "svg text{fill:var(--ink);font-size:13px}svg .axis{fill:var(--soft);font-size:12px}\n"
    "svg .grid{stroke:var(--line)}\n"
    ".floor{--c:var(--floor)}.v1{--c:var(--v1)}.v2-socket{--c:var(--v2-socket)}"
    ".v2-shm{--c:var(--v2-shm)}\n"
    ".wide,.mid,.curve,.tail{stroke:var(--c);stroke-linecap:round;fill:none}\n"
    ".wide{stroke-width:3;opacity:.3}.mid{stroke-width:7;opacity:.45}\n"
    ".curve{stroke-width:2.5}.tail{stroke-width:1.5;stroke-dasharray:4 5}\n"
    ".dot{fill:var(--c)}\n"
    "table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);"
    "white-space:nowrap}\n"
    "th{color:var(--soft);font-weight:600}"
    "th:nth-child(-n+3),td:nth-child(-n+3){text-align:left}\n"
    "td:first-child::before{content:'';display:inline-block;width:9px;height:9px;"
    "border-radius:50%;background:var(--c);margin-right:8px}\n";

/* Text of the machine's is not markup. */
static void put_text(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", file);
        else if (*text == '<')
            fputs("&lt;", file);
        else
            fputc(*text, file);
    }
}

static void put_duration(FILE *file, double ns)
{
    char *text = bench_duration(ns);
    fputs(text, file);
    free(text);
}

/* 1,234,567 */
static void put_count(FILE *file, double value)
{
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%.0f", value);
    for (int i = 0; i < length; i++)
        fprintf(file, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", digits[i]);
}

/* --- rows along a logarithmic axis ----------------------------------------------------------- */

enum { WIDTH = 940, LEFT = 230, RIGHT = 860, ROW = 34, TOP = 30 };

/* Decades. */
struct axis {
    int low, high;
};

/* What is measured as nothing is drawn at 1. */
static double log_of(double value)
{
    return value > 1 ? log10(value) : 0;
}

static void axis_take(struct axis *axis, double value)
{
    int low = (int)floor(log_of(value)), high = (int)ceil(log_of(value));
    if (low < axis->low)
        axis->low = low;
    if (high > axis->high)
        axis->high = high;
}

static double axis_x(const struct axis *axis, double value)
{
    int decades = axis->high > axis->low ? axis->high - axis->low : 1;
    return LEFT + (log_of(value) - axis->low) * (RIGHT - LEFT) / decades;
}

static void put_grid(FILE *file, const struct axis *axis, int height, bool is_time)
{
    static const char *const times[] = {"1 ns",   "10 ns", "100 ns", "1 us",   "10 us",
                                        "100 us", "1 ms",  "10 ms",  "100 ms", "1 s"};
    static const char *const counts[] = {"1",        "10",        "100",       "1,000",
                                         "10,000",   "100,000",   "1 million", "10 million",
                                         "100 mil.", "1,000 mil."};
    for (int decade = axis->low; decade <= axis->high && decade < 10; decade++) {
        double x = axis_x(axis, pow(10, decade));
        fprintf(file, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", x,
                TOP - 8, x, height);
        fprintf(file, "<text class=\"axis\" x=\"%.1f\" y=\"14\" text-anchor=\"middle\">%s</text>\n",
                x, is_time ? times[decade] : counts[decade]);
    }
}

static bool is_row(const struct bench_side *side)
{
    return side->devices == 1 && side->vcpus == 1;
}

static void put_row_label(FILE *file, const struct bench_side *side, double y)
{
    fprintf(file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s %s%s%s</text>", LEFT - 18,
            y + 4.5, bench_op_name(side->op), bench_path_name(side->path),
            side->path == BENCH_FLOOR ? "" : ", ",
            side->path == BENCH_FLOOR ? "" : bench_wait_name(side->wait));
}

static void put_span(FILE *file, const char *class, double from, double to, double y)
{
    fprintf(file, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class,
            from, y, to, y);
}

static size_t open_rows(FILE *file, const struct bench_report *report, const char *label,
                        int *ret_height)
{
    size_t rows = 0;
    for (size_t i = 0; i < report->plan->count; i++)
        rows += is_row(&report->plan->sides[i]);
    *ret_height = TOP + (int)rows * ROW;
    if (rows > 0)
        fprintf(file, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
                *ret_height + 4, label);
    return rows;
}

static void put_latencies(FILE *file, const struct bench_report *report)
{
    struct axis axis = {9, 0};
    int height;
    if (open_rows(file, report, "Latencies of one device", &height) == 0)
        return;
    for (size_t i = 0; i < report->plan->count; i++) {
        if (is_row(&report->plan->sides[i])) {
            axis_take(&axis, report->results[i].p50_ns);
            axis_take(&axis, report->results[i].p999_ns);
        }
    }
    put_grid(file, &axis, height, true);
    double y = TOP + ROW / 2.0;
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct bench_side *side = &report->plan->sides[i];
        const struct bench_result *result = &report->results[i];
        if (!is_row(side))
            continue;
        double p50 = axis_x(&axis, result->p50_ns), p999 = axis_x(&axis, result->p999_ns);
        fprintf(file, "<g class=\"%s\">", bench_path_name(side->path));
        put_row_label(file, side, y);
        put_span(file, "wide", p50, p999, y);
        put_span(file, "mid", p50, axis_x(&axis, result->p99_ns), y);
        fprintf(file, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"6.5\"/>", p50, y);
        fprintf(file, "<text x=\"%.1f\" y=\"%.1f\">", p999 + 12, y + 4.5);
        put_duration(file, result->p50_ns);
        fputs("</text></g>\n", file);
        y += ROW;
    }
    fputs("</svg>\n", file);
}

static void put_rates(FILE *file, const struct bench_report *report)
{
    struct axis axis = {9, 0};
    int height;
    if (open_rows(file, report, "Accesses per second to one device", &height) == 0)
        return;
    for (size_t i = 0; i < report->plan->count; i++)
        if (is_row(&report->plan->sides[i]))
            axis_take(&axis, report->results[i].per_second);
    put_grid(file, &axis, height, false);
    double y = TOP + ROW / 2.0;
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct bench_side *side = &report->plan->sides[i];
        if (!is_row(side))
            continue;
        double x = axis_x(&axis, report->results[i].per_second);
        fprintf(file, "<g class=\"%s\">", bench_path_name(side->path));
        put_row_label(file, side, y);
        fprintf(file, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"6.5\"/>", x, y);
        fprintf(file, "<text x=\"%.1f\" y=\"%.1f\">", x + 12, y + 4.5);
        put_count(file, report->results[i].per_second);
        fputs("</text></g>\n", file);
        y += ROW;
    }
    fputs("</svg>\n", file);
}

/* --- the cost of many devices ---------------------------------------------------------------- */

enum { CURVE_LEFT = 80, CURVE_RIGHT = 820, CURVE_TOP = 20, CURVE_BOTTOM = 300 };

/* Those that differ from a sweep's other sides by the number of devices alone. */
static bool is_in_sweep(const struct bench_side *side, enum bench_path path)
{
    return side->path == path && side->op == BENCH_READ && side->vcpus == 1 &&
           (path == BENCH_FLOOR || side->wait == TRESTLE_WAIT_ADAPTIVE);
}

static double curve_x(unsigned devices)
{
    return CURVE_LEFT + log2(devices) * (CURVE_RIGHT - CURVE_LEFT) / 10;
}

static double curve_y(double ns, double top)
{
    return CURVE_BOTTOM - ns * (CURVE_BOTTOM - CURVE_TOP) / top;
}

/* 1, 2 or 5 of a decade, of which about five make the whole. */
static double nice_step(double whole)
{
    double decade = pow(10, floor(log10(whole / 5)));
    double part = whole / 5 / decade;
    return decade * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static double sweep_top(const struct bench_report *report)
{
    double top = 1;
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct bench_side *side = &report->plan->sides[i];
        if (is_in_sweep(side, BENCH_FLOOR) || is_in_sweep(side, BENCH_V2_SHM))
            top = fmax(top, report->results[i].p90_ns);
    }
    double step = nice_step(top);
    return ceil(top / step) * step;
}

static void put_curve(FILE *file, const struct bench_report *report, enum bench_path path,
                      double top)
{
    double x = 0, y = 0;
    fprintf(file, "<g class=\"%s\">", bench_path_name(path));
    for (int tail = 1; tail >= 0; tail--) {
        fprintf(file, "<polyline class=\"%s\" points=\"", tail ? "tail" : "curve");
        for (size_t i = 0; i < report->plan->count; i++) {
            const struct bench_result *result = &report->results[i];
            if (!is_in_sweep(&report->plan->sides[i], path))
                continue;
            x = curve_x(report->plan->sides[i].devices);
            y = curve_y(tail ? result->p90_ns : result->p50_ns, top);
            fprintf(file, "%.1f,%.1f ", x, y);
        }
        fputs("\"/>", file);
    }
    for (size_t i = 0; i < report->plan->count; i++)
        if (is_in_sweep(&report->plan->sides[i], path))
            fprintf(file, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>",
                    curve_x(report->plan->sides[i].devices),
                    curve_y(report->results[i].p50_ns, top));
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\">%s</text></g>\n", x + 16, y + 4.5,
            bench_path_name(path));
}

static size_t sweep_size(const struct bench_report *report, enum bench_path path)
{
    size_t size = 0;
    for (size_t i = 0; i < report->plan->count; i++)
        size += is_in_sweep(&report->plan->sides[i], path);
    return size;
}

static void put_sweep(FILE *file, const struct bench_report *report)
{
    double top = sweep_top(report), step = nice_step(top);
    fprintf(file,
            "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Latency by number of "
            "devices\">\n",
            WIDTH, CURVE_BOTTOM + 50);
    for (double ns = 0; ns <= top + step / 2; ns += step) {
        double y = curve_y(ns, top);
        fprintf(file, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>",
                CURVE_LEFT, y, CURVE_RIGHT, y);
        fprintf(file, "<text class=\"axis\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                CURVE_LEFT - 10, y + 4);
        fprintf(file, ns < 1000 ? "%.3g ns" : "%.3g us", ns < 1000 ? ns : ns / 1000);
        fputs("</text>\n", file);
    }
    for (unsigned devices = 1; devices <= 1024; devices *= 4)
        fprintf(file, "<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%u</text>",
                curve_x(devices), CURVE_BOTTOM + 20, devices);
    fprintf(file, "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">devices</text>\n",
            (CURVE_LEFT + CURVE_RIGHT) / 2, CURVE_BOTTOM + 42);
    if (sweep_size(report, BENCH_FLOOR))
        put_curve(file, report, BENCH_FLOOR, top);
    if (sweep_size(report, BENCH_V2_SHM))
        put_curve(file, report, BENCH_V2_SHM, top);
    fputs("</svg>\n", file);
}

/* --- the page -------------------------------------------------------------------------------- */

static void put_ratios(FILE *file, const struct bench_report *report)
{
    struct bench_ratio ratios[BENCH_RATIOS_MAX];
    size_t count = bench_ratios(report, ratios);
    if (count == 0)
        return;
    fputs("<div class=\"keys\">", file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "<div><b>%.3g &times;</b><span>%s</span></div>\n", ratios[i].times,
                ratios[i].what);
    fputs("</div>\n", file);
}

static void put_table(FILE *file, const struct bench_report *report)
{
    fputs("<table><tr><th>path<th>wait<th>access<th>devices<th>vCPUs<th>p50<th>p90<th>p99"
          "<th>p99.9<th>per second</tr>\n",
          file);
    for (size_t i = 0; i < report->plan->count; i++) {
        const struct bench_side *side = &report->plan->sides[i];
        const struct bench_result *result = &report->results[i];
        const double parts[] = {result->p50_ns, result->p90_ns, result->p99_ns, result->p999_ns};
        fprintf(file, "<tr class=\"%s\"><td>%s<td>%s<td>%s<td>%u<td>%u",
                bench_path_name(side->path), bench_path_name(side->path),
                side->path == BENCH_FLOOR ? "&ndash;" : bench_wait_name(side->wait),
                bench_op_name(side->op), side->devices, side->vcpus);
        for (size_t part = 0; part < sizeof(parts) / sizeof(*parts); part++) {
            fputs("<td>", file);
            put_duration(file, parts[part]);
        }
        fputs("<td>", file);
        put_count(file, result->per_second);
        fputs("</tr>\n", file);
    }
    fputs("</table>\n", file);
}

static void put_head(FILE *file, const struct bench_report *report)
{
    fprintf(file,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<title>trestle bench</title>\n<style>\n%s</style></head>\n<body><main>\n"
            "<h1>What one access costs</h1>\n<p>Measured by the guest, 4 bytes at a time; medians "
            "of %u round%s.<br>",
            style, report->rounds, report->rounds == 1 ? "" : "s");
    put_text(file, report->machine.cpu);
    fprintf(file, ", %u processor%s, ", report->machine.processors,
            report->machine.processors == 1 ? "" : "s");
    put_text(file, report->machine.kernel);
    fputs(", QEMU ", file);
    put_text(file, report->machine.qemu);
    fputs(", Trestle " TRESTLE_VERSION "</p>\n", file);
}

char *bench_html(const struct bench_report *report)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return xstrdup("");
    put_head(file, report);
    put_ratios(file, report);
    fputs("<section><h2>Latency</h2>\n<p>One device. The dot and the figure are the median; the "
          "thick line reaches to the 99th percentile, the thin one to the 99.9th.</p>\n",
          file);
    put_latencies(file, report);
    fputs("</section>\n<section><h2>Throughput</h2>\n<p>Accesses per second, one after the "
          "other.</p>\n",
          file);
    put_rates(file, report);
    fputs("</section>\n", file);
    if (sweep_size(report, BENCH_FLOOR) > 1 || sweep_size(report, BENCH_V2_SHM) > 1) {
        fputs("<section><h2>Many devices</h2>\n<p>Reads of all devices in random order. Solid: the "
              "median; dashed: the 90th percentile. What the floor rises is QEMU's own.</p>\n",
              file);
        put_sweep(file, report);
        fputs("</section>\n", file);
    }
    fputs("<section><h2>All figures</h2>\n", file);
    put_table(file, report);
    fputs("</section>\n</main></body></html>\n", file);
    fclose(file);
    return text;
}
