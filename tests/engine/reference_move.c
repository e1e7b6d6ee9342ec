/* SPDX-License-Identifier: Apache-2.0 */
/* Views of values, elements that move, running sums, order. Every result has its cells copied, whatever an engine does. */
#include <math.h>

#include "tests/engine/reference_parts.h"
#include "tests/test.h"

/* ---- places ---- */

static void place_of(const reference_value *v, uint64_t n, uint64_t place[PSY_RANK_MAX])
{
    for (unsigned d = v->rank; d-- > 0;) {
        place[d] = n % v->dims[d];
        n /= v->dims[d];
    }
}

static uint64_t number_of(const reference_value *v, const uint64_t place[PSY_RANK_MAX])
{
    uint64_t n = 0;
    for (unsigned d = 0; d < v->rank; d++) {
        cr_assert(place[d] < v->dims[d], "the reference reads outside of axis %u", d);
        n = n * v->dims[d] + place[d];
    }
    return n;
}

/* The place along an axis of `size` that the cell names; false: none. */
static bool named(const reference_value *index, uint64_t n, uint64_t size, uint64_t *out)
{
    *out = index->cells[n].bits;
    bool negative = reference_is_signed(index->dtype) && reference_signed(*out) < 0;
    return !negative && *out < size;
}

static reference_cell zero(void) { return (reference_cell){0}; }

/* ---- one element of a result ---- */

static reference_cell shaped(const reference *r, const psy__instruction *at, const reference_value *out, uint64_t n)
{
    const reference_value *x = &r->values[at->operands[0]];
    uint64_t place[PSY_RANK_MAX] = {0}, from[PSY_RANK_MAX] = {0};
    place_of(out, n, place);
    switch (at->op) {
    case PSY_OP_RESHAPE: return x->cells[n];
    case PSY_OP_REPEAT: return *reference_element(x, out->dims, out->rank, n);
    case PSY_OP_PERMUTE:
        for (unsigned d = 0; d < out->rank; d++) {
            from[at->operands[1] >> 4 * d & 15] = place[d];
        }
        break;
    default: { /* SLICE */
        int64_t start = (int64_t)psy__dim_value(at->operands[2], r->symbols), step = (int32_t)at->operands[3];
        memcpy(from, place, sizeof from);
        from[at->operands[1]] = (uint64_t)(start + (int64_t)place[at->operands[1]] * step);
    }
    }
    return x->cells[number_of(x, from)];
}

static reference_cell joined(const reference *r, const psy__instruction *at, const reference_value *out, uint64_t n)
{
    uint64_t place[PSY_RANK_MAX] = {0};
    unsigned axis = at->operands[0], i = 1;
    place_of(out, n, place);
    const reference_value *x = &r->values[at->operands[1]];
    while (place[axis] >= x->dims[axis]) {
        place[axis] -= x->dims[axis];
        x = &r->values[at->operands[++i]];
    }
    return x->cells[number_of(x, place)];
}

static reference_cell gathered(const reference *r, const psy__instruction *at, const reference_value *out, uint64_t n)
{
    const reference_value *x = &r->values[at->operands[0]], *index = &r->values[at->operands[1]];
    uint64_t place[PSY_RANK_MAX] = {0}, from[PSY_RANK_MAX] = {0};
    unsigned axis = at->operands[2];
    place_of(out, n, place);
    if (!named(index, number_of(index, place + axis), x->dims[axis], &from[axis])) {
        return zero();
    }
    for (unsigned d = 0; d < x->rank; d++) {
        from[d] = d < axis ? place[d] : d == axis ? from[d] : place[d - 1 + index->rank];
    }
    return x->cells[number_of(x, from)];
}

static long double rounded(unsigned dtype, long double x)
{
    return dtype == PSY_F32 ? (long double)(float)x : (long double)(double)x;
}

