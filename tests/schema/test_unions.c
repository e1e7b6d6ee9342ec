/* SPDX-License-Identifier: Apache-2.0 */
/* Generated headers: unions. */
#include "tests/test.h"

#include "unions.psy.h"

typedef unions_event event;

static event *begin(void)
{
    static _Alignas(64) event m;
    memset(&m, 0xA5, sizeof m);
    return unions_event_init(&m);
}

#define GOOD(m) cr_assert_eq(unions_event_verify(m, sizeof *(m)), PSY_OK, "%s", psy_detail())
#define BAD(m)  cr_assert_eq(unions_event_verify(m, sizeof *(m)), PSY_CORRUPT)

Test(unions, nothing_is_there)
{
    event *m = begin();
    psy_variant_view v;
    GOOD(m);
    cr_assert_eq(unions_event_what(m), UNIONS_EVENT_WHAT_NONE);
    cr_assert(unions_event_what_count(m) == 0 && !unions_event_what_on(m) && unions_event_what_ratio(m) == 0);
    cr_assert(unions_event_what_list_count(m) == 0 && unions_event_what_row(m) == NULL && unions_event_what_text_bytes(m) == 0);
    cr_assert(unions_event_what_words_count(m) == 0 && unions_event_what_words_bytes(m, 0) == 0 &&
              unions_event_what_codes_bytes(m, 1) == 0);
    cr_assert(unions_event_what_page(m) == NULL && unions_event_what_pages_count(m) == 0 && unions_event_what_both(m) == NULL);
    cr_assert(unions_event_what_point(m) == NULL && unions_event_what_path_count(m) == 0);
    cr_assert_eq(unions_event_what_photo(m, &v), PSY_NOT_FOUND);
    unions_event_choose_what(m, 99); /* there is none of this number */
    cr_assert(unions_event_what(m) == 0 && unions_event_after(m) == 3);
}

Test(unions, each_member)
{
    event *m = begin();
    unions_event_set_what_count(m, 12);
    cr_assert(unions_event_what(m) == UNIONS_EVENT_WHAT_COUNT && unions_event_what_count(m) == 12);
    GOOD(m);
    unions_event_set_what_on(m, true);
    cr_assert(unions_event_what_on(m) && unions_event_what_count(m) == 0);
    GOOD(m);
    m->what.on = 2;
    BAD(m);
    unions_event_set_what_side(m, UNIONS_SIDE_RIGHT);
    cr_assert_eq(unions_event_what_side(m), UNIONS_SIDE_RIGHT);
    unions_event_set_what_ratio(m, 0.5f);
    cr_assert_eq(unions_event_what_ratio(m), 0.5f);
    memset(&m->what, 0xA5, sizeof m->what);
    unions_event_mutable_what_list(m)[3] = 1;
    cr_assert_eq(unions_event_what_list_count(m), 0); /* started */
    unions_event_set_what_list_count(m, 21);
    cr_assert(unions_event_what_list_count(m) == 20 && unions_event_what_list(m)[3] == 1);
    GOOD(m);
    m->what.list.list_count = 21;
    BAD(m);
    unions_event_mutable_what_row(m)[8] = 2;
    cr_assert(unions_event_what_row(m)[8] == 2 && UNIONS_EVENT_WHAT_ROW_COUNT == 9);
    GOOD(m);
    memset(&m->what, 0xA5, sizeof m->what);
    cr_assert(!unions_event_set_what_text(m, "\x80", 1) && unions_event_what(m) == UNIONS_EVENT_WHAT_ROW);
    cr_assert(unions_event_set_what_text(m, "tea", 3) && unions_event_what_text_bytes(m) == 3 &&
              memcmp(unions_event_what_text(m), "tea", 3) == 0);
    GOOD(m);
    m->what.text.text[2] = (char)0xc3;
    BAD(m);
    memset(&m->what, 0xA5, sizeof m->what);
    cr_assert(unions_event_set_what_words(m, 2, "abcde", 5) && !unions_event_set_what_words(m, 3, "", 0));
    cr_assert(unions_event_what_words_count(m) == 0 && unions_event_what_words_bytes(m, 1) == 0);
    unions_event_set_what_words_count(m, 3);
    cr_assert(unions_event_what_words_bytes(m, 2) == 5 && memcmp(unions_event_what_words(m, 2), "abcde", 5) == 0);
    GOOD(m);
    m->what.words.words_bytes[2] = 6;
    BAD(m);
    cr_assert(unions_event_set_what_codes(m, 1, "xyz", 3) && unions_event_what_codes_bytes(m, 1) == 3 &&
              unions_event_what_codes_bytes(m, 0) == 0);
    GOOD(m);
    memset(&m->what, 0xA5, sizeof m->what);
    unions_page_set_page(unions_event_mutable_what_page(m), 9);
    cr_assert(unions_page_page(unions_event_what_page(m)) == 9 && unions_event_what_page(m)->header.bytes == 64);
    GOOD(m);
    m->what.page.header.bytes = 0;
    BAD(m);
    unions_event_set_what_pages_count(m, 2);
    cr_assert(unions_event_what_pages_count(m) == 2 && unions_page_page(&unions_event_what_pages(m)[1]) == 7);
    GOOD(m);
    memset(&m->what, 0xA5, sizeof m->what);
    unions_page_set_page(&unions_event_mutable_what_both(m)[0], 4);
    cr_assert(unions_page_page(unions_event_what_both(m)) == 4 && unions_page_page(&unions_event_mutable_what_both(m)[1]) == 7);
    unions_event_clear_what(m);
    cr_assert(unions_event_what(m) == 0 && unions_event_what_both(m) == NULL);
    cr_assert_eq(unions_page_page(unions_event_mutable_what_both(m)), 7); /* started again */
    GOOD(m);
    memset(&m->what, 0xA5, sizeof m->what);
    cr_assert_eq(unions_event_mutable_what_point(m)->x, 0);
    m->what.point.on = 3;
    BAD(m);
    unions_event_mutable_what_path(m)[1] = (unions_point){1, 2, 1, {0}};
    unions_event_mutable_what_path(m)[0] = (unions_point){1, 2, 1, {0}};
    unions_event_set_what_path_count(m, 2);
    cr_assert_eq(unions_event_what_path(m)[1].y, 2);
    GOOD(m);
}

