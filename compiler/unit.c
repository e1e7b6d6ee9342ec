/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in a unit. */
#include "unit.h"

#include <inttypes.h>
#include <string.h>

psc_program *psc_program_at(const psc_unit *unit, size_t i)
{
    for (size_t k = 0; k < unit->pipelines.count; k++) {
        const psc_pipeline *p = unit->pipelines.at[k];
        psc_program *const programs[2] = {p->shard ? p->shard : p->whole, p->shard ? p->merge : NULL};
        size_t count = programs[1] ? 2 : programs[0] ? 1 : 0; /* one with errors has none */
        if (i < count) {
            return programs[i];
        }
        i -= count;
    }
    return NULL;
}

void psc_each_program(psc_unit *unit, void (*pass)(psc_unit *, psc_program *))
{
    psc_program *p;
    for (size_t i = 0; (p = psc_program_at(unit, i)); i++) {
        pass(unit, p);
    }
}

psy_dim psc_symbol_find(const psc_unit *unit, const char *name, uint32_t kind)
{
    for (size_t i = 0; i < unit->symbols.count; i++) {
        if (unit->symbols.at[i].kind == kind && strcmp(unit->symbol_names.at[i], name) == 0) {
            return PSY_DIM_SYMBOL | (uint32_t)i;
        }
    }
    return PSY_NONE;
}

psy_dim psc_symbol_add(psc_unit *unit, const char *name, uint32_t kind, uint32_t of)
{
    psy_psm_symbol s = {.kind = kind, .of = of};
    psc_push(unit->arena, &unit->symbols, s);
    psc_push(unit->arena, &unit->symbol_names, name);
    return PSY_DIM_SYMBOL | (uint32_t)(unit->symbols.count - 1);
}

/* The sign that a computed size is made with, or 0. */
static char sign_of(const psc_unit *unit, psy_dim dim)
{
    uint32_t kind = psy__dim_is_symbol(dim) ? unit->symbols.at[psy__dim_symbol(dim)].kind : PSY_SYMBOL_GLOBAL;
    return kind == PSY_SYMBOL_ADD        ? '+'
           : kind == PSY_SYMBOL_SUBTRACT ? '-'
           : kind == PSY_SYMBOL_MULTIPLY ? '*'
           : kind == PSY_SYMBOL_DIVIDE   ? '/'
                                         : 0;
}

const char *psc_dim_text(const psc_unit *unit, psy_dim dim)
{
    if (!psy__dim_is_symbol(dim)) {
        return psc_format(unit->arena, "%u", dim);
    }
    const psy_psm_symbol *s = &unit->symbols.at[psy__dim_symbol(dim)];
    if (sign_of(unit, dim)) {
        return psc_format(unit->arena,
                          sign_of(unit, s->of)     ? "(%s) %c %s"
                          : sign_of(unit, s->with) ? "%s %c (%s)"
                                                   : "%s %c %s",
                          psc_dim_text(unit, s->of), sign_of(unit, dim), psc_dim_text(unit, s->with));
    }
    return unit->symbol_names.at[s->kind == PSY_SYMBOL_LOCAL ? s->of : psy__dim_symbol(dim)];
}

const char *psc_shape_text(psc_unit *unit, const psy_dim *dims, uint32_t rank)
{
    const char *text = "";
    for (uint32_t d = 0; d < rank; d++) {
        text = psc_format(unit->arena, "%s%s%s", text, d ? ", " : "", psc_dim_text(unit, dims[d]));
    }
    return rank ? psc_format(unit->arena, "[%s]", text) : "a scalar";
}

uint32_t psc_type_of(psc_unit *unit, const psc_message *message)
{
    for (size_t i = 0; i < unit->types.count; i++) {
        if (unit->types.at[i].message == message) {
            return (uint32_t)i;
        }
    }
    for (uint32_t k = 0; k < message->field_count; k++) {
        if (psc_field_refers(&message->fields[k])) {
            psc_type_of(unit, message->fields[k].type); /* types come after those that they name */
        }
    }
    psc_type t = {.name = message->full_name,
                  .message = message,
                  .fields = message->fields,
                  .field_count = message->field_count,
                  .layout = message->layout};
    psc_push(unit->arena, &unit->types, t);
    return (uint32_t)(unit->types.count - 1);
}

const char *psc_integer_text(psc_arena *arena, psc_integer x)
{
    return x < 0 ? psc_format(arena, "%" PRId64, (int64_t)x) : psc_format(arena, "%" PRIu64, (uint64_t)x);
}

const psc_message *psc_message_find(const psc_unit *unit, const char *name)
{
    for (size_t i = 0; i < unit->schemas.count; i++) {
        const psc_message *m = psc_schema_message(unit->schemas.at[i], name);
        if (m) {
            return m;
        }
    }
    return NULL;
}

psc_constant_value *psc_constant_find(const psc_unit *unit, const char *name)
{
    for (size_t i = 0; i < unit->constants.count; i++) {
        if (strcmp(unit->constants.at[i].name, name) == 0) {
            return &unit->constants.at[i];
        }
    }
    return NULL;
}

psc_constant_value *psc_constant_of_types(const psc_unit *unit, const char *name)
{
    psc_constant_value *c = psc_constant_find(unit, name);
    return c && !c->is_size ? c : NULL;
}

const psc_resident *psc_resident_find(const psc_unit *unit, const char *name, uint32_t *index)
{
    for (size_t i = 0; i < unit->residents.count; i++) {
        if (strcmp(unit->residents.at[i].node->name.text, name) == 0) {
            *index = (uint32_t)i;
            return &unit->residents.at[i];
        }
    }
    return NULL;
}

psc_fn *psc_fn_find(const psc_unit *unit, const char *name) { return psc_names_find(unit->fn_names, name); }
