/* SPDX-License-Identifier: Apache-2.0 */
/* Generated headers: enums, flags, structs, arrays of messages, optional texts, and what is retired. */
#include "tests/test.h"

#include "values.psy.h"

typedef values_book book;

static book *begin(void)
{
    static _Alignas(64) book m;
    memset(&m, 0xA5, sizeof m);
    return values_book_init(&m);
}

Test(values, enums_and_flags)
{
    values_lang lang = 77;
    values_rights rights = 0;
    cr_assert_eq(VALUES_LANG_EN, 0);
    cr_assert_eq(VALUES_LANG_DE, 4);
    cr_assert_eq(VALUES_LANG_FR, 5);
    cr_assert_eq(VALUES_LANG_PLATT_DEUTSCH, 200);
    cr_assert_eq(VALUES_LEVEL_COLD, -300);
    cr_assert_eq(VALUES_LEVEL_WARM, 1);
    cr_assert_eq(VALUES_WIDE_ALL, UINT64_MAX);
    cr_assert_eq(VALUES_BITS_HIGH, UINT64_C(1) << 63);
    cr_assert_eq(VALUES_RIGHTS_ALL, VALUES_RIGHTS_READ | VALUES_RIGHTS_WRITE | VALUES_RIGHTS_SHARE);
    cr_assert(sizeof(values_lang) == 1 && sizeof(values_level) == 2 && sizeof(values_rights) == 4 && sizeof(values_bits) == 8);
    cr_assert_str_eq(values_lang_name(VALUES_LANG_PLATT_DEUTSCH), "plattDeutsch");
    cr_assert(values_lang_name(1) == NULL);
    cr_assert_str_eq(values_level_name(VALUES_LEVEL_COLD), "cold");
    cr_assert_str_eq(values_wide_name(VALUES_WIDE_ALL), "all");
    cr_assert(values_lang_named("de", 2, &lang) && lang == VALUES_LANG_DE);
    cr_assert(!values_lang_named("d", 1, &lang) && !values_lang_named("dee", 3, &lang) && !values_lang_named("", 0, &lang));
    cr_assert_eq(lang, VALUES_LANG_DE);
    cr_assert(values_rights_named("share", 5, &rights) && rights == 0x10);
    cr_assert_str_eq(VALUES_PAGE_TOPIC, "pages.all");
}

Test(values, init)
{
    book *m = begin();
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK, "%s", psy_detail());
    cr_assert(values_book_lang(m) == VALUES_LANG_DE && values_book_level(m) == VALUES_LEVEL_COLD);
    cr_assert(values_book_wide(m) == VALUES_WIDE_SOME && values_book_rights(m) == (VALUES_RIGHTS_READ | VALUES_RIGHTS_WRITE));
    cr_assert(!values_book_has_maybe(m) && values_book_maybe(m) == VALUES_LANG_FR);
    cr_assert(!values_book_has_path(m) && values_book_path(m) == NULL && values_book_first(m) == NULL);
    cr_assert(values_book_pos(m)->x == 0 && !values_book_pos(m)->known);
    cr_assert(values_page_page(values_book_page(m)) == 7 && values_page_page(&values_book_pages(m)[1]) == 7);
    cr_assert(values_book_more_count(m) == 0 && values_book_spots_count(m) == 0);
    const psy_text note = values_book_note(m), empty = values_book_empty(m);
    cr_assert(!values_book_has_note(m) && note.bytes == 8 && memcmp(note.at, "hi \"you\"", 8) == 0);
    cr_assert(empty.at == NULL && empty.bytes == 0);
    /* What is retired starts with what it had, for those who still read it. */
    cr_assert(m->retired_old == 0.5f && m->retired_older_bytes == 3 && memcmp(m->retired_older, "bye", 3) == 0 &&
              m->has_retired_gone == 0);
}

