/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/worker.h>

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/idle.h"
#include "service/worker_state.h"

enum { MAX_BATCH_DEFAULT = 64, MAX_BATCH = PSY_BATCH_MAX };
static const uint64_t tick_ns = 1000000, sleep_ns_max = 20000000, sleep_ns_min = 100000,
                      connect_timeout_default_ns = 10000000000;

static bool prefers_vulkan(const psy_worker *w)
{
    bool any = false;
    for (uint32_t k = 0; k < w->program_top; k++) {
        const psy__module *m = w->programs[k] ? &w->programs[k]->module->decoded : NULL;
        for (uint32_t i = 0; m && i < m->pipeline_count; i++) {
            any = any || m->pipelines[i].engine == PSY_PREFER_VULKAN;
        }
    }
    return any;
}

static psy_status open_engines(psy_worker *w, const psy_worker_options *o)
{
    psy__engine_options options = {.device = o->device,
                                   .max_batch = w->max_batch,
                                   .validate = o->validate != 0,
                                   .tracer = o->tracer,
                                   .limits = {.arena_bytes = o->arena_bytes}};
    w->told_engine = o->engine != NULL;
    const char *name = o->engine ? o->engine : prefers_vulkan(w) ? "vulkan" : "cpu";
    psy_status status = psy__engine_open(name, &options, &w->engine);
    if (status != PSY_OK && !w->told_engine) { /* it was a wish */
        status = psy__engine_open("cpu", &options, &w->engine);
    }
    if (status == PSY_OK && w->engine->interface != &psy__engine_cpu) {
        status = psy__engine_open("cpu", &options, &w->cpu);
    } else {
        w->cpu = w->engine;
    }
    if (status == PSY_OK) {
        snprintf(w->description, sizeof w->description, "shard %u of %u: %s, %s", w->holder.shard, w->holder.shards,
                 w->engine->interface->name, w->engine->interface->describe(w->engine));
    }
    return status;
}

/* The service's memory, as the broker hands it out. */
static psy_status take_slabs(psy_worker *w, const psy__hired *said, int fds[2])
{
    uint64_t ring_bytes = psy_ring_bytes(said->ring_stride, said->ring_slots);
    uint64_t finish_bytes = psy_ring_bytes(sizeof(psy__finished), said->ring_slots * 2);
    psy_status status = psy_slab_adopt(fds[0], UINT64_C(1) << 40, &w->ring_slab);
    fds[0] = -1;
    if (status == PSY_OK) {
        status = psy_slab_adopt(fds[1], UINT64_C(1) << 40, &w->gather_slab);
        fds[1] = -1;
    }
    if (status != PSY_OK) {
        return status;
    }
    if (psy_slab_data_bytes(w->ring_slab) < ring_bytes + finish_bytes ||
        psy_slab_data_bytes(w->gather_slab) < psy__gather_bytes(said->tickets, said->places, said->partial_bytes)) {
        return psy_fail(PSY_PROTOCOL, "the service's slabs are smaller than it says");
    }
    uint8_t *data = psy_slab_data(w->ring_slab);
    status = psy_ring_attach(&w->requests, PSY_RING_CONSUMER, data, ring_bytes, said->ring_stride, said->ring_slots);
    if (status == PSY_OK) {
        status = psy_ring_attach(&w->finished, PSY_RING_PRODUCER, data + ring_bytes, finish_bytes, sizeof(psy__finished),
                                 said->ring_slots * 2);
    }
    /* The broker must not take a ticket for done before the client can see its reply: if this worker dies between the two, the
     * broker ends the call in its place. So nothing is published but by psy__worker_flush, in that order. */
    w->finished.defer = UINT32_MAX;
    if (status == PSY_OK) {
        psy__counting_begin(&w->counting, &w->requests, w->ring_slab, "shard %u requests", said->place);
        psy__counting_begin(&w->counting, &w->finished, w->ring_slab, "shard %u finished", said->place);
    }
    w->gather = (psy__gather){psy_slab_data(w->gather_slab), said->tickets, said->places, said->partial_bytes};
    psy__measure_worker_begin(w);
    return status;
}

static bool makes_sense(const psy__hired *said, uint32_t shard)
{
    return said->shard == shard && said->shards != 0 && said->shards <= said->places && said->places <= PSY_SHARDS_MAX &&
           said->shard < said->shards && said->place < said->places && said->ring_stride > PSY_FRAME_PAYLOAD &&
           said->ring_stride <= UINT32_C(1) << 30 && said->ring_slots != 0 && said->ring_slots <= (UINT32_C(1) << 21) &&
           said->tickets != 0 && said->tickets <= said->ring_slots / 2 && said->reply_stride != 0 &&
           said->reply_stride <= UINT32_C(1) << 30 && said->partial_bytes <= UINT32_MAX;
}

