/* SPDX-License-Identifier: Apache-2.0 */
/* Views of values: of every place where elements lie, of views of views, read by everything that reads. */
#include "tests/engine/suite.h"

enum { COUNT = 60, VIEWS = 24 };

/* ---- what is made of a vector of 60 elements that lie one after the other ---- */

typedef struct views {
    uint32_t at[VIEWS];
    unsigned count;
} views;

static uint32_t put(views *v, uint32_t reg)
{
    cr_assert(v->count < VIEWS);
    return v->at[v->count++] = reg;
}

static views views_of(build *b, uint32_t x)
{
    views v = {.count = 0};
    uint32_t matrix = put(&v, build_reshape(b, x, 2, (psy_dim[]){6, 10}));
    uint32_t cube = put(&v, build_reshape(b, matrix, 4, (psy_dim[]){3, 1, 4, 5})); /* of a view */
    uint32_t turned = put(&v, build_permute(b, matrix, (unsigned[]){1, 0}));
    uint32_t around = put(&v, build_permute(b, cube, (unsigned[]){3, 0, 2, 1}));
    uint32_t rows = put(&v, build_slice(b, matrix, 0, 5, 3, -2)), columns = put(&v, build_slice(b, matrix, 1, 1, 3, 3));
    put(&v, build_slice(b, x, 0, COUNT - 1, COUNT, -1));
    put(&v, build_slice(b, x, 0, 7, 20, 2));
    put(&v, build_slice(b, x, 0, 59, 1, 5)); /* one element: any step goes */
    put(&v, build_slice(b, turned, 1, 1, 5, 1));
    put(&v, build_slice(b, build_slice(b, rows, 1, 9, 5, -2), 0, 2, 2, -1));
    put(&v, build_repeat(b, matrix, 3, (psy_dim[]){4, 6, 10}));
    uint32_t first = build_slice(b, matrix, 0, 2, 1, 1);
    put(&v, build_repeat(b, first, 2, (psy_dim[]){7, 10}));
    uint32_t column = build_slice(b, columns, 1, 2, 1, -1);
    put(&v, build_repeat(b, column, 2, (psy_dim[]){6, 9}));
    put(&v, build_permute(b, build_repeat(b, columns, 3, (psy_dim[]){2, 6, 3}), (unsigned[]){2, 0, 1}));
    put(&v, build_permute(b, build_slice(b, build_permute(b, around, (unsigned[]){1, 2, 3, 0}), 3, 4, 2, -3),
                          (unsigned[]){3, 1, 2, 0}));
    put(&v, build_slice(b, matrix, 1, 10, 0, 1)); /* nothing, from the very end */
    put(&v, build_slice(b, build_slice(b, x, 0, 0, 0, -1), 0, 0, 0, 1));
    uint32_t upright = build_reshape(b, x, 2, (psy_dim[]){COUNT, 1});
    put(&v, build_repeat(b, upright, 3, (psy_dim[]){2, COUNT, 3}));
    return v;
}

static psy_dim count_of(const psy_psm_register *r)
{
    psy_dim n = 1;
    for (unsigned d = 0; d < r->rank; d++) {
        n *= r->dims[d];
    }
    return n;
}

/* A field of nothing is none: what has no elements is only reduced. */
static void show(build *b, uint32_t x)
{
    if (count_of(build_register(b, x)) > 0) {
        build_output_all(b, x);
    }
}

