/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of the instruction sets that this machine has. */
#ifndef TESTS_ENGINE_SETS_H
#define TESTS_ENGINE_SETS_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/cpu/kernels.h"

enum { SETS_MAX = 3 };

static inline unsigned sets_here(const psy__kernels *sets[SETS_MAX])
{
    unsigned n = 0;
    sets[n++] = &psy__kernels_base;
#ifdef PSY_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        sets[n++] = &psy__kernels_avx2;
    }
#endif
#ifdef PSY_HAVE_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq")) {
        sets[n++] = &psy__kernels_avx512;
    }
#endif
    return n;
}

#endif
