/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: modules that the broker gives, the sizes that data binds, what the engines make of them. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/worker_state.h"

/* ---- sizes ---- */

static psy_status bind_symbol(psy__worker_program *p, psy_dim dim, uint64_t value, const char *resident)
{
    const psy__module *m = &p->module->decoded;
    if (!psy__dim_is_symbol(dim)) {
        return dim == value
                   ? PSY_OK
                   : psy_fail(PSY_INVALID, "resident %s: a size is %" PRIu64 ", the module says %u", resident, value, dim);
    }
    uint32_t symbol = psy__dim_symbol(dim);
    if (p->symbol_bound[symbol] && p->symbols[symbol] != value) {
        char text[PSY_SIZE_TEXT_ROOM];
        psy__size_text(m, dim, text, sizeof text);
        return psy_fail(PSY_INVALID, "resident %s: %s is %" PRIu64 " here and %" PRIu64 " in a resident loaded before",
                        resident, text, value, p->symbols[symbol]);
    }
    p->symbols[symbol] = value;
    p->symbol_bound[symbol] = true;
    return PSY_OK;
}

psy_status psy__worker_program_fit(psy__worker_program *p, const psy__dataset *d)
{
    static const char *const placements[] = {"replicated", "split", "by key"};
    const psy__module *m = &p->module->decoded;
    uint32_t index = psy__module_find_resident(m, d->name);
    if (index == PSY_NONE) {
        return PSY_OK;
    }
    const psy_psm_resident *r = &m->residents[index];
    if (r->dtype != d->dtype || r->rank != d->rank || r->placement != d->placement) {
        return psy_fail(PSY_INVALID, "resident %s: program %s@%u has it as %s of rank %u, %s; another has %s of rank %u, %s",
                        d->name, p->name, p->version, psy__dtype_name(r->dtype), r->rank, placements[r->placement],
                        psy__dtype_name(d->dtype), d->rank, placements[d->placement]);
    }
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < d->rank; i++) {
        status = bind_symbol(p, r->dims[i], d->dims[i], d->name);
    }
    if (status == PSY_OK && d->chosen && r->local_rows != r->dims[0]) {
        status = bind_symbol(p, r->local_rows, d->data.rows, d->name);
        p->bases[psy__dim_symbol(r->local_rows)] = d->first;
    }
    return status;
}

psy_status psy__worker_program_refit(psy_worker *w, psy__worker_program *p)
{
    size_t n = p->module->decoded.symbol_count;
    memset(p->symbols, 0, n * sizeof *p->symbols);
    memset(p->bases, 0, n * sizeof *p->bases);
    memset(p->symbol_bound, 0, n * sizeof *p->symbol_bound);
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < w->dataset_count; i++) {
        status = psy__worker_program_fit(p, &w->datasets[i]);
    }
    return status;
}

/* The resident that has the size. */
static const char *resident_of(const psy__module *m, psy_dim size)
{
    for (uint32_t i = 0; i < m->resident_count; i++) {
        for (uint32_t d = 0; d < m->residents[i].rank; d++) {
            if (m->residents[i].dims[d] == size) {
                return psy__module_string(m, m->residents[i].name);
            }
        }
    }
    return "";
}

/* Sizes that are computed of others: what was loaded has them. */
static psy_status compute_sizes(psy__worker_program *p)
{
    const psy__module *m = &p->module->decoded;
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        uint64_t value = 0;
        psy_dim size = PSY_DIM_SYMBOL | i;
        const psy_psm_symbol *s = &m->symbols[i];
        if (!psy__symbol_word(s->kind)) {
            continue;
        }
        if (psy__dim_value(s->of, p->symbols) == PSY_SIZE_UNKNOWN || psy__dim_value(s->with, p->symbols) == PSY_SIZE_UNKNOWN) {
            p->symbols[i] = PSY_SIZE_UNKNOWN; /* each message brings its own */
            continue;
        }
        psy_status status = psy__size_compute(m, i, p->symbols, &value);
        if (status == PSY_OK && p->symbol_bound[i] && p->symbols[i] != value) {
            char text[PSY_SIZE_TEXT_ROOM];
            psy__size_text(m, size, text, sizeof text);
            status = psy_fail(PSY_INVALID, "resident %s: %s is %" PRIu64 ", and it has %" PRIu64, resident_of(m, size), text,
                              value, p->symbols[i]);
        }
        if (status != PSY_OK) {
            return status;
        }
        p->symbols[i] = value;
    }
    return PSY_OK;
}

