/* SPDX-License-Identifier: Apache-2.0 */
/* f16 and bf16: every bit pattern as a float and back; what lies between two of them, and beyond the last. */
#include <math.h>

#include "tests/engine/suite.h"

enum { PATTERNS = 65536, FINITE_F16 = 0x7c00, FINITE_BF16 = 0x7f80 };

/* The reference itself, against values that are known. */
Test(half, known_values)
{
    static const struct {
        unsigned dtype;
        long double value;
        uint16_t bits;
    } rows[] = {{PSY_F16, 1, 0x3c00},
                {PSY_F16, -2, 0xc000},
                {PSY_F16, 65504, 0x7bff},
                {PSY_F16, 65519.996L, 0x7bff},
                {PSY_F16, 65520, 0x7c00}, /* the tie goes to the even one: infinity */
                {PSY_F16, 0x1p-14L, 0x0400},
                {PSY_F16, 0x1.ff8p-15L, 0x03ff},
                {PSY_F16, 0x1p-24L, 0x0001},
                {PSY_F16, 0x1p-25L, 0x0000},
                {PSY_F16, 0x1.00001p-25L, 0x0001},
                {PSY_F16, 0x1.8p-24L, 0x0002},
                {PSY_F16, 0x1.002p0L, 0x3c00},
                {PSY_F16, 0x1.006p0L, 0x3c02},
                {PSY_BF16, 1, 0x3f80},
                {PSY_BF16, 0x1.01p0L, 0x3f80},
                {PSY_BF16, 0x1.03p0L, 0x3f82},
                {PSY_BF16, 0x1.fep127L, 0x7f7f},
                {PSY_BF16, 0x1.ffp127L, 0x7f80},
                {PSY_BF16, -0x1p-133L, 0x8001},
                {PSY_BF16, 0x1p-134L, 0x0000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t got = reference_half(rows[i].dtype, rows[i].value);
        cr_assert_eq(got, rows[i].bits, "row %zu: %04x", i, got);
    }
    for (unsigned dtype = PSY_F16; dtype <= PSY_BF16; dtype++) {
        for (uint32_t bits = 0; bits < PATTERNS; bits++) {
            long double x = reference_half_value(dtype, (uint16_t)bits);
            uint32_t back = reference_half(dtype, x);
            cr_assert(isnan(x) ? isnan(reference_half_value(dtype, (uint16_t)back)) : back == bits, "%04x comes back as %04x",
                      bits, back);
        }
    }
}

/* ---- every pattern ---- */

static void fill_patterns(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)message;
    (void)partials;
    uint16_t *x = suite_field(c->b, 0, 0, input);
    for (uint32_t i = 0; i < PATTERNS; i++) {
        bool tiny = c->b->fields[0][0].dtype == PSY_BF16 && (i & 0x7f80) == 0;
        x[i] = (uint16_t)(tiny && !s->cpu ? i & 0x8000 : i); /* devices may take subnormal f32 for zero */
    }
}

ENGINE_TEST(half, every_pattern)
{
    for (unsigned dtype = PSY_F16; dtype <= PSY_BF16; dtype++) {
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b);
        build_field(b, in, dtype, PSY_FIELD_ARRAY, PATTERNS);
        build_program(b, in, PSY_NONE, out);
        uint32_t x = build_load(b, 0);
        for (unsigned to = 1; to < SUITE_DTYPES; to++) {
            if (psy__dtype_bytes(to) && suite_casts(s, dtype, to)) {
                uint32_t y = build_cast(b, to, x);
                build_output(b, y);
                if (to >= PSY_F16) {
                    build_output(b, build_cast(b, dtype, y));
                }
            }
        }
        build_end(b);
        build_finish(b);
        suite_run(s,
                  &(suite_case){
                      .label = dtype == PSY_F16 ? "every f16" : "every bf16", .b = b, .fill = fill_patterns, .batch_max = 1});
        build_destroy(b);
    }
}

/* ---- rounding ---- */

enum { EDGES = 3 * FINITE_BF16 };

