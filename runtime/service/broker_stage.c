/* SPDX-License-Identifier: Apache-2.0 */
/* Modules at their places, given to the workers and taken from them while requests go on.
 *
 *   STAGING -- all workers there say READY --> SERVED -- no name is left --> LEAVING -- no request, no worker --> gone
 *         \-- one refuses it --> LEAVING
 *
 * Workers that come later are given what is served and what is staged before they count as ready. A request's ticket counts for
 * the module that it was sent to until it is freed. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/broker_state.h"

/* ---- places ---- */

static void clear_place(psy__staged *s)
{
    psy_slab_destroy(s->file);
    if (s->module && s->described >= 0) {
        close(s->described);
    }
    psy__module_drop(s->module);
    free(s->symbols);
    *s = (psy__staged){0};
}

static bool is_native(const psy_module *module) { return module->decoded.kernel_count != 0; }

/* Not only the same hash: that one is no secret, and others can be made for it. */
bool psy__staged_is(const psy__staged *s, const psy_module *module)
{
    const psy_module *have = s->module;
    return have == module ||
           (have->bytes && module->bytes && have->n == module->n && is_native(have) == is_native(module) &&
            psy_module_hash(have) == psy_module_hash(module) && memcmp(have->bytes, module->bytes, module->n) == 0);
}

static psy_status fill_place(psy_broker *b, psy__staged *s, const psy_module *module, bool limited)
{
    size_t sizes = (size_t)b->place_count * module->decoded.symbol_count;
    *s = (psy__staged){.phase = STAGED_STAGING, .limited = limited, .module = psy__module_hold(module), .described = -1};
    s->symbols = calloc(sizes + 1, sizeof *s->symbols);
    psy_status status = s->symbols ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory for a program");
    if (status == PSY_OK && module->bytes) {
        psy_slab_options options = {.bytes = module->n, .name = "psyne-module"};
        status = psy_slab_create(&options, &s->file);
        if (status == PSY_OK) {
            memcpy(psy_slab_data(s->file), module->bytes, module->n);
        }
    }
    if (status != PSY_OK) {
        clear_place(s);
        return status;
    }
    s->number = ++b->next_number;
    b->unsettled = true;
    return PSY_OK;
}

psy_status psy__broker_stage(psy_broker *b, const psy_module *module, bool limited, uint32_t *place)
{
    for (uint32_t i = 0; i < b->staged_top; i++) {
        const psy__staged *s = &b->staged[i];
        if ((s->phase == STAGED_STAGING || s->phase == STAGED_SERVED) && s->limited == limited && psy__staged_is(s, module)) {
            *place = i;
            return PSY_OK;
        }
    }
    uint32_t clients = 0;
    for (uint32_t i = 0; i < b->staged_top; i++) {
        clients += b->staged[i].phase != STAGED_NONE && b->staged[i].limited;
    }
    if (limited && clients >= PSY_CLIENT_PROGRAMS_MAX) {
        return psy_fail(PSY_LIMIT, "the service has %d programs of clients, and takes no more", PSY_CLIENT_PROGRAMS_MAX);
    }
    if (b->next_number == UINT32_MAX) {
        return psy_fail(PSY_LIMIT, "the service has had all the programs that it can have: start it again");
    }
    for (uint32_t i = 0; i < PSY_PROGRAMS_MAX; i++) {
        if (b->staged[i].phase == STAGED_NONE) {
            *place = i;
            psy_status status = fill_place(b, &b->staged[i], module, limited);
            b->staged_top = status == PSY_OK && i >= b->staged_top ? i + 1 : b->staged_top;
            return status;
        }
    }
    return psy_fail(PSY_LIMIT, "the service has %d programs: remove some first", PSY_PROGRAMS_MAX);
}

/* ---- workers ---- */

static psy_status tell_program(psy_broker *b, uint32_t shard, uint32_t place)
{
    const psy__staged *s = &b->staged[place];
    psy__program_said said = {.number = s->number,
                              .place = place,
                              .flags = (is_native(s->module) ? PSY_PROGRAM_NATIVE : 0u) |
                                       (s->phase == STAGED_SERVED && !s->limited ? PSY_PROGRAM_SERVED : 0u),
                              .hash = psy_module_hash(s->module),
                              .bytes = s->file ? s->module->n : 0};
    if (s->limited) {
        said.arena_bytes = b->client_limits.arena_bytes;
        said.work = b->client_limits.work;
    }
    for (uint32_t i = 0; i < b->title_top; i++) { /* one of its names, for people */
        if (b->titles[i].ticket && b->titles[i].place == place) {
            memcpy(said.name, b->titles[i].name, sizeof said.name);
            said.version = b->titles[i].version;
            break;
        }
    }
    int fd = s->file ? psy_slab_fd(s->file) : -1;
    return psy__say(b->shards[shard].link, PSY_SAY_PROGRAM, &said, sizeof said, &fd, s->file ? 1 : 0);
}