/* ---- lanes ---- */

/* Whether a client's program keeps to what it is allowed; if so, how many messages do together. */
static psy_status check_limits(const psy__worker_program *p, const uint64_t *symbols, uint32_t program, uint32_t *most)
{
    if (!p->limits.arena_bytes && !p->limits.work) {
        return PSY_OK;
    }
    psy__bound_program bound;
    psy_status status = psy__program_bind(&p->module->decoded, program, symbols, p->bases, &p->limits, &bound);
    if (status == PSY_OK) {
        uint64_t fit = p->limits.work && bound.work ? p->limits.work / bound.work : PSY_BATCH_MAX;
        fit = fit < 1 ? 1 : fit > PSY_BATCH_MAX ? PSY_BATCH_MAX : fit;
        *most = *most == 0 || fit < *most ? (uint32_t)fit : *most;
        psy__program_unbind(&bound);
    }
    return status;
}

uint32_t psy__worker_most(const psy_worker *w, const psy__job *job)
{
    const psy__worker_program *p = job->program;
    const psy__module *m = &p->module->decoded;
    uint32_t most = m->pipelines[job->pipeline].max_batch, at = job->shape.pipeline;
    most = most ? most : w->max_batch;
    if (!p->limits.work) {
        return most;
    }
    uint32_t fit =
        at == PSY_NONE || psy__pipeline_is_shaped(m, at) ? 1 : p->lanes[at].most; /* what messages bring is not known yet */
    return fit && fit < most ? fit : most;
}

/* Binds one of the module's programs on `engine`. */
static psy_status bind_on(psy_worker *w, psy__worker_program *p, psy__engine *engine, const uint64_t *symbols, uint32_t program,
                          psy__executable **out, uint32_t *most)
{
    psy__binding binding = {.module = &p->module->decoded,
                            .program = program,
                            .symbols = symbols,
                            .bases = p->bases,
                            .residents = p->residents,
                            .partial_stride = w->gather.partial_bytes};
    psy_status status = check_limits(p, symbols, program, most);
    return status == PSY_OK ? engine->interface->bind(engine, &binding, out) : status;
}

/* A shard program on the engine, or on the cpu where that lacks an operation or the program is too large for it. */
static psy_status bind_shard(psy_worker *w, psy__worker_program *p, psy__engine *engine, const uint64_t *symbols,
                             const psy_psm_pipeline *pipeline, psy__lane *out)
{
    const psy__module *m = &p->module->decoded;
    psy_status status = engine->interface->supports(engine, m, pipeline->shard_program);
    if (status == PSY_OK) {
        status = bind_on(w, p, engine, symbols, pipeline->shard_program, &out->shard, &out->most);
    }
    if (status != PSY_UNSUPPORTED || engine == w->cpu) {
        return status;
    }
    if (!w->started) { /* what comes and goes is not part of what the worker is */
        size_t n = strlen(w->description);
        snprintf(w->description + n, sizeof w->description - n, "; pipeline %s on the cpu (%s)",
                 psy__module_string(m, pipeline->name), psy_detail());
    }
    return bind_on(w, p, w->cpu, symbols, pipeline->shard_program, &out->shard, &out->most);
}

