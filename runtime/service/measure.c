/* SPDX-License-Identifier: Apache-2.0 */
#include "service/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "mem/counters_folder.h"
#include "service/broker_state.h"
#include "service/worker_state.h"

static_assert(PSY_BATCH_MAX <= 1 << (PSY_BATCH_COUNTERS - 1), "every batch has a bucket");

/* A row "SERVICE/NAME", or without a name "SERVICE"; NULL where there is none. */
static void *begin(psy__counting *c, psy_counters_section section, uint64_t id, uint32_t side, const char *name)
{
    char label[PSY_COUNTERS_LABEL_BYTES], whole[sizeof c->service + 1 + PSY_NAME_BYTES];
    if (!c->counters) {
        return NULL;
    }
    snprintf(whole, sizeof whole, "%s%s%s", c->service, *name ? "/" : "", name);
    psy__counters_text(label, sizeof label, whole, strlen(whole));
    const psy_counters_place place = {.label = label, .ring = id, .side = side};
    PSY_ATOMIC(uint64_t) *values = NULL;
    if (psy_counters_section_row(c->counters, section, &place, &values) != PSY_OK) {
        c->uncounted++;
        return NULL;
    }
    return values;
}

static void end(psy__counting *c, void *row)
{
    if (row) {
        psy_counters_section_drop(c->counters, row);
    }
}

/* ---- pipelines ---- */

void psy__latency_begin(psy__counting *c, uint64_t id, const char *pipeline, psy__latency *out)
{
    *out = (psy__latency){.row = begin(c, PSY_COUNTERS_OF_PIPELINE, id, 0, pipeline)};
    bool all = out->row != NULL;
    for (uint32_t i = 0; all && i < PSY_LATENCY_PARTS; i++) {
        out->parts[i] = begin(c, PSY_COUNTERS_OF_LATENCY, id, i, pipeline);
        all = out->parts[i] != NULL;
    }
    if (!all) {
        psy__latency_end(c, out);
    }
}

void psy__latency_tell(psy__latency *l)
{
    if (!l->row || l->told == l->requests) {
        return;
    }
    for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        psy_counter_set(&l->parts[i / PSY_COUNTERS_VALUES]->buckets[i % PSY_COUNTERS_VALUES], l->buckets[i]);
    }
    psy_counter_set(&l->row->errors, l->errors);
    psy_counter_set(&l->row->latency, l->sum_ns);
    psy_counter_set(&l->row->slowest, l->slowest_ns);
    psy_counter_set(&l->row->requests, l->told = l->requests);
}

void psy__latency_end(psy__counting *c, psy__latency *latency)
{
    end(c, latency->row);
    for (uint32_t i = 0; i < PSY_LATENCY_PARTS; i++) {
        end(c, latency->parts[i]);
        latency->parts[i] = NULL;
    }
    latency->row = NULL;
}

/* ---- a broker ---- */

/* Follows what the broker holds there: `epoch` 0 is nothing. */
static void follow(psy_broker *b, psy__slab_row *r, uint64_t epoch, const char *name, uint64_t bytes)
{
    if (r->epoch == epoch) {
        return;
    }
    end(&b->counting, r->row);
    *r = (psy__slab_row){.epoch = epoch};
    if (epoch) {
        r->row = begin(&b->counting, PSY_COUNTERS_OF_SLAB, psy_counters_ring_id(epoch, UINT64_C(1) << 63), 0, name);
        if (r->row) {
            psy_counter_set(&r->row->bytes, bytes);
        }
    }
}

static void follow_slabs(psy_broker *b)
{
    psy__broker_measure *m = &b->measure;
    char name[32];
    for (uint32_t i = 0; i < b->place_count; i++) {
        const psy_slab *slab = b->shards[i].slab;
        const uint64_t epoch = slab ? psy_slab_epoch(slab) : 0;
        if (epoch != m->shards[i].epoch) {
            snprintf(name, sizeof name, "shard %u", i);
            follow(b, &m->shards[i], epoch, name, slab ? psy_slab_bytes(slab) : 0);
        }
    }
    m->client_top = m->client_top > b->client_top ? m->client_top : b->client_top;
    for (uint32_t i = 0; i < m->client_top; i++) {
        const psy__client *c = &b->clients[i];
        const bool there = c->phase == CLIENT_SERVED && c->request_slab && c->response_slab;
        const uint64_t epoch = there ? psy_slab_epoch(c->response_slab) : 0;
        if (epoch != m->clients[i].epoch) {
            snprintf(name, sizeof name, "client %u", i);
            follow(b, &m->clients[i], epoch, name,
                   there ? psy_slab_bytes(c->request_slab) + psy_slab_bytes(c->response_slab) : 0);
        }
        psy_slab_counters *row = m->clients[i].row;
        if (row) { /* as the broker counts: what lies in the slab is the client's word */
            psy_counter_set(&row->slots, c->responses.slots);
            psy_counter_set(&row->used, c->share.inside);
            psy_counter_raise(&row->high_water, c->share.inside);
        }
    }
    m->client_top = b->client_top; /* all of those behind have just been given back */
}

