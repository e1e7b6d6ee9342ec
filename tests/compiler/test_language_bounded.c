/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded fields in pipelines: what is computed of them sees the elements that are there and no others, whatever lies behind
 * them and whatever a message says how many there are. */
#include <math.h>

#include "tests/compiler/language.h"

static const uint32_t lengths[] = {0, 1, 2, 7, 40};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static void check(const char *lets, const char *text, const tensor *a, const tensor *wanted, double tolerance)
{
    language_check(
        &(language_case){.lets = lets, .text = text, .in = {a}, .wanted = wanted, .tolerance = tolerance, .modes = AS_BOUNDED});
}

static void check_one(const char *text, const tensor *a, unsigned dtype, number wanted, double tolerance)
{
    tensor w = tensor_scalar(dtype, 0);
    w.at[0] = wanted;
    check(NULL, text, a, &w, tolerance);
}

Test(bounded, reductions)
{
    for (unsigned k = 0; k < LENGTHS; k++) {
        for (unsigned dtype = PSY_F32; dtype <= PSY_F64; dtype++) {
            tensor a = tensor_random(dtype, DIMS(lengths[k]), -2, 2);
            number sum = 0, product = 1, least = INFINITY, most = -INFINITY, squares = 0, powers = 0, above = 0;
            uint64_t at_least = UINT64_MAX, at_most = UINT64_MAX;
            for (size_t i = 0; i < a.n; i++) {
                number x = a.at[i];
                sum += x;
                product *= x;
                squares += x * x;
                powers += expl(x);
                above += x > 1;
                at_least = x < least ? i : at_least;
                at_most = x > most ? i : at_most;
                least = x < least ? x : least;
                most = x > most ? x : most;
            }
            check_one("sum(a)", &a, dtype, sum, 200);
            check_one("prod(a)", &a, dtype, product, 2000);
            check_one("min(a)", &a, dtype, least, 0);
            check_one("max(a)", &a, dtype, most, 0);
            check_one("mean(a)", &a, dtype, a.n ? sum / a.n : NAN, 40);
            check_one("norm(a)", &a, dtype, sqrtl(squares), 40);
            check_one("dot(a, a)", &a, dtype, squares, 200);
            check_one("a @ a", &a, dtype, squares, 200);
            check_one("logsumexp(a)", &a, dtype, logl(powers), 200);
            check_one("argmin(a)", &a, PSY_U64, at_least, 0);
            check_one("argmax(a)", &a, PSY_U64, at_most, 0);
            check_one("any(a > 1)", &a, PSY_BOOL, above > 0, 0);
            check_one("all(a <= 1)", &a, PSY_BOOL, above == 0, 0);
            check_one("sum(if a > 1 { u32(1) } else { 0 })", &a, PSY_U32, above, 0);
            check_one("length(a)", &a, PSY_U32, a.n, 0);
            check_one("length(a * a)", &a, PSY_U32, a.n, 0);
            check_one("sum(fill(a * 2, 1))", &a, dtype, 2 * sum + 3, 200);
            check_one("sum(a[..2])", &a, dtype, (a.n > 0 ? a.at[0] : 0) + (a.n > 1 ? a.at[1] : 0), 40);
            check_one("sum(a[..length(a)])", &a, dtype, sum, 200);
            check_one("sum(a[..length(a) + 5])", &a, dtype, sum, 200);
            check_one("sum(a * (a * 1)[..length(a)])", &a, dtype, squares, 200);
            check_one("sum(a * expand(a, axis: 0)[0])", &a, dtype, squares, 200);
            check_one("max(sum(transpose(expand(a, axis: 1)) * 3, axis: 1))", &a, dtype, 3 * sum, 600);
            check_one("sum(sum(expand(a, axis: 0) * reshape(stack(sum(a[..1]), sum(a[..0])), [2, 1]), axis: 1))", &a, dtype,
                      a.n ? sum * a.at[0] : 0, 400);
        }
    }
}

Test(bounded, reductions_of_whole_numbers)
{
    static const unsigned dtypes[] = {PSY_I32, PSY_I64, PSY_U32, PSY_U64, PSY_I8, PSY_U16, PSY_U8};
    for (unsigned k = 0; k < LENGTHS; k++) {
        for (unsigned d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
            tensor a = tensor_random(dtypes[d], DIMS(lengths[k]), 1, 9);
            unsigned dtype = psy__dtype_computes(dtypes[d])                   ? dtypes[d]
                             : psy__dtype_class(dtypes[d]) == PSY_DCLASS_SINT ? PSY_I32
                                                                              : PSY_U32;
            number sum = 0, most = 0, least = 10;
            uint64_t at_most = UINT64_MAX, at_least = UINT64_MAX;
            for (size_t i = 0; i < a.n; i++) {
                sum += a.at[i];
                at_most = a.at[i] > most ? i : at_most;
                at_least = a.at[i] < least ? i : at_least;
                most = a.at[i] > most ? a.at[i] : most;
                least = a.at[i] < least ? a.at[i] : least;
            }
            check_one("sum(a)", &a, dtype, sum, 0);
            check_one("max(fill(a, 0))", &a, dtype, most, 0);
            check_one("argmax(a)", &a, PSY_U64, at_most, 0);
            check_one("argmin(a)", &a, PSY_U64, at_least, 0);
            check_one("any(a == 9)", &a, PSY_BOOL, most == 9, 0);
            if (a.n) {
                check_one("max(a)", &a, dtype, most, 0);
                check_one("min(a)", &a, dtype, least, 0);
            }
        }
    }
}

