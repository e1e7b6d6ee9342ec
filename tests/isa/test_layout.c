/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/layout.h"

#include "sample.h"

/* name 1 "T", names 3 "a", 5 "b", 7 "c" */
static const char strings[] = "\0T\0a\0b\0c";

static psy_psm_field field(uint32_t name, unsigned dtype, unsigned kind, uint32_t count)
{
    return (psy_psm_field){.name = name, .dtype = (uint8_t)dtype, .kind = (uint8_t)kind, .count = count, .since = 1};
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
    cr_assert_eq(psy__layout(strings, &t, f), PSY_OK);
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
    cr_assert_eq(psy__layout(strings, &t, f), PSY_OK);
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
    cr_assert_eq(psy__layout(strings, &t, f), PSY_OK);
    cr_assert_eq(f[1].count_offset, 16);
    cr_assert_eq(f[1].offset, 20);
    cr_assert_eq(t.layout_hash, hash_of("T{u64 a@8 key;u8[<=3] b@20/16;}64"));
}

Test(layout, empty_message_is_its_header)
{
    psy_psm_type t = {.name = 1};
    cr_assert_eq(psy__layout(strings, &t, NULL), PSY_OK);
    cr_assert_eq(t.bytes, 64);
}

Test(layout, refuses_what_has_no_layout)
{
    psy_psm_type t = {.name = 1, .field_count = 1};
    psy_psm_field f = field(3, PSY_F64, PSY_FIELD_ARRAY, UINT32_MAX);
    cr_assert_eq(psy__layout(strings, &t, &f), PSY_TOO_LARGE);
    cr_assert(strstr(psy_detail(), "field a") != NULL);
    f = field(3, PSY_F64, PSY_FIELD_ARRAY, 0);
    cr_assert_eq(psy__layout(strings, &t, &f), PSY_INVALID);
    f = field(3, PSY_F64, PSY_FIELD_SCALAR, 2);
    cr_assert_eq(psy__layout(strings, &t, &f), PSY_INVALID);
    f = field(3, 99, PSY_FIELD_SCALAR, 1);
    cr_assert_eq(psy__layout(strings, &t, &f), PSY_INVALID);
    f = field(3, PSY_F32, 3, 1);
    cr_assert_eq(psy__layout(strings, &t, &f), PSY_INVALID);
    /* The largest there is. */
    f = field(3, PSY_U8, PSY_FIELD_ARRAY, PSY_MESSAGE_BYTES_MAX - 64);
    cr_assert_eq(psy__layout(strings, &t, &f), PSY_OK);
    cr_assert_eq(t.bytes, PSY_MESSAGE_BYTES_MAX);
}
