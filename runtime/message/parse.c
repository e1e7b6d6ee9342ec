/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from JSON: the text is indexed, then the fields of the type are written in their order, which is that of the tail.
 */
#include <psyne/json.h>

#include <inttypes.h>
#include <string.h>

#include <psyne/builder.h>

#include "message/frame.h"
#include "message/number.h"
#include "message/text.h"

typedef struct parser {
    psy__json json;
    psy_builder b;
    const char *type;
} parser;

#define whole(p) ((p)->b.memory)
#define refuse(p, where, f, i, element, ...)                                                                                   \
    psy__json_refuse(&(p)->json, where, psy__frame_path(f, i, element, (char[PSY_PATH_BYTES]){""}), __VA_ARGS__)

static psy_status fill_object(parser *p, const psy__frame *f, uint32_t node);

/* The builder has failed, for want of room: fields come in their order. */
static psy_status no_room(const parser *p)
{
    return psy_fail(p->b.status, "%s: it does not fit into %u bytes", p->type, p->b.room);
}

/* ---- numbers ---- */

/* The value that the text at `at` names; false: none. */
static bool named(const parser *p, const psy_reflection *r, const psy_psm_type *names, uint32_t at, uint64_t *bits)
{
    for (uint32_t i = 0; i < names->field_count; i++) {
        const psy_psm_field *value = &r->fields[names->first_field + i];
        if (psy__json_text_is(&p->json, at, psy_reflect_string(r, value->name))) {
            *bits = value->default_bits;
            return true;
        }
    }
    return false;
}

/* One number, or the name of one, that starts at `at`. */
static psy_status read_number(parser *p, const psy__frame *f, uint32_t i, uint32_t element, uint32_t at, unsigned dtype,
                              const psy_psm_type *names, void *to)
{
    const psy__json *j = &p->json;
    const psy__json_kind kind = psy__json_kind_at(j, at);
    const bool quoted = kind == PSY_JSON_TEXT;
    uint64_t bits;
    if (names && quoted) {
        if (!named(p, f->reflection, names, at, &bits)) {
            return refuse(p, at, f, i, element, "%s has no such value", psy_reflect_string(f->reflection, names->name));
        }
        memcpy(to, &bits, psy_dtype_bytes(dtype));
        return PSY_OK;
    }
    const uint32_t end = kind == PSY_JSON_ARRAY || kind == PSY_JSON_OBJECT ? at : psy__json_end(j, at);
    const char *wanted = psy__number_read(j->text + at + quoted, end - at - (quoted ? 2u : 0), quoted, dtype, to);
    return wanted ? refuse(p, at, f, i, element, "%s%s was expected", names ? "a name, or " : "", wanted) : PSY_OK;
}

/* An array of names and numbers, which are joined. */
static psy_status read_flags(parser *p, const psy__frame *f, uint32_t i, uint32_t element, const psy__json_node *array,
                             const psy_psm_type *names, void *to)
{
    const unsigned bytes = psy_dtype_bytes(names->dtype);
    uint64_t all = 0;
    psy_status status = PSY_OK;
    uint32_t at = psy__json_first(&p->json, array);
    for (uint32_t k = 0; k < array->count && status == PSY_OK; k++) {
        uint64_t one = 0;
        status = read_number(p, f, i, element, at, names->dtype, names, &one);
        all |= one;
        at = status == PSY_OK ? psy__json_behind(&p->json, at) : at;
    }
    memcpy(to, &all, bytes);
    return status;
}

static bool is_flags(const psy_psm_type *names) { return names && names->kind == PSY_TYPE_FLAGS; }

/* One value of field `i`. */
static psy_status fill_number(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *node, void *to)
{
    const psy_psm_type *names = psy__field_type(f, i);
    if (is_flags(names) && node->kind == PSY_JSON_ARRAY) {
        return read_flags(p, f, i, PSY_NONE, node, names, to);
    }
    return is_flags(names) && node->kind != PSY_JSON_NUMBER
               ? refuse(p, node->begin, f, i, PSY_NONE, "an array of names was expected")
               : read_number(p, f, i, PSY_NONE, node->begin, f->fields[i].dtype, names, to);
}

