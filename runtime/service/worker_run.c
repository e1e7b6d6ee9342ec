/* SPDX-License-Identifier: Apache-2.0 */
/* One batch: the shard program over the frames where they lie, reports, merges, replies. */
#include <string.h>

#include "base/clock.h"
#include "service/worker_state.h"

/* The ticket is closed: the broker may free it. The ring has room for every ticket. */
static void finish(psy_worker *w, const psy__job *job, psy_status status)
{
    uint32_t got;
    uint64_t *entry = psy_ring_claim(&w->finished, 1, &got);
    if (entry) {
        atomic_store_explicit(&psy__ticket_at(&w->gather, job->ticket)->ended_ns, w->ended_ns, memory_order_relaxed);
        *entry = psy__finish_entry(job->generation, job->ticket, (uint8_t)status);
        psy_ring_commit(&w->finished, 1);
    }
}

/* Takes the client's slot for the reply; NULL when nobody wants it any more. */
static psy__patron *begin_reply(psy_worker *w, const psy__job *job)
{
    psy__patron *patron = psy__worker_patron(w, job->channel, job->epoch);
    if (!patron || job->slot >= patron->responses.slots ||
        !psy__reply_begin(&patron->responses, job->slot, job->slot_generation, w->holder.shard)) {
        w->counts.dropped_replies++;
        psy__worker_trace_dropped(w, job);
        return NULL;
    }
    return patron;
}

static void end_reply(psy_worker *w, psy__patron *patron, const psy__job *job, psy_status status, uint32_t bytes)
{
    if (!psy__reply_end(&patron->responses, &patron->completions, job->slot, job->slot_generation, w->holder.shard, status,
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

/* Runs an executable; a run that fails as a whole fails each of its messages. */
static void run(psy_worker *w, psy__executable *x, uint32_t count, bool with_partials)
{
    psy__batch batch = {.count = count,
                        .inputs = w->inputs,
                        .input_spans = count,
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
static psy_status shards_status(const psy__ticket *ticket, uint32_t shards)
{
    for (uint32_t s = 0; s < shards; s++) {
        uint8_t status = atomic_load_explicit(&ticket->status[s], memory_order_relaxed);
        if ((ticket->expected >> s & 1) && status != PSY_OK) {
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
        psy__patron *patron = begin_reply(w, &job);
        psy_status status = shards_status(psy__ticket_at(&w->gather, job.ticket), w->holder.shards);
        if (patron && status == PSY_OK) {
            w->inputs[n] = (psy__span){job.payload, 0, 1};
            w->partials[n] = (psy__span){psy__partial_at(&w->gather, job.ticket, 0), 0, 1};
            w->outputs[n] = (psy__span){psy__reply_payload(&patron->responses, job.slot), 0, 1};
            w->owners[n] = patron;
            w->merges[n++] = job;
            continue;
        }
        if (patron) {
            end_reply(w, patron, &job, status, 0);
        }
        finish(w, &job, status);
    }
    if (n == 0) {
        return;
    }
    const bool traced = psy__jobs_traced(w->merges, n);
    const uint64_t start_ns = traced ? psy__now_ns() : 0;
    run(w, lane->merge, n, true); /* there is a lane: nobody complained */
    if (traced) {
        psy__worker_trace_merges(w, w->merges, n, psy__now_ns() - start_ns);
    }
    w->ended_ns = psy__now_ns();
    for (uint32_t i = 0; i < n; i++) {
        end_reply(w, w->owners[i], &w->merges[i], (psy_status)w->statuses[i], reply_bytes);
        finish(w, &w->merges[i], (psy_status)w->statuses[i]);
    }
    w->counts.merges += n;
}

void psy__worker_run_batch(psy_worker *w, uint32_t count)
{
    psy__worker_program *program = w->jobs[0].program;
    const psy__module *m = &program->module->decoded;
    const psy_psm_pipeline *pipeline = &m->pipelines[w->jobs[0].pipeline];
    psy_status why;
    const psy__lane *lane = psy__worker_lane(w, program, &w->jobs[0].shape, &why);
    bool all = pipeline->route == PSY_ROUTE_ALL;
    uint32_t reply_bytes = m->types[pipeline->output_type].bytes;
    for (uint32_t i = 0; i < count; i++) {
        const psy__job *job = &w->jobs[i];
        w->inputs[i] = (psy__span){job->payload, 0, 1};
        if (all) {
            w->outputs[i] = (psy__span){psy__partial_at(&w->gather, job->ticket, w->holder.shard), 0, 1};
        } else {
            w->owners[i] = begin_reply(w, job);
            w->outputs[i] = (psy__span){
                w->owners[i] ? psy__reply_payload(&w->owners[i]->responses, job->slot) : scratch(w, i, w->reply_bytes), 0, 1};
        }
    }
    const bool traced = psy__jobs_traced(w->jobs, count);
    const uint64_t start_ns = traced ? psy__now_ns() : 0;
    if (lane) {
        run(w, lane->shard, count, false);
    } else {
        memset(w->statuses, (int)why, count);
    }
    if (traced) {
        psy__worker_trace_runs(w, w->jobs, count, lane ? lane->shard->engine : w->engine, psy__now_ns() - start_ns);
    }
    w->ended_ns = psy__now_ns();
    w->counts.requests += count;
    w->counts.batches++;
    psy__measure_batch(&w->measure, count);
    uint32_t merges = 0;
    for (uint32_t i = 0; i < count; i++) {
        const psy__job *job = &w->jobs[i];
        psy__ticket *ticket = psy__ticket_at(&w->gather, job->ticket);
        if (!all && w->owners[i]) {
            end_reply(w, w->owners[i], job, (psy_status)w->statuses[i], reply_bytes);
        }
        if (!psy__ticket_report(ticket, job->generation, w->holder.shard, w->statuses[i])) {
            continue;
        }
        bool ours = psy__ticket_close(ticket, job->generation, w->holder.shard);
        if (all && ours) {
            w->merges[merges++] = *job;
        } else {
            finish(w, job, (psy_status)w->statuses[i]);
        }
    }
    if (merges) {
        merge(w, lane, reply_bytes, merges);
    }
}

void psy__worker_flush(psy_worker *w)
{
    for (uint32_t i = 0; i < w->patron_count; i++) {
        psy__patron *patron = w->patrons[i];
        if (patron && patron->completed) {
            patron->completed = false;
            psy_ring_flush(&patron->completions);
            psy__ring_wake_bell(&patron->completions, &patron->bell);
        }
    }
    psy_ring_flush(&w->finished);
    psy__ring_wake_bell(&w->finished, &w->bell);
}
