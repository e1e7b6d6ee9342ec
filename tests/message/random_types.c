/* SPDX-License-Identifier: Apache-2.0 */
#include "random_types.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "isa/layout.h"

/* A fuzzer has no tests. */
static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* xorshift64* (Vigna, 2016) */
uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

uint32_t random_below(random_types *g, uint32_t n) { return (uint32_t)(random_next(&g->state) >> 33) % n; }

static bool one_in(random_types *g, uint32_t n) { return random_below(g, n) == 0; }

static uint32_t string(random_types *g, const char *text)
{
    const uint32_t at = g->strings_bytes, n = (uint32_t)strlen(text) + 1;
    must(at + n <= RANDOM_STRINGS);
    memcpy(g->strings + at, text, n);
    g->strings_bytes += n;
    return at;
}

/* ---- types ---- */

static psy_psm_field *add_field(random_types *g, psy_psm_type *t, uint8_t kind, uint8_t dtype, unsigned flags, uint32_t count)
{
    char name[16];
    psy_psm_field *f = &g->fields[t->first_field + t->field_count];
    must(t->first_field + t->field_count < RANDOM_FIELDS);
    snprintf(name, sizeof name, "f%u", g->names++);
    *f = (psy_psm_field){.name = string(g, name),
                         .dtype = dtype,
                         .kind = kind,
                         .flags = (uint16_t)flags,
                         .count = count,
                         .since = t->field_count ? f[-1].since + one_in(g, 6) : 1,
                         .inner = 1,
                         .parent = PSY_NONE,
                         .type = PSY_NONE};
    for (uint32_t i = t->first_field; i < t->first_field + t->field_count; i++) {
        f->since = g->fields[i].parent == PSY_NONE && g->fields[i].since > f->since ? g->fields[i].since : f->since;
    }
    if (f[0].since > 1 && t->kind != PSY_TYPE_MESSAGE) {
        f->since = 1;
    }
    t->field_count++;
    return f;
}

/* One of the types so far that are of the kind; PSY_NONE: there is none. */
static uint32_t pick(random_types *g, uint8_t kind)
{
    const uint32_t start = g->type_count ? random_below(g, g->type_count) : 0;
    for (uint32_t k = 0; k < g->type_count; k++) {
        const uint32_t i = (start + k) % g->type_count;
        if (g->types[i].kind == kind) {
            return i;
        }
    }
    return PSY_NONE;
}

/* A part or struct, and what is in it. */
static void add_nested(random_types *g, psy_psm_type *t, uint8_t kind, uint32_t of)
{
    const psy_psm_type *inner = &g->types[of];
    psy_psm_field *part = add_field(g, t, kind, PSY_U8, 0, 1);
    const uint32_t index = t->field_count - 1;
    for (uint32_t i = 0; i < inner->field_count; i++) {
        char name[128];
        psy_psm_field *f = &g->fields[t->first_field + t->field_count++];
        must(t->first_field + t->field_count <= RANDOM_FIELDS);
        *f = g->fields[inner->first_field + i];
        snprintf(name, sizeof name, "%s.%s", g->strings + part->name, g->strings + f->name);
        f->name = string(g, name);
        f->parent = f->parent == PSY_NONE ? index : f->parent + index + 1;
        f->flags &= (uint16_t)~PSY_FIELD_KEY;
    }
}

static uint8_t random_dtype(random_types *g) { return (uint8_t)(PSY_BOOL + random_below(g, PSY_F64 - PSY_BOOL + 1)); }

/* A number, or one that has names. */
static void number(random_types *g, psy_psm_field *f)
{
    const uint32_t names = one_in(g, 3) ? pick(g, one_in(g, 2) ? PSY_TYPE_ENUM : PSY_TYPE_FLAGS) : PSY_NONE;
    f->dtype = names == PSY_NONE ? random_dtype(g) : g->types[names].dtype;
    f->type = names;
}

