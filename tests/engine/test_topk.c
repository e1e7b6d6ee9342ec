/* SPDX-License-Identifier: Apache-2.0 */
/* Top-k: every dtype, k on both sides of the number of elements, ties, NaN, labels and row bases. */
#include "tests/engine/suite.h"

typedef struct selection {
    unsigned dtype;
    uint32_t n, k;
    suite_data data;
    bool labels; /* from a field, else positions */
    uint64_t base;
    uint32_t messages;
} selection;

/* Labels in no order, with some twice. */
static void fill_labels(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)message;
    (void)partials;
    uint64_t *labels = suite_field(c->b, 0, 1, input);
    for (uint32_t i = 0; i < c->b->fields[0][1].count; i++) {
        labels[i] = (suite_random(&s->random) % 40) << (suite_random(&s->random) % 60);
    }
}

static void output_best(build *b, uint32_t x, uint32_t labels, uint32_t k, psy_dim base)
{
    uint32_t best = build_topk(b, x, labels, k, base);
    build_output(b, best);
    build_output(b, best + 1);
}

/* Of the messages' own elements, and of resident rows under a row base. */
static void run_selection(suite *s, selection x)
{
    if (!suite_has(s, psy__op_info(PSY_OP_TOPK), x.dtype)) {
        return;
    }
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), v = build_field(b, in, x.dtype, PSY_FIELD_ARRAY, x.n);
    uint32_t l = x.labels ? build_field(b, in, PSY_U64, PSY_FIELD_ARRAY, x.n) : 0;
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    uint32_t rows = build_resident(b, x.dtype, PSY_PLACE_SPLIT, local, 1, (psy_dim[]){n});
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, v);
    uint32_t labels = x.labels ? build_load(b, l) : PSY_NONE;
    output_best(b, a, labels, x.k, PSY_NONE);
    if (x.labels) {
        output_best(b, a, labels, x.k, 0); /* positions, and labels for ties only */
    } else {
        output_best(b, build_view(b, rows), PSY_NONE, x.k, local);
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, x.data, x.dtype, x.n, 1);
    char label[96];
    snprintf(label, sizeof label, "%u best of %s[%u]%s%s", x.k, psy__dtype_name(x.dtype), x.n, x.labels ? " with labels" : "",
             x.data == SUITE_SPECIAL  ? ", special"
             : x.data == SUITE_DYADIC ? ", with ties"
                                      : "");
    suite_run(s, &(suite_case){.label = label,
                               .b = b,
                               .symbols = (uint64_t[]){x.n, x.n},
                               .bases = (uint64_t[]){0, x.base},
                               .residents = &data,
                               .data = x.data,
                               .fill = x.labels ? fill_labels : NULL,
                               .batch_max = x.messages});
    build_destroy(b);
    suite_resident_free(&data);
}

ENGINE_TEST(topk, sizes)
{
    static const uint32_t counts[] = {1, 2, 3, 63, 64, 65, 300, 1025}, best[] = {1, 2, 5, 64, 255, 256, 300};
    if (!s->cpu) {
        run_selection(s, (selection){PSY_F32, 1025, 256, SUITE_DYADIC, false, (UINT64_C(1) << 32) - 500, 5});
        run_selection(s, (selection){PSY_F32, 65, 3, SUITE_SPECIAL, false, 0, 0});
        run_selection(s, (selection){PSY_I32, 300, 64, SUITE_DYADIC, false, UINT64_C(1) << 40, 5});
        run_selection(s, (selection){PSY_U32, 63, 64, SUITE_SPECIAL, false, 3, 5});
        return;
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (size_t k = 0; k < sizeof best / sizeof best[0]; k++) {
            for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
                static const suite_data kinds[] = {SUITE_PLAIN, SUITE_SPECIAL, SUITE_DYADIC};
                unsigned number = (unsigned)(i * 7 + k * 3 + dtype);
                run_selection(s, (selection){dtype, counts[i], best[k], kinds[number % 3], number % 2, number % 5 << 31, 4});
            }
        }
    }
}

ENGINE_TEST(topk, every_k)
{
    for (uint32_t k = 1; k <= 256; k += s->cpu ? 1 : 85) {
        run_selection(s, (selection){PSY_F32, 280, k, SUITE_DYADIC, s->cpu && k % 2, UINT64_C(7) << 35, 2});
    }
}

ENGINE_TEST(topk, kinds_of_data)
{
    for (unsigned dtype = 1; s->cpu && dtype < SUITE_DTYPES; dtype++) {
        for (unsigned labels = 0; labels < 2; labels++) {
            run_selection(s, (selection){dtype, 200, 50, SUITE_SPECIAL, labels, UINT64_MAX - 1000, 17});
            run_selection(s, (selection){dtype, 200, 50, SUITE_DYADIC, labels, 0, 5});
            run_selection(s, (selection){dtype, 200, 200, SUITE_PLAIN, labels, 0, 5});
        }
    }
    if (!s->cpu) {
        run_selection(s, (selection){PSY_I32, 200, 50, SUITE_SPECIAL, false, UINT64_MAX - 1000, 0});
    }
}

