/* SPDX-License-Identifier: Apache-2.0 */
/* Programs by name and version: what is added, replaced, removed, refused, and who is told. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
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

void psy__broker_serve(psy_broker *b, uint32_t place)
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
void psy__broker_refuse(psy_broker *b, uint32_t place, psy_status status)
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
        psy__title gone = *t;
        strike(b, t);
        if (gone.served) {
            psy__broker_reroute(b, gone.name, gone.owner);
        }
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
    if (same && !psy__staged_is(&b->staged[same->place], p->module)) {
        return psy_fail(PSY_INVALID, "program %s@%u has another module (%016" PRIx64 "): give it a new version", name, version,
                        psy_module_hash(b->staged[same->place].module));
    }
    if (same) {
        *ticket = same->ticket;
        return PSY_OK;
    }
    uint32_t clients = 0;
    for (uint32_t i = 0; i < b->title_top; i++) {
        clients += b->titles[i].ticket && b->titles[i].owner != PSY_NONE;
    }
    if (owner != PSY_NONE && clients >= PSY_CLIENT_PROGRAMS_MAX) {
        return psy_fail(PSY_LIMIT, "the clients have %d programs together: there are no more for them",
                        PSY_CLIENT_PROGRAMS_MAX);
    }
    while (at < PSY_TITLES_MAX && b->titles[at].ticket) {
        at++;
    }
    if (at == PSY_TITLES_MAX) {
        return psy_fail(PSY_LIMIT, "the service has %d names of programs: remove some first", PSY_TITLES_MAX);
    }
    status = psy__broker_stage(b, p->module, limited, &place);
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
            psy__broker_serve(b, b->titles[i].place);
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
