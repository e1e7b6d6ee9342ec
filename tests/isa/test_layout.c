/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/layout.h"

#include "sample.h"

/* name 1 "T", names 3 "a", 5 "b", 7 "c" */
static const char strings[] = "\0T\0a\0b\0c";

static psy_psm_field field(uint32_t name, unsigned dtype, unsigned kind, uint32_t count)
{
    return (psy_psm_field){.name = name,
                           .dtype = (uint8_t)dtype,
                           .kind = (uint8_t)kind,
                           .count = count,
                           .since = 1,
                           .parent = PSY_NONE,
                           .type = PSY_NONE};
}

static uint64_t hash_of(const char *text)
{
    static const uint64_t zero_key[2] = {0, 0};
    return psy__siphash(zero_key, text, strlen(text));
}

Test(layout, scalars_take_natural_alignment)
{
    psy_psm_field f[] = {field(3, PSY_U8, PSY_FIELD_SCALAR, 1), field(5, PSY_F64, PSY_FIELD_SCALAR, 1),
                         field(7, PSY_U16, PSY_FIELD_SCALAR, 1)};
    psy_psm_type t = {.name = 1, .field_count = 3};
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, f), PSY_OK);
    cr_assert_eq(f[0].offset, 8);
    cr_assert_eq(f[1].offset, 16);
    cr_assert_eq(f[2].offset, 24);
    cr_assert_eq(f[2].count_offset, PSY_NONE);
    cr_assert_eq(t.bytes, 64);
    cr_assert_eq(t.version, 1);
    cr_assert_eq(t.layout_hash, hash_of("T{u8 a@8;f64 b@16;u16 c@24;}64"));
}

Test(layout, vectors_of_64_bytes_start_on_64)
{
    psy_psm_field f[] = {field(3, PSY_F32, PSY_FIELD_ARRAY, 15), field(5, PSY_F32, PSY_FIELD_ARRAY, 16),
                         field(7, PSY_F32, PSY_FIELD_BOUNDED, 16)};
    f[2].since = 4;
    psy_psm_type t = {.name = 1, .field_count = 3};
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, f), PSY_OK);
    cr_assert_eq(f[0].offset, 8);
    cr_assert_eq(f[1].offset, 128);
    cr_assert_eq(f[2].count_offset, 192);
    cr_assert_eq(f[2].offset, 256);
    cr_assert_eq(t.bytes, 320);
    cr_assert_eq(t.version, 4);
    cr_assert_eq(t.layout_hash, hash_of("T{f32[15] a@8;f32[16] b@128;f32[<=16] c@256/192;}320"));
}

Test(layout, key_and_small_bounded)
{
    psy_psm_field f[] = {field(3, PSY_U64, PSY_FIELD_SCALAR, 1), field(5, PSY_U8, PSY_FIELD_BOUNDED, 3)};
    f[0].flags = PSY_FIELD_KEY;
    psy_psm_type t = {.name = 1, .field_count = 2};
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, f), PSY_OK);
    cr_assert_eq(f[1].count_offset, 16);
    cr_assert_eq(f[1].offset, 20);
    cr_assert_eq(t.layout_hash, hash_of("T{u64 a@8 key;u8[<=3] b@20/16;}64"));
}

Test(layout, empty_message_is_its_header)
{
    psy_psm_type t = {.name = 1};
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, NULL), PSY_OK);
    cr_assert_eq(t.bytes, 64);
}

