/* SPDX-License-Identifier: Apache-2.0 */
/* einsum: contraction by the names of axes, made of what the language has.
 *
 * Axes that an operand names twice become its diagonal, and what only one operand has and the result has not is summed there.
 * Then operands are put together two by two: as DOT over what both have and nobody needs any more, as MUL where there is
 * nothing of that. Which two come first is decided by the number of multiplications, over all orders (at most 8 operands: 6,000
 * pairs of sets); named sizes count as NAMED_SIZE. */
#include <string.h>

#include "einsum.h"

#define ERROR(...) psc_error(x->c->l->unit->diags, __VA_ARGS__)

enum { NAMED_SIZE = 4096, SETS = 1 << PSC_EINSUM_OPERANDS_MAX };

/* A value and what its axes are called. */
typedef struct term {
    psc_value *value;
    uint8_t labels[PSY_RANK_MAX];
} term;

typedef struct einsum {
    psc_call *c;
    psc_einsum_spec spec;
    psy_dim dims[PSC_EINSUM_LABELS];    /* 0: not known yet; else the size plus the set of labels below */
    psc_span places[PSC_EINSUM_LABELS]; /* where it became known */
    uint64_t known;                     /* labels */
    uint8_t result[PSY_RANK_MAX];
    unsigned result_rank;
    term operands[PSC_EINSUM_OPERANDS_MAX];
    uint64_t sets[SETS];  /* by operands: the labels that are left when these are put together */
    double cost[SETS];    /* of doing so */
    unsigned first[SETS]; /* the part of them that comes on the left */
} einsum;

static uint64_t bit(unsigned label) { return UINT64_C(1) << label; }

static uint64_t labels_of(const term *t)
{
    uint64_t set = 0;
    for (unsigned d = 0; d < t->value->rank; d++) {
        set |= bit(t->labels[d]);
    }
    return set;
}

static bool is_local(const einsum *x, unsigned label)
{
    const psc_unit *u = x->c->l->unit;
    return psy__dim_is_symbol(x->dims[label]) && u->symbols.at[psy__dim_symbol(x->dims[label])].kind == PSY_SYMBOL_LOCAL;
}

/* ---- operands and their labels ---- */

/* With one dtype that computes. */
static bool take_values(einsum *x)
{
    psc_call *c = x->c;
    psc_term first = c->at[1];
    for (unsigned i = 0; i + 1 < c->count; i++) { /* numbers take the dtype of what is none */
        first = psc_is_untyped(&first) ? c->at[i + 1] : first;
    }
    for (unsigned i = 0; i < x->spec.count; i++) {
        psc_value *other;
        bool ok = x->spec.count > 1 ? psc_unify(c->l, c->e->span, &first, &c->at[i + 1], &other, &x->operands[i].value)
                                    : (x->operands[i].value = psc_call_value(c, 1)) != NULL;
        if (!ok || !psc_call_takes(c, PSY_OP_DOT, x->operands[i].value)) {
            return false;
        }
        first = x->spec.count > 1 ? psc_of_value(other, first.span) : first;
    }
    return true;
}

/* The same name is the same size; of `...`, sizes of 1 are repeated. */
static bool take_label(einsum *x, unsigned label, psy_dim dim, psc_span place, const psc_value *v)
{
    psc_unit *u = x->c->l->unit;
    bool known = x->known >> label & 1, repeats = label >= PSC_EINSUM_LETTERS && (dim == 1 || x->dims[label] == 1);
    if (!known || (repeats && dim != 1)) {
        x->known |= bit(label);
        x->dims[label] = dim;
        x->places[label] = place;
    } else if (x->dims[label] != dim && !repeats) {
        const char *here = psc_dim_text(u, dim), *there = psc_dim_text(u, x->dims[label]);
        bool split = strcmp(here, there) == 0;
        psc_diagnostic *d =
            ERROR(PSC_E_SHAPE, place, split ? "%s of one shard meets all of %s" : "this axis is %s, and it was %s before", here,
                  there);
        psc_note(d, x->places[label], "it was here");
        psc_note(d, v->span, "this is %s", psc_type_text(x->c->l, v));
        if (split) {
            psc_help(d, "one is split along %s and the other has all of it on every shard: split both", here);
        }
        return false;
    }
    return true;
}

