/* SPDX-License-Identifier: Apache-2.0 */
/* The SPIR-V of one kernel: buffers, constants, expressions, and structured control flow. Values of four bytes and less are
 * words (u32 ids), f32 but for them; conditions are of SPIR-V's own bool. */
#ifndef PSY_CODEGEN_SPIRV_EMIT_H
#define PSY_CODEGEN_SPIRV_EMIT_H

#include "codegen/kernel.h"
#include "codegen/kernel_ir.h"
#include "codegen/spirv_module.h"

typedef struct psy__emitter {
    psy__spirv s;
    const psy__kernel_ir *ir;
    uint32_t *ids, *highs;  /* by node: its value, and the high word of 64 bits */
    uint32_t *coordinates;  /* by construct, PSY_RANK_MAX each: of a SPACE; the number in others */
    psy_status status;      /* first thing that has no kernel */
    struct psy__best *best; /* of the BEST being printed */
    uint32_t u32, f32, boolean, u32x3;
    uint32_t buffers[PSY_BIND_COUNT]; /* variables; 0: not used */
    uint32_t push, shared[3];
    uint32_t message, group, groups_x, local, size; /* ids, loaded at the start */
    uint32_t interface[4];
    uint32_t main, exit;
} psy__emitter;

void psy__emitter_begin(psy__emitter *k);
/* Ends the function and gives the words; NULL when it failed. */
uint32_t *psy__emitter_end(psy__emitter *k, uint32_t *count);
psy_status psy__emitter_refuse(psy__emitter *k, const char *format, ...) PSY_PRINTF(2, 3);

uint32_t psy__const_u32(psy__emitter *k, uint32_t value);
uint32_t psy__const_f32(psy__emitter *k, float value);
uint32_t psy__const_bits(psy__emitter *k, unsigned dtype, uint64_t bits);
uint32_t psy__op2(psy__emitter *k, unsigned op, uint32_t type, uint32_t a, uint32_t b);
uint32_t psy__select(psy__emitter *k, uint32_t type, uint32_t condition, uint32_t yes, uint32_t no);
uint32_t psy__load_word(psy__emitter *k, unsigned binding, uint32_t index);
void psy__store_word(psy__emitter *k, unsigned binding, uint32_t index, uint32_t word);
uint32_t psy__param(psy__emitter *k, uint32_t index);
uint32_t psy__push_word(psy__emitter *k, uint32_t index);
uint32_t psy__bits_to(psy__emitter *k, unsigned dtype, uint32_t word);  /* u32 -> the dtype's type */
uint32_t psy__bits_of(psy__emitter *k, unsigned dtype, uint32_t value); /* back */

/* Function variables of u32 or f32. */
uint32_t psy__variable(psy__emitter *k, uint32_t type);
uint32_t psy__get(psy__emitter *k, uint32_t type, uint32_t variable);
void psy__set(psy__emitter *k, uint32_t variable, uint32_t value);

/* if (condition) { ... } */
uint32_t psy__if(psy__emitter *k, uint32_t condition);
void psy__end_if(psy__emitter *k, uint32_t merge);
/* for (; i < limit (or i != 0 where limit is 0); i = next) { ... } */
typedef struct psy__loop {
    uint32_t header, merge, go_on, variable;
} psy__loop;
psy__loop psy__for(psy__emitter *k, uint32_t variable, uint32_t limit);
void psy__end_for(psy__emitter *k, psy__loop loop, uint32_t next);
void psy__barrier(psy__emitter *k);
/* Words shared by a workgroup: array `which` of PSY_KERNEL_GROUP_MAX. */
uint32_t psy__shared_get(psy__emitter *k, unsigned which, uint32_t index);
void psy__shared_set(psy__emitter *k, unsigned which, uint32_t index, uint32_t word);

/* spirv_expression.c */
/* An elementwise operation or the step of a reduction (of the element, then the sum so far). Truth values are words, 0 or 1. */
uint32_t psy__expression(psy__emitter *k, psy_op op, unsigned dtype, const uint32_t operands[3]);
uint32_t psy__cast_id(psy__emitter *k, unsigned from, unsigned to, uint32_t x);
uint32_t psy__identity_id(psy__emitter *k, psy_op op, unsigned dtype);
/* Its place in the order of its dtype, from a value's bits: larger is better, NaN is 0. */
uint32_t psy__key_id(psy__emitter *k, unsigned dtype, uint32_t bits);

/* spirv_loops.c: constructs that the workgroup shares */
/* All invocations' values become one, in every invocation. */
uint32_t psy__across(psy__emitter *k, psy_op op, unsigned dtype, uint32_t value);
/* Variables of a BEST; an empty one has key 0 and the last of all places: every offer comes before it. */
struct psy__best {
    uint32_t key, place, bits;
};
typedef struct psy__best psy__best;
psy__best psy__best_begin(psy__emitter *k);
void psy__best_offer(psy__emitter *k, const psy__best *best, uint32_t open, uint32_t key, uint32_t place, uint32_t bits);
/* The workgroup's best, in every invocation. */
void psy__best_across(psy__emitter *k, psy__best *best);

#endif
