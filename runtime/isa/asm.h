/* SPDX-License-Identifier: Apache-2.0 */
/* Textual assembly (.hra): the whole of a module but its native kernels and hash, readable and exact. Assembling what
 * was disassembled gives the same bytes, disassembling what was assembled gives the canonical text.
 * doc/bytecode.md describes the text. */
#ifndef PSY_ISA_ASM_H
#define PSY_ISA_ASM_H

#include "isa/module.h"

/* Text of a decoded module: malloc'd, NUL-terminated, `n` bytes without the NUL. NO_MEMORY. */
PSY_NODISCARD psy_status psy__disassemble(const psy__module *module, char **text, size_t *n);

/* Assembles `n` bytes of text into an encoded and verified module (malloc'd, caller frees). CORRUPT with "line L, column C:
 * what" in the detail, or with the verifier's detail; TOO_LARGE; NO_MEMORY. Any bytes are safe to give. */
PSY_NODISCARD psy_status psy__assemble(const char *text, size_t n, uint8_t **bytes, uint64_t *module_bytes);

/* The same without verifying: only decoding tells whether the module is sound. */
PSY_NODISCARD psy_status psy__assemble_unverified(const char *text, size_t n, uint8_t **bytes, uint64_t *module_bytes);

#endif
