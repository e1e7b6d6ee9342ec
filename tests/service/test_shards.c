/* SPDX-License-Identifier: Apache-2.0 */
/* The number of shards changes under load, against simple arrays: every answer is complete and that of one version of the data,
 * whatever workers gave it; no request fails. */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/clock.h"
#include "service/broker_state.h"
#include "service/dataset.h"
#include "tests/service/crew.h"
#include "tests/service/snapped.h"

enum { PLACES = 8 };

typedef struct service {
    served s;
    edited e;
    crew crews[2];
    uint32_t now; /* which of them serves */
    psy_module *module;
    _Atomic bool enough;
    _Atomic uint32_t came;
} service;

static void open_service(service *t, const char *uri, uint32_t shards, uint32_t places, uint64_t seed)
{
    *t = (service){.module = open_program(EDITED_MODULE)};
    edited_init(&t->e, seed);
    served_open(&t->s, &(psy_broker_options){.uri = uri,
                                             .shards = shards,
                                             .shards_max = places,
                                             .module = t->module,
                                             .max_request_bytes = 4096,
                                             .max_reply_bytes = 4096,
                                             .max_partial_bytes = 4096});
    crew_start(&t->crews[0], &t->s, &t->e, shards);
    edited_connect(&t->e, t->s.uri, 24);
}

static void close_service(service *t)
{
    edited_settle(&t->e);
    edited_fini(&t->e);
    crew_stop(&t->crews[0]);
    crew_stop(&t->crews[1]);
    served_close(&t->s);
    psy_module_close(t->module);
}

static void change(service *t, uint32_t shards)
{
    crew *from = &t->crews[t->now], *to = &t->crews[1 - t->now];
    cr_assert_eq(crew_change(&t->e, from, to, shards), PSY_OK, "%s", psy_detail());
    t->now = 1 - t->now;
    for (int i = 0; i < 3; i++) {
        edited_serve(&t->e);
    }
    crew_ended(from, PSY_OK);
    const psy_broker_counts counts = served_counts(&t->s);
    cr_assert_eq(counts.shards, shards);
    cr_assert_eq(counts.shards_ready, shards);
}

/* One after the other, with edits between, after which parts are unequal. */
static void walk(const char *uri, uint64_t seed, uint32_t edits)
{
    static const uint32_t steps[] = {2, 4, 3, 1, 3, 3, 1};
    static service t;
    open_service(&t, uri, 1, PLACES, seed);
    crew_serve_some(&t.e);
    const holdings before = holdings_now();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        change(&t, steps[i]);
        crew_serve_some(&t.e);
        for (uint32_t k = 0; i + 1 < sizeof steps / sizeof *steps && k < edits;
             k++) { /* edits are kept until the next change */
            crew_make_edit(&t.e, &t.s);
        }
        crew_serve_some(&t.e);
    }
    edited_settle(&t.e);
    nothing_leaked(getpid(), before);
    const psy_broker_counts counts = served_counts(&t.s);
    cr_assert_eq(counts.reshards, sizeof steps / sizeof *steps);
    cr_assert_eq(counts.reshards_refused, 0u);
    cr_assert_eq(counts.failures + counts.timeouts + counts.deaths, 0u);
    cr_assert_eq(t.e.failed, 0u);
    close_service(&t);
}

static psy_status status_of(service *t, uint64_t ticket) { return crew_reshard_status(&t->s, ticket); }

