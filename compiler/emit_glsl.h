/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the GLSL printer share. */
#ifndef PSC_EMIT_GLSL_H
#define PSC_EMIT_GLSL_H

#include "codegen/kernel.h"
#include "emit_kernels.h"

/* Bits of psc_kernel_text.needs: buffers by binding, then these. */
enum {
    PSC_GLSL_NEEDS_PUSH = PSY_BIND_COUNT,
    PSC_GLSL_NEEDS_SHARED,
    PSC_GLSL_NEEDS_BEST,
    PSC_GLSL_NEEDS_NARROW,
    PSC_GLSL_NEEDS_DIVIDE,
    PSC_GLSL_NEEDS_SATURATE,
    PSC_GLSL_NEEDS_HALVES,
    PSC_GLSL_NEEDS_KEYS
};

static inline void psc_glsl_need(psc_kernel_text *t, unsigned what) { t->needs |= 1u << what; }

/* What values of the type are: float, int, uint, bool, or uvec2. */
const char *psc_glsl_type(unsigned type);
/* The expression of an operation over the texts of its operands. */
const char *psc_glsl_operation(psc_kernel_text *t, unsigned op, unsigned dtype, const char *a, const char *b, const char *c);
/* Whether it may not be contracted. */
bool psc_glsl_is_exact(unsigned op, unsigned dtype);
const char *psc_glsl_cast(psc_kernel_text *t, unsigned from, unsigned to, const char *x);

#endif
