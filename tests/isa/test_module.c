/* SPDX-License-Identifier: Apache-2.0 */
/* The file around the programs: header, sections, strings, records; encoding; and bytes from anywhere. */
#include "isa/module.h"

#include "isa/verify.h"
#include "random_module.h"

static psy_status decode(const uint8_t *bytes, uint64_t n, psy__module *m)
{
    return psy__module_decode(bytes, n, PSY_TRUST_NATIVE, m);
}

static void expect(const char *name, psy_status status, psy_status wanted, const char *detail)
{
    cr_assert(status == wanted, "%s gives %s: %s", name, psy_status_name(status), status ? psy_detail() : "");
    cr_assert(strstr(psy_detail(), detail) != NULL, "%s\n  says  %s\n  wants %s", name, psy_detail(), detail);
}

static psy_psm_section *section(uint8_t *bytes, psy_psm_kind kind)
{
    psy_psm_header *h = (psy_psm_header *)bytes;
    psy_psm_section *s = (psy_psm_section *)(bytes + sizeof *h);
    for (uint32_t i = 0; i < h->section_count; i++) {
        if (s[i].kind == (uint32_t)kind) {
            return &s[i];
        }
    }
    cr_assert_fail("no section %d", kind);
    return NULL;
}

/* What a plain field of no part has. */
#define PLAIN .inner = 1, .inner_offset = PSY_NONE, .parent = PSY_NONE, .type = PSY_NONE

