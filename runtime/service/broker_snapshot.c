/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of the data: all workers write the version that there is between two edits, then the list is written.
 *
 *   IDLE -> PREPARING -> WAITING -> TELLING -> WRITING -> COMMITTING -> IDLE
 *               \-----------\----------\---------\-> GOING -> CLEARING -> IDLE      it cannot be; what is there stays
 *
 * Edits wait while the workers are told (TELLING), and no longer: a worker keeps what it writes. PREPARING, COMMITTING and
 * CLEARING are a thread's, which blocks on the disk in place of the broker. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/broker_state.h"

/* ---- the threads ---- */

static psy_status prepare(void *broker, const _Atomic bool *stop)
{
    psy__snapshots *s = &((psy_broker *)broker)->snapshots;
    (void)stop;
    return psy__snapshot_prepare(s->folder, s->list.folder, &s->files);
}

static psy_status commit(void *broker, const _Atomic bool *stop)
{
    psy__snapshots *s = &((psy_broker *)broker)->snapshots;
    (void)stop;
    return psy__snapshot_commit(s->folder, &s->list);
}

static psy_status clear(void *broker, const _Atomic bool *stop)
{
    psy__snapshots *s = &((psy_broker *)broker)->snapshots;
    (void)stop;
    psy__snapshot_discard(s->folder, s->list.folder);
    return PSY_OK;
}

/* ---- what became of it ---- */

static uint64_t wall_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void close_files(psy__snapshots *s)
{
    int *fds[] = {&s->files, &s->folder};
    for (int i = 0; i < 2; i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]);
        }
        *fds[i] = -1;
    }
}

static uint64_t bytes_of(const psy__snapshot *list)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < list->resident_count; i++) {
        for (uint32_t k = 0; k < list->shards; k++) {
            bytes += list->residents[i].parts[k].data.bytes + list->residents[i].parts[k].keys.bytes;
        }
    }
    return bytes;
}

static void finish(psy_broker *b)
{
    psy__snapshots *s = &b->snapshots;
    const uint64_t took_us = (b->now_ns - s->began_ns) / 1000;
    psy__edit_outcome *o = &s->outcomes[s->ticket % PSY_OUTCOMES];
    *o = (psy__edit_outcome){.ticket = s->ticket, .status = s->status, .version = s->status == PSY_OK ? s->list.version : 0};
    snprintf(o->text, sizeof o->text, "%s", s->why);
    if (s->status == PSY_OK) {
        b->counts.snapshots++;
        b->counts.snapshot_version = s->list.version;
        b->counts.snapshot_ns = wall_clock_ns();
        psy__broker_drop_kept(b, s->list.version);
        PSY__TELL(&b->events, SNAPSHOT_MADE, PSY__NUMBER(s->list.version), PSY__NUMBER(s->list.resident_count),
                  PSY__NUMBER(bytes_of(&s->list)), PSY__NUMBER(took_us), PSY__TEXT(s->path));
    } else {
        b->counts.snapshots_failed++;
        PSY__TELL(&b->events, SNAPSHOT_FAILED, PSY__TEXT(s->path), PSY__TEXT(psy_status_name(s->status)), PSY__TEXT(s->why));
    }
    close_files(s);
    psy__snapshot_fini(&s->list);
    free(s->path);
    s->path = NULL;
    s->phase = SNAPSHOT_IDLE;
}

/* With this thread's detail. Who writes is told, and waited for. */
static void give_up(psy_broker *b, psy_status status)
{
    psy__snapshots *s = &b->snapshots;
    s->status = status;
    snprintf(s->why, sizeof s->why, "%s", psy_detail());
    s->gone = 0;
    s->phase = SNAPSHOT_GOING;
}

static void give_up_in(psy_broker *b, psy_status status)
{
    char why[400];
    snprintf(why, sizeof why, "%s", psy_detail());
    give_up(b, psy_fail(status, "snapshot in %.90s: %s", b->snapshots.path, why));
}

/* ---- the operator ---- */

psy_status psy_broker_snapshot(psy_broker *b, const char *folder, uint64_t *ticket)
{
    if (!b || !folder) {
        return psy_fail(PSY_INVALID, "psy_broker_snapshot: a null argument");
    }
    psy__snapshots *s = &b->snapshots;
    if (s->phase != SNAPSHOT_IDLE) {
        return psy_fail(PSY_LIMIT, "a snapshot is on its way already");
    }
    s->path = strdup(folder);
    if (!s->path) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a snapshot");
    }
    s->list = (psy__snapshot){.shards = 0}; /* TELLING knows what it is of */
    s->told = s->done = 0;
    memset(s->parts, 0, sizeof s->parts);
    s->files = -1;
    s->began_ns = psy__now_ns();
    psy_status status = psy__snapshot_open_folder(folder, &s->folder);
    status = status == PSY_OK ? psy__errand_begin(&s->errand, prepare, b) : status;
    if (status != PSY_OK) {
        close_files(s);
        free(s->path);
        s->path = NULL;
        return status;
    }
    s->status = PSY_OK;
    s->why[0] = '\0';
    s->ticket = ++s->next_ticket;
    s->phase = SNAPSHOT_PREPARING;
    if (ticket) {
        *ticket = s->ticket;
    }
    return PSY_OK;
}

