/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that move when the number of shards changes: those that a worker gives away, piece by piece, between its batches; and
 * those that a worker takes which has just come, before it serves. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/worker_state.h"

enum { PIECE_BYTES = 16 << 20, BYTES_A_STEP = 1 << 20 };

/* The link is full: PSY_FULL, and it is to be said again. */
static psy_status refuse(psy_worker *w, uint64_t number, psy_status why, const char *text)
{
    psy__move_refused said = {.number = number, .status = (uint32_t)why};
    snprintf(said.text, sizeof said.text, "%s", text);
    return psy__say(w->link, PSY_SAY_MOVE_REFUSED, &said, sizeof said, NULL, 0);
}

/* ---- giving ---- */

static void drop_export(psy_worker *w)
{
    if (w->export) {
        psy__edit_close(&w->export->file);
        free(w->export);
        w->export = NULL;
    }
}

static const psy__dataset *dataset_of(const psy_worker *w, const psy__export *asked)
{
    for (uint32_t i = 0; i < w->dataset_count; i++) {
        if (asked->resident[0] ? strcmp(w->datasets[i].name, asked->resident) == 0 : i == asked->dataset) {
            return &w->datasets[i];
        }
    }
    return NULL;
}

/* As many rows as a piece may have, from the one on that was asked for. */
static psy_status begin_piece(psy__worker_export *e, const psy__dataset *d)
{
    const uint64_t most = PIECE_BYTES / d->data.row_bytes + 1;
    if (e->asked.row > d->data.rows || strlen(d->name) >= PSY_EDIT_NAME_BYTES) {
        return psy_fail(PSY_INVALID, "resident %.100s has no rows from %" PRIu64 " on here", d->name, e->asked.row);
    }
    const uint64_t left = d->data.rows - e->asked.row;
    psy__edit_part part = {.kind = PSY_EDIT_RELOAD,
                           .dtype = d->dtype,
                           .rank = d->rank,
                           .row_bytes = d->data.row_bytes,
                           .has_which = d->placement == PSY_PLACE_BY_KEY};
    memcpy(part.resident, d->name, strlen(d->name));
    memcpy(part.dims, d->dims, sizeof part.dims);
    part.dims[0] = left < most ? left : most;
    e->said = (psy__exported){.number = e->asked.number,
                              .first = d->placement == PSY_PLACE_BY_KEY ? 0 : d->first + e->asked.row,
                              .total = d->dims[0],
                              .placement = d->placement,
                              .more = left > most};
    return psy__edit_begin(&part, &e->file);
}

/* Some of the rows. EMPTY: there are more. */
static psy_status write_some(const psy__worker_export *e, const psy__dataset *d, uint64_t *cursor)
{
    const uint64_t all = e->file.parts[0].dims[0], row = e->asked.row + *cursor, step = BYTES_A_STEP / d->data.row_bytes + 1;
    const uint64_t n = all - *cursor < step ? all - *cursor : step;
    psy_status status = psy__edit_write_rows(&e->file, *cursor, n, d->row_memory.at + row * d->data.row_bytes);
    if (status == PSY_OK && e->file.parts[0].has_which) {
        status = psy__edit_write_which(&e->file, *cursor, n, d->data.keys + row);
    }
    *cursor += n;
    return status == PSY_OK && *cursor < all ? PSY_EMPTY : status;
}

static psy_status export_some(psy_worker *w, psy__worker_export *e)
{
    const psy__dataset *d = dataset_of(w, &e->asked);
    if (!d) { /* none of that number: that was all of them */
        e->said = (psy__exported){.number = e->asked.number};
        return e->asked.resident[0] ? psy_fail(PSY_NOT_FOUND, "resident %s was not loaded here", e->asked.resident) : PSY_OK;
    }
    if (!e->begun) {
        psy_status status = begin_piece(e, d);
        e->begun = status == PSY_OK;
        return status == PSY_OK ? PSY_EMPTY : status;
    }
    psy_status status = write_some(e, d, &e->cursor);
    return status == PSY_OK ? psy__edit_seal(&e->file) : status;
}

