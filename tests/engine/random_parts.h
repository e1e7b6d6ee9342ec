/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the generator share: random.c computes, random_move.c makes views and moves elements. */
#ifndef PSY_TESTS_ENGINE_RANDOM_PARTS_H
#define PSY_TESTS_ENGINE_RANDOM_PARTS_H

#include "tests/engine/random.h"

enum { RANDOM_ELEMENTS = 12000, RANDOM_REGISTERS = 500 };

uint32_t random_below(random_program *p, uint32_t n);
bool random_one_in(random_program *p, uint32_t n);
unsigned random_dtype(random_program *p, bool computes);
psy_dim random_dim(random_program *p);
uint64_t random_count(const random_program *p, const psy_dim *dims, unsigned rank);
void random_add(random_program *p, uint32_t reg, bool certain);
void random_add_stridden(random_program *p, uint32_t reg, bool certain);
const random_register *random_any(random_program *p);
const psy_psm_register *random_info(const random_program *p, const random_register *r);

/* A view of the register, or one of the instructions that move elements; or nothing. */
void random_move(random_program *p, random_register a);

#endif
