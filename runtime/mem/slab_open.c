/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of a slab's server. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <psyne/slab_server.h>

#include "base/clock.h"
#include "base/failure.h"
#include "transport/transport.h"

static const uint64_t usual_timeout_ns = 1000000000, retry_ns = 1000000;

static psy_status connect_to(const char *path, bool wait, uint64_t deadline, psy__link **link)
{
    for (;;) {
        psy_status status = psy__transport_ipc.connect(path, link);
        /* FULL: it is there, and more clients wait for it than it has room for. */
        bool again = status == PSY_FULL || (status == PSY_UNREACHABLE && wait);
        if (!again) {
            return status == PSY_UNREACHABLE ? psy_fail(status, "nobody serves a slab at %s", path) : status;
        }
        if (psy__now_ns() >= deadline) {
            return status == PSY_FULL ? psy_fail(PSY_TIMEOUT, "%s: its server does not get round to new clients", path)
                                      : psy_fail(status, "nobody serves a slab at %s, also after the time given", path);
        }
        struct timespec t = {0, (long)retry_ns};
        nanosleep(&t, NULL);
    }
}

static psy_status receive(const char *path, psy__link *link, uint64_t deadline, psy__control *m)
{
    for (;;) {
        psy__event event = psy__link_poll(link, m);
        if (event == PSY_EVENT_CONTROL) {
            return PSY_OK;
        }
        if (event == PSY_EVENT_CLOSED) {
            int room = fcntl(psy__link_fd(link), F_DUPFD_CLOEXEC, 0); /* or was it that what came had no place here? */
            if (room < 0) {
                return psy__system_failure(path, "no descriptor for the slab", errno);
            }
            close(room);
            return psy_fail(PSY_PROTOCOL, "%s: the server hung up without a word", path);
        }
        uint64_t now = psy__now_ns();
        if (now >= deadline) {
            return psy_fail(PSY_TIMEOUT, "%s: the server does not answer", path);
        }
        uint64_t left = deadline - now;
        struct timespec t = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
        struct pollfd on = {psy__link_fd(link), POLLIN, 0};
        if (ppoll(&on, 1, &t, NULL) < 0 && errno != EINTR) {
            return psy__system_failure(path, "poll", errno);
        }
    }
}

/* Text of a stranger: up to its NUL, without what would confuse a terminal. */
static void clean_text(char *to, size_t room, const char *from, size_t most)
{
    size_t n = 0;
    for (; n + 1 < room && n < most && from[n] != '\0'; n++) {
        unsigned char c = (unsigned char)from[n];
        to[n] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    to[n] = '\0';
}

/* What came, as the descriptor of a slab or a reason. */
static psy_status take_offer(const char *path, const psy__control *m, int *fd)
{
    psy_slab_offer offer;
    char reason[sizeof offer.reason + 1];
    if (m->bytes < sizeof offer) {
        return psy_fail(PSY_PROTOCOL, "%s: %" PRIu32 " bytes are no offer of a slab", path, m->bytes);
    }
    memcpy(&offer, m->data, sizeof offer);
    if (offer.magic != PSY_SLAB_OFFER_MAGIC) {
        return psy_fail(PSY_PROTOCOL, "%s: not a slab's server: its first word is %08" PRIx32, path, offer.magic);
    }
    if (offer.abi_major != PSY_SLAB_OFFER_MAJOR) {
        return psy_fail(PSY_VERSION, "%s: the server speaks version %u.%u, this library %d.%d", path, offer.abi_major,
                        offer.abi_minor, PSY_SLAB_OFFER_MAJOR, PSY_SLAB_OFFER_MINOR);
    }
    psy_status status = (psy_status)offer.status;
    if (status != PSY_OK && (offer.status < PSY_INVALID || strcmp(psy_status_name(status), "UNKNOWN") == 0)) {
        return psy_fail(PSY_PROTOCOL, "%s: the server answers with status %" PRIu32, path, offer.status);
    }
    if (status != PSY_OK) {
        clean_text(reason, sizeof reason, offer.reason, sizeof offer.reason);
        return psy_fail(status, "%s: %s", path, reason);
    }
    if (m->fd_count != 1) {
        return psy_fail(PSY_PROTOCOL, "%s: the server offers a slab with %" PRIu32 " descriptors", path, m->fd_count);
    }
    *fd = m->fds[0];
    return PSY_OK;
}

psy_status psy_slab_open(const char *path, const psy_slab_open_options *options, psy_slab **out)
{
    static const psy_slab_open_options usual;
    const psy_slab_open_options *o = options ? options : &usual;
    if (!path || !out) {
        return psy_fail(PSY_INVALID, "psy_slab_open: a null argument");
    }
    uint64_t deadline = psy__add_ns(psy__now_ns(), o->timeout_ns != 0 ? o->timeout_ns : usual_timeout_ns);
    psy__link *link = NULL;
    psy__control m = {.fd_count = 0};
    psy_status status = connect_to(path, o->wait, deadline, &link);
    if (status == PSY_OK) {
        status = receive(path, link, deadline, &m);
    }
    int fd = -1;
    if (status == PSY_OK) {
        status = take_offer(path, &m, &fd);
    }
    for (uint32_t i = 0; i < m.fd_count; i++) {
        if (m.fds[i] != fd) {
            close(m.fds[i]);
        }
    }
    psy__link_close(link);
    if (status != PSY_OK) {
        return status;
    }
    status = psy_slab_adopt_with(fd, &o->adopt, out);
    return status == PSY_OK ? PSY_OK : psy_fail(status, "%s: %s", path, psy_detail());
}
