/* SPDX-License-Identifier: Apache-2.0 */
#include "command/bench_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/json_text.h"
#include "command/plot.h"
#include "command/terminal.h"
#include "command/units.h"

static const double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1};
enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static double throughput(const psy__load_result *r) { return r->run_ns > 0 ? (double)r->in_time * 1e9 / (double)r->run_ns : 0; }

static uint64_t errors_of(const psy__load_result *r)
{
    uint64_t errors = r->unanswered;
    for (unsigned i = 0; i < PSY_LOAD_STATUSES; i++) {
        errors += i == PSY_OK ? 0 : r->statuses[i];
    }
    return errors;
}

/* Fewer replies than were asked for, by more than what is still on its way at the end. */
static bool is_behind(const psy__bench_run *run)
{
    return run->rate > 0 && (run->result->unsent > 0 || throughput(run->result) < 0.97 * run->rate);
}

/* ---- table ---- */

static void write_head(const psy__load_plan *plan, bool unicode, FILE *to)
{
    char warmup[24];
    fprintf(to, "%s at %s, %" PRIu32 " client%s, %" PRIu32 " in flight%s", plan->pipeline, plan->uri, plan->clients,
            plan->clients == 1 ? "" : "s", plan->in_flight, plan->clients == 1 ? "" : " each");
    if (plan->batch > 1) {
        fprintf(to, ", in groups of %" PRIu32, plan->batch);
    }
    if (plan->warmup_ns > 0) {
        fprintf(to, ", after %s of warming up", psy__time_text(warmup, sizeof warmup, plan->warmup_ns, unicode));
    }
    fputs("\n\n", to);
}

static void write_row(const psy__bench_run *run, bool unicode, FILE *to)
{
    const psy__load_result *r = run->result;
    char text[24];
    fprintf(to, "%9s", run->rate > 0 ? psy__count_text(text, sizeof text, run->rate) : "closed");
    fprintf(to, "%11s", psy__count_text(text, sizeof text, throughput(r)));
    for (size_t i = 0; i < QUANTILES; i++) {
        const bool none = r->latency.count == 0;
        if (none) {
            snprintf(text, sizeof text, "-");
        } else {
            psy__time_text(text, sizeof text, psy__histogram_quantile(&r->latency, quantiles[i]), unicode);
        }
        fprintf(to, "%*s", psy__padding(text, 10), text);
    }
    fprintf(to, "%9s\n", psy__count_text(text, sizeof text, (double)errors_of(r)));
}

static void write_of(FILE *to, const psy__bench_run *run, bool several)
{
    char rate[24];
    if (several && run->rate > 0) {
        fprintf(to, "at %s/s: ", psy__count_text(rate, sizeof rate, run->rate));
    }
}

/* What keeps the numbers from being what they seem. */
static void write_notes(const psy__bench_run *run, bool several, bool unicode, FILE *to)
{
    const psy__load_result *r = run->result;
    char text[24];
    for (unsigned i = 0; i < PSY_LOAD_STATUSES; i++) {
        if (i != PSY_OK && r->statuses[i] > 0) {
            write_of(to, run, several);
            fprintf(to, "%s: %" PRIu64 " of %" PRIu64 " requests: %s\n", psy_status_name((psy_status)i), r->statuses[i],
                    r->sent, psy_status_text((psy_status)i));
        }
    }
    if (r->unanswered) {
        write_of(to, run, several);
        fprintf(to, "unanswered: %" PRIu64 " requests; they count in the latencies with the time that they had waited\n",
                r->unanswered);
    }
    if (r->unsent) {
        write_of(to, run, several);
        fprintf(to,
                "overload: %" PRIu64 " of %" PRIu64
                " requests were due and never sent, as too many were in flight; they count with the time that they had waited: "
                "latencies would have gone on growing\n",
                r->unsent, r->scheduled);
    } else if (is_behind(run)) {
        write_of(to, run, several);
        fputs("overload: fewer replies came than were asked for; latencies would have gone on growing\n", to);
    }
    if (r->held) {
        write_of(to, run, several);
        fprintf(to,
                "held back: %" PRIu64
                " requests waited for one in flight to end before they were sent: part of their latency\n",
                r->held);
    }
    if (r->late) {
        write_of(to, run, several);
        fprintf(to,
                "late: %" PRIu64 " of %" PRIu64
                " requests were sent over %s after their time, up to %s, as the generator was slow: "
                "part of their latency that is not the service's\n",
                r->late, r->sent, psy__time_text(text, sizeof text, PSY_LOAD_LATE_NS, unicode),
                psy__time_text((char[24]){0}, 24, r->latest_ns, unicode));
    }
    if (r->different) {
        write_of(to, run, several);
        fprintf(to, "different: %" PRIu64 " replies are not what they should be; the first: %s\n", r->different, r->difference);
    }
    if (r->trouble[0]) {
        write_of(to, run, several);
        fprintf(to, "broken off: %s\n", r->trouble);
    }
    if (r->stopped) {
        fprintf(to, "stopped after %s\n", psy__time_text(text, sizeof text, r->run_ns, unicode));
    }
}

