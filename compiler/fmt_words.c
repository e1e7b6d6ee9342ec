/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "fmt_words.h"
#include "hrm_ast.h"
#include "psy_ast.h"

/* ---- reading ---- */

static fmt_kind kind_of(const char *text, uint32_t n, bool is_program)
{
    static const char *const program[] = {"import", "const", "resident", "param", "fn", "pipeline",
                                          "for",    "let",   "if",       "else",  NULL};
    static const char *const schema[] = {"namespace", "const", "message", "import", NULL};
    if (n >= 2 && text[0] == '/' && (text[1] == '/' || text[1] == '*')) {
        return text[1] == '/' ? FMT_LINE_COMMENT : FMT_BLOCK_COMMENT;
    }
    if (isalnum((unsigned char)text[0]) || text[0] == '_' || text[0] == '"') {
        for (const char *const *k = is_program ? program : schema; *k; k++) {
            if (strlen(*k) == n && memcmp(*k, text, n) == 0) {
                return FMT_KEYWORD;
            }
        }
        return FMT_OPERAND;
    }
    return strchr("([{", text[0]) ? FMT_OPEN : strchr(")]}", text[0]) ? FMT_CLOSE : FMT_SIGN;
}

static bool is_prefix(const fmt_word *before, const fmt_word *w, bool is_program)
{
    if (w->kind != FMT_SIGN) {
        return false;
    }
    if (!is_program && fmt_is(w, "@")) {
        return true;
    }
    bool may = fmt_is(w, "-") || fmt_is(w, "!") || fmt_is(w, "~") || fmt_is(w, "<=");
    return may && (!before || (before->kind != FMT_OPERAND && before->kind != FMT_CLOSE));
}

/* Where attributes may stand in a program: behind `pipeline` and `let`. */
typedef struct attribute_reader {
    bool here, is_let;
    size_t depth;
} attribute_reader;

static void mark_attribute(attribute_reader *r, const fmt_word *before, fmt_word *w, size_t depth)
{
    bool is_let = fmt_is(w, "let");
    if (is_let || fmt_is(w, "pipeline")) {
        *r = (attribute_reader){true, is_let, depth};
        return;
    }
    if (!r->here || depth != r->depth || !before || fmt_is_comment(w)) {
        return;
    }
    bool named = before->prefix && fmt_is(before, "@");
    if (fmt_is(w, "@")) {
        w->prefix = true;
    } else if (w->kind == FMT_OPEN && r->is_let) {
        w->apart = true; /* the names, not what an attribute takes */
        r->here = false;
    } else if (w->kind != FMT_OPEN && w->kind != FMT_CLOSE && !named) {
        r->here = false;
    }
}

bool fmt_words_read(psc_arena *arena, psc_diagnostics *diags, const psc_source *source, bool is_program, fmt_words *out)
{
    psc_spans spans = {0};
    psc_syntax syntax = {.arena = arena, .diags = diags, .source = source, .lexemes = &spans};
    unsigned errors = diags->errors;
    if (is_program) {
        psc_hrm_parse_file(&syntax);
    } else {
        psc_psy_parse_file(&syntax);
    }
    if (diags->errors != errors) {
        return false;
    }
    size_t open[PSC_NESTING_MAX], depth = 0;
    attribute_reader attributes = {.here = false};
    const fmt_word *before = NULL;
    unsigned breaks = 1;
    for (size_t i = 0; i < spans.count; i++) {
        fmt_word w = {.text = source->text + spans.at[i].begin, .n = spans.at[i].end - spans.at[i].begin};
        if (isspace((unsigned char)w.text[0])) {
            for (uint32_t k = 0; k < w.n; k++) {
                breaks += w.text[k] == '\n';
            }
            continue;
        }
        w.kind = kind_of(w.text, w.n, is_program);
        w.breaks = breaks > 0;
        w.blank = breaks > 1;
        w.prefix = is_prefix(before, &w, is_program);
        if (is_program) {
            mark_attribute(&attributes, before, &w, depth);
        }
        breaks = 0;
        while (w.kind == FMT_LINE_COMMENT && isspace((unsigned char)w.text[w.n - 1])) {
            w.n--;
        }
        if (w.kind == FMT_OPEN && depth < PSC_NESTING_MAX) {
            open[depth++] = out->count;
        } else if (w.kind == FMT_CLOSE && depth > 0) {
            out->at[open[--depth]].close = out->count;
        }
        psc_push(arena, out, w);
        before = fmt_is_comment(&w) ? before : &out->at[out->count - 1];
        /* The list may move when it grows. */
        if (before && out->count == out->room) {
            fmt_word *copy = psc_new(arena, fmt_word);
            *copy = *before;
            before = copy;
        }
    }
    return true;
}

