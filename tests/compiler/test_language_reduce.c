/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over an axis: reductions with axis and keep, over nothing and over NaN, sums up to, normalisation. */
#include <math.h>

#include "tests/compiler/language.h"

/* What a function gives for the elements x[0], x[step], ... of one line. */
typedef number line_function(const number *x, size_t n, size_t step);

static number sum_of(const number *x, size_t n, size_t step)
{
    number sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i * step];
    }
    return sum;
}

static number prod_of(const number *x, size_t n, size_t step)
{
    number product = 1;
    for (size_t i = 0; i < n; i++) {
        product *= x[i * step];
    }
    return product;
}

static number min_of(const number *x, size_t n, size_t step)
{
    number least = INFINITY;
    for (size_t i = 0; i < n; i++) {
        least = x[i * step] < least ? x[i * step] : least;
    }
    return least;
}

static number max_of(const number *x, size_t n, size_t step)
{
    number most = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        most = x[i * step] > most ? x[i * step] : most;
    }
    return most;
}

static number mean_of(const number *x, size_t n, size_t step) { return sum_of(x, n, step) / (number)n; }

static number norm_of(const number *x, size_t n, size_t step)
{
    number sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i * step] * x[i * step];
    }
    return sqrtl(sum);
}

static number logsumexp_of(const number *x, size_t n, size_t step)
{
    number most = max_of(x, n, step), sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += expl(x[i * step] - most);
    }
    return n ? most + logl(sum) : -INFINITY;
}

static number argmin_of(const number *x, size_t n, size_t step)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = x[i * step] < x[best * step] || (isnan(x[best * step]) && !isnan(x[i * step])) ? i : best;
    }
    return n ? (number)best : (number)UINT64_MAX;
}

static number argmax_of(const number *x, size_t n, size_t step)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = x[i * step] > x[best * step] || (isnan(x[best * step]) && !isnan(x[i * step])) ? i : best;
    }
    return n ? (number)best : (number)UINT64_MAX;
}

static number any_of(const number *x, size_t n, size_t step) { return max_of(x, n, step) > 0; }
static number all_of(const number *x, size_t n, size_t step) { return min_of(x, n, step) > 0; }

/* The axis goes, or becomes 1 with `keep`. */
static tensor reduce(const tensor *a, unsigned axis, unsigned dtype, line_function *of, bool keep)
{
    uint32_t dims[PSY_RANK_MAX] = {0};
    unsigned rank = 0;
    size_t step = 1, outer = 1, n = a->dims[axis];
    for (unsigned d = 0; d < a->rank; d++) {
        outer *= d < axis ? a->dims[d] : 1;
        step *= d > axis ? a->dims[d] : 1;
        if (d != axis || keep) {
            dims[rank++] = d == axis ? 1 : a->dims[d];
        }
    }
    tensor r = tensor_of(dtype, rank, dims);
    for (size_t i = 0; i < outer; i++) {
        for (size_t k = 0; k < step; k++) {
            r.at[i * step + k] = of(a->at + i * n * step + k, n, step);
        }
    }
    return r;
}

static void check_reduction(const char *name, unsigned dtype, unsigned result, line_function *of, double tolerance)
{
    static const struct {
        unsigned rank;
        uint32_t dims[4];
    } shapes[] = {{1, {1}}, {1, {37}}, {2, {3, 5}}, {2, {17, 1}}, {3, {2, 3, 4}}, {4, {2, 1, 5, 3}}};
    bool is_float = psy__dtype_class(dtype) == PSY_DCLASS_FLOAT;
    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
        tensor a = tensor_random(dtype, shapes[k].rank, shapes[k].dims, dtype == PSY_BOOL || !is_float ? 0 : -2,
                                 dtype == PSY_BOOL ? 1
                                 : is_float        ? 2
                                                   : 9);
        for (unsigned axis = 0; axis < a.rank; axis++) {
            for (unsigned keep = 0; keep < 2; keep++) {
                char text[96];
                snprintf(text, sizeof text, "%s(a, axis: %d%s)", name, keep ? (int)axis - (int)a.rank : (int)axis,
                         keep ? ", keep: true" : "");
                tensor wanted = reduce(&a, axis, result, of, keep);
                language_check(&(language_case){.text = text, .in = {&a}, .wanted = &wanted, .tolerance = tolerance});
            }
        }
    }
    char text[32];
    tensor a = tensor_random(dtype, DIMS(11), 0, 1), wanted = reduce(&a, 0, result, of, false);
    snprintf(text, sizeof text, "%s(a)", name);
    language_check(&(language_case){.text = text, .in = {&a}, .wanted = &wanted, .tolerance = tolerance});
}

