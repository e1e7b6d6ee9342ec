/* SPDX-License-Identifier: Apache-2.0 */
/* Between processes: a Unix socket at a path. A lock file beside it says whether its server lives, so that the socket of a dead
 * one is replaced and that of a living one never. */
#define _GNU_SOURCE
#include "transport/ipc.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/lock_file.h"
#include "transport/local_link.h"

enum { PATH_BYTES = sizeof((struct sockaddr_un *)0)->sun_path, LOCK_PATH_BYTES = PATH_BYTES + sizeof PSY__IPC_LOCK_SUFFIX };

/* How long a server waits for somebody who holds its lock and does not answer: another that is about to serve, or that clears
 * away what a dead one left. Both take less than a millisecond. */
static const uint64_t lock_wait_ns = 1000000000;

typedef struct ipc_listener {
    psy__listener base;
    int lock;
    pid_t owner;
    ino_t inode;
    char path[PATH_BYTES], lock_path[LOCK_PATH_BYTES];
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
    char what[PATH_BYTES + 8];
    snprintf(what, sizeof what, "ipc://%s", path);
    return psy__system_failure(what, call, error);
}

static void lock_path_of(const char *path, char to[LOCK_PATH_BYTES])
{
    snprintf(to, LOCK_PATH_BYTES, "%s" PSY__IPC_LOCK_SUFFIX, path);
}

typedef enum what_is_there { NOTHING, DEAD_SOCKET, ANSWERS, NO_SOCKET, UNKNOWN } what_is_there;

static what_is_there look_at(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0) {
        return errno == ENOENT ? NOTHING : UNKNOWN;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return NO_SOCKET;
    }
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return UNKNOWN;
    }
    int error = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    close(probe);
    return error == ECONNREFUSED ? DEAD_SOCKET : error == ENOENT ? NOTHING : ANSWERS;
}

/* For who holds the lock: what lies at the path is removed only if it is a socket that nobody listens on any more, whoever made
 * it. */
static psy_status clear_path(const struct sockaddr_un *address)
{
    const char *path = address->sun_path;
    switch (look_at(address)) {
    case NOTHING: return PSY_OK;
    case DEAD_SOCKET:
        return unlink(path) == 0 || errno == ENOENT ? PSY_OK : system_failure(path, "cannot remove the old socket");
    case ANSWERS: return psy_fail(PSY_IO, "ipc://%s: in use: another program listens there", path);
    case NO_SOCKET: return psy_fail(PSY_IO, "ipc://%s: there is a file of that name which is no socket", path);
    case UNKNOWN: break;
    }
    return system_failure(path, "cannot see what is there");
}

static psy_status take_lock(ipc_listener *l)
{
    uint64_t deadline = psy__add_ns(psy__now_ns(), lock_wait_ns);
    for (;;) {
        psy_status status = psy__lock_file_take(l->lock_path, true, &l->lock);
        if (status != PSY_FULL) {
            /* Of a directory that is not there, or closed to us, one rather hears by the address. */
            return status == PSY_OK ? PSY_OK : psy_fail(status, "ipc://%s", psy_detail());
        }
        if (psy__lock_file_settled(l->lock_path)) { /* connecting instead would disturb it */
            return psy_fail(PSY_IO, "ipc://%s: in use: another process serves it", l->path);
        }
        if (psy__now_ns() >= deadline) {
            return psy_fail(PSY_IO, "ipc://%s: in use: another process holds %s and does not answer", l->path, l->lock_path);
        }
        struct timespec t = {0, 1000000};
        nanosleep(&t, NULL);
    }
}

static psy_status serve(ipc_listener *l, const struct sockaddr_un *address)
{
    psy_status status = take_lock(l);
    if (status == PSY_OK) {
        status = clear_path(address);
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
        status = system_failure(l->path, "lstat");
        (void)unlink(l->path); /* made under our lock, so it is ours */
        return status;
    }
    l->inode = st.st_ino;
    if (chmod(l->path, 0600) != 0) { /* nobody can connect before listen */
        return system_failure(l->path, "chmod");
    }
    if (listen(l->base.fd, 64) != 0) {
        return system_failure(l->path, "listen");
    }
    return psy__lock_file_settle(l->lock_path, l->lock);
}

psy_status psy__ipc_clean(const char *path)
{
    struct sockaddr_un address;
    char lock_path[LOCK_PATH_BYTES];
    int lock;
    psy_status status = address_of(path, &address);
    if (status != PSY_OK) {
        return status;
    }
    lock_path_of(path, lock_path);
    status = psy__lock_file_take(lock_path, false, &lock);
    if (status != PSY_OK) {
        return status;
    }
    /* Its server is dead, and no other starts while the lock is ours. What lies at the path now may be somebody else's. */
    what_is_there what = look_at(&address);
    if (what == UNKNOWN || (what == DEAD_SOCKET && unlink(path) != 0 && errno != ENOENT)) {
        status = system_failure(path, "cannot remove the old socket");
        close(lock);
        return status;
    }
    psy__lock_file_remove(lock_path, lock);
    return PSY_OK;
}

static void ipc_unbind(psy__listener *base)
{
    ipc_listener *l = (ipc_listener *)base;
    struct stat st;
    bool owner = l->owner == getpid(); /* what a forked child inherited is its parent's */
    if (owner && l->inode && lstat(l->path, &st) == 0 && st.st_ino == l->inode) {
        (void)unlink(l->path);
    }
    if (l->base.fd >= 0) {
        close(l->base.fd);
    }
    if (l->lock >= 0 && owner) {
        psy__lock_file_remove(l->lock_path, l->lock);
    } else if (l->lock >= 0) {
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
    l->owner = getpid();
    memcpy(l->path, address.sun_path, sizeof l->path);
    lock_path_of(l->path, l->lock_path);
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
        status = errno == ENOENT || errno == ECONNREFUSED ? psy_fail(PSY_UNREACHABLE, "nobody serves ipc://%s", path)
                 : errno == EAGAIN                        ? psy_fail(PSY_FULL, "ipc://%s: too many wait for its server", path)
                                                          : system_failure(path, "connect");
        close(fd);
        return status;
    }
    return psy__local_link(&psy__transport_ipc, fd, out);
}

/* The path is still ours: the lock says so. */
static psy_status ipc_admit(psy__listener *listener, unsigned mode, unsigned gid)
{
    const ipc_listener *l = (const ipc_listener *)listener;
    if (gid != UINT_MAX && lchown(l->path, (uid_t)-1, gid) != 0) {
        return system_failure(l->path, "chown");
    }
    return chmod(l->path, mode) == 0 ? PSY_OK : system_failure(l->path, "chmod");
}

const psy__transport psy__transport_ipc = {.scheme = "ipc",
                                           .bind = ipc_bind,
                                           .accept = ipc_accept,
                                           .connect = ipc_connect,
                                           .unbind = ipc_unbind,
                                           .send = psy__local_send,
                                           .poll = psy__local_poll,
                                           .peer = psy__local_peer,
                                           .in_group = psy__local_in_group,
                                           .admit = ipc_admit,
                                           .put = psy__local_put,
                                           .publish = psy__local_publish,
                                           .close = psy__local_close};
