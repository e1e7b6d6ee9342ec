/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot's folder. The order of its operations is what makes it safe: every file, and the folders that name it, are on the
 * disk before the list is; the list takes its name in one step; only then do older files go. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/siphash.h"
#include "isa/npy_header.h"
#include "service/snapshot.h"

static const char list_name[] = "snapshot", new_list_name[] = "snapshot.new";
static const uint64_t chunk_bytes = UINT64_C(1) << 20, zero_key[2] = {0, 0};

int (*psy__snapshot_fault)(const char *operation, const char *name);

/* ---- single operations ---- */

static psy_status failure(const char *name, const char *call, int error)
{
    if (error == ENOSPC || error == EDQUOT || error == ENOENT) {
        return psy_fail(error == ENOENT ? PSY_NOT_FOUND : PSY_IO, "%s: %s: %s", name, call, strerror(error));
    }
    return psy__system_failure(name, call, error);
}

/* Whether the operation is to be made; else errno says why not. */
static bool may(const char *operation, const char *name)
{
    errno = psy__snapshot_fault ? psy__snapshot_fault(operation, name) : 0;
    return errno == 0;
}

static psy_status write_all(int fd, const char *name, const void *bytes, uint64_t n)
{
    const uint8_t *from = bytes;
    while (n > 0) {
        const ssize_t put = may("write", name) ? write(fd, from, n) : -1;
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return failure(name, "write", put < 0 ? errno : ENOSPC);
        }
        from += put;
        n -= (uint64_t)put;
    }
    return PSY_OK;
}

static psy_status sync_it(int fd, const char *name)
{
    return may("fsync", name) && fsync(fd) == 0 ? PSY_OK : failure(name, "fsync", errno);
}

static int create(int folder, const char *name)
{
    return may("create", name) ? openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
}

static bool remove_it(int folder, const char *name, int flags)
{
    return may("remove", name) && unlinkat(folder, name, flags) == 0;
}

/* ---- folders ---- */

psy_status psy__snapshot_open_folder(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0 ? PSY_OK : failure(path, "open", errno);
}

static bool is_ours(const char *name)
{
    return strncmp(name, "data-", 5) == 0 && strlen(name) == 21 && strspn(name + 5, "0123456789abcdef") == 16;
}

/* Calls for the names in a folder. */
static void each_name(int folder, void (*call)(int folder, const char *name, const void *context), const void *context)
{
    const int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        call(folder, entry->d_name, context);
    }
    closedir(dir);
}

static void remove_file(int folder, const char *name, const void *context)
{
    (void)context;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        (void)remove_it(folder, name, 0);
    }
}

void psy__snapshot_discard(int folder, const char *name)
{
    const int fd = is_ours(name) ? openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd >= 0) {
        each_name(fd, remove_file, NULL);
        close(fd);
        (void)remove_it(folder, name, AT_REMOVEDIR);
    }
}

/* What is neither of the snapshot that there is, nor somebody else's. */
static void remove_other(int folder, const char *name, const void *present)
{
    if (is_ours(name) && strcmp(name, present) != 0) {
        psy__snapshot_discard(folder, name);
    }
}

/* ---- the list ---- */

static psy_status read_list(int fd, char **text, uint64_t *bytes)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return failure(list_name, "fstat", errno);
    }
    if (!S_ISREG(st.st_mode) || st.st_size > PSY_SNAPSHOT_LIST_MAX) {
        return psy_fail(PSY_CORRUPT, "%s: it is no plain file, or has more than %d bytes", list_name, PSY_SNAPSHOT_LIST_MAX);
    }
    const size_t size = (size_t)st.st_size;
    *text = malloc(size + 1);
    if (!*text) {
        return psy_fail(PSY_NO_MEMORY, "%s: no memory for %zu bytes", list_name, size);
    }
    for (*bytes = 0; *bytes < size;) {
        const ssize_t got = read(fd, *text + *bytes, size - *bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? failure(list_name, "read", errno)
                           : psy_fail(PSY_CORRUPT, "%s: it got shorter while it was read", list_name);
        }
        *bytes += (uint64_t)got;
    }
    return PSY_OK;
}

