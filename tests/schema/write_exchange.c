/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the C program of one side of tests/golden/compat: write_exchange SIDE FOLDER PAIR...
 * It includes the header PAIR.psy.h, of PAIR/SIDE.psy, of each pair and writes and reads all messages in it: exchange.h says
 * how. */
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "schema_names.h"

static psc_arena arena;

#define TEXT(...) psc_format(&arena, __VA_ARGS__)

/* What the old side calls it: the doc comment of a renamed field or type is its old name. */
static const char *key_of(const char *name, const char *doc)
{
    size_t n = doc ? strspn(doc, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") : 0;
    return n > 0 && doc[n] == '\0' ? doc : name;
}

static bool is_own(const psc_field *f) { return f->layout.parent == PSY_NONE; }
static bool is_there(const psc_field *f) { return is_own(f) && !(f->layout.flags & PSY_FIELD_RETIRED); }
static bool is_text(const psc_field *f) { return (f->layout.flags & PSY_FIELD_TEXT) != 0; }

static bool is_items(const psc_field *f) { return (f->layout.flags & PSY_FIELD_ITEMS) != 0; }
static bool is_tailed(const psc_message *m) { return (m->layout.flags & PSY_TYPE_TAILED) != 0; }

static const char *type_text(const psc_message *m) { return psc_snake(&arena, m->full_name); }

/* A field as C reaches it: in `m` of C type `t`, and in its view `v` where it has a tail. Of the member of a union the name of
 * its accessors has that of the union in front. */
typedef struct reach {
    FILE *to;
    const char *t, *name, *key;
    const psc_field *f;
    bool in_struct;
} reach;

#define PUT(...) fprintf(r->to, __VA_ARGS__)

static const char *getter(const reach *r) { return r->in_struct ? TEXT("m->%s", r->f->name) : TEXT("%s_%s(m)", r->t, r->name); }
static const char *mutable(const reach *r)
{
    return r->in_struct ? TEXT("m->%s", r->f->name) : TEXT("%s_mutable_%s(m)", r->t, r->name);
}

/* What a tail holds of an element at most, to go over 64 bytes and not on forever. */
static uint32_t most_of(const psc_field *f)
{
    return f->layout.kind != PSY_FIELD_TAIL && !(f->layout.flags & PSY_FIELD_OPEN) ? f->layout.count
           : is_items(f)                                                           ? 3
           : f->layout.flags & PSY_FIELD_IS_ARRAY                                  ? 4
                                                                                   : 90;
}

/* ---- values ---- */

/* A C expression for element `i` of what message `n` has. */
static const char *value_text(const reach *r, const char *i)
{
    const psc_field *f = r->f;
    if (f->type) {
        return TEXT("%s_value(exchange_bits(\"%s\", n, %s))", type_text(f->type), r->key, i);
    }
    switch (f->layout.dtype) {
    case PSY_F32:
    case PSY_F64: return TEXT("(%s)exchange_real(\"%s\", n, %s)", f->layout.dtype == PSY_F32 ? "float" : "double", r->key, i);
    case PSY_BOOL: return TEXT("(exchange_bits(\"%s\", n, %s) & 1) != 0", r->key, i);
    case PSY_F16:
    case PSY_BF16: return TEXT("(uint16_t)exchange_bits(\"%s\", n, %s)", r->key, i);
    default: {
        const bool is_signed = psy__dtype_class(f->layout.dtype) == PSY_DCLASS_SINT;
        return TEXT("(%sint%u_t)exchange_bits(\"%s\", n, %s)", is_signed ? "" : "u", psy__dtype_bytes(f->layout.dtype) * 8,
                    r->key, i);
    }
    }
}

/* A call that prints the C expression. */
static const char *print_text(const psc_field *f, const char *value)
{
    if (f->type) {
        return TEXT("exchange_named(l, (int64_t)%s, %s_key(%s))", value, type_text(f->type), value);
    }
    switch (f->layout.dtype) {
    case PSY_F32:
    case PSY_F64: return TEXT("exchange_float(l, (double)%s)", value);
    case PSY_I8:
    case PSY_I16:
    case PSY_I32:
    case PSY_I64: return TEXT("exchange_signed(l, %s)", value);
    default: return TEXT("exchange_unsigned(l, %s)", value);
    }
}

/* ---- writing ---- */

static void fill_variant(const reach *r)
{
    const bool open = (r->f->layout.flags & PSY_FIELD_OPEN) != 0;
    PUT("const uint32_t dims[] = {exchange_count(\"%s\", n, %uu)};\n", r->key, most_of(r->f) / 4);
    PUT("float *at = %s%s_set_%s(%sm, PSY_F32, 1, dims);\n", open ? "dims[0] == 0 ? NULL : (float *)" : "(float *)", r->t,
        r->name, open ? "b, " : "");
    PUT("for (unsigned i = 0; at && i < dims[0]; i++) { at[i] = (float)exchange_real(\"%s\", n, i); }\n", r->key);
}

static void fill_texts(const reach *r)
{
    const bool tail = r->f->layout.kind == PSY_FIELD_TAIL;
    const uint32_t room = tail ? 90 : r->f->layout.inner, most = most_of(r->f);
    const char *count =
        r->f->layout.kind == PSY_FIELD_ARRAY ? TEXT("%uu", most) : TEXT("exchange_count(\"%s\", n, %uu)", r->key, most);
    PUT("char text[%u];\nconst uint32_t rows = %s;\n", room, count);
    PUT(tail ? "good = %s_set_%s_count(b, m, rows) && good;\n" : "", r->t, r->name);
    PUT("for (uint32_t i = 0; i < rows; i++) {\nconst size_t bytes = exchange_text(text, \"%s\", n, i, %u);\n", r->key, room);
    PUT("good = %s_set_%s(%sm, i, text, bytes) && good;\n}\n", r->t, r->name, tail ? "b, " : "");
    PUT(r->f->layout.kind == PSY_FIELD_BOUNDED ? "%s_set_%s_count(m, rows);\n" : "", r->t, r->name);
}

/* Begins a block that is run where an optional field is there. */
static void begin_optional(const reach *r, bool tail)
{
    PUT(tail ? "if (exchange_count(\"%s?\", n, 1) != 0) {\n"
             : "if (exchange_count(\"%s?\", n, 1) == 0) {\n%s_clear_%s(m);\n} else {\n",
        r->key, r->t, r->name);
}

static void fill_text(const reach *r)
{
    const bool tail = r->f->layout.kind == PSY_FIELD_TAIL, optional = r->f->layout.kind == PSY_FIELD_OPTIONAL,
               maybe = (r->f->layout.flags & PSY_FIELD_MAYBE) != 0;
    PUT("char text[%u];\nconst size_t bytes = exchange_text(text, \"%s\", n, 0, %u);\n", most_of(r->f), r->key, most_of(r->f));
    if (optional || maybe) {
        begin_optional(r, tail);
    }
    PUT("good = %s_set_%s(%sm, text, bytes) && good;\n", r->t, r->name, tail ? "b, " : "");
    PUT(optional || maybe ? "}\n" : "");
}

static void fill_elements(const reach *r, const char *at, const char *count)
{
    const char *value = is_items(r->f) ? NULL : value_text(r, "i");
    PUT("for (unsigned i = 0; i < %s; i++) {\n", count);
    if (value) {
        PUT("%s[i] = %s;\n}\n", at, value);
    } else {
        PUT("good = %s_fill(b, &%s[i], n < 4 ? n : n + i) && good;\n}\n", type_text(r->f->type), at);
    }
}

static void fill_union(const reach *r);

static void write_fill(const reach *r)
{
    const psy_psm_field *l = &r->f->layout;
    PUT("{\n");
    if (l->kind == PSY_FIELD_UNION) {
        fill_union(r);
    } else if (r->f->part) {
        PUT("good = %s_fill(b, %s%s, n) && good;\n", type_text(r->f->part), r->in_struct ? "&" : "", mutable(r));
    } else if (l->kind == PSY_FIELD_VARIANT) {
        fill_variant(r);
    } else if (is_text(r->f) && (l->flags & PSY_FIELD_IS_ARRAY)) {
        fill_texts(r);
    } else if (is_text(r->f)) {
        fill_text(r);
    } else if (l->kind == PSY_FIELD_TAIL) {
        PUT("const uint32_t count = exchange_count(\"%s\", n, %uu);\n", r->key, most_of(r->f));
        PUT("__auto_type at = %s_set_%s(b, m, count);\n", r->t, r->name);
        PUT("good = good && (at != NULL || count == 0);\n");
        fill_elements(r, "at", "(at ? count : 0)");
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        begin_optional(r, false);
        if (is_items(r->f)) {
            PUT("good = %s_fill(b, %s, n) && good;\n", type_text(r->f->type), mutable(r));
        } else if (l->flags & PSY_FIELD_IS_ARRAY) {
            fill_elements(r, mutable(r), TEXT("%uu", l->count));
        } else {
            PUT("%s_set_%s(m, %s);\n", r->t, r->name, value_text(r, "0"));
        }
        PUT("}\n");
    } else if (l->kind == PSY_FIELD_SCALAR) {
        PUT(r->in_struct ? "m->%s%s = %s;\n" : "%s_set_%s(m, %s);\n", r->in_struct ? "" : r->t, r->name, value_text(r, "0"));
    } else if (l->kind == PSY_FIELD_BOUNDED) {
        PUT("%s_set_%s_count(m, exchange_count(\"%s\", n, %uu));\n", r->t, r->name, r->key, l->count);
        fill_elements(r, mutable(r), TEXT("%s_%s_count(m)", r->t, r->name));
    } else {
        fill_elements(r, mutable(r), TEXT("%uu", l->count));
    }
    PUT("}\n");
}

/* Every member comes up in some message. */
static void fill_union(const reach *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->f->type->field_count; i++) {
        count += is_own(&r->f->type->fields[i]);
    }
    PUT("switch (n %% %uu) {\n", count + 1);
    for (uint32_t i = 0, number = 0; i < r->f->type->field_count; i++) {
        const psc_field *f = &r->f->type->fields[i];
        if (is_own(f)) {
            const reach member = {r->to, r->t, TEXT("%s_%s", r->name, f->name), key_of(f->name, f->doc), f, false};
            PUT("case %u:\n", ++number);
            write_fill(&member);
            PUT("break;\n");
        }
    }
    PUT("default: %s_clear_%s(m); break;\n}\n", r->t, r->name);
}

