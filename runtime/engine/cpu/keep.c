/* SPDX-License-Identifier: Apache-2.0 */
/* For who looks at what a program computes: every value stays. Steps, blocks and kernels are those of a run that nobody looks
 * at; only the places of results differ. What lives in a region's block buffers is written to memory instead, block by block.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "engine/cpu/cpu.h"

static const uint64_t bytes_default = UINT64_C(1) << 30;

psy_status psy__keep_all(psy__bound_program *bound, const psy__limits *limits)
{
    const uint64_t most = limits->arena_bytes ? limits->arena_bytes : bytes_default;
    const uint32_t count = bound->program->register_count;
    psy__slot *slots = calloc(count + 1u, sizeof *slots);
    if (!slots) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    free(bound->slots);
    bound->slots = slots;
    bound->message_arena_bytes = bound->uniform_arena_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        psy__bound_register *r = &bound->registers[i];
        if (r->root != i || (r->home != PSY_HOME_SLOT && r->home != PSY_HOME_REGION)) {
            continue;
        }
        uint64_t *arena = r->batched ? &bound->message_arena_bytes : &bound->uniform_arena_bytes, bytes = 0;
        if (__builtin_mul_overflow(r->count, (uint64_t)psy_dtype_bytes(r->dtype), &bytes) || *arena >= most ||
            bytes > most - *arena) {
            return psy_fail(PSY_TOO_LARGE, "program %s: all of its values together are over the limit of %" PRIu64 " bytes",
                            psy__module_string(bound->module, bound->program->name), most);
        }
        bytes = (bytes + 63) & ~UINT64_C(63);
        slots[i] = (psy__slot){bytes, *arena, r->batched};
        r->home = PSY_HOME_SLOT;
        r->slot = (uint16_t)i;
        *arena += bytes;
    }
    psy__bound_views(bound);
    return PSY_OK;
}

const void *psy__cpu_value(psy__executable *executable, uint32_t reg, uint32_t message)
{
    return psy__register_at((psy__cpu_executable *)executable, reg, message);
}
