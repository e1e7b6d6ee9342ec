/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"
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

/* What <string.h>, <stdio.h> and the like declare: a type without a namespace may not have its name. */
static const char *const functions_of_c[] = {
    "assert",     "bcmp",     "bcopy",   "bzero",    "clearerr", "ctermid",  "dprintf",   "fclose",   "fdopen",  "feof",
    "ferror",     "fflush",   "ffs",     "fgetc",    "fgetpos",  "fgets",    "fileno",    "fmemopen", "fopen",   "fprintf",
    "fputc",      "fputs",    "fread",   "freopen",  "fscanf",   "fseek",    "fseeko",    "fsetpos",  "ftell",   "ftello",
    "fwrite",     "getc",     "getchar", "getdelim", "getline",  "gets",     "getw",      "index",    "memchr",  "memcmp",
    "memcpy",     "memmove",  "memset",  "offsetof", "pclose",   "perror",   "popen",     "printf",   "putc",    "putchar",
    "puts",       "putw",     "remove",  "rename",   "renameat", "rewind",   "rindex",    "scanf",    "setbuf",  "setbuffer",
    "setlinebuf", "setvbuf",  "size_t",  "snprintf", "sprintf",  "sscanf",   "stderr",    "stdin",    "stdout",  "strcat",
    "strchr",     "strcmp",   "strcoll", "strcpy",   "strcspn",  "strdup",   "strerror",  "strlen",   "strncat", "strncmp",
    "strncpy",    "strndup",  "strnlen", "strpbrk",  "strrchr",  "strsep",   "strsignal", "strspn",   "strstr",  "strtok",
    "strxfrm",    "tempnam",  "tmpfile", "tmpnam",   "ungetc",   "vdprintf", "vfprintf",  "vfscanf",  "vprintf", "vscanf",
    "vsnprintf",  "vsprintf", "vsscanf"};

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

/* A name in C, and what gives rise to it. */
struct psc_c_name {
    const char *name;
    psc_span span;
};
typedef struct psc_c_name taken;

typedef struct clash {
    psc_span a, b; /* what the names come from */
} clash;

