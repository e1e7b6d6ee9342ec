/* SPDX-License-Identifier: Apache-2.0 */
#include "command/top_model.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/json_text.h"

/* ---- what there is ---- */

static const psy__top_column columns[] = {
#define COLUMN(TABLE, name, title, kind, priority, sort, json, help)                                                           \
    {title, json, help, PSY_TOP_##TABLE, PSY_TOP_KIND_##kind, priority, PSY_TOP_SORT_##sort},
#include "command/top.def"
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* Places of columns in their table's rows. */
enum {
#define TABLE(NAME, json, title)                                     NAME##_BEGINS,
#define COLUMN(TABLE, name, title, kind, priority, sort, json, help) AT_##TABLE##_##name,
#include "command/top.def"
    COLUMNS_END
};
#define COLUMN_OF(TABLE, name) (AT_##TABLE##_##name - TABLE##_BEGINS - 1)

static const struct {
    const char *json, *title;
} tables[PSY_TOP_TABLES] = {
#define TABLE(NAME, json, title) {json, title},
#include "command/top.def"
};

const psy__top_column *psy__top_columns(psy__top_table_name table, unsigned *count)
{
    size_t first = 0;
    while (first < COLUMNS && columns[first].table != table) {
        first++;
    }
    for (*count = 0; first + *count < COLUMNS && columns[first + *count].table == table; ++*count) {
    }
    return &columns[first];
}

const char *psy__top_title(psy__top_table_name table) { return tables[table].title; }

/* ---- making them ---- */

/* Things of the reading before, by what they are called: sorted, so that they are found among very many. */
typedef struct thing {
    uint64_t id;
    uint32_t section, side;
    const void *at;
} thing;

typedef struct things {
    thing *at;
    size_t count;
} things;

/* Sections that have views of their own kind. */
enum { OF_RINGS = UINT32_MAX - 1, OF_LATENCIES = UINT32_MAX };

typedef struct making {
    psy__top_model *m;
    const psy_counters_snapshot *now;
    things before, latencies; /* of the reading before: all; of this one: latencies */
    double seconds;
    bool full; /* memory ran out */
} making;

static int by_id(const void *a, const void *b)
{
    const thing *x = a, *y = b;
    return x->id != y->id             ? (x->id > y->id) - (x->id < y->id)
           : x->section != y->section ? (x->section > y->section) - (x->section < y->section)
                                      : (x->side > y->side) - (x->side < y->side);
}

static void put_thing(things *t, uint64_t id, uint32_t section, uint32_t side, const void *at)
{
    if (t->at) {
        t->at[t->count] = (thing){id, section, side, at};
    }
    t->count++;
}

/* Counts them where there is no memory for them yet. */
static void put_things(things *t, const psy_counters_snapshot *s, bool latencies_only)
{
    const psy_counters_view *v;
    const psy_counters_ring_view *r;
    const psy_counters_latency *l;
    t->count = 0;
    for (uint32_t i = 0; !latencies_only && (v = psy_counters_view_at(s, i)) != NULL; i++) {
        put_thing(t, v->id, v->section, v->side, v);
    }
    for (uint32_t i = 0; !latencies_only && (r = psy_counters_ring_at(s, i)) != NULL; i++) {
        put_thing(t, r->ring, OF_RINGS, 0, r);
    }
    for (uint32_t i = 0; (l = psy_counters_latency_at(s, i)) != NULL; i++) {
        put_thing(t, l->id, OF_LATENCIES, 0, l);
    }
}

static bool find_things(things *t, const psy_counters_snapshot *s, bool latencies_only)
{
    *t = (things){NULL, 0};
    if (!s) {
        return true;
    }
    put_things(t, s, latencies_only);
    t->at = malloc((t->count + 1) * sizeof *t->at);
    if (!t->at) {
        return false;
    }
    put_things(t, s, latencies_only);
    qsort(t->at, t->count, sizeof *t->at, by_id);
    return true;
}

static const void *find(const things *t, uint64_t id, uint32_t section, uint32_t side)
{
    const thing wanted = {id, section, side, NULL};
    const thing *found = t->count ? bsearch(&wanted, t->at, t->count, sizeof *t->at, by_id) : NULL;
    return found ? found->at : NULL;
}

/* A row of which nothing is known yet; NULL: there are enough, or no memory. */
static psy__top_row *add_row(making *k, psy__top_table_name name, const char *label, bool alive)
{
    psy__top_table *t = &k->m->tables[name];
    if (t->count == PSY_TOP_ROWS_MAX) {
        k->m->left_out++;
        return NULL;
    }
    if (t->count == t->room) {
        const uint32_t room = t->room ? 2 * t->room : 16;
        psy__top_row *more = realloc(t->rows, room * sizeof *more);
        if (!more) {
            k->full = true;
            return NULL;
        }
        t->rows = more;
        t->room = room;
    }
    psy__top_row *row = &t->rows[t->count++];
    snprintf(row->name, sizeof row->name, "%s", label);
    row->alive = alive;
    for (unsigned i = 0; i < PSY_TOP_COLUMNS_MAX; i++) {
        row->values[i] = NAN;
    }
    return row;
}

/* How much a counter grew, a second. Who began again counts from nothing: not known. */
static double rate(const making *k, const uint64_t *now, const uint64_t *before, unsigned place)
{
    return before && now[place] >= before[place] && k->seconds > 0 ? (double)(now[place] - before[place]) / k->seconds : NAN;
}

static double part(uint64_t n, uint64_t of) { return of == 0 ? NAN : n < of ? (double)n / (double)of : 1; }

static double sum3(double a, double b, double c) { return a + b + c; }

static double known(double n) { return isnan(n) ? 0 : n; }

static void put_service(making *k, const psy_counters_view *v, const uint64_t *was)
{
    psy__top_row *row = add_row(k, PSY_TOP_SERVICE, v->label, v->living > 0);
    const uint64_t *n = v->values;
    if (!row) {
        return;
    }
    row->values[COLUMN_OF(SERVICE, requests)] = rate(k, n, was, PSY_SERVICE_COUNTER_requests);
    row->values[COLUMN_OF(SERVICE, in_flight)] = part(n[PSY_SERVICE_COUNTER_in_flight], n[PSY_SERVICE_COUNTER_in_flight_limit]);
    row->values[COLUMN_OF(SERVICE, bad)] =
        sum3(rate(k, n, was, PSY_SERVICE_COUNTER_refused), rate(k, n, was, PSY_SERVICE_COUNTER_timeouts),
             rate(k, n, was, PSY_SERVICE_COUNTER_failures));
    row->values[COLUMN_OF(SERVICE, clients)] = (double)n[PSY_SERVICE_COUNTER_clients];
    row->values[COLUMN_OF(SERVICE, ready)] = (double)n[PSY_SERVICE_COUNTER_shards_ready];
    row->values[COLUMN_OF(SERVICE, shards)] = (double)n[PSY_SERVICE_COUNTER_shards];
    row->values[COLUMN_OF(SERVICE, bad_all)] =
        sum3((double)n[PSY_SERVICE_COUNTER_refused], (double)n[PSY_SERVICE_COUNTER_timeouts],
             (double)n[PSY_SERVICE_COUNTER_failures]);
    row->values[COLUMN_OF(SERVICE, scatter)] = rate(k, n, was, PSY_SERVICE_COUNTER_scatter_bytes);
}

/* The bound that the quantile is below, of those that came since; of all, where nothing was read before. */
static double quantile(const uint64_t *buckets, uint32_t per_million)
{
    const uint32_t bucket = psy_latency_quantile(buckets, per_million);
    if (bucket >= PSY_LATENCY_BUCKETS) {
        return NAN;
    }
    return bucket == PSY_LATENCY_BUCKETS - 1 ? 0x1p38 : (double)psy_latency_bound_ns(bucket);
}

static void put_latencies(const making *k, psy__top_row *row, uint64_t id)
{
    const psy_counters_latency *l = find(&k->latencies, id, OF_LATENCIES, 0), *was = find(&k->before, id, OF_LATENCIES, 0);
    uint64_t since[PSY_LATENCY_BUCKETS];
    if (!l) {
        return;
    }
    for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        since[i] = was && l->buckets[i] >= was->buckets[i] ? l->buckets[i] - was->buckets[i] : l->buckets[i];
    }
    row->values[COLUMN_OF(PIPELINE, p50)] = quantile(since, 500000);
    row->values[COLUMN_OF(PIPELINE, p99)] = quantile(since, 990000);
    row->values[COLUMN_OF(PIPELINE, p999)] = quantile(since, 999000);
}

static void put_pipeline(making *k, const psy_counters_view *v, const uint64_t *was)
{
    psy__top_row *row = add_row(k, PSY_TOP_PIPELINE, v->label, v->living > 0);
    const uint64_t *n = v->values;
    if (!row) {
        return;
    }
    const double requests = rate(k, n, was, PSY_PIPELINE_COUNTER_requests);
    row->values[COLUMN_OF(PIPELINE, requests)] = requests;
    row->values[COLUMN_OF(PIPELINE, errors)] = rate(k, n, was, PSY_PIPELINE_COUNTER_errors);
    row->values[COLUMN_OF(PIPELINE, mean)] = requests > 0 ? rate(k, n, was, PSY_PIPELINE_COUNTER_latency) / requests : NAN;
    row->values[COLUMN_OF(PIPELINE, slowest)] = n[PSY_PIPELINE_COUNTER_slowest] ? (double)n[PSY_PIPELINE_COUNTER_slowest] : NAN;
    put_latencies(k, row, v->id);
}

static void put_worker(making *k, const psy_counters_view *v, const uint64_t *was)
{
    psy__top_row *row = add_row(k, PSY_TOP_WORKER, v->label, v->living > 0);
    const uint64_t *n = v->values;
    if (!row) {
        return;
    }
    const double requests = rate(k, n, was, PSY_WORKER_COUNTER_requests), batches = rate(k, n, was, PSY_WORKER_COUNTER_batches);
    row->values[COLUMN_OF(WORKER, requests)] = requests;
    row->values[COLUMN_OF(WORKER, batches)] = batches;
    row->values[COLUMN_OF(WORKER, batch)] = batches > 0 ? requests / batches : NAN;
    row->values[COLUMN_OF(WORKER, batch_peak)] = (double)n[PSY_WORKER_COUNTER_batch_peak];
    row->values[COLUMN_OF(WORKER, merges)] = rate(k, n, was, PSY_WORKER_COUNTER_merges);
    row->values[COLUMN_OF(WORKER, errors)] = rate(k, n, was, PSY_WORKER_COUNTER_errors);
    row->values[COLUMN_OF(WORKER, dropped)] = rate(k, n, was, PSY_WORKER_COUNTER_dropped_replies);
    row->values[COLUMN_OF(WORKER, copied)] = rate(k, n, was, PSY_WORKER_COUNTER_copied_bytes);
}

static void put_slab(making *k, const psy_counters_view *v, const uint64_t *was)
{
    psy__top_row *row = add_row(k, PSY_TOP_SLAB, v->label, v->living > 0);
    const uint64_t *n = v->values;
    (void)was;
    if (!row) {
        return;
    }
    row->values[COLUMN_OF(SLAB, bytes)] = (double)n[PSY_SLAB_COUNTER_bytes];
    if (n[PSY_SLAB_COUNTER_slots] > 0) {
        row->values[COLUMN_OF(SLAB, used)] = part(n[PSY_SLAB_COUNTER_used], n[PSY_SLAB_COUNTER_slots]);
        row->values[COLUMN_OF(SLAB, high)] = part(n[PSY_SLAB_COUNTER_high_water], n[PSY_SLAB_COUNTER_slots]);
        row->values[COLUMN_OF(SLAB, slots)] = (double)n[PSY_SLAB_COUNTER_slots];
    }
}

static void put_supervisor(making *k, const psy_counters_view *v, const uint64_t *was)
{
    psy__top_row *row = add_row(k, PSY_TOP_SUPERVISOR, v->label, v->living > 0);
    const uint64_t *n = v->values;
    (void)was;
    if (!row) {
        return;
    }
    row->values[COLUMN_OF(SUPERVISOR, children)] = (double)n[PSY_SUPERVISOR_COUNTER_children];
    row->values[COLUMN_OF(SUPERVISOR, restarts)] = (double)n[PSY_SUPERVISOR_COUNTER_restarts];
    row->values[COLUMN_OF(SUPERVISOR, rejected)] = (double)n[PSY_SUPERVISOR_COUNTER_rejected_programs];
    row->values[COLUMN_OF(SUPERVISOR, reloads)] = (double)n[PSY_SUPERVISOR_COUNTER_reloads];
    row->values[COLUMN_OF(SUPERVISOR, lost)] = (double)n[PSY_SUPERVISOR_COUNTER_lost_log_lines];
}

static void put_ring(making *k, const psy_counters_ring_view *r)
{
    const psy_counters_ring_view *before = find(&k->before, r->ring, OF_RINGS, 0);
    psy__top_row *row = add_row(k, PSY_TOP_RING, r->label, r->living_producers + r->living_consumers > 0);
    if (!row) {
        return;
    }
    /* What its producers say counts, where there are any. */
    const bool in = r->producers > 0, was_in = before && before->producers > 0;
    const uint64_t *n = in ? r->producer : r->consumer,
                   *was = before && in == was_in ? (in ? before->producer : before->consumer) : NULL;
    const uint64_t *in_was = before ? before->producer : NULL, *out_was = before ? before->consumer : NULL;
    const double wakes_in = rate(k, r->producer, in_was, PSY_RING_COUNTER_wakes),
                 wakes_out = rate(k, r->consumer, out_was, PSY_RING_COUNTER_wakes);
    row->values[COLUMN_OF(RING, fill)] = r->fill_known ? part(r->fill, r->slots) : NAN;
    row->values[COLUMN_OF(RING, high)] = part(r->high_water, r->slots);
    row->values[COLUMN_OF(RING, slots)] = r->slots ? (double)r->slots : NAN;
    row->values[COLUMN_OF(RING, messages)] = rate(k, n, was, PSY_RING_COUNTER_messages);
    row->values[COLUMN_OF(RING, bytes)] = rate(k, n, was, PSY_RING_COUNTER_bytes);
    row->values[COLUMN_OF(RING, full)] = in ? rate(k, r->producer, in_was, PSY_RING_COUNTER_stalls) : NAN;
    row->values[COLUMN_OF(RING, empty)] = r->consumers ? rate(k, r->consumer, out_was, PSY_RING_COUNTER_stalls) : NAN;
    row->values[COLUMN_OF(RING, wakes)] = isnan(wakes_in) && isnan(wakes_out) ? NAN : known(wakes_in) + known(wakes_out);
}

static void put_views(making *k)
{
    static void (*const put[PSY_COUNTERS_SECTIONS])(making * k, const psy_counters_view *v, const uint64_t *was) = {
        [PSY_COUNTERS_OF_SERVICE] = put_service,       [PSY_COUNTERS_OF_PIPELINE] = put_pipeline,
        [PSY_COUNTERS_OF_WORKER] = put_worker,         [PSY_COUNTERS_OF_SLAB] = put_slab,
        [PSY_COUNTERS_OF_SUPERVISOR] = put_supervisor,
    };
    const psy_counters_view *v;
    const psy_counters_ring_view *r;
    for (uint32_t i = 0; (v = psy_counters_view_at(k->now, i)) != NULL; i++) {
        const psy_counters_view *was = find(&k->before, v->id, v->section, v->side);
        if (put[v->section]) {
            put[v->section](k, v, was ? was->values : NULL);
        }
    }
    for (uint32_t i = 0; (r = psy_counters_ring_at(k->now, i)) != NULL; i++) {
        put_ring(k, r);
    }
}

static void put_files(making *k)
{
    const psy_counters_file *f;
    for (uint32_t i = 0; (f = psy_counters_file_at(k->now, i)) != NULL; i++) {
        k->m->processes += f->status == PSY_OK && f->alive;
        k->m->dead += f->status == PSY_OK && !f->alive;
        if (f->status != PSY_OK && k->m->bad_files++ == 0) {
            snprintf(k->m->problem, sizeof k->m->problem, "%s", f->problem);
        }
    }
}

static void put_sums(psy__top_model *m)
{
    const psy__top_table *services = &m->tables[PSY_TOP_SERVICE], *pipelines = &m->tables[PSY_TOP_PIPELINE];
    double requests = 0, of_services = 0;
    m->bad = 0;
    for (uint32_t i = 0; i < pipelines->count; i++) {
        requests += known(pipelines->rows[i].values[COLUMN_OF(PIPELINE, requests)]);
    }
    for (uint32_t i = 0; i < services->count; i++) {
        of_services += known(services->rows[i].values[COLUMN_OF(SERVICE, requests)]);
        m->bad += known(services->rows[i].values[COLUMN_OF(SERVICE, bad)]);
    }
    m->requests = pipelines->count > 0 ? requests : of_services;
}

bool psy__top_model_make(psy__top_model *m, const psy_counters_snapshot *before, const psy_counters_snapshot *now)
{
    making k = {.m = m, .now = now, .seconds = NAN};
    for (unsigned i = 0; i < PSY_TOP_TABLES; i++) {
        m->tables[i].count = 0;
    }
    m->processes = m->dead = m->bad_files = m->left_out = 0;
    m->problem[0] = '\0';
    if (before && psy_counters_taken_ns(now) > psy_counters_taken_ns(before)) {
        k.seconds = (double)(psy_counters_taken_ns(now) - psy_counters_taken_ns(before)) / 1e9;
    }
    m->seconds = k.seconds;
    const bool found = find_things(&k.before, before, false) && find_things(&k.latencies, now, true);
    if (found) {
        put_files(&k);
        put_views(&k);
        put_sums(m);
    }
    free(k.before.at);
    free(k.latencies.at);
    return found && !k.full;
}

void psy__top_model_end(psy__top_model *m)
{
    for (unsigned i = 0; i < PSY_TOP_TABLES; i++) {
        free(m->tables[i].rows);
    }
    *m = (psy__top_model){0};
}

/* ---- orders ---- */

typedef struct ranked {
    double value;
    uint32_t at; /* what was first before stays first */
    psy__top_row row;
} ranked;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const psy__top_row *)a)->name, ((const psy__top_row *)b)->name);
}

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value) - (x->value > y->value) : (x->at > y->at) - (x->at < y->at);
}

