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
    const char *indent;       /* of what a message starts with */
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

/* ---- the struct ---- */

/* A member of the struct: a field, or what it keeps beside its elements. */
typedef struct piece {
    const char *ctype, *name, *array;
    uint32_t at, bytes;
} piece;

enum { PIECES_MAX = 3 };

static bool is_text(const psc_field *f) { return (f->layout.flags & PSY_FIELD_TEXT) != 0; }
static bool is_texts(const psc_field *f) { return psy__field_is_texts(&f->layout); }
static bool is_scalar(const psc_field *f)
{
    return f->layout.kind == PSY_FIELD_SCALAR ||
           (f->layout.kind == PSY_FIELD_OPTIONAL && (f->layout.flags & PSY_FIELD_IS_ARRAY) == 0);
}

/* The C type of the message that a part is. */
static const char *part_type(writer *w, const psc_field *f) { return psc_snake(&w->arena, f->part->full_name); }

static unsigned pieces_of(writer *w, const psc_field *f, piece out[PIECES_MAX])
{
    const psy_psm_field *l = &f->layout;
    unsigned n = 0;
    if (l->kind == PSY_FIELD_BOUNDED) {
        bool bytes = is_text(f) && !is_texts(f);
        out[n++] = (piece){"uint32_t", TEXT(bytes ? "%s_bytes" : "%s_count", f->name), "", l->count_offset, 4};
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        out[n++] = (piece){"uint8_t", TEXT("has_%s", f->name), "", l->count_offset, 1};
    } else if (l->kind == PSY_FIELD_VARIANT) {
        out[n++] = (piece){"psy_variant_head", TEXT("%s_head", f->name), "", l->count_offset, sizeof(psy_variant_head)};
    }
    if (is_texts(f)) {
        out[n++] = (piece){"uint32_t", TEXT("%s_bytes", f->name), TEXT("[%u]", l->count), l->inner_offset, 4 * l->count};
    }
    out[n++] = (piece){f->part      ? part_type(w, f)
                       : is_text(f) ? "char"
                                    : ctype(l->dtype),
                       f->name,
                       is_scalar(f) || f->part ? ""
                       : is_texts(f)           ? TEXT("[%u][%u]", l->count, l->inner)
                                               : TEXT("[%u]", l->count),
                       l->offset, psy__field_end(l) - l->offset};
    return n;
}

/* Calls `gap` for the bytes between members, `before` for every field and `member` for its members, in order. */
static void each_member(writer *w, void (*gap)(writer *, uint32_t at, uint32_t n), void (*before)(writer *, const psc_field *),
                        void (*member)(writer *, const piece *))
{
    uint32_t at = PSY_MESSAGE_HEADER_BYTES;
    for (uint32_t i = 0; i < w->message->field_count; i++) {
        const psc_field *f = &w->message->fields[i];
        piece pieces[PIECES_MAX];
        if (f->layout.parent != PSY_NONE) {
            continue;
        }
        unsigned count = pieces_of(w, f, pieces);
        for (unsigned k = 0; k < count; k++) {
            if (pieces[k].at > at) {
                gap(w, at, pieces[k].at - at);
            }
            if (k == 0) {
                before(w, f);
            }
            if (member) {
                member(w, &pieces[k]);
            }
            at = pieces[k].at + pieces[k].bytes;
        }
    }
    if (w->message->layout.bytes > at) {
        gap(w, at, w->message->layout.bytes - at);
    }
}

static void member_gap(writer *w, uint32_t at, uint32_t n)
{
    put(w, "padding", PAIRS({"at", number(w, at)}, {"count", number(w, n)}));
}

static void member_doc(writer *w, const psc_field *f)
{
    for (const char *line = f->doc; line;) {
        const char *end = strchr(line, '\n');
        put(w, "indented_doc", PAIRS({"doc", harmless(w, line, end ? (size_t)(end - line) : strlen(line))}));
        line = end ? end + 1 : NULL;
    }
}

static void member(writer *w, const piece *p)
{
    put(w, "member", PAIRS({"ctype", p->ctype}, {"name", p->name}, {"array", p->array}));
}

static void put_counts(writer *w, const psc_field *f)
{
    const char *field = psc_upper(&w->arena, f->name);
    const psy_psm_field *l = &f->layout;
    if (is_text(f)) {
        put(w, "constant",
            PAIRS({"NAME", TEXT("%s_%s_ROOM", w->upper, field)}, {"value", number(w, is_texts(f) ? l->inner : l->count)}));
    }
    if (psy__field_is_vector(l) || is_texts(f)) {
        put(w, "constant", PAIRS({"NAME", TEXT("%s_%s_COUNT", w->upper, field)}, {"value", number(w, l->count)}));
    } else if (l->kind == PSY_FIELD_VARIANT) {
        put(w, "constant", PAIRS({"NAME", TEXT("%s_%s_ROOM", w->upper, field)}, {"value", number(w, l->count)}));
    }
}