void psy__bench_write_table(const psy__load_plan *plan, const psy__bench_run *runs, uint32_t count, bool histogram, FILE *to)
{
    const bool unicode = psy__terminal_unicode();
    unsigned columns, rows;
    psy__terminal_size(fileno(to), &columns, &rows);
    write_head(plan, unicode, to);
    fputs("     RATE  REPLIES/s       P50       P90       P99     P99.9       MAX   ERRORS\n", to);
    for (uint32_t i = 0; i < count; i++) {
        write_row(&runs[i], unicode, to);
    }
    for (uint32_t i = 0; i < count; i++) {
        write_notes(&runs[i], count > 1, unicode, to);
    }
    for (uint32_t i = 0; i < count && histogram; i++) {
        putc('\n', to);
        psy__histogram_write_text(&runs[i].result->latency, columns < 100 ? columns : 100, unicode, to);
    }
}

/* ---- JSON ---- */

static void write_run(const psy__bench_run *run, FILE *to)
{
    const psy__load_result *r = run->result;
    fputs("{\"rate\":", to);
    if (run->rate > 0) {
        fprintf(to, "%.17g", run->rate);
    } else {
        fputs("null", to);
    }
    fprintf(to,
            ",\"seconds\":%.9f,\"replies_per_second\":%.3f,\"scheduled\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"ok\":%" PRIu64
            ",\"errors\":{",
            (double)r->run_ns / 1e9, throughput(r), r->scheduled, r->sent, r->statuses[PSY_OK]);
    const char *between = "";
    for (unsigned i = 0; i < PSY_LOAD_STATUSES; i++) {
        if (i != PSY_OK && r->statuses[i] > 0) {
            fprintf(to, "%s\"%s\":%" PRIu64, between, psy_status_name((psy_status)i), r->statuses[i]);
            between = ",";
        }
    }
    fprintf(to,
            "},\"unanswered\":%" PRIu64 ",\"unsent\":%" PRIu64 ",\"held_back\":%" PRIu64 ",\"late\":%" PRIu64
            ",\"latest_ns\":%" PRIu64 ",\"different\":%" PRIu64 ",\"behind\":%s,\"stopped\":%s",
            r->unanswered, r->unsent, r->held, r->late, r->latest_ns, r->different, is_behind(run) ? "true" : "false",
            r->stopped ? "true" : "false");
    if (r->difference[0]) {
        fputs(",\"first_difference\":", to);
        psy__json_text(to, r->difference);
    }
    if (r->trouble[0]) {
        fputs(",\"broken_off\":", to);
        psy__json_text(to, r->trouble);
    }
    fputs(",\"latency\":", to);
    psy__histogram_write_json(&r->latency, true, to);
    putc('}', to);
}

void psy__bench_write_json(const psy__load_plan *plan, const psy__bench_run *runs, uint32_t count, FILE *to)
{
    fputs("{\"address\":", to);
    psy__json_text(to, plan->uri);
    fputs(",\"pipeline\":", to);
    psy__json_text(to, plan->pipeline);
    fprintf(to,
            ",\"clients\":%" PRIu32 ",\"in_flight\":%" PRIu32 ",\"batch\":%" PRIu32
            ",\"arrivals\":\"%s\",\"warmup_seconds\":%.9f"
            ",\"different_requests\":%" PRIu32 ",\"runs\":[",
            plan->clients, plan->in_flight, plan->batch, plan->arrivals == PSY_ARRIVALS_RANDOM ? "random" : "even",
            (double)plan->warmup_ns / 1e9, plan->requests->count);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i ? "," : "", to);
        write_run(&runs[i], to);
    }
    fputs("]}\n", to);
}

/* ---- picture ---- */

psy_status psy__bench_plot(const psy__load_plan *plan, const psy__bench_run *runs, uint32_t count, const char *path)
{
    static const double shown[PSY_PLOT_LINES] = {0.5, 0.99, 0.999, 1};
    psy__plot_point *points = calloc(count, sizeof *points);
    char title[160];
    if (!points) {
        psy__no_memory();
    }
    for (uint32_t i = 0; i < count; i++) {
        points[i].rate = throughput(runs[i].result);
        points[i].behind = is_behind(&runs[i]);
        for (int k = 0; k < PSY_PLOT_LINES; k++) {
            points[i].ns[k] = psy__histogram_quantile(&runs[i].result->latency, shown[k]);
        }
    }
    snprintf(title, sizeof title, "%s: latency against load", plan->pipeline);
    const psy_status status = psy__plot_write(path, title, points, count);
    free(points);
    return status;
}
