/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels as text: --emit glsl, --emit c, --dump=kernels. */
#ifndef PSC_EMIT_KERNELS_H
#define PSC_EMIT_KERNELS_H

#include "diagnostic.h"
#include "kernel_text.h"

/* A kernel that has a SPIR-V form, as a compute shader for glslang: `name` is for its first line. */
void psc_emit_glsl(psc_arena *arena, const psy__kernel_ir *kernel, const char *name, FILE *to);

/* All programs of a module as a C file and its header, NAME.kernels.c and NAME.kernels.h, whose names begin with `stem`.
 * UNSUPPORTED with the op, or NO_MEMORY, in the detail. */
PSY_NODISCARD psy_status psc_emit_c(psc_arena *arena, const psy__module *module, const char *stem, FILE *code, FILE *header);
/* emit_c_kernel.c: one kernel as the function `name`; the module's constants are `stem`_consts. */
void psc_emit_c_kernel(psc_arena *arena, const psy__kernel_ir *kernel, const char *name, const char *stem, FILE *to);
const char *psc_c_type(unsigned type); /* a dtype or PSY_KTYPE_* */
/* emit_c_layout.c: the function that checks sizes and places slots, `symbol`_layout. */
void psc_emit_c_layout(psc_arena *arena, const psy__module *module, uint32_t program, const char *symbol, FILE *to);
/* The place of what a LOOKUP finds among the program's; their number is that of no register. */
uint32_t psc_c_row(const psy__module *module, uint32_t program, uint32_t reg);

/* The kernels of a program as the IR that they are. */
void psc_emit_kernel_ir(psc_arena *arena, const psy__kernel_ir *kernel, const char *name, FILE *to);
/* Those of all programs that have some, those of shards first: "nearest_shard_0". */
void psc_emit_kernel_irs(psc_arena *arena, const psy__module *module, FILE *to);

/* "nearest_shard_0": as the module's record of the kernel has it, or by its program and number. */
const char *psc_kernel_name(psc_arena *arena, const psy__module *module, const psy__kernel_ir *kernel, uint32_t number);

#endif