/* ---- reading ---- */

/* The lines of one element, which `at` (a pointer, or the view of a type with a tail) is. */
static void print_inner(const reach *r, const psc_message *m, const char *inside, const char *at)
{
    PUT("{\nexchange_lines inner = %s;\n%s_print_lines(%s, &inner);\n}\n", inside, type_text(m), at);
}

static void print_fresh(const reach *r, const psc_message *m, const char *inside)
{
    const char *t = type_text(m);
    PUT("if (l->defaults) {\nstatic %s fresh;\n", t);
    PUT(m->layout.kind == PSY_TYPE_MESSAGE ? "%s_init(&fresh);\n" : "", t);
    print_inner(r, m, inside, is_tailed(m) ? TEXT("(%s_view){&fresh, sizeof fresh}", t) : "&fresh");
    PUT("}\n");
}

static void print_items(const reach *r)
{
    const psy_psm_field *l = &r->f->layout;
    const psc_message *m = r->f->type;
    const bool tailed = is_tailed(m), tail = l->kind == PSY_FIELD_TAIL, is_struct = m->layout.kind == PSY_TYPE_STRUCT;
    const char *inside = TEXT("exchange_element(l, \"%s\", i)", r->key);
    if (tail && is_struct) {
        PUT("uint32_t count;\nconst %s *at = %s_%s(v, &count);\n", type_text(m), r->t, r->name);
    } else if (tail && !tailed) {
        PUT("uint32_t count;\nconst %s *at = %s_%s(v, &count);\n", type_text(m), r->t, r->name);
    } else if (tail) {
        PUT("const uint32_t count = %s_%s_count(v);\n", r->t, r->name);
    } else if (l->kind == PSY_FIELD_BOUNDED) {
        PUT("const uint32_t count = %s_%s_count(m);\n", r->t, r->name);
    } else {
        PUT("const uint32_t count = %u;\n", l->count);
    }
    PUT("exchange_key(l, \"%s.count\");\nexchange_unsigned(l, count);\nexchange_end(l);\n", r->key);
    PUT("for (uint32_t i = 0; i < count; i++) {\n");
    print_inner(r, m, inside, tailed ? TEXT("%s_%s(v, i)", r->t, r->name) : TEXT("&%s[i]", tail ? "at" : getter(r)));
    PUT("}\n");
    print_fresh(r, m, TEXT("exchange_inside(l, \"%s.*\")", r->key));
}

