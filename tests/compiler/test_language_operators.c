/* SPDX-License-Identifier: Apache-2.0 */
/* Operators: what they compute at the edges of every type, how numbers take their types, and which binds how tight. */
#include <math.h>

#include "tests/compiler/language.h"

static const unsigned computing[] = {PSY_F32, PSY_F64, PSY_I32, PSY_I64, PSY_U32, PSY_U64};

enum { FLOATS = 2, SIGNED = 4, COMPUTING = 6 };

/* Numbers around all edges of an integer type, or of a float. */
static tensor edges_of(unsigned dtype)
{
    number most = tensor_round(dtype, -1) > 0 ? tensor_round(dtype, -1) : (number)(dtype == PSY_I32 ? INT32_MAX : INT64_MAX);
    number least = tensor_round(dtype, -1) > 0 ? 0 : -most - 1;
    return psy__dtype_class(dtype) == PSY_DCLASS_FLOAT
               ? LIST(dtype, 0, -0.0L, 1, -1, 0.5L, -2.5L, 7, 1e30L, -1e-30L, INFINITY, -INFINITY, NAN)
               : LIST(dtype, 0, 1, 2, 3, 7, most, most - 1, least, least + 1, most / 2, 100, least / 2 + 5);
}

/* All pairs of edges. */
static void pairs_of(unsigned dtype, tensor *a, tensor *b)
{
    tensor edges = edges_of(dtype);
    *a = *b = tensor_of(dtype, DIMS((uint32_t)edges.n, (uint32_t)edges.n));
    for (size_t i = 0; i < a->n; i++) {
        a->at[i] = edges.at[i / edges.n];
        b->at[i] = edges.at[i % edges.n];
    }
}

static number integer_result(unsigned dtype, char op, number a, number b)
{
    bool is_signed = dtype == PSY_I32 || dtype == PSY_I64;
    unsigned width = 8 * psy__dtype_bytes(dtype);
    uint64_t x = a < 0 ? (uint64_t)(int64_t)a : (uint64_t)a, y = b < 0 ? (uint64_t)(int64_t)b : (uint64_t)b;
    uint64_t r = 0;
    int64_t sx = (int64_t)x, sy = (int64_t)y;
    switch (op) {
    case '+': r = x + y; break;
    case '-': r = x - y; break;
    case '*': r = x * y; break;
    case '/': r = y == 0 ? 0 : is_signed && sy == -1 ? 0 - x : is_signed ? (uint64_t)(sx / sy) : x / y; break;
    case '%': r = y == 0 ? x : is_signed && sy == -1 ? 0 : is_signed ? (uint64_t)(sx % sy) : x % y; break;
    case '&': r = x & y; break;
    case '|': r = x | y; break;
    case '^': r = x ^ y; break;
    case '<': r = x << (y % width); break;
    case '>': r = is_signed ? (uint64_t)(sx >> (y % width)) : x >> (y % width); break;
    default: cr_assert(false, "%c", op);
    }
    return r >> 63 && is_signed ? tensor_round(dtype, (number)(int64_t)r) : tensor_round(dtype, (number)r);
}

static number float_result(char op, number a, number b)
{
    return op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : op == '/' ? a / b : fmodl(a, b);
}

Test(operators, arithmetic_at_the_edges)
{
    static const char ops[] = "+-*/%";
    for (unsigned d = 0; d < COMPUTING; d++) {
        tensor a, b, wanted;
        pairs_of(computing[d], &a, &b);
        wanted = a;
        for (const char *op = ops; *op; op++) {
            char text[] = {'a', ' ', *op, ' ', 'b', '\0'};
            for (size_t i = 0; i < a.n; i++) {
                wanted.at[i] = tensor_round(computing[d], d < FLOATS ? float_result(*op, a.at[i], b.at[i])
                                                                     : integer_result(computing[d], *op, a.at[i], b.at[i]));
            }
            language_check(&(language_case){.text = text, .in = {&a, &b}, .wanted = &wanted, .tolerance = d < FLOATS ? 3 : 0});
        }
    }
}

