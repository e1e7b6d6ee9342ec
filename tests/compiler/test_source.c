/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas, sources and places in them, and how diagnostics are printed. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/compiler/compile.h"

/* ---- arena ---- */

Test(arena, memory_is_zeroed_aligned_and_distinct)
{
    psc_arena arena;
    psc_arena_init(&arena);
    unsigned char *all[300];
    for (size_t i = 0; i < 300; i++) {
        size_t bytes = i * 37 % 5000;
        all[i] = psc_alloc(&arena, bytes);
        cr_assert_eq((uintptr_t)all[i] % 16, 0);
        for (size_t k = 0; k < bytes; k++) {
            cr_assert_eq(all[i][k], 0);
        }
        memset(all[i], (int)i & 0xff, bytes);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t k = 0; k < i * 37 % 5000; k++) {
            cr_assert_eq(all[i][k], i & 0xff);
        }
    }
    psc_arena_fini(&arena);
    cr_assert_null(arena.chunks);
}

Test(arena, objects_larger_than_a_chunk)
{
    psc_arena arena;
    psc_arena_init(&arena);
    char *small = psc_alloc(&arena, 8), *large = psc_alloc(&arena, 3 << 20), *next = psc_alloc(&arena, 8);
    memset(large, 1, 3 << 20);
    cr_assert_eq(small[0], 0);
    cr_assert_eq(next[7], 0);
    cr_assert_geq(arena.total, 3 << 20);
    psc_arena_fini(&arena);
}

Test(arena, texts)
{
    psc_arena arena;
    psc_arena_init(&arena);
    cr_assert_str_eq(psc_strndup(&arena, "abcdef", 3), "abc");
    cr_assert_str_eq(psc_format(&arena, "%s-%d", "x", 42), "x-42");
    char *text = psc_format(&arena, "%100000d", 7);
    cr_assert_eq(strlen(text), 100000);
    cr_assert_eq(text[99999], '7');
    psc_arena_fini(&arena);
}

Test(arena, lists_keep_what_was_pushed)
{
    psc_arena arena;
    psc_arena_init(&arena);
    PSC_LIST(size_t) list = {0};
    for (size_t i = 0; i < 1000; i++) {
        psc_push(&arena, &list, i * i);
    }
    cr_assert_eq(list.count, 1000);
    for (size_t i = 0; i < 1000; i++) {
        cr_assert_eq(list.at[i], i * i);
    }
    psc_arena_fini(&arena);
}

/* ---- places ---- */

static void check_place(const psc_source *s, uint32_t offset, uint32_t line, uint32_t column)
{
    uint32_t l, c;
    psc_source_place(s, offset, &l, &c);
    cr_assert(l == line && c == column, "offset %u: %u:%u, not %u:%u", offset, l, c, line, column);
}

Test(source, places)
{
    psc_arena arena;
    psc_arena_init(&arena);
    static const char text[] = "ab\n\ncdef\n";
    const psc_source *s = psc_source_text(&arena, "t", text, sizeof text - 1);
    cr_assert_eq(s->line_count, 4);
    check_place(s, 0, 1, 1);
    check_place(s, 1, 1, 2);
    check_place(s, 2, 1, 3); /* the end of the line belongs to it */
    check_place(s, 3, 2, 1);
    check_place(s, 4, 3, 1);
    check_place(s, 7, 3, 4);
    check_place(s, 9, 4, 1); /* the end of the file */
    const psc_source *empty = psc_source_text(&arena, "e", "", 0);
    cr_assert_eq(empty->line_count, 1);
    check_place(empty, 0, 1, 1);
    psc_arena_fini(&arena);
}

