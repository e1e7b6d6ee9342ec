/* SPDX-License-Identifier: Apache-2.0 */
#include "service/payloads.h"

#include <stdlib.h>

uint32_t psy__payloads_worth_bytes(uint32_t shards) { return shards < 3 ? 4096 : 1024; }

psy_status psy__payloads_begin(psy__payloads *p, uint64_t stride, uint32_t tickets, uint32_t shards, uint32_t least_bytes)
{
    least_bytes = least_bytes ? least_bytes : psy__payloads_worth_bytes(shards);
    *p = (psy__payloads){.stride = stride, .least_bytes = least_bytes};
    if (shards < 2 || stride < least_bytes) {
        return PSY_OK;
    }
    uint32_t slots = 2;
    while (slots < tickets && 2 * slots * stride <= PSY_PAYLOADS_BYTES) {
        slots *= 2;
    }
    p->held = calloc(slots, sizeof *p->held);
    if (!p->held) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u payloads", slots);
    }
    psy_slab_options options = {.bytes = slots * stride, .name = "psyne-payloads"};
    psy_status status = psy_slab_create(&options, &p->slab);
    if (status == PSY_OK) {
        p->data = psy_slab_data(p->slab);
        p->slots = slots;
    }
    return status;
}

void psy__payloads_end(psy__payloads *p)
{
    psy_slab_destroy(p->slab);
    free(p->held);
    *p = (psy__payloads){.slab = NULL};
}