static void put_struct(writer *w)
{
    const psc_message *m = w->message;
    put_doc(w, m->doc);
    put(w, "struct_begin", PAIRS({"type", w->type}));
    each_member(w, member_gap, member_doc, member);
    put(w, "struct_end", PAIRS({"type", w->type}, {"bytes", number(w, m->layout.bytes)}, {"full_name", m->full_name}));
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (f->layout.parent == PSY_NONE) {
            put(w, "offset",
                PAIRS({"type", w->type}, {"name", f->name}, {"at", number(w, f->layout.offset)}, {"full_name", m->full_name}));
        }
    }
    put(w, "facts",
        PAIRS({"TYPE", w->upper}, {"full_name", m->full_name}, {"bytes", number(w, m->layout.bytes)},
              {"hash", TEXT("%016" PRIx64, m->layout.layout_hash)}, {"version", number(w, m->layout.version)}));
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].layout.parent == PSY_NONE) {
            put_counts(w, &m->fields[i]);
        }
    }
}

/* ---- what a message starts with ---- */

static void init_gap(writer *w, uint32_t at, uint32_t n)
{
    (void)n;
    put(w, "init_padding", PAIRS({"indent", w->indent}, {"at", number(w, at)}));
}

/* The default of a float field as bits, of another one as a number. */
static const char *default_text(writer *w, const psy_psm_field *l)
{
    int64_t value = (int64_t)l->default_bits;
    unsigned bits = psy__dtype_bytes(l->dtype) * 8;
    if (l->dtype == PSY_F32 || l->dtype == PSY_F64) {
        return TEXT(bits == 32 ? "UINT32_C(0x%08" PRIx64 ")" : "UINT64_C(0x%016" PRIx64 ")", l->default_bits);
    }
    if (psy__dtype_class(l->dtype) == PSY_DCLASS_SINT) {
        return integer_text(w, bits == 64 ? value : (int64_t)((uint64_t)value << (64 - bits)) >> (64 - bits));
    }
    return l->default_bits > INT32_MAX ? TEXT("UINT64_C(%" PRIu64 ")", l->default_bits) : number(w, l->default_bits);
}

static bool is_float(const psy_psm_field *l) { return (l->dtype == PSY_F32 || l->dtype == PSY_F64) && l->default_bits != 0; }

/* A C string whose bytes are those of the text, whatever they are. */
static const char *quoted(writer *w, const char *text, size_t n)
{
    char *out = psc_alloc(&w->arena, 4 * n + 3), *to = out;
    *to++ = '"';
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '?';
        to += sprintf(to, plain ? "%c" : "\\%03o", c);
    }
    *to++ = '"';
    return out;
}

static void init_field(writer *w, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    const char *bits = l->dtype == PSY_F32 ? "32" : "64";
    if (f->part) {
        put(w, "init_part", PAIRS({"indent", w->indent}, {"name", f->name}, {"part", part_type(w, f)}));
    } else if (l->kind == PSY_FIELD_VARIANT) {
        put(w, "init_zeros", PAIRS({"indent", w->indent}, {"name", TEXT("%s_head", f->name)}));
    } else if (is_text(f)) {
        if (l->kind == PSY_FIELD_BOUNDED) {
            put(w, "init_scalar",
                PAIRS({"indent", w->indent}, {"name", TEXT(is_texts(f) ? "%s_count" : "%s_bytes", f->name)},
                      {"value", number(w, f->text_bytes)}));
        }
        if (is_texts(f)) {
            put(w, "init_zeros", PAIRS({"indent", w->indent}, {"name", TEXT("%s_bytes", f->name)}));
        } else if (f->text_bytes) {
            put(w, "init_text",
                PAIRS({"indent", w->indent}, {"name", f->name}, {"text", quoted(w, f->text, f->text_bytes)},
                      {"bytes", number(w, f->text_bytes)}));
        }
    } else if (l->kind == PSY_FIELD_BOUNDED) {
        put(w, "init_scalar", PAIRS({"indent", w->indent}, {"name", TEXT("%s_count", f->name)}, {"value", "0"}));
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        put(w, "init_scalar", PAIRS({"indent", w->indent}, {"name", TEXT("has_%s", f->name)}, {"value", "0"}));
        if (is_scalar(f)) {
            put(w, "init_scalar", PAIRS({"indent", w->indent}, {"name", f->name}, {"value", "0"}));
        }
    } else if (is_scalar(f)) {
        put(w, is_float(l) ? "init_float" : "init_scalar",
            PAIRS({"indent", w->indent}, {"name", f->name}, {"bits", bits}, {"value", default_text(w, l)}));
    }
}