/* More elements than some devices' loops have iterations, and more than one chunk of chunks. */
ENGINE_TEST(topk, many_elements)
{
    run_selection(s, (selection){PSY_F32, 70000, 10, SUITE_PLAIN, false, UINT64_C(1) << 33, 2});
    run_selection(s, (selection){PSY_F32, 70000, 64, SUITE_DYADIC, false, 0, 2});
    if (s->cpu) {
        run_selection(s, (selection){PSY_F32, 70000, 5000, SUITE_DYADIC, false, 0, 2});
        run_selection(s, (selection){PSY_F64, 70000, 65536, SUITE_PLAIN, false, 0, 1});
        run_selection(s, (selection){PSY_I64, 70000, 300, SUITE_DYADIC, true, 0, 1});
        run_selection(s, (selection){PSY_U32, 300, 65536, SUITE_DYADIC, true, 0, 1});
    }
}

/* Best first, worst first, all the same, all NaN: what a heap and a scan that skips could get wrong. */
static void fill_orders(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)s;
    (void)partials;
    float *x = suite_field(c->b, 0, 0, input);
    uint32_t n = c->b->fields[0][0].count;
    for (uint32_t i = 0; i < n; i++) {
        switch (message % 6) {
        case 0: x[i] = (float)i; break;
        case 1: x[i] = -(float)i; break;
        case 2: x[i] = 3; break;
        case 3: x[i] = (float)(0 * (double)i) / 0.0f; break;
        case 4: x[i] = i + 3 < n ? (float)0 / 0.0f : (float)i; break;
        default: x[i] = i % 2 ? 0.0f : -0.0f; break;
        }
    }
}

ENGINE_TEST(topk, orders)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 200);
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x);
    output_best(b, a, PSY_NONE, 7, PSY_NONE);
    output_best(b, a, PSY_NONE, 201, PSY_NONE);
    build_end(b);
    build_finish(b);
    suite_run(s, &(suite_case){.label = "orders of f32[200]", .b = b, .fill = fill_orders, .batch_max = 6});
    build_destroy(b);
}

/* Higher ranks are taken as they lie; what is computed, uniform or not; the shards' records, which are apart. */
static void run_operands(suite *s, unsigned dtype)
{
    enum { A = 3, B = 5, C = 70 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), partial = build_type(b);
    uint32_t v = build_field(b, in, dtype, PSY_FIELD_ARRAY, C), w = build_field(b, in, dtype, PSY_FIELD_ARRAY, B);
    uint32_t value = build_field(b, partial, dtype, PSY_FIELD_ARRAY, B),
             name = build_field(b, partial, PSY_U64, PSY_FIELD_ARRAY, B);
    uint32_t one = build_field(b, partial, dtype, PSY_FIELD_SCALAR, 1),
             one_name = build_field(b, partial, PSY_U64, PSY_FIELD_SCALAR, 1);
    psy_dim shards = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
    uint32_t cube = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 3, (psy_dim[]){A, B, C});
    uint32_t column = build_resident(b, dtype, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){B, 1});
    build_program(b, in, s->cpu ? partial : PSY_NONE, out);
    uint32_t rc = build_view(b, cube), rv = build_load(b, v), rw = build_load(b, w);
    output_best(b, build_map(b, PSY_OP_SUB, rc, rv), PSY_NONE, 20, PSY_NONE);
    output_best(b, build_map(b, PSY_OP_ADD, build_view(b, column), rw), PSY_NONE, 30, PSY_NONE);
    output_best(b, build_map(b, PSY_OP_ADD, rc, rc), PSY_NONE, 9, PSY_NONE);
    if (s->cpu) {
        output_best(b, build_view(b, column), PSY_NONE, 5, PSY_NONE);
        output_best(b, build_partial(b, value, shards), build_partial(b, name, shards), 7, PSY_NONE);
        output_best(b, build_partial(b, one, shards), build_partial(b, one_name, shards), 4, PSY_NONE);
        output_best(b, build_partial(b, value, shards), build_partial(b, name, shards), 7, 0);
        output_best(b, build_partial(b, one, shards), PSY_NONE, 2, PSY_NONE);
    }
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, SUITE_DYADIC, dtype, A, B * C),
                                 suite_resident(s, SUITE_DYADIC, dtype, B, 1)};
    for (uint32_t count = 1; count <= (s->cpu ? 5 : 1); count++) {
        char label[64];
        snprintf(label, sizeof label, "best of computed %s, %u shards", psy__dtype_name(dtype), count);
        suite_run(s, &(suite_case){.label = label,
                                   .b = b,
                                   .symbols = (uint64_t[]){count},
                                   .residents = data,
                                   .shards = count,
                                   .partial_stride = b->module.types[partial].bytes + 64 * (count % 3),
                                   .data = SUITE_DYADIC,
                                   .exact = true,
                                   .batch_max = 9});
    }
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}

ENGINE_TEST(topk, operands)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__op_takes(psy__op_info(PSY_OP_TOPK), dtype) && (s->cpu || dtype == PSY_F32)) {
            run_operands(s, dtype);
        }
    }
}
