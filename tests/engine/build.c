/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/engine/build.h"

#include "tests/test.h"

build *build_create(void)
{
    build *b = calloc(1, sizeof *b);
    cr_assert(b != NULL, "no memory");
    b->strings_bytes = 1;
    b->open_region = PSY_NONE;
    return b;
}

void build_destroy(build *b)
{
    if (b) {
        free(b->bytes);
        free(b);
    }
}

/* ---- records ---- */

static uint32_t add_string(build *b, const char *text)
{
    size_t n = strlen(text) + 1;
    cr_assert(n <= BUILD_STRINGS - b->strings_bytes, "too many names");
    memcpy(b->strings + b->strings_bytes, text, n);
    b->strings_bytes += (uint32_t)n;
    return b->strings_bytes - (uint32_t)n;
}

static uint32_t add_name(build *b, char letter, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%c%u", letter, number);
    return add_string(b, text);
}

uint32_t build_type(build *b)
{
    cr_assert(b->type_count < BUILD_TYPES, "too many types");
    b->types[b->type_count] = (psy_psm_type){.name = add_name(b, 't', b->type_count)};
    return b->type_count++;
}

static uint32_t add_field_name(build *b, uint32_t type, uint32_t parent)
{
    char text[128];
    const char *part = parent == PSY_NONE ? "" : b->strings + b->fields[type][parent].name;
    snprintf(text, sizeof text, "%s%sf%u", part, *part ? "." : "", b->types[type].field_count);
    return add_string(b, text);
}

uint32_t build_field(build *b, uint32_t type, unsigned dtype, unsigned kind, uint32_t count)
{
    psy_psm_type *t = &b->types[type];
    cr_assert(type < b->type_count && t->field_count < BUILD_TYPE_FIELDS, "too many fields");
    uint32_t parent = b->open_part[type] ? b->open_part[type] - 1 : PSY_NONE;
    b->fields[type][t->field_count] = (psy_psm_field){.name = add_field_name(b, type, parent),
                                                      .dtype = (uint8_t)dtype,
                                                      .kind = (uint8_t)kind,
                                                      .count = count,
                                                      .since = 1,
                                                      .parent = parent,
                                                      .type = PSY_NONE};
    return t->field_count++;
}

uint32_t build_text(build *b, uint32_t type, uint32_t bytes)
{
    uint32_t f = build_field(b, type, PSY_U8, PSY_FIELD_BOUNDED, bytes);
    b->fields[type][f].flags = PSY_FIELD_TEXT;
    return f;
}

uint32_t build_texts(build *b, uint32_t type, unsigned kind, uint32_t bytes, uint32_t count)
{
    uint32_t f = build_field(b, type, PSY_U8, kind, count);
    b->fields[type][f].flags = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY;
    b->fields[type][f].inner = bytes;
    return f;
}

uint32_t build_optional_array(build *b, uint32_t type, unsigned dtype, uint32_t count)
{
    uint32_t f = build_field(b, type, dtype, PSY_FIELD_OPTIONAL, count);
    b->fields[type][f].flags = PSY_FIELD_IS_ARRAY;
    return f;
}

uint32_t build_part(build *b, uint32_t type)
{
    uint32_t f = build_field(b, type, PSY_U8, PSY_FIELD_PART, 0);
    b->open_part[type] = f + 1;
    return f;
}

void build_part_end(build *b, uint32_t type)
{
    uint32_t parent = b->fields[type][b->open_part[type] - 1].parent;
    b->open_part[type] = parent == PSY_NONE ? 0 : parent + 1;
}

psy_dim build_symbol(build *b, unsigned kind, psy_dim of)
{
    cr_assert(b->symbol_count < BUILD_SYMBOLS, "too many symbols");
    b->symbols[b->symbol_count] = (psy_psm_symbol){.name = add_name(b, 's', b->symbol_count),
                                                   .kind = kind,
                                                   .of = kind == PSY_SYMBOL_LOCAL ? psy__dim_symbol(of) : PSY_NONE};
    return PSY_DIM_SYMBOL | b->symbol_count++;
}

