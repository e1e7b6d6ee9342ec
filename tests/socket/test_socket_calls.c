/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to a service: every one ends once and rightly, whatever becomes of the service, the socket or the time. */
#define _GNU_SOURCE
#include "tests/socket/sockets.h"

static psy_socket *call_up(const char *uri, const psy_socket_options *o, uint32_t lanes[LANES])
{
    psy_socket *s;
    cr_assert_eq(psy_socket_connect(uri, o, &s), PSY_OK, "%s", psy_detail());
    for (int i = 0; i < LANES; i++) {
        cr_assert_eq(psy_socket_pipeline(s, lane_names[i], &question_type, &answer_type, &lanes[i]), PSY_OK, "%s",
                     psy_detail());
    }
    return s;
}

/* What each call came to: by number, from 1. */
typedef struct tally {
    uint32_t ended[20001];
    psy_status status[20001];
    uint32_t all, by_status[256], wrong;
} tally;

static void count(tally *t, uint64_t number, const psy_completion *c)
{
    t->ended[number]++;
    t->status[number] = c->status;
    t->all++;
    t->by_status[(uint8_t)c->status]++;
    if (c->status == PSY_OK) {
        question q = {.number = number, .key = number};
        const answer *a = c->message;
        t->wrong += a->number != number || a->digest != digest(&q) || c->bytes != sizeof *a;
    } else {
        t->wrong += c->message != NULL;
    }
}

static tally *counted; /* for callbacks: the number is all that they are given */
static void done(void *user, const psy_completion *c) { count(counted, (uint64_t)(uintptr_t)user, c); }

OVER_ALL(calls, one_at_a_time_and_many)
{
    enum { CALLS = 5000 };
    holdings before = holdings_now();
    service s = open_service(uri, 64, 16);
    uint32_t lanes[LANES], again;
    psy_socket_options o = {.in_flight = 32};
    psy_socket *socket = call_up(uri, &o, lanes);
    cr_assert(psy_socket_pipeline(socket, "key", &question_type, &answer_type, &again) == PSY_OK && again == lanes[LANE_KEY]);
    answer a;
    for (uint64_t i = 1; i <= 300; i++) {
        question q = {.number = i, .key = i};
        cr_assert_eq(psy_socket_call(socket, lanes[i % LANES], &q, &a, 10 * second_ns), PSY_OK, "%s", psy_detail());
        cr_assert(a.number == i && a.digest == digest(&q));
    }
    /* Half by callback, half by polling. */
    tally *t = counted = calloc(1, sizeof *t);
    uint64_t sent = 0, end = psy__now_ns() + 30 * second_ns;
    while (t->all < CALLS) {
        while (sent < CALLS) {
            question q = {.number = sent + 1, .key = sent + 1};
            psy_status status = psy_socket_call_async(socket, lanes[sent % LANES], &q, 20 * second_ns, sent % 2 ? done : NULL,
                                                      (void *)(uintptr_t)(sent + 1), NULL);
            if (status == PSY_FULL) {
                break;
            }
            cr_assert_eq(status, PSY_OK, "%s", psy_detail());
            sent++;
        }
        psy_completion completions[8];
        uint32_t n;
        cr_assert_neq(psy_socket_wait(socket, second_ns), PSY_INVALID);
        while (psy_socket_poll(socket, completions, 8, &n) == PSY_OK) {
            for (uint32_t i = 0; i < n; i++) {
                count(t, (uint64_t)(uintptr_t)completions[i].user, &completions[i]);
                psy_socket_release_reply(socket, &completions[i]);
                psy_socket_release_reply(socket, &completions[i]);
            }
        }
        cr_assert_lt(psy__now_ns(), end, "%u of %lu ended", t->all, (unsigned long)sent);
    }
    cr_assert_eq(t->wrong, 0u);
    cr_assert_eq(t->by_status[PSY_OK], (uint32_t)CALLS);
    for (uint32_t i = 1; i <= CALLS; i++) {
        cr_assert_eq(t->ended[i], 1u);
    }
    free(t);
    psy_socket_close(socket);
    close_service(&s);
    nothing_leaked(getpid(), before);
}

