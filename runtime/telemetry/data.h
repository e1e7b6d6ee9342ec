/* SPDX-License-Identifier: Apache-2.0 */
/* What the page with live plots reads, as JSON:
 *
 *   {"taken_ns": N, "version": "...", "bounds_ns": [128, 160, ...], "processes": N, "dead_files": N, "unreadable_files": N,
 *    "entries": [{"section": "service", "service": "nearest", "name": "", "side": 0, "living": 1, "values": {"requests": 7}},
 * ...], "latencies": [{"service": "nearest", "name": "words", "living": 8, "buckets": [[13, 500], ...]}, ...]}
 *
 * Counters are those of the ledger, which never go back. Buckets: number and count of those that are not empty; bucket i is
 * below bounds_ns[i], the one beyond the last has no bound. */
#ifndef PSY_TELEMETRY_DATA_H
#define PSY_TELEMETRY_DATA_H

#include <stdio.h>

#include "telemetry/ledger.h"

void psy__data_write(const psy__ledger *ledger, const char *version, FILE *to);

#endif
