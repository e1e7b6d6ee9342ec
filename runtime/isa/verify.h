/* SPDX-License-Identifier: Apache-2.0 */
/* What a verified program guarantees, and the sizes that are checked when they become known.
 *
 * Step 1, psy__module_decode (load): structure (sections, records, strings, indices), and per program:
 *   - every op and dtype exists, the op takes the dtype, operand counts fit the signature, reserved bits are zero
 *   - single assignment: every register of the program is written by exactly one instruction, before its uses
 *   - dtypes and dims follow the class: MAP results are the broadcast of their operands (numpy rules on dim words: equal
 *     words, or a literal 1); REDUCE1 drops its axis; REDUCE2 broadcasts, then drops the last; TOPK gives [k] twice, its
 *     label operand has the operand's dims; LOAD, PARTIAL, RESIDENT, LOOKUP, CONST, STORE agree with the field, resident
 *     or constant they name; PARTIAL's first dim is the SHARDS symbol
 *   - SHAPE names its operand's elements: a reshape only those that lie one after the other; what is read through a view keeps
 *     its slot alive
 *   - every output field is stored exactly once
 *   - REGION: its instructions exist and are MAP, CAST or reductions of the space's last dim; results over the whole
 *     space come before results over the reduced space; operands broadcast to the space (or, in the second part, to the
 *     reduced space); a register without a slot is not used outside its region, and is not an operand of anything outside
 *   - views (VIEW, LOOKUP) have no slot; other registers have one unless they live inside one region
 *   - two registers in one slot: both batched or both uniform, and never alive at the same time (a region is one instant:
 *     what it reads and what it writes do not share; likewise each single instruction). Uniform instructions run once, at
 *     bind: a uniform register that a batched instruction reads stays alive for good
 * Step 2, psy__program_bind: sizes are known; products are overflow-checked; memory and work are held to limits.
 * Step 3, at run: message lengths, the length operand of STORE, keys: by the engine.
 */
#ifndef PSY_ISA_VERIFY_H
#define PSY_ISA_VERIFY_H

#include "isa/module.h"

/* Where a register's elements are. */
typedef enum psy__home {
    PSY_HOME_INPUT,    /* view of the input message: batched */
    PSY_HOME_PARTIAL,  /* view of the partial records: batched */
    PSY_HOME_RESIDENT, /* view of resident data: uniform */
    PSY_HOME_CONST,    /* view of the constants: uniform */
    PSY_HOME_ROW,      /* LOOKUP: row of resident data, another for each message: batched */
    PSY_HOME_SLOT,     /* in the arena */
    PSY_HOME_REGION    /* only inside a region */
} psy__home;

/* A register with its sizes bound. Strides are in bytes; 0 for dims of size 1. */
typedef struct psy__bound_register {
    uint8_t dtype, rank;
    uint8_t home;    /* psy__home */
    bool batched;    /* differs from message to message */
    uint16_t slot;   /* SLOT: also of views */
    uint32_t def;    /* word of the instruction that writes it */
    uint32_t source; /* INPUT, PARTIAL: field (index in module->fields); RESIDENT, ROW: resident; CONST: offset */
    uint32_t root;   /* SHAPE: the register whose memory this is; else itself */
    int64_t offset;  /* SHAPE: bytes from where the root's elements start */
    uint64_t dims[PSY_RANK_MAX];
    int64_t strides[PSY_RANK_MAX];
    uint64_t count; /* elements */
} psy__bound_register;

typedef struct psy__slot {
    uint64_t bytes;  /* a multiple of 64: the largest register in it */
    uint64_t offset; /* batched: in a message's arena; uniform: in the uniform arena */
    bool batched;
} psy__slot;

#define PSY_WORK_DEFAULT (UINT64_C(1) << 40)
typedef struct psy__limits {
    uint64_t
        arena_bytes; /* per message, and for the uniform part; 0 = 1 GiB. Engines run large batches in parts to keep to it */
    uint64_t work;   /* element operations per message; 0 = 2^40 */
} psy__limits;

/* A program with sizes bound: immutable. */
typedef struct psy__bound_program {
    const psy__module *module;
    const psy_psm_program *program;
    psy__bound_register *registers; /* program->register_count */
    psy__slot *slots;               /* program->slot_count */
    uint64_t message_arena_bytes;   /* one message's batched slots */
    uint64_t uniform_arena_bytes;
    uint64_t work;       /* element operations for one message */
    uint64_t *symbols;   /* bound values, module->symbol_count */
    uint64_t *bases;     /* row base of each symbol (LOCAL; else 0) */
    uint64_t unknown[4]; /* sizes that are not known: a bit for each */
} psy__bound_program;

/* Which registers differ from message to message; `batched` has program->register_count entries. What a region writes is
 * batched if anything in it is. Code must have been verified. */
void psy__program_batched(const psy__module *m, const psy_psm_program *p, bool *batched);

/* Step 1 alone, for one program of a structurally sound module (decode calls it for all). */
PSY_NODISCARD psy_status psy__program_verify(const psy__module *m, uint32_t program);

/* As a size of kind MESSAGE: not known, for programs of other alternatives than the one that it belongs to. */
#define PSY_SIZE_UNKNOWN UINT64_MAX

/* Binds sizes. `symbols` and `bases` have module->symbol_count entries and are copied. Also evaluates the module's checks, but
 * for those of sizes that are not known; a program that uses such a size is INVALID.
 * INVALID (a check failed: its message is in the detail), TOO_LARGE (overflow, or over a limit, which is named),
 * NO_MEMORY. Allocates; free with psy__program_unbind. */
PSY_NODISCARD psy_status psy__program_bind(const psy__module *m, uint32_t program, const uint64_t *symbols,
                                           const uint64_t *bases, const psy__limits *limits, psy__bound_program *out);
void psy__program_unbind(psy__bound_program *bound);
/* Lays the views (SHAPE) over their operands again, after the caller changed strides of what they name. */
void psy__bound_views(psy__bound_program *bound);

/* Whether both have the same dims but for literal 1s: then any strides will do for a reshape. */
bool psy__only_ones_differ(const psy_psm_register *a, const psy_psm_register *b);
/* Whether `count` elements from `from` on, `step` apart, lie within an axis of `size`. */
bool psy__slice_fits(uint64_t size, uint64_t from, uint64_t count, int64_t step);

/* The value of a dim word under bound symbols. */
static inline uint64_t psy__dim_value(psy_dim d, const uint64_t *symbols)
{
    return psy__dim_is_symbol(d) ? symbols[psy__dim_symbol(d)] : d;
}

/* Where in the message LOAD, COUNT or LENGTHS of the field reads. */
uint32_t psy__view_offset(const psy_psm_field *f, unsigned op);
/* What an instruction of class SIZE gives. */
uint64_t psy__size_value(const psy__bound_program *b, const psy__instruction *at);

/* ---- sizes that are computed of others ---- */
enum { PSY_SIZE_TEXT_ROOM = 96 };
/* As it is written: "N * 2". What does not fit into `room` is left out. */
void psy__size_text(const psy__module *m, psy_dim d, char *out, size_t room);
/* The value of a computed symbol, of those before it. INVALID where there is none: it overflows, or a division leaves
 * something. */
PSY_NODISCARD psy_status psy__size_compute(const psy__module *m, uint32_t symbol, const uint64_t *symbols, uint64_t *out);

#endif
