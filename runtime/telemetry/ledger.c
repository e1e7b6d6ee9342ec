/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How long a row that is not seen any more is kept for itself (a file may have been unreadable for a moment), and an entry of
 * which nothing is seen. */
static const uint64_t row_kept_ns = UINT64_C(60000000000), entry_kept_ns = UINT64_C(300000000000);

/* A row of one user, of one file: the same as long as these three are. */
typedef struct source {
    uint64_t epoch, generation;
    uint32_t number;
    bool seen, alive;
    uint64_t seen_ns;
    uint32_t section, side;
    char label[PSY_COUNTERS_LABEL_BYTES];
    uint64_t values[PSY_COUNTERS_VALUES];
} source;

struct psy__ledger {
    source *sources; /* sorted */
    size_t source_count;
    psy__ledger_entry *entries; /* sorted */
    uint32_t entry_count;
    psy__ledger_process *processes;
    uint32_t process_count, dead, bad;
    uint64_t ignored, taken_ns;
    char directory[4096];
};

/* By place: what each value of a section is. */
typedef struct kinds {
    uint32_t of[PSY_LEDGER_OF_FILLS + 1][PSY_COUNTERS_VALUES];
} kinds;

static void find_kinds(kinds *k)
{
    const psy_counters_descriptor *d;
    memset(k, 0, sizeof *k);
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->kind != PSY_COUNTERS_SECTION) {
            k->of[d->section][d->place] = d->kind;
        }
    }
    k->of[PSY_LEDGER_OF_FILLS][PSY_FILL_USED] = k->of[PSY_LEDGER_OF_FILLS][PSY_FILL_SLOTS] = PSY_COUNTERS_GAUGE;
}

psy_status psy__ledger_create(const char *directory, psy__ledger **out)
{
    psy__ledger *l = calloc(1, sizeof *l);
    if (!l) {
        return psy_fail(PSY_NO_MEMORY, "no memory for telemetry");
    }
    psy_status status = PSY_OK;
    if (directory && strlen(directory) < sizeof l->directory) {
        strcpy(l->directory, directory);
    } else {
        status = directory ? psy_fail(PSY_TOO_LARGE, "the name of the folder of counters has %zu bytes", strlen(directory))
                           : psy_counters_directory(l->directory, sizeof l->directory);
    }
    if (status != PSY_OK) {
        free(l);
        return status;
    }
    *out = l;
    return PSY_OK;
}

void psy__ledger_destroy(psy__ledger *l)
{
    if (l) {
        free(l->sources);
        free(l->entries);
        free(l->processes);
        free(l);
    }
}

/* ---- a snapshot, or none: a folder that is not there ---- */

static const psy_counters_row *row_at(const psy_counters_snapshot *s, uint32_t i)
{
    return s ? psy_counters_row_at(s, i) : NULL;
}
static const psy_counters_ring_view *ring_at(const psy_counters_snapshot *s, uint32_t i)
{
    return s ? psy_counters_ring_at(s, i) : NULL;
}
static const psy_counters_file *file_at(const psy_counters_snapshot *s, uint32_t i)
{
    return s ? psy_counters_file_at(s, i) : NULL;
}

/* ---- rows ---- */

static int by_key(const void *a, const void *b)
{
    const source *x = a, *y = b;
    return x->epoch != y->epoch     ? (x->epoch > y->epoch) - (x->epoch < y->epoch)
           : x->number != y->number ? (x->number > y->number) - (x->number < y->number)
                                    : (x->generation > y->generation) - (x->generation < y->generation);
}

/* What this library calls a section of a file, and where its values are in the rows; kept from row to row. */
typedef struct known {
    const psy_counters_file *file;
    uint32_t in_file, section; /* section: PSY_COUNTERS_SECTIONS where it is not known */
    uint32_t places[PSY_COUNTERS_VALUES];
} known;

