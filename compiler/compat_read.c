/* SPDX-License-Identifier: Apache-2.0 */
/* Who reads what: the rules of doc/messages.md (Versions) for readers of one schema and messages of another. */
#include <string.h>

#include "compat.h"
#include "isa/layout.h"

enum { BUCKETS = 1024, PIECES_MAX = 3 };

/* What was found out about two types: they may be met again in every field. */
typedef struct met {
    const psc_message *reader, *writer;
    bool inside;
    psc_fate fate;
    struct met *next;
} met;

struct psc_reads {
    psc_arena *arena;
    met *buckets[BUCKETS];
};

psc_reads *psc_reads_make(psc_arena *arena)
{
    psc_reads *r = psc_new(arena, psc_reads);
    r->arena = arena;
    return r;
}

static const psc_fate fine = {true, NULL};

#define FAILS(...) ((psc_fate){false, psc_format(r->arena, __VA_ARGS__)})

/* ---- places ---- */

/* Bytes that a field has: what is beside its elements, and they. */
typedef struct piece {
    uint32_t begin, end;
} piece;

static unsigned pieces_of(const psc_field *f, piece out[PIECES_MAX])
{
    const psy_psm_field *l = &f->layout;
    unsigned n = 0;
    if (l->count_offset != PSY_NONE) {
        const uint32_t bytes = l->kind == PSY_FIELD_VARIANT                                  ? sizeof(psy_variant_head)
                               : l->kind == PSY_FIELD_OPTIONAL || l->kind == PSY_FIELD_UNION ? 1
                                                                                             : 4;
        out[n++] = (piece){l->count_offset, l->count_offset + bytes};
    }
    if (l->inner_offset != PSY_NONE) {
        out[n++] = (piece){l->inner_offset, l->inner_offset + 4 * (l->kind == PSY_FIELD_OPTIONAL ? 1 : l->count)};
    }
    out[n++] = (piece){l->offset, psy__field_end(l)};
    return n;
}

bool psc_reads_overlap(const psc_field *a, const psc_field *b)
{
    piece x[PIECES_MAX], y[PIECES_MAX];
    const unsigned n = pieces_of(a, x), m = pieces_of(b, y);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < m; k++) {
            if (x[i].begin < y[k].end && y[k].begin < x[i].end) {
                return true;
            }
        }
    }
    return false;
}

bool psc_reads_same_place(const psc_field *a, const psc_field *b)
{
    const psy_psm_field *x = &a->layout, *y = &b->layout;
    return x->offset == y->offset && x->count_offset == y->count_offset && x->inner_offset == y->inner_offset;
}

/* As written; of types that are declared their names. */
static bool same_words(const psc_field *a, const psc_field *b)
{
    const psy_psm_field *x = &a->layout, *y = &b->layout;
    const psc_message *s = a->part ? a->part : a->type, *t = b->part ? b->part : b->type;
    const unsigned flags = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS | PSY_FIELD_OPEN | PSY_FIELD_MAYBE;
    return x->kind == y->kind && x->dtype == y->dtype && x->count == y->count && x->inner == y->inner &&
           (x->flags & flags) == (y->flags & flags) && (s == NULL) == (t == NULL) && (!s || strcmp(s->name, t->name) == 0);
}

const psc_field *psc_reads_counterpart(const psc_message *type, const psc_field *f, const psc_message *other)
{
    const uint32_t at = psc_field_find(other, PSY_NONE, f->name);
    if (at < other->field_count) {
        return &other->fields[at];
    }
    /* All members of a union lie in one place: they are known by their number. */
    for (uint32_t i = 0; i < other->field_count && type->layout.kind != PSY_TYPE_UNION; i++) {
        const psc_field *o = &other->fields[i];
        if (o->layout.parent == PSY_NONE && psc_reads_same_place(f, o) && same_words(f, o) &&
            o->layout.since == f->layout.since && psc_field_find(type, PSY_NONE, o->name) == type->field_count) {
            return o;
        }
    }
    return NULL;
}

