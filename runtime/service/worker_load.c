/* SPDX-License-Identifier: Apache-2.0 */
/* Resident data: which rows are this shard's, where they lie, the key index, and the binding of sizes. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/siphash.h"
#include "service/worker_state.h"

static const uint64_t zero_key[2] = {0, 0};

/* Zeroed pages, huge ones where the system gives them. */
static psy_status pages(uint64_t bytes, void **out, uint64_t *mapped)
{
    *out = NULL;
    *mapped = bytes ? bytes : 1;
    void *at = mmap(NULL, *mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %" PRIu64 " bytes of resident data", bytes);
    }
    (void)madvise(at, *mapped, MADV_HUGEPAGE);
    *out = at;
    return PSY_OK;
}

static psy_status bind_symbol(psy_worker *w, psy_dim dim, uint64_t value, const char *resident)
{
    const psy__module *m = &w->module->decoded;
    if (!psy__dim_is_symbol(dim)) {
        return dim == value
                   ? PSY_OK
                   : psy_fail(PSY_INVALID, "resident %s: a size is %" PRIu64 ", the module says %u", resident, value, dim);
    }
    uint32_t symbol = psy__dim_symbol(dim);
    if (w->symbol_bound[symbol] && w->symbols[symbol] != value) {
        char text[PSY_SIZE_TEXT_ROOM];
        psy__size_text(m, dim, text, sizeof text);
        return psy_fail(PSY_INVALID, "resident %s: %s is %" PRIu64 " here and %" PRIu64 " in a resident loaded before",
                        resident, text, value, w->symbols[symbol]);
    }
    w->symbols[symbol] = value;
    w->symbol_bound[symbol] = true;
    return PSY_OK;
}

/* The caller's callback failed: its own words if it left some, and which row it was. */
static psy_status callback_failed(psy_status status, const psy_rows *rows, uint64_t row, const char *which)
{
    char said[400];
    snprintf(said, sizeof said, "%s", psy_detail());
    return psy_fail(status, "resident %s: row %" PRIu64 ": %s", rows->resident, row, said[0] ? said : which);
}

static psy_status key_of(const psy_rows *rows, uint64_t row, uint64_t *key)
{
    (void)psy_fail(PSY_OK, "%s", ""); /* nothing that somebody said before */
    psy_status status = rows->key(rows->context, row, key);
    return status == PSY_OK ? status : callback_failed(status, rows, row, "the key callback failed");
}

static bool ours(const psy_worker *w, uint64_t key)
{
    return psy__shard_of(psy__siphash(w->route_salt, &key, sizeof key), w->shards) == w->shard;
}

/* Keyed data: which rows are ours, their keys, and the index over them. */
static psy_status choose_rows(psy_worker *w, const psy_rows *rows, psy__resident *r, uint64_t **chosen)
{
    uint64_t count = 0, key;
    for (uint64_t row = 0; row < rows->dims[0]; row++) {
        psy_status status = key_of(rows, row, &key);
        if (status != PSY_OK) {
            return status;
        }
        count += ours(w, key);
    }
    uint64_t slots = 8;
    while (slots < 2 * count) {
        slots *= 2;
    }
    void *keys, *index;
    r->keys_bytes = r->index_bytes = 0;
    psy_status status = pages(count * 8, &keys, &r->keys_bytes);
    r->data.keys = keys;
    if (status == PSY_OK) {
        status = pages(slots * 4, &index, &r->index_bytes);
        r->data.index_rows = index;
    }
    *chosen = status == PSY_OK ? malloc((count ? count : 1) * sizeof **chosen) : NULL;
    if (!*chosen) {
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for %" PRIu64 " keys", count) : status;
    }
    memset(index, 0xff, slots * 4);
    r->data.index_mask = slots - 1;
    uint64_t local = 0;
    for (uint64_t row = 0; row < rows->dims[0] && local < count; row++) {
        status = key_of(rows, row, &key);
        if (status != PSY_OK) {
            return status;
        }
        if (!ours(w, key)) {
            continue;
        }
        uint64_t at = psy__siphash(zero_key, &key, sizeof key) & r->data.index_mask;
        uint32_t *places = index;
        for (; places[at] != UINT32_MAX; at = (at + 1) & r->data.index_mask) {
            if (((uint64_t *)keys)[places[at]] == key) {
                return psy_fail(PSY_CORRUPT, "resident %s: rows %" PRIu64 " and %" PRIu64 " have the same key", rows->resident,
                                (*chosen)[places[at]], row);
            }
        }
        places[at] = (uint32_t)local;
        ((uint64_t *)keys)[local] = key;
        (*chosen)[local++] = row;
    }
    r->data.rows = local;
    return PSY_OK;
}

