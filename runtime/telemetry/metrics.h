/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as metrics: their names, which come from counters.def, and the text that Prometheus and others read (the text format
 * 0.0.4 of Prometheus, and OpenMetrics 1.0).
 *
 * Thread safety: none is needed; nothing is kept. */
#ifndef PSY_TELEMETRY_METRICS_H
#define PSY_TELEMETRY_METRICS_H

#include <stdio.h>

#include "telemetry/ledger.h"

/* A family of metrics. */
typedef struct psy__family {
    char name[80];           /* without what samples add: _total, _bucket, _sum, _count */
    const char *type;        /* counter, gauge, histogram, info */
    const char *unit;        /* seconds, bytes, or "" */
    const char *help;        /* one line */
    const char *labels;      /* for people: "service, pipeline"; "-": none */
    uint32_t section, place; /* where its values are; PSY_LEDGER_OF_NOTHING: of the ledger itself */
    uint32_t kind;
} psy__family;

enum { PSY_LEDGER_OF_NOTHING = PSY_LEDGER_OF_FILLS + 1 };

/* All there are, in the order in which they are written. False: beyond the last. */
bool psy__family_at(uint32_t i, psy__family *out);

/* Writes all that the ledger has. Errors are `to`'s. */
void psy__metrics_write(const psy__ledger *ledger, const char *version, bool open_metrics, FILE *to);

/* The bounds of the buckets that are written: some of those that are counted, two an octave. */
enum { PSY_LATENCY_LES = 57 };
uint32_t psy__latency_le(uint32_t i); /* the bucket whose bound is the i-th */

/* A pipeline's buckets, put together of its entries: the number of parts that are there. */
uint32_t psy__metrics_buckets(const psy__ledger *ledger, const char *label, uint64_t buckets[PSY_LATENCY_BUCKETS]);

#endif
