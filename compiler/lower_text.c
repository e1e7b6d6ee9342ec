/* SPDX-License-Identifier: Apache-2.0 */
/* Texts: UTF-8 of at most so many bytes. Such a term has rows of bytes (`value`, whose last axis is a text's room) and their
 * lengths (`other`), or ends where the first 0 is: that is how resident texts lie. What is behind a text's end is never looked
 * at. */
#include <string.h>

#include "call.h"
#include "isa/layout.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

static psy_dim room_of(const psc_term *t) { return t->value->dims[t->value->rank - 1]; }

psc_term psc_text_term(psc_value *bytes, psc_value *lengths, psc_span span)
{
    return bytes ? (psc_term){.kind = PSC_TERM_TEXT, .span = span, .value = bytes, .other = lengths} : psc_poison(span);
}

const char *psc_text_type(psc_lowering *l, const psc_term *t)
{
    psc_arena *arena = l->unit->arena;
    const psc_value *v = t->value;
    const char *text = psc_format(arena, "string[<=%s]", psc_dim_text(l->unit, room_of(t)));
    for (uint32_t d = 0; d + 1 < v->rank; d++) {
        text = psc_format(arena, "%s%s%s%s", text, d ? ", " : "[", v->length && d == v->length_axis ? "<=" : "",
                          psc_dim_text(l->unit, v->dims[d]));
    }
    return v->rank > 1 ? psc_format(arena, "%s]", text) : text;
}

/* ---- where texts come from ---- */

static psc_value *emit_u32(psc_lowering *l, psc_span span, uint32_t x)
{
    psc_value *v = psc_emit(l, span, PSY_OP_CONST, PSY_U32, NULL, 0, NULL, 0);
    if (v) {
        v->bits = x;
    }
    return v;
}

psc_term psc_text_literal(psc_lowering *l, psc_span span, const char *text)
{
    psc_unit *u = l->unit;
    size_t n = strlen(text), i = 0;
    psy_dim room = n ? (psy_dim)n : 1;
    const char *name = psc_format(u->arena, "\"%s\"", text); /* no name of a param */
    while (i < u->params.count && strcmp(u->params.at[i].node->name.text, name) != 0) {
        i++;
    }
    if (i == u->params.count) {
        hrm_param *node = psc_new(u->arena, hrm_param);
        node->name = (psc_name){name, span, NULL};
        psc_param p = {
            .node = node, .dtype = PSY_U8, .rank = 1, .dims = {room}, .bytes = room, .offset = PSY_NONE, .used = true};
        p.data = (const uint8_t *)psc_strndup(u->arena, text, n);
        psc_push(u->arena, &u->params, p);
    }
    psc_value *bytes = psc_emit(l, span, PSY_OP_CONST, PSY_U8, &room, 1, NULL, 0);
    if (bytes) {
        bytes->index = (uint32_t)i;
    }
    return psc_text_term(bytes, emit_u32(l, span, (uint32_t)n), span);
}

/* What the message says, cut to the room. */
static psc_value *cut(psc_lowering *l, psc_span span, psc_value *said, uint32_t most)
{
    return psc_emit_map2(l, span, PSY_OP_MIN, said, emit_u32(l, span, most));
}

psc_term psc_text_load(psc_lowering *l, psc_span span, uint32_t index, const psc_field *f)
{
    bool several = psy__field_is_texts(&f->layout), bounded = f->layout.kind == PSY_FIELD_BOUNDED;
    psy_dim dims[2] = {f->layout.count, f->layout.inner};
    psc_value *bytes = psc_emit(l, span, PSY_OP_LOAD, PSY_U8, dims, several ? 2 : 1, NULL, 0);
    psc_value *lengths = several ? psc_emit(l, span, PSY_OP_LENGTHS, PSY_U32, dims, 1, NULL, 0) : NULL;
    psc_value *count = bounded ? psc_emit(l, span, PSY_OP_COUNT, PSY_U32, NULL, 0, NULL, 0) : NULL;
    psc_value *const made[] = {bytes, lengths, count};
    for (unsigned i = 0; i < 3; i++) {
        if (made[i]) {
            made[i]->index = index;
            made[i]->name = f->name;
        }
    }
    lengths = cut(l, span, several ? lengths : count, several ? f->layout.inner : f->layout.count);
    if (!bytes || !lengths || (bounded && !count)) {
        return psc_poison(span);
    }
    return several && bounded ? psc_text_term(psc_with_length(l, bytes, count, 0), psc_with_length(l, lengths, count, 0), span)
                              : psc_text_term(bytes, lengths, span);
}

/* ---- what is done with them ---- */

