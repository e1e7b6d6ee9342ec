/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/served_values.h"

#include <string.h>

/* Whole numbers: sums are exact. */
static float row_value(uint64_t row, uint32_t d) { return (float)((row * 7 + d * 3) % 11) - 5; }
static uint64_t row_key(uint64_t row) { return row * 1000003 + 17; }

psy_status served_fill(void *context, uint64_t row, void *out)
{
    (void)context;
    for (uint32_t d = 0; d < SERVED_DIM; d++) {
        ((float *)out)[d] = row_value(row, d);
    }
    return PSY_OK;
}

psy_status served_key_of(void *context, uint64_t row, uint64_t *out)
{
    (void)context;
    *out = row_key(row);
    return PSY_OK;
}

static float vector_value(uint64_t key, uint32_t d) { return (float)((key * 5 + d) % 7) - 3; }

float served_value(const char *pipeline, uint64_t key, uint32_t version)
{
    float sum = 0;
    for (uint32_t d = 0; d < SERVED_DIM; d++) {
        float x = vector_value(key, d);
        if (strcmp(pipeline, "total") == 0) {
            for (uint64_t row = 0; row < SERVED_ROWS; row++) {
                sum += row_value(row, d) * x;
            }
        } else {
            sum += strcmp(pipeline, "one") == 0 ? row_value((key - 17) / 1000003, d) * x : x;
        }
    }
    return sum * (float)version;
}

void served_vector(uint64_t key, float out[SERVED_DIM])
{
    for (uint32_t d = 0; d < SERVED_DIM; d++) {
        out[d] = vector_value(key, d);
    }
}

void served_ask(void *message, uint64_t key)
{
    programs_ask *ask = programs_ask_init(message);
    programs_ask_set_key(ask, key);
    served_vector(key, ask->vector);
}