Test(layout, texts)
{
    psy_psm_field f[] = {field(3, PSY_U8, PSY_FIELD_BOUNDED, 80), field(5, PSY_U8, PSY_FIELD_ARRAY, 4),
                         field(7, PSY_U8, PSY_FIELD_BOUNDED, 3)};
    f[0].flags = PSY_FIELD_TEXT;
    f[1].flags = f[2].flags = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY;
    f[1].inner = 20;
    f[2].inner = 5;
    psy_psm_type t = {.name = 1, .field_count = 3};
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, f), PSY_OK);
    cr_assert(f[0].count_offset == 8 && f[0].offset == 64 && f[0].inner == 1 && f[0].inner_offset == PSY_NONE);
    cr_assert(f[1].count_offset == PSY_NONE && f[1].inner_offset == 144 && f[1].offset == 192 && f[1].inner == 20);
    cr_assert(f[2].count_offset == 272 && f[2].inner_offset == 276 && f[2].offset == 288);
    cr_assert_eq(psy__field_end(&f[2]), 303);
    cr_assert_eq(t.bytes, 320);
    cr_assert_eq(t.layout_hash,
                 hash_of("T{string[<=80] a@64/8;string[<=20][4] b@192//144;string[<=5][<=3] c@288/272/276;}320"));
}

Test(layout, optional_fields_follow_their_byte)
{
    psy_psm_field f[] = {field(3, PSY_U8, PSY_FIELD_OPTIONAL, 1), field(5, PSY_F64, PSY_FIELD_OPTIONAL, 1),
                         field(7, PSY_F32, PSY_FIELD_OPTIONAL, 16)};
    f[2].flags = PSY_FIELD_IS_ARRAY;
    psy_psm_type t = {.name = 1, .field_count = 3};
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, f), PSY_OK);
    cr_assert(f[0].count_offset == 8 && f[0].offset == 9);
    cr_assert(f[1].count_offset == 10 && f[1].offset == 16);
    cr_assert(f[2].count_offset == 24 && f[2].offset == 64);
    cr_assert_eq(t.layout_hash, hash_of("T{u8? a@9/8;f64? b@16/10;f32[16]? c@64/24;}128"));
}

Test(layout, parts_are_messages)
{
    /* T { a: u8; b: part { b.a: u16; b.b: part { b.b.a: u64 } b.c: u8 } c: u8 } */
    static const char names[] = "\0T\0a\0b\0b.a\0b.b\0b.b.a\0b.c\0c";
    psy_psm_field f[] = {field(3, PSY_U8, PSY_FIELD_SCALAR, 1),   field(5, PSY_U8, PSY_FIELD_PART, 0),
                         field(7, PSY_U16, PSY_FIELD_SCALAR, 1),  field(11, PSY_U8, PSY_FIELD_PART, 0),
                         field(15, PSY_U64, PSY_FIELD_SCALAR, 1), field(21, PSY_U8, PSY_FIELD_SCALAR, 1),
                         field(25, PSY_U8, PSY_FIELD_SCALAR, 1)};
    f[2].parent = f[3].parent = f[5].parent = 1;
    f[4].parent = 3;
    f[4].since = 7;
    f[5].since = 2;
    f[6].since = 3;
    psy_psm_type t = {.name = 1, .field_count = 7};
    cr_assert_eq(psy__layout(names, NULL, 0, &t, f), PSY_OK);
    cr_assert(f[1].offset == 64 && f[1].count == 192 && f[1].default_bits == (192 | UINT64_C(2) << 32));
    cr_assert_eq(f[2].offset, 72);
    cr_assert(f[3].offset == 128 && f[3].count == 64 && f[3].default_bits == (64 | UINT64_C(7) << 32));
    cr_assert_eq(f[4].offset, 136);
    cr_assert_eq(f[5].offset, 192);
    cr_assert_eq(f[6].offset, 256);
    cr_assert(t.bytes == 320 && t.version == 3);
    cr_assert_eq(t.layout_hash,
                 hash_of("T{u8 a@8;part 192 b@64;u16 b.a@72;part 64 b.b@128;u64 b.b.a@136;u8 b.c@192;u8 c@256;}320"));
    f[2].parent = 0; /* no part */
    cr_assert_eq(psy__layout(names, NULL, 0, &t, f), PSY_INVALID);
    f[2].parent = 1;
    f[6].parent = 3; /* one that has ended */
    cr_assert_eq(psy__layout(names, NULL, 0, &t, f), PSY_INVALID);
    f[6].parent = PSY_NONE;
    f[5].since = 0;
    cr_assert_eq(psy__layout(names, NULL, 0, &t, f), PSY_INVALID);
}

