/* SPDX-License-Identifier: Apache-2.0 */
/* What versions of the programs of tests have for data, are asked, and answer: for tests of any kind. */
#ifndef PSY_TESTS_SERVICE_SERVED_VALUES_H
#define PSY_TESTS_SERVICE_SERVED_VALUES_H

#include <psyne/worker.h>

#include "tests/service/gen/programs.psy.h"

enum { SERVED_ROWS = 37, SERVED_KEPT = 11, SERVED_DIM = 4 };

#define PROGRAM_FILE(name) PSY_BUILD_DIR "/tests/service/gen/" name ".psm"

/* Rows of `rows` and `kept`, and keys of `kept`: for psy_rows. */
psy_status served_fill(void *context, uint64_t row, void *out);
psy_status served_key_of(void *context, uint64_t row, uint64_t *out);

/* What version `version` answers. Keys of pipeline `one` are those of rows of `kept`. */
float served_value(const char *pipeline, uint64_t key, uint32_t version);
/* The vector of a request with that key; such a request. */
void served_vector(uint64_t key, float out[SERVED_DIM]);
void served_ask(void *message, uint64_t key);

#endif
