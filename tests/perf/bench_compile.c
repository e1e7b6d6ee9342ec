/* SPDX-License-Identifier: Apache-2.0 */
/* psynec as a user runs it, from start to end, on 10,000 lines of generated program, and on the example. There is no peer: the
 * figures are here to be compared with themselves, later. What is written is decoded and verified.
 *
 *   compile/example        the example's pipelines, without kernels
 *   compile/10k_SHAPE      tests/compiler/large_hrm.h says which shapes there are; without kernels
 *   compile/10k_kernels    a chain with its kernels, each validated
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "isa/module.h"
#include "tests/compiler/large_hrm.h"
#include "tests/perf/bench.h"
#include "tests/perf/commands.h"

enum { LINES = 10000 };

typedef struct source {
    const char *path, *module;
    bool kernels;
} source;

static double compile(void *context, uint64_t amount)
{
    const source *s = context;
    char *output = command_path("psynec.out");
    char *const arguments[] = {PSYNEC, (char *)s->path, "-o", (char *)command_folder(), s->kernels ? NULL : "--no-kernels",
                               NULL};
    uint64_t start = psy__now_ns();
    for (uint64_t i = 0; i < amount; i++) {
        if (command_run(arguments, output) != 0) {
            bench_fail("psynec fails on %s", s->path);
        }
    }
    double seconds = (double)(psy__now_ns() - start) * 1e-9;
    char *bytes;
    size_t n = command_read(s->module, &bytes);
    psy__module m;
    if (psy__module_decode(bytes, n, PSY_TRUST_NATIVE, &m) != PSY_OK || (m.kernel_count != 0) != s->kernels) {
        bench_fail("%s: %s", s->module, psy_detail());
    }
    if (s->path[0] == '/' && strstr(s->path, "large") && m.line_count < LINES - LINES / 10) {
        bench_fail("%s: only %u instructions for %d lines", s->module, m.line_count, LINES);
    }
    free(bytes);
    free(output);
    return seconds;
}

static void write_text(const char *name, large_shape shape, bool is_schema)
{
    char *path = command_path(name);
    FILE *to = fopen(path, "w");
    if (!to) {
        bench_fail("%s cannot be written", path);
    }
    fputs(is_schema ? LARGE_SCHEMA : "import \"large.psy\"\n", to);
    if (!is_schema) {
        large_write(shape, LINES, to);
    }
    if (fclose(to) != 0) {
        bench_fail("%s cannot be written", path);
    }
    free(path);
}

static void measure(large_shape shape, bool kernels)
{
    char name[64], file[64], module[64];
    snprintf(name, sizeof name, "compile/10k_%s", kernels ? "kernels" : large_name(shape));
    if (!bench_wants(name)) {
        return;
    }
    snprintf(file, sizeof file, "large_%s.hrm", large_name(shape));
    snprintf(module, sizeof module, "large_%s.psm", large_name(shape));
    write_text(file, shape, false);
    source s = {command_path(file), command_path(module), kernels};
    bench_measure(&(bench_figure){
        .name = name, .unit = &bench_milliseconds, .step = 1, .seconds = 0.1, .subject = {"psyne", compile}, .context = &s});
    free((char *)s.path);
    free((char *)s.module);
}

int main(int argc, char **argv)
{
    command_begin();
    bench_begin(argc, argv, "compiling");
    write_text("large.psy", LARGE_CHAIN, true);
    source example = {NEAREST_SOURCE, command_path("nearest.psm"), false};
    bench_measure(&(bench_figure){.name = "compile/example",
                                  .unit = &bench_milliseconds,
                                  .step = 1,
                                  .seconds = 0.1,
                                  .subject = {"psyne", compile},
                                  .context = &example});
    free((char *)example.module);
    for (large_shape shape = 0; shape < LARGE_SHAPES; shape++) {
        measure(shape, false);
    }
    measure(LARGE_CHAIN, true);
    return bench_end();
}