Test(layout, variants_have_a_descriptor)
{
    psy_psm_field f[] = {field(3, PSY_U8, PSY_FIELD_SCALAR, 1), field(5, PSY_U8, PSY_FIELD_VARIANT, 100)};
    psy_psm_type t = {.name = 1, .field_count = 2};
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, f), PSY_OK);
    cr_assert(f[1].count_offset == 12 && f[1].offset == 64);
    cr_assert_eq(t.layout_hash, hash_of("T{u8 a@8;variant[<=100] b@64/12;}192"));
}

/* ---- types of types ---- */

/* name 1 "S", 3 "E", 5 "T", names 7 "a", 9 "b", 11 "c", 13 "d", 15 "b.x", 19 "b.y" */
static const char names[] = "\0S\0E\0T\0a\0b\0c\0d\0b.x\0b.y";

/* enum E: u16, struct S { a: u8; b: f64; c: E[3]; }, laid out. */
static void lay_out_two(psy_psm_type types[2])
{
    psy_psm_field values[] = {field(7, PSY_U16, PSY_FIELD_SCALAR, 1), field(9, PSY_U16, PSY_FIELD_SCALAR, 1)};
    psy_psm_field inside[] = {field(7, PSY_U8, PSY_FIELD_SCALAR, 1), field(9, PSY_F64, PSY_FIELD_SCALAR, 1),
                              field(11, PSY_U16, PSY_FIELD_ARRAY, 3)};
    values[1].since = 3;
    inside[2].type = 0;
    types[0] = (psy_psm_type){.name = 3, .kind = PSY_TYPE_ENUM, .dtype = PSY_U16, .field_count = 2};
    types[1] = (psy_psm_type){.name = 1, .kind = PSY_TYPE_STRUCT, .field_count = 3};
    cr_assert_eq(psy__layout(names, types, 0, &types[0], values), PSY_OK);
    cr_assert(types[0].bytes == 2 && types[0].align == 2 && types[0].version == 3 && types[0].depth == 0);
    cr_assert(values[0].offset == 0 && values[1].offset == 0 && values[1].count_offset == PSY_NONE);
    cr_assert_eq(types[0].layout_hash, hash_of("enum E{u16 a@0;u16 b@0;}2"));
    cr_assert_eq(psy__layout(names, types, 1, &types[1], inside), PSY_OK);
    cr_assert(inside[0].offset == 0 && inside[1].offset == 8 && inside[2].offset == 16);
    cr_assert(types[1].bytes == 24 && types[1].align == 8 && types[1].depth == 0 && types[1].flags == 0);
    cr_assert_eq(types[1].layout_hash, hash_of("struct S{u8 a@0;f64 b@8;u16[3] c@16;}24"));
}

