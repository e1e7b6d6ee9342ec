/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the C header of a schema. */
#include "header.h"

#include <ctype.h>
#include <string.h>

#include "isa/layout.h"
#include "schema_names.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header, section, pairs, w->to);
}

/* "shop.psy" -> "shop_psy", whatever the file is called. */
const char *psc_header_word(psc_header *w, const char *file)
{
    char *word = psc_strndup(w->arena, file, strlen(file));
    for (char *c = word; *c; c++) {
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
    }
    return isdigit((unsigned char)*word) ? TEXT("psy_%s", word) : word;
}

static void put_top(psc_header *w, const char *file, const psc_schema *const *used, size_t used_count)
{
    static const char *const always[] = {"json", "message", "reflect", "verify"};
    bool variants = false, tails = false;
    for (uint32_t i = 0; i < w->schema->order_count; i++) {
        const psc_message *m = w->schema->order[i];
        tails = tails || psc_type_is_tailed(m);
        for (uint32_t k = 0; k < m->field_count; k++) {
            variants = variants || (m->fields[k].layout.kind == PSY_FIELD_VARIANT && psc_field_is_own(&m->fields[k]));
        }
    }
    const char *more = tails ? "#include <psyne/builder.h>\n" : "";
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        more = TEXT("%s#include <psyne/%s.h>\n", more, always[i]);
    }
    more = TEXT("%s%s", more, variants ? "#include <psyne/variant.h>\n" : "");
    for (size_t i = 0; i < w->schema->import_count + used_count; i++) {
        const size_t own = w->schema->import_count;
        const psc_schema *other = i < own ? w->schema->imports[i].schema : used[i - own];
        more = TEXT("%s%s#include \"%s.h\"\n", more, i == 0 ? "\n" : "", psc_schema_file(other));
    }
    put(w, "top", PSC_PAIRS({"file", file}, {"more", more}, {"guard", TEXT("%s_H", psc_upper(w->arena, w->word))}));
}

static void put_constants(psc_header *w)
{
    const char *prefix = psc_schema_prefix(w->arena, w->schema);
    for (uint32_t i = 0; i < w->schema->constant_count; i++) {
        const psc_constant *c = &w->schema->constants[i];
        put(w, "blank", NULL);
        psc_header_doc(w, c->doc);
        put(w, "constant",
            PSC_PAIRS({"NAME", psc_upper(w->arena, TEXT("%s%s", prefix, c->name))},
                      {"value", c->is_float ? psc_header_real(w, c->real) : psc_header_integer(w, c->integer)}));
    }
}

static void put_message(psc_header *w)
{
    psc_header_struct(w);
    put(w, "type",
        PSC_PAIRS({"type", w->type}, {"word", w->word}, {"index", psc_header_decimal(w, psc_header_index(w, w->message))}));
    psc_header_init(w);
    psc_header_verify(w);
    psc_header_read(w);
    psc_header_accessors(w);
}

static void put_type(psc_header *w, const psc_message *m)
{
    w->message = m;
    w->type = psc_header_type(w, m);
    w->upper = psc_upper(w->arena, w->type);
    if (m->layout.kind == PSY_TYPE_UNION) {
        return; /* the message that it is in has it */
    }
    put(w, "blank", NULL);
    if (m->layout.kind == PSY_TYPE_MESSAGE) {
        put_message(w);
    } else if (m->layout.kind == PSY_TYPE_STRUCT) {
        psc_header_struct(w);
        psc_header_verify(w);
    } else {
        psc_header_enum(w);
    }
}

static bool is_deprecated(const psc_message *m)
{
    bool is = m->deprecated != NULL;
    for (uint32_t i = 0; i < m->field_count; i++) {
        is = is || m->fields[i].deprecated || (m->fields[i].type && m->fields[i].type->deprecated);
    }
    return is;
}

int psc_header_write(const psc_schema *schema, const char *file, const psc_schema *const *used, size_t used_count, FILE *to)
{
    psc_arena arena;
    psc_header writer = {.arena = &arena, .to = to, .schema = schema}, *w = &writer;
    bool silent = false;
    psc_arena_init(&arena);
    w->word = psc_header_word(w, file);
    put_top(w, file, used, used_count);
    put_constants(w);
    for (uint32_t i = 0; i < schema->order_count; i++) {
        silent = silent || is_deprecated(schema->order[i]);
    }
    if (silent) {
        put(w, "silent", NULL);
    }
    psc_header_reflection_begin(w);
    for (uint32_t i = 0; i < schema->order_count; i++) {
        put_type(w, schema->order[i]);
    }
    psc_header_reflection(w);
    if (silent) {
        put(w, "silent_end", NULL);
    }
    put(w, "bottom", NULL);
    psc_arena_fini(&arena);
    return ferror(to) ? -1 : 0;
}
