/* SPDX-License-Identifier: Apache-2.0 */
#include "syntax.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

const char *psc_syntax_string(psc_syntax *s, psc_span span)
{
    const char *from = span.source->text + span.begin + 1, *end = span.source->text + span.end - 1;
    char *text = psc_alloc(s->arena, (size_t)(end - from) + 1), *to = text;
    for (; from < end; from++) {
        if (*from == '\\' && from + 1 < end) {
            from++;
            if (*from != 'n' && *from != 't' && *from != '"' && *from != '\\') {
                psc_error(s->diags, PSC_E_LEXICAL, span, "`\\%c` is no escape", *from);
            }
            *to++ = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
        } else {
            *to++ = *from;
        }
    }
    return text;
}

void psc_syntax_doc(psc_syntax *s, const char *text, size_t n)
{
    while (n > 0 && (text[n - 1] == '\r' || text[n - 1] == ' ')) {
        n--;
    }
    if (n > 0 && *text == ' ') {
        text++;
        n--;
    }
    s->doc = s->doc ? psc_format(s->arena, "%s\n%.*s", s->doc, (int)n, text) : psc_strndup(s->arena, text, n);
}

const char *psc_syntax_take_doc(psc_syntax *s)
{
    const char *doc = s->doc;
    s->doc = NULL;
    return doc;
}

void psc_syntax_open(psc_syntax *s, psc_span span)
{
    if (++s->nesting > PSC_NESTING_MAX && !s->too_deep) {
        s->too_deep = true;
        psc_error(s->diags, PSC_E_LIMIT, span, "this nests deeper than %d levels", PSC_NESTING_MAX);
    }
}

void psc_syntax_close(psc_syntax *s) { s->nesting -= s->nesting > 0; }

static const char *shown(psc_syntax *s, const char *token)
{
    bool word = strncmp(token, "a ", 2) == 0 || strncmp(token, "an ", 3) == 0 || strncmp(token, "the ", 4) == 0;
    return word ? token : psc_format(s->arena, "`%s`", token);
}

void psc_syntax_error(psc_syntax *s, psc_span span, const char *found, const char *const *expected, size_t count)
{
    const char *list = "";
    for (size_t i = 0; i < count; i++) {
        list = psc_format(s->arena, "%s%s%s", list, i == 0 ? "" : i + 1 == count ? " or " : ", ", shown(s, expected[i]));
    }
    /* A name or number is shown as it was written. */
    bool word = strncmp(found, "a ", 2) == 0;
    const char *what = word ? psc_format(s->arena, "`%.*s`", (int)(span.end - span.begin > 40 ? 40 : span.end - span.begin),
                                         span.source->text + span.begin)
                            : shown(s, found);
    if (count == 0) {
        psc_error(s->diags, PSC_E_SYNTAX, span, "%s was not expected here", what);
    } else {
        psc_error(s->diags, PSC_E_SYNTAX, span, "expected %s, found %s", list, what);
    }
}
