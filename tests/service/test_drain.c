/* SPDX-License-Identifier: Apache-2.0 */
/* Health, and the ways in which brokers and workers end: what is inside is finished, what is new is refused, and nothing that a
 * client holds is lost. */
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/by_hand.h"

static psy_broker_health health_of(const by_hand *h)
{
    psy_broker_health health;
    psy_broker_get_health(h->broker, &health);
    return health;
}

static uint32_t send(psy_channel *channel, const psy_pipeline *lane, uint32_t n)
{
    uint32_t sent = 0;
    question q = {.number = 1};
    while (sent < n && ask(channel, lane, &q) == PSY_OK) {
        sent++;
        q.key += 7919;
    }
    psy_channel_flush(channel);
    return sent;
}

Test(drain, what_is_inside_is_finished_and_what_is_new_refused)
{
    enum { INSIDE = 24, LATE = 8 };
    static told_log t;
    told_init(&t);
    by_hand h = by_hand_open("inproc://drain", &(psy_broker_options){.in_flight = 64, .clients = CLIENTS_ROOM}, 16, &t);
    psy_pipeline lanes[LANES];
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = 64}, lanes, NULL);
    cr_assert_eq(send(channel, &lanes[LANE_ALL], INSIDE), (uint32_t)INSIDE);
    (void)psy_broker_do_work(h.broker); /* taken in */
    psy_broker_drain(h.broker);
    for (uint64_t end = psy__now_ns() + 5 * second_ns; health_of(&h).in_flight != INSIDE && psy__now_ns() < end;) {
        (void)psy_broker_do_work(h.broker);
    }
    cr_assert_eq(send(channel, &lanes[LANE_ALL], LATE), (uint32_t)LATE);
    uint32_t late = 0, done = 0;
    for (uint64_t end = psy__now_ns() + 5 * second_ns; late < LATE && psy__now_ns() < end;) {
        (void)psy_broker_do_work(h.broker);
        late += by_hand_take(channel, PSY_CLOSED);
    }
    cr_assert_eq(late, (uint32_t)LATE);
    psy_broker_health health = health_of(&h);
    cr_assert(health.live && health.draining && !health.ready && !health.drained, "something is inside still");
    cr_assert_eq(health.in_flight, (uint32_t)INSIDE);

    psy_status status;
    psy_pipeline others[LANES];
    static told_log before;
    before = t;
    psy_channel *other = by_hand_connect(&h, &(psy_channel_options){.in_flight = 4}, others, &status); /* and rounds of all */
    cr_assert_null(other);
    cr_assert_eq(status, PSY_CLOSED, "%s", psy_status_name(status));
    cr_assert_not_null(strstr(psy_detail(), "takes nothing new"), "%s", psy_detail());
    cr_assert_gt(t.count, before.count);
    for (uint64_t end = psy__now_ns() + 5 * second_ns; (done < INSIDE || !health_of(&h).drained) && psy__now_ns() < end;) {
        by_hand_round(&h);
        done += by_hand_take(channel, PSY_OK);
    }
    cr_assert_eq(done, (uint32_t)INSIDE);
    cr_assert(health_of(&h).drained);
    psy_broker_run(h.broker); /* returns */
    psy_broker_counts counts;
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.late, LATE + 1u);
    cr_assert_eq(counts.requests, (uint64_t)INSIDE);
    cr_assert_eq(told_count(&t, "drain.begun", NULL, NULL, 0), 1u);
    cr_assert_eq(told_count(&t, "drain.ended", NULL, NULL, 0), 1u);
    cr_assert_geq(told_number(&t, "drain.ended", "refused"), (uint64_t)LATE);
    cr_assert_eq(told_count(&t, "client.refused", "status", "CLOSED", 0), 1u);
    psy_channel_close(channel);
    by_hand_close(&h);
}

/* Clients that wait for shards that never come are told so when the service gives up. */
Test(drain, who_waits_for_the_shards_is_sent_away)
{
    service s = open_broker("inproc://early", SHARDS, 16);
    client c = {.uri = s.uri, .in_flight = 4, .calls = 10, .timeout_ms = 1000};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_client, &c), 0);
    usleep(50000); /* likely it waits; if it comes later, it is refused all the same */
    uint64_t start = psy__now_ns();
    psy_broker_drain(s.broker);
    pthread_join(s.broker_thread, NULL); /* its run returns */
    psy_broker_destroy(s.broker);
    pthread_join(thread, NULL);
    cr_assert(c.setup == PSY_CLOSED || c.setup == PSY_PEER_DIED || c.setup == PSY_UNREACHABLE, "%s", psy_status_name(c.setup));
    cr_assert_lt(psy__now_ns() - start, 15 * second_ns);
}

