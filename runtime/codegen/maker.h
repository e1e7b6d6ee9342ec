/* SPDX-License-Identifier: Apache-2.0 */
/* Makers turn an instruction or region of bytecode into a kernel: where registers lie, their elements at coordinates, and a
 * function for every kind of kernel. */
#ifndef PSY_CODEGEN_MAKER_H
#define PSY_CODEGEN_MAKER_H

#include "codegen/codegen.h"
#include "codegen/kernel.h"

typedef struct psy__maker {
    psy__kernel_ir *k;
    const psy__module *m;
    const psy_psm_program *p;
    const psy_psm_register *registers;
    const psy__kplace *places; /* by register; of a VIEW the source is the instruction's word */
    uint32_t *values;          /* node of the value that a register has here and now, or 0 */
    psy__kernel_for target;
    psy_status status; /* first thing that has no kernel */
} psy__maker;

psy_status psy__maker_refuse(psy__maker *k, const char *format, ...) PSY_PRINTF(2, 3);

/* For every element of the kernel's dims, without its axis where there is one: the coordinates of the others go to `c`. */
uint32_t psy__maker_space(psy__maker *k, uint32_t *c);
uint32_t psy__maker_open(psy__maker *k, psy__kop op, uint32_t operand);
void psy__maker_close(psy__maker *k, uint32_t construct);

/* The register's element at coordinates over `rank` dims: its own are the last ones, and a literal 1 is broadcast. */
uint32_t psy__maker_load(psy__maker *k, uint32_t reg, const uint32_t *c, uint32_t rank);
/* The value becomes the register's here and now, and its element where it has a slot. */
void psy__maker_store(psy__maker *k, uint32_t reg, const uint32_t *c, uint32_t rank, uint32_t value);
/* The register's element by its number, whatever view it is. */
uint32_t psy__maker_load_number(psy__maker *k, uint32_t reg, uint32_t element);
/* Number of an element in row-major order. */
uint32_t psy__maker_number(psy__maker *k, const psy_dim *dims, uint32_t rank, const uint32_t *c);
uint32_t psy__maker_product(psy__maker *k, const psy_dim *dims, uint32_t rank);
uint32_t psy__maker_zero(psy__maker *k, unsigned dtype);
/* Whether the elements of the register, a view or not, lie one after the other as its number says. */
bool psy__maker_is_straight(const psy__maker *k, uint32_t reg);

/* regions.c */
void psy__make_map(psy__maker *k, const psy__instruction *nodes, uint32_t count);
void psy__make_reduce(psy__maker *k, const psy__instruction *nodes, uint32_t count);
void psy__make_store(psy__maker *k, const psy__instruction *at);
/* moves.c: INDEX, JOIN, GATHER, SCATTER over the dims; SCAN over the axis of them; SIZE; LOOKUP */
void psy__make_move(psy__maker *k, const psy__instruction *at);
/* ranks.c: SELECT, on devices in stages, and SORT */
void psy__make_select(psy__maker *k, const psy__instruction *at, unsigned stage);
void psy__make_rank(psy__maker *k, const psy__instruction *at);

#endif
