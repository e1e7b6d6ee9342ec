/* SPDX-License-Identifier: Apache-2.0 */
#include "syntax.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool psc_syntax_begin(psc_syntax *s)
{
    if (s->source->bytes <= PSC_TEXT_BYTES_MAX) {
        return true;
    }
    psc_span start = {s->source, 0, 0};
    psc_help(psc_error(s->diags, PSC_E_LIMIT, start, "this text has more than %d bytes", PSC_TEXT_BYTES_MAX),
             "make several files of it");
    s->gave_up = true;
    return false;
}

/* ---- numbers, names, texts ---- */

/* As much of the span as a message has room for. */
static const char *written(psc_syntax *s, psc_span span)
{
    enum { SHOWN_MAX = 40 };
    uint32_t n = span.end - span.begin;
    const char *text = span.source->text + span.begin;
    return n > SHOWN_MAX ? psc_format(s->arena, "%.*s...", SHOWN_MAX, text) : psc_strndup(s->arena, text, n);
}

void psc_syntax_no_number(psc_syntax *s, psc_span span)
{
    if (s->spoiled <= span.begin) {
        psc_help(psc_error(s->diags, PSC_E_NUMBER, span, "`%s` is no number", written(s, span)), "names start with a letter");
    }
}

/* The number's characters without `_`. */
static char *digits(psc_syntax *s, psc_span span)
{
    char *text = psc_alloc(s->arena, span.end - span.begin + 1), *to = text;
    for (uint32_t i = span.begin; i < span.end; i++) {
        if (span.source->text[i] != '_') {
            *to++ = span.source->text[i];
        }
    }
    return text;
}

bool psc_syntax_integer(psc_syntax *s, psc_span span, uint64_t *out)
{
    char *text = digits(s, span), *end;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X'),
         binary = text[0] == '0' && (text[1] == 'b' || text[1] == 'B');
    errno = 0;
    *out = strtoull(hex || binary ? text + 2 : text, &end, hex ? 16 : binary ? 2 : 10);
    if (end == text || *end || end[-1] == 'x' || end[-1] == 'X' || end[-1] == 'b' || end[-1] == 'B') {
        psc_syntax_no_number(s, span);
        return false;
    }
    if (errno != 0) {
        psc_error(s->diags, PSC_E_NUMBER, span, "this number does not fit into 64 bits");
        *out = 0;
        return false;
    }
    return true;
}

bool psc_syntax_real(psc_syntax *s, psc_span span, double *out)
{
    *out = strtod(digits(s, span), NULL);
    if (!isfinite(*out)) {
        psc_error(s->diags, PSC_E_NUMBER, span, "this number does not fit into f64");
        *out = 0;
        return false;
    }
    return true;
}

psc_name psc_syntax_name(psc_syntax *s, psc_span span)
{
    uint32_t n = span.end - span.begin;
    if (n > PSC_NAME_MAX) {
        psc_error(s->diags, PSC_E_LIMIT, span, "a name has at most %d characters", PSC_NAME_MAX);
        n = PSC_NAME_MAX;
    }
    return (psc_name){psc_strndup(s->arena, span.source->text + span.begin, n), span, psc_syntax_take_doc(s)};
}

const char *psc_syntax_string(psc_syntax *s, psc_span span)
{
    const char *from = span.source->text + span.begin + 1, *end = span.source->text + span.end - 1;
    char *text = psc_alloc(s->arena, (size_t)(end - from) + 1), *to = text;
    for (; from < end; from++) {
        if (*from == '\\' && from + 1 < end) {
            psc_span escape = {span.source, (uint32_t)(from - span.source->text), (uint32_t)(from - span.source->text) + 2};
            from++;
            if (*from != 'n' && *from != 't' && *from != '"' && *from != '\\') {
                psc_help(psc_error(s->diags, PSC_E_LEXICAL, escape, "`\\%c` is no escape", *from),
                         "there are `\\n`, `\\t`, `\\\"` and `\\\\`");
            }
            *to++ = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
        } else {
            *to++ = *from;
        }
    }
    return text;
}

/* ---- what is no token ---- */

static uint32_t line_end(const psc_source *source, uint32_t at) { return at + (uint32_t)strcspn(source->text + at, "\n"); }

void psc_syntax_stray(psc_syntax *s, psc_span span)
{
    const unsigned char *text = (const unsigned char *)span.source->text + span.begin;
    if (s->spoiled > span.begin) {
        return;
    }
    if (span.end - span.begin > 1) {
        psc_help(psc_error(s->diags, PSC_E_LEXICAL, span, "`%s` is not part of the language", written(s, span)),
                 "names are made of ASCII letters, digits and `_`");
    } else if (isgraph(*text)) {
        psc_error(s->diags, PSC_E_LEXICAL, span, "`%c` is not part of the language", *text);
    } else {
        psc_error(s->diags, PSC_E_LEXICAL, span, "byte 0x%02x is not part of the language", *text);
    }
    s->spoiled = line_end(s->source, span.begin);
}