static bool take_labels(einsum *x, unsigned i)
{
    const psc_einsum_part *p = &x->spec.operands[i];
    const psc_value *v = x->operands[i].value;
    unsigned more = v->rank - p->count;
    if (v->rank < p->count || (more && !p->dots)) {
        psc_diagnostic *d = ERROR(PSC_E_SHAPE, p->span, "this names %u ax%s, and the operand has %u", p->count,
                                  p->count == 1 ? "is" : "es", v->rank);
        psc_note(d, x->c->at[i + 1].span, "this is %s", psc_type_text(x->c->l, v));
        return false;
    }
    for (unsigned d = 0, k = 0; d < v->rank; d++) {
        bool dots = p->dots && d >= p->dots_at && d < p->dots_at + more;
        unsigned label = dots ? PSC_EINSUM_LABELS - more + (d - p->dots_at) : p->labels[k];
        if (!take_label(x, label, v->dims[d], dots ? p->dots_place : p->places[k], v)) {
            return false;
        }
        x->operands[i].labels[d] = (uint8_t)label;
        k += !dots;
    }
    return true;
}

static bool take_result(einsum *x)
{
    const psc_einsum_part *p = &x->spec.result;
    for (unsigned k = 0; k <= p->count; k++) {
        for (unsigned label = PSC_EINSUM_LETTERS; p->dots && k == p->dots_at && label < PSC_EINSUM_LABELS; label++) {
            if (x->known >> label & 1 && x->result_rank < PSY_RANK_MAX) {
                x->result[x->result_rank++] = (uint8_t)label;
            } else if (x->known >> label & 1) {
                ERROR(PSC_E_SHAPE, x->c->at[0].span, "the result would have more than %d axes", PSY_RANK_MAX);
                return false;
            }
        }
        if (k < p->count && x->result_rank == PSY_RANK_MAX) {
            ERROR(PSC_E_SHAPE, x->c->at[0].span, "the result would have more than %d axes", PSY_RANK_MAX);
            return false;
        }
        if (k < p->count) {
            x->result[x->result_rank++] = p->labels[k];
        }
    }
    return true;
}

/* ---- shapes ---- */

/* The axes in the order of `labels`, which are the term's. */
static bool order(einsum *x, term *t, const uint8_t *labels)
{
    uint32_t axes[PSY_RANK_MAX];
    uint8_t now[PSY_RANK_MAX];
    for (unsigned d = 0; d < t->value->rank; d++) {
        for (unsigned k = 0; k < t->value->rank; k++) {
            axes[d] = t->labels[k] == labels[d] ? k : axes[d];
        }
        now[d] = labels[d];
    }
    memcpy(t->labels, now, sizeof now);
    t->value = psc_shape_permute(x->c->l, x->c->e->span, t->value, axes);
    return t->value != NULL;
}

/* The size with the last axes as one. */
static bool join_last(einsum *x, psc_value **v, unsigned axes)
{
    psc_lowering *l = x->c->l;
    psy_dim dims[PSY_RANK_MAX], all = 1;
    unsigned rank = *v ? (*v)->rank - axes : 0;
    for (unsigned d = 0; *v && d < axes; d++) {
        all = d == 0 ? (*v)->dims[rank] : psc_dim_compute(l, x->c->e->span, '*', all, (*v)->dims[rank + d]);
        if (all == PSY_NONE) {
            return false;
        }
    }
    if (!*v || axes < 2) {
        return *v != NULL;
    }
    memcpy(dims, (*v)->dims, rank * sizeof *dims);
    dims[rank] = all;
    *v = psc_shape_reshape(l, x->c->e->span, *v, dims, rank + 1);
    return *v != NULL;
}

/* Axes of size 1 before axis `at`. */
static bool widen(einsum *x, psc_value **v, unsigned at, unsigned count)
{
    psy_dim dims[PSY_RANK_MAX];
    unsigned rank = (*v)->rank;
    memcpy(dims, (*v)->dims, at * sizeof *dims);
    for (unsigned k = 0; k < count; k++) {
        dims[at + k] = 1;
    }
    memcpy(dims + at + count, (*v)->dims + at, (rank - at) * sizeof *dims);
    *v = psc_shape_reshape(x->c->l, x->c->e->span, *v, dims, rank + count);
    return *v != NULL;
}

/* ---- one operand ---- */

/* The last two axes, [N, N], as their diagonal: every (N + 1)th of N * N. */
static psc_value *diagonal(einsum *x, psc_value *v)
{
    psc_lowering *l = x->c->l;
    psc_span span = x->c->e->span;
    unsigned rank = v->rank;
    psy_dim n = v->dims[rank - 1];
    if (!join_last(x, &v, 2)) {
        return NULL;
    }
    if (!psy__dim_is_symbol(n)) {
        return psc_shape_slice(l, span, v, rank - 2, 0, n, (int32_t)n + 1);
    }
    psc_value *index = psc_emit(l, span, PSY_OP_IOTA, PSY_U64, &n, 1, NULL, 0), *step = psc_emit_size(l, span, PSY_U64, n);
    psc_term one = {.kind = PSC_TERM_INTEGER, .span = span, .integer = 1};
    step = step ? psc_emit_map2(l, span, PSY_OP_ADD, step, psc_as_value(l, &one, PSY_U64)) : NULL;
    index = psc_emit_map2(l, span, PSY_OP_MUL, index, step);
    return index ? psc_shape_gather(l, span, v, index, rank - 2) : NULL;
}

