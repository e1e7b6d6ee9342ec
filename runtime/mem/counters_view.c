/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of counters, of whatever file, as what they are about: rings, and the things of the other sections. */
#include "mem/counters_snapshot.h"

#include <stdlib.h>
#include <string.h>

static void join_value(uint64_t *to, uint32_t kind, uint64_t value)
{
    if (kind == PSY_COUNTERS_POSITION || kind == PSY_COUNTERS_PEAK) {
        *to = *to > value ? *to : value;
    } else {
        *to += value;
    }
}

void psy__counters_join(uint64_t *to, psy_counters_section section, const psy_counters_row *row,
                        const psy__counters_source *source)
{
    const psy_counters_descriptor *d;
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        const uint32_t place =
            d->section == section && d->kind != PSY_COUNTERS_SECTION ? source->places[section][d->place] : UINT32_MAX;
        if (place == UINT32_MAX) {
            continue;
        }
        join_value(&to[d->place], d->kind, row->values[place]);
    }
}

/* ---- rings ---- */

typedef struct ring_row {
    const psy_counters_row *row;
    const psy__counters_source *source;
} ring_row;

/* Rows of a ring together, producers first. */
static int by_ring(const void *a, const void *b)
{
    const psy_counters_row *x = ((const ring_row *)a)->row, *y = ((const ring_row *)b)->row;
    return x->ring != y->ring   ? (x->ring > y->ring) - (x->ring < y->ring)
           : x->side != y->side ? (x->side > y->side) - (x->side < y->side)
                                : (x > y) - (x < y);
}

static int by_label(const void *a, const void *b)
{
    const psy_counters_ring_view *x = a, *y = b;
    const int order = strcmp(x->label, y->label);
    return order ? order : (x->ring > y->ring) - (x->ring < y->ring);
}

static void view_ring(psy_counters_ring_view *v, const ring_row *rows, size_t n)
{
    memset(v, 0, sizeof *v);
    v->ring = rows[0].row->ring;
    memcpy(v->label, rows[0].row->label, sizeof v->label);
    for (size_t i = 0; i < n; i++) {
        const psy_counters_row *r = rows[i].row;
        const bool consumer = r->side != 0, alive = rows[i].source->file.alive;
        psy__counters_join(consumer ? v->consumer : v->producer, PSY_COUNTERS_OF_RING, r, rows[i].source);
        v->stride = v->stride ? v->stride : r->stride;
        v->slots = v->slots ? v->slots : r->slots;
        v->producers += !consumer;
        v->consumers += consumer;
        v->living_producers += !consumer && alive;
        v->living_consumers += consumer && alive;
    }
    const uint64_t made = v->producer[PSY_RING_COUNTER_position], given = v->consumer[PSY_RING_COUNTER_position];
    const uint64_t most = v->producer[PSY_RING_COUNTER_high_water], most_too = v->consumer[PSY_RING_COUNTER_high_water];
    v->high_water = most > most_too ? most : most_too;
    v->fill_known = v->producers > 0 && v->consumers > 0;
    if (v->fill_known && made > given) {
        /* The sides are read one after the other: what moved between makes more than there can be. */
        v->fill = v->slots && made - given > v->slots ? v->slots : made - given;
    }
}

psy_status psy__counters_view_rings(psy_counters_snapshot *s)
{
    const size_t room = s->row_count ? s->row_count : 1;
    ring_row *rows = calloc(room, sizeof *rows);
    s->rings = calloc(room, sizeof *s->rings);
    if (!rows || !s->rings) {
        free(rows);
        return psy_fail(PSY_NO_MEMORY, "no memory for rings of counters");
    }
    size_t n = 0;
    for (uint32_t i = 0; i < s->row_count; i++) {
        const psy__counters_source *source = &s->sources[s->rows[i].file];
        if (s->rows[i].section == source->sections[PSY_COUNTERS_OF_RING]) {
            rows[n++] = (ring_row){&s->rows[i], source};
        }
    }
    qsort(rows, n, sizeof *rows, by_ring);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && rows[end].row->ring == rows[i].row->ring; end++) {
        }
        view_ring(&s->rings[s->ring_count++], rows + i, end - i);
    }
    qsort(s->rings, s->ring_count, sizeof *s->rings, by_label);
    free(rows);
    return PSY_OK;
}

/* ---- the other sections ---- */

