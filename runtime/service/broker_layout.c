/* SPDX-License-Identifier: Apache-2.0 */
/* How many shards there are, and its change while they serve.
 *
 *   NONE -> JOINING -> ASKING -> EXPORTING -> GIVING -> ... -> BINDING -> flip -> NONE
 *               \---------\----------\-----------\---------------\--> taken back -> NONE
 *
 * The layout to come has places of its own. Once a worker has joined for each of its shards, all rows go from the workers that
 * there are to those: resident by resident, shard by shard, in pieces that are no larger than a few megabytes; the broker only
 * hands descriptors on. Requests go to the old shards all the while; edits and programs wait. When the new workers have bound
 * the programs, the requests from there on go to them, and the old ones finish what they have and leave.
 *
 * Whatever goes wrong before that takes the change back: the workers to come are sent away, and nothing has changed. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/broker_state.h"

enum { DATASETS_MAX = 4096 };

/* ---- places ---- */

/* The lowest places that are free: a layout's grow with its shards. False: there are too few. */
static bool choose_places(const psy_broker *b, uint32_t count, psy__layout *out)
{
    *out = (psy__layout){.number = b->layout.number + 1};
    for (uint32_t i = 0; i < b->place_count && out->count < count; i++) {
        if (b->shards[i].phase == SHARD_NONE && !(b->layout.mask >> i & 1)) {
            out->places[out->count++] = (uint8_t)i;
            out->mask |= UINT64_C(1) << i;
        }
    }
    return out->count == count;
}

void psy__broker_layout_begin(psy_broker *b, uint32_t shards, uint32_t places)
{
    b->place_count = places ? places : shards;
    b->layout = (psy__layout){.number = 1, .count = shards};
    for (uint32_t i = 0; i < shards; i++) {
        b->layout.places[i] = (uint8_t)i;
        b->layout.mask |= UINT64_C(1) << i;
    }
    b->writers = b->layout.mask;
    atomic_store_explicit(&b->health.shards, shards, memory_order_relaxed);
}

psy_status psy__broker_find_place(const psy_broker *b, uint32_t shard, uint32_t *place)
{
    const psy__layout *now = &b->layout, *next = &b->change.next;
    const bool joins = b->change.phase == CHANGE_JOINING;
    const uint32_t most = joins && next->count > now->count ? next->count : now->count;
    if (shard >= most) {
        return psy_fail(PSY_LIMIT, "there is no shard %u: the service has %u, from 0", shard, most);
    }
    if (shard < now->count && b->shards[now->places[shard]].phase == SHARD_NONE) {
        *place = now->places[shard];
        return PSY_OK;
    }
    if (joins && shard < next->count && b->shards[next->places[shard]].phase == SHARD_NONE) {
        *place = next->places[shard];
        return PSY_OK;
    }
    return psy_fail(PSY_LIMIT, "shard %u has a worker already", shard);
}

uint64_t psy__broker_writers(const psy_broker *b)
{
    uint64_t places = b->layout.mask;
    for (uint32_t i = 0; i < b->place_count; i++) {
        places |= b->shards[i].phase != SHARD_NONE ? UINT64_C(1) << i : 0;
    }
    return places;
}

/* A client that sleeps does so beside the rings that it knows of. */
void psy__broker_tell_writers(psy_broker *b)
{
    const uint64_t places = psy__broker_writers(b);
    if (places == b->writers) {
        return;
    }
    b->writers = places;
    for (uint32_t i = 0; i < b->client_top; i++) {
        if (b->clients[i].phase == CLIENT_SERVED) {
            atomic_store_explicit(psy__writers_at(&b->clients[i].responses), places, memory_order_release);
            psy_bell_ring(&b->clients[i].bell);
        }
    }
}

/* ---- how it ends ---- */

static void stop_moving(psy__change *c)
{
    if (c->file >= 0) {
        close(c->file);
    }
    c->file = -1;
    c->phase = CHANGE_NONE;
}

