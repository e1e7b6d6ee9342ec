/* SPDX-License-Identifier: Apache-2.0 */
/* What a program needs on the device: parameters, resident data, constants, arenas, descriptors. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "engine/vulkan/vulkan.h"

static psy__vulkan_engine *engine_of(const psy__vulkan_executable *x) { return (psy__vulkan_engine *)x->base.engine; }

static psy_status over(const psy__vulkan_executable *x, const char *what, uint64_t bytes, uint64_t limit)
{
    return psy_fail(PSY_UNSUPPORTED, "program %s on vulkan: %s takes %" PRIu64 " bytes, and the device binds %" PRIu64,
                    psy__module_string(x->bound.module, x->bound.program->name), what, bytes, limit);
}

psy_status psy__vulkan_supports(psy__engine *engine, const psy__module *module, uint32_t program)
{
    (void)engine;
    if (program >= module->program_count) {
        return psy_fail(PSY_INVALID, "there is no program %u", program);
    }
    psy__kernel *kernels;
    uint32_t count;
    psy_status status = psy__codegen_spirv(module, program, &kernels, &count);
    if (status == PSY_OK) {
        psy__kernels_free(kernels, count);
    }
    return status;
}

/* Kernels count in 32 bits. */
static psy_status check_sizes(const psy__vulkan_executable *x)
{
    const psy__module *m = x->bound.module;
    for (uint32_t i = 0; i < x->bound.program->register_count; i++) {
        const psy__bound_register *r = &x->bound.registers[i];
        bool large = r->count > INT32_MAX / 2;
        for (uint32_t d = 0; d < r->rank; d++) {
            large = large || r->dims[d] > INT32_MAX / 2;
        }
        if (large) {
            return psy_fail(PSY_UNSUPPORTED,
                            "program %s on vulkan: a value has %" PRIu64
                            " elements, or an axis too long: kernels count in 32 bits",
                            psy__module_string(m, x->bound.program->name), r->count);
        }
    }
    return PSY_OK;
}

/* Two lists of a top-k for one message: what the first round leaves, and what the second makes of it. */
static uint64_t scratch_words(const psy__vulkan_executable *x)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < x->step_count; i++) {
        const psy__vulkan_step *s = &x->steps[i];
        uint64_t groups = s->elements / PSY_TOPK_CHUNK + 1, wide = engine_of(x)->device_limits.groups[0];
        groups = groups > wide ? (groups + wide - 1) / wide * wide : groups;
        uint64_t words = groups * s->k * 2 * 2;
        most = words > most ? words : most;
    }
    return most;
}

/* In slots every element has a word or two of its own: kernels write no part of a word. */
static psy_status plan_slots(psy__vulkan_executable *x)
{
    uint32_t count = x->bound.program->slot_count;
    x->slots = calloc(count + 1u, sizeof *x->slots);
    if (!x->slots) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    for (uint32_t i = 0; i < x->bound.program->register_count; i++) {
        const psy__bound_register *r = &x->bound.registers[i];
        if (r->home == PSY_HOME_SLOT && r->root == i) {
            unsigned element = psy__dtype_bytes(r->dtype);
            uint64_t bytes = (r->count * (element < 4 ? 4 : element) + 63) & ~UINT64_C(63);
            x->slots[r->slot] = bytes > x->slots[r->slot] ? bytes : x->slots[r->slot];
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bytes = x->slots[i], *total = x->bound.slots[i].batched ? &x->arena_bytes : &x->uniform_bytes;
        x->slots[i] = *total;
        *total += bytes;
    }
    return PSY_OK;
}

/* How many messages run at once: as many as the arenas of one binding hold. */
static psy_status plan_memory(psy__vulkan_executable *x)
{
    const psy__vulkan_engine *e = engine_of(x);
    const psy__module *m = x->bound.module;
    const psy_psm_program *p = x->bound.program;
    uint64_t range = e->device_limits.range, align = e->device_limits.offset_align;
    x->input_stride = m->types[p->input_type].bytes;
    x->output_stride = m->types[p->output_type].bytes;
    x->scratch_words = scratch_words(x);
    const struct {
        const char *what;
        uint64_t bytes;
    } parts[] = {{"the working memory of a message", x->arena_bytes},
                 {"the lists of a top-k", x->scratch_words * 4},
                 {"a request", x->input_stride * 2}, /* a message fits a window */
                 {"a reply", x->output_stride * 2}};
    uint64_t chunk = e->max_batch < e->device_limits.groups[2] ? e->max_batch : e->device_limits.groups[2];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].bytes > range) {
            return over(x, parts[i].what, parts[i].bytes, range);
        }
        uint64_t fits = parts[i].bytes ? range / parts[i].bytes : chunk;
        chunk = fits < chunk ? fits : chunk;
    }
    x->chunk = (uint32_t)chunk;
    x->table_stride = (chunk * 8 + align - 1) / align * align;
    return PSY_OK;
}

