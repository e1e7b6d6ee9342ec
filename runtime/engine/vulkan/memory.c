/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of the engine's own, and memory of the caller's that becomes one. */
#include <stdlib.h>
#include <string.h>

#include "engine/vulkan/vulkan.h"

static const uint64_t upload_bytes = UINT64_C(16) << 20;

/* The first memory type among `allowed` with all of `needed`, and of `liked` if there is one; UINT32_MAX: none. Drivers list
 * the better ones first. */
static uint32_t find_type(const psy__vulkan_engine *e, uint32_t allowed, VkMemoryPropertyFlags needed,
                          VkMemoryPropertyFlags liked)
{
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; i < e->memory_types.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = e->memory_types.memoryTypes[i].propertyFlags;
        if ((allowed >> i & 1) == 0 || (flags & needed) != needed) {
            continue;
        }
        if ((flags & liked) == liked) {
            return i;
        }
        found = found == UINT32_MAX ? i : found;
    }
    return found;
}

/* Memory for the buffer: of the engine's own, or, with `import`, the caller's. */
static VkResult back(psy__vulkan_engine *e, psy__vulkan_buffer *b, uint32_t type, uint64_t bytes, const void *import)
{
    VkMemoryAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = import, .allocationSize = bytes, .memoryTypeIndex = type};
    VkResult result = e->vk.AllocateMemory(e->device, &allocate, NULL, &b->memory);
    if (result != VK_SUCCESS) {
        b->memory = VK_NULL_HANDLE;
        return result;
    }
    return e->vk.BindBufferMemory(e->device, b->buffer, b->memory, 0);
}