Test(layout, structs_lie_in_messages_and_in_lists)
{
    /* T { a: u8; b: struct @align(32) { b.x: u8; b.y: u32; } c: S[3]; d: S?; } */
    psy_psm_type types[3];
    char text[256];
    lay_out_two(types);
    psy_psm_field f[] = {field(7, PSY_U8, PSY_FIELD_SCALAR, 1),  field(9, PSY_U8, PSY_FIELD_STRUCT, 0),
                         field(15, PSY_U8, PSY_FIELD_SCALAR, 1), field(19, PSY_U32, PSY_FIELD_SCALAR, 1),
                         field(11, PSY_U8, PSY_FIELD_ARRAY, 3),  field(13, PSY_U8, PSY_FIELD_OPTIONAL, 1)};
    f[1].flags = 5 << PSY_FIELD_ALIGN_SHIFT;
    f[2].parent = f[3].parent = 1;
    f[4].flags = f[5].flags = PSY_FIELD_ITEMS;
    f[4].type = f[5].type = 1;
    types[2] = (psy_psm_type){.name = 5, .field_count = 6};
    cr_assert(psy__layout(names, types, 2, &types[2], f) == PSY_OK, "%s", psy_detail());
    cr_assert(f[1].offset == 32 && f[1].count == 8 && f[1].default_bits == 0 && f[2].offset == 32 && f[3].offset == 36);
    cr_assert(f[4].offset == 64 && f[4].inner == 24 && psy__field_end(&f[4]) == 136); /* 72 bytes: from 64 on */
    cr_assert(f[5].count_offset == 136 && f[5].offset == 144 && psy__field_end(&f[5]) == 168);
    cr_assert(types[2].bytes == 192 && types[2].align == 64 && types[2].depth == 1 && types[2].flags == 0);
    snprintf(text, sizeof text,
             "T{u8 a@8;struct 8 b@32;u8 b.x@32;u32 b.y@36;struct %016llx[3] c@64;struct %016llx? d@144/136;}192",
             (unsigned long long)types[1].layout_hash, (unsigned long long)types[1].layout_hash);
    cr_assert_eq(types[2].layout_hash, hash_of(text));
    f[2].kind = PSY_FIELD_OPTIONAL; /* a struct holds no such field */
    cr_assert_eq(psy__layout(names, types, 2, &types[2], f), PSY_INVALID);
}

Test(layout, unions_have_room_for_the_longest)
{
    /* union S { a: string[<=5][3]; b: part { b.x: u64 } c: u8[] } T { a: u8; d: S; } */
    psy_psm_type types[2] = {{.name = 1, .kind = PSY_TYPE_UNION, .field_count = 1}, {.name = 5, .field_count = 2}};
    char text[256];
    psy_psm_field members[] = {field(7, PSY_U8, PSY_FIELD_ARRAY, 3), field(9, PSY_U8, PSY_FIELD_PART, 0),
                               field(15, PSY_U64, PSY_FIELD_SCALAR, 1), field(11, PSY_U8, PSY_FIELD_TAIL, 0)};
    members[0].flags = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY;
    members[0].inner = 5;
    members[2].parent = 1;
    cr_assert_eq(psy__layout(names, types, 0, &types[0], members), PSY_OK);
    cr_assert(members[0].inner_offset == 0 && members[0].offset == 12 && types[0].bytes == 28);
    cr_assert_eq(types[0].align, 4); /* its lengths are u32 */
    types[0].field_count = 4;
    cr_assert_eq(psy__layout(names, types, 0, &types[0], members), PSY_OK);
    cr_assert(members[1].offset == 0 && members[1].count == 64 && members[2].offset == 8 && members[3].offset == 0);
    cr_assert(types[0].bytes == 64 && types[0].align == 64 && types[0].depth == 1 && types[0].flags == PSY_TYPE_TAILED);
    cr_assert_eq(types[0].layout_hash, hash_of("union S{string[<=5][3] a@12//0;part 64 b@0;u64 b.x@8;u8[] c@0;}64"));
    psy_psm_field f[] = {field(7, PSY_U8, PSY_FIELD_SCALAR, 1), field(13, PSY_U8, PSY_FIELD_UNION, 0)};
    f[1].type = 0;
    cr_assert_eq(psy__layout(names, types, 1, &types[1], f), PSY_OK);
    cr_assert(f[1].count_offset == 9 && f[1].offset == 64 && f[1].count == 64);
    cr_assert(types[1].bytes == 128 && types[1].depth == 2 && types[1].flags == PSY_TYPE_TAILED);
    snprintf(text, sizeof text, "T{u8 a@8;union %016llx d@64/9;}128", (unsigned long long)types[0].layout_hash);
    cr_assert_eq(types[1].layout_hash, hash_of(text));
}

