/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/crew.h"

#include <unistd.h>

#include "base/clock.h"

typedef struct post {
    crew *c;
    uint32_t shard;
} post;

static void *work(void *argument)
{
    const post p = *(post *)argument;
    crew *c = p.c;
    free(argument);
    psy_worker_options o = {.uri = c->s->uri, .shard = p.shard, .engine = "cpu", .counters = c->counters};
    psy_status status = PSY_LIMIT;
    for (int tries = 0; tries < 500 && status == PSY_LIMIT; tries++) { /* the broker may not have seen that the last one went */
        status = psy_worker_create(&o, &c->workers[p.shard]);
        usleep(status == PSY_LIMIT ? 2000 : 0);
    }
    if (status == PSY_OK) {
        if (c->folder) {
            status = psy_worker_restore(c->workers[p.shard], c->folder);
        } else {
            edited_load(c->e, c->workers[p.shard]);
        }
    }
    if (status == PSY_OK) {
        status = psy_worker_start(c->workers[p.shard]);
    }
    c->created[p.shard] = true;
    status = status == PSY_OK ? psy_worker_run(c->workers[p.shard]) : status;
    snprintf(c->why[p.shard], sizeof c->why[p.shard], "%s", psy_detail());
    c->ended[p.shard] = status;
    c->left[p.shard] = true;
    return NULL;
}

void crew_start_one(crew *c, uint32_t shard)
{
    post *p = malloc(sizeof *p);
    *p = (post){c, shard};
    c->created[shard] = c->left[shard] = false;
    c->there[shard] = true;
    cr_assert_eq(pthread_create(&c->threads[shard], NULL, work, p), 0);
}

void crew_start(crew *c, served *s, const edited *e, uint32_t count)
{
    *c = (crew){.s = s, .e = e, .count = count, .counters = c->counters, .folder = c->folder};
    for (uint32_t i = 0; i < count; i++) {
        crew_start_one(c, i);
    }
}

static void join(crew *c, uint32_t shard)
{
    pthread_join(c->threads[shard], NULL);
    psy_worker_destroy(c->workers[shard]);
    c->workers[shard] = NULL;
    c->there[shard] = false;
}

void crew_kill(crew *c, uint32_t shard)
{
    while (!c->created[shard]) {
        usleep(200);
    }
    if (c->workers[shard]) {
        psy_worker_stop(c->workers[shard]);
    }
    join(c, shard);
}

void crew_ended(crew *c, psy_status status)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->there[i]) {
            join(c, i);
            cr_assert_eq(c->ended[i], status, "shard %u of %u: %s: %s", i, c->count, psy_status_name(c->ended[i]), c->why[i]);
        }
    }
    c->count = 0;
}

void crew_stop(crew *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->there[i]) {
            crew_kill(c, i);
        }
    }
    c->count = 0;
}

#define ON_ITS_THREAD(s_, call_)                                                                                               \
    pthread_mutex_lock(&(s_)->mutex);                                                                                          \
    psy_status status = call_;                                                                                                 \
    pthread_mutex_unlock(&(s_)->mutex);                                                                                        \
    return status

psy_status crew_reshard(served *s, uint32_t shards, uint64_t *ticket)
{
    ON_ITS_THREAD(s, psy_broker_reshard(s->broker, shards, ticket));
}

psy_status crew_reshard_status(served *s, uint64_t ticket) { ON_ITS_THREAD(s, psy_broker_reshard_status(s->broker, ticket)); }

psy_status crew_cancel(served *s, uint64_t ticket) { ON_ITS_THREAD(s, psy_broker_reshard_cancel(s->broker, ticket)); }

psy_status crew_edit(served *s, const psy_edit *edits, uint32_t count, uint64_t *ticket)
{
    ON_ITS_THREAD(s, psy_broker_edit(s->broker, edits, count, ticket));
}

psy_status crew_edit_status(served *s, uint64_t ticket, uint64_t *version)
{
    ON_ITS_THREAD(s, psy_broker_edit_status(s->broker, ticket, version));
}

psy_status crew_change(edited *e, crew *from, crew *to, uint32_t shards)
{
    uint64_t ticket;
    psy_status status = PSY_LIMIT;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_LIMIT && psy__now_ns() < end;) {
        status = crew_reshard(from->s, shards, &ticket); /* LIMIT: those of the change before are about to leave */
        edited_serve(e);
    }
    if (status != PSY_OK) {
        return status;
    }
    crew_start(to, from->s, e, shards);
    status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + 30 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(e);
        status = crew_reshard_status(from->s, ticket);
    }
    return status;
}

void crew_serve_some(edited *e)
{
    uint64_t before[EDITED_PIPELINES];
    memcpy(before, e->answered, sizeof before);
    bool enough = false;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; !enough && psy__now_ns() < end;) {
        edited_serve(e);
        enough = true;
        for (uint32_t i = 0; i < EDITED_PIPELINES; i++) {
            enough = enough && e->answered[i] >= before[i] + 5;
        }
    }
    cr_assert(enough);
}

void crew_make_edit(edited *e, served *s)
{
    psy_edit edits[16];
    uint64_t ticket, version = 0;
    uint32_t n = edited_change(e, edits);
    cr_assert_eq(crew_edit(s, edits, n, &ticket), PSY_OK, "%s", psy_detail());
    psy_status status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(e);
        status = crew_edit_status(s, ticket, &version);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    edited_made(e, true);
    cr_assert_eq(version, e->made);
}
