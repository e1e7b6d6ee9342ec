/* SPDX-License-Identifier: Apache-2.0 */
/* From a bound program to steps: which kernels, over how many workgroups. */
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "engine/vulkan/vulkan.h"

/* ---- the kernels: the module's, or made now ---- */

static psy_status copy_kernel(const psy__module *m, uint32_t program, uint32_t word, uint32_t stage, psy__kernel *out)
{
    for (uint32_t i = 0; i < m->kernel_count; i++) {
        const psy_psm_kernel *k = &m->kernels[i];
        if (k->target != PSY_TARGET_SPIRV || k->codegen != PSY_KERNEL_VERSION || k->program != program || k->word != word ||
            k->stage != stage) {
            continue;
        }
        *out = (psy__kernel){word, stage, malloc(k->bytes + 4), (uint32_t)(k->bytes / 4)};
        if (!out->words) {
            return psy_fail(PSY_NO_MEMORY, "no memory for kernels");
        }
        memcpy(out->words, m->kernel_code + k->offset, k->bytes);
        return PSY_OK;
    }
    return PSY_NOT_FOUND;
}

/* The module's kernels of the program: NOT_FOUND where one is missing or of another version. */
static psy_status module_kernels(const psy__module *m, uint32_t program, psy__kernel **kernels, uint32_t *count)
{
    const psy_psm_program *p = &m->programs[program];
    uint32_t room = p->word_count / 2 * (PSY_STAGE_FINISH + 1) + 1;
    *count = 0;
    *kernels = calloc(room, sizeof **kernels);
    psy_status status = *kernels ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory for kernels");
    psy__instruction at;
    psy__space space;
    for (uint32_t word = 0; status == PSY_OK && word < p->word_count; word = space.next) {
        psy__instruction_at(m, p, word, &at);
        psy__space_of(m, p, &at, &space);
        for (uint32_t stage = 0; status == PSY_OK && stage < space.stages; stage++) {
            status = copy_kernel(m, program, word, stage, &(*kernels)[*count]);
            *count += status == PSY_OK;
        }
    }
    if (status != PSY_OK) {
        psy__kernels_free(*kernels, *count);
    }
    return status;
}

static psy_status make_pipeline(psy__vulkan_executable *x, const psy__kernel *k)
{
    psy__vulkan_engine *e = (psy__vulkan_engine *)x->base.engine;
    VkShaderModule shader;
    VkShaderModuleCreateInfo code = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = k->word_count * sizeof(uint32_t), .pCode = k->words};
    VkResult result = e->vk.CreateShaderModule(e->device, &code, NULL, &shader);
    if (result != VK_SUCCESS) {
        return psy__vulkan_fail(result, "loading a kernel");
    }
    VkSpecializationMapEntry entry = {.constantID = 0, .offset = 0, .size = sizeof e->group_size};
    VkSpecializationInfo constants = {
        .mapEntryCount = 1, .pMapEntries = &entry, .dataSize = sizeof e->group_size, .pData = &e->group_size};
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                  .module = shader,
                                                  .pName = "main",
                                                  .pSpecializationInfo = &constants},
                                        .layout = e->layout};
    result = e->vk.CreateComputePipelines(e->device, VK_NULL_HANDLE, 1, &info, NULL, &x->pipelines[x->pipeline_count]);
    e->vk.DestroyShaderModule(e->device, shader, NULL);
    if (result != VK_SUCCESS) {
        return psy__vulkan_fail(result, "making a kernel");
    }
    x->pipeline_count++;
    return PSY_OK;
}

static psy_status make_pipelines(psy__vulkan_executable *x)
{
    const psy__module *m = x->bound.module;
    uint32_t program = (uint32_t)(x->bound.program - m->programs), count = 0;
    psy__kernel *kernels = NULL;
    psy_status status = module_kernels(m, program, &kernels, &count);
    if (status == PSY_NOT_FOUND) {
        status = psy__codegen_spirv(m, program, &kernels, &count);
    }
    if (status != PSY_OK) {
        return status;
    }
    x->pipelines = calloc(count + 1u, sizeof *x->pipelines);
    status = x->pipelines ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory for kernels");
    for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
        status = make_pipeline(x, &kernels[i]);
    }
    psy__kernels_free(kernels, count);
    return status;
}

