/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/local_service.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "data/rows.h"

static const char uri[] = "inproc://psyne-run";

/* Who joins waits for the broker's word: it has a thread while all others join. */
static void *run_broker(void *broker)
{
    psy_broker_run(broker);
    return NULL;
}

static psy_status load(psy_worker *worker, const psy__local_options *o)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < o->data_count; i++) {
        psy__rows rows;
        status = psy__rows_open(o->module, o->data[i].name, o->data[i].file, o->data[i].keys, &rows);
        if (status == PSY_OK) {
            status = psy_worker_load(worker, &rows.rows);
            psy__rows_close(&rows);
        }
    }
    return status;
}

static psy_status add_worker(psy__local_service *s, const psy__local_options *o, uint32_t shard)
{
    const psy_worker_options options = {.uri = uri,
                                        .module = o->module,
                                        .shard = shard,
                                        .engine = o->engine,
                                        .device = o->device,
                                        .max_batch = o->max_batch,
                                        .tracer = o->tracers ? &o->tracers[shard] : NULL};
    psy_status status = psy_worker_create(&options, &s->workers[shard]);
    status = status == PSY_OK ? load(s->workers[shard], o) : status;
    return status == PSY_OK ? psy_worker_start(s->workers[shard]) : status;
}

/* Everybody joins. */
static psy_status assemble(psy__local_service *s, const psy__local_options *o)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < s->shards; i++) {
        status = add_worker(s, o, i);
    }
    const psy_channel_options options = {.in_flight = o->in_flight, .call_timeout_ms = UINT16_MAX};
    if (status == PSY_OK) {
        status = psy_channel_connect(uri, &options, &s->channel);
    }
    return status == PSY_OK ? psy_channel_open(s->channel, o->pipeline, &o->request, &o->reply, &s->pipeline) : status;
}

psy_status psy__local_service_open(psy__local_service *s, const psy__local_options *o)
{
    pthread_t thread;
    *s = (psy__local_service){.shards = o->shards};
    const psy_broker_options options = {
        .uri = uri, .module = o->module, .shards = o->shards, .in_flight = o->in_flight, .clients = 1};
    psy_status status = psy_broker_create(&options, &s->broker);
    if (status != PSY_OK) {
        return status;
    }
    const int error = pthread_create(&thread, NULL, run_broker, s->broker);
    if (error != 0) {
        status = psy_fail(PSY_LIMIT, "no thread can be started: %s", strerror(error));
    } else {
        status = assemble(s, o);
        psy_broker_stop(s->broker);
        pthread_join(thread, NULL);
    }
    if (status != PSY_OK) {
        char said[512];
        snprintf(said, sizeof said, "%s", psy_detail());
        psy__local_service_close(s);
        return psy_fail(status, "%s", said);
    }
    return PSY_OK;
}

void psy__local_service_work(void *service)
{
    psy__local_service *s = service;
    psy_broker_do_work(s->broker);
    for (uint32_t i = 0; i < s->shards; i++) {
        psy_worker_do_work(s->workers[i]);
    }
}

void psy__local_service_close(psy__local_service *s)
{
    psy_channel_close(s->channel);
    for (uint32_t i = 0; i < s->shards; i++) {
        psy_worker_destroy(s->workers[i]);
    }
    psy_broker_destroy(s->broker);
    *s = (psy__local_service){.shards = 0};
}
