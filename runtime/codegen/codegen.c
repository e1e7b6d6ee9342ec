/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a program and makes the kernels of what needs one. */
#include "codegen/codegen.h"

#include <spirv/unified1/spirv.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/maker.h"
#include "isa/verify.h"

typedef struct generator {
    const psy__module *m;
    const psy_psm_program *p;
    psy__place *places;
    uint32_t *sources, *values;
    psy__kernel *kernels;
    uint32_t count, room;
    psy_status status;
} generator;

/* Where every register lies. */
static psy_status place_registers(generator *g, uint32_t program)
{
    const psy__module *m = g->m;
    bool *batched = calloc(g->p->register_count + 1u, sizeof *batched);
    if (!batched) {
        return psy_fail(PSY_NO_MEMORY, "no memory to make kernels");
    }
    (void)program;
    psy__program_batched(m, g->p, batched);
    psy__instruction at;
    psy_status status = PSY_OK;
    for (uint32_t word = 0; word < g->p->word_count; word = at.next) {
        psy__instruction_at(m, g->p, word, &at);
        for (uint32_t i = 0; i < at.dst_count; i++) {
            uint32_t r = at.dst + i;
            uint16_t slot = m->registers[g->p->first_register + r].slot;
            g->places[r] = slot == PSY_NO_SLOT ? PSY_PLACED_NOWHERE : batched[r] ? PSY_PLACED_ARENA : PSY_PLACED_UNIFORM;
            g->sources[r] = slot;
            if (at.op == PSY_OP_LOAD || at.op == PSY_OP_COUNT || at.op == PSY_OP_LENGTHS) {
                g->places[r] = PSY_PLACED_INPUT;
                g->sources[r] = psy__view_offset(&m->fields[m->types[g->p->input_type].first_field + at.operands[0]], at.op);
            } else if (at.op == PSY_OP_RESIDENT || at.op == PSY_OP_CONST) {
                g->places[r] = at.op == PSY_OP_RESIDENT ? PSY_PLACED_RESIDENT : PSY_PLACED_CONST;
                g->sources[r] = at.operands[0];
            } else if (at.info->class_ == PSY_CLASS_SHAPE) {
                g->places[r] = PSY_PLACED_VIEW;
                g->sources[r] = word;
            } else if (at.op == PSY_OP_PARTIAL || at.op == PSY_OP_LOOKUP) {
                status = psy_fail(PSY_UNSUPPORTED, "program %s has no kernels: %s", psy__module_string(m, g->p->name),
                                  at.info->name);
            }
        }
    }
    free(batched);
    return status;
}

enum { FILE_NAME_MAX = 4096 }; /* longer ones would not fit an instruction */

/* The source line of an instruction, or of a region or the first in it that has one, for debuggers of the driver. */
static void put_line(psy__maker *k, uint32_t program, uint32_t word, uint32_t end)
{
    for (uint32_t i = 0; i < k->m->line_count; i++) {
        const psy_psm_line *l = &k->m->lines[i];
        const char *name = psy__module_string(k->m, l->file);
        if (l->program == program && l->word >= word && l->word < end && strlen(name) <= FILE_NAME_MAX) {
            uint32_t file = psy__spirv_id(&k->s);
            psy__spirv_put_name(&k->s, PSY_SPIRV_STRINGS, SpvOpString, PSY_SPIRV_LIST(file), name);
            psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpLine, file, l->line, l->column);
            return;
        }
    }
}

typedef struct job {
    const psy__instruction *nodes;
    psy__space space;
    uint32_t word, stage; /* words word .. space.next - 1 of the program */
} job;

static void make(generator *g, uint32_t program, const job *j)
{
    if (g->status != PSY_OK) {
        return;
    }
    psy__maker k = {.m = g->m,
                    .p = g->p,
                    .registers = g->m->registers + g->p->first_register,
                    .places = g->places,
                    .sources = g->sources,
                    .values = g->values};
    memset(g->values, 0, g->p->register_count * sizeof *g->values);
    psy__spirv_init(&k.s);
    psy__maker_begin(&k);
    put_line(&k, program, j->word, j->space.next);
    psy_op op = j->nodes[0].op;
    if (op == PSY_OP_TOPK) {
        psy__make_topk(&k, j->nodes, j->stage);
    } else if (j->nodes[0].info->class_ == PSY_CLASS_STORE) {
        psy__make_store(&k, j->nodes);
    } else if (j->nodes[0].info->class_ == PSY_CLASS_SORT) {
        psy__maker_refuse(&k, "sort");
    } else if (!psy__class_is_map(j->nodes[0].info->class_) && !psy__class_is_reduction(j->nodes[0].info->class_)) {
        psy__make_move(&k, j->nodes, j->space.dims, j->space.rank, j->space.axis);
    } else if (j->space.axis == PSY_NONE) {
        psy__make_map(&k, j->nodes, j->space.node_count, j->space.dims, j->space.rank);
    } else {
        psy__make_reduce(&k, j->nodes, j->space.node_count, j->space.dims, j->space.rank, j->space.axis);
    }
    g->status = k.status;
    uint32_t count = 0, *words = g->status == PSY_OK ? psy__maker_end(&k, &count) : NULL;
    psy__spirv_fini(&k.s);
    if (g->status == PSY_OK && g->count == g->room) {
        psy__kernel *bigger = realloc(g->kernels, (g->room * 2 + 8) * sizeof *bigger);
        g->room = bigger ? g->room * 2 + 8 : g->room;
        g->kernels = bigger ? bigger : g->kernels;
    }
    if (g->status == PSY_OK && (!words || g->count == g->room)) {
        free(words);
        g->status = psy_fail(PSY_NO_MEMORY, "no memory to make kernels");
    } else if (g->status == PSY_OK) {
        g->kernels[g->count++] = (psy__kernel){j->word, j->stage, words, count};
    }
}

