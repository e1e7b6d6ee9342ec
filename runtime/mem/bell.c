/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/bell.h>

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/failure.h"

/* More rings than wait in an end; a peer that never stops just wakes us again. */
enum { CLEARS = 64 };

psy_status psy_bell_open(psy_bell *out)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        *out = (psy_bell){PSY_BELL_NONE, -1};
        return psy__system_failure("a bell", "eventfd", errno);
    }
    *out = (psy_bell){PSY_BELL_EVENT, fd};
    return PSY_OK;
}

psy_status psy_bell_open_pair(psy_bell ends[2])
{
    int fds[2];
    ends[0] = ends[1] = (psy_bell){PSY_BELL_NONE, -1};
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        return psy__system_failure("a bell", "socketpair", errno);
    }
    for (int i = 0; i < 2; i++) {
        int least = 1;
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &least, sizeof least); /* a few rings wait, not hundreds */
        ends[i] = (psy_bell){PSY_BELL_END, fds[i]};
    }
    return PSY_OK;
}

psy_status psy_bell_adopt(int fd, psy_bell *out)
{
    int domain = 0, type = 0;
    socklen_t n = sizeof domain, m = sizeof type;
    *out = (psy_bell){PSY_BELL_NONE, -1};
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) != 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &m) != 0 ||
        domain != AF_UNIX || type != SOCK_DGRAM) {
        return psy_fail(PSY_PROTOCOL, "the peer handed over something else for its bell");
    }
    *out = (psy_bell){PSY_BELL_END, fd};
    return PSY_OK;
}

void psy_bell_close(psy_bell *bell)
{
    if (bell->kind != PSY_BELL_NONE) {
        close(bell->fd);
    }
    *bell = (psy_bell){PSY_BELL_NONE, -1};
}

void psy_bell_ring(const psy_bell *bell)
{
    int before = errno; /* that of whoever a signal has interrupted */
    uint64_t one = 1;
    if (bell->kind == PSY_BELL_EVENT) {
        while (write(bell->fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    } else if (bell->kind == PSY_BELL_END) {
        while (send(bell->fd, &one, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EINTR) {
        }
    }
    errno = before;
}

void psy_bell_clear(const psy_bell *bell)
{
    int before = errno;
    uint64_t rings;
    if (bell->kind == PSY_BELL_EVENT) {
        while (read(bell->fd, &rings, sizeof rings) < 0 && errno == EINTR) {
        }
    } else if (bell->kind == PSY_BELL_END) {
        for (int i = 0; i < CLEARS; i++) {
            if (recv(bell->fd, &rings, sizeof rings, MSG_DONTWAIT) < 0 && errno != EINTR) {
                break;
            }
        }
    }
    errno = before;
}
