/* SPDX-License-Identifier: Apache-2.0 */
/* Types of messages from assembly, for tests. */
#ifndef PSY_TESTS_MESSAGE_TABLES_H
#define PSY_TESTS_MESSAGE_TABLES_H

#include <psyne/reflect.h>

#include "isa/asm.h"
#include "tests/test.h"

typedef struct tables {
    uint8_t *bytes;
    psy__module module;
    psy_reflection reflection;
} tables;

static inline void tables_open(tables *t, const char *text)
{
    uint64_t n;
    psy_status status = psy__assemble(text, strlen(text), &t->bytes, &n);
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__module_decode(t->bytes, n, PSY_TRUST_BYTECODE, &t->module), PSY_OK);
    const psy__module *m = &t->module;
    t->reflection = (psy_reflection){m->strings, m->types, m->fields, m->type_count, m->field_count};
}

static inline void tables_close(tables *t) { free(t->bytes); }

static inline psy_type tables_type(const tables *t, const char *name)
{
    psy_type type;
    cr_assert_eq(psy_reflect_find(&t->reflection, name, &type), PSY_OK, "%s", psy_detail());
    return type;
}

/* The field of this name: what it is, and where. */
static inline const psy_psm_field *tables_field(const psy_type *type, const char *name)
{
    for (uint32_t i = 0; i < psy_reflect_type(type)->field_count; i++) {
        const psy_psm_field *f = psy_reflect_field(type, i);
        if (strcmp(psy_reflect_string(type->reflection, f->name), name) == 0) {
            return f;
        }
    }
    cr_assert_fail("there is no field %s", name);
    return NULL;
}

#endif