/* The column of that order; below 0: the table has none. */
static int column_of(psy__top_table_name name, psy__top_sort by)
{
    unsigned count;
    const psy__top_column *c = psy__top_columns(name, &count);
    for (unsigned i = 0; by != PSY_TOP_SORT_NAME && i < count; i++) {
        if (c[i].sort == by) {
            return (int)i;
        }
    }
    return -1;
}

static void sort_table(psy__top_table *t, int column)
{
    if (t->count > 0) {
        qsort(t->rows, t->count, sizeof *t->rows, by_name);
    }
    ranked *order = column >= 0 && t->count > 0 ? malloc(t->count * sizeof *order) : NULL;
    for (uint32_t i = 0; order && i < t->count; i++) {
        const double value = t->rows[i].values[column];
        order[i] = (ranked){isnan(value) ? -1 : value, i, t->rows[i]};
    }
    if (order) {
        qsort(order, t->count, sizeof *order, by_rank);
    }
    for (uint32_t i = 0; order && i < t->count; i++) {
        t->rows[i] = order[i].row;
    }
    free(order);
}

void psy__top_model_sort(psy__top_model *m, psy__top_sort by, bool reverse)
{
    for (unsigned k = 0; k < PSY_TOP_TABLES; k++) {
        psy__top_table *t = &m->tables[k];
        sort_table(t, column_of((psy__top_table_name)k, by));
        for (uint32_t i = 0; reverse && i < t->count / 2; i++) {
            const psy__top_row row = t->rows[i];
            t->rows[i] = t->rows[t->count - 1 - i];
            t->rows[t->count - 1 - i] = row;
        }
    }
}

