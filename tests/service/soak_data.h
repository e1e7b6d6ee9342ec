/* SPDX-License-Identifier: Apache-2.0 */
/* The data of the soak's service, which one client changes: a row of states. A service begins with state 0, state n is made of
 * the one before by edits of kinds that go round, and each can be made of anything by reloads: after an edit of which nobody
 * knows whether it was made. What a pipeline answers may be that of any state which the service can have had while the call was
 * out, and of no other. */
#ifndef PSY_TESTS_SERVICE_SOAK_DATA_H
#define PSY_TESTS_SERVICE_SOAK_DATA_H

#include <psyne/edit.h>

#include "tests/service/soak.h"

/* A broker keeps 256 sets of edits for workers that come later: it is asked for fewer. */
enum { SOAK_STATES = 240, SOAK_EDITS = 2 };

/* Of the life that a service has, and the state in it. */
static inline uint64_t soak_moment(uint64_t life, uint64_t state) { return life << 32 | state; }
static inline uint32_t soak_moment_state(uint64_t moment) { return (uint32_t)moment; }

/* Makes the states. */
void soak_data_init(void);
/* Edits that make the state: of the one before, or `anew`. They point into memory that lasts until the next call. */
void soak_data_edits(uint32_t state, bool anew, psy_edit edits[SOAK_EDITS]);
/* Whether a state gives that answer. */
bool soak_data_answers(uint32_t state, uint32_t lane, uint64_t key, uint32_t version, float value, uint64_t rows);
/* The same of those there can have been from one moment to another. */
bool soak_data_may_answer(uint64_t from, uint64_t to, uint32_t lane, uint64_t key, uint32_t version, float value,
                          uint64_t rows);

#endif
