/* SPDX-License-Identifier: Apache-2.0 */
#include "service/counting.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem/counters_folder.h"

void psy__counting_init(psy__counting *counting, psy_counters *counters, const char *uri)
{
    static const char suffix[] = ".sock";
    const char *slash = strrchr(uri, '/'), *name = slash ? slash + 1 : uri;
    size_t n = strlen(name), rest = sizeof suffix - 1;
    n -= n > rest && strcmp(name + n - rest, suffix) == 0 ? rest : 0;
    *counting = (psy__counting){.counters = counters};
    psy__counters_text(counting->service, sizeof counting->service, name, n);
}

void psy__counting_begin(psy__counting *counting, psy_ring *ring, const psy_slab *slab, const char *format, ...)
{
    if (!counting->counters) {
        return;
    }
    char label[PSY_COUNTERS_LABEL_BYTES];
    int n = snprintf(label, sizeof label, "%s/", counting->service);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(label + n, sizeof label - (size_t)n, format, arguments);
    va_end(arguments);
    uint64_t offset = (uint64_t)((const uint8_t *)ring->header - (const uint8_t *)psy_slab_data(slab));
    psy_counters_place place = {.label = label,
                                .ring = psy_counters_ring_id(psy_slab_epoch(slab), offset),
                                .side = ring->side,
                                .seat = ring->seat.number,
                                .stride = ring->stride,
                                .slots = ring->slots};
    psy_ring_counters *row;
    if (psy_counters_ring(counting->counters, &place, &row) == PSY_OK) {
        psy_ring_set_counters(ring, row);
    } else {
        counting->uncounted++;
    }
}

void psy__counting_end(psy__counting *counting, psy_ring *ring)
{
    psy_ring_counters *row = ring->counters;
    if (row) {
        psy_ring_set_counters(ring, NULL);
        psy_counters_drop(counting->counters, row);
    }
}