Test(operators, bits_and_shifts)
{
    static const struct {
        const char *text;
        char op;
    } rows[] = {{"a & b", '&'}, {"a | b", '|'}, {"a ^ b", '^'}, {"a << b", '<'}, {"a >> b", '>'}};
    for (unsigned d = FLOATS; d < COMPUTING; d++) {
        tensor a, b, wanted;
        pairs_of(computing[d], &a, &b);
        wanted = a;
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
            for (size_t i = 0; i < a.n; i++) {
                wanted.at[i] = integer_result(computing[d], rows[k].op, a.at[i], b.at[i]);
            }
            language_check(&(language_case){.text = rows[k].text, .in = {&a, &b}, .wanted = &wanted});
        }
        for (size_t i = 0; i < a.n; i++) {
            wanted.at[i] = integer_result(computing[d], '^', a.at[i], tensor_round(computing[d], -1));
        }
        language_check(&(language_case){.text = "~a", .in = {&a}, .wanted = &wanted});
    }
    /* Over the width, and by less than nothing. */
    tensor a = LIST(PSY_I32, 1, 1, -8, -8), by = LIST(PSY_I32, 33, -1, 1, 34), left = LIST(PSY_I32, 2, INT32_MIN, -16, -32),
           right = LIST(PSY_I32, 0, 0, -4, -2);
    language_check(&(language_case){.text = "a << b", .in = {&a, &by}, .wanted = &left});
    language_check(&(language_case){.text = "a >> b", .in = {&a, &by}, .wanted = &right});
}

Test(operators, comparisons)
{
    static const char *const texts[] = {"a == b", "a != b", "a < b", "a <= b", "a > b", "a >= b"};
    for (unsigned d = 0; d < COMPUTING; d++) {
        tensor a, b;
        pairs_of(computing[d], &a, &b);
        for (unsigned k = 0; k < 6; k++) {
            tensor wanted = tensor_of(PSY_BOOL, a.rank, a.dims);
            for (size_t i = 0; i < a.n; i++) {
                number x = a.at[i], y = b.at[i];
                bool truth[] = {x == y, x != y, x<y, x <= y, x> y, x >= y};
                wanted.at[i] = truth[k];
            }
            language_check(&(language_case){.text = texts[k], .in = {&a, &b}, .wanted = &wanted});
        }
    }
}

Test(operators, truth_values)
{
    tensor a = LIST(PSY_BOOL, 0, 0, 1, 1), b = LIST(PSY_BOOL, 0, 1, 0, 1);
    static const struct {
        const char *text;
        number wanted[4];
    } rows[] = {{"a && b", {0, 0, 0, 1}},
                {"a || b", {0, 1, 1, 1}},
                {"!a", {1, 1, 0, 0}},
                {"a & b", {0, 0, 0, 1}},
                {"a | b", {0, 1, 1, 1}},
                {"a ^ b", {0, 1, 1, 0}},
                {"~a", {1, 1, 0, 0}},
                {"a == b", {1, 0, 0, 1}},
                {"a != b", {0, 1, 1, 0}},
                {"!(a || b) == (!a && !b)", {1, 1, 1, 1}},
                {"a && true", {0, 0, 1, 1}},
                {"a || true", {1, 1, 1, 1}},
                {"a == false", {1, 1, 0, 0}},
                {"!!a", {0, 0, 1, 1}},
                {"a || b && false", {0, 0, 1, 1}}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tensor wanted = tensor_list(PSY_BOOL, 4, rows[k].wanted);
        language_check(&(language_case){.text = rows[k].text, .in = {&a, &b}, .wanted = &wanted});
    }
    tensor numbers = LIST(PSY_U32, 0, 1, 1, 0);
    language_check(&(language_case){.text = "u32(a ^ b)", .in = {&a, &b}, .wanted = &numbers});
}

Test(operators, signs_of_one_operand)
{
    for (unsigned d = 0; d < SIGNED; d++) {
        tensor a = edges_of(computing[d]), wanted = a;
        for (size_t i = 0; i < a.n; i++) {
            wanted.at[i] = tensor_round(computing[d], -a.at[i]);
        }
        language_check(&(language_case){.text = "-a", .in = {&a}, .wanted = &wanted});
        language_check(&(language_case){.text = "---a", .in = {&a}, .wanted = &wanted});
    }
}

/* ---- choice ---- */

