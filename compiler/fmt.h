/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical layout of both languages. It is made of the words and comments of the text, not of what they mean: nothing is
 * added, dropped or moved but blanks, line breaks and empty lines.
 *
 *   - four spaces a level; a statement or field a line, as far as PSC_FMT_COLUMNS reach
 *   - what is longer is broken at the outermost place: before `|>`, before the operators that bind least, or in the brackets
 * that hold most, an argument a line
 *   - a statement with a comment inside of it keeps its line breaks
 *   - the types of fields and residents in a row, and the comments at the ends of lines in a row, stand below each other
 *   - empty lines stay, one at most; one stands around messages and pipelines
 */
#ifndef PSC_FMT_H
#define PSC_FMT_H

#include "arena.h"
#include "diagnostic.h"
#include "source.h"

enum { PSC_FMT_COLUMNS = 100 };

/* The text laid out, of *bytes; NULL after syntax errors, which are reported. `is_program`: .hrm, else .psy. */
const char *psc_fmt(psc_arena *arena, psc_diagnostics *diags, const psc_source *source, bool is_program, size_t *bytes);

#endif
