/* SPDX-License-Identifier: Apache-2.0 */
/* What may be written at the cursor. The text seldom parses while somebody types: where the cursor stands is read off the words
 * before it. */
#include <ctype.h>
#include <string.h>

#include "attributes.h"
#include "builtins.h"
#include "lsp/imports.h"

/* CompletionItemKind of the protocol. */
enum {
    FUNCTION = 3,
    FIELD = 5,
    VARIABLE = 6,
    VALUE = 12,
    ENUM = 13,
    KEYWORD = 14,
    ENUM_MEMBER = 20,
    CONSTANT = 21,
    STRUCT = 22,
    TYPE = 25
};

typedef struct completion {
    const lsp_question *q;
    json_t *list;
    const lsp_item *items; /* of the outline */
    size_t item_count;
    const lsp_item *around; /* the item that the cursor is in, or NULL */
    size_t around_index;
    const psc_span *words; /* before the word that is being written */
    size_t count;
    psc_span open; /* the innermost bracket that is open there, and the word before it */
    psc_span before_open;
    unsigned depth; /* of brackets, in the item */
} completion;

/* ---- making the list ---- */

static void add(completion *c, int kind, const char *label, const char *insert, const char *detail, const char *text)
{
    json_t *item = json_pack("{s:o,s:i}", "label", lsp_text(label, strlen(label)), "kind", kind);
    if (insert) {
        json_object_set_new(item, "insertText", lsp_text(insert, strlen(insert)));
    }
    if (detail && *detail) {
        json_object_set_new(item, "detail", lsp_text(detail, strlen(detail)));
    }
    if (text && *text) {
        json_object_set_new(item, "documentation", lsp_text(text, strlen(text)));
    }
    json_array_append_new(c->list, item);
}

static void add_words(completion *c, int kind, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        add(c, kind, psc_strndup(c->q->arena, words, n), NULL, NULL, NULL);
        words += n + (words[n] == ' ');
    }
}

static void add_types(completion *c)
{
    for (unsigned d = 1; psy__dtype_name(d); d++) {
        add(c, TYPE, psy__dtype_name(d), NULL, NULL, NULL);
    }
}

static void add_item(completion *c, int kind, const lsp_item *item)
{
    const psc_unit *u = c->q->a->unit;
    const char *name = lsp_word(c->q->arena, item->name), *type = u ? psc_index_type_of(u->index, item->name) : NULL;
    add(c, kind, name, NULL, type ? type : lsp_slice(c->q->arena, item->type, 80), NULL);
}

/* ---- parts of the list ---- */

static void add_builtins(completion *c)
{
    const char *names[256], *signature, *text;
    size_t count = psc_builtin_names(names, 256);
    for (size_t i = 0; i < count; i++) {
        if (psc_builtin_describe(c->q->arena, names[i], &signature, &text)) {
            add(c, FUNCTION, names[i], NULL, signature, text);
        }
    }
}

static void add_messages(completion *c)
{
    const psc_unit *u = c->q->a->unit;
    for (size_t i = 0; i < u->schemas.count; i++) {
        for (uint32_t k = 0; k < u->schemas.at[i]->message_count; k++) {
            const psc_message *m = &u->schemas.at[i]->messages[k];
            add(c, STRUCT, m->name, NULL, m->full_name, m->doc);
        }
    }
}

static void add_imported_constants(completion *c)
{
    const psc_unit *u = c->q->a->unit;
    for (size_t i = 0; i < u->schemas.count; i++) {
        for (uint32_t k = 0; k < u->schemas.at[i]->constant_count; k++) {
            const psc_constant *v = &u->schemas.at[i]->constants[k];
            add(c, CONSTANT, v->name, NULL, lsp_constant_value(c->q->arena, v), v->doc);
        }
    }
}