/* ---- sizes and versions ---- */

static bool is_tailed(const psc_message *m) { return (m->layout.flags & PSY_TYPE_TAILED) != 0; }

/* How long the fixed part is that the reader expects of an older version; 0: there never was such a version. */
static uint32_t size_of_version(const psc_message *m, uint32_t version)
{
    uint32_t end = PSY_MESSAGE_HEADER_BYTES;
    bool known = version == 1;
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psy_psm_field *l = &m->fields[i].layout;
        if (l->parent == PSY_NONE && l->since <= version) {
            end = psy__field_end(l);
            known = known || l->since == version;
        }
    }
    return known ? (end + PSY_MESSAGE_ALIGN - 1) & ~(uint32_t)(PSY_MESSAGE_ALIGN - 1) : 0;
}

psc_fate psc_reads_header(psc_reads *r, const psc_message *reader, const psc_message *writer, bool inside)
{
    const uint32_t wanted = reader->layout.version, version = writer->layout.version;
    const uint32_t most = reader->layout.bytes, bytes = writer->layout.bytes;
    const bool tail = is_tailed(writer) && !inside;
    if (inside && bytes != most) {
        return FAILS("a `%s` has %u bytes inside, and %u are expected", writer->name, bytes, most);
    }
    if (version > wanted) {
        return bytes >= most ? fine : FAILS("messages of version %u have %u bytes, fewer than %u", version, bytes, most);
    }
    const uint32_t expected = version == wanted ? most : size_of_version(reader, version);
    if (expected == 0) {
        return FAILS("there never was a version %u", version);
    }
    if (bytes != expected && !(bytes > expected && version == wanted && is_tailed(reader) && !inside)) {
        return FAILS("messages of version %u have %u bytes, and %u are expected", version, bytes, expected);
    }
    return tail && !is_tailed(reader) ? FAILS("messages of version %u have no tail", version) : fine;
}

/* ---- values ---- */

static unsigned shape_flags(const psc_field *f)
{
    return f->layout.flags & (PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS | PSY_FIELD_OPEN | PSY_FIELD_MAYBE);
}

/* Values of enums and flags that have one name in both must have one number. */
static psc_fate reads_names(psc_reads *r, const psc_message *reader, const psc_message *writer)
{
    for (uint32_t i = 0; reader && writer && i < reader->field_count; i++) {
        const psc_field *f = &reader->fields[i];
        const uint32_t at = psc_field_find(writer, PSY_NONE, f->name);
        if (at < writer->field_count && writer->fields[at].layout.default_bits != f->layout.default_bits) {
            return FAILS("`%s.%s` is another number", reader->name, f->name);
        }
    }
    return fine;
}

/* Numbers of one place and size. */
static psc_fate reads_numbers(psc_reads *r, const psc_field *reader, const psc_field *writer)
{
    const unsigned to = reader->layout.dtype, from = writer->layout.dtype;
    const bool bytes = psy__dtype_bytes(to) == 1 && psy__dtype_bytes(from) == 1;
    if (to == from) {
        return reads_names(r, reader->type, writer->type);
    }
    if (bytes && from == PSY_BOOL) {
        return fine;
    }
    if (bytes && to == PSY_BOOL &&
        (reader->layout.kind == PSY_FIELD_SCALAR ||
         (reader->layout.kind == PSY_FIELD_OPTIONAL && !(reader->layout.flags & PSY_FIELD_IS_ARRAY)))) {
        return FAILS("numbers above 1 are refused");
    }
    return FAILS("%s is read as %s", psy__dtype_name(from), psy__dtype_name(to));
}

/* How the objects of a field lie in the tail. */
static uint32_t tail_align(const psc_field *f)
{
    const uint32_t own = psy__field_align(&f->layout), natural = f->layout.kind == PSY_FIELD_VARIANT    ? PSY_MESSAGE_ALIGN
                                                                 : f->layout.flags & PSY_FIELD_IS_ARRAY ? 4
                                                                 : f->layout.flags & PSY_FIELD_ITEMS
                                                                     ? f->type->layout.align
                                                                     : psy__dtype_bytes(f->layout.dtype);
    return own > natural ? own : natural;
}

