/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that change shapes and move elements. */
#include <string.h>

#include "call.h"
#include "isa/verify.h"

#define ERROR(...) psc_error(c->l->unit->diags, __VA_ARGS__)

enum { CONCAT_AXIS = 0 };

/* ---- values ---- */

/* The elements one after the other, in a slot. */
static psc_value *copied(psc_lowering *l, psc_span span, psc_value *v)
{
    psc_value *r = v->rank ? psc_emit(l, span, PSY_OP_CONCAT, v->dtype, v->dims, v->rank, &v, 1) : v;
    return r;
}

static void record_of(const psc_value *v, const psy_dim *dims, uint32_t rank, psy_psm_register *out)
{
    *out = (psy_psm_register){.dtype = v->dtype, .rank = (uint8_t)rank};
    memcpy(out->dims, dims, rank * sizeof *dims);
}

/* Only axes of size 1 come and go: the length stays with its axis. */
static psc_value *reshape_shorter(psc_lowering *l, psc_span span, psc_value *v, const psy_psm_register *from,
                                  const psy_psm_register *to)
{
    uint32_t before = 0, axis = 0;
    if (!psy__only_ones_differ(from, to) || v->dims[v->length_axis] == 1) {
        psc_needs_all(l, span, v);
        return NULL;
    }
    for (uint32_t d = 0; d < v->length_axis; d++) {
        before += v->dims[d] != 1;
    }
    while (to->dims[axis] == 1 || before > 0) {
        before -= to->dims[axis++] != 1;
    }
    return psc_like_length(l, psc_shape_reshape(l, span, psc_bare(v), to->dims, to->rank), v, axis);
}

psc_value *psc_shape_reshape(psc_lowering *l, psc_span span, psc_value *v, const psy_dim *dims, uint32_t rank)
{
    psy_psm_register from, to;
    if (!v || (v->rank == rank && memcmp(v->dims, dims, rank * sizeof *dims) == 0)) {
        return v;
    }
    record_of(v, v->dims, v->rank, &from);
    record_of(v, dims, rank, &to);
    if (v->length) {
        return reshape_shorter(l, span, v, &from, &to);
    }
    if (psc_ir_is_stridden(v) && !psy__only_ones_differ(&from, &to)) {
        v = copied(l, span, v);
    }
    return v ? psc_emit(l, span, PSY_OP_RESHAPE, v->dtype, dims, rank, &v, 1) : NULL;
}

psc_value *psc_shape_insert(psc_lowering *l, psc_span span, psc_value *v, uint32_t axis)
{
    psy_dim dims[PSY_RANK_MAX + 1];
    if (!v) {
        return NULL;
    }
    if (v->rank == PSY_RANK_MAX) {
        psc_error(l->unit->diags, PSC_E_SHAPE, span, "a tensor has at most %d axes", PSY_RANK_MAX);
        return NULL;
    }
    memcpy(dims, v->dims, axis * sizeof *dims);
    dims[axis] = 1;
    memcpy(dims + axis + 1, v->dims + axis, (v->rank - axis) * sizeof *dims);
    return psc_shape_reshape(l, span, v, dims, v->rank + 1u);
}

psc_value *psc_shape_permute(psc_lowering *l, psc_span span, psc_value *v, const uint32_t *axes)
{
    psy_dim dims[PSY_RANK_MAX];
    uint32_t order = 0, length_axis = 0;
    bool same = true;
    if (!v) {
        return NULL;
    }
    for (uint32_t d = 0; d < v->rank; d++) {
        dims[d] = v->dims[axes[d]];
        order |= axes[d] << 4 * d;
        length_axis = axes[d] == v->length_axis ? d : length_axis;
        same = same && axes[d] == d;
    }
    if (same) {
        return v;
    }
    psc_value *bare = psc_bare(v), *r = psc_emit(l, span, PSY_OP_PERMUTE, v->dtype, dims, v->rank, &bare, 1);
    if (r) {
        r->index = order;
        r = psc_like_length(l, r, v, length_axis);
    }
    return r;
}