/* The names in the brackets of a type that nothing else declares: sizes. */
static void add_sizes(completion *c, psc_span type)
{
    const psc_spans *words = &c->q->a->outline->words;
    const psc_unit *u = c->q->a->unit;
    bool inside = false;
    for (size_t i = 0; i < words->count; i++) {
        psc_span w = words->at[i];
        if (w.begin < type.begin || w.end > type.end) {
            continue;
        }
        inside = lsp_is(w, "[") || (inside && !lsp_is(w, "]"));
        const char *name = inside && lsp_is_name(w) ? lsp_word(c->q->arena, w) : NULL;
        bool taken = !name || psc_constant_find(u, name);
        for (size_t k = 0; k < json_array_size(c->list) && !taken; k++) {
            taken = strcmp(json_string_value(json_object_get(json_array_get(c->list, k), "label")), name) == 0;
        }
        if (!taken) {
            add(c, VALUE, name, NULL, "size", NULL);
        }
    }
}

static void add_functions(completion *c)
{
    for (size_t i = 0; i < c->item_count; i++) {
        const lsp_item *f = &c->items[i];
        if (f->kind == LSP_FUNCTION && f != c->around) {
            psc_span head = {f->name.source, f->name.begin, f->type.end};
            add(c, FUNCTION, lsp_word(c->q->arena, f->name), NULL, lsp_slice(c->q->arena, head, 120), NULL);
        }
    }
}

/* Values of the file: what constants may use, and with `data` what bodies may. */
static void add_file_names(completion *c, bool data)
{
    for (size_t i = 0; i < c->item_count; i++) {
        const lsp_item *item = &c->items[i];
        if (item->kind == LSP_CONSTANT && item != c->around) {
            psc_constant_value *v = psc_constant_find(c->q->a->unit, lsp_word(c->q->arena, item->name));
            const char *value = !v || v->poisoned ? NULL
                                : v->is_float     ? psc_index_real(c->q->arena, v->real)
                                                  : psc_integer_text(c->q->arena, v->integer);
            add(c, CONSTANT, lsp_word(c->q->arena, item->name), NULL, value, NULL);
        } else if ((item->kind == LSP_RESIDENT || item->kind == LSP_PARAM) && data) {
            add_item(c, VARIABLE, item);
        }
    }
    add_imported_constants(c);
    for (size_t i = 0; i < c->item_count; i++) {
        if ((c->items[i].kind == LSP_RESIDENT || c->items[i].kind == LSP_PARAM) && data) {
            add_sizes(c, c->items[i].type);
        }
    }
}

/* Where a `let` is still being written: its names are not there yet. */
static bool is_being_written(const completion *c, size_t let)
{
    const lsp_item *next = let + 1 < c->item_count ? &c->items[let + 1] : NULL;
    while (next && next->kind == LSP_LET && next->all.begin == c->items[let].all.begin) {
        next = ++let + 1 < c->item_count ? &c->items[let + 1] : NULL;
    }
    bool last = !next || next->kind != LSP_LET, unfinished = c->around->record == c->around->all.end;
    return (last && unfinished) || c->q->offset < (last ? c->around->record : next->all.begin);
}

static void add_expression(completion *c)
{
    bool call = lsp_is(c->open, "(") && lsp_is_name(c->before_open);
    const char *last = c->count ? lsp_word(c->q->arena, c->words[c->count - 1]) : "";
    if (call && (strcmp(last, "(") == 0 || strcmp(last, ",") == 0)) {
        const char *names = psc_builtin_arguments(lsp_word(c->q->arena, c->before_open));
        while (*names) {
            size_t n = strcspn(names, " ");
            add(c, FIELD, psc_format(c->q->arena, "%.*s:", (int)n, names), psc_format(c->q->arena, "%.*s: ", (int)n, names),
                "argument", NULL);
            names += n + (names[n] == ' ');
        }
    }
    for (size_t i = c->around_index + 1; i < c->item_count && lsp_item_is_inner(&c->items[i]); i++) {
        const lsp_item *item = &c->items[i];
        if (item->kind == LSP_PARAMETER) {
            add_item(c, VARIABLE, item);
        } else if (item->name.end < c->q->offset && !is_being_written(c, i)) {
            add_item(c, VARIABLE, item);
        }
    }
    for (size_t i = c->around_index + 1; i < c->item_count && lsp_item_is_inner(&c->items[i]); i++) {
        if (c->around->kind == LSP_FUNCTION && c->items[i].kind == LSP_PARAMETER) {
            add_sizes(c, c->items[i].type);
        }
    }
    add_file_names(c, true);
    add_functions(c);
    add_builtins(c);
    add_words(c, KEYWORD, "if true false");
}

