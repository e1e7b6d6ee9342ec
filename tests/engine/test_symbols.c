/* SPDX-License-Identifier: Apache-2.0 */
/* One module at many sizes: what is only known when data is loaded. */
#include "tests/engine/suite.h"

enum { DEPTH = 20, BEST = 7 };

/* A shard's part of a search, with a size of each kind. */
static build *search(void)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, DEPTH);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    psy_dim shards = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE), wide = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    uint32_t rows = build_resident(b, PSY_F32, PSY_PLACE_SPLIT, local, 2, (psy_dim[]){n, DEPTH});
    uint32_t table = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){wide, DEPTH});
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_view(b, rows), t = build_view(b, table), q = build_load(b, v);
    build_region(b, true, 2, (psy_dim[]){local, DEPTH});
    uint32_t apart = build_map(b, PSY_OP_SUB, x, q), square = build_map(b, PSY_OP_MUL, apart, apart);
    uint32_t far = build_reduce(b, PSY_OP_SUM, square, 1), score = build_map(b, PSY_OP_NEG, far, PSY_NONE);
    build_region_end(b);
    uint32_t best = build_topk(b, score, PSY_NONE, BEST, local), dots = build_reduce2(b, PSY_OP_DOT, x, q);
    build_output(b, best);
    build_output(b, best + 1);
    build_output(b, build_reduce(b, PSY_OP_SUM, dots, 0));
    build_output(b, build_reduce(b, PSY_OP_RMAX, dots, 0));
    build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce2(b, PSY_OP_DOT, t, q), 0));
    build_output(b, build_reduce(b, PSY_OP_RMIN, build_map(b, PSY_OP_ADD, t, q), 0));
    build_output(b, build_reduce(b, PSY_OP_SUM, x, 0));
    build_output(b, build_size(b, PSY_I32, local));
    build_output(b, build_size(b, PSY_F32, n));
    build_output(b, build_base(b, PSY_F32, local));
    build_output(b, build_base(b, PSY_U64, local));
    build_output(b, build_size(b, PSY_U32, shards));
    build_check(b, n, PSY_CHECK_GE, local, "there are fewer rows than rows");
    build_end(b);
    build_finish(b);
    return b;
}

ENGINE_TEST(symbols, one_module)
{
    static const uint64_t many[] = {0, 1, 2, 3, 6, 7, 8, 127, 128, 129, 255, 256, 257, 1000}, few[] = {0, 7, 300};
    build *b = search();
    for (size_t i = 0; i < (s->cpu ? sizeof many / sizeof many[0] : sizeof few / sizeof few[0]); i++) {
        uint64_t local = s->cpu ? many[i] : few[i], wide = i % 3 ? (local * 7 + 1) % 131 : local % 2;
        psy__resident_data data[] = {suite_resident(s, SUITE_DYADIC, PSY_F32, local, DEPTH),
                                     suite_resident(s, SUITE_DYADIC, PSY_F32, wide, DEPTH)};
        char label[64];
        snprintf(label, sizeof label, "%u rows here, %u in the table", (unsigned)local, (unsigned)wide);
        suite_run(s, &(suite_case){.label = label,
                                   .b = b,
                                   .symbols = (uint64_t[]){local + 1000, local, 2, wide},
                                   .bases = (uint64_t[]){0, (UINT64_C(1) << 32) - 5, 0, 0},
                                   .residents = data,
                                   .data = SUITE_DYADIC,
                                   .exact = true,
                                   .batch_max = 9});
        suite_resident_free(&data[0]);
        suite_resident_free(&data[1]);
    }
    build_destroy(b);
}

/* Dims of two sizes, and of one size twice. */
ENGINE_TEST(symbols, square)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), m = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    uint32_t square = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){n, n});
    uint32_t oblong = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){m, n});
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_view(b, square), y = build_view(b, oblong), w = build_load(b, v);
    uint32_t rows = build_reduce(b, PSY_OP_SUM, x, 1), columns = build_reduce(b, PSY_OP_SUM, x, 0);
    uint32_t both = build_map(b, PSY_OP_SUB, rows, columns), product = build_reduce2(b, PSY_OP_DOT, y, both);
    build_output(b, build_reduce2(b, PSY_OP_DOT, both, rows));
    build_output(b, build_reduce(b, PSY_OP_RMAX, build_map(b, PSY_OP_SUB, product, w), 0));
    build_output(b, build_reduce(b, PSY_OP_RMAX, build_reduce(b, PSY_OP_SUM, build_map(b, PSY_OP_ADD, y, w), 0), 0));
    build_output_ranked(b, build_map(b, PSY_OP_ADD, x, w), 9);
    build_end(b);
    build_finish(b);
    static const uint64_t sizes[][2] = {{1, 1}, {3, 1}, {1, 4}, {0, 3}, {5, 0}, {30, 9}};
    for (size_t i = s->cpu ? 0 : 3; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t n_is = sizes[i][0], m_is = sizes[i][1];
        psy__resident_data data[] = {suite_resident(s, SUITE_DYADIC, PSY_F32, n_is, n_is),
                                     suite_resident(s, SUITE_DYADIC, PSY_F32, m_is, n_is)};
        char label[48];
        snprintf(label, sizeof label, "[%u, %u]", (unsigned)m_is, (unsigned)n_is);
        suite_run(s, &(suite_case){.label = label,
                                   .b = b,
                                   .symbols = sizes[i],
                                   .residents = data,
                                   .data = SUITE_DYADIC,
                                   .exact = true,
                                   .batch_max = 5});
        suite_resident_free(&data[0]);
        suite_resident_free(&data[1]);
    }
    build_destroy(b);
}
