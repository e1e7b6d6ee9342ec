/* SPDX-License-Identifier: Apache-2.0 */
/* One descriptor for somebody else's loop: an epoll set of the bell (replies), the link (the end) and a timer (deadlines).
 *
 * Armed, the completion rings know that somebody sleeps, and the next writer rings the bell; what came before that is seen by
 * the look that follows. All three descriptors stay readable until poll has disarmed the channel, so it is of no account
 * whether the caller's loop is told by level or by edge, or of several things at once. */
#define _GNU_SOURCE
#include "service/channel_state.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failure.h"

static const uint64_t second_ns = 1000000000;
/* While slots are in quarantine nobody rings when they come back: then a look now and then. */
static const uint64_t reclaim_ns = 5000000;

static int watch(psy_channel *c, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void psy__channel_unwatch(psy_channel *c)
{
    struct epoll_event none = {0};
    if (c->epoll_fd >= 0) {
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, psy_bell_fd(&c->bell), &none);
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, psy__link_fd(c->link), &none);
    }
}

psy_status psy_channel_fd(psy_channel *c, int *fd)
{
    if (!c || !fd) {
        return psy_fail(PSY_INVALID, "psy_channel_fd: a null argument");
    }
    if (c->epoll_fd < 0) {
        int error = 0;
        c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        c->timer_fd = c->epoll_fd < 0 ? -1 : timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (c->timer_fd < 0 || watch(c, c->timer_fd) != 0 ||
            (!c->dead && (watch(c, psy_bell_fd(&c->bell)) != 0 || watch(c, psy__link_fd(c->link)) != 0))) {
            error = errno;
        }
        if (error) {
            if (c->timer_fd >= 0) {
                close(c->timer_fd);
            }
            if (c->epoll_fd >= 0) {
                close(c->epoll_fd);
            }
            c->epoll_fd = c->timer_fd = -1;
            return psy__system_failure("a channel's descriptor", "epoll", error);
        }
    }
    *fd = c->epoll_fd;
    return PSY_OK;
}

static void set_timer(psy_channel *c, uint64_t due_ns)
{
    uint64_t at = due_ns == UINT64_MAX ? 0 : due_ns ? due_ns : 1;
    struct itimerspec t = {.it_value = {(time_t)(at / second_ns), (long)(at % second_ns)}};
    (void)timerfd_settime(c->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

bool psy_channel_arm(psy_channel *c)
{
    psy_channel_flush(c);
    if (c->dead || c->epoll_fd < 0 || c->cancelled_count || (c->draining && c->outstanding == 0)) {
        return false;
    }
    bool empty = true;
    psy__channel_look(c);
    for (uint32_t i = 0; i < c->active_count; i++) {
        empty = psy_ring_sleep_begin(&c->completions[c->active[i]]) && empty;
    }
    c->armed = true;
    uint64_t due_ns = c->give_up_due_ns;
    if (c->quarantined) {
        uint64_t look_ns = psy__now_ns() + reclaim_ns;
        due_ns = look_ns < due_ns ? look_ns : due_ns;
    }
    if (empty && due_ns != UINT64_MAX) {
        set_timer(c, due_ns);
    }
    if (!empty) {
        psy__channel_disarm(c);
    }
    return empty;
}

void psy__channel_disarm(psy_channel *c)
{
    c->armed = false;
    for (uint32_t i = 0; i < c->active_count; i++) {
        psy_ring_sleep_end(&c->completions[c->active[i]]);
    }
    struct pollfd p = {.fd = psy_bell_fd(&c->bell), .events = POLLIN};
    if (!c->dead && poll(&p, 1, 0) > 0 && (p.revents & ~POLLIN)) { /* it would be readable for ever */
        (void)psy_fail(PSY_PROTOCOL, "the service tore its bell down");
        psy__channel_end(c);
    }
    psy_bell_clear(&c->bell); /* before the rings are looked at, never after */
    set_timer(c, UINT64_MAX);
    c->tick_due_ns = 0;
}
