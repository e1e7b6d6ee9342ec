/* SPDX-License-Identifier: Apache-2.0 */
/* When registers are alive, and whether slots are shared soundly. */
#ifndef PSY_ISA_LIFETIME_H
#define PSY_ISA_LIFETIME_H

#include "isa/module.h"

/* The slot rules of isa/verify.h, for a program whose instructions are sound. CORRUPT, NO_MEMORY. */
PSY_NODISCARD psy_status psy__lifetimes_verify(const psy__module *m, const psy_psm_program *p);

#endif