/* A call may come before its service; the deadline runs all the same. */
OVER_ALL(calls, before_there_is_a_service)
{
    uint32_t lanes[LANES];
    psy_socket *socket = call_up(uri, NULL, lanes);
    question q = {.number = 7, .key = 7};
    answer a;
    uint64_t start = psy__now_ns();
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_KEY], &q, &a, 30000000), PSY_TIMEOUT);
    uint64_t took = psy__now_ns() - start;
    cr_assert(took >= 30000000 && took < 2 * second_ns, "%lu", (unsigned long)took);
    cr_assert(strstr(psy_detail(), uri) && strstr(psy_detail(), "nobody serves"), "%s", psy_detail());
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_KEY], &q, &a, 0), PSY_TIMEOUT);
    tally *t = counted = calloc(1, sizeof *t);
    cr_assert_eq(psy_socket_call_async(socket, lanes[LANE_KEY], &q, PSY_FOREVER, done, (void *)7, NULL), PSY_OK);
    service s = open_service(uri, 64, 16);
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_ALL], &q, &a, 10 * second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(a.digest, digest(&q));
    while (t->all == 0) {
        cr_assert_eq(psy_socket_wait(socket, 10 * second_ns), PSY_OK);
    }
    cr_assert(t->status[7] == PSY_OK && t->wrong == 0);
    cr_assert_eq(psy_socket_send_bytes(socket, PSY_PEER_ONLY, "x", 1, 0), PSY_INVALID, "it is a service");
    cr_assert_not_null(strstr(psy_detail(), "psy_socket_call"), "%s", psy_detail());
    psy_parcel m;
    cr_assert_eq(psy_socket_peek(socket, &m, 0), PSY_INVALID);
    psy_socket_close(socket);
    close_service(&s);
    free(t);
}

OVER_ALL(calls, that_the_service_refuses)
{
    service s = open_service(uri, 64, 16);
    uint32_t lanes[LANES], none, other;
    psy_socket *socket = call_up(uri, NULL, lanes);
    psy_type wrong = question_type;
    wrong.layout_hash = 1;
    question q = {.number = 1, .key = 1};
    answer a;
    cr_assert_eq(psy_socket_pipeline(socket, "alll", &question_type, &answer_type, &none), PSY_OK);
    cr_assert_eq(psy_socket_pipeline(socket, "all", &wrong, &answer_type, &other), PSY_OK);
    cr_assert_neq(other, lanes[LANE_ALL]);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(psy_socket_call(socket, none, &q, &a, 5 * second_ns), PSY_NOT_FOUND, "%s", psy_detail());
        cr_assert(strstr(psy_detail(), "alll") && strstr(psy_detail(), "all, key, any") && strstr(psy_detail(), uri), "%s",
                  psy_detail());
        cr_assert_eq(psy_socket_call(socket, other, &q, &a, 5 * second_ns), PSY_LAYOUT, "%s", psy_detail());
        cr_assert_eq(psy_socket_call(socket, lanes[LANE_ANY], &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
        usleep(120000); /* it is asked for again */
    }
    q.status = PSY_NOT_FOUND;
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_ANY], &q, &a, 5 * second_ns), PSY_NOT_FOUND);
    cr_assert(strstr(psy_detail(), "any") && strstr(psy_detail(), uri), "%s", psy_detail());
    cr_assert_eq(psy_socket_call(socket, 99, &q, &a, second_ns), PSY_INVALID);
    psy_socket_close(socket);
    close_service(&s);
}

static psy_socket *the_socket;
static uint32_t the_lane, restarts;
/* What callbacks may and may not do. */
static void call_again(void *user, const psy_completion *c)
{
    question q = {.number = 1, .key = 1};
    answer a;
    (void)user;
    cr_assert_eq(c->status, PSY_OK);
    cr_assert_eq(psy_socket_call(the_socket, the_lane, &q, &a, second_ns), PSY_INVALID);
    cr_assert_eq(psy_socket_wait(the_socket, 0), PSY_INVALID);
    cr_assert_eq(psy_socket_drain(the_socket, 0), PSY_INVALID);
    cr_assert_eq(psy_socket_cancel(the_socket, c->call), PSY_NOT_FOUND, "it has ended");
    if (++restarts < 100) {
        cr_assert_eq(psy_socket_call_async(the_socket, the_lane, &q, PSY_FOREVER, call_again, NULL, NULL), PSY_OK, "%s",
                     psy_detail());
    } else {
        psy_socket_close(the_socket); /* takes no more; it is closed outside */
        cr_assert_eq(psy_socket_call_async(the_socket, the_lane, &q, PSY_FOREVER, call_again, NULL, NULL), PSY_CLOSED);
    }
}

