/* SPDX-License-Identifier: Apache-2.0 */
/* Where programs read from: resident data, constants, sizes, keyed rows, the shards' partial records. */
#include "tests/engine/suite.h"

/* ---- resident data, constants, sizes ---- */

ENGINE_TEST(data, resident_and_const)
{
    enum { N = 37 };
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_bytes(dtype) || (!s->cpu && dtype != PSY_F32 && dtype != PSY_U64)) {
            continue;
        }
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b);
        build_field(b, in, PSY_U8, PSY_FIELD_SCALAR, 1);
        uint32_t rows = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 1, (psy_dim[]){N});
        uint32_t one = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 1, (psy_dim[]){1});
        psy__resident_data data[] = {suite_resident(s, SUITE_SPECIAL, dtype, N, 1),
                                     suite_resident(s, SUITE_SPECIAL, dtype, 1, 1)};
        build_program(b, in, PSY_NONE, out);
        build_output(b, build_view(b, rows));
        build_output(b, build_const(b, dtype, 0, NULL, data[0].data));
        build_output(b, build_const(b, dtype, 1, (psy_dim[]){N - 1}, (const uint8_t *)data[0].data + psy__dtype_bytes(dtype)));
        build_output(b, build_view(b, one));
        build_output(b, build_const(b, dtype, 1, (psy_dim[]){1}, data[1].data));
        build_end(b);
        build_finish(b);
        char label[48];
        snprintf(label, sizeof label, "resident and constant %s", psy__dtype_name(dtype));
        suite_run(s, &(suite_case){.label = label, .b = b, .residents = data, .batch_max = 5});
        build_destroy(b);
        suite_resident_free(&data[0]);
        suite_resident_free(&data[1]);
    }
}

/* Constants of higher rank, and without any element. */
ENGINE_TEST(data, const_of_rank_two)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 3);
    float elements[12];
    suite_fill(s, SUITE_DYADIC, PSY_F32, elements, 12);
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, v), m = build_const(b, PSY_F32, 2, (psy_dim[]){4, 3}, elements);
    uint32_t none = build_const(b, PSY_F32, 2, (psy_dim[]){0, 3}, elements);
    build_output(b, build_reduce2(b, PSY_OP_DOT, m, a));
    build_output(b, build_reduce(b, PSY_OP_RMAX, m, 0));
    build_output(b, build_reduce(b, PSY_OP_RMIN, build_map(b, PSY_OP_ADD, none, a), 0));
    build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce2(b, PSY_OP_DOT, none, a), 0));
    build_end(b);
    build_finish(b);
    suite_run(s, &(suite_case){.label = "f32[4, 3] constant", .b = b, .data = SUITE_DYADIC, .exact = true});
    build_destroy(b);
}

ENGINE_TEST(data, sizes)
{
    static const uint64_t values[] = {0,         3, 70000, (UINT64_C(1) << 24) + 1, UINT64_C(1) << 31, (UINT64_C(1) << 53) + 1,
                                      UINT64_MAX};
    enum { VALUES = sizeof values / sizeof values[0] };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    psy_dim symbols[VALUES];
    for (unsigned i = 0; i < VALUES; i++) {
        symbols[i] = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    }
    build_program(b, in, PSY_NONE, out);
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        for (unsigned i = 0; suite_has(s, psy__op_info(PSY_OP_SIZE), dtype) && i < VALUES; i++) {
            if (s->cpu || (i < 5 && (dtype == PSY_F32 || dtype == PSY_I32))) {
                build_output(b, build_size(b, dtype, symbols[i]));
            }
        }
        if (suite_has(s, psy__op_info(PSY_OP_SIZE), dtype)) {
            build_output(b, build_size(b, dtype, PSY_DIM_SYMBOL - 1));
        }
    }
    build_output(b, build_map(b, PSY_OP_DIV, build_load(b, v), build_size(b, PSY_F32, symbols[1])));
    build_end(b);
    build_finish(b);
    suite_run(s, &(suite_case){.label = "sizes", .b = b, .symbols = values, .batch_max = 5});
    build_destroy(b);
}

/* ---- keyed rows ---- */