static psc_fate reads_tail(psc_reads *r, const psc_field *reader, const psc_field *writer)
{
    const bool to_text = (reader->layout.flags & PSY_FIELD_TEXT) != 0, text = (writer->layout.flags & PSY_FIELD_TEXT) != 0;
    if (tail_align(reader) > tail_align(writer)) {
        return FAILS("what lies at no multiple of %u is refused", tail_align(reader));
    }
    if (text && !to_text) {
        return FAILS("64 bytes and more are refused where they lie at no multiple of 64");
    }
    return to_text && !text ? FAILS("bytes that are no UTF-8 are refused") : fine;
}

static psc_fate reads_bound(psc_reads *r, const psc_field *reader, const psc_field *writer)
{
    const uint32_t most = reader->layout.count, n = writer->layout.count;
    const bool rows = psy__field_is_texts(&reader->layout);
    if (rows && reader->layout.inner != writer->layout.inner) {
        return FAILS("texts lie %u bytes apart, and %u are expected", writer->layout.inner, reader->layout.inner);
    }
    const bool bytes = (!rows && (reader->layout.flags & PSY_FIELD_TEXT)) || reader->layout.kind == PSY_FIELD_VARIANT;
    return n > most ? FAILS("more than %u %s are refused", most, bytes ? "bytes" : "elements") : fine;
}

/* Of fields whose kinds and flags are the same, and which hold no types. */
static psc_fate reads_elements(psc_reads *r, const psc_field *reader, const psc_field *writer)
{
    const psy_psm_field *to = &reader->layout, *from = &writer->layout;
    psc_fate fate = reader->layout.flags & PSY_FIELD_ITEMS ? fine : reads_numbers(r, reader, writer);
    if (!fate.survives) {
        return fate;
    }
    switch (to->kind) {
    case PSY_FIELD_BOUNDED: return reads_bound(r, reader, writer);
    case PSY_FIELD_VARIANT: return to->flags & PSY_FIELD_OPEN ? reads_tail(r, reader, writer) : reads_bound(r, reader, writer);
    case PSY_FIELD_TAIL: return reads_tail(r, reader, writer);
    case PSY_FIELD_OPTIONAL:
        if (to->flags & PSY_FIELD_TEXT) {
            return reads_bound(r, reader, writer);
        }
        break;
    default: break;
    }
    const bool one = to->kind == PSY_FIELD_PART || to->kind == PSY_FIELD_STRUCT || to->kind == PSY_FIELD_UNION;
    if (!one && (to->count != from->count || (psy__field_is_texts(to) && to->inner != from->inner))) {
        return FAILS("there are %u elements, and %u are expected", from->count, to->count);
    }
    return fine;
}

/* Bytes and texts lie in the same way. */
static bool are_bytes_and_text(const psc_field *a, const psc_field *b)
{
    const unsigned flags = shape_flags(a) ^ shape_flags(b);
    return flags == PSY_FIELD_TEXT && !((a->layout.flags | b->layout.flags) & (PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS)) &&
           a->layout.dtype == PSY_U8 && b->layout.dtype == PSY_U8 &&
           (a->layout.kind == PSY_FIELD_BOUNDED || a->layout.kind == PSY_FIELD_TAIL);
}

