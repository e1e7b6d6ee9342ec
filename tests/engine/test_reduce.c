/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions and products: every axis, every dtype, lengths around the edges of blocks, matrices with the messages' vectors. */
#include <math.h>

#include "tests/engine/suite.h"

static bool is_reduce1(const psy_op_info *info) { return info->class_ == PSY_CLASS_REDUCE1; }

/* ---- axes ---- */

/* Of a tensor that is the same for all messages, and of one that is not. */
static void run_axes(suite *s, unsigned dtype, unsigned rank, const psy_dim *dims)
{
    build *b = build_create();
    uint64_t row = 1;
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, dtype, PSY_FIELD_ARRAY, dims[rank - 1]);
    uint32_t tensor = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, rank, dims);
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_view(b, tensor), y = build_map(b, PSY_OP_ADD, x, build_load(b, v));
    for (unsigned axis = 0; axis < rank; axis++) {
        row *= axis ? dims[axis] : 1;
        for (unsigned i = 0; i < psy__op_count(); i++) {
            const psy_op_info *info = psy__op_row(i);
            if (is_reduce1(info) && suite_has(s, info, dtype)) {
                build_output_all(b, build_reduce(b, info->op, y, axis));
                if (s->cpu) {
                    build_output_all(b, build_reduce(b, info->op, x, axis));
                }
            }
        }
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_DYADIC, dtype, dims[0], row);
    char label[64];
    snprintf(label, sizeof label, "axes of %s[%u, %u, %u, %u] of rank %u", psy__dtype_name(dtype), dims[0], dims[1], dims[2],
             dims[3], rank);
    suite_run(
        s, &(suite_case){
               .label = label, .b = b, .residents = &data, .data = SUITE_DYADIC, .exact = true, .loose = true, .batch_max = 3});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(reduce, axes)
{
    static const struct {
        unsigned rank;
        psy_dim dims[4];
        bool everywhere;
    } shapes[] = {{1, {300}, false},     {2, {5, 3}, false},      {2, {130, 2}, false},     {2, {3, 259}, false},
                  {2, {1, 7}, false},    {2, {7, 1}, false},      {3, {3, 4, 5}, true},     {3, {2, 130, 3}, false},
                  {3, {1, 1, 6}, false}, {3, {4, 1, 257}, false}, {4, {2, 3, 4, 5}, false}, {4, {3, 1, 2, 66}, false}};
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        for (size_t i = 0; psy__dtype_computes(dtype) && i < sizeof shapes / sizeof shapes[0]; i++) {
            if (s->cpu || (shapes[i].everywhere && (dtype == PSY_F32 || dtype == PSY_I32))) {
                run_axes(s, dtype, shapes[i].rank, shapes[i].dims);
            }
        }
    }
}

/* ---- lengths ---- */

typedef struct lengths {
    const uint32_t *at;
    size_t count;
} lengths;

static lengths lengths_of(const suite *s)
{
    static const uint32_t many[] = {1, 2, 3, 63, 64, 65, 127, 128, 129, 255, 256, 257, 319, 320, 511, 512, 513, 1000, 4097};
    static const uint32_t few[] = {1, 65, 257};
    return s->cpu ? (lengths){many, sizeof many / sizeof many[0]} : (lengths){few, sizeof few / sizeof few[0]};
}

/* Vectors of all lengths in one program. `sums`: also what adds up. */
static void run_lengths(suite *s, unsigned dtype, suite_case c, bool sums)
{
    build *b = build_create();
    lengths l = lengths_of(s);
    uint32_t in = build_type(b), out = build_type(b);
    for (size_t i = 0; i < l.count; i++) {
        build_field(b, in, dtype, PSY_FIELD_ARRAY, l.at[i]);
        build_field(b, in, dtype, PSY_FIELD_ARRAY, l.at[i]);
    }
    build_program(b, in, PSY_NONE, out);
    for (uint32_t i = 0; i < l.count; i++) {
        uint32_t x = build_load(b, 2 * i), y = build_load(b, 2 * i + 1);
        for (unsigned row = 0; row < psy__op_count(); row++) {
            const psy_op_info *info = psy__op_row(row);
            if (!suite_has(s, info, dtype)) {
                continue;
            }
            if (is_reduce1(info) && (sums || info->tolerance == 0)) {
                build_output(b, build_reduce(b, info->op, x, 0));
            } else if (info->class_ == PSY_CLASS_REDUCE2 && sums) {
                build_output(b, build_reduce2(b, info->op, x, y));
            }
        }
    }
    build_end(b);
    build_finish(b);
    c.b = b;
    c.batch_max = 5;
    suite_run(s, &c);
    build_destroy(b);
}

