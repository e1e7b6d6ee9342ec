/* SPDX-License-Identifier: Apache-2.0 */
/* x[...]: elements, parts of axes, and gathers. */
#include <string.h>

#include "call.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

/* One place of x[...]: an axis of x, and where that is in what x has become. */
typedef struct place {
    const psc_value *whole;
    uint32_t number; /* the axis of `whole` */
    psc_value *v;
    uint32_t axis;
    psc_span span;
} place;

static bool is_sharded(psc_lowering *l, const place *p, psc_span span)
{
    if (psc_ir_sharded_axis(p->v, l->unit->symbols.at) != (int)p->axis) {
        return false;
    }
    psc_diagnostic *d = ERROR(PSC_E_SPLIT, span, "%s is spread over the shards: a part of it is on none of them",
                              psc_dim_text(l->unit, p->v->dims[p->axis]));
    psc_note(d, p->whole->span, "this is %s", psc_type_text(l, p->whole));
    psc_help(d, "take the best with `topk`, or keep the data `replicated`");
    return true;
}

static void out_of_range(psc_lowering *l, const place *p, psc_span span, bool negative)
{
    psy_dim size = p->v->dims[p->axis];
    psc_diagnostic *d = size == 0 ? ERROR(PSC_E_SHAPE, span, "axis %u is empty", p->number)
                        : negative
                            ? ERROR(PSC_E_SHAPE, span, "axis %u has places -%u to -1, counted from its end", p->number, size)
                            : ERROR(PSC_E_SHAPE, span, "axis %u has places 0 to %u", p->number, size - 1);
    psc_note(d, p->whole->span, "this is %s", psc_type_text(l, p->whole));
}

/* An expression of a place: sizes are computed as sizes, and a minus in front counts from the end. */
typedef struct bound {
    psc_term term;
    psc_span span;
    bool negative;
} bound;

static bound take_bound(psc_lowering *l, const hrm_expr *e)
{
    bool negative = e->kind == HRM_UNARY && e->op == '-';
    bound b = {psc_size_term(l, negative ? e->left : e), e->span, negative};
    if (negative && b.term.kind != PSC_TERM_SIZE && b.term.kind != PSC_TERM_INTEGER && b.term.kind != PSC_TERM_POISON) {
        b.negative = false;
        b.term = psc_lower_expr(l, e);
    }
    return b;
}

static bool is_known(const bound *b)
{
    return b->term.kind == PSC_TERM_SIZE || (b->term.kind == PSC_TERM_INTEGER && (b->negative || b->term.integer >= 0));
}

/* PSY_NONE after an error. */
static psy_dim dim_of(psc_lowering *l, const place *p, const bound *b)
{
    psy_dim size = p->v->dims[p->axis], d = psc_dim_of_term(l, &b->term, b->span);
    if (d == PSY_NONE || !b->negative) {
        return d == PSY_NONE ? d : psc_dim_seen_by(l, p->v, d);
    }
    if (is_sharded(l, p, b->span)) {
        return PSY_NONE;
    }
    if (!psy__dim_is_symbol(d) && !psy__dim_is_symbol(size) && d > size) {
        out_of_range(l, p, b->span, true);
        return PSY_NONE;
    }
    return psc_dim_compute(l, b->span, '-', size, d);
}

static bool take_step(psc_lowering *l, const hrm_expr *e, int64_t *step)
{
    psc_constant_value k = psc_known_number(l, e);
    if (!k.poisoned && (k.is_float || k.integer < 1 || k.integer > INT32_MAX)) {
        ERROR(PSC_E_ARGUMENTS, e->span, "a step is a whole number from 1 to %d", INT32_MAX);
        return false;
    }
    *step = (int64_t)k.integer;
    return !k.poisoned;
}

/* A part of an axis: from .. below, by a step. */
static psc_value *part(psc_lowering *l, const place *p, const bound *from_bound, const bound *to_bound, const hrm_expr *step_e)
{
    psy_dim size = p->v->dims[p->axis], from = from_bound ? dim_of(l, p, from_bound) : 0,
            to = to_bound ? dim_of(l, p, to_bound) : size;
    int64_t step = 1;
    if (from == PSY_NONE || to == PSY_NONE || (step_e && !take_step(l, step_e, &step))) {
        return NULL;
    }
    if (from == 0 && to == size && step == 1) {
        return p->v;
    }
    if (is_sharded(l, p, p->span)) {
        return NULL;
    }
    bool known = !psy__dim_is_symbol(from) && !psy__dim_is_symbol(to);
    if (known && (from > to || (!psy__dim_is_symbol(size) && to > size))) {
        psc_note(ERROR(PSC_E_SHAPE, p->span, "%u..%u is no part of axis %u, which has %s places", from, to, p->number,
                       psc_dim_text(l->unit, size)),
                 p->whole->span, "this is %s", psc_type_text(l, p->whole));
        return NULL;
    }
    psy_dim count = psc_dim_compute(l, p->span, '-', to, from);
    if (count != PSY_NONE && step != 1) {
        if (psy__dim_is_symbol(count)) {
            ERROR(PSC_E_UNSUPPORTED, p->span, "a step needs a part whose length is a number, and this is %s long",
                  psc_dim_text(l->unit, count));
            return NULL;
        }
        count = (psy_dim)((count + step - 1) / step);
    }
    return count == PSY_NONE ? NULL : psc_shape_slice(l, p->span, p->v, p->axis, from, count, (int32_t)step);
}

