/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/perf/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/perf/cores.h"

const bench_unit bench_millions = {"M/s", true, 1e-6}, bench_per_second = {"/s", true, 1},
                 bench_nanoseconds = {"ns", false, 1e9}, bench_microseconds = {"us", false, 1e6},
                 bench_milliseconds = {"ms", false, 1e3};

static FILE *json;
static char **wanted;
static int wanted_count, runs = BENCH_RUNS;

void bench_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *bench_memory(size_t bytes)
{
    enum { HUGE_PAGE = 2 << 20 };
    size_t unit = bytes < HUGE_PAGE / 2 ? 128 : HUGE_PAGE;
    size_t rounded = bytes ? (bytes + unit - 1) / unit * unit : unit;
    void *memory = aligned_alloc(unit, rounded);
    if (!memory) {
        bench_fail("no memory");
    }
    if (unit == HUGE_PAGE) {
        (void)madvise(memory, rounded, MADV_HUGEPAGE); /* for subject and peers alike */
    }
    return memset(memory, 0, rounded);
}

void *bench_file(const char *path, uint64_t *bytes)
{
    FILE *from = fopen(path, "rb");
    long size = from && fseek(from, 0, SEEK_END) == 0 ? ftell(from) : -1;
    uint8_t *all = size >= 0 ? bench_memory((size_t)size) : NULL;
    if (!all || fseek(from, 0, SEEK_SET) != 0 || fread(all, 1, (size_t)size, from) != (size_t)size) {
        bench_fail("%s cannot be read", path);
    }
    fclose(from);
    *bytes = (uint64_t)size;
    return all;
}

double bench_thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void bench_begin(int argc, char **argv, const char *name)
{
    wanted = malloc(((size_t)argc + 1) * sizeof *wanted);
    wanted_count = 0;
    runs = BENCH_RUNS;
    json = NULL;
    if (!wanted) {
        bench_fail("no memory");
    }
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--runs=", 7) == 0) {
            char *end;
            long n = strtol(argv[i] + 7, &end, 10);
            if (end == argv[i] + 7 || *end || n < 1 || n > BENCH_RUNS) {
                fprintf(stderr, "bench: \"%s\": 1 to %d runs are possible\n", argv[i], BENCH_RUNS);
                exit(2);
            }
            runs = (int)n;
        } else if (strncmp(argv[i], "--json=", 7) != 0) {
            wanted[wanted_count++] = argv[i];
        } else if (!(json = fopen(argv[i] + 7, "a"))) {
            perror(argv[i] + 7);
            exit(2);
        }
    }
    double load = 0;
    (void)!getloadavg(&load, 1);
    printf("\n%s (load average %.1f)\n%-30s %10s %-4s %10s  %-36s %5s  %s\n", name, load, "", "psyne", "", "peer", "", "ratio",
           "core to core, ns");
}