ENGINE_TEST(reduce, lengths)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_computes(dtype) || (!s->cpu && dtype != PSY_F32 && dtype != PSY_I32)) {
            continue;
        }
        run_lengths(s, dtype, (suite_case){.label = "lengths, dyadic", .data = SUITE_DYADIC, .exact = true}, true);
        if (s->cpu) {
            run_lengths(s, dtype, (suite_case){.label = "lengths", .data = SUITE_PLAIN}, true);
            run_lengths(s, dtype, (suite_case){.label = "lengths, positive", .data = SUITE_POSITIVE}, true);
            run_lengths(s, dtype, (suite_case){.label = "lengths, special", .data = SUITE_SPECIAL}, false);
        }
    }
}

/* NaN and infinities, rare, in what is added: nothing overflows on the way. */
static void fill_odd(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)message;
    (void)partials;
    static const float odd[] = {NAN, INFINITY, -INFINITY, -0.0f};
    const psy_psm_type *t = &c->b->module.types[0];
    for (uint32_t f = 0; f < t->field_count; f++) {
        float *x = suite_field(c->b, 0, f, input);
        if (suite_random(&s->random) & 1) {
            x[suite_random(&s->random) % c->b->module.fields[t->first_field + f].count] = odd[suite_random(&s->random) % 4];
        }
    }
}

ENGINE_TEST(reduce, not_numbers)
{
    run_lengths(s, PSY_F32,
                (suite_case){.label = "lengths with NaN and inf", .fill = fill_odd, .data = SUITE_DYADIC, .exact = true}, true);
}

/* Over nothing. */
ENGINE_TEST(reduce, empty)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_computes(dtype) || (!s->cpu && dtype != PSY_F32)) {
            continue;
        }
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, dtype, PSY_FIELD_ARRAY, 3);
        psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
        uint32_t tall = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){n, 3});
        uint32_t wide = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){3, n});
        build_program(b, in, PSY_NONE, out);
        uint32_t a = build_load(b, v), t = build_view(b, tall), w = build_view(b, wide);
        uint32_t batched = build_map(b, PSY_OP_ADD, t, a);
        for (unsigned row = 0; row < psy__op_count(); row++) {
            const psy_op_info *info = psy__op_row(row);
            if (is_reduce1(info) && suite_has(s, info, dtype)) {
                build_output(b, build_reduce(b, info->op, batched, 0));
                build_output(b, build_map(b, PSY_OP_MAX, a, build_reduce(b, info->op, w, 1)));
                build_output(b, build_reduce(b, info->op, build_reduce(b, info->op, batched, 1), 0));
            } else if (info->class_ == PSY_CLASS_REDUCE2 && suite_has(s, info, dtype)) {
                build_output(b, build_map(b, PSY_OP_ADD, a, build_reduce2(b, info->op, w, w)));
                build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce2(b, info->op, t, a), 0));
            }
        }
        build_end(b);
        build_finish(b);
        psy__resident_data data[] = {suite_resident(s, SUITE_PLAIN, dtype, 0, 3), suite_resident(s, SUITE_PLAIN, dtype, 3, 0)};
        suite_run(s, &(suite_case){
                         .label = "nothing to reduce", .b = b, .symbols = (uint64_t[]){0}, .residents = data, .batch_max = 5});
        build_destroy(b);
        suite_resident_free(&data[0]);
        suite_resident_free(&data[1]);
    }
}

/* More iterations than some devices' loops have, and sums whose rounding would show if they were taken one by one. */
static void run_long(suite *s, unsigned dtype)
{
    enum { LONG = 70000 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, dtype, PSY_FIELD_ARRAY, LONG);
    uint32_t w = build_field(b, in, dtype, PSY_FIELD_ARRAY, 2);
    uint32_t row = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 1, (psy_dim[]){LONG});
    uint32_t tall = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){LONG, 2});
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), r = build_view(b, row), t = build_view(b, tall), v = build_load(b, w);
    for (unsigned i = 0; i < psy__op_count(); i++) {
        const psy_op_info *info = psy__op_row(i);
        if (is_reduce1(info) && suite_has(s, info, dtype)) {
            build_output(b, build_reduce(b, info->op, a, 0));
            build_output(b, build_reduce(b, info->op, t, 0));
        }
    }
    build_output(b, build_reduce2(b, PSY_OP_DOT, a, r));
    build_output(b, build_reduce(b, PSY_OP_RMAX, build_reduce2(b, PSY_OP_DOT, t, v), 0));
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, SUITE_POSITIVE, dtype, LONG, 1),
                                 suite_resident(s, SUITE_POSITIVE, dtype, LONG, 2)};
    char label[48];
    snprintf(label, sizeof label, "%s[70000]", psy__dtype_name(dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .residents = data, .data = SUITE_POSITIVE, .batch_max = 2});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

