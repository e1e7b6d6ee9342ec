/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor IR: single-assignment values with dtype and dims, in an order in which operands come first.
 *
 * Dims are the module's dim words. A dim that is a LOCAL symbol is the sharded axis: it is the same axis as the GLOBAL
 * symbol's, seen from one shard. A value is written for one message; `batched` says whether it differs from message to message.
 *
 * Passes do not change values: they make a new list (psc_ir_rewrite), so that what a pass started from stays readable.
 */
#ifndef PSC_IR_H
#define PSC_IR_H

#include <stdio.h>

#include "arena.h"
#include "diagnostic.h"
#include "isa/module.h"

/* LABELS: the second result of TOPK or SORT as a value of its own: its operand is that. LSE: a reduction, log(sum(exp(x))) over
 * an axis that is spread over the shards, until split makes its parts. */
enum { PSC_OP_LABELS = 256, PSC_OP_LSE, PSC_OPERANDS_MAX = 8 };

typedef struct psc_value {
    unsigned op; /* psy_op or PSC_OP_* */
    uint8_t dtype, rank;
    psy_dim dims[PSY_RANK_MAX];
    struct psc_value *operands[PSC_OPERANDS_MAX]; /* STORE: value, length or NULL. TOPK: value, labels or NULL. */
    unsigned operand_count;
    /* LOAD, PARTIAL, STORE: field. RESIDENT, LOOKUP: resident. SIZE: dim word. Reductions of one operand, SLICE, CONCAT,
     * GATHER, CUMSUM, IOTA: axis. TOPK: k. PERMUTE: the order. SORT: 1 for descending. */
    uint32_t index;
    psy_dim base;  /* TOPK: symbol whose row base is added to positions, or PSY_NONE. SLICE: where it starts */
    int32_t step;  /* SLICE */
    uint64_t bits; /* CONST: a scalar's bytes, little-endian */
    psc_span span;
    const char *name; /* of the `let` that holds it, or NULL */
    bool batched;
    bool kept; /* in memory of its own: no kernel has both it and what reads it */
    /* While lowering (lower_length.c): only so many elements of an axis are there, whatever the integer `length` says, cut to
     * what there is room for; `bare` is the value itself. NULL: all are there. */
    struct psc_value *length, *bare;
    uint8_t length_axis;
    uint32_t id;            /* position in the list */
    uint32_t group;         /* fuse: region, numbered from 1 in their order; 0: none */
    uint32_t reg;           /* plan: register */
    struct psc_value *next; /* psc_ir_rewrite: what it became */
} psc_value;

typedef struct psc_region {
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    bool reduces;
} psc_region;

/* Why a producer and its consumer did not become one kernel. */
typedef enum psc_apart_reason {
    PSC_APART_KIND,    /* one of the operations never shares a kernel */
    PSC_APART_KEPT,    /* the producer is to be kept */
    PSC_APART_ONCE,    /* one runs once, the other for every message */
    PSC_APART_LARGE,   /* the kernel would grow too large */
    PSC_APART_SPACE,   /* they run over different elements */
    PSC_APART_REDUCED, /* the consumer reads a whole reduction for each element */
    PSC_APART_CIRCLE,  /* something between them is outside */
    PSC_APART_ORDER    /* each found others first */
} psc_apart_reason;

typedef struct psc_apart {
    const psc_value *from, *to;
    psc_apart_reason why;
} psc_apart;

typedef struct psc_program {
    const char *name;
    uint32_t input_type, partial_type, output_type; /* indices of the module's types; PSY_NONE */
    PSC_LIST(psc_value *) values;
    PSC_LIST(psc_region) regions;         /* of groups 1, 2, ... */
    PSC_LIST(psc_apart) apart;            /* fuse, where it is asked to explain */
    PSC_LIST(psy_psm_register) registers; /* plan */
    uint32_t slot_count;                  /* plan */
} psc_program;

/* The most values a program may have. */
enum { PSC_VALUES_MAX = 100000 };

/* Appends a value whose dtype and dims are given; the rest follows from `from`. */
psc_value *psc_ir_add(psc_arena *arena, psc_program *p, const psc_value *from);

/* numpy's rules; false: they do not fit. */
bool psc_ir_broadcast(const psc_value *a, const psc_value *b, psy_dim dims[PSY_RANK_MAX], uint8_t *rank);
bool psc_ir_same_dims(const psc_value *a, const psc_value *b);
/* How much memory it takes, a size that has a name guessed as PSC_NAMED_SIZE: to compare what is not known yet. */
enum { PSC_NAMED_SIZE = 4096 };
uint64_t psc_ir_bytes(const psc_value *v);
/* The axis that is sharded (its dim is a LOCAL symbol), or -1. */
int psc_ir_sharded_axis(const psc_value *v, const psy_psm_symbol *symbols);
/* The dims over which a reduction or elementwise op runs: those of its operands, broadcast. */
void psc_ir_space(const psc_value *v, psy_dim dims[PSY_RANK_MAX], uint8_t *rank);
/* The axis that a reduction removes from its space. */
uint32_t psc_ir_axis(const psc_value *v);

psy_op_class psc_ir_class(const psc_value *v);
/* The dtype of the instruction: the value's own, but for comparisons their operands'. */
unsigned psc_ir_dtype(const psc_value *v);
bool psc_ir_is_elementwise(const psc_value *v);
bool psc_ir_is_reduction(const psc_value *v);
bool psc_ir_is_view(const psc_value *v);
bool psc_ir_is_store(const psc_value *v);
/* Two results: TOPK and SORT. */
bool psc_ir_has_labels(const psc_value *v);
/* What a SHAPE names, through any number of them; else the value itself. */
const psc_value *psc_ir_root(const psc_value *v);
/* A view whose elements do not lie one after the other. */
bool psc_ir_is_stridden(const psc_value *v);

/* Checks the whole list: order, dtypes, dims; sets id and batched. Returns NULL, or what is wrong (an internal error). */
const char *psc_ir_check(psc_arena *arena, psc_program *p);

/* A line per value; `@` and its slot, once it has one. `dim` names dim words. */
void psc_ir_dump(const psc_program *p, const char *(*dim)(void *, psy_dim), const char *(*index)(void *, const psc_value *),
                 void *context, FILE *to);

#endif
