/* SPDX-License-Identifier: Apache-2.0 */
/* What one client may have inside the service: alone all of it, beside others its part, in turns that go by bytes. Rounds are
 * made by hand and counted; no clock decides. */
#include "tests/service/by_hand.h"

enum { TICKETS = 512, CONTENDED = 32, BATCH = 16, FLOOD = 256 };

static uint32_t flood(psy_channel *channel, const psy_pipeline *lane)
{
    uint32_t n = 0;
    question q = {.number = 1};
    while (ask(channel, lane, &q) == PSY_OK) {
        n++;
        q.key += 7919;
    }
    psy_channel_flush(channel);
    return n;
}

static uint32_t inside(const by_hand *h)
{
    psy_broker_counts counts;
    psy_broker_get_counts(h->broker, &counts);
    return counts.in_flight;
}

static by_hand open_shares(const char *uri)
{
    psy_broker_options o = {.in_flight = TICKETS, .clients = CLIENTS_ROOM, .contended_in_flight = CONTENDED};
    return by_hand_open(uri, &o, BATCH, NULL);
}

Test(share, who_is_alone_has_all_of_it)
{
    by_hand h = open_shares("inproc://alone");
    psy_pipeline lanes[LANES];
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = 2 * TICKETS}, lanes, NULL);
    uint32_t sent = flood(channel, &lanes[LANE_ALL]), back = 0;
    cr_assert_eq(sent, 2u * TICKETS);
    for (int i = 0; i < 2 * TICKETS; i++) {
        (void)psy_broker_do_work(h.broker);
    }
    cr_assert_eq(inside(&h), (uint32_t)TICKETS);
    for (int i = 0; i < 10000 && back < sent; i++) {
        by_hand_round(&h);
        back += by_hand_take(channel, PSY_OK);
    }
    cr_assert_eq(back, sent);
    psy_channel_close(channel);
    by_hand_close(&h);
}

/* However much the flooder sends, who comes with one request finds at most the others' part before it. */
Test(share, nobody_waits_behind_a_flood)
{
    enum { ROUNDS = 300 };
    by_hand h = open_shares("inproc://flood");
    psy_pipeline lanes[LANES], theirs[LANES];
    psy_channel *flooder =
        by_hand_connect(&h, &(psy_channel_options){.in_flight = FLOOD, .call_timeout_ms = 60000}, lanes, NULL);
    psy_channel *other = by_hand_connect(&h, &(psy_channel_options){.in_flight = 1, .call_timeout_ms = 60000}, theirs, NULL);
    question q = {.number = 1};
    uint32_t flooded = flood(flooder, &lanes[LANE_ALL]), answered = 0;
    cr_assert_eq(flooded, (uint32_t)FLOOD);
    (void)psy_broker_do_work(h.broker);
    cr_assert_eq(ask(other, &theirs[LANE_ALL], &q), PSY_OK);
    psy_channel_flush(other);
    for (int i = 0; i < 1000 && answered == 0; i++) { /* after the first one both count */
        by_hand_round(&h);
        answered = by_hand_take(other, PSY_OK);
        (void)by_hand_take(flooder, PSY_OK);
        (void)flood(flooder, &lanes[LANE_ALL]);
    }
    cr_assert_eq(answered, 1u);
    for (int i = 0; i < FLOOD / BATCH && inside(&h) > CONTENDED / 2; i++) { /* what was inside before goes */
        by_hand_round(&h);
        (void)by_hand_take(flooder, PSY_OK);
        (void)flood(flooder, &lanes[LANE_ALL]);
    }
    uint64_t flooders = 0;
    uint32_t worst = 0;
    for (int i = 0; i < ROUNDS; i++) {
        cr_assert_eq(ask(other, &theirs[LANE_ALL], &q), PSY_OK);
        psy_channel_flush(other);
        uint32_t rounds = 0;
        do {
            by_hand_round(&h);
            cr_assert_leq(inside(&h), (uint32_t)CONTENDED);
            flooders += by_hand_take(flooder, PSY_OK);
            (void)flood(flooder, &lanes[LANE_ALL]);
            rounds++;
        } while (by_hand_take(other, PSY_OK) == 0 && rounds < 1000);
        worst = rounds > worst ? rounds : worst;
    }
    /* The flooder's part is one batch: its rest and the one before may run first. */
    cr_assert_leq(worst, 3u, "%u rounds", worst);
    cr_assert_geq(flooders, (uint64_t)ROUNDS * BATCH / 2, "the flooder is starved: %lu", (unsigned long)flooders);
    psy_channel_close(flooder);
    psy_channel_close(other);
    by_hand_close(&h);
}

