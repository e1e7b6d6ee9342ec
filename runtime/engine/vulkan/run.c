/* SPDX-License-Identifier: Apache-2.0 */
/* Recording a program's dispatches, and a run: messages are put into groups, a group is one pass over the steps. */
#include <string.h>

#include "engine/vulkan/vulkan.h"
#include "isa/scalar.h"

static psy__vulkan_engine *engine_of(const psy__vulkan_executable *x) { return (psy__vulkan_engine *)x->base.engine; }

/* ---- recording ---- */

static void dispatch(psy__vulkan_executable *x, uint32_t kernel, uint64_t groups, uint32_t count, uint32_t *made)
{
    psy__vulkan_engine *e = engine_of(x);
    uint32_t wide = e->device_limits.groups[0], across = groups < wide ? (uint32_t)groups : wide;
    uint32_t down = (uint32_t)((groups + across - 1) / across);
    e->vk.CmdBindPipeline(e->commands, VK_PIPELINE_BIND_POINT_COMPUTE, x->pipelines[kernel]);
    e->vk.CmdDispatch(e->commands, across, down, count);
    psy__vulkan_barrier(e, false);
    *made = across * down;
}

/* Chunks of the operand leave a list, lists of lists a shorter one, until one is left. */
static void dispatch_topk(psy__vulkan_executable *x, const psy__vulkan_step *s, uint32_t count)
{
    psy__vulkan_engine *e = engine_of(x);
    uint32_t push[PSY_PUSH_WORDS] = {
        [PSY_PUSH_FROM] = (uint32_t)(x->scratch_words / 2), [PSY_PUSH_TO] = 0, [PSY_PUSH_STRIDE] = (uint32_t)x->scratch_words};
    uint64_t groups = s->elements / PSY_TOPK_CHUNK + (s->elements % PSY_TOPK_CHUNK != 0 || s->elements == 0);
    for (uint32_t stage = PSY_STAGE_SELECT;; stage = PSY_STAGE_AGAIN) {
        uint32_t made;
        e->vk.CmdPushConstants(e->commands, e->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push, push);
        dispatch(x, s->kernel + stage, groups, count, &made);
        push[PSY_PUSH_COUNT] = made * s->k;
        uint32_t from = push[PSY_PUSH_FROM];
        push[PSY_PUSH_FROM] = push[PSY_PUSH_TO];
        push[PSY_PUSH_TO] = from;
        if (made == 1) {
            break;
        }
        groups = (push[PSY_PUSH_COUNT] + PSY_TOPK_CHUNK - 1u) / PSY_TOPK_CHUNK;
    }
    uint32_t made;
    e->vk.CmdPushConstants(e->commands, e->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push, push);
    dispatch(x, s->kernel + PSY_STAGE_FINISH, (s->k + e->group_size - 1) / e->group_size, count, &made);
}

/* In its place among the steps: registers share slots. */
static void write_size(psy__vulkan_executable *x, const psy__vulkan_step *s)
{
    psy__vulkan_engine *e = engine_of(x);
    const psy__bound_register *r = &x->bound.registers[s->dst];
    uint64_t value = 0;
    psy__cast(PSY_U64, &s->elements, r->dtype, &value, 1);
    e->vk.CmdUpdateBuffer(e->commands, x->uniform.buffer, x->slots[r->slot], psy__dtype_bytes(r->dtype), &value);
    psy__vulkan_barrier(e, false);
}

void psy__vulkan_record(psy__vulkan_executable *x, bool batched, VkDescriptorSet set, uint32_t count)
{
    psy__vulkan_engine *e = engine_of(x);
    uint32_t made;
    e->vk.CmdBindDescriptorSets(e->commands, VK_PIPELINE_BIND_POINT_COMPUTE, e->layout, 0, 1, &set, 0, NULL);
    for (uint32_t i = 0; i < x->step_count; i++) {
        const psy__vulkan_step *s = &x->steps[i];
        if (s->batched != batched) {
            continue;
        }
        if (s->is_size) {
            write_size(x, s);
            continue;
        }
        if (s->op == PSY_OP_TOPK) {
            dispatch_topk(x, s, count);
            continue;
        }
        uint64_t groups = s->by_group ? s->elements : (s->elements + e->group_size - 1) / e->group_size;
        groups = groups == 0 && s->is_store ? 1 : groups; /* a bounded field without elements still has a count */
        if (groups) {
            dispatch(x, s->kernel, groups, count, &made);
        }
    }
}

