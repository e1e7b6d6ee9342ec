/* SPDX-License-Identifier: Apache-2.0 */
/* Values of which only the first elements along an axis are there, as many as a message says: what bounded fields give, and
 * x[..n]. Such a value is a copy of the value itself (`bare`) with a length, which is not in the program: operations that keep
 * the length are made of what is bare, and give such a copy again. */
#include <string.h>

#include "call.h"
#include "isa/scalar.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

psc_value *psc_bare(psc_value *v) { return v && v->bare ? v->bare : v; }

psc_value *psc_with_length(psc_lowering *l, psc_value *v, psc_value *length, uint32_t axis)
{
    if (!v || !length) {
        return NULL;
    }
    psc_value *copy = psc_new(l->unit->arena, psc_value);
    *copy = *v;
    copy->length = length;
    copy->length_axis = (uint8_t)axis;
    copy->bare = v;
    return copy;
}

psc_value *psc_like_length(psc_lowering *l, psc_value *v, const psc_value *like, uint32_t axis)
{
    return like->length ? psc_with_length(l, v, like->length, axis) : v;
}

/* ---- lengths ---- */

enum { COMPARED_MAX = 256 };

/* Whether two lengths are made in the same way. */
static bool same(const psc_value *a, const psc_value *b, unsigned *compared)
{
    if (a == b) {
        return true;
    }
    if (!a || !b || ++*compared > COMPARED_MAX || a->op != b->op || a->dtype != b->dtype || a->index != b->index ||
        a->base != b->base || a->step != b->step || a->bits != b->bits || a->operand_count != b->operand_count ||
        !psc_ir_same_dims(a, b)) {
        return false;
    }
    for (unsigned k = 0; k < a->operand_count; k++) {
        if (!same(a->operands[k], b->operands[k], compared)) {
            return false;
        }
    }
    return true;
}

/* What was cut to the dim, as psc_emit_length does; NULL: it was not. */
static psc_value *before_cut(psc_value *n, psy_dim dim)
{
    bool is_cast = n->op == PSY_OP_CAST && n->dtype == PSY_U32;
    n = is_cast ? n->operands[0] : n;
    if (n->op != PSY_OP_MIN || n->operands[1]->op != PSY_OP_SIZE || n->operands[1]->index != dim ||
        (!is_cast && n->dtype != PSY_U32)) {
        return NULL;
    }
    n = n->operands[0];
    bool positive = n->op == PSY_OP_MAX && n->operands[1]->op == PSY_OP_CONST && n->operands[1]->bits == 0;
    return positive ? n->operands[0] : n;
}

static bool equally_long(const psc_value *a, const psc_value *b)
{
    unsigned compared = 0;
    const psc_value *x = before_cut(a->length, a->dims[a->length_axis]), *y = before_cut(b->length, b->dims[b->length_axis]);
    return same(x ? x : a->length, y ? y : b->length, &compared);
}

psc_value *psc_emit_length(psc_lowering *l, psc_span span, const psc_value *v)
{
    psc_value *n = v->length;
    if (before_cut(n, v->dims[v->length_axis])) {
        return n;
    }
    if (psy__dtype_class(n->dtype) == PSY_DCLASS_SINT) {
        n = psc_emit_map2(l, span, PSY_OP_MAX, n, psc_emit_number(l, span, n->dtype, 0));
    }
    psc_value *most = n ? psc_emit_size(l, span, n->dtype, v->dims[v->length_axis]) : NULL;
    return psc_emit_cast(l, span, PSY_U32, psc_emit_map2(l, span, PSY_OP_MIN, n, most));
}

psc_value *psc_emit_extent(psc_lowering *l, psc_span span, unsigned dtype, const psc_value *v, uint32_t axis)
{
    return v->length && v->length_axis == axis ? psc_emit_cast(l, span, dtype, psc_emit_length(l, span, v))
                                               : psc_emit_size(l, span, dtype, v->dims[axis]);
}

psc_value *psc_shorten(psc_lowering *l, psc_span span, psc_value *v, psc_value *length)
{
    psc_value *shorter = psc_with_length(l, psc_bare(v), length, 0);
    if (!shorter || (v->length && v->length_axis == 0 && equally_long(shorter, v))) {
        return shorter ? v : NULL;
    }
    if (v->length && v->length_axis != 0) {
        psc_needs_all(l, span, v);
        return NULL;
    }
    if (v->length) {
        psc_value *a = psc_emit_length(l, span, shorter), *b = psc_emit_length(l, span, v);
        shorter = psc_with_length(l, psc_bare(v), psc_emit_map2(l, span, PSY_OP_MIN, a, b), 0);
    }
    if (shorter) {
        shorter->span = span;
    }
    return shorter;
}