void psc_syntax_endless(psc_syntax *s, psc_span span, const char *what)
{
    psc_error(s->diags, PSC_E_LEXICAL, span, "this %s never ends", what);
    s->gave_up = true;
}

/* ---- doc comments ---- */

void psc_syntax_doc(psc_syntax *s, const char *text, size_t n)
{
    while (n > 0 && (text[n - 1] == '\r' || text[n - 1] == ' ')) {
        n--;
    }
    if (n > 0 && *text == ' ') {
        text++;
        n--;
    }
    if (s->doc.count) {
        psc_push(s->arena, &s->doc, '\n');
    }
    for (size_t i = 0; i < n; i++) {
        psc_push(s->arena, &s->doc, text[i]);
    }
}

const char *psc_syntax_take_doc(psc_syntax *s)
{
    const char *doc = s->doc.count ? psc_strndup(s->arena, s->doc.at, s->doc.count) : NULL;
    s->doc.count = 0;
    return doc;
}

/* ---- words ---- */

void psc_syntax_lexeme(psc_syntax *s, psc_span span)
{
    if (s->lexemes) {
        psc_push(s->arena, s->lexemes, span);
    }
}

/* ---- nesting ---- */

void psc_syntax_open(psc_syntax *s, psc_span span)
{
    if (s->nesting < PSC_NESTING_MAX) {
        s->open[s->nesting++] = span;
    } else if (!s->gave_up) {
        s->gave_up = true;
        psc_error(s->diags, PSC_E_LIMIT, span, "this nests deeper than %d levels", PSC_NESTING_MAX);
    }
}

void psc_syntax_close(psc_syntax *s) { s->nesting -= s->nesting > 0; }

unsigned psc_syntax_depth(psc_syntax *s, psc_span span, unsigned left, unsigned right)
{
    unsigned depth = 1 + (left > right ? left : right);
    if (depth > PSC_DEPTH_MAX && !s->gave_up) {
        s->gave_up = true;
        psc_help(psc_error(s->diags, PSC_E_LIMIT, span, "this expression has more than %d operations on top of each other",
                           PSC_DEPTH_MAX),
                 "give names to parts of it");
    }
    return depth;
}

/* ---- types ---- */

void psc_syntax_no_type(psc_diagnostics *diags, const psc_name *name)
{
    static const char *const dtypes[] = {
#define DTYPE(NAME, code, text, ...) #text,
#include "isa/dtypes.def"
#undef DTYPE
    };
    /* What other languages call them. */
    static const char *const others[][2] = {{"float", "f32"},     {"single", "f32"},  {"double", "f64"},  {"half", "f16"},
                                            {"bfloat16", "bf16"}, {"int", "i32"},     {"integer", "i32"}, {"long", "i64"},
                                            {"short", "i16"},     {"byte", "u8"},     {"char", "u8"},     {"uint", "u32"},
                                            {"int8", "i8"},       {"int16", "i16"},   {"int32", "i32"},   {"int64", "i64"},
                                            {"uint8", "u8"},      {"uint16", "u16"},  {"uint32", "u32"},  {"uint64", "u64"},
                                            {"float16", "f16"},   {"float32", "f32"}, {"float64", "f64"}, {"boolean", "bool"}};
    enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };
    psc_diagnostic *d = psc_error(diags, PSC_E_UNKNOWN_NAME, name->span, "there is no type `%s`", name->text);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i][0], name->text) == 0) {
            psc_help(d, "write `%s`", others[i][1]);
            psc_fix_with(d, name->span, "%s", others[i][1]);
            return;
        }
    }
    if (!psc_help_nearest(d, name->text, dtypes, DTYPES)) {
        const char *list = dtypes[0];
        for (size_t i = 1; i < DTYPES; i++) {
            list = psc_format(diags->arena, "%s, %s", list, dtypes[i]);
        }
        psc_help(d, "there are %s", list);
    }
}

/* ---- syntax errors ---- */

static bool is_word(const char *token)
{
    return strncmp(token, "a ", 2) == 0 || strncmp(token, "an ", 3) == 0 || strncmp(token, "the ", 4) == 0;
}

/* A token as the grammar names it: `';'`, `"message"` without its quotes, or a description. */
static const char *shown(psc_syntax *s, const char *token)
{
    return is_word(token)     ? token
           : token[0] == '\'' ? psc_format(s->arena, "`%c`", token[1])
                              : psc_format(s->arena, "`%s`", token);
}

