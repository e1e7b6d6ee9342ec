/* SPDX-License-Identifier: Apache-2.0 */
/* From a program's regions to machine code, when the program is bound. */
#include <stdlib.h>
#include <sys/mman.h>

#include "engine/cpu/chain.h"
#include "engine/cpu/emit.h"

/* Results of so many bytes are not kept in the caches. */
static const uint64_t past_caches_bytes = UINT64_C(16) << 20;

static void emit_region(psy__cpu_executable *x, psy__region *r, psy__chain *chain, psy__code *code)
{
    uint64_t bytes = 4;
    for (uint32_t d = 0; d < r->rank; d++) {
        bytes *= r->dims[d];
    }
    if (r->rank == 0 || r->dims[r->rank - 1] < x->code_lanes || !psy__chain_of(r, chain)) {
        return;
    }
    psy__region_code *c = &r->code;
    c->emitted = psy__emit(code, chain, x->code_lanes, false, &c->offset);
    c->past_caches =
        c->emitted && bytes >= past_caches_bytes && psy__emit(code, chain, x->code_lanes, true, &c->offset_past_caches);
    c->stream_count = chain->stream_count;
    for (uint32_t s = 0; s < chain->stream_count; s++) {
        c->streams[s] = chain->streams[s].operand;
        c->written |= (uint32_t)chain->streams[s].written << s;
        c->uniform |= (uint32_t)chain->streams[s].uniform << s;
    }
}

void psy__regions_emit(psy__cpu_executable *x)
{
    psy__code code = {0};
    psy__chain *chain = x->code_lanes ? malloc(sizeof *chain) : NULL;
    for (uint32_t i = 0; chain && i < x->step_count; i++) {
        if (x->steps[i].kind == PSY__STEP_REGION) {
            emit_region(x, &x->steps[i].region, chain, &code);
        }
    }
    free(chain);
    if (!psy__code_seal(&code)) {
        psy__code_free(&code);
        return;
    }
    x->code = code.sealed;
    x->code_bytes = code.sealed_bytes;
    for (uint32_t i = 0; i < x->step_count; i++) {
        psy__region_code *c = &x->steps[i].region.code;
        c->run = c->emitted ? (psy__emitted *)(uintptr_t)(x->code + c->offset) : NULL;
        c->run_past_caches = c->past_caches ? (psy__emitted *)(uintptr_t)(x->code + c->offset_past_caches) : NULL;
    }
}

void psy__regions_forget(psy__cpu_executable *x)
{
    if (x->code) {
        munmap(x->code, x->code_bytes);
    }
}
