/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/source.h"

#include <psyne/json.h>
#include <psyne/variant.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "isa/layout.h"

struct psy__source_field {
    char *name;
    const char *path;
    psy__npy npy;
    const psy_psm_field *field;
    bool each; /* axis 0 are the messages */
};

/* ---- what is named ---- */

char *psy__assignment(const char *option, const char *value, const char **file)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value || equals[1] == '\0') {
        psy__misuse(NULL, "%s takes NAME=FILE, and not `%s`", option, value);
    }
    char *name = strndup(value, (size_t)(equals - value));
    if (!name) {
        psy__no_memory();
    }
    *file = equals + 1;
    return name;
}

void psy__source_add_field(psy__source *s, const char *value)
{
    s->fields = realloc(s->fields, (s->field_count + 1) * sizeof *s->fields);
    if (!s->fields) {
        psy__no_memory();
    }
    psy__source_field f = {.field = NULL};
    f.name = psy__assignment("--input", value, &f.path);
    s->fields[s->field_count++] = f;
}

psy_status psy__npy_field(const psy_type *type, const char *name, const psy_psm_field **field, uint32_t *rank)
{
    const psy_psm_type *t = psy_reflect_type(type);
    for (uint32_t i = 0; i < t->field_count; i++) {
        const psy_psm_field *f = psy_reflect_field(type, i);
        if (strcmp(psy_reflect_string(type->reflection, f->name), name) != 0) {
            continue;
        }
        const bool vector = psy__field_is_vector(f), variant = f->kind == PSY_FIELD_VARIANT && !(f->flags & PSY_FIELD_OPEN);
        const bool scalar = (f->flags & (PSY_FIELD_TEXT | PSY_FIELD_ITEMS)) == 0 &&
                            (f->kind == PSY_FIELD_SCALAR || (f->kind == PSY_FIELD_OPTIONAL && !vector));
        if (!vector && !variant && !scalar) {
            char text[256];
            return psy_fail(PSY_UNSUPPORTED, "%s.%s is %s: .npy files hold numbers, arrays of numbers and bounded variants",
                            type->name, name, psy_reflect_field_text(type->reflection, f, text, sizeof text));
        }
        *field = f;
        *rank = variant ? PSY_NONE : vector;
        return PSY_OK;
    }
    return psy_fail(PSY_NOT_FOUND, "%s has no field `%s`", type->name, name);
}

/* ---- messages ---- */

static psy_status too_many(void)
{
    return psy_fail(PSY_TOO_LARGE, "more than %" PRIu64 " MiB of messages", PSY_SOURCE_BYTES_MAX >> 20);
}

/* The place for one more. */
static psy_status next_place(psy__source *s, unsigned char **out)
{
    const uint64_t used = s->count * s->type.bytes, bytes = used + s->type.bytes;
    if (bytes > PSY_SOURCE_BYTES_MAX) {
        return too_many();
    }
    if (bytes > s->memory.bytes) {
        psy__room_grow(&s->memory, bytes < PSY_SOURCE_BYTES_MAX / 2 ? 2 * bytes + 65536 : PSY_SOURCE_BYTES_MAX, used);
    }
    *out = s->memory.at + used;
    return PSY_OK;
}

static psy_status read_json(psy__source *s, const char *text, size_t n)
{
    psy_status status = PSY_OK;
    for (size_t at = 0, size; status == PSY_OK;) {
        unsigned char *to = NULL;
        status = next_place(s, &to);
        if (status == PSY_OK) {
            status = psy_message_parse_next(&s->type, text, n, &at, to, s->type.bytes, &size);
            s->count += status == PSY_OK;
        }
    }
    return status == PSY_NOT_FOUND ? PSY_OK : status;
}

static psy_status read_stored(psy__source *s, const unsigned char *bytes, size_t n)
{
    psy_status status = PSY_OK;
    for (size_t at = 0; status == PSY_OK && at < n;) {
        psy_message_header h = {0};
        size_t size;
        unsigned char *to = NULL;
        memcpy(&h, bytes + at, n - at < sizeof h ? n - at : sizeof h);
        if (h.bytes < 64 || h.bytes % 64 != 0 || h.bytes > n - at) {
            return psy_fail(PSY_CORRUPT, "at byte %zu: %s: there is no message of %" PRIu32 " bytes", at, s->type.name,
                            h.bytes);
        }
        status = next_place(s, &to);
        if (status == PSY_OK) {
            status = psy_message_read(&s->type, to, s->type.bytes, &size, bytes + at, h.bytes);
            if (status != PSY_OK) {
                char said[400];
                snprintf(said, sizeof said, "%s", psy_detail());
                return psy_fail(status, "at byte %zu: %s", at, said);
            }
            s->count++;
        }
        at += h.bytes;
    }
    return status;
}

static psy_status read_file(psy__source *s, const char *path, psy__room *text)
{
    size_t n;
    psy_status status = psy__file_read(path, text, &n);
    if (status != PSY_OK) {
        return status;
    }
    /* The first byte of a stored message is the lowest of its size, a multiple of 64: no blank and no brace. */
    const bool stored = n > 0 && text->at[0] % 64 == 0;
    status = stored ? read_stored(s, text->at, n) : read_json(s, (const char *)text->at, n);
    if (status != PSY_OK) {
        char said[400];
        snprintf(said, sizeof said, "%s", psy_detail());
        return psy_fail(status, "%s: %s", psy__file_name(path), said);
    }
    return PSY_OK;
}

/* ---- fields ---- */