psy_status psy__snapshot_read(int folder, psy__snapshot *out)
{
    char *text = NULL;
    uint64_t bytes = 0;
    const int fd = openat(folder, list_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    psy_status status = PSY_OK;
    if (fd < 0) {
        status = errno == ELOOP ? psy_fail(PSY_CORRUPT, "%s: it is a link", list_name) : failure(list_name, "open", errno);
    }
    status = status == PSY_OK ? read_list(fd, &text, &bytes) : status;
    if (status == PSY_OK) {
        status = psy__snapshot_parse(text, bytes, out);
        if (status != PSY_OK) {
            char why[400];
            snprintf(why, sizeof why, "%s", psy_detail());
            status = psy_fail(status, "%s: %s", list_name, why);
        }
    }
    free(text);
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

/* ---- making one ---- */

psy_status psy__snapshot_prepare(int folder, char name[PSY_SNAPSHOT_FOLDER_BYTES], int *fd)
{
    psy__snapshot present;
    struct stat st;
    uint64_t number;
    if (flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return psy_fail(PSY_LIMIT, "another service is writing a snapshot into the same folder");
    }
    const psy_status status = psy__snapshot_read(folder, &present);
    if (status == PSY_OK || status == PSY_NOT_FOUND) { /* else nobody knows what of it is worth keeping */
        each_name(folder, remove_other, status == PSY_OK ? present.folder : "");
    }
    if (fstatat(folder, new_list_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        (void)remove_it(folder, new_list_name, 0);
    }
    if (status == PSY_OK) {
        psy__snapshot_fini(&present);
    }
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return failure("snapshot", "getrandom", errno);
    }
    snprintf(name, PSY_SNAPSHOT_FOLDER_BYTES, "data-%016" PRIx64, number);
    if (!may("mkdir", name) || mkdirat(folder, name, 0700) != 0) {
        return failure(name, "mkdir", errno);
    }
    *fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *fd >= 0 ? PSY_OK : failure(name, "open", errno);
}

static psy_status write_rows(int fd, const char *name, const uint8_t *from, uint64_t bytes, const _Atomic bool *stop,
                             psy__siphash_state *sum)
{
    psy_status status = PSY_OK;
    for (uint64_t n; status == PSY_OK && bytes > 0; from += n, bytes -= n) {
        n = bytes < chunk_bytes ? bytes : chunk_bytes;
        if (atomic_load_explicit(stop, memory_order_relaxed)) {
            return psy_fail(PSY_CANCELLED, "%s: told to stop", name);
        }
        psy__siphash_update(sum, from, n);
        status = write_all(fd, name, from, n);
    }
    return status;
}

psy_status psy__snapshot_write(int folder, const char *name, psy_dtype dtype, uint32_t rank, const uint64_t *dims,
                               const void *data, const _Atomic bool *stop, psy__snapshot_file *out)
{
    char header[PSY_NPY_WRITTEN_MAX];
    uint64_t bytes;
    psy__siphash_state sum;
    if (!psy__npy_size(dims, rank, psy__dtype_bytes(dtype), &bytes)) {
        return psy_fail(PSY_TOO_LARGE, "%s: its size overflows", name);
    }
    const uint32_t n = psy__npy_header_write(header, dtype, rank, dims);
    const int fd = create(folder, name);
    if (fd < 0) {
        return failure(name, "create", errno);
    }
    psy__siphash_init(&sum, zero_key);
    psy__siphash_update(&sum, header, n);
    psy_status status = write_all(fd, name, header, n);
    status = status == PSY_OK ? write_rows(fd, name, data, bytes, stop, &sum) : status;
    status = status == PSY_OK ? sync_it(fd, name) : status;
    close(fd);
    *out = (psy__snapshot_file){n + bytes, psy__siphash_final(&sum)};
    return status;
}

psy_status psy__snapshot_settle(int fd) { return sync_it(fd, "data"); }

static psy_status write_list(int folder, const char *text, uint64_t bytes)
{
    const int fd = create(folder, new_list_name);
    psy_status status = fd < 0 ? failure(new_list_name, "create", errno) : write_all(fd, new_list_name, text, bytes);
    status = status == PSY_OK ? sync_it(fd, new_list_name) : status;
    if (fd >= 0) {
        close(fd);
    }
    if (status == PSY_OK && (!may("rename", list_name) || renameat(folder, new_list_name, folder, list_name) != 0)) {
        status = failure(list_name, "rename", errno);
    }
    return status;
}

psy_status psy__snapshot_commit(int folder, const psy__snapshot *s)
{
    char *text = NULL;
    uint64_t bytes = 0;
    psy_status status = psy__snapshot_check(s);
    status = status == PSY_OK ? sync_it(folder, "folder") : status; /* it has the name of the files' folder */
    status = status == PSY_OK ? psy__snapshot_print(s, &text, &bytes) : status;
    status = status == PSY_OK ? write_list(folder, text, bytes) : status;
    free(text);
    if (status != PSY_OK) {
        char why[400];
        snprintf(why, sizeof why, "%s", psy_detail());
        psy__snapshot_discard(folder, s->folder);
        (void)remove_it(folder, new_list_name, 0);
        return psy_fail(status, "%s", why);
    }
    status = sync_it(folder, "folder");
    if (status == PSY_OK) { /* else a crash may leave either: both stay */
        each_name(folder, remove_other, s->folder);
    }
    return status;
}
