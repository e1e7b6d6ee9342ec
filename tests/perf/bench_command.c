/* SPDX-License-Identifier: Apache-2.0 */
/* Whole commands of the example. They have no peer: they are here to be compared with themselves, later.
 *
 *   nearest/qps      searches a second of the spelling search (broker, two shards, 256 in flight), by an even sample
 *   compile/nearest  psynec on the example's pipelines, from start to end: bytecode and kernels
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/perf/bench.h"
#include "tests/perf/commands.h"

/* ---- nearest ---- */

static double nearest(void *unused, uint64_t amount)
{
    (void)unused, (void)amount;
    char *const arguments[] = {NEAREST, "--module", NEAREST_MODULE, "--engine", "cpu", "--quiet", "--sample", "4000", NULL};
    char *path = command_path("nearest.out"), line[512] = "";
    double first, tenth, qps;
    int status = command_run(arguments, path);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
    }
    if (f) {
        fclose(f);
    }
    free(path);
    if (status != 0) {
        return -1; /* it has said why: the word lists may not be installed */
    }
    if (sscanf(line, "nearest: queries=4000 recall@1=%lf recall@10=%lf qps=%lf", &first, &tenth, &qps) != 3 || qps <= 0) {
        bench_fail("nearest says \"%s\"", line);
    }
    if (first < 0.76 || tenth < 0.95) {
        bench_fail("nearest finds too few: \"%s\"", line);
    }
    return 1 / qps;
}

/* ---- psynec ---- */

static void check_same(const char *one, const char *other)
{
    char *a, *b;
    size_t n = command_read(one, &a), m = command_read(other, &b);
    if (n != m || memcmp(a, b, n) != 0) {
        bench_fail("psynec wrote something else than in the build");
    }
    free(a);
    free(b);
}

static double compile(void *unused, uint64_t amount)
{
    (void)unused;
    char *kernels = command_path("kernels"), *module = command_path("gen/nearest.psm"), *gen = command_path("gen"),
         *output = command_path("psynec.out");
    char *const with_kernels[] = {PSYNEC, NEAREST_SOURCE, "--emit", "spirv,bytecode", "-o", kernels, NULL};
    char *const as_built[] = {PSYNEC, NEAREST_SOURCE, "-o", gen, NULL};
    uint64_t start = psy__now_ns();
    for (uint64_t i = 0; i < amount; i++) {
        if (command_run(with_kernels, output) != 0) {
            bench_fail("psynec fails");
        }
    }
    uint64_t end = psy__now_ns();
    if (command_run(as_built, output) != 0) {
        bench_fail("psynec fails");
    }
    check_same(module, NEAREST_MODULE);
    free(kernels);
    free(module);
    free(gen);
    free(output);
    return (double)(end - start) * 1e-9;
}

int main(int argc, char **argv)
{
    command_begin();
    bench_begin(argc, argv, "commands");
    bench_measure(&(bench_figure){.name = "nearest/qps", .unit = &bench_per_second, .step = 1, .subject = {"psyne", nearest}});
    bench_measure(&(bench_figure){
        .name = "compile/nearest", .unit = &bench_milliseconds, .step = 1, .seconds = 0.1, .subject = {"psyne", compile}});
    return bench_end();
}
