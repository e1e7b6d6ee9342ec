/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "transport/local_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { GROUPS_MAX = 1024 }; /* of a peer; who has more is known by the first one only */

psy_status psy__local_link(const psy__transport *transport, int fd, psy__link **out)
{
    psy__link *link = malloc(sizeof *link);
    if (!link) {
        close(fd);
        return psy_fail(PSY_NO_MEMORY, "no memory for a link");
    }
    *link = (psy__link){.transport = transport, .fd = fd};
    *out = link;
    return PSY_OK;
}

psy_status psy__local_send(psy__link *link, const psy__control *m)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * PSY_CONTROL_FDS_MAX)];
    } ancillary;
    struct iovec io = {(void *)(uintptr_t)m->data, m->bytes};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
    if (m->fd_count) {
        memset(&ancillary, 0, sizeof ancillary);
        message.msg_control = ancillary.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * m->fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * m->fd_count);
        memcpy(CMSG_DATA(header), m->fds, sizeof(int) * m->fd_count);
    }
    for (;;) {
        if (sendmsg(link->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
            return PSY_OK;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) {
            return PSY_FULL;
        }
        return errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED || errno == ENOTCONN
                   ? psy_fail(PSY_PEER_DIED, "the peer closed the connection")
                   : psy_fail(PSY_IO, "sendmsg: %s", strerror(errno));
    }
}

/* Collects the descriptors that came with a message. False: more than there is room for, or some were lost; all are closed. */
static int take_fds(struct msghdr *message, psy__control *out)
{
    int ok = !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (out->fd_count < PSY_CONTROL_FDS_MAX) {
                out->fds[out->fd_count++] = fd;
            } else {
                close(fd);
                ok = 0;
            }
        }
    }
    while (!ok && out->fd_count > 0) {
        close(out->fds[--out->fd_count]);
    }
    return ok;
}

/* The end, and nothing after it whatever the peer still sends. */
static psy__event end(psy__link *link, psy__control *out)
{
    while (out->fd_count > 0) {
        close(out->fds[--out->fd_count]);
    }
    link->closed = true;
    (void)shutdown(link->fd, SHUT_RDWR);
    return PSY_EVENT_CLOSED;
}

psy__event psy__local_poll(psy__link *link, psy__control *out)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * PSY_CONTROL_FDS_MAX)];
    } ancillary;
    struct iovec io = {out->data, sizeof out->data};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = ancillary.bytes, .msg_controllen = sizeof ancillary.bytes};
    out->bytes = out->fd_count = 0;
    if (link->closed) {
        return PSY_EVENT_CLOSED;
    }
    ssize_t n;
    bool reset = false;
    for (;;) {
        n = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == ECONNRESET && !reset) {
            reset = true; /* it left without reading all; what it said before still waits */
        } else if (n >= 0 || errno != EINTR) {
            break;
        }
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !reset) {
        return PSY_EVENT_NONE;
    }
    /* A failure; a peer that sends what is not agreed; the end, since no message is empty. */
    if (n < 0 || !take_fds(&message, out) || n == 0) {
        return end(link, out);
    }
    out->bytes = (uint32_t)n;
    return PSY_EVENT_CONTROL;
}

psy_status psy__local_peer(psy__link *link, int *pid, unsigned *uid)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0) {
        return psy_fail(PSY_IO, "SO_PEERCRED: %s", strerror(errno));
    }
    *pid = who.pid;
    *uid = who.uid;
    return PSY_OK;
}

bool psy__local_in_group(psy__link *link, unsigned gid)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || who.gid == gid) {
        return n == sizeof who && who.gid == gid;
    }
    gid_t groups[GROUPS_MAX];
    n = sizeof groups;
    bool found = false;
    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == 0) { /* a system that cannot tell has none */
        for (size_t i = 0; i < n / sizeof *groups && !found; i++) {
            found = groups[i] == gid;
        }
    }
    return found;
}

psy_status psy__local_put(psy__link *link, void *remote, const void *local, uint64_t bytes)
{
    (void)link;
    memcpy(remote, local, bytes);
    return PSY_OK;
}

psy_status psy__local_publish(psy__link *link, _Atomic uint64_t *remote, uint64_t value)
{
    (void)link;
    atomic_store_explicit(remote, value, memory_order_release);
    return PSY_OK;
}

void psy__local_close(psy__link *link)
{
    close(link->fd);
    free(link);
}