/* One after the other in the dtype: nothing but what the operands lack is uncertain. */
static reference_cell scattered(const reference *r, const psy__instruction *at, const reference_value *out, uint64_t n)
{
    const reference_value *index = &r->values[at->operands[1]], *y = &r->values[at->operands[2]];
    reference_cell sum = r->values[at->operands[0]].cells[n];
    uint64_t inner = 1, size = 0;
    for (unsigned d = 1; d < out->rank; d++) {
        inner *= out->dims[d];
    }
    long double error = sum.error, most = fabsl(sum.real);
    bool uncertain = sum.error > 0;
    for (uint64_t k = 0; k < index->count; k++) {
        uint64_t place;
        if (named(index, k, out->dims[0], &place) && place == n / inner) {
            const reference_cell *part = &y->cells[k * inner + n % inner];
            sum.bits = reference_wrap(out->dtype, sum.bits + part->bits);
            sum.real = reference_is_float(out->dtype) ? rounded(out->dtype, sum.real + part->real) : 0;
            uncertain = uncertain || part->error > 0;
            error += (long double)part->error;
            most += fabsl(part->real);
            size++;
        }
    }
    sum.error = uncertain ? (double)(error + (long double)size * reference_epsilon(out->dtype) * most) : 0;
    return sum;
}

/* One column: elements `inner` apart. */
static void scan_column(const reference *r, const psy__instruction *at, const reference_cell *x, reference_cell *out,
                        unsigned dtype, uint64_t length, uint64_t inner)
{
    reference_cell sum = {0};
    long double error = 0, size = 0;
    for (uint64_t k = 0; k < length; k++) {
        const reference_cell *part = &x[k * inner];
        sum.real += part->real;
        sum.bits += part->bits;
        error += (long double)part->error;
        size += isfinite(part->real) ? fabsl(part->real) : 0;
        if (!reference_is_float(dtype)) {
            out[k * inner] = (reference_cell){.bits = reference_wrap(dtype, sum.bits)};
            continue;
        }
        /* Sums of parts may be infinite or not: that depends on which. */
        bool unknown = !isnan(sum.real) && isinf(reference_fit(dtype, size));
        out[k * inner] = reference_settle(r, at->info, dtype, sum.real, unknown ? (long double)INFINITY : error,
                                          k > 1 ? log2((double)k + 1) : 1, size);
    }
}

static void run_scan(const reference *r, const psy__instruction *at)
{
    const reference_value *x = &r->values[at->operands[0]];
    reference_value *out = &r->values[at->dst];
    uint64_t inner = 1, length = x->dims[at->operands[1]];
    for (unsigned d = at->operands[1] + 1; d < x->rank; d++) {
        inner *= x->dims[d];
    }
    for (uint64_t column = 0; out->count && column < out->count / length; column++) {
        uint64_t first = column / inner * length * inner + column % inner;
        scan_column(r, at, x->cells + first, out->cells + first, out->dtype, length, inner);
    }
}

/* ---- order ---- */

typedef struct ranked {
    reference_cell cell;
    uint64_t label, place;
    unsigned dtype;
    bool ascending;
} ranked;

static int best_first(const void *a_, const void *b_)
{
    const ranked *a = a_, *b = b_;
    bool more, less;
    if (reference_is_float(a->dtype)) {
        bool nan_a = isnan(a->cell.real), nan_b = isnan(b->cell.real);
        if (nan_a != nan_b) {
            return nan_a ? 1 : -1; /* NaN comes last in either order */
        }
        more = a->cell.real > b->cell.real;
        less = a->cell.real < b->cell.real;
    } else if (reference_is_signed(a->dtype)) {
        more = reference_signed(a->cell.bits) > reference_signed(b->cell.bits);
        less = reference_signed(a->cell.bits) < reference_signed(b->cell.bits);
    } else {
        more = a->cell.bits > b->cell.bits;
        less = a->cell.bits < b->cell.bits;
    }
    if (more != less) {
        return more != a->ascending ? -1 : 1;
    }
    return a->label != b->label ? (a->label < b->label ? -1 : 1) : a->place < b->place ? -1 : a->place > b->place;
}

