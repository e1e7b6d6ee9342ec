/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of the resident data: one at a time is staged at all workers, and takes effect between two requests.
 *
 *   IDLE -> COUNTING -> BINDING -> FLIPPED -> IDLE
 *               \----------\--> GOING -> IDLE      a worker refused it, or was lost: then it waits for its turn again
 *
 * While one is on its way no programs are staged, and nothing begins or flips unless every shard has a worker that is ready: so
 * whoever comes finds the version that there is, and the edits that made it. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/broker_state.h"

enum { TRIES = 3, KEPT_MAX = 256 };

/* ---- what became of it ---- */

static void tell(psy_broker *b, const psy__queued_edit *q, psy_status status, const char *text)
{
    if (status == PSY_OK) {
        PSY__TELL(&b->events, DATA_CHANGED, PSY__NUMBER(b->edits.version), PSY__TEXT(q->file.parts[0].resident),
                  PSY__NUMBER(q->file.part_count), PSY__NUMBER(q->file.bytes), PSY__NUMBER(q->owner));
    } else {
        PSY__TELL(&b->events, DATA_REFUSED, PSY__TEXT(q->file.parts[0].resident), PSY__NUMBER(q->owner),
                  PSY__TEXT(psy_status_name(status)), PSY__TEXT(text));
    }
}

/* The first one of the queue ends: its maker learns how. */
static void finish_first(psy_broker *b, psy_status status, const char *text)
{
    psy__edits *e = &b->edits;
    psy__queued_edit *q = e->queue[0];
    psy__edit_outcome *o = &e->outcomes[q->ticket % PSY_OUTCOMES];
    *o = (psy__edit_outcome){.ticket = q->ticket, .status = status, .version = status == PSY_OK ? e->version : 0};
    snprintf(o->text, sizeof o->text, "%s", text);
    *(status == PSY_OK ? &b->counts.edits : &b->counts.edits_refused) += 1;
    tell(b, q, status, text);
    psy__client *c = q->owner == PSY_NONE ? NULL : &b->clients[q->owner];
    if (c && c->phase == CLIENT_SERVED && c->epoch == q->epoch && c->editing == q->ticket) {
        psy__edited said = {.version = e->version};
        c->editing = 0;
        if (status == PSY_OK) {
            (void)!psy__say(c->link, PSY_SAY_EDITED, &said, sizeof said, NULL, 0); /* who does not read waits in vain */
        } else {
            psy__refuse(c->link, psy_fail(status, "%s", text), 0);
        }
    }
    psy__edit_close(&q->file);
    free(q);
    e->queued--;
    memmove(e->queue, e->queue + 1, e->queued * sizeof *e->queue);
}

/* ---- who asks ---- */

/* What a program says of the resident; NULL: none has it. */
static const psy_psm_resident *declaration(const psy_broker *b, const char *name)
{
    for (uint32_t i = 0; i < b->staged_top; i++) {
        const psy__staged *s = &b->staged[i];
        if (s->phase != STAGED_SERVED || s->limited) {
            continue;
        }
        uint32_t index = psy__module_find_resident(&s->module->decoded, name);
        if (index != PSY_NONE) {
            return &s->module->decoded.residents[index];
        }
    }
    return NULL;
}

/* *copies: a bit for each part that every shard has whole. */
static psy_status check(const psy_broker *b, const psy__edit *edit, uint32_t *copies)
{
    psy_status status = PSY_OK;
    *copies = 0;
    for (uint32_t i = 0; status == PSY_OK && i < edit->part_count; i++) {
        const psy__edit_part *p = &edit->parts[i];
        const psy_psm_resident *r = declaration(b, p->resident);
        status = r ? psy__edit_fits(p, r->dtype, r->rank, r->placement)
                   : psy_fail(PSY_NOT_FOUND, "edit of %s: no program of this service has such data", p->resident);
        *copies |= r && r->placement == PSY_PLACE_REPLICATED ? UINT32_C(1) << i : 0;
    }
    return status;
}

