/* SPDX-License-Identifier: Apache-2.0 */
/* What moves elements: places, joins, parts by number, sums into places, running sums, order. */
#include <math.h>

#include "tests/engine/suite.h"

static bool has(suite *s, psy_op op, unsigned dtype) { return suite_has(s, psy__op_info(op), dtype); }

/* ---- iota ---- */

ENGINE_TEST(move, iota)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_bytes(dtype) || !has(s, PSY_OP_IOTA, dtype)) {
            continue;
        }
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b), w = build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
        psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
        build_program(b, in, PSY_NONE, out);
        for (unsigned axis = 0; axis < 3; axis++) {
            build_output_all(b, build_iota(b, dtype, axis, 3, (psy_dim[]){3, 4, 5}));
        }
        build_output(b, build_iota(b, dtype, 0, 1, (psy_dim[]){1000}));
        build_output(b, build_map(b, PSY_OP_ADD, build_iota(b, dtype, 0, 1, (psy_dim[]){300}), build_load(b, w)));
        build_output(b, build_reduce(b, PSY_OP_RMAX, build_iota(b, dtype, 0, 1, &n), 0));
        build_output(
            b, build_reduce(b, PSY_OP_RMAX, build_reduce(b, PSY_OP_RMAX, build_iota(b, dtype, 1, 2, (psy_dim[]){n, 3}), 0), 0));
        build_end(b);
        build_finish(b);
        for (uint64_t size = 0; size < 2000; size += 777) {
            char label[48];
            snprintf(label, sizeof label, "iota %s, N is %u", psy__dtype_name(dtype), (unsigned)size);
            suite_run(s, &(suite_case){.label = label, .b = b, .symbols = &size, .batch_max = 3});
        }
        build_destroy(b);
    }
}

/* ---- concat ---- */

static void run_concat(suite *s, unsigned dtype)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), few = build_field(b, in, dtype, PSY_FIELD_ARRAY, 12),
             many = build_field(b, in, dtype, PSY_FIELD_ARRAY, 300);
    uint32_t rows = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){5, 4});
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_load(b, few), y = build_load(b, many), m = build_view(b, rows);
    build_output(b, build_concat(b, 0, 3, (uint32_t[]){x, y, x}, PSY_NONE));
    uint32_t square = build_reshape(b, x, 2, (psy_dim[]){3, 4}), turned = build_permute(b, square, (unsigned[]){1, 0});
    uint32_t none = build_slice(b, m, 0, 5, 0, 1), back = build_slice(b, m, 1, 3, 4, -1);
    build_output_all(b, build_concat(b, 0, 5, (uint32_t[]){m, square, none, back, square}, PSY_NONE));
    build_output_all(b, build_concat(b, 1, 2, (uint32_t[]){build_permute(b, m, (unsigned[]){1, 0}), turned}, PSY_NONE));
    build_output_all(b, build_concat(b, 1, 3,
                                     (uint32_t[]){build_slice(b, m, 0, 1, 3, 1), square, build_slice(b, square, 1, 2, 1, 1)},
                                     PSY_NONE));
    uint32_t cube = build_repeat(b, square, 3, (psy_dim[]){2, 3, 4}), uniform = build_repeat(b, m, 3, (psy_dim[]){2, 5, 4});
    build_output_all(b, build_concat(b, 1, 2, (uint32_t[]){uniform, cube}, PSY_NONE));
    build_output_all(b, build_concat(b, 0, 2, (uint32_t[]){cube, cube}, PSY_NONE));
    build_output_all(b, build_concat(b, 2, 2,
                                     (uint32_t[]){cube, build_permute(b, build_repeat(b, turned, 3, (psy_dim[]){2, 4, 3}),
                                                                      (unsigned[]){0, 2, 1})},
                                     PSY_NONE));
    build_output_all(b, build_concat(b, 0, 2, (uint32_t[]){m, back}, PSY_NONE)); /* before any message */
    uint32_t singles[40];
    for (unsigned i = 0; i < 40; i++) {
        singles[i] = build_slice(b, y, 0, 7 * i, 1 + i % 3, 1);
    }
    build_output(b, build_concat(b, 0, 40, singles, PSY_NONE));
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_SPECIAL, dtype, 5, 4);
    char label[32];
    snprintf(label, sizeof label, "concat %s", psy__dtype_name(dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .residents = &data, .data = SUITE_SPECIAL, .batch_max = 5});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(move, concat)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_bytes(dtype) && has(s, PSY_OP_CONCAT, dtype)) {
            run_concat(s, dtype);
        }
    }
}

