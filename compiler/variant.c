/* SPDX-License-Identifier: Apache-2.0 */
/* Variants in pipelines: `for q.field: type | type`. The body is written out once for each combination of what they may be, as
 * a function is for the sizes it is called with, so that every alternative has programs of its own. */
#include "variant.h"

#include <inttypes.h>
#include <string.h>

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

/* ---- what a pipeline takes ---- */

static bool not_a_path(psc_unit *u, const psc_pipeline *p, const hrm_expr *e)
{
    psc_help(ERROR(PSC_E_TYPE, e->span, "`for` names a variant of the message"), "write `for %s.FIELD: f32[D]`",
             p->node->parameters.at[0].name.text);
    return false;
}

/* The field that `q.field` or `q.part.field` names, PSY_NONE for `q` where it is the only message; reports. */
static bool find_field(psc_unit *u, const psc_pipeline *p, const hrm_expr *e, uint32_t *index)
{
    const psc_message *m = p->input;
    const hrm_parameters *inputs = &p->node->parameters;
    uint32_t parent;
    if (e->kind == HRM_NAME) {
        for (size_t i = 0; i < inputs->count; i++) {
            if (strcmp(inputs->at[i].name.text, e->name.text) == 0) {
                *index = inputs->count > 1 ? psc_field_find(m, PSY_NONE, e->name.text) : PSY_NONE;
                return true;
            }
        }
        return not_a_path(u, p, e);
    }
    if (e->kind != HRM_MEMBER) {
        return not_a_path(u, p, e);
    }
    if (!find_field(u, p, e->left, &parent)) {
        return false;
    }
    const psc_message *of = parent == PSY_NONE ? m : m->fields[parent].part;
    if (!of) {
        return not_a_path(u, p, e);
    }
    *index = psc_field_find(m, parent, e->name.text);
    if (*index < m->field_count) {
        psc_index_add_name(u, PSC_INDEX_FIELD, e->name.span, m->fields[*index].span);
        return true;
    }
    const char *names[256];
    size_t count = 0;
    for (uint32_t i = 0; i < m->field_count && count < 256; i++) {
        if (m->fields[i].layout.parent == parent) {
            names[count++] = psc_field_word(&m->fields[i]);
        }
    }
    psc_help_nearest(ERROR(PSC_E_UNKNOWN_NAME, e->name.span, "message `%s` has no field `%s`", of->name, e->name.text),
                     e->name.text, names, count);
    return false;
}

static bool find_variant(psc_unit *u, const psc_pipeline *p, const hrm_expr *e, uint32_t *index)
{
    if (e->kind != HRM_MEMBER) {
        return not_a_path(u, p, e);
    }
    if (!find_field(u, p, e, index)) {
        return false;
    }
    const psc_field *f = &p->input->fields[*index];
    if (f->layout.kind != PSY_FIELD_VARIANT) {
        psc_note(ERROR(PSC_E_TYPE, e->span, "`%s` is no variant: its type is known", f->name), f->span, "it is declared here");
        return false;
    }
    return true;
}

static unsigned count_message_sizes(const psc_unit *u)
{
    unsigned count = 0;
    for (size_t i = 0; i < u->symbols.count; i++) {
        count += u->symbols.at[i].kind == PSY_SYMBOL_MESSAGE;
    }
    return count;
}

/* A size of a variant: a number, a size of resident data, or one that each message brings. */
static psy_dim guard_dim(psc_unit *u, const hrm_expr *e)
{
    if (e->kind == HRM_NAME && !psc_constant_find(u, e->name.text)) {
        psy_dim d = psc_symbol_find(u, e->name.text, PSY_SYMBOL_GLOBAL);
        d = d != PSY_NONE ? d : psc_symbol_find(u, e->name.text, PSY_SYMBOL_MESSAGE);
        if (d != PSY_NONE) {
            return d;
        }
        if (count_message_sizes(u) == PSY_MESSAGE_SIZES_MAX || u->symbols.count >= PSC_SYMBOLS_MAX) {
            ERROR(PSC_E_LIMIT, e->span, "at most %d sizes of a program come from messages", PSY_MESSAGE_SIZES_MAX);
            return PSY_NONE;
        }
        psc_index_add_name(u, PSC_INDEX_SIZE, e->span, e->span);
        return psc_symbol_add(u, e->name.text, PSY_SYMBOL_MESSAGE, PSY_NONE);
    }
    psc_constant_value c = psc_evaluate(u, e);
    if (c.poisoned || c.is_float || c.integer < 1 || c.integer > INT32_MAX) {
        if (!c.poisoned) {
            ERROR(PSC_E_SHAPE, e->span, "a size is a whole number from 1 to %d, or the name of one", INT32_MAX);
        }
        return PSY_NONE;
    }
    return (psy_dim)c.integer;
}

