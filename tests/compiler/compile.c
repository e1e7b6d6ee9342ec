/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/compiler/compile.h"

#include <unistd.h>

#include "base/siphash.h"
#include "compiler/passes.h"

/* ---- compiling ---- */

char *compile_said(const psc_diagnostics *diags)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    cr_assert_not_null(to);
    psc_diagnostics_print(diags, to, false);
    fclose(to);
    return text;
}

compiled *compile(const char *schema, const char *program, bool optimise)
{
    return compile_with(schema, program, &(psc_options){.optimise = optimise});
}

compiled *compile_with(const char *schema, const char *program, const psc_options *options)
{
    compiled *c = calloc(1, sizeof *c);
    char folder[] = "/tmp/psyne-compile-XXXXXX", *path, *text;
    cr_assert(c && mkdtemp(folder), "no folder");
    cr_assert(asprintf(&path, "%s/messages.psy", folder) > 0 && asprintf(&text, "import \"messages.psy\"\n%s", program) > 0);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(schema, f) >= 0 && fclose(f) == 0, "%s", path);

    psc_passes_options passes = {.dump = NULL};
    psc_arena_init(&c->arena);
    c->diags = (psc_diagnostics){.arena = &c->arena};
    c->unit = psc_new(&c->arena, psc_unit);
    const char *source = psc_format(&c->arena, "%s/test.hrm", folder);
    *c->unit = (psc_unit){.arena = &c->arena, .diags = &c->diags, .options = options};
    c->unit->source = psc_source_text(&c->arena, source, text, strlen(text));
    psc_passes_run(c->unit, &passes);
    c->said = compile_said(&c->diags);
    c->ok = c->diags.errors == 0;
    if (c->ok) {
        psy_status status = psy__module_decode(c->unit->module, c->unit->module_bytes, PSY_TRUST_BYTECODE, &c->module);
        cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    }
    unlink(path);
    rmdir(folder);
    free(path);
    free(text);
    return c;
}

void compile_end(compiled *c)
{
    free(c->said);
    psc_arena_fini(&c->arena);
    free(c);
}

/* ---- looking things up ---- */

static const psy_psm_pipeline *pipeline_named(const compiled *c, const char *name)
{
    for (uint32_t i = 0; i < c->module.pipeline_count; i++) {
        if (strcmp(psy__module_string(&c->module, c->module.pipelines[i].name), name) == 0) {
            return &c->module.pipelines[i];
        }
    }
    cr_assert(false, "no pipeline %s", name);
    return NULL;
}

static const psy_psm_field *field_named(const compiled *c, uint32_t type, const char *name)
{
    const psy_psm_type *t = &c->module.types[type];
    for (uint32_t i = 0; i < t->field_count; i++) {
        const psy_psm_field *f = &c->module.fields[t->first_field + i];
        if (strcmp(psy__module_string(&c->module, f->name), name) == 0) {
            return f;
        }
    }
    cr_assert(false, "no field %s", name);
    return NULL;
}

static uint64_t bytes_of(const compiled *c, uint32_t type) { return c->module.types[type].bytes; }

void *serve_input(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field)
{
    uint32_t type = pipeline_named(c, pipeline)->input_type;
    return s->requests + i * bytes_of(c, type) + field_named(c, type, field)->offset;
}

void *serve_output(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field)
{
    uint32_t type = pipeline_named(c, pipeline)->output_type;
    return s->replies + i * bytes_of(c, type) + field_named(c, type, field)->offset;
}

ptrdiff_t serve_presence(const compiled *c, const char *pipeline, bool out, const char *field)
{
    const psy_psm_pipeline *p = pipeline_named(c, pipeline);
    const psy_psm_field *f = field_named(c, out ? p->output_type : p->input_type, field);
    cr_assert_eq(f->kind, PSY_FIELD_OPTIONAL, "%s is not optional", field);
    return (ptrdiff_t)f->count_offset - (ptrdiff_t)f->offset;
}

uint32_t *serve_input_lengths(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field)
{
    uint32_t type = pipeline_named(c, pipeline)->input_type;
    return (uint32_t *)(void *)(s->requests + i * bytes_of(c, type) + field_named(c, type, field)->inner_offset);
}

