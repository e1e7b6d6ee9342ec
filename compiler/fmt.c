/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt.h"

#include <string.h>

#include "fmt_words.h"

/* What stands on a line, or on several: a statement, a field, a comment, the head or the end of a block. */
typedef enum unit_kind { STATEMENT, HEAD, END, COMMENT } unit_kind;

typedef struct unit {
    unit_kind kind;
    size_t from, to;         /* words */
    size_t notes, notes_end; /* comments behind it, on its last line */
    unsigned indent;
    bool whole;           /* HEAD: with its end, nothing between */
    bool blank;           /* an empty line stands before it */
    size_t name_end, pad; /* where a type follows in a column: after the word `:`, and blanks after it */
    size_t column;        /* after which the comments stand */
    fmt_text text;
} unit;

typedef struct formatter {
    psc_arena *arena;
    bool is_program;
    fmt_words words;
    PSC_LIST(unit) units;
    size_t at; /* the next word */
} formatter;

static const fmt_word *word(const formatter *f, size_t i) { return &f->words.at[i]; }

static bool ends_line(const formatter *f, size_t i) { return i + 1 == f->words.count || word(f, i + 1)->breaks; }

/* ---- units ---- */

/* The unit [f->at, to), comments at its end left out; to: the word that starts the next one. */
static void add_unit(formatter *f, unit_kind kind, size_t to, unsigned indent)
{
    while (to > f->at + 1 && fmt_is_comment(word(f, to - 1))) {
        to--;
    }
    unit u = {
        .kind = kind, .from = f->at, .to = to, .notes = to, .notes_end = to, .indent = indent, .blank = word(f, f->at)->blank};
    f->at = to;
    if (kind != COMMENT) {
        while (f->at < f->words.count && fmt_is_comment(word(f, f->at)) && !word(f, f->at)->breaks) {
            f->at++;
        }
        /* A comment with code behind it belongs to that. */
        if (f->at > to && !ends_line(f, f->at - 1)) {
            f->at--;
        }
        u.notes_end = f->at;
    }
    psc_push(f->arena, &f->units, u);
}

/* Comments on lines of their own. False: something else comes. */
static bool take_comment(formatter *f, unsigned indent)
{
    if (f->at == f->words.count || !fmt_is_comment(word(f, f->at)) || !ends_line(f, f->at)) {
        return false;
    }
    add_unit(f, COMMENT, f->at + 1, indent);
    return true;
}

/* The first word from i that is no comment. */
static size_t code(const formatter *f, size_t i)
{
    while (i < f->words.count && fmt_is_comment(word(f, i))) {
        i++;
    }
    return i;
}

static size_t step(const formatter *f, size_t i) { return word(f, i)->kind == FMT_OPEN ? word(f, i)->close + 1 : i + 1; }

/* `;` that stand directly behind. */
static size_t with_semicolons(const formatter *f, size_t i)
{
    for (size_t next = code(f, i); next < f->words.count && fmt_is(word(f, next), ";"); next = code(f, i)) {
        i = next + 1;
    }
    return i;
}

/* Where the statement that starts at i ends: at its `;` in schemas, at the next keyword in programs; `limit` at the latest. */
static size_t statement_end(const formatter *f, size_t i, size_t limit, bool inside)
{
    for (size_t k = i; k < limit; k = step(f, k)) {
        if (!f->is_program && fmt_is(word(f, k), ";")) {
            return k + 1;
        }
        bool starts = word(f, k)->kind == FMT_KEYWORD && !fmt_is(word(f, k), "if") && !fmt_is(word(f, k), "else") &&
                      !fmt_is(word(f, k), "for");
        if (f->is_program && k > i && starts && (!inside || fmt_is(word(f, k), "let"))) {
            return k;
        }
    }
    return limit;
}

/* Brackets around messages: `(NAME {`. */
static bool holds_records(const formatter *f, size_t open)
{
    size_t name = code(f, open + 1), brace = code(f, name + 1);
    return fmt_is(word(f, open), "(") && brace < word(f, open)->close && word(f, name)->kind == FMT_OPERAND &&
           fmt_is(word(f, brace), "{");
}

/* Where the message that a pipeline gives starts: the name before the last braces of its body, or the bracket before several.
 */
static size_t record_of(const formatter *f, size_t open)
{
    size_t record = word(f, open)->close, before = open;
    for (size_t i = open + 1; i < word(f, open)->close; i = step(f, i)) {
        if (fmt_is(word(f, i), "{")) {
            record = before;
        } else if (holds_records(f, i)) {
            record = i;
        }
        before = fmt_is_comment(word(f, i)) ? before : i;
    }
    return record;
}

static bool has_comments(const formatter *f, size_t from, size_t to)
{
    while (from < to && !fmt_is_comment(word(f, from))) {
        from++;
    }
    return from < to;
}

