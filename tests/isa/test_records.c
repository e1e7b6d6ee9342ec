/* SPDX-License-Identifier: Apache-2.0 */
/* Records that say what none may: decoding refuses each. */
#include "isa/module.h"

#include "forge.h"

/* One record changed: `at` bytes into the section. The sample's records are in the order of nearest.hra. */
#define TYPE(i, member)     PSY_PSM_TYPES, (i) * sizeof(psy_psm_type) + offsetof(psy_psm_type, member)
#define FIELD(i, member)    PSY_PSM_FIELDS, (i) * sizeof(psy_psm_field) + offsetof(psy_psm_field, member)
#define SYMBOL(i, member)   PSY_PSM_SYMBOLS, (i) * sizeof(psy_psm_symbol) + offsetof(psy_psm_symbol, member)
#define CHECK(member)       PSY_PSM_CHECKS, offsetof(psy_psm_check, member)
#define RESIDENT(i, member) PSY_PSM_RESIDENTS, (i) * sizeof(psy_psm_resident) + offsetof(psy_psm_resident, member)
#define PIPELINE(i, member) PSY_PSM_PIPELINES, (i) * sizeof(psy_psm_pipeline) + offsetof(psy_psm_pipeline, member)
#define GUARD(i, member)    PSY_PSM_GUARDS, (i) * sizeof(psy_psm_guard) + offsetof(psy_psm_guard, member)
#define PROGRAM(i, member)  PSY_PSM_PROGRAMS, (i) * sizeof(psy_psm_program) + offsetof(psy_psm_program, member)
#define REGISTER(i, member) PSY_PSM_REGISTERS, (i) * sizeof(psy_psm_register) + offsetof(psy_psm_register, member)
#define LINE(i, member)     PSY_PSM_LINES, (i) * sizeof(psy_psm_line) + offsetof(psy_psm_line, member)

typedef struct record_case {
    psy_psm_kind kind;
    size_t at;
    uint64_t bits;
    unsigned bytes;
    const char *detail; /* NULL: it stays sound */
} record_case;

static void change_records(const char *sample, const record_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t n;
        uint8_t *bytes = sample_module(sample, &n);
        psy__module m;
        char name[160];
        const psy_psm_section *s = section(bytes, cases[i].kind);
        cr_assert_leq(cases[i].at + cases[i].bytes, s->bytes);
        memcpy(bytes + s->offset + cases[i].at, &cases[i].bits, cases[i].bytes);
        sample_rehash(bytes, n);
        snprintf(name, sizeof name, "kind %d, at %zu, %llx", cases[i].kind, cases[i].at, (unsigned long long)cases[i].bits);
        psy_status status = decode(bytes, n, &m);
        if (cases[i].detail) {
            expect(name, status, PSY_CORRUPT, cases[i].detail);
        } else {
            cr_assert(status == PSY_OK, "%s: %s", name, psy_detail());
        }
        free(bytes);
    }
}

/* moves.hra: N, N.local, shards, then half, rest, both and wide, which are made of others. */
Test(records, computed_sizes)
{
    static const record_case cases[] = {
        {SYMBOL(3, kind), PSY_SYMBOL_SUBTRACT, 4, NULL},
        {SYMBOL(3, kind), PSY_SYMBOL_KIND_END, 4, "symbol 3 is malformed"},
        {SYMBOL(3, kind), PSY_SYMBOL_GLOBAL, 4, "symbol 3 is malformed"},
        {SYMBOL(3, kind), PSY_SYMBOL_LOCAL, 4, "symbol 3 is malformed"},
        {SYMBOL(0, kind), PSY_SYMBOL_ADD, 4, "symbol 0 is malformed"},
        {SYMBOL(3, of), 0x80000003, 4, "symbol 3 is malformed"}, /* itself */
        {SYMBOL(3, of), 0x80000004, 4, "symbol 3 is malformed"},
        {SYMBOL(3, of), 0xffffffff, 4, "symbol 3 is malformed"},
        {SYMBOL(3, of), 0xfffffffe, 4, "symbol 3 is malformed"},
        {SYMBOL(3, of), 0x80000002, 4, NULL},
        {SYMBOL(3, of), 0x7fffffff, 4, NULL},
        {SYMBOL(3, with), 0x80000003, 4, "symbol 3 is malformed"},
        {SYMBOL(3, with), 0xffffffff, 4, "symbol 3 is malformed"},
        {SYMBOL(6, with), 0x80000005, 4, NULL},
    };
    change_records("moves", cases, sizeof cases / sizeof cases[0]);
}