psy_status psy__worker_bind_lane(psy_worker *w, psy__worker_program *p, psy__engine *engine, uint32_t pipeline,
                                 const uint64_t *symbols, psy__lane *out)
{
    const psy__module *m = &p->module->decoded;
    const psy_psm_pipeline *at = &m->pipelines[pipeline];
    *out = (psy__lane){NULL, NULL, 0};
    /* Without a word of the operator, another engine is only there for those that asked for it. */
    bool on_cpu = at->engine == PSY_PREFER_CPU || (!w->told_engine && at->engine != PSY_PREFER_VULKAN);
    psy_status status = bind_shard(w, p, on_cpu ? w->cpu : engine, symbols, at, out);
    if (status == PSY_OK && at->route == PSY_ROUTE_ALL) {
        /* A few hundred bytes per message: the cpu merges, whatever engine the shards have. */
        status = bind_on(w, p, w->cpu, symbols, at->merge_program, &out->merge, &out->most);
    }
    if (status != PSY_OK) {
        psy__lane_unbind(out);
        status = psy_fail(status, "pipeline %s: %s", psy__module_string(m, at->name), psy_detail());
    }
    return status;
}

void psy__lane_unbind(psy__lane *lane)
{
    psy__executable *bound[2] = {lane->shard, lane->merge};
    for (int k = 0; k < 2; k++) {
        if (bound[k]) {
            bound[k]->engine->interface->unbind(bound[k]);
        }
    }
    *lane = (psy__lane){NULL, NULL, 0};
}

/* ---- a program ---- */

static const psy__dataset *find_dataset(const psy_worker *w, const char *name)
{
    for (uint32_t i = 0; i < w->dataset_count; i++) {
        if (strcmp(w->datasets[i].name, name) == 0) {
            return &w->datasets[i];
        }
    }
    return NULL;
}

psy_status psy__worker_program_bind(psy_worker *w, psy__worker_program *p)
{
    const psy__module *m = &p->module->decoded;
    psy_status status = psy__worker_program_refit(w, p);
    for (uint32_t i = 0; status == PSY_OK && i < m->resident_count; i++) {
        const char *name = psy__module_string(m, m->residents[i].name);
        const psy__dataset *data = find_dataset(w, name);
        if (!data) {
            status = psy_fail(PSY_INVALID, "resident %s was not loaded", name);
        } else {
            p->residents[i] = data->data;
        }
    }
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        uint32_t kind = m->symbols[i].kind;
        p->symbols[i] = kind == PSY_SYMBOL_SHARDS    ? w->holder.shards
                        : kind == PSY_SYMBOL_MESSAGE ? PSY_SIZE_UNKNOWN
                                                     : p->symbols[i];
    }
    status = status == PSY_OK ? compute_sizes(p) : status;
    for (uint32_t i = 0; status == PSY_OK && i < m->pipeline_count; i++) {
        if (!psy__pipeline_is_shaped(m, i)) {
            status = psy__worker_bind_lane(w, p, w->engine, i, p->symbols, &p->lanes[i]);
        }
    }
    if (status != PSY_OK) {
        psy__worker_program_unbind(p);
    }
    return status;
}

void psy__worker_program_unbind(psy__worker_program *p)
{
    for (uint32_t i = 0; p->lanes && i < p->module->decoded.pipeline_count; i++) {
        psy__lane_unbind(&p->lanes[i]);
    }
    psy__worker_drop_shapes(p);
}

void psy__worker_program_close(psy__worker_program *p)
{
    if (p->module) {
        psy__worker_program_unbind(p);
        psy__module_drop(p->module);
    }
    void *tables[] = {p->residents, p->lanes, p->symbols, p->bases, p->symbol_bound};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        free(tables[i]);
    }
    free(p);
}

