/* SPDX-License-Identifier: Apache-2.0 */
#include <psyne/reflect.h>

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "isa/layout.h"

/* Whether it is called so, but for its namespace. */
static bool is_last_word(const char *name, const char *word)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot + 1, word) == 0;
}

psy_status psy_reflect_find(const psy_reflection *r, const char *name, psy_type *out)
{
    const char *near = NULL;
    for (uint32_t i = 0; i < r->type_count; i++) {
        if (strcmp(psy_reflect_string(r, r->types[i].name), name) == 0) {
            *out = psy_reflect_type_at(r, i);
            return PSY_OK;
        }
    }
    for (uint32_t i = 0; i < r->type_count && !near; i++) {
        const char *full = psy_reflect_string(r, r->types[i].name);
        near = is_last_word(full, name) ? full : NULL;
    }
    const bool known = near != NULL;
    for (uint32_t i = 0; i < r->type_count && !known; i++) {
        /* The nearer of the nearest so far and this one. */
        const char *const two[2] = {near ? near : "", psy_reflect_string(r, r->types[i].name)};
        bool only;
        near = psy__nearest(name, two + !near, 1 + (near != NULL), &only);
    }
    return psy_fail(PSY_NOT_FOUND, "there is no type `%s`%s%s%s", name, near ? "; did you mean `" : "", near ? near : "",
                    near ? "`?" : "");
}

const char *psy_reflect_field_text(const psy_reflection *r, const psy_psm_field *field, char *out, size_t room)
{
    char text[PSY_FIELD_TYPE_TEXT_BYTES];
    psy__field_type_text(text, field, field->type == PSY_NONE ? NULL : psy_reflect_string(r, r->types[field->type].name));
    snprintf(out, room, "%s", text);
    return out;
}
