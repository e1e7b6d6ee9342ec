/* SPDX-License-Identifier: Apache-2.0 */
/* Between processes: a Unix socket at a path. A lock file beside it (PATH.lock, held with flock) says whether its server lives,
 * so that the socket of a dead one is replaced and that of a living one never. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "transport/local_link.h"

enum { LOCK_TRIES = 16 };

typedef struct ipc_listener {
    psy__listener base;
    int lock;
    ino_t inode;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    char lock_path[sizeof((struct sockaddr_un *)0)->sun_path + 8];
} ipc_listener;

static psy_status address_of(const char *path, struct sockaddr_un *to)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] != '/') {
        return psy_fail(PSY_INVALID, "ipc://%s: the path must be absolute: ipc:///path/to/socket", path);
    }
    if (strlen(path) >= sizeof to->sun_path) {
        return psy_fail(PSY_TOO_LARGE, "ipc://%s: the path is longer than %zu bytes", path, sizeof to->sun_path - 1);
    }
    memcpy(to->sun_path, path, strlen(path) + 1);
    return PSY_OK;
}

static psy_status system_failure(const char *path, const char *call)
{
    int error = errno;
    return psy_fail(error == EACCES || error == EPERM ? PSY_DENIED : PSY_IO, "ipc://%s: %s: %s", path, call, strerror(error));
}

/* Takes the lock of the address. Its last holder removes the file, so what was locked may not be what others will find. */
static psy_status take_lock(ipc_listener *l)
{
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        struct stat locked, found;
        l->lock = open(l->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (l->lock < 0) {
            return system_failure(l->path, "cannot make the lock file");
        }
        bool taken = flock(l->lock, LOCK_EX | LOCK_NB) == 0;
        if (taken && fstat(l->lock, &locked) == 0 && lstat(l->lock_path, &found) == 0 && locked.st_ino == found.st_ino &&
            locked.st_dev == found.st_dev) {
            return PSY_OK;
        }
        close(l->lock);
        l->lock = -1; /* not ours: must not be removed */
        if (!taken) {
            break;
        }
    }
    return psy_fail(PSY_IO, "ipc://%s: in use: another broker serves it", l->path);
}

/* What lies at the path is removed only if it is a socket that nobody listens on any more, whoever made it. */
static psy_status clear_path(ipc_listener *l, const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(l->path, &st) != 0) {
        return PSY_OK;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return psy_fail(PSY_IO, "ipc://%s: there is a file of that name which is no socket", l->path);
    }
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return system_failure(l->path, "socket");
    }
    int error = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    close(probe);
    if (error != ECONNREFUSED && error != ENOENT) {
        return psy_fail(PSY_IO, "ipc://%s: in use: another program listens there", l->path);
    }
    return unlink(l->path) == 0 || errno == ENOENT ? PSY_OK : system_failure(l->path, "cannot remove the old socket");
}

static psy_status serve(ipc_listener *l, const struct sockaddr_un *address)
{
    psy_status status = take_lock(l);
    if (status == PSY_OK) {
        status = clear_path(l, address);
    }
    if (status != PSY_OK) {
        return status;
    }
    struct stat st;
    l->base.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->base.fd < 0) {
        return system_failure(l->path, "socket");
    }
    if (bind(l->base.fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        return system_failure(l->path, "bind");
    }
    if (lstat(l->path, &st) != 0) {
        return system_failure(l->path, "lstat");
    }
    l->inode = st.st_ino;
    if (chmod(l->path, 0600) != 0) { /* nobody can connect before listen */
        return system_failure(l->path, "chmod");
    }
    return listen(l->base.fd, 64) == 0 ? PSY_OK : system_failure(l->path, "listen");
}

static void ipc_unbind(psy__listener *base)
{
    ipc_listener *l = (ipc_listener *)base;
    struct stat st;
    if (l->inode && lstat(l->path, &st) == 0 && st.st_ino == l->inode) {
        (void)unlink(l->path);
    }
    if (l->base.fd >= 0) {
        close(l->base.fd);
    }
    if (l->lock >= 0) {
        (void)unlink(l->lock_path);
        close(l->lock);
    }
    free(l);
}

static psy_status ipc_bind(const char *path, psy__listener **out)
{
    struct sockaddr_un address;
    psy_status status = address_of(path, &address);
    if (status != PSY_OK) {
        return status;
    }
    ipc_listener *l = calloc(1, sizeof *l);
    if (!l) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a listener");
    }
    l->base = (psy__listener){&psy__transport_ipc, -1};
    l->lock = -1;
    memcpy(l->path, address.sun_path, sizeof l->path);
    snprintf(l->lock_path, sizeof l->lock_path, "%s.lock", l->path);
    status = serve(l, &address);
    if (status != PSY_OK) {
        ipc_unbind(&l->base);
        return status;
    }
    *out = &l->base;
    return PSY_OK;
}

static psy_status ipc_accept(psy__listener *listener, psy__link **out)
{
    int fd;
    do {
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK
                   ? PSY_EMPTY
                   : psy_fail(errno == EMFILE || errno == ENFILE ? PSY_LIMIT : PSY_IO, "accept: %s", strerror(errno));
    }
    return psy__local_link(&psy__transport_ipc, fd, out);
}

static psy_status ipc_connect(const char *path, psy__link **out)
{
    struct sockaddr_un address;
    psy_status status = address_of(path, &address);
    if (status != PSY_OK) {
        return status;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return system_failure(path, "socket");
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        status = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN
                     ? psy_fail(PSY_UNREACHABLE, "nobody serves ipc://%s", path)
                     : system_failure(path, "connect");
        close(fd);
        return status;
    }
    return psy__local_link(&psy__transport_ipc, fd, out);
}

const psy__transport psy__transport_ipc = {"ipc",          ipc_bind,           ipc_accept,      ipc_connect,
                                           ipc_unbind,     psy__local_send,    psy__local_poll, psy__local_peer,
                                           psy__local_put, psy__local_publish, psy__local_close};
