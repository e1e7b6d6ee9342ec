/* SPDX-License-Identifier: Apache-2.0 */
/* One program: single assignment, dtypes, dims, regions, results. Slots are in lifetime.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/layout.h"
#include "isa/lifetime.h"
#include "isa/verify_state.h"

enum { TOPK_K_MAX = 65536 };

typedef psy__verifier context;

#define refuse(c, ...) psy__verify_refuse((c), __VA_ARGS__)

psy_status psy__verify_refuse(const context *c, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return psy_fail(PSY_CORRUPT, "program %s, word %u%s%s: %s", psy__module_string(c->m, c->p->name), c->at.word,
                    c->at.info ? ", " : "", c->at.info ? c->at.info->name : "", text);
}

bool psy__verify_same_dims(const psy_dim *a, uint32_t a_rank, const psy_dim *b, uint32_t b_rank)
{
    return a_rank == b_rank && (a_rank == 0 || memcmp(a, b, a_rank * sizeof *a) == 0);
}

/* Numpy's rules on dim words: equal, or a literal 1. False: they do not broadcast. */
static bool broadcast(const psy_psm_register *a, const psy_psm_register *b, psy_dim out[PSY_RANK_MAX], uint32_t *rank)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t i = 1; i <= *rank; i++) {
        psy_dim x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) {
            return false;
        }
        out[*rank - i] = x == 1 ? y : x;
    }
    return true;
}

/* ---- the words of an instruction ---- */

static psy_status read_words(context *c, uint32_t word)
{
    const uint32_t *w = c->m->code + c->p->first_word + word;
    c->at = (psy__instruction){.word = word};
    uint32_t count = w[0] >> 24, next = word + 2 + ((count + 1) & ~1u);
    const psy_op_info *info = psy__op_info(w[0] & 0xff);
    if (!info) {
        return psy_fail(PSY_UNSUPPORTED, "program %s, word %u: operation %u is not known to this library",
                        psy__module_string(c->m, c->p->name), word, w[0] & 0xff);
    }
    if (next > c->p->word_count) {
        return refuse(c, "the code ends in the middle of it");
    }
    psy__instruction_at(c->m, c->p, word, &c->at);
    if ((w[0] >> 16 & 0xff) != 0 || w[1] >> 16 != 0 || (count % 2 && w[2 + count] != 0)) {
        return refuse(c, "reserved bits are set");
    }
    if (!psy__op_takes(info, c->at.dtype)) {
        return refuse(c, "it does not take dtype %u", c->at.dtype);
    }
    const char *operands = strchr(info->signature, ':') + 1;
    size_t fixed = strcspn(operands, "*+");
    if (operands[fixed] ? count < fixed + (operands[fixed] == '+') : count != fixed) {
        return refuse(c, "it has %u operands", count);
    }
    return PSY_OK;
}

static psy_status check_operands(context *c)
{
    const char *kind = strchr(c->at.info->signature, ':') + 1;
    size_t fixed = strcspn(kind, "*+");
    for (uint32_t i = 0; i < c->at.operand_count; i++) {
        uint32_t value = c->at.operands[i];
        if (i < fixed && kind[i] == 'o' && value == PSY_NONE) {
            continue;
        }
        if (psy__op_reads_register(c->at.info, i)) {
            if (value >= c->p->register_count || !c->defined[value]) {
                return refuse(c, "operand %u reads register %u, which is not written before", i, value);
            }
            if (c->region_of[value] != 0 && (c->region_left == 0 || c->region_of[value] != c->region)) {
                return refuse(c, "register %u lives only inside its region", value);
            }
        }
    }
    if (c->at.dst_count == 0) {
        return c->at.dst == PSY_NO_REG ? PSY_OK : refuse(c, "it has no result, but names a register for one");
    }
    if ((uint32_t)c->at.dst + c->at.dst_count > c->p->register_count) {
        return refuse(c, "its result register %u does not exist", c->at.dst);
    }
    psy_op_class class_ = c->at.info->class_;
    bool view = class_ == PSY_CLASS_VIEW || class_ == PSY_CLASS_LOOKUP || class_ == PSY_CLASS_SHAPE;
    for (uint32_t i = 0; i < c->at.dst_count; i++) {
        uint32_t r = c->at.dst + i;
        if (c->defined[r]) {
            return refuse(c, "register %u is written twice", r);
        }
        if (view && c->registers[r].slot != PSY_NO_SLOT) {
            return refuse(c, "register %u is a view and has a slot", r);
        }
        if (!view && c->registers[r].slot == PSY_NO_SLOT) {
            if (c->region_left == 0) {
                return refuse(c, "register %u has no slot", r);
            }
            c->region_of[r] = c->region;
        }
    }
    return PSY_OK;
}

