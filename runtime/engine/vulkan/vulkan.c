/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/vulkan/vulkan.h"

static const char *vulkan_describe(psy__engine *engine) { return ((psy__vulkan_engine *)engine)->description; }
static uint64_t vulkan_copied(psy__engine *engine) { return ((psy__vulkan_engine *)engine)->copied; }

const psy__engine_interface psy__engine_vulkan = {
    .name = "vulkan",
    .open = psy__vulkan_open,
    .close = psy__vulkan_close,
    .describe = vulkan_describe,
    .attach = psy__vulkan_attach,
    .detach = psy__vulkan_detach,
    .supports = psy__vulkan_supports,
    .bind = psy__vulkan_bind,
    .run = psy__vulkan_run,
    .unbind = psy__vulkan_unbind,
    .copied_bytes = vulkan_copied,
};