static void print_optional_item(const reach *r)
{
    const psc_message *m = r->f->type;
    PUT("exchange_key(l, \"%s\");\nfputs(%s_has_%s(m) ? \"there\" : \"none\", l->to);\nexchange_end(l);\n", r->key, r->t,
        r->name);
    PUT("if (%s_has_%s(m)) {\n", r->t, r->name);
    print_inner(r, m, TEXT("exchange_inside(l, \"%s\")", r->key), is_tailed(m) ? TEXT("%s_%s(v)", r->t, r->name) : getter(r));
    PUT("} else ");
    print_fresh(r, m, TEXT("exchange_inside(l, \"%s\")", r->key));
}

static void print_one(const reach *r);

static void print_union(const reach *r)
{
    const char *upper = psc_upper(&arena, TEXT("%s_%s", r->t, r->name));
    PUT("exchange_key(l, \"%s\");\nswitch (%s) {\n", r->key, getter(r));
    for (uint32_t i = 0; i < r->f->type->field_count; i++) {
        const psc_field *f = &r->f->type->fields[i];
        if (is_own(f)) {
            const reach member = {r->to, r->t, TEXT("%s_%s", r->name, f->name), key_of(f->name, f->doc), f, false};
            PUT("case %s_%s: {\nfputs(\"%s\", l->to);\nexchange_end(l);\n", upper, psc_upper(&arena, f->name), member.key);
            PUT("exchange_lines inner = exchange_inside(l, \"%s\");\nexchange_lines *outer = l;\nl = &inner;\n", r->key);
            print_one(&member);
            PUT("l = outer;\nbreak;\n}\n");
        }
    }
    PUT("default: fputs(\"none\", l->to); exchange_end(l); break;\n}\n");
    PUT("if (l->defaults) {\nexchange_key(l, \"%s.members\");\nfputs(\" ", r->key);
    for (uint32_t i = 0; i < r->f->type->field_count; i++) {
        const psc_field *f = &r->f->type->fields[i];
        PUT(is_own(f) ? "%s " : "", key_of(f->name, f->doc));
    }
    PUT("\", l->to);\nexchange_end(l);\n}\n");
}

