/* SPDX-License-Identifier: Apache-2.0 */
/* What psyne top makes of counters: rates, orders, frames of every size, and files that lie. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command/schedule.h"
#include "command/top_view.h"
#include "tests/test.h"

enum { VALUES = PSY_COUNTERS_VALUES };

static char folder[128];
static psy_counters *counters;
static psy__top_model model;

static void begin(void)
{
    const char *temporary = getenv("TMPDIR");
    char path[192];
    snprintf(folder, sizeof folder, "%.90s/psyne-top-XXXXXX", temporary ? temporary : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/own.counters", folder);
    cr_assert_eq(psy_counters_create(path, 64, &counters), PSY_OK, "%s", psy_detail());
    model = (psy__top_model){0};
}

static void end(void)
{
    psy_counters_destroy(counters);
    psy__top_model_end(&model);
    cr_assert_eq(rmdir(folder), 0);
}

static PSY_ATOMIC(uint64_t) * row(psy_counters_section section, const char *label, uint64_t id, uint32_t side)
{
    const psy_counters_place place = {.label = label, .ring = id, .side = side, .slots = 100};
    PSY_ATOMIC(uint64_t) *values = NULL;
    cr_assert_eq(psy_counters_section_row(counters, section, &place, &values), PSY_OK, "%s", psy_detail());
    return values;
}

static psy_counters_snapshot *look(void)
{
    psy_counters_snapshot *s;
    cr_assert_eq(psy_counters_read(folder, &s), PSY_OK, "%s", psy_detail());
    return s;
}

static const psy__top_row *named(psy__top_table_name table, const char *name)
{
    for (uint32_t i = 0; i < model.tables[table].count; i++) {
        if (strcmp(model.tables[table].rows[i].name, name) == 0) {
            return &model.tables[table].rows[i];
        }
    }
    cr_assert_fail("there is no row %s", name);
    return NULL;
}

static double value(psy__top_table_name table, const char *name, const char *json)
{
    unsigned count;
    const psy__top_column *c = psy__top_columns(table, &count);
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(c[i].json, json) == 0) {
            return named(table, name)->values[i];
        }
    }
    cr_assert_fail("there is no column %s", json);
    return NAN;
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-6 * fabs(b); }

Test(top, rates_are_differences_over_time)
{
    begin();
    PSY_ATOMIC(uint64_t) *service = row(PSY_COUNTERS_OF_SERVICE, "shop", 1, 0),
                         *worker = row(PSY_COUNTERS_OF_WORKER, "shop/shard 0", 1, 0),
                         *in = row(PSY_COUNTERS_OF_RING, "orders", 7, 0), *out = row(PSY_COUNTERS_OF_RING, "orders", 7, 1),
                         *pipeline = row(PSY_COUNTERS_OF_PIPELINE, "shop/best", 2, 0), *latency[PSY_LATENCY_PARTS];
    for (uint32_t i = 0; i < PSY_LATENCY_PARTS; i++) {
        latency[i] = row(PSY_COUNTERS_OF_LATENCY, "shop/best", 2, i);
    }
    psy_counter_set(&service[PSY_SERVICE_COUNTER_requests], 1000);
    psy_counter_set(&service[PSY_SERVICE_COUNTER_in_flight], 30);
    psy_counter_set(&service[PSY_SERVICE_COUNTER_in_flight_limit], 40);
    psy_counter_set(&in[PSY_RING_COUNTER_position], 80);
    psy_counter_set(&out[PSY_RING_COUNTER_position], 30);
    psy_counter_set(&latency[0][0], 1000); /* long ago, and quick: not what is seen now */
    psy_counters_snapshot *before = look();
    cr_assert(psy__top_model_make(&model, NULL, before));
    cr_assert(isnan(model.seconds) && isnan(value(PSY_TOP_SERVICE, "shop", "requests_per_second")),
              "one reading tells no rate");
    cr_assert(near(value(PSY_TOP_SERVICE, "shop", "in_flight_part"), 0.75));
    cr_assert(near(value(PSY_TOP_RING, "orders", "fill_part"), 0.5));
    cr_assert_eq(value(PSY_TOP_PIPELINE, "shop/best", "p99_ns"), 128);

    psy_counter_set(&service[PSY_SERVICE_COUNTER_requests], 4000);
    psy_counter_set(&service[PSY_SERVICE_COUNTER_refused], 5);
    psy_counter_set(&service[PSY_SERVICE_COUNTER_timeouts], 7);
    psy_counter_set(&worker[PSY_WORKER_COUNTER_requests], 600);
    psy_counter_set(&worker[PSY_WORKER_COUNTER_batches], 200);
    psy_counter_set(&pipeline[PSY_PIPELINE_COUNTER_requests], 100);
    psy_counter_set(&pipeline[PSY_PIPELINE_COUNTER_latency], 5000);
    psy_counter_set(&in[PSY_RING_COUNTER_messages], 250);
    psy_counter_set(&in[PSY_RING_COUNTER_stalls], 3);
    const uint32_t bucket = psy_latency_bucket(1000000);
    psy_counter_set(&latency[bucket / 16][bucket % 16], 100);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    psy_counters_snapshot *now = look();
    cr_assert(psy__top_model_make(&model, before, now));
    const double s = model.seconds;
    cr_assert(s > 0.0005 && s < 100);
    cr_assert(near(value(PSY_TOP_SERVICE, "shop", "requests_per_second") * s, 3000));
    cr_assert(near(value(PSY_TOP_SERVICE, "shop", "bad_per_second") * s, 12));
    cr_assert(near(model.bad * s, 12) && near(model.requests * s, 100), "of pipelines, where they are counted");
    cr_assert(near(value(PSY_TOP_WORKER, "shop/shard 0", "batch"), 3));
    cr_assert(near(value(PSY_TOP_PIPELINE, "shop/best", "mean_ns"), 50));
    cr_assert_eq(value(PSY_TOP_PIPELINE, "shop/best", "p50_ns"), (double)psy_latency_bound_ns(bucket), "of what came since");
    cr_assert(near(value(PSY_TOP_RING, "orders", "messages_per_second") * s, 250));
    cr_assert(near(value(PSY_TOP_RING, "orders", "full_per_second") * s, 3));

    /* Who began again counts from nothing. */
    psy_counter_set(&service[PSY_SERVICE_COUNTER_requests], 10);
    psy_counters_snapshot *after = look();
    cr_assert(psy__top_model_make(&model, now, after));
    cr_assert(isnan(value(PSY_TOP_SERVICE, "shop", "requests_per_second")));
    cr_assert(psy__top_model_make(&model, after, after) && isnan(model.seconds), "no time, no rate");
    psy_counters_release(before);
    psy_counters_release(now);
    psy_counters_release(after);
    end();
}

