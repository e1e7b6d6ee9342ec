/* SPDX-License-Identifier: Apache-2.0 */
/* Generated headers: texts, optional fields, messages inside messages and variants. doc/messages.md has the rules. */
#include "base/siphash.h"
#include "tests/test.h"

#include "k1.psy.h"
#include "k3.psy.h"
#include "kinds.psy.h"

/* The UTF-8 of a text that is there in so many bytes. */
static bool is(const char *text, size_t n, const char *wanted) { return n == strlen(wanted) && memcmp(text, wanted, n) == 0; }

Test(kinds, init)
{
    kinds_item m;
    memset(&m, 0xA5, sizeof m);
    kinds_item_init(&m);
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_OK);
    cr_assert(is(kinds_item_title(&m), kinds_item_title_bytes(&m), "en?\\ \"\xc3\xa9\""));
    cr_assert(is(kinds_item_lang(&m), kinds_item_lang_bytes(&m), "de"));
    cr_assert_eq(kinds_item_tags_count(&m), 0);
    cr_assert_eq(kinds_item_tags_bytes(&m, 3), 0);
    cr_assert_eq(kinds_item_codes_bytes(&m, 1), 0);
    cr_assert(!kinds_item_has_price(&m) && kinds_item_price(&m) == 0.5f);
    cr_assert(!kinds_item_has_place(&m) && kinds_item_place(&m) == NULL);
    cr_assert(!kinds_item_has_there(&m) && kinds_item_there(&m));
    cr_assert(!kinds_item_has_small(&m) && kinds_item_small(&m) == -3);
    cr_assert_eq(kinds_item_half(&m), 0x3e00);
    cr_assert_eq(kinds_item_brain(&m), 0xc000);
    psy_variant_view v;
    cr_assert_eq(kinds_item_embedding(&m, &v), PSY_NOT_FOUND);
    _Alignas(64) kinds_deep d;
    memset(&d, 0xA5, sizeof d);
    kinds_deep_init(&d);
    cr_assert_eq(kinds_deep_verify(&d, sizeof d), PSY_OK);
    const kinds_order *o = kinds_deep_more(&d);
    cr_assert(o->header.bytes == sizeof *o && o->header.version == 2 && o->header.reserved == 0);
    cr_assert(kinds_order_verify(o, sizeof *o) == PSY_OK && kinds_order_after(o) == 9);
    cr_assert_eq(kinds_order_bare(o)->header.bytes, 64);
    cr_assert(is(kinds_item_lang(kinds_order_item(o)), kinds_item_lang_bytes(kinds_order_item(o)), "de"));
}