Test(operators, choice)
{
    tensor a = LIST(PSY_F32, -2, NAN, 3, 0), b = tensor_scalar(PSY_F32, 10), wanted = LIST(PSY_F32, 10, 10, 3, 10);
    language_check(&(language_case){.text = "if a > 0 { a } else { b }", .in = {&a, &b}, .wanted = &wanted});
    language_check(&(language_case){.text = "select(a > 0, a, b)", .in = {&a, &b}, .wanted = &wanted});
    language_check(&(language_case){.text = "if a > 0 { a } else { 10 }", .in = {&a}, .wanted = &wanted});
    tensor signs = LIST(PSY_I32, -1, 0, 1, 0), nonzero = LIST(PSY_U64, 1, 0, 1, 0);
    language_check(&(language_case){
        .lets = "let s = if a > 0 { i32(1) } else if a < 0 { -1 } else { 0 }", .text = "s", .in = {&a}, .wanted = &signs});
    language_check(&(language_case){.text = "if a > 0 { 1 } else if a < 0 { -1 } else { 0 }", .in = {&a}, .wanted = &signs});
    tensor kinds = LIST(PSY_U8, 1, 3, 4, 2);
    language_check(
        &(language_case){.text = "if a < 0 { 1 } else if a == 0 { 2 } else if is_nan(a) { 3 } else if a > 0 { 4 } else { 5 }",
                         .in = {&a},
                         .wanted = &kinds});
    language_check(
        &(language_case){.text = "if if a < 0 { true } else { a > 0 } { 1 } else { 0 }", .in = {&a}, .wanted = &nonzero});
    /* All three are broadcast against each other. */
    tensor column = tensor_of(PSY_BOOL, DIMS(2, 1)), row = LIST(PSY_I64, 1, 2, 3), table = tensor_of(PSY_I64, DIMS(2, 3));
    column.at[1] = 1;
    for (size_t i = 0; i < 6; i++) {
        table.at[i] = i < 3 ? -1 : (number)(i - 2);
    }
    language_check(&(language_case){.text = "if a { b } else { -1 }", .in = {&column, &row}, .wanted = &table});
    /* Every type can be chosen from, as it is stored. */
    for (unsigned dtype = 1; psy__dtype_name(dtype); dtype++) {
        tensor yes = LIST(dtype, 1, 1, 0), no = LIST(dtype, 0, 1, 1), truth = LIST(PSY_BOOL, 1, 0, 1),
               chosen = LIST(psy__dtype_computes(dtype) || dtype == PSY_BOOL ? dtype
                             : psy__dtype_class(dtype) == PSY_DCLASS_SINT    ? PSY_I32
                             : psy__dtype_class(dtype) == PSY_DCLASS_UINT    ? PSY_U32
                                                                             : PSY_F32,
                             1, 1, 0);
        language_check(&(language_case){.text = "if a { b } else { c }", .in = {&truth, &yes, &no}, .wanted = &chosen});
    }
    tensor odd = LIST(PSY_U16, 1, 2, 3), names = LIST(PSY_U32, 1, 0, 1);
    language_check(&(language_case){.text = "if a % 2 == 1 { 1 } else { 0 }", .in = {&odd}, .wanted = &names});
}

/* ---- types ---- */

Test(operators, numbers_take_the_type_of_what_they_meet)
{
    tensor a = LIST(PSY_U8, 1, 200, 255), twice = LIST(PSY_U32, 3, 401, 511);
    language_check(&(language_case){.text = "a * 2 + 1", .in = {&a}, .wanted = &twice});
    tensor small = LIST(PSY_I16, -32768, 5, 32767), minus = LIST(PSY_I32, 32768, -5, -32767);
    language_check(&(language_case){.text = "-a", .in = {&small}, .wanted = &minus});
    tensor half = LIST(PSY_F16, 0.5, -2, 65504), sum = LIST(PSY_F32, 1, -1.5, 65504.5L);
    language_check(&(language_case){.text = "a + 0.5", .in = {&half}, .wanted = &sum});
    tensor brain = LIST(PSY_BF16, 0.5, -2, 256), product = LIST(PSY_F32, 0.75, -3, 384);
    language_check(&(language_case){.text = "1.5 * a", .in = {&brain}, .wanted = &product});
    tensor large = LIST(PSY_U64, 0, 1), most = LIST(PSY_U64, INT64_MAX, (number)INT64_MAX + 1);
    language_check(&(language_case){.text = "a + 9223372036854775807", .in = {&large}, .wanted = &most});
    tensor hex = LIST(PSY_U64, 0xFFF, 0xFFF), ones = LIST(PSY_U64, UINT64_MAX, UINT64_MAX);
    language_check(&(language_case){.text = "a | 0xF_FF", .in = {&large}, .wanted = &hex});
    language_check(&(language_case){.text = "a | 18446744073709551615", .in = {&large}, .wanted = &ones});
    language_check(&(language_case){.text = "a | 0xFFFF_FFFF_FFFF_FFFF", .in = {&large}, .wanted = &ones});
    tensor bits = LIST(PSY_U64, 10, 11);
    language_check(&(language_case){.text = "a + 0b1010", .in = {&large}, .wanted = &bits});
    tensor f = LIST(PSY_F64, 1, 2), tenth = LIST(PSY_F64, 1 * 0.1, 2 * 0.1);
    language_check(&(language_case){.text = "a * 0.1", .in = {&f}, .wanted = &tenth});
    tensor power = LIST(PSY_F64, 1e-12, 2e-12);
    language_check(&(language_case){.text = "a * 1e-12", .in = {&f}, .wanted = &power, .tolerance = 1});
}