/* Edits that come while rows move are made when the change is over, and programs are tried then: they find the new shards. */
Test(shards, let_edits_and_programs_wait)
{
    static service t;
    psy_module *misfit = open_program(PROGRAM_FILE("missing")); /* of data that nobody has */
    open_service(&t, "inproc://shards-queue", 2, PLACES, 7);
    crew_serve_some(&t.e);
    for (uint32_t round = 0; round < 4; round++) {
        psy_edit edits[16];
        uint64_t ticket, edit, program, version = 0;
        crew *from = &t.crews[t.now], *to = &t.crews[1 - t.now];
        const uint32_t shards = round % 2 ? 2 : 4;
        cr_assert_eq(crew_reshard(&t.s, shards, &ticket), PSY_OK, "%s", psy_detail());
        pthread_mutex_lock(&t.s.mutex); /* this is the broker's thread now, and nobody comes further than it works */
        crew_start(to, &t.s, &t.e, shards);
        for (uint64_t end = psy__now_ns() + 20 * second_ns; !psy__broker_is_moving(t.s.broker) && psy__now_ns() < end;) {
            (void)psy_broker_do_work(t.s.broker);
        }
        cr_assert(psy__broker_is_moving(t.s.broker));
        uint32_t n = edited_change(&t.e, edits);
        cr_assert_eq(psy_broker_edit(t.s.broker, edits, n, &edit), PSY_OK, "%s", psy_detail());
        psy_program p = {.module = misfit, .name = "misfit"};
        cr_assert_eq(psy_broker_add_program(t.s.broker, &p, &program), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_broker_reshard_status(t.s.broker, ticket), PSY_EMPTY);
        pthread_mutex_unlock(&t.s.mutex);
        psy_status status = PSY_EMPTY;
        for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
            edited_serve(&t.e);
            status = crew_edit_status(&t.s, edit, &version);
            const psy_status tried = served_status(&t.s, program);
            cr_assert((status == PSY_EMPTY && tried == PSY_EMPTY) || status_of(&t, ticket) == PSY_OK, "it was made before");
        }
        cr_assert_eq(served_await(&t.s, program), PSY_INVALID, "%s", psy_detail());
        cr_assert(strstr(psy_detail(), "nowhere"), "%s", psy_detail());
        cr_assert_eq(status, PSY_OK, "%s", psy_detail());
        edited_made(&t.e, true);
        cr_assert_eq(version, t.e.made);
        t.now = 1 - t.now;
        crew_ended(from, PSY_OK);
        crew_serve_some(&t.e);
    }
    close_service(&t);
    psy_module_close(misfit);
}

/* What cannot be is refused, and says what to do. */
Test(shards, are_refused)
{
    static service t;
    uint64_t ticket;
    open_service(&t, "inproc://shards-fixed", 2, 0, 8);
    cr_assert_eq(crew_reshard(&t.s, 2, &ticket), PSY_LIMIT);
    cr_assert(strstr(psy_detail(), "set shards_max"), "%s", psy_detail());
    cr_assert_eq(status_of(&t, 1), PSY_NOT_FOUND);
    close_service(&t);
    open_service(&t, "inproc://shards-few", 2, 5, 9);
    cr_assert_eq(crew_reshard(&t.s, 0, &ticket), PSY_INVALID);
    cr_assert_eq(crew_reshard(&t.s, 65, &ticket), PSY_INVALID);
    cr_assert_eq(crew_reshard(&t.s, 4, &ticket), PSY_LIMIT);
    cr_assert(strstr(psy_detail(), "set shards_max"), "%s", psy_detail());
    cr_assert_eq(crew_reshard(&t.s, 3, &ticket), PSY_OK, "%s", psy_detail());
    cr_assert_eq(crew_reshard(&t.s, 3, &ticket), PSY_LIMIT);
    cr_assert(strstr(psy_detail(), "one change at a time"), "%s", psy_detail());
    cr_assert_eq(status_of(&t, ticket), PSY_EMPTY);
    cr_assert_eq(status_of(&t, ticket + 1), PSY_NOT_FOUND);
    cr_assert_eq(crew_cancel(&t.s, ticket + 1), PSY_NOT_FOUND);
    cr_assert_eq(crew_cancel(&t.s, ticket), PSY_OK);
    cr_assert_eq(status_of(&t, ticket), PSY_CANCELLED);
    crew_serve_some(&t.e);
    close_service(&t);
    psy_broker *broker;
    psy_broker_options o = {.uri = "inproc://shards-none", .shards = 3, .shards_max = 2};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_INVALID);
    o.shards_max = 65;
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_INVALID);
}

/* Clients that come and go all the while have right answers too. */
static void *come_and_go(void *argument)
{
    service *t = argument;
    for (uint32_t i = 0; !t->enough; i++) {
        edited e = {.random = 77 + i, .made = 1, .pending = 1, .data = t->e.data};
        edited_connect(&e, t->s.uri, 1 + i % 32);
        for (uint32_t k = 0; k <= i % 5; k++) {
            edited_serve(&e);
        }
        if (i % 3) {
            edited_settle(&e);
        }
        psy_channel_close(e.channel);
        t->came++;
    }
    return NULL;
}

Test(shards, change_while_clients_come_and_go)
{
    static const uint32_t steps[] = {3, 1, 4, 2, 2, 5, 1};
    static service t;
    pthread_t threads[2];
    open_service(&t, "inproc://shards-guests", 2, PLACES, 10);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, come_and_go, &t), 0);
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const uint32_t came = t.came;
        for (uint64_t end = psy__now_ns() + 20 * second_ns; t.came < came + 4 && psy__now_ns() < end;) {
            edited_serve(&t.e);
        }
        cr_assert_geq(t.came, came + 4);
        change(&t, steps[i]);
    }
    t.enough = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    const psy_broker_counts counts = served_counts(&t.s);
    cr_assert_eq(counts.failures + counts.timeouts + counts.deaths, 0u);
    close_service(&t);
}