/* newer: messages are of a higher version than the reader's, and may have members that it does not know. */
static psc_fate reads_union(psc_reads *r, const psc_message *reader, const psc_message *writer, bool newer)
{
    uint32_t to = 0;
    for (uint32_t from = 0; from < writer->field_count; from++) {
        const psc_field *w = &writer->fields[from];
        if (w->layout.parent != PSY_NONE) {
            continue;
        }
        while (to < reader->field_count && reader->fields[to].layout.parent != PSY_NONE) {
            to++;
        }
        if (to == reader->field_count) {
            return newer ? (psc_fate){true, psc_format(r->arena, "they find nothing where `%s` is", w->name)}
                         : FAILS("messages that have `%s` are refused", w->name);
        }
        const psc_field *f = &reader->fields[to++];
        if (strcmp(f->name, w->name) != 0 && (psc_field_find(reader, PSY_NONE, w->name) < reader->field_count ||
                                              psc_field_find(writer, PSY_NONE, f->name) < writer->field_count)) {
            return FAILS("`%s` is taken for `%s`", w->name, f->name);
        }
        const psc_fate fate = psc_reads_same_place(f, w) ? psc_reads_value(r, f, w, newer) : FAILS("it lies elsewhere");
        if (!fate.survives) {
            return FAILS("`%s`: %s", f->name, fate.why);
        }
    }
    return fine;
}

psc_fate psc_reads_value(psc_reads *r, const psc_field *reader, const psc_field *writer, bool newer)
{
    const bool bytes = are_bytes_and_text(reader, writer);
    if (reader->layout.kind != writer->layout.kind || (shape_flags(reader) != shape_flags(writer) && !bytes)) {
        return FAILS("a `%s` is read as a `%s`", psc_field_type_text(r->arena, writer), psc_field_type_text(r->arena, reader));
    }
    if (reader->layout.kind == PSY_FIELD_UNION) {
        return reads_union(r, reader->type, writer->type, newer);
    }
    psc_fate fate = reads_elements(r, reader, writer);
    if (fate.survives && bytes && reader->layout.kind == PSY_FIELD_BOUNDED && (reader->layout.flags & PSY_FIELD_TEXT)) {
        fate = FAILS("bytes that are no UTF-8 are refused");
    }
    const psc_message *to = reader->part ? reader->part : reader->type, *from = writer->part ? writer->part : writer->type;
    const bool number = !to || !from || to->layout.kind == PSY_TYPE_ENUM || to->layout.kind == PSY_TYPE_FLAGS;
    return fate.survives && !number ? psc_reads_type(r, to, from, true) : fate;
}

/* ---- fields ---- */

/* Whether zeros are what a reader has where the field is missing. */
static bool starts_as_zeros(const psc_field *f)
{
    return f->layout.kind != PSY_FIELD_PART && f->text_bytes == 0 &&
           (f->layout.kind != PSY_FIELD_SCALAR || f->layout.default_bits == 0) &&
           !(f->layout.kind == PSY_FIELD_ARRAY && f->type && f->type->layout.kind == PSY_TYPE_MESSAGE);
}

/* What lies in the place of a field that the writer does not have. */
static psc_fate reads_gap(psc_reads *r, const psc_message *reader, const psc_message *writer, const psc_field *f)
{
    for (uint32_t i = 0; i < writer->field_count; i++) {
        const psc_field *w = &writer->fields[i];
        if (w->layout.parent == PSY_NONE && psc_reads_overlap(f, w)) {
            return FAILS("`%s` is read instead of it", w->name);
        }
    }
    if (reader->layout.kind != PSY_TYPE_MESSAGE) {
        return FAILS("whatever lies there is read instead of it");
    }
    if (psy__field_end(&f->layout) > writer->layout.bytes) {
        return FAILS("messages end before it");
    }
    return starts_as_zeros(f) ? (psc_fate){true, "it has zeros: its default"} : FAILS("zeros are read instead of its default");
}

static bool is_counting(const psc_field *f)
{
    const unsigned class = psy__dtype_class(f->layout.dtype);
    return f->layout.kind == PSY_FIELD_SCALAR && (class == PSY_DCLASS_UINT || class == PSY_DCLASS_BOOL);
}