static const psc_message *message_of(const completion *c, psc_span type)
{
    psc_span name = {type.source, type.begin, type.begin};
    while (name.source && name.end < type.end &&
           (isalnum((unsigned char)name.source->text[name.end]) || name.source->text[name.end] == '_')) {
        name.end++;
    }
    return name.end > name.begin ? psc_message_find(c->q->a->unit, lsp_word(c->q->arena, name)) : NULL;
}

/* `taken`: fields of which the record being written has these already. */
static void add_fields(completion *c, const psc_message *m, bool record)
{
    for (uint32_t i = 0; m && i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        bool given = false;
        for (size_t k = c->count; record && k-- > 1 && c->words[k - 1].begin > c->open.begin;) {
            given = given || (lsp_is(c->words[k], ":") && lsp_is(c->words[k - 1], f->name));
        }
        if (!given && f->layout.parent == PSY_NONE) {
            add(c, FIELD, f->name, record ? psc_format(c->q->arena, "%s: ", f->name) : NULL,
                psc_field_type_text(c->q->arena, f), f->doc);
        }
    }
}

/* ---- where the cursor is ---- */

/* In a comment nothing is completed: one that starts behind the last word before the cursor and is not over. */
static bool in_comment(const completion *c)
{
    const char *text = c->q->a->source->text, *line, *block;
    uint32_t from = c->count ? c->words[c->count - 1].end : 0;
    const char *gap = psc_strndup(c->q->arena, text + from, c->q->offset > from ? c->q->offset - from : 0);
    for (;;) {
        line = strstr(gap, "//");
        block = strstr(gap, "/*");
        const char *first = line && (!block || line < block) ? line : block;
        if (!first) {
            return false;
        }
        const char *end = first == line ? strchr(first, '\n') : strstr(first + 2, "*/");
        if (!end) {
            return true;
        }
        gap = end + (first == line ? 1 : 2);
    }
}

/* False: the cursor is in a text or a number. */
static bool find_place(completion *c)
{
    const lsp_outline *o = c->q->a->outline;
    c->words = o->words.at;
    while (c->count < o->words.count && o->words.at[c->count].end <= c->q->offset) {
        c->count++;
    }
    if (c->count < o->words.count && o->words.at[c->count].begin < c->q->offset) {
        if (!lsp_is_name(o->words.at[c->count])) {
            return false;
        }
    } else if (c->count > 0 && o->words.at[c->count - 1].end == c->q->offset) {
        /* The word in front of the cursor is what is being written; a sign is not, and a number leaves nothing to say. */
        psc_span last = o->words.at[c->count - 1];
        if (isdigit((unsigned char)last.source->text[last.begin])) {
            return false;
        }
        c->count -= lsp_is_name(last);
    }
    for (size_t i = 0; i < c->item_count && c->items[i].all.begin < c->q->offset; i++) {
        if (!lsp_item_is_inner(&c->items[i]) && c->items[i].name.end < c->q->offset) {
            c->around = &c->items[i];
            c->around_index = i;
        }
    }
    size_t closed = 0;
    for (size_t i = c->count; i-- > 0 && c->around && c->words[i].begin >= c->around->all.begin;) {
        if (lsp_is(c->words[i], ")") || lsp_is(c->words[i], "]") || lsp_is(c->words[i], "}")) {
            closed++;
        } else if (lsp_is(c->words[i], "(") || lsp_is(c->words[i], "[") || lsp_is(c->words[i], "{")) {
            if (closed > 0) {
                closed--;
                continue;
            }
            if (c->depth++ == 0) {
                c->open = c->words[i];
                c->before_open = i > 0 ? c->words[i - 1] : (psc_span){0};
            }
        }
    }
    return true;
}