OVER_ALL(calls, out_of_callbacks)
{
    service s = open_service(uri, 64, 16);
    uint32_t lanes[LANES];
    psy_socket_options o = {.in_flight = 2};
    question q = {.number = 1, .key = 1};
    the_socket = call_up(uri, &o, lanes);
    the_lane = lanes[LANE_KEY];
    restarts = 0;
    cr_assert_eq(psy_socket_call_async(the_socket, the_lane, &q, PSY_FOREVER, call_again, NULL, NULL), PSY_OK);
    uint64_t end = psy__now_ns() + 20 * second_ns;
    while (restarts < 100) {
        cr_assert_neq(psy_socket_wait(the_socket, second_ns), PSY_INVALID);
        cr_assert_lt(psy__now_ns(), end);
    }
    psy_socket_close(the_socket);
    close_service(&s);
}

/* Deadlines, cancelling and closing: one completion each, at once. */
OVER_ALL(ends, come_once)
{
    enum { CALLS = 12 };
    service s = open_broker(uri, 1, 64);
    hire(&s, 0, 1);
    uint32_t lanes[LANES];
    psy_socket_options o = {.in_flight = CALLS};
    psy_socket *socket = call_up(uri, &o, lanes);
    tally *t = counted = calloc(1, sizeof *t);
    question q = {.number = 1, .key = 1};
    answer a;
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_ANY], &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
    uint64_t numbers[CALLS + 1];
    for (uint64_t i = 1; i <= CALLS; i++) { /* the first keeps the worker busy */
        q = (question){.number = i, .key = i, .stall_ns = i == 1 ? 300000000 : 0};
        cr_assert_eq(psy_socket_call_async(socket, lanes[LANE_ANY], &q, i % 3 == 0 ? 50000000 : PSY_FOREVER,
                                           i % 2 ? done : NULL, (void *)(uintptr_t)i, &numbers[i]),
                     PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_socket_call_async(socket, lanes[LANE_ANY], &q, PSY_FOREVER, done, NULL, NULL), PSY_FULL);
    cr_assert_eq(psy_socket_cancel(socket, numbers[4]), PSY_OK);
    cr_assert_eq(psy_socket_cancel(socket, numbers[5]), PSY_OK);
    cr_assert_eq(psy_socket_cancel(socket, numbers[5]), PSY_NOT_FOUND);
    cr_assert_eq(psy_socket_cancel(socket, numbers[5] + 1000000), PSY_NOT_FOUND);
    cr_assert_eq(psy_socket_drain(socket, 100000000), PSY_TIMEOUT, "the first call takes longer");
    cr_assert_not_null(strstr(psy_detail(), "calls have not ended"), "%s", psy_detail());
    cr_assert_eq(psy_socket_drain(socket, 10 * second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_ANY], &q, &a, second_ns), PSY_CLOSED);
    psy_completion c;
    uint32_t n;
    while (psy_socket_poll(socket, &c, 1, &n) == PSY_OK) {
        count(t, (uint64_t)(uintptr_t)c.user, &c);
        psy_socket_release_reply(socket, &c);
    }
    for (uint32_t i = 1; i <= CALLS; i++) {
        psy_status right = i == 4 || i == 5 ? PSY_CANCELLED : i % 3 == 0 ? PSY_TIMEOUT : PSY_OK;
        cr_assert_eq(t->ended[i], 1u, "call %u ended %u times", i, t->ended[i]);
        cr_assert_eq(t->status[i], right, "call %u: %s", i, psy_status_name(t->status[i]));
    }
    cr_assert_eq(t->wrong, 0u);
    psy_socket_close(socket);

    /* Closing ends those that are out. */
    memset(t, 0, sizeof *t);
    socket = call_up(uri, &o, lanes);
    for (uint64_t i = 1; i <= 4; i++) {
        q = (question){.number = i, .stall_ns = 50000000};
        cr_assert_eq(psy_socket_call_async(socket, lanes[LANE_ANY], &q, PSY_FOREVER, done, (void *)(uintptr_t)i, NULL), PSY_OK);
    }
    psy_socket_close(socket);
    cr_assert(t->all == 4 && t->by_status[PSY_CLOSED] == 4);
    close_service(&s);
    free(t);
}