psy_dim build_computed(build *b, unsigned kind, psy_dim left, psy_dim right)
{
    psy_dim s = build_symbol(b, kind, PSY_NONE);
    b->symbols[psy__dim_symbol(s)].of = left;
    b->symbols[psy__dim_symbol(s)].with = right;
    return s;
}

void build_check(build *b, psy_dim left, unsigned relation, psy_dim right, const char *message)
{
    cr_assert(b->check_count < BUILD_SYMBOLS, "too many checks");
    b->checks[b->check_count++] =
        (psy_psm_check){.left = left, .right = right, .relation = relation, .message = add_string(b, message)};
}

uint32_t build_resident(build *b, unsigned dtype, unsigned placement, psy_dim local_rows, unsigned rank, const psy_dim *dims)
{
    cr_assert(b->resident_count < BUILD_RESIDENTS, "too many residents");
    psy_psm_resident *r = &b->residents[b->resident_count];
    *r = (psy_psm_resident){.name = add_name(b, 'd', b->resident_count),
                            .dtype = (uint8_t)dtype,
                            .rank = (uint8_t)rank,
                            .placement = (uint8_t)placement,
                            .local_rows = local_rows == PSY_NONE ? dims[0] : local_rows};
    memcpy(r->dims, dims, rank * sizeof *dims);
    return b->resident_count++;
}

uint32_t build_pipeline(build *b, unsigned route, uint32_t key_field, uint32_t shard_program, uint32_t merge_program)
{
    cr_assert(b->pipeline_count < BUILD_PROGRAMS, "too many pipelines");
    bool all = route == PSY_ROUTE_ALL;
    const psy_psm_program *shard = &b->programs[shard_program], *last = all ? &b->programs[merge_program] : shard;
    if (key_field != PSY_NONE) {
        b->fields[shard->input_type][key_field].flags = PSY_FIELD_KEY;
    }
    b->pipelines[b->pipeline_count] = (psy_psm_pipeline){.name = add_name(b, 'q', b->pipeline_count),
                                                         .input_type = shard->input_type,
                                                         .output_type = last->output_type,
                                                         .route = route,
                                                         .key_field = key_field,
                                                         .shard_program = shard_program,
                                                         .merge_program = all ? merge_program : PSY_NONE,
                                                         .partial_type = all ? shard->output_type : PSY_NONE,
                                                         .alternatives = 1};
    return b->pipeline_count++;
}

/* ---- a program ---- */

psy_psm_program *build_open_program(build *b)
{
    cr_assert(b->program_count > 0, "no program is open");
    return &b->programs[b->program_count - 1];
}

const psy_psm_register *build_register(const build *b, uint32_t r)
{
    return &b->registers[b->programs[b->program_count - 1].first_register + r];
}

uint32_t build_program(build *b, uint32_t input, uint32_t partial, uint32_t output)
{
    cr_assert(b->program_count < BUILD_PROGRAMS && b->op_count == 0, "too many programs, or one is open");
    b->programs[b->program_count] = (psy_psm_program){.name = add_name(b, 'p', b->program_count),
                                                      .input_type = input,
                                                      .partial_type = partial,
                                                      .output_type = output,
                                                      .first_register = b->register_count,
                                                      .first_word = b->code_words};
    return b->program_count++;
}

static uint32_t add_register(build *b, unsigned dtype, unsigned rank, const psy_dim *dims)
{
    cr_assert(b->register_count < BUILD_REGISTERS, "too many registers");
    psy_psm_register *r = &b->registers[b->register_count++];
    *r = (psy_psm_register){.dtype = (uint8_t)dtype, .rank = (uint8_t)rank, .slot = PSY_NO_SLOT};
    if (rank) {
        memcpy(r->dims, dims, rank * sizeof *dims);
    }
    return build_open_program(b)->register_count++;
}

