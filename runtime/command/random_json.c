/* SPDX-License-Identifier: Apache-2.0 */
#include "command/random_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "command/command.h"
#include "command/json_text.h"
#include "command/schedule.h"

enum { SOME = 16, PATH_BYTES = 512, NAMES_MAX = 64 };

/* ---- fields and their names ---- */

typedef struct fields {
    const psy_reflection *r;
    const psy_psm_field *at;
    uint32_t first, end, parent; /* those whose parent is this one */
} fields;

static fields fields_of(const psy_reflection *r, uint32_t type)
{
    const psy_psm_type *t = &r->types[type];
    return (fields){r, r->fields + t->first_field, 0, t->field_count, PSY_NONE};
}

/* What lies in field `i`: a part's fields are those of its own type and follow it. */
static fields fields_in(const fields *f, uint32_t i)
{
    fields in = *f;
    in.first = i + 1;
    in.parent = i;
    return in;
}

static bool is_here(const fields *f, uint32_t i)
{
    return f->at[i].parent == f->parent && !(f->at[i].flags & PSY_FIELD_RETIRED);
}

static const char *name_of(const fields *f, uint32_t i)
{
    const char *name = psy_reflect_string(f->r, f->at[i].name), *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* What has fields of its own; false: a leaf. */
static bool inside(const fields *f, uint32_t i, fields *in)
{
    const psy_psm_field *field = &f->at[i];
    if (field->kind == PSY_FIELD_PART || field->kind == PSY_FIELD_STRUCT) {
        *in = fields_in(f, i);
        return true;
    }
    if (field->kind == PSY_FIELD_UNION || (field->flags & PSY_FIELD_ITEMS)) {
        *in = fields_of(f->r, field->type);
        return true;
    }
    return false;
}

/* ---- settings ---- */

static _Noreturn void no_such_field(const fields *f, const psy_type *type, const char *path, size_t n, size_t from)
{
    const char *names[NAMES_MAX];
    char name[64], help[128];
    size_t count = 0;
    bool only;
    for (uint32_t i = f->first; i < f->end && count < NAMES_MAX; i++) {
        if (is_here(f, i)) {
            names[count++] = name_of(f, i);
        }
    }
    snprintf(name, sizeof name, "%.*s", (int)(n - from), path + from);
    name[strcspn(name, ".")] = '\0';
    const char *near = psy__nearest(name, names, count, &only);
    snprintf(help, sizeof help, near ? "did you mean `%.*s%s`?" : "`psyne types` lists the fields of a type%.*s%s", (int)from,
             near ? path : "", near ? near : "");
    psy__misuse(help, "--set: %s has no field `%.*s`", type->name, (int)n, path);
}

void psy__settings_add(psy__settings *s, const psy_type *type, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || equals - text >= PATH_BYTES) {
        psy__misuse("`--set k=10`, `--set q.name=tea`, `--set key=0..999`", "--set takes FIELD=VALUE, and not `%s`", text);
    }
    if (s->count == PSY_SETTINGS_MAX) {
        psy__misuse(NULL, "at most %d fields are set", PSY_SETTINGS_MAX);
    }
    const size_t n = (size_t)(equals - text);
    fields f = fields_of(type->reflection, type->index), in;
    for (size_t from = 0; from <= n;) {
        const size_t word = strcspn(text + from, ".=");
        uint32_t i = f.first;
        while (i < f.end &&
               !(is_here(&f, i) && strlen(name_of(&f, i)) == word && memcmp(name_of(&f, i), text + from, word) == 0)) {
            i++;
        }
        const bool last = from + word == n;
        if (i == f.end || (!last && !inside(&f, i, &in))) {
            no_such_field(&f, type, text, n, from);
        }
        f = last ? f : in;
        from += word + 1;
    }
    s->at[s->count++] = (psy__setting){text, equals + 1, n};
}

/* ---- writing ---- */

typedef struct writer {
    const psy__settings *settings;
    uint64_t *state;
    FILE *to;
    char path[PATH_BYTES];
    size_t path_bytes;
} writer;

static uint64_t below(writer *w, uint64_t n) { return psy__random_below(w->state, n); }