psy_status psy__measure_broker_begin(psy_broker *b)
{
    psy__broker_measure *m = &b->measure;
    m->shards = calloc(b->place_count, sizeof *m->shards);
    m->clients = calloc(b->client_room, sizeof *m->clients);
    if (!m->shards || !m->clients) {
        return psy_fail(PSY_NO_MEMORY, "no memory for counts");
    }
    m->row = begin(&b->counting, PSY_COUNTERS_OF_SERVICE, psy__thing_id(b->gather_slab, 0), 0, "");
    m->guard = begin(&b->counting, PSY_COUNTERS_OF_GUARD, psy__thing_id(b->gather_slab, 0), 0, "");
    m->data = begin(&b->counting, PSY_COUNTERS_OF_DATA, psy__thing_id(b->gather_slab, 0), 0, "");
    follow(b, &m->gather, psy_slab_epoch(b->gather_slab), "gather", psy_slab_bytes(b->gather_slab));
    if (m->gather.row) {
        psy_counter_set(&m->gather.row->slots, b->ticket_count);
    }
    if (b->client_programs > 0) {
        psy__latency_begin(&b->counting, psy__thing_id(b->gather_slab, 1), "(programs of clients)", &m->of_clients);
    }
    return PSY_OK;
}

void psy__measure_program_begin(psy_broker *b, psy__staged *program, const char *name)
{
    const psy__module *module = &program->module->decoded;
    if (program->latencies || program->limited || !b->counting.counters) {
        return;
    }
    program->latencies = calloc(module->pipeline_count + 1, sizeof *program->latencies);
    for (uint32_t i = 0; program->latencies && i < module->pipeline_count; i++) {
        if (module->pipelines[i].alternatives == 0) { /* one of those that a variant chooses of */
            continue;
        }
        char label[PSY_PROGRAM_NAME_BYTES + PSY_NAME_BYTES];
        const bool only = strcmp(name, "main") == 0;
        snprintf(label, sizeof label, "%s%s%s", only ? "" : name, only ? "" : "/",
                 psy__module_string(module, module->pipelines[i].name));
        psy__latency_begin(&b->counting, psy__thing_id(b->gather_slab, ((uint64_t)program->number << 16) + i), label,
                           &program->latencies[i]);
    }
}

void psy__measure_program_end(psy_broker *b, psy__staged *program)
{
    for (uint32_t i = 0; program->latencies && i < program->module->decoded.pipeline_count; i++) {
        psy__latency_end(&b->counting, &program->latencies[i]);
    }
    free(program->latencies);
    program->latencies = NULL;
}

void psy__measure_broker(psy_broker *b)
{
    psy__broker_measure *m = &b->measure;
    if (!b->counting.counters) {
        return;
    }
    psy_broker_counts counts;
    psy_broker_get_counts(b, &counts);
    follow_slabs(b);
    psy__latency_tell(&m->of_clients);
    for (uint32_t i = 0; i < b->staged_top; i++) {
        const psy__staged *s = &b->staged[i];
        for (uint32_t k = 0; s->latencies && k < s->module->decoded.pipeline_count; k++) {
            psy__latency_tell(&s->latencies[k]);
        }
    }
    if (m->gather.row) {
        psy_counter_set(&m->gather.row->used, counts.in_flight);
        psy_counter_raise(&m->gather.row->high_water, counts.in_flight);
    }
    psy_service_counters *row = m->row;
    if (row) {
        psy_counter_set(&row->requests, counts.requests);
        psy_counter_set(&row->refused, counts.refused);
        psy_counter_set(&row->timeouts, counts.timeouts);
        psy_counter_set(&row->failures, counts.failures);
        psy_counter_set(&row->scatter_bytes, counts.scatter_bytes);
        psy_counter_set(&row->clients, counts.clients);
        psy_counter_set(&row->shards, b->layout.count);
        psy_counter_set(&row->shards_ready, counts.shards_ready);
        psy_counter_set(&row->in_flight, counts.in_flight);
        psy_counter_set(&row->in_flight_limit, b->ticket_count);
        psy_counter_set(&row->uncounted, counts.uncounted);
        psy_counter_set(&row->programs, counts.programs);
        psy_counter_set(&row->programs_added, counts.programs_added);
        psy_counter_set(&row->programs_refused, counts.programs_refused);
        psy_counter_set(&row->data_version, counts.data_version);
    }
    psy_guard_counters *guard = m->guard;
    if (guard) {
        psy_counter_set(&guard->denied, counts.denied);
        psy_counter_set(&guard->limited, counts.limited);
        psy_counter_set(&guard->malformed, counts.malformed);
        psy_counter_set(&guard->unknown, counts.unknown);
        psy_counter_set(&guard->late, counts.late);
        psy_counter_set(&guard->deaths, counts.deaths);
        psy_counter_set(&guard->held, counts.held);
        psy_counter_set(&guard->traced, counts.traced);
    }
    psy_data_counters *data = m->data;
    if (data) {
        psy_counter_set(&data->edits, counts.edits);
        psy_counter_set(&data->edits_refused, counts.edits_refused);
        psy_counter_set(&data->edits_waiting, counts.edits_waiting);
        psy_counter_set(&data->edits_kept, counts.edits_kept);
        psy_counter_set(&data->edits_kept_bytes, counts.edits_kept_bytes);
        psy_counter_set(&data->snapshots, counts.snapshots);
        psy_counter_set(&data->snapshots_failed, counts.snapshots_failed);
        psy_counter_set(&data->snapshot_version, counts.snapshot_version);
        psy_counter_set(&data->snapshot_timestamp, counts.snapshot_ns);
        psy_counter_set(&data->reshards, counts.reshards);
        psy_counter_set(&data->reshards_refused, counts.reshards_refused);
    }
}