/* One sends requests that go to both shards, the other to one: of equal bytes the second gets twice as many. */
Test(share, turns_go_by_bytes)
{
    by_hand h = open_shares("inproc://bytes");
    psy_pipeline lanes[LANES], theirs[LANES];
    psy_channel *both = by_hand_connect(&h, &(psy_channel_options){.in_flight = FLOOD, .call_timeout_ms = 60000}, lanes, NULL);
    psy_channel *one = by_hand_connect(&h, &(psy_channel_options){.in_flight = FLOOD, .call_timeout_ms = 60000}, theirs, NULL);
    uint64_t to_both = 0, to_one = 0;
    for (int i = 0; i < 3000; i++) {
        (void)flood(both, &lanes[LANE_ALL]);
        (void)flood(one, &theirs[LANE_ANY]);
        by_hand_round(&h);
        to_both += by_hand_take(both, PSY_OK);
        to_one += by_hand_take(one, PSY_OK);
    }
    cr_assert_gt(to_both, 1000u);
    double ratio = (double)to_one / (double)to_both;
    cr_assert(ratio > 1.8 && ratio < 2.2, "%lu and %lu: %.3f", (unsigned long)to_one, (unsigned long)to_both, ratio);
    psy_channel_close(both);
    psy_channel_close(one);
    by_hand_close(&h);
}

/* A client that never reads its replies costs itself its slots, and nobody anything. */
Test(share, who_never_reads_harms_nobody)
{
    enum { CALLS = 2000 };
    by_hand h = open_shares("inproc://mute");
    psy_pipeline lanes[LANES], theirs[LANES];
    psy_channel *mute = by_hand_connect(&h, &(psy_channel_options){.in_flight = FLOOD, .call_timeout_ms = 60000}, lanes, NULL);
    psy_channel *other = by_hand_connect(&h, &(psy_channel_options){.in_flight = 8, .call_timeout_ms = 60000}, theirs, NULL);
    cr_assert_eq(flood(mute, &lanes[LANE_ALL]), (uint32_t)FLOOD);
    uint32_t back = 0;
    for (int i = 0; i < 100 * CALLS && back < CALLS; i++) {
        (void)flood(other, &theirs[LANE_ALL]);
        by_hand_round(&h);
        back += by_hand_take(other, PSY_OK);
    }
    cr_assert_geq(back, (uint32_t)CALLS);
    question q = {.number = 1};
    cr_assert_eq(ask(mute, &lanes[LANE_ALL], &q), PSY_FULL);
    cr_assert_eq(by_hand_take(mute, PSY_OK), (uint32_t)FLOOD);
    psy_channel_close(mute);
    psy_channel_close(other);
    by_hand_close(&h);
}

/* A rule's limit is the client's alone: the rest of its requests wait in its ring, and come in turn. */
Test(share, a_rule_bounds_what_is_inside)
{
    enum { MOST = 4, CALLS = 64 };
    psy_rule rule = {.uid = PSY_ANYBODY, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT, .in_flight_max = MOST};
    psy_broker_options o = {.in_flight = TICKETS, .clients = CLIENTS_ROOM, .rules = &rule, .rule_count = 1};
    by_hand h = by_hand_open("inproc://bounded", &o, BATCH, NULL);
    psy_pipeline lanes[LANES];
    psy_channel *channel = by_hand_connect(&h, &(psy_channel_options){.in_flight = CALLS}, lanes, NULL);
    cr_assert_eq(flood(channel, &lanes[LANE_ALL]), (uint32_t)CALLS);
    uint32_t back = 0;
    for (int i = 0; i < 50; i++) {
        (void)psy_broker_do_work(h.broker);
        cr_assert_eq(inside(&h), (uint32_t)MOST);
    }
    for (int i = 0; i < 10000 && back < CALLS; i++) {
        by_hand_round(&h);
        cr_assert_leq(inside(&h), (uint32_t)MOST);
        back += by_hand_take(channel, PSY_OK);
    }
    cr_assert_eq(back, (uint32_t)CALLS);
    psy_broker_counts counts;
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_gt(counts.held, 0u);
    cr_assert_eq(counts.refused, 0u);
    psy_channel_close(channel);
    by_hand_close(&h);
}

/* The broker sleeps while a client waits for its own tickets, and wakes when they come back. */
Test(share, a_held_client_is_woken_for)
{
    psy_rule rule = {.uid = PSY_ANYBODY, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT, .in_flight_max = 1};
    service s = {.shards = SHARDS, .uri = "inproc://held"};
    psy_broker_options o = {.uri = s.uri, .module = &stand_in_module, .shards = SHARDS, .rules = &rule, .rule_count = 1};
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&s);
    hire(&s, 0, BATCH);
    hire(&s, 1, BATCH);
    client c = {.uri = s.uri, .in_flight = 32, .calls = 300, .timeout_ms = 30000, .stall_ns = 3000000};
    run_client(&c);
    close_service(&s);
    cr_assert_eq(c.ok, c.calls, "ok %u timeouts %u died %u", c.ok, c.timeouts, c.died);
    cr_assert_eq(c.wrong, 0u);
}
