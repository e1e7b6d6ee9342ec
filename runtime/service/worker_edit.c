/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of the resident data: the next version is made beside the present one, between batches, and takes its place when the
 * first request that names it comes, or when no other can come any more. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/worker_state.h"

static psy__dataset *find_dataset(psy_worker *w, const char *name)
{
    for (uint32_t i = 0; i < w->dataset_count; i++) {
        if (strcmp(w->datasets[i].name, name) == 0) {
            return &w->datasets[i];
        }
    }
    return NULL;
}

/* ---- one edit ---- */

static void drop(psy__worker_edit *e)
{
    for (uint32_t i = 0; i < PSY_PROGRAMS_MAX; i++) {
        if (e->bound[i]) {
            psy__worker_program_close(e->bound[i]);
        }
    }
    for (uint32_t i = 0; i < e->begun; i++) {
        psy__revision_end(&e->revisions[i]);
    }
    psy__edit_close(&e->file);
    free(e);
}

/* A step of the revisions. EMPTY: there are more. */
static psy_status prepare(psy_worker *w, psy__worker_edit *e)
{
    if (e->why != PSY_OK) {
        return psy_fail(e->why, "%s", e->why_text);
    }
    if (e->at == e->file.part_count) {
        return PSY_OK;
    }
    psy_status status;
    if (e->begun == e->at) {
        const char *name = e->file.parts[e->at].resident;
        psy__dataset *present = find_dataset(w, name);
        if (!present) {
            return psy_fail(PSY_NOT_FOUND, "edit of %s: it was not loaded", name);
        }
        e->begun++;
        status = psy__revision_begin(&e->revisions[e->at], &e->file, e->at, present, &w->holder);
        if (status != PSY_OK) {
            return status;
        }
    }
    status = psy__revision_step(&e->revisions[e->at]);
    e->at += status == PSY_OK;
    return status == PSY_OK && e->at < e->file.part_count ? PSY_EMPTY : status;
}

static void settle(psy__worker_edit *e)
{
    for (uint32_t i = 0; i < e->begun; i++) {
        psy__revision_settle(&e->revisions[i], e->totals[i], e->firsts[i]);
    }
}

static void swap(psy__worker_edit *e)
{
    for (uint32_t i = 0; i < e->begun; i++) {
        psy__revision_swap(&e->revisions[i]);
    }
}

/* ---- words ---- */

/* The link is full: PSY_FULL, and it is to be said again. */
static psy_status say(psy_worker *w, psy__word what, const psy__worker_edit *e)
{
    psy__edit_word said = {.number = e->number, .version = w->data_version};
    return psy__say(w->link, what, &said, sizeof said, NULL, 0);
}

static psy_status say_counted(psy_worker *w, const psy__worker_edit *e)
{
    psy__edit_counted said = {.number = e->number};
    for (uint32_t i = 0; i < e->begun; i++) {
        said.rows[i] = e->revisions[i].next.data.rows;
    }
    return psy__say(w->link, PSY_SAY_EDIT_COUNTED, &said, sizeof said, NULL, 0);
}

/* With this thread's detail. The edit is dropped where that was said. */
static psy_status refuse(psy_worker *w, psy_status why)
{
    psy__edit_refused said = {.number = w->edit->number, .status = (uint32_t)why};
    snprintf(said.text, sizeof said.text, "%s", psy_detail());
    w->edit->why = why;
    memcpy(w->edit->why_text, said.text, sizeof said.text);
    w->edit->phase = EDIT_PREPARE; /* a link that is full: it is refused again */
    psy_status status = psy__say(w->link, PSY_SAY_EDIT_REFUSED, &said, sizeof said, NULL, 0);
    if (status == PSY_OK) {
        drop(w->edit);
        w->edit = NULL;
    }
    return status;
}

static psy_status hear_stage(psy_worker *w, psy__control *control)
{
    psy__edit_staged said;
    psy_status status = psy__heard(control, PSY_SAY_EDIT_STAGE, &said, sizeof said, 1);
    if (status != PSY_OK) {
        return status;
    }
    if ((said.version == 0) != w->started || (said.version == 0 && w->edit)) {
        return psy_fail(PSY_PROTOCOL, "the broker staged an edit out of turn");
    }
    psy__worker_edit *e = calloc(1, sizeof *e);
    if (!e) {
        return psy_fail(PSY_NO_MEMORY, "no memory for an edit");
    }
    e->number = said.number;
    e->version = said.version;
    memcpy(e->totals, said.totals, sizeof e->totals);
    memcpy(e->firsts, said.firsts, sizeof e->firsts);
    e->why = psy__edit_take(control->fds[0], UINT64_MAX, &e->file);
    control->fds[0] = -1;
    if (e->why != PSY_OK) {
        snprintf(e->why_text, sizeof e->why_text, "%s", psy_detail());
    }
    psy__worker_edit **last = &w->earlier;
    while (*last) {
        last = &(*last)->next;
    }
    *(said.version == 0 ? &w->edit : last) = e;
    return PSY_OK;
}