Test(source, places_of_many_lines)
{
    psc_arena arena;
    psc_arena_init(&arena);
    char text[3000];
    uint32_t line = 1, column = 1;
    for (uint32_t i = 0; i < sizeof text; i++) {
        text[i] = i * 7 % 11 == 3 ? '\n' : 'x';
    }
    const psc_source *s = psc_source_text(&arena, "t", text, sizeof text);
    for (uint32_t i = 0; i < sizeof text; i++) {
        check_place(s, i, line, column);
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    psc_arena_fini(&arena);
}

Test(source, files_that_cannot_be_read)
{
    psc_arena arena;
    psc_arena_init(&arena);
    char folder[] = "/tmp/psyne-source-XXXXXX", path[64];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/pipe", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_null(psc_source_read(&arena, path));
    cr_assert_eq(errno, EINVAL);
    unlink(path);
    cr_assert_null(psc_source_read(&arena, path));
    cr_assert_eq(errno, ENOENT);
    cr_assert_null(psc_source_read(&arena, folder));
    cr_assert_eq(errno, EISDIR);
    FILE *f = fopen(path, "w");
    cr_assert(f && fwrite("a\0b", 1, 3, f) == 3 && fclose(f) == 0);
    cr_assert_null(psc_source_read(&arena, path));
    cr_assert_eq(errno, EILSEQ);
    cr_assert_eq(truncate(path, (off_t)PSC_SOURCE_BYTES_MAX + 1), 0);
    cr_assert_null(psc_source_read(&arena, path));
    cr_assert_eq(errno, EFBIG);
    f = fopen(path, "w");
    cr_assert(f && fputs("line\nend", f) >= 0 && fclose(f) == 0);
    const psc_source *s = psc_source_read(&arena, path);
    cr_assert(s && s->bytes == 8 && s->line_count == 2);
    cr_assert_str_eq(s->text, "line\nend");
    unlink(path);
    rmdir(folder);
    psc_arena_fini(&arena);
}

/* ---- printing ---- */

/* What is printed for one error over [begin, end) of the text. */
static void check_printed(const char *text, uint32_t begin, uint32_t end, const char *wanted)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    psc_span span = {psc_source_text(&arena, "f.hrm", text, strlen(text)), begin, end};
    psc_error(&diags, PSC_E_SYNTAX, span, "oh");
    char *said = compile_said(&diags);
    cr_assert_str_eq(said, wanted);
    free(said);
    psc_arena_fini(&arena);
}

Test(diagnostic, carets)
{
    check_printed("let x = y\n", 8, 9, "f.hrm:1:9: error[E0101]: oh\n    1 | let x = y\n      |         ^\n");
    check_printed("let x = yyy\n", 8, 11, "f.hrm:1:9: error[E0101]: oh\n    1 | let x = yyy\n      |         ^~~\n");
    /* A tab stays one, so that both lines are moved alike. */
    check_printed("\tx y\n", 3, 4, "f.hrm:1:4: error[E0101]: oh\n    1 | \tx y\n      | \t  ^\n");
    /* A character of several bytes takes one column. */
    check_printed("\xc3\xa4\xe2\x82\xac x\n", 6, 7,
                  "f.hrm:1:7: error[E0101]: oh\n    1 | \xc3\xa4\xe2\x82\xac x\n      |    ^\n");
    check_printed("a \xc3\xa4\xc3\xa4 b\n", 2, 6, "f.hrm:1:3: error[E0101]: oh\n    1 | a \xc3\xa4\xc3\xa4 b\n      |   ^~\n");
    /* What goes over the end of a line is shown up to it; carriage returns are not shown. */
    check_printed("ab\r\ncd\n", 1, 6, "f.hrm:1:2: error[E0101]: oh\n    1 | ab\n      |  ^\n");
    /* The end of the file. */
    check_printed("ab", 2, 2, "f.hrm:1:3: error[E0101]: oh\n    1 | ab\n      |   ^\n");
    check_printed("", 0, 0, "f.hrm:1:1: error[E0101]: oh\n    1 |\n      | ^\n");
}

Test(diagnostic, bytes_that_are_no_text)
{
#define FFFD "\xef\xbf\xbd"
    check_printed("\x1b[31m x\n", 6, 7, "f.hrm:1:7: error[E0101]: oh\n    1 | " FFFD "[31m x\n      |       ^\n");
    /* A byte alone, a sequence cut short, an overlong form, a surrogate, above U+10FFFF, and a control character of two bytes.
     */
    check_printed("\xff x\n", 2, 3, "f.hrm:1:3: error[E0101]: oh\n    1 | " FFFD " x\n      |   ^\n");
    check_printed("\xe2\x82 x\n", 3, 4, "f.hrm:1:4: error[E0101]: oh\n    1 | " FFFD FFFD " x\n      |    ^\n");
    check_printed("\xc0\xaf x\n", 3, 4, "f.hrm:1:4: error[E0101]: oh\n    1 | " FFFD FFFD " x\n      |    ^\n");
    check_printed("\xed\xa0\x80 x\n", 4, 5, "f.hrm:1:5: error[E0101]: oh\n    1 | " FFFD FFFD FFFD " x\n      |     ^\n");
    check_printed("\xf4\x90\x80\x80 x\n", 5, 6,
                  "f.hrm:1:6: error[E0101]: oh\n    1 | " FFFD FFFD FFFD FFFD " x\n      |      ^\n");
    check_printed("\xc2\x9b x\n", 3, 4, "f.hrm:1:4: error[E0101]: oh\n    1 | " FFFD FFFD " x\n      |    ^\n");
}