Test(top, orders)
{
    static const char *const names[] = {"b", "d", "a", "c"};
    static const uint64_t stalls[] = {5, 0, 9, 5}, fill[] = {10, 40, 0, 20};
    begin();
    PSY_ATOMIC(uint64_t) * in[4];
    for (int i = 0; i < 4; i++) {
        in[i] = row(PSY_COUNTERS_OF_RING, names[i], 10 + (uint64_t)i, 0);
        row(PSY_COUNTERS_OF_RING, names[i], 10 + (uint64_t)i, 1);
        psy_counter_set(&in[i][PSY_RING_COUNTER_position], fill[i]);
    }
    psy_counters_snapshot *before = look();
    for (int i = 0; i < 4; i++) {
        psy_counter_set(&in[i][PSY_RING_COUNTER_stalls], stalls[i]);
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    psy_counters_snapshot *now = look();
    static const struct {
        psy__top_sort by;
        bool reverse;
        const char *order;
    } orders[] = {{PSY_TOP_SORT_NAME, false, "abcd"}, {PSY_TOP_SORT_NAME, true, "dcba"}, {PSY_TOP_SORT_FULL, false, "dcba"},
                  {PSY_TOP_SORT_BAD, false, "abcd"},  {PSY_TOP_SORT_BAD, true, "dcba"},  {PSY_TOP_SORT_SLOW, false, "abcd"}};
    cr_assert(psy__top_model_make(&model, before, now));
    for (size_t k = 0; k < sizeof orders / sizeof orders[0]; k++) {
        psy__top_model_sort(&model, orders[k].by, orders[k].reverse);
        for (uint32_t i = 0; i < 4; i++) {
            cr_assert_eq(model.tables[PSY_TOP_RING].rows[i].name[0], orders[k].order[i], "order %zu, place %u", k, i);
        }
    }
    psy_counters_release(before);
    psy_counters_release(now);
    end();
}

/* ---- frames ---- */

static char written[1 << 20];

/* Draws at this size, and checks that every row is what the screen says: written plainly, with no more columns. */
static void draw(psy__top_view *v, unsigned columns, unsigned rows)
{
    psy__screen s = {0};
    cr_assert(psy__screen_start(&s, columns, rows, false));
    psy__top_view_draw(v, &model, &s);
    written[0] = '\0';
    FILE *to = fmemopen(written, sizeof written, "w");
    psy__screen_write_plain(&s, to);
    cr_assert_eq(fclose(to), 0);
    unsigned lines = 0;
    for (const char *line = written; *line; line += strcspn(line, "\n") + 1, lines++) {
        cr_assert_leq(strcspn(line, "\n"), columns);
        for (const char *c = line; *c != '\n'; c++) {
            cr_assert(*c >= ' ' && *c < 0x7f, "%02x", (unsigned char)*c);
        }
    }
    cr_assert_leq(lines, rows);
    psy__screen_end(&s);
}

/* Every size from nothing to large, with and without the help, wherever it is scrolled to. */
static void draw_all(void)
{
    psy__top_view v = {.path = folder, .every = 1, .live = true};
    static const unsigned rows[] = {1, 2, 3, 4, 5, 9, 24, 60};
    for (unsigned i = 0; i < 300; i++) {
        psy__top_view_remember(&v, i % 7);
    }
    for (unsigned columns = 1; columns < 220; columns += columns < 40 ? 1 : 7) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            v.help = (columns + i) % 5 == 0;
            v.paused = i % 2;
            v.busy_only = i % 3 == 2;
            v.scroll = columns % 4 == 0 ? 1u << 30 : columns % 13;
            draw(&v, columns, rows[i]);
        }
    }
    v = (psy__top_view){.path = folder, .every = 1};
    draw(&v, 200, psy__top_view_rows(&v, &model));
}

