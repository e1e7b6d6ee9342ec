/* SPDX-License-Identifier: Apache-2.0 */
/* Code generation below the bytecode: one instruction or region of a verified program -> kernel IR -> SPIR-V words.
 * psynec stores the kernels in the module; an engine makes them itself for programs that carry none. Symbolic sizes are
 * run-time operands, so a kernel serves all sizes. The same program gives the same words.
 * The kernel interface (bindings, push constants) is in codegen/kernel.h and has a version: PSY_KERNEL_VERSION.
 */
#ifndef PSY_CODEGEN_CODEGEN_H
#define PSY_CODEGEN_CODEGEN_H

#include "isa/module.h"

/* A generated kernel. `words` is malloc'd and the caller's. */
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

/* All kernels of a program, in order of (word, stage), malloc'd array and words; free with psy__kernels_free. Views take no
 * kernel. UNSUPPORTED with the op in the detail where an op has no SPIR-V form; NO_MEMORY. */
PSY_NODISCARD psy_status psy__codegen_spirv(const psy__module *module, uint32_t program, psy__kernel **kernels,
                                            uint32_t *kernel_count);
void psy__kernels_free(psy__kernel *kernels, uint32_t kernel_count);

#endif