Test(reduce, floats)
{
    static const struct {
        const char *name;
        line_function *of;
        double tolerance;
    } rows[] = {
        {"sum", sum_of, 200},  {"prod", prod_of, 2000},        {"min", min_of, 0}, {"max", max_of, 0}, {"mean", mean_of, 40},
        {"norm", norm_of, 40}, {"logsumexp", logsumexp_of, 80}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        check_reduction(rows[k].name, PSY_F32, PSY_F32, rows[k].of, rows[k].tolerance);
        check_reduction(rows[k].name, PSY_F64, PSY_F64, rows[k].of, rows[k].tolerance);
    }
}

Test(reduce, integers_and_truth_values)
{
    static const unsigned dtypes[] = {PSY_I32, PSY_I64, PSY_U32, PSY_U64};
    for (unsigned d = 0; d < 4; d++) {
        check_reduction("sum", dtypes[d], dtypes[d], sum_of, 0);
        check_reduction("min", dtypes[d], dtypes[d], min_of, 0);
        check_reduction("max", dtypes[d], dtypes[d], max_of, 0);
    }
    check_reduction("any", PSY_BOOL, PSY_BOOL, any_of, 0);
    check_reduction("all", PSY_BOOL, PSY_BOOL, all_of, 0);
    check_reduction("sum", PSY_I8, PSY_I32, sum_of, 0);
    check_reduction("max", PSY_U16, PSY_U32, max_of, 0);
    check_reduction("sum", PSY_F16, PSY_F32, sum_of, 200);
    check_reduction("mean", PSY_BF16, PSY_F32, mean_of, 40);
    /* They wrap. */
    tensor a = LIST(PSY_I32, INT32_MAX, 2, 5), sum = tensor_scalar(PSY_I32, INT32_MIN + 6.0L), b = LIST(PSY_U64, UINT64_MAX, 3),
           product = tensor_scalar(PSY_U64, (number)(UINT64_MAX - 2));
    language_check(&(language_case){.text = "sum(a)", .in = {&a}, .wanted = &sum});
    language_check(&(language_case){.text = "prod(a)", .in = {&b}, .wanted = &product});
}