/* All elements of an array, to `to`, where there is room for them. Of flags each is an array. */
static psy_status fill_numbers(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *array, unsigned dtype,
                               const psy_psm_type *names, unsigned char *to)
{
    const psy__json *j = &p->json;
    const unsigned bytes = psy_dtype_bytes(dtype);
    psy_status status = PSY_OK;
    uint32_t at = psy__json_first(j, array), child = array->child;
    for (uint32_t k = 0; k < array->count && status == PSY_OK; k++, to += bytes) {
        if (is_flags(names) && child != PSY_NONE && j->nodes[child].begin == at && j->nodes[child].kind == PSY_JSON_ARRAY) {
            status = read_flags(p, f, i, k, &j->nodes[child], names, to);
            at = psy__json_past(j, j->nodes[child].end);
            child = j->nodes[child].next;
        } else {
            status = read_number(p, f, i, k, at, dtype, names, to);
            at = status == PSY_OK ? psy__json_behind(j, at) : at;
        }
    }
    return status;
}

/* ---- texts ---- */

static psy_status fill_text(parser *p, const psy__frame *f, uint32_t i, uint32_t element, uint32_t at, uint32_t most,
                            uint32_t place, uint32_t length_place)
{
    if (psy__json_kind_at(&p->json, at) != PSY_JSON_TEXT) {
        return refuse(p, at, f, i, element, "a text was expected");
    }
    const uint32_t n = psy__json_text_bytes(&p->json, at);
    if (n > most) {
        return refuse(p, at, f, i, element, "%u bytes, at most %u", n, most);
    }
    psy__json_text_copy(&p->json, at, whole(p) + place);
    memcpy(whole(p) + length_place, &n, sizeof n);
    return PSY_OK;
}

static psy_status fill_tail_text(parser *p, const psy__frame *f, uint32_t i, uint32_t element, uint32_t at, psy_tail *t,
                                 uint32_t align, bool maybe)
{
    if (psy__json_kind_at(&p->json, at) != PSY_JSON_TEXT) {
        return refuse(p, at, f, i, element, "a text was expected");
    }
    const unsigned char *message = whole(p) + f->message;
    const uint32_t n = psy__json_text_bytes(&p->json, at);
    if (n == 0) {
        return psy_builder_text(&p->b, message, t, "", 0, align, maybe) ? PSY_OK : no_room(p);
    }
    unsigned char *to = psy_builder_claim(&p->b, message, t, n, 1, align);
    if (!to) {
        return no_room(p);
    }
    psy__json_text_copy(&p->json, at, to);
    return PSY_OK;
}

/* ---- arrays ---- */

/* Messages or structs from `place` on; those that are messages are started here. */
static psy_status fill_items(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *array, uint32_t place)
{
    psy_status status = PSY_OK;
    uint32_t child = array->child, k = 0;
    for (; child != PSY_NONE && p->json.nodes[child].kind == PSY_JSON_OBJECT; child = p->json.nodes[child].next) {
        const psy__frame item = psy__frame_item(f, i, place, k++);
        memset(whole(p) + item.origin, 0, item.type->bytes);
        psy__frame_init(&item, whole(p));
    }
    if (k != array->count) {
        return refuse(p, child == PSY_NONE ? array->begin : p->json.nodes[child].begin, f, i, PSY_NONE,
                      "an array of objects was expected");
    }
    k = 0;
    for (child = array->child; child != PSY_NONE && status == PSY_OK; child = p->json.nodes[child].next) {
        const psy__frame item = psy__frame_item(f, i, place, k++);
        status = fill_object(p, &item, child);
    }
    return status;
}