/* One of the types that a field may have; false after an error. */
static bool resolve_type(psc_unit *u, const psc_field *f, uint32_t index, const hrm_type *t, psc_guard *out)
{
    psy_psm_guard *g = &out->record;
    *out = (psc_guard){.type = t, .record = {.field = index, .rank = (uint8_t)t->dims.count}};
    g->dtype = (uint8_t)psy__dtype_named(t->dtype.text, strlen(t->dtype.text));
    if (g->dtype == 0) {
        psc_syntax_no_type(u->diags, &t->dtype);
        return false;
    }
    if (psc_type_is_bounded(u, t)) {
        return false;
    }
    if (t->dims.count > PSY_RANK_MAX) {
        ERROR(PSC_E_SHAPE, t->span, "a tensor has at most %d axes", PSY_RANK_MAX);
        return false;
    }
    uint64_t bytes = psy__dtype_bytes(g->dtype);
    for (size_t d = 0; d < t->dims.count; d++) {
        g->dims[d] = guard_dim(u, t->dims.at[d]);
        if (g->dims[d] == PSY_NONE) {
            return false;
        }
        uint64_t size = psy__dim_is_symbol(g->dims[d]) ? 1 : g->dims[d];
        bytes = bytes > f->layout.count ? bytes : bytes * size;
    }
    if (bytes > f->layout.count) {
        psc_note(ERROR(PSC_E_SHAPE, t->span, "`%s` has no room for it: %u bytes", f->name, f->layout.count), f->span,
                 "it is declared here");
        return false;
    }
    return true;
}

