/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/service/soak.h"

bool soak_holding_of(pid_t pid, soak_holding *out)
{
    char path[64], line[512];
    uint64_t kib;
    *out = (soak_holding){0};
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *d = opendir(path);
    if (!d) {
        return false;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        out->files += e->d_name[0] != '.';
    }
    closedir(d);
    snprintf(path, sizeof path, "/proc/%ld/maps", (long)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        out->slabs += strstr(line, "memfd:psyne") != NULL;
    }
    if (f) {
        fclose(f);
    }
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "Pss: %" SCNu64 " kB", &kib) == 1) {
            out->pss_bytes = kib * 1024;
        }
    }
    if (f) {
        fclose(f);
    }
    return out->pss_bytes != 0; /* a dead one that nobody has waited for holds nothing */
}

void soak_tell_files(pid_t pid)
{
    char path[64], name[320], target[256];
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        ssize_t n = readlink(name, target, sizeof target);
        if (n > 0) {
            fprintf(stderr, "soak: descriptor %s is %.*s\n", e->d_name, (int)n, target);
        }
    }
    if (d) {
        closedir(d);
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median(const soak_life *life, uint32_t from, uint32_t to, int what)
{
    static int64_t values[SOAK_LOOKS];
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++) {
        const soak_holding *at = &life->at[i];
        values[n++] = what == 0 ? (int64_t)at->pss_bytes : what == 1 ? at->files : at->slabs;
    }
    qsort(values, n, sizeof *values, by_size);
    return values[n / 2];
}

bool soak_life_growth(const soak_life *life, int64_t *pss_bytes, int64_t *files, int64_t *slabs, uint64_t *was_bytes)
{
    uint32_t n = life->looks, quarter = n / 4;
    if (quarter < 4) {
        return false;
    }
    *was_bytes = (uint64_t)median(life, quarter, 2 * quarter, 0);
    *pss_bytes = median(life, n - quarter, n, 0) - (int64_t)*was_bytes;
    *files = median(life, n - quarter, n, 1) - median(life, quarter, 2 * quarter, 1);
    *slabs = median(life, n - quarter, n, 2) - median(life, quarter, 2 * quarter, 2);
    return true;
}
