/* SPDX-License-Identifier: Apache-2.0 */
/* A module as JSON, for tools that bind to it: made of the module alone, so that assembly gives it too. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "emit.h"
#include "isa/layout.h"
#include "json.h"

typedef struct reflection {
    const psy__module *m;
    psc_json j;
} reflection;

static const char *string(const reflection *r, uint32_t at) { return psy__module_string(r->m, at); }

static void put_name(reflection *r, const char *key, uint32_t at) { psc_json_text(&r->j, key, string(r, at)); }

/* A size is a number, or the name of one. */
static void put_dim(reflection *r, const char *key, psy_dim dim)
{
    if (psy__dim_is_symbol(dim)) {
        put_name(r, key, r->m->symbols[psy__dim_symbol(dim)].name);
    } else {
        psc_json_number(&r->j, key, dim);
    }
}

static void put_dims(reflection *r, const psy_dim *dims, uint32_t rank)
{
    psc_json_open(&r->j, "dims", '[');
    for (uint32_t d = 0; d < rank; d++) {
        put_dim(r, NULL, dims[d]);
    }
    psc_json_close(&r->j, ']');
}

static void put_hash(reflection *r, const char *key, uint64_t hash)
{
    char text[32];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    psc_json_text(&r->j, key, text);
}

static void put_default(reflection *r, const psy_psm_field *f)
{
    char text[40];
    int64_t integer;
    double real;
    if (psy__dtype_class(f->dtype) == PSY_DCLASS_FLOAT) {
        uint64_t bits = psc_fold_cast(f->dtype, PSY_F64, f->default_bits);
        memcpy(&real, &bits, sizeof real);
        snprintf(text, sizeof text, isfinite(real) ? "%.17g" : "null", real);
    } else if (f->dtype == PSY_U64) {
        snprintf(text, sizeof text, "%" PRIu64, f->default_bits);
    } else {
        integer = (int64_t)psc_fold_cast(f->dtype, PSY_I64, f->default_bits);
        snprintf(text, sizeof text, "%" PRId64, integer);
    }
    if (f->dtype == PSY_BOOL) {
        psc_json_flag(&r->j, "default", f->default_bits != 0);
    } else {
        psc_json_raw(&r->j, "default", text);
    }
}

