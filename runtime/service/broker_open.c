/* SPDX-License-Identifier: Apache-2.0 */
/* What clients open, and the programs that they send.
 *
 *   pipeline                   the newest version of the one program that has it
 *   program/pipeline           the newest version
 *   program@version/pipeline   that one
 *
 * An open pipeline is a route of its client: a place in a table that its envelopes name. A route of the newest version goes
 * with it to the next one; where requests or replies differ there, it leads nowhere, and its requests are answered LAYOUT. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/broker_state.h"

enum { ROUTES_FIRST = 8, SLAB_EXTRA_BYTES = 1 << 20, SEND_REST = 9 };
static const uint64_t send_rest_max_ns = 2000000000;

/* ---- routes ---- */

static psy_status same_type(const psy__module *m, uint32_t type, const psy__route_name *name, uint64_t hash, const char *role,
                            const char *named)
{
    const psy_psm_type *t = &m->types[type];
    if (t->layout_hash == hash) {
        return PSY_OK;
    }
    return psy_fail(PSY_LAYOUT,
                    "pipeline %s: the %s is %s with layout %016" PRIx64 " here, and %s with layout %016" PRIx64
                    " in the client: compile both from the same schema",
                    name->pipeline, role, psy__module_string(m, t->name), t->layout_hash, named, hash);
}

/* The names of a module's pipelines, as many as there is room for. */
static size_t list_pipelines(const psy__module *m, const char *program, char *out, size_t n, size_t room)
{
    for (uint32_t i = 0; i < m->pipeline_count && n < room - 1; i += m->pipelines[i].alternatives) {
        int r = snprintf(out + n, room - n, "%s%s%s%s", n ? ", " : "", program, program[0] ? "/" : "",
                         psy__module_string(m, m->pipelines[i].name));
        n += r > 0 ? (size_t)r : 0;
    }
    return n < room ? n : room - 1;
}

static uint32_t key_offset(const psy__module *m, const psy_psm_pipeline *p)
{
    return p->route == PSY_ROUTE_KEY ? m->fields[m->types[p->input_type].first_field + p->key_field].offset : UINT32_MAX;
}

psy_status psy__broker_find_pipeline(psy_broker *b, uint32_t client, const psy__route_name *name, psy__staged **program,
                                     uint32_t *pipeline)
{
    psy__title *t = psy__broker_title(b, name->program, name->version, name->own ? client : PSY_NONE);
    if (!t || !t->served) {
        return name->version ? psy_fail(PSY_NOT_FOUND, "no program %s@%u here", name->program, name->version)
                             : psy_fail(PSY_NOT_FOUND, "no program %s here", name->program);
    }
    *program = &b->staged[t->place];
    const psy__module *m = &(*program)->module->decoded;
    *pipeline = psy__module_find_pipeline(m, name->pipeline);
    if (*pipeline == PSY_NONE) {
        char names[256] = "";
        (void)list_pipelines(m, "", names, 0, sizeof names);
        return psy_fail(PSY_NOT_FOUND, "no pipeline `%s` in program %s@%u; there is: %s", name->pipeline, t->name, t->version,
                        names);
    }
    return PSY_OK;
}

/* Where the name leads now. The names of types are for people. */
static psy_status resolve(psy_broker *b, uint32_t client, const psy__route_name *name, const char *request, const char *reply,
                          psy__route *out)
{
    psy__staged *s;
    uint32_t index;
    psy_status status = psy__broker_find_pipeline(b, client, name, &s, &index);
    if (status != PSY_OK) {
        return status;
    }
    const psy__module *m = &s->module->decoded;
    const psy_psm_pipeline *p = &m->pipelines[index];
    status = same_type(m, p->input_type, name, name->request_hash, "request", request);
    if (status == PSY_OK) {
        status = same_type(m, p->output_type, name, name->reply_hash, "reply", reply);
    }
    if (status == PSY_OK) {
        *out = (psy__route){.program = s,
                            .pipeline = index,
                            .request_type = p->input_type,
                            .request_bytes = m->types[p->input_type].bytes,
                            .kind = (uint8_t)p->route};
    }
    return status;
}

