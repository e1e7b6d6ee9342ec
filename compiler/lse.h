/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a PSC_OP_LSE, the reduction log(sum(exp(x))) over an axis that is spread over the shards. */
#ifndef PSC_LSE_H
#define PSC_LSE_H

#include "unit.h"

/* One shard's part of x over the axis: its largest element, and the sum of what is relative to that. */
void psc_lse_part(psc_unit *u, psc_program *to, psc_value *x, uint32_t axis, psc_span span, psc_value *out[2]);
/* All parts together; their first axis is the shards. */
psc_value *psc_lse_merge(psc_unit *u, psc_program *to, psc_value *m, psc_value *s, psc_span span);

#endif