/* The setting of the field that the path names. *within: also one of a field in it. */
static const psy__setting *setting_of(const writer *w, bool within)
{
    for (unsigned i = w->settings->count; i-- > 0;) { /* the last one counts */
        const psy__setting *s = &w->settings->at[i];
        if (s->path_bytes >= w->path_bytes && memcmp(s->path, w->path, w->path_bytes) == 0 &&
            (s->path[w->path_bytes] == '=' || (within && s->path[w->path_bytes] == '.'))) {
            return s;
        }
    }
    return NULL;
}

static bool is_json(const char *value)
{
    return strchr("{[\"-0123456789", value[0]) != NULL || strcmp(value, "true") == 0 || strcmp(value, "false") == 0 ||
           strcmp(value, "null") == 0;
}

/* "1..64" */
static bool write_between(writer *w, const char *value)
{
    char *end;
    errno = 0;
    const long long first = strtoll(value, &end, 10);
    if (end == value || strncmp(end, "..", 2) != 0) {
        return false;
    }
    const char *second = end + 2;
    const long long last = strtoll(second, &end, 10);
    if (end == second || *end || last < first || errno) {
        return false;
    }
    const uint64_t span = (uint64_t)last - (uint64_t)first;
    const uint64_t more = span == UINT64_MAX ? psy__random_next(w->state) : below(w, span + 1);
    fprintf(w->to, "%" PRId64, (int64_t)((uint64_t)first + more));
    return true;
}

static void write_setting(writer *w, const char *value)
{
    if (write_between(w, value)) {
        return;
    }
    if (*value && is_json(value)) {
        fputs(value, w->to);
    } else {
        psy__json_text(w->to, value);
    }
}

static void write_text(writer *w, uint64_t most)
{
    putc('"', w->to);
    for (uint64_t n = below(w, (most < SOME ? most : SOME) + 1); n > 0; n--) {
        putc("abcdefghijklmnopqrstuvwxyz "[below(w, 27)], w -> to);
    }
    putc('"', w->to);
}

static void write_number(writer *w, unsigned dtype)
{
    const unsigned bits = 8 * psy_dtype_bytes(dtype);
    const uint64_t random = psy__random_next(w->state);
    switch (dtype) {
    case PSY_BOOL: fputs(random & 1 ? "true" : "false", w->to); break;
    case PSY_F16:
    case PSY_BF16: fprintf(w->to, "%.3g", 2 * psy__random_part(w->state) - 1); break;
    case PSY_F32: fprintf(w->to, "%.9g", (double)(float)(2 * psy__random_part(w->state) - 1)); break;
    case PSY_F64: fprintf(w->to, "%.17g", 2 * psy__random_part(w->state) - 1); break;
    case PSY_I8:
    case PSY_I16:
    case PSY_I32:
    case PSY_I64: fprintf(w->to, "%" PRId64, (int64_t)random >> (64 - bits)); break;
    default: fprintf(w->to, "%" PRIu64, random >> (64 - bits)); break;
    }
}

/* A number, or names of an enum's or of flags' values. */
static void write_one(writer *w, const psy_reflection *r, const psy_psm_field *field)
{
    if (field->type == PSY_NONE || r->types[field->type].field_count == 0) {
        write_number(w, field->dtype);
        return;
    }
    const psy_psm_type *t = &r->types[field->type];
    const bool flags = t->kind == PSY_TYPE_FLAGS;
    fprintf(w->to, "%s\"%s\"%s", flags ? "[" : "",
            psy_reflect_string(r, r->fields[t->first_field + below(w, t->field_count)].name), flags ? "]" : "");
}

static void write_variant(writer *w, const psy_psm_field *field)
{
    const uint64_t room = (field->flags & PSY_FIELD_OPEN) ? 4 * SOME : field->count,
                   n = below(w, (room / 4 < SOME ? room / 4 : SOME) + 1);
    fprintf(w->to, "{\"dtype\":\"f32\",\"shape\":[%" PRIu64 "],\"data\":[", n);
    for (uint64_t i = 0; i < n; i++) {
        fputs(i ? "," : "", w->to);
        write_number(w, PSY_F32);
    }
    fputs("]}", w->to);
}

static void write_object(writer *w, const fields *f);

static void write_union(writer *w, const fields *f);

