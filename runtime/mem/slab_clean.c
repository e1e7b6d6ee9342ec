/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/slab_server.h>

#include "base/failure.h"
#include "transport/ipc.h"

/* The name of the socket whose lock file `name` is, by its length; 0: it is none's. */
static size_t socket_name_bytes(const char *name)
{
    size_t n = strlen(name), suffix = strlen(PSY__IPC_LOCK_SUFFIX);
    return n > suffix && strcmp(name + n - suffix, PSY__IPC_LOCK_SUFFIX) == 0 ? n - suffix : 0;
}

static void count(psy_slab_clean_report *r, psy_status status, char kept_because[512])
{
    switch (status) {
    case PSY_OK: r->cleaned++; break;
    case PSY_FULL: r->living++; break;
    case PSY_NOT_FOUND: break; /* it ended, or another was quicker */
    default:
        if (r->kept++ == 0) {
            r->why = status;
            snprintf(kept_because, 512, "%s", psy_detail());
        }
    }
}

psy_status psy_slab_clean(const char *directory, psy_slab_clean_report *out)
{
    char kept_because[512] = "", path[4096];
    if (!directory || !out) {
        return psy_fail(PSY_INVALID, "psy_slab_clean: a null argument");
    }
    /* Addresses are absolute, and may not be longer than a server could have bound. */
    char *root = realpath(directory, NULL);
    DIR *d = root ? opendir(root) : NULL;
    if (!d) {
        int error = errno;
        free(root);
        return error == ENOENT ? psy_fail(PSY_NOT_FOUND, "there is no directory %s", directory)
                               : psy__system_failure(directory, "open", error);
    }
    psy_slab_clean_report r = {.why = PSY_OK};
    const char *slash = root[strlen(root) - 1] == '/' ? "" : "/";
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t n = socket_name_bytes(e->d_name);
        if (n == 0) {
            continue;
        }
        int length = snprintf(path, sizeof path, "%s%s%.*s", root, slash, (int)n, e->d_name);
        count(&r,
              length > 0 && (size_t)length < sizeof path
                  ? psy__ipc_clean(path)
                  : psy_fail(PSY_TOO_LARGE, "%s/%s: the path is too long", root, e->d_name),
              kept_because);
    }
    closedir(d);
    free(root);
    if (r.kept != 0) {
        (void)psy_fail(r.why, "%s", kept_because);
    }
    *out = r;
    return PSY_OK;
}
