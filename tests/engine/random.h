/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs that are well typed: every class of operation, shapes that broadcast, regions with everything that may be in
 * them. The same seed gives the same program.
 *
 *   random_program p;
 *   random_program_init(&p, &(random_limits){.seed = 7, .steps = 20, .outputs = 30});
 *   ... p.b->module, p.symbols ...
 *   random_program_fini(&p);
 */
#ifndef PSY_TESTS_ENGINE_RANDOM_H
#define PSY_TESTS_ENGINE_RANDOM_H

#include "tests/engine/build.h"

typedef struct random_limits {
    uint64_t seed;
    uint32_t steps, outputs;
    bool words_only; /* elements of up to four bytes and operations with a SPIR-V form, which every engine has */
    bool views_only; /* no lookups, no partial records, no labels of top-k */
} random_limits;

/* Registers that may be read. */
typedef struct random_register {
    uint32_t reg;
    bool certain;   /* floats: no operation with a tolerance was in it */
    bool stridden;  /* a view whose elements do not lie one after the other */
    uint64_t count; /* elements, with the sizes bound */
} random_register;

typedef struct random_program {
    build *b;
    uint64_t symbols[BUILD_SYMBOLS], bases[BUILD_SYMBOLS];
    uint32_t shards;     /* 0: no partial records */
    uint32_t keyed, key; /* resident and input field; PSY_NONE: no lookups */
    /* private */
    random_limits limits;
    uint64_t state;
    random_register at[512];
    uint32_t count;
    psy_dim pool[32];
    uint32_t pool_count;
} random_program;

void random_program_init(random_program *p, const random_limits *limits);
void random_program_fini(random_program *p);

/* Whether ops.def has a SPIR-V form: its columns as they are written. */
bool random_has_form(unsigned op, unsigned dtype);

#endif
