/* SPDX-License-Identifier: Apache-2.0 */
/* The program for one message on one machine becomes a part for every shard and a part that merges.
 *
 * Data that is split has the LOCAL symbol of its rows as its first dim, so the sharded axis is seen in every value's dims:
 *   - elementwise operations and reductions of other axes keep it: they run on each shard
 *   - a reduction or topk over the sharded axis gives a partial result: each shard stores its own in a record, and the merge
 * part reads all of them, with the shards as a leading axis, and combines them with the same operation
 *   - what is read from the rows at the positions of such a topk is a partial result too (payload.h)
 *   - what is made of merged results runs in the merge part; what comes from the message alone is computed on both sides
 * A value that needs merged results and the rows at once would need a second round: that is refused.
 */
#include <string.h>

#include "lse.h"
#include "payload.h"
#include "unit.h"

typedef enum state { PLAIN, SHARDED, PARTIAL, MERGED, FAILED } state; /* FAILED: reported, here or in an operand */

typedef struct splitter {
    psc_unit *unit;
    psc_pipeline *pipeline;
    state *states; /* by value id */
    bool *needed;
    bool *has_payload;                    /* by value id: a TOPK at whose positions rows are read */
    psc_value **rows, **places, **labels; /* by its id: shard, its positions; merge, the winners' places and positions */
    const psc_value *sharded, *looked_up; /* the first of their kind */
} splitter;

#define ERROR(...) psc_error(s->unit->diags, __VA_ARGS__)

/* ---- what is needed, and where it can be computed ---- */

static void mark_needed(splitter *s)
{
    psc_program *p = s->pipeline->whole;
    for (size_t i = p->values.count; i-- > 0;) {
        const psc_value *v = p->values.at[i];
        s->needed[i] = s->needed[i] || psc_ir_is_store(v);
        for (unsigned k = 0; s->needed[i] && k < v->operand_count; k++) {
            if (v->operands[k]) {
                s->needed[v->operands[k]->id] = true;
            }
        }
    }
}

/* The dim over which a reduction or topk runs. */
static psy_dim reduced_dim(const psc_value *v)
{
    if (v->op == PSY_OP_TOPK) {
        return v->operands[0]->dims[0];
    }
    if (!psc_ir_is_reduction(v)) {
        return 1;
    }
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    psc_ir_space(v, dims, &rank);
    return dims[psc_ir_axis(v)];
}

static bool is_local(const psc_unit *u, psy_dim d)
{
    return psy__dim_is_symbol(d) && u->symbols.at[psy__dim_symbol(d)].kind == PSY_SYMBOL_LOCAL;
}

static bool has_two_sharded(const psc_unit *u, const psc_value *v)
{
    unsigned count = 0;
    for (uint32_t d = 0; d < v->rank; d++) {
        count += is_local(u, v->dims[d]);
    }
    return count > 1;
}

static const char *name_of(psc_unit *u, const psc_value *v)
{
    return v->name ? psc_format(u->arena, "`%s`", v->name) : "this value";
}

static state classify(splitter *s, const psc_value *v)
{
    psc_unit *u = s->unit;
    const psc_value *merged = NULL, *rows = NULL;
    bool failed = false;
    for (unsigned k = 0; k < v->operand_count; k++) {
        const psc_value *o = v->operands[k];
        state of = o ? s->states[o->id] : PLAIN;
        merged = of == PARTIAL || of == MERGED ? o : merged;
        rows = of == SHARDED ? o : rows;
        failed = failed || of == FAILED;
    }
    if (failed) {
        return FAILED;
    }
    bool is_rows = v->op == PSY_OP_RESIDENT && u->residents.at[v->index].record.placement == PSY_PLACE_SPLIT;
    if (is_rows && !s->sharded) {
        s->sharded = v;
    }
    if (v->op == PSY_OP_LOOKUP && !s->looked_up) {
        s->looked_up = v;
    }
    if (v->op == PSC_OP_LABELS) {
        return s->states[v->operands[0]->id];
    }
    if (has_two_sharded(u, v)) {
        psc_diagnostic *d = ERROR(PSC_E_SPLIT, v->span, "%s has two axes that are spread over the shards: %s", name_of(u, v),
                                  psc_shape_text(u, v->dims, v->rank));
        psc_help(d, "no shard has all pairs: reduce one of the axes first, or keep one side `replicated`");
        return FAILED;
    }
    const psc_value *topk = psc_payload_topk(u, v);
    if (topk) {
        s->has_payload[topk->id] = true;
        return PARTIAL;
    }
    if (rows && merged) {
        psc_diagnostic *d =
            ERROR(PSC_E_SPLIT, v->span, "this needs a result over all shards and the rows of each shard at once");
        psc_note(d, merged->span, "this is known only after all shards are done");
        psc_note(d, rows->span, "this is spread over the shards");
        psc_help(d, "it would take a second round over the shards, which this version does not make");
        return FAILED;
    }
    return is_rows || psc_ir_sharded_axis(v, u->symbols.at) >= 0 ? SHARDED
           : rows && is_local(u, reduced_dim(v))                 ? PARTIAL
           : merged                                              ? MERGED
                                                                 : PLAIN;
}

