/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mem/counters_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <psyne/utf8.h>

#include "base/failure.h"

psy_status psy__counters_failure(const char *call, const char *name)
{
    const int error = errno;
    const psy_status status = psy__system_failure(name, call, error);
    switch (error) {
    case ENOENT:
    case ENOTDIR: return PSY_NOT_FOUND;
    case EROFS: return PSY_DENIED;
    case EDQUOT: return PSY_NO_MEMORY;
    case EFBIG: return PSY_LIMIT;
    default: return status;
    }
}

/* ---- who lives ---- */

int psy__counters_lock(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &all) == 0) {
        return 1;
    }
    return errno == EAGAIN || errno == EACCES ? 0 : -1;
}

bool psy__counters_alive(int fd)
{
    /* Asking as a reader: the locks of other readers, which anybody may take, say nothing. */
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &all) != 0 || all.l_type != F_UNLCK;
}

/* ---- names ---- */

static const char new_suffix[] = ".new";

void psy__counters_new_name(char *to, size_t bytes, const char *name, uint64_t random)
{
    snprintf(to, bytes, ".%s.%016" PRIx64 "%s", name, random, new_suffix);
}

static bool ends_in(const char *name, const char *suffix)
{
    const size_t n = strlen(name), s = strlen(suffix);
    return n > s && strcmp(name + n - s, suffix) == 0;
}

/* ".NAME.counters.0123456789abcdef.new" */
static bool is_new_name(const char *name)
{
    const size_t n = strlen(name), tail = 1 + 16 + sizeof new_suffix - 1, s = sizeof PSY_COUNTERS_SUFFIX - 1;
    return name[0] == '.' && n > 1 + s + tail && ends_in(name, new_suffix) && name[n - tail] == '.' &&
           strspn(name + n - tail + 1, "0123456789abcdef") == 16 && memcmp(name + n - tail - s, PSY_COUNTERS_SUFFIX, s) == 0;
}

/* With the file open. */
static psy__counters_burial bury(int folder, const char *name, int fd, bool *was)
{
    struct stat opened, named;
    uint32_t magic = 0;
    /* What is being made has no bytes yet. */
    if (!is_new_name(name) && (pread(fd, &magic, sizeof magic, 0) != (ssize_t)sizeof magic || magic != PSY_COUNTERS_MAGIC)) {
        return PSY_COUNTERS_FOREIGN;
    }
    const int locked = psy__counters_lock(fd);
    if (locked <= 0) {
        return locked == 0 ? PSY_COUNTERS_LIVES : PSY_COUNTERS_FAILED;
    }
    if (fstat(fd, &opened) != 0) {
        return PSY_COUNTERS_FAILED;
    }
    if (fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? PSY_COUNTERS_BURIED : PSY_COUNTERS_FAILED;
    }
    if (opened.st_dev != named.st_dev || opened.st_ino != named.st_ino) {
        return PSY_COUNTERS_BURIED; /* by another; whose name it is now is found when it is wanted */
    }
    if (unlinkat(folder, name, 0) == 0) {
        if (was) {
            *was = true;
        }
        return PSY_COUNTERS_BURIED;
    }
    /* A process that finds its new file locked takes the name away itself, and tries another. */
    return errno == ENOENT ? PSY_COUNTERS_BURIED : PSY_COUNTERS_FAILED;
}

psy__counters_burial psy__counters_bury(int folder, const char *name, bool *was)
{
    struct stat st;
    if (was) {
        *was = false;
    }
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? PSY_COUNTERS_BURIED : PSY_COUNTERS_FAILED;
    }
    if (!S_ISREG(st.st_mode)) {
        return PSY_COUNTERS_FOREIGN;
    }
    const int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? PSY_COUNTERS_BURIED : errno == ELOOP ? PSY_COUNTERS_FOREIGN : PSY_COUNTERS_FAILED;
    }
    const psy__counters_burial what = bury(folder, name, fd, was);
    const int error = errno;
    close(fd);
    errno = error;
    return what;
}

/* ---- folders ---- */

