/* SPDX-License-Identifier: Apache-2.0 */
/* Least, greatest, mean and counts of values: every dtype, more than a block, any strides, beside a plain loop. */
#include <math.h>

#include "command/trace.h"
#include "isa/scalar.h"
#include "tests/test.h"

enum { ROWS = 37, COLUMNS = 29 };

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Small numbers, so that sums are exact. */
static void fill(unsigned dtype, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int64_t v = (int64_t)(next() % 100) - (psy__dtype_class(dtype) == PSY_DCLASS_UINT ? 0 : 50);
        psy__cast(PSY_I64, &v, dtype, to + i * psy_dtype_bytes(dtype), 1);
    }
}

static double number(unsigned dtype, const void *at)
{
    double d;
    psy__cast(dtype, at, PSY_F64, &d, 1);
    return d;
}

static void check(const psy__bound_register *r, const uint8_t *at)
{
    double least = INFINITY, greatest = -INFINITY, sum = 0;
    psy__value_summary s;
    for (uint64_t i = 0; i < r->dims[0]; i++) {
        for (uint64_t k = 0; k < r->dims[1]; k++) {
            const double x = number(r->dtype, at + (int64_t)i * r->strides[0] + (int64_t)k * r->strides[1]);
            least = x < least ? x : least;
            greatest = x > greatest ? x : greatest;
            sum += x;
        }
    }
    psy__value_summarise(r, at, &s);
    cr_assert(s.any && s.nan == 0 && s.infinite == 0 && s.count == r->count);
    cr_assert_eq(number(r->dtype, s.least), least);
    cr_assert_eq(number(r->dtype, s.greatest), greatest);
    cr_assert_eq(s.mean, sum / (double)r->count);
}

Test(value_summary, dtypes_and_strides)
{
    static uint8_t memory[ROWS * COLUMNS * 8];
    for (unsigned dtype = PSY_BOOL; dtype <= PSY_F64; dtype++) {
        const int64_t b = psy_dtype_bytes(dtype);
        fill(dtype, memory, ROWS * COLUMNS);
        psy__bound_register r = {
            .dtype = (uint8_t)dtype, .rank = 2, .dims = {ROWS, COLUMNS}, .strides = {COLUMNS * b, b}, .count = ROWS * COLUMNS};
        check(&r, memory);
        r.strides[0] = b; /* turned */
        r.strides[1] = ROWS * b;
        check(&r, memory);
        r.strides[0] = -COLUMNS * b; /* from its end */
        r.strides[1] = -b;
        check(&r, memory + (ROWS * COLUMNS - 1) * b);
        r.strides[0] = 0; /* repeated */
        r.strides[1] = b;
        check(&r, memory + 3 * b);
        r = (psy__bound_register){
            .dtype = (uint8_t)dtype, .rank = 2, .dims = {ROWS, 1}, .strides = {2 * b, 0}, .count = ROWS}; /* every second one */
        check(&r, memory);
    }
}

Test(value_summary, special)
{
    float x[600];
    psy__value_summary s;
    psy__bound_register r = {.dtype = PSY_F32, .rank = 1, .dims = {600}, .strides = {4}, .count = 600};
    for (int i = 0; i < 600; i++) {
        x[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? 2.0f : -INFINITY;
    }
    psy__value_summarise(&r, x, &s);
    cr_assert(s.nan == 200 && s.infinite == 200 && s.mean == 2 && number(PSY_F32, s.least) == -INFINITY &&
              number(PSY_F32, s.greatest) == 2);
    for (int i = 0; i < 600; i++) {
        x[i] = NAN;
    }
    psy__value_summarise(&r, x, &s);
    cr_assert(s.nan == 600 && !s.any && isnan(s.mean));
    r.dims[0] = r.count = 0;
    psy__value_summarise(&r, x, &s);
    cr_assert(s.count == 0 && !s.any && isnan(s.mean));
}

Test(value_summary, without_end)
{
    const uint8_t one = 7;
    psy__value_summary s;
    psy__bound_register r = {.dtype = PSY_U8, .rank = 1, .dims = {UINT64_C(1) << 40}, .count = UINT64_C(1) << 40};
    psy__value_summarise(&r, &one, &s);
    cr_assert(s.count == PSY_SUMMARY_MAX && s.least[0] == 7 && s.greatest[0] == 7 && s.mean == 7);
}

Test(value_summary, wide_integers)
{
    const uint64_t u[3] = {UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 2};
    const int64_t i[3] = {INT64_MAX - 1, INT64_MIN + 1, INT64_MIN};
    psy__value_summary s;
    psy__bound_register r = {.dtype = PSY_U64, .rank = 1, .dims = {3}, .strides = {8}, .count = 3};
    psy__value_summarise(&r, u, &s);
    cr_assert(memcmp(s.least, &u[2], 8) == 0 && memcmp(s.greatest, &u[1], 8) == 0);
    r.dtype = PSY_I64;
    psy__value_summarise(&r, i, &s);
    cr_assert(memcmp(s.least, &i[2], 8) == 0 && memcmp(s.greatest, &i[0], 8) == 0);
    const uint8_t truth[3] = {0xfe, 0x03, 0xfe}; /* as others write it: the lowest bit counts */
    r.dtype = PSY_BOOL;
    r.strides[0] = 1;
    psy__value_summarise(&r, truth, &s);
    cr_assert(s.least[0] == 0 && s.greatest[0] == 1 && s.mean == 1.0 / 3);
}
