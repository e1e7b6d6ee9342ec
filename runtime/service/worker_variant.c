/* SPDX-License-Identifier: Apache-2.0 */
/* What a message is: which alternative of its pipeline takes it, by what its variants say they are, and what runs it. */
#include <string.h>

#include "service/worker_state.h"

/* The symbol's place among those that messages bring. */
static uint32_t place_of(const psy__module *m, uint32_t symbol)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < symbol; i++) {
        place += m->symbols[i].kind == PSY_SYMBOL_MESSAGE;
    }
    return place;
}

bool psy__pipeline_is_shaped(const psy__module *m, uint32_t pipeline)
{
    const psy_psm_pipeline *p = &m->pipelines[pipeline];
    for (uint32_t i = 0; i < p->guard_count; i++) {
        const psy_psm_guard *g = &m->guards[p->first_guard + i];
        for (uint32_t d = 0; d < g->rank; d++) {
            if (psy__dim_is_symbol(g->dims[d]) && m->symbols[psy__dim_symbol(g->dims[d])].kind == PSY_SYMBOL_MESSAGE) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the variant's elements, as it describes them, lie within the field. */
static bool has_room(const psy_variant_head *v, const psy_psm_field *f)
{
    uint64_t bytes = psy__dtype_bytes(v->dtype);
    for (uint32_t d = 0; d < v->rank && d < PSY_RANK_MAX; d++) {
        if (__builtin_mul_overflow(bytes, (uint64_t)v->dims[d], &bytes)) {
            return false;
        }
    }
    return bytes <= f->count;
}

/* Whether the variant meets the guard; sizes that it brings are noted. */
static bool meets(const psy__worker_program *p, const psy_psm_guard *g, const psy_variant_head *v, psy__shape *shape)
{
    const psy__module *m = &p->module->decoded;
    bool same = v->dtype == g->dtype && v->rank == g->rank;
    for (uint32_t d = 0; same && d < g->rank; d++) {
        uint32_t symbol = psy__dim_symbol(g->dims[d]);
        if (!psy__dim_is_symbol(g->dims[d]) || m->symbols[symbol].kind != PSY_SYMBOL_MESSAGE) {
            same = v->dims[d] == psy__dim_value(g->dims[d], p->symbols);
            continue;
        }
        uint32_t *size = &shape->sizes[place_of(m, symbol)];
        same = v->dims[d] != PSY_NONE && (*size == PSY_NONE || *size == v->dims[d]);
        *size = v->dims[d];
    }
    return same;
}

void psy__worker_shape(const psy__worker_program *program, uint32_t pipeline, const uint8_t *message, psy__shape *out)
{
    const psy__module *m = &program->module->decoded;
    const psy_psm_pipeline *first = &m->pipelines[pipeline];
    const psy_psm_field *fields = m->fields + m->types[first->input_type].first_field;
    memset(out, 0xff, sizeof *out);
    if (first->guard_count == 0) {
        out->pipeline = pipeline;
        return;
    }
    for (uint32_t i = 0; i < first->alternatives; i++) {
        const psy_psm_pipeline *p = first + i;
        bool all = true;
        memset(out->sizes, 0xff, sizeof out->sizes);
        for (uint32_t k = 0; all && k < p->guard_count; k++) {
            const psy_psm_guard *g = &m->guards[p->first_guard + k];
            psy_variant_head v;
            memcpy(&v, message + fields[g->field].count_offset, sizeof v);
            all = has_room(&v, &fields[g->field]) && meets(program, g, &v, out);
        }
        if (all) {
            out->pipeline = pipeline + i;
            return;
        }
    }
}

static const psy__lane *bind_shape(psy_worker *w, psy__worker_program *p, const psy__shape *shape, psy__shaped_lane *to,
                                   psy_status *why)
{
    const psy__module *m = &p->module->decoded;
    uint64_t symbols[PSY_SYMBOLS_MAX];
    for (uint32_t i = 0, place = 0; i < m->symbol_count; i++) {
        symbols[i] = p->symbols[i];
        if (m->symbols[i].kind == PSY_SYMBOL_MESSAGE) {
            uint32_t size = shape->sizes[place++];
            symbols[i] = size == PSY_NONE ? PSY_SIZE_UNKNOWN : size;
        }
    }
    psy__lane_unbind(&to->lane);
    to->used = 0;
    /* Other engines upload resident data for each program that they bind: too much for a shape. */
    *why = psy__worker_bind_lane(w, p, w->cpu, shape->pipeline, symbols, &to->lane);
    if (*why != PSY_OK) {
        return NULL;
    }
    to->shape = *shape;
    to->used = ++p->shaped_clock;
    return &to->lane;
}

const psy__lane *psy__worker_lane(psy_worker *w, psy__worker_program *p, const psy__shape *shape, psy_status *why)
{
    psy__shaped_lane *oldest = &p->shaped[0];
    *why = PSY_OK;
    if (shape->pipeline == PSY_NONE || p->why != PSY_OK) { /* a client's that does not fit the data any more */
        *why = p->why != PSY_OK ? p->why : PSY_UNSUPPORTED;
        return NULL;
    }
    if (!psy__pipeline_is_shaped(&p->module->decoded, shape->pipeline)) {
        return &p->lanes[shape->pipeline];
    }
    for (uint32_t i = 0; i < PSY_SHAPES_MAX; i++) {
        psy__shaped_lane *s = &p->shaped[i];
        if (s->used && memcmp(&s->shape, shape, sizeof *shape) == 0) {
            s->used = ++p->shaped_clock;
            return &s->lane;
        }
        oldest = s->used < oldest->used ? s : oldest;
    }
    return bind_shape(w, p, shape, oldest, why);
}

void psy__worker_drop_shapes(psy__worker_program *p)
{
    for (uint32_t i = 0; i < PSY_SHAPES_MAX; i++) {
        psy__lane_unbind(&p->shaped[i].lane);
        p->shaped[i].used = 0;
    }
}
