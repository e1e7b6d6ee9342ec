/* SPDX-License-Identifier: Apache-2.0 */
/* Values that passes make of their own, one after the other, all for the same place in the text. */
#ifndef PSC_BUILD_H
#define PSC_BUILD_H

#include "unit.h"

typedef struct psc_builder {
    psc_unit *unit;
    psc_program *to;
    psc_span span;
} psc_builder;

/* The value, with `base` as PSY_NONE, the builder's span, and batched where an operand is or it says so. */
psc_value *psc_build(psc_builder *b, psc_value v);
psc_value *psc_build_number(psc_builder *b, unsigned dtype, double real);
/* Elementwise; the operands are broadcast, which they can be. NULL: fewer operands. */
psc_value *psc_build_map(psc_builder *b, unsigned op, psc_value *x, psc_value *y, psc_value *z);
psc_value *psc_build_reduce(psc_builder *b, unsigned op, psc_value *x, uint32_t axis);
/* The elements lie one after the other, or only axes of size 1 come and go. */
psc_value *psc_build_reshape(psc_builder *b, psc_value *x, const psy_dim *dims, uint32_t rank);
/* With an axis of size 1 more, before `axis`. */
psc_value *psc_build_expand(psc_builder *b, psc_value *x, uint32_t axis);
/* Axis `from` becomes axis `to`; the others keep their order. */
psc_value *psc_build_move_axis(psc_builder *b, psc_value *x, uint32_t from, uint32_t to);
/* The elements one after the other. */
psc_value *psc_build_copy(psc_builder *b, psc_value *x);
/* The parts of axis 0 at the positions of a vector. */
psc_value *psc_build_gather(psc_builder *b, psc_value *x, psc_value *positions);
/* The positions of a TOPK. */
psc_value *psc_build_labels(psc_builder *b, psc_value *topk);

#endif