Test(module, header)
{
    static const struct {
        size_t at;
        uint64_t bits;
        unsigned bytes;
        psy_status status;
        const char *detail;
    } cases[] = {
        {0, 0x12345678, 4, PSY_CORRUPT, "not a module: its first word is 12345678"},
        {4, 1, 2, PSY_VERSION, "the module has format 1.0, this library reads 3.x"},
        {6, 1, 2, PSY_VERSION, "the module has format 3.1, this library reads up to 3.0"},
        {8, 64, 8, PSY_CORRUPT, "the module says 64 bytes and has"},
        {8, UINT64_MAX, 8, PSY_CORRUPT, "(truncated?)"},
        {24, 16, 4, PSY_CORRUPT, "the module has 16 sections"},
        {24, 0, 4, PSY_CORRUPT, "bytes after the last section"},
        {24, 3, 4, PSY_CORRUPT, "do not fit"},
        {28, 1, 4, PSY_CORRUPT, "reserved words of the module's header are set"},
        {60, 1, 4, PSY_CORRUPT, "reserved words of the module's header are set"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t n;
        uint8_t *bytes = sample_module("nearest", &n);
        psy__module m;
        memcpy(bytes + cases[i].at, &cases[i].bits, cases[i].bytes);
        sample_rehash(bytes, n);
        expect(cases[i].detail, decode(bytes, n, &m), cases[i].status, cases[i].detail);
        free(bytes);
    }
}

Test(module, hash)
{
    uint64_t n;
    uint8_t *bytes = sample_module("nearest", &n);
    psy__module m;
    cr_assert_eq(decode(bytes, n, &m), PSY_OK);
    cr_assert_eq(m.hash, ((psy_psm_header *)bytes)->hash);
    bytes[n - 1] ^= 1;
    expect("hash", decode(bytes, n, &m), PSY_CORRUPT, "the module's hash does not match its bytes");
    expect("alignment", decode(bytes + 4, n, &m), PSY_INVALID, "a multiple of 8");
    expect("nothing", decode(NULL, 0, &m), PSY_INVALID, "a multiple of 8");
    free(bytes);
}

Test(module, sections)
{
    static const struct {
        psy_psm_kind kind;
        size_t at;
        uint64_t bits;
        unsigned bytes;
        const char *detail;
    } cases[] = {
        {PSY_PSM_TYPES, 0, 1, 4, "section 1: kind 1 is unknown or out of order"},
        {PSY_PSM_TYPES, 0, 16, 4, "section 1: kind 16 is unknown or out of order"},
        {PSY_PSM_STRINGS, 0, 0, 4, "section 0: kind 0 is unknown or out of order"},
        {PSY_PSM_TYPES, 4, 1, 4, "section 1: kind 2 is unknown or out of order"},
        {PSY_PSM_TYPES, 8, 64, 8, "section types: 128 bytes at 64 do not fit"},
        {PSY_PSM_TYPES, 8, UINT64_MAX - 63, 8, "do not fit"},
        {PSY_PSM_TYPES, 16, 0, 8, "section types: 0 bytes at"},
        {PSY_PSM_TYPES, 16, 127, 8, "section types: 127 bytes at"},
        {PSY_PSM_TYPES, 16, UINT64_MAX - 31, 8, "do not fit"},
        {PSY_PSM_LINES, 16, 20, 8, "zero"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t n;
        uint8_t *bytes = sample_module("nearest", &n);
        psy__module m;
        memcpy((uint8_t *)section(bytes, cases[i].kind) + cases[i].at, &cases[i].bits, cases[i].bytes);
        sample_rehash(bytes, n);
        psy_status status = decode(bytes, n, &m);
        cr_assert_eq(status, PSY_CORRUPT, "%s", cases[i].detail);
        if (strcmp(cases[i].detail, "zero") != 0) {
            expect(cases[i].detail, status, PSY_CORRUPT, cases[i].detail);
        }
        free(bytes);
    }
}

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
Test(module, computed_sizes)
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
Test(module, alternatives)
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
Test(module, messages)
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

Test(module, records)
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
Test(module, names_differ)
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

/* Kernels: dropped from modules that arrived, checked in those that the operator named. */
Test(module, kernels)
{
    uint64_t n, out_n;
    uint8_t *bytes = sample_module("nearest", &n), *out;
    psy__module m, again;
    static const uint32_t code[4] = {0x07230203, 0, 0, 0};
    cr_assert_eq(decode(bytes, n, &m), PSY_OK);
    char strings[1024];
    memcpy(strings, m.strings, m.strings_bytes);
    strcpy(strings + m.strings_bytes, "nearest_shard_0");
    static const struct {
        uint32_t word, target;
        uint64_t offset, bytes;
        const char *detail;
    } cases[] = {
        {8, PSY_TARGET_SPIRV, 0, 16, NULL},
        {8, 2, 0, 16, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, 2, 8, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, 4, 16, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, UINT64_MAX - 3, 16, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, 0, 0, "kernel 0 is malformed"},
        {10, PSY_TARGET_SPIRV, 0, 16, "kernel 0 starts within an instruction"},
        {10000, PSY_TARGET_SPIRV, 0, 16, "kernel 0 is malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        psy_psm_kernel kernel = {.name = (uint32_t)m.strings_bytes,
                                 .target = cases[i].target,
                                 .word = cases[i].word,
                                 .offset = cases[i].offset,
                                 .bytes = cases[i].bytes};
        psy__module with = m;
        with.strings = strings;
        with.strings_bytes = m.strings_bytes + sizeof "nearest_shard_0";
        with.kernels = &kernel;
        with.kernel_count = 1;
        with.kernel_code = (const uint8_t *)code;
        with.kernel_code_bytes = sizeof code;
        cr_assert_eq(psy__module_encode(&with, &out, &out_n), PSY_OK);
        psy_status status = decode(out, out_n, &again);
        if (cases[i].detail) {
            expect(cases[i].detail, status, PSY_CORRUPT, cases[i].detail);
        } else {
            cr_assert(status == PSY_OK, "%s", psy_detail());
            cr_assert_eq(again.kernel_count, 1);
            cr_assert_str_eq(psy__module_string(&again, again.kernels[0].name), "nearest_shard_0");
        }
        cr_assert_eq(psy__module_decode(out, out_n, PSY_TRUST_BYTECODE, &again), PSY_OK);
        cr_assert_eq(again.kernel_count, 0);
        cr_assert_eq(again.kernel_code_bytes, 0);
        free(out);
    }
    free(bytes);
}

/* The same records give the same bytes, however their names were stored. */
Test(module, encoding_is_canonical)
{
    static const psy_psm_register registers[1] = {{.dtype = PSY_F32, .slot = PSY_NO_SLOT}};
    static const uint32_t code[] = {
        PSY_OP_LOAD | PSY_F32 << 8 | 1u << 24, 0, 0, 0, PSY_OP_STORE | PSY_F32 << 8 | 3u << 24, PSY_NO_REG, 0, 0, PSY_NONE, 0};
    static const char neat[] = "\0T\0a\0p", untidy[] = "\0unused\0p\0a\0T\0a\0T";
    static const uint32_t names[2][3] = {{1, 3, 5}, {16, 14, 8}};
    uint8_t *out[2];
    uint64_t n[2];
    for (int i = 0; i < 2; i++) {
        const char *strings = i ? untidy : neat;
        psy_psm_field field = {
            .name = names[i][1], .dtype = PSY_F32, .count = 1, .offset = 8, .count_offset = PSY_NONE, .since = 1, PLAIN};
        psy_psm_type type = {.name = names[i][0], .field_count = 1, .bytes = 64, .version = 1, .align = 64};
        static const uint64_t zero_key[2] = {0, 0};
        type.layout_hash = psy__siphash(zero_key, "T{f32 a@8;}64", 13);
        psy_psm_program program = {.name = names[i][2], .partial_type = PSY_NONE, .register_count = 1, .word_count = 10};
        psy__module m = {.strings = strings,
                         .strings_bytes = i ? sizeof untidy : sizeof neat,
                         .types = &type,
                         .type_count = 1,
                         .fields = &field,
                         .field_count = 1,
                         .programs = &program,
                         .program_count = 1,
                         .registers = registers,
                         .register_count = 1,
                         .code = code,
                         .code_words = 10};
        cr_assert_eq(psy__module_encode(&m, &out[i], &n[i]), PSY_OK);
        psy__module back;
        cr_assert(decode(out[i], n[i], &back) == PSY_OK, "%s", psy_detail());
    }
    cr_assert(n[0] == n[1] && memcmp(out[0], out[1], n[0]) == 0);
    free(out[0]);
    free(out[1]);
    psy_psm_type type = {.name = 99};
    cr_assert_eq(psy__module_encode(
                     &(psy__module){.strings = neat, .strings_bytes = sizeof neat, .types = &type, .type_count = 1}, out, n),
                 PSY_INVALID);
    cr_assert_eq(psy__module_encode(
                     &(psy__module){.strings = neat, .strings_bytes = sizeof neat, .types = &type, .type_count = 1025}, out, n),
                 PSY_TOO_LARGE);
}

/* ---- bytes from anywhere ---- */

/* Decodes a copy whose end AddressSanitizer guards; what is accepted must survive everything that is done with modules. */
static bool survive(const uint8_t *bytes, uint64_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    psy__module m;
    bool good = decode(copy, n, &m) == PSY_OK;
    if (good) {
        char *text;
        size_t text_n;
        uint8_t *again;
        uint64_t again_n, symbols[256], bases[256] = {0};
        for (uint32_t i = 0; i < m.symbol_count; i++) {
            symbols[i] = 2 + i % 2;
        }
        for (uint32_t i = 0; i < m.program_count; i++) {
            psy__bound_program b;
            if (psy__program_bind(&m, i, symbols, bases, &(psy__limits){.arena_bytes = 1 << 20, .work = 1 << 20}, &b) ==
                PSY_OK) {
                psy__program_unbind(&b);
            }
        }
        cr_assert_eq(psy__disassemble(&m, &text, &text_n), PSY_OK);
        psy_status status = psy__assemble(text, text_n, &again, &again_n);
        cr_assert(status == PSY_OK, "%s\n%s", psy_detail(), text);
        cr_assert(again_n == n && memcmp(again, copy, n) == 0, "assembles to other bytes:\n%s", text);
        free(text);
        free(again);
    }
    free(copy);
    return good;
}

Test(module, truncated_at_every_length)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        uint64_t n;
        uint8_t *bytes = sample_module(sample_names[s], &n);
        cr_assert(survive(bytes, n));
        for (uint64_t cut = 0; cut < n; cut++) {
            cr_assert_not(survive(bytes, cut), "%zu", (size_t)cut);
        }
        for (uint64_t cut = sizeof(psy_psm_header); cut < n; cut++) { /* and said to be so long */
            uint8_t *shorter = malloc(cut);
            memcpy(shorter, bytes, cut);
            memcpy(shorter + offsetof(psy_psm_header, bytes), &cut, sizeof cut);
            sample_rehash(shorter, cut);
            cr_assert_not(survive(shorter, cut), "%zu", (size_t)cut);
            free(shorter);
        }
        free(bytes);
    }
}

