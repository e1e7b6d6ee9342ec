/* SPDX-License-Identifier: Apache-2.0 */
/* Between threads of one process: names in a table, connections as socket pairs. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <psyne/bell.h>

#include "transport/local_link.h"

enum { PENDING_MAX = 64, NAME_MAX_BYTES = 128 };

typedef struct inproc_listener {
    psy__listener base; /* fd: that of the bell */
    psy_bell bell;      /* rung for each connection */
    struct inproc_listener *next;
    int pending[PENDING_MAX];
    uint32_t pending_count;
    char name[NAME_MAX_BYTES];
} inproc_listener;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static inproc_listener *served; /* under lock, and so is what they have pending */

static inproc_listener *find(const char *name)
{
    inproc_listener *l = served;
    while (l && strcmp(l->name, name) != 0) {
        l = l->next;
    }
    return l;
}

static psy_status inproc_bind(const char *name, psy__listener **out)
{
    size_t n = strlen(name);
    if (n == 0 || n >= NAME_MAX_BYTES) {
        return psy_fail(PSY_INVALID, "inproc://%s: a name has 1 to %d bytes", name, NAME_MAX_BYTES - 1);
    }
    inproc_listener *l = calloc(1, sizeof *l);
    if (!l) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a listener");
    }
    psy_status status = psy_bell_open(&l->bell);
    if (status != PSY_OK) {
        free(l);
        return status;
    }
    l->base = (psy__listener){&psy__transport_inproc, psy_bell_fd(&l->bell)};
    memcpy(l->name, name, n + 1);
    pthread_mutex_lock(&lock);
    bool taken = find(name) != NULL;
    if (!taken) {
        l->next = served;
        served = l;
    }
    pthread_mutex_unlock(&lock);
    if (taken) {
        psy_bell_close(&l->bell);
        free(l);
        return psy_fail(PSY_IO, "inproc://%s: in use: another broker of this process serves it", name);
    }
    *out = &l->base;
    return PSY_OK;
}

static psy_status inproc_accept(psy__listener *listener, psy__link **out)
{
    inproc_listener *l = (inproc_listener *)listener;
    int fd = -1;
    pthread_mutex_lock(&lock);
    if (l->pending_count > 0) {
        fd = l->pending[0];
        memmove(l->pending, l->pending + 1, --l->pending_count * sizeof *l->pending);
        if (l->pending_count == 0) {
            psy_bell_clear(&l->bell);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd < 0 ? PSY_EMPTY : psy__local_link(&psy__transport_inproc, fd, out);
}

static psy_status inproc_connect(const char *name, psy__link **out)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        return psy_fail(PSY_IO, "inproc://%s: socketpair: %s", name, strerror(errno));
    }
    pthread_mutex_lock(&lock);
    inproc_listener *l = find(name);
    bool served_here = l != NULL, queued = l && l->pending_count < PENDING_MAX;
    if (queued) {
        l->pending[l->pending_count++] = pair[1];
        psy_bell_ring(&l->bell);
    }
    pthread_mutex_unlock(&lock);
    if (!queued) {
        close(pair[0]);
        close(pair[1]);
        return psy_fail(PSY_UNREACHABLE,
                        served_here ? "inproc://%s: too many connections wait for its broker"
                                    : "nobody serves inproc://%s in this process",
                        name);
    }
    return psy__local_link(&psy__transport_inproc, pair[0], out);
}

static void inproc_unbind(psy__listener *listener)
{
    inproc_listener *l = (inproc_listener *)listener;
    pthread_mutex_lock(&lock);
    for (inproc_listener **at = &served; *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    for (uint32_t i = 0; i < l->pending_count; i++) {
        close(l->pending[i]);
    }
    psy_bell_close(&l->bell);
    free(l);
}

const psy__transport psy__transport_inproc = {.scheme = "inproc",
                                              .bind = inproc_bind,
                                              .accept = inproc_accept,
                                              .connect = inproc_connect,
                                              .unbind = inproc_unbind,
                                              .send = psy__local_send,
                                              .poll = psy__local_poll,
                                              .peer = psy__local_peer,
                                              .in_group = psy__local_in_group,
                                              .put = psy__local_put,
                                              .publish = psy__local_publish,
                                              .close = psy__local_close};
