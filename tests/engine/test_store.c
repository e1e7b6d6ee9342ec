/* SPDX-License-Identifier: Apache-2.0 */
/* Results: every dtype and kind of field, lengths that are only known at run time. That nothing else is written is checked by
 * the suite for every program. */
#include "tests/engine/suite.h"

/* Fields of the message as they are, in fields of every kind, among others that shift their places. */
static void run_views(suite *s, unsigned dtype)
{
    enum { N = 37 };
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    uint32_t pad = build_field(b, in, PSY_U8, PSY_FIELD_SCALAR, 1), one = build_field(b, in, dtype, PSY_FIELD_SCALAR, 1);
    uint32_t many = build_field(b, in, dtype, PSY_FIELD_ARRAY, N), few = build_field(b, in, dtype, PSY_FIELD_ARRAY, 1);
    build_program(b, in, PSY_NONE, out);
    uint32_t rp = build_load(b, pad), r1 = build_load(b, one), rn = build_load(b, many), rf = build_load(b, few);
    bool arrays = s->cpu || psy__dtype_bytes(dtype) >= 4;
    build_output(b, rp);
    build_output(b, r1);
    if (arrays) {
        build_output(b, rf);
        build_store(b, rn, build_field(b, out, dtype, PSY_FIELD_BOUNDED, N), PSY_NONE);
        build_store(b, rn, build_field(b, out, dtype, PSY_FIELD_BOUNDED, N + 9), PSY_NONE);
        build_output(b, build_load(b, pad));
        build_output(b, rn);
        build_store(b, rf, build_field(b, out, dtype, PSY_FIELD_BOUNDED, 3), PSY_NONE);
        build_output(b, rn);
    }
    build_output(b, build_load(b, one));
    build_end(b);
    build_finish(b);
    char label[48];
    snprintf(label, sizeof label, "views of %s", psy__dtype_name(dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .data = SUITE_SPECIAL, .batch_max = 17});
    build_destroy(b);
}

ENGINE_TEST(store, views)
{
    for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
        if (psy__dtype_bytes(dtype) &&
            (s->cpu || dtype == PSY_F32 || dtype == PSY_I64 || dtype == PSY_U8 || dtype == PSY_I16)) {
            run_views(s, dtype);
        }
    }
}

/* What lies in parts is read and written where it lies; engines write the headers that parts begin with. */
ENGINE_TEST(store, parts)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    build_part(b, in);
    uint32_t one = build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    build_part(b, in);
    uint32_t many = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 20);
    build_part_end(b, in);
    uint32_t more = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 20);
    build_part_end(b, in);
    build_program(b, in, PSY_NONE, out);
    uint32_t r = build_load(b, one), x = build_load(b, many), sum = build_map(b, PSY_OP_ADD, x, build_load(b, more));
    build_part(b, out);
    build_part(b, out);
    build_output(b, sum);
    build_part_end(b, out);
    build_output(b, r);
    build_store(b, x, build_field(b, out, PSY_F32, PSY_FIELD_BOUNDED, 24), PSY_NONE);
    build_part_end(b, out);
    build_part(b, out); /* one without fields */
    build_part_end(b, out);
    build_output(b, r);
    build_end(b);
    build_finish(b);
    suite_run(s, &(suite_case){.label = "parts", .b = b, .data = SUITE_DYADIC, .batch_max = 17});
    build_destroy(b);
}

enum { BOUND = 64, LENGTHS = 16 };

/* The field in which the length is: the second one. */
static void fill_length(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)s;
    (void)partials;
    static const int64_t lengths[LENGTHS] = {0,
                                             1,
                                             2,
                                             BOUND - 1,
                                             BOUND,
                                             BOUND + 1,
                                             -1,
                                             -2147483647 - 1,
                                             INT32_MAX,
                                             INT64_MAX,
                                             INT64_MIN,
                                             INT64_C(1) << 32,
                                             (INT64_C(1) << 32) + 3,
                                             300,
                                             255,
                                             37};
    memcpy(suite_field(c->b, 0, 1, input), &lengths[message % LENGTHS], psy__dtype_bytes(c->b->fields[0][1].dtype));
}

static void run_lengths(suite *s, unsigned dtype, unsigned length_dtype)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    uint32_t x = build_field(b, in, dtype, PSY_FIELD_ARRAY, BOUND), n = build_field(b, in, length_dtype, PSY_FIELD_SCALAR, 1);
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), length = build_load(b, n), max = build_size(b, length_dtype, 37);
    build_store(b, a, build_field(b, out, dtype, PSY_FIELD_BOUNDED, BOUND), length);
    build_output(b, length);
    build_store(b, a, build_field(b, out, dtype, PSY_FIELD_BOUNDED, BOUND + 36), build_map(b, PSY_OP_MIN, length, max));
    build_store(b, a, build_field(b, out, dtype, PSY_FIELD_BOUNDED, BOUND), max);
    if (psy__dtype_computes(dtype)) {
        build_store(b, build_map(b, PSY_OP_ADD, a, a), build_field(b, out, dtype, PSY_FIELD_BOUNDED, BOUND), length);
    }
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "%s[<=64] whose length is %s", psy__dtype_name(dtype), psy__dtype_name(length_dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .data = SUITE_DYADIC, .fill = fill_length, .batch_max = 3 * LENGTHS});
    build_destroy(b);
}

ENGINE_TEST(store, lengths)
{
    static const unsigned dtypes[] = {PSY_I32, PSY_U32, PSY_I64, PSY_U64};
    if (!s->cpu) {
        run_lengths(s, PSY_F32, PSY_I32);
        run_lengths(s, PSY_U64, PSY_U32);
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
            if (psy__dtype_bytes(dtype)) {
                run_lengths(s, dtype, dtypes[i]);
            }
        }
    }
}

/* What is the same for all messages is written to each of them. */
ENGINE_TEST(store, uniform)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
    uint32_t rows = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 1, (psy_dim[]){70});
    uint32_t numbers = build_resident(b, PSY_I64, PSY_PLACE_REPLICATED, PSY_NONE, 1, (psy_dim[]){3});
    build_program(b, in, PSY_NONE, out);
    uint32_t r = build_view(b, rows), n = build_view(b, numbers), a = build_load(b, x);
    uint32_t twice = build_map(b, PSY_OP_ADD, r, r), sum = build_reduce(b, PSY_OP_SUM, r, 0);
    build_output(b, r);
    build_output(b, n);
    build_output(b, twice);
    build_output(b, sum);
    build_output(b, build_map(b, PSY_OP_MUL, a, sum));
    build_store(b, twice, build_field(b, out, PSY_F32, PSY_FIELD_BOUNDED, 80),
                build_cast(b, PSY_I32, build_reduce(b, PSY_OP_RMAX, r, 0)));
    build_end(b);
    build_finish(b);
    psy__resident_data data[] = {suite_resident(s, SUITE_DYADIC, PSY_F32, 70, 1),
                                 suite_resident(s, SUITE_PLAIN, PSY_I64, 3, 1)};
    suite_run(s, &(suite_case){.label = "uniform results", .b = b, .residents = data, .data = SUITE_DYADIC, .exact = true});
    build_destroy(b);
    suite_resident_free(&data[0]);
    suite_resident_free(&data[1]);
}
