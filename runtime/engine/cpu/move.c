/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that move elements: places along an axis, parts behind each other, parts by number, running sums. All results are in
 * slots, row-major without gaps; operands may be any view. */
#include <string.h>

#include "engine/cpu/cpu.h"
#include "isa/scalar.h"

/* A tensor's elements somewhere. */
typedef struct part {
    uint8_t *at;
    uint32_t rank;
    const uint64_t *dims;
    int64_t strides[PSY_RANK_MAX];
} part;

static part part_of(psy__cpu_executable *x, uint32_t reg, uint32_t m)
{
    const psy__bound_register *r = &x->bound.registers[reg];
    part p = {.at = psy__register_at(x, reg, m), .rank = r->rank, .dims = r->dims};
    memcpy(p.strides, r->strides, sizeof p.strides);
    return p;
}

static uint64_t product(const uint64_t *dims, uint32_t from, uint32_t to)
{
    uint64_t n = 1;
    for (uint32_t d = from; d < to; d++) {
        n *= dims[d];
    }
    return n;
}

/* Copies `from` without its first `skip` axes to `to`, row-major. */
static void copy_rows(uint8_t *to, const part *from, uint32_t skip, const uint8_t *at, unsigned bytes)
{
    uint32_t rank = from->rank;
    if (skip == rank) {
        memcpy(to, at, bytes);
        return;
    }
    uint64_t last = from->dims[rank - 1], rows = product(from->dims, skip, rank - 1), index[PSY_RANK_MAX] = {0};
    int64_t step = from->strides[rank - 1];
    for (uint64_t row = 0; row < rows && last; row++, to += last * bytes) {
        const uint8_t *start = at;
        for (uint32_t d = skip; d + 1 < rank; d++) {
            start += (int64_t)index[d] * from->strides[d];
        }
        if (step == (int64_t)bytes) {
            memcpy(to, start, last * bytes);
        } else {
            psy__gather(to, start, step, last, bytes);
        }
        for (uint32_t d = rank - 1; d-- > skip;) {
            if (++index[d] < from->dims[d]) {
                break;
            }
            index[d] = 0;
        }
    }
}

/* Where the outer axes (before `axis`) have their n-th combination. */
static uint8_t *outer_at(const part *p, uint32_t axis, uint64_t n)
{
    uint8_t *at = p->at;
    for (uint32_t d = axis; d-- > 0;) {
        at += (int64_t)(n % p->dims[d]) * p->strides[d];
        n /= p->dims[d];
    }
    return at;
}

/* An integer element; read once, since it may be a message's. False where it is not below `size`. */
static bool number_at(unsigned dtype, const uint8_t *at, uint64_t size, uint64_t *out)
{
    uint64_t element = 0;
    memcpy(&element, at, psy__dtype_bytes(dtype));
    *out = dtype == PSY_I32 ? (uint64_t)(int32_t)(uint32_t)element : element; /* negative ones are large */
    return *out < size;
}

static const uint8_t *element_at(const part *p, uint64_t n)
{
    const uint8_t *at = p->at;
    for (uint32_t d = p->rank; d-- > 0;) {
        at += (int64_t)(n % p->dims[d]) * p->strides[d];
        n /= p->dims[d];
    }
    return at;
}

/* ---- the instructions ---- */

static void run_index(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    const psy__bound_register *y = &x->bound.registers[at->dst];
    uint8_t *to = psy__register_at(x, at->dst, m);
    uint32_t axis = at->operands[0];
    uint64_t inner = product(y->dims, axis + 1, y->rank), outer = product(y->dims, 0, axis);
    unsigned bytes = psy__dtype_bytes(at->dtype);
    for (uint64_t o = 0; o < outer; o++) {
        for (uint64_t k = 0; k < y->dims[axis]; k++) {
            uint64_t value;
            psy__cast(PSY_U64, &k, at->dtype, &value, 1);
            psy__gather(to, (const uint8_t *)&value, 0, inner, bytes);
            to += inner * bytes;
        }
    }
}

static void run_join(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    uint8_t *to = psy__register_at(x, at->dst, m);
    uint32_t axis = at->operands[0];
    uint64_t outer = product(x->bound.registers[at->dst].dims, 0, axis);
    unsigned bytes = psy__dtype_bytes(at->dtype);
    for (uint64_t o = 0; o < outer; o++) {
        for (uint32_t i = 1; i < at->operand_count; i++) {
            part p = part_of(x, at->operands[i], m);
            copy_rows(to, &p, axis, outer_at(&p, axis, o), bytes);
            to += product(p.dims, axis, p.rank) * bytes;
        }
    }
}

static void run_gather(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    part p = part_of(x, at->operands[0], m), index = part_of(x, at->operands[1], m);
    uint8_t *to = psy__register_at(x, at->dst, m);
    uint32_t axis = at->operands[2];
    unsigned bytes = psy__dtype_bytes(at->dtype), index_dtype = x->bound.registers[at->operands[1]].dtype;
    uint64_t outer = product(p.dims, 0, axis), inner = product(p.dims, axis + 1, p.rank),
             count = product(index.dims, 0, index.rank);
    for (uint64_t o = 0; o < outer; o++) {
        const uint8_t *from = outer_at(&p, axis, o);
        for (uint64_t k = 0; k < count; k++, to += inner * bytes) {
            uint64_t n;
            if (number_at(index_dtype, element_at(&index, k), p.dims[axis], &n)) {
                copy_rows(to, &p, axis + 1, from + (int64_t)n * p.strides[axis], bytes);
            } else {
                memset(to, 0, inner * bytes);
            }
        }
    }
}