static void print_numbers(const reach *r, const char *at, const char *count)
{
    PUT("for (unsigned i = 0; i < %s; i++) {\n%s;\n}\n", count, print_text(r->f, TEXT("%s[i]", at)));
}

static void print_text_field(const reach *r)
{
    const psy_psm_field *l = &r->f->layout;
    const bool tail = l->kind == PSY_FIELD_TAIL, maybe = (l->flags & PSY_FIELD_MAYBE) || l->kind == PSY_FIELD_OPTIONAL;
    const char *of = tail ? "v" : "m";
    if (l->flags & PSY_FIELD_IS_ARRAY) {
        const char *count = l->kind == PSY_FIELD_ARRAY ? TEXT("%uu", l->count) : TEXT("%s_%s_count(%s)", r->t, r->name, of);
        PUT("for (unsigned i = 0; i < %s; i++) {\n", count);
        const char *get = TEXT("%s_%s", r->t, r->name);
        if (tail) {
            PUT("const psy_text text = %s(v, i);\n", get);
        } else {
            PUT("const psy_text text = {%s(m, i), %s_bytes(m, i)};\n", get, get);
        }
        PUT("exchange_bytes(l, text.at, text.bytes);\nfputs(\", \", l->to);\n}\n");
    } else if (maybe) {
        PUT("if (!%s_has_%s(%s)) {\nfputs(\"none\", l->to);\n} else {\n", r->t, r->name, of);
        PUT("const psy_text text = %s_%s(%s);\nexchange_bytes(l, text.at, text.bytes);\n}\n", r->t, r->name, of);
    } else if (tail) {
        PUT("const psy_text text = %s_%s(v);\nexchange_bytes(l, text.at, text.bytes);\n", r->t, r->name);
    } else {
        PUT("exchange_bytes(l, %s, %s_%s_bytes(m));\n", getter(r), r->t, r->name);
    }
}

