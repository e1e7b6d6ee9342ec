/* SPDX-License-Identifier: Apache-2.0 */
/* Services, workers, pipelines and what else is no ring, as tables and as JSON. */
#include "command/counters.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command/json_text.h"
#include "command/table.h"

/* Which quantiles are shown, in millionths. */
static const struct {
    uint32_t per_million;
    const char *title, *key;
} quantiles[] = {{500000, "P50 <", "0.5"}, {900000, "P90 <", "0.9"}, {990000, "P99 <", "0.99"}, {999000, "P99.9 <", "0.999"}};
enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static const psy_counters_view *find(const psy_counters_snapshot *s, psy_counters_section section, uint64_t id, uint32_t side)
{
    const psy_counters_view *v;
    for (uint32_t i = 0; s && (v = psy_counters_view_at(s, i)) != NULL; i++) {
        if (v->section == section && v->id == id && v->side == side) {
            return v;
        }
    }
    return NULL;
}

static const psy_counters_latency *find_latency(const psy_counters_snapshot *s, uint64_t id)
{
    const psy_counters_latency *l;
    for (uint32_t i = 0; (l = psy_counters_latency_at(s, i)) != NULL; i++) {
        if (l->id == id) {
            return l;
        }
    }
    return NULL;
}

/* How often a value grew in a second; false: that is not known. */
static bool rate_of(const psy_counters_snapshot *s, const psy_counters_snapshot *before, const psy_counters_view *v,
                    uint32_t place, uint64_t *out)
{
    const psy_counters_view *was = find(before, v->section, v->id, v->side);
    const uint64_t ns = before ? psy_counters_taken_ns(s) - psy_counters_taken_ns(before) : 0;
    if (!was || ns == 0 || v->values[place] < was->values[place]) {
        return false;
    }
    *out = (uint64_t)((double)(v->values[place] - was->values[place]) * 1e9 / (double)ns + 0.5);
    return true;
}

/* The place of what is counted first, which is what rates are of; UINT32_MAX: of none. */
static uint32_t rate_place(psy_counters_section section)
{
    return section == PSY_COUNTERS_OF_SERVICE    ? (uint32_t)PSY_SERVICE_COUNTER_requests
           : section == PSY_COUNTERS_OF_WORKER   ? (uint32_t)PSY_WORKER_COUNTER_requests
           : section == PSY_COUNTERS_OF_PIPELINE ? (uint32_t)PSY_PIPELINE_COUNTER_requests
                                                 : UINT32_MAX;
}

/* ---- as tables ---- */

static void put_label(psy__table *t, const psy_counters_view *v)
{
    psy__table_put(t, "%s%s", v->label, v->living < v->rows ? " (dead)" : "");
}

static void put_rate(psy__table *t, const psy_counters_snapshot *s, const psy_counters_snapshot *before,
                     const psy_counters_view *v)
{
    uint64_t rate;
    if (rate_of(s, before, v, rate_place(v->section), &rate)) {
        psy__table_put(t, "%" PRIu64, rate);
    } else {
        psy__table_put(t, "-");
    }
}

static void put_time(psy__table *t, uint64_t ns)
{
    if (ns == UINT64_MAX) {
        psy__table_put(t, "-");
    } else if (ns < 1000) {
        psy__table_put(t, "%" PRIu64 "ns", ns);
    } else {
        const char *units[] = {"us", "ms", "s"};
        double n = (double)ns / 1000;
        unsigned u = 0;
        for (; n >= 999.5 && u < 2; u++) {
            n /= 1000;
        }
        psy__table_put(t, n < 9.995 ? "%.2f%s" : n < 99.95 ? "%.1f%s" : "%.0f%s", n, units[u]);
    }
}

/* Its times: the bounds that quantiles are below. */
static void put_pipeline(psy__table *t, const psy_counters_snapshot *s, const psy_counters_view *v)
{
    const uint64_t n = v->values[PSY_PIPELINE_COUNTER_requests];
    const psy_counters_latency *l = find_latency(s, v->id);
    psy__table_put(t, "%" PRIu64, n);
    psy__table_put(t, "%" PRIu64, v->values[PSY_PIPELINE_COUNTER_errors]);
    put_time(t, n ? v->values[PSY_PIPELINE_COUNTER_latency] / n : UINT64_MAX);
    for (unsigned q = 0; q < QUANTILES; q++) {
        const uint32_t bucket = l ? psy_latency_quantile(l->buckets, quantiles[q].per_million) : PSY_LATENCY_BUCKETS;
        put_time(t, bucket < PSY_LATENCY_BUCKETS ? psy_latency_bound_ns(bucket) : UINT64_MAX);
    }
    put_time(t, n ? v->values[PSY_PIPELINE_COUNTER_slowest] : UINT64_MAX);
}

static uint32_t put_titles(const psy_counters_descriptor *of, uint32_t at, const char **titles, char texts[][32])
{
    uint32_t n = 0;
    const psy_counters_descriptor *d;
    for (titles[n++] = of->name; (d = psy_counters_table(++at)) != NULL && d->section == of->section; n++) {
        titles[n] = d->name;
    }
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < 32; k++) {
            texts[i][k] = (char)toupper((unsigned char)titles[i][k]);
        }
        titles[i] = texts[i];
    }
    return n;
}