psy_status psy_broker_snapshot_status(const psy_broker *b, uint64_t ticket, uint64_t *version)
{
    const psy__snapshots *s = &b->snapshots;
    if (s->phase != SNAPSHOT_IDLE && ticket == s->ticket) {
        return PSY_EMPTY;
    }
    const psy__edit_outcome *o = &s->outcomes[ticket % PSY_OUTCOMES];
    if (!ticket || o->ticket != ticket) {
        return psy_fail(PSY_NOT_FOUND, "no such snapshot, or it is long ago");
    }
    if (version) {
        *version = o->version;
    }
    return o->status == PSY_OK ? PSY_OK : psy_fail(o->status, "%s", o->text);
}

/* ---- workers ---- */

/* `shard` of the layout. */
static psy_status take_part(psy_broker *b, uint32_t shard, psy__snapshot_part_said *said)
{
    psy__snapshots *s = &b->snapshots;
    said->resident[sizeof said->resident - 1] = '\0';
    if (said->placement > PSY_PLACE_BY_KEY || said->rank == 0 || said->rank > PSY_RANK_MAX || !psy__dtype_name(said->dtype) ||
        said->bytes == 0 || (said->placement == PSY_PLACE_REPLICATED && shard != 0)) {
        return psy_fail(PSY_PROTOCOL, "a worker's word of a snapshot makes no sense");
    }
    psy__snapshot_resident *r = psy__snapshot_find(&s->list, said->resident);
    if (!r) {
        r = psy__snapshot_add(&s->list, said->resident);
        if (!r) {
            return PSY_LIMIT;
        }
        r->dtype = (uint8_t)said->dtype;
        r->rank = (uint8_t)said->rank;
        r->placement = (uint8_t)said->placement;
        memcpy(r->dims, said->dims, sizeof r->dims);
    }
    psy__snapshot_part *p = &r->parts[shard];
    if (r->dtype != said->dtype || r->rank != said->rank || r->placement != said->placement || p->data.bytes ||
        memcmp(r->dims, said->dims, r->rank * sizeof *r->dims) != 0) {
        return psy_fail(PSY_PROTOCOL, "the shards do not agree on what resident %s is", r->name);
    }
    *p = (psy__snapshot_part){said->rows, {said->bytes, said->checksum}, {said->keys_bytes, said->keys_checksum}};
    s->parts[shard]++;
    return PSY_OK;
}

psy_status psy__broker_hear_snapshot(psy_broker *b, uint32_t shard, const psy__control *control)
{
    psy__snapshots *s = &b->snapshots;
    const psy__word what = psy__heard_what(control);
    const uint64_t bit = UINT64_C(1) << shard;
    const uint32_t index = b->shards[shard].index;
    psy__snapshot_part_said part;
    psy__snapshot_done done;
    psy_status status = what == PSY_SAY_SNAPSHOT_PART ? psy__heard(control, what, &part, sizeof part, 0)
                                                      : psy__heard(control, what, &done, sizeof done, 0);
    if (status != PSY_OK) {
        return status;
    }
    if ((what == PSY_SAY_SNAPSHOT_PART ? part.number : done.number) != s->ticket || !(s->told & bit) || (s->done & bit) ||
        s->phase == SNAPSHOT_IDLE) {
        return psy_fail(PSY_PROTOCOL, "a worker's word of a snapshot came out of turn");
    }
    const bool wanted = s->phase == SNAPSHOT_TELLING || s->phase == SNAPSHOT_WRITING;
    if (what == PSY_SAY_SNAPSHOT_PART) {
        status = wanted ? take_part(b, index, &part) : PSY_OK;
        if (status == PSY_LIMIT) { /* no fault of the worker's */
            give_up_in(b, status);
            return PSY_OK;
        }
        return status;
    }
    s->done |= bit;
    done.text[sizeof done.text - 1] = '\0';
    if (wanted && done.status != PSY_OK) {
        status = psy_fail((psy_status)done.status, "shard %u: %.300s", index, done.text);
        give_up_in(b, status);
    } else if (wanted && done.parts != s->parts[index]) {
        give_up_in(b, psy_fail(PSY_PROTOCOL, "shard %u wrote %u residents, and named %u", index, done.parts, s->parts[index]));
    }
    return PSY_OK;
}

