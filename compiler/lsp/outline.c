/* SPDX-License-Identifier: Apache-2.0 */
#include "lsp/outline.h"

#include <ctype.h>
#include <string.h>

#include "hrm_ast.h"
#include "psy_ast.h"

bool lsp_item_is_inner(const lsp_item *item)
{
    return item->kind == LSP_PARAMETER || item->kind == LSP_LET || item->kind == LSP_FIELD || item->kind == LSP_VALUE;
}

bool lsp_is(psc_span span, const char *text)
{
    size_t n = strlen(text);
    return span.end - span.begin == n && span.source && memcmp(span.source->text + span.begin, text, n) == 0;
}

bool lsp_same(psc_span a, psc_span b)
{
    return a.source && b.source && a.end - a.begin == b.end - b.begin && a.end > a.begin &&
           memcmp(a.source->text + a.begin, b.source->text + b.begin, a.end - a.begin) == 0;
}

bool lsp_is_name(psc_span word)
{
    unsigned char c = word.end > word.begin ? (unsigned char)word.source->text[word.begin] : 0;
    return isalpha(c) || c == '_';
}

const char *lsp_word(psc_arena *arena, psc_span span)
{
    return psc_strndup(arena, span.source->text + span.begin, span.end - span.begin);
}

/* ---- reading ---- */

typedef struct reader {
    psc_arena *arena;
    lsp_outline *outline;
    size_t at, end; /* words: the next one, and where the item ends */
} reader;

static psc_span word(const reader *r, size_t i)
{
    return i < r->outline->words.count ? r->outline->words.at[i] : (psc_span){0};
}

static bool next_is(const reader *r, const char *text) { return r->at < r->end && lsp_is(word(r, r->at), text); }

static bool take(reader *r, const char *text)
{
    bool is = next_is(r, text);
    r->at += is;
    return is;
}

/* A name, kept as an item that reaches to its own end so far. NULL where there is none. */
static lsp_item *take_name(reader *r, lsp_item_kind kind, psc_span from)
{
    psc_span name = word(r, r->at);
    if (r->at >= r->end || !lsp_is_name(name)) {
        return NULL;
    }
    r->at++;
    lsp_item item = {.kind = kind, .all = psc_span_join(from, name), .name = name};
    item.type = (psc_span){name.source, name.end, name.end};
    item.body = item.record = name.end;
    psc_push(r->arena, &r->outline->items, item);
    return &r->outline->items.at[r->outline->items.count - 1];
}

/* Up to one of the signs outside of brackets, or the item's end. */
static psc_span take_until(reader *r, const char *signs)
{
    psc_span first = word(r, r->at), last = {first.source, first.begin, first.begin};
    for (int depth = 0; r->at < r->end; r->at++) {
        psc_span w = word(r, r->at);
        char c = w.source->text[w.begin];
        bool sign = w.end - w.begin == 1;
        if (sign && depth == 0 && strchr(signs, c)) {
            break;
        }
        depth += sign && strchr("([{", c) ? 1 : sign && strchr(")]}", c) ? -1 : 0;
        if (depth < 0) {
            break;
        }
        last = w;
    }
    return first.source ? psc_span_join(first, last) : first;
}

static void read_parameters(reader *r)
{
    while (r->at < r->end && !next_is(r, ")") && !next_is(r, "{") && !next_is(r, "=")) {
        lsp_item *p = take_name(r, LSP_PARAMETER, word(r, r->at));
        if (!p) {
            r->at++;
        } else if (take(r, ":")) {
            p->type = take_until(r, ",)={");
            p->all = psc_span_join(p->all, p->type);
        }
    }
    take(r, ")");
}

/* @name, and at pipelines @name(...) */
static void skip_attributes(reader *r, bool values)
{
    while (take(r, "@")) {
        r->at += r->at < r->end;
        if (values && take(r, "(")) {
            take_until(r, "");
            take(r, ")");
        }
    }
}

static void read_body(reader *r, size_t pipeline)
{
    psc_span output = r->outline->items.at[pipeline].type;
    psc_span name = {output.source, output.begin, output.begin};
    while (name.source && (isalnum((unsigned char)name.source->text[name.end]) || name.source->text[name.end] == '_')) {
        name.end++;
    }
    for (; r->at < r->end; r->at++) {
        psc_span let = word(r, r->at);
        bool several = lsp_is(let, "(") && lsp_is_name(word(r, r->at + 1)) && lsp_is(word(r, r->at + 2), "{");
        if ((lsp_same(let, name) && lsp_is(word(r, r->at + 1), "{")) || several) {
            r->outline->items.at[pipeline].record = let.begin;
            return;
        }
        if (!lsp_is(let, "let")) {
            continue;
        }
        r->at++;
        skip_attributes(r, false);
        bool list = take(r, "(");
        do {
            take_name(r, LSP_LET, let);
        } while (list && take(r, ","));
        r->at--;
    }
}

