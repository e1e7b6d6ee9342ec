/* SPDX-License-Identifier: Apache-2.0 */
/* How long a worker waits for more before it runs what is there. Client, broker and worker take turns on this thread, so that
 * the test says who looks when. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/agents.h"

enum { BATCH = 8 };
static const char uri[] = "inproc://max-wait";
static const uint64_t minute_ns = 60 * UINT64_C(1000000000), ms_ns = 1000000;

typedef struct scene {
    uint64_t max_wait_ns;
    psy_broker *broker;
    psy_worker *worker;
    psy_channel *channel;
    psy_pipeline lanes[LANES];
    uint64_t sent;
} scene;

static void *connect_all(void *argument)
{
    scene *s = argument;
    psy_worker_options o = {.uri = uri, .module = &stand_in_module, .max_batch = BATCH, .max_wait_ns = s->max_wait_ns};
    cr_assert_eq(psy_worker_create(&o, &s->worker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(s->worker), PSY_OK, "%s", psy_detail());
    s->channel = open_channel(uri, 64, 60000, s->lanes);
    return NULL;
}

static void open_scene(scene *s, uint64_t max_wait_ns)
{
    *s = (scene){.max_wait_ns = max_wait_ns};
    psy_broker_options o = {.uri = uri, .module = &stand_in_module, .shards = 1};
    cr_assert_eq(psy_broker_create(&o, &s->broker), PSY_OK, "%s", psy_detail());
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, connect_all, s), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        (void)psy_broker_do_work(s->broker);
    }
}

static void close_scene(scene *s)
{
    psy_channel_close(s->channel);
    psy_worker_destroy(s->worker);
    psy_broker_destroy(s->broker);
}

/* Into the worker's ring. */
static void send_calls(scene *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        question q = {.key = s->sent, .number = s->sent + 1};
        cr_assert_eq(ask(s->channel, &s->lanes[LANE_ANY], &q), PSY_OK);
        s->sent++;
    }
    psy_channel_flush(s->channel);
    while (psy_broker_do_work(s->broker) != 0) {
    }
}

/* All replies that there are: how many. */
static uint32_t count_replies(scene *s)
{
    psy_reply replies[64];
    uint32_t n = 0;
    (void)!psy_channel_poll(s->channel, replies, 64, &n);
    for (uint32_t i = 0; i < n; i++) {
        cr_assert_eq(replies[i].status, PSY_OK);
        psy_channel_release(s->channel, &replies[i]);
    }
    return n;
}

Test(max_wait, a_full_run_waits_for_nothing)
{
    scene s;
    open_scene(&s, minute_ns);
    send_calls(&s, BATCH - 1);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(psy_worker_do_work(s.worker), 0u, "it is to wait for more");
    }
    cr_assert_eq(count_replies(&s), 0u);
    send_calls(&s, 1);
    cr_assert_eq(psy_worker_do_work(s.worker), (uint32_t)BATCH);
    cr_assert_eq(count_replies(&s), (uint32_t)BATCH);
    psy_worker_counts counts;
    psy_worker_get_counts(s.worker, &counts);
    cr_assert_eq(counts.batches, 1u);
    send_calls(&s, BATCH + 1); /* of those that are too many for a run, the last waits again */
    cr_assert_eq(psy_worker_do_work(s.worker), (uint32_t)BATCH);
    cr_assert_eq(psy_worker_do_work(s.worker), 0u);
    close_scene(&s);
}

Test(max_wait, is_the_most_that_a_request_waits)
{
    scene s;
    open_scene(&s, 20 * ms_ns);
    uint64_t start = psy__now_ns();
    send_calls(&s, 3);
    cr_assert_eq(psy_worker_do_work(s.worker), 0u, "whenever it first looks, it begins to wait");
    uint32_t n = 0;
    while (n == 0 && psy__now_ns() - start < minute_ns) {
        psy_worker_wait(s.worker, minute_ns);
        n = psy_worker_do_work(s.worker);
    }
    cr_assert_eq(n, 3u);
    cr_assert_geq(psy__now_ns() - start, 20 * ms_ns);
    cr_assert_eq(count_replies(&s), 3u);
    close_scene(&s);
}

Test(max_wait, none_is_the_default)
{
    scene s;
    open_scene(&s, 0);
    send_calls(&s, 1);
    cr_assert_eq(psy_worker_do_work(s.worker), 1u);
    cr_assert_eq(count_replies(&s), 1u);
    close_scene(&s);
}

static void *run_worker(void *worker)
{
    (void)!psy_worker_run(worker);
    return NULL;
}

/* A worker in a thread of its own, asleep beside what it holds back, is woken by the request that makes a run of it. */
Test(max_wait, sleepers_are_woken_for_a_full_run)
{
    service s = open_broker("inproc://max-wait-asleep", 1, 64);
    psy_worker_options o = {.uri = s.uri, .module = &stand_in_module, .max_batch = BATCH, .max_wait_ns = minute_ns};
    cr_assert_eq(psy_worker_create(&o, &s.workers[0]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(s.workers[0]), PSY_OK, "%s", psy_detail());
    cr_assert_eq(pthread_create(&s.threads[0], NULL, run_worker, s.workers[0]), 0);
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel(s.uri, 64, 60000, lanes);
    psy_status statuses[2 * BATCH];
    for (uint64_t i = 0; i < BATCH; i++) {
        question q = {.key = i, .number = i + 1};
        cr_assert_eq(ask(channel, &lanes[LANE_ANY], &q), PSY_OK);
        psy_channel_flush(channel);
        if (i + 2 == BATCH) {
            usleep(50000);
        }
    }
    cr_assert_eq(take_replies(channel, BATCH, 10 * second_ns, statuses, NULL), (uint32_t)BATCH);
    psy_channel_close(channel);
    fire(&s, 0);
    close_broker(&s);
}