/* The module: one that the worker was made with, or the bytes that the broker sends. */
static psy_status take_module(psy_worker *w, const psy__program_said *said, int *fd, const psy_module **out)
{
    for (uint32_t i = 0; i < w->held_count; i++) {
        if (psy_module_hash(w->held[i]) == said->hash) {
            *out = psy__module_hold(w->held[i]);
            return PSY_OK;
        }
    }
    if (said->bytes == 0) {
        return psy_fail(PSY_NOT_FOUND, "the worker was not given module %016" PRIx64, said->hash);
    }
    psy_slab_adopt_options options = {.access = PSY_SLAB_READ_ONLY};
    psy_slab *slab;
    psy_module *module;
    psy_status status = psy_slab_adopt_with(*fd, &options, &slab);
    *fd = -1;
    if (status != PSY_OK) {
        return status;
    }
    if (psy_slab_data_bytes(slab) < said->bytes) {
        status = psy_fail(PSY_PROTOCOL, "a module is smaller than the broker says");
    } else {
        status = psy__module_copy(psy_slab_data(slab), said->bytes,
                                  said->flags & PSY_PROGRAM_NATIVE ? PSY_TRUST_NATIVE : PSY_TRUST_BYTECODE, &module);
    }
    psy_slab_destroy(slab);
    if (status == PSY_OK && psy_module_hash(module) != said->hash) {
        psy_module_close(module);
        status = psy_fail(PSY_PROTOCOL, "a module is another than the broker says");
    }
    if (status == PSY_OK) {
        *out = module;
    }
    return status;
}

/* Whether its messages fit into the service's memory. */
static psy_status check_extents(const psy_worker *w, const psy__module *m)
{
    uint32_t request_bytes, reply_bytes;
    uint64_t partial_bytes;
    psy__module_extents(m, &request_bytes, &reply_bytes, &partial_bytes);
    if (m->symbol_count > PSY_SYMBOLS_MAX) {
        return psy_fail(PSY_LIMIT, "the module has %u sizes; a service takes at most %d", m->symbol_count, PSY_SYMBOLS_MAX);
    }
    if (request_bytes > w->requests.stride - PSY_FRAME_PAYLOAD || reply_bytes > w->reply_bytes ||
        partial_bytes > w->gather.partial_bytes) {
        return psy_fail(PSY_PROTOCOL, "the service's geometry does not fit the module");
    }
    return PSY_OK;
}

static psy_status make_tables(psy__worker_program *p)
{
    const psy__module *m = &p->module->decoded;
    p->residents = calloc(m->resident_count + 1, sizeof *p->residents);
    p->lanes = calloc(m->pipeline_count + 1, sizeof *p->lanes);
    p->symbols = calloc(m->symbol_count + 1, sizeof *p->symbols);
    p->bases = calloc(m->symbol_count + 1, sizeof *p->bases);
    p->symbol_bound = calloc(m->symbol_count + 1, sizeof *p->symbol_bound);
    if (!p->residents || !p->lanes || !p->symbols || !p->bases || !p->symbol_bound) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a program");
    }
    return PSY_OK;
}

psy__worker_program *psy__worker_program_again(const psy__worker_program *p)
{
    psy__worker_program *again = calloc(1, sizeof *again);
    if (!again) {
        return NULL;
    }
    *again = (psy__worker_program){
        .number = p->number, .place = p->place, .version = p->version, .served = p->served, .limits = p->limits};
    memcpy(again->name, p->name, sizeof again->name);
    again->module = psy__module_hold(p->module);
    if (make_tables(again) != PSY_OK) {
        psy__worker_program_close(again);
        return NULL;
    }
    return again;
}

bool psy__worker_program_is_limited(const psy__worker_program *p) { return p->limits.arena_bytes || p->limits.work; }

static psy_status open_program(psy_worker *w, const psy__program_said *said, int *fd, psy__worker_program *p)
{
    psy_status status = take_module(w, said, fd, &p->module);
    status = status == PSY_OK ? check_extents(w, &p->module->decoded) : status;
    if (status != PSY_OK) {
        return status;
    }
    return make_tables(p);
}

/* ---- arrivals ---- */

