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