/* variants.hra: D, half and M; pipeline length with an alternative; three guards. */
Test(records, alternatives)
{
    static const record_case cases[] = {
        {PIPELINE(0, alternatives), 1, 4, "pipeline length.2: its alternatives do not fit"},
        {PIPELINE(0, alternatives), 3, 4, "pipeline length: its alternatives do not fit"},
        {PIPELINE(0, alternatives), 0xffffffff, 4, "pipeline length: its alternatives do not fit"},
        {PIPELINE(0, alternatives), 0, 4, "pipeline length: its alternatives do not fit"},
        {PIPELINE(1, alternatives), 1, 4, "pipeline length.2: it stands where an alternative should"},
        {PIPELINE(1, guard_count), 1, 4, "alternatives or guards that belong to no pipeline"},
        {PIPELINE(1, guard_count), 3, 4, "pipeline length.2: its guards are out of range"},
        {PIPELINE(1, guard_count), 0xffffffff, 4, "pipeline length.2: its guards are out of range"},
        {PIPELINE(1, first_guard), 0, 4, "pipeline length.2: its guards are out of range"},
        {PIPELINE(0, max_batch), 4097, 2, "pipeline length: how it is run is malformed"},
        {PIPELINE(0, engine), 3, 1, "pipeline length: how it is run is malformed"},
        {PIPELINE(0, reserved), 1, 1, "pipeline length: how it is run is malformed"},
        {GUARD(0, field), 1, 4, NULL},
        {GUARD(0, field), 2, 4, "pipeline length: guard 0 is malformed"}, /* no variant */
        {GUARD(0, field), 3, 4, "pipeline length: guard 0 is malformed"},
        {GUARD(0, dtype), 0, 1, "pipeline length: guard 0 is malformed"},
        {GUARD(0, rank), 2, 1, NULL}, /* the second size is 0 */
        {GUARD(0, rank), 9, 1, "pipeline length: guard 0 is malformed"},
        {GUARD(1, rank), 1, 1, "pipeline length.2: guard 0 is malformed"},
        {GUARD(0, dims), 0x80000003, 4, "pipeline length: guard 0 is malformed"},
        {GUARD(0, dims), 0x80000001, 4, "pipeline length: guard 0 is malformed"}, /* computed */
        {GUARD(0, reserved), 1, 2, "pipeline length: guard 0 is malformed"},
        {SYMBOL(0, with), 1, 4, "symbol 0 is malformed"},
    };
    change_records("variants", cases, sizeof cases / sizeof cases[0]);
}

/* messages.hra: shop.Item has 9 fields; shop.Order: number, item, id, size, x, y, nothing, last, empty, after. */
Test(records, parts)
{
    static const record_case cases[] = {
        {FIELD(1, flags), 0, 2, "type shop.Item: its layout is not what the rules give"},
        {FIELD(1, flags), PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY, 2, "type shop.Item: its layout is not what the rules give"},
        {FIELD(2, inner), 0, 4, "type shop.Item: its layout is not what the rules give"},
        {FIELD(2, inner), 13, 4, "type shop.Item: its layout is not what the rules give"},
        {FIELD(2, inner), 0xffffffff, 4, "type shop.Item: its layout is not what the rules give"},
        {FIELD(2, inner_offset), 0, 4, "type shop.Item: its layout is not what the rules give"},
        {FIELD(2, default_bits), 1, 8, "type shop.Item: field 2 is malformed"},
        {FIELD(4, count_offset), 0xffffffff, 4, "type shop.Item: its layout is not what the rules give"},
        {FIELD(4, default_bits), UINT64_C(1) << 32, 8, "type shop.Item: field 4 is malformed"},
        {FIELD(4, default_bits), 1, 8, NULL},
        {FIELD(5, flags), 0, 2, "type shop.Item: its layout is not what the rules give"},
        {FIELD(5, default_bits), 1, 8, "type shop.Item: field 5 is malformed"},
        {FIELD(7, dtype), PSY_F32, 1, "type shop.Item: its layout is not what the rules give"},
        {FIELD(7, count), 0xffffffff, 4, "type shop.Item: its layout is not what the rules give"},
        {FIELD(10, count), 64, 4, "type shop.Order: its layout is not what the rules give"},
        {FIELD(10, default_bits), 1, 8, "type shop.Order: its layout is not what the rules give"},
        {FIELD(10, kind), PSY_FIELD_SCALAR, 1, "type shop.Order: field 1 is malformed"},
        {FIELD(10, parent), 1, 4, "type shop.Order: field 1 is malformed"},
        {FIELD(11, parent), 0, 4, "type shop.Order: field 2 is malformed"},
        {FIELD(11, parent), 0xffffffff, 4, "type shop.Order: field 2 is malformed"},
        {FIELD(11, parent), 0xfffffffe, 4, "type shop.Order: field 2 is malformed"},
        {FIELD(12, parent), 0xffffffff, 4, "type shop.Order: field 3 is malformed"},
        {FIELD(15, since), 2, 4, "type shop.Order: its layout is not what the rules give"},
        {FIELD(18, parent), 7, 4, "type shop.Order: field 9 is malformed"},
    };
    change_records("messages", cases, sizeof cases / sizeof cases[0]);
}

