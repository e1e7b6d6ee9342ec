/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 instructions over vectors, as bytes: EVEX for 512 bits, VEX for 256. For emit.c. */
#ifndef PSY_ENGINE_CPU_ENCODE_H
#define PSY_ENGINE_CPU_ENCODE_H

#include "engine/cpu/emit.h"

enum { GPR_RAX = 0, GPR_RCX = 1, GPR_RDX = 2, GPR_RDI = 7 };
enum { PP_NONE = 0, PP_66 = 1 };
enum { MAP_0F = 1, MAP_0F38 = 2, MAP_0F3A = 3 };
enum { ENCODE_CONSTS_MAX = 256, ENCODE_EXITS_MAX = 64 };

typedef struct instruction {
    uint8_t pp, map, opcode;
} instruction;

typedef enum operand_kind { OPERAND_REGISTER, OPERAND_STREAM, OPERAND_UNIFORM, OPERAND_STACK, OPERAND_CONST } operand_kind;
/* n: the register; the general register that a stream starts in; the slot on the stack; the number of the constant. */
typedef struct operand {
    operand_kind kind;
    unsigned n, distance; /* STREAM: bytes further */
} operand;

static inline operand operand_register(unsigned n) { return (operand){.kind = OPERAND_REGISTER, .n = n}; }
static inline operand operand_stream(unsigned base, unsigned distance)
{
    return (operand){.kind = OPERAND_STREAM, .n = base, .distance = distance};
}
static inline operand operand_uniform(unsigned base) { return (operand){.kind = OPERAND_UNIFORM, .n = base}; }
static inline operand operand_stack(unsigned slot) { return (operand){.kind = OPERAND_STACK, .n = slot}; }
static inline operand operand_const(unsigned n) { return (operand){.kind = OPERAND_CONST, .n = n}; }

typedef struct encoder {
    psy__code *code;
    bool wide, failed;             /* 512 bits; there was no room: all that follows is of no use */
    uint64_t start, stack_size_at; /* of the function; of the number of bytes that its stack has */
    uint32_t consts[ENCODE_CONSTS_MAX];
    unsigned const_count;
    struct {
        uint64_t at; /* of a distance of 4 bytes, */
        unsigned n;  /* to this constant; it counts from `end` */
        uint64_t end;
    } fixes[4096];
    unsigned fix_count;
    uint64_t exits[ENCODE_EXITS_MAX]; /* distances to the end of the loop */
    unsigned exit_count;
} encoder;

/* Begins a function, behind what the code has. */
bool encode_begin(encoder *e, psy__code *code, bool wide);
/* Loads the streams' starts, and begins at byte 0 of them. */
void encode_enter(encoder *e, const uint8_t *bases, unsigned count);
/* Leaves the loop that follows out when fewer than so many vectors are left. Gives what encode_loop_end wants. */
uint64_t encode_loop_begin(encoder *e, unsigned vectors);
uint64_t encode_here(const encoder *e);
/* The next so many vectors, from `top` on, unless there are fewer. */
void encode_loop_end(encoder *e, uint64_t begin, uint64_t top, unsigned vectors);
/* Gives how far it came. */
void encode_return(encoder *e, unsigned slots, bool streaming);
/* False: something did not fit, and the code is what it was before. */
bool encode_end(encoder *e, uint64_t *offset);

/* The number of a constant. */
unsigned encode_const(encoder *e, uint32_t bits);
/* to = what the instruction makes of `first` (0 where it takes one operand) and `second`. */
void encode(encoder *e, instruction what, unsigned to, unsigned first, operand second);
void encode_immediate(encoder *e, instruction what, unsigned to, unsigned first, operand second, uint8_t immediate);
/* With the mask k1. */
void encode_masked(encoder *e, instruction what, unsigned to, unsigned first, operand second);
void encode_shift(encoder *e, unsigned to, unsigned from, bool arithmetic_right, uint32_t by);
void encode_load(encoder *e, unsigned to, operand from);
void encode_store(encoder *e, unsigned from, operand to, bool streaming);
/* Leaves the loop where a lane of k1, or of a register's signs, is set. */
void encode_leave_if_any(encoder *e, unsigned mask);

#endif
