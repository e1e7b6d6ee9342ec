/* SPDX-License-Identifier: Apache-2.0 */
/* What this process has open and mapped, for tests that nothing is left. */
#ifndef PSY_TESTS_OPENED_H
#define PSY_TESTS_OPENED_H

#include <dirent.h>

#include "tests/test.h"

static inline unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    cr_assert_not_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

/* Mappings whose line has `of` in it ("": all). */
static inline unsigned mappings(const char *of)
{
    unsigned n = 0;
    char line[1024];
    FILE *f = fopen("/proc/self/maps", "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        n += strstr(line, of) != NULL;
    }
    fclose(f);
    return n;
}

#endif