static void check_json(void)
{
    FILE *to = fmemopen(written, sizeof written, "w");
    psy__top_model_write_json(&model, to);
    cr_assert_eq(fclose(to), 0);
    cr_assert(!strstr(written, "nan") && !strstr(written, "inf") && written[strlen(written) - 1] == '\n', "%s", written);
}

static void check_parts(void)
{
    for (unsigned k = 0; k < PSY_TOP_TABLES; k++) {
        unsigned count;
        const psy__top_column *c = psy__top_columns((psy__top_table_name)k, &count);
        for (uint32_t i = 0; i < model.tables[k].count; i++) {
            for (unsigned n = 0; n < count; n++) {
                const double x = model.tables[k].rows[i].values[n];
                const bool part = c[n].kind == PSY_TOP_KIND_PART || c[n].kind == PSY_TOP_KIND_SHARE;
                cr_assert(isnan(x) || (x >= 0 && !isinf(x) && (!part || x <= 1)), "%s of %u: %g", c[n].json, k, x);
            }
        }
    }
}

/* A row in each section, with such labels. */
static void fill(PSY_ATOMIC(uint64_t) * rows[PSY_COUNTERS_SECTIONS + PSY_LATENCY_PARTS])
{
    for (uint32_t i = 0; i < PSY_COUNTERS_SECTIONS; i++) {
        if (i != PSY_COUNTERS_OF_LATENCY) {
            rows[i] = row((psy_counters_section)i,
                          i % 2 ? "a label that is as long as labels may be / with a word or two" : "x", 100 + i, 0);
        }
    }
    for (uint32_t i = 0; i < PSY_LATENCY_PARTS; i++) {
        rows[PSY_COUNTERS_SECTIONS + i] = row(PSY_COUNTERS_OF_LATENCY, "x", 100 + PSY_COUNTERS_OF_PIPELINE, i);
    }
    rows[PSY_COUNTERS_OF_LATENCY] = rows[PSY_COUNTERS_SECTIONS];
}

