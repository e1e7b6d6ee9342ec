/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over an axis: reductions, normalisation, order. */
#include <math.h>
#include <string.h>

#include "call.h"
#include "isa/scalar.h"

#define ERROR(...) psc_error(c->l->unit->diags, __VA_ARGS__)

enum { AXIS, KEEP, TOPK_K_MAX = 65536 };

/* The value, axis and `keep` of a reduction that needs `op`. NULL after an error. */
static psc_value *over(psc_call *c, unsigned op, uint32_t *axis, bool *keep)
{
    psc_value *v = psc_call_value(c, 0);
    bool ok = v && psc_call_takes(c, op, v) && psc_call_axis(c, AXIS, v, false, axis) && psc_call_flag(c, KEEP, keep);
    return ok ? v : NULL;
}

psc_term psc_call_reduce(psc_call *c)
{
    uint32_t axis;
    bool keep;
    psc_value *v = over(c, c->op, &axis, &keep);
    return psc_call_result(c, v ? psc_call_over(c, c->op, v, axis, keep) : NULL);
}

static psc_term two(psc_call *c, unsigned op)
{
    psc_value *x, *y;
    if (c->named[AXIS]) {
        ERROR(PSC_E_ARGUMENTS, c->named[AXIS]->span, "`%s` of two values takes no axis", c->e->name.text);
        return psc_poison(c->e->span);
    }
    if (!psc_unify(c->l, c->e->span, &c->at[0], &c->at[1], &x, &y) || !psc_call_takes(c, op, x)) {
        return psc_poison(c->e->span);
    }
    return psc_call_result(c, op == PSY_OP_DOT ? psc_emit_dot(c->l, c->e->span, x, y) : psc_call_map(c, op, x, y));
}

psc_term psc_call_extreme(psc_call *c)
{
    if (c->count == 2) {
        return two(c, c->op);
    }
    c->op = c->op == PSY_OP_MIN ? PSY_OP_RMIN : PSY_OP_RMAX;
    return psc_call_reduce(c);
}

psc_term psc_call_dot(psc_call *c) { return two(c, PSY_OP_DOT); }

static psc_value *mean_of(psc_call *c, psc_value *v, uint32_t axis, bool keep)
{
    psc_value *sum = v ? psc_call_over(c, PSY_OP_SUM, v, axis, keep) : NULL;
    return psc_call_map(c, PSY_OP_DIV, sum, v ? psc_emit_extent(c->l, c->e->span, v->dtype, v, axis) : NULL);
}

psc_term psc_call_mean(psc_call *c)
{
    uint32_t axis;
    bool keep;
    psc_value *v = over(c, PSY_OP_SQRT, &axis, &keep);
    return psc_call_result(c, v ? mean_of(c, v, axis, keep) : NULL);
}

psc_term psc_call_norm(psc_call *c)
{
    uint32_t axis;
    bool keep;
    psc_value *v = over(c, PSY_OP_SQRT, &axis, &keep), *squares;
    if (!v) {
        return psc_poison(c->e->span);
    }
    if (axis + 1u == v->rank && !keep) {
        squares = psc_emit_dot(c->l, c->e->span, v, v);
    } else {
        squares = psc_call_over(c, PSY_OP_SUM, psc_call_map(c, PSY_OP_MUL, v, v), axis, keep);
    }
    return psc_call_result(c, psc_call_map(c, PSY_OP_SQRT, squares, NULL));
}

/* The maximum, but 0 where that is infinite: what is subtracted before exp. */
static psc_value *finite_maximum(psc_call *c, psc_value *v, uint32_t axis)
{
    psc_value *m = psc_call_over(c, PSY_OP_RMAX, v, axis, true);
    psc_value *infinity = m ? psc_emit_number(c->l, c->e->span, m->dtype, INFINITY) : NULL;
    psc_value *all[3] = {psc_call_map(c, PSY_OP_LT, psc_call_map(c, PSY_OP_ABS, m, NULL), infinity), m,
                         psc_call_number(c, m, 0)};
    return all[0] && all[2] ? psc_emit_map(c->l, c->e->span, PSY_OP_CHOOSE, all, 3) : NULL;
}

