/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the module: names, types, sizes, programs, and the source map. */
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "unit.h"

/* The elements of the constants that are of one size, by their bits: where each is first. */
typedef struct constants_index {
    size_t next; /* what lies before it is in the table */
    uint32_t mask, count;
    uint32_t *table; /* element number + 1, or 0 */
} constants_index;

typedef struct writer {
    psc_unit *unit;
    psc_names *string_places;     /* of offsets */
    constants_index constants[4]; /* of 1, 2, 4, 8 bytes */
    PSC_LIST(char) strings;
    PSC_LIST(psy_psm_type) types;
    PSC_LIST(psy_psm_field) fields;
    PSC_LIST(psy_psm_resident) residents;
    PSC_LIST(psy_psm_pipeline) pipelines;
    PSC_LIST(psy_psm_guard) guards;
    PSC_LIST(psy_psm_program) programs;
    PSC_LIST(psy_psm_register) registers;
    PSC_LIST(uint32_t) code;
    PSC_LIST(uint8_t) consts;
    size_t scalars; /* where the constants that are no weights start */
    PSC_LIST(psy_psm_line) lines;
    uint32_t file; /* string */
} writer;

static uint32_t string(writer *w, const char *text)
{
    void **place = psc_names_add(w->unit->arena, &w->string_places, text);
    if (!*place) {
        uint32_t *at = psc_new(w->unit->arena, uint32_t);
        *at = (uint32_t)w->strings.count;
        *place = at;
        const size_t n = strlen(text);
        for (size_t i = 0; i <= n; i++) {
            psc_push(w->unit->arena, &w->strings, text[i]);
        }
    }
    return *(uint32_t *)*place;
}

static void write_types(writer *w)
{
    for (size_t i = 0; i < w->unit->types.count; i++) {
        const psc_type *t = &w->unit->types.at[i];
        psy_psm_type record = t->layout;
        record.name = string(w, t->name);
        record.first_field = (uint32_t)w->fields.count;
        record.field_count = t->field_count;
        psc_push(w->unit->arena, &w->types, record);
        for (uint32_t k = 0; k < t->field_count; k++) {
            psy_psm_field f = t->fields[k].layout;
            f.name = string(w, t->fields[k].name);
            f.type = psc_field_refers(&t->fields[k]) ? psc_type_of(w->unit, t->fields[k].type) : PSY_NONE;
            f.default_bits = t->fields[k].text ? string(w, t->fields[k].text) : f.default_bits;
            psc_push(w->unit->arena, &w->fields, f);
        }
    }
}

static void place_weights_of(writer *w, const psc_program *p)
{
    for (size_t i = 0; i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        psc_param *weights = v->op == PSY_OP_CONST && v->rank ? &w->unit->params.at[v->index] : NULL;
        if (weights && weights->offset == PSY_NONE) {
            weights->offset = (uint32_t)w->scalars;
            w->scalars += (weights->bytes + 63) & ~UINT64_C(63); /* as vectors lie everywhere */
        }
    }
}

/* The weights that some program reads come first. */
static void write_weights(writer *w)
{
    psc_unit *u = w->unit;
    for (size_t i = 0; i < u->params.count; i++) {
        u->params.at[i].offset = PSY_NONE;
    }
    const psc_program *program;
    for (size_t i = 0; (program = psc_program_at(u, i)); i++) {
        place_weights_of(w, program);
    }
    if (w->scalars == 0) {
        return;
    }
    enum { SCALARS_ROOM = 1 << 16 };
    w->consts.room = w->scalars + SCALARS_ROOM;
    w->consts.at = psc_alloc(u->arena, w->consts.room);
    w->consts.count = w->scalars;
    for (size_t i = 0; i < u->params.count; i++) {
        const psc_param *p = &u->params.at[i];
        if (p->offset != PSY_NONE && p->data) {
            memcpy(w->consts.at + p->offset, p->data, p->bytes);
        }
    }
}

/* Where the element of these bits is in the table, or the free place for it. */
static uint32_t *find_constant(const writer *w, const constants_index *x, const void *bits, size_t bytes)
{
    uint64_t h = 0;
    memcpy(&h, bits, bytes);
    h *= UINT64_C(0x9E3779B97F4A7C15);
    for (uint32_t i = (uint32_t)(h >> 32) & x->mask;; i = (i + 1) & x->mask) {
        uint32_t number = x->table[i];
        if (number == 0 || memcmp(w->consts.at + (number - 1) * bytes, bits, bytes) == 0) {
            return &x->table[i];
        }
    }
}

static void make_room(writer *w, constants_index *x, size_t bytes)
{
    if (x->table && x->count <= x->mask / 2) {
        return;
    }
    constants_index bigger = *x;
    bigger.mask = x->table ? x->mask * 2 + 1 : 63;
    bigger.table = psc_alloc(w->unit->arena, (bigger.mask + 1u) * sizeof *bigger.table);
    for (uint32_t i = 0; x->table && i <= x->mask; i++) {
        if (x->table[i]) {
            *find_constant(w, &bigger, w->consts.at + (x->table[i] - 1) * bytes, bytes) = x->table[i];
        }
    }
    *x = bigger;
}

