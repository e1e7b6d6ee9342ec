/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/served.h"

#include <unistd.h>

#include "base/clock.h"

psy_module *open_program(const char *file)
{
    psy_module *module;
    cr_assert_eq(psy_module_open(file, &module), PSY_OK, "%s", psy_detail());
    return module;
}

static void *run_broker(void *argument)
{
    served *s = argument;
    while (!s->end) {
        pthread_mutex_lock(&s->mutex);
        uint32_t n = psy_broker_do_work(s->broker);
        if (n == 0) {
            psy_broker_wait(s->broker, 200000);
        }
        pthread_mutex_unlock(&s->mutex);
        if (n == 0) {
            sched_yield(); /* who wants to speak to it can */
        }
    }
    return NULL;
}

void served_open(served *s, const psy_broker_options *o)
{
    *s = (served){.shards = o->shards};
    snprintf(s->uri, sizeof s->uri, "%s", o->uri);
    pthread_mutex_init(&s->mutex, NULL);
    cr_assert_eq(psy_broker_create(o, &s->broker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(pthread_create(&s->broker_thread, NULL, run_broker, s), 0);
}

psy_rows served_rows(bool kept)
{
    return kept ? (psy_rows){.resident = "kept",
                             .rank = 2,
                             .dims = {SERVED_KEPT, SERVED_DIM},
                             .fill = served_fill,
                             .key = served_key_of}
                : (psy_rows){.resident = "rows", .rank = 2, .dims = {SERVED_ROWS, SERVED_DIM}, .fill = served_fill};
}

void served_data(psy_worker *worker, bool with_kept)
{
    for (int i = 0; i < (with_kept ? 2 : 1); i++) {
        psy_rows rows = served_rows(i == 1);
        psy_status status = psy_worker_load(worker, &rows);
        cr_assert(status == PSY_OK || status == PSY_NOT_FOUND, "%s", psy_detail()); /* no program has it */
    }
}

void served_load(served *s, uint32_t shard)
{
    psy_worker_options o = {.uri = s->uri, .shard = shard, .engine = "cpu", .log = s->log};
    psy_status status = PSY_LIMIT;
    for (int tries = 0; tries < 500 && status == PSY_LIMIT; tries++) { /* the broker may not have seen that the last one went */
        status = psy_worker_create(&o, &s->workers[shard]);
        usleep(status == PSY_LIMIT ? 2000 : 0);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    served_data(s->workers[shard], !s->without_kept);
}

typedef struct post {
    served *s;
    uint32_t shard;
} post;

static void *run_worker(void *argument)
{
    post p = *(post *)argument;
    psy_worker *w = p.s->workers[p.shard];
    free(argument);
    while (!p.s->stop[p.shard]) {
        usleep(p.s->slow_us[p.shard]);
        if (psy_worker_do_work(w) == 0) {
            psy_worker_wait(w, 1000000);
        }
    }
    return NULL;
}

void served_start(served *s, uint32_t shard)
{
    cr_assert_eq(psy_worker_start(s->workers[shard]), PSY_OK, "%s", psy_detail());
    served_resume(s, shard);
}

void served_resume(served *s, uint32_t shard)
{
    post *p = malloc(sizeof *p);
    *p = (post){s, shard};
    s->stop[shard] = false;
    s->running[shard] = true;
    cr_assert_eq(pthread_create(&s->threads[shard], NULL, run_worker, p), 0);
}

void served_halt(served *s, uint32_t shard)
{
    s->stop[shard] = true;
    if (s->running[shard]) {
        pthread_join(s->threads[shard], NULL);
    }
    s->running[shard] = false;
}

void served_kill(served *s, uint32_t shard)
{
    served_halt(s, shard);
    psy_worker_destroy(s->workers[shard]);
    s->workers[shard] = NULL;
}

void served_run(served *s)
{
    for (uint32_t i = 0; i < s->shards; i++) {
        served_load(s, i);
        served_start(s, i);
    }
}

void served_close(served *s)
{
    for (uint32_t i = 0; i < s->shards; i++) {
        if (s->workers[i]) {
            served_kill(s, i);
        }
    }
    s->end = true;
    pthread_join(s->broker_thread, NULL);
    psy_broker_destroy(s->broker);
    pthread_mutex_destroy(&s->mutex);
}

psy_status served_add(served *s, const psy_module *module, const char *name, uint32_t version, bool replace, uint64_t *ticket)
{
    psy_program program = {.module = module, .name = name, .version = version, .replace = replace};
    pthread_mutex_lock(&s->mutex);
    psy_status status = psy_broker_add_program(s->broker, &program, ticket);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

psy_status served_remove(served *s, const char *name, uint32_t version)
{
    pthread_mutex_lock(&s->mutex);
    psy_status status = psy_broker_remove_program(s->broker, name, version);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

psy_status served_status(served *s, uint64_t ticket)
{
    pthread_mutex_lock(&s->mutex);
    psy_status status = psy_broker_program_status(s->broker, ticket);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

psy_status served_await(served *s, uint64_t ticket)
{
    psy_status status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        status = served_status(s, ticket);
        usleep(status == PSY_EMPTY ? 500 : 0);
    }
    return status;
}

psy_broker_counts served_counts(served *s)
{
    psy_broker_counts counts;
    pthread_mutex_lock(&s->mutex);
    psy_broker_get_counts(s->broker, &counts);
    pthread_mutex_unlock(&s->mutex);
    return counts;
}

psy_channel *served_connect(const served *s, uint32_t in_flight)
{
    psy_channel_options o = {.in_flight = in_flight, .call_timeout_ms = 20000};
    psy_channel *channel;
    cr_assert_eq(psy_channel_connect(s->uri, &o, &channel), PSY_OK, "%s", psy_detail());
    return channel;
}

psy_pipeline served_pipeline(psy_channel *channel, const char *name)
{
    psy_pipeline out;
    cr_assert_eq(psy_channel_open(channel, name, programs_ask_type(), programs_answer_type(), &out), PSY_OK, "%s",
                 psy_detail());
    return out;
}

psy_status served_call(psy_channel *channel, const psy_pipeline *pipeline, uint64_t key)
{
    programs_ask ask;
    psy_reply reply;
    served_ask(&ask, key);
    psy_status status = psy_channel_call(channel, pipeline, &ask, &reply);
    if (status == PSY_OK) {
        psy_channel_release(channel, &reply);
    }
    return status;
}

uint32_t served_version(psy_channel *channel, const psy_pipeline *pipeline, const char *name, uint64_t key)
{
    programs_ask ask;
    psy_reply reply;
    served_ask(&ask, key);
    cr_assert_eq(psy_channel_call(channel, pipeline, &ask, &reply), PSY_OK, "%s: %s", name, psy_detail());
    const programs_answer *a = reply.message;
    cr_assert_eq(programs_answer_verify(a, reply.bytes), PSY_OK);
    uint32_t version = programs_answer_version(a);
    cr_assert_eq(programs_answer_key(a), key);
    cr_assert_eq(programs_answer_value(a), served_value(name, key, version), "%s: %g of version %u", name,
                 (double)programs_answer_value(a), version);
    psy_channel_release(channel, &reply);
    return version;
}