static void print_line(const reach *r)
{
    const psy_psm_field *l = &r->f->layout;
    PUT("exchange_key(l, \"%s\");\n", r->key);
    if (l->kind == PSY_FIELD_VARIANT) {
        PUT("psy_variant_view view;\nif (%s_%s(%s, &view) == PSY_OK) {\n", r->t, r->name,
            l->flags & PSY_FIELD_OPEN ? "v" : "m");
        PUT("const float *at = (const float *)psy_variant_elements(&view, PSY_F32);\n");
        PUT("for (unsigned i = 0; at && i < view.dims[0]; i++) {\nexchange_float(l, (double)at[i]);\n}\n}\n");
    } else if (is_text(r->f)) {
        print_text_field(r);
    } else if (l->kind == PSY_FIELD_TAIL) {
        PUT("uint32_t count;\nconst __auto_type at = %s_%s(v, &count);\n", r->t, r->name);
        print_numbers(r, "at", "count");
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        PUT("if (!%s_has_%s(m)) {\nfputs(\"none\", l->to);\n} else {\n", r->t, r->name);
        if (l->flags & PSY_FIELD_IS_ARRAY) {
            print_numbers(r, getter(r), TEXT("%uu", l->count));
        } else {
            PUT("%s;\n", print_text(r->f, getter(r)));
        }
        PUT("}\n");
    } else if (l->kind == PSY_FIELD_SCALAR) {
        PUT("%s;\n", print_text(r->f, getter(r)));
    } else {
        print_numbers(r, getter(r),
                      l->kind == PSY_FIELD_BOUNDED ? TEXT("%s_%s_count(m)", r->t, r->name) : TEXT("%uu", l->count));
    }
    PUT("exchange_end(l);\n");
}

static void print_one(const reach *r)
{
    const psy_psm_field *l = &r->f->layout;
    PUT("{\n");
    if (l->kind == PSY_FIELD_UNION) {
        print_union(r);
    } else if (r->f->part) {
        const bool tailed = is_tailed(r->f->part);
        print_inner(r, r->f->part, TEXT("exchange_inside(l, \"%s\")", r->key),
                    tailed ? TEXT("%s_%s(v)", r->t, r->name) : TEXT("%s%s", r->in_struct ? "&" : "", getter(r)));
    } else if (is_items(r->f) && l->kind == PSY_FIELD_OPTIONAL) {
        print_optional_item(r);
    } else if (is_items(r->f)) {
        print_items(r);
    } else {
        print_line(r);
    }
    PUT("}\n");
}

/* ---- types ---- */

/* What values of an enum or flags there are, and what they are called. */
static void write_numbers(FILE *to, const psc_message *m)
{
    const char *t = type_text(m);
    fprintf(to, "\nstatic %s %s_value(uint64_t bits)\n{\nstatic const %s values[] = {", t, t, t);
    for (uint32_t i = 0; i < m->field_count; i++) {
        fprintf(to, "%s%s_%s", i ? ", " : "", psc_upper(&arena, t), psc_upper(&arena, m->fields[i].name));
    }
    fprintf(to, "};\nreturn values[bits %% %u];\n}\nstatic const char *%s_key(%s value)\n{\nreturn ", m->field_count, t, t);
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        fprintf(to, "value == %s_%s ? \"%s\" : ", psc_upper(&arena, t), psc_upper(&arena, f->name), key_of(f->name, f->doc));
    }
    fprintf(to, "\"\";\n}\n");
}

static void each_field(FILE *to, const psc_message *m, void (*write)(const reach *))
{
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        const reach r = {to, type_text(m), f->name, key_of(f->name, f->doc), f, m->layout.kind == PSY_TYPE_STRUCT};
        if (is_there(f)) {
            write(&r);
        }
    }
}