Test(reduce, positions)
{
    static const unsigned dtypes[] = {PSY_F32, PSY_F64, PSY_I32, PSY_I64, PSY_U32, PSY_U64, PSY_I16, PSY_U8};
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        check_reduction("argmin", dtypes[d], PSY_U64, argmin_of, 0);
        check_reduction("argmax", dtypes[d], PSY_U64, argmax_of, 0);
    }
    /* The first of equal ones; NaN never where there is a number. */
    tensor a = tensor_of(PSY_F32, DIMS(5, 4)), least, most;
    static const number rows[] = {NAN, 2,   2,   1,        5,         NAN, 7,     7, NAN, NAN,
                                  NAN, NAN, NAN, INFINITY, -INFINITY, NAN, -0.0L, 0, 0,   0};
    memcpy(a.at, rows, sizeof rows);
    least = reduce(&a, 1, PSY_U64, argmin_of, false);
    most = reduce(&a, 1, PSY_U64, argmax_of, false);
    language_check(&(language_case){.text = "argmin(a, axis: 1)", .in = {&a}, .wanted = &least});
    language_check(&(language_case){.text = "argmax(a, axis: 1)", .in = {&a}, .wanted = &most});
    for (unsigned r = 0; r < 5; r++) {
        tensor row = tensor_list(PSY_F32, 4, rows + r * 4), x = tensor_scalar(PSY_U64, least.at[r]),
               y = tensor_scalar(PSY_U64, most.at[r]);
        language_check(&(language_case){.text = "argmin(a)", .in = {&row}, .wanted = &x});
        language_check(&(language_case){.text = "argmax(a)", .in = {&row}, .wanted = &y});
    }
    tensor edge = LIST(PSY_I64, INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX), zero = tensor_scalar(PSY_U64, 0),
           one = tensor_scalar(PSY_U64, 1);
    language_check(&(language_case){.text = "argmin(a)", .in = {&edge}, .wanted = &zero});
    language_check(&(language_case){.text = "argmax(a)", .in = {&edge}, .wanted = &one});
    tensor large = LIST(PSY_U64, UINT64_MAX, 0, UINT64_MAX, 0);
    language_check(&(language_case){.text = "argmin(a)", .in = {&large}, .wanted = &one});
    language_check(&(language_case){.text = "argmax(a)", .in = {&large}, .wanted = &zero});
}

/* ---- over nothing ---- */

Test(reduce, nothing)
{
    static const struct {
        const char *text;
        unsigned dtype, result;
        number wanted;
    } rows[] = {
        {"sum(a)", PSY_F32, PSY_F32, 0},
        {"sum(a)", PSY_I32, PSY_I32, 0},
        {"prod(a)", PSY_F64, PSY_F64, 1},
        {"prod(a)", PSY_U64, PSY_U64, 1},
        {"any(a)", PSY_BOOL, PSY_BOOL, 0},
        {"all(a)", PSY_BOOL, PSY_BOOL, 1},
        {"min(a)", PSY_F32, PSY_F32, INFINITY},
        {"max(a)", PSY_F32, PSY_F32, -INFINITY},
        {"min(a)", PSY_I32, PSY_I32, INT32_MAX},
        {"max(a)", PSY_I64, PSY_I64, INT64_MIN},
        {"min(a)", PSY_U64, PSY_U64, UINT64_MAX},
        {"max(a)", PSY_U32, PSY_U32, 0},
        {"min(a)", PSY_I8, PSY_I32, INT32_MAX}, /* computed as i32 */
        {"mean(a)", PSY_F32, PSY_F32, NAN},
        {"norm(a)", PSY_F32, PSY_F32, 0},
        {"logsumexp(a)", PSY_F32, PSY_F32, -INFINITY},
        {"argmin(a)", PSY_F32, PSY_U64, UINT64_MAX},
        {"argmax(a)", PSY_F32, PSY_U64, UINT64_MAX},
        {"argmin(a)", PSY_U32, PSY_U64, UINT64_MAX},
        {"dot(a, a)", PSY_F32, PSY_F32, 0},
        {"size(a)", PSY_F32, PSY_U32, 0},
        {"sum(cumsum(a))", PSY_I32, PSY_I32, 0},
        {"sum(softmax(a))", PSY_F32, PSY_F32, 0},
        {"sum(sort(a))", PSY_F32, PSY_F32, 0},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tensor a = tensor_of(rows[k].dtype, DIMS(0)), wanted = tensor_scalar(rows[k].result, 0);
        wanted.at[0] = rows[k].wanted;
        language_check(&(language_case){.text = rows[k].text, .in = {&a}, .wanted = &wanted, .modes = AS_NAMED});
    }
    /* Over the empty axis of two, and over the other one. */
    tensor a = tensor_of(PSY_F32, DIMS(0, 3)), zeros = LIST(PSY_F32, 0, 0, 0),
           none = LIST(PSY_U64, UINT64_MAX, UINT64_MAX, UINT64_MAX), zero = tensor_scalar(PSY_F32, 0),
           lowest = LIST(PSY_F32, -INFINITY, -INFINITY, -INFINITY);
    language_check(&(language_case){.text = "sum(a, axis: 0)", .in = {&a}, .wanted = &zeros, .modes = AS_NAMED});
    language_check(&(language_case){.text = "max(a, axis: 0)", .in = {&a}, .wanted = &lowest, .modes = AS_NAMED});
    language_check(&(language_case){.text = "logsumexp(a, axis: 0)", .in = {&a}, .wanted = &lowest, .modes = AS_NAMED});
    language_check(&(language_case){.text = "argmax(a, axis: 0)", .in = {&a}, .wanted = &none, .modes = AS_NAMED});
    language_check(&(language_case){.text = "argmin(a, axis: 0)", .in = {&a}, .wanted = &none, .modes = AS_NAMED});
    language_check(&(language_case){.text = "sum(max(a, axis: 1))", .in = {&a}, .wanted = &zero, .modes = AS_NAMED});
}

