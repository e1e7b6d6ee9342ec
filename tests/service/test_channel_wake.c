/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side, beyond calling and waiting: deadlines of single calls, cancelling, the descriptor for a loop of one's own,
 * draining, agents in the caller's thread, and what errors say of the peer. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/agents.h"

/* Claims and commits with a deadline; *call says which it was. */
static void ask_until(psy_channel *channel, const psy_pipeline *lane, const question *q, uint64_t deadline_ns, psy_call *call)
{
    cr_assert_eq(psy_channel_claim(channel, lane, call), PSY_OK, "%s", psy_detail());
    memcpy(call->message, q, sizeof *q);
    psy_channel_commit_until(channel, call, (void *)(uintptr_t)q->number, deadline_ns);
}

/* The next reply, within ten seconds. */
static psy_reply next_reply(psy_channel *channel)
{
    psy_reply reply = {0};
    uint32_t n = 0;
    uint64_t end = psy__now_ns() + 10 * second_ns;
    psy_status status;
    while ((status = psy_channel_poll(channel, &reply, 1, &n)) == PSY_EMPTY) {
        cr_assert_lt(psy__now_ns(), end, "no reply");
        cr_assert_neq(psy_channel_wait(channel, second_ns), PSY_CLOSED, "%s", psy_detail());
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    return reply;
}

/* Each call ends at its own deadline, at the client's clock: not before, and not a tick of the service later. */
Test(deadlines, of_single_calls)
{
    enum { CALLS = 6 };
    service s = open_broker("inproc://single-deadlines", 1, 64);
    hire(&s, 0, 16);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, CALLS, 10000, lanes);
    question q = {.number = 100, .stall_ns = second_ns};
    psy_call call;
    ask_until(channel, &lanes[LANE_ANY], &q, UINT64_MAX, &call); /* keeps the worker busy */
    psy_channel_flush(channel);
    usleep(5000);
    static const uint64_t wait_ns[] = {90000000, 30000000, 60000000, 0};
    uint64_t start = psy__now_ns();
    for (uint32_t i = 0; i < 4; i++) {
        q = (question){.number = i + 1};
        ask_until(channel, &lanes[LANE_ANY], &q, start + wait_ns[i], &call);
    }
    static const uint64_t order[] = {4, 2, 3, 1};
    for (uint32_t i = 0; i < 4; i++) {
        psy_reply reply = next_reply(channel);
        uint64_t took = psy__now_ns() - start, number = (uint64_t)(uintptr_t)reply.user;
        cr_assert_eq(reply.status, PSY_TIMEOUT, "%s", psy_status_name(reply.status));
        cr_assert_eq(number, order[i], "%lu came in place of %lu", (unsigned long)number, (unsigned long)order[i]);
        cr_assert(took >= wait_ns[number - 1] && took < wait_ns[number - 1] + 500000000, "%lu us", (unsigned long)took / 1000);
    }
    psy_reply reply = next_reply(channel);
    cr_assert_eq(reply.status, PSY_OK, "%s", psy_status_name(reply.status));
    cr_assert_eq((uintptr_t)reply.user, 100u);
    psy_channel_release(channel, &reply);
    psy_channel_close(channel);
    close_service(&s);
}

