/* SPDX-License-Identifier: Apache-2.0 */
/* The loader, the instance, the device that is chosen, and what it can do. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/vulkan/vulkan.h"

enum { DEVICES_MAX = 16, EXTENSIONS_MAX = 512 };

static const char validation_layer[] = "VK_LAYER_KHRONOS_validation";

/* ---- functions ---- */

/* The loader stays open: drivers keep threads and state that outlive a close. */
static psy_status find_loader(psy__vk *vk)
{
    static const char *const names[] = {"libvulkan.so.1", "libvulkan.so"};
    void *library = NULL;
    for (size_t i = 0; !library && i < sizeof names / sizeof names[0]; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    }
    if (!library) {
        return psy_fail(PSY_NO_DEVICE, "the Vulkan loader libvulkan.so.1 is not installed (on Debian: libvulkan1 and a driver "
                                       "such as mesa-vulkan-drivers)");
    }
    *(void **)&vk->GetInstanceProcAddr = dlsym(library, "vkGetInstanceProcAddr");
    return vk->GetInstanceProcAddr ? PSY_OK : psy_fail(PSY_NO_DEVICE, "the Vulkan loader has no vkGetInstanceProcAddr");
}

typedef enum level { LEVEL_GLOBAL, LEVEL_INSTANCE, LEVEL_DEVICE } level;

/* All functions of a level; those that are not optional must be there. */
static psy_status find_functions(psy__vulkan_engine *e, level wanted)
{
    psy__vk *vk = &e->vk;
    const char *missing = NULL;
#define FIND(at, lookup, handle, name, needed)                                                                                 \
    if (wanted == (at)) {                                                                                                      \
        vk->name = (PFN_vk##name)lookup((handle), "vk" #name);                                                                 \
        missing = (needed) && !vk->name ? "vk" #name : missing;                                                                \
    }
#define GLOBAL(name)            FIND(LEVEL_GLOBAL, vk->GetInstanceProcAddr, VK_NULL_HANDLE, name, true)
#define INSTANCE(name)          FIND(LEVEL_INSTANCE, vk->GetInstanceProcAddr, e->instance, name, true)
#define INSTANCE_OPTIONAL(name) FIND(LEVEL_INSTANCE, vk->GetInstanceProcAddr, e->instance, name, false)
#define DEVICE(name)            FIND(LEVEL_DEVICE, vk->GetDeviceProcAddr, e->device, name, true)
#define DEVICE_OPTIONAL(name)   FIND(LEVEL_DEVICE, vk->GetDeviceProcAddr, e->device, name, false)
#include "engine/vulkan/functions.def"
    return missing ? psy_fail(PSY_NO_DEVICE, "the Vulkan driver has no %s", missing) : PSY_OK;
}

/* ---- instance ---- */

static VKAPI_ATTR VkBool32 VKAPI_CALL complain(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                               VkDebugUtilsMessageTypeFlagsEXT types,
                                               const VkDebugUtilsMessengerCallbackDataEXT *data, void *context)
{
    psy__vulkan_engine *e = context;
    (void)severity;
    (void)types;
    if (e->complaints++ == 0) {
        snprintf(e->complaint, sizeof e->complaint, "%s", data->pMessage ? data->pMessage : "");
    }
    return VK_FALSE;
}

static bool has_validation_layer(const psy__vk *vk)
{
    VkLayerProperties layers[64];
    uint32_t count = sizeof layers / sizeof layers[0];
    if (vk->EnumerateInstanceLayerProperties(&count, layers) < 0) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(layers[i].layerName, validation_layer) == 0) {
            return true;
        }
    }
    return false;
}