static void remember(psy_broker *b, psy_status status, const char *text)
{
    psy__change *c = &b->change;
    psy__change_outcome *o = &c->outcomes[c->number % PSY_CHANGE_OUTCOMES];
    *o = (psy__change_outcome){.ticket = c->number, .status = status};
    snprintf(o->text, sizeof o->text, "%s", text);
}

/* With this thread's detail. */
static void take_back(psy_broker *b, psy_status status)
{
    psy__change *c = &b->change;
    const psy__layout next = c->next;
    char text[512];
    snprintf(text, sizeof text, "%s", psy_detail());
    stop_moving(c);
    c->next = (psy__layout){0};
    remember(b, status, text);
    b->counts.reshards_refused++;
    PSY__TELL(&b->events, SHARDS_REFUSED, PSY__NUMBER(b->layout.count), PSY__NUMBER(next.count),
              PSY__TEXT(psy_status_name(status)), PSY__TEXT(text));
    for (uint32_t i = 0; i < next.count; i++) {
        if (b->shards[next.places[i]].phase != SHARD_NONE) {
            b->shards[next.places[i]].leaving = true; /* it is sent away, and has not died */
            psy__refuse(b->shards[next.places[i]].link, psy_fail(status, "the shards do not change: %s", text), 1);
            psy__broker_drop_shard(b, next.places[i]);
        }
    }
    b->unsettled = true; /* programs have waited */
}

static void flip(psy_broker *b)
{
    psy__change *c = &b->change;
    const psy__layout before = b->layout;
    stop_moving(c);
    b->layout = c->next;
    b->layout.version = b->edits.version;
    c->next = (psy__layout){0};
    b->ready_count = b->layout.count;
    b->next_shard = 0;
    for (uint32_t i = 0; i < before.count; i++) {
        b->shards[before.places[i]].leaving = true;
    }
    psy__broker_drop_kept(b, UINT64_MAX); /* they were made to other parts */
    psy__fairness_init(b, b->contended_in_flight);
    remember(b, PSY_OK, "");
    b->counts.reshards++;
    b->unsettled = true;
    PSY__TELL(&b->events, SHARDS_CHANGED, PSY__NUMBER(before.count), PSY__NUMBER(b->layout.count), PSY__NUMBER(c->rows),
              PSY__NUMBER(c->bytes), PSY__NUMBER((b->now_ns - c->began_ns) / 1000000), PSY__NUMBER(b->edits.version));
}

void psy__broker_layout_lost(psy_broker *b, uint32_t place, uint32_t index)
{
    const uint64_t bit = UINT64_C(1) << place;
    const bool old = (b->layout.mask & bit) != 0;
    if (b->change.phase != CHANGE_NONE && (old || (b->change.next.mask & bit))) {
        take_back(b, psy_fail(PSY_PEER_DIED, "the worker of shard %u of %u is gone, of those that %s", index,
                              old ? b->layout.count : b->change.next.count, old ? "there are" : "were to come"));
    }
}

/* ---- who asks ---- */

psy_status psy_broker_reshard(psy_broker *b, uint32_t shards, uint64_t *ticket)
{
    psy__layout next;
    if (!b || shards == 0 || shards > PSY_SHARDS_MAX) {
        return psy_fail(PSY_INVALID, "psy_broker_reshard: 1 to %d shards, not %u", PSY_SHARDS_MAX, shards);
    }
    psy__change *c = &b->change;
    if (b->draining) {
        return psy_fail(PSY_CLOSED, "the service is about to end and takes nothing new");
    }
    if (c->phase != CHANGE_NONE) {
        return psy_fail(PSY_LIMIT, "the shards change already, to %u: one change at a time", c->next.count);
    }
    if (b->layout.count + shards > b->place_count) {
        return psy_fail(PSY_LIMIT,
                        "a change from %u to %u shards needs places for %u workers, and the service has %u: set shards_max",
                        b->layout.count, shards, b->layout.count + shards, b->place_count);
    }
    if (!choose_places(b, shards, &next)) {
        return psy_fail(PSY_LIMIT, "workers of an earlier change have not left yet: wait, or set shards_max, which is %u",
                        b->place_count);
    }
    if (b->ready_count < b->layout.count) {
        return psy_fail(PSY_PEER_DIED, "%u of %u shards are ready: all have to be there to give their rows", b->ready_count,
                        b->layout.count);
    }
    c->phase = CHANGE_JOINING;
    c->number++;
    c->next = next;
    c->began_ns = b->now_ns;
    c->rows = c->bytes = 0;
    if (ticket) {
        *ticket = c->number;
    }
    PSY__TELL(&b->events, SHARDS_CHANGING, PSY__NUMBER(b->layout.count), PSY__NUMBER(shards), PSY__NUMBER(b->edits.version));
    return PSY_OK;
}