/* ---- what each class asks for ---- */

const psy_psm_register *psy__verify_operand(const context *c, uint32_t i) { return &c->registers[c->at.operands[i]]; }

psy_status psy__verify_result(context *c, uint32_t i, unsigned dtype, const psy_dim *dims, uint32_t rank)
{
    const psy_psm_register *r = &c->registers[c->at.dst + i];
    if (r->dtype != dtype) {
        return refuse(c, "its result has dtype %s, not %s", psy__dtype_name(r->dtype), psy__dtype_name(dtype));
    }
    return psy__verify_same_dims(r->dims, r->rank, dims, rank) ? PSY_OK : refuse(c, "its result has the wrong dims");
}

psy_status psy__verify_dtype(context *c, uint32_t i, unsigned dtype)
{
    return psy__verify_operand(c, i)->dtype == dtype
               ? PSY_OK
               : refuse(c, "operand %u has dtype %s, not %s", i, psy__dtype_name(psy__verify_operand(c, i)->dtype),
                        psy__dtype_name(dtype));
}

static const psy_psm_field *field_of(const context *c, uint32_t type, uint32_t field)
{
    return type != PSY_NONE && field < c->m->types[type].field_count ? &c->m->fields[c->m->types[type].first_field + field]
                                                                     : NULL;
}

/* The dims of the room that a field has. False: it has no elements of one shape. */
static bool dims_of(const psy_psm_field *f, psy_dim dims[PSY_RANK_MAX], uint32_t *rank)
{
    if (psy__field_is_vector(f) || psy__field_is_texts(f) || (f->flags & PSY_FIELD_TEXT)) {
        dims[(*rank)++] = f->count;
    }
    if (psy__field_is_texts(f)) {
        dims[(*rank)++] = f->inner;
    }
    return (f->kind == PSY_FIELD_SCALAR || f->kind == PSY_FIELD_ARRAY || f->kind == PSY_FIELD_BOUNDED ||
            (f->kind == PSY_FIELD_OPTIONAL && !(f->flags & PSY_FIELD_TEXT))) &&
           !(f->flags & PSY_FIELD_ITEMS);
}

static psy_status unsupported(const context *c, const psy_psm_field *f, const char *what)
{
    char type[PSY_FIELD_TYPE_TEXT_BYTES];
    psy__field_type_text(type, f, NULL);
    return psy_fail(PSY_UNSUPPORTED, "program %s: %s field %s (%s) is not supported", psy__module_string(c->m, c->p->name),
                    what, psy__module_string(c->m, f->name), type);
}

/* COUNT, LENGTHS: the field has one. */
static psy_status check_count(context *c)
{
    const psy_psm_field *f = field_of(c, c->p->input_type, c->at.operands[0]);
    if (!f) {
        return refuse(c, "there is no field %u", c->at.operands[0]);
    }
    if (c->at.op == PSY_OP_LENGTHS) {
        return psy__field_is_texts(f) ? psy__verify_result(c, 0, PSY_U32, &f->count, 1)
                                      : refuse(c, "field %s is not several texts", psy__module_string(c->m, f->name));
    }
    if (f->kind != PSY_FIELD_BOUNDED && f->kind != PSY_FIELD_OPTIONAL) {
        return refuse(c, "field %s has no count", psy__module_string(c->m, f->name));
    }
    if (c->at.dtype != (f->kind == PSY_FIELD_OPTIONAL ? PSY_U8 : PSY_U32)) {
        return refuse(c, "the count of field %s has another dtype", psy__module_string(c->m, f->name));
    }
    return psy__verify_result(c, 0, c->at.dtype, NULL, 0);
}

