/* SPDX-License-Identifier: Apache-2.0 */
/* What both parsers share: names with their place, the state of one parse, numbers, and syntax errors in the user's words. */
#ifndef PSC_SYNTAX_H
#define PSC_SYNTAX_H

#include <stdbool.h>

#include "arena.h"
#include "diagnostic.h"
#include "source.h"

typedef struct psc_name {
    const char *text;
    psc_span span;
    const char *doc; /* the doc comment before it, or NULL */
} psc_name;

/* Nesting deeper than this is refused: recursion over a tree stays bounded. */
enum { PSC_NESTING_MAX = 200 };

typedef struct psc_syntax {
    psc_arena *arena;
    psc_diagnostics *diags;
    const psc_source *source;
    uint32_t at;      /* offset of the next byte */
    const char *doc;  /* doc comment waiting for its name */
    unsigned nesting; /* open brackets */
    bool too_deep;
    void *result;
} psc_syntax;

/* A number as written: digits, 0x, 0b, `_` between digits, fraction and exponent. Reports E_NUMBER and gives 0. */
bool psc_syntax_integer(psc_syntax *s, psc_span span, uint64_t *out);
bool psc_syntax_real(psc_syntax *s, psc_span span, double *out);
/* A text in quotes with \n \t \" \\ only. */
const char *psc_syntax_string(psc_syntax *s, psc_span span);
/* Adds a line to the waiting doc comment. */
void psc_syntax_doc(psc_syntax *s, const char *text, size_t n);
const char *psc_syntax_take_doc(psc_syntax *s);
/* Counts brackets; the first that nests too deep is reported. */
void psc_syntax_open(psc_syntax *s, psc_span span);
void psc_syntax_close(psc_syntax *s);

/* "expected `;` or `{`, found `message`". `found` and `expected` are names of tokens as the grammar aliases them: those that
 * start with "a " or "the " are words, the others are shown in quotes. */
void psc_syntax_error(psc_syntax *s, psc_span span, const char *found, const char *const *expected, size_t count);

#define PSC_LOCATION(current, rhs, n)                                                                                          \
    do {                                                                                                                       \
        (current).source = (rhs)[(n) ? 1 : 0].source;                                                                          \
        (current).begin = (n) ? (rhs)[1].begin : (rhs)[0].end;                                                                 \
        (current).end = (n) ? (rhs)[n].end : (rhs)[0].end;                                                                     \
    } while (0)

#endif