psc_term psc_call_logsumexp(psc_call *c)
{
    uint32_t axis;
    bool keep;
    psc_value *v = over(c, PSY_OP_SQRT, &axis, &keep);
    if (!v) {
        return psc_poison(c->e->span);
    }
    if (psc_ir_sharded_axis(v, c->l->unit->symbols.at) == (int)axis) {
        return psc_call_result(c, psc_call_over(c, PSC_OP_LSE, v, axis, keep));
    }
    psc_value *m = finite_maximum(c, v, axis), *powers = psc_call_map(c, PSY_OP_EXP, psc_call_map(c, PSY_OP_SUB, v, m), NULL);
    psc_value *sum = powers ? psc_call_over(c, PSY_OP_SUM, powers, axis, true) : NULL;
    psc_value *result = psc_call_map(c, PSY_OP_ADD, psc_call_map(c, PSY_OP_LOG, sum, NULL), m);
    if (result && !keep) {
        psy_dim dims[PSY_RANK_MAX];
        memcpy(dims, result->dims, sizeof dims);
        memmove(dims + axis, dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *dims);
        result = psc_shape_reshape(c->l, c->e->span, result, dims, result->rank - 1u);
    }
    return psc_call_result(c, result);
}

psc_term psc_call_softmax(psc_call *c)
{
    uint32_t axis;
    psc_value *v = psc_call_float(c, 0);
    if (!v || !psc_call_axis(c, AXIS, v, true, &axis) || psc_call_sharded(c, v, axis, "`softmax`")) {
        return psc_poison(c->e->span);
    }
    psc_value *powers = psc_call_map(c, PSY_OP_EXP, psc_call_map(c, PSY_OP_SUB, v, finite_maximum(c, v, axis)), NULL);
    return psc_call_result(c, powers ? psc_call_map(c, PSY_OP_DIV, powers, psc_call_over(c, PSY_OP_SUM, powers, axis, true))
                                     : NULL);
}

/* ---- normalisation: x is centred (layernorm) and divided by the root of its mean square ---- */

static psc_term normalise(psc_call *c, bool centre)
{
    uint32_t axis;
    double epsilon;
    psc_value *v = psc_call_float(c, 0);
    if (!v || !psc_call_axis(c, AXIS, v, true, &axis) || !psc_call_real(c, 1, 1e-5, &epsilon) ||
        psc_call_sharded(c, v, axis, centre ? "`layernorm`" : "`rmsnorm`")) {
        return psc_poison(c->e->span);
    }
    psc_value *x = centre ? psc_call_map(c, PSY_OP_SUB, v, mean_of(c, v, axis, true)) : v;
    psc_value *square = psc_call_map(c, PSY_OP_MUL, x, x), *mean = square ? mean_of(c, square, axis, true) : NULL;
    psc_value *scale = psc_call_map(c, PSY_OP_RSQRT, psc_call_map(c, PSY_OP_ADD, mean, psc_call_number(c, v, epsilon)), NULL);
    psc_value *result = psc_call_map(c, PSY_OP_MUL, x, scale);
    for (unsigned i = 1; i < c->count && result; i++) {
        psc_term before = psc_of_value(result, c->e->span);
        psc_value *a, *b;
        result = psc_unify(c->l, c->e->span, &before, &c->at[i], &a, &b)
                     ? psc_call_map(c, i == 1 ? PSY_OP_MUL : PSY_OP_ADD, a, b)
                     : NULL;
    }
    return psc_call_result(c, result);
}

psc_term psc_call_layernorm(psc_call *c) { return normalise(c, true); }
psc_term psc_call_rmsnorm(psc_call *c) { return normalise(c, false); }

