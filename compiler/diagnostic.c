/* SPDX-License-Identifier: Apache-2.0 */
#include "diagnostic.h"

#include <stdlib.h>
#include <string.h>

typedef enum severity { ERROR, WARNING } severity;

static const struct {
    const char *code;
    severity severity;
} codes[] = {
#define DIAGNOSTIC(NAME, code, severity, title) {code, severity},
#include "diagnostics.def"
#undef DIAGNOSTIC
};

typedef struct remark {
    psc_span span; /* help: unused */
    bool help;
    char *text;
} remark;

struct psc_diagnostic {
    psc_arena *arena;
    psc_code code;
    psc_span span;
    char *text;
    size_t order;
    PSC_LIST(remark) remarks;
};

static psc_diagnostic *report(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, va_list arguments)
{
    psc_diagnostic *d = psc_new(diags->arena, psc_diagnostic);
    d->arena = diags->arena;
    d->code = code;
    d->span = span;
    d->text = psc__format_va(diags->arena, format, arguments);
    d->order = diags->list.count;
    diags->errors += codes[code].severity == ERROR;
    /* Far more than is ever shown is not kept. */
    if (diags->list.count < 10 * PSC_ERRORS_SHOWN_MAX) {
        psc_push(diags->arena, &diags->list, d);
    }
    return d;
}

psc_diagnostic *psc_error(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    psc_diagnostic *d = report(diags, code, span, format, arguments);
    va_end(arguments);
    return d;
}

psc_diagnostic *psc_warn(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    psc_diagnostic *d = report(diags, code, span, format, arguments);
    va_end(arguments);
    return d;
}

void psc_note(psc_diagnostic *d, psc_span span, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    remark r = {span, false, psc__format_va(d->arena, format, arguments)};
    va_end(arguments);
    psc_push(d->arena, &d->remarks, r);
}

void psc_help(psc_diagnostic *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    remark r = {{0}, true, psc__format_va(d->arena, format, arguments)};
    va_end(arguments);
    psc_push(d->arena, &d->remarks, r);
}

/* ---- printing ---- */

static int compare(const void *a, const void *b)
{
    const psc_diagnostic *x = *(psc_diagnostic *const *)a, *y = *(psc_diagnostic *const *)b;
    const char *px = x->span.source ? x->span.source->path : "", *py = y->span.source ? y->span.source->path : "";
    int by_path = strcmp(px, py);
    if (by_path != 0) {
        return by_path;
    }
    if (x->span.begin != y->span.begin) {
        return x->span.begin < y->span.begin ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool same(const psc_diagnostic *a, const psc_diagnostic *b)
{
    return a->code == b->code && a->span.source == b->span.source && a->span.begin == b->span.begin &&
           a->span.end == b->span.end && strcmp(a->text, b->text) == 0;
}

/* Bytes that start a character: columns of a terminal, near enough. */
static uint32_t columns(const char *text, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

static void print_place(psc_span span, FILE *to)
{
    if (span.source) {
        uint32_t line, column;
        psc_source_place(span.source, span.begin, &line, &column);
        fprintf(to, "%s:%u:%u: ", span.source->path, line, column);
    } else {
        fputs("psynec: ", to);
    }
}

/* The line of the span and a caret line under it. Tabs stay tabs in both, so that they line up. Long lines are cut. */
static void print_line(psc_span span, FILE *to, const char *paint, const char *plain)
{
    enum { SHOWN_MAX = 160 };
    const psc_source *s = span.source;
    if (!s) {
        return;
    }
    uint32_t line, column;
    psc_source_place(s, span.begin, &line, &column);
    const char *text = s->text + s->line_starts[line - 1];
    uint32_t length = (uint32_t)strcspn(text, "\n"), before = column - 1;
    if (length > 0 && text[length - 1] == '\r') {
        length--;
    }
    before = before > length ? length : before;
    uint32_t from = before > SHOWN_MAX - 40 ? before - 60 : 0;
    while (from > 0 && from < before && ((unsigned char)text[from] & 0xc0) == 0x80) {
        from++;
    }
    uint32_t shown = length - from > SHOWN_MAX ? SHOWN_MAX : length - from;
    fprintf(to, "%5u | %.*s\n      | ", line, (int)shown, text + from);
    for (uint32_t i = from; i < before; i++) {
        if (text[i] == '\t') {
            fputc('\t', to);
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            fputc(' ', to);
        }
    }
    uint32_t end = span.end - s->line_starts[line - 1];
    end = end > from + shown ? from + shown : end;
    uint32_t wide = end > before ? columns(text + before, end - before) : 1;
    fputs(paint, to);
    fputc('^', to);
    for (uint32_t i = 1; i < wide; i++) {
        fputc('~', to);
    }
    fprintf(to, "%s\n", plain);
}

static void print_one(const psc_diagnostic *d, FILE *to, bool colour)
{
    bool error = codes[d->code].severity == ERROR;
    const char *paint = !colour ? "" : error ? "\033[1;31m" : "\033[1;35m", *plain = colour ? "\033[0m" : "";
    const char *note = colour ? "\033[1;36m" : "";
    print_place(d->span, to);
    fprintf(to, "%s%s[%s]%s: %s\n", paint, error ? "error" : "warning", codes[d->code].code, plain, d->text);
    print_line(d->span, to, paint, plain);
    for (size_t i = 0; i < d->remarks.count; i++) {
        const remark *r = &d->remarks.at[i];
        if (r->help) {
            fprintf(to, "   %shelp%s: %s\n", note, plain, r->text);
        } else {
            print_place(r->span, to);
            fprintf(to, "%snote%s: %s\n", note, plain, r->text);
            print_line(r->span, to, note, plain);
        }
    }
}

void psc_diagnostics_print(const psc_diagnostics *diags, FILE *to, bool colour)
{
    if (diags->list.count == 0) {
        return;
    }
    psc_diagnostic **sorted = psc_alloc(diags->arena, diags->list.count * sizeof *sorted);
    memcpy(sorted, diags->list.at, diags->list.count * sizeof *sorted);
    qsort(sorted, diags->list.count, sizeof *sorted, compare);
    unsigned shown = 0;
    for (size_t i = 0; i < diags->list.count; i++) {
        if (i > 0 && same(sorted[i], sorted[i - 1])) {
            continue;
        }
        bool error = codes[sorted[i]->code].severity == ERROR;
        if (error && shown == PSC_ERRORS_SHOWN_MAX) {
            continue;
        }
        print_one(sorted[i], to, colour);
        shown += error;
    }
    if (diags->errors > shown && shown == PSC_ERRORS_SHOWN_MAX) {
        fprintf(to, "psynec: %u more errors\n", diags->errors - shown);
    }
}

/* ---- did you mean ---- */

/* Edits (insert, delete, replace, swap of neighbours) from a to b; more than `most` gives most + 1. */
static size_t distance(const char *a, const char *b, size_t most)
{
    enum { LENGTH_MAX = 48 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LENGTH_MAX || m > LENGTH_MAX || (n > m ? n - m : m - n) > most) {
        return most + 1;
    }
    size_t rows[3][LENGTH_MAX + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *psc_did_you_mean(const char *name, const char *const *candidates, size_t count)
{
    size_t most = (strlen(name) + 2) / 3, best = most + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(name, candidates[i], most);
        if (d < best) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}