/* The brace of a union that gets lines of its own: it has comments, or is too long for one. `end`: there is none. */
static size_t broken_union(const formatter *f, size_t start, size_t end, unsigned indent)
{
    size_t open = start;
    while (open < end && !fmt_is(word(f, open), "{")) {
        open++;
    }
    bool broken = open < end && !f->is_program && word(f, open)->close > open + 1 &&
                  (indent + fmt_width(&f->words, start, end) > PSC_FMT_COLUMNS || has_comments(f, open, word(f, open)->close));
    return broken ? open : end;
}

/* Fields, up to word `close`; what follows `record` is one. */
static void take_fields(formatter *f, size_t close, size_t record, unsigned indent)
{
    while (f->at < close) {
        if (take_comment(f, indent)) {
            continue;
        }
        size_t start = code(f, f->at);
        if (start >= close) {
            break; /* a comment on the line of the end */
        }
        size_t end = start >= record ? close : statement_end(f, start, record < close ? record : close, true);
        size_t open = broken_union(f, start, end, indent);
        if (open < end) {
            add_unit(f, STATEMENT, open + 1, indent);
            take_fields(f, word(f, open)->close, word(f, open)->close, indent + 4); /* unions are not in unions */
        }
        add_unit(f, STATEMENT, end, indent);
    }
}

static void take_block(formatter *f, size_t open)
{
    size_t close = word(f, open)->close, record = f->is_program ? record_of(f, open) : close;
    add_unit(f, HEAD, close == open + 1 ? with_semicolons(f, close + 1) : open + 1, 0);
    if (close == open + 1) {
        f->units.at[f->units.count - 1].whole = true;
        return;
    }
    take_fields(f, close, record, 4);
    add_unit(f, END, with_semicolons(f, close + 1), 0);
}

/* Whether word i starts a declaration with braces. */
static bool starts_block(const formatter *f, size_t i)
{
    static const char *const types[] = {"message", "struct", "enum", "flags"};
    bool found = false;
    for (size_t k = 0; !f->is_program && k < sizeof types / sizeof types[0]; k++) {
        found = found || fmt_is(word(f, i), types[k]);
    }
    return found || (f->is_program && fmt_is(word(f, i), "pipeline"));
}

static void take_units(formatter *f)
{
    while (f->at < f->words.count) {
        if (take_comment(f, 0)) {
            continue;
        }
        size_t start = code(f, f->at), open = start;
        bool block = starts_block(f, start);
        while (block && !fmt_is(word(f, open), "{")) {
            open = step(f, open);
        }
        if (block) {
            take_block(f, open);
        } else {
            add_unit(f, STATEMENT, statement_end(f, start, f->words.count, false), 0);
        }
    }
}

/* ---- columns and empty lines ---- */

static bool has_comment(const formatter *f, const unit *u)
{
    for (size_t i = u->from; i < u->to; i++) {
        if (fmt_is_comment(word(f, i))) {
            return true;
        }
    }
    return false;
}

/* Fields, and residents: `name: type`. Finds the `:`. */
static bool has_column(const formatter *f, unit *u)
{
    enum { WIDTH_MAX = 72 };
    size_t name = u->from + (f->is_program && (fmt_is(word(f, u->from), "resident") || fmt_is(word(f, u->from), "param")));
    bool field = f->is_program ? name > u->from : u->indent > 0;
    u->name_end = name + 2;
    return u->kind == STATEMENT && field && !has_comment(f, u) && u->to > name + 2 && fmt_is(word(f, name + 1), ":") &&
           !fmt_is(word(f, u->to - 1), "{") && fmt_width(&f->words, u->from, u->to) <= WIDTH_MAX;
}

static void align_types(formatter *f)
{
    for (size_t i = 0; i < f->units.count;) {
        size_t end = i, widest = 0;
        for (; end < f->units.count && (end == i || !f->units.at[end].blank); end++) {
            unit *u = &f->units.at[end];
            if (u->kind == COMMENT) {
                continue;
            }
            if (!has_column(f, u) || u->indent != f->units.at[i].indent) {
                break;
            }
            size_t n = fmt_width(&f->words, u->from, u->name_end);
            widest = n > widest ? n : widest;
        }
        for (size_t k = i; k < end; k++) {
            unit *u = &f->units.at[k];
            u->pad = u->kind == COMMENT ? 0 : widest - fmt_width(&f->words, u->from, u->name_end);
        }
        i = end > i ? end : i + 1;
    }
}

