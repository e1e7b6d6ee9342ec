/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element: every row of ops.def that has one operand, those of two and three, and activations. */
#include <math.h>

#include "tests/compiler/language.h"

static const unsigned floats[] = {PSY_F32, PSY_F64}, integers[] = {PSY_I32, PSY_I64, PSY_U32, PSY_U64};

/* ---- one operand ---- */

static number rsqrt(number x) { return 1 / sqrtl(x); }
static number sign(number x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

static const struct {
    const char *name;
    number (*of)(number);
    double low, high; /* where it is tried */
} functions[] = {
    {"abs", fabsl, -9, 9},       {"sqrt", sqrtl, 0, 50},   {"rsqrt", rsqrt, 0.01, 50}, {"exp", expl, -9, 9},
    {"log", logl, 1e-3, 90},     {"tanh", tanhl, -4, 4},   {"floor", floorl, -9, 9},   {"ceil", ceill, -9, 9},
    {"trunc", truncl, -9, 9},    {"round", rintl, -9, 9},  {"sign", sign, -1, 1},      {"sin", sinl, -20, 20},
    {"cos", cosl, -20, 20},      {"tan", tanl, -1.5, 1.5}, {"asin", asinl, -1, 1},     {"acos", acosl, -1, 1},
    {"atan", atanl, -30, 30},    {"sinh", sinhl, -5, 5},   {"cosh", coshl, -5, 5},     {"erf", erfl, -3, 3},
    {"exp2", exp2l, -9, 9},      {"expm1", expm1l, -1, 5}, {"log2", log2l, 1e-3, 90},  {"log10", log10l, 1e-3, 90},
    {"log1p", log1pl, -0.9, 90}, {"cbrt", cbrtl, -90, 90},
};

enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static int function_named(const char *name)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void check_function(const psy_op_info *info, int f, unsigned dtype, unsigned rank, const uint32_t *dims)
{
    char text[64];
    tensor a = tensor_random(dtype, rank, dims, functions[f].low, functions[f].high), wanted = a;
    for (size_t i = 0; i < a.n; i++) {
        wanted.at[i] = functions[f].of(a.at[i]);
    }
    snprintf(text, sizeof text, "%s(a)", info->name);
    language_check(&(language_case){.text = text, .in = {&a}, .wanted = &wanted, .tolerance = info->tolerance});
}

Test(elementwise, one_operand_of_floats)
{
    unsigned checked = 0;
    for (unsigned i = 0; i < psy__op_count(); i++) {
        const psy_op_info *info = psy__op_row(i);
        int f = function_named(info->name);
        if (info->class_ != PSY_CLASS_MAP1 || !psy__op_takes(info, PSY_F32) || info->op == PSY_OP_NEG) {
            continue;
        }
        cr_assert_geq(f, 0, "nothing checks `%s`", info->name);
        for (unsigned d = 0; d < 2; d++) {
            check_function(info, f, floats[d], DIMS(37));
            check_function(info, f, floats[d], 0, NULL);
        }
        check_function(info, f, PSY_F32, DIMS(2, 3, 5));
        checked++;
    }
    cr_assert_eq(checked, FUNCTIONS);
}

Test(elementwise, integers)
{
    for (unsigned d = 0; d < 4; d++) {
        unsigned dtype = integers[d];
        bool is_signed = d < 2;
        tensor a = tensor_random(dtype, DIMS(4, 7), is_signed ? -100 : 0, 300), wanted = a;
        for (size_t i = 0; i < a.n; i++) {
            wanted.at[i] = (number)__builtin_popcountll((uint64_t)(d == 0   ? (uint32_t)(int32_t)a.at[i]
                                                                   : d == 1 ? (uint64_t)(int64_t)a.at[i]
                                                                            : (uint64_t)a.at[i]));
        }
        language_check(&(language_case){.text = "popcount(a)", .in = {&a}, .wanted = &wanted});
        if (is_signed) {
            for (size_t i = 0; i < a.n; i++) {
                wanted.at[i] = fabsl(a.at[i]);
            }
            language_check(&(language_case){.text = "abs(a)", .in = {&a}, .wanted = &wanted});
            for (size_t i = 0; i < a.n; i++) {
                wanted.at[i] = sign(a.at[i]);
            }
            language_check(&(language_case){.text = "sign(a)", .in = {&a}, .wanted = &wanted});
        }
    }
}

Test(elementwise, what_is_said_of_single_values)
{
    /* Halves go to the even number. */
    tensor halves = LIST(PSY_F32, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 8388607.5L),
           even = LIST(PSY_F32, -2, -2, 0, 0, 2, 2, 8388608);
    language_check(&(language_case){.text = "round(a)", .in = {&halves}, .wanted = &even});
    tensor odd = LIST(PSY_F64, NAN, -INFINITY, -0.0L, INFINITY), signs = LIST(PSY_F64, NAN, -1, 0, 1);
    language_check(&(language_case){.text = "sign(a)", .in = {&odd}, .wanted = &signs});
    tensor least = LIST(PSY_I32, INT32_MIN, -5, 0), all = LIST(PSY_I32, INT32_MIN, 5, 0);
    language_check(&(language_case){.text = "abs(a)", .in = {&least}, .wanted = &all});
    tensor below = LIST(PSY_F32, -1, 0, INFINITY), root = LIST(PSY_F32, NAN, 0, INFINITY);
    language_check(&(language_case){.text = "sqrt(a)", .in = {&below}, .wanted = &root});
    tensor logarithm = LIST(PSY_F32, NAN, -INFINITY, INFINITY);
    language_check(&(language_case){.text = "log(a)", .in = {&below}, .wanted = &logarithm});
    language_check(&(language_case){.text = "log2(a)", .in = {&below}, .wanted = &logarithm});
    language_check(&(language_case){.text = "log10(a)", .in = {&below}, .wanted = &logarithm});
}

/* ---- two and three operands ---- */

static number minimum(number a, number b) { return a < b ? a : b; }
static number maximum(number a, number b) { return a > b ? a : b; }

/* Every pair of shapes that is broadcast. */
static void check_pair(const char *text, unsigned dtype, number (*of)(number, number), double low, double high,
                       double tolerance)
{
    tensor matrix = tensor_random(dtype, DIMS(3, 5), low, high), row = tensor_random(dtype, DIMS(5), low, high),
           column = tensor_random(dtype, DIMS(3, 1), low, high), one = tensor_scalar(dtype, matrix.at[7]), wanted = matrix;
    for (size_t i = 0; i < wanted.n; i++) {
        wanted.at[i] = of(matrix.at[i], row.at[i % 5]);
    }
    language_check(&(language_case){.text = text, .in = {&matrix, &row}, .wanted = &wanted, .tolerance = tolerance});
    for (size_t i = 0; i < wanted.n; i++) {
        wanted.at[i] = of(column.at[i / 5], row.at[i % 5]);
    }
    language_check(&(language_case){.text = text, .in = {&column, &row}, .wanted = &wanted, .tolerance = tolerance});
    for (size_t i = 0; i < wanted.n; i++) {
        wanted.at[i] = of(one.at[0], matrix.at[i]);
    }
    language_check(&(language_case){.text = text, .in = {&one, &matrix}, .wanted = &wanted, .tolerance = tolerance});
}

Test(elementwise, two_operands)
{
    for (unsigned d = 0; d < 2; d++) {
        check_pair("pow(a, b)", floats[d], powl, 0.1, 4, 16);
        check_pair("atan2(a, b)", floats[d], atan2l, -5, 5, 4);
        check_pair("hypot(a, b)", floats[d], hypotl, -5, 5, 4);
        check_pair("min(a, b)", floats[d], minimum, -5, 5, 0);
        check_pair("max(a, b)", floats[d], maximum, -5, 5, 0);
    }
    for (unsigned d = 0; d < 4; d++) {
        check_pair("min(a, b)", integers[d], minimum, d < 2 ? -9 : 0, 9, 0);
        check_pair("max(a, b)", integers[d], maximum, d < 2 ? -9 : 0, 9, 0);
    }
}

Test(elementwise, the_second_where_one_is_not_a_number)
{
    tensor a = LIST(PSY_F32, NAN, 1, NAN, 3), b = LIST(PSY_F32, 2, NAN, NAN, 4), least = LIST(PSY_F32, 2, NAN, NAN, 3),
           most = LIST(PSY_F32, 2, NAN, NAN, 4);
    language_check(&(language_case){.text = "min(a, b)", .in = {&a, &b}, .wanted = &least});
    language_check(&(language_case){.text = "max(a, b)", .in = {&a, &b}, .wanted = &most});
}

Test(elementwise, three_operands)
{
    for (unsigned d = 0; d < 2; d++) {
        tensor a = tensor_random(floats[d], DIMS(2, 9), -3, 3), b = tensor_random(floats[d], DIMS(9), -3, 3),
               c = tensor_scalar(floats[d], 0.75), wanted = a;
        for (size_t i = 0; i < a.n; i++) {
            wanted.at[i] = fmal(a.at[i], b.at[i % 9], c.at[0]);
        }
        language_check(&(language_case){.text = "fma(a, b, c)", .in = {&a, &b, &c}, .wanted = &wanted, .tolerance = 2});
        for (size_t i = 0; i < a.n; i++) {
            wanted.at[i] = minimum(maximum(a.at[i], -1), c.at[0]);
        }
        language_check(&(language_case){.text = "clamp(a, -1, c)", .in = {&a, &b, &c}, .wanted = &wanted});
        language_check(&(language_case){.text = "clamp(a, -1, 0.75)", .in = {&a}, .wanted = &wanted});
    }
    tensor a = LIST(PSY_U64, 0, 7, UINT64_MAX), wanted = LIST(PSY_U64, 3, 7, 9);
    language_check(&(language_case){.text = "clamp(a, 3, 9)", .in = {&a}, .wanted = &wanted});
    /* Storage types compute as what they are widened to. */
    tensor small = LIST(PSY_I8, -128, 3, 127), wide = LIST(PSY_I32, -100, 3, 100);
    language_check(&(language_case){.text = "clamp(a, -100, 100)", .in = {&small}, .wanted = &wide});
}

Test(elementwise, kinds_of_floats)
{
    tensor a = LIST(PSY_F32, NAN, -INFINITY, INFINITY, 0, 3.4e38L, 1e-42L), nan = LIST(PSY_BOOL, 1, 0, 0, 0, 0, 0),
           infinite = LIST(PSY_BOOL, 0, 1, 1, 0, 0, 0), finite = LIST(PSY_BOOL, 0, 0, 0, 1, 1, 1);
    language_check(&(language_case){.text = "is_nan(a)", .in = {&a}, .wanted = &nan});
    language_check(&(language_case){.text = "is_inf(a)", .in = {&a}, .wanted = &infinite});
    language_check(&(language_case){.text = "is_finite(a)", .in = {&a}, .wanted = &finite});
}

/* ---- activations ---- */

static number relu(number x) { return x > 0 ? x : 0; }
static number leaky(number x) { return x > 0 ? x : 0.01L * x; }
static number leakier(number x) { return x > 0 ? x : 0.25L * x; }
static number elu(number x) { return x > 0 ? x : expm1l(x); }
static number elu_half(number x) { return x > 0 ? x : expm1l(x) / 2; }
static number gelu(number x) { return x * (1 + erfl(x / sqrtl(2))) / 2; }
static number sigmoid(number x) { return 1 / (1 + expl(-x)); }
static number silu(number x) { return x * sigmoid(x); }
static number softplus(number x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
static number hard_swish(number x) { return x * minimum(maximum(x + 3, 0), 6) / 6; }

static const struct {
    const char *text;
    number (*of)(number);
} activations[] = {{"relu(a)", relu},
                   {"leaky_relu(a)", leaky},
                   {"leaky_relu(a, slope: 0.25)", leakier},
                   {"elu(a)", elu},
                   {"elu(a, alpha: 0.5)", elu_half},
                   {"gelu(a)", gelu},
                   {"sigmoid(a)", sigmoid},
                   {"silu(a)", silu},
                   {"softplus(a)", softplus},
                   {"hard_swish(a)", hard_swish}};

Test(elementwise, activations)
{
    for (size_t k = 0; k < sizeof activations / sizeof activations[0]; k++) {
        for (unsigned d = 0; d < 2; d++) {
            tensor a = tensor_random(floats[d], DIMS(3, 11), -8, 8), wanted = a;
            a.at[0] = 0;
            a.at[1] = 40;
            a.at[2] = -40;
            for (size_t i = 0; i < a.n; i++) {
                wanted.at[i] = activations[k].of(a.at[i]);
            }
            language_check(&(language_case){.text = activations[k].text, .in = {&a}, .wanted = &wanted, .tolerance = 80});
        }
    }
    /* Large numbers do no harm. */
    tensor a = LIST(PSY_F32, -1000, 1000), zero_one = LIST(PSY_F32, 0, 1), zero_x = LIST(PSY_F32, 0, 1000);
    language_check(&(language_case){.text = "sigmoid(a)", .in = {&a}, .wanted = &zero_one});
    language_check(&(language_case){.text = "softplus(a)", .in = {&a}, .wanted = &zero_x});
    language_check(&(language_case){.text = "silu(a)", .in = {&a}, .wanted = &zero_x});
    language_check(&(language_case){.text = "gelu(a)", .in = {&a}, .wanted = &zero_x});
    tensor whole = LIST(PSY_I32, -3, 0, 4), kept = LIST(PSY_I32, 0, 0, 4);
    language_check(&(language_case){.text = "relu(a)", .in = {&whole}, .wanted = &kept});
}
