/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/vulkan/vulkan.h"

static const char *result_text(VkResult result)
{
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY: return "no host memory";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: return "no device memory";
    case VK_ERROR_INITIALIZATION_FAILED: return "initialisation failed";
    case VK_ERROR_DEVICE_LOST: return "the device was lost";
    case VK_ERROR_MEMORY_MAP_FAILED: return "memory cannot be mapped";
    case VK_ERROR_LAYER_NOT_PRESENT: return "a layer is missing";
    case VK_ERROR_EXTENSION_NOT_PRESENT: return "an extension is missing";
    case VK_ERROR_FEATURE_NOT_PRESENT: return "a feature is missing";
    case VK_ERROR_INCOMPATIBLE_DRIVER: return "no driver fits";
    case VK_ERROR_TOO_MANY_OBJECTS: return "too many objects";
    case VK_ERROR_FRAGMENTED_POOL: return "a fragmented pool";
    case VK_ERROR_OUT_OF_POOL_MEMORY: return "a full pool";
    default: return "it failed";
    }
}

psy_status psy__vulkan_fail(VkResult result, const char *what)
{
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_OUT_OF_POOL_MEMORY: return psy_fail(PSY_NO_MEMORY, "vulkan: %s: %s", what, result_text(result));
    case VK_ERROR_INCOMPATIBLE_DRIVER:
    case VK_ERROR_INITIALIZATION_FAILED:
    case VK_ERROR_DEVICE_LOST: return psy_fail(PSY_NO_DEVICE, "vulkan: %s: %s", what, result_text(result));
    default: return psy_fail(PSY_IO, "vulkan: %s: %s (%d)", what, result_text(result), (int)result);
    }
}

psy_status psy__vulkan_silent(const psy__vulkan_engine *e)
{
    return e->complaints == 0
               ? PSY_OK
               : psy_fail(PSY_IO, "vulkan: the validation layers say (%u messages): %s", e->complaints, e->complaint);
}

psy_status psy__vulkan_begin(psy__vulkan_engine *e)
{
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VkResult result = e->vk.ResetCommandPool(e->device, e->pool, 0);
    result = result == VK_SUCCESS ? e->vk.BeginCommandBuffer(e->commands, &info) : result;
    return result == VK_SUCCESS ? PSY_OK : psy__vulkan_fail(result, "beginning commands");
}

psy_status psy__vulkan_submit(psy__vulkan_engine *e)
{
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &e->commands};
    VkResult result = e->vk.EndCommandBuffer(e->commands);
    result = result == VK_SUCCESS ? e->vk.ResetFences(e->device, 1, &e->fence) : result;
    result = result == VK_SUCCESS ? e->vk.QueueSubmit(e->queue, 1, &info, e->fence) : result;
    /* Work is bounded when a program is bound, and a device that hangs is reported as lost. */
    result = result == VK_SUCCESS ? e->vk.WaitForFences(e->device, 1, &e->fence, VK_TRUE, UINT64_MAX) : result;
    return result == VK_SUCCESS ? PSY_OK : psy__vulkan_fail(result, "running kernels");
}

void psy__vulkan_barrier(psy__vulkan_engine *e, bool last)
{
    VkPipelineStageFlags device = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                               .dstAccessMask = last ? VK_ACCESS_HOST_READ_BIT
                                                     : VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                                           VK_ACCESS_TRANSFER_WRITE_BIT};
    e->vk.CmdPipelineBarrier(e->commands, device, last ? VK_PIPELINE_STAGE_HOST_BIT : device, 0, 1, &barrier, 0, NULL, 0, NULL);
}
