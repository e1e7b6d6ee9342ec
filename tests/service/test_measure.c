/* SPDX-License-Identifier: Apache-2.0 */
/* What broker and workers count besides their rings: requests and how they ended, times, batches, memory. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "service/measure.h"
#include "tests/service/agents.h"

enum { CALLS = 300, IN_FLIGHT = 32 };

typedef struct measured {
    char folder[96];
    psy_counters *counters;
    service service;
} measured;

static void open_measured(measured *m, const char *uri)
{
    make_counters(m->folder);
    m->counters = open_counters(m->folder, "all", 256);
    m->service = (service){.shards = SHARDS, .counters = m->counters};
    snprintf(m->service.uri, sizeof m->service.uri, "%s", uri);
    psy_broker_options o = {.uri = uri, .module = &stand_in_module, .shards = SHARDS, .counters = m->counters};
    cr_assert_eq(psy_broker_create(&o, &m->service.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&m->service);
    for (uint32_t i = 0; i < SHARDS; i++) {
        hire(&m->service, i, 0);
    }
}

static void close_measured(measured *m)
{
    close_service(&m->service);
    psy_counters_snapshot *s;
    cr_assert_eq(psy_counters_read(m->folder, &s), PSY_OK, "%s", psy_detail());
    cr_assert_null(psy_counters_view_at(s, 0), "rows that are left");
    psy_counters_release(s);
    psy_counters_destroy(m->counters);
    remove_counters(m->folder);
}

/* The thing of that section and label; false: there is none. */
static bool see(const measured *m, psy_counters_section section, const char *label, psy_counters_view *out)
{
    psy_counters_snapshot *s;
    const psy_counters_view *v;
    bool found = false;
    cr_assert_eq(psy_counters_read(m->folder, &s), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; (v = psy_counters_view_at(s, i)) != NULL; i++) {
        if (v->section == section && strcmp(v->label, label) == 0) {
            *out = *v;
            found = true;
        }
    }
    psy_counters_release(s);
    return found;
}

/* Waits for a value to be at least this: a tick may be missing. */
static psy_counters_view see_value(const measured *m, psy_counters_section section, const char *label, uint32_t place,
                                   uint64_t least)
{
    psy_counters_view v = {0};
    for (int tries = 0; tries < 500; tries++) {
        if (see(m, section, label, &v) && v.values[place] >= least) {
            return v;
        }
        usleep(10000);
    }
    cr_assert_fail("%s has %lu, and not %lu", label, (unsigned long)v.values[place], (unsigned long)least);
    return v;
}

static psy_counters_latency latency_of(const measured *m, const char *label)
{
    psy_counters_snapshot *s;
    const psy_counters_latency *l;
    psy_counters_latency out = {0};
    cr_assert_eq(psy_counters_read(m->folder, &s), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; (l = psy_counters_latency_at(s, i)) != NULL; i++) {
        out = strcmp(l->label, label) == 0 ? *l : out;
    }
    psy_counters_release(s);
    cr_assert_str_eq(out.label, label);
    return out;
}

static void call(psy_channel *channel, const psy_pipeline *lane, uint32_t calls)
{
    psy_status statuses[IN_FLIGHT];
    for (uint32_t done = 0, n; done < calls; done += n) {
        n = calls - done < IN_FLIGHT ? calls - done : IN_FLIGHT;
        for (uint32_t i = 0; i < n; i++) {
            question q = {.key = done + i, .number = i + 1};
            cr_assert_eq(ask(channel, lane, &q), PSY_OK);
        }
        cr_assert_eq(take_replies(channel, n, 5 * second_ns, statuses, NULL), n);
    }
}

