/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side: connecting and what can be wrong with it, agreeing on pipelines, space, deadlines. */
#define _GNU_SOURCE
#include <psyne/envelope.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/protocol.h"
#include "tests/service/agents.h"

/* ---- connecting ---- */

Test(connect, nobody_serves)
{
    char ipc[96];
    snprintf(ipc, sizeof ipc, "%s", own_ipc_address());
    const char *const uris[] = {"inproc://nobody", ipc, "ipc:///no/such/folder/socket"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        for (uint64_t wait_ns = 1; wait_ns <= 100000001; wait_ns += 100000000) {
            psy_channel_options o = {.connect_timeout_ns = wait_ns};
            psy_channel *channel = NULL;
            uint64_t start = psy__now_ns();
            cr_assert_eq(psy_channel_connect(uris[i], &o, &channel), PSY_UNREACHABLE, "%s", psy_detail());
            uint64_t took = psy__now_ns() - start;
            cr_assert(took >= wait_ns - 1 && took < wait_ns + second_ns, "%lu ns", (unsigned long)took);
            cr_assert(strstr(psy_detail(), uris[i]) && strstr(psy_detail(), "nobody serves"), "%s", psy_detail());
            cr_assert_null(channel);
        }
    }
}

Test(connect, mistakes)
{
    psy_channel *channel = NULL;
    psy_channel_options o = {.in_flight = 65537};
    cr_assert_eq(psy_channel_connect("inproc://x", &o, &channel), PSY_INVALID);
    o = (psy_channel_options){.call_timeout_ms = 65536};
    cr_assert_eq(psy_channel_connect("inproc://x", &o, &channel), PSY_INVALID);
    cr_assert_eq(psy_channel_connect(NULL, NULL, &channel), PSY_INVALID);
    cr_assert_eq(psy_channel_connect("inproc://x", NULL, NULL), PSY_INVALID);
    cr_assert_eq(psy_channel_connect("pigeon://x", NULL, &channel), PSY_UNSUPPORTED);
    cr_assert_eq(psy_channel_connect("no address", NULL, &channel), PSY_INVALID);
    cr_assert_null(channel);
}

Test(connect, a_service_whose_shards_are_missing)
{
    service s = open_broker("inproc://shards-missing", SHARDS, 16);
    psy_channel_options o = {.connect_timeout_ns = second_ns / 10};
    psy_channel *channel;
    hire(&s, 0, 16);
    cr_assert_eq(psy_channel_connect(s.uri, &o, &channel), PSY_TIMEOUT);
    cr_assert_not_null(strstr(psy_detail(), "not all of its shards are ready"), "%s", psy_detail());
    hire(&s, 1, 16);
    cr_assert_eq(psy_channel_connect(s.uri, &o, &channel), PSY_OK, "%s", psy_detail());
    psy_channel_close(channel);
    close_service(&s);
}

