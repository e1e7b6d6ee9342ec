/* SPDX-License-Identifier: Apache-2.0 */
#include "command/local_service.h"

#include <stdio.h>

#include "command/progress.h"
#include "data/rows.h"
#include "service/module_file.h"

/* How far a resident is, over all shards. */
typedef struct loading {
    psy__progress bar;
    uint64_t done, told; /* of the shards before, and of this one */
} loading;

static psy_status look(void *context, const char *resident, uint64_t rows, uint64_t all)
{
    loading *l = context;
    (void)resident;
    (void)all;
    l->done += rows < l->told ? l->told : 0; /* another shard's turn */
    l->told = rows;
    psy__progress_step(&l->bar, l->done + rows);
    return PSY_OK;
}

/* Of a resident, that all shards load together. */
static uint64_t rows_of_all(const psy__local_options *o, const psy_rows *rows)
{
    const psy__module *m = &o->module->decoded;
    const psy_psm_resident *r = &m->residents[psy__module_find_resident(m, rows->resident)];
    return rows->dims[0] * (r->placement == PSY_PLACE_REPLICATED ? o->shards : 1);
}

static psy_status load(psy_service *service, const psy__local_options *o, loading *l)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < o->data_count; i++) {
        psy__rows rows;
        status = psy__rows_open(o->module, o->data[i].name, o->data[i].file, o->data[i].keys, &rows);
        if (status == PSY_OK) {
            *l = (loading){.done = 0};
            psy__progress_begin(&l->bar, o->data[i].name, rows_of_all(o, &rows.rows), "rows", false);
            status = psy_service_load(service, &rows.rows);
            psy__progress_end(&l->bar);
            psy__rows_close(&rows);
        }
    }
    return status;
}

/* A channel to it. */
static psy_status join(psy__local_service *s, const psy__local_options *o)
{
    const psy_channel_options options = {
        .in_flight = o->in_flight, .call_timeout_ms = UINT16_MAX, .agent = psy_service_agent(s->service)};
    psy_status status = psy_channel_connect(psy_service_uri(s->service), &options, &s->channel);
    return status == PSY_OK ? psy_channel_open(s->channel, o->pipeline, &o->request, &o->reply, &s->pipeline) : status;
}

psy_status psy__local_service_open(psy__local_service *s, const psy__local_options *o)
{
    loading l;
    *s = (psy__local_service){.service = NULL};
    const psy_service_options options = {
        .broker = {.module = o->module, .shards = o->shards, .in_flight = o->in_flight, .clients = 1},
        .worker =
            {.engine = o->engine, .device = o->device, .max_batch = o->max_batch, .progress = look, .progress_context = &l},
        .tracers = o->tracers};
    psy_status status = psy_service_create(&options, &s->service);
    status = status == PSY_OK ? load(s->service, o, &l) : status;
    status = status == PSY_OK ? psy_service_start(s->service, 0) : status;
    status = status == PSY_OK ? join(s, o) : status;
    if (status != PSY_OK) {
        char said[512];
        snprintf(said, sizeof said, "%s", psy_detail());
        psy__local_service_close(s);
        return psy_fail(status, "%s", said);
    }
    return PSY_OK;
}

void psy__local_service_work(void *service) { (void)psy_service_do_work(((psy__local_service *)service)->service); }

void psy__local_service_close(psy__local_service *s)
{
    psy_channel_close(s->channel);
    psy_service_destroy(s->service);
    *s = (psy__local_service){.service = NULL};
}