static psy_status check_view(context *c)
{
    psy_dim dims[PSY_RANK_MAX] = {0};
    uint32_t rank = 0, value = c->at.operands[0];
    if (c->at.op == PSY_OP_COUNT || c->at.op == PSY_OP_LENGTHS) {
        return check_count(c);
    }
    if (c->at.op == PSY_OP_LOAD || c->at.op == PSY_OP_PARTIAL) {
        bool partial = c->at.op == PSY_OP_PARTIAL;
        const psy_psm_field *f = field_of(c, partial ? c->p->partial_type : c->p->input_type, value);
        if (!f) {
            return refuse(c, "there is no field %u", value);
        }
        if (f->kind == PSY_FIELD_VARIANT && !partial) { /* any dtype and dims: its guard and bind check them */
            const psy_psm_register *r = &c->registers[c->at.dst];
            return psy__verify_result(c, 0, c->at.dtype, r->dims, r->rank);
        }
        bool plain = f->kind == PSY_FIELD_SCALAR || (f->kind == PSY_FIELD_ARRAY && !psy__field_is_texts(f));
        psy_dim room[PSY_RANK_MAX];
        uint32_t room_rank = 0;
        if (!dims_of(f, room, &room_rank) || (partial && !plain)) {
            return unsupported(c, f, "reading");
        }
        if (f->dtype != c->at.dtype) {
            return refuse(c, "field %s has dtype %s", psy__module_string(c->m, f->name), psy__dtype_name(f->dtype));
        }
        if (partial) {
            psy_dim shards = c->registers[c->at.dst].dims[0];
            if (c->registers[c->at.dst].rank == 0 || !psy__dim_is_symbol(shards) ||
                c->m->symbols[psy__dim_symbol(shards)].kind != PSY_SYMBOL_SHARDS) {
                return refuse(c, "its first dim is not the shards");
            }
            dims[rank++] = shards;
            c->stridden[c->at.dst] = true;
        }
        memcpy(dims + rank, room, room_rank * sizeof *room);
        rank += room_rank;
    } else if (c->at.op == PSY_OP_RESIDENT) {
        if (value >= c->m->resident_count || c->m->residents[value].dtype != c->at.dtype) {
            return refuse(c, "there is no resident %u of that dtype", value);
        }
        const psy_psm_resident *r = &c->m->residents[value];
        rank = r->rank;
        memcpy(dims, r->dims, sizeof dims);
        dims[0] = r->local_rows;
    } else { /* CONST */
        const psy_psm_register *r = &c->registers[c->at.dst];
        uint64_t bytes = psy__dtype_bytes(c->at.dtype);
        rank = r->rank;
        memcpy(dims, r->dims, sizeof dims);
        if (value % bytes != 0) {
            return refuse(c, "constant %u is not aligned", value);
        }
        for (uint32_t d = 0; d < rank; d++) {
            if (psy__dim_is_symbol(dims[d]) || __builtin_mul_overflow(bytes, (uint64_t)dims[d], &bytes)) {
                return refuse(c, "its dims are not literals");
            }
        }
        if (value > c->m->consts_bytes || bytes > c->m->consts_bytes - value) {
            return refuse(c, "constant %u lies outside of the constants", value);
        }
    }
    return psy__verify_result(c, 0, c->at.dtype, dims, rank);
}

static psy_status check_lookup(context *c)
{
    uint32_t value = c->at.operands[0];
    if (value >= c->m->resident_count || c->m->residents[value].dtype != c->at.dtype ||
        c->m->residents[value].placement != PSY_PLACE_BY_KEY) {
        return refuse(c, "there is no resident %u by key of that dtype", value);
    }
    if (psy__verify_operand(c, 1)->dtype != PSY_U64 || psy__verify_operand(c, 1)->rank != 0) {
        return refuse(c, "its key is no u64 scalar");
    }
    const psy_psm_resident *r = &c->m->residents[value];
    return psy__verify_result(c, 0, c->at.dtype, r->dims + 1, r->rank - 1u);
}

static bool is_local(const context *c, psy_dim d)
{
    return psy__dim_is_symbol(d) && psy__dim_symbol(d) < c->m->symbol_count &&
           c->m->symbols[psy__dim_symbol(d)].kind == PSY_SYMBOL_LOCAL;
}

static psy_status check_select(context *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0);
    uint32_t labels = c->at.operands[1];
    psy_dim k = c->at.operands[2], base = c->at.operands[3];
    psy_status status = psy__verify_dtype(c, 0, c->at.dtype);
    if (status != PSY_OK) {
        return status;
    }
    if (x->rank == 0 || k == 0 || k > TOPK_K_MAX) {
        return refuse(c, "it takes an operand of rank 1 or more and k of 1 to %d", TOPK_K_MAX);
    }
    if (labels != PSY_NONE &&
        (psy__verify_operand(c, 1)->dtype != PSY_U64 ||
         !psy__verify_same_dims(psy__verify_operand(c, 1)->dims, psy__verify_operand(c, 1)->rank, x->dims, x->rank))) {
        return refuse(c, "its labels do not fit its operand");
    }
    bool places = base == 0 && labels != PSY_NONE;
    if (base != PSY_NONE && !places && (labels != PSY_NONE || !is_local(c, base))) {
        return refuse(c, "its row base is no local size");
    }
    status = psy__verify_result(c, 0, c->at.dtype, &k, 1);
    return status == PSY_OK ? psy__verify_result(c, 1, PSY_U64, &k, 1) : status;
}