static void show_section(const psy_counters_descriptor *of, uint32_t at, const psy_counters_snapshot *s,
                         const psy_counters_snapshot *before, bool rates)
{
    char texts[PSY_COUNTERS_VALUES + 1][32];
    const char *titles[PSY_TABLE_COLUMNS_MAX];
    const psy_counters_section section = (psy_counters_section)of->section;
    uint32_t values = put_titles(of, at, titles, texts) - 1, columns = 1 + values;
    if (section == PSY_COUNTERS_OF_PIPELINE) {
        columns = 3; /* its name, requests and errors */
        titles[columns++] = "MEAN";
        for (unsigned q = 0; q < QUANTILES; q++) {
            titles[columns++] = quantiles[q].title;
        }
        titles[columns++] = "SLOWEST";
    }
    rates = rates && rate_place(section) != UINT32_MAX;
    if (rates) {
        titles[columns++] = "REQUESTS/s";
    }
    psy__table t;
    psy__table_begin(&t, columns, titles);
    const psy_counters_view *v;
    for (uint32_t i = 0; (v = psy_counters_view_at(s, i)) != NULL; i++) {
        if (v->section != section) {
            continue;
        }
        put_label(&t, v);
        if (section == PSY_COUNTERS_OF_PIPELINE) {
            put_pipeline(&t, s, v);
        } else {
            for (uint32_t k = 0; k < values; k++) {
                psy__table_put(&t, "%" PRIu64, v->values[k]);
            }
        }
        if (rates) {
            put_rate(&t, s, before, v);
        }
    }
    putchar('\n');
    psy__table_print(&t, stdout);
}

void psy__counters_show_sections(const psy_counters_snapshot *s, const psy_counters_snapshot *before, bool rates)
{
    const psy_counters_descriptor *d;
    const psy_counters_view *v;
    for (uint32_t at = 0; (d = psy_counters_table(at)) != NULL; at++) {
        bool any = false;
        for (uint32_t i = 0; d->kind == PSY_COUNTERS_SECTION && (v = psy_counters_view_at(s, i)) != NULL; i++) {
            any = any || v->section == d->section;
        }
        if (any && d->section != PSY_COUNTERS_OF_LATENCY) { /* which stand with their pipelines */
            show_section(d, at, s, before, rates);
        }
    }
}

/* ---- as JSON ---- */

static void put_view(const psy_counters_view *v, const psy_counters_snapshot *s, const psy_counters_snapshot *before)
{
    const psy_counters_descriptor *d;
    printf("{\"id\":\"%016" PRIx64 "\",\"label\":", v->id);
    psy__json_text(stdout, v->label);
    printf(",\"side\":%" PRIu32 ",\"rows\":%" PRIu32 ",\"living\":%" PRIu32 ",\"since_ns\":%" PRIu64 ",\"values\":{", v->side,
           v->rows, v->living, v->since_ns);
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->section == v->section && d->kind != PSY_COUNTERS_SECTION) {
            printf("%s\"%s\":%" PRIu64, d->place ? "," : "", d->name, v->values[d->place]);
        }
    }
    putchar('}');
    uint64_t rate;
    const uint32_t place = rate_place(v->section);
    if (place != UINT32_MAX && rate_of(s, before, v, place, &rate)) {
        printf(",\"per_second\":{\"requests\":%" PRIu64 "}", rate);
    }
    putchar('}');
}

static void put_latency(const psy_counters_latency *l)
{
    printf("{\"id\":\"%016" PRIx64 "\",\"label\":", l->id);
    psy__json_text(stdout, l->label);
    printf(",\"alive\":%s,\"count\":%" PRIu64 ",\"buckets\":[", l->alive ? "true" : "false", l->count);
    const char *between = "";
    for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        if (l->buckets[i]) {
            printf("%s{\"from_ns\":%" PRIu64, between, i ? psy_latency_bound_ns(i - 1) : 0);
            if (i + 1 < PSY_LATENCY_BUCKETS) {
                printf(",\"below_ns\":%" PRIu64, psy_latency_bound_ns(i));
            }
            printf(",\"count\":%" PRIu64 "}", l->buckets[i]);
            between = ",";
        }
    }
    fputs("],\"below_ns\":{", stdout);
    between = "";
    for (unsigned q = 0; q < QUANTILES; q++) {
        const uint32_t bucket = psy_latency_quantile(l->buckets, quantiles[q].per_million);
        if (bucket + 1 < PSY_LATENCY_BUCKETS) {
            printf("%s\"%s\":%" PRIu64, between, quantiles[q].key, psy_latency_bound_ns(bucket));
            between = ",";
        }
    }
    fputs("}}", stdout);
}

void psy__counters_json_sections(const psy_counters_snapshot *s, const psy_counters_snapshot *before)
{
    const psy_counters_descriptor *d;
    const psy_counters_view *v;
    const psy_counters_latency *l;
    const char *between = "";
    fputs(",\"sections\":{", stdout);
    for (uint32_t at = 0; (d = psy_counters_table(at)) != NULL; at++) {
        if (d->kind != PSY_COUNTERS_SECTION || d->section == PSY_COUNTERS_OF_RING || d->section == PSY_COUNTERS_OF_LATENCY) {
            continue;
        }
        printf("%s\"%s\":[", between, d->name);
        between = "";
        for (uint32_t i = 0; (v = psy_counters_view_at(s, i)) != NULL; i++) {
            if (v->section == d->section) {
                fputs(between, stdout);
                put_view(v, s, before);
                between = ",";
            }
        }
        putchar(']');
        between = ",";
    }
    fputs("},\"latencies\":[", stdout);
    for (uint32_t i = 0; (l = psy_counters_latency_at(s, i)) != NULL; i++) {
        fputs(i ? "," : "", stdout);
        put_latency(l);
    }
    putchar(']');
}