/* Those that are set; the key is told of every field. */
static void put_flags(reflection *r, const psy_psm_field *f)
{
    static const struct {
        const char *key;
        unsigned flag;
    } rows[] = {{"text", PSY_FIELD_TEXT},   {"items", PSY_FIELD_ITEMS},     {"open", PSY_FIELD_OPEN},
                {"maybe", PSY_FIELD_MAYBE}, {"retired", PSY_FIELD_RETIRED}, {"deprecated", PSY_FIELD_DEPRECATED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (f->flags & rows[i].flag) {
            psc_json_flag(&r->j, rows[i].key, true);
        }
    }
    if (f->kind == PSY_FIELD_TAIL && (f->flags & PSY_FIELD_IS_ARRAY)) {
        psc_json_flag(&r->j, "array", true);
    }
}

static void put_field(reflection *r, const psy_psm_field *f)
{
    static const char *const kinds[] = {"scalar", "array", "bounded", "optional", "part", "variant", "struct", "union", "tail"};
    static_assert(sizeof kinds / sizeof kinds[0] == PSY_FIELD_KIND_END, "a word for every kind");
    psc_json_open(&r->j, NULL, '{');
    put_name(r, "name", f->name);
    psc_json_text(&r->j, "dtype", psy__dtype_name(f->dtype));
    psc_json_text(&r->j, "kind", kinds[f->kind]);
    psc_json_number(&r->j, "count", f->count);
    psc_json_number(&r->j, "offset", f->offset);
    if (f->count_offset != PSY_NONE) {
        psc_json_number(&r->j, "count_offset", f->count_offset);
    }
    if (psy__field_is_texts(f) || (f->flags & PSY_FIELD_ITEMS)) {
        psc_json_number(&r->j, "inner", f->inner);
    }
    if (f->inner_offset != PSY_NONE) {
        psc_json_number(&r->j, "inner_offset", f->inner_offset);
    }
    if (psy__field_align(f) != 1) {
        psc_json_number(&r->j, "align", psy__field_align(f));
    }
    put_flags(r, f);
    if (f->type != PSY_NONE) {
        put_name(r, "type", r->m->types[f->type].name);
    }
    if (f->parent != PSY_NONE) {
        psc_json_number(&r->j, "parent", f->parent);
    }
    if (f->flags & PSY_FIELD_TEXT) {
        if (f->default_bits != 0) {
            put_name(r, "default", (uint32_t)f->default_bits);
        }
    } else if (f->kind == PSY_FIELD_SCALAR ||
               (f->kind == PSY_FIELD_OPTIONAL && !(f->flags & (PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS)))) {
        put_default(r, f);
    }
    psc_json_number(&r->j, "since", f->since);
    psc_json_flag(&r->j, "key", f->flags & PSY_FIELD_KEY);
    psc_json_close(&r->j, '}');
}

static void put_types(reflection *r)
{
    static const char *const type_kinds[] = {"message", "struct", "union", "enum", "flags"};
    static_assert(sizeof type_kinds / sizeof type_kinds[0] == PSY_TYPE_KIND_END, "a word for every kind");
    psc_json_open(&r->j, "types", '[');
    for (uint32_t i = 0; i < r->m->type_count; i++) {
        const psy_psm_type *t = &r->m->types[i];
        psc_json_open(&r->j, NULL, '{');
        put_name(r, "name", t->name);
        psc_json_text(&r->j, "kind", type_kinds[t->kind]);
        if (t->dtype != 0) {
            psc_json_text(&r->j, "dtype", psy__dtype_name(t->dtype));
        }
        if (t->kind != PSY_TYPE_MESSAGE) {
            psc_json_number(&r->j, "align", t->align);
        }
        if (t->flags & PSY_TYPE_TAILED) {
            psc_json_flag(&r->j, "tailed", true);
        }
        psc_json_number(&r->j, "bytes", t->bytes);
        psc_json_number(&r->j, "version", t->version);
        put_hash(r, "layout_hash", t->layout_hash);
        psc_json_open(&r->j, "fields", '[');
        for (uint32_t k = 0; k < t->field_count; k++) {
            put_field(r, &r->m->fields[t->first_field + k]);
        }
        psc_json_close(&r->j, ']');
        psc_json_close(&r->j, '}');
    }
    psc_json_close(&r->j, ']');
}

static void put_sizes(reflection *r)
{
    static const char *const kinds[PSY_SYMBOL_KIND_END] = {
        [PSY_SYMBOL_GLOBAL] = "global",
        [PSY_SYMBOL_LOCAL] = "local",
        [PSY_SYMBOL_SHARDS] = "shards",
        [PSY_SYMBOL_MESSAGE] = "message",
    };
    psc_json_open(&r->j, "sizes", '[');
    for (uint32_t i = 0; i < r->m->symbol_count; i++) {
        const psy_psm_symbol *s = &r->m->symbols[i];
        const char *computed = psy__symbol_word(s->kind);
        psc_json_open(&r->j, NULL, '{');
        put_name(r, "name", s->name);
        psc_json_text(&r->j, "kind", computed ? computed : kinds[s->kind]);
        if (computed) {
            put_dim(r, "left", s->of);
            put_dim(r, "right", s->with);
        } else if (s->kind == PSY_SYMBOL_LOCAL) {
            put_name(r, "of", r->m->symbols[s->of].name);
        }
        psc_json_close(&r->j, '}');
    }
    psc_json_close(&r->j, ']');
    psc_json_open(&r->j, "checks", '[');
    for (uint32_t i = 0; i < r->m->check_count; i++) {
        const psy_psm_check *c = &r->m->checks[i];
        psc_json_open(&r->j, NULL, '{');
        put_dim(r, "left", c->left);
        psc_json_text(&r->j, "relation", c->relation == PSY_CHECK_EQ ? "==" : ">=");
        put_dim(r, "right", c->right);
        put_name(r, "message", c->message);
        psc_json_close(&r->j, '}');
    }
    psc_json_close(&r->j, ']');
}

static void put_residents(reflection *r)
{
    static const char *const places[] = {"replicated", "split", "by key"};
    psc_json_open(&r->j, "residents", '[');
    for (uint32_t i = 0; i < r->m->resident_count; i++) {
        const psy_psm_resident *d = &r->m->residents[i];
        psc_json_open(&r->j, NULL, '{');
        put_name(r, "name", d->name);
        psc_json_text(&r->j, "dtype", psy__dtype_name(d->dtype));
        put_dims(r, d->dims, d->rank);
        psc_json_text(&r->j, "placement", places[d->placement]);
        psc_json_close(&r->j, '}');
    }
    psc_json_close(&r->j, ']');
}

static void put_pipelines(reflection *r)
{
    static const char *const routes[] = {"any", "key", "all"};
    psc_json_open(&r->j, "pipelines", '[');
    for (uint32_t i = 0; i < r->m->pipeline_count; i++) {
        const psy_psm_pipeline *p = &r->m->pipelines[i];
        psc_json_open(&r->j, NULL, '{');
        put_name(r, "name", p->name);
        put_name(r, "input", r->m->types[p->input_type].name);
        put_name(r, "output", r->m->types[p->output_type].name);
        psc_json_text(&r->j, "route", routes[p->route]);
        if (p->route == PSY_ROUTE_KEY) {
            put_name(r, "key", r->m->fields[r->m->types[p->input_type].first_field + p->key_field].name);
        }
        put_name(r, "shard", r->m->programs[p->shard_program].name);
        if (p->merge_program != PSY_NONE) {
            put_name(r, "merge", r->m->programs[p->merge_program].name);
            put_name(r, "partial", r->m->types[p->partial_type].name);
        }
        if (p->max_batch) {
            psc_json_number(&r->j, "max_batch", p->max_batch);
        }
        if (p->engine) {
            psc_json_text(&r->j, "prefer", psy__prefer_word(p->engine));
        }
        psc_json_close(&r->j, '}');
    }
    psc_json_close(&r->j, ']');
}

static void put_programs(reflection *r)
{
    psc_json_open(&r->j, "programs", '[');
    for (uint32_t i = 0; i < r->m->program_count; i++) {
        const psy_psm_program *p = &r->m->programs[i];
        uint32_t count = 0;
        for (uint32_t word = 0; word < p->word_count; count++) {
            psy__instruction at;
            psy__instruction_at(r->m, p, word, &at);
            word = at.next;
        }
        psc_json_open(&r->j, NULL, '{');
        put_name(r, "name", p->name);
        put_name(r, "input", r->m->types[p->input_type].name);
        put_name(r, "output", r->m->types[p->output_type].name);
        psc_json_number(&r->j, "instructions", count);
        psc_json_number(&r->j, "registers", p->register_count);
        psc_json_number(&r->j, "slots", p->slot_count);
        psc_json_close(&r->j, '}');
    }
    psc_json_close(&r->j, ']');
    psc_json_open(&r->j, "kernels", '[');
    for (uint32_t i = 0; i < r->m->kernel_count; i++) {
        const psy_psm_kernel *k = &r->m->kernels[i];
        psc_json_open(&r->j, NULL, '{');
        put_name(r, "name", k->name);
        psc_json_text(&r->j, "target", "spirv");
        put_name(r, "program", r->m->programs[k->program].name);
        psc_json_number(&r->j, "stage", k->stage);
        psc_json_number(&r->j, "bytes", k->bytes);
        psc_json_close(&r->j, '}');
    }
    psc_json_close(&r->j, ']');
}

void psc_emit_json(const psy__module *module, FILE *to)
{
    reflection reflecting = {module, {.to = to, .pretty = true}}, *r = &reflecting;
    char format[32];
    snprintf(format, sizeof format, "%d.%d", PSY_PSM_ABI_MAJOR, PSY_PSM_ABI_MINOR);
    psc_json_open(&r->j, NULL, '{');
    psc_json_text(&r->j, "format", format);
    put_hash(r, "hash", module->hash);
    put_types(r);
    put_sizes(r);
    put_residents(r);
    put_pipelines(r);
    put_programs(r);
    psc_json_close(&r->j, '}');
    fputc('\n', to);
}