static void item(random_types *g, psy_psm_field *f, uint8_t kind)
{
    f->type = pick(g, kind);
    if (f->type == PSY_NONE) {
        f->dtype = PSY_F32;
    } else {
        f->flags |= PSY_FIELD_ITEMS;
    }
}

static void add_text(random_types *g, psy_psm_type *t, bool may_be_missing)
{
    static const char *const defaults[] = {"", "none", "\xc3\xa9 \"x\"", "a\tb"};
    psy_psm_field *f;
    switch (random_below(g, may_be_missing ? 4 : 3)) {
    case 0:
        f = add_field(g, t, PSY_FIELD_BOUNDED, PSY_U8, PSY_FIELD_TEXT, 8 + random_below(g, 80));
        f->default_bits = t->kind == PSY_TYPE_MESSAGE ? string(g, defaults[random_below(g, 4)]) : 0;
        break;
    case 1:
        f = add_field(g, t, PSY_FIELD_ARRAY, PSY_U8, PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY, 1 + random_below(g, 4));
        f->inner = 1 + random_below(g, 20);
        break;
    case 2:
        f = add_field(g, t, PSY_FIELD_BOUNDED, PSY_U8, PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY, 1 + random_below(g, 4));
        f->inner = 1 + random_below(g, 20);
        break;
    default: add_field(g, t, PSY_FIELD_OPTIONAL, PSY_U8, PSY_FIELD_TEXT, 1 + random_below(g, 40)); break;
    }
}

static void add_tail(random_types *g, psy_psm_type *t)
{
    psy_psm_field *f = add_field(g, t, PSY_FIELD_TAIL, PSY_U8, 0, 0);
    switch (random_below(g, 5)) {
    case 0: number(g, f); break;
    case 1: f->flags |= PSY_FIELD_TEXT; break;
    case 2: f->flags |= (uint16_t)(PSY_FIELD_TEXT | (t->kind == PSY_TYPE_MESSAGE ? PSY_FIELD_MAYBE : 0)); break;
    case 3: f->flags |= PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY; break;
    default: item(g, f, one_in(g, 3) ? PSY_TYPE_STRUCT : PSY_TYPE_MESSAGE); break;
    }
}

/* A field of a message or union. */
static void add_any(random_types *g, psy_psm_type *t)
{
    const bool message = t->kind == PSY_TYPE_MESSAGE;
    psy_psm_field *f;
    uint32_t of;
    switch (random_below(g, message ? 14 : 11)) {
    case 0:
    case 1:
        f = add_field(g, t, PSY_FIELD_SCALAR, 0, 0, 1);
        number(g, f);
        f->default_bits = message ? (f->dtype == PSY_BOOL ? random_below(g, 2) : random_below(g, 100)) : 0;
        break;
    case 2: number(g, add_field(g, t, PSY_FIELD_ARRAY, 0, 0, 1 + random_below(g, 20))); break;
    case 3: number(g, add_field(g, t, PSY_FIELD_BOUNDED, 0, 0, 1 + random_below(g, 20))); break;
    case 4: add_text(g, t, message); break;
    case 5:
        of = pick(g, one_in(g, 2) ? PSY_TYPE_STRUCT : PSY_TYPE_MESSAGE);
        if (of != PSY_NONE) {
            add_nested(g, t, g->types[of].kind == PSY_TYPE_STRUCT ? PSY_FIELD_STRUCT : PSY_FIELD_PART, of);
        }
        break;
    case 6:
        f = add_field(g, t, one_in(g, 2) ? PSY_FIELD_ARRAY : PSY_FIELD_BOUNDED, PSY_U8, 0, 1 + random_below(g, 3));
        item(g, f, one_in(g, 2) ? PSY_TYPE_STRUCT : PSY_TYPE_MESSAGE);
        break;
    case 7: add_field(g, t, PSY_FIELD_VARIANT, PSY_U8, 0, 1 + random_below(g, 200)); break;
    case 8: add_field(g, t, PSY_FIELD_VARIANT, PSY_U8, PSY_FIELD_OPEN, 0); break;
    case 9:
    case 10: add_tail(g, t); break;
    case 11:
        f = add_field(g, t, PSY_FIELD_OPTIONAL, 0, 0, 1);
        if (one_in(g, 2)) {
            f->flags |= PSY_FIELD_IS_ARRAY;
            f->count = 1 + random_below(g, 20);
        }
        number(g, f);
        break;
    case 12:
        f = add_field(g, t, PSY_FIELD_OPTIONAL, PSY_U8, 0, 1);
        item(g, f, one_in(g, 2) ? PSY_TYPE_STRUCT : PSY_TYPE_MESSAGE);
        break;
    default:
        of = pick(g, PSY_TYPE_UNION);
        if (of != PSY_NONE) {
            add_field(g, t, PSY_FIELD_UNION, PSY_U8, 0, 1)->type = of;
        }
        break;
    }
}

