/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/metrics.h"

#include <inttypes.h>
#include <string.h>

/* ---- names ---- */

/* Sections as parts of names, and what tells their things apart. The service itself is what is meant where nothing is said. */
static const struct {
    const char *name, *labels;
} sections[PSY_LEDGER_OF_NOTHING] = {
    [PSY_COUNTERS_OF_RING] = {"ring_", "service, ring, side"},
    [PSY_COUNTERS_OF_SERVICE] = {"", "service"},
    [PSY_COUNTERS_OF_WORKER] = {"worker_", "service, shard"},
    [PSY_COUNTERS_OF_BATCH] = {"batch_", "service, shard"},
    [PSY_COUNTERS_OF_PIPELINE] = {"pipeline_", "service, pipeline"},
    [PSY_COUNTERS_OF_LATENCY] = {"latency_", "service, pipeline"},
    [PSY_COUNTERS_OF_SLAB] = {"slab_", "service, slab"},
    [PSY_COUNTERS_OF_SUPERVISOR] = {"supervisor_", "service"},
    [PSY_COUNTERS_OF_GUARD] = {"guard_", "service"},
    [PSY_COUNTERS_OF_DATA] = {"data_", "service"},
    [PSY_COUNTERS_OF_RESIDENT] = {"resident_", "service, resident, shard"},
    [PSY_LEDGER_OF_FILLS] = {"ring_", "service, ring"},
};

/* Of the ledger itself: the places of what is no entry's value. */
enum { OWN_UP, OWN_PROCESSES, OWN_SILENCE, OWN_DEAD, OWN_BAD, OWN_IGNORED, OWN_BUILD };

/* What is no row of counters.def. */
static const psy__family more[] = {
    {"psyne_batch_requests", "histogram", "", "requests in one run of a shard's part of a pipeline", "service, shard",
     PSY_COUNTERS_OF_BATCH, 0, PSY_COUNTERS_COUNTER},
    {"psyne_latency_seconds", "histogram", "seconds", "time from a request's coming to the broker to its end there",
     "service, pipeline", PSY_COUNTERS_OF_LATENCY, 0, PSY_COUNTERS_COUNTER},
    {"psyne_ring_fill", "gauge", "", "slots of the ring that are in use, of those in psyne_ring_slots", "service, ring",
     PSY_LEDGER_OF_FILLS, PSY_FILL_USED, PSY_COUNTERS_GAUGE},
    {"psyne_ring_slots", "gauge", "", "slots that the ring has", "service, ring", PSY_LEDGER_OF_FILLS, PSY_FILL_SLOTS,
     PSY_COUNTERS_GAUGE},
    {"psyne_up", "gauge", "", "1: a broker of the service lives; 0: it has died or gone", "service", PSY_LEDGER_OF_NOTHING,
     OWN_UP, 0},
    {"psyne_processes", "gauge", "", "living processes that have a file of counters", "-", PSY_LEDGER_OF_NOTHING, OWN_PROCESSES,
     0},
    {"psyne_silence_seconds", "gauge", "seconds", "time since a process last said that it is at work", "process, pid",
     PSY_LEDGER_OF_NOTHING, OWN_SILENCE, 0},
    {"psyne_dead_files", "gauge", "", "files of counters that dead processes left", "-", PSY_LEDGER_OF_NOTHING, OWN_DEAD, 0},
    {"psyne_unreadable_files", "gauge", "", "files of counters that could not be read", "-", PSY_LEDGER_OF_NOTHING, OWN_BAD, 0},
    {"psyne_ignored_rows", "gauge", "", "rows of counters beyond the number that is looked at", "-", PSY_LEDGER_OF_NOTHING,
     OWN_IGNORED, 0},
    {"psyne_build", "info", "", "what says this", "version", PSY_LEDGER_OF_NOTHING, OWN_BUILD, 0},
};

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* A value of the table; false: it is part of a histogram, or nothing that is written. */
static bool family_of(const psy_counters_descriptor *d, psy__family *out)
{
    if (d->kind == PSY_COUNTERS_SECTION || d->kind == PSY_COUNTERS_POSITION || d->section == PSY_COUNTERS_OF_BATCH ||
        d->section == PSY_COUNTERS_OF_LATENCY ||
        (d->section == PSY_COUNTERS_OF_PIPELINE && d->place == PSY_PIPELINE_COUNTER_latency)) {
        return false;
    }
    const char *unit = strcmp(d->unit, "ns") == 0 ? "seconds" : strcmp(d->unit, "bytes") == 0 ? "bytes" : "";
    *out = (psy__family){.type = d->kind == PSY_COUNTERS_COUNTER ? "counter" : "gauge",
                         .unit = unit,
                         .help = d->help,
                         .labels = sections[d->section].labels,
                         .section = d->section,
                         .place = d->place,
                         .kind = d->kind};
    const bool said = !*unit || ends_in(d->name, unit);
    snprintf(out->name, sizeof out->name, "psyne_%s%s%s%s", sections[d->section].name, d->name, said ? "" : "_",
             said ? "" : unit);
    return true;
}

