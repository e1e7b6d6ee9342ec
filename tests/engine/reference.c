/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/engine/reference.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "tests/test.h"

/* ---- elements ---- */

static bool is_float(unsigned dtype) { return dtype == PSY_F32 || dtype == PSY_F64; }
static bool is_signed(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_SINT; }

/* The low bits of the dtype, extended to 64. */
static uint64_t wrap(unsigned dtype, uint64_t bits)
{
    unsigned width = 8 * psy__dtype_bytes(dtype);
    if (width == 64) {
        return bits;
    }
    uint64_t mask = (UINT64_C(1) << width) - 1, low = bits & mask;
    return is_signed(dtype) && low >> (width - 1) ? low | ~mask : low;
}

static int64_t signed_of(uint64_t bits)
{
    int64_t x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

reference_cell reference_read(unsigned dtype, const void *at)
{
    reference_cell c = {0};
    if (dtype == PSY_F32) {
        float x;
        memcpy(&x, at, sizeof x);
        c.real = x;
    } else if (dtype == PSY_F64) {
        double x;
        memcpy(&x, at, sizeof x);
        c.real = x;
    } else {
        memcpy(&c.bits, at, psy__dtype_bytes(dtype));
        c.bits = wrap(dtype, c.bits);
    }
    return c;
}

bool reference_agrees(unsigned dtype, const reference_cell *want, const void *at, bool signed_zeros)
{
    reference_cell got = reference_read(dtype, at);
    if (!is_float(dtype)) {
        return got.bits == want->bits;
    }
    if (isinf(want->error)) {
        return false; /* nothing is known: not a test's result */
    }
    if (isnan(want->real) || isnan(got.real)) {
        return isnan(want->real) && isnan(got.real);
    }
    if (isinf(want->real) || isinf(got.real)) {
        return got.real == want->real;
    }
    if (want->error == 0) {
        return got.real == want->real && (!signed_zeros || signbit(got.real) == signbit(want->real));
    }
    return fabsl(got.real - want->real) <= (long double)want->error;
}

void reference_print(unsigned dtype, const reference_cell *c, char *text, size_t n)
{
    if (is_float(dtype)) {
        snprintf(text, n, "%.17Lg (+- %.3g)", c->real, c->error);
    } else if (is_signed(dtype)) {
        snprintf(text, n, "%" PRId64, signed_of(c->bits));
    } else {
        snprintf(text, n, "%" PRIu64, c->bits);
    }
}

static double epsilon(unsigned dtype) { return dtype == PSY_F32 ? (double)FLT_EPSILON : DBL_EPSILON; }

/* What does not fit the dtype is infinite. */
static long double fit(unsigned dtype, long double x)
{
    bool over = dtype == PSY_F32 ? isinf((float)x) : isinf((double)x);
    return !over ? x : x < 0 ? -INFINITY : (long double)INFINITY;
}

static bool same_real(long double a, long double b) { return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : a == b; }

/* A float result; the row's tolerance is added to the error, `steps` times and relative to `size`. */
static reference_cell settle(const reference *r, const psy_op_info *info, unsigned dtype, long double real, long double error,
                             double steps, long double size)
{
    long double fits = fit(dtype, real);
    if (r->exact) {
        return (reference_cell){.real = fits};
    }
    if (!isfinite(error)) {
        return (reference_cell){.real = fits, .error = (double)INFINITY};
    }
    if (isfinite(real)) {
        bool certain = error == 0;
        error += info->tolerance * epsilon(dtype) * steps * (size > 1 ? size : 1);
        long double low = fit(dtype, real - error), high = fit(dtype, real + error);
        if (!certain && (isinf(low) || isinf(high))) { /* it may be infinite, or must be */
            return (reference_cell){.real = fits, .error = low == high ? 0 : (double)INFINITY};
        }
    }
    return (reference_cell){.real = fits, .error = isfinite(fits) ? (double)error : 0};
}

/* ---- elementwise ---- */

static long double float_map(psy_op op, long double a, long double b)
{
    switch (op) {
    case PSY_OP_NEG: return -a;
    case PSY_OP_ABS: return fabsl(a);
    case PSY_OP_SQRT: return sqrtl(a);
    case PSY_OP_RSQRT: return 1 / sqrtl(a);
    case PSY_OP_EXP: return expl(a);
    case PSY_OP_LOG: return logl(a);
    case PSY_OP_TANH: return tanhl(a);
    case PSY_OP_FLOOR: return floorl(a);
    case PSY_OP_ADD: return a + b;
    case PSY_OP_SUB: return a - b;
    case PSY_OP_MUL: return a * b;
    case PSY_OP_DIV: return a / b;
    case PSY_OP_MIN: return a < b ? a : b;
    case PSY_OP_MAX: return a > b ? a : b;
    default: cr_assert_fail("the reference does not know %s", psy__op_info(op)->name); return 0;
    }
}

static uint64_t int_div(unsigned dtype, uint64_t a, uint64_t b)
{
    if (b == 0) {
        return 0;
    }
    if (!is_signed(dtype)) {
        return a / b;
    }
    if (b == UINT64_MAX) {
        return 0 - a; /* by -1: wraps at the most negative number */
    }
    return (uint64_t)(signed_of(a) / signed_of(b));
}

static uint64_t int_map(psy_op op, unsigned dtype, uint64_t a, uint64_t b)
{
    bool less = is_signed(dtype) ? signed_of(a) < signed_of(b) : a < b;
    bool more = is_signed(dtype) ? signed_of(a) > signed_of(b) : a > b;
    switch (op) {
    case PSY_OP_NEG: return wrap(dtype, 0 - a);
    case PSY_OP_ABS: return wrap(dtype, signed_of(a) < 0 ? 0 - a : a);
    case PSY_OP_ADD: return wrap(dtype, a + b);
    case PSY_OP_SUB: return wrap(dtype, a - b);
    case PSY_OP_MUL: return wrap(dtype, a * b);
    case PSY_OP_DIV: return wrap(dtype, int_div(dtype, a, b));
    case PSY_OP_MIN: return less ? a : b;
    case PSY_OP_MAX: return more ? a : b;
    default: cr_assert_fail("the reference does not know %s of integers", psy__op_info(op)->name); return 0;
    }
}

/* Where operands are uncertain, so is the result: by as much as it changes at the corners of what they may be. Infinite where
 * something happens in between: a pole, an edge of what the operation is defined for, infinity here and not there. */
static long double spread(psy_op op, const reference_cell *a, const reference_cell *b, long double real)
{
    long double most = 0;
    if (op == PSY_OP_DIV && b->error > 0 && fabsl(b->real) <= (long double)b->error) {
        return INFINITY;
    }
    for (int i = -1; i <= 1; i += 2) {
        for (int j = -1; j <= 1; j += 2) {
            long double at = float_map(op, a->real + i * (long double)a->error, b->real + j * (long double)b->error);
            if (isfinite(at) && isfinite(real)) {
                most = fabsl(at - real) > most ? fabsl(at - real) : most;
            } else if (!same_real(at, real)) {
                return INFINITY;
            }
        }
    }
    return most;
}

static reference_cell map_cell(const reference *r, const psy_op_info *info, unsigned dtype, const reference_cell *a,
                               const reference_cell *b)
{
    if (!is_float(dtype)) {
        return (reference_cell){.bits = int_map(info->op, dtype, a->bits, b->bits)};
    }
    bool unary = info->class_ == PSY_CLASS_MAP1;
    if (isinf(a->error) || (!unary && isinf(b->error))) {
        return (reference_cell){.error = (double)INFINITY};
    }
    long double real = float_map(info->op, a->real, b->real);
    bool certain = a->error == 0 && (unary || b->error == 0);
    return settle(r, info, dtype, real, certain ? 0 : spread(info->op, a, b, real), 1, fabsl(real));
}

static uint64_t saturate(unsigned dtype, long double x)
{
    unsigned width = 8 * psy__dtype_bytes(dtype);
    if (isnan(x)) {
        return 0;
    }
    if (is_signed(dtype)) {
        long double high = ldexpl(1, (int)width - 1);
        uint64_t highest = (UINT64_C(1) << (width - 1)) - 1;
        return x >= high ? highest : x < -high ? ~highest : (uint64_t)(int64_t)x;
    }
    return x >= ldexpl(1, (int)width) ? wrap(dtype, UINT64_MAX) : x <= -1 ? 0 : (uint64_t)x;
}

static reference_cell cast_cell(unsigned from, unsigned to, const reference_cell *a)
{
    reference_cell c = {0};
    cr_assert(is_float(to) || a->error == 0, "the reference casts exact values to whole numbers only");
    if (is_float(to)) {
        long double x = is_float(from) ? a->real : is_signed(from) ? (long double)signed_of(a->bits) : (long double)a->bits;
        c.real = to == PSY_F32 ? (long double)(float)x : (long double)(double)x;
        if (a->error > 0) {
            c.error = isfinite(c.real) ? a->error + (double)fabsl(x) * epsilon(to) : (double)INFINITY;
        }
    } else if (to == PSY_BOOL) {
        c.bits = is_float(from) ? a->real != 0 : a->bits != 0;
    } else {
        c.bits = is_float(from) ? saturate(to, a->real) : wrap(to, a->bits);
    }
    return c;
}

/* ---- reductions ---- */

static reference_cell identity(psy_op op, unsigned dtype)
{
    reference_cell c = {0};
    bool high = op == PSY_OP_RMIN;
    if (op != PSY_OP_RMIN && op != PSY_OP_RMAX) {
        return c;
    }
    if (is_float(dtype)) {
        c.real = high ? (long double)INFINITY : -(long double)INFINITY;
    } else {
        c.bits = saturate(dtype, high ? (long double)INFINITY : -(long double)INFINITY);
    }
    return c;
}

/* Elements a[i * step_a] (and b[i * step_b]) for i below n. */
static reference_cell reduce(const reference *r, const psy_op_info *info, unsigned dtype, const reference_cell *a,
                             uint64_t step_a, const reference_cell *b, uint64_t step_b, uint64_t n)
{
    reference_cell acc = identity(info->op, dtype);
    long double error = 0, size = 0;
    for (uint64_t i = 0; i < n; i++) {
        const reference_cell *x = &a[i * step_a], *y = b ? &b[i * step_b] : NULL;
        switch (info->op) {
        case PSY_OP_SUM:
            acc.real += x->real;
            acc.bits += x->bits;
            error += (long double)x->error;
            size += fabsl(x->real);
            break;
        case PSY_OP_DOT:
            acc.real += x->real * y->real;
            acc.bits += x->bits * y->bits;
            error += x->error == 0 ? 0 : (fabsl(y->real) + (long double)y->error) * x->error;
            error += y->error == 0 ? 0 : fabsl(x->real) * y->error;
            size += fabsl(x->real * y->real);
            break;
        case PSY_OP_RMIN:
        case PSY_OP_RMAX: {
            bool low = info->op == PSY_OP_RMIN;
            bool better = is_float(dtype) ? (low ? x->real < acc.real : x->real > acc.real)
                          : is_signed(dtype)
                              ? (low ? signed_of(x->bits) < signed_of(acc.bits) : signed_of(x->bits) > signed_of(acc.bits))
                              : (low ? x->bits < acc.bits : x->bits > acc.bits);
            acc = better ? *x : acc;
            error = (long double)x->error > error ? (long double)x->error : error;
            break;
        }
        default: cr_assert_fail("the reference does not know %s", info->name);
        }
    }
    if (!is_float(dtype)) {
        return (reference_cell){.bits = wrap(dtype, acc.bits)};
    }
    if (isfinite(acc.real) && isinf(fit(dtype, size))) {
        error = INFINITY; /* on the way there a sum may be infinite, or not: that depends on the order */
    }
    return settle(r, info, dtype, acc.real, error, n > 2 ? log2((double)n) : 1, size);
}

/* ---- shapes ---- */

/* Element number `i` of dims[rank], seen in an operand that broadcasts to it. */
static const reference_cell *element(const reference_value *v, const uint64_t *dims, unsigned rank, uint64_t i)
{
    uint64_t at = 0, stride = 1;
    for (unsigned d = rank; d-- > 0;) {
        uint64_t index = i % dims[d];
        i /= dims[d];
        if (d + v->rank >= rank) {
            uint64_t own = v->dims[d + v->rank - rank];
            at += own == 1 ? 0 : index * stride;
            stride *= own;
        }
    }
    return &v->cells[at];
}

static void run_map(const reference *r, const psy__instruction *at, reference_value *out)
{
    const reference_value *a = &r->values[at->operands[0]], *b = at->operand_count > 1 ? &r->values[at->operands[1]] : a;
    bool straight = a->count == out->count && b->count == out->count;
    for (uint64_t i = 0; i < out->count; i++) {
        const reference_cell *x = straight ? &a->cells[i] : element(a, out->dims, out->rank, i);
        const reference_cell *y = straight ? &b->cells[i] : element(b, out->dims, out->rank, i);
        out->cells[i] =
            at->info->class_ == PSY_CLASS_CAST ? cast_cell(a->dtype, out->dtype, x) : map_cell(r, at->info, out->dtype, x, y);
    }
}

static void run_reduce1(const reference *r, const psy__instruction *at, reference_value *out)
{
    const reference_value *a = &r->values[at->operands[0]];
    uint64_t inner = 1, axis = a->dims[at->operands[1]];
    for (unsigned d = at->operands[1] + 1; d < a->rank; d++) {
        inner *= a->dims[d];
    }
    for (uint64_t i = 0; i < out->count; i++) {
        const reference_cell *first = a->cells + i / inner * axis * inner + i % inner;
        out->cells[i] = reduce(r, at->info, at->dtype, first, inner, NULL, 0, axis);
    }
}

static void run_reduce2(const reference *r, const psy__instruction *at, reference_value *out)
{
    const reference_value *a = &r->values[at->operands[0]], *b = &r->values[at->operands[1]];
    uint64_t dims[PSY_RANK_MAX + 1], last_a = a->rank ? a->dims[a->rank - 1] : 1, last_b = b->rank ? b->dims[b->rank - 1] : 1;
    memcpy(dims, out->dims, sizeof out->dims);
    uint64_t n = last_a == 1 ? last_b : last_a;
    dims[out->rank] = n;
    for (uint64_t i = 0; i < out->count; i++) {
        const reference_cell *x = n ? element(a, dims, out->rank + 1, i * n) : NULL,
                             *y = n ? element(b, dims, out->rank + 1, i * n) : NULL;
        out->cells[i] = reduce(r, at->info, at->dtype, x, last_a != 1, y, last_b != 1, n);
    }
}

/* ---- top-k ---- */

typedef struct ranked {
    reference_cell cell;
    uint64_t label;
    unsigned dtype;
} ranked;

static int best_first(const void *a_, const void *b_)
{
    const ranked *a = a_, *b = b_;
    bool more, less;
    if (is_float(a->dtype)) {
        bool nan_a = isnan(a->cell.real), nan_b = isnan(b->cell.real);
        more = nan_a || nan_b ? !nan_a && nan_b : a->cell.real > b->cell.real;
        less = nan_a || nan_b ? nan_a && !nan_b : a->cell.real < b->cell.real;
    } else if (is_signed(a->dtype)) {
        more = signed_of(a->cell.bits) > signed_of(b->cell.bits);
        less = signed_of(a->cell.bits) < signed_of(b->cell.bits);
    } else {
        more = a->cell.bits > b->cell.bits;
        less = a->cell.bits < b->cell.bits;
    }
    return more ? -1 : less ? 1 : a->label < b->label ? -1 : a->label > b->label;
}

static void run_topk(const reference *r, const psy__instruction *at)
{
    const reference_value *a = &r->values[at->operands[0]];
    const reference_value *labels = at->operands[1] == PSY_NONE ? NULL : &r->values[at->operands[1]];
    reference_value *values = &r->values[at->dst], *out = &r->values[at->dst + 1];
    uint64_t base = at->operands[3] == PSY_NONE ? 0 : r->bases[psy__dim_symbol(at->operands[3])];
    ranked *all = calloc(a->count + 1, sizeof *all);
    for (uint64_t i = 0; i < a->count; i++) {
        cr_assert(a->cells[i].error == 0, "the reference ranks exact values only");
        all[i] = (ranked){a->cells[i], labels ? labels->cells[i].bits : base + i, a->dtype};
    }
    qsort(all, a->count, sizeof *all, best_first);
    for (uint64_t i = 0; i < values->count; i++) {
        values->cells[i] = i < a->count         ? all[i].cell
                           : is_float(a->dtype) ? (reference_cell){.real = NAN}
                                                : identity(PSY_OP_RMAX, a->dtype);
        out->cells[i] = (reference_cell){.bits = i < a->count ? all[i].label : UINT64_MAX};
    }
    free(all);
}

/* ---- views and results ---- */

static void read_cells(reference_value *v, const uint8_t *from, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        v->cells[first + i] = reference_read(v->dtype, from + i * psy__dtype_bytes(v->dtype));
    }
}