/* A worker that comes later: its files are right as long as nothing was edited; after that it is refused, and says why. */
Test(shards, need_data_that_is_as_new_as_they_are)
{
    static service t;
    open_service(&t, "inproc://shards-later", 1, PLACES, 12);
    crew_make_edit(&t.e, &t.s);
    change(&t, 2);
    t.e.may_fail = true;
    crew *now = &t.crews[t.now];
    crew_kill(now, 1);
    edited_settle(&t.e);
    crew_start_one(now, 1);
    for (uint64_t end = psy__now_ns() + 20 * second_ns; !now->left[1] && psy__now_ns() < end;) {
        usleep(1000);
    }
    cr_assert(now->left[1]);
    cr_assert_eq(now->ended[1], PSY_INVALID, "%s", psy_status_name(now->ended[1]));
    cr_assert(strstr(now->why[1], "version 2") && strstr(now->why[1], "this worker's 1"), "%s", now->why[1]);
    close_service(&t);
}

static void snapshot(service *t, const char *folder)
{
    uint64_t ticket, version = 0;
    pthread_mutex_lock(&t->s.mutex);
    cr_assert_eq(psy_broker_snapshot(t->s.broker, folder, &ticket), PSY_OK, "%s", psy_detail());
    pthread_mutex_unlock(&t->s.mutex);
    psy_status status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(&t->e);
        pthread_mutex_lock(&t->s.mutex);
        status = psy_broker_snapshot_status(t->s.broker, ticket, &version);
        pthread_mutex_unlock(&t->s.mutex);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(version, t->e.made);
}

/* Whether its two parts of the rows are what two shards would have of so many. */
static bool is_equal(const char *path)
{
    psy__snapshot s = {0};
    const psy__holder first = {.shard = 0, .shards = 2};
    uint64_t at, rows;
    int folder;
    cr_assert_eq(psy__snapshot_open_folder(path, &folder), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__snapshot_read(folder, &s), PSY_OK, "%s", psy_detail());
    const psy__snapshot_resident *r = psy__snapshot_find(&s, "rows");
    psy__holder_range(&first, r->dims[0], &at, &rows);
    const bool equal = r->parts[0].rows == rows;
    psy__snapshot_fini(&s);
    close(folder);
    return equal;
}

/* A worker that comes later restores a snapshot; of before the change only where it has as many rows as the others think. */
Test(shards, are_restored_from_snapshots_of_their_time)
{
    static service t;
    const snapped_folder folder = snapped_make();
    open_service(&t, "inproc://shards-snapshot", 2, PLACES, 13);
    t.crews[1].folder = folder.path;
    bool equal = true;
    for (int i = 0; equal && i < 50; i++) { /* until rows have come to the last shard, or gone */
        crew_make_edit(&t.e, &t.s);
        snapshot(&t, folder.path);
        equal = is_equal(folder.path);
    }
    cr_assert_not(equal);
    change(&t, 2);
    crew *now = &t.crews[1];
    t.e.may_fail = true;
    crew_kill(now, 1);
    edited_settle(&t.e);
    crew_start_one(now, 1); /* its part is that of before */
    for (uint64_t end = psy__now_ns() + 20 * second_ns; !now->left[1] && psy__now_ns() < end;) {
        usleep(1000);
    }
    cr_assert(now->left[1] && now->ended[1] == PSY_INVALID && strstr(now->why[1], "since the shards changed"), "%s",
              now->why[1]);
    close_service(&t);

    open_service(&t, "inproc://shards-snapshot", 2, PLACES, 14);
    t.crews[1].folder = folder.path;
    crew_make_edit(&t.e, &t.s);
    change(&t, 3);
    crew_make_edit(&t.e, &t.s);
    snapshot(&t, folder.path);
    crew_make_edit(&t.e, &t.s);
    t.e.may_fail = true;
    for (uint32_t shard = 0; shard < 3; shard++) {
        crew_kill(now, shard);
        edited_settle(&t.e);
        crew_start_one(now, shard);
        crew_serve_some(&t.e);
    }
    close_service(&t);
    snapped_end(&folder);
}

Test(shards, change_under_load) { walk("inproc://shards-walk", 1, 0); }
Test(shards, change_with_edits_between) { walk("inproc://shards-edits", 2, 5); }
