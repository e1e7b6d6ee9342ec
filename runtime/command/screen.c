/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/screen.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <psyne/utf8.h>

static const char *const styles[PSY_STYLE_COUNT] = {
#define STYLE(NAME, sgr) [PSY_STYLE_##NAME] = sgr,
#include "command/styles.def"
};

bool psy__screen_start(psy__screen *s, unsigned columns, unsigned rows, bool unicode)
{
    const size_t n = (size_t)columns * rows;
    if (n > s->room) {
        psy__cell *more = realloc(s->cells, n * sizeof *more);
        if (!more) {
            return false;
        }
        s->cells = more;
        s->room = n;
    }
    s->columns = columns;
    s->rows = rows;
    s->unicode = unicode;
    for (size_t i = 0; i < n; i++) {
        s->cells[i] = (psy__cell){.text = " "};
    }
    return true;
}

void psy__screen_end(psy__screen *s)
{
    free(s->cells);
    *s = (psy__screen){0};
}

/* ---- characters ---- */

/* The next character of the text, of one or two columns; characters that take none are left out. False: the text is over. */
static bool next_character(const psy__screen *s, const char **text, char character[4], unsigned *width)
{
    for (const unsigned char *at = (const unsigned char *)*text; *at; at = (const unsigned char *)*text) {
        const size_t known = psy_utf8_character(at, strnlen(*text, 4)), n = known ? known : 1;
        uint32_t code = n == 1 ? *at : *at & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
            code = code << 6 | (at[i] & 0x3f);
        }
        const bool good = code >= 0x20 && code != 0x7f && (code < 0x80 || (s->unicode && known > 1));
        const int columns = good && code >= 0x80 ? wcwidth((wchar_t)code) : 1;
        memset(character, 0, 4);
        *text += n;
        if (columns == 0) {
            continue;
        }
        if (good && columns > 0) {
            memcpy(character, at, n);
        } else {
            character[0] = '?';
        }
        *width = columns == 2 ? 2 : 1;
        return true;
    }
    return false;
}

unsigned psy__screen_width(const psy__screen *s, const char *text)
{
    char character[4];
    unsigned width, n = 0;
    while (next_character(s, &text, character, &width)) {
        n += width;
    }
    return n;
}

static void set(psy__screen *s, unsigned row, unsigned column, psy__style style, const char character[4])
{
    psy__cell *cell = &s->cells[(size_t)row * s->columns + column];
    memcpy(cell->text, character, 4);
    cell->style = (uint8_t)style;
}

/* Up to column `end`; what does not fit is cut, and the last column says so. */
static unsigned put(psy__screen *s, unsigned row, unsigned start, unsigned end, psy__style style, const char *text)
{
    static const char right_half[4], blank[4] = " ", ascii_cut[4] = ">", cut[4] = "\xe2\x80\xa6";
    char character[4];
    unsigned width, column = start;
    end = end < s->columns ? end : s->columns;
    if (row >= s->rows || start >= end) {
        return end;
    }
    const psy__cell *cells = &s->cells[(size_t)row * s->columns];
    while (next_character(s, &text, character, &width)) {
        if (column + width > end) {
            if (column == end && !cells[end - 1].text[0] && end - start > 1) {
                set(s, row, end - 2, style, blank); /* a wide one loses its left half with its right */
            }
            set(s, row, end - 1, style, s->unicode ? cut : ascii_cut);
            return end;
        }
        set(s, row, column, style, character);
        if (width == 2) {
            set(s, row, column + 1, style, right_half);
        }
        column += width;
    }
    return column;
}

unsigned psy__screen_put(psy__screen *s, unsigned row, unsigned column, psy__style style, const char *text)
{
    return put(s, row, column, s->columns, style, text);
}

unsigned psy__screen_put_in(psy__screen *s, unsigned row, unsigned column, unsigned width, bool right, psy__style style,
                            const char *text)
{
    const unsigned n = right ? psy__screen_width(s, text) : 0;
    put(s, row, column + (right && n < width ? width - n : 0), column + width, style, text);
    return column + width;
}

void psy__screen_paint(psy__screen *s, unsigned row, psy__style style)
{
    for (unsigned i = 0; row < s->rows && i < s->columns; i++) {
        s->cells[(size_t)row * s->columns + i].style = (uint8_t)style;
    }
}

/* ---- writing ---- */

static bool is_blank(const psy__cell *cell) { return cell->text[0] == ' ' && cell->text[1] == '\0'; }

static void write_cell(const psy__cell *cell, FILE *to) { fwrite(cell->text, 1, strnlen(cell->text, 4), to); }

static void write_row(const psy__screen *s, unsigned row, FILE *to)
{
    const psy__cell *cells = s->cells + (size_t)row * s->columns;
    unsigned style = PSY_STYLE_PLAIN;
    fprintf(to, "\033[%u;1H", row + 1);
    for (unsigned i = 0; i < s->columns; i++) {
        if (cells[i].style != style) {
            style = cells[i].style;
            fprintf(to, "\033[%sm", styles[style]);
        }
        write_cell(&cells[i], to);
    }
    fputs(style == PSY_STYLE_PLAIN ? "" : "\033[0m", to);
}

void psy__screen_write(const psy__screen *s, FILE *to, const psy__screen *before)
{
    const bool all = !before || before->columns != s->columns || before->rows != s->rows || before->unicode != s->unicode;
    fputs(all ? "\033[2J" : "", to);
    for (unsigned row = 0; row < s->rows; row++) {
        const size_t at = (size_t)row * s->columns;
        if (all || memcmp(s->cells + at, before->cells + at, s->columns * sizeof *s->cells) != 0) {
            write_row(s, row, to);
        }
    }
    fflush(to);
}

void psy__screen_write_plain(const psy__screen *s, FILE *to)
{
    unsigned rows = 0;
    for (unsigned i = 0; i < s->rows * s->columns; i++) {
        rows = is_blank(&s->cells[i]) ? rows : i / s->columns + 1;
    }
    for (unsigned row = 0; row < rows; row++) {
        const psy__cell *cells = s->cells + (size_t)row * s->columns;
        unsigned end = s->columns;
        while (end > 0 && is_blank(&cells[end - 1])) {
            end--;
        }
        for (unsigned i = 0; i < end; i++) {
            write_cell(&cells[i], to);
        }
        putc('\n', to);
    }
}
