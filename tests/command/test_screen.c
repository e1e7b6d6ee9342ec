/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: widths of characters, cutting, and what goes to the terminal; numbers, bars and progress as text. */
#include "tests/test.h"

#include <locale.h>

#include "command/progress.h"
#include "command/screen.h"
#include "command/units.h"

static char written[8192];

static const char *plain_of(const psy__screen *s)
{
    memset(written, 0, sizeof written);
    FILE *to = fmemopen(written, sizeof written, "w");
    psy__screen_write_plain(s, to);
    fclose(to);
    return written;
}

static const char *sent_of(const psy__screen *s, const psy__screen *before)
{
    memset(written, 0, sizeof written);
    FILE *to = fmemopen(written, sizeof written, "w");
    psy__screen_write(s, to, before);
    fclose(to);
    return written;
}

static bool utf8_here(void) { return setlocale(LC_CTYPE, "C.UTF-8") != NULL; }

Test(screen, text_is_cut_at_the_end_of_its_row)
{
    psy__screen s = {0};
    cr_assert(psy__screen_start(&s, 10, 3, false));
    cr_assert_eq(psy__screen_put(&s, 0, 0, PSY_STYLE_PLAIN, "0123456789"), 10);
    cr_assert_eq(psy__screen_put(&s, 1, 4, PSY_STYLE_PLAIN, "456789A"), 10);
    cr_assert_eq(psy__screen_put(&s, 2, 10, PSY_STYLE_PLAIN, "x"), 10);
    cr_assert_eq(psy__screen_put(&s, 7, 0, PSY_STYLE_PLAIN, "x"), 10);
    cr_assert_str_eq(plain_of(&s), "0123456789\n    45678>\n");
    psy__screen_end(&s);
}

Test(screen, columns_of_a_table)
{
    psy__screen s = {0};
    psy__screen_start(&s, 20, 4, false);
    cr_assert_eq(psy__screen_put_in(&s, 0, 2, 5, true, PSY_STYLE_PLAIN, "12"), 7);
    cr_assert_eq(psy__screen_put_in(&s, 0, 8, 5, false, PSY_STYLE_PLAIN, "abcdefgh"), 13);
    cr_assert_eq(psy__screen_put_in(&s, 1, 0, 3, true, PSY_STYLE_PLAIN, "12345"), 3);
    psy__screen_put_in(&s, 2, 18, 9, true, PSY_STYLE_PLAIN, "12345");
    cr_assert_str_eq(plain_of(&s), "     12 abcd>\n12>\n");
    psy__screen_end(&s);
}

Test(screen, wide_characters_take_two_columns)
{
    psy__screen s = {0};
    if (!utf8_here()) {
        cr_skip_test("there is no locale C.UTF-8");
    }
    psy__screen_start(&s, 5, 4, true);
    cr_assert_eq(psy__screen_width(&s, "\xe6\xb0\xb4x\xcc\x81"), 3, "a wide one, a letter and a mark on it");
    cr_assert_eq(psy__screen_put(&s, 0, 0, PSY_STYLE_PLAIN, "\xe6\xb0\xb4\xe6\xb0\xb4y"), 5);
    psy__screen_put(&s, 1, 0, PSY_STYLE_PLAIN, "\xe6\xb0\xb4\xe6\xb0\xb4\xe6\xb0\xb4");
    psy__screen_put(&s, 2, 1, PSY_STYLE_PLAIN, "\xe6\xb0\xb4\xe6\xb0\xb4z");
    cr_assert_str_eq(plain_of(&s),
                     "\xe6\xb0\xb4\xe6\xb0\xb4y\n\xe6\xb0\xb4\xe6\xb0\xb4\xe2\x80\xa6\n \xe6\xb0\xb4 \xe2\x80\xa6\n");
    psy__screen_end(&s);
}

Test(screen, what_is_no_character_harms_nobody)
{
    static const char *const bad[] = {"\033[2J",
                                      "a\x7f\x01",
                                      "\xff\xfe",
                                      "\xe2\x82",
                                      "\xc2\x9b"
                                      "31m",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xe2\x80\xae"
                                      "abc"};
    for (int unicode = 0; unicode < 2; unicode++) {
        if (unicode && !utf8_here()) {
            cr_skip_test("there is no locale C.UTF-8");
        }
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            psy__screen s = {0};
            psy__screen_start(&s, 12, 1, unicode);
            psy__screen_put(&s, 0, 0, PSY_STYLE_PLAIN, bad[i]);
            for (const char *c = plain_of(&s); c[0] && c[1]; c++) {
                cr_assert((unsigned char)*c >= 0x20 && *c != 0x7f, "%zu: %02x", i, (unsigned char)*c);
                cr_assert(unicode || (unsigned char)*c < 0x80);
                cr_assert((unsigned char)c[0] != 0xc2 || (unsigned char)c[1] >= 0xa0);
            }
            psy__screen_end(&s);
        }
    }
}