/* Everything that reads a register reads this one; `all`: every axis. */
static void read_view(suite *s, build *b, uint32_t v, bool all)
{
    psy_psm_register r = *build_register(b, v);
    bool some = count_of(&r) > 0, computes = psy__dtype_computes(r.dtype);
    show(b, v);
    if (r.rank == 1 && some) {
        build_output(b, v);
    }
    if (r.dtype == PSY_BOOL) {
        show(b, build_map(b, PSY_OP_NOT, v, PSY_NONE));
        show(b, build_reduce(b, PSY_OP_ANY, v, 0));
        show(b, build_reduce(b, PSY_OP_ALL, v, r.rank - 1u));
    }
    if (!computes) {
        return;
    }
    for (unsigned axis = all ? 0 : r.rank - 1u; axis < r.rank; axis++) {
        show(b, build_reduce(b, PSY_OP_SUM, v, axis));
        if (all) {
            show(b, build_scan(b, PSY_OP_CUMSUM, v, axis));
        }
    }
    build_region(b, true, r.rank, r.dims);
    uint32_t twice = build_map(b, PSY_OP_ADD, v, v), top = build_reduce(b, PSY_OP_RMAX, twice, r.rank - 1u);
    build_region_end(b);
    show(b, twice);
    show(b, top);
    show(b, build_reduce2(b, PSY_OP_DOT, v, v));
    if (suite_has(s, psy__op_info(PSY_OP_TOPK), r.dtype)) {
        build_output_ranked(b, v, 7);
    }
    if (suite_has(s, psy__op_info(PSY_OP_SORT), r.dtype)) {
        uint32_t sorted = build_sort(b, v, r.dims[r.rank - 1], true);
        show(b, sorted);
        show(b, sorted + 1);
    }
}

enum source { FIELD, RESIDENT, CONSTANT, SLOT, UNIFORM_SLOT, SOURCES };

static void run_source(suite *s, unsigned dtype, enum source source, bool tight)
{
    static const char *const names[] = {"a field", "resident data", "a constant", "a slot", "a uniform slot"};
    build *b = build_create();
    b->tight = tight;
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, PSY_U8, PSY_FIELD_SCALAR, 1); /* what follows does not lie at the start */
    uint32_t field = build_field(b, in, dtype, PSY_FIELD_ARRAY, COUNT);
    uint32_t rows = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){6, 10});
    psy__resident_data data = suite_resident(s, SUITE_DYADIC, dtype, 6, 10);
    build_program(b, in, PSY_NONE, out);
    uint32_t loaded = build_load(b, field), there = build_view(b, rows), x = loaded;
    if (source == RESIDENT || source == UNIFORM_SLOT) {
        x = build_reshape(b, there, 1, (psy_dim[]){COUNT});
    } else if (source == CONSTANT) {
        x = build_const(b, dtype, 1, (psy_dim[]){COUNT}, data.data);
    }
    if (source == SLOT || source == UNIFORM_SLOT) {
        x = build_concat(b, 0, 1, &x, PSY_NONE);
    }
    views v = views_of(b, x);
    for (unsigned i = 0; i < v.count; i++) {
        if (s->cpu || i % 3 == (unsigned)source % 3) {
            read_view(s, b, v.at[i], s->cpu);
        }
    }
    build_output(b, loaded);
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "views of %s, %s%s", names[source], psy__dtype_name(dtype), tight ? ", tight" : "");
    suite_run(s,
              &(suite_case){.label = label, .b = b, .residents = &data, .data = SUITE_DYADIC, .exact = true, .batch_max = 3});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(shape, every_dtype)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_bytes(dtype) && suite_has(s, psy__op_info(PSY_OP_CONCAT), dtype) && (s->cpu || dtype != PSY_U32)) {
            run_source(s, dtype, dtype % SOURCES, dtype % 2);
        }
    }
}

ENGINE_TEST(shape, every_source)
{
    for (unsigned source = 0; source < SOURCES; source++) {
        run_source(s, source % 2 ? PSY_I32 : PSY_F32, source, source % 2 == 0);
        if (s->cpu) {
            run_source(s, PSY_F64, source, source % 2);
        }
    }
}

/* Rows that are looked up, another for each message, and zeros where there is none. */
static void fill_key(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)partials;
    uint64_t r = suite_random(&s->random), key = message % 4 == 3 ? r : c->residents[0].keys[r % c->residents[0].rows];
    memcpy(suite_field(c->b, 0, 0, input), &key, sizeof key);
}