static bool run_lookup(const reference *r, const psy__instruction *at, reference_value *out)
{
    const psy__resident_data *d = &r->residents[at->operands[0]];
    uint64_t key = r->values[at->operands[1]].cells[0].bits;
    for (uint64_t row = 0; row < d->rows; row++) {
        if (d->keys[row] == key) {
            read_cells(out, (const uint8_t *)d->data + row * d->row_bytes, 0, out->count);
            return true;
        }
    }
    return false;
}

static void run_store(const reference *r, const psy__instruction *at, const psy_psm_field *f, reference_result *result)
{
    reference_output *o = &result->outputs[result->output_count++];
    const reference_value *v = &r->values[at->operands[0]];
    *o = (reference_output){.field = at->operands[1], .count = (uint32_t)v->count, .value = *v};
    if (f->kind == PSY_FIELD_BOUNDED && at->operands[2] != PSY_NONE) {
        const reference_value *n = &r->values[at->operands[2]];
        uint64_t bits = n->cells[0].bits;
        bits = is_signed(n->dtype) && signed_of(bits) < 0 ? 0 : bits;
        o->count = bits < v->count ? (uint32_t)bits : o->count;
    }
    o->value.cells = malloc((v->count + 1) * sizeof *v->cells);
    memcpy(o->value.cells, v->cells, v->count * sizeof *v->cells);
}