/* Whether an expression, or what else stands before the cursor, is complete: another sign must follow, or something new starts.
 */
static bool is_complete(psc_span last)
{
    if (lsp_is_name(last)) {
        return !lsp_is(last, "if") && !lsp_is(last, "else");
    }
    return last.source &&
           (strchr(")]}\"", last.source->text[last.end - 1]) || isdigit((unsigned char)last.source->text[last.begin]));
}

/* ---- programs ---- */

static void complete_top(completion *c)
{
    for (size_t i = 0; psc_hrm_word(i); i++) {
        const char *word = psc_hrm_word(i);
        bool inner =
            strcmp(word, "let") == 0 || strcmp(word, "for") == 0 || strcmp(word, "if") == 0 || strcmp(word, "else") == 0;
        if (!inner) {
            add(c, KEYWORD, word, NULL, NULL, NULL);
        }
    }
}

/* The message that word `at` is: a parameter, or a field of the message before its dot. */
static const psc_message *message_at(const completion *c, size_t at)
{
    size_t first = at;
    const psc_message *m = NULL;
    while (first >= 2 && lsp_is(c->words[first - 1], ".")) {
        first -= 2;
    }
    for (size_t i = c->around_index + 1; i < c->item_count && lsp_item_is_inner(&c->items[i]); i++) {
        if (c->items[i].kind == LSP_PARAMETER && lsp_same(c->items[i].name, c->words[first])) {
            m = message_of(c, c->items[i].type);
        }
    }
    for (size_t i = first + 2; m && i <= at; i += 2) {
        uint32_t k = psc_field_find(m, PSY_NONE, lsp_word(c->q->arena, c->words[i]));
        m = k < m->field_count ? m->fields[k].part : NULL;
    }
    return m;
}

/* Fields of the value before the dot: only messages have any. */
static void complete_member(completion *c) { add_fields(c, c->count > 1 ? message_at(c, c->count - 2) : NULL, false); }

static void complete_head(completion *c, psc_span last)
{
    bool pipeline = c->around->kind == LSP_PIPELINE;
    if (lsp_is(c->open, "[")) {
        add_file_names(c, false);
        bool own = true; /* a function's sizes are its own */
        for (size_t i = 0; i < c->item_count; i++) {
            own = i <= c->around_index || (own && lsp_item_is_inner(&c->items[i]));
            bool seen = c->around->kind == LSP_FUNCTION ? c->items[i].kind == LSP_PARAMETER && i > c->around_index && own
                                                        : c->items[i].kind == LSP_RESIDENT || c->items[i].kind == LSP_PARAM;
            if (seen) {
                add_sizes(c, c->items[i].type);
            }
        }
    } else if (lsp_is(last, ":") || lsp_is(last, "->")) {
        (pipeline ? add_messages : add_types)(c);
    } else if (c->around->kind == LSP_RESIDENT && lsp_is(last, "by")) {
        add_words(c, KEYWORD, "key");
    } else if (c->around->kind == LSP_RESIDENT && is_complete(last)) {
        add_words(c, KEYWORD, "split by replicated");
        complete_top(c);
    }
}

