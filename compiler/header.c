/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the C header of a schema from templates/header.in. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "isa/layout.h"
#include "schema.h"
#include "schema_names.h"
#include "template.h"

typedef struct writer {
    psc_arena arena;
    FILE *to;
    const char *type, *upper; /* of the message being written: nearest_query, NEAREST_QUERY */
    const psc_message *message;
} writer;

#define PAIRS(...)                                                                                                             \
    (const psc_pair[])                                                                                                         \
    {                                                                                                                          \
        __VA_ARGS__, { NULL, NULL }                                                                                            \
    }
#define TEXT(...) psc_format(&w->arena, __VA_ARGS__)

static void put(writer *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header, section, pairs, w->to);
}

static const char *ctype(unsigned dtype)
{
    switch (dtype) {
#define DTYPE(NAME, code, text, bytes, type, ...)                                                                              \
    case code:                                                                                                                 \
        return #type;
#include "isa/dtypes.def"
#undef DTYPE
    default: return "";
    }
}

/* A doc comment must not end early. */
static const char *harmless(writer *w, const char *line, size_t n)
{
    char *text = psc_strndup(&w->arena, line, n);
    for (char *c = text; *c; c++) {
        if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*')) {
            c[1] = ' ';
        }
    }
    return text;
}

static void put_doc(writer *w, const char *doc)
{
    if (!doc) {
        return;
    }
    if (!strchr(doc, '\n')) {
        put(w, "doc_one", PAIRS({"doc", harmless(w, doc, strlen(doc))}));
        return;
    }
    for (const char *line = doc; line;) {
        const char *end = strchr(line, '\n');
        put(w, line == doc ? "doc_begin" : "doc_line",
            PAIRS({"doc", harmless(w, line, end ? (size_t)(end - line) : strlen(line))}));
        line = end ? end + 1 : NULL;
    }
    put(w, "doc_end", NULL);
}

static const char *integer_text(writer *w, int64_t v)
{
    return v == INT64_MIN   ? "INT64_MIN"
           : v > INT32_MAX  ? TEXT("INT64_C(%" PRId64 ")", v)
           : v < -INT32_MAX ? TEXT("(-INT64_C(%" PRId64 "))", -v)
           : v < 0          ? TEXT("(%" PRId64 ")", v)
                            : TEXT("%" PRId64, v);
}

static const char *real_text(writer *w, double v)
{
    const char *text = TEXT("%.17g", v);
    text = strpbrk(text, ".en") ? text : TEXT("%s.0", text);
    return *text == '-' ? TEXT("(%s)", text) : text;
}

static const char *number(writer *w, uint64_t n) { return TEXT("%" PRIu64, n); }

/* Calls `gap` and `field` for the message's bytes in order; the count of a bounded field is the field's own business. */
static void each_gap(writer *w, void (*gap)(writer *, uint32_t at, uint32_t n), void (*field)(writer *, const psc_field *))
{
    uint32_t at = 8;
    for (uint32_t i = 0; i < w->message->field_count; i++) {
        const psc_field *f = &w->message->fields[i];
        bool bounded = f->layout.kind == PSY_FIELD_BOUNDED;
        uint32_t start = bounded ? f->layout.count_offset : f->layout.offset;
        if (start > at) {
            gap(w, at, start - at);
        }
        field(w, f);
        at = f->layout.offset + f->layout.count * psy__dtype_bytes(f->layout.dtype);
    }
    if (w->message->layout.bytes > at) {
        gap(w, at, w->message->layout.bytes - at);
    }
}

static void member_gap(writer *w, uint32_t at, uint32_t n)
{
    put(w, "padding", PAIRS({"at", number(w, at)}, {"count", number(w, n)}));
}