static void know(known *to, const psy_counters_file *f, uint32_t section)
{
    const psy_counters_descriptor *d, *mine;
    if (to->file == f && to->in_file == section) {
        return;
    }
    *to = (known){.file = f, .in_file = section, .section = PSY_COUNTERS_SECTIONS};
    memset(to->places, 0xff, sizeof to->places);
    for (uint32_t i = 0; i < f->descriptor_count; i++) {
        d = &f->descriptors[i];
        for (uint32_t k = 0; d->section == section && (mine = psy_counters_table(k)) != NULL; k++) {
            if (mine->kind != d->kind || strcmp(mine->name, d->name) != 0) {
                continue;
            }
            if (d->kind == PSY_COUNTERS_SECTION) {
                to->section = mine->section;
            } else if (mine->section == to->section) {
                to->places[mine->place] = d->place;
            }
        }
    }
}

/* The snapshot's rows, sorted: how many, of the room for `room`. */
static size_t collect(psy__ledger *l, const psy_counters_snapshot *s, uint64_t now_ns, source *to, size_t room)
{
    const psy_counters_row *row;
    known as = {0};
    size_t n = 0;
    l->ignored = 0;
    for (uint32_t i = 0; (row = row_at(s, i)) != NULL; i++) {
        const psy_counters_file *f = file_at(s, row->file);
        know(&as, f, row->section);
        if (as.section == PSY_COUNTERS_SECTIONS || n == room) {
            l->ignored += n == room;
            continue;
        }
        to[n] = (source){.epoch = f->epoch,
                         .generation = row->generation,
                         .number = row->number,
                         .seen = true,
                         .alive = f->alive,
                         .seen_ns = now_ns,
                         .section = as.section,
                         .side = row->side};
        memcpy(to[n].label, row->label, sizeof to[n].label);
        for (unsigned v = 0; v < PSY_COUNTERS_VALUES; v++) {
            to[n].values[v] = as.places[v] < row->value_count ? row->values[as.places[v]] : 0;
        }
        n++;
    }
    qsort(to, n, sizeof *to, by_key);
    return n;
}

/* ---- entries ---- */

static int by_entry(const void *a, const void *b)
{
    const psy__ledger_entry *x = a, *y = b;
    const int order =
        x->section != y->section ? (x->section > y->section) - (x->section < y->section) : strcmp(x->label, y->label);
    return order ? order : (x->side > y->side) - (x->side < y->side);
}

/* What one row adds; `forget` it: its counters become the entry's own. */
static psy__ledger_entry entry_of(const kinds *k, const source *r, bool forget)
{
    psy__ledger_entry e = {.section = r->section, .side = r->side, .living = r->seen && r->alive, .seen_ns = r->seen_ns};
    memcpy(e.label, r->label, sizeof e.label);
    for (unsigned i = 0; i < PSY_COUNTERS_VALUES; i++) {
        const bool counts = k->of[r->section][i] == PSY_COUNTERS_COUNTER;
        e.gone[i] = forget && counts ? r->values[i] : 0;
        e.values[i] = forget ? 0 : counts || e.living ? r->values[i] : 0;
    }
    return e;
}

static void add_entry(const kinds *k, psy__ledger_entry *to, const psy__ledger_entry *e)
{
    to->living += e->living;
    to->seen_ns = to->seen_ns > e->seen_ns ? to->seen_ns : e->seen_ns;
    for (unsigned i = 0; i < PSY_COUNTERS_VALUES; i++) {
        const uint32_t kind = k->of[to->section][i];
        to->gone[i] += e->gone[i];
        if (kind == PSY_COUNTERS_PEAK || kind == PSY_COUNTERS_POSITION) {
            to->values[i] = to->values[i] > e->values[i] ? to->values[i] : e->values[i];
        } else {
            to->values[i] += e->values[i];
        }
    }
}