Test(reduce, what_is_no_number)
{
    tensor a = LIST(PSY_F32, NAN, 3, -1, NAN), all = LIST(PSY_F32, NAN, NAN), nan = tensor_scalar(PSY_F32, NAN),
           least = tensor_scalar(PSY_F32, -1), most = tensor_scalar(PSY_F32, 3), high = tensor_scalar(PSY_F32, INFINITY),
           low = tensor_scalar(PSY_F32, -INFINITY);
    language_check(&(language_case){.text = "min(a)", .in = {&a}, .wanted = &least});
    language_check(&(language_case){.text = "max(a)", .in = {&a}, .wanted = &most});
    language_check(&(language_case){.text = "min(a)", .in = {&all}, .wanted = &high});
    language_check(&(language_case){.text = "max(a)", .in = {&all}, .wanted = &low});
    language_check(&(language_case){.text = "sum(a)", .in = {&a}, .wanted = &nan});
    language_check(&(language_case){.text = "mean(a)", .in = {&a}, .wanted = &nan});
    language_check(&(language_case){.text = "norm(a)", .in = {&a}, .wanted = &nan});
    language_check(&(language_case){.text = "logsumexp(a)", .in = {&a}, .wanted = &nan});
    tensor large = LIST(PSY_F32, 1000, 1000, -1000), sum = tensor_scalar(PSY_F32, 1000 + logl(2));
    language_check(&(language_case){.text = "logsumexp(a)", .in = {&large}, .wanted = &sum, .tolerance = 2});
    tensor infinite = LIST(PSY_F32, INFINITY, 1), none = LIST(PSY_F32, -INFINITY, -INFINITY);
    language_check(&(language_case){.text = "logsumexp(a)", .in = {&infinite}, .wanted = &high});
    language_check(&(language_case){.text = "logsumexp(a)", .in = {&none}, .wanted = &low});
}

/* ---- what keeps the shape ---- */

/* Makes each line along the axis of what it was. */
static void each_line(tensor *t, unsigned axis, void (*change)(number *x, size_t n, size_t step))
{
    size_t step = 1, outer = 1, n = t->dims[axis];
    for (unsigned d = 0; d < t->rank; d++) {
        outer *= d < axis ? t->dims[d] : 1;
        step *= d > axis ? t->dims[d] : 1;
    }
    for (size_t i = 0; i < outer; i++) {
        for (size_t k = 0; k < step; k++) {
            change(t->at + i * n * step + k, n, step);
        }
    }
}

static void cumsum(number *x, size_t n, size_t step)
{
    for (size_t i = 1; i < n; i++) {
        x[i * step] += x[(i - 1) * step];
    }
}

static void softmax(number *x, size_t n, size_t step)
{
    number most = max_of(x, n, step), sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i * step] = expl(x[i * step] - most);
        sum += x[i * step];
    }
    for (size_t i = 0; i < n; i++) {
        x[i * step] /= sum;
    }
}

static number epsilon = 1e-5L;

static void rmsnorm(number *x, size_t n, size_t step)
{
    number scale = 1 / sqrtl(norm_of(x, n, step) * norm_of(x, n, step) / (number)n + epsilon);
    for (size_t i = 0; i < n; i++) {
        x[i * step] *= scale;
    }
}