/* The offset of a constant's bytes; equal ones share, also with parts of larger ones. */
static uint32_t constant(writer *w, const psc_value *v)
{
    size_t bytes = psy__dtype_bytes(v->dtype);
    if (v->rank) {
        return w->unit->params.at[v->index].offset;
    }
    constants_index *x = &w->constants[bytes == 8 ? 3 : bytes / 2];
    make_room(w, x, bytes);
    x->next = x->next < w->scalars ? w->scalars : x->next;
    for (; x->next + bytes <= w->consts.count; x->next += bytes) {
        uint32_t *number = find_constant(w, x, w->consts.at + x->next, bytes);
        if (!*number) {
            *number = (uint32_t)(x->next / bytes) + 1;
            x->count++;
            make_room(w, x, bytes);
        }
    }
    uint32_t have = *find_constant(w, x, &v->bits, bytes);
    if (have) {
        return (uint32_t)((have - 1) * bytes);
    }
    while (w->consts.count % bytes != 0) {
        psc_push(w->unit->arena, &w->consts, (uint8_t)0);
    }
    uint32_t at = (uint32_t)w->consts.count;
    for (size_t i = 0; i < bytes; i++) {
        psc_push(w->unit->arena, &w->consts, ((const uint8_t *)&v->bits)[i]);
    }
    return at;
}

static void write_words(writer *w, unsigned op, unsigned dtype, uint32_t dst, const uint32_t *operands, uint32_t count)
{
    psc_push(w->unit->arena, &w->code, op | dtype << 8 | count << 24);
    psc_push(w->unit->arena, &w->code, dst);
    for (uint32_t i = 0; i < count; i++) {
        psc_push(w->unit->arena, &w->code, operands[i]);
    }
    if (count % 2) {
        psc_push(w->unit->arena, &w->code, 0u);
    }
}

static void write_line(writer *w, uint32_t first_word, psc_span span)
{
    if (!span.source) {
        return;
    }
    psy_psm_line line = {.program = (uint32_t)w->programs.count, .word = (uint32_t)w->code.count - first_word, .file = w->file};
    psc_source_place(span.source, span.begin, &line.line, &line.column);
    psc_push(w->unit->arena, &w->lines, line);
}

/* Operands in the order of the op's signature. */
static void write_value(writer *w, const psc_value *v)
{
    const psy_op_info *info = psy__op_info(v->op);
    uint32_t operands[4 + PSC_OPERANDS_MAX], count = 0;
    unsigned reg = 0;
    for (const char *kind = strchr(info->signature, ':') + 1; *kind; kind++) {
        const psc_value *o = NULL;
        switch (*kind) {
        case 'r':
        case 'o':
            o = reg < v->operand_count ? v->operands[reg] : NULL;
            reg++;
            operands[count++] = o ? o->reg : PSY_NONE;
            break;
        case 'c': operands[count++] = constant(w, v); break;
        case 'd':
            operands[count++] = psc_ir_class(v) == PSY_CLASS_SIZE ? v->index
                                : v->op == PSY_OP_SORT            ? v->dims[v->rank - 1]
                                                                  : v->base;
            break;
        case 's': operands[count++] = (uint32_t)v->step; break;
        case '+':
            while (reg < v->operand_count) {
                operands[count++] = v->operands[reg++]->reg;
            }
            break;
        default: operands[count++] = v->index; break; /* i, f, n */
        }
    }
    bool result = !psc_ir_is_store(v);
    write_words(w, v->op, psc_ir_dtype(v), result ? v->reg : PSY_NO_REG, operands, count);
}

static void write_region(writer *w, const psc_program *p, size_t first)
{
    const psc_region *r = &p->regions.at[p->values.at[first]->group - 1];
    uint32_t operands[2 + PSY_RANK_MAX] = {0, r->reduces};
    for (size_t i = first; i < p->values.count && p->values.at[i]->group == p->values.at[first]->group; i++) {
        operands[0]++;
    }
    memcpy(operands + 2, r->dims, r->rank * sizeof *r->dims);
    write_words(w, PSY_OP_REGION, 0, PSY_NO_REG, operands, 2u + r->rank);
}

static uint32_t write_program(writer *w, const psc_program *p)
{
    uint32_t first_word = (uint32_t)w->code.count;
    psy_psm_program record = {.name = string(w, p->name),
                              .input_type = p->input_type,
                              .partial_type = p->partial_type,
                              .output_type = p->output_type,
                              .first_register = (uint32_t)w->registers.count,
                              .register_count = (uint32_t)p->registers.count,
                              .first_word = first_word,
                              .slot_count = p->slot_count};
    for (size_t i = 0; i < p->registers.count; i++) {
        psc_push(w->unit->arena, &w->registers, p->registers.at[i]);
    }
    uint32_t group = 0;
    for (size_t i = 0; i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        if (v->group && v->group != group) {
            write_region(w, p, i);
        }
        group = v->group;
        if (v->op != PSC_OP_LABELS) {
            write_line(w, first_word, v->span);
            write_value(w, v);
        }
    }
    record.word_count = (uint32_t)w->code.count - first_word;
    psc_push(w->unit->arena, &w->programs, record);
    return (uint32_t)w->programs.count - 1;
}