psc_value *psc_shape_slice(psc_lowering *l, psc_span span, psc_value *v, uint32_t axis, psy_dim from, psy_dim count,
                           int32_t step)
{
    psy_dim dims[PSY_RANK_MAX];
    if (!v || (from == 0 && step == 1 && count == v->dims[axis])) {
        return v;
    }
    memcpy(dims, v->dims, sizeof dims);
    dims[axis] = count;
    bool shorter = v->length && v->length_axis == axis;
    if (shorter && (from != 0 || step != 1)) {
        psc_needs_all(l, span, v);
        return NULL;
    }
    psc_value *bare = psc_bare(v), *r = psc_emit(l, span, PSY_OP_SLICE, v->dtype, dims, v->rank, &bare, 1);
    if (r) {
        r->index = axis;
        r->base = from;
        r->step = step;
        r = psc_like_length(l, r, v, v->length_axis); /* cut to what is left */
    }
    return r;
}

psc_value *psc_shape_gather(psc_lowering *l, psc_span span, psc_value *v, psc_value *index, uint32_t axis)
{
    psy_dim dims[2 * PSY_RANK_MAX];
    uint32_t rank = 0;
    if (v->rank - 1u + index->rank > PSY_RANK_MAX) {
        psc_error(l->unit->diags, PSC_E_SHAPE, span, "a tensor has at most %d axes", PSY_RANK_MAX);
        return NULL;
    }
    for (uint32_t d = 0; d < v->rank; d++) {
        if (d == axis) {
            memcpy(dims + rank, index->dims, index->rank * sizeof *dims);
            rank += index->rank;
        } else {
            dims[rank++] = v->dims[d];
        }
    }
    if (v->length && (v->length_axis == axis || index->length)) {
        psc_needs_all(l, span, v);
        return NULL;
    }
    psc_value *r = psc_emit(l, span, PSY_OP_GATHER, v->dtype, dims, rank, (psc_value *[]){psc_bare(v), psc_bare(index)}, 2);
    if (r) {
        r->index = axis;
        r = psc_like_length(l, r, index, axis + index->length_axis);
        r = psc_like_length(l, r, v, v->length_axis < axis ? v->length_axis : v->length_axis + index->rank - 1u);
    }
    return r;
}

psc_value *psc_shape_join(psc_lowering *l, psc_span span, psc_value *const *parts, unsigned count, uint32_t axis)
{
    psy_dim dims[PSY_RANK_MAX], sum = 0;
    memcpy(dims, parts[0]->dims, sizeof dims);
    for (unsigned i = 0; i < count; i++) {
        sum = i == 0 ? parts[0]->dims[axis] : psc_dim_compute(l, span, '+', sum, parts[i]->dims[axis]);
        if (sum == PSY_NONE) {
            return NULL;
        }
    }
    dims[axis] = sum;
    psc_value *r = psc_emit(l, span, PSY_OP_CONCAT, parts[0]->dtype, dims, parts[0]->rank, parts, count);
    if (r) {
        r->index = axis;
    }
    return r;
}

