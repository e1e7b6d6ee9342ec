/* SPDX-License-Identifier: Apache-2.0 */
/* Working, sleeping, and the descriptor.
 *
 * Everything that can be heard (listener, links, bells, the channel's descriptor) is in one epoll set, beside which the socket
 * itself sleeps. Who asks for a descriptor gets an outer set of that one, a timer and a bell of the socket's own. The rule that
 * makes it a level: the outer set is readable ("lit") until a call has found nothing to do. Whenever something is heard, and
 * with it what made the set readable is used up, the socket rings its own bell; only psy__socket_quench silences that, after it
 * has told all rings that somebody sleeps, and looks once more after that. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failure.h"
#include "socket/socket_state.h"

enum { EVENTS_AT_ONCE = 32, ROUNDS = 4, LOOKS = 256 };
static const uint64_t second_ns = 1000000000, tick_ns = 1000000;

void psy__socket_watch(psy_socket *s, int fd, uint32_t watch, uint32_t place)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)watch << 32 | place};
    if (epoll_ctl(s->watched_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        s->blind = true; /* the system has no more watches: looked at in turn */
    }
}

void psy__socket_unwatch(psy_socket *s, int fd)
{
    struct epoll_event none = {0};
    (void)epoll_ctl(s->watched_fd, EPOLL_CTL_DEL, fd, &none);
}

void psy__socket_light(psy_socket *s)
{
    if (!s->lit && s->outer_fd >= 0) {
        s->lit = true;
        psy_bell_ring(&s->self);
    }
}

static void hear_all(psy_socket *s)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int n = EVENTS_AT_ONCE;
    for (int round = 0; round < ROUNDS && n == EVENTS_AT_ONCE; round++) {
        n = epoll_wait(s->watched_fd, events, EVENTS_AT_ONCE, 0);
        for (int i = 0; i < n; i++) {
            psy__socket_hear(s, (uint32_t)(events[i].data.u64 >> 32), (uint32_t)events[i].data.u64,
                             (events[i].events & ~(uint32_t)EPOLLIN) != 0);
        }
        if (n > 0) {
            psy__socket_light(s);
        }
    }
    if (s->blind) {
        for (uint32_t i = 0; i < s->peer_top; i++) {
            psy__socket_hear(s, PSY_WATCH_PEER, i, false);
        }
        for (uint32_t i = 0; i < PSY_GUESTS_AT_SOCKET; i++) {
            psy__socket_hear(s, PSY_WATCH_GUEST, i, false);
        }
        psy__socket_hear(s, s->bound ? PSY_WATCH_LISTENER : PSY_WATCH_DIAL, 0, false);
    }
}

void psy__socket_work(psy_socket *s)
{
    if (s->inside) {
        return;
    }
    s->now_ns = psy__now_ns();
    if (s->now_ns >= s->tick_due_ns) {
        s->tick_due_ns = s->now_ns + tick_ns;
        psy__counting_beat(&s->counting);
        hear_all(s);
        s->next_due_ns = psy__socket_dial(s);
    }
    psy__socket_pump(s);
    psy__socket_call_back(s);
}

static uint64_t due_ns(const psy_socket *s, uint64_t until_ns)
{
    uint64_t due = s->next_due_ns < until_ns ? s->next_due_ns : until_ns;
    due = s->call_due_ns < due ? s->call_due_ns : due;
    uint64_t look_ns = s->now_ns + tick_ns;
    return s->blind && look_ns < due ? look_ns : due;
}

/* Tells the rings of all peers that somebody sleeps; true: nothing is there. */
static bool peers_empty(psy_socket *s)
{
    bool empty = true;
    for (uint32_t i = 0; i < s->peer_top; i++) {
        psy__peer *p = &s->peers[i];
        if (p->phase == PEER_UP) {
            empty = psy_ring_sleep_begin(&p->in) && empty;
        } else if (p->phase == PEER_GONE) {
            empty = false;
        }
    }
    return empty;
}

static void peers_awake(psy_socket *s)
{
    for (uint32_t i = 0; i < s->peer_top; i++) {
        if (s->peers[i].phase == PEER_UP) {
            psy_ring_sleep_end(&s->peers[i].in);
        }
    }
}

/* Both sides are often at work: a moment's looking saves two system calls. No yields: on a busy machine each gives away a whole
 * turn, where a sleeper is woken ahead of others. */
static bool spin(psy_socket *s, psy__peer *room, bool messages)
{
    for (uint32_t i = 0; i < LOOKS; i++) {
        if (room && !psy_ring_full(&room->out->ring)) {
            return true;
        }
        for (uint32_t k = 0; messages && k < s->peer_top; k++) {
            if (s->peers[k].phase == PEER_UP && !psy_ring_empty(&s->peers[k].in)) {
                return true;
            }
        }
        psy__relax();
    }
    return false;
}

static void sleep_beside(int fd, uint64_t ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec t = {(time_t)(ns / second_ns), (long)(ns % second_ns)};
    (void)ppoll(&p, 1, &t, NULL);
}