void psy__broker_reroute(psy_broker *b, const char *program, uint32_t owner)
{
    for (uint32_t i = 0; i < b->client_top; i++) {
        psy__client *c = &b->clients[i];
        for (uint32_t k = 0; k < c->route_count; k++) {
            const psy__route_name *name = &c->route_names[k];
            psy__route *route = &c->routes[k], now;
            if (strcmp(name->program, program) != 0 || (name->own ? i : PSY_NONE) != owner) {
                continue;
            }
            psy_status why = resolve(b, i, name, "another", "another", &now);
            /* The client hashes the key that it was told of, or none. */
            bool keyed = why == PSY_OK && now.kind == PSY_ROUTE_KEY;
            if (keyed && key_offset(&now.program->module->decoded, &now.program->module->decoded.pipelines[now.pipeline]) !=
                             name->key_offset) {
                why = PSY_LAYOUT;
            }
            if (why == PSY_OK) {
                now.request_type = route->request_type; /* as the client was told: a number of the module's that it was */
                *route = now;
            } else {
                route->program = NULL;
                route->why = (uint8_t)why;
            }
        }
    }
}

/* ---- OPEN ---- */

/* Takes "program@version/" off the front: false where it is none. */
static bool split(const char *text, psy__route_name *out)
{
    const char *slash = strchr(text, '/'), *at = memchr(text, '@', slash ? (size_t)(slash - text) : 0);
    const char *end = at ? at : slash;
    size_t n = end ? (size_t)(end - text) : 0;
    if (n >= sizeof out->program) {
        return false;
    }
    memcpy(out->program, text, n);
    if (at) {
        uint64_t version = 0;
        const char *digit = at + 1;
        for (; digit < slash && *digit >= '0' && *digit <= '9' && version <= UINT32_MAX; digit++) {
            version = version * 10 + (uint64_t)(*digit - '0');
        }
        if (digit != slash || version == 0 || version > UINT32_MAX) {
            return false;
        }
        out->version = (uint32_t)version;
    }
    snprintf(out->pipeline, sizeof out->pipeline, "%s", slash ? slash + 1 : text);
    return !slash || n > 0;
}

/* The one program whose newest version has the pipeline. */
static psy_status find_program(psy_broker *b, uint32_t client, psy__route_name *name)
{
    char with[256] = "", all[256] = "";
    uint32_t found = 0;
    size_t n = 0, all_n = 0, titles = 0;
    for (uint32_t i = 0; i < b->title_top; i++) {
        psy__title *t = &b->titles[i];
        bool own = t->owner == client;
        if (!t->ticket || !t->served || psy__broker_title(b, t->name, 0, own ? client : PSY_NONE) != t) {
            continue; /* another client's, or an older one */
        }
        titles++;
        const psy__module *m = &b->staged[t->place].module->decoded;
        if (psy__module_find_pipeline(m, name->pipeline) != PSY_NONE) {
            int r = snprintf(with + n, sizeof with - n, "%s%s/%s", n ? ", " : "", t->name, name->pipeline);
            n = r > 0 && n + (size_t)r < sizeof with ? n + (size_t)r : sizeof with - 1;
            memcpy(name->program, t->name, sizeof name->program);
            name->own = own;
            found++;
        }
    }
    if (found == 1) {
        return PSY_OK;
    }
    if (found > 1) {
        return psy_fail(PSY_NOT_FOUND, "more than one program has a pipeline `%s`: open %s", name->pipeline, with);
    }
    for (uint32_t i = 0; i < b->title_top; i++) {
        psy__title *t = &b->titles[i];
        if (t->ticket && t->served && psy__broker_title(b, t->name, 0, t->owner == client ? client : PSY_NONE) == t) {
            all_n = list_pipelines(&b->staged[t->place].module->decoded, titles > 1 ? t->name : "", all, all_n, sizeof all);
        }
    }
    return psy_fail(PSY_NOT_FOUND, "no pipeline `%s` here; there is: %s", name->pipeline, all);
}

static psy_status more_routes(psy__client *c)
{
    if (c->route_count < c->route_room) {
        return PSY_OK;
    }
    if (c->route_count >= PSY_ROUTES_MAX) {
        return psy_fail(PSY_LIMIT, "the client has opened %d pipelines: it has to connect anew", PSY_ROUTES_MAX);
    }
    uint32_t room = c->route_room ? 2 * c->route_room : ROUTES_FIRST;
    psy__route *routes = realloc(c->routes, room * sizeof *routes);
    c->routes = routes ? routes : c->routes;
    psy__route_name *names = routes ? realloc(c->route_names, room * sizeof *names) : NULL;
    c->route_names = names ? names : c->route_names;
    c->route_room = names ? room : c->route_room;
    return names ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory for one more pipeline");
}