/* ---- JSON ---- */

static void write_number(double n, FILE *to)
{
    if (isnan(n)) {
        fputs("null", to);
    } else if (n == floor(n) && n < 0x1p53) {
        fprintf(to, "%.0f", n);
    } else {
        fprintf(to, "%.9g", n);
    }
}

static void write_row(const psy__top_row *row, psy__top_table_name name, FILE *to)
{
    unsigned count;
    const psy__top_column *c = psy__top_columns(name, &count);
    fputs("{\"name\":", to);
    psy__json_text(to, row->name);
    fprintf(to, ",\"alive\":%s", row->alive ? "true" : "false");
    for (unsigned i = 0; i < count; i++) {
        fprintf(to, ",\"%s\":", c[i].json);
        write_number(row->values[i], to);
    }
    putc('}', to);
}

void psy__top_model_write_json(const psy__top_model *m, FILE *to)
{
    fprintf(to, "{\"seconds\":");
    write_number(m->seconds, to);
    fprintf(to, ",\"processes\":%" PRIu32 ",\"dead\":%" PRIu32 ",\"bad_files\":%" PRIu32, m->processes, m->dead, m->bad_files);
    if (m->problem[0]) {
        fputs(",\"problem\":", to);
        psy__json_text(to, m->problem);
    }
    for (unsigned k = 0; k < PSY_TOP_TABLES; k++) {
        fprintf(to, ",\"%s\":[", tables[k].json);
        for (uint32_t i = 0; i < m->tables[k].count; i++) {
            fputs(i ? "," : "", to);
            write_row(&m->tables[k].rows[i], (psy__top_table_name)k, to);
        }
        putc(']', to);
    }
    fputs("}\n", to);
}
