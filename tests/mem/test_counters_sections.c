/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of counters besides rings: rows that become things, histograms that become whole, and what is said of their times.
 */
#define _GNU_SOURCE
#include "tests/mem/counters.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const psy_counters_view *find_view(const psy_counters_snapshot *s, psy_counters_section section, const char *label,
                                          uint32_t side)
{
    const psy_counters_view *v;
    for (uint32_t i = 0; (v = psy_counters_view_at(s, i)) != NULL; i++) {
        if (v->section == section && v->side == side && strcmp(v->label, label) == 0) {
            return v;
        }
    }
    return NULL;
}

/* ---- buckets ---- */

Test(counters_sections, buckets_are_next_to_each_other)
{
    cr_assert_eq(psy_latency_bucket(0), 0u);
    cr_assert_eq(psy_latency_bucket(127), 0u);
    cr_assert_eq(psy_latency_bucket(UINT64_MAX), PSY_LATENCY_BUCKETS - 1u);
    cr_assert_eq(psy_latency_bound_ns(0), 128u);
    cr_assert_eq(psy_latency_bound_ns(124), UINT64_C(1) << 38);
    cr_assert_eq(psy_latency_bound_ns(125), UINT64_MAX);
    for (uint32_t i = 0; i + 1 < PSY_LATENCY_BUCKETS; i++) {
        const uint64_t bound = psy_latency_bound_ns(i), next = psy_latency_bound_ns(i + 1);
        cr_assert_eq(psy_latency_bucket(bound - 1), i, "below %llu", (unsigned long long)bound);
        cr_assert_eq(psy_latency_bucket(bound), i + 1, "%llu", (unsigned long long)bound);
        cr_assert_lt(bound, next);
        cr_assert(i + 2 == PSY_LATENCY_BUCKETS || (next - bound) * 4 <= bound, "a bucket is at most a quarter wide");
    }
}

/* Against sorting: the time of that rank is in the bucket. */
Test(counters_sections, quantiles_are_those_of_the_times)
{
    enum { TIMES = 5000 };
    static uint64_t times[TIMES], buckets[PSY_LATENCY_BUCKETS];
    uint64_t seed = 88172645463325252u;
    cr_assert_eq(psy_latency_quantile(buckets, 500000), (uint32_t)PSY_LATENCY_BUCKETS, "there is none");
    for (unsigned n = 0; n < TIMES;) {
        uint64_t t = random_next(&seed) >> (20 + random_next(&seed) % 40);
        unsigned at = n++;
        for (; at > 0 && times[at - 1] > t; at--) {
            times[at] = times[at - 1];
        }
        times[at] = t;
        buckets[psy_latency_bucket(t)]++;
        static const uint32_t per_million[] = {0, 1, 250000, 500000, 900000, 990000, 999000, 999999, 1000000};
        for (unsigned i = 0; i < sizeof per_million / sizeof per_million[0]; i++) {
            const uint64_t rank = ((uint64_t)n * per_million[i] + 999999) / 1000000;
            const uint32_t bucket = psy_latency_quantile(buckets, per_million[i]);
            cr_assert_eq(bucket, psy_latency_bucket(times[rank ? rank - 1 : 0]), "%u of a million of %u", per_million[i], n);
        }
    }
    for (unsigned i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        buckets[i] = UINT64_MAX / PSY_LATENCY_BUCKETS;
    }
    cr_assert_eq(psy_latency_quantile(buckets, 500000), (PSY_LATENCY_BUCKETS - 1) / 2u, "counts beyond 2^63");
}

/* ---- things ---- */

Test(counters_sections, things_are_joined)
{
    const scratch s = scratch_make();
    psy_counters *c[2] = {make_counters(scratch_name(&s, "a.counters").text, 8),
                          make_counters(scratch_name(&s, "b.counters").text, 8)};
    psy_service_counters *service = (void *)make_thing(c[0], PSY_COUNTERS_OF_SERVICE, "nearest", 7, 0);
    psy_counter_set(&service->requests, 100);
    psy_counter_set(&service->in_flight, 3);
    psy_worker_counters *worker[3];
    for (uint32_t i = 0; i < 3; i++) { /* shard 1 twice, in two files */
        worker[i] =
            (void *)make_thing(c[i / 2], PSY_COUNTERS_OF_WORKER, i ? "nearest/shard 1" : "nearest/shard 0", 7, i ? 1 : 0);
        psy_counter_set(&worker[i]->requests, 10 + i);
        psy_counter_set(&worker[i]->batch_peak, 60 - i);
    }
    (void)make_row(c[1], "a ring", 7, 0);
    psy_counters_snapshot *snapshot = read_counters(s.path);
    const psy_counters_view *v = psy_counters_view_at(snapshot, 0);
    cr_assert(v->section == PSY_COUNTERS_OF_SERVICE && v->id == 7 && v->rows == 1 && v->living == 1 && v->since_ns > 0);
    cr_assert(v->values[PSY_SERVICE_COUNTER_requests] == 100 && v->values[PSY_SERVICE_COUNTER_in_flight] == 3);
    cr_assert_str_eq(psy_counters_view_at(snapshot, 1)->label, "nearest/shard 0");
    cr_assert_null(psy_counters_view_at(snapshot, 3));
    v = find_view(snapshot, PSY_COUNTERS_OF_WORKER, "nearest/shard 1", 1);
    cr_assert(v && v->rows == 2 && v->living == 2);
    cr_assert_eq(v->values[PSY_WORKER_COUNTER_requests], 23u, "added up");
    cr_assert_eq(v->values[PSY_WORKER_COUNTER_batch_peak], 59u, "the greatest");
    cr_assert_not_null(psy_counters_ring_at(snapshot, 0));
    cr_assert_null(psy_counters_ring_at(snapshot, 1), "things are no rings, whatever their number is");
    psy_counters_release(snapshot);

    psy_counters_section_drop(c[0], (PSY_ATOMIC(uint64_t) *)(void *)worker[0]);
    psy_counters_section_drop(c[0], NULL);
    snapshot = read_counters(s.path);
    cr_assert_null(find_view(snapshot, PSY_COUNTERS_OF_WORKER, "nearest/shard 0", 0));
    psy_counters_release(snapshot);
    psy_counters_destroy(c[0]);
    psy_counters_destroy(c[1]);
    scratch_end(&s);
}