/* Says that the program can be run, or not. A broker that does not read is dead or will look again. */
psy_status psy__worker_program_report(psy_worker *w, const psy__worker_program *p, psy_status status)
{
    if (status != PSY_OK) {
        psy__program_refused said = {.number = p->number, .status = (uint32_t)status};
        snprintf(said.text, sizeof said.text, "%s", psy_detail());
        return psy__say(w->link, PSY_SAY_PROGRAM_REFUSED, &said, sizeof said, NULL, 0);
    }
    const psy__module *m = &p->module->decoded;
    psy__program_ready said = {.number = p->number, .symbol_count = m->symbol_count};
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        said.symbols[i] = m->symbols[i].kind == PSY_SYMBOL_GLOBAL ? p->symbols[i] : 0;
    }
    return psy__say(w->link, PSY_SAY_PROGRAM_READY, &said, sizeof said, NULL, 0);
}

psy_status psy__worker_program_arrives(psy_worker *w, const psy__program_said *said, int *fd)
{
    psy__worker_program *p = calloc(1, sizeof *p);
    if (!p || said->place >= PSY_PROGRAMS_MAX) {
        free(p);
        return p ? psy_fail(PSY_PROTOCOL, "a program at place %u", said->place)
                 : psy_fail(PSY_NO_MEMORY, "no memory for a program");
    }
    p->number = said->number;
    p->place = said->place;
    p->version = said->version;
    p->served = (said->flags & PSY_PROGRAM_SERVED) != 0;
    p->limits = (psy__limits){.arena_bytes = said->arena_bytes, .work = said->work};
    memcpy(p->name, said->name, sizeof p->name - 1);
    uint64_t start = psy__now_ns();
    p->why = open_program(w, said, fd, p);
    p->taken_ns = psy__now_ns() - start;
    snprintf(p->why_text, sizeof p->why_text, "%s", p->why == PSY_OK ? "" : psy_detail());
    psy__worker_program **last = &w->arrivals;
    while (*last) {
        last = &(*last)->next;
    }
    *last = p;
    return PSY_OK;
}

/* Takes the first one that has come from the list. */
static psy__worker_program *next_arrival(psy_worker *w)
{
    psy__worker_program *p = w->arrivals;
    w->arrivals = p->next;
    p->next = NULL;
    return p;
}

static void retire(psy_worker *w, psy__worker_program *p)
{
    p->next = w->retired_programs;
    w->retired_programs = p;
}

void psy__worker_program_goes(psy_worker *w, uint32_t number)
{
    for (psy__worker_program **at = &w->arrivals; *at; at = &(*at)->next) {
        if ((*at)->number == number) {
            psy__worker_program *p = *at;
            *at = p->next;
            retire(w, p);
            return;
        }
    }
    for (uint32_t i = 0; i < w->program_top; i++) {
        if (w->programs[i] && w->programs[i]->number == number) {
            retire(w, w->programs[i]);
            w->programs[i] = NULL;
            return;
        }
    }
}

void psy__worker_program_put(psy_worker *w, psy__worker_program *p)
{
    if (w->programs[p->place]) { /* the broker gives a place again only after it said that the last one there is gone */
        retire(w, w->programs[p->place]);
    }
    w->programs[p->place] = p;
    w->program_top = p->place >= w->program_top ? p->place + 1 : w->program_top;
}

/* Says it of one that has just come. A link that is full: it is to be said later. */
static psy_status report_arrival(psy_worker *w, psy__worker_program *p, psy_status status)
{
    psy_status said = psy__worker_program_report(w, p, status);
    p->untold = said == PSY_FULL;
    w->untold |= p->untold;
    return said == PSY_FULL ? PSY_OK : said;
}

/* The same of one that cannot be run: it goes once that was said, and waits for it in `w->refused`. */
static psy_status refuse_arrival(psy_worker *w, psy__worker_program *p, psy_status why)
{
    p->why = why;
    snprintf(p->why_text, sizeof p->why_text, "%s", psy_detail());
    psy_status said = report_arrival(w, p, why);
    if (p->untold) {
        p->next = w->refused;
        w->refused = p;
    } else {
        retire(w, p);
    }
    return said;
}