/* Bytes of each text, u32. */
psc_value *psc_text_lengths(psc_lowering *l, psc_span span, const psc_term *t)
{
    psy_dim room = room_of(t);
    if (t->other) {
        return t->other;
    }
    psc_value *bytes = psc_emit_cast(l, span, PSY_U32, t->value),
              *place = psc_emit(l, span, PSY_OP_IOTA, PSY_U32, &room, 1, NULL, 0);
    psc_value *all[3] = {psc_emit_map2(l, span, PSY_OP_EQ, bytes, emit_u32(l, span, 0)), place,
                         psc_emit_size(l, span, PSY_U32, room)};
    psc_value *ends = psc_emit_map(l, span, PSY_OP_CHOOSE, all, 3);
    return ends ? psc_emit_reduce(l, span, PSY_OP_RMIN, ends, ends->rank - 1u) : NULL;
}

/* The first bytes of each text. */
static psc_value *first_bytes(psc_lowering *l, psc_span span, const psc_term *t, psy_dim count)
{
    return psc_emit_cast(l, span, PSY_U32, psc_shape_slice(l, span, t->value, t->value->rank - 1u, 0, count, 1));
}

static psc_value *equal(psc_lowering *l, psc_span span, const psc_term *a, const psc_term *b)
{
    psy_dim room = room_of(a) < room_of(b) ? room_of(a) : room_of(b);
    psc_value *x = psc_text_lengths(l, span, a), *y = psc_text_lengths(l, span, b);
    psc_value *place = psc_emit(l, span, PSY_OP_IOTA, PSY_U32, &room, 1, NULL, 0);
    psc_value *behind = psc_emit_map2(l, span, PSY_OP_LE, x ? psc_shape_insert(l, span, x, x->rank) : NULL, place);
    psc_value *same = psc_emit_map2(l, span, PSY_OP_EQ, first_bytes(l, span, a, room), first_bytes(l, span, b, room));
    same = psc_emit_map2(l, span, PSY_OP_OR, behind, same);
    same = same ? psc_emit_reduce(l, span, PSY_OP_ALL, same, same->rank - 1u) : NULL;
    return psc_emit_map2(l, span, PSY_OP_AND, psc_emit_map2(l, span, PSY_OP_EQ, x, y), same);
}

/* Both sides of an operation are texts, or the other side is told so. */
static bool are_texts(psc_lowering *l, const psc_term *a, const psc_term *b)
{
    const psc_term *const sides[] = {a, b};
    for (unsigned i = 0; i < 2; i++) {
        if (sides[i]->kind == PSC_TERM_POISON) {
            return false;
        }
        if (sides[i]->kind != PSC_TERM_TEXT) {
            psc_note(ERROR(PSC_E_TYPE, sides[i]->span, "a text meets what is none"), sides[1 - i]->span, "this is %s",
                     psc_text_type(l, sides[1 - i]));
            return false;
        }
    }
    return true;
}

psc_term psc_text_compare(psc_lowering *l, psc_span span, int op, const psc_term *a, const psc_term *b)
{
    if (op != HRM_EQ && op != HRM_NE) {
        psc_help(ERROR(PSC_E_TYPE, span, "texts are compared with `==` and `!=`, and nothing is computed of them"),
                 "`length(t)` is a number");
        return psc_poison(span);
    }
    psc_value *same = are_texts(l, a, b) ? equal(l, span, a, b) : NULL;
    return psc_of_value(op == HRM_NE ? psc_emit_map1(l, span, PSY_OP_NOT, same) : same, span);
}

/* With zeros behind, up to the room. */
static psc_value *longer(psc_lowering *l, psc_span span, psc_value *v, psy_dim room)
{
    psy_dim dims[PSY_RANK_MAX];
    if (!v || v->dims[v->rank - 1] == room) {
        return v;
    }
    memcpy(dims, v->dims, sizeof dims);
    dims[v->rank - 1] = room - v->dims[v->rank - 1];
    psc_value *zero = psc_emit(l, span, PSY_OP_CONST, PSY_U8, NULL, 0, NULL, 0);
    psc_value *parts[2] = {psc_bare(v), zero ? psc_emit(l, span, PSY_OP_REPEAT, PSY_U8, dims, v->rank, &zero, 1) : NULL};
    psc_value *all = parts[1] ? psc_shape_join(l, span, parts, 2, v->rank - 1u) : NULL;
    return all ? psc_like_length(l, all, v, v->length_axis) : NULL;
}

psc_term psc_text_choose(psc_lowering *l, psc_span span, psc_value *condition, const psc_term *a, const psc_term *b)
{
    if (!are_texts(l, a, b)) {
        return psc_poison(span);
    }
    psy_dim room = room_of(a) > room_of(b) ? room_of(a) : room_of(b);
    psc_value *all[3] = {condition->rank ? psc_shape_insert(l, span, condition, condition->rank) : condition,
                         longer(l, span, a->value, room), longer(l, span, b->value, room)};
    psc_value *bytes = psc_emit_map(l, span, PSY_OP_CHOOSE, all, 3), *lengths = NULL;
    if (a->other || b->other) {
        psc_value *both[3] = {condition, psc_text_lengths(l, span, a), psc_text_lengths(l, span, b)};
        lengths = psc_emit_map(l, span, PSY_OP_CHOOSE, both, 3);
        bytes = lengths ? bytes : NULL;
    }
    return psc_text_term(bytes, lengths, span);
}

