/* SPDX-License-Identifier: Apache-2.0 */
/* A chain of elementwise f32 operations as a list of vector instructions: what a region becomes before the engine makes machine
 * code of it (emit.h). Values are vectors of as many lanes as the machine has; every instruction is one word of vector.h, so
 * that a chain gives the bits that the kernels give.
 *
 * Values are numbered in the order in which they are made; the same instruction is made once. */
#ifndef PSY_ENGINE_CPU_CHAIN_H
#define PSY_ENGINE_CPU_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/cpu/cpu.h"

enum { PSY__CHAIN_VALUES = 1024, PSY__CHAIN_STREAMS = PSY__STREAMS, PSY__CHAIN_COPIES = 4 };

typedef enum psy__chain_op {
    CHAIN_CONST,   /* all lanes: `bits` */
    CHAIN_LOAD,    /* a vector of stream `bits` % 8; `bits` / 8 vectors further on */
    CHAIN_UNIFORM, /* all lanes: the one element of stream `bits` */
    CHAIN_ADD,
    CHAIN_SUB,
    CHAIN_MUL,
    CHAIN_DIV,
    CHAIN_FMA,
    CHAIN_MIN,
    CHAIN_MAX,
    CHAIN_SQRT,
    CHAIN_ROUND, /* to a whole number: `bits` is a CHAIN_TO_... */
    CHAIN_AND,
    CHAIN_OR,
    CHAIN_XOR,
    CHAIN_IADD,
    CHAIN_ISUB,
    CHAIN_SHL, /* by `bits` */
    CHAIN_SAR,
    CHAIN_FLOAT,  /* of an integer */
    CHAIN_SELECT, /* where the first two compare as `bits` says (CHAIN_IF_...), the third, else the fourth */
    CHAIN_IF_ODD, /* where the first one's lowest bit is set, the second, else the third */
    CHAIN_GUARD   /* leaves the loop where the first is above the second in some lane, or either is NaN; before all stores */
} psy__chain_op;

/* The numbers are those of x86's immediates. */
enum { CHAIN_TO_NEAREST = 8, CHAIN_TO_FLOOR = 9, CHAIN_TO_CEIL = 10, CHAIN_TO_TRUNC = 11 };
enum { CHAIN_IF_EQ = 0x00, CHAIN_IF_NE = 0x04, CHAIN_IF_LT = 0x11, CHAIN_IF_LE = 0x12 };

typedef struct psy__chain_value {
    uint8_t op, inputs;
    uint16_t in[4];
    uint32_t bits;
} psy__chain_value;

/* An operand or a result of the region that is memory: element i is `step` bytes behind the one before. */
typedef struct psy__chain_stream {
    const psy__operand *operand;
    bool uniform, written;
} psy__chain_stream;

typedef struct psy__chain {
    psy__chain_value values[PSY__CHAIN_VALUES];
    uint32_t count;
    psy__chain_stream streams[PSY__CHAIN_STREAMS];
    uint32_t stream_count;
    uint32_t copies; /* vectors, one behind the other, on which the same is done in turn */
    uint16_t results[PSY__CHAIN_COPIES][PSY__CHAIN_STREAMS]; /* what goes to the streams that are written */
    bool full;                                               /* there was no room: what was made is of no use */
} psy__chain;

/* The same for several vectors: instruction by instruction, so that what waits for one finds another to go on with. False:
 * there is no room. */
bool psy__chain_interleave(const psy__chain *chain, uint32_t copies, psy__chain *out);
/* How many values are alive at once, but for constants. */
uint32_t psy__chain_width(const psy__chain *chain);

/* The chain of a region that has no reduction. False: something in it is for the kernels alone. */
bool psy__chain_of(const psy__region *region, psy__chain *out);

#endif
