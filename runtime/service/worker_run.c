/* SPDX-License-Identifier: Apache-2.0 */
/* One batch: the shard program over the frames where they lie, reports, merges, replies. */
#include <string.h>

#include "base/clock.h"
#include "service/worker_state.h"

/* These tickets are nobody's any more: the broker may free them. The ring has room for every ticket. */
static void finish(psy_worker *w, const psy__job *jobs, const uint8_t *statuses, uint32_t count)
{
    uint32_t got;
    psy__finished *entries;
    while (count > 0 && (entries = psy_ring_claim(&w->finished, count, &got)) != NULL) {
        for (uint32_t i = 0; i < got; i++) {
            entries[i] = (psy__finished){jobs[i].ticket, jobs[i].generation, psy__finished_pack(statuses[i], w->ended_ns)};
        }
        psy_ring_commit(&w->finished, got);
        jobs += got;
        statuses += got;
        count -= got;
    }
}

/* The client of a job, if it has the slot that the job names. */
static inline psy__patron *patron_of(psy_worker *w, const psy__job *job)
{
    psy__patron *patron = job->channel < PSY_PATRONS_MAX ? w->patrons[job->channel] : NULL;
    if (!patron || patron->epoch != job->epoch) {
        patron = psy__worker_patron(w, job->channel, job->epoch);
    }
    return patron && job->slot < patron->responses.slots ? patron : NULL;
}

/* Takes the client's slot for the reply; NULL when nobody wants it any more. */
static inline __attribute__((always_inline)) psy__patron *begin_reply(psy_worker *w, psy__patron *patron, const psy__job *job)
{
    if (!patron || !psy__reply_begin(&patron->responses, job->slot, job->slot_generation, w->place)) {
        w->counts.dropped_replies++;
        psy__worker_trace_dropped(w, job);
        return NULL;
    }
    return patron;
}

static inline __attribute__((always_inline)) void end_reply(psy_worker *w, psy__patron *patron, const psy__job *job,
                                                            psy_status status, uint32_t bytes)
{
    if (!psy__reply_end(&patron->responses, &patron->completions, job->slot, job->slot_generation, w->place, status,
                        status == PSY_OK ? bytes : 0, job->request)) {
        w->counts.dropped_replies++;
    }
    w->counts.errors += status != PSY_OK;
    patron->completed = true;
    if (job->traced) {
        psy__worker_trace_answer(w, job, status, status == PSY_OK ? bytes : 0);
    }
}

static uint8_t *scratch(psy_worker *w, uint32_t index, uint32_t stride)
{
    return (uint8_t *)psy_slab_data(w->scratch_slab) + (uint64_t)index * stride;
}

/* The requests of jobs as they lie in the ring, or among the payloads: those that follow one another are one span. Returns how
 * many spans. */
static uint32_t take_inputs(psy_worker *w, const psy__job *jobs, uint32_t count)
{
    uint32_t spans = 0;
    const uint8_t *next = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t stride = jobs[i].referenced ? w->payload_stride : w->requests.stride;
        if (jobs[i].payload == next) {
            w->inputs[spans - 1].count++;
        } else {
            w->inputs[spans++] = (psy__span){jobs[i].payload, stride, 1};
        }
        next = jobs[i].payload + stride;
    }
    return spans;
}

/* Runs an executable; a run that fails as a whole fails each of its messages. */
static void run(psy_worker *w, psy__executable *x, uint32_t count, uint32_t input_spans, bool with_partials)
{
    psy__batch batch = {.count = count,
                        .inputs = w->inputs,
                        .input_spans = input_spans,
                        .outputs = w->outputs,
                        .output_spans = count,
                        .partials = with_partials ? w->partials : NULL,
                        .partial_spans = with_partials ? count : 0,
                        .status = w->statuses};
    psy_status status = x->engine->interface->run(x, &batch);
    if (status != PSY_OK) {
        memset(w->statuses, (int)status, count);
    }
}

/* The first shard's complaint, or OK. */
static psy_status shards_status(const psy__ticket *ticket)
{
    for (uint64_t rest = ticket->expected; rest; rest &= rest - 1) {
        uint8_t status = atomic_load_explicit(&ticket->status[__builtin_ctzll(rest)], memory_order_relaxed);
        if (status != PSY_OK) {
            return (psy_status)status;
        }
    }
    return PSY_OK;
}

/* Merges and answers the requests of which this was the last shard. */
static void merge(psy_worker *w, const psy__lane *lane, uint32_t reply_bytes, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        psy__job job = w->merges[i];
        psy__patron *patron = begin_reply(w, patron_of(w, &job), &job);
        psy_status status = shards_status(psy__ticket_at(&w->gather, job.ticket));
        if (patron && status == PSY_OK) {
            w->partials[n] = (psy__span){psy__partial_at(&w->gather, job.ticket, 0), 0, 1};
            w->outputs[n] = (psy__span){psy__reply_payload(&patron->responses, job.slot), 0, 1};
            w->owners[n] = patron;
            w->merges[n++] = job;
            continue;
        }
        if (patron) {
            end_reply(w, patron, &job, status, 0);
        }
        const uint8_t ended = (uint8_t)status;
        finish(w, &job, &ended, 1);
    }
    if (n == 0) {
        return;
    }
    const bool traced = psy__jobs_traced(w->merges, n);
    const uint64_t start_ns = traced ? psy__now_ns() : 0;
    run(w, lane->merge, n, take_inputs(w, w->merges, n), true); /* there is a lane: nobody complained */
    w->ended_ns = psy__now_ns();
    if (traced) {
        psy__worker_trace_merges(w, w->merges, n, w->ended_ns - start_ns);
    }
    for (uint32_t i = 0; i < n; i++) {
        end_reply(w, w->owners[i], &w->merges[i], (psy_status)w->statuses[i], reply_bytes);
    }
    finish(w, w->merges, w->statuses, n);
    w->counts.merges += n;
}

