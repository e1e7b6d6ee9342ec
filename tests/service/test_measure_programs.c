/* SPDX-License-Identifier: Apache-2.0 */
/* Times by program: what a pipeline is called while its versions change, and those of clients together. */
#define _GNU_SOURCE
#include <unistd.h>

#include "tests/mem/counters.h"
#include "tests/service/served.h"

static const char of_clients[] = "watched/(programs of clients)";

typedef struct watched {
    scratch folder;
    psy_counters *counters;
    psy_module *one, *two;
    served s;
} watched;

static void open_watched(watched *w, uint32_t client_programs, uint32_t rows)
{
    w->folder = scratch_make();
    w->counters = make_counters(scratch_name(&w->folder, "broker.counters").text, rows);
    w->one = open_program(PROGRAM_FILE("v1"));
    w->two = open_program(PROGRAM_FILE("v2"));
    const psy_program programs[] = {{.module = w->one, .name = "main", .version = 1}, {.module = w->one, .name = "same"}};
    served_open(&w->s, &(psy_broker_options){.uri = "inproc://watched",
                                             .shards = 2,
                                             .programs = programs,
                                             .program_count = 2,
                                             .client_programs = client_programs,
                                             .counters = w->counters});
    served_run(&w->s);
}

static void close_watched(watched *w)
{
    served_close(&w->s);
    psy_counters_snapshot *s = read_counters(w->folder.path);
    cr_assert_null(psy_counters_row_at(s, 0), "rows that are left");
    psy_counters_release(s);
    psy_counters_destroy(w->counters);
    psy_module_close(w->one);
    psy_module_close(w->two);
    scratch_end(&w->folder);
}

/* Rows of that pipeline, and what they have counted together. */
static uint32_t rows_of(const watched *w, const char *label, uint64_t *requests, uint64_t *errors)
{
    psy_counters_snapshot *s = read_counters(w->folder.path);
    const psy_counters_view *v;
    uint32_t n = 0;
    *requests = *errors = 0;
    for (uint32_t i = 0; (v = psy_counters_view_at(s, i)) != NULL; i++) {
        if (v->section == PSY_COUNTERS_OF_PIPELINE && strcmp(v->label, label) == 0) {
            n++;
            *requests += v->values[PSY_PIPELINE_COUNTER_requests];
            *errors += v->values[PSY_PIPELINE_COUNTER_errors];
        }
    }
    psy_counters_release(s);
    return n;
}

/* So many rows have counted so many requests, within a time. */
static void expect_rows(const watched *w, const char *label, uint32_t rows, uint64_t requests)
{
    uint64_t got = 0, errors = 0;
    uint32_t n = 0;
    for (int tries = 0; tries < 500; tries++) {
        n = rows_of(w, label, &got, &errors);
        if (n == rows && got == requests) {
            cr_assert_eq(errors, 0u);
            return;
        }
        usleep(10000);
    }
    cr_assert_fail("%s: %u rows with %lu requests, and not %u with %lu", label, n, (unsigned long)got, rows,
                   (unsigned long)requests);
}

Test(measure_programs, a_pipeline_keeps_its_name)
{
    watched w;
    open_watched(&w, 0, 256);
    psy_channel *channel = served_connect(&w.s, 1);
    psy_pipeline lane = served_pipeline(channel, "main/total");
    for (uint64_t i = 0; i < 5; i++) {
        cr_assert_eq(served_version(channel, &lane, "total", i), 1u);
    }
    expect_rows(&w, "watched/total", 1, 5);
    uint64_t ticket;
    cr_assert_eq(served_add(&w.s, w.two, "main", 2, true, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&w.s, ticket), PSY_OK, "%s", psy_detail());
    for (uint64_t i = 0; i < 7; i++) {
        cr_assert_eq(served_version(channel, &lane, "total", i), 2u);
    }
    /* The module of version 1 is served under another name still; it was staged under this one. */
    expect_rows(&w, "watched/total", 2, 12);
    cr_assert_eq(served_remove(&w.s, "same", 0), PSY_OK, "%s", psy_detail());
    expect_rows(&w, "watched/total", 1, 7);
    cr_assert_eq(served_add(&w.s, w.one, "other", 1, false, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&w.s, ticket), PSY_OK, "%s", psy_detail());
    psy_pipeline other = served_pipeline(channel, "other/total");
    cr_assert_eq(served_version(channel, &other, "total", 1), 1u);
    expect_rows(&w, "watched/other/total", 1, 1);
    psy_channel_close(channel);
    close_watched(&w);
}

/* What clients send has one pipeline's rows, however much they send. */
Test(measure_programs, those_of_clients_are_counted_together)
{
    watched w;
    open_watched(&w, 3, 256);
    uint8_t *bytes;
    size_t n;
    bytes = load(PROGRAM_FILE("v3"), &n);
    expect_rows(&w, of_clients, 1, 0);
    psy_channel *channel = served_connect(&w.s, 1);
    static const char *const names[] = {"mine", "mine-too"};
    for (uint64_t i = 0; i < 2; i++) {
        uint32_t version;
        char path[64];
        cr_assert_eq(psy_channel_send_program(channel, bytes, n, names[i], &version), PSY_OK, "%s", psy_detail());
        snprintf(path, sizeof path, "%s/total", names[i]);
        psy_pipeline lane = served_pipeline(channel, path);
        cr_assert_eq(served_version(channel, &lane, "total", i), 3u);
    }
    expect_rows(&w, of_clients, 1, 2);
    uint64_t requests, errors;
    cr_assert_eq(rows_of(&w, "watched/mine/total", &requests, &errors), 0u);
    psy_channel_close(channel);
    free(bytes);
    close_watched(&w);
}

/* Programs come and go where there are no rows for them. */
Test(measure_programs, without_rows)
{
    watched w;
    open_watched(&w, 1, 1);
    psy_channel *channel = served_connect(&w.s, 1);
    psy_pipeline lane = served_pipeline(channel, "main/total");
    uint64_t ticket;
    cr_assert_eq(served_version(channel, &lane, "total", 1), 1u);
    cr_assert_eq(served_add(&w.s, w.two, "main", 2, true, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_await(&w.s, ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(served_version(channel, &lane, "total", 1), 2u);
    psy_channel_close(channel);
    close_watched(&w);
}
