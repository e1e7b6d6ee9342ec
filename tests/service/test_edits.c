/* SPDX-License-Identifier: Apache-2.0 */
/* Resident data that changes under load, against simple arrays: every answer is that of one version of the data, on all shards,
 * and of none older than the one that was made when it was asked for. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "tests/mem/counters.h"
#include "tests/service/edited.h"
#include "tests/service/served.h"

enum { EDITS = 60, EDITS_ON_VULKAN = 20 }; /* there each takes a tenth of a second: programs are bound to a device anew */

typedef struct service {
    served s;
    edited e;
    psy_module *module;
    psy_counters *counters; /* of broker and workers; NULL: none */
    const char *engine;     /* of the workers; NULL: the cpu's */
} service;

static void start_worker(service *t, uint32_t shard)
{
    psy_worker_options o = {.uri = t->s.uri, .shard = shard, .engine = t->engine ? t->engine : "cpu", .counters = t->counters};
    psy_status status = PSY_LIMIT;
    for (int tries = 0; tries < 500 && status == PSY_LIMIT; tries++) { /* the broker may not have seen that the last one went */
        status = psy_worker_create(&o, &t->s.workers[shard]);
        usleep(status == PSY_LIMIT ? 2000 : 0);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    edited_load(&t->e, t->s.workers[shard]);
    served_start(&t->s, shard);
}

static void open_service(service *t, const char *uri, uint32_t shards, uint64_t seed)
{
    t->module = open_program(EDITED_MODULE);
    edited_init(&t->e, seed);
    served_open(&t->s, &(psy_broker_options){.uri = uri, .shards = shards, .module = t->module, .counters = t->counters});
    for (uint32_t i = 0; i < shards; i++) {
        start_worker(t, i);
    }
    edited_connect(&t->e, t->s.uri, 24);
}

static void close_service(service *t)
{
    edited_settle(&t->e);
    edited_fini(&t->e);
    served_close(&t->s);
    psy_module_close(t->module);
}

static psy_status begin(service *t, const psy_edit *edits, uint32_t count, uint64_t *ticket)
{
    pthread_mutex_lock(&t->s.mutex);
    psy_status status = psy_broker_edit(t->s.broker, edits, count, ticket);
    pthread_mutex_unlock(&t->s.mutex);
    return status;
}

static psy_status status_of(service *t, uint64_t ticket, uint64_t *version)
{
    pthread_mutex_lock(&t->s.mutex);
    psy_status status = psy_broker_edit_status(t->s.broker, ticket, version);
    pthread_mutex_unlock(&t->s.mutex);
    return status;
}

/* What becomes of a set of edits, while requests go on. */
static psy_status wait_for(service *t, const psy_edit *edits, uint32_t count, uint64_t *version)
{
    uint64_t ticket;
    psy_status status = begin(t, edits, count, &ticket);
    status = status == PSY_OK ? PSY_EMPTY : status;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(&t->e);
        status = status_of(t, ticket, version);
    }
    return status;
}

static void change_under_load(const char *uri, uint32_t shards, uint64_t seed, const char *engine, uint32_t count)
{
    static service t;
    t.engine = engine;
    open_service(&t, uri, shards, seed);
    for (uint32_t i = 0; i < shards; i++) {
        const char *runs_on = psy_worker_describe(t.s.workers[i]);
        cr_assert_not_null(strstr(runs_on, engine), "%s", runs_on);
    }
    uint64_t refused = 0;
    for (uint32_t i = 0; i < count; i++) {
        psy_edit edits[16];
        psy_status wanted;
        uint64_t version = 0;
        for (int k = 0; k < 3; k++) {
            edited_serve(&t.e);
        }
        if (edited_random(&t.e, 4) == 0) {
            uint32_t n = edited_mistake(&t.e, edits, &wanted);
            cr_assert_eq(wait_for(&t, edits, n, &version), wanted, "%s", psy_detail());
            refused++;
            continue;
        }
        uint32_t n = edited_change(&t.e, edits);
        cr_assert_eq(wait_for(&t, edits, n, &version), PSY_OK, "%s", psy_detail());
        edited_made(&t.e, true);
        cr_assert_eq(version, t.e.made);
    }
    edited_settle(&t.e);
    for (uint64_t end = psy__now_ns() + 20 * second_ns; t.e.newest < t.e.made && psy__now_ns() < end;) {
        edited_serve(&t.e);
    }
    cr_assert_eq(t.e.newest, t.e.made);
    for (uint32_t i = 0; i < EDITED_PIPELINES; i++) {
        cr_assert_gt(t.e.answered[i], 20u);
    }
    cr_assert_gt(t.e.made, (uint64_t)count / 2);
    cr_assert_gt(refused, (uint64_t)count / 15);
    psy_broker_counts counts = served_counts(&t.s);
    cr_assert_eq(counts.data_version, t.e.made);
    cr_assert_eq(counts.edits, t.e.made - 1);
    close_service(&t);
}

Test(edits, one_shard) { change_under_load("inproc://edits-1", 1, 11, "cpu", EDITS); }
Test(edits, three_shards) { change_under_load("inproc://edits-3", 3, 12, "cpu", EDITS); }
Test(edits, of_another_order) { change_under_load("inproc://edits-2", 2, 13, "cpu", EDITS); }

/* Each version is uploaded anew to the device, while batches of the one before are under way. */
static void change_on_vulkan(const char *uri, uint32_t shards, uint64_t seed)
{
    psy__engine *engine = NULL;
    if (psy__engine_open("vulkan", &(psy__engine_options){.max_batch = 1}, &engine) != PSY_OK) {
        cr_skip_test("vulkan: %s", psy_detail());
    }
    psy__engine_close(engine);
    change_under_load(uri, shards, seed, "vulkan", EDITS_ON_VULKAN);
}