ENGINE_TEST(reduce, long_axis)
{
    run_long(s, PSY_F32);
    if (s->cpu) {
        run_long(s, PSY_F64);
        run_long(s, PSY_I64);
    }
}

/* A million rows that are put together: the error may grow with the logarithm only. */
ENGINE_TEST(reduce, very_long_axis)
{
    enum { ROWS = 1 << 20 };
    if (!s->cpu) {
        cr_skip_test("a million rows are for the cpu engine");
    }
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 1);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    uint32_t tall = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){n, 1});
    uint32_t flat = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 1, (psy_dim[]){n});
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), t = build_view(b, tall), f = build_view(b, flat);
    build_output(b, build_map(b, PSY_OP_MAX, a, build_reduce(b, PSY_OP_SUM, t, 0)));
    build_output(b, build_map(b, PSY_OP_MAX, a, build_reduce(b, PSY_OP_SUM, f, 0)));
    build_output(b, build_map(b, PSY_OP_MAX, a, build_reduce2(b, PSY_OP_DOT, f, f)));
    build_end(b);
    build_finish(b);
    psy__resident_data data[2] = {suite_resident(s, SUITE_POSITIVE, PSY_F32, ROWS, 1)};
    for (uint64_t i = 0; i < ROWS; i++) {
        ((float *)(uintptr_t)data[0].data)[i] = 0.1f; /* rounds the same way every time */
    }
    data[1] = data[0];
    suite_run(s, &(suite_case){
                     .label = "f32[2^20] of 0.1", .b = b, .symbols = (uint64_t[]){ROWS}, .residents = data, .batch_max = 1});
    build_destroy(b);
    suite_resident_free(&data[0]);
}

/* ---- products ---- */

/* dot over the last axis of x[rank 3], v[last], w[1], one column of x's shape, and each the other way round. */
static void run_products(suite *s, unsigned dtype)
{
    enum { A = 2, B = 5, LAST = 67 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    uint32_t v = build_field(b, in, dtype, PSY_FIELD_ARRAY, LAST), w = build_field(b, in, dtype, PSY_FIELD_ARRAY, 1);
    uint32_t u = build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
    uint32_t tensor = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){A, B, LAST});
    uint32_t rows = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){B, LAST});
    uint32_t column = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){B, 1});
    build_program(b, in, PSY_NONE, out);
    uint32_t t = build_view(b, tensor), r = build_view(b, rows), c = build_view(b, column), rv = build_load(b, v);
    uint32_t batched = build_map(b, PSY_OP_SUB, r, rv), rw = build_load(b, w), ru = build_load(b, u);
    const uint32_t pairs[][2] = {{t, rv}, {rv, r},  {r, rw},      {ru, r},      {batched, rv}, {c, rv},
                                 {c, rw}, {rw, rw}, {t, batched}, {batched, c}, {rv, rv}};
    size_t pair_count = s->cpu ? sizeof pairs / sizeof pairs[0] : 6;
    for (size_t i = 0; i < pair_count; i++) {
        build_output_all(b, build_reduce2(b, PSY_OP_DOT, pairs[i][0], pairs[i][1]));
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, SUITE_DYADIC, dtype, A, B * LAST),
                                 suite_resident(s, SUITE_DYADIC, dtype, B, LAST), suite_resident(s, SUITE_DYADIC, dtype, B, 1)};
    char label[48];
    snprintf(label, sizeof label, "products of %s", psy__dtype_name(dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .residents = data, .data = SUITE_DYADIC, .exact = true, .batch_max = 6});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
    suite_resident_free(&data[2]);
}

ENGINE_TEST(dot, broadcast)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_computes(dtype) && suite_has(s, psy__op_info(PSY_OP_DOT), dtype)) {
            run_products(s, dtype);
        }
    }
}

typedef struct product {
    unsigned dtype;
    uint32_t rows, depth, messages;
    suite_data data;
    bool swapped, fused, from_slot;
} product;