/* A cancelled call ends once, at once, and its slot comes back only when its writer has let go of it. */
static void cancel_calls(const char *uri)
{
    enum { CALLS = 8 };
    service s = open_broker(uri, 1, 64);
    hire(&s, 0, 1);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, CALLS, 10000, lanes);
    for (uint32_t round = 0; round < 3; round++) {
        psy_call calls[CALLS];
        for (uint32_t i = 0; i < CALLS; i++) {
            question q = {.number = i + 1, .stall_ns = i == 0 ? 200000000 : 0};
            ask_until(channel, &lanes[LANE_ANY], &q, UINT64_MAX, &calls[i]);
        }
        psy_channel_flush(channel);
        cr_assert_eq(psy_channel_cancel(channel, NULL), PSY_INVALID);
        for (uint32_t i = 0; i < CALLS; i += 2) {
            cr_assert_eq(psy_channel_cancel(channel, &calls[i]), PSY_OK);
            cr_assert_eq(psy_channel_cancel(channel, &calls[i]), PSY_NOT_FOUND, "once");
        }
        cr_assert_eq(psy_channel_wait(channel, 0), PSY_OK, "there is something to poll");
        uint32_t seen[CALLS] = {0};
        for (uint32_t i = 0; i < CALLS; i++) {
            psy_reply reply = next_reply(channel);
            uint64_t number = (uint64_t)(uintptr_t)reply.user;
            cr_assert(number >= 1 && number <= CALLS && seen[number - 1]++ == 0);
            cr_assert_eq(reply.status, number % 2 ? PSY_CANCELLED : PSY_OK, "call %lu: %s", (unsigned long)number,
                         psy_status_name(reply.status));
            cr_assert(i >= CALLS / 2 || reply.status == PSY_CANCELLED, "cancelled ones do not wait");
            psy_channel_release(channel, &reply);
        }
        cr_assert_eq(psy_channel_outstanding(channel), 0u);
        cr_assert_eq(psy_channel_cancel(channel, &calls[1]), PSY_NOT_FOUND, "it has ended");
        psy_call back;
        psy_reply held[CALLS];
        uint32_t answered = 0;
        uint64_t end = psy__now_ns() + 10 * second_ns;
        for (uint32_t i = 0; i < CALLS; i++) { /* all slots come back */
            question q = {.number = i + 1};
            psy_status status;
            while ((status = psy_channel_claim(channel, &lanes[LANE_ANY], &back)) == PSY_FULL) {
                psy_reply early; /* held, so that its slot is none of those that come back */
                uint32_t n;
                cr_assert_lt(psy__now_ns(), end, "a slot is lost");
                if (psy_channel_poll(channel, &early, 1, &n) == PSY_OK) {
                    cr_assert_eq(early.status, PSY_OK);
                    held[answered++] = early;
                }
                usleep(1000);
            }
            cr_assert_eq(status, PSY_OK);
            memcpy(back.message, &q, sizeof q);
            psy_channel_commit(channel, &back, NULL);
        }
        for (uint32_t i = 0; i < answered; i++) {
            psy_channel_release(channel, &held[i]);
        }
        for (uint32_t i = answered; i < CALLS; i++) {
            psy_reply reply = next_reply(channel);
            cr_assert_eq(reply.status, PSY_OK);
            psy_channel_release(channel, &reply);
        }
    }
    psy_channel_close(channel);
    close_service(&s);
}
Test(cancel, between_threads) { cancel_calls("inproc://cancel"); }
Test(cancel, over_a_socket) { cancel_calls(own_ipc_address()); }

/* Cancelling races with replies: whatever comes first, each call ends once, and what is said of it is true. */
Test(cancel, against_replies)
{
    enum { CALLS = 4000, AT_ONCE = 16 };
    service s = open_service("inproc://cancel-race", 64, 16);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, 2 * AT_ONCE, 10000, lanes);
    uint32_t cancelled = 0, answered = 0, ended = 0, promised = 0;
    for (uint32_t sent = 0; sent < CALLS || ended < sent;) {
        psy_call calls[AT_ONCE];
        uint32_t n = 0;
        for (; n < AT_ONCE && sent < CALLS; n++) {
            question q = {.number = sent + 1, .key = sent};
            if (psy_channel_claim(channel, &lanes[sent % LANES], &calls[n]) != PSY_OK) {
                break;
            }
            memcpy(calls[n].message, &q, sizeof q);
            psy_channel_commit(channel, &calls[n], NULL);
            sent++;
        }
        psy_channel_flush(channel);
        for (uint32_t spins = 0; spins < sent % 97 * 20; spins++) {
            psy__relax();
        }
        for (uint32_t i = 0; i < n; i++) {
            promised += psy_channel_cancel(channel, &calls[i]) == PSY_OK;
        }
        psy_reply replies[AT_ONCE];
        uint32_t got = 0;
        psy_status status = psy_channel_poll(channel, replies, AT_ONCE, &got);
        cr_assert(status == PSY_OK || status == PSY_EMPTY, "%s", psy_detail());
        for (uint32_t i = 0; i < got; i++) {
            cancelled += replies[i].status == PSY_CANCELLED;
            answered += replies[i].status == PSY_OK;
            psy_channel_release(channel, &replies[i]);
        }
        ended += got;
        if (got == 0) {
            usleep(500);
        }
    }
    cr_assert_eq(cancelled, promised, "%u were promised, %u were cancelled", promised, cancelled);
    cr_assert_eq(cancelled + answered, (uint32_t)CALLS);
    psy_channel_close(channel);
    close_service(&s);
}

/* One call at a time, and between them nothing but the caller's own loop, which sleeps without a limit of its own: a wake-up
 * that is lost hangs, and is seen by the clock. */