static psy_status does_not_fit(const psy__source *s, const psy__source_field *f)
{
    char has[256], wants[256];
    return psy_fail(PSY_INVALID, "%s: it is %s, and %s.%s is %s", f->path,
                    psy__npy_text(f->npy.dtype, f->npy.rank, f->npy.dims, has, sizeof has), s->type.name, f->name,
                    psy_reflect_field_text(s->type.reflection, f->field, wants, sizeof wants));
}

static psy_status open_field(psy__source *s, psy__source_field *f)
{
    uint32_t rank;
    psy_status status = psy__npy_field(&s->type, f->name, &f->field, &rank);
    status = status == PSY_OK ? psy__npy_open(f->path, &f->npy) : status;
    if (status != PSY_OK) {
        return status;
    }
    f->each = rank == PSY_NONE || f->npy.rank == rank + 1;
    if (rank == PSY_NONE) { /* each message has what axis 0 leaves */
        return f->npy.rank >= 1 ? PSY_OK : does_not_fit(s, f);
    }
    if (f->npy.dtype != f->field->dtype || (!f->each && f->npy.rank != rank)) {
        return does_not_fit(s, f);
    }
    const uint64_t length = rank == 1 ? f->npy.dims[f->npy.rank - 1] : 1;
    const bool bounded = f->field->kind == PSY_FIELD_BOUNDED;
    return bounded                                       ? length <= f->field->count ? PSY_OK : does_not_fit(s, f)
                                                 : length == (rank == 1 ? f->field->count : 1) ? PSY_OK
                                                         : does_not_fit(s, f);
}

static psy_status set_field(const psy__source *s, const psy__source_field *f, uint64_t message, unsigned char *to)
{
    const psy__npy *x = &f->npy;
    const uint64_t rows = f->each ? x->dims[0] : 1, elements = rows ? x->count / rows : 0,
                   bytes = elements * psy_dtype_bytes(x->dtype);
    const unsigned char *from = (const unsigned char *)x->data + (f->each ? message : 0) * bytes;
    if (f->field->kind == PSY_FIELD_BOUNDED) {
        const uint32_t n = (uint32_t)elements;
        memcpy(to + f->field->count_offset, &n, sizeof n);
    } else if (f->field->kind == PSY_FIELD_OPTIONAL) {
        to[f->field->count_offset] = 1;
    } else if (f->field->kind == PSY_FIELD_VARIANT) {
        uint32_t dims[PSY_RANK_MAX] = {0};
        psy_variant_head head;
        for (uint32_t d = 1; d < x->rank; d++) {
            if (x->dims[d] > UINT32_MAX) {
                return does_not_fit(s, f);
            }
            dims[d - 1] = (uint32_t)x->dims[d];
        }
        if (psy_variant_describe(&head, f->field->count, x->dtype, x->rank - 1, dims) != PSY_OK) {
            return does_not_fit(s, f);
        }
        memcpy(to + f->field->count_offset, &head, sizeof head);
    }
    memcpy(to + f->field->offset, from, bytes);
    return PSY_OK;
}

/* As many messages as the fields have. */
static psy_status make_messages(psy__source *s)
{
    uint64_t count = 1;
    for (uint32_t i = s->field_count; i-- > 0;) {
        count = s->fields[i].each ? s->fields[i].npy.dims[0] : count;
    }
    /* An array without elements may have as many rows as it likes. */
    psy_status status = count > PSY_SOURCE_BYTES_MAX / s->type.bytes ? too_many() : PSY_OK;
    while (status == PSY_OK && s->count < count) {
        unsigned char *to = NULL;
        status = next_place(s, &to);
        if (status == PSY_OK) {
            status = psy_message_init(&s->type, to, s->type.bytes);
            s->count++;
        }
    }
    return status;
}

static psy_status set_fields(psy__source *s)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < s->field_count; i++) {
        const psy__source_field *f = &s->fields[i];
        if (f->each && f->npy.dims[0] != s->count) {
            return psy_fail(PSY_INVALID, "%s: its first axis has %" PRIu64 ", and there are %" PRIu64 " messages", f->path,
                            f->npy.dims[0], s->count);
        }
        for (uint64_t k = 0; status == PSY_OK && k < s->count; k++) {
            status = set_field(s, f, k, s->memory.at + k * s->type.bytes);
        }
    }
    /* What a file says may be no value of an enum. */
    for (uint64_t k = 0; status == PSY_OK && s->field_count > 0 && k < s->count; k++) {
        status = psy_message_verify(&s->type, psy__source_at(s, k), s->type.bytes);
    }
    return status;
}

psy_status psy__source_read(psy__source *s, const psy_type *type, char **paths, int count)
{
    static char *standard_input[] = {"-"};
    psy__room text = {0};
    psy_status status = PSY_OK;
    s->type = *type;
    if (psy_reflect_type(type)->flags & PSY_TYPE_TAILED) {
        return psy_fail(PSY_UNSUPPORTED, "%s has fields without a bound: pipelines take messages of one size", type->name);
    }
    for (uint32_t i = 0; status == PSY_OK && i < s->field_count; i++) {
        status = open_field(s, &s->fields[i]);
    }
    if (count == 0 && s->field_count == 0) {
        paths = standard_input;
        count = 1;
    }
    for (int i = 0; status == PSY_OK && i < count; i++) {
        status = read_file(s, paths[i], &text);
    }
    free(text.at);
    if (status == PSY_OK && count == 0) {
        status = make_messages(s);
    }
    return status == PSY_OK ? set_fields(s) : status;
}

void psy__source_end(psy__source *s)
{
    for (uint32_t i = 0; i < s->field_count; i++) {
        psy__npy_close(&s->fields[i].npy);
        free(s->fields[i].name);
    }
    free(s->fields);
    free(s->memory.at);
    *s = (psy__source){.count = 0};
}
