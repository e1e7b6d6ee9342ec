/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor, in loops that have no limit of their own: the caller's epoll, by level and by edge, and poll(2); for
 * messages, room, replies, deadlines, events. Whoever does not wake is seen by the clock, and so is who wakes for nothing. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/epoll.h>

#include "tests/socket/sockets.h"

typedef enum loop_kind { LOOP_EPOLL, LOOP_EDGES, LOOP_POLL } loop_kind;

typedef struct loop {
    loop_kind kind;
    int fd, epoll;
    uint64_t slept;
} loop;

static loop open_loop(loop_kind kind, psy_socket *s)
{
    loop l = {.kind = kind, .epoll = -1};
    int again;
    cr_assert_eq(psy_socket_fd(s, &l.fd), PSY_OK, "%s", psy_detail());
    cr_assert(psy_socket_fd(s, &again) == PSY_OK && again == l.fd);
    if (kind != LOOP_POLL) {
        struct epoll_event event = {.events = kind == LOOP_EDGES ? EPOLLIN | EPOLLET : EPOLLIN};
        l.epoll = epoll_create1(EPOLL_CLOEXEC);
        cr_assert_eq(epoll_ctl(l.epoll, EPOLL_CTL_ADD, l.fd, &event), 0, "nested too deep?");
    }
    return l;
}

static void close_loop(loop *l)
{
    if (l->epoll >= 0) {
        close(l->epoll);
    }
}

/* Sleeps until the descriptor is readable; false: it was not for so long. */
static bool sleep_in(loop *l, int timeout_ms)
{
    struct epoll_event event;
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    uint64_t start = psy__now_ns();
    int n = l->kind == LOOP_POLL ? poll(&p, 1, timeout_ms) : epoll_wait(l->epoll, &event, 1, timeout_ms);
    l->slept += psy__now_ns() - start > 20000;
    return n == 1;
}

enum { LOST_MS = 20000, ROUNDS = 2000 };

typedef struct echo {
    psy_socket *socket;
    loop_kind kind;
    _Atomic bool end;
} echo;

/* Answers every message, taking one at a time: the descriptor must say so as long as there are more. */
static void *run_echo(void *argument)
{
    echo *e = argument;
    loop l = open_loop(e->kind, e->socket);
    while (!e->end) {
        psy_parcel m;
        psy_status status = psy_socket_peek(e->socket, &m, 0);
        if (status == PSY_EMPTY) {
            (void)sleep_in(&l, 200);
        } else if (status == PSY_OK) {
            (void)!psy_socket_send_bytes(e->socket, m.peer, m.data, m.bytes, 0);
            psy_socket_release(e->socket);
            if (e->kind != LOOP_EDGES) { /* back into the loop, with more perhaps waiting: a level says so */
                (void)sleep_in(&l, LOST_MS);
            }
        }
    }
    close_loop(&l);
    return NULL;
}

static void ping(const char *uri, loop_kind kind)
{
    couple c = open_couple(uri, NULL, NULL);
    echo e = {.socket = c.bound, .kind = kind};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_echo, &e), 0);
    loop l = open_loop(kind, c.connected);
    uint64_t got = 0, sent = 0;
    while (got < ROUNDS) {
        uint32_t burst = 1 + (uint32_t)(sent % 5), bytes;
        for (uint32_t i = 0; i < burst; i++, sent++) {
            cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, &sent, sizeof sent, 0), PSY_OK, "%s", psy_detail());
        }
        for (uint64_t number; got < sent;) {
            psy_status status = psy_socket_receive_bytes(c.connected, &number, sizeof number, &bytes, NULL, 0);
            if (status == PSY_OK) {
                cr_assert_eq(number, got++);
            } else {
                cr_assert_eq(status, PSY_EMPTY, "%s", psy_detail());
                cr_assert(sleep_in(&l, LOST_MS), "message %lu: its wake-up is lost", (unsigned long)got);
            }
        }
    }
    cr_assert_gt(l.slept, 0u, "never slept: nothing was tested");
    e.end = true;
    pthread_join(thread, NULL);
    /* Nothing to do: silent. */
    psy_parcel m;
    cr_assert_eq(psy_socket_peek(c.connected, &m, 0), PSY_EMPTY);
    uint32_t woken = 0;
    while (sleep_in(&l, 50)) { /* what was rung late may still wake it, once or twice */
        cr_assert_eq(psy_socket_peek(c.connected, &m, 0), PSY_EMPTY);
        cr_assert_lt(++woken, 10u, "it wakes for nothing, again and again");
    }
    close_loop(&l);
    close_couple(&c);
}
OVER_ALL(messages, in_epoll) { ping(uri, LOOP_EPOLL); }
OVER_ALL(messages, by_edges) { ping(uri, LOOP_EDGES); }
OVER_ALL(messages, in_poll) { ping(uri, LOOP_POLL); }

/* Room is something to wake up for, too: a sender that found none, a receiver that takes its time. */
typedef struct taker {
    psy_socket *socket;
    uint32_t messages;
    psy_status status;
} taker;

