/* SPDX-License-Identifier: Apache-2.0 */
#include "embed.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void add(float *vector, size_t dim, uint64_t gram, float weight)
{
    gram *= 0x9e3779b97f4a7c15u;
    gram ^= gram >> 32;
    gram *= 0xd6e8feb86659fd93u;
    gram ^= gram >> 32;
    const size_t at = (size_t)(((gram & 0xffffffffu) * dim) >> 32);
    vector[at] += gram >> 63 ? -weight : weight;
}

void embed(const char *word, float *vector, size_t dim)
{
    const size_t n = strlen(word);
    memset(vector, 0, dim * sizeof *vector);
    for (size_t size = 1; size <= 3; size++) {
        for (size_t i = 0; i + size <= n + 2; i++) {
            uint64_t gram = size;
            for (size_t j = i; j < i + size; j++) {
                gram = gram << 8 | (j == 0 ? 1 : j == n + 1 ? 2 : (unsigned char)word[j - 1]);
            }
            add(vector, dim, gram, 1.0f);
        }
    }
    double squares = 0;
    for (size_t i = 0; i < dim; i++) {
        squares += (double)vector[i] * (double)vector[i];
    }
    if (squares == 0) {
        vector[0] = 1.0f;
        return;
    }
    const double length = sqrt(squares);
    for (size_t i = 0; i < dim; i++) {
        vector[i] = (float)((double)vector[i] / length);
    }
}