static psy_status make_instance(psy__vulkan_engine *e, bool validate)
{
    static const char *const layers[] = {validation_layer}, *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    static const VkValidationFeatureEnableEXT also[] = {VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = also};
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .pNext = &features,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = complain,
        .pUserData = e};
    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pEngineName = "psyne", .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    if (validate) {
        if (!has_validation_layer(&e->vk)) {
            return psy_fail(PSY_UNSUPPORTED,
                            "the Vulkan validation layers are not installed (on Debian: vulkan-validationlayers)");
        }
        info.pNext = &messenger;
        info.enabledLayerCount = 1;
        info.ppEnabledLayerNames = layers;
        info.enabledExtensionCount = 1;
        info.ppEnabledExtensionNames = extensions;
    }
    VkResult result = e->vk.CreateInstance(&info, NULL, &e->instance);
    if (result != VK_SUCCESS) {
        e->instance = VK_NULL_HANDLE;
        return result == VK_ERROR_INCOMPATIBLE_DRIVER
                   ? psy_fail(
                         PSY_NO_DEVICE,
                         "no Vulkan driver was found (on Debian, mesa-vulkan-drivers has some for GPUs and one for the CPU)")
                   : psy__vulkan_fail(result, "making an instance");
    }
    psy_status status = find_functions(e, LEVEL_INSTANCE);
    if (status == PSY_OK && validate) {
        messenger.pNext = NULL;
        result = e->vk.CreateDebugUtilsMessengerEXT
                     ? e->vk.CreateDebugUtilsMessengerEXT(e->instance, &messenger, NULL, &e->messenger)
                     : VK_ERROR_EXTENSION_NOT_PRESENT;
        status = result == VK_SUCCESS ? PSY_OK : psy__vulkan_fail(result, "listening to the validation layers");
    }
    return status;
}

/* ---- which device ---- */

static int rank_of(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 4;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 3;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 1;
    default: return 0;
    }
}

/* The queue family that computes, or UINT32_MAX. */
static uint32_t find_family(const psy__vulkan_engine *e, VkPhysicalDevice device)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = sizeof families / sizeof families[0];
    e->vk.GetPhysicalDeviceQueueFamilyProperties(device, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* What the engine needs and the device lacks, or NULL. */
static const char *lacks(const psy__vulkan_engine *e, VkPhysicalDevice device, const VkPhysicalDeviceProperties *p)
{
    const VkPhysicalDeviceLimits *l = &p->limits;
    return p->apiVersion < VK_API_VERSION_1_1     ? "Vulkan 1.1"
           : find_family(e, device) == UINT32_MAX ? "a queue that computes"
           : l->maxPerStageDescriptorStorageBuffers < PSY_BIND_COUNT || l->maxDescriptorSetStorageBuffers < PSY_BIND_COUNT
               ? "as many storage buffers as kernels bind"
           : l->maxPushConstantsSize < PSY_PUSH_WORDS * 4 ? "push constants"
           : l->maxComputeWorkGroupInvocations < PSY_KERNEL_GROUP_MAX || l->maxComputeWorkGroupSize[0] < PSY_KERNEL_GROUP_MAX
               ? "workgroups as large as kernels use"
               : NULL;
}

static bool is_wanted(const char *wanted, uint32_t index, const char *name)
{
    char *end;
    unsigned long number = strtoul(wanted, &end, 10);
    return *wanted && *end == '\0' ? number == index : strstr(name, wanted) != NULL;
}

static psy_status choose_device(psy__vulkan_engine *e, const char *wanted)
{
    VkPhysicalDevice devices[DEVICES_MAX];
    VkPhysicalDeviceProperties p;
    uint32_t count = DEVICES_MAX;
    int best = -1;
    char list[DEVICES_MAX * 64] = "";
    VkResult result = e->vk.EnumeratePhysicalDevices(e->instance, &count, devices);
    if (result < 0) {
        return psy__vulkan_fail(result, "listing devices");
    }
    for (uint32_t i = 0; i < count; i++) {
        e->vk.GetPhysicalDeviceProperties(devices[i], &p);
        const char *missing = lacks(e, devices[i], &p);
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%u: %.40s%s%s", i ? ", " : "", i, p.deviceName, missing ? ", which lacks " : "",
                 missing ? missing : "");
        if (!missing && (!wanted || is_wanted(wanted, i, p.deviceName)) && rank_of(p.deviceType) > best) {
            best = rank_of(p.deviceType);
            e->physical = devices[i];
        }
    }
    if (best < 0) {
        return psy_fail(PSY_NO_DEVICE, "there is no Vulkan device%s%s that Psyne can use; there %s %s", wanted ? " " : "",
                        wanted ? wanted : "", count == 1 ? "is" : "are", count ? list : "none at all");
    }
    return PSY_OK;
}