/* False: a key was not found. */
static bool run_one(const reference *r, const psy__instruction *at, const uint8_t *input, const uint8_t *partials,
                    reference_result *result)
{
    const psy__module *m = r->module;
    const psy_psm_program *p = &m->programs[r->program];
    reference_value *out = at->dst_count ? &r->values[at->dst] : NULL;
    switch (at->info->class_) {
    case PSY_CLASS_VIEW:
        if (at->op == PSY_OP_LOAD) {
            read_cells(out, input + m->fields[m->types[p->input_type].first_field + at->operands[0]].offset, 0, out->count);
        } else if (at->op == PSY_OP_PARTIAL) {
            const uint8_t *from = partials + m->fields[m->types[p->partial_type].first_field + at->operands[0]].offset;
            uint64_t each = out->rank > 1 ? out->dims[1] : 1;
            for (uint64_t s = 0; s < out->dims[0]; s++) {
                read_cells(out, from + s * r->partial_stride, s * each, each);
            }
        } else {
            const uint8_t *from = at->op == PSY_OP_CONST ? m->consts + at->operands[0] : r->residents[at->operands[0]].data;
            read_cells(out, from, 0, out->count);
        }
        return true;
    case PSY_CLASS_SIZE: {
        reference_cell size = {.bits = psy__dim_value(at->operands[0], r->symbols)};
        out->cells[0] = cast_cell(PSY_U64, at->dtype, &size);
        return true;
    }
    case PSY_CLASS_LOOKUP: return run_lookup(r, at, out);
    case PSY_CLASS_MAP1:
    case PSY_CLASS_MAP2:
    case PSY_CLASS_CAST: run_map(r, at, out); return true;
    case PSY_CLASS_REDUCE1: run_reduce1(r, at, out); return true;
    case PSY_CLASS_REDUCE2: run_reduce2(r, at, out); return true;
    case PSY_CLASS_SELECT: run_topk(r, at); return true;
    case PSY_CLASS_STORE:
        run_store(r, at, &m->fields[m->types[p->output_type].first_field + at->operands[1]], result);
        return true;
    case PSY_CLASS_REGION: return true; /* says how to run, not what */
    }
    return true;
}

