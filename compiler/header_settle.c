/* SPDX-License-Identifier: Apache-2.0 */
/* What reads messages of other versions into one of this, and what the library does with a message's values. */
#include <string.h>

#include "header.h"
#include "isa/layout.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header_read, section, pairs, w->to);
}

/* Where the fields that version `version` knows end. */
static uint32_t known_end(const psc_message *m, uint32_t version)
{
    uint32_t end = PSY_MESSAGE_HEADER_BYTES;
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (psc_field_is_own(&m->fields[i]) && m->fields[i].layout.since <= version) {
            end = psy__field_end(&m->fields[i].layout);
        }
    }
    return end;
}

static void put_version(psc_header *w, uint32_t version)
{
    uint32_t known = known_end(w->message, version);
    uint32_t bytes = (known + PSY_MESSAGE_ALIGN - 1) & ~(uint32_t)(PSY_MESSAGE_ALIGN - 1);
    put(w, "settle_version",
        PSC_PAIRS({"version", psc_header_decimal(w, version)}, {"known", psc_header_decimal(w, known)},
                  {"bytes", psc_header_decimal(w, bytes)}));
}

/* Cases of the versions that there were: those that a field came with, and the first. Gives the last. */
static uint32_t put_versions(psc_header *w)
{
    uint32_t last = 1;
    put_version(w, 1);
    for (uint32_t i = 0; i < w->message->field_count; i++) {
        const psc_field *f = &w->message->fields[i];
        if (psc_field_is_own(f) && f->layout.since > last) {
            last = f->layout.since;
            put_version(w, last);
        }
    }
    return last;
}

/* Fields that an older version lacks, and whose defaults are more than the zeros that are there by now. */
static void put_defaults(psc_header *w)
{
    uint32_t open = 1;
    for (uint32_t i = 0; i < w->message->field_count; i++) {
        const psc_field *f = &w->message->fields[i];
        const psy_psm_field *l = &f->layout;
        bool zeros = l->kind != PSY_FIELD_PART && !f->text_bytes && (l->kind != PSY_FIELD_SCALAR || l->default_bits == 0);
        if (!psc_field_is_own(f) || l->since == 1 || zeros) {
            continue;
        }
        if (l->since > open) {
            put(w, open > 1 ? "settle_next" : "settle_since", PSC_PAIRS({"version", psc_header_decimal(w, l->since)}));
            open = l->since;
        }
        const psc_spot s = psc_header_spot(w, f);
        psc_header_keep(w);
        psc_header_init_field(w, &s);
        psc_header_indent(w, 4);
    }
    if (open > 1) {
        put(w, "settle_since_end", NULL);
    }
}

/* A copied message becomes one of this version: its parts too, and fields that it lacks have their defaults. */
static void put_settle(psc_header *w)
{
    const psc_message *m = w->message;
    bool parts = false;
    for (uint32_t i = 0; i < m->field_count; i++) {
        parts = parts || m->fields[i].layout.kind == PSY_FIELD_PART;
    }
    put(w, "settle_begin", PSC_PAIRS({"type", w->type}));
    if (parts) {
        put(w, "settle_status", NULL);
    }
    put(w, "settle_switch", NULL);
    const uint32_t last = put_versions(w);
    /* Version numbers below the newest that no field came with. */
    put(w, "settle_known",
        PSC_PAIRS({"type", w->type}, {"TYPE", w->upper}, {"known", psc_header_decimal(w, known_end(m, last))},
                  {"gap", last > 1 ? TEXT(" || (least != most && header.version < %s_VERSION)", w->upper) : ""}));
    put_defaults(w);
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (psc_field_is_own(f) && f->layout.kind == PSY_FIELD_PART) {
            put(w, "settle_part",
                PSC_PAIRS({"name", f->name}, {"part", psc_header_type(w, f->type)},
                          {"since", psc_header_decimal(w, f->layout.since)}));
        }
    }
    put(w, "settle_end",
        PSC_PAIRS({"type", w->type}, {"TYPE", w->upper}, {"deprecated", psc_header_deprecated(w, m->deprecated)}));
}

/* Whether what is in the message takes more than its own fields to settle: then the library does it. */
static bool is_deep(const psc_message *m)
{
    bool deep = psc_type_is_tailed(m);
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        deep = deep || psc_field_is_items(f) || f->layout.kind == PSY_FIELD_UNION || psc_field_is_retired(f);
    }
    return deep;
}

void psc_header_read(psc_header *w)
{
    const psc_message *m = w->message;
    const psc_pair *names = PSC_PAIRS({"type", w->type}, {"deprecated", psc_header_deprecated(w, m->deprecated)});
    if (psc_type_is_tailed(m)) {
        put(w, "read_tailed", names);
    } else if (is_deep(m)) {
        put(w, "read", names);
    } else {
        put_settle(w);
    }
    put(w, "values", names);
}