psy_status psy_broker_reshard_status(const psy_broker *b, uint64_t ticket)
{
    const psy__change *c = &b->change;
    const psy__change_outcome *o = &c->outcomes[ticket % PSY_CHANGE_OUTCOMES];
    if (ticket && ticket == c->number && c->phase != CHANGE_NONE) {
        return PSY_EMPTY;
    }
    if (!ticket || o->ticket != ticket) {
        return psy_fail(PSY_NOT_FOUND, "no such change of the shards, or it is long ago");
    }
    return o->status == PSY_OK ? PSY_OK : psy_fail(o->status, "%s", o->text);
}

psy_status psy_broker_reshard_cancel(psy_broker *b, uint64_t ticket)
{
    if (!ticket || b->change.phase == CHANGE_NONE || ticket != b->change.number) {
        return psy_fail(PSY_NOT_FOUND, "no such change of the shards is on its way");
    }
    take_back(b, psy_fail(PSY_CANCELLED, "the operator has taken it back"));
    return PSY_OK;
}

/* ---- rows ---- */

static void ask_for(psy__change *c, uint32_t dataset)
{
    c->phase = CHANGE_ASKING;
    c->dataset = dataset;
    c->from = 0;
    c->row = c->row_of_all = 0;
    memset(c->resident, 0, sizeof c->resident);
}

/* Its rows, beyond those that it has given. A link that is full is tried again, and one that is closed is another's business.
 */
static void ask(psy_broker *b)
{
    psy__change *c = &b->change;
    psy__export said = {.number = c->number, .row = c->row, .dataset = c->dataset};
    memcpy(said.resident, c->resident, sizeof said.resident);
    if (psy__say(b->shards[b->layout.places[c->from]].link, PSY_SAY_EXPORT, &said, sizeof said, NULL, 0) == PSY_OK) {
        c->phase = CHANGE_EXPORTING;
    }
}

/* Whether the piece can be the one that is due: what it holds is the takers' to check. */
static psy_status check_piece(const psy_broker *b, const psy__edit *edit, const psy__exported *said)
{
    const psy__change *c = &b->change;
    const psy__edit_part *p = &edit->parts[0];
    const bool keyed = said->placement == PSY_PLACE_BY_KEY;
    const uint64_t first = keyed ? 0 : c->row_of_all;
    const bool named = c->resident[0] == '\0' || strcmp(c->resident, p->resident) == 0;
    if (edit->part_count != 1 || p->kind != PSY_EDIT_RELOAD || p->flags != 0 || !named || p->has_which != keyed ||
        said->placement > PSY_PLACE_BY_KEY || said->first != first || said->total >= UINT32_MAX ||
        p->dims[0] > said->total - (c->row_of_all < said->total ? c->row_of_all : said->total) ||
        (said->more && p->dims[0] == 0) || (c->resident[0] && (said->total != c->total || said->placement != c->placement))) {
        return psy_fail(PSY_CORRUPT,
                        "shard %u gives %" PRIu64 " rows of %.100s from %" PRIu64 " of %" PRIu64 " on, where %s from %" PRIu64
                        " on are due",
                        c->from, p->dims[0], p->resident, said->first, said->total, c->resident[0] ? c->resident : "rows",
                        first);
    }
    return PSY_OK;
}