Test(edits, on_vulkan_one_shard) { change_on_vulkan("inproc://edits-vulkan-1", 1, 14); }
Test(edits, on_vulkan_three_shards) { change_on_vulkan("inproc://edits-vulkan-3", 3, 15); }

static bool all_count(const char *folder, uint64_t version, uint32_t rows)
{
    psy_counters_snapshot *s = read_counters(folder);
    const psy_counters_view *v;
    uint32_t n = 0;
    for (uint32_t i = 0; (v = psy_counters_view_at(s, i)) != NULL; i++) {
        n += v->section == PSY_COUNTERS_OF_SERVICE && v->values[PSY_SERVICE_COUNTER_data_version] == version;
        n += v->section == PSY_COUNTERS_OF_WORKER && v->values[PSY_WORKER_COUNTER_data_version] == version;
    }
    psy_counters_release(s);
    return n == rows;
}

Test(edits, are_counted)
{
    static service t;
    scratch folder = scratch_make();
    t.counters = make_counters(scratch_name(&folder, "edits.counters").text, 256);
    open_service(&t, "inproc://edits-counted", 2, 51);
    for (uint64_t wanted = 1; wanted <= 3; wanted++) {
        psy_edit edits[16];
        uint64_t version = 0;
        bool counted = false;
        for (uint64_t end = psy__now_ns() + 20 * second_ns; !counted && psy__now_ns() < end; usleep(1000)) {
            counted = all_count(folder.path, wanted, 3);
        }
        cr_assert(counted, "version %lu", (unsigned long)wanted);
        uint32_t n = edited_change(&t.e, edits);
        cr_assert_eq(wait_for(&t, edits, n, &version), PSY_OK, "%s", psy_detail());
        edited_made(&t.e, true);
    }
    close_service(&t);
    psy_counters_destroy(t.counters);
    scratch_end(&folder);
}

/* Nobody asks anything: the workers are at the new version all the same, and the next edit finds it. */
Test(edits, need_no_requests)
{
    static service t;
    open_service(&t, "inproc://edits-idle", 2, 21);
    for (int i = 0; i < 10; i++) {
        psy_edit edits[16];
        uint64_t ticket, version = 0;
        uint32_t n = edited_change(&t.e, edits);
        cr_assert_eq(begin(&t, edits, n, &ticket), PSY_OK, "%s", psy_detail());
        psy_status status = PSY_EMPTY;
        for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end; usleep(500)) {
            status = status_of(&t, ticket, &version);
        }
        cr_assert_eq(status, PSY_OK, "%s", psy_detail());
        edited_made(&t.e, true);
    }
    edited_serve(&t.e);
    close_service(&t);
}

/* A worker that comes in the place of another loads what that one did, and makes the edits that were made since. */
Test(edits, are_made_again_by_workers_that_come_later)
{
    static service t;
    open_service(&t, "inproc://edits-again", 2, 31);
    t.e.may_fail = true;
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 5; i++) {
            psy_edit edits[16];
            uint64_t version = 0;
            uint32_t n = edited_change(&t.e, edits);
            cr_assert_eq(wait_for(&t, edits, n, &version), PSY_OK, "%s", psy_detail());
            edited_made(&t.e, true);
        }
        served_kill(&t.s, round % 2);
        edited_settle(&t.e);
        start_worker(&t, round % 2);
        const uint64_t before = t.e.answered[EDITED_SUMS];
        for (uint64_t end = psy__now_ns() + 20 * second_ns; t.e.answered[EDITED_SUMS] < before + 10 && psy__now_ns() < end;) {
            edited_serve(&t.e);
        }
        cr_assert_geq(t.e.answered[EDITED_SUMS], before + 10);
    }
    close_service(&t);
}

/* Without a worker nothing begins; what waits is made when one is there, and no more than 32 wait. */
Test(edits, wait_for_every_shard)
{
    static service t;
    open_service(&t, "inproc://edits-wait", 2, 41);
    t.e.may_fail = true;
    served_kill(&t.s, 1);
    edited_serve(&t.e);
    edited_settle(&t.e);
    psy_edit edits[16], row = {.resident = "weights", .kind = PSY_EDIT_APPEND, .dtype = PSY_F32, .rank = 2, .dims = {1, 4}};
    const float zeros[4] = {0};
    uint64_t first, last = 0, version = 0;
    uint32_t n = edited_change(&t.e, edits);
    cr_assert_eq(begin(&t, edits, n, &first), PSY_OK, "%s", psy_detail());
    row.rows = zeros;
    uint32_t waiting = 1;
    for (psy_status status = PSY_OK; status == PSY_OK && waiting < 100;) {
        status = begin(&t, &row, 1, &last);
        waiting += status == PSY_OK;
        cr_assert(status == PSY_OK || status == PSY_LIMIT, "%s", psy_detail());
    }
    cr_assert_eq(waiting, 32u);
    usleep(20000);
    cr_assert_eq(status_of(&t, first, &version), PSY_EMPTY);
    start_worker(&t, 1);
    psy_status status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end; usleep(500)) {
        status = status_of(&t, last, &version);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(status_of(&t, first, &version), PSY_OK);
    cr_assert_eq(version, 2u);
    cr_assert_eq(status_of(&t, 1000, &version), PSY_NOT_FOUND);
    edited_settle(&t.e);
    edited_fini(&t.e);
    served_close(&t.s);
    psy_module_close(t.module);
}