psy_status psy__vulkan_buffer_init(psy__vulkan_engine *e, psy__vulkan_kind kind, uint64_t bytes, psy__vulkan_buffer *out)
{
    const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    *out = (psy__vulkan_buffer){.bytes = bytes < 64 ? 64 : (bytes + 3) & ~UINT64_C(3)};
    VkBufferUsageFlags usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                               (kind == PSY__ON_DEVICE ? VK_BUFFER_USAGE_TRANSFER_DST_BIT : VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = out->bytes,
                               .usage = usage,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    VkResult result = e->vk.CreateBuffer(e->device, &info, NULL, &out->buffer);
    if (result != VK_SUCCESS) {
        *out = (psy__vulkan_buffer){0};
        return psy__vulkan_fail(result, "making a buffer");
    }
    VkMemoryRequirements needs;
    e->vk.GetBufferMemoryRequirements(e->device, out->buffer, &needs);
    uint32_t type = kind == PSY__ON_DEVICE
                        ? find_type(e, needs.memoryTypeBits, 0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)
                        : find_type(e, needs.memoryTypeBits, host, host | VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    result = type == UINT32_MAX ? VK_ERROR_FEATURE_NOT_PRESENT : back(e, out, type, needs.size, NULL);
    if (result == VK_SUCCESS && kind == PSY__ON_HOST) {
        result = e->vk.MapMemory(e->device, out->memory, 0, VK_WHOLE_SIZE, 0, &out->at);
    }
    if (result != VK_SUCCESS) {
        psy__vulkan_buffer_fini(e, out);
        return psy__vulkan_fail(result, "getting memory for a buffer");
    }
    return PSY_OK;
}

void psy__vulkan_buffer_fini(psy__vulkan_engine *e, psy__vulkan_buffer *b)
{
    if (b->buffer) {
        e->vk.DestroyBuffer(e->device, b->buffer, NULL);
    }
    if (b->memory) {
        e->vk.FreeMemory(e->device, b->memory, NULL);
    }
    *b = (psy__vulkan_buffer){0};
}

psy_status psy__vulkan_upload(psy__vulkan_engine *e, psy__vulkan_buffer *to, uint64_t offset, const void *from, uint64_t bytes)
{
    psy__vulkan_buffer through;
    psy_status status = psy__vulkan_buffer_init(e, PSY__ON_HOST, bytes < upload_bytes ? bytes : upload_bytes, &through);
    for (uint64_t done = 0; status == PSY_OK && done < bytes; done += upload_bytes) {
        uint64_t n = bytes - done < upload_bytes ? bytes - done : upload_bytes;
        memcpy(through.at, (const uint8_t *)from + done, n);
        status = psy__vulkan_begin(e);
        if (status == PSY_OK) {
            VkBufferCopy copy = {.dstOffset = offset + done, .size = n};
            e->vk.CmdCopyBuffer(e->commands, through.buffer, to->buffer, 1, &copy);
            psy__vulkan_barrier(e, false);
            status = psy__vulkan_submit(e);
        }
    }
    psy__vulkan_buffer_fini(e, &through);
    return status;
}

/* ---- memory of the caller's ---- */

/* False where the driver cannot do it: then messages there are copied. */
static bool import(psy__vulkan_engine *e, psy__vulkan_memory *m)
{
    const VkExternalMemoryHandleTypeFlagBits handle = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    uint64_t align = e->device_limits.import_align;
    if (align == 0 || (uintptr_t)m->base % align != 0 || m->bytes % align != 0) {
        return false;
    }
    VkMemoryHostPointerPropertiesEXT pointer = {.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    if (e->vk.GetMemoryHostPointerPropertiesEXT(e->device, handle, m->base, &pointer) != VK_SUCCESS) {
        return false;
    }
    VkExternalMemoryBufferCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                                                 .handleTypes = handle};
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .pNext = &external,
                               .size = m->bytes,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    if (e->vk.CreateBuffer(e->device, &info, NULL, &m->imported.buffer) != VK_SUCCESS) {
        m->imported.buffer = VK_NULL_HANDLE;
        return false;
    }
    VkMemoryRequirements needs;
    e->vk.GetBufferMemoryRequirements(e->device, m->imported.buffer, &needs);
    /* Host and device write to it by turns without telling the driver: it has to be coherent. */
    uint32_t type = find_type(e, needs.memoryTypeBits & pointer.memoryTypeBits,
                              VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                              VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    VkImportMemoryHostPointerInfoEXT from = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT, .handleType = handle, .pHostPointer = m->base};
    if (needs.size > m->bytes || type == UINT32_MAX || back(e, &m->imported, type, m->bytes, &from) != VK_SUCCESS) {
        psy__vulkan_buffer_fini(e, &m->imported);
        return false;
    }
    m->imported.bytes = m->bytes;
    return true;
}

psy_status psy__vulkan_attach(psy__engine *engine, void *base, uint64_t bytes)
{
    psy__vulkan_engine *e = (psy__vulkan_engine *)engine;
    if (!base || bytes == 0) {
        return psy_fail(PSY_INVALID, "vulkan: no memory to attach");
    }
    if (e->memory_count == e->memory_room) {
        uint32_t room = e->memory_room * 2 + 8;
        psy__vulkan_memory *bigger = realloc(e->memories, room * sizeof *bigger);
        if (!bigger) {
            return psy_fail(PSY_NO_MEMORY, "no memory to attach a slab");
        }
        e->memories = bigger;
        e->memory_room = room;
    }
    psy__vulkan_memory m = {.base = base, .bytes = bytes};
    import(e, &m);
    e->memories[e->memory_count++] = m;
    return psy__vulkan_silent(e);
}

void psy__vulkan_detach(psy__engine *engine, void *base)
{
    psy__vulkan_engine *e = (psy__vulkan_engine *)engine;
    for (uint32_t i = 0; i < e->memory_count; i++) {
        if (e->memories[i].base == base) {
            psy__vulkan_buffer_fini(e, &e->memories[i].imported);
            e->memories[i] = e->memories[--e->memory_count];
            return;
        }
    }
}

const psy__vulkan_memory *psy__vulkan_memory_of(const psy__vulkan_engine *e, const uint8_t *at, uint64_t bytes)
{
    for (uint32_t i = 0; i < e->memory_count; i++) {
        const psy__vulkan_memory *m = &e->memories[i];
        if (at >= m->base && (uint64_t)(at - m->base) <= m->bytes && m->bytes - (uint64_t)(at - m->base) >= bytes) {
            return m;
        }
    }
    return NULL;
}