Test(kinds, texts)
{
    _Alignas(64) kinds_item m;
    char long_[128];
    memset(long_, 'x', sizeof long_);
    kinds_item_init(&m);
    cr_assert(kinds_item_set_title(&m, long_, 80) && kinds_item_title_bytes(&m) == 80);
    cr_assert(!kinds_item_set_title(&m, long_, 81) && kinds_item_title_bytes(&m) == 80);
    static const char *const wrong[] = {
        "\xff", "a\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "ok\xe2\x82"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert(!kinds_item_set_title(&m, wrong[i], strlen(wrong[i])), "%zu", i);
    }
    cr_assert(kinds_item_set_title(&m, "\xf0\x9f\x8c\x8a\xed\x9f\xbf\0x", 9) && kinds_item_title_bytes(&m) == 9);
    cr_assert(kinds_item_set_title(&m, NULL, 0) && kinds_item_title_bytes(&m) == 0);
    for (uint32_t i = 0; i < KINDS_ITEM_TAGS_COUNT; i++) {
        cr_assert(kinds_item_set_tags(&m, i, "tagtagtagtag", 12 - i));
    }
    cr_assert(!kinds_item_set_tags(&m, KINDS_ITEM_TAGS_COUNT, "a", 1) && !kinds_item_set_tags(&m, 0, long_, 13) &&
              !kinds_item_set_tags(&m, 0, "\x80", 1));
    kinds_item_set_tags_count(&m, 99);
    cr_assert_eq(kinds_item_tags_count(&m), 4);
    cr_assert(is(kinds_item_tags(&m, 2), kinds_item_tags_bytes(&m, 2), "tagtagtagt"));
    cr_assert(kinds_item_tags(&m, 4) == NULL && kinds_item_tags_bytes(&m, 4) == 0 &&
              kinds_item_tags_bytes(&m, UINT32_MAX) == 0);
    cr_assert(kinds_item_set_codes(&m, 1, "abc", 3) && !kinds_item_set_codes(&m, 2, "abc", 3));
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_OK);
    /* Beyond the count anything may lie. */
    kinds_item_set_tags_count(&m, 2);
    m.tags_bytes[2] = UINT32_MAX;
    m.tags[3][0] = (char)0x80;
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_OK);
    cr_assert_eq(kinds_item_tags_bytes(&m, 2), 12);
    m.tags_bytes[1] = 13;
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_CORRUPT);
    m.tags_bytes[1] = 11;
    m.tags[1][5] = (char)0xff;
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_CORRUPT);
    m.tags_bytes[1] = 5; /* what is past a text is not looked at */
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_OK);
    m.title_bytes = 81;
    cr_assert_eq(kinds_item_title_bytes(&m), 80);
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_CORRUPT);
}

Test(kinds, optional_fields)
{
    _Alignas(64) kinds_item m;
    kinds_item_init(&m);
    kinds_item_set_price(&m, 7.5f);
    cr_assert(kinds_item_has_price(&m) && kinds_item_price(&m) == 7.5f);
    kinds_item_set_there(&m, false);
    cr_assert(kinds_item_has_there(&m) && !kinds_item_there(&m));
    kinds_item_mutable_place(&m)[2] = 3;
    cr_assert(kinds_item_has_place(&m) && kinds_item_place(&m)[2] == 3);
    cr_assert_eq((size_t)((uint8_t *)kinds_item_mutable_big(&m) - (uint8_t *)&m) % 64, 0);
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_OK);
    kinds_item_clear_price(&m);
    kinds_item_clear_place(&m);
    cr_assert(!kinds_item_has_price(&m) && kinds_item_price(&m) == 0.5f && m.price == 0 && kinds_item_place(&m) == NULL);
    m.has_small = 2;
    cr_assert(kinds_item_has_small(&m)); /* true or false, whatever the byte */
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_CORRUPT);
    m.has_small = 0;
    m.there = 2;
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_CORRUPT);
}

