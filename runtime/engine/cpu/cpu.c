/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/cpu/cpu.h"
#include "engine/cpu/emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const psy__kernels *const sets[] = {
#ifdef PSY_HAVE_AVX512
    &psy__kernels_avx512,
#endif
#ifdef PSY_HAVE_AVX2
    &psy__kernels_avx2,
#endif
    &psy__kernels_base,
};

static bool runs_here(const psy__kernels *k)
{
#ifdef PSY_HAVE_AVX512
    if (k == &psy__kernels_avx512) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
    }
#endif
#ifdef PSY_HAVE_AVX2
    if (k == &psy__kernels_avx2) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    }
#endif
    return k == &psy__kernels_base;
}

/* The best set that the machine runs, or the one that PSYNE_CPU names. */
static psy_status choose(const psy__kernels **out)
{
    const char *wanted = getenv("PSYNE_CPU");
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (wanted && *wanted && strcmp(wanted, sets[i]->name) != 0) {
            continue;
        }
        if (runs_here(sets[i])) {
            *out = sets[i];
            return PSY_OK;
        }
        if (wanted && *wanted) {
            return psy_fail(PSY_UNSUPPORTED, "PSYNE_CPU is %s, which this machine does not run", wanted);
        }
    }
    return psy_fail(PSY_UNSUPPORTED, "PSYNE_CPU is %s; there are: base, avx2, avx512", wanted);
}

static bool makes_code(const psy__engine_options *options)
{
    const char *wanted = getenv("PSYNE_CPU_CODE");
    return !(options && options->no_code) && !(wanted && strcmp(wanted, "0") == 0);
}

psy__map1 *psy__map1_of(const psy__kernels *k, unsigned op, unsigned dtype)
{
    return dtype == PSY_F32 && k->math->map1[op] ? k->math->map1[op] : k->map1[op][dtype];
}

psy__map2 *psy__map2_of(const psy__kernels *k, unsigned op, unsigned dtype)
{
    return dtype == PSY_F32 && op == PSY_OP_POW ? k->math->pow : k->map2[op][dtype];
}

static psy_status cpu_open(const psy__engine_options *options, psy__engine **out)
{
    psy__cpu_engine *e = calloc(1, sizeof *e);
    if (!e) {
        return psy_fail(PSY_NO_MEMORY, "no memory for the cpu engine");
    }
    e->base.interface = &psy__engine_cpu;
    e->max_batch = options && options->max_batch ? options->max_batch : 64;
    if (options) {
        e->limits = options->limits;
        e->tracer = options->tracer;
    }
    psy_status status = choose(&e->kernels);
    if (status != PSY_OK) {
        free(e);
        return status;
    }
    e->code_lanes = makes_code(options) ? psy__emit_lanes(e->kernels) : 0;
    snprintf(e->description, sizeof e->description, "cpu (%s kernels%s)", e->kernels->name, e->code_lanes ? " and code" : "");
    *out = &e->base;
    return PSY_OK;
}

static void cpu_close(psy__engine *engine) { free(engine); }
static const char *cpu_describe(psy__engine *engine) { return ((psy__cpu_engine *)engine)->description; }

static psy_status cpu_attach(psy__engine *engine, void *base, uint64_t bytes)
{
    (void)engine;
    (void)base;
    (void)bytes;
    return PSY_OK; /* messages are read and written where they lie */
}

static void cpu_detach(psy__engine *engine, void *base)
{
    (void)engine;
    (void)base;
}

static psy_status cpu_supports(psy__engine *engine, const psy__module *module, uint32_t program)
{
    (void)engine;
    return program < module->program_count ? PSY_OK : psy_fail(PSY_INVALID, "there is no program %u", program);
}

static uint64_t cpu_copied(psy__engine *engine)
{
    (void)engine;
    return 0;
}

const psy__engine_interface psy__engine_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .attach = cpu_attach,
    .detach = cpu_detach,
    .supports = cpu_supports,
    .bind = psy__cpu_bind,
    .run = psy__cpu_run,
    .unbind = psy__cpu_unbind,
    .copied_bytes = cpu_copied,
};