/* One around blocks, none at the edges of blocks and of the file. */
static void place_blanks(formatter *f)
{
    for (size_t i = 0; i < f->units.count; i++) {
        unit *u = &f->units.at[i];
        const unit *before = i ? u - 1 : NULL;
        if (!before || (before->kind == HEAD && !before->whole) || u->kind == END) {
            u->blank = false;
        } else if (before->kind == END || before->kind == HEAD) {
            u->blank = true;
        } else if (u->kind == HEAD) {
            /* With the comments that belong to it. */
            size_t first = i;
            while (first > 0 && !f->units.at[first].blank && f->units.at[first - 1].kind == COMMENT) {
                first--;
            }
            f->units.at[first].blank = first > 0;
        }
    }
}

/* ---- writing ---- */

static void lay_out(formatter *f, unit *u)
{
    fmt_put_blanks(f->arena, &u->text, u->indent);
    if (u->pad) {
        fmt_layout(f->arena, &f->words, u->from, u->name_end, u->indent, &u->text);
        fmt_put_blanks(f->arena, &u->text, u->pad + 1);
        fmt_layout(f->arena, &f->words, u->name_end, u->to, u->indent, &u->text);
    } else if (u->kind != COMMENT && has_comment(f, u)) {
        fmt_as_broken(f->arena, &f->words, u->from, u->to, u->indent, &u->text);
    } else {
        fmt_layout(f->arena, &f->words, u->from, u->to, u->indent, &u->text);
    }
}

/* A statement on one line with a comment behind. */
static bool is_noted_line(const unit *u)
{
    return u->notes_end > u->notes && !(u->text.count && memchr(u->text.at, '\n', u->text.count));
}

/* How wide the last line of the text is. */
static size_t last_line(const fmt_text *t)
{
    size_t line = t->count;
    while (line > 0 && t->at[line - 1] != '\n') {
        line--;
    }
    return t->count - line;
}

/* Comments behind lines that follow each other stand in a column. */
static void align_notes(formatter *f)
{
    for (size_t i = 0; i < f->units.count;) {
        size_t end = i, widest = 0;
        for (; end < f->units.count && is_noted_line(&f->units.at[end]) && (end == i || !f->units.at[end].blank); end++) {
            size_t n = f->units.at[end].text.count;
            widest = n > widest ? n : widest;
        }
        for (size_t k = i; k < end; k++) {
            f->units.at[k].column = widest;
        }
        if (end == i) {
            f->units.at[i].column = last_line(&f->units.at[i].text);
        }
        i = end > i ? end : i + 1;
    }
}

static void put_unit(const formatter *f, size_t i, fmt_text *out)
{
    enum { GAP = 4 };
    const unit *u = &f->units.at[i];
    fmt_put(f->arena, out, "\n", u->blank);
    fmt_put(f->arena, out, u->text.at, u->text.count);
    if (u->notes_end > u->notes) {
        fmt_put_blanks(f->arena, out, u->column - last_line(&u->text) + GAP);
    }
    for (size_t k = u->notes; k < u->notes_end; k++) {
        fmt_put(f->arena, out, " ", k > u->notes);
        fmt_put(f->arena, out, word(f, k)->text, word(f, k)->n);
    }
    fmt_put(f->arena, out, "\n", 1);
}

/* Whether both texts have the same words in the same order. */
static bool same_words(const fmt_words *a, const fmt_words *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = a->at[i].n == b->at[i].n && memcmp(a->at[i].text, b->at[i].text, a->at[i].n) == 0;
    }
    return same;
}

const char *psc_fmt(psc_arena *arena, psc_diagnostics *diags, const psc_source *source, bool is_program, size_t *bytes)
{
    formatter formatting = {.arena = arena, .is_program = is_program}, *f = &formatting;
    if (!fmt_words_read(arena, diags, source, is_program, &f->words)) {
        return NULL;
    }
    take_units(f);
    place_blanks(f);
    align_types(f);
    fmt_text out = {0};
    for (size_t i = 0; i < f->units.count; i++) {
        lay_out(f, &f->units.at[i]);
    }
    align_notes(f);
    for (size_t i = 0; i < f->units.count; i++) {
        put_unit(f, i, &out);
    }
    *bytes = out.count;
    psc_push(arena, &out, '\0');
    if (*bytes > PSC_TEXT_BYTES_MAX) {
        psc_span whole = {source, 0, 0};
        psc_help(psc_error(diags, PSC_E_LIMIT, whole, "laid out, this file is larger than %d bytes", PSC_TEXT_BYTES_MAX),
                 "make several files of it");
        return NULL;
    }
    /* What is written reads as what was read. */
    fmt_words again = {0};
    psc_diagnostics quiet = {.arena = arena};
    const psc_source *laid_out = psc_source_text(arena, source->path, out.at, *bytes);
    if (!fmt_words_read(arena, &quiet, laid_out, is_program, &again) || !same_words(&f->words, &again)) {
        psc_span whole = {source, 0, 0};
        psc_error(diags, PSC_E_INTERNAL, whole, "the text laid out would not read the same");
        return NULL;
    }
    return out.at;
}
