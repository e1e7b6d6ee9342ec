/* SPDX-License-Identifier: Apache-2.0 */
/* The cheap chain as a C programmer writes it: compiled with -O3 -march=native. */
#include "tests/perf/cpu.h"

void cpu_chain_gcc(const float *restrict x, float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float y = 1.5f * x[i] + 0.25f;
        out[i] = (y > 0 ? y : 0) * 0.5f - x[i];
    }
}
