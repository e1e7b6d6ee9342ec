/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a kernel as SPIR-V words. */
#ifndef PSY_CODEGEN_SPIRV_H
#define PSY_CODEGEN_SPIRV_H

#include "codegen/kernel_ir.h"

/* malloc'd words. UNSUPPORTED with what has no SPIR-V form, in words of the bytecode, in the detail; NO_MEMORY. */
PSY_NODISCARD psy_status psy__spirv_print(const psy__kernel_ir *kernel, uint32_t **words, uint32_t *word_count);

#endif