static psy_status check_shape(const psy_rows *rows, const psy_psm_resident *declared)
{
    if (rows->rank != declared->rank || rows->rank == 0) {
        return psy_fail(PSY_INVALID, "resident %s has rank %u, not %u", rows->resident, declared->rank, rows->rank);
    }
    if (!rows->fill || (declared->placement == PSY_PLACE_BY_KEY) != (rows->key != NULL)) {
        return psy_fail(PSY_INVALID, "resident %s: %s", rows->resident,
                        !rows->fill ? "fill is missing"
                        : rows->key ? "it is not `by key`, but a key callback is given"
                                    : "it is `by key` and needs a key callback");
    }
    if (rows->dims[0] >= UINT32_MAX) {
        return psy_fail(PSY_TOO_LARGE, "resident %s: %" PRIu64 " rows; at most %u", rows->resident, rows->dims[0],
                        UINT32_MAX - 1);
    }
    return PSY_OK;
}

static psy_status load(psy_worker *w, const psy_rows *rows, const psy_psm_resident *declared, psy__resident *r,
                       uint64_t **chosen)
{
    uint64_t row_bytes = psy__dtype_bytes(declared->dtype), first = 0, total = rows->dims[0];
    psy_status status = PSY_OK;
    for (uint32_t d = 0; status == PSY_OK && d < rows->rank; d++) {
        status = bind_symbol(w, declared->dims[d], rows->dims[d], rows->resident);
        if (d > 0 && __builtin_mul_overflow(row_bytes, rows->dims[d], &row_bytes)) {
            return psy_fail(PSY_TOO_LARGE, "resident %s: a row's size overflows", rows->resident);
        }
    }
    if (status != PSY_OK) {
        return status;
    }
    r->data.rows = total;
    if (declared->placement == PSY_PLACE_SPLIT) {
        first = total / w->shards * w->shard + (total % w->shards) * w->shard / w->shards;
        uint64_t end = total / w->shards * (w->shard + 1) + (total % w->shards) * (w->shard + 1) / w->shards;
        r->data.rows = end - first;
    } else if (declared->placement == PSY_PLACE_BY_KEY) {
        status = choose_rows(w, rows, r, chosen);
    }
    if (status == PSY_OK && declared->local_rows != declared->dims[0]) {
        status = bind_symbol(w, declared->local_rows, r->data.rows, rows->resident);
        w->bases[psy__dim_symbol(declared->local_rows)] = first;
    }
    uint64_t bytes;
    if (status == PSY_OK && __builtin_mul_overflow(r->data.rows, row_bytes, &bytes)) {
        status = psy_fail(PSY_TOO_LARGE, "resident %s: its size overflows", rows->resident);
    }
    void *data;
    if (status == PSY_OK) {
        status = pages(bytes, &data, &r->rows_bytes);
        r->data.data = data;
    }
    if (status != PSY_OK) {
        return status;
    }
    r->data.row_bytes = row_bytes;
    (void)psy_fail(PSY_OK, "%s", "");
    for (uint64_t i = 0; i < r->data.rows; i++) {
        uint64_t row = *chosen ? (*chosen)[i] : first + i;
        status = rows->fill(rows->context, row, (uint8_t *)data + i * row_bytes);
        if (status != PSY_OK) {
            return callback_failed(status, rows, row, "the fill callback failed");
        }
    }
    return PSY_OK;
}