static void write_pipelines(writer *w)
{
    for (size_t i = 0; i < w->unit->pipelines.count; i++) {
        const psc_pipeline *p = w->unit->pipelines.at[i];
        psy_psm_pipeline record = p->record;
        psc_attributes attributes = psc_attributes_resolve(w->unit, &p->node->attributes, PSC_AT_PIPELINE);
        record.max_batch = attributes.max_batch;
        record.engine = attributes.engine;
        record.name = string(w, p->name);
        record.alternatives = p->alternatives;
        record.first_guard = (uint32_t)w->guards.count;
        record.guard_count = (uint32_t)p->guards.count;
        for (size_t k = 0; k < p->guards.count; k++) {
            psc_push(w->unit->arena, &w->guards, p->guards.at[k].record);
        }
        record.input_type = p->whole->input_type;
        record.output_type = p->whole->output_type;
        record.shard_program = write_program(w, p->shard);
        record.merge_program = p->merge ? write_program(w, p->merge) : PSY_NONE;
        psc_push(w->unit->arena, &w->pipelines, record);
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What the writer has, as a module that points into it. */
static psy__module as_module(const writer *w, const psy_psm_symbol *symbols, const psy_psm_check *checks)
{
    const psc_unit *u = w->unit;
    return (psy__module){.strings = w->strings.at,
                         .strings_bytes = w->strings.count,
                         .types = w->types.at,
                         .type_count = (uint32_t)w->types.count,
                         .fields = w->fields.at,
                         .field_count = (uint32_t)w->fields.count,
                         .symbols = symbols,
                         .symbol_count = (uint32_t)u->symbols.count,
                         .checks = checks,
                         .check_count = (uint32_t)u->checks.count,
                         .residents = w->residents.at,
                         .resident_count = (uint32_t)w->residents.count,
                         .pipelines = w->pipelines.at,
                         .pipeline_count = (uint32_t)w->pipelines.count,
                         .guards = w->guards.at,
                         .guard_count = (uint32_t)w->guards.count,
                         .programs = w->programs.at,
                         .program_count = (uint32_t)w->programs.count,
                         .registers = w->registers.at,
                         .register_count = (uint32_t)w->registers.count,
                         .code = w->code.at,
                         .code_words = w->code.count,
                         .consts = w->consts.at,
                         .consts_bytes = w->consts.count,
                         .lines = w->lines.at,
                         .line_count = u->options->no_lines ? 0 : (uint32_t)w->lines.count};
}

void psc_bytecode(psc_unit *u)
{
    writer writing = {.unit = u}, *w = &writing;
    string(w, "");
    w->file = string(w, base_name(u->source->path));
    write_types(w);
    psy_psm_symbol *symbols = psc_alloc(u->arena, (u->symbols.count + 1) * sizeof *symbols);
    for (size_t i = 0; i < u->symbols.count; i++) {
        symbols[i] = u->symbols.at[i];
        symbols[i].name = string(w, u->symbol_names.at[i]);
    }
    psy_psm_check *checks = psc_alloc(u->arena, (u->checks.count + 1) * sizeof *checks);
    for (size_t i = 0; i < u->checks.count; i++) {
        checks[i] = u->checks.at[i];
        checks[i].message = string(w, u->check_texts.at[i]);
    }
    for (size_t i = 0; i < u->residents.count; i++) {
        psy_psm_resident r = u->residents.at[i].record;
        r.name = string(w, u->residents.at[i].node->name.text);
        psc_push(u->arena, &w->residents, r);
    }
    write_weights(w);
    write_pipelines(w);
    psy__module m = as_module(w, symbols, checks);
    uint8_t *bytes;
    uint64_t n;
    psy__module again;
    psc_span whole = {u->source, 0, 0};
    if (psy__module_encode(&m, &bytes, &n) != PSY_OK) {
        psc_error(u->diags, PSC_E_LIMIT, whole, "the module cannot be written: %s", psy_detail());
        return;
    }
    u->module = psc_alloc(u->arena, n);
    u->module_bytes = n;
    memcpy(u->module, bytes, n);
    free(bytes);
    /* What is written is what the runtime will accept. */
    psy_status status = psy__module_decode(u->module, n, PSY_TRUST_NATIVE, &again);
    if (status != PSY_OK) {
        psc_error(u->diags, status == PSY_CORRUPT ? PSC_E_INTERNAL : PSC_E_LIMIT, whole, "%s", psy_detail());
    }
}