static bool is_array(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *node, psy_status *status)
{
    *status = node->kind == PSY_JSON_ARRAY ? PSY_OK : refuse(p, node->begin, f, i, PSY_NONE, "an array was expected");
    return *status == PSY_OK;
}

/* ARRAY, BOUNDED and OPTIONAL T[N]. */
static psy_status fill_array(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *node)
{
    const psy_psm_field *field = &f->fields[i];
    const uint32_t place = f->origin + field->offset, count = node->count;
    psy_status status;
    if (!is_array(p, f, i, node, &status)) {
        return status;
    }
    if (field->kind == PSY_FIELD_BOUNDED ? count > field->count : count != field->count) {
        return refuse(p, node->begin, f, i, PSY_NONE, "%u element%s, %s %u", count, count == 1 ? "" : "s",
                      field->kind == PSY_FIELD_BOUNDED ? "at most" : "and it has", field->count);
    }
    if (field->kind == PSY_FIELD_BOUNDED) {
        memcpy(whole(p) + f->origin + field->count_offset, &count, sizeof count);
    }
    if (field->flags & PSY_FIELD_ITEMS) {
        return fill_items(p, f, i, node, place);
    }
    if (!psy__field_is_texts(field)) {
        return fill_numbers(p, f, i, node, field->dtype, psy__field_type(f, i), whole(p) + place);
    }
    uint32_t at = psy__json_first(&p->json, node);
    for (uint32_t k = 0; k < count && status == PSY_OK; k++) {
        status = fill_text(p, f, i, k, at, field->inner, place + k * field->inner, f->origin + field->inner_offset + 4 * k);
        at = status == PSY_OK ? psy__json_behind(&p->json, at) : at;
    }
    return status;
}

static psy_status fill_tail(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *node)
{
    const psy_psm_field *field = &f->fields[i];
    const unsigned char *message = whole(p) + f->message;
    psy_tail *t = (psy_tail *)(void *)(whole(p) + f->origin + field->offset);
    const uint32_t count = node->count, size = psy__tail_size(f, i);
    const uint32_t align = psy__tail_align(f, i, (uint64_t)count * size);
    const bool text = (field->flags & PSY_FIELD_TEXT) != 0;
    psy_status status;
    if (text && !(field->flags & PSY_FIELD_IS_ARRAY)) {
        return fill_tail_text(p, f, i, PSY_NONE, node->begin, t, align, (field->flags & PSY_FIELD_MAYBE) != 0);
    }
    if (!is_array(p, f, i, node, &status)) {
        return status;
    }
    if (text) {
        uint32_t at = psy__json_first(&p->json, node);
        status = psy_builder_texts(&p->b, message, t, count, align) ? PSY_OK : no_room(p);
        for (uint32_t k = 0; k < count && status == PSY_OK; k++) {
            psy_tail *one = (psy_tail *)(void *)(whole(p) + f->message + t->offset) + k;
            status = fill_tail_text(p, f, i, k, at, one, 1, false);
            at = status == PSY_OK ? psy__json_behind(&p->json, at) : at;
        }
        return status;
    }
    if (field->flags & PSY_FIELD_ITEMS) {
        const psy_psm_type *of = psy__field_type(f, i);
        unsigned char *to = of->flags & PSY_TYPE_TAILED ? psy_builder_claim_items(&p->b, message, t, count, size)
                                                        : psy_builder_claim(&p->b, message, t, count, size, align);
        return to ? fill_items(p, f, i, node, (uint32_t)(to - whole(p))) : no_room(p);
    }
    unsigned char *to = psy_builder_claim(&p->b, message, t, count, size, align);
    return to ? fill_numbers(p, f, i, node, field->dtype, psy__field_type(f, i), to) : no_room(p);
}

/* ---- unions and variants ---- */

static psy_status fill_field(parser *p, const psy__frame *f, uint32_t i, uint32_t node);