Test(records, each)
{
    static const record_case cases[] = {
        {PSY_PSM_STRINGS, 0, 'x', 1, "strings: they must start and end with a NUL"},
        {PSY_PSM_STRINGS, 3, 0x0b, 1, "strings: byte 0b at 3"},
        {PSY_PSM_STRINGS, 3, 0x0a, 1, "type 0: its name"},
        {PSY_PSM_STRINGS, 3, 0x7f, 1, "strings: byte 7f at 3"},
        {PSY_PSM_STRINGS, 3, 0xff, 1, "strings: no UTF-8 at 3"},
        {PSY_PSM_STRINGS, 3, 0xc3, 1, "strings: no UTF-8 at 3"},
        {PSY_PSM_STRINGS, 3, 0xa0e0, 2, "strings: no UTF-8 at 3"},   /* half a character */
        {PSY_PSM_STRINGS, 3, 0x8080e0, 3, "strings: no UTF-8 at 3"}, /* too long a form */
        {PSY_PSM_STRINGS, 3, 0x80a0ed, 3, "strings: no UTF-8 at 3"}, /* surrogate */
        {PSY_PSM_STRINGS, 3, 0xa9c3, 2, "type 0: its name"},         /* a name has letters only */
        {PSY_PSM_STRINGS, 3, ' ', 1, "type 0: its name"},
        {PSY_PSM_STRINGS, 1, '7', 1, "type 0: its name"},
        {PSY_PSM_STRINGS, 3, 0, 1, "starts nowhere or is out of order"},
        {FIELD(6, name), 0, 4, "type nearest.nearest#partial: field 0 is malformed"},
        {TYPE(0, name), 0, 4, "starts nowhere or is out of order"},
        {TYPE(0, name), 2, 4, "starts nowhere or is out of order"},
        {TYPE(0, name), 0xffffffff, 4, "starts nowhere or is out of order"},
        {TYPE(1, name), 1, 4, "out of order"},
        {TYPE(0, first_field), 1, 4, "type 0: its name or fields are out of range"},
        {TYPE(0, field_count), 2, 4, "its layout is not what the rules give"},
        {TYPE(0, field_count), 0xffffffff, 4, "type 0: its name or fields are out of range"},
        {TYPE(3, field_count), 1, 4, "its layout is not what the rules give"},
        {TYPE(0, bytes), 64, 4, NULL},
        {TYPE(0, bytes), 128, 4, "type nearest.Query: its layout is not what the rules give"},
        {TYPE(0, layout_hash), 1, 8, "type nearest.Query: its layout is not what the rules give"},
        {TYPE(0, version), 2, 4, "type nearest.Query: its layout is not what the rules give"},
        {TYPE(0, kind), 9, 1, "type 0: its name or fields are out of range"},
        {FIELD(1, offset), 60, 4, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, count), 1000, 4, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, count), 0, 4, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, count_offset), 8, 4, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, dtype), 0, 1, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, dtype), 14, 1, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, kind), PSY_FIELD_KIND_END, 1, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, flags), PSY_FIELD_KEY, 2, "type nearest.Query: its key is not one u64"},
        {FIELD(0, flags), 0x1000, 2, "type nearest.Query: field 0 is malformed"},
        {FIELD(0, flags), PSY_FIELD_ITEMS, 2, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(0, flags), PSY_FIELD_KEY | PSY_FIELD_TEXT, 2, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, flags), PSY_FIELD_IS_ARRAY, 2, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(3, flags), PSY_FIELD_TEXT, 2, "type nearest.Hits: its layout is not what the rules give"},
        {FIELD(1, inner), 2, 4, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, inner_offset), 8, 4, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, parent), 0, 4, "type nearest.Query: field 1 is malformed"},
        {FIELD(1, parent), 1, 4, "type nearest.Query: field 1 is malformed"},
        {FIELD(1, type), 0, 4, "type nearest.Query: its layout is not what the rules give"},
        {FIELD(1, since), 0, 4, "type nearest.Query: field 1 is malformed"},
        {FIELD(1, since), 65536, 4, "type nearest.Query: field 1 is malformed"},
        {FIELD(1, since), 2, 4, "type nearest.Query: field 2 is malformed"},
        {FIELD(1, default_bits), 1, 8, "type nearest.Query: field 1 is malformed"},
        {FIELD(2, default_bits), 0x10000, 8, "type nearest.Query: field 2 is malformed"},
        {SYMBOL(0, kind), 3, 4, "symbol 0 is malformed"},
        {SYMBOL(0, kind), PSY_SYMBOL_SHARDS, 4, "symbol 1 is malformed"},
        {SYMBOL(1, of), 2, 4, "symbol 1 is malformed"},
        {SYMBOL(1, of), 0xffffffff, 4, "symbol 1 is malformed"},
        {SYMBOL(0, of), 0, 4, "symbol 0 is malformed"},
        {SYMBOL(0, with), 1, 4, "symbol 0 is malformed"},
        {CHECK(left), 0x80000005, 4, "check 0 is malformed"},
        {CHECK(left), 0xffffffff, 4, "check 0 is malformed"},
        {CHECK(relation), 2, 4, "check 0 is malformed"},
        {RESIDENT(0, dtype), 0, 1, "resident 0 is malformed"},
        {RESIDENT(0, rank), 0, 1, "resident 0 is malformed"},
        {RESIDENT(0, rank), 9, 1, "resident 0 is malformed"},
        {RESIDENT(0, rank), 1, 1, "resident 0 is malformed"},
        {RESIDENT(0, placement), 3, 1, "resident 0 is malformed"},
        {RESIDENT(0, placement), PSY_PLACE_REPLICATED, 1, "resident 0 is malformed"},
        {RESIDENT(0, reserved), 1, 1, "resident 0 is malformed"},
        {RESIDENT(0, reserved2), 1, 4, "resident 0 is malformed"},
        {RESIDENT(0, dims[0]), 7, 4, "resident 0 is malformed"},
        {RESIDENT(0, dims[1]), 0x80000009, 4, "resident 0 is malformed"},
        {RESIDENT(0, local_rows), 0x80000003, 4, "resident 0 is malformed"},
        {RESIDENT(0, local_rows), 0x80000063, 4, "resident 0 is malformed"},
        {PIPELINE(0, route), 3, 4, "pipeline 0 is malformed"},
        {PIPELINE(0, input_type), 4, 4, "pipeline 0 is malformed"},
        {PIPELINE(0, input_type), 1, 4, "pipeline nearest: its programs have other types"},
        {PIPELINE(0, output_type), 2, 4, "pipeline nearest: its programs have other types"},
        {PIPELINE(0, shard_program), 3, 4, "pipeline 0 is malformed"},
        {PIPELINE(0, shard_program), 1, 4, "pipeline nearest: its programs have other types"},
        {PIPELINE(0, merge_program), 0, 4, "pipeline nearest: its programs have other types"},
        {PIPELINE(0, merge_program), 0xffffffff, 4, "pipeline 0 is malformed"},
        {PIPELINE(0, partial_type), 0xffffffff, 4, "pipeline 0 is malformed"},
        {PIPELINE(0, partial_type), 1, 4, "pipeline nearest: its programs have other types"},
        {PIPELINE(0, key_field), 0, 4, "pipeline nearest: its key field is no key"},
        {PIPELINE(1, key_field), 1, 4, "pipeline vector: its key field is no key"},
        {PIPELINE(1, key_field), 0xffffffff, 4, "pipeline vector: its key field is no key"},
        {PIPELINE(1, merge_program), 1, 4, "pipeline 1 is malformed"},
        {PROGRAM(0, input_type), 4, 4, "program 0: its name or types are out of range"},
        {PROGRAM(0, output_type), 0xffffffff, 4, "program 0: its name or types are out of range"},
        {PROGRAM(0, partial_type), 4, 4, "program 0: its name or types are out of range"},
        {PROGRAM(0, reserved), 4, 4, "program 0: its name or types are out of range"},
        {PROGRAM(0, first_register), 1, 4, "its registers or code are out of range"},
        {PROGRAM(0, register_count), 4097, 4, "its registers or code are out of range"},
        {PROGRAM(0, register_count), 0xffffffff, 4, "its registers or code are out of range"},
        {PROGRAM(1, first_word), 0, 4, "its registers or code are out of range"},
        {PROGRAM(0, word_count), 7, 4, "its registers or code are out of range"},
        {PROGRAM(2, word_count), 0xfffffffe, 4, "its registers or code are out of range"},
        {PROGRAM(2, word_count), 8, 4, "registers or code of no program"},
        {PROGRAM(0, slot_count), 9, 4, "its registers or code are out of range"},
        {PROGRAM(0, slot_count), 2, 4, "register 7 is malformed"},
        {REGISTER(0, dtype), 0, 1, "program nearest.shard: register 0 is malformed"},
        {REGISTER(0, rank), 9, 1, "program nearest.shard: register 0 is malformed"},
        {REGISTER(0, rank), 0, 1, "program nearest.shard: register 0 is malformed"},
        {REGISTER(0, slot), 3, 2, "program nearest.shard: register 0 is malformed"},
        {REGISTER(0, dims[1]), 1, 4, "program nearest.shard: register 0 is malformed"},
        {REGISTER(0, dims[0]), 0xffffffff, 4, "program nearest.shard: register 0 is malformed"},
        {REGISTER(0, dims[0]), 0x80000005, 4, "program nearest.shard: register 0 is malformed"},
        {LINE(0, program), 3, 4, "source line 0 is malformed"},
        {LINE(0, word), 9999, 4, "source line 0 is malformed"},
        {LINE(0, word), 2, 4, "source line 0 starts within an instruction"},
        {LINE(0, word), 4, 4, "source line 1 is malformed"},
        {LINE(0, line), 0, 4, "source line 0 is malformed"},
        {LINE(0, column), 0, 4, "source line 0 is malformed"},
        {LINE(0, file), 3, 4, "starts nowhere or is out of order"},
    };
    change_records("nearest", cases, sizeof cases / sizeof cases[0]);
}