Test(module, every_byte_changed)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        uint64_t n;
        uint8_t *bytes = sample_module(sample_names[s], &n);
        unsigned good = 0;
        for (uint64_t at = 0; at < n; at++) {
            static const uint8_t flips[] = {0x01, 0x02, 0x80, 0xff};
            for (size_t i = 0; i < sizeof flips; i++) {
                uint8_t kept = bytes[at];
                bytes[at] ^= flips[i];
                cr_assert_not(survive(bytes, n), "byte %zu without its hash", (size_t)at);
                uint64_t hash;
                memcpy(&hash, bytes + offsetof(psy_psm_header, hash), sizeof hash);
                sample_rehash(bytes, n);
                good += survive(bytes, n);
                memcpy(bytes + offsetof(psy_psm_header, hash), &hash, sizeof hash);
                bytes[at] = kept;
            }
        }
        cr_assert(survive(bytes, n));
        cr_assert_gt(good, 20); /* values of constants, lines, names: not everything is refused */
        free(bytes);
    }
}

Test(module, mutations)
{
    uint64_t state = 12345;
    unsigned good = 0;
    enum { SEEDS = 20, EACH = 5000 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        size_t text_n;
        uint64_t n;
        char *text = random_module_text(seed + 1000, &text_n);
        uint8_t *bytes, *other;
        cr_assert_eq(psy__assemble(text, text_n, &bytes, &n), PSY_OK);
        other = malloc(n);
        for (unsigned i = 0; i < EACH; i++) {
            memcpy(other, bytes, n);
            for (unsigned k = 0; k <= i % 4; k++) {
                uint64_t at = 64 + sample_random(&state) % (n - 64);
                uint64_t word = at & ~UINT64_C(3);
                uint32_t value;
                memcpy(&value, other + word, sizeof value);
                switch (sample_random(&state) % 6) {
                case 0: other[at] = (uint8_t)sample_random(&state); break;
                case 1: other[at] ^= (uint8_t)(1u << sample_random(&state) % 8); break;
                case 2: value += (uint32_t)(sample_random(&state) % 5) - 2; break;
                case 3: value = (uint32_t)sample_random(&state) % 16; break;
                case 4: value = PSY_NONE; break;
                default: memcpy(&value, bytes + (64 + sample_random(&state) % (n - 64) / 4 * 4) % (n - 3), sizeof value); break;
                }
                if (sample_random(&state) % 2) {
                    memcpy(other + word, &value, sizeof value);
                }
            }
            sample_rehash(other, n);
            good += survive(other, n);
        }
        free(other);
        free(bytes);
        free(text);
    }
    cr_assert_gt(good, SEEDS * EACH / 200);
}