/* [..., M, K] @ [..., K, N]: DOT over the last axis of [..., M, 1, K] and [..., 1, N, K]. */
psc_term psc_shape_matmul(psc_lowering *l, psc_span span, psc_value *a, psc_value *b)
{
    if (b->rank == 1 && a->rank == 2 && a->dims[1] != b->dims[0] && a->dims[0] == b->dims[0]) {
        psc_diagnostic *d = psc_error(l->unit->diags, PSC_E_SHAPE, span, "%s and %s do not multiply",
                                      psc_shape_text(l->unit, a->dims, a->rank), psc_shape_text(l->unit, b->dims, b->rank));
        psc_note(d, a->span, "this is %s", psc_type_text(l, a));
        psc_note(d, b->span, "this is %s", psc_type_text(l, b));
        psc_help(d, "turn the left one round: `transpose(a) @ b`");
        return psc_poison(span);
    }
    if (b->rank < 2) {
        return psc_of_value(psc_emit_dot(l, span, a, b), span);
    }
    uint32_t axes[PSY_RANK_MAX];
    if (a->rank == 0 || a->dims[a->rank - 1] != b->dims[b->rank - 2]) {
        psc_diagnostic *d = psc_error(l->unit->diags, PSC_E_SHAPE, span,
                                      "%s and %s do not multiply: the last size on the left is the last but one on the right",
                                      psc_shape_text(l->unit, a->dims, a->rank), psc_shape_text(l->unit, b->dims, b->rank));
        psc_note(d, a->span, "this is %s", psc_type_text(l, a));
        psc_note(d, b->span, "this is %s", psc_type_text(l, b));
        if (a->rank && a->dims[a->rank - 1] == b->dims[b->rank - 1]) {
            psc_help(d, "turn the right one round: `a @ transpose(b)`");
        }
        return psc_poison(span);
    }
    for (uint32_t d = 0; d < b->rank; d++) {
        axes[d] = d + 2 == b->rank ? d + 1 : d + 1 == b->rank ? d - 1 : d;
    }
    psc_value *turned = psc_shape_permute(l, span, b, axes);
    if (turned) {
        turned->span = b->span; /* for notes: it stands for what was written */
    }
    if (a->rank >= 2) {
        a = psc_shape_insert(l, span, a, a->rank - 1u);
        turned = turned && turned->rank > 2 ? psc_shape_insert(l, span, turned, turned->rank - 2u) : turned;
    }
    return psc_of_value(psc_emit_dot(l, span, a, turned), span);
}

/* ---- arguments ---- */

/* The i-th argument that has no name. */
static const hrm_expr *argument(psc_call *c, unsigned i)
{
    for (size_t k = 0; k < c->e->arguments.count; k++) {
        if (!c->e->arguments.at[k].name.text && i-- == 0) {
            return c->e->arguments.at[k].value;
        }
    }
    return NULL;
}

psy_dim psc_call_dim(psc_call *c, unsigned i) { return psc_dim_of(c->l, argument(c, i)); }

/* The argument as the dims of a shape that `v` gets. */
static bool take_dims(psc_call *c, unsigned i, const psc_value *v, psy_dim *dims, uint32_t *rank)
{
    const hrm_expr *e = argument(c, i);
    if (e->kind != HRM_LIST || e->arguments.count > PSY_RANK_MAX) {
        psc_help(ERROR(PSC_E_ARGUMENTS, e->span, "the sizes of a shape are needed here, at most %d", PSY_RANK_MAX),
                 "write `%s(..., [2, 3])`", c->e->name.text);
        return false;
    }
    *rank = (uint32_t)e->arguments.count;
    for (uint32_t d = 0; d < *rank; d++) {
        dims[d] = psc_dim_seen_by(c->l, v, psc_dim_of(c->l, e->arguments.at[d].value));
        if (dims[d] == PSY_NONE) {
            return false;
        }
    }
    return true;
}

/* ---- functions ---- */

/* The product of the numbers; names left in `names`, which has room for all. False where a computed size is among them. */
static bool product_of(const psc_unit *u, const psy_dim *dims, uint32_t rank, uint64_t *numbers, psy_dim *names,
                       uint32_t *count)
{
    *numbers = 1;
    *count = 0;
    for (uint32_t d = 0; d < rank; d++) {
        if (!psy__dim_is_symbol(dims[d])) {
            if (__builtin_mul_overflow(*numbers, (uint64_t)dims[d], numbers)) {
                *numbers = UINT64_MAX;
            }
        } else if (psy__symbol_word(u->symbols.at[psy__dim_symbol(dims[d])].kind)) {
            return false;
        } else {
            names[(*count)++] = dims[d];
        }
    }
    for (uint32_t i = 1; i < *count; i++) {
        for (uint32_t k = i; k > 0 && names[k] < names[k - 1]; k--) {
            psy_dim other = names[k];
            names[k] = names[k - 1];
            names[k - 1] = other;
        }
    }
    return true;
}

