/* SPDX-License-Identifier: Apache-2.0 */
/* Code generation below the bytecode: one instruction or region of a verified program -> kernel IR -> SPIR-V words, and, in the
 * compiler, GLSL and C. psynec stores the SPIR-V kernels in the module; an engine makes them itself for programs that carry
 * none. Symbolic sizes are run-time operands, so a kernel serves all sizes. The same program gives the same words. The kernel
 * interface of devices (bindings, push constants) is in codegen/kernel.h and has a version: PSY_KERNEL_VERSION.
 */
#ifndef PSY_CODEGEN_CODEGEN_H
#define PSY_CODEGEN_CODEGEN_H

#include "codegen/kernel_ir.h"

/* A generated SPIR-V kernel. `words` is malloc'd and the caller's. */
typedef struct psy__kernel {
    uint32_t word; /* the instruction or region, as in psy_psm_kernel */
    uint32_t stage;
    uint32_t *words;
    uint32_t word_count;
} psy__kernel;

/* What an instruction or region runs over, and how many kernels it takes. */
typedef struct psy__space {
    uint32_t stages; /* kernels: 0, 1, or those of a top-k */
    uint32_t rank;
    uint32_t axis; /* that is reduced; PSY_NONE: none */
    psy_dim dims[PSY_RANK_MAX];
    uint32_t node_count; /* instructions: more than one in a region */
    uint32_t next;       /* word after it */
} psy__space;

void psy__space_of(const psy__module *module, const psy_psm_program *program, const psy__instruction *at, psy__space *out);

/* What kernels are made for. A device takes a top-k in stages, does no sorts, and finds sizes and rows elsewhere. */
typedef enum psy__kernel_for { PSY_KERNEL_FOR_DEVICE, PSY_KERNEL_FOR_C } psy__kernel_for;

/* All kernels of a program, checked, in order of (word, stage), malloc'd; free with psy__kernel_irs_free. Views take no kernel.
 * UNSUPPORTED with the op in the detail; NO_MEMORY; CORRUPT for a kernel that breaks the IR's rules: a bug. They point into the
 * module, which must outlive them. */
PSY_NODISCARD psy_status psy__kernel_irs_make(const psy__module *module, uint32_t program, psy__kernel_for target,
                                              psy__kernel_ir **kernels, uint32_t *kernel_count);
void psy__kernel_irs_free(psy__kernel_ir *kernels, uint32_t kernel_count);

/* The same as SPIR-V words; free with psy__kernels_free. UNSUPPORTED with the op in the detail where an op has no SPIR-V form.
 */
PSY_NODISCARD psy_status psy__codegen_spirv(const psy__module *module, uint32_t program, psy__kernel **kernels,
                                            uint32_t *kernel_count);
void psy__kernels_free(psy__kernel *kernels, uint32_t kernel_count);

#endif