static bool take_diagonals(einsum *x, term *t)
{
    for (unsigned d = 1; d < t->value->rank; d++) {
        unsigned other = 0;
        while (other < d && t->labels[other] != t->labels[d]) {
            other++;
        }
        if (other == d) {
            continue;
        }
        if (psc_call_sharded(x->c, t->value, other, "a diagonal")) {
            return false;
        }
        uint32_t axes[PSY_RANK_MAX], rank = 0;
        uint8_t labels[PSY_RANK_MAX];
        for (unsigned k = 0; k < t->value->rank; k++) {
            if (k != other && k != d) {
                labels[rank] = t->labels[k];
                axes[rank++] = k;
            }
        }
        labels[rank] = t->labels[d];
        axes[rank] = other;
        axes[rank + 1] = d;
        t->value = psc_shape_permute(x->c->l, x->c->e->span, t->value, axes);
        t->value = t->value ? diagonal(x, t->value) : NULL;
        if (!t->value) {
            return false;
        }
        memcpy(t->labels, labels, sizeof labels);
        d = 0; /* the axes have moved */
    }
    return true;
}

/* Sizes of 1 that `...` repeats are left to broadcasting, and what nobody else has is summed. */
static bool simplify(einsum *x, term *t, uint64_t needed)
{
    psc_lowering *l = x->c->l;
    psy_dim dims[PSY_RANK_MAX] = {0};
    unsigned rank = 0;
    for (unsigned d = 0; d < t->value->rank; d++) {
        if (t->value->dims[d] != 1 || x->dims[t->labels[d]] == 1) {
            t->labels[rank] = t->labels[d];
            dims[rank++] = t->value->dims[d];
        }
    }
    t->value = psc_shape_reshape(l, x->c->e->span, t->value, dims, rank);
    for (unsigned d = rank; t->value && d-- > 0;) {
        if (!(needed >> t->labels[d] & 1)) {
            t->value = psc_emit_reduce(l, x->c->e->span, PSY_OP_SUM, t->value, d);
            memmove(t->labels + d, t->labels + d + 1, PSY_RANK_MAX - d - 1);
        }
    }
    return t->value != NULL;
}

/* ---- two operands ---- */

static unsigned add_labels(const term *t, uint64_t set, uint8_t *out, unsigned count)
{
    for (unsigned d = 0; d < t->value->rank; d++) {
        if (set >> t->labels[d] & 1) {
            out[count++] = t->labels[d];
        }
    }
    return count;
}

/* [both..., a..., b...] of [both..., a..., summed...] and [both..., b..., summed...]: DOT over the summed ones as one axis, or
 * MUL. An axis that is spread over the shards cannot be one with others: it is summed behind. */
static bool put_together(einsum *x, term a, term b, uint64_t left, term *out)
{
    psc_lowering *l = x->c->l;
    psc_span span = x->c->e->span;
    uint64_t in_a = labels_of(&a), in_b = labels_of(&b), summed = in_a & in_b & ~left, late = 0;
    for (unsigned label = 0; label < PSC_EINSUM_LABELS; label++) {
        bool others = (summed & ~bit(label)) != 0;
        late |= summed >> label & 1 && is_local(x, label) && others ? bit(label) : 0;
    }
    summed &= ~late;
    uint64_t both = in_a & in_b & ~summed;
    uint8_t x_labels[2 * PSY_RANK_MAX], y_labels[2 * PSY_RANK_MAX], labels[2 * PSY_RANK_MAX];
    unsigned n = add_labels(&a, both, labels, 0), n_a = add_labels(&a, in_a & ~in_b, labels, n) - n,
             n_b = add_labels(&b, in_b & ~in_a, labels, n + n_a) - n - n_a;
    memcpy(x_labels, labels, n + n_a);
    memcpy(y_labels, labels, n);
    memcpy(y_labels + n, labels + n + n_a, n_b);
    unsigned n_c = add_labels(&a, summed, x_labels, n + n_a) - n - n_a;
    memcpy(y_labels + n + n_b, x_labels + n + n_a, n_c);
    if (n + n_a + n_b + (n_c > 0) > PSY_RANK_MAX) {
        psc_help(ERROR(PSC_E_SHAPE, x->c->at[0].span, "on the way this has more than %d axes", PSY_RANK_MAX),
                 "make two of it, or `reshape` axes into one");
        return false;
    }
    if (!order(x, &a, x_labels) || !order(x, &b, y_labels) || !join_last(x, &a.value, n_c) || !join_last(x, &b.value, n_c)) {
        return false;
    }
    /* Axes in front that are missing are repeated anyway. */
    bool ok =
        (n + n_a == 0 || n_b == 0 || widen(x, &a.value, n + n_a, n_b)) && (n == 0 || n_a == 0 || widen(x, &b.value, n, n_a));
    out->value = !ok   ? NULL
                 : n_c ? psc_emit_dot(l, span, a.value, b.value)
                       : psc_emit_map2(l, span, PSY_OP_MUL, a.value, b.value);
    memcpy(out->labels, labels, sizeof out->labels);
    return out->value && simplify(x, out, left);
}