/* ---- what is not there ---- */

/* Which places of the axis are there. */
static psc_value *places_there(psc_lowering *l, psc_span span, const psc_value *v)
{
    psy_dim n = v->dims[v->length_axis];
    psc_value *place = psc_emit(l, span, PSY_OP_IOTA, PSY_U32, &n, 1, NULL, 0);
    return psc_emit_map2(l, span, PSY_OP_LT, place, psc_emit_length(l, span, v));
}

psc_value *psc_fill(psc_lowering *l, psc_span span, psc_value *v, psc_value *filler)
{
    if (!v || !v->length || !filler) {
        return filler ? v : NULL;
    }
    psy_dim dims[PSY_RANK_MAX] = {v->dims[v->length_axis], 1, 1, 1, 1, 1, 1, 1};
    psc_value *there = places_there(l, span, v),
              *all[3] = {psc_shape_reshape(l, span, there, dims, (uint32_t)v->rank - v->length_axis), psc_bare(v), filler};
    return psc_emit_map(l, span, PSY_OP_CHOOSE, all, 3);
}

psc_value *psc_fill_neutral(psc_lowering *l, psc_span span, unsigned op, psc_value *v)
{
    uint64_t bits = 0;
    psy__identity(op, v->dtype, &bits);
    psc_value *filler = psc_emit(l, span, PSY_OP_CONST, v->dtype, NULL, 0, NULL, 0);
    if (filler) {
        filler->bits = bits;
    }
    return psc_fill(l, span, v, filler);
}

psc_value *psc_fill_last(psc_lowering *l, psc_span span, psc_value *v, bool descending)
{
    if (!v->length) {
        return v;
    }
    if (psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT) {
        return psc_fill(l, span, v, psc_emit_number(l, span, v->dtype, __builtin_nan("")));
    }
    return psc_fill_neutral(l, span, descending ? PSY_OP_RMAX : PSY_OP_RMIN, v);
}

/* ---- operations ---- */

void psc_needs_all(psc_lowering *l, psc_span span, const psc_value *v)
{
    psc_diagnostic *d =
        ERROR(PSC_E_SHAPE, span, "this needs all elements of %s, and a message may have fewer", psc_type_text(l, v));
    psc_note(d, v->span, "this is %s", psc_type_text(l, v));
    psc_help(d, "say what stands for those that are not there: `fill(x, 0)`");
}

static bool unequal(psc_lowering *l, psc_span span, const psc_value *a, const psc_value *b)
{
    psc_diagnostic *d =
        ERROR(PSC_E_SHAPE, span, "%s and %s may have different lengths", psc_type_text(l, a), psc_type_text(l, b));
    psc_note(d, a->span, "this is %s", psc_type_text(l, a));
    psc_note(d, b->span, "this is %s", psc_type_text(l, b));
    psc_help(d,
             "give both the length of one, `x[..length(y)]`, or say what stands for elements that are not there: `fill(y, 0)`");
    return false;
}

bool psc_common_length(psc_lowering *l, psc_span span, psc_value *const *operands, unsigned count, const psy_dim *dims,
                       uint32_t rank, const psc_value **longest, uint32_t *axis)
{
    *longest = NULL;
    for (unsigned i = 0; i < count; i++) {
        const psc_value *o = operands[i];
        uint32_t at = o->length_axis + rank - o->rank;
        if (!o->length) {
            continue;
        }
        if (*longest && (at != *axis || !equally_long(o, *longest))) {
            return unequal(l, span, *longest, o);
        }
        *longest = o;
        *axis = at;
    }
    for (unsigned i = 0; *longest && i < count; i++) {
        const psc_value *o = operands[i];
        uint32_t missing = rank - o->rank;
        bool repeated = *axis < missing || o->dims[*axis - missing] == 1;
        if (o->length ? o->dims[o->length_axis] != dims[*axis] : !repeated) {
            return unequal(l, span, *longest, o);
        }
    }
    return true;
}

