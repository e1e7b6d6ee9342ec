/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, and whole programs. */
#include <math.h>

#include "tests/engine/reference_parts.h"
#include "tests/test.h"

/* ---- reductions ---- */

reference_cell reference_identity(psy_op op, unsigned dtype)
{
    reference_cell c = {0};
    if (op == PSY_OP_PROD || op == PSY_OP_ALL) {
        return (reference_cell){.real = 1, .bits = 1};
    }
    if (op != PSY_OP_RMIN && op != PSY_OP_RMAX) {
        return c;
    }
    long double most = op == PSY_OP_RMIN ? (long double)INFINITY : -(long double)INFINITY;
    if (reference_is_float(dtype)) {
        c.real = most;
    } else {
        c.bits = reference_saturate(dtype, most);
    }
    return c;
}

/* A product of floats: its relative errors add up, and on the way it may leave the dtype's range in one order and not in
 * another. */
static reference_cell product(const psy_op_info *info, unsigned dtype, const reference_cell *a, uint64_t step, uint64_t n)
{
    long double real = 1, size = 1, most = 1, large = 1, small = 1;
    for (uint64_t i = 0; i < n; i++) {
        const reference_cell *x = &a[i * step];
        if (isinf(x->error)) {
            return (reference_cell){.error = (double)INFINITY};
        }
        long double magnitude = fabsl(x->real), high = magnitude + (long double)x->error;
        real *= x->real;
        size *= magnitude;
        most *= high;
        large *= isfinite(high) && high > 1 ? high : 1;
        small *= magnitude > 0 && magnitude < 1 ? magnitude : 1;
    }
    if (isnan(real)) {
        return (reference_cell){.real = real};
    }
    bool vanishes = dtype == PSY_F32 ? (float)small == 0 : (double)small == 0;
    if (isinf(reference_fit(dtype, large)) || (isinf(real) && vanishes)) {
        return (reference_cell){.error = (double)INFINITY};
    }
    if (isinf(real)) {
        return (reference_cell){.real = real};
    }
    double steps = n > 2 ? log2((double)n) : 1;
    long double error = n == 0 ? 0 : info->tolerance * reference_epsilon(dtype) * steps * (size > 1 ? size : 1);
    return (reference_cell){.real = real, .error = (double)(most - size + error)};
}

/* Elements a[i * step_a] (and b[i * step_b]) for i below n. */
static reference_cell reduce(const reference *r, const psy_op_info *info, unsigned dtype, const reference_cell *a,
                             uint64_t step_a, const reference_cell *b, uint64_t step_b, uint64_t n)
{
    reference_cell acc = reference_identity(info->op, dtype);
    if (info->op == PSY_OP_PROD && reference_is_float(dtype)) {
        return product(info, dtype, a, step_a, n);
    }
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
        case PSY_OP_PROD: acc.bits *= x->bits; break;
        case PSY_OP_ANY: acc.bits |= x->bits; break;
        case PSY_OP_ALL: acc.bits &= x->bits; break;
        case PSY_OP_RMIN:
        case PSY_OP_RMAX: {
            bool low = info->op == PSY_OP_RMIN;
            bool better = reference_is_float(dtype)    ? (low ? x->real < acc.real : x->real > acc.real)
                          : reference_is_signed(dtype) ? (low ? reference_signed(x->bits) < reference_signed(acc.bits)
                                                              : reference_signed(x->bits) > reference_signed(acc.bits))
                                                       : (low ? x->bits < acc.bits : x->bits > acc.bits);
            acc = better ? *x : acc;
            error = (long double)x->error > error ? (long double)x->error : error;
            break;
        }
        default: cr_assert_fail("the reference does not know %s", info->name);
        }
    }
    if (!reference_is_float(dtype)) {
        return (reference_cell){.bits = reference_wrap(dtype, acc.bits)};
    }
    if (isfinite(acc.real) && isinf(reference_fit(dtype, size))) {
        error = INFINITY; /* on the way there a sum may be infinite, or not: that depends on the order */
    }
    return reference_settle(r, info, dtype, acc.real, error, n > 2 ? log2((double)n) : 1, size);
}

/* ---- shapes ---- */

