/* SPDX-License-Identifier: Apache-2.0 */
/* Programs as C, compiled, behind the interface of engines: so that the conformance suite runs them. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/kernel.h>

#include "tests/codegen/made.h"
#include "tests/engine/suite.h"

enum { RESIDENTS_MAX = 64 };

typedef struct c_engine {
    psy__engine base;
    uint32_t max_batch;
} c_engine;

typedef struct c_executable {
    psy__executable base;
    const psy_kernel_program *program;
    psy_kernel_frame frame;
    psy_kernel_resident residents[RESIDENTS_MAX];
    uint64_t *bases;
    uint64_t partial_stride;
    uint8_t *inputs[SUITE_MESSAGES], *partials[SUITE_MESSAGES], *outputs[SUITE_MESSAGES];
} c_executable;

static psy_status open_engine(const psy__engine_options *options, psy__engine **out);
static void close_engine(psy__engine *engine) { free(engine); }
static const char *describe(psy__engine *engine)
{
    (void)engine;
    return "C that psynec wrote";
}
static psy_status attach(psy__engine *engine, void *base, uint64_t bytes)
{
    (void)engine;
    (void)base;
    (void)bytes;
    return PSY_OK;
}
static void detach(psy__engine *engine, void *base)
{
    (void)engine;
    (void)base;
}
static psy_status supports(psy__engine *engine, const psy__module *module, uint32_t program)
{
    (void)engine;
    (void)module;
    (void)program;
    return PSY_OK; /* everything */
}
static uint64_t copied_bytes(psy__engine *engine)
{
    (void)engine;
    return 0;
}

static void unbind(psy__executable *executable)
{
    c_executable *x = (c_executable *)executable;
    if (x) {
        psy_kernel_close(&x->frame);
        free(x->bases);
        free(x);
    }
}

static psy_status bind(psy__engine *engine, const psy__binding *b, psy__executable **out)
{
    c_executable *x = calloc(1, sizeof *x);
    const psy__module *m = b->module;
    cr_assert(x && m->resident_count <= RESIDENTS_MAX);
    x->base.engine = engine;
    x->program = made_c_find(m, b->program);
    x->partial_stride = b->partial_stride;
    x->bases = calloc(m->symbol_count + 1u, sizeof *x->bases);
    cr_assert(x->program, "%s is not among the programs that were compiled: %s",
              psy__module_string(m, m->programs[b->program].name), dlerror());
    memcpy(x->bases, b->bases, m->symbol_count * sizeof *x->bases);
    for (uint32_t i = 0; i < m->resident_count && b->residents; i++) {
        const psy__resident_data *d = &b->residents[i];
        x->residents[i] = (psy_kernel_resident){d->data, d->rows, d->row_bytes, d->keys, psy_kernel_find};
    }
    int status = psy_kernel_open(x->program, b->symbols, x->bases, x->residents, &x->frame);
    if (status != PSY_OK) {
        unbind(&x->base);
        return psy_fail((psy_status)status, "binding the C of a program");
    }
    *out = &x->base;
    return PSY_OK;
}

static psy_status run(psy__executable *executable, const psy__batch *batch)
{
    c_executable *x = (c_executable *)executable;
    cr_assert(psy__spans_take(batch->inputs, batch->input_spans, batch->count, x->inputs));
    cr_assert(psy__spans_take(batch->outputs, batch->output_spans, batch->count, x->outputs));
    bool partials = x->program->partial_bytes > 0;
    cr_assert(!partials || psy__spans_take(batch->partials, batch->partial_spans, batch->count, x->partials));
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->status[i] = (uint8_t)psy_kernel_run(x->program, &x->frame, x->inputs[i], partials ? x->partials[i] : NULL,
                                                   x->partial_stride, x->outputs[i]);
    }
    return PSY_OK;
}

static const psy__engine_interface interface = {.name = "c",
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
    c_engine *e = calloc(1, sizeof *e);
    cr_assert(e);
    e->base.interface = &interface;
    e->max_batch = options->max_batch;
    *out = &e->base;
    return PSY_OK;
}

static void show(const psy__module *module, uint32_t program)
{
    (void)program; /* all of a module's programs become one file */
    if (!made_before(module, 0)) {
        cr_assert_eq(made_c_add(module), PSY_OK, "%s", psy_detail());
    }
}

const suite_family suite_family_c = {
    .name = "c", .open = open_engine, .show = show, .prepare = made_c_compile, .forget = made_clear, .like_cpu = true};