/* ---- the partial record ---- */

/* How many elements a partial result has: what is sent is flat. */
static uint32_t elements_of(const psc_value *v)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < v->rank; d++) {
        n = n * v->dims[d] > UINT32_MAX ? UINT32_MAX : n * v->dims[d];
    }
    return (uint32_t)n;
}

static void add_field(splitter *s, psc_type *type, psc_span span, unsigned dtype, bool is_scalar, uint32_t count)
{
    psc_unit *u = s->unit;
    psc_field f = {.name = psc_format(u->arena, "r%u", type->field_count),
                   .span = span,
                   .layout = {.dtype = (uint8_t)dtype,
                              .since = 1,
                              .count = count,
                              .kind = is_scalar ? PSY_FIELD_SCALAR : PSY_FIELD_ARRAY,
                              .parent = PSY_NONE,
                              .type = PSY_NONE}};
    psc_field *fields = psc_alloc(u->arena, (type->field_count + 1) * sizeof *fields);
    if (type->field_count) {
        memcpy(fields, type->fields, type->field_count * sizeof *fields);
    }
    fields[type->field_count++] = f;
    type->fields = fields;
}

/* Adds the fields of a partial result: one; two for topk and logsumexp; three for a topk with payload. False after an error. */
static bool add_fields(splitter *s, psc_type *type, const psc_value *v)
{
    psc_unit *u = s->unit;
    bool literal = true;
    for (uint32_t d = 0; d < v->rank; d++) {
        literal = literal && !psy__dim_is_symbol(v->dims[d]);
    }
    if (!literal) {
        psc_diagnostic *d =
            ERROR(PSC_E_SPLIT, v->span, "a partial result of shape %s cannot be sent to the merge in this version",
                  psc_shape_text(u, v->dims, v->rank));
        psc_help(d, "the sizes of partial results are numbers");
        return false;
    }
    add_field(s, type, v->span, v->dtype, v->rank == 0, elements_of(v));
    if (v->op == PSC_OP_LSE || v->op == PSY_OP_TOPK) {
        add_field(s, type, v->span, v->op == PSY_OP_TOPK ? PSY_U64 : v->dtype, v->rank == 0, elements_of(v));
    }
    if (s->has_payload[v->id]) {
        add_field(s, type, v->span, PSY_U64, true, 1);
    }
    return true;
}

static const char *partial_name(splitter *s)
{
    const char *full = s->pipeline->output->full_name, *dot = strrchr(full, '.');
    return psc_format(s->unit->arena, "%.*s%s#partial", dot ? (int)(dot - full) + 1 : 0, full, s->pipeline->name);
}

/* ---- the two programs ---- */

/* Copies a value with its operands as they became. */
static psc_value *copy(splitter *s, psc_program *to, psc_value *v)
{
    psc_value c = *v;
    for (unsigned k = 0; k < c.operand_count; k++) {
        c.operands[k] = c.operands[k] ? c.operands[k]->next : NULL;
    }
    psc_value *made = psc_ir_add(s->unit->arena, to, &c);
    v->next = made;
    return made;
}