/* Where the token before ends: blanks and line comments are stepped over. */
static uint32_t end_before(const psc_source *source, uint32_t at)
{
    for (;;) {
        while (at > 0 && isspace((unsigned char)source->text[at - 1])) {
            at--;
        }
        uint32_t line, column;
        psc_source_place(source, at, &line, &column);
        const char *start = source->text + source->line_starts[line - 1], *comment = strstr(start, "//");
        if (!comment || comment >= source->text + at) {
            return at;
        }
        at = (uint32_t)(comment - source->text);
    }
}

static bool expects(const char *const *expected, size_t count, const char *token)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(expected[i], token) == 0) {
            return true;
        }
    }
    return false;
}

/* A word of the language's future on the line of the error, up to where it is: that is what is wrong. */
static bool refuse_later(psc_syntax *s, psc_span span)
{
    uint32_t line, column;
    psc_source_place(s->source, span.begin, &line, &column);
    const char *text = s->source->text;
    uint32_t at = s->source->line_starts[line - 1];
    while (s->later && at < span.end) {
        uint32_t n = 0;
        while (isalnum((unsigned char)text[at + n]) || text[at + n] == '_') {
            n++;
        }
        bool is_field = (at > 0 && text[at - 1] == '.') || text[at + n] == ':';
        for (size_t i = 0; !is_field && s->later[i]; i++) {
            if (strlen(s->later[i]) == n && memcmp(text + at, s->later[i], n) == 0) {
                psc_span word = {s->source, at, at + n};
                psc_diagnostic *d =
                    psc_error(s->diags, PSC_E_UNSUPPORTED, word, "`%s` is not supported by this version", s->later[i]);
                if (strcmp(s->later[i], "model") == 0) {
                    psc_help(d, "write the network as functions, and read its weights with `param`");
                }
                return true;
            }
        }
        at += n ? n : 1;
    }
    return false;
}

/* The bracket that is open, where the error may be that it is. */
static void note_open(psc_syntax *s, psc_diagnostic *d, bool at_end, const char *const *expected, size_t count)
{
    if (s->nesting == 0) {
        return;
    }
    psc_span open = s->open[s->nesting - 1];
    char c = s->source->text[open.begin];
    const char *closer = c == '(' ? "')'" : c == '[' ? "']'" : "'}'";
    if (at_end || (c != '{' && expects(expected, count, closer))) {
        psc_note(d, open, "`%c` is open since here", c);
    }
}

psc_diagnostic *psc_syntax_error(psc_syntax *s, psc_span span, const char *found, const char *const *expected, size_t count)
{
    enum { SHOWN_MAX = 8 };
    if (s->gave_up || span.begin < s->spoiled) {
        return NULL;
    }
    s->spoiled = span.end;
    if (!psc_errors_are_kept(s->diags)) {
        psc_error(s->diags, PSC_E_SYNTAX, span, "%s", found); /* counted, never shown: to look around would take long */
        return NULL;
    }
    if (refuse_later(s, span)) {
        s->spoiled = line_end(s->source, span.begin);
        return NULL;
    }
    bool at_end = strcmp(found, "the end of the file") == 0;
    uint32_t before = end_before(s->source, at_end ? (uint32_t)s->source->bytes : span.begin), line, line_before, column;
    psc_source_place(s->source, before, &line_before, &column);
    psc_source_place(s->source, span.begin, &line, &column);
    psc_span gap = {s->source, before, before};
    if (s->semicolons && expects(expected, count, "';'") && line != line_before && !at_end) {
        psc_fix_with(psc_error(s->diags, PSC_E_SYNTAX, gap, "expected `;` here"), gap, ";");
        return NULL;
    }
    const char *list = "";
    for (size_t i = 0; i < count; i++) {
        list = psc_format(s->arena, "%s%s%s", list, i == 0 ? "" : i + 1 == count ? " or " : ", ", shown(s, expected[i]));
    }
    /* A name or number is shown as it was written. */
    const char *what = strncmp(found, "a ", 2) == 0 ? psc_format(s->arena, "`%s`", written(s, span)) : shown(s, found);
    psc_diagnostic *d = count == 0 || count > SHOWN_MAX
                            ? psc_error(s->diags, PSC_E_SYNTAX, at_end ? gap : span, "%s was not expected here", what)
                            : psc_error(s->diags, PSC_E_SYNTAX, at_end ? gap : span, "expected %s, found %s", list, what);
    if (strcmp(found, "a name") == 0) {
        const char *words[64];
        size_t n = 0;
        for (size_t i = 0; i < count && n < 64; i++) {
            if (isalpha((unsigned char)expected[i][0]) && !is_word(expected[i])) {
                words[n++] = expected[i];
            }
        }
        psc_help_nearest(d, written(s, span), words, n);
    }
    note_open(s, d, at_end, expected, count);
    return d;
}