Test(connect, more_clients_than_there_are_places)
{
    holdings before = holdings_now();
    service s = open_service("inproc://places", 16, 16);
    psy_channel *channels[CLIENTS_ROOM], *one_more;
    for (int i = 0; i < CLIENTS_ROOM; i++) {
        cr_assert_eq(psy_channel_connect(s.uri, NULL, &channels[i]), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_channel_connect(s.uri, NULL, &one_more), PSY_LIMIT, "%s", psy_detail());
    psy_channel_close(channels[3]);
    psy_status status = PSY_LIMIT;
    for (int tries = 0; tries < 200 && status == PSY_LIMIT; tries++) {
        status = psy_channel_connect(s.uri, NULL, &channels[3]);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    for (int i = 0; i < CLIENTS_ROOM; i++) {
        psy_channel_close(channels[i]);
    }
    close_service(&s);
    nothing_leaked(getpid(), before);
}

/* ---- a service that is none, or of another version ---- */

typedef enum behaviour { SAYS_NOTHING, HANGS_UP, SPEAKS_ANOTHER_VERSION, MAKES_NOISE, ASKS_TOO_MUCH, BEHAVIOURS } behaviour;

typedef struct impostor {
    psy__listener *listener;
    behaviour how;
} impostor;

static void *run_impostor(void *argument)
{
    impostor *i = argument;
    psy__link *link;
    psy__control hello;
    while (psy__accept(i->listener, &link) != PSY_OK) {
        usleep(1000);
    }
    while (psy__link_poll(link, &hello) == PSY_EVENT_NONE) {
        usleep(1000);
    }
    psy__welcome welcome = {.said = {PSY_PROTOCOL_MAGIC, PSY_PROTOCOL_MAJOR, 0, PSY_SAY_WELCOME, sizeof welcome},
                            .places = i->how == ASKS_TOO_MUCH ? UINT32_MAX : 1,
                            .request_bytes = UINT32_MAX,
                            .reply_bytes = UINT32_MAX,
                            .in_flight_max = 1000};
    welcome.said.major = i->how == SPEAKS_ANOTHER_VERSION ? PSY_PROTOCOL_MAJOR + 1 : PSY_PROTOCOL_MAJOR;
    psy__control out = {.bytes = i->how == MAKES_NOISE ? 77 : sizeof welcome};
    memcpy(out.data, &welcome, sizeof welcome);
    if (i->how != SAYS_NOTHING && i->how != HANGS_UP) {
        (void)!psy__link_send(link, &out, 1);
    }
    while (i->how != HANGS_UP && psy__link_poll(link, &hello) != PSY_EVENT_CLOSED) {
        usleep(1000);
    }
    psy__link_close(link);
    return NULL;
}

/* Whether the detail has the peer's version, and this side's. */
static bool names_versions(int major, int minor)
{
    char theirs[24], ours[24];
    snprintf(theirs, sizeof theirs, "%d.%d", major, minor);
    snprintf(ours, sizeof ours, "%d.%d", PSY_PROTOCOL_MAJOR, PSY_PROTOCOL_MINOR);
    return strstr(psy_detail(), theirs) && strstr(psy_detail(), ours);
}

Test(connect, to_something_else)
{
    static const psy_status expected[BEHAVIOURS] = {PSY_TIMEOUT, PSY_PEER_DIED, PSY_VERSION, PSY_PROTOCOL, PSY_PROTOCOL};
    holdings before = holdings_now();
    for (int how = 0; how < BEHAVIOURS; how++) {
        impostor i = {.how = (behaviour)how};
        pthread_t thread;
        psy_channel *channel;
        psy_channel_options o = {.connect_timeout_ns = second_ns / 5};
        cr_assert_eq(psy__bind("inproc://impostor", &i.listener), PSY_OK);
        cr_assert_eq(pthread_create(&thread, NULL, run_impostor, &i), 0);
        cr_assert_eq(psy_channel_connect("inproc://impostor", &o, &channel), expected[how], "%d: %s", how, psy_detail());
        cr_assert(how != SPEAKS_ANOTHER_VERSION || names_versions(PSY_PROTOCOL_MAJOR + 1, 0), "%s", psy_detail());
        pthread_join(thread, NULL);
        psy__listener_close(i.listener);
    }
    nothing_leaked(getpid(), before);
}

Test(connect, a_client_of_another_version_is_told)
{
    service s = open_service("inproc://older", 16, 16);
    psy__hello hello = {.said = {PSY_PROTOCOL_MAGIC, PSY_PROTOCOL_MAJOR + 1, 3, PSY_SAY_HELLO, sizeof hello},
                        .role = PSY_ROLE_CLIENT};
    psy__control out = {.bytes = sizeof hello};
    psy__link *link;
    psy__welcome welcome;
    memcpy(out.data, &hello, sizeof hello);
    cr_assert_eq(psy__connect(s.uri, second_ns, &link), PSY_OK);
    cr_assert_eq(psy__link_send(link, &out, 1), PSY_OK);
    cr_assert_eq(psy__hear(link, PSY_SAY_WELCOME, &welcome, sizeof welcome, NULL, 0, psy__now_ns() + 5 * second_ns),
                 PSY_VERSION);
    cr_assert(names_versions(PSY_PROTOCOL_MAJOR + 1, 3), "%s", psy_detail());
    psy__link_close(link);
    close_service(&s);
}

/* ---- pipelines ---- */

static void check_open(const char *uri)
{
    service s = open_service(uri, 16, 16);
    psy_pipeline lanes[LANES], out;
    psy_channel *channel = open_channel(s.uri, 4, 10000, lanes);
    psy_type other = question_type;
    other.layout_hash = UINT64_C(0xfeedfacecafebeef);
    cr_assert_eq(psy_channel_open(channel, "key", &other, &answer_type, &out), PSY_LAYOUT);
    cr_assert(strstr(psy_detail(), "000000000000000b") && strstr(psy_detail(), "feedfacecafebeef") &&
                  strstr(psy_detail(), "request") && strstr(psy_detail(), "t.Q"),
              "%s", psy_detail());
    other = answer_type;
    other.layout_hash = 1;
    cr_assert_eq(psy_channel_open(channel, "key", &question_type, &other, &out), PSY_LAYOUT);
    cr_assert(strstr(psy_detail(), "0000000000000016") && strstr(psy_detail(), "0000000000000001") &&
                  strstr(psy_detail(), "reply"),
              "%s", psy_detail());
    cr_assert_eq(psy_channel_open(channel, "alll", &question_type, &answer_type, &out), PSY_NOT_FOUND);
    cr_assert(strstr(psy_detail(), "`alll`") && strstr(psy_detail(), "all, key, any"), "%s", psy_detail());
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_assert_eq(psy_channel_open(channel, name, &question_type, &answer_type, &out), PSY_INVALID);
    cr_assert_eq(psy_channel_open(channel, NULL, &question_type, &answer_type, &out), PSY_INVALID);

    /* The channel is as good as before. */
    question q = {.key = 5, .number = 1};
    uint64_t right = digest(&q);
    psy_status status;
    cr_assert_eq(ask(channel, &lanes[LANE_KEY], &q), PSY_OK);
    cr_assert_eq(take_replies(channel, 1, 5 * second_ns, &status, &right), 1u);
    cr_assert_eq(status, PSY_OK);
    psy_channel_close(channel);
    close_service(&s);
}
Test(pipelines, are_agreed_on_between_threads) { check_open("inproc://open"); }
Test(pipelines, are_agreed_on_over_a_socket) { check_open(own_ipc_address()); }

/* ---- a broker that can be held ---- */

typedef struct held {
    service s;
    _Atomic bool hold, end;
} held;

static void *run_held(void *argument)
{
    held *h = argument;
    while (!h->end) {
        if (h->hold || psy_broker_do_work(h->s.broker) == 0) {
            usleep(100);
        }
    }
    return NULL;
}

static void open_held(held *h, const char *uri)
{
    h->s = (service){.shards = SHARDS};
    snprintf(h->s.uri, sizeof h->s.uri, "%s", uri);
    psy_broker_options o = {.uri = h->s.uri, .module = &stand_in_module, .shards = SHARDS, .in_flight = 64};
    cr_assert_eq(psy_broker_create(&o, &h->s.broker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(pthread_create(&h->s.broker_thread, NULL, run_held, h), 0);
    for (uint32_t i = 0; i < SHARDS; i++) {
        hire(&h->s, i, 16);
    }
}

static void close_held(held *h)
{
    h->hold = false;
    for (uint32_t i = 0; i < SHARDS; i++) {
        fire(&h->s, i);
    }
    h->end = true;
    pthread_join(h->s.broker_thread, NULL);
    psy_broker_destroy(h->s.broker);
}

/* Every call that was accepted ends, nothing is accepted that has no space, and the space comes back. */
Test(space, full_until_replies_are_taken)
{
    enum { ROOM = 24 };
    held h = {.hold = false};
    open_held(&h, "inproc://full");
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(h.s.uri, ROOM, 50, lanes);
    psy_status statuses[ROOM];
    uint64_t digests[ROOM];
    h.hold = true;
    for (int round = 0; round < 3; round++) {
        question q = {.key = 7, .number = 1};
        for (uint32_t i = 0; i < ROOM; i++, q.number++) {
            digests[i] = digest(&q);
            cr_assert_eq(ask(channel, &lanes[i % LANES], &q), PSY_OK, "round %d, call %u", round, i);
        }
        cr_assert_eq(ask(channel, &lanes[0], &q), PSY_FULL);
        cr_assert_eq(psy_channel_outstanding(channel), (uint32_t)ROOM);
        if (round == 1) { /* nobody answers in time */
            cr_assert_eq(take_replies(channel, ROOM, 5 * second_ns, statuses, digests), (uint32_t)ROOM);
            for (uint32_t i = 0; i < ROOM; i++) {
                cr_assert_eq(statuses[i], PSY_TIMEOUT, "%s", psy_status_name(statuses[i]));
            }
            cr_assert_eq(psy_channel_outstanding(channel), 0u);
            cr_assert_eq(ask(channel, &lanes[0], &q), PSY_FULL, "somebody may still write there");
            h.hold = false;
            psy_reply reply;
            uint32_t n;
            for (uint32_t i = 0; i < ROOM; i++) { /* until the writers have said that they will not */
                psy_call call;
                psy_status status = PSY_FULL;
                for (int tries = 0; tries < 3000 && status == PSY_FULL; tries++) {
                    cr_assert_eq(psy_channel_poll(channel, &reply, 1, &n), PSY_EMPTY);
                    status = psy_channel_claim(channel, &lanes[0], &call);
                    usleep(status == PSY_FULL ? 1000 : 0);
                }
                cr_assert_eq(status, PSY_OK, "a slot is lost");
                psy_channel_abort(channel, &call);
            }
            usleep(50000);
            (void)!psy_channel_poll(channel, &reply, 1, &n);
            h.hold = true;
            continue;
        }
        h.hold = false;
        cr_assert_eq(take_replies(channel, ROOM, 5 * second_ns, statuses, digests), (uint32_t)ROOM);
        h.hold = true;
    }
    psy_channel_close(channel);
    close_held(&h);
}

Test(space, claims)
{
    service s = open_service("inproc://claims", 16, 16);
    psy_pipeline lanes[LANES], foreign = {.request_bytes = 1 << 20, .reply_bytes = 64, .key_offset = UINT32_MAX};
    psy_channel *channel = open_channel(s.uri, 2, 10000, lanes);
    psy_call a, b;
    psy_reply reply, other;
    uint32_t n;
    cr_assert_eq(psy_channel_claim(channel, NULL, &a), PSY_INVALID);
    cr_assert_eq(psy_channel_claim(channel, &foreign, &a), PSY_INVALID, "not this channel's");
    cr_assert_eq(psy_channel_claim(channel, &lanes[0], &a), PSY_OK);
    cr_assert_eq((uintptr_t)a.message % 64, 0u);
    cr_assert_eq(psy_channel_claim(channel, &lanes[0], &b), PSY_INVALID, "one at a time");
    psy_channel_abort(channel, &a);
    psy_channel_commit(channel, &a, NULL); /* not claimed: nothing is sent */
    psy_channel_abort(channel, &a);
    cr_assert_eq(psy_channel_outstanding(channel), 0u);
    cr_assert_eq(psy_channel_poll(channel, &reply, 1, &n), PSY_EMPTY);
    cr_assert_eq(psy_channel_poll(channel, &reply, 0, &n), PSY_INVALID);

    /* Held replies hold their slots; released ones can be released again to no effect. */
    question q = {.number = 1, .key = 3};
    cr_assert_eq(psy_channel_call(channel, &lanes[1], &q, &reply), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_call(channel, &lanes[1], &q, &other), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_call(channel, &lanes[1], &q, &other), PSY_FULL);
    cr_assert_eq(((const answer *)reply.message)->digest, digest(&q));
    psy_channel_release(channel, &reply);
    psy_channel_release(channel, &reply);
    cr_assert_eq(psy_channel_call(channel, &lanes[1], &q, &reply), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_call(channel, &lanes[1], &q, &reply), PSY_FULL, "one was given back, not two");
    psy_channel_close(channel);

    channel = open_channel(s.uri, 2, 10000, lanes);
    cr_assert_eq(ask(channel, &lanes[0], &q), PSY_OK);
    cr_assert_eq(psy_channel_call(channel, &lanes[1], &q, &reply), PSY_INVALID, "calls are in flight");
    psy_channel_close(channel); /* with one in flight */
    close_service(&s);
}

/* What a shard says of a message is what its caller gets; the others of the batch are not touched. */
Test(space, statuses_are_passed_on)
{
    enum { CALLS = 30 };
    service s = open_service("inproc://statuses", 64, 64);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, CALLS, 10000, lanes);
    psy_status statuses[CALLS];
    uint64_t digests[CALLS];
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.number = i + 1, .key = i, .status = i % 5 == 4 ? PSY_NOT_FOUND : PSY_OK};
        digests[i] = digest(&q);
        cr_assert_eq(ask(channel, &lanes[i % LANES], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, CALLS, 5 * second_ns, statuses, digests), (uint32_t)CALLS);
    for (uint32_t i = 0; i < CALLS; i++) {
        cr_assert_eq(statuses[i], i % 5 == 4 ? PSY_NOT_FOUND : PSY_OK, "call %u: %s", i, psy_status_name(statuses[i]));
    }
    psy_channel_close(channel);
    close_service(&s);
}

/* An answer to `open` that comes too late must not be taken for the answer to the next one. */
Test(pipelines, an_answer_that_comes_late)
{
    held h = {.hold = false};
    open_held(&h, "inproc://late-open");
    psy_channel_options o = {.connect_timeout_ns = second_ns / 5};
    psy_channel *channel;
    psy_pipeline out;
    cr_assert_eq(psy_channel_connect(h.s.uri, &o, &channel), PSY_OK, "%s", psy_detail());
    h.hold = true;
    usleep(2000);
    cr_assert_eq(psy_channel_open(channel, "all", &question_type, &answer_type, &out), PSY_TIMEOUT, "%s", psy_detail());
    h.hold = false;
    usleep(50000);
    psy_status status = psy_channel_open(channel, "key", &question_type, &answer_type, &out);
    cr_assert(status == PSY_CLOSED || (status == PSY_OK && out.id == LANE_KEY), "%s: pipeline %u", psy_status_name(status),
              out.id);
    psy_channel_close(channel);
    close_held(&h);
}

/* A deadline is kept though the worker is busy, and its late reply goes nowhere. */
Test(deadlines, are_kept)
{
    enum { TIMEOUT_MS = 60, CALLS = 3 };
    service s = open_service("inproc://deadlines", 64, 16);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, CALLS, TIMEOUT_MS, lanes);
    psy_status statuses[CALLS];
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.number = i + 1, .key = i, .stall_ns = second_ns / 2};
        cr_assert_eq(ask(channel, &lanes[i], &q), PSY_OK);
    }
    uint64_t start = psy__now_ns();
    cr_assert_eq(take_replies(channel, CALLS, 5 * second_ns, statuses, NULL), (uint32_t)CALLS);
    uint64_t took_ms = (psy__now_ns() - start) / 1000000;
    cr_assert(took_ms >= TIMEOUT_MS - 1 && took_ms < 450, "%lu ms", (unsigned long)took_ms);
    for (uint32_t i = 0; i < CALLS; i++) {
        cr_assert_eq(statuses[i], PSY_TIMEOUT, "%s", psy_status_name(statuses[i]));
    }
    psy_channel_close(channel);
    close_service(&s);
}

