/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "isa/layout.h"

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

/* Words of C and C++, and macros that compilers bring along. */
static const char *const keywords[] = {
    "alignas",   "alignof",      "and",      "asm",           "auto",      "bool",     "break",
    "case",      "catch",        "char",     "class",         "concept",   "const",    "consteval",
    "constexpr", "constinit",    "continue", "co_await",      "co_return", "co_yield", "decltype",
    "default",   "delete",       "do",       "double",        "else",      "enum",     "explicit",
    "export",    "extern",       "false",    "float",         "for",       "friend",   "goto",
    "if",        "inline",       "int",      "linux",         "long",      "mutable",  "namespace",
    "new",       "noexcept",     "not",      "nullptr",       "operator",  "or",       "private",
    "protected", "public",       "register", "requires",      "restrict",  "return",   "short",
    "signed",    "sizeof",       "static",   "static_assert", "struct",    "switch",   "template",
    "this",      "thread_local", "throw",    "true",          "try",       "typedef",  "typeid",
    "typename",  "typeof",       "union",    "unix",          "unsigned",  "using",    "virtual",
    "void",      "volatile",     "wchar_t",  "while",         "xor"};

/* Types that generated members have. */
static const char *const ctypes[] = {
#define DTYPE(NAME, code, text, bytes, type, ...) #type,
#include "isa/dtypes.def"
#undef DTYPE
};