psy_status psy__broker_tell_programs(psy_broker *b, uint32_t shard)
{
    uint64_t bit = UINT64_C(1) << shard;
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < b->staged_top; i++) {
        psy__staged *s = &b->staged[i];
        if (b->shards[shard].engaged && s->phase == STAGED_STAGING && (psy__broker_is_editing(b) || psy__broker_is_moving(b))) {
            b->unsettled = true; /* the worker binds what it has to the next data: later */
        } else if ((s->phase == STAGED_STAGING || s->phase == STAGED_SERVED) && !(s->told & bit)) {
            status = tell_program(b, shard, i);
            s->told |= status == PSY_OK ? bit : 0;
        } else if (s->phase == STAGED_LEAVING && s->tickets == 0 && (s->told & bit) && b->shards[shard].engaged) {
            psy__program_gone said = {.number = s->number};
            status = psy__say(b->shards[shard].link, PSY_SAY_PROGRAM_GONE, &said, sizeof said, NULL, 0);
            s->told &= status == PSY_OK ? ~bit : UINT64_MAX;
        }
    }
    const bool moves = !psy__broker_in_layout(b, shard);
    if (status == PSY_OK && !b->shards[shard].engaged && !moves) {
        status = psy__broker_tell_kept(b, shard);
    }
    if (status == PSY_OK && !b->shards[shard].engaged) {
        psy__engaged said = {.data_version = b->edits.version, .equal_version = moves ? 0 : b->layout.version};
        status = psy__say(b->shards[shard].link, PSY_SAY_ENGAGED, &said, sizeof said, NULL, 0);
        b->shards[shard].engaged = status == PSY_OK;
    }
    b->unsettled = b->unsettled || status == PSY_FULL;
    return status == PSY_FULL ? PSY_OK : status;
}

uint32_t psy__broker_programs(psy_broker *b)
{
    if (!b->unsettled) {
        return 0;
    }
    b->unsettled = false;
    uint32_t n = 0;
    uint64_t present = 0, serving = 0;
    for (uint32_t i = 0; i < b->place_count; i++) {
        if (b->shards[i].phase != SHARD_NONE && psy__broker_tell_programs(b, i) != PSY_OK) {
            psy__broker_drop_shard(b, i);
        }
        present |= b->shards[i].phase != SHARD_NONE ? UINT64_C(1) << i : 0;
        serving |= b->shards[i].phase == SHARD_READY ? UINT64_C(1) << i : 0;
    }
    present &= b->layout.mask; /* those that are about to come have it before they serve; those that leave need none */
    serving &= b->layout.mask;
    for (uint32_t i = 0; i < b->staged_top; i++) {
        psy__staged *s = &b->staged[i];
        /* A client does not wait for workers that are still at their data. They have its program before they serve. */
        uint64_t needed = s->limited && serving ? serving : present;
        if (s->phase == STAGED_STAGING && needed && (s->ready & needed) == needed) {
            psy__broker_serve(b, i);
            n++;
        } else if (s->phase == STAGED_SERVED && s->fresh) {
            psy__broker_serve(b, i);
            n++;
        } else if (s->phase == STAGED_LEAVING && s->tickets == 0 && s->told == 0) {
            psy__measure_program_end(b, s);
            clear_place(s);
            n++;
        }
        b->unsettled = b->unsettled || s->phase == STAGED_STAGING || s->phase == STAGED_LEAVING;
    }
    while (b->staged_top > 0 && b->staged[b->staged_top - 1].phase == STAGED_NONE) {
        b->staged_top--;
    }
    return n;
}