/* That was all: whoever came binds it to the programs. */
static void bind_all(psy__change *c)
{
    c->phase = CHANGE_BINDING;
    c->told = 0;
}

static psy_status take_piece(psy_broker *b, psy__exported *said, int *fd)
{
    psy__change *c = &b->change;
    psy__edit edit;
    psy_status status = psy__edit_take(*fd, UINT64_MAX, &edit);
    *fd = -1;
    if (status != PSY_OK) {
        return status;
    }
    status = c->dataset < DATASETS_MAX ? check_piece(b, &edit, said)
                                       : psy_fail(PSY_LIMIT, "shard %u has more than %d residents", c->from, DATASETS_MAX);
    if (status != PSY_OK) {
        psy__edit_close(&edit);
        return status;
    }
    memcpy(c->resident, edit.parts[0].resident, sizeof c->resident);
    c->file = edit.fd;
    c->piece = edit.parts[0].dims[0];
    c->placement = said->placement;
    c->total = said->total;
    c->more = said->more != 0;
    c->rows += c->piece;
    c->bytes += edit.bytes;
    c->told = c->taken = 0;
    c->phase = CHANGE_GIVING;
    return PSY_OK;
}

/* The last piece of a resident: replicated ones are every shard's, and the first has them. */
static bool is_last(const psy_broker *b)
{
    const psy__change *c = &b->change;
    return !c->more && (c->placement == PSY_PLACE_REPLICATED || c->from + 1 == b->layout.count);
}

static void give(psy_broker *b)
{
    psy__change *c = &b->change;
    psy__take said = {.number = c->number,
                      .first = c->placement == PSY_PLACE_BY_KEY ? 0 : c->row_of_all,
                      .total = c->total,
                      .placement = c->placement,
                      .last = is_last(b),
                      .shard = c->from,
                      .shards = b->layout.count};
    for (uint64_t rest = c->next.mask & ~c->told; rest; rest &= rest - 1) {
        const uint32_t place = (uint32_t)__builtin_ctzll(rest);
        const psy_status status = psy__say(b->shards[place].link, PSY_SAY_TAKE, &said, sizeof said, &c->file, 1);
        c->told |= status == PSY_OK ? UINT64_C(1) << place : 0;
    }
    if (c->taken != c->next.mask) {
        return;
    }
    const bool last = is_last(b);
    stop_moving(c);
    c->row_of_all += c->piece;
    if (last) {
        ask_for(c, c->dataset + 1);
        return;
    }
    c->phase = CHANGE_ASKING;
    c->row = c->more ? c->row + c->piece : 0;
    c->from += !c->more;
}

static psy_status hear_exported(psy_broker *b, uint32_t place, psy__control *control)
{
    psy__change *c = &b->change;
    psy__exported said;
    const uint32_t files = control->fd_count;
    psy_status status = psy__heard(control, PSY_SAY_EXPORTED, &said, sizeof said, files > 1 ? 1 : files);
    if (status != PSY_OK || said.number != c->number || c->phase != CHANGE_EXPORTING || place != b->layout.places[c->from]) {
        return status; /* of a change that was taken back */
    }
    if (files == 0 && c->resident[0] == '\0') {
        bind_all(c);
        return PSY_OK;
    }
    status = files ? take_piece(b, &said, &control->fds[0])
                   : psy_fail(PSY_CORRUPT, "shard %u gives no rows of %s", c->from, c->resident);
    if (status != PSY_OK) {
        take_back(b, status);
    }
    return PSY_OK;
}