Test(unions, variants)
{
    event *m = begin();
    psy_variant_view v;
    float *x = unions_event_set_what_photo(m, PSY_F32, 2, (uint32_t[]){2, 8});
    cr_assert(x != NULL && (uintptr_t)x % 64 == 0);
    x[15] = 5;
    cr_assert(unions_event_what_photo(m, &v) == PSY_OK && ((const float *)v.data)[15] == 5);
    GOOD(m);
    cr_assert(unions_event_set_what_photo(m, PSY_F32, 1, (uint32_t[]){17}) == NULL);
    m->what.photo.photo_head.dims[0] = 3;
    BAD(m);
    psy_variant_builder b;
    unions_event_build_what_photo(m, &b);
    cr_assert_eq(unions_event_what_photo(m, &v), PSY_NOT_FOUND);
    GOOD(m);
}

Test(unions, unknown_members_are_of_a_newer_version)
{
    event *m = begin();
    m->what_tag = 16;
    BAD(m);
    cr_assert_str_eq(psy_detail(), "unions.Event.what: member 16, which there is not");
    m->header.version = UNIONS_EVENT_VERSION + 1;
    GOOD(m);
    cr_assert(unions_event_what(m) == 16 && unions_event_what_page(m) == NULL);
    static _Alignas(64) event copy;
    cr_assert_eq(unions_event_read(&copy, m, sizeof *m), PSY_OK);
    cr_assert_eq(unions_event_what(&copy), 0);
}

Test(unions, inside_messages)
{
    static _Alignas(64) unions_log m;
    unions_log_init(&m);
    unions_event_set_what_text(unions_log_mutable_event(&m), "a", 1);
    unions_event_set_last_b(&unions_log_mutable_events(&m)[1], 500);
    unions_event_set_what_on(unions_log_mutable_maybe(&m), true);
    cr_assert_eq(unions_log_verify(&m, sizeof m), PSY_OK, "%s", psy_detail());
    cr_assert(unions_event_last_b(&unions_log_events(&m)[1]) == 500 && unions_event_what_on(unions_log_maybe(&m)));
    m.events[0].last_tag = 3;
    cr_assert_eq(unions_log_verify(&m, sizeof m), PSY_CORRUPT);
    m.events[0].header.version = 2; /* which may have three */
    cr_assert_eq(unions_log_verify(&m, sizeof m), PSY_OK);
    m.maybe.what.on = 2;
    cr_assert_eq(unions_log_verify(&m, sizeof m), PSY_CORRUPT);
    cr_assert_str_eq(psy_detail(), "unions.Log.maybe.what.on: a bool of 2");
}