/* A service dies with calls inside, and another takes its place: pipelines are agreed again, nothing ends twice. With `retry`
 * none of them fails. */
static void outlive(const char *uri, bool retry)
{
    enum { CALLS = 6000, IN_FLIGHT = 40, DEATHS = 5 };
    holdings before = holdings_now();
    service s = open_service(uri, 64, 16);
    uint32_t lanes[LANES], deaths = 0;
    psy_socket_options o = {.in_flight = IN_FLIGHT, .retry = retry};
    psy_socket *socket = call_up(uri, &o, lanes);
    tally *t = counted = calloc(1, sizeof *t);
    uint64_t sent = 0, end = psy__now_ns() + 60 * second_ns;
    while (t->all < CALLS) {
        for (question q = {.number = sent + 1, .key = sent + 1};
             sent < CALLS && psy_socket_call_async(socket, lanes[sent % LANES], &q, 40 * second_ns, done,
                                                   (void *)(uintptr_t)q.number, NULL) == PSY_OK;
             q.number = q.key = sent + 1) {
            sent++;
        }
        (void)!psy_socket_wait(socket, 10000000);
        if (deaths < DEATHS && t->all > (deaths + 1) * CALLS / (DEATHS + 1)) {
            deaths++;
            if (deaths % 2) { /* a shard, or all of it */
                fire(&s, 1);
                hire(&s, 1, 16);
            } else {
                close_service(&s);
                s = open_service(uri, 64, 16);
            }
        }
        cr_assert_lt(psy__now_ns(), end, "%u of %lu ended", t->all, (unsigned long)sent);
    }
    for (uint32_t i = 1; i <= CALLS; i++) {
        cr_assert_eq(t->ended[i], 1u);
    }
    cr_assert_eq(t->wrong, 0u);
    cr_assert_eq(t->by_status[PSY_OK] + t->by_status[PSY_PEER_DIED], (uint32_t)CALLS);
    cr_assert(!retry || t->by_status[PSY_PEER_DIED] == 0, "%u failed", t->by_status[PSY_PEER_DIED]);
    cr_assert_eq(deaths, (uint32_t)DEATHS);
    psy_socket_info info;
    psy_socket_get_info(socket, &info);
    cr_assert(info.connected == 3 && info.lost == 2 && info.service, "%lu connections, %lu lost", (unsigned long)info.connected,
              (unsigned long)info.lost);
    psy_socket_close(socket);
    close_service(&s);
    free(t);
    nothing_leaked(getpid(), before);
}
OVER_ALL(deaths, of_the_service_fail_its_calls) { outlive(uri, false); }
OVER_ALL(deaths, of_the_service_are_made_good) { outlive(uri, true); }

/* Replies that are held outlive their connection. */
OVER_ALL(deaths, leave_replies_that_are_held)
{
    service s = open_service(uri, 64, 16);
    uint32_t lanes[LANES], n;
    psy_socket *socket = call_up(uri, NULL, lanes);
    question q = {.number = 5, .key = 5};
    answer a;
    psy_completion c;
    psy_socket_info info;
    cr_assert_eq(psy_socket_call_async(socket, lanes[LANE_ANY], &q, PSY_FOREVER, NULL, NULL, NULL), PSY_OK);
    while (psy_socket_poll(socket, &c, 1, &n) != PSY_OK) {
        cr_assert_eq(psy_socket_wait(socket, 5 * second_ns), PSY_OK);
    }
    close_service(&s);
    do {
        psy_socket_get_info(socket, &info);
    } while (info.lost == 0);
    cr_assert_eq(((const answer *)c.message)->digest, digest(&q));
    s = open_service(uri, 64, 16);
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_ANY], &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(((const answer *)c.message)->digest, digest(&q));
    psy_socket_release_reply(socket, &c);
    psy_socket_close(socket);
    close_service(&s);
}