/* ---- gather and scatter ---- */

enum { NUMBERS = 20, EDGES = 8 };

/* The integers of the first field: near the edges of axes of 5, 7 and 20, negative, as large as they come. */
static void fill_numbers(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)message;
    (void)partials;
    static const int64_t edges[EDGES] = {-1, 5, 7, 20, INT64_MIN, INT64_MAX, INT64_C(1) << 32, (INT64_C(1) << 32) + 1};
    unsigned bytes = psy__dtype_bytes(c->b->fields[0][0].dtype);
    uint8_t *at = suite_field(c->b, 0, 0, input);
    for (unsigned i = 0; i < NUMBERS; i++) {
        uint64_t r = suite_random(&s->random);
        int64_t x = (r & 3) == 0 ? edges[r >> 40 & (EDGES - 1)] : (int64_t)(r >> 33 & 7);
        memcpy(at + i * bytes, &x, bytes);
    }
}

static void run_gather(suite *s, unsigned dtype, unsigned index_dtype)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), numbers = build_field(b, in, index_dtype, PSY_FIELD_ARRAY, NUMBERS),
             values = build_field(b, in, dtype, PSY_FIELD_ARRAY, 70);
    uint32_t rows = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){5, 7, 2});
    build_program(b, in, PSY_NONE, out);
    uint32_t n = build_load(b, numbers), x = build_load(b, values), m = build_view(b, rows);
    build_output(b, build_gather(b, x, n, 0));
    uint32_t square = build_reshape(b, n, 2, (psy_dim[]){4, 5}), one = build_slice(b, n, 0, 3, 1, 1);
    uint32_t scalar = build_reshape(b, build_concat(b, 0, 1, &one, PSY_NONE), 0, NULL);
    for (uint32_t axis = 0; axis < 3; axis++) {
        build_output_all(b, build_gather(b, m, n, axis));
        build_output_all(b, build_gather(b, m, build_permute(b, square, (unsigned[]){1, 0}), axis));
        build_output_all(b, build_gather(b, m, scalar, axis)); /* a scalar: the axis is gone */
    }
    uint32_t turned = build_permute(b, m, (unsigned[]){2, 0, 1}), back = build_slice(b, turned, 2, 6, 4, -2);
    build_output_all(b, build_gather(b, back, build_slice(b, n, 0, 19, 7, -2), 1));
    build_output_all(b, build_gather(b, build_repeat(b, x, 2, (psy_dim[]){3, 70}), build_repeat(b, one, 1, (psy_dim[]){6}), 1));
    build_output_all(b, build_gather(b, build_slice(b, m, 1, 0, 0, 1), n, 1)); /* from nothing: zeros */
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_SPECIAL, dtype, 5, 14);
    char label[48];
    snprintf(label, sizeof label, "gather %s by %s", psy__dtype_name(dtype), psy__dtype_name(index_dtype));
    suite_run(s, &(suite_case){
                     .label = label, .b = b, .residents = &data, .data = SUITE_SPECIAL, .fill = fill_numbers, .batch_max = 5});
    build_destroy(b);
    suite_resident_free(&data);
}

static const unsigned index_dtypes[] = {PSY_I32, PSY_I64, PSY_U32, PSY_U64};

ENGINE_TEST(move, gather)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        for (unsigned i = 0; psy__dtype_bytes(dtype) && has(s, PSY_OP_GATHER, dtype) && i < 4; i++) {
            if (s->cpu || i == dtype % 4) {
                run_gather(s, dtype, index_dtypes[i]);
            }
        }
    }
}