bool bench_wants(const char *name)
{
    bool any = wanted_count == 0;
    for (int i = 0; i < wanted_count && !any; i++) {
        size_t n = strlen(name), m = strlen(wanted[i]);
        any = strncmp(name, wanted[i], n < m ? n : m) == 0;
    }
    return any;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* How much one run of a contestant does: also warms up. 0: it cannot run. */
static uint64_t choose_amount(const bench_figure *f, const bench_contestant *c)
{
    uint64_t amount = f->step;
    if (f->seconds <= 0) {
        return amount;
    }
    double seconds = c->run(f->context, amount);
    while (seconds >= 0 && seconds < f->seconds / 4) {
        amount *= 2;
        seconds = c->run(f->context, amount);
    }
    if (seconds < 0) {
        return 0;
    }
    double steps = (double)amount * f->seconds / seconds / (double)f->step;
    return f->step * (steps < 1 ? 1 : (uint64_t)steps);
}

static double measure_once(const bench_figure *f, const bench_contestant *c, uint64_t amount)
{
    double seconds = c->run(f->context, amount);
    if (seconds == 0) {
        bench_fail("%s: %s takes no time", f->name, c->name);
    }
    return seconds < 0 ? -1
                       : f->unit->scale * (f->unit->higher_is_better ? (double)amount / seconds : seconds / (double)amount);
}

/* `other` below 0: the peer is missing. */
static void report(const bench_figure *f, const bench_contestant *peer, double value, double other, double before, double after)
{
    double ratio = other <= 0 ? 0 : f->unit->higher_is_better ? value / other : other / value;
    bool first = !peer || peer == &f->peers[0];
    if (first) {
        printf("%-30s %10.4g %-4s ", f->name, value, f->unit->text);
    } else {
        printf("%-30s %10s %-4s ", "", "", "");
    }
    if (!peer) {
        printf("%10s  %-36s %5s", "", "", "");
    } else if (other > 0) {
        printf("%10.4g  %-36s %5.2f", other, peer->name, ratio);
    } else {
        char text[96];
        snprintf(text, sizeof text, "%s (%s)", peer->name, peer->run ? "it does not run here" : peer->missing);
        printf("%10s  %-42s", "missing", text);
    }
    if (first) {
        bool moved = before > after * 1.5 || after > before * 1.5;
        printf("  %.0f -> %.0f %s", before, after, moved ? "moved" : cores_distance_name((before + after) / 2));
    }
    putchar('\n');
    fflush(stdout);
    if (!json) {
        return;
    }
    fprintf(json, "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", ", f->name, value, f->unit->text);
    if (!peer) {
        fputs("\"peer\": null, \"peer_value\": null, \"ratio\": null, ", json);
    } else if (other > 0) {
        fprintf(json, "\"peer\": \"%s\", \"peer_value\": %.6g, \"ratio\": %.4g, ", peer->name, other, ratio);
    } else {
        fprintf(json, "\"peer\": \"%s\", \"peer_value\": null, \"ratio\": null, ", peer->name);
    }
    fprintf(json, "\"core_distance_ns\": %.1f, \"runs\": %d}\n", (before + after) / 2, runs);
    fflush(json);
}

void bench_measure(const bench_figure *f)
{
    const bench_contestant *all[1 + BENCH_PEERS_MAX] = {&f->subject};
    double values[1 + BENCH_PEERS_MAX][BENCH_RUNS], medians[1 + BENCH_PEERS_MAX];
    uint64_t amounts[1 + BENCH_PEERS_MAX];
    size_t peers = 0;
    while (peers < BENCH_PEERS_MAX && f->peers[peers].name) {
        peers++;
    }
    if (!bench_wants(f->name)) {
        return;
    }
    for (size_t c = 0; c <= peers; c++) {
        all[c] = c ? &f->peers[c - 1] : all[0];
        amounts[c] = all[c]->run ? choose_amount(f, all[c]) : 0;
    }
    double before = cores_distance_ns();
    for (int i = 0; i < runs && amounts[0]; i++) {
        for (size_t c = 0; c <= peers; c++) {
            values[c][i] = amounts[c] ? measure_once(f, all[c], amounts[c]) : -1;
            amounts[c] = values[c][i] < 0 ? 0 : amounts[c];
        }
    }
    if (!amounts[0]) {
        bench_skip(f->name, "it does not run here");
        return;
    }
    double after = cores_distance_ns();
    for (size_t c = 0; c <= peers; c++) {
        medians[c] = amounts[c] ? bench_median(values[c], (size_t)runs) : -1;
    }
    for (size_t c = 0; c < peers; c++) {
        report(f, &f->peers[c], medians[0], medians[1 + c], before, after);
    }
    if (peers == 0) {
        report(f, NULL, medians[0], -1, before, after);
    }
}

void bench_skip(const char *name, const char *why)
{
    if (bench_wants(name)) {
        printf("%-30s skipped: %s\n", name, why);
        fflush(stdout);
    }
}

int bench_end(void)
{
    int status = 0;
    if (json) {
        status = ferror(json) != 0;
        status = fclose(json) != 0 || status;
    }
    if (status) {
        fputs("bench: the figures cannot be written\n", stderr);
    }
    json = NULL;
    free(wanted);
    return status;
}