/* Whether a number of more bytes is read where a gap follows: it is little-endian. */
static bool is_widened(const psc_message *reader, const psc_message *writer, const psc_field *f, const psc_field *w)
{
    bool gap = reader->layout.kind == PSY_TYPE_MESSAGE && is_counting(f) && is_counting(w) &&
               psy__dtype_bytes(f->layout.dtype) > psy__dtype_bytes(w->layout.dtype) &&
               psy__field_end(&f->layout) <= writer->layout.bytes;
    for (uint32_t i = 0; i < writer->field_count && gap; i++) {
        const psc_field *other = &writer->fields[i];
        gap = other == w || other->layout.parent != PSY_NONE || !psc_reads_overlap(f, other);
    }
    return gap;
}

psc_fate psc_reads_field(psc_reads *r, const psc_message *reader, const psc_message *writer, const psc_field *f)
{
    const psc_field *w = psc_reads_counterpart(reader, f, writer);
    if (f->layout.flags & PSY_FIELD_RETIRED) {
        return fine;
    }
    if (reader->layout.kind == PSY_TYPE_MESSAGE && f->layout.since > writer->layout.version) {
        return !w || (w->layout.flags & PSY_FIELD_RETIRED)
                   ? (psc_fate){true, psc_format(r->arena, "messages of version %u lack it: it has its default",
                                                 writer->layout.version)}
                   : FAILS("messages of version %u are taken for ones that lack it", writer->layout.version);
    }
    if (!w) {
        return reads_gap(r, reader, writer, f);
    }
    if (!psc_reads_same_place(f, w)) {
        return FAILS("it lies at %u, and is looked for at %u", w->layout.offset, f->layout.offset);
    }
    return is_widened(reader, writer, f, w) ? (psc_fate){true, "behind it are zeros, as of a small number"}
                                            : psc_reads_value(r, f, w, writer->layout.version > reader->layout.version);
}

/* ---- types ---- */

static psc_fate reads_fields(psc_reads *r, const psc_message *reader, const psc_message *writer)
{
    for (uint32_t i = 0; i < reader->field_count; i++) {
        const psc_field *f = &reader->fields[i];
        const psc_fate fate = f->layout.parent == PSY_NONE ? psc_reads_field(r, reader, writer, f) : fine;
        if (!fate.survives) {
            return FAILS("`%s.%s`: %s", reader->name, f->name, fate.why);
        }
    }
    return fine;
}

static psc_fate reads_type(psc_reads *r, const psc_message *reader, const psc_message *writer, bool inside)
{
    if (reader->layout.kind != writer->layout.kind) {
        return FAILS("a %s is read as a %s", psc_type_word(writer), psc_type_word(reader));
    }
    psc_fate fate = fine;
    switch (reader->layout.kind) {
    case PSY_TYPE_MESSAGE: fate = psc_reads_header(r, reader, writer, inside); break;
    case PSY_TYPE_STRUCT:
        fate = reader->layout.bytes == writer->layout.bytes ? fine
                                                            : FAILS("a `%s` has %u bytes, and %u are expected", writer->name,
                                                                    writer->layout.bytes, reader->layout.bytes);
        break;
    default:
        return reader->layout.dtype != writer->layout.dtype
                   ? FAILS("%s is read as %s", psy__dtype_name(writer->layout.dtype), psy__dtype_name(reader->layout.dtype))
                   : reads_names(r, reader, writer);
    }
    return fate.survives ? reads_fields(r, reader, writer) : fate;
}

psc_fate psc_reads_type(psc_reads *r, const psc_message *reader, const psc_message *writer, bool inside)
{
    met **bucket = &r->buckets[(((uintptr_t)reader >> 4) * 31 + ((uintptr_t)writer >> 4)) % BUCKETS];
    for (const met *m = *bucket; m; m = m->next) {
        if (m->reader == reader && m->writer == writer && m->inside == inside) {
            return m->fate;
        }
    }
    met *m = psc_new(r->arena, met);
    *m = (met){reader, writer, inside, reads_type(r, reader, writer, inside), *bucket};
    *bucket = m;
    return m->fate;
}