ENGINE_TEST(shape, rows_that_are_looked_up)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), key = build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    uint32_t table = build_resident(b, PSY_F32, PSY_PLACE_BY_KEY, local, 2, (psy_dim[]){n, COUNT});
    build_program(b, in, PSY_NONE, out);
    views v = views_of(b, build_lookup(b, table, build_load(b, key)));
    for (unsigned i = 0; i < v.count; i++) {
        read_view(s, b, v.at[i], i % 2);
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_keyed(s, SUITE_DYADIC, PSY_F32, 9, COUNT, 16);
    suite_run(s, &(suite_case){.label = "views of rows that are looked up",
                               .b = b,
                               .symbols = (uint64_t[]){20, 9},
                               .residents = &data,
                               .data = SUITE_DYADIC,
                               .exact = true,
                               .fill = fill_key,
                               .batch_max = 9});
    build_destroy(b);
    suite_resident_free(&data);
}

/* Partial records: the first stride is the records'. What has gaps is no reshape's, but every other view's. */
static void run_partials(suite *s, unsigned dtype, uint32_t shards, uint64_t gap)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), partial = build_type(b);
    build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    build_field(b, partial, dtype, PSY_FIELD_ARRAY, 5);
    build_field(b, partial, dtype, PSY_FIELD_SCALAR, 1);
    psy_dim count = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
    build_program(b, in, partial, out);
    uint32_t many = build_partial(b, 0, count), one = build_partial(b, 1, count);
    uint32_t turned = build_permute(b, many, (unsigned[]){1, 0});
    uint32_t last = build_slice(b, many, 0, shards - 1, shards, -1), wide = build_repeat(b, one, 2, (psy_dim[]){3, count});
    const uint32_t all[] = {build_slice(b, turned, 1, 0, shards, 1), last, build_slice(b, many, 1, 4, 3, -2),
                            build_slice(b, wide, 1, shards - 1, 1, 1), build_slice(b, one, 0, shards - 1, shards, -1)};
    for (unsigned i = 0; i < 5; i++) {
        psy_psm_register r = *build_register(b, all[i]);
        if (r.dims[0] == count) {
            build_output_ranked(b, all[i], 9);
            build_output(b, build_reduce(b, PSY_OP_SUM, all[i], 0));
        } else {
            read_view(s, b, all[i], true);
        }
    }
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "views of the records of %u shards", shards);
    suite_run(s, &(suite_case){.label = label,
                               .b = b,
                               .symbols = (uint64_t[]){shards},
                               .partial_stride = b->module.types[partial].bytes + gap,
                               .shards = shards,
                               .data = SUITE_DYADIC,
                               .exact = true,
                               .batch_max = 5});
    build_destroy(b);
}

ENGINE_TEST(shape, partial_records)
{
    for (uint32_t shards = 1; shards <= 4; shards++) {
        run_partials(s, PSY_F32, shards, shards % 2 * 64);
        run_partials(s, PSY_I64, shards, 128);
    }
}

