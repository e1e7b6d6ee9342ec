/* SPDX-License-Identifier: Apache-2.0 */
/* type NAME { fields }, and so struct, union, enum and flags */
#include <string.h>

#include "isa/asm_state.h"
#include "isa/layout.h"

enum { TYPES_MAX = 1024, FIELDS_MAX = 65536 };

/* Where the fields of a type go. */
typedef struct body {
    psy__asm *a;
    uint32_t type, first_field;
} body;

/* N or <=N, then ] */
static uint32_t parse_count(psy__asm *a, bool *bounded)
{
    *bounded = a->token.kind == PSY_TOKEN_LE;
    if (*bounded) {
        psy__asm_advance(a);
    }
    uint32_t count = (uint32_t)psy__asm_integer(a, UINT32_MAX, "a field's count");
    psy__asm_expect(a, ']');
    return count;
}

/* <=N], after `string[` and `variant[` */
static uint32_t parse_bound(psy__asm *a)
{
    bool bounded;
    if (psy__asm_ok(a) && a->token.kind != PSY_TOKEN_LE) {
        psy__asm_unexpected(a, "\"<=\"");
    }
    return parse_count(a, &bounded);
}

/* After the word: string  string?  string[]  string[<=80]  string[<=80]?  string[<=80][4]  string[<=80][<=4] */
static void parse_text_type(psy__asm *a, psy_psm_field *f)
{
    bool bounded;
    f->flags |= PSY_FIELD_TEXT;
    f->kind = PSY_FIELD_TAIL;
    if (!psy__asm_accept(a, '[')) {
        f->flags |= psy__asm_accept(a, '?') ? PSY_FIELD_MAYBE : 0;
        return;
    }
    if (psy__asm_accept(a, ']')) {
        f->flags |= PSY_FIELD_IS_ARRAY;
        return;
    }
    f->kind = PSY_FIELD_BOUNDED;
    f->count = parse_bound(a);
    if (psy__asm_accept(a, '?')) {
        f->kind = PSY_FIELD_OPTIONAL;
    } else if (psy__asm_accept(a, '[')) {
        f->flags |= PSY_FIELD_IS_ARRAY;
        f->inner = f->count;
        f->count = parse_count(a, &bounded);
        f->kind = bounded ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
    }
}

/* What a type's name says of a field; false: it has no more to say. */
static bool refer_to_type(body *b, psy_psm_field *f, const psy__token *where)
{
    psy__asm *a = b->a;
    f->type = psy__asm_refer(a, PSY_ASM_TYPE, 0, "type");
    if (psy__asm_ok(a) && f->type == b->type) {
        psy__asm_fail(a, where, "type %.*s cannot lie in itself", (int)(where->n > 127 ? 127 : where->n), where->at);
    }
    if (!psy__asm_ok(a)) {
        return false;
    }
    const psy_psm_type *t = (const psy_psm_type *)a->types.at + f->type;
    switch (t->kind) {
    case PSY_TYPE_ENUM:
    case PSY_TYPE_FLAGS: f->dtype = t->dtype; return true;
    case PSY_TYPE_UNION: f->kind = PSY_FIELD_UNION; return false;
    default:
        f->flags |= PSY_FIELD_ITEMS;
        if (a->token.kind != PSY_TOKEN_SIGN || (*a->token.at != '[' && *a->token.at != '?')) {
            psy__asm_fail(a, where, "one %.*s lies here field by field: %s { ... }", (int)(where->n > 127 ? 127 : where->n),
                          where->at, t->kind == PSY_TYPE_STRUCT ? "struct" : "part");
        }
        return true;
    }
}

/* After the element: nothing  ?  [N]  [N]?  [<=N]  [] */
static void parse_extent(psy__asm *a, psy_psm_field *f)
{
    bool bounded = false;
    if (psy__asm_accept(a, '[')) {
        if (psy__asm_accept(a, ']')) {
            f->kind = PSY_FIELD_TAIL;
            return;
        }
        f->count = parse_count(a, &bounded);
        f->kind = bounded ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
    }
    if (!bounded && !(f->kind == PSY_FIELD_ARRAY && (f->flags & PSY_FIELD_ITEMS)) && psy__asm_accept(a, '?')) {
        f->flags |= f->kind == PSY_FIELD_ARRAY ? PSY_FIELD_IS_ARRAY : 0;
        f->kind = PSY_FIELD_OPTIONAL;
    }
}

