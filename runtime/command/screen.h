/* SPDX-License-Identifier: Apache-2.0 */
/* A frame of text: rows of cells with styles, made in memory and then written to a terminal, or as plain text. Whatever is put
 * there stays within its row: cut at its end, with a mark. Characters are counted as the terminal counts them (wcwidth), and
 * whatever is no character that stands for itself becomes "?". Without `unicode` so does all that is not ASCII.
 *
 *   psy__screen_start(&s, columns, rows, unicode);
 *   unsigned at = psy__screen_put(&s, row, 0, PSY_STYLE_STRONG, "psyne top");
 *   psy__screen_write(&s, stdout, &before);       // what differs from the frame before
 *
 * Colours are the terminal's own sixteen, so that they fit its background. Thread safety: one thread. */
#ifndef PSY_COMMAND_SCREEN_H
#define PSY_COMMAND_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum psy__style {
#define STYLE(NAME, sgr) PSY_STYLE_##NAME,
#include "command/styles.def"
    PSY_STYLE_COUNT
} psy__style;

typedef struct psy__cell {
    char text[4]; /* a character of UTF-8, without a NUL where it has 4 bytes; all 0: the right half of a wide one */
    uint8_t style, zero[3];
} psy__cell;

typedef struct psy__screen {
    unsigned columns, rows;
    bool unicode;
    psy__cell *cells;
    size_t room;
} psy__screen;

/* All blanks. Memory is kept and grows: psy__screen_end frees it. False: there is none. */
bool psy__screen_start(psy__screen *s, unsigned columns, unsigned rows, bool unicode);
void psy__screen_end(psy__screen *s);

/* Puts the text there, and gives the column behind it. */
unsigned psy__screen_put(psy__screen *s, unsigned row, unsigned column, psy__style style, const char *text);
/* The same, cut to `width` columns, at their right end with `right`; gives the column behind the width. */
unsigned psy__screen_put_in(psy__screen *s, unsigned row, unsigned column, unsigned width, bool right, psy__style style,
                            const char *text);
/* Columns that a text would take. */
unsigned psy__screen_width(const psy__screen *s, const char *text);
/* The style of all cells of a row, without changing their text. */
void psy__screen_paint(psy__screen *s, unsigned row, psy__style style);

/* To a terminal: rows that are not as in `before` (NULL, or of another size: all). */
void psy__screen_write(const psy__screen *s, FILE *to, const psy__screen *before);
/* Rows up to the last that is not empty, without styles. */
void psy__screen_write_plain(const psy__screen *s, FILE *to);

#endif
