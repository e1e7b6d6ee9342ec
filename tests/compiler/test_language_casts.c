/* SPDX-License-Identifier: Apache-2.0 */
/* Casts between all types, and random numbers. */
#include <math.h>

#include "tests/compiler/language.h"

static bool is_float(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_FLOAT; }

static void range_of(unsigned dtype, number *least, number *most)
{
    *most = tensor_round(dtype, -1) > 0 ? tensor_round(dtype, -1)
                                        : (number)((UINT64_C(1) << (8 * psy__dtype_bytes(dtype) - 1)) - 1);
    *least = tensor_round(dtype, -1) > 0 ? 0 : -*most - 1;
}

static number cast(unsigned from, unsigned to, number x)
{
    number least, most;
    if (to == PSY_BOOL || is_float(to)) {
        return tensor_round(to, x);
    }
    range_of(to, &least, &most);
    return !is_float(from)     ? tensor_round(to, x)
           : isnan(x)          ? 0
           : truncl(x) < least ? least
           : truncl(x) > most  ? most
                               : truncl(x);
}

static tensor interesting(unsigned dtype)
{
    number least, most;
    if (is_float(dtype)) {
        return LIST(dtype, 0, -0.0L, 1, -1, 0.5L, -0.75L, 2.9L, -2.9L, 127, 128, -129, 255.5L, 256, 65504, 65519, 65520, -32769,
                    65536, 2147483520.0L, 2147483648.0L, -2147483648.0L, 4294967296.0L, 9.3e18L, -9.3e18L, 1.9e19L, 1e30L,
                    -1e30L, 3.39e38L, 1e-7L, 6e-8L, 1e-40L, INFINITY, -INFINITY, NAN, 0.333333333333333333L, 1.0009765625L,
                    2049, 16777217);
    }
    range_of(dtype, &least, &most);
    return dtype == PSY_BOOL ? LIST(dtype, 0, 1)
                             : LIST(dtype, 0, 1, 2, most, most - 1, least, least + 1, most / 2, 77, 127, -1, 2049, 2051,
                                    16777217, 16777219, 4294967297.0L, 9007199254740993.0L, 65519, 65520, 256, 255);
}

Test(casts, between_all_types)
{
    for (unsigned from = 1; psy__dtype_name(from); from++) {
        tensor a = interesting(from);
        for (unsigned to = 1; psy__dtype_name(to); to++) {
            char text[32];
            tensor wanted = tensor_of(to, DIMS((uint32_t)a.n));
            for (size_t i = 0; i < a.n; i++) {
                wanted.at[i] = cast(from, to, a.at[i]);
            }
            snprintf(text, sizeof text, "%s(a)", psy__dtype_name(to));
            language_check(&(language_case){.text = text, .in = {&a}, .wanted = &wanted});
        }
    }
}

/* Folded as it is computed. */
Test(casts, of_numbers_in_the_program)
{
    static const struct {
        const char *text;
        unsigned dtype;
        number wanted;
    } rows[] = {
        {"i32(2.9)", PSY_I32, 2},
        {"i32(-2.9)", PSY_I32, -2},
        {"u8(300.5)", PSY_U8, 255},
        {"u32(-1.5)", PSY_U32, 0},
        {"f32(1)", PSY_F32, 1},
        {"f16(0.1)", PSY_F16, 0.1L},
        {"bf16(0.1)", PSY_BF16, 0.1L},
        {"f16(65504)", PSY_F16, 65504},
        {"bool(0.25)", PSY_BOOL, 1},
        {"u64(18446744073709551615)", PSY_U64, UINT64_MAX},
        {"i64(-9223372036854775808)", PSY_I64, INT64_MIN},
        {"i32(f32(16777217))", PSY_I32, 16777216},
        {"f64(f32(0.1))", PSY_F64, 0},
        {"i8(-128)", PSY_I8, -128},
        {"u16(i32(-1))", PSY_U16, 65535},
        {"i8(u32(200))", PSY_I8, -56},
        {"f32(true)", PSY_F32, 1},
        {"u8(true)", PSY_U8, 1},
        {"u32(1) << 31", PSY_U32, 2147483648.0L},
        {"1 << 4 | 3 & ~1 ^ 1", PSY_I32, 19},
        {"7 % 4 - -7 % 4", PSY_I32, 6},
        {"7.5 % 2", PSY_F64, 1.5L},
        {"0xFF >> 4", PSY_U8, 15},
        {"-8 >> 1", PSY_I8, -4},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tensor wanted = tensor_scalar(rows[k].dtype, rows[k].wanted);
        if (strcmp(rows[k].text, "f64(f32(0.1))") == 0) {
            wanted.at[0] = (number)0.1f;
        }
        language_check(&(language_case){.text = rows[k].text, .wanted = &wanted});
    }
}

/* ---- random numbers ---- */

/* Philox 2x32-10, written down from the paper. */
static uint32_t philox(uint32_t key, uint32_t place)
{
    uint32_t x = place, y = 0;
    for (int i = 0; i < 10; i++, key += 0x9E3779B9u) {
        uint64_t product = (uint64_t)0xD256D193u * x;
        x = (uint32_t)(product >> 32) ^ key ^ y;
        y = (uint32_t)product;
    }
    return x;
}

Test(casts, random_numbers)
{
    /* The known answers of the authors: counter and key all zeros, and all ones. */
    cr_assert_eq(philox(0, 0), 0xff1dae59u);
    enum { N = 64 };
    static const uint32_t keys[] = {0, 7, 0xFFFFFFFF};
    for (unsigned k = 0; k < 3; k++) {
        tensor key = tensor_scalar(PSY_U32, keys[k]), bits = tensor_of(PSY_U32, DIMS(N)), unit = tensor_of(PSY_F32, DIMS(N)),
               normal = unit;
        for (uint32_t i = 0; i < N; i++) {
            bits.at[i] = philox(keys[k], i);
            unit.at[i] = (philox(keys[k], i) >> 8) / 16777216.0L;
            number u = (philox(keys[k], 2 * i) >> 8) / 16777216.0L, v = (philox(keys[k], 2 * i + 1) >> 8) / 16777216.0L;
            normal.at[i] = sqrtl(-2 * logl(1 - u)) * cosl(2 * 3.14159265358979323846L * v);
        }
        language_check(&(language_case){.text = "random(a, 64)", .in = {&key}, .wanted = &bits});
        language_check(&(language_case){.text = "uniform(a, 64)", .in = {&key}, .wanted = &unit});
        language_check(&(language_case){.text = "normal(a, 64)", .in = {&key}, .wanted = &normal, .tolerance = 40});
    }
    tensor first = tensor_scalar(PSY_U32, philox(9, 0)), small = tensor_scalar(PSY_U8, 9);
    language_check(&(language_case){.text = "random(9, 3)[0]", .wanted = &first});
    language_check(&(language_case){.text = "random(a, 3)[0]", .in = {&small}, .wanted = &first});
    tensor yes = tensor_scalar(PSY_BOOL, 1);
    language_check(&(language_case){.text = "min(uniform(3, 500)) >= 0 && max(uniform(3, 500)) < 1", .wanted = &yes});
    language_check(&(language_case){.text = "abs(mean(normal(3, 500))) < 0.2", .wanted = &yes});
    language_check(&(language_case){.text = "all(is_finite(normal(3, 500)))", .wanted = &yes});
}
