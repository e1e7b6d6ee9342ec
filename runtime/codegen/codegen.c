/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a program and makes the kernels of what needs one. */
#include "codegen/codegen.h"

#include <stdlib.h>
#include <string.h>

#include "codegen/maker.h"
#include "codegen/spirv.h"
#include "isa/verify.h"

typedef struct generator {
    const psy__module *m;
    const psy_psm_program *p;
    uint32_t program;
    psy__kernel_for target;
    psy__kplace *places;
    bool *batched;
    uint32_t *values;
    psy__instruction *nodes;
    psy__kernel_ir *kernels;
    uint32_t count, room;
    psy_status status;
} generator;

static psy_status no_memory(void) { return psy_fail(PSY_NO_MEMORY, "no memory to make kernels"); }

/* Where every register lies. */
static void place_registers(generator *g)
{
    const psy__module *m = g->m;
    psy__program_batched(m, g->p, g->batched);
    psy__instruction at;
    for (uint32_t word = 0; word < g->p->word_count; word = at.next) {
        psy__instruction_at(m, g->p, word, &at);
        for (uint32_t i = 0; i < at.dst_count; i++) {
            uint32_t r = at.dst + i;
            const psy_psm_register *reg = &m->registers[g->p->first_register + r];
            psy__kplace *to = &g->places[r];
            *to = (psy__kplace){.dtype = reg->dtype, .reg = (uint16_t)r, .source = reg->slot};
            to->kind = reg->slot == PSY_NO_SLOT ? PSY_PLACED_NOWHERE : g->batched[r] ? PSY_PLACED_ARENA : PSY_PLACED_UNIFORM;
            switch (at.op) {
            case PSY_OP_LOAD:
            case PSY_OP_COUNT:
            case PSY_OP_LENGTHS:
                *to = (psy__kplace){PSY_PLACED_INPUT, reg->dtype, (uint16_t)r,
                                    m->types[g->p->input_type].first_field + at.operands[0], 0};
                to->at = psy__view_offset(&m->fields[to->source], at.op);
                break;
            case PSY_OP_PARTIAL:
                *to = (psy__kplace){PSY_PLACED_PARTIAL, reg->dtype, (uint16_t)r,
                                    m->types[g->p->partial_type].first_field + at.operands[0], 0};
                break;
            case PSY_OP_RESIDENT: *to = (psy__kplace){PSY_PLACED_RESIDENT, reg->dtype, (uint16_t)r, at.operands[0], 0}; break;
            case PSY_OP_LOOKUP: *to = (psy__kplace){PSY_PLACED_ROW, reg->dtype, (uint16_t)r, at.operands[0], 0}; break;
            case PSY_OP_CONST: *to = (psy__kplace){PSY_PLACED_CONST, reg->dtype, (uint16_t)r, at.operands[0], 0}; break;
            default:
                if (at.info->class_ == PSY_CLASS_SHAPE) {
                    *to = (psy__kplace){PSY_PLACED_VIEW, reg->dtype, (uint16_t)r, word, 0};
                }
            }
            bool elsewhere = to->kind == PSY_PLACED_PARTIAL || to->kind == PSY_PLACED_ROW;
            if (elsewhere && g->target == PSY_KERNEL_FOR_DEVICE && g->status == PSY_OK) {
                g->status = psy_fail(PSY_UNSUPPORTED, "program %s has no kernels: %s", psy__module_string(m, g->p->name),
                                     at.info->name);
            }
        }
    }
}

/* The source of an instruction, or of a region or the first in it that has one. */
static const psy_psm_line *line_of(const psy__module *m, uint32_t program, uint32_t word, uint32_t end)
{
    for (uint32_t i = 0; i < m->line_count; i++) {
        const psy_psm_line *l = &m->lines[i];
        if (l->program == program && l->word >= word && l->word < end) {
            return l;
        }
    }
    return NULL;
}

/* ---- one kernel ---- */

static void make_body(psy__maker *k, const psy__instruction *nodes, const psy__space *space, unsigned stage)
{
    psy_op_class class_ = nodes[0].info->class_;
    if (class_ == PSY_CLASS_SORT && k->target == PSY_KERNEL_FOR_DEVICE) {
        psy__maker_refuse(k, "sort");
    } else if (class_ == PSY_CLASS_SORT || (class_ == PSY_CLASS_SELECT && k->target == PSY_KERNEL_FOR_C)) {
        psy__make_rank(k, nodes);
    } else if (class_ == PSY_CLASS_SELECT) {
        psy__make_select(k, nodes, stage);
    } else if (class_ == PSY_CLASS_STORE) {
        psy__make_store(k, nodes);
    } else if (!psy__class_is_map(class_) && !psy__class_is_reduction(class_)) {
        psy__make_move(k, nodes);
    } else if (space->axis == PSY_NONE) {
        psy__make_map(k, nodes, space->node_count);
    } else {
        psy__make_reduce(k, nodes, space->node_count);
    }
}

