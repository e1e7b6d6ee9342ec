/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/engine.h"

#include <string.h>

static const psy__engine_interface *const engines[] = {
    &psy__engine_cpu,
#ifdef PSY_HAVE_VULKAN
    &psy__engine_vulkan,
#endif
};

psy_status psy__engine_open(const char *name, const psy__engine_options *options, psy__engine **out)
{
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        if (strcmp(engines[i]->name, name) == 0) {
            return engines[i]->open(options, out);
        }
    }
    if (strcmp(name, "vulkan") == 0) {
        return psy_fail(PSY_UNSUPPORTED, "this library was built without the vulkan engine; there is: cpu");
    }
    return psy_fail(PSY_NOT_FOUND, "there is no engine \"%s\"; there are: cpu%s", name,
                    sizeof engines / sizeof engines[0] > 1 ? ", vulkan" : "");
}
