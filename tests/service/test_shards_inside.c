/* SPDX-License-Identifier: Apache-2.0 */
/* Another number of shards of a service that is one thread; and data that moves in many pieces. */
#define _GNU_SOURCE
#include <unistd.h>

#include <psyne/service.h>

#include "base/clock.h"
#include "tests/service/crew.h"

typedef struct inside {
    psy_service *service;
    psy_module *module;
    edited e;
} inside;

static void open_inside(inside *t, uint32_t shards, uint32_t places, uint64_t seed, bool with_data)
{
    *t = (inside){.module = open_program(EDITED_MODULE)};
    edited_init(&t->e, seed);
    psy_service_options o = {.broker = {.module = t->module, .shards = shards, .shards_max = places},
                             .worker = {.engine = "cpu"}};
    cr_assert_eq(psy_service_create(&o, &t->service), PSY_OK, "%s", psy_detail());
    psy_module_close(t->module); /* it has its own */
    for (uint32_t i = 0; with_data && i < shards; i++) {
        edited_load(&t->e, psy_service_worker(t->service, i));
    }
    t->e.agent = psy_service_agent(t->service);
}

static void close_inside(inside *t)
{
    edited_settle(&t->e);
    edited_fini(&t->e);
    psy_service_destroy(t->service);
}

static void make_edit(inside *t)
{
    psy_edit edits[16];
    uint64_t ticket, version = 0;
    psy_broker *broker = psy_service_broker(t->service);
    uint32_t n = edited_change(&t->e, edits);
    cr_assert_eq(psy_broker_edit(broker, edits, n, &ticket), PSY_OK, "%s", psy_detail());
    psy_status status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(&t->e);
        status = psy_broker_edit_status(broker, ticket, &version);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    edited_made(&t->e, true);
}

/* Requests that are under way when the change begins have their answers too: nobody polls for them meanwhile. */
Test(shards_inside, change)
{
    static const uint32_t steps[] = {3, 1, 4, 4, 2, 1};
    static inside t;
    open_inside(&t, 1, 8, 31, true);
    cr_assert_eq(psy_service_start(t.service, 0), PSY_OK, "%s", psy_detail());
    edited_connect(&t.e, psy_service_uri(t.service), 24);
    crew_serve_some(&t.e);
    const holdings before = holdings_now();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        edited_serve(&t.e);
        cr_assert_eq(psy_service_reshard(t.service, steps[i], 20 * second_ns), PSY_OK, "%s", psy_detail());
        cr_assert_not_null(psy_service_worker(t.service, steps[i] - 1));
        cr_assert_null(psy_service_worker(t.service, steps[i]));
        psy_worker_part part;
        psy_worker_get_part(psy_service_worker(t.service, steps[i] - 1), &part);
        cr_assert(part.shard == steps[i] - 1 && part.shards == steps[i] && part.moves);
        crew_serve_some(&t.e);
        for (int k = 0; i + 1 < sizeof steps / sizeof *steps && k < 3; k++) { /* edits are kept until the next change */
            make_edit(&t);
        }
    }
    edited_settle(&t.e);
    nothing_leaked(getpid(), before);
    close_inside(&t);
}

Test(shards_inside, stay_where_it_cannot_be)
{
    static inside t;
    psy_service *elsewhere;
    open_inside(&t, 2, 4, 32, true);
    cr_assert_eq(psy_service_start(t.service, 0), PSY_OK, "%s", psy_detail());
    edited_connect(&t.e, psy_service_uri(t.service), 8);
    cr_assert_eq(psy_service_reshard(NULL, 2, 0), PSY_INVALID);
    cr_assert_eq(psy_service_reshard(t.service, 3, 0), PSY_LIMIT);
    cr_assert_eq(psy_service_reshard(t.service, 1, 1), PSY_TIMEOUT, "%s", psy_detail());
    crew_serve_some(&t.e);
    cr_assert_eq(psy_service_reshard(t.service, 1, 0), PSY_OK, "%s", psy_detail());
    crew_serve_some(&t.e);
    close_inside(&t);
    psy_module *module = open_program(EDITED_MODULE);
    psy_service_options o = {.broker = {.uri = "inproc://shards-elsewhere", .module = module, .shards_max = 2},
                             .workers_elsewhere = true};
    cr_assert_eq(psy_service_create(&o, &elsewhere), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_service_reshard(elsewhere, 1, 0), PSY_UNSUPPORTED);
    psy_service_destroy(elsewhere);
    psy_module_close(module);
}