const reference_cell *reference_element(const reference_value *v, const uint64_t *dims, unsigned rank, uint64_t i)
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
    for (uint64_t i = 0; i < out->count; i++) {
        const reference_cell *in[3] = {NULL, NULL, NULL};
        for (unsigned k = 0; k < 3; k++) {
            const reference_value *x = &r->values[at->operands[k < at->operand_count ? k : 0]];
            in[k] = x->count == out->count ? &x->cells[i] : reference_element(x, out->dims, out->rank, i);
        }
        out->cells[i] = at->info->class_ == PSY_CLASS_CAST ? reference_cast(r->values[at->operands[0]].dtype, out->dtype, in[0])
                                                           : reference_map(r, at->info, at->dtype, in);
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
        const reference_cell *x = n ? reference_element(a, dims, out->rank + 1, i * n) : NULL,
                             *y = n ? reference_element(b, dims, out->rank + 1, i * n) : NULL;
        out->cells[i] = reduce(r, at->info, at->dtype, x, last_a != 1, y, last_b != 1, n);
    }
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
    uint64_t rows = v->rank ? v->dims[0] : 1, each = v->rank > 1 ? v->dims[1] : 1;
    *o = (reference_output){.field = at->operands[1], .lengths = at->op == PSY_OP_STORE_LENGTHS, .value = *v};
    const reference_value *n = o->lengths || at->operands[2] == PSY_NONE ? NULL : &r->values[at->operands[2]];
    if (f->kind == PSY_FIELD_BOUNDED && n) {
        uint64_t bits = n->cells[0].bits;
        bits = reference_is_signed(n->dtype) && reference_signed(bits) < 0 ? 0 : bits;
        rows = bits < rows ? bits : rows;
    }
    o->count = (uint32_t)(rows * each);
    o->counted = f->kind != PSY_FIELD_OPTIONAL ? (uint32_t)rows : n ? n->cells[0].bits & 1 : 1;
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
        if (at->op == PSY_OP_LOAD || at->op == PSY_OP_COUNT || at->op == PSY_OP_LENGTHS) {
            const psy_psm_field *f = &m->fields[m->types[p->input_type].first_field + at->operands[0]];
            read_cells(out,
                       input + (at->op == PSY_OP_LOAD    ? f->offset
                                : at->op == PSY_OP_COUNT ? f->count_offset
                                                         : f->inner_offset),
                       0, out->count);
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
        psy_dim d = at->operands[0];
        reference_cell size = {.bits = at->op == PSY_OP_BASE ? r->bases[psy__dim_symbol(d)] : psy__dim_value(d, r->symbols)};
        out->cells[0] = reference_cast(PSY_U64, at->dtype, &size);
        return true;
    }
    case PSY_CLASS_LOOKUP: return run_lookup(r, at, out);
    case PSY_CLASS_MAP1:
    case PSY_CLASS_MAP2:
    case PSY_CLASS_MAP3:
    case PSY_CLASS_COMPARE:
    case PSY_CLASS_CHOOSE:
    case PSY_CLASS_CAST: run_map(r, at, out); return true;
    case PSY_CLASS_REDUCE1: run_reduce1(r, at, out); return true;
    case PSY_CLASS_REDUCE2: run_reduce2(r, at, out); return true;
    case PSY_CLASS_SHAPE:
    case PSY_CLASS_INDEX:
    case PSY_CLASS_JOIN:
    case PSY_CLASS_GATHER:
    case PSY_CLASS_SCATTER:
    case PSY_CLASS_SCAN:
    case PSY_CLASS_SORT:
    case PSY_CLASS_SELECT: reference_move(r, at); return true;
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
    r->sizes = calloc(r->module->symbol_count + 1u, sizeof *r->sizes);
    psy__program_batched(r->module, p, r->batched);
    for (uint32_t i = 0; i < r->module->symbol_count; i++) {
        const psy_psm_symbol *s = &r->module->symbols[i];
        uint64_t left = psy__symbol_word(s->kind) ? psy__dim_value(s->of, r->sizes) : 0,
                 right = psy__symbol_word(s->kind) ? psy__dim_value(s->with, r->sizes) : 1;
        r->sizes[i] = s->kind == PSY_SYMBOL_ADD        ? left + right
                      : s->kind == PSY_SYMBOL_SUBTRACT ? left - right
                      : s->kind == PSY_SYMBOL_MULTIPLY ? left * right
                      : s->kind == PSY_SYMBOL_DIVIDE   ? left / right
                                                       : r->symbols[i];
    }
    r->symbols = r->sizes;
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
    out->outputs = calloc(r->module->types[p->output_type].field_count * 2u + 1u, sizeof *out->outputs);
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
    free(r->sizes);
    free(r->batched);
    free(r->known);
    r->values = NULL;
}
