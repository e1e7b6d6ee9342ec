/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that may be shorter than their room, or not there, and texts: what is read of them where they lie, whatever a message
 * says, and what is written. */
#include "tests/engine/suite.h"

enum { BOUND = 37, TEXT = 21, TEXTS = 5, COUNTS = 8, KINDS = 5 };

/* What messages say how much there is: nothing, some, all, more, and nonsense. */
static const uint32_t counts[COUNTS] = {0, 1, BOUND - 1, BOUND, BOUND + 1, 3, UINT32_MAX, UINT32_C(1) << 31};

static void fill_counts(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)partials;
    const psy_psm_type *type = &c->b->module.types[0];
    for (uint32_t f = 0; f < type->field_count; f++) {
        const psy_psm_field *field = &c->b->module.fields[type->first_field + f];
        uint32_t count = counts[(message + f) % COUNTS];
        if (field->count_offset != PSY_NONE) {
            memcpy(input + field->count_offset, &count, field->kind == PSY_FIELD_OPTIONAL ? 1 : 4);
        }
        for (uint32_t i = 0; field->inner_offset != PSY_NONE && i < field->count; i++) {
            count = counts[suite_random(&s->random) % COUNTS];
            memcpy(input + field->inner_offset + 4 * i, &count, 4);
        }
    }
}

static uint32_t field_of_kind(build *b, uint32_t type, unsigned kind, unsigned dtype)
{
    switch (kind) {
    case 0: return build_field(b, type, dtype, PSY_FIELD_BOUNDED, BOUND);
    case 1: return build_field(b, type, dtype, PSY_FIELD_OPTIONAL, 1);
    case 2: return build_optional_array(b, type, dtype, BOUND);
    case 3: return build_text(b, type, TEXT);
    default: return build_texts(b, type, dtype % 2 ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY, TEXT, TEXTS);
    }
}

static void run_kind(suite *s, unsigned kind, unsigned dtype)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b);
    build_field(b, in, PSY_U8, PSY_FIELD_SCALAR, 1);
    uint32_t x = field_of_kind(b, in, kind, dtype), shift = build_field(b, in, PSY_BOOL, PSY_FIELD_SCALAR, 1),
             y = field_of_kind(b, in, kind, dtype);
    bool texts = kind == 4, counted = !texts || dtype % 2;
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), c = build_load(b, y), flag = build_load(b, shift);
    build_output(b, flag);
    /* the field as it is, with the count that it says */
    uint32_t count = counted ? build_count(b, x) : PSY_NONE, to = field_of_kind(b, out, kind, dtype);
    bool optional = kind == 1 || kind == 2;
    uint32_t length = optional ? build_cast(b, PSY_BOOL, count) : count;
    build_store(b, a, to, length);
    if (texts) {
        build_store_lengths(b, build_lengths(b, x), to);
    }
    build_output(b, build_load(b, 0));
    /* another one, in full */
    to = field_of_kind(b, out, kind, dtype);
    build_store(b, c, to, PSY_NONE);
    if (texts) {
        build_store_lengths(b, build_lengths(b, y), to);
    }
    build_output(b, flag);
    if (optional) { /* by a truth value that the message has, which may be any byte */
        build_store(b, a, field_of_kind(b, out, kind, dtype), flag);
    }
    if (kind == 0 && psy__dtype_computes(dtype)) { /* what is computed of the room, and of the count */
        build_store(b, build_map(b, PSY_OP_ADD, a, c), field_of_kind(b, out, kind, dtype),
                    build_map(b, PSY_OP_MIN, count, build_size(b, PSY_U32, 5)));
    }
    build_end(b);
    build_finish(b);
    char label[64];
    snprintf(label, sizeof label, "fields of kind %u, %s", kind, psy__dtype_name(dtype));
    suite_run(s, &(suite_case){.label = label, .b = b, .data = SUITE_DYADIC, .fill = fill_counts, .batch_max = 2 * COUNTS});
    build_destroy(b);
}

ENGINE_TEST(fields, kinds)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned dtype = 1; dtype < SUITE_DTYPES; dtype++) {
            bool some = s->cpu || dtype == PSY_F32 || dtype == PSY_U8 || dtype == PSY_I16 || dtype == PSY_U64;
            if (psy__dtype_bytes(dtype) && some && (kind < 3 || (dtype == PSY_U8) || (kind == 4 && dtype == PSY_I16))) {
                run_kind(s, kind, dtype);
            }
        }
    }
}

/* Texts that are gathered, turned round and cut: rows of bytes that do not lie one behind the other. */
ENGINE_TEST(fields, rows_of_texts)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), n = build_field(b, in, PSY_I32, PSY_FIELD_ARRAY, 3);
    uint32_t x = build_texts(b, in, PSY_FIELD_BOUNDED, TEXT, TEXTS);
    uint32_t rows = build_resident(b, PSY_U8, PSY_PLACE_REPLICATED, PSY_NONE, 2, (psy_dim[]){TEXT, TEXTS});
    build_program(b, in, PSY_NONE, out);
    uint32_t a = build_load(b, x), index = build_load(b, n), lengths = build_lengths(b, x);
    uint32_t to = build_texts(b, out, PSY_FIELD_BOUNDED, TEXT, TEXTS);
    build_store(b, build_gather(b, a, index, 0), to, build_count(b, x));
    build_store_lengths(b, build_gather(b, lengths, index, 0), to);
    to = build_texts(b, out, PSY_FIELD_ARRAY, TEXT, TEXTS);
    build_store(b, build_permute(b, build_view(b, rows), (unsigned[]){1, 0}), to, PSY_NONE);
    build_store_lengths(b, lengths, to);
    to = build_texts(b, out, PSY_FIELD_BOUNDED, TEXT, TEXTS);
    build_store(b, build_slice(b, a, 0, 1, 2, 2), to, PSY_NONE);
    build_store_lengths(b, build_slice(b, lengths, 0, 1, 2, 2), to);
    to = build_texts(b, out, PSY_FIELD_ARRAY, TEXT - 5, TEXTS);
    build_store(b, build_slice(b, a, 1, 3, TEXT - 5, 1), to, PSY_NONE);
    build_store_lengths(b, build_map(b, PSY_OP_MIN, lengths, build_size(b, PSY_U32, TEXT - 5)), to);
    build_output(b, build_count(b, x));
    build_end(b);
    build_finish(b);
    psy__resident_data data = suite_resident(s, SUITE_PLAIN, PSY_U8, TEXT, TEXTS);
    suite_run(s, &(suite_case){.label = "rows of texts", .b = b, .residents = &data, .fill = fill_counts, .batch_max = COUNTS});
    build_destroy(b);
    suite_resident_free(&data);
}