/* What lies in the middle between two neighbours, and just below and above it. */
static void fill_edges(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)partials;
    unsigned dtype = c->b->fields[0][0].dtype, to = c->b->fields[0][1].dtype;
    uint32_t finite = to == PSY_F16 ? FINITE_F16 : FINITE_BF16;
    void *x = suite_field(c->b, 0, 0, input);
    memset(x, 0, (size_t)EDGES * psy__dtype_bytes(dtype));
    for (uint32_t i = 0; i < 3 * finite; i++) {
        long double low = reference_half_value(to, (uint16_t)(i / 3)), high = reference_half_value(to, (uint16_t)(i / 3 + 1));
        high = isinf(high) ? 2 * low - reference_half_value(to, (uint16_t)(i / 3 - 1)) : high;
        double middle = (double)((low + high) / 2) * ((i + message) % 2 ? -1 : 1),
               away = middle < 0 ? -INFINITY : (double)INFINITY;
        if (dtype == PSY_F64) {
            ((double *)x)[i] = i % 3 == 0 ? middle : nextafter(middle, i % 3 == 1 ? 0 : away);
        } else if (s->cpu || fabs(middle) >= 0x1p-125) {
            ((float *)x)[i] = i % 3 == 0 ? (float)middle : nextafterf((float)middle, i % 3 == 1 ? 0 : (float)away);
        }
    }
}

ENGINE_TEST(half, rounding_of_floats)
{
    for (unsigned from = PSY_F32; from <= PSY_F64; from++) {
        for (unsigned to = PSY_F16; to <= PSY_BF16; to++) {
            if (!suite_casts(s, from, to)) {
                continue;
            }
            build *b = build_create();
            uint32_t in = build_type(b), out = build_type(b);
            build_field(b, in, from, PSY_FIELD_ARRAY, EDGES);
            build_field(b, in, to, PSY_FIELD_SCALAR, 1);
            build_program(b, in, PSY_NONE, out);
            build_output(b, build_cast(b, to, build_load(b, 0)));
            build_end(b);
            build_finish(b);
            char label[48];
            snprintf(label, sizeof label, "edges of %s from %s", psy__dtype_name(to), psy__dtype_name(from));
            suite_run(s, &(suite_case){.label = label, .b = b, .fill = fill_edges, .batch_max = 2});
            build_destroy(b);
        }
    }
}

enum { INTEGERS = 6000 };

/* Whole numbers of every size, most of them next to the middle between two that f16 or bf16 has. */
static void fill_integers(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)message;
    (void)partials;
    unsigned dtype = c->b->fields[0][0].dtype, bytes = psy__dtype_bytes(dtype);
    uint8_t *x = suite_field(c->b, 0, 0, input);
    for (unsigned i = 0; i < INTEGERS; i++) {
        uint64_t r = suite_random(&s->random), digits = i % 2 ? 9 : 12, length = digits + r % (64 - digits); /* with the half */
        uint64_t kept = (r >> 20 | UINT64_C(1) << 43) >> (44 - digits) | 1;
        uint64_t value = (kept << (length - digits)) + (r >> 8) % 3 - 1;
        value = i < 64 ? UINT64_MAX >> i : i < 128 ? UINT64_C(1) << (i - 64) : i % 5 == 0 ? 0 - value : value;
        memcpy(x + i * bytes, &value, bytes);
    }
}

ENGINE_TEST(half, rounding_of_integers)
{
    for (unsigned from = 1; from < PSY_F16; from++) {
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b);
        build_field(b, in, from, PSY_FIELD_ARRAY, INTEGERS);
        build_program(b, in, PSY_NONE, out);
        uint32_t x = build_load(b, 0), made = 0;
        for (unsigned to = PSY_F16; to <= PSY_F64; to++) {
            if (suite_casts(s, from, to)) {
                build_output(b, build_cast(b, to, x));
                made++;
            }
        }
        if (made) {
            build_end(b);
            build_finish(b);
            char label[48];
            snprintf(label, sizeof label, "whole numbers from %s", psy__dtype_name(from));
            suite_run(s, &(suite_case){.label = label, .b = b, .fill = fill_integers, .batch_max = 2});
        }
        build_destroy(b);
    }
}
