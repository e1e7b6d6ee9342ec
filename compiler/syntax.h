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

/* What a text may have. Brackets and expressions are bounded so that recursion over trees is; names so that all names made of
 * them fit into a module and are distinct in C; the text so that checks over all pairs of names stay quick. */
enum { PSC_NESTING_MAX = 200, PSC_DEPTH_MAX = 1000, PSC_NAME_MAX = 60, PSC_NAMESPACE_MAX = 50, PSC_TEXT_BYTES_MAX = 1 << 20 };

typedef PSC_LIST(psc_span) psc_spans;

typedef struct psc_syntax {
    psc_arena *arena;
    psc_diagnostics *diags;
    const psc_source *source;
    bool semicolons;                /* lines end with them */
    const char *const *later;       /* words of the language's future, ended by NULL; NULL: none */
    uint32_t at;                    /* offset of the next byte */
    uint32_t spoiled;               /* syntax errors that start before this offset follow from one that was reported */
    PSC_LIST(char) doc;             /* doc comment waiting for its name */
    psc_span open[PSC_NESTING_MAX]; /* brackets */
    unsigned nesting;
    bool gave_up;       /* reported: what follows makes no sense any more */
    psc_spans *lexemes; /* gets every match of the lexer, blanks and comments too; NULL: nobody asks */
    void *result;
} psc_syntax;

/* Whether the text is small enough to be parsed; reports. */
bool psc_syntax_begin(psc_syntax *s);
/* A number as written: digits, 0x, 0b, `_` between digits, fraction and exponent. Reports E_NUMBER and gives 0. */
bool psc_syntax_integer(psc_syntax *s, psc_span span, uint64_t *out);
bool psc_syntax_real(psc_syntax *s, psc_span span, double *out);
/* Reports a word that starts with a digit. */
void psc_syntax_no_number(psc_syntax *s, psc_span span);
/* A name of the text; one that is too long is reported. Takes the waiting doc comment. */
psc_name psc_syntax_name(psc_syntax *s, psc_span span);
/* A text in quotes with \n \t \" \\ only. */
const char *psc_syntax_string(psc_syntax *s, psc_span span);
/* Bytes that are no token: reports them, and drops syntax errors that they lead to on the same line. */
void psc_syntax_stray(psc_syntax *s, psc_span span);
/* A comment or text that has no end: reported, and the end of what is parsed. */
void psc_syntax_endless(psc_syntax *s, psc_span span, const char *what);
/* Adds a line to the waiting doc comment. */
void psc_syntax_doc(psc_syntax *s, const char *text, size_t n);
const char *psc_syntax_take_doc(psc_syntax *s);
/* What the lexer matched, whatever it is. */
void psc_syntax_lexeme(psc_syntax *s, psc_span span);
/* Brackets; the first that nests too deep is reported. */
void psc_syntax_open(psc_syntax *s, psc_span span);
void psc_syntax_close(psc_syntax *s);
/* The depth of an expression above others; too much is reported once. */
unsigned psc_syntax_depth(psc_syntax *s, psc_span span, unsigned left, unsigned right);
/* There is no type of this name: reports it, with what may have been meant. */
void psc_syntax_no_type(psc_diagnostics *diags, const psc_name *name);

/* "expected `;` or `{`, found `message`". `found` and `expected` are names of tokens as the grammar aliases them: those that
 * start with "a ", "an " or "the " are words, the others are shown in quotes. NULL: it follows from one that was reported, or
 * was reported otherwise. */
psc_diagnostic *psc_syntax_error(psc_syntax *s, psc_span span, const char *found, const char *const *expected, size_t count);

/* What a grammar's yyreport_syntax_error does: its tables are static. */
#define PSC_SYNTAX_REPORT(context, syntax, error)                                                                              \
    do {                                                                                                                       \
        yysymbol_kind_t kinds_[YYNTOKENS];                                                                                     \
        const char *names_[YYNTOKENS];                                                                                         \
        int count_ = yypcontext_expected_tokens(context, kinds_, YYNTOKENS);                                                   \
        for (int i_ = 0; i_ < count_; i_++) {                                                                                  \
            names_[i_] = yysymbol_name(kinds_[i_]);                                                                            \
        }                                                                                                                      \
        error(syntax, *yypcontext_location(context), yysymbol_name(yypcontext_token(context)), names_,                         \
              count_ > 0 ? (size_t)count_ : 0);                                                                                \
    } while (0)

#define PSC_LOCATION(current, rhs, n)                                                                                          \
    do {                                                                                                                       \
        (current).source = (rhs)[(n) ? 1 : 0].source;                                                                          \
        (current).begin = (n) ? (rhs)[1].begin : (rhs)[0].end;                                                                 \
        (current).end = (n) ? (rhs)[n].end : (rhs)[0].end;                                                                     \
    } while (0)

#endif