uint32_t psy__worker_export_step(psy_worker *w)
{
    psy__worker_export *e = w->export;
    if (!e) {
        return 0;
    }
    if (!e->done) {
        e->why = export_some(w, e);
        e->done = e->why != PSY_EMPTY;
        snprintf(e->why_text, sizeof e->why_text, "%s", e->why == PSY_OK || !e->done ? "" : psy_detail());
        return 1;
    }
    psy_status status = e->why == PSY_OK ? psy__say(w->link, PSY_SAY_EXPORTED, &e->said, sizeof e->said, &e->file.fd, e->begun)
                                         : refuse(w, e->asked.number, e->why, e->why_text);
    if (status != PSY_FULL) {
        drop_export(w);
    }
    return status != PSY_FULL;
}

static psy_status hear_export(psy_worker *w, const psy__control *control)
{
    psy__export said;
    psy_status status = psy__heard(control, PSY_SAY_EXPORT, &said, sizeof said, 0);
    if (status != PSY_OK) {
        return status;
    }
    if (!w->started || w->move || said.resident[sizeof said.resident - 1] != '\0') {
        return psy_fail(PSY_PROTOCOL, "the broker asked for rows out of turn");
    }
    drop_export(w); /* of a change that was taken back */
    w->export = calloc(1, sizeof *w->export);
    if (!w->export) {
        return psy_fail(PSY_NO_MEMORY, "no memory to give rows");
    }
    w->export->asked = said;
    w->export->file.fd = -1;
    return PSY_OK;
}

/* ---- taking ---- */

psy_status psy__worker_move_begin(psy_worker *w)
{
    w->move = calloc(1, sizeof *w->move);
    if (!w->move) {
        return psy_fail(PSY_NO_MEMORY, "no memory to take rows");
    }
    w->move->intake.holder = &w->holder;
    w->move->file.fd = -1;
    return PSY_OK;
}

static void drop_move(psy_worker *w)
{
    if (w->move) {
        psy__intake_end(&w->move->intake);
        psy__edit_close(&w->move->file);
        free(w->move);
        w->move = NULL;
    }
}

static psy_status hear_take(psy_worker *w, psy__control *control)
{
    psy__take said;
    psy__worker_move *m = w->move;
    psy_status status = psy__heard(control, PSY_SAY_TAKE, &said, sizeof said, 1);
    if (status != PSY_OK) {
        return status;
    }
    if (!m || m->phase != MOVE_WAIT) {
        return psy_fail(PSY_PROTOCOL, "the broker gave rows out of turn");
    }
    m->number = said.number;
    m->phase = MOVE_TAKE;
    m->said = said;
    m->why = psy__edit_take(control->fds[0], UINT64_MAX, &m->file);
    control->fds[0] = -1;
    snprintf(m->why_text, sizeof m->why_text, "%s", m->why == PSY_OK ? "" : psy_detail());
    return PSY_OK;
}

static psy_status hear_moved(psy_worker *w, const psy__control *control)
{
    psy__move_word said;
    psy__worker_move *m = w->move;
    psy_status status = psy__heard(control, PSY_SAY_MOVED, &said, sizeof said, 0);
    if (status != PSY_OK) {
        return status;
    }
    if (!m || m->phase != MOVE_WAIT || m->intake.data.name) {
        return psy_fail(PSY_PROTOCOL, "the broker gave rows out of turn");
    }
    m->number = said.number;
    w->data_version = said.version;
    m->phase = MOVE_BIND;
    return PSY_OK;
}

/* The last piece is here: the resident is one of the worker's. */
static psy_status keep(psy_worker *w, psy__worker_move *m)
{
    for (uint32_t i = 0; i < w->dataset_count; i++) {
        if (strcmp(w->datasets[i].name, m->intake.data.name) == 0) {
            return psy_fail(PSY_CORRUPT, "resident %s comes twice", m->intake.data.name);
        }
    }
    psy__dataset *more = realloc(w->datasets, (w->dataset_count + 1) * sizeof *more);
    if (!more) {
        return psy_fail(PSY_NO_MEMORY, "no memory for one more resident");
    }
    w->datasets = more;
    w->datasets[w->dataset_count++] = m->intake.data;
    m->intake.data = (psy__dataset){0};
    psy__intake_end(&m->intake);
    return PSY_OK;
}

static psy_status take_some(psy_worker *w, psy__worker_move *m)
{
    if (m->why != PSY_OK) {
        return psy_fail(m->why, "%s", m->why_text);
    }
    if (!m->begun) {
        m->begun = true;
        psy_status status = psy__intake_begin(&m->intake, &m->file, &m->said);
        return status == PSY_OK ? PSY_EMPTY : status;
    }
    psy_status status = psy__intake_step(&m->intake);
    return status == PSY_OK && m->said.last ? keep(w, m) : status;
}

