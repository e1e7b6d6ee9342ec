/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan engine: a program becomes a list of steps when it is bound, each a dispatch of a kernel (codegen/kernel.h) over
 * all messages of a group. A group is what lies in one input and one output memory, so that both are one binding each.
 *
 * Memory that is attached becomes a buffer as it is (VK_EXT_external_memory_host): messages are read and replies written where
 * they lie. Where a device cannot do that, messages go through buffers of the engine's own, and the bytes are counted.
 *
 * The loader is opened at run time: a machine without Vulkan gives NO_DEVICE. Sources: the Vulkan 1.1 specification.
 */
#ifndef PSY_ENGINE_VULKAN_VULKAN_H
#define PSY_ENGINE_VULKAN_VULKAN_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "codegen/kernel.h"
#include "engine/engine.h"

typedef struct psy__vk {
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define GLOBAL(name)            PFN_vk##name name;
#define INSTANCE(name)          PFN_vk##name name;
#define INSTANCE_OPTIONAL(name) PFN_vk##name name;
#define DEVICE(name)            PFN_vk##name name;
#define DEVICE_OPTIONAL(name)   PFN_vk##name name;
#include "engine/vulkan/functions.def"
#undef GLOBAL
#undef INSTANCE
#undef INSTANCE_OPTIONAL
#undef DEVICE
#undef DEVICE_OPTIONAL
} psy__vk;

typedef struct psy__vulkan_buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    uint64_t bytes;
    void *at; /* where the host sees it; NULL: it does not */
} psy__vulkan_buffer;

/* Memory that was attached. */
typedef struct psy__vulkan_memory {
    uint8_t *base;
    uint64_t bytes;
    psy__vulkan_buffer imported; /* .buffer is null where it could not be imported */
} psy__vulkan_memory;

/* What the device lets one do. */
typedef struct psy__vulkan_limits {
    uint64_t range;        /* bytes of one binding at most */
    uint64_t window;       /* half of that: bindings start at its multiples, so a message below it lies in one of them whole */
    uint64_t offset_align; /* of a binding's start */
    uint64_t import_align; /* of imported memory; 0: the device imports none */
    uint32_t groups[3];    /* workgroups in one dispatch at most */
    uint32_t trips;        /* loop iterations of an invocation at most */
} psy__vulkan_limits;

typedef struct psy__vulkan_engine {
    psy__engine base;
    psy__vk vk;
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPhysicalDeviceMemoryProperties memory_types;
    psy__vulkan_limits device_limits;
    uint32_t group_size; /* invocations of a workgroup */
    uint32_t max_batch;
    psy__limits limits;
    psy__vulkan_memory *memories;
    uint32_t memory_count, memory_room;
    uint64_t copied;
    unsigned complaints; /* of the validation layers */
    char complaint[400];
    char description[400];
} psy__vulkan_engine;

enum { PSY__GROUPS = 16 }; /* groups in one submission */

/* One instruction or region. */
typedef struct psy__vulkan_step {
    psy_op op;
    bool batched;
    bool by_group; /* elements are workgroups */
    bool is_store;
    bool is_size; /* `elements` is what is written to register dst */
    uint16_t dst;
    uint32_t kernel;   /* first of its kernels */
    uint32_t k;        /* top-k */
    uint64_t elements; /* invocations; of a reduction: workgroups; of a top-k: elements it chooses from */
} psy__vulkan_step;

typedef struct psy__vulkan_executable {
    psy__executable base;
    psy__bound_program bound;
    psy__vulkan_step *steps;
    VkPipeline *pipelines;
    uint32_t step_count, pipeline_count;
    uint64_t *slots; /* where each is: narrow elements take a word here */
    uint64_t arena_bytes, uniform_bytes;
    uint32_t chunk;                       /* messages that have an arena */
    uint64_t scratch_words;               /* of one message's two lists, half each */
    uint64_t table_stride;                /* bytes of one group's table */
    uint64_t input_stride, output_stride; /* in the buffers below */
    psy__vulkan_buffer residents, consts, arena, uniform, params, table, scratch;
    psy__vulkan_buffer staged_inputs, staged_outputs; /* made when the first message needs them */
    VkDescriptorPool pool;
    VkDescriptorSet sets[PSY__GROUPS];
    uint8_t **inputs, **outputs; /* max_batch each */
    bool *grouped;               /* by message of the run */
    uint32_t *staged;            /* message by place in staged_outputs */
} psy__vulkan_executable;

/* ---- device.c ---- */
psy_status psy__vulkan_open(const psy__engine_options *options, psy__engine **out);
void psy__vulkan_close(psy__engine *engine);

/* ---- memory.c ---- */
typedef enum psy__vulkan_kind { PSY__ON_DEVICE, PSY__ON_HOST } psy__vulkan_kind;
/* At least 64 bytes, not initialised. ON_HOST: mapped and coherent. NO_MEMORY. */
psy_status psy__vulkan_buffer_init(psy__vulkan_engine *e, psy__vulkan_kind kind, uint64_t bytes, psy__vulkan_buffer *out);
void psy__vulkan_buffer_fini(psy__vulkan_engine *e, psy__vulkan_buffer *b);
/* Copies to a buffer on the device, through one on the host. */
psy_status psy__vulkan_upload(psy__vulkan_engine *e, psy__vulkan_buffer *to, uint64_t offset, const void *from, uint64_t bytes);
psy_status psy__vulkan_attach(psy__engine *engine, void *base, uint64_t bytes);
void psy__vulkan_detach(psy__engine *engine, void *base);
/* The attached memory that holds all of it, or NULL. */
const psy__vulkan_memory *psy__vulkan_memory_of(const psy__vulkan_engine *e, const uint8_t *at, uint64_t bytes);

/* ---- submit.c ---- */
psy_status psy__vulkan_fail(VkResult result, const char *what);
/* OK, or what the validation layers complained of since the engine was opened. */
psy_status psy__vulkan_silent(const psy__vulkan_engine *e);
/* Begins the engine's command buffer; ends, submits and waits. */
psy_status psy__vulkan_begin(psy__vulkan_engine *e);
psy_status psy__vulkan_submit(psy__vulkan_engine *e);
/* What was written before is seen by what comes after, on the device and, `last`, on the host. */
void psy__vulkan_barrier(psy__vulkan_engine *e, bool last);

/* ---- bind.c ---- */
psy_status psy__vulkan_supports(psy__engine *engine, const psy__module *module, uint32_t program);
psy_status psy__vulkan_bind(psy__engine *engine, const psy__binding *binding, psy__executable **out);
void psy__vulkan_unbind(psy__executable *executable);

/* ---- pipelines.c ---- */
/* Makes the executable's pipelines, from the module's kernels where it has all of them, and its steps. */
psy_status psy__vulkan_make_steps(psy__vulkan_executable *x);

/* ---- run.c ---- */
/* Records the steps that are batched, or the others, for `count` messages with the given descriptors. */
void psy__vulkan_record(psy__vulkan_executable *x, bool batched, VkDescriptorSet set, uint32_t count);
psy_status psy__vulkan_run(psy__executable *executable, const psy__batch *batch);

#endif
