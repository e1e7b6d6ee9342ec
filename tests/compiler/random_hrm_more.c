/* SPDX-License-Identifier: Apache-2.0 */
/* What is rarer: infinities and NaN, einsum, sizes as numbers, parts of other axes than the first. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/compiler/random_hrm_parts.h"

static value loose_like(const value *a, double limit)
{
    value r = *a;
    r.dtype = random_hrm_promoted(a->dtype);
    r.loose = true;
    r.whole = false;
    r.limit = limit;
    return r;
}

/* Infinite, NaN, and numbers between them: exact, and too large for everything that must be small. Often they are put in order:
 * few steps would find them. */
void random_hrm_special(random_hrm *p)
{
    const value *a = random_hrm_find(p, EXACT | FLOAT | SMALL);
    value r = {0};
    const value *b = a ? random_hrm_find_partner(p, a, EXACT | FLOAT, &r) : NULL;
    if (!b || random_hrm_promoted(a->dtype) != PSY_F32) {
        return;
    }
    r.dtype = PSY_F32;
    r.limit = 1e30;
    switch (random_hrm_pick(p, 3)) {
    case 0: random_hrm_let(p, &r, "f32(f16(%s * 100000)) + %s", a->name, b->name); break;
    case 1: random_hrm_let(p, &r, "f32(f16(%s * 100000)) * 0 + %s", a->name, b->name); break;
    default: random_hrm_let(p, &r, "if %s > 0 { f32(f16(%s * 100000)) } else { %s }", b->name, a->name, b->name);
    }
    const value *made = &p->at[p->count - 1];
    if (r.rank > 0 && made->limit == r.limit && random_hrm_size(p, r.dims[r.rank - 1]) > 0 && random_hrm_pick(p, 2)) {
        static const char *const names[] = {"argmin", "argmax", "min", "max"};
        unsigned which = random_hrm_pick(p, 4);
        r.dtype = which < 2 ? PSY_U64 : PSY_F32;
        r.rank--;
        random_hrm_let(p, &r, "%s(%s, axis: -1)", names[which], made->name);
    }
}

void random_hrm_about(random_hrm *p)
{
    static const char *const names[] = {"is_nan", "is_inf", "is_finite"};
    const value *a = random_hrm_find(p, EXACT | FLOAT);
    if (a) {
        value r = *a;
        r.dtype = PSY_BOOL;
        random_hrm_let(p, &r, "%s(%s)", names[random_hrm_pick(p, 3)], a->name);
    }
}

void random_hrm_rare_maps(random_hrm *p)
{
    static const char *const one[] = {"tan(%s / 65)",  "sinh(%s / 16)",      "cosh(%s / 16)",
                                      "acos(%s / 65)", "log10(abs(%s) + 1)", "elu(%s, alpha: 0.5)",
                                      "-%s",           "clamp(%s, -2, 3)",   "pow(abs(%s) + 1, 0.5)"},
                             *const two[] = {"atan2(%s, abs(%s) + 1)", "hypot(%s, %s)", "%s / (abs(%s) + 1)"};
    const value *a = random_hrm_find(p, FLOAT | SMALL);
    value r = {0};
    const value *b = a ? random_hrm_find_partner(p, a, FLOAT | SMALL, &r) : NULL;
    char text[96];
    if (!b) {
        return;
    }
    unsigned which = random_hrm_pick(p, 13);
    if (which < 9) {
        r = loose_like(a, which == 1 || which == 2 ? 32 : a->limit + 2);
        snprintf(text, sizeof text, one[which], a->name);
    } else {
        r.dtype = a->dtype;
        r = loose_like(&r, a->limit + b->limit);
        snprintf(text, sizeof text, which == 12 ? "fma(%s, %s / 64, 1)" : two[which - 9], a->name, b->name);
        r.limit = which == 12 ? a->limit + 1 : r.limit;
    }
    if (r.limit <= LOOSE_MAX) {
        random_hrm_let(p, &r, "%s", text);
    }
}

/* A size, a constant, a written number in another base: they take the type of what they meet. */
void random_hrm_sizes(random_hrm *p)
{
    const value *a = random_hrm_find(p, EXACT | NUMBER), *x = random_hrm_find(p, AXES);
    if (!a || !x) {
        return;
    }
    value r = *a;
    unsigned axis = random_hrm_pick(p, x->rank);
    r.dtype = random_hrm_promoted(a->dtype);
    r.limit = a->limit + 255;
    switch (random_hrm_pick(p, 4)) {
    case 0: random_hrm_let(p, &r, "%s + size(%s, axis: %u)", a->name, x->name, axis); break;
    case 1: /* of a named size it is i64 */
        if (x->dims[axis] < 0) {
            return;
        }
        random_hrm_let(p, &r, "(size(%s, axis: %u) / 2 + 1) + %s", x->name, axis, a->name);
        break;
    case 2: random_hrm_let(p, &r, "max(%s, if size(%s, axis: %u) > 2 { SEVEN } else { 0x1F })", a->name, x->name, axis); break;
    default:
        if (!is_float(r.dtype)) {
            random_hrm_let(p, &r, "%s & (SEVEN << 2 | 0b1)", a->name);
        }
    }
}