/* Sizes that are known at load: a window of a table, in the middle and at its end; half of it, twice; nothing. */
ENGINE_TEST(shape, sizes_of_data)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 4);
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), from = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
    psy_dim left = build_computed(b, PSY_SYMBOL_SUBTRACT, n, from), half = build_computed(b, PSY_SYMBOL_DIVIDE, n, 2);
    psy_dim again = build_computed(b, PSY_SYMBOL_MULTIPLY, half, 2), more = build_computed(b, PSY_SYMBOL_ADD, n, left);
    psy_dim last = build_computed(b, PSY_SYMBOL_SUBTRACT, build_computed(b, PSY_SYMBOL_ADD, n, 7), 8);
    uint32_t table = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){n, 4});
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_view(b, table), q = build_load(b, 0);
    uint32_t tail = build_slice(b, x, 0, from, left, 1), pairs = build_reshape(b, x, 2, (psy_dim[]){half, 8});
    uint32_t turned = build_permute(b, pairs, (unsigned[]){1, 0}), backwards = build_slice(b, x, 0, last, half, -2);
    uint32_t same = build_reshape(b, build_reshape(b, pairs, 3, (psy_dim[]){again, 2, 2}), 2, (psy_dim[]){again, 4});
    uint32_t joined = build_concat(b, 0, 2, (uint32_t[]){build_slice(b, x, 0, from, left, 1), x}, more);
    uint32_t across = build_permute(b, x, (unsigned[]){1, 0}), picked = across; /* not every engine sorts */
    if (suite_has(s, psy__op_info(PSY_OP_SORT), PSY_F32)) {
        picked = build_sort(b, across, half, false);
    }
    const uint32_t shown[] = {build_reduce2(b, PSY_OP_DOT, tail, q),  build_reduce2(b, PSY_OP_DOT, backwards, q),
                              build_reduce2(b, PSY_OP_DOT, same, q),  build_reduce2(b, PSY_OP_DOT, joined, q),
                              build_reduce(b, PSY_OP_SUM, turned, 0), build_reduce(b, PSY_OP_SUM, picked, 0)};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        build_output_ranked(b, shown[i], 12);
    }
    build_output(b, build_reduce(b, PSY_OP_SUM, tail, 0));
    build_output(b, build_reduce(b, PSY_OP_SUM, turned, 1));
    build_end(b);
    build_finish(b);
    static const uint64_t sizes[][8] = {{2, 0}, {40, 13}, {40, 40}, {600, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        psy__resident_data data = suite_resident(s, SUITE_DYADIC, PSY_F32, sizes[i][0], 4);
        char label[48];
        snprintf(label, sizeof label, "%u rows from %u", (unsigned)sizes[i][0], (unsigned)sizes[i][1]);
        suite_run(s, &(suite_case){.label = label,
                                   .b = b,
                                   .symbols = sizes[i],
                                   .residents = &data,
                                   .data = SUITE_DYADIC,
                                   .exact = true,
                                   .batch_max = 3});
        suite_resident_free(&data);
    }
    build_destroy(b);
}

/* A resident matrix that is a view does not lie as the product of all messages with it wants. */
ENGINE_TEST(shape, products_of_views)
{
    enum { ROWS = 40, DEPTH = 70 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, DEPTH);
    build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, ROWS);
    build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 3 * DEPTH);
    uint32_t table = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){ROWS, DEPTH});
    build_program(b, in, PSY_NONE, out);
    uint32_t m = build_view(b, table), deep = build_load(b, 0), high = build_load(b, 1), longer = build_load(b, 2);
    build_output(b, build_reduce2(b, PSY_OP_DOT, m, deep));
    build_output(b, build_reduce2(b, PSY_OP_DOT, build_permute(b, m, (unsigned[]){1, 0}), high));
    build_output(b, build_reduce2(b, PSY_OP_DOT, build_slice(b, m, 0, 3, 30, 1), deep)); /* still without gaps */
    build_output(b, build_reduce2(b, PSY_OP_DOT, build_slice(b, m, 0, 38, 19, -2), deep));
    build_output(b, build_reduce2(b, PSY_OP_DOT, m, build_slice(b, longer, 0, 5, DEPTH, 1)));
    build_output(b, build_reduce2(b, PSY_OP_DOT, m, build_slice(b, longer, 0, 3 * DEPTH - 1, DEPTH, -3)));
    build_output(b, build_reduce2(b, PSY_OP_DOT, build_slice(b, m, 1, 1, 20, 3), build_slice(b, deep, 0, 0, 20, 1)));
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_DYADIC, PSY_F32, ROWS, DEPTH);
    suite_run(s, &(suite_case){.label = "products of views", .b = b, .residents = &data, .data = SUITE_DYADIC, .exact = true});
    build_destroy(b);
    suite_resident_free(&data);
}