bool psy__family_at(uint32_t i, psy__family *out)
{
    const psy_counters_descriptor *d;
    for (uint32_t k = 0; (d = psy_counters_table(k)) != NULL; k++) {
        if (family_of(d, out) && i-- == 0) {
            return true;
        }
    }
    if (i >= sizeof more / sizeof more[0]) {
        return false;
    }
    *out = more[i];
    return true;
}

/* ---- text ---- */

/* A label's value. */
static void put_value(const char *text, size_t n, FILE *to)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            fputc('\\', to);
        }
        fputc(text[i], to); /* there are no control characters */
    }
}

/* What an entry is about, without the closing brace. */
static void put_labels(const psy__ledger_entry *e, FILE *to)
{
    const char *rest;
    const size_t n = psy__ledger_service(e, &rest);
    fputs("{service=\"", to);
    put_value(e->label, n, to);
    fputc('"', to);
    const char *name = e->section == PSY_COUNTERS_OF_RING || e->section == PSY_LEDGER_OF_FILLS           ? "ring"
                       : e->section == PSY_COUNTERS_OF_SLAB                                              ? "slab"
                       : e->section == PSY_COUNTERS_OF_RESIDENT                                          ? "resident"
                       : e->section == PSY_COUNTERS_OF_PIPELINE || e->section == PSY_COUNTERS_OF_LATENCY ? "pipeline"
                                                                                                         : NULL;
    if (name) {
        fprintf(to, ",%s=\"", name);
        put_value(rest, strlen(rest), to);
        fputc('"', to);
    }
    if (e->section == PSY_COUNTERS_OF_RING) {
        fprintf(to, ",side=\"%s\"", e->side ? "consumer" : "producer");
    } else if (e->section == PSY_COUNTERS_OF_WORKER || e->section == PSY_COUNTERS_OF_BATCH ||
               e->section == PSY_COUNTERS_OF_RESIDENT) {
        fprintf(to, ",shard=\"%" PRIu32 "\"", e->side);
    }
}

/* Nanoseconds as seconds, exactly and without zeroes at the end. */
static void put_seconds(uint64_t ns, FILE *to)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
    while (text[n - 1] == '0' && text[n - 2] != '.') {
        n--;
    }
    fprintf(to, "%.*s", n, text);
}

static void put_number(const psy__family *f, uint64_t value, FILE *to)
{
    if (strcmp(f->unit, "seconds") == 0) {
        put_seconds(value, to);
    } else {
        fprintf(to, "%" PRIu64, value);
    }
}

