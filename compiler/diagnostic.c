/* SPDX-License-Identifier: Apache-2.0 */
#include "diagnostic.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/message.h>

#include "base/near.h"

static const struct {
    const char *name, *code;
    psc_severity severity;
    const char *title;
} codes[] = {
#define DIAGNOSTIC(NAME, code, severity, title) {#NAME, code, PSC_##severity, title},
#include "diagnostics.def"
#undef DIAGNOSTIC
};

const char *psc_code_text(psc_code code) { return codes[code].code; }
const char *psc_code_title(psc_code code) { return codes[code].title; }
psc_severity psc_code_severity(psc_code code) { return codes[code].severity; }

psc_code psc_code_named(const char *text)
{
    psc_code code = 0;
    while (code < PSC_CODE_COUNT && strcmp(codes[code].code, text) != 0) {
        code++;
    }
    return code;
}

const char *psc_warning_name(psc_arena *arena, psc_code code)
{
    char *name = psc_strndup(arena, codes[code].name + 2, strlen(codes[code].name + 2));
    for (char *c = name; *c; c++) {
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    }
    return name;
}

/* Far more than is ever shown is not kept. */
enum { KEPT_MAX = 10 * PSC_ERRORS_SHOWN_MAX };

bool psc_errors_are_kept(const psc_diagnostics *diags) { return diags->list.count < KEPT_MAX; }