void psy__space_of(const psy__module *m, const psy_psm_program *p, const psy__instruction *at, psy__space *out)
{
    const psy_psm_register *registers = m->registers + p->first_register, *from = NULL;
    *out = (psy__space){.stages = 1, .axis = PSY_NONE, .node_count = 1, .next = at->next};
    switch (at->info->class_) {
    case PSY_CLASS_VIEW:
    case PSY_CLASS_SHAPE:
    case PSY_CLASS_SIZE: /* the engine writes sizes itself */
    case PSY_CLASS_LOOKUP: out->stages = 0; return;
    case PSY_CLASS_REGION: {
        out->node_count = at->operands[0];
        out->rank = at->operand_count - 2;
        out->axis = at->operands[1] ? out->rank - 1 : PSY_NONE;
        memcpy(out->dims, at->operands + 2, out->rank * sizeof *out->dims);
        psy__instruction node;
        for (uint32_t i = 0; i < out->node_count; i++) {
            psy__instruction_at(m, p, out->next, &node);
            out->next = node.next;
        }
        return;
    }
    case PSY_CLASS_SELECT:
        out->stages = PSY_STAGE_FINISH + 1;
        from = &registers[at->operands[0]];
        break;
    case PSY_CLASS_STORE: from = &registers[at->operands[0]]; break;
    case PSY_CLASS_SCAN:
    case PSY_CLASS_REDUCE1:
        from = &registers[at->operands[0]];
        out->axis = at->operands[1];
        break;
    default: from = &registers[at->dst];
    }
    out->rank = from->rank;
    memcpy(out->dims, from->dims, sizeof out->dims);
    if (at->info->class_ == PSY_CLASS_REDUCE2) {
        const psy_psm_register *a = &registers[at->operands[0]], *b = &registers[at->operands[1]];
        psy_dim x = a->rank ? a->dims[a->rank - 1] : 1, y = b->rank ? b->dims[b->rank - 1] : 1;
        out->axis = out->rank++;
        out->dims[out->axis] = x == 1 ? y : x;
    }
}

static void make_all(generator *g, uint32_t program)
{
    psy__instruction *nodes = calloc(g->p->word_count / 2 + 1u, sizeof *nodes), at;
    if (!nodes) {
        g->status = psy_fail(PSY_NO_MEMORY, "no memory to make kernels");
        return;
    }
    for (uint32_t word = 0; word < g->p->word_count && g->status == PSY_OK;) {
        psy__instruction_at(g->m, g->p, word, &at);
        job j = {.nodes = nodes, .word = word};
        psy__space_of(g->m, g->p, &at, &j.space);
        nodes[0] = at;
        if (at.info->class_ == PSY_CLASS_REGION) {
            for (uint32_t i = 0, next = at.next; i < j.space.node_count; i++) {
                psy__instruction_at(g->m, g->p, next, &nodes[i]);
                next = nodes[i].next;
            }
        }
        for (; j.stage < j.space.stages; j.stage++) {
            make(g, program, &j);
        }
        word = j.space.next;
    }
    free(nodes);
}

psy_status psy__codegen_spirv(const psy__module *module, uint32_t program, psy__kernel **kernels, uint32_t *kernel_count)
{
    generator g = {.m = module, .p = &module->programs[program]};
    size_t n = g.p->register_count + 1u;
    g.places = calloc(n, sizeof *g.places);
    g.sources = calloc(n, sizeof *g.sources);
    g.values = calloc(n, sizeof *g.values);
    g.status =
        g.places && g.sources && g.values ? place_registers(&g, program) : psy_fail(PSY_NO_MEMORY, "no memory to make kernels");
    if (g.status == PSY_OK) {
        make_all(&g, program);
    }
    free(g.places);
    free(g.sources);
    free(g.values);
    if (g.status != PSY_OK) {
        psy__kernels_free(g.kernels, g.count);
        return g.status;
    }
    *kernels = g.kernels;
    *kernel_count = g.count;
    return PSY_OK;
}

void psy__kernels_free(psy__kernel *kernels, uint32_t kernel_count)
{
    for (uint32_t i = 0; i < kernel_count; i++) {
        free(kernels[i].words);
    }
    free(kernels);
}
