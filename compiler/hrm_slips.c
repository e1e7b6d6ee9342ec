/* SPDX-License-Identifier: Apache-2.0 */
/* Syntax errors of Harmonics: what was expected in few words, and help for what other languages write otherwise. */
#include <ctype.h>
#include <string.h>

#include "hrm_ast.h"

typedef struct found {
    psc_syntax *syntax;
    psc_span span;
    const char *token; /* as the grammar names it */
    const char *const *expected;
    size_t count;
} found;

static bool is_one_of(const char *token, const char *const *list)
{
    while (*list && strcmp(*list, token) != 0) {
        list++;
    }
    return *list != NULL;
}

static bool expects(const found *f, const char *token)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->expected[i], token) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_text(const found *f, const char *text)
{
    size_t n = f->span.end - f->span.begin;
    return strlen(text) == n && memcmp(f->span.source->text + f->span.begin, text, n) == 0;
}

static const char *const comparisons[] = {"'<'", "'>'", "<=", ">=", "==", "!=", NULL};

static bool is_operator(const char *token)
{
    static const char *const operators[] = {"'+'", "'-'", "'*'", "'/'", "'%'", "'@'", "&&",  "||", "<<", ">>",
                                            "'&'", "'|'", "'^'", "|>",  "??",  "'.'", "'['", "..", NULL};
    return is_one_of(token, operators) || is_one_of(token, comparisons);
}

/* What starts an expression, and what goes on with one, are a word each. */
static size_t shorten(const found *f, const char **names)
{
    static const char *const starts[] = {"a name", "a number", "a truth value", "a fraction", "a text", "'('",
                                         "'-'",    "'!'",      "'~'",           "if",         NULL};
    bool starts_one = expects(f, "a number"), goes_on = expects(f, "'+'");
    size_t n = 0;
    if (starts_one) {
        names[n++] = "an expression";
    }
    if (goes_on) {
        names[n++] = "an operator";
    }
    for (size_t i = 0; i < f->count; i++) {
        const char *token = f->expected[i];
        if (!(starts_one && is_one_of(token, starts)) && !(goes_on && is_operator(token))) {
            names[n++] = token;
        }
    }
    return n;
}

/* Words that are operators elsewhere. */
static const char *sign_for(const found *f)
{
    static const char *const words[][2] = {{"and", "&&"}, {"or", "||"}, {"xor", "^"}, {"mod", "%"}, {"div", "/"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (is_text(f, words[i][0])) {
            return words[i][1];
        }
    }
    return NULL;
}

/* Whether the brace stands in brackets that follow a name on a line before. */
static bool in_call(const found *f)
{
    const psc_syntax *s = f->syntax;
    if (s->nesting < 2 || s->open[s->nesting - 1].begin != f->span.begin) {
        return false;
    }
    const char *text = f->span.source->text;
    uint32_t at = s->open[s->nesting - 2].begin;
    bool round = text[at] == '(', below = false;
    while (at > 0 && strchr(" \t\r\n", text[at - 1])) {
        below = below || text[--at] == '\n';
    }
    return round && below && at > 0 && (isalnum((unsigned char)text[at - 1]) || text[at - 1] == '_');
}

static void help(const found *f, psc_diagnostic *d)
{
    static const char choice[] = "a choice is written `if c { a } else { b }`";
    const char *text = f->span.source->text, *token = f->token;
    bool goes_on = expects(f, "'+'"), starts_one = expects(f, "a number");
    if (goes_on && is_one_of(token, comparisons)) {
        psc_help(d, "comparisons do not chain: write `a < b && b < c`");
    } else if (goes_on && strcmp(token, "'{'") == 0 && in_call(f)) {
        psc_help(d, "a bracket behind a name calls it: end the `let` before the messages with `;`");
    } else if (goes_on && strcmp(token, "a name") == 0 && sign_for(f)) {
        psc_help(d, "write `%s`", sign_for(f));
    } else if (goes_on && strcmp(token, "':'") == 0 && expects(f, "..")) {
        psc_help(d, "a part of an axis is written `x[1..3]`");
    } else if (goes_on && strcmp(token, "'='") == 0) {
        psc_help(d, "`==` compares");
    } else if (starts_one && strcmp(token, "if") == 0) {
        psc_help(d, "put the choice into parentheses: `1 + (if c { a } else { b })`");
    } else if (!goes_on && expects(f, "|>") && is_operator(token)) {
        psc_help(d, "`if` and `|>` bind less than all operators: put what is before into parentheses");
    } else if (expects(f, "else") || (expects(f, "'{'") && (goes_on || expects(f, "if")))) {
        psc_help(d, "%s", choice);
    } else if (starts_one && strcmp(token, "'['") == 0) {
        psc_help(d, "a list is an argument, as in `reshape(x, [2, 3])`; `stack(a, b)` makes a tensor of values");
    } else if (starts_one && strcmp(token, "'*'") == 0 && f->span.begin > 0 && text[f->span.begin - 1] == '*') {
        psc_help(d, "the power is `pow(x, y)`");
    }
}

void psc_hrm_syntax_error(psc_syntax *s, psc_span span, const char *token, const char *const *expected, size_t count)
{
    const char *names[128] = {NULL};
    found f = {s, span, token, expected, count < 120 ? count : 120};
    bool is_attribute = strcmp(token, "'@'") == 0 && expects(&f, "import");
    if (is_attribute && !s->gave_up && span.begin >= s->spoiled) {
        s->spoiled = span.end;
        psc_help(psc_error(s->diags, PSC_E_SYNTAX, span, "an attribute stands behind the word that starts what it is for"),
                 "write `pipeline @max_batch(64) NAME(...)`");
        return;
    }
    psc_diagnostic *d = psc_syntax_error(s, span, token, names, shorten(&f, names));
    if (d) {
        help(&f, d);
    }
}