static void *run_taker(void *argument)
{
    taker *t = argument;
    char data[1000];
    uint32_t bytes;
    for (uint32_t i = 0; i < t->messages && t->status == PSY_OK; i++) {
        t->status = psy_socket_receive_bytes(t->socket, data, sizeof data, &bytes, NULL, 20 * second_ns);
        if (i % 64 == 0) {
            usleep(1000);
        }
    }
    return NULL;
}

OVER_ALL(room, wakes_who_found_none)
{
    enum { MESSAGES = 3000 };
    psy_socket_options o = {.message_bytes_max = 1000, .queue_bytes = 8192};
    couple c = open_couple(uri, &o, &o);
    taker t = {.socket = c.bound, .messages = MESSAGES};
    pthread_t thread;
    char data[1000] = {0};
    loop l = open_loop(LOOP_EPOLL, c.connected);
    cr_assert_eq(pthread_create(&thread, NULL, run_taker, &t), 0);
    for (uint32_t sent = 0; sent < MESSAGES;) {
        psy_status status = psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, data, 100 + sent % 900, 0);
        if (status == PSY_OK) {
            sent++;
        } else {
            cr_assert_eq(status, PSY_FULL, "%s", psy_detail());
            cr_assert(sleep_in(&l, LOST_MS), "message %u: room came, and nobody was woken", sent);
        }
    }
    cr_assert_gt(l.slept, 0u);
    pthread_join(thread, NULL);
    cr_assert_eq(t.status, PSY_OK);
    close_loop(&l);
    close_couple(&c);
}

/* Replies and deadlines, polled for or called back. */
static uint32_t called;
static void done(void *user, const psy_completion *c)
{
    (void)user;
    called++;
    cr_assert_eq(c->status, PSY_OK, "%s", psy_status_name(c->status));
}

static void ask_in_a_loop(const char *uri, loop_kind kind, bool callback)
{
    service s = open_service(uri, 16, 16);
    psy_socket *socket;
    uint32_t lane, n;
    cr_assert_eq(psy_socket_connect(uri, NULL, &socket), PSY_OK);
    cr_assert_eq(psy_socket_pipeline(socket, "key", &question_type, &answer_type, &lane), PSY_OK);
    loop l = open_loop(kind, socket);
    psy_completion c;
    psy_status status;
    called = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) { /* the first waits for the connection, too */
        question q = {.number = i + 1, .key = i};
        cr_assert_eq(psy_socket_call_async(socket, lane, &q, 30 * second_ns, callback ? done : NULL, NULL, NULL), PSY_OK);
        while ((status = psy_socket_poll(socket, &c, 1, &n)) == PSY_EMPTY && called <= i) {
            cr_assert(sleep_in(&l, LOST_MS), "call %u: its wake-up is lost", i);
        }
        if (status == PSY_OK) {
            cr_assert_eq(c.status, PSY_OK, "%s", psy_status_name(c.status));
            psy_socket_release_reply(socket, &c);
        }
    }
    cr_assert_eq(called, callback ? (uint32_t)ROUNDS : 0u);
    /* A deadline. */
    question q = {.number = 1, .stall_ns = second_ns / 2};
    uint64_t start = psy__now_ns();
    cr_assert_eq(psy_socket_call_async(socket, lane, &q, 50000000, NULL, NULL, NULL), PSY_OK);
    while (psy_socket_poll(socket, &c, 1, &n) == PSY_EMPTY) {
        cr_assert(sleep_in(&l, LOST_MS));
    }
    cr_assert_eq(c.status, PSY_TIMEOUT, "%s", psy_status_name(c.status));
    cr_assert_geq(psy__now_ns() - start, 50000000u);
    /* The end of the service, and a new one. */
    psy_socket_event event;
    while (psy_socket_next_event(socket, &event) == PSY_OK) {
    }
    close_service(&s);
    while (psy_socket_next_event(socket, &event) == PSY_EMPTY) {
        cr_assert(sleep_in(&l, LOST_MS), "the end is something to hear of");
    }
    cr_assert_eq(event.kind, PSY_SOCKET_LOST);
    s = open_service(uri, 16, 16);
    do {
        while (psy_socket_next_event(socket, &event) == PSY_EMPTY) {
            cr_assert(sleep_in(&l, LOST_MS), "connecting again is done while one sleeps in a loop of one's own");
        }
    } while (event.kind != PSY_SOCKET_GAINED);
    close_loop(&l);
    psy_socket_close(socket);
    close_service(&s);
}
OVER_ALL(replies, polled_in_epoll) { ask_in_a_loop(uri, LOOP_EPOLL, false); }
OVER_ALL(replies, polled_by_edges) { ask_in_a_loop(uri, LOOP_EDGES, false); }
OVER_ALL(replies, polled_in_poll) { ask_in_a_loop(uri, LOOP_POLL, false); }
OVER_ALL(replies, called_back_in_epoll) { ask_in_a_loop(uri, LOOP_EPOLL, true); }
