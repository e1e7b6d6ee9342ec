/* SPDX-License-Identifier: Apache-2.0 */
/* x[...]: elements, parts of axes, and gathers. */
#include <string.h>

#include "call.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

static bool is_sharded(psc_lowering *l, const psc_value *v, uint32_t axis, psc_span span)
{
    if (psc_ir_sharded_axis(v, l->unit->symbols.at) != (int)axis) {
        return false;
    }
    psc_diagnostic *d = ERROR(PSC_E_SPLIT, span, "%s is spread over the shards: a part of it is on none of them",
                              psc_dim_text(l->unit, v->dims[axis]));
    psc_help(d, "take the best with `topk`, or keep the data `replicated`");
    return true;
}

/* A constant place: from the end where it is negative. PSY_NONE after an error. */
static psy_dim place(psc_lowering *l, const hrm_expr *e, const psc_value *v, uint32_t axis)
{
    bool negative = e->kind == HRM_UNARY && e->op == '-';
    psy_dim d = psc_dim_of(l, negative ? e->left : e);
    if (d == PSY_NONE || !negative) {
        return psc_dim_seen_by(l, v, d);
    }
    return is_sharded(l, v, axis, e->span) ? PSY_NONE : psc_dim_compute(l, e->span, '-', v->dims[axis], d);
}

static psc_value *out_of_range(psc_lowering *l, psc_span span, const psc_value *v, uint32_t axis)
{
    psc_note(ERROR(PSC_E_SHAPE, span, "axis %u has places 0 to %s", axis, psc_format(l->unit->arena, "%u", v->dims[axis] - 1)),
             v->span, "this is %s", psc_type_text(l, v));
    return NULL;
}

/* A part of an axis: from .. below, by a step. */
static psc_value *part(psc_lowering *l, psc_value *v, uint32_t axis, const hrm_index *i)
{
    psy_dim size = v->dims[axis], from = i->from ? place(l, i->from, v, axis) : 0, to = i->to ? place(l, i->to, v, axis) : size;
    int64_t step = 1;
    if (from == PSY_NONE || to == PSY_NONE) {
        return NULL;
    }
    if (i->step) {
        psc_constant_value k = psc_known_number(l, i->step);
        if (k.poisoned || k.is_float || k.integer < 1 || k.integer > INT32_MAX) {
            if (!k.poisoned) {
                ERROR(PSC_E_ARGUMENTS, i->step->span, "a step is a whole number from 1 to %d", INT32_MAX);
            }
            return NULL;
        }
        step = (int64_t)k.integer;
    }
    if (from == 0 && to == size && step == 1) {
        return v;
    }
    if (is_sharded(l, v, axis, i->span)) {
        return NULL;
    }
    bool known = !psy__dim_is_symbol(from) && !psy__dim_is_symbol(to) && !psy__dim_is_symbol(size);
    if (known && (from > to || to > size)) {
        psc_note(ERROR(PSC_E_SHAPE, i->span, "places %u to %u are not all on an axis of %u", from, to, size), v->span,
                 "this is %s", psc_type_text(l, v));
        return NULL;
    }
    psy_dim count = psc_dim_compute(l, i->span, '-', to, from);
    if (count != PSY_NONE && step != 1) {
        if (psy__dim_is_symbol(count)) {
            ERROR(PSC_E_UNSUPPORTED, i->span, "a step needs a part whose length is a number, and this is %s long",
                  psc_dim_text(l->unit, count));
            return NULL;
        }
        count = (psy_dim)((count + step - 1) / step);
    }
    return count == PSY_NONE ? NULL : psc_shape_slice(l, i->span, v, axis, from, count, (int32_t)step);
}

/* One element: the axis is gone. */
static psc_value *element(psc_lowering *l, psc_value *v, uint32_t axis, psy_dim at, psc_span span)
{
    psy_dim dims[PSY_RANK_MAX];
    if (is_sharded(l, v, axis, span)) {
        return NULL;
    }
    if (!psy__dim_is_symbol(at) && !psy__dim_is_symbol(v->dims[axis]) && at >= v->dims[axis]) {
        return out_of_range(l, span, v, axis);
    }
    psc_value *one = psc_shape_slice(l, span, v, axis, at, 1, 1);
    memcpy(dims, v->dims, sizeof dims);
    memmove(dims + axis, dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *dims);
    return psc_shape_reshape(l, span, one, dims, v->rank - 1u);
}

