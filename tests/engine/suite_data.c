/* SPDX-License-Identifier: Apache-2.0 */
/* What the suite puts into messages and resident data. */
#include "tests/engine/suite.h"

#include <math.h>

#include "base/siphash.h"

uint64_t suite_random(uint64_t *state) /* Marsaglia's xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static bool is_half(unsigned dtype) { return dtype == PSY_F16 || dtype == PSY_BF16; }

static void put_real(unsigned dtype, void *out, uint64_t i, double x)
{
    if (is_half(dtype)) {
        ((uint16_t *)out)[i] = reference_half(dtype, x);
    } else if (dtype == PSY_F32) {
        ((float *)out)[i] = (float)x;
    } else {
        ((double *)out)[i] = x;
    }
}

static void put_bits(unsigned dtype, void *out, uint64_t i, uint64_t bits)
{
    unsigned bytes = psy__dtype_bytes(dtype);
    memcpy((uint8_t *)out + i * bytes, &bits, bytes);
}

unsigned suite_specials(const suite *s, unsigned dtype, void *out)
{
    unsigned n = 0;
    if (is_half(dtype)) {
        static const uint16_t sixteen[] = {0x0000, 0x8000, 0x7c00, 0xfc00, 0x7c01, 0xfe00, 0x7bff, 0xfbff, 0x3c00, 0xbc00,
                                           0x3555, 0x7f80, 0xff80, 0x7fc0, 0x3f80, 0xbf80, 0x0400, 0x8400, 0x5bff, 0x4f00};
        /* Subnormal as f16. As bf16 they would be subnormal f32, which devices may take for zero. */
        static const uint16_t small[] = {0x0001, 0x83ff};
        for (; n < sizeof sixteen / sizeof sixteen[0]; n++) {
            put_bits(dtype, out, n, sixteen[n]);
        }
        for (unsigned i = 0; (s->cpu || dtype == PSY_F16) && i < 2; i++) {
            put_bits(dtype, out, n++, small[i]);
        }
        return n;
    }
    if (dtype == PSY_F32 || dtype == PSY_F64) {
        bool f32 = dtype == PSY_F32;
        double most = f32 ? 0x1.fffffep127 : 0x1.fffffffffffffp1023, tiny = f32 ? 0x1p-126 : 0x1p-1022;
        const double reals[] = {
            (double)NAN,   (double)INFINITY, -(double)INFINITY,     0.0, -0.0, 1, -1, 0.5, -2.5, 3, 7, most, -most, 16777217,
            -2147483648.0, 4294967296.0,     9223372036854775808.0, 0.1, -80,  40};
        for (; n < sizeof reals / sizeof reals[0]; n++) {
            put_real(dtype, out, n, reals[n]);
        }
        if (s->cpu) {
            put_real(dtype, out, n++, tiny / 8);
            put_real(dtype, out, n++, -tiny / 4);
        }
        return n;
    }
    unsigned width = 8 * psy__dtype_bytes(dtype);
    uint64_t top = UINT64_C(1) << (width - 1);
    if (dtype == PSY_BOOL) {
        static const uint8_t any[] = {0, 1, 2, 3, 0x80, 0xfe, 0xff}; /* what a sender may have written: the lowest bit counts */
        for (; n < sizeof any; n++) {
            put_bits(dtype, out, n, any[n]);
        }
        return n;
    }
    const uint64_t ints[] = {0,
                             1,
                             2,
                             3,
                             7,
                             10,
                             100,
                             top - 1,
                             top,
                             top + 1,
                             UINT64_MAX,
                             UINT64_MAX - 1,
                             UINT64_MAX - 6,
                             UINT64_C(0x5555555555555555),
                             UINT64_C(0xAAAAAAAAAAAAAAAA),
                             UINT64_C(0x8000000080000000),
                             255,
                             65535};
    for (; n < sizeof ints / sizeof ints[0]; n++) {
        put_bits(dtype, out, n, ints[n]);
    }
    return n;
}