static void unload(psy__resident *r)
{
    if (r->data.data) {
        munmap((void *)(uintptr_t)r->data.data, r->rows_bytes);
    }
    if (r->data.keys) {
        munmap((void *)(uintptr_t)r->data.keys, r->keys_bytes);
    }
    if (r->data.index_rows) {
        munmap((void *)(uintptr_t)r->data.index_rows, r->index_bytes);
    }
    *r = (psy__resident){0};
}

psy_status psy_worker_load(psy_worker *w, const psy_rows *rows)
{
    if (!w || !rows || !rows->resident || w->started) {
        return psy_fail(PSY_INVALID, "psy_worker_load: %s", w && w->started ? "the worker serves already" : "a null argument");
    }
    const psy__module *m = &w->module->decoded;
    uint32_t index = psy__module_find_resident(m, rows->resident);
    if (index == PSY_NONE) {
        return psy_fail(PSY_NOT_FOUND, "the module has no resident `%s`", rows->resident);
    }
    psy__resident *r = &w->residents[index];
    if (r->loaded) {
        return psy_fail(PSY_INVALID, "resident %s is loaded already", rows->resident);
    }
    psy_status status = check_shape(rows, &m->residents[index]);
    uint64_t *chosen = NULL, symbols[PSY_SYMBOLS_MAX];
    bool bound[PSY_SYMBOLS_MAX];
    memcpy(symbols, w->symbols, m->symbol_count * sizeof *symbols);
    memcpy(bound, w->symbol_bound, m->symbol_count * sizeof *bound);
    if (status == PSY_OK) {
        status = load(w, rows, &m->residents[index], r, &chosen);
    }
    free(chosen);
    if (status != PSY_OK) { /* as if it had not been tried: it may come again with other sizes */
        memcpy(w->symbols, symbols, m->symbol_count * sizeof *symbols);
        memcpy(w->symbol_bound, bound, m->symbol_count * sizeof *bound);
        unload(r);
        return status;
    }
    r->loaded = true;
    return PSY_OK;
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
static psy_status compute_sizes(psy_worker *w)
{
    const psy__module *m = &w->module->decoded;
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        uint64_t value = 0;
        psy_dim size = PSY_DIM_SYMBOL | i;
        const psy_psm_symbol *s = &m->symbols[i];
        if (!psy__symbol_word(s->kind)) {
            continue;
        }
        if (psy__dim_value(s->of, w->symbols) == PSY_SIZE_UNKNOWN || psy__dim_value(s->with, w->symbols) == PSY_SIZE_UNKNOWN) {
            w->symbols[i] = PSY_SIZE_UNKNOWN; /* each message brings its own */
            continue;
        }
        psy_status status = psy__size_compute(m, i, w->symbols, &value);
        if (status == PSY_OK && w->symbol_bound[i] && w->symbols[i] != value) {
            char text[PSY_SIZE_TEXT_ROOM];
            psy__size_text(m, size, text, sizeof text);
            status = psy_fail(PSY_INVALID, "resident %s: %s is %" PRIu64 ", and it has %" PRIu64, resident_of(m, size), text,
                              value, w->symbols[i]);
        }
        if (status != PSY_OK) {
            return status;
        }
        w->symbols[i] = value;
    }
    return PSY_OK;
}

/* Binds one program on `engine`. */
static psy_status bind_program(psy_worker *w, psy__engine *engine, const uint64_t *symbols, uint32_t program,
                               psy__executable **out)
{
    psy__binding binding = {.module = &w->module->decoded,
                            .program = program,
                            .symbols = symbols,
                            .bases = w->bases,
                            .residents = w->bound_residents,
                            .partial_stride = w->gather.partial_bytes};
    return engine->interface->bind(engine, &binding, out);
}

