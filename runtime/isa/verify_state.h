/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the verifier share: verify.c walks a program, verify_shape.c checks what changes shapes and moves elements.
 */
#ifndef PSY_ISA_VERIFY_STATE_H
#define PSY_ISA_VERIFY_STATE_H

#include "isa/verify.h"

typedef struct psy__verifier {
    const psy__module *m;
    const psy_psm_program *p;
    const psy_psm_register *registers;
    uint32_t *region_of;  /* per register: 0 outside, else the region it lives in when it has no slot */
    uint32_t *reduced_in; /* per register: the region of which it is a reduction, or 0 */
    bool *defined;
    bool *stridden;                                     /* a view whose elements do not lie one after the other */
    bool *stored;                                       /* per output field; then the same for the lengths of several texts */
    uint32_t region, region_left;                       /* number of the current region; instructions still in it */
    bool region_reduces, region_reduced, region_second; /* _reduced: the reduction came */
    uint32_t space_rank;
    psy_dim space[PSY_RANK_MAX];
    psy__instruction at;
} psy__verifier;

psy_status psy__verify_refuse(const psy__verifier *c, const char *format, ...) PSY_PRINTF(2, 3);
const psy_psm_register *psy__verify_operand(const psy__verifier *c, uint32_t i);
/* Result i has that dtype and these dims. */
psy_status psy__verify_result(psy__verifier *c, uint32_t i, unsigned dtype, const psy_dim *dims, uint32_t rank);
psy_status psy__verify_dtype(psy__verifier *c, uint32_t i, unsigned dtype);
bool psy__verify_same_dims(const psy_dim *a, uint32_t a_rank, const psy_dim *b, uint32_t b_rank);

/* SHAPE, INDEX, JOIN, GATHER, SCATTER, SCAN, SORT */
psy_status psy__verify_shape(psy__verifier *c);

#endif
