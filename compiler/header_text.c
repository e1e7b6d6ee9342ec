/* SPDX-License-Identifier: Apache-2.0 */
/* Words, numbers and comments of C. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "header.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header, section, pairs, w->to);
}

const char *psc_header_ctype(unsigned dtype)
{
    switch (dtype) {
#define DTYPE(NAME, code, text, bytes, type, ...)                                                                              \
    case code:                                                                                                                 \
        return #type;
#include "isa/dtypes.def"
#undef DTYPE
    default: return "";
    }
}

/* ---- numbers ---- */

const char *psc_header_decimal(psc_header *w, uint64_t n) { return TEXT("%" PRIu64, n); }

const char *psc_header_integer(psc_header *w, int64_t v)
{
    return v == INT64_MIN   ? "INT64_MIN"
           : v > INT32_MAX  ? TEXT("INT64_C(%" PRId64 ")", v)
           : v < -INT32_MAX ? TEXT("(-INT64_C(%" PRId64 "))", -v)
           : v < 0          ? TEXT("(%" PRId64 ")", v)
                            : TEXT("%" PRId64, v);
}

const char *psc_header_real(psc_header *w, double v)
{
    const char *text = TEXT("%.17g", v);
    text = strpbrk(text, ".en") ? text : TEXT("%s.0", text);
    return *text == '-' ? TEXT("(%s)", text) : text;
}

/* ---- texts ---- */

const char *psc_header_quoted(psc_header *w, const char *text, size_t n)
{
    char *out = psc_alloc(w->arena, 4 * n + 3), *to = out;
    *to++ = '"';
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '?';
        to += sprintf(to, plain ? "%c" : "\\%03o", c);
    }
    *to++ = '"';
    return out;
}

const char *psc_header_deprecated(psc_header *w, const char *why)
{
    return why ? TEXT("PSY_DEPRECATED(%s) ", psc_header_quoted(w, why, strlen(why))) : "";
}

/* ---- comments ---- */

/* A doc comment must not end early. */
static const char *harmless(psc_header *w, const char *line, size_t n)
{
    char *text = psc_strndup(w->arena, line, n);
    for (char *c = text; *c; c++) {
        if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*')) {
            c[1] = ' ';
        }
    }
    return text;
}

void psc_header_doc(psc_header *w, const char *doc)
{
    if (!doc) {
        return;
    }
    if (!strchr(doc, '\n')) {
        put(w, "doc_one", PSC_PAIRS({"doc", harmless(w, doc, strlen(doc))}));
        return;
    }
    for (const char *line = doc; line;) {
        const char *end = strchr(line, '\n');
        put(w, line == doc ? "doc_begin" : "doc_line",
            PSC_PAIRS({"doc", harmless(w, line, end ? (size_t)(end - line) : strlen(line))}));
        line = end ? end + 1 : NULL;
    }
    put(w, "doc_end", NULL);
}

void psc_header_inner_doc(psc_header *w, const char *doc)
{
    for (const char *line = doc; line;) {
        const char *end = strchr(line, '\n');
        put(w, "indented_doc", PSC_PAIRS({"doc", harmless(w, line, end ? (size_t)(end - line) : strlen(line))}));
        line = end ? end + 1 : NULL;
    }
}

/* ---- what is indented ---- */

void psc_header_keep(psc_header *w)
{
    w->outer = w->to;
    w->kept = NULL;
    w->to = open_memstream(&w->kept, &w->kept_bytes);
    if (!w->to) {
        fputs("psynec: out of memory\n", stderr);
        exit(3);
    }
}

void psc_header_indent(psc_header *w, unsigned spaces)
{
    const bool failed = fclose(w->to) != 0;
    w->to = w->outer;
    for (const char *line = w->kept; !failed && *line;) {
        const size_t n = strcspn(line, "\n");
        fprintf(w->to, "%*s%.*s\n", n ? (int)spaces : 0, "", (int)n, line);
        line += n + (line[n] == '\n');
    }
    free(w->kept);
    w->kept = NULL;
    if (failed) {
        fputs("psynec: out of memory\n", stderr);
        exit(3);
    }
}
