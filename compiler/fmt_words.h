/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a text with their comments, and how they stand on a line: what the formatter works on. */
#ifndef PSC_FMT_WORDS_H
#define PSC_FMT_WORDS_H

#include "fmt.h"
#include "syntax.h"

typedef enum fmt_kind { FMT_OPERAND, FMT_KEYWORD, FMT_SIGN, FMT_OPEN, FMT_CLOSE, FMT_LINE_COMMENT, FMT_BLOCK_COMMENT } fmt_kind;

typedef struct fmt_word {
    fmt_kind kind;
    const char *text;
    uint32_t n;
    bool breaks;  /* a line break stands before it */
    bool blank;   /* an empty line, too */
    bool prefix;  /* a sign before its only operand */
    bool apart;   /* a bracket that is not the name's before it */
    size_t close; /* OPEN: the word that closes it */
} fmt_word;

typedef PSC_LIST(fmt_word) fmt_words;
typedef PSC_LIST(char) fmt_text;

/* The words of a text without syntax errors; false after them. */
bool fmt_words_read(psc_arena *arena, psc_diagnostics *diags, const psc_source *source, bool is_program, fmt_words *out);

static inline bool fmt_is(const fmt_word *w, const char *text)
{
    return strlen(text) == w->n && memcmp(w->text, text, w->n) == 0;
}
static inline bool fmt_is_comment(const fmt_word *w) { return w->kind == FMT_LINE_COMMENT || w->kind == FMT_BLOCK_COMMENT; }

/* Appends words [from, to) to the text, whose last line has `indent`; breaks them where they do not fit. */
void fmt_layout(psc_arena *arena, const fmt_words *words, size_t from, size_t to, unsigned indent, fmt_text *text);
/* As the author broke them: for words with comments between. */
void fmt_as_broken(psc_arena *arena, const fmt_words *words, size_t from, size_t to, unsigned indent, fmt_text *text);
/* The width of the words on one line. */
size_t fmt_width(const fmt_words *words, size_t from, size_t to);
void fmt_put(psc_arena *arena, fmt_text *text, const char *bytes, size_t n);
void fmt_put_blanks(psc_arena *arena, fmt_text *text, size_t n);

#endif
