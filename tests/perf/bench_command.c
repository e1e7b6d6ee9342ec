/* SPDX-License-Identifier: Apache-2.0 */
/* Whole commands of the example. They have no peer: they are here to be compared with themselves, later.
 *
 *   nearest/qps      searches a second of the spelling search (broker, two shards, 256 in flight), by an even sample
 *   compile/nearest  psynec on the example's pipelines, from start to end: bytecode and kernels
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/perf/bench.h"

/* Runs a command; what it writes on stdout goes to the file, if there is one. Its exit status. */
static int run_command(char *const *arguments, const char *output)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (posix_spawn(&child, arguments[0], &actions, NULL, arguments, environ) != 0 || waitpid(child, &status, 0) != child) {
        status = -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char folder[512];

static char *inside(const char *name)
{
    char *path = malloc(sizeof folder + 64);
    if (!path) {
        bench_fail("no memory");
    }
    snprintf(path, sizeof folder + 64, "%s/%s", folder, name);
    return path;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
    (void)s, (void)type, (void)at;
    return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

/* ---- nearest ---- */

static double nearest(void *unused, uint64_t amount)
{
    (void)unused, (void)amount;
    char *const arguments[] = {NEAREST, "--module", NEAREST_MODULE, "--engine", "cpu", "--quiet", "--sample", "4000", NULL};
    char *path = inside("nearest.out"), line[512] = "";
    double first, tenth, qps;
    int status = run_command(arguments, path);
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

static size_t read_file(const char *path, char **out)
{
    FILE *f = fopen(path, "rb");
    long bytes = -1;
    if (f && fseek(f, 0, SEEK_END) == 0 && (bytes = ftell(f)) >= 0) {
        rewind(f);
        *out = bench_memory((size_t)bytes);
        bytes = fread(*out, 1, (size_t)bytes, f) == (size_t)bytes ? bytes : -1;
    }
    if (f) {
        fclose(f);
    }
    if (bytes < 0) {
        bench_fail("%s cannot be read", path);
    }
    return (size_t)bytes;
}

static void check_same(const char *one, const char *other)
{
    char *a, *b;
    size_t n = read_file(one, &a), m = read_file(other, &b);
    if (n != m || memcmp(a, b, n) != 0) {
        bench_fail("psynec wrote something else than in the build");
    }
    free(a);
    free(b);
}

static double compile(void *unused, uint64_t amount)
{
    (void)unused;
    char *kernels = inside("kernels"), *module = inside("gen/nearest.psm"), *gen = inside("gen"),
         *output = inside("psynec.out");
    char *const with_kernels[] = {PSYNEC, NEAREST_SOURCE, "--emit", "spirv,bytecode", "-o", kernels, NULL};
    char *const as_built[] = {PSYNEC, NEAREST_SOURCE, "-o", gen, NULL};
    uint64_t start = psy__now_ns();
    for (uint64_t i = 0; i < amount; i++) {
        if (run_command(with_kernels, output) != 0) {
            bench_fail("psynec fails");
        }
    }
    uint64_t end = psy__now_ns();
    if (run_command(as_built, output) != 0) {
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
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/psyne-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    atexit(remove_folder);
    bench_begin(argc, argv, "commands");
    bench_measure(&(bench_figure){.name = "nearest/qps", .unit = &bench_per_second, .step = 1, .subject = {"psyne", nearest}});
    bench_measure(&(bench_figure){
        .name = "compile/nearest", .unit = &bench_milliseconds, .step = 1, .seconds = 0.1, .subject = {"psyne", compile}});
    return bench_end();
}