static uint32_t add_fills(const psy_counters_snapshot *s, uint64_t now_ns, psy__ledger_entry *to)
{
    const psy_counters_ring_view *v;
    uint32_t n = 0;
    for (uint32_t i = 0; (v = ring_at(s, i)) != NULL; i++) {
        if (v->fill_known && v->living_producers && v->living_consumers) {
            to[n] = (psy__ledger_entry){.section = PSY_LEDGER_OF_FILLS, .living = 1, .seen_ns = now_ns};
            memcpy(to[n].label, v->label, sizeof to[n].label);
            to[n].values[PSY_FILL_USED] = v->fill;
            to[n++].values[PSY_FILL_SLOTS] = v->slots;
        }
    }
    return n;
}

/* Sorted, each once, without what has not been seen for long. */
static uint32_t settle(const kinds *k, psy__ledger_entry *e, uint32_t n, uint64_t now_ns)
{
    uint32_t joined = 0, left = 0;
    qsort(e, n, sizeof *e, by_entry);
    for (uint32_t i = 0; i < n; i++) {
        if (joined > 0 && by_entry(&e[joined - 1], &e[i]) == 0) {
            add_entry(k, &e[joined - 1], &e[i]);
        } else {
            e[joined++] = e[i];
        }
    }
    for (uint32_t i = 0; i < joined; i++) {
        if (now_ns - e[i].seen_ns > entry_kept_ns) {
            continue;
        }
        e[left] = e[i];
        for (unsigned v = 0; v < PSY_COUNTERS_VALUES; v++) {
            e[left].values[v] += e[left].gone[v];
        }
        left++;
    }
    return left;
}

/* ---- processes ---- */

static psy_status list_processes(psy__ledger *l, const psy_counters_snapshot *s, uint64_t now_ns)
{
    const psy_counters_file *f;
    uint32_t n = 0;
    while (file_at(s, n)) {
        n++;
    }
    psy__ledger_process *list = calloc(n + 1, sizeof *list);
    if (!list) {
        return psy_fail(PSY_NO_MEMORY, "no memory for telemetry");
    }
    free(l->processes);
    l->processes = list;
    l->process_count = l->dead = l->bad = 0;
    for (uint32_t i = 0; (f = file_at(s, i)) != NULL; i++) {
        l->bad += f->status != PSY_OK;
        l->dead += f->status == PSY_OK && !f->alive;
        if (f->status == PSY_OK && f->alive) {
            psy__ledger_process *p = &list[l->process_count++];
            *p = (psy__ledger_process){.pid = f->pid, .silent_ns = now_ns > f->beat_ns ? now_ns - f->beat_ns : 0};
            memcpy(p->name, f->process, sizeof p->name);
        }
    }
    return PSY_OK;
}

/* ---- taking it all in ---- */

