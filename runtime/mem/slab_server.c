/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/slab_server.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <psyne/bell.h>

#include "base/failure.h"
#include "transport/transport.h"

enum { ANSWERS_AT_ONCE = 64 };

struct psy_slab_server {
    psy__listener *listener;
    int fd;    /* what is handed out */
    int spare; /* given up for a moment where there are no more descriptors, so that also then everybody gets an answer */
    psy_slab_access access;
    uint32_t owner, user_count;
    uint32_t *users;
    _Atomic uint64_t served, denied, failed;
    pid_t process; /* whose thread it is */
    bool threaded;
    psy_bell stop;
    pthread_t thread;
};
static_assert(sizeof(psy_slab_offer) <= PSY_CONTROL_BYTES_MAX, "an offer is one control message");

/* ---- answering ---- */

static bool may_have_it(const psy_slab_server *s, uint32_t user)
{
    bool listed = user == s->owner;
    for (uint32_t i = 0; !listed && i < s->user_count; i++) {
        listed = s->users[i] == user;
    }
    return listed;
}

static psy_status say(psy__link *link, const psy_slab_offer *offer, int fd)
{
    psy__control m = {.bytes = sizeof *offer, .fd_count = fd >= 0, .fds = {fd}};
    memcpy(m.data, offer, sizeof *offer);
    return psy__link_send(link, &m, 1);
}

static void refuse(psy__link *link, psy_slab_offer *offer, psy_status status)
{
    offer->status = (uint32_t)status;
    (void)say(link, offer, -1);
}

static void answer(psy_slab_server *s, psy__link *link)
{
    int pid;
    unsigned user;
    psy_slab_offer offer = {.magic = PSY_SLAB_OFFER_MAGIC,
                            .abi_major = PSY_SLAB_OFFER_MAJOR,
                            .abi_minor = PSY_SLAB_OFFER_MINOR,
                            .access = (uint32_t)s->access};
    if (psy__link_peer(link, &pid, &user) != PSY_OK) {
        snprintf(offer.reason, sizeof offer.reason, "%.*s", (int)sizeof offer.reason - 1, psy_detail());
        refuse(link, &offer, PSY_IO);
        atomic_fetch_add(&s->failed, 1);
    } else if (!may_have_it(s, user)) {
        snprintf(offer.reason, sizeof offer.reason,
                 "user %u is neither the server's own (%" PRIu32 ") nor on its list of %" PRIu32, user, s->owner,
                 s->user_count);
        refuse(link, &offer, PSY_DENIED);
        atomic_fetch_add(&s->denied, 1);
    } else {
        psy_status status = say(link, &offer, s->fd);
        if (status == PSY_FULL) { /* nothing waits on a new connection, so it is the descriptors that are on their way */
            snprintf(offer.reason, sizeof offer.reason, "too many clients have not looked at what they were sent");
            refuse(link, &offer, PSY_LIMIT);
        }
        atomic_fetch_add(status == PSY_OK ? &s->served : &s->failed, 1);
    }
}

