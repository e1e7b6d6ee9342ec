/* SPDX-License-Identifier: Apache-2.0 */
/* URIs, and what is the same for every transport. */
#define _GNU_SOURCE
#include "transport/transport.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const psy__transport *const transports[] = {&psy__transport_ipc, &psy__transport_inproc};
static const uint64_t retry_ns = 5000000;

static psy_status split(const char *uri, const psy__transport **transport, const char **address)
{
    const char *rest = uri ? strstr(uri, "://") : NULL;
    if (!rest) {
        return psy_fail(PSY_INVALID, "`%s` is no address: write ipc:///path/to/socket or inproc://name", uri ? uri : "");
    }
    *address = rest + 3;
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        size_t n = strlen(transports[i]->scheme);
        if ((size_t)(rest - uri) == n && memcmp(uri, transports[i]->scheme, n) == 0) {
            *transport = transports[i];
            return PSY_OK;
        }
    }
    return psy_fail(PSY_UNSUPPORTED, "`%s`: this library has the transports ipc and inproc", uri);
}

psy_status psy__bind(const char *uri, psy__listener **out)
{
    const psy__transport *transport;
    const char *address;
    psy_status status = split(uri, &transport, &address);
    return status == PSY_OK ? transport->bind(address, out) : status;
}

psy_status psy__connect(const char *uri, uint64_t timeout_ns, psy__link **out)
{
    const psy__transport *transport;
    const char *address;
    psy_status status = split(uri, &transport, &address);
    uint64_t deadline = psy__add_ns(psy__now_ns(), timeout_ns);
    while (status == PSY_OK) {
        status = transport->connect(address, out);
        if (status != PSY_UNREACHABLE && status != PSY_FULL) {
            return status;
        }
        if (psy__now_ns() >= deadline) {
            return status == PSY_FULL ? PSY_UNREACHABLE
                                      : psy_fail(PSY_UNREACHABLE,
                                                 "nobody serves %s: is the broker running, and is the address the same?", uri);
        }
        struct timespec t = {0, (long)retry_ns};
        nanosleep(&t, NULL);
        status = PSY_OK;
    }
    return status;
}

psy_status psy__accept(psy__listener *listener, psy__link **out) { return listener->transport->accept(listener, out); }

psy_status psy__link_send(psy__link *link, const psy__control *messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (messages[i].bytes == 0 || messages[i].bytes > PSY_CONTROL_BYTES_MAX || messages[i].fd_count > PSY_CONTROL_FDS_MAX) {
            return psy_fail(messages[i].bytes == 0 ? PSY_INVALID : PSY_TOO_LARGE,
                            "a control message of %u bytes and %u files: 1 to %d bytes, at most %d files", messages[i].bytes,
                            messages[i].fd_count, PSY_CONTROL_BYTES_MAX, PSY_CONTROL_FDS_MAX);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        psy_status status = link->transport->send(link, &messages[i]);
        if (status != PSY_OK) {
            return status;
        }
    }
    return PSY_OK;
}

psy__event psy__link_poll(psy__link *link, psy__control *out) { return link->transport->poll(link, out); }

psy_status psy__link_peer(psy__link *link, int *pid, unsigned *uid) { return link->transport->peer(link, pid, uid); }

psy_status psy__link_put(psy__link *link, void *remote, const void *local, uint64_t bytes)
{
    return link->transport->put(link, remote, local, bytes);
}

psy_status psy__link_publish(psy__link *link, _Atomic uint64_t *remote, uint64_t value)
{
    return link->transport->publish(link, remote, value);
}

void psy__link_close(psy__link *link)
{
    if (link) {
        link->transport->close(link);
    }
}

void psy__listener_close(psy__listener *listener)
{
    if (listener) {
        listener->transport->unbind(listener);
    }
}

int psy__doorbell_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void psy__doorbell_ring(int fd)
{
    uint64_t one = 1;
    int before = errno; /* that of whoever a signal has interrupted */
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = before;
}

void psy__doorbell_clear(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

/* Datagram sockets: they queue a few rings and refuse more, know no end of file, and obey the flags of the call. */
psy_status psy__bell_create(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        ends[0] = ends[1] = -1;
        return psy_fail(PSY_LIMIT, "no bell: %s", strerror(errno));
    }
    for (int i = 0; i < 2; i++) {
        int least = 1;
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &least, sizeof least); /* a few rings wait, not hundreds */
    }
    return PSY_OK;
}

psy_status psy__bell_check(int fd)
{
    int domain = 0, type = 0;
    socklen_t n = sizeof domain, m = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) != 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &m) != 0 ||
        domain != AF_UNIX || type != SOCK_DGRAM) {
        return psy_fail(PSY_PROTOCOL, "the peer handed over something else for its bell");
    }
    return PSY_OK;
}

void psy__bell_ring(int fd)
{
    static const uint8_t one = 1;
    while (send(fd, &one, sizeof one, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

void psy__bell_clear(int fd)
{
    uint8_t rings[8];
    for (int i = 0; i < 64; i++) { /* more than wait; a peer that never stops just wakes us again */
        if (recv(fd, rings, sizeof rings, MSG_DONTWAIT) < 0 && errno != EINTR) {
            return;
        }
    }
}