static void run_scatter(suite *s, unsigned dtype, unsigned index_dtype, suite_data kind)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), numbers = build_field(b, in, index_dtype, PSY_FIELD_ARRAY, NUMBERS),
             values = build_field(b, in, dtype, PSY_FIELD_ARRAY, 7), parts = build_field(b, in, dtype, PSY_FIELD_ARRAY, 280);
    uint32_t rows = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){5, 7, 2});
    build_program(b, in, PSY_NONE, out);
    uint32_t n = build_load(b, numbers), x = build_load(b, values), y = build_load(b, parts), m = build_view(b, rows);
    uint32_t cube = build_reshape(b, y, 3, (psy_dim[]){20, 7, 2}), column = build_slice(b, y, 0, 0, 20, 1);
    build_output(b, build_scatter(b, x, n, column));
    build_output(b, build_scatter(b, x, build_slice(b, n, 0, 19, 20, -1), build_slice(b, y, 0, 279, 20, -14)));
    build_output(b, build_scatter(b, x, build_slice(b, n, 0, 0, 0, 1), build_slice(b, column, 0, 0, 0, 1)));
    build_output_all(b, build_scatter(b, m, n, cube));
    uint32_t turned = build_permute(b, cube, (unsigned[]){0, 2, 1}), high = build_permute(b, m, (unsigned[]){1, 2, 0});
    build_output_all(b, build_scatter(b, high, n, build_slice(b, turned, 2, 6, 5, -1)));
    uint32_t upright = build_reshape(b, build_concat(b, 0, 1, &column, PSY_NONE), 2, (psy_dim[]){20, 1});
    uint32_t wide = build_repeat(b, build_slice(b, x, 0, 1, 1, 1), 2, (psy_dim[]){4, 300});
    build_output_all(b, build_scatter(b, wide, n, build_repeat(b, upright, 2, (psy_dim[]){20, 300})));
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, kind, dtype, 5, 14);
    char label[48];
    snprintf(label, sizeof label, "scatter %s by %s", psy__dtype_name(dtype), psy__dtype_name(index_dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .residents = &data, .data = kind, .fill = fill_numbers, .batch_max = 5});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(move, scatter)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        for (unsigned i = 0; psy__dtype_computes(dtype) && has(s, PSY_OP_SCATTER, dtype) && i < 4; i++) {
            if (s->cpu || i == dtype % 4) {
                run_scatter(s, dtype, index_dtypes[i], SUITE_PLAIN);
            }
        }
        if (s->cpu && psy__dtype_computes(dtype)) {
            run_scatter(s, dtype, PSY_I32, SUITE_SPECIAL);
        }
    }
}

/* ---- cumsum ---- */

static void run_scans(suite *s, unsigned dtype, suite_data kind)
{
    static const uint32_t lengths[] = {1, 31, 32, 33, 64, 65, 257, 1000, 4097};
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x[9];
    unsigned count = s->cpu ? 9 : 7;
    for (unsigned i = 0; i < count; i++) {
        build_field(b, in, dtype, PSY_FIELD_ARRAY, lengths[i]);
    }
    uint32_t tensor = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){3, 70, 5}),
             wide = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){40, 300});
    build_program(b, in, PSY_NONE, out);
    for (unsigned i = 0; i < count; i++) {
        x[i] = build_load(b, i);
        build_output(b, build_scan(b, PSY_OP_CUMSUM, x[i], 0));
    }
    uint32_t m = build_view(b, tensor), row = build_slice(b, x[4], 0, 0, 5, 1), mixed = build_map(b, PSY_OP_ADD, m, row);
    for (uint32_t axis = 0; axis < 3; axis++) {
        build_output_all(b, build_scan(b, PSY_OP_CUMSUM, m, axis));
        build_output_all(b, build_scan(b, PSY_OP_CUMSUM, mixed, axis));
    }
    build_output_all(b, build_scan(b, PSY_OP_CUMSUM, build_permute(b, mixed, (unsigned[]){1, 2, 0}), 0));
    build_output_all(b, build_scan(b, PSY_OP_CUMSUM, build_slice(b, m, 1, 69, 70, -1), 1));
    build_output_all(b, build_scan(b, PSY_OP_CUMSUM, build_repeat(b, x[6], 2, (psy_dim[]){66, 257}), 0));
    build_output_all(b, build_scan(b, PSY_OP_CUMSUM, build_view(b, wide), 0));
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, kind, dtype, 3, 350), suite_resident(s, kind, dtype, 40, 300)};
    char label[48];
    snprintf(label, sizeof label, "cumsum %s, data %d", psy__dtype_name(dtype), (int)kind);
    suite_run(s, &(suite_case){.label = label,
                               .b = b,
                               .residents = data,
                               .data = kind,
                               .exact = kind == SUITE_DYADIC,
                               .loose = kind == SUITE_SPECIAL,
                               .batch_max = 3});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