/* The key, the second field: every third message has one that is not there. */
static void fill_key(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)partials;
    const psy__resident_data *d = &c->residents[0];
    uint64_t r = suite_random(&s->random),
             key = message % 3 == 2 || d->rows == 0 ? r : d->keys[(message == 0 ? 0 : r) % d->rows];
    memcpy(suite_field(c->b, 0, 1, input), &key, sizeof key);
}

/* The row itself, what is computed with it, and a product that needs it for each message. */
static void run_lookup(suite *s, unsigned dtype, uint64_t rows, uint64_t slots)
{
    enum { WIDTH = 70 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, dtype, PSY_FIELD_ARRAY, WIDTH);
    uint32_t k = build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    uint32_t table = build_resident(b, dtype, PSY_PLACE_BY_KEY, local, 2, (psy_dim[]){n, WIDTH});
    uint32_t matrix = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){9, WIDTH});
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, v), row = build_lookup(b, table, build_load(b, k));
    build_output(b, row);
    if (psy__dtype_computes(dtype)) {
        build_output(b, build_map(b, PSY_OP_SUB, row, a));
        build_output(b, build_reduce2(b, PSY_OP_DOT, row, a));
        build_output(b, build_reduce2(b, PSY_OP_DOT, build_view(b, matrix), row));
        build_output_ranked(b, row, 5);
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_keyed(s, SUITE_DYADIC, dtype, rows, WIDTH, slots),
                                 suite_resident(s, SUITE_DYADIC, dtype, 9, WIDTH)};
    char label[64];
    snprintf(label, sizeof label, "lookup in %s[%u, 70] with %u places", psy__dtype_name(dtype), (unsigned)rows,
             (unsigned)slots);
    suite_run(s, &(suite_case){.label = label,
                               .b = b,
                               .symbols = (uint64_t[]){rows + 1, rows},
                               .residents = data,
                               .data = SUITE_DYADIC,
                               .exact = true,
                               .fill = fill_key});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

ENGINE_TEST(data, lookup)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_bytes(dtype)) {
            run_lookup(s, dtype, 300, 512);
        }
    }
    run_lookup(s, PSY_F32, 0, 1);
    run_lookup(s, PSY_F32, 0, 8);
    run_lookup(s, PSY_F32, 1, 1); /* no free place: a key that is not there ends the search all the same */
    run_lookup(s, PSY_F32, 64, 64);
    run_lookup(s, PSY_F32, 63, 64);
    run_lookup(s, PSY_F64, 1, 2);
}

/* Rows that are scalars, and matrices. */
ENGINE_TEST(data, lookup_of_other_ranks)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 3);
    uint32_t k = build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    uint32_t scalars = build_resident(b, PSY_F32, PSY_PLACE_BY_KEY, local, 1, (psy_dim[]){n});
    uint32_t cubes = build_resident(b, PSY_F32, PSY_PLACE_BY_KEY, local, 3, (psy_dim[]){n, 4, 3});
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, v), key = build_load(b, k), one = build_lookup(b, scalars, key),
             matrix = build_lookup(b, cubes, key);
    build_output(b, one);
    build_output(b, build_map(b, PSY_OP_MUL, a, one));
    build_output(b, build_reduce2(b, PSY_OP_DOT, matrix, a));
    build_output(b, build_reduce(b, PSY_OP_SUM, matrix, 0));
    build_output(b, build_reduce(b, PSY_OP_SUM, build_map(b, PSY_OP_SUB, matrix, one), 1));
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_keyed(s, SUITE_DYADIC, PSY_F32, 20, 1, 32),
                                 suite_keyed(s, SUITE_DYADIC, PSY_F32, 20, 12, 64)};
    suite_run(s, &(suite_case){.label = "lookup of scalars and matrices",
                               .b = b,
                               .symbols = (uint64_t[]){20, 20},
                               .residents = data,
                               .data = SUITE_DYADIC,
                               .exact = true,
                               .fill = fill_key});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

/* ---- partial records ---- */