static psy_status fill_union(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *node)
{
    psy__frame member;
    if (node->kind != PSY_JSON_OBJECT || node->count != 1) {
        return refuse(p, node->begin, f, i, PSY_NONE, "an object with one key was expected, which says what it is");
    }
    const psy__json_node *value = &p->json.nodes[node->child];
    for (uint32_t tag = 1; psy__frame_member(f, i, tag, &member); tag++) {
        if (psy__json_text_is(&p->json, value->key, psy__frame_key(&member, member.first)) &&
            !(member.fields[member.first].flags & PSY_FIELD_RETIRED)) {
            whole(p)[f->origin + f->fields[i].count_offset] = (unsigned char)tag;
            psy__field_init(&member, member.first, whole(p));
            return value->kind == PSY_JSON_NULL ? PSY_OK : fill_field(p, &member, member.first, node->child);
        }
    }
    return refuse(p, value->key, f, i, PSY_NONE, "it has no such member");
}

/* What "dtype", "shape" and "data" are; false: something is missing, or is too much. */
static bool variant_members(const parser *p, const psy__json_node *node, const psy__json_node *of[3])
{
    static const char *const keys[] = {"dtype", "shape", "data"};
    static const psy__json_kind kinds[] = {PSY_JSON_TEXT, PSY_JSON_ARRAY, PSY_JSON_ARRAY};
    of[0] = of[1] = of[2] = NULL;
    for (uint32_t child = node->child; child != PSY_NONE; child = p->json.nodes[child].next) {
        const psy__json_node *value = &p->json.nodes[child];
        size_t k = 0;
        while (k < 3 && !psy__json_text_is(&p->json, value->key, keys[k])) {
            k++;
        }
        if (k == 3 || of[k] || value->kind != kinds[k]) {
            return false;
        }
        of[k] = value;
    }
    return of[0] && of[1] && of[2];
}

static psy_status fill_variant(parser *p, const psy__frame *f, uint32_t i, const psy__json_node *node)
{
    const psy_psm_field *field = &f->fields[i];
    const psy__json_node *of[3];
    uint32_t dims[PSY_VARIANT_RANK_MAX];
    psy_variant_view v;
    if (node->kind != PSY_JSON_OBJECT || !variant_members(p, node, of)) {
        return refuse(p, node->begin, f, i, PSY_NONE,
                      "{\"dtype\": \"f32\", \"shape\": [2, 3], \"data\": [...]} was expected, of any type and shape");
    }
    const unsigned dtype = psy__dtype_named(p->json.text + of[0]->begin + 1, of[0]->end - of[0]->begin - 2);
    if (dtype == 0) {
        return refuse(p, of[0]->begin, f, i, PSY_NONE, "there is no such type of elements");
    }
    if (of[1]->count > PSY_VARIANT_RANK_MAX) {
        return refuse(p, of[1]->begin, f, i, PSY_NONE, "%u axes, at most %d", of[1]->count, PSY_VARIANT_RANK_MAX);
    }
    psy_status status = fill_numbers(p, f, i, of[1], PSY_U32, NULL, (unsigned char *)dims);
    if (status != PSY_OK) {
        return status;
    }
    const bool open = (field->flags & PSY_FIELD_OPEN) != 0;
    const uint32_t most = open ? (uint32_t)PSY_MESSAGE_BYTES_MAX : field->count;
    if (psy_variant_view_init(&v, NULL, most, dtype, of[1]->count, dims) != PSY_OK) {
        return refuse(p, of[1]->begin, f, i, PSY_NONE, "this shape has more than %u bytes", most);
    }
    if (psy_variant_count(&v) != of[2]->count) {
        return refuse(p, of[2]->begin, f, i, PSY_NONE, "%u elements, and the shape has %" PRIu64, of[2]->count,
                      psy_variant_count(&v));
    }
    psy_variant_head *head = (psy_variant_head *)(void *)(whole(p) + f->origin + field->count_offset);
    unsigned char *to = whole(p) + f->origin + field->offset;
    if (open) {
        to = psy_builder_variant(&p->b, whole(p) + f->message, head, (uint32_t *)(void *)to, dtype, v.rank, dims);
    } else if (psy_variant_describe(head, field->count, dtype, v.rank, dims) != PSY_OK) {
        to = NULL;
    }
    return to ? fill_numbers(p, f, i, of[2], dtype, NULL, to) : no_room(p);
}