/* Takes the edit, whatever comes of it. */
static psy_status enqueue(psy_broker *b, psy__edit *edit, uint32_t owner, uint64_t *ticket)
{
    psy__edits *e = &b->edits;
    uint32_t copies;
    psy_status status = check(b, edit, &copies);
    if (status == PSY_OK && e->queued == PSY_EDITS_QUEUED) {
        status = psy_fail(PSY_LIMIT, "%d edits wait for their turn: let some be made first", PSY_EDITS_QUEUED);
    }
    psy__queued_edit *q = status == PSY_OK ? calloc(1, sizeof *q) : NULL;
    if (!q) {
        psy__edit_close(edit);
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for an edit") : status;
    }
    *q = (psy__queued_edit){.ticket = ++e->next_ticket,
                            .copies = copies,
                            .file = *edit,
                            .owner = owner,
                            .epoch = owner == PSY_NONE ? 0 : b->clients[owner].epoch};
    e->queue[e->queued++] = q;
    *ticket = q->ticket;
    return PSY_OK;
}

psy_status psy_broker_edit(psy_broker *b, const psy_edit *edits, uint32_t count, uint64_t *ticket)
{
    uint64_t mine;
    psy__edit edit;
    if (!b) {
        return psy_fail(PSY_INVALID, "psy_broker_edit: a null argument");
    }
    psy_status status = psy__edit_make(edits, count, &edit);
    return status == PSY_OK ? enqueue(b, &edit, PSY_NONE, ticket ? ticket : &mine) : status;
}

psy_status psy__broker_edit_file(psy_broker *b, psy__edit *edit, uint64_t *ticket)
{
    return enqueue(b, edit, PSY_NONE, ticket);
}

psy_status psy_broker_edit_status(const psy_broker *b, uint64_t ticket, uint64_t *version)
{
    for (uint32_t i = 0; ticket && i < b->edits.queued; i++) {
        if (b->edits.queue[i]->ticket == ticket) {
            return PSY_EMPTY;
        }
    }
    const psy__edit_outcome *o = &b->edits.outcomes[ticket % PSY_OUTCOMES];
    if (!ticket || o->ticket != ticket) {
        return psy_fail(PSY_NOT_FOUND, "no such edit, or it is long ago");
    }
    if (version) {
        *version = o->version;
    }
    return o->status == PSY_OK ? PSY_OK : psy_fail(o->status, "%s", o->text);
}

psy_status psy__broker_hear_edit(psy_broker *b, uint32_t client, psy__control *control)
{
    psy__client *c = &b->clients[client];
    psy__edit_sent said;
    psy__edit edit;
    psy_status status = psy__heard(control, PSY_SAY_EDIT, &said, sizeof said, 1);
    if (status == PSY_OK && c->editing) {
        status = psy_fail(PSY_PROTOCOL, "a message came before its turn");
    }
    if (status != PSY_OK) {
        return status;
    }
    status = psy__guard_may(b, c, PSY_MAY_DATA);
    if (status == PSY_OK) {
        status = psy__edit_take(control->fds[0], b->client_edit_bytes, &edit);
        control->fds[0] = -1;
        status = status == PSY_OK ? enqueue(b, &edit, client, &c->editing) : status;
    }
    if (status != PSY_OK) {
        b->counts.edits_refused++;
        psy__refuse(c->link, status, 0);
    }
    return PSY_OK;
}

/* ---- workers ---- */

static void drop_first_kept(psy_broker *b)
{
    psy__edits *e = &b->edits;
    e->kept_bytes -= e->kept[0]->bytes;
    close(e->kept[0]->fd);
    free(e->kept[0]);
    e->kept_count--;
    memmove(e->kept, e->kept + 1, e->kept_count * sizeof *e->kept);
}

