/* SPDX-License-Identifier: Apache-2.0 */
/* Makes modules in memory for tests: records are added one by one, then encoded and decoded like any module.
 *
 *   build *b = build_create();
 *   uint32_t in = build_type(b), out = build_type(b);
 *   uint32_t x = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 7);
 *   build_program(b, in, PSY_NONE, out);
 *   build_output(b, build_map(b, PSY_OP_NEG, build_load(b, x), PSY_NONE));
 *   build_end(b);
 *   build_finish(b);          // b->module is decoded and verified
 *   build_destroy(b);
 *
 * Names are made up (t0, f0, s0, d0, p0). Result dtypes and dims follow from the operands. Slots are planned at build_end:
 * one each, or, with `tight`, shared as soon as lifetimes allow. Misuse ends the test. Thread safety: one thread each. */
#ifndef PSY_TESTS_ENGINE_BUILD_H
#define PSY_TESTS_ENGINE_BUILD_H

#include "isa/module.h"

enum {
    BUILD_TYPES = 6,
    BUILD_TYPE_FIELDS = 256,
    BUILD_FIELDS = BUILD_TYPES * BUILD_TYPE_FIELDS,
    BUILD_SYMBOLS = 48,
    BUILD_RESIDENTS = 16,
    BUILD_PROGRAMS = 4,
    BUILD_REGISTERS = 1024,
    BUILD_OPS = 1024,
    BUILD_WORDS = 16384,
    BUILD_CONSTS = 1 << 20,
    BUILD_STRINGS = 1 << 14,
    BUILD_OPERANDS = 255
};

typedef struct build_op {
    psy_op op;
    unsigned dtype, operand_count, region; /* region: 0 outside, else its number */
    uint32_t dst;                          /* PSY_NONE: no result */
    uint32_t operands[BUILD_OPERANDS];
} build_op;

typedef struct build {
    bool tight; /* share slots */
    psy_psm_type types[BUILD_TYPES];
    psy_psm_field fields[BUILD_TYPES][BUILD_TYPE_FIELDS], flat[BUILD_FIELDS];
    psy_psm_symbol symbols[BUILD_SYMBOLS];
    psy_psm_check checks[BUILD_SYMBOLS];
    psy_psm_resident residents[BUILD_RESIDENTS];
    psy_psm_pipeline pipelines[BUILD_PROGRAMS];
    psy_psm_program programs[BUILD_PROGRAMS];
    psy_psm_register registers[BUILD_REGISTERS];
    uint32_t code[BUILD_WORDS];
    char strings[BUILD_STRINGS];
    uint8_t consts[BUILD_CONSTS];
    uint32_t open_part[BUILD_TYPES]; /* 1 + its field; 0: none */
    uint32_t type_count, symbol_count, check_count, resident_count, pipeline_count, program_count, register_count, code_words,
        strings_bytes, consts_bytes;
    /* the program being written */
    build_op ops[BUILD_OPS];
    uint32_t op_count, regions, open_region; /* open_region: index of its op, or PSY_NONE */
    /* after build_finish */
    uint8_t *bytes;
    uint64_t byte_count;
    psy__module module;
} build;

build *build_create(void);
void build_destroy(build *b);

uint32_t build_type(build *b);
uint32_t build_field(build *b, uint32_t type, unsigned dtype, unsigned kind, uint32_t count);
/* string[<=bytes], and several of them: ARRAY string[<=bytes][count], BOUNDED string[<=bytes][<=count]. */
uint32_t build_text(build *b, uint32_t type, uint32_t bytes);
uint32_t build_texts(build *b, uint32_t type, unsigned kind, uint32_t bytes, uint32_t count);
/* T[count]?; T? is build_field with OPTIONAL. */
uint32_t build_optional_array(build *b, uint32_t type, unsigned dtype, uint32_t count);
/* The fields that come next in the type lie in it, until its end. */
uint32_t build_part(build *b, uint32_t type);
void build_part_end(build *b, uint32_t type);
psy_dim build_symbol(build *b, unsigned kind, psy_dim of); /* of: LOCAL's global symbol, else PSY_NONE */
psy_dim build_computed(build *b, unsigned kind, psy_dim left, psy_dim right);
void build_check(build *b, psy_dim left, unsigned relation, psy_dim right, const char *message);
/* dims[0] of split and keyed data is a GLOBAL symbol, local_rows its LOCAL one; else local_rows is PSY_NONE. */
uint32_t build_resident(build *b, unsigned dtype, unsigned placement, psy_dim local_rows, unsigned rank, const psy_dim *dims);
uint32_t build_pipeline(build *b, unsigned route, uint32_t key_field, uint32_t shard_program, uint32_t merge_program);