static bool same_name(const psy__route_name *a, const psy__route_name *b)
{
    return a->version == b->version && a->own == b->own && a->request_hash == b->request_hash &&
           a->reply_hash == b->reply_hash && a->key_offset == b->key_offset && strcmp(a->program, b->program) == 0 &&
           strcmp(a->pipeline, b->pipeline) == 0;
}

/* The client's route of that name. One that leads where this one leads is given again. */
static psy_status add_route(psy__client *c, const psy__route_name *name, const psy__route *route, uint32_t *index)
{
    for (uint32_t i = 0; i < c->route_count; i++) {
        if (c->routes[i].program && same_name(&c->route_names[i], name)) {
            *index = i;
            return PSY_OK;
        }
    }
    psy_status status = more_routes(c);
    if (status == PSY_OK) {
        *index = c->route_count++;
        c->routes[*index] = *route;
        c->route_names[*index] = *name;
    }
    return status;
}

psy_status psy__broker_find_program(psy_broker *b, uint32_t client, const char *text, psy__route_name *name)
{
    if (!split(text, name)) {
        return psy_fail(PSY_NOT_FOUND, "`%s` names no pipeline: it is PIPELINE, PROGRAM/PIPELINE or PROGRAM@VERSION/PIPELINE",
                        text);
    }
    if (!name->program[0]) {
        return find_program(b, client, name);
    }
    name->own = psy__broker_title(b, name->program, name->version, client) != NULL; /* its own come first */
    return PSY_OK;
}

static psy_status open_pipeline(psy_broker *b, uint32_t client, psy__open *said, psy__opened *opened)
{
    psy__client *c = &b->clients[client];
    said->pipeline[sizeof said->pipeline - 1] = said->request_name[PSY_NAME_BYTES - 1] = said->reply_name[PSY_NAME_BYTES - 1] =
        '\0';
    psy__route_name name = {.request_hash = said->request_hash, .reply_hash = said->reply_hash};
    psy_status status = psy__broker_find_program(b, client, said->pipeline, &name);
    psy__route route;
    uint32_t index;
    status = status == PSY_OK ? resolve(b, client, &name, said->request_name, said->reply_name, &route) : status;
    if (status != PSY_OK) {
        return status;
    }
    const psy__module *m = &route.program->module->decoded;
    const psy_psm_pipeline *p = &m->pipelines[route.pipeline];
    name.key_offset = key_offset(m, p);
    status = add_route(c, &name, &route, &index);
    if (status == PSY_OK) {
        *opened = (psy__opened){.pipeline = index,
                                .request_type = c->routes[index].request_type,
                                .request_bytes = route.request_bytes,
                                .reply_bytes = m->types[p->output_type].bytes,
                                .key_offset = name.key_offset};
    }
    return status;
}

psy_status psy__broker_hear_open(psy_broker *b, uint32_t client, const psy__control *control)
{
    psy__link *link = b->clients[client].link;
    psy__open said;
    psy__opened opened;
    psy_status status = psy__heard(control, PSY_SAY_OPEN, &said, sizeof said, 0);
    if (status != PSY_OK) {
        return status;
    }
    status = open_pipeline(b, client, &said, &opened);
    if (status != PSY_OK) {
        psy__refuse(link, status, 0);
        psy__broker_refused_pipeline(b, client, status);
        return PSY_OK;
    }
    return psy__say(link, PSY_SAY_OPENED, &opened, sizeof opened, NULL, 0);
}

/* ---- SEND ---- */

/* The client's module, copied before anything in it is looked at. */
static psy_status take_module(uint64_t bytes, int *fd, psy_module **out)
{
    psy_slab_adopt_options options = {.access = PSY_SLAB_READ_ONLY, .max_bytes = bytes + SLAB_EXTRA_BYTES};
    psy_slab *slab;
    psy_status status = psy_slab_adopt_with(*fd, &options, &slab);
    *fd = -1;
    if (status != PSY_OK) {
        return status;
    }
    status = psy_slab_data_bytes(slab) < bytes ? psy_fail(PSY_PROTOCOL, "the module is smaller than the client says")
                                               : psy_module_copy(psy_slab_data(slab), bytes, out);
    psy_slab_destroy(slab);
    if (status == PSY_OK && psy__module_has_native(*out)) {
        psy_module_close(*out);
        status =
            psy_fail(PSY_DENIED, "the module has native kernels, which run only in modules that the operator names: compile it "
                                 "with --no-kernels");
    }
    return status;
}