/* Fewer elements than a bounded field has room for. */
static bool is_shorter(const psy_psm_field *f, const psy_psm_register *r, psy_dim dims[PSY_RANK_MAX], uint32_t rank)
{
    if (f->kind != PSY_FIELD_BOUNDED || r->rank == 0 || psy__dim_is_symbol(r->dims[0]) || r->dims[0] > dims[0]) {
        return false;
    }
    dims[0] = r->dims[0];
    return psy__verify_same_dims(r->dims, r->rank, dims, rank);
}

static psy_status check_store_lengths(context *c)
{
    uint32_t field = c->at.operands[1];
    const psy_psm_field *f = field_of(c, c->p->output_type, field);
    const psy_psm_register *r = psy__verify_operand(c, 0);
    bool *stored = c->stored + c->m->types[c->p->output_type].field_count;
    if (!f || !psy__field_is_texts(f) || stored[field]) {
        return refuse(c, "field %u is not several texts, or its lengths are stored twice", field);
    }
    psy_dim dims[PSY_RANK_MAX] = {f->count};
    if (r->dtype != PSY_U32 || (!psy__verify_same_dims(r->dims, r->rank, dims, 1) && !is_shorter(f, r, dims, 1))) {
        return refuse(c, "its operand does not fit field %s", psy__module_string(c->m, f->name));
    }
    stored[field] = true;
    return PSY_OK;
}

static psy_status check_store(context *c)
{
    if (c->at.op == PSY_OP_STORE_LENGTHS) {
        return check_store_lengths(c);
    }
    uint32_t field = c->at.operands[1], length = c->at.operands[2];
    const psy_psm_field *f = field_of(c, c->p->output_type, field);
    const psy_psm_register *r = psy__verify_operand(c, 0);
    if (!f || c->stored[field]) {
        return refuse(c, "field %u does not exist, or is stored twice", field);
    }
    bool variant = f->kind == PSY_FIELD_VARIANT;
    if ((f->dtype != c->at.dtype && !variant) || r->dtype != c->at.dtype) {
        return refuse(c, "field %s has dtype %s", psy__module_string(c->m, f->name), psy__dtype_name(f->dtype));
    }
    psy_dim dims[PSY_RANK_MAX];
    uint32_t rank = 0;
    if (!variant && !dims_of(f, dims, &rank)) {
        return unsupported(c, f, "writing");
    }
    if (!variant && !psy__verify_same_dims(r->dims, r->rank, dims, rank) && !is_shorter(f, r, dims, rank)) {
        return refuse(c, "its operand does not fit field %s", psy__module_string(c->m, f->name));
    }
    if (length != PSY_NONE) {
        const psy_psm_register *n = psy__verify_operand(c, 2);
        bool integer = psy__dtype_computes(n->dtype) && psy__dtype_class(n->dtype) != PSY_DCLASS_FLOAT;
        if (f->kind == PSY_FIELD_OPTIONAL && (n->rank != 0 || n->dtype != PSY_BOOL)) {
            return refuse(c, "whether field %s is there is no truth value", psy__module_string(c->m, f->name));
        }
        if (f->kind != PSY_FIELD_OPTIONAL && (f->kind != PSY_FIELD_BOUNDED || n->rank != 0 || !integer)) {
            return refuse(c, "its length is no integer scalar, or field %s takes none", psy__module_string(c->m, f->name));
        }
    }
    c->stored[field] = true;
    return PSY_OK;
}

/* Inside a region, `dims` is what an elementwise instruction gives: the whole space, or what is left of it after its reduction.
 */