static psy_status hear_totals(psy_worker *w, const psy__control *control)
{
    psy__edit_staged said;
    psy_status status = psy__heard(control, PSY_SAY_EDIT_TOTALS, &said, sizeof said, 0);
    psy__worker_edit *e = w->edit;
    if (status != PSY_OK || !e || e->number != said.number) { /* it was refused here: the broker will hear of it */
        return status;
    }
    if (e->phase != EDIT_COUNTED) {
        return psy_fail(PSY_PROTOCOL, "an edit's sizes came out of turn");
    }
    memcpy(e->totals, said.totals, sizeof e->totals);
    memcpy(e->firsts, said.firsts, sizeof e->firsts);
    settle(e);
    e->phase = EDIT_BIND;
    e->at = 0;
    return PSY_OK;
}

psy_status psy__worker_hear_edit(psy_worker *w, psy__control *control)
{
    const psy__word what = psy__heard_what(control);
    if (what == PSY_SAY_EDIT_STAGE) {
        return hear_stage(w, control);
    }
    if (what == PSY_SAY_EDIT_TOTALS) {
        return hear_totals(w, control);
    }
    psy__edit_word said;
    psy_status status = psy__heard(control, what, &said, sizeof said, 0);
    if (status != PSY_OK || !w->edit || w->edit->number != said.number) {
        return status; /* DONE: a request was first, and it is made */
    }
    if (what == PSY_SAY_EDIT_GONE) {
        drop(w->edit);
        w->edit = NULL;
    } else if (w->edit->phase != EDIT_READY || said.version != w->data_version + 1) {
        return psy_fail(PSY_PROTOCOL, "an edit was made out of turn");
    } else {
        w->flip_due = true;
    }
    return PSY_OK;
}

/* ---- the flip ---- */

static void flip(psy_worker *w)
{
    psy__worker_edit *e = w->edit;
    swap(e);
    for (uint32_t i = 0; i < PSY_PROGRAMS_MAX; i++) {
        psy__worker_program *now = i < w->program_top ? w->programs[i] : NULL;
        if (e->bound[i] && now && now->number == e->bound[i]->number) {
            psy__worker_program_put(w, e->bound[i]);
            e->bound[i] = NULL;
        }
    }
    psy__worker_sweep_programs(w); /* nothing is bound to what was before */
    w->data_version++;
    w->counts.edits++;
    w->flip_due = false;
    w->edit = NULL;
    w->past = e;
    e->phase = EDIT_REPORT;
    e->at = 0;
}

static uint64_t version_of(const uint8_t *frame)
{
    uint64_t version;
    memcpy(&version, frame + offsetof(psy__hop, data_version), sizeof version);
    return version;
}

uint32_t psy__worker_one_version(psy_worker *w, const uint8_t *frames, uint32_t count)
{
    if (count == 0 && w->flip_due) {
        flip(w);
    }
    if (count == 0) {
        return 0;
    }
    if (w->edit && w->edit->phase == EDIT_READY && version_of(frames) == w->data_version + 1) {
        flip(w);
    }
    if (!w->edit) { /* nothing else can come */
        return count;
    }
    uint32_t n = 1;
    while (n < count && version_of(frames + (uint64_t)n * w->requests.stride) != w->data_version + 1) {
        n++;
    }
    return n;
}

/* ---- step by step ---- */

/* Binds the next program that is there. EMPTY: there are more. */
static psy_status bind_next(psy_worker *w, psy__worker_edit *e)
{
    while (e->at < w->program_top && !w->programs[e->at]) {
        e->at++;
    }
    if (e->at >= w->program_top) {
        return PSY_OK;
    }
    psy__worker_program *p = w->programs[e->at], *again = psy__worker_program_again(p);
    if (!again) {
        return psy_fail(PSY_NO_MEMORY, "no memory to bind program %s@%u", p->name, p->version);
    }
    e->bound[e->at++] = again;
    again->why = p->why;
    if (p->why != PSY_OK) {
        return PSY_EMPTY;
    }
    swap(e);
    psy_status status = psy__worker_program_bind(w, again);
    swap(e);
    if (status == PSY_OK) {
        return PSY_EMPTY;
    }
    if (!psy__worker_program_is_limited(p)) {
        return psy_fail(status, "program %s@%u: %s", p->name, p->version, psy_detail());
    }
    again->why = status; /* a client's must not stand in the way */
    status = psy__worker_program_report(w, p, status);
    return status == PSY_OK || status == PSY_PEER_DIED ? PSY_EMPTY : psy_fail(PSY_LIMIT, "the broker does not read");
}

