/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "telemetry/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64 };

typedef struct address {
    char host[256], port[8];
} address;

/* Host and port; an empty host is all addresses. */
static psy_status split(const char *text, address *out)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text, *from = text;
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
        from++;
        n -= 2;
    } else if (n && memchr(text, ':', n)) {
        return psy_fail(PSY_INVALID, "`%s`: an IPv6 address stands in brackets, as in [::1]:9464", text);
    }
    unsigned number = 0;
    const size_t digits = strspn(port, "0123456789");
    for (size_t i = 0; i < digits && number < 100000; i++) {
        number = 10 * number + (unsigned)(port[i] - '0');
    }
    if (digits == 0 || port[digits] || number > 65535) {
        return psy_fail(PSY_INVALID, "`%s`: a port from 0 to 65535 was expected after a host, as in 127.0.0.1:9464", text);
    }
    if (n >= sizeof out->host) {
        return psy_fail(PSY_INVALID, "the name of a host has at most %zu bytes", sizeof out->host - 1);
    }
    memcpy(out->host, from, n);
    out->host[n] = '\0';
    if (!colon) {
        strcpy(out->host, "127.0.0.1");
    }
    snprintf(out->port, sizeof out->port, "%u", number);
    return PSY_OK;
}

static psy_status failure(const char *text, const char *call)
{
    switch (errno) {
    case EADDRINUSE:
        return psy_fail(PSY_IO, "%s is in use: another process listens there; take another port, or 0 for any", text);
    case EADDRNOTAVAIL: return psy_fail(PSY_IO, "%s: this machine has no such address", text);
    case EACCES: return psy_fail(PSY_DENIED, "%s: ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)", text);
    case EMFILE:
    case ENFILE: return psy_fail(PSY_LIMIT, "%s: %s: raise the limit of open files", text, call);
    default: return psy_fail(PSY_IO, "%s: %s: %s", text, call, strerror(errno));
    }
}

static psy_status listen_at(const char *text, const struct addrinfo *a, int *out)
{
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) {
        return failure(text, "socket");
    }
    psy_status status = PSY_OK;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* of connections that have ended, not of who listens */
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0) {
        status = failure(text, "bind");
    } else if (listen(fd, BACKLOG) != 0) {
        status = failure(text, "listen");
    }
    if (status != PSY_OK) {
        close(fd);
        return status;
    }
    *out = fd;
    return PSY_OK;
}

static void tell(int fd, char *where, size_t bytes)
{
    struct sockaddr_storage at;
    socklen_t n = sizeof at;
    char host[256], port[8];
    *where = '\0';
    if (getsockname(fd, (struct sockaddr *)&at, &n) == 0 &&
        getnameinfo((struct sockaddr *)&at, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        snprintf(where, bytes, at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    }
}

psy_status psy__listen(const char *text, int *fd, char *where, size_t bytes)
{
    address a;
    struct addrinfo *list = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    psy_status status = split(text, &a);
    if (status != PSY_OK) {
        return status;
    }
    const int error = getaddrinfo(*a.host ? a.host : NULL, a.port, &hints, &list);
    if (error != 0) {
        return psy_fail(PSY_NOT_FOUND, "%s: %s", a.host, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
    }
    /* The first that can be had. */
    status = psy_fail(PSY_NOT_FOUND, "%s has no address", a.host);
    for (const struct addrinfo *one = list; one && status != PSY_OK; one = one->ai_next) {
        status = listen_at(text, one, fd);
    }
    freeaddrinfo(list);
    if (status == PSY_OK) {
        tell(*fd, where, bytes);
    }
    return status;
}