static void log_bound(psy_worker *w, const psy__worker_program *p, psy_status status, uint64_t took_ns)
{
    const psy__value values[] = {PSY__NUMBER(w->holder.shard), PSY__TEXT(p->name), PSY__NUMBER(p->version),
                                 PSY__NUMBER(took_ns / 1000), PSY__TEXT(psy_detail())};
    psy__tell(&w->events, status == PSY_OK ? PSY__EVENT_PROGRAM_BOUND : PSY__EVENT_PROGRAM_UNFIT, values);
}

static psy_status bind_arrival(psy_worker *w, psy__worker_program *p)
{
    uint64_t start = psy__now_ns();
    psy_status status = p->why == PSY_OK ? psy__worker_program_bind(w, p) : psy_fail(p->why, "%s", p->why_text);
    log_bound(w, p, status, p->taken_ns + psy__now_ns() - start);
    return status;
}

uint32_t psy__worker_stage(psy_worker *w)
{
    if (!w->arrivals) {
        return 0;
    }
    psy__worker_program *p = next_arrival(w); /* one a round: requests wait as short as can be */
    psy_status status = bind_arrival(w, p);
    psy_status said = status == PSY_OK ? report_arrival(w, p, status) : refuse_arrival(w, p, status);
    if (status == PSY_OK) {
        psy__worker_program_put(w, p);
    }
    w->dead = w->dead || (said != PSY_OK && said != PSY_PEER_DIED); /* the broker would wait for ever */
    return 1;
}

psy_status psy__worker_settle_arrivals(psy_worker *w)
{
    while (w->arrivals) {
        psy__worker_program *p = next_arrival(w);
        if (p->served && p->why != PSY_OK) {
            psy_status status = psy_fail(p->why, "%s", p->why_text);
            retire(w, p);
            return status;
        }
        if (p->why != PSY_OK) {
            psy_status said = refuse_arrival(w, p, psy_fail(p->why, "%s", p->why_text));
            if (said != PSY_OK) {
                return said;
            }
            continue;
        }
        psy__worker_program_put(w, p);
    }
    return PSY_OK;
}

psy_status psy__worker_bind_at(psy_worker *w, uint32_t place)
{
    psy__worker_program *p = w->programs[place];
    psy_status status = p ? bind_arrival(w, p) : PSY_OK;
    if (status != PSY_OK && !p->served) { /* a program that is being tried may not fit; the others do */
        w->programs[place] = NULL;
        status = refuse_arrival(w, p, status);
    }
    return status;
}

psy_status psy__worker_bind_all(psy_worker *w)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < w->program_top; i++) {
        status = psy__worker_bind_at(w, i);
    }
    if (status != PSY_OK) {
        psy__worker_unbind_all(w);
    }
    return status;
}

void psy__worker_unbind_all(psy_worker *w)
{
    for (uint32_t i = 0; i < w->program_top; i++) {
        if (w->programs[i]) {
            psy__worker_program_unbind(w->programs[i]);
        }
    }
}

void psy__worker_sweep_programs(psy_worker *w)
{
    while (w->retired_programs) {
        psy__worker_program *p = w->retired_programs;
        w->retired_programs = p->next;
        psy__worker_program_close(p);
    }
}

void psy__worker_drop_programs(psy_worker *w)
{
    for (uint32_t i = 0; i < w->program_top; i++) {
        if (w->programs[i]) {
            retire(w, w->programs[i]);
            w->programs[i] = NULL;
        }
    }
    while (w->arrivals) {
        retire(w, next_arrival(w));
    }
    while (w->refused) {
        psy__worker_program *p = w->refused;
        w->refused = p->next;
        retire(w, p);
    }
    psy__worker_sweep_programs(w);
}