static void add_plain(random_types *g, psy_psm_type *t)
{
    const uint32_t of = pick(g, PSY_TYPE_STRUCT);
    if (of != PSY_NONE && one_in(g, 4)) {
        add_nested(g, t, PSY_FIELD_STRUCT, of);
    } else if (of != PSY_NONE && one_in(g, 4)) {
        item(g, add_field(g, t, PSY_FIELD_ARRAY, PSY_U8, 0, 1 + random_below(g, 3)), PSY_TYPE_STRUCT);
    } else {
        number(g, one_in(g, 2) ? add_field(g, t, PSY_FIELD_SCALAR, 0, 0, 1)
                               : add_field(g, t, PSY_FIELD_ARRAY, 0, 0, 1 + random_below(g, 9)));
    }
}

/* A type of the kind; false: it is too large, too deep, or empty, and is not kept. */
static bool add_type(random_types *g, uint8_t kind)
{
    static const uint8_t bases[] = {PSY_U8, PSY_I8, PSY_U16, PSY_I16, PSY_U32, PSY_I32, PSY_U64, PSY_I64};
    char name[16];
    psy_psm_type *t = &g->types[g->type_count];
    snprintf(name, sizeof name, "r.T%u", g->type_count);
    *t = (psy_psm_type){.name = string(g, name), .first_field = g->field_count, .kind = kind};
    g->names = 0;
    const bool named = kind == PSY_TYPE_ENUM || kind == PSY_TYPE_FLAGS;
    t->dtype = named ? bases[random_below(g, 8)] : 0;
    for (uint32_t i = 0, n = 1 + random_below(g, kind == PSY_TYPE_MESSAGE ? 12 : 5); i < n; i++) {
        if (named) {
            const unsigned width = 8 * psy__dtype_bytes(t->dtype);
            const uint64_t bits =
                kind == PSY_TYPE_ENUM ? random_next(&g->state) : UINT64_C(1) << random_below(g, width) | one_in(g, 3);
            add_field(g, t, PSY_FIELD_SCALAR, t->dtype, 0, 1)->default_bits = bits & (UINT64_MAX >> (64 - width));
            continue;
        }
        const uint32_t before = t->field_count;
        if (kind == PSY_TYPE_STRUCT) {
            add_plain(g, t);
        } else {
            add_any(g, t);
        }
        if (t->field_count > before) {
            psy_psm_field *f = &g->fields[t->first_field + before];
            f->flags |= (uint16_t)(one_in(g, 12) && kind != PSY_TYPE_STRUCT ? PSY_FIELD_RETIRED : 0);
            f->flags |= (uint16_t)(one_in(g, 8) ? random_below(g, 7) << PSY_FIELD_ALIGN_SHIFT : 0);
        }
    }
    if ((t->field_count == 0 && kind != PSY_TYPE_MESSAGE) ||
        psy__layout(g->strings, g->types, g->type_count, t, g->fields + t->first_field) != PSY_OK ||
        t->bytes > RANDOM_MESSAGE_BYTES / 4) {
        return false;
    }
    g->field_count += t->field_count;
    g->type_count++;
    return true;
}