/* A resident matrix with the messages' vectors; fused: what is made of the products stays in the region. */
static void run_matrix(suite *s, product p)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, p.dtype, PSY_FIELD_ARRAY, p.depth);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    uint32_t matrix = build_resident(b, p.dtype, PSY_PLACE_SPLIT, local, 2, (psy_dim[]){n, p.depth});
    uint32_t scale = build_resident(b, p.dtype, PSY_PLACE_SPLIT, local, 1, (psy_dim[]){n});
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_view(b, matrix), y = build_load(b, v), q = build_view(b, scale), inside = PSY_NONE;
    if (p.from_slot) {
        y = build_map(b, PSY_OP_NEG, y, PSY_NONE);
        x = build_map(b, PSY_OP_ADD, x, x);
    }
    if (p.fused) {
        build_region(b, true, 2, (psy_dim[]){local, p.depth});
    }
    uint32_t dots = build_reduce2(b, PSY_OP_DOT, p.swapped ? y : x, p.swapped ? x : y);
    if (p.fused) {
        inside = build_map(b, PSY_OP_SUB, build_map(b, PSY_OP_MUL, dots, q), q);
        build_region_end(b);
        build_output(b, build_reduce(b, PSY_OP_RMAX, inside, 0));
    } else {
        build_output(b, build_reduce(b, PSY_OP_SUM, build_map(b, PSY_OP_MUL, dots, q), 0));
    }
    if (p.data == SUITE_DYADIC) {
        uint32_t best = build_topk(b, p.fused ? inside : dots, PSY_NONE, p.rows, local);
        build_output(b, best);
        build_output(b, best + 1);
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, p.data, p.dtype, p.rows, p.depth),
                                 suite_resident(s, p.data, p.dtype, p.rows, 1)};
    char label[96];
    snprintf(label, sizeof label, "%s[%u, %u] with %u vectors%s%s%s", psy__dtype_name(p.dtype), p.rows, p.depth, p.messages,
             p.swapped ? ", swapped" : "", p.fused ? ", fused" : "", p.from_slot ? ", from slots" : "");
    suite_run(s, &(suite_case){.label = label,
                               .b = b,
                               .symbols = (uint64_t[]){p.rows + 5, p.rows},
                               .bases = (uint64_t[]){0, 5},
                               .residents = data,
                               .data = p.data,
                               .exact = p.data == SUITE_DYADIC,
                               .batch_max = p.messages});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

ENGINE_TEST(dot, messages)
{
    for (uint32_t messages = 1; messages <= SUITE_MESSAGES; messages += s->cpu ? 1 : 63) {
        run_matrix(s, (product){PSY_F32, 25, 37, messages, SUITE_DYADIC, messages % 2, messages % 3 == 0, messages % 5 == 0});
        if (s->cpu) {
            run_matrix(s,
                       (product){PSY_F64, 25, 37, messages, SUITE_DYADIC, messages % 3 == 0, messages % 2, messages % 7 == 0});
        }
    }
}

ENGINE_TEST(dot, sizes)
{
    static const uint32_t rows[] = {1, 3, 4, 5, 6, 7, 11, 12, 13, 24, 127, 128, 129, 134, 300},
                          depths[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100};
    enum { ROWS = sizeof rows / sizeof rows[0], DEPTHS = sizeof depths / sizeof depths[0] };
    if (!s->cpu) {
        run_matrix(s, (product){PSY_F32, 129, 33, 5, SUITE_DYADIC, false, true, false});
        run_matrix(s, (product){PSY_I32, 129, 33, 5, SUITE_DYADIC, true, false, false});
        return;
    }
    for (unsigned i = 0; i < ROWS; i++) {
        for (unsigned k = 0; k < DEPTHS; k++) {
            static const unsigned dtypes[] = {PSY_F32, PSY_F64, PSY_F32, PSY_I32, PSY_U64};
            unsigned n = i * DEPTHS + k;
            run_matrix(s, (product){dtypes[n % 5], rows[i], depths[k], 3 + n % 15, SUITE_DYADIC, n % 2, n % 3 == 0,
                                    n % 4 == 0 && dtypes[n % 5] != PSY_U64});
        }
    }
    run_matrix(s, (product){PSY_F32, 300, 256, 64, SUITE_PLAIN, false, false, false});
    run_matrix(s, (product){PSY_F64, 140, 1000, 9, SUITE_PLAIN, true, false, true});
    run_matrix(s, (product){PSY_F32, 9, 20000, 17, SUITE_POSITIVE, false, false, false});
    run_matrix(s, (product){PSY_F32, 9, 20001, 1, SUITE_POSITIVE, true, false, false});
}