/* ---- objects ---- */

static psy_status fill_optional(parser *p, const psy__frame *f, uint32_t i, uint32_t node)
{
    const psy_psm_field *field = &f->fields[i];
    const uint32_t place = f->origin + field->offset;
    const psy__json_node *value = &p->json.nodes[node];
    whole(p)[f->origin + field->count_offset] = 1;
    if (field->flags & PSY_FIELD_ITEMS) {
        const psy__frame item = psy__frame_item(f, i, place, PSY_NONE);
        psy__frame_init(&item, whole(p));
        return fill_object(p, &item, node);
    }
    return field->flags & PSY_FIELD_TEXT
               ? fill_text(p, f, i, PSY_NONE, value->begin, field->count, place, f->origin + field->inner_offset)
           : field->flags & PSY_FIELD_IS_ARRAY ? fill_array(p, f, i, value)
                                               : fill_number(p, f, i, value, whole(p) + place);
}

static psy_status fill_field(parser *p, const psy__frame *f, uint32_t i, uint32_t node)
{
    const psy_psm_field *field = &f->fields[i];
    const psy__json_node *value = &p->json.nodes[node];
    const uint32_t place = f->origin + field->offset;
    psy__frame part;
    switch (field->kind) {
    case PSY_FIELD_SCALAR: return fill_number(p, f, i, value, whole(p) + place);
    case PSY_FIELD_ARRAY: return fill_array(p, f, i, value);
    case PSY_FIELD_BOUNDED:
        return (field->flags & PSY_FIELD_TEXT) && !(field->flags & PSY_FIELD_IS_ARRAY)
                   ? fill_text(p, f, i, PSY_NONE, value->begin, field->count, place, f->origin + field->count_offset)
                   : fill_array(p, f, i, value);
    case PSY_FIELD_OPTIONAL: return fill_optional(p, f, i, node);
    case PSY_FIELD_PART:
    case PSY_FIELD_STRUCT: part = psy__frame_part(f, i); return fill_object(p, &part, node);
    case PSY_FIELD_VARIANT: return fill_variant(p, f, i, value);
    case PSY_FIELD_UNION: return fill_union(p, f, i, value);
    default: return fill_tail(p, f, i, value);
    }
}

/* The field that the key names, of those of the frame: looked for from `*next` on, around; PSY_NONE. */
static uint32_t field_named(const parser *p, const psy__frame *f, uint32_t key, uint32_t *next)
{
    uint32_t i = *next < f->end ? *next : f->first;
    for (uint32_t start = i, seen = 0; f->first < f->end && !(seen && i == start); seen = 1) {
        if (psy__json_text_is(&p->json, key, psy__frame_key(f, i))) {
            *next = psy__frame_next(f, i);
            return i;
        }
        i = psy__frame_next(f, i);
        i = i < f->end ? i : f->first;
    }
    return PSY_NONE;
}

/* Puts member `child` among those before it, by the places of their fields; false: there is one for its field. */
static bool insert(parser *p, uint32_t *first, uint32_t *last, uint32_t child)
{
    psy__json_node *nodes = p->json.nodes;
    const uint32_t field = nodes[child].field;
    if (*last == PSY_NONE || nodes[*last].field < field) {
        *(*last == PSY_NONE ? first : &nodes[*last].next) = child;
        nodes[child].next = PSY_NONE;
        *last = child;
        return true;
    }
    uint32_t *at = first;
    while (nodes[*at].field < field) {
        at = &nodes[*at].next;
    }
    if (nodes[*at].field == field) {
        return false;
    }
    nodes[child].next = *at;
    *at = child;
    return true;
}