/* ---- one line ---- */

static bool has_space(const fmt_word *a, const fmt_word *b)
{
    if (fmt_is_comment(a) || fmt_is_comment(b)) {
        return true;
    }
    bool brace = fmt_is(a, "{") || fmt_is(b, "}") || fmt_is(b, "{");
    if (brace) {
        return !(fmt_is(a, "{") && fmt_is(b, "}"));
    }
    bool glued = a->kind == FMT_OPEN || b->kind == FMT_CLOSE || a->prefix || fmt_is(a, ".") || fmt_is(b, ".") ||
                 fmt_is(a, "..") || fmt_is(b, "..") || fmt_is(b, ",") || fmt_is(b, ";") || fmt_is(b, ":") || fmt_is(b, "?");
    bool follows = b->kind == FMT_OPEN && !b->apart && (a->kind == FMT_OPERAND || a->kind == FMT_CLOSE);
    return !glued && !follows;
}

size_t fmt_width(const fmt_words *words, size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        n += words->at[i].n + (i > from && has_space(&words->at[i - 1], &words->at[i]));
    }
    return n;
}

void fmt_put(psc_arena *arena, fmt_text *text, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        psc_push(arena, text, bytes[i]);
    }
}

void fmt_put_blanks(psc_arena *arena, fmt_text *text, size_t n)
{
    while (n-- > 0) {
        psc_push(arena, text, ' ');
    }
}

/* ---- breaking ---- */

typedef struct layout {
    psc_arena *arena;
    const fmt_words *words;
    fmt_text *text;
} layout;

static void put_flat(layout *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (i > from && has_space(&l->words->at[i - 1], &l->words->at[i])) {
            fmt_put(l->arena, l->text, " ", 1);
        }
        fmt_put(l->arena, l->text, l->words->at[i].text, l->words->at[i].n);
    }
}

static void put_line(layout *l, unsigned indent)
{
    fmt_put(l->arena, l->text, "\n", 1);
    fmt_put_blanks(l->arena, l->text, indent);
}

static size_t column(const layout *l)
{
    size_t at = l->text->count;
    while (at > 0 && l->text->at[at - 1] != '\n') {
        at--;
    }
    return l->text->count - at;
}

/* The next word outside of brackets, after word i. */
static size_t step(const layout *l, size_t i) { return l->words->at[i].kind == FMT_OPEN ? l->words->at[i].close + 1 : i + 1; }

/* How much a sign between two operands binds: 0 is none of them, 1 the least. */
static unsigned binds(const fmt_word *w)
{
    static const char *const levels[] = {"|>", "??", "||", "&&", "== != < <= > >=", "|", "^", "&", "<< >>", "+ -", "* / % @"};
    if (w->kind != FMT_SIGN || w->prefix) {
        return 0;
    }
    for (unsigned i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        for (const char *at = levels[i]; *at;) {
            size_t n = strcspn(at, " ");
            if (n == w->n && memcmp(at, w->text, n) == 0) {
                return i + 1;
            }
            at += n + (at[n] == ' ');
        }
    }
    return 0;
}

static void put(layout *l, size_t from, size_t to, unsigned indent, size_t tail);

/* The brackets with a line for every item. */
static void put_broken_group(layout *l, size_t open, unsigned indent)
{
    size_t close = l->words->at[open].close;
    put_flat(l, open, open + 1);
    for (size_t from = open + 1; from < close;) {
        size_t to = from;
        while (to < close && !fmt_is(&l->words->at[to], ",")) {
            to = step(l, to);
        }
        put_line(l, indent + 4);
        put(l, from, to, indent + 4, 1);
        if (to < close) {
            put_flat(l, to, to + 1);
        }
        from = to + 1;
    }
    put_line(l, indent);
    put_flat(l, close, close + 1);
}

/* Broken before every sign of the level. */
static void put_operands(layout *l, size_t from, size_t to, unsigned level, unsigned indent, size_t tail)
{
    size_t piece = from;
    for (size_t i = from; i <= to; i = i == to ? to + 1 : step(l, i)) {
        if (i == to || (i > from && binds(&l->words->at[i]) == level)) {
            if (piece > from) {
                put_line(l, indent + 4);
            }
            put(l, piece, i, piece > from ? indent + 4 : indent, i == to ? tail : 0);
            piece = i;
        }
    }
}

