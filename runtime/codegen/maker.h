/* SPDX-License-Identifier: Apache-2.0 */
/* Making one kernel: where registers lie, expressions over them, and structured control flow. */
#ifndef PSY_CODEGEN_MAKER_H
#define PSY_CODEGEN_MAKER_H

#include "codegen/kernel.h"
#include "codegen/spirv_module.h"
#include "isa/module.h"

typedef enum psy__place {
    PSY_PLACED_INPUT,
    PSY_PLACED_RESIDENT,
    PSY_PLACED_CONST,
    PSY_PLACED_ARENA,
    PSY_PLACED_UNIFORM,
    PSY_PLACED_NOWHERE,
    PSY_PLACED_VIEW
} psy__place;

typedef struct psy__maker {
    psy__spirv s;
    const psy__module *m;
    const psy_psm_program *p;
    const psy_psm_register *registers;
    psy__place *places; /* by register */
    uint32_t *sources; /* INPUT: byte offset in the message; RESIDENT: number; CONST: byte offset; VIEW: the instruction's word;
                          else slot */
    uint32_t *values;  /* id of the value a register has here and now, or 0 */
    psy_status status; /* first thing that has no kernel */
    uint32_t u32, f32, boolean, u32x3;
    uint32_t buffers[PSY_BIND_COUNT]; /* variables; 0: not used */
    uint32_t push, shared[3];
    uint32_t message, group, groups_x, local, size; /* ids, loaded at the start */
    uint32_t interface[4];
    uint32_t main, exit;
} psy__maker;

void psy__maker_begin(psy__maker *k);
/* Ends the function and gives the words; NULL when it failed. */
uint32_t *psy__maker_end(psy__maker *k, uint32_t *count);
psy_status psy__maker_refuse(psy__maker *k, const char *format, ...) PSY_PRINTF(2, 3);

uint32_t psy__const_u32(psy__maker *k, uint32_t value);
uint32_t psy__const_f32(psy__maker *k, float value);
uint32_t psy__op2(psy__maker *k, unsigned op, uint32_t type, uint32_t a, uint32_t b);
uint32_t psy__select(psy__maker *k, uint32_t type, uint32_t condition, uint32_t yes, uint32_t no);
uint32_t psy__load_word(psy__maker *k, unsigned binding, uint32_t index);
void psy__store_word(psy__maker *k, unsigned binding, uint32_t index, uint32_t word);
uint32_t psy__param(psy__maker *k, uint32_t index);
uint32_t psy__push_word(psy__maker *k, uint32_t index);
uint32_t psy__dim_id(psy__maker *k, psy_dim dim);
uint32_t psy__bits_to(psy__maker *k, unsigned dtype, uint32_t word);  /* u32 -> the dtype's type */
uint32_t psy__bits_of(psy__maker *k, unsigned dtype, uint32_t value); /* back */

/* Function variables of u32 or f32. */
uint32_t psy__variable(psy__maker *k, uint32_t type);
uint32_t psy__get(psy__maker *k, uint32_t type, uint32_t variable);
void psy__set(psy__maker *k, uint32_t variable, uint32_t value);

/* if (condition) { ... } */
uint32_t psy__if(psy__maker *k, uint32_t condition);
void psy__end_if(psy__maker *k, uint32_t merge);
/* for (; i < limit (or i != 0 where limit is 0); i = next) { ... } */
typedef struct psy__loop {
    uint32_t header, merge, go_on, variable;
} psy__loop;
psy__loop psy__for(psy__maker *k, uint32_t variable, uint32_t limit);
void psy__end_for(psy__maker *k, psy__loop loop, uint32_t next);
void psy__barrier(psy__maker *k);

/* The register's element at coordinates over `rank` dims (its own are the last ones), as a value. */
uint32_t psy__load_register(psy__maker *k, uint32_t reg, const uint32_t *coordinates, uint32_t rank);
void psy__store_register(psy__maker *k, uint32_t reg, const uint32_t *coordinates, uint32_t rank, uint32_t value);
/* Word address of an element given by its number; 64-bit elements take two words. */
uint32_t psy__word_of(psy__maker *k, uint32_t reg, uint32_t element, unsigned *binding);
/* Product of dims. */
uint32_t psy__product(psy__maker *k, const psy_dim *dims, uint32_t rank);
/* Element number -> coordinates, all dims but `without` (PSY_NONE: all). */
void psy__coordinates(psy__maker *k, uint32_t element, const psy_dim *dims, uint32_t rank, uint32_t without, uint32_t *out);
/* invocation number over x and y */
uint32_t psy__element(psy__maker *k);

/* expression.c */
/* An elementwise operation or the step of a reduction (of the element, then the sum so far). Truth values are words, 0 or 1. */
uint32_t psy__expression(psy__maker *k, const psy__instruction *at, const uint32_t operands[3]);
uint32_t psy__identity_id(psy__maker *k, const psy__instruction *at);

/* Words shared by a workgroup: array `which` of PSY_KERNEL_GROUP_MAX. */
uint32_t psy__shared_get(psy__maker *k, unsigned which, uint32_t index);
void psy__shared_set(psy__maker *k, unsigned which, uint32_t index, uint32_t word);

/* kernels */
void psy__make_map(psy__maker *k, const psy__instruction *nodes, uint32_t count, const psy_dim *dims, uint32_t rank);
void psy__make_reduce(psy__maker *k, const psy__instruction *nodes, uint32_t count, const psy_dim *dims, uint32_t rank,
                      uint32_t axis);
/* moves.c: INDEX, JOIN, GATHER, SCATTER over `dims`; SCAN over `axis` of them */
void psy__make_move(psy__maker *k, const psy__instruction *at, const psy_dim *dims, uint32_t rank, uint32_t axis);
void psy__make_store(psy__maker *k, const psy__instruction *at);
void psy__make_topk(psy__maker *k, const psy__instruction *at, unsigned stage);

#endif