ENGINE_TEST(move, cumsum)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_computes(dtype) || !has(s, PSY_OP_CUMSUM, dtype)) {
            continue;
        }
        run_scans(s, dtype, SUITE_POSITIVE);
        for (suite_data kind = SUITE_PLAIN; s->cpu && kind < SUITE_POSITIVE; kind++) {
            run_scans(s, dtype, kind);
        }
    }
}

/* One number again and again: every rounding goes the same way. */
static void fill_same(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)s;
    (void)partials;
    float *x = suite_field(c->b, 0, 0, input), same = message == 0 ? 0.1f : message == 1 ? 1.0f / 3 : 0.7f;
    for (uint32_t i = 0; i < c->b->fields[0][0].count; i++) {
        x[i] = same;
    }
}

/* A long axis: the error grows with the logarithm of its length only. */
ENGINE_TEST(move, long_cumsum)
{
    enum { LENGTH = 50000 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, LENGTH);
    build_program(b, in, PSY_NONE, out);
    uint32_t all = build_scan(b, PSY_OP_CUMSUM, build_load(b, x), 0);
    build_output(b, build_slice(b, all, 0, LENGTH - 1, 40, -997));
    build_end(b);
    build_finish(b);
    suite_run(s, &(suite_case){.label = "cumsum f32[50000]", .b = b, .data = SUITE_POSITIVE, .batch_max = 2});
    suite_run(s, &(suite_case){.label = "cumsum of one number", .b = b, .fill = fill_same, .batch_max = 3});
    build_destroy(b);
}

/* ---- sort ---- */

static void run_sort(suite *s, unsigned dtype, suite_data kind)
{
    static const uint32_t lengths[] = {1, 2, 3, 64, 255, 1000};
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    for (unsigned i = 0; i < 6; i++) {
        build_field(b, in, dtype, PSY_FIELD_ARRAY, lengths[i]);
    }
    uint32_t tensor = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){3, 5, 40});
    build_program(b, in, PSY_NONE, out);
    uint32_t m = build_view(b, tensor), wide = PSY_NONE;
    for (unsigned i = 0; i < 6; i++) {
        uint32_t x = build_load(b, i), up = build_sort(b, x, lengths[i], false),
                 down = build_sort(b, x, lengths[i] / 2 + 1, true);
        const uint32_t shown[] = {up, up + 1, down, down + 1};
        for (unsigned k = 0; k < 4; k++) {
            build_output(b, shown[k]);
        }
        wide = i == 3 ? x : wide;
    }
    const uint32_t views[] = {m, build_permute(b, m, (unsigned[]){2, 0, 1}), build_slice(b, m, 2, 39, 13, -3),
                              build_repeat(b, build_slice(b, m, 2, 7, 1, 1), 3, (psy_dim[]){3, 5, 9}),
                              build_permute(b, build_reshape(b, wide, 2, (psy_dim[]){4, 16}), (unsigned[]){1, 0})};
    for (unsigned i = 0; i < 5; i++) {
        psy_psm_register r = *build_register(b, views[i]);
        for (unsigned down = 0; down < 2; down++) {
            uint32_t y = build_sort(b, views[i], r.dims[r.rank - 1] - (down ? 1 : 0), down);
            build_output_all(b, y);
            build_output_all(b, y + 1);
        }
    }
    uint32_t none = build_sort(b, m, 0, false), empty = build_sort(b, build_slice(b, m, 2, 40, 0, 1), 0, true);
    build_output_all(b, build_concat(b, 2, 3, (uint32_t[]){none, m, empty}, PSY_NONE));
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, kind, dtype, 3, 200);
    char label[48];
    snprintf(label, sizeof label, "sort %s, data %d", psy__dtype_name(dtype), (int)kind);
    suite_run(s, &(suite_case){.label = label, .b = b, .residents = &data, .data = kind, .batch_max = 4});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(move, sort)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        for (suite_data kind = SUITE_PLAIN; psy__dtype_computes(dtype) && has(s, PSY_OP_SORT, dtype) && kind < SUITE_POSITIVE;
             kind++) {
            run_sort(s, dtype, kind);
        }
    }
}