/* One element: the axis is gone. */
static psc_value *element(psc_lowering *l, const place *p, const bound *b)
{
    psy_dim dims[PSY_RANK_MAX], at = is_sharded(l, p, b->span) ? PSY_NONE : dim_of(l, p, b), size = p->v->dims[p->axis];
    if (at == PSY_NONE) {
        return NULL;
    }
    if (!psy__dim_is_symbol(at) && !psy__dim_is_symbol(size) && at >= size) {
        out_of_range(l, p, b->span, b->negative);
        return NULL;
    }
    if (p->v->length && p->v->length_axis == p->axis) {
        psc_needs_all(l, b->span, p->v);
        return NULL;
    }
    psc_value *one = psc_shape_slice(l, p->span, p->v, p->axis, at, 1, 1);
    memcpy(dims, p->v->dims, sizeof dims);
    memmove(dims + p->axis, dims + p->axis + 1, (PSY_RANK_MAX - p->axis - 1) * sizeof *dims);
    return psc_shape_reshape(l, p->span, one, dims, p->v->rank - 1u);
}

/* A place that is known at run time, or several. *added says how many axes came in place of the one. */
static psc_value *gather(psc_lowering *l, const place *p, const psc_term *t, uint32_t *added)
{
    if (t->kind == PSC_TERM_REAL) {
        ERROR(PSC_E_TYPE, t->span, "a place is a whole number, and this is a fraction");
        return NULL;
    }
    psc_value *index = psc_promote(l, psc_as_value(l, t, PSY_I64));
    if (!index) {
        return NULL;
    }
    if (!psy__dtype_computes(index->dtype) || psy__dtype_class(index->dtype) == PSY_DCLASS_FLOAT) {
        ERROR(PSC_E_TYPE, t->span, "a place is a whole number, and this is %s", psc_type_text(l, index));
        return NULL;
    }
    *added = index->rank;
    bool sharded = psc_ir_sharded_axis(p->v, l->unit->symbols.at) == (int)p->axis;
    return sharded ? psc_hits_gather(l, t->span, p->v, index, p->axis) : psc_shape_gather(l, t->span, p->v, index, p->axis);
}

static psc_value *apply(psc_lowering *l, const place *p, const hrm_index *i, const bound *to, uint32_t *added)
{
    *added = i->part;
    bound from = i->from ? take_bound(l, i->from) : (bound){.term = psc_poison(i->span)};
    if (i->part) {
        return part(l, p, i->from ? &from : NULL, to, i->step);
    }
    return from.term.kind == PSC_TERM_POISON ? NULL : is_known(&from) ? element(l, p, &from) : gather(l, p, &from.term, added);
}

/* x[..n] with a length that is known at run time. */
static psc_term prefix(psc_lowering *l, const hrm_expr *e, psc_value *v, const bound *to)
{
    psc_value *length = psc_promote(l, psc_as_value(l, &to->term, PSY_I64));
    if (!length) {
        return psc_poison(e->span);
    }
    place p = {.whole = v, .v = v, .span = e->span};
    if (is_sharded(l, &p, e->span)) {
        return psc_poison(e->span);
    }
    if (length->rank != 0 || !psy__dtype_computes(length->dtype) || psy__dtype_class(length->dtype) == PSY_DCLASS_FLOAT) {
        ERROR(PSC_E_TYPE, to->span, "a length is a whole number, and this is %s", psc_type_text(l, length));
    } else {
        return psc_of_value(psc_shorten(l, e->span, v, length), e->span);
    }
    return psc_poison(e->span);
}

static psc_term lower_places(psc_lowering *l, const hrm_expr *e, psc_value *v)
{
    place p = {.whole = v, .v = v};
    for (size_t i = 0; p.v && i < e->indices.count; i++) {
        const hrm_index *at = &e->indices.at[i];
        bound to = at->to ? take_bound(l, at->to) : (bound){.term = psc_poison(at->span)};
        if (at->to && to.term.kind == PSC_TERM_POISON) {
            return psc_poison(e->span);
        }
        if (at->to && e->indices.count == 1 && !at->from && !at->step && !is_known(&to)) {
            return prefix(l, e, v, &to);
        }
        uint32_t added;
        p.number = (uint32_t)i;
        p.span = at->span;
        p.v = apply(l, &p, at, at->to ? &to : NULL, &added);
        p.axis += added;
    }
    return psc_of_value(p.v, e->span);
}

psc_term psc_lower_indices(psc_lowering *l, const hrm_expr *e, const psc_term *of)
{
    psc_value *v = psc_as_value(l, of, PSY_F32);
    if (!v) {
        return psc_poison(e->span);
    }
    if (e->indices.count > v->rank) {
        psc_note(ERROR(PSC_E_SHAPE, e->span, "%zu place%s for %u ax%s", e->indices.count, e->indices.count == 1 ? "" : "s",
                       v->rank, v->rank == 1 ? "is" : "es"),
                 v->span, "this is %s", psc_type_text(l, v));
        return psc_poison(e->span);
    }
    unsigned hint = l->hint;
    l->hint = PSY_I64; /* what numbers among themselves are in a place */
    psc_term t = lower_places(l, e, v);
    l->hint = hint;
    return t;
}
