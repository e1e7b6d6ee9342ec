/* SPDX-License-Identifier: Apache-2.0 */
/* What clients are told of the pipelines that they can open: their names, and their modules. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/broker_state.h"

/* ---- DESCRIBE ---- */

static psy_status write_all(int fd, const uint8_t *bytes, uint64_t n)
{
    for (uint64_t done = 0; done < n;) {
        ssize_t r = write(fd, bytes + done, n - done);
        if (r < 0 && errno != EINTR) {
            return psy_fail(errno == ENOSPC || errno == ENOMEM ? PSY_NO_MEMORY : PSY_IO, "a copy of the module: %s",
                            strerror(errno));
        }
        done += r > 0 ? (uint64_t)r : 0;
    }
    return PSY_OK;
}

/* A file of the module's bytes that nobody can change, made when the first client asks: all have the same. */
static psy_status describe(psy__staged *s)
{
    if (s->described >= 0) {
        return PSY_OK;
    }
    if (!s->module->bytes) {
        return psy_fail(PSY_UNSUPPORTED, "the service was not given the bytes of this module: name the file");
    }
    int fd = memfd_create("psyne-described", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return psy_fail(errno == EMFILE || errno == ENFILE ? PSY_LIMIT : PSY_IO, "a copy of the module: %s", strerror(errno));
    }
    psy_status status = write_all(fd, s->module->bytes, s->module->n);
    if (status == PSY_OK && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        status = psy_fail(PSY_IO, "a copy of the module: %s", strerror(errno));
    }
    if (status != PSY_OK) {
        close(fd);
        return status;
    }
    s->described = fd;
    return PSY_OK;
}

psy_status psy__broker_hear_describe(psy_broker *b, uint32_t client, const psy__control *control)
{
    psy__client *c = &b->clients[client];
    psy__describe said;
    psy_status status = psy__heard(control, PSY_SAY_DESCRIBE, &said, sizeof said, 0);
    if (status != PSY_OK) {
        return status;
    }
    said.pipeline[sizeof said.pipeline - 1] = '\0';
    psy__route_name name = {.version = 0};
    psy__staged *s = NULL;
    uint32_t index;
    status = psy__broker_find_program(b, client, said.pipeline, &name);
    status = status == PSY_OK ? psy__broker_find_pipeline(b, client, &name, &s, &index) : status;
    bool unknown = status != PSY_OK;
    if (status == PSY_OK && !name.own) { /* it has more in it than types: constants, and weights */
        status = psy__guard_may(b, c, PSY_MAY_OBSERVE);
    }
    status = status == PSY_OK ? describe(s) : status;
    if (status != PSY_OK) {
        psy__refuse(c->link, status, 0);
        if (unknown) {
            psy__broker_refused_pipeline(b, client, status);
        }
        return PSY_OK;
    }
    psy__described described = {.bytes = s->module->n, .hash = psy_module_hash(s->module)};
    return psy__say(c->link, PSY_SAY_DESCRIBED, &described, sizeof described, &s->described, 1);
}

/* ---- LIST ---- */

/* The program with the next ticket: they only grow, so that a list goes on where it was, whatever comes and goes. */
static const psy__title *next_title(const psy_broker *b, uint32_t client, uint64_t ticket)
{
    const psy__title *next = NULL;
    for (uint32_t i = 0; i < b->title_top; i++) {
        const psy__title *t = &b->titles[i];
        bool is_theirs = t->owner == PSY_NONE || (t->owner == client && t->epoch == b->clients[client].epoch);
        if (t->ticket >= ticket && t->ticket != 0 && t->served && is_theirs && (!next || t->ticket < next->ticket)) {
            next = t;
        }
    }
    return next;
}

static void put_row(psy_broker *b, const psy__title *t, const psy__module *m, const psy_psm_pipeline *p,
                    struct psy__listed_row *row)
{
    const psy_psm_type *request = &m->types[p->input_type], *reply = &m->types[p->output_type];
    bool newest = psy__broker_title(b, t->name, 0, t->owner) == t;
    *row = (struct psy__listed_row){.request_hash = request->layout_hash,
                                    .reply_hash = reply->layout_hash,
                                    .version = t->version,
                                    .flags = (newest ? PSY_LISTED_NEWEST : 0u) | (t->owner == PSY_NONE ? 0u : PSY_LISTED_OWN)};
    snprintf(row->program, sizeof row->program, "%s", t->name);
    snprintf(row->pipeline, sizeof row->pipeline, "%s", psy__module_string(m, p->name));
    snprintf(row->request_name, sizeof row->request_name, "%s", psy__module_string(m, request->name));
    snprintf(row->reply_name, sizeof row->reply_name, "%s", psy__module_string(m, reply->name));
}

static void list(psy_broker *b, uint32_t client, const psy__list *from, psy__listed *out)
{
    out->program = from->program;
    out->pipeline = from->pipeline;
    for (const psy__title *t; out->count < from->most && (t = next_title(b, client, out->program)) != NULL;) {
        const psy__module *m = &b->staged[t->place].module->decoded;
        uint32_t i = t->ticket == out->program ? out->pipeline : 0;
        while (i < m->pipeline_count && m->pipelines[i].alternatives == 0) {
            i++; /* a place that nobody was given */
        }
        if (i < m->pipeline_count) {
            put_row(b, t, m, &m->pipelines[i], &out->rows[out->count++]);
            out->program = t->ticket;
            out->pipeline = i + m->pipelines[i].alternatives;
        } else {
            out->program = t->ticket + 1;
            out->pipeline = 0;
        }
    }
}

psy_status psy__broker_hear_list(psy_broker *b, uint32_t client, const psy__control *control)
{
    psy__list said;
    psy__listed listed = {.count = 0};
    psy_status status = psy__heard(control, PSY_SAY_LIST, &said, sizeof said, 0);
    if (status == PSY_OK && (said.most == 0 || said.most > PSY_LISTED_MAX)) {
        status = psy_fail(PSY_PROTOCOL, "a list of %u pipelines at a time; there are 1 to %d", said.most, PSY_LISTED_MAX);
    }
    if (status != PSY_OK) {
        return status;
    }
    list(b, client, &said, &listed);
    return psy__say(b->clients[client].link, PSY_SAY_LISTED, &listed, sizeof listed, NULL, 0);
}