static void member(writer *w, const psc_field *f)
{
    if (f->doc) {
        for (const char *line = f->doc; line;) {
            const char *end = strchr(line, '\n');
            put(w, "indented_doc", PAIRS({"doc", harmless(w, line, end ? (size_t)(end - line) : strlen(line))}));
            line = end ? end + 1 : NULL;
        }
    }
    if (f->layout.kind == PSY_FIELD_BOUNDED) {
        put(w, "member", PAIRS({"ctype", "uint32_t"}, {"name", TEXT("%s_count", f->name)}, {"array", ""}));
        if (f->layout.offset > f->layout.count_offset + 4) {
            member_gap(w, f->layout.count_offset + 4, f->layout.offset - f->layout.count_offset - 4);
        }
    }
    put(w, "member",
        PAIRS({"ctype", ctype(f->layout.dtype)}, {"name", f->name},
              {"array", f->layout.kind == PSY_FIELD_SCALAR ? "" : TEXT("[%u]", f->layout.count)}));
}

static void put_struct(writer *w)
{
    const psc_message *m = w->message;
    put_doc(w, m->doc);
    put(w, "struct_begin", PAIRS({"type", w->type}));
    each_gap(w, member_gap, member);
    put(w, "struct_end", PAIRS({"type", w->type}, {"bytes", number(w, m->layout.bytes)}, {"full_name", m->full_name}));
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        put(w, "offset",
            PAIRS({"type", w->type}, {"name", f->name}, {"at", number(w, f->layout.offset)}, {"full_name", m->full_name}));
    }
    put(w, "facts",
        PAIRS({"TYPE", w->upper}, {"full_name", m->full_name}, {"bytes", number(w, m->layout.bytes)},
              {"hash", TEXT("%016" PRIx64, m->layout.layout_hash)}, {"version", number(w, m->layout.version)}));
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].layout.kind != PSY_FIELD_SCALAR) {
            put(w, "count",
                PAIRS({"TYPE", w->upper}, {"FIELD", psc_upper(&w->arena, m->fields[i].name)},
                      {"count", number(w, m->fields[i].layout.count)}));
        }
    }
}

static void init_gap(writer *w, uint32_t at, uint32_t n)
{
    (void)n;
    put(w, "init_padding", PAIRS({"at", number(w, at)}));
}

static void init_field(writer *w, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    if (l->kind == PSY_FIELD_BOUNDED) {
        put(w, "init_scalar", PAIRS({"name", TEXT("%s_count", f->name)}, {"value", "0"}));
        if (l->offset > l->count_offset + 4) {
            init_gap(w, l->count_offset + 4, 0);
        }
        return;
    }
    if (l->kind != PSY_FIELD_SCALAR) {
        return;
    }
    if ((l->dtype == PSY_F32 || l->dtype == PSY_F64) && l->default_bits) {
        put(w, "init_float",
            PAIRS({"name", f->name}, {"bits", l->dtype == PSY_F32 ? "32" : "64"},
                  {"value",
                   TEXT(l->dtype == PSY_F32 ? "UINT32_C(0x%08" PRIx64 ")" : "UINT64_C(0x%016" PRIx64 ")", l->default_bits)}));
        return;
    }
    int64_t value = (int64_t)l->default_bits;
    unsigned bits = psy__dtype_bytes(l->dtype) * 8;
    const char *text;
    if (psy__dtype_class(l->dtype) == PSY_DCLASS_SINT) {
        text = integer_text(w, bits == 64 ? value : (int64_t)((uint64_t)value << (64 - bits)) >> (64 - bits));
    } else {
        text = l->default_bits > INT32_MAX ? TEXT("UINT64_C(%" PRIu64 ")", l->default_bits) : number(w, l->default_bits);
    }
    put(w, "init_scalar", PAIRS({"name", f->name}, {"value", text}));
}

/* Where the fields that version `version` knows end. */
static uint32_t known_end(const psc_message *m, uint32_t version)
{
    uint32_t end = PSY_MESSAGE_HEADER_BYTES;
    for (uint32_t i = 0; i < m->field_count && m->fields[i].layout.since <= version; i++) {
        end = m->fields[i].layout.offset + m->fields[i].layout.count * psy__dtype_bytes(m->fields[i].layout.dtype);
    }
    return end;
}