/* ---- what it can do ---- */

static bool has_extension(const psy__vulkan_engine *e, const char *name)
{
    static _Thread_local VkExtensionProperties all[EXTENSIONS_MAX];
    uint32_t count = EXTENSIONS_MAX;
    if (e->vk.EnumerateDeviceExtensionProperties(e->physical, NULL, &count, all) < 0) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(all[i].extensionName, name) == 0) {
            return true;
        }
    }
    return false;
}

static void read_limits(psy__vulkan_engine *e, bool imports, char *driver, size_t driver_bytes)
{
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
    VkPhysicalDeviceDriverProperties driver_is = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &subgroup};
    void **end = &subgroup.pNext;
    if (imports) {
        *end = &host;
        end = &host.pNext;
    }
    if (has_extension(e, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME)) {
        *end = &driver_is;
    }
    e->vk.GetPhysicalDeviceProperties2(e->physical, &all);
    const VkPhysicalDeviceLimits *from = &all.properties.limits;
    psy__vulkan_limits *l = &e->device_limits;
    l->offset_align = from->minStorageBufferOffsetAlignment;
    l->range = from->maxStorageBufferRange & ~UINT64_C(63);
    l->window = l->range / 2 / 4096 * 4096;
    l->import_align = imports ? host.minImportedHostPointerAlignment : 0;
    bool is_cpu = all.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    for (unsigned i = 0; i < 3; i++) {
        l->groups[i] = from->maxComputeWorkGroupCount[i] < 65535 ? from->maxComputeWorkGroupCount[i] : 65535;
    }
    /* llvmpipe ends loops silently after 65,535 iterations, counted over all loops of an invocation. */
    l->trips = is_cpu ? 60000 : UINT32_MAX;
    /* On a CPU every subgroup of a workgroup takes its turn at every barrier: one is best. */
    e->group_size = PSY_KERNEL_GROUP_MAX;
    while (is_cpu && e->group_size > 4 && e->group_size > subgroup.subgroupSize) {
        e->group_size /= 2;
    }
    snprintf(driver, driver_bytes, "%.120s%s%.120s%s", all.properties.deviceName, driver_is.driverInfo[0] ? ", " : "",
             driver_is.driverInfo, is_cpu ? ", on the CPU" : "");
}

static psy_status make_device(psy__vulkan_engine *e, bool may_import)
{
    static const char *const extensions[] = {VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME};
    bool imports = may_import && has_extension(e, extensions[0]);
    char driver[300];
    read_limits(e, imports, driver, sizeof driver);
    VkPhysicalDeviceFeatures has, wanted = {0};
    e->vk.GetPhysicalDeviceFeatures(e->physical, &has);
    wanted.robustBufferAccess = has.robustBufferAccess;
    float priority = 1;
    uint32_t family = find_family(e, e->physical);
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = imports ? 1 : 0,
                               .ppEnabledExtensionNames = extensions,
                               .pEnabledFeatures = &wanted};
    VkResult result = e->vk.CreateDevice(e->physical, &info, NULL, &e->device);
    if (result != VK_SUCCESS) {
        e->device = VK_NULL_HANDLE;
        return psy__vulkan_fail(result, "opening the device");
    }
    psy_status status = find_functions(e, LEVEL_DEVICE);
    if (status != PSY_OK) {
        return status;
    }
    if (imports && !e->vk.GetMemoryHostPointerPropertiesEXT) {
        e->device_limits.import_align = 0;
    }
    e->vk.GetPhysicalDeviceMemoryProperties(e->physical, &e->memory_types);
    e->vk.GetDeviceQueue(e->device, family, 0, &e->queue);
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = family};
    result = e->vk.CreateCommandPool(e->device, &pool, NULL, &e->pool);
    VkCommandBufferAllocateInfo buffers = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = e->pool,
                                           .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                           .commandBufferCount = 1};
    result = result == VK_SUCCESS ? e->vk.AllocateCommandBuffers(e->device, &buffers, &e->commands) : result;
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    result = result == VK_SUCCESS ? e->vk.CreateFence(e->device, &fence, NULL, &e->fence) : result;
    snprintf(e->description, sizeof e->description, "vulkan (%s; slabs %s)", driver,
             e->device_limits.import_align ? "imported" : "copied");
    return result == VK_SUCCESS ? PSY_OK : psy__vulkan_fail(result, "opening the device");
}