static void read_item(reader *r)
{
    static const struct {
        const char *word;
        lsp_item_kind kind;
    } words[] = {{"const", LSP_CONSTANT},
                 {"resident", LSP_RESIDENT},
                 {"param", LSP_PARAM},
                 {"fn", LSP_FUNCTION},
                 {"pipeline", LSP_PIPELINE}};
    enum { WORDS = sizeof words / sizeof words[0] };
    psc_span from = word(r, r->at++);
    size_t k = 0;
    while (k < WORDS && !lsp_is(from, words[k].word)) {
        k++;
    }
    skip_attributes(r, true);
    if (k == WORDS || !take_name(r, words[k].kind, from)) {
        return;
    }
    size_t number = r->outline->items.count - 1;
    uint32_t end = word(r, r->end - 1).end;
    psc_span type = r->outline->items.at[number].type;
    uint32_t body = end, record = end;
    if (words[k].kind == LSP_RESIDENT || words[k].kind == LSP_PARAM) {
        type = take(r, ":") ? take_until(r, words[k].kind == LSP_PARAM ? "=;" : ";") : type;
    } else if (words[k].kind == LSP_FUNCTION || words[k].kind == LSP_PIPELINE) {
        if (take(r, "(")) {
            read_parameters(r);
        }
        if (take(r, "->")) {
            type = take_until(r, "={");
        }
        body = r->at < r->end ? word(r, r->at).begin : end;
    }
    /* The list may have moved. */
    lsp_item *item = &r->outline->items.at[number];
    item->all.end = end;
    item->type = type;
    item->body = body;
    item->record = record;
    if (words[k].kind == LSP_PIPELINE && take(r, "{")) {
        read_body(r, number);
    }
}

static bool starts_item(psc_span w)
{
    return lsp_is(w, "import") || lsp_is(w, "const") || lsp_is(w, "resident") || lsp_is(w, "param") || lsp_is(w, "fn") ||
           lsp_is(w, "pipeline");
}

static void read_program(reader *r)
{
    size_t count = r->outline->words.count;
    while (r->at < count) {
        r->end = r->at + 1;
        while (r->end < count && !starts_item(word(r, r->end))) {
            r->end++;
        }
        read_item(r);
        r->at = r->end;
    }
}

/* Of what a message or an enum has. */
static void read_fields(reader *r, bool values)
{
    while (r->at < r->end && !next_is(r, "}") && !next_is(r, "message")) {
        bool named = values || lsp_is(word(r, r->at + 1), ":");
        lsp_item *f = named ? take_name(r, values ? LSP_VALUE : LSP_FIELD, word(r, r->at)) : NULL;
        if (f && take(r, ":")) {
            f->type = take_until(r, ";=@");
        }
        psc_span rest = take_until(r, ";");
        if (f) {
            f->all.end = rest.end > f->type.end ? rest.end : f->type.end;
        }
        if (!take(r, ";") && !f) {
            r->at++;
        }
    }
}

static void read_schema(reader *r)
{
    r->end = r->outline->words.count;
    while (r->at < r->end) {
        psc_span from = word(r, r->at++);
        bool values = lsp_is(from, "enum") || lsp_is(from, "flags");
        bool fields = lsp_is(from, "message") || lsp_is(from, "struct");
        if ((fields || values) && take_name(r, values ? LSP_ENUM : LSP_MESSAGE, from)) {
            size_t number = r->outline->items.count - 1;
            r->at += take(r, ":") && r->at < r->end;
            skip_attributes(r, true);
            if (take(r, "{")) {
                read_fields(r, values);
                take(r, "}");
            }
            r->outline->items.at[number].all.end = word(r, r->at - 1).end;
        } else if (lsp_is(from, "const") || lsp_is(from, "namespace")) {
            lsp_item *item = take_name(r, lsp_is(from, "const") ? LSP_CONSTANT : LSP_NAMESPACE, from);
            psc_span rest = take_until(r, ";");
            if (item) {
                item->all.end = rest.end > item->all.end ? rest.end : item->all.end;
                item->name.end = item->kind == LSP_NAMESPACE ? item->all.end : item->name.end;
            }
        }
    }
}

lsp_outline *lsp_outline_make(psc_arena *arena, const psc_source *source, bool is_schema)
{
    lsp_outline *o = psc_new(arena, lsp_outline);
    psc_diagnostics unheard = {.arena = arena};
    psc_syntax syntax = {.arena = arena, .diags = &unheard, .source = source};
    (is_schema ? psc_psy_words : psc_hrm_words)(&syntax, &o->words);
    reader r = {.arena = arena, .outline = o};
    (is_schema ? read_schema : read_program)(&r);
    return o;
}