Test(top, any_values_at_any_size)
{
    PSY_ATOMIC(uint64_t) * rows[PSY_COUNTERS_SECTIONS + PSY_LATENCY_PARTS];
    uint64_t state = 5;
    begin();
    fill(rows);
    psy_counters_snapshot *before = look();
    for (int round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < PSY_COUNTERS_SECTIONS + PSY_LATENCY_PARTS; i++) {
            for (uint32_t k = 0; k < VALUES; k++) {
                psy_counter_set(&rows[i][k], round == 0   ? UINT64_MAX
                                             : round == 1 ? 0
                                             : round == 2 ? UINT64_C(1) << 63
                                                          : psy__random_next(&state) >> psy__random_below(&state, 64));
            }
        }
        psy_counters_snapshot *now = look();
        cr_assert(psy__top_model_make(&model, before, now));
        psy__top_model_sort(&model, (psy__top_sort)(round % PSY_TOP_SORTS), round % 2);
        check_parts();
        check_json();
        draw_all();
        psy_counters_release(before);
        before = now;
    }
    psy_counters_release(before);
    end();
}

Test(top, files_that_lie)
{
    PSY_ATOMIC(uint64_t) * rows[PSY_COUNTERS_SECTIONS + PSY_LATENCY_PARTS];
    static unsigned char good[1 << 20], bad[1 << 20];
    char path[192];
    uint64_t state = 9, unreadable = 0, readable = 0;
    begin();
    fill(rows);
    const int own = open(psy_counters_path(counters), O_RDONLY);
    const ssize_t n = read(own, good, sizeof good);
    cr_assert(n > 4096 && n < (ssize_t)sizeof good);
    close(own);
    snprintf(path, sizeof path, "%s/lies.counters", folder);
    psy_counters_snapshot *before = look();
    for (int round = 0; round < 300; round++) {
        memcpy(bad, good, (size_t)n);
        for (uint64_t k = 1 + psy__random_below(&state, 12); k > 0; k--) {
            /* Half of them where the header and the heads of rows are. */
            const uint64_t at = psy__random_below(&state, psy__random_below(&state, 2) ? 512 : (uint64_t)n);
            bad[at] = (unsigned char)psy__random_next(&state);
        }
        const size_t bytes = round % 10 == 0 ? psy__random_below(&state, (uint64_t)n) : (size_t)n;
        const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        cr_assert(write(fd, bad, bytes) == (ssize_t)bytes && close(fd) == 0);
        psy_counters_snapshot *now = look();
        cr_assert(psy__top_model_make(&model, before, now));
        unreadable += model.bad_files;
        readable += model.dead;
        check_parts();
        check_json();
        psy__top_view v = {.path = folder, .every = 1, .live = round % 2};
        draw(&v, 40 + (unsigned)round % 100, 30);
        psy_counters_release(before);
        before = now;
    }
    psy_counters_release(before);
    cr_assert(unreadable > 20 && readable > 20, "%llu, %llu", (unsigned long long)unreadable, (unsigned long long)readable);
    unlink(path);
    end();
}