psc_term psc_call_cumsum(psc_call *c)
{
    uint32_t axis;
    psc_value *v = psc_call_value(c, 0);
    if (!v || !psc_call_takes(c, c->op, v) || !psc_call_axis(c, AXIS, v, false, &axis) ||
        psc_call_sharded(c, v, axis, "`cumsum`")) {
        return psc_poison(c->e->span);
    }
    psc_value *bare = psc_bare(v), *r = psc_emit(c->l, c->e->span, PSY_OP_CUMSUM, v->dtype, v->dims, v->rank, &bare, 1);
    if (r) {
        r->index = axis;
        r = psc_like_length(c->l, r, v, v->length_axis);
    }
    return psc_call_result(c, r);
}

/* ---- order ---- */

/* k of a symbolic size is checked when the data is loaded. */
static bool check_k(psc_call *c, const hrm_expr *at, int64_t k, psy_dim have)
{
    psc_unit *u = c->l->unit;
    if (!psy__dim_is_symbol(have)) {
        if (k > (int64_t)have) {
            ERROR(PSC_E_SHAPE, at->span, "k is %lld, and there are %u elements to choose from", (long long)k, have);
            return false;
        }
        return true;
    }
    const psy_psm_symbol *s = &u->symbols.at[psy__dim_symbol(have)];
    psy_dim global = s->kind == PSY_SYMBOL_LOCAL ? PSY_DIM_SYMBOL | s->of : have;
    psy_psm_check check = {.left = global, .right = (psy_dim)k, .relation = PSY_CHECK_GE};
    for (size_t i = 0; i < u->checks.count; i++) {
        const psy_psm_check *other = &u->checks.at[i];
        if (other->left == check.left && other->right == check.right && other->relation == check.relation) {
            return true;
        }
    }
    psc_push(u->arena, &u->checks, check);
    psc_push(
        u->arena, &u->check_texts,
        psc_format(u->arena, "topk with k = %lld needs at least as many rows of %s", (long long)k, psc_dim_text(u, global)));
    return true;
}

static psc_value *constant_of_bits(psc_call *c, unsigned dtype, uint64_t bits)
{
    psc_value *v = psc_emit(c->l, c->e->span, PSY_OP_CONST, dtype, NULL, 0, NULL, 0);
    if (v) {
        v->bits = bits;
    }
    return v;
}

/* The positions of the best, of which there are no more than elements of `given`. */
static psc_value *found_only(psc_call *c, psc_value *labels, const psc_value *given)
{
    psy_dim k = labels->dims[labels->rank - 1];
    psc_value *place = psc_emit(c->l, c->e->span, PSY_OP_IOTA, PSY_U32, &k, 1, NULL, 0);
    psc_value *all[3] = {psc_call_map(c, PSY_OP_LT, place, psc_emit_length(c->l, c->e->span, given)), labels,
                         constant_of_bits(c, PSY_U64, UINT64_MAX)};
    return psc_emit_map(c->l, c->e->span, PSY_OP_CHOOSE, all, 3);
}

/* The best of a vector: this is what is split over shards. */
static psc_value *best_of_vector(psc_call *c, psc_value *v, uint32_t k, psc_value **labels)
{
    psy_dim dims[1] = {k};
    const psc_value *given = v;
    v = psc_fill_last(c->l, c->e->span, v, true);
    psc_value *scores = psc_emit(c->l, c->e->span, PSY_OP_TOPK, v->dtype, dims, 1, (psc_value *[]){v, NULL}, 2);
    *labels = scores ? psc_emit(c->l, c->e->span, PSC_OP_LABELS, PSY_U64, dims, 1, &scores, 1) : NULL;
    if (*labels) {
        scores->index = k;
        scores->base = psc_ir_sharded_axis(v, c->l->unit->symbols.at) == 0 ? v->dims[0] : PSY_NONE;
        *labels = given->length ? found_only(c, *labels, given) : *labels;
    }
    return *labels ? scores : NULL;
}

