/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/perf/bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static FILE *json;

void bench_begin(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--json=", 7) == 0) {
            json = fopen(argv[i] + 7, "a");
            if (!json) {
                perror(argv[i] + 7);
                exit(2);
            }
        }
    }
    printf("%s\n%-28s %14s %14s %-12s %7s %9s\n", name, "figure", "psyne", "peer", "", "ratio", "cores ns");
}

void bench_pin(int k)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && k-- == 0) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

/* ---- the distance of the cores ---- */

enum { TRIPS = 20000, TRIES = 5 };

typedef struct ball {
    _Alignas(128) _Atomic uint32_t at;
} ball;

static void *answer(void *context)
{
    ball *b = context;
    bench_pin(1);
    for (uint32_t i = 1; i < 2 * TRIPS * TRIES; i += 2) {
        while (atomic_load_explicit(&b->at, memory_order_acquire) != i) {
        }
        atomic_store_explicit(&b->at, i + 1, memory_order_release);
    }
    return NULL;
}

double bench_core_distance_ns(void)
{
    cpu_set_t allowed;
    ball b = {0};
    pthread_t other;
    double best = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2 || pthread_create(&other, NULL, answer, &b) != 0) {
        return 0;
    }
    bench_pin(0);
    uint32_t i = 0;
    for (int t = 0; t < TRIES; t++) {
        uint64_t start = psy__now_ns();
        for (int k = 0; k < TRIPS; k++, i += 2) {
            atomic_store_explicit(&b.at, i + 1, memory_order_release);
            while (atomic_load_explicit(&b.at, memory_order_acquire) != i + 2) {
            }
        }
        double ns = (double)(psy__now_ns() - start) / TRIPS;
        best = t == 0 || ns < best ? ns : best;
    }
    pthread_join(other, NULL);
    sched_setaffinity(0, sizeof allowed, &allowed);
    return best;
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values)
{
    qsort(values, BENCH_RUNS, sizeof *values, by_value);
    return values[BENCH_RUNS / 2];
}

void bench_compare(const char *name, const char *unit, bench_better better, const char *peer, bench_run *subject, bench_run *peer_run, void *context)
{
    double ours[BENCH_RUNS], theirs[BENCH_RUNS], before = bench_core_distance_ns();
    for (int i = 0; i < BENCH_RUNS; i++) {
        ours[i] = subject(context);
        theirs[i] = peer_run ? peer_run(context) : 0;
    }
    double after = bench_core_distance_ns(), value = median(ours), other = median(theirs);
    double distance = before < after ? before : after;
    double ratio = !peer_run || value <= 0 || other <= 0 ? 0 : better == BENCH_HIGHER_IS_BETTER ? value / other : other / value;
    printf("%-28s %9.4g %-6s", name, value, unit);
    if (peer_run) {
        printf(" %9.4g %-16s %7.2f %9.0f\n", other, peer, ratio, distance);
    } else {
        printf(" %9s %-16s %7s %9.0f\n", "-", "", "-", distance);
    }
    fflush(stdout);
    if (json) {
        fprintf(json, "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", ", name, value, unit);
        if (peer_run) {
            fprintf(json, "\"peer\": \"%s\", \"peer_value\": %.6g, \"ratio\": %.4g, ", peer, other, ratio);
        } else {
            fprintf(json, "\"peer\": null, \"peer_value\": null, \"ratio\": null, ");
        }
        fprintf(json, "\"core_distance_ns\": %.1f, \"runs\": %d}\n", distance, BENCH_RUNS);
    }
}

int bench_end(void)
{
    if (json) {
        fclose(json);
    }
    return 0;
}
