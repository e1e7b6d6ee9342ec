/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes: other dims for the same elements, parts of axes, joining, gathering and scattering. */
#include <math.h>

#include "tests/compiler/language.h"

/* 0, 1, 2 ... in this shape. */
static tensor counted(unsigned dtype, unsigned rank, const uint32_t *dims)
{
    tensor t = tensor_of(dtype, rank, dims);
    for (size_t i = 0; i < t.n; i++) {
        t.at[i] = (number)i;
    }
    return t;
}

/* The element at these places of [*, dims[1], dims[2] ...]. */
static size_t at(const tensor *t, size_t i, size_t k, size_t m)
{
    return t->rank == 1 ? i : t->rank == 2 ? i * t->dims[1] + k : (i * t->dims[1] + k) * t->dims[2] + m;
}

static void check(const char *text, const tensor *a, const tensor *wanted)
{
    language_check(&(language_case){.text = text, .in = {a}, .wanted = wanted});
}

static const unsigned dtypes[] = {PSY_BOOL, PSY_I8,  PSY_U16, PSY_F16, PSY_BF16, PSY_I32,
                                  PSY_U32,  PSY_F32, PSY_I64, PSY_U64, PSY_F64};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

Test(shape, reshape_and_transpose)
{
    for (unsigned d = 0; d < DTYPES; d++) {
        tensor a = tensor_random(dtypes[d], DIMS(4, 6), 0, 1), same = a, turned = tensor_of(dtypes[d], DIMS(6, 4));
        for (size_t i = 0; i < 6; i++) {
            for (size_t k = 0; k < 4; k++) {
                turned.at[at(&turned, i, k, 0)] = a.at[at(&a, k, i, 0)];
            }
        }
        check("reshape(a, [3, 8])", &a, &same);
        check("reshape(a, [24])", &a, &same);
        check("reshape(reshape(a, [2, 3, 1, 4]), [4, 6])", &a, &same);
        check("reshape(a, [1, 4, 1, 6, 1])", &a, &same);
        check("transpose(a)", &a, &turned);
        check("transpose(transpose(a))", &a, &same);
        check("transpose(a, [1, 0])", &a, &turned);
        check("reshape(transpose(a), [24])", &a, &turned);
    }
    tensor a = counted(PSY_F32, DIMS(2, 3, 4)), wanted = tensor_of(PSY_F32, DIMS(4, 2, 3));
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 2; k++) {
            for (size_t m = 0; m < 3; m++) {
                wanted.at[at(&wanted, i, k, m)] = a.at[at(&a, k, m, i)];
            }
        }
    }
    check("transpose(a, [2, 0, 1])", &a, &wanted);
    check("transpose(transpose(a, [1, 2, 0]), [1, 2, 0])", &a, &wanted);
    tensor vector = counted(PSY_F32, DIMS(5)), one = counted(PSY_F32, DIMS(1));
    check("transpose(a)", &vector, &vector);
    tensor scalar = tensor_scalar(PSY_F32, 0);
    check("reshape(a, [])", &one, &scalar);
    /* Eight axes. */
    tensor deep = counted(PSY_I32, DIMS(2, 1, 2, 1, 2, 1, 2, 2)), back = deep;
    for (size_t i = 0; i < 32; i++) {
        size_t bits = ((i & 1) << 4) | ((i & 2) << 2) | (i & 4) | ((i & 8) >> 2) | ((i & 16) >> 4);
        back.at[i] = deep.at[bits];
    }
    back.dims[0] = 2;
    check("transpose(a)", &deep, &back);
}