psy_status psy__ledger_take(psy__ledger *l, const psy_counters_snapshot *s, uint64_t now_ns)
{
    size_t rows = 0, rings = 0;
    kinds k;
    find_kinds(&k);
    while (rows < PSY_LEDGER_ROWS_MAX && row_at(s, (uint32_t)rows)) {
        rows++;
    }
    while (ring_at(s, (uint32_t)rings)) {
        rings++;
    }
    psy_status status = list_processes(l, s, now_ns);
    source *fresh = status == PSY_OK ? calloc(rows + 1, sizeof *fresh) : NULL;
    source *all = fresh ? calloc(rows + l->source_count + 1, sizeof *all) : NULL;
    psy__ledger_entry *entries = all ? calloc(rows + l->source_count + l->entry_count + rings + 1, sizeof *entries) : NULL;
    if (!entries) {
        free(fresh);
        free(all);
        return psy_fail(PSY_NO_MEMORY, "no memory for telemetry");
    }
    const size_t n = collect(l, s, now_ns, fresh, rows);
    uint32_t count = 0;
    /* What is forgotten of entries stays theirs. */
    for (uint32_t i = 0; i < l->entry_count; i++) {
        entries[count] = l->entries[i];
        entries[count].living = 0;
        memset(entries[count++].values, 0, sizeof entries->values);
    }
    size_t kept = 0;
    for (size_t i = 0, o = 0; i < n || o < l->source_count;) {
        const int order = i == n ? 1 : o == l->source_count ? -1 : by_key(&fresh[i], &l->sources[o]);
        if (order > 0) { /* not seen any more: a file that cannot be read just now may have it */
            source *was = &l->sources[o++];
            was->seen = false;
            const bool forget = l->bad == 0 && now_ns - was->seen_ns > row_kept_ns;
            entries[count++] = entry_of(&k, was, forget);
            if (!forget) {
                all[kept++] = *was;
            }
            continue;
        }
        source *is = &fresh[i++];
        for (unsigned v = 0; order == 0 && v < PSY_COUNTERS_VALUES; v++) { /* its writer only adds; whoever else wrote lies */
            if (k.of[is->section][v] == PSY_COUNTERS_COUNTER && is->section == l->sources[o].section &&
                is->values[v] < l->sources[o].values[v]) {
                is->values[v] = l->sources[o].values[v];
            }
        }
        o += order == 0;
        if (i == n || by_key(is, &fresh[i]) != 0) { /* two with one key: the last */
            entries[count++] = entry_of(&k, is, false);
            all[kept++] = *is;
        }
    }
    count += add_fills(s, now_ns, entries + count);
    count = settle(&k, entries, count, now_ns);
    free(fresh);
    free(l->sources);
    free(l->entries);
    l->sources = all;
    l->source_count = kept;
    l->entries = entries;
    l->entry_count = count;
    l->taken_ns = now_ns;
    return PSY_OK;
}

psy_status psy__ledger_read(psy__ledger *l)
{
    psy_counters_snapshot *s = NULL;
    psy_status status = psy_counters_read(l->directory, &s);
    if (status == PSY_OK || status == PSY_NOT_FOUND) { /* a folder that is not there: nobody counts yet, or any more */
        status = psy__ledger_take(l, s, psy__now_ns());
    }
    psy_counters_release(s);
    return status;
}

/* ---- looking ---- */

const psy__ledger_entry *psy__ledger_entry_at(const psy__ledger *l, uint32_t i)
{
    return i < l->entry_count ? &l->entries[i] : NULL;
}

const psy__ledger_entry *psy__ledger_find(const psy__ledger *l, uint32_t section, const char *label, uint32_t side)
{
    psy__ledger_entry key = {.section = section, .side = side};
    snprintf(key.label, sizeof key.label, "%s", label);
    return l->entry_count ? bsearch(&key, l->entries, l->entry_count, sizeof key, by_entry) : NULL;
}

const psy__ledger_process *psy__ledger_process_at(const psy__ledger *l, uint32_t i)
{
    return i < l->process_count ? &l->processes[i] : NULL;
}

uint64_t psy__ledger_taken_ns(const psy__ledger *l) { return l->taken_ns; }
uint32_t psy__ledger_dead(const psy__ledger *l) { return l->dead; }
uint32_t psy__ledger_bad(const psy__ledger *l) { return l->bad; }
uint64_t psy__ledger_ignored(const psy__ledger *l) { return l->ignored; }

size_t psy__ledger_service(const psy__ledger_entry *e, const char **rest)
{
    if (e->section == PSY_COUNTERS_OF_SERVICE || e->section == PSY_COUNTERS_OF_SUPERVISOR ||
        e->section == PSY_COUNTERS_OF_GUARD || e->section == PSY_COUNTERS_OF_DATA) {
        *rest = e->label + strlen(e->label);
        return strlen(e->label);
    }
    const char *slash = strchr(e->label, '/');
    *rest = slash ? slash + 1 : e->label;
    return slash ? (size_t)(slash - e->label) : 0;
}