/* ---- where messages lie ---- */

/* The binding that a message is read or written through: a window of imported memory, or a buffer of the engine's. */
typedef struct place {
    const psy__vulkan_memory *memory; /* NULL: staged */
    uint64_t window;                  /* where the binding starts in it */
    uint64_t offset;                  /* of the message from there */
} place;

static bool find_place(const psy__vulkan_engine *e, const uint8_t *at, uint64_t bytes, place *out)
{
    const psy__vulkan_memory *m = psy__vulkan_memory_of(e, at, bytes);
    *out = (place){0};
    if (!m || (uintptr_t)at % 4 != 0) {
        return false;
    }
    if (m->imported.buffer) {
        uint64_t offset = (uint64_t)(at - m->base);
        *out = (place){m, offset / e->device_limits.window * e->device_limits.window, offset % e->device_limits.window};
    }
    return true;
}

static bool same_binding(const place *a, const place *b) { return a->memory == b->memory && a->window == b->window; }

static VkDescriptorBufferInfo binding_of(const psy__vulkan_engine *e, const place *p, const psy__vulkan_buffer *staged)
{
    if (!p->memory) {
        return (VkDescriptorBufferInfo){staged->buffer, 0, staged->bytes};
    }
    uint64_t left = p->memory->imported.bytes - p->window;
    return (VkDescriptorBufferInfo){p->memory->imported.buffer, p->window,
                                    left < e->device_limits.range ? left : e->device_limits.range};
}

/* ---- a run ---- */

typedef struct group {
    uint32_t count;
    place in, out;
} group;

typedef struct running {
    psy__vulkan_executable *x;
    uint32_t total, taken; /* messages; those that were put into a group */
    group groups[PSY__GROUPS];
    uint32_t group_count;
    uint32_t staged_in, staged_out; /* places used in the staging buffers */
} running;

static psy_status stage(psy__vulkan_executable *x, psy__vulkan_buffer *b, uint64_t stride)
{
    return b->buffer ? PSY_OK : psy__vulkan_buffer_init(engine_of(x), PSY__ON_HOST, stride * x->chunk, b);
}

static void set_descriptors(psy__vulkan_executable *x, uint32_t g, const group *of)
{
    psy__vulkan_engine *e = engine_of(x);
    VkDescriptorBufferInfo info[3] = {binding_of(e, &of->in, &x->staged_inputs),
                                      binding_of(e, &of->out, &x->staged_outputs),
                                      {x->table.buffer, g * x->table_stride, x->table_stride}};
    static const uint32_t at[3] = {PSY_BIND_INPUT, PSY_BIND_OUTPUT, PSY_BIND_TABLE};
    VkWriteDescriptorSet writes[3];
    for (uint32_t i = 0; i < 3; i++) {
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = x->sets[g],
                                           .dstBinding = at[i],
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &info[i]};
    }
    e->vk.UpdateDescriptorSets(e->device, 3, writes, 0, NULL);
}

/* A message that goes through the staging buffers takes the next place there. The output is copied too, since a reply's
 * unwritten bytes stay as they are. */
static uint32_t stage_message(psy__vulkan_executable *x, psy__vulkan_buffer *b, uint64_t stride, uint32_t *used,
                              const uint8_t *from)
{
    uint64_t offset = (*used)++ * stride;
    memcpy((uint8_t *)b->at + offset, from, stride);
    engine_of(x)->copied += stride;
    return (uint32_t)(offset / 4);
}

