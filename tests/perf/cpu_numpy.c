/* SPDX-License-Identifier: Apache-2.0 */
/* numpy in a process of its own: cpu_numpy.py. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/perf/bench.h"
#include "tests/perf/cpu.h"

static FILE *to, *from;
static pid_t child;

static void say(const char *name, const float *values, size_t count)
{
    fprintf(to, "data %s %zu\n", name, count);
    fwrite(values, sizeof *values, count, to);
}

bool cpu_numpy_start(const cpu_data *data)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        bench_fail("no pipes");
    }
    child = fork();
    if (child == 0) {
        const char *python = getenv("PYTHON");
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execlp(python ? python : "/usr/bin/python3", "python3", NUMPY_SCRIPT, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to = fdopen(in[1], "w");
    from = fdopen(out[0], "r");
    char line[128];
    if (!to || !from || !fgets(line, sizeof line, from)) {
        cpu_numpy_stop();
        return false;
    }
    printf("numpy is %s", line);
    say("rows", data->rows, (size_t)CPU_ROWS * CPU_DEPTH);
    say("one", data->one, CPU_DEPTH);
    for (unsigned l = 0; l < CPU_LAYERS; l++) {
        say((const char *[]){"w0", "w1", "w2"}[l], data->weights[l], cpu_layer[l + 1] * cpu_layer[l]);
        say((const char *[]){"b0", "b1", "b2"}[l], data->biases[l], cpu_layer[l + 1]);
    }
    return true;
}

double cpu_numpy_run(const char *workload, uint64_t times, const void *in, size_t in_bytes, void *out, size_t out_bytes)
{
    char line[128];
    double seconds;
    size_t bytes;
    fprintf(to, "%s %llu %zu\n", workload, (unsigned long long)times, in_bytes / 4);
    fwrite(in, 1, in_bytes, to);
    fflush(to);
    if (!fgets(line, sizeof line, from) || sscanf(line, "%lf %zu", &seconds, &bytes) != 2 || bytes != out_bytes ||
        fread(out, 1, bytes, from) != bytes) {
        bench_fail("numpy does not answer for %s", workload);
    }
    return seconds;
}

void cpu_numpy_stop(void)
{
    if (to) {
        fclose(to);
    }
    if (from) {
        fclose(from);
    }
    if (child > 0) {
        waitpid(child, NULL, 0);
    }
    to = from = NULL;
    child = 0;
}