static psy_status make_params(psy__vulkan_executable *x, const uint64_t *resident_words)
{
    const psy__module *m = x->bound.module;
    uint32_t symbols = m->symbol_count, slots = x->bound.program->slot_count;
    uint32_t count = PSY_PARAM_RESIDENT(symbols, slots, m->resident_count);
    uint32_t *words = calloc(count + 1u, sizeof *words);
    if (!words) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    words[PSY_PARAM_STRIDE] = (uint32_t)(x->arena_bytes / 4);
    for (uint32_t i = 0; i < symbols; i++) {
        words[PSY_PARAM_SYMBOL(i)] = (uint32_t)x->bound.symbols[i];
        words[PSY_PARAM_BASE_LOW(symbols, i)] = (uint32_t)x->bound.bases[i];
        words[PSY_PARAM_BASE_HIGH(symbols, i)] = (uint32_t)(x->bound.bases[i] >> 32);
    }
    for (uint32_t i = 0; i < slots; i++) {
        words[PSY_PARAM_SLOT(symbols, i)] = (uint32_t)(x->slots[i] / 4);
    }
    for (uint32_t i = 0; i < m->resident_count; i++) {
        words[PSY_PARAM_RESIDENT(symbols, slots, i)] = (uint32_t)resident_words[i];
    }
    psy_status status = psy__vulkan_buffer_init(engine_of(x), PSY__ON_DEVICE, count * UINT64_C(4), &x->params);
    status = status == PSY_OK ? psy__vulkan_upload(engine_of(x), &x->params, 0, words, count * UINT64_C(4)) : status;
    free(words);
    return status;
}

/* Uploads the resident data that the program reads, one after the other. */
static psy_status upload_residents(psy__vulkan_executable *x, const psy__binding *b, uint64_t *words)
{
    psy__vulkan_engine *e = engine_of(x);
    uint64_t total = 0;
    for (uint32_t r = 0; r < b->module->resident_count; r++) {
        words[r] = UINT64_MAX;
        for (uint32_t i = 0; i < x->bound.program->register_count; i++) {
            if (x->bound.registers[i].home == PSY_HOME_RESIDENT && x->bound.registers[i].source == r &&
                words[r] == UINT64_MAX) {
                words[r] = total / 4;
                total += (b->residents[r].rows * b->residents[r].row_bytes + 63) & ~UINT64_C(63);
            }
        }
    }
    if (total > e->device_limits.range) {
        return over(x, "resident data", total, e->device_limits.range);
    }
    psy_status status = psy__vulkan_buffer_init(e, PSY__ON_DEVICE, total, &x->residents);
    for (uint32_t r = 0; status == PSY_OK && r < b->module->resident_count; r++) {
        uint64_t bytes = b->residents[r].rows * b->residents[r].row_bytes;
        if (words[r] != UINT64_MAX && bytes) {
            status = psy__vulkan_upload(e, &x->residents, words[r] * 4, b->residents[r].data, bytes);
        }
        words[r] = words[r] == UINT64_MAX ? 0 : words[r];
    }
    return status;
}

static psy_status make_buffers(psy__vulkan_executable *x, const psy__binding *b)
{
    psy__vulkan_engine *e = engine_of(x);
    const psy__module *m = b->module;
    if (m->consts_bytes > e->device_limits.range || x->uniform_bytes > e->device_limits.range) {
        uint64_t bytes = m->consts_bytes > x->uniform_bytes ? m->consts_bytes : x->uniform_bytes;
        return over(x, "what all messages share", bytes, e->device_limits.range);
    }
    const struct {
        psy__vulkan_kind kind;
        uint64_t bytes;
        psy__vulkan_buffer *buffer;
    } wanted[] = {{PSY__ON_DEVICE, m->consts_bytes, &x->consts},
                  {PSY__ON_DEVICE, x->arena_bytes * x->chunk, &x->arena},
                  {PSY__ON_DEVICE, x->uniform_bytes, &x->uniform},
                  {PSY__ON_DEVICE, x->scratch_words * 4 * x->chunk, &x->scratch},
                  {PSY__ON_HOST, x->table_stride * PSY__GROUPS, &x->table}};
    psy_status status = PSY_OK;
    for (size_t i = 0; status == PSY_OK && i < sizeof wanted / sizeof wanted[0]; i++) {
        status = psy__vulkan_buffer_init(e, wanted[i].kind, wanted[i].bytes, wanted[i].buffer);
    }
    if (status == PSY_OK && m->consts_bytes) {
        status = psy__vulkan_upload(e, &x->consts, 0, m->consts, m->consts_bytes);
    }
    uint64_t *resident_words = calloc(m->resident_count + 1u, sizeof *resident_words);
    if (status == PSY_OK) {
        status =
            resident_words ? upload_residents(x, b, resident_words) : psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    status = status == PSY_OK ? make_params(x, resident_words) : status;
    free(resident_words);
    return status;
}

/* Descriptors for each group of a run. What changes from run to run (messages, table) is set then. */
static psy_status make_descriptors(psy__vulkan_executable *x)
{
    psy__vulkan_engine *e = engine_of(x);
    VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .descriptorCount = PSY_BIND_COUNT * PSY__GROUPS};
    VkDescriptorPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = PSY__GROUPS,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    VkResult result = e->vk.CreateDescriptorPool(e->device, &pool, NULL, &x->pool);
    VkDescriptorSetLayout layouts[PSY__GROUPS];
    for (uint32_t i = 0; i < PSY__GROUPS; i++) {
        layouts[i] = e->set_layout;
    }
    VkDescriptorSetAllocateInfo sets = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = x->pool,
                                        .descriptorSetCount = PSY__GROUPS,
                                        .pSetLayouts = layouts};
    result = result == VK_SUCCESS ? e->vk.AllocateDescriptorSets(e->device, &sets, x->sets) : result;
    if (result != VK_SUCCESS) {
        return psy__vulkan_fail(result, "making descriptors");
    }
    /* Uniform steps read no message; the parameters stand in where a descriptor has to be something. */
    const psy__vulkan_buffer *const buffers[PSY_BIND_COUNT] = {
        [PSY_BIND_INPUT] = &x->params, [PSY_BIND_OUTPUT] = &x->params, [PSY_BIND_RESIDENT] = &x->residents,
        [PSY_BIND_CONST] = &x->consts, [PSY_BIND_ARENA] = &x->arena,   [PSY_BIND_UNIFORM] = &x->uniform,
        [PSY_BIND_PARAM] = &x->params, [PSY_BIND_TABLE] = &x->params,  [PSY_BIND_SCRATCH] = &x->scratch};
    for (uint32_t i = 0; i < PSY__GROUPS; i++) {
        VkDescriptorBufferInfo info[PSY_BIND_COUNT];
        for (uint32_t b = 0; b < PSY_BIND_COUNT; b++) {
            info[b] = (VkDescriptorBufferInfo){buffers[b]->buffer, 0, buffers[b]->bytes};
        }
        VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                      .dstSet = x->sets[i],
                                      .descriptorCount = PSY_BIND_COUNT,
                                      .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                      .pBufferInfo = info};
        e->vk.UpdateDescriptorSets(e->device, 1, &write, 0, NULL);
    }
    return PSY_OK;
}