static void own_loop(const char *uri, bool edge)
{
    enum { CALLS = 3000 };
    service s = open_service(uri, 16, 16);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, 2, 30000, lanes);
    int fd, again, loop = epoll_create1(EPOLL_CLOEXEC);
    cr_assert_eq(psy_channel_fd(channel, &fd), PSY_OK, "%s", psy_detail());
    cr_assert(psy_channel_fd(channel, &again) == PSY_OK && again == fd);
    struct epoll_event event = {.events = edge ? EPOLLIN | EPOLLET : EPOLLIN};
    cr_assert_eq(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), 0);
    uint32_t slept = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.number = i + 1, .key = i};
        cr_assert_eq(ask(channel, &lanes[i % LANES], &q), PSY_OK);
        psy_reply reply;
        uint32_t n = 0;
        psy_status status;
        while ((status = psy_channel_poll(channel, &reply, 1, &n)) == PSY_EMPTY) {
            if (psy_channel_arm(channel)) {
                slept++;
                cr_assert_eq(epoll_wait(loop, &event, 1, 20000), 1, "call %u: its wake-up is lost", i);
            }
        }
        cr_assert_eq(status, PSY_OK);
        cr_assert_eq(reply.status, PSY_OK, "%s", psy_status_name(reply.status));
        psy_channel_release(channel, &reply);
    }
    cr_assert_gt(slept, 0u, "never slept: nothing was tested");
    /* What came before it was armed is seen by arming. */
    question early = {.number = 1};
    psy_reply reply;
    uint32_t n;
    uint64_t end = psy__now_ns() + 10 * second_ns;
    cr_assert_eq(ask(channel, &lanes[LANE_ANY], &early), PSY_OK);
    while (psy_channel_arm(channel)) {
        cr_assert_lt(psy__now_ns(), end, "a reply that is there is not seen");
        usleep(1000);
    }
    cr_assert_eq(psy_channel_poll(channel, &reply, 1, &n), PSY_OK);
    psy_channel_release(channel, &reply);
    /* Nothing to do: silent. */
    struct pollfd p = {.fd = fd, .events = POLLIN};
    cr_assert(psy_channel_arm(channel));
    cr_assert_eq(poll(&p, 1, 60), 0, "readable for nothing");
    /* A deadline is a reason to wake up, and so is the end. */
    question q = {.number = 1, .stall_ns = second_ns / 2};
    psy_call call;
    ask_until(channel, &lanes[LANE_ANY], &q, psy__now_ns() + 50000000, &call);
    cr_assert(psy_channel_arm(channel));
    cr_assert_eq(poll(&p, 1, 10000), 1);
    cr_assert_eq(psy_channel_poll(channel, &reply, 1, &n), PSY_OK);
    cr_assert_eq(reply.status, PSY_TIMEOUT, "%s", psy_status_name(reply.status));
    while (!psy_channel_arm(channel)) {
        cr_assert_eq(psy_channel_poll(channel, &reply, 1, &n), PSY_EMPTY);
    }
    close_service(&s);
    psy_status status;
    do {
        cr_assert_eq(poll(&p, 1, 10000), 1, "the end is something to hear of");
        status = psy_channel_poll(channel, &reply, 1, &n);
        cr_assert(status == PSY_CLOSED || status == PSY_EMPTY);
    } while (status == PSY_EMPTY && (psy_channel_arm(channel) || true));
    cr_assert(strstr(psy_detail(), s.uri) && strstr(psy_detail(), "(process "), "%s", psy_detail());
    cr_assert_not(psy_channel_arm(channel), "one does not sleep beside a closed one");
    cr_assert_eq(poll(&p, 1, 0), 0, "and is not woken by it for ever");
    close(loop);
    psy_channel_close(channel);
}
Test(descriptor, between_threads) { own_loop("inproc://own-loop", false); }
Test(descriptor, over_a_socket) { own_loop(own_ipc_address(), false); }
Test(descriptor, told_by_edges) { own_loop("inproc://own-loop-edges", true); }

Test(drain, ends_what_is_out_and_takes_no_more)
{
    enum { CALLS = 20 };
    service s = open_service("inproc://drain", 64, 4);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, CALLS, 10000, lanes);
    psy_status statuses[CALLS];
    uint64_t digests[CALLS];
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.number = i + 1, .key = i, .stall_ns = 5000000};
        digests[i] = digest(&q);
        cr_assert_eq(ask(channel, &lanes[i % LANES], &q), PSY_OK);
    }
    psy_channel_drain(channel);
    psy_call call;
    cr_assert_eq(psy_channel_claim(channel, &lanes[0], &call), PSY_CLOSED);
    cr_assert(strstr(psy_detail(), "drained") && strstr(psy_detail(), s.uri), "%s", psy_detail());
    cr_assert_eq(take_replies(channel, CALLS, 10 * second_ns, statuses, digests), (uint32_t)CALLS);
    for (uint32_t i = 0; i < CALLS; i++) {
        cr_assert_eq(statuses[i], PSY_OK);
    }
    psy_reply reply;
    uint32_t n;
    cr_assert_eq(psy_channel_poll(channel, &reply, 1, &n), PSY_CLOSED);
    cr_assert_eq(psy_channel_wait(channel, second_ns), PSY_CLOSED);
    psy_channel_close(channel);
    close_service(&s);
}