/* No two of a kind have one name: tools and the text mean one by it. */
Test(records, names_differ)
{
    uint64_t n;
    uint8_t *bytes = sample_module("nearest", &n);
    psy__module m;
    cr_assert_eq(decode(bytes, n, &m), PSY_OK);
    static const struct {
        psy_psm_kind kind;
        size_t record_bytes;
        uint32_t first;
        const char *detail;
    } cases[] = {
        {PSY_PSM_TYPES, sizeof(psy_psm_type), 0, NULL}, /* another name, another layout hash */
        {PSY_PSM_FIELDS, sizeof(psy_psm_field), 6, NULL},
        {PSY_PSM_SYMBOLS, sizeof(psy_psm_symbol), 0, "two sizes are called N"},
        {PSY_PSM_RESIDENTS, sizeof(psy_psm_resident), 0, "two residents are called words"},
        {PSY_PSM_PIPELINES, sizeof(psy_psm_pipeline), 0, "two pipelines are called nearest"},
        {PSY_PSM_PROGRAMS, sizeof(psy_psm_program), 1, "two programs are called nearest.merge"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *copy = malloc(n), *out;
        uint64_t out_n;
        psy__module changed;
        memcpy(copy, bytes, n);
        cr_assert_eq(decode(copy, n, &changed), PSY_OK);
        uint8_t *record = copy + section(copy, cases[i].kind)->offset + cases[i].first * cases[i].record_bytes;
        memcpy(record + cases[i].record_bytes, record, sizeof(uint32_t)); /* every record starts with its name */
        cr_assert_eq(psy__module_encode(&changed, &out, &out_n), PSY_OK);
        expect("names", decode(out, out_n, &changed), PSY_CORRUPT,
               cases[i].detail ? cases[i].detail : "its layout is not what the rules give");
        free(out);
        free(copy);
    }
    free(bytes);
    /* Types and fields: by their layouts' own hand. */
    static const psy_psm_field fields[] = {
        {.name = 3, .dtype = PSY_U8, .count = 1, .offset = 8, .count_offset = PSY_NONE, .since = 1, PLAIN},
        {.name = 3, .dtype = PSY_U8, .count = 1, .offset = 9, .count_offset = PSY_NONE, .since = 1, PLAIN}};
    static const uint64_t zero_key[2] = {0, 0};
    psy_psm_type types[2] = {{.name = 1, .field_count = 2, .bytes = 64, .version = 1, .align = 64},
                             {.name = 1, .first_field = 2, .bytes = 64, .version = 1, .align = 64}};
    types[0].layout_hash = psy__siphash(zero_key, "T{u8 a@8;u8 a@9;}64", 19);
    types[1].layout_hash = psy__siphash(zero_key, "T{}64", 5);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t *out;
        psy__module x = {
            .strings = "\0T\0a", .strings_bytes = 5, .types = types, .type_count = i + 1, .fields = fields, .field_count = 2};
        cr_assert_eq(psy__module_encode(&x, &out, &n), PSY_OK);
        expect("names", decode(out, n, &x), PSY_CORRUPT, i ? "two types are called T" : "two fields of a type are called a");
        free(out);
    }
}