/* The messages, from `first` on, that lie where it lies and were not taken yet: one group. */
static psy_status make_group(running *r, uint32_t first)
{
    psy__vulkan_executable *x = r->x;
    psy__vulkan_engine *e = engine_of(x);
    group *g = &r->groups[r->group_count];
    uint32_t *table = (uint32_t *)(void *)((uint8_t *)x->table.at + r->group_count * x->table_stride);
    psy_status status = PSY_OK;
    *g = (group){0};
    for (uint32_t i = first; i < r->total && g->count < x->chunk; i++) {
        place in, out;
        if (x->grouped[i]) {
            continue;
        }
        if (!find_place(e, x->inputs[i], x->input_stride, &in) || !find_place(e, x->outputs[i], x->output_stride, &out)) {
            return psy_fail(PSY_INVALID, "vulkan: message %u lies in memory that was not attached", i);
        }
        if (g->count == 0) {
            g->in = in;
            g->out = out;
            status = in.memory ? PSY_OK : stage(x, &x->staged_inputs, x->input_stride);
            status = status == PSY_OK && !out.memory ? stage(x, &x->staged_outputs, x->output_stride) : status;
        }
        if (status != PSY_OK) {
            return status;
        }
        bool full = (!in.memory && r->staged_in == x->chunk) || (!out.memory && r->staged_out == x->chunk);
        if (full || !same_binding(&in, &g->in) || !same_binding(&out, &g->out)) {
            continue;
        }
        table[2 * g->count] = in.memory ? (uint32_t)(in.offset / 4)
                                        : stage_message(x, &x->staged_inputs, x->input_stride, &r->staged_in, x->inputs[i]);
        if (out.memory) {
            table[2 * g->count + 1] = (uint32_t)(out.offset / 4);
        } else {
            x->staged[r->staged_out] = i;
            table[2 * g->count + 1] = stage_message(x, &x->staged_outputs, x->output_stride, &r->staged_out, x->outputs[i]);
        }
        g->count++;
        x->grouped[i] = true;
    }
    if (g->count) {
        set_descriptors(x, r->group_count++, g);
        r->taken += g->count;
    }
    return PSY_OK;
}

/* One submission: as many groups as it takes. */
static psy_status submit_some(running *r)
{
    psy__vulkan_executable *x = r->x;
    psy__vulkan_engine *e = engine_of(x);
    psy_status status = PSY_OK;
    r->group_count = r->staged_in = r->staged_out = 0;
    for (uint32_t i = 0; status == PSY_OK && i < r->total && r->group_count < PSY__GROUPS; i++) {
        if (!x->grouped[i]) {
            status = make_group(r, i);
        }
    }
    status = status == PSY_OK ? psy__vulkan_begin(e) : status;
    if (status != PSY_OK) {
        return status;
    }
    for (uint32_t g = 0; g < r->group_count; g++) {
        psy__vulkan_record(x, true, x->sets[g], r->groups[g].count);
    }
    psy__vulkan_barrier(e, true);
    status = psy__vulkan_submit(e);
    for (uint32_t i = 0; status == PSY_OK && i < r->staged_out; i++) {
        memcpy(x->outputs[x->staged[i]], (uint8_t *)x->staged_outputs.at + i * x->output_stride, x->output_stride);
        e->copied += x->output_stride;
    }
    return status;
}

psy_status psy__vulkan_run(psy__executable *executable, const psy__batch *batch)
{
    psy__vulkan_executable *x = (psy__vulkan_executable *)executable;
    psy__vulkan_engine *e = engine_of(x);
    if (batch->count == 0 || batch->count > e->max_batch ||
        !psy__spans_take(batch->inputs, batch->input_spans, batch->count, x->inputs) ||
        !psy__spans_take(batch->outputs, batch->output_spans, batch->count, x->outputs)) {
        return psy_fail(PSY_INVALID, "a batch of %u messages whose spans do not add up, or over the limit of %u", batch->count,
                        e->max_batch);
    }
    running r = {.x = x, .total = batch->count};
    psy_status status = PSY_OK;
    memset(x->grouped, 0, batch->count * sizeof *x->grouped);
    while (status == PSY_OK && r.taken < r.total) {
        status = submit_some(&r);
    }
    status = status == PSY_OK ? psy__vulkan_silent(e) : status;
    if (status != PSY_OK) {
        return status;
    }
    psy__message_headers(x->bound.module, &x->bound.module->types[x->bound.program->output_type], x->outputs, batch->count);
    memset(batch->status, PSY_OK, batch->count);
    return PSY_OK;
}
