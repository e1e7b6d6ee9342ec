/* SPDX-License-Identifier: Apache-2.0 */
/* Every reduction that is done on each shard and merged gives what it gives over all rows at once, over 1 to 5 shards, some of
 * them without a row; the others say that there is no such split. */
#include <math.h>

#include "tests/compiler/language.h"

static const uint32_t rows[] = {1, 2, 7, 40};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void check(const char *text, const tensor *a, const tensor *wanted, double tolerance)
{
    language_check(
        &(language_case){.text = text, .in = {a}, .wanted = wanted, .tolerance = tolerance, .modes = AS_SPLIT | AS_NAMED});
}

static void check_one(const char *text, const tensor *a, unsigned dtype, number wanted, double tolerance)
{
    tensor w = tensor_scalar(dtype, 0);
    w.at[0] = wanted;
    check(text, a, &w, tolerance);
}

typedef struct found {
    number sum, prod, min, max, squares;
    size_t argmin, argmax;
} found;

static found find(const tensor *a)
{
    found f = {.prod = 1, .min = INFINITY, .max = -INFINITY};
    for (size_t i = 0; i < a->n; i++) {
        f.sum += a->at[i];
        f.prod *= a->at[i];
        f.squares += a->at[i] * a->at[i];
        f.argmin = a->at[i] < f.min ? i : f.argmin;
        f.argmax = a->at[i] > f.max ? i : f.argmax;
        f.min = a->at[i] < f.min ? a->at[i] : f.min;
        f.max = a->at[i] > f.max ? a->at[i] : f.max;
    }
    return f;
}

Test(split, of_floats)
{
    for (unsigned k = 0; k < ROWS; k++) {
        for (unsigned dtype = PSY_F32; dtype <= PSY_F64; dtype++) {
            tensor a = tensor_random(dtype, DIMS(rows[k]), -2, 2);
            found f = find(&a);
            check_one("sum(a)", &a, dtype, f.sum, 200);
            check_one("prod(a)", &a, dtype, f.prod, 2000);
            check_one("mean(a)", &a, dtype, f.sum / rows[k], 40);
            check_one("min(a)", &a, dtype, f.min, 0);
            check_one("max(a)", &a, dtype, f.max, 0);
            check_one("norm(a)", &a, dtype, sqrtl(f.squares), 40);
            check_one("dot(a, a)", &a, dtype, f.squares, 200);
            check_one("a @ a", &a, dtype, f.squares, 200);
            check_one("argmin(a)", &a, PSY_U64, f.argmin, 0);
            check_one("argmax(a)", &a, PSY_U64, f.argmax, 0);
            check_one("sum(a) / norm(a) + max(a) * mean(a)", &a, dtype, f.sum / sqrtl(f.squares) + f.max * f.sum / rows[k],
                      400);
        }
    }
}

Test(split, of_integers_and_truth_values)
{
    static const unsigned dtypes[] = {PSY_I32, PSY_I64, PSY_U32, PSY_U64, PSY_I8, PSY_U16};
    for (unsigned k = 0; k < ROWS; k++) {
        for (unsigned d = 0; d < 6; d++) {
            tensor a = tensor_random(dtypes[d], DIMS(rows[k]), 0, 9);
            unsigned dtype = dtypes[d] == PSY_I8 ? PSY_I32 : dtypes[d] == PSY_U16 ? PSY_U32 : dtypes[d];
            found f = find(&a);
            check_one("sum(a)", &a, dtype, f.sum, 0);
            check_one("min(a)", &a, dtype, f.min, 0);
            check_one("max(a)", &a, dtype, f.max, 0);
            check_one("argmin(a)", &a, PSY_U64, f.argmin, 0);
            check_one("argmax(a)", &a, PSY_U64, f.argmax, 0);
            check_one("any(a == 9)", &a, PSY_BOOL, f.max == 9, 0);
            check_one("all(a < 9)", &a, PSY_BOOL, f.max < 9, 0);
            check_one("any(a > 9)", &a, PSY_BOOL, 0, 0);
            check_one("sum(if a == 9 { u32(1) } else { 0 }) > 0", &a, PSY_BOOL, f.max == 9, 0);
        }
    }
    tensor flags = tensor_of(PSY_BOOL, DIMS(9));
    flags.at[8] = 1;
    check_one("any(a)", &flags, PSY_BOOL, 1, 0);
    check_one("all(a)", &flags, PSY_BOOL, 0, 0);
    check_one("all(!a || a)", &flags, PSY_BOOL, 1, 0);
}