void psy__broker_forget_snapshot(psy_broker *b, uint32_t shard)
{
    psy__snapshots *s = &b->snapshots;
    const uint64_t bit = UINT64_C(1) << shard;
    const bool wanted = s->phase == SNAPSHOT_TELLING || s->phase == SNAPSHOT_WRITING;
    const bool wrote = (s->done & bit) != 0;
    s->told &= ~bit;
    s->done &= ~bit;
    if (wanted && !(wrote && s->phase == SNAPSHOT_WRITING)) {
        give_up_in(b, psy_fail(PSY_PEER_DIED, "the worker of shard %u died or left while it wrote", shard));
    } else if (wanted) {
        s->told |= bit; /* its files are there */
        s->done |= bit;
    }
}

/* ---- step by step ---- */

/* Says a word to those of `to` that have not heard it. A link that is full is tried again; one that is closed is another's
 * business. */
static void say_to(psy_broker *b, psy__word what, uint64_t to, uint64_t *heard)
{
    psy__snapshots *s = &b->snapshots;
    for (uint32_t i = 0; i < b->place_count; i++) {
        const uint64_t bit = UINT64_C(1) << i;
        if ((to & ~*heard & bit) && b->shards[i].phase == SHARD_READY) {
            psy__snapshot_word said = {.number = s->ticket, .version = s->list.version};
            const psy_status status =
                psy__say(b->shards[i].link, what, &said, sizeof said, &s->files, what == PSY_SAY_SNAPSHOT);
            *heard |= status == PSY_OK ? bit : 0;
        }
    }
}

static void errand(psy_broker *b, psy__errand_run *run, psy__snapshots_phase phase)
{
    psy__snapshots *s = &b->snapshots;
    s->phase = phase;
    if (psy__errand_begin(&s->errand, run, b) != PSY_OK) { /* no thread: then at once */
        const psy_status status = run(b, NULL);
        if (status != PSY_OK) {
            s->status = status;
            snprintf(s->why, sizeof s->why, "%s", psy_detail());
        }
        finish(b);
    }
}

static void step(psy_broker *b)
{
    psy__snapshots *s = &b->snapshots;
    const uint64_t all = b->layout.mask;
    psy_status status;
    switch (s->phase) {
    case SNAPSHOT_IDLE: return;
    case SNAPSHOT_PREPARING:
        status = psy__errand_poll(&s->errand);
        if (status == PSY_OK) {
            s->phase = SNAPSHOT_WAITING;
        } else if (status != PSY_EMPTY) {
            give_up_in(b, status);
        }
        return;
    case SNAPSHOT_WAITING:
        if (b->ready_count == b->layout.count && !psy__broker_is_editing(b) && !psy__broker_is_moving(b)) {
            s->list.shards = b->layout.count;
            s->list.version = b->edits.version;
            s->list.series = b->edits.series;
            s->phase = SNAPSHOT_TELLING;
        }
        return;
    case SNAPSHOT_TELLING:
        say_to(b, PSY_SAY_SNAPSHOT, all, &s->told);
        s->phase = s->told == all ? SNAPSHOT_WRITING : s->phase;
        return;
    case SNAPSHOT_WRITING:
        if (s->done == all) {
            errand(b, commit, SNAPSHOT_COMMITTING);
        }
        return;
    case SNAPSHOT_GOING:
        say_to(b, PSY_SAY_SNAPSHOT_GONE, s->told & ~s->done, &s->gone);
        if ((s->told & ~s->done) == 0) {
            errand(b, clear, SNAPSHOT_CLEARING);
        }
        return;
    case SNAPSHOT_COMMITTING:
    case SNAPSHOT_CLEARING:
        status = psy__errand_poll(&s->errand);
        if (status == PSY_EMPTY) {
            return;
        }
        if (status != PSY_OK) {
            char why[400];
            snprintf(why, sizeof why, "%s", psy_detail());
            s->status = status;
            snprintf(s->why, sizeof s->why, "snapshot in %.90s: %s", s->path, why);
        }
        finish(b);
        return;
    }
}

uint32_t psy__broker_snapshots(psy_broker *b)
{
    const psy__snapshots_phase before = b->snapshots.phase;
    if (before == SNAPSHOT_IDLE) {
        return 0;
    }
    step(b);
    return b->snapshots.phase != before;
}

void psy__broker_drop_snapshots(psy_broker *b)
{
    psy__snapshots *s = &b->snapshots;
    if (s->phase == SNAPSHOT_IDLE) {
        return;
    }
    psy__errand_end(&s->errand);
    if (s->phase != SNAPSHOT_COMMITTING) {
        psy__snapshot_discard(s->folder, s->list.folder);
    }
    close_files(s);
    psy__snapshot_fini(&s->list);
    free(s->path);
    s->phase = SNAPSHOT_IDLE;
}