/* The other shards have the same sizes. */
static psy_status check_symbols(const psy_broker *b, const psy__staged *s, uint32_t shard, const uint64_t *symbols)
{
    const psy__module *m = &s->module->decoded;
    for (uint32_t other = 0; other < b->place_count; other++) {
        const uint64_t *theirs = s->symbols + (size_t)other * m->symbol_count;
        for (uint32_t i = 0; (s->ready & s->sized) >> other & 1 && other != shard && i < m->symbol_count; i++) {
            if (m->symbols[i].kind == PSY_SYMBOL_GLOBAL && symbols[i] != theirs[i]) {
                return psy_fail(PSY_INVALID, "shard %u loaded %s = %" PRIu64 ", shard %u %" PRIu64, b->shards[shard].index,
                                psy__module_string(m, m->symbols[i].name), symbols[i], b->shards[other].index, theirs[i]);
            }
        }
    }
    return PSY_OK;
}

/* The program of a message; NULL: it is gone. */
static psy__staged *find_staged(psy_broker *b, uint32_t shard, uint32_t number)
{
    for (uint32_t i = 0; i < b->staged_top; i++) {
        psy__staged *s = &b->staged[i];
        if (s->phase != STAGED_NONE && s->number == number && (s->told >> shard & 1)) {
            return s;
        }
    }
    return NULL;
}

/* A worker may refuse it. A client's always: it must not be the end of a worker. */
static bool is_on_trial(const psy__staged *s)
{
    return s->phase == STAGED_STAGING || (s->phase == STAGED_SERVED && s->limited);
}

static psy_status hear_ready(psy_broker *b, uint32_t shard, const psy__program_ready *said)
{
    psy__staged *s = find_staged(b, shard, said->number);
    if (!s) {
        return PSY_OK;
    }
    if (said->symbol_count != s->module->decoded.symbol_count) {
        return psy_fail(PSY_PROTOCOL, "a worker's message came out of turn");
    }
    psy_status status = check_symbols(b, s, shard, said->symbols);
    if (status != PSY_OK && is_on_trial(s)) {
        psy__broker_refuse(b, (uint32_t)(s - b->staged), status);
        return PSY_OK;
    }
    if (status != PSY_OK) {
        psy__refuse(b->shards[shard].link, status, 1);
        return status;
    }
    memcpy(s->symbols + (size_t)shard * said->symbol_count, said->symbols, said->symbol_count * sizeof *s->symbols);
    s->ready |= UINT64_C(1) << shard;
    s->sized |= UINT64_C(1) << shard;
    b->unsettled = true;
    return PSY_OK;
}

psy_status psy__broker_hear_program(psy_broker *b, uint32_t shard, const psy__control *control)
{
    if (psy__heard_what(control) == PSY_SAY_PROGRAM_READY) {
        psy__program_ready ready;
        psy_status status = psy__heard(control, PSY_SAY_PROGRAM_READY, &ready, sizeof ready, 0);
        return status == PSY_OK ? hear_ready(b, shard, &ready) : status;
    }
    psy__program_refused refused;
    psy_status status = psy__heard(control, PSY_SAY_PROGRAM_REFUSED, &refused, sizeof refused, 0);
    psy__staged *s = status == PSY_OK ? find_staged(b, shard, refused.number) : NULL;
    if (s && s->phase == STAGED_SERVED && !s->limited) {
        return psy_fail(PSY_PROTOCOL, "a worker's message came out of turn");
    }
    if (s && is_on_trial(s)) {
        refused.text[sizeof refused.text - 1] = '\0';
        status = refused.status == PSY_OK ? PSY_PROTOCOL : (psy_status)refused.status;
        psy__broker_refuse(b, (uint32_t)(s - b->staged),
                           psy_fail(status, "shard %u: %s", b->shards[shard].index, refused.text));
        return PSY_OK;
    }
    return status;
}

bool psy__broker_shard_is_complete(const psy_broker *b, uint32_t shard)
{
    for (uint32_t i = 0; i < b->staged_top; i++) {
        if (b->staged[i].phase == STAGED_SERVED && !(b->staged[i].ready >> shard & 1)) {
            return false;
        }
    }
    return true;
}

void psy__broker_forget_shard(psy_broker *b, uint32_t shard)
{
    for (uint32_t i = 0; i < b->staged_top; i++) {
        b->staged[i].told &= ~(UINT64_C(1) << shard);
        b->staged[i].ready &= ~(UINT64_C(1) << shard);
        b->staged[i].sized &= ~(UINT64_C(1) << shard);
    }
    b->unsettled = true;
}

void psy__broker_drop_programs(psy_broker *b)
{
    for (uint32_t i = 0; i < b->staged_top; i++) {
        if (b->staged[i].phase != STAGED_NONE) {
            psy__measure_program_end(b, &b->staged[i]);
            clear_place(&b->staged[i]);
        }
    }
}