Test(split, of_nothing)
{
    tensor a = tensor_of(PSY_F32, DIMS(0)), b = tensor_of(PSY_BOOL, DIMS(0));
    check_one("sum(a)", &a, PSY_F32, 0, 0);
    check_one("prod(a)", &a, PSY_F32, 1, 0);
    check_one("min(a)", &a, PSY_F32, INFINITY, 0);
    check_one("max(a)", &a, PSY_F32, -INFINITY, 0);
    check_one("mean(a)", &a, PSY_F32, NAN, 0);
    check_one("norm(a)", &a, PSY_F32, 0, 0);
    check_one("argmin(a)", &a, PSY_U64, UINT64_MAX, 0);
    check_one("argmax(a)", &a, PSY_U64, UINT64_MAX, 0);
    check_one("any(a)", &b, PSY_BOOL, 0, 0);
    check_one("all(a)", &b, PSY_BOOL, 1, 0);
}

/* Equal ones: the first over all shards; NaN never where there is a number. */
Test(split, of_equal_ones_and_nan)
{
    tensor a = LIST(PSY_F32, NAN, 2, -1, NAN, 5, -1, 5, 2, NAN, NAN), none = LIST(PSY_F32, NAN, NAN, NAN, NAN);
    check_one("argmax(a)", &a, PSY_U64, 4, 0);
    check_one("argmin(a)", &a, PSY_U64, 2, 0);
    check_one("min(a)", &a, PSY_F32, -1, 0);
    check_one("max(a)", &a, PSY_F32, 5, 0);
    check_one("argmax(a)", &none, PSY_U64, 0, 0);
    check_one("argmin(a)", &none, PSY_U64, 0, 0);
    tensor best = LIST(PSY_U64, 4, 6, 1, 7), last = LIST(PSY_F32, 5, 5, 2, 2, -1, -1, NAN, NAN, NAN, NAN),
           places = LIST(PSY_U64, 4, 6, 1, 7, 2, 5, 0, 3, 8, 9);
    language_check(&(language_case){
        .lets = "let (x, i) = topk(a, k: 4)", .text = "i", .in = {&a}, .wanted = &best, .modes = AS_SPLIT | AS_NAMED});
    language_check(&(language_case){
        .lets = "let (x, i) = topk(a, k: 10)", .text = "x", .in = {&a}, .wanted = &last, .modes = AS_SPLIT | AS_NAMED});
    language_check(&(language_case){
        .lets = "let (x, i) = topk(a, k: 10)", .text = "i", .in = {&a}, .wanted = &places, .modes = AS_SPLIT | AS_NAMED});
    tensor whole = LIST(PSY_I64, INT64_MIN, 3, INT64_MIN, 3, INT64_MIN, INT64_MIN), order = LIST(PSY_U64, 1, 3, 0, 2, 4, 5);
    language_check(&(language_case){
        .lets = "let (x, i) = topk(a, k: 6)", .text = "i", .in = {&whole}, .wanted = &order, .modes = AS_SPLIT | AS_NAMED});
}

