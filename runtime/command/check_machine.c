/* SPDX-License-Identifier: Apache-2.0 */
/* What psyne check says of the machine: processors, memory and limits, as the system tells. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cores.h"
#include "command/check.h"

/* The first line of a file of the system's; empty where it cannot be read. */
static const char *line_of(char *to, size_t room, const char *path)
{
    FILE *f = fopen(path, "re");
    to[0] = '\0';
    if (f) {
        if (fgets(to, (int)room, f)) {
            to[strcspn(to, "\n")] = '\0';
        }
        fclose(f);
    }
    return to;
}

static uint64_t number_of(const char *path)
{
    char line[64];
    return strtoull(line_of(line, sizeof line, path), NULL, 10);
}

/* ---- processors ---- */

/* "[madvise]" of "always [madvise] never". */
static const char *chosen(char *line)
{
    char *from = strchr(line, '['), *to = from ? strchr(from, ']') : NULL;
    if (!to) {
        return line;
    }
    *to = '\0';
    return from + 1;
}

static void find_caches(psy__findings *f)
{
    const int cpu = psy__cores_number(0);
    for (int i = 0; i < 8; i++) {
        char base[80], path[128], level[16], type[32], size[32], shared[64];
        snprintf(base, sizeof base, "/sys/devices/system/cpu/cpu%d/cache/index%d", cpu, i);
        snprintf(path, sizeof path, "%s/level", base);
        if (!*line_of(level, sizeof level, path)) {
            return;
        }
        snprintf(path, sizeof path, "%s/type", base);
        line_of(type, sizeof type, path);
        snprintf(path, sizeof path, "%s/size", base);
        line_of(size, sizeof size, path);
        snprintf(path, sizeof path, "%s/shared_cpu_list", base);
        line_of(shared, sizeof shared, path);
        psy__find_text(f, "processors", "cache", "L%s %s, %s, shared by processors %s", level, type, size, shared);
    }
}

/* Between every two of the first cores. */
static void find_distances(psy__findings *f)
{
    enum { CORES = 6 };
    const int n = psy__cores_count() < CORES ? psy__cores_count() : CORES;
    double nearest = 0;
    for (int a = 0; a < n; a++) {
        for (int b = a + 1; b < n; b++) {
            const double ns = psy__cores_distance_ns(a, b);
            nearest = nearest == 0 || (ns > 0 && ns < nearest) ? ns : nearest;
            psy__find_text(f, "processors", "distance", "processors %d and %d: %.0f ns there and back, %s",
                           psy__cores_number(a), psy__cores_number(b), ns, psy__cores_distance_name(ns));
        }
    }
    if (nearest > 0 && strcmp(psy__cores_distance_name(nearest), "far") == 0) {
        psy__advise(
            f, false,
            "the processors are far from each other: a message takes longer between them. Bind the service to processors "
            "that share a cache, with `taskset` or CPUAffinity=, where there are such");
    }
}

static void find_quota(psy__findings *f)
{
    char line[64];
    uint64_t quota, period;
    line_of(line, sizeof line, "/sys/fs/cgroup/cpu.max");
    if (sscanf(line, "%" SCNu64 " %" SCNu64, &quota, &period) == 2 && period > 0) {
        psy__find_text(f, "processors", "quota", "%.2f of a processor's time", (double)quota / (double)period);
        if (quota / period < 2) {
            psy__advise(f, false, "this container has less than the time of two processors: serve with --agents=one");
        }
    }
}

static void find_processors(psy__findings *f, bool quick)
{
    struct utsname system;
    char governor[32];
    const int count = psy__cores_count();
    if (uname(&system) == 0) {
        psy__find_text(f, "processors", "system", "%s %s, %s", system.sysname, system.release, system.machine);
    }
    if (count == 0) {
        psy__find_text(f, "processors", "allowed", "not known: %s", strerror(errno));
        return;
    }
    psy__find_number(f, "processors", "allowed", (uint64_t)count, "processors");
    psy__find_number(f, "processors", "cores", (uint64_t)psy__cores_own(), "cores");
    find_caches(f);
    find_quota(f);
    if (*line_of(governor, sizeof governor, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) {
        psy__find_text(f, "processors", "frequency", "%s", governor);
        if (strcmp(governor, "powersave") == 0) {
            psy__advise(f, false, "processors save power, and answer later: `cpupower frequency-set -g performance`");
        }
    }
    if (count < 2) {
        psy__advise(f, false, "there is one processor: serve with --agents=one, so that nobody waits for another to run");
    } else if (!quick) {
        find_distances(f);
    }
}

/* ---- memory ---- */

static uint64_t memory_of(const char *key)
{
    char line[128];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
            kib = strtoull(line + strlen(key) + 1, NULL, 10);
            break;
        }
    }
    if (f) {
        fclose(f);
    }
    return kib * 1024;
}

static void find_pools(psy__findings *f)
{
    static const char folder[] = "/sys/kernel/mm/hugepages";
    DIR *pools = opendir(folder);
    const struct dirent *e;
    while (pools && (e = readdir(pools)) != NULL) {
        char path[400];
        uint64_t kib;
        if (sscanf(e->d_name, "hugepages-%" SCNu64 "kB", &kib) != 1) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s/nr_hugepages", folder, e->d_name);
        const uint64_t all = number_of(path);
        snprintf(path, sizeof path, "%s/%s/free_hugepages", folder, e->d_name);
        psy__find_text(f, "memory", "huge pages in a pool", "%" PRIu64 " KiB each: %" PRIu64 ", %" PRIu64 " free", kib, all,
                       number_of(path));
    }
    if (pools) {
        closedir(pools);
    }
}