/* to += `from` without its first `skip` axes, row-major. */
static void add_rows(psy__cpu_executable *x, unsigned dtype, uint8_t *to, const part *from, uint32_t skip, const uint8_t *at)
{
    uint32_t rank = from->rank;
    unsigned bytes = psy__dtype_bytes(dtype);
    psy__accumulate *add = x->kernels->accumulate[PSY_OP_SUM][dtype];
    uint64_t last = skip < rank ? from->dims[rank - 1] : 1, rows = skip < rank ? product(from->dims, skip, rank - 1) : 1,
             index[PSY_RANK_MAX] = {0};
    int64_t step = skip < rank ? from->strides[rank - 1] : 0;
    for (uint64_t row = 0; row < rows && last; row++) {
        const uint8_t *start = at;
        for (uint32_t d = skip; d + 1 < rank; d++) {
            start += (int64_t)index[d] * from->strides[d];
        }
        for (uint64_t i = 0; i < last; i += PSY__BLOCK) {
            size_t n = last - i < PSY__BLOCK ? last - i : PSY__BLOCK;
            psy__gather(x->gathers, start + (int64_t)i * step, step, n, bytes);
            add(to, x->gathers, 1, n);
            to += n * bytes;
        }
        for (uint32_t d = rank > 0 ? rank - 1 : 0; d-- > skip;) {
            if (++index[d] < from->dims[d]) {
                break;
            }
            index[d] = 0;
        }
    }
}

static void run_scatter(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    part p = part_of(x, at->operands[0], m), index = part_of(x, at->operands[1], m), y = part_of(x, at->operands[2], m);
    uint8_t *to = psy__register_at(x, at->dst, m);
    unsigned bytes = psy__dtype_bytes(at->dtype), index_dtype = x->bound.registers[at->operands[1]].dtype;
    uint64_t inner = product(p.dims, 1, p.rank);
    copy_rows(to, &p, 0, p.at, bytes);
    for (uint64_t k = 0; k < index.dims[0]; k++) {
        uint64_t n;
        if (number_at(index_dtype, element_at(&index, k), p.dims[0], &n)) {
            add_rows(x, at->dtype, to + n * inner * bytes, &y, 1, y.at + (int64_t)k * y.strides[0]);
        }
    }
}

enum { RUN = 32 }; /* rows that are added one after the other */

/* n columns of `length` rows that lie `stride` bytes apart. What comes before a run of rows goes through a cascade. */
static void scan_columns(psy__cpu_executable *x, unsigned dtype, uint8_t *at, uint64_t length, uint64_t stride, size_t n)
{
    const psy_op_info *sum = psy__op_info(PSY_OP_SUM);
    psy__accumulate *add = x->kernels->accumulate[PSY_OP_SUM][dtype];
    uint8_t *before = x->gathers, *total = x->gathers + PSY__BLOCK_BYTES;
    for (uint64_t first = 0; first < length; first += RUN) {
        uint64_t rows = length - first < RUN ? length - first : RUN;
        uint8_t *row = at + first * stride;
        for (uint64_t k = 1; k < rows; k++) {
            add(row + k * stride, row + (k - 1) * stride, 1, n);
        }
        memcpy(total, row + (rows - 1) * stride, n * psy__dtype_bytes(dtype));
        if (first > 0) {
            psy__cascade_end(x->kernels, sum, dtype, x->levels, PSY__BLOCK_BYTES, first / RUN, before, n);
            for (uint64_t k = 0; k < rows; k++) {
                add(row + k * stride, before, 1, n);
            }
        }
        psy__cascade_add(x->kernels, sum, dtype, x->levels, PSY__BLOCK_BYTES, total, first / RUN, n);
    }
}

static void run_scan(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    part p = part_of(x, at->operands[0], m);
    uint8_t *to = psy__register_at(x, at->dst, m);
    uint32_t axis = at->operands[1];
    unsigned bytes = psy__dtype_bytes(at->dtype);
    uint64_t outer = product(p.dims, 0, axis), inner = product(p.dims, axis + 1, p.rank);
    copy_rows(to, &p, 0, p.at, bytes);
    for (uint64_t o = 0; o < outer; o++, to += p.dims[axis] * inner * bytes) {
        for (uint64_t column = 0; column < inner; column += PSY__BLOCK) {
            size_t n = inner - column < PSY__BLOCK ? inner - column : PSY__BLOCK;
            scan_columns(x, at->dtype, to + column * bytes, p.dims[axis], inner * bytes, n);
        }
    }
}

void psy__move_run(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    const psy__bound_register *y = &x->bound.registers[at->dst];
    if (y->count == 0) {
        return; /* however many times nothing */
    }
    switch (at->info->class_) {
    case PSY_CLASS_INDEX: run_index(x, at, m); break;
    case PSY_CLASS_JOIN: run_join(x, at, m); break;
    case PSY_CLASS_GATHER: run_gather(x, at, m); break;
    case PSY_CLASS_SCATTER: run_scatter(x, at, m); break;
    case PSY_CLASS_SCAN: run_scan(x, at, m); break;
    default: psy__sort_run(x, at, m); break;
    }
    if (y->dtype == PSY_BOOL) { /* messages may have any byte; slots hold 0 or 1 */
        psy__bools_clean(psy__register_at(x, at->dst, m), y->count);
    }
}
