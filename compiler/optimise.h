/* SPDX-License-Identifier: Apache-2.0 */
/* What passes that rewrite programs share. */
#ifndef PSC_OPTIMISE_H
#define PSC_OPTIMISE_H

#include "unit.h"

/* Replaces the program's values by what `visit` makes of each, operands first. It gets a copy with operands as they became, its
 * id the old one, and returns what the value becomes: one that is there already, or what psc_ir_add made; NULL drops it. */
void psc_rewrite(psc_unit *unit, psc_program *p, psc_value *(*visit)(psc_unit *, psc_program *to, psc_value *copy, void *),
                 void *context);
/* Whether it is a number; weights are none. */
bool psc_is_number(const psc_value *v, uint64_t *bits);

/* Before a RESHAPE is added: what it reads may have become a view whose elements do not lie one after the other. */
void psc_settle_reshape(psc_unit *unit, psc_program *to, psc_value *v);
/* Drops what nobody reads. */
void psc_dce_program(psc_unit *unit, psc_program *p);

/* psynecdoc: what is written, and what is computed of it; false: there is no row i. */
bool psc_fast_math_row(unsigned i, const char **written, const char **computed);

#endif
