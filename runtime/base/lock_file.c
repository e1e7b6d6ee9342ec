/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failure.h"

enum { TRIES = 64 };

psy_status psy__lock_file_take(const char *path, bool make, int *lock)
{
    for (int tries = 0; tries < TRIES; tries++) {
        struct stat locked, found;
        int fd = open(path, O_RDWR | (make ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
        if (fd < 0) {
            return errno == ENOENT && !make ? PSY_NOT_FOUND : psy__system_failure(path, "cannot open the lock file", errno);
        }
        if (fstat(fd, &locked) != 0 || !S_ISREG(locked.st_mode)) {
            close(fd);
            return psy_fail(PSY_INVALID, "%s is no lock file: it is no plain file", path);
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int error = errno;
            close(fd);
            if (error == EINTR) {
                continue;
            }
            return error == EWOULDBLOCK ? PSY_FULL : psy__system_failure(path, "flock", error);
        }
        if (lstat(path, &found) == 0 && locked.st_ino == found.st_ino && locked.st_dev == found.st_dev) {
            *lock = fd;
            return PSY_OK;
        }
        close(fd); /* its last holder has removed it meanwhile: this is not what others will find, and must not be removed */
    }
    return PSY_FULL; /* others come and go without end */
}

/* A second lock on the same file, of the other kind, which has nothing to do with the first: who clears away the remains of a
 * dead one holds the first alone. */
static struct flock settled_lock(void) { return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1}; }

psy_status psy__lock_file_settle(const char *path, int lock)
{
    struct flock l = settled_lock();
    return fcntl(lock, F_OFD_SETLK, &l) == 0 ? PSY_OK : psy__system_failure(path, "F_OFD_SETLK", errno);
}

bool psy__lock_file_settled(const char *path)
{
    struct flock l = settled_lock();
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    bool settled = fd >= 0 && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
    if (fd >= 0) {
        close(fd);
    }
    return settled;
}

void psy__lock_file_remove(const char *path, int lock)
{
    (void)unlink(path);
    close(lock);
}
