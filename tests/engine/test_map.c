/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operations: every row of ops.def, every dtype it takes, every shape. */
#include "tests/engine/suite.h"

/* CHOOSE and CAST, whose operands have other dtypes, have tests of their own. */
static bool is_map(const psy_op_info *info)
{
    return psy__class_is_map(info->class_) && info->class_ != PSY_CLASS_CHOOSE && info->class_ != PSY_CLASS_CAST;
}

/* Whether the engines compute with the dtype at all: what has a sum has the rest, and bools have logic. */
static bool has_maps(suite *s, unsigned dtype)
{
    return suite_has(s, psy__op_info(dtype == PSY_BOOL ? PSY_OP_AND : PSY_OP_ADD), dtype);
}

typedef uint32_t made[SUITE_OPS];

/* All operations of the dtype on x, y and z, in one region over `dims` or one by one. */
static unsigned map_all(suite *s, build *b, unsigned dtype, uint32_t x, uint32_t y, uint32_t z, bool region, unsigned rank,
                        const psy_dim *dims, made out)
{
    unsigned n = 0;
    if (region) {
        build_region(b, false, rank, dims);
    }
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *info = psy__op_row(row);
        if (is_map(info) && suite_has(s, info, dtype)) {
            out[n++] = info->class_ == PSY_CLASS_MAP3
                           ? build_map3(b, info->op, x, y, z)
                           : build_map(b, info->op, x, info->class_ == PSY_CLASS_MAP1 ? PSY_NONE : y);
        }
    }
    if (region) {
        build_region_end(b);
    }
    return n;
}

/* count 0: scalars. */
static void run_vectors(suite *s, unsigned dtype, uint32_t count, bool region, suite_data data)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    unsigned kind = count ? PSY_FIELD_ARRAY : PSY_FIELD_SCALAR;
    for (unsigned i = 0; i < 3; i++) {
        build_field(b, in, dtype, kind, count ? count : 1);
    }
    build_program(b, in, PSY_NONE, out);
    uint32_t x = build_load(b, 0), y = build_load(b, 1), z = build_load(b, 2);
    made all;
    unsigned n = map_all(s, b, dtype, x, y, z, region, count ? 1 : 0, &count, all);
    for (unsigned i = 0; i < n; i++) {
        build_output(b, all[i]);
    }
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "%s[%u]%s", psy__dtype_name(dtype), count, region ? " in a region" : "");
    suite_run(s, &(suite_case){.label = label, .b = b, .data = data, .batch_max = count >= 1000 ? 17 : 0});
    build_destroy(b);
}

ENGINE_TEST(map, vectors)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        static const uint32_t counts[] = {0, 1000, 1, 7, 64};
        for (size_t i = 0; has_maps(s, dtype) && i < (s->cpu ? sizeof counts / sizeof counts[0] : 2); i++) {
            run_vectors(s, dtype, counts[i], true, SUITE_PLAIN);
        }
    }
}

ENGINE_TEST(map, one_by_one)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!has_maps(s, dtype)) {
            continue;
        }
        run_vectors(s, dtype, 7, false, SUITE_PLAIN);
        if (s->cpu) {
            run_vectors(s, dtype, 0, false, SUITE_PLAIN);
            run_vectors(s, dtype, 300, false, SUITE_PLAIN);
        }
    }
}

ENGINE_TEST(map, random_specials)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (has_maps(s, dtype)) {
            run_vectors(s, dtype, 64, true, SUITE_SPECIAL);
        }
    }
}

/* Every special value with every other. */
static void fill_pairs(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)message;
    (void)partials;
    unsigned dtype = c->b->fields[0][0].dtype, bytes = psy__dtype_bytes(dtype);
    uint8_t specials[SUITE_SPECIALS * 8], *x = suite_field(c->b, 0, 0, input), *y = suite_field(c->b, 0, 1, input);
    unsigned n = suite_specials(s, dtype, specials);
    for (unsigned i = 0; i < n * n; i++) {
        memcpy(x + i * bytes, specials + i / n * bytes, bytes);
        memcpy(y + i * bytes, specials + i % n * bytes, bytes);
    }
}

ENGINE_TEST(map, special_pairs)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (!has_maps(s, dtype)) {
            continue;
        }
        uint8_t specials[SUITE_SPECIALS * 8];
        uint32_t n = suite_specials(s, dtype, specials), count = n * n;
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b);
        uint32_t x = build_field(b, in, dtype, PSY_FIELD_ARRAY, count), y = build_field(b, in, dtype, PSY_FIELD_ARRAY, count);
        build_program(b, in, PSY_NONE, out);
        uint32_t a = build_load(b, x), c = build_load(b, y);
        made all;
        unsigned made_count = map_all(s, b, dtype, a, c, a, true, 1, &count, all);
        for (unsigned i = 0; i < made_count; i++) {
            build_output(b, all[i]);
        }
        build_end(b);
        build_finish(b);
        char label[64];
        snprintf(label, sizeof label, "pairs of special %s", psy__dtype_name(dtype));
        suite_run(s, &(suite_case){.label = label, .b = b, .fill = fill_pairs, .batch_max = 2});
        build_destroy(b);
    }
}