/* Finds what each key of the object is for, and puts its members into the order of the fields. */
static psy_status match_keys(parser *p, const psy__frame *f, psy__json_node *object)
{
    const psy__json *j = &p->json;
    uint32_t next_field = f->first, first = PSY_NONE, last = PSY_NONE, next;
    for (uint32_t child = object->child; child != PSY_NONE; child = next) {
        psy__json_node *value = &j->nodes[child];
        next = value->next;
        value->field = field_named(p, f, value->key, &next_field);
        if (value->field == PSY_NONE) {
            const int n = (int)(psy__json_end(j, value->key) - value->key);
            return refuse(p, value->key, f, PSY_NONE, PSY_NONE, "there is no field %.*s", n < 80 ? n : 80,
                          j->text + value->key);
        }
        if (f->fields[value->field].flags & PSY_FIELD_RETIRED) {
            return refuse(p, value->key, f, value->field, PSY_NONE, "the field is retired");
        }
        if (!insert(p, &first, &last, child)) {
            return refuse(p, value->key, f, value->field, PSY_NONE, "the key is there twice");
        }
    }
    object->child = first;
    return PSY_OK;
}

static psy_status fill_object(parser *p, const psy__frame *f, uint32_t node)
{
    psy__json_node *object = &p->json.nodes[node];
    if (object->kind != PSY_JSON_OBJECT) {
        return refuse(p, object->begin, f, PSY_NONE, PSY_NONE, "an object was expected");
    }
    psy_status status = match_keys(p, f, object);
    for (uint32_t child = object->child; child != PSY_NONE && status == PSY_OK; child = p->json.nodes[child].next) {
        if (p->json.nodes[child].kind != PSY_JSON_NULL) {
            status = fill_field(p, f, p->json.nodes[child].field, child);
        }
    }
    return status;
}

/* ---- messages ---- */

psy_status psy_message_parse_next(const psy_type *type, const char *text, size_t n, size_t *at, void *to, size_t room,
                                  size_t *size)
{
    psy__frame f;
    *size = 0;
    if (n > PSY_MESSAGE_BYTES_MAX || *at > n) {
        return psy_fail(*at > n ? PSY_INVALID : PSY_TOO_LARGE, "a text of %zu bytes, at most %u; from byte %zu on", n,
                        PSY_MESSAGE_BYTES_MAX, *at);
    }
    psy_status status = psy_message_init(type, to, room);
    status = status == PSY_OK ? psy__frame_of(type, &f) : status;
    if (status != PSY_OK) {
        return status;
    }
    parser p = {.json = {.text = text, .n = (uint32_t)n, .at = (uint32_t)*at}, .type = type->name};
    if (!psy_builder_init(&p.b, to, room, f.type->bytes)) {
        return no_room(&p);
    }
    status = psy__json_read(&p.json);
    if (status == PSY_OK) {
        status = fill_object(&p, &f, 0);
        *at = p.json.at;
    }
    psy__json_free(&p.json);
    if (status == PSY_OK) {
        *size = psy_builder_finish(&p.b);
        status = *size ? PSY_OK : no_room(&p);
    }
    return status;
}

psy_status psy_message_parse(const psy_type *type, const char *text, size_t n, void *to, size_t room, size_t *size)
{
    size_t at = 0;
    psy_status status = psy_message_parse_next(type, text, n, &at, to, room, size);
    while (status == PSY_OK && at < n && text[at] && strchr(" \t\r\n", text[at])) {
        at++;
    }
    if (status == PSY_NOT_FOUND || (status == PSY_OK && at < n)) {
        const psy__json j = {.text = text, .n = (uint32_t)n};
        *size = 0;
        status = psy__json_refuse(&j, (uint32_t)at, type->name,
                                  status == PSY_OK ? "more text behind the message" : "there is no message");
    }
    return status;
}
