/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/data.h"

#include <inttypes.h>
#include <string.h>

#include "telemetry/metrics.h"

/* Also within <script>: no text ends an element. */
static void put_text(const char *text, size_t n, FILE *to)
{
    fputc('"', to);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == '<' || c == 0x7f) {
            fprintf(to, "\\u%04x", c);
        } else {
            fprintf(to, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
        }
    }
    fputc('"', to);
}

static void put_who(const psy__ledger_entry *e, FILE *to)
{
    const char *rest;
    const size_t n = psy__ledger_service(e, &rest);
    fputs("\"service\":", to);
    put_text(e->label, n, to);
    fputs(",\"name\":", to);
    put_text(rest, strlen(rest), to);
    fprintf(to, ",\"living\":%" PRIu32, e->living);
}

static const char *section_name(uint32_t section)
{
    const psy_counters_descriptor *d;
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->kind == PSY_COUNTERS_SECTION && d->section == section) {
            return d->name;
        }
    }
    return "fill";
}

static void put_entry(const psy__ledger_entry *e, FILE *to)
{
    const psy_counters_descriptor *d;
    fprintf(to, "{\"section\":\"%s\",", section_name(e->section));
    put_who(e, to);
    fprintf(to, ",\"side\":%" PRIu32 ",\"values\":{", e->side);
    if (e->section == PSY_LEDGER_OF_FILLS) {
        fprintf(to, "\"used\":%" PRIu64 ",\"slots\":%" PRIu64, e->values[PSY_FILL_USED], e->values[PSY_FILL_SLOTS]);
    }
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->section == e->section && d->kind != PSY_COUNTERS_SECTION) {
            fprintf(to, "%s\"%s\":%" PRIu64, d->place ? "," : "", d->name, e->values[d->place]);
        }
    }
    fputs("}}", to);
}

static void put_latency(const psy__ledger *l, const psy__ledger_entry *e, FILE *to)
{
    uint64_t buckets[PSY_LATENCY_BUCKETS];
    const char *between = "";
    (void)psy__metrics_buckets(l, e->label, buckets);
    fputc('{', to);
    put_who(e, to);
    fputs(",\"buckets\":[", to);
    for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        if (buckets[i]) {
            fprintf(to, "%s[%" PRIu32 ",%" PRIu64 "]", between, i, buckets[i]);
            between = ",";
        }
    }
    fputs("]}", to);
}

void psy__data_write(const psy__ledger *l, const char *version, FILE *to)
{
    const psy__ledger_entry *e;
    uint32_t processes = 0;
    while (psy__ledger_process_at(l, processes)) {
        processes++;
    }
    fprintf(to, "{\"taken_ns\":%" PRIu64 ",\"version\":", psy__ledger_taken_ns(l));
    put_text(version, strlen(version), to);
    fprintf(to, ",\"processes\":%" PRIu32 ",\"dead_files\":%" PRIu32 ",\"unreadable_files\":%" PRIu32 ",\"bounds_ns\":[",
            processes, psy__ledger_dead(l), psy__ledger_bad(l));
    for (uint32_t i = 0; i + 1 < PSY_LATENCY_BUCKETS; i++) {
        fprintf(to, "%s%" PRIu64, i ? "," : "", psy_latency_bound_ns(i));
    }
    fputs("],\"entries\":[", to);
    const char *between = "";
    for (uint32_t i = 0; (e = psy__ledger_entry_at(l, i)) != NULL; i++) {
        if (e->section != PSY_COUNTERS_OF_LATENCY) {
            fputs(between, to);
            put_entry(e, to);
            between = ",";
        }
    }
    fputs("],\"latencies\":[", to);
    between = "";
    for (uint32_t i = 0; (e = psy__ledger_entry_at(l, i)) != NULL; i++) {
        if (e->section == PSY_COUNTERS_OF_LATENCY && e->side == 0) {
            fputs(between, to);
            put_latency(l, e, to);
            between = ",";
        }
    }
    fputs("]}\n", to);
}
