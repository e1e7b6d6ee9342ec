/* SPDX-License-Identifier: Apache-2.0 */
/* `make check-long`: functions of one number over the f32 that there are, and casts, each against the reference in long double
 * and the row's tolerance, with the kernels of every instruction set that this machine has. PSYNE_LONG_STEP=N takes every Nth
 * f32 only (257: sixteen million; an odd number meets all exponents and low bits). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/kernels.h"
#include "engine/cpu/math_rows.h"
#include "isa/scalar.h"
#include "tests/engine/reference_parts.h"
#include "tests/engine/sets.h"
#include "tests/engine/ulp.h"
#include "tests/test.h"

enum { BLOCK = 4096 };

static uint64_t step(uint64_t otherwise)
{
    const char *text = getenv("PSYNE_LONG_STEP");
    uint64_t n = text && *text ? strtoull(text, NULL, 10) : otherwise;
    return n ? n : 1;
}

/* The next numbers from *bits on; fewer at the end. */
static size_t take(float *to, uint64_t *bits, uint64_t by)
{
    size_t n = 0;
    for (; n < BLOCK && *bits <= UINT32_MAX; *bits += by, n++) {
        uint32_t word = (uint32_t)*bits;
        memcpy(&to[n], &word, sizeof word);
    }
    return n;
}

static void check_function(const psy_op_info *info, const psy__kernels *const *sets, unsigned set_count)
{
    static float in[BLOCK], out[SETS_MAX][BLOCK];
    const reference r = {0};
    uint64_t by = step(257), checked = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX;) {
        size_t n = take(in, &bits, by);
        for (unsigned s = 0; s < set_count; s++) {
            psy__map1_of(sets[s], info->op, PSY_F32)(out[s], in, 1, n);
        }
        for (size_t i = 0; i < n; i++) {
            reference_cell x = reference_read(PSY_F32, &in[i]);
            const reference_cell *operands[3] = {&x};
            reference_cell want = reference_map(&r, info, PSY_F32, operands);
            for (unsigned s = 0; s < set_count && !isinf(want.error); s++) {
                char got[64], wanted[64];
                bool same = reference_agrees(PSY_F32, &want, &out[s][i], false);
                if (!same) {
                    reference_cell is = reference_read(PSY_F32, &out[s][i]);
                    reference_print(PSY_F32, &is, got, sizeof got);
                    reference_print(PSY_F32, &want, wanted, sizeof wanted);
                }
                cr_assert(same, "%s, %s of %a: %s, not %s", sets[s]->name, info->name, (double)in[i], got, wanted);
            }
            checked += !isinf(want.error);
        }
    }
    fprintf(stderr, "%s: %" PRIu64 " numbers\n", info->name, checked);
    cr_assert_gt(checked, (UINT64_C(1) << 31) / by, "%s: too few of its results are known", info->name);
}

Test(long_values, functions_of_one_f32)
{
    const psy__kernels *sets[SETS_MAX];
    unsigned set_count = sets_here(sets), functions = 0;
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *info = psy__op_row(row);
        if (info->class_ == PSY_CLASS_MAP1 && psy__op_takes(info, PSY_F32)) {
            check_function(info, sets, set_count);
            functions++;
        }
    }
    cr_assert_gt(functions, 15);
}

/* The functions that the engine has of its own, in units of the last place: every f32, unless told otherwise. */
static void check_ulp(const char *name, unsigned op, double (*exact)(double), double fused, double unfused)
{
    static float in[BLOCK], out[BLOCK];
    static double wanted[BLOCK];
    const psy__kernels *sets[SETS_MAX];
    unsigned set_count = sets_here(sets);
    double worst[SETS_MAX] = {0};
    float where[SETS_MAX] = {0};
    for (uint64_t bits = 0, by = step(1); bits <= UINT32_MAX;) {
        size_t n = take(in, &bits, by);
        for (size_t i = 0; i < n; i++) {
            wanted[i] = exact((double)in[i]);
        }
        for (unsigned s = 0; s < set_count; s++) {
            psy__map1_of(sets[s], op, PSY_F32)(out, in, 1, n);
            for (size_t i = 0; i < n; i++) {
                double error = ulp_error(out[i], wanted[i]);
                if (error > worst[s]) {
                    worst[s] = error;
                    where[s] = in[i];
                }
            }
        }
    }
    for (unsigned s = 0; s < set_count; s++) {
        fprintf(stderr, "%s, %s: %.3f ulp at %a\n", name, sets[s]->name, worst[s], (double)where[s]);
        cr_assert_leq(worst[s], s == 0 ? unfused : fused);
    }
}

Test(long_values, ulp_of_f32_functions)
{
#define ROW(NAME, function, fused, unfused) check_ulp(#function, PSY_OP_##NAME, function, fused, unfused);
    PSY_MATH_F32(ROW)
    PSY_MATH_F32_ANGLES(ROW)
#undef ROW
}

static void check_cast(unsigned from, const void *in, unsigned to, size_t n)
{
    static uint64_t out[BLOCK];
    unsigned in_bytes = psy__dtype_bytes(from), out_bytes = psy__dtype_bytes(to);
    psy__cast(from, in, to, out, n);
    for (size_t i = 0; i < n; i++) {
        reference_cell x = reference_read(from, (const uint8_t *)in + i * in_bytes), want = reference_cast(from, to, &x);
        const uint8_t *got = (const uint8_t *)out + i * out_bytes;
        char wanted[64];
        bool same = reference_agrees(to, &want, got, true);
        if (!same) {
            reference_print(to, &want, wanted, sizeof wanted);
        }
        cr_assert(same, "%s to %s: number %zu of a block does not become %s", psy__dtype_name(from), psy__dtype_name(to), i,
                  wanted);
    }
}

/* Every f16 and bf16 to every type. */
Test(long_values, casts_of_halves)
{
    static uint16_t in[BLOCK];
    for (unsigned from = PSY_F16; from <= PSY_BF16; from++) {
        for (unsigned to = 1; psy__dtype_name(to); to++) {
            for (uint32_t first = 0; first < 65536; first += BLOCK) {
                for (uint32_t i = 0; i < BLOCK; i++) {
                    in[i] = (uint16_t)(first + i);
                }
                check_cast(from, in, to, BLOCK);
            }
        }
    }
}

/* Of every f32: what is between two halves is rounded to the even one, also below the smallest normal numbers. */
Test(long_values, casts_of_f32)
{
    static float in[BLOCK];
    for (unsigned to = 1; psy__dtype_name(to); to++) {
        for (uint64_t bits = 0; bits <= UINT32_MAX;) {
            size_t n = take(in, &bits, step(257));
            check_cast(PSY_F32, in, to, n);
        }
    }
}
