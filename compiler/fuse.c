/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of values that one kernel computes: an index space, the reductions of its last axis, and what is made of them.
 *
 * Every elementwise value and every reduction of a last axis starts as a group of its own. Groups are merged along the edges
 * from producer to consumer as long as the result is still one region (runtime/isa/verify.h says what that is) and no path
 * leaves it and comes back. What runs once (uniform) and what runs for every message never share a region. The list is then put
 * in an order in which every region is in one piece.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { REGION_VALUES_MAX = 48 };

typedef struct group {
    psc_region region;
    bool batched;
    PSC_LIST(psc_value *) members; /* in order of id */
} group;

typedef struct fuser {
    psc_unit *unit;
    psc_program *program;
    group **of;                    /* by value id; NULL: cannot be in a region */
    PSC_LIST(psc_value *) * users; /* by value id */
    bool *seen;                    /* by value id: of one search */
} fuser;

static bool fusable(const psc_value *v)
{
    if (psc_ir_is_elementwise(v)) {
        return true;
    }
    if (!psc_ir_is_reduction(v)) {
        return false;
    }
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    psc_ir_space(v, dims, &rank);
    return psc_ir_axis(v) + 1u == rank;
}

static group *group_new(fuser *f, psc_value *v)
{
    group *g = psc_new(f->unit->arena, group);
    g->batched = v->batched;
    g->region.reduces = psc_ir_is_reduction(v);
    psc_ir_space(v, g->region.dims, &g->region.rank);
    psc_push(f->unit->arena, &g->members, v);
    return g;
}

static bool same_space(const psc_region *r, uint32_t rank, const psc_region *s)
{
    return rank == s->rank && memcmp(r->dims, s->dims, rank * sizeof *r->dims) == 0;
}

/* The region of both, or false. */
static bool join(const psc_region *p, const psc_region *c, psc_region *out)
{
    if (p->reduces == c->reduces) {
        *out = *p;
        return same_space(p, p->rank, c);
    }
    const psc_region *red = p->reduces ? p : c, *map = p->reduces ? c : p;
    *out = *red;
    return same_space(red, red->rank, map) || same_space(red, red->rank - 1u, map);
}

/* Whether the value is computed over the whole space (else over the space without its last axis). */
static bool in_first_part(const psc_region *r, const psc_value *v)
{
    return psc_ir_is_reduction(v) || !r->reduces || v->rank == r->rank;
}

static bool is_member(const group *a, const group *b, const fuser *f, const psc_value *v)
{
    const group *g = f->of[v->id];
    return g && (g == a || g == b);
}

