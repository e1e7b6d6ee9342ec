/* SPDX-License-Identifier: Apache-2.0 */
/* Assembler and disassembler: exact inverses, exact literals, mistakes with their place, and any bytes at all. */
#include "random_module.h"

/* Text to module to text to module: the texts are `canonical` (or become so), the modules the same. */
static void round_trip(const char *name, const char *text, size_t n, bool canonical)
{
    uint8_t *bytes = NULL, *bytes_again = NULL;
    uint64_t bytes_n, again_n;
    char *out = NULL, *out_again = NULL;
    size_t out_n, out_again_n;
    psy__module m;
    psy_status status = psy__assemble(text, n, &bytes, &bytes_n);
    cr_assert(status == PSY_OK, "%s: %s\n%s", name, psy_detail(), text);
    cr_assert_eq(psy__module_decode(bytes, bytes_n, PSY_TRUST_BYTECODE, &m), PSY_OK);
    cr_assert_eq(psy__disassemble(&m, &out, &out_n), PSY_OK);
    cr_assert_eq(strlen(out), out_n);
    if (canonical) {
        cr_assert_str_eq(out, text);
    }
    status = psy__assemble(out, out_n, &bytes_again, &again_n);
    cr_assert(status == PSY_OK, "%s again: %s\n%s", name, psy_detail(), out);
    cr_assert(again_n == bytes_n && memcmp(bytes, bytes_again, bytes_n) == 0, "%s: other bytes\n%s", name, out);
    cr_assert_eq(psy__module_decode(bytes_again, again_n, PSY_TRUST_BYTECODE, &m), PSY_OK);
    cr_assert_eq(psy__disassemble(&m, &out_again, &out_again_n), PSY_OK);
    cr_assert_str_eq(out, out_again);
    free(bytes);
    free(bytes_again);
    free(out);
    free(out_again);
}

Test(asm, samples_are_canonical)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t n;
        char *text = sample_text(sample_names[i], &n);
        round_trip(sample_names[i], text, n, true);
        free(text);
    }
}

Test(asm, random_modules_verify_and_come_back)
{
    unsigned long registers = 0;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        char name[32];
        size_t n;
        char *text = random_module_text(seed, &n);
        snprintf(name, sizeof name, "seed %u", (unsigned)seed);
        round_trip(name, text, n, false);
        for (const char *at = text; (at = strstr(at, ": f")) != NULL; at++) {
            registers++;
        }
        free(text);
    }
    cr_assert_gt(registers, 2000); /* the generator does not quietly make nothing */
}

Test(asm, spacing_and_comments_do_not_matter)
{
    static const char *const texts[] = {
        "// hello\nmodule 3.0 ; type T{a:f32[ 2 ]@since( 1 );} type U{b:f32[<=2];}\r\n\tprogram p(T)->U{"
        "%0:f32[2]=load.f32 a;store.f32 %0,b,-;}// end",
        "module 3.0;\ntype T {\n    a: f32[2];\n}\ntype U {\n    b: f32[<=2];\n}\n"
        "program p(T) -> U slots 0 {\n    %0: f32[2] = load.f32 a;\n    store.f32 %0, b, -;\n}\n"};
    uint8_t *bytes[2];
    uint64_t n[2];
    for (int i = 0; i < 2; i++) {
        psy_status status = psy__assemble(texts[i], strlen(texts[i]), &bytes[i], &n[i]);
        cr_assert(status == PSY_OK, "%s", psy_detail());
    }
    cr_assert(n[0] == n[1] && memcmp(bytes[0], bytes[1], n[0]) == 0);
    free(bytes[0]);
    free(bytes[1]);
}