psy_status psy__broker_hear_moved(psy_broker *b, uint32_t place, psy__control *control)
{
    psy__change *c = &b->change;
    const uint64_t bit = UINT64_C(1) << place;
    psy__move_word word;
    psy__move_refused refused;
    if (psy__heard_what(control) == PSY_SAY_EXPORTED) {
        return hear_exported(b, place, control);
    }
    if (psy__heard_what(control) == PSY_SAY_TAKEN) {
        psy_status status = psy__heard(control, PSY_SAY_TAKEN, &word, sizeof word, 0);
        if (status == PSY_OK && word.number == c->number && c->phase == CHANGE_GIVING) {
            c->taken |= c->told & bit;
        }
        return status;
    }
    psy_status status = psy__heard(control, PSY_SAY_MOVE_REFUSED, &refused, sizeof refused, 0);
    const bool old = (b->layout.mask & bit) != 0, meant = old ? c->phase == CHANGE_EXPORTING : (c->next.mask & bit) != 0;
    if (status == PSY_OK && refused.number == c->number && c->phase != CHANGE_NONE && meant) {
        refused.text[sizeof refused.text - 1] = '\0';
        const psy_status why = refused.status == PSY_OK ? PSY_PROTOCOL : (psy_status)refused.status;
        take_back(b, psy_fail(why, "shard %u of %u: %s", b->shards[place].index, old ? b->layout.count : c->next.count,
                              refused.text));
    }
    return status;
}

/* ---- step by step ---- */

/* Everybody has come, and nothing else is on its way. */
static bool may_move(const psy_broker *b)
{
    const psy__change *c = &b->change;
    bool may = b->edits.phase == EDITS_IDLE && b->snapshots.phase <= SNAPSHOT_WAITING; /* that one waits, then */
    for (uint32_t i = 0; i < c->next.count; i++) {
        may = may && b->shards[c->next.places[i]].engaged;
    }
    for (uint32_t i = 0; i < b->staged_top; i++) {
        may = may && b->staged[i].phase != STAGED_STAGING;
    }
    return may;
}

static void finish(psy_broker *b)
{
    psy__change *c = &b->change;
    psy__move_word said = {.number = c->number, .version = b->edits.version};
    bool ready = true;
    for (uint32_t i = 0; i < c->next.count; i++) {
        const uint32_t place = c->next.places[i];
        const uint64_t bit = UINT64_C(1) << place;
        if (!(c->told & bit)) {
            const psy_status status = psy__say(b->shards[place].link, PSY_SAY_MOVED, &said, sizeof said, NULL, 0);
            c->told |= status == PSY_OK ? bit : 0;
        }
        ready = ready && b->shards[place].phase == SHARD_READY && b->shards[place].untold == 0;
    }
    if (ready) {
        flip(b);
    }
}

static void dismiss(psy_broker *b)
{
    for (uint32_t i = 0; i < b->place_count; i++) {
        psy__shard *s = &b->shards[i];
        psy__dismissed said = {.said = {0}};
        if (s->leaving && !s->dismissed && !psy__broker_in_layout(b, i)) {
            s->dismissed = psy__say(s->link, PSY_SAY_DISMISSED, &said, sizeof said, NULL, 0) == PSY_OK;
        }
    }
}

uint32_t psy__broker_layout(psy_broker *b)
{
    psy__change *c = &b->change;
    const psy__change_phase before = c->phase;
    dismiss(b);
    if (before != CHANGE_NONE && b->draining) {
        take_back(b, psy_fail(PSY_CLOSED, "the service is about to end"));
    } else if (before != CHANGE_NONE && b->ready_count < b->layout.count) {
        take_back(b, psy_fail(PSY_PEER_DIED, "a worker leaves whose rows are needed"));
    }
    switch (c->phase) {
    case CHANGE_NONE:
    case CHANGE_EXPORTING: break;
    case CHANGE_JOINING:
        if (may_move(b)) {
            ask_for(c, 0);
        }
        break;
    case CHANGE_ASKING: ask(b); break;
    case CHANGE_GIVING: give(b); break;
    case CHANGE_BINDING: finish(b); break;
    }
    psy__broker_tell_writers(b);
    return c->phase != before;
}

void psy__broker_drop_change(psy_broker *b) { stop_moving(&b->change); }