static psy_status place_in_region(context *c, const psy_dim *dims, uint32_t rank)
{
    if (c->region_left == 0) {
        return PSY_OK;
    }
    if (!c->region_second && psy__verify_same_dims(dims, rank, c->space, c->space_rank)) {
        for (uint32_t i = 0; i < psy__op_register_count(c->at.info); i++) {
            if (c->reduced_in[c->at.operands[i]] == c->region) {
                return refuse(c, "it reads a reduction of its own region too early");
            }
        }
        return PSY_OK;
    }
    if (c->region_reduces && psy__verify_same_dims(dims, rank, c->space, c->space_rank - 1)) {
        c->region_second = true;
        return PSY_OK;
    }
    return refuse(c, "its dims are not its region's, or it comes too late");
}

static psy_status check_map(context *c)
{
    psy_dim dims[PSY_RANK_MAX];
    const psy_psm_register *a = psy__verify_operand(c, 0);
    psy_psm_register all = *a;
    for (uint32_t i = 0; i < psy__op_register_count(c->at.info); i++) {
        unsigned dtype = psy__op_operand_dtype(c->at.info, c->at.dtype, i);
        psy_status status = dtype ? psy__verify_dtype(c, i, dtype) : PSY_OK;
        if (status != PSY_OK) {
            return status;
        }
        uint32_t rank;
        if (!broadcast(&all, psy__verify_operand(c, i), dims, &rank)) {
            return refuse(c, "its operands do not broadcast");
        }
        all.rank = (uint8_t)rank;
        memcpy(all.dims, dims, sizeof all.dims);
    }
    psy_status status = place_in_region(c, all.dims, all.rank);
    return status == PSY_OK ? psy__verify_result(c, 0, psy__op_result_dtype(c->at.info, c->at.dtype), all.dims, all.rank)
                            : status;
}

static psy_status check_reduce(context *c)
{
    psy_dim dims[PSY_RANK_MAX] = {0};
    const psy_psm_register *a = psy__verify_operand(c, 0);
    uint32_t rank = a->rank, axis = c->at.operands[1];
    psy_status status = psy__verify_dtype(c, 0, c->at.dtype);
    memcpy(dims, a->dims, sizeof dims);
    if (status == PSY_OK && c->at.info->class_ == PSY_CLASS_REDUCE2) {
        status = psy__verify_dtype(c, 1, c->at.dtype);
        if (status == PSY_OK && !broadcast(a, psy__verify_operand(c, 1), dims, &rank)) {
            return refuse(c, "its operands do not broadcast");
        }
        axis = rank - 1;
    }
    if (status != PSY_OK) {
        return status;
    }
    if (rank == 0 || axis >= rank) {
        return refuse(c, "there is no axis %u to reduce", axis);
    }
    if (c->region_left > 0) {
        if (!c->region_reduces || c->region_second || axis != rank - 1 ||
            !psy__verify_same_dims(dims, rank, c->space, c->space_rank)) {
            return refuse(c, "it is not a reduction of its region's last dim, or comes too late");
        }
        for (uint32_t i = 0; i < (c->at.info->class_ == PSY_CLASS_REDUCE2 ? 2u : 1u); i++) {
            if (c->reduced_in[c->at.operands[i]] == c->region) {
                return refuse(c, "it reads a reduction of its own region too early");
            }
        }
        c->reduced_in[c->at.dst] = c->region;
        c->region_reduced = true;
    }
    memmove(dims + axis, dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *dims);
    return psy__verify_result(c, 0, c->at.dtype, dims, rank - 1);
}

static psy_status check_region(context *c)
{
    uint32_t count = c->at.operands[0], reduces = c->at.operands[1], rank = c->at.operand_count - 2;
    if (c->region_left > 0) {
        return refuse(c, "regions do not nest");
    }
    if (count == 0 || count > c->p->word_count || reduces > 1 || rank > PSY_RANK_MAX || (reduces && rank == 0)) {
        return refuse(c, "its counts are out of range");
    }
    for (uint32_t d = 0; d < rank; d++) {
        psy_dim dim = c->at.operands[2 + d];
        if (dim == PSY_NONE || (psy__dim_is_symbol(dim) && psy__dim_symbol(dim) >= c->m->symbol_count)) {
            return refuse(c, "dim %u does not exist", d);
        }
        c->space[d] = dim;
    }
    c->space_rank = rank;
    c->region_reduces = reduces != 0;
    c->region_second = c->region_reduced = false;
    c->region++;
    c->region_left = count + 1; /* itself included: the caller counts down */
    return PSY_OK;
}