/* ---- programs ---- */

void reference_init(reference *r)
{
    const psy_psm_program *p = &r->module->programs[r->program];
    r->values = calloc(p->register_count + 1u, sizeof *r->values);
    r->batched = calloc(p->register_count + 1u, sizeof *r->batched);
    r->known = calloc(p->register_count + 1u, sizeof *r->known);
    psy__program_batched(r->module, p, r->batched);
    for (uint32_t i = 0; i < p->register_count; i++) {
        const psy_psm_register *from = &r->module->registers[p->first_register + i];
        reference_value *v = &r->values[i];
        *v = (reference_value){.dtype = from->dtype, .rank = from->rank, .count = 1};
        for (unsigned d = 0; d < from->rank; d++) {
            v->dims[d] = psy__dim_value(from->dims[d], r->symbols);
            v->count *= v->dims[d];
        }
        v->cells = calloc(v->count + 1, sizeof *v->cells);
    }
}

void reference_run(reference *r, const uint8_t *input, const uint8_t *partials, reference_result *out)
{
    const psy_psm_program *p = &r->module->programs[r->program];
    *out = (reference_result){.status = PSY_OK};
    out->outputs = calloc(r->module->types[p->output_type].field_count + 1u, sizeof *out->outputs);
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(r->module, p, word, &at);
        if (at.dst_count) {
            if (r->known[at.dst] && !r->batched[at.dst]) {
                continue;
            }
            r->known[at.dst] = true;
            for (unsigned i = 0; i < at.dst_count; i++) {
                r->values[at.dst + i].op = at.op;
            }
        }
        if (!run_one(r, &at, input, partials, out)) {
            out->status = PSY_NOT_FOUND;
            return;
        }
    }
}

void reference_result_free(reference_result *result)
{
    for (uint32_t i = 0; i < result->output_count; i++) {
        free(result->outputs[i].value.cells);
    }
    free(result->outputs);
    *result = (reference_result){0};
}

void reference_fini(reference *r)
{
    for (uint32_t i = 0; r->values && i < r->module->programs[r->program].register_count; i++) {
        free(r->values[i].cells);
    }
    free(r->values);
    free(r->batched);
    free(r->known);
    r->values = NULL;
}
