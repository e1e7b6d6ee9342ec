/* SPDX-License-Identifier: Apache-2.0 */
/* type NAME { fields } */
#include <string.h>

#include "isa/asm_state.h"
#include "isa/layout.h"

enum { TYPES_MAX = 1024, FIELDS_MAX = 65536 };

/* Where the fields of a type go. */
typedef struct body {
    psy__asm *a;
    uint32_t type, first_field;
} body;

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

/* [<=N], after `string` and `variant` */
static uint32_t parse_bound(psy__asm *a)
{
    bool bounded;
    psy__asm_expect(a, '[');
    if (psy__asm_ok(a) && a->token.kind != PSY_TOKEN_LE) {
        psy__asm_unexpected(a, "\"<=\"");
    }
    return parse_count(a, &bounded);
}

/* f32  f32[4]  f32[<=4]  f32?  f32[4]?  string[<=80]  string[<=80][4]  string[<=80][<=4]  variant[<=256]  part */
static void parse_field_type(psy__asm *a, psy_psm_field *f)
{
    bool bounded = false;
    f->dtype = PSY_U8;
    f->count = 1;
    if (psy__asm_accept_word(a, "part")) {
        f->kind = PSY_FIELD_PART;
        return;
    }
    if (psy__asm_accept_word(a, "variant")) {
        f->kind = PSY_FIELD_VARIANT;
        f->count = parse_bound(a);
        return;
    }
    if (psy__asm_accept_word(a, "string")) {
        f->kind = PSY_FIELD_BOUNDED;
        f->flags |= PSY_FIELD_TEXT;
        f->count = parse_bound(a);
        if (psy__asm_accept(a, '[')) {
            f->flags |= PSY_FIELD_IS_ARRAY;
            f->inner = f->count;
            f->count = parse_count(a, &bounded);
            f->kind = bounded ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
        }
        return;
    }
    f->dtype = (uint8_t)psy__asm_dtype(a);
    if (psy__asm_accept(a, '[')) {
        f->count = parse_count(a, &bounded);
        f->kind = bounded ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
    }
    if (!bounded && psy__asm_accept(a, '?')) {
        f->flags |= f->kind == PSY_FIELD_ARRAY ? PSY_FIELD_IS_ARRAY : 0;
        f->kind = PSY_FIELD_OPTIONAL;
    }
}

/* Takes the end: ';', of a part '{'. */
static void parse_attributes(psy__asm *a, psy_psm_field *f, char end)
{
    while (psy__asm_ok(a) && !psy__asm_accept(a, end)) {
        if (psy__asm_accept(a, '=')) {
            if (!psy__literal_read(&a->token, f->dtype, &f->default_bits)) {
                psy__asm_unexpected(a, "a value of the field's dtype");
            }
            psy__asm_advance(a);
        } else {
            psy__asm_expect(a, '@');
            if (psy__asm_accept_word(a, "key")) {
                f->flags |= PSY_FIELD_KEY;
            } else if (psy__asm_accept_word(a, "since")) {
                psy__asm_expect(a, '(');
                f->since = (uint32_t)psy__asm_integer(a, UINT16_MAX, "a version");
                psy__asm_expect(a, ')');
            } else {
                psy__asm_unexpected(a, "key or since");
            }
        }
    }
}

/* key: u64 = 7 @key @since(2);  q: part { q.x: f32; } */
static void parse_field(body *b, uint32_t parent, uint32_t depth)
{
    psy__asm *a = b->a;
    const psy__token where = a->token;
    uint64_t index = a->fields.count - b->first_field;
    psy_psm_field f = {
        .name = psy__asm_define(a, PSY_ASM_FIELD, b->type, index, "field"), .since = 1, .inner = 1, .parent = parent, .type = PSY_NONE};
    psy__asm_expect(a, ':');
    parse_field_type(a, &f);
    parse_attributes(a, &f, f.kind == PSY_FIELD_PART ? '{' : ';');
    psy_psm_field *to = psy__asm_add(a, &a->fields, sizeof f, FIELDS_MAX, "fields");
    if (!to) {
        return;
    }
    *to = f;
    if (f.kind == PSY_FIELD_PART && depth == PSY_MESSAGE_DEPTH_MAX) {
        psy__asm_fail(a, &where, "parts over %d deep", PSY_MESSAGE_DEPTH_MAX);
    }
    while (f.kind == PSY_FIELD_PART && psy__asm_ok(a) && !psy__asm_accept(a, '}')) {
        parse_field(b, (uint32_t)index, depth + 1);
    }
}

void psy__asm_type(psy__asm *a)
{
    const psy__token where = a->token;
    body b = {a, (uint32_t)a->types.count, (uint32_t)a->fields.count};
    psy_psm_type t = {.name = psy__asm_define(a, PSY_ASM_TYPE, 0, b.type, "type"), .first_field = b.first_field};
    psy_psm_type *to = psy__asm_add(a, &a->types, sizeof t, TYPES_MAX, "types");
    if (!to) {
        return;
    }
    *to = t;
    psy__asm_expect(a, '{');
    while (psy__asm_ok(a) && !psy__asm_accept(a, '}')) {
        parse_field(&b, PSY_NONE, 0);
    }
    if (psy__asm_ok(a)) {
        to->field_count = (uint32_t)a->fields.count - t.first_field;
        psy_psm_field *first = a->fields.at; /* NULL: there are none yet */
        if (psy__layout(a->strings.bytes, a->types.at, b.type, to, first ? first + t.first_field : NULL) != PSY_OK) {
            psy__asm_fail(a, &where, "%s", psy_detail());
        }
    }
}