/* ---- messages of other versions ---- */

/* Where the fields that version `version` knows end. */
static uint32_t known_end(const psc_message *m, uint32_t version)
{
    uint32_t end = PSY_MESSAGE_HEADER_BYTES;
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].layout.parent == PSY_NONE && m->fields[i].layout.since <= version) {
            end = psy__field_end(&m->fields[i].layout);
        }
    }
    return end;
}

static void put_version(writer *w, uint32_t version)
{
    uint32_t known = known_end(w->message, version);
    uint32_t bytes = (known + PSY_MESSAGE_ALIGN - 1) & ~(uint32_t)(PSY_MESSAGE_ALIGN - 1);
    put(w, "settle_version", PAIRS({"version", number(w, version)}, {"known", number(w, known)}, {"bytes", number(w, bytes)}));
}

/* A copied message becomes one of this version: its parts too, and fields that it lacks have their defaults. */
static void put_settle(writer *w)
{
    const psc_message *m = w->message;
    uint32_t last = 1;
    bool parts = false;
    for (uint32_t i = 0; i < m->field_count; i++) {
        parts = parts || m->fields[i].part;
    }
    put(w, "settle_begin", PAIRS({"type", w->type}, {"TYPE", w->upper}));
    if (parts) {
        put(w, "settle_status", NULL);
    }
    put(w, "settle_switch", NULL);
    put_version(w, 1);
    /* The versions that there were are those that a field came with, and the first. */
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psy_psm_field *l = &m->fields[i].layout;
        if (l->parent == PSY_NONE && l->since > last) {
            last = l->since;
            put_version(w, last);
        }
    }
    /* Version numbers below the newest that no field came with. */
    put(w, "settle_known",
        PAIRS({"type", w->type}, {"TYPE", w->upper}, {"known", number(w, known_end(m, last))},
              {"gap", last > 1 ? TEXT(" || (least != most && header.version < %s_VERSION)", w->upper) : ""}));
    /* What is not known is zero by now. */
    uint32_t open = 1;
    w->indent = "    ";
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        bool zeros = !f->part && !f->text_bytes && (f->layout.kind != PSY_FIELD_SCALAR || f->layout.default_bits == 0);
        if (f->layout.parent == PSY_NONE && f->layout.since > 1 && !zeros) {
            if (f->layout.since > open) {
                put(w, open > 1 ? "settle_next" : "settle_since", PAIRS({"version", number(w, f->layout.since)}));
                open = f->layout.since;
            }
            init_field(w, f);
        }
    }
    if (open > 1) {
        put(w, "settle_since_end", NULL);
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (f->layout.parent == PSY_NONE && f->part) {
            put(w, "settle_part", PAIRS({"name", f->name}, {"part", part_type(w, f)}, {"since", number(w, f->layout.since)}));
        }
    }
    put(w, "settle_end", PAIRS({"type", w->type}, {"TYPE", w->upper}));
}

/* ---- functions ---- */

/* What verify looks at: NULL where any bytes are right. */
static const char *check_of(const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    return f->part                                ? "verify_part"
           : l->kind == PSY_FIELD_VARIANT         ? "verify_variant"
           : is_texts(f)                          ? "verify_texts"
           : is_text(f)                           ? "verify_text"
           : l->kind == PSY_FIELD_BOUNDED         ? "verify_count"
           : l->kind == PSY_FIELD_OPTIONAL        ? "verify_optional"
           : is_scalar(f) && l->dtype == PSY_BOOL ? "verify_bool"
                                                  : NULL;
}

static void put_verify(writer *w)
{
    const psc_message *m = w->message;
    const psc_pair *names = PAIRS({"type", w->type}, {"TYPE", w->upper});
    bool begun = false;
    put(w, "verify_begin", names);
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        const psy_psm_field *l = &f->layout;
        const char *check = l->parent == PSY_NONE ? check_of(f) : NULL;
        const psc_pair *pairs =
            PAIRS({"type", w->type}, {"name", f->name}, {"count", number(w, l->count)},
                  {"room", number(w, is_texts(f) ? l->inner : l->count)}, {"part", f->part ? part_type(w, f) : ""},
                  {"rows", l->kind == PSY_FIELD_BOUNDED ? "rows" : number(w, l->count)});
        if (check && !begun) {
            put(w, "verify_fields", names);
            begun = true;
        }
        if (is_texts(f) && check) {
            put(w, "verify_texts_begin", pairs);
        }
        if (is_texts(f) && l->kind == PSY_FIELD_BOUNDED && check) {
            put(w, "verify_texts_bound", pairs);
        }
        if (check) {
            put(w, check, pairs);
        }
        if (check && l->kind == PSY_FIELD_OPTIONAL && is_scalar(f) && l->dtype == PSY_BOOL) {
            put(w, "verify_bool", pairs);
        }
    }
    put(w, "verify_end", names);
}