/* A shard program on the engine, or on the cpu where that lacks an operation or the program is too large for it. */
static psy_status bind_shard(psy_worker *w, psy__engine *engine, const uint64_t *symbols, const psy_psm_pipeline *p,
                             psy__executable **out)
{
    const psy__module *m = &w->module->decoded;
    psy_status status = engine->interface->supports(engine, m, p->shard_program);
    if (status == PSY_OK) {
        status = bind_program(w, engine, symbols, p->shard_program, out);
    }
    if (status != PSY_UNSUPPORTED || engine == w->cpu) {
        return status;
    }
    size_t n = strlen(w->description);
    snprintf(w->description + n, sizeof w->description - n, "; pipeline %s on the cpu (%s)", psy__module_string(m, p->name),
             psy_detail());
    return bind_program(w, w->cpu, symbols, p->shard_program, out);
}

psy_status psy__worker_bind_lane(psy_worker *w, psy__engine *engine, uint32_t pipeline, const uint64_t *symbols, psy__lane *out)
{
    const psy__module *m = &w->module->decoded;
    const psy_psm_pipeline *p = &m->pipelines[pipeline];
    *out = (psy__lane){NULL, NULL};
    /* Without a word of the operator, another engine is only there for those that asked for it. */
    bool on_cpu = p->engine == PSY_PREFER_CPU || (!w->told_engine && p->engine != PSY_PREFER_VULKAN);
    psy_status status = bind_shard(w, on_cpu ? w->cpu : engine, symbols, p, &out->shard);
    if (status == PSY_OK && p->route == PSY_ROUTE_ALL) {
        /* A few hundred bytes per message: the cpu merges, whatever engine the shards have. */
        status = bind_program(w, w->cpu, symbols, p->merge_program, &out->merge);
    }
    if (status != PSY_OK) {
        psy__lane_unbind(out);
        status = psy_fail(status, "pipeline %s: %s", psy__module_string(m, p->name), psy_detail());
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
    *lane = (psy__lane){NULL, NULL};
}

psy_status psy__worker_bind(psy_worker *w)
{
    const psy__module *m = &w->module->decoded;
    w->bound_residents = calloc(m->resident_count + 1, sizeof *w->bound_residents);
    if (!w->bound_residents) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u residents", m->resident_count);
    }
    psy_status status = PSY_OK;
    for (uint32_t i = 0; i < m->resident_count; i++) {
        w->bound_residents[i] = w->residents[i].data;
        if (!w->residents[i].loaded) {
            status = psy_fail(PSY_INVALID, "resident %s was not loaded", psy__module_string(m, m->residents[i].name));
        }
    }
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        uint32_t kind = m->symbols[i].kind;
        w->symbols[i] = kind == PSY_SYMBOL_SHARDS ? w->shards : kind == PSY_SYMBOL_MESSAGE ? PSY_SIZE_UNKNOWN : w->symbols[i];
    }
    status = status == PSY_OK ? compute_sizes(w) : status;
    for (uint32_t i = 0; status == PSY_OK && i < m->pipeline_count; i++) {
        if (!psy__pipeline_is_shaped(m, i)) {
            status = psy__worker_bind_lane(w, w->engine, i, w->symbols, &w->lanes[i]);
        }
    }
    return status;
}

void psy__worker_unbind(psy_worker *w)
{
    for (uint32_t i = 0; w->lanes && i < w->module->decoded.pipeline_count; i++) {
        psy__lane_unbind(&w->lanes[i]);
    }
    psy__worker_drop_shapes(w);
    free(w->bound_residents);
    w->bound_residents = NULL;
}

void psy__worker_unload(psy_worker *w)
{
    for (uint32_t i = 0; w->residents && i < w->module->decoded.resident_count; i++) {
        unload(&w->residents[i]);
    }
}
