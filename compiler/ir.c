/* SPDX-License-Identifier: Apache-2.0 */
#include "ir.h"

#include <inttypes.h>
#include <string.h>

psc_value *psc_ir_add(psc_arena *arena, psc_program *p, const psc_value *from)
{
    psc_value *v = psc_new(arena, psc_value);
    *v = *from;
    v->id = (uint32_t)p->values.count;
    v->next = NULL;
    psc_push(arena, &p->values, v);
    return v;
}

bool psc_ir_broadcast(const psc_value *a, const psc_value *b, psy_dim dims[PSY_RANK_MAX], uint8_t *rank)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t i = 1; i <= *rank; i++) {
        psy_dim x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) {
            return false;
        }
        dims[*rank - i] = x == 1 ? y : x;
    }
    return true;
}

uint64_t psc_ir_bytes(const psc_value *v)
{
    static const uint64_t most = UINT64_C(1) << 44;
    uint64_t bytes = psy__dtype_bytes(v->dtype);
    for (uint32_t d = 0; d < v->rank; d++) {
        bytes *= psy__dim_is_symbol(v->dims[d]) ? PSC_NAMED_SIZE : v->dims[d];
        bytes = bytes > most ? most : bytes;
    }
    return bytes;
}

bool psc_ir_same_dims(const psc_value *a, const psc_value *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

int psc_ir_sharded_axis(const psc_value *v, const psy_psm_symbol *symbols)
{
    for (int d = 0; d < v->rank; d++) {
        if (psy__dim_is_symbol(v->dims[d]) && symbols[psy__dim_symbol(v->dims[d])].kind == PSY_SYMBOL_LOCAL) {
            return d;
        }
    }
    return -1;
}

psy_op_class psc_ir_class(const psc_value *v)
{
    return v->op == PSC_OP_LABELS ? PSY_CLASS_VIEW : v->op == PSC_OP_LSE ? PSY_CLASS_REDUCE1 : psy__op_info(v->op)->class_;
}

bool psc_ir_is_elementwise(const psc_value *v) { return psy__class_is_map(psc_ir_class(v)); }
bool psc_ir_is_reduction(const psc_value *v) { return psy__class_is_reduction(psc_ir_class(v)); }

unsigned psc_ir_dtype(const psc_value *v) { return psc_ir_class(v) == PSY_CLASS_COMPARE ? v->operands[0]->dtype : v->dtype; }

/* Names memory that is there already (LABELS is not: it is the TOPK's own). */
bool psc_ir_is_view(const psc_value *v)
{
    psy_op_class c = psc_ir_class(v);
    return v->op != PSC_OP_LABELS && (c == PSY_CLASS_VIEW || c == PSY_CLASS_LOOKUP || c == PSY_CLASS_SHAPE);
}

bool psc_ir_is_store(const psc_value *v) { return psc_ir_class(v) == PSY_CLASS_STORE; }

bool psc_ir_has_labels(const psc_value *v)
{
    psy_op_class c = psc_ir_class(v);
    return c == PSY_CLASS_SELECT || c == PSY_CLASS_SORT;
}

const psc_value *psc_ir_root(const psc_value *v)
{
    while (psc_ir_class(v) == PSY_CLASS_SHAPE) {
        v = v->operands[0];
    }
    return v;
}

bool psc_ir_is_stridden(const psc_value *v)
{
    for (; psc_ir_class(v) == PSY_CLASS_SHAPE; v = v->operands[0]) {
        if (v->op != PSY_OP_RESHAPE) {
            return true;
        }
    }
    return v->op == PSY_OP_PARTIAL;
}

void psc_ir_space(const psc_value *v, psy_dim dims[PSY_RANK_MAX], uint8_t *rank)
{
    psc_value all = *v->operands[0];
    for (unsigned k = 1; k < v->operand_count && (psc_ir_is_elementwise(v) || psc_ir_is_reduction(v)); k++) {
        psc_ir_broadcast(&all, v->operands[k], dims, rank);
        all.rank = *rank;
        memcpy(all.dims, dims, sizeof all.dims);
    }
    *rank = all.rank;
    memcpy(dims, all.dims, sizeof all.dims);
}

uint32_t psc_ir_axis(const psc_value *v)
{
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    if (psc_ir_class(v) == PSY_CLASS_REDUCE1) {
        return v->index;
    }
    psc_ir_space(v, dims, &rank);
    return rank - 1u;
}

/* The dims that the op gives; false where the given ones are its own choice (views, SIZE). */
static bool infer(const psc_value *v, psy_dim dims[PSY_RANK_MAX], uint8_t *rank)
{
    if (v->op == PSC_OP_LABELS) {
        *rank = v->operands[0]->rank;
        memcpy(dims, v->operands[0]->dims, sizeof v->dims);
        return true;
    }
    switch (psc_ir_class(v)) {
    case PSY_CLASS_MAP1:
    case PSY_CLASS_MAP2:
    case PSY_CLASS_MAP3:
    case PSY_CLASS_COMPARE:
    case PSY_CLASS_CHOOSE:
    case PSY_CLASS_CAST: psc_ir_space(v, dims, rank); return true;
    case PSY_CLASS_REDUCE1:
    case PSY_CLASS_REDUCE2: {
        uint32_t axis = psc_ir_axis(v);
        psc_ir_space(v, dims, rank);
        memmove(dims + axis, dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *dims);
        (*rank)--;
        return true;
    }
    case PSY_CLASS_SELECT:
        dims[0] = v->index;
        *rank = 1;
        return true;
    default: return false;
    }
}

/* Operands are there where the op's signature wants registers, and only there. */
static bool has_operands(const psc_value *v, const psy_op_info *info)
{
    unsigned k = 0;
    bool list = false;
    for (const char *kind = strchr(info->signature, ':') + 1; *kind; kind++) {
        list = list || *kind == '+';
        if (*kind != 'r' && *kind != 'o') {
            continue;
        }
        if (*kind == 'r' && (k >= v->operand_count || !v->operands[k])) {
            return false;
        }
        k++;
    }
    for (; list && k < v->operand_count; k++) {
        if (!v->operands[k]) {
            return false;
        }
    }
    return v->operand_count <= k;
}

static const char *check_value(psc_arena *arena, const psc_program *p, psc_value *v)
{
    for (unsigned i = 0; i < v->operand_count; i++) {
        const psc_value *o = v->operands[i];
        if (o && (o->id >= v->id || p->values.at[o->id] != o)) {
            return psc_format(arena, "value %u reads one that does not come before it", v->id);
        }
    }
    if (v->op == PSC_OP_LSE) {
        return v->operand_count == 1 && v->operands[0] && v->index < v->operands[0]->rank
                   ? NULL
                   : psc_format(arena, "value %u: it has no axis to reduce", v->id);
    }
    if (v->op != PSC_OP_LABELS) {
        const psy_op_info *info = psy__op_info(v->op);
        if (!info) {
            return psc_format(arena, "value %u: there is no op %u", v->id, v->op);
        }
        if (!psy__op_takes(info, psc_ir_dtype(v))) {
            return psc_format(arena, "value %u: %s does not take dtype %u", v->id, info->name, psc_ir_dtype(v));
        }
        if (v->dtype != psy__op_result_dtype(info, psc_ir_dtype(v))) {
            return psc_format(arena, "value %u: %s does not give dtype %u", v->id, info->name, v->dtype);
        }
        if (!has_operands(v, info)) {
            return psc_format(arena, "value %u: %s has other operands", v->id, info->name);
        }
    } else if (v->operand_count != 1 || !v->operands[0] || !psc_ir_has_labels(v->operands[0]) || v->dtype != PSY_U64) {
        return psc_format(arena, "value %u: labels of no topk", v->id);
    }
    if (v->rank > PSY_RANK_MAX) {
        return psc_format(arena, "value %u: %u axes", v->id, v->rank);
    }
    if (psc_ir_class(v) == PSY_CLASS_REDUCE1 && v->index >= v->operands[0]->rank) {
        return psc_format(arena, "value %u: it has no axis %u to reduce", v->id, v->index);
    }
    psy_dim dims[PSY_RANK_MAX] = {0};
    uint8_t rank = 0;
    if (psc_ir_class(v) == PSY_CLASS_REDUCE2 && v->operands[0]->rank == 0 && v->operands[1]->rank == 0) {
        return psc_format(arena, "value %u: it has no axis to reduce", v->id);
    }
    if (psc_ir_is_elementwise(v) || psc_ir_is_reduction(v)) {
        const psy_op_info *info = psy__op_info(v->op);
        if (v->operand_count != psy__op_register_count(info)) {
            return psc_format(arena, "value %u: %s has %u operands", v->id, info->name, v->operand_count);
        }
        psc_value all = *v->operands[0];
        for (unsigned i = 0; i < v->operand_count; i++) {
            unsigned wanted = psy__op_operand_dtype(info, psc_ir_dtype(v), i);
            if (wanted && v->operands[i]->dtype != wanted) {
                return psc_format(arena, "value %u: operand %u has another dtype", v->id, i);
            }
            if (!psc_ir_broadcast(&all, v->operands[i], dims, &rank)) {
                return psc_format(arena, "value %u: its operands do not broadcast", v->id);
            }
            all.rank = rank;
            memcpy(all.dims, dims, sizeof all.dims);
        }
    }
    if (infer(v, dims, &rank) && (rank != v->rank || memcmp(dims, v->dims, rank * sizeof *dims) != 0)) {
        return psc_format(arena, "value %u: its dims are not what its op gives", v->id);
    }
    return NULL;
}

const char *psc_ir_check(psc_arena *arena, psc_program *p)
{
    for (size_t i = 0; i < p->values.count; i++) {
        p->values.at[i]->id = (uint32_t)i;
    }
    for (size_t i = 0; i < p->values.count; i++) {
        psc_value *v = p->values.at[i];
        const char *wrong = check_value(arena, p, v);
        if (wrong) {
            return wrong;
        }
        v->batched = psy__op_reads_message(v->op);
        for (unsigned k = 0; k < v->operand_count; k++) {
            v->batched = v->batched || (v->operands[k] && v->operands[k]->batched);
        }
    }
    return NULL;
}

static void dump_dims(const psy_dim *dims, uint8_t rank, const char *(*dim)(void *, psy_dim), void *context, FILE *to)
{
    for (uint8_t d = 0; d < rank; d++) {
        fprintf(to, "%s%s", d ? ", " : "[", dim(context, dims[d]));
    }
    fputs(rank ? "]" : "", to);
}

void psc_ir_dump(const psc_program *p, const char *(*dim)(void *, psy_dim), const char *(*index)(void *, const psc_value *),
                 void *context, FILE *to)
{
    fprintf(to, "program %s\n", p->name);
    uint32_t group = 0;
    for (size_t i = 0; i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        if (v->group != group && v->group != 0) {
            const psc_region *r = &p->regions.at[v->group - 1];
            fprintf(to, "  region over ");
            dump_dims(r->dims, r->rank, dim, context, to);
            fputs(r->rank ? "" : "[]", to);
            fputs(r->reduces ? ", reducing the last\n" : "\n", to);
        }
        group = v->group;
        fprintf(to, "  %s", group ? "  " : "");
        if (!psc_ir_is_store(v)) {
            fprintf(to, "%%%u: %s", v->id, psy__dtype_name(v->dtype));
            dump_dims(v->dims, v->rank, dim, context, to);
            if (p->registers.count && p->registers.at[v->reg].slot != PSY_NO_SLOT) {
                fprintf(to, " @%u", p->registers.at[v->reg].slot);
            }
            fputs(" = ", to);
        }
        fputs(v->op == PSC_OP_LABELS ? "labels" : v->op == PSC_OP_LSE ? "logsumexp" : psy__op_info(v->op)->name, to);
        for (unsigned k = 0; k < v->operand_count; k++) {
            if (v->operands[k]) {
                fprintf(to, " %%%u", v->operands[k]->id);
            }
        }
        const char *what = index(context, v);
        fprintf(to, "%s%s", *what ? " " : "", what);
        fprintf(to, "%s%s%s\n", v->batched ? "" : "  (once)", v->name ? "  // " : "", v->name ? v->name : "");
    }
}