static void put_einsum(random_hrm *p, const value *a, const value *b, const char *text, unsigned rank, int first, int second,
                       double summed)
{
    value r = *a;
    double limit = a->limit * (b ? b->limit : 1);
    r.dtype = random_hrm_promoted(a->dtype);
    r.whole = a->whole && (!b || b->whole);
    r.limit = limit * summed;
    r.loose = is_float(r.dtype) && summed > 1 && !(r.whole && r.limit < 1 << EXACT_BITS);
    r.loose = r.loose || a->loose || (b && b->loose);
    r.rank = rank;
    r.dims[0] = first;
    r.dims[1] = second;
    if (!(r.loose && r.limit > LOOSE_MAX)) {
        random_hrm_let(p, &r, b ? "einsum(\"%s\", %s, %s)" : "einsum(\"%s\", %s)", text, a->name, b ? b->name : "");
    }
}

void random_hrm_einsum(random_hrm *p)
{
    const value *m = random_hrm_find(p, MATRIX | NUMBER), *v = random_hrm_find(p, VECTOR | NUMBER), *o;
    if (!m || !v) {
        return;
    }
    double rows = random_hrm_size(p, m->dims[0]), columns = random_hrm_size(p, m->dims[1]);
    bool alike = random_hrm_promoted(m->dtype) == random_hrm_promoted(v->dtype);
    switch (random_hrm_pick(p, 7)) {
    case 0: put_einsum(p, m, NULL, "ij->ji", 2, m->dims[1], m->dims[0], 1); break;
    case 1: put_einsum(p, m, NULL, "ij->j", 1, m->dims[1], 0, rows); break;
    case 2: put_einsum(p, m, NULL, "ij->", 0, 0, 0, rows * columns); break;
    case 3:
        if (m->dims[0] == m->dims[1]) {
            put_einsum(p, m, NULL, "ii->i", 1, m->dims[0], 0, 1);
        }
        break;
    case 4:
        if (alike && m->dims[1] == v->dims[0]) {
            put_einsum(p, m, v, "ij,j->i", 1, m->dims[0], 0, columns);
        }
        break;
    case 5:
        if (alike && m->dims[0] == v->dims[0]) {
            put_einsum(p, m, v, "ab,a->ba", 2, m->dims[1], m->dims[0], 1);
        }
        break;
    default:
        o = random_hrm_find(p, MATRIX | NUMBER);
        if (o && random_hrm_promoted(o->dtype) == random_hrm_promoted(m->dtype) && o->dims[0] == m->dims[0]) {
            put_einsum(p, m, o, "ki,kj->ij", 2, m->dims[1], o->dims[1], rows);
        }
    }
}

/* Of the second axis. */
void random_hrm_columns(random_hrm *p)
{
    const value *a = random_hrm_find(p, MATRIX), *i = random_hrm_find(p, VECTOR | INTEGER | EXACT | FIXED);
    if (!a || a->dims[1] <= 0) {
        return;
    }
    value r = *a;
    int n = a->dims[1], from = (int)random_hrm_pick(p, (uint32_t)n);
    switch (random_hrm_pick(p, 4)) {
    case 0:
        r.rank = 1;
        random_hrm_let(p, &r, "%s[.., %d]", a->name, from - n);
        break;
    case 1:
        r.dims[1] = n - from;
        random_hrm_let(p, &r, "%s[.., %d..]", a->name, from);
        break;
    case 2:
        r.dims[1] = from + 1;
        random_hrm_let(p, &r, "%s[.., ..%d]", a->name, from + 1);
        break;
    default:
        if (i) {
            r.dims[1] = i->dims[0];
            random_hrm_let(p, &r, "gather(%s, %s %% 6, axis: %d)", a->name, i->name, random_hrm_pick(p, 2) ? 1 : -1);
        }
    }
}

/* With a scale, and a shift; the last axis is meant. */
void random_hrm_norms(random_hrm *p)
{
    const value *a = random_hrm_find(p, AXES | FLOAT | SMALL), *s = random_hrm_find(p, VECTOR | FLOAT | SMALL);
    if (!a || !s) {
        return;
    }
    int last = a->dims[a->rank - 1];
    unsigned n = random_hrm_size(p, last);
    value r = loose_like(a, (sqrt(n) + 1) * s->limit + s->limit);
    bool exact = !a->loose && n > 1;
    if (random_hrm_pick(p, 3) == 0 && n > 0) {
        r.limit = 1;
        random_hrm_let(p, &r, "softmax(%s)", a->name);
    } else if (n > 0 && last == s->dims[0] && random_hrm_promoted(a->dtype) == random_hrm_promoted(s->dtype) &&
               r.limit <= LOOSE_MAX) {
        if (exact && random_hrm_pick(p, 2)) {
            random_hrm_let(p, &r, "layernorm(%s, %s, %s)", a->name, s->name, s->name);
        } else {
            random_hrm_let(p, &r, "rmsnorm(%s, %s, epsilon: 0.01)", a->name, s->name);
        }
    }
}