/* What all kernels have in common: the interface of codegen/kernel.h. */
static psy_status make_layout(psy__vulkan_engine *e)
{
    VkDescriptorSetLayoutBinding bindings[PSY_BIND_COUNT];
    for (uint32_t i = 0; i < PSY_BIND_COUNT; i++) {
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                     .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                     .descriptorCount = 1,
                                                     .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    }
    VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = PSY_BIND_COUNT, .pBindings = bindings};
    VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = PSY_PUSH_WORDS * 4};
    VkResult result = e->vk.CreateDescriptorSetLayout(e->device, &set, NULL, &e->set_layout);
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &e->set_layout,
                                         .pushConstantRangeCount = 1,
                                         .pPushConstantRanges = &push};
    result = result == VK_SUCCESS ? e->vk.CreatePipelineLayout(e->device, &layout, NULL, &e->layout) : result;
    return result == VK_SUCCESS ? PSY_OK : psy__vulkan_fail(result, "making the kernels' interface");
}

psy_status psy__vulkan_open(const psy__engine_options *options, psy__engine **out)
{
    static const psy__engine_options defaults;
    const psy__engine_options *o = options ? options : &defaults;
    psy__vulkan_engine *e = calloc(1, sizeof *e);
    if (!e) {
        return psy_fail(PSY_NO_MEMORY, "no memory for the vulkan engine");
    }
    e->base.interface = &psy__engine_vulkan;
    e->max_batch = o->max_batch ? o->max_batch : 64;
    e->limits = o->limits;
    psy_status status = find_loader(&e->vk);
    status = status == PSY_OK ? find_functions(e, LEVEL_GLOBAL) : status;
    status = status == PSY_OK ? make_instance(e, o->validate) : status;
    status = status == PSY_OK ? choose_device(e, o->device) : status;
    status = status == PSY_OK ? make_device(e, !o->no_import) : status;
    status = status == PSY_OK ? make_layout(e) : status;
    status = status == PSY_OK ? psy__vulkan_silent(e) : status;
    if (status != PSY_OK) {
        psy__vulkan_close(&e->base);
        return status;
    }
    *out = &e->base;
    return PSY_OK;
}

void psy__vulkan_close(psy__engine *engine)
{
    psy__vulkan_engine *e = (psy__vulkan_engine *)engine;
    while (e->memory_count > 0) {
        psy__vulkan_detach(engine, e->memories[0].base);
    }
    free(e->memories);
    if (e->device && e->vk.DestroyDevice) {
        e->vk.DestroyFence(e->device, e->fence, NULL);
        e->vk.DestroyCommandPool(e->device, e->pool, NULL);
        e->vk.DestroyPipelineLayout(e->device, e->layout, NULL);
        e->vk.DestroyDescriptorSetLayout(e->device, e->set_layout, NULL);
        e->vk.DestroyDevice(e->device, NULL);
    }
    if (e->instance && e->vk.DestroyInstance) {
        if (e->messenger && e->vk.DestroyDebugUtilsMessengerEXT) {
            e->vk.DestroyDebugUtilsMessengerEXT(e->instance, e->messenger, NULL);
        }
        e->vk.DestroyInstance(e->instance, NULL);
    }
    free(e);
}