void random_types_make(random_types *g, uint64_t seed)
{
    memset(g, 0, sizeof *g);
    g->state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    g->strings_bytes = 1;
    while (g->type_count < RANDOM_TYPES && g->field_count < RANDOM_FIELDS / 2 && g->strings_bytes < RANDOM_STRINGS / 2) {
        static const uint8_t kinds[] = {PSY_TYPE_ENUM,    PSY_TYPE_FLAGS,   PSY_TYPE_STRUCT,  PSY_TYPE_UNION,
                                        PSY_TYPE_MESSAGE, PSY_TYPE_MESSAGE, PSY_TYPE_MESSAGE, PSY_TYPE_MESSAGE};
        add_type(g, g->type_count + 1 < RANDOM_TYPES ? kinds[random_below(g, 8)] : PSY_TYPE_MESSAGE);
    }
    while (g->types[g->type_count - 1].kind != PSY_TYPE_MESSAGE) {
        g->type_count--;
    }
    g->reflection = (psy_reflection){g->strings, g->types, g->fields, g->type_count, g->field_count};
}

/* ---- messages ---- */

static void write_text(random_types *g, uint32_t most, FILE *to)
{
    static const struct {
        const char *json;
        uint32_t bytes;
    } pieces[] = {{"a", 1},
                  {"Tea ", 4},
                  {"\\n", 1},
                  {"\\\"", 1},
                  {"\\\\", 1},
                  {"\\/", 1},
                  {"\\u00e9", 2},
                  {"\xc3\xa9", 2},
                  {"\\ud83d\\ude00", 4},
                  {"\xe2\x82\xac", 3},
                  {"\\u0000", 1},
                  {"\\u001f", 1},
                  {"\x7f", 1},
                  {"\xf0\x9f\x8c\x8a", 4}};
    uint32_t left = most < 30 ? most : 30;
    fputc('"', to);
    for (uint32_t n = random_below(g, 8); n > 0; n--) {
        const uint32_t k = random_below(g, sizeof pieces / sizeof pieces[0]);
        if (pieces[k].bytes <= left) {
            fputs(pieces[k].json, to);
            left -= pieces[k].bytes;
        }
    }
    fputc('"', to);
}