Test(shape, expand_and_broadcast)
{
    tensor a = counted(PSY_I32, DIMS(2, 3)), wanted = tensor_of(PSY_I32, DIMS(4, 2, 3));
    check("expand(a, axis: 1)", &a, &a);
    check("expand(a, axis: 0) + expand(a, axis: 0) - a", &a, &a);
    check("expand(a)", &a, &a);
    for (size_t i = 0; i < wanted.n; i++) {
        wanted.at[i] = a.at[i % 6];
    }
    check("broadcast(a, [4, 2, 3])", &a, &wanted);
    check("broadcast(a, [2, 3])", &a, &a);
    tensor column = counted(PSY_F32, DIMS(3, 1)), table = tensor_of(PSY_F32, DIMS(3, 4));
    for (size_t i = 0; i < table.n; i++) {
        table.at[i] = (number)(i / 4);
    }
    check("broadcast(a, [3, 4])", &column, &table);
    check("reshape(broadcast(a, [3, 4]), [2, 6])", &column, &table);
    tensor scalar = tensor_scalar(PSY_U8, 7), sevens = tensor_of(PSY_U8, DIMS(2, 2));
    for (size_t i = 0; i < 4; i++) {
        sevens.at[i] = 7;
    }
    check("broadcast(a, [2, 2])", &scalar, &sevens);
    /* All pairs of a vector with itself. */
    tensor v = counted(PSY_I32, DIMS(4)), differences = tensor_of(PSY_I32, DIMS(4, 4));
    for (size_t i = 0; i < 16; i++) {
        differences.at[i] = (number)(i / 4) - (number)(i % 4);
    }
    check("expand(a, axis: 1) - a", &v, &differences);
    check("expand(a) - expand(a, axis: 0)", &v, &differences);
}

Test(shape, concat_and_stack)
{
    for (unsigned d = 0; d < DTYPES; d++) {
        tensor a = tensor_random(dtypes[d], DIMS(2, 3), 0, 1), b = tensor_random(dtypes[d], DIMS(4, 3), 0, 1),
               c = tensor_random(dtypes[d], DIMS(2, 1), 0, 1), down = tensor_of(dtypes[d], DIMS(8, 3)),
               beside = tensor_of(dtypes[d], DIMS(2, 4)), layers = tensor_of(dtypes[d], DIMS(2, 2, 3)),
               last = tensor_of(dtypes[d], DIMS(2, 3, 2));
        for (size_t i = 0; i < 24; i++) {
            down.at[i] = i < 6 ? a.at[i] : i < 18 ? b.at[i - 6] : a.at[i - 18];
        }
        for (size_t i = 0; i < 8; i++) {
            beside.at[i] = i % 4 < 3 ? a.at[i / 4 * 3 + i % 4] : c.at[i / 4];
        }
        for (size_t i = 0; i < 12; i++) {
            layers.at[i] = a.at[i % 6];
            last.at[i] = a.at[i / 2];
        }
        language_check(&(language_case){.text = "concat(a, b, a, axis: 0)", .in = {&a, &b}, .wanted = &down});
        language_check(&(language_case){.text = "concat(a, b, a)", .in = {&a, &b}, .wanted = &down});
        language_check(&(language_case){.text = "concat(a, c, axis: -1)", .in = {&a, &b, &c}, .wanted = &beside});
        check("stack(a, a)", &a, &layers);
        check("stack(a, a, axis: 2)", &a, &last);
        check("stack(a, a, axis: -1)", &a, &last);
        check("concat(a)", &a, &a);
    }
    /* More than one instruction takes. */
    char text[256] = "concat(a", list[256] = "stack(a[0]";
    tensor a = counted(PSY_F32, DIMS(3)), wanted = tensor_of(PSY_F32, DIMS(96)), ones = tensor_of(PSY_F32, DIMS(20));
    for (unsigned i = 1; i < 32; i++) {
        strcat(text, ", a");
    }
    for (unsigned i = 1; i < 20; i++) {
        strcat(list, ", a[1]");
    }
    for (size_t i = 0; i < 96; i++) {
        wanted.at[i] = (number)(i % 3);
    }
    for (size_t i = 1; i < 20; i++) {
        ones.at[i] = 1;
    }
    check(strcat(text, ")"), &a, &wanted);
    check(strcat(list, ")"), &a, &ones);
    /* The axis of a named size, and nothing. */
    tensor none = tensor_of(PSY_F32, DIMS(0)), row = counted(PSY_F32, DIMS(5)), sum = tensor_scalar(PSY_F32, 20);
    language_check(&(language_case){.text = "sum(concat(a, b, a, b))", .in = {&none, &row}, .wanted = &sum, .modes = AS_NAMED});
}