/* Every program that the service has. */
static psy_status take_programs(psy_worker *w, const psy__patience *patience)
{
    psy_status status = PSY_OK;
    bool engaged = false;
    while (status == PSY_OK && !engaged) {
        psy__control control;
        psy__engaged said;
        status = psy__await_any(w->link, &control, NULL, patience);
        if (status != PSY_OK) {
            return status;
        }
        if (psy__heard_what(&control) == PSY_SAY_PAYLOADS) {
            status = psy__worker_take_payloads(w, &control);
        } else if (psy__heard_what(&control) == PSY_SAY_PROGRAM) {
            psy__worker_hear_program(w, &control);
            status = w->dead ? psy_fail(w->end, "%s", w->end_text) : PSY_OK;
        } else if (psy__heard_what(&control) == PSY_SAY_EDIT_STAGE) {
            status = psy__worker_hear_edit(w, &control);
        } else {
            status = psy__heard(&control, PSY_SAY_ENGAGED, &said, sizeof said, 0);
            engaged = status == PSY_OK;
            w->service_version = engaged ? said.data_version : 0;
            w->equal_version = engaged ? said.equal_version : 0;
        }
        psy__close_fds(control.fds, control.fd_count);
    }
    return status == PSY_OK ? psy__worker_settle_arrivals(w) : status;
}

static psy_status join(psy_worker *w, const psy_worker_options *o, uint64_t module_hash)
{
    const psy__patience patience = {o->agent, psy__add_ns(psy__now_ns(), w->connect_timeout_ns)};
    psy_status status = psy__call_up(o->uri, &patience, &w->link);
    if (status != PSY_OK) {
        return status;
    }
    psy__hello hello = {.role = PSY_ROLE_WORKER, .shard = o->shard, .module_hash = module_hash};
    status = psy__introduce(w->link, &hello);
    psy__hired said;
    int fds[2] = {-1, -1};
    if (status == PSY_OK) {
        status = psy__await(w->link, PSY_SAY_HIRED, &said, sizeof said, fds, 2, &patience);
    }
    if (status != PSY_OK) {
        return status;
    }
    if (!makes_sense(&said, o->shard)) {
        psy__close_fds(fds, 2);
        return psy_fail(PSY_PROTOCOL, "the service's geometry makes no sense");
    }
    w->holder = (psy__holder){.shard = said.shard, .shards = said.shards};
    w->place = said.place;
    w->places = said.places;
    w->moves = said.moves != 0;
    memcpy(w->holder.route_salt, said.route_salt, sizeof w->holder.route_salt);
    w->max_batch = w->max_batch < said.tickets ? w->max_batch : said.tickets; /* frames not yet given back: see broker.c */
    w->reply_bytes = said.reply_stride;
    status = take_slabs(w, &said, fds);
    psy__close_fds(fds, 2);
    return status == PSY_OK ? take_programs(w, &patience) : status;
}

static psy_status make_tables(psy_worker *w)
{
    size_t batch = w->max_batch;
    w->inputs = calloc(batch, sizeof *w->inputs);
    w->outputs = calloc(batch, sizeof *w->outputs);
    w->partials = calloc(batch, sizeof *w->partials);
    w->owners = calloc(batch, sizeof *w->owners);
    w->merges = calloc(batch, sizeof *w->merges);
    w->waiting = calloc(batch, sizeof *w->waiting);
    w->jobs = calloc(batch, sizeof *w->jobs);
    w->statuses = calloc(batch, 1);
    if (!w->inputs || !w->outputs || !w->partials || !w->owners || !w->merges || !w->waiting || !w->jobs || !w->statuses) {
        return psy_fail(PSY_NO_MEMORY, "no memory for batches of %u", w->max_batch);
    }
    psy_slab_options options = {.bytes = (uint64_t)w->max_batch * w->reply_bytes, .name = "psyne-scratch"};
    return psy_slab_create(&options, &w->scratch_slab);
}

/* The modules that it need not be sent. Returns the hash of the first one; 0: it has none. */
static psy_status hold_modules(psy_worker *w, const psy_worker_options *o, uint64_t *first)
{
    w->held = calloc(o->program_count + 1u, sizeof *w->held);
    if (!w->held) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u programs", o->program_count);
    }
    if (o->module) {
        w->held[w->held_count++] = psy__module_hold(o->module);
    }
    for (uint32_t i = 0; i < o->program_count; i++) {
        if (!o->programs[i].module) {
            return psy_fail(PSY_INVALID, "psy_worker_create: program %u has no module", i);
        }
        w->held[w->held_count++] = psy__module_hold(o->programs[i].module);
    }
    *first = w->held_count ? psy_module_hash(w->held[0]) : 0;
    return PSY_OK;
}