/* Rows of several elements: each shard reduces or changes its own. */
Test(split, of_tables)
{
    for (unsigned k = 0; k < ROWS; k++) {
        tensor a = tensor_random(PSY_F32, DIMS(rows[k], 3), -2, 2), b = tensor_random(PSY_F32, DIMS(3), -2, 2),
               parts[3] = {tensor_scalar(PSY_F32, b.at[0]), tensor_scalar(PSY_F32, b.at[1]), tensor_scalar(PSY_F32, b.at[2])},
               sums = tensor_of(PSY_F32, DIMS(3)), least = sums, norms = sums, any = tensor_of(PSY_BOOL, DIMS(3)),
               best = tensor_scalar(PSY_U64, 0);
        number most = -INFINITY, shares = 0, first = 0, squares = 0, wide = 0;
        for (size_t d = 0; d < 3; d++) {
            least.at[d] = INFINITY;
        }
        for (size_t i = 0; i < a.n; i++) {
            sums.at[i % 3] += a.at[i];
            norms.at[i % 3] += a.at[i] * a.at[i];
            least.at[i % 3] = a.at[i] < least.at[i % 3] ? a.at[i] : least.at[i % 3];
            any.at[i % 3] = any.at[i % 3] != 0 || a.at[i] > 1.5L;
        }
        for (size_t r = 0; r < rows[k]; r++) {
            const number *x = a.at + 3 * r;
            number dot = x[0] * b.at[0] + x[1] * b.at[1] + x[2] * b.at[2];
            best.at[0] = dot > most ? (number)r : best.at[0];
            most = dot > most ? dot : most;
            shares += expl(x[0]) / (expl(x[0]) + expl(x[1]) + expl(x[2]));
            first += x[1];
            squares += x[0] * x[0] + x[1] * x[1] + x[2] * x[2];
            wide += x[0] < x[1] ? (x[0] < x[2] ? 0 : 2) : x[1] < x[2] ? 1 : 2;
        }
        for (size_t d = 0; d < 3; d++) {
            norms.at[d] = sqrtl(norms.at[d]);
        }
        check("sum(a, axis: 0)", &a, &sums, 200);
        check("min(a, axis: 0)", &a, &least, 0);
        check("norm(a, axis: 0)", &a, &norms, 40);
        check("any(a > 1.5, axis: 0)", &a, &any, 0);
        language_check(&(language_case){.text = "argmax(a @ stack(b, c, d))",
                                        .in = {&a, &parts[0], &parts[1], &parts[2]},
                                        .wanted = &best,
                                        .modes = AS_SPLIT});
        check_one("sum(softmax(a)[.., 0])", &a, PSY_F32, shares, 200);
        check_one("sum(a[.., 1])", &a, PSY_F32, first, 200);
        check_one("sum(sum(a * a, axis: 1))", &a, PSY_F32, squares, 400);
        check_one("sum(sum(transpose(a) * transpose(a), axis: 0))", &a, PSY_F32, squares, 400);
        check_one("sum(argmin(a, axis: 1))", &a, PSY_U64, wide, 0);
        check_one("sum(argsort(a)[.., 0])", &a, PSY_U64, wide, 0);
        check_one("sum(reshape(a, [A, 3, 1])[.., 1, 0])", &a, PSY_F32, first, 200);
        check_one("sum(broadcast(a, [A, 3])[0..A, 1])", &a, PSY_F32, first, 200);
        check_one("sum(sort(a)[.., 0]) - sum(min(a, axis: 1))", &a, PSY_F32, 0, 200);
        check_one("f32(size(a, axis: 0))", &a, PSY_F32, rows[k], 0);
    }
}

/* ---- what is read from the rows where the best are ---- */

static void check_hits(const char *lets, const char *text, const tensor *a, const tensor *wanted)
{
    language_check(&(language_case){.lets = lets, .text = text, .in = {a}, .wanted = wanted, .modes = AS_SPLIT | AS_NAMED});
}

