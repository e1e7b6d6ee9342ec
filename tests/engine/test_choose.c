/* SPDX-License-Identifier: Apache-2.0 */
/* Truth values: comparisons, logic, choice by them, whatever byte says them; and what takes three operands. */
#include <math.h>

#include "isa/scalar.h"
#include "tests/engine/suite.h"

/* lt, le, eq and what is chosen by them, all operands broadcast against each other, one by one and in a region. */
static void run_clamp(suite *s, unsigned dtype, bool region)
{
    enum { ROWS = 5, COLUMNS = 300 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, dtype, PSY_FIELD_ARRAY, COLUMNS),
             w = build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
    uint32_t matrix = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){ROWS, COLUMNS}),
             column = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){ROWS, 1});
    build_program(b, in, PSY_NONE, out);
    uint32_t rv = build_load(b, v), rw = build_load(b, w), m = build_view(b, matrix), c = build_view(b, column);
    uint32_t small = build_map(b, PSY_OP_LT, rv, rw); /* bool[300], in memory */
    if (region) {
        build_region(b, false, 2, (psy_dim[]){ROWS, COLUMNS});
    }
    uint32_t above = build_map(b, PSY_OP_LE, c, rv), same = build_map(b, PSY_OP_EQ, m, rw),
             other = build_map(b, PSY_OP_NE, m, rv);
    uint32_t first = build_map3(b, PSY_OP_CHOOSE, above, m, rw), second = build_map3(b, PSY_OP_CHOOSE, small, first, c);
    uint32_t both = build_map(b, PSY_OP_XOR, build_map(b, PSY_OP_OR, above, same), build_map(b, PSY_OP_AND, other, small));
    uint32_t truth = build_map3(b, PSY_OP_CHOOSE, both, same, other), no = build_map(b, PSY_OP_NOT, truth, PSY_NONE);
    if (region) {
        build_region_end(b);
    }
    const uint32_t shown[] = {above, same, other, first, second, both, truth, no};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        bool has_dims = build_register(b, shown[i])->rank == 2;
        cr_assert(has_dims);
        build_output_all(b, shown[i]);
    }
    build_output(b, small);
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, SUITE_DYADIC, dtype, ROWS, COLUMNS),
                                 suite_resident(s, SUITE_DYADIC, dtype, ROWS, 1)};
    char label[64];
    snprintf(label, sizeof label, "choosing %s%s", psy__dtype_name(dtype), region ? " in a region" : "");
    suite_run(s, &(suite_case){.label = label, .b = b, .residents = data, .data = SUITE_DYADIC, .batch_max = 3});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

ENGINE_TEST(choose, clamp)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_computes(dtype) && suite_has(s, psy__op_info(PSY_OP_LT), dtype) && (s->cpu || dtype != PSY_U32)) {
            run_clamp(s, dtype, true);
            if (s->cpu) {
                run_clamp(s, dtype, false);
            }
        }
    }
}

/* Every dtype can be chosen, also those that do not compute. */
ENGINE_TEST(choose, every_dtype)
{
    enum { N = 300 };
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_bytes(dtype) || !suite_has(s, psy__op_info(PSY_OP_CHOOSE), dtype)) {
            continue;
        }
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b);
        build_field(b, in, PSY_BOOL, PSY_FIELD_ARRAY, N);
        build_field(b, in, PSY_BOOL, PSY_FIELD_SCALAR, 1);
        build_field(b, in, dtype, PSY_FIELD_ARRAY, N);
        build_field(b, in, dtype, PSY_FIELD_ARRAY, N);
        build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
        build_program(b, in, PSY_NONE, out);
        uint32_t many = build_load(b, 0), one = build_load(b, 1), x = build_load(b, 2), y = build_load(b, 3),
                 z = build_load(b, 4);
        build_output(b, build_map3(b, PSY_OP_CHOOSE, many, x, y));
        build_output(b, build_map3(b, PSY_OP_CHOOSE, one, x, y));
        build_output(b, build_map3(b, PSY_OP_CHOOSE, many, x, z));
        build_output(b, build_map3(b, PSY_OP_CHOOSE, many, z, z));
        build_output(b, build_map3(b, PSY_OP_CHOOSE, one, z, z));
        build_end(b);
        build_finish(b);
        char label[48];
        snprintf(label, sizeof label, "choosing %s by any byte", psy__dtype_name(dtype));
        suite_run(s, &(suite_case){.label = label, .b = b, .data = SUITE_SPECIAL, .batch_max = 9});
        build_destroy(b);
    }
}