/* Elements first .. first + n - 1 of `a`, in order. The caller frees. */
static ranked *rank(const reference_value *a, uint64_t first, uint64_t n, const reference_value *labels, uint64_t base,
                    bool ascending)
{
    ranked *all = calloc(n + 1, sizeof *all);
    cr_assert(all != NULL, "no memory");
    for (uint64_t i = 0; i < n; i++) {
        cr_assert(a->cells[first + i].error == 0, "the reference ranks exact values only");
        all[i] = (ranked){a->cells[first + i], labels ? labels->cells[i].bits : base + i, i, a->dtype, ascending};
    }
    qsort(all, n, sizeof *all, best_first);
    return all;
}

static void run_topk(const reference *r, const psy__instruction *at)
{
    const reference_value *a = &r->values[at->operands[0]];
    const reference_value *labels = at->operands[1] == PSY_NONE ? NULL : &r->values[at->operands[1]];
    reference_value *values = &r->values[at->dst], *out = &r->values[at->dst + 1];
    uint64_t base = psy__dim_is_symbol(at->operands[3]) ? r->bases[psy__dim_symbol(at->operands[3])] : 0;
    ranked *all = rank(a, 0, a->count, labels, base, false);
    for (uint64_t i = 0; i < values->count; i++) {
        values->cells[i] = i < a->count                   ? all[i].cell
                           : reference_is_float(a->dtype) ? (reference_cell){.real = NAN}
                                                          : reference_identity(PSY_OP_RMAX, a->dtype);
        bool places = at->operands[3] == 0;
        out->cells[i] = (reference_cell){.bits = i >= a->count ? UINT64_MAX : places ? all[i].place : all[i].label};
    }
    free(all);
}

static void run_sort(const reference *r, const psy__instruction *at)
{
    const reference_value *a = &r->values[at->operands[0]];
    reference_value *values = &r->values[at->dst], *out = &r->values[at->dst + 1];
    uint64_t n = a->dims[a->rank - 1], wanted = values->dims[values->rank - 1];
    for (uint64_t row = 0; wanted && row < values->count / wanted; row++) {
        ranked *all = rank(a, row * n, n, NULL, 0, at->operands[2] == 0);
        for (uint64_t i = 0; i < wanted; i++) {
            values->cells[row * wanted + i] = all[i].cell;
            out->cells[row * wanted + i] = (reference_cell){.bits = all[i].label};
        }
        free(all);
    }
}

void reference_move(const reference *r, const psy__instruction *at)
{
    reference_value *out = &r->values[at->dst];
    psy_op_class class_ = at->info->class_;
    switch (class_) {
    case PSY_CLASS_SELECT: run_topk(r, at); return;
    case PSY_CLASS_SORT: run_sort(r, at); return;
    case PSY_CLASS_SCAN: run_scan(r, at); return;
    default: break;
    }
    for (uint64_t n = 0; n < out->count; n++) {
        uint64_t place[PSY_RANK_MAX] = {0};
        reference_cell *c = &out->cells[n];
        switch (class_) {
        case PSY_CLASS_SHAPE: *c = shaped(r, at, out, n); break;
        case PSY_CLASS_JOIN: *c = joined(r, at, out, n); break;
        case PSY_CLASS_GATHER: *c = gathered(r, at, out, n); break;
        case PSY_CLASS_SCATTER: *c = scattered(r, at, out, n); break;
        case PSY_CLASS_INDEX:
            place_of(out, n, place);
            *c = reference_cast(PSY_U64, out->dtype, &(reference_cell){.bits = place[at->operands[0]]});
            break;
        default: cr_assert_fail("the reference does not know %s", at->info->name);
        }
    }
}