/* Names that the client has, but for this one: what it will have beside it. */
static uint32_t others(const psy_broker *b, uint32_t client, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->title_top; i++) {
        n += b->titles[i].ticket && b->titles[i].owner == client && strcmp(b->titles[i].name, name) != 0;
    }
    return n;
}

/* What can be said without a look at the module. */
static psy_status may_send(psy_broker *b, uint32_t client, const psy__send *said)
{
    psy__client *c = &b->clients[client];
    psy_status may = psy__guard_may(b, c, PSY_MAY_PROGRAM);
    if (may != PSY_OK) {
        return may;
    }
    if (b->client_programs == 0) {
        return psy_fail(PSY_DENIED, "this service takes no programs from its clients: its operator may allow them some "
                                    "(client_programs)");
    }
    if (said->bytes > b->client_program_bytes) {
        return psy_fail(PSY_TOO_LARGE, "a module of %" PRIu64 " bytes; this service takes at most %" PRIu64 " from clients",
                        said->bytes, b->client_program_bytes);
    }
    uint32_t most = psy__guard_programs(&c->pass, b->client_programs);
    if (others(b, client, said->name) >= most) {
        return psy_fail(PSY_LIMIT, "the client has its %u programs: send one under a name that it has, in its place", most);
    }
    return PSY_OK;
}

static void refuse_send(psy_broker *b, psy__client *c, psy_status status)
{
    c->sending = 0;
    b->counts.programs_refused++;
    psy__refuse(c->link, status, 0);
}

psy_status psy__broker_hear_send(psy_broker *b, uint32_t client, psy__control *control)
{
    psy__client *c = &b->clients[client];
    psy__send said;
    psy_status status = psy__heard(control, PSY_SAY_SEND, &said, sizeof said, 1);
    if (status == PSY_OK && c->sending) {
        status = psy_fail(PSY_PROTOCOL, "a message came before its turn");
    }
    if (status != PSY_OK) {
        return status;
    }
    said.name[sizeof said.name - 1] = '\0';
    status = may_send(b, client, &said);
    if (status != PSY_OK) {
        refuse_send(b, c, status);
        return PSY_OK;
    }
    c->send = said;
    c->send_fd = control->fds[0];
    control->fds[0] = -1;
    c->sending = PSY_SEND_WAITS;
    b->sends_waiting++;
    return PSY_OK;
}

static void take_send(psy_broker *b, uint32_t client)
{
    psy__client *c = &b->clients[client];
    psy_module *module;
    b->sends_waiting--;
    psy_status status = take_module(c->send.bytes, &c->send_fd, &module);
    if (status == PSY_OK) {
        psy_program program = {.module = module, .name = c->send.name, .replace = 1};
        status = psy__broker_entitle(b, &program, client, true, &c->sending);
        psy_module_close(module);
    }
    if (status != PSY_OK) {
        refuse_send(b, c, status);
    }
    b->send_ticket = c->sending;
}

/* Whether somebody still waits for that one. */
static bool is_sending(const psy_broker *b, uint64_t ticket)
{
    for (uint32_t i = 0; ticket && i < b->client_top; i++) {
        if (b->clients[i].sending == ticket) {
            return true;
        }
    }
    return false;
}

/* Verifying and binding take time from everybody's requests: one at a time, and then requests have nine times as long for
 * themselves. So clients that send without end have a tenth, all together. */
uint32_t psy__broker_take_sends(psy_broker *b)
{
    if (b->send_began_ns) {
        if (is_sending(b, b->send_ticket)) {
            return 0;
        }
        uint64_t now = psy__now_ns(), rest = SEND_REST * (now - b->send_began_ns);
        b->sends_due_ns = now + (rest < send_rest_max_ns ? rest : send_rest_max_ns);
        b->send_began_ns = 0;
    }
    if (b->sends_waiting == 0 || b->now_ns < b->sends_due_ns) {
        return 0;
    }
    for (uint32_t i = 0; i < b->client_top; i++) {
        uint32_t client = (b->next_sender + i) % b->client_top;
        if (b->clients[client].sending == PSY_SEND_WAITS) {
            b->next_sender = client + 1;
            b->send_began_ns = psy__now_ns();
            take_send(b, client);
            return 1;
        }
    }
    return 0;
}

void psy__broker_close_routes(psy_broker *b, uint32_t client)
{
    psy__client *c = &b->clients[client];
    if (c->sending == PSY_SEND_WAITS) {
        b->sends_waiting--;
        psy__close_fds(&c->send_fd, 1);
    }
    psy__broker_drop_titles(b, client);
    free(c->routes);
    free(c->route_names);
}