/* ---- all of them ---- */

static double size_of(const einsum *x, uint64_t labels)
{
    double size = 1;
    for (unsigned label = 0; label < PSC_EINSUM_LABELS; label++) {
        if (labels >> label & 1) {
            size *= psy__dim_is_symbol(x->dims[label]) ? NAMED_SIZE : x->dims[label];
        }
    }
    return size;
}

/* The cheapest order of every set of operands, from small sets to large ones. */
static void plan(einsum *x)
{
    unsigned all = (1u << x->spec.count) - 1;
    uint64_t wanted = 0;
    for (unsigned k = 0; k < x->result_rank; k++) {
        wanted |= bit(x->result[k]);
    }
    for (unsigned set = 1; set <= all; set++) {
        uint64_t inside = 0, outside = wanted;
        for (unsigned i = 0; i < x->spec.count; i++) {
            *(set >> i & 1 ? &inside : &outside) |= labels_of(&x->operands[i]);
        }
        x->sets[set] = inside & outside;
    }
    for (unsigned set = 1; set <= all; set++) {
        unsigned lowest = set & -set;
        x->cost[set] = set == lowest ? 0 : -1;
        for (unsigned part = (set - 1) & set; part; part = (part - 1) & set) {
            if (!(part & lowest)) {
                continue;
            }
            double cost = x->cost[part] + x->cost[set ^ part] + size_of(x, x->sets[part] | x->sets[set ^ part]) +
                          size_of(x, x->sets[set]);
            if (x->cost[set] < 0 || cost < x->cost[set]) {
                x->cost[set] = cost;
                x->first[set] = part;
            }
        }
    }
}

static bool make(einsum *x, unsigned set, term *out)
{
    if ((set & (set - 1)) == 0) {
        unsigned i = 0;
        while (!(set >> i & 1)) {
            i++;
        }
        *out = x->operands[i];
        return simplify(x, out, x->sets[set]);
    }
    term a, b;
    return make(x, x->first[set], &a) && make(x, set ^ x->first[set], &b) && put_together(x, a, b, x->sets[set], out);
}

/* What no operand has with its whole size: `...` of sizes 1 only. */
static psc_term finish(einsum *x, term *t)
{
    psy_dim dims[PSY_RANK_MAX];
    uint64_t have = labels_of(t);
    uint8_t labels[PSY_RANK_MAX];
    unsigned n = 0;
    for (unsigned k = 0; k < x->result_rank; k++) {
        dims[k] = x->dims[x->result[k]];
        if (have >> x->result[k] & 1) {
            labels[n++] = x->result[k];
        }
    }
    return order(x, t, labels)
               ? psc_call_result(x->c, psc_shape_reshape(x->c->l, x->c->e->span, t->value, dims, x->result_rank))
               : psc_poison(x->c->e->span);
}

psc_term psc_call_einsum(psc_call *c)
{
    einsum *x = psc_new(c->l->unit->arena, einsum);
    const hrm_expr *text = c->at[0].kind == PSC_TERM_LIST ? c->at[0].list : NULL;
    unsigned all;
    term t;
    x->c = c;
    if (!text || text->kind != HRM_TEXT) {
        psc_help(ERROR(PSC_E_ARGUMENTS, c->at[0].span, "what einsum does comes first, as a text"),
                 "write `einsum(\"ij,jk->ik\", a, b)`");
        return psc_poison(c->e->span);
    }
    if (!psc_einsum_parse(c->l, text, &x->spec)) {
        return psc_poison(c->e->span);
    }
    if (x->spec.count != c->count - 1) {
        ERROR(PSC_E_ARGUMENTS, text->span, "this names %u operand%s, and there %s %u", x->spec.count,
              x->spec.count == 1 ? "" : "s", c->count == 2 ? "is" : "are", c->count - 1);
        return psc_poison(c->e->span);
    }
    bool ok = take_values(x);
    for (unsigned i = 0; ok && i < x->spec.count; i++) {
        ok = take_labels(x, i);
    }
    ok = ok && take_result(x);
    for (unsigned i = 0; ok && i < x->spec.count; i++) {
        ok = take_diagonals(x, &x->operands[i]);
    }
    if (!ok) {
        return psc_poison(c->e->span);
    }
    plan(x);
    all = (1u << x->spec.count) - 1;
    return make(x, all, &t) ? finish(x, &t) : psc_poison(c->e->span);
}