/* ---- many pieces ---- */

enum { ROWS = 1150001, KEYS = 1100003 };

static float value_of(uint64_t row, uint64_t column) { return (float)((int)((row * 31 + column) % 7) - 3); }

static psy_status fill(void *context, uint64_t row, void *out)
{
    for (uint64_t k = 0; k < *(const uint64_t *)context; k++) {
        ((float *)out)[k] = value_of(row, k);
    }
    return PSY_OK;
}

static psy_status key_of(void *context, uint64_t row, uint64_t *key)
{
    (void)context;
    *key = row * 7919;
    return PSY_OK;
}

static void load_much(psy_service *service)
{
    static uint64_t one = 1, dim = EDITED_DIM;
    static const char *const titles[] = {"a", "b"};
    psy_rows rows[] = {
        {.resident = "stamp", .rank = 1, .dims = {1}, .fill = fill, .context = &one},
        {.resident = "rows", .rank = 2, .dims = {ROWS, EDITED_DIM}, .fill = fill, .context = &dim},
        {.resident = "marks", .rank = 1, .dims = {ROWS}, .fill = fill, .context = &one},
        {.resident = "weights", .rank = 2, .dims = {3, EDITED_DIM}, .fill = fill, .context = &dim},
        {.resident = "kept", .rank = 2, .dims = {KEYS, EDITED_DIM}, .fill = fill, .key = key_of, .context = &dim}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(psy_service_load(service, &rows[i]), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_service_load_texts(service, "titles", titles, 2), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_service_start(service, 0), PSY_OK, "%s", psy_detail());
}

static void check_much(inside *t)
{
    edits_ask ask;
    psy_reply reply;
    float total = 0, marks = 0;
    edits_ask_init(&ask);
    for (uint64_t k = 0; k < EDITED_DIM; k++) {
        ask.vector[k] = 1;
    }
    for (uint64_t i = 0; i < ROWS; i++) {
        for (uint64_t k = 0; k < EDITED_DIM; k++) {
            total += value_of(i, k);
        }
        marks += value_of(i, 0);
    }
    cr_assert_eq(psy_channel_call(t->e.channel, &t->e.pipelines[EDITED_SUMS], &ask, &reply), PSY_OK, "%s", psy_detail());
    const edits_sums *sums = reply.message;
    cr_assert_eq(sums->rows, (uint64_t)ROWS);
    cr_assert_eq(sums->total, total);
    cr_assert_eq(sums->marks, marks);
    psy_channel_release(t->e.channel, &reply);
    for (uint64_t row = 0; row < KEYS; row += KEYS / 97) {
        edits_ask_set_key(&ask, row * 7919);
        cr_assert_eq(psy_channel_call(t->e.channel, &t->e.pipelines[EDITED_KEPT], &ask, &reply), PSY_OK, "%s", psy_detail());
        for (uint64_t k = 0; k < EDITED_DIM; k++) {
            cr_assert_eq(((const edits_kept *)reply.message)->value[k], value_of(row, k));
        }
        psy_channel_release(t->e.channel, &reply);
    }
    edits_ask_set_key(&ask, 3);
    cr_assert_eq(psy_channel_call(t->e.channel, &t->e.pipelines[EDITED_KEPT], &ask, &reply), PSY_NOT_FOUND);
}

Test(shards_inside, move_in_many_pieces)
{
    static inside t;
    open_inside(&t, 1, 5, 33, false);
    load_much(t.service);
    edited_connect(&t.e, psy_service_uri(t.service), 8);
    check_much(&t);
    cr_assert_eq(psy_service_reshard(t.service, 3, 60 * second_ns), PSY_OK, "%s", psy_detail());
    check_much(&t);
    cr_assert_eq(psy_service_reshard(t.service, 2, 60 * second_ns), PSY_OK, "%s", psy_detail());
    check_much(&t);
    psy_broker_counts counts;
    psy_broker_get_counts(psy_service_broker(t.service), &counts);
    cr_assert_eq(counts.reshards, 2u);
    edited_fini(&t.e);
    psy_service_destroy(t.service);
}