Test(shape, pad)
{
    tensor a = counted(PSY_I32, DIMS(2, 3)), beside = tensor_of(PSY_I32, DIMS(2, 6)), under = tensor_of(PSY_I32, DIMS(4, 3));
    for (size_t i = 0; i < 12; i++) {
        beside.at[i] = i % 6 < 1 || i % 6 > 3 ? -7 : a.at[i / 6 * 3 + i % 6 - 1];
        under.at[i] = i < 6 ? a.at[i] : 0;
    }
    check("pad(a, before: 1, after: 2, axis: 1, value: -7)", &a, &beside);
    check("pad(a, after: 2, axis: 0)", &a, &under);
    check("pad(a, axis: 1)", &a, &a);
    tensor half = LIST(PSY_F16, 1, 2), padded = LIST(PSY_F16, 0.5, 1, 2);
    check("pad(a, before: 1, value: 0.5)", &half, &padded);
}

/* ---- x[...] ---- */

Test(shape, elements_and_parts)
{
    static const struct {
        const char *text;
        uint32_t n;
        number wanted[8];
    } rows[] = {
        {"a[2]", 0, {2}},
        {"a[-1]", 0, {9}},
        {"a[-10]", 0, {0}},
        {"a[2..5]", 3, {2, 3, 4}},
        {"a[7..]", 3, {7, 8, 9}},
        {"a[..3]", 3, {0, 1, 2}},
        {"a[-3..]", 3, {7, 8, 9}},
        {"a[-3..-1]", 2, {7, 8}},
        {"a[..-7]", 3, {0, 1, 2}},
        {"a[1..8..3]", 3, {1, 4, 7}},
        {"a[..10..4]", 3, {0, 4, 8}},
        {"a[0..10..9]", 2, {0, 9}},
        {"a[0..1..100]", 1, {0}},
        {"a[..][2..4]", 2, {2, 3}},
        {"a[2..8][1..4][1]", 0, {4}},
        {"a[1..9..2][1..3]", 2, {3, 5}},
        {"a[iota(2) + 3]", 2, {3, 4}},
        {"a[iota(5)[2]]", 0, {2}},
        {"a[FOUR]", 0, {4}},
        {"a[FOUR - 1..FOUR + 1]", 2, {3, 4}},
        {"a[size(a) / 2]", 0, {5}},
    };
    tensor a = counted(PSY_F32, DIMS(10));
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tensor wanted = rows[k].n ? tensor_list(PSY_F32, rows[k].n, rows[k].wanted) : tensor_scalar(PSY_F32, rows[k].wanted[0]);
        language_check(&(language_case){.file = "const FOUR = 4\n", .text = rows[k].text, .in = {&a}, .wanted = &wanted});
    }
    tensor none = tensor_scalar(PSY_F32, 0);
    check("sum(a[3..3])", &a, &none);
    check("sum(a[10..])", &a, &none);
}

Test(shape, several_axes)
{
    tensor a = counted(PSY_I32, DIMS(3, 4, 5)), part = tensor_of(PSY_I32, DIMS(2, 2)), one = tensor_scalar(PSY_I32, 33),
           row = tensor_of(PSY_I32, DIMS(5)), slab = tensor_of(PSY_I32, DIMS(3, 5));
    for (size_t i = 0; i < 4; i++) {
        part.at[i] = a.at[at(&a, 1 + i / 2, 2, 1 + 2 * (i % 2))];
    }
    for (size_t i = 0; i < 15; i++) {
        row.at[i % 5] = a.at[at(&a, 2, 3, i % 5)];
        slab.at[i] = a.at[at(&a, i / 5, 1, i % 5)];
    }
    check("a[1.., 2, 1..5..2]", &a, &part);
    check("a[1, 2, 3]", &a, &one);
    check("a[1][2][3]", &a, &one);
    check("a[-1, -1]", &a, &row);
    check("a[.., 1]", &a, &slab);
    check("a[.., 1, ..]", &a, &slab);
    check("transpose(a)[.., 1, ..] |> transpose", &a, &slab);
    check("transpose(transpose(a, [1, 0, 2])[1..2][0])|> transpose", &a, &slab);
}