Test(layout, tails_are_described_in_the_message)
{
    /* T { a: u8; b: string; c: f64[] @align(64); d: variant; } */
    psy_psm_type t = {.name = 5, .field_count = 4};
    psy_psm_field f[] = {field(7, PSY_U8, PSY_FIELD_SCALAR, 1), field(9, PSY_U8, PSY_FIELD_TAIL, 0),
                         field(11, PSY_F64, PSY_FIELD_TAIL, 0), field(13, PSY_U8, PSY_FIELD_VARIANT, 0)};
    f[1].flags = PSY_FIELD_TEXT | PSY_FIELD_MAYBE;
    f[2].flags = 6 << PSY_FIELD_ALIGN_SHIFT;
    f[3].flags = PSY_FIELD_OPEN;
    cr_assert_eq(psy__layout(names, NULL, 0, &t, f), PSY_OK);
    cr_assert(f[1].offset == 12 && f[1].count == 0 && f[1].count_offset == PSY_NONE && psy__field_end(&f[1]) == 20);
    cr_assert(f[2].offset == 20 && psy__field_end(&f[2]) == 28); /* @align is that of what lies in the tail */
    cr_assert(f[3].count_offset == 28 && f[3].offset == 64 && psy__field_end(&f[3]) == 68);
    cr_assert(t.bytes == 128 && t.flags == PSY_TYPE_TAILED);
    cr_assert_eq(t.layout_hash, hash_of("T{u8 a@8;string? b@12;f64[] c@20;variant d@64/28;}128"));
}

Test(layout, optional_texts_keep_their_length)
{
    psy_psm_type t = {.name = 5, .field_count = 2};
    psy_psm_field f[] = {field(7, PSY_U8, PSY_FIELD_OPTIONAL, 5), field(9, PSY_U8, PSY_FIELD_OPTIONAL, 64)};
    f[0].flags = f[1].flags = PSY_FIELD_TEXT;
    cr_assert_eq(psy__layout(names, NULL, 0, &t, f), PSY_OK);
    cr_assert(f[0].count_offset == 8 && f[0].inner_offset == 12 && f[0].offset == 16 && f[0].count == 5);
    cr_assert(f[1].count_offset == 21 && f[1].inner_offset == 24 && f[1].offset == 64);
    cr_assert_eq(t.layout_hash, hash_of("T{string[<=5]? a@16/8/12;string[<=64]? b@64/21/24;}128"));
}

/* Eight types in each other, and no more; whichever way they lie there. */
Test(layout, depth)
{
    psy_psm_type types[10];
    for (uint32_t i = 0; i < 10; i++) {
        psy_psm_field f = field(7, PSY_U8, i % 2 ? PSY_FIELD_TAIL : PSY_FIELD_ARRAY, i % 2 ? 0 : 1);
        f.flags = i > 0 ? PSY_FIELD_ITEMS : 0;
        f.type = i > 0 ? i - 1 : PSY_NONE;
        types[i] = (psy_psm_type){.name = 1, .field_count = 1};
        cr_assert_eq(psy__layout(names, types, i, &types[i], &f), i <= 8 ? PSY_OK : PSY_INVALID, "%u", i);
        if (i > 8) {
            cr_assert(strstr(psy_detail(), "over 8 deep") != NULL, "%s", psy_detail());
            return;
        }
        cr_assert(types[i].depth == i, "%u", i);
    }
}