/* Whether its name is the user's own choice. */
static bool is_chosen(const char **path)
{
    *path = secure_getenv("PSYNE_COUNTERS");
    return *path && **path;
}

psy_status psy_counters_directory(char *path, size_t bytes)
{
    const char *chosen;
    if (!path || bytes == 0) {
        return psy_fail(PSY_INVALID, "psy_counters_directory: no room");
    }
    const int n = is_chosen(&chosen) ? snprintf(path, bytes, "%s", chosen)
                                     : snprintf(path, bytes, "/dev/shm/psyne-%lu", (unsigned long)geteuid());
    if (n < 0 || (size_t)n >= bytes) {
        return psy_fail(PSY_TOO_LARGE, "the name of the folder of counters has %d bytes, and there is room for %zu", n,
                        bytes - 1);
    }
    return PSY_OK;
}

psy_status psy__counters_folder_make(const char *path)
{
    const char *chosen;
    struct stat st;
    const bool own = !is_chosen(&chosen);
    if (mkdir(path, 0755) == 0) {
        if (chmod(path, 0755) != 0) { /* whatever the umask is: others may read */
            return psy__counters_failure("chmod", path);
        }
    } else if (errno != EEXIST) {
        return psy__counters_failure("mkdir", path);
    }
    /* In /dev/shm anybody may have made it, or what looks like it. */
    if ((own ? lstat(path, &st) : stat(path, &st)) != 0) {
        return psy__counters_failure("stat", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return psy_fail(PSY_DENIED, "%s is no folder", path);
    }
    if (st.st_uid != geteuid() && (own || st.st_uid != 0)) {
        return psy_fail(PSY_DENIED, "%s belongs to user %lu, and not to %lu", path, (unsigned long)st.st_uid,
                        (unsigned long)geteuid());
    }
    if ((st.st_mode & 022) != 0 && (own || (st.st_mode & S_ISVTX) == 0)) {
        return psy_fail(PSY_DENIED, "%s is open to others (mode %03o): they could cut off what is mapped", path,
                        (unsigned)(st.st_mode & 0777));
    }
    return PSY_OK;
}

psy_status psy_counters_clean(const char *directory, uint32_t *removed)
{
    char path[4096];
    if (removed) {
        *removed = 0;
    }
    if (!directory) {
        const psy_status status = psy_counters_directory(path, sizeof path);
        if (status != PSY_OK) {
            return status;
        }
        directory = path;
    }
    DIR *folder = opendir(directory);
    if (!folder) {
        return psy__counters_failure("opendir", directory);
    }
    psy_status status = PSY_OK;
    struct dirent *e;
    while ((errno = 0, e = readdir(folder)) != NULL) {
        bool was;
        if (!ends_in(e->d_name, PSY_COUNTERS_SUFFIX) && !is_new_name(e->d_name)) {
            continue;
        }
        if (psy__counters_bury(dirfd(folder), e->d_name, &was) == PSY_COUNTERS_FAILED && status == PSY_OK) {
            status = psy__counters_failure("a file of a dead process", e->d_name);
        }
        if (removed) {
            *removed += was;
        }
    }
    if (errno != 0 && status == PSY_OK) {
        status = psy__counters_failure("readdir", directory);
    }
    closedir(folder);
    return status;
}

/* ---- texts ---- */

void psy__counters_text(char *to, size_t room, const char *from, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)from;
    size_t used = 0;
    for (size_t i = 0; i < bytes && at[i];) {
        size_t n = psy_utf8_character(at + i, bytes - i);
        /* C0, DEL, and C1, which in UTF-8 is c2 80 to c2 9f. */
        const bool shown = n > 0 && at[i] >= 0x20 && at[i] != 0x7f && !(n == 2 && at[i] == 0xc2 && at[i + 1] < 0xa0);
        if (used + (shown ? n : 1) >= room) {
            break;
        }
        if (shown) {
            memcpy(to + used, at + i, n);
            used += n;
        } else {
            to[used++] = '?';
        }
        i += n > 0 ? n : 1;
    }
    memset(to + used, 0, room - used);
}
