/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: modules under names and versions, given to the workers and taken from them while requests go on.
 *
 *   add: STAGING -- every worker that is there has said READY --> SERVED -- no name left --> LEAVING -- no request, no worker
 * --> gone
 *              \-- one refuses it --> LEAVING
 *
 * Workers that come later are given what is served and what is staged before they count as ready. Routes of clients are moved
 * here, between two requests; a request's ticket counts for the program that it was sent to until it is freed. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker_state.h"

/* ---- names ---- */

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < PSY_PROGRAM_NAME_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static bool is_owners(const psy_broker *b, const psy__title *t, uint32_t owner)
{
    return t->ticket && t->owner == owner && (owner == PSY_NONE || t->epoch == b->clients[owner].epoch);
}

psy__title *psy__broker_title(psy_broker *b, const char *name, uint32_t version, uint32_t owner)
{
    psy__title *best = NULL;
    for (uint32_t i = 0; i < b->title_top; i++) {
        psy__title *t = &b->titles[i];
        if (is_owners(b, t, owner) && strcmp(t->name, name) == 0 &&
            (version ? t->version == version : t->served && (!best || t->version > best->version))) {
            best = t;
        }
    }
    return best;
}

static uint32_t next_version(const psy_broker *b, const char *name, uint32_t owner)
{
    uint32_t highest = 0;
    for (uint32_t i = 0; i < b->title_top; i++) {
        const psy__title *t = &b->titles[i];
        if (is_owners(b, t, owner) && strcmp(t->name, name) == 0 && t->version > highest) {
            highest = t->version;
        }
    }
    return highest + 1; /* 0 after the last one: refused */
}

/* The fields of all events about programs; those without a reason have one fewer. */
static void tell(psy_broker *b, psy__event_id event, const psy__title *t, const char *reason)
{
    const psy__value values[] = {PSY__TEXT(t->name), PSY__NUMBER(t->version), PSY__NUMBER(t->owner), PSY__TEXT(reason)};
    psy__tell(&b->events, event, values);
}

/* ---- modules at the workers ---- */

static void clear_place(psy__staged *s)
{
    psy__module_drop(s->module);
    psy_slab_destroy(s->file);
    free(s->symbols);
    *s = (psy__staged){0};
}

static bool is_native(const psy_module *module) { return module->decoded.kernel_count != 0; }

/* The same bytes, not only the same hash: that one is no secret, and others can be made for it. */
static bool is_same(const psy__staged *s, const psy_module *module)
{
    const psy_module *have = s->module;
    return have == module ||
           (have->bytes && module->bytes && have->n == module->n && is_native(have) == is_native(module) &&
            psy_module_hash(have) == psy_module_hash(module) && memcmp(have->bytes, module->bytes, module->n) == 0);
}