static void put_head(const psy__family *f, bool open, FILE *to)
{
    const bool total = strcmp(f->type, "counter") == 0 && !open, info = strcmp(f->type, "info") == 0;
    const char *end = total ? "_total" : info && !open ? "_info" : "";
    fprintf(to, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name, end, f->help, f->name, end, info && !open ? "gauge" : f->type);
    if (open && *f->unit) {
        fprintf(to, "# UNIT %s %s\n", f->name, f->unit);
    }
}

uint32_t psy__latency_le(uint32_t i) { return 4 + 2 * i; } /* 256 ns, 384, 512 ... 2^36 ns */
static_assert(4 + 2 * (PSY_LATENCY_LES - 1) == 4 * 29, "the last bound is 2^36 ns: 69 seconds");

uint32_t psy__metrics_buckets(const psy__ledger *l, const char *label, uint64_t buckets[PSY_LATENCY_BUCKETS])
{
    uint32_t parts = 0;
    memset(buckets, 0, PSY_LATENCY_BUCKETS * sizeof *buckets);
    for (uint32_t k = 0; k < PSY_LATENCY_PARTS; k++) {
        const psy__ledger_entry *e = psy__ledger_find(l, PSY_COUNTERS_OF_LATENCY, label, k);
        parts += e != NULL;
        for (uint32_t i = 0; e && i < PSY_COUNTERS_VALUES && k * PSY_COUNTERS_VALUES + i < PSY_LATENCY_BUCKETS; i++) {
            buckets[k * PSY_COUNTERS_VALUES + i] = e->values[i];
        }
    }
    return parts;
}

/* Samples of a histogram have count as the sum of the buckets, so that they agree whatever came while they were read. */
static void put_latency(const psy__family *f, const psy__ledger *l, const psy__ledger_entry *e, FILE *to)
{
    uint64_t buckets[PSY_LATENCY_BUCKETS], below = 0;
    if (e->side != 0 || psy__metrics_buckets(l, e->label, buckets) < PSY_LATENCY_PARTS) {
        return;
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        below += buckets[i];
        if (next < PSY_LATENCY_LES && psy__latency_le(next) == i) {
            fprintf(to, "%s_bucket", f->name);
            put_labels(e, to);
            fputs(",le=\"", to);
            put_seconds(psy_latency_bound_ns(i), to);
            fprintf(to, "\"} %" PRIu64 "\n", below);
            next++;
        }
    }
    fprintf(to, "%s_bucket", f->name);
    put_labels(e, to);
    fprintf(to, ",le=\"+Inf\"} %" PRIu64 "\n%s_sum", below, f->name);
    put_labels(e, to);
    const psy__ledger_entry *sum = psy__ledger_find(l, PSY_COUNTERS_OF_PIPELINE, e->label, 0);
    fputs("} ", to);
    put_seconds(sum ? sum->values[PSY_PIPELINE_COUNTER_latency] : 0, to);
    fprintf(to, "\n%s_count", f->name);
    put_labels(e, to);
    fprintf(to, "} %" PRIu64 "\n", below);
}

static void put_batch(const psy__family *f, const psy__ledger *l, const psy__ledger_entry *e, FILE *to)
{
    uint64_t below = 0;
    for (uint32_t i = 0; i < PSY_BATCH_COUNTERS; i++) {
        below += e->values[i];
        fprintf(to, "%s_bucket", f->name);
        put_labels(e, to);
        fprintf(to, ",le=\"%" PRIu64 ".0\"} %" PRIu64 "\n", UINT64_C(1) << i, below);
    }
    fprintf(to, "%s_bucket", f->name);
    put_labels(e, to);
    const psy__ledger_entry *sum = psy__ledger_find(l, PSY_COUNTERS_OF_WORKER, e->label, e->side);
    fprintf(to, ",le=\"+Inf\"} %" PRIu64 "\n%s_sum", below, f->name);
    put_labels(e, to);
    fprintf(to, "} %" PRIu64 "\n%s_count", sum ? sum->values[PSY_WORKER_COUNTER_requests] : 0, f->name);
    put_labels(e, to);
    fprintf(to, "} %" PRIu64 "\n", below);
}