/* The brackets that hold most are broken; with `all`, every brace. */
static void put_groups(layout *l, size_t from, size_t to, bool all, unsigned indent)
{
    size_t widest = to, most = 0;
    for (size_t i = from; i < to; i = step(l, i)) {
        /* The brace of a block, at the end of its head, is closed elsewhere. */
        size_t n = l->words->at[i].kind == FMT_OPEN && l->words->at[i].close < to ? l->words->at[i].close - i : 0;
        if (n > 1 && n >= most) {
            widest = i;
            most = n;
        }
    }
    for (size_t i = from; i < to; i = step(l, i)) {
        const fmt_word *w = &l->words->at[i];
        if (i > from && has_space(&l->words->at[i - 1], w)) {
            fmt_put(l->arena, l->text, " ", 1);
        }
        bool whole = w->kind == FMT_OPEN && w->close < to;
        if (whole && w->close > i + 1 && (all ? fmt_is(w, "{") : i == widest)) {
            put_broken_group(l, i, indent);
        } else {
            put_flat(l, i, whole ? step(l, i) : i + 1);
        }
    }
}

/* What a pipeline's variants are: a line for each, below its head. The last word may open the pipeline's braces. */
static void put_guards(layout *l, size_t from, size_t to, unsigned indent)
{
    for (size_t i = from; i < to;) {
        size_t end = i;
        while (end < to && !fmt_is(&l->words->at[end], ",")) {
            end = step(l, end);
        }
        end = end < to ? end + 1 : to;
        put_line(l, indent + (i > from ? 8 : 4));
        put_flat(l, i, end);
        i = end;
    }
}

/* `tail`: how wide it is what follows on the last line. */
static void put(layout *l, size_t from, size_t to, unsigned indent, size_t tail)
{
    if (from == to) {
        return;
    }
    if (column(l) + fmt_width(l->words, from, to) + tail <= PSC_FMT_COLUMNS) {
        put_flat(l, from, to);
        return;
    }
    for (size_t i = from + 1; i < to; i = step(l, i)) {
        if (fmt_is(&l->words->at[i], "for")) {
            put(l, from, i, indent, 0);
            put_guards(l, i, to, indent);
            return;
        }
    }
    size_t head = from;
    unsigned level = 0;
    for (size_t i = from; i < to && head == from; i = step(l, i)) {
        const fmt_word *w = &l->words->at[i];
        unsigned b = i > from ? binds(w) : 0;
        head = fmt_is(w, "=") || (fmt_is(w, ":") && i == from + 1) ? i + 1 : head;
        level = b && (!level || b < level) ? b : level;
    }
    if (head > from && head < to) {
        put(l, from, head, indent, 0);
        /* On a line of its own where it fits only there. */
        if (column(l) + 1 + fmt_width(l->words, head, to) + tail > PSC_FMT_COLUMNS &&
            indent + 4 + fmt_width(l->words, head, to) + tail <= PSC_FMT_COLUMNS && fmt_is(&l->words->at[head - 1], "=")) {
            put_line(l, indent + 4);
            put_flat(l, head, to);
        } else {
            fmt_put(l->arena, l->text, " ", 1);
            put(l, head, to, indent, tail);
        }
    } else if (fmt_is(&l->words->at[from], "if") && level != 1) {
        put_groups(l, from, to, true, indent);
    } else if (level) {
        if (binds(&l->words->at[from]) && !l->words->at[from].prefix) {
            put_flat(l, from, from + 1);
            fmt_put(l->arena, l->text, " ", 1);
            from++;
        }
        put_operands(l, from, to, level, indent, tail);
    } else {
        put_groups(l, from, to, false, indent);
    }
}

void fmt_layout(psc_arena *arena, const fmt_words *words, size_t from, size_t to, unsigned indent, fmt_text *text)
{
    layout l = {arena, words, text};
    put(&l, from, to, indent, 0);
}

void fmt_as_broken(psc_arena *arena, const fmt_words *words, size_t from, size_t to, unsigned indent, fmt_text *text)
{
    layout l = {arena, words, text};
    unsigned depth = 0;
    for (size_t i = from; i < to; i++) {
        const fmt_word *w = &words->at[i];
        depth -= w->kind == FMT_CLOSE && depth > 0;
        if (i > from && (w->breaks || words->at[i - 1].kind == FMT_LINE_COMMENT)) {
            bool closes = w->kind == FMT_CLOSE;
            put_line(&l, indent + 4 * (closes ? depth : depth ? depth : 1));
        } else if (i > from && has_space(&words->at[i - 1], w)) {
            fmt_put(arena, text, " ", 1);
        }
        fmt_put(arena, text, w->text, w->n);
        depth += w->kind == FMT_OPEN;
    }
}