static psc_diagnostic *report(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, va_list arguments)
{
    diags->errors += codes[code].severity == PSC_ERROR;
    if (!psc_errors_are_kept(diags) || (diags->quiet >> code & 1)) {
        /* What is said of it goes nowhere. */
        diags->dropped = diags->dropped ? diags->dropped : psc_new(diags->arena, psc_diagnostic);
        diags->dropped->order = KEPT_MAX;
        return diags->dropped;
    }
    psc_diagnostic *d = psc_new(diags->arena, psc_diagnostic);
    d->arena = diags->arena;
    d->code = code;
    d->severity = codes[code].severity;
    d->span = span;
    d->text = psc__format_va(diags->arena, format, arguments);
    d->order = diags->list.count;
    psc_push(diags->arena, &diags->list, d);
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

static void add_remark(psc_diagnostic *d, bool help, psc_span span, const char *format, va_list arguments)
{
    if (d->order < KEPT_MAX) {
        psc_remark r = {span, help, psc__format_va(d->arena, format, arguments)};
        psc_push(d->arena, &d->remarks, r);
    }
}

void psc_note(psc_diagnostic *d, psc_span span, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_remark(d, false, span, format, arguments);
    va_end(arguments);
}

void psc_help(psc_diagnostic *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_remark(d, true, (psc_span){0}, format, arguments);
    va_end(arguments);
}

void psc_fix_with(psc_diagnostic *d, psc_span span, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (d->order < KEPT_MAX && span.source) {
        psc_fix f = {span, psc__format_va(d->arena, format, arguments)};
        psc_push(d->arena, &d->fixes, f);
    }
    va_end(arguments);
}

/* Whether the bytes of the span are the text. */
static bool reads(psc_span span, const char *text)
{
    size_t n = strlen(text);
    return span.source && span.end - span.begin == n && memcmp(span.source->text + span.begin, text, n) == 0;
}

bool psc_help_nearest(psc_diagnostic *d, const char *name, const char *const *candidates, size_t count)
{
    /* What is never shown needs no search. */
    bool sure = false;
    const char *near = d->order < KEPT_MAX ? psy__nearest(name, candidates, count, &sure) : NULL;
    if (near) {
        psc_help(d, "did you mean `%s`?", near);
        /* Two that are as near as each other leave a choice. */
        bool attribute = *name == '@' && *near == '@';
        if (sure && (reads(d->span, name) || (attribute && reads(d->span, name + 1)))) {
            psc_fix_with(d, d->span, "%s", reads(d->span, name) ? near : near + 1);
        }
    }
    return near != NULL;
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

/* Whether both say the same of the same place: the second one follows from the first. */
static bool same(const psc_diagnostic *a, const psc_diagnostic *b)
{
    bool here = a->code == b->code && a->span.begin == b->span.begin && a->span.end == b->span.end;
    const psc_source *x = a->span.source, *y = b->span.source;
    /* A file that several others import is read for each of them. */
    return here && (x && y ? x == y || (strcmp(x->path, y->path) == 0 && strcmp(a->text, b->text) == 0)
                           : !x && !y && strcmp(a->text, b->text) == 0);
}

uint32_t psc_character(const char *text, uint32_t n)
{
    const unsigned char *t = (const unsigned char *)text;
    bool control = n > 0 && (t[0] == 0x7f || (t[0] < 0x20 && t[0] != '\t') || (t[0] == 0xc2 && n > 1 && t[1] < 0xa0));
    return control ? 0 : (uint32_t)psy_utf8_character(t, n);
}

/* Text from a file: a terminal must not take it for more than text. */
static void print_text(const char *text, uint32_t n, FILE *to)
{
    for (uint32_t i = 0; i < n;) {
        uint32_t length = psc_character(text + i, n - i);
        if (length) {
            fwrite(text + i, 1, length, to);
        } else {
            fputs("\xef\xbf\xbd", to);
        }
        i += length ? length : 1;
    }
}

/* Characters: columns of a terminal, near enough. */
static uint32_t columns(const char *text, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; count++) {
        uint32_t length = psc_character(text + i, n - i);
        i += length ? length : 1;
    }
    return count;
}

static void print_place(psc_span span, FILE *to)
{
    if (span.source) {
        uint32_t line, column;
        psc_source_place(span.source, span.begin, &line, &column);
        print_text(span.source->path, (uint32_t)strlen(span.source->path), to);
        fprintf(to, ":%u:%u: ", line, column);
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
    fprintf(to, "%5u |%s", line, shown ? " " : "");
    print_text(text + from, shown, to);
    fputs("\n      | ", to);
    for (uint32_t i = from; i < before;) {
        uint32_t one = psc_character(text + i, length - i);
        fputc(text[i] == '\t' ? '\t' : ' ', to);
        i += one ? one : 1;
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

static void print_words(const char *text, FILE *to)
{
    print_text(text, (uint32_t)strlen(text), to);
    fputc('\n', to);
}

static const char *const paints[] = {[PSC_PAINT_NONE] = "",
                                     [PSC_PAINT_ERROR] = "\033[1;31m",
                                     [PSC_PAINT_WARNING] = "\033[1;35m",
                                     [PSC_PAINT_NOTE] = "\033[1;36m"};

void psc_said_print(psc_span span, const char *word, const char *code, const char *text, psc_paint colour, FILE *to)
{
    const char *paint = paints[colour], *plain = *paint ? "\033[0m" : "";
    print_place(span, to);
    fprintf(to, "%s%s%s%s%s%s: ", paint, word, code ? "[" : "", code ? code : "", code ? "]" : "", plain);
    print_words(text, to);
    print_line(span, to, paint, plain);
}

void psc_help_print(const char *word, const char *text, psc_paint colour, FILE *to)
{
    const char *paint = paints[colour];
    fprintf(to, "   %s%s%s: ", paint, word, *paint ? "\033[0m" : "");
    print_words(text, to);
}

static void print_one(const psc_diagnostic *d, FILE *to, bool colour)
{
    bool error = d->severity == PSC_ERROR;
    psc_said_print(d->span, error ? "error" : "warning", codes[d->code].code, d->text,
                   !colour ? PSC_PAINT_NONE
                   : error ? PSC_PAINT_ERROR
                           : PSC_PAINT_WARNING,
                   to);
    for (size_t i = 0; i < d->remarks.count; i++) {
        const psc_remark *r = &d->remarks.at[i];
        if (r->help) {
            psc_help_print("help", r->text, colour ? PSC_PAINT_NOTE : PSC_PAINT_NONE, to);
        } else {
            psc_said_print(r->span, "note", NULL, r->text, colour ? PSC_PAINT_NOTE : PSC_PAINT_NONE, to);
        }
    }
}

psc_diagnostic_list psc_diagnostics_shown(const psc_diagnostics *diags, unsigned most, unsigned *left)
{
    psc_diagnostic_list list = {0};
    psc_diagnostic **sorted = psc_alloc(diags->arena, (diags->list.count + 1) * sizeof *sorted);
    if (diags->list.count) {
        memcpy(sorted, diags->list.at, diags->list.count * sizeof *sorted);
        qsort(sorted, diags->list.count, sizeof *sorted, compare);
    }
    unsigned shown = 0, again = 0;
    for (size_t i = 0; i < diags->list.count; i++) {
        bool error = sorted[i]->severity == PSC_ERROR, twice = false;
        for (size_t k = i; k-- > 0 && !twice && sorted[k]->span.begin == sorted[i]->span.begin;) {
            twice = same(sorted[i], sorted[k]);
        }
        again += error && twice;
        if (twice || (error ? shown == most : diags->errors > 0)) {
            continue;
        }
        psc_push(diags->arena, &list, sorted[i]);
        shown += error;
    }
    *left = diags->errors - shown - again;
    return list;
}

void psc_diagnostics_add(psc_diagnostics *diags, const psc_diagnostics *from)
{
    for (size_t i = 0; i < from->list.count; i++) {
        psc_push(diags->arena, &diags->list, from->list.at[i]);
    }
    diags->errors += from->errors;
}

void psc_diagnostics_promote(psc_diagnostics *diags, uint64_t which)
{
    for (size_t i = 0; i < diags->list.count; i++) {
        psc_diagnostic *d = diags->list.at[i];
        if (d->severity == PSC_WARNING && (which >> d->code & 1)) {
            d->severity = PSC_ERROR;
            diags->errors++;
        }
    }
}

void psc_diagnostics_print(const psc_diagnostics *diags, FILE *to, bool colour)
{
    unsigned left;
    psc_diagnostic_list shown = psc_diagnostics_shown(diags, PSC_ERRORS_SHOWN_MAX, &left);
    for (size_t i = 0; i < shown.count; i++) {
        print_one(shown.at[i], to, colour);
    }
    if (left > 0) {
        fprintf(to, "psynec: %u more error%s\n", left, left == 1 ? "" : "s");
    }
}

/* ---- did you mean ---- */

const char *psc_did_you_mean(const char *name, const char *const *candidates, size_t count)
{
    bool only;
    return psy__nearest(name, candidates, count, &only);
}
