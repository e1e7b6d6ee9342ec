/* SPDX-License-Identifier: Apache-2.0 */
/* From a bound program to steps and the memory they need: runs allocate nothing. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/cpu/cpu.h"

static const uint64_t arena_bytes_default = UINT64_C(1) << 30;

/* ---- memory ---- */

/* Zeroed, in huge pages where there is much of it. */
static void *get_memory(uint64_t bytes)
{
    const uint64_t huge = UINT64_C(2) << 20;
    uint64_t align = bytes >= huge ? huge : 64;
    void *p = aligned_alloc(align, (bytes + align - 1) / align * align + (bytes ? 0 : align));
    if (p) {
        if (align == huge) {
            madvise(p, bytes, MADV_HUGEPAGE);
        }
        memset(p, 0, bytes);
    }
    return p;
}

/* ---- regions ---- */

/* How the register lies over a space of `rank` dims: its own dims are the last ones. */
static void place(const psy__bound_register *r, uint32_t reg, uint32_t rank, psy__operand *out)
{
    bool slot = r->home == PSY_HOME_SLOT || r->home == PSY_HOME_REGION;
    *out = (psy__operand){.reg = reg,
                          .inside = r->home == PSY_HOME_REGION,
                          .raw = r->dtype == PSY_BOOL && !slot,
                          .bytes = (uint8_t)psy__dtype_bytes(r->dtype)};
    for (uint32_t d = 0; d < r->rank; d++) {
        out->strides[rank - r->rank + d] = r->strides[d];
    }
}

/* Row-major strides of slots are those of the bound register; PARTIAL's first one is the caller's. */
static void fix_partial_strides(psy__cpu_executable *x)
{
    for (uint32_t i = 0; i < x->bound.program->register_count; i++) {
        psy__bound_register *r = &x->bound.registers[i];
        if (r->home == PSY_HOME_PARTIAL && r->root == i && r->dims[0] != 1) {
            r->strides[0] = (int64_t)x->partial_stride;
        }
    }
    psy__bound_views(&x->bound);
}

/* Whether the elements lie one after the other. */
static bool is_contiguous(const psy__bound_register *r)
{
    int64_t bytes = psy__dtype_bytes(r->dtype);
    for (uint32_t d = r->rank; d-- > 0;) {
        if (r->dims[d] != 1 && r->strides[d] != bytes) {
            return false;
        }
        bytes *= (int64_t)r->dims[d];
    }
    return true;
}

/* A space whose operands all run through it without gaps, or not at all, is one dim. */
static void collapse(const psy__cpu_executable *x, psy__region *r)
{
    if (r->reduces || r->rank < 2) {
        return;
    }
    uint64_t total = 1;
    for (uint32_t d = 0; d < r->rank; d++) {
        total *= r->dims[d];
    }
    for (uint32_t n = 0; n < r->node_count; n++) {
        for (unsigned k = 0; k < r->nodes[n].operand_count; k++) {
            const psy__operand *o = &r->nodes[n].operands[k];
            const psy__bound_register *b = &x->bound.registers[o->reg];
            if (!o->inside && b->count != 1 && (b->count != total || !is_contiguous(b))) {
                return;
            }
        }
    }
    for (uint32_t n = 0; n < r->node_count; n++) {
        psy__node *node = &r->nodes[n];
        for (unsigned k = 0; k <= node->operand_count; k++) {
            psy__operand *o = k < node->operand_count ? &node->operands[k] : &node->result;
            const psy__bound_register *b = &x->bound.registers[o->reg];
            memset(o->strides, 0, sizeof o->strides);
            o->strides[0] = b->count == 1 && total != 1 ? 0 : psy__dtype_bytes(b->dtype);
        }
    }
    r->rank = 1;
    r->dims[0] = total;
}

/* DOT of [rows, depth] that is there before any message and [depth] of each message. */
static void find_batched_dot(const psy__cpu_executable *x, psy__region *r)
{
    const psy__node *dot = &r->nodes[0];
    if (!r->reduces || r->rank != 2 || r->dims[1] == 0 || dot->info->op != PSY_OP_DOT ||
        x->kernels->dot[dot->dtype].lanes == 0 || (r->node_count > 1 && r->nodes[1].first)) {
        return;
    }
    for (unsigned k = 0; k < 2; k++) {
        const psy__bound_register *m = &x->bound.registers[dot->operands[k].reg],
                                  *v = &x->bound.registers[dot->operands[1 - k].reg];
        bool matrix = m->rank == 2 && !m->batched && m->dims[0] == r->dims[0] && m->dims[1] == r->dims[1] && is_contiguous(m);
        if (matrix && v->batched && v->rank == 1 && is_contiguous(v) && v->dims[0] == r->dims[1]) {
            r->batched_dot = true;
            r->matrix = k;
        }
    }
}