/* any and all along every axis, of messages' bytes, resident ones, and ones that were computed; of nothing. */
ENGINE_TEST(choose, any_and_all)
{
    enum { ROWS = 3, COLUMNS = 300 };
    static const psy_op ops[] = {PSY_OP_ANY, PSY_OP_ALL};
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, PSY_BOOL, PSY_FIELD_ARRAY, COLUMNS);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    uint32_t flags = build_resident(b, PSY_BOOL, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){ROWS, COLUMNS}),
             few = build_resident(b, PSY_BOOL, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){n, 2});
    build_program(b, in, PSY_NONE, out);
    uint32_t v = build_load(b, 0), m = build_view(b, flags), nothing = build_view(b, few);
    uint32_t mixed = build_map(b, PSY_OP_AND, m, v), never = build_map(b, PSY_OP_XOR, v, v);
    /* What was copied is still the same truth, whatever byte said it. */
    uint32_t copied = build_concat(b, 0, 1, &v, PSY_NONE), none = build_map(b, PSY_OP_NOT, never, PSY_NONE);
    uint32_t picked = build_gather(b, v, build_iota(b, PSY_I32, 0, 1, (psy_dim[]){COLUMNS}), 0);
    build_output(b, build_map(b, PSY_OP_EQ, copied, v));
    build_output(b, build_map(b, PSY_OP_NE, picked, none));
    build_output(b, build_map(b, PSY_OP_EQ, build_gather(b, copied, build_iota(b, PSY_U32, 0, 1, (psy_dim[]){7}), 0),
                              build_slice(b, picked, 0, 0, 7, 1)));
    for (unsigned i = 0; i < 2; i++) {
        build_output(b, build_reduce(b, ops[i], v, 0));
        build_output(b, build_reduce(b, ops[i], never, 0));
        build_output(b, build_reduce(b, ops[i], build_map(b, PSY_OP_NOT, never, PSY_NONE), 0));
        for (unsigned axis = 0; axis < 2; axis++) {
            build_output(b, build_reduce(b, ops[i], m, axis));
            build_output(b, build_reduce(b, ops[i], mixed, axis));
        }
        build_output(b, build_reduce(b, ops[i], nothing, 0));
        build_output(b, build_reduce(b, ops[i], build_reduce(b, ops[i], nothing, 1), 0));
        build_region(b, true, 2, (psy_dim[]){ROWS, COLUMNS});
        uint32_t flipped = build_map(b, PSY_OP_XOR, m, v), row = build_reduce(b, ops[i], flipped, 1),
                 left = build_map(b, PSY_OP_NOT, row, PSY_NONE);
        build_region_end(b);
        build_output(b, row);
        build_output(b, left);
    }
    build_end(b);
    build_finish(b);
    for (uint64_t rows = 0; rows < 3; rows += 2) {
        psy__resident_data data[] = {suite_resident(s, SUITE_SPECIAL, PSY_BOOL, ROWS, COLUMNS),
                                     suite_resident(s, SUITE_SPECIAL, PSY_BOOL, rows, 2)};
        suite_run(s, &(suite_case){.label = rows ? "any and all" : "any and all, and of nothing",
                                   .b = b,
                                   .symbols = &rows,
                                   .residents = data,
                                   .data = SUITE_SPECIAL});
        suite_resident_free(&data[0]);
        suite_resident_free(&data[1]);
    }
    build_destroy(b);
}

/* (1 + e)^2 - (1 + 2e) is e^2, which a product that was rounded first does not leave. */
static void fill_fma(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)s;
    (void)partials;
    bool is_single = c->b->fields[0][0].dtype == PSY_F32;
    for (unsigned i = 0; i < 3; i++) {
        double e = ldexp(1 + (double)message, is_single ? -18 : -40), x = i < 2 ? 1 + e : -(1 + 2 * e);
        if (is_single) {
            *(float *)suite_field(c->b, 0, i, input) = (float)x;
        } else {
            *(double *)suite_field(c->b, 0, i, input) = x;
        }
    }
}

ENGINE_TEST(choose, fma_rounds_once)
{
    for (unsigned dtype = PSY_F32; dtype <= PSY_F64; dtype++) {
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b), x[3];
        for (unsigned i = 0; i < 3; i++) {
            build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
        }
        build_program(b, in, PSY_NONE, out);
        for (unsigned i = 0; i < 3; i++) {
            x[i] = build_load(b, i);
        }
        build_output(b, build_map3(b, PSY_OP_FMA, x[0], x[1], x[2]));
        build_end(b);
        build_finish(b);
        /* Devices may round twice. */
        suite_run(s, &(suite_case){.label = "fma of what cancels", .b = b, .exact = s->cpu, .fill = fill_fma});
        build_destroy(b);
    }
}

/* The published vectors of Random123 for philox2x32 with ten rounds. */
Test(philox, is_the_published_one)
{
    static const uint32_t vectors[][5] = {{0, 0, 0, 0xff1dae59, 0x6cd10df2},
                                          {0xffffffff, 0xffffffff, 0xffffffff, 0x2c3f628b, 0xab4fd7ad},
                                          {0x243f6a88, 0x85a308d3, 0x13198a2e, 0xdd7ce038, 0xf62a4c12}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint32_t counter[2] = {vectors[i][0], vectors[i][1]};
        reference_philox(counter, vectors[i][2]);
        cr_assert_eq(counter[0], vectors[i][3], "vector %zu: %08x", i, counter[0]);
        cr_assert_eq(counter[1], vectors[i][4], "vector %zu: %08x", i, counter[1]);
    }
    cr_assert_eq(psy__philox(0, 0), 0xff1dae59);
    uint64_t state = 5;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t r = suite_random(&state);
        uint32_t counter[2] = {(uint32_t)r, 0};
        reference_philox(counter, (uint32_t)(r >> 32));
        cr_assert_eq(psy__philox((uint32_t)(r >> 32), (uint32_t)r), counter[0]);
    }
}