static int spare_descriptor(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

static psy_status accept_one(psy_slab_server *s, psy__link **link)
{
    psy_status status = psy__accept(s->listener, link);
    if (status == PSY_LIMIT && s->spare >= 0) {
        close(s->spare);
        s->spare = -1;
        status = psy__accept(s->listener, link);
    }
    return status;
}

static uint32_t work(psy_slab_server *s)
{
    uint32_t answered = 0;
    while (answered < ANSWERS_AT_ONCE) {
        psy__link *link;
        psy_status status = accept_one(s, &link);
        if (status != PSY_OK) {
            if (status != PSY_EMPTY) {
                atomic_fetch_add(&s->failed, 1);
            }
            break;
        }
        answer(s, link);
        psy__link_close(link);
        answered++;
        if (s->spare < 0) {
            s->spare = spare_descriptor();
        }
    }
    if (s->spare < 0) {
        s->spare = spare_descriptor();
    }
    return answered;
}

uint32_t psy_slab_server_work(psy_slab_server *server) { return server->threaded ? 0 : work(server); }

static void *serve(void *argument)
{
    psy_slab_server *s = argument;
    struct pollfd on[2] = {{psy_bell_fd(&s->stop), POLLIN, 0}, {psy__listener_fd(s->listener), POLLIN, 0}};
    for (;;) {
        if (poll(on, 2, -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (on[0].revents != 0) {
            return NULL;
        }
        if (on[1].revents != 0 && work(s) == 0) {
            struct timespec pause = {0, 10000000}; /* somebody waits who cannot be accepted: the system has no descriptors */
            nanosleep(&pause, NULL);
        }
    }
}

/* ---- life ---- */

static psy_status check_options(const psy_slab_server_options *o)
{
    if (!o || !o->path || !o->slab || (o->user_count != 0 && !o->users)) {
        return psy_fail(PSY_INVALID, "psy_slab_server_create: a null argument");
    }
    if (o->access != PSY_SLAB_READ_WRITE && o->access != PSY_SLAB_READ_ONLY) {
        return psy_fail(PSY_INVALID, "psy_slab_server_create: access is %d", (int)o->access);
    }
    if (o->mode > 0777) {
        return psy_fail(PSY_INVALID, "psy_slab_server_create: mode %" PRIo32 " is more than 777", o->mode);
    }
    if (o->user_count > PSY_SLAB_SERVER_USERS_MAX) {
        return psy_fail(PSY_TOO_LARGE, "a list of %" PRIu32 " users: at most %d", o->user_count, PSY_SLAB_SERVER_USERS_MAX);
    }
    if (psy_slab_fd(o->slab) < 0) {
        return psy_fail(PSY_UNSUPPORTED, "a slab without a descriptor cannot be handed out");
    }
    if (o->access == PSY_SLAB_READ_WRITE && !psy_slab_writable(o->slab)) {
        return psy_fail(PSY_DENIED, "the slab may only be read here, so it cannot be handed out for writing");
    }
    return PSY_OK;
}

/* A descriptor of the server's own to hand out. For readers it is opened anew, for reading, and the file is closed to writing
 * by other users, who could open theirs anew likewise. */
static psy_status take_memory(psy_slab_server *s, const psy_slab *slab)
{
    char path[32];
    int fd = psy_slab_fd(slab);
    if (s->access == PSY_SLAB_READ_WRITE) {
        s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        return s->fd >= 0 ? PSY_OK : psy__system_failure("the slab's descriptor", "dup", errno);
    }
    struct stat st;
    if (fstat(fd, &st) != 0 || ((st.st_mode & 07777) != 0600 && fchmod(fd, 0600) != 0)) {
        return psy__system_failure("the slab cannot be closed to other users' writing", "fchmod", errno);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    return s->fd >= 0 ? PSY_OK : psy__system_failure("the slab's memory cannot be opened for reading", path, errno);
}

static psy_status copy_users(psy_slab_server *s, const psy_slab_server_options *o)
{
    if (o->user_count == 0) {
        return PSY_OK;
    }
    s->users = malloc(o->user_count * sizeof *s->users);
    if (!s->users) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a list of %" PRIu32 " users", o->user_count);
    }
    memcpy(s->users, o->users, o->user_count * sizeof *s->users);
    s->user_count = o->user_count;
    return PSY_OK;
}

static psy_status bind_path(psy_slab_server *s, const psy_slab_server_options *o)
{
    uint32_t mode = o->mode != 0 ? o->mode : o->user_count != 0 ? 0666 : 0600;
    psy_status status = psy__transport_ipc.bind(o->path, &s->listener);
    if (status == PSY_OK && mode != 0600 && chmod(o->path, mode) != 0) { /* it is 0600 until now */
        status = psy__system_failure(o->path, "chmod", errno);
    }
    return status;
}

static psy_status start_thread(psy_slab_server *s)
{
    sigset_t all, before;
    psy_status status = psy_bell_open(&s->stop);
    if (status != PSY_OK) {
        return status;
    }
    sigfillset(&all); /* signals are the program's own threads' */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&s->thread, NULL, serve, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->threaded = error == 0;
    return error == 0 ? PSY_OK : psy__system_failure("a thread to serve a slab", "pthread_create", error);
}

static psy_status start(psy_slab_server *s, const psy_slab_server_options *o)
{
    s->access = o->access;
    s->owner = (uint32_t)geteuid();
    s->process = getpid();
    psy_status status = copy_users(s, o);
    if (status == PSY_OK) {
        status = take_memory(s, o->slab);
    }
    if (status == PSY_OK) {
        s->spare = spare_descriptor();
        status = s->spare >= 0 ? bind_path(s, o) : psy__system_failure("/dev/null", "open", errno);
    }
    return status == PSY_OK && o->thread ? start_thread(s) : status;
}

psy_status psy_slab_server_create(const psy_slab_server_options *options, psy_slab_server **out)
{
    psy_status status = out ? check_options(options) : psy_fail(PSY_INVALID, "psy_slab_server_create: a null argument");
    if (status != PSY_OK) {
        return status;
    }
    psy_slab_server *s = calloc(1, sizeof *s);
    if (!s) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a slab's server");
    }
    s->fd = s->spare = -1;
    status = start(s, options);
    if (status != PSY_OK) {
        psy_slab_server_destroy(s);
        return status;
    }
    *out = s;
    return PSY_OK;
}

int psy_slab_server_fd(const psy_slab_server *server) { return psy__listener_fd(server->listener); }

void psy_slab_server_get_counts(const psy_slab_server *server, psy_slab_server_counts *out)
{
    *out = (psy_slab_server_counts){atomic_load(&server->served), atomic_load(&server->denied), atomic_load(&server->failed)};
}

void psy_slab_server_destroy(psy_slab_server *s)
{
    if (!s) {
        return;
    }
    if (s->threaded && s->process == getpid()) {
        psy_bell_ring(&s->stop);
        pthread_join(s->thread, NULL);
    }
    psy__listener_close(s->listener);
    psy_bell_close(&s->stop);
    const int fds[] = {s->fd, s->spare};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(s->users);
    free(s);
}