static void complete_pipeline(completion *c, psc_span last)
{
    bool in_record = c->q->offset > c->around->record && lsp_is(c->open, "{") && c->depth >= 2 && lsp_is_name(c->before_open);
    const psc_message *record = in_record ? psc_message_find(c->q->a->unit, lsp_word(c->q->arena, c->before_open)) : NULL;
    if (record && (lsp_is(last, "{") || lsp_is(last, ","))) {
        add_fields(c, record, true);
    } else if (c->depth == 1 && (lsp_is(last, "{") || lsp_is(last, ";") || is_complete(last))) {
        const psc_message *m = message_of(c, c->around->type);
        add(c, KEYWORD, "let", NULL, NULL, NULL);
        if (m) {
            add(c, STRUCT, m->name, psc_format(c->q->arena, "%s { ", m->name), "what the pipeline gives", m->doc);
        }
    } else if (c->depth == 0) {
        complete_top(c);
    } else {
        add_expression(c);
    }
}

/* Behind the `@` of an attribute: those that there are. False: the `@` is another. */
static bool complete_attribute(completion *c)
{
    enum { WORDS_MAX = 24 };
    const char *name, *example, *text;
    size_t at = c->count;
    while (at-- > 0 && c->count - at < WORDS_MAX && !lsp_is(c->words[at], "let") && !lsp_is(c->words[at], "pipeline")) {
        if (lsp_is(c->words[at], "=") || lsp_is(c->words[at], "->") || lsp_is(c->words[at], "{") || lsp_is(c->words[at], "}")) {
            return false;
        }
    }
    psc_attribute_place place = at < c->count && lsp_is(c->words[at], "let") ? PSC_AT_LET : PSC_AT_PIPELINE;
    if (at >= c->count || c->count - at >= WORDS_MAX) {
        return false;
    }
    for (size_t i = 0; psc_attribute_row(i, place, &name, &example, &text); i++) {
        add(c, KEYWORD, name, NULL, example, text);
    }
    return true;
}

static void complete_program(completion *c)
{
    psc_span last = c->count ? c->words[c->count - 1] : (psc_span){0};
    if (lsp_is(last, "@") && complete_attribute(c)) {
        return;
    }
    if (lsp_is(last, "import") || lsp_is(last, "const") || lsp_is(last, "resident") || lsp_is(last, "param") ||
        lsp_is(last, "fn") || lsp_is(last, "pipeline") || lsp_is(last, "let")) {
        return; /* a new name */
    }
    if (!c->around) {
        complete_top(c);
    } else if (lsp_is(last, ".")) {
        complete_member(c);
    } else if (c->around->kind == LSP_PARAM && c->open.source == NULL && !lsp_is(last, ":") && is_complete(last)) {
        complete_top(c);
    } else if (c->around->kind == LSP_RESIDENT || c->around->kind == LSP_PARAM ||
               (c->around->kind != LSP_CONSTANT && c->q->offset <= c->around->body)) {
        complete_head(c, last);
    } else if (c->around->kind == LSP_PIPELINE) {
        complete_pipeline(c, last);
    } else if (c->depth == 0 && is_complete(last)) {
        complete_top(c);
    } else if (c->around->kind == LSP_CONSTANT) {
        add_file_names(c, false);
    } else {
        add_expression(c);
    }
}

/* ---- schemas ---- */

static void add_type(void *context, const psc_schema *schema, size_t index, const char *word)
{
    const psc_message *m = schema->order[index];
    add(context, STRUCT, word, NULL, psc_format(((completion *)context)->q->arena, "%s %s", psc_type_word(m), m->full_name),
        m->doc);
}

static void add_constant(void *context, const psc_schema *schema, size_t index, const char *word)
{
    const psc_constant *v = &schema->constants[index];
    add(context, CONSTANT, word, NULL, lsp_constant_value(((completion *)context)->q->arena, v), v->doc);
}