/* What depends on no message runs now, once. */
static psy_status run_uniform(psy__vulkan_executable *x)
{
    psy__vulkan_engine *e = engine_of(x);
    psy_status status = psy__vulkan_begin(e);
    if (status == PSY_OK) {
        psy__vulkan_record(x, false, x->sets[0], 1);
        status = psy__vulkan_submit(e);
    }
    return status;
}

psy_status psy__vulkan_bind(psy__engine *engine, const psy__binding *binding, psy__executable **out)
{
    psy__vulkan_engine *e = (psy__vulkan_engine *)engine;
    psy__vulkan_executable *x = calloc(1, sizeof *x);
    if (!x) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    x->base.engine = engine;
    x->inputs = calloc(e->max_batch, sizeof *x->inputs);
    x->outputs = calloc(e->max_batch, sizeof *x->outputs);
    x->grouped = calloc(e->max_batch, sizeof *x->grouped);
    x->staged = calloc(e->max_batch, sizeof *x->staged);
    psy_status status =
        x->inputs && x->outputs && x->grouped && x->staged ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    status = status == PSY_OK
                 ? psy__program_bind(binding->module, binding->program, binding->symbols, binding->bases, &e->limits, &x->bound)
                 : status;
    status = status == PSY_OK ? psy__binding_check(binding, &x->bound) : status;
    status = status == PSY_OK ? check_sizes(x) : status;
    status = status == PSY_OK ? plan_slots(x) : status;
    status = status == PSY_OK ? psy__vulkan_make_steps(x) : status;
    status = status == PSY_OK ? plan_memory(x) : status;
    status = status == PSY_OK ? make_buffers(x, binding) : status;
    status = status == PSY_OK ? make_descriptors(x) : status;
    status = status == PSY_OK ? run_uniform(x) : status;
    status = status == PSY_OK ? psy__vulkan_silent(e) : status;
    if (status != PSY_OK) {
        psy__vulkan_unbind(&x->base);
        return status;
    }
    *out = &x->base;
    return PSY_OK;
}

void psy__vulkan_unbind(psy__executable *executable)
{
    psy__vulkan_executable *x = (psy__vulkan_executable *)executable;
    if (!x) {
        return;
    }
    psy__vulkan_engine *e = engine_of(x);
    psy__vulkan_buffer *const buffers[] = {&x->residents, &x->consts,  &x->arena,         &x->uniform,       &x->params,
                                           &x->table,     &x->scratch, &x->staged_inputs, &x->staged_outputs};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        psy__vulkan_buffer_fini(e, buffers[i]);
    }
    for (uint32_t i = 0; i < x->pipeline_count; i++) {
        e->vk.DestroyPipeline(e->device, x->pipelines[i], NULL);
    }
    e->vk.DestroyDescriptorPool(e->device, x->pool, NULL);
    if (x->bound.module) {
        psy__program_unbind(&x->bound);
    }
    free(x->steps);
    free(x->slots);
    free(x->pipelines);
    free(x->inputs);
    free(x->outputs);
    free(x->grouped);
    free(x->staged);
    free(x);
}