/* ---- gather and scatter ---- */

Test(shape, gather)
{
    for (unsigned d = 0; d < DTYPES; d++) {
        tensor a = tensor_random(dtypes[d], DIMS(4, 3), 0, 1), i = LIST(PSY_I32, 3, 0, 0, 4, -1, 2, INT32_MAX, INT32_MIN),
               rows = tensor_of(dtypes[d], DIMS(8, 3)), columns = tensor_of(dtypes[d], DIMS(4, 8));
        for (size_t k = 0; k < 24; k++) {
            number row = i.at[k / 3], column = i.at[k % 8];
            rows.at[k] = row >= 0 && row < 4 ? a.at[(size_t)row * 3 + k % 3] : 0;
            columns.at[k] = column >= 0 && column < 3 ? a.at[k / 8 * 3 + (size_t)column] : 0;
        }
        for (size_t k = 24; k < 32; k++) {
            number column = i.at[k % 8];
            columns.at[k] = column >= 0 && column < 3 ? a.at[k / 8 * 3 + (size_t)column] : 0;
        }
        language_check(&(language_case){.text = "a[b]", .in = {&a, &i}, .wanted = &rows});
        language_check(&(language_case){.text = "gather(a, b, axis: 0)", .in = {&a, &i}, .wanted = &rows});
        language_check(&(language_case){.text = "a[.., b]", .in = {&a, &i}, .wanted = &columns});
        language_check(&(language_case){.text = "gather(a, b, axis: -1)", .in = {&a, &i}, .wanted = &columns});
    }
    static const unsigned places[] = {PSY_I8, PSY_U8, PSY_I16, PSY_U16, PSY_U32, PSY_I64, PSY_U64};
    tensor a = counted(PSY_F32, DIMS(6));
    for (size_t d = 0; d < sizeof places / sizeof places[0]; d++) {
        tensor i = LIST(places[d], 5, 6, 2, 100), wanted = LIST(PSY_F32, 5, 0, 2, 0), one = tensor_scalar(places[d], 4),
               four = tensor_scalar(PSY_F32, 4), square = tensor_of(places[d], DIMS(2, 2));
        memcpy(square.at, i.at, 4 * sizeof *i.at);
        language_check(&(language_case){.text = "a[b]", .in = {&a, &i}, .wanted = &wanted});
        language_check(&(language_case){.text = "a[b]", .in = {&a, &one}, .wanted = &four});
        wanted.rank = 2;
        wanted.dims[0] = wanted.dims[1] = 2;
        language_check(&(language_case){.text = "a[b]", .in = {&a, &square}, .wanted = &wanted});
    }
    tensor large = LIST(PSY_U64, UINT64_MAX, 4294967296.0L, 1), zero = LIST(PSY_F32, 0, 0, 1);
    language_check(&(language_case){.text = "a[b]", .in = {&a, &large}, .wanted = &zero});
    tensor none = tensor_of(PSY_F32, DIMS(0)), zeros = LIST(PSY_F32, 0, 0, 0);
    language_check(&(language_case){.text = "a[iota(3)]", .in = {&none}, .wanted = &zeros, .modes = AS_NAMED});
}

