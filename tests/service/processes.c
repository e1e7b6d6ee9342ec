/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/processes.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/test.h"

holdings holdings_of(long pid)
{
    char path[64], line[512];
    holdings h = {0, 0};
    snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    DIR *d = opendir(path);
    cr_assert_not_null(d, "%s", path);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        h.files += e->d_name[0] != '.';
    }
    closedir(d);
    snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    FILE *maps = fopen(path, "r");
    cr_assert_not_null(maps, "%s", path);
    while (fgets(line, sizeof line, maps)) {
        h.mappings += strstr(line, "memfd:psyne") != NULL;
    }
    fclose(maps);
    return h;
}

holdings holdings_now(void) { return holdings_of(getpid()); }

void nothing_leaked(long pid, holdings before)
{
    holdings now = {0, 0};
    for (int tries = 0; tries < 300; tries++) {
        now = holdings_of(pid);
        if (now.files == before.files && now.mappings == before.mappings) {
            return;
        }
        usleep(10000);
    }
    cr_assert_fail("%u descriptors and %u slabs before, %u and %u now", before.files, before.mappings, now.files, now.mappings);
}

pid_t start_process(void)
{
    pid_t parent = getpid(), pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
    }
    return pid;
}