/* The first `count` of the last axis in order; all of them keep their length. */
static psc_value *in_order(psc_call *c, psc_value *v, psy_dim count, bool descending, psc_value **labels)
{
    psy_dim dims[PSY_RANK_MAX];
    const psc_value *given = v;
    bool shorter = v->length && v->length_axis + 1u == v->rank, all = count == v->dims[v->rank - 1];
    v = psc_bare(shorter ? psc_fill_last(c->l, c->e->span, v, descending) : v);
    if (!v) {
        return NULL;
    }
    memcpy(dims, v->dims, sizeof dims);
    dims[v->rank - 1] = count;
    psc_value *values = psc_emit(c->l, c->e->span, PSY_OP_SORT, v->dtype, dims, v->rank, &v, 1);
    *labels = values ? psc_emit(c->l, c->e->span, PSC_OP_LABELS, PSY_U64, dims, v->rank, &values, 1) : NULL;
    if (!*labels) {
        return NULL;
    }
    values->index = descending;
    if (shorter && !all) {
        *labels = found_only(c, *labels, given);
        return *labels ? values : NULL;
    }
    *labels = psc_like_length(c->l, *labels, given, given->length_axis);
    return psc_like_length(c->l, values, given, given->length_axis);
}

psc_term psc_call_topk(psc_call *c)
{
    psc_value *v = psc_call_value(c, 0), *labels;
    if (!v || !psc_call_takes(c, c->op, v)) {
        return psc_poison(c->e->span);
    }
    if (!c->named[0]) {
        psc_help(ERROR(PSC_E_ARGUMENTS, c->e->span, "how many does `topk` give?"), "write `topk(..., k: 10)`");
        return psc_poison(c->e->span);
    }
    psc_constant_value k = psc_known_number(c->l, c->named[0]);
    if (k.poisoned) {
        return psc_poison(c->e->span);
    }
    if (v->rank == 0) {
        ERROR(PSC_E_SHAPE, c->e->span, "`topk` takes a vector, and this is %s", psc_type_text(c->l, v));
        return psc_poison(c->e->span);
    }
    if (k.is_float || k.integer < 1 || k.integer > TOPK_K_MAX) {
        ERROR(PSC_E_ARGUMENTS, c->named[0]->span, "k is a whole number from 1 to %d", TOPK_K_MAX);
        return psc_poison(c->e->span);
    }
    if (!check_k(c, c->named[0], (int64_t)k.integer, v->dims[v->rank - 1])) {
        return psc_poison(c->e->span);
    }
    if (v->rank > 1 && psc_call_sharded(c, v, v->rank - 1u, "`topk` of rows")) {
        return psc_poison(c->e->span);
    }
    psc_value *best =
        v->rank == 1 ? best_of_vector(c, v, (uint32_t)k.integer, &labels) : in_order(c, v, (psy_dim)k.integer, true, &labels);
    return best ? (psc_term){.kind = PSC_TERM_PAIR, .span = c->e->span, .value = best, .other = labels}
                : psc_poison(c->e->span);
}

static psc_value *sorted(psc_call *c, psc_value **labels)
{
    bool descending;
    psc_value *v = psc_call_value(c, 0);
    if (!v || !psc_call_takes(c, c->op, v) || !psc_call_flag(c, 0, &descending)) {
        return NULL;
    }
    if (v->rank == 0) {
        ERROR(PSC_E_SHAPE, c->e->span, "`%s` takes a vector, and this is %s", c->e->name.text, psc_type_text(c->l, v));
        return NULL;
    }
    return psc_call_sharded(c, v, v->rank - 1u, "putting it in order")
               ? NULL
               : in_order(c, v, v->dims[v->rank - 1], descending, labels);
}

psc_term psc_call_sort(psc_call *c)
{
    psc_value *labels;
    return psc_call_result(c, sorted(c, &labels));
}

psc_term psc_call_argsort(psc_call *c)
{
    psc_value *labels = NULL;
    return psc_call_result(c, sorted(c, &labels) ? labels : NULL);
}