/* ---- the steps ---- */

static psy_status too_much(const psy__vulkan_executable *x, const psy__instruction *at, const char *what)
{
    return psy_fail(PSY_UNSUPPORTED, "program %s on vulkan: %s is over %s",
                    psy__module_string(x->bound.module, x->bound.program->name), at->info->name, what);
}

/* Loop iterations of an invocation, over all loops together. */
static uint64_t trips_of(const psy__vulkan_executable *x, const psy__instruction *at, const psy__space *space,
                         const psy__vulkan_step *s)
{
    const psy__vulkan_engine *e = (const psy__vulkan_engine *)x->base.engine;
    uint64_t tree = 0;
    for (uint32_t half = e->group_size; half; half /= 2) {
        tree++;
    }
    if (s->op == PSY_OP_TOPK) {
        return s->k * (PSY_TOPK_CHUNK / e->group_size + tree + 1u);
    }
    const psy_op_info *info = psy__op_info(s->op);
    uint64_t length = space->axis == PSY_NONE ? 0 : psy__dim_value(space->dims[space->axis], x->bound.symbols);
    if (info->class_ == PSY_CLASS_SCAN) {
        return length + 1; /* one invocation after the other */
    }
    if (info->class_ == PSY_CLASS_SCATTER) { /* every element looks at all numbers: more work than it is counted as */
        uint64_t numbers = x->bound.registers[at->operands[1]].count + 1,
                 most = e->limits.work ? e->limits.work : PSY_WORK_DEFAULT;
        return numbers > most / (s->elements + 1) ? UINT64_MAX : numbers;
    }
    return length / e->group_size + 1 + space->node_count * tree;
}

static psy_status fill_step(psy__vulkan_executable *x, const psy__instruction *at, const psy__space *space, psy__vulkan_step *s)
{
    const psy__vulkan_engine *e = (const psy__vulkan_engine *)x->base.engine;
    const psy__vulkan_limits *l = &e->device_limits;
    s->op = at->op;
    s->by_group = space->axis != PSY_NONE;
    s->k = at->op == PSY_OP_TOPK ? at->operands[2] : 0;
    s->elements = 1;
    for (uint32_t d = 0; d < space->rank; d++) {
        s->elements *=
            d == space->axis ? 1 : psy__dim_value(space->dims[d], x->bound.symbols); /* registers' sizes are bounded */
    }
    psy__instruction first = *at;
    if (at->op == PSY_OP_REGION) {
        psy__instruction_at(x->bound.module, x->bound.program, at->next, &first);
    }
    s->is_store = at->info->class_ == PSY_CLASS_STORE;
    s->batched = s->is_store || x->bound.registers[first.dst].batched;
    uint64_t per_group = at->op == PSY_OP_TOPK ? PSY_TOPK_CHUNK : s->by_group ? 1 : e->group_size;
    if (s->elements / per_group >= (uint64_t)l->groups[0] * l->groups[1]) {
        return too_much(x, at, "the device's number of workgroups");
    }
    if (trips_of(x, at, space, s) > l->trips) {
        return too_much(x, at, "the device's number of loop iterations");
    }
    return PSY_OK;
}

psy_status psy__vulkan_make_steps(psy__vulkan_executable *x)
{
    const psy_psm_program *p = x->bound.program;
    x->steps = calloc(p->word_count / 2 + 1u, sizeof *x->steps);
    psy_status status = x->steps ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    psy__instruction at;
    psy__space space;
    uint32_t kernel = 0;
    for (uint32_t word = 0; status == PSY_OK && word < p->word_count; word = space.next) {
        psy__instruction_at(x->bound.module, p, word, &at);
        psy__space_of(x->bound.module, p, &at, &space);
        if (at.info->class_ == PSY_CLASS_SIZE) {
            x->steps[x->step_count++] =
                (psy__vulkan_step){.op = at.op, .is_size = true, .dst = at.dst, .elements = psy__size_value(&x->bound, &at)};
        } else if (space.stages) {
            psy__vulkan_step *s = &x->steps[x->step_count++];
            s->kernel = kernel;
            kernel += space.stages;
            status = fill_step(x, &at, &space, s);
        }
    }
    return status == PSY_OK ? make_pipelines(x) : status;
}