typedef struct caller {
    const char *uri;
    uint64_t sent, ended, ok, closed, died;
    _Atomic uint64_t answered;
} caller;

/* Calls until the service is gone. */
static void *call_on(void *one)
{
    caller *c = one;
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(c->uri, 32, 30000, lanes);
    psy_status status = PSY_OK;
    while (status != PSY_CLOSED) {
        question q = {.key = c->sent, .number = 1};
        while (ask(channel, &lanes[c->sent % LANES], &q) == PSY_OK) {
            c->sent++;
        }
        psy_reply replies[16];
        uint32_t n = 0;
        status = psy_channel_poll(channel, replies, 16, &n);
        for (uint32_t i = 0; i < n; i++) {
            c->ok += replies[i].status == PSY_OK;
            c->closed += replies[i].status == PSY_CLOSED;
            c->died += replies[i].status == PSY_PEER_DIED;
            psy_channel_release(channel, &replies[i]);
        }
        c->ended += n;
        c->answered = c->ok;
    }
    psy_channel_close(channel);
    return NULL;
}

/* Under load, with threads: every call ends, and in one of three ways; none that was taken in fails. */
Test(drain, under_load_every_call_ends)
{
    enum { CALLERS = 3 };
    service s = open_service("inproc://load", 64, 16);
    static caller c[CALLERS];
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        c[i] = (caller){.uri = s.uri};
        cr_assert_eq(pthread_create(&threads[i], NULL, call_on, &c[i]), 0);
    }
    for (uint64_t end = psy__now_ns() + 20 * second_ns; psy__now_ns() < end;) {
        usleep(1000);
        if (c[0].answered > 100 && c[1].answered > 100 && c[2].answered > 100) {
            break;
        }
    }
    psy_broker_health health;
    psy_broker_get_health(s.broker, &health); /* from this thread, while it works */
    cr_assert(health.live && health.ready);
    cr_assert_eq(health.shards_missing, 0u);
    cr_assert_eq(health.clients, (uint32_t)CALLERS);
    psy_broker_drain(s.broker);
    pthread_join(s.broker_thread, NULL);
    psy_broker_counts counts;
    psy_broker_get_counts(s.broker, &counts);
    cr_assert_eq(counts.in_flight, 0u);
    psy_broker_destroy(s.broker);
    uint64_t ok = 0;
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(c[i].ended, c[i].sent);
        cr_assert_eq(c[i].ok + c[i].closed + c[i].died, c[i].ended);
        cr_assert_gt(c[i].ok, 100u);
        ok += c[i].ok;
    }
    cr_assert_eq(ok, counts.requests, "what was taken in was answered");
    for (uint32_t i = 0; i < SHARDS; i++) {
        fire(&s, i);
    }
}

/* A worker that takes its leave fails nothing that it was given; what comes while its shard is empty is refused at once, and
 * another takes its place. */
Test(drain, a_worker_takes_its_leave)
{
    enum { INSIDE = 40 };
    static told_log t;
    told_init(&t);
    by_hand h = by_hand_open("inproc://leave", &(psy_broker_options){.in_flight = 64, .clients = CLIENTS_ROOM}, 16, &t);
    psy_pipeline lanes[LANES];
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = 64}, lanes, NULL);
    psy_worker_health worker;
    cr_assert_eq(send(channel, &lanes[LANE_ALL], INSIDE), (uint32_t)INSIDE);
    (void)psy_broker_do_work(h.broker); /* both shards have all of them */
    psy_worker_drain(h.workers[1]);
    uint32_t done = 0;
    psy_worker_get_health(h.workers[1], &worker);
    for (uint64_t end = psy__now_ns() + 5 * second_ns; !worker.gone && psy__now_ns() < end;) {
        by_hand_round(&h);
        done += by_hand_take(channel, PSY_OK);
        psy_worker_get_health(h.workers[1], &worker);
    }
    cr_assert(worker.gone && worker.draining && !worker.ready);
    cr_assert_eq(psy_worker_run(h.workers[1]), PSY_OK, "it went as it was asked to: %s", psy_detail());
    done += by_hand_take(channel, PSY_OK);
    cr_assert_eq(done, (uint32_t)INSIDE);
    by_hand_round(&h);
    psy_broker_health health = health_of(&h);
    cr_assert(health.live && !health.ready);
    cr_assert_eq(health.shards_missing, UINT64_C(1) << 1);
    cr_assert_eq(health.shards_ready, 1u);
    cr_assert_eq(send(channel, &lanes[LANE_ALL], 3), 3u);
    for (uint64_t end = psy__now_ns() + 5 * second_ns; done < INSIDE + 3 && psy__now_ns() < end;) {
        by_hand_round(&h);
        done += by_hand_take(channel, PSY_PEER_DIED);
    }
    cr_assert_eq(done, INSIDE + 3u);
    cr_assert_eq(told_count(&t, "worker.left", "shard", NULL, 1), 1u);
    cr_assert_eq(told_count(&t, "worker.died", NULL, NULL, 0), 0u);
    cr_assert_eq(told_count(&t, "service.lost", NULL, NULL, 0), 0u);
    psy_broker_counts counts;
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.failures + counts.timeouts + counts.deaths, 0u);
    psy_channel_close(channel);
    by_hand_close(&h);
}