static void put_accessors(writer *w, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    bool optional = l->kind == PSY_FIELD_OPTIONAL, truth = l->dtype == PSY_BOOL, bounded = l->kind == PSY_FIELD_BOUNDED;
    const psc_pair *pairs =
        PAIRS({"type", w->type}, {"name", f->name}, {"ctype", truth && is_scalar(f) ? "bool" : ctype(l->dtype)},
              {"dtype", psy__dtype_name(l->dtype)}, {"count", number(w, l->count)},
              {"room", number(w, is_texts(f) ? l->inner : l->count)}, {"part", f->part ? part_type(w, f) : ""},
              {"value", default_text(w, l)}, {"bits", l->dtype == PSY_F32 ? "32" : "64"});
    if (f->part) {
        put(w, "part", pairs);
    } else if (l->kind == PSY_FIELD_VARIANT) {
        put(w, "variant", pairs);
    } else if (is_texts(f)) {
        put(w, "texts", pairs);
    } else if (is_text(f)) {
        put(w, "text", pairs);
    } else if (optional && !is_scalar(f)) {
        put(w, "optional_array", pairs);
    } else if (optional) {
        put(w, is_float(l) ? "optional_float" : truth ? "optional_bool" : "optional", pairs);
        put(w, "optional_set", pairs);
    } else {
        put(w, !is_scalar(f) ? "array" : truth ? "bool" : "scalar", pairs);
    }
    if (bounded && (!is_text(f) || is_texts(f))) {
        put(w, "bounded", pairs);
    }
}

static void put_functions(writer *w)
{
    const psc_message *m = w->message;
    const psc_pair *names = PAIRS({"type", w->type}, {"TYPE", w->upper});
    put(w, "type", names);
    put(w, "init_begin", names);
    w->indent = "";
    each_member(w, init_gap, init_field, NULL);
    put(w, "init_end", names);
    put_verify(w);
    put_settle(w);
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].layout.parent == PSY_NONE) {
            put_accessors(w, &m->fields[i]);
        }
    }
}

static void put_top(writer *w, const psc_schema *schema, const char *file, const psc_schema *const *used, size_t used_count)
{
    char *guard = psc_strndup(&w->arena, psc_upper(&w->arena, file), strlen(file));
    for (char *c = guard; *c; c++) {
        *c = (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ? *c : '_';
    }
    bool variants = false;
    for (uint32_t i = 0; i < schema->order_count; i++) {
        for (uint32_t k = 0; k < schema->order[i]->field_count; k++) {
            const psy_psm_field *l = &schema->order[i]->fields[k].layout;
            variants = variants || (l->kind == PSY_FIELD_VARIANT && l->parent == PSY_NONE);
        }
    }
    const char *more = variants ? "#include <psyne/variant.h>\n" : "";
    for (size_t i = 0; i < schema->import_count + used_count; i++) {
        const psc_schema *other = i < schema->import_count ? schema->imports[i].schema : used[i - schema->import_count];
        more = TEXT("%s%s#include \"%s.h\"\n", more, i == 0 ? "\n" : "", psc_schema_file(other));
    }
    put(w, "top",
        PAIRS({"file", file}, {"more", more}, {"guard", TEXT("%s%s_H", *guard >= '0' && *guard <= '9' ? "PSY_" : "", guard)}));
}

int psc_header_write(const psc_schema *schema, const char *file, const psc_schema *const *used, size_t used_count, FILE *to)
{
    writer writer_ = {.to = to}, *w = &writer_;
    psc_arena_init(&w->arena);
    put_top(w, schema, file, used, used_count);
    const char *prefix = psc_schema_prefix(&w->arena, schema);
    for (uint32_t i = 0; i < schema->constant_count; i++) {
        const psc_constant *c = &schema->constants[i];
        put(w, "blank", NULL);
        put_doc(w, c->doc);
        put(w, "constant",
            PAIRS({"NAME", psc_upper(&w->arena, TEXT("%s%s", prefix, c->name))},
                  {"value", c->is_float ? real_text(w, c->real) : integer_text(w, c->integer)}));
    }
    for (uint32_t i = 0; i < schema->order_count; i++) {
        w->message = schema->order[i];
        w->type = psc_snake(&w->arena, w->message->full_name);
        w->upper = psc_upper(&w->arena, w->type);
        put(w, "blank", NULL);
        put_struct(w);
        put_functions(w);
    }
    put(w, "bottom", NULL);
    psc_arena_fini(&w->arena);
    return ferror(to) ? -1 : 0;
}