Test(shape, scatter)
{
    static const unsigned computing[] = {PSY_F32, PSY_F64, PSY_I32, PSY_I64, PSY_U32, PSY_U64};
    for (unsigned d = 0; d < 6; d++) {
        tensor a = tensor_random(computing[d], DIMS(4, 2), 0, 9), i = LIST(PSY_I32, 1, 3, 1, 1, -1, 4),
               y = tensor_random(computing[d], DIMS(6, 2), 0, 9), wanted = a;
        for (size_t k = 0; k < 12; k++) {
            number row = i.at[k / 2];
            if (row >= 0 && row < 4) {
                wanted.at[(size_t)row * 2 + k % 2] = tensor_round(computing[d], wanted.at[(size_t)row * 2 + k % 2] + y.at[k]);
            }
        }
        /* In order, so that even sums of floats are exact. */
        language_check(&(language_case){.text = "scatter_add(a, b, c)", .in = {&a, &i, &y}, .wanted = &wanted});
    }
    tensor zeros = tensor_of(PSY_U32, DIMS(3)), i = LIST(PSY_U8, 2, 0, 2, 2), ones = LIST(PSY_U32, 1, 1, 1, 1),
           counts = LIST(PSY_U32, 1, 0, 3);
    language_check(&(language_case){.text = "scatter_add(a, b, c)", .in = {&zeros, &i, &ones}, .wanted = &counts});
}

/* ---- made of nothing ---- */

Test(shape, iota_and_one_hot)
{
    tensor a = LIST(PSY_I32, 2, 0, -1, 3), hot = tensor_of(PSY_F32, DIMS(4, 3)), counts = LIST(PSY_U32, 0, 1, 2, 3),
           later = LIST(PSY_U32, 5, 6, 7);
    hot.at[2] = hot.at[3] = 1;
    check("one_hot(a, 3)", &a, &hot);
    check("iota(4)", &a, &counts);
    check("iota(size(a))", &a, &counts);
    check("iota(2 + 1, start: 5)", &a, &later);
    tensor one = tensor_scalar(PSY_U8, 1), second = LIST(PSY_F32, 0, 1, 0);
    check("one_hot(a, 3)", &one, &second);
    tensor sizes = LIST(PSY_U32, 4, 4);
    check("stack(u32(size(a)), u32(size(a, axis: 0)))", &a, &sizes);
}

Test(shape, named_sizes)
{
    tensor a = tensor_random(PSY_F32, DIMS(6, 2), -1, 1), sum = tensor_scalar(PSY_F32, 0), half = sum, twice = sum;
    for (size_t i = 0; i < 12; i++) {
        sum.at[0] += a.at[i];
        half.at[0] += i < 6 ? a.at[i] : 0;
        twice.at[0] += 2 * a.at[i];
    }
    static const char *const all[] = {"sum(reshape(a, [A * 2]))", "sum(reshape(a, [2 * A]))",
                                      "sum(reshape(a, [2, A]) |> sum_of)", "sum(sum(reshape(transpose(a), [A, 2]), axis: 0))",
                                      "sum(sum(a[0..A], axis: 0))"};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
        language_check(&(language_case){.file = "fn sum_of(x: f32[R, C]) -> f32[C] = sum(x, axis: 0)\n",
                                        .text = all[k],
                                        .in = {&a},
                                        .wanted = &sum,
                                        .tolerance = 20,
                                        .modes = AS_NAMED});
    }
    language_check(&(language_case){
        .text = "sum(sum(a[0..A / 2], axis: 0))", .in = {&a}, .wanted = &half, .tolerance = 20, .modes = AS_NAMED});
    language_check(&(language_case){
        .text = "sum(sum(a[..-3], axis: 0))", .in = {&a}, .wanted = &half, .tolerance = 20, .modes = AS_NAMED});
    language_check(&(language_case){
        .text = "sum(sum(concat(a, a), axis: 0))", .in = {&a}, .wanted = &twice, .tolerance = 20, .modes = AS_NAMED});
    tensor last = LIST(PSY_F32, a.at[10], a.at[11]), size = tensor_scalar(PSY_U32, 13);
    language_check(&(language_case){.text = "a[-1]", .in = {&a}, .wanted = &last, .modes = AS_NAMED});
    language_check(&(language_case){.text = "a[A - 1]", .in = {&a}, .wanted = &last, .modes = AS_NAMED});
    language_check(&(language_case){.text = "a[size(a, axis: 0) - 1]", .in = {&a}, .wanted = &last, .modes = AS_NAMED});
    language_check(&(language_case){.text = "u32(A * 2 + 1)", .in = {&a}, .wanted = &size, .modes = AS_NAMED});
}