psc_value *psc_emit_shorter(psc_lowering *l, psc_span span, unsigned op, unsigned dtype, const psy_dim *dims, uint32_t rank,
                            psc_value *const *operands, unsigned count)
{
    psc_value *bare[PSC_OPERANDS_MAX];
    const psc_value *like = NULL;
    uint32_t axis = 0;
    psy_op_class class_ = op < PSC_OP_LABELS ? psy__op_info(op)->class_ : PSY_CLASS_VIEW;
    if (psy__class_is_map(class_)) {
        if (!psc_common_length(l, span, operands, count, dims, rank, &like, &axis)) {
            return NULL;
        }
    } else if (class_ != PSY_CLASS_STORE) {
        for (unsigned i = 0; i < count; i++) {
            if (operands[i] && operands[i]->length) {
                psc_needs_all(l, span, operands[i]);
                return NULL;
            }
        }
    }
    for (unsigned i = 0; i < count; i++) {
        bare[i] = psc_bare(operands[i]);
    }
    psc_value *v = psc_emit(l, span, op, dtype, dims, rank, bare, count);
    return v && like ? psc_with_length(l, v, like->length, axis) : v;
}

/* ---- fields, and functions ---- */

psc_value *psc_load_bounded(psc_lowering *l, psc_span span, uint32_t index, const psc_field *f, psc_value *room)
{
    psc_value *count = psc_emit(l, span, PSY_OP_COUNT, PSY_U32, NULL, 0, NULL, 0);
    if (count) {
        count->index = index;
        count->name = f->name;
    }
    return psc_with_length(l, room, count, 0);
}

psc_term psc_call_length(psc_call *c)
{
    psc_lowering *l = c->l;
    if (c->at[0].kind == PSC_TERM_TEXT) {
        return psc_call_result(c, psc_text_lengths(l, c->e->span, &c->at[0]));
    }
    psc_value *v = psc_call_raw(c, 0);
    if (v && !v->length) {
        psc_help(ERROR(PSC_E_TYPE, c->at[0].span,
                       "`length` takes what may have fewer elements than there is room for, and this "
                       "is %s",
                       psc_type_text(l, v)),
                 v->rank ? "`size(x)` is the size of an axis" : "bounded fields have a length");
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, v ? psc_emit_length(l, c->e->span, v) : NULL);
}

/* Texts of a bounded field, with another text where none is. */
static psc_term fill_texts(psc_call *c)
{
    psc_lowering *l = c->l;
    const psc_term *t = &c->at[0], *filler = &c->at[1];
    if (!t->value->length || t->value->length_axis != 0 || t->value->rank != 2) {
        psc_help(ERROR(PSC_E_TYPE, t->span, "all of %s are there: nothing is to be filled", psc_text_type(l, t)),
                 "leave `fill` out");
        return psc_poison(c->e->span);
    }
    if (filler->kind == PSC_TERM_TEXT && filler->value->rank != 1) {
        ERROR(PSC_E_SHAPE, filler->span, "one text stands for those that are not there, and this is %s",
              psc_text_type(l, filler));
        return psc_poison(c->e->span);
    }
    psc_term all = psc_text_term(psc_bare(t->value), psc_bare(t->other), t->span);
    psc_value *there = places_there(l, c->e->span, t->value);
    return there ? psc_text_choose(l, c->e->span, there, &all, filler) : psc_poison(c->e->span);
}

psc_term psc_call_fill(psc_call *c)
{
    psc_lowering *l = c->l;
    if (c->at[0].kind == PSC_TERM_TEXT) {
        return fill_texts(c);
    }
    psc_value *v = psc_call_raw(c, 0), *filler = v ? psc_as_value(l, &c->at[1], v->dtype) : NULL;
    if (!filler) {
        return psc_poison(c->e->span);
    }
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    if (!v->length) {
        psc_help(ERROR(PSC_E_TYPE, c->at[0].span, "all elements of %s are there: nothing is to be filled", psc_type_text(l, v)),
                 "leave `fill` out");
    } else if (filler->length) {
        psc_needs_all(l, c->at[1].span, filler);
    } else if (filler->dtype != v->dtype) {
        psc_diagnostic *d = ERROR(PSC_E_TYPE, c->e->span, "%s and %s are different types", psy__dtype_name(v->dtype),
                                  psy__dtype_name(filler->dtype));
        psc_help(d, "cast it: `%s(...)`", psy__dtype_name(v->dtype));
    } else if (!psc_ir_broadcast(v, filler, dims, &rank) || rank != v->rank ||
               memcmp(dims, v->dims, rank * sizeof *dims) != 0) {
        psc_diagnostic *d = ERROR(PSC_E_SHAPE, c->at[1].span, "%s cannot be repeated to %s", psc_type_text(l, filler),
                                  psc_shape_text(l->unit, v->dims, v->rank));
        psc_note(d, v->span, "this is %s", psc_type_text(l, v));
    } else {
        return psc_call_result(c, psc_fill(l, c->e->span, v, filler));
    }
    return psc_poison(c->e->span);
}