const uint32_t *serve_output_lengths(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field,
                                     uint32_t *room)
{
    uint32_t type = pipeline_named(c, pipeline)->output_type;
    *room = field_named(c, type, field)->inner;
    return (const uint32_t *)(const void *)(s->replies + i * bytes_of(c, type) + field_named(c, type, field)->inner_offset);
}

uint32_t *serve_input_count(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field)
{
    uint32_t type = pipeline_named(c, pipeline)->input_type;
    return (uint32_t *)(void *)(s->requests + i * bytes_of(c, type) + field_named(c, type, field)->count_offset);
}

uint32_t serve_output_count(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field)
{
    uint32_t type = pipeline_named(c, pipeline)->output_type, n;
    memcpy(&n, s->replies + i * bytes_of(c, type) + field_named(c, type, field)->count_offset, sizeof n);
    return n;
}

/* ---- one shard's data ---- */

typedef struct shard {
    uint64_t *symbols, *bases;
    psy__resident_data *residents;
    void *owned[SERVE_RESIDENTS_MAX * 3]; /* what is freed */
    unsigned owned_count;
} shard;

static void *own(shard *h, uint64_t bytes)
{
    void *at = aligned_alloc(64, (bytes + 127) & ~UINT64_C(63));
    cr_assert_not_null(at);
    memset(at, 0, (bytes + 127) & ~UINT64_C(63));
    h->owned[h->owned_count++] = at;
    return at;
}

static uint64_t hash_of(uint64_t key)
{
    static const uint64_t zero_key[2] = {0, 0};
    return psy__siphash(zero_key, &key, sizeof key);
}

static void take_keyed(shard *h, const serve_resident *r, uint32_t number, uint32_t shards, psy__resident_data *out)
{
    uint64_t slots = 1, rows = 0;
    while (slots < 2 * r->rows + 1) {
        slots *= 2;
    }
    uint8_t *data = own(h, r->rows * r->row_bytes);
    uint64_t *keys = own(h, r->rows * sizeof *keys);
    uint32_t *index = own(h, slots * sizeof *index);
    memset(index, 0xff, slots * sizeof *index);
    for (uint64_t i = 0; i < r->rows; i++) {
        if (hash_of(r->keys[i]) % shards != number) {
            continue;
        }
        uint64_t at = hash_of(r->keys[i]) & (slots - 1);
        while (index[at] != UINT32_MAX) {
            at = (at + 1) & (slots - 1);
        }
        index[at] = (uint32_t)rows;
        keys[rows] = r->keys[i];
        memcpy(data + rows++ * r->row_bytes, (const uint8_t *)r->data + i * r->row_bytes, r->row_bytes);
    }
    *out = (psy__resident_data){data, rows, r->row_bytes, keys, index, slots - 1};
}

static const serve_resident *data_of(const served *s, const char *name)
{
    for (unsigned i = 0; i < SERVE_RESIDENTS_MAX && s->residents[i].name; i++) {
        if (strcmp(s->residents[i].name, name) == 0) {
            return &s->residents[i];
        }
    }
    return NULL;
}

static void take_resident(const compiled *c, const served *s, uint32_t number, uint32_t i, shard *h)
{
    const psy_psm_resident *r = &c->module.residents[i];
    const serve_resident *given = data_of(s, psy__module_string(&c->module, r->name));
    if (!given) {
        return;
    }
    uint64_t first = 0, end = given->rows;
    if (r->placement == PSY_PLACE_SPLIT) {
        first = given->rows * number / s->shards;
        end = given->rows * (number + 1) / s->shards;
    }
    if (r->placement == PSY_PLACE_BY_KEY) {
        take_keyed(h, given, number, s->shards, &h->residents[i]);
        end = h->residents[i].rows;
    } else {
        void *data = own(h, (end - first) * given->row_bytes);
        memcpy(data, (const uint8_t *)given->data + first * given->row_bytes, (end - first) * given->row_bytes);
        h->residents[i] = (psy__resident_data){.data = data, .rows = end - first, .row_bytes = given->row_bytes};
    }
    if (psy__dim_is_symbol(r->dims[0])) {
        h->symbols[psy__dim_symbol(r->dims[0])] = given->rows;
    }
    if (psy__dim_is_symbol(r->local_rows)) {
        h->symbols[psy__dim_symbol(r->local_rows)] = end - first;
        h->bases[psy__dim_symbol(r->local_rows)] = first;
    }
}