Test(counters_sections, a_histogram_is_whole_or_left_out)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    psy_counters *c = make_counters(path.text, 32);
    PSY_ATOMIC(uint64_t) * parts[2][PSY_LATENCY_PARTS];
    for (uint32_t i = PSY_LATENCY_PARTS; i-- > 0;) {
        parts[0][i] = make_thing(c, PSY_COUNTERS_OF_LATENCY, "nearest/first", 11, i);
        parts[1][i] = make_thing(c, PSY_COUNTERS_OF_LATENCY, "nearest/a", 12, i);
    }
    const uint64_t times[] = {5, 128, 1000, 1000, 250000, UINT64_MAX};
    for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++) {
        const uint32_t b = psy_latency_bucket(times[i]);
        psy_counter_add(&parts[0][b / PSY_COUNTERS_VALUES][b % PSY_COUNTERS_VALUES], 1);
    }
    psy_counters_snapshot *snapshot = read_counters(path.text);
    const psy_counters_latency *l = psy_counters_latency_at(snapshot, 1);
    cr_assert_str_eq(psy_counters_latency_at(snapshot, 0)->label, "nearest/a");
    cr_assert_null(psy_counters_latency_at(snapshot, 2));
    cr_assert_str_eq(l->label, "nearest/first");
    cr_assert(l->alive && l->id == 11 && l->count == 6 && l->buckets[psy_latency_bucket(1000)] == 2 && l->buckets[125] == 1);
    cr_assert_eq(psy_latency_quantile(l->buckets, 500000), psy_latency_bucket(1000));
    psy_counters_release(snapshot);

    psy_counters_section_drop(c, parts[0][5]);
    snapshot = read_counters(path.text);
    cr_assert_not_null(psy_counters_latency_at(snapshot, 0));
    cr_assert_null(psy_counters_latency_at(snapshot, 1), "a part is missing");
    psy_counters_release(snapshot);
    psy_counters_destroy(c);
    scratch_end(&s);
}

Test(counters_sections, the_dead_are_told)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    int ends[2];
    char byte;
    cr_assert_eq(pipe(ends), 0);
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        psy_counters *c = make_counters(path.text, 2);
        psy_counter_set(&make_thing(c, PSY_COUNTERS_OF_SUPERVISOR, "nearest", 5, 0)[PSY_SUPERVISOR_COUNTER_restarts], 9);
        (void)!write(ends[1], "", 1);
        pause();
        _exit(0);
    }
    close(ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    psy_counters_snapshot *snapshot = read_counters(path.text);
    const psy_counters_view *v = psy_counters_view_at(snapshot, 0);
    cr_assert(v && v->rows == 1 && v->living == 0 && v->values[PSY_SUPERVISOR_COUNTER_restarts] == 9);
    psy_counters_release(snapshot);
    cr_assert_eq(psy_counters_clean(s.path, NULL), PSY_OK);
    scratch_end(&s);
}

/* ---- other versions ---- */

/* A file of version 1.0 has rings only: this library reads it; and one of 1.0 reads what this library writes, for it goes by
 * the numbers in the header and by names. Here: the descriptors of all sections but the first are cut off. */
Test(counters_sections, a_file_of_the_first_version)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters"), other = scratch_name(&s, "b.counters");
    psy_counters *c = make_counters(path.text, 2);
    psy_counter_set(&make_row(c, "in", 1, 0)->messages, 17);
    size_t bytes;
    uint8_t *at = load(path.text, &bytes);
    psy_counters_destroy(c);
    psy_counters_header *h = (void *)at;
    h->abi_minor = 0;
    h->descriptors = 1 + PSY_RING_COUNTERS;
    store(other.text, at, bytes);
    psy_counters_snapshot *snapshot = read_counters(other.text);
    cr_assert_eq(psy_counters_ring_at(snapshot, 0)->producer[PSY_RING_COUNTER_messages], 17u);
    cr_assert_null(psy_counters_view_at(snapshot, 0));
    psy_counters_release(snapshot);
    free(at);
    cr_assert_eq(unlink(other.text), 0);
    scratch_end(&s);
}
