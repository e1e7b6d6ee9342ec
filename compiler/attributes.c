/* SPDX-License-Identifier: Apache-2.0 */
#include "attributes.h"

#include <string.h>

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

typedef enum argument { NOTHING, COUNT, ENGINE } argument;

typedef struct row {
    const char *name;
    psc_attribute_place place;
    argument takes;
    const char *example, *text;
} row;

enum {
#define ATTRIBUTE(NAME, name, place, takes, example, text) NAME,
#include "attributes.def"
    ROWS
};

static const row rows[] = {
#define ATTRIBUTE(NAME, name, place, takes, example, text) {name, PSC_AT_##place, takes, example, text},
#include "attributes.def"
};

bool psc_attribute_row(size_t i, psc_attribute_place place, const char **name, const char **example, const char **text)
{
    for (size_t r = 0; r < ROWS; r++) {
        if (rows[r].place == place && i-- == 0) {
            *name = rows[r].name;
            *example = rows[r].example;
            *text = rows[r].text;
            return true;
        }
    }
    return false;
}

static size_t row_of(const char *name)
{
    size_t i = 0;
    while (i < ROWS && strcmp(rows[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* A word for what stands there: "a pipeline". */
static const char *place_text(psc_attribute_place place) { return place == PSC_AT_LET ? "a `let`" : "a pipeline"; }

static void unknown(psc_unit *u, const hrm_attribute *a)
{
    const char *names[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        names[i] = rows[i].name;
    }
    psc_help_nearest(ERROR(PSC_E_UNKNOWN_NAME, a->name.span, "there is no attribute `%s`", a->name.text), a->name.text, names,
                     ROWS);
}

static void take_count(psc_unit *u, const hrm_attribute *a, uint16_t *out)
{
    psc_constant_value c = psc_evaluate(u, a->value);
    if (!c.poisoned && (c.is_float || c.integer < 1 || c.integer > PSY_BATCH_MAX)) {
        ERROR(PSC_E_NUMBER, a->value->span, "`@%s` takes a whole number from 1 to %d", a->name.text, PSY_BATCH_MAX);
    } else if (!c.poisoned) {
        *out = (uint16_t)c.integer;
    }
}

static void take_engine(psc_unit *u, const hrm_attribute *a, uint8_t *out)
{
    const hrm_expr *e = a->value;
    for (unsigned engine = PSY_PREFER_CPU; e->kind == HRM_NAME && psy__prefer_word(engine); engine++) {
        if (strcmp(e->name.text, psy__prefer_word(engine)) == 0) {
            *out = (uint8_t)engine;
            return;
        }
    }
    psc_help(ERROR(PSC_E_ARGUMENTS, e->span, "`@%s` takes the name of an engine", a->name.text), "write `cpu` or `vulkan`");
}

static void take(psc_unit *u, const hrm_attribute *a, const row *r, psc_attributes *out)
{
    /* What takes nothing stands behind `let`, where the grammar has no argument. */
    if (r->takes != NOTHING && !a->value) {
        psc_help(ERROR(PSC_E_ARGUMENTS, a->name.span, "`@%s` takes something", r->name), "write `%s`", r->example);
        return;
    }
    switch (r - rows) {
    case MAX_BATCH: take_count(u, a, &out->max_batch); break;
    case PREFER: take_engine(u, a, &out->engine); break;
    default: out->materialize = true; break;
    }
}

psc_attributes psc_attributes_resolve(psc_unit *u, const hrm_attributes *list, psc_attribute_place place)
{
    psc_attributes out = {0};
    for (size_t i = 0; i < list->count; i++) {
        const hrm_attribute *a = &list->at[i];
        size_t r = row_of(a->name.text), before = 0;
        while (before < i && strcmp(list->at[before].name.text, a->name.text) != 0) {
            before++;
        }
        if (r == ROWS) {
            unknown(u, a);
        } else if (rows[r].place != place) {
            ERROR(PSC_E_SYNTAX, a->name.span, "`@%s` is for %s, not for %s", a->name.text, place_text(rows[r].place),
                  place_text(place));
        } else if (before < i) {
            psc_note(ERROR(PSC_E_DUPLICATE, a->name.span, "`@%s` is given twice", a->name.text), list->at[before].name.span,
                     "it is here already");
        } else {
            take(u, a, &rows[r], &out);
        }
    }
    return out;
}