typedef struct names {
    psc_arena *arena;
    psc_diagnostics *diags;
    PSC_LIST(taken) list;
    PSC_LIST(taken) members; /* of the struct that is looked at */
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

static bool is_same(psc_span a, psc_span b) { return a.source == b.source && a.begin == b.begin; }

/* Two declarations that clash do so in several names: one of them says it. */
static bool is_new(names *n, const taken *a, const taken *b)
{
    clash c = {a->span, b->span};
    for (size_t i = 0; i < n->clashes.count; i++) {
        if (is_same(n->clashes.at[i].a, c.a) && is_same(n->clashes.at[i].b, c.b)) {
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

static bool is_number(const psc_message *m) { return m->layout.kind == PSY_TYPE_ENUM || m->layout.kind == PSY_TYPE_FLAGS; }

static void check_field(names *n, const psc_schema *schema, const char *prefix, const psc_field *f)
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
    if (f->layout.kind == PSY_FIELD_UNION) {
        for (uint32_t i = 0; i < f->type->field_count; i++) {
            if (f->type->fields[i].layout.parent == PSY_NONE) {
                check_field(n, schema, prefix, &f->type->fields[i]);
            }
        }
    }
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

static void take_of_header(void *context, const char *name, psc_span span) { take(context, name, span); }

static void take_of_struct(void *context, const char *name, psc_span span)
{
    names *n = context;
    const taken member = {name, span};
    psc_push(n->arena, &n->members, member);
}

static void check_type(names *n, const psc_schema *schema, const char *prefix, const psc_message *m)
{
    const char *type = psc_snake(n->arena, m->full_name);
    const bool number = is_number(m);
    if (m->layout.kind == PSY_TYPE_UNION) {
        return; /* the message that has it has its names */
    }
    if (!*prefix && (is_among(type, keywords, COUNT(keywords)) || is_among(type, functions_of_c, COUNT(functions_of_c)) ||
                     is_among(type, ctypes, COUNT(ctypes)) || strncmp(type, "psy_", 4) == 0)) {
        psc_help(psc_error(n->diags, PSC_E_DUPLICATE, m->span, "the C type of `%s` would be `%s`, a word of C or of Psyne",
                           m->name, type),
                 "give the schema a `namespace`");
    }
    psc_header_each_name(n->arena, m, take_of_header, n);
    for (uint32_t k = 0; k < m->field_count && !number; k++) {
        if (m->fields[k].layout.parent == PSY_NONE) { /* else its own type has it */
            check_field(n, schema, prefix, &m->fields[k]);
        }
    }
    n->members.count = 0;
    if (!number) {
        psc_header_each_member_name(n->arena, m, take_of_struct, n);
    }
    report_clashes(n, n->members.at, n->members.count, "struct");
}

/* ---- between files ---- */

/* What a header includes, all the way down, and through which import of the schema. */
typedef struct reached {
    PSC_LIST(psc_schema_import) list;
    uint64_t seen; /* a bit for each number */
} reached;

/* Imports lead to no circle, and there are at most 64 schemas. */
static void reach(names *n, reached *r, const psc_schema *from, const psc_span *through)
{
    for (uint32_t i = 0; i < from->import_count; i++) {
        psc_schema_import one = {through ? *through : from->imports[i].span, from->imports[i].schema};
        if (!(r->seen >> one.schema->number & 1)) {
            r->seen |= UINT64_C(1) << one.schema->number;
            psc_push(n->arena, &r->list, one);
            reach(n, r, one.schema, &one.span);
        }
    }
}
_Static_assert(PSC_IMPORTS_MAX <= 64, "a bit for each");

/* All C names of a schema start with its prefix, in small letters or capitals: two that go apart there share none. */
static bool may_share(names *n, const psc_schema *a, const psc_schema *b)
{
    const char *x = psc_schema_prefix(n->arena, a), *y = psc_schema_prefix(n->arena, b);
    size_t k = strlen(x) < strlen(y) ? strlen(x) : strlen(y);
    return strncmp(x, y, k) == 0;
}

const char *psc_schema_file(const psc_schema *schema)
{
    const char *slash = strrchr(schema->source->path, '/');
    return slash ? slash + 1 : schema->source->path;
}

/* Two schemas whose headers are included together. */
typedef struct pair {
    psc_schema *a, *b;
    bool own;    /* b is the schema that is checked */
    psc_span at; /* the import through which a, or else b, comes in */
} pair;

static void report_between(names *n, const pair *p, const taken *a, const taken *b)
{
    if (!is_new(n, a, b)) {
        return;
    }
    psc_diagnostic *d =
        psc_error(n->diags, PSC_E_DUPLICATE, p->own ? b->span : p->at, "the generated headers would have two `%s`", b->name);
    psc_note(d, a->span, p->own ? "the other comes from here" : "one comes from here");
    if (!p->own) {
        psc_note(d, b->span, "the other comes from here");
    }
    psc_help(d, "give one of the schemas another `namespace`");
}

/* Macros of a schema without namespace would replace fields in headers that come later. */
static void check_macros(names *n, const pair *p, const psc_schema *macros, const psc_schema *later)
{
    for (uint32_t i = 0; !*macros->space && i < macros->constant_count; i++) {
        const psc_constant *c = &macros->constants[i];
        for (uint32_t k = 0; k < later->order_count; k++) {
            for (uint32_t l = 0; l < later->order[k]->field_count; l++) {
                const psc_field *f = &later->order[k]->fields[l];
                if (f->layout.parent == PSY_NONE && !is_number(later->order[k]) && is_upper_of(f->name, c->name)) {
                    psc_diagnostic *d =
                        psc_error(n->diags, PSC_E_DUPLICATE, p->own ? f->span : p->at,
                                  "the constant `%s` becomes a macro that would replace the field `%s`", c->name, f->name);
                    psc_note(d, c->span, "the constant is here");
                    psc_help(d, "give its schema a `namespace`");
                }
            }
        }
    }
}

static void check_pair(names *n, const pair *p)
{
    psc_schema *a = p->a, *b = p->b;
    if (a->compared >> b->number & 1) {
        return;
    }
    a->compared |= UINT64_C(1) << b->number;
    b->compared |= UINT64_C(1) << a->number;
    if (strcmp(psc_schema_file(a), psc_schema_file(b)) == 0) {
        psc_diagnostic *d =
            psc_error(n->diags, PSC_E_DUPLICATE, p->at,
                      "two of the schemas that meet here are called %s, and so would be their headers", psc_schema_file(a));
        psc_note(d, (psc_span){a->source, 0, 0}, "this is one of them");
        psc_note(d, (psc_span){b->source, 0, 0}, "this is the other");
    }
    /* Both lists are sorted. */
    for (size_t i = 0, k = 0; may_share(n, a, b) && i < a->c_name_count && k < b->c_name_count;) {
        int order = strcmp(a->c_names[i].name, b->c_names[k].name);
        if (order == 0) {
            report_between(n, p, &a->c_names[i], &b->c_names[k]);
        }
        i += order <= 0;
        k += order >= 0;
    }
    check_macros(n, p, a, b);
    if (!p->own) {
        check_macros(n, p, b, a);
    }
}

/* The schema with all that its header includes, and those with each other. */
static void check_imported(names *n, psc_schema *schema)
{
    reached all = {.seen = UINT64_C(1) << schema->number};
    reach(n, &all, schema, NULL);
    for (size_t i = 0; i < all.list.count; i++) {
        const psc_schema_import *one = &all.list.at[i];
        check_pair(n, &(pair){one->schema, schema, true, one->span});
        for (size_t k = 0; k < i; k++) {
            check_pair(n, &(pair){all.list.at[k].schema, one->schema, false, one->span});
        }
    }
}

void psc_schema_check_names(psc_arena *arena, psc_diagnostics *diags, psc_schema *schema)
{
    names n = {.arena = arena, .diags = diags};
    const char *prefix = psc_schema_prefix(arena, schema);
    if (strncmp(prefix, "psy_", 4) == 0) {
        psc_error(diags, PSC_E_DUPLICATE, schema->space_span, "C names that start with `psy_` are Psyne's own");
    }
    for (uint32_t i = 0; i < schema->constant_count; i++) {
        check_constant(&n, prefix, &schema->constants[i]);
    }
    for (uint32_t i = 0; i < schema->order_count; i++) {
        check_type(&n, schema, prefix, schema->order[i]);
    }
    report_clashes(&n, n.list.at, n.list.count, "header");
    schema->c_names = n.list.at;
    schema->c_name_count = n.list.count;
    check_imported(&n, schema);
}
