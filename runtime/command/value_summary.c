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

/* Whether a < b; of 64-bit integers too. */
static bool is_less(unsigned dtype, const void *a, const void *b)
{
    if (psy__dtype_class(dtype) == PSY_DCLASS_FLOAT) {
        double x, y;
        psy__cast(dtype, a, PSY_F64, &x, 1);
        psy__cast(dtype, b, PSY_F64, &y, 1);
        return x < y;
    }
    int64_t x, y;
    psy__cast(dtype, a, PSY_I64, &x, 1);
    psy__cast(dtype, b, PSY_I64, &y, 1);
    return psy__dtype_class(dtype) == PSY_DCLASS_SINT ? x < y : (uint64_t)x < (uint64_t)y;
}

/* `n` elements, one after the other. */
static void add_block(summing *s, const unsigned char *block, size_t n)
{
    double numbers[BLOCK];
    psy__value_summary *out = s->out;
    psy__cast(s->dtype, block, PSY_F64, numbers, n);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *at = block + i * s->bytes;
        if (isnan(numbers[i])) {
            out->nan++;
            continue;
        }
        if (isinf(numbers[i])) {
            out->infinite++;
        } else {
            s->sum += numbers[i];
            s->finite++;
        }
        if (!out->any || is_less(s->dtype, at, out->least)) {
            memcpy(out->least, at, s->bytes);
        }
        if (!out->any || is_less(s->dtype, out->greatest, at)) {
            memcpy(out->greatest, at, s->bytes);
        }
        out->any = true;
    }
}

void psy__value_summarise(const psy__bound_register *r, const void *at, psy__value_summary *out)
{
    const unsigned bytes = psy_dtype_bytes(r->dtype);
    summing s = {.dtype = r->dtype, .bytes = bytes, .out = out};
    unsigned char block[BLOCK * 8];
    uint64_t index[PSY_RANK_MAX] = {0};
    size_t n = 0;
    *out = (psy__value_summary){.count = r->count};
    for (uint64_t i = 0; i < r->count; i++) {
        const unsigned char *from = at;
        for (uint32_t d = 0; d < r->rank; d++) {
            from += (int64_t)index[d] * r->strides[d];
        }
        memcpy(block + n * bytes, from, bytes);
        block[n * bytes] = r->dtype == PSY_BOOL ? block[n * bytes] & 1 : block[n * bytes];
        if (++n == BLOCK) {
            add_block(&s, block, n);
            n = 0;
        }
        for (uint32_t d = r->rank; d-- > 0 && ++index[d] == r->dims[d];) {
            index[d] = 0;
        }
    }
    add_block(&s, block, n);
    out->mean = s.finite ? s.sum / (double)s.finite : NAN;
}