void psy__broker_drop_kept(psy_broker *b, uint64_t version)
{
    while (b->edits.kept_count > 0 && b->edits.kept[0]->version <= version) {
        drop_first_kept(b);
    }
}

/* For workers that come later. What cannot be kept is theirs to have: they are refused where they lack it. */
static void keep(psy_broker *b)
{
    psy__edits *e = &b->edits;
    const psy__queued_edit *q = e->queue[0];
    psy__kept_edit *k = malloc(sizeof *k + (size_t)b->layout.count * sizeof *k->firsts);
    psy__kept_edit **kept = k ? realloc(e->kept, (e->kept_count + 1) * sizeof *kept) : NULL;
    e->kept = kept ? kept : e->kept;
    const int fd = kept && q->file.bytes <= psy__edits_kept_bytes_max ? dup(q->file.fd) : -1;
    if (fd < 0) { /* those before it lead nowhere without it */
        free(k);
        while (e->kept_count > 0) {
            drop_first_kept(b);
        }
        return;
    }
    k->version = e->version;
    k->fd = fd;
    k->bytes = q->file.bytes;
    memcpy(k->totals, e->totals, sizeof k->totals);
    for (uint32_t s = 0; s < b->layout.count; s++) {
        memcpy(k->firsts[s], e->firsts[b->layout.places[s]], sizeof *k->firsts);
    }
    e->kept[e->kept_count++] = k;
    e->kept_bytes += k->bytes;
    while (e->kept_count > KEPT_MAX || e->kept_bytes > psy__edits_kept_bytes_max) {
        drop_first_kept(b);
    }
}

psy_status psy__broker_tell_kept(psy_broker *b, uint32_t shard)
{
    const psy__edits *e = &b->edits;
    psy__shard *s = &b->shards[shard];
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < e->kept_count; i++) {
        const psy__kept_edit *k = e->kept[i];
        if (k->version <= s->kept_version) {
            continue;
        }
        psy__edit_staged said = {.version = k->version};
        memcpy(said.totals, k->totals, sizeof said.totals);
        memcpy(said.firsts, k->firsts[s->index], sizeof said.firsts);
        status = psy__say(s->link, PSY_SAY_EDIT_STAGE, &said, sizeof said, &k->fd, 1);
        s->kept_version = status == PSY_OK ? k->version : s->kept_version;
    }
    return status;
}

/* Says a word to those of `to` that have not heard it: those that have, added to *heard. A link that is full is tried again,
 * and one that is closed is another's business. */
static void say_to(psy_broker *b, psy__word what, void *said, uint32_t bytes, uint64_t to, uint64_t *heard)
{
    for (uint32_t s = 0; s < b->place_count; s++) {
        const uint64_t bit = UINT64_C(1) << s;
        if (!(to & bit) || (*heard & bit)) {
            continue;
        }
        psy__edit_staged *sizes = said;
        int fd = b->edits.queued ? b->edits.queue[0]->file.fd : -1;
        if (what == PSY_SAY_EDIT_TOTALS) {
            memcpy(sizes->firsts, b->edits.firsts[s], sizeof sizes->firsts);
        }
        const psy_status status = psy__say(b->shards[s].link, what, said, bytes, &fd, what == PSY_SAY_EDIT_STAGE);
        *heard |= status == PSY_OK ? bit : 0;
    }
}

/* Sizes over all shards; false: the workers' words do not fit together. */
static bool add_up(psy_broker *b)
{
    psy__edits *e = &b->edits;
    const psy__edit *file = &e->queue[0]->file;
    for (uint32_t i = 0; i < file->part_count; i++) {
        const bool copies = e->queue[0]->copies >> i & 1;
        e->totals[i] = copies ? e->rows[b->layout.places[0]][i] : 0;
        for (uint32_t k = 0; k < b->layout.count; k++) {
            const uint32_t s = b->layout.places[k];
            e->firsts[s][i] = copies ? 0 : e->totals[i];
            if (e->rows[s][i] >= UINT32_MAX || (copies && e->rows[s][i] != e->totals[i])) {
                (void)psy_fail(PSY_INVALID, "edit of %s: the shards have other numbers of rows", file->parts[i].resident);
                return false;
            }
            e->totals[i] += copies ? 0 : e->rows[s][i];
        }
        if (e->totals[i] >= UINT32_MAX) {
            (void)psy_fail(PSY_TOO_LARGE, "edit of %s: %" PRIu64 " rows; at most %u", file->parts[i].resident, e->totals[i],
                           UINT32_MAX - 1);
            return false;
        }
    }
    return true;
}

