/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "command/trace.h"
#include "isa/scalar.h"

enum { BLOCK = 256 };

typedef struct summing {
    unsigned dtype, bytes;
    psy__value_summary *out;
    double sum;
    uint64_t finite;
} summing;

/* Whether a < b, of integers that f64 does not hold. */
static bool is_less(unsigned dtype, const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return dtype == PSY_I64 ? x < y : (uint64_t)x < (uint64_t)y;
}

/* The least and the greatest of a block, which are no NaN. */
static void put_in_order(summing *s, const unsigned char *least, const unsigned char *greatest)
{
    psy__value_summary *out = s->out;
    const bool wide = s->dtype == PSY_I64 || s->dtype == PSY_U64;
    double now[2], before[2] = {0, 0};
    psy__cast(s->dtype, least, PSY_F64, &now[0], 1);
    psy__cast(s->dtype, greatest, PSY_F64, &now[1], 1);
    if (out->any) {
        psy__cast(s->dtype, out->least, PSY_F64, &before[0], 1);
        psy__cast(s->dtype, out->greatest, PSY_F64, &before[1], 1);
    }
    if (!out->any || (wide ? is_less(s->dtype, least, out->least) : now[0] < before[0])) {
        memcpy(out->least, least, s->bytes);
    }
    if (!out->any || (wide ? is_less(s->dtype, out->greatest, greatest) : now[1] > before[1])) {
        memcpy(out->greatest, greatest, s->bytes);
    }
    out->any = true;
}

/* `n` elements, one after the other. */
static void add_block(summing *s, const unsigned char *block, size_t n)
{
    double numbers[BLOCK];
    const bool wide = s->dtype == PSY_I64 || s->dtype == PSY_U64;
    size_t least = n, greatest = n;
    psy__cast(s->dtype, block, PSY_F64, numbers, n);
    for (size_t i = 0; i < n; i++) {
        const double x = numbers[i];
        if (isnan(x)) {
            s->out->nan++;
            continue;
        }
        if (isinf(x)) {
            s->out->infinite++;
        } else {
            s->sum += x;
            s->finite++;
        }
        if (least == n) {
            least = greatest = i;
        } else if (wide) {
            least = is_less(s->dtype, block + i * 8, block + least * 8) ? i : least;
            greatest = is_less(s->dtype, block + greatest * 8, block + i * 8) ? i : greatest;
        } else {
            least = x < numbers[least] ? i : least;
            greatest = x > numbers[greatest] ? i : greatest;
        }
    }
    if (least < n) {
        put_in_order(s, block + least * s->bytes, block + greatest * s->bytes);
    }
}

/* Whether the elements lie one after the other. */
static bool is_packed(const psy__bound_register *r, unsigned bytes)
{
    int64_t stride = bytes;
    for (uint32_t d = r->rank; d-- > 0;) {
        if (r->dims[d] != 1 && r->strides[d] != stride) {
            return false;
        }
        stride *= (int64_t)r->dims[d];
    }
    return true;
}

/* In any order of strides, and truth values as others wrote them: copied together. */
static void gather(summing *s, const psy__bound_register *r, const unsigned char *at)
{
    PSY_ALIGNAS(8) unsigned char block[BLOCK * 8];
    uint64_t index[PSY_RANK_MAX] = {0};
    size_t n = 0;
    for (uint64_t i = 0; i < s->out->count; i++) {
        const unsigned char *from = at;
        for (uint32_t d = 0; d < r->rank; d++) {
            from += (int64_t)index[d] * r->strides[d];
        }
        memcpy(block + n * s->bytes, from, s->bytes);
        block[n * s->bytes] &= r->dtype == PSY_BOOL ? 1 : 0xff;
        if (++n == BLOCK) {
            add_block(s, block, n);
            n = 0;
        }
        for (uint32_t d = r->rank; d-- > 0 && ++index[d] == r->dims[d];) {
            index[d] = 0;
        }
    }
    add_block(s, block, n);
}

void psy__value_summarise(const psy__bound_register *r, const void *at, psy__value_summary *out)
{
    const unsigned bytes = psy_dtype_bytes(r->dtype);
    summing s = {.dtype = r->dtype, .bytes = bytes, .out = out};
    *out = (psy__value_summary){.count = r->count < PSY_SUMMARY_MAX ? r->count : PSY_SUMMARY_MAX};
    if (r->dtype == PSY_BOOL || !is_packed(r, bytes)) {
        gather(&s, r, at);
    } else {
        for (uint64_t i = 0; i < out->count; i += BLOCK) {
            add_block(&s, (const unsigned char *)at + i * bytes, out->count - i < BLOCK ? out->count - i : BLOCK);
        }
    }
    out->mean = s.finite ? s.sum / (double)s.finite : NAN;
}