static build_op *add_op(build *b, psy_op op, unsigned dtype, uint32_t dst, unsigned count, const uint32_t *operands)
{
    cr_assert(b->op_count < BUILD_OPS && count <= BUILD_OPERANDS, "too many instructions");
    build_op *o = &b->ops[b->op_count++];
    *o = (build_op){.op = op, .dtype = dtype, .operand_count = count, .dst = dst};
    o->region = b->open_region != PSY_NONE ? b->regions : 0;
    memcpy(o->operands, operands, count * sizeof *operands);
    return o;
}

uint32_t build_load(build *b, uint32_t field)
{
    const psy_psm_field *f = &b->fields[build_open_program(b)->input_type][field];
    bool texts = (f->flags & PSY_FIELD_TEXT) != 0 && (f->flags & PSY_FIELD_IS_ARRAY) != 0;
    bool array = f->kind == PSY_FIELD_ARRAY || f->kind == PSY_FIELD_BOUNDED || (f->flags & PSY_FIELD_IS_ARRAY) != 0;
    uint32_t r = add_register(b, f->dtype, texts ? 2 : array, (psy_dim[]){f->count, f->inner});
    add_op(b, PSY_OP_LOAD, f->dtype, r, 1, &field);
    return r;
}

uint32_t build_count(build *b, uint32_t field)
{
    unsigned dtype = b->fields[build_open_program(b)->input_type][field].kind == PSY_FIELD_OPTIONAL ? PSY_U8 : PSY_U32;
    uint32_t r = add_register(b, dtype, 0, NULL);
    add_op(b, PSY_OP_COUNT, dtype, r, 1, &field);
    return r;
}

uint32_t build_lengths(build *b, uint32_t field)
{
    uint32_t r = add_register(b, PSY_U32, 1, &b->fields[build_open_program(b)->input_type][field].count);
    add_op(b, PSY_OP_LENGTHS, PSY_U32, r, 1, &field);
    return r;
}

uint32_t build_partial(build *b, uint32_t field, psy_dim shards)
{
    const psy_psm_field *f = &b->fields[build_open_program(b)->partial_type][field];
    uint32_t r = add_register(b, f->dtype, f->kind == PSY_FIELD_ARRAY ? 2 : 1, (psy_dim[]){shards, f->count});
    add_op(b, PSY_OP_PARTIAL, f->dtype, r, 1, &field);
    return r;
}

uint32_t build_view(build *b, uint32_t resident)
{
    const psy_psm_resident *from = &b->residents[resident];
    psy_dim dims[PSY_RANK_MAX];
    memcpy(dims, from->dims, sizeof dims);
    dims[0] = from->local_rows;
    uint32_t r = add_register(b, from->dtype, from->rank, dims);
    add_op(b, PSY_OP_RESIDENT, from->dtype, r, 1, &resident);
    return r;
}

uint32_t build_const(build *b, unsigned dtype, unsigned rank, const psy_dim *dims, const void *elements)
{
    uint64_t bytes = psy__dtype_bytes(dtype);
    for (unsigned d = 0; d < rank; d++) {
        bytes *= dims[d];
    }
    uint32_t at = (b->consts_bytes + 63) & ~63u;
    cr_assert(bytes <= BUILD_CONSTS && at <= BUILD_CONSTS - bytes, "too many constants");
    memcpy(b->consts + at, elements, bytes);
    b->consts_bytes = at + (uint32_t)bytes;
    uint32_t r = add_register(b, dtype, rank, dims);
    add_op(b, PSY_OP_CONST, dtype, r, 1, &at);
    return r;
}

uint32_t build_size(build *b, unsigned dtype, psy_dim dim)
{
    uint32_t r = add_register(b, dtype, 0, NULL);
    add_op(b, PSY_OP_SIZE, dtype, r, 1, &dim);
    return r;
}

uint32_t build_base(build *b, unsigned dtype, psy_dim dim)
{
    uint32_t r = add_register(b, dtype, 0, NULL);
    add_op(b, PSY_OP_BASE, dtype, r, 1, &dim);
    return r;
}

