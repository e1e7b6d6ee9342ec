/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels as text: --emit glsl, --emit c, --dump=kernels. */
#ifndef PSC_EMIT_KERNELS_H
#define PSC_EMIT_KERNELS_H

#include "diagnostic.h"
#include "kernel_text.h"

/* A kernel that has a SPIR-V form, as a compute shader for glslang: `name` is for its first line. */
void psc_emit_glsl(psc_arena *arena, const psy__kernel_ir *kernel, const char *name, FILE *to);

/* All programs of a module as one C file, whose names begin with `stem`. INVALID, UNSUPPORTED or NO_MEMORY with the reason in
 * the detail. */
PSY_NODISCARD psy_status psc_emit_c(psc_arena *arena, const psy__module *module, const char *stem, FILE *to);
/* C's forms of values and statements. */
extern const psc_kernel_language psc_c_language;

/* The kernels of a program as the IR that they are. */
void psc_emit_kernel_ir(psc_arena *arena, const psy__kernel_ir *kernel, const char *name, FILE *to);
/* Those of all programs that have some, those of shards first: "nearest_shard_0". */
void psc_emit_kernel_irs(psc_arena *arena, const psy__module *module, FILE *to);

/* "nearest_shard_0": as the module's record of the kernel has it, or by its program and number. */
const char *psc_kernel_name(psc_arena *arena, const psy__module *module, const psy__kernel_ir *kernel, uint32_t number);

#endif