static bool same_guard(const psy_psm_guard *a, const psy_psm_guard *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

typedef PSC_LIST(psc_guard) guards;

/* What one field may be; false after an error. */
static bool resolve_guard(psc_unit *u, const psc_pipeline *p, const hrm_guard *g, guards *out)
{
    uint32_t index;
    if (!find_variant(u, p, g->field, &index)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; i < g->types.count; i++) {
        psc_guard made;
        if (!resolve_type(u, &p->input->fields[index], index, &g->types.at[i], &made)) {
            ok = false;
            continue;
        }
        for (size_t k = 0; k < out->count; k++) {
            if (same_guard(&out->at[k].record, &made.record)) {
                psc_note(ERROR(PSC_E_DUPLICATE, made.type->span, "this type is there already"), out->at[k].type->span,
                         "it is here");
                ok = false;
            }
        }
        psc_push(u->arena, out, made);
    }
    return ok;
}

bool psc_variant_resolve(psc_unit *u, psc_pipeline *p)
{
    const hrm_guards *list = &p->node->guards;
    guards *types = psc_alloc(u->arena, (list->count + 1) * sizeof *types);
    size_t combinations = 1;
    bool ok = p->input != NULL;
    for (size_t i = 0; ok && i < list->count; i++) {
        ok = resolve_guard(u, p, &list->at[i], &types[i]);
        for (size_t k = 0; ok && k < i; k++) {
            if (types[k].at[0].record.field == types[i].at[0].record.field) {
                psc_note(
                    ERROR(PSC_E_DUPLICATE, list->at[i].field->span, "`%s` stands here twice", list->at[i].field->name.text),
                    list->at[k].field->span, "the first time is here");
                ok = false;
            }
        }
        combinations *= ok ? types[i].count : 1;
        if (combinations > PSC_ALTERNATIVES_MAX) {
            ERROR(PSC_E_LIMIT, p->node->name.span, "pipeline `%s` has more than %d combinations of types", p->name,
                  PSC_ALTERNATIVES_MAX);
            ok = false;
        }
    }
    if (!ok) {
        p->poisoned = true;
        return false;
    }
    /* The first field's types change slowest. */
    p->alternatives = (unsigned)combinations;
    for (size_t n = 0; n < combinations; n++) {
        psc_pipeline *one = p;
        if (n > 0) {
            one = psc_new(u->arena, psc_pipeline);
            *one = (psc_pipeline){.node = p->node,
                                  .input = p->input,
                                  .output = p->output,
                                  .poisoned = p->poisoned,
                                  .name = psc_format(u->arena, "%s.%zu", p->name, n + 1)};
        }
        size_t rest = n, below = combinations;
        for (size_t i = 0; i < list->count; i++) {
            below /= types[i].count;
            psc_push(u->arena, &one->guards, types[i].at[rest / below]);
            rest %= below;
        }
        if (n > 0) {
            psc_push(u->arena, &u->pipelines, one);
        }
    }
    return true;
}

/* ---- in the body ---- */

psc_term psc_variant_load(psc_lowering *l, psc_span span, uint32_t field)
{
    psc_unit *u = l->unit;
    const psc_field *f = &l->pipeline->input->fields[field];
    for (size_t i = 0; i < l->pipeline->guards.count; i++) {
        const psy_psm_guard *g = &l->pipeline->guards.at[i].record;
        if (g->field == field) {
            psc_value *v = psc_emit(l, span, PSY_OP_LOAD, g->dtype, g->dims, g->rank, NULL, 0);
            if (v) {
                v->index = field;
                v->name = f->name;
            }
            return psc_of_value(v, span);
        }
    }
    psc_diagnostic *d = ERROR(PSC_E_TYPE, span, "`%s` is a variant, and the pipeline does not say what it may be", f->name);
    psc_note(d, f->span, "it is declared here");
    psc_help(d, "name the types that it takes: `pipeline %s(...) -> ... for %s: f32[D] | f16[D] { ... }`", l->pipeline->name,
             psc_field_path(l, field));
    return psc_poison(span);
}

psc_term psc_variant_size(psc_lowering *l, const hrm_expr *e)
{
    psc_unit *u = l->unit;
    psy_dim d = psc_symbol_find(u, e->name.text, PSY_SYMBOL_MESSAGE);
    if (d == PSY_NONE) {
        return psc_poison(e->span); /* reported by resolve */
    }
    for (size_t i = 0; i < l->pipeline->guards.count; i++) {
        const psy_psm_guard *g = &l->pipeline->guards.at[i].record;
        for (uint32_t k = 0; k < g->rank; k++) {
            if (g->dims[k] == d) {
                return (psc_term){.kind = PSC_TERM_SIZE, .span = e->span, .dim = d};
            }
        }
    }
    ERROR(PSC_E_UNKNOWN_NAME, e->span, "there is no size `%s` in this alternative", e->name.text);
    return psc_poison(e->span);
}

void psc_variant_store(psc_lowering *l, uint32_t field, const psc_term *t)
{
    psc_unit *u = l->unit;
    const psc_field *f = &l->pipeline->output->fields[field];
    if (psc_is_untyped(t)) {
        psc_diagnostic *d = ERROR(PSC_E_TYPE, t->span, "`%s` is a variant, and a number alone has no type", f->name);
        psc_help(d, "give it one: `f32(...)`");
        return;
    }
    psc_value *v = psc_as_value(l, t, 0);
    if (!v) {
        return;
    }
    uint64_t bytes = psy__dtype_bytes(v->dtype);
    for (uint32_t d = 0; d < v->rank; d++) {
        uint64_t size = psy__dim_is_symbol(v->dims[d]) ? 1 : v->dims[d];
        bytes = bytes > f->layout.count ? bytes : bytes * size;
    }
    if (psc_ir_sharded_axis(v, u->symbols.at) >= 0) {
        psc_help(ERROR(PSC_E_SPLIT, t->span, "this is spread over the shards: %s", psc_type_text(l, v)),
                 "a message holds what is merged: take the best with `topk`, or reduce it");
        return;
    }
    if (bytes > f->layout.count) {
        psc_note(ERROR(PSC_E_SHAPE, t->span, "field `%s` has room for %u bytes, and this is %s", f->name, f->layout.count,
                       psc_type_text(l, v)),
                 f->span, "the field is declared here");
        return;
    }
    psc_value *s = psc_emit(l, t->span, PSY_OP_STORE, v->dtype, NULL, 0, (psc_value *[]){v, NULL}, 2);
    if (s) {
        s->index = field;
        s->name = f->name;
    }
}

void psc_variant_note(psc_unit *u, const psc_pipeline *p, size_t said)
{
    bool one = p->alternatives == 1;
    for (size_t i = said; !one && i < u->diags->list.count; i++) {
        for (size_t k = 0; k < p->guards.count; k++) {
            psc_span s = p->guards.at[k].type->span;
            psc_note(u->diags->list.at[i], s, "where `%s` is %s", p->input->fields[p->guards.at[k].record.field].name,
                     psc_strndup(u->arena, s.source->text + s.begin, s.end - s.begin));
        }
    }
}