uint32_t build_lookup(build *b, uint32_t resident, uint32_t key)
{
    const psy_psm_resident *from = &b->residents[resident];
    uint32_t r = add_register(b, from->dtype, from->rank - 1u, from->dims + 1);
    add_op(b, PSY_OP_LOOKUP, from->dtype, r, 2, (uint32_t[]){resident, key});
    return r;
}

static unsigned broadcast(const psy_psm_register *x, const psy_psm_register *y, psy_dim *dims)
{
    unsigned rank = x->rank > y->rank ? x->rank : y->rank;
    for (unsigned d = 0; d < rank; d++) {
        psy_dim i = d + x->rank < rank ? 1 : x->dims[d + x->rank - rank],
                j = d + y->rank < rank ? 1 : y->dims[d + y->rank - rank];
        dims[d] = i == 1 ? j : i;
    }
    return rank;
}

static uint32_t map(build *b, psy_op op, unsigned dtype, unsigned count, const uint32_t *operands)
{
    psy_psm_register all = *build_register(b, operands[0]);
    for (unsigned i = 1; i < count; i++) {
        psy_dim dims[PSY_RANK_MAX] = {0};
        all.rank = (uint8_t)broadcast(&all, build_register(b, operands[i]), dims);
        memcpy(all.dims, dims, sizeof dims);
    }
    uint32_t r = add_register(b, psy__op_result_dtype(psy__op_info(op), dtype), all.rank, all.dims);
    add_op(b, op, dtype, r, count, operands);
    return r;
}

uint32_t build_map(build *b, psy_op op, uint32_t x, uint32_t y)
{
    return map(b, op, build_register(b, x)->dtype, y == PSY_NONE ? 1 : 2, (uint32_t[]){x, y});
}

uint32_t build_map3(build *b, psy_op op, uint32_t x, uint32_t y, uint32_t z)
{
    return map(b, op, build_register(b, y)->dtype, 3, (uint32_t[]){x, y, z});
}

uint32_t build_cast(build *b, unsigned dtype, uint32_t x)
{
    psy_psm_register a = *build_register(b, x);
    uint32_t r = add_register(b, dtype, a.rank, a.dims);
    add_op(b, PSY_OP_CAST, dtype, r, 1, &x);
    return r;
}

uint32_t build_reduce(build *b, psy_op op, uint32_t x, uint32_t axis)
{
    psy_psm_register a = *build_register(b, x);
    cr_assert(axis < a.rank, "there is no axis %u", axis);
    memmove(a.dims + axis, a.dims + axis + 1, (a.rank - axis - 1u) * sizeof *a.dims);
    uint32_t r = add_register(b, a.dtype, a.rank - 1u, a.dims);
    add_op(b, op, a.dtype, r, 2, (uint32_t[]){x, axis});
    return r;
}

uint32_t build_reduce2(build *b, psy_op op, uint32_t x, uint32_t y)
{
    psy_dim dims[PSY_RANK_MAX] = {0};
    unsigned dtype = build_register(b, x)->dtype, rank = broadcast(build_register(b, x), build_register(b, y), dims);
    uint32_t r = add_register(b, dtype, rank - 1, dims);
    add_op(b, op, dtype, r, 2, (uint32_t[]){x, y});
    return r;
}

uint32_t build_topk(build *b, uint32_t x, uint32_t labels, uint32_t k, psy_dim base)
{
    unsigned dtype = build_register(b, x)->dtype;
    uint32_t r = add_register(b, dtype, 1, &k);
    add_register(b, PSY_U64, 1, &k);
    add_op(b, PSY_OP_TOPK, dtype, r, 4, (uint32_t[]){x, labels, k, base});
    return r;
}

/* ---- views, and elements that move ---- */

static uint32_t view(build *b, psy_op op, uint32_t x, unsigned rank, const psy_dim *dims, unsigned count,
                     const uint32_t *operands)
{
    unsigned dtype = build_register(b, x)->dtype;
    uint32_t r = add_register(b, dtype, rank, dims);
    add_op(b, op, dtype, r, count, operands);
    return r;
}

uint32_t build_reshape(build *b, uint32_t x, unsigned rank, const psy_dim *dims)
{
    return view(b, PSY_OP_RESHAPE, x, rank, dims, 1, &x);
}