psc_term psc_call_reshape(psc_call *c)
{
    psc_unit *u = c->l->unit;
    psy_dim dims[PSY_RANK_MAX] = {0}, a[PSY_RANK_MAX], b[PSY_RANK_MAX];
    uint32_t rank, a_count, b_count;
    uint64_t x, y;
    psc_value *v = psc_call_raw(c, 0);
    if (!v || !take_dims(c, 1, v, dims, &rank)) {
        return psc_poison(c->e->span);
    }
    /* Sizes that are computed are compared when they are known. */
    bool known = product_of(u, v->dims, v->rank, &x, a, &a_count) && product_of(u, dims, rank, &y, b, &b_count);
    if (known && (x != y || a_count != b_count || memcmp(a, b, a_count * sizeof *a) != 0)) {
        psc_diagnostic *d = ERROR(PSC_E_SHAPE, c->e->span, "%s and %s have different numbers of elements",
                                  psc_shape_text(u, v->dims, v->rank), psc_shape_text(u, dims, rank));
        psc_note(d, v->span, "this is %s", psc_type_text(c->l, v));
        return psc_poison(c->e->span);
    }
    int axis = psc_ir_sharded_axis(v, u->symbols.at);
    if (axis >= 0 && (rank <= (uint32_t)axis || memcmp(dims, v->dims, ((uint32_t)axis + 1) * sizeof *dims) != 0)) {
        psc_call_sharded(c, v, (uint32_t)axis, "putting its axis into others");
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, psc_shape_reshape(c->l, c->e->span, v, dims, rank));
}

psc_term psc_call_transpose(psc_call *c)
{
    psc_value *v = psc_call_raw(c, 0);
    uint32_t axes[PSY_RANK_MAX], seen = 0;
    if (!v) {
        return psc_poison(c->e->span);
    }
    for (uint32_t d = 0; d < v->rank; d++) {
        axes[d] = v->rank - 1 - d;
    }
    if (c->count == 2) {
        const hrm_expr *e = argument(c, 1);
        bool ok = e->kind == HRM_LIST && e->arguments.count == v->rank;
        for (uint32_t d = 0; ok && d < v->rank; d++) {
            psc_constant_value k = psc_known_number(c->l, e->arguments.at[d].value);
            if (k.poisoned) {
                return psc_poison(c->e->span);
            }
            ok = !k.is_float && k.integer >= 0 && k.integer < v->rank && !(seen >> (uint32_t)k.integer & 1);
            axes[d] = ok ? (uint32_t)k.integer : 0;
            seen |= 1u << axes[d];
        }
        if (!ok) {
            psc_help(ERROR(PSC_E_ARGUMENTS, e->span, "the axes of %s in some order are needed here", psc_type_text(c->l, v)),
                     "write each of them once, from 0");
            return psc_poison(c->e->span);
        }
    }
    return psc_call_result(c, psc_shape_permute(c->l, c->e->span, v, axes));
}

/* The axis before which something comes: 0 to rank. */
static bool take_place(psc_call *c, unsigned named, uint32_t rank, int64_t otherwise, uint32_t *axis)
{
    int64_t k;
    if (!psc_call_integer(c, named, otherwise, &k)) {
        return false;
    }
    k = k < 0 ? k + rank + 1 : k;
    if (rank == PSY_RANK_MAX) {
        ERROR(PSC_E_SHAPE, c->e->span, "a tensor has at most %d axes", PSY_RANK_MAX);
        return false;
    }
    if (k < 0 || k > rank) {
        ERROR(PSC_E_SHAPE, c->named[named]->span, "the new axis is one of 0 to %u", rank);
        return false;
    }
    *axis = (uint32_t)k;
    return true;
}

psc_term psc_call_expand(psc_call *c)
{
    uint32_t axis;
    psc_value *v = psc_call_raw(c, 0);
    return psc_call_result(c,
                           v && take_place(c, 0, v->rank, v->rank, &axis) ? psc_shape_insert(c->l, c->e->span, v, axis) : NULL);
}

