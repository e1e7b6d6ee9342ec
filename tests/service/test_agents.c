/* SPDX-License-Identifier: Apache-2.0 */
/* Channel, broker and workers together, in threads, over the stand-in: saturation, deadlines, workers that come and go. Every
 * call must end in exactly one right reply. */
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/agents.h"

/* Far more calls than the service takes in at once, and batches as large as all of them. */
static void saturate(const char *uri)
{
    holdings before = holdings_now();
    service s = open_service(uri, 16, 64);
    client c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (client){.uri = s.uri, .in_flight = 64, .calls = 20000, .timeout_ms = 30000, .stall_ns = i == 0 ? 500000 : 0};
    }
    run_clients(c, 3);
    close_service(&s);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(c[i].setup, PSY_OK);
        cr_assert_eq(c[i].wrong, 0u);
        cr_assert_eq(c[i].ok, c[i].calls, "ok %u timeouts %u died %u", c[i].ok, c[i].timeouts, c[i].died);
    }
    nothing_leaked(getpid(), before);
}

Test(agents, saturation_between_threads) { saturate("inproc://saturation"); }
Test(agents, saturation_over_a_socket) { saturate(own_ipc_address()); }

/* One call at a time: both sides sleep between, and no wake-up may be lost. */
static void one_at_a_time(const char *uri)
{
    service s = open_service(uri, 16, 64);
    client c = {.uri = s.uri, .in_flight = 1, .calls = 3000, .timeout_ms = 30000};
    uint64_t start = psy__now_ns();
    run_clients(&c, 1);
    uint64_t took = psy__now_ns() - start;
    close_service(&s);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.ok, c.calls);
    cr_assert_lt(took, 10 * second_ns, "%lu us a call: wake-ups are lost", (unsigned long)(took / 1000 / c.calls));
}

Test(agents, one_at_a_time_between_threads) { one_at_a_time("inproc://one"); }
Test(agents, one_at_a_time_over_a_socket) { one_at_a_time(own_ipc_address()); }

/* Shards that stall past the deadline: every call still ends once, no late reply hits a slot that was given out again. */
Test(agents, late_replies)
{
    service s = open_service("inproc://late", 64, 8);
    client c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (client){.uri = s.uri, .in_flight = 8, .calls = 600, .timeout_ms = 20, .stall_ns = 150000000};
    }
    run_clients(c, 2);
    close_service(&s);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(c[i].wrong, 0u);
        cr_assert_eq(c[i].ok + c[i].timeouts, c[i].calls, "ok %u timeouts %u died %u", c[i].ok, c[i].timeouts, c[i].died);
        cr_assert_gt(c[i].timeouts, 0u);
        cr_assert_gt(c[i].ok, 0u);
    }
}

/* A worker goes in the middle, another one takes its place; calls end in PEER_DIED meanwhile. */
static void *replace_worker(void *argument)
{
    service *s = argument;
    for (int i = 0; i < 5; i++) {
        usleep(30000);
        fire(s, 1);
        usleep(20000);
        hire(s, 1, 64);
    }
    return NULL;
}

Test(agents, workers_come_and_go)
{
    service s = open_service("inproc://shifts", 256, 64);
    client c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (client){.uri = s.uri, .in_flight = 64, .calls = 100000, .timeout_ms = 5000};
    }
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, replace_worker, &s), 0);
    run_clients(c, 2);
    pthread_join(thread, NULL);
    client after = {.uri = s.uri, .in_flight = 64, .calls = 1000, .timeout_ms = 5000};
    run_clients(&after, 1);
    close_service(&s);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(c[i].wrong, 0u);
        cr_assert_eq(c[i].ok + c[i].timeouts + c[i].died, c[i].calls);
        cr_assert_eq(c[i].timeouts, 0u);
    }
    cr_assert_eq(after.ok, after.calls);
}

/* Any number of shards: all of them take part where they should, each key goes to one, and the same one each time. */
Test(agents, one_to_sixty_four_shards)
{
    static const uint32_t counts[] = {1, 2, 3, 5, 8, 64};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        stand_in_shards = counts[k];
        service s = open_broker("inproc://shards", counts[k], 64);
        for (uint32_t i = 0; i < s.shards; i++) {
            hire(&s, i, 16);
        }
        client c = {.uri = s.uri, .in_flight = 32, .calls = 900, .timeout_ms = 30000};
        run_client(&c);
        uint64_t runs = 0, merges = 0, least = UINT64_MAX;
        for (uint32_t i = 0; i < s.shards; i++) {
            psy_worker_counts counts_now;
            psy_worker_stop(s.workers[i]);
            pthread_join(s.threads[i], NULL);
            psy_worker_get_counts(s.workers[i], &counts_now);
            psy_worker_destroy(s.workers[i]);
            runs += counts_now.requests;
            merges += counts_now.merges;
            least = counts_now.requests < least ? counts_now.requests : least;
            cr_assert_eq(counts_now.dropped_replies, 0u);
        }
        close_broker(&s);
        cr_assert_eq(c.ok, c.calls, "%u shards", counts[k]);
        cr_assert_eq(c.wrong, 0u);
        cr_assert_eq(merges, 300u);
        cr_assert_eq(runs, 300u * counts[k] + 600u, "%u shards: %lu runs", counts[k], (unsigned long)runs);
        cr_assert_geq(least, 300u);
    }
    stand_in_shards = SHARDS;
}

enum { WAITING = 48, BATCH = 16 };

/* Asks while the workers are at it, and counts their runs. */
static void count_runs(uint32_t runs)
{
    service s = open_broker("inproc://batches", SHARDS, 64);
    psy_worker_counts counts;
    hire(&s, 0, BATCH);
    hire(&s, 1, BATCH);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, WAITING + 1, 30000, lanes);
    psy_status statuses[WAITING + 1];
    uint64_t digests[WAITING + 1];
    question first = {.number = WAITING + 1, .stall_ns = 200000000};
    digests[WAITING] = digest(&first);
    cr_assert_eq(ask(channel, &lanes[LANE_ALL], &first), PSY_OK);
    psy_channel_flush(channel);
    usleep(50000); /* both are at it */
    for (uint32_t i = 0; i < WAITING; i++) {
        question q = {.number = i + 1};
        digests[i] = digest(&q);
        cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
    }
    cr_assert_eq(take_replies(channel, WAITING + 1, 10 * second_ns, statuses, digests), (uint32_t)WAITING + 1);
    psy_channel_close(channel);
    for (uint32_t i = 0; i < SHARDS; i++) {
        psy_worker_stop(s.workers[i]);
        pthread_join(s.threads[i], NULL);
        psy_worker_get_counts(s.workers[i], &counts);
        psy_worker_destroy(s.workers[i]);
        cr_assert_eq(counts.requests, WAITING + 1u);
        cr_assert_eq(counts.batches, runs, "%lu runs", (unsigned long)counts.batches);
    }
    close_broker(&s);
}

/* What waits is run in one batch, as large as the worker's limit and the pipeline's. */
Test(agents, what_waits_is_one_batch)
{
    count_runs(1 + WAITING / BATCH);
    stand_in_limit(4);
    count_runs(1 + WAITING / 4);
    stand_in_limit(100);
    count_runs(1 + WAITING / BATCH);
    stand_in_limit(0);
}