static void write_message(FILE *to, const psc_message *m)
{
    const char *t = type_text(m);
    const bool tailed = is_tailed(m);
    fprintf(to, "static size_t %s_write_one(void *memory, unsigned n)\n{\n", t);
    if (tailed) {
        fprintf(to, "psy_builder b;\n%s *m = %s_begin(&b, memory, EXCHANGE_BYTES_MAX);\n", t, t);
        fprintf(to, "return n > 0 && !%s_fill(&b, m, n) ? 0 : psy_builder_finish(&b);\n}\n", t);
    } else {
        fprintf(to, "%s *m = %s_init(memory);\nreturn n > 0 && !%s_fill(NULL, m, n) ? 0 : m->header.bytes;\n}\n", t, t, t);
    }
    fprintf(to, "static void %s_print_one(const void *message, size_t bytes, exchange_lines *l)\n{\n(void)bytes;\n", t);
    if (tailed) {
        fprintf(to, "%s_print_lines((%s_view){(const %s *)message, (uint32_t)bytes}, l);\n}\n", t, t, t);
    } else {
        fprintf(to, "%s_print_lines((const %s *)message, l);\n}\n", t, t);
    }
    fprintf(to, "static psy_status %s_read_one(void *to, size_t room, size_t *size, const void *bytes, size_t n)\n{\n", t);
    if (tailed) {
        fprintf(to, "return %s_read(to, room, size, bytes, n);\n}\n", t);
    } else {
        fprintf(to, "*size = sizeof(%s);\nreturn room < *size ? PSY_TOO_LARGE : %s_read((%s *)to, bytes, n);\n}\n", t, t, t);
    }
}

static void write_type(FILE *to, const psc_message *m)
{
    const char *t = type_text(m);
    if (m->layout.kind == PSY_TYPE_UNION) {
        return; /* its message writes it */
    }
    if (m->layout.kind == PSY_TYPE_ENUM || m->layout.kind == PSY_TYPE_FLAGS) {
        write_numbers(to, m);
        return;
    }
    fprintf(to, "\nstatic bool %s_fill(psy_builder *b, %s *m, unsigned n)\n{\nbool good = true;\n(void)b, (void)m, (void)n;\n",
            t, t);
    each_field(to, m, write_fill);
    fprintf(to, "return good;\n}\nstatic void %s_print_lines(", t);
    if (is_tailed(m)) {
        fprintf(to, "%s_view v, exchange_lines *l)\n{\nconst %s *m = v.message;\n", t, t);
    } else {
        fprintf(to, "const %s *m, exchange_lines *l)\n{\n", t);
    }
    fprintf(to, "(void)m, (void)l;\n");
    each_field(to, m, print_one);
    fprintf(to, "}\n");
    if (m->layout.kind == PSY_TYPE_MESSAGE) {
        write_message(to, m);
    }
}

/* The types of a pair; a row for each message goes to `rows`. */
static bool write_pair(FILE *to, FILE *rows, const char *side, const char *folder, const char *pair)
{
    psc_diagnostics diags = {.arena = &arena};
    const psc_source *source = psc_source_read(&arena, TEXT("%s/%s/%s.psy", folder, pair, side));
    const psc_schema *s = source ? psc_schema_parse(&arena, &diags, source) : NULL;
    if (!s) {
        fprintf(stderr, "%s/%s.psy cannot be read\n", pair, side);
        return false;
    }
    fprintf(to, "\n/* ---- %s ---- */\n\n#include \"%s.psy.h\"\n", pair, pair);
    for (uint32_t i = 0; i < s->order_count; i++) {
        const psc_message *m = s->order[i];
        const char *t = type_text(m);
        write_type(to, m);
        if (m->layout.kind == PSY_TYPE_MESSAGE) {
            fprintf(rows, "{\"%s.%s\", %s_write_one, %s_verify, %s_read_one, %s_print_one},\n", pair, key_of(m->name, m->doc),
                    t, t, t, t);
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    psc_arena_init(&arena);
    char *text = NULL;
    size_t n = 0;
    FILE *rows = open_memstream(&text, &n);
    bool good = argc > 3 && rows;
    if (good) {
        printf("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by write_exchange. */\n#include \"exchange.h\"\n");
    }
    for (int i = 3; i < argc && good; i++) {
        good = write_pair(stdout, rows, argv[1], argv[2], argv[i]);
    }
    if (good && fclose(rows) == 0) {
        printf("\nstatic const exchange_type types[] = {\n%s};\n\nint main(int argc, char **argv)\n{\n", text);
        printf("    return exchange_main(types, sizeof types / sizeof types[0], \"%s\", argc, argv);\n}\n", argv[1]);
    }
    free(text);
    psc_arena_fini(&arena);
    return good && fflush(stdout) == 0 ? 0 : 1;
}