static psy_status check_class(context *c)
{
    psy_op_class class_ = c->at.info->class_;
    if (c->region_left > 0 && !psy__class_is_map(class_) && !psy__class_is_reduction(class_)) {
        return refuse(c, "it cannot be in a region");
    }
    switch (class_) {
    case PSY_CLASS_VIEW: return check_view(c);
    case PSY_CLASS_SIZE: {
        psy_dim d = c->at.operands[0];
        if (d == PSY_NONE || (psy__dim_is_symbol(d) && psy__dim_symbol(d) >= c->m->symbol_count)) {
            return refuse(c, "its dim does not exist");
        }
        if (c->at.op == PSY_OP_BASE && !is_local(c, d)) {
            return refuse(c, "its dim is no local size");
        }
        return psy__verify_result(c, 0, c->at.dtype, NULL, 0);
    }
    case PSY_CLASS_LOOKUP: return check_lookup(c);
    case PSY_CLASS_MAP1:
    case PSY_CLASS_MAP2:
    case PSY_CLASS_MAP3:
    case PSY_CLASS_COMPARE:
    case PSY_CLASS_CHOOSE:
    case PSY_CLASS_CAST: return check_map(c);
    case PSY_CLASS_REDUCE1:
    case PSY_CLASS_REDUCE2: return check_reduce(c);
    case PSY_CLASS_SHAPE:
    case PSY_CLASS_INDEX:
    case PSY_CLASS_JOIN:
    case PSY_CLASS_GATHER:
    case PSY_CLASS_SCATTER:
    case PSY_CLASS_SCAN:
    case PSY_CLASS_SORT: return psy__verify_shape(c);
    case PSY_CLASS_SELECT: return check_select(c);
    case PSY_CLASS_STORE: return check_store(c);
    case PSY_CLASS_REGION: return check_region(c);
    }
    return refuse(c, "its class is not known");
}

static psy_status walk(context *c)
{
    uint32_t word = 0;
    while (word < c->p->word_count) {
        psy_status status = read_words(c, word);
        status = status == PSY_OK ? check_operands(c) : status;
        status = status == PSY_OK ? check_class(c) : status;
        if (status != PSY_OK) {
            return status;
        }
        for (uint32_t i = 0; i < c->at.dst_count; i++) {
            c->defined[c->at.dst + i] = true;
        }
        if (c->region_left > 0 && --c->region_left == 0 && c->region_reduces && !c->region_reduced) {
            return refuse(c, "its region ends without the reduction that it announced");
        }
        word = c->at.next;
    }
    if (c->region_left > 0) {
        return refuse(c, "the code ends inside a region");
    }
    for (uint32_t r = 0; r < c->p->register_count; r++) {
        if (!c->defined[r]) {
            return refuse(c, "register %u is never written", r);
        }
    }
    for (uint32_t f = 0; f < c->m->types[c->p->output_type].field_count; f++) {
        const psy_psm_field *field = field_of(c, c->p->output_type, f);
        const bool *lengths = c->stored + c->m->types[c->p->output_type].field_count;
        if (!c->stored[f] && field->kind != PSY_FIELD_PART && field->kind != PSY_FIELD_STRUCT) {
            return refuse(c, "output field %s is never stored", psy__module_string(c->m, field->name));
        }
        if (psy__field_is_texts(field) && !lengths[f]) {
            return refuse(c, "the lengths of output field %s are never stored", psy__module_string(c->m, field->name));
        }
    }
    return PSY_OK;
}

psy_status psy__program_verify(const psy__module *m, uint32_t program)
{
    const psy_psm_program *p = &m->programs[program];
    uint32_t fields = m->types[p->output_type].field_count;
    context c = {.m = m, .p = p, .registers = m->registers + p->first_register};
    c.region_of = calloc(p->register_count + 1u, sizeof *c.region_of);
    c.defined = calloc(p->register_count + 1u, sizeof *c.defined);
    c.reduced_in = calloc(p->register_count + 1u, sizeof *c.reduced_in);
    c.stridden = calloc(p->register_count + 1u, sizeof *c.stridden);
    c.stored = calloc(2u * fields + 1u, sizeof *c.stored);
    psy_status status = c.region_of && c.defined && c.reduced_in && c.stridden && c.stored
                            ? walk(&c)
                            : psy_fail(PSY_NO_MEMORY, "no memory to verify a program");
    free(c.region_of);
    free(c.defined);
    free(c.reduced_in);
    free(c.stridden);
    free(c.stored);
    return status == PSY_OK ? psy__lifetimes_verify(m, p) : status;
}