/* f32  f32[4]  f32[<=4]  f32[]  f32?  f32[4]?, of types likewise; texts; variant  variant[<=256]  part  struct */
static void parse_field_type(body *b, psy_psm_field *f)
{
    psy__asm *a = b->a;
    f->dtype = PSY_U8;
    f->count = 1;
    if (psy__asm_accept_word(a, "part")) {
        f->kind = PSY_FIELD_PART;
    } else if (psy__asm_accept_word(a, "struct")) {
        f->kind = PSY_FIELD_STRUCT;
    } else if (psy__asm_accept_word(a, "variant")) {
        f->kind = PSY_FIELD_VARIANT;
        if (psy__asm_accept(a, '[')) {
            f->count = parse_bound(a);
        } else {
            f->flags |= PSY_FIELD_OPEN;
        }
    } else if (psy__asm_accept_word(a, "string")) {
        parse_text_type(a, f);
    } else {
        bool named = psy__asm_accept_word(a, "type");
        const psy__token where = a->token;
        if (!named && where.kind == PSY_TOKEN_NAME && psy__dtype_named(where.at, where.n)) {
            f->dtype = (uint8_t)psy__asm_dtype(a);
        } else if (!refer_to_type(b, f, &where)) {
            return;
        }
        parse_extent(a, f);
    }
}

/* Of a text in quotes, of a number a literal. */
static void parse_default(psy__asm *a, psy_psm_field *f)
{
    const psy__token where = a->token;
    if (!psy__field_is_text(f)) {
        if (!psy__literal_read(&a->token, f->dtype, &f->default_bits)) {
            psy__asm_unexpected(a, "a value of the field's dtype");
        }
        psy__asm_advance(a);
        return;
    }
    if (where.kind != PSY_TOKEN_STRING) {
        psy__asm_unexpected(a, "a text in quotes");
    }
    f->default_bits = psy__asm_string(a);
    size_t n = psy__asm_ok(a) ? strlen(a->strings.bytes + f->default_bits) : 0;
    if (n > f->count) {
        psy__asm_fail(a, &where, "a text of %zu bytes, and the field has room for %u", n, f->count);
    }
}

static void parse_align(psy__asm *a, psy_psm_field *f)
{
    const psy__token where = a->token;
    psy__asm_expect(a, '(');
    uint32_t n = (uint32_t)psy__asm_integer(a, PSY_MESSAGE_ALIGN, "an alignment");
    psy__asm_expect(a, ')');
    if (psy__asm_ok(a) && (n < 2 || (n & (n - 1)) != 0)) {
        psy__asm_fail(a, &where, "an alignment of %u: it is 2, 4, 8, 16, 32 or 64", n);
        return;
    }
    f->flags &= (uint16_t) ~(15u << PSY_FIELD_ALIGN_SHIFT);
    f->flags |= (uint16_t)(n ? (unsigned)__builtin_ctz(n) << PSY_FIELD_ALIGN_SHIFT : 0);
}

/* Takes the end: ';', of a part '{'. */
static void parse_attributes(psy__asm *a, psy_psm_field *f, char end)
{
    while (psy__asm_ok(a) && !psy__asm_accept(a, end)) {
        if (!psy__field_is_nested(f) && psy__asm_accept(a, '=')) {
            parse_default(a, f);
            continue;
        }
        psy__asm_expect(a, '@');
        if (psy__asm_accept_word(a, "key")) {
            f->flags |= PSY_FIELD_KEY;
        } else if (psy__asm_accept_word(a, "align")) {
            parse_align(a, f);
        } else if (psy__asm_accept_word(a, "since")) {
            psy__asm_expect(a, '(');
            f->since = (uint32_t)psy__asm_integer(a, UINT16_MAX, "a version");
            psy__asm_expect(a, ')');
        } else if (psy__asm_accept_word(a, "deprecated")) {
            f->flags |= PSY_FIELD_DEPRECATED;
        } else if (psy__asm_accept_word(a, "retired")) {
            f->flags |= PSY_FIELD_RETIRED;
        } else {
            psy__asm_unexpected(a, "key, align, since, deprecated or retired");
        }
    }
}

