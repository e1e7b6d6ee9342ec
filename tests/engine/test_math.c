/* SPDX-License-Identifier: Apache-2.0 */
/* The f32 functions of the kernels of every instruction set that this machine has, against <math.h> in double: how far off
 * they are is what their table says (engine/cpu/math_rows.h). `make check-long` takes every f32 (long_values). */
#include <math.h>
#include <string.h>

#include "engine/cpu/kernels.h"
#include "engine/cpu/math_rows.h"
#include "isa/module.h"
#include "tests/engine/sets.h"
#include "tests/engine/ulp.h"
#include "tests/test.h"

typedef struct function {
    unsigned op;
    const char *name;
    double (*exact)(double x);
    double ulp, ulp_unfused;
    bool angle;
} function;

static const function functions[] = {
#define ROW(NAME, function, ulp, ulp_unfused) {PSY_OP_##NAME, #function, function, ulp, ulp_unfused, false},
    PSY_MATH_F32(ROW)
#undef ROW
#define ROW(NAME, function, ulp, ulp_unfused) {PSY_OP_##NAME, #function, function, ulp, ulp_unfused, true},
        PSY_MATH_F32_ANGLES(ROW)
#undef ROW
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0], BLOCK = 1000 };

static void check_block(const function *f, const psy__kernels *k, const float *in, size_t n)
{
    static float out[BLOCK];
    bool fused = strcmp(k->name, "base") != 0;
    psy__map1_of(k, f->op, PSY_F32)(out, in, 1, n);
    for (size_t i = 0; i < n; i++) {
        double error = ulp_error(out[i], f->exact((double)in[i]));
        cr_assert_leq(error, fused ? f->ulp : f->ulp_unfused, "%s of %a with %s kernels: %a, not %a: %g ulp", f->name,
                      (double)in[i], k->name, (double)out[i], f->exact((double)in[i]), error);
    }
}

/* Every 20,011th f32, which meets all exponents and, together, all low bits. */
Test(math, of_a_dense_sample)
{
    const psy__kernels *sets[SETS_MAX];
    unsigned set_count = sets_here(sets);
    static float in[BLOCK];
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        for (uint64_t bits = 0; bits <= UINT32_MAX;) {
            size_t n = 0;
            for (; n < BLOCK && bits <= UINT32_MAX; n++, bits += 20011) {
                uint32_t word = (uint32_t)bits;
                memcpy(&in[n], &word, sizeof word);
            }
            for (unsigned s = 0; s < set_count; s++) {
                check_block(&functions[f], sets[s], in, n);
            }
        }
    }
}

/* What functions change at: zeros, the smallest and the largest numbers, infinities, NaN with any bits, and every bound that
 * is in a function, with the 50 numbers on both sides of it. */
Test(math, of_special_numbers)
{
    static const float at[] = {
        0,     0x1p-149f, 0x1p-126f, 0x1.fffffep127f, INFINITY, 0.5f,      0.92f,   1,          2,          3.93f,
        9.01f, 20,        87.3366f,  88.3763f,        88.7228f, 103.9721f, 104.5f,  127,        128,        149,
        150,   151,       0x1p-24f,  0x1p16f,         0x1p22f,  0x1p24f,   0x1p64f, 0.7071068f, 1.4142135f, 1.5707963f};
    static float in[BLOCK];
    const psy__kernels *sets[SETS_MAX];
    unsigned set_count = sets_here(sets);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        uint32_t word, n = 0;
        memcpy(&word, &at[i], sizeof word);
        for (uint32_t k = 0; k < 101; k++) {
            uint32_t near = word + k - 50, negative = near | UINT32_C(1) << 31;
            memcpy(&in[n++], &near, sizeof near); /* below 0: NaN */
            memcpy(&in[n++], &negative, sizeof negative);
        }
        for (unsigned f = 0; f < FUNCTIONS; f++) {
            for (unsigned s = 0; s < set_count; s++) {
                check_block(&functions[f], sets[s], in, n);
            }
        }
    }
}

/* Every length up to some vectors, one value for all, and nothing written behind the end. */
Test(math, of_every_length)
{
    float in[70], out[70], all[70];
    const psy__kernels *sets[SETS_MAX];
    unsigned set_count = sets_here(sets);
    for (size_t i = 0; i < 70; i++) {
        in[i] = 0.013f * (float)(i + 1);
    }
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        for (unsigned s = 0; s < set_count; s++) {
            psy__map1 *run = psy__map1_of(sets[s], functions[f].op, PSY_F32);
            run(all, in, 1, 70);
            for (size_t n = 0; n < 70; n++) {
                memset(out, 0x55, sizeof out);
                run(out, in, 1, n);
                cr_assert(memcmp(out, all, n * sizeof *out) == 0, "%s, %zu numbers", functions[f].name, n);
                run(out, in + 3, 0, n);
                for (size_t i = 0; i < n; i++) {
                    cr_assert(memcmp(&out[i], &all[3], sizeof *out) == 0, "%s, one for %zu numbers", functions[f].name, n);
                }
                for (size_t i = 4 * n; i < sizeof out; i++) {
                    cr_assert_eq(((uint8_t *)out)[i], 0x55);
                }
            }
        }
    }
}

/* ---- pow ---- */

static void check_pow(const psy__kernels *k, const float *x, const float *y, size_t n)
{
    static float out[BLOCK];
    psy__map2_of(k, PSY_OP_POW, PSY_F32)(out, x, 1, y, 1, n);
    for (size_t i = 0; i < n; i++) {
        double exact = pow((double)x[i], (double)y[i]), error = ulp_error(out[i], exact);
        bool asked = x[i] > 0 && isfinite(x[i]) && isfinite(y[i]);
        cr_assert_leq(error, asked ? PSY_MATH_F32_POW : 1.0, "%a to the power %a with %s kernels: %a, not %a: %g ulp",
                      (double)x[i], (double)y[i], k->name, (double)out[i], exact, error);
    }
}

Test(math, powers)
{
    static const float odd[] = {0,      -0.0f,          1,        -1,        2,   -2,       3, -3, 0.5f, -0.5f, 1e30f,
                                -1e30f, 0x1.fffffep23f, INFINITY, -INFINITY, NAN, 0x1p-149f};
    enum { ODD = sizeof odd / sizeof odd[0] };
    static float x[BLOCK], y[BLOCK];
    const psy__kernels *sets[SETS_MAX];
    unsigned set_count = sets_here(sets);
    for (unsigned s = 0; s < set_count; s++) {
        uint64_t state = 1;
        for (unsigned i = 0; i < ODD * ODD; i++) {
            x[i] = odd[i / ODD];
            y[i] = odd[i % ODD];
        }
        check_pow(sets[s], x, y, ODD * ODD);
        for (unsigned round = 0; round < 200; round++) {
            for (unsigned i = 0; i < BLOCK; i++) {
                state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                uint32_t word = (uint32_t)(state >> 33) % UINT32_C(0x7f800000);
                float range = round % 3 == 0 ? 200.0f : round % 3 == 1 ? 10.0f : 1.0f;
                memcpy(&x[i], &word, sizeof word);
                x[i] = round % 2 ? x[i] : fmodf(x[i], 4) + 0.001f;
                state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                y[i] = (float)((double)(int32_t)(state >> 32) * 0x1p-31) * range;
            }
            check_pow(sets[s], x, y, BLOCK);
        }
    }
}