static void forget(psc_program *p)
{
    for (size_t i = 0; i < p->values.count; i++) {
        p->values.at[i]->next = NULL;
    }
}

static void store(splitter *s, psc_program *to, psc_value *v, uint32_t field)
{
    psc_value st = {.op = PSY_OP_STORE,
                    .dtype = v->dtype,
                    .operands = {v, NULL},
                    .operand_count = 2,
                    .index = field,
                    .base = PSY_NONE,
                    .span = v->span};
    psc_ir_add(s->unit->arena, to, &st);
}

/* The value under other dims. */
static psc_value *reshape(splitter *s, psc_program *to, psc_value *v, const psy_dim *dims, uint32_t rank)
{
    psc_value r = {.op = PSY_OP_RESHAPE,
                   .dtype = v->dtype,
                   .rank = (uint8_t)rank,
                   .operands = {v},
                   .operand_count = 1,
                   .base = PSY_NONE,
                   .span = v->span,
                   .batched = v->batched};
    memcpy(r.dims, dims, rank * sizeof *dims);
    return psc_ir_add(s->unit->arena, to, &r);
}

static void store_flat(splitter *s, psc_program *to, psc_value *v, uint32_t field)
{
    psy_dim n = elements_of(v);
    store(s, to, v->rank > 1 ? reshape(s, to, v, &n, 1) : v, field);
}

static void make_shard(splitter *s, psc_program *shard)
{
    psc_program *whole = s->pipeline->whole;
    bool *wanted = psc_alloc(s->unit->arena, whole->values.count + 1);
    for (size_t i = whole->values.count; i-- > 0;) {
        const psc_value *v = whole->values.at[i];
        bool root = s->needed[i] && s->states[i] == PARTIAL;
        wanted[i] = wanted[i] || root;
        for (unsigned k = 0; wanted[i] && k < v->operand_count; k++) {
            if (v->operands[k]) {
                wanted[v->operands[k]->id] = true;
            }
        }
    }
    uint32_t field = 0;
    for (size_t i = 0; i < whole->values.count; i++) {
        psc_value *v = whole->values.at[i];
        if (!wanted[i] || (v->op == PSC_OP_LABELS && s->states[i] == PARTIAL)) {
            continue;
        }
        if (v->op == PSC_OP_LSE) {
            psc_value *parts[2];
            psc_lse_part(s->unit, shard, v->operands[0]->next, v->index, v->span, parts);
            store_flat(s, shard, parts[0], field++);
            store_flat(s, shard, parts[1], field++);
            continue;
        }
        psc_builder builds = {s->unit, shard, v->span}, *b = &builds;
        const psc_value *topk = psc_payload_topk(s->unit, v);
        if (topk) {
            store_flat(s, shard, psc_payload_part(b, v->operands[0]->next, s->rows[topk->id], v->index), field++);
            continue;
        }
        psc_value *made = copy(s, shard, v);
        if (s->states[i] != PARTIAL) {
            continue;
        }
        store_flat(s, shard, made, field++);
        if (v->op == PSY_OP_TOPK) {
            s->rows[i] = psc_build_labels(b, made);
            store(s, shard, s->rows[i], field++);
        }
        if (s->has_payload[i]) {
            psc_value *base = psc_build(b, (psc_value){.op = PSY_OP_BASE, .dtype = PSY_U64, .index = made->base});
            made->base = PSY_NONE; /* positions are those on the shard; the merge adds where it starts */
            store(s, shard, base, field++);
        }
    }
    forget(whole);
}

/* A field of all shards' records: [shards], or [shards, n]. */
static psc_value *read_partial(splitter *s, psc_program *merge, const psc_value *v, unsigned dtype, uint32_t field)
{
    psy_dim shards = psc_symbol_find(s->unit, PSC_SHARDS, PSY_SYMBOL_SHARDS);
    psc_value p = {.op = PSY_OP_PARTIAL,
                   .dtype = (uint8_t)dtype,
                   .rank = v->rank ? 2 : 1,
                   .dims = {shards, v->rank ? elements_of(v) : 0},
                   .index = field,
                   .base = PSY_NONE,
                   .span = v->span,
                   .batched = true};
    return psc_ir_add(s->unit->arena, merge, &p);
}