static psy_status attach_slabs(psy_worker *w)
{
    psy_slab *slabs[4] = {w->ring_slab, w->gather_slab, w->scratch_slab, w->payload_slab};
    psy_status status = PSY_OK;
    for (unsigned i = 0; status == PSY_OK && i < 4 && slabs[i]; i++) {
        status = w->engine->interface->attach(w->engine, psy_slab_base(slabs[i]), psy_slab_bytes(slabs[i]));
    }
    return status;
}

psy_status psy_worker_create(const psy_worker_options *o, psy_worker **out)
{
    if (!o || !out || !o->uri || o->max_batch > MAX_BATCH || o->program_count > PSY_PROGRAMS_MAX ||
        (o->program_count && !o->programs)) {
        return psy_fail(PSY_INVALID, "psy_worker_create: uri is needed; max_batch is at most %d, and programs %d", MAX_BATCH,
                        PSY_PROGRAMS_MAX);
    }
    psy_worker *w = calloc(1, sizeof *w);
    if (!w) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a worker");
    }
    uint64_t first = 0;
    psy__counting_init(&w->counting, o->counters, o->uri);
    w->max_wait_ns = o->max_wait_ns;
    w->events.log = o->log;
    w->data_version = 1;
    w->watch = (psy__watch){o->progress, o->progress_context};
    w->payload_fd = -1;
    w->max_batch = o->max_batch ? o->max_batch : MAX_BATCH_DEFAULT;
    w->connect_timeout_ns = o->connect_timeout_ns ? o->connect_timeout_ns : connect_timeout_default_ns;
    psy_status status = hold_modules(w, o, &first);
    if (status == PSY_OK) {
        status = join(w, o, first);
    }
    if (status == PSY_OK) {
        status = psy_bell_open(&w->doorbell);
    }
    if (status == PSY_OK) {
        status = make_tables(w);
    }
    if (status == PSY_OK) {
        status = open_engines(w, o);
    }
    if (status == PSY_OK) {
        status = psy__worker_map_payloads(w);
    }
    if (status == PSY_OK) {
        status = attach_slabs(w);
    }
    if (status == PSY_OK && w->moves) {
        status = psy__worker_move_begin(w);
    }
    if (status != PSY_OK) {
        psy_worker_destroy(w);
        return status;
    }
    *out = w;
    return PSY_OK;
}

/* Whether the broker closed the link while it was being told: what was told of the programs contradicts another shard. */
static bool was_refused(psy_worker *w)
{
    psy__worker_links(w);
    return w->dead && w->end != PSY_OK;
}

psy_status psy_worker_start(psy_worker *w)
{
    if (!w || w->started) {
        return psy_fail(PSY_INVALID, "psy_worker_start: %s", w ? "started already" : "a null argument");
    }
    if (w->moves) { /* psy_worker_do_work does the rest, when its rows have come */
        w->started = true;
        return PSY_OK;
    }
    psy__worker_links(w); /* programs that have come since, or are gone */
    psy_status status = psy__worker_settle_arrivals(w);
    status = status == PSY_OK ? psy__worker_check_parts(w) : status;
    status = status == PSY_OK ? psy__worker_catch_up(w) : status;
    status = status == PSY_OK ? psy__worker_bind_all(w) : status;
    if (status != PSY_OK) {
        return status;
    }
    status = psy__worker_report_all(w);
    if (status != PSY_OK && was_refused(w)) {
        status = PSY_OK; /* psy_worker_run says why */
    }
    w->started = status == PSY_OK;
    if (!w->started) {
        psy__worker_unbind_all(w);
    } else {
        psy__worker_is_ready(w);
    }
    return status;
}

/* A frame, whose words are read once: from here on only the copy counts. `before` is of the frame before it, NULL for the
 * first: what says the same as that one needs no check of its own. False: it names what is not there. */