/* It is taken back at those who know of it. With a status it ends there, as this thread's detail says; else its turn comes
 * again. */
static void take_back(psy_broker *b, psy_status status)
{
    psy__edits *e = &b->edits;
    psy__queued_edit *q = e->queue[0];
    char text[512];
    snprintf(text, sizeof text, "%s", psy_detail());
    if (status == PSY_OK && ++q->tries >= TRIES) {
        status = PSY_PEER_DIED;
        snprintf(text, sizeof text, "workers died or left %d times while they took the edit", TRIES);
    }
    if (status != PSY_OK) {
        finish_first(b, status, text);
    }
    e->phase = EDITS_GOING;
    e->gone = 0;
}

static void begin(psy_broker *b)
{
    psy__edits *e = &b->edits;
    e->number++;
    e->told = e->counted = e->sized = e->ready = e->done = e->applied = 0;
    e->phase = EDITS_COUNTING;
}

static void flip(psy_broker *b)
{
    psy__edits *e = &b->edits;
    e->version++;
    keep(b);
    for (uint32_t i = 0; i < b->staged_top; i++) {
        b->staged[i].sized = 0; /* workers tell anew */
    }
    finish_first(b, PSY_OK, "");
    e->phase = EDITS_FLIPPED;
}

static bool staging_programs(const psy_broker *b)
{
    bool any = false;
    for (uint32_t i = 0; i < b->staged_top; i++) {
        any = any || b->staged[i].phase == STAGED_STAGING;
    }
    return any;
}

static void step(psy_broker *b)
{
    psy__edits *e = &b->edits;
    const uint64_t all = b->layout.mask;
    psy__edit_staged staged = {.number = e->number};
    psy__edit_word word = {.number = e->number, .version = e->version};
    if ((e->phase == EDITS_COUNTING || e->phase == EDITS_BINDING) && b->ready_count < b->layout.count) {
        take_back(b, PSY_OK);
    }
    switch (e->phase) {
    case EDITS_IDLE:
        if (e->queued && b->draining) {
            finish_first(b, PSY_CLOSED, "the service is about to end and takes nothing new");
        } else if (e->queued && b->ready_count == b->layout.count && !staging_programs(b) && !psy__broker_is_moving(b) &&
                   !psy__broker_is_snapping(b)) {
            begin(b);
        }
        return;
    case EDITS_COUNTING:
        say_to(b, PSY_SAY_EDIT_STAGE, &staged, sizeof staged, all, &e->told);
        if (e->counted == all && !add_up(b)) {
            take_back(b, PSY_INVALID);
        } else if (e->counted == all) {
            e->phase = EDITS_BINDING;
        }
        return;
    case EDITS_BINDING:
        memcpy(staged.totals, e->totals, sizeof staged.totals);
        say_to(b, PSY_SAY_EDIT_TOTALS, &staged, sizeof staged, all, &e->sized);
        if (e->ready == all) {
            flip(b);
        }
        return;
    case EDITS_FLIPPED:
        say_to(b, PSY_SAY_EDIT_DONE, &word, sizeof word, e->told, &e->done);
        if ((e->applied & e->told) == e->told) {
            e->phase = EDITS_IDLE;
            b->unsettled = true;
        }
        return;
    case EDITS_GOING:
        say_to(b, PSY_SAY_EDIT_GONE, &word, sizeof word, e->told, &e->gone);
        if ((e->gone & e->told) == e->told) {
            e->phase = EDITS_IDLE;
            b->unsettled = true;
        }
        return;
    }
}