/* A topk at whose positions rows are read, and what was read there. */
static void merge_hits(splitter *s, psc_program *merge, psc_value *v, uint32_t *field)
{
    psc_builder builds = {s->unit, merge, v->span}, *b = &builds;
    const psc_value *topk = psc_payload_topk(s->unit, v);
    psc_value *all = read_partial(s, merge, v, v->dtype, (*field)++);
    if (topk) {
        v->next = s->places[topk->id] ? psc_payload_merge(b, v, all, s->places[topk->id]) : NULL;
        return;
    }
    psc_value *rows = read_partial(s, merge, v, PSY_U64, (*field)++);
    psc_value scalar = {.span = v->span}, *bases = read_partial(s, merge, &scalar, PSY_U64, (*field)++);
    v->next = psc_payload_winners(b, all, rows, bases, v->index, &s->places[v->id], &s->labels[v->id]);
    v->next->name = v->name;
}

/* The same operation over what the shards found. */
static void merge_value(splitter *s, psc_program *merge, psc_value *v, uint32_t *field)
{
    psc_value *all = read_partial(s, merge, v, v->dtype, (*field)++);
    if (v->op == PSC_OP_LSE) {
        psc_value *made = psc_lse_merge(s->unit, merge, all, read_partial(s, merge, v, v->dtype, (*field)++), v->span);
        v->next = v->rank > 1 ? reshape(s, merge, made, v->dims, v->rank) : made;
        return;
    }
    psc_value c = {.op = v->op == PSY_OP_DOT ? PSY_OP_SUM : v->op,
                   .dtype = v->dtype,
                   .rank = v->rank ? 1 : 0,
                   .dims = {v->rank ? elements_of(v) : 0},
                   .operands = {all},
                   .operand_count = 1,
                   .index = 0,
                   .base = PSY_NONE,
                   .span = v->span,
                   .name = v->name,
                   .batched = true};
    if (v->op == PSY_OP_TOPK) {
        c.operands[1] = read_partial(s, merge, v, PSY_U64, (*field)++);
        c.operand_count = 2;
        c.index = v->index;
    }
    psc_value *made = psc_ir_add(s->unit->arena, merge, &c);
    v->next = v->rank > 1 ? reshape(s, merge, made, v->dims, v->rank) : made;
}

static void make_merge(splitter *s, psc_program *merge)
{
    psc_program *whole = s->pipeline->whole;
    bool *wanted = psc_alloc(s->unit->arena, whole->values.count + 1);
    for (size_t i = whole->values.count; i-- > 0;) {
        const psc_value *v = whole->values.at[i];
        wanted[i] = wanted[i] || psc_ir_is_store(v);
        bool leaf = s->states[i] == PARTIAL && v->op != PSC_OP_LABELS;
        const psc_value *topk = wanted[i] ? psc_payload_topk(s->unit, v) : NULL;
        if (topk) {
            wanted[topk->id] = true; /* it says which of the shards' payloads are taken */
        }
        for (unsigned k = 0; wanted[i] && !leaf && k < v->operand_count; k++) {
            if (v->operands[k]) {
                wanted[v->operands[k]->id] = true;
            }
        }
    }
    uint32_t field = 0;
    for (size_t i = 0; i < whole->values.count; i++) {
        psc_value *v = whole->values.at[i];
        if (wanted[i] && s->states[i] == PARTIAL && v->op == PSC_OP_LABELS && s->has_payload[v->operands[0]->id]) {
            v->next = s->labels[v->operands[0]->id];
        } else if (wanted[i] && s->states[i] == PARTIAL && (s->has_payload[i] || v->op == PSY_OP_GATHER)) {
            merge_hits(s, merge, v, &field);
        } else if (wanted[i] && s->states[i] == PARTIAL && v->op != PSC_OP_LABELS) {
            merge_value(s, merge, v, &field);
        } else if (wanted[i]) {
            copy(s, merge, v);
        }
    }
    forget(whole);
}