static psy_status fill_place(psy_broker *b, psy__staged *s, const psy_module *module, bool limited)
{
    size_t sizes = (size_t)b->shard_count * module->decoded.symbol_count;
    *s = (psy__staged){.phase = STAGED_STAGING, .limited = limited, .module = psy__module_hold(module)};
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

/* Where a module is staged, or will be. */
static psy_status stage(psy_broker *b, const psy_module *module, bool limited, uint32_t *place)
{
    for (uint32_t i = 0; i < b->staged_top; i++) {
        const psy__staged *s = &b->staged[i];
        if ((s->phase == STAGED_STAGING || s->phase == STAGED_SERVED) && s->limited == limited && is_same(s, module)) {
            *place = i;
            return PSY_OK;
        }
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

/* Whether its messages fit into the memory of the service. */
static psy_status check_extents(const psy_broker *b, const psy__module *m, const char *name)
{
    uint32_t request_bytes, reply_bytes;
    uint64_t partial_bytes;
    psy__module_extents(m, &request_bytes, &reply_bytes, &partial_bytes);
    if (m->symbol_count > PSY_SYMBOLS_MAX) {
        return psy_fail(PSY_LIMIT, "the module has %u sizes; a service takes at most %d", m->symbol_count, PSY_SYMBOLS_MAX);
    }
    const struct {
        const char *what, *option;
        uint64_t has, most;
    } sizes[] = {{"requests", "max_request_bytes", request_bytes, b->request_bytes},
                 {"replies", "max_reply_bytes", reply_bytes, b->reply_bytes},
                 {"partial records", "max_partial_bytes", partial_bytes, b->gather.partial_bytes}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].has > sizes[i].most) {
            return psy_fail(PSY_TOO_LARGE, "program %s: %s of %" PRIu64 " bytes; the service was made for %" PRIu64 ": set %s",
                            name, sizes[i].what, sizes[i].has, sizes[i].most, sizes[i].option);
        }
    }
    return PSY_OK;
}

/* ---- titles ---- */

static void remember_outcome(psy_broker *b, const psy__title *t, psy_status status, const char *text)
{
    psy__outcome *o = &b->outcomes[t->ticket % PSY_OUTCOMES];
    *o = (psy__outcome){.ticket = t->ticket, .status = status};
    snprintf(o->text, sizeof o->text, "%s", text);
}

/* The client that waits for this one; NULL: nobody does. */
static psy__client *sender_of(psy_broker *b, const psy__title *t)
{
    psy__client *c = t->owner == PSY_NONE ? NULL : &b->clients[t->owner];
    return c && c->phase == CLIENT_SERVED && c->epoch == t->epoch && c->sending == t->ticket ? c : NULL;
}

/* The name goes; routes are the caller's business. */
static void strike(psy_broker *b, psy__title *t)
{
    psy__staged *s = &b->staged[t->place];
    t->ticket = 0;
    if (--s->titles == 0) {
        s->phase = STAGED_LEAVING;
        b->unsettled = true;
    }
    while (b->title_top > 0 && b->titles[b->title_top - 1].ticket == 0) {
        b->title_top--;
    }
}

static void serve_title(psy_broker *b, psy__title *t)
{
    t->served = true;
    b->counts.programs_added++;
    tell(b, PSY__EVENT_PROGRAM_SERVED, t, NULL);
    for (uint32_t i = 0; t->replace && i < b->title_top; i++) {
        psy__title *old = &b->titles[i];
        if (is_owners(b, old, t->owner) && old->version < t->version && strcmp(old->name, t->name) == 0) {
            if (!old->served) {
                remember_outcome(b, old, PSY_NOT_FOUND, "a newer version took its place before it was ready");
            }
            tell(b, PSY__EVENT_PROGRAM_REMOVED, old, NULL);
            strike(b, old);
        }
    }
    psy__broker_reroute(b, t->name, t->owner);
    psy__client *sender = sender_of(b, t);
    if (sender) {
        psy__sent said = {.version = t->version};
        sender->sending = 0;
        (void)!psy__say(sender->link, PSY_SAY_SENT, &said, sizeof said, NULL, 0); /* who does not read waits in vain */
    }
}

static void serve(psy_broker *b, uint32_t place)
{
    b->staged[place].phase = STAGED_SERVED;
    b->staged[place].fresh = false;
    for (uint32_t i = 0; i < b->title_top; i++) {
        if (b->titles[i].ticket && b->titles[i].place == place && !b->titles[i].served) {
            serve_title(b, &b->titles[i]);
        }
    }
}

/* Refused as a whole: this thread's detail says why. */
static void refuse(psy_broker *b, uint32_t place, psy_status status)
{
    char text[512];
    snprintf(text, sizeof text, "%s", psy_detail());
    for (uint32_t i = 0; i < b->title_top; i++) {
        psy__title *t = &b->titles[i];
        if (!t->ticket || t->place != place) {
            continue;
        }
        remember_outcome(b, t, status, text);
        tell(b, PSY__EVENT_PROGRAM_REFUSED, t, text);
        psy__client *sender = sender_of(b, t);
        if (sender) {
            sender->sending = 0;
            psy__refuse(sender->link, psy_fail(status, "%s", text), 0);
        }
        b->counts.programs_refused++;
        strike(b, t);
    }
}

static psy_status check_program(psy_broker *b, const psy_program *p, const char *name, uint32_t owner, uint32_t *version)
{
    if (!p->module || !is_name(name)) {
        return psy_fail(PSY_INVALID, "a program has a module, and a name of 1 to %d of a-z, 0-9, _ and -",
                        PSY_PROGRAM_NAME_BYTES - 1);
    }
    *version = p->version ? p->version : next_version(b, name, owner);
    if (*version == 0) {
        return psy_fail(PSY_LIMIT, "program %s has no versions left", name);
    }
    return check_extents(b, &p->module->decoded, name);
}

psy_status psy__broker_entitle(psy_broker *b, const psy_program *p, uint32_t owner, bool limited, uint64_t *ticket)
{
    const char *name = p->name ? p->name : "main";
    uint32_t version = 0, place = 0, at = 0;
    psy_status status = check_program(b, p, name, owner, &version);
    if (status != PSY_OK) {
        return status;
    }
    psy__title *same = psy__broker_title(b, name, version, owner);
    if (same && !is_same(&b->staged[same->place], p->module)) {
        return psy_fail(PSY_INVALID, "program %s@%u has another module (%016" PRIx64 "): give it a new version", name, version,
                        psy_module_hash(b->staged[same->place].module));
    }
    if (same) {
        *ticket = same->ticket;
        return PSY_OK;
    }
    while (at < PSY_TITLES_MAX && b->titles[at].ticket) {
        at++;
    }
    if (at == PSY_TITLES_MAX) {
        return psy_fail(PSY_LIMIT, "the service has %d names of programs: remove some first", PSY_TITLES_MAX);
    }
    status = stage(b, p->module, limited, &place);
    if (status != PSY_OK) {
        return status;
    }
    psy__measure_program_begin(b, &b->staged[place], name);
    psy__title *t = &b->titles[at];
    *t = (psy__title){.ticket = ++b->next_ticket,
                      .version = version,
                      .place = place,
                      .owner = owner,
                      .epoch = owner == PSY_NONE ? 0 : b->clients[owner].epoch,
                      .replace = p->replace != 0};
    memcpy(t->name, name, strlen(name) + 1);
    b->title_top = at >= b->title_top ? at + 1 : b->title_top;
    b->staged[place].titles++;
    b->staged[place].fresh = true;
    b->unsettled = true;
    *ticket = t->ticket;
    return PSY_OK;
}

psy_status psy__broker_begin_with(psy_broker *b, const psy_program *p)
{
    uint64_t ticket;
    psy_status status = psy__broker_entitle(b, p, PSY_NONE, false, &ticket);
    for (uint32_t i = 0; status == PSY_OK && i < b->title_top; i++) {
        if (b->titles[i].ticket == ticket) {
            serve(b, b->titles[i].place);
        }
    }
    return status;
}

psy_status psy_broker_add_program(psy_broker *b, const psy_program *p, uint64_t *ticket)
{
    uint64_t mine;
    if (!b || !p) {
        return psy_fail(PSY_INVALID, "psy_broker_add_program: a null argument");
    }
    return psy__broker_entitle(b, p, PSY_NONE, false, ticket ? ticket : &mine);
}

psy_status psy_broker_remove_program(psy_broker *b, const char *name, uint32_t version)
{
    if (!b || !name) {
        return psy_fail(PSY_INVALID, "psy_broker_remove_program: a null argument");
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->title_top; i++) {
        psy__title *t = &b->titles[i];
        if (is_owners(b, t, PSY_NONE) && strcmp(t->name, name) == 0 && (version == 0 || t->version == version)) {
            if (!t->served) {
                remember_outcome(b, t, PSY_NOT_FOUND, "it was removed before it was ready");
            }
            tell(b, PSY__EVENT_PROGRAM_REMOVED, t, NULL);
            strike(b, t);
            n++;
        }
    }
    if (n == 0) {
        return version ? psy_fail(PSY_NOT_FOUND, "no program %s@%u here", name, version)
                       : psy_fail(PSY_NOT_FOUND, "no program %s here", name);
    }
    psy__broker_reroute(b, name, PSY_NONE);
    return PSY_OK;
}

psy_status psy_broker_program_status(const psy_broker *b, uint64_t ticket)
{
    for (uint32_t i = 0; i < b->title_top; i++) {
        if (ticket && b->titles[i].ticket == ticket) {
            return b->titles[i].served ? PSY_OK : PSY_EMPTY;
        }
    }
    const psy__outcome *o = &b->outcomes[ticket % PSY_OUTCOMES];
    return ticket && o->ticket == ticket ? psy_fail(o->status, "%s", o->text)
                                         : psy_fail(PSY_NOT_FOUND, "no such program: it was removed, or never there");
}

void psy__broker_drop_titles(psy_broker *b, uint32_t client)
{
    for (uint32_t i = 0; i < b->title_top; i++) {
        if (is_owners(b, &b->titles[i], client)) {
            tell(b, PSY__EVENT_PROGRAM_REMOVED, &b->titles[i], NULL);
            strike(b, &b->titles[i]);
        }
    }
}

/* ---- workers ---- */

static psy_status tell_program(psy_broker *b, uint32_t shard, uint32_t place)
{
    const psy__staged *s = &b->staged[place];
    psy__program_said said = {.number = s->number,
                              .place = place,
                              .flags = (is_native(s->module) ? PSY_PROGRAM_NATIVE : 0u) |
                                       (s->phase == STAGED_SERVED ? PSY_PROGRAM_SERVED : 0u),
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
        if ((s->phase == STAGED_STAGING || s->phase == STAGED_SERVED) && !(s->told & bit)) {
            status = tell_program(b, shard, i);
            s->told |= status == PSY_OK ? bit : 0;
        } else if (s->phase == STAGED_LEAVING && s->tickets == 0 && (s->told & bit) && b->shards[shard].engaged) {
            psy__program_gone said = {.number = s->number};
            status = psy__say(b->shards[shard].link, PSY_SAY_PROGRAM_GONE, &said, sizeof said, NULL, 0);
            s->told &= status == PSY_OK ? ~bit : UINT64_MAX;
        }
    }
    if (status == PSY_OK && !b->shards[shard].engaged) {
        psy__engaged said;
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
    uint64_t present = 0;
    for (uint32_t i = 0; i < b->shard_count; i++) {
        if (b->shards[i].phase != SHARD_NONE && psy__broker_tell_programs(b, i) != PSY_OK) {
            psy__broker_drop_shard(b, i);
        }
        present |= b->shards[i].phase != SHARD_NONE ? UINT64_C(1) << i : 0;
    }
    for (uint32_t i = 0; i < b->staged_top; i++) {
        psy__staged *s = &b->staged[i];
        if (s->phase == STAGED_STAGING && present && (s->ready & present) == present) {
            serve(b, i);
            n++;
        } else if (s->phase == STAGED_SERVED && s->fresh) {
            serve(b, i);
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
    for (uint32_t other = 0; other < b->shard_count; other++) {
        const uint64_t *theirs = s->symbols + (size_t)other * m->symbol_count;
        for (uint32_t i = 0; (s->ready >> other & 1) && other != shard && i < m->symbol_count; i++) {
            if (m->symbols[i].kind == PSY_SYMBOL_GLOBAL && symbols[i] != theirs[i]) {
                return psy_fail(PSY_INVALID, "shard %u loaded %s = %" PRIu64 ", shard %u %" PRIu64, shard,
                                psy__module_string(m, m->symbols[i].name), symbols[i], other, theirs[i]);
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
    if (status != PSY_OK && s->phase == STAGED_STAGING) {
        refuse(b, (uint32_t)(s - b->staged), status);
        return PSY_OK;
    }
    if (status != PSY_OK) {
        psy__refuse(b->shards[shard].link, status, 1);
        return status;
    }
    memcpy(s->symbols + (size_t)shard * said->symbol_count, said->symbols, said->symbol_count * sizeof *s->symbols);
    s->ready |= UINT64_C(1) << shard;
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
    if (s && s->phase == STAGED_SERVED) {
        return psy_fail(PSY_PROTOCOL, "a worker's message came out of turn");
    }
    if (s && s->phase == STAGED_STAGING) {
        refused.text[sizeof refused.text - 1] = '\0';
        status = refused.status == PSY_OK ? PSY_PROTOCOL : (psy_status)refused.status;
        refuse(b, (uint32_t)(s - b->staged), psy_fail(status, "shard %u: %s", shard, refused.text));
        return PSY_OK;
    }
    return status;
}

psy_status psy__broker_has_module(const psy_broker *b, uint64_t hash)
{
    uint64_t other = 0;
    for (uint32_t i = 0; hash && i < b->title_top; i++) {
        if (b->titles[i].ticket && b->titles[i].owner == PSY_NONE) {
            uint64_t has = psy_module_hash(b->staged[b->titles[i].place].module);
            if (has == hash) {
                return PSY_OK;
            }
            other = has;
        }
    }
    return hash == 0
               ? PSY_OK
               : psy_fail(PSY_LAYOUT,
                          "the service runs module %016" PRIx64 ", the worker %016" PRIx64 ": give both the same file, or the "
                          "worker none",
                          other, hash);
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