static void write_float(random_types *g, unsigned dtype, FILE *to)
{
    static const char *const special[] = {"\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "-0", "0.0", "1e-3", "-1.25E+1", "60000"};
    const uint64_t bits = random_next(&g->state);
    float f;
    double d;
    memcpy(&f, &bits, sizeof f);
    memcpy(&d, &bits, sizeof d);
    if (one_in(g, 4) || dtype == PSY_F16 || f - f != 0 || d - d != 0) {
        fputs(special[random_below(g, 8)], to);
    } else if (dtype == PSY_F64) {
        fprintf(to, "%.17g", d);
    } else {
        fprintf(to, "%.*g", dtype == PSY_F32 ? 9 : 4, (double)(dtype == PSY_F32 ? f : f / 2));
    }
}

static void write_number(random_types *g, unsigned dtype, FILE *to)
{
    const unsigned width = 8 * psy__dtype_bytes(dtype);
    const uint64_t bits = one_in(g, 4) ? random_below(g, 3) - UINT64_C(1) : random_next(&g->state);
    switch (psy__dtype_class(dtype)) {
    case PSY_DCLASS_BOOL: fputs(bits & 1 ? "true" : "false", to); break;
    case PSY_DCLASS_SINT: fprintf(to, "%" PRId64, (int64_t)(bits << (64 - width)) >> (64 - width)); break;
    case PSY_DCLASS_UINT: fprintf(to, "%" PRIu64, bits >> (64 - width)); break;
    default: write_float(g, dtype, to); break;
    }
}

static void write_one(random_types *g, const psy_psm_field *f, FILE *to)
{
    const psy_psm_type *names = f->type == PSY_NONE ? NULL : &g->types[f->type];
    if (!names || one_in(g, 3)) {
        write_number(g, f->dtype, to);
    } else if (names->kind == PSY_TYPE_ENUM) {
        fprintf(to, "\"%s\"", g->strings + g->fields[names->first_field + random_below(g, names->field_count)].name);
    } else {
        fputc('[', to);
        for (uint32_t i = 0, n = random_below(g, 4); i < n; i++) {
            fputs(i ? "," : "", to);
            if (one_in(g, 3)) {
                fputc('4', to);
            } else {
                fprintf(to, " \"%s\"", g->strings + g->fields[names->first_field + random_below(g, names->field_count)].name);
            }
        }
        fputc(']', to);
    }
}

static void write_variant(random_types *g, uint32_t most, FILE *to)
{
    const unsigned dtype = random_dtype(g);
    uint32_t dims[3], rank = random_below(g, 4), n = 1;
    for (uint32_t d = 0; d < rank; d++) {
        dims[d] = random_below(g, 4);
        n *= dims[d];
    }
    if (n * psy__dtype_bytes(dtype) > most) {
        fputs("null", to);
        return;
    }
    fprintf(to, "{\"shape\": [");
    for (uint32_t d = 0; d < rank; d++) {
        fprintf(to, "%s%u", d ? ", " : "", dims[d]);
    }
    fputs("], \"data\": [", to);
    for (uint32_t i = 0; i < n; i++) {
        fputs(i ? "," : "", to);
        write_number(g, dtype, to);
    }
    fprintf(to, "],\n\"dtype\": \"%s\"}", psy__dtype_name(dtype));
}

static void write_fields(random_types *g, const psy_psm_type *t, uint32_t first, uint32_t end, uint32_t parent, FILE *to);

static uint32_t end_of(const psy_psm_field *fields, uint32_t i, uint32_t end)
{
    uint32_t next = i + 1;
    while (next < end && fields[next].parent != PSY_NONE && fields[next].parent >= i) {
        next++;
    }
    return next;
}

static void write_type(random_types *g, uint32_t index, FILE *to)
{
    write_fields(g, &g->types[index], 0, g->types[index].field_count, PSY_NONE, to);
}

static void write_field(random_types *g, const psy_psm_type *t, uint32_t i, uint32_t end, FILE *to)
{
    const psy_psm_field *f = &g->fields[t->first_field + i];
    const bool text = (f->flags & PSY_FIELD_TEXT) != 0, several = (f->flags & PSY_FIELD_IS_ARRAY) != 0,
               items = (f->flags & PSY_FIELD_ITEMS) != 0;
    uint32_t count = f->kind == PSY_FIELD_BOUNDED ? random_below(g, f->count + 1) : f->count;
    if (f->kind == PSY_FIELD_PART || f->kind == PSY_FIELD_STRUCT) {
        write_fields(g, t, i + 1, end_of(g->fields + t->first_field, i, end), i, to);
    } else if (f->kind == PSY_FIELD_VARIANT) {
        write_variant(g, f->flags & PSY_FIELD_OPEN ? 1000 : f->count, to);
    } else if (f->kind == PSY_FIELD_UNION) {
        const psy_psm_type *u = &g->types[f->type];
        uint32_t member = random_below(g, u->field_count);
        while (g->fields[u->first_field + member].parent != PSY_NONE) {
            member--;
        }
        const psy_psm_field *m = &g->fields[u->first_field + member];
        if (m->flags & PSY_FIELD_RETIRED) {
            fputs("null", to);
        } else {
            fprintf(to, "{\"%s\": ", g->strings + m->name);
            write_field(g, u, member, u->field_count, to);
            fputc('}', to);
        }
    } else if (f->kind == PSY_FIELD_SCALAR || (f->kind == PSY_FIELD_OPTIONAL && !text && !several && !items)) {
        write_one(g, f, to);
    } else if (items && f->kind == PSY_FIELD_OPTIONAL) {
        write_type(g, f->type, to);
    } else if (text && !several) {
        write_text(g, f->kind == PSY_FIELD_TAIL ? 1000 : f->count, to);
    } else {
        count = f->kind == PSY_FIELD_TAIL ? random_below(g, items ? 3 : 24) : count;
        fputc('[', to);
        for (uint32_t k = 0; k < count; k++) {
            fputs(k ? " ,\t" : "\n", to);
            if (items) {
                write_type(g, f->type, to);
            } else if (text) {
                write_text(g, f->kind == PSY_FIELD_TAIL ? 1000 : f->inner, to);
            } else {
                write_one(g, f, to);
            }
        }
        fputc(']', to);
    }
}

static void write_fields(random_types *g, const psy_psm_type *t, uint32_t first, uint32_t end, uint32_t parent, FILE *to)
{
    const char *between = "";
    const uint32_t kept = random_below(g, 4);
    uint32_t order[256], n = 0;
    for (uint32_t i = first; i < end; i++) {
        const psy_psm_field *f = &g->fields[t->first_field + i];
        if (f->parent == parent && !(f->flags & PSY_FIELD_RETIRED) && (kept > 0 || one_in(g, 2))) {
            must(n < 256);
            order[n++] = i;
        }
    }
    for (uint32_t i = n; i > 1 && kept == 1; i--) {
        const uint32_t k = random_below(g, i), swap = order[k];
        order[k] = order[i - 1];
        order[i - 1] = swap;
    }
    fputc('{', to);
    for (uint32_t k = 0; k < n; k++) {
        const char *name = g->strings + g->fields[t->first_field + order[k]].name, *dot = strrchr(name, '.');
        fprintf(to, "%s\"%s\" : ", between, dot ? dot + 1 : name);
        write_field(g, t, order[k], end, to);
        between = ",\n  ";
    }
    fputc('}', to);
}

static void keep_string(random_types *g, const psy_reflection *r, uint32_t at)
{
    const uint32_t end = at + (uint32_t)strlen(psy_reflect_string(r, at)) + 1;
    must(end <= RANDOM_STRINGS);
    memcpy(g->strings + at, r->strings + at, end - at);
    g->strings_bytes = g->strings_bytes > end ? g->strings_bytes : end;
}

void random_types_take(random_types *g, const psy_reflection *r, uint64_t seed)
{
    must(r->type_count <= RANDOM_TYPES_MAX && r->field_count <= RANDOM_FIELDS);
    g->state = seed;
    g->strings_bytes = 0;
    memcpy(g->types, r->types, r->type_count * sizeof *r->types);
    if (r->field_count > 0) {
        memcpy(g->fields, r->fields, r->field_count * sizeof *r->fields);
    }
    for (uint32_t i = 0; i < r->type_count; i++) {
        keep_string(g, r, r->types[i].name);
    }
    for (uint32_t i = 0; i < r->field_count; i++) {
        keep_string(g, r, r->fields[i].name);
    }
    g->type_count = r->type_count;
    g->field_count = r->field_count;
    g->reflection = (psy_reflection){g->strings, g->types, g->fields, g->type_count, g->field_count};
}

void random_message_write(random_types *g, uint32_t index, FILE *to) { write_type(g, index, to); }

bool random_types_older(random_types *g, uint32_t index, uint32_t version)
{
    const psy_psm_type *of = &g->types[index];
    psy_psm_type *t = &g->types[g->type_count];
    *t = (psy_psm_type){.name = of->name, .first_field = g->field_count, .kind = of->kind};
    must(g->type_count < RANDOM_TYPES + 1 && g->field_count + of->field_count <= RANDOM_FIELDS);
    for (uint32_t i = 0; i < of->field_count; i++) {
        const psy_psm_field *f = &g->fields[of->first_field + i];
        if (f->parent == PSY_NONE && f->since > version) {
            break;
        }
        g->fields[t->first_field + t->field_count++] = *f;
    }
    const uint32_t types = index; /* those that it may have inside */
    return psy__layout(g->strings, g->types, types, t, g->fields + t->first_field) == PSY_OK && t->version == version;
}