void psy__socket_nap(psy_socket *s, psy__peer *room, bool messages, uint64_t until_ns)
{
    psy_socket_flush(s);
    uint64_t now = psy__now_ns(), due = due_ns(s, until_ns);
    if (due <= now) {
        s->tick_due_ns = 0;
        return;
    }
    uint64_t left = due - now < second_ns ? due - now : second_ns;
    if (s->dial == DIAL_UP && s->line) {
        (void)!psy_channel_wait(s->line->channel, left); /* it lets the agent work, too */
        s->tick_due_ns = 0;
        return;
    }
    if (s->options.agent.work) {
        if (s->options.agent.work(s->options.agent.context)) {
            s->tick_due_ns = 0;
            return;
        }
        left = left < tick_ns ? left : tick_ns;
    }
    if (spin(s, room, messages)) {
        return;
    }
    if (room ? psy_ring_room_begin(&room->out->ring) : !messages || peers_empty(s)) {
        sleep_beside(s->watched_fd, left);
    }
    if (room) {
        psy_ring_room_end(&room->out->ring);
    }
    if (messages) {
        peers_awake(s);
    }
    s->tick_due_ns = 0;
}

/* Something that the caller has not been given. */
static bool something_waits(psy_socket *s)
{
    return (s->asks_messages && psy__socket_has_message(s)) || (s->asks_events && s->event_count > 0) || s->to_poll.count > 0 ||
           s->to_call_back.count > 0;
}

static void set_timer(psy_socket *s, uint64_t at_ns)
{
    uint64_t at = at_ns == UINT64_MAX ? 0 : at_ns ? at_ns : 1;
    struct itimerspec t = {.it_value = {(time_t)(at / second_ns), (long)(at % second_ns)}};
    (void)timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

bool psy__socket_quench(psy_socket *s, psy__peer *room)
{
    if (s->outer_fd < 0 || s->inside) {
        return false;
    }
    if (room) {
        room->full = true;
    }
    psy_socket_flush(s);
    s->tick_due_ns = 0;
    psy__socket_work(s);
    psy_bell_clear(&s->self);
    s->lit = false;
    bool something = false;
    for (uint32_t i = 0; i < s->peer_top; i++) {
        psy__peer *p = &s->peers[i];
        if (p->phase == PEER_UP) {
            (void)psy_ring_sleep_begin(&p->in); /* whether something is there is asked below */
        }
        if (p->phase == PEER_UP && p->full && !psy_ring_room_begin(&p->out->ring)) {
            psy_ring_room_end(&p->out->ring);
            p->full = false;
            something = true;
        }
    }
    if (s->dial == DIAL_UP && s->line && !psy_channel_arm(s->line->channel)) {
        something = true;
    }
    set_timer(s, due_ns(s, UINT64_MAX));
    something = something_waits(s) || something;
    if (something) {
        psy__socket_light(s);
    }
    return something;
}

psy_status psy_socket_fd(psy_socket *s, int *fd)
{
    if (!s || !fd) {
        return psy_fail(PSY_INVALID, "psy_socket_fd: a null argument");
    }
    if (s->outer_fd < 0) {
        struct epoll_event event = {.events = EPOLLIN};
        int outer = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        psy_status status = psy_bell_open(&s->self);
        if (status == PSY_OK && (outer < 0 || timer < 0 || epoll_ctl(outer, EPOLL_CTL_ADD, timer, &event) != 0 ||
                                 epoll_ctl(outer, EPOLL_CTL_ADD, s->watched_fd, &event) != 0 ||
                                 epoll_ctl(outer, EPOLL_CTL_ADD, psy_bell_fd(&s->self), &event) != 0)) {
            status = psy__system_failure("a socket's descriptor", "epoll", errno);
        }
        if (status != PSY_OK) {
            if (outer >= 0) {
                close(outer);
            }
            if (timer >= 0) {
                close(timer);
            }
            psy_bell_close(&s->self);
            return status;
        }
        s->outer_fd = outer;
        s->timer_fd = timer;
        psy__socket_light(s);
    }
    *fd = s->outer_fd;
    return PSY_OK;
}

psy_status psy_socket_wait(psy_socket *s, uint64_t timeout_ns)
{
    if (!s || s->inside) {
        return psy_fail(PSY_INVALID, "psy_socket_wait: %s", s ? "inside of a callback" : "a null argument");
    }
    uint32_t stirred = s->stirred;
    uint64_t until_ns = psy__add_ns(psy__now_ns(), timeout_ns);
    for (;;) {
        psy__socket_work(s);
        if (s->stirred != stirred || (s->asks_events && s->event_count > 0) || s->to_poll.count > 0 ||
            psy__socket_has_message(s)) {
            return PSY_OK;
        }
        if (psy__now_ns() >= until_ns) {
            return PSY_TIMEOUT;
        }
        psy__socket_nap(s, NULL, true, until_ns);
    }
}