/* Programs, one a step. EMPTY: there are more. */
static psy_status bind_some(psy_worker *w, psy__worker_move *m)
{
    psy_status status = m->at == 0 ? psy__worker_settle_arrivals(w) : PSY_OK;
    if (status == PSY_OK && m->at < w->program_top) {
        status = psy__worker_bind_at(w, m->at++);
    }
    return status == PSY_OK && m->at < w->program_top ? PSY_EMPTY : status;
}

/* It cannot: the broker sends it away. */
static void give_up(psy__worker_move *m, psy_status why)
{
    m->why = why;
    snprintf(m->why_text, sizeof m->why_text, "%s", psy_detail());
    m->phase = MOVE_REFUSE;
}

static psy_status step(psy_worker *w, psy__worker_move *m)
{
    switch (m->phase) {
    case MOVE_WAIT:
    case MOVE_OVER: return PSY_FULL; /* it is others' turn */
    case MOVE_TAKE: return take_some(w, m);
    case MOVE_TAKEN: {
        psy__move_word said = {.number = m->number};
        return psy__say(w->link, PSY_SAY_TAKEN, &said, sizeof said, NULL, 0);
    }
    case MOVE_BIND: return bind_some(w, m);
    case MOVE_REPORT: return psy__worker_report_all(w);
    case MOVE_REFUSE: return refuse(w, m->number, m->why, m->why_text);
    }
    return PSY_OK;
}

uint32_t psy__worker_move_step(psy_worker *w)
{
    psy__worker_move *m = w->move;
    const psy_status status = step(w, m);
    if (status == PSY_FULL || status == PSY_EMPTY) {
        return status == PSY_EMPTY;
    }
    if (status != PSY_OK && m->phase != MOVE_REFUSE) {
        give_up(m, status);
        return 1;
    }
    switch (m->phase) {
    case MOVE_TAKE:
        psy__edit_close(&m->file);
        m->begun = false;
        m->phase = MOVE_TAKEN;
        break;
    case MOVE_TAKEN: m->phase = MOVE_WAIT; break;
    case MOVE_BIND:
        m->phase = MOVE_REPORT;
        m->at = 0;
        break;
    case MOVE_REPORT:
        drop_move(w);
        psy__worker_is_ready(w);
        break;
    default: m->phase = MOVE_OVER; break;
    }
    return 1;
}

psy_status psy__worker_hear_move(psy_worker *w, psy__control *control)
{
    psy__dismissed said;
    switch (psy__heard_what(control)) {
    case PSY_SAY_EXPORT: return hear_export(w, control);
    case PSY_SAY_TAKE: return hear_take(w, control);
    case PSY_SAY_MOVED: return hear_moved(w, control);
    default: break;
    }
    psy_status status = psy__heard(control, PSY_SAY_DISMISSED, &said, sizeof said, 0);
    if (status == PSY_OK) {
        w->leaving = true;
        atomic_store_explicit(&w->drain, true, memory_order_release);
    }
    return status;
}

/* ---- coming later ---- */

psy_status psy__worker_check_parts(const psy_worker *w)
{
    for (uint32_t i = 0; w->equal_version && w->data_version == w->equal_version && i < w->dataset_count; i++) {
        const psy__dataset *d = &w->datasets[i];
        uint64_t first, rows;
        psy__holder_range(&w->holder, d->dims[0], &first, &rows);
        if (d->placement == PSY_PLACE_SPLIT && (d->first != first || d->data.rows != rows)) {
            return psy_fail(PSY_INVALID,
                            "resident %s: shard %u of %u has rows %" PRIu64 " to %" PRIu64
                            " since the shards changed; this worker "
                            "loaded others",
                            d->name, w->holder.shard, w->holder.shards, first, first + rows);
        }
    }
    return PSY_OK;
}

void psy_worker_get_part(const psy_worker *w, psy_worker_part *out)
{
    *out = (psy_worker_part){.shard = w->holder.shard, .shards = w->holder.shards, .moves = w->moves};
}

void psy__worker_drop_moves(psy_worker *w)
{
    drop_export(w);
    drop_move(w);
}