/* Rows of a [n, 3] from the one with the largest first element to the smallest; equal ones in their order, NaN last. */
static void in_order(const tensor *a, size_t *order)
{
    size_t n = a->dims[0];
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        number x = a->at[3 * i];
        for (; at > 0 && (x > a->at[3 * order[at - 1]] || (isnan(a->at[3 * order[at - 1]]) && !isnan(x))); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

Test(split, hits)
{
    static const unsigned dtypes[] = {PSY_F32, PSY_F64, PSY_I32, PSY_U64, PSY_I8, PSY_U16, PSY_F16};
    for (unsigned k = 2; k < ROWS; k++) {
        for (unsigned t = 0; t < sizeof dtypes / sizeof dtypes[0]; t++) {
            /* Few values: many are equal, and which shard has the first of them decides. */
            tensor a = tensor_random(dtypes[t], DIMS(rows[k], 3), 0, 5), best = tensor_of(dtypes[t], DIMS(7, 3)),
                   column = tensor_of(dtypes[t], DIMS(7)), turned = tensor_of(dtypes[t], DIMS(3, 7)),
                   first = tensor_of(dtypes[t], DIMS(3)), some = tensor_of(dtypes[t], DIMS(2, 3)),
                   square = tensor_of(dtypes[t], DIMS(2, 3, 3)), index = tensor_of(PSY_U64, DIMS(7));
            size_t order[40];
            for (size_t i = 0; i < a.n; i++) {
                a.at[i] = tensor_round(dtypes[t], floorl(a.at[i]));
            }
            in_order(&a, order);
            for (size_t i = 0; i < 7; i++) {
                index.at[i] = (number)order[i];
                column.at[i] = a.at[3 * order[i] + 2];
                for (size_t d = 0; d < 3; d++) {
                    number x = a.at[3 * order[i] + d];
                    best.at[3 * i + d] = turned.at[7 * d + i] = x;
                    if (i < 6) {
                        square.at[3 * i + d] = x;
                    }
                    if (i == 0) {
                        first.at[d] = x;
                    } else if (i == 2 || i == 5) {
                        some.at[(i - 2) + d] = x;
                    }
                }
            }
            const char *lets = "let (x, i) = topk(a[.., 0], k: 7)";
            check_hits(lets, "a[i]", &a, &best);
            check_hits(lets, "i", &a, &index);
            check_hits(lets, "a[.., 2][i]", &a, &column);
            check_hits(lets, "a[i, 2]", &a, &column);
            check_hits(lets, "gather(a, i, axis: 0)", &a, &best);
            check_hits(lets, "transpose(a)[.., i]", &a, &turned);
            check_hits(lets, "gather(transpose(a), i, axis: 1)", &a, &turned);
            check_hits(lets, "transpose(a[i])", &a, &turned);
            check_hits(lets, "a[i[0]]", &a, &first);
            check_hits(lets, "a[i][0]", &a, &first);
            check_hits(lets, "a[i[2..6..3]]", &a, &some);
            check_hits(lets, "a[reshape(i[..6], [2, 3])]", &a, &square);
            check_hits(NULL, "a[argmax(a[.., 0])]", &a, &first);
            check_hits(NULL, "reshape(a[argmax(a[.., 0], keep: true)], [3])", &a, &first);
        }
    }
}

/* The payload of the candidates is changed on its way, and so is what the merge takes of it. */
Test(split, hits_that_are_computed)
{
    tensor a = LIST(PSY_F32, NAN, 2, -1, NAN, 5, -1, 5, 2, NAN, NAN), squares = LIST(PSY_F32, 25, 25, 4, 4, 1, 1),
           shares = LIST(PSY_F32, 0.5, 0.5), all = LIST(PSY_F32, 5, 5, 2, 2, -1, -1, NAN, NAN, NAN, NAN),
           least = tensor_scalar(PSY_F32, -1), flags = LIST(PSY_BOOL, 1, 1, 0, 0);
    check_hits("let (x, i) = topk(a, k: 6)", "(a * a)[i]", &a, &squares);
    check_hits("let (x, i) = topk(a, k: 6) let y = a[i]", "y * y", &a, &squares);
    check_hits("let (x, i) = topk(a, k: 2)", "softmax(a[i])", &a, &shares);
    check_hits("let (x, i) = topk(a, k: 10)", "a[i]", &a, &all);
    check_hits("let (x, i) = topk(a, k: 4)", "(a > 2 || a == a[0..A])[i] && a[i] + a[i[0]] > 9 - x", &a, &flags);
    check_one("a[argmin(a)]", &a, PSY_F32, -1, 0);
    check_hits("let (x, i) = topk(-a, k: 3) let (y, k) = topk(a, k: 3)", "a[i[0]] * a[k[2]] + 1", &a, &least);
}

/* Where there is nothing there are zeros, and shards without a row change nothing. */
Test(split, hits_of_nothing)
{
    tensor a = tensor_of(PSY_F32, DIMS(0)), b = LIST(PSY_I32, INT32_MIN, INT32_MIN), same = LIST(PSY_I32, INT32_MIN, INT32_MIN);
    check_one("a[argmax(a)]", &a, PSY_F32, 0, 0);
    check_one("a[argmin(a)] + 1", &a, PSY_F32, 1, 0);
    check_hits("let (x, i) = topk(a, k: 2)", "a[i]", &b, &same);
}

Test(split, where_there_is_none)
{
    static const struct {
        const char *lets, *text, *said;
    } cases[] = {
        {NULL, "sum(sort(a))", "putting it in order"},
        {NULL, "sum(argsort(a))", "putting it in order"},
        {NULL, "sum(cumsum(a))", "`cumsum` needs all of it at once"},
        {NULL, "sum(softmax(a))", "`softmax` needs all of it at once"},
        {NULL, "sum(layernorm(a))", "`layernorm` needs all of it at once"},
        {NULL, "sum(rmsnorm(a))", "`rmsnorm` needs all of it at once"},
        {NULL, "sum(a[2..4])", "a part of it is on none of them"},
        {NULL, "a[0]", "a part of it is on none of them"},
        {NULL, "a[-1]", "a part of it is on none of them"},
        {NULL, "sum(a[iota(2)])", "these positions may be on any of them"},
        {NULL, "sum(gather(a, iota(2)))", "these positions may be on any of them"},
        {NULL, "a[argmax(a) + 1]", "these positions may be on any of them"},
        {"let (x, i) = topk(iota(9), k: 2)", "sum(a[i])", "these positions may be on any of them"},
        {NULL, "sum(a - a[argmax(a)])", "a result over all shards and the rows of each shard at once"},
        {NULL, "sum(concat(a, a))", "`concat` needs all of it at once"},
        {NULL, "sum(pad(a, before: 1))", "`pad` needs all of it at once"},
        {NULL, "sum(scatter_add(a, iota(2), a[..2]))", "spread over the shards"},
        {NULL, "sum(reshape(a, [1, A])[0])", "putting its axis into others"},
        {NULL, "sum(a - max(a))", "a result over all shards and the rows of each shard at once"},
        {"let (x, i) = topk(a, k: 2)", "sum(a * x[0])", "a result over all shards and the rows of each shard at once"},
        {NULL, "sum(argmax(expand(a, axis: 1), axis: 0))", "a position in each row needs all of it at once"},
        {NULL, "sum(max(expand(a, axis: 1) * a, axis: 0))", "two axes that are spread over the shards"},
    };
    tensor a = tensor_of(PSY_F32, DIMS(9)), wanted = tensor_scalar(PSY_F32, 0);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        language_case c = {.lets = cases[k].lets, .text = cases[k].text, .in = {&a}, .wanted = &wanted, .modes = AS_SPLIT};
        language_refused(&c, "[E0401]");
        language_refused(&c, cases[k].said);
    }
}
