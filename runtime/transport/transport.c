/* SPDX-License-Identifier: Apache-2.0 */
/* URIs, and what is the same for every transport. */
#define _GNU_SOURCE
#include "transport/transport.h"

#include <errno.h>
#include <string.h>
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

bool psy__link_in_group(psy__link *link, unsigned gid) { return link->transport->in_group(link, gid); }

psy_status psy__admit(psy__listener *listener, unsigned mode, unsigned gid)
{
    const psy__transport *transport = listener->transport;
    return transport->admit ? transport->admit(listener, mode, gid)
                            : psy_fail(PSY_UNSUPPORTED, "%s:// has neither mode nor group: leave them out", transport->scheme);
}

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