uint32_t build_permute(build *b, uint32_t x, const unsigned *order)
{
    psy_psm_register a = *build_register(b, x);
    psy_dim dims[PSY_RANK_MAX];
    uint32_t axes = 0;
    for (unsigned d = 0; d < a.rank; d++) {
        dims[d] = a.dims[order[d]];
        axes |= order[d] << 4 * d;
    }
    return view(b, PSY_OP_PERMUTE, x, a.rank, dims, 2, (uint32_t[]){x, axes});
}

uint32_t build_slice(build *b, uint32_t x, uint32_t axis, psy_dim from, psy_dim count, int32_t step)
{
    psy_psm_register a = *build_register(b, x);
    a.dims[axis] = count;
    return view(b, PSY_OP_SLICE, x, a.rank, a.dims, 4, (uint32_t[]){x, axis, from, (uint32_t)step});
}

uint32_t build_repeat(build *b, uint32_t x, unsigned rank, const psy_dim *dims)
{
    return view(b, PSY_OP_REPEAT, x, rank, dims, 1, &x);
}

uint32_t build_iota(build *b, unsigned dtype, uint32_t axis, unsigned rank, const psy_dim *dims)
{
    uint32_t r = add_register(b, dtype, rank, dims);
    add_op(b, PSY_OP_IOTA, dtype, r, 1, &axis);
    return r;
}

uint32_t build_concat(build *b, uint32_t axis, unsigned count, const uint32_t *x, psy_dim length)
{
    psy_psm_register a = *build_register(b, x[0]);
    uint32_t operands[BUILD_OPERANDS] = {axis};
    a.dims[axis] = length == PSY_NONE ? 0 : length;
    for (unsigned i = 0; i < count; i++) {
        operands[1 + i] = x[i];
        a.dims[axis] += length == PSY_NONE ? build_register(b, x[i])->dims[axis] : 0;
    }
    return view(b, PSY_OP_CONCAT, x[0], a.rank, a.dims, 1 + count, operands);
}

uint32_t build_gather(build *b, uint32_t x, uint32_t index, uint32_t axis)
{
    psy_psm_register a = *build_register(b, x), i = *build_register(b, index);
    psy_dim dims[2 * PSY_RANK_MAX];
    unsigned rank = 0;
    for (unsigned d = 0; d < a.rank; d++) {
        for (unsigned k = 0; d == axis && k < i.rank; k++) {
            dims[rank++] = i.dims[k];
        }
        if (d != axis) {
            dims[rank++] = a.dims[d];
        }
    }
    return view(b, PSY_OP_GATHER, x, rank, dims, 3, (uint32_t[]){x, index, axis});
}

uint32_t build_scatter(build *b, uint32_t x, uint32_t index, uint32_t y)
{
    psy_psm_register a = *build_register(b, x);
    return view(b, PSY_OP_SCATTER, x, a.rank, a.dims, 3, (uint32_t[]){x, index, y});
}

uint32_t build_scan(build *b, psy_op op, uint32_t x, uint32_t axis)
{
    psy_psm_register a = *build_register(b, x);
    return view(b, op, x, a.rank, a.dims, 2, (uint32_t[]){x, axis});
}

uint32_t build_sort(build *b, uint32_t x, psy_dim count, bool descending)
{
    psy_psm_register a = *build_register(b, x);
    a.dims[a.rank - 1] = count;
    uint32_t r = add_register(b, a.dtype, a.rank, a.dims);
    add_register(b, PSY_U64, a.rank, a.dims);
    add_op(b, PSY_OP_SORT, a.dtype, r, 3, (uint32_t[]){x, count, descending});
    return r;
}

void build_store(build *b, uint32_t x, uint32_t field, uint32_t length)
{
    add_op(b, PSY_OP_STORE, build_register(b, x)->dtype, PSY_NONE, 3, (uint32_t[]){x, field, length});
}

