/* SPDX-License-Identifier: Apache-2.0 */
/* Hits: what topk and argmax found in split data is read at the positions that they gave, on the shards (payload.h). */
#include <string.h>

#include "call.h"

/* The positions that `index` is a view of, if they are of the axis: what topk gave over that very axis. */
static psc_value *positions_behind(psc_value *index, psy_dim axis)
{
    while (psc_ir_class(index) == PSY_CLASS_SHAPE || (index->op == PSY_OP_CONCAT && index->operand_count == 1)) {
        index = index->operands[0];
    }
    bool hits = index->op == PSC_OP_LABELS && index->operands[0]->op == PSY_OP_TOPK && index->operands[0]->base == axis;
    return hits ? index : NULL;
}

/* The same view of `other` as `index` is of `positions`. */
static psc_value *same_view(psc_lowering *l, psc_span span, const psc_value *index, const psc_value *positions,
                            psc_value *other)
{
    if (index == positions) {
        return other;
    }
    psc_value *from = same_view(l, span, index->operands[0], positions, other);
    psc_value *v = from ? psc_emit(l, span, index->op, other->dtype, index->dims, index->rank, &from, 1) : NULL;
    if (v) {
        v->index = index->index;
        v->base = index->base;
        v->step = index->step;
    }
    return v;
}

static bool only_reshapes(const psc_value *index, const psc_value *positions)
{
    while (index != positions && index->op == PSY_OP_RESHAPE) {
        index = index->operands[0];
    }
    return index == positions;
}

psc_value *psc_hits_gather(psc_lowering *l, psc_span span, psc_value *v, psc_value *index, uint32_t axis)
{
    if (index->length) {
        return psc_like_length(l, psc_hits_gather(l, span, v, psc_bare(index), axis), index, axis + index->length_axis);
    }
    psc_value *positions = positions_behind(index, v->dims[axis]);
    if (!positions) {
        const char *name = psc_dim_text(l->unit, v->dims[axis]);
        psc_diagnostic *d = psc_error(l->unit->diags, PSC_E_SPLIT, span,
                                      "%s is spread over the shards, and these positions may be on any of them", name);
        psc_note(d, v->span, "this is %s", psc_type_text(l, v));
        psc_help(d, "read it at what `topk`, `argmax` or `argmin` over %s gave, as it is, or keep the data `replicated`", name);
        return NULL;
    }
    psc_value *payload = psc_shape_gather(l, span, v, positions, axis);
    if (!payload || index == positions) {
        return payload;
    }
    if (only_reshapes(index, positions) && v->rank - 1u + index->rank <= PSY_RANK_MAX) {
        psy_dim dims[PSY_RANK_MAX];
        memcpy(dims, payload->dims, axis * sizeof *dims);
        memcpy(dims + axis, index->dims, index->rank * sizeof *dims);
        memcpy(dims + axis + index->rank, payload->dims + axis + 1, (payload->rank - axis - 1u) * sizeof *dims);
        return psc_shape_reshape(l, span, payload, dims, payload->rank - 1u + index->rank);
    }
    psc_value *places = psc_emit(l, span, PSY_OP_IOTA, PSY_U64, positions->dims, 1, NULL, 0);
    psc_value *chosen = places ? same_view(l, span, index, positions, places) : NULL;
    return chosen ? psc_shape_gather(l, span, payload, chosen, axis) : NULL;
}
