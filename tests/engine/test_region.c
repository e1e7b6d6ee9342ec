/* SPDX-License-Identifier: Apache-2.0 */
/* Fused regions: values that never leave them, what comes after a reduction, several reductions of one read, shared slots. */
#include "tests/engine/suite.h"

/* A chain of `length` operations; every `kept`-th value also leaves the region (0: the last one only). */
static void run_chain(suite *s, unsigned dtype, uint32_t count, unsigned length, unsigned kept, bool tight)
{
    build *b = build_create();
    b->tight = tight;
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, dtype, PSY_FIELD_ARRAY, count);
    uint32_t w = build_field(b, in, dtype, PSY_FIELD_SCALAR, 1), leaves[64], n = 0;
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), scalar = build_load(b, w), value = a;
    build_region(b, false, 1, &count);
    for (unsigned i = 0; i < length; i++) {
        static const psy_op ops[] = {PSY_OP_SUB, PSY_OP_MAX, PSY_OP_ADD, PSY_OP_MIN};
        value = build_map(b, ops[i % 4], i % 3 == 2 ? a : value, i % 3 == 1 ? scalar : value);
        if (i + 1 == length || (kept && i % kept == 0)) {
            leaves[n++] = value;
        }
    }
    build_region_end(b);
    for (uint32_t i = 0; i < n; i++) {
        build_output(b, leaves[i]);
    }
    build_end(b);
    build_finish(b);
    char label[80];
    snprintf(label, sizeof label, "chain of %u over %s[%u]%s", length, psy__dtype_name(dtype), count, tight ? ", tight" : "");
    suite_run(s, &(suite_case){.label = label, .b = b, .data = SUITE_DYADIC, .exact = true, .batch_max = 3});
    build_destroy(b);
}

ENGINE_TEST(region, chains)
{
    run_chain(s, PSY_F32, 300, 30, 7, false);
    if (s->cpu) {
        for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
            for (uint32_t count = 255; psy__dtype_computes(dtype) && count <= 513; count += 129) {
                run_chain(s, dtype, count, 40, 1, false);
                run_chain(s, dtype, count, 40, 0, true);
            }
        }
    }
}

/* sum((x - v)^2), the largest, the smallest and a product of one read of x; then a second part that uses all of them. */
static void run_reducing(suite *s, unsigned dtype, uint32_t rank, const psy_dim *dims, bool keep)
{
    build *b = build_create();
    uint64_t row = 1;
    for (unsigned d = 1; d < rank; d++) {
        row *= dims[d];
    }
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, dtype, PSY_FIELD_ARRAY, dims[rank - 1]);
    uint32_t u = build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
    uint32_t tensor = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, rank, dims);
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_view(b, tensor), rv = build_load(b, v), ru = build_load(b, u);
    build_region(b, true, rank, dims);
    uint32_t apart = build_map(b, PSY_OP_SUB, x, rv), square = build_map(b, PSY_OP_MUL, apart, apart);
    uint32_t sum = build_reduce(b, PSY_OP_SUM, square, rank - 1), high = build_reduce(b, PSY_OP_RMAX, apart, rank - 1);
    uint32_t low = build_reduce(b, PSY_OP_RMIN, x, rank - 1), dot = build_reduce2(b, PSY_OP_DOT, x, rv);
    uint32_t moved = build_map(b, PSY_OP_SUB, sum, ru), both = build_map(b, PSY_OP_SUB, moved, high);
    uint32_t all = build_map(b, PSY_OP_ADD, build_map(b, PSY_OP_MAX, both, low), dot);
    build_region_end(b);
    if (keep) { /* what leaves a region has a slot */
        static const unsigned many = 5;
        const uint32_t values[] = {sum, high, low, dot, both};
        for (unsigned i = 0; i < many; i++) {
            uint32_t value = values[i];
            for (uint32_t r = rank - 1; r > 1; r--) {
                value = build_reduce(b, PSY_OP_SUM, value, r - 1);
            }
            build_output(b, value);
        }
    }
    for (uint32_t r = rank - 1; r > 1; r--) {
        all = build_reduce(b, PSY_OP_SUM, all, r - 1);
    }
    build_output(b, all);
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_DYADIC, dtype, dims[0], row);
    char label[80];
    snprintf(label, sizeof label, "reducing %s of rank %u, last %u%s", psy__dtype_name(dtype), rank, dims[rank - 1],
             keep ? ", kept" : "");
    suite_run(s,
              &(suite_case){.label = label, .b = b, .residents = &data, .data = SUITE_DYADIC, .exact = true, .batch_max = 3});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(region, reducing)
{
    run_reducing(s, PSY_F32, 2, (psy_dim[]){130, 70}, true);
    run_reducing(s, PSY_I32, 2, (psy_dim[]){3, 5}, false);
    for (unsigned dtype = 1; s->cpu && dtype < SUITE_DTYPES; dtype++) {
        if (!psy__dtype_computes(dtype)) {
            continue;
        }
        for (unsigned keep = 0; keep < 2; keep++) {
            run_reducing(s, dtype, 1, (psy_dim[]){300}, keep);
            run_reducing(s, dtype, 2, (psy_dim[]){257, 9}, keep);
            run_reducing(s, dtype, 2, (psy_dim[]){3, 600}, keep);
            run_reducing(s, dtype, 3, (psy_dim[]){3, 130, 7}, keep);
            run_reducing(s, dtype, 4, (psy_dim[]){2, 3, 4, 260}, keep);
            run_reducing(s, dtype, 2, (psy_dim[]){2, 3000}, keep); /* through a cascade */
        }
    }
}

