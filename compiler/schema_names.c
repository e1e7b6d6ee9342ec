/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *psc_snake(psc_arena *arena, const char *name)
{
    char *out = psc_alloc(arena, strlen(name) * 2 + 1), *to = out;
    for (size_t i = 0; name[i]; i++) {
        unsigned char c = (unsigned char)name[i], next = (unsigned char)name[i + 1];
        unsigned char last = i ? (unsigned char)name[i - 1] : 0;
        /* A word starts at a capital after a small letter or digit, and at the last capital of an acronym. */
        if (isupper(c) && i > 0 && last != '.' && last != '_' &&
            (islower(last) || isdigit(last) || (isupper(last) && islower(next)))) {
            *to++ = '_';
        }
        *to++ = c == '.' ? '_' : (char)tolower(c);
    }
    return out;
}

const char *psc_upper(psc_arena *arena, const char *name)
{
    char *out = psc_strndup(arena, name, strlen(name));
    for (char *c = out; *c; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    return out;
}

const char *psc_schema_prefix(psc_arena *arena, const psc_schema *schema)
{
    return *schema->space ? psc_format(arena, "%s_", psc_snake(arena, schema->space)) : "";
}

static const char *const keywords[] = {
    "alignas",      "alignof",      "and",      "asm",     "auto",      "bool",     "break",    "case",      "catch",
    "char",         "class",        "concept",  "const",   "constexpr", "continue", "decltype", "default",   "delete",
    "do",           "double",       "else",     "enum",    "explicit",  "export",   "extern",   "false",     "float",
    "for",          "friend",       "goto",     "if",      "inline",    "int",      "long",     "mutable",   "namespace",
    "new",          "noexcept",     "not",      "nullptr", "operator",  "or",       "private",  "protected", "public",
    "register",     "requires",     "restrict", "return",  "short",     "signed",   "sizeof",   "static",    "struct",
    "switch",       "template",     "this",     "throw",   "true",      "try",      "typedef",  "typeid",    "typename",
    "union",        "unsigned",     "using",    "virtual", "void",      "volatile", "wchar_t",  "while",     "xor",
    "thread_local", "static_assert"};

typedef struct taken {
    const char *name;
    psc_span span;
} taken;

typedef struct names {
    psc_arena *arena;
    psc_diagnostics *diags;
    PSC_LIST(taken) list;
} names;

static void take(names *n, const char *name, psc_span span)
{
    taken t = {name, span};
    psc_push(n->arena, &n->list, t);
}

static int by_name(const void *a, const void *b)
{
    const taken *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->span.begin < y->span.begin ? -1 : x->span.begin > y->span.begin;
}

static void check_field(names *n, const char *type, const char *upper, const psc_field *f)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (strcmp(keywords[i], f->name) == 0) {
            psc_error(n->diags, PSC_E_FIELD, f->span, "`%s` is a word of C or C++ and cannot be a field", f->name);
        }
    }
    if (strcmp(f->name, "header") == 0 || strncmp(f->name, "padding_", 8) == 0 || f->name[0] == '_') {
        psc_error(n->diags, PSC_E_FIELD, f->span, "`%s` is kept for the generated struct", f->name);
    }
    bool array = f->layout.kind != PSY_FIELD_SCALAR;
    take(n, psc_format(n->arena, "%s_%s", type, f->name), f->span);
    take(n, psc_format(n->arena, array ? "%s_mutable_%s" : "%s_set_%s", type, f->name), f->span);
    if (array) {
        take(n, psc_format(n->arena, "%s_%s_COUNT", upper, psc_upper(n->arena, f->name)), f->span);
    }
    if (f->layout.kind == PSY_FIELD_BOUNDED) {
        take(n, psc_format(n->arena, "%s_%s_count", type, f->name), f->span);
        take(n, psc_format(n->arena, "%s_set_%s_count", type, f->name), f->span);
    }
}

void psc_schema_check_names(psc_arena *arena, psc_diagnostics *diags, const psc_schema *schema)
{
    static const char *const functions[] = {"init", "verify", "type"}, *const macros[] = {"BYTES", "LAYOUT_HASH", "VERSION",
                                                                                          "NAME"};
    names n = {.arena = arena, .diags = diags};
    const char *prefix = psc_schema_prefix(arena, schema);
    for (uint32_t i = 0; i < schema->constant_count; i++) {
        take(&n, psc_upper(arena, psc_format(arena, "%s%s", prefix, schema->constants[i].name)), schema->constants[i].span);
    }
    for (uint32_t i = 0; i < schema->message_count; i++) {
        const psc_message *m = &schema->messages[i];
        const char *type = psc_format(arena, "%s%s", prefix, psc_snake(arena, m->name)), *upper = psc_upper(arena, type);
        take(&n, type, m->span);
        for (size_t k = 0; k < 3; k++) {
            take(&n, psc_format(arena, "%s_%s", type, functions[k]), m->span);
        }
        for (size_t k = 0; k < 4; k++) {
            take(&n, psc_format(arena, "%s_%s", upper, macros[k]), m->span);
        }
        PSC_LIST(taken) members = {0};
        for (uint32_t k = 0; k < m->field_count; k++) {
            check_field(&n, type, upper, &m->fields[k]);
            taken member = {m->fields[k].name, m->fields[k].span};
            psc_push(arena, &members, member);
            if (m->fields[k].layout.kind == PSY_FIELD_BOUNDED) {
                member.name = psc_format(arena, "%s_count", m->fields[k].name);
                psc_push(arena, &members, member);
            }
        }
        if (members.count) {
            qsort(members.at, members.count, sizeof *members.at, by_name);
        }
        for (size_t k = 1; k < members.count; k++) {
            if (strcmp(members.at[k - 1].name, members.at[k].name) == 0) {
                psc_note(psc_error(diags, PSC_E_DUPLICATE, members.at[k].span,
                                   "the generated struct would have two members `%s`", members.at[k].name),
                         members.at[k - 1].span, "the other comes from here");
            }
        }
    }
    if (n.list.count) {
        qsort(n.list.at, n.list.count, sizeof *n.list.at, by_name);
    }
    for (size_t i = 1; i < n.list.count; i++) {
        if (strcmp(n.list.at[i - 1].name, n.list.at[i].name) == 0 && n.list.at[i].span.begin != n.list.at[i - 1].span.begin) {
            psc_note(psc_error(diags, PSC_E_DUPLICATE, n.list.at[i].span, "the generated header would have two `%s`",
                               n.list.at[i].name),
                     n.list.at[i - 1].span, "the other comes from here");
        }
    }
}