/* Names of the namespace before the dot. */
static void complete_space(completion *c)
{
    size_t first = c->count - 1;
    while (first >= 2 && lsp_is(c->words[first], ".") && lsp_is_name(c->words[first - 1]) && lsp_is(c->words[first - 2], ".")) {
        first -= 2;
    }
    if (first < 1 || !lsp_is_name(c->words[first - 1])) {
        return;
    }
    const char *space = "";
    for (size_t i = first - 1; i + 1 < c->count; i += 2) {
        space = psc_format(c->q->arena, "%s%s%s", space, *space ? "." : "", lsp_word(c->q->arena, c->words[i]));
    }
    bool type = first >= 2 && lsp_is(c->words[first - 2], ":");
    lsp_imported_names(c->q, type ? psc_declared_type : psc_declared_constant, space, type ? add_type : add_constant, c);
}

/* What may stand behind an @: of fields, or of the type whose braces are not open yet. */
static void add_marks(completion *c)
{
    const char *name, *doc;
    bool of_type;
    for (size_t i = 0; psc_schema_attribute(i, &name, &of_type, &doc); i++) {
        if (of_type ? c->depth == 0 : c->depth > 0 || strcmp(name, "@deprecated") == 0) {
            add(c, KEYWORD, name + 1, NULL, NULL, doc);
        }
    }
}

/* The values of the enum that the field before the cursor is of. */
static void add_values(completion *c)
{
    size_t i = c->count;
    while (i >= 3 && !lsp_is(c->words[i - 1], ":")) {
        i--;
    }
    size_t found = 0;
    while (i >= 3 && found < c->item_count &&
           !(c->items[found].kind == LSP_ENUM && lsp_same(c->items[found].name, c->words[i]))) {
        found++;
    }
    for (found++; i >= 3 && found < c->item_count && c->items[found].kind == LSP_VALUE; found++) {
        add(c, ENUM_MEMBER, lsp_word(c->q->arena, c->items[found].name), NULL, NULL, NULL);
    }
}

static void complete_schema(completion *c)
{
    psc_span last = c->count ? c->words[c->count - 1] : (psc_span){0};
    if (lsp_is(last, "@")) {
        add_marks(c);
    } else if (lsp_is(last, ".")) {
        complete_space(c);
    } else if (lsp_is(last, ":")) {
        add_types(c);
        add(c, TYPE, "string", NULL, "UTF-8 text", NULL);
        add(c, TYPE, "variant", NULL, "elements of any type and shape", NULL);
        add(c, TYPE, "union", "union { ", "one of several", NULL);
        for (size_t i = 0; i < c->item_count; i++) {
            const lsp_item *item = &c->items[i];
            if ((item->kind == LSP_MESSAGE || item->kind == LSP_ENUM) && item != c->around) {
                psc_span word = {item->all.source, item->all.begin, item->all.begin};
                while (isalpha((unsigned char)word.source->text[word.end])) {
                    word.end++;
                }
                add(c, item->kind == LSP_ENUM ? ENUM : STRUCT, lsp_word(c->q->arena, item->name), NULL,
                    lsp_word(c->q->arena, word), NULL);
            }
        }
        lsp_imported_names(c->q, psc_declared_type, NULL, add_type, c);
    } else if (lsp_is(last, "=") || lsp_is(c->open, "[") || lsp_is(c->open, "(")) {
        for (size_t i = 0; i < c->item_count && c->items[i].all.begin < c->q->offset; i++) {
            if (c->items[i].kind == LSP_CONSTANT && &c->items[i] != c->around) {
                add_item(c, CONSTANT, &c->items[i]);
            }
        }
        lsp_imported_names(c->q, psc_declared_constant, NULL, add_constant, c);
        add_values(c);
    } else if (c->depth == 0 && (!last.source || lsp_is(last, ";") || lsp_is(last, "}"))) {
        add_words(c, KEYWORD, "namespace import const message struct enum flags");
    }
}

json_t *lsp_complete(const lsp_question *q)
{
    completion c = {.q = q, .list = json_array(), .items = q->a->outline->items.at, .item_count = q->a->outline->items.count};
    if (!lsp_complete_path(q, c.list) && find_place(&c) && !in_comment(&c)) {
        (q->document->is_schema ? complete_schema : complete_program)(&c);
    }
    return c.list;
}