static void write_array(writer *w, const fields *f, uint32_t i)
{
    const psy_psm_field *field = &f->at[i];
    const uint64_t room = field->kind == PSY_FIELD_TAIL ? SOME : field->count;
    const bool fixed = field->kind == PSY_FIELD_ARRAY || field->kind == PSY_FIELD_OPTIONAL;
    const uint64_t n = fixed ? room : below(w, room + 1);
    putc('[', w->to);
    for (uint64_t k = 0; k < n; k++) {
        fields in;
        fputs(k ? "," : "", w->to);
        if (inside(f, i, &in)) {
            write_object(w, &in);
        } else if (field->flags & PSY_FIELD_TEXT) {
            write_text(w, field->kind == PSY_FIELD_TAIL ? SOME : field->inner);
        } else {
            write_one(w, f->r, field);
        }
    }
    putc(']', w->to);
}

static void write_value(writer *w, const fields *f, uint32_t i)
{
    const psy_psm_field *field = &f->at[i];
    const bool several = (field->flags & PSY_FIELD_IS_ARRAY) != 0, items = (field->flags & PSY_FIELD_ITEMS) != 0;
    const psy__setting *set = setting_of(w, false);
    fields in;
    if (set) {
        write_setting(w, set->value);
    } else if (field->kind == PSY_FIELD_VARIANT) {
        write_variant(w, field);
    } else if (field->kind == PSY_FIELD_UNION) {
        in = fields_of(f->r, field->type);
        write_union(w, &in);
    } else if (field->kind == PSY_FIELD_PART || field->kind == PSY_FIELD_STRUCT ||
               (items && field->kind == PSY_FIELD_OPTIONAL)) {
        inside(f, i, &in);
        write_object(w, &in);
    } else if ((field->flags & PSY_FIELD_TEXT) && !several) {
        write_text(w, field->kind == PSY_FIELD_TAIL ? SOME : field->count);
    } else if (!several && !items && (field->kind == PSY_FIELD_SCALAR || field->kind == PSY_FIELD_OPTIONAL)) {
        write_one(w, f->r, field);
    } else {
        write_array(w, f, i);
    }
}

/* Goes into the field, and gives what the path was. */
static size_t enter(writer *w, const char *name)
{
    const size_t before = w->path_bytes;
    const int n = snprintf(w->path + before, sizeof w->path - before, "%s%s", before ? "." : "", name);
    w->path_bytes = n > 0 && (size_t)n < sizeof w->path - before ? before + (size_t)n : before;
    return before;
}

static bool may_be_missing(const psy_psm_field *field)
{
    return field->kind == PSY_FIELD_OPTIONAL || field->kind == PSY_FIELD_UNION || field->kind == PSY_FIELD_VARIANT ||
           (field->flags & PSY_FIELD_MAYBE);
}

static void write_object(writer *w, const fields *f)
{
    const char *between = "";
    putc('{', w->to);
    for (uint32_t i = f->first; i < f->end; i++) {
        if (!is_here(f, i)) {
            continue;
        }
        const size_t before = enter(w, name_of(f, i));
        if (!may_be_missing(&f->at[i]) || setting_of(w, true) || below(w, 4) > 0) {
            fprintf(w->to, "%s\"%s\":", between, name_of(f, i));
            write_value(w, f, i);
            between = ",";
        }
        w->path_bytes = before;
    }
    putc('}', w->to);
}

/* One of the members: the one that something is set in, if there is one. */
static void write_union(writer *w, const fields *f)
{
    uint32_t members = 0, chosen = PSY_NONE;
    for (uint32_t i = f->first; i < f->end; i++) {
        if (is_here(f, i)) {
            const size_t before = enter(w, name_of(f, i));
            if (setting_of(w, true)) {
                chosen = i;
            }
            w->path_bytes = before;
            members++;
        }
    }
    uint64_t left = members > 0 && chosen == PSY_NONE ? below(w, members) + 1 : 0;
    for (uint32_t i = f->first; i < f->end && left > 0; i++) {
        left -= is_here(f, i);
        chosen = is_here(f, i) && left == 0 ? i : chosen;
    }
    if (chosen == PSY_NONE) {
        fputs("null", w->to);
        return;
    }
    const size_t before = enter(w, name_of(f, chosen));
    fprintf(w->to, "{\"%s\":", name_of(f, chosen));
    write_value(w, f, chosen);
    putc('}', w->to);
    w->path_bytes = before;
}

void psy__random_json_write(const psy_type *type, const psy__settings *settings, uint64_t *state, FILE *to)
{
    const fields f = fields_of(type->reflection, type->index);
    writer w = {.settings = settings, .state = state, .to = to};
    write_object(&w, &f);
}