static psc_program *program_new(splitter *s, const char *name, uint32_t partial, uint32_t output)
{
    psc_program *p = psc_new(s->unit->arena, psc_program);
    p->name = name;
    p->input_type = s->pipeline->whole->input_type;
    p->partial_type = partial;
    p->output_type = output;
    return p;
}

static void split_rows(splitter *s)
{
    psc_unit *u = s->unit;
    psc_pipeline *p = s->pipeline;
    psc_type type = {.name = partial_name(s)};
    bool ok = true;
    for (size_t i = 0; i < p->whole->values.count; i++) {
        const psc_value *v = p->whole->values.at[i];
        if (s->needed[i] && s->states[i] == PARTIAL && v->op != PSC_OP_LABELS) {
            ok = add_fields(s, &type, v) && ok;
        }
    }
    if (!ok) {
        return;
    }
    if (psc_lay_out(u->arena, type.name, type.fields, type.field_count, &type.layout) != PSY_OK) {
        ERROR(PSC_E_LIMIT, p->node->name.span, "the partial results of `%s` do not fit into a record: %s", p->node->name.text,
              psy_detail());
        return;
    }
    if (psc_symbol_find(u, PSC_SHARDS, PSY_SYMBOL_SHARDS) == PSY_NONE) {
        psc_symbol_add(u, PSC_SHARDS, PSY_SYMBOL_SHARDS, PSY_NONE);
    }
    psc_push(u->arena, &u->types, type);
    uint32_t partial = (uint32_t)u->types.count - 1;
    p->record.route = PSY_ROUTE_ALL;
    p->record.partial_type = partial;
    p->shard = program_new(s, psc_format(u->arena, "%s.shard", p->name), PSY_NONE, partial);
    p->merge = program_new(s, psc_format(u->arena, "%s.merge", p->name), partial, p->whole->output_type);
    make_shard(s, p->shard);
    make_merge(s, p->merge);
}

static void split_pipeline(psc_unit *u, psc_pipeline *p)
{
    splitter splitting = {.unit = u, .pipeline = p}, *s = &splitting;
    size_t n = p->whole->values.count + 1;
    unsigned errors = u->diags->errors;
    bool any = false;
    s->states = psc_alloc(u->arena, n * sizeof *s->states);
    s->needed = psc_alloc(u->arena, n * sizeof *s->needed);
    s->has_payload = psc_alloc(u->arena, n * sizeof *s->has_payload);
    s->rows = psc_alloc(u->arena, n * sizeof(psc_value *));
    s->places = psc_alloc(u->arena, n * sizeof(psc_value *));
    s->labels = psc_alloc(u->arena, n * sizeof(psc_value *));
    mark_needed(s);
    for (size_t i = 0; i < p->whole->values.count; i++) {
        if (s->needed[i]) {
            s->states[i] = classify(s, p->whole->values.at[i]);
            any = any || s->states[i] == PARTIAL;
        }
    }
    p->record =
        (psy_psm_pipeline){.route = PSY_ROUTE_ANY, .key_field = PSY_NONE, .merge_program = PSY_NONE, .partial_type = PSY_NONE};
    if (u->diags->errors != errors) {
        return;
    }
    if (s->sharded && s->looked_up) {
        psc_diagnostic *d =
            ERROR(PSC_E_SPLIT, p->node->name.span, "pipeline `%s` uses data that is split and data by key", p->node->name.text);
        psc_note(d, s->sharded->span, "this is spread over all shards: every shard gets the message");
        psc_note(d, s->looked_up->span, "this lies on one shard: the message goes there only");
        psc_help(d, "make two pipelines of it, or keep one of the two `replicated`");
        return;
    }
    if (any) {
        split_rows(s);
        return;
    }
    p->shard = p->whole;
    if (s->looked_up) {
        p->record.route = PSY_ROUTE_KEY;
        p->record.key_field = s->looked_up->operands[0]->index;
    }
}

void psc_split(psc_unit *unit)
{
    for (size_t i = 0; i < unit->pipelines.count; i++) {
        split_pipeline(unit, unit->pipelines.at[i]);
    }
}
