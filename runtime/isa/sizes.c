/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that are computed of others. */
#include <inttypes.h>
#include <stdio.h>

#include "isa/verify.h"

typedef struct text {
    char *at;
    size_t room; /* with the NUL */
} text;

static void put(text *t, const char *what)
{
    int n = snprintf(t->at, t->room, "%s", what);
    size_t written = (size_t)n < t->room ? (size_t)n : t->room - 1;
    t->at += written;
    t->room -= written;
}

/* Every call writes something, so that there are no more of them than the text has room for. */
static void put_size(text *t, const psy__module *m, psy_dim d, bool inside)
{
    static const char *const signs[] = {
        [PSY_SYMBOL_ADD] = " + ", [PSY_SYMBOL_SUBTRACT] = " - ", [PSY_SYMBOL_MULTIPLY] = " * ", [PSY_SYMBOL_DIVIDE] = " / "};
    char number[16];
    if (t->room <= 1) {
        return;
    }
    if (!psy__dim_is_symbol(d)) {
        snprintf(number, sizeof number, "%" PRIu32, d);
        put(t, number);
        return;
    }
    const psy_psm_symbol *s = &m->symbols[psy__dim_symbol(d)];
    if (!psy__symbol_word(s->kind)) {
        put(t, psy__module_string(m, s->name));
        return;
    }
    put(t, inside ? "(" : "");
    put_size(t, m, s->of, true);
    put(t, signs[s->kind]);
    put_size(t, m, s->with, true);
    put(t, inside ? ")" : "");
}

void psy__size_text(const psy__module *m, psy_dim d, char *out, size_t room)
{
    text t = {out, room};
    *out = '\0';
    put_size(&t, m, d, false);
}

psy_status psy__size_compute(const psy__module *m, uint32_t symbol, const uint64_t *symbols, uint64_t *out)
{
    const psy_psm_symbol *s = &m->symbols[symbol];
    uint64_t left = psy__dim_value(s->of, symbols), right = psy__dim_value(s->with, symbols);
    bool bad = s->kind == PSY_SYMBOL_ADD        ? __builtin_add_overflow(left, right, out)
               : s->kind == PSY_SYMBOL_SUBTRACT ? __builtin_sub_overflow(left, right, out)
               : s->kind == PSY_SYMBOL_MULTIPLY ? __builtin_mul_overflow(left, right, out)
                                                : right == 0 || left % right != 0;
    if (bad) {
        char name[PSY_SIZE_TEXT_ROOM];
        psy__size_text(m, PSY_DIM_SYMBOL | symbol, name, sizeof name);
        return psy_fail(PSY_INVALID, "size %s: %" PRIu64 " and %" PRIu64 " cannot be put together so", name, left, right);
    }
    if (s->kind == PSY_SYMBOL_DIVIDE) {
        *out = left / right;
    }
    return PSY_OK;
}