/* Views of one row each are sorted, and then those of one thing made one. */
static int by_thing(const void *a, const void *b)
{
    const psy_counters_view *x = a, *y = b;
    return x->section != y->section ? (x->section > y->section) - (x->section < y->section)
           : x->id != y->id         ? (x->id > y->id) - (x->id < y->id)
           : x->side != y->side     ? (x->side > y->side) - (x->side < y->side)
                                    : (x->living < y->living) - (x->living > y->living);
}

static int by_place(const void *a, const void *b)
{
    const psy_counters_view *x = a, *y = b;
    const int order =
        x->section != y->section ? (x->section > y->section) - (x->section < y->section) : strcmp(x->label, y->label);
    return order ? order : x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->side > y->side) - (x->side < y->side);
}

static psy_counters_section section_of(const psy_counters_row *row, const psy__counters_source *source)
{
    for (unsigned s = 0; s < PSY_COUNTERS_SECTIONS; s++) {
        if (s != PSY_COUNTERS_OF_RING && source->sections[s] == row->section) {
            return (psy_counters_section)s;
        }
    }
    return PSY_COUNTERS_SECTIONS;
}

/* `with` is of the same thing. */
static void add_view(psy_counters_view *to, const psy_counters_view *with)
{
    const psy_counters_descriptor *d;
    to->rows += with->rows;
    to->living += with->living;
    to->since_ns = to->since_ns < with->since_ns ? to->since_ns : with->since_ns;
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->section == to->section && d->kind != PSY_COUNTERS_SECTION) {
            join_value(&to->values[d->place], d->kind, with->values[d->place]);
        }
    }
}

/* Of which all parts are there: one that has just been taken or given back is left out. */
static void view_latency(psy_counters_snapshot *s, const psy_counters_view *parts, uint32_t n)
{
    psy_counters_latency *l = &s->latencies[s->latency_count];
    *l = (psy_counters_latency){.id = parts[0].id, .alive = true};
    memcpy(l->label, parts[0].label, sizeof l->label);
    for (uint32_t k = 0; k < n; k++) {
        if (parts[k].side != k || n != PSY_LATENCY_PARTS) {
            return;
        }
        l->alive = l->alive && parts[k].living > 0;
        for (uint32_t i = 0; i < PSY_COUNTERS_VALUES && k * PSY_COUNTERS_VALUES + i < PSY_LATENCY_BUCKETS; i++) {
            l->buckets[k * PSY_COUNTERS_VALUES + i] = parts[k].values[i];
            l->count += parts[k].values[i];
        }
    }
    s->latency_count++;
}

psy_status psy__counters_view_sections(psy_counters_snapshot *s)
{
    uint32_t n = 0, joined = 0;
    s->views = calloc(s->row_count ? s->row_count : 1, sizeof *s->views);
    s->latencies = calloc(s->row_count / PSY_LATENCY_PARTS + 1, sizeof *s->latencies);
    if (!s->views || !s->latencies) {
        return psy_fail(PSY_NO_MEMORY, "no memory for sections of counters");
    }
    for (uint32_t i = 0; i < s->row_count; i++) {
        const psy_counters_row *row = &s->rows[i];
        const psy__counters_source *source = &s->sources[row->file];
        const psy_counters_section section = section_of(row, source);
        if (section == PSY_COUNTERS_SECTIONS) {
            continue;
        }
        psy_counters_view *v = &s->views[n++];
        *v = (psy_counters_view){.section = section,
                                 .id = row->ring,
                                 .side = row->side,
                                 .rows = 1,
                                 .living = source->file.alive,
                                 .since_ns = row->since_ns};
        memcpy(v->label, row->label, sizeof v->label);
        psy__counters_join(v->values, section, row, source);
    }
    qsort(s->views, n, sizeof *s->views, by_thing);
    for (uint32_t i = 0; i < n; i++) {
        psy_counters_view *last = joined ? &s->views[joined - 1] : NULL, *v = &s->views[i];
        if (last && last->section == v->section && last->id == v->id && last->side == v->side) {
            add_view(last, v);
        } else {
            s->views[joined++] = *v;
        }
    }
    s->view_count = joined;
    qsort(s->views, joined, sizeof *s->views, by_place);
    for (uint32_t i = 0, end; i < joined; i = end) {
        for (end = i + 1; end < joined && s->views[end].section == s->views[i].section && s->views[end].id == s->views[i].id &&
                          strcmp(s->views[end].label, s->views[i].label) == 0;
             end++) {
        }
        if (s->views[i].section == PSY_COUNTERS_OF_LATENCY) {
            view_latency(s, &s->views[i], end - i);
        }
    }
    return PSY_OK;
}