static inline bool read_job(const psy_worker *w, uint8_t *frame, const psy__job *before, psy__job *out)
{
    const volatile psy__hop *hop = (const volatile psy__hop *)frame;
    const volatile psy_envelope *e = (const volatile psy_envelope *)(frame + PSY_FRAME_ENVELOPE);
    const uint32_t place = hop->place, number = hop->program, pipeline = hop->pipeline;
    out->ticket = hop->ticket;
    if (out->ticket >= w->gather.tickets) {
        return false;
    }
    if (before && before->place == place && before->program->number == number && before->pipeline == pipeline) {
        out->program = before->program;
        out->shaped = before->shaped;
    } else {
        psy__worker_program *program = place < w->program_top ? w->programs[place] : NULL;
        if (!program || program->number != number) {
            return false;
        }
        const psy__module *m = &program->module->decoded;
        if (pipeline >= m->pipeline_count || m->pipelines[pipeline].alternatives == 0) {
            return false;
        }
        out->program = program;
        out->shaped = m->pipelines[pipeline].guard_count != 0;
    }
    const uint32_t reference = hop->reference;
    out->referenced = reference != 0;
    if (reference > w->payload_slots) {
        return false;
    }
    out->place = place;
    out->payload = reference ? w->payloads + (uint64_t)(reference - 1) * w->payload_stride : frame + PSY_FRAME_PAYLOAD;
    out->generation = hop->generation;
    out->channel = hop->channel;
    out->epoch = hop->epoch;
    out->pipeline = out->shape.pipeline = pipeline;
    out->slot = e->slot;
    out->slot_generation = e->generation;
    out->request = e->request;
    out->traced = (e->flags & PSY_FLAG_TRACE) != 0;
    if (out->shaped) {
        psy__worker_shape(out->program, out->pipeline, out->payload, &out->shape);
    }
    return true;
}

static inline bool same_kind(const psy__job *a, const psy__job *b)
{
    return a->program == b->program && a->pipeline == b->pipeline && a->shape.pipeline == b->shape.pipeline &&
           (!a->shaped || memcmp(&a->shape, &b->shape, sizeof a->shape) == 0);
}

/* Takes one run's jobs out of those that wait, in their order. Returns how many; *left is what then waits. */
static uint32_t sort_out(psy_worker *w, uint32_t *left)
{
    uint32_t count = 0, rest = 0;
    const psy__job first = w->waiting[0];
    uint32_t most = psy__worker_most(w, &first);
    for (uint32_t i = 0; i < *left; i++) {
        if (count < most && same_kind(&w->waiting[i], &first)) {
            w->jobs[count++] = w->waiting[i];
        } else {
            w->waiting[rest++] = w->waiting[i];
        }
    }
    *left = rest;
    return count;
}

/* Whether what waits is to wait for more: it is less than a run, and has not waited long enough. */
static bool holds_back(psy_worker *w, uint64_t now, uint32_t got)
{
    uint64_t fill = psy_ring_fill(&w->requests);
    if (w->max_wait_ns == 0 || fill >= w->max_batch) {
        w->held_since_ns = 0;
        return false;
    }
    w->held_since_ns = w->held_since_ns ? w->held_since_ns : now;
    bool holds = now - w->held_since_ns < w->max_wait_ns;
    w->held_since_ns = holds || fill > got ? w->held_since_ns : 0; /* those behind the ring's end have waited as long */
    return holds;
}

/* What waits in the ring, sorted by pipeline and shape: one run for each. */
static uint32_t run_waiting(psy_worker *w, uint64_t now)
{
    uint32_t got = 0, left = 0;
    uint8_t *at = psy_ring_peek(&w->requests, w->max_batch, &got);
    got = psy__worker_one_version(w, at, at ? got : 0);
    if (!at || holds_back(w, now, got)) {
        return 0;
    }
    bool same = true;
    for (uint32_t i = 0; i < got; i++) {
        psy__job *job = &w->waiting[left];
        if (read_job(w, at + (uint64_t)i * w->requests.stride, left ? job - 1 : NULL, job)) {
            same = same && same_kind(job, &w->waiting[0]);
            left++;
        }
    }
    if (left > 0 && same && left <= psy__worker_most(w, &w->waiting[0])) {
        psy__worker_run_batch(w, w->waiting, left);
        left = 0;
    }
    while (left > 0) {
        uint32_t count = sort_out(w, &left);
        psy__worker_run_batch(w, w->jobs, count);
    }
    psy_ring_release(&w->requests, got);
    psy_ring_settle(&w->requests);
    psy__worker_flush(w);
    return got;
}

uint32_t psy_worker_do_work(psy_worker *w)
{
    uint64_t now = psy__now_ns();
    if (now >= w->tick_due_ns) {
        w->tick_due_ns = now + tick_ns;
        psy__worker_links(w);
        psy__measure_worker(w);
        psy__counting_beat(&w->counting);
        psy__worker_tick(w, now);
    }
    psy__worker_sweep(w);
    psy__worker_sweep_programs(w);
    if (w->dead || !w->started) {
        return 0;
    }
    if (w->move) {
        return psy__worker_move_step(w);
    }
    uint32_t n = run_waiting(w, now);
    return n + psy__worker_stage(w) + psy__worker_edit_step(w) + psy__worker_snapshot_step(w) + psy__worker_export_step(w);
}