/* A place that is known at run time, or several. *added says how many axes came in place of the one. */
static psc_value *gather(psc_lowering *l, psc_value *v, uint32_t axis, const psc_term *t, uint32_t *added)
{
    psc_value *index = psc_promote(l, psc_as_value(l, t, PSY_I64));
    if (!index) {
        return NULL;
    }
    if (!psy__dtype_computes(index->dtype) || psy__dtype_class(index->dtype) == PSY_DCLASS_FLOAT) {
        ERROR(PSC_E_TYPE, t->span, "a place is a whole number, and this is %s", psc_type_text(l, index));
        return NULL;
    }
    *added = index->rank;
    return is_sharded(l, v, axis, t->span) ? NULL : psc_shape_gather(l, t->span, v, index, axis);
}

static psc_value *apply(psc_lowering *l, psc_value *v, uint32_t axis, const hrm_index *i, uint32_t *added)
{
    *added = 1;
    if (i->part) {
        return part(l, v, axis, i);
    }
    *added = 0;
    bool negative = i->from->kind == HRM_UNARY && i->from->op == '-';
    psc_term t = psc_lower_expr(l, i->from);
    if (t.kind == PSC_TERM_POISON) {
        return NULL;
    }
    if (t.kind == PSC_TERM_SIZE || (t.kind == PSC_TERM_INTEGER && (t.integer >= 0 || negative))) {
        psy_dim at = place(l, i->from, v, axis);
        return at == PSY_NONE ? NULL : element(l, v, axis, at, i->span);
    }
    return gather(l, v, axis, &t, added);
}

/* x[..n] with a length that is known at run time: for bounded fields. False: it is something else. */
static bool is_prefix(psc_lowering *l, const hrm_expr *e, psc_value *v, psc_term *out)
{
    const hrm_index *i = &e->indices.at[0];
    if (e->indices.count != 1 || !i->part || i->from || i->step || !i->to || (i->to->kind == HRM_UNARY && i->to->op == '-')) {
        return false;
    }
    psc_term t = psc_lower_expr(l, i->to);
    if (t.kind == PSC_TERM_INTEGER || t.kind == PSC_TERM_SIZE) {
        return false;
    }
    *out = psc_poison(e->span);
    psc_value *length = t.kind == PSC_TERM_POISON ? NULL : psc_promote(l, psc_as_value(l, &t, PSY_I64));
    if (!length) {
        return true;
    }
    if (v->rank != 1) {
        ERROR(PSC_E_SHAPE, e->left->span, "`x[..n]` takes a vector, and this is %s", psc_type_text(l, v));
    } else if (length->rank != 0 || !psy__dtype_computes(length->dtype) ||
               psy__dtype_class(length->dtype) == PSY_DCLASS_FLOAT) {
        ERROR(PSC_E_TYPE, i->to->span, "a length is a whole number, and this is %s", psc_type_text(l, length));
    } else {
        *out = (psc_term){.kind = PSC_TERM_PREFIX, .span = e->span, .value = v, .other = length};
    }
    return true;
}

psc_term psc_lower_indices(psc_lowering *l, const hrm_expr *e, const psc_term *of)
{
    psc_value *v = psc_as_value(l, of, PSY_F32);
    psc_term prefix;
    if (!v) {
        return psc_poison(e->span);
    }
    if (is_prefix(l, e, v, &prefix)) {
        return prefix;
    }
    if (e->indices.count > v->rank) {
        psc_note(ERROR(PSC_E_SHAPE, e->span, "%zu places for %u ax%s", e->indices.count, v->rank, v->rank == 1 ? "is" : "es"),
                 v->span, "this is %s", psc_type_text(l, v));
        return psc_poison(e->span);
    }
    uint32_t axis = 0;
    for (size_t i = 0; v && i < e->indices.count; i++) {
        uint32_t added;
        v = apply(l, v, axis, &e->indices.at[i], &added);
        axis += added;
    }
    return psc_of_value(v, e->span);
}
