/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker tells: of single requests that are traced, of its programs, that it is ready, and of its own end. */
#include "base/clock.h"
#include "service/worker_state.h"

static const uint64_t live_ns = 1000000000;

void psy__worker_trace_runs(psy_worker *w, const psy__job *jobs, uint32_t count, const psy__engine *engine, uint64_t ns)
{
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].traced) {
            PSY__TELL(&w->events, TRACE_RUN, PSY__NUMBER(jobs[i].request), PSY__NUMBER(w->holder.shard), PSY__NUMBER(count),
                      PSY__TEXT(engine->interface->name), PSY__NUMBER(ns),
                      PSY__TEXT(psy_status_name((psy_status)w->statuses[i])));
        }
    }
}

void psy__worker_trace_merges(psy_worker *w, const psy__job *jobs, uint32_t count, uint64_t ns)
{
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].traced) {
            PSY__TELL(&w->events, TRACE_MERGED, PSY__NUMBER(jobs[i].request), PSY__NUMBER(w->holder.shard), PSY__NUMBER(count),
                      PSY__NUMBER(ns), PSY__TEXT(psy_status_name((psy_status)w->statuses[i])));
        }
    }
}

void psy__worker_trace_answer(psy_worker *w, const psy__job *job, psy_status status, uint32_t bytes)
{
    PSY__TELL(&w->events, TRACE_ANSWERED, PSY__NUMBER(job->request), PSY__NUMBER(w->holder.shard), PSY__NUMBER(bytes),
              PSY__TEXT(psy_status_name(status)));
}

void psy__worker_trace_dropped(psy_worker *w, const psy__job *job)
{
    if (job->traced) {
        PSY__TELL(&w->events, TRACE_FAILED, PSY__NUMBER(job->request),
                  PSY__TEXT("client: it has gone, or has given up waiting"), PSY__TEXT(psy_status_name(PSY_TIMEOUT)));
    }
}

/* ---- coming and going ---- */

/* What has not been told yet. FULL: there is more. */
static psy_status report_on(psy_worker *w)
{
    psy_status status = PSY_OK;
    while (status == PSY_OK && w->refused) {
        psy__worker_program *p = w->refused;
        status = psy__worker_program_report(w, p, psy_fail(p->why, "%s", p->why_text));
        if (status == PSY_OK) {
            w->refused = p->next;
            psy__worker_program_close(p);
        }
    }
    for (uint32_t i = 0; status == PSY_OK && i < w->program_top; i++) {
        psy__worker_program *p = w->programs[i];
        if (p && p->untold) {
            status = psy__worker_program_report(w, p, PSY_OK);
            p->untold = status != PSY_OK;
        }
    }
    if (status == PSY_OK && w->bell_theirs.kind != PSY_BELL_NONE) {
        psy__ready said = {.data_version = w->data_version, .series = w->series};
        int theirs = psy_bell_fd(&w->bell_theirs);
        status = psy__say(w->link, PSY_SAY_READY, &said, sizeof said, &theirs, 1);
        if (status == PSY_OK) {
            psy_bell_close(&w->bell_theirs);
        }
    }
    w->untold = status == PSY_FULL;
    return status;
}

psy_status psy__worker_report_all(psy_worker *w)
{
    psy_bell bell[2];
    psy_status status = psy_bell_open_pair(bell);
    if (status != PSY_OK) {
        return status;
    }
    w->bell = bell[0];
    w->bell_theirs = bell[1];
    for (uint32_t i = 0; i < w->program_top; i++) {
        if (w->programs[i]) {
            w->programs[i]->untold = true;
        }
    }
    status = report_on(w);
    if (status != PSY_OK && status != PSY_FULL) {
        psy_bell_close(&w->bell);
        psy_bell_close(&w->bell_theirs);
        return status;
    }
    return PSY_OK;
}

void psy_worker_drain(psy_worker *w)
{
    atomic_store_explicit(&w->drain, true, memory_order_release);
    psy_bell_ring(&w->doorbell);
}

void psy__worker_tick(psy_worker *w, uint64_t now_ns)
{
    psy__events_tick(&w->events, now_ns);
    atomic_store_explicit(&w->beat_ns, now_ns, memory_order_relaxed);
    if (w->started && !w->dead && w->untold) {
        psy_status status = report_on(w);
        w->dead = status != PSY_OK && status != PSY_FULL && status != PSY_PEER_DIED; /* the broker would wait for ever */
    }
    if (w->started && !w->dead && !w->leaving && atomic_load_explicit(&w->drain, memory_order_acquire)) {
        psy__leaving said = {.said = {0}};
        /* A link that is full: again at the next tick. */
        w->leaving = psy__say(w->link, PSY_SAY_LEAVING, &said, sizeof said, NULL, 0) == PSY_OK;
    }
}

void psy__worker_lost(psy_worker *w)
{
    if (w->leaving && w->end == PSY_OK) {
        return; /* as agreed */
    }
    psy_status status = w->end ? w->end : PSY_PEER_DIED;
    PSY__TELL(&w->events, SERVICE_LOST, PSY__NUMBER(w->holder.shard), PSY__TEXT(psy_status_name(status)),
              PSY__TEXT(w->end ? w->end_text : "the broker closed the connection"));
}

void psy_worker_get_health(const psy_worker *w, psy_worker_health *out)
{
    uint64_t beat_ns = atomic_load_explicit(&w->beat_ns, memory_order_relaxed);
    bool draining = atomic_load_explicit(&w->drain, memory_order_relaxed);
    *out = (psy_worker_health){.live = beat_ns != 0 && psy__now_ns() < beat_ns + live_ns,
                               .ready = w->started && !w->move && !w->dead && !draining,
                               .draining = draining,
                               .gone = w->dead,
                               .beat_ns = beat_ns};
}

/* ---- what it is ---- */

const char *psy_worker_describe(const psy_worker *w) { return w->description; }

void psy_worker_get_counts(const psy_worker *w, psy_worker_counts *out)
{
    *out = w->counts;
    out->uncounted = w->counting.uncounted;
    out->programs = 0;
    for (uint32_t i = 0; i < w->program_top; i++) {
        out->programs += w->programs[i] != NULL;
    }
    out->data_version = w->data_version;
    out->copied_bytes = w->engine->interface->copied_bytes(w->engine);
}

void psy__worker_is_ready(psy_worker *w)
{
    psy__measure_worker_residents(w);
    PSY__TELL(&w->events, WORKER_STARTED, PSY__NUMBER(w->holder.shard), PSY__NUMBER(w->holder.shards),
              PSY__TEXT(w->description));
}