Test(measure, every_request_is_counted_where_it_was)
{
    measured m;
    open_measured(&m, "inproc://measured");
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel("inproc://measured", IN_FLIGHT, 10000, lanes);
    for (uint32_t l = 0; l < LANES; l++) {
        call(channel, &lanes[l], CALLS + l);
    }
    const uint64_t all = (uint64_t)LANES * CALLS + LANES * (LANES - 1) / 2;
    psy_counters_view v = see_value(&m, PSY_COUNTERS_OF_SERVICE, "measured", PSY_SERVICE_COUNTER_requests, all);
    cr_assert_eq(v.values[PSY_SERVICE_COUNTER_requests], all);
    cr_assert(v.values[PSY_SERVICE_COUNTER_shards] == SHARDS && v.values[PSY_SERVICE_COUNTER_shards_ready] == SHARDS);
    cr_assert(v.values[PSY_SERVICE_COUNTER_clients] == 1 && v.values[PSY_SERVICE_COUNTER_timeouts] == 0);
    cr_assert_gt(v.values[PSY_SERVICE_COUNTER_scatter_bytes], all * sizeof(question));
    cr_assert_gt(v.values[PSY_SERVICE_COUNTER_in_flight_limit], 0u);
    for (uint32_t l = 0; l < LANES; l++) {
        char label[64];
        snprintf(label, sizeof label, "measured/%s", lane_names[l]);
        const uint64_t calls = CALLS + l;
        v = see_value(&m, PSY_COUNTERS_OF_PIPELINE, label, PSY_PIPELINE_COUNTER_requests, calls);
        cr_assert(v.values[PSY_PIPELINE_COUNTER_requests] == calls && v.values[PSY_PIPELINE_COUNTER_errors] == 0);
        const psy_counters_latency latency = latency_of(&m, label);
        cr_assert_eq(latency.count, calls, "%s: %lu", label, (unsigned long)latency.count);
        /* Sum, peak and buckets tell of the same times. */
        uint64_t least = 0, most = 0;
        for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
            least += latency.buckets[i] * (i ? psy_latency_bound_ns(i - 1) : 0);
            most += latency.buckets[i] * psy_latency_bound_ns(i);
        }
        const uint64_t sum = v.values[PSY_PIPELINE_COUNTER_latency], slowest = v.values[PSY_PIPELINE_COUNTER_slowest];
        cr_assert(sum >= least && sum <= most, "%lu is not within %lu and %lu", (unsigned long)sum, (unsigned long)least,
                  (unsigned long)most);
        cr_assert_gt(slowest, 0u);
        cr_assert_eq(psy_latency_quantile(latency.buckets, 1000000), psy_latency_bucket(slowest));
    }
    const uint64_t shared = (uint64_t)SHARDS * CALLS + CALLS + 1 + CALLS + 2; /* one lane goes to all */
    uint64_t requests = 0;
    char label[64];
    for (int tries = 0; requests < shared && tries < 500; tries++) { /* every worker has had its tick */
        usleep(tries ? 10000 : 0);
        requests = 0;
        for (uint32_t s = 0; s < SHARDS; s++) {
            snprintf(label, sizeof label, "measured/shard %u", s);
            requests += see(&m, PSY_COUNTERS_OF_WORKER, label, &v) ? v.values[PSY_WORKER_COUNTER_requests] : 0;
        }
    }
    cr_assert_eq(requests, shared);
    uint64_t runs = 0, merges = 0;
    for (uint32_t s = 0; s < SHARDS; s++) {
        snprintf(label, sizeof label, "measured/shard %u", s);
        cr_assert(see(&m, PSY_COUNTERS_OF_WORKER, label, &v) && v.side == s);
        merges += v.values[PSY_WORKER_COUNTER_merges];
        cr_assert_eq(v.values[PSY_WORKER_COUNTER_errors], 0u);
        const uint64_t batches = v.values[PSY_WORKER_COUNTER_batches], peak = v.values[PSY_WORKER_COUNTER_batch_peak];
        cr_assert(peak > 0 && peak <= IN_FLIGHT);
        cr_assert(see(&m, PSY_COUNTERS_OF_BATCH, label, &v));
        uint64_t least = 0, most = 0, n = 0;
        for (uint32_t i = 0; i < PSY_BATCH_COUNTERS; i++) {
            n += v.values[i];
            least += v.values[i] * (i ? (UINT64_C(1) << (i - 1)) + 1 : 1);
            most += v.values[i] * (UINT64_C(1) << i);
        }
        runs += n;
        cr_assert_eq(n, batches);
        cr_assert(least <= most && most >= CALLS);
        cr_assert(see(&m, PSY_COUNTERS_OF_SLAB, label, &v));
        cr_assert_gt(v.values[PSY_SLAB_COUNTER_bytes], 0u);
    }
    cr_assert_eq(merges, (uint64_t)CALLS);
    cr_assert(runs > 0 && runs <= requests);
    v.values[PSY_SLAB_COUNTER_used] = 1;
    for (int tries = 0; v.values[PSY_SLAB_COUNTER_used] && tries < 500; tries++) { /* the last tickets come back */
        usleep(tries ? 10000 : 0);
        cr_assert(see(&m, PSY_COUNTERS_OF_SLAB, "measured/gather", &v));
    }
    cr_assert(v.values[PSY_SLAB_COUNTER_slots] > 0 && v.values[PSY_SLAB_COUNTER_used] == 0);
    psy_channel *second = open_channel("inproc://measured", IN_FLIGHT, 10000, lanes);
    psy_pipeline none;
    cr_assert_eq(psy_channel_open(second, "nothing", &question_type, &answer_type, &none), PSY_NOT_FOUND);
    v = see_value(&m, PSY_COUNTERS_OF_GUARD, "measured", PSY_GUARD_COUNTER_unknown, 1);
    cr_assert(v.values[PSY_GUARD_COUNTER_unknown] == 1 && v.values[PSY_GUARD_COUNTER_denied] == 0);
    v = see_value(&m, PSY_COUNTERS_OF_SLAB, "measured/client 0", PSY_SLAB_COUNTER_bytes, 1);
    v = see_value(&m, PSY_COUNTERS_OF_SLAB, "measured/client 1", PSY_SLAB_COUNTER_bytes, 1);
    /* The memory goes with whom it is of: of the first one, and of the last one when no place is in use any more. */
    psy_channel *channels[2] = {channel, second};
    for (uint32_t i = 0; i < 2; i++) {
        psy_channel_close(channels[i]);
        snprintf(label, sizeof label, "measured/client %u", i);
        for (int tries = 0; see(&m, PSY_COUNTERS_OF_SLAB, label, &v) && tries < 500; tries++) {
            usleep(10000);
        }
        cr_assert_not(see(&m, PSY_COUNTERS_OF_SLAB, label, &v), "%s", label);
    }
    close_measured(&m);
}