static void put_one(suite *s, suite_data data, unsigned dtype, void *out, uint64_t i)
{
    uint64_t r = suite_random(&s->random);
    double part = (double)(r >> 11) * 0x1p-53;
    bool is_float = psy__dtype_class(dtype) == PSY_DCLASS_FLOAT, is_signed = psy__dtype_class(dtype) == PSY_DCLASS_SINT;
    int64_t eighths = (int64_t)(r >> 33) % 65 - 32, hundred = (int64_t)(r >> 33) % 100;
    if (dtype == PSY_BOOL) {
        put_bits(dtype, out, i, (r & 15) == 0 ? r >> 56 : r >> 63);
    } else if (data == SUITE_DYADIC && is_float) {
        put_real(dtype, out, i, (double)eighths / 8);
    } else if (data == SUITE_DYADIC) {
        put_bits(dtype, out, i, (uint64_t)(is_signed ? eighths : eighths + 32));
    } else if (data == SUITE_POSITIVE) {
        is_float ? put_real(dtype, out, i, part + 0.5) : put_bits(dtype, out, i, (uint64_t)hundred + 1);
    } else if (is_float) {
        put_real(dtype, out, i, part * 8 - 4);
    } else {
        put_bits(dtype, out, i, (r & 3) == 0 ? suite_random(&s->random) : (uint64_t)(is_signed ? hundred - 50 : hundred));
    }
}

void suite_fill(suite *s, suite_data data, unsigned dtype, void *out, uint64_t n)
{
    unsigned bytes = psy__dtype_bytes(dtype);
    bool has_specials = data == SUITE_SPECIAL;
    uint8_t specials[SUITE_SPECIALS * 8];
    unsigned count = has_specials ? suite_specials(s, dtype, specials) : 0;
    for (uint64_t i = 0; i < n; i++) {
        if (has_specials) {
            memcpy((uint8_t *)out + i * bytes, specials + suite_random(&s->random) % count * bytes, bytes);
        } else {
            put_one(s, data, dtype, out, i);
        }
    }
}

void *suite_field(const build *b, uint32_t type, uint32_t field, void *message)
{
    return (uint8_t *)message + b->module.fields[b->module.types[type].first_field + field].offset;
}

psy__resident_data suite_resident(suite *s, suite_data data, unsigned dtype, uint64_t rows, uint64_t row_elements)
{
    uint64_t row_bytes = row_elements * psy__dtype_bytes(dtype);
    void *at = aligned_alloc(64, (rows * row_bytes + 127) / 64 * 64);
    cr_assert(at != NULL, "no memory");
    suite_fill(s, data, dtype, at, rows * row_elements);
    return (psy__resident_data){.data = at, .rows = rows, .row_bytes = row_bytes};
}

psy__resident_data suite_keyed(suite *s, suite_data data, unsigned dtype, uint64_t rows, uint64_t row_elements, uint64_t slots)
{
    static const uint64_t zero[2];
    psy__resident_data d = suite_resident(s, data, dtype, rows, row_elements);
    uint64_t *keys = calloc(rows + 1, sizeof *keys);
    uint32_t *index = malloc(slots * sizeof *index);
    cr_assert(keys && index && rows <= slots, "no memory, or no room");
    memset(index, 0xff, slots * sizeof *index);
    for (uint64_t row = 0; row < rows; row++) {
        keys[row] = row == 0 ? UINT64_MAX : row % 2 ? row - 1 : row * UINT64_C(0x9e3779b97f4a7c15);
        uint64_t at = psy__siphash(zero, &keys[row], 8) & (slots - 1);
        while (index[at] != UINT32_MAX) {
            at = (at + 1) & (slots - 1);
        }
        index[at] = (uint32_t)row;
    }
    d.keys = keys;
    d.index_rows = index;
    d.index_mask = slots - 1;
    return d;
}

void suite_resident_free(const psy__resident_data *d)
{
    free((void *)(uintptr_t)d->data);
    free((void *)(uintptr_t)d->keys);
    free((void *)(uintptr_t)d->index_rows);
}
