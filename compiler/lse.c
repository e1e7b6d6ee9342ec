/* SPDX-License-Identifier: Apache-2.0 */
/* log(sum(exp(x))) in parts: each part keeps its largest element m and the sum s of exp(x - m); together they give
 * log(sum(s * exp(m - M))) + M with M the largest m. Where an m is infinite, 0 stands for it in the exponents. */
#include "lse.h"

#include <math.h>

#include "build.h"

static psc_value *finite_or_zero(psc_builder *b, psc_value *m)
{
    psc_value *small =
        psc_build_map(b, PSY_OP_LT, psc_build_map(b, PSY_OP_ABS, m, NULL, NULL), psc_build_number(b, m->dtype, INFINITY), NULL);
    return psc_build_map(b, PSY_OP_CHOOSE, small, m, psc_build_number(b, m->dtype, 0));
}

void psc_lse_part(psc_unit *u, psc_program *to, psc_value *x, uint32_t axis, psc_span span, psc_value *out[2])
{
    psc_builder builds = {u, to, span}, *b = &builds;
    out[0] = psc_build_reduce(b, PSY_OP_RMAX, x, axis);
    psc_value *below = psc_build_map(b, PSY_OP_SUB, x, psc_build_expand(b, finite_or_zero(b, out[0]), axis), NULL);
    out[1] = psc_build_reduce(b, PSY_OP_SUM, psc_build_map(b, PSY_OP_EXP, below, NULL, NULL), axis);
}

psc_value *psc_lse_merge(psc_unit *u, psc_program *to, psc_value *m, psc_value *s, psc_span span)
{
    psc_builder builds = {u, to, span}, *b = &builds;
    psc_value *most = finite_or_zero(b, psc_build_reduce(b, PSY_OP_RMAX, m, 0));
    psc_value *weight = psc_build_map(b, PSY_OP_EXP, psc_build_map(b, PSY_OP_SUB, m, most, NULL), NULL, NULL);
    psc_value *sum = psc_build_reduce(b, PSY_OP_SUM, psc_build_map(b, PSY_OP_MUL, s, weight, NULL), 0);
    return psc_build_map(b, PSY_OP_ADD, psc_build_map(b, PSY_OP_LOG, sum, NULL, NULL), most, NULL);
}
