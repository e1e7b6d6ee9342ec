/* SPDX-License-Identifier: Apache-2.0 */
/* Variants in pipelines: what they may be, reading and writing them. */
#ifndef PSC_VARIANT_H
#define PSC_VARIANT_H

#include "lower.h"

/* Takes what stands behind `for`: sets the guards of `p` and adds its other alternatives to the unit. False after an error. */
bool psc_variant_resolve(psc_unit *u, psc_pipeline *p);
/* `q.field`, a variant, as the value that it is in this alternative. */
psc_term psc_variant_load(psc_lowering *l, psc_span span, uint32_t field);
/* The name of a size that messages bring. */
psc_term psc_variant_size(psc_lowering *l, const hrm_expr *e);
/* Stores a value of any type into a variant of the output. */
void psc_variant_store(psc_lowering *l, uint32_t field, const psc_term *t);
/* Says of the diagnostics from number `said` on in which alternative they come up. */
void psc_variant_note(psc_unit *u, const psc_pipeline *p, size_t said);

#endif