static void shard_begin(const compiled *c, const served *s, uint32_t number, shard *h)
{
    const psy__module *m = &c->module;
    *h = (shard){.symbols = calloc(m->symbol_count + 1, sizeof *h->symbols),
                 .bases = calloc(m->symbol_count + 1, sizeof *h->bases),
                 .residents = calloc(m->resident_count + 1, sizeof *h->residents)};
    cr_assert(h->symbols && h->bases && h->residents, "no memory");
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        h->symbols[i] = m->symbols[i].kind == PSY_SYMBOL_SHARDS ? s->shards : 0;
    }
    for (uint32_t i = 0; i < m->resident_count; i++) {
        take_resident(c, s, number, i, h);
    }
}

static void shard_end(shard *h)
{
    for (unsigned i = 0; i < h->owned_count; i++) {
        free(h->owned[i]);
    }
    free(h->symbols);
    free(h->bases);
    free(h->residents);
}

/* ---- serving ---- */

/* Whole pages, which devices ask for. */
static uint64_t messages_bytes(uint64_t n, uint64_t stride)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (n * stride + page - 1) / page * page;
}

static uint8_t *messages(uint64_t n, uint64_t stride)
{
    uint8_t *at = aligned_alloc((size_t)sysconf(_SC_PAGESIZE), messages_bytes(n, stride));
    cr_assert_not_null(at);
    memset(at, 0, messages_bytes(n, stride));
    return at;
}

void serve_begin(const compiled *c, const char *pipeline, served *s)
{
    const psy_psm_pipeline *p = pipeline_named(c, pipeline);
    s->requests = messages(s->messages, bytes_of(c, p->input_type));
    s->replies = messages(s->messages, bytes_of(c, p->output_type));
    s->status = calloc(s->messages, 1);
}

void serve_end(served *s)
{
    free(s->requests);
    free(s->replies);
    free(s->status);
}

/* `count` messages through one program. */
typedef struct job {
    const char *engine; /* NULL: the cpu's */
    struct {
        void *base;
        uint64_t bytes; /* whole pages */
    } memory[2];        /* in which the inputs and the outputs lie */
    uint32_t program, count;
    psy__span inputs, partials, outputs;
    uint64_t partial_stride; /* from one shard's record to the next */
    uint8_t *status;
} job;

/* A device takes long to open: it stays open for the test. */
psy_status (*serve_own)(const psy__engine_options *options, psy__engine **out);

static psy_status open_engine(const char *name, uint32_t max_batch, psy__engine **out)
{
    static psy__engine *devices[2];
    enum { BATCH_MAX = 16 };
    if (!name) {
        return psy__engine_open("cpu", &(psy__engine_options){.max_batch = max_batch}, out);
    }
    cr_assert_leq(max_batch, BATCH_MAX);
    const psy__engine_options options = {.max_batch = BATCH_MAX};
    bool own = strcmp(name, "own") == 0;
    psy__engine **device = &devices[own];
    psy_status status = *device ? PSY_OK : own ? serve_own(&options, device) : psy__engine_open(name, &options, device);
    *out = *device;
    return status;
}

/* Where the messages lie is made known to the engine, or no longer. */
static void attach(psy__engine *engine, const job *j, bool attaches)
{
    for (unsigned i = 0; i < 2; i++) {
        if (attaches) {
            psy_status status = engine->interface->attach(engine, j->memory[i].base, j->memory[i].bytes);
            cr_assert_eq(status, PSY_OK, "%s", psy_detail());
        } else {
            engine->interface->detach(engine, j->memory[i].base);
        }
    }
}

