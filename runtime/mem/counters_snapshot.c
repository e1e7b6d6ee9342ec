/* SPDX-License-Identifier: Apache-2.0 */
/* All files of counters that there are, read. */
#define _GNU_SOURCE
#include "mem/counters_snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "mem/counters_folder.h"

enum { MAX_FILES = 4096 };

/* ---- files ---- */

static psy_status add(psy_counters_snapshot *s, int folder, const char *directory, const char *name)
{
    psy__counters_source *source = &s->sources[s->source_count];
    const size_t n = directory ? strlen(directory) + 1 + strlen(name) + 1 : strlen(name) + 1;
    source->path = malloc(n);
    if (!source->path) {
        return psy_fail(PSY_NO_MEMORY, "no memory for the name of a file of counters");
    }
    snprintf(source->path, n, "%s%s%s", directory ? directory : "", directory ? "/" : "", name);
    s->source_count++;
    const int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (directory ? O_NOFOLLOW : 0));
    const psy_status status = fd < 0 ? psy__counters_failure("open", source->path) : psy__counters_read_file(s, source, fd);
    if (status != PSY_OK) {
        snprintf(source->problem, sizeof source->problem, "%s", psy_detail());
    }
    source->file.status = status;
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

static int is_counters(const struct dirent *e)
{
    const size_t n = strlen(e->d_name), s = sizeof PSY_COUNTERS_SUFFIX - 1;
    return n > s && e->d_name[0] != '.' && strcmp(e->d_name + n - s, PSY_COUNTERS_SUFFIX) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static psy_status read_names(psy_counters_snapshot *s, int folder, const char *path, struct dirent **names, int n)
{
    if (n > MAX_FILES) {
        return psy_fail(PSY_LIMIT, "%s has %d files of counters; at most %d are read", path, n, MAX_FILES);
    }
    s->sources = calloc(n ? (size_t)n : 1, sizeof *s->sources);
    if (!s->sources) {
        return psy_fail(PSY_NO_MEMORY, "no memory for files of counters");
    }
    for (int i = 0; i < n; i++) {
        const psy_status status = add(s, folder, path, names[i]->d_name);
        if (status == PSY_NO_MEMORY) {
            return status;
        }
        if (status == PSY_NOT_FOUND) { /* it was taken away since */
            free(s->sources[--s->source_count].path);
            memset(&s->sources[s->source_count], 0, sizeof *s->sources);
        }
    }
    return PSY_OK;
}

static psy_status read_folder(psy_counters_snapshot *s, const char *path)
{
    struct dirent **names = NULL;
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return psy__counters_failure("open", path);
    }
    const int n = scandirat(folder, ".", &names, is_counters, by_name);
    const psy_status status = n < 0 ? psy__counters_failure("scandir", path) : read_names(s, folder, path, names, n);
    for (int i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
    close(folder);
    return status;
}

static psy_status read_path(psy_counters_snapshot *s, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return psy__counters_failure("stat", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return read_folder(s, path);
    }
    s->sources = calloc(1, sizeof *s->sources);
    return s->sources ? add(s, AT_FDCWD, NULL, path) : psy_fail(PSY_NO_MEMORY, "no memory for a file of counters");
}

psy_status psy_counters_read(const char *path, psy_counters_snapshot **out)
{
    char own[4096];
    if (!out) {
        return psy_fail(PSY_INVALID, "psy_counters_read: a null argument");
    }
    psy_status status = path ? PSY_OK : psy_counters_directory(own, sizeof own);
    psy_counters_snapshot *s = status == PSY_OK ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for counters") : status;
    }
    s->taken_ns = psy__now_ns();
    status = read_path(s, path ? path : own);
    status = status == PSY_OK ? psy__counters_view_rings(s) : status;
    status = status == PSY_OK ? psy__counters_view_sections(s) : status;
    if (status != PSY_OK) {
        psy_counters_release(s);
        return status;
    }
    for (uint32_t i = 0; i < s->source_count; i++) {
        s->sources[i].file.path = s->sources[i].path;
        s->sources[i].file.problem = s->sources[i].problem;
    }
    *out = s;
    return PSY_OK;
}

void psy_counters_release(psy_counters_snapshot *s)
{
    for (uint32_t i = 0; s && i < s->source_count; i++) {
        free(s->sources[i].descriptors);
        free(s->sources[i].values);
        free(s->sources[i].path);
    }
    if (s) {
        free(s->sources);
        free(s->rows);
        free(s->rings);
        free(s->views);
        free(s->latencies);
        free(s);
    }
}

uint64_t psy_counters_taken_ns(const psy_counters_snapshot *s) { return s->taken_ns; }

const psy_counters_file *psy_counters_file_at(const psy_counters_snapshot *s, uint32_t i)
{
    return i < s->source_count ? &s->sources[i].file : NULL;
}

const psy_counters_row *psy_counters_row_at(const psy_counters_snapshot *s, uint32_t i)
{
    return i < s->row_count ? &s->rows[i] : NULL;
}

const psy_counters_ring_view *psy_counters_ring_at(const psy_counters_snapshot *s, uint32_t i)
{
    return i < s->ring_count ? &s->rings[i] : NULL;
}

const psy_counters_view *psy_counters_view_at(const psy_counters_snapshot *s, uint32_t i)
{
    return i < s->view_count ? &s->views[i] : NULL;
}

const psy_counters_latency *psy_counters_latency_at(const psy_counters_snapshot *s, uint32_t i)
{
    return i < s->latency_count ? &s->latencies[i] : NULL;
}