/* Tells the sizes of the next program that is there. EMPTY: there are more. */
static psy_status report_next(psy_worker *w, psy__worker_edit *e)
{
    while (e->at < w->program_top && (!w->programs[e->at] || w->programs[e->at]->why != PSY_OK)) {
        e->at++;
    }
    if (e->at >= w->program_top) {
        return say(w, PSY_SAY_EDIT_APPLIED, e);
    }
    psy_status status = psy__worker_program_report(w, w->programs[e->at], PSY_OK);
    e->at += status == PSY_OK;
    return status == PSY_OK ? PSY_EMPTY : status;
}

static uint32_t step_past(psy_worker *w)
{
    psy__worker_edit *e = w->past;
    if (e->phase == EDIT_REPORT) {
        const psy_status status = report_next(w, e);
        e->phase = status == PSY_OK ? EDIT_DROP : e->phase;
        e->at = status == PSY_OK ? 0 : e->at;
        return status == PSY_OK || status == PSY_EMPTY; /* a link that is full: later */
    }
    if (e->at < e->begun) {
        psy__worker_snapshot_keep(w, &e->revisions[e->at]);
        if (psy__revision_shrink(&e->revisions[e->at])) {
            return 1;
        }
    }
    if (++e->at >= e->begun) {
        drop(e);
        w->past = NULL;
    }
    return 1;
}

uint32_t psy__worker_edit_step(psy_worker *w)
{
    psy__worker_edit *e = w->edit;
    if (w->past) {
        return step_past(w);
    }
    if (!e || (e->phase != EDIT_PREPARE && e->phase != EDIT_BIND)) {
        return 0;
    }
    psy_status status = e->phase == EDIT_PREPARE ? prepare(w, e) : bind_next(w, e);
    if (status == PSY_EMPTY) {
        return 1;
    }
    if (status == PSY_OK) {
        status = e->phase == EDIT_PREPARE ? say_counted(w, e) : say(w, PSY_SAY_EDIT_READY, e);
        e->phase = status != PSY_OK ? e->phase : e->phase == EDIT_PREPARE ? EDIT_COUNTED : EDIT_READY;
    } else {
        status = refuse(w, status);
    }
    return status == PSY_OK;
}

/* ---- before it serves ---- */

static psy_status make_again(psy_worker *w, psy__worker_edit *e)
{
    if (e->version != w->data_version + 1) {
        return psy_fail(PSY_INVALID,
                        "the worker's data has version %" PRIu64 ", and the next edit makes version %" PRIu64
                        ": what lies between is kept no more; restore the service's last snapshot",
                        w->data_version, e->version);
    }
    psy_status status;
    do {
        status = prepare(w, e);
    } while (status == PSY_EMPTY);
    if (status == PSY_OK) {
        settle(e);
        swap(e);
        w->data_version++;
    }
    return status;
}

psy_status psy__worker_catch_up(psy_worker *w)
{
    psy_status status = PSY_OK;
    while (status == PSY_OK && w->earlier) {
        psy__worker_edit *e = w->earlier;
        status = e->version > w->data_version ? make_again(w, e) : PSY_OK;
        if (status != PSY_OK) {
            return psy_fail(status, "%s", psy_detail());
        }
        w->earlier = e->next;
        drop(e);
    }
    /* A service that begins takes the version that its workers bring. */
    if (status == PSY_OK && w->data_version < w->service_version) {
        status = psy_fail(PSY_INVALID,
                          "the service's data has version %" PRIu64 ", this worker's %" PRIu64
                          ", and the edits between them are not kept any more: load newer data, or restore the service's last "
                          "snapshot",
                          w->service_version, w->data_version);
    }
    return status;
}

void psy__worker_drop_edits(psy_worker *w)
{
    psy__worker_edit *all[] = {w->edit, w->past};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]) {
            drop(all[i]);
        }
    }
    while (w->earlier) {
        psy__worker_edit *e = w->earlier;
        w->earlier = e->next;
        drop(e);
    }
    w->edit = w->past = NULL;
}