void build_store_lengths(build *b, uint32_t x, uint32_t field)
{
    add_op(b, PSY_OP_STORE_LENGTHS, PSY_U32, PSY_NONE, 2, (uint32_t[]){x, field});
}

uint32_t build_output(build *b, uint32_t x)
{
    const psy_psm_register *r = build_register(b, x);
    uint32_t field = build_field(b, build_open_program(b)->output_type, r->dtype, r->rank ? PSY_FIELD_ARRAY : PSY_FIELD_SCALAR,
                                 r->rank ? r->dims[0] : 1);
    build_store(b, x, field, PSY_NONE);
    return field;
}

uint32_t build_operation(build *b, const psy_op_info *info, unsigned dtype, uint32_t a, uint32_t truth, uint32_t index)
{
    uint32_t x[] = {a, a};
    psy_dim count = build_register(b, a)->rank ? build_register(b, a)->dims[0] : 1;
    switch (info->class_) {
    case PSY_CLASS_MAP1: return build_map(b, info->op, a, PSY_NONE);
    case PSY_CLASS_COMPARE:
    case PSY_CLASS_MAP2: return build_map(b, info->op, a, a);
    case PSY_CLASS_MAP3: return build_map3(b, info->op, a, a, a);
    case PSY_CLASS_CHOOSE: return build_map3(b, info->op, truth, a, a);
    case PSY_CLASS_CAST: return build_cast(b, dtype, a);
    case PSY_CLASS_REDUCE1: return build_reduce(b, info->op, a, 0);
    case PSY_CLASS_REDUCE2: return build_reduce2(b, info->op, a, a);
    case PSY_CLASS_SCAN: return build_scan(b, info->op, a, 0);
    case PSY_CLASS_SELECT: return build_topk(b, a, PSY_NONE, 3, PSY_NONE);
    case PSY_CLASS_SORT: return build_sort(b, a, count, false);
    case PSY_CLASS_INDEX: return build_iota(b, dtype, 0, 1, &count);
    case PSY_CLASS_JOIN: return build_concat(b, 0, 2, x, PSY_NONE);
    case PSY_CLASS_GATHER: return build_gather(b, a, index, 0);
    case PSY_CLASS_SCATTER: return build_scatter(b, a, index, a);
    case PSY_CLASS_SHAPE:
        return info->op == PSY_OP_RESHAPE   ? build_reshape(b, build_reshape(b, a, 2, (psy_dim[]){1, count}), 1, &count)
               : info->op == PSY_OP_PERMUTE ? build_permute(b, a, (unsigned[]){0})
               : info->op == PSY_OP_SLICE   ? build_slice(b, a, 0, count - 1, count, -1)
                                            : build_repeat(b, a, 1, &count);
    default: return a;
    }
}

uint32_t build_output_all(build *b, uint32_t x)
{
    psy_dim count = 1;
    for (unsigned d = 0; d < build_register(b, x)->rank; d++) {
        count *= build_register(b, x)->dims[d];
    }
    if (build_register(b, x)->rank == 0) {
        return build_output(b, x);
    }
    return build_output(b, build_reshape(b, build_concat(b, 0, 1, &x, PSY_NONE), 1, &count));
}

void build_output_ranked(build *b, uint32_t x, uint32_t count)
{
    uint32_t best = build_topk(b, x, PSY_NONE, count, PSY_NONE);
    build_output(b, best);
    build_output(b, best + 1);
}

void build_region(build *b, bool reduces, unsigned rank, const psy_dim *dims)
{
    uint32_t operands[BUILD_OPERANDS] = {0, reduces};
    cr_assert(b->open_region == PSY_NONE, "a region is open");
    if (rank) {
        memcpy(operands + 2, dims, rank * sizeof *dims);
    }
    add_op(b, PSY_OP_REGION, 0, PSY_NONE, 2 + rank, operands);
    b->open_region = b->op_count - 1;
    b->regions++;
}

void build_region_end(build *b)
{
    cr_assert(b->open_region != PSY_NONE, "no region is open");
    b->ops[b->open_region].operands[0] = b->op_count - b->open_region - 1;
    b->open_region = PSY_NONE;
}