/* The time of calls counts from when they are published: what a client keeps waiting before is not held against them. The clock
 * is read for the first only, and the last is given up no sooner for it. */
Test(deadlines, count_from_publication)
{
    enum { TIMEOUT_MS = 700, CALLS = 2 };
    service s = open_service("inproc://publication", 64, 16);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, 64, TIMEOUT_MS, lanes);
    psy_status statuses[CALLS];
    for (uint32_t i = 0; i < CALLS; i++) {
        question q = {.number = i + 1, .key = i, .stall_ns = second_ns / 50};
        cr_assert_eq(ask(channel, &lanes[LANE_ANY], &q), PSY_OK);
        usleep((TIMEOUT_MS + 200) * 1000); /* more than a client waits beyond the deadline */
    }
    psy_reply reply;
    uint32_t count;
    cr_assert_eq(psy_channel_poll(channel, &reply, 1, &count), PSY_EMPTY, "they have just been published");
    cr_assert_eq(take_replies(channel, CALLS, 5 * second_ns, statuses, NULL), (uint32_t)CALLS);
    for (uint32_t i = 0; i < CALLS; i++) {
        cr_assert_eq(statuses[i], PSY_OK, "%s", psy_status_name(statuses[i]));
    }
    psy_channel_close(channel);
    close_service(&s);
}

