/* SPDX-License-Identifier: Apache-2.0 */
/* `param`: weights that are read when the program is compiled, and become constants of the module. */
#ifndef PSC_PARAM_H
#define PSC_PARAM_H

#include "lower.h"

/* Reads all of them; sizes that they name become constants of the file. Part of resolve. */
void psc_resolve_params(psc_unit *unit);
const psc_param *psc_param_find(const psc_unit *unit, const char *name, uint32_t *index);
/* The weights as a value: CONST of its shape, `index` the param's; a scalar is a number like any other. */
psc_term psc_param_term(psc_lowering *l, const psc_param *p, uint32_t index, psc_span span);

#endif