static void make(generator *g, uint32_t word, const psy__space *space, unsigned stage)
{
    psy__kernel_ir ir = {.module = g->m,
                         .program = g->program,
                         .word = word,
                         .next = space->next,
                         .stage = stage,
                         .rank = space->rank,
                         .axis = space->axis,
                         .line = line_of(g->m, g->program, word, space->next)};
    const psy__instruction *last = &g->nodes[space->node_count - 1];
    memcpy(ir.dims, space->dims, sizeof ir.dims);
    ir.uniform = last->dst_count && !g->batched[last->dst];
    if (stage == PSY_STAGE_FINISH) {
        ir.rank = 1;
        ir.dims[0] = g->nodes[0].operands[2];
    }
    psy__maker k = {.k = &ir,
                    .m = g->m,
                    .p = g->p,
                    .registers = g->m->registers + g->p->first_register,
                    .places = g->places,
                    .values = g->values,
                    .target = g->target};
    memset(g->values, 0, g->p->register_count * sizeof *g->values);
    make_body(&k, g->nodes, space, stage);
    psy__kernel_sweep(&ir);
    g->status = ir.failed ? no_memory() : k.status;
    g->status = g->status == PSY_OK ? psy__kernel_check(&ir) : g->status;
    if (g->status == PSY_OK && g->count == g->room) {
        psy__kernel_ir *bigger = realloc(g->kernels, (g->room * 2 + 8) * sizeof *bigger);
        g->room = bigger ? g->room * 2 + 8 : g->room;
        g->kernels = bigger ? bigger : g->kernels;
        g->status = bigger ? PSY_OK : no_memory();
    }
    if (g->status != PSY_OK) {
        psy__kernel_ir_fini(&ir);
        return;
    }
    g->kernels[g->count++] = ir;
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

static void make_all(generator *g)
{
    psy__instruction at;
    for (uint32_t word = 0; word < g->p->word_count && g->status == PSY_OK;) {
        psy__space space;
        psy__instruction_at(g->m, g->p, word, &at);
        psy__space_of(g->m, g->p, &at, &space);
        psy_op_class class_ = at.info->class_;
        if (g->target == PSY_KERNEL_FOR_C) {
            bool one = space.stages || class_ == PSY_CLASS_SIZE || class_ == PSY_CLASS_LOOKUP;
            space.stages = one ? 1 : 0;
        }
        if (class_ == PSY_CLASS_SORT) {
            const psy_psm_register *x = &g->m->registers[g->p->first_register + at.operands[0]];
            space.axis = x->rank - 1u;
            memcpy(space.dims, x->dims, sizeof space.dims);
        }
        g->nodes[0] = at;
        if (class_ == PSY_CLASS_REGION) {
            for (uint32_t i = 0, next = at.next; i < space.node_count; i++) {
                psy__instruction_at(g->m, g->p, next, &g->nodes[i]);
                next = g->nodes[i].next;
            }
        }
        for (unsigned stage = 0; stage < space.stages && g->status == PSY_OK; stage++) {
            make(g, word, &space, stage);
        }
        word = space.next;
    }
}

psy_status psy__kernel_irs_make(const psy__module *module, uint32_t program, psy__kernel_for target, psy__kernel_ir **kernels,
                                uint32_t *kernel_count)
{
    generator g = {.m = module, .p = &module->programs[program], .program = program, .target = target};
    size_t n = g.p->register_count + 1u;
    g.places = calloc(n, sizeof *g.places);
    g.batched = calloc(n, sizeof *g.batched);
    g.values = calloc(n, sizeof *g.values);
    g.nodes = calloc(g.p->word_count / 2 + 1u, sizeof *g.nodes);
    g.status = g.places && g.batched && g.values && g.nodes ? PSY_OK : no_memory();
    if (g.status == PSY_OK) {
        place_registers(&g);
    }
    if (g.status == PSY_OK) {
        make_all(&g);
    }
    free(g.places);
    free(g.batched);
    free(g.values);
    free(g.nodes);
    if (g.status != PSY_OK) {
        psy__kernel_irs_free(g.kernels, g.count);
        return g.status;
    }
    *kernels = g.kernels;
    *kernel_count = g.count;
    return PSY_OK;
}

void psy__kernel_irs_free(psy__kernel_ir *kernels, uint32_t kernel_count)
{
    for (uint32_t i = 0; i < kernel_count; i++) {
        psy__kernel_ir_fini(&kernels[i]);
    }
    free(kernels);
}

psy_status psy__codegen_spirv(const psy__module *module, uint32_t program, psy__kernel **kernels, uint32_t *kernel_count)
{
    psy__kernel_ir *irs;
    uint32_t count;
    psy_status status = psy__kernel_irs_make(module, program, PSY_KERNEL_FOR_DEVICE, &irs, &count);
    if (status != PSY_OK) {
        return status;
    }
    psy__kernel *made = calloc(count + 1u, sizeof *made);
    status = made ? PSY_OK : no_memory();
    for (uint32_t i = 0; i < count && status == PSY_OK; i++) {
        made[i] = (psy__kernel){.word = irs[i].word, .stage = irs[i].stage};
        status = psy__spirv_print(&irs[i], &made[i].words, &made[i].word_count);
    }
    psy__kernel_irs_free(irs, count);
    if (status != PSY_OK) {
        psy__kernels_free(made, made ? count : 0);
        return status;
    }
    *kernels = made;
    *kernel_count = count;
    return PSY_OK;
}

void psy__kernels_free(psy__kernel *kernels, uint32_t kernel_count)
{
    for (uint32_t i = 0; i < kernel_count; i++) {
        free(kernels[i].words);
    }
    free(kernels);
}