/* ---- types of types: types.hra ---- */

typedef struct type_case {
    const char *type, *field; /* field NULL: the type's own record */
    size_t at;                /* in the record */
    unsigned bytes;
    uint64_t bits;
    const char *text;   /* the place of this string instead of `bits` */
    const char *named;  /* the index of this type instead of `bits` */
    const char *detail; /* NULL: it stays sound */
} type_case;

static uint32_t type_index(const psy__module *m, const char *name)
{
    for (uint32_t i = 0; i < m->type_count; i++) {
        if (strcmp(m->strings + m->types[i].name, name) == 0) {
            return i;
        }
    }
    cr_assert_fail("no type %s", name);
    return 0;
}

static uint32_t string_place(const psy__module *m, const char *text)
{
    for (uint32_t at = 1; at < m->strings_bytes; at += (uint32_t)strlen(m->strings + at) + 1) {
        if (strcmp(m->strings + at, text) == 0) {
            return at;
        }
    }
    cr_assert_fail("no string %s", text);
    return 0;
}

static size_t record_place(const psy__module *m, const uint8_t *bytes, const type_case *c)
{
    const psy_psm_type *t = &m->types[type_index(m, c->type)];
    for (uint32_t k = 0; c->field && k < t->field_count; k++) {
        const psy_psm_field *f = &m->fields[t->first_field + k];
        if (strcmp(m->strings + f->name, c->field) == 0) {
            return (size_t)((const uint8_t *)f - bytes) + c->at;
        }
    }
    cr_assert(c->field == NULL, "no field %s", c->field);
    return (size_t)((const uint8_t *)t - bytes) + c->at;
}