Test(layout, refuses_types_that_do_not_fit)
{
    psy_psm_type types[3];
    lay_out_two(types);
    types[2] = (psy_psm_type){.name = 5, .kind = PSY_TYPE_UNION, .field_count = 1};
    psy_psm_field member = field(7, PSY_U8, PSY_FIELD_SCALAR, 1);
    cr_assert_eq(psy__layout(names, types, 2, &types[2], &member), PSY_OK);
    enum { E = 0, S = 1, U = 2 };
    static const struct {
        unsigned in, dtype, kind, flags;
        uint32_t type;
        psy_status status;
    } rows[] = {
        {PSY_TYPE_MESSAGE, PSY_U16, PSY_FIELD_BOUNDED, 0, E, PSY_OK},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_BOUNDED, 0, E, PSY_INVALID}, /* another dtype */
        {PSY_TYPE_MESSAGE, PSY_U16, PSY_FIELD_SCALAR, 0, 3, PSY_INVALID}, /* none before this one */
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_BOUNDED, PSY_FIELD_ITEMS, E, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_BOUNDED, PSY_FIELD_ITEMS, U, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_BOUNDED, PSY_FIELD_ITEMS, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U16, PSY_FIELD_BOUNDED, PSY_FIELD_ITEMS, S, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_BOUNDED, PSY_FIELD_ITEMS, S, PSY_OK},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_SCALAR, PSY_FIELD_ITEMS, S, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_OPTIONAL, PSY_FIELD_ITEMS | PSY_FIELD_IS_ARRAY, S, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_UNION, 0, U, PSY_OK},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_UNION, 0, S, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_UNION, 0, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_VARIANT, 0, E, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_TAIL, PSY_FIELD_MAYBE, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_TAIL, PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_MAYBE, PSY_NONE,
         PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_TAIL, PSY_FIELD_IS_ARRAY, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_TAIL, PSY_FIELD_OPEN, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_MESSAGE, PSY_U8, PSY_FIELD_SCALAR, 7 << PSY_FIELD_ALIGN_SHIFT, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_STRUCT, PSY_U16, PSY_FIELD_SCALAR, 0, E, PSY_OK},
        {PSY_TYPE_STRUCT, PSY_U8, PSY_FIELD_BOUNDED, 0, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_STRUCT, PSY_U8, PSY_FIELD_UNION, 0, U, PSY_INVALID},
        {PSY_TYPE_STRUCT, PSY_U8, PSY_FIELD_TAIL, 0, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_STRUCT, PSY_U8, PSY_FIELD_VARIANT, 0, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_STRUCT, PSY_U8, PSY_FIELD_ARRAY, PSY_FIELD_ITEMS, S, PSY_OK},
        {PSY_TYPE_UNION, PSY_U8, PSY_FIELD_OPTIONAL, 0, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_UNION, PSY_U8, PSY_FIELD_UNION, 0, U, PSY_INVALID},
        {PSY_TYPE_UNION, PSY_U8, PSY_FIELD_TAIL, PSY_FIELD_TEXT | PSY_FIELD_MAYBE, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_ENUM, PSY_U8, PSY_FIELD_SCALAR, 0, PSY_NONE, PSY_OK},
        {PSY_TYPE_ENUM, PSY_U16, PSY_FIELD_SCALAR, 0, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_ENUM, PSY_U8, PSY_FIELD_ARRAY, 0, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_FLAGS, PSY_U8, PSY_FIELD_SCALAR, 3 << PSY_FIELD_ALIGN_SHIFT, PSY_NONE, PSY_INVALID},
        {PSY_TYPE_KIND_END, PSY_U8, PSY_FIELD_SCALAR, 0, PSY_NONE, PSY_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        psy_psm_type t = {.name = 5, .kind = (uint8_t)rows[i].in, .field_count = 1};
        t.dtype = rows[i].in == PSY_TYPE_ENUM || rows[i].in == PSY_TYPE_FLAGS ? PSY_U8 : 0;
        psy_psm_field f = field(7, rows[i].dtype, rows[i].kind, 1);
        f.flags = (uint16_t)rows[i].flags;
        f.type = rows[i].type;
        cr_assert(psy__layout(names, types, 3, &t, &f) == rows[i].status, "row %zu: %s", i, psy_detail());
    }
    /* What a number is made of, and how many members a tag counts. */
    for (unsigned dtype = 0; dtype <= 14; dtype++) {
        psy_psm_type t = {.name = 5, .kind = PSY_TYPE_FLAGS, .dtype = (uint8_t)dtype, .field_count = 1};
        psy_psm_field f = field(7, dtype, PSY_FIELD_SCALAR, 1);
        const psy_dtype_class class_ = psy__dtype_class(dtype);
        bool integer = psy__dtype_bytes(dtype) && (class_ == PSY_DCLASS_SINT || class_ == PSY_DCLASS_UINT);
        cr_assert((psy__layout(names, types, 3, &t, &f) == PSY_OK) == integer, "%u", dtype);
        t.kind = PSY_TYPE_STRUCT;
        f.dtype = PSY_U8;
        cr_assert((psy__layout(names, types, 3, &t, &f) == PSY_OK) == (dtype == 0), "%u", dtype);
    }
    psy_psm_field members[256];
    for (uint32_t i = 0; i < 256; i++) {
        members[i] = field(7, PSY_U8, PSY_FIELD_SCALAR, 1);
    }
    psy_psm_type t = {.name = 5, .kind = PSY_TYPE_UNION, .field_count = 255};
    cr_assert_eq(psy__layout(names, types, 3, &t, members), PSY_OK);
    t.field_count = 256;
    cr_assert_eq(psy__layout(names, types, 3, &t, members), PSY_INVALID);
}