/* What <string.h> and the like declare: a message without a namespace may not have its name. */
static const char *const functions_of_c[] = {"assert", "bcmp",   "bcopy",   "bzero",  "ffs",      "index",   "memchr",
                                             "memcmp", "memcpy", "memmove", "memset", "offsetof", "rindex",  "strcat",
                                             "strchr", "strcmp", "strcpy",  "strdup", "strlen",   "strncmp", "strsep",
                                             "strspn", "strstr", "strtok",  "size_t", "strsignal"};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static bool is_among(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

typedef struct taken {
    const char *name;
    psc_span span;
} taken;

typedef struct clash {
    uint32_t a, b; /* where the names begin */
} clash;

typedef struct names {
    psc_arena *arena;
    psc_diagnostics *diags;
    PSC_LIST(taken) list;
    PSC_LIST(clash) clashes; /* reported */
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

/* Two declarations that clash do so in several names: one of them says it. */
static bool is_new(names *n, const taken *a, const taken *b)
{
    clash c = {a->span.begin, b->span.begin};
    for (size_t i = 0; i < n->clashes.count; i++) {
        if (n->clashes.at[i].a == c.a && n->clashes.at[i].b == c.b) {
            return false;
        }
    }
    if (n->clashes.count < 256) {
        psc_push(n->arena, &n->clashes, c);
    }
    return true;
}

/* Names that are there twice; `list` is sorted by them. */
static void report_clashes(names *n, taken *list, size_t count, const char *what)
{
    if (count) {
        qsort(list, count, sizeof *list, by_name);
    }
    for (size_t i = 1; i < count; i++) {
        const taken *a = &list[i - 1], *b = &list[i];
        if (strcmp(a->name, b->name) == 0 && a->span.begin != b->span.begin && is_new(n, a, b)) {
            psc_note(psc_error(n->diags, PSC_E_DUPLICATE, b->span, "the generated %s would have two `%s`", what, b->name),
                     a->span, "the other comes from here");
        }
    }
}

static bool is_upper_of(const char *upper, const char *name)
{
    while (*upper && *upper == (char)toupper((unsigned char)*name)) {
        upper++;
        name++;
    }
    return !*upper && !*name;
}

static void take_with(names *n, const char *before, const char *name, const char *after, psc_span span)
{
    take(n, psc_format(n->arena, "%s%s%s", before, name, after), span);
}

/* What the accessors of a field are called: templates/header.in has them. */
static void take_accessors(names *n, const char *type, const char *upper, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    const char *all = psc_format(n->arena, "%s_", type), *set = psc_format(n->arena, "%s_set_", type);
    const char *macro = psc_format(n->arena, "%s_%s", upper, psc_upper(n->arena, f->name));
    const bool text = (l->flags & PSY_FIELD_TEXT) != 0, texts = psy__field_is_texts(l), vector = psy__field_is_vector(l);
    const bool optional = l->kind == PSY_FIELD_OPTIONAL, variant = l->kind == PSY_FIELD_VARIANT;
    take_with(n, all, f->name, "", f->span);
    take_with(n, vector || f->part ? psc_format(n->arena, "%smutable_", all) : set, f->name, "", f->span);
    if (vector || texts) {
        take_with(n, macro, "_COUNT", "", f->span);
    }
    if (l->kind == PSY_FIELD_BOUNDED && (!text || texts)) {
        take_with(n, all, f->name, "_count", f->span);
        take_with(n, set, f->name, "_count", f->span);
    }
    if (text) {
        take_with(n, all, f->name, "_bytes", f->span);
    }
    if (text || variant) {
        take_with(n, macro, "_ROOM", "", f->span);
    }
    if (optional) {
        take_with(n, all, "has_", f->name, f->span);
    }
    if (optional || variant) {
        take_with(n, all, "clear_", f->name, f->span);
    }
    if (variant) {
        take_with(n, all, "build_", f->name, f->span);
    }
}

static void check_field(names *n, const psc_schema *schema, const char *prefix, const char *type, const char *upper,
                        const psc_field *f)
{
    if (is_among(f->name, keywords, COUNT(keywords))) {
        psc_error(n->diags, PSC_E_FIELD, f->span, "`%s` is a word of C or C++ and cannot be a field", f->name);
    }
    if (strcmp(f->name, "header") == 0 || strncmp(f->name, "padding_", 8) == 0 || f->name[0] == '_' ||
        is_among(f->name, ctypes, COUNT(ctypes))) {
        psc_error(n->diags, PSC_E_FIELD, f->span, "`%s` is kept for the generated struct", f->name);
    }
    for (uint32_t i = 0; !*prefix && i < schema->constant_count; i++) {
        if (is_upper_of(f->name, schema->constants[i].name)) {
            psc_help(psc_error(n->diags, PSC_E_DUPLICATE, f->span, "the constant `%s` becomes a macro of this name",
                               schema->constants[i].name),
                     "give the schema a `namespace`");
        }
    }
    take_accessors(n, type, upper, f);
}

static void check_constant(names *n, const char *prefix, const psc_constant *c)
{
    const char *macro = psc_upper(n->arena, psc_format(n->arena, "%s%s", prefix, c->name));
    const char *after = strncmp(macro, "INT", 3) == 0 ? macro + 3 : strncmp(macro, "UINT", 4) == 0 ? macro + 4 : "";
    if (strcmp(macro, "NULL") == 0 || strncmp(macro, "PSY_", 4) == 0 || isdigit((unsigned char)*after) ||
        strncmp(after, "PTR", 3) == 0 || strncmp(after, "MAX_", 4) == 0) {
        psc_help(psc_error(n->diags, PSC_E_DUPLICATE, c->span, "the macro `%s` may be one of C or of Psyne", macro),
                 "give the schema a `namespace`");
    }
    take(n, macro, c->span);
}

static void check_message(names *n, const psc_schema *schema, const char *prefix, const psc_message *m)
{
    static const char *const functions[] = {"init", "read", "settle", "type", "verify"};
    static const char *const macros[] = {"BYTES", "LAYOUT_HASH", "NAME", "VERSION"};
    const char *type = psc_snake(n->arena, m->full_name), *upper = psc_upper(n->arena, type);
    if (!*prefix && (is_among(type, keywords, COUNT(keywords)) || is_among(type, functions_of_c, COUNT(functions_of_c)) ||
                     is_among(type, ctypes, COUNT(ctypes)) || strncmp(type, "psy_", 4) == 0)) {
        psc_help(psc_error(n->diags, PSC_E_DUPLICATE, m->span,
                           "the C type of this message would be `%s`, a word of C or of Psyne", type),
                 "give the schema a `namespace`");
    }
    take(n, type, m->span);
    for (size_t k = 0; k < COUNT(functions); k++) {
        take(n, psc_format(n->arena, "%s_%s", type, functions[k]), m->span);
    }
    for (size_t k = 0; k < COUNT(macros); k++) {
        take(n, psc_format(n->arena, "%s_%s", upper, macros[k]), m->span);
    }
    PSC_LIST(taken) members = {0};
    for (uint32_t k = 0; k < m->field_count; k++) {
        const psc_field *f = &m->fields[k];
        if (f->layout.parent != PSY_NONE) {
            continue; /* its own message has it */
        }
        check_field(n, schema, prefix, type, upper, f);
        const bool text = (f->layout.flags & PSY_FIELD_TEXT) != 0, texts = psy__field_is_texts(&f->layout);
        const char *beside = f->layout.kind == PSY_FIELD_BOUNDED && (!text || texts) ? "%s_count"
                             : f->layout.kind == PSY_FIELD_OPTIONAL                  ? "has_%s"
                             : f->layout.kind == PSY_FIELD_VARIANT                   ? "%s_head"
                                                                                     : NULL;
        const char *const members_of[] = {"%s", beside, text ? "%s_bytes" : NULL};
        for (size_t i = 0; i < COUNT(members_of); i++) {
            if (members_of[i]) {
                taken member = {psc_format(n->arena, members_of[i], f->name), f->span};
                psc_push(n->arena, &members, member);
            }
        }
    }
    report_clashes(n, members.at, members.count, "struct");
}

void psc_schema_check_names(psc_arena *arena, psc_diagnostics *diags, const psc_schema *schema)
{
    names n = {.arena = arena, .diags = diags};
    const char *prefix = psc_schema_prefix(arena, schema);
    if (strncmp(prefix, "psy_", 4) == 0) {
        psc_error(diags, PSC_E_DUPLICATE, schema->space_span, "C names that start with `psy_` are Psyne's own");
    }
    for (uint32_t i = 0; i < schema->constant_count; i++) {
        check_constant(&n, prefix, &schema->constants[i]);
    }
    for (uint32_t i = 0; i < schema->message_count; i++) {
        check_message(&n, schema, prefix, &schema->messages[i]);
    }
    report_clashes(&n, n.list.at, n.list.count, "header");
}