/* DOT of [depth] that is there before any message and [depth] of each message; then operations on what is one number for each
 * message, or the same number for all. */
static void find_message_dot(const psy__cpu_executable *x, psy__region *r)
{
    const psy__node *dot = &r->nodes[0];
    if (!r->reduces || r->rank != 1 || r->dims[0] == 0 || dot->info->op != PSY_OP_DOT ||
        x->kernels->dot[dot->dtype].lanes == 0) {
        return;
    }
    for (uint32_t i = 1; i < r->node_count; i++) {
        const psy__node *n = &r->nodes[i];
        if (n->first || n->info->class_ == PSY_CLASS_CAST) {
            return;
        }
        for (unsigned k = 0; k < n->operand_count; k++) {
            if (n->operands[k].raw || (!n->operands[k].made && x->bound.registers[n->operands[k].reg].batched)) {
                return;
            }
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        const psy__bound_register *same = &x->bound.registers[dot->operands[k].reg],
                                  *v = &x->bound.registers[dot->operands[1 - k].reg];
        bool fits = !same->batched && v->batched && same->rank == 1 && v->rank == 1 && same->dims[0] == r->dims[0] &&
                    v->dims[0] == r->dims[0] && is_contiguous(same) && is_contiguous(v) && v->home != PSY_HOME_REGION;
        if (fits) {
            r->message_dot = true;
            r->matrix = k;
            r->buffer_count =
                r->node_count; /* each has one, numbered alike, whether its result goes to memory as well or not */
        }
    }
}

static psy_status add_node(psy__cpu_executable *x, psy__region *r, const psy__instruction *at)
{
    psy__node *n = &r->nodes[r->node_count++];
    const psy__bound_register *dst = &x->bound.registers[at->dst];
    psy_op_class c = at->info->class_;
    n->info = at->info;
    n->dtype = (uint8_t)at->dtype;
    n->element_bytes = (uint8_t)psy__dtype_bytes(dst->dtype);
    n->reduces = psy__class_is_reduction(c);
    n->first = n->reduces || !r->reduces || dst->rank == r->rank;
    n->operand_count = (uint8_t)psy__op_register_count(at->info);
    uint32_t rank = n->first ? r->rank : r->rank - 1;
    n->from = x->bound.registers[at->operands[0]].dtype;
    for (unsigned k = 0; k < n->operand_count; k++) {
        place(&x->bound.registers[at->operands[k]], at->operands[k], rank, &n->operands[k]);
        for (uint32_t i = 0; i + 1 < r->node_count; i++) {
            if (r->nodes[i].result.reg == at->operands[k]) {
                n->operands[k].maker = i;
                n->operands[k].made = true;
                n->operands[k].buffer = r->nodes[i].result.buffer;
            }
        }
    }
    place(dst, at->dst, n->reduces ? r->rank - 1 : rank, &n->result);
    n->result.buffer = r->buffer_count;
    r->buffer_count += n->result.inside;
    return PSY_OK;
}

/* A region of one operation. */
static void single(psy__cpu_executable *x, const psy__instruction *at, psy__region *r)
{
    psy_op_class c = at->info->class_;
    const psy__bound_register *dst = &x->bound.registers[at->dst], *a = &x->bound.registers[at->operands[0]];
    r->reduces = psy__class_is_reduction(c);
    r->rank = dst->rank + (r->reduces ? 1u : 0u);
    memcpy(r->dims, dst->dims, sizeof dst->dims);
    if (r->reduces) {
        uint64_t last = a->rank ? a->dims[a->rank - 1] : 1;
        if (c == PSY_CLASS_REDUCE2 && last == 1) {
            const psy__bound_register *b = &x->bound.registers[at->operands[1]];
            last = b->rank ? b->dims[b->rank - 1] : 1;
        }
        r->dims[r->rank - 1] = last;
    }
}

static psy_status make_region(psy__cpu_executable *x, psy__step *s, psy__instruction *at, uint32_t *word)
{
    psy__region *r = &s->region;
    uint32_t count = at->op == PSY_OP_REGION ? at->operands[0] : 1;
    s->kind = PSY__STEP_REGION;
    r->nodes = calloc(count, sizeof *r->nodes);
    if (!r->nodes) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    if (at->op == PSY_OP_REGION) {
        r->rank = at->operand_count - 2;
        r->reduces = at->operands[1] != 0;
        for (uint32_t d = 0; d < r->rank; d++) {
            r->dims[d] = psy__dim_value(at->operands[2 + d], x->bound.symbols);
        }
        *word = at->next;
        for (uint32_t i = 0; i < count; i++) {
            psy__instruction_at(x->module, x->bound.program, *word, at);
            add_node(x, r, at);
            *word = at->next;
        }
    } else {
        single(x, at, r);
        add_node(x, r, at);
        *word = at->next;
    }
    s->batched = x->bound.registers[at->dst].batched;
    find_batched_dot(x, r);
    find_message_dot(x, r);
    collapse(x, r);
    return PSY_OK;
}

/* ---- steps ---- */

static psy_status make_steps(psy__cpu_executable *x)
{
    const psy_psm_program *p = x->bound.program;
    x->steps = calloc(p->word_count / 2 + 1, sizeof *x->steps);
    if (!x->steps) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count;) {
        psy__instruction_at(x->module, p, word, &at);
        psy__step *s = &x->steps[x->step_count];
        psy_op_class c = at.info->class_;
        bool last_axis = c == PSY_CLASS_REDUCE1 && at.operands[1] + 1u == x->bound.registers[at.operands[0]].rank;
        s->at = at;
        if (c == PSY_CLASS_VIEW || c == PSY_CLASS_SHAPE) {
            word = at.next;
            continue;
        }
        x->step_count++;
        if (c == PSY_CLASS_REGION || psy__class_is_map(c) || c == PSY_CLASS_REDUCE2 || last_axis) {
            psy_status status = make_region(x, s, &at, &word);
            if (status != PSY_OK) {
                return status;
            }
            continue;
        }
        s->kind = c == PSY_CLASS_REDUCE1  ? PSY__STEP_REDUCE
                  : c == PSY_CLASS_SELECT ? PSY__STEP_TOPK
                  : c == PSY_CLASS_STORE  ? PSY__STEP_STORE
                  : c == PSY_CLASS_LOOKUP ? PSY__STEP_LOOKUP
                  : c == PSY_CLASS_SIZE   ? PSY__STEP_SIZE
                                          : PSY__STEP_MOVE;
        s->batched = c == PSY_CLASS_STORE || x->bound.registers[at.dst].batched;
        word = at.next;
    }
    return PSY_OK;
}