Test(operators, stored_where_nothing_is_lost)
{
    static const struct {
        unsigned from, to;
    } rows[] = {{PSY_U8, PSY_U16},  {PSY_U8, PSY_I16},  {PSY_U8, PSY_F16},  {PSY_I8, PSY_F16},  {PSY_U16, PSY_I32},
                {PSY_U16, PSY_F32}, {PSY_I16, PSY_F32}, {PSY_I32, PSY_I64}, {PSY_I32, PSY_F64}, {PSY_U32, PSY_F64},
                {PSY_U32, PSY_I64}, {PSY_U32, PSY_U64}, {PSY_F32, PSY_F64}, {PSY_F16, PSY_F32}, {PSY_BF16, PSY_F64},
                {PSY_I8, PSY_BF16}, {PSY_U8, PSY_BF16}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tensor a = LIST(rows[k].from, 1, 0, 1), wanted = LIST(rows[k].to, 1, 0, 1);
        language_check(&(language_case){.text = "a", .in = {&a}, .wanted = &wanted});
    }
}

Test(operators, not_stored_where_something_may_be_lost)
{
    static const struct {
        unsigned from, to;
    } rows[] = {{PSY_I32, PSY_U64}, {PSY_I32, PSY_F32},  {PSY_I64, PSY_F64}, {PSY_U64, PSY_I64}, {PSY_F64, PSY_F32},
                {PSY_F32, PSY_F16}, {PSY_F16, PSY_BF16}, {PSY_U16, PSY_F16}, {PSY_F32, PSY_I64}, {PSY_I16, PSY_I8},
                {PSY_U8, PSY_I8},   {PSY_BOOL, PSY_F32}, {PSY_BOOL, PSY_U8}, {PSY_U8, PSY_BOOL}, {PSY_F32, PSY_U8}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tensor a = LIST(rows[k].from, 1, 0, 1), wanted = LIST(rows[k].to, 1, 0, 1);
        char said[64];
        language_refused(&(language_case){.text = "a", .in = {&a}, .wanted = &wanted}, "error[E0301]: field `x` is");
        snprintf(said, sizeof said, "cast it: `%s(...)`", psy__dtype_name(rows[k].to));
        language_refused(&(language_case){.text = "a", .in = {&a}, .wanted = &wanted}, said);
    }
}

/* ---- how tight ---- */

Test(operators, precedence)
{
    static const struct {
        const char *text;
        number wanted;
    } rows[] = {
        {"a + b * c", 2 + 3 * 5},
        {"a * b + c", 2 * 3 + 5},
        {"c - a - b", 0},
        {"100 / c / a", 10},
        {"100 % 30 % c", 0},
        {"-a * b", -6},
        {"- a + b", 1},
        {"a + b << 1", 10},
        {"1 << a + b", 32},
        {"1 << a << b", 32},
        {"c & 4 + 2", 4},
        {"c | a & b", 5 | (2 & 3)},
        {"c ^ a & b", 5 ^ (2 & 3)},
        {"a | b ^ c", 2 | (3 ^ 5)},
        {"~a + 1", -2},
        {"i32(a & 3 == 2 || b < a)", 1},
        {"i32(a < b && b < c || false)", 1},
        {"i32(!(a < b) || true && false)", 0},
        {"i32(a | 1 == 3)", 1},
        {"i32(a + 1 == b)", 1},
        {"a |> max(b) |> min(c) |> abs", 3},
        {"a + b |> max(c)", 5},
        {"if a < b { a } else { b } |> max(c)", 5},
        {"(if a < b { a } else { b }) + 1", 3},
        {"max(if a > b { 7 } else { c }, a)", 5},
        {"a * (b + c)", 16},
        {"a*b-c", 1},
        {"a--b", 5},
    };
    tensor a = tensor_scalar(PSY_I32, 2), b = tensor_scalar(PSY_I32, 3), c = tensor_scalar(PSY_I32, 5);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        tensor wanted = tensor_scalar(PSY_I32, rows[k].wanted);
        language_check(&(language_case){.text = rows[k].text, .in = {&a, &b, &c}, .wanted = &wanted});
    }
}
