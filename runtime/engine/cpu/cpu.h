/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU engine: a block interpreter. A program becomes a list of steps when it is bound; what depends on no message runs
 * then, once. Steps over an index space (regions, and single operations as regions of one) run in blocks that stay in the
 * first-level cache; a product of a resident matrix with the messages' vectors runs for all messages at once.
 */
#ifndef PSY_ENGINE_CPU_CPU_H
#define PSY_ENGINE_CPU_CPU_H

#include "engine/cpu/kernels.h"
#include "engine/engine.h"

enum {
    PSY__BLOCK = 256, /* elements a block has at most */
    PSY__ROWS = 128,  /* rows of a reducing region that are finished together */
    PSY__BLOCK_BYTES = PSY__BLOCK * 8,
    PSY__STRAIGHT = 8, /* blocks that are reduced one after the other; more go through a cascade */
    PSY__LEVELS = 64
};

typedef struct psy__cpu_engine {
    psy__engine base;
    const psy__kernels *kernels;
    uint32_t max_batch;
    psy__limits limits;
    const psy__tracer *tracer; /* NULL: nobody looks */
    unsigned code_lanes;       /* of machine code that the engine makes; 0: it makes none */
    char description[96];
} psy__cpu_engine;

/* An operand over a space: bytes from one index to the next, 0 where it is broadcast. */
typedef struct psy__operand {
    uint32_t reg;
    bool inside;    /* a register that lives only in the region: it is in a block buffer */
    bool raw;       /* a bool as somebody else wrote it: any byte */
    bool made;      /* by an earlier node of the region, */
    uint8_t bytes;  /* of an element */
    uint32_t maker; /* this one */
    uint32_t buffer;
    int64_t strides[PSY_RANK_MAX];
} psy__operand;

/* One operation of a region. */
typedef struct psy__node {
    const psy_op_info *info;
    uint8_t dtype, from; /* from: CAST's operand dtype */
    bool first;          /* over the whole space; else over the space without its last axis */
    bool reduces;
    uint8_t operand_count, element_bytes; /* element_bytes: of the result */
    psy__operand operands[3];
    psy__operand result; /* over the whole space, or for the second part and reductions over the rest */
} psy__node;

enum { PSY__STREAMS = 7 };
/* Runs a region over the first `bytes` of its streams, not 0 and whole vectors: streams[i] is where stream i starts. Gives how
 * many bytes were done: fewer where a vector is for the kernels alone. */
typedef uint64_t psy__emitted(uint8_t *const *streams, uint64_t bytes);

/* The region as machine code (emit.h), and the memory that it reads and writes, as operands of its nodes. */
typedef struct psy__region_code {
    psy__emitted *run, *run_past_caches; /* NULL: the kernels do it */
    uint64_t offset, offset_past_caches; /* until the code can run */
    bool emitted, past_caches;
    uint32_t stream_count;
    const psy__operand *streams[PSY__STREAMS];
    uint32_t written, uniform; /* streams (bits) */
} psy__region_code;

typedef struct psy__region {
    uint32_t rank;
    uint64_t dims[PSY_RANK_MAX];
    bool reduces;
    uint32_t node_count, buffer_count;
    psy__node *nodes;
    bool batched_dot; /* its only first-part node is DOT of a uniform matrix and a vector of the message */
    bool message_dot; /* that is DOT of a uniform vector and one of the message, and the rest are numbers: for all messages at
                         once */
    unsigned matrix;  /* which operand is the matrix, or the uniform vector */
    psy__region_code code;
} psy__region;

typedef enum psy__step_kind {
    PSY__STEP_REGION,
    PSY__STEP_REDUCE,
    PSY__STEP_TOPK,
    PSY__STEP_STORE,
    PSY__STEP_LOOKUP,
    PSY__STEP_SIZE,
    PSY__STEP_MOVE
} psy__step_kind;

typedef struct psy__step {
    psy__step_kind kind;
    bool batched;
    psy__instruction at; /* not REGION */
    psy__region region;  /* REGION */
} psy__step;

typedef struct psy__pick {
    uint64_t key, label, place, bits;
} psy__pick;

/* Where a register's elements start, for every message of the chunk. */
typedef struct psy__place {
    uint8_t *const
        *table; /* by message, and `step` bytes further; NULL: each `step` bytes from the one before, from `base` on */
    uint8_t *base;
    uint64_t step;
} psy__place;

/* An operation of a region over one block of many messages: what is the same for all of them. */
typedef struct psy__plan {
    bool direct; /* the operands lie as kernels take them */
    size_t strides[3];
    psy__place operands[3], result;
} psy__plan;

