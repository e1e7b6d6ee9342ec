/* SPDX-License-Identifier: Apache-2.0 */
/* What every benchmark uses: a figure is measured for the subject and for its peers in turn, BENCH_RUNS times each, and the
 * medians become rows of a table and objects of bench.json, one per peer. The distance between the two cores is probed before
 * and after every figure, since it moves on virtual machines: only figures of one row are comparable.
 *
 *   static double move(void *context, uint64_t amount) { ...; return seconds; }
 *
 *   bench_begin(argc, argv, "bench_ring");
 *   bench_measure(&(bench_figure){.name = "ring/8B/one", .unit = &bench_millions, .step = 4096, .subject = {"psyne", move},
 *                                 .peers = {{"ck_ring", ck_move}, {"rte_ring", .missing = "libdpdk-dev"}}});
 *   return bench_end();
 *
 * A peer without a run is named as missing, in the table and, with null values, in bench.json.
 */
#ifndef PSY_TESTS_PERF_BENCH_H
#define PSY_TESTS_PERF_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_RUNS = 9, BENCH_PEERS_MAX = 5 };

/* One run: `amount` pieces of work, with their results checked; the program ends when they are wrong. Returns the seconds that
 * it took, or less than 0 when it cannot run here, having said why on stderr. */
typedef double bench_run(void *context, uint64_t amount);

typedef struct bench_unit {
    const char *text;
    bool higher_is_better; /* amount / seconds * scale; otherwise seconds / amount * scale */
    double scale;
} bench_unit;

extern const bench_unit bench_millions, bench_per_second, bench_nanoseconds, bench_microseconds, bench_milliseconds;

typedef struct bench_contestant {
    const char *name;
    bench_run *run;
    const char *missing; /* without a run: the package that would bring it */
} bench_contestant;

typedef struct bench_figure {
    const char *name;
    const bench_unit *unit;
    uint64_t step;                                    /* amounts are multiples of it */
    double seconds;                                   /* about what one run takes; 0: every run's amount is one step */
    bench_contestant subject, peers[BENCH_PEERS_MAX]; /* up to the first peer without a name */
    void *context;                                    /* for every run */
} bench_figure;

/* `--json=FILE` in the arguments: objects are appended there, one a line. `--runs=N`: fewer than BENCH_RUNS, for a quick look.
 * Other arguments choose the figures whose names begin like one of them. `name` heads the table. */
void bench_begin(int argc, char **argv, const char *name);
/* Whether the arguments choose the figure, or one of those whose names begin so: what costs much to set up asks first. */
bool bench_wants(const char *name);
void bench_measure(const bench_figure *figure);
/* Says in the table why a figure is not there. */
void bench_skip(const char *name, const char *why);
/* The program's exit status. */
int bench_end(void);

/* Ends the program: a result is wrong, or what it needs is not there. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The middle of `n` (1 or more) values, which are sorted. */
double bench_median(double *values, size_t n);
/* At least 1 byte of zeroes, present in memory, aligned to 128, on huge pages from 1 MiB on where there are some; for free().
 */
void *bench_memory(size_t bytes);
/* A whole file, aligned as modules have to be; for free(). The program ends where it cannot be read. */
void *bench_file(const char *path, uint64_t *bytes);
/* Of this thread's processor time, not the clock's: other programs may get some of that. */
double bench_thread_seconds(void);

#endif