static uint64_t define_field(body *b, psy_psm_field *f)
{
    const uint64_t index = b->a->fields.count - b->first_field;
    *f = (psy_psm_field){.name = psy__asm_define(b->a, PSY_ASM_FIELD, b->type, index, "field"),
                         .since = 1,
                         .inner = 1,
                         .parent = PSY_NONE,
                         .type = PSY_NONE};
    return index;
}

static void add_field(psy__asm *a, const psy_psm_field *f)
{
    psy_psm_field *to = psy__asm_add(a, &a->fields, sizeof *f, FIELDS_MAX, "fields");
    if (to) {
        *to = *f;
    }
}

/* key: u64 = 7 @key @since(2);  q: part { q.x: f32; } */
static void parse_field(body *b, uint32_t parent, uint32_t depth)
{
    psy__asm *a = b->a;
    const psy__token where = a->token;
    psy_psm_field f;
    const uint64_t index = define_field(b, &f);
    f.parent = parent;
    psy__asm_expect(a, ':');
    parse_field_type(b, &f);
    parse_attributes(a, &f, psy__field_is_nested(&f) ? '{' : ';');
    add_field(a, &f);
    if (psy__field_is_nested(&f) && depth == PSY_MESSAGE_DEPTH_MAX) {
        psy__asm_fail(a, &where, "parts over %d deep", PSY_MESSAGE_DEPTH_MAX);
    }
    while (psy__field_is_nested(&f) && psy__asm_ok(a) && !psy__asm_accept(a, '}')) {
        parse_field(b, (uint32_t)index, depth + 1);
    }
}

/* de = 4 @since(2); */
static void parse_value(body *b, unsigned dtype)
{
    psy_psm_field f;
    define_field(b, &f);
    f.dtype = (uint8_t)dtype;
    f.kind = PSY_FIELD_SCALAR;
    f.count = 1;
    psy__asm_expect(b->a, '=');
    parse_default(b->a, &f);
    parse_attributes(b->a, &f, ';');
    add_field(b->a, &f);
}

static void parse_type(psy__asm *a, unsigned kind)
{
    const psy__token where = a->token;
    const bool number = kind == PSY_TYPE_ENUM || kind == PSY_TYPE_FLAGS;
    body b = {a, (uint32_t)a->types.count, (uint32_t)a->fields.count};
    psy_psm_type t = {
        .name = psy__asm_define(a, PSY_ASM_TYPE, 0, b.type, "type"), .first_field = b.first_field, .kind = (uint8_t)kind};
    if (number) {
        psy__asm_expect(a, ':');
        t.dtype = (uint8_t)psy__asm_dtype(a);
    }
    psy_psm_type *to = psy__asm_add(a, &a->types, sizeof t, TYPES_MAX, "types");
    if (!to) {
        return;
    }
    *to = t;
    psy__asm_expect(a, '{');
    while (psy__asm_ok(a) && !psy__asm_accept(a, '}')) {
        if (number) {
            parse_value(&b, t.dtype);
        } else {
            parse_field(&b, PSY_NONE, 0);
        }
    }
    if (psy__asm_ok(a)) {
        to->field_count = (uint32_t)a->fields.count - t.first_field;
        psy_psm_field *first = a->fields.at; /* NULL: there are none yet */
        if (psy__layout(a->strings.bytes, a->types.at, b.type, to, first ? first + t.first_field : NULL) != PSY_OK) {
            psy__asm_fail(a, &where, "%s", psy_detail());
        }
    }
}

void psy__asm_type(psy__asm *a) { parse_type(a, PSY_TYPE_MESSAGE); }
void psy__asm_struct(psy__asm *a) { parse_type(a, PSY_TYPE_STRUCT); }
void psy__asm_union(psy__asm *a) { parse_type(a, PSY_TYPE_UNION); }
void psy__asm_enum(psy__asm *a) { parse_type(a, PSY_TYPE_ENUM); }
void psy__asm_flags(psy__asm *a) { parse_type(a, PSY_TYPE_FLAGS); }