/* Sums, bests and means over the shards, of scalars and arrays, alone and fused with what follows. */
static void run_partials(suite *s, unsigned dtype, uint32_t shards, uint64_t gap)
{
    enum { N = 11 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), partial = build_type(b);
    uint32_t w = build_field(b, in, dtype, PSY_FIELD_ARRAY, N);
    uint32_t one = build_field(b, partial, dtype, PSY_FIELD_SCALAR, 1),
             many = build_field(b, partial, dtype, PSY_FIELD_ARRAY, N);
    uint32_t single = build_field(b, partial, dtype, PSY_FIELD_ARRAY, 1);
    psy_dim count = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
    build_program(b, in, partial, out);
    uint32_t x = build_partial(b, one, count), y = build_partial(b, many, count), z = build_partial(b, single, count);
    uint32_t rw = build_load(b, w);
    if (!psy__dtype_computes(dtype)) {
        x = build_cast(b, PSY_I32, x);
        y = build_cast(b, PSY_I32, y);
        z = build_cast(b, PSY_I32, z);
        rw = build_cast(b, PSY_I32, rw);
    }
    static const psy_op reductions[] = {PSY_OP_SUM, PSY_OP_RMIN, PSY_OP_RMAX};
    for (unsigned i = 0; i < 3; i++) {
        build_output(b, build_reduce(b, reductions[i], x, 0));
        build_output(b, build_reduce(b, reductions[i], y, 0));
        build_output(b, build_reduce(b, reductions[i], z, 0));
        build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce(b, reductions[i], y, 1), 0));
    }
    build_region(b, true, 2, (psy_dim[]){count, N});
    uint32_t d = build_map(b, PSY_OP_SUB, y, rw), e = build_map(b, PSY_OP_MUL, d, y), f = build_reduce(b, PSY_OP_SUM, e, 1);
    uint32_t g = build_map(b, PSY_OP_ADD, f, x);
    build_region_end(b);
    build_output(b, build_reduce(b, PSY_OP_SUM, g, 0));
    build_output(b, build_reduce2(b, PSY_OP_DOT, g, x));
    build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce2(b, PSY_OP_DOT, y, rw), 0));
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "%u partial records of %s, %u bytes apart", shards, psy__dtype_name(dtype), (unsigned)gap);
    suite_run(s, &(suite_case){.label = label,
                               .b = b,
                               .symbols = (uint64_t[]){shards},
                               .partial_stride = b->module.types[partial].bytes + gap,
                               .shards = shards,
                               .data = SUITE_DYADIC,
                               .exact = true,
                               .batch_max = 17});
    build_destroy(b);
}

ENGINE_TEST(data, partials)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        for (uint32_t shards = 1; psy__dtype_bytes(dtype) && shards <= 5; shards++) {
            run_partials(s, dtype, shards, shards % 3 * 64);
        }
    }
}

/* log(sum(exp)) from every shard's maximum and sum, as a merge program has it. */
ENGINE_TEST(data, merge_of_log_sum_exp)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), partial = build_type(b);
    build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    uint32_t top = build_field(b, partial, PSY_F32, PSY_FIELD_SCALAR, 1),
             sum = build_field(b, partial, PSY_F32, PSY_FIELD_SCALAR, 1);
    psy_dim count = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
    build_program(b, in, partial, out);
    uint32_t m = build_partial(b, top, count), e = build_partial(b, sum, count), most = build_reduce(b, PSY_OP_RMAX, m, 0);
    build_region(b, true, 1, &count);
    uint32_t scaled = build_map(b, PSY_OP_MUL, build_map(b, PSY_OP_EXP, build_map(b, PSY_OP_SUB, m, most), PSY_NONE), e);
    uint32_t total = build_reduce(b, PSY_OP_SUM, scaled, 0),
             result = build_map(b, PSY_OP_ADD, build_map(b, PSY_OP_LOG, total, PSY_NONE), most);
    build_region_end(b);
    build_output(b, result);
    build_end(b);
    build_finish(b);
    for (uint32_t shards = 1; shards <= 4; shards++) {
        suite_run(s, &(suite_case){.label = "merge of log-sum-exp",
                                   .b = b,
                                   .symbols = (uint64_t[]){shards},
                                   .shards = shards,
                                   .data = SUITE_POSITIVE});
    }
    build_destroy(b);
}
