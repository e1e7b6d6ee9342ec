/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel IR: what an instruction or region of bytecode does, as loops over a space, loads, stores and reductions. makers
 * (codegen/maker.h) make it, the checker (kernel_check.c) holds it to its rules, and printers write it: SPIR-V words
 * (codegen/spirv.h), and in the compiler GLSL, C and the dump.
 *
 *   kernel    a space of dims, one of which may be reduced, and a list of nodes
 *   node      a value (typed, defined once, before it is read), a statement, or a construct that holds what follows up to its
 * END place     memory that loads and stores name: a field, resident data, constants, a slot; elements are counted in it
 *
 * Nodes are numbered from 1, in order; a node reads nodes before it whose construct is still open. Values of the constructs
 * STEP and OFFER are read after it by RESULT and BEST_*. How a construct runs is the printer's: a SPACE is one invocation an
 * element on a device and a nest of loops in C, a REDUCE is a workgroup's strided loop and tree there, and here a loop.
 *
 *   kernel over [N] reduces [256]
 *       space i0
 *           reduce i1 < 256
 *               r2 = load f32 words[i0 * 256 + i1]
 *               r3 = load f32 q.vector[i1]
 *               step dot r2, r3
 *           leader
 *               store @0[i0] = result
 */
#ifndef PSY_CODEGEN_KERNEL_IR_H
#define PSY_CODEGEN_KERNEL_IR_H

#include <stdarg.h>

#include "isa/module.h"

typedef enum psy__kop {
    PSY_K_NONE,
#define KOP(NAME, ...) PSY_K_##NAME,
#include "codegen/kernel_ops.def"
#undef KOP
    PSY_K_COUNT
} psy__kop;

typedef struct psy__kop_info {
    const char *text; /* "add" */
    char result;      /* letters as in kernel_ops.def */
    const char *operands;
    unsigned spirv; /* 0: none of its own */
    const char *glsl, *c;
} psy__kop_info;

const psy__kop_info *psy__kop_of(unsigned op);
bool psy__kop_opens(unsigned op); /* it is a construct */

/* Types of nodes: none, a psy_dtype, or one of these. */
enum { PSY_KTYPE_NONE = 0, PSY_KTYPE_INDEX = 64, PSY_KTYPE_CONDITION = 65 };

typedef struct psy__knode {
    uint8_t op;
    uint8_t type;    /* of its value */
    uint8_t dtype;   /* MAP, STEP: the instruction's; LOAD, STORE, FIELD, RANK, ROW: the elements'; CAST: the result's */
    uint8_t flat;    /* SPACE: elements are counted through, its only coordinate is their number */
    uint16_t code;   /* MAP, STEP: psy_op */
    uint16_t number; /* COORD: which; PUSH: which word; BASE: 1 is the high word; RANKED: 1 tells places, not labels */
    uint32_t a[4];   /* operands: nodes; 0: none */
    uint32_t
        place; /* LOAD, STORE, STORE_PAIR, RANKED, ROW: number of a place; FIELD: of the module's field; SIZE, BASE: symbol */
    uint32_t
        more;     /* RANKED: the labels' place; FIELD: where its elements start in the message; RANK: how many; ROW: resident */
    uint32_t end; /* constructs: their END */
    uint32_t inside; /* the construct that it is in; 0: none */
    uint32_t word;   /* of the instruction it is made for */
    uint64_t bits;   /* CONST: the value's; NUMBER: two's complement; RANK: 0 top-k, 1 smallest first, 2 largest first */
} psy__knode;