static void put_version(writer *w, uint32_t version)
{
    uint32_t known = known_end(w->message, version);
    uint32_t bytes = (known + PSY_MESSAGE_ALIGN - 1) & ~(uint32_t)(PSY_MESSAGE_ALIGN - 1);
    put(w, "read_version", PAIRS({"version", number(w, version)}, {"known", number(w, known)}, {"bytes", number(w, bytes)}));
}

/* The versions that there were are those that a field came with, and the first. */
static void put_read(writer *w)
{
    const psc_message *m = w->message;
    uint32_t last = 1;
    put(w, "read_begin", PAIRS({"type", w->type}));
    put_version(w, 1);
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].layout.since > last) {
            last = m->fields[i].layout.since;
            put_version(w, last);
        }
    }
    /* Version numbers below the newest that no field came with. */
    put(w, "read_end",
        PAIRS({"type", w->type}, {"TYPE", w->upper}, {"known", number(w, known_end(m, last))},
              {"gap", last > 1 ? TEXT(" || (least != most && header.version < %s_VERSION)", w->upper) : ""}));
}

static void put_functions(writer *w)
{
    const psc_message *m = w->message;
    const psc_pair *names = PAIRS({"type", w->type}, {"TYPE", w->upper});
    put(w, "type", names);
    put(w, "init_begin", names);
    each_gap(w, init_gap, init_field);
    put(w, "init_end", names);
    put(w, "verify_begin", names);
    bool begun = false;
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        const char *check = f->layout.kind == PSY_FIELD_BOUNDED                                 ? "verify_count"
                            : f->layout.kind == PSY_FIELD_SCALAR && f->layout.dtype == PSY_BOOL ? "verify_bool"
                                                                                                : NULL;
        if (check && !begun) {
            put(w, "verify_fields", names);
            begun = true;
        }
        if (check) {
            put(w, check, PAIRS({"name", f->name}, {"count", number(w, f->layout.count)}));
        }
    }
    put(w, "verify_end", names);
    put_read(w);
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        const psc_pair *pairs = PAIRS({"type", w->type}, {"name", f->name}, {"ctype", ctype(f->layout.dtype)},
                                      {"dtype", psy__dtype_name(f->layout.dtype)}, {"count", number(w, f->layout.count)});
        bool scalar = f->layout.kind == PSY_FIELD_SCALAR;
        put(w, !scalar ? "array" : f->layout.dtype == PSY_BOOL ? "bool" : "scalar", pairs);
        if (f->layout.kind == PSY_FIELD_BOUNDED) {
            put(w, "bounded", pairs);
        }
    }
}

int psc_header_write(const psc_schema *schema, const char *stem, FILE *to)
{
    writer writer_ = {.to = to}, *w = &writer_;
    psc_arena_init(&w->arena);
    char *guard = psc_strndup(&w->arena, psc_upper(&w->arena, stem), strlen(stem));
    for (char *c = guard; *c; c++) {
        *c = (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ? *c : '_';
    }
    put(w, "top",
        PAIRS({"file", TEXT("%s.psy", stem)},
              {"guard", TEXT("%s%s_PSY_H", *guard >= '0' && *guard <= '9' ? "PSY_" : "", guard)}));
    const char *prefix = psc_schema_prefix(&w->arena, schema);
    for (uint32_t i = 0; i < schema->constant_count; i++) {
        const psc_constant *c = &schema->constants[i];
        put(w, "blank", NULL);
        put_doc(w, c->doc);
        put(w, "constant",
            PAIRS({"NAME", psc_upper(&w->arena, TEXT("%s%s", prefix, c->name))},
                  {"value", c->is_float ? real_text(w, c->real) : integer_text(w, c->integer)}));
    }
    for (uint32_t i = 0; i < schema->message_count; i++) {
        w->message = &schema->messages[i];
        w->type = TEXT("%s%s", prefix, psc_snake(&w->arena, w->message->name));
        w->upper = psc_upper(&w->arena, w->type);
        put(w, "blank", NULL);
        put_struct(w);
        put_functions(w);
    }
    put(w, "bottom", NULL);
    psc_arena_fini(&w->arena);
    return ferror(to) ? -1 : 0;
}