/* What keeps the length of its operand is as long in the answer. */
Test(bounded, element_by_element)
{
    for (unsigned k = 0; k < LENGTHS; k++) {
        tensor a = tensor_random(PSY_F32, DIMS(lengths[k]), -2, 2), twice = a, chosen = a, shares = a, sums = a,
               filled = tensor_of(PSY_F32, DIMS(lengths[k] + 3)), wide = tensor_of(PSY_F64, DIMS(lengths[k])),
               first = tensor_of(PSY_F32, DIMS(a.n < 2 ? lengths[k] : 2));
        number all = 0, powers = 0;
        for (size_t i = 0; i < a.n; i++) {
            powers += expl(a.at[i]);
        }
        for (size_t i = 0; i < filled.n; i++) {
            filled.at[i] = i < a.n ? a.at[i] : 7;
        }
        for (size_t i = 0; i < a.n; i++) {
            twice.at[i] = a.at[i] * 2;
            chosen.at[i] = a.at[i] > 0 ? a.at[i] : 0;
            shares.at[i] = expl(a.at[i]) / powers;
            sums.at[i] = all += a.at[i];
            wide.at[i] = a.at[i];
            if (i < first.n) {
                first.at[i] = a.at[i];
            }
        }
        check(NULL, "a", &a, &a, 0);
        check(NULL, "a * 2", &a, &twice, 0);
        check(NULL, "a + a", &a, &twice, 0);
        check("let b = a * 1", "a + b[..length(a)]", &a, &twice, 0);
        check(NULL, "if a > 0 { a } else { 0 }", &a, &chosen, 0);
        check(NULL, "relu(a)", &a, &chosen, 0);
        check(NULL, "softmax(a)", &a, &shares, 200);
        check(NULL, "cumsum(a)", &a, &sums, 200);
        check(NULL, "f64(a)", &a, &wide, 0);
        check(NULL, "fill(a, 7)", &a, &filled, 0);
        check(NULL, "a[..2]", &a, &first, 0);
        check(NULL, "a[..u32(2)][..2]", &a, &first, 0);
        check(NULL, "sum(stack(fill(a, 0), fill(a, 0)), axis: 0)[..length(a)]", &a, &twice, 0);
    }
}

Test(bounded, order)
{
    tensor a = LIST(PSY_F32, 3, NAN, -1, 3, 5), up = LIST(PSY_F32, -1, 3, 3, 5, NAN), down = LIST(PSY_F32, 5, 3, 3, -1, NAN),
           places = LIST(PSY_U64, 2, 0, 3, 4, 1), best = LIST(PSY_F32, 5, 3, 3, -1, NAN, NAN, NAN),
           at = LIST(PSY_U64, 4, 0, 3, 2, 1, UINT64_MAX, UINT64_MAX), one = LIST(PSY_F32, 5);
    check(NULL, "sort(a)", &a, &up, 0);
    check(NULL, "sort(a, descending: true)", &a, &down, 0);
    check(NULL, "argsort(a)", &a, &places, 0);
    check("let (x, i) = topk(a, k: 7)", "x", &a, &best, 0);
    check("let (x, i) = topk(a, k: 7)", "i", &a, &at, 0);
    check("let (x, i) = topk(a, k: 1)", "x", &a, &one, 0);
    check("let (x, i) = topk(a, k: 7)", "x[..length(a)]", &a, &down, 0);
    tensor w = LIST(PSY_I32, INT32_MIN, 4, INT32_MIN), w_best = LIST(PSY_I32, 4, INT32_MIN, INT32_MIN, INT32_MIN),
           w_at = LIST(PSY_U64, 1, 0, 2, UINT64_MAX), w_up = LIST(PSY_I32, INT32_MIN, INT32_MIN, 4);
    check("let (x, i) = topk(a, k: 4)", "x", &w, &w_best, 0);
    check("let (x, i) = topk(a, k: 4)", "i", &w, &w_at, 0);
    check(NULL, "sort(a)", &w, &w_up, 0);
    check("let (x, i) = topk(expand(a, axis: 0), k: 4)", "i[0]", &w, &w_at, 0);
    check_one("argmin(expand(a, axis: 0), axis: 1)[0]", &w, PSY_U64, 0, 0);
    check_one("argmax(expand(a, axis: 1), axis: 0)[0]", &w, PSY_U64, 1, 0);
}