/* Written anew, so that strings are in order whatever names them. */
static void forge_type(const type_case *c)
{
    uint64_t n, out_n;
    uint8_t *bytes = sample_module("types", &n), *out;
    psy__module m, again;
    char name[160];
    cr_assert_eq(decode(bytes, n, &m), PSY_OK);
    const uint64_t bits = c->text ? string_place(&m, c->text) : c->named ? type_index(&m, c->named) : c->bits;
    memcpy(bytes + record_place(&m, bytes, c), &bits, c->bytes);
    snprintf(name, sizeof name, "%s.%s at %zu: %llx", c->type, c->field ? c->field : "", c->at, (unsigned long long)bits);
    cr_assert_eq(psy__module_encode(&m, &out, &out_n), PSY_OK, "%s", name);
    psy_status status = decode(out, out_n, &again);
    if (c->detail) {
        char detail[160];
        snprintf(detail, sizeof detail, "type %s: ", c->type);
        expect(name, status, PSY_CORRUPT, detail);
        expect(name, status, PSY_CORRUPT, c->detail);
    } else {
        cr_assert(status == PSY_OK, "%s: %s", name, psy_detail());
    }
    free(out);
    free(bytes);
}

#define OF_TYPE(member)  offsetof(psy_psm_type, member), sizeof(((psy_psm_type *)0)->member)
#define OF_FIELD(member) offsetof(psy_psm_field, member), sizeof(((psy_psm_field *)0)->member)
#define BITS(bits)       bits, NULL, NULL
#define TEXT(text)       0, text, NULL
#define NAMED(type)      0, NULL, type
#define LAYOUT           "its layout is not what the rules give"
#define MALFORMED        "is malformed"
#define KEYLESS          "its key is not one u64"