/* ---- a service inside of its client ---- */

typedef struct inside {
    psy_broker *broker;
    psy_worker *workers[SHARDS];
    uint32_t rounds;
} inside;

/* Never at rest, and never of any use. */
static uint32_t idle_work(void *context)
{
    ++*(uint32_t *)context;
    return 1;
}

Test(inside, an_agent_that_is_always_busy_hides_no_deadline)
{
    service s = open_broker("inproc://busy-agent", 1, 64);
    hire(&s, 0, 1);
    uint32_t rounds = 0;
    psy_channel_options o = {.in_flight = 4, .agent = {idle_work, &rounds}};
    psy_channel *channel;
    psy_pipeline lane;
    psy_call call;
    cr_assert_eq(psy_channel_connect(s.uri, &o, &channel), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_open(channel, "any", &question_type, &answer_type, &lane), PSY_OK, "%s", psy_detail());
    question q = {.number = 1, .stall_ns = second_ns / 2};
    uint64_t start = psy__now_ns();
    ask_until(channel, &lane, &q, start + 40000000, &call);
    cr_assert_eq(psy_channel_wait(channel, 10 * second_ns), PSY_OK);
    cr_assert_lt(psy__now_ns() - start, second_ns);
    psy_reply replies[2];
    uint32_t n;
    cr_assert_eq(psy_channel_poll(channel, replies, 2, &n), PSY_OK);
    cr_assert(n == 1 && replies[0].status == PSY_TIMEOUT, "%s", psy_status_name(replies[0].status));
    cr_assert_eq(psy_channel_wait(channel, 10000000), PSY_TIMEOUT);
    cr_assert_gt(rounds, 2u);
    psy_channel_close(channel);
    close_service(&s);
}

static uint32_t work_inside(void *context)
{
    inside *in = context;
    uint32_t n = psy_broker_do_work(in->broker);
    in->rounds++;
    for (uint32_t i = 0; i < SHARDS; i++) {
        n += in->workers[i] ? psy_worker_do_work(in->workers[i]) : 0;
    }
    return n;
}

/* Broker, workers and client on one thread: calls are answered with nobody else to do it. */
static void live_inside(const char *uri)
{
    enum { CALLS = 500 };
    service s = open_service(uri, 64, 16); /* workers are hired with threads, which end before the client begins */
    halt_broker(&s);
    inside in = {.broker = s.broker};
    for (uint32_t i = 0; i < SHARDS; i++) {
        psy_worker_stop(s.workers[i]);
        pthread_join(s.threads[i], NULL);
        in.workers[i] = s.workers[i];
    }
    psy_channel_options o = {.in_flight = 8, .agent = {work_inside, &in}};
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    cr_assert_eq(psy_channel_connect(s.uri, &o, &channel), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < LANES; i++) {
        cr_assert_eq(psy_channel_open(channel, lane_names[i], &question_type, &answer_type, &lanes[i]), PSY_OK, "%s",
                     psy_detail());
    }
    cr_assert_gt(in.rounds, 0u);
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.number = i + 1, .key = i};
        psy_reply reply;
        cr_assert_eq(psy_channel_call(channel, &lanes[i % LANES], &q, &reply), PSY_OK, "%s", psy_detail());
        cr_assert_eq(((const answer *)reply.message)->digest, digest(&q));
        psy_channel_release(channel, &reply);
    }
    question q = {.number = 1};
    psy_call call;
    in.workers[0] = in.workers[1] = NULL; /* nobody answers: time goes on all the same */
    ask_until(channel, &lanes[LANE_ANY], &q, psy__now_ns() + 30000000, &call);
    cr_assert_eq(next_reply(channel).status, PSY_TIMEOUT);
    psy_channel_close(channel);
    for (uint32_t i = 0; i < SHARDS; i++) {
        psy_worker_destroy(s.workers[i]);
    }
    psy_broker_destroy(s.broker);
}
Test(inside, between_threads) { live_inside("inproc://inside"); }
Test(inside, over_a_socket) { live_inside(own_ipc_address()); }