void psy_worker_wait(psy_worker *w, uint64_t timeout_ns)
{
    bool idle;
    if (w->held_since_ns) { /* what waits is run in time, or when there is enough of it: the broker rings for each */
        uint64_t waited_ns = psy__now_ns() - w->held_since_ns;
        uint64_t left_ns = waited_ns < w->max_wait_ns ? w->max_wait_ns - waited_ns : 0;
        if (left_ns < sleep_ns_min) {
            (void)sched_yield();
            return;
        }
        timeout_ns = timeout_ns < left_ns ? timeout_ns : left_ns;
        (void)psy_ring_sleep_begin(&w->requests);
        idle = psy_ring_fill(&w->requests) < w->max_batch;
    } else {
        idle = psy_ring_sleep_begin(&w->requests);
    }
    if (idle && !atomic_load_explicit(&w->stop, memory_order_acquire)) {
        struct pollfd p[3] = {{.fd = psy_bell_fd(&w->bell), .events = POLLIN},
                              {.fd = psy__link_fd(w->link), .events = POLLIN},
                              {.fd = psy_bell_fd(&w->doorbell), .events = POLLIN}};
        struct timespec t = {0, (long)(timeout_ns < sleep_ns_max ? timeout_ns : sleep_ns_max)};
        (void)ppoll(p, 3, &t, NULL);
        psy_bell_clear(&w->doorbell);
        if (p[0].revents) {
            psy_bell_clear(&w->bell);
        }
        w->tick_due_ns = 0;
    }
    psy_ring_sleep_end(&w->requests);
}

psy_status psy_worker_status(const psy_worker *w)
{
    return !w->dead ? PSY_OK : w->end ? psy_fail(w->end, "%s", w->end_text) : psy_fail(PSY_PEER_DIED, "the broker is gone");
}

psy_status psy_worker_run(psy_worker *w)
{
    if (!w || !w->started) {
        return psy_fail(PSY_INVALID, "psy_worker_run: the worker was not started");
    }
    psy__idle idle = {0};
    while (!atomic_load_explicit(&w->stop, memory_order_acquire)) {
        if (psy_worker_do_work(w)) {
            psy__idle_end(&idle);
        } else if (w->dead && w->leaving && w->end == PSY_OK) {
            return PSY_OK;
        } else if (w->dead) {
            return psy_worker_status(w);
        } else if (!psy__idle_wait(&idle)) {
            psy_worker_wait(w, sleep_ns_max);
        }
    }
    return PSY_OK;
}

void psy_worker_stop(psy_worker *w)
{
    atomic_store_explicit(&w->stop, true, memory_order_release);
    psy_bell_ring(&w->doorbell);
}

void psy_worker_destroy(psy_worker *w)
{
    if (!w) {
        return;
    }
    psy__worker_drop_snapshot(w); /* nothing is written any more when the broker sees that it is gone */
    if (w->link) {
        psy__link_close(w->link);
    }
    psy__worker_drop_patrons(w);
    psy__counting_end(&w->counting, &w->requests);
    psy__counting_end(&w->counting, &w->finished);
    psy__measure_worker_end(w);
    psy__worker_drop_programs(w);
    psy__worker_drop_edits(w);
    psy__worker_drop_moves(w);
    psy__worker_unload(w);
    psy_slab *slabs[4] = {w->ring_slab, w->gather_slab, w->scratch_slab, w->payload_slab};
    if (w->payload_fd >= 0) {
        close(w->payload_fd);
    }
    for (unsigned i = 0; i < 4; i++) {
        if (w->engine && slabs[i]) {
            w->engine->interface->detach(w->engine, psy_slab_base(slabs[i]));
        }
        psy_slab_destroy(slabs[i]);
    }
    if (w->cpu != w->engine) {
        psy__engine_close(w->cpu);
    }
    psy__engine_close(w->engine);
    psy_bell_close(&w->doorbell);
    psy_bell_close(&w->bell);
    psy_bell_close(&w->bell_theirs);
    for (uint32_t i = 0; i < w->held_count; i++) {
        psy__module_drop(w->held[i]);
    }
    void *tables[] = {w->inputs, w->outputs, w->partials, w->owners, w->merges, w->waiting, w->jobs, w->statuses, w->held};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        free(tables[i]);
    }
    free(w);
}