Test(screen, only_rows_that_changed_are_sent)
{
    psy__screen a = {0}, b = {0};
    psy__screen_start(&a, 4, 3, false);
    psy__screen_start(&b, 4, 3, false);
    psy__screen_put(&a, 1, 0, PSY_STYLE_BAD, "x");
    cr_assert_str_eq(sent_of(&a, &b), "\033[2;1H\033[0;1;31mx\033[0m   ");
    cr_assert_str_eq(sent_of(&a, &a), "");
    cr_assert(strncmp(sent_of(&a, NULL), "\033[2J\033[1;1H    \033[2;1H", 20) == 0);
    psy__screen_start(&b, 4, 2, false);
    cr_assert(strncmp(sent_of(&b, &a), "\033[2J", 4) == 0, "another size: all of it");
    psy__screen_end(&a);
    psy__screen_end(&b);
}

Test(units, three_digits)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } times[] = {{0, "0 ns"},
                 {999, "999 ns"},
                 {1000, "1.00 us"},
                 {12345, "12.3 us"},
                 {999499, "999 us"},
                 {999500, "1.00 ms"},
                 {123456789, "123 ms"},
                 {1500000000, "1.50 s"},
                 {99400000000, "99.4 s"},
                 {185000000000, "3 min 5 s"},
                 {UINT64_C(7260000000000), "2 h 1 min"}};
    static const struct {
        double n;
        const char *count, *bytes;
    } counts[] = {{0, "0", "0 B"},
                  {2.5, "2.5", "2 B"},
                  {999, "999", "999 B"},
                  {1000, "1.00 k", "1000 B"},
                  {12345, "12.3 k", "12.1 KiB"},
                  {999500, "1.00 M", "976 KiB"},
                  {7.89e9, "7.89 G", "7.35 GiB"}};
    char text[32];
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        cr_assert_str_eq(psy__time_text(text, sizeof text, times[i].ns, false), times[i].text, "%s", text);
    }
    cr_assert_str_eq(psy__time_text(text, sizeof text, 12345, true), "12.3 \xc2\xb5s");
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        cr_assert_str_eq(psy__count_text(text, sizeof text, counts[i].n), counts[i].count, "%s", text);
        cr_assert_str_eq(psy__bytes_text(text, sizeof text, counts[i].n), counts[i].bytes, "%s", text);
    }
}

Test(units, bars)
{
    char bar[PSY_BAR_BYTES];
    cr_assert_str_eq(psy__bar(bar, 0.5, 10, false, true), "#####.....");
    cr_assert_str_eq(psy__bar(bar, 0.5, 10, false, false), "#####");
    cr_assert_str_eq(psy__bar(bar, 0, 4, true, true), "    ");
    cr_assert_str_eq(psy__bar(bar, -1, 4, true, false), "");
    cr_assert_str_eq(psy__bar(bar, 0.0001, 4, false, true), "#...", "what is not nothing shows");
    cr_assert_str_eq(psy__bar(bar, 7, 3, true, true), "\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88");
    cr_assert_str_eq(psy__bar(bar, 0.375, 2, true, true), "\xe2\x96\x8a ", "three quarters of a block");
    for (unsigned columns = 0; columns < 400; columns++) {
        psy__bar(bar, 0.77, columns, true, true);
        cr_assert_eq(psy__columns(bar), columns < PSY_BAR_COLUMNS_MAX ? columns : PSY_BAR_COLUMNS_MAX);
    }
}

Test(progress, text)
{
    char text[600];
    psy__progress p = {.what = "words.npy", .unit = "rows", .all = 1000, .done = 250, .terminal = true};
    cr_assert_str_eq(psy__progress_text(&p, 2000000000, 100, text, sizeof text),
                     "words.npy  ######..................   25 %  125 rows/s  6.00 s left");
    cr_assert_str_eq(psy__progress_text(&p, 2000000000, 48, text, sizeof text), "words.npy   25 %  125 rows/s  6.00 s left");
    p.terminal = false;
    cr_assert_str_eq(psy__progress_text(&p, 2000000000, 200, text, sizeof text),
                     "words.npy   25 %  250 rows of 1.00 k rows  125 rows/s  6.00 s left");
    p = (psy__progress){.what = "stdin", .unit = "B", .done = 3 << 20};
    strcpy(p.note, "2 errors");
    cr_assert_str_eq(psy__progress_text(&p, 1000000000, 200, text, sizeof text), "stdin  3.00 MiB  3.00 MiB/s  2 errors");
    p = (psy__progress){.what = "nothing yet", .unit = "rows", .all = 10};
    cr_assert_str_eq(psy__progress_text(&p, 0, 200, text, sizeof text), "nothing yet    0 %  0 rows of 10 rows");
    p.done = 20;
    cr_assert_str_eq(psy__progress_text(&p, 0, 200, text, sizeof text), "nothing yet  100 %  20 rows of 10 rows");
    p.terminal = true;
    for (unsigned columns = 1; columns < 120; columns++) {
        cr_assert_leq(psy__columns(psy__progress_text(&p, 1000000000, columns, text, sizeof text)), columns);
    }
}
