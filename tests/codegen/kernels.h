/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of a program, checked for what is true of every kernel: twice the same words, valid SPIR-V for Vulkan 1.1, in
 * order, none for a view. */
#ifndef PSY_TESTS_CODEGEN_KERNELS_H
#define PSY_TESTS_CODEGEN_KERNELS_H

#include "codegen/codegen.h"
#include "tests/test.h"

typedef struct kernels {
    psy_status status; /* OK, or UNSUPPORTED with psy_detail() */
    psy__kernel *at;
    uint32_t count;
} kernels;

/* Fails the test, with `label`, where something is wrong. */
kernels kernels_of(const psy__module *m, uint32_t program, const char *label);
void kernels_free(kernels *k);

/* What the validator says of the words: NULL if nothing, else until the next call. */
const char *kernels_validate(const uint32_t *words, size_t count);
/* Skips the test, saying so, where there is no validator: the other tests then check everything else. */
void kernels_need_validator(void);

/* The first instruction with the opcode at or after word `from`; 0: none. */
uint32_t kernels_find(const psy__kernel *k, unsigned op, uint32_t from);

#endif