/* As many registers as an instruction's count has room for, and not one more. */
Test(asm, long_lists)
{
    for (unsigned count = 253; count <= 255; count++) {
        char text[4096];
        int n = snprintf(text, sizeof text,
                         "module 3.0;\n\ntype I {\n    a: f32[1];\n}\n\ntype O {\n    b: f32[%u];\n}\n\n"
                         "program p(I) -> O slots 1 {\n    %%0: f32[1] = load.f32 a;\n    %%1: f32[%u] @0 = concat.f32 0",
                         count, count);
        for (unsigned i = 0; i < count; i++) {
            n += snprintf(text + n, sizeof text - (size_t)n, ", %%0");
        }
        n += snprintf(text + n, sizeof text - (size_t)n, ";\n    store.f32 %%1, b, -;\n}\n");
        if (count < 255) {
            round_trip("a long list", text, (size_t)n, true);
            continue;
        }
        uint8_t *bytes = NULL;
        uint64_t bytes_n;
        cr_assert_eq(psy__assemble(text, (size_t)n, &bytes, &bytes_n), PSY_CORRUPT);
        cr_assert(strstr(psy_detail(), "where \";\" should be"), "%s", psy_detail());
    }
}

Test(asm, literals_are_exact)
{
    uint64_t state = 7;
    for (unsigned dtype = 1; dtype <= 13; dtype++) {
        unsigned width = psy__dtype_bytes(dtype) * 8;
        uint64_t mask = UINT64_MAX >> (64 - width);
        const uint64_t special[] = {0,
                                    1,
                                    mask,
                                    mask >> 1,
                                    (mask >> 1) + 1,
                                    UINT64_C(0x7f800000),
                                    UINT64_C(0xff800000),
                                    0x7fc00001,
                                    UINT64_C(0x7ff0000000000000),
                                    UINT64_C(0x7ff8000000000001),
                                    UINT64_C(0x8000000000000000),
                                    UINT64_C(0x80000000),
                                    UINT64_C(0x3f800000),
                                    UINT64_C(0x4b7fffff),
                                    UINT64_C(0x4b800000),
                                    UINT64_C(0x3ff0000000000000),
                                    UINT64_C(0x000fffffffffffff),
                                    UINT64_C(0x007fffff)};
        for (unsigned i = 0; i < 5000; i++) {
            uint64_t bits = (i < sizeof special / sizeof special[0] ? special[i] : sample_random(&state)) & mask, again = ~bits;
            char text[PSY_LITERAL_BYTES];
            psy__literal_print(text, dtype, bits);
            psy__lexer lexer;
            psy__lexer_init(&lexer, text, strlen(text));
            psy__token token = psy__lexer_next(&lexer);
            cr_assert(psy__literal_read(&token, dtype, &again), "%s %s", psy__dtype_name(dtype), text);
            cr_assert(again == bits, "%s %s", psy__dtype_name(dtype), text);
            cr_assert_eq(psy__lexer_next(&lexer).kind, PSY_TOKEN_END, "%s %s", psy__dtype_name(dtype), text);
        }
    }
}

Test(asm, literals_people_write)
{
    static const struct {
        const char *text;
        unsigned dtype;
        bool ok;
        uint64_t bits;
    } rows[] = {{"1.5", PSY_F32, true, 0x3fc00000},
                {"-2", PSY_F32, true, UINT64_C(0xc0000000)},
                {"0.1", PSY_F32, true, 0x3dcccccd},
                {"1e-3", PSY_F64, true, UINT64_C(0x3f50624dd2f1a9fc)},
                {"1e39", PSY_F32, false, 0},
                {"255", PSY_U8, true, 255},
                {"256", PSY_U8, false, 0},
                {"-1", PSY_U8, false, 0},
                {"-128", PSY_I8, true, 0x80},
                {"-129", PSY_I8, false, 0},
                {"128", PSY_I8, false, 0},
                {"18446744073709551615", PSY_U64, true, UINT64_MAX},
                {"1.5", PSY_I32, false, 0},
                {"#1ff", PSY_U8, false, 0},
                {"#ff", PSY_I8, true, 0xff},
                {"1", PSY_BOOL, true, 1},
                {"1", PSY_F16, false, 0},
                {"#3c00", PSY_F16, true, 0x3c00},
                {"0x1.8p+1", PSY_F32, true, 0x40400000},
                {"1.5x", PSY_F32, false, 0},
                {"-9223372036854775808", PSY_I64, true, UINT64_C(1) << 63}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        psy__lexer lexer;
        psy__lexer_init(&lexer, rows[i].text, strlen(rows[i].text));
        psy__token token = psy__lexer_next(&lexer);
        uint64_t bits = 0;
        cr_assert_eq(psy__literal_read(&token, rows[i].dtype, &bits), rows[i].ok, "%s", rows[i].text);
        cr_assert(!rows[i].ok || bits == rows[i].bits, "%s", rows[i].text);
    }
}