psc_term psc_text_index(psc_lowering *l, const hrm_expr *e, const psc_term *t)
{
    if (e->indices.count + 1 > t->value->rank) {
        psc_note(ERROR(PSC_E_SHAPE, e->span, "%zu place%s where texts have %u ax%s: a text is taken whole", e->indices.count,
                       e->indices.count == 1 ? "" : "s", t->value->rank - 1u, t->value->rank == 2 ? "is" : "es"),
                 t->span, "this is %s", psc_text_type(l, t));
        return psc_poison(e->span);
    }
    if (t->value->length && !e->indices.at[0].part) {
        psc_help(ERROR(PSC_E_SHAPE, e->span, "a message may have fewer texts than this takes"),
                 "say what stands for those that are not there: `fill(t, \"\")`");
        return psc_poison(e->span);
    }
    psc_term bytes = psc_of_value(t->value, t->span), lengths = psc_of_value(t->other, t->span);
    bytes = psc_lower_indices(l, e, &bytes);
    if (bytes.kind != PSC_TERM_VALUE || !t->other) {
        return bytes.kind == PSC_TERM_VALUE ? psc_text_term(bytes.value, NULL, e->span) : psc_poison(e->span);
    }
    lengths = psc_lower_indices(l, e, &lengths);
    return lengths.kind == PSC_TERM_VALUE ? psc_text_term(bytes.value, lengths.value, e->span) : psc_poison(e->span);
}

void psc_text_refuse(psc_lowering *l, const psc_term *t)
{
    psc_help(ERROR(PSC_E_TYPE, t->span, "this is %s, and a number or truth value is needed", psc_text_type(l, t)),
             "texts are compared with `==` and `!=`, chosen, read at positions and stored; `length(t)` is a number");
}

/* ---- stored ---- */

static psc_value *put(psc_lowering *l, const psc_field *f, uint32_t index, psc_span span, unsigned op, psc_value *v,
                      psc_value *length)
{
    psc_value *s = psc_emit(l, span, op, v->dtype, NULL, 0, (psc_value *[]){v, length}, op == PSY_OP_STORE ? 2 : 1);
    if (s) {
        s->index = index;
        s->name = f->name;
    }
    return s;
}

void psc_text_store(psc_lowering *l, uint32_t index, const psc_term *t)
{
    const psc_field *f = &l->pipeline->output->fields[index];
    bool several = psy__field_is_texts(&f->layout), bounded = f->layout.kind == PSY_FIELD_BOUNDED;
    uint32_t room = several ? f->layout.inner : f->layout.count;
    if (t->kind == PSC_TERM_POISON) {
        return;
    }
    bool sized = t->kind == PSC_TERM_TEXT && several && t->value->rank == 2 && !psy__dim_is_symbol(t->value->dims[0]);
    bool fits = t->kind == PSC_TERM_TEXT && room_of(t) <= room &&
                (!several ? t->value->rank == 1
                          : sized && (bounded ? t->value->dims[0] <= f->layout.count
                                              : t->value->dims[0] == f->layout.count && !t->value->length));
    if (!fits) {
        bool spread = t->kind == PSC_TERM_TEXT && psc_ir_sharded_axis(t->value, l->unit->symbols.at) >= 0;
        const char *what = t->kind == PSC_TERM_TEXT    ? psc_text_type(l, t)
                           : t->kind == PSC_TERM_VALUE ? psc_type_text(l, t->value)
                                                       : "no text";
        psc_diagnostic *d =
            ERROR(spread                     ? PSC_E_SPLIT
                  : t->kind == PSC_TERM_TEXT ? PSC_E_SHAPE
                                             : PSC_E_TYPE,
                  t->span, "field `%s` is %s, and this is %s", f->name, psc_field_type_text(l->unit->arena, f), what);
        psc_note(d, f->span, "the field is declared here");
        if (spread) {
            psc_help(d, "take those that `topk` found: `let (score, index) = topk(...)` and `texts[index]`");
        }
        return;
    }
    psc_value *lengths = psc_text_lengths(l, t->span, t), *bytes = several ? longer(l, t->span, t->value, room) : t->value;
    if (lengths && bytes && put(l, f, index, t->span, PSY_OP_STORE, bytes, several ? bytes->length : lengths) && several) {
        put(l, f, index, t->span, PSY_OP_STORE_LENGTHS, lengths, NULL);
    }
}