/* Bytes of the cascades of a region's reductions. */
static uint64_t levels_of(const psy__region *r)
{
    uint64_t reductions = 0;
    for (uint32_t i = 0; i < r->node_count; i++) {
        reductions += r->nodes[i].reduces;
    }
    return reductions * PSY__LEVELS * sizeof(uint64_t);
}

static psy_status get_all_memory(psy__cpu_executable *x, const psy__limits *limits)
{
    uint64_t stride = x->bound.message_arena_bytes, buffers = 1, packed = 64, picks = 1, row = 64, levels = 0, plans = 1;
    stride += stride && stride % 4096 == 0 ? 64 : 0; /* messages do not meet in the same cache sets */
    uint64_t most = limits->arena_bytes ? limits->arena_bytes : arena_bytes_default,
             fits = stride ? most / stride : x->max_batch;
    x->arena_stride = stride;
    x->chunk = fits >= x->max_batch ? x->max_batch : fits ? (uint32_t)fits : 1;
    for (uint32_t i = 0; i < x->step_count; i++) {
        psy__step *s = &x->steps[i];
        if (s->kind == PSY__STEP_REGION) {
            buffers = s->region.buffer_count > buffers ? s->region.buffer_count : buffers;
            uint64_t need_levels = levels_of(&s->region);
            plans = s->region.node_count > plans ? s->region.node_count : plans;
            levels = need_levels > levels ? need_levels : levels;
            if (s->region.batched_dot) {
                const psy__node *dot = &s->region.nodes[0];
                uint64_t lanes = x->kernels->dot[dot->dtype].lanes, groups = (x->chunk + lanes - 1) / lanes;
                uint64_t need = (groups + 1) / 2 * 2 * lanes * s->region.dims[1] * dot->element_bytes;
                s->region.batched_dot = need <= most; /* vectors that long gain nothing from it */
                packed = s->region.batched_dot && need > packed ? need : packed;
            }
        } else if (s->kind == PSY__STEP_REDUCE) {
            uint64_t need_levels = PSY__LEVELS * PSY__BLOCK_BYTES;
            levels = need_levels > levels ? need_levels : levels;
        } else if (s->kind == PSY__STEP_TOPK) {
            picks = s->at.operands[2] > picks ? s->at.operands[2] : picks;
        } else if (s->kind == PSY__STEP_MOVE && s->at.info->class_ == PSY_CLASS_SCAN) {
            uint64_t need_levels = PSY__LEVELS * PSY__BLOCK_BYTES;
            levels = need_levels > levels ? need_levels : levels;
        } else if (s->kind == PSY__STEP_MOVE && s->at.info->class_ == PSY_CLASS_SORT && x->bound.registers[s->at.dst].count) {
            const psy__bound_register *r = &x->bound.registers[s->at.operands[0]];
            picks = 2 * r->dims[r->rank - 1] > picks ? 2 * r->dims[r->rank - 1] : picks;
        } else if (s->kind == PSY__STEP_LOOKUP) {
            uint64_t bytes = x->bound.registers[s->at.dst].count * psy__dtype_bytes(s->at.dtype);
            row = bytes > row ? bytes : row;
        }
    }
    if (picks > most / sizeof *x->picks) {
        return psy_fail(PSY_TOO_LARGE, "program %s puts too many elements in order",
                        psy__module_string(x->module, x->bound.program->name));
    }
    uint64_t registers = x->bound.program->register_count;
    x->arena = get_memory(stride * x->chunk);
    x->uniform = get_memory(x->bound.uniform_arena_bytes);
    x->inputs = calloc(x->max_batch, sizeof *x->inputs);
    x->partials = calloc(x->max_batch, sizeof *x->partials);
    x->outputs = calloc(x->max_batch, sizeof *x->outputs);
    x->rows = calloc(registers * x->chunk + 1, sizeof *x->rows);
    x->zero_row = get_memory(row);
    x->buffers = get_memory(buffers * PSY__BLOCK_BYTES);
    x->gathers = get_memory(3 * PSY__BLOCK_BYTES);
    x->levels = get_memory(levels);
    x->dots = get_memory((uint64_t)x->chunk * PSY__ROWS * 8);
    x->packed = get_memory(packed);
    x->vectors = calloc(x->chunk, sizeof *x->vectors);
    x->picks = calloc(picks, sizeof *x->picks);
    x->plans = calloc(plans, sizeof *x->plans);
    bool all = x->arena && x->uniform && x->inputs && x->partials && x->outputs && x->rows && x->zero_row && x->buffers &&
               x->gathers && x->levels && x->dots && x->packed && x->vectors && x->picks && x->plans;
    return all ? PSY_OK
               : psy_fail(PSY_NO_MEMORY, "no memory for the arenas of program %s",
                          psy__module_string(x->module, x->bound.program->name));
}