/* Softmax and a normalised vector, as psynec fuses them. */
ENGINE_TEST(region, softmax)
{
    enum { N = 300 };
    psy_dim n = N;
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, N);
    float tiny = 1e-12f;
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x);
    uint32_t epsilon = build_const(b, PSY_F32, 0, NULL, &tiny), one = build_size(b, PSY_F32, 1);
    uint32_t top = build_reduce(b, PSY_OP_RMAX, a, 0);
    build_region(b, true, 1, &n);
    uint32_t e = build_map(b, PSY_OP_EXP, build_map(b, PSY_OP_SUB, a, top), PSY_NONE), sum = build_reduce(b, PSY_OP_SUM, e, 0);
    uint32_t inverse = build_map(b, PSY_OP_DIV, one, sum);
    build_region_end(b);
    build_output(b, build_map(b, PSY_OP_MUL, e, inverse));
    build_region(b, true, 1, &n);
    uint32_t dot = build_reduce2(b, PSY_OP_DOT, a, a);
    uint32_t length = build_map(b, PSY_OP_SQRT, build_map(b, PSY_OP_ADD, dot, epsilon), PSY_NONE);
    build_region_end(b);
    build_output(b, build_map(b, PSY_OP_DIV, a, length));
    build_end(b);
    build_finish(b);
    suite_run(s, &(suite_case){.label = "softmax of f32[300]", .b = b, .data = SUITE_PLAIN});
    build_destroy(b);
}

/* Uniform regions between batched ones, and registers that share slots as soon as they may. */
static void run_mixed(suite *s, bool tight)
{
    enum { ROWS = 20, DEPTH = 70 };
    build *b = build_create();
    b->tight = tight;
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, DEPTH);
    uint32_t matrix = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){ROWS, DEPTH});
    build_program(b, in, PSY_NONE, out);
    uint32_t m = build_view(b, matrix), a = build_load(b, v);
    build_region(b, true, 2, (psy_dim[]){ROWS, DEPTH}); /* uniform */
    uint32_t doubled = build_map(b, PSY_OP_ADD, m, m), sums = build_reduce(b, PSY_OP_SUM, doubled, 1);
    uint32_t top = build_reduce(b, PSY_OP_RMAX, m, 1), less = build_map(b, PSY_OP_SUB, sums, top);
    build_region_end(b);
    uint32_t again = build_map(b, PSY_OP_ADD, less, less), scores = build_reduce2(b, PSY_OP_DOT, doubled, a);
    uint32_t value = build_map(b, PSY_OP_ADD, scores, again);
    for (unsigned i = 0; i < 12; i++) { /* each lives for a moment */
        value = build_map(b, i % 2 ? PSY_OP_SUB : PSY_OP_MAX, value, i % 3 ? again : scores);
        again = i % 4 == 3 ? build_map(b, PSY_OP_SUB, again, less) : again;
    }
    build_output(b, value);
    build_output(b, build_map(b, PSY_OP_SUB, a, build_reduce(b, PSY_OP_RMAX, doubled, 0)));
    build_output(b, less);
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_DYADIC, PSY_F32, ROWS, DEPTH);
    suite_run(s,
              &(suite_case){
                  .label = tight ? "mixed, tight" : "mixed", .b = b, .residents = &data, .data = SUITE_DYADIC, .exact = true});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(region, uniform_and_batched)
{
    run_mixed(s, true);
    if (s->cpu) {
        run_mixed(s, false);
    }
}

/* Casts from and to every dtype inside a region: blocks of different widths. */
ENGINE_TEST(region, casts)
{
    enum { N = 300 };
    psy_dim n = N;
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_I32, PSY_FIELD_ARRAY, N);
    build_program(b, in, PSY_NONE, out);
    uint32_t first = build_load(b, x), value = first, leaves[SUITE_DTYPES], count = 0;
    build_region(b, false, 1, &n);
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_bytes(dtype) && (s->cpu || psy__dtype_bytes(dtype) <= 4)) {
            value = build_cast(b, dtype, dtype == PSY_I8 ? first : value);
            if (psy__dtype_bytes(dtype) >= 4) {
                leaves[count++] = value;
            }
        }
    }
    build_region_end(b);
    for (uint32_t i = 0; i < count; i++) {
        build_output(b, leaves[i]);
    }
    build_end(b);
    build_finish(b);
    suite_run(s, &(suite_case){.label = "chain of casts", .b = b, .data = SUITE_PLAIN, .batch_max = 9});
    build_destroy(b);
}