/* Runs jobs whose outputs are set, or fails them all. */
static void run_lane(psy_worker *w, const psy__lane *lane, const psy__job *jobs, uint32_t count, psy_status why)
{
    const bool traced = psy__jobs_traced(jobs, count);
    const uint64_t start_ns = traced ? psy__now_ns() : 0;
    if (lane) {
        run(w, lane->shard, count, take_inputs(w, jobs, count), false);
    } else {
        memset(w->statuses, (int)why, count);
    }
    w->ended_ns = psy__now_ns();
    if (traced) {
        psy__worker_trace_runs(w, jobs, count, lane ? lane->shard->engine : w->engine, w->ended_ns - start_ns);
    }
    w->counts.requests += count;
    w->counts.batches++;
    psy__measure_batch(&w->measure, count);
}

/* Requests that go to one shard: this one answers them, where their replies are to lie. Whoever else may answer, the broker for
 * one that is late or dead, is kept out by the state of the reply's slot; the ticket in the gather slab is not touched. */
static void run_alone(psy_worker *w, const psy__job *jobs, uint32_t count, const psy__lane *lane, uint32_t reply_bytes,
                      psy_status why)
{
    psy__patron **const owners = w->owners;
    const uint8_t *const statuses = w->statuses;
    for (uint32_t i = 0; i < count; i++) {
        owners[i] = patron_of(w, &jobs[i]);
        if (owners[i]) {
            psy__reply_expect(&owners[i]->responses, jobs[i].slot);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const psy__job *job = &jobs[i];
        psy__patron *owner = owners[i] = begin_reply(w, owners[i], job);
        w->outputs[i].base = owner ? psy__reply_payload(&owner->responses, job->slot) : scratch(w, i, w->reply_bytes);
        w->outputs[i].count = 1;
    }
    run_lane(w, lane, jobs, count, why);
    for (uint32_t i = 0; i < count; i++) {
        if (owners[i]) {
            end_reply(w, owners[i], &jobs[i], (psy_status)statuses[i], reply_bytes);
        }
    }
    finish(w, jobs, statuses, count);
}

/* Requests that go to all shards: each leaves a partial record; the last one to do so merges and answers. */
static void run_among_all(psy_worker *w, const psy__job *jobs, uint32_t count, const psy__lane *lane, uint32_t reply_bytes,
                          psy_status why)
{
    for (uint32_t i = 0; i < count; i++) {
        w->outputs[i] = (psy__span){psy__partial_at(&w->gather, jobs[i].ticket, w->holder.shard), 0, 1};
    }
    run_lane(w, lane, jobs, count, why);
    uint32_t merges = 0;
    for (uint32_t i = 0; i < count; i++) {
        const psy__job *job = &jobs[i];
        psy__ticket *ticket = psy__ticket_at(&w->gather, job->ticket);
        if (!psy__ticket_report(ticket, job->generation, w->place, w->statuses[i])) {
            continue;
        }
        if (psy__ticket_close(ticket, job->generation, w->place)) {
            w->merges[merges++] = *job;
        } else {
            finish(w, job, &w->statuses[i], 1);
        }
    }
    if (merges) {
        merge(w, lane, reply_bytes, merges);
    }
}

void psy__worker_run_batch(psy_worker *w, const psy__job *jobs, uint32_t count)
{
    const psy__module *m = &jobs[0].program->module->decoded;
    const psy_psm_pipeline *pipeline = &m->pipelines[jobs[0].pipeline];
    psy_status why;
    const psy__lane *lane = psy__worker_lane(w, jobs[0].program, &jobs[0].shape, &why);
    uint32_t reply_bytes = m->types[pipeline->output_type].bytes;
    if (pipeline->route == PSY_ROUTE_ALL) {
        run_among_all(w, jobs, count, lane, reply_bytes, why);
    } else {
        run_alone(w, jobs, count, lane, reply_bytes, why);
    }
}

void psy__worker_flush(psy_worker *w)
{
    for (uint32_t i = 0; i < w->patron_count; i++) {
        if (w->patrons[i] && w->patrons[i]->completed) {
            psy_ring_flush(&w->patrons[i]->completions);
        }
    }
    psy_ring_flush(&w->finished); /* after all of those: see take_slabs */
    psy_ring_fence();
    for (uint32_t i = 0; i < w->patron_count; i++) {
        psy__patron *patron = w->patrons[i];
        if (patron && patron->completed) {
            patron->completed = false;
            psy__ring_wake_bell_fenced(&patron->completions, &patron->bell);
        }
    }
    psy__ring_wake_bell_fenced(&w->finished, &w->bell);
}