Test(layout, refuses_what_has_no_layout)
{
    psy_psm_type t = {.name = 1, .field_count = 1};
    psy_psm_field f = field(3, PSY_F64, PSY_FIELD_ARRAY, UINT32_MAX);
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_TOO_LARGE);
    cr_assert(strstr(psy_detail(), "field a") != NULL);
    f = field(3, PSY_F64, PSY_FIELD_ARRAY, 0);
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_INVALID);
    f = field(3, PSY_F64, PSY_FIELD_SCALAR, 2);
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_INVALID);
    f = field(3, 99, PSY_FIELD_SCALAR, 1);
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_INVALID);
    f = field(3, PSY_F32, PSY_FIELD_KIND_END, 1);
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_INVALID);
    static const struct {
        unsigned dtype, kind, flags;
    } wrong[] = {{PSY_F32, PSY_FIELD_BOUNDED, PSY_FIELD_TEXT},
                 {PSY_U8, PSY_FIELD_SCALAR, PSY_FIELD_TEXT},
                 {PSY_U8, PSY_FIELD_ARRAY, PSY_FIELD_TEXT},
                 {PSY_U8, PSY_FIELD_OPTIONAL, PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY},
                 {PSY_F32, PSY_FIELD_ARRAY, PSY_FIELD_IS_ARRAY},
                 {PSY_F32, PSY_FIELD_PART, 0},
                 {PSY_F32, PSY_FIELD_VARIANT, 0},
                 {PSY_U8, PSY_FIELD_VARIANT, PSY_FIELD_IS_ARRAY},
                 {PSY_U64, PSY_FIELD_SCALAR, 8}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        f = field(3, wrong[i].dtype, wrong[i].kind, 1);
        f.flags = (uint16_t)wrong[i].flags;
        cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_INVALID, "%zu", i);
    }
    f = field(3, PSY_U8, PSY_FIELD_ARRAY, UINT32_MAX);
    f.flags = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY;
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_INVALID); /* texts of 0 bytes */
    f.inner = UINT32_MAX;
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_TOO_LARGE);
    /* The largest there is. */
    f = field(3, PSY_U8, PSY_FIELD_ARRAY, PSY_MESSAGE_BYTES_MAX - 64);
    cr_assert_eq(psy__layout(strings, NULL, 0, &t, &f), PSY_OK);
    cr_assert_eq(t.bytes, PSY_MESSAGE_BYTES_MAX);
}
