/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan engine with kernels that glslang made of our GLSL: so that the conformance suite runs them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel.h"
#include "emit_kernels.h"
#include "tests/codegen/kernels.h"
#include "tests/codegen/made.h"
#include "tests/engine/suite.h"

enum { MODULES_MAX = 4096 };

typedef struct glsl_engine {
    psy__engine base, *inner;
    psy__module *modules[MODULES_MAX]; /* bound ones, with kernels */
    uint32_t module_count;
} glsl_engine;

static psy__engine *inner_of(psy__engine *engine) { return ((glsl_engine *)engine)->inner; }

static void name_of(const psy__module *module, uint32_t program, uint32_t kernel, char name[64])
{
    snprintf(name, 64, "m%016" PRIx64 "_%u_%u.comp", module->hash, program, kernel);
}

/* ---- what the suite shows ---- */

static size_t shown;

static void show(const psy__module *module, uint32_t program)
{
    psy__kernel_ir *irs;
    uint32_t count;
    if (made_before(module, program)) {
        return;
    }
    cr_assert_eq(psy__kernel_irs_make(module, program, PSY_KERNEL_FOR_DEVICE, &irs, &count), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < count; i++) {
        char name[64];
        psc_arena arena;
        name_of(module, program, i, name);
        FILE *to = made_open(name, "w");
        psc_arena_init(&arena);
        psc_emit_glsl(&arena, &irs[i], name, to);
        psc_arena_fini(&arena);
        fclose(to);
        shown++;
    }
    psy__kernel_irs_free(irs, count);
}

static psy_status prepare(void)
{
    static char said[1 << 16];
    if (made_run("command -v glslangValidator", said, sizeof said) != 0) {
        return psy_fail(PSY_UNSUPPORTED, "there is no glslangValidator");
    }
    const char *command =
        "ls | grep comp$ | xargs -P 2 -I NAME glslangValidator --quiet -V --target-env vulkan1.1 NAME -o NAME.spv";
    return !shown || made_run(command, said, sizeof said) == 0 ? PSY_OK : psy_fail(PSY_INVALID, "%.900s", said);
}

static void forget(void)
{
    shown = 0;
    made_clear();
}

/* ---- an engine around the other one ---- */

/* The module with kernels of `program` that glslang made. */
static psy__module *with_kernels(const psy__module *m, uint32_t program)
{
    psy__module *made = malloc(sizeof *made);
    psy__kernel_ir *irs;
    uint32_t count;
    cr_assert_eq(psy__kernel_irs_make(m, program, PSY_KERNEL_FOR_DEVICE, &irs, &count), PSY_OK, "%s", psy_detail());
    psy_psm_kernel *records = calloc(count + 1u, sizeof *records);
    uint8_t *code = NULL;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        char name[64], file[80];
        name_of(m, program, i, name);
        snprintf(file, sizeof file, "%s.spv", name);
        FILE *from = made_open(file, "r");
        cr_assert(from, "glslang made no %s", file);
        fseek(from, 0, SEEK_END);
        uint64_t n = (uint64_t)ftell(from);
        rewind(from);
        code = realloc(code, bytes + n);
        cr_assert(code && fread(code + bytes, 1, n, from) == n, "%s cannot be read", file);
        fclose(from);
        const char *wrong = kernels_validate((const uint32_t *)(const void *)(code + bytes), n / 4);
        cr_assert(!wrong, "%s: %s", file, wrong);
        records[i] = (psy_psm_kernel){.target = PSY_TARGET_SPIRV,
                                      .program = program,
                                      .word = irs[i].word,
                                      .stage = irs[i].stage,
                                      .codegen = PSY_KERNEL_VERSION,
                                      .offset = bytes,
                                      .bytes = n};
        bytes += n;
    }
    psy__kernel_irs_free(irs, count);
    *made = *m;
    made->kernels = records;
    made->kernel_count = count;
    made->kernel_code = code;
    made->kernel_code_bytes = bytes;
    return made;
}

static psy_status open_engine(const psy__engine_options *options, psy__engine **out);

static void close_engine(psy__engine *engine)
{
    glsl_engine *e = (glsl_engine *)engine;
    psy__engine_close(e->inner);
    for (uint32_t i = 0; i < e->module_count; i++) {
        free((void *)(uintptr_t)e->modules[i]->kernels);
        free((void *)(uintptr_t)e->modules[i]->kernel_code);
        free(e->modules[i]);
    }
    free(e);
}

static const char *describe(psy__engine *engine) { return inner_of(engine)->interface->describe(inner_of(engine)); }
static psy_status attach(psy__engine *engine, void *base, uint64_t bytes)
{
    return inner_of(engine)->interface->attach(inner_of(engine), base, bytes);
}
static void detach(psy__engine *engine, void *base) { inner_of(engine)->interface->detach(inner_of(engine), base); }
static psy_status supports(psy__engine *engine, const psy__module *module, uint32_t program)
{
    return inner_of(engine)->interface->supports(inner_of(engine), module, program);
}
static uint64_t copied_bytes(psy__engine *engine) { return inner_of(engine)->interface->copied_bytes(inner_of(engine)); }

static psy_status bind(psy__engine *engine, const psy__binding *binding, psy__executable **out)
{
    glsl_engine *e = (glsl_engine *)engine;
    psy__binding with = *binding;
    cr_assert(e->module_count < MODULES_MAX);
    with.module = e->modules[e->module_count++] = with_kernels(binding->module, binding->program);
    return e->inner->interface->bind(e->inner, &with, out);
}

static psy_status run(psy__executable *executable, const psy__batch *batch)
{
    return executable->engine->interface->run(executable, batch);
}

static void unbind(psy__executable *executable) { executable->engine->interface->unbind(executable); }

static const psy__engine_interface interface = {.name = "glsl",
                                                .open = open_engine,
                                                .close = close_engine,
                                                .describe = describe,
                                                .attach = attach,
                                                .detach = detach,
                                                .supports = supports,
                                                .bind = bind,
                                                .run = run,
                                                .unbind = unbind,
                                                .copied_bytes = copied_bytes};

static psy_status open_engine(const psy__engine_options *options, psy__engine **out)
{
    glsl_engine *e = calloc(1, sizeof *e);
    cr_assert(e);
    psy_status status = psy__engine_open("vulkan", options, &e->inner);
    if (status != PSY_OK) {
        free(e);
        return status;
    }
    e->base.interface = &interface;
    *out = &e->base;
    return PSY_OK;
}

const suite_family suite_family_glsl = {
    .name = "glsl", .open = open_engine, .show = show, .prepare = prepare, .forget = forget, .like_cpu = false};