Test(values, structs)
{
    book *m = begin();
    cr_assert(_Alignof(values_point) == 32 && sizeof(values_point) == 64 && offsetof(values_point, grid) == 32);
    cr_assert(_Alignof(values_wide3) == 64 && sizeof(values_path) == 256 && VALUES_POINT_GRID_COUNT == 3);
    values_book_mutable_pos(m)->grid[2] = 3;
    values_book_mutable_spots(m)[3].y = 4;
    values_book_set_spots_count(m, 9);
    values_path *path = values_book_mutable_path(m);
    cr_assert(path->bits == 0 && values_book_has_path(m));
    path->to[1].known = 1;
    path->bits = VALUES_BITS_HIGH;
    cr_assert_eq(values_book_mutable_path(m)->bits, VALUES_BITS_HIGH); /* not started again */
    values_book_mutable_pair(m)[1].row[15] = 5;
    cr_assert(values_book_pos(m)->grid[2] == 3 && values_book_spots_count(m) == 4 && values_book_spots(m)[3].y == 4);
    for (int i = 0; i < 3; i++) {
        values_book_mutable_spots(m)[i] = (values_point){.x = 1};
    }
    values_book_mutable_spots(m)[3].known = 0;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK, "%s", psy_detail());
    path->to[1].known = 2;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
    cr_assert_str_eq(psy_detail(), "values.Book.path.to[1].known: a bool of 2");
    values_book_clear_path(m);
    cr_assert(values_book_verify(m, sizeof *m) == PSY_OK && values_book_path(m) == NULL); /* nobody reads it */
    m->spots[2].known = 7;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
    values_book_set_spots_count(m, 2);
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK);
    m->pos.known = 2;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
}

Test(values, arrays_of_messages)
{
    book *m = begin();
    m->more[1].header.bytes = 99;
    values_book_set_more_count(m, 1);
    cr_assert(values_page_page(values_book_more(m)) == 7 && m->more[1].header.bytes == 99);
    values_page_set_page(values_book_mutable_more(m), 12);
    values_book_set_more_count(m, 1000);
    cr_assert(values_book_more_count(m) == 3 && values_page_page(values_book_more(m)) == 12 &&
              values_page_page(&values_book_more(m)[2]) == 7);
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK);
    m->more[2].header.bytes = 128;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
    m->more[2].header.bytes = VALUES_PAGE_BYTES;
    m->more[2].header.version = 1;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_VERSION);
    static _Alignas(64) book copy;
    m->more[2].seen = 3; /* version 1 had none */
    cr_assert_eq(values_book_read(&copy, m, sizeof *m), PSY_OK, "%s", psy_detail());
    cr_assert(values_page_page(&values_book_more(&copy)[2]) == 7 && !values_page_seen(&values_book_more(&copy)[2]));
    m->more_count = 4;
    cr_assert(values_book_verify(m, sizeof *m) == PSY_CORRUPT && values_book_more_count(m) == 3);
    m->more_count = 0;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK);
    m->pages[1].header.reserved = 1;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
    values_page_init(&m->pages[1]);
    values_page *first = values_book_mutable_first(m);
    cr_assert(values_page_set_url(first, "a", 1) && values_book_mutable_first(m) == first);
    cr_assert(values_page_url_bytes(values_book_first(m)) == 1 && values_book_verify(m, sizeof *m) == PSY_OK);
    m->first.url_bytes = 41;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
    values_book_clear_first(m);
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK);
}

Test(values, optional_texts)
{
    book *m = begin();
    cr_assert(values_book_set_note(m, "", 0) && values_book_has_note(m) && values_book_note(m).bytes == 0 &&
              values_book_note(m).at != NULL);
    cr_assert(!values_book_set_note(m, "123456789012345678901", 21) && !values_book_set_note(m, "\xff", 1));
    cr_assert(values_book_set_note(m, "12345678901234567890", 20) && values_book_note(m).bytes == 20);
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK);
    m->note_bytes = 21;
    cr_assert(values_book_verify(m, sizeof *m) == PSY_CORRUPT && values_book_note(m).bytes == 20);
    m->note_bytes = 3;
    m->note[1] = (char)0xff;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
    values_book_clear_note(m);
    cr_assert(values_book_verify(m, sizeof *m) == PSY_OK && values_book_note(m).bytes == 8);
    m->has_note = 2;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_CORRUPT);
    m->has_note = 0;
    m->has_retired_gone = 9;
    m->retired_older_bytes = UINT32_MAX;
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK); /* nobody reads it any more */
}

Test(values, numbers_are_open)
{
    book *m = begin();
    values_book_set_lang(m, 99);
    values_book_set_rights(m, UINT32_MAX);
    values_book_mutable_langs(m)[2] = 77;
    values_book_mutable_levels(m)[19] = -7;
    values_book_set_levels_count(m, 20);
    values_book_set_maybe(m, 3);
    values_book_mutable_some(m)[1] = VALUES_RIGHTS_SHARE;
    cr_assert(values_book_lang(m) == 99 && values_book_langs(m)[2] == 77 && values_book_levels(m)[19] == -7);
    cr_assert(values_book_maybe(m) == 3 && values_book_some(m)[1] == VALUES_RIGHTS_SHARE);
    cr_assert_eq(values_book_verify(m, sizeof *m), PSY_OK);
    cr_assert_eq(values_book_vec(m), (const float *)((const char *)m + offsetof(book, vec)));
    cr_assert_eq(offsetof(book, vec) % 64, 0);
}