/* Rows that a bounded field chooses. */
Test(bounded, gathered_rows)
{
    tensor index = LIST(PSY_U32, 2, 0, 9, 2), none = tensor_of(PSY_U32, DIMS(0)), mean = LIST(PSY_F32, 2.25, 2.75, 3.25),
           sums = LIST(PSY_F32, 15, 3, 0, 15), empty = LIST(PSY_F32, 0, 0, 0), nothing = tensor_of(PSY_F32, DIMS(0));
    const char *lets = "let table = f32(reshape(iota(9), [3, 3]))"; /* rows 0 1 2, 3 4 5, 6 7 8 */
    mean.at[0] = 3;
    mean.at[1] = 3.75;
    mean.at[2] = 4.5;
    sums.at[0] = sums.at[3] = 21;
    check(lets, "sum(table[a], axis: 0) / f32(length(a)) * 1", &index, &mean, 4);
    check(lets, "mean(table[a], axis: 0)", &index, &mean, 4);
    check(lets, "sum(table[a], axis: 1)", &index, &sums, 0);
    check(lets, "table[a] @ table[.., 0] - table[a] @ table[.., 0] + sum(table[a], axis: 1)", &index, &sums, 0);
    check(lets, "sum(table[a] @ transpose(table)[.., ..1], axis: 1) * 0 + sum(table[a], axis: 1)", &index, &sums, 0);
    check(lets, "sum(table[a], axis: 0)", &none, &empty, 0);
    check(lets, "max(table[a], axis: 1)", &none, &nothing, 0);
}

/* Counts over the bound are cut to it, and what is stored has no more. */
Test(bounded, hostile_counts)
{
    static const uint32_t counts[] = {3, 4, 5, 1000, UINT32_C(1) << 31, UINT32_MAX};
    enum { COUNTS = sizeof counts / sizeof counts[0], ROOM = 4 };
    compiled *c = compile("namespace t; message Q { k: i32; a: f32[<=4]; b: u8[<=4]; }"
                          "message R { a: f32[<=4]; b: u8[<=9]; sum: f32; n: u32; mean: f32; at: u64[4]; some: u32; }",
                          "pipeline p(q: Q) -> R { let (x, i) = topk(q.a, k: 4)"
                          " R { a: q.a * 1, b: q.b, sum: sum(q.a), n: length(q.b), mean: mean(q.a), at: i,"
                          " some: length(q.a[..q.k]) } }",
                          true);
    cr_assert(c->ok, "%s", c->said);
    served s = {.shards = 1, .messages = COUNTS};
    serve_begin(c, "p", &s);
    for (uint32_t m = 0; m < COUNTS; m++) {
        *(int32_t *)serve_input(c, "p", &s, m, "k") = (int32_t)counts[m];
        *serve_input_count(c, "p", &s, m, "a") = *serve_input_count(c, "p", &s, m, "b") = counts[m];
        for (unsigned i = 0; i < ROOM; i++) {
            ((float *)serve_input(c, "p", &s, m, "a"))[i] = (float)(i + 1);
        }
    }
    serve(c, "p", &s);
    cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
    for (uint32_t m = 0; m < COUNTS; m++) {
        uint32_t n = counts[m] < ROOM ? counts[m] : ROOM;
        cr_assert_eq(s.status[m], PSY_OK);
        cr_assert_eq(serve_output_count(c, "p", &s, m, "a"), n);
        cr_assert_eq(serve_output_count(c, "p", &s, m, "b"), n);
        cr_assert_eq(*(uint32_t *)serve_output(c, "p", &s, m, "n"), n);
        cr_assert_eq(*(float *)serve_output(c, "p", &s, m, "sum"), (float)(n * (n + 1) / 2));
        cr_assert_eq(*(float *)serve_output(c, "p", &s, m, "mean"), (float)(n + 1) / 2);
        cr_assert_eq(((uint64_t *)serve_output(c, "p", &s, m, "at"))[3], n == ROOM ? 0 : UINT64_MAX);
        cr_assert_eq(*(uint32_t *)serve_output(c, "p", &s, m, "some"), (int32_t)counts[m] < 0 ? 0 : n);
    }
    serve_end(&s);
    compile_end(c);
}

/* What has no meaning for elements that are not there says so, and how they are filled up. */
Test(bounded, refused)
{
    static const char *const all[] = {
        "sum(reshape(a, [3, 2]))",
        "sum(concat(a, a))",
        "a[1]",
        "a[-1]",
        "sum(a[1..])",
        "sum(a[0..4..2])",
        "a[argmax(a)]",
        "sum(pad(a, before: 1))",
        "sum(scatter_add(a, iota(2), a[..2]))",
        "sum(broadcast(a, [2, 6]))",
        "sum(outer(a, a))",
        "sum(a + fill(a, 0))",
        "sum(a * f32(iota(6)))",

        "sum(a[..u32(2)] + a)",
        "dot(a, fill(a, 1))",
    };
    tensor a = tensor_of(PSY_F32, DIMS(3)), wanted = tensor_scalar(PSY_F32, 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        language_refused(&(language_case){.text = all[i], .in = {&a}, .wanted = &wanted, .modes = AS_BOUNDED}, "fill(");
    }
}