static psy_status run(const compiled *c, const shard *h, job *j)
{
    psy__engine *engine;
    psy__executable *x;
    psy_status status = open_engine(j->engine, j->count, &engine);
    status = status == PSY_OK ? engine->interface->supports(engine, &c->module, j->program) : status;
    if (j->engine && (status == PSY_NO_DEVICE || status == PSY_UNSUPPORTED)) {
        return status;
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    attach(engine, j, true);
    psy__binding binding = {.module = &c->module,
                            .program = j->program,
                            .symbols = h->symbols,
                            .bases = h->bases,
                            .residents = h->residents,
                            .partial_stride = j->partial_stride};
    psy_status bound = engine->interface->bind(engine, &binding, &x);
    if (bound == PSY_OK) {
        psy__batch batch = {.count = j->count,
                            .inputs = &j->inputs,
                            .partials = &j->partials,
                            .outputs = &j->outputs,
                            .input_spans = 1,
                            .partial_spans = j->partial_stride ? 1 : 0,
                            .output_spans = 1,
                            .status = j->status};
        status = engine->interface->run(x, &batch);
        cr_assert_eq(status, PSY_OK, "%s", psy_detail());
        engine->interface->unbind(x);
    }
    attach(engine, j, false);
    if (!j->engine) {
        psy__engine_close(engine);
    }
    return bound;
}

static psy_status serve_keyed(const compiled *c, const psy_psm_pipeline *p, served *s)
{
    uint64_t in = bytes_of(c, p->input_type), out = bytes_of(c, p->output_type);
    const psy_psm_field *key = &c->module.fields[c->module.types[p->input_type].first_field + p->key_field];
    psy_status status = PSY_OK;
    for (uint32_t i = 0; i < s->messages && status == PSY_OK; i++) {
        uint64_t value;
        shard h;
        memcpy(&value, s->requests + i * in + key->offset, sizeof value);
        shard_begin(c, s, (uint32_t)(hash_of(value) % s->shards), &h);
        job j = {.engine = s->engine,
                 .memory = {{s->requests, messages_bytes(s->messages, in)}, {s->replies, messages_bytes(s->messages, out)}},
                 .program = p->shard_program,
                 .count = 1,
                 .inputs = {s->requests + i * in, in, 1},
                 .outputs = {s->replies + i * out, out, 1},
                 .status = s->status + i};
        status = run(c, &h, &j);
        shard_end(&h);
    }
    return status;
}

void serve(const compiled *c, const char *pipeline, served *s)
{
    const psy_psm_pipeline *p = pipeline_named(c, pipeline);
    uint64_t in = bytes_of(c, p->input_type), out = bytes_of(c, p->output_type);
    psy__span inputs = {s->requests, in, s->messages}, outputs = {s->replies, out, s->messages};
    if (p->route == PSY_ROUTE_KEY) {
        s->bind = serve_keyed(c, p, s);
        return;
    }
    bool all = p->route == PSY_ROUTE_ALL;
    uint64_t record = all ? bytes_of(c, p->partial_type) : 0;
    /* A message's records lie side by side, a shard each. */
    uint8_t *records = all ? messages((uint64_t)s->messages * s->shards, record) : NULL;
    s->bind = PSY_OK;
    for (uint32_t i = 0; i < (all ? s->shards : 1) && s->bind == PSY_OK; i++) {
        shard h;
        job j = {.engine = s->engine,
                 .memory = {{s->requests, messages_bytes(s->messages, in)}, {s->replies, messages_bytes(s->messages, out)}},
                 .program = p->shard_program,
                 .count = s->messages,
                 .inputs = inputs,
                 .outputs = outputs,
                 .status = s->status};
        if (all) {
            j.memory[1].base = records;
            j.memory[1].bytes = messages_bytes((uint64_t)s->messages * s->shards, record);
            j.outputs = (psy__span){records + i * record, record * s->shards, s->messages};
        }
        shard_begin(c, s, i, &h);
        s->bind = run(c, &h, &j);
        shard_end(&h);
    }
    if (all && s->bind == PSY_OK) {
        shard h;
        job j = {.memory = {{s->requests, messages_bytes(s->messages, in)}, {s->replies, messages_bytes(s->messages, out)}},
                 .program = p->merge_program,
                 .count = s->messages,
                 .inputs = inputs,
                 .partials = {records, record * s->shards, s->messages},
                 .outputs = outputs,
                 .partial_stride = record,
                 .status = s->status};
        shard_begin(c, s, 0, &h);
        s->bind = run(c, &h, &j);
        shard_end(&h);
    }
    free(records);
}