/* The positions of the best of every row. A row that may be empty gets an element behind it that no other comes after. */
static psc_value *best_of_rows(psc_call *c, psc_value *v, bool smallest)
{
    psy_dim dims[PSY_RANK_MAX], size = v->dims[v->rank - 1];
    psc_value *parts[2] = {v}, *labels, *none = constant_of_bits(c, PSY_U64, UINT64_MAX);
    memcpy(dims, v->dims, sizeof dims);
    dims[v->rank - 1] = 1;
    if (size == 0) {
        return none ? psc_emit(c->l, c->e->span, PSY_OP_REPEAT, PSY_U64, dims, v->rank, &none, 1) : NULL;
    }
    if (!psy__dim_is_symbol(size)) {
        return in_order(c, v, 1, !smallest, &labels) ? labels : NULL;
    }
    uint64_t last = 0;
    psy__identity(smallest ? PSY_OP_RMIN : PSY_OP_RMAX, v->dtype, &last);
    psc_value *end = psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT ? psc_emit_number(c->l, c->e->span, v->dtype, NAN)
                                                                    : constant_of_bits(c, v->dtype, last);
    parts[1] = end ? psc_emit(c->l, c->e->span, PSY_OP_REPEAT, v->dtype, dims, v->rank, &end, 1) : NULL;
    psc_value *longer = parts[1] ? psc_shape_join(c->l, c->e->span, parts, 2, v->rank - 1u) : NULL;
    if (!longer || !in_order(c, longer, 1, !smallest, &labels)) {
        return NULL;
    }
    psc_value *is_end = psc_call_map(c, PSY_OP_EQ, labels, psc_emit_size(c->l, c->e->span, PSY_U64, size));
    psc_value *all[3] = {is_end, none, labels};
    return is_end && none ? psc_emit_map(c->l, c->e->span, PSY_OP_CHOOSE, all, 3) : NULL;
}

/* The position of the best: the label of a top-1. The order is turned round for the smallest. */
psc_term psc_call_arg(psc_call *c)
{
    uint32_t axis;
    bool keep, smallest = c->op == PSY_OP_MIN;
    psc_value *v = over(c, PSY_OP_TOPK, &axis, &keep), *labels = NULL;
    if (!v) {
        return psc_poison(c->e->span);
    }
    psy_dim dims[PSY_RANK_MAX];
    uint32_t rank = v->rank;
    memcpy(dims, v->dims, sizeof dims);
    if (rank == 1) {
        psc_value *turned =
            !smallest ? v : psc_call_map(c, psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT ? PSY_OP_NEG : PSY_OP_NOT, v, NULL);
        if (!turned || !best_of_vector(c, turned, 1, &labels)) {
            return psc_poison(c->e->span);
        }
    } else {
        uint32_t axes[PSY_RANK_MAX];
        if (psc_call_sharded(c, v, axis, "a position in each row")) {
            return psc_poison(c->e->span);
        }
        for (uint32_t d = 0; d < rank; d++) {
            axes[d] = d + 1 == rank ? axis : d < axis ? d : d + 1;
        }
        psc_value *last = psc_shape_permute(c->l, c->e->span, v, axes);
        labels = last ? best_of_rows(c, last, smallest) : NULL;
        if (!labels) {
            return psc_poison(c->e->span);
        }
    }
    dims[axis] = 1;
    if (!keep) {
        memmove(dims + axis, dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *dims);
        rank--;
    }
    return psc_call_result(c, psc_shape_reshape(c->l, c->e->span, labels, dims, rank));
}

psc_term psc_call_size(psc_call *c)
{
    uint32_t axis;
    psc_value *v = psc_call_raw(c, 0);
    if (!v || !psc_call_axis(c, AXIS, v, false, &axis)) {
        return psc_poison(c->e->span);
    }
    if (!psy__dim_is_symbol(v->dims[axis])) {
        return (psc_term){.kind = PSC_TERM_INTEGER, .span = c->e->span, .integer = v->dims[axis]};
    }
    /* A size is the whole size, also where a shard sees its own part. */
    const psy_psm_symbol *s = &c->l->unit->symbols.at[psy__dim_symbol(v->dims[axis])];
    psy_dim size = s->kind == PSY_SYMBOL_LOCAL ? PSY_DIM_SYMBOL | s->of : v->dims[axis];
    return (psc_term){.kind = PSC_TERM_SIZE, .span = c->e->span, .dim = size};
}