Test(records, kinds_of_types)
{
    static const type_case cases[] = {
        {"shop.Lang", NULL, OF_TYPE(kind), BITS(PSY_TYPE_FLAGS), LAYOUT},
        {"shop.Lang", NULL, OF_TYPE(dtype), BITS(PSY_U16), LAYOUT},
        {"shop.Lang", NULL, OF_TYPE(dtype), BITS(PSY_F32), LAYOUT},
        {"shop.Lang", NULL, OF_TYPE(dtype), BITS(0), LAYOUT},
        {"shop.Point", NULL, OF_TYPE(dtype), BITS(PSY_U8), LAYOUT},
        {"shop.Point", NULL, OF_TYPE(kind), BITS(PSY_TYPE_UNION), LAYOUT},
        {"shop.Point", NULL, OF_TYPE(align), BITS(64), LAYOUT},
        {"shop.Point", NULL, OF_TYPE(flags), BITS(PSY_TYPE_TAILED), LAYOUT},
        {"shop.Point", NULL, OF_TYPE(version), BITS(2), LAYOUT},
        {"shop.Section", NULL, OF_TYPE(flags), BITS(0), LAYOUT},
        {"shop.Section", NULL, OF_TYPE(flags), BITS(3), LAYOUT},
        {"shop.Document", NULL, OF_TYPE(depth), BITS(0), LAYOUT},
        {"shop.Document.source", NULL, OF_TYPE(kind), BITS(PSY_TYPE_MESSAGE), LAYOUT},
        {"shop.Document.source", NULL, OF_TYPE(kind), BITS(PSY_TYPE_STRUCT), "field 1 is malformed"},
        /* values of enums and flags */
        {"shop.Lang", "de", OF_FIELD(default_bits), BITS(255), NULL},
        {"shop.Lang", "de", OF_FIELD(default_bits), BITS(256), "field 1 is malformed"},
        {"shop.Step", "back", OF_FIELD(default_bits), BITS(0x10000), "field 0 is malformed"},
        {"shop.Lang", "de", OF_FIELD(name), TEXT("from.x"), "field 1 is malformed"},
        {"shop.Lang", "de", OF_FIELD(parent), BITS(0), "field 1 is malformed"},
        {"shop.Lang", "de", OF_FIELD(flags), BITS(PSY_FIELD_DEPRECATED), NULL},
        {"shop.Lang", "de", OF_FIELD(flags), BITS(1 << PSY_FIELD_ALIGN_SHIFT), LAYOUT},
        {"shop.Lang", "de", OF_FIELD(kind), BITS(PSY_FIELD_ARRAY), "field 1 is malformed"},
        {"shop.Lang", "en", OF_FIELD(kind), BITS(PSY_FIELD_ARRAY), LAYOUT},
        {"shop.Rights", "read", OF_FIELD(flags), BITS(PSY_FIELD_KEY), KEYLESS},
        {"shop.Rights", "write", OF_FIELD(type), NAMED("shop.Lang"), LAYOUT},
        /* structs and unions: no defaults, no keys; structs no versions */
        {"shop.Point", "x", OF_FIELD(default_bits), BITS(1), "field 0 is malformed"},
        {"shop.Point", "rights", OF_FIELD(since), BITS(2), "field 3 is malformed"},
        {"shop.Line", "to.rights", OF_FIELD(since), BITS(2), MALFORMED},
        {"shop.Line", "from.x", OF_FIELD(default_bits), BITS(1), "field 1 is malformed"},
        {"shop.Line", "from", OF_FIELD(default_bits), BITS(64), "field 0 is malformed"},
        {"shop.Line", "from", OF_FIELD(kind), BITS(PSY_FIELD_PART), LAYOUT},
        {"shop.Document.source", "n", OF_FIELD(default_bits), BITS(1), MALFORMED},
        {"shop.Document.source", "n", OF_FIELD(flags), BITS(PSY_FIELD_KEY), KEYLESS},
        {"shop.Document.source", "photo", OF_FIELD(since), BITS(4), MALFORMED},
        {"shop.Document.source", "any", OF_FIELD(flags), BITS(PSY_FIELD_OPEN), NULL},
        /* a message in a union has what messages have */
        {"shop.Document.source", "page.a", OF_FIELD(default_bits), BITS(255), NULL},
        {"shop.Document.source", "page.a", OF_FIELD(default_bits), BITS(256), MALFORMED},
        {"shop.Document.source", "page.b", OF_FIELD(default_bits), BITS(0), NULL},
        {"shop.Document.source", "page.b", OF_FIELD(default_bits), BITS(2), MALFORMED},
        {"shop.Document.source", "page.note", OF_FIELD(default_bits), TEXT("notes"), NULL},
        {"shop.Document.source", "page.note", OF_FIELD(default_bits), TEXT("shop.Document"), MALFORMED},
        {"shop.Document.source", "page.note", OF_FIELD(default_bits), BITS(UINT64_C(1) << 32), MALFORMED},
        {"shop.Document.source", "page.note", OF_FIELD(name), TEXT("notes"), MALFORMED},
        {"shop.Document.source", "at.x", OF_FIELD(default_bits), BITS(1), MALFORMED},
        /* types that fields name */
        {"shop.Document", "lang", OF_FIELD(type), BITS(PSY_NONE), NULL},
        {"shop.Document", "lang", OF_FIELD(type), NAMED("shop.Step"), LAYOUT},
        {"shop.Document", "lang", OF_FIELD(type), NAMED("shop.Point"), LAYOUT},
        {"shop.Document", "lang", OF_FIELD(type), NAMED("shop.Document"), LAYOUT},
        {"shop.Document", "lang", OF_FIELD(type), BITS(0xfffffffe), LAYOUT},
        {"shop.Document", "id", OF_FIELD(type), NAMED("shop.Rights"), KEYLESS},
        {"shop.Document", "path", OF_FIELD(type), BITS(PSY_NONE), LAYOUT},
        {"shop.Document", "path", OF_FIELD(type), NAMED("shop.Lang"), LAYOUT},
        {"shop.Document", "path", OF_FIELD(type), NAMED("shop.Section"), LAYOUT},
        {"shop.Document", "path", OF_FIELD(type), NAMED("shop.Document"), LAYOUT},
        {"shop.Document", "path", OF_FIELD(inner), BITS(1), LAYOUT},
        {"shop.Document", "source", OF_FIELD(type), NAMED("f32"), LAYOUT},
        {"shop.Document", "source", OF_FIELD(type), NAMED("shop.Point"), LAYOUT},
        {"shop.Document", "source", OF_FIELD(type), BITS(PSY_NONE), LAYOUT},
        {"shop.Document", "pos.lang", OF_FIELD(type), NAMED("part"), LAYOUT},
        /* flags, and defaults of what has none */
        {"shop.Document", "title", OF_FIELD(flags), BITS(PSY_FIELD_TEXT | PSY_FIELD_MAYBE), LAYOUT},
        {"shop.Document", "subtitle", OF_FIELD(flags), BITS(PSY_FIELD_TEXT), LAYOUT},
        {"shop.Document", "tags", OF_FIELD(flags), BITS(PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_RETIRED), NULL},
        {"shop.Document", "tags", OF_FIELD(flags), BITS(PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | 0x1000), MALFORMED},
        {"shop.Document", "values", OF_FIELD(flags), BITS(7 << PSY_FIELD_ALIGN_SHIFT), LAYOUT},
        {"shop.Document", "values", OF_FIELD(flags), BITS(0), NULL}, /* of the tail, and so of no offset here */
        {"shop.Document", "values", OF_FIELD(count), BITS(1), LAYOUT},
        {"shop.Document", "embedding", OF_FIELD(flags), BITS(0), LAYOUT},
        {"shop.Document", "note", OF_FIELD(inner_offset), BITS(PSY_NONE), LAYOUT},
        {"shop.Document", "note", OF_FIELD(default_bits), BITS(0), NULL},
        {"shop.Document", "title", OF_FIELD(default_bits), TEXT("none"), MALFORMED},
        {"shop.Document", "values", OF_FIELD(default_bits), BITS(1), MALFORMED},
        {"shop.Document", "maybe", OF_FIELD(default_bits), BITS(1), MALFORMED},
        {"shop.Document", "pos", OF_FIELD(default_bits), BITS(1), MALFORMED},
        {"shop.Document", "source", OF_FIELD(default_bits), BITS(1), MALFORMED},
        {"shop.Document", "langs", OF_FIELD(default_bits), BITS(1), MALFORMED},
        {"shop.Document", "step", OF_FIELD(default_bits), BITS(0x7fff), NULL},
        {"shop.Document", "step", OF_FIELD(default_bits), BITS(0x10000), MALFORMED},
        {"shop.Document", "head.id", OF_FIELD(flags), BITS(PSY_FIELD_KEY), KEYLESS}, /* a second one */
        {"shop.Document", "pos.x", OF_FIELD(parent), BITS(PSY_NONE), MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forge_type(&cases[i]);
    }
}