psc_term psc_call_broadcast(psc_call *c)
{
    psy_dim dims[PSY_RANK_MAX] = {0};
    uint32_t rank;
    psc_value *v = psc_call_raw(c, 0);
    if (!v || !take_dims(c, 1, v, dims, &rank)) {
        return psc_poison(c->e->span);
    }
    bool fits = v->rank <= rank, same = v->rank == rank;
    for (uint32_t d = 1; fits && d <= v->rank; d++) {
        fits = v->dims[v->rank - d] == 1 || v->dims[v->rank - d] == dims[rank - d];
        same = same && v->dims[v->rank - d] == dims[rank - d];
    }
    if (!fits) {
        psc_note(ERROR(PSC_E_SHAPE, c->e->span, "%s cannot be repeated to %s", psc_shape_text(c->l->unit, v->dims, v->rank),
                       psc_shape_text(c->l->unit, dims, rank)),
                 v->span, "this is %s", psc_type_text(c->l, v));
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, same ? v : psc_emit(c->l, c->e->span, PSY_OP_REPEAT, v->dtype, dims, rank, &v, 1));
}

/* All arguments, of one dtype and with the same dims but for `axis`. */
static bool take_parts(psc_call *c, psc_value **parts, uint32_t axis, bool stacked)
{
    for (unsigned i = 0; i < c->count; i++) {
        parts[i] = psc_call_raw(c, i);
        if (!parts[i]) {
            return false;
        }
        bool alike = parts[i]->dtype == parts[0]->dtype, same = parts[i]->rank == parts[0]->rank;
        for (uint32_t d = 0; same && d < parts[i]->rank; d++) {
            same = (d == axis && !stacked) || parts[i]->dims[d] == parts[0]->dims[d];
        }
        if (!same || !alike) {
            psc_diagnostic *d =
                alike ? ERROR(PSC_E_SHAPE, c->e->span, "%s and %s do not fit %s each other", psc_type_text(c->l, parts[0]),
                              psc_type_text(c->l, parts[i]), stacked ? "on" : "behind")
                      : ERROR(PSC_E_TYPE, c->e->span, "%s and %s are different types", psy__dtype_name(parts[0]->dtype),
                              psy__dtype_name(parts[i]->dtype));
            psc_note(d, parts[0]->span, "this is %s", psc_type_text(c->l, parts[0]));
            psc_note(d, parts[i]->span, "this is %s", psc_type_text(c->l, parts[i]));
            return false;
        }
    }
    return true;
}

/* Few enough operands for one instruction each. */
static psc_value *join_all(psc_call *c, psc_value **parts, unsigned count, uint32_t axis)
{
    while (count > PSC_OPERANDS_MAX) {
        unsigned made = 0;
        for (unsigned i = 0; i < count; i += PSC_OPERANDS_MAX) {
            unsigned n = count - i < PSC_OPERANDS_MAX ? count - i : PSC_OPERANDS_MAX;
            parts[made] = psc_shape_join(c->l, c->e->span, parts + i, n, axis);
            if (!parts[made++]) {
                return NULL;
            }
        }
        count = made;
    }
    return psc_shape_join(c->l, c->e->span, parts, count, axis);
}

psc_term psc_call_concat(psc_call *c)
{
    psc_value *parts[PSC_ARGUMENTS_MAX], *first = psc_call_raw(c, 0);
    int64_t axis;
    if (!first || !psc_call_integer(c, CONCAT_AXIS, 0, &axis)) {
        return psc_poison(c->e->span);
    }
    axis = axis < 0 ? axis + first->rank : axis;
    if (first->rank == 0) {
        psc_help(ERROR(PSC_E_SHAPE, c->e->span, "`concat` works along an axis, and this is a scalar"),
                 "`stack` makes a vector of scalars");
        return psc_poison(c->e->span);
    }
    if (axis < 0 || axis >= first->rank) {
        ERROR(PSC_E_SHAPE, c->named[CONCAT_AXIS]->span, "%s has axes 0 to %u", psc_type_text(c->l, first), first->rank - 1u);
        return psc_poison(c->e->span);
    }
    if (!take_parts(c, parts, (uint32_t)axis, false) || psc_call_sharded(c, first, (uint32_t)axis, "`concat`")) {
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, join_all(c, parts, c->count, (uint32_t)axis));
}