typedef struct psy__cpu_executable {
    psy__executable base;
    const psy__kernels *kernels;
    psy__bound_program bound;
    const psy__module *module;
    psy__resident_data *residents;
    uint64_t partial_stride;
    uint32_t *output_at; /* by register: where in the output message it is; PSY_NONE: it is elsewhere. NULL: all are */
    const psy__tracer *tracer;
    psy__step *steps;
    uint32_t step_count;
    uint32_t max_batch, chunk; /* messages in one run; messages that have an arena */
    uint8_t *arena, *uniform;
    uint64_t arena_stride;
    uint8_t **inputs, **partials, **outputs; /* max_batch each */
    uint8_t *status;                         /* of the run */
    const uint8_t **rows;                    /* LOOKUP: by register, then message of the chunk */
    uint8_t *zero_row;
    uint8_t *buffers; /* blocks of region registers */
    uint8_t *gathers; /* three blocks: operands with odd strides */
    uint8_t *levels;  /* of cascades */
    uint8_t *dots;    /* chunk * PSY__ROWS products */
    uint8_t *packed;
    const void **vectors; /* chunk */
    psy__pick *picks;
    psy__plan *plans; /* of the operations of a region */
    unsigned code_lanes;
    uint8_t *code; /* executable */
    uint64_t code_bytes;
    uint32_t first, count; /* the chunk being run */
} psy__cpu_executable;

/* Not for registers that live inside a region. */
psy__place psy__register_place(const psy__cpu_executable *x, uint32_t reg);
static inline uint8_t *psy__place_at(const psy__place *p, uint32_t m)
{
    return p->table ? p->table[m] + p->step : p->base + m * p->step;
}
/* The place `bytes` further. */
static inline psy__place psy__place_shifted(psy__place p, int64_t bytes)
{
    if (p.table) {
        p.step += (uint64_t)bytes;
    } else {
        p.base += bytes;
    }
    return p;
}
/* Where the register's elements start for message `m` of the chunk. Not for registers that live inside a region. */
static inline uint8_t *psy__register_at(const psy__cpu_executable *x, uint32_t reg, uint32_t m)
{
    psy__place p = psy__register_place(x, reg);
    return psy__place_at(&p, m);
}

/* bind.c */
psy_status psy__cpu_bind(psy__engine *engine, const psy__binding *binding, psy__executable **out);
void psy__cpu_unbind(psy__executable *executable);

/* keep.c: gives every register a slot of its own, those that live only inside a region too, so that all values are there after
 * a run. TOO_LARGE where they are over the limit; NO_MEMORY. */
psy_status psy__keep_all(psy__bound_program *bound, const psy__limits *limits);

/* direct.c */
/* Gives results their places in the output messages, where that is all that a STORE does; there is no such step then.
 * NO_MEMORY. */
psy_status psy__results_direct(psy__cpu_executable *x);
/* Whether a STORE copies a row of numbers into a field that always holds as many, as most fields do. */
bool psy__store_is_plain(const psy__cpu_executable *x, const psy__instruction *at);

/* region.c: over messages 0 .. count - 1 of the chunk (uniform regions: count is 1). */
void psy__region_run(psy__cpu_executable *x, const psy__region *r, uint32_t count);
/* Copies n elements `stride` bytes apart to `out`, one after the other. */
void psy__gather(void *out, const uint8_t *from, int64_t stride, size_t n, unsigned element_bytes);
/* A bool is its lowest bit: makes 0 or 1 of whatever somebody else wrote. */
void psy__bools_clean(uint8_t *at, size_t n);

/* region_code.c */
/* Makes code of the program's regions, where the engine makes any. What has none is left to the kernels. */
void psy__regions_emit(psy__cpu_executable *x);
void psy__regions_forget(psy__cpu_executable *x);

/* move.c: INDEX, JOIN, GATHER, SCATTER, SCAN */
void psy__move_run(psy__cpu_executable *x, const psy__instruction *at, uint32_t m);

/* sort.c */
void psy__sort_run(psy__cpu_executable *x, const psy__instruction *at, uint32_t m);
/* cascade.c: long reductions as sums of sums. Level i holds what 2^i blocks gave, so that rounding errors grow with the
 * logarithm of the length. A level is `n` elements of the node's dtype, levels are `stride` bytes apart, reduction is a row of
 * ops.def. */
/* Takes block number `index`, from 0, and spoils it. */
void psy__cascade_add(const psy__kernels *k, const psy_op_info *reduction, unsigned dtype, uint8_t *levels, size_t stride,
                      uint8_t *block, uint64_t index, size_t n);
/* What `count` blocks gave, one after the other at `out`. */
void psy__cascade_end(const psy__kernels *k, const psy_op_info *reduction, unsigned dtype, const uint8_t *levels, size_t stride,
                      uint64_t count, uint8_t *out, size_t n);

/* select.c */
/* The element's place in the order of its dtype: larger is better; NaN is 0, below -inf; -0 and 0 are the same. */
uint64_t psy__order_key(unsigned dtype, const void *at, uint64_t *bits);
void psy__topk_run(psy__cpu_executable *x, const psy__instruction *at, uint32_t m);

/* program.c */
void psy__steps_run(psy__cpu_executable *x, bool batched);
psy_status psy__cpu_run(psy__executable *executable, const psy__batch *batch);

#endif