Test(kinds, variants)
{
    _Alignas(64) kinds_item m;
    psy_variant_view v, part;
    kinds_item_init(&m);
    float *x = kinds_item_set_embedding(&m, PSY_F32, 2, (uint32_t[]){3, 4});
    cr_assert_eq((uint8_t *)x, m.embedding);
    for (int i = 0; i < 12; i++) {
        x[i] = (float)i;
    }
    cr_assert_eq(kinds_item_embedding(&m, &v), PSY_OK);
    cr_assert(v.dtype == PSY_F32 && v.rank == 2 && v.dims[1] == 4 && v.strides[0] == 4 && psy_variant_count(&v) == 12);
    cr_assert(psy_variant_elements(&v, PSY_F32) == x && psy_variant_elements(&v, PSY_I32) == NULL);
    cr_assert(*(const float *)psy_variant_at(&v, PSY_F32, (uint32_t[]){2, 3}) == 11 &&
              psy_variant_at(&v, PSY_F32, (uint32_t[]){3, 0}) == NULL &&
              psy_variant_at(&v, PSY_F64, (uint32_t[]){0, 0}) == NULL);
    cr_assert_eq(psy_variant_transpose(&v, NULL, &part), PSY_OK);
    cr_assert(*(const float *)psy_variant_at(&part, PSY_F32, (uint32_t[]){3, 1}) == 7 && part.dims[0] == 4);
    cr_assert(psy_variant_elements(&part, PSY_F32) == NULL &&
              psy_variant_reshape(&part, 1, (uint32_t[]){12}, &part) == PSY_INVALID);
    cr_assert_eq(psy_variant_transpose(&v, (uint32_t[]){1, 1}, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_transpose(&v, (uint32_t[]){0, 2}, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_row(&v, 0, 1, &part), PSY_OK);
    cr_assert(part.rank == 1 && psy_variant_elements(&part, PSY_F32) == x + 4);
    cr_assert_eq(psy_variant_row(&v, 1, 4, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_row(&v, 2, 0, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_reshape(&v, 3, (uint32_t[]){2, 3, 2}, &part), PSY_OK);
    cr_assert_eq(*(const float *)psy_variant_at(&part, PSY_F32, (uint32_t[]){1, 2, 1}), 11);
    cr_assert_eq(psy_variant_reshape(&v, 1, (uint32_t[]){11}, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_slice(&v, 1, 3, 2, -3, &part), PSY_OK);
    cr_assert(*(const float *)psy_variant_at(&part, PSY_F32, (uint32_t[]){1, 0}) == 7 &&
              *(const float *)psy_variant_at(&part, PSY_F32, (uint32_t[]){2, 1}) == 8);
    cr_assert_eq(psy_variant_slice(&part, 1, 1, 2, -1, &part), PSY_OK); /* the other way again */
    cr_assert_eq(*(const float *)psy_variant_at(&part, PSY_F32, (uint32_t[]){0, 1}), 3);
    static const struct {
        uint32_t axis, from, count;
        int32_t step;
    } wrong[] = {{2, 0, 1, 1},
                 {1, 0, 1, 0},
                 {1, 4, 1, 1},
                 {1, 0, 5, 1},
                 {1, 1, 3, -1},
                 {1, 0, 3, 2},
                 {0, 0, 4, 1},
                 {1, 0, UINT32_MAX, INT32_MAX},
                 {1, 3, UINT32_MAX, INT32_MIN}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(psy_variant_slice(&v, wrong[i].axis, wrong[i].from, wrong[i].count, wrong[i].step, &part), PSY_INVALID,
                     "%zu", i);
    }
    cr_assert_eq(psy_variant_slice(&v, 1, 3, 1, INT32_MIN, &part), PSY_OK);
    cr_assert_eq(psy_variant_slice(&part, 1, 0, 1, INT32_MIN, &part), PSY_OK);
    cr_assert_eq(psy_variant_slice(&v, 1, 9, 0, 1, &part), PSY_OK);
    cr_assert(psy_variant_count(&part) == 0 && psy_variant_is_packed(&part));
    /* What there is room for, and what not. */
    cr_assert(kinds_item_set_embedding(&m, PSY_F64, 1, (uint32_t[]){33}) == NULL && m.embedding_head.dtype == PSY_F32);
    cr_assert(kinds_item_set_embedding(&m, PSY_F64, 3, (uint32_t[]){UINT32_MAX, UINT32_MAX, UINT32_MAX}) == NULL);
    cr_assert(kinds_item_set_embedding(&m, PSY_F64, 3, (uint32_t[]){UINT32_MAX, UINT32_MAX, 0}) != NULL);
    cr_assert(kinds_item_embedding(&m, &v) == PSY_OK && psy_variant_count(&v) == 0);
    cr_assert(kinds_item_set_embedding(&m, (psy_dtype)99, 0, NULL) == NULL);
    cr_assert(kinds_item_set_embedding(&m, PSY_I8, 9, (uint32_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}) == NULL);
    cr_assert(kinds_item_set_embedding(&m, PSY_I16, 0, NULL) != NULL && kinds_item_embedding(&m, &v) == PSY_OK && v.rank == 0);
    cr_assert(kinds_item_set_embedding(&m, PSY_U8, 1, (uint32_t[]){256}) != NULL);
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_OK);
    /* What a stranger may have written. */
    static const psy_variant_head bad[] = {{14, 0, 0, {0}},
                                           {PSY_U8, 9, 0, {1}},
                                           {PSY_U8, 1, 1, {1}},
                                           {PSY_U8, 1, 0, {257}},
                                           {0, 1, 0, {1}},
                                           {0, 0, 0, {0, 1}},
                                           {0, 0, 1, {0}},
                                           {PSY_U8, 0, 0, {1}},
                                           {PSY_F64, 1, 0, {33}},
                                           {PSY_U8, 2, 0, {16, 17}},
                                           {PSY_U8, 1, 0, {1, 0, 0, 0, 0, 0, 0, 1}}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        m.embedding_head = bad[i];
        cr_assert_eq(kinds_item_embedding(&m, &v), PSY_CORRUPT, "%zu", i);
        cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_CORRUPT, "%zu", i);
    }
    kinds_item_clear_embedding(&m);
    cr_assert_eq(kinds_item_embedding(&m, &v), PSY_NOT_FOUND);
    /* A builder of the field's room. */
    psy_variant_builder b;
    m.embedding_head.dtype = 99;
    kinds_item_build_embedding(&m, &b);
    cr_assert_eq(kinds_item_embedding(&m, &v), PSY_NOT_FOUND);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_F64, 2, (uint32_t[]){0, 4}), PSY_OK);
    for (uint32_t i = 0; i < 8; i++) {
        cr_assert_eq(psy_variant_append_f64(&b, (double[]){i, 1, 2, 3}, 4), PSY_OK);
    }
    cr_assert_eq(psy_variant_append_f64(&b, (double[]){8, 1, 2, 3}, 4), PSY_FULL);
    cr_assert(kinds_item_embedding(&m, &v) == PSY_OK && v.dims[0] == 8 && *psy_variant_f64_at2(&v, 7, 0) == 7);
    cr_assert_eq(kinds_item_verify(&m, sizeof m), PSY_OK);
}

/* ---- other versions ---- */

Test(kinds, older_messages_and_parts_get_defaults)
{
    _Alignas(64) k1_order old;
    _Alignas(64) k3_order now;
    memset(&old, 0, sizeof old);
    k1_order_init(&old);
    k1_order_set_number(&old, 42);
    k1_order_set_after(&old, 3);
    k1_item_set_id(k1_order_mutable_item(&old), 7);
    cr_assert(k1_item_set_title(k1_order_mutable_item(&old), "lamp", 4));
    cr_assert_eq(K1_ITEM_BYTES, K3_ITEM_BYTES);
    cr_assert_eq(k3_order_verify(&old, sizeof old), PSY_VERSION);
    memset(&now, 0xA5, sizeof now);
    cr_assert_eq(k3_order_read(&now, &old, sizeof old), PSY_OK);
    cr_assert_eq(k3_order_verify(&now, sizeof now), PSY_OK);
    const k3_item *item = k3_order_item(&now), *next = k3_order_next(&now);
    cr_assert(k3_order_number(&now) == 42 && k3_order_after(&now) == 3 && k3_item_id(item) == 7);
    cr_assert(is(k3_item_title(item), k3_item_title_bytes(item), "lamp"));
    cr_assert(item->header.version == 4 && !k3_item_has_price(item) && k3_item_price(item) == 0.5f);
    cr_assert(is(k3_item_lang(item), k3_item_lang_bytes(item), "de") && !k3_item_has_seen(item) && !k3_item_seen(item));
    cr_assert(next->header.bytes == sizeof *next && next->header.version == 4);
    cr_assert(is(k3_item_title(next), k3_item_title_bytes(next), "none") &&
              is(k3_item_lang(next), k3_item_lang_bytes(next), "de"));
    cr_assert(k3_order_tags_count(&now) == 0 && is(k3_order_note(&now), k3_order_note_bytes(&now), "-"));
    psy_variant_view v;
    cr_assert_eq(k3_order_shape(&now, &v), PSY_NOT_FOUND);
    /* A part of a version between, in a message of this one. */
    k3_order_mutable_item(&now)->header.version = 2;
    k3_item_set_seen(k3_order_mutable_item(&now), true);
    k3_item_set_price(k3_order_mutable_item(&now), 2);
    cr_assert_eq(k3_order_verify(&now, sizeof now), PSY_VERSION);
    _Alignas(64) k3_order again;
    cr_assert_eq(k3_order_read(&again, &now, sizeof now), PSY_OK);
    cr_assert(k3_item_price(k3_order_item(&again)) == 2 && !k3_item_has_seen(k3_order_item(&again)));
    static const uint16_t never[] = {0, 3};
    for (size_t i = 0; i < 2; i++) {
        k3_order_mutable_item(&now)->header.version = never[i];
        cr_assert_eq(k3_order_read(&again, &now, sizeof now), PSY_CORRUPT);
    }
    k3_order_mutable_item(&now)->header.version = 4;
    k3_order_mutable_item(&now)->header.bytes = 128;
    cr_assert_eq(k3_order_verify(&now, sizeof now), PSY_CORRUPT);
    cr_assert_eq(k3_order_read(&again, &now, sizeof now), PSY_CORRUPT);
}

Test(kinds, newer_messages_and_parts_are_read_in_place)
{
    _Alignas(64) k3_order new_;
    memset(&new_, 0, sizeof new_);
    k3_order_init(&new_);
    k3_item_set_id(k3_order_mutable_item(&new_), 9);
    k3_item_set_price(k3_order_mutable_item(&new_), 9);
    void *bytes = aligned_alloc(64, sizeof new_);
    cr_assert_not_null(bytes);
    memcpy(bytes, &new_, sizeof new_);
    cr_assert_eq(k1_order_verify(bytes, sizeof new_), PSY_OK);
    const k1_order *m = bytes;
    cr_assert_eq(k1_item_id(k1_order_item(m)), 9);
    free(bytes);
    _Alignas(64) k1_order copy;
    cr_assert_eq(k1_order_read(&copy, &new_, sizeof new_), PSY_OK);
    cr_assert(copy.header.version == 1 && k1_order_item(&copy)->header.version == 1);
    cr_assert_eq(k1_order_verify(&copy, sizeof copy), PSY_OK);
}

/* ---- bytes from outside ---- */

/* What every reader says of the message: nothing that it gives lies outside. */
static void use_item(const kinds_item *m)
{
    psy_variant_view v;
    cr_assert_leq(kinds_item_title_bytes(m), KINDS_ITEM_TITLE_ROOM);
    cr_assert_leq(kinds_item_tags_count(m), KINDS_ITEM_TAGS_COUNT);
    for (uint32_t i = 0; i < KINDS_ITEM_TAGS_COUNT; i++) {
        cr_assert_leq(kinds_item_tags_bytes(m, i), KINDS_ITEM_TAGS_ROOM);
    }
    cr_assert(kinds_item_place(m) == NULL || kinds_item_has_place(m));
    if (kinds_item_embedding(m, &v) == PSY_OK) {
        cr_assert_leq(psy_variant_count(&v) * psy_dtype_bytes(v.dtype), KINDS_ITEM_EMBEDDING_ROOM);
    }
}

/* Any byte of a message changed, in exactly as much memory as it has: the answer is a status, and what is accepted is sound. */
Test(kinds, every_byte_of_a_message)
{
    const uint8_t changes[] = {0, 1, 2, 4, 5, 12, 13, 63, 64, 127, 128, 192, 0xe2, 0xfe, 0xff};
    kinds_deep *m = aligned_alloc(64, sizeof *m), *to = aligned_alloc(64, sizeof *to);
    cr_assert(m && to);
    memset(m, 0, sizeof *m);
    kinds_deep_init(m);
    kinds_item *item = kinds_order_mutable_item(kinds_deep_mutable_order(m));
    kinds_item_set_title(item, "gr\xc3\xbc\xc3\x9f", 6);
    kinds_item_set_tags_count(item, 2);
    kinds_item_set_tags(item, 0, "abc", 3);
    cr_assert_not_null(kinds_item_set_embedding(item, PSY_F32, 2, (uint32_t[]){2, 3}));
    kinds_item_mutable_place(item)[0] = 1;
    kinds_item_set_price(item, 1);
    cr_assert_eq(kinds_deep_verify(m, sizeof *m), PSY_OK);
    unsigned accepted = 0, refused = 0;
    for (size_t at = 0; at < sizeof *m; at++) {
        uint8_t *byte = (uint8_t *)m + at, was = *byte;
        for (size_t i = 0; i < sizeof changes; i++) {
            *byte = changes[i];
            psy_status in_place = kinds_deep_verify(m, sizeof *m), copied = kinds_deep_read(to, m, sizeof *m);
            cr_assert(in_place == PSY_OK ? copied == PSY_OK : copied == PSY_CORRUPT || in_place == PSY_VERSION,
                      "byte %zu is %u", at, changes[i]);
            use_item(item);
            if (copied == PSY_OK) {
                cr_assert_eq(kinds_deep_verify(to, sizeof *to), PSY_OK, "byte %zu is %u", at, changes[i]);
                use_item(kinds_order_item(kinds_deep_order(to)));
            }
            *(copied == PSY_OK ? &accepted : &refused) += 1;
        }
        *byte = was;
    }
    cr_assert(accepted > 1000 && refused > 1000, "%u accepted, %u refused", accepted, refused);
    free(m);
    free(to);
}

Test(kinds, read_of_random_bytes)
{
    uint64_t state = 3;
    unsigned accepted = 0;
    kinds_item *m = aligned_alloc(64, sizeof *m), *to = aligned_alloc(64, sizeof *to);
    cr_assert(m && to);
    for (unsigned round = 0; round < 20000; round++) {
        kinds_item_init(m);
        for (unsigned k = 0; k < 1 + round % 24; k++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            ((uint8_t *)m)[(state >> 33) % sizeof *m] = (uint8_t)(state >> 56) & (round % 2 ? 0xff : 0x07);
        }
        use_item(m);
        size_t n = round % 3 ? sizeof *m : (state >> 40) % (sizeof *m + 1);
        if (kinds_item_read(to, m, n) == PSY_OK) {
            accepted++;
            cr_assert_eq(kinds_item_verify(to, sizeof *to), PSY_OK);
        }
    }
    cr_assert_gt(accepted, 1000);
    free(m);
    free(to);
}

/* ---- the layout that the compiler and a module have ---- */

Test(kinds, types_are_those_of_the_layout_rules)
{
    static const char wanted[] =
        "kinds.Order{u64 number@8 key;part 768 item@64;u64 item.id@72;string[<=80] item.title@128/80;"
        "string[<=12][<=4] item.tags@228/208/212;string[<=3][2] item.codes@284//276;f32? item.price@292/290;"
        "f64[3]? item.place@304/296;f32[16]? item.big@384/328;variant[<=256] item.embedding@512/448;bool? item.there@769/768;"
        "f16 item.half@770;bf16 item.brain@772;i16? item.small@776/774;string[<=8] item.lang@784/780;part 64 bare@832;u8 "
        "after@896;}960";
    static const uint64_t zero_key[2] = {0, 0};
    cr_assert_eq(psy__siphash(zero_key, wanted, strlen(wanted)), KINDS_ORDER_LAYOUT_HASH, "%zu", offsetof(kinds_order, after));
}
