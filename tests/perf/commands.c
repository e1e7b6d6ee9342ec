/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/perf/commands.h"

#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/perf/bench.h"

static char folder[512];

char *command_path(const char *name)
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

void command_begin(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/psyne-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        exit(1);
    }
    atexit(remove_folder);
}

const char *command_folder(void) { return folder; }

int command_run(char *const *arguments, const char *output)
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

size_t command_read(const char *path, char **out)
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