/* Where elements lie. */
typedef enum psy__kplace_kind {
    PSY_PLACED_INPUT,    /* a field of the message */
    PSY_PLACED_PARTIAL,  /* a field of every shard's record: loads have the shard as second operand */
    PSY_PLACED_RESIDENT, /* resident data */
    PSY_PLACED_ROW,      /* the row of resident data that a ROW found */
    PSY_PLACED_CONST,    /* the module's constants */
    PSY_PLACED_ARENA,    /* a slot of the message */
    PSY_PLACED_UNIFORM,  /* a slot of what depends on no message */
    PSY_PLACED_NOWHERE,  /* lives only in its region: no place of a kernel */
    PSY_PLACED_VIEW      /* names another register: no place of a kernel */
} psy__kplace_kind;

typedef struct psy__kplace {
    uint8_t kind, dtype;
    uint16_t reg;    /* register; of a ROW the one that LOOKUP writes */
    uint32_t source; /* INPUT, PARTIAL: field of the module; RESIDENT, ROW: resident; CONST: byte offset; else slot */
    uint32_t at;     /* INPUT: the message's byte that it starts at, which is the field's but for its count and lengths */
} psy__kplace;

typedef struct psy__kernel_ir {
    const psy__module *module;
    uint32_t program;
    uint32_t word, next; /* the instructions: words of the program */
    uint32_t stage;      /* psy__kernel_stage */
    bool uniform;        /* depends on no message: runs once, when data is bound */
    uint32_t rank, axis; /* axis: that is reduced or walked along; PSY_NONE: none */
    psy_dim dims[PSY_RANK_MAX];
    const psy_psm_line *line; /* its source; NULL */
    psy__knode *nodes;        /* [1 .. node_count] */
    uint32_t node_count, node_room;
    psy__kplace *places;
    uint32_t place_count, place_room;
    uint32_t open; /* the construct being made */
    uint32_t now;  /* word of the instruction being made */
    bool failed;   /* no memory */
} psy__kernel_ir;

void psy__kernel_ir_fini(psy__kernel_ir *k);
/* UNSUPPORTED: the program has no kernels, with what is in the way of them. */
psy_status psy__kernel_refuse(const psy__kernel_ir *k, const char *format, va_list arguments);

/* ---- making ---- */
/* Adds a node; `inside` is filled in. Equal values that are still there are given instead. 0 when there is no memory. */
uint32_t psy__kernel_add(psy__kernel_ir *k, psy__knode node);
uint32_t psy__kernel_place(psy__kernel_ir *k, psy__kplace place);
uint32_t psy__kernel_open(psy__kernel_ir *k, psy__knode construct);
void psy__kernel_close(psy__kernel_ir *k, uint32_t construct);

uint32_t psy__kernel_number(psy__kernel_ir *k, int64_t value);
uint32_t psy__kernel_const(psy__kernel_ir *k, unsigned dtype, uint64_t bits);
uint32_t psy__kernel_size(psy__kernel_ir *k, psy_dim dim);
/* Coordinate `which` of a SPACE; of FOR, REDUCE, BEST and FIELD there is one. */
uint32_t psy__kernel_coord(psy__kernel_ir *k, uint32_t construct, uint32_t which);
/* IADD .. IMIN, with what is known computed; conditions; IPICK. */
uint32_t psy__kernel_index(psy__kernel_ir *k, psy__kop op, uint32_t a, uint32_t b);
uint32_t psy__kernel_condition(psy__kernel_ir *k, psy__kop op, uint32_t a, uint32_t b);
uint32_t psy__kernel_value(psy__kernel_ir *k, psy__kop op, unsigned type, uint32_t a, uint32_t b, uint32_t c);
/* An operation of isa/ops.def on values; `dtype` is the instruction's. */
uint32_t psy__kernel_map(psy__kernel_ir *k, psy_op op, unsigned dtype, const uint32_t operands[3]);

/* Drops values that nothing reads. */
void psy__kernel_sweep(psy__kernel_ir *k);

/* kernel_check.c: INTERNAL where the kernel breaks a rule of the IR, with which and where in the detail: a bug of a maker. */
PSY_NODISCARD psy_status psy__kernel_check(const psy__kernel_ir *k);

#endif