static psy_status take_residents(psy__cpu_executable *x, const psy__binding *b)
{
    x->residents = calloc(b->module->resident_count + 1u, sizeof *x->residents);
    if (!x->residents) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    if (b->module->resident_count) {
        memcpy(x->residents, b->residents, b->module->resident_count * sizeof *x->residents);
    }
    return psy__binding_check(b, &x->bound);
}

psy_status psy__cpu_bind(psy__engine *engine, const psy__binding *binding, psy__executable **out)
{
    psy__cpu_engine *e = (psy__cpu_engine *)engine;
    psy__cpu_executable *x = calloc(1, sizeof *x);
    if (!x) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    x->base.engine = engine;
    x->kernels = e->kernels;
    x->module = binding->module;
    x->max_batch = e->max_batch;
    x->partial_stride = binding->partial_stride;
    x->tracer = e->tracer;
    x->code_lanes = e->tracer ? 0 : e->code_lanes;
    psy_status status =
        psy__program_bind(binding->module, binding->program, binding->symbols, binding->bases, &e->limits, &x->bound);
    if (status == PSY_OK) {
        fix_partial_strides(x);
        status = take_residents(x, binding);
    }
    status = status == PSY_OK && x->tracer ? psy__keep_all(&x->bound, &e->limits) : status;
    status = status == PSY_OK ? make_steps(x) : status;
    status = status == PSY_OK && !x->tracer ? psy__results_direct(x) : status;
    status = status == PSY_OK ? get_all_memory(x, &e->limits) : status;
    if (status != PSY_OK) {
        psy__cpu_unbind(&x->base);
        return status;
    }
    psy__regions_emit(x);
    psy__steps_run(x, false);
    *out = &x->base;
    return PSY_OK;
}

void psy__cpu_unbind(psy__executable *executable)
{
    psy__cpu_executable *x = (psy__cpu_executable *)executable;
    if (!x) {
        return;
    }
    psy__regions_forget(x);
    for (uint32_t i = 0; x->steps && i < x->step_count; i++) {
        free(x->steps[i].region.nodes);
    }
    if (x->bound.module) {
        psy__program_unbind(&x->bound);
    }
    void *const memory[] = {x->steps,   x->residents, x->arena,    x->uniform, x->inputs,  x->partials,
                            x->outputs, x->rows,      x->zero_row, x->buffers, x->gathers, x->levels,
                            x->dots,    x->packed,    x->vectors,  x->picks,   x->plans,   x->output_at};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        free(memory[i]);
    }
    free(x);
}