/* ---- envelopes ---- */

/* Sends a call by key and waits for its answer; what went before it in the request ring. */
static psy_envelope sent(psy_channel *channel, const psy_pipeline *lane, uint64_t key)
{
    question q = {.number = 1, .key = key};
    psy_envelope e;
    psy_call call;
    psy_status status;
    cr_assert_eq(psy_channel_claim(channel, lane, &call), PSY_OK, "%s", psy_detail());
    memcpy(call.message, &q, sizeof q);
    psy_channel_commit(channel, &call, (void *)(uintptr_t)q.number);
    memcpy(&e, (const uint8_t *)call.message - PSY_ENVELOPE_BYTES, sizeof e);
    cr_assert_eq(take_replies(channel, 1, 5 * second_ns, &status, NULL), 1u);
    cr_assert_eq(status, PSY_OK, "%s", psy_status_name(status));
    return e;
}

/* Ids and routes are hashes under salts: of each channel for a request, so that its number and sender do not show, of the
 * service for a key, so that all clients find the same shard and nobody else learns which. */
Test(envelopes, tell_no_secrets)
{
    enum { CALLS = 3, CHANNELS = 3, ALL = CALLS * CHANNELS };
    service s[] = {open_service("inproc://envelopes", 16, 16), open_service("inproc://other-envelopes", 16, 16)};
    psy_envelope e[ALL];
    for (uint32_t i = 0; i < CHANNELS; i++) { /* two of the first service, one of the second */
        psy_pipeline lanes[LANES];
        psy_channel *channel = open_channel(s[i / 2].uri, 4, 10000, lanes);
        for (uint32_t k = 0; k < CALLS; k++) {
            e[i * CALLS + k] = sent(channel, &lanes[LANE_KEY], 7 + k);
        }
        cr_assert_eq(sent(channel, &lanes[LANE_ANY], 7).route, 0u, "there is no key");
        psy_channel_close(channel);
    }
    close_service(&s[0]);
    close_service(&s[1]);
    for (uint32_t i = 0; i < ALL; i++) {
        cr_assert_eq(e[i].sequence, i % CALLS + 1);
        cr_assert(e[i].request >> 32 && e[i].route >> 32, "no counter, no key");
        for (uint32_t j = 0; j < i; j++) {
            bool same_route = i / CALLS < 2 && i % CALLS == j % CALLS; /* of a service, for a key */
            cr_assert_neq(e[i].request, e[j].request);
            cr_assert_eq(e[i].route == e[j].route, same_route);
        }
        for (size_t b = 0; b < sizeof e[i].tag; b++) {
            cr_assert_eq(e[i].tag[b], 0u);
        }
    }
}