#define HEAD "module 3.0;\ntype T { a: f32; }\n"
Test(asm, mistakes_name_their_place)
{
    static const struct {
        const char *text, *detail;
    } rows[] = {
        {"", "line 1, column 1: the text ends where module should be"},
        {"modul 1.0;", "line 1, column 1: \"modul\" where module should be"},
        {"module 1.0;", "line 1, column 8: the text has another format than 3.0, which this library reads"},
        {HEAD "what", "line 3, column 1: \"what\" where type, struct, union, enum, flags, size, check, resident, consts, "
                      "program, pipeline or alternative should be"},
        {HEAD "type T { a: f32; }", "line 3, column 6: there is a type T already"},
        {HEAD "alternative p(T) -> T route any p;", "line 3, column 13: there is no pipeline that this is an alternative of"},
        {HEAD "type U { a: f32; a: f32; }", "line 3, column 18: there is a field a already"},
        {HEAD "type U { a: f33; }", "line 3, column 13: there is no type f33 above"},
        {HEAD "type U { a: f32[0]; }", "line 3, column 6: field a: a count of 0"},
        {HEAD "type U { a: f64[4294967295]; }", "line 3, column 6: field a: the message grows over 1073741824 bytes"},
        {HEAD "type U { a: u8 = 256; }", "line 3, column 18: \"256\" where a value of the field's dtype should be"},
        {HEAD "type U { a: u8[<=3]?; }", "line 3, column 20: \"?\" where \"@\" should be"},
        {HEAD "type U { a: string[4]; }", "line 3, column 20: \"4\" where \"<=\" should be"},
        {HEAD "type U { a: string[<=4][]; }", "line 3, column 25: \"]\" where a field's count should be"},
        {HEAD "type U { a: string[<=0][2]; }", "line 3, column 6: field a: texts of 0 bytes"},
        {HEAD "type U { a: variant[<=0]; }", "line 3, column 6: field a: a count of 0"},
        {HEAD "type U { a: string[<=4] = 3; }", "line 3, column 27: \"3\" where a text in quotes should be"},
        {HEAD "type U { a: string[<=1000000][<=1000000]; }",
         "line 3, column 6: field a: the message grows over 1073741824 bytes"},
        {HEAD "type U { a.b: u8; }", "type U: field 0 is malformed"},
        {HEAD "type U { a: part { b: u8; } }", "type U: field 1 is malformed"},
        {HEAD "type U { a: part { a.b.c: u8; } }", "type U: field 1 is malformed"},
        {HEAD "type U { a: part { a.b: u8; }; }", "line 3, column 30: \";\" where a name should be"},
        {HEAD "type U { a: u8 @since(2); b: part { b.c: u8 @since(3); } }",
         "line 3, column 6: field b: version 1 after version 2"},
        {HEAD "type U { a: part { a.b: u8 @since(3); a.c: part {} } }",
         "line 3, column 6: field a.c: version 1 after version 3"},
        {HEAD "type U { a: part { a.b: part { a.b.c: part { a.b.c.d: part { a.b.c.d.e: part { a.b.c.d.e.f: part { "
              "a.b.c.d.e.f.g: part { a.b.c.d.e.f.g.h: part { a.b.c.d.e.f.g.h.i: part { } } } } } } } } } }",
         "line 3, column 146: parts over 8 deep"},
        {HEAD "type U { a: u8 @bee; }", "line 3, column 17: \"bee\" where key, align, since, deprecated or retired should be"},
        {HEAD "type U { a: U[2]; }", "line 3, column 13: type U cannot lie in itself"},
        {HEAD "type U { a: V[2]; } type V {}", "line 3, column 13: there is no type V above"},
        {HEAD "type U { a: T; }", "line 3, column 13: one T lies here field by field: part { ... }"},
        {HEAD "struct S { a: u8; } type U { a: S @since(2); }",
         "line 3, column 33: one S lies here field by field: struct { ... }"},
        {HEAD "type U { a: T[2]?; }", "line 3, column 17: \"?\" where \"@\" should be"},
        {HEAD "type U { a: f32[]?; }", "line 3, column 18: \"?\" where \"@\" should be"},
        {HEAD "type U { a: string[]?; }", "line 3, column 21: \"?\" where \"@\" should be"},
        {HEAD "type U { a: string[<=3][4]?; }", "line 3, column 27: \"?\" where \"@\" should be"},
        {HEAD "type U { a: type; }", "line 3, column 17: \";\" where a name should be"},
        {HEAD "type U { a: type f32; }", "line 3, column 18: there is no type f32 above"},
        {HEAD "union V { a: u8; } type U { a: V[2]; }", "line 3, column 33: \"[\" where \"@\" should be"},
        {HEAD "union V { a: u8?; }", "line 3, column 7: field a: its type cannot hold fields of kind 3"},
        {HEAD "union V { a: string?; }", "line 3, column 7: field a: its type cannot hold fields of kind 8"},
        {HEAD "union V { a: u8; } union W { a: V; }", "line 3, column 26: field a: its type cannot hold fields of kind 7"},
        {HEAD "union V { a: u8 = 2; }", "type V: field 0 is malformed"},
        {HEAD "union V { }", "line 3, column 7: type V: it has no fields"},
        {HEAD "struct S { a: u8[]; }", "line 3, column 8: field a: its type cannot hold fields of kind 8"},
        {HEAD "struct S { a: u8[<=2]; }", "line 3, column 8: field a: its type cannot hold fields of kind 2"},
        {HEAD "struct S { a: T[2]; }", "line 3, column 8: field a: its type cannot hold fields of kind 1"},
        {HEAD "struct S { a: part { } }", "line 3, column 8: field a: its type cannot hold fields of kind 4"},
        {HEAD "struct S { a: u8 @since(2); }", "type S: field 0 is malformed"},
        {HEAD "type U { a: struct { a.b: u8? } }", "line 3, column 31: \"}\" where \"@\" should be"},
        {HEAD "type U { a: struct { a.b: u8?; } }", "line 3, column 6: field a.b: its type cannot hold fields of kind 3"},
        {HEAD "type U { a: struct { } }", "line 3, column 6: field a: a struct without fields"},
        {HEAD "type U { a: part = 3 { } }", "line 3, column 18: \"=\" where \"@\" should be"},
        {HEAD "enum E: f32 { a = 1; }", "line 3, column 6: type E: it cannot be of f32"},
        {HEAD "enum E: bool { a = 1; }", "line 3, column 6: type E: it cannot be of bool"},
        {HEAD "enum E { a = 1; }", "line 3, column 8: \"{\" where \":\" should be"},
        {HEAD "enum E: u8 { }", "line 3, column 6: type E: it has no fields"},
        {HEAD "enum E: u8 { a; }", "line 3, column 15: \";\" where \"=\" should be"},
        {HEAD "enum E: u8 { a = 256; }", "line 3, column 18: \"256\" where a value of the field's dtype should be"},
        {HEAD "enum E: u8 { a = 1; a = 2; }", "line 3, column 21: there is a field a already"},
        {HEAD "enum E: u8 { a = 1 @align(8); }", "line 3, column 6: field a: its type cannot hold fields of kind 0"},
        {HEAD "flags E: u64 { a = 1 @key; }", "type E: its key is not one u64"},
        {HEAD "flags E: u64 { a = 1; } type U { a: E @key; }", "type U: its key is not one u64"},
        {HEAD "type U { a: struct { a.b: u64 @key; } }", "type U: its key is not one u64"},
        {HEAD "type U { a: u8 @align(3); }", "line 3, column 22: an alignment of 3: it is 2, 4, 8, 16, 32 or 64"},
        {HEAD "type U { a: u8 @align(1); }", "line 3, column 22: an alignment of 1: it is 2, 4, 8, 16, 32 or 64"},
        {HEAD "type U { a: u8 @align(128); }", "line 3, column 23: 128 is too large for an alignment: at most 64"},
        {HEAD "type U { a: bool = 2; }", "type U: field 0 is malformed"},
        {HEAD "type U { a: u8[2] = 2; }", "type U: field 0 is malformed"},
        {HEAD "type U { a: string[<=4] = \"12345\"; }", "line 3, column 27: a text of 5 bytes, and the field has room for 4"},
        {HEAD "type U { a: string[<=4][2] = \"a\"; }", "line 3, column 30: \"a\" where a value of the field's dtype should be"},
        {HEAD "type V { a: string; } program p(T) -> V { }", "program 0: its name or types are out of range"},
        {HEAD "struct S { a: u8; } program p(S) -> T { }", "program 0: its name or types are out of range"},
        {HEAD "size N both M;",
         "line 3, column 8: \"both\" where global, local, shards, message, add, sub, mul or div should be"},
        {HEAD "size N div 2;", "line 3, column 13: \";\" where a size should be"},
        {HEAD "size N div 2 -1;", "line 3, column 14: \"-1\" where a size should be"},
        {HEAD "size N add M 1;", "line 3, column 12: there is no size M above"},
        {HEAD "program p(T) -> T { %0: f32[1] = slice.f32 %0, 0, 0, -; }",
         "line 3, column 54: \"-\" where a signed number should be"},
        {HEAD "program p(T) -> T { %0: f32[1] = slice.f32 %0, 0, -3, 1; }", "line 3, column 51: \"-3\" where a size should be"},
        {HEAD "program p(T) -> T { %0: f32[1] = slice.f32 %0, 0, 0, 2147483648; }",
         "line 3, column 54: 2147483648 is too large for a signed number: at most 2147483647"},
        {HEAD "program p(T) -> T { %0: f32[1] = slice.f32 %0, 0, 0, -2147483648; }",
         "line 3, column 54: 2147483648 is too large for a signed number: at most 2147483647"},
        {HEAD "program p(T) -> T { %0: f32[1] = concat.f32 0, 1; }", "line 3, column 48: \"1\" where a register should be"},
        {HEAD "program p(T) -> T { %0: f32[1] = concat.f32 0, -; }", "line 3, column 48: \"-\" where a register should be"},
        {HEAD "size N local M;", "line 3, column 14: there is no size M above"},
        {HEAD "check 2 > 1 \"\";", "line 3, column 9: a character that means nothing here"},
        {HEAD "check 2 >= 2147483648 \"\";", "line 3, column 12: 2147483648 is too large for a size: at most 2147483647"},
        {HEAD "check 2 >= 1 \"a\nb\";", "line 3, column 14: a control character in a string"},
        {HEAD "check 2 >= 1 \"a\\r\";", "line 3, column 14: an escape that is none of \\\" \\\\ \\n \\t"},
        {HEAD "check 2 >= 1 \"a\\nb\";", "check 0 is malformed"},
        {HEAD "check 2 >= 1 \"a", "line 3, column 14: a string without its end"},
        {HEAD "check 99999999999999999999 >= 1 \"\";", "line 3, column 7: a number over 64 bits"},
        {HEAD "resident r: f32[1,1,1,1,1,1,1,1,1] replicated;", "line 3, column 33: more than 8 dims"},
        {HEAD "consts 4 { 0: f32 1, 2; }", "line 3, column 22: more values than the 4 bytes of constants hold"},
        {HEAD "consts 4 {} consts 4 {}", "line 3, column 20: there are constants already"},
        {HEAD "consts 200000000 {}", "line 3, column 8: 200000000 is too large for the bytes of constants: at most 134217728"},
        {HEAD "program p(T) -> T { %0: f32 = lode.f32 a; }", "line 3, column 31: there is no operation lode"},
        {HEAD "program p(T) -> T { %0: f32 = load a; }", "line 3, column 31: load needs a dtype: load.f32"},
        {HEAD "program p(T) -> T { region.f32 { } }", "line 3, column 21: region takes no dtype"},
        {HEAD "program p(T) -> T { %0: f32 = load.f32 b; }", "line 3, column 40: there is no field b above"},
        {HEAD "program p(T) -> T { load.f32 a; }", "line 3, column 21: load has 1 results"},
        {HEAD "program p(T) -> T { %0: f32 = load.f32 a; %0: f32 = load.f32 a; }",
         "line 3, column 43: register %0 is written twice"},
        {HEAD "program p(T) -> T { %1: f32 = load.f32 a; }",
         "line 3, column 44: register %0 of the program above is never written"},
        {HEAD "program p(T) -> T { %60000: f32 = load.f32 a; }", "line 3, column 21: register %60000: there are at most 60000"},
        {HEAD "program p(T) -> T { %0: f32[3] @0, %2: u64[3] @1 = topk.f32 %0, -, 3, -; }",
         "line 3, column 36: the results of an instruction are not numbered in a row"},
        {HEAD "program p(T) -> T { region { region { } } }", "line 3, column 30: a region within a region"},
        {HEAD "program p(T) -> T { %0: f32 = partial.f32 a; }", "line 3, column 43: the program has no partial type"},
        {HEAD "program p(T, T) -> T { }", "line 3, column 14: only a partial type can follow the input type"},
        {HEAD "program p(T) -> T { % }", "line 3, column 21: % without a register's number"},
        {HEAD "program p(T) -> T { %0: f32 = load.f32 a from \"a\\tb\" 1:1; store.f32 %0, a, -; }",
         "source line 0 is malformed"},
        {HEAD "pipeline q(T) -> T route any p;", "line 3, column 30: there is no program p above"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *bytes = NULL;
        uint64_t n;
        psy_status status = psy__assemble(rows[i].text, strlen(rows[i].text), &bytes, &n);
        cr_assert_eq(status, PSY_CORRUPT, "%s", rows[i].text);
        cr_assert(strcmp(psy_detail(), rows[i].detail) == 0, "%s\n  says  %s\n  wants %s", rows[i].text, psy_detail(),
                  rows[i].detail);
    }
}

Test(asm, any_bytes_are_safe)
{
    uint64_t state = 99, bytes_n;
    unsigned good = 0;
    for (size_t s = 0; s < SAMPLES; s++) {
        size_t n;
        char *text = sample_text(sample_names[s], &n);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *bytes = NULL;
            char *exact = malloc(cut + 1); /* its end is guarded by AddressSanitizer */
            memcpy(exact + 1, text, cut);
            if (psy__assemble(exact + 1, cut, &bytes, &bytes_n) == PSY_OK) {
                free(bytes);
            }
            free(exact);
        }
        for (unsigned i = 0; i < 4000; i++) {
            uint8_t *bytes = NULL;
            char *other = malloc(n);
            memcpy(other, text, n);
            for (unsigned k = 0; k <= i % 3; k++) {
                size_t at = sample_random(&state) % n;
                if (i % 2) {
                    other[at] = (char)sample_random(&state);
                } else { /* a piece from somewhere else */
                    size_t from = sample_random(&state) % n, most = n - (at > from ? at : from);
                    memmove(other + at, text + from, most < 12 ? most : 12);
                }
            }
            if (psy__assemble(other, n, &bytes, &bytes_n) == PSY_OK) {
                good++;
                free(bytes);
            }
            free(other);
        }
        free(text);
    }
    cr_assert_gt(good, 20, "%u of the changed texts are good", good);
}