/* The median of many calls, in ns. */
static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t median_latency(psy_socket *socket, const uint32_t lanes[LANES])
{
    enum { CALLS = 200 };
    uint64_t took[CALLS];
    for (uint64_t i = 0; i < CALLS; i++) {
        question q = {.number = i, .key = i};
        answer a;
        uint64_t start = psy__now_ns();
        cr_assert_eq(psy_socket_call(socket, lanes[i % LANES], &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
        took[i] = psy__now_ns() - start;
        cr_assert_eq(a.digest, digest(&q));
    }
    qsort(took, CALLS, sizeof took[0], by_size);
    return took[CALLS / 2];
}

/* A client that never takes its replies uses up its own room: the calls of another one end as quickly, and all of them do. The
 * machine has other work, so both are measured in turn until the best of each say so. */
OVER_ALL(room, is_each_clients_own)
{
    enum { ROOM = 16 };
    service s = open_service(uri, 64, 16);
    uint32_t lanes[LANES], lazy_lanes[LANES];
    psy_socket_options few = {.in_flight = ROOM};
    psy_socket *lazy = call_up(uri, &few, lazy_lanes), *socket = call_up(uri, NULL, lanes);
    question q = {.number = 1, .key = 1};
    answer a;
    cr_assert_eq(psy_socket_call(lazy, lazy_lanes[0], &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_call(socket, lanes[0], &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
    uint64_t alone = UINT64_MAX, beside = UINT64_MAX, end = psy__now_ns() + 30 * second_ns;
    do {
        uint64_t median = median_latency(socket, lanes);
        alone = median < alone ? median : alone;
        uint32_t out = 0, back = 0, n = 0;
        while (psy_socket_call_async(lazy, lazy_lanes[out % LANES], &q, PSY_FOREVER, NULL, NULL, NULL) == PSY_OK) {
            cr_assert_leq(++out, (uint32_t)ROOM);
        }
        cr_assert_eq(out, (uint32_t)ROOM, "replies that it does not take are its own");
        usleep(2000);
        median = median_latency(socket, lanes);
        beside = median < beside ? median : beside;
        while (back < out) { /* and none of the lazy one's is lost */
            psy_completion c[ROOM];
            cr_assert_eq(psy_socket_wait(lazy, 5 * second_ns), PSY_OK, "%s", psy_detail());
            (void)!psy_socket_poll(lazy, c, ROOM, &n);
            for (uint32_t i = 0; i < n; i++) {
                cr_assert_eq(c[i].status, PSY_OK);
                psy_socket_release_reply(lazy, &c[i]);
            }
            back += n;
        }
        cr_assert_lt(psy__now_ns(), end, "a median of %lu ns beside it, %lu alone", (unsigned long)beside,
                     (unsigned long)alone);
    } while (beside > alone + alone / 2);
    psy_socket_close(lazy);
    psy_socket_close(socket);
    close_service(&s);
}

/* ---- who is at the other end ---- */

/* Calls that wait for a service end when it turns out to be a socket. */
OVER_ALL(mistakes, of_calling_a_socket)
{
    psy_socket *bound, *socket;
    uint32_t lanes[LANES];
    question q = {.number = 3};
    answer a;
    tally *t = counted = calloc(1, sizeof *t);
    socket = call_up(uri, NULL, lanes);
    cr_assert_eq(psy_socket_call_async(socket, lanes[0], &q, PSY_FOREVER, done, (void *)3, NULL), PSY_OK);
    cr_assert_eq(psy_socket_bind(uri, NULL, &bound), PSY_OK, "%s", psy_detail());
    uint64_t end = psy__now_ns() + 10 * second_ns;
    while (t->all == 0) {
        psy_socket_info info;
        psy_socket_get_info(bound, &info);
        psy_socket_get_info(socket, &info);
        cr_assert_lt(psy__now_ns(), end);
    }
    cr_assert_eq(t->status[3], PSY_INVALID, "%s", psy_status_name(t->status[3]));
    cr_assert_eq(psy_socket_call(socket, lanes[0], &q, &a, second_ns), PSY_INVALID);
    cr_assert(strstr(psy_detail(), "psy_socket_send_bytes") && strstr(psy_detail(), uri), "%s", psy_detail());
    cr_assert_eq(psy_socket_pipeline(bound, "all", &question_type, &answer_type, &lanes[0]), PSY_INVALID);
    psy_completion c;
    uint32_t n;
    cr_assert_eq(psy_socket_poll(bound, &c, 1, &n), PSY_INVALID);
    psy_socket_close(socket);
    psy_socket_close(bound);
    free(t);
}

/* ---- a service inside of its client ---- */

typedef struct inside {
    psy_broker *broker;
    psy_worker *worker;
} inside;

static uint32_t work_inside(void *context)
{
    inside *in = context;
    return psy_broker_do_work(in->broker) + psy_worker_do_work(in->worker);
}

OVER_ALL(inside, of_one_thread)
{
    service s = open_broker(uri, 1, 64);
    hire(&s, 0, 16);
    halt_broker(&s);
    psy_worker_stop(s.workers[0]);
    pthread_join(s.threads[0], NULL);
    inside in = {s.broker, s.workers[0]};
    psy_socket_options o = {.agent = {work_inside, &in}};
    uint32_t lanes[LANES];
    psy_socket *socket = call_up(uri, &o, lanes);
    for (uint64_t i = 1; i <= 500; i++) {
        question q = {.number = i, .key = i};
        answer a;
        cr_assert_eq(psy_socket_call(socket, lanes[1 + i % 2], &q, &a, 5 * second_ns), PSY_OK, "%s", psy_detail());
        cr_assert_eq(a.digest, digest(&q));
    }
    psy_socket_close(socket);
    psy_worker_destroy(s.workers[0]);
    psy_broker_destroy(s.broker);
}

/* A shard that sits on more than a quarter of the service's places gets no more: what needs it is answered with TIMEOUT at
 * once. Calls that are made again until their deadline are made again then, too. */
OVER_ALL(calls, made_again_where_a_shard_hangs)
{
    service s = open_broker(uri, 1, 8);
    hire(&s, 0, 1);
    psy_channel_options plain = {.in_flight = 16};
    psy_channel *channel;
    psy_pipeline pipeline;
    cr_assert_eq(psy_channel_connect(uri, &plain, &channel), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_open(channel, lane_names[LANE_KEY], &question_type, &answer_type, &pipeline), PSY_OK, "%s",
                 psy_detail());
    bool hangs = false;
    uint32_t lanes[LANES], sent = 0;
    uint64_t end = psy__now_ns() + 20 * second_ns;
    psy_socket_options o = {.in_flight = 4, .retry = true};
    psy_socket *socket = call_up(uri, &o, lanes);
    for (; !hangs && psy__now_ns() < end && sent < 15; sent++) {
        psy_call call;
        psy_reply reply;
        uint32_t n = 0;
        question q = {.key = sent, .number = sent + 1, .stall_ns = sent == 0 ? second_ns : 0};
        uint64_t deadline_ns = psy__now_ns() + 30000000;
        cr_assert_eq(psy_channel_claim(channel, &pipeline, &call), PSY_OK, "%s", psy_detail());
        memcpy(call.message, &q, sizeof q);
        psy_channel_commit_until(channel, &call, NULL, deadline_ns);
        while (psy_channel_poll(channel, &reply, 1, &n) == PSY_EMPTY) {
            (void)!psy_channel_wait(channel, second_ns);
        }
        cr_assert(n == 1 && reply.status == PSY_TIMEOUT, "%s", psy_status_name(reply.status));
        hangs = psy__now_ns() < deadline_ns;
    }
    cr_assert(hangs, "every call waited for its deadline");
    answer a;
    question q = {.key = 99, .number = 99};
    cr_assert_eq(psy_socket_call(socket, lanes[LANE_KEY], &q, &a, 20 * second_ns), PSY_OK, "%s", psy_detail());
    cr_assert(a.number == 99 && a.digest == digest(&q));
    psy_socket_close(socket);
    psy_channel_close(channel);
    close_service(&s);
}
