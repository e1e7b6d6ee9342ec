/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of a thousand lines and more: optimised, they give what they give as they are written. */
#define _GNU_SOURCE
#include "tests/compiler/compile.h"
#include "tests/compiler/large_hrm.h"

enum { LINES = 1500 };

static char *text_of(large_shape shape)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    cr_assert_not_null(to);
    large_write(shape, LINES, to);
    fclose(to);
    return text;
}

static float run(const compiled *c, const char *pipeline)
{
    served s = {.shards = 1, .messages = 1};
    float y;
    serve_begin(c, pipeline, &s);
    for (unsigned i = 0; i < 64; i++) {
        float v = 0.25f + (float)i / 64;
        memcpy((uint8_t *)serve_input(c, pipeline, &s, 0, "v") + i * sizeof v, &v, sizeof v);
    }
    memcpy(serve_input(c, pipeline, &s, 0, "a"), &(float){0.125f}, sizeof(float));
    memcpy(serve_input(c, pipeline, &s, 0, "b"), &(float){-0.5f}, sizeof(float));
    serve(c, pipeline, &s);
    cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
    cr_assert_eq(s.status[0], PSY_OK);
    memcpy(&y, serve_output(c, pipeline, &s, 0, "y"), sizeof y);
    serve_end(&s);
    return y;
}

Test(large, as_written_and_optimised)
{
    for (large_shape shape = 0; shape < LARGE_SHAPES; shape++) {
        char *text = text_of(shape);
        compiled *written = compile(LARGE_SCHEMA, text, false), *optimised = compile(LARGE_SCHEMA, text, true);
        cr_assert(written->ok && optimised->ok, "%s: %.200s", large_name(shape), optimised->said);
        /* 48 operations a kernel at most, and every line is at least one. */
        uint32_t regions = 0;
        for (size_t i = 0; i < optimised->unit->pipelines.count; i++) {
            regions += (uint32_t)optimised->unit->pipelines.at[i]->shard->regions.count;
        }
        cr_assert_geq(regions, LINES / 48, "%s", large_name(shape));
        for (uint32_t i = 0; i < written->module.pipeline_count; i++) {
            const char *name = psy__module_string(&written->module, written->module.pipelines[i].name);
            float a = run(written, name), b = run(optimised, name);
            cr_assert(a == b && a != 0, "%s, pipeline %s: %.9g as written, %.9g optimised", large_name(shape), name, (double)a,
                      (double)b);
        }
        compile_end(written);
        compile_end(optimised);
        free(text);
    }
}

/* Everything in one chain of kernels: the order of the groups has to be kept with each of hundreds of merges. */
Test(large, chain_is_fused)
{
    char *text = text_of(LARGE_CHAIN);
    compiled *c = compile(LARGE_SCHEMA, text, true);
    cr_assert(c->ok, "%s", c->said);
    const psc_program *p = c->unit->pipelines.at[0]->shard;
    size_t in_regions = 0, operations = 0;
    for (size_t i = 0; i < p->values.count; i++) {
        bool fusable = psc_ir_is_elementwise(p->values.at[i]) || psc_ir_is_reduction(p->values.at[i]);
        operations += fusable;
        in_regions += fusable && p->values.at[i]->group;
    }
    cr_assert_geq(operations, 2 * (LINES - 1));
    cr_assert_geq(in_regions, operations - 8);
    cr_assert_leq(p->regions.count, operations / 24);
    compile_end(c);
    free(text);
}