static void layernorm(number *x, size_t n, size_t step)
{
    number mean = mean_of(x, n, step);
    for (size_t i = 0; i < n; i++) {
        x[i * step] -= mean;
    }
    rmsnorm(x, n, step);
}

static void check_lines(const char *name, unsigned dtype, void (*change)(number *, size_t, size_t), double tolerance)
{
    for (unsigned rank = 1; rank <= 3; rank++) {
        tensor a = tensor_random(dtype, rank, (uint32_t[]){5, 4, 3}, -3, 3);
        for (unsigned axis = 0; axis < rank; axis++) {
            tensor wanted = a;
            char text[64];
            each_line(&wanted, axis, change);
            snprintf(text, sizeof text, "%s(a, axis: %u)", name, axis);
            language_check(&(language_case){.text = text, .in = {&a}, .wanted = &wanted, .tolerance = tolerance});
        }
    }
}

Test(reduce, lines_keep_their_shape)
{
    check_lines("cumsum", PSY_F32, cumsum, 40);
    check_lines("cumsum", PSY_F64, cumsum, 40);
    check_lines("cumsum", PSY_I64, cumsum, 0);
    check_lines("softmax", PSY_F32, softmax, 80);
    check_lines("softmax", PSY_F64, softmax, 80);
    check_lines("layernorm", PSY_F32, layernorm, 60);
    check_lines("layernorm", PSY_F64, layernorm, 60);
    check_lines("rmsnorm", PSY_F32, rmsnorm, 60);
}

Test(reduce, normalisation_with_more)
{
    tensor a = tensor_random(PSY_F32, DIMS(3, 8), -2, 2), scale = tensor_random(PSY_F32, DIMS(8), 1, 2),
           shift = tensor_random(PSY_F32, DIMS(8), -9, 9), wanted = a;
    each_line(&wanted, 1, layernorm);
    language_check(&(language_case){.text = "layernorm(a)", .in = {&a}, .wanted = &wanted, .tolerance = 60});
    for (size_t i = 0; i < a.n; i++) {
        wanted.at[i] *= scale.at[i % 8];
    }
    language_check(&(language_case){.text = "layernorm(a, b)", .in = {&a, &scale}, .wanted = &wanted, .tolerance = 60});
    for (size_t i = 0; i < a.n; i++) {
        wanted.at[i] += shift.at[i % 8];
    }
    language_check(
        &(language_case){.text = "layernorm(a, b, c)", .in = {&a, &scale, &shift}, .wanted = &wanted, .tolerance = 60});
    wanted = a;
    epsilon = 0.5L;
    each_line(&wanted, 1, rmsnorm);
    epsilon = 1e-5L;
    for (size_t i = 0; i < a.n; i++) {
        wanted.at[i] *= scale.at[i % 8];
    }
    language_check(
        &(language_case){.text = "rmsnorm(a, b, epsilon: 0.5)", .in = {&a, &scale}, .wanted = &wanted, .tolerance = 60});
    /* The last axis, unless told otherwise; large numbers do no harm. */
    tensor large = LIST(PSY_F32, 1e5L, 1e5L + 1, 1e5L + 2, 1e5L + 3), calm = large;
    each_line(&calm, 0, layernorm);
    language_check(&(language_case){.text = "layernorm(a)", .in = {&large}, .wanted = &calm, .tolerance = 60});
    tensor high = LIST(PSY_F32, 1000, 1001, -1000), shares = high;
    each_line(&shares, 0, softmax);
    language_check(&(language_case){.text = "softmax(a)", .in = {&high}, .wanted = &shares, .tolerance = 80});
    tensor none = LIST(PSY_F32, -INFINITY, 0, -INFINITY), one = LIST(PSY_F32, 0, 1, 0);
    language_check(&(language_case){.text = "softmax(a)", .in = {&none}, .wanted = &one});
}
