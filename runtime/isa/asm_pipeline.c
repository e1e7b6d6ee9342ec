/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines and their alternatives in assembly. */
#include "isa/asm_state.h"

/* for embedding f32[D], mask bool[D] */
static void parse_guards(psy__asm *a, psy_psm_pipeline *p)
{
    p->first_guard = (uint32_t)a->guards.count;
    if (!psy__asm_accept_word(a, "for")) {
        return;
    }
    do {
        psy_psm_guard g = {.field = psy__asm_refer(a, PSY_ASM_FIELD, p->input_type, "field")};
        g.dtype = (uint8_t)psy__asm_dtype(a);
        g.rank = psy__asm_dims(a, g.dims);
        psy_psm_guard *to = psy__asm_add(a, &a->guards, sizeof g, 512, "guards");
        if (to) {
            *to = g;
            p->guard_count++;
        }
    } while (psy__asm_accept(a, ','));
}

/* batch 8 prefer cpu */
static void parse_hints(psy__asm *a, psy_psm_pipeline *p)
{
    if (psy__asm_accept_word(a, "batch")) {
        p->max_batch = (uint16_t)psy__asm_integer(a, PSY_BATCH_MAX, "the messages of a run");
    }
    if (psy__asm_accept_word(a, "prefer")) {
        p->engine = psy__asm_accept_word(a, "cpu") ? PSY_PREFER_CPU : psy__asm_accept_word(a, "vulkan") ? PSY_PREFER_VULKAN : 0;
        if (p->engine == PSY_PREFER_NONE) {
            psy__asm_unexpected(a, "cpu or vulkan");
        }
    }
}

/* nearest(nearest.Query) -> nearest.Hits route all nearest.shard partial P merge nearest.merge; */
static void parse_pipeline(psy__asm *a, uint32_t alternatives)
{
    psy_psm_pipeline p = {.name = psy__asm_define(a, PSY_ASM_PIPELINE, 0, a->pipelines.count, "pipeline"),
                          .key_field = PSY_NONE,
                          .merge_program = PSY_NONE,
                          .partial_type = PSY_NONE,
                          .alternatives = alternatives};
    psy__asm_expect(a, '(');
    p.input_type = psy__asm_refer(a, PSY_ASM_TYPE, 0, "type");
    psy__asm_expect(a, ')');
    psy__asm_expect_kind(a, PSY_TOKEN_ARROW, "->");
    p.output_type = psy__asm_refer(a, PSY_ASM_TYPE, 0, "type");
    if (!psy__asm_accept_word(a, "route")) {
        psy__asm_unexpected(a, "route");
    }
    if (psy__asm_accept_word(a, "key")) {
        p.route = PSY_ROUTE_KEY;
        psy__asm_expect(a, '(');
        p.key_field = psy__asm_refer(a, PSY_ASM_FIELD, p.input_type, "field");
        psy__asm_expect(a, ')');
    } else if (psy__asm_accept_word(a, "all")) {
        p.route = PSY_ROUTE_ALL;
    } else if (!psy__asm_accept_word(a, "any")) {
        psy__asm_unexpected(a, "any, key or all");
    }
    p.shard_program = psy__asm_refer(a, PSY_ASM_PROGRAM, 0, "program");
    if (p.route == PSY_ROUTE_ALL) {
        if (!psy__asm_accept_word(a, "partial")) {
            psy__asm_unexpected(a, "partial");
        }
        p.partial_type = psy__asm_refer(a, PSY_ASM_TYPE, 0, "type");
        if (!psy__asm_accept_word(a, "merge")) {
            psy__asm_unexpected(a, "merge");
        }
        p.merge_program = psy__asm_refer(a, PSY_ASM_PROGRAM, 0, "program");
    }
    parse_hints(a, &p);
    parse_guards(a, &p);
    psy__asm_expect(a, ';');
    psy_psm_pipeline *to = psy__asm_add(a, &a->pipelines, sizeof p, 64, "pipelines");
    if (to) {
        *to = p;
    }
}

void psy__asm_pipeline(psy__asm *a) { parse_pipeline(a, 1); }

void psy__asm_alternative(psy__asm *a)
{
    psy_psm_pipeline *all = a->pipelines.at; /* NULL: there are none yet */
    size_t n = a->pipelines.count;
    while (n > 0 && all[n - 1].alternatives == 0) {
        n--;
    }
    if (n == 0) {
        psy__asm_fail(a, &a->token, "there is no pipeline that this is an alternative of");
        return;
    }
    all[n - 1].alternatives++;
    parse_pipeline(a, 0);
}