/* No value of the first part may read a reduction of the region, nor anything of its second part. */
static bool parts_are_sound(const fuser *f, const group *a, const group *b, const psc_region *r)
{
    for (unsigned which = 0; which < 2; which++) {
        const group *g = which ? b : a;
        for (size_t i = 0; i < g->members.count; i++) {
            const psc_value *v = g->members.at[i];
            for (unsigned k = 0; in_first_part(r, v) && k < v->operand_count; k++) {
                const psc_value *o = v->operands[k];
                if (o && is_member(a, b, f, o) && (psc_ir_is_reduction(o) || !in_first_part(r, o))) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* Whether `from`, which is outside, leads to a member of either group. Goes through whole groups. */
static bool leads_in(const fuser *f, const psc_value *from, const group *a, const group *b, bool *seen)
{
    if (is_member(a, b, f, from)) {
        return true;
    }
    const group *g = f->of[from->id];
    size_t n = g ? g->members.count : 1;
    for (size_t i = 0; i < n; i++) {
        const psc_value *v = g ? g->members.at[i] : from;
        if (seen[v->id]) {
            continue;
        }
        seen[v->id] = true;
        for (size_t k = 0; k < f->users[v->id].count; k++) {
            if (leads_in(f, f->users[v->id].at[k], a, b, seen)) {
                return true;
            }
        }
    }
    return false;
}

static bool comes_back(const fuser *f, const group *a, const group *b)
{
    bool *seen = f->seen, found = false;
    memset(seen, 0, f->program->values.count);
    for (unsigned which = 0; which < 2 && !found; which++) {
        const group *g = which ? b : a;
        for (size_t i = 0; i < g->members.count && !found; i++) {
            const psc_value *v = g->members.at[i];
            for (size_t k = 0; k < f->users[v->id].count && !found; k++) {
                const psc_value *user = f->users[v->id].at[k];
                found = !is_member(a, b, f, user) && leads_in(f, user, a, b, seen);
            }
        }
    }
    return found;
}

static int by_id(const void *a, const void *b)
{
    const psc_value *x = *(psc_value *const *)a, *y = *(psc_value *const *)b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void try_merge(fuser *f, group *a, group *b)
{
    psc_region region;
    if (!a || !b || a == b || a->batched != b->batched || a->members.count + b->members.count > REGION_VALUES_MAX ||
        !join(&a->region, &b->region, &region) || !parts_are_sound(f, a, b, &region) || comes_back(f, a, b)) {
        return;
    }
    for (size_t i = 0; i < b->members.count; i++) {
        psc_push(f->unit->arena, &a->members, b->members.at[i]);
        f->of[b->members.at[i]->id] = a;
    }
    a->region = region;
    qsort(a->members.at, a->members.count, sizeof *a->members.at, by_id);
}

/* A product of what all messages share with a message's vector: engines have a kernel of its own for many messages, which a
 * second reduction in the region would forgo. */
static bool is_product(const group *g)
{
    for (size_t i = 0; i < g->members.count; i++) {
        const psc_value *v = g->members.at[i];
        if (v->op == PSY_OP_DOT && v->operands[0]->batched != v->operands[1]->batched) {
            return true;
        }
    }
    return false;
}

/* Reductions that read the same value over the same space become one pass over it. */
static void merge_siblings(fuser *f, const psc_value *read)
{
    group *first = NULL;
    for (size_t k = 0; k < f->users[read->id].count; k++) {
        group *g = f->of[f->users[read->id].at[k]->id];
        if (!g || !g->region.reduces || is_product(g)) {
            continue;
        }
        if (first && first != g) {
            try_merge(f, first, g);
        }
        first = f->of[f->users[read->id].at[k]->id];
    }
}

/* ---- what did not become one ---- */

static psc_apart_reason why_apart(const fuser *f, const group *a, const group *b)
{
    psc_region region;
    return !a || !b                                                  ? PSC_APART_KIND
           : a->batched != b->batched                                ? PSC_APART_ONCE
           : a->members.count + b->members.count > REGION_VALUES_MAX ? PSC_APART_LARGE
           : !join(&a->region, &b->region, &region)                  ? PSC_APART_SPACE
           : !parts_are_sound(f, a, b, &region)                      ? PSC_APART_REDUCED
           : comes_back(f, a, b)                                     ? PSC_APART_CIRCLE
                                                                     : PSC_APART_ORDER;
}

static void note_apart(fuser *f, psc_program *p)
{
    p->apart.count = 0;
    for (size_t i = 0; f->unit->options->explain && i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        for (unsigned k = 0; k < v->operand_count; k++) {
            const psc_value *o = v->operands[k];
            if (o && (!f->of[o->id] || f->of[o->id] != f->of[v->id])) {
                psc_apart apart = {o, v, why_apart(f, f->of[o->id], f->of[v->id])};
                psc_push(f->unit->arena, &p->apart, apart);
            }
        }
    }
}

/* ---- the new order ---- */

typedef struct emitter {
    fuser *f;
    psc_program to;
    bool *done; /* by value id */
} emitter;

static void emit(emitter *e, psc_value *v);

static void emit_operands(emitter *e, const psc_value *v, const group *inside)
{
    for (unsigned k = 0; k < v->operand_count; k++) {
        psc_value *o = v->operands[k];
        if (o && (!inside || e->f->of[o->id] != inside)) {
            emit(e, o);
        }
    }
}

static void emit_one(emitter *e, psc_value *v, uint32_t number)
{
    e->done[v->id] = true;
    v->group = number;
    psc_push(e->f->unit->arena, &e->to.values, v);
}

/* A value with all it needs first; a member of a group brings the whole group. Groups are in no circle, so this ends. */
static void emit(emitter *e, psc_value *v)
{
    if (e->done[v->id]) {
        return;
    }
    group *g = e->f->of[v->id];
    if (!g || g->members.count == 1) {
        emit_operands(e, v, NULL);
        emit_one(e, v, 0);
        return;
    }
    for (size_t i = 0; i < g->members.count; i++) {
        emit_operands(e, g->members.at[i], g);
    }
    psc_push(e->f->unit->arena, &e->to.regions, g->region);
    for (unsigned part = 0; part < 2; part++) {
        for (size_t i = 0; i < g->members.count; i++) {
            if (in_first_part(&g->region, g->members.at[i]) == (part == 0)) {
                emit_one(e, g->members.at[i], (uint32_t)e->to.regions.count);
            }
        }
    }
}

static void fuse_program(psc_unit *u, psc_program *p)
{
    fuser fusing = {.unit = u, .program = p}, *f = &fusing;
    size_t n = p->values.count;
    f->of = psc_alloc(u->arena, (n + 1) * sizeof *f->of);
    f->users = psc_alloc(u->arena, (n + 1) * sizeof *f->users);
    f->seen = psc_alloc(u->arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        psc_value *v = p->values.at[i];
        v->id = (uint32_t)i;
        v->group = 0;
        f->of[i] = fusable(v) ? group_new(f, v) : NULL;
        for (unsigned k = 0; k < v->operand_count; k++) {
            if (v->operands[k]) {
                psc_push(u->arena, &f->users[v->operands[k]->id], v);
            }
        }
    }
    /* Later consumers first: reductions take in their producers before those go elsewhere. */
    for (size_t i = n; i-- > 0;) {
        psc_value *v = p->values.at[i];
        for (unsigned k = 0; k < v->operand_count; k++) {
            if (v->operands[k]) {
                try_merge(f, f->of[v->operands[k]->id], f->of[v->id]);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        merge_siblings(f, p->values.at[i]);
    }
    note_apart(f, p);
    emitter e = {.f = f, .to = *p};
    e.to.values.at = NULL;
    e.to.values.count = e.to.values.room = 0;
    e.to.regions.count = 0;
    e.done = psc_alloc(u->arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        emit(&e, p->values.at[i]);
    }
    *p = e.to;
}

void psc_fuse(psc_unit *unit) { psc_each_program(unit, fuse_program); }