uint32_t psy__broker_edits(psy_broker *b)
{
    const psy__edits_phase before = b->edits.phase;
    if (before == EDITS_IDLE && b->edits.queued == 0) {
        return 0;
    }
    step(b);
    return b->edits.phase != before;
}

psy_status psy__broker_hear_edited(psy_broker *b, uint32_t shard, const psy__control *control)
{
    psy__edits *e = &b->edits;
    const psy__word what = psy__heard_what(control);
    const uint64_t bit = UINT64_C(1) << shard;
    psy__edit_counted counted;
    psy__edit_refused refused;
    psy__edit_word word;
    psy_status status;
    if (what == PSY_SAY_EDIT_COUNTED) {
        status = psy__heard(control, what, &counted, sizeof counted, 0);
        if (status == PSY_OK && counted.number == e->number && e->phase == EDITS_COUNTING && (e->told & bit)) {
            memcpy(e->rows[shard], counted.rows, sizeof counted.rows);
            e->counted |= bit;
        }
        return status;
    }
    if (what == PSY_SAY_EDIT_REFUSED) {
        status = psy__heard(control, what, &refused, sizeof refused, 0);
        if (status == PSY_OK && refused.number == e->number && (e->told & bit) &&
            (e->phase == EDITS_COUNTING || e->phase == EDITS_BINDING)) {
            refused.text[sizeof refused.text - 1] = '\0';
            status = refused.status == PSY_OK ? PSY_PROTOCOL : (psy_status)refused.status;
            take_back(b, psy_fail(status, "shard %u: %s", b->shards[shard].index, refused.text));
            return PSY_OK;
        }
        return status;
    }
    status = psy__heard(control, what, &word, sizeof word, 0);
    if (status == PSY_OK && word.number == e->number && (e->told & bit)) {
        e->ready |= what == PSY_SAY_EDIT_READY && e->phase == EDITS_BINDING && (e->sized & bit) ? bit : 0;
        e->applied |= what == PSY_SAY_EDIT_APPLIED && e->phase == EDITS_FLIPPED ? bit : 0;
    }
    return status;
}

psy_status psy__broker_check_version(psy_broker *b, uint32_t shard, const psy__ready *said)
{
    psy__edits *e = &b->edits;
    bool alone = true;
    for (uint32_t i = 0; i < b->place_count; i++) {
        alone = alone && !b->shards[i].loaded;
    }
    if (e->version == 1 && alone && (said->data_version > 1 || said->series) && b->counts.requests == 0) {
        e->version = said->data_version; /* it begins where its workers left off */
        e->series = said->series ? said->series : e->series;
        b->counts.snapshot_version = said->series ? said->data_version : 0;
    }
    if (said->series && said->series != e->series) {
        return psy_fail(PSY_INVALID, "shard %u has restored a snapshot of other data than the service's", shard);
    }
    return said->data_version == e->version
               ? PSY_OK
               : psy_fail(PSY_INVALID, "shard %u has version %" PRIu64 " of the data, and the service version %" PRIu64,
                          b->shards[shard].index, said->data_version, e->version);
}

void psy__broker_forget_edits(psy_broker *b, uint32_t shard)
{
    psy__edits *e = &b->edits;
    const uint64_t others = ~(UINT64_C(1) << shard);
    e->told &= others;
    e->counted &= others;
    e->ready &= others;
}

void psy__broker_drop_edits(psy_broker *b)
{
    psy__edits *e = &b->edits;
    for (uint32_t i = 0; i < e->queued; i++) {
        psy__edit_close(&e->queue[i]->file);
        free(e->queue[i]);
    }
    psy__broker_drop_kept(b, UINT64_MAX);
    free(e->kept);
}
