/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads by reference: slots in turn, what happens when there are none, when a shard dies that holds some, and when somebody
 * names one that there is not. */
#include "base/clock.h"
#include "service/broker_state.h"
#include "tests/service/by_hand.h"

static const char uri[] = "inproc://payloads";

Test(payloads, slots_are_taken_in_turn_and_free_in_any_order)
{
    psy__payloads p;
    cr_assert_eq(psy__payloads_begin(&p, 128, 3, 2, 100), PSY_OK, "%s", psy_detail());
    cr_assert_eq(p.slots, 4u);
    cr_assert_eq(psy__payloads_take(&p, 99), 0u, "it is too small");
    for (uint32_t lap = 0; lap < 5; lap++) {
        uint32_t slots[4];
        for (uint32_t i = 0; i < 4; i++) {
            slots[i] = psy__payloads_take(&p, 100);
            cr_assert_eq(slots[i], i + 1, "lap %u", lap);
            cr_assert_eq(psy__payloads_at(&p, slots[i]), p.data + (uint64_t)i * 128);
        }
        cr_assert_eq(psy__payloads_take(&p, 128), 0u, "all are taken");
        for (uint32_t i = 1; i < 4; i++) {
            psy__payloads_give_back(&p, slots[i]);
            cr_assert_eq(psy__payloads_take(&p, 128), 0u, "the first one holds up those behind it");
        }
        psy__payloads_give_back(&p, slots[0]);
        cr_assert_eq(p.taken, p.freed);
    }
    psy__payloads_end(&p);
}

Test(payloads, are_there_where_they_are_of_use)
{
    static const struct {
        uint64_t stride;
        uint32_t shards, least, slots;
    } cases[] = {
        {UINT64_C(1) << 20, 1, 0, 0},          /* it would be copied once anyhow */
        {64, 8, 0, 0},                         /* too small by default, */
        {64, 8, 64, 64},                       /* but not where it is asked for */
        {UINT64_C(1) << 20, 8, UINT32_MAX, 0}, /* never */
        {UINT64_C(1) << 20, 2, 0, 64},         /* as the memory allows */
        {UINT64_C(1) << 30, 2, 0, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        psy__payloads p;
        cr_assert_eq(psy__payloads_begin(&p, cases[i].stride, 64, cases[i].shards, cases[i].least), PSY_OK, "%s", psy_detail());
        cr_assert_eq(p.slots, cases[i].slots, "case %zu", i);
        cr_assert_eq(p.slab != NULL, cases[i].slots != 0);
        cr_assert_eq(psy__payloads_take(&p, (uint32_t)cases[i].stride), cases[i].slots != 0);
        psy__payloads_end(&p);
    }
}

/* ---- a service ---- */

enum { CALLS = 8, SLOTS = 4 };

/* So large requests that there are slots for half of those in flight only, but frames for all. */
static by_hand open_service_of_four(psy_channel **channel, psy_pipeline lanes[LANES], uint32_t timeout_ms)
{
    psy_broker_options o = {.in_flight = CALLS, .max_request_bytes = PSY_PAYLOADS_BYTES / SLOTS - 4096, .reference_bytes = 1};
    by_hand h = by_hand_open(uri, &o, CALLS, NULL);
    cr_assert_eq(h.broker->payloads.slots, (uint32_t)SLOTS);
    psy_channel_options c = {.in_flight = CALLS, .call_timeout_ms = timeout_ms};
    *channel = by_hand_connect(&h, &c, lanes, NULL);
    return h;
}

/* Into the workers' rings. */
static void send_to_all(by_hand *h, psy_channel *channel, const psy_pipeline lanes[LANES], uint32_t calls)
{
    static uint64_t number;
    for (uint32_t i = 0; i < calls; i++) {
        question q = {.key = number, .number = number + 1};
        cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
        number++;
    }
    psy_channel_flush(channel);
    while (psy_broker_do_work(h->broker) != 0) {
    }
}

/* Rounds of everybody until so many replies came. */
static void take_all(by_hand *h, psy_channel *channel, psy_status status, uint32_t calls)
{
    const uint64_t end_ns = psy__now_ns() + 10 * second_ns;
    for (uint32_t n = 0; n < calls;) {
        cr_assert_lt(psy__now_ns(), end_ns, "%u of %u replies came", n, calls);
        by_hand_round(h);
        n += by_hand_take(channel, status);
    }
}

Test(payloads, without_a_slot_they_are_copied)
{
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    psy_broker_counts counts;
    by_hand h = open_service_of_four(&channel, lanes, 0);
    for (uint32_t round = 1; round <= 5; round++) {
        send_to_all(&h, channel, lanes, CALLS);
        psy_broker_get_counts(h.broker, &counts);
        cr_assert_eq(counts.referenced, round * SLOTS);
        cr_assert_eq(counts.scatter_bytes, round * (SLOTS + (CALLS - SLOTS) * SHARDS) * sizeof(question), "%lu",
                     (unsigned long)counts.scatter_bytes);
        take_all(&h, channel, PSY_OK, CALLS); /* digests of both kinds were compared by the merge */
        by_hand_round(&h);
        cr_assert_eq(h.broker->payloads.freed, h.broker->payloads.taken);
    }
    psy_channel_close(channel);
    by_hand_close(&h);
}

Test(payloads, those_of_the_dead_are_free)
{
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    by_hand h = open_service_of_four(&channel, lanes, 0);
    send_to_all(&h, channel, lanes, SLOTS);
    cr_assert_eq(h.broker->payloads.taken - h.broker->payloads.freed, (uint64_t)SLOTS);
    psy_worker_destroy(h.workers[1]);
    h.workers[1] = NULL;
    take_all(&h, channel, PSY_PEER_DIED, SLOTS);
    for (uint32_t i = 0; i < 10000 && h.broker->free_count != h.broker->ticket_count; i++) { /* the other one reports, too */
        by_hand_round(&h);
    }
    cr_assert_eq(h.broker->free_count, h.broker->ticket_count);
    cr_assert_eq(h.broker->payloads.freed, h.broker->payloads.taken);
    psy_channel_close(channel);
    by_hand_close(&h);
}

/* The memory of a shard's ring is the service's own, but a worker believes nothing that lies in it. */
Test(payloads, a_reference_to_nowhere_is_no_request)
{
    static const uint32_t nowhere[] = {SLOTS + 1, SLOTS + 2, UINT32_MAX / 2, UINT32_MAX};
    enum { WRONG = sizeof nowhere / sizeof nowhere[0] };
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    by_hand h = open_service_of_four(&channel, lanes, 50);
    send_to_all(&h, channel, lanes, WRONG);
    const psy_ring *ring = &h.broker->shards[0].requests;
    for (uint32_t i = 0; i < WRONG; i++) {
        psy__hop *hop = (void *)(ring->slots_at + (uint64_t)i * ring->stride);
        cr_assert_eq(hop->reference, i + 1);
        hop->reference = nowhere[i];
    }
    take_all(&h, channel, PSY_TIMEOUT, WRONG);
    psy_channel_close(channel);
    by_hand_close(&h);
}