static void find_huge_pages(psy__findings *f)
{
    char line[128];
    line_of(line, sizeof line, "/sys/kernel/mm/transparent_hugepage/enabled");
    if (*line) {
        const char *mode = chosen(line);
        psy__find_text(f, "memory", "transparent huge pages", "%s", mode);
        if (strcmp(mode, "never") == 0) {
            psy__advise(
                f, false,
                "transparent huge pages are off: resident data lies in small pages, and large data is read more slowly. "
                "`echo madvise >/sys/kernel/mm/transparent_hugepage/enabled` turns them on for who asks for them");
        }
    }
    line_of(line, sizeof line, "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    if (*line) {
        psy__find_text(f, "memory", "the same, shared", "%s", chosen(line));
    }
    find_pools(f);
}

static void find_nodes(psy__findings *f)
{
    char online[64];
    line_of(online, sizeof online, "/sys/devices/system/node/has_memory");
    psy__find_text(f, "memory", "NUMA nodes", "%s", *online ? online : "one");
    if (strpbrk(online, "-,")) {
        psy__advise(f, false,
                    "memory is on several nodes: keep the processes of a service on one, with `numactl --cpunodebind=0 "
                    "--membind=0` or NUMAPolicy=bind");
    }
}

/* All slabs are such memory. */
static void find_seals(psy__findings *f)
{
    const int fd = memfd_create("psyne-check", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const bool sealed = fd >= 0 && ftruncate(fd, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0 &&
                        ftruncate(fd, 8192) != 0;
    psy__find_text(f, "memory", "sealed memory files", "%s", sealed ? "yes" : "no");
    if (!sealed) {
        psy__advise(f, true, "memfd_create with seals does not work here (%s): services share no memory without it",
                    strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void find_shm(psy__findings *f)
{
    struct statvfs s;
    if (statvfs("/dev/shm", &s) != 0) {
        psy__find_text(f, "memory", "/dev/shm", "%s", strerror(errno));
        psy__advise(f, false, "there is no /dev/shm: set PSYNE_COUNTERS to a folder in memory, or nothing can be counted");
        return;
    }
    psy__find_number(f, "memory", "/dev/shm", (uint64_t)s.f_blocks * s.f_frsize, "bytes");
    psy__find_number(f, "memory", "/dev/shm, free", (uint64_t)s.f_bavail * s.f_frsize, "bytes");
    if ((uint64_t)s.f_bavail * s.f_frsize < (UINT64_C(4) << 20)) {
        psy__advise(f, false, "/dev/shm is full: files of counters have no room there");
    }
}

static void find_memory(psy__findings *f)
{
    char line[64];
    psy__find_number(f, "memory", "all", memory_of("MemTotal"), "bytes");
    psy__find_number(f, "memory", "available", memory_of("MemAvailable"), "bytes");
    line_of(line, sizeof line, "/sys/fs/cgroup/memory.max");
    if (*line >= '0' && *line <= '9') {
        psy__find_number(f, "memory", "of the container", strtoull(line, NULL, 10), "bytes");
    }
    find_huge_pages(f);
    find_nodes(f);
    find_seals(f);
    find_shm(f);
}

/* ---- limits ---- */

static void find_limit(psy__findings *f, const char *key, int which, const char *unit, struct rlimit *limit)
{
    *limit = (struct rlimit){0};
    if (getrlimit((__rlimit_resource_t)which, limit) != 0) {
        psy__find_text(f, "limits", key, "%s", strerror(errno));
    } else if (limit->rlim_cur == RLIM_INFINITY) {
        psy__find_text(f, "limits", key, "none");
    } else {
        psy__find_number(f, "limits", key, limit->rlim_cur, unit);
    }
}

static void find_limits(psy__findings *f)
{
    enum { FILES_OF_64_CLIENTS = 1024 };
    struct rlimit limit;
    find_limit(f, "open files", RLIMIT_NOFILE, "files", &limit);
    if (limit.rlim_cur < FILES_OF_64_CLIENTS) {
        psy__advise(f, false,
                    "a process may open %" PRIu64 " files only, and a broker needs some for each client: `ulimit -n %d` or "
                    "LimitNOFILE=",
                    (uint64_t)limit.rlim_cur, FILES_OF_64_CLIENTS);
    }
    find_limit(f, "locked memory", RLIMIT_MEMLOCK, "bytes", &limit);
    find_limit(f, "processes", RLIMIT_NPROC, "processes", &limit);
    find_limit(f, "address space", RLIMIT_AS, "bytes", &limit);
    if (limit.rlim_cur != RLIM_INFINITY) {
        psy__advise(f, false,
                    "the address space is limited (ulimit -v): slabs are mapped by every process that has a part in them");
    }
    find_limit(f, "file size", RLIMIT_FSIZE, "bytes", &limit);
    if (limit.rlim_cur != RLIM_INFINITY) {
        psy__advise(f, false, "the size of files is limited (ulimit -f), and slabs are files in memory");
    }
}

void psy__find_machine(psy__findings *f, bool quick)
{
    find_processors(f, quick);
    find_memory(f);
    find_limits(f);
}