Test(drain, workers_leave_and_come_under_load)
{
    service s = open_service("inproc://turns", 256, 64);
    client c = {.uri = s.uri, .in_flight = 64, .calls = 100000, .timeout_ms = 10000};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_client, &c), 0);
    for (int i = 0; i < 5; i++) {
        usleep(20000);
        psy_worker_drain(s.workers[1]);
        pthread_join(s.threads[1], NULL); /* its run returns */
        psy_worker_health health;
        psy_worker_get_health(s.workers[1], &health);
        cr_assert(health.gone);
        psy_worker_destroy(s.workers[1]);
        hire(&s, 1, 64);
    }
    pthread_join(thread, NULL);
    psy_broker_counts counts;
    halt_broker(&s);
    psy_broker_get_counts(s.broker, &counts);
    cr_assert_eq(counts.failures, 0u, "requests that a worker had been given failed");
    cr_assert_eq(counts.deaths, 0u);
    run_broker_of(&s);
    close_service(&s);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.timeouts, 0u);
    cr_assert_eq(c.ok + c.died, c.calls);
}

/* The end of a broker, without any leave: replies that lie in the client's slab are delivered, and stay readable; every other
 * call comes back with PEER_DIED and what the caller gave with it, once. */
Test(drain, a_dead_broker_takes_nothing_with_it)
{
    enum { ANSWERED = 12, TAKEN = 5, WAITING = 7, ALL = ANSWERED + TAKEN + WAITING };
    by_hand h = by_hand_open("inproc://gone", &(psy_broker_options){.in_flight = 64, .clients = CLIENTS_ROOM}, 16, NULL);
    psy_pipeline lanes[LANES];
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = ALL}, lanes, NULL);
    for (uint32_t i = 0; i < ALL; i++) {
        question q = {.number = i + 1, .key = i};
        cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
        if (i + 1 == ANSWERED) {
            psy_channel_flush(channel);
            for (int k = 0; k < 100; k++) {
                by_hand_round(&h);
            }
        } else if (i + 1 == ANSWERED + TAKEN) {
            psy_channel_flush(channel);
            (void)psy_broker_do_work(h.broker);
        }
    }
    psy_channel_flush(channel);
    by_hand_close(&h);
    psy_reply replies[ALL];
    bool seen[ALL] = {false};
    uint32_t back = 0, n = 0;
    for (uint64_t end = psy__now_ns() + 5 * second_ns; back < ALL && psy__now_ns() < end;) {
        psy_status status = psy_channel_poll(channel, replies + back, ALL - back, &n);
        back += status == PSY_OK ? n : 0;
    }
    cr_assert_eq(back, (uint32_t)ALL);
    for (uint32_t i = 0; i < ALL; i++) {
        uint64_t number = (uint64_t)(uintptr_t)replies[i].user;
        cr_assert(number >= 1 && number <= ALL && !seen[number - 1]);
        seen[number - 1] = true;
        cr_assert_eq(replies[i].status, number <= ANSWERED ? PSY_OK : PSY_PEER_DIED, "call %lu: %s", (unsigned long)number,
                     psy_status_name(replies[i].status));
        if (replies[i].status == PSY_OK) {
            answer a;
            question q = {.number = number, .key = number - 1};
            memcpy(&a, replies[i].message, sizeof a);
            cr_assert_eq(a.digest, digest(&q));
            psy_channel_release(channel, &replies[i]);
        }
    }
    cr_assert_eq(psy_channel_poll(channel, replies, ALL, &n), PSY_CLOSED);
    psy_channel_close(channel);
}