/* Programs are written one after the other; all of these give the (first) result register. */
uint32_t build_program(build *b, uint32_t input, uint32_t partial, uint32_t output);
psy_psm_program *build_open_program(build *b); /* the one that is being written */
uint32_t build_load(build *b, uint32_t field);
uint32_t build_count(build *b, uint32_t field);   /* of a bounded or optional field */
uint32_t build_lengths(build *b, uint32_t field); /* of several texts */
uint32_t build_partial(build *b, uint32_t field, psy_dim shards);
uint32_t build_view(build *b, uint32_t resident);
uint32_t build_const(build *b, unsigned dtype, unsigned rank, const psy_dim *dims, const void *elements);
uint32_t build_size(build *b, unsigned dtype, psy_dim dim);
uint32_t build_base(build *b, unsigned dtype, psy_dim dim);
uint32_t build_lookup(build *b, uint32_t resident, uint32_t key);
uint32_t build_map(build *b, psy_op op, uint32_t x, uint32_t y);              /* y: PSY_NONE for one operand; comparisons too */
uint32_t build_map3(build *b, psy_op op, uint32_t x, uint32_t y, uint32_t z); /* FMA, and CHOOSE, whose x is bool */
uint32_t build_cast(build *b, unsigned dtype, uint32_t x);
uint32_t build_reduce(build *b, psy_op op, uint32_t x, uint32_t axis);
uint32_t build_reduce2(build *b, psy_op op, uint32_t x, uint32_t y);
uint32_t build_topk(build *b, uint32_t x, uint32_t labels, uint32_t k, psy_dim base); /* labels: the register after it */
/* Views: from any register. */
uint32_t build_reshape(build *b, uint32_t x, unsigned rank, const psy_dim *dims);
uint32_t build_permute(build *b, uint32_t x, const unsigned *order); /* axis d of the result is x's order[d] */
uint32_t build_slice(build *b, uint32_t x, uint32_t axis, psy_dim from, psy_dim count, int32_t step);
uint32_t build_repeat(build *b, uint32_t x, unsigned rank, const psy_dim *dims);
uint32_t build_iota(build *b, unsigned dtype, uint32_t axis, unsigned rank, const psy_dim *dims);
/* length: of the result along the axis; PSY_NONE: the sum of literal ones. */
uint32_t build_concat(build *b, uint32_t axis, unsigned count, const uint32_t *x, psy_dim length);
uint32_t build_gather(build *b, uint32_t x, uint32_t index, uint32_t axis);
uint32_t build_scatter(build *b, uint32_t x, uint32_t index, uint32_t y);
uint32_t build_scan(build *b, psy_op op, uint32_t x, uint32_t axis);
uint32_t build_sort(build *b, uint32_t x, psy_dim count, bool descending); /* positions: the register after it */
void build_store(build *b, uint32_t x, uint32_t field, uint32_t length);
void build_store_lengths(build *b, uint32_t x, uint32_t field);
/* A new field of the output type that fits the register, and its STORE. Gives the field. */
uint32_t build_output(build *b, uint32_t x);
/* Every element of a register with literal dims, one after the other: copied, whatever lies where. */
uint32_t build_output_all(build *b, uint32_t x);
/* Every element of a register that no field holds: its `count` elements ranked, values and positions. */
void build_output_ranked(build *b, uint32_t x, uint32_t count);
/* The operation on vectors of one length: `a` of the dtype, `truth` of bools, `index` of integers. `a` itself for what has
 * none. */
uint32_t build_operation(build *b, const psy_op_info *info, unsigned dtype, uint32_t a, uint32_t truth, uint32_t index);
void build_region(build *b, bool reduces, unsigned rank, const psy_dim *dims);
void build_region_end(build *b);
void build_end(build *b);

void build_finish(build *b);

/* A register of the program being written. */
const psy_psm_register *build_register(const build *b, uint32_t r);

#endif