psc_term psc_call_stack(psc_call *c)
{
    psc_value *parts[PSC_ARGUMENTS_MAX], *first = psc_call_raw(c, 0);
    uint32_t axis;
    if (!first || !take_place(c, CONCAT_AXIS, first->rank, 0, &axis) || !take_parts(c, parts, axis, true)) {
        return psc_poison(c->e->span);
    }
    for (unsigned i = 0; i < c->count; i++) {
        parts[i] = psc_shape_insert(c->l, c->e->span, parts[i], axis);
        if (!parts[i]) {
            return psc_poison(c->e->span);
        }
    }
    return psc_call_result(c, join_all(c, parts, c->count, axis));
}

psc_term psc_call_pad(psc_call *c)
{
    enum { BEFORE, AFTER, AXIS, VALUE };
    psc_value *v = psc_call_raw(c, 0), *parts[3];
    int64_t length[2];
    uint32_t axis;
    double value;
    if (!v || !psc_call_integer(c, BEFORE, 0, &length[0]) || !psc_call_integer(c, AFTER, 0, &length[1]) ||
        !psc_call_axis(c, AXIS, v, false, &axis) || !psc_call_real(c, VALUE, 0, &value) ||
        psc_call_sharded(c, v, axis, "`pad`")) {
        return psc_poison(c->e->span);
    }
    unsigned count = 0;
    for (unsigned side = 0; side < 2; side++) {
        if (length[side] < 0 || length[side] > INT32_MAX) {
            ERROR(PSC_E_ARGUMENTS, c->named[side == 0 ? BEFORE : AFTER]->span, "`pad` makes an axis longer, by 0 to %d",
                  INT32_MAX);
            return psc_poison(c->e->span);
        }
        psy_dim dims[PSY_RANK_MAX];
        memcpy(dims, v->dims, sizeof dims);
        dims[axis] = (psy_dim)length[side];
        psc_value *number = length[side] ? psc_call_number(c, v, value) : NULL;
        if (length[side] && !number) {
            return psc_poison(c->e->span);
        }
        if (number) {
            parts[count++] = psc_emit(c->l, c->e->span, PSY_OP_REPEAT, v->dtype, dims, v->rank, &number, 1);
        }
        if (side == 0) {
            parts[count++] = v;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (!parts[i]) {
            return psc_poison(c->e->span);
        }
    }
    return psc_call_result(c, count == 1 ? v : psc_shape_join(c->l, c->e->span, parts, count, axis));
}

psc_term psc_call_outer(psc_call *c)
{
    psc_value *a, *b;
    if (!psc_unify(c->l, c->e->span, &c->at[0], &c->at[1], &a, &b) || !psc_call_takes(c, PSY_OP_MUL, a)) {
        return psc_poison(c->e->span);
    }
    if (a->rank != 1 || b->rank != 1) {
        ERROR(PSC_E_SHAPE, c->e->span, "`outer` takes two vectors, and these are %s and %s", psc_type_text(c->l, a),
              psc_type_text(c->l, b));
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, psc_call_map(c, PSY_OP_MUL, psc_shape_insert(c->l, c->e->span, a, 1), b));
}

psc_term psc_call_iota(psc_call *c)
{
    int64_t start;
    psy_dim n = psc_call_dim(c, 0);
    if (n == PSY_NONE || !psc_call_integer(c, 0, 0, &start)) {
        return psc_poison(c->e->span);
    }
    psc_value *v = psc_emit(c->l, c->e->span, PSY_OP_IOTA, PSY_U32, &n, 1, NULL, 0);
    psc_term from = {.kind = PSC_TERM_INTEGER, .span = c->named[0] ? c->named[0]->span : c->e->span, .integer = start};
    return psc_call_result(c, start ? psc_call_map(c, PSY_OP_ADD, v, v ? psc_as_value(c->l, &from, PSY_U32) : NULL) : v);
}

static bool is_integer(const psc_value *v)
{
    return psy__dtype_computes(v->dtype) && psy__dtype_class(v->dtype) != PSY_DCLASS_FLOAT;
}

psc_term psc_call_one_hot(psc_call *c)
{
    psc_value *v = psc_call_value(c, 0);
    psy_dim n = v ? psc_call_dim(c, 1) : PSY_NONE;
    if (n == PSY_NONE) {
        return psc_poison(c->e->span);
    }
    if (!is_integer(v)) {
        ERROR(PSC_E_TYPE, c->at[0].span, "positions are whole numbers, and this is %s", psc_type_text(c->l, v));
        return psc_poison(c->e->span);
    }
    psc_value *places = psc_emit(c->l, c->e->span, PSY_OP_IOTA, v->dtype, &n, 1, NULL, 0);
    psc_value *hot = psc_call_map(c, PSY_OP_EQ, psc_shape_insert(c->l, c->e->span, v, v->rank), places);
    return psc_call_result(c, psc_emit_cast(c->l, c->e->span, PSY_F32, hot));
}

psc_term psc_call_gather(psc_call *c)
{
    psc_value *v = psc_call_raw(c, 0), *index = v ? psc_call_value(c, 1) : NULL;
    uint32_t axis;
    if (!index || !psc_call_axis(c, 0, v, false, &axis)) {
        return psc_poison(c->e->span);
    }
    if (!is_integer(index)) {
        ERROR(PSC_E_TYPE, c->at[1].span, "positions are whole numbers, and this is %s", psc_type_text(c->l, index));
        return psc_poison(c->e->span);
    }
    bool sharded = psc_ir_sharded_axis(v, c->l->unit->symbols.at) == (int)axis;
    return psc_call_result(c, sharded ? psc_hits_gather(c->l, c->e->span, v, index, axis)
                                      : psc_shape_gather(c->l, c->e->span, v, index, axis));
}

psc_term psc_call_scatter_add(psc_call *c)
{
    psc_value *x, *y, *index = psc_call_value(c, 1);
    if (!index || !psc_unify(c->l, c->e->span, &c->at[0], &c->at[2], &x, &y) || !psc_call_takes(c, c->op, x)) {
        return psc_poison(c->e->span);
    }
    if (!is_integer(index)) {
        ERROR(PSC_E_TYPE, c->at[1].span, "positions are whole numbers, and this is %s", psc_type_text(c->l, index));
        return psc_poison(c->e->span);
    }
    bool fits = index->rank == 1 && x->rank >= 1 && y->rank == x->rank && y->dims[0] == index->dims[0] &&
                memcmp(y->dims + 1, x->dims + 1, (x->rank - 1u) * sizeof *x->dims) == 0;
    if (!fits) {
        psc_diagnostic *d = ERROR(PSC_E_SHAPE, c->e->span, "`scatter_add` takes [N, ...], positions [K] and [K, ...]");
        psc_note(d, x->span, "this is %s", psc_type_text(c->l, x));
        psc_note(d, index->span, "this is %s", psc_type_text(c->l, index));
        psc_note(d, y->span, "this is %s", psc_type_text(c->l, y));
        return psc_poison(c->e->span);
    }
    if (psc_call_sharded(c, x, 0, "`scatter_add`") || psc_call_sharded(c, y, 0, "`scatter_add`")) {
        return psc_poison(c->e->span);
    }
    return psc_call_result(
        c, psc_emit(c->l, c->e->span, PSY_OP_SCATTER, x->dtype, x->dims, x->rank, (psc_value *[]){x, index, y}, 3));
}