/* Sums over the last axis, and where it is cheap over the first, show every element of what no field could hold. */
static void run_broadcast(suite *s, unsigned dtype)
{
    enum { ROWS = 6, COLUMNS = 10 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    uint32_t v = build_field(b, in, dtype, PSY_FIELD_ARRAY, COLUMNS), w = build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
    uint32_t matrix = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){ROWS, COLUMNS});
    uint32_t column = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){ROWS, 1});
    build_program(b, in, PSY_NONE, out);
    uint32_t rv = build_load(b, v), rw = build_load(b, w), rm = build_view(b, matrix), rc = build_view(b, column);
    const uint32_t pairs[][2] = {{rm, rv}, {rv, rm}, {rc, rv}, {rv, rc}, {rm, rw}, {rw, rm}, {rm, rc}, {rm, rm}};
    unsigned pair_count = s->cpu ? sizeof pairs / sizeof pairs[0] : 2; /* a kernel of all of them takes long to make */
    made whole, sums;
    unsigned n = 0;
    build_region(b, true, 2, (psy_dim[]){ROWS, COLUMNS});
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *info = psy__op_row(row);
        for (unsigned i = 0; info->class_ == PSY_CLASS_MAP2 && i < pair_count && suite_has(s, info, dtype); i++) {
            whole[n++] = build_map(b, info->op, pairs[i][0], pairs[i][1]);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        sums[i] = build_reduce(b, PSY_OP_SUM, whole[i], 1);
    }
    build_region_end(b);
    for (unsigned i = 0; i < n; i++) {
        build_output(b, sums[i]);
        if (s->cpu) {
            build_output(b, build_reduce(b, PSY_OP_SUM, whole[i], 0));
        }
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, SUITE_PLAIN, dtype, ROWS, COLUMNS),
                                 suite_resident(s, SUITE_PLAIN, dtype, ROWS, 1)};
    char label[64];
    snprintf(label, sizeof label, "broadcast %s[6, 10] with [10], [6, 1] and []", psy__dtype_name(dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .residents = data});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

ENGINE_TEST(map, broadcast)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (has_maps(s, dtype) && dtype != PSY_BOOL && (s->cpu || dtype != PSY_U32)) {
            run_broadcast(s, dtype);
        }
    }
}

/* Three axes, each operand broadcast along others, one operation at a time. */
ENGINE_TEST(map, broadcast_of_three_axes)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    uint32_t v = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 5);
    uint32_t t = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){2, 3, 1});
    uint32_t u = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){2, 1, 5});
    build_program(b, in, PSY_NONE, out);
    uint32_t rt = build_view(b, t), ru = build_view(b, u), rv = build_load(b, v);
    uint32_t x = build_map(b, PSY_OP_MUL, rt, ru); /* the same for all messages */
    uint32_t y = build_map(b, PSY_OP_ADD, x, rv);
    uint32_t z = build_map(b, PSY_OP_SUB, build_map(b, PSY_OP_MUL, rv, rt), x);
    build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce(b, PSY_OP_SUM, y, 0), 0));
    build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce(b, PSY_OP_SUM, y, 2), 0));
    build_output(b, build_reduce(b, PSY_OP_SUM, build_reduce(b, PSY_OP_SUM, z, 1), 1));
    build_output(b, build_reduce(b, PSY_OP_RMAX, build_reduce(b, PSY_OP_RMAX, z, 0), 1));
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, SUITE_PLAIN, PSY_F32, 2, 3), suite_resident(s, SUITE_PLAIN, PSY_F32, 2, 5)};
    suite_run(s, &(suite_case){.label = "f32[2, 3, 1] with [2, 1, 5] and [5]", .b = b, .residents = data});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

/* ---- casts ---- */

static void run_casts(suite *s, unsigned from, bool region, suite_data data)
{
    unsigned to[SUITE_DTYPES], n = 0;
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_bytes(dtype) && suite_casts(s, from, dtype)) {
            to[n++] = dtype;
        }
    }
    if (n == 0) {
        return;
    }
    uint32_t count = data == SUITE_SPECIAL ? 70 : 301, made_to[SUITE_DTYPES];
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, from, PSY_FIELD_ARRAY, count);
    uint32_t w = build_field(b, in, from, PSY_FIELD_SCALAR, 1);
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), scalar = build_load(b, w);
    if (region) {
        build_region(b, false, 1, &count);
    }
    for (unsigned i = 0; i < n; i++) {
        made_to[i] = build_cast(b, to[i], a);
    }
    if (region) {
        build_region_end(b);
    }
    for (unsigned i = 0; i < n; i++) {
        build_output(b, made_to[i]);
        if (!region || to[i] == from) {
            build_output(b, build_cast(b, to[i], scalar));
        }
    }
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "casts from %s%s%s", psy__dtype_name(from), region ? " in a region" : "",
             data == SUITE_SPECIAL ? ", special" : "");
    suite_run(s, &(suite_case){.label = label, .b = b, .data = data});
    build_destroy(b);
}

static void run_all_casts(suite *s, bool region, suite_data data)
{
    for (unsigned from = 1; from < SUITE_DTYPES; from++) {
        if (psy__dtype_bytes(from)) {
            run_casts(s, from, region, data);
        }
    }
}

ENGINE_TEST(cast, plain) { run_all_casts(s, true, SUITE_PLAIN); }
ENGINE_TEST(cast, special) { run_all_casts(s, true, SUITE_SPECIAL); }
ENGINE_TEST(cast, one_by_one)
{
    run_casts(s, PSY_F32, false, SUITE_PLAIN);
    if (s->cpu) {
        run_all_casts(s, false, SUITE_SPECIAL);
    }
}