/* The longest silence of any file of the process, told at the first of them. */
static void put_silence(const psy__family *f, const psy__ledger *l, uint32_t at, FILE *to)
{
    const psy__ledger_process *p = psy__ledger_process_at(l, at), *other;
    uint64_t ns = 0;
    for (uint32_t i = 0; (other = psy__ledger_process_at(l, i)) != NULL; i++) {
        if (other->pid == p->pid && strcmp(other->name, p->name) == 0) {
            if (i < at) {
                return;
            }
            ns = ns > other->silent_ns ? ns : other->silent_ns;
        }
    }
    fprintf(to, "%s{process=\"", f->name);
    put_value(p->name, strlen(p->name), to);
    fprintf(to, "\",pid=\"%" PRIu32 "\"} ", p->pid);
    put_seconds(ns, to);
    fputc('\n', to);
}

/* What is no entry's. */
static void put_own(const psy__family *f, const psy__ledger *l, const char *version, FILE *to)
{
    const psy__ledger_entry *e;
    uint32_t processes = 0;
    while (psy__ledger_process_at(l, processes)) {
        processes++;
    }
    switch (f->place) {
    case OWN_UP:
        for (uint32_t i = 0; (e = psy__ledger_entry_at(l, i)) != NULL; i++) {
            if (e->section == PSY_COUNTERS_OF_SERVICE) {
                fputs(f->name, to);
                put_labels(e, to);
                fprintf(to, "} %d\n", e->living > 0);
            }
        }
        break;
    case OWN_SILENCE:
        for (uint32_t i = 0; i < processes; i++) {
            put_silence(f, l, i, to);
        }
        break;
    case OWN_BUILD:
        fprintf(to, "%s_info{version=\"", f->name);
        put_value(version, strlen(version), to);
        fputs("\"} 1\n", to);
        break;
    case OWN_PROCESSES: fprintf(to, "%s %" PRIu32 "\n", f->name, processes); break;
    case OWN_DEAD: fprintf(to, "%s %" PRIu32 "\n", f->name, psy__ledger_dead(l)); break;
    case OWN_BAD: fprintf(to, "%s %" PRIu32 "\n", f->name, psy__ledger_bad(l)); break;
    case OWN_IGNORED: fprintf(to, "%s %" PRIu64 "\n", f->name, psy__ledger_ignored(l)); break;
    default: break;
    }
}

static void put_entry(const psy__family *f, const psy__ledger *l, const psy__ledger_entry *e, FILE *to)
{
    if (f->section == PSY_COUNTERS_OF_LATENCY) {
        put_latency(f, l, e, to);
    } else if (f->section == PSY_COUNTERS_OF_BATCH) {
        put_batch(f, l, e, to);
    } else if (f->kind == PSY_COUNTERS_COUNTER || e->living) { /* what was in use by the dead is in use no more */
        fprintf(to, "%s%s", f->name, f->kind == PSY_COUNTERS_COUNTER ? "_total" : "");
        put_labels(e, to);
        fputs("} ", to);
        put_number(f, e->values[f->place], to);
        fputc('\n', to);
    }
}

void psy__metrics_write(const psy__ledger *l, const char *version, bool open, FILE *to)
{
    psy__family f;
    const psy__ledger_entry *e;
    for (uint32_t i = 0; psy__family_at(i, &f); i++) {
        put_head(&f, open, to);
        if (f.section == PSY_LEDGER_OF_NOTHING) {
            put_own(&f, l, version, to);
        }
        for (uint32_t k = 0; (e = psy__ledger_entry_at(l, k)) != NULL; k++) {
            if (e->section == f.section) {
                put_entry(&f, l, e, to);
            }
        }
    }
    if (open) {
        fputs("# EOF\n", to);
    }
}