/* Shards that nobody runs: a request ends with its deadline, and that is what is counted. */
Test(measure, late_is_an_error_after_its_time)
{
    enum { WAIT_MS = 60 };
    measured m;
    make_counters(m.folder);
    m.counters = open_counters(m.folder, "all", 256);
    m.service = (service){.shards = 1, .counters = m.counters};
    psy_broker_options o = {.uri = "inproc://late", .module = &stand_in_module, .shards = 1, .counters = m.counters};
    cr_assert_eq(psy_broker_create(&o, &m.service.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&m.service);
    psy_worker *worker;
    psy_worker_options w = {.uri = "inproc://late", .module = &stand_in_module, .counters = m.counters};
    cr_assert_eq(psy_worker_create(&w, &worker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_worker_start(worker), PSY_OK, "%s", psy_detail());
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel("inproc://late", IN_FLIGHT, WAIT_MS, lanes);
    psy_status status[1] = {PSY_OK};
    question q = {.key = 1, .number = 1};
    const uint64_t began = psy__now_ns();
    cr_assert_eq(ask(channel, &lanes[LANE_ALL], &q), PSY_OK);
    cr_assert_eq(take_replies(channel, 1, 5 * second_ns, status, NULL), 1u);
    cr_assert_eq(status[0], PSY_TIMEOUT);
    char label[64];
    snprintf(label, sizeof label, "late/%s", lane_names[LANE_ALL]);
    psy_counters_view v = see_value(&m, PSY_COUNTERS_OF_PIPELINE, label, PSY_PIPELINE_COUNTER_errors, 1);
    const uint64_t took = psy__now_ns() - began;
    cr_assert_eq(v.values[PSY_PIPELINE_COUNTER_requests], 1u);
    cr_assert(v.values[PSY_PIPELINE_COUNTER_latency] >= (WAIT_MS - 1) * UINT64_C(1000000) &&
                  v.values[PSY_PIPELINE_COUNTER_latency] <= took,
              "%lu ns", (unsigned long)v.values[PSY_PIPELINE_COUNTER_latency]);
    v = see_value(&m, PSY_COUNTERS_OF_SERVICE, "late", PSY_SERVICE_COUNTER_timeouts, 1);
    cr_assert_eq(v.values[PSY_SERVICE_COUNTER_in_flight], 1u, "the ticket is the worker's still");
    v = see_value(&m, PSY_COUNTERS_OF_SLAB, "late/client 0", PSY_SLAB_COUNTER_used, 1);
    cr_assert(v.values[PSY_SLAB_COUNTER_used] == 1 && v.values[PSY_SLAB_COUNTER_high_water] == 1 &&
              v.values[PSY_SLAB_COUNTER_slots] == IN_FLIGHT);
    cr_assert_eq(latency_of(&m, label).count, 1u, "told once");
    psy_worker_destroy(worker);
    see_value(&m, PSY_COUNTERS_OF_SERVICE, "late", PSY_SERVICE_COUNTER_requests, 1);
    cr_assert_eq(latency_of(&m, label).count, 1u, "and not again when the shard dies");
    for (int tries = 0; v.values[PSY_SLAB_COUNTER_used] && tries < 500; tries++) { /* its ticket came back */
        usleep(tries ? 10000 : 0);
        cr_assert(see(&m, PSY_COUNTERS_OF_SLAB, "late/client 0", &v));
    }
    cr_assert(v.values[PSY_SLAB_COUNTER_used] == 0 && v.values[PSY_SLAB_COUNTER_high_water] == 1);
    psy_channel_close(channel);
    close_broker(&m.service);
    psy_counters_destroy(m.counters);
    remove_counters(m.folder);
}

/* The broker comes late to what is done: it is the shard that knows when. */
Test(measure, a_broker_that_sleeps_makes_no_request_longer)
{
    enum { SLEEP_MS = 300 };
    measured m;
    open_measured(&m, "inproc://sleeper");
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel("inproc://sleeper", IN_FLIGHT, 10000, lanes);
    call(channel, &lanes[LANE_ANY], 1);
    char label[64];
    snprintf(label, sizeof label, "sleeper/%s", lane_names[LANE_ANY]);
    const uint64_t first =
        see_value(&m, PSY_COUNTERS_OF_PIPELINE, label, PSY_PIPELINE_COUNTER_requests, 1).values[PSY_PIPELINE_COUNTER_latency];
    halt_broker(&m.service);
    const uint64_t began = psy__now_ns();
    psy_status status[1];
    question q = {.key = 2, .number = 1};
    cr_assert_eq(ask(channel, &lanes[LANE_ANY], &q), PSY_OK);
    psy_channel_flush(channel);
    (void)psy_broker_do_work(m.service.broker);
    cr_assert_eq(take_replies(channel, 1, 5 * second_ns, status, NULL), 1u);
    const uint64_t took = psy__now_ns() - began;
    for (int round = 0; round < 2; round++) { /* it sees that, and at its next tick it tells */
        usleep(SLEEP_MS * 1000);
        (void)psy_broker_do_work(m.service.broker);
    }
    psy_counters_view v = see_value(&m, PSY_COUNTERS_OF_PIPELINE, label, PSY_PIPELINE_COUNTER_requests, 2);
    cr_assert_eq(v.values[PSY_PIPELINE_COUNTER_requests], 2u);
    const uint64_t second = v.values[PSY_PIPELINE_COUNTER_latency] - first;
    cr_assert(second > 0 && second <= took, "%lu ns, and the reply was there after %lu", (unsigned long)second,
              (unsigned long)took);
    psy_channel_close(channel);
    run_broker_of(&m.service); /* to be joined: it ends at once */
    close_measured(&m);
}

/* Without rows, and without a file, requests are served all the same. */
Test(measure, nothing_needs_rows)
{
    measured m;
    make_counters(m.folder);
    m.counters = open_counters(m.folder, "all", 5); /* a pipeline has all its rows, or none */
    m.service = (service){.shards = SHARDS};
    snprintf(m.service.uri, sizeof m.service.uri, "inproc://rowless");
    psy_broker_options o = {.uri = "inproc://rowless", .module = &stand_in_module, .shards = SHARDS, .counters = m.counters};
    cr_assert_eq(psy_broker_create(&o, &m.service.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&m.service);
    for (uint32_t i = 0; i < SHARDS; i++) {
        hire(&m.service, i, 0);
    }
    psy_pipeline lanes[LANES];
    psy_channel *channel = open_channel("inproc://rowless", IN_FLIGHT, 10000, lanes);
    call(channel, &lanes[LANE_ALL], CALLS);
    psy_counters_view v = see_value(&m, PSY_COUNTERS_OF_SERVICE, "rowless", PSY_SERVICE_COUNTER_requests, CALLS);
    cr_assert_geq(v.values[PSY_SERVICE_COUNTER_uncounted], (uint64_t)LANES);
    char label[64];
    snprintf(label, sizeof label, "rowless/%s", lane_names[LANE_ALL]);
    cr_assert_not(see(&m, PSY_COUNTERS_OF_PIPELINE, label, &v));
    cr_assert_not(see(&m, PSY_COUNTERS_OF_LATENCY, label, &v));
    psy_channel_close(channel);
    close_measured(&m);
}

Test(measure, sizes_of_batches)
{
    psy_bucket_counters buckets = {0};
    psy__worker_measure m = {.batches = &buckets};
    static const struct {
        uint32_t count, bucket;
    } cases[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {64, 6}, {65, 7}, {4096, 12}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t before = buckets.buckets[cases[i].bucket];
        psy__measure_batch(&m, cases[i].count);
        cr_assert_eq(buckets.buckets[cases[i].bucket], before + 1, "%u", cases[i].count);
    }
    cr_assert_eq(m.batch_peak, 4096u);
}