Test(diagnostic, long_lines_are_cut_around_the_place)
{
    char text[2001];
    memset(text, '.', 2000);
    text[2000] = '\0';
    text[1500] = 'X';
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    psc_span span = {psc_source_text(&arena, "f.hrm", text, 2000), 1500, 1501};
    psc_error(&diags, PSC_E_SYNTAX, span, "oh");
    char *said = compile_said(&diags), *line = strstr(said, "    1 | "), *caret = strchr(said, '^');
    cr_assert(line && caret && strlen(said) < 500);
    /* The caret is under the X. */
    char *start = strstr(line, "\n      | ") + 1;
    cr_assert_eq(line[caret - start], 'X');
    free(said);
    psc_arena_fini(&arena);
}

Test(diagnostic, order_repetition_and_cap)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    char text[1000];
    memset(text, 'x', sizeof text);
    const psc_source *s = psc_source_text(&arena, "f.hrm", text, sizeof text);
    for (uint32_t i = 0; i < 500; i++) {
        psc_error(&diags, PSC_E_SYNTAX, (psc_span){s, 499 - i, 500 - i}, "number %u", i);
        psc_error(&diags, PSC_E_SYNTAX, (psc_span){s, 499 - i, 500 - i}, "again");
    }
    cr_assert_eq(diags.errors, 1000);
    cr_assert_not(psc_errors_are_kept(&diags));
    char *said = compile_said(&diags);
    unsigned shown = 0, last = 0;
    for (const char *at = said; (at = strstr(at, "f.hrm:1:")); at++) {
        unsigned column = (unsigned)strtoul(at + 8, NULL, 10);
        cr_assert_gt(column, last);
        last = column;
        shown++;
    }
    cr_assert_eq(shown, PSC_ERRORS_SHOWN_MAX);
    cr_assert_null(strstr(said, "again"));
    cr_assert_not_null(strstr(said, "more errors\n"));
    free(said);
    psc_arena_fini(&arena);
}

Test(diagnostic, warnings_are_for_what_has_no_errors)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    psc_span span = {psc_source_text(&arena, "f.hrm", "abc", 3), 0, 1};
    psc_warn(&diags, PSC_W_UNUSED, span, "spare");
    char *said = compile_said(&diags);
    cr_assert_str_eq(said, "f.hrm:1:1: warning[W0001]: spare\n    1 | abc\n      | ^\n");
    free(said);
    psc_error(&diags, PSC_E_SYNTAX, span, "wrong");
    said = compile_said(&diags);
    cr_assert(strstr(said, "wrong") && !strstr(said, "spare"));
    free(said);
    psc_arena_fini(&arena);
}

Test(diagnostic, did_you_mean)
{
    static const char *const names[] = {"words", "score", "DIM", "a_rather_long_name"};
    cr_assert_str_eq(psc_did_you_mean("wrods", names, 4), "words");
    cr_assert_str_eq(psc_did_you_mean("scores", names, 4), "score");
    cr_assert_str_eq(psc_did_you_mean("dim", names, 4), "DIM");
    cr_assert_str_eq(psc_did_you_mean("DMI", names, 4), "DIM");
    cr_assert_str_eq(psc_did_you_mean("rather_long_name", names, 4), "a_rather_long_name");
    cr_assert_null(psc_did_you_mean("weights", names, 4));
    cr_assert_null(psc_did_you_mean("q", names, 4));
    cr_assert_null(psc_did_you_mean("", names, 4));
    cr_assert_null(psc_did_you_mean("words", names, 0));
    char endless[5000];
    memset(endless, 'w', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    cr_assert_null(psc_did_you_mean(endless, names, 4));
}