void psy__measure_broker_end(psy_broker *b)
{
    psy__broker_measure *m = &b->measure;
    end(&b->counting, m->row);
    end(&b->counting, m->guard);
    end(&b->counting, m->data);
    end(&b->counting, m->gather.row);
    for (uint32_t i = 0; m->shards && i < b->place_count; i++) {
        end(&b->counting, m->shards[i].row);
    }
    for (uint32_t i = 0; m->clients && i < b->client_room; i++) {
        end(&b->counting, m->clients[i].row);
    }
    psy__latency_end(&b->counting, &m->of_clients);
    free(m->shards);
    free(m->clients);
}

/* ---- a worker ---- */

void psy__measure_worker_begin(psy_worker *w)
{
    char name[32];
    snprintf(name, sizeof name, "shard %u", w->place);
    const uint64_t id = psy__thing_id(w->gather_slab, 0);
    w->measure.row = begin(&w->counting, PSY_COUNTERS_OF_WORKER, id, w->place, name);
    w->measure.batches = begin(&w->counting, PSY_COUNTERS_OF_BATCH, id, w->place, name);
}

void psy__measure_worker(psy_worker *w)
{
    psy_worker_counters *row = w->measure.row;
    if (row) {
        psy_worker_counts counts;
        psy_worker_get_counts(w, &counts);
        psy_counter_set(&row->requests, counts.requests);
        psy_counter_set(&row->batches, counts.batches);
        psy_counter_set(&row->merges, counts.merges);
        psy_counter_set(&row->copied_bytes, counts.copied_bytes);
        psy_counter_set(&row->dropped_replies, counts.dropped_replies);
        psy_counter_set(&row->errors, counts.errors);
        psy_counter_set(&row->batch_peak, w->measure.batch_peak);
        psy_counter_set(&row->uncounted, counts.uncounted);
        psy_counter_set(&row->programs, counts.programs);
        psy_counter_set(&row->data_version, counts.data_version);
    }
    for (uint32_t i = 0; w->measure.residents && i < w->dataset_count; i++) {
        psy_resident_counters *resident = w->measure.residents[i];
        if (resident) {
            psy_counter_set(&resident->rows, w->datasets[i].data.rows);
            psy_counter_set(&resident->bytes, w->datasets[i].data.rows * w->datasets[i].data.row_bytes);
        }
    }
}

void psy__measure_worker_residents(psy_worker *w)
{
    static const uint64_t zero_key[2] = {0, 0};
    if (!w->counting.counters || w->measure.residents) {
        return;
    }
    w->measure.residents = calloc(w->dataset_count + 1, sizeof *w->measure.residents);
    for (uint32_t i = 0; w->measure.residents && i < w->dataset_count; i++) {
        const char *name = w->datasets[i].name;
        const uint64_t id = psy__thing_id(w->gather_slab, psy__siphash(zero_key, name, strlen(name)));
        w->measure.residents[i] = begin(&w->counting, PSY_COUNTERS_OF_RESIDENT, id, w->place, name);
    }
}

void psy__measure_worker_end(psy_worker *w)
{
    for (uint32_t i = 0; w->measure.residents && i < w->dataset_count; i++) {
        end(&w->counting, w->measure.residents[i]);
    }
    free(w->measure.residents);
    end(&w->counting, w->measure.row);
    end(&w->counting, w->measure.batches);
    w->measure = (psy__worker_measure){0};
}
